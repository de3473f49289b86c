"""A second sync changes nothing; what changed in the organization, and only that, is replaced."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import BadRequest
from tests.contract.lab import NOW, ONE_DAY, TODAY, Lab, each_day
from tests.simulator import AdminApiServer, Fault, Organization

YESTERDAY = TODAY - ONE_DAY
CHANGED = TODAY - 2 * ONE_DAY
HISTORY = each_day(TODAY - 4 * ONE_DAY, TODAY)
DATED = pytest.mark.parametrize("asset", ["usage_report", "cost_report", "claude_code_usage"])


def tables(asset: str) -> list[str]:
    return [table.name for table in ASSETS[asset].tables]


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before | after if before.get(name) != after.get(name)}


@pytest.mark.parametrize("asset", ASSETS)
def test_a_second_sync_puts_no_object(lab: Lab, asset: str) -> None:
    lab.run(asset)
    before = lab.objects()
    run = lab.run(asset)
    after = lab.objects()
    assert differing(before, after) <= {f"_watermarks/{asset}", f"_watermarks/{asset}.first"}
    assert before.keys() == after.keys()
    assert (run.days_changed, run.bytes) == (0, 0)
    assert run.days_written > 0


@DATED
def test_a_day_that_was_restated_is_replaced_and_only_that_one(
    lab: Lab, held: Organization, asset: str
) -> None:
    lab.run(asset)
    before = lab.objects()
    held.restate(CHANGED)
    run = lab.run(asset)
    assert differing(before, lab.objects()) == {
        lab.place(table, CHANGED).relative_to(lab.root).as_posix()
        for table in tables(asset)
        if table != "claude_code_usage" or _has_tokens(lab)
    }
    assert run.days_changed == 1


def _has_tokens(lab: Lab) -> bool:
    return any(row["tokens_input"] for row in lab.rows("claude_code_usage", CHANGED))


@DATED
def test_a_day_that_became_empty_loses_its_rows(lab: Lab, held: Organization, asset: str) -> None:
    lab.run(asset)
    assert all(lab.rows(table, CHANGED) for table in tables(asset))
    held.clear_day(CHANGED)
    lab.run(asset)
    for table in tables(asset):
        assert lab.rows(table, CHANGED) == []
        assert lab.place(table, CHANGED).exists()
        assert lab.rows(table, YESTERDAY)


def test_a_removed_user_vanishes_from_todays_snapshot_and_stays_in_yesterdays(
    lab: Lab, held: Organization
) -> None:
    lab.now = NOW - ONE_DAY
    lab.run("users")
    lab.now = NOW
    gone = held.users.pop()
    lab.run("users")
    assert gone["id"] in {row["id"] for row in lab.rows("users", YESTERDAY)}
    assert gone["id"] not in {row["id"] for row in lab.rows("users", TODAY)}


@DATED
def test_a_day_older_than_the_lookback_is_not_read_again(
    lab: Lab, held: Organization, asset: str
) -> None:
    lab.environment = {"LOOKBACK_DAYS": "1"}
    lab.run(asset)
    before = lab.objects()
    held.restate(CHANGED)
    lab.run(asset)
    assert differing(before, lab.objects()) == set()


@DATED
def test_an_interval_re_reads_its_days_and_leaves_the_watermark_alone(
    lab: Lab, held: Organization, asset: str
) -> None:
    lab.run(asset)
    before, watermark = lab.objects(), lab.watermark(asset)
    held.restate(CHANGED)
    held.restate(YESTERDAY)
    run = lab.run(asset, (CHANGED, YESTERDAY))
    assert run.trigger == "interval"
    assert run.days_written == 1
    changed = differing(before, lab.objects())
    assert changed
    assert all(str(CHANGED) in name for name in changed)
    assert lab.watermark(asset) == watermark


@DATED
def test_the_watermark_follows_the_complete_days_from_day_to_day(
    lab: Lab, simulated: AdminApiServer, asset: str
) -> None:
    lab.now = datetime(2026, 11, 21, 1, tzinfo=UTC)  # the 20th has not settled
    lab.run(asset)
    assert lab.watermark(asset) == date(2026, 11, 19)
    lab.now = datetime(2026, 11, 22, 3, tzinfo=UTC)
    run = lab.run(asset)
    assert lab.watermark(asset) == date(2026, 11, 21)
    assert run.days_behind == 0
    assert lab.days(tables(asset)[0]) == HISTORY


@DATED
def test_an_open_day_that_is_refused_is_a_warning_and_the_rest_is_safe(
    lab: Lab, simulated: AdminApiServer, asset: str
) -> None:
    def of_the_open_day(request: object) -> bool:
        query = getattr(request, "query", {})
        return str(query.get("starting_at", [""])[0]).startswith(str(TODAY))

    simulated.faults.append(Fault(of_the_open_day, times=None, status=400, message="too new"))
    run = lab.run(asset)
    assert run.status == "succeeded"
    assert any("too new" in warning and str(TODAY) in warning for warning in run.warnings)
    assert lab.watermark(asset) == YESTERDAY
    assert lab.days(tables(asset)[0]) == HISTORY[:-1]


@pytest.mark.parametrize("manner", ["accept", "refuse", "clamp"])
@pytest.mark.parametrize("asset", ["usage_report", "cost_report"])
def test_whatever_the_api_thinks_of_an_end_in_the_future_the_complete_days_are_safe(
    held: Organization, tmp_path: Path, manner: str, asset: str
) -> None:
    with AdminApiServer(held, now=lambda: NOW, future_ending_at=manner) as api:  # type: ignore[arg-type]
        lab = Lab(api, tmp_path)
        assert lab.run(asset).status == "succeeded"
    assert lab.watermark(asset) == YESTERDAY
    for day in HISTORY[:-1]:
        assert lab.rows(asset, day)


def test_the_open_day_grows_and_is_replaced(held: Organization, tmp_path: Path) -> None:
    clock = [datetime(2026, 11, 22, 4, tzinfo=UTC)]
    with AdminApiServer(held, now=lambda: clock[0]) as api:
        lab = Lab(api, tmp_path, now=clock[0])
        lab.run("usage_report")
        early = sum(row["output_tokens"] for row in lab.rows("usage_report", TODAY))
        clock[0] = lab.now = datetime(2026, 11, 22, 23, tzinfo=UTC)
        run = lab.run("usage_report")
    late = sum(row["output_tokens"] for row in lab.rows("usage_report", TODAY))
    assert early < late == sum(event.output_tokens for event in held.events(TODAY))
    assert run.days_changed == 1


def test_another_grouping_replaces_whole_days_and_mixes_no_grains(lab: Lab) -> None:
    lab.run("usage_report")
    lab.environment = {"USAGE_GROUP_BY": "model"}
    run = lab.run("usage_report")
    assert run.days_changed == len(HISTORY)
    assert {row["grouped_by"] for row in lab.all_rows("usage_report")} == {"model"}


def test_a_crash_between_two_days_repeats_at_most_one_day(
    lab: Lab, simulated: AdminApiServer
) -> None:
    def of_a_day(request: object) -> bool:
        return getattr(request, "query", {}).get("starting_at") == [str(CHANGED)]

    simulated.faults.append(Fault(of_a_day, times=1, status=400))
    with pytest.raises(BadRequest):
        lab.run("claude_code_usage")
    assert lab.watermark("claude_code_usage") == CHANGED - ONE_DAY
    assert not lab.place("claude_code_usage", CHANGED).exists()
    assert lab.runs()[-1]["last_synced_date"] == CHANGED - ONE_DAY
    lab.run("claude_code_usage")
    assert lab.watermark("claude_code_usage") == YESTERDAY


@DATED
def test_a_lost_watermark_starts_again_from_history_and_converges(lab: Lab, asset: str) -> None:
    lab.run(asset)
    before = lab.objects()
    (lab.root / "_watermarks" / asset).unlink()
    run = lab.run(asset)
    assert run.interval_start == HISTORY[0]
    assert run.days_changed == 0
    assert differing(before, lab.objects()) <= {
        f"_watermarks/{asset}",
        f"_watermarks/{asset}.first",
    }


def test_a_sleeping_extractor_catches_up_without_skipping_a_day(lab: Lab) -> None:
    lab.environment = {"HISTORY_START": "2026-11-12", "LOOKBACK_DAYS": "1"}
    lab.now = NOW - timedelta(days=9)
    lab.run("cost_report")
    lab.now = NOW
    lab.run("cost_report")
    assert lab.days("cost_report") == each_day(date(2026, 11, 12), TODAY)
