"""Play a plan: let everything in it happen, stop the faults, and see whether the lake is right."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from tests.reliability.plans import Change, Invoke, Overlap, Plan, Wait
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
                ended.update(_invoke(world, step))
            case Overlap():
                ended.update(_overlap(world, step))
            case Change():
                world.change(step)
            case Wait():
                world.clock.sleep(step.hours * 3600)
    _heal(world)
    return ended


def _invoke(world: World, invoke: Invoke) -> list[str]:
    """Run once."""
    sandbox = world.sandbox(warm=invoke.warm)
    if invoke.kill_at is not None:
        sandbox.kill_at = len(sandbox.effects) + invoke.kill_at
    with world.watching(sandbox) as outcomes:
        outcomes.append(sandbox.invoke(world.asset, world.request(invoke), invoke.remaining))
    return [_ended(world, outcome) for outcome in outcomes]


def _overlap(world: World, overlap: Overlap) -> list[str]:
    """Run two processes at once, one effect of either at a time."""
    sandboxes = [world.sandbox(), world.sandbox()]
    invokes = (overlap.first, overlap.second)
    baton = Baton(overlap.seed, sandboxes)
    found: dict[int, Outcome] = {}

    def run(number: int, sandbox: Sandbox, invoke: Invoke) -> None:
        baton.wait(sandbox)
        try:
            request = world.request(invoke)
            found[number] = sandbox.invoke(world.asset, request, invoke.remaining)
        finally:
            baton.leave(sandbox)

    with world.watching(*sandboxes) as outcomes:
        threads = []
        for number, (sandbox, invoke) in enumerate(zip(sandboxes, invokes, strict=True)):
            sandbox.kill_at, sandbox.baton = invoke.kill_at, baton
            threads.append(threading.Thread(target=run, args=(number, sandbox, invoke)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        outcomes.extend(found[number] for number in sorted(found))
    for sandbox in sandboxes:
        sandbox.baton = None
    world.happened["two runs at once"] += 1
    return [_ended(world, outcome) for outcome in outcomes]


def _ended(world: World, outcome: Outcome) -> str:
    if isinstance(outcome.error, Killed):
        world.happened[f"killed {outcome.error}"] += 1
    return outcome.run.status if outcome.error is None else type(outcome.error).__name__


def _heal(world: World) -> None:
    """Stop the faults; the next scheduled run has to put everything right."""
    world.stop_the_faults()
    now = world.clock.now()
    morning = datetime.combine(now.date(), _MORNING, now.tzinfo)
    while morning <= now:
        morning += timedelta(days=1)
    world.clock.sleep((morning - now).total_seconds())
    sandbox = world.sandbox(warm=True)
    with world.watching(sandbox) as outcomes:
        outcomes.append(sandbox.invoke(world.asset, world.request(Invoke()), 900))
    if outcomes[0].error is not None or outcomes[0].run.status != "succeeded":
        world.say(f"the run after the faults: {outcomes[0].run.status}, {outcomes[0].trace}")
    else:
        world.check_exact()
    world.search_everything()
