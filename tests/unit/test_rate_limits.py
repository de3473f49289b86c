"""Rate limits: one row a limiter, of the organization and of each active workspace."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake import strict_json
from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import ContractBroken, LakeError, NotFound, NotOffered
from anthropic_lake.extract import access
from anthropic_lake.extract.batch import Extracted, PartEnd
from anthropic_lake.extract.extraction import Extraction
from anthropic_lake.rows.arrow import FieldError, to_arrow
from anthropic_lake.rows.day import Day, days
from anthropic_lake.rows.general import GeneralRecords
from anthropic_lake.rows.typed import typed_records
from anthropic_lake.sync.days import sync
from anthropic_lake.sync.runs import Run
from anthropic_lake.sync.window import WindowRules, due_window
from tests.unit.fakes import Asked, Reply, refusal, talk
from tests.unit.test_sync import SETTLE, World

Json = dict[str, Any]
TODAY = date(2026, 10, 5)
RATE_LIMITS = ASSETS["rate_limits"]
(TABLE,) = RATE_LIMITS.tables
OF_ORGANIZATION = "/v1/organizations/rate_limits"
RPM, ITPM = "requests_per_minute", "input_tokens_per_minute_cache_aware"
GROUP = {"id": "rlg_01", "type": "model_group", "display_name": "Claude Opus 5.x"}
ENTRY: Json = {
    "id": "rl_01",
    "type": "rate_limit",
    "group": GROUP,
    "models": ["claude-opus-5-5"],
    "limits": [{"type": RPM, "value": 4000}, {"type": ITPM, "value": 2_000_000}],
}
BATCH: Json = {
    "id": "rl_02",
    "type": "rate_limit",
    "group": {"id": "rlg_02", "type": "batch"},
    "models": None,
    "limits": [{"type": RPM, "value": 1000}],
}


def of_workspace(workspace_id: str, **more: Any) -> Json:
    """The entry of a workspace with one limit of its own and one that it inherits."""
    own, inherited = {"type": "workspace"}, {"type": "organization"}
    return {
        "rate_limit_id": "rl_01",
        "workspace_id": workspace_id,
        "type": "workspace_rate_limit",
        "group": GROUP,
        "models": ["claude-opus-5-5"],
        "limits": [
            {"type": RPM, "value": 50, "org_limit": 4000, "source": own},
            {"type": ITPM, "value": 2_000_000, "org_limit": 2_000_000, "source": inherited},
        ],
        **more,
    }


def rows(*entries: Json) -> list[Json]:
    """The rows of entries, by the general way; the typed way has the same, or leaves them to it."""
    text = json.dumps(entries).encode()
    table, _ = to_arrow(TABLE, GeneralRecords(strict_json.value(text)))
    typed = typed_records(RATE_LIMITS.tables, text, {})
    assert typed is None or to_arrow(TABLE, typed)[0] == table
    return list(table.to_pylist())


# --- rows


def test_an_entry_has_a_row_for_each_of_its_limits() -> None:
    first, second = rows(ENTRY)
    assert first == {
        "workspace_id": None,
        "group_id": "rlg_01",
        "limiter": RPM,
        "organization_id": None,
        "id": "rl_01",
        "type": "rate_limit",
        "group_type": "model_group",
        "group_display_name": "Claude Opus 5.x",
        "models": '["claude-opus-5-5"]',
        "value": 4000,
        "org_limit": None,
        "source": None,
        "extra": None,
    }
    assert second == first | {"limiter": ITPM, "value": 2_000_000}


def test_a_workspaces_entry_keeps_the_organizations_limit_and_where_its_own_comes_from() -> None:
    first, second = rows(of_workspace("wrkspc_01"))
    assert (first["workspace_id"], first["id"]) == ("wrkspc_01", "rl_01")
    assert (first["value"], first["org_limit"]) == (50, 4000)
    assert [json.loads(row["source"])["type"] for row in (first, second)] == [
        "workspace",
        "organization",
    ]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"group": GROUP}, ("rlg_01", "model_group", None)),
        ({"group": GROUP, "group_type": "model_group"}, ("rlg_01", "model_group", None)),
        ({"group_type": "batch"}, (None, "batch", None)),
        ({"group": None, "group_type": "batch"}, (None, "batch", None)),
        ({"group": {"id": "rlg_01"}, "group_type": "batch"}, ("rlg_01", "batch", None)),
        (
            {"group": GROUP, "group_type": "batch"},
            ("rlg_01", "model_group", '{"group_type":"batch"}'),
        ),
        ({}, (None, None, None)),
    ],
)
def test_the_group_is_read_in_its_new_shape_and_in_the_old_one(
    group: Json, expected: tuple[object, ...]
) -> None:
    entry = {name: value for name, value in BATCH.items() if name != "group"} | group
    (row,) = rows(entry)
    assert (row["group_id"], row["group_type"], row["extra"]) == expected


@pytest.mark.parametrize("limits", [{"limits": []}, {"limits": None}, {}])
def test_an_entry_without_limits_does_not_vanish(limits: Json) -> None:
    entry = {name: value for name, value in ENTRY.items() if name != "limits"} | limits
    empty, full = rows(entry, BATCH)
    assert (empty["group_id"], empty["limiter"], empty["value"]) == ("rlg_01", None, None)
    assert empty["models"] == '["claude-opus-5-5"]'
    assert (full["group_id"], full["limiter"], full["value"]) == ("rlg_02", RPM, 1000)


def test_unknown_fields_of_the_entry_and_of_the_limit_are_kept_apart() -> None:
    entry = ENTRY | {
        "note": 1,
        "group": GROUP | {"tier": 4},
        "limits": [
            {"type": RPM, "value": 1, "note": 2, "source": {"type": "new", "of": "plan"}},
            {"type": ITPM, "value": 2, "burst": {"value": 3.50}, "organization_id": "x", "id": 7},
        ],
    }
    first, second = rows(entry)
    of_entry = {"note": 1, "group.tier": 4}
    assert json.loads(first["extra"]) == {**of_entry, "limits[].note": 2}
    assert json.loads(second["extra"]) == {
        **of_entry,
        "limits[].burst": {"value": 3.5},
        "limits[].organization_id": "x",
        "limits[].id": 7,
    }
    assert json.loads(first["source"]) == {"type": "new", "of": "plan"}
    assert (second["id"], second["type"]) == ("rl_01", "rate_limit")


def test_unknown_fields_and_types_are_counted_once() -> None:
    entry = ENTRY | {"note": 1, "group": GROUP | {"type": "embeddings"}}
    entry["limits"] = [{"type": "new_limiter", "value": 1, "note": 2}, {"type": RPM}]
    _, unknown = to_arrow(TABLE, GeneralRecords([entry]))
    assert unknown == 2 + 2  # two fields, and in each row a type of group that nobody knew


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (ENTRY | {"limits": {}}, "limits"),
        (ENTRY | {"limits": [RPM]}, "limits[]"),
        (ENTRY | {"limits": [{"type": 5}]}, "limits[].type"),
        (ENTRY | {"limits": [{"type": RPM, "value": "4000"}]}, "limits[].value"),
        (ENTRY | {"limits": [{"type": RPM, "value": 1.5}]}, "limits[].value"),
        (ENTRY | {"group": "model_group"}, "group"),
    ],
)
def test_a_wrong_type_is_named(entry: Json, field: str) -> None:
    with pytest.raises(FieldError) as caught:
        rows(entry)
    assert caught.value.field == field


_LIMITS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from([None, RPM, ITPM]),
            "value": st.none() | st.integers(0, 9),
            "org_limit": st.none() | st.integers(0, 9),
            "source": st.none() | st.just({"type": "workspace"}),
        },
    ),
    max_size=3,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"id": st.sampled_from(["rl_01", None])},
            optional={
                "group": st.none() | st.just(GROUP),
                "group_type": st.just("model_group"),
                "models": st.none() | st.just(["m"]),
                "limits": st.none() | _LIMITS,
            },
        ),
        max_size=4,
    )
)
def test_both_ways_of_reading_give_a_row_for_each_limit_and_one_for_none(
    entries: list[Json],
) -> None:
    assert len(rows(*entries)) == sum(max(1, len(each.get("limits") or ())) for each in entries)


# --- which rows are the same


def snapshot(*entries: Json) -> list[Json] | LakeError:
    """The rows of a day on which the organization has these entries and no workspaces."""

    def answer(asked: Asked) -> Reply:
        return Reply({"data": list(entries) if asked.path == OF_ORGANIZATION else [],
                      "has_more": False})  # fmt: skip

    extracted = Extraction(RATE_LIMITS, talk(answer, asset="rate_limits").api).snapshot(TODAY)
    (day,) = (item for item in days(RATE_LIMITS, extracted) if isinstance(item, Day))
    return day.error or list(day.take_rows(TABLE).to_pylist())


def test_an_entry_that_comes_twice_is_kept_once() -> None:
    assert snapshot(ENTRY, BATCH, ENTRY) == snapshot(ENTRY, BATCH)


def test_an_entry_that_comes_twice_and_differs_is_refused_by_name() -> None:
    error = snapshot(ENTRY, ENTRY | {"limits": [{"type": RPM, "value": 1}]})
    assert isinstance(error, ContractBroken)
    assert "different rows of the table rate_limits have the same key" in str(error)


@pytest.mark.parametrize(
    "other",
    [
        {"models": ["claude-haiku-5"], "id": "rl_09"},
        {"models": ["claude-haiku-5"]},
        {"id": "rl_09"},
        {"group_type": "batch", "models": None},
    ],
)
@pytest.mark.parametrize("older", [False, True])
def test_groups_of_other_models_are_never_taken_for_one(other: Json, older: bool) -> None:
    """The types before the new shape name neither entry nor group."""
    entry = {name: value for name, value in ENTRY.items() if not older or name != "group"}
    found = snapshot(entry, entry | other | {"limits": [{"type": RPM, "value": 7}]})
    assert isinstance(found, list)
    assert [row["value"] for row in found] == [4000, 2_000_000, 7]


# --- requests


def api(
    workspaces: dict[str, Reply], *, archived: tuple[str, ...] = (), own: Reply | None = None
) -> Callable[[Asked], Reply]:
    """An organization with workspaces, and what each answers."""
    listed = [
        {"id": name, "archived_at": "2026-01-01T00:00:00Z" if name in archived else None}
        for name in workspaces
    ]

    def answer(asked: Asked) -> Reply:
        if asked.path == OF_ORGANIZATION:
            return own or Reply({"data": [ENTRY], "next_page": None})
        if asked.path.endswith("/workspaces"):
            return Reply({"data": listed, "has_more": False, "last_id": None})
        return workspaces[asked.path.split("/")[-2]]

    return answer


def entries(workspace_id: str) -> Reply:
    return Reply({"data": [of_workspace(workspace_id)]})


def parts(items: list[Extracted]) -> dict[str | None, bool]:
    """The parts that ended, and whether they are left out."""
    return {item.workspace_id: bool(item.warnings) for item in items if isinstance(item, PartEnd)}


def extract(
    answer: Callable[[Asked], Reply], done: frozenset[str | None] = frozenset()
) -> tuple[list[Extracted], list[Asked]]:
    conversation = talk(answer, asset="rate_limits")
    items = list(Extraction(RATE_LIMITS, conversation.api).snapshot(TODAY, done))
    return items, conversation.asked


def test_the_organization_is_asked_first_then_each_active_workspace() -> None:
    answer = api({name: entries(name) for name in ("w1", "w2", "w3")}, archived=("w2",))
    items, asked = extract(answer)
    assert parts(items) == {None: False, "w1": False, "w3": False}
    assert [each.path.removeprefix("/v1/organizations/") for each in asked] == [
        "rate_limits",
        "workspaces",
        "workspaces/w1/rate_limits",
        "workspaces/w3/rate_limits",
    ]
    assert [each.query for each in asked] == [
        {"limit": ["1000"]},
        {"include_default": ["true"], "limit": ["1000"]},
        {"include_inherited": ["true"], "limit": ["1000"]},
        {"include_inherited": ["true"], "limit": ["1000"]},
    ]
    assert not any("anthropic-beta" in each.headers for each in asked)


def test_parts_that_are_done_are_not_asked_for() -> None:
    answer = api({name: entries(name) for name in ("w1", "w2")})
    items, asked = extract(answer, frozenset({None, "w1"}))
    assert parts(items) == {"w2": False}
    assert len(asked) == 2


@pytest.mark.parametrize("status", [400, 404])
def test_a_workspace_that_is_refused_is_left_out_by_name(status: int) -> None:
    items, _ = extract(api({"w1": refusal(status), "w2": entries("w2")}))
    assert parts(items) == {None: False, "w1": True, "w2": False}


def test_the_organizations_own_list_is_kept_where_no_workspace_has_one() -> None:
    """Nobody could do anything about it, and the organization's limits are there."""
    items, _ = extract(api({"w1": refusal(404), "w2": refusal(404)}))
    assert parts(items) == {None: False, "w1": True, "w2": True}


