"""The world of one plan, and what must hold in it at every instant."""

from __future__ import annotations

import io
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from anthropic_lake.assets import ASSETS, Asset, Kind
from anthropic_lake.errors import LakeError, Refused, SettingsError, Terminated
from anthropic_lake.lake.layout import DIGEST, MANIFEST, object_key
from anthropic_lake.schema.table import Table
from anthropic_lake.settings import Settings, read_settings
from tests.reliability import truth
from tests.reliability.clock import Clock
from tests.reliability.cloud import BUCKET, Cloud, Stored
from tests.reliability.plans import (
    API_FAULTS,
    GROUPINGS,
    KEYS,
    NEEDLE,
    Change,
    Invoke,
    Plan,
    Stranger,
    can_happen,
)
from tests.reliability.sandbox import (
    DEFAULT_PREFIX,
    Killed,
    Network,
    Outcome,
    Sandbox,
)
from tests.simulator import AdminApiServer, Fault, Organization
from tests.simulator import Request as Asked

DAY = timedelta(days=1)
BURST = 10
_ROWS_A_BUCKET = 8  # of the analytics, in a page of as many time buckets or records
_WEEK = timedelta(days=7)
_TOO_OLD = "were last read more than"
_NEVER = datetime.min.replace(tzinfo=UTC)
_SLOW_AWS = 15.0
_FINAL = {400, 402, 403, 404, 410, 413, 302}
_MOST_ATTEMPTS = 9
_UNHEARD = {"disconnect", "reset_headers", "reset_body", "truncate"}  # its status does not arrive
_LARGEST_SKEW = timedelta(hours=1)
_PATHS = {  # of the reports that may lag
    "usage_report": "usage_report/messages",
    "cost_report": "cost_report",
    "claude_code_usage": "usage_report/claude_code",
    "analytics_usage": "analytics/usage",
    "analytics_cost": "analytics/cost",
}

Ledger = dict[date, dict[str, Any]]
_UNTOUCHED: dict[tuple[object, ...], truth.Rows] = {}
"""What whole days hold that nobody has changed: the same in every plan."""


