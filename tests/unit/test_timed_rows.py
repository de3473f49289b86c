"""Rows that carry their own time bucket become days, whatever the pages and walks they come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.errors import BadRequest, ContractBroken, CursorExpired
from anthropic_lake.extract.batch import AnswerFields, ReportEnd
from anthropic_lake.extract.extraction import Extraction
from anthropic_lake.rows.day import Day, Part, days
from tests.unit.fakes import Asked, Reply, refusal, talk

Json = dict[str, Any]
Answer = Callable[[Asked], Reply | Exception]
COST, USAGE, CLAUDE_CODE = (
    ASSETS[name] for name in ("analytics_cost", "analytics_usage", "claude_code_usage")
)
HOURLY = USAGE.grouped(("model",), "1h")
START = date(2026, 10, 1)
ONE_DAY = timedelta(days=1)
LATEST = "Latest available data for this query is {}"


def day(number: int) -> date:
    """A day of October."""
    return START + (number - 1) * ONE_DAY


def row(start: date | datetime, number: int = 1, width: timedelta = ONE_DAY) -> Json:
    """A row of a time bucket, which its number tells apart."""
    then = start if isinstance(start, datetime) else datetime.combine(start, datetime.min.time())
    end = then + width
    bounds = {"starting_at": f"{then:%Y-%m-%dT%H:%M:%SZ}", "ending_at": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    figures = {"amount": str(number), "list_amount": str(number), "currency": "USD"}
    return {**bounds, "group": {"model": "m"}, "cost": figures, "usage": {"requests": number}}


def report(rows: list[Json], *, limit: int = 1000, **more: Any) -> Answer:
    """A report that gives the rows of the range that is asked for, so many a page."""

    def answer(asked: Asked) -> Reply:
        (start,), (end,) = asked.query["starting_at"], asked.query["ending_at"]
        asked_for = [each for each in rows if start <= each["starting_at"] < end]
        begin = int(asked.query.get("page", ["0"])[0])
        token = str(begin + limit) if begin + limit < len(asked_for) else ""
        return Reply({"data": asked_for[begin : begin + limit], "next_page": token, **more})

    return answer


class Walk:
    """An extraction, its days, and what the API was asked for."""

    def __init__(self, answer: Answer, asset: Asset = COST) -> None:
        self.asset = asset
        self.talk = talk(answer, asset=asset.name)
        self.extraction = Extraction(asset, self.talk.api)
        self.rest: list[Part | ReportEnd | AnswerFields] = []

    def days(
        self, start: date, end: date, complete_end: date | None = None
    ) -> dict[date, list[int] | None]:
        """The rows of each day that came, by their numbers; None where it cannot be kept."""
        extracted = self.extraction.days(start, end, complete_end=complete_end or end)
        came: dict[date, list[int] | None] = {}
        for item in days(self.asset, extracted):
            if isinstance(item, Day):
                rows = item.take_rows(self.asset.tables[0])
                name = "amount_cents" if self.asset.name == "analytics_cost" else "requests"
                came[item.date] = None if item.error else list(map(int, rows[name].to_pylist()))
            else:
                self.rest.append(item)
        return came

    @property
    def end(self) -> ReportEnd:
        (end,) = (item for item in self.rest if isinstance(item, ReportEnd))
        return end

    def asked(self, name: str) -> list[str]:
        return [text for asked in self.talk.asked for text in asked.query.get(name, [""])]


def test_a_request_names_everything_that_the_api_needs() -> None:
    walk = Walk(report([]))
    walk.days(day(1), day(32))
    (asked,) = walk.talk.asked
    assert asked.path == "/v1/organizations/analytics/cost"
    assert asked.headers["anthropic-beta"] == "analytics-usage-cost-2026-08-24"
    assert asked.query == {
        "starting_at": ["2026-10-01T00:00:00Z"],
        "ending_at": ["2026-11-01T00:00:00Z"],
        "time_bucket_width": ["1d"],
        "group_by[]": [
            "actor",
            "api_key_id",
            "workspace_id",
            "model",
            "product",
            "cost_type",
            "token_type",
        ],
        "order_by": ["time"],
        "order": ["asc"],
        "limit": ["1000"],
    }


def test_usage_has_no_dimensions_of_cost() -> None:
    walk = Walk(report([]), USAGE)
    walk.days(day(1), day(2))
    (asked,) = walk.talk.asked
    assert not {"cost_type", "token_type"} & set(asked.query["group_by[]"])


@given(
    numbers=st.lists(st.integers(0, 5), min_size=0, max_size=30).map(sorted),
    limit=st.integers(1, 9),
)
def test_each_row_arrives_once_on_its_day_whatever_the_pages(
    numbers: list[int], limit: int
) -> None:
    """Equal rows too: no two of them need be the same."""
    rows = [row(START + number * ONE_DAY, count) for count, number in enumerate(numbers)]
    came = Walk(report(rows, limit=limit)).days(START, day(7))
    assert came == {
        START + number * ONE_DAY: [c for c, n in enumerate(numbers) if n == number]
        for number in range(6)
    }


def test_equal_rows_stay_as_many_as_they_are() -> None:
    assert Walk(report([row(day(1), 7)] * 3)).days(day(1), day(2)) == {day(1): [7, 7, 7]}


def test_a_long_range_is_walked_in_pieces_of_31_days() -> None:
    walk = Walk(report([row(day(1)), row(day(40))]))
    came = walk.days(day(1), day(71))
    assert list(came) == [day(number) for number in range(1, 71)]
    assert [number for number, rows in enumerate(came.values(), 1) if rows] == [1, 40]
    assert [text[5:10] for text in walk.asked("starting_at")] == ["10-01", "11-01", "12-02"]
    assert [text[5:10] for text in walk.asked("ending_at")] == ["11-01", "12-02", "12-10"]
    assert (walk.end.end, walk.end.lag_days) == (day(71), 0)


def test_hours_of_a_day_are_one_day() -> None:
    noon = datetime(2026, 10, 1, 12)  # noqa: DTZ001  UTC, as the API writes it
    hours = [row(noon + timedelta(hours=n), n, timedelta(hours=1)) for n in range(20)]
    walk = Walk(report(hours, limit=7), HOURLY)
    assert walk.days(day(1), day(3)) == {day(1): list(range(12)), day(2): list(range(12, 20))}
    assert set(walk.asked("time_bucket_width")) == {"1h"}


# --- how far the API's data reaches


@pytest.mark.parametrize(
    ("refreshed", "came", "end", "lag_days"),
    [
        ("2026-10-05T00:00:00Z", [1, 2, 3, 4], 5, 0),
        ("2026-10-04T23:59:59Z", [1, 2, 3, 4], 4, 1),
        ("2026-10-04T00:00:00Z", [1, 2, 3], 4, 1),
        ("2026-10-02T06:00:00+07:00", [1], 1, 4),
        ("2026-09-20T00:00:00Z", [], 1, 4),
        (None, [1, 2, 3, 4], 5, 0),
    ],
)
def test_days_after_the_data_are_not_there_and_one_that_it_ends_in_is_not_complete(
    refreshed: str | None, came: list[int], end: int, lag_days: int
) -> None:
    walk = Walk(report([], data_refreshed_at=refreshed))
    assert list(walk.days(day(1), day(5))) == list(map(day, came))
    assert (walk.end.end, walk.end.lag_days) == (day(end), lag_days)


def test_a_day_with_rows_is_there_even_if_the_data_is_said_to_end_before() -> None:
    walk = Walk(report([row(day(3))], data_refreshed_at="2026-10-02T00:00:00Z"))
    assert walk.days(day(1), day(5)) == {day(1): [], day(2): [], day(3): [1]}
    assert walk.end.end == day(2)


def test_a_day_says_whether_all_its_data_was_there() -> None:
    walk = Walk(report([row(day(1))], data_refreshed_at="2026-10-02T06:00:00Z"))
    extracted = walk.extraction.days(day(1), day(3), complete_end=day(3))
    complete = [item.has_all_data for item in days(COST, extracted) if isinstance(item, Day)]
    assert complete == [True, False]


def test_the_earliest_of_the_pages_counts() -> None:
    times = iter(["2026-10-03T00:00:00Z", "2026-10-04T00:00:00Z"])
    rows = [row(day(1)), row(day(2))]

    def answer(asked: Asked) -> Reply:
        more = {"data_refreshed_at": next(times)}
        return report(rows, limit=1, **more)(asked)  # type: ignore[return-value]

    walk = Walk(answer)
    assert list(walk.days(day(1), day(4))) == [day(1), day(2)]
    assert walk.end.end == day(3)


def test_each_row_says_until_when_the_data_reached() -> None:
    walk = Walk(report([row(day(1))], data_refreshed_at="2026-10-03T04:00:00Z"))
    (found,) = (
        item
        for item in days(COST, walk.extraction.days(day(1), day(2), complete_end=day(2)))
        if isinstance(item, Day)
    )
    rows = found.take_rows(COST.tables[0]).to_pylist()
    assert rows[0]["data_refreshed_at"] == datetime(2026, 10, 3, 4, tzinfo=UTC)
    assert "refreshed" not in str(rows[0]["extra"])


@pytest.mark.parametrize("text", ["yesterday", "2026-10-03T04:00:00", 5])
def test_a_refresh_that_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(ContractBroken, match="data_refreshed_at"):
        Walk(report([], data_refreshed_at=text)).days(day(1), day(2))


# --- walks that end before their time


def expiring(rows: list[Json], times: int) -> Answer:
    """A report of a row a page whose tokens expire, so many times."""
    left = [times]

    def answer(asked: Asked) -> Reply | Exception:
        if asked.query.get("page") == ["3"] and left[0]:
            left[0] -= 1
            return refusal(410, "the cursor has expired")
        return report(rows, limit=1)(asked)

    return answer


def test_an_expired_token_starts_again_from_the_first_day_that_is_not_whole() -> None:
    rows = [row(day(1), 1), row(day(2), 2), row(day(2), 3), row(day(2), 4), row(day(3), 5)]
    walk = Walk(expiring(rows, 1))
    assert walk.days(day(1), day(4)) == {day(1): [1], day(2): [2, 3, 4], day(3): [5]}
    starts = [text[8:10] for text in walk.asked("starting_at")]
    assert starts == ["01", "01", "01", "01", "02", "02", "02", "02"]


def test_tokens_that_expire_for_ever_are_an_error() -> None:
    def answer(asked: Asked) -> Reply | Exception:
        if "page" in asked.query:
            return refusal(410, "the cursor has expired")
        return report([row(day(1))] * 2, limit=1)(asked)

    walk = Walk(answer)
    with pytest.raises(CursorExpired, match="raise REQUESTS_PER_MINUTE"):
        walk.days(day(1), day(3))
    assert len(walk.talk.asked) == 8


def test_a_walk_that_has_no_token_yet_is_not_started_again() -> None:
    """An expired cursor is none; the same request would be refused again."""
    walk = Walk(lambda _: refusal(410, "gone"))
    with pytest.raises(BadRequest, match=r"HTTP 410 for a page without a token.*req_001"):
        walk.days(day(1), day(3))
    assert len(walk.talk.asked) == 1


def test_an_expired_token_starts_a_day_of_claude_code_again() -> None:
    left = [1]

    def answer(asked: Asked) -> Reply | Exception:
        if "page" in asked.query and left[0]:
            left[0] -= 1
            return refusal(410, "the cursor has expired")
        first = "page" not in asked.query
        record = {"date": "2026-10-01T00:00:00Z", "terminal_type": "a" if first else "b"}
        return Reply({"data": [record], "has_more": first, "next_page": "p" if first else None})

    extraction = Extraction(CLAUDE_CODE, talk(answer, asset=CLAUDE_CODE.name).api)
    extracted = extraction.days(day(1), day(2), complete_end=day(2))
    (found,) = (item for item in days(CLAUDE_CODE, extracted) if isinstance(item, Day))
    terminals = found.take_rows(CLAUDE_CODE.tables[0])["terminal_type"].to_pylist()
    assert terminals == ["a", "b"]


def test_days_after_the_latest_that_the_api_has_are_not_there() -> None:
    rows = [row(day(number), number) for number in range(1, 4)]

    def answer(asked: Asked) -> Reply | Exception:
        if asked.query["ending_at"][0] > "2026-10-04T00:00:00Z":
            return refusal(400, LATEST.format("2026-10-03"))
        return report(rows)(asked)

    walk = Walk(answer)
    assert walk.days(day(1), day(6)) == {day(1): [1], day(2): [2], day(3): [3]}
    assert (walk.end.end, walk.end.lag_days) == (day(4), 2)
    assert walk.end.refusal
    assert "Latest available" in walk.end.refusal


def test_a_refusal_in_the_middle_forgets_the_day_that_had_begun() -> None:
    rows = [row(day(1), 1), row(day(1), 2)]

    def answer(asked: Asked) -> Reply | Exception:
        if asked.query["ending_at"][0] > "2026-10-04T00:00:00Z" and "page" in asked.query:
            return refusal(400, LATEST.format("2026-10-03"))
        return report(rows, limit=1)(asked)

    assert Walk(answer).days(day(1), day(9)) == {day(1): [1, 2], day(2): [], day(3): []}


def test_another_refusal_is_an_error() -> None:
    with pytest.raises(BadRequest, match="no such dimension"):
        Walk(lambda _: refusal(400, "no such dimension")).days(day(1), day(2))


def test_pages_that_are_too_large_are_asked_for_with_fewer_rows() -> None:
    rows = [row(day(1), 1), row(day(1), 2), row(day(2), 3)]

    def answer(asked: Asked) -> Reply | Exception:
        limit = int(asked.query["limit"][0])
        padding = " " * (20 << 20) if limit > 15 else ""
        reply = report(rows, limit=limit)(asked)
        assert isinstance(reply, Reply)
        return Reply(json.dumps(reply.body).encode() + padding.encode())

    walk = Walk(answer)
    walk.talk.connection.memory_bytes = 150 << 20
    assert walk.days(day(1), day(3)) == {day(1): [1, 2], day(2): [3]}
    assert walk.asked("limit") == ["1000", "125", "15"]


def test_a_row_that_is_too_large_does_not_hide_the_days_after_it() -> None:
    def answer(asked: Asked) -> Reply | Exception:
        reply = report([row(day(1), 1), row(day(2), 2)], limit=1)(asked)
        assert isinstance(reply, Reply)
        is_large = asked.query["starting_at"] == ["2026-10-01T00:00:00Z"]
        return Reply(json.dumps(reply.body).encode() + b" " * ((20 << 20) if is_large else 0))

    walk = Walk(answer)
    walk.talk.connection.memory_bytes = 150 << 20
    assert walk.days(day(1), day(3)) == {day(1): None, day(2): [2]}


# --- pages that break the contract


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ([row(day(2)), row(day(1))], "starting_at"),
        ([row(day(1), width=timedelta(days=2))], "starting_at"),
        ([{**row(day(1)), "starting_at": None}], "starting_at"),
        ([{**row(day(1)), "ending_at": "2026-10-02"}], "ending_at"),
        ([{**row(day(1)), "ending_at": "2026-10-01T00:00:00Z"}], "starting_at"),
        (["a row"], "data"),
    ],
)
def test_rows_that_are_out_of_order_or_have_no_time_bucket_are_refused(
    rows: list[Any], field: str
) -> None:
    with pytest.raises(ContractBroken, match=field):
        Walk(lambda _: Reply({"data": rows})).days(day(1), day(5))


@pytest.mark.parametrize("outside", [date(2026, 9, 30), day(5)])
def test_a_row_outside_the_window_is_refused(outside: date) -> None:
    with pytest.raises(ContractBroken, match="outside the window"):
        Walk(lambda _: Reply({"data": [row(outside)]})).days(day(1), day(5))


def test_pages_may_not_go_back_in_time() -> None:
    def answer(asked: Asked) -> Reply:
        first = "page" not in asked.query
        return Reply({"data": [row(day(2 if first else 1))], "next_page": "p" if first else None})

    with pytest.raises(ContractBroken, match="out of order"):
        Walk(answer).days(day(1), day(5))


def test_a_cost_without_an_amount_breaks_its_day_and_no_other() -> None:
    broken = row(day(1))
    del broken["cost"]["amount"]
    assert Walk(report([broken, row(day(2))])).days(day(1), day(3)) == {day(1): None, day(2): [1]}


def test_unknown_fields_of_a_page_are_counted() -> None:
    walk = Walk(report([row(day(1))], truncated=True))
    walk.days(day(1), day(2))
    (fields,) = (item for item in walk.rest if isinstance(item, AnswerFields))
    assert fields.fields == {"page.truncated": True}
    assert fields.warnings == ("the API says page.truncated: true",)
