"""The deployer itself: what is not there, or is not as the template says, is an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.deployment import DeploymentError, Stack
from tests.aws.embedded import EmbeddedAws
from tests.aws.resources.kind import Unsupported
from tests.aws.template import TemplateError

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Days: {Type: Number, Default: 30, MinValue: 1}
  Encrypted: {Type: String, Default: "yes", AllowedValues: ["yes", "no"]}
Conditions:
  IsEncrypted: !Equals [!Ref Encrypted, "yes"]
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: !Sub "${AWS::StackName}-depth"
      Dimensions: [{Name: QueueName, Value: !GetAtt Queue.QueueName}]
      Namespace: AWS/SQS
      MetricName: ApproximateNumberOfMessagesVisible
      Statistic: Maximum
      Period: 300
      EvaluationPeriods: 1
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: 60
      SqsManagedSseEnabled: !If [IsEncrypted, true, !Ref AWS::NoValue]
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {RetentionInDays: !Ref Days}
Outputs:
  Text: {Value: !Join ["-", [!Select [1, !Split [",", "a,b"]], !Sub "${!Literal} ${Days}"]]}
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as account:
        yield account


@pytest.fixture
def stack(aws: EmbeddedAws, tmp_path: Path) -> Iterator[Stack]:
    yield Stack(aws, "small", written(tmp_path, TEMPLATE)).create({})
    aws.reset()


def written(folder: Path, text: str) -> Path:
    path = folder / "template.yaml"
    path.write_text(text)
    return path


def test_resources_are_made_in_the_order_that_they_need(stack: Stack) -> None:
    alarm = stack.aws.client("cloudwatch").describe_alarms()["MetricAlarms"][0]
    [queue] = stack.aws.client("sqs").list_queues()["QueueUrls"]
    assert alarm["AlarmName"] == "small-depth"
    assert alarm["Dimensions"][0]["Value"] == queue.rsplit("/", 1)[-1]
    assert stack.outputs == {"Text": "b-${Literal} 30"}


def test_a_missing_resource_is_an_error(stack: Stack) -> None:
    stack.aws.client("cloudwatch").delete_alarms(AlarmNames=["small-depth"])
    with pytest.raises(DeploymentError, match="Alarm: not there"):
        stack.check()


def test_another_property_is_an_error(stack: Stack) -> None:
    url = stack.resources["Queue"].created.reference
    attributes = {"MessageRetentionPeriod": "90"}
    stack.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)
    with pytest.raises(DeploymentError, match=r"Queue.*MessageRetentionPeriod: 60 is '90'"):
        stack.check()


def test_an_unknown_type_is_an_error(aws: EmbeddedAws, tmp_path: Path) -> None:
    template = written(tmp_path, TEMPLATE.replace("AWS::SQS::Queue", "AWS::SQS::Quay"))
    with pytest.raises(Unsupported, match="AWS::SQS::Quay"):
        Stack(aws, "unknown", template).create({})


def test_an_unknown_property_is_an_error(aws: EmbeddedAws, tmp_path: Path) -> None:
    template = written(tmp_path, TEMPLATE.replace("RetentionInDays", "RetentionInYears"))
    with pytest.raises(Unsupported, match="RetentionInYears"):
        Stack(aws, "unknown", template).create({})


def test_a_name_that_is_taken_is_an_error(stack: Stack, tmp_path: Path) -> None:
    template = written(tmp_path, TEMPLATE.replace("${AWS::StackName}-depth", "small-depth"))
    with pytest.raises(DeploymentError, match="small-depth already"):
        Stack(stack.aws, "other", template).create({})


@pytest.mark.parametrize("parameters", [{"Days": "0"}, {"Encrypted": "perhaps"}, {"Dais": "1"}])
def test_a_parameter_that_is_not_allowed_is_an_error(
    aws: EmbeddedAws, tmp_path: Path, parameters: dict[str, str]
) -> None:
    with pytest.raises(TemplateError):
        Stack(aws, "refused", written(tmp_path, TEMPLATE)).create(parameters)


def test_an_update_changes_in_place(stack: Stack) -> None:
    names = stack.names()
    stack.update({"Days": "90"})
    groups = stack.aws.client("logs").describe_log_groups()["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [90]
    assert stack.names() == names
