"""How the view cost_allocation gives cost to cost centres, on rows made for it and at random."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anthropic_lake.cli.allocation_file import COLUMNS, check_rules
from anthropic_lake.lake.allocation import MATCH_TYPES, Rule, rows_of_rules
from anthropic_lake.query.catalog import CATALOG
from infra.generate.view_columns import create_catalog

TODAY = datetime.now(UTC).date()
FIRST = TODAY.replace(day=1)
LAST_MONTH = FIRST - timedelta(days=1)
UNIT = Decimal("0.000000000001")
FULL = "api_key_id,context_window,model,service_tier,workspace_id"
Row = dict[str, Any]


@dataclass(frozen=True)
class Lake:
    """Tables in memory with the views over them."""

    connection: duckdb.DuckDBPyConnection
    rules: list[Rule] = field(default_factory=list)

    def add(self, table: str, **row: object) -> None:
        row = {"date": FIRST, "organization_id": "org-1"} | row
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values())
        )

    def cost(self, usd: object, key: str | None = "k1", **row: object) -> None:
        """Add a cost of one key; None: no key is known."""
        amount = Decimal(str(usd))
        words = {"workspace_id": "w1", "model": "m", "token_type": "output_tokens"} | row
        money = {"amount_usd": amount, "amount_cents": amount * 100, "currency": "USD"}
        self.add("cost_report", **money | words)
        if key is not None:
            words = {name: words[name] for name in words if name in ("date", "workspace_id")}
            used = {"model": row.get("model", "m"), "api_key_id": key or None, "output_tokens": 1}
            self.add("usage_report", grouped_by=FULL, **words | used)

    def acted(self, actor: str, usd: object, **row: object) -> None:
        """Add a cost that the vendor attributes to a person."""
        words = {"workspace_id": "w1", "model": "m", "api_key_id": "k1"} | row
        self.add(
            "analytics_cost",
            actor_user_id=actor,
            actor_email_address=f"{actor.title()}@Example.com",
            amount_usd=Decimal(str(usd)),
            currency="USD",
            **words,
        )

    def rule(self, match_type: str, match_value: str | None, center: str, **row: Any) -> None:
        """Add a rule to those that are there."""
        line = len(self.rules) + 2
        self.load([*self.rules, Rule(line, match_type, match_value, center, **row)])

    def load(self, rules: Sequence[Rule], organization_id: str | None = "org-1") -> None:
        """Replace the rules."""
        self.rules[:] = rules
        self.connection.execute("DELETE FROM allocation_rules")
        for row in rows_of_rules(rules, organization_id):
            self.add("allocation_rules", **row)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def shares(self, *columns: str) -> list[tuple[Any, ...]]:
        """The view's rows, in the order of these columns."""
        return self.ask(f"SELECT {', '.join(columns)} FROM cost_allocation ORDER BY ALL")

    def centers(self) -> list[tuple[Any, ...]]:
        """What each cost centre pays, direct and shared."""
        return self.ask(
            "SELECT cost_center, sum(direct_usd), sum(shared_usd) FROM cost_allocation "
            "GROUP BY ALL ORDER BY ALL"
        )

    def clear(self) -> None:
        for table in ("cost_report", "usage_report", "analytics_cost"):
            self.connection.execute(f"DELETE FROM {table}")
        self.load([])


@pytest.fixture(scope="module")
def tables() -> Iterator[Lake]:
    with duckdb.connect() as connection:
        create_catalog(connection, CATALOG)
        yield Lake(connection)


@pytest.fixture
def lake(tables: Lake) -> Lake:
    tables.clear()
    tables.connection.execute("DELETE FROM workspaces")
    return tables


# --- which rule wins


def test_without_rules_all_cost_is_unallocated(lake: Lake) -> None:
    lake.cost(3)
    columns = ("cost_center", "direct_usd", "shared_usd", "method", "rule_line")
    assert lake.shares(*columns) == [(None, 3, 0, "unallocated", None)]


