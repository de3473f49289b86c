"""The endpoints: what each takes and what it answers, from the organization alone."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import unquote

from tests.simulator import analytics_endpoints, limits
from tests.simulator.analytics_endpoints import ANALYTICS, BAD_RANGE, MAX_GROUPINGS, Analytics
from tests.simulator.organization import Organization, before
from tests.simulator.pages import dumps, id_page, page_offset, page_token, token_page
from tests.simulator.parameters import ApiError, Parameters, either, has_beta
from tests.simulator.reports import BUCKET_WIDTHS, midnight, snap, timestamp, usage_results
from tests.simulator.usage import (
    CONTEXT_WINDOWS,
    DIMENSIONS,
    INFERENCE_GEOS,
    SERVICE_TIERS,
    SPEEDS,
    UsageEvent,
)
from tests.simulator.wire import Request

Json = dict[str, Any]
_K = TypeVar("_K")
OpenDay = Literal["accept", "refuse", "clamp"]

FAST_MODE = "fast-mode-2026-02-01"
_LIMITS = {"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)}
_CLAUDE_CODE_DELAY = timedelta(hours=1)
_KEY_STATUSES = ("active", "inactive", "archived", "expired")
_INVITE_STATUSES = ("pending", "accepted", "expired")

# Filter parameters of the usage report: the event's attribute and the values it may take.
_USAGE_FILTERS: dict[str, tuple[str, Collection[str] | None]] = {
    "account_ids[]": ("account_id", None),
    "api_key_ids[]": ("api_key_id", None),
    "service_account_ids[]": ("service_account_id", None),
    "workspace_ids[]": ("real_workspace_id", None),
    "models[]": ("model", None),
    "context_window[]": ("context_window", CONTEXT_WINDOWS),
    "inference_geos[]": ("inference_geo", INFERENCE_GEOS),
    "service_tiers[]": ("service_tier", SERVICE_TIERS),
    "speeds[]": ("speed", SPEEDS),
}


class Endpoint(NamedTuple):
    """A path, the parameters it knows, the function that answers it, and the beta it belongs to."""

    path: re.Pattern[str]
    parameters: frozenset[str]
    answer: Callable[[Answers, Request, Parameters], bytes]
    beta: str | None = None


@dataclass(frozen=True)
class Lag:
    """How far a report is behind, which two users of the cost report saw.

    Args:
        days: Complete days that it does not have yet, before the open one.
        is_refused: Whether asking for a day that it does not have is a 400, as of the sibling
            reports; otherwise its time buckets just do not come.
    """

    days: int
    is_refused: bool = False


@dataclass
class Answers:
    """The correct answers of one organization at one time.

    Args:
        organization: The ground truth.
        now: The clock: later events are in no report.
        future_ending_at: What an `ending_at` beyond `now` gets, which is undocumented:
            "accept" answers up to the open time bucket, "refuse" with 400; "clamp" ends the cost
            report silently at the start of today, as several clients observed in 2026, and
            accepts it in the usage report.
        missing_members: Workspaces whose member list answers 404.
        cache_bytes: How much rendered JSON is kept.
        lags: How far a report is behind, by the end of its path.
        analytics: What is chosen about the analytics pair.
        missing_rate_limits: Workspaces whose rate limits answer 404.
        has_group_type: Whether rate limits say `group_type` to those who ask by the first version.
        not_offered: What the organization does not have, by a part of the path: the status that
            answers instead, 404 (as if it did not exist) or 403 (which names the beta).
    """

    organization: Organization
    now: Callable[[], datetime]
    future_ending_at: OpenDay = "accept"
    missing_members: Collection[str] = ()
    cache_bytes: int = 1 << 30
    lags: dict[str, Lag] = field(default_factory=dict)
    analytics: Analytics = field(default_factory=Analytics)
    missing_rate_limits: Collection[str] = ()
    has_group_type: bool = True
    not_offered: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cache = _Cache(self.cache_bytes)

    def check_offered(self, request: Request, beta: str | None) -> None:
        """Refuse what the organization does not have, and a beta that is not asked for by name."""
        for part, status in self.not_offered.items():
            if part in request.path and status == 403:
                raise ApiError(f"Your organization does not have access to {beta or part}.", 403)
            if part in request.path:
                raise ApiError(f"Not found: {request.path}", status)
        if beta is not None and not has_beta(request, beta):
            raise ApiError(f"Not found: {request.path}", 404)

    # --- entities

    def me(self, request: Request, query: Parameters) -> bytes:
        organization = self.organization
        return dumps({"id": organization.id, "type": "organization", "name": organization.name})

    def workspaces(self, request: Request, query: Parameters) -> bytes:
        archived, default = query.flag("include_archived"), query.flag("include_default")
        ids = query.many("ids[]")
        listed = [
            workspace
            for workspace in self.organization.workspaces
            if (not ids or workspace["id"] in ids)
            and (archived or workspace["archived_at"] is None)
            and (default or workspace["id"] != self.organization.default_workspace_id)
        ]
        return id_page(listed, query, "id")

    def api_keys(self, request: Request, query: Parameters) -> bytes:
        status = query.choice("status", _KEY_STATUSES, None)
        workspace, creator = query.one("workspace_id"), query.one("created_by_user_id")
        listed = [
            key
            for key in self.organization.api_keys
            if status in (None, key["status"])
            and workspace in (None, _workspace_of(key))
            and creator in (None, (key["created_by"] or {}).get("id"))
        ]
        return id_page(listed, query, "id")

    def invites(self, request: Request, query: Parameters) -> bytes:
        statuses = either(query, "statuses", _INVITE_STATUSES) or _INVITE_STATUSES
        listed = [
            invite
            for invite in _people(self.organization.invites, query)
            if invite["status"] in statuses
        ]
        return id_page(listed, query, "id")

    def users(self, request: Request, query: Parameters) -> bytes:
        return id_page(_people(self.organization.users, query), query, "id")

    def members(self, request: Request, query: Parameters) -> bytes:
        workspace_id = unquote(request.path.split("/")[4])
        known = self.organization.members.get(workspace_id)
        if known is None or workspace_id in self.missing_members:
            raise ApiError("Workspace not found", 404)
        return id_page(known, query, "user_id")

    # --- reports

    def usage(self, request: Request, query: Parameters) -> bytes:
        width = str(query.choice("bucket_width", BUCKET_WIDTHS, "1d"))
        group_by = _groupings(query, DIMENSIONS)
        filters = {
            attribute: values
            for name, (attribute, allowed) in _USAGE_FILTERS.items()
            if (values := query.many(name, allowed))
        }
        if ("speed" in group_by or "speed" in filters) and not has_beta(request, FAST_MODE):
            raise ApiError(f"speed requires the anthropic-beta header {FAST_MODE}")
        report = _UsageReport(group_by, width, tuple(filters.items()))
        return self._bucket_page(request, query, width, lambda day: self._usage_day(day, report))

    def cost(self, request: Request, query: Parameters) -> bytes:
        query.choice("bucket_width", ("1d",), "1d")
        group_by = _groupings(query, ("workspace_id", "description"))
        return self._bucket_page(request, query, "1d", lambda day: self._cost_day(day, group_by))

    def claude_code(self, request: Request, query: Parameters) -> bytes:
        day, limit = query.day("starting_at"), query.limit(20, 1000)
        start = int(page_offset(request, query) or 0)
        available = self.available_end(request, midnight(day) + timedelta(days=1))
        records = self._claude_code_day(day) if midnight(day) < available else {}
        stop = min(start + limit, len(records))
        page = ((records[number],) for number in range(start, stop))
        return token_page(page, page_token(request, str(stop)) if stop < len(records) else None)

    def _usage_day(self, day: date, report: _UsageReport) -> Mapping[datetime, bytes]:
        until = self._until(day, timedelta())
        return self.cache.get(
            (report, day, until, self.organization.revisions[day]),
            lambda: usage_results(
                report.matching(before(self.organization.day(day).stream(), until)),
                report.group_by,
                report.bucket_width,
            ),
        )

    def _cost_day(self, day: date, group_by: tuple[str, ...]) -> Mapping[datetime, bytes]:
        until = self._until(day, timedelta())
        return self.cache.get(
            ("cost", group_by, day, until, self.organization.revisions[day]),
            lambda: {
                midnight(day): dumps(self.organization.cost_rows(day, group_by, until)),
            },
        )

    def _claude_code_day(self, day: date) -> Mapping[int, bytes]:
        until = self._until(day, _CLAUDE_CODE_DELAY)
        return self.cache.get(
            ("claude code", day, until, self.organization.revisions[day]),
            lambda: dict(enumerate(map(dumps, self.organization.claude_code_records(day, until)))),
        )

    def _until(self, day: date, delay: timedelta) -> datetime | None:
        """The moment at which a day's data ends; null when the day is over."""
        until = self.now() - delay
        return None if until >= midnight(day) + timedelta(days=1) else until

    def _bucket_page(
        self,
        request: Request,
        query: Parameters,
        width: str,
        of_day: Callable[[date], Mapping[datetime, bytes]],
    ) -> bytes:
        limit = query.limit(*_LIMITS[width])
        start, end = self._range(request, query, width)
        end = max(start, self.available_end(request, end))
        offset = page_offset(request, query)
        start = datetime.fromisoformat(offset) if offset else start
        stop = min(end, start + limit * BUCKET_WIDTHS[width])
        page = _buckets(start, stop, BUCKET_WIDTHS[width], of_day)
        return token_page(page, page_token(request, stop.isoformat()) if stop < end else None)

    def _range(self, request: Request, query: Parameters, width: str) -> tuple[datetime, datetime]:
        """The snapped start and end of the time buckets asked for."""
        query.required("starting_at")
        start, end = query.timestamp("starting_at"), query.timestamp("ending_at")
        assert start is not None
        costs = request.path.endswith("cost_report")
        last = self._last_end(width, costs, explicit=end is not None)
        if end is not None and self.future_ending_at == "refuse" and snap(end, width) > self.now():
            raise ApiError("ending_at: Input should be in the past")
        first, stop = snap(start, width), last if end is None else min(snap(end, width), last)
        if stop <= first:
            raise ApiError(BAD_RANGE)
        return first, stop

    def available_end(self, request: Request, end: datetime) -> datetime:
        """Where a report that lags ends, in time buckets that were asked for up to an end."""
        lag = next((lag for name, lag in self.lags.items() if request.path.endswith(name)), None)
        if lag is None:
            return end
        available = midnight(self.now().date() - timedelta(days=lag.days))
        if lag.is_refused and end > available:
            latest = available.date() - timedelta(days=1)
            raise ApiError(f"Latest available data for this query is {latest}")
        return min(end, available)

    def _last_end(self, width: str, costs: bool, *, explicit: bool) -> datetime:
        """Where the last time bucket ends: cost reports hold back the open one unless asked."""
        opened = snap(self.now(), width)
        complete_only = costs and (not explicit or self.future_ending_at == "clamp")
        return opened if complete_only else opened + BUCKET_WIDTHS[width]


