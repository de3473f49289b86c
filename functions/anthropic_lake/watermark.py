"""The watermark: the last day of an asset that is complete and safely in the lake."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from anthropic_lake.errors import LakeError, StorageError, aws_failure
from anthropic_lake.lake import write_file

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


class Watermark(Protocol):
    """Remembers the last synced date of each asset."""

    def get(self, asset: str) -> date | None:
        """Give the last synced date, None before the first.

        Raises:
            LakeError: It cannot be read, or is not a date.
        """

    def put(self, asset: str, day: date) -> None:
        """Remember a last synced date.

        Raises:
            LakeError: It cannot be written.
        """


def advance(watermark: Watermark, asset: str, day: date) -> date:
    """Move the watermark on to a day, never back, and give where it stands then.

    It is read again first, because another run of the asset may have moved it meanwhile.
    """
    current = watermark.get(asset)
    if current is not None and current >= day:
        return current
    watermark.put(asset, day)
    return day


def _parsed(text: str, place: str) -> date:
    """Read a stored date."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise StorageError(
            f"{place} does not hold a date such as 2026-01-31: write one there, or delete it to "
            "start again from the first day of history"
        ) from None


class SsmWatermark:
    """Watermarks as parameters of SSM Parameter Store, read uncached."""

    def __init__(self, client: "SSMClient", prefix: str) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  AWS only

        self._client = client
        self._errors = (BotoCoreError, ClientError)
        self._prefix = prefix.rstrip("/")

    def get(self, asset: str) -> date | None:
        """Read the parameter; an absent one means that nothing was synced yet."""
        name = self._name(asset)
        try:
            found = self._client.get_parameter(Name=name)
        except self._client.exceptions.ParameterNotFound:
            return None
        except self._errors as error:
            raise self._failure(name, error) from error
        return _parsed(found["Parameter"]["Value"], f"the SSM parameter {name}")

    def put(self, asset: str, day: date) -> None:
        """Write the parameter."""
        name = self._name(asset)
        try:
            self._client.put_parameter(
                Name=name, Value=day.isoformat(), Type="String", Overwrite=True
            )
        except self._errors as error:
            raise self._failure(name, error) from error

    def _name(self, asset: str) -> str:
        """Give the name of an asset's parameter."""
        return f"{self._prefix}/{asset}/last_synced_date"

    def _failure(self, name: str, error: Exception) -> LakeError:
        """Say what cannot be done and what to look at."""
        advice = (
            f"cannot use the SSM parameter {name}: check that ssm:GetParameter and "
            "ssm:PutParameter are allowed on it"
        )
        return aws_failure(error, advice)


class LocalWatermark:
    """Watermarks as files in the `_watermarks` folder of a local lake."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake

    def get(self, asset: str) -> date | None:
        """Read the file; an absent one means that nothing was synced yet."""
        path = self._lake / "_watermarks" / asset
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(f"cannot read {path}: {error}") from error
        return _parsed(text, str(path))

    def put(self, asset: str, day: date) -> None:
        """Write the file."""
        write_file(self._lake, f"_watermarks/{asset}", f"{day.isoformat()}\n".encode())
