"""Which days are unusual and what the month will cost, in DuckDB on lakes made for the case."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import starmap
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anthropic_lake.query.catalog import CATALOG
from infra.generate.view_columns import create_catalog
from tests.ledger import entry

TODAY = date(2026, 11, 25)  # a Wednesday
YESTERDAY = TODAY - timedelta(days=1)
ORGANIZATION = "org-1"
ANOMALIES = (
    "SELECT date, series, kind, workspace_id, model FROM cost_anomalies ORDER BY 1, 2, 3, 4, 5"
)
Money = float | Decimal


class Lake:
    """A lake in memory whose cost report is read to the end of yesterday.

    Args:
        today: What `current_date` is.
    """

    def __init__(self, today: date = TODAY) -> None:
        self.today = today
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(f"CREATE MACRO current_date() AS DATE '{today}'")
        create_catalog(self.connection, CATALOG)
        self._costs: list[dict[str, object]] = []
        self._days: list[dict[str, object]] = []

    def read(self, first: date, end: date | None = None, *, is_final: bool = True) -> None:
        """Note the days from the first to before the end (today) in the ledger."""
        self._days += [
            entry("cost_report", day, is_final=is_final) | {"date": day.replace(day=1)}
            for day in days(first, end or self.today)
        ]

    def spend(self, day: date, usd: Money, workspace: str | None = "w1", **columns: object) -> None:
        """Add a row of cost."""
        row = {"organization_id": ORGANIZATION, "model": "m", "currency": "USD"}
        money = Decimal(str(usd))
        self._costs.append(
            row
            | {"date": day, "workspace_id": workspace, "amount_usd": money}
            | {"amount_cents": money * 100}
            | columns
        )

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the answer to a question in Trino's dialect."""
        for table, rows in (("cost_report", self._costs), ("sync_days", self._days)):
            if rows:
                self.connection.register("new_rows", pa.Table.from_pylist(rows))
                self.connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM new_rows")
                rows.clear()
        (translated,) = sqlglot.transpile(sql, read="trino", write="duckdb")
        return self.connection.execute(translated).fetchall()

    def forecast(self, series: str = "organization") -> dict[str, Any]:
        """Return the one forecast of an organization, or of its only workspace."""
        columns = "month_to_date_usd, days_final, days_left, forecast_usd, low_usd, high_usd"
        sql = f"SELECT {columns}, method FROM cost_forecast WHERE series = '{series}'"
        [row] = self.ask(sql)
        names = [*columns.split(", "), "method"]
        return dict(zip(names, row, strict=True))


def days(first: date, end: date) -> Iterator[date]:
    """Every day from the first to before the end."""
    return (first + timedelta(days=number) for number in range((end - first).days))


def days_ago(number: int) -> date:
    return TODAY - timedelta(days=number)


@pytest.fixture
def lake() -> Iterator[Lake]:
    """A lake of 100 final days."""
    lake = Lake()
    lake.read(days_ago(100))
    with lake.connection:
        yield lake


@pytest.fixture
def steady(lake: Lake) -> Lake:
    """A workspace that costs 100 a day, 50 on weekends, each day a little more or less."""
    for number, day in enumerate(days(days_ago(100), TODAY)):
        lake.spend(day, (100 if day.weekday() < 5 else 50) + (2 if number % 2 else -2))
    return lake


# --- spikes


def test_a_steady_workspace_has_no_anomaly(steady: Lake) -> None:
    assert steady.ask(ANOMALIES) == []


def test_a_spike_is_found_in_every_series_and_its_driver_is_named(steady: Lake) -> None:
    day = days_ago(7)
    steady.spend(day, 10, "w2", model="n")
    steady.spend(day, 150)
    rows = steady.ask("SELECT series, kind, date, workspace_id, model FROM cost_anomalies")
    assert sorted(rows, key=str) == [
        ("model", "spike", day, "w1", "m"),
        ("organization", "spike", day, None, None),
        ("workspace", "spike", day, "w1", None),
    ]
    [(cost, expected, impact, driver, driver_impact)] = steady.ask(
        "SELECT cost_usd, expected_usd, impact_usd, driver, driver_impact_usd "
        "FROM cost_anomalies WHERE series = 'organization'"
    )
    assert (cost, expected, impact) == (Decimal(262), 100, 162)  # after 98, 102, 98, 102
    assert (driver, driver_impact) == ("w1 / m", 152)


