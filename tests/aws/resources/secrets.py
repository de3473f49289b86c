"""Resource types of Secrets Manager and SSM's Parameter Store."""

from __future__ import annotations

from tests.aws.resources.kind import Created, Json, Kind, take


class Secret(Kind):
    service = "secretsmanager"
    name = "Name"

    def desired(self, properties: Json) -> Json:
        return take(properties, "Name", "Description", "KmsKeyId", "Tags")

    def create(self, desired: Json) -> Created:
        return Created(self.call("create_secret", **desired)["ARN"])

    def update(self, created: Created, desired: Json) -> Created:
        changes = {k: v for k, v in desired.items() if k in ("Description", "KmsKeyId")}
        self.call("update_secret", SecretId=created.reference, **changes)
        return created

    def read(self, reference: str) -> Json:
        secret: Json = self.client.describe_secret(SecretId=reference)
        return secret


class Parameter(Kind):
    service = "ssm"
    name = "Name"

    def create(self, desired: Json) -> Created:
        self.call("put_parameter", **desired)
        return Created(desired["Name"], {"Type": desired["Type"], "Value": desired["Value"]})

    def update(self, created: Created, desired: Json) -> Created:
        self.call("put_parameter", **desired, Overwrite=True)
        return Created(created.reference, {"Type": desired["Type"], "Value": desired["Value"]})

    def read(self, reference: str) -> Json:
        parameter: Json = self.client.get_parameter(Name=reference)["Parameter"]
        filters = [{"Key": "Name", "Values": [reference]}]
        [described] = self.client.describe_parameters(ParameterFilters=filters)["Parameters"]
        return {**described, **parameter}
