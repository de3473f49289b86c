"""Reading and refusing query parameters, with errors like the vendor's."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime

from tests.simulator.wire import Request

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class ApiError(Exception):
    """An answer that is an error envelope."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.status = message, status


class Parameters:
    """The query of one request."""

    def __init__(self, query: Mapping[str, list[str]]) -> None:
        self._query = query

    def refuse_others(self, known: Collection[str]) -> None:
        """An API that ignores a misspelt filter answers with too much; this one refuses it."""
        for name in self._query:
            if name not in known and name != "beta":
                raise ApiError(f"{name}: Extra inputs are not permitted")

    def one(self, name: str) -> str | None:
        values = self._query.get(name)
        return values[-1] if values else None

    def required(self, name: str) -> str:
        value = self.one(name)
        if not value:
            raise ApiError(f"{name}: Field required")
        return value

    def many(self, name: str, allowed: Collection[str] | None = None) -> tuple[str, ...]:
        values = tuple(dict.fromkeys(self._query.get(name, ())))
        for value in values:
            _check_choice(name, value, allowed)
        return values

    def choice(self, name: str, allowed: Collection[str], default: str | None) -> str | None:
        value = self.one(name)
        if value is None:
            return default
        _check_choice(name, value, allowed)
        return value

    def flag(self, name: str) -> bool:
        return self.choice(name, ("true", "false"), "false") == "true"

    def limit(self, default: int, maximum: int) -> int:
        text = self.one("limit")
        if text is None:
            return default
        if not text.isascii() or not text.isdigit():
            raise ApiError("limit: Input should be a valid integer")
        if not 1 <= int(text) <= maximum:
            raise ApiError(f"limit: Input should be between 1 and {maximum}")
        return int(text)

    def timestamp(self, name: str) -> datetime | None:
        text = self.one(name)
        if text is None:
            return None
        if not _TIMESTAMP.fullmatch(text):
            raise ApiError(f"{name}: Input should be a valid RFC 3339 datetime with a timezone")
        with _refusing(name):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)

    def day(self, name: str) -> date:
        text = self.required(name)
        if not _DATE.fullmatch(text):
            raise ApiError(f"{name}: String should match pattern '^\\d{{4}}-\\d{{2}}-\\d{{2}}$'")
        with _refusing(name):
            return date.fromisoformat(text)


def either(query: Parameters, name: str, allowed: Collection[str] | None = None) -> tuple[str, ...]:
    """`name[]` or `name`: how some lists are written is not documented."""
    return query.many(f"{name}[]", allowed) + query.many(name, allowed)


def has_beta(request: Request, beta: str) -> bool:
    """Whether the request's header, which may hold several, names the beta."""
    betas = request.headers.get("anthropic-beta", "")
    return beta in (each.strip() for each in betas.split(","))


@contextmanager
def _refusing(name: str) -> Generator[None]:
    """Dates that no calendar has."""
    try:
        yield
    except (ValueError, OverflowError) as error:
        raise ApiError(f"{name}: {error}") from None


def _check_choice(name: str, value: str, allowed: Collection[str] | None) -> None:
    if allowed is not None and value not in allowed:
        names = ", ".join(f"'{each}'" for each in allowed)
        raise ApiError(f"{name}: Input should be one of {names}")
