"""The Lambda handler: each function syncs the asset that `ASSET` names."""

import gc
import os
from datetime import datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from anthropic_lake import aws
from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.assets import Asset
from anthropic_lake.errors import LakeError, SettingsError
from anthropic_lake.lake.aws import S3Lake, SsmState
from anthropic_lake.settings import Settings, read_settings
from anthropic_lake.sync.extractor import OBJECTS_PER_COLLECTION, Extractor
from anthropic_lake.sync.ownership import OLD_DEFAULT_PREFIX, Place
from anthropic_lake.sync.request import Request, read_event
from anthropic_lake.sync.runs import Run

logger = Logger()
metrics = Metrics(namespace="AnthropicLake")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Sync the asset of the function and return the summary of the run.

    Args:
        event: `{}`, `{"scheduled_time": ...}`, an EventBridge scheduled event, or
            `{"interval_start": ..., "interval_end": ...}` with the end exclusive.
        context: Lambda's context.

    Raises:
        LakeError: The run failed; its row is in `sync_runs` and the message says what to do.
    """
    extractor, asset = _extractor_and_asset()
    request = read_event(event, extractor.clock())
    share_per_minute = extractor.settings.share_per_minute(is_backfill=bool(request.interval))
    extractor.connection.pace.limit(share_per_minute)
    run = extractor.new_run(asset, request)
    try:
        extractor.run(
            asset, request, run, time_left=lambda: context.get_remaining_time_in_millis() / 1000
        )
    except LakeError:
        logger.error("the run failed", run=run.summary())
        raise
    finally:
        _emit_metrics(run, request.now)
    logger.info("the run ended", run=run.summary())
    if asset.fan_out and run.status == "partial":
        _continue(request, context)
    return run.summary()


def _continue(request: Request, context: LambdaContext) -> None:
    """Start the function again for the rest of a snapshot, for which one run is too short.

    The event names the intended time, so that the rest is of the same day, over midnight too. The
    chain ends: each of its runs has read one workspace more at least, and a day after the intended
    time the snapshot is refused.

    Raises:
        LakeError: The function cannot be started.
    """
    event = {"scheduled_time": request.now.isoformat()}
    aws.start_function(aws.client("lambda"), context.invoked_function_arn, event)


@cache
def _extractor_and_asset() -> tuple[Extractor, Asset]:
    """Build the extractor from the environment, once per process."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    settings = read_settings(os.environ)
    asset = settings.asset(os.environ.get("ASSET", ""))
    for name in ("DATA_BUCKET", "ADMIN_KEY_SECRET_ARN"):
        if not os.environ.get(name, "").strip():
            raise SettingsError(f"{name} is not set: deploy the stack again")
    secret = aws.secret_reader(aws.client("secretsmanager"), settings.admin_key_secret_arn)
    extractor = Extractor(
        settings,
        Connection(
            secret,
            Pace(settings.share_per_minute(is_backfill=False)),
            settings.base_url,
            settings.memory_bytes,
        ),
        _place(settings),
    )
    return extractor, asset


def _place(settings: Settings) -> Place:
    """Return the stack's lake."""
    ssm = aws.client("ssm")
    address = f"s3://{settings.data_bucket}/{settings.data_prefix}".rstrip("/")
    return Place(
        address,
        S3Lake(aws.client("s3"), settings.data_bucket, settings.data_prefix),
        lambda prefix: SsmState(ssm, prefix or ""),
        default_prefix=OLD_DEFAULT_PREFIX,
        chosen_prefix=settings.state_prefix,
    )


def _emit_metrics(run: Run, now: datetime) -> None:
    """Emit the run's metrics."""
    metrics.add_dimension("asset", run.asset)
    metrics.add_metric("Rows", MetricUnit.Count, run.rows)
    metrics.add_metric("Bytes", MetricUnit.Bytes, run.bytes)
    metrics.add_metric("Requests", MetricUnit.Count, run.requests)
    metrics.add_metric("Retries", MetricUnit.Count, run.retries)
    metrics.add_metric("UnknownFields", MetricUnit.Count, run.unknown_fields)
    if run.finished_at is not None:
        seconds = (run.finished_at - run.started_at).total_seconds()
        metrics.add_metric("Duration", MetricUnit.Milliseconds, seconds * 1000)
    if run.days_behind is not None:
        metrics.add_metric("DaysBehind", MetricUnit.Count, run.days_behind)
    spend_usd = run.month_to_date_usd(now.date())
    if spend_usd is not None:
        metrics.add_metric("MonthToDateUsd", MetricUnit.NoUnit, float(spend_usd))
