"""A person is one pseudonym wherever the person stands, and nothing leads back without the key."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake import strict_json
from anthropic_lake.api.credential import read_pseudonym_key
from anthropic_lake.assets import ASSETS, Asset
from anthropic_lake.errors import LakeError, SecretError, redact
from anthropic_lake.query.catalog import TABLES
from anthropic_lake.rows.general import GeneralRecords
from anthropic_lake.rows.pseudonyms import Pseudonyms
from anthropic_lake.rows.reader import _rows, read_rows
from anthropic_lake.rows.typed import typed_records
from anthropic_lake.schema.table import Column, Table
from anthropic_lake.schema.types import JSON, STRING
from tests.unit.feeding import samples

Json = dict[str, Any]
KEY = "0123456789abcdef0123456789abcdef"
ALICE = "p_841240d2a5b6654b"
"""Of alice@example.com, by `openssl dgst -sha256 -hmac KEY`."""
PSEUDONYM = re.compile(r"p_[0-9a-f]{16}")
PSEUDONYMS = Pseudonyms(KEY)
PEOPLE = Table(
    "people",
    "One person.",
    key=(Column("id", STRING, "Identifier."),),
    columns=(
        Column("email", STRING, "Address.", path="person.email_address", personal=True),
        Column("key", STRING, "Key.", personal=True, personal_start="claude_code_key_"),
        Column("note", STRING, "Free text."),
        Column("tags", JSON, "Map."),
    ),
)


def hidden(**fields: Any) -> Json:
    """The row of a record, with pseudonyms."""
    text = json.dumps([{"id": "1", **fields}]).encode()
    (rows,) = read_rows((PEOPLE,), text, {})
    (row,) = PSEUDONYMS.of_rows(PEOPLE, rows.tables[0]).to_pylist()
    return dict(row)


def hmac_by_hand(key: bytes, message: bytes) -> str:
    """RFC 2104, for a key that is no longer than a block."""
    inner, outer = (bytes(byte ^ pad for byte in key.ljust(64, b"\0")) for pad in (0x36, 0x5C))
    return hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).hexdigest()


# --- the pseudonym


def test_a_pseudonym_is_16_digits_of_the_hmac_of_the_name_in_lower_case() -> None:
    assert PSEUDONYMS.of("alice@example.com") == ALICE
    assert PSEUDONYMS.of("Alice@EXAMPLE.com") == ALICE
    assert (
        PSEUDONYMS.of("Ærø Ibáñez") == "p_" + hmac_by_hand(KEY.encode(), "ærø ibáñez".encode())[:16]
    )


def test_another_key_is_another_pseudonym_and_another_mark() -> None:
    other = Pseudonyms(KEY.upper())
    assert other.of("alice@example.com") != ALICE
    assert other.mark != PSEUDONYMS.mark == PSEUDONYMS.of("anthropic-lake")


def test_white_space_around_the_key_is_not_part_of_it() -> None:
    assert Pseudonyms(f"\n {KEY}\r\n").of("alice@example.com") == ALICE


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "there is no pseudonym key"),
        (" \n", "there is no pseudonym key"),
        ("Hidden", "fewer than 32 characters"),
        ("Hidden-Hidden-Hidden-Hidden-Hid", "fewer than 32 characters"),
    ],
)
def test_a_key_that_is_missing_or_short_is_refused_with_what_to_do(key: str, message: str) -> None:
    with pytest.raises(SecretError, match=rf"{message}.*openssl rand -hex 32") as caught:
        Pseudonyms(key)
    assert "pseudonym_key" in str(caught.value)
    assert "PSEUDONYM_KEY" in str(caught.value)
    assert "Hidden" not in str(caught.value)


def test_no_message_shows_the_key() -> None:
    key = "Zq7+vW/xT3rB9-kLm_8nYc=5uJdPf2aH"
    pseudonyms = Pseudonyms(key)
    for text in (str(LakeError(f"no {key}")), redact(f"no {key[:20]}"), repr(pseudonyms)):
        assert not any(key[start : start + 8] in text for start in range(len(key) - 7))


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        (json.dumps({"api_key": "sk-ant-admin01-x", "pseudonym_key": KEY}), KEY),
        (f"\n {json.dumps({'auth_token': 'x', 'pseudonym_key': KEY})} ", KEY),
        (json.dumps({"api_key": "sk-ant-admin01-x"}), ""),
        ("sk-ant-admin01-x", ""),
        ("", ""),
    ],
)
def test_the_key_stands_in_the_secret_beside_the_credential(secret: str, key: str) -> None:
    assert read_pseudonym_key(secret) == key


@pytest.mark.parametrize("value", [5, None, ["Hidden"]])
def test_a_key_that_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(SecretError, match="pseudonym_key in the secret is not a text") as caught:
        read_pseudonym_key(json.dumps({"api_key": "Hidden", "pseudonym_key": value}))
    assert "Hidden" not in str(caught.value)


# --- the columns


def test_what_names_a_person_is_replaced_and_null_stays_null() -> None:
    row = hidden(person={"email_address": "Alice@Example.com"}, note="by the team")
    assert row["email"] == ALICE
    assert row["note"] == "by the team"
    assert hidden()["email"] is hidden()["key"] is hidden()["tags"] is hidden()["extra"] is None


def test_only_keys_made_for_a_person_name_a_person() -> None:
    assert hidden(key="claude_code_key_ada_x1y2")["key"] == "p_403c90b963a1bd55"
    assert hidden(key="Claude_Code_Key_ADA_x1y2")["key"] == "p_403c90b963a1bd55"
    assert hidden(key="Research / production")["key"] == "Research / production"
    assert hidden(key="alice@example.com laptop")["key"] == f"{ALICE} laptop"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice@example.com", ALICE),
        ("ask Alice@Example.COM.", f"ask {ALICE}."),
        ("<alice@example.com>, 'alice@example.com'", f"<{ALICE}>, '{ALICE}'"),
        ("mailto:alice@example.com?subject=x", f"mailto:{ALICE}?subject=x"),
        (
            "arn:aws:sts::1:assumed-role/R/alice@example.com",
            f"arn:aws:sts::1:assumed-role/R/{ALICE}",
        ),
        ("owner=alice@example.com;", f"owner={ALICE};"),
        ("ny.kollega+7@mail.example.co.uk", PSEUDONYMS.of("ny.kollega+7@mail.example.co.uk")),
        ("björk@exämple.is", PSEUDONYMS.of("björk@exämple.is")),
        ("claude-opus-4@20250514", "claude-opus-4@20250514"),
        ("@team and a @ b.c", "@team and a @ b.c"),
        ("", ""),
    ],
)
def test_addresses_in_a_text_are_replaced_and_nothing_else(text: str, expected: str) -> None:
    assert hidden(note=text)["note"] == expected
    assert json.loads(hidden(tags={"a": [text]})["tags"]) == {"a": [expected]}
    assert json.loads(hidden(new=text)["extra"]) == {"new": expected}


def test_json_keeps_everything_but_who_is_named() -> None:
    tags = {"b": 1.50, "a": [None, True, "\n\talice@example.com\\"], "big": 10**30}
    text = hidden(tags=tags)["tags"]
    assert text == ('{"a":[null,true,"\\n\\t' + ALICE + '\\\\"],"b":1.5,"big":' + str(10**30) + "}")


def test_the_names_of_fields_are_texts_too() -> None:
    tags = hidden(tags={"alice@example.com": {"alice@example.com": 1}})["tags"]
    assert json.loads(tags) == {ALICE: {ALICE: 1}}
    extra = json.loads(hidden(person={"alice.b@example.com": 1, "a\\b": "x@y.z"})["extra"])
    assert extra == {
        f"person.{PSEUDONYMS.of('alice.b@example.com')}": 1,
        "person.a\\\\b": PSEUDONYMS.of("x@y.z"),
    }


def test_a_field_called_as_one_that_names_a_person_does_so_in_json_too() -> None:
    row = hidden(
        person={"email_address": None, "also": {"email_address": "no address"}},
        tags={"key": "claude_code_key_ada_x1y2", "keys": ["plain"]},
        other={"key": ["Claude_Code_Key_Ada_X1Y2", "production"], "email_address": 5},
    )
    whole = PSEUDONYMS.of("no address")
    assert json.loads(row["extra"]) == {
        "other": {"email_address": 5, "key": ["p_403c90b963a1bd55", "production"]},
        "person.also": {"email_address": whole},
    }
    assert json.loads(row["tags"]) == {"key": "p_403c90b963a1bd55", "keys": ["plain"]}


values = st.recursive(
    st.emails() | st.text(max_size=5) | st.none() | st.integers(-5, 5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.emails() | st.text(min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    fields=st.dictionaries(st.emails() | st.sampled_from(["note2", "a.b"]), values, max_size=3),
    note=st.emails(),
    tags=values,
)
def test_no_address_is_left_wherever_it_stands(fields: Json, note: str, tags: object) -> None:
    row = hidden(**{**fields, "note": f"see {note}", "tags": tags})
    sent = json.dumps([fields, note, tags], ensure_ascii=False)
    text = json.dumps(row, ensure_ascii=False)
    for address in re.findall(r'[^\s"\\,]+@[\w.-]+\.[\w-]+', sent):
        assert address not in text


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", ["a" * 10**6 + "@", "@a." * 300_000, "a@" * 500_000, "@" * 10**6])
def test_no_text_takes_long(text: str) -> None:
    assert hidden(note=text)["note"] is not None


# --- the way of a row


class Counted(Pseudonyms):
    """Pseudonyms that count what they hash."""

    def __init__(self, key: str) -> None:
        self.hashed = Counter[str]()
        super().__init__(key)

    def of(self, name: str) -> str:
        self.hashed[name] += 1
        return super().of(name)


def test_each_distinct_value_of_a_column_is_hashed_once() -> None:
    counted = Counted(KEY)
    counted.hashed.clear()
    rows = pa.Table.from_pylist(
        [{"id": str(n), "email": f"p{n % 3}@example.com"} for n in range(1000)],
        schema=PEOPLE.schema,
    )
    after = counted.of_rows(PEOPLE, rows)
    assert counted.hashed == {f"p{n}@example.com": 1 for n in range(3)}
    assert after["email"].to_pylist()[:4] == [
        PSEUDONYMS.of(f"p{n}@example.com") for n in (0, 1, 2, 0)
    ]
    assert after.schema == rows.schema


def test_no_rows_stay_no_rows() -> None:
    empty = PEOPLE.schema.empty_table()
    assert PSEUDONYMS.of_rows(PEOPLE, empty).equals(empty)


@pytest.mark.parametrize("asset", [ASSETS["users"], ASSETS["claude_code_usage"]])
def test_both_ways_of_reading_give_equal_rows_with_pseudonyms(asset: Asset) -> None:
    text = json.dumps(samples()[asset.name]["data"]).encode()
    typed = typed_records(asset.tables, text, {})
    assert typed
    ways = [
        _rows(asset.tables, way, None) for way in (typed, GeneralRecords(strict_json.value(text)))
    ]
    for number, table in enumerate(asset.tables):
        fast, general = (PSEUDONYMS.of_rows(table, way.tables[number]) for way in ways)
        assert fast.equals(general)
        assert fast.num_rows


# --- the declarations

SUGGESTS_A_PERSON = re.compile(r"^(name|\w+_name|\w*email\w*) |E-mail|Name of|[Pp]erson|people")
NAMES_NO_PERSON = {
    ("organization", "name"),
    ("workspaces", "name"),
    ("invites", "role"),  # "Role that the person gets"
    ("invites", "invited_at"),
    ("invites", "rbac_group_ids"),
    ("claude_code_usage", "actor_type"),  # "a person who signed in"
    ("claude_code_model_usage", "actor_type"),
    ("rate_limits", "group_display_name"),
}


def test_every_column_that_sounds_like_a_person_is_declared_personal() -> None:
    assets = [table for asset in ASSETS.values() for table in asset.tables]
    for table in assets:
        for column in table.all_columns[: -1 - len(table.later_columns)]:  # all but extra
            sounds = SUGGESTS_A_PERSON.search(f"{column.name} {column.comment}")
            if sounds and (table.name, column.name) not in NAMES_NO_PERSON:
                assert column.personal, (table.name, column.name)


def test_these_columns_name_people() -> None:
    personal = {(t.name, column.name) for t in TABLES for column in t.personal_columns}
    assert personal >= {
        ("analytics_cost", "actor_email_address"),
        ("analytics_cost", "actor_name"),
        ("analytics_usage", "actor_email_address"),
        ("analytics_usage", "actor_name"),
        ("api_keys", "name"),
        ("claude_code_model_usage", "actor_api_key_name"),
        ("claude_code_model_usage", "actor_email_address"),
        ("claude_code_usage", "actor_api_key_name"),
        ("claude_code_usage", "actor_email_address"),
        ("invites", "email"),
        ("users", "email"),
        ("users", "name"),
    }
    assert all(column.type is STRING for t in TABLES for column in t.personal_columns)
