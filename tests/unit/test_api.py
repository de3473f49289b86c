"""The client asks as the API wants it, tries again what may pass, and refuses broken contracts."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake import __version__
from anthropic_lake.api.client import AdminApi, body_limit_bytes
from anthropic_lake.api.connection import Pace
from anthropic_lake.api.paging import Paging
from anthropic_lake.api.refusals import http_date
from anthropic_lake.errors import (
    ApiError,
    ApiUnavailable,
    ApiUnreachable,
    BadKey,
    BadRequest,
    ContractBroken,
    CursorExpired,
    DeadlineReached,
    MissingPermission,
    NotFound,
    RateLimited,
    SecretError,
    TooLarge,
)
from tests.unit.fakes import (
    KEY,
    ORGANIZATION,
    Asked,
    Reply,
    Talk,
    one_after_the_other,
    refusal,
    talk,
)

PATH = "/v1/organizations/users"
Json = dict[str, Any]
ACCEPTED = Reply({"ok": True})
SPEND_LIMIT = Reply(
    {"error": {"message": "limit", "details": {"error_code": "enforced_spend_limit_reached"}}},
    429,
    {"x-should-retry": "true"},
)
ABSURD_DATES = [
    "Fri, 31 Dec 9999 23:59:59 -2300",
    "Sun, 22 Nov 2026 06:00:00 +99999999999999999999",
    "Sun, 99 Nov 2026 99:00:00 GMT",
    "Sun, 22 Nov " + "9" * 5000 + " 06:00:00 GMT",
]


def listed(ids: list[int], *, more: bool = False, **fields: Any) -> Reply:
    """A page of a list that is walked by ids."""
    last = str(ids[-1]) if ids else None
    page = {"data": [{"id": str(each)} for each in ids], "has_more": more, "last_id": last}
    return Reply({**page, "first_id": str(ids[0]) if ids else None, **fields})


def tokened(ids: list[int], token: str | None) -> Reply:
    """A page of a report, with the token of the next."""
    data = [{"id": str(each)} for each in ids]
    return Reply({"data": data, "has_more": token is not None, "next_page": token})


def walk(talk: Talk, paging: Paging, **given: Any) -> list[str]:
    """The ids on all pages."""
    pages = talk.api.pages(PATH, paging, [("limit", "2")], **given)
    return [record["id"] for page in pages for record in json.loads(bytes(page.data))]


def broken(*replies: Reply, paging: Paging = Paging.PAGE_TOKEN) -> ContractBroken:
    conversation = talk(one_after_the_other(*replies))
    with pytest.raises(ContractBroken) as caught:
        walk(conversation, paging)
    assert conversation.slept == []
    return caught.value


# --- requests


def test_a_request_carries_key_version_and_agent_and_no_beta() -> None:
    conversation = talk(lambda _: ACCEPTED)
    answer = conversation.api.get(PATH, [("group_by[]", "model"), ("group_by[]", "speed")])
    (asked,) = conversation.asked
    assert asked.path == PATH
    assert asked.query == {"group_by[]": ["model", "speed"]}
    assert asked.headers["x-api-key"] == KEY
    assert asked.headers["anthropic-version"] == "2023-06-01"
    assert asked.headers["user-agent"] == f"anthropic-lake/{__version__}"
    assert "anthropic-beta" not in asked.headers
    assert (answer.origin.request_id, answer.origin.organization_id) == ("req_001", ORGANIZATION)


def test_a_beta_is_asked_for_where_one_is_needed() -> None:
    conversation = talk(lambda _: ACCEPTED)
    conversation.api.get(PATH, beta="fast-mode-2026-02-01")
    assert conversation.asked[0].headers["anthropic-beta"] == "fast-mode-2026-02-01"


# --- pages


def test_a_list_is_walked_by_the_last_id_until_there_is_no_more() -> None:
    replies = (listed([1, 2], more=True), listed([3, 4], more=True), listed([5]))
    conversation = talk(one_after_the_other(*replies))
    assert walk(conversation, Paging.AFTER_ID) == ["1", "2", "3", "4", "5"]
    assert [asked.query.get("after_id") for asked in conversation.asked] == [None, ["2"], ["4"]]
    assert {tuple(asked.query["limit"]) for asked in conversation.asked} == {("2",)}


def test_a_report_is_walked_by_its_token_with_the_same_query() -> None:
    replies = (tokened([1], "t/1+ä"), tokened([], "t2"), tokened([2], None))
    conversation = talk(one_after_the_other(*replies))
    assert walk(conversation, Paging.PAGE_TOKEN) == ["1", "2"]
    assert [asked.query.get("page") for asked in conversation.asked] == [None, ["t/1+ä"], ["t2"]]


@pytest.mark.parametrize("paging", [Paging.AFTER_ID, Paging.PAGE_TOKEN, Paging.TOKEN_ALONE])
def test_an_empty_list_is_one_page(paging: Paging) -> None:
    empty = {"data": [], "has_more": False, "last_id": None, "next_page": None}
    conversation = talk(lambda _: Reply(empty))
    assert walk(conversation, paging) == []
    assert len(conversation.asked) == 1


def test_the_last_id_of_the_last_page_is_not_followed() -> None:
    conversation = talk(lambda _: listed([1, 2]))
    assert walk(conversation, Paging.AFTER_ID) == ["1", "2"]
    assert len(conversation.asked) == 1


def test_pages_are_asked_for_one_at_a_time() -> None:
    conversation = talk(one_after_the_other(tokened([1], "a"), tokened([2], None)))
    pages = conversation.api.pages(PATH, Paging.PAGE_TOKEN)
    next(pages)
    assert len(conversation.asked) == 1


@pytest.mark.parametrize(
    ("page", "field"),
    [
        ({"data": [], "has_more": True, "next_page": None}, "next_page"),
        ({"data": [], "has_more": True, "next_page": ""}, "next_page"),
        ({"data": [], "has_more": True, "next_page": 5}, "next_page"),
        ({"data": [], "has_more": True}, "next_page"),
        ({"data": []}, "has_more"),
        ({"data": [], "has_more": None}, "has_more"),
        ({"data": [], "has_more": "false"}, "has_more"),
        ({"has_more": False}, "data"),
        ({"data": None, "has_more": False}, "data"),
        ({"data": {}, "has_more": False}, "data"),
        ({"type": "error"}, "data"),
        (b'{"data": [], "has_more": true, "next_page": "\xff"}', "next_page"),
    ],
)
def test_a_page_without_its_parts_is_no_silent_end(page: Json | bytes, field: str) -> None:
    error = broken(Reply(page))
    assert (error.field, error.request_id) == (field, "req_001")
    assert str(error).startswith(f"users: field {field}: ")
    assert "req_001" in str(error)


@pytest.mark.parametrize("has_more", [{}, {"has_more": None}, {"has_more": False}])
@pytest.mark.parametrize("token", [{}, {"next_page": None}, {"next_page": ""}])
def test_where_has_more_may_be_missing_a_page_without_a_token_is_the_last(
    has_more: Json, token: Json
) -> None:
    pages = (
        {"data": [{"id": "1"}], "next_page": "a"},
        {"data": [{"id": "2"}], **has_more, **token},
    )
    conversation = talk(one_after_the_other(*map(Reply, pages)))
    assert walk(conversation, Paging.TOKEN_ALONE) == ["1", "2"]
    assert [asked.query.get("page") for asked in conversation.asked] == [None, ["a"]]


def test_a_stray_token_is_not_followed_where_has_more_says_that_there_is_no_more() -> None:
    conversation = talk(lambda _: Reply({"data": [], "has_more": False, "next_page": "stray"}))
    assert walk(conversation, Paging.TOKEN_ALONE) == []
    assert len(conversation.asked) == 1


@pytest.mark.parametrize(
    ("page", "field"),
    [
        ({"data": [], "has_more": True}, "next_page"),
        ({"data": [], "has_more": True, "next_page": None}, "next_page"),
        ({"data": [], "has_more": True, "next_page": ""}, "next_page"),
        ({"data": [], "next_page": 5}, "next_page"),
        ({"data": [], "next_page": False}, "next_page"),
        ({"data": [], "has_more": "true", "next_page": "a"}, "has_more"),
        ({"data": [], "has_more": 0}, "has_more"),
        ({"next_page": None}, "data"),
    ],
)
def test_where_has_more_may_be_missing_nothing_else_may_be_wrong(page: Json, field: str) -> None:
    assert broken(Reply(page), paging=Paging.TOKEN_ALONE).field == field


def test_a_list_that_has_more_without_a_last_id_is_refused() -> None:
    assert broken(listed([], more=True), paging=Paging.AFTER_ID).field == "last_id"


@pytest.mark.parametrize(
    "replies",
    [
        (tokened([1], "a"), tokened([2], "a")),
        (tokened([1], "a"), tokened([2], "b"), tokened([3], "a")),
        (tokened([1], "a"), tokened([1], "b")),
    ],
)
def test_a_walk_in_circles_is_refused(replies: tuple[Reply, ...]) -> None:
    assert "twice" in str(broken(*replies))


def test_the_same_first_page_again_and_again_is_refused() -> None:
    """A list that ignores its cursor would be walked for ever."""
    assert "twice" in str(broken(listed([1, 2], more=True), paging=Paging.AFTER_ID))


def test_empty_pages_with_new_tokens_are_walked() -> None:
    replies = (tokened([], "a"), tokened([], "b"), tokened([1], None))
    assert walk(talk(one_after_the_other(*replies)), Paging.PAGE_TOKEN) == ["1"]


def test_empty_pages_without_end_are_refused() -> None:
    tokens = (str(number) for number in itertools.count())
    conversation = talk(lambda _: tokened([], next(tokens)))
    with pytest.raises(ContractBroken, match="more than 100 pages in a row are empty"):
        walk(conversation, Paging.PAGE_TOKEN)
    assert len(conversation.asked) == 101


def test_empty_pages_between_others_are_counted_anew() -> None:
    pages = [tokened([number] if number % 100 == 0 else [], str(number)) for number in range(300)]
    conversation = talk(one_after_the_other(*pages, tokened([], None)))
    assert walk(conversation, Paging.PAGE_TOKEN) == ["0", "100", "200"]


@pytest.mark.parametrize(
    "body", [b'{"data":[],"data":[],"has_more":false}', b'{"data":[],"\\u0064ata":[]}']
)
def test_a_page_with_a_key_twice_is_broken_and_not_asked_for_again(body: bytes) -> None:
    assert "stands twice" in str(broken(Reply(body)))


# --- what is tried again


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 529, 429])
def test_what_may_pass_is_tried_again(status: int) -> None:
    conversation = talk(one_after_the_other(refusal(status), refusal(status), ACCEPTED))
    conversation.api.get(PATH)
    assert (conversation.api.requests, conversation.api.retries) == (3, 2)
    assert len(conversation.slept) == 2
    assert all(0 <= seconds <= 4 for seconds in conversation.slept)


@pytest.mark.parametrize(
    "failure",
    [
        requests.ConnectionError("reset"),
        requests.Timeout("slow"),
        requests.exceptions.ChunkedEncodingError("cut"),
        Reply(b""),
        Reply(b'{"data":['),
        Reply(b"<html>busy</html>"),
        Reply(b"[]"),
        Reply(b'"text"'),
        Reply(b"null"),
        Reply(b'{"a":NaN}'),
        Reply(b'{"\xff":1}'),
    ],
)
def test_a_lost_or_garbled_answer_is_tried_again(failure: Reply | Exception) -> None:
    conversation = talk(one_after_the_other(failure, ACCEPTED))
    conversation.api.get(PATH)
    assert conversation.api.retries == 1


def test_it_gives_up_after_some_tries_and_names_the_last_failure() -> None:
    conversation = talk(lambda _: refusal(529, "Overloaded"))
    with pytest.raises(ApiUnavailable, match="users: HTTP 529, Overloaded") as caught:
        conversation.api.get(PATH)
    tries = conversation.api.requests
    assert 3 <= tries == len(conversation.asked) <= 10
    assert (caught.value.status, caught.value.request_id) == (529, f"req_{tries:03}")
    assert str(caught.value.request_id) in str(caught.value)
    assert max(conversation.slept) <= 60
    assert len(set(conversation.slept)) == len(conversation.slept) == tries - 1  # jitter


@pytest.mark.parametrize(
    ("header", "waited"),
    [("0", 0), ("7", 7), (" 7.5 ", 7.5), ("299", 299), ("86400", 300), ("inf", 300)],
)
@pytest.mark.parametrize("status", [429, 503, 529])
def test_retry_after_is_honoured_up_to_a_cap(status: int, header: str, waited: float) -> None:
    conversation = talk(one_after_the_other(refusal(status, retry_after=header), ACCEPTED))
    conversation.api.get(PATH)
    assert conversation.slept == [waited]


def test_retry_after_may_be_a_date() -> None:
    dates = {
        "date": "Sun, 22 Nov 2026 06:00:00 GMT",
        "retry_after": "Sun, 22 Nov 2026 06:00:42 GMT",
    }
    conversation = talk(one_after_the_other(refusal(429, **dates), ACCEPTED))
    conversation.api.get(PATH)
    assert conversation.slept == [42]


@pytest.mark.parametrize("header", ["soon", "-5", "nan", "", *ABSURD_DATES])
def test_a_retry_after_without_sense_backs_off(header: str) -> None:
    for date in ("Sun, 22 Nov 2026 06:00:00 GMT", *ABSURD_DATES):
        headers = {"retry_after": header, "date": date}
        conversation = talk(one_after_the_other(refusal(429, **headers), ACCEPTED))
        conversation.api.get(PATH)
        assert 0 <= conversation.slept[0] <= 2


@pytest.mark.parametrize(
    ("milliseconds", "seconds", "waited"),
    [("1500", "9", 1.5), ("0", "9", 0), ("9999999", "9", 300), ("-1", "9", 9), ("soon", "9", 9)],
)
def test_retry_after_ms_goes_before_retry_after(
    milliseconds: str, seconds: str, waited: float
) -> None:
    headers = {"retry_after_ms": milliseconds, "retry_after": seconds}
    conversation = talk(one_after_the_other(refusal(529, **headers), ACCEPTED))
    conversation.api.get(PATH)
    assert conversation.slept == [waited]


@pytest.mark.parametrize("status", [302, 400, 403, 404, 409, 501])
def test_the_api_may_ask_to_be_tried_again(status: int) -> None:
    conversation = talk(one_after_the_other(refusal(status, x_should_retry="true"), ACCEPTED))
    conversation.api.get(PATH)
    assert conversation.api.retries == 1


@pytest.mark.parametrize("status", [408, 429, 500, 529])
def test_the_api_may_forbid_to_be_tried_again(status: int) -> None:
    conversation = talk(lambda _: refusal(status, x_should_retry="false", retry_after="1"))
    with pytest.raises(ApiError):
        conversation.api.get(PATH)
    assert len(conversation.asked) == 1


@pytest.mark.parametrize("reply", [refusal(401, x_should_retry="true"), SPEND_LIMIT])
def test_a_wrong_key_and_a_spend_limit_are_final_whatever_the_api_asks(reply: Reply) -> None:
    conversation = talk(lambda _: reply)
    with pytest.raises(ApiError):
        conversation.api.get(PATH)
    assert len(conversation.asked) == 1


def test_a_connection_that_times_out_at_first_contact_is_named_at_once() -> None:
    conversation = talk(lambda _: requests.ConnectTimeout())
    with pytest.raises(ApiUnreachable, match=r"does not answer: .*NAT gateway"):
        conversation.api.get(PATH)
    assert len(conversation.asked) == 1


# --- the API's clock


@pytest.mark.parametrize("reply", [ACCEPTED, refusal(403)])
def test_the_time_of_the_last_answer_is_known(reply: Reply) -> None:
    dates = iter(["Sun, 22 Nov 2026 06:00:00 GMT", "Sun, 22 Nov 2026 07:00:00 +0100", *[""] * 9])
    conversation = talk(lambda _: Reply(reply.body, reply.status, {"date": next(dates)}))
    assert conversation.api.server_time is None
    for expected in [datetime(2026, 11, 22, 6, tzinfo=UTC)] * 2 + [None]:
        with suppress(MissingPermission):
            conversation.api.get(PATH)
        assert conversation.api.server_time == expected


@pytest.mark.parametrize("text", ["", "soon", "2026-11-22", "9" * 5000, *ABSURD_DATES])
def test_what_is_no_date_is_none(text: str) -> None:
    assert http_date(text) is None


@given(seconds=st.integers(-2 * 10**9, 25 * 10**10), minutes=st.integers(-1380, 1380))
def test_a_date_of_http_is_its_instant(seconds: int, minutes: int) -> None:
    then = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    zone = timezone(timedelta(minutes=minutes))
    assert http_date(format_datetime(then.astimezone(zone))) == then


@given(text=st.text() | st.from_regex(r"\w{3}, \d+ [JFMA]\w{2} \d+ \d+:\d+:\d+ [+-]?\w+"))
def test_no_text_breaks_the_reader_of_dates(text: str) -> None:
    then = http_date(text)
    assert then is None or then.tzinfo is UTC


@pytest.mark.parametrize("reply", [refusal(429, retry_after="60"), refusal(503)])
def test_nothing_waits_past_the_deadline(reply: Reply) -> None:
    conversation = talk(lambda _: reply, time_left=lambda: 0.0)
    with pytest.raises((DeadlineReached, ApiError)):
        conversation.api.get(PATH)
    assert conversation.slept == []


def test_a_retry_after_beyond_the_deadline_is_named_as_what_it_is() -> None:
    conversation = talk(lambda _: refusal(429, retry_after="60"), time_left=lambda: 30.0)
    with pytest.raises(RateLimited):
        conversation.api.get(PATH)
    assert conversation.slept == []


def test_a_pace_beyond_the_deadline_ends_the_run() -> None:
    conversation = talk(
        lambda _: ACCEPTED, pace=Pace(1, burst=1, clock=lambda: 0), time_left=lambda: 30.0
    )
    conversation.api.get(PATH)
    with pytest.raises(DeadlineReached, match="users: the time of the run ended"):
        conversation.api.get(PATH)


# --- refusals


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, BadKey),
        (402, BadRequest),
        (403, MissingPermission),
        (404, NotFound),
        (405, BadRequest),
        (409, BadRequest),
        (410, CursorExpired),
        (413, BadRequest),
        (301, BadRequest),
        (501, ApiUnavailable),
    ],
)
def test_other_refusals_are_final_and_named_by_what_one_can_do(
    status: int, kind: type[ApiError]
) -> None:
    conversation = talk(lambda _: refusal(status, "the reason"))
    with pytest.raises(kind, match=f"users: HTTP {status}, the reason: .*req_001") as caught:
        conversation.api.get(PATH)
    assert (caught.value.status, caught.value.request_id) == (status, "req_001")
    assert (len(conversation.asked), conversation.slept) == (1, [])


def test_a_spend_limit_is_not_tried_again() -> None:
    details = {"error_code": "enforced_spend_limit_reached"}
    envelope = {"error": {"message": "You have reached your limit", "details": details}}
    conversation = talk(lambda _: Reply(envelope, 429))
    with pytest.raises(RateLimited, match="reached your limit"):
        conversation.api.get(PATH)
    assert len(conversation.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"1,2",
        b"<html>413 cloudflare</html>",
        b"[]",
        b'{"error":"text"}',
        b'{"error":null}',
        b"\xff",
    ],
)
def test_a_refusal_without_the_vendors_envelope_is_named_all_the_same(body: bytes) -> None:
    conversation = talk(lambda _: Reply(body, 413))
    with pytest.raises(BadRequest, match="HTTP 413, without the API's error message"):
        conversation.api.get(PATH)


def test_a_refusal_never_repeats_keys_addresses_or_long_texts() -> None:
    message = f"key {KEY} of ada@example.com " + "x" * 1_000_000
    conversation = talk(lambda _: refusal(400, message))
    with pytest.raises(BadRequest) as caught:
        conversation.api.get(PATH)
    assert KEY not in str(caught.value)
    assert "example.com" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_an_answer_that_is_too_large_is_named() -> None:
    conversation = talk(lambda _: Reply({"data": "x" * (3 << 20)}))
    with pytest.raises(TooLarge, match="more than 1 MiB"):
        conversation.api.get(PATH, max_body_bytes=1 << 20)


@pytest.mark.parametrize(
    ("memory_mib", "report_mib", "most_mib"),
    [
        (None, None, 204),
        (None, 448, 448),
        (128, None, 1 / 16),
        (256, None, 3),
        (512, None, 8),
        (1024, None, 20),
        (512, 448, 194),
        (1024, 448, 448),
        (1024, 128, 128),
        (10240, None, 204),
    ],
)
def test_the_memory_of_a_function_bounds_an_answer(
    memory_mib: int | None, report_mib: int | None, most_mib: float
) -> None:
    memory_bytes = memory_mib and memory_mib << 20
    limit_bytes = body_limit_bytes(memory_bytes, report_mib and report_mib << 20)
    assert most_mib <= limit_bytes / (1 << 20) < most_mib + 1


def test_an_answer_that_the_memory_does_not_hold_is_named() -> None:
    conversation = talk(lambda _: Reply(b'{"id": "%b"}' % (b"x" * (4 << 20))))
    conversation.connection.memory_bytes = 256 << 20
    with pytest.raises(TooLarge, match=r"more than 3 MiB: .*, or give the function more memory"):
        conversation.api.get(PATH)


# --- the key


def secrets(*texts: str) -> tuple[Callable[[], str], list[int]]:
    """Reads one secret after the other, and counts."""
    reads: list[int] = []

    def read() -> str:
        reads.append(1)
        return texts[min(len(reads), len(texts)) - 1]

    return read, reads


def accepts(key: str) -> Callable[[Asked], Reply]:
    return lambda asked: ACCEPTED if asked.headers["x-api-key"] == key else refusal(401)


def test_a_key_that_was_rotated_is_read_again_after_a_401() -> None:
    read, reads = secrets(KEY, f"{KEY}-new")
    conversation = talk(accepts(f"{KEY}-new"), secret=read)
    conversation.api.get(PATH)
    conversation.api.get(PATH)
    assert (len(conversation.asked), len(reads), conversation.api.retries) == (3, 2, 1)


def test_a_key_that_is_the_same_as_before_is_not_sent_again() -> None:
    read, reads = secrets(KEY)
    conversation = talk(accepts("another"), secret=read)
    with pytest.raises(BadKey):
        conversation.api.get(PATH)
    assert (len(conversation.asked), len(reads)) == (1, 2)


def test_the_key_is_read_again_only_once_in_a_run() -> None:
    read, _ = secrets(*(f"{KEY}-{number}" for number in range(9)))
    conversation = talk(accepts("another"), secret=read)
    with pytest.raises(BadKey):
        conversation.api.get(PATH)
    assert len(conversation.asked) == 2


def test_the_secret_is_read_once_for_many_requests() -> None:
    read, reads = secrets(KEY)
    conversation = talk(lambda _: ACCEPTED, secret=read)
    for _ in range(5):
        conversation.api.get(PATH)
    assert len(reads) == 1


def test_a_secret_that_holds_no_key_sends_nothing() -> None:
    conversation = talk(lambda _: ACCEPTED, secret=lambda: "sk-ant-api03-x")
    with pytest.raises(SecretError):
        conversation.api.get(PATH)
    assert conversation.asked == []


# --- pace


@given(
    per_minute=st.integers(1, 600),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 100), max_size=60),
)
def test_a_pace_never_lets_more_through_than_its_burst_and_its_rate(
    per_minute: int, burst: int, pauses: list[float]
) -> None:
    now = 0.0
    pace = Pace(per_minute, burst, clock=lambda: now)
    sent = []
    for pause in pauses:
        now += pause
        now += pace.take()
        sent.append(now)
    for first, start in enumerate(sent):
        for last in range(first, len(sent)):
            allowed = burst + (sent[last] - start) * per_minute / 60
            assert last - first + 1 <= allowed + 1 + 1e-6


def test_a_pace_allows_a_burst_and_then_one_at_a_time() -> None:
    pace = Pace(60, burst=10, clock=lambda: 0)
    assert [pace.take() for _ in range(12)] == [0.0] * 10 + [1.0, 2.0]


def test_runs_of_a_process_share_one_pace() -> None:
    pace = Pace(60, burst=1, clock=lambda: 0)
    first = talk(lambda _: ACCEPTED, pace=pace)
    second = AdminApi(first.connection, "invites", sleep=first.slept.append)
    first.api.get(PATH)
    second.get(PATH)
    assert first.slept == [1.0]


def test_waiting_for_the_pace_is_not_a_retry() -> None:
    conversation = talk(lambda _: ACCEPTED, pace=Pace(60, burst=1, clock=lambda: 0))
    for _ in range(3):
        conversation.api.get(PATH)
    assert conversation.api.retries == 0
    assert [round(seconds) for seconds in conversation.slept] == [1, 2]


def test_messages_name_the_asset() -> None:
    conversation = talk(lambda _: refusal(403, "no"), asset="cost_report")
    with pytest.raises(MissingPermission) as caught:
        conversation.api.get(PATH)
    assert re.match(r"cost_report: HTTP 403", str(caught.value))
