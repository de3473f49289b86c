"""What all requests of a process share: address, key, HTTP session and pace."""

import time
from collections.abc import Callable

import requests

from anthropic_lake import __version__
from anthropic_lake.api.credential import Credential

ANTHROPIC_VERSION = "2023-06-01"
BASE_URL = "https://api.anthropic.com"


class Pace:
    """A token bucket: how many requests a minute all runs of this process may send.

    Args:
        per_minute: Requests a minute in the long run.
        burst: Requests that may follow each other without a wait after a pause.
        clock: Returns seconds that only grow.
    """

    def __init__(
        self, per_minute: int, burst: int = 10, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_seconds = 60 / per_minute
        self._burst = burst
        self._clock = clock
        self._next_free = clock() - burst * self._interval_seconds

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
    """

    def __init__(self, secret: Callable[[], str], pace: Pace, base_url: str = BASE_URL) -> None:
        self.pace = pace
        self.base_url = base_url.rstrip("/")
        self.http = requests.Session()
        self.http.headers["anthropic-version"] = ANTHROPIC_VERSION
        self.http.headers["User-Agent"] = f"anthropic-lake/{__version__}"
        self._secret = secret
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

    def renew(self) -> bool:
        """Read the secret again and return whether the credential has changed."""
        refused, self._credential = self._credential, None
        return self.credential != refused
