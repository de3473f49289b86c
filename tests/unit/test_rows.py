"""JSON records become rows: every field in its column or in `extra`, or a named error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from anthropic_lake import strict_json
from anthropic_lake.assets import ASSETS
from anthropic_lake.query.catalog import TABLES
from anthropic_lake.rows.arrow import FieldError, to_arrow
from anthropic_lake.rows.general import GeneralRecords
from anthropic_lake.schema.table import Table

Json = dict[str, Any]
BY_NAME = {table.name: table for table in TABLES}
DAY = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-02T00:00:00Z"}
USER = {
    "id": "user_1",
    "type": "user",
    "email": "ada@example.com",
    "name": "Ada",
    "role": "admin",
    "added_at": "2026-01-02T03:04:05.678901Z",
}
SESSION: Json = {
    "date": "2026-11-01T00:00:00Z",
    "organization_id": "org-1",
    "actor": {"type": "user_actor", "email_address": "ada@example.com"},
    "customer_type": "api",
    "terminal_type": "vscode",
    "is_remote": False,
    "core_metrics": {
        "num_sessions": 2,
        "lines_of_code": {"added": 10, "removed": 3},
        "commits_by_claude_code": 1,
        "pull_requests_by_claude_code": 0,
    },
    "tool_actions": {"edit_tool": {"accepted": 5, "rejected": 1}, "new_tool": {"accepted": 7}},
    "model_breakdown": [],
}


def spending(model: str, tokens: int, amount: object, currency: str | None = "USD") -> Json:
    kinds = dict.fromkeys(("input", "output", "cache_read", "cache_creation"), tokens)
    cost = {"amount": amount, "currency": currency}
    return {"model": model, "tokens": kinds, "estimated_cost": cost}


def rows(table: str, *records: Json, **shared: Any) -> list[Json]:
    """The rows of records, which go through JSON text as they do in a run."""
    texts = [json.dumps(record, default=_raw).replace('"@', "").replace('@"', "").encode()
             for record in records]  # fmt: skip
    found, _unknown = to_arrow(
        BY_NAME[table], GeneralRecords(strict_json.value(strict_json.joined(texts)), shared)
    )
    assert found.schema == BY_NAME[table].schema
    result: list[Json] = found.to_pylist()
    return result


def _raw(value: object) -> str:
    """A Decimal as a JSON number with all its digits."""
    return f"@{value}@"


def row(table: str, record: Json, **shared: Any) -> Json:
    (found,) = rows(table, record, **shared)
    return found


def unknown(table: str, *records: Json) -> int:
    return to_arrow(BY_NAME[table], GeneralRecords(list(records)))[1]


def refused(table: str, *records: Json, **shared: Any) -> FieldError:
    with pytest.raises(FieldError) as caught:
        rows(table, *records, **shared)
    return caught.value


# --- where values stand


def test_a_record_of_known_fields_is_a_row_without_extra() -> None:
    expected = {
        "organization_id": "org-1",
        "added_at": datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        "extra": None,
    }
    assert row("users", USER, organization_id="org-1") == {**USER, **expected}


def test_no_records_are_no_rows_of_the_full_schema() -> None:
    for table in TABLES:
        found, count = to_arrow(table, GeneralRecords([], {"organization_id": "org-1"}))
        assert (found.num_rows, found.schema, count) == (0, table.schema, 0)


@pytest.mark.parametrize("missing", ["type", "email", "name", "role", "added_at"])
@pytest.mark.parametrize("how", ["absent", "null"])
def test_a_missing_field_is_null(missing: str, how: str) -> None:
    record = {**USER, missing: None}
    if how == "absent":
        del record[missing]
    assert row("users", record)[missing] is None


def test_nested_cache_counters_are_found_where_the_api_puts_them() -> None:
    counters = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 7}
    found = row("usage_report", {"cache_creation": counters}, **DAY)
    assert found["cache_creation_ephemeral_5m_input_tokens"] == 5
    assert found["cache_creation_ephemeral_1h_input_tokens"] == 7


@pytest.mark.parametrize(
    ("principal", "kind", "identifier"),
    [
        ({"type": "user_actor", "user_id": "user_1"}, "user_actor", "user_1"),
        (
            {"type": "service_account_actor", "service_account_id": "svac_1"},
            "service_account_actor",
            "svac_1",
        ),
        ({"id": "user_1", "type": "user"}, "user", "user_1"),
        ({"id": "svac_1", "type": "service_account"}, "service_account", "svac_1"),
        (None, None, None),
    ],
)
def test_the_principal_of_a_key_is_read_in_both_its_shapes(
    principal: Json | None, kind: str | None, identifier: str | None
) -> None:
    found = row("api_keys", {"id": "apikey_1", "principal": principal})
    assert (found["principal_type"], found["principal_id"]) == (kind, identifier)
    assert found["extra"] is None


@pytest.mark.parametrize(
    ("fields", "workspace"),
    [
        ({"scope": {"type": "workspace", "workspace_id": "wrkspc_1"}}, "wrkspc_1"),
        (
            {"workspace_id": None, "scope": {"type": "workspace", "workspace_id": "wrkspc_1"}},
            None,
        ),
        ({"workspace_id": "wrkspc_2", "scope": {"type": "workspace"}}, "wrkspc_2"),
        ({"scope": {"type": "organization"}}, None),
        ({}, None),
    ],
)
def test_the_workspace_of_a_key_comes_from_its_scope_where_the_old_field_is_absent(
    fields: Json, workspace: str | None
) -> None:
    assert row("api_keys", {"id": "apikey_1", **fields})["workspace_id"] == workspace


@pytest.mark.parametrize("created_by", [None, {"id": "user_1", "type": "user"}])
def test_a_key_may_have_no_creator(created_by: Json | None) -> None:
    found = row("api_keys", {"id": "apikey_1", "created_by": created_by})
    assert found["created_by_id"] == (created_by or {}).get("id")


@pytest.mark.parametrize(
    ("geos", "text"),
    [("unrestricted", '"unrestricted"'), (["us", "global"], '["us","global"]'), (None, None)],
)
def test_a_union_that_is_a_text_or_a_list_is_kept_as_json(geos: object, text: str | None) -> None:
    record = {"id": "wrkspc_1", "data_residency": {"allowed_inference_geos": geos}}
    assert row("workspaces", record)["data_residency_allowed_inference_geos"] == text


def test_a_free_map_is_kept_as_json_with_sorted_keys() -> None:
    found = row("workspaces", {"id": "wrkspc_1", "tags": {"b": "2", "a": "é"}})
    assert found["tags"] == '{"a":"é","b":"2"}'


def test_what_records_share_is_in_every_row_and_a_records_own_value_goes_first() -> None:
    own = {"user_id": "user_1", "workspace_id": "wrkspc_1"}
    found = rows("workspace_members", own, {"user_id": "user_2"}, workspace_id="wrkspc_2")
    assert [each["workspace_id"] for each in found] == ["wrkspc_1", "wrkspc_2"]


def test_an_api_actor_has_a_key_name_and_no_email() -> None:
    actor = {"type": "api_actor", "api_key_name": "CI"}
    found = row("claude_code_usage", {**SESSION, "actor": actor})
    assert (found["actor_type"], found["actor_api_key_name"]) == ("api_actor", "CI")
    assert found["actor_email_address"] is None


# --- extra


@pytest.mark.parametrize(
    ("table", "record", "extra"),
    [
        ("users", {**USER, "nickname": "A"}, {"nickname": "A"}),
        ("users", {**USER, "nickname": None}, {"nickname": None}),
        ("users", {**USER, "teams": [{"id": 1}]}, {"teams": [{"id": 1}]}),
        ("users", {**USER, "extra": {"a": 1}}, {"extra": {"a": 1}}),
        ("users", {**USER, "a.b": 1, "a\\.b": 2, "a\\": 3}, {r"a\.b": 1, r"a\\\.b": 2, r"a\\": 3}),
        (
            "api_keys",
            {"id": "k", "scope.zone": 1, "scope": {"zone": 2, "zo.ne": 3}},
            {r"scope\.zone": 1, "scope.zone": 2, r"scope.zo\.ne": 3},
        ),
        (
            "usage_report",
            {**DAY, "cache_creation": {"ephemeral_24h_input_tokens": 5}},
            {"cache_creation.ephemeral_24h_input_tokens": 5},
        ),
        (
            "api_keys",
            {"id": "k", "principal": {"type": "robot", "serial": {"a": 1}}, "scope": {"x": 1}},
            {"principal.serial": {"a": 1}, "scope.x": 1},
        ),
        (
            "claude_code_usage",
            {**SESSION, "core_metrics": {"lines_of_code": {"moved": 4}}},
            {"core_metrics.lines_of_code.moved": 4},
        ),
        (
            "claude_code_model_usage",
            {**SESSION, "model_breakdown": [{"model": "m", "tokens": {"thinking": 3}}]},
            {"tokens.thinking": 3},
        ),
    ],
)
def test_an_unknown_field_is_kept_in_extra_at_any_depth(
    table: str, record: Json, extra: Json
) -> None:
    (found,) = rows(table, record)
    assert json.loads(found["extra"]) == extra


def test_extra_keeps_numbers_exact() -> None:
    record = {**USER, "score": Decimal("0.12345678901234567890")}
    assert row("users", record)["extra"] == '{"score":0.12345678901234567890}'


def test_a_field_that_is_shared_and_unknown_is_in_every_rows_extra() -> None:
    found = rows("usage_report", {}, {}, **DAY, note="partial")
    assert [each["extra"] for each in found] == ['{"note":"partial"}'] * 2


def test_open_tools_stay_in_the_map_and_are_not_unknown() -> None:
    found = row("claude_code_usage", SESSION)
    assert json.loads(found["tool_actions"]) == SESSION["tool_actions"]
    assert found["tool_actions_edit_tool_accepted"] == 5
    assert found["tool_actions_write_tool_accepted"] is None
    assert found["extra"] is None


@pytest.mark.parametrize(
    ("record", "count"),
    [
        (USER, 0),
        ({**USER, "role": None}, 0),
        ({**USER, "role": "workspace_steward"}, 1),
        ({**USER, "nickname": "A", "team": "B"}, 2),
        ({**USER, "nickname": "A", "role": "new"}, 2),
    ],
)
def test_unknown_fields_and_enumerated_values_are_counted_and_refuse_no_row(
    record: Json, count: int
) -> None:
    assert unknown("users", record) == count
    assert row("users", record)["role"] == record["role"]


# --- wrong types and missing identities


@pytest.mark.parametrize(
    ("table", "record", "field", "kinds"),
    [
        ("users", {**USER, "name": 5}, "name", ("text", "a whole number")),
        ("users", {**USER, "email": ["a"]}, "email", ("text", "a list")),
        ("users", {**USER, "name": True}, "name", ("text", "true or false")),
        ("users", {**USER, "added_at": 1767225600}, "added_at", ("timestamp", "a whole number")),
        ("usage_report", {"output_tokens": "5"}, "output_tokens", ("whole number", "text")),
        ("usage_report", {"output_tokens": True}, "output_tokens", ("whole number", "true")),
        ("usage_report", {"output_tokens": Decimal("5.5")}, "output_tokens", ("whole number",)),
        ("usage_report", {"cache_creation": 5}, "cache_creation", ("an object", "a whole")),
        ("usage_report", {"cache_creation": []}, "cache_creation", ("an object", "a list")),
        (
            "usage_report",
            {"cache_creation": {"ephemeral_5m_input_tokens": {}}},
            "cache_creation.ephemeral_5m_input_tokens",
            ("whole number", "an object"),
        ),
        ("cost_report", {"amount": {}}, "amount", ("decimal", "an object")),
        ("cost_report", {"amount": True}, "amount", ("decimal", "true or false")),
        ("claude_code_usage", {**SESSION, "is_remote": "yes"}, "is_remote", ("true or false",)),
        ("claude_code_usage", {**SESSION, "actor": "Ada"}, "actor", ("an object", "text")),
        (
            "claude_code_usage",
            {**SESSION, "model_breakdown": {}},
            "model_breakdown",
            ("a list", "an object"),
        ),
        (
            "claude_code_model_usage",
            {**SESSION, "model_breakdown": [None]},
            "model_breakdown[]",
            ("an object", "null"),
        ),
        (
            "claude_code_usage",
            {**SESSION, "model_breakdown": [{"tokens": {"input": "1"}}]},
            "model_breakdown[].tokens.input",
            ("whole number", "text"),
        ),
    ],
)
def test_a_wrong_type_is_named_by_field_and_kind(
    table: str, record: Json, field: str, kinds: tuple[str, ...]
) -> None:
    shared = DAY if table in ("usage_report", "cost_report") else {}
    error = refused(table, record, **shared)
    assert error.field == field
    for kind in kinds:
        assert kind in error.problem


@pytest.mark.parametrize(
    ("table", "record", "field"),
    [
        ("organization", {"name": "Ærø"}, "id"),
        ("workspaces", {"name": "a"}, "id"),
        ("api_keys", {"id": None}, "id"),
        ("invites", {}, "id"),
        ("users", {"email": "a@example.com"}, "id"),
        ("workspace_members", {"workspace_id": "wrkspc_1"}, "user_id"),
        ("workspace_members", {"user_id": "user_1"}, "workspace_id"),
        ("usage_report", {"ending_at": DAY["ending_at"]}, "starting_at"),
        ("usage_report", {"starting_at": DAY["starting_at"]}, "ending_at"),
        ("cost_report", {**DAY, "currency": "USD"}, "amount"),
    ],
)
def test_a_missing_identity_is_named(table: str, record: Json, field: str) -> None:
    error = refused(table, record)
    assert error.field == field
    assert "missing" in error.problem


def test_an_error_never_shows_the_value() -> None:
    error = refused("usage_report", {"output_tokens": "ada@example.com"}, **DAY)
    assert "ada" not in str(error)


# --- numbers


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (5, 5),
        (Decimal("5.0"), 5),
        (Decimal("5e2"), 500),
        (0, 0),
        (-1, -1),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
    ],
)
def test_a_whole_number_is_read_however_it_is_written(written: object, value: int) -> None:
    assert row("usage_report", {"output_tokens": written}, **DAY)["output_tokens"] == value


@pytest.mark.parametrize(
    "written", [2**63, -(2**63) - 1, 10**30, Decimal("0.5"), Decimal("1e40"), Decimal("1e-1")]
)
def test_a_number_that_64_bits_do_not_hold_is_refused(written: object) -> None:
    assert refused("usage_report", {"output_tokens": written}, **DAY).field == "output_tokens"


@pytest.mark.parametrize(
    ("amount", "cents", "usd"),
    [
        ("123.45", "123.45", "1.2345"),
        ("123.78912", "123.78912", "1.2378912"),
        ("41280.000000", "41280", "412.80"),
        ("0", "0", "0"),
        ("-12.5", "-12.5", "-0.125"),
        ("1e2", "100", "1"),
        ("1.5E-3", "0.0015", "0.000015"),
        ("1.50000000000000000000", "1.5", "0.015"),
        (7, "7", "0.07"),
        (Decimal("0.1"), "0.1", "0.001"),
        (Decimal("1E+3"), "1000", "10"),
        ("99999999999999999999999999", "99999999999999999999999999", "999999999999999999999999.99"),
    ],
)
def test_money_is_exact_in_cents_and_in_dollars(amount: object, cents: str, usd: str) -> None:
    found = row("cost_report", {"amount": amount, "currency": "USD"}, **DAY)
    assert (found["amount_cents"], found["amount_usd"]) == (Decimal(cents), Decimal(usd))


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "abc",
        "12,5",
        "$1.00",
        "1.2.3",
        "NaN",
        "Infinity",
        "-inf",
        "sNaN",
        " 1",
        "1_000",
        "٣",
        "0x10",
        "1e",
        "1e1000000000",
        "100000000000000000000000000",
        "1e26",
        "0.0000000000001",
        "1e-13",
        "0.00000000001",
        10**27,
        Decimal("1e-13"),
    ],
)
def test_an_amount_that_is_no_decimal_or_has_too_many_digits_is_refused(amount: object) -> None:
    error = refused("cost_report", {"amount": amount, "currency": "USD"}, **DAY)
    assert error.field == "amount"


def test_the_error_of_a_cost_promises_what_both_its_columns_hold() -> None:
    error = refused("cost_report", {"amount": "0.00000000001", "currency": "USD"}, **DAY)
    assert "26 digits before and 10 after the point" in error.problem
    assert row("cost_report", {"amount": "0.0000000001", "currency": "USD"}, **DAY)["amount_usd"]


@pytest.mark.parametrize(
    ("amount", "cents", "usd", "kept"),
    [
        (Decimal("0.30000000000000004"), "0.3", "0.003", "0.30000000000000004"),
        ("0.30000000000000004", "0.3", "0.003", '"0.30000000000000004"'),
        (Decimal("7e-11"), "0.00000000007", "0.000000000001", None),
        (Decimal("1e-13"), "0", "0", "1E-13"),
        (Decimal("5e-324"), "0", "0", "5E-324"),
        (Decimal("0.0000000000005"), "0", "0", "5E-13"),
        (Decimal("0.0000000000015"), "0.000000000002", "0", "1.5E-12"),
        (Decimal("-0.0000000000025"), "-0.000000000002", "0", "-2.5E-12"),
        (Decimal("0.000000000150"), "0.00000000015", "0.000000000002", None),
        ("1.50000000000000000000", "1.5", "0.015", None),
    ],
)
def test_an_estimate_is_rounded_half_to_even_and_extra_keeps_the_exact_number(
    amount: object, cents: str, usd: str, kept: str | None
) -> None:
    record = {**SESSION, "model_breakdown": [spending("a", 1, amount)]}
    model = row("claude_code_model_usage", record)
    assert model["estimated_cost_amount_cents"] == Decimal(cents)
    assert model["estimated_cost_amount_usd"] == Decimal(usd)
    assert model["extra"] == (kept and f'{{"estimated_cost.amount":{kept}}}')
    session = row("claude_code_usage", record)
    assert session["estimated_cost_amount_cents"] == Decimal(cents)
    assert session["estimated_cost_amount_usd"] == Decimal(usd)
    assert session["extra"] is None
    assert unknown("claude_code_model_usage", record) == (kept is not None)


@pytest.mark.parametrize(
    "amount", ["abc", "NaN", "1e26", 10**27, Decimal("1e999"), Decimal("1e1000")]
)
def test_an_estimate_that_no_column_holds_is_refused(amount: object) -> None:
    record = {**SESSION, "model_breakdown": [spending("a", 1, amount), spending("b", 1, "1e-999")]}
    for table in ("claude_code_usage", "claude_code_model_usage"):
        error = refused(table, record)
        assert error.field == "model_breakdown[].estimated_cost.amount"
        assert "26 digits before the point" in error.problem


@pytest.mark.parametrize("currency", ["EUR", "usd", None])
def test_dollars_are_null_in_another_currency(currency: str | None) -> None:
    found = row("cost_report", {"amount": "100", "currency": currency}, **DAY)
    assert (found["amount_cents"], found["amount_usd"]) == (Decimal(100), None)


# --- times


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.678901Z", datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5-05:30", datetime(2026, 1, 2, 8, 34, 5, 500000, UTC)),
    ],
)
def test_a_time_is_read_to_the_microsecond_in_utc(text: str, moment: datetime) -> None:
    assert row("users", {**USER, "added_at": text})["added_at"] == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05",
        "2026-01-02",
        "",
        "yesterday",
        "2026-02-30T00:00:00Z",
        "NaN",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
        "0000-01-01T00:00:00Z",
    ],
)
def test_a_time_without_a_zone_or_without_sense_is_refused(text: str) -> None:
    assert refused("users", {**USER, "added_at": text}).field == "added_at"


# --- Claude Code: sums over models, and a row for each


def test_tokens_and_costs_of_all_models_are_summed_in_the_parent() -> None:
    models = [
        spending("a", 1, "0.1"),
        spending("b", 10, Decimal("0.2")),
        spending("c", 100, 3),
    ]
    found = row("claude_code_usage", {**SESSION, "model_breakdown": models})
    assert found["tokens_input"] == found["tokens_cache_creation"] == 111
    assert found["estimated_cost_amount_cents"] == Decimal("3.3")
    assert found["estimated_cost_amount_usd"] == Decimal("0.033")
    assert found["estimated_cost_currency"] == "USD"
    assert found["core_metrics_num_sessions"] == 2


def test_no_models_are_zero_tokens_and_zero_cost_without_a_currency() -> None:
    found = row("claude_code_usage", SESSION)
    assert found["tokens_input"] == 0
    assert found["estimated_cost_amount_cents"] == 0
    assert found["estimated_cost_currency"] is None
    assert rows("claude_code_model_usage", SESSION) == []


def test_costs_in_different_currencies_have_no_common_currency_and_no_dollars() -> None:
    models = [spending("a", 1, "1"), spending("b", 1, "1", "EUR")]
    found = row("claude_code_usage", {**SESSION, "model_breakdown": models})
    assert found["estimated_cost_currency"] is None
    assert found["estimated_cost_amount_usd"] is None


def test_each_model_is_a_row_that_repeats_the_parents_key_and_not_its_metrics() -> None:
    models = [spending("a", 1, "0.5"), spending("b", 2, "0.25")]
    found = rows("claude_code_model_usage", {**SESSION, "model_breakdown": models}, SESSION)
    assert [each["model"] for each in found] == ["a", "b"]
    assert {each["actor_email_address"] for each in found} == {"ada@example.com"}
    assert {each["organization_id"] for each in found} == {"org-1"}
    assert [each["estimated_cost_amount_usd"] for each in found] == [
        Decimal("0.005"),
        Decimal("0.0025"),
    ]
    assert not any(name.startswith("core_metrics") for name in found[0])


def test_a_field_that_an_element_has_itself_is_not_that_of_its_record() -> None:
    models = [{"model": "a", "terminal_type": "tmux"}, {"model": "b"}]
    session = {**SESSION, "terminal_type": "vscode"}
    found = rows("claude_code_model_usage", {**session, "model_breakdown": models}, session)
    assert [each["terminal_type"] for each in found] == ["tmux", "vscode"]


def test_the_records_day_is_the_partition_and_no_column() -> None:
    found = row("claude_code_usage", SESSION)
    assert "date" not in found
    assert found["extra"] is None


@pytest.mark.parametrize(
    "table", [table for asset in ASSETS.values() for table in asset.tables], ids=lambda t: t.name
)
def test_what_the_extractor_adds_itself_is_never_extra(table: Table) -> None:
    """Only what the API returned may be there, so that `extra` stays a signal of news."""
    added = {"organization_id": "org-1", "grouped_by": "model", "bucket_width": "1d"}
    common: Json = {"id": "1", "user_id": "1", "workspace_id": "1", "amount": "1"}
    common["cost"] = {"amount": "1"}
    fields = {name: common[name] for name in common.keys() & _known_names(table)}
    record = {**fields, **(SESSION if table.name.startswith("claude") else {})}
    shared = {**(DAY if "starting_at" in table.schema.names else {}), **added}
    if "starting_at" not in table.schema.names:
        shared = {"organization_id": "org-1"}
    found, count = to_arrow(table, GeneralRecords([record], shared))
    assert found["extra"].to_pylist() == [None] * found.num_rows
    assert count == 0


def _known_names(table: Table) -> set[str]:
    return {path.partition(".")[0] for column in table.all_columns for path in column.paths}
