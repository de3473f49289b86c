"""Resource types of EventBridge Scheduler."""

from __future__ import annotations

from tests.aws.resources.kind import Created, Json, Kind


class Schedule(Kind):
    service = "scheduler"
    name = "Name"

    def create(self, desired: Json) -> Created:
        arn = self.call("create_schedule", **desired)["ScheduleArn"]
        return Created(desired["Name"], {"Arn": arn})

    def update(self, created: Created, desired: Json) -> Created:
        self.call("update_schedule", **desired)
        return created

    def read(self, reference: str) -> Json:
        schedule: Json = self.client.get_schedule(Name=reference)
        return schedule
