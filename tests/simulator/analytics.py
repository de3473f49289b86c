"""Usage and cost of the analytics pair: what is asked for, grouped, ranked and rendered.

They agree with the older reports of the same organization. Priority Tier is billed elsewhere: it
has usage and, as in the cost report, no cost, unless Pricing says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from operator import add, attrgetter, mul
from typing import Any, Literal, NamedTuple, Protocol

from tests.simulator.attribution import Use
from tests.simulator.identities import Actor, Directory
from tests.simulator.pages import dumps
from tests.simulator.reports import BUCKET_WIDTHS, quoted, snap, timestamp
from tests.simulator.usage import TOKEN_TYPES, UNBILLED_TIERS, WEB_SEARCH_CENTS

Json = dict[str, Any]
Bounds = tuple[datetime, datetime]
Figures = tuple[Any, ...]
Users = Mapping[str, Json]

DIMENSIONS = (
    "actor",
    "actor_type",
    "agent_id",
    "api_key_id",
    "claude_tag_category",
    "claude_tag_user_id",
    "context_window",
    "deployment_id",
    "environment_id",
    "inference_geo",
    "model",
    "organization_id",
    "product",
    "rbac_group_id",
    "service_tier",
    "session_id",
    "slack_channel_id",
    "speed",
    "user_profile_id",
    "workspace_id",
)
# They make several rows of one group; they count neither as dimensions nor toward a page's limit.
FAN_OUT = ("cost_type", "token_type")
COMPONENTS = (
    *(("tokens", token_type) for token_type in TOKEN_TYPES),
    ("web_search", None),
    ("code_execution", None),
    ("session_usage", None),
)
_UNBILLED = (Decimal(),) * len(TOKEN_TYPES)


@dataclass(frozen=True)
class Pricing:
    """How cost is reported.

    Args:
        discount: The part taken off the list price of tokens, and of nothing else.
        has_priority: Whether Priority Tier costs what its tokens cost at list price.
    """

    discount: Decimal = Decimal()
    has_priority: bool = False


@dataclass(frozen=True)
class Query:
    """What distinguishes one question from another, its range apart.

    Args:
        is_cost: Cost rather than usage.
        group_by: Dimensions, and those of FAN_OUT.
        width: Of the time buckets; null for one row a combination.
        filters: Attributes of Use, and the values that match.
    """

    is_cost: bool
    group_by: tuple[str, ...]
    width: str | None
    order_by: str
    order: Literal["asc", "desc"]
    filters: tuple[tuple[str, frozenset[str | None]], ...]
    excludes_deleted: bool
    pricing: Pricing

    @property
    def is_by_time(self) -> bool:
        """Whether rows come in the order of time, so that days are rendered one by one."""
        return self.order_by == "time" and self.width is not None

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(name for name in DIMENSIONS if name in self.group_by)

    def selected(self, uses: Iterable[Use], bounds: Bounds, people: Directory) -> Iterator[Use]:
        """What the filters let through; a member of two RBAC groups counts in both."""
        first, end = bounds
        within = (use for use in uses if first <= use.starting_at < end)
        matching = (use for use in within if self._matches(use, people)) if self.filters else within
        if "rbac_group_id" not in self.group_by:
            return matching
        return (
            use._replace(rbac_group_id=group)
            for use in matching
            for group in people.memberships(use.actor)
        )

    def _matches(self, use: Use, people: Directory) -> bool:
        return all(
            not values.isdisjoint(people.memberships(use.actor))
            if attribute == "rbac_group_id"
            else getattr(use, attribute) in values
            for attribute, values in self.filters
        )


class _Group(NamedTuple):
    """One combination of dimensions in one time bucket."""

    start: datetime
    head: str
    rank: Any
    rows: bytes


class _Report(Protocol):
    """What differs between cost and usage."""

    def figures(self, use: Use) -> Figures:
        """What is summed up."""

    def rows(self, figures: Figures) -> list[tuple[Any, str]]:
        """The rows of a group: what ranks them, and how their JSON ends."""


def rendered(
    uses: Iterable[Use], query: Query, bounds: Bounds, people: Directory, users: Users
) -> dict[int, bytes]:
    """The groups of a range by number, in the query's order: each its rows, joined by commas.

    Args:
        uses: Of all days that the range touches.
        query: What is asked for.
        bounds: The range; without time buckets it is every row's own.
        people: The organization's identities.
        users: Its users of today by their ids.
    """
    report: _Report = _Cost(query) if query.is_cost else _Usage(query)
    head_of = _heads(query, bounds, users)
    groups = []
    for (start, key), figures in _sums(uses, query, bounds, people, report).items():
        if rows := report.rows(figures):
            head = head_of(start, key)
            hidden = query.excludes_deleted and _is_deleted(key[0], users)
            text = "" if hidden else ",".join([head + tail for _, tail in rows])
            groups.append(_Group(start, head, sum(rank for rank, _ in rows), text.encode()))
    groups.sort(key=_order(query))
    return {number: group.rows for number, group in enumerate(groups)}


def _sums(
    uses: Iterable[Use], query: Query, bounds: Bounds, people: Directory, report: _Report
) -> dict[tuple[datetime, Figures], Figures]:
    start_of = _start_of(query.width, bounds)
    key_of = _key_of(query.dimensions)
    sums: dict[tuple[datetime, Figures], Figures] = {}
    for use in query.selected(uses, bounds, people):
        key, figures = (start_of(use.starting_at), key_of(use)), report.figures(use)
        known = sums.get(key)
        sums[key] = figures if known is None else tuple(map(add, known, figures))
    return sums


def _start_of(width: str | None, bounds: Bounds) -> Callable[[datetime], datetime]:
    if width is None:
        return lambda moment: bounds[0]
    return cache(lambda moment: snap(moment, width))


def _key_of(names: tuple[str, ...]) -> Callable[[Use], Figures]:
    """Like attrgetter, but always a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda use: tuple(getattr(use, name) for name in names)


