"""JSON as this project reads it: numbers exact, and no member lost to a key that stands twice."""

import json
from collections.abc import Sequence
from decimal import Decimal, DecimalException
from typing import Any

import msgspec

from anthropic_lake.errors import redact

Object = dict[str, Any]
Text = bytes | bytearray | msgspec.Raw

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode
_encode_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted").encode
_ESCAPED_QUOTE = b"\\u0022"
_PART = 1 << 20
_REFUSED = (msgspec.MsgspecError, DecimalException, RecursionError, UnicodeDecodeError)


class InvalidJson(ValueError):
    """The text is not the JSON that was asked for."""


class DuplicateKey(InvalidJson):
    """A key stands twice in one object, so one of its values would be lost."""


def members(text: Text) -> dict[str, msgspec.Raw]:
    """Split the text of one object into the texts of its members."""
    try:
        found = _decode_members(text)
    except _REFUSED as error:
        raise InvalidJson(f"not a JSON object: {error}") from None
    names = b"".join(map(_encode, found))
    compact = (
        len("{}") + len(names) + sum(len(memoryview(raw)) + len(":,") for raw in found.values())
    )
    if len(memoryview(text)) != compact - len(","):  # else nothing can be lost
        _refuse_lost(text, _quotes(names) + sum(map(_quotes, found.values())))
    return found


def items(text: Text) -> list[msgspec.Raw]:
    """Split the text of one list into the texts of its items."""
    try:
        return _decode_items(text)
    except _REFUSED as error:
        raise InvalidJson(f"not a JSON list: {error}") from None


def values(texts: Sequence[Text]) -> list[Any]:
    """Read texts whole: whole numbers of any size as int, others as Decimal."""
    joined = b"[%b]" % b",".join(texts)
    try:
        found: list[Any] = _decode(joined)
        kept = _quotes(_encode(found))
    except _REFUSED as error:
        raise InvalidJson(str(error)) from None
    if len(found) != len(texts):
        raise InvalidJson("a text holds nothing, or several values")
    _refuse_lost(joined, kept)
    return found


def text_of(value: Any) -> str:  # noqa: ANN401
    """Write a value as compact JSON with sorted keys; decimals keep all their digits."""
    return _encode_sorted(value).decode()


def _refuse_lost(text: Text, kept: int) -> None:
    """Raise when the text holds a key twice, given the quotation marks in what was kept of it.

    A member that was dropped takes the quotation marks of its key with it, so fewer are kept than
    the text holds. That may have other causes, so then the text is looked at closely.
    """
    if _quotes(text) != kept:
        try:
            json.loads(bytes(text), object_pairs_hook=_unique)
        except (UnicodeDecodeError, RecursionError) as error:
            raise InvalidJson(str(error)) from None


def _quotes(text: Text) -> int:
    """Count quotation marks, escaped ones too, without a second copy of a large text."""
    view, count = memoryview(text), 0
    for start in range(0, len(view), _PART):
        part = bytes(view[start : start + _PART + len(_ESCAPED_QUOTE) - 1])
        count += part.count(b'"', 0, _PART)
        if b"\\" in part:
            count += part.count(_ESCAPED_QUOTE)
    return count


def _unique(pairs: list[tuple[str, Any]]) -> Object:
    """Build an object, refusing a key that stands twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DuplicateKey(f"the key {redact(twice)!r} stands twice in one object")
    return found
