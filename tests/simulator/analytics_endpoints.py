"""The analytics pair's endpoints: what they refuse, and how their answers are cut into pages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulator.analytics import DIMENSIONS, FAN_OUT, Pricing, Query, rendered
from tests.simulator.attribution import CLAUDE_TAG_CATEGORIES
from tests.simulator.pages import page_of, page_offset, page_token
from tests.simulator.parameters import ApiError, Parameters
from tests.simulator.reports import BUCKET_WIDTHS, midnight, snap, timestamp
from tests.simulator.usage import CONTEXT_WINDOWS, INFERENCE_GEOS, SERVICE_TIERS, SPEEDS
from tests.simulator.wire import Request

if TYPE_CHECKING:
    from tests.simulator.endpoints import Answers

ANALYTICS = "analytics-usage-cost-2026-08-24"
BAD_RANGE = "Invalid date range: ending date must be after starting date"
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
MAX_GROUPINGS = 5

_ONE_DAY = timedelta(days=1)
_HISTORY, _SPAN = timedelta(days=365), timedelta(days=31)
_COST_ORDERS = ("amount", "list_amount", "time")
_USAGE_ORDERS = ("output_tokens", "requests", "time", "total_tokens", "uncached_input_tokens")
_ACTOR_TYPES = ("api_actor", "federated_actor", "service_account_actor", "user_actor")
_PRODUCTS = (
    "chat",
    "chat_cowork_unified",
    "claude_code",
    "claude_console",
    "claude_design",
    "claude_in_chrome",
    "claude_tag",
    "cowork",
    "managed_agents_api",
    "message_batches_api",
    "messages_api",
    "office_agent",
)

# Filter parameters: the attribute of Use, and the values that the filter may take.
FILTERS: dict[str, tuple[str, Collection[str] | None]] = {
    "actor_ids[]": ("actor_id", None),
    "actor_types[]": ("actor_type", _ACTOR_TYPES),
    "agent_ids[]": ("agent_id", None),
    "api_key_ids[]": ("api_key_id", None),
    "claude_tag_categories[]": ("claude_tag_category", CLAUDE_TAG_CATEGORIES),
    "claude_tag_user_ids[]": ("claude_tag_user_id", None),
    "context_windows[]": ("context_window", CONTEXT_WINDOWS),
    "deployment_ids[]": ("deployment_id", None),
    "environment_ids[]": ("environment_id", None),
    "inference_geos[]": ("inference_geo", INFERENCE_GEOS),
    "models[]": ("model", None),
    "organization_ids[]": ("organization_id", None),
    "products[]": ("product", _PRODUCTS),
    "rbac_group_ids[]": ("rbac_group_id", None),
    "service_tiers[]": ("service_tier", SERVICE_TIERS),
    "session_ids[]": ("session_id", None),
    "slack_channel_ids[]": ("slack_channel_id", None),
    "speeds[]": ("speed", SPEEDS),
    "user_profile_ids[]": ("user_profile_id", None),
    "workspace_ids[]": ("workspace_id", None),
}
# How two filters name what is null.
_NULLS = {"api_key_ids[]": "", "inference_geos[]": "not_available"}
PARAMETERS = FILTERS.keys() | {
    "starting_at",
    "ending_at",
    "time_bucket_width",
    "group_by[]",
    "order_by",
    "order",
    "limit",
    "page",
    "exclude_deleted_users",
}


@dataclass
class Analytics:
    """What is chosen about the pair, because the vendor does not say or organizations differ.

    Args:
        pricing: Discounts, and whether Priority Tier has a cost.
        has_enterprise: Whether the organization also uses claude.ai, which no older report counts.
        has_more: Whether pages say `has_more`, which is optional.
        last_page: The `next_page` of the last page: null or "".
        refreshed_ago: How old the figures are: later use is in no row.
        says_refreshed: Whether pages say when that was, or null.
        cursor_pages: After so many pages of a walk its cursor has expired; null for never.
    """

    pricing: Pricing = field(default_factory=Pricing)
    has_enterprise: bool = False
    has_more: bool = True
    last_page: str | None = None
    refreshed_ago: timedelta = timedelta()
    says_refreshed: bool = True
    cursor_pages: int | None = None


def cost(answers: Answers, request: Request, query: Parameters) -> bytes:
    return _answer(answers, request, query, is_cost=True)


def usage(answers: Answers, request: Request, query: Parameters) -> bytes:
    return _answer(answers, request, query, is_cost=False)


def _answer(answers: Answers, request: Request, query: Parameters, *, is_cost: bool) -> bytes:
    limit = query.limit(20, 1000)
    asked = _query(answers, query, is_cost)
    start, end = _range(answers, query, asked.width)
    end = max(start, answers.available_end(request, end))
    cursor = _cursor(answers, request, query, [day.date() for day, _ in _days(start, end)])
    rows, following = _Walk(answers, asked, start, end, cursor.until).page(cursor, limit)
    return page_of(rows, _envelope(answers, request, cursor, following))


# --- what is asked for ------------------------------------------------------------------------


def _query(answers: Answers, query: Parameters, is_cost: bool) -> Query:
    width = query.choice("time_bucket_width", BUCKET_WIDTHS, None)
    order_by = query.choice("order_by", _COST_ORDERS if is_cost else _USAGE_ORDERS, None)
    order = query.choice("order", ("asc", "desc"), "desc")
    group_by = _group_by(query, is_cost)
    excludes = query.flag("exclude_deleted_users")
    if excludes and "actor" not in group_by:
        raise ApiError("exclude_deleted_users: Requires group_by[]=actor")
    return Query(
        is_cost=is_cost,
        group_by=group_by,
        width=width,
        order_by=order_by or ("amount" if is_cost else "total_tokens"),
        order="asc" if order == "asc" else "desc",
        filters=tuple(_filters(query)),
        excludes_deleted=excludes,
        pricing=answers.analytics.pricing,
    )


def _group_by(query: Parameters, is_cost: bool) -> tuple[str, ...]:
    group_by = query.many("group_by[]", sorted(DIMENSIONS + FAN_OUT) if is_cost else DIMENSIONS)
    if len([name for name in group_by if name not in FAN_OUT]) > MAX_GROUPINGS:
        raise ApiError("Cannot specify more than 5 group_by[] dimensions.")
    by_group = "rbac_group_id" in group_by or query.many("rbac_group_ids[]")
    if by_group and "claude_tag_user_id" in group_by:
        raise ApiError("group_by[]: claude_tag_user_id cannot be combined with rbac_group_id")
    return group_by


def _filters(query: Parameters) -> Iterator[tuple[str, frozenset[str | None]]]:
    for name, (attribute, allowed) in FILTERS.items():
        if values := query.many(name, allowed):
            yield attribute, frozenset(None if v == _NULLS.get(name) else v for v in values)


def _range(answers: Answers, query: Parameters, width: str | None) -> tuple[datetime, datetime]:
    """The snapped start and end of what is asked for."""
    query.required("starting_at")
    start, end = query.timestamp("starting_at"), query.timestamp("ending_at")
    assert start is not None
    now = answers.now()
    if start < EARLIEST:
        raise ApiError(f"starting_at: Must be no earlier than {timestamp(EARLIEST)}")
    if start < now - _HISTORY:
        raise ApiError("starting_at: Must be within the last 365 days")
    if end is None and width is not None:
        raise ApiError("ending_at: Field required when time_bucket_width is set")
    end = end or min(now, start + _SPAN)
    _check_span(start, end, width)
    if answers.future_ending_at == "refuse" and end > now:
        raise ApiError("ending_at: Input should be in the past")
    first, last = snap(start, width or "1h"), snap(end, width or "1h")
    if last <= first:
        raise ApiError(BAD_RANGE)
    return first, last


def _check_span(start: datetime, end: datetime, width: str | None) -> None:
    if width == "1m" and end - start > _ONE_DAY:
        raise ApiError("The range may span at most 24 hours with time_bucket_width=1m")
    if end - start > _SPAN:
        raise ApiError("The range may span at most 31 days")


# --- pages ------------------------------------------------------------------------------------


class _Cursor(NamedTuple):
    """Where a page begins, and of which state of the data its walk is.

    A walk sees the figures as they were on its first page. What happens later is not in it, and
    a restatement of one of its days ends it: pages of two states never mix.

    Args:
        until: How far the figures reach.
        revision: How often the days of the range have been restated.
        pages: How many pages came before.
        stretch: See _Walk.
        group: The group of the stretch.
    """

    until: datetime
    revision: int
    pages: int = 0
    stretch: int = 0
    group: int = 0

    @classmethod
    def parse(cls, text: str) -> _Cursor:
        until, *numbers = text.split("/")
        return cls(datetime.fromisoformat(until), *map(int, numbers))

    def __str__(self) -> str:
        return "/".join((self.until.isoformat(), *map(str, self[1:])))

    def then(self, stretch: int, group: int) -> _Cursor:
        """The next page's."""
        return self._replace(pages=self.pages + 1, stretch=stretch, group=group)


