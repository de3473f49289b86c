"""How the Admin API hands out its pages, and a walk over them that checks every page."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from msgspec import Raw

from anthropic_lake import strict_json
from anthropic_lake.errors import BadRequest, ContractBroken, CursorExpired

Params = Sequence[tuple[str, str]]

_PAGE_FIELDS = {"data", "has_more", "next_page", "first_id", "last_id"}
# Two pages are the same if they have the same size and the same first bytes. Only pages of time
# buckets are larger than this; their order is checked when they are read.
_COMPARED_BYTES = 1 << 20

# A report's page holds up to 31 days, so 100 empty pages are more days than the API has had; a
# list that is filtered gives some.
_MAX_EMPTY_PAGES = 100


class Paging(Enum):
    """How an endpoint hands out its pages.

    Attributes:
        cursor: Query parameter that asks for the next page; None if there is only one page.
        token: Field of a page that holds the value of this parameter.
        requires_has_more: Whether each page must say if another one follows.
    """

    NONE = (None, None)  # the answer is one bare object
    AFTER_ID = ("after_id", "last_id")  # the last id of a page asks for the next page
    PAGE_TOKEN = ("page", "next_page")  # an opaque token asks for the next page
    TOKEN_ALONE = ("page", "next_page", False)  # the same; without has_more, the token says it

    def __init__(
        self, cursor: str | None, token: str | None, requires_has_more: bool = True
    ) -> None:
        self.cursor = cursor
        self.token = token
        self.requires_has_more = requires_has_more


@dataclass(frozen=True)
class Origin:
    """The answer that records come from.

    Args:
        request_id: The vendor's id of the request.
        organization_id: The organization that the key belongs to; None if the answer does not
            name it.
    """

    request_id: str | None
    organization_id: str | None


@dataclass(frozen=True)
class Answer:
    """A successful answer: the text of a JSON object, and the texts of its members."""

    body: Raw
    members: dict[str, Raw]
    origin: Origin


@dataclass(frozen=True)
class Page:
    """One page: the text of the list of its records, where they come from, and other fields.

    Args:
        fields: What stands beside the list and is no part of any way of paging.
    """

    data: strict_json.Text
    origin: Origin
    fields: Mapping[str, Any] = field(default_factory=dict)


class Walk(Iterator[Page]):
    """A walk over the pages of an endpoint. It keeps no page.

    Args:
        ask: Sends the request for one page; its argument is empty for the first page.
        paging: How the endpoint hands out its pages.
        asset: Name of the asset, for messages.
    """

    def __init__(self, ask: Callable[[Params], Answer], paging: Paging, asset: str) -> None:
        self._ask = ask
        self._paging = paging
        self._asset = asset
        self._cursor: Params | None = ()
        self._seen: set[object] = set()
        self._empty_pages = 0

    def __next__(self) -> Page:
        """Return the next page, after its contract is checked.

        Raises:
            ApiError: The page does not come, or it breaks the contract.
        """
        if self._cursor is None:
            raise StopIteration
        answer = self._answer(self._cursor)
        if self._paging.cursor is None or self._paging.token is None:
            self._cursor = None
            return Page(strict_json.joined([answer.body]), answer.origin)
        data = self._data(answer)
        token = self._token(answer, self._paging.token)
        self._refuse_repetition(answer, data, token)
        self._refuse_emptiness(answer, data)
        self._cursor = None if token is None else [(self._paging.cursor, token)]
        names = [name for name in answer.members if name not in _PAGE_FIELDS]
        fields = {name: self._member(answer, name) for name in names}
        return Page(data, answer.origin, fields)

    def _answer(self, cursor: Params) -> Answer:
        """Return the answer for a page; without a token, none can have expired."""
        try:
            return self._ask(cursor)
        except CursorExpired as refusal:
            if cursor:
                raise
            raise BadRequest(
                f"{self._asset}: HTTP {refusal.status} for a page without a token: the request "
                f"cannot succeed as it is (request {refusal.request_id})",
                status=refusal.status,
                request_id=refusal.request_id,
            ) from None

    def _data(self, answer: Answer) -> Raw:
        """Return the text of the list of a page's records."""
        if "data" not in answer.members:
            raise self._broken("the page has no data", "data", answer)
        data = answer.members["data"]
        if not strict_json.is_list(data):
            raise self._broken("expected a list", "data", answer)
        return data

    def _token(self, answer: Answer, name: str) -> str | None:
        """Return the token of the next page, None on the last page."""
        has_more, token = (self._member(answer, field) for field in ("has_more", name))
        if has_more is None and not self._paging.requires_has_more:
            has_more = token not in (None, "")
        if not isinstance(has_more, bool):
            raise self._broken("expected true or false", "has_more", answer)
        if not has_more:
            return None
        if not isinstance(token, str) or not token:
            raise self._broken("another page follows, and no token asks for it", name, answer)
        return token

    def _member(self, answer: Answer, name: str) -> Any:  # noqa: ANN401
        """Return the value of one member of an answer."""
        try:
            return strict_json.value(answer.members.get(name, b"null"))
        except strict_json.InvalidJson as error:
            raise self._broken(str(error), name, answer) from None

    def _refuse_repetition(self, answer: Answer, data: Raw, token: str | None) -> None:
        """Raise ContractBroken if the walk goes in circles; empty pages may repeat."""
        page_text = memoryview(data)
        digest = (len(page_text), hashlib.sha256(page_text[:_COMPARED_BYTES]).digest())
        marks = {token, digest if len(page_text) > len("[]") else None} - {None}
        if marks & self._seen:
            raise self._broken("a page or its token came twice in one walk", None, answer)
        self._seen |= marks

    def _refuse_emptiness(self, answer: Answer, data: Raw) -> None:
        """Raise ContractBroken if too many pages in a row were empty."""
        is_empty = len(memoryview(data)) == len("[]")
        self._empty_pages = self._empty_pages + 1 if is_empty else 0
        if self._empty_pages > _MAX_EMPTY_PAGES:
            problem = f"more than {_MAX_EMPTY_PAGES} pages in a row are empty"
            raise self._broken(problem, "data", answer)

    def _broken(self, problem: str, field: str | None, answer: Answer) -> ContractBroken:
        """Return the error that names what is wrong with an answer."""
        return ContractBroken(
            problem, asset=self._asset, field=field, request_id=answer.origin.request_id
        )
