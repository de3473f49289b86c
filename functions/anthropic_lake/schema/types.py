"""The types of columns: what a value is called in each system."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Type:
    """One rung of the type ladder: what a value is called in each system."""

    noun: str
    arrow: pa.DataType
    glue: str
    trino: str
    snowflake: str


STRING = Type("text", pa.string(), "string", "varchar", "VARCHAR")
JSON = Type("a JSON value", pa.string(), "string", "varchar", "VARCHAR")
INTEGER = Type("a whole number of 64 bits", pa.int64(), "bigint", "bigint", "NUMBER(19, 0)")
BOOLEAN = Type("true or false", pa.bool_(), "boolean", "boolean", "BOOLEAN")
TIMESTAMP = Type(
    "an RFC 3339 timestamp with a zone, to the microsecond",
    pa.timestamp("us", "UTC"),
    "timestamp",
    "timestamp(3)",
    "TIMESTAMP_NTZ(6)",
)
DATE = Type("an ISO date", pa.date32(), "date", "date", "DATE")
MONEY = Type(
    "a decimal number with at most 26 digits before and 12 after the point",
    pa.decimal128(38, 12),
    "decimal(38,12)",
    "decimal(38,12)",
    "NUMBER(38, 12)",
)
DOUBLE = Type("a number", pa.float64(), "double", "double", "DOUBLE")
"""A ratio; only views have some: money is never a float."""
