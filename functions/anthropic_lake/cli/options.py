"""Options that several commands share."""

from datetime import date
from typing import Any

import click

from anthropic_lake.utc import parse_day


class DayType(click.ParamType[date]):
    """An option's value that is a day, written as YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:  # noqa: ANN401  as in click
        """Return the day, or fail with a message."""
        try:
            return value if isinstance(value, date) else parse_day(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


secret_option = click.option(
    "--secret", metavar="ARN", help="Secret of the admin key in AWS Secrets Manager."
)
