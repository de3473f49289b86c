"""The Admin API over HTTP."""
