"""How good `cost_anomalies` and `cost_forecast` are on simulated worlds, and what they cost.

python -m tests.benchmarks.insight worlds              prints what they find, as JSON
python -m tests.benchmarks.insight lake FOLDER DAYS    builds a lake of 40 workspaces
"""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.measure import ask, run
from tests.benchmarks.output import say, table

if TYPE_CHECKING:
    import duckdb

START = date(2026, 1, 1)
WORLD_DAYS = 181
WORKSPACES = 20
GROWTH_A_MONTH = (-0.2, 0, 0.2, 0.6)
DRIFT_A_DAY = (0, 0.01, 0.02)
"""Standard deviations of the random walk of a workspace's level."""

NOISE = (0.15, 0.20)
WEEKENDS = (1, 0.5, 0)
SEEDS = (11, 12, 13)
SPIKES = (1.5, 2, 2.5, 4)
FIRST_SPIKE = 60
DAYS_BETWEEN_SPIKES = 15
MONTHS = (date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1))
DAYS_OF_MONTH = (5, 10, 20)
YOUNG_DAYS = 10
"""Days before the month in a world whose history is short."""

TODAY = date(2026, 11, 22)
LAKE_DAYS = (100, 350, 700, 730)
LAKE_WORKSPACES, MODELS, TOKEN_TYPES = 40, 3, 4


def main(options: Namespace) -> None:
    """Print how good the views are, then what they cost."""
    say("## Insight\n")
    worlds: Any = ask("tests.benchmarks.insight", "worlds")
    table(("spikes of", "found", "of"), worlds["recall"])
    table(("growth a month", "series", "false alarms a series and month"), worlds["false alarms"])
    table(
        (
            *("history", "method", "series", "on day", "months"),
            *("mean error", "of the plain pace", "truth within the range"),
        ),
        worlds["forecasts"],
    )
    table(("growth a month", "drift a day", "mean error", "truth within the range"), worlds["by"])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for days in LAKE_DAYS:
            lake = str(Path(folder, str(days)))
            cost_rows = ask("tests.benchmarks.insight", "lake", lake, str(days))
            for view in ("cost_anomalies", "cost_forecast"):
                figures = _cost(view, lake, options.pairs)
                rows.append([view, f"{days}", f"{cost_rows:,}", *figures])
    table(("view", "days", "rows of cost", "wall, s", "CPU, s", "peak, MiB"), rows)


def _cost(view: str, lake: str, times: int) -> Iterator[str]:
    """Yield the medians of wall, CPU and peak memory of the command line, its start included."""
    command = [sys.executable, "-m", "anthropic_lake.cli", "query", f"SELECT * FROM {view}"]
    command += ["--lake", lake, "--today", str(TODAY)]
    costs = [run(command, os.environ) for _ in range(times)]
    for figure, digits in (("wall", 1), ("cpu", 1), ("peak", 0)):
        yield f"{statistics.median(getattr(cost, figure) for cost in costs):.{digits}f}"


# --- simulated worlds


@dataclass
class World:
    """An organization whose costs are known for every day.

    Attributes:
        start: First day.
        costs: US dollars of each workspace, day after day.
        spikes: What the cost was multiplied with, by workspace and number of the day.
    """

    start: date
    costs: list[list[float]]
    spikes: dict[tuple[int, int], float] = field(default_factory=dict)

    @classmethod
    def invent(cls, seed: int, growth: float, drift: float = 0, days: int = WORLD_DAYS) -> World:
        """Invent workspaces that grow, drift and rest on weekends in ways of their own."""
        source = random.Random(seed)
        start = START + timedelta(days=WORLD_DAYS - days)
        levels = [source.uniform(math.log(30), math.log(1000)) for _ in range(WORKSPACES)]
        return cls(start, [_costs(source, start, level, (growth, drift)) for level in levels])

    def add_spikes(self, seed: int) -> World:
        """Multiply the cost of some days, at least so far apart that they are told apart."""
        source = random.Random(seed)
        for workspace, costs in enumerate(self.costs):
            day = FIRST_SPIKE + source.randrange(DAYS_BETWEEN_SPIKES)
            while day < len(costs):
                if costs[day] > 0:
                    factor = source.choice(SPIKES)
                    self.spikes[workspace, day] = factor
                    costs[day] *= factor
                day += DAYS_BETWEEN_SPIKES + source.randrange(DAYS_BETWEEN_SPIKES)
        return self

    def day(self, number: int) -> date:
        """Return the day of a number."""
        return self.start + timedelta(days=number)

    def number(self, day: date) -> int:
        """Return the number of a day."""
        return (day - self.start).days


