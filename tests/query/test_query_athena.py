"""The command `query --athena`: against moto's Athena, and one that pages and fails."""

import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner, Result

from anthropic_lake import aws
from anthropic_lake.cli.main import main
from anthropic_lake.query import athena as query_athena
from anthropic_lake.query.athena import Statistics
from tests.aws.embedded import REGION, EmbeddedAws
from tests.query.athena_server import Json, ScriptedAthena, fake_credentials

SQL = "SELECT * FROM cost_daily WHERE date = DATE '2026-11-21'"
STARTED = {"StartQueryExecution": [{"QueryExecutionId": "query-1"}]}
COLUMNS = {
    "workspace_name": ("varchar", 0, 0),
    "usd": ("decimal", 38, 12),
    "tokens": ("bigint", 19, 0),
    "ratio": ("double", 17, 0),
    "is_remote": ("boolean", 0, 0),
    "date": ("date", 0, 0),
    "at": ("timestamp", 3, 0),
    "at_zone": ("timestamp with time zone", 3, 0),
    "names": ("array", 0, 0),
}
ROW = (
    'Données, "Qualité"',
    "12345678901234567890123456.123456789012",
    "9223372036854775807",
    "0.25",
    "true",
    "2026-11-21",
    "2026-11-21 06:00:00.123",
    "2026-11-21 07:00:00.000 Europe/Berlin",
    "[a, b]",
)
EXPECTED = {
    "workspace_name": 'Données, "Qualité"',
    "usd": "12345678901234567890123456.123456789012",
    "tokens": 9223372036854775807,
    "ratio": 0.25,
    "is_remote": True,
    "date": "2026-11-21",
    "at": "2026-11-21T06:00:00.123000Z",
    "at_zone": "2026-11-21T06:00:00Z",
    "names": "[a, b]",
}
NULLS = dict.fromkeys(COLUMNS)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(query_athena, "_POLL_SECONDS", 0)
    aws.client.cache_clear()
    yield
    aws.client.cache_clear()


def cells(values: tuple[str | None, ...]) -> Json:
    return {"Data": [{} if value is None else {"VarCharValue": value} for value in values]}


def page(*rows: tuple[str | None, ...], token: str | None = None) -> Json:
    info = [
        {"Name": name, "Type": kind, "Precision": precision, "Scale": scale}
        for name, (kind, precision, scale) in COLUMNS.items()
    ]
    result = {"Rows": [cells(row) for row in rows], "ResultSetMetadata": {"ColumnInfo": info}}
    return {"ResultSet": result, **({"NextToken": token} if token else {})}


def execution(state: str, reason: str = "", **more: Any) -> Json:
    status = {"State": state, **({"StateChangeReason": reason} if reason else {})}
    figures = {"DataScannedInBytes": 250 << 20, "TotalExecutionTimeInMillis": 1500}
    return {
        "QueryExecution": {
            "QueryExecutionId": "query-1",
            "StatementType": "DML",
            "Status": status,
            "Statistics": figures,
            **more,
        }
    }


