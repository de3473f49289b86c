"""CloudFormation's resource types over the services' own APIs: create, update, read back.

moto's CloudFormation reports CREATE_COMPLETE for many types that it does not create, so a stack is
made of these instead. A type that is not here, and a property that a type does not know, is an
error. What a resource should be is written in the words of the service's API (`desired`), so that
it can be compared with what that API returns afterwards (`read`).
"""