def test_the_most_specific_match_wins(lake: Lake) -> None:
    lake.cost(1)
    lake.acted("ada", 1)
    lake.add("workspaces", id="w1", name="One", tags='{"team":"search"}', date=TODAY)
    values = ("k1", "ada", "w1", "team=search", None)
    for match_type, value in reversed(list(zip(MATCH_TYPES, values, strict=True))):
        lake.rule(match_type, value, f"by {match_type}")
        [row] = lake.shares("cost_center", "direct_usd", "method")
        assert row == (f"by {match_type}", 1, match_type)


def test_a_match_that_is_not_valid_on_the_day_leaves_the_cost_to_a_wider_one(lake: Lake) -> None:
    lake.cost(1)
    lake.rule("api_key_id", "k1", "old", valid_to=FIRST - timedelta(days=1))
    lake.rule("workspace_id", "w1", "team")
    assert lake.shares("cost_center", "rule_line") == [("team", 3)]


def test_dates_are_inclusive(lake: Lake) -> None:
    days = [FIRST + timedelta(days=number) for number in range(-2, 4)]
    for day in days:
        lake.cost(1, date=day)
    lake.rule("workspace_id", "w1", "first", valid_to=days[1])
    lake.rule("workspace_id", "w1", "second", valid_from=days[2], valid_to=days[3])
    lake.rule("workspace_id", "w1", "last", valid_from=days[5], valid_to=date(9999, 12, 31))
    centers = ["first", "first", "second", "second", None, "last"]
    assert lake.shares("date", "cost_center") == list(zip(days, centers, strict=True))


def test_a_cost_whose_key_is_unknown_goes_by_its_workspace(lake: Lake) -> None:
    lake.cost(2, key=None, cost_type="web_search")
    lake.rule("api_key_id", "k1", "key")
    lake.rule("workspace_id", "w1", "team")
    assert lake.shares("cost_center", "api_key_id", "direct_usd") == [("team", None, 2)]


@pytest.mark.parametrize(
    ("tags", "matches"),
    [
        ('{"team":"search"}', True),
        ('{"env":"prod","team":"search"}', True),
        ('{"team":"search","tier":"a=b"}', True),
        ('{"team":"search-2"}', False),
        ('{"my team":"search"}', False),
        ('{"x\\"team":"search"}', False),
        ('{"note":"\\"team\\":\\"search\\""}', False),
        ("{}", False),
        (None, False),
    ],
)
def test_a_tag_is_a_name_and_a_value(tags: str | None, matches: bool, lake: Lake) -> None:
    lake.cost(1)
    lake.add("workspaces", id="w1", name="One", tags=tags, date=TODAY)
    lake.rule("workspace_tag", "team=search", "search")
    assert lake.shares("cost_center") == [("search" if matches else None,)]


def test_the_value_of_a_tag_may_hold_an_equals_sign(lake: Lake) -> None:
    lake.cost(1)
    lake.add("workspaces", id="w1", name="One", tags='{"q":"a=b"}', date=TODAY)
    lake.rule("workspace_tag", "q=a=b", "x")
    assert lake.shares("cost_center") == [("x",)]


def test_of_several_tags_the_first_line_wins(lake: Lake) -> None:
    lake.cost(1)
    lake.cost(1, date=FIRST - timedelta(days=1))
    lake.add("workspaces", id="w1", name="One", tags='{"a":"1","b":"2"}', date=TODAY)
    lake.rule("workspace_tag", "b=2", "by b", valid_from=FIRST)
    lake.rule("workspace_tag", "a=1", "by a")
    assert lake.shares("date", "cost_center") == [(LAST_MONTH, "by a"), (FIRST, "by b")]


# --- actors


def test_an_actor_pays_the_part_of_the_keys_cost_that_the_vendor_reports(lake: Lake) -> None:
    lake.cost(9)
    lake.acted("ada", 2)
    lake.acted("ben", 4)
    lake.rule("actor", "ada@example.com", "ada's")
    lake.rule("default", None, "rest")
    rest = Decimal("0.666666666666") * 9  # proportions have 12 decimals
    assert lake.centers() == [("ada's", 9 - rest, 0), ("rest", rest, 0)]


