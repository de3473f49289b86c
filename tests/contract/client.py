"""Just enough of a client of the simulated API: the key, the pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import requests

from tests.simulator.faults import ERROR_TYPES

Json = dict[str, Any]

KEY = "sk-ant-admin01-simulated"


class Client:
    """One that knows nothing of the product."""

    def __init__(self, url: str) -> None:
        self.url = url + "/v1/organizations/"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"x-api-key": KEY, "anthropic-version": "2023-06-01"})

    def get(self, path: str, headers: Json | None = None, **query: Any) -> requests.Response:
        params = {name.replace("__", "[]"): value for name, value in query.items()}
        return self.session.get(self.url + path, params=params, headers=headers, timeout=10)

    def page(self, path: str, **query: Any) -> Json:
        response = self.get(path, **query)
        assert response.status_code == 200, response.text
        page: Json = response.json()
        return page

    def pages(self, path: str, **query: Any) -> list[Json]:
        pages = [self.page(path, **query)]
        while _has_more(pages[-1]):
            token = pages[-1].get("next_page")
            cursor = {"page": token} if token else {"after_id": pages[-1]["last_id"]}
            pages.append(self.page(path, **query, **cursor))
        return pages

    def all(self, path: str, **query: Any) -> list[Json]:
        return [item for page in self.pages(path, **query) for item in page["data"]]

    def error(self, path: str, **query: Any) -> tuple[int, str]:
        response = self.get(path, **query)
        envelope = response.json()
        assert envelope["type"] == "error"
        assert envelope["error"]["type"] == ERROR_TYPES.get(
            response.status_code, "invalid_request_error"
        )
        assert envelope["request_id"] == response.headers["request-id"]
        return response.status_code, envelope["error"]["message"]


@contextmanager
def connected(url: str) -> Iterator[Client]:
    client = Client(url)
    with client.session:
        yield client


def _has_more(page: Json) -> bool:
    return bool(page["has_more"] if "has_more" in page else page["next_page"])


def at(day: date) -> str:
    return f"{day}T00:00:00Z"


def span(first: date, days: int = 1) -> Json:
    return {"starting_at": at(first), "ending_at": at(first + timedelta(days=days))}
