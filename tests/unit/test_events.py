"""An event says what is wanted, or is refused with the ones that are understood."""

from datetime import UTC, date, datetime

import pytest

from anthropic_lake.errors import SettingsError
from anthropic_lake.sync.request import Interval, Request, read_event

NOW = datetime(2026, 11, 22, 6, 7, 8, tzinfo=UTC)
MEANT = datetime(2026, 11, 22, 6, tzinfo=UTC)
EVENTBRIDGE = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-11-22T06:00:00Z",
    "region": "us-east-1",
    "resources": ["arn:aws:events:us-east-1:123456789012:rule/daily"],
    "detail": {},
}


@pytest.mark.parametrize(
    ("event", "request_"),
    [
        ({}, Request("manual", NOW)),
        ({"scheduled_time": "2026-11-22T06:00:00Z"}, Request("schedule", MEANT)),
        ({"scheduled_time": "2026-11-22T07:00:00+01:00"}, Request("schedule", MEANT)),
        (EVENTBRIDGE, Request("schedule", MEANT)),
        (
            {"interval_start": "2026-01-01", "interval_end": "2026-02-01"},
            Request("interval", NOW, Interval(date(2026, 1, 1), date(2026, 2, 1))),
        ),
    ],
)
def test_an_event_is_read(event: object, request_: Request) -> None:
    assert read_event(event, NOW) == request_


def test_a_late_retry_keeps_the_intended_day() -> None:
    late = datetime(2026, 11, 24, 1, tzinfo=UTC)
    assert read_event({"scheduled_time": "2026-11-22T06:00:00Z"}, late).now == MEANT


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (None, "not a JSON object"),
        ([], "not a JSON object"),
        ("{}", "not a JSON object"),
        ({"intervall_start": "2026-01-01"}, "intervall_start"),
        ({"interval_start": "2026-01-01"}, "interval_start"),
        ({"interval_end": "2026-01-01"}, "interval_end"),
        ({"interval_start": "2026-01-01", "interval_end": "2026-02-01", "asset": "x"}, "asset"),
        ({"interval_start": "2026-01-01", "interval_end": "February"}, "interval_end is not a day"),
        ({"interval_start": None, "interval_end": "2026-02-01"}, "interval_start is not a day"),
        ({"interval_start": 20260101, "interval_end": "2026-02-01"}, "interval_start is not"),
        ({"scheduled_time": "soon"}, "scheduled_time is not a timestamp"),
        ({"scheduled_time": 1767225600}, "scheduled_time is not a timestamp"),
        ({"scheduled_time": None}, "scheduled_time is not a timestamp"),
        ({"scheduled_time": "2026-11-22T06:00:00"}, "no time zone"),
        ({"scheduled_time": "2026-11-23T06:00:00Z"}, "in the future"),
        ({**EVENTBRIDGE, "time": "2027-01-01T00:00:00Z"}, "time is in the future"),
        ({**EVENTBRIDGE, "interval_start": "2026-01-01"}, "cannot read an event"),
        ({"scheduled_time": "<aws.scheduler.scheduled-time>"}, "scheduled_time is not"),
    ],
)
def test_an_event_that_is_none_of_these_is_refused_with_what_to_send(
    event: object, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        read_event(event, NOW)
    assert "interval_start" in str(caught.value)