def test_an_actors_identifier_goes_before_the_name(lake: Lake) -> None:
    lake.cost(1)
    lake.acted("ada", 1)
    lake.rule("actor", "ada@example.com", "by name")
    lake.rule("actor", "ada", "by identifier")
    assert lake.shares("cost_center") == [("by identifier",)]


@pytest.mark.parametrize(
    "other", [{"model": "other"}, {"api_key_id": None}, {"workspace_id": "w2"}, {"usd": -1}]
)
def test_what_the_vendor_reports_elsewhere_or_as_a_refund_counts_for_nothing(
    other: Row, lake: Lake
) -> None:
    lake.cost(1)
    lake.acted("ada", **{"usd": 1} | other)
    lake.rule("actor", "ada", "ada's")
    assert lake.shares("cost_center") == [(None,)]


def test_use_without_a_key_has_actors_and_cost_without_tokens_has_none(lake: Lake) -> None:
    lake.cost(1, key="")
    lake.cost(2, key=None, token_type=None)
    lake.acted("ada", 5, api_key_id=None)
    lake.rule("actor", "ada", "ada's")
    assert lake.centers() == [("ada's", 1, 0), (None, 2, 0)]


# --- shares


def test_shares_of_thirds_add_up_to_the_last_digit(lake: Lake) -> None:
    lake.cost("1.000000000001")
    for center, share in (
        ("a", "0.333333333333"),
        ("b", "0.333333333333"),
        ("c", "0.333333333334"),
    ):
        lake.rule("workspace_id", "w1", center, share=Decimal(share))
    rows = dict(lake.shares("cost_center", "direct_usd"))
    assert set(rows) == {"a", "b", "c"}
    assert sum(rows.values()) == Decimal("1.000000000001")
    assert all(abs(usd - Decimal(1) / 3) <= 2 * UNIT for usd in rows.values())


def test_what_shares_leave_is_unallocated_and_names_the_first_line(lake: Lake) -> None:
    lake.cost(10)
    lake.rule("workspace_id", "w1", "a", share=Decimal("0.5"))
    lake.rule("workspace_id", "w1", "b", share=Decimal("0.2"))
    lake.rule("default", None, "rest")
    assert lake.shares("cost_center", "direct_usd", "method", "rule_line") == [
        ("a", 5, "workspace_id", 2),
        ("b", 2, "workspace_id", 3),
        (None, 3, "unallocated", 2),
    ]


def test_a_refund_is_split_as_well(lake: Lake) -> None:
    lake.cost(-3)
    lake.rule("workspace_id", "w1", "a", share=Decimal("0.5"))
    lake.rule("workspace_id", "w1", "b", share=Decimal("0.5"))
    assert lake.centers() == [("a", Decimal("-1.5"), 0), ("b", Decimal("-1.5"), 0)]


# --- shared cost


def test_shared_cost_is_spread_in_proportion_to_the_months_direct_cost(lake: Lake) -> None:
    lake.cost(30, workspace_id="w1")
    lake.cost(60, workspace_id="w2", key="k2", date=TODAY)
    lake.cost(9, workspace_id="w0", key="k0", date=TODAY)
    lake.cost(1000, workspace_id="w1", date=LAST_MONTH)
    lake.rule("workspace_id", "w1", "a")
    lake.rule("workspace_id", "w2", "b")
    lake.rule("workspace_id", "w0", "*")
    part = Decimal("0.333333333333") * 9  # proportions have 12 decimals
    assert lake.centers() == [("a", 1030, part), ("b", 60, 9 - part)]
    assert lake.ask(
        "SELECT DISTINCT workspace_id, api_key_id, method, rule_line FROM cost_allocation "
        "WHERE shared_usd <> 0"
    ) == [("w0", "k0", "shared", 4)]


