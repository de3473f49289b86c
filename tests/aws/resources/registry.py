"""Which class creates which of CloudFormation's resource types."""

from tests.aws.resources import (
    athena,
    cloudwatch,
    glue,
    iam,
    lambda_,
    s3,
    scheduler,
    secrets,
    sns,
    sqs,
    stepfunctions,
)
from tests.aws.resources.kind import Kind

TYPES: dict[str, type[Kind]] = {
    "AWS::Athena::NamedQuery": athena.NamedQuery,
    "AWS::Athena::WorkGroup": athena.WorkGroup,
    "AWS::CloudWatch::Alarm": cloudwatch.Alarm,
    "AWS::CloudWatch::Dashboard": cloudwatch.Dashboard,
    "AWS::Glue::Database": glue.Database,
    "AWS::Glue::Table": glue.Table,
    "AWS::IAM::ManagedPolicy": iam.ManagedPolicy,
    "AWS::IAM::Role": iam.Role,
    "AWS::Lambda::EventInvokeConfig": lambda_.EventInvokeConfig,
    "AWS::Lambda::Function": lambda_.Function,
    "AWS::Lambda::LayerVersion": lambda_.LayerVersion,
    "AWS::Logs::LogGroup": cloudwatch.LogGroup,
    "AWS::S3::Bucket": s3.Bucket,
    "AWS::S3::BucketPolicy": s3.BucketPolicy,
    "AWS::SNS::Subscription": sns.Subscription,
    "AWS::SNS::Topic": sns.Topic,
    "AWS::SNS::TopicPolicy": sns.TopicPolicy,
    "AWS::SQS::Queue": sqs.Queue,
    "AWS::SQS::QueuePolicy": sqs.QueuePolicy,
    "AWS::SSM::Parameter": secrets.Parameter,
    "AWS::Scheduler::Schedule": scheduler.Schedule,
    "AWS::SecretsManager::Secret": secrets.Secret,
    "AWS::StepFunctions::StateMachine": stepfunctions.StateMachine,
}
