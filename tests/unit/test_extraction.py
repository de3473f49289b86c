"""An extraction tells which days came, from which answers, and what no record can keep."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.errors import ApiError, BadRequest, ContractBroken, MissingPermission, NotFound
from anthropic_lake.extract.batch import AnswerFields, Batch, DayEnd, Extracted, PartEnd, ReportEnd
from anthropic_lake.extract.extraction import Extraction
from tests.unit.fakes import Asked, Reply, refusal, talk

Json = dict[str, Any]
Answer = Callable[[Asked], Reply | Exception]
COST, CLAUDE_CODE, MEMBERS, USERS = (
    ASSETS[name] for name in ("cost_report", "claude_code_usage", "workspace_members", "users")
)
HOURLY = ASSETS["usage_report"].grouped(("model",), "1h")
START = date(2026, 10, 1)
ONE_DAY = timedelta(days=1)
LATE = datetime(2026, 12, 1, tzinfo=UTC)
LATEST = "Latest available data for this query is {}"


def day(number: int) -> date:
    """A day of October."""
    return START + (number - 1) * ONE_DAY


def buckets(asked: Asked, until: datetime, *, gap: tuple[date, ...] = ()) -> list[Json]:
    """The time buckets that are asked for and end by then."""
    (start,), (end,) = asked.query["starting_at"], asked.query["ending_at"]
    width = timedelta(hours=1) if asked.query["bucket_width"] == ["1h"] else ONE_DAY
    found, then = [], datetime.fromisoformat(start)
    while then + width <= min(until, datetime.fromisoformat(end)):
        if then.date() not in gap:
            found.append(bucket(then, then + width))
        then += width
    return found


def bucket(start: datetime, end: datetime, **more: Any) -> Json:
    bounds = {"starting_at": start.isoformat(), "ending_at": end.isoformat()}
    return {**bounds, "results": [], **more}


def page(records: list[Json], **more: Any) -> Reply:
    return Reply({"data": records, "has_more": False, "next_page": None, "last_id": None, **more})


def reaching(until: str, **more: Any) -> Answer:
    """A report that reaches until then, a page at a time."""
    moment = datetime.fromisoformat(until).replace(tzinfo=UTC)
    return lambda asked: paged(asked, buckets(asked, moment, **more))


def paged(asked: Asked, found: list[Json]) -> Reply:
    """The page that is asked for, whose token is where it begins."""
    begin = int(asked.query.get("page", ["0"])[0])
    end = begin + int(asked.query["limit"][0])
    more = {"has_more": True, "next_page": str(end)} if end < len(found) else {}
    return page(found[begin:end], **more)


class Walk:
    """An extraction and what the API was asked for."""

    def __init__(self, asset: Asset, answer: Answer) -> None:
        self.talk = talk(answer, asset=asset.name)
        self.extraction = Extraction(asset, self.talk.api)

    def days(self, start: date, end: date, complete_end: date) -> tuple[list[date], ReportEnd]:
        """The days that came, and the end of the report."""
        items = list(self.extraction.days(start, end, complete_end=complete_end))
        assert isinstance(items[-1], ReportEnd)
        return [item.day for item in items if isinstance(item, DayEnd)], items[-1]

    def asked(self, name: str) -> list[str]:
        return [text for asked in self.talk.asked for text in asked.query[name]]


# --- how far a report reaches


def test_a_report_that_comes_whole_has_no_lag() -> None:
    came, end = Walk(COST, reaching("2026-10-05")).days(day(1), day(5), day(5))
    assert came == [day(1), day(2), day(3), day(4)]
    assert (end.end, end.lag_days, end.refusal) == (day(5), 0, None)
    assert end.request_id == "req_001"


def test_days_after_the_last_time_bucket_are_not_there_and_those_between_are_empty() -> None:
    walk = Walk(COST, reaching("2026-10-04", gap=(day(1), day(2))))
    came, end = walk.days(day(1), day(7), day(6))
    assert came == [day(1), day(2), day(3)]
    assert (end.end, end.lag_days) == (day(4), 2)


def test_nothing_came_and_no_day_is_empty() -> None:
    came, end = Walk(COST, lambda _: page([])).days(day(1), day(7), day(6))
    assert came == []
    assert (end.end, end.lag_days) == (day(1), 5)


def test_a_complete_day_of_hours_is_whole_only_when_they_reach_its_end() -> None:
    walk = Walk(HOURLY, reaching("2026-10-03T20:00"))
    came, end = walk.days(day(1), day(5), day(5))
    assert came == [day(1), day(2)]
    assert (end.end, end.lag_days) == (day(3), 2)


@pytest.mark.parametrize(
    ("until", "came"), [("2026-10-03", []), ("2026-10-03T01:00", [3]), ("2026-10-04", [3])]
)
def test_the_open_day_is_there_when_any_of_its_time_buckets_is(until: str, came: list[int]) -> None:
    found, end = Walk(HOURLY, reaching(until)).days(day(3), day(4), day(3))
    assert found == list(map(day, came))
    assert end.lag_days == 0


def test_a_day_that_has_not_settled_does_not_lag() -> None:
    came, end = Walk(COST, reaching("2026-10-03")).days(day(1), day(4), day(3))
    assert came == [day(1), day(2)]
    assert end.lag_days == 0


def test_days_that_did_not_come_are_empty_once_a_later_time_bucket_came() -> None:
    """A day that came in part is asked for again: its rows are gone."""
    late, whole = (reaching(until, gap=(day(3),)) for until in ("2026-10-02T20:00", "2026-10-09"))

    def answer(asked: Asked) -> Reply | Exception:
        return (
            late(asked) if asked.query["starting_at"] == ["2026-10-01T00:00:00Z"] else whole(asked)
        )

    walk = Walk(HOURLY, answer)
    first, end = walk.days(day(1), day(4), day(9))
    assert (first, end.lag_days) == ([day(1)], 2)
    came, end = walk.days(end.end, day(6), day(9))
    assert came == [day(2), day(3), day(4), day(5)]
    assert end.lag_days == 0
    assert walk.asked("starting_at")[1].startswith("2026-10-02")


@pytest.mark.parametrize("asset", [COST, CLAUDE_CODE], ids=lambda asset: asset.name)
@pytest.mark.parametrize(("latest", "came"), [(3, 3), (1, 1), (-5, 0)])
def test_a_refusal_that_names_the_latest_day_ends_the_report_after_it(
    asset: Asset, latest: int, came: int
) -> None:
    def answer(asked: Asked) -> Reply:
        (last,) = asked.query.get("ending_at", asked.query["starting_at"])
        until = date.fromisoformat(last[:10]) - (
            ONE_DAY if "ending_at" in asked.query else 0 * ONE_DAY
        )
        if until > day(latest):
            return refusal(400, LATEST.format(day(latest)))
        return page(buckets(asked, LATE) if asset is COST else [])

    walk = Walk(asset, answer)
    found, end = walk.days(day(1), day(6), day(6))
    assert found == [day(number) for number in range(1, came + 1)]
    assert (end.end, end.lag_days) == (day(came + 1), 5 - came)
    assert end.refusal
    assert str(day(latest)) in end.refusal
    assert len(walk.talk.asked) <= came + 2


@pytest.mark.parametrize("asset", [COST, CLAUDE_CODE], ids=lambda asset: asset.name)
@pytest.mark.parametrize(
    "reply",
    [
        refusal(400, "no"),
        refusal(400, LATEST.format("2026-10-05")),
        refusal(400, LATEST.format("9999-12-31")),
        refusal(400, LATEST.format("2026-99-99")),
        refusal(413, LATEST.format("2026-10-01")),
    ],
)
def test_a_refusal_for_another_reason_is_one(asset: Asset, reply: Reply) -> None:
    walk = Walk(asset, lambda _: reply)
    with pytest.raises(BadRequest):
        walk.days(day(1), day(6), day(6))
    assert len(walk.talk.asked) <= 2


@pytest.mark.parametrize(
    "bound", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "9999-12-31T12:00:00Z"]
)
def test_a_time_bucket_at_the_end_of_the_calendar_is_refused_by_name(bound: str) -> None:
    one = {"starting_at": bound, "ending_at": bound, "results": []}
    with pytest.raises(ContractBroken) as caught:
        Walk(COST, lambda _: page([one])).days(day(1), day(2), day(2))
    assert caught.value.field == "starting_at"


# --- what is learnt


def test_the_page_size_that_was_learnt_is_kept_in_the_next_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("anthropic_lake.extract.buckets.SHRINK_ABOVE_BYTES", 500)
    walk = Walk(COST, reaching("2027-01-01"))
    for start, end in ((1, 32), (32, 63)):
        came, _ = walk.days(day(start), day(end), day(63))
        assert len(came) == end - start
    limits = list(map(int, walk.asked("limit")))
    assert limits[0] == 31
    assert 1 < limits[1] < 10
    assert set(limits[1:-1]) == {limits[1]}


def test_a_time_bucket_that_is_too_large_is_its_days_and_the_days_after_it_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("anthropic_lake.extract.buckets._MAX_BYTES_OF_SEVERAL_BUCKETS", 1000)
    monkeypatch.setattr("anthropic_lake.extract.buckets._MAX_BYTES_OF_ONE_BUCKET", 1000)

    def answer(asked: Asked) -> Reply:
        found = buckets(asked, LATE)
        for each in found:
            if each["starting_at"].startswith(str(day(3))):
                each["results"] = [{"description": "x" * 2000}]
        return paged(asked, found)

    items = list(Walk(COST, answer).extraction.days(day(1), day(6), complete_end=day(6)))
    ends = [item for item in items if isinstance(item, DayEnd)]
    assert [end.day for end in ends] == [day(number) for number in range(1, 6)]
    assert [end.day for end in ends if end.error] == [day(3)]
    assert isinstance(items[-1], ReportEnd)
    assert items[-1].lag_days == 0


def test_a_day_of_its_own_that_is_too_large_does_not_hide_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("anthropic_lake.api.client.AdminApi.pages", _limited(1000))
    big = [{"terminal_type": "x" * 2000}]
    walk = Walk(
        CLAUDE_CODE,
        lambda asked: page(big if asked.query["starting_at"] == [str(day(2))] else []),
    )
    items = list(walk.extraction.days(day(1), day(4), complete_end=day(4)))
    errors = {item.day: item.error for item in items if isinstance(item, DayEnd)}
    assert list(errors) == [day(1), day(2), day(3)]
    assert [each for each, error in errors.items() if error] == [day(2)]


def _limited(max_bytes: int) -> Any:
    """Pages of at most so many bytes."""
    from anthropic_lake.api.client import AdminApi

    pages = AdminApi.pages
    return lambda *arguments, **more: pages(*arguments, **{**more, "max_body_bytes": max_bytes})


# --- what belongs to no record


def fields(items: list[Extracted]) -> list[Json]:
    return [dict(item.fields) for item in items if isinstance(item, AnswerFields)]


def test_unknown_members_of_a_page_are_handed_on_with_their_paths() -> None:
    known = {"first_id": "a", "has_more": False, "next_page": "stray", "last_id": None}
    user = {"id": "user_1"}
    more = {"truncated": True, "a.b": {"c": 1}}
    walk = Walk(USERS, lambda _: page([user], **known, **more))
    items = list(walk.extraction.snapshot(START))
    assert fields(items) == [{"page.truncated": True, r"page.a\.b": {"c": 1}}]
    assert [type(item) for item in items] == [AnswerFields, Batch, DayEnd]


@pytest.mark.parametrize("asset", [COST, CLAUDE_CODE], ids=lambda asset: asset.name)
def test_a_page_without_records_may_have_unknown_members(asset: Asset) -> None:
    walk = Walk(asset, lambda _: page([], warning="only a part"))
    items = list(walk.extraction.days(day(1), day(2), complete_end=day(2)))
    assert fields(items) == [{"page.warning": "only a part"}]


def test_the_pages_of_workspaces_and_of_members_may_have_unknown_members() -> None:
    walk = Walk(MEMBERS, members({"w1": page([], note=2)}, note=1))
    assert fields(list(walk.extraction.snapshot(START))) == [{"page.note": 1}, {"page.note": 2}]


@pytest.mark.parametrize(
    ("member", "warnings"),
    [
        ({"truncated": True}, ("the API says page.truncated: true",)),
        ({"warning": "call a@b.example"}, ('the API says page.warning: "call [redacted]"',)),
        ({"truncated": False}, ()),
        ({"note": "x"}, ()),
    ],
)
def test_truncated_and_warning_are_warnings(member: Json, warnings: tuple[str, ...]) -> None:
    items = list(Walk(USERS, lambda _: page([], **member)).extraction.snapshot(START))
    (found,) = [item for item in items if isinstance(item, AnswerFields)]
    assert found.warnings == warnings


def test_a_member_that_cannot_be_read_is_a_broken_page() -> None:
    body = b'{"data":[],"has_more":false,"note":{"a":1,"a":2}}'
    with pytest.raises(ContractBroken) as caught:
        list(Walk(USERS, lambda _: Reply(body)).extraction.snapshot(START))
    assert caught.value.field == "note"


def test_an_unknown_field_of_a_time_bucket_goes_with_its_records_or_alone() -> None:
    start, end = (datetime.fromisoformat(f"{each}T00:00:00+00:00") for each in (day(1), day(2)))
    full = bucket(start, end, note=1, model="m", results=[{"note": 2}])
    empty = bucket(end, end + ONE_DAY, note=3)
    items = list(
        Walk(COST, lambda _: page([full, empty])).extraction.days(
            day(1), day(3), complete_end=day(3)
        )
    )
    first, second = [item for item in items if isinstance(item, Batch)]
    assert first.shared["time_bucket.note"] == 1
    assert first.shared["time_bucket.model"] == "m"
    assert not {"note", "model"} & first.shared.keys()
    assert "time_bucket.note" not in second.shared
    assert fields(items) == [{"time_bucket.note": 3}]


# --- workspace by workspace


def members(lists: dict[str, Reply], *, archived: tuple[str, ...] = (), **more: Any) -> Answer:
    """Workspaces and the answers to their lists."""
    workspaces = [
        {"id": name, "archived_at": "2026-01-01T00:00:00Z" if name in archived else None}
        for name in lists
    ]

    def answer(asked: Asked) -> Reply:
        if not asked.path.endswith("/members"):
            return page(workspaces, **more)
        return lists[asked.path.split("/")[-2]]

    return answer


def parts(items: list[Extracted]) -> dict[str | None, bool]:
    """The workspaces that ended, and whether they are left out."""
    return {item.workspace_id: bool(item.warnings) for item in items if isinstance(item, PartEnd)}


def test_a_workspace_ends_after_its_records() -> None:
    walk = Walk(MEMBERS, members({"w1": page([{"user_id": "u1"}]), "w2": page([])}))
    items = list(walk.extraction.snapshot(START))
    assert [type(item) for item in items] == [Batch, PartEnd, Batch, PartEnd, DayEnd]
    assert parts(items) == {"w1": False, "w2": False}
    batch = items[0]
    assert isinstance(batch, Batch)
    assert batch.shared == {"workspace_id": "w1"}


def test_workspaces_that_are_done_are_not_asked_for() -> None:
    walk = Walk(MEMBERS, members({name: page([]) for name in ("w1", "w2", "w3")}))
    items = list(walk.extraction.snapshot(START, done=frozenset({"w1", "w3", "w9"})))
    assert parts(items) == {"w2": False}
    assert len(walk.talk.asked) == 2


def test_a_workspace_that_is_listed_twice_is_asked_for_once() -> None:
    answer = members({"w1": page([])})

    def twice(asked: Asked) -> Reply | Exception:
        if asked.path.endswith("/members"):
            return answer(asked)
        return page([{"id": "w1"}, {"id": "w1"}])

    walk = Walk(MEMBERS, twice)
    assert parts(list(walk.extraction.snapshot(START))) == {"w1": False}
    assert len(walk.talk.asked) == 2


@pytest.mark.parametrize("status", [400, 404])
def test_a_workspace_whose_list_is_refused_is_named_and_left_out(status: int) -> None:
    lists = {"w1": refusal(status, "none"), "w2": page([{"user_id": "u"}]), "w3": refusal(status)}
    items = list(Walk(MEMBERS, members(lists)).extraction.snapshot(START))
    assert parts(items) == {"w1": True, "w2": False, "w3": True}
    (warning,) = next(item.warnings for item in items if isinstance(item, PartEnd))
    assert "'w1'" in warning
    assert f"HTTP {status}, none" in warning
    assert len([item for item in items if isinstance(item, Batch)]) == 1


@pytest.mark.parametrize("status", [402, 403, 410, 413])
def test_a_workspace_that_fails_otherwise_fails_the_snapshot(status: int) -> None:
    lists = {"w1": page([]), "w2": refusal(status)}
    with pytest.raises(ApiError) as caught:
        list(Walk(MEMBERS, members(lists)).extraction.snapshot(START))
    assert caught.value.status == status


def test_a_page_token_that_is_refused_is_no_workspace_without_a_list() -> None:
    def answer(asked: Asked) -> Reply:
        if not asked.path.endswith("/members"):
            return page([{"id": "w1"}])
        if "after_id" in asked.query:
            return refusal(400, "Invalid page token")
        return page([{"user_id": "u1"}], has_more=True, last_id="u1")

    with pytest.raises(BadRequest):
        list(Walk(MEMBERS, answer).extraction.snapshot(START))


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (404, NotFound)])
def test_a_snapshot_is_not_empty_because_no_list_answers(status: int, kind: type[ApiError]) -> None:
    refused = {"w1": refusal(status), "w2": refusal(status)}
    with pytest.raises(kind):
        list(Walk(MEMBERS, members(refused)).extraction.snapshot(START))
    archived = Walk(MEMBERS, members(refused, archived=("w1", "w2")))
    assert parts(list(archived.extraction.snapshot(START))) == {"w1": True, "w2": True}
    resumed = Walk(MEMBERS, members({**refused, "w3": page([])}))
    assert len(parts(list(resumed.extraction.snapshot(START, done={"w3"})))) == 2


def test_no_workspace_ends_before_the_one_that_fails() -> None:
    """Else a run would remember as done what it has not read."""
    lists = {"w1": page([]), "w2": refusal(403), "w3": page([])}
    extracted = Walk(MEMBERS, members(lists)).extraction.snapshot(START)
    found: list[Extracted] = []
    with pytest.raises(MissingPermission):
        found.extend(extracted)
    assert parts(found) == {"w1": False}


def test_the_body_of_an_organization_is_its_record_alone() -> None:
    body = json.dumps({"id": "org", "warning": "kept in its row"}).encode()
    items = list(Walk(ASSETS["organization"], lambda _: Reply(body)).extraction.snapshot(START))
    assert [type(item) for item in items] == [Batch, DayEnd]
