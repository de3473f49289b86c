"""What the API names things reaches a path, a file, a terminal: encoded, or refused by name."""

from __future__ import annotations

import io
import re
from datetime import date
from urllib.parse import unquote

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anthropic_lake.api.client import AdminApi
from anthropic_lake.api.connection import Connection, Pace
from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import ApiError, ContractBroken, redact
from anthropic_lake.extract.extraction import Extraction
from anthropic_lake.query.output import Format, write
from tests.simulator import AdminApiServer, Fault, Organization

MEMBERS = ASSETS["workspace_members"]
HOSTILE = [
    "../users",
    "..",
    ".",
    "...",
    "",
    "../../v1/organizations/users",
    "%2e%2e%2fusers",
    "%2e%2e",
    "a/b",
    "a?limit=1#x",
    "a\\..\\b",
    "';DROP TABLE x;--",
    '"quoted"',
    "\x1b[2J\x1b]0;title\x07",
    "line\r\nx-injected: 1",
    "\x00",
    "名前 ½",
    "a b+c",
    "http://evil.example/",
]
_PATH = re.compile(r"/v1/organizations/workspaces/([^/?#]+)/members")


@pytest.mark.parametrize("identifier", HOSTILE)
def test_a_hostile_workspace_stays_one_segment_of_the_path(identifier: str) -> None:
    organization = Organization.invent(days=1, workspaces=2)
    organization.workspaces[1]["id"] = identifier
    organization.members[identifier] = []
    with AdminApiServer(organization) as server:
        connection = Connection(lambda: server.key, Pace(10**9), server.url)
        with connection.http:
            try:
                api = AdminApi(connection, MEMBERS.name)
                list(Extraction(MEMBERS, api).snapshot(date(2026, 11, 22)))
            except ContractBroken:
                assert not identifier.strip(".")
                return
        (asked,) = (r for r in server.requests if unquote(_name(r.path)) == identifier)
        assert asked.headers.keys().isdisjoint({"x-injected"})
        assert all(
            r.path == "/v1/organizations/workspaces" or _name(r.path) for r in server.requests
        )


def _name(path: str) -> str:
    found = _PATH.fullmatch(path)
    return found[1] if found else ""


@given(st.text(min_size=1))
def test_the_path_of_any_workspace_leads_to_its_members(identifier: str) -> None:
    try:
        path = MEMBERS.path_of(identifier)
    except (ContractBroken, UnicodeEncodeError):
        assert not identifier.strip(".") or not identifier.isprintable()
    else:
        assert unquote(_name(path)) == identifier
        assert path.isascii()


@pytest.mark.parametrize(
    "message", ["\x1b[2J\x1b]0;title\x07", "a\nb\rc", "\u202egnp.exe", "\x9b31m", "\x00"]
)
def test_no_error_steers_a_terminal(message: str) -> None:
    with AdminApiServer(Organization.invent(days=1)) as server:
        server.faults.append(
            Fault(status=400, message=message, headers={"request-id": "req_\x1b[2J\x07"})
        )
        connection = Connection(lambda: server.key, Pace(10**9), server.url)
        with connection.http, pytest.raises(ApiError) as raised:
            AdminApi(connection, "users").get("/v1/organizations/users")
    assert str(raised.value).isprintable()
    assert raised.value.request_id is not None
    assert raised.value.request_id.isprintable()


@given(st.text(), st.sampled_from(["sk-ant-admin01-secret", "person1@example.com"]), st.text())
def test_no_foreign_text_carries_a_key_or_an_address(before: str, secret: str, after: str) -> None:
    shown = redact(f"{before} {secret} {after}")
    assert secret not in shown
    assert shown == "" or shown.isprintable()
    assert len(shown) <= 500


@settings(max_examples=50)
@given(st.text())
def test_no_name_in_a_table_steers_a_terminal(name: str) -> None:
    rows = pa.table({"name": pa.array([name.encode(errors="replace").decode()])})
    written = io.BytesIO()
    write(rows.to_reader(), Format.TABLE, written)
    text = written.getvalue().decode()
    assert all(char.isprintable() or char == "\n" for char in text)
