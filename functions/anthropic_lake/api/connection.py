"""What all requests share: address, key, HTTP session and pace."""

import time
from collections.abc import Callable

import requests

from anthropic_lake import __version__
from anthropic_lake.api.credential import Credential

ANTHROPIC_VERSION = "2023-06-01"
BASE_URL = "https://api.anthropic.com"


class Pace:
    """A token bucket: the requests a minute that all runs of this process share.

    Args:
        per_minute: Requests a minute in the long run.
        burst: Requests that may go out at once after a rest.
        clock: Seconds that only grow.
    """

    def __init__(
        self, per_minute: int, burst: int = 10, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = 60 / per_minute
        self._burst = burst
        self._clock = clock
        self._next_free = clock() - burst * self._interval

    def take(self) -> float:
        """Take a place for one request and give the seconds to wait for it."""
        now = self._clock()
        self._next_free = max(self._next_free, now - self._burst * self._interval)
        self._next_free += self._interval
        return max(0.0, self._next_free - now)


class Connection:
    """What all runs of a process share: address, key, HTTP session and pace.

    Args:
        secret: Reads the admin key's secret; called at first use, and again after a 401.
        pace: The budget of requests.
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
            SecretError: It cannot be read or used.
        """
        self._credential = Credential(self._secret())

    @property
    def credential(self) -> Credential:
        """The credential in use."""
        if self._credential is None:
            self._credential = Credential(self._secret())
        return self._credential

    def renew(self) -> bool:
        """Read the secret again and tell whether it has changed."""
        refused, self._credential = self._credential, None
        return self.credential != refused