def test_shared_cost_without_direct_cost_in_its_month_stays_unallocated(lake: Lake) -> None:
    lake.cost(5, workspace_id="w1", date=LAST_MONTH)
    lake.cost(7, workspace_id="w0")
    lake.cost(-1, workspace_id="w1")
    lake.rule("workspace_id", "w1", "a")
    lake.rule("workspace_id", "w0", "*")
    assert lake.shares("date", "cost_center", "direct_usd", "shared_usd", "method") == [
        (LAST_MONTH, "a", 5, 0, "workspace_id"),
        (FIRST, "a", -1, 0, "workspace_id"),
        (FIRST, None, 7, 0, "unallocated"),
    ]


def test_a_cost_centre_whose_month_is_a_refund_bears_no_shared_cost(lake: Lake) -> None:
    lake.cost(-5, workspace_id="w1")
    lake.cost(5, workspace_id="w2")
    lake.cost(7, workspace_id="w0")
    for workspace, center in (("w1", "a"), ("w2", "b"), ("w0", "*")):
        lake.rule("workspace_id", workspace, center)
    assert lake.centers() == [("a", -5, 0), ("b", 5, 7)]


# --- what is left alone


def test_only_dollars_are_given_to_cost_centres(lake: Lake) -> None:
    lake.cost(1)
    lake.cost(2, key=None, currency="EUR", amount_usd=None)
    lake.rule("default", None, "all")
    columns = ("currency", "cost_center", "direct_usd", "shared_usd", "method", "cost")
    assert lake.shares(*columns) == [
        ("EUR", None, None, None, "unallocated", 2),
        ("USD", "all", 1, 0, "default", 1),
    ]


def test_the_rules_of_a_lake_are_for_its_own_organization(lake: Lake) -> None:
    lake.cost(1)
    lake.add("cost_report", organization_id="org-2", amount_usd=1, amount_cents=100, currency="USD")
    lake.rule("default", None, "all")
    rows = lake.shares("organization_id", "cost_center")
    assert rows == [("org-1", "all"), ("org-2", None)]


def test_rules_of_a_lake_that_names_no_organization_are_for_every_row(lake: Lake) -> None:
    lake.cost(1)
    lake.load([Rule(2, "workspace_id", "w1", "all")], organization_id=None)
    assert lake.shares("organization_id", "cost_center") == [("org-1", "all")]


# --- random lakes

DAYS = [FIRST, LAST_MONTH, LAST_MONTH - timedelta(days=1)]
VALUES = {
    "api_key_id": ["k1", "k2"],
    "actor": ["ada", "ben@example.com"],
    "workspace_id": ["w1", "w2"],
    "workspace_tag": ["team=a", "env=prod"],
    "default": [""],
}
TAGS = {"w1": '{"env":"prod","team":"a"}', "w2": '{"team":"a"}', "w3": '{"team":"b"}'}
amounts = st.decimals(-(10**4), 10**6, places=12)
costs = st.lists(
    st.fixed_dictionaries(
        {
            "date": st.sampled_from(DAYS),
            "workspace_id": st.sampled_from(["w1", "w2", "w3", None]),
            "key": st.sampled_from(["k1", "k2", "k3", "", None]),
            "usd": amounts,
        }
    ),
    min_size=1,
    max_size=8,
)
acts = st.lists(
    st.fixed_dictionaries(
        {
            "date": st.sampled_from(DAYS),
            "workspace_id": st.sampled_from(["w1", "w2"]),
            "api_key_id": st.sampled_from(["k1", "k3", None]),
            "actor": st.sampled_from(["ada", "ben", "cleo"]),
            "usd": amounts,
        }
    ),
    max_size=6,
)
lines = st.lists(
    st.sampled_from(MATCH_TYPES).flatmap(
        lambda match_type: st.tuples(
            st.just(match_type),
            st.sampled_from(VALUES[match_type]),
            st.sampled_from(["a", "b", "c", "*"]),
            st.sampled_from(["", "0.5", "0.333333333333", "0.1", "0.7"]),
            st.sampled_from(["", "", *map(str, DAYS)]),
            st.sampled_from(["", "", *map(str, DAYS)]),
            st.just(""),
        )
    ),
    max_size=12,
)


