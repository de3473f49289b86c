"""Resource types of SQS."""

from __future__ import annotations

from tests.aws.resources.kind import Created, Json, Kind, tags, take


class Queue(Kind):
    service = "sqs"
    name = "QueueName"

    def desired(self, properties: Json) -> Json:
        attributes = {k: v for k, v in properties.items() if k not in ("QueueName", "Tags")}
        return {
            "QueueName": properties["QueueName"],
            "Attributes": attributes,
            "tags": tags(properties),
        }

    def create(self, desired: Json) -> Created:
        url = self.call("create_queue", **desired)["QueueUrl"]
        attributes = self._attributes(url)
        names = {"Arn": attributes["QueueArn"], "QueueName": desired["QueueName"], "QueueUrl": url}
        return Created(url, names)

    def update(self, created: Created, desired: Json) -> Created:
        attributes = desired["Attributes"]
        self.call("set_queue_attributes", QueueUrl=created.reference, Attributes=attributes)
        return created

    def read(self, reference: str) -> Json:
        name = reference.rsplit("/", 1)[-1]
        url = self.client.get_queue_url(QueueName=name)["QueueUrl"]
        listed = self.client.list_queue_tags(QueueUrl=url).get("Tags", {})
        return {"QueueName": name, "Attributes": self._attributes(url), "tags": listed}

    def _attributes(self, url: str) -> Json:
        answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes: Json = answer["Attributes"]
        return attributes


class QueuePolicy(Kind):
    service = "sqs"

    def desired(self, properties: Json) -> Json:
        take(properties, "Queues", "PolicyDocument")
        [url] = properties["Queues"]
        return {"QueueUrl": url, "Attributes": {"Policy": properties["PolicyDocument"]}}

    def create(self, desired: Json) -> Created:
        self.call("set_queue_attributes", **desired)
        return Created(desired["QueueUrl"])

    def update(self, created: Created, desired: Json) -> Created:
        return self.create(desired)

    def read(self, reference: str) -> Json:
        answer = self.client.get_queue_attributes(QueueUrl=reference, AttributeNames=["Policy"])
        return {"QueueUrl": reference, "Attributes": answer.get("Attributes", {})}
