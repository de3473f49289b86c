"""However a day's records come, the rows are the same; a broken day hides no other one."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, cast

import pyarrow as pa
import pytest

from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.paging import Origin, Page
from anthropic_lake.assets import ASSETS
from anthropic_lake.assets.asset import Asset
from anthropic_lake.errors import ContractBroken, TooLarge
from anthropic_lake.extract.batch import AnswerFields, Batch, DayEnd, Extracted, PartEnd, ReportEnd
from anthropic_lake.extract.extraction import Extraction
from anthropic_lake.rows import day as rows_day
from anthropic_lake.rows import reader
from anthropic_lake.rows.arrow import FieldError
from anthropic_lake.rows.day import Day, Part, days, distinct_rows

USAGE, USERS, MEMBERS = (ASSETS[name] for name in ("usage_report", "users", "workspace_members"))
ONE_DAY = timedelta(days=1)
TODAY = date(2026, 11, 20)
ORIGIN = Origin("req_1", "org-1")
BOUNDS = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z"}
NOTHING: dict[str, Any] = {}
ROWS: list[dict[str, Any]] = [{"model": f"m{n}", "output_tokens": n} for n in range(100)]
NEW = [{**row, "thinking_tokens": 7} for row in ROWS]


def batch(
    records: list[dict[str, Any]], shared: dict[str, Any] = NOTHING, day: date = TODAY
) -> Batch:
    text = json.dumps(records, separators=(",", ":")).encode()
    return Batch(day, text, ORIGIN, shared)


def gathered(asset: Asset, *items: Extracted) -> list[Day]:
    """The days of some items."""
    return [each for each in days(asset, items) if isinstance(each, Day)]


def rows(found: list[dict[str, Any]]) -> pa.Table:
    """The rows of a day."""
    (day,) = gathered(USAGE, batch(found, BOUNDS), DayEnd(TODAY))
    return day.take_rows(USAGE.tables[0])


@pytest.mark.parametrize("found", [ROWS, NEW, [*ROWS, *NEW], []])
def test_many_records_are_read_in_parts_and_give_the_same_rows(
    found: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows(found)
    monkeypatch.setattr(reader, "MAX_BYTES_READ_WHOLE", 1000)
    monkeypatch.setattr(reader, "PART_BYTES", 200)
    assert rows(found) == whole
    assert whole.num_rows == len(found)
    assert whole["extra"].null_count == sum(row in ROWS for row in found)


class _Body(bytearray):
    """A body whose end can be waited for."""


class _OnePage:
    """An API that gives one page and keeps none of it."""

    def __init__(self, record: dict[str, Any]) -> None:
        self._page: Page | None = Page(_Body(json.dumps([record]).encode()), ORIGIN)
        self.body = weakref.ref(cast("_Body", self._page.data))

    def pages(self, *_: object, **__: object) -> Iterator[Page]:
        return self

    def __iter__(self) -> Iterator[Page]:
        return self

    def __next__(self) -> Page:
        page, self._page = self._page, None
        if page is None:
            raise StopIteration
        return page


@pytest.mark.parametrize(
    ("name", "record", "rows_of_day"),
    [
        ("usage_report", {**BOUNDS, "results": ROWS}, len(ROWS)),
        ("claude_code_usage", {"date": "2026-11-20"}, 1),
        ("users", {"id": "user_1"}, 1),
    ],
)
def test_a_page_is_let_go_before_its_last_day_is_written(
    name: str, record: dict[str, Any], rows_of_day: int
) -> None:
    asset, api, end = ASSETS[name], _OnePage(record), TODAY + ONE_DAY
    extraction = Extraction(asset, cast("AdminApi", api))
    extracted = (
        extraction.days(TODAY, end, complete_end=end)
        if asset.kind.dated
        else extraction.snapshot(TODAY)
    )
    day = next(gathered := days(asset, extracted))
    assert isinstance(day, Day)
    assert api.body() is None
    assert day.take_rows(asset.tables[0]).num_rows == rows_of_day
    assert list(gathered) == ([ReportEnd(end, 0, "req_1")] if asset.kind.dated else [])


# --- a day that cannot be kept


BROKEN: dict[str, Batch] = {
    "a wrong type": batch([{"output_tokens": "5"}], BOUNDS),
    "a key twice": Batch(TODAY, b'[{"model":"a","model":"b"}]', ORIGIN, BOUNDS),
    "no object": batch([cast("Any", 5)], BOUNDS),
    "a number of 5,000 digits": Batch(TODAY, b'[{"new":%b}]' % (b"1" * 5000), ORIGIN, BOUNDS),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_day_that_cannot_be_kept_has_an_error_and_hides_no_other_day(case: str) -> None:
    before, after = TODAY - ONE_DAY, TODAY + ONE_DAY
    first, second, third = gathered(
        USAGE,
        *(batch(ROWS, BOUNDS, before), DayEnd(before)),
        *(batch(ROWS, BOUNDS), BROKEN[case], batch(ROWS, BOUNDS), DayEnd(TODAY)),
        *(batch(ROWS, BOUNDS, after), DayEnd(after)),
    )
    assert (first.error, third.error) == (None, None)
    assert [day.take_rows(USAGE.tables[0]).num_rows for day in (first, second, third)] == [
        len(ROWS),
        0,
        len(ROWS),
    ]
    assert isinstance(second.error, ContractBroken)
    assert str(TODAY) in str(second.error)
    assert second.error.request_id == "req_1"


def test_a_day_that_does_not_fit_into_memory_hides_no_other_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows_day, "MAX_DAY_BYTES", 10_000)
    after = TODAY + ONE_DAY
    many = [batch(ROWS, BOUNDS)] * 9
    large, small = gathered(
        USAGE, *many, DayEnd(TODAY), batch(ROWS[:2], BOUNDS, after), DayEnd(after)
    )
    assert isinstance(large.error, TooLarge)
    assert small.error is None
    assert small.take_rows(USAGE.tables[0]).num_rows == 2


def test_a_day_whose_answer_was_too_large_has_that_error() -> None:
    error = TooLarge("usage_report: too much")
    (day,) = gathered(USAGE, batch(ROWS, BOUNDS), DayEnd(TODAY, error))
    assert day.error is error
    assert day.take_rows(USAGE.tables[0]).num_rows == 0


def test_a_day_that_does_not_end_is_dropped() -> None:
    end = ReportEnd(TODAY, 1, "req_1")
    assert list(days(USAGE, [batch(ROWS, BOUNDS), end])) == [end]


def test_a_snapshot_that_cannot_be_kept_asks_for_no_more() -> None:
    def extracted() -> Iterator[Extracted]:
        yield batch([{"id": 5}])
        raise AssertionError("asked for more")

    (day,) = days(USERS, extracted())
    assert isinstance(day, Day)
    assert isinstance(day.error, ContractBroken)


def test_what_is_no_record_is_handed_on_in_its_place() -> None:
    note = AnswerFields({"page.truncated": True})
    first, second = days(USERS, [note, batch([]), DayEnd(TODAY)])
    assert first is note
    assert isinstance(second, Day)


# --- the same identifier twice


ADA, BEE = ({"id": f"user_{name}", "name": name} for name in ("ada", "bee"))


def test_a_record_that_a_snapshot_gives_twice_is_one_row() -> None:
    (day,) = gathered(USERS, batch([ADA, BEE, ADA]), batch([BEE, ADA]), DayEnd(TODAY))
    assert day.error is None
    assert day.take_rows(USERS.tables[0])["id"].to_pylist() == ["user_ada", "user_bee"]


@pytest.mark.parametrize("other", [{"name": "eda"}, {"name": "ada", "new": 1}])
def test_different_records_of_one_identifier_are_refused_without_their_values(
    other: dict[str, Any],
) -> None:
    (day,) = gathered(USERS, batch([ADA, BEE]), batch([{**ADA, **other}]), DayEnd(TODAY))
    text = str(day.error)
    assert text.startswith("users: field id: different rows of the table users have the same key")
    assert "ada" not in text
    assert day.take_rows(USERS.tables[0]).num_rows == 0


def test_a_key_of_several_columns_is_named_whole() -> None:
    roles = [{"user_id": "u", "workspace_role": role} for role in ("workspace_user", "other")]
    table = MEMBERS.tables[0]
    (day,) = gathered(MEMBERS, batch(roles, {"workspace_id": "w"}), DayEnd(TODAY))
    assert "field workspace_id, user_id: " in str(day.error)
    (one,) = gathered(
        MEMBERS,
        *(batch(roles[:1], {"workspace_id": name}) for name in ("w", "v", "w")),
        DayEnd(TODAY),
    )
    assert one.take_rows(table)["workspace_id"].to_pylist() == ["w", "v"]


def test_rows_that_are_put_together_are_distinct_too() -> None:
    (table,) = USERS.tables
    (day,) = gathered(USERS, batch([ADA, BEE]), DayEnd(TODAY))
    one = day.take_rows(table)
    assert distinct_rows(table, pa.concat_tables([one, one])) == one
    changed = one.set_column(4, "name", pa.array(["x", "y"]))
    assert changed.schema.names == one.schema.names
    with pytest.raises(FieldError, match="same key"):
        distinct_rows(table, pa.concat_tables([one, changed]))


def test_equal_rows_of_a_report_stay() -> None:
    assert rows([ROWS[0], ROWS[0]]).num_rows == 2


# --- workspace by workspace


def test_a_workspace_that_is_whole_hands_on_its_rows_and_the_day_has_all() -> None:
    (table,) = MEMBERS.tables
    one, two, three, four, day = days(
        MEMBERS,
        [
            batch([{"user_id": "a"}, {"user_id": "b"}], {"workspace_id": "w1"}),
            PartEnd(TODAY, "w1"),
            PartEnd(TODAY, "w2", ("left out",)),
            batch([{"user_id": "a"}], {"workspace_id": "w3"}),
            batch([{"user_id": "c"}], {"workspace_id": "w3"}),
            PartEnd(TODAY, "w3"),
            batch([], {"workspace_id": "w4"}),
            PartEnd(TODAY, "w4"),
            DayEnd(TODAY),
        ],
    )
    parts = [each for each in (one, two, three, four) if isinstance(each, Part)]
    assert [part.workspace_id for part in parts] == ["w1", "w2", "w3", "w4"]
    assert [part.rows[0]["user_id"].to_pylist() for part in parts] == [
        ["a", "b"],
        [],
        ["a", "c"],
        [],
    ]
    assert {part.rows[0].schema for part in parts} == {table.schema}
    assert parts[1].warnings == ("left out",)
    assert isinstance(day, Day)
    assert day.warnings == ("left out",)
    assert day.take_rows(table).num_rows == 4


def test_a_workspace_that_gives_a_member_twice_is_kept_once_or_not_at_all() -> None:
    """What is kept for the next run is as distinct as the snapshot: nobody looks at it again."""
    member = {"user_id": "a", "workspace_role": "workspace_user"}
    ends: list[Extracted] = [PartEnd(TODAY, "w1"), DayEnd(TODAY)]
    part, day = days(MEMBERS, [batch([member, member], {"workspace_id": "w1"}), *ends])
    assert isinstance(part, Part)
    assert part.rows[0].num_rows == 1
    other = member | {"workspace_role": "workspace_admin"}
    (day,) = days(MEMBERS, [batch([member, other], {"workspace_id": "w1"}), *ends])
    assert isinstance(day, Day)
    assert isinstance(day.error, ContractBroken)
