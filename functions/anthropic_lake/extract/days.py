"""Assets that are asked for day by day."""

from collections.abc import Iterator

from anthropic_lake.api.client import AdminApi
from anthropic_lake.assets import Asset
from anthropic_lake.errors import BadRequest, CursorExpired, TooLarge
from anthropic_lake.extract.batch import Batch, Extracted, answer_fields
from anthropic_lake.extract.endpoint import own_pages
from anthropic_lake.extract.reach import Reach


def extract_days(asset: Asset, api: AdminApi, reach: Reach) -> Iterator[Extracted]:
    """Extract one day after the other, each by a walk of its own.

    Raises:
        ApiError: The API does not answer, or breaks its contract.
    """
    while reach.day < reach.end:
        try:
            yield from _day(asset, api, reach)
        except TooLarge as error:
            yield reach.end_day(error)
        except CursorExpired as expired:
            yield reach.restart(expired)
        except BadRequest as refusal:
            reach.refuse(refusal)
        else:
            yield reach.end_day()
    yield reach.report_end()


def _day(asset: Asset, api: AdminApi, reach: Reach) -> Iterator[Extracted]:
    """Extract the records of one day."""
    params = [("starting_at", reach.day.isoformat()), *asset.list_params]
    for page in own_pages(asset, api, params):
        reach.request_id = page.origin.request_id
        yield from answer_fields("page", page.fields)
        yield Batch(reach.day, page.data, page.origin)
