"""Resource types of CloudWatch and its Logs."""

from __future__ import annotations

from tests.aws.resources.kind import Created, Json, Kind, lower


class Alarm(Kind):
    service = "cloudwatch"
    name = "AlarmName"

    def create(self, desired: Json) -> Created:
        self.call("put_metric_alarm", **desired)
        return Created(desired["AlarmName"], {"Arn": self.read(desired["AlarmName"])["AlarmArn"]})

    def update(self, created: Created, desired: Json) -> Created:
        return self.create(desired)

    def read(self, reference: str) -> Json:
        alarms: list[Json] = self.client.describe_alarms(AlarmNames=[reference])["MetricAlarms"]
        return alarms[0]


class Dashboard(Kind):
    service = "cloudwatch"
    name = "DashboardName"

    def create(self, desired: Json) -> Created:
        self.call("put_dashboard", **desired)
        return Created(desired["DashboardName"])

    def update(self, created: Created, desired: Json) -> Created:
        return self.create(desired)

    def read(self, reference: str) -> Json:
        dashboard: Json = self.client.get_dashboard(DashboardName=reference)
        return dashboard


class LogGroup(Kind):
    service = "logs"
    name = "LogGroupName"

    def desired(self, properties: Json) -> Json:
        return lower(properties, "LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass")

    def create(self, desired: Json) -> Created:
        name = desired["logGroupName"]
        self.call(
            "create_log_group", **{k: v for k, v in desired.items() if k != "retentionInDays"}
        )
        arn = self.update(Created(name), desired)
        return Created(name, {"Arn": f"{self.read(arn.reference)['arn'].removesuffix(':*')}:*"})

    def update(self, created: Created, desired: Json) -> Created:
        if "retentionInDays" in desired:
            self.call(
                "put_retention_policy",
                logGroupName=desired["logGroupName"],
                retentionInDays=desired["retentionInDays"],
            )
        return created

    def read(self, reference: str) -> Json:
        groups = self.client.describe_log_groups(logGroupNamePrefix=reference)["logGroups"]
        found: list[Json] = [group for group in groups if group["logGroupName"] == reference]
        return found[0]
