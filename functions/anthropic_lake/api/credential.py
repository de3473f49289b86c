"""The admin key's secret: its credential, the header that carries it, and the pseudonym key."""

import requests
from requests.auth import AuthBase

from anthropic_lake import strict_json
from anthropic_lake.errors import SecretError, hide

_ADVICE = (
    "store an admin key (sk-ant-admin...), made in the Console under Settings > Admin keys, "
    'or JSON: {"api_key": "sk-ant-admin..."} or {"auth_token": "..."}'
)


class Credential(AuthBase):
    """The header that authorizes a request; from now on no error shows its value.

    Args:
        secret: An admin key, or JSON with exactly one of `api_key` and `auth_token`.

    Raises:
        SecretError: The secret holds no usable credential; its text never shows the secret.
    """

    def __init__(self, secret: str) -> None:
        name, value = _named_value(secret.strip())
        if not value.isascii() or not value.isprintable() or " " in value:
            raise SecretError(f"the {name} has characters that no key has: store it again")
        hide(value)
        self._header = (
            ("x-api-key", value) if name == "api_key" else ("Authorization", f"Bearer {value}")
        )

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header to a request; sent as `auth`, so that no .netrc replaces it."""
        request.headers[self._header[0]] = self._header[1]
        return request

    def __eq__(self, other: object) -> bool:
        """Return whether both send the same header."""
        return isinstance(other, Credential) and self._header == other._header

    __hash__ = None  # type: ignore[assignment]


def read_pseudonym_key(secret: str) -> str:
    """Return the `pseudonym_key` of a secret in JSON; empty if there is none.

    Raises:
        SecretError: The secret is not valid JSON, or the key is not a text.
    """
    secret = secret.strip()
    key = _fields(secret).get("pseudonym_key", "") if secret.startswith("{") else ""
    if not isinstance(key, str):
        raise SecretError("pseudonym_key in the secret is not a text: put it in quotation marks")
    return key


def _named_value(secret: str) -> tuple[str, str]:
    """Return the name and the value of the one credential in a secret."""
    if not secret.startswith("{"):
        return "api_key", _admin_key(secret)
    fields = _fields(secret)
    named = [name for name in ("api_key", "auth_token") if name in fields]
    if len(named) != 1:
        raise SecretError(f"the secret has {len(named)} of api_key and auth_token: {_ADVICE}")
    value = fields[named[0]]
    if not isinstance(value, str) or not value.strip():
        raise SecretError(f"{named[0]} in the secret is not a text: {_ADVICE}")
    value = value.strip()
    return named[0], _admin_key(value) if named[0] == "api_key" else value


def _fields(secret: str) -> strict_json.Object:
    """Return the fields of a secret that is a JSON object."""
    try:
        fields: strict_json.Object = strict_json.value(secret.encode())
    except strict_json.InvalidJson:
        raise SecretError(f"the secret is not valid JSON: {_ADVICE}") from None
    return fields


def _admin_key(key: str) -> str:
    """Return the key, or raise SecretError if it cannot be an admin key."""
    if not key:
        raise SecretError(f"there is no admin key: {_ADVICE}")
    if not key.startswith("sk-ant-admin"):
        raise SecretError(f"the key does not start with sk-ant-admin: {_ADVICE}")
    return key
