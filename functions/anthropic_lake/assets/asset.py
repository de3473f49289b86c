"""What an asset is: where the Admin API keeps it, how it is asked for, and its tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from urllib.parse import quote

from anthropic_lake.api.paging import Paging
from anthropic_lake.errors import ContractBroken, SettingsError
from anthropic_lake.schema.table import Table

ROLES = (
    "user",
    "developer",
    "billing",
    "admin",
    "claude_code_user",
    "owner",
    "primary_owner",
    "membership_admin",
    "managed",
)
"""The roles in an organization that are known today."""

PERSONS_KEY = "claude_code_key_"
"""Start of the names of API keys that are made for one person, whose name follows."""

_DAYS_A_PAGE = {"1d": 31, "1h": 7, "1m": 1}


class Kind(Enum):
    """Which days an asset has."""

    SNAPSHOT = "snapshot"  # today's full list; it has no past
    TIME_BUCKETS = "time buckets"  # dated; many time buckets in one page
    DAYS = "days"  # dated; one request chain a day

    @property
    def dated(self) -> bool:
        """Whether past days can be asked for."""
        return self is not Kind.SNAPSHOT


@dataclass(frozen=True)
class TimeBuckets:
    """How a report of time buckets is asked for.

    Args:
        width: Length of a time bucket: `1d`, `1h` or `1m`.
        group_by: The dimensions asked for.
        widths: The widths that the endpoint knows.
        dimensions: The dimensions that the endpoint knows.
        most_dimensions: How many of them it takes at once.
        betas: The `anthropic-beta` header that a dimension needs.
    """

    width: str
    group_by: tuple[str, ...]
    widths: tuple[str, ...]
    dimensions: tuple[str, ...]
    most_dimensions: int
    betas: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def grouped_by(self) -> str:
        """The dimensions asked for, joined by commas in alphabetical order."""
        return ",".join(sorted(self.group_by))


@dataclass(frozen=True)
class Function:
    """What an asset's Lambda function has for itself; the rest follows from the asset's kind.

    Args:
        description: One sentence that says what it does.
        schedule_minute: Minute of the hour in which it starts; functions do not start together.
        memory_mb: Its memory in megabytes.
        environment: Its own variables; each holds a parameter of template.yaml, named here.
    """

    description: str
    schedule_minute: int
    memory_mb: int
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Asset:
    """One thing that the Admin API knows about an organization.

    Args:
        name: Name of the asset; also of its first table.
        kind: Which days it has.
        path: Path of its endpoint; `{workspace_id}` is filled for each of the `fan_out`.
        paging: How the endpoint hands out its pages.
        function: Its Lambda function.
        tables: The tables that its records fill.
        params: Query parameters of every request.
        fan_out: The asset over whose records the path runs.
        lookback_days: How many past days a scheduled run reads again.
        time_buckets: How its time buckets are asked for, for that kind only.
    """

    name: str
    kind: Kind
    path: str
    paging: Paging
    function: Function
    tables: tuple[Table, ...]
    params: Mapping[str, str] = field(default_factory=dict, hash=False)
    fan_out: "Asset | None" = None
    lookback_days: int = 0
    time_buckets: TimeBuckets | None = None

    @property
    def days_a_page(self) -> int:
        """How many days of a dated asset one request can give."""
        return _DAYS_A_PAGE[self.time_buckets.width] if self.time_buckets else 1

    @property
    def names_people(self) -> bool:
        """Whether a column of its tables names people."""
        return any(table.personal_columns for table in self.tables)

    @property
    def list_params(self) -> list[tuple[str, str]]:
        """Query parameters of a walk over records, as many on a page as the API gives."""
        limit = [("limit", "1000")] if self.paging.cursor else []
        return [*self.params.items(), *limit]

    def path_of(self, workspace_id: str) -> str:
        """Return the path for a workspace; no identifier leads away from the endpoint.

        Raises:
            ContractBroken: The identifier is empty, or stands for another folder.
        """
        if not workspace_id.strip("."):
            problem = f"{workspace_id!r} is not an identifier"
            raise ContractBroken(problem, asset=self.name, field="workspace_id")
        return self.path.format(workspace_id=quote(workspace_id, safe=""))

    def grouped(self, group_by: tuple[str, ...], width: str) -> "Asset":
        """Return the same asset asked for by other dimensions and another width of time bucket.

        Raises:
            SettingsError: The endpoint does not take them.
        """
        known = self.time_buckets
        if known is None:
            raise SettingsError(f"{self.name} has no time buckets to group")
        problems = [*_grouping_problems(known, group_by), *_width_problems(known, width)]
        if problems:
            raise SettingsError(f"{self.name}: " + "; ".join(problems))
        return replace(self, time_buckets=replace(known, group_by=group_by, width=width))


def _grouping_problems(known: TimeBuckets, group_by: tuple[str, ...]) -> list[str]:
    """Return what is wrong with a choice of dimensions."""
    problems = []
    if unknown := sorted(set(group_by) - set(known.dimensions)):
        problems.append(
            f"cannot group by {', '.join(map(repr, unknown))}: "
            f"choose from {', '.join(known.dimensions)}"
        )
    if len(group_by) > known.most_dimensions:
        problems.append(
            f"{len(group_by)} dimensions to group by, and the API takes at most "
            f"{known.most_dimensions}: leave some out"
        )
    if len(set(group_by)) < len(group_by):
        problems.append("a dimension to group by is named twice")
    return problems


def _width_problems(known: TimeBuckets, width: str) -> list[str]:
    """Return what is wrong with a width of time buckets."""
    if width in known.widths:
        return []
    return [f"no time buckets of {width!r}: choose from {', '.join(known.widths)}"]
