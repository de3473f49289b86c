"""What two engines have to agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Rows = Iterable[tuple[Any, ...]]
HALF = timedelta(microseconds=500)


def plain(value: Any) -> Any:
    """A value as both engines give it: instants without a zone, all numbers exact."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float):
        return float(f"{value:.14g}")
    return value


def milliseconds(value: Any) -> Any:
    """The same, and instants as precise as in Athena, which rounds."""
    if not isinstance(value, datetime):
        return plain(value)
    later = value.replace(tzinfo=None) + HALF
    return later.replace(microsecond=later.microsecond // 1000 * 1000)


def same(found: Rows, expected: Rows) -> None:
    """Both have the same rows, to the microsecond, each as often."""
    left, right = (Counter(tuple(map(plain, row)) for row in rows) for rows in (found, expected))
    assert left == right


def same_in_athena(found: Rows, expected: Rows, *, ordered: bool = False) -> None:
    """Both have the same rows, to the millisecond, each as often."""
    left, right = ([tuple(map(milliseconds, row)) for row in rows] for rows in (found, expected))
    assert Counter(left) == Counter(right)
    assert not ordered or left == right
