"""Resource types of Athena."""

from __future__ import annotations

from tests.aws.resources.kind import Created, Json, Kind


class WorkGroup(Kind):
    service = "athena"
    name = "Name"
    unkept = frozenset({"Tags"})

    def desired(self, properties: Json) -> Json:
        renamed = {"WorkGroupConfiguration": "Configuration"}
        left_out = ("RecursiveDeleteOption", "State")  # of CloudFormation; enabled anyway
        return {renamed.get(k, k): v for k, v in properties.items() if k not in left_out}

    def create(self, desired: Json) -> Created:
        self.call("create_work_group", **desired)
        return Created(desired["Name"])

    def read(self, reference: str) -> Json:
        group: Json = self.client.get_work_group(WorkGroup=reference)["WorkGroup"]
        return group


class NamedQuery(Kind):
    service = "athena"

    def create(self, desired: Json) -> Created:
        return Created(self.call("create_named_query", **desired)["NamedQueryId"])

    def read(self, reference: str) -> Json:
        query: Json = self.client.get_named_query(NamedQueryId=reference)["NamedQuery"]
        return query
