"""The types of columns: what JSON each takes, how it converts, and its name in each system."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
from msgspec import UNSET, Raw

from anthropic_lake import strict_json

Convert = Callable[[Any], Any]

_INTEGERS_END = 1 << 63
_AMOUNT = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_LAST_DECIMAL = Decimal("1e-12")
_ROUNDING = Context(prec=38, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])


@dataclass(frozen=True, eq=False)
class Type:
    """One rung of the type ladder.

    Args:
        noun: What a value is, for messages.
        arrow: Its type in the files.
        glue: Its name in Glue.
        trino: Its name in Trino, which is Athena.
        snowflake: Its name in Snowflake.
        accepts: The Python types of the JSON values that it takes, each with the function that
            converts it for `array` or raises ValueError; None: it is taken as it is.
        typed: The Python type into which typed records read it.
        convert_typed: Converts such a value for `array`; None: it is taken as it is.
        parsed_from: The Arrow type of the values that `array` takes, where it is not `arrow`.
        rounded: Rounds a value to the decimals of `arrow`, and `extra` keeps the exact one; None:
            a value with more decimals is refused.
    """

    noun: str
    arrow: pa.DataType
    glue: str
    trino: str
    snowflake: str
    accepts: Mapping[type, Convert | None]
    typed: type = str
    convert_typed: Convert | None = None
    parsed_from: pa.DataType | None = None
    rounded: Callable[[Decimal], Decimal] | None = None

    def array(self, values: Sequence[Any]) -> pa.Array:
        """Return an array of converted values, with a null for None and UNSET.

        Raises:
            pa.ArrowException: A value is out of range or of another form.
            OverflowError: A time lies beyond the years 1 to 9999.
        """
        arrow = self.parsed_from or self.arrow
        try:
            array = pa.array(values, arrow)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # trying is faster than looking for UNSET
            array = pa.array([None if value is UNSET else value for value in values], arrow)
        return _within_calendar(array.cast(self.arrow)) if self.parsed_from else array


def amount(value: str | int | Decimal) -> Decimal:
    """Return an amount, which the API writes as text or as a number, with all its digits.

    Raises:
        ValueError: The text is not a decimal number.
    """
    if not _AMOUNT.fullmatch(str(value)):
        raise ValueError
    return Decimal(value)


def _rounded(value: Decimal) -> Decimal:
    """Return a value with 12 decimals, rounded half to even."""
    return _ROUNDING.quantize(value, _LAST_DECIMAL)


def _estimate(value: str | int | Decimal) -> Decimal:
    """Return an estimate of money: an amount that may be rounded."""
    return _rounded(amount(value))


def _within_calendar(array: pa.Array) -> pa.Array:
    """Return an array of dates or times, none of which lies where Python has no calendar."""
    import pyarrow.compute as pc  # noqa: PLC0415  a cold start takes a tenth longer with it

    pc.min_max(array.cast(pa.timestamp("us"))).as_py()
    return array


def _whole_number(value: Decimal) -> int:
    """Return a number that has no fraction, however it is written."""
    if not -_INTEGERS_END <= value < _INTEGERS_END or value != int(value):
        raise ValueError
    return int(value)


def _amount_of_text(text: Any) -> Decimal | None:  # noqa: ANN401  Raw, UNSET or None
    """Return the amount that stands in JSON text, None where it is null or absent."""
    if text is None or text is UNSET or (value := bytes(text).decode()) == "null":
        return None
    return amount(value[1:-1] if value.startswith('"') else value)


def _json_of_typed(value: Any) -> str | None:  # noqa: ANN401  Raw, typed objects, UNSET or None
    """Return the canonical JSON text of a typed value, None where it is null or absent."""
    if isinstance(value, Raw):
        value = strict_json.value(value)
    return None if value is None or value is UNSET else strict_json.text_of(value)


STRING = Type("text", pa.string(), "string", "varchar", "VARCHAR", {str: None})
JSON = Type(
    "a JSON value",
    pa.string(),
    "string",
    "varchar",
    "VARCHAR",
    accepts=dict.fromkeys((str, int, Decimal, bool, list, dict), strict_json.text_of),
    typed=Raw,
    convert_typed=_json_of_typed,
)
INTEGER = Type(
    "a whole number of 64 bits",
    pa.int64(),
    "bigint",
    "bigint",
    "NUMBER(19, 0)",
    accepts={int: None, Decimal: _whole_number},
    typed=int,
)
BOOLEAN = Type("true or false", pa.bool_(), "boolean", "boolean", "BOOLEAN", {bool: None}, bool)
TIMESTAMP = Type(
    "an RFC 3339 timestamp with a zone, to the microsecond",
    pa.timestamp("us", "UTC"),
    "timestamp",
    "timestamp(3)",
    "TIMESTAMP_NTZ(6)",
    accepts={str: None},
    parsed_from=pa.string(),
)
DATE = Type(
    "an ISO date",
    pa.date32(),
    "date",
    "date",
    "DATE",
    accepts={str: None},
    parsed_from=pa.string(),
)
MONEY = Type(
    # Dollars are cents / 100, so 10 decimals of cents take all the 12 that a column holds.
    "a decimal number with at most 26 digits before and 10 after the point",
    pa.decimal128(38, 12),
    "decimal(38,12)",
    "decimal(38,12)",
    "NUMBER(38, 12)",
    accepts=dict.fromkeys((str, int, Decimal), amount),
    typed=Raw,
    convert_typed=_amount_of_text,
)
ESTIMATE = replace(
    MONEY,
    noun="a decimal number with at most 26 digits before the point",
    accepts=dict.fromkeys((str, int, Decimal), _estimate),
    rounded=_rounded,
)
"""Money that is no bill: more than 12 decimals are rounded, and no reason to refuse a record."""
DOUBLE = Type(
    "a number", pa.float64(), "double", "double", "DOUBLE", {int: None, Decimal: float}, float
)
"""A ratio; only views have some: money is never a float."""
