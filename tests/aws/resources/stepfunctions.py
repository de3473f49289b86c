"""Resource types of Step Functions."""

from __future__ import annotations

from typing import Any

from tests.aws.resources.kind import Created, Json, Kind, take


class StateMachine(Kind):
    service = "stepfunctions"
    name = "StateMachineName"

    def desired(self, properties: Json) -> Json:
        definition = take(
            properties,
            *("StateMachineName", "StateMachineType", "RoleArn", "DefinitionString"),
            *("DefinitionSubstitutions", "LoggingConfiguration", "TracingConfiguration", "Tags"),
        )["DefinitionString"]
        for name, value in properties.get("DefinitionSubstitutions", {}).items():
            definition = definition.replace(f"${{{name}}}", str(value))
        asked = {
            "name": properties["StateMachineName"],
            "definition": definition,
            "roleArn": properties["RoleArn"],
            "type": properties.get("StateMachineType", "STANDARD"),
        }
        for name in ("LoggingConfiguration", "TracingConfiguration"):
            if name in properties:
                asked[name[0].lower() + name[1:]] = _lower_all(properties[name])
        return asked

    def create(self, desired: Json) -> Created:
        arn = self.call("create_state_machine", **desired)["stateMachineArn"]
        return Created(arn, {"Arn": arn, "Name": desired["name"]})

    def update(self, created: Created, desired: Json) -> Created:
        self.call(
            "update_state_machine",
            stateMachineArn=created.reference,
            definition=desired["definition"],
            roleArn=desired["roleArn"],
        )
        return created

    def read(self, reference: str) -> Json:
        if not reference.startswith("arn:"):
            machines = self.client.list_state_machines()["stateMachines"]
            arns = [m["stateMachineArn"] for m in machines if m["name"] == reference]
            if not arns:
                raise LookupError(reference)
            reference = arns[0]
        machine: Json = self.client.describe_state_machine(stateMachineArn=reference)
        return machine


def _lower_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: _lower_all(part) for name, part in value.items()}
    return [_lower_all(part) for part in value] if isinstance(value, list) else value
