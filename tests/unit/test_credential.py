"""A secret holds one credential, and no message ever shows it."""

import json
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from anthropic_lake.api.credential import Credential
from anthropic_lake.errors import LakeError, SecretError, redact

KEY = "sk-ant-admin01-Very_Secret-1"
TOKEN = "oat-Very.Secret-2"


def header(secret: str) -> dict[str, str]:
    request = requests.Request("GET", "https://api.anthropic.com").prepare()
    return dict(Credential(secret)(request).headers)


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        f"  {KEY}\n",
        json.dumps({"api_key": KEY}),
        json.dumps({"api_key": f" {KEY}\r\n"}),
        json.dumps({"api_key": KEY, "note": "made in May"}),
        f"\n {json.dumps({'api_key': KEY}, indent=2)} \n",
    ],
)
def test_an_admin_key_is_sent_as_x_api_key(secret: str) -> None:
    assert header(secret) == {"x-api-key": KEY}


def test_an_oauth_token_is_sent_as_a_bearer() -> None:
    assert header(json.dumps({"auth_token": f" {TOKEN} "})) == {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("", "there is no admin key"),
        (" \n", "there is no admin key"),
        ("sk-ant-api03-VerySecret", "does not start with sk-ant-admin"),
        ("VerySecret", "does not start with sk-ant-admin"),
        ('"sk-ant-admin01-VerySecret"', "does not start with sk-ant-admin"),
        (json.dumps({"api_key": "sk-ant-api03-VerySecret"}), "does not start"),
        (json.dumps({"api_key": KEY, "auth_token": TOKEN}), "has 2 of api_key and auth_token"),
        (json.dumps({"key": "VerySecret"}), "has 0 of api_key and auth_token"),
        ("{}", "has 0 of"),
        ("{VerySecret", "not valid JSON"),
        (f'{{"api_key": "{KEY}", "api_key": "{KEY}"}}', "not valid JSON"),
        (json.dumps({"api_key": 5}), "api_key in the secret is not a text"),
        (json.dumps({"auth_token": None}), "auth_token in the secret is not a text"),
        (json.dumps({"auth_token": "  "}), "auth_token in the secret is not a text"),
        (f"{KEY} {KEY}", "characters that no key has"),
        (f"{KEY}\nx-evil: VerySecret", "characters that no key has"),
        (f"{KEY}é", "characters that no key has"),
        (json.dumps({"auth_token": "a\r\nb: VerySecret"}), "characters that no key has"),
    ],
)
def test_anything_else_is_refused_without_being_shown(secret: str, message: str) -> None:
    with pytest.raises(SecretError, match=message) as caught:
        Credential(secret)
    assert "Secret-" not in str(caught.value)
    assert "VerySecret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_message_says_what_to_store() -> None:
    with pytest.raises(SecretError, match=r"store an admin key .* or JSON"):
        Credential("nonsense")


def test_the_same_secret_is_the_same_credential() -> None:
    assert Credential(KEY) == Credential(json.dumps({"api_key": KEY}))
    assert Credential(KEY) != Credential(KEY + "x")
    assert Credential(KEY) != Credential(json.dumps({"auth_token": KEY}))


@pytest.mark.parametrize(
    "text", [f"invalid key {KEY}", "no user ada.o'neil+x@example.com.", "<ada@example.com>"]
)
def test_foreign_texts_lose_keys_and_addresses(text: str) -> None:
    found = redact(text)
    assert "Very" not in found
    assert "example.com" not in found
    assert "[redacted]" in found


def test_foreign_texts_are_cut() -> None:
    assert len(redact("x" * 10_000_000)) == 500  # at once, however long


def test_a_credential_does_not_show_itself() -> None:
    assert "Very" not in repr(Credential(KEY))


# --- a credential that the API repeats

BEARER = "gT5/kq+Zr0.W~xLb9-PwQ2_mVu8==Hs3"
PIECES = {BEARER[start : start + 8] for start in range(len(BEARER) - 7)}


def shows(text: str) -> bool:
    """Whether a text has any eight characters of the token."""
    return any(piece in text for piece in PIECES)


@pytest.mark.parametrize(
    "echo",
    [
        BEARER,
        f"Bearer {BEARER}.",
        f"{BEARER}{BEARER}",
        BEARER[:20],
        BEARER[7:],
        repr(BEARER),
        json.dumps(BEARER),
        quote(BEARER),
        f"é{BEARER}\x1b[31m",
    ],
)
def test_no_error_and_no_foreign_text_repeats_the_credential_in_use(echo: str) -> None:
    Credential(json.dumps({"auth_token": BEARER}))
    for text in (redact(f"the token {echo} is not welcome"), str(LakeError(f"users: {echo}"))):
        assert not shows(text)
        assert "[redacted]" in text


@given(before=st.integers(0, 2100), times=st.integers(1, 60), rest=st.integers(0, len(BEARER)))
def test_no_cut_lets_a_part_of_the_credential_through(before: int, times: int, rest: int) -> None:
    Credential(json.dumps({"auth_token": BEARER}))
    text = redact("x" * before + BEARER * times + BEARER[:rest])
    assert not shows(text)
    assert len(text) <= 500


def test_what_messages_say_of_a_key_is_no_part_of_it() -> None:
    Credential(KEY)
    with pytest.raises(SecretError, match=r"the key does not start with sk-ant-admin: store"):
        Credential("nonsense")
    assert str(LakeError("users: nothing hidden here")) == "users: nothing hidden here"
