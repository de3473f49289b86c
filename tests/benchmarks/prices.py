"""AWS's public list prices, on demand, us-east-1, before any free tier.

AWS's own pages were out of reach when they were noted; public descriptions of 2026 say the same.
"""

from __future__ import annotations

from dataclasses import dataclass

AS_OF = "2026-11"


@dataclass(frozen=True)
class Price:
    """What something costs.

    Args:
        usd: Price in USD.
        unit: Of what.
    """

    usd: float
    unit: str


PRICES = {
    "lambda_gb_second_arm": Price(0.0000133334, "GB-second of Lambda on arm64"),
    "lambda_request": Price(0.20 / 1e6, "invocation of Lambda"),
    "schedule": Price(1.00 / 1e6, "invocation by EventBridge Scheduler"),
    "s3_put": Price(0.005 / 1e3, "PUT of S3 Standard"),
    "s3_head": Price(0.0004 / 1e3, "HEAD or GET of S3 Standard"),
    "s3_gb_month": Price(0.023, "GB-month of S3 Standard"),
    "secret_month": Price(0.40, "secret and month of Secrets Manager"),
    "secret_read": Price(0.05 / 1e4, "read of a secret"),
    "log_gb": Price(0.50, "GB of logs taken in by CloudWatch"),
    "metric_month": Price(0.30, "custom metric and month of CloudWatch, by the hour with data"),
    "alarm_month": Price(0.10, "alarm and month of CloudWatch"),
    "athena_tb": Price(5.00, "TB scanned by Athena, 10 MB a query at least"),
}
