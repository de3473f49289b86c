"""What each view costs on years of a lake of 40 workspaces, and how that grows with the days.

python -m tests.benchmarks.views views                       prints the names of the views
python -m tests.benchmarks.views lake FOLDER FIRST LAST      adds days to a lake, 1 is yesterday
python -m tests.benchmarks.views rows FOLDER VIEW            reads a view, prints its rows
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import ask, run
from tests.benchmarks.output import say, table

TODAY = date(2026, 11, 22)
DAYS = (100, 350, 700)
MODULE = "tests.benchmarks.views"

WORKSPACES, KEYS, PEOPLE = 40, 200, 100
ORGANIZATION = "9c1f1e0a-6a3b-4c55-9d0f-2f6f8d1f7a11"
MODELS = {"claude-opus-4-5-20251101": 5, "claude-sonnet-4-5-20250929": 3, "claude-haiku-4-5": 1}
"""US dollars a million uncached input tokens."""

SLICES = (("standard", "0-200k"), ("batch", "0-200k"), ("standard", "200k-1M"))
"""Tier and window of each of a workspace's three models."""

TOKEN_TYPES = {
    "uncached_input_tokens": (1.0, Decimal(1)),
    "cache_read_input_tokens": (0.5, Decimal("0.1")),
    "cache_creation.ephemeral_5m_input_tokens": (0.5, Decimal("1.25")),
    "cache_creation.ephemeral_1h_input_tokens": (0.3, Decimal(2)),
    "output_tokens": (1.0, Decimal(5)),
}
"""How many of the usage rows have such tokens, and their price beside uncached input's."""

GROUPED_BY = {
    "usage_report": "api_key_id,context_window,model,service_tier,workspace_id",
    "analytics_cost": "actor,api_key_id,cost_type,model,product,token_type,workspace_id",
}
Row = dict[str, Any]


def main(options: Namespace) -> None:
    """Print what each view costs, at each number of days."""
    say("## Views\n")
    views: Any = ask(MODULE, "views")
    with tempfile.TemporaryDirectory() as lake:
        rows = []
        for before, days in pairwise((0, *DAYS)):
            ask(MODULE, "lake", lake, f"{before + 1}", f"{days}")
            rows += [[view, f"{days}", *_cost(view, lake, options.pairs)] for view in views]
    rows.sort(key=lambda row: views.index(row[0]))
    table(("view", "days", "rows", "wall, s", "CPU, s", "peak, MiB"), rows)


def _cost(view: str, lake: str, times: int) -> Iterator[str]:
    """Yield the rows of a view, and the least time and most memory of processes that read it."""
    yield f"{ask(MODULE, 'rows', lake, view):,}"  # the first one fills the cache of files
    command = [sys.executable, "-m", MODULE, "rows", lake, view]
    costs = [run(command, os.environ) for _ in range(times)]
    yield f"{min(cost.wall for cost in costs):.1f}"
    yield f"{min(cost.cpu for cost in costs):.1f}"
    yield f"{max(cost.peak for cost in costs):.0f}"


# --- in processes of their own, because who measures must be small


def view_names() -> list[str]:
    """Return the name of every view, in alphabetical order."""
    from anthropic_lake.query.catalog import VIEWS

    return sorted(view.name for view in VIEWS)


def count_rows(lake: Path, view: str) -> int:
    """Read a whole view as the command line does, and return the number of its rows."""
    from pyarrow import fs

    from anthropic_lake.lake.reading import StoredLake
    from anthropic_lake.query.duckdb import query

    stored = StoredLake(fs.LocalFileSystem(), str(lake), str(lake))
    with query(f"SELECT * FROM {view}", stored, today=TODAY) as batches:
        return sum(batch.num_rows for batch in batches)


def add_days(lake: Path, first: int, last: int) -> None:
    """Write days to a lake, and the snapshots and the ledger of all of its days.

    Args:
        lake: Its folder.
        first: How many days ago the youngest day is.
        last: How many days ago the oldest day is; those younger than `first` are there.
    """
    from tests.ledger import entry, write_ledger

    calendar = [TODAY - timedelta(days=number) for number in range(1, last + 1)]
    _put(lake, TODAY, _snapshots())
    for day in calendar[first - 1 :]:
        _put(lake, day, _reports(day))
    assets = ("usage_report", "cost_report", "analytics_cost", "claude_code_usage")
    read = [
        entry(asset, day, organization_id=ORGANIZATION, grouped_by=GROUPED_BY.get(asset))
        for asset in assets
        for day in calendar
    ]
    write_ledger(lake, read)


def _put(lake: Path, day: date, tables: dict[str, list[Row]]) -> None:
    """Write a day of some tables by the lake's own writer."""
    import pyarrow as pa

    from anthropic_lake.lake.layout import object_key
    from anthropic_lake.lake.local import LocalLake
    from anthropic_lake.lake.objects import ANYTHING, put_rows
    from anthropic_lake.query.catalog import TABLES

    declared = {declared.name: declared for declared in TABLES}
    for name, rows in tables.items():
        whole = [row | {"organization_id": ORGANIZATION} for row in rows]
        arrow = pa.Table.from_pylist(whole, schema=declared[name].schema)
        key = object_key(name, day)
        put_rows(LocalLake(lake), declared[name], key, arrow, {}, replaces=ANYTHING)


def _workspace(number: int) -> str:
    return f"wrkspc_01oZC16TfGoevhNhbYYHuW{number:02}"


def _key(number: int) -> str:
    return f"apikey_01jx1qU4fDekAEMUaNymPU{number:03}"


