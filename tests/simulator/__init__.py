"""A simulated Anthropic Admin API over HTTP, for tests, benchmarks and the demo.

    organization = Organization.invent(seed=7, today=date(2026, 11, 22))
    with AdminApiServer(organization) as api:
        api.faults.append(Fault(match="cost_report", status=529))
        requests.get(api.url + "/v1/organizations/users", headers=...)

By itself, and scaled to 5,000 rows of usage a day: `python -m tests.simulator --groups 5000`.
What is not documented by the vendor can be chosen, in the arguments of AdminApiServer.
"""

from tests.simulator.analytics import Pricing
from tests.simulator.analytics_endpoints import Analytics
from tests.simulator.endpoints import Lag
from tests.simulator.faults import Fault
from tests.simulator.organization import Organization
from tests.simulator.server import AdminApiServer
from tests.simulator.usage import ServiceCost, Session, UsageEvent
from tests.simulator.wire import Request

__all__ = [
    "AdminApiServer",
    "Analytics",
    "Fault",
    "Lag",
    "Organization",
    "Pricing",
    "Request",
    "ServiceCost",
    "Session",
    "UsageEvent",
]
