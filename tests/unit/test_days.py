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

    def __init__(self) -> None:
        bucket = {**BOUNDS, "results": ROWS}
        self._page: Page | None = Page(_Body(json.dumps([bucket]).encode()), ORIGIN)
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


def test_a_page_is_let_go_before_its_last_day_is_written() -> None:
    api = _OnePage()
    end = TODAY + timedelta(days=1)
    extracted = extract_days(USAGE, cast("AdminApi", api), TODAY, end, complete_end=end)
    found = days(USAGE, extracted)
    day = next(found)
    assert api.body() is None
    assert day.take_rows(USAGE.tables[0]).num_rows == len(ROWS)
    assert list(found) == []