def _costs(
    source: random.Random, start: date, level: float, trend: tuple[float, float]
) -> list[float]:
    """Return the cost of each day of one workspace until the worlds end."""
    growth, drift = trend
    growth_a_day = math.log1p(growth) / 30 * source.uniform(0.5, 1.5)
    weekend, noise = source.choice(WEEKENDS), source.uniform(*NOISE)
    costs = []
    for number in range((START - start).days + WORLD_DAYS):
        level += growth_a_day + source.gauss(0, drift)
        share = weekend if (start + timedelta(days=number)).weekday() > 4 else 1
        costs.append(share * math.exp(level + source.gauss(0, noise)))
    return costs


def judge_worlds() -> dict[str, list[list[str]]]:
    """Return the rows of the tables that say how good the views are."""
    spiky = {growth: World.invent(7, growth).add_spikes(7) for growth in GROWTH_A_MONTH}
    found = {growth: _anomalies(world) for growth, world in spiky.items()}
    recall = [
        [f"{factor:g} times", f"{share:.0%}", f"{count}"]
        for factor in SPIKES
        for share, count in [_recall(factor, spiky, found)]
    ]
    alarms = [
        [f"{growth:+.0%}", f"{WORKSPACES}", f"{_false_alarms(spiky[growth], found[growth]):.2f}"]
        for growth in GROWTH_A_MONTH
    ]
    forecasts = [
        forecast
        for growth in GROWTH_A_MONTH
        for drift in DRIFT_A_DAY
        for seed in SEEDS
        for forecast in _forecasts(World.invent(seed, growth, drift), growth, drift)
    ]
    young = [
        forecast
        for growth in GROWTH_A_MONTH
        for seed in SEEDS
        for forecast in _forecasts(
            World.invent(seed, growth, 0.01, days=30 + YOUNG_DAYS), growth, 0.01, MONTHS[-1:]
        )
    ]
    return {
        "recall": recall,
        "false alarms": alarms,
        "forecasts": [*_by_day("long", forecasts), *_by_day("short", young)],
        "by": _by_world(forecasts),
    }


Found = set[tuple[int, int]]
"""Workspaces and numbers of days."""


def _anomalies(world: World) -> Found:
    """Return the spikes that the view finds in workspaces."""
    with _connect(world) as connection:
        _set_today(connection, world.day(WORLD_DAYS))
        rows = connection.execute(
            "SELECT workspace_id, date FROM cost_anomalies WHERE series = 'workspace'"
        ).fetchall()
    return {(int(workspace), world.number(day)) for workspace, day in rows}


def _recall(
    factor: float, worlds: dict[float, World], found: dict[float, Found]
) -> tuple[float, int]:
    """Return the share of the spikes of one size that were found, and how many there are."""
    hits = [
        spike in found[growth]
        for growth, world in worlds.items()
        for spike, size in world.spikes.items()
        if size == factor
    ]
    return statistics.mean(hits), len(hits)


def _false_alarms(world: World, found: Found) -> float:
    """Return the alarms without a spike, a series and a month of 30 days."""
    months = (WORLD_DAYS - 42) / 30  # the first 42 days are compared with too little
    return len(found - world.spikes.keys()) / WORKSPACES / months


@dataclass(frozen=True)
class Forecast:
    """A forecast beside the truth; amounts in US dollars."""

    series: str
    method: str
    day_of_month: int
    growth: float
    drift: float
    forecast: float
    low: float
    high: float
    pace: float
    truth: float

    @property
    def error(self) -> float:
        """The error, as a share of the truth."""
        return abs(self.forecast - self.truth) / self.truth

    @property
    def pace_error(self) -> float:
        """The error of the month to date by days gone by, times the days of the month."""
        return abs(self.pace - self.truth) / self.truth


def _forecasts(
    world: World, growth: float, drift: float, months: Iterable[date] = MONTHS
) -> Iterator[Forecast]:
    """Yield the forecasts of the organization and its workspaces on some days of some months."""
    with _connect(world) as connection:
        for month in months:
            end = (month + timedelta(days=31)).replace(day=1)
            first, last = world.number(month), world.number(end)
            for day_of_month in DAYS_OF_MONTH:
                today = first + day_of_month - 1
                _set_today(connection, world.day(today))
                rows = connection.execute(
                    "SELECT series, workspace_id, method, forecast_usd, low_usd, high_usd "
                    "FROM cost_forecast"
                ).fetchall()
                for series, workspace, method, middle, low, high in rows:
                    chosen = [world.costs[int(workspace)]] if workspace else world.costs
                    truth = sum(sum(costs[first:last]) for costs in chosen)
                    spent = sum(sum(costs[first:today]) for costs in chosen)
                    pace = spent / (today - first) * (last - first)
                    known = (series, method, day_of_month, growth, drift)
                    yield Forecast(*known, middle, low, high, pace, truth)


