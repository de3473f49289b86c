"""What an asset is: where the Admin API keeps it, how it is asked for, and its tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
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
    TIMED_ROWS = "timed rows"  # dated; rows with their own time bucket, in the order of time
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
        always_by: Dimensions that are asked for besides, and do not count.
        not_together: Dimensions of which it takes one at most.
        refused_widths: Widths that the endpoint knows and we do not ask for, and why.
        settings: The variables that choose `group_by` and `width`; None: nobody chooses.
    """

    width: str
    group_by: tuple[str, ...]
    widths: tuple[str, ...]
    dimensions: tuple[str, ...]
    most_dimensions: int
    betas: Mapping[str, str] = field(default_factory=dict, hash=False)
    always_by: tuple[str, ...] = ()
    not_together: tuple[str, ...] = ()
    refused_widths: Mapping[str, str] = field(default_factory=dict, hash=False)
    settings: tuple[str, str] | None = None

    @property
    def asked_by(self) -> tuple[str, ...]:
        """All the dimensions asked for."""
        return (*self.group_by, *self.always_by)

    @property
    def grouped_by(self) -> str:
        """The dimensions asked for, joined by commas in alphabetical order."""
        return ",".join(sorted(self.asked_by))


@dataclass(frozen=True)
class Depth:
    """How far back the API has a report.

    Args:
        first_day: The first day that it ever had, UTC.
        max_age: How long before today its first day lies at most.
    """

    first_day: date
    max_age: timedelta

    def start(self, today: date) -> date:
        """Return the first day that can be asked for."""
        return max(self.first_day, today - self.max_age)


@dataclass(frozen=True)
class Function:
    """What an asset's Lambda function has for itself; the rest follows from the asset's kind.

    Args:
        description: One sentence that says what it does.
        schedule_minute: Minute of the hour in which it starts; functions do not start together.
        memory_mb: Its memory in megabytes.
        environment: Its own variables; each holds a parameter of template.yaml, named here.
        switch: Parameter of template.yaml whose condition `<switch>Run` switches its schedule;
            None: all schedules' own does.
    """

    description: str
    schedule_minute: int
    memory_mb: int
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    switch: str | None = None


@dataclass(frozen=True)
class FanOut:
    """How an asset is asked for workspace by workspace.

    Args:
        workspaces: The asset whose records are the workspaces.
        path: Path of a workspace's list; `{workspace_id}` is filled.
        params: Query parameters of every request for a workspace's list.
        only_active: Whether archived workspaces are left out.
    """

    workspaces: "Asset"
    path: str
    params: Mapping[str, str] = field(default_factory=dict, hash=False)
    only_active: bool = False


@dataclass(frozen=True)
class Asset:
    """One thing that the Admin API knows about an organization.

    Args:
        name: Name of the asset; also of its first table.
        kind: Which days it has.
        path: Path of its own endpoint; empty: it has those of the workspaces only.
        paging: How the endpoints hand out their pages.
        function: Its Lambda function.
        tables: The tables that its records fill.
        params: Query parameters of every request of its own endpoint.
        fan_out: How it is asked for workspace by workspace, too; None: it is not.
        lookback_days: How many past days a scheduled run reads again.
        time_buckets: How its time buckets are asked for, if it has any.
        depth: How far back the API has it; None: as far as anybody knows.
        beta: The `anthropic-beta` header of every request of its own endpoint.
        offered_to_some: Whether some organizations do not have its endpoint, which is no failure.
    """

    name: str
    kind: Kind
    path: str
    paging: Paging
    function: Function
    tables: tuple[Table, ...]
    params: Mapping[str, str] = field(default_factory=dict, hash=False)
    fan_out: FanOut | None = None
    lookback_days: int = 0
    time_buckets: TimeBuckets | None = None
    depth: Depth | None = None
    beta: str | None = None
    offered_to_some: bool = False

    @property
    def days_a_page(self) -> int:
        """How many days of a dated asset one request gives, however many rows they have."""
        if self.kind is not Kind.TIME_BUCKETS or self.time_buckets is None:
            return 1
        return _DAYS_A_PAGE[self.time_buckets.width]

    @property
    def tells_spend(self) -> bool:
        """Whether it says what a day cost: of what everybody has, one asset does."""
        columns = {column.name for table in self.tables for column in table.all_columns}
        return self.kind.dated and not self.offered_to_some and "amount_usd" in columns

    @property
    def names_people(self) -> bool:
        """Whether a column of its tables names people."""
        return any(table.personal_columns for table in self.tables)

    @property
    def list_params(self) -> list[tuple[str, str]]:
        """Query parameters of a walk over its own records."""
        return self._most_a_page(self.params)

    @property
    def workspace_params(self) -> list[tuple[str, str]]:
        """Query parameters of a walk over the records of a workspace."""
        return self._most_a_page(self.fan_out.params if self.fan_out else {})

    def _most_a_page(self, params: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return query parameters with as many records on a page as the API gives."""
        limit = [("limit", "1000")] if self.paging.cursor else []
        return [*params.items(), *limit]

    def path_of(self, workspace_id: str) -> str:
        """Return the path for a workspace; no identifier leads away from the endpoint.

        Raises:
            ContractBroken: The identifier is empty, or stands for another folder.
        """
        if not workspace_id.strip("."):
            problem = f"{workspace_id!r} is not an identifier"
            raise ContractBroken(problem, asset=self.name, field="workspace_id")
        assert self.fan_out  # noqa: S101  else there is no such path
        return self.fan_out.path.format(workspace_id=quote(workspace_id, safe=""))

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
            raise SettingsError("; ".join(problems))
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
    if known.not_together and set(known.not_together) <= set(group_by):
        problems.append(f"cannot group by {' and '.join(known.not_together)} at once: choose one")
    if len(set(group_by)) < len(group_by):
        problems.append("a dimension to group by is named twice")
    return problems


def _width_problems(known: TimeBuckets, width: str) -> list[str]:
    """Return what is wrong with a width of time buckets."""
    if width in known.widths:
        return []
    if reason := known.refused_widths.get(width):
        return [
            f"no time buckets of {width!r}, because {reason}: choose from {', '.join(known.widths)}"
        ]
    return [f"no time buckets of {width!r}: choose from {', '.join(known.widths)}"]
