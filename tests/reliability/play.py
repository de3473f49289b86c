"""Play a plan: let everything in it happen, stop the faults, and see whether the lake is right."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from anthropic_lake.errors import Terminated
from tests.reliability.plans import Change, Invoke, Overlap, Plan, Stranger, Wait
from tests.reliability.sandbox import Baton, Killed, Outcome, Sandbox
from tests.reliability.world import World

_MORNING = time(6)


@dataclass
class Report:
    """What came of some plans.

    Attributes:
        plans: How many were played.
        violations: What did not hold, by the seed of the plan.
        happened: How often each fault happened.
        ended: How the invocations under faults ended.
        effects: How many effects there were.
        requests: How many requests were sent.
    """

    plans: int = 0
    violations: dict[int, list[str]] = field(default_factory=dict)
    happened: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    effects: int = 0
    requests: int = 0

    def add(self, other: Report) -> None:
        """Count another report's plans too."""
        self.plans += other.plans
        self.violations |= other.violations
        self.happened += other.happened
        self.ended += other.ended
        self.effects += other.effects
        self.requests += other.requests


def play(plan: Plan) -> Report:
    """Play one plan."""
    random.seed(plan.seed)  # the jitter of the back-off
    world = World(plan)
    try:
        ended = _play(world, plan)
        violations = {plan.seed: world.violations} if world.violations else {}
        return Report(
            1,
            violations,
            world.happened + world.api.happened,
            ended,
            sum(len(sandbox.effects) for sandbox in world.sandboxes),
            len(world.api.requests),
        )
    finally:
        world.close()


def _play(world: World, plan: Plan) -> Counter[str]:
    ended: Counter[str] = Counter()
    for step in plan.steps:
        match step:
            case Invoke():
                ended.update(_ended(world, outcome) for outcome in invoke(world, step))
            case Overlap():
                ended.update(_overlap(world, step))
            case Change():
                world.change(step)
            case Stranger():
                world.stranger(step)
            case Wait():
                world.clock.sleep(step.hours * 3600)
    _heal(world)
    return ended


def invoke(world: World, step: Invoke) -> list[Outcome]:
    """Run once, and look at what that leaves."""
    skew = timedelta(hours=step.skew_hours if world.plan.says_time else 0)
    sandbox = world.sandbox(warm=step.warm, skew=skew)
    if step.kill_at is not None:
        sandbox.kill_at = len(sandbox.effects) + step.kill_at
    if step.terminate_at is not None:
        sandbox.terminate_at = len(sandbox.effects) + step.terminate_at
    with world.watching(sandbox, invoke=step) as outcomes:
        outcomes.append(sandbox.invoke(world.asset, world.event(step), step.remaining))
    return outcomes


def _overlap(world: World, overlap: Overlap) -> list[str]:
    """Run two processes at once, one effect of either at a time."""
    sandboxes = [world.sandbox(), world.sandbox()]
    invokes = (overlap.first, overlap.second)
    baton = Baton(overlap.seed, sandboxes, overlap.hold, lambda: _held(world, overlap))
    found: dict[int, Outcome] = {}

    def run(number: int, sandbox: Sandbox, invoke: Invoke) -> None:
        baton.wait(sandbox)
        try:
            event = world.event(invoke)
            found[number] = sandbox.invoke(world.asset, event, invoke.remaining)
        finally:
            baton.leave(sandbox)

    went_on = world.has_progress()
    faults = world.happened + world.api.happened
    with world.watching(*sandboxes) as outcomes:
        threads = []
        for number, (sandbox, invoke) in enumerate(zip(sandboxes, invokes, strict=True)):
            sandbox.kill_at, sandbox.terminate_at = invoke.kill_at, invoke.terminate_at
            sandbox.baton = baton
            threads.append(threading.Thread(target=run, args=(number, sandbox, invoke)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        outcomes.extend(found[number] for number in sorted(found))
    for sandbox in sandboxes:
        sandbox.baton = None
    newer = outcomes[1].run
    calm = _without_changes(faults) == _without_changes(world.happened + world.api.happened)
    calm = calm and world.plan.lag is None and not _died(outcomes[0])
    calm = calm and world.known_reach >= world.api_now and not went_on
    if overlap.hold and calm and newer.status == "succeeded":
        world.check_newest(outcomes[1])
    world.happened["two runs at once"] += 1
    return [_ended(world, outcome) for outcome in outcomes]


def _without_changes(happened: Counter[str]) -> dict[str, int]:
    return {
        kind: count for kind, count in happened.items() if ": " in kind and "change" not in kind
    }


def _died(outcome: Outcome) -> bool:
    return isinstance(outcome.error, Killed | Terminated)


def _held(world: World, overlap: Overlap) -> None:
    """An answer is on its way, and what it says is no longer so."""
    world.happened["an answer held back"] += 1
    if overlap.change is not None:
        world.change(overlap.change)


def _ended(world: World, outcome: Outcome) -> str:
    if isinstance(outcome.error, Killed):
        world.happened[f"killed {outcome.error}"] += 1
    elif isinstance(outcome.error, Terminated):
        world.happened[f"terminated {outcome.error.code}"] += 1
    return outcome.run.status if outcome.error is None else type(outcome.error).__name__


def _heal(world: World) -> None:
    """Stop the faults; the next scheduled run has to put everything right."""
    world.stop_the_faults()
    now = world.clock.now()
    morning = datetime.combine(now.date(), _MORNING, now.tzinfo)
    while morning <= now:
        morning += timedelta(days=1)
    world.clock.sleep((morning - now).total_seconds())
    outcomes = invoke(world, Invoke(warm=True))
    if outcomes[0].error is not None or outcomes[0].run.status != "succeeded":
        world.say(f"the run after the faults: {outcomes[0].run.status}, {outcomes[0].trace}")
    else:
        world.check_exact(outcomes[0])
    world.search_everything()
