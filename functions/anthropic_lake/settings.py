"""The settings: an environment, read once into a checked value."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

from anthropic_lake.api.connection import BASE_URL
from anthropic_lake.assets import ASSETS, USAGE_REPORT, Asset
from anthropic_lake.errors import SettingsError
from anthropic_lake.utc import parse_day

Value = TypeVar("Value")
Default = TypeVar("Default")


@dataclass(frozen=True)
class Settings:
    """The settings of a function or of the command line.

    Args:
        assets: Every asset as it is to be asked for, by name.
        base_url: Address of the Admin API.
        data_bucket: S3 bucket of the lake, empty on a laptop.
        data_prefix: Prefix of all keys in it.
        admin_key_secret_arn: Secret that holds the admin key, empty on a laptop.
        state_prefix: Start of the names of the SSM parameters.
        history_start: First day that is wanted, UTC.
        lookback_days: How many past days are read again; None: what the asset says.
        settle: How long after its end a day is not complete yet.
        requests_per_minute: Pace of the requests to the Admin API.
    """

    assets: Mapping[str, Asset]
    base_url: str
    data_bucket: str
    data_prefix: str
    admin_key_secret_arn: str
    state_prefix: str
    history_start: date
    lookback_days: int | None
    settle: timedelta
    requests_per_minute: int

    def asset(self, name: str) -> Asset:
        """Find an asset by its name.

        Raises:
            SettingsError: There is none of this name.
        """
        if name not in self.assets:
            raise SettingsError(f"unknown asset {name!r}: choose from {', '.join(self.assets)}")
        return self.assets[name]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables; a blank one means its default.

    Raises:
        SettingsError: Some cannot be used; all the problems are in one message.
    """
    read = _Reading(environment)
    settings = Settings(
        assets=ASSETS | {USAGE_REPORT.name: read.usage_report()},
        base_url=read.value("ANTHROPIC_BASE_URL", BASE_URL, _base_url),
        data_bucket=read.value("DATA_BUCKET", "", str),
        data_prefix=read.value("DATA_PREFIX", "", str),
        admin_key_secret_arn=read.value("ADMIN_KEY_SECRET_ARN", "", str),
        state_prefix=read.value("STATE_PREFIX", "/anthropic-lake", _state_prefix),
        history_start=read.value("HISTORY_START", date(2025, 1, 1), parse_day),
        lookback_days=read.value("LOOKBACK_DAYS", None, _number(0, 3650)),
        settle=timedelta(hours=read.value("SETTLE_HOURS", 2, _number(0, 240))),
        requests_per_minute=read.value("REQUESTS_PER_MINUTE", 60, _number(1, 10**9)),
    )
    if read.problems:
        raise SettingsError("the settings cannot be used: " + "; ".join(read.problems))
    return settings


class _Reading:
    """Reads variables and gathers what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def value(self, name: str, default: Default, parse: Callable[[str], Value]) -> Value | Default:
        """Read one variable, its default where it is absent or blank."""
        text = self._environment.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except (ValueError, SettingsError) as error:
            self.problems.append(f"{name}: {error}")
            return default

    def usage_report(self) -> Asset:
        """Read how the usage report is grouped."""
        assert USAGE_REPORT.time_buckets  # noqa: S101  it is a report of time buckets
        default = USAGE_REPORT.time_buckets
        group_by = self.value("USAGE_GROUP_BY", default.group_by, _names)
        width = self.value("USAGE_BUCKET_WIDTH", default.width, str)
        try:
            return USAGE_REPORT.grouped(group_by, width)
        except SettingsError as error:
            self.problems.append(f"USAGE_GROUP_BY or USAGE_BUCKET_WIDTH: {error}")
            return USAGE_REPORT


def _names(text: str) -> tuple[str, ...]:
    """Read names separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _number(least: int, most: int) -> Callable[[str], int]:
    """Read a whole number that is neither too small nor too large."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return parse


def _base_url(text: str) -> str:
    """Refuse an address that would send the key in the clear."""
    url = urlsplit(text)
    if not url.hostname or url.port == 0 or "@" in url.netloc or url.query or url.fragment:
        raise ValueError("is not an address such as https://api.anthropic.com")
    if url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.hostname)):
        return text.rstrip("/")
    raise ValueError("use https://; plain http:// is for a loopback address only")


def _is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _state_prefix(text: str) -> str:
    """Refuse a prefix that SSM would not take."""
    if not re.fullmatch(r"(/[A-Za-z0-9_.-]+)+/?", text):
        raise ValueError(f"{text!r} is not a path such as /anthropic-lake")
    return text.rstrip("/")