class Api(AdminApiServer):
    """The simulator with small pages, which tells of its faults and of what has no second try."""

    def __init__(self, organization: Organization, page_size: int, **options: Any) -> None:
        super().__init__(organization, **options)
        self.final: set[int] = set()
        self.unheard: set[int] = set()
        self.happened: Counter[str] = Counter()
        self.meanwhile: Callable[[int], None] = lambda _number: None
        self._page_size = page_size
        self._names: dict[int, str] = {}

    def plan(self, name: str, fault: Fault) -> None:
        self.faults.append(fault)
        self._names[id(fault)] = name

    def forget_walks(self) -> None:
        self._previous.clear()

    def _claim(self, request: Asked) -> Fault:
        self.meanwhile(len(self.requests))
        if "limit" in request.query:
            asked = int(request.query["limit"][0])
            request.query["limit"] = [str(min(self._page_size, asked))]
        fault = super()._claim(request)
        if name := self._names.get(id(fault)):
            self.happened[f"api: {name}"] += 1
        if fault.details or fault.headers.get("x-should-retry") == "false":
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
            seed=self.seed, today=plan.base + 8 * DAY, days=13, people=3, workspaces=2
        )
        self.first_use = plan.base - 4 * DAY  # nothing before is ever used or restated
        self.grouping = plan.grouping
        self.api = self._api(self.organization, names_organization=plan.names_organization)
        self.api.meanwhile = self._meanwhile
        self.foreign: Api | None = None
        self.happened: Counter[str] = Counter()
        self.violations: list[str] = []
        self.cloud = Cloud(
            KEYS[0],
            absent=plan.absent,
            rotate=lambda: self.rotate(both=True),
            stored=self._stored,
            moved=self._moved,
            happened=self._count,
            faults=list(plan.aws),
        )
        self.network = Network(dict(plan.network), self._count)
        self.history_start = self.usual_start = plan.base - plan.history_days * DAY
        self.prefix = "/stack" if plan.chooses_prefix else DEFAULT_PREFIX
        self.groupings: dict[tuple[str, str], Asset] = {}
        self.asset = self._grouped()
        self.tables = {table.name: table for table in self.asset.tables}
        self.sandboxes: list[Sandbox] = []
        self._versions: defaultdict[tuple[str, date], set[truth.Rows]] = defaultdict(set)
        self._whole: defaultdict[tuple[str, date], set[truth.Rows]] = defaultdict(set)
        self._truths: dict[tuple[object, ...], truth.Rows] = {}
        self._put: dict[tuple[date, str], truth.Rows] = {}
        self._ledger_before: dict[str, Ledger] = {}
        self._manifest: dict[str, Any] | None = None
        self._people = 0
        self.reached = _NEVER  # until when the API's data has ever reached
        for name, given in plan.api:
            if can_happen(name, self.asset):
                self.api.plan(name, API_FAULTS[name](dict(given)))
        self.api.answers.analytics = replace(plan.analytics)
        # Days of which no time bucket tells that they are not there: nobody can know.
        if plan.lag is not None and (plan.lag.is_refused or self.asset.time_buckets):
            self.api.answers.lags = {_PATHS.get(plan.asset, "?"): plan.lag}

    def _api(self, organization: Organization, *, names_organization: bool) -> Api:
        timed = ASSETS[self.plan.asset].kind is Kind.TIMED_ROWS
        api = Api(
            organization,
            self.plan.page_size * (_ROWS_A_BUCKET if timed else 1),
            key=KEYS[0],
            now=lambda: self.api_now,
            future_ending_at=self.plan.open_day,
        )
        api.says_time, api.names_organization = self.plan.says_time, names_organization
        api.start()
        return api

    def close(self) -> None:
        for sandbox in self.sandboxes:
            sandbox.close()
        self.api.stop()
        if self.foreign is not None:
            self.foreign.stop()

    def _count(self, kind: str) -> None:
        self.happened[kind] += 1

    def say(self, problem: str) -> None:
        """Note that something does not hold."""
        self.violations.append(problem)

    # --- what happens

    @property
    def settings(self) -> Settings:
        """The settings of a process that starts now."""
        group_by, width = GROUPINGS[self.grouping]
        return read_settings(
            {
                "ANALYTICS_GROUP_BY": group_by,
                "ANALYTICS_BUCKET_WIDTH": width,
                "HISTORY_START": self.history_start.isoformat(),
                "LOOKBACK_DAYS": str(self.plan.lookback),
                "REQUESTS_PER_MINUTE": str(self.plan.per_minute),
                "ANTHROPIC_BASE_URL": self.api.url,
                "STATE_PREFIX": "/stack" if self.plan.chooses_prefix else "",
            }
        )

    def _grouped(self) -> Asset:
        """The asset as it is asked for from now on."""
        asset = self.settings.asset(self.plan.asset)
        by = asset.time_buckets
        self.groupings[(by.grouped_by, by.width) if by else ("", "")] = asset
        return asset

    def sandbox(self, *, warm: bool = False, skew: timedelta = timedelta()) -> Sandbox:
        """A process, the last one when it is warm and lives."""
        settings = self.settings
        if warm and self.sandboxes and self.sandboxes[-1].lives(settings, skew):
            return self.sandboxes[-1]
        self.sandboxes.append(Sandbox(settings, self.clock, self.cloud, self.network, skew=skew))
        return self.sandboxes[-1]

    def event(self, invoke: Invoke) -> dict[str, str]:
        """What an invocation is called with."""
        now = self.clock.now()
        first = self.history[0] or self.history_start
        intended = {"late": -DAY, "replay": -20 * DAY, "future": 2 * DAY}
        intervals = {
            "interval": (now.date() - 3 * DAY, now.date() + DAY),
            "island": (self.plan.base - 120 * DAY, self.plan.base - 118 * DAY),
            "before": (first - 3 * DAY, first),
        }
        if invoke.trigger == "manual":
            return {}
        if invoke.trigger in intervals and self.asset.kind.dated:
            start, end = intervals[invoke.trigger]
            return {"interval_start": start.isoformat(), "interval_end": end.isoformat()}
        time = now + intended.get(invoke.trigger, timedelta())
        return {"scheduled_time": time.isoformat()}

    def change(self, change: Change) -> None:
        """Let something be otherwise from now on."""
        self.remember()
        day = max(self.first_use, self.clock.now().date() - change.days * DAY)
        changes: dict[str, Callable[[], object]] = {
            "restate": lambda: self.organization.restate(day, 3),
            "clear": lambda: self.organization.clear_day(day),
            "restore": lambda: self.organization.restore(day),
            "user": self._let_somebody_come,
            "rotate": lambda: self.rotate(both=True),
            "rotate secret": lambda: self.rotate(both=False),  # the API takes the new key later
            "history start": lambda: self._move_history_start(change.days),
            "grouping": self._group_otherwise,
            "behind": lambda: self._fall_behind(change.days),
            "not offered 404": lambda: self._withhold(404),
            "not offered 403": lambda: self._withhold(403),
            "offered": self.api.answers.not_offered.clear,
            "version 0.1.0": self._forget_what_0_1_0_did_not_know,
        }
        changes[change.what]()
        self.happened[f"change: {change.what}"] += 1
        self.remember()

    def _let_somebody_come(self) -> None:
        """Add a user, and change one record of each list of limits: no walk mixes two versions."""
        self._people += 1
        newcomer = {**self.organization.users[0], "id": f"user_new{self._people}"}
        self.organization.users.insert(1, newcomer)
        limit = self.organization.spend_limits[0]
        self.organization.spend_limits[0] = limit | {"amount": str(1000 * self._people)}
        overrides = next(iter(self.organization.rate_limit_overrides.values()))
        limiters = next(iter(overrides.values()))
        limiters[next(iter(limiters))] += 1

    def _move_history_start(self, days: int) -> None:
        self.history_start = self.usual_start + days * DAY

    def _group_otherwise(self) -> None:
        self.grouping = (self.grouping + 1) % len(GROUPINGS)
        self.asset = self._grouped()

    def _fall_behind(self, days: int) -> None:
        """Let the analytics' data, where they say until when it reaches, reach so far only."""
        if self.api.answers.analytics.says_refreshed:
            self.api.answers.analytics.refreshed_ago = days * DAY

    def _withhold(self, status: int) -> None:
        """Let the organization not have the asset's endpoint."""
        self.api.answers.not_offered[self.asset.path.removeprefix("/v1/")] = status

    def _meanwhile(self, number: int) -> None:
        """Let happen what the plan has for a request before it is answered."""
        if change := self.plan.meanwhile.get(number):
            self.change(change)

    def _forget_what_0_1_0_did_not_know(self) -> None:
        """Leave objects and watermarks: neither manifest nor ledger nor progress."""
        for key in list(self.cloud.objects):
            if key.startswith((MANIFEST, "asset=sync_days/", "_progress/")):
                del self.cloud.objects[key]
        for name in list(self.cloud.parameters):
            if not name.endswith("/last_synced_date"):
                del self.cloud.parameters[name]
        self._manifest, self._ledger_before = None, {}

    def rotate(self, *, both: bool) -> None:
        """Put another key into the secret."""
        self.cloud.secret = KEYS[(KEYS.index(self.cloud.secret) + 1) % len(KEYS)]
        if both:
            self.api.key = self.cloud.secret

    def stranger(self, stranger: Stranger) -> None:
        """Invoke a process that belongs to another lake, or to another organization."""
        if self._manifest is None or self._owner() is None:
            return  # nobody can know yet
        settings, bucket = self.settings, "other"
        if stranger.kind != "lake":
            if self.foreign is None:
                today = self.plan.base
                organization = Organization.invent(seed=99, today=today, days=3, people=1)
                self.foreign = self._api(organization, names_organization=True)
            self.foreign.key = self.cloud.secret
            self.foreign.names_organization = "unnamed" not in stranger.kind
            settings, bucket = replace(settings, base_url=self.foreign.url), BUCKET
        sandbox = Sandbox(settings, self.clock, self.cloud, self.network, bucket=bucket)
        before, faults = self.cloud.contents(), self.happened.copy()
        self.remember()
        outcome = sandbox.invoke(self.asset, {}, 900)
        sandbox.close()
        self._check_untouched(before, outcome, but_row=stranger.kind != "lake")
        if self.happened == faults and not isinstance(outcome.error, SettingsError):
            self.say(f"a stranger ({stranger.kind}) was not refused: {outcome.error!r}")
        self.happened[f"a stranger: {stranger.kind}"] += 1

    def _owner(self) -> str | None:
        """The organization of a lake that is known to be the prefix's."""
        owned = self._manifest and f"{self.prefix}/lake_id" in self.cloud.parameters
        return self._manifest["organization_id"] if self._manifest and owned else None

    def stop_the_faults(self) -> None:
        """From now on everything works, and the settings ask for what is possible."""
        self.api.faults.clear()
        self.api.answers.lags.clear()
        self.api.answers.not_offered.clear()
        self.api.meanwhile = lambda _number: None
        analytics = self.api.answers.analytics
        analytics.cursor_pages = None
        analytics.refreshed_ago = min(analytics.refreshed_ago, timedelta(hours=4))
        self.api.forget_walks()
        self.cloud.faults.clear()
        self.network.faults.clear()
        self.api.key = self.cloud.secret
        first, last = self.history
        possible = [self.usual_start, *([first] if first else []), *([last + DAY] if last else [])]
        self.history_start = min(possible)

    # --- the truth, past and present

    def remember(self) -> None:
        """Note every version that a day has now."""
        self.api_now = self.clock.now()
        self.reached = max(self.reached, self.known_reach)
        for day in _days(self.first_use, min(self.api_now, self.reached).date() + DAY):
            for asset, table in itertools.product(self.groupings.values(), self.tables.values()):
                rows = self.expected(table, day, asset)
                self._versions[table.name, day].add(rows)
                if not asset.kind.dated or truth.whole(asset, day, self.data_now):
                    self._whole[table.name, day].add(rows)

    @property
    def data_now(self) -> datetime:
        """The moment of which the API's reports tell now."""
        timed = self.asset.kind is Kind.TIMED_ROWS
        return self.api_now - (self.api.answers.analytics.refreshed_ago if timed else timedelta())

    @property
    def known_reach(self) -> datetime:
        """Until when the API says that it has data; without a word, there is no bound."""
        said = self.asset.kind is Kind.TIMED_ROWS and self.api.answers.analytics.says_refreshed
        return self.data_now if said else datetime.max.replace(tzinfo=UTC)

    def expected(self, table: Table, day: date, asset: Asset | None = None) -> truth.Rows:
        """What the API holds of a day now, grouped as it is asked for now or as another asset."""
        asset, now = asset or self.asset, self.data_now
        if asset.kind.dated and day < self.first_use:
            return ()
        by = asset.time_buckets
        question = (
            table.name,
            day,
            self.organization.revisions[day],
            by and (by.group_by, by.width),
        )
        mark: tuple[object, ...] = (
            (*question, None)
            if asset.kind.dated and truth.whole(asset, day, now)
            else (*question, now, self._people)
        )
        untouched = not self.organization.revisions[day] and mark[-1] is None
        own = (self.seed, self.plan.base)
        known, mark = (_UNTOUCHED, (*own, *mark)) if untouched else (self._truths, mark)
        if mark not in known:
            known[mark] = truth.rows(asset, table, self.organization, day, now)
        return known[mark]

    # --- what is in the account

    @property
    def history(self) -> tuple[date | None, date | None]:
        """The first and the last synced date."""
        names = (
            f"{self.prefix}/{self.asset.name}/{name}_synced_date" for name in ("first", "last")
        )
        values = map(self.cloud.parameter, names)
        first, last = (value and date.fromisoformat(value) for value in values)
        return first or None, last or None

    def rows(self, table: Table, day: date) -> truth.Rows | None:
        """What the lake holds of a day."""
        found = self.cloud.objects.get(object_key(table.name, day))
        return None if found is None else truth.stored(table, found.body)

    def days(self) -> set[date]:
        """The days of which there is an object."""
        keys = (key.split("/") for key in self.cloud.objects if "/date=" in key)
        return {
            date.fromisoformat(partition[5:])
            for folder, partition, _ in keys
            if folder.removeprefix("asset=") in self.tables
        }

    def has_progress(self) -> bool:
        """Whether a run has left a snapshot unfinished, of which the next one keeps what it has."""
        return any(key.startswith("_progress/") for key in self.cloud.objects)

    def row(self, outcome: Outcome) -> dict[str, Any] | None:
        """The row of a run in sync_runs."""
        found = self.cloud.objects.get(_row_key(outcome))
        if found is None:
            return None
        (row,) = pq.read_table(io.BytesIO(found.body)).to_pylist()
        return dict(row)

    def ledger(self) -> Ledger:
        """The entries of all months, by day."""
        return {
            day: entry
            for key, stored in self.cloud.objects.items()
            if key.startswith("asset=sync_days/")
            for day, entry in _entries(stored.body).items()
        }

    # --- at every instant

    def _stored(self, bucket: str, key: str, stored: Stored) -> None:
        """An object was put: it is what it says it is, and nobody else's."""
        if bucket != BUCKET:
            self.say(f"{key} was put into another lake")
        elif key == MANIFEST:
            self._check_manifest(json.loads(stored.body))
        elif key == f"_progress/{self.asset.name}.parquet":
            rows = truth.stored(self.asset.tables[0], stored.body)
            self._check_version(self.asset.name, None, rows)
        else:
            folder, partition, name = key.split("/")
            table, day = folder.removeprefix("asset="), date.fromisoformat(partition[5:])
            if table == "sync_days":
                self._check_ledger(key, stored)
            elif table != "sync_runs":
                self._check_day_put(table, day, name, stored)

    def _check_manifest(self, manifest: dict[str, Any]) -> None:
        """It is written once, but for an organization that was not known."""
        known = self._manifest
        self._manifest = manifest
        if manifest["organization_id"] not in (None, self.organization.id):
            self.say("the lake's manifest names another organization")
        if manifest["state_prefix"] != self.prefix:
            self.say("the lake's manifest names another state prefix")
        if known is not None:
            stays = {**known, "organization_id": manifest["organization_id"]} == manifest
            if not stays or known["organization_id"] is not None:
                self.say("the lake's manifest was written again")

    def _check_day_put(self, table: str, day: date, name: str, stored: Stored) -> None:
        """An object is a whole file of one version of a day of this asset."""
        if table not in self.tables or name != f"{table}.parquet":
            self.say(f"{table} {day} {name} is not an object of {self.asset.name}")
            return
        rows = truth.stored(self.tables[table], stored.body)
        if table == self.asset.tables[0].name:
            self._put[day, stored.metadata[DIGEST]] = rows
        if _midnight(day) >= self.reached:
            self.say(f"{table} {day} was put, and the API has data until {self.reached} only")
        self._check_version(table, day, rows)

    def _check_version(self, table: str, day: date | None, rows: truth.Rows) -> None:
        """Rows are what a day has been; of a snapshot, what some day has been."""
        if self.asset.kind.dated and day is not None:
            versions = self._versions[table, day] if day >= self.first_use else {()}
        else:
            versions = {
                v for (name, _), found in self._versions.items() if name == table for v in found
            }
        if rows not in versions and not any(self._may_lack(rows, v, day) for v in versions):
            self.say(f"{table} {day or ''} holds no version that the day has had")

    def _may_lack(self, rows: truth.Rows, version: truth.Rows, day: date | None) -> bool:
        """Whether rows are a version but for whole workspaces.

        Of a snapshot these are workspaces whose lists were refused; of an unfinished one any.
        """
        if self.asset.fan_out is None:
            return False
        held = {row[0] for row in rows}
        if tuple(row for row in version if row[0] in held) != rows:
            return False
        return day is None or {row[0] for row in version} - held <= self._refused_workspaces()

    def _refused_workspaces(self) -> set[str]:
        """The workspaces whose lists the API has ever refused."""
        return {
            request.path.split("/")[4]
            for request in self.api.requests
            if request.status in (400, 404) and "/workspaces/" in request.path
        }

    def _check_ledger(self, key: str, stored: Stored) -> None:
        """A month's entries are of objects that were put, and no day is forgotten."""
        entries = _entries(stored.body)
        known = self._ledger_before.get(key, {})
        self._ledger_before[key] = entries
        if lost := known.keys() - entries.keys():
            self.say(f"the ledger forgot {sorted(lost)}")
        for day, entry in entries.items():
            if entry != known.get(day):
                self._check_entry(key, day, entry)

    def _check_entry(self, key: str, day: date, entry: dict[str, Any]) -> None:
        if key != object_key("sync_days", day.replace(day=1), self.asset.name):
            self.say(f"{key} holds {day}")
        rows = self._put.get((day, entry["digest"]))
        if rows is None:
            self.say(f"the ledger is ahead of the object of {day}")
        elif entry["is_final"] and not self._is_whole(self.asset.tables[0], day, rows):
            self.say(f"the ledger calls {day} final, and it is not whole")
        times = [entry["first_read_at"], entry["last_read_at"], self.clock.now()]
        if any(before - after > 2 * _LARGEST_SKEW for before, after in itertools.pairwise(times)):
            self.say(f"the ledger's times of {day} are in no order")

    def _is_whole(self, table: Table, day: date, rows: truth.Rows) -> bool:
        """Whether rows are a version of the whole of a day."""
        if self.asset.kind.dated:
            return rows in self._whole[table.name, day] if day >= self.first_use else rows == ()
        return True

    def _moved(self, name: str, value: str) -> None:
        """A parameter was put: the history is complete, in objects and in the ledger."""
        if name == f"{self.prefix}/lake_id":
            if self._manifest is None or value != self._manifest["lake_id"]:
                self.say("lake_id was written and is not the manifest's")
            return
        names = [
            f"{self.prefix}/{self.asset.name}/{each}_synced_date" for each in ("first", "last")
        ]
        if name not in names:
            self.say(f"the parameter {name} is not one of {self.asset.name}")
            return
        first, last = self.history
        if first is None:
            self.say("the watermark moved, and nobody knows where history begins")
        elif last is not None:
            self._check_history(first, last)

    def _check_history(self, first: date, last: date) -> None:
        dated = self.asset.kind.dated  # of a snapshot, days that nobody read are not missing
        if dated and first > last and last + DAY >= self._floor():
            self.say(f"history begins at {first} and ends at {last}")
        if _midnight(last) + DAY > self.reached and dated:
            self.say(f"the watermark {last} is past what the API has: {self.reached}")
        if last > (self.clock.now() + _LARGEST_SKEW).date():
            self.say(f"the watermark {last} is in the future")
        ledger = self.ledger()
        for day in _days(first if dated else last, last):
            for table in self.tables.values():
                self._check_complete(table, day, last)
            entry = ledger.get(day)
            if entry is None or not entry["is_final"] or (dated and not entry["in_history"]):
                self.say(f"the watermark {last} is ahead of the ledger: {day}, {entry}")

    def _floor(self) -> date:
        """The first day that can be asked for."""
        if self.asset.kind is not Kind.TIMED_ROWS:
            return date.min
        return max(date(2026, 1, 1), self.clock.now().date() - 364 * DAY)

    def _check_complete(self, table: Table, day: date, last: date) -> None:
        rows = self.rows(table, day)
        if rows is None:
            self.say(f"the watermark {last} is past {table.name} {day}, which is not in the lake")
        elif not self._is_whole(table, day, rows):
            self.say(f"the watermark {last} is past {table.name} {day}, which is not complete")

    # --- after an invocation

    @contextmanager
    def watching(
        self, *sandboxes: Sandbox, invoke: Invoke | None = None
    ) -> Iterator[list[Outcome]]:
        """Look at what invocations left behind."""
        self.remember()
        self.api.forget_walks()
        first, slow = len(self.api.requests), self._slow()
        before, faults, history = (
            self.cloud.contents(),
            self.happened + self.api.happened,
            self.history,
        )
        outcomes: list[Outcome] = []
        yield outcomes
        requests = self.api.requests[first:]
        alone = len(sandboxes) == 1
        for sandbox, outcome in zip(sandboxes, outcomes, strict=True):
            self._check_end(outcome, slack=_SLOW_AWS * (self._slow() - slow), alone=alone)
            self._check_row(outcome, asked=len(requests))
            self._check_silence(outcome)
            _check_pace(self, sandbox.requested, self.plan.per_minute)
        self._check_rows(before, outcomes)
        if alone:
            (outcome,), (sandbox,) = outcomes, sandboxes
            answered = any(request.status == 200 for request in requests)
            self._check_refusal(before, outcome, sandbox, answered=answered)
            if invoke is not None and faults == self.happened + self.api.happened:
                self._check_start(outcome, invoke, *history)
            if invoke is not None:
                self._check_lookback(outcome, invoke, history[1])
            if outcome.run.status == "unavailable":
                self._check_unavailable(before, outcome, requests)
            if "body time-out" not in self.plan.network.values():
                self._check_retries(requests)

    def _slow(self) -> int:
        return sum(count for kind, count in self.happened.items() if ": slow" in kind)

    def _check_end(self, outcome: Outcome, *, slack: float, alone: bool) -> None:
        """It ended in time, well or with an error that has a name."""
        error = outcome.error
        if isinstance(error, Killed | Terminated):
            return
        if error is not None and not isinstance(error, LakeError):
            self.say(f"an error without a name: {outcome.trace}")
        well = ("succeeded", "partial", *["unavailable"] * self.asset.offered_to_some)
        if error is None and outcome.run.status not in well:
            self.say(f"a run that is {outcome.run.status} did not raise")
        if alone and outcome.left < -slack:
            self.say(f"it ran {-outcome.left:.1f} s beyond its time")

    def _check_row(self, outcome: Outcome, asked: int) -> None:
        """There is a row in sync_runs that says how it ended."""
        error = outcome.error
        row = self.row(outcome)
        if row is None:
            refused = isinstance(error, Refused | Killed | Terminated)
            failed = any("s3.put" in kind for kind in self.happened)
            if error is None or (asked and not refused and not failed and not self._overlaps()):
                self.say(f"no row in sync_runs of a run that ended with {error!r}")
            return
        last = type(error).__name__ if error is not None else None
        known = {"Unfinished"} | ({None} if self._put_failed_after() else set())
        if isinstance(error, Killed | Terminated):
            known |= {None, row["error_type"]}  # killed after the row was put
        if row["error_type"] not in {last} | (known if error is not None else set()):
            self.say(f"sync_runs says {row['error_type']} of a run that ended with {error!r}")
        if (row["status"] == "failed") != (row["error_type"] is not None):
            self.say(f"sync_runs says {row['status']} and {row['error_type']}")

    def _overlaps(self) -> bool:
        return self.sandboxes[-1].baton is not None

    def _check_rows(self, before: dict[str, str], outcomes: Iterable[Outcome]) -> None:
        """Each run has left a row at most."""
        rows = {name for name in self._changed(before) if "/asset=sync_runs/" in name}
        if stray := rows - {f"s3://{BUCKET}/{_row_key(outcome)}" for outcome in outcomes}:
            self.say(f"rows of no run: {sorted(stray)}")

    def _changed(self, before: dict[str, str]) -> set[str]:
        return {name for name, mark in self.cloud.contents().items() if before.get(name) != mark}

    def _check_untouched(self, before: dict[str, str], outcome: Outcome, *, but_row: bool) -> None:
        """A run has written nothing but, perhaps, the row of a failure that came earlier."""
        changed = self._changed(before)
        if but_row and not isinstance(outcome.error, Refused):
            changed -= {f"s3://{BUCKET}/{_row_key(outcome)}"}
        if changed or outcome.error is None:
            self.say(f"{sorted(changed)} was written by a run that ended with {outcome.error!r}")

    def _check_refusal(
        self, before: dict[str, str], outcome: Outcome, sandbox: Sandbox, *, answered: bool
    ) -> None:
        """A refused run leaves nothing, and a wrong clock is refused."""
        wrong_clock = abs(sandbox.skew) > _LARGEST_SKEW and answered
        if wrong_clock or isinstance(outcome.error, Refused):
            self._check_untouched(before, outcome, but_row=True)

    def _check_unavailable(
        self, before: dict[str, str], outcome: Outcome, requests: Sequence[Asked]
    ) -> None:
        """A run of what is not offered leaves its row, and in a new lake whose it is."""
        if not any(request.status in (403, 404) for request in requests):
            self.say("nothing was refused, and the run says that it is not offered")
        allowed = {f"s3://{BUCKET}/{_row_key(outcome)}"}
        changed = self._changed(before) - allowed
        if f"s3://{BUCKET}/{MANIFEST}" not in before:
            changed = {name for name in changed if not self._is_adoption(name)}
        if not outcome.run.organization_id:
            changed -= {f"s3://{BUCKET}/{MANIFEST}"}
        if changed:
            self.say(f"{sorted(changed)} was written by a run of what is not offered")

    def _is_adoption(self, name: str) -> bool:
        """Whether something is written once in a lake that nobody owned: nothing of its days."""
        owned = {f"s3://{BUCKET}/{MANIFEST}", f"{self.prefix}/lake_id"}
        first = f"{self.prefix}/{self.asset.name}/first_synced_date"
        return name in owned or name == first or "/asset=sync_days/" in name

    def _check_lookback(self, outcome: Outcome, invoke: Invoke, last: date | None) -> None:
        """Each day of the lookback was read within a week, or the summary says that it was not."""
        run, first = outcome.run, self.history[0]
        due = invoke.trigger in ("schedule", "manual") and not invoke.skew_hours
        if not due or not self.asset.kind.dated or run.status != "succeeded":
            return
        if last is None or first is None or run.lag_days:
            return
        lookback = max(first, self._floor(), run.started_at.date() - self.plan.lookback * DAY)
        assert run.interval_start
        if lookback <= last < run.interval_start:
            self.happened["a lookback is spread"] += 1
        said = any(_TOO_OLD in text or "Latest available" in text for text in run.warnings)
        ledger = self.ledger()
        for day in () if said else _days(lookback, min(last, run.started_at.date() - DAY)):
            if day not in ledger or run.started_at - ledger[day]["last_read_at"] > _WEEK:
                self.say(f"{day} of the lookback was not read for a week, and nobody says so")

    def _check_start(
        self, outcome: Outcome, invoke: Invoke, first: date | None, last: date | None
    ) -> None:
        """A history start that leaves a gap is refused, an earlier one is read or named."""
        due = invoke.trigger in ("schedule", "manual") and not invoke.skew_hours
        if not due or not self.asset.kind.dated or isinstance(outcome.error, Killed | Terminated):
            return
        wanted, today = self.history_start, self.clock.now().date()
        if wanted > today or (last is not None and wanted > last + DAY):
            if not isinstance(outcome.error, SettingsError):
                self.say(f"a history start of {wanted} after {last} gave {outcome.error!r}")
        elif outcome.error is None and outcome.run.status == "succeeded":
            first, wanted = self.history[0], max(wanted, self._floor())
            named = any(str(wanted) in warning for warning in outcome.run.warnings)
            if first is not None and wanted < first and not named:
                self.say(f"the days {wanted} to {first} are neither read nor named")

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
        for key, stored in self.cloud.objects.items():
            text = _text(stored.body) + str(stored.metadata) + key
            if NEEDLE in text:
                self.say(f"the key is in {key}")
            if "sync_runs" in key and "@example.com" in text:
                self.say(f"an e-mail address is in {key}")

    def check_exact(self, outcome: Outcome) -> None:
        """The lake holds exactly what the API holds, and the ledger exactly what the lake holds.

        Workspaces that the API refused to an earlier run of the same day may be left out by name.
        """
        today = self.api_now.date()
        first, last = self.history
        assert first
        ledger = self.ledger()
        assert outcome.run.interval_start
        for day in _days(first if self.asset.kind.dated else today, today):
            for table in self.tables.values():
                asset = self.asset
                if day < outcome.run.interval_start and asset.time_buckets:
                    asset = self.groupings[ledger[day]["grouped_by"], ledger[day]["bucket_width"]]
                self._check_day(table, day, outcome.run.warnings, asset)
            self._check_entry_of(day, ledger.get(day))
        expected = today - DAY if self.asset.kind.dated else today
        if last != expected:
            self.say(f"the watermark stands at {last} and not at {expected}")

    def check_newest(self, outcome: Outcome) -> None:
        """What a run has read is in the lake: nothing older has replaced it."""
        run = outcome.run
        assert run.interval_start
        assert run.interval_end
        for day in _days(run.interval_start, min(run.interval_end - DAY, self.api_now.date())):
            for table in self.tables.values():
                self._check_day(table, day)

    def _check_day(
        self,
        table: Table,
        day: date,
        warnings: Sequence[str] = (),
        asset: Asset | None = None,
    ) -> None:
        expected, found = self.expected(table, day, asset), self.rows(table, day)
        open_day = self.asset.kind.dated and day == self.api_now.date()
        if open_day and self.plan.open_day == "refuse" and self.asset.time_buckets:
            return  # the API says no to it, so the lake need not have it
        if open_day and self.plan.open_day == "clamp" and self.asset.name == "cost_report":
            return
        if self.asset.fan_out:
            left_out = " ".join(text for text in warnings if "is left out" in text)
            expected = tuple(row for row in expected if row[0] is None or row[0] not in left_out)
        if found != expected:
            have = "nothing" if found is None else f"{len(found)} rows"
            self.say(f"{table.name} {day}: {have} in the lake, {len(expected)} rows in the API")

    def _check_entry_of(self, day: date, entry: dict[str, Any] | None) -> None:
        stored = [self.cloud.objects.get(object_key(name, day)) for name in self.tables]
        objects = [each for each in stored if each is not None]
        held = {
            "digest": objects[0].metadata[DIGEST] if objects else None,
            "bytes": sum(len(each.body) for each in objects),
            "rows": sum(len(self.rows(table, day) or ()) for table in self.tables.values()),
        }
        if objects and held != (entry and {name: entry[name] for name in held}):
            self.say(f"the ledger says {entry} of {day}, and the lake holds {held}")


