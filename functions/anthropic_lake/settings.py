"""The settings, read from environment variables and checked."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeVar
from urllib.parse import urlsplit

from anthropic_lake.api.connection import BASE_URL, is_loopback
from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.errors import SettingsError
from anthropic_lake.utc import parse_day

_HOUR_MINUTES = 60
_RUN_MINUTES = 16
"""A function runs for 15 minutes at most, and its schedule may be a minute late."""

Value = TypeVar("Value")
Default = TypeVar("Default")


@dataclass(frozen=True)
class Settings:
    """The settings of a function or of the command line.

    Args:
        assets: All assets by name, with the grouping that the settings ask for.
        base_url: Address of the Admin API.
        data_bucket: Bucket of the lake; empty on a laptop.
        data_prefix: Prefix of all keys in the bucket.
        admin_key_secret_arn: Secret that holds the admin key; empty on a laptop.
        state_prefix: Start of the names of the SSM parameters; None: the lake's own, or a default.
        history_start: First day of the lake, UTC; None: nobody said.
        lookback_days: How many past days each run reads again; None: the asset's own number.
        has_budget: Whether the spend of the month is watched, so that each run has to know it.
        settle: How long after its end a day becomes complete.
        uses_pseudonyms: Whether pseudonyms stand in the lake for people.
        requests_per_minute: Budget of requests to the Admin API, for all that run at once.
        backfill_concurrency: How many items of a backfill run at once.
        memory_bytes: Memory of the process; None on a laptop.
    """

    assets: Mapping[str, Asset]
    base_url: str
    data_bucket: str
    data_prefix: str
    admin_key_secret_arn: str
    state_prefix: str | None
    history_start: date | None
    lookback_days: int | None
    has_budget: bool
    settle: timedelta
    uses_pseudonyms: bool
    requests_per_minute: int
    backfill_concurrency: int
    memory_bytes: int | None

    def share_per_minute(self, *, is_backfill: bool) -> float:
        """Return how many requests a minute one function of the stack may send.

        The budget is divided among the schedules that may run at once and the backfill, and the
        backfill's share among its items: more of them never slow down the schedules.

        Args:
            is_backfill: Whether the function reads an item of a backfill.
        """
        share = self.requests_per_minute / (_schedules_at_once(self.assets.values()) + 1)
        return share / self.backfill_concurrency if is_backfill else share

    def asset(self, name: str) -> Asset:
        """Return the asset of this name.

        Raises:
            SettingsError: No asset has this name.
        """
        if name not in self.assets:
            raise SettingsError(f"unknown asset {name!r}: choose from {', '.join(self.assets)}")
        return self.assets[name]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables; a blank variable means its default.

    Raises:
        SettingsError: A variable cannot be used; the message names all the problems.
    """
    reader = _Reader(environment)
    settings = Settings(
        assets={name: reader.grouped(asset) for name, asset in ASSETS.items()},
        base_url=reader.value("ANTHROPIC_BASE_URL", BASE_URL, _base_url),
        data_bucket=reader.value("DATA_BUCKET", "", str),
        data_prefix=reader.value("DATA_PREFIX", "", str),
        admin_key_secret_arn=reader.value("ADMIN_KEY_SECRET_ARN", "", str),
        state_prefix=reader.value("STATE_PREFIX", None, _state_prefix),
        history_start=reader.value("HISTORY_START", None, parse_day),
        lookback_days=reader.value("LOOKBACK_DAYS", None, _whole_number(0, 3650)),
        has_budget=reader.value("MONTHLY_BUDGET_USD", False, _is_budget),
        settle=timedelta(hours=reader.value("SETTLE_HOURS", 2, _whole_number(0, 240))),
        uses_pseudonyms=reader.value("PEOPLE", False, _uses_pseudonyms),
        requests_per_minute=reader.value("REQUESTS_PER_MINUTE", 60, _whole_number(1, 10**9)),
        backfill_concurrency=reader.value("BACKFILL_CONCURRENCY", 2, _whole_number(1, 1000)),
        memory_bytes=reader.value("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", None, _mebibytes),
    )
    if reader.problems:
        problems = "; ".join(dict.fromkeys(reader.problems))  # two assets may share a setting
        raise SettingsError(f"the settings cannot be used: {problems}")
    return settings


class _Reader:
    """Reads variables and collects the problems with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def value(self, name: str, default: Default, parse: Callable[[str], Value]) -> Value | Default:
        """Read one variable; return its default if it is missing, blank or wrong."""
        text = self._environment.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except (ValueError, SettingsError) as error:
            self.problems.append(f"{name}: {error}")
            return default

    def grouped(self, asset: Asset) -> Asset:
        """Return an asset with the grouping and the time buckets of the settings, if it has any."""
        default = asset.time_buckets
        if default is None or default.settings is None:
            return asset
        of_group_by, of_width = default.settings
        group_by = self.value(of_group_by, default.group_by, _comma_separated)
        width = self.value(of_width, default.width, str)
        try:
            return asset.grouped(group_by, width)
        except SettingsError as error:
            self.problems.append(f"{of_group_by} or {of_width}: {error}")
            return asset


def _schedules_at_once(assets: Iterable[Asset]) -> int:
    """Return how many scheduled functions may run at the same time."""
    starts = [asset.function.schedule_minute for asset in assets]
    return max(
        sum((minute - start) % _HOUR_MINUTES < _RUN_MINUTES for start in starts)
        for minute in starts
    )


def _comma_separated(text: str) -> tuple[str, ...]:
    """Split a text into the names between its commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return a function that reads a whole number within bounds."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not minimum <= int(text) <= maximum:
            raise ValueError(f"{text!r} is not a whole number from {minimum} to {maximum}")
        return int(text)

    return parse


def _uses_pseudonyms(text: str) -> bool:
    """Return whether `pseudonym` is set, and not `plain`."""
    if text not in ("plain", "pseudonym"):
        raise ValueError(f"{text!r} is neither plain nor pseudonym")
    return text == "pseudonym"


def _is_budget(text: str) -> bool:
    """Return whether an amount in US dollars is more than none."""
    if not re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        raise ValueError(f"{text!r} is not an amount such as 5000, nor 0 for no budget")
    return Decimal(text) > 0


def _mebibytes(text: str) -> int:
    """Return a number of mebibytes as bytes."""
    return _whole_number(1, 1 << 20)(text) << 20


def _base_url(text: str) -> str:
    """Return an address, or raise ValueError if it would send the key unencrypted."""
    url = urlsplit(text)
    if not url.hostname or url.port == 0 or "@" in url.netloc or url.query or url.fragment:
        raise ValueError("is not an address such as https://api.anthropic.com")
    if url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname)):
        return text.rstrip("/")
    raise ValueError("use https://; plain http:// is for a loopback address only")


def _state_prefix(text: str) -> str:
    """Return a prefix, or raise ValueError if SSM does not accept it."""
    if not re.fullmatch(r"(/[A-Za-z0-9_.-]+)+/?", text):
        raise ValueError(f"{text!r} is not a path such as /anthropic-lake")
    return text.rstrip("/")
