"""Bring the days of an asset up to date: objects, then ledger, then watermark."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from http import HTTPStatus

from anthropic_lake.assets import Asset
from anthropic_lake.errors import (
    BadRequest,
    ContractBroken,
    DeadlineReached,
    LakeError,
    NotOffered,
    StorageError,
)
from anthropic_lake.extract.batch import AnswerFields, ReportEnd
from anthropic_lake.extract.extraction import Extraction
from anthropic_lake.lake.ledger import Ledger, Read
from anthropic_lake.lake.objects import Conflict
from anthropic_lake.rows.day import Day, Part, days
from anthropic_lake.sync.lookback import is_overdue, ranges, too_old
from anthropic_lake.sync.runs import Run
from anthropic_lake.sync.unfinished import Unfinished, read_unfinished
from anthropic_lake.sync.window import Window
from anthropic_lake.sync.writer import DayWriter, Job, Look
from anthropic_lake.utc import ONE_DAY

MARGIN_SECONDS = 60.0
"""A run does not begin a day with less time than this."""

MAX_LAG_DAYS = 3
"""A report may lag by so many complete days; more is a failure."""

_MAX_SEGMENT_DAYS = 31  # the ledger lags no more days than these behind the objects
_MAX_TRIES = 5

Gathered = Day | Part | ReportEnd | AnswerFields


def sync(job: Job) -> None:
    """Bring every day of the window up to date in the lake, oldest first.

    Where the organization does not have the asset, the run ends well and has done nothing.

    Raises:
        LakeError: A day cannot be read, kept or written; the others are written.
    """
    window, run = job.window, job.run
    run.interval_start, run.interval_end = window.start, window.end
    this_run = _Sync(job)
    try:
        this_run.run()
    except NotOffered as refusal:
        if this_run.has_begun:
            raise  # it was offered a moment ago
        job.admit()
        run.warnings = [str(refusal)]  # the others are about a report that is there
        run.succeeded("unavailable")
    if window.advances:
        run.days_behind = _days_behind(run, window)


class _Sync:
    """The state of one run.

    Attributes:
        _reads: Days whose objects are in the lake, and which the ledger does not have yet.
        _read_again: Days that another run has put since their object was looked at.
        _safe: Complete days that are in the lake and in the ledger.
        _errors: Why days cannot be kept.
        _report_end: How far the report reaches; None: it was not asked yet.
        _half_seconds: Half of the time that the run has: lookback is not begun with less.
        _unfinished: What this run and earlier ones of the same day have read of a snapshot.
        _rows_before: The rows of it that earlier runs have read.
        _goes_on: Whether there were any.
        has_begun: Whether anything has come.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._asset, self._window = job.asset, job.window
        self._ledger = Ledger(job.lake, job.asset.name)
        self._extraction = Extraction(job.asset, job.api)
        self._writer = DayWriter(job)
        self._is_admitted = self.has_begun = False
        self._last = job.history.last
        self._reads: list[Read] = []
        self._read_again: list[date] = []
        self._safe: set[date] = set()
        self._errors: list[LakeError] = []
        self._report_end: ReportEnd | None = None
        self._half_seconds = job.time_left() / 2 if job.window.lookback else 0.0
        self._unfinished = self._read_unfinished()
        self._rows_before = list(self._unfinished.rows)
        self._goes_on = bool(self._rows_before)
        job.run.warnings += self._unfinished.warnings

    def run(self) -> None:
        """Sync the window segment by segment."""
        whole_pages = _MAX_SEGMENT_DAYS // self._asset.days_a_page * self._asset.days_a_page
        for start, end in self._window.segments(whole_pages):
            if not self._sync_and_settle(start, end):
                self._save_unfinished()
                self._job.run.succeeded("partial")
                break
        else:
            self._admit()  # a run without a day, too
            self._forget_unfinished()
            self._judge_lag()
            self._read_lookback()
            self._extend_history()
            self._job.run.succeeded()
        if self._errors:
            self._job.run.warnings += map(str, self._errors[1:])
            raise self._errors[0]

    def _sync_and_settle(self, start: date, end: date) -> bool:
        """Write and record some days, and return whether there was time for all of them.

        Time may end within a day that takes many requests: what came before it is kept.
        """
        try:
            is_whole = self._sync_segment(start, end)
            self._admit()  # a run that found nothing to write leaves its row, too
        except DeadlineReached:
            self._settle()
            if not self._job.run.days_written and not self._has_new_parts:
                raise  # the next run would come no further
            return False
        except BaseException:
            with suppress(LakeError):  # the error of the run matters more
                self._settle()
                self._save_unfinished()
            raise
        self._settle(read_again=True)
        return is_whole

    def _read_lookback(self) -> None:
        """Read days again that were read longest ago, as many as there is time for."""
        lookback, now = self._window.lookback, self._job.clock()
        for start, end in ranges(lookback):
            if not self._has_time_for(start) or not self._sync_and_settle(start, end):
                break
        read_again = (day for day in lookback if day in self._safe)
        if warning := too_old(self._window, read_again, now):
            self._job.run.warnings.append(f"{warning}: {_less_to_read(self._asset)}")

    def _has_time_for(self, day: date) -> bool:
        """Return whether a day can be begun: lookback that can wait is for half of the time."""
        read_at = self._window.lookback.get(day)
        can_wait = read_at is not None and not is_overdue(read_at, self._job.clock())
        return self._job.time_left() >= (self._half_seconds if can_wait else MARGIN_SECONDS)

    def _sync_segment(self, start: date, end: date) -> bool:
        """Write some days, and return whether there was time for all of them."""
        if self._report_end and start < self._window.complete_end:
            start = min(start, self._report_end.end)  # days that did not come by then
        self._job.api.require_time()  # a look at a page's days takes seconds
        look = self._writer.look(start, end)
        for item in self._gather(start, end):
            self._take(item, look)
            next_day = item.date + ONE_DAY if isinstance(item, Day) else start
            is_work = isinstance(item, Day | Part) and next_day < self._window.end
            if is_work and not self._has_time_for(next_day):
                return False
        return True

    def _gather(self, start: date, end: date) -> Iterator[Gathered]:
        """Read some days from the API; a refusal of the open day is a warning."""
        window = self._window
        if not self._asset.kind.dated:
            done = frozenset(self._unfinished.workspace_ids)
            extracted = self._extraction.snapshot(window.today, done)
            yield from days(self._asset, extracted, self._job.pseudonyms)
            return
        try:
            extracted = self._extraction.days(start, end, complete_end=window.complete_end)
            for item in days(self._asset, extracted, self._job.pseudonyms):
                if not isinstance(item, ReportEnd) or start < window.complete_end:
                    yield item  # whether the open day has come says nothing of a lag
        except BadRequest as error:
            if start < window.today or error.status != HTTPStatus.BAD_REQUEST:
                raise
            self._job.run.warnings.append(f"the open day {start} was refused: {error}")

    def _take(self, item: Gathered, look: Look) -> None:
        """Keep what was gathered, or note what it says."""
        run, self.has_begun = self._job.run, True
        match item:
            case Day(error=None):
                self._keep(item, look)
            case Day(error=LakeError() as error):
                self._errors.append(error)
            case Part():
                self._unfinished.add(item.workspace_id, item.rows[0], item.warnings)
            case ReportEnd() if self._report_end is None or item.end >= self._report_end.end:
                self._report_end = item
            case AnswerFields():
                run.unknown_fields += len(item.fields)
                run.answer_fields |= item.fields
                run.warnings += [text for text in item.warnings if text not in run.warnings]

    def _keep(self, day: Day, look: Look) -> None:
        """Write a day, or note that it has to be read again; the whole of it stays in the lake."""
        self._admit()
        if self._is_in_lake_whole(day):
            return
        try:
            read = self._writer.write(day, look, self._rows_before)
        except Conflict:
            self._read_again.append(day.date)
            return
        self._reads.append(read)
        self._job.progress(day)

    def _is_in_lake_whole(self, day: Day) -> bool:
        """Return whether the API has only a part of a day now, and the lake has all of it."""
        if day.has_all_data or day.date >= self._window.today:
            return False
        entry = self._ledger.entries(day.date, day.date + ONE_DAY).get(day.date)
        return entry is not None and entry.is_final

    def _admit(self) -> None:
        """Let the key's data in, before the first thing of the run is written."""
        if not self._is_admitted:
            self._job.admit()
            self._is_admitted = True

    def _settle(self, *, read_again: bool = False) -> None:
        """Record what was read in the ledger, and move the watermark after it.

        Args:
            read_again: Ask once more for the days that another run has put meanwhile.
        """
        reads, self._reads = self._reads, []
        overtaken = self._ledger.record(reads)
        self._note_safe(read for read in reads if read.entry.day not in overtaken)
        again, self._read_again = [*self._read_again, *overtaken], []
        for day in again if read_again else ():
            self._note_safe(self._read_day_again(day))
        self._advance()

    def _read_day_again(self, day: date) -> list[Read]:
        """Read and write one day until no other run puts it meanwhile, or has put the whole."""
        self._unfinished, self._rows_before = Unfinished(day), []
        for _ in range(_MAX_TRIES):
            look = self._writer.look(day, day + ONE_DAY)
            for item in self._gather(day, day + ONE_DAY):
                if not isinstance(item, Day) or item.date != day:
                    continue
                if item.error:
                    raise item.error
                if self._is_in_lake_whole(item):
                    return []
                with suppress(Conflict):
                    read = self._writer.write(item, look)
                    self._ledger.record([read], is_second_look=True)
                    return [read]
        raise StorageError(
            f"{self._asset.name}: other runs keep putting the day {day}: run again later"
        )

    def _note_safe(self, reads: Iterable[Read]) -> None:
        """Note the complete ones of days that are in the lake and in the ledger."""
        self._safe |= {read.entry.day for read in reads if read.entry.is_final}

    def _advance(self) -> None:
        """Move the watermark over the complete days that follow it without a gap."""
        if not self._window.advances:
            return
        day = self._next_day()
        if day in self._safe and not self._may_go_on(day):
            return
        while day in self._safe:
            self._last = day
            day += ONE_DAY
        if self._last and self._last != self._job.run.last_synced_date:
            last = self._job.watermarks.advance(self._asset.name, self._last)
            self._job.run.last_synced_date = last

    def _next_day(self) -> date:
        """Return the day to which the watermark moves next."""
        start = self._window.start
        if self._last is None or not self._asset.kind.dated:
            return start
        return max(self._last + ONE_DAY, start)  # the API has lost the days between

    def _may_go_on(self, day: date) -> bool:
        """Return whether the watermark may move to a day; the history begins where it is new."""
        if self._last is None:
            return self._begin(day)
        if self._asset.kind.dated and day > self._last + ONE_DAY:
            self._job.watermarks.start_at(self._asset.name, day)
        return True

    def _begin(self, day: date) -> bool:
        """Let the history begin, and return whether it does so here.

        Another run may have begun it elsewhere meanwhile; the next run goes on from there. A first
        day without a last one is what a crash has left, or somebody who deleted the watermark.
        """
        name, watermarks = self._asset.name, self._job.watermarks
        if self._job.history.first is not None:
            watermarks.start_at(name, day)
            return True
        first = watermarks.begin(name, day)
        return first == day or (first < day and not self._asset.kind.dated)

    def _judge_lag(self) -> None:
        """Warn of a report that lags; one that lags more than it may is an error."""
        end, run = self._report_end, self._job.run
        if end is None:
            return
        run.lag_days = end.lag_days or None
        problem = f"the report ends before {end.end}, {end.lag_days} complete days short"
        if end.lag_days > MAX_LAG_DAYS:
            self._errors.append(
                ContractBroken(
                    problem, asset=self._asset.name, field="data", request_id=end.request_id
                )
            )
        elif end.lag_days:
            run.warnings.append(f"{problem}: the next run reads them")
        elif end.refusal:
            run.warnings.append(end.refusal)

    def _read_unfinished(self) -> Unfinished:
        """Return what earlier runs of the same day have read of a snapshot."""
        if self._asset.fan_out is None:
            return Unfinished(self._window.today)
        return read_unfinished(self._job.lake, self._asset.tables[0], self._window.today)

    @property
    def _has_new_parts(self) -> bool:
        """Whether this run has read parts of a snapshot that earlier ones have not."""
        return len(self._unfinished.rows) > len(self._rows_before)

    def _save_unfinished(self) -> None:
        """Keep what this run has read of a snapshot for the next run of the same day."""
        if self._has_new_parts:
            self._admit()
            self._unfinished.save(self._job.lake, self._asset.tables[0])

    def _forget_unfinished(self) -> None:
        """Let the next run of the day read everything, now that the snapshot is whole."""
        if self._goes_on:
            Unfinished(self._window.today).save(self._job.lake, self._asset.tables[0])

    def _extend_history(self) -> None:
        """Move the first day of the history back, where the run has reached it from before.

        What other intervals have read before the run's first day comes along, so the months of a
        backfill may end in any order: each looks where the history begins after it has recorded
        its own days, and at what is recorded after it has moved the first day.
        """
        name, start = self._asset.name, min([self._window.start, *self._window.lookback])
        first = self._job.watermarks.first(name)
        if first is None or not start < first <= self._window.end:
            return
        if not all(start + day * ONE_DAY in self._safe for day in range((first - start).days)):
            return
        while (start := self._ledger.start_of_final_days(start)) < first:
            self._ledger.mark_in_history(start, first)
            self._job.watermarks.start_at(name, start)
            first = start


def _less_to_read(asset: Asset) -> str:
    """Return the settings that make a lookback fit into a run."""
    grouping = "" if asset.time_buckets is None else "group by fewer dimensions, "
    return f"{grouping}lower LOOKBACK_DAYS, or raise REQUESTS_PER_MINUTE"


def _days_behind(run: Run, window: Window) -> int:
    """Return the number of complete days that the API has and the lake does not."""
    if run.status == "unavailable":
        return 0
    synced = run.last_synced_date or window.start - ONE_DAY
    missing = (window.complete_end - ONE_DAY - synced).days
    return max(0, missing - (run.lag_days or 0))
