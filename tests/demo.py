"""`make demo`: all nine functions, from a schedule's event to the answers in the lake.

The Admin API is simulated over HTTP and AWS is embedded; the code between them is the real one,
started by Lambda's own runtime client. Only addresses and credentials differ from a deployed stack.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyarrow import fs
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from anthropic_lake.assets import ASSETS
from anthropic_lake.lake.reading import StoredLake
from anthropic_lake.query.duckdb import query
from tests.aws.embedded import REGION, EmbeddedAws
from tests.aws.runtime import LambdaRuntime
from tests.simulator import AdminApiServer, Organization

KEY = "sk-ant-admin01-simulated"
STACK = "anthropic-lake-demo"
BUCKET = "anthropic-lake-demo"
DAYS = 45
FUNCTIONS = Path(__file__).parents[1] / "functions"

QUESTIONS = {
    "Spend by workspace this month, USD": """
        SELECT workspace_name, sum(cost_usd) AS usd
        FROM cost_daily
        WHERE date >= date_trunc('month', current_date())
        GROUP BY ALL ORDER BY usd DESC
    """,
    "Tokens by model, last 30 days": """
        SELECT model,
               sum(uncached_input_tokens + cache_read_input_tokens
                   + cache_creation_ephemeral_5m_input_tokens
                   + cache_creation_ephemeral_1h_input_tokens)::BIGINT AS input_tokens,
               sum(output_tokens)::BIGINT AS output_tokens
        FROM usage_report
        WHERE date > current_date() - 30
        GROUP BY ALL ORDER BY output_tokens DESC
    """,
    "Most active Claude Code users, last 30 days": """
        SELECT coalesce(actor_email_address, 'key ' || actor_api_key_name) AS who,
               sum(core_metrics_num_sessions)::BIGINT AS sessions,
               sum(core_metrics_lines_of_code_added)::BIGINT AS lines_added,
               sum(estimated_cost_amount_usd) AS estimated_usd
        FROM claude_code_usage
        WHERE date > current_date() - 30
        GROUP BY ALL ORDER BY sessions DESC LIMIT 5
    """,
}

console = Console()


def main() -> None:
    """Run the demo."""
    started = time.monotonic()
    now = datetime.now(UTC).replace(microsecond=0)
    organization = Organization.invent(seed=7, today=now.date(), days=DAYS, people=12, workspaces=5)
    with EmbeddedAws() as aws, AdminApiServer(organization, key=KEY) as api:
        console.print(f"[bold]A simulated Admin API[/] at {api.url} and AWS at {aws.url}")
        secret = aws.client("secretsmanager").create_secret(Name=f"{STACK}-key", SecretString=KEY)
        aws.client("s3").create_bucket(Bucket=BUCKET)
        environment = aws.environment | {
            "ADMIN_KEY_SECRET_ARN": secret["ARN"],
            "ANTHROPIC_BASE_URL": api.url,
            "DATA_BUCKET": BUCKET,
            "HISTORY_START": (now - timedelta(days=DAYS - 1)).date().isoformat(),
            "POWERTOOLS_METRICS_NAMESPACE": "AnthropicLake",
            "POWERTOOLS_SERVICE_NAME": STACK,
            "REQUESTS_PER_MINUTE": "60000",  # the simulated API has no limit to keep
            "STATE_PREFIX": f"/{STACK}",
        }
        event = {"scheduled_time": now.isoformat()}
        with _functions(environment) as functions:
            _show_runs("First run: everything is written", _invoke(functions, event))
            _show_runs("Second run: nothing changed, nothing is put", _invoke(functions, event))
        _show_lake(aws)
        _show_answers(aws)
    console.print(f"\nDone in {time.monotonic() - started:.0f} seconds. With a real key, no AWS:\n")
    console.print("    export ANTHROPIC_ADMIN_KEY=sk-ant-admin...")
    console.print("    .venv/bin/anthropic-lake sync --lake ./lake")
    console.print("\nIn your AWS account: sam build && sam deploy --guided (docs/deploy.md)")


@contextmanager
def _functions(environment: Mapping[str, str]) -> Iterator[dict[str, LambdaRuntime]]:
    """Start one function per asset, as Lambda would."""
    with ExitStack() as stack:
        yield {
            asset: stack.enter_context(
                LambdaRuntime(
                    "anthropic_lake.handler.handler",
                    path=[FUNCTIONS],
                    environment={**environment, "ASSET": asset},
                )
            )
            for asset in ASSETS
        }


def _invoke(
    functions: Mapping[str, LambdaRuntime], event: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Send every function the schedule's event, two at a time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(
            pool.map(lambda function: function.call(event, remaining=900), functions.values())
        )


def _show_runs(title: str, runs: Sequence[Mapping[str, Any]]) -> None:
    """Show what each function says that it did."""
    columns = ("days_written", "days_changed", "rows", "bytes", "requests")
    table = _table(title, "asset", *(column.removeprefix("days_") for column in columns))
    assert all(run["status"] == "succeeded" for run in runs)
    for run in runs:
        table.add_row(run["asset"], *(_shown(run[column]) for column in columns))
    console.print(table)


def _show_lake(aws: EmbeddedAws) -> None:
    """Show the newest objects of one asset, whose lake it is, and the watermarks."""
    objects = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="asset=cost_report/")
    console.print(
        f"[bold]The lake[/] s3://{BUCKET}, newest of {objects['KeyCount']} objects of cost_report:"
    )
    for found in objects["Contents"][-3:]:
        console.print(f"  {found['Key']} ({found['Size']:,} bytes)")
    lake = json.load(aws.client("s3").get_object(Bucket=BUCKET, Key="_lake.json")["Body"])
    console.print(f"[bold]Its manifest[/] _lake.json: organization {lake['organization_id']}")
    console.print("[bold]The watermarks[/] in SSM Parameter Store, first and last complete day:")
    ssm = aws.client("ssm")
    for asset in ASSETS:
        names = [f"/{STACK}/{asset}/{which}_synced_date" for which in ("first", "last")]
        days = [ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in names]
        console.print(f"  /{STACK}/{asset}/: {' to '.join(days)}")


def _show_answers(aws: EmbeddedAws) -> None:
    """Ask the lake."""
    files = fs.S3FileSystem(
        access_key=aws.environment["AWS_ACCESS_KEY_ID"],
        secret_key=aws.environment["AWS_SECRET_ACCESS_KEY"],
        region=REGION,
        endpoint_override=aws.url,
    )
    lake = StoredLake(files, BUCKET, f"s3://{BUCKET}")
    for question, sql in QUESTIONS.items():
        with query(sql, lake) as answer:
            table = _table(question, *answer.schema.names)
            for row in answer.read_all().to_pylist():
                table.add_row(*map(_shown, row.values()))
        console.print(table)


def _table(title: str, first: str, *figures: str) -> Table:
    """Begin a table whose figures stand to the right."""
    table = Table(
        title=f"\n{title}",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column(first, no_wrap=True)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
    return table


def _shown(value: object) -> str:
    """Write a value for people: cents to two digits, large numbers in groups."""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
