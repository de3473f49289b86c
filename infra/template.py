"""The generated parts of template.yaml: what follows from the assets, the tables, the queries."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import indent

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.query.catalog import TABLES, VIEWS, View
from anthropic_lake.schema.table import PARTITION, Column, Table
from infra.views import view_columns

ASSET = """\
{id}LogGroup:
  # checkov:skip=CKV_AWS_158: no secrets in it; CloudWatch Logs encrypts it with a key of AWS
  Type: AWS::Logs::LogGroup
  Properties:
    LogGroupName: !Sub /aws/lambda/${{AWS::StackName}}-{name}
    RetentionInDays: !Ref LogRetentionDays

{id}Role:
  Type: AWS::IAM::Role
  Properties:
    Description: Role of the function that syncs {name}.
    PermissionsBoundary: !If [HasBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]
    AssumeRolePolicyDocument:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {{Service: lambda.amazonaws.com}}
          Action: sts:AssumeRole
    ManagedPolicyArns:
      - !Ref FunctionPolicy
      - !If [InVpc, !Ref NetworkPolicy, !Ref AWS::NoValue]
    Policies:
      - PolicyName: own
        PolicyDocument:
          Version: "2012-10-17"
          Statement:
            - Sid: WriteTables
              Effect: Allow
              Action: [s3:GetObject, s3:PutObject]
              Resource:
{objects}
            - Sid: KeepWatermark
              Effect: Allow
              Action: [ssm:GetParameter, ssm:PutParameter]
              Resource: !Sub arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter/${{AWS::StackName}}/{name}/last_synced_date
            - Sid: WriteLogs
              Effect: Allow
              Action: [logs:CreateLogStream, logs:PutLogEvents]
              Resource: !GetAtt {id}LogGroup.Arn

{id}BehindAlarm:
  Type: AWS::CloudWatch::Alarm
  Properties:
    AlarmName: !Sub ${{AWS::StackName}}-{name}-behind
    AlarmDescription: For 30 hours no run of {name} has brought the lake up to date.
    ActionsEnabled: !If [SchedulesRun, true, false]
    AlarmActions: [!Ref AlarmTopic]
    OKActions: [!Ref AlarmTopic]
    Namespace: AnthropicLake
    MetricName: DaysBehind
    Dimensions:
      - {{Name: service, Value: !Ref AWS::StackName}}
      - {{Name: asset, Value: {name}}}
    Statistic: Minimum
    Period: 21600
    EvaluationPeriods: 5
    Threshold: 0
    ComparisonOperator: GreaterThanThreshold
    TreatMissingData: breaching

{id}DurationAlarm:
  Type: AWS::CloudWatch::Alarm
  Properties:
    AlarmName: !Sub ${{AWS::StackName}}-{name}-duration
    AlarmDescription: A run of {name} took more than 12 of the 15 minutes that it may.
    AlarmActions: [!Ref AlarmTopic]
    Namespace: AWS/Lambda
    MetricName: Duration
    Dimensions: [{{Name: FunctionName, Value: !Ref {id}Function}}]
    Statistic: Maximum
    Period: 3600
    EvaluationPeriods: 1
    Threshold: 720000
    ComparisonOperator: GreaterThanThreshold
    TreatMissingData: notBreaching
"""  # noqa: E501  an ARN is one line

SCHEDULER = """\
SchedulerRole:
  Type: AWS::IAM::Role
  Properties:
    Description: Role of the schedules; it starts the functions and reports what it cannot start.
    PermissionsBoundary: !If [HasBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]
    AssumeRolePolicyDocument:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {{Service: scheduler.amazonaws.com}}
          Action: sts:AssumeRole
          Condition: {{StringEquals: {{aws:SourceAccount: !Ref AWS::AccountId}}}}
    Policies:
      - PolicyName: own
        PolicyDocument:
          Version: "2012-10-17"
          Statement:
            - Sid: StartFunctions
              Effect: Allow
              Action: lambda:InvokeFunction
              Resource:
{functions}
            - Sid: ReportFailures
              Effect: Allow
              Action: sqs:SendMessage
              Resource: !GetAtt FailureQueue.Arn
