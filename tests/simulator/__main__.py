"""Serve an invented organization until interrupted; the first line printed is the URL."""

from __future__ import annotations

import argparse
import contextlib
import threading
from datetime import UTC, date, datetime
from decimal import Decimal

from tests.simulator import AdminApiServer, Analytics, Organization, Pricing


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="a free one when 0")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--today", type=date.fromisoformat, default=datetime.now(UTC).date())
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--workspaces", type=int, default=5)
    parser.add_argument("--groups", type=int, help="usage rows a day, for benchmarks")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--cache-mb", type=int, default=1024, help="rendered JSON to keep")
    parser.add_argument("--key", default="sk-ant-admin01-simulated")
    parser.add_argument("--auth-token", help="an OAuth token to accept as well")
    parser.add_argument(
        "--future-ending-at", choices=("accept", "refuse", "clamp"), default="accept"
    )
    parser.add_argument("--unknown-parameters", choices=("refuse", "ignore"), default="refuse")
    parser.add_argument(
        "--not-offered",
        nargs="*",
        default=(),
        metavar="PART",
        help="parts of paths that answer 404, such as analytics, rate_limits or spend_limits",
    )
    parser.add_argument("--discount", type=Decimal, default=Decimal(), help="of tokens, 0 to 1")
    parser.add_argument("--enterprise", action="store_true", help="analytics of claude.ai, too")
    serve(parser.parse_args())


def serve(options: argparse.Namespace) -> None:
    organization = Organization.invent(
        seed=options.seed,
        today=options.today,
        days=options.days,
        people=options.people,
        workspaces=options.workspaces,
        groups=options.groups,
    )
    api = AdminApiServer(
        organization,
        key=options.key,
        auth_token=options.auth_token,
        future_ending_at=options.future_ending_at,
        analytics=Analytics(Pricing(options.discount), has_enterprise=options.enterprise),
        not_offered=dict.fromkeys(options.not_offered, 404),
        unknown_parameters=options.unknown_parameters,
        latency_ms=options.latency_ms,
        cache_bytes=options.cache_mb << 20,
        port=options.port,
    )
    with api:
        print(api.url, flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
