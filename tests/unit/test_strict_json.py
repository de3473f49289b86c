"""JSON is read without losing a digit or a member."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake import strict_json
from anthropic_lake.strict_json import DuplicateKey, InvalidJson


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1", 1),
        (b"-9223372036854775809", -9223372036854775809),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"0.1", Decimal("0.1")),
        (b"1.10", Decimal("1.10")),
        (b"123.4567890123456789012345", Decimal("123.4567890123456789012345")),
        (b"1e3", Decimal("1e3")),
        (b"1E-30", Decimal("1E-30")),
        (b'"\\u00e9\\n\\""', 'é\n"'),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"null", None),
    ],
)
def test_a_value_keeps_every_digit(text: bytes, value: object) -> None:
    found = strict_json.value(text)
    assert found == value
    assert type(found) is type(value)
    assert str(found) == str(value)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"b":2,"a":3}',
        b'{"x":{"a":1,"a":2}}',
        b'{"x":[{"y":{"a":null,"a":null}}]}',
        b'[[{"a":1,"a":2}]]',
        b'{"a":1,"\\u0061":2}',
        b'{"q\\"":1,"q\\u0022":2}',
        b'{"":1,"":2}',
        b'{"a":"\\"","a":"\\""}',
        b'{"a":"\\u005cu0022\\u005cu0022","b":1,"b":2}',  # looks like two more when written again
    ],
)
def test_a_key_that_stands_twice_is_refused_at_every_level(text: bytes) -> None:
    with pytest.raises(DuplicateKey, match="stands twice"):
        strict_json.value(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"data":[],"data":[]}',
        b'{"a":"\\u0022","b":1,"a":2}',
        b'{"a":1,"a":' + b"1" * 5000 + b"}",
    ],
)
def test_a_page_whose_own_members_stand_twice_is_refused(text: bytes) -> None:
    with pytest.raises(DuplicateKey):
        strict_json.members(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"b":{"a":1}}',
        b'[{"a":1},{"a":1}]',
        b'{"a\\"b":"\\u0022","c":"\\\\u0022"}',
        b'{"\\u0061":1,"b":"\\u0061"}',
    ],
)
def test_escapes_and_equal_keys_of_different_objects_are_no_duplicates(text: bytes) -> None:
    assert strict_json.value(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b'{"a":}',
        b'{"a":1,}',
        b"[1",
        b"nul",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"01",
        b"1.",
        b".5",
        b"'a'",
        b'"a',
        b'"\x01"',
        b"{} {}",
        b"<html></html>",
        b'{"a":1}garbage',
        b'{"\xff":1}',
        b'{"a":"\xff","a":1}',
        b"[" * 100_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_not_json_is_named_so(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        strict_json.members(text)


@pytest.mark.parametrize(
    "text",
    [b"NaN", b"[1", b'{"a":"\xff"}', b'{"\xff":1}', b'"\xff"', b"[" * 100_000, b"1" * 5000],
)
def test_values_that_are_not_json_are_named_so(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        strict_json.value(text)


@pytest.mark.parametrize("number", [b"9" * 5000, b"-" + b"9" * 5000, b"1." + b"9" * 5000])
def test_a_number_of_thousands_of_digits_hides_no_key_that_stands_twice(number: bytes) -> None:
    members = b'{"a":%b,"a":1}' % number
    for read, text in (
        (strict_json.value, members),
        (strict_json.members, members),
        (strict_json.objects, b"[%b]" % members),
    ):
        with pytest.raises(InvalidJson):
            read(text)


@pytest.mark.parametrize("text", [b"[]", b"1", b'"a"', b"null", b"true"])
def test_members_are_those_of_an_object_only(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        strict_json.members(text)


@pytest.mark.parametrize("text", [b"{}", b"1", b"null"])
def test_elements_are_those_of_a_list_only(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        strict_json.elements(text)


@pytest.mark.parametrize("text", [b"{}", b"1", b"null", b"[1]", b"[[]]", b"[{}", b"[{1:2}]"])
def test_objects_are_those_of_a_list_of_objects_only(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        strict_json.objects(text)


@pytest.mark.parametrize("text", [b"[]", b"[{}]", b'[{"a":1},{},{"b":"\\""}]', b'[ {"a" :1 } ]'])
def test_objects_are_the_texts_of_their_members(text: bytes) -> None:
    found = [{name: bytes(raw) for name, raw in each.items()} for each in strict_json.objects(text)]
    assert found == [
        {name: json.dumps(value).encode() for name, value in each.items()}
        for each in json.loads(text)
    ]


@pytest.mark.parametrize(
    "text", [b'[{"a":1,"a":1}]', b'[{},{"a":1 , "a":2}]', b'[{"\\u0061":"","a":1}]']
)
def test_a_key_that_stands_twice_in_one_of_the_objects_is_named(text: bytes) -> None:
    with pytest.raises(DuplicateKey, match="'a' stands twice"):
        strict_json.objects(text)


@given(
    sizes=st.lists(st.integers(0, 30), max_size=12), size=st.integers(1, 100), compact=st.booleans()
)
def test_the_parts_of_a_list_are_its_items_in_order(
    sizes: list[int], size: int, compact: bool
) -> None:
    items = ["x" * each for each in sizes]
    text = json.dumps(items, separators=(",", ":") if compact else None).encode()
    parts = list(strict_json.parts(text, size))
    assert [item for part in parts for item in json.loads(bytes(part))] == items
    assert (len(parts) == 1) or len(text) > size


@pytest.mark.parametrize(
    ("text", "again", "kept"),
    [
        (b'{"a":1}', b'{"a":1}', True),
        (b'{"a": 1}', b'{"a":1}', True),
        (b'{"a":"\\u0022"}', b'{"a":"\\""}', True),
        (b'{"a":1,"a":1}', b'{"a":1}', False),
        (b'{"a": "\\u0022","a":""}', b'{"a":"\\""}', False),
    ],
)
def test_what_was_lost_shows_when_it_is_written_again(
    text: bytes, again: bytes, kept: bool
) -> None:
    assert strict_json.all_kept(text, again) == kept


def test_members_and_elements_are_the_texts_themselves() -> None:
    members = strict_json.members(b'{"data": [ {"a": 1.10} , 2 ], "has_more": true}')
    assert [bytes(text) for text in strict_json.elements(members["data"])] == [b'{"a": 1.10}', b"2"]
    assert bytes(members["has_more"]) == b"true"


def test_a_large_page_with_escapes_at_its_seams_is_read() -> None:
    texts = ['\\u0022"' * 7 + "x" * length for length in range(1, 2000, 7)] * 8
    assert strict_json.value(json.dumps(texts).encode()) == texts


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=20,
)


@given(value=PLAIN, ascii_only=st.booleans())
def test_any_value_is_read_as_the_standard_library_reads_it(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert strict_json.value(text) == value
    assert json.loads(strict_json.text_of(value)) == value


@given(
    names=st.lists(st.text(max_size=3), min_size=1, max_size=6),
    ascii_only=st.booleans(),
    depth=st.integers(0, 3),
)
def test_a_key_stands_twice_or_the_object_is_read(
    names: list[str], ascii_only: bool, depth: int
) -> None:
    pairs = (f"{json.dumps(name, ensure_ascii=ascii_only)}: 1" for name in names)
    text = ('{"x": [' * depth + "{" + ",".join(pairs) + "}" + "]}" * depth).encode()
    if len(set(names)) == len(names):
        assert strict_json.value(text) == json.loads(text)
    else:
        with pytest.raises(DuplicateKey):
            strict_json.value(text)


def test_text_of_is_compact_sorted_and_exact() -> None:
    value = {"b": Decimal("1.10"), "a": ["é", None, {"z": 1, "y": True}]}
    assert strict_json.text_of(value) == '{"a":["é",null,{"y":true,"z":1}],"b":1.10}'
