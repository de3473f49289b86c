"""Anthropic Admin API data as a Parquet lake on S3 or on a local disk."""

__version__ = "0.1.0"
