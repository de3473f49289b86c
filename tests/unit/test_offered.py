"""An asset that the organization does not have is told, and is no failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.errors import ApiError, MissingPermission, NotFound, NotOffered
from anthropic_lake.extract import access
from anthropic_lake.extract.extraction import Extraction
from anthropic_lake.sync.days import sync
from anthropic_lake.sync.runs import Run
from anthropic_lake.sync.window import History, WindowRules, due_window, interval_window
from tests.unit.fakes import ORGANIZATION, Asked, Reply, refusal, talk
from tests.unit.test_sync import SETTLE, World

BETA = "early-reads-2026-09-26"
ONE_DAY = timedelta(days=1)
OFFERED, EVERYBODYS = (
    replace(ASSETS["users"], beta=BETA, offered_to_some=offered) for offered in (True, False)
)
DATED = replace(ASSETS["claude_code_usage"], offered_to_some=True)
NAMES_BETA = refusal(403, f"This organization may not use {BETA}.")
EMPTY = Reply({"data": [], "has_more": False, "next_page": None, "last_id": None})


def run_of(world: World, reply: Reply, *, interval: bool = False) -> Run:
    """A run of the world's asset, to all of whose requests the API answers the same."""
    run = Run("1", world.asset.name, "schedule", world.now)
    today = world.now.date()
    window = due_window(world.asset, world.history, world.now, WindowRules(None, 3, SETTLE))
    if interval:
        window = interval_window(world.asset, today - ONE_DAY, today, world.now, settle=SETTLE)
    sync(world.job(window, talk(lambda _: reply, asset=world.asset.name).api, run))
    return run


def test_the_beta_goes_with_every_request_of_the_assets_own_endpoint() -> None:
    conversation = talk(lambda _: EMPTY)
    list(Extraction(OFFERED, conversation.api).snapshot(date(2026, 10, 5)))
    access.check(OFFERED, conversation.connection, date(2026, 10, 5))
    assert [asked.headers["anthropic-beta"] for asked in conversation.asked] == [BETA, BETA]


@pytest.mark.parametrize("reply", [refusal(404), NAMES_BETA], ids=["404", "403"])
def test_a_run_of_what_is_not_offered_ends_well_and_has_done_nothing(reply: Reply) -> None:
    world = World(OFFERED)
    run = run_of(world, reply)
    assert (run.status, run.error_type, run.error_message) == ("unavailable", None, None)
    (warning,) = run.warnings
    assert warning.startswith("not offered to this organization, the next run asks again: users")
    assert "req_001" in warning
    assert run.is_well
    assert (run.days_written, run.days_behind) == (0, 0)
    assert (world.lake.objects, world.history) == ({}, History(None, None))


def test_days_in_the_lake_stay_and_the_watermark_does_not_move() -> None:
    world = World(DATED)
    world.sync()
    objects, history = dict(world.lake.objects), world.history
    world.now += 3 * ONE_DAY
    run = run_of(world, refusal(404))
    assert (run.status, run.days_behind, run.last_synced_date) == ("unavailable", 0, history.last)
    assert (world.lake.objects, world.history) == (objects, history)
    assert run_of(world, refusal(404), interval=True).days_behind is None
    assert world.sync().status == "succeeded"
    assert world.watermark == world.last_complete


def test_the_key_is_let_in_first_so_that_another_lake_has_no_word_of_the_run() -> None:
    world, admitted = World(OFFERED), []
    window = due_window(OFFERED, world.history, world.now, WindowRules(None, 3, SETTLE))
    api = talk(lambda _: refusal(404)).api
    run = Run("1", OFFERED.name, "schedule", world.now)
    job = world.job(window, api, run)
    sync(replace(job, admit=lambda: admitted.append(api.organization_id)))
    assert admitted == [ORGANIZATION]


@pytest.mark.parametrize(
    ("asset", "reply", "kind"),
    [
        (OFFERED, refusal(403), MissingPermission),
        (OFFERED, refusal(400, f"no {BETA}"), ApiError),
        (EVERYBODYS, refusal(404), NotFound),
        (EVERYBODYS, NAMES_BETA, MissingPermission),
        (ASSETS["workspace_members"], refusal(404), NotFound),
    ],
)
def test_every_other_refusal_is_an_error(asset: Asset, reply: Reply, kind: type[ApiError]) -> None:
    with pytest.raises(kind) as caught:
        run_of(World(asset), reply)
    assert not isinstance(caught.value, NotOffered)
    assert access.check(asset, talk(lambda _: reply).connection, date(2026, 10, 5)).is_refused


def test_a_page_that_is_missing_is_an_error_for_the_endpoint_is_there() -> None:
    def answer(asked: Asked) -> Reply:
        first = Reply({"data": [{"id": "u1"}], "has_more": True, "last_id": "u1"})
        return refusal(404) if "after_id" in asked.query else first

    with pytest.raises(NotFound):
        list(Extraction(OFFERED, talk(answer).api).snapshot(date(2026, 10, 5)))


def test_what_was_offered_a_moment_ago_is_an_error_and_the_days_that_came_are_kept() -> None:
    world = World(DATED)

    def answer(asked: Asked) -> Reply:
        return EMPTY if asked.query["starting_at"] < ["2026-10-03"] else refusal(404)

    window = interval_window(DATED, date(2026, 10, 1), date(2026, 10, 5), world.now, settle=SETTLE)
    run = Run("1", DATED.name, "interval", world.now)
    with pytest.raises(NotOffered):
        sync(world.job(window, talk(answer, asset=DATED.name).api, run))
    assert run.days_written == 2


@pytest.mark.parametrize(("beta", "detail"), [(BETA, "beta"), (None, "")])
def test_check_says_that_an_asset_is_not_offered(beta: str | None, detail: str) -> None:
    asset = replace(OFFERED, beta=beta)
    result = access.check(asset, talk(lambda _: refusal(404)).connection, date(2026, 10, 5))
    assert (result.verdict, result.detail) == ("not offered to this organization", detail)
    assert not result.is_refused