def test_only_a_404_of_the_own_endpoint_says_that_it_is_not_offered() -> None:
    with pytest.raises(NotOffered):
        extract(api({}, own=refusal(404)))

    def without_workspaces(asked: Asked) -> Reply:
        return api({})(asked) if asked.path == OF_ORGANIZATION else refusal(404)

    with pytest.raises(NotFound):
        extract(without_workspaces)


def test_check_tries_the_organizations_list_and_that_of_the_first_workspace() -> None:
    conversation = talk(api({"w1": entries("w1"), "w2": entries("w2")}))
    result = access.check(RATE_LIMITS, conversation.connection, TODAY)
    assert (result.verdict, result.detail) == ("allowed", "")
    assert [asked.path.split("/")[-2:] for asked in conversation.asked] == [
        ["organizations", "rate_limits"],
        ["organizations", "workspaces"],
        ["w1", "rate_limits"],
    ]
    gone = access.check(RATE_LIMITS, talk(api({"w1": refusal(404)})).connection, TODAY)
    assert not gone.is_refused
    assert "the first workspace would be left out: rate_limits: HTTP 404" in gone.detail
    absent = talk(api({}, own=refusal(404)))
    assert access.check(RATE_LIMITS, absent.connection, TODAY).verdict == access.NOT_OFFERED
    assert len(absent.asked) == 1


