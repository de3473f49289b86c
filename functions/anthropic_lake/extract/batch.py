"""What an extraction yields: batches of records, and the ends of days."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from anthropic_lake import strict_json
from anthropic_lake.api.paging import Origin
from anthropic_lake.assets import Asset
from anthropic_lake.errors import ContractBroken


@dataclass(frozen=True)
class Batch:
    """Records of one day, as the API returned them.

    Args:
        day: The day, UTC.
        records_text: The JSON of a list of records.
        origin: The answer that they come from.
        shared: Fields that the records have in common; a record's own value goes first.
    """

    day: date
    records_text: strict_json.Text
    origin: Origin
    shared: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DayEnd:
    """All records of a day have come.

    Args:
        day: The day, UTC.
        warnings: What was left out of it, and why.
    """

    day: date
    warnings: tuple[str, ...] = ()


def broken(asset: Asset, problem: str, origin: Origin, field: str) -> ContractBroken:
    """Return the error of an answer that is not what the API's documentation says.

    Args:
        asset: What was asked for.
        problem: What is wrong with the answer.
        origin: The answer.
        field: Dotted path of the field at fault.
    """
    return ContractBroken(problem, asset=asset.name, field=field, request_id=origin.request_id)