def _cursor(answers: Answers, request: Request, query: Parameters, days: Sequence[date]) -> _Cursor:
    """The request's cursor, if it has not expired; on the first page a new one."""
    revision = sum(answers.organization.revisions[day] for day in days)
    offset = page_offset(request, query)
    if offset is None:
        return _Cursor(answers.now() - answers.analytics.refreshed_ago, revision)
    cursor = _Cursor.parse(offset)
    most = answers.analytics.cursor_pages
    if cursor.revision != revision or (most is not None and cursor.pages >= most):
        raise ApiError("The page token has expired.", 410)
    return cursor


def _envelope(
    answers: Answers, request: Request, cursor: _Cursor, following: _Cursor | None
) -> dict[str, Any]:
    chosen = answers.analytics
    token = None if following is None else page_token(request, str(following))
    refreshed = timestamp(cursor.until) if chosen.says_refreshed else None
    more = {"has_more": token is not None} if chosen.has_more else {}
    return {**more, "next_page": token or chosen.last_page, "data_refreshed_at": refreshed}


class _Walk:
    """The groups of a range in their order, in stretches that are rendered when they are reached.

    In the order of time a stretch is a day; in any other all groups are one stretch.
    """

    def __init__(
        self, answers: Answers, query: Query, start: datetime, end: datetime, until: datetime
    ) -> None:
        self._answers, self._query, self._until = answers, query, until
        users = answers.organization.users  # flat, because benchmarks have 20,000
        self._people = hash(tuple(user[name] for name in ("id", "email", "name") for user in users))
        self._stretches = list(_days(start, end)) if query.is_by_time else [(start, end)]
        if query.is_by_time and query.order == "desc":
            self._stretches.reverse()

    def page(self, cursor: _Cursor, limit: int) -> tuple[list[Sequence[bytes]], _Cursor | None]:
        """The groups from a cursor on, and the next page's cursor."""
        rows: list[Sequence[bytes]] = []
        for stretch in range(cursor.stretch, len(self._stretches)):
            groups = self._groups(stretch)
            first = cursor.group if stretch == cursor.stretch else 0
            for group in range(first, len(groups)):
                if limit == 0:
                    return rows, cursor.then(stretch, group)
                limit -= 1
                if groups[group]:  # else all its rows are excluded
                    rows.append((groups[group],))
        return rows, None

    def _groups(self, stretch: int) -> Mapping[int, bytes]:
        first, end = self._stretches[stretch]
        organization = self._answers.organization
        days = [day.date() for day, _ in _days(first, end)]
        until = None if self._until >= end else self._until
        revisions = tuple(organization.revisions[day] for day in days)
        enterprise = self._answers.analytics.has_enterprise
        key = (self._query, first, end, until, revisions, self._people, enterprise)
        return self._answers.cache.get(
            key,
            lambda: rendered(
                (
                    use
                    for use in chain.from_iterable(
                        organization.uses(day, enterprise=enterprise) for day in days
                    )
                    if until is None or use.starting_at < until
                ),
                self._query,
                (first, end),
                organization.directory,
                {user["id"]: user for user in organization.users},
            ),
        )


def _days(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The range cut at every midnight."""
    while start < end:
        following = min(end, midnight(start.date()) + _ONE_DAY)
        yield start, following
        start = following
