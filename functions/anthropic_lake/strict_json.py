r"""JSON without losses: exact numbers, and a key that stands twice in an object is an error.

How a lost member is noticed. msgspec keeps the last of two equal keys and drops the other member
without an error. The dropped key takes its quotation marks with it. So we count the quotation
marks in the text and in what was read from it. If both counts are equal, nothing is lost. The
count of the text may be too high, never too low: the letters `\u0022` count as a quotation mark
even after an escaped backslash. So different counts prove nothing, and then the standard library
reads the text again, slowly, and looks at every key.
"""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal, DecimalException
from typing import Any

import msgspec

from anthropic_lake.errors import redact

Object = dict[str, Any]
Text = bytes | bytearray | msgspec.Raw

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode
_encode_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted").encode
_QUOTE = b'"'
_ESCAPED_QUOTE = b"\\u0022"
_COUNTED_BYTES = 1 << 20
_DECODE_ERRORS = (msgspec.MsgspecError, DecimalException, RecursionError, UnicodeDecodeError)


class InvalidJson(ValueError):
    """The text is not JSON, or not of the expected kind."""


class DuplicateKey(InvalidJson):
    """A key stands twice in one object, so one of its values would be lost."""


def value(text: Text) -> Any:  # noqa: ANN401
    """Return the value of a text: whole numbers as int, other numbers as Decimal."""
    try:
        decoded = _decode(text)
        kept_quotes = _encode(decoded).count(_QUOTE)
    except _DECODE_ERRORS as error:
        raise InvalidJson(str(error)) from None
    _raise_if_lost(text, kept_quotes)
    return decoded


def members(text: Text) -> dict[str, msgspec.Raw]:
    """Split the text of an object into the texts of its members."""
    try:
        texts = _decode_members(text)
    except _DECODE_ERRORS as error:
        raise InvalidJson(f"not a JSON object: {error}") from None
    _raise_if_members_lost(text, _compact_size(texts), [texts])
    return texts


def objects(text: Text) -> list[dict[str, msgspec.Raw]]:
    """Split the text of a list of objects into the texts of their members."""
    try:
        texts = _decode_objects(text)
    except _DECODE_ERRORS as error:
        raise InvalidJson(f"not a JSON list of objects: {error}") from None
    compact_size = len("[") + sum(_compact_size(member_texts) + len(",") for member_texts in texts)
    _raise_if_members_lost(text, compact_size, texts)
    return texts


def elements(text: Text) -> list[msgspec.Raw]:
    """Split the text of a list into the texts of its elements."""
    try:
        return _decode_elements(text)
    except _DECODE_ERRORS as error:
        raise InvalidJson(f"not a JSON list: {error}") from None


def is_list(text: Text) -> bool:
    """Return whether the text of a value is the text of a list."""
    return bytes(memoryview(text)[:1]) == b"["


def joined(texts: Sequence[Text]) -> bytes:
    """Return the text of a list from the texts of its elements."""
    return b"[%b]" % b",".join(texts)


def parts(text: Text, size: int) -> Iterator[Text]:
    """Split the text of a list into texts of shorter lists, each of about `size` bytes."""
    length = len(memoryview(text))
    if length <= size:
        yield text
        return
    texts = elements(text)
    step = max(1, len(texts) * size // length)
    while texts:
        yield joined(texts[:step])
        del texts[:step]


def all_kept(text: Text, encoded: bytes) -> bool:
    """Return whether nothing is lost in `encoded`, which is the text read and encoded again.

    The encoded text has no white space and is never longer than its source, so a text of equal
    length has lost nothing.
    """
    return len(memoryview(text)) == len(encoded) or _quotes(text) == encoded.count(_QUOTE)


def text_of(value: Any) -> str:  # noqa: ANN401
    """Return a value as compact JSON with sorted keys; decimals keep all their digits."""
    return _encode_sorted(value).decode()


def _compact_size(texts: dict[str, msgspec.Raw]) -> int:
    """Return the size of an object without white space; an empty one counts one byte too few."""
    sizes = (len(_encode(name)) + len(memoryview(raw)) for name, raw in texts.items())
    return len("{") + sum(size + len(":,") for size in sizes)


def _raise_if_members_lost(
    text: Text, compact_size: int, texts: Sequence[dict[str, msgspec.Raw]]
) -> None:
    """Raise DuplicateKey if the text has a member that is not in `texts`.

    A text as long as its members without white space has lost none, and needs no counting. The
    raw texts are pieces of the text itself, so a count that is too high is so on both sides.
    """
    if len(memoryview(text)) != compact_size:
        kept_quotes = sum(
            _encode(name).count(_QUOTE) + _quotes(raw)
            for member_texts in texts
            for name, raw in member_texts.items()
        )
        _raise_if_lost(text, kept_quotes)


def _raise_if_lost(text: Text, kept_quotes: int) -> None:
    """Raise DuplicateKey if the text has more members than were kept of it."""
    if _quotes(text) != kept_quotes:
        try:
            # Numbers stay text: Python makes no int of more than 4,300 digits.
            json.loads(bytes(text), object_pairs_hook=_unique, parse_int=str, parse_float=str)
        except (UnicodeDecodeError, RecursionError) as error:
            raise InvalidJson(str(error)) from None


def _quotes(text: Text) -> int:
    """Count the quotation marks of a text, never too few, without a copy of a large text."""
    view, count = memoryview(text), 0
    for start in range(0, len(view), _COUNTED_BYTES):
        part = bytes(view[start : start + _COUNTED_BYTES + len(_ESCAPED_QUOTE) - 1])
        count += part.count(_QUOTE, 0, _COUNTED_BYTES)
        if b"\\" in part:
            count += part.count(_ESCAPED_QUOTE)
    return count


def _unique(pairs: list[tuple[str, Any]]) -> Object:
    """Return an object from its members; raise DuplicateKey if two have the same key."""
    decoded = dict(pairs)
    if len(decoded) != len(pairs):
        names = [name for name, _ in pairs]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise DuplicateKey(f"the key {redact(duplicate)!r} stands twice in one object")
    return decoded
