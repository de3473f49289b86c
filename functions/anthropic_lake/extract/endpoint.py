"""An asset's own endpoint, which is perhaps not offered to the organization."""

from collections.abc import Iterator
from contextlib import contextmanager

from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.paging import Answer, Page, Params
from anthropic_lake.assets import Asset
from anthropic_lake.errors import MissingPermission, NotFound, NotOffered


def own_pages(
    asset: Asset, api: AdminApi, params: Params, *, max_body_bytes: int | None = None
) -> Iterator[Page]:
    """Walk over all pages of the asset's own endpoint.

    Args:
        asset: What to ask for.
        api: Whom to ask.
        params: Query parameters, the same for every page.
        max_body_bytes: Largest body of a report that is read; None for a list.

    Raises:
        NotOffered: (the iterator) The organization does not have the endpoint. After the first
            page this is no answer any more, and its error stays what it is.
        ApiError: (the iterator) The walk cannot be finished.
    """
    pages = api.pages(
        asset.path, asset.paging, params, beta=asset.beta, max_body_bytes=max_body_bytes
    )
    with _naming_absence(asset):
        yield next(pages)
    yield from pages


def own_answer(asset: Asset, api: AdminApi, params: Params) -> Answer:
    """Return the answer of the asset's own endpoint to one request.

    Raises:
        NotOffered: The organization does not have the endpoint.
        ApiError: There is no usable answer.
    """
    with _naming_absence(asset):
        return api.get(asset.path, params, beta=asset.beta)


@contextmanager
def _naming_absence(asset: Asset) -> Iterator[None]:
    """Raise NotOffered where the endpoint is not there, and need not be."""
    try:
        yield
    except (NotFound, MissingPermission) as refusal:
        needs_beta = asset.beta is not None and asset.beta in str(refusal)
        if not asset.offered_to_some or not (isinstance(refusal, NotFound) or needs_beta):
            raise
        raise NotOffered(
            f"not offered to this organization, the next run asks again: {refusal}",
            status=refusal.status,
            request_id=refusal.request_id,
        ) from None
