"""JSON as this project reads it: numbers exact, and no member lost to a key that stands twice."""

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


def value(text: Text) -> Any:  # noqa: ANN401
    """Read a text whole: whole numbers of any size as int, others as Decimal."""
    try:
        found = _decode(text)
        kept = _quotes(_encode(found))
    except _REFUSED as error:
        raise InvalidJson(str(error)) from None
    _refuse_lost(text, kept)
    return found


def members(text: Text) -> dict[str, msgspec.Raw]:
    """Split the text of one object into the texts of its members."""
    try:
        found = _decode_members(text)
    except _REFUSED as error:
        raise InvalidJson(f"not a JSON object: {error}") from None
    _refuse_lost_members(text, _compact_size(found), [found])
    return found


def objects(text: Text) -> list[dict[str, msgspec.Raw]]:
    """Split the text of one list of objects into the texts of their members."""
    try:
        found = _decode_objects(text)
    except _REFUSED as error:
        raise InvalidJson(f"not a JSON list of objects: {error}") from None
    compact = len("[") + sum(_compact_size(each) + len(",") for each in found)
    _refuse_lost_members(text, compact, found)
    return found


def is_list(text: Text) -> bool:
    """Tell whether the text of one value is that of a list."""
    return bytes(memoryview(text)[:1]) == b"["


def items(text: Text) -> list[msgspec.Raw]:
    """Split the text of one list into the texts of its items."""
    try:
        return _decode_items(text)
    except _REFUSED as error:
        raise InvalidJson(f"not a JSON list: {error}") from None


def joined(texts: Sequence[Text]) -> bytes:
    """Put the texts of items together to that of their list."""
    return b"[%b]" % b",".join(texts)


def parts(text: Text, size: int) -> Iterator[Text]:
    """Split the text of one list into texts of lists of about so many bytes, if it is longer."""
    length = len(memoryview(text))
    if length <= size:
        yield text
        return
    found = items(text)
    step = max(1, len(found) * size // length)
    while found:
        yield joined(found[:step])
        del found[:step]


def all_kept(text: Text, again: bytes) -> bool:
    """Tell whether a text that was read and written again has all its members still."""
    return len(memoryview(text)) == len(again) or _quotes(text) == _quotes(again)


def text_of(value: Any) -> str:  # noqa: ANN401
    """Write a value as compact JSON with sorted keys; decimals keep all their digits."""
    return _encode_sorted(value).decode()


def _compact_size(found: dict[str, msgspec.Raw]) -> int:
    """Give the size of an object, that has members, when it is written without white space."""
    sizes = (len(_encode(name)) + len(memoryview(raw)) for name, raw in found.items())
    return len("{") + sum(size + len(":,") for size in sizes)


def _refuse_lost_members(text: Text, compact: int, found: Sequence[dict[str, msgspec.Raw]]) -> None:
    """Raise when a text, of this size without white space, holds more than was found in it."""
    if len(memoryview(text)) != compact:
        names = sum(_quotes(_encode(name)) for each in found for name in each)
        _refuse_lost(text, names + sum(_quotes(raw) for each in found for raw in each.values()))


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
