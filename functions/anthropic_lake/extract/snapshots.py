"""Snapshots: the whole of an asset as it is now."""

from collections.abc import Iterator, Mapping, Set
from datetime import date
from http import HTTPStatus

from anthropic_lake import strict_json
from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.paging import Page
from anthropic_lake.assets import Asset, FanOut
from anthropic_lake.errors import BadRequest, NotFound
from anthropic_lake.extract.batch import Batch, DayEnd, Extracted, PartEnd, answer_fields, broken
from anthropic_lake.extract.endpoint import own_pages


def extract_snapshot(
    asset: Asset, api: AdminApi, today: date, done: Set[str | None]
) -> Iterator[Extracted]:
    """Extract the records of the asset's own list, then those of each workspace's list.

    Args:
        asset: What to ask for.
        api: Whom to ask.
        today: The day that the snapshot is taken for, UTC.
        done: Parts to leave out: workspaces; None: the asset's own list.

    Raises:
        ApiError: The API does not answer, or breaks its contract.
    """
    if asset.path and None not in done:
        for page in own_pages(asset, api, asset.list_params):
            yield from _page(page, today, {})
            del page  # the last one may be large, and the rows are written after the day's end
        if asset.fan_out:
            yield PartEnd(today, None)
    if asset.fan_out:
        yield from _workspaces(asset, asset.fan_out, api, today, done)
    yield DayEnd(today)


def _workspaces(
    asset: Asset, fan_out: FanOut, api: AdminApi, today: date, done: Set[str | None]
) -> Iterator[Extracted]:
    """Extract the records of each workspace that is not done; half a workspace is not kept.

    A workspace whose list is refused is left out. Where several are refused, active ones too, and
    none has a list, the endpoint itself is at fault, and an empty snapshot would be a lie. (It is
    not empty where the asset has a list of its own.) So the end of a refused workspace waits for a
    list that comes.
    """
    is_active: dict[str, bool] = {}
    workspaces = fan_out.workspaces
    # All workspaces are read first, so that no walk stays open meanwhile.
    for page in api.pages(workspaces.path, workspaces.paging, workspaces.list_params):
        yield from answer_fields("page", page.fields)
        for record in strict_json.elements(page.data):
            is_active[record_id(workspaces, record, page)] = _is_active(record)
    wanted = [name for name in is_active if is_active[name] or not fan_out.only_active]
    refused: dict[str, BadRequest | NotFound] = {}
    any_came = bool(asset.path or done)
    for workspace_id in [name for name in wanted if name not in done]:
        pages = _pages(asset, api, workspace_id)
        if isinstance(pages, BadRequest | NotFound):
            refused[workspace_id] = pages
            continue
        any_came = True
        yield from _ends_of_refused(refused, today)
        for page in pages:
            yield from _page(page, today, {"workspace_id": workspace_id})
        yield PartEnd(today, workspace_id)
    if not any_came and len(refused) > 1 and any(is_active[name] for name in refused):
        raise refused.popitem()[1]
    yield from _ends_of_refused(refused, today)


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


def _page(page: Page, today: date, shared: Mapping[str, str]) -> Iterator[Extracted]:
    """Yield the records of a page, and its other fields."""
    yield from answer_fields("page", page.fields)
    yield Batch(today, page.data, page.origin, shared)


def _pages(asset: Asset, api: AdminApi, workspace_id: str) -> list[Page] | BadRequest | NotFound:
    """Return all pages of a workspace's list, or the answer that it has none.

    Raises:
        ApiError: The list cannot be had for another reason, such as a page token that is refused.
    """
    pages: list[Page] = []
    path = asset.path_of(workspace_id)
    try:
        pages.extend(api.pages(path, asset.paging, asset.workspace_params, beta=asset.beta))
    except NotFound as refusal:
        return refusal
    except BadRequest as refusal:
        if pages or refusal.status != HTTPStatus.BAD_REQUEST:
            raise
        return refusal
    return pages


def _ends_of_refused(refused: dict[str, BadRequest | NotFound], today: date) -> Iterator[PartEnd]:
    """Yield the ends of the workspaces that were refused, and forget them."""
    for workspace_id, refusal in refused.items():
        yield PartEnd(today, workspace_id, (f"workspace {workspace_id!r} is left out: {refusal}",))
    refused.clear()


def _is_active(workspace: strict_json.Text) -> bool:
    """Return whether a workspace is not archived."""
    return strict_json.value(workspace).get("archived_at") is None
