"""Snapshots: the whole of an asset as it is now."""

from collections.abc import Iterator
from datetime import date

from anthropic_lake import strict_json
from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.paging import Page
from anthropic_lake.assets import Asset
from anthropic_lake.errors import NotFound
from anthropic_lake.extract.batch import Batch, DayEnd, broken


def extract_snapshot(asset: Asset, api: AdminApi, today: date) -> Iterator[Batch | DayEnd]:
    """Extract all records of a snapshot asset.

    Args:
        asset: What to ask for.
        api: Whom to ask.
        today: The day that the snapshot is taken for, UTC.

    Raises:
        ApiError: The API does not answer, or breaks its contract.
    """
    if asset.fan_out is not None:
        return _fan_out(asset, asset.fan_out, api, today)
    return _one_list(asset, api, today)


def record_id(asset: Asset, record: strict_json.Text, page: Page) -> str:
    """Return the identifier of a record.

    Raises:
        ContractBroken: The record is not an object with an id.
    """
    try:
        identifier = strict_json.value(record)["id"]
    except (strict_json.InvalidJson, TypeError, KeyError):
        identifier = None
    if not isinstance(identifier, str):
        raise broken(asset, "expected an object with an id", page.origin, "data[]")
    return identifier


def _one_list(asset: Asset, api: AdminApi, today: date) -> Iterator[Batch | DayEnd]:
    """Extract the records of one list."""
    for page in api.pages(asset.path, asset.paging, asset.list_params):
        yield Batch(today, page.data, page.origin)
        del page  # the last one may be large, and the rows are written after the day's end
    yield DayEnd(today)


def _fan_out(
    asset: Asset, workspaces: Asset, api: AdminApi, today: date
) -> Iterator[Batch | DayEnd]:
    """Extract the records of each workspace's list; half a workspace is not kept."""
    warnings = []
    for workspace_id in _ids(workspaces, api):
        path = asset.path_of(workspace_id)
        try:
            pages = list(api.pages(path, asset.paging, asset.list_params))
        except NotFound:
            warnings.append(f"workspace {workspace_id!r} is gone: its members are left out")
            continue
        for page in pages:
            yield Batch(today, page.data, page.origin, {"workspace_id": workspace_id})
            del page
        pages.clear()
    yield DayEnd(today, tuple(warnings))


def _ids(asset: Asset, api: AdminApi) -> list[str]:
    """Return the identifiers of all records, read first so that no walk stays open meanwhile."""
    return [
        record_id(asset, record, page)
        for page in api.pages(asset.path, asset.paging, asset.list_params)
        for record in strict_json.elements(page.data)
    ]
