"""What all requests of a process share: address, key, HTTP session and pace."""

import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests

from anthropic_lake import __version__
from anthropic_lake.api.credential import Credential, read_pseudonym_key
from anthropic_lake.api.transport import BoundedAdapter

ANTHROPIC_VERSION = "2023-06-01"
BASE_URL = "https://api.anthropic.com"


_MAX_BURST = 10
_BURST_SHARE = 3
_DIRECT: dict[str, Any] = {"http": None, "https": None, "all": None}


class Pace:
    """A token bucket: how many requests a minute all runs of this process may send.

    Args:
        per_minute: Requests a minute in the long run.
        burst: Requests that may follow each other without a wait after a pause; None: a third of
            those of a minute, 10 at most.
        clock: Returns seconds that only grow.

    Attributes:
        per_minute: Requests a minute in the long run.
    """

    def __init__(
        self,
        per_minute: float,
        burst: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit(per_minute, burst)
        self._clock = clock
        self._next_free = clock() - self._burst * self._interval_seconds

    def limit(self, per_minute: float, burst: int | None = None) -> None:
        """Change the pace; requests that were sent before count on."""
        self.per_minute = per_minute
        self._interval_seconds = 60 / per_minute
        self._burst = burst or max(1, min(_MAX_BURST, int(per_minute / _BURST_SHARE)))

    def take(self) -> float:
        """Reserve one request and return the seconds to wait before it."""
        now = self._clock()
        self._next_free = max(self._next_free, now - self._burst * self._interval_seconds)
        self._next_free += self._interval_seconds
        return max(0.0, self._next_free - now)


class Connection:
    """What all runs of a process share: address, key, HTTP session and pace.

    Args:
        secret: Reads the admin key's secret; called at first use, and again after a 401.
        pace: How many requests a minute may be sent.
        base_url: Address of the API.
        memory_bytes: Memory of the process, which bounds an answer; None: plenty.
        pseudonym_key: The key of pseudonyms where the secret holds none; empty: none.

    Attributes:
        proxies: The proxies of a request: none for this machine, else those of the environment.
        has_answered: Whether the API has ever answered here, so that address, proxy and
            certificates are right.
    """

    def __init__(
        self,
        secret: Callable[[], str],
        pace: Pace,
        base_url: str = BASE_URL,
        memory_bytes: int | None = None,
        pseudonym_key: str = "",
    ) -> None:
        self.pace = pace
        self.base_url = base_url.rstrip("/")
        self.memory_bytes = memory_bytes
        self.proxies = _DIRECT if is_loopback(urlsplit(base_url).hostname or "") else {}
        self.has_answered = False
        self.http = requests.Session()
        self.http.headers["anthropic-version"] = ANTHROPIC_VERSION
        self.http.headers["User-Agent"] = f"anthropic-lake/{__version__}"
        self.http.headers["Accept-Encoding"] = "gzip"
        self.transport = BoundedAdapter()
        self.http.mount("https://", self.transport)
        self.http.mount("http://", self.transport)
        self._secret = secret
        self._pseudonym_key = pseudonym_key
        self._credential: Credential | None = None

    def open(self) -> None:
        """Read the secret now.

        Raises:
            SecretError: The secret cannot be read or used.
        """
        self._credential = Credential(self._secret())

    @property
    def credential(self) -> Credential:
        """The credential in use."""
        if self._credential is None:
            self._credential = Credential(self._secret())
        return self._credential

    def pseudonym_key(self) -> str:
        """Return the key of pseudonyms, the secret read anew; empty if there is none.

        Raises:
            SecretError: The secret cannot be read or used.
        """
        return read_pseudonym_key(self._secret()) or self._pseudonym_key

    def renew(self) -> bool:
        """Read the secret again and return whether the credential has changed."""
        refused, self._credential = self._credential, None
        return self.credential != refused


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