def run(url: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    for name, value in fake_credentials(url).items():
        monkeypatch.setenv(name, value)
    where = ("--athena", "--workgroup", "stack", "--database", "anthropic_lake")
    return CliRunner().invoke(main, ["query", SQL, *where, "--format", "json", *options])


def ask(script: Json, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[Result, list[Any]]:
    with ScriptedAthena({**STARTED, **script}) as athena:
        return run(athena.url, monkeypatch, *options), athena.requests


def refused(result: Result, exit_code: int) -> str:
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_query_is_run_in_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedAws() as account:
        account.client("athena").create_work_group(Name="stack")
        queued = {
            "rows": [cells(tuple(COLUMNS)), cells(ROW)],
            "column_info": page()["ResultSet"]["ResultSetMetadata"]["ColumnInfo"],
        }
        request = urllib.request.Request(
            f"{account.url}/moto-api/static/athena/query-results",
            json.dumps({"region": REGION, "results": [queued]}).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
        result = run(account.url, monkeypatch)
        assert (result.exit_code, json.loads(result.stdout)) == (0, [EXPECTED])
        [asked] = account.client("athena").list_query_executions(WorkGroup="stack")[
            "QueryExecutionIds"
        ]
        found = account.client("athena").get_query_execution(QueryExecutionId=asked)
        assert found["QueryExecution"]["Query"] == SQL
        assert found["QueryExecution"]["QueryExecutionContext"] == {"Database": "anthropic_lake"}


def test_a_workgroup_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedAws() as account:
        result = run(account.url, monkeypatch)
        assert "Athena does not take the query: WorkGroup does not exist" in refused(result, 1)


def test_a_result_is_paged(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = (None,) * len(COLUMNS)
    pages = [page(tuple(COLUMNS), ROW, token="2"), page(nothing, token="3"), page(ROW)]
    states = [execution("QUEUED"), execution("RUNNING"), execution("SUCCEEDED")]
    result, requests = ask({"GetQueryExecution": states, "GetQueryResults": pages}, monkeypatch)
    assert json.loads(result.stdout) == [EXPECTED, NULLS, EXPECTED]
    tokens = [body.get("NextToken") for action, body in requests if action == "GetQueryResults"]
    assert tokens == [None, "2", "3"]


def test_it_says_what_was_scanned_and_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    script = {
        "GetQueryExecution": [execution("SUCCEEDED")],
        "GetQueryResults": [page(tuple(COLUMNS))],
    }
    result, _ = ask(script, monkeypatch)
    assert result.stdout == "[]\n"
    expected = "succeeded: 262.1 MB scanned in 1.5 s, about 0.00119 USD"
    assert expected in result.stderr


@pytest.mark.parametrize(
    ("scanned", "reused", "statement", "cost"),
    [
        (1 << 40, False, "DML", "5"),
        (0, False, "DML", "0.0000476837158203125"),  # ten megabytes at least
        ((10 << 20) + 1, False, "DML", "0.00005245208740234375"),  # eleven
        (1 << 40, True, "DML", "0"),
        (0, False, "DDL", "0"),
        (0, False, "UTILITY", "0"),
    ],
)
def test_the_cost_is_that_of_the_bytes_scanned(
    scanned: int, reused: bool, statement: str, cost: str
) -> None:
    assert Statistics("SUCCEEDED", scanned, 1, reused, statement).cost_usd == Decimal(cost)


def test_a_statement_without_names_in_its_first_row_keeps_that_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = {"GetQueryExecution": [execution("SUCCEEDED")], "GetQueryResults": [page(ROW)]}
    assert json.loads(ask(script, monkeypatch)[0].stdout) == [EXPECTED]


@pytest.mark.parametrize(
    ("state", "reason", "message"),
    [
        (
            "FAILED",
            "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.lake.cost_dayly' does not exist",
            "cost_dayly: did you mean cost_daily?",
        ),
        ("FAILED", "SYNTAX_ERROR: line 1:1: mismatched input", "failed in Athena: SYNTAX_ERROR"),
        (
            "FAILED",
            "Insufficient permissions to execute the query. s3:ListBucket",
            "glue:GetDatabase",
        ),
        ("CANCELLED", "Bytes scanned limit was exceeded", "cancelled in Athena: Bytes scanned"),
        ("FAILED", "", "Athena does not say why"),
    ],
)
def test_a_query_that_fails_says_why(
    state: str, reason: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = ask({"GetQueryExecution": [execution(state, reason)]}, monkeypatch)
    assert message in refused(result, 1)


@pytest.mark.parametrize("action", ["StartQueryExecution", "GetQueryExecution", "GetQueryResults"])
def test_missing_rights_are_named(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    denied = ("AccessDeniedException", "You are not authorized to perform: athena:" + action)
    script: Json = {
        "GetQueryExecution": [execution("SUCCEEDED")],
        "GetQueryResults": [page(ROW)],
        "StopQueryExecution": [{}],
        action: [denied],
    }
    result, _ = ask(script, monkeypatch)
    assert "athena:StartQueryExecution" in refused(result, 2)
    assert f"athena:{action}" in result.stderr


def test_a_page_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    script: Json = {
        "GetQueryExecution": [execution("SUCCEEDED")],
        "GetQueryResults": [
            page(tuple(COLUMNS), ROW, token="2"),
            ("InvalidRequestException", "Query result is gone"),
        ],
    }
    result, _ = ask(script, monkeypatch)
    assert result.exit_code == 1
    assert "Query result is gone" in result.stderr


def test_an_interrupted_query_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    script: Json = {
        **STARTED,
        "GetQueryExecution": [execution("RUNNING")],
        "StopQueryExecution": [{}],
    }
    with ScriptedAthena(script) as athena:
        monkeypatch.setattr("anthropic_lake.query.athena.time.sleep", interrupt)
        result = run(athena.url, monkeypatch)
        assert result.exit_code == 1
        assert athena.requests[-1] == ("StopQueryExecution", {"QueryExecutionId": "query-1"})


def test_no_region_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    where = ("--athena", "--workgroup", "stack", "--database", "anthropic_lake")
    result = CliRunner().invoke(main, ["query", SQL, *where])
    assert "Set AWS_DEFAULT_REGION" in refused(result, 2)
