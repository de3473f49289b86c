"""The ways in which the Admin API hands out its pages."""

from enum import Enum


class Paging(Enum):
    """How an endpoint hands out its pages.

    Attributes:
        cursor: Name of the query parameter that asks for the next page, None where there is one.
        token: Name of the field of a page that holds its value.
    """

    NONE = (None, None)  # one bare object
    AFTER_ID = ("after_id", "last_id")  # the last id of a page asks for the next
    PAGE_TOKEN = ("page", "next_page")  # an opaque token does

    def __init__(self, cursor: str | None, token: str | None) -> None:
        self.cursor = cursor
        self.token = token
