"""What a key may read: each endpoint tried once."""

from dataclasses import dataclass
from datetime import date

from anthropic_lake import strict_json
from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import Connection
from anthropic_lake.api.paging import Params
from anthropic_lake.assets import ASSETS, Asset, FanOut, Kind
from anthropic_lake.errors import ApiError, MissingPermission, NotFound, NotOffered, redact
from anthropic_lake.extract.endpoint import own_answer
from anthropic_lake.extract.snapshots import record_id
from anthropic_lake.utc import ONE_DAY

NOT_OFFERED = "not offered to this organization"


@dataclass(frozen=True)
class Access:
    """Whether one asset can be read.

    Args:
        asset: Name of the asset.
        verdict: `allowed`, `refused`, `unreachable`, or that it is not offered.
        detail: What is missing, or what it is; empty when there is nothing to say.
    """

    asset: str
    verdict: str
    detail: str = ""

    @property
    def is_refused(self) -> bool:
        """Whether it cannot be read, and should be."""
        return self.verdict not in ("allowed", NOT_OFFERED)


def organization(connection: Connection) -> str:
    """Return the identifier and the name of the organization that the key belongs to.

    Raises:
        ApiError: The API does not answer.
    """
    answer = AdminApi(connection, "organization").get(ASSETS["organization"].path)
    members = strict_json.value(answer.body)
    return f"{redact(str(members.get('id')))} {redact(str(members.get('name')))!r}"


def check(asset: Asset, connection: Connection, today: date) -> Access:
    """Try an asset's endpoint once, for one record of yesterday where it has days."""
    api = AdminApi(connection, asset.name)
    try:
        if asset.path:
            own_answer(asset, api, _params(asset, today))
        detail = _try_first_workspace(asset, asset.fan_out, api) if asset.fan_out else ""
        return Access(asset.name, "allowed", detail)
    except NotOffered:
        return Access(asset.name, NOT_OFFERED, "beta" if asset.beta else "")
    except ApiError as error:
        refused = isinstance(error, MissingPermission) or error.status in (400, 401, 404)
        return Access(asset.name, "refused" if refused else "unreachable", str(error))


def _try_first_workspace(asset: Asset, fan_out: FanOut, api: AdminApi) -> str:
    """Try the endpoint for the first workspace, and return what hinders it."""
    workspaces = fan_out.workspaces
    params = [*workspaces.params.items(), ("limit", "1")]
    page = next(api.pages(workspaces.path, workspaces.paging, params))
    first = strict_json.elements(page.data)[:1]
    if not first:
        return "there are no workspaces to try it with"
    params = [*fan_out.params.items(), ("limit", "1")]
    try:
        api.get(asset.path_of(record_id(workspaces, first[0], page)), params, beta=asset.beta)
    except NotFound as refusal:
        if not asset.path:
            raise
        return f"the first workspace would be left out: {refusal}"
    return ""


def _params(asset: Asset, today: date) -> Params:
    """Ask for as little as there is."""
    if asset.kind is Kind.SNAPSHOT:
        return [("limit", "1")] if asset.paging.cursor else []
    if asset.kind is Kind.DAYS:
        return [("starting_at", (today - ONE_DAY).isoformat()), ("limit", "1")]
    days = [("starting_at", today - ONE_DAY), ("ending_at", today)]
    return [*((name, f"{day}T00:00:00Z") for name, day in days), ("limit", "1")]