def test_the_workspace_and_model_with_the_largest_impact_is_the_driver(steady: Lake) -> None:
    for day in days(days_ago(60), TODAY):
        steady.spend(day, 100, "w2", model="large")
    day = days_ago(3)
    steady.spend(day, 60, "w1", model="new")
    steady.spend(day, 90, "w2", model="large")
    sql = "SELECT driver, driver_impact_usd FROM cost_anomalies WHERE date = DATE '{}' AND {}"
    [organization] = steady.ask(sql.format(day, "series = 'organization'"))
    [workspace] = steady.ask(sql.format(day, "series = 'workspace' AND workspace_id = 'w1'"))
    assert organization == ("w2 / large", 90)
    assert workspace == ("w1 / new", 60)


@pytest.mark.parametrize(
    ("usual", "more", "is_spike"), [(100, 26, True), (100, 24, False), (20, 24, False)]
)
def test_a_spike_is_a_quarter_and_25_dollars_above(
    usual: int, more: int, is_spike: bool, lake: Lake
) -> None:
    for day in days(days_ago(100), TODAY):
        lake.spend(day, usual)
    lake.spend(YESTERDAY, more)
    assert bool(lake.ask(ANOMALIES)) is is_spike


def test_a_spike_is_4_times_the_usual_deviation(lake: Lake) -> None:
    for number, day in enumerate(days(days_ago(90), TODAY)):
        lake.spend(day, 100 if number // 7 % 2 else 120)  # 0.09 beside 110 is usual
    lake.spend(YESTERDAY, 15)
    assert lake.ask(ANOMALIES) == []
    lake.spend(YESTERDAY, 50)
    assert len(lake.ask(ANOMALIES)) == 3


def test_one_spike_does_not_hide_the_next(steady: Lake) -> None:
    for day in (days_ago(20), days_ago(6)):
        steady.spend(day, 2000)
    found = {row[0] for row in steady.ask(ANOMALIES)}
    assert found == {days_ago(20), days_ago(6)}


def test_an_empty_weekend_is_no_deviation(lake: Lake) -> None:
    for day in days(days_ago(100), TODAY):
        if day.weekday() < 5:
            lake.spend(day, 100)
    assert lake.ask(ANOMALIES) == []
    saturday = days_ago(4)
    lake.spend(saturday, 30)
    rows = lake.ask("SELECT date, expected_usd, deviation FROM cost_anomalies")
    assert set(rows) == {(saturday, 0, 6)}


def test_growth_alone_is_no_anomaly(lake: Lake) -> None:
    for number, day in enumerate(days(days_ago(100), TODAY)):
        lake.spend(day, round(100 * 1.6 ** (number / 30) * (1.05 if number % 2 else 0.95), 2))
    assert lake.ask(ANOMALIES) == []


def test_14_days_must_have_been_compared(lake: Lake) -> None:
    first = days_ago(28 + 14)
    for day in days(first, TODAY):
        lake.spend(day, 100)
    lake.spend(YESTERDAY, 900)
    assert [row for row in lake.ask(ANOMALIES) if row[2] == "spike"] == []  # 13 were
    lake.spend(days_ago(28 + 15), 100)
    assert len([row for row in lake.ask(ANOMALIES) if row[2] == "spike"]) == 3


# --- open and missing days


@pytest.mark.parametrize("status", ["open", "missing"])
def test_a_day_that_is_not_final_is_compared_with_nothing(status: str) -> None:
    lake, hole = Lake(), days_ago(9)
    lake.read(days_ago(100), hole)
    if status == "open":
        lake.read(hole, hole + timedelta(days=1), is_final=False)
    lake.read(hole + timedelta(days=1))
    for day in days(days_ago(100), TODAY):
        lake.spend(day, 100)
    lake.spend(hole, 5000)
    lake.spend(hole + timedelta(days=7), 5000)
    lake.spend(hole + timedelta(days=6), 5000)
    assert {row[0] for row in lake.ask(ANOMALIES)} == {hole + timedelta(days=6)}


def test_today_is_not_judged(steady: Lake) -> None:
    steady.spend(TODAY, 9000)
    assert steady.ask(ANOMALIES) == []


def test_a_lake_without_a_ledger_has_no_calendar() -> None:
    lake = Lake()
    lake.spend(YESTERDAY, 5)
    assert lake.ask(ANOMALIES) == []
    assert lake.ask("SELECT * FROM cost_forecast") == []


# --- new spend


def test_new_spend_is_named_once_on_the_day_its_week_passes_100(steady: Lake) -> None:
    first = days_ago(20)
    for day in days(first, TODAY):
        steady.spend(day, 20, "w2", model="n")
    passed = first + timedelta(days=5)  # 6 x 20
    assert steady.ask(ANOMALIES) == [
        (passed, "model", "new spend", "w2", "n"),
        (passed, "workspace", "new spend", "w2", None),
    ]
    rows = steady.ask("SELECT cost_usd, expected_usd, deviation, driver FROM cost_anomalies")
    assert set(rows) == {(Decimal(20), 0, None, "w2 / n")}


def test_what_is_there_from_the_start_is_not_new(lake: Lake) -> None:
    for day in days(days_ago(100 - 27), TODAY):
        lake.spend(day, 500)
    assert lake.ask(ANOMALIES) == []


def test_what_grows_late_is_not_new(steady: Lake) -> None:
    first = days_ago(60)
    steady.spend(first, 1, "w2")
    for day in days(first + timedelta(days=42), TODAY):
        steady.spend(day, 200, "w2")
    assert [row for row in steady.ask(ANOMALIES) if row[2] == "new spend"] == []


# --- the month


def test_the_forecast_is_the_weekday_of_the_last_four_weeks(lake: Lake) -> None:
    for day in days(days_ago(100), TODAY):
        if day.weekday() < 5:
            lake.spend(day, 100)
    # November 2026 has 21 weekdays, 17 of them before the 25th; another pace would say 2125
    assert lake.forecast() == {
        "month_to_date_usd": Decimal(1700),
        "days_final": 24,
        "days_left": 6,
        "forecast_usd": 2100.0,
        "low_usd": 2100.0,
        "high_usd": 2100.0,
        "method": "weekday",
    }


def test_the_forecast_grows_as_the_organization_does(lake: Lake) -> None:
    daily = {
        day: round(100 * 1.2 ** (number / 30), 6)
        for number, day in enumerate(days(days_ago(100), date(2026, 12, 1)))
    }
    for day in days(days_ago(100), TODAY):
        lake.spend(day, daily[day])
    truth = sum(usd for day, usd in daily.items() if day >= date(2026, 11, 1))
    found = lake.forecast("workspace")
    assert found["forecast_usd"] == pytest.approx(truth, rel=0.005)
    assert found["low_usd"] < truth < found["high_usd"]


def test_one_outlier_does_not_bend_the_forecast(lake: Lake) -> None:
    for day in days(days_ago(100), TODAY):
        lake.spend(day, 100)
    lake.spend(days_ago(5), 5000)
    assert lake.forecast()["forecast_usd"] == 24 * 100 + 5000 + 6 * 100


def test_a_day_that_is_not_final_is_forecast_not_counted() -> None:
    lake = Lake()
    lake.read(days_ago(100), days_ago(2))
    lake.read(days_ago(2), TODAY, is_final=False)
    for day in days(days_ago(100), TODAY):
        lake.spend(day, 100)
    for day in (days_ago(2), YESTERDAY, TODAY):
        lake.spend(day, 7)
    found = lake.forecast()
    assert (found["month_to_date_usd"], found["days_final"], found["days_left"]) == (2200, 22, 8)
    assert found["forecast_usd"] == 3000


def test_a_missing_day_leaves_three_values_of_its_weekday() -> None:
    lake, hole = Lake(), days_ago(7)
    lake.read(days_ago(100), hole)
    lake.read(hole + timedelta(days=1))
    for day in days(days_ago(100), TODAY):
        lake.spend(day, 100)
    found = lake.forecast()
    assert (found["method"], found["forecast_usd"]) == ("weekday", 3000)


def test_a_weekday_without_any_value_takes_the_pace() -> None:
    lake = Lake()
    for day in days(days_ago(60), TODAY):
        if day.weekday() != TODAY.weekday():
            lake.read(day, day + timedelta(days=1))
        lake.spend(day, 100)
    assert lake.forecast()["method"] == "pace"


def test_less_than_28_days_of_history_take_the_pace() -> None:
    for number, method in ((27, "pace"), (28, "weekday")):
        lake = Lake()
        lake.read(days_ago(60))
        for day in days(days_ago(number), TODAY):
            lake.spend(day, 70 if day.weekday() < 5 else 0.07)
        assert lake.forecast("workspace")["method"] == method


def test_the_pace_counts_days_without_cost(lake: Lake) -> None:
    for day in (days_ago(10), days_ago(9)):
        lake.spend(day, 100)
    found = lake.forecast()
    assert (found["method"], found["month_to_date_usd"]) == ("pace", 200)
    assert found["forecast_usd"] == 200 + 200 / 10 * 6


@pytest.mark.parametrize(
    ("today", "days_final", "days_left"),
    [
        (date(2026, 11, 1), 0, 30),
        (date(2026, 11, 30), 29, 1),
        (date(2028, 2, 1), 0, 29),
        (date(2028, 2, 29), 28, 1),
        (date(2027, 1, 1), 0, 31),
        (date(2026, 12, 31), 30, 1),
    ],
)
def test_a_month_has_its_days(today: date, days_final: int, days_left: int) -> None:
    lake = Lake(today)
    first = today - timedelta(days=80)
    lake.read(first)
    for day in days(first, today):
        lake.spend(day, 10)
    found = lake.forecast()
    assert (found["days_final"], found["days_left"]) == (days_final, days_left)
    assert found["month_to_date_usd"] == 10 * days_final
    assert found["forecast_usd"] == 10 * (days_final + days_left)


def test_the_range_is_the_wider_the_less_regular_the_days_are() -> None:
    widths = []
    for noise in (2, 20):
        lake = Lake()
        lake.read(days_ago(100))
        for number, day in enumerate(days(days_ago(100), TODAY)):
            lake.spend(day, 100 + noise * (number // 7 % 2))
        found = lake.forecast()
        assert found["low_usd"] < found["forecast_usd"] < found["high_usd"]
        widths.append(found["high_usd"] - found["low_usd"])
    assert widths[1] > 5 * widths[0]


def test_the_bound_below_is_not_below_what_is_spent(lake: Lake) -> None:
    for number, day in enumerate(days(days_ago(100), TODAY)):
        lake.spend(day, 5000 if number % 9 == 0 else 1)
    found = lake.forecast()
    assert found["low_usd"] >= float(found["month_to_date_usd"])


# --- random lakes

USD = st.decimals("-50", "500", places=12)
COST = st.tuples(
    st.integers(0, 75),  # days ago
    st.sampled_from([None, "w0", "w1", "w2"]),
    st.sampled_from([None, "m1", "m2"]),
    st.sampled_from(["USD", "USD", "EUR"]),
    st.sampled_from([ORGANIZATION, None]),
    USD,
)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(COST, max_size=120), st.sets(st.integers(1, 70), max_size=20), st.booleans())
def test_a_forecast_counts_the_final_days_exactly_and_once(
    costs: list[tuple[Any, ...]], holes: set[int], has_names: bool
) -> None:
    lake = Lake()
    for number in set(range(1, 71)) - holes:
        lake.read(days_ago(number), days_ago(number - 1))
    for number, workspace, model, currency, organization, usd in costs:
        money = {"currency": currency, "organization_id": organization, "model": model}
        other = {} if currency == "USD" else {"amount_usd": None}
        lake.spend(days_ago(number), usd, workspace, **money, **other)
    lake.ask("SELECT 1")
    if has_names:
        sql = "INSERT INTO workspaces (date, organization_id, id, name) VALUES (?, ?, ?, ?)"
        for id_, name in (("w0", "Default"), ("w1", "A"), ("w2", "A")):
            lake.connection.execute(sql, [TODAY, ORGANIZATION, id_, name])
    spent: Callable[[str], str] = lambda key: (  # noqa: E731
        f"SELECT c.organization_id, {key}, sum(CASE WHEN c.date >= DATE '2026-11-01' "
        "THEN c.cost_usd ELSE DECIMAL '0' END) FROM cost_daily AS c JOIN coverage AS d "
        "ON d.date = c.date AND d.asset = 'cost_report' AND d.status = 'final' "
        "WHERE c.cost_usd <> 0 GROUP BY 1, 2"
    )
    for series, key in (("organization", "NULL"), ("workspace", "c.workspace_id")):
        found = lake.ask(
            "SELECT organization_id, workspace_id, month_to_date_usd FROM cost_forecast "
            f"WHERE series = '{series}'"
        )
        assert sorted(found, key=str) == sorted(lake.ask(spent(key)), key=str)
    statistics = lake.ask("SELECT low_usd, forecast_usd, high_usd FROM cost_forecast")
    assert all(math.isfinite(value) for row in statistics for value in row)
    assert all(low <= middle <= high for low, middle, high in statistics)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(COST, max_size=200))
def test_an_anomaly_is_one_row_with_the_cost_of_its_day(costs: list[tuple[Any, ...]]) -> None:
    lake = Lake()
    lake.read(days_ago(75))
    for number, workspace, model, _, _, usd in costs:
        lake.spend(days_ago(number), usd, workspace, model=model)
    found = lake.ask("SELECT date, series, workspace_id, model, cost_usd FROM cost_anomalies")
    assert len({row[:4] for row in found}) == len(found)
    for day, series, workspace, model, cost in found:
        parts = starmap(
            _part,
            [(row, series, workspace, model) for row in costs if days_ago(row[0]) == day],
        )
        assert cost == sum(parts, Decimal())


def _part(row: tuple[Any, ...], series: str, workspace: str | None, model: str | None) -> Decimal:
    """Return the cost of a row if it belongs to a series, else 0."""
    belongs = (series == "organization" or row[1] == workspace) and (
        series != "model" or row[2] == model
    )
    return row[5] if belongs else Decimal()