def _row_key(outcome: Outcome) -> str:
    """The key of a run's row."""
    return object_key("sync_runs", outcome.run.started_at.date(), outcome.run.run_id)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _days(start: date, end: date) -> Iterator[date]:
    while start <= end:
        yield start
        start += DAY


@lru_cache(maxsize=512)
def _entries(body: bytes) -> Ledger:
    """The entries of an object of the ledger, by day."""
    rows = pq.read_table(pa.BufferReader(body), partitioning=None, use_threads=False).to_pylist()
    return {row["day"]: row for row in rows}


def _check_pace(world: World, requested: Sequence[float], per_minute: int) -> None:
    """Never more than a burst, and the pace after it."""
    interval, burst = 60 / per_minute, min(BURST, per_minute // 3)
    for number, end in enumerate(requested):
        for earlier, start in enumerate(requested[:number]):
            # one more: between its turn and the wire, the first may wait for the secret
            if number - earlier > burst + (end - start) / interval + 1e-6:
                world.say(f"{number - earlier + 1} requests within {end - start:.1f} s")
                return


def _text(body: bytes) -> str:
    """All that a file says."""
    if body.startswith(b"{"):
        return body.decode()
    file = pq.ParquetFile(pa.BufferReader(body))
    return f"{file.read(use_threads=False).to_pylist()} {file.metadata.metadata}"