@dataclass(frozen=True)
class _UsageReport:
    """What distinguishes one usage report from another, dates apart."""

    group_by: tuple[str, ...]
    bucket_width: str
    filters: tuple[tuple[str, tuple[str, ...]], ...]

    def matching(self, events: Iterable[UsageEvent]) -> Iterable[UsageEvent]:
        if not self.filters:
            return events
        return (event for event in events if self._matches(event))

    def _matches(self, event: UsageEvent) -> bool:
        return all(getattr(event, attribute) in values for attribute, values in self.filters)


class _Cache:
    """Rendered JSON by what it was rendered from; the longest unused goes first."""

    def __init__(self, size: int) -> None:
        self._room = size
        self._kept: OrderedDict[object, Mapping[Any, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object, render: Callable[[], Mapping[_K, bytes]]) -> Mapping[_K, bytes]:
        with self._lock:
            if key not in self._kept:
                self._keep(key, render())
            self._kept.move_to_end(key)
            return self._kept[key]

    def _keep(self, key: object, rendered: Mapping[Any, bytes]) -> None:
        self._kept[key] = rendered
        self._room -= _size(rendered)
        while self._room < 0 and len(self._kept) > 1:
            self._room += _size(self._kept.popitem(last=False)[1])


def _size(rendered: Mapping[Any, bytes]) -> int:
    return 200 + sum(map(len, rendered.values()))


# --- time buckets ----------------------------------------------------------------------------


def _buckets(
    start: datetime,
    stop: datetime,
    width: timedelta,
    of_day: Callable[[date], Mapping[datetime, bytes]],
) -> Iterator[Sequence[bytes]]:
    results: Mapping[datetime, bytes] = {}
    day = None
    while start < stop:
        if start.date() != day:
            day = start.date()
            results = of_day(day)
        end = start + width
        head = f'{{"starting_at":"{timestamp(start)}","ending_at":"{timestamp(end)}","results":'
        yield head.encode(), results.get(start, b"[]"), b"}"
        start = end


# --- filters ----------------------------------------------------------------------------------


def _groupings(query: Parameters, allowed: Collection[str]) -> tuple[str, ...]:
    group_by = query.many("group_by[]", allowed)
    if len(group_by) > MAX_GROUPINGS:
        raise ApiError("Cannot specify more than 5 group_by[] dimensions.")
    return group_by


def _people(listed: Sequence[Json], query: Parameters) -> list[Json]:
    """Users or invites of the e-mail address, in any case, and of the roles asked for."""
    email, roles = query.one("email"), either(query, "roles")
    return [
        person
        for person in listed
        if (email is None or person["email"].casefold() == email.strip().casefold())
        and (not roles or person["role"] in roles)
    ]


def _workspace_of(key: Json) -> Any:
    return key.get("scope", {}).get("workspace_id") or key.get("workspace_id")


# --- the table --------------------------------------------------------------------------------

_WALK = {"limit", "after_id", "before_id"}
_PEOPLE = _WALK | {"email", "roles", "roles[]"}
_BUCKETS = {"starting_at", "ending_at", "bucket_width", "limit", "page", "group_by[]"}


def _endpoint(
    path: str, parameters: Collection[str], answer: Any, beta: str | None = None
) -> Endpoint:
    return Endpoint(re.compile("/v1/organizations/" + path), frozenset(parameters), answer, beta)


ENDPOINTS = (
    _endpoint("me", (), Answers.me),
    _endpoint(
        "workspaces", _WALK | {"include_archived", "include_default", "ids[]"}, Answers.workspaces
    ),
    _endpoint("workspaces/[^/]+/members", _WALK, Answers.members),
    _endpoint(
        "api_keys", _WALK | {"status", "workspace_id", "created_by_user_id"}, Answers.api_keys
    ),
    _endpoint("invites", _PEOPLE | {"statuses", "statuses[]"}, Answers.invites),
    _endpoint("users", _PEOPLE, Answers.users),
    _endpoint("usage_report/messages", _BUCKETS | _USAGE_FILTERS.keys(), Answers.usage),
    _endpoint("usage_report/claude_code", {"starting_at", "limit", "page"}, Answers.claude_code),
    _endpoint("cost_report", _BUCKETS, Answers.cost),
    _endpoint(
        "analytics/cost", analytics_endpoints.PARAMETERS, analytics_endpoints.cost, ANALYTICS
    ),
    _endpoint(
        "analytics/usage", analytics_endpoints.PARAMETERS, analytics_endpoints.usage, ANALYTICS
    ),
    _endpoint("rate_limits", {*limits.RATE_LIMIT_PARAMETERS, "model"}, limits.rate_limits),
    _endpoint(
        "workspaces/[^/]+/rate_limits",
        {*limits.RATE_LIMIT_PARAMETERS, "include_inherited"},
        limits.workspace_rate_limits,
    ),
    _endpoint(
        "spend_limits",
        limits.SPEND_LIMIT_PARAMETERS,
        limits.spend_limits,
        limits.SPEND_LIMIT_READS,
    ),
)


def end_of(day: date) -> datetime:
    """The last second of a day, UTC."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
