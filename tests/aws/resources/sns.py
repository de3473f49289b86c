"""Resource types of SNS."""

from __future__ import annotations

from tests.aws.resources.kind import Created, Json, Kind, take


class Topic(Kind):
    service = "sns"
    name = "TopicName"

    def desired(self, properties: Json) -> Json:
        apart = ("TopicName", "Subscription", "Tags")
        return {
            "Name": properties["TopicName"],
            "Attributes": {k: v for k, v in properties.items() if k not in apart},
            **{k: v for k, v in properties.items() if k == "Subscription"},
        }

    def create(self, desired: Json) -> Created:
        attributes = desired["Attributes"]
        arn = self.call("create_topic", Name=desired["Name"], Attributes=attributes)["TopicArn"]
        for subscription in desired.get("Subscription", []):
            self.call("subscribe", TopicArn=arn, **subscription)
        return Created(arn, {"TopicName": desired["Name"], "TopicArn": arn})

    def read(self, reference: str) -> Json:
        if not reference.startswith("arn:"):
            topics = self.client.list_topics()["Topics"]
            arns = [topic["TopicArn"] for topic in topics]
            reference = next((arn for arn in arns if arn.endswith(f":{reference}")), "")
            if not reference:
                raise LookupError
        attributes = self.client.get_topic_attributes(TopicArn=reference)["Attributes"]
        subscriptions = self.client.list_subscriptions_by_topic(TopicArn=reference)["Subscriptions"]
        return {
            "Name": reference.rsplit(":", 1)[-1],
            "Attributes": attributes,
            "Subscription": subscriptions,
        }


class TopicPolicy(Kind):
    service = "sns"

    def desired(self, properties: Json) -> Json:
        take(properties, "Topics", "PolicyDocument")
        [arn] = properties["Topics"]
        return {"TopicArn": arn, "Policy": properties["PolicyDocument"]}

    def create(self, desired: Json) -> Created:
        self.call(
            "set_topic_attributes",
            TopicArn=desired["TopicArn"],
            AttributeName="Policy",
            AttributeValue=desired["Policy"],
        )
        return Created(desired["TopicArn"])

    def update(self, created: Created, desired: Json) -> Created:
        return self.create(desired)

    def read(self, reference: str) -> Json:
        attributes = self.client.get_topic_attributes(TopicArn=reference)["Attributes"]
        return {"TopicArn": reference, "Policy": attributes["Policy"]}


class Subscription(Kind):
    service = "sns"

    def create(self, desired: Json) -> Created:
        return Created(
            self.call("subscribe", **desired, ReturnSubscriptionArn=True)["SubscriptionArn"]
        )

    def read(self, reference: str) -> Json:
        attributes: Json = self.client.get_subscription_attributes(SubscriptionArn=reference)
        return dict(attributes["Attributes"])
