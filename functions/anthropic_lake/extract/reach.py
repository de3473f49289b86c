"""How far a report reaches: which of the days asked for came whole."""

import re
from datetime import date, datetime
from http import HTTPStatus

from anthropic_lake.errors import BadRequest, CursorExpired, TooLarge
from anthropic_lake.extract.batch import DayEnd, DayRestart, ReportEnd
from anthropic_lake.utc import ONE_DAY, midnight, parse_day

_MAX_RESTARTS = 3  # of a walk that has not come a day further

_LATEST = re.compile(r"Latest available data for this query is ([0-9-]{10})")


class Reach:
    """How far a report comes in the days that are asked for, oldest first.

    A report may lag: its time buckets then end before these days do, the API refuses the days
    after one that it names, or it says until when its data reaches.

    Args:
        start: First day, UTC.
        end: The day after the last, UTC.
        complete_end: The day after the last complete one, UTC.

    Attributes:
        day: The first day that has not come whole.
        end: The day after the last one that can be asked for.
        complete_end: The day after the last complete one.
        request_id: The vendor's id of the last request that was answered.
        data_refreshed_at: Until when the API's data reaches, UTC; None: it has not said.
    """

    def __init__(self, start: date, end: date, complete_end: date) -> None:
        self.day = self._start = start
        self.end = end
        self.complete_end = complete_end
        self.request_id: str | None = None
        self.data_refreshed_at: datetime | None = None
        self._restarts: list[date] = []
        self._last_complete_end = min(end, complete_end)
        self._refusal: str | None = None

    def end_day(self, error: TooLarge | None = None) -> DayEnd:
        """Return the end of the first day that has not ended, and go on to the next one."""
        ended = DayEnd(self.day, error, self.data_refreshed_at)
        self.day += ONE_DAY
        return ended

    def has_begun(self, day: date) -> bool:
        """Return whether the API's data reaches into a day."""
        return self.data_refreshed_at is None or midnight(day) < self.data_refreshed_at

    def restart(self, expired: CursorExpired | None = None) -> DayRestart:
        """Return the order to forget what has come of the first day that has not ended.

        Args:
            expired: Why the walk starts again; None: not because its token has expired.

        Raises:
            CursorExpired: Walks expire one after the other, and none ends a day.
        """
        if expired is not None:
            self._restarts.append(self.day)
            if self._restarts.count(self.day) > _MAX_RESTARTS:
                raise expired
        return DayRestart(self.day)

    def refuse(self, refusal: BadRequest) -> None:
        """Ask for no day after the one that a refusal names as the latest there is.

        Raises:
            BadRequest: It names none, or one up to which nothing was refused.
        """
        latest = _latest_day(refusal)
        if latest is None or latest >= self.end - ONE_DAY:
            raise refusal
        self.end = max(self.day, latest + ONE_DAY)
        self.request_id, self._refusal = refusal.request_id, str(refusal)

    def report_end(self) -> ReportEnd:
        """Return how far the report came; a day whose data was not all there did not come whole."""
        end = self.day
        if self.data_refreshed_at is not None:
            end = max(self._start, min(end, self.data_refreshed_at.date()))
        lag_days = (self._last_complete_end - end).days
        return ReportEnd(end, max(0, lag_days), self.request_id, self._refusal)


def _latest_day(refusal: BadRequest) -> date | None:
    """Return the latest day that the API says it has, None where it does not say."""
    named = _LATEST.search(str(refusal))
    if refusal.status != HTTPStatus.BAD_REQUEST or named is None:
        return None
    try:
        return parse_day(named[1])
    except ValueError:
        return None