def _heads(query: Query, bounds: Bounds, users: Users) -> Callable[[datetime, Figures], str]:
    """A function that renders a row up to and with the dimensions that do not fan out."""
    places = (f'"{name}":%s' if name in query.group_by else f'"{name}":null' for name in DIMENSIONS)
    template = '{"starting_at":"%s","ending_at":"%s","group":{' + ",".join(places)
    text_of = cache(lambda value: _text(value, users))

    @cache
    def period(start: datetime) -> tuple[str, str]:
        end = bounds[1] if query.width is None else start + BUCKET_WIDTHS[query.width]
        return timestamp(start), timestamp(end)

    return lambda start, key: template % (*period(start), *map(text_of, key))


def _text(value: Actor | str | None, users: Users) -> str:
    return dumps(value.json(users)).decode() if isinstance(value, Actor) else quoted(value)


def _is_deleted(actor: Actor, users: Users) -> bool:
    return bool((actor.json(users) or {}).get("deleted"))


def _order(query: Query) -> Callable[[_Group], tuple[Any, ...]]:
    """Sorts by the metric, or by time and then by the metric, highest first; never by chance."""
    sign = 1 if query.order == "asc" else -1
    if query.is_by_time:
        return lambda group: (sign * group.start.timestamp(), -group.rank, group.head)
    return lambda group: (sign * group.rank, group.start, group.head)


# --- cost -------------------------------------------------------------------------------------


class _Cost:
    """Sums of cents of COMPONENTS at list price, then of requests."""

    _TAIL = (
        ',"cost_type":%s,"token_type":%s},"cost":{"amount":"%s","list_amount":"%s",'
        '"currency":"USD","requests":%s}}'
    )

    def __init__(self, query: Query) -> None:
        self._pricing = query.pricing
        self._fans_out = any(name in query.group_by for name in FAN_OUT)
        self._labels = tuple(_label(*component, query.group_by) for component in COMPONENTS)
        paid = 1 - query.pricing.discount
        self._paid = tuple(paid if kind == "tokens" else Decimal(1) for kind, _ in COMPONENTS)
        self._ranks_list = query.order_by == "list_amount"

    def figures(self, use: Use) -> Figures:
        unbilled = use.service_tier in UNBILLED_TIERS and not self._pricing.has_priority
        prices = _UNBILLED if unbilled else use.prices
        tokens = map(mul, use.counts, prices)  # which ends before the web searches
        return (*tokens, use.counts[-1] * WEB_SEARCH_CENTS, *use.services, use.requests)

    def rows(self, figures: Figures) -> list[tuple[Any, str]]:
        sums: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
        for label, cents, paid in zip(self._labels, figures, self._paid, strict=False):
            if cents and label is not None:
                at_list, amount = sums.get(label, (Decimal(), Decimal()))
                sums[label] = at_list + cents, amount + cents * paid
        requests = "null" if self._fans_out else figures[-1]
        return [
            (
                at_list if self._ranks_list else amount,
                self._TAIL % (*label, format(amount, "f"), format(at_list, "f"), requests),
            )
            for label, (at_list, amount) in sums.items()
        ]


def _label(
    cost_type: str, token_type: str | None, group_by: Collection[str]
) -> tuple[str, str] | None:
    """How a component is called on its row, as JSON; null where it is on none.

    Token types alone leave out what has no tokens.
    """
    by_type, by_token = (name in group_by for name in FAN_OUT)
    if by_token and not by_type and token_type is None:
        return None
    return (
        quoted(cost_type if by_type or by_token else None),
        quoted(token_type if by_token else None),
    )


# --- usage ------------------------------------------------------------------------------------


class _Usage:
    """Sums of the six counters, then of requests."""

    _TAIL = (
        '},"usage":{"uncached_input_tokens":%d,"cache_read_input_tokens":%d,"cache_creation":'
        '{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d},"output_tokens":%d,'
        '"server_tool_use":{"web_search_requests":%d},"requests":%d,"total_tokens":%d}}'
    )
    _RANKS: Mapping[str, Callable[[Figures], int]] = {
        "uncached_input_tokens": lambda figures: figures[0],
        "output_tokens": lambda figures: figures[4],
        "requests": lambda figures: figures[6],
    }

    def __init__(self, query: Query) -> None:
        self._rank = self._RANKS.get(query.order_by, _total_tokens)

    def figures(self, use: Use) -> Figures:
        return (*use.counts, use.requests)

    def rows(self, figures: Figures) -> list[tuple[Any, str]]:
        if not any(figures):
            return []
        return [(self._rank(figures), self._TAIL % (*figures, _total_tokens(figures)))]


def _total_tokens(figures: Figures) -> int:
    total: int = sum(figures[: len(TOKEN_TYPES)])
    return total