"""

OBJECTS = "- !Sub arn:${{AWS::Partition}}:s3:::${{DataLocation.Value}}/asset={table}/*"

TABLE = """\
{id}Table:
  Type: AWS::Glue::Table
  Properties:
    CatalogId: !Ref AWS::AccountId
    DatabaseName: !Ref Database
    TableInput:
      Name: {name}
      Description: {comment}
      TableType: EXTERNAL_TABLE
      Parameters:
        classification: parquet
        projection.enabled: "true"
        projection.date.type: date
        projection.date.format: yyyy-MM-dd
        projection.date.range: !Sub ${{HistoryStart}},NOW
        storage.location.template: !Sub s3://${{DataLocation.Value}}/asset={name}/date=${{!date}}/
      PartitionKeys:
        - {partition}
      StorageDescriptor:
        Location: !Sub s3://${{DataLocation.Value}}/asset={name}/
        InputFormat: org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat
        OutputFormat: org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat
        SerdeInfo:
          SerializationLibrary: org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe
        Columns:
{columns}
"""


VIEW = """\
{id}View:
  Type: AWS::Glue::Table
  Properties:
    CatalogId: !Ref AWS::AccountId
    DatabaseName: !Ref Database
    TableInput:
      Name: {name}
      Owner: anthropic-lake
      TableType: VIRTUAL_VIEW
      Parameters:  # by the comment the engine knows a view; so no Description, which would hide it
        presto_view: "true"
        comment: Presto View
        description: {comment}
      PartitionKeys: []
      StorageDescriptor:
        SerdeInfo: {{}}
        Columns:
{columns}
      ViewExpandedText: /* Presto View */
      ViewOriginalText: !Sub
        - "/* Presto View: ${{View}} */"
        - View:
            Fn::Base64: !Sub
              - '{{"originalSql": "${{Sql}}", "catalog": "awsdatacatalog", "schema": "${{Database}}", "columns": ${{Columns}}}}'
              - Columns: '{types}'
                Sql: '
                    {sql}'
"""  # noqa: E501  JSON inside YAML


QUERY = """\
{id}Query:
  Type: AWS::Athena::NamedQuery
  Properties:
    Name: {name}
    Description: {comment}
    Database: !Ref Database
    WorkGroup: !Ref Workgroup
    QueryString: {block}
{sql}
"""

QUERIES = Path(__file__).parents[1] / "functions" / "anthropic_lake" / "query" / "saved"


def logical_id(name: str) -> str:
    """Give a name in the way of CloudFormation's logical ids: `api_keys` is `ApiKeys`."""
    return "".join(word.capitalize() for word in name.split("_"))


def assets() -> str:
    """Give the resources that each function has for itself."""
    functions = "\n".join(f"- !GetAtt {logical_id(name)}Function.Arn" for name in ASSETS)
    scheduler = SCHEDULER.format(functions=indent(functions, " " * 16))
    return "\n".join([*map(_asset, ASSETS.values()), scheduler])


def catalog() -> str:
    """Give the Glue tables and views."""
    return "\n".join([*map(_table, TABLES), *map(_view, VIEWS)])


def queries() -> str:
    """Give the named queries."""
    return "\n".join(
        _query(path.stem, path.read_text(encoding="utf-8"))
        for path in sorted(QUERIES.glob("*.sql"))
    )


def _asset(asset: Asset) -> str:
    """Give the resources that one function has for itself."""
    objects = "\n".join(OBJECTS.format(table=table.name) for table in asset.tables)
    return ASSET.format(
        id=logical_id(asset.name), name=asset.name, objects=indent(objects, " " * 16)
    )


def _table(table: Table) -> str:
    """Give one Glue table."""
    return TABLE.format(
        id=logical_id(table.name),
        name=table.name,
        comment=_text(table.comment),
        partition=_column(PARTITION),
        columns=indent("\n".join(f"- {_column(c)}" for c in table.all_columns), " " * 10),
    )


def _view(view: View) -> str:
    """Give one Glue view, in the form that Athena gives to its own."""
    columns = view_columns()[view.name]
    return VIEW.format(
        id=logical_id(view.name),
        name=view.name,
        comment=_text(view.comment),
        columns=indent(
            "\n".join(f'- {{Name: {name}, Type: "{type_.glue}"}}' for name, type_ in columns),
            " " * 10,
        ),
        types=json.dumps([{"name": name, "type": type_.trino} for name, type_ in columns]),
        sql=_folded(view.sql, " " * 20),
    )


def _query(name: str, text: str) -> str:
    """Give one named query; the ${...} in it are parameters of the template."""
    first, _, sql = text.partition("\n")
    return QUERY.format(
        id=logical_id(name),
        name=name,
        comment=_text(first.removeprefix("--").strip()),
        block="!Sub |" if "${" in text else "|",
        sql=indent(sql.strip(), " " * 6),
    )


def _folded(sql: str, margin: str) -> str:
    """Write SQL as JSON text inside a single-quoted YAML text, whose lines YAML makes one."""
    escaped = [json.dumps(line)[1:-1].replace("'", "''") for line in sql.splitlines()]
    return f"\n{margin}".join(escaped)


def _column(column: Column) -> str:
    """Give one column of a Glue table."""
    type_, comment = _text(column.type.glue), _text(column.comment)
    return f"{{Name: {column.name}, Type: {type_}, Comment: {comment}}}"


def _text(text: str) -> str:
    """Quote a text for YAML where it needs it."""
    return json.dumps(text, ensure_ascii=False)
