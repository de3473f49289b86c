"""The ways in which the Admin API hands out its pages, and walks over them that trust no page."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from msgspec import Raw

from anthropic_lake import strict_json
from anthropic_lake.errors import ContractBroken

Params = Sequence[tuple[str, str]]

_RECOGNIZED_BY = 1 << 20  # bytes of a page: all of it, but for time buckets, which are in order


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


@dataclass(frozen=True)
class Origin:
    """Where records come from.

    Args:
        request_id: The vendor's id of the request.
        organization_id: The organization that the key belongs to, None when it was not said.
    """

    request_id: str | None
    organization_id: str | None


@dataclass(frozen=True)
class Answer:
    """A successful answer: its JSON object, the texts of its members, and where it comes from."""

    body: Raw
    members: dict[str, Raw]
    origin: Origin


@dataclass(frozen=True)
class Page:
    """One page: the text of the list of its records, and where they come from."""

    data: strict_json.Text
    origin: Origin


class Walk(Iterator[Page]):
    """A walk over the pages of an endpoint, which keeps none of them.

    Args:
        ask: Asks for the page that a cursor stands for, the first where it is empty.
        paging: How the endpoint hands out its pages.
        asset: Name of the asset, for messages.
    """

    def __init__(self, ask: Callable[[Params], Answer], paging: Paging, asset: str) -> None:
        self._ask = ask
        self._paging = paging
        self._asset = asset
        self._cursor: Params | None = ()
        self._seen: set[object] = set()

    def __next__(self) -> Page:
        """Ask for the next page and check all of its contract before any of it is used.

        Raises:
            ApiError: There is none, or it breaks the contract.
        """
        if self._cursor is None:
            raise StopIteration
        answer = self._ask(self._cursor)
        if self._paging.cursor is None or self._paging.token is None:
            self._cursor = None
            return Page(strict_json.joined([answer.body]), answer.origin)
        data = self._data(answer)
        token = self._token(answer, self._paging.token)
        self._refuse_repetition(answer, data, token)
        self._cursor = None if token is None else [(self._paging.cursor, token)]
        return Page(data, answer.origin)

    def _data(self, answer: Answer) -> Raw:
        """Give the text of the list of a page's records."""
        if "data" not in answer.members:
            raise self._broken("the page has no data", "data", answer)
        data = answer.members["data"]
        if not strict_json.is_list(data):
            raise self._broken("expected a list", "data", answer)
        return data

    def _token(self, answer: Answer, name: str) -> str | None:
        """Give the token of the next page, None on the last one."""
        more, token = (self._member(answer, field) for field in ("has_more", name))
        if not isinstance(more, bool):
            raise self._broken("expected true or false", "has_more", answer)
        if not more:
            return None
        if not isinstance(token, str) or not token:
            raise self._broken("has_more is true and there is no token to go on with", name, answer)
        return token

    def _member(self, answer: Answer, name: str) -> Any:  # noqa: ANN401
        """Read one member of an answer."""
        try:
            return strict_json.value(answer.members.get(name, b"null"))
        except strict_json.InvalidJson as error:
            raise self._broken(str(error), name, answer) from None

    def _refuse_repetition(self, answer: Answer, data: Raw, token: str | None) -> None:
        """Raise when a walk goes in circles; a page without records may come twice."""
        text = memoryview(data)
        mark = (len(text), hashlib.sha256(text[:_RECOGNIZED_BY]).digest())
        marks = {token, mark if len(text) > len("[]") else None} - {None}
        if marks & self._seen:
            raise self._broken("a page or its token came twice in one walk", None, answer)
        self._seen |= marks

    def _broken(self, problem: str, field: str | None, answer: Answer) -> ContractBroken:
        """Name what is wrong with an answer."""
        return ContractBroken(
            problem, asset=self._asset, field=field, request_id=answer.origin.request_id
        )