def _user(number: int) -> Row:
    user = {"id": f"user_01hQ7xM2dGkAEMUaNymPU{number:03}", "name": f"Person {number}"}
    return user | {"email": f"person.{number}@example.com"}


def _snapshots() -> dict[str, list[Row]]:
    """Return the rows of the snapshots; every fourth workspace is tagged."""
    workspaces = [
        {
            "id": _workspace(number),
            "name": f"Team {number}",
            "tags": None if number % 4 else '{"team": "search"}',
        }
        for number in range(WORKSPACES)
    ]
    keys = [
        {
            "id": _key(number),
            "name": f"key-{number}",
            "status": "active",
            "created_by_id": _user(number % PEOPLE)["id"],
            "workspace_id": _workspace(number % WORKSPACES),
        }
        for number in range(KEYS)
    ]
    return {
        "organization": [{"id": ORGANIZATION, "name": "Example"}],
        "workspaces": workspaces,
        "api_keys": keys,
        "users": [_user(number) for number in range(PEOPLE)],
    }


def _reports(day: date) -> dict[str, list[Row]]:
    """Return the rows of a day's reports."""
    source = random.Random(day.toordinal())
    start = datetime.combine(day, time(), UTC)
    bounds: Row = {"starting_at": start, "ending_at": start + timedelta(days=1)}
    bounds["bucket_width"] = "1d"
    usage, analytics = [], []
    cents: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for where in _used():
        tokens = {
            token_type: source.randrange(1, 10**6)
            for token_type, (share, _) in TOKEN_TYPES.items()
            if source.random() < share
        }
        counters = {name.replace(".", "_"): count for name, count in tokens.items()}
        usage.append(bounds | where | counters | {"grouped_by": GROUPED_BY["usage_report"]})
        for token_type, count in tokens.items():
            charge = _cents(where, token_type, count)
            cents[(*(where[name] for name in _SLICE), token_type)] += charge
            analytics.append(bounds | _attributed(where, token_type) | _money(charge))
    costs = [
        bounds | dict(zip((*_SLICE, "token_type"), names, strict=True)) | _money(charge)
        for names, charge in cents.items()
    ]
    return {
        "usage_report": usage,
        "cost_report": [cost | {"cost_type": "tokens"} for cost in costs],
        "analytics_cost": analytics,
        **_claude_code(source),
    }


_SLICE = ("workspace_id", "model", "service_tier", "context_window")


def _used() -> Iterator[dict[str, str]]:
    """Yield where the day's 500 usage rows are: two or three slices of its workspace a key."""
    for key in range(KEYS):
        for number, model in enumerate(MODELS):
            if number < 2 + key % 2:
                tier, window = SLICES[number]
                names = (_workspace(key % WORKSPACES), model, tier, window)
                yield dict(zip(_SLICE, names, strict=True)) | {"api_key_id": _key(key)}


def _cents(where: dict[str, str], token_type: str, tokens: int) -> Decimal:
    """Return what tokens cost, in cents."""
    discount = Decimal("0.5") if where["service_tier"] == "batch" else Decimal(1)
    return tokens * MODELS[where["model"]] * TOKEN_TYPES[token_type][1] * discount / 10_000


def _money(cents: Decimal) -> Row:
    usd = cents / 100
    money: Row = {"currency": "USD", "amount_cents": cents, "amount_usd": usd}
    return money | {"list_amount_cents": cents, "list_amount_usd": usd}


def _attributed(where: dict[str, str], token_type: str) -> Row:
    """Return the dimensions of a cost in the analytics."""
    return {
        "actor_type": "api_key",
        "actor_api_key_id": where["api_key_id"],
        "api_key_id": where["api_key_id"],
        "workspace_id": where["workspace_id"],
        "model": where["model"],
        "product": "api",
        "cost_type": "tokens",
        "token_type": token_type,
        "grouped_by": GROUPED_BY["analytics_cost"],
    }


def _claude_code(source: random.Random) -> dict[str, list[Row]]:
    """Return a day's records of people, and two models of each."""
    records, models = [], []
    for number in range(PEOPLE):
        who = {
            "actor_type": "user_actor",
            "actor_email_address": _user(number)["email"],
            "customer_type": "subscription" if number % 3 else "api",
            "terminal_type": "vscode",
        }
        of_models: list[Row] = [
            {"model": model, "tokens_input": count, "tokens_output": count // 3}
            | _estimate(Decimal(count) / 1000)
            for model in list(MODELS)[:2]
            for count in [source.randrange(10**6)]
        ]
        models += [who | of_model for of_model in of_models]
        sums = {
            name: sum(of_model[name] for of_model in of_models)
            for name in ("tokens_input", "tokens_output")
        }
        estimate = Decimal(sum(each["estimated_cost_amount_cents"] for each in of_models))
        activity = {
            "core_metrics_num_sessions": source.randrange(1, 9),
            "core_metrics_lines_of_code_added": source.randrange(900),
            "tool_actions_edit_tool_accepted": source.randrange(90),
        }
        records.append(who | sums | activity | _estimate(estimate))
    return {"claude_code_usage": records, "claude_code_model_usage": models}


def _estimate(cents: Decimal) -> Row:
    return {
        "estimated_cost_amount_cents": cents,
        "estimated_cost_amount_usd": cents / 100,
        "estimated_cost_currency": "USD",
    }


if __name__ == "__main__":
    wish, *arguments = sys.argv[1:]
    answer: Any = None
    if wish == "views":
        answer = view_names()
    elif wish == "rows":
        answer = count_rows(Path(arguments[0]), arguments[1])
    else:
        add_days(Path(arguments[0]), *map(int, arguments[1:]))
    json.dump(answer, sys.stdout)
