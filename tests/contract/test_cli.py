"""The command line on a laptop: what it does, what it says, and the code that it ends with."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.cli.main import main
from anthropic_lake.sync.extractor import Extractor
from tests.aws.embedded import EmbeddedAws
from tests.contract.lab import KEY, Lab
from tests.simulator import AdminApiServer, Fault, Organization

Json = dict[str, Any]
DATED = [
    *("usage_report", "cost_report", "claude_code_usage"),
    *("analytics_usage", "analytics_cost"),
]


@dataclass
class Shell:
    """Runs the command in a folder of its own, with only these variables."""

    folder: Path
    api: AdminApiServer
    environment: dict[str, str]

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """The exit code, and what was printed on both streams."""
        result = self.invoke(*arguments, **environment)
        return result.exit_code, result.output

    def invoke(self, *arguments: str, **environment: str) -> Result:
        variables: dict[str, str | None] = {
            name: None
            for name in os.environ
            if name.startswith(("ANTHROPIC", "AWS", "PEOPLE", "PSEUDONYM"))
        }
        variables |= {**self.environment, **environment}
        return CliRunner().invoke(main, arguments, env=variables, catch_exceptions=False)

    def sync(self, *arguments: str, **environment: str) -> tuple[int, str]:
        return self("sync", "--lake", str(self.lake), *arguments, **environment)

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def lab(self) -> Lab:
        return Lab(self.api, self.lake)


@pytest.fixture
def today() -> date:
    return datetime.now(UTC).date()


@pytest.fixture
def shell(tmp_path: Path, today: date, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """The command reads the clock, so the organization lives today."""
    monkeypatch.chdir(tmp_path)
    organization = Organization.invent(seed=3, today=today, days=6, people=6, workspaces=4)
    with AdminApiServer(organization) as api:
        environment = {
            "ANTHROPIC_BASE_URL": api.url,
            "ANTHROPIC_ADMIN_KEY": KEY,
            "REQUESTS_PER_MINUTE": "100000000",
            "HISTORY_START": (today - timedelta(days=3)).isoformat(),
            "COLUMNS": "200",
        }
        yield Shell(tmp_path, api, environment)


# --- well


def test_a_sync_of_everything_fills_a_lake_and_says_so(shell: Shell, today: date) -> None:
    code, output = shell.sync()
    assert code == 0
    for asset in ASSETS.values():
        assert asset.name in output
        for table in asset.tables:
            assert shell.lab.days(table.name)[-1] == today
    assert {row["status"] for row in shell.lab.runs()} == {"succeeded"}
    assert {row["trigger"] for row in shell.lab.runs()} == {"manual"}
    assert len(shell.lab.runs()) == 13
    assert shell.lab.watermark("users") == today


def test_only_the_named_assets_are_synced_once_each(shell: Shell) -> None:
    code, _ = shell.sync("users", "invites", "users")
    assert code == 0
    assert [row["asset"] for row in shell.lab.runs()] == ["users", "invites"]


def test_an_interval_without_names_is_for_all_dated_assets(shell: Shell, today: date) -> None:
    days = [(today - timedelta(days=n)).isoformat() for n in (3, 1)]
    code, _ = shell.sync("--interval-start", days[0], "--interval-end", days[1])
    assert code == 0
    assert [row["asset"] for row in shell.lab.runs()] == DATED
    assert {row["days_written"] for row in shell.lab.runs()} == {2}
    assert [path.name for path in (shell.lake / "_watermarks").iterdir()] == ["lake_id"]


def test_the_start_of_history_is_an_option(shell: Shell, today: date) -> None:
    start = (today - timedelta(days=5)).isoformat()
    shell.sync("cost_report", "--history-start", start)
    assert str(shell.lab.days("cost_report")[0]) == start


def test_summaries_are_json_on_request(shell: Shell, today: date) -> None:
    result = shell.invoke("sync", "--lake", str(shell.lake), "users", "cost_report", "--json")
    assert result.exit_code == 0
    users, cost = json.loads(result.stdout)
    assert (users["asset"], users["status"]) == ("users", "succeeded")
    assert users["rows"] == len(shell.lab.rows("users", today))
    assert cost["last_synced_date"] in {str(today - timedelta(days=n)) for n in (1, 2)}


def test_an_asset_that_fails_does_not_stop_the_others(shell: Shell) -> None:
    shell.api.faults.append(Fault("/api_keys", times=None, status=403, message="missing scope"))
    code, output = shell.sync()
    assert code == 1
    statuses = {row["asset"]: row["status"] for row in shell.lab.runs()}
    assert statuses == {name: "failed" if name == "api_keys" else "succeeded" for name in ASSETS}
    assert re.search(r"api_keys: HTTP 403, missing scope: .*req_", output)


def test_warnings_are_shown_in_full(shell: Shell) -> None:
    shell.api.answers.missing_members = [shell.api.organization.workspaces[2]["id"]]
    code, output = shell.sync("workspace_members")
    assert code == 0
    assert f"{shell.api.organization.workspaces[2]['id']}" in output


# --- bad usage: one message, no request, nothing written


def test_a_lake_is_needed(shell: Shell) -> None:
    code, output = shell("sync")
    assert code == 2
    assert "--lake" in output


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ([], {"ANTHROPIC_ADMIN_KEY": ""}, "there is no key: set ANTHROPIC_ADMIN_KEY"),
        ([], {"ANTHROPIC_ADMIN_KEY": "  "}, "there is no key"),
        ([], {"ANTHROPIC_ADMIN_KEY": "sk-ant-api03-Hidden"}, "does not start with sk-ant-admin"),
        ([], {"ANTHROPIC_ADMIN_KEY": '{"api_key": "sk-ant-admin-Hidden", "auth_token": "Hidden"}'},
         "has 2 of"),
        ([], {"ANTHROPIC_ADMIN_KEY": '{"key": "Hidden"}'}, "has 0 of"),
        ([], {"ANTHROPIC_ADMIN_KEY": "{Hidden"}, "not valid JSON"),
        (["usrs"], {}, "unknown asset 'usrs': choose from organization"),
        (["--interval-start", "2026-02-01", "--interval-end", "2026-01-01"], {}, "not after"),
        (["--interval-start", "2026-02-01", "--interval-end", "2026-02-01"], {}, "not after"),
        (["--interval-start", "2026-02-01", "--interval-end", "2999-01-01"], {}, "in the future"),
        (["--interval-start", "2026-02-30", "--interval-end", "2026-03-01"], {}, "not a day"),
        (["--interval-start", "yesterday", "--interval-end", "2026-03-01"], {}, "not a day"),
        (["--interval-start", "2026-02-01"], {}, "go together"),
        (["--interval-end", "2026-02-01"], {}, "go together"),
        (["users", "--interval-start", "2026-02-01", "--interval-end", "2026-02-02"], {},
         "users is a snapshot"),
        (["--history-start", "soon"], {}, "not a day"),
        ([], {"HISTORY_START": "soon"}, "HISTORY_START"),
        ([], {"LOOKBACK_DAYS": "many"}, "LOOKBACK_DAYS"),
        ([], {"REQUESTS_PER_MINUTE": "0"}, "REQUESTS_PER_MINUTE"),
        ([], {"USAGE_BUCKET_WIDTH": "2d"}, "'2d'"),
        ([], {"USAGE_GROUP_BY": "colour"}, "cannot group by 'colour'"),
        ([], {"USAGE_GROUP_BY": "model,speed,account_id,api_key_id,workspace_id,service_tier"},
         "at most 5"),
        ([], {"ANTHROPIC_BASE_URL": "http://192.0.2.1"}, "ANTHROPIC_BASE_URL"),
        ([], {"ANTHROPIC_BASE_URL": "nonsense"}, "ANTHROPIC_BASE_URL"),
        ([], {"PEOPLE": "hidden"}, "PEOPLE: 'hidden' is neither plain nor pseudonym"),
        ([], {"PEOPLE": "pseudonym"}, "there is no pseudonym key: make one with `openssl rand"),
        ([], {"PEOPLE": "pseudonym", "PSEUDONYM_KEY": "Hidden"}, "fewer than 32 characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_before_any_request(
    shell: Shell, arguments: list[str], environment: dict[str, str], message: str
) -> None:
    code, output = shell.sync(*arguments, **environment)
    assert code == 2
    assert message in output
    assert output.count("Error") == 1
    assert "Traceback" not in output
    assert "Hidden" not in output
    assert shell.api.requests == []
    assert list(shell.folder.iterdir()) == []


@pytest.mark.parametrize("place", ["lake", "lake/below"])
def test_a_lake_that_is_a_file_is_refused_and_kept(shell: Shell, place: str) -> None:
    shell.lake.write_text("mine")
    code, output = shell("sync", "users", "--lake", str(shell.folder / place))
    assert code == 2
    assert output.count("Error") == 1
    assert shell.api.requests == []
    assert shell.lake.read_text() == "mine"


@pytest.mark.parametrize("place", ["", " ", "s3://", "s3:///prefix"])
def test_a_lake_without_a_name_is_refused(shell: Shell, place: str) -> None:
    code, output = shell("sync", "users", "--lake", place, AWS_REGION="us-east-1")
    assert code == 2
    assert "Error" in output
    assert shell.api.requests == []
    assert list(shell.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "advice"),
    [
        ("gs://bucket/lake", "a lake is a folder, or s3://bucket/prefix"),
        ("https://bucket.s3.amazonaws.com/lake", "a lake is a folder, or s3://bucket/prefix"),
        ("arn:aws:s3:::bucket", "a lake is a folder, or s3://bucket/prefix"),
        ("S3://bucket/lake", "write s3://bucket/lake"),
        ("s3:/bucket/lake", "write s3://bucket/lake"),
        ("s3:bucket/lake", "write s3://bucket/lake"),
        ("s3a://bucket/lake", "write s3://bucket/lake"),
        ("file:///tmp/lake", "write /tmp/lake"),
        ("~/lake", "the shell replaces ~ only without quotes"),
        ("~somebody/lake", "the shell replaces ~ only without quotes"),
    ],
)
@pytest.mark.parametrize("command", ["sync", "query"])
def test_a_place_that_is_hardly_meant_as_a_folder_is_refused(
    shell: Shell, command: str, place: str, advice: str
) -> None:
    arguments = ["users"] if command == "sync" else ["SELECT 1"]
    code, output = shell(command, *arguments, "--lake", place)
    assert code == 2
    assert f"{place!r} names no folder: {advice}" in output
    assert f"'./{place}' for a folder so named" in output
    assert shell.api.requests == []
    assert list(shell.folder.iterdir()) == []


@pytest.mark.parametrize("place", ["./~/lake", "./s3:/lake", "a:b/lake", "C:lake"])
def test_a_folder_may_have_any_name(shell: Shell, place: str) -> None:
    code, _ = shell("sync", "organization", "--lake", place)
    assert code == 0
    assert (shell.folder / place / "asset=organization").is_dir()


@pytest.mark.parametrize("fault", [None, "no secret"])
def test_a_bucket_or_a_secret_that_does_not_exist_is_refused_before_any_request(
    shell: Shell, aws: EmbeddedAws, fault: str | None
) -> None:
    secret = ["--secret", "arn:aws:secretsmanager:us-east-1:123456789012:secret:none"]
    arguments = ["--lake", "s3://no-such-bucket/lake", *(secret if fault else [])]
    code, output = _in_a_process(shell, ["sync", "users", *arguments], aws.environment)
    assert code == 2, output
    assert "secret" in output if fault else "no-such-bucket" in output
    assert "Traceback" not in output
    assert shell.api.requests == []
    assert aws.client("ssm").describe_parameters()["Parameters"] == []


def test_an_endpoint_of_aws_that_is_no_address_is_named(shell: Shell) -> None:
    variables = {"AWS_ENDPOINT_URL": "nonsense", "AWS_DEFAULT_REGION": "us-east-1"}
    code, output = _in_a_process(shell, ["sync", "users", "--lake", "s3://bucket"], variables)
    assert code == 2
    assert "cannot use AWS: Invalid endpoint: nonsense" in output
    assert "Traceback" not in output


def test_a_lake_that_becomes_unwritable_is_an_error_of_the_asset(shell: Shell) -> None:
    shell.lake.mkdir()
    (shell.lake / "asset=users").write_text("in the way")
    code, output = shell.sync("users", "invites")
    assert code == 1
    assert "asset=users" in output
    assert shell.lab.runs()[-1]["asset"] == "invites"
    assert shell.lab.runs()[-1]["status"] == "succeeded"


def test_an_error_that_nobody_foresaw_does_not_stop_the_other_assets(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Extractor.run

    def fail(extractor: Extractor, asset: Asset, *arguments: Any, **options: Any) -> None:
        if asset.name == "users":
            raise ZeroDivisionError(f"of {KEY}\x1b[2J")
        run(extractor, asset, *arguments, **options)

    monkeypatch.setattr(Extractor, "run", fail)
    code, output = shell.sync("organization", "users", "invites")
    assert code == 1
    assert "users: an unexpected error, please report it: ZeroDivisionError, of" in output
    assert "Traceback" not in output
    assert KEY not in output
    assert "\x1b" not in output
    statuses = {row["asset"]: row["status"] for row in shell.lab.runs()}
    assert statuses == {"organization": "succeeded", "invites": "succeeded"}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}, "127.0.0.1 takes no connection: check"),
        ({"ANTHROPIC_BASE_URL": "https://no-such-host.invalid"}, "is not found: check the network"),
        (
            {"ANTHROPIC_BASE_URL": "https://127.0.0.1:1", "REQUESTS_CA_BUNDLE": "/no/such/file"},
            "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of PEM certificates",
        ),
    ],
)
def test_what_keeps_all_assets_from_the_api_is_said_once_and_soon(
    shell: Shell, environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    for command in (shell.sync, lambda **given: shell("check", **given)):
        started = time.monotonic()
        code, output = command(**environment)
        assert time.monotonic() - started < 10
        assert code == 2
        assert output.count(message) == output.count("Error") == 1


# --- what is never shown


def test_no_key_address_or_row_is_in_any_output(shell: Shell) -> None:
    organization = shell.api.organization
    _, output = shell.sync()
    shell.api.faults += [
        Fault("users", times=None, status=400, message=f"{KEY} of person1@example.com"),
        Fault("claude_code", times=None, kind="replace", replace=_wrong_actor),
        Fault("invites", times=None, kind="replace", replace=_twice),
    ]
    code, more = shell.sync()
    _, check = shell("check")
    assert code == 1
    everything = output + more + check
    for hidden in (KEY, "@example.com", organization.users[0]["name"]):
        assert hidden not in everything
    for row in shell.lab.runs():
        assert "@example.com" not in str(row["error_message"])


def _wrong_actor(page: Json) -> Json:
    for record in page["data"]:
        record["actor"] = "person1@example.com"
    return page


def _twice(page: Json) -> bytes:
    return b'{"data": [{"person1@example.com": 1, "person1@example.com": 2}], "has_more": false}'


# --- a process of its own


def _in_a_process(
    shell: Shell, arguments: list[str], environment: dict[str, str] | None = None
) -> tuple[int, str]:
    plain = {name: text for name, text in os.environ.items() if not name.startswith("AWS")}
    command = [sys.executable, "-m", "anthropic_lake.cli", *arguments]
    result = subprocess.run(
        command,
        env={**plain, **shell.environment, **(environment or {})},
        cwd=shell.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return result.returncode, result.stdout


def test_the_command_says_plain_lines_where_there_is_no_terminal(shell: Shell) -> None:
    code, output = _in_a_process(shell, ["sync", "cost_report", "--lake", "lake"])
    assert code == 0
    assert "cost_report: 4/4 days" in output
    assert "\x1b" not in output


@pytest.mark.parametrize("arguments", [["sync", "users", "--lake", "lake"], ["check"], ["assets"]])
def test_a_laptop_run_imports_no_aws(shell: Shell, arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from anthropic_lake.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0, end.code\n"
        "print(sorted({'boto3', 'botocore', 'aws_lambda_powertools'} & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **shell.environment},
        cwd=shell.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.stdout.endswith("[]\n"), result.stdout + result.stderr


def test_sigterm_ends_a_sync_and_keeps_what_is_done(shell: Shell) -> None:
    """The second day's answer takes longer than the test."""
    shell.api.faults.append(Fault("claude_code", after=1, times=None, kind="hang", seconds=60))
    command = [sys.executable, "-m", "anthropic_lake.cli", "sync", "--lake", "lake", "--json"]
    plain = {name: text for name, text in os.environ.items() if not name.startswith("AWS")}
    process = subprocess.Popen(
        [*command, "claude_code_usage"],
        env={**plain, **shell.environment},
        cwd=shell.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until = time.monotonic() + 30
    while len(shell.api.requests) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    process.terminate()
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in output
    (row,) = shell.lab.runs()
    assert (row["status"], row["error_type"], row["days_written"]) == ("failed", "Terminated", 1)
    assert row["finished_at"] is not None
    assert "told to end" in row["error_message"]
    assert shell.lab.watermark("claude_code_usage") == shell.lab.days("claude_code_usage")[0]


# --- the other commands


def test_the_assets_are_listed_with_tables_columns_and_meanings(shell: Shell) -> None:
    code, output = shell("assets", ANTHROPIC_ADMIN_KEY="")
    assert code == 0
    for asset in ASSETS.values():
        for table in asset.tables:
            assert table.name in output
            assert all(f"{column.name} " in output for column in table.all_columns)
    assert shell.api.requests == []


def test_check_tries_each_endpoint_and_names_the_organization(shell: Shell) -> None:
    code, output = shell("check")
    assert code == 0
    assert shell.api.organization.id in output
    assert all(f"{name}: allowed" in output for name in ASSETS)
    assert len(shell.api.requests) == 1 + 13 + 1 + 2  # two fan out, one of them besides
    assert list(shell.folder.iterdir()) == []


def test_check_says_what_is_refused_and_what_is_missing(shell: Shell) -> None:
    shell.api.faults += [
        Fault("cost_report", times=None, status=403, message="needs read:analytics"),
        Fault("/invites", times=None, status=404),
    ]
    code, output = shell("check")
    assert code == 1
    assert re.search(r"cost_report: refused .*needs read:analytics", output)
    assert "invites: refused" in output
    assert "users: allowed" in output


def test_check_with_a_wrong_key_refuses_everything(shell: Shell) -> None:
    code, output = shell("check", ANTHROPIC_ADMIN_KEY="sk-ant-admin01-Other")
    assert code == 1
    assert all(f"{name}: refused" in output for name in ASSETS)
    assert "Other" not in output
