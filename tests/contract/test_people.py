"""A lake in which pseudonyms stand for people: nobody is named, and what belonged together does."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from anthropic_lake.assets import ASSETS
from anthropic_lake.cli.main import main
from anthropic_lake.cli.place import open_to_read
from anthropic_lake.errors import SecretError
from anthropic_lake.query.duckdb import query
from anthropic_lake.rows.pseudonyms import Pseudonyms
from tests.aws.embedded import EmbeddedAws
from tests.contract.lab import KEY, NOW, ONE_DAY, TODAY, Lab, each_day
from tests.simulator import Fault, Organization

Json = dict[str, Any]
PSEUDONYM_KEY = "fedcba9876543210fedcba9876543210"
OTHER_KEY = "0123456789abcdef0123456789abcdef"
PSEUDONYMS = Pseudonyms(PSEUDONYM_KEY)
PEOPLE = [asset.name for asset in ASSETS.values() if asset.names_people]
DATED = [name for name in PEOPLE if ASSETS[name].kind.dated]
FIRST = TODAY - 4 * ONE_DAY
PRIVACY = Path(__file__).parents[2] / "docs" / "privacy.md"
ADDRESS = re.compile(r"[^\s\"'\\,]+@[\w-]+\.[\w.-]+")


def secret_of(key: str) -> Callable[[], str]:
    """A secret in JSON with a pseudonym key."""
    return lambda: json.dumps({"api_key": KEY, "pseudonym_key": key})


@pytest.fixture
def held(held: Organization) -> Organization:
    """An organization with addresses where nobody expects any."""
    user, key, workspace = held.users[0], held.api_keys[0], held.workspaces[0]
    held.users[1]["email"] = held.users[1]["email"].upper()
    user["manager"] = {"email": "Boss@Example.com", "name": "Bea Boss", "level": 3}
    user["by_address"] = {"dot.ted@example.com": ["see dot.ted@example.com"]}
    key["name"] = "laptop of person1@example.com"
    workspace["tags"] = {"owner": "person1@example.com", "team": "search"}
    workspace["name"] = "person1@example.com's sandbox"
    return held


@pytest.fixture
def plain(lab: Lab) -> Lab:
    return lab


@pytest.fixture
def hidden(lab: Lab) -> Lab:
    lab.environment["PEOPLE"] = "pseudonym"
    lab.secret = secret_of(PSEUDONYM_KEY)
    return lab


def run(lab: Lab, *names: str) -> dict[str, list[str]]:
    """Sync assets, and give the warnings of each."""
    return {name: lab.run(name).warnings for name in names or ASSETS}


def named(held: Organization) -> set[str]:
    """Every text that names a person."""
    keys = {key["name"] for key in held.api_keys if key["name"].startswith("claude_code_key_")}
    people = {text for user in held.users for text in (user["email"], user["name"])}
    invited = {invite["email"] for invite in held.invites}
    return keys | people | invited | {"Boss@Example.com", "Bea Boss", "dot.ted@example.com"}


def contents(lab: Lab, tables: str = "") -> Iterator[tuple[str, str]]:
    """Every file with all that can be read out of it: bytes, metadata, statistics, rows."""
    for name, path in lab.files():
        if not name.startswith(f"asset={tables}"):
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            rows = file.read().to_pylist()
            text += f"{file.metadata.to_dict()} {file.metadata.metadata} {rows}"
        yield name, text


def who_is_named(lab: Lab, tables: str = "") -> list[tuple[str, str]]:
    """The people that a lake names, with the objects that do."""
    names = {name.lower() for name in named(lab.api.organization)}
    return [
        (name, who)
        for name, text in contents(lab, tables)
        for who in [*(who for who in names if who in text.lower()), *ADDRESS.findall(text)]
    ]


# --- nobody is named


def test_a_lake_with_pseudonyms_names_nobody_in_any_byte(hidden: Lab) -> None:
    assert run(hidden) == {name: [] for name in ASSETS}
    run(hidden)
    assert len(list(contents(hidden))) > 30
    assert who_is_named(hidden) == []


def test_the_same_lake_without_them_names_everybody(plain: Lab) -> None:
    run(plain)
    found = {who for _, who in who_is_named(plain)}
    assert {name.lower() for name in named(plain.api.organization)} - found == set()


def test_the_rows_are_those_of_a_plain_lake_but_for_the_names(hidden: Lab, tmp_path: Path) -> None:
    plain = Lab(hidden.api, tmp_path / "plain")
    run(hidden)
    run(plain)
    seen = 0
    for asset in ASSETS.values():
        for table in asset.tables:
            for day in plain.days(table.name):
                expected = [_with_pseudonyms(row) for row in plain.rows(table.name, day)]
                found = hidden.rows(table.name, day)
                assert sorted(found, key=repr) == sorted(expected, key=repr)
                seen += found != plain.rows(table.name, day)
    assert seen > 10


def test_a_second_run_puts_nothing(hidden: Lab) -> None:
    run(hidden)
    before = hidden.objects()
    run(hidden)
    assert hidden.objects() == before


@pytest.mark.parametrize("people", ["plain", "pseudonym"])
def test_a_row_of_sync_runs_names_nobody_whatever_the_api_says(hidden: Lab, people: str) -> None:
    hidden.environment["PEOPLE"] = people
    page = {
        "warning": "ask person3@example.com",
        "by_person": {"person1@example.com": ["person2@example.com"]},
        "person4@example.com": 1,
    }
    hidden.api.faults.append(Fault.members(page))
    (warning,) = run(hidden, "workspace_members")["workspace_members"]
    assert "ask [redacted]" in warning
    (row,) = hidden.runs()
    assert row["unknown_fields"] == 3
    assert json.loads(row["extra"])["page"]["by_person"] == {"[redacted]": ["[redacted]"]}
    assert who_is_named(hidden, "sync_runs") == []


# --- what belonged together does


def test_joins_by_address_and_by_the_name_of_a_key_hold(hidden: Lab) -> None:
    run(hidden)
    users = {row["email"]: row for row in hidden.rows("users")}
    keys = {row["name"] for row in hidden.rows("api_keys")}
    records = hidden.all_rows("claude_code_usage")
    people = {row["actor_email_address"] for row in records} - {None}
    names = {row["actor_api_key_name"] for row in records} - {None}
    assert people <= users.keys()
    assert names <= keys
    assert len(people) > 0 < len(names)
    assert users.keys() == {PSEUDONYMS.of(u["email"]) for u in hidden.api.organization.users}
    children = hidden.all_rows("claude_code_model_usage")
    assert people >= {row["actor_email_address"] for row in children} - {None}
    accepted = {row["email"] for row in hidden.rows("invites") if row["status"] == "accepted"}
    assert accepted <= users.keys()


def test_the_views_answer_the_same_with_pseudonyms_for_people(hidden: Lab, tmp_path: Path) -> None:
    plain = Lab(hidden.api, tmp_path / "plain")
    sql = "SELECT date, person, sessions, estimated_cost_usd FROM claude_code_daily"
    answers = []
    for lab in (plain, hidden):
        run(lab)
        with query(sql, open_to_read(str(lab.root)), today=TODAY) as reader:
            answers.append(reader.read_all().to_pylist())
    expected = [row | {"person": _hidden_name(row["person"])} for row in answers[0]]
    assert len(expected) > 5
    assert sorted(answers[1], key=repr) == sorted(expected, key=repr)


def test_names_that_are_nobodys_stay(hidden: Lab) -> None:
    run(hidden, "api_keys", "workspaces", "organization")
    names = {row["name"] for row in hidden.rows("api_keys")}
    ordinary = {
        key["name"]
        for key in hidden.api.organization.api_keys
        if "@" not in key["name"] and not key["name"].startswith("claude_code_key_")
    }
    assert ordinary <= names
    assert f"laptop of {PSEUDONYMS.of('person1@example.com')}" in names
    tags = {row["tags"] for row in hidden.rows("workspaces")}
    assert f'{{"owner":"{PSEUDONYMS.of("person1@example.com")}","team":"search"}}' in tags


# --- an existing lake


def test_switched_on_the_next_run_names_the_days_and_the_command_that_heals_them(
    plain: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(plain)
    plain.environment["PEOPLE"] = "pseudonym"
    plain.environment["LOOKBACK_DAYS"] = "1"
    plain.secret = secret_of(PSEUDONYM_KEY)
    last = TODAY - 2 * ONE_DAY
    for name, warnings in run(plain, *DATED).items():
        command = (
            f"PEOPLE=pseudonym anthropic-lake sync {name} --lake {plain.root} "
            f"--interval-start {FIRST} --interval-end {last + ONE_DAY}"
        )
        assert warnings == [
            f"3 days from {FIRST} to {last} hold people's plain names: read them with `{command}`"
        ]
        assert who_is_named(plain, name)
        result = shell(plain, command, PSEUDONYM_KEY=PSEUDONYM_KEY)
        assert result.exit_code == 0, result.output
        assert "plain names" not in result.output
        assert who_is_named(plain, name) == []
    assert run(plain, *DATED) == {name: [] for name in DATED}


def test_the_documented_query_lists_the_days_that_hold_plain_names(plain: Lab) -> None:
    run(plain)
    plain.environment |= {"PEOPLE": "pseudonym", "LOOKBACK_DAYS": "1"}
    plain.secret = secret_of(PSEUDONYM_KEY)
    run(plain)
    statements = re.findall(r"^```sql\n(.*?)^```", PRIVACY.read_text(), re.DOTALL | re.MULTILINE)
    lake = open_to_read(str(plain.root))
    with query(statements[0], lake, today=TODAY) as reader:
        rows = reader.read_all().to_pylist()
    assert {row["asset"] for row in rows} == set(DATED)
    days = {"first_day": FIRST, "last_day": TODAY - 2 * ONE_DAY, "days": 3}
    assert all(row == {"asset": row["asset"], **days} for row in rows)
    pseudonym = PSEUDONYMS.of("person1@example.com")
    where_is_one = statements[1].replace("alice@example.com", pseudonym)
    with query(where_is_one, lake, today=TODAY) as reader:
        counts = {each["asset"]: each["row_count"] for each in reader.read_all().to_pylist()}
    assert counts["users"] == counts["invites"] == 1


def test_snapshots_that_cannot_be_taken_again_are_named_until_they_are_deleted(
    plain: Lab,
) -> None:
    for plain.now in (NOW - 2 * ONE_DAY, NOW - ONE_DAY):
        run(plain, "users", "workspaces")
    plain.now = NOW
    plain.environment["PEOPLE"] = "pseudonym"
    plain.secret = secret_of(PSEUDONYM_KEY)
    assert run(plain, "workspaces") == {"workspaces": []}
    (warning,) = run(plain, "users")["users"]
    days = each_day(TODAY - 2 * ONE_DAY, TODAY - ONE_DAY)
    for day in days:
        assert f"asset=users/date={day}/users.parquet" in warning
        plain.place("users", day).unlink()
    command = f"anthropic-lake verify users --lake {plain.root} --repair"
    assert f"`{command}`" in warning
    result = shell(plain, command)
    assert result.exit_code == 0, result.output
    assert run(plain, "users") == {"users": []}
    assert who_is_named(plain, "users") == []


def test_a_switch_is_no_restatement(plain: Lab) -> None:
    run(plain, *DATED)
    plain.environment |= {"PEOPLE": "pseudonym", "LOOKBACK_DAYS": "10"}
    plain.secret = secret_of(PSEUDONYM_KEY)
    run(plain, *DATED)
    assert {entry["people"] for entry in _ledger(plain)} == {PSEUDONYMS.mark}
    assert {entry["times_changed"] for entry in _ledger(plain)} == {0}
    plain.api.organization.restate(TODAY - ONE_DAY)
    run(plain, *DATED)
    changed = {entry["day"]: entry["times_changed"] for entry in _ledger(plain)}
    assert changed[TODAY - ONE_DAY] == 1


def test_days_without_rows_name_nobody_and_are_not_named(plain: Lab) -> None:
    for day in each_day(FIRST, TODAY - 2 * ONE_DAY):
        plain.api.organization.clear_day(day)
    run(plain, *DATED)
    plain.environment |= {"PEOPLE": "pseudonym", "LOOKBACK_DAYS": "1"}
    plain.secret = secret_of(PSEUDONYM_KEY)
    assert run(plain, *DATED) == {name: [] for name in DATED}


def test_days_of_another_key_are_named_too(hidden: Lab) -> None:
    run(hidden, *DATED)
    hidden.environment["LOOKBACK_DAYS"] = "1"
    hidden.secret = secret_of(OTHER_KEY)
    (warning,) = run(hidden, *DATED)["claude_code_usage"]
    assert warning.startswith("3 days from")
    assert "hold pseudonyms of another key" in warning


def test_switched_off_again_the_days_that_are_read_have_plain_names(hidden: Lab) -> None:
    run(hidden, "claude_code_usage")
    hidden.environment |= {"PEOPLE": "plain", "LOOKBACK_DAYS": "1"}
    assert run(hidden, "claude_code_usage") == {"claude_code_usage": []}
    people = {row["day"]: row["people"] for row in _ledger(hidden)}
    assert people[TODAY] is people[TODAY - ONE_DAY] is None
    assert people[FIRST] == PSEUDONYMS.mark
    assert f"date={TODAY - ONE_DAY}" in {name.split("/")[1] for name, _ in who_is_named(hidden)}


def test_a_verified_lake_with_pseudonyms_has_no_differences(hidden: Lab) -> None:
    run(hidden, *PEOPLE)
    result = shell(hidden, f"anthropic-lake verify {shlex.join(PEOPLE)} --lake {hidden.root}")
    assert result.exit_code == 0, result.output


def test_what_the_ledger_lost_is_known_from_the_objects(hidden: Lab) -> None:
    run(hidden, "users")
    (path,) = (hidden.root / "asset=sync_days").glob("*/users.parquet")
    path.unlink()
    shell(hidden, f"anthropic-lake verify users --lake {hidden.root} --repair")
    assert run(hidden, "users") == {"users": []}


# --- the key


def test_without_a_key_nothing_is_asked_or_written(hidden: Lab) -> None:
    hidden.secret = lambda: KEY
    with pytest.raises(SecretError, match="there is no pseudonym key: make one"):
        hidden.run("users")
    assert hidden.api.requests == []
    assert hidden.objects() == {}
    (record,) = hidden.runs()
    assert (record["status"], record["error_type"]) == ("failed", "SecretError")


def test_the_key_is_read_anew_by_every_run(hidden: Lab) -> None:
    keys = iter([OTHER_KEY, PSEUDONYM_KEY])
    current = {"key": ""}

    def read() -> str:
        return secret_of(current["key"])()

    hidden.secret = read
    for current["key"] in keys:
        hidden.run("users")
    assert {row["email"] for row in hidden.rows("users")} >= {PSEUDONYMS.of("person1@example.com")}


@pytest.mark.parametrize("name", ["person1@example.com", "PERSON1@Example.COM"])
def test_who_holds_the_key_is_told_the_pseudonym_of_one_person(hidden: Lab, name: str) -> None:
    hidden.run("users")
    command = f"anthropic-lake pseudonym {name}"
    result = shell(hidden, command, PSEUDONYM_KEY=PSEUDONYM_KEY, ANTHROPIC_ADMIN_KEY="")
    assert result.exit_code == 0
    assert result.output.strip() in {row["email"] for row in hidden.rows("users")}
    assert len(hidden.api.requests) == 1


def test_the_key_for_the_command_may_be_in_a_secret(lab: Lab, aws: EmbeddedAws) -> None:
    secrets = aws.client("secretsmanager")
    arn = secrets.create_secret(Name="key", SecretString=secret_of(PSEUDONYM_KEY)())["ARN"]
    command = f"anthropic-lake pseudonym person1@example.com --secret {arn}"
    result = shell(lab, command, **aws.environment)
    assert result.output == f"{PSEUDONYMS.of('person1@example.com')}\n"


@pytest.mark.parametrize("key", ["", "Hidden-short"])
def test_the_command_refuses_a_key_that_cannot_be_used(lab: Lab, key: str) -> None:
    result = shell(lab, "anthropic-lake pseudonym person1@example.com", PSEUDONYM_KEY=key)
    assert result.exit_code == 2
    assert "openssl rand -hex 32" in result.output
    assert "Hidden" not in result.output
    assert "p_" not in result.output


def shell(lab: Lab, command: str, **environment: str) -> Result:
    """Run a command as it is written, with the simulated API and the clock of the machine."""
    words = shlex.split(command)
    assignments = dict(word.split("=") for word in words[: words.index("anthropic-lake")])
    arguments = words[words.index("anthropic-lake") + 1 :]
    known = {"ANTHROPIC_ADMIN_KEY": KEY, "ANTHROPIC_BASE_URL": lab.api.url}
    variables: dict[str, str | None] = {"PEOPLE": None, "PSEUDONYM_KEY": None}
    variables |= {**known, **assignments, **environment}
    return CliRunner().invoke(main, arguments, env=variables, catch_exceptions=False)


def _ledger(lab: Lab) -> list[Json]:
    """The rows of sync_days."""
    paths = sorted((lab.root / "asset=sync_days").glob("*/*.parquet"))
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


def _hidden_name(name: str) -> str:
    """A name as a view shows it with pseudonyms."""
    is_persons = "@" in name or name.startswith("claude_code_key_")
    return PSEUDONYMS.of(name) if is_persons else name


def _with_pseudonyms(row: Json) -> Json:
    """A row of a plain lake as the settings promise it, told by the names of this organization."""
    expected = dict(row)
    for name in ("email", "actor_email_address", "actor_name"):
        if row.get(name) is not None:
            expected[name] = PSEUDONYMS.of(row[name])
    if "email" in row and row.get("name") is not None:
        expected["name"] = PSEUDONYMS.of(row["name"])
    for name in ("name", "actor_api_key_name"):
        if str(row.get(name)).startswith("claude_code_key_"):
            expected[name] = PSEUDONYMS.of(row[name])
    kind, _, subject = (row.get("actor_federated_subject") or "").partition(":")
    if "@" in subject:  # serviceAccount:ci@example.iam.gserviceaccount.com
        expected["actor_federated_subject"] = f"{kind}:{PSEUDONYMS.of(subject)}"
    for name, value in expected.items():
        if isinstance(value, str):
            for address in ("person1@example.com", "dot.ted@example.com", "Boss@Example.com"):
                escaped = address.replace(".", "\\\\.")
                value = value.replace(escaped, PSEUDONYMS.of(address))  # noqa: PLW2901
                value = value.replace(address, PSEUDONYMS.of(address))  # noqa: PLW2901
            expected[name] = value.replace("Bea Boss", PSEUDONYMS.of("Bea Boss"))
    return expected