def _by_day(history: str, forecasts: list[Forecast]) -> Iterator[list[str]]:
    """Yield a row for each method, series and day of the month."""
    kinds = sorted({(each.method, each.series, each.day_of_month) for each in forecasts})
    for method, series, day in kinds:
        of_kind = [
            each
            for each in forecasts
            if (each.method, each.series, each.day_of_month) == (method, series, day)
        ]
        pace = f"{statistics.mean(each.pace_error for each in of_kind):.1%}"
        error, share = _quality(of_kind)
        yield [history, method, series, f"{day}", f"{len(of_kind)}", error, pace, share]


def _by_world(forecasts: list[Forecast]) -> list[list[str]]:
    """Return a row for each kind of world."""
    kinds = sorted({(each.growth, each.drift) for each in forecasts})
    return [
        [
            f"{growth:+.0%}",
            f"{drift:.0%}",
            *_quality([each for each in forecasts if (each.growth, each.drift) == (growth, drift)]),
        ]
        for growth, drift in kinds
    ]


def _quality(forecasts: list[Forecast]) -> tuple[str, str]:
    """Return the mean error, and how often the truth is within the range."""
    within = statistics.mean(each.low <= each.truth <= each.high for each in forecasts)
    return f"{statistics.mean(each.error for each in forecasts):.1%}", f"{within:.0%}"


def _connect(world: World) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB that has the views over a world, read to its end."""
    import duckdb
    import pyarrow as pa

    from anthropic_lake.query.catalog import CATALOG
    from infra.generate.view_columns import create_catalog
    from tests.ledger import entry

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    create_catalog(connection, CATALOG)
    costs = [
        {"date": world.day(number), "workspace_id": f"{workspace:03}", "model": "m", "usd": usd}
        for workspace, of_workspace in enumerate(world.costs)
        for number, usd in enumerate(of_workspace)
    ]
    connection.register("costs", pa.Table.from_pylist(costs))
    connection.execute(
        "INSERT INTO cost_report BY NAME SELECT date, workspace_id, model, 'USD' AS currency, "
        "CAST(usd AS decimal(38, 12)) AS amount_usd FROM costs"
    )
    calendar = [world.day(number) for number in range(len(world.costs[0]))]
    ledger = [entry("cost_report", day) | {"date": day.replace(day=1)} for day in calendar]
    connection.register("ledger", pa.Table.from_pylist(ledger))
    connection.execute("INSERT INTO sync_days BY NAME SELECT * FROM ledger")
    return connection


def _set_today(connection: duckdb.DuckDBPyConnection, today: date) -> None:
    """Say what day it is."""
    connection.execute(f"CREATE OR REPLACE MACRO current_date() AS DATE '{today}'")


# --- what they cost


def write_lake(lake: Path, days: int) -> int:
    """Write the cost report of so many days, and its ledger.

    Returns:
        The number of rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from anthropic_lake.assets import ASSETS
    from anthropic_lake.lake.layout import object_key
    from tests.ledger import entry, write_ledger

    source = random.Random(days)
    [cost_report] = ASSETS["cost_report"].tables
    calendar = [TODAY - timedelta(days=number) for number in range(1, days + 1)]
    kinds = [
        {"workspace_id": f"w{workspace}", "model": f"m{model}", "token_type": f"t{token_type}"}
        for workspace in range(LAKE_WORKSPACES)
        for model in range(MODELS)
        for token_type in range(TOKEN_TYPES)
    ]
    for day in calendar:
        rows = []
        for kind in kinds:
            cents = Decimal(source.randrange(10**4))
            money = {"currency": "USD", "amount_cents": cents, "amount_usd": cents / 100}
            rows.append(kind | money)
        path = lake / object_key(cost_report.name, day)
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=cost_report.schema), path)
    write_ledger(lake, [entry("cost_report", day) for day in calendar])
    return len(kinds) * days


if __name__ == "__main__":
    if sys.argv[1] == "worlds":
        json.dump(judge_worlds(), sys.stdout)
    else:
        json.dump(write_lake(Path(sys.argv[2]), int(sys.argv[3])), sys.stdout)