# --- a run that is too short


@pytest.mark.parametrize("parts_a_run", [1, 2, 3])
def test_a_snapshot_goes_on_after_the_part_where_it_stopped(parts_a_run: int) -> None:
    names = [f"w{number}" for number in range(4)]
    world, asked = World(RATE_LIMITS), []
    answer = api({name: entries(name) for name in names})

    def noting(request: Asked) -> Reply:
        asked.append(request.path.removeprefix("/v1/organizations/"))
        return answer(request)

    runs: list[Run] = []
    while not runs or runs[-1].status == "partial":
        assert world.lake.rows("rate_limits", TODAY) is None
        window = due_window(RATE_LIMITS, world.history, world.now, WindowRules(None, 0, SETTLE))
        runs.append(Run(str(len(runs)), RATE_LIMITS.name, "schedule", world.now))
        left = iter([float("inf")] * (parts_a_run - 1) + [0.0] * 9)
        api_of_run = talk(noting, asset="rate_limits").api
        sync(world.job(window, api_of_run, runs[-1], lambda left=left: next(left)))  # type: ignore[misc]
    assert len(runs) > 1
    found = world.lake.rows("rate_limits", TODAY) or []
    expected = [None, None, *(name for name in names for _ in (ITPM, RPM))]
    assert sorted(row["workspace_id"] or "" for row in found) == sorted(
        name or "" for name in expected
    )
    of_parts = [path for path in asked if path != "workspaces"]
    assert of_parts == ["rate_limits", *(f"workspaces/{name}/rate_limits" for name in names)]
    assert world.watermark == TODAY
