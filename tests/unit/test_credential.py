"""A secret holds one credential, and no message ever shows it."""

import json

import pytest
import requests

from anthropic_lake.api.credential import Credential
from anthropic_lake.errors import SecretError, redact

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
