"""SQL in a deployed stack: Athena through boto3, its result paged into Arrow."""

import difflib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from anthropic_lake.errors import LakeError, QueryError, SettingsError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import ColumnInfoTypeDef, QueryExecutionTypeDef, RowTypeDef

USD_PER_TB = Decimal(5)
"""Price of a terabyte scanned, on demand, in most regions, as of November 2026."""

LEAST_MB_CHARGED = 10
"""A query that scans less is charged as this much; more is rounded up to whole megabytes."""

_MB = 1 << 20
_TB = 1 << 40
_POLL_SECONDS = (0.2, 0.4, 0.8)
_ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}
_ARROW = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),  # the lake's times are UTC and Athena drops the zone
}
