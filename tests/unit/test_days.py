"""However a day's records come, the rows are the same; and no page is kept longer than needed."""

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
from anthropic_lake.extract.batch import Batch, DayEnd
from anthropic_lake.extract.days import extract_days
from anthropic_lake.extract.snapshots import extract_snapshot
from anthropic_lake.rows import reader
from anthropic_lake.rows.day import days

USAGE = ASSETS["usage_report"]
TODAY = date(2026, 11, 20)
ORIGIN = Origin("req_1", "org-1")
BOUNDS = {"starting_at": "2026-11-20T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z"}
ROWS: list[dict[str, Any]] = [{"model": f"m{n}", "output_tokens": n} for n in range(100)]
NEW = [{**row, "thinking_tokens": 7} for row in ROWS]


def rows(found: list[dict[str, Any]]) -> pa.Table:
    """The rows of a day."""
    text = json.dumps(found, separators=(",", ":")).encode()
    (day,) = days(USAGE, [Batch(TODAY, text, ORIGIN, BOUNDS), DayEnd(TODAY)])
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
    asset, one_page = ASSETS[name], _OnePage(record)
    api, end = cast("AdminApi", one_page), TODAY + timedelta(days=1)
    extracted = (
        extract_days(asset, api, TODAY, end, complete_end=end)
        if asset.kind.dated
        else extract_snapshot(asset, api, TODAY)
    )
    gathered = days(asset, extracted)
    day = next(gathered)
    assert one_page.body() is None
    assert day.take_rows(asset.tables[0]).num_rows == rows_of_day
    assert list(gathered) == []
