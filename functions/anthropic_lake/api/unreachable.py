"""Connections to the API that do not come about: what to correct, and whether to try again."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
)

from anthropic_lake.errors import SettingsError, redact

_WRONG_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    LocationValueError,
)
_UNREADABLE = (FileNotFoundError, IsADirectoryError, PermissionError)


@dataclass(frozen=True)
class Obstacle:
    """What keeps requests from the API.

    Args:
        problem: What is wrong, and what to correct.
        attempts: How many attempts are worth their time while the API has never answered.
    """

    problem: str
    attempts: int


def obstacle(error: Exception, base_url: str) -> Obstacle | None:
    """Return what keeps a request from the API; None if the request was on its way.

    Args:
        error: The error of `requests`.
        base_url: Address of the API.

    Raises:
        SettingsError: The authorities that REQUESTS_CA_BUNDLE names cannot be read.
    """
    host = urlsplit(base_url).hostname
    causes = list(_causes(error))
    kinds = tuple(map(type, causes))
    if isinstance(error, requests.exceptions.SSLError):
        return _tls_obstacle(causes[-1], host)
    if isinstance(error, _WRONG_ADDRESS):
        problem = "the address of ANTHROPIC_BASE_URL or HTTPS_PROXY cannot be used: correct it"
        return Obstacle(problem, attempts=1)
    attempts = 1 if ConnectTimeoutError in kinds or requests.ConnectTimeout in kinds else 2
    if isinstance(error, requests.exceptions.ProxyError):
        problem = (
            "the proxy of HTTPS_PROXY is not there or refuses: check its address and password, "
            f"and that it lets {host} through"
        )
    elif NameResolutionError in kinds:
        problem = f"the name {host} is not found: check the network, DNS and ANTHROPIC_BASE_URL"
    elif NewConnectionError in kinds:
        problem = f"{host} takes no connection: check the network and ANTHROPIC_BASE_URL"
    elif isinstance(error, requests.ConnectTimeout):
        problem = (
            f"{host} does not answer: check the firewall, HTTPS_PROXY, and in a VPC its NAT gateway"
        )
    else:
        return None
    return Obstacle(problem, attempts)


def unreadable_authorities() -> SettingsError:
    """Return the error of a file of authorities that cannot be read."""
    return SettingsError(
        "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of PEM certificates: correct or unset "
        "the variable"
    )


def _tls_obstacle(cause: BaseException, host: str | None) -> Obstacle:
    """Return what is wrong with the certificate, or with this side's authorities."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = redact(cause.verify_message)
        problem = (
            f"the certificate of {host} is not accepted ({reason}): check the clock, and name "
            "your company's authority in REQUESTS_CA_BUNDLE if it inspects connections"
        )
        return Obstacle(problem, attempts=1)
    if isinstance(cause, _UNREADABLE) or getattr(cause, "library", None) == "X509":
        raise unreadable_authorities()
    return Obstacle(f"{host} does not speak TLS here: check ANTHROPIC_BASE_URL", attempts=2)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it wraps, down to the first cause."""
    while error is not None:
        yield error
        wrapped = (getattr(error, "reason", None), *error.args, error.__cause__)
        error = next((cause for cause in wrapped if isinstance(cause, BaseException)), None)
