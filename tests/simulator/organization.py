"""The simulated organization: the ground truth that every endpoint answers from."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from tests.simulator.attribution import Attribution, Use
from tests.simulator.days import SCALE_COMBINATIONS, Day, FixedDay, Plan
from tests.simulator.identities import Directory
from tests.simulator.invention import Entities, Inventor, Person
from tests.simulator.limits import LimitInventor
from tests.simulator.reports import (
    BUCKET_WIDTHS,
    claude_code_records,
    cost_rows,
    midnight,
    timestamp,
    usage_results,
)
from tests.simulator.usage import UsageEvent

Json = dict[str, Any]


class Organization:
    """People, workspaces, keys and what they used; lists may be changed, reports by methods."""

    def __init__(self, entities: Entities, plan: Plan, *, drift: bool) -> None:
        self.plan, self.drift = plan, drift
        self.id, self.name = entities.id, entities.name
        self.default_workspace_id = entities.default_workspace_id
        self.claude_code_workspace_id = entities.claude_code_workspace_id
        self.workspaces: list[Json] = entities.workspaces
        self.api_keys: list[Json] = entities.api_keys
        self.invites: list[Json] = entities.invites
        self.users: list[Json] = entities.users
        self.members: dict[str, list[Json]] = entities.members
        self.people: list[Person] = entities.people
        limits = LimitInventor(plan.seed, plan.today, entities)
        self.rate_limits: list[Json] = limits.rate_limits()
        self.rate_limit_overrides = limits.overrides(self.rate_limits)
        self.spend_limits: list[Json] = limits.spend_limits()
        self.revisions: Counter[date] = Counter()
        self._changed: dict[date, Day] = {}
        self._drawn: dict[date, Day] = {}

    @classmethod
    def invent(
        cls,
        seed: int = 7,
        today: date = date(2026, 11, 22),
        days: int = 60,
        people: int = 12,
        workspaces: int = 5,
        groups: int | None = None,
        *,
        drift: bool = True,
    ) -> Organization:
        """An organization that follows from the arguments alone.

        Args:
            seed: Another seed, other people and figures.
            today: The last day with use.
            days: How many days have use, today included.
            people: Users; three in four use Claude Code on the API, the others on a seat.
            workspaces: Active ones beside the default one, "Claude Code" included.
            groups: For benchmarks: about so many distinct combinations of key, workspace,
                model, tier and window each day, and exactly one Claude Code record a person.
            drift: Objects also in the shapes of other months: unknown roles, missing fields,
                both unions of `principal`, estimated costs as strings.
        """
        keys = -(-(groups or 0) // len(SCALE_COMBINATIONS))
        entities = Inventor(seed, today, drift=drift).organization(people, workspaces, keys)
        first_day = today - timedelta(days=days - 1)
        plan = Plan(seed, first_day, today, groups, entities)
        return cls(copy.deepcopy(entities), plan, drift=drift)  # changed lists draw no other days

    # --- the truth

    @property
    def today(self) -> date:
        return self.plan.today

    @property
    def days(self) -> list[date]:
        """The days that have use, oldest first."""
        count = (self.today - self.plan.first_day).days + 1
        known = {self.plan.first_day + timedelta(days=number) for number in range(count)}
        return sorted(known | self._changed.keys())

    def day(self, day: date) -> Day:
        """What was used on a day; empty outside of `days`."""
        if day in self._changed:
            return self._changed[day]
        if not self.plan.first_day <= day <= self.today:
            return self._empty(day)
        if self.plan.groups is not None:  # too big to keep
            return Day(self.plan, day)
        return self._drawn.setdefault(day, Day(self.plan, day))

    @property
    def usage_events(self) -> list[UsageEvent]:
        """Everything in the usage report at the finest grain, day after day."""
        return [event for day in self.days for event in self.events(day)]

    def events(self, day: date) -> list[UsageEvent]:
        return self.day(day).events

    # --- the reports

    def usage_report(
        self, day: date, group_by: Sequence[str] = (), bucket_width: str = "1d"
    ) -> list[Json]:
        """The day's time buckets that have usage, as the API returns them."""
        width = BUCKET_WIDTHS[bucket_width]
        results = usage_results(self.events(day), group_by, bucket_width)
        return [
            {
                "starting_at": timestamp(start),
                "ending_at": timestamp(start + width),
                "results": json.loads(results[start]),
            }
            for start in sorted(results)
        ]

    def cost_rows(
        self,
        day: date,
        group_by: Sequence[str] = ("workspace_id", "description"),
        until: datetime | None = None,
    ) -> list[Json]:
        """The day's rows of the cost report, of what had happened by `until`."""
        held = self.day(day)
        services = held.services if until is None or until > midnight(day) else []
        return cost_rows(before(held.stream(), until), services, group_by)

    def claude_code_records(self, day: date, until: datetime | None = None) -> list[Json]:
        """The day's Claude Code records, of what had happened by `until`."""
        held = self.day(day)
        events = before(held.claude_code_sessions, until)
        return claude_code_records(events, day, self.id, self.plan.seed, drift=self.drift)

    @cached_property
    def directory(self) -> Directory:
        """Who is behind the usage."""
        return Directory(self.plan.seed, self.plan.entities)

    def uses(self, day: date, *, enterprise: bool = False) -> Iterator[Use]:
        """The day's use as the analytics attribute it; that of claude.ai when asked for."""
        attribution = Attribution(self.id, self.directory)
        held = self.day(day)
        yield from attribution.uses(held)
        if enterprise:
            yield from attribution.enterprise_uses(held)

    # --- changing the past

    def set_usage(self, day: date, rows: Iterable[UsageEvent]) -> None:
        """Let a day hold these events; seats and services stay as they were."""
        events = list(rows)
        if stray := [event for event in events if event.starting_at.date() != day]:
            raise ValueError(f"not an event of {day}: {stray[0]}")
        held = self.day(day)
        self._change(FixedDay(held, events, held.seats, held.services))

    def clear_day(self, day: date) -> None:
        """Let a day hold nothing at all."""
        self._change(self._empty(day))

    def restate(self, day: date, factor: int = 2) -> None:
        """Multiply every token and every cost of a day."""
        held = self.day(day)

        def times(events: list[UsageEvent]) -> list[UsageEvent]:
            return [event.times(factor) for event in events]

        services = [service.times(factor) for service in held.services]
        self._change(FixedDay(held, times(held.events), times(held.seats), services))

    def restore(self, day: date) -> None:
        """Let a day hold again what it was invented with."""
        self._changed.pop(day, None)
        self.revisions[day] += 1

    def _empty(self, day: date) -> Day:
        return FixedDay(Day(self.plan, day), [], [], [])

    def _change(self, day: Day) -> None:
        self._changed[day.day] = day
        self.revisions[day.day] += 1


def before(events: Iterable[UsageEvent], until: datetime | None) -> Iterable[UsageEvent]:
    """The events that had begun by a moment."""
    return events if until is None else (event for event in events if event.starting_at < until)
