"""The world of one plan, and what must hold in it at every instant."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from anthropic_lake.errors import LakeError
from anthropic_lake.lake.layout import object_key
from anthropic_lake.schema.table import Table
from anthropic_lake.settings import read_settings
from anthropic_lake.sync.request import Interval, Request
from tests.reliability import truth
from tests.reliability.clock import Clock
from tests.reliability.cloud import Cloud
from tests.reliability.plans import API_FAULTS, KEYS, NEEDLE, START, Change, Invoke, Plan
from tests.reliability.sandbox import Killed, Network, Outcome, Sandbox
from tests.simulator import AdminApiServer, Fault, Organization
from tests.simulator import Request as Asked

DAY = timedelta(days=1)
HISTORY_START = START - 4 * DAY
PER_MINUTE = 60
BURST = 10
_SLOW_AWS = 15.0
_FINAL = {400, 402, 403, 404, 410, 413, 302}
_MOST_ATTEMPTS = 9
_UNHEARD = {"disconnect", "reset_headers", "reset_body", "truncate"}  # its status does not arrive


_UNTOUCHED: dict[tuple[object, ...], truth.Rows] = {}
"""What whole days hold that nobody has changed: the same in every plan."""


class Api(AdminApiServer):
    """The simulator with small pages, which tells of its faults and of what has no second try."""

    def __init__(self, organization: Organization, page_size: int, **options: Any) -> None:
        super().__init__(organization, **options)
        self.final: set[int] = set()
        self.unheard: set[int] = set()
        self.happened: Counter[str] = Counter()
        self._page_size = page_size
        self._names: dict[int, str] = {}

    def plan(self, name: str, fault: Fault) -> None:
        self.faults.append(fault)
        self._names[id(fault)] = name

    def forget_walks(self) -> None:
        self._previous.clear()

    def _claim(self, request: Asked) -> Fault:
        if "limit" in request.query:
            asked = int(request.query["limit"][0])
            request.query["limit"] = [str(min(self._page_size, asked))]
        fault = super()._claim(request)
        if name := self._names.get(id(fault)):
            self.happened[f"api: {name}"] += 1
        if fault.details:  # the spend cap
            self.final.add(id(request))
        if fault.kind in _UNHEARD:
            self.unheard.add(id(request))
        return fault


class World:
    """Everything around the process, and a memory of every version that a day has had.

    Args:
        plan: What happens.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.clock = Clock(plan.start)
        self.api_now = plan.start
        self.seed = plan.seed % 16
        self.organization = Organization.invent(
            seed=self.seed, today=START + 8 * DAY, days=13, people=3, workspaces=2
        )
        self.api = Api(
            self.organization,
            plan.page_size,
            key=KEYS[0],
            now=lambda: self.api_now,
            future_ending_at=plan.open_day,
        )
        self.api.start()
        self.happened: Counter[str] = Counter()
        self.violations: list[str] = []
        self.cloud = Cloud(
            KEYS[0],
            rotate=lambda: self.rotate(both=True),
            stored=self._stored,
            moved=self._moved,
            happened=self._count,
            faults=list(plan.aws),
        )
        self.network = Network(dict(plan.network), self._count)
        self.settings = read_settings(
            {
                "HISTORY_START": HISTORY_START.isoformat(),
                "LOOKBACK_DAYS": str(plan.lookback),
                "REQUESTS_PER_MINUTE": str(PER_MINUTE),
                "ANTHROPIC_BASE_URL": self.api.url,
            }
        )
        self.asset = self.settings.asset(plan.asset)
        self.tables = {table.name: table for table in self.asset.tables}
        self.sandboxes: list[Sandbox] = []
        self._versions: defaultdict[tuple[str, date], set[truth.Rows]] = defaultdict(set)
        self._whole: defaultdict[tuple[str, date], set[truth.Rows]] = defaultdict(set)
        self._truths: dict[tuple[object, ...], truth.Rows] = {}
        self._people = 0
        for name, given in plan.api:
            self.api.plan(name, API_FAULTS[name](dict(given)))

    def close(self) -> None:
        for sandbox in self.sandboxes:
            sandbox.close()
        self.api.stop()

    def _count(self, kind: str) -> None:
        self.happened[kind] += 1

    def say(self, problem: str) -> None:
        """Note that something does not hold."""
        self.violations.append(problem)

    # --- what happens

    def sandbox(self, *, warm: bool = False) -> Sandbox:
        """A process, the last one when it is warm and lives."""
        if warm and self.sandboxes and self.sandboxes[-1].kill_at is None:
            return self.sandboxes[-1]
        self.sandboxes.append(
            Sandbox(self.settings, self.api.url, self.clock, self.cloud, self.network)
        )
        return self.sandboxes[-1]

    def request(self, invoke: Invoke) -> Request:
        """What an invocation asks for."""
        now = self.clock.now()
        if invoke.trigger == "late":
            return Request("schedule", now - DAY)
        if invoke.trigger == "interval" and self.asset.kind.dated:
            interval = Interval(now.date() - 3 * DAY, now.date() + DAY)
            return Request("interval", now, interval)
        return Request("manual" if invoke.trigger == "manual" else "schedule", now)

    def change(self, change: Change) -> None:
        """Let the organization be another one from now on."""
        self.remember()
        day = max(HISTORY_START, self.clock.now().date() - change.days_ago * DAY)
        match change.what:
            case "restate":
                self.organization.restate(day, 3)
            case "clear":
                self.organization.clear_day(day)
            case "user":
                self._people += 1
                newcomer = {**self.organization.users[0], "id": f"user_new{self._people}"}
                self.organization.users.insert(1, newcomer)
            case "rotate":
                self.rotate(both=True)
            case "rotate secret":  # the API takes the new key only later
                self.rotate(both=False)
        self.happened[f"change: {change.what}"] += 1
        self.remember()

    def rotate(self, *, both: bool) -> None:
        """Put another key into the secret."""
        self.cloud.secret = KEYS[(KEYS.index(self.cloud.secret) + 1) % len(KEYS)]
        if both:
            self.api.key = self.cloud.secret

    def stop_the_faults(self) -> None:
        """From now on everything works."""
        self.api.faults.clear()
        self.api.forget_walks()
        self.cloud.faults.clear()
        self.network.faults.clear()
        self.api.key = self.cloud.secret

    # --- the truth, past and present

    def remember(self) -> None:
        """Note every version that a day has now."""
        self.api_now = self.clock.now()
        today = self.api_now.date()
        for day in self._days(HISTORY_START - 4 * DAY, today):
            for table in self.tables.values():
                rows = self.expected(table, day)
                self._versions[table.name, day].add(rows)
                if not self.asset.kind.dated or truth.whole(self.asset, day, self.api_now):
                    self._whole[table.name, day].add(rows)

    def expected(self, table: Table, day: date) -> truth.Rows:
        """What the API holds of a day now."""
        now = self.api_now
        mark: tuple[object, ...] = (
            (table.name, day, self.organization.revisions[day], None)
            if self.asset.kind.dated and truth.whole(self.asset, day, now)
            else (table.name, day, self.organization.revisions[day], now, self._people)
        )
        untouched = not self.organization.revisions[day] and mark[-1] is None
        known, mark = (_UNTOUCHED, (self.seed, *mark)) if untouched else (self._truths, mark)
        if mark not in known:
            known[mark] = truth.rows(self.asset, table, self.organization, day, now)
        return known[mark]

    def _days(self, start: date, end: date) -> Iterator[date]:
        while start <= end:
            yield start
            start += DAY

    # --- at every instant

    def _stored(self, key: str, body: bytes) -> None:
        """An object was put: it is a whole file of one version of a day of this asset."""
        folder, partition, name = key.split("/")
        table, day = folder.removeprefix("asset="), date.fromisoformat(partition[5:])
        if table == "sync_runs":
            return
        if table not in self.tables or name != f"{table}.parquet":
            self.say(f"{key} is not an object of {self.asset.name}")
            return
        if not self._is_a_version(table, day, truth.stored(self.tables[table], body)):
            self.say(f"{key} holds no version that the day has had")

    def _is_a_version(self, table: str, day: date, rows: truth.Rows) -> bool:
        versions = self._versions[table, day] if self.asset.kind.dated else self._all(table)
        if rows in versions:
            return True
        return table == "workspace_members" and any(_lacks_workspaces(rows, v) for v in versions)

    def _all(self, table: str) -> set[truth.Rows]:
        return {
            rows for (name, _), found in self._versions.items() if name == table for rows in found
        }

    def _moved(self, name: str, value: str) -> None:
        """The watermark moved: every day up to it is completely in the lake."""
        if name != f"/stack/{self.asset.name}/last_synced_date":
            self.say(f"the parameter {name} is not one of {self.asset.name}")
            return
        last = date.fromisoformat(value)
        if last > self.clock.now().date():
            self.say(f"the watermark {last} is in the future")
        first = HISTORY_START if self.asset.kind.dated else last
        for day in self._days(first, last):
            for table in self.tables.values():
                self._check_complete(table, day, last)

    def _check_complete(self, table: Table, day: date, last: date) -> None:
        rows = self.rows(table, day)
        if rows is None:
            self.say(f"the watermark {last} is past {table.name} {day}, which is not in the lake")
        elif self.asset.kind.dated and rows not in self._whole[table.name, day]:
            self.say(f"the watermark {last} is past {table.name} {day}, which is not complete")

    def rows(self, table: Table, day: date) -> truth.Rows | None:
        """What the lake holds of a day."""
        found = self.cloud.objects.get(object_key(table.name, day))
        return None if found is None else truth.stored(table, found[0])

    # --- after an invocation

    @contextmanager
    def watching(self, *sandboxes: Sandbox) -> Iterator[list[Outcome]]:
        """Look at what invocations left behind."""
        self.remember()
        self.api.forget_walks()
        first, slow = len(self.api.requests), self._slow()
        outcomes: list[Outcome] = []
        yield outcomes
        alone = len(sandboxes) == 1
        for sandbox, outcome in zip(sandboxes, outcomes, strict=True):
            self._check_end(outcome, slack=_SLOW_AWS * (self._slow() - slow), alone=alone)
            self._check_row(outcome, asked=len(self.api.requests) - first)
            self._check_silence(outcome)
            _check_pace(self, sandbox.requested)
        if alone and "body time-out" not in self.plan.network.values():
            self._check_retries(self.api.requests[first:])

    def _slow(self) -> int:
        return sum(count for kind, count in self.happened.items() if ": slow" in kind)

    def _check_end(self, outcome: Outcome, *, slack: float, alone: bool) -> None:
        """It ended in time, well or with an error that has a name."""
        error = outcome.error
        if isinstance(error, Killed):
            return
        if error is not None and not isinstance(error, LakeError):
            self.say(f"an error without a name: {outcome.trace}")
        if error is None and outcome.run.status not in ("succeeded", "partial"):
            self.say(f"a run that is {outcome.run.status} did not raise")
        if alone and outcome.left < -slack:
            self.say(f"it ran {-outcome.left:.1f} s beyond its time")

    def _check_row(self, outcome: Outcome, asked: int) -> None:
        """There is a row in sync_runs that says how it ended."""
        run, error = outcome.run, outcome.error
        key = object_key("sync_runs", run.started_at.date(), run.run_id)
        if key not in self.cloud.objects:
            if error is None or (asked and not self.sandboxes[-1].baton):
                self.say(f"no row in sync_runs of a run that ended with {error!r}")
            return
        (row,) = pq.read_table(io.BytesIO(self.cloud.objects[key][0])).to_pylist()
        last = type(error).__name__ if error is not None else None
        known = {"Unfinished"} | ({None} if self._put_failed_after() else set())
        if isinstance(error, Killed):
            known |= {None, row["error_type"]}  # killed after the row was put
        if row["error_type"] not in {last} | (known if error is not None else set()):
            self.say(f"sync_runs says {row['error_type']} of a run that ended with {error!r}")
        if (row["status"] == "failed") != (row["error_type"] is not None):
            self.say(f"sync_runs says {row['status']} and {row['error_type']}")

    def _put_failed_after(self) -> bool:
        return any("s3.put" in kind and "after" in kind for kind in self.happened)

    def _check_silence(self, outcome: Outcome) -> None:
        """Neither key nor e-mail address nor control character in anything that is logged."""
        said = json.dumps(outcome.run.summary(), default=str) + outcome.trace + str(outcome.error)
        for needle in (NEEDLE, "@example.com", "\x1b", "\\u001b"):
            if needle in said:
                self.say(f"{needle!r} is in what is logged: {said}")

    def _check_retries(self, requests: Sequence[Asked]) -> None:
        """What cannot succeed is not sent again, and nothing for ever."""
        row = 1
        for before, after in itertools.pairwise(requests):
            same = before.target == after.target
            row = row + 1 if same else 1
            final = before.status in _FINAL or id(before) in self.api.final
            if same and final and id(before) not in self.api.unheard:
                self.say(f"{after.target} was sent again after {before.status}")
            if row > _MOST_ATTEMPTS:
                self.say(f"{after.target} was sent {row} times")

    # --- in the end

    def search_everything(self) -> None:
        """The key is in no object, whatever its compression, and no person in sync_runs."""
        for key, (body, metadata) in self.cloud.objects.items():
            text = _text(body) + str(metadata) + key
            if NEEDLE in text:
                self.say(f"the key is in {key}")
            if "sync_runs" in key and "@example.com" in text:
                self.say(f"an e-mail address is in {key}")

    def check_exact(self) -> None:
        """The lake holds exactly what the API holds."""
        today = self.api_now.date()
        first = HISTORY_START if self.asset.kind.dated else today
        for day in self._days(first, today):
            for table in self.tables.values():
                self._check_day(table, day)
        expected = today - DAY if self.asset.kind.dated else today
        stands = self.cloud.parameters[f"/stack/{self.asset.name}/last_synced_date"][-1]
        if stands != expected.isoformat():
            self.say(f"the watermark stands at {stands} and not at {expected}")

    def _check_day(self, table: Table, day: date) -> None:
        expected, found = self.expected(table, day), self.rows(table, day)
        open_day = self.asset.kind.dated and day == self.api_now.date()
        if open_day and self.plan.open_day == "refuse" and self.asset.time_buckets:
            return  # the API says no to it, so the lake need not have it
        if open_day and self.plan.open_day == "clamp" and self.asset.name == "cost_report":
            return
        if found != expected:
            have = "nothing" if found is None else f"{len(found)} rows"
            self.say(f"{table.name} {day}: {have} in the lake, {len(expected)} rows in the API")


def _lacks_workspaces(rows: truth.Rows, version: truth.Rows) -> bool:
    """Whether rows are a version without some workspaces, which the API said were gone."""
    held = {row[0] for row in rows}
    return tuple(row for row in version if row[0] in held) == rows


def _check_pace(world: World, requested: Sequence[float]) -> None:
    """Never more than a burst, and the pace after it."""
    interval = 60 / PER_MINUTE
    for number, end in enumerate(requested):
        for earlier, start in enumerate(requested[:number]):
            # one more: between its turn and the wire, the first may wait for the secret
            if number - earlier > BURST + (end - start) / interval + 1e-6:
                world.say(f"{number - earlier + 1} requests within {end - start:.1f} s")
                return


def _text(body: bytes) -> str:
    """All that a Parquet file says."""
    file = pq.ParquetFile(pa.BufferReader(body))
    return f"{file.read(use_threads=False).to_pylist()} {file.metadata.metadata}"
