"""What an extraction yields: batches of records, and what is known of days, parts and answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from anthropic_lake import strict_json
from anthropic_lake.api.paging import Origin
from anthropic_lake.assets import Asset
from anthropic_lake.errors import ContractBroken, TooLarge, redact
from anthropic_lake.schema.table import field_path

_WARNING_FIELDS = {"truncated", "warning"}


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
class PartEnd:
    """All records of one list have come, where an asset is asked for workspace by workspace.

    Args:
        day: The day of the snapshot, UTC.
        workspace_id: The workspace; None: the asset's own list.
        warnings: Why its records are left out; empty when they are not.
    """

    day: date
    workspace_id: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DayRestart:
    """The records of a day come again from the first one: forget those that have come.

    Args:
        day: The day, UTC.
    """

    day: date


@dataclass(frozen=True)
class DayEnd:
    """All records of a day have come.

    Args:
        day: The day, UTC.
        error: Why the day's records cannot be read; None when they came.
        data_refreshed_at: Until when the API's data reached, UTC; None: it did not say.
    """

    day: date
    error: TooLarge | None = None
    data_refreshed_at: datetime | None = None


@dataclass(frozen=True)
class ReportEnd:
    """A dated asset came as far as it reaches; a day that was begun and has not ended is not whole.

    Args:
        end: The day after the last one that came whole, UTC.
        lag_days: Number of complete days that were asked for and did not come whole.
        request_id: The vendor's id of the last request, None when there was none.
        refusal: The API's answer that says that later days are not there yet, None without one.
    """

    end: date
    lag_days: int
    request_id: str | None
    refusal: str | None = None


@dataclass(frozen=True)
class AnswerFields:
    """Fields of an answer that no record can keep: of a page, or of a time bucket without records.

    Args:
        fields: Value of each field by its path: `page.NAME` or `time_bucket.NAME`.
    """

    fields: Mapping[str, Any]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the API warns of in these fields."""
        return tuple(
            f"the API says {path}: {redact(strict_json.text_of(value))}"
            for path, value in self.fields.items()
            if value and path.partition(".")[2] in _WARNING_FIELDS
        )


Extracted = Batch | PartEnd | DayRestart | DayEnd | ReportEnd | AnswerFields


def answer_fields(place: str, fields: Mapping[str, Any]) -> list[AnswerFields]:
    """Return the fields of an answer as one item, no item where there are no fields.

    Args:
        place: `page` or `time_bucket`.
        fields: The fields by name.
    """
    by_path = {field_path(place, name): value for name, value in fields.items()}
    return [AnswerFields(by_path)] if by_path else []


def broken(asset: Asset, problem: str, origin: Origin, field: str) -> ContractBroken:
    """Return the error of an answer that is not what the API's documentation says.

    Args:
        asset: What was asked for.
        problem: What is wrong with the answer.
        origin: The answer.
        field: Dotted path of the field at fault.
    """
    return ContractBroken(problem, asset=asset.name, field=field, request_id=origin.request_id)
