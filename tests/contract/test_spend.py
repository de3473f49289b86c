"""The month's spend, which the budget's alarms wait for, is whole whatever a run reads again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.contract.lab import ONE_DAY, TODAY, Lab
from tests.simulator import AdminApiServer, Lag

FIRST_OF_MONTH = TODAY.replace(day=1)
LATE = TODAY - 4 * ONE_DAY  # where a history begins within the month


def spent(lab: Lab, end: date = TODAY + ONE_DAY) -> Decimal:
    """What the lake says of the month."""
    rows = lab.all_rows("cost_report")
    return sum(
        (row["amount_usd"] for row in rows if FIRST_OF_MONTH <= row["date"] < end), Decimal(0)
    )


def watching(api: AdminApiServer, root: Path, history_start: date = LATE) -> Lab:
    environment = {
        "HISTORY_START": str(history_start),
        "LOOKBACK_DAYS": "0",
        "MONTHLY_BUDGET_USD": "5000",
    }
    return Lab(api, root, environment=environment)


def test_every_run_knows_the_spend_of_the_month(simulated: AdminApiServer, tmp_path: Path) -> None:
    lab = watching(simulated, tmp_path)
    spend = [lab.run("cost_report").month_to_date_usd(TODAY) for _ in range(2)]
    assert spend == [spent(lab)] * 2
    assert lab.days("cost_report")[0] == FIRST_OF_MONTH
    assert spent(lab) > spent(lab, LATE) > 0


def test_a_budget_moves_the_start_of_an_older_lake(
    simulated: AdminApiServer, tmp_path: Path
) -> None:
    lab = watching(simulated, tmp_path)
    del lab.environment["MONTHLY_BUDGET_USD"]
    assert lab.run("cost_report").month_to_date_usd(TODAY) is None
    lab.environment["MONTHLY_BUDGET_USD"] = "0.5"
    assert lab.run("cost_report").month_to_date_usd(TODAY) == spent(lab)
    assert (tmp_path / "_watermarks/cost_report.first").read_text().strip() == str(FIRST_OF_MONTH)


def test_a_budget_changes_nothing_of_other_assets(
    simulated: AdminApiServer, tmp_path: Path
) -> None:
    lab = watching(simulated, tmp_path)
    for asset in ("usage_report", "claude_code_usage"):
        assert lab.run(asset).month_to_date_usd(TODAY) is None
        assert lab.days(asset)[0] == LATE


@pytest.mark.parametrize("days", [1, 2])
def test_a_report_that_lags_tells_the_spend_so_far(
    simulated: AdminApiServer, tmp_path: Path, days: int
) -> None:
    lab = watching(simulated, tmp_path)
    simulated.answers.lags["cost_report"] = Lag(days)
    run = lab.run("cost_report")
    assert run.lag_days
    assert run.month_to_date_usd(TODAY) == spent(lab) > 0


def test_a_run_that_reads_less_tells_no_spend(simulated: AdminApiServer, tmp_path: Path) -> None:
    lab = watching(simulated, tmp_path)
    lab.run("cost_report")
    part = lab.run("cost_report", (FIRST_OF_MONTH, LATE))
    assert part.month_to_date_usd(TODAY) is None
    whole = lab.run("cost_report", (FIRST_OF_MONTH, TODAY))
    assert whole.month_to_date_usd(TODAY) == spent(lab, TODAY)