def without_mistakes(rows: Sequence[tuple[str, ...]]) -> list[Rule]:
    """The rules of the lines that can stand beside those before them."""
    kept: list[tuple[str, ...]] = []
    rules: list[Rule] = []
    for row in rows:
        text = "\n".join(",".join(cells) for cells in (COLUMNS, *kept, row))
        tried, mistakes = check_rules(text.encode())
        if not mistakes:
            kept, rules = [*kept, row], tried
    return rules


def floor(amount: Decimal, units: int) -> Decimal:
    return (amount * units).to_integral_value(ROUND_FLOOR) * UNIT


def stretches(amount: Decimal, ends: Sequence[int]) -> list[Decimal]:
    """The parts of an amount whose stretches end so."""
    at = [floor(amount, end) for end in (0, *ends)]
    return [high - low for low, high in pairwise(at)]


def proportions(weights: Sequence[Decimal]) -> list[int]:
    """Where the stretches of weights end, side by side."""
    total = sum(weights)
    return [int(sum(weights[: n + 1]) * 10**12 / total // 1) for n in range(len(weights))]


@dataclass(frozen=True)
class Model:
    """The definition of docs/allocation.md, step by step."""

    rules: Sequence[Rule]
    acts: Sequence[Row]

    def valid(self, match_type: str, value: str | None, day: date) -> list[Rule]:
        return [
            rule
            for rule in self.rules
            if (rule.match_type, rule.match_value) == (match_type, value)
            and (rule.valid_from or date.min) <= day <= (rule.valid_to or date.max)
        ]

    def winner(self, charge: Row, actor: str | None) -> list[Rule]:
        day, workspace = charge["date"], charge["workspace_id"]
        tags = [
            self.valid("workspace_tag", tag, day)
            for tag in VALUES["workspace_tag"]
            if '"{}":"{}"'.format(*tag.split("=")) in TAGS.get(workspace, "")
        ]
        candidates = [
            self.valid("api_key_id", charge["api_key_id"], day) if charge["api_key_id"] else [],
            self.of_actor(actor, day),
            self.valid("workspace_id", workspace, day) if workspace else [],
            min(filter(None, tags), key=lambda rules: rules[0].line, default=[]),
            self.valid("default", None, day),
        ]
        return next(filter(None, candidates), [])

    def of_actor(self, actor: str | None, day: date) -> list[Rule]:
        names = (actor, f"{actor}@example.com")
        return next(filter(None, (self.valid("actor", name, day) for name in names)), [])

    def portions(self, charge: Row) -> Iterator[tuple[Decimal, list[Rule]]]:
        """The parts of a charge with the rules that win for each."""
        usd = charge["cost_usd"]
        weights: dict[str, Decimal] = defaultdict(Decimal)
        for act in self.acts:
            if all(act[name] == charge[name] for name in ("date", "workspace_id", "api_key_id")):
                weights[act["actor"]] += act["usd"]
        by_rules: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
        for actor, weight in weights.items():
            if weight > 0:
                rules = self.of_actor(actor, charge["date"])
                by_rules[tuple((rules[0].match_value, rules[0].line) if rules else ())] += weight
        key_wins = charge["api_key_id"] and self.valid(
            "api_key_id", charge["api_key_id"], charge["date"]
        )
        if not any(by_rules) or not charge["has_user"] or key_wins:
            yield usd, self.winner(charge, None)
            return
        order = sorted(by_rules)  # none first, then by value
        parts = stretches(usd, proportions([by_rules[key] for key in order]))
        for key, part in zip(order, parts, strict=True):
            named = key[0].partition("@")[0] if key else None
            yield part, self.winner(charge, named)


def expected(charges: Sequence[Row], model: Model) -> dict[tuple[Any, ...], Decimal]:
    """The dollars by date, workspace, key, cost centre, method and line."""
    paid: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for charge in charges:
        where = (charge["date"], charge["workspace_id"], charge["api_key_id"])
        for usd, rules in model.portions(charge):
            ends = [
                int(sum(rule.share for rule in rules[: n + 1]) * 10**12) for n in range(len(rules))
            ]
            parts = stretches(usd, [*ends, 10**12])
            for rule, part in zip(rules, parts, strict=False):
                paid[(*where, rule.cost_center, rule.match_type, rule.line)] += part
            if not rules or ends[-1] < 10**12:
                line = rules[0].line if rules else None
                paid[(*where, None, "unallocated", line)] += parts[-1]
    return spread(paid)


def spread(paid: dict[tuple[Any, ...], Decimal]) -> dict[tuple[Any, ...], Decimal]:
    """The same, with shared cost given to the cost centres of its month."""
    direct: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for (day, _, _, center, _, _), usd in paid.items():
        if center not in (None, "*"):
            direct[day.month, center] += usd
    result: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for (day, workspace, key, center, method, line), usd in paid.items():
        bearers = sorted(
            name for month, name in direct if month == day.month and direct[month, name] > 0
        )
        if center != "*":
            result[day, workspace, key, center, method, line] += usd
        elif not bearers:
            result[day, workspace, key, None, "unallocated", line] += usd
        else:
            ends = proportions([direct[day.month, name] for name in bearers])
            for name, part in zip(bearers, stretches(usd, ends), strict=True):
                result[day, workspace, key, name, "shared", line] += part
    return result


def check_random_lake(lake: Lake, rows: list[Row], acts: list[Row], rules: list[Rule]) -> None:
    lake.clear()
    for row in rows:
        lake.cost(**row)
    for act in acts:
        lake.acted(**act)
    lake.load(rules)
    totals = [
        lake.ask(
            f"SELECT date, workspace_id, model, currency, sum({usd}), sum(cost) FROM {view} "
            "GROUP BY ALL ORDER BY ALL"
        )
        for view, usd in (
            ("cost_daily", "cost_usd"),
            ("cost_allocation", "direct_usd + shared_usd"),
        )
    ]
    assert totals[0] == totals[1]
    charges = (
        lake.connection.sql(
            "SELECT date, workspace_id, api_key_id, method = 'tokens' AS has_user, "
            "sum(cost_usd) AS cost_usd FROM cost_by_api_key GROUP BY ALL"
        )
        .to_arrow_table()
        .to_pylist()
    )
    found = lake.ask(
        "SELECT date, workspace_id, api_key_id, cost_center, method, rule_line, "
        "direct_usd + shared_usd FROM cost_allocation"
    )
    # Use without a key, cost without tokens and what is unallocated may be several rows.
    dimensions = [row[:-1] for row in found if row[2] and row[4] != "unallocated"]
    assert len(set(dimensions)) == len(dimensions)
    sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for *where, usd in found:
        sums[tuple(where)] += usd
    assert sums == expected(charges, Model(rules, acts))


@pytest.fixture(scope="module")
def random_lake(tables: Lake) -> Lake:
    tables.clear()
    tables.connection.execute("DELETE FROM workspaces")
    for workspace, tags in TAGS.items():
        tables.add("workspaces", id=workspace, name=workspace, tags=tags, date=TODAY)
    return tables


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(costs, acts, lines)
def test_any_rules_allocate_any_lake_to_the_last_digit(
    random_lake: Lake, rows: list[Row], acts: list[Row], lines: list[tuple[str, ...]]
) -> None:
    check_random_lake(random_lake, rows, acts, without_mistakes(lines))


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(costs, acts, lines)
def test_very_many_lakes_are_allocated_to_the_last_digit(
    random_lake: Lake, rows: list[Row], acts: list[Row], lines: list[tuple[str, ...]]
) -> None:
    check_random_lake(random_lake, rows, acts, without_mistakes(lines))
