"""Invented people, workspaces, keys and invites, in the API's own shapes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

Json = dict[str, Any]

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_FIRST = (
    "Ada Grace Søren Zoë Łukasz Noor Chidi 美咲 José Ines Émile Ravi Aylin Björk Dana Oleksandr"
)
_LAST = "Okafor Nguyễn Ibáñez Smith Şahin Tanaka Kowalska Haddad O'Neil García Weiß Patel"
_ROLES = ("admin", "developer", "user", "claude_code_user", "billing", "owner", "developer")
_TEAMS = (
    "Research",
    "Support Bots",
    "Données & Qualité",
    "Checkout: fraud",
    "検索",
    "Mobile",
    "Internal tools",
)
_MEMBER_ROLES = (
    "workspace_admin",
    "workspace_developer",
    "workspace_user",
    "workspace_restricted_developer",
    "workspace_billing",
)
_TERMINALS = ("vscode", "iTerm.app", "tmux", "Apple_Terminal", "WezTerm", "cursor")
_INVITE_DAYS = 21
_COLORS = ("#6C5BB9", "#D97757", "#2F7DD1", "#3E9C6B", "#B9415B")
_PURPOSES = ("production", "batch evaluation", "CI", "staging", "prototype «naïve»")


@dataclass(frozen=True)
class Person:
    """A user and how that user works with Claude Code."""

    user: Json
    claude_code_key: Json | None  # null: works on a seat of a subscription
    subscription_type: str | None
    terminals: tuple[str, ...]


@dataclass
class Entities:
    """All that the five list endpoints answer with, and who uses what."""

    id: str
    name: str
    default_workspace_id: str
    claude_code_workspace_id: str = ""
    workspaces: list[Json] = field(default_factory=list)
    users: list[Json] = field(default_factory=list)
    invites: list[Json] = field(default_factory=list)
    api_keys: list[Json] = field(default_factory=list)
    members: dict[str, list[Json]] = field(default_factory=dict)
    service_accounts: list[str] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)


class Inventor:
    """Draws every entity of one organization from one seeded source, in a fixed order."""

    def __init__(self, seed: int, today: date, *, drift: bool) -> None:
        self.rng = random.Random(f"{seed}/entities")
        self.today = today
        self.drift = drift

    def organization(self, people: int, workspaces: int, keys: int) -> Entities:
        """Everything; `keys` more API keys serve scaled organizations."""
        entities = Entities(
            id=self.uuid(), name="Ærø & Sons Ltd", default_workspace_id=self.id("wrkspc")
        )
        entities.service_accounts = [self.id("svac") for _ in range(2)]
        entities.workspaces = self.workspaces(workspaces, entities.default_workspace_id)
        entities.claude_code_workspace_id = entities.workspaces[1]["id"]
        entities.users = [self.user(number) for number in range(people)]
        entities.api_keys = self.application_keys(entities) + self.scale_keys(entities, keys)
        entities.people = self.people(entities)
        entities.api_keys += [p.claude_code_key for p in entities.people if p.claude_code_key]
        entities.api_keys.sort(key=lambda key: key["created_at"], reverse=True)
        entities.members = {w["id"]: self.members(w, entities) for w in entities.workspaces}
        entities.invites = self.invites(entities.users)
        return entities

    # --- small things

    def id(self, prefix: str) -> str:
        return f"{prefix}_01" + "".join(self.rng.choices(ALPHABET, k=22))

    def uuid(self) -> str:
        digits = f"{self.rng.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def moment(self, days_ago: float) -> datetime:
        end = datetime(self.today.year, self.today.month, self.today.day, tzinfo=UTC)
        return end - timedelta(days=days_ago, microseconds=self.rng.randrange(86_400_000_000))

    def past(self, days_ago: float) -> str:
        return precise(self.moment(days_ago))

    # --- workspaces and their members

    def workspaces(self, active: int, default_id: str) -> list[Json]:
        """The default one, "Claude Code", the teams', and two archived ones, in this order."""
        default = self.workspace("Default", 900) | {"id": default_id}
        names = ["Claude Code", *(_team_name(number) for number in range(active - 1))]
        current = [self.workspace(name, 700 - 9 * number) for number, name in enumerate(names)]
        archived = [
            self.workspace(name, 600) | {"archived_at": self.past(age)}
            for name, age in (("Pilot 2025", 15), ("Hackathon ½", 400))
        ]
        if self.drift and len(current) > 2:
            for newer in ("tags", "compartment_id", "external_key_id"):
                del current[2][newer]
        return [default, *current, *archived]

    def workspace(self, name: str, age: float) -> Json:
        kinds: list[str | list[str]] = ["unrestricted", ["us"], ["global", "us"]]
        geos = self.rng.choice(kinds)
        return {
            "id": self.id("wrkspc"),
            "type": "workspace",
            "name": name,
            "created_at": self.past(age),
            "archived_at": None,
            "display_color": self.rng.choice(_COLORS),
            "data_residency": {
                "workspace_geo": "us",
                "default_inference_geo": "us" if geos == ["us"] else "global",
                "allowed_inference_geos": geos,
            },
            "tags": self.rng.choice([{}, {"team": name, "cost-centre": "CC-4711"}]),
            "compartment_id": self.uuid(),
            "external_key_id": self.id("ekey") if self.rng.random() < 0.3 else None,
        }

    def members(self, workspace: Json, entities: Entities) -> list[Json]:
        """Some of the people; nobody is a member of the default workspace."""
        if workspace["id"] == entities.default_workspace_id:
            return []
        return [
            {
                "type": "workspace_member",
                "user_id": user["id"],
                "workspace_id": workspace["id"],
                "workspace_role": self.rng.choice(_MEMBER_ROLES),
            }
            for user in entities.users
            if self.rng.random() < 0.6
        ]

    # --- people

    def user(self, number: int) -> Json:
        first, last = _FIRST.split(), _LAST.split()
        name = f"{first[number % len(first)]} {last[number * 5 % len(last)]}"
        role = _ROLES[number % len(_ROLES)]
        if self.drift and number % 11 == 6:
            role = "workspace_steward"
        return {
            "id": self.id("user"),
            "type": "user",
            "email": f"person{number + 1}@example.com",
            "name": name,
            "role": role,
            "added_at": self.past(800 - number % 700),
        }

    def people(self, entities: Entities) -> list[Person]:
        return [
            self.person(number, user, entities.claude_code_workspace_id)
            for number, user in enumerate(entities.users)
        ]

    def person(self, number: int, user: Json, workspace_id: str) -> Person:
        """Every fourth person sits on a subscription seat, the others have a minted key."""
        start = number % len(_TERMINALS)
        terminals = (_TERMINALS + _TERMINALS)[start : start + 2]
        if number % 4 == 3:
            kind = ("team", "enterprise", None)[number // 4 % 3]
            return Person(user, None, kind, terminals)
        handle = user["email"].partition("@")[0]
        name = f"claude_code_key_{handle}_{self.id('')[3:7].lower()}"
        key = self.key(name, workspace_id, 300) | {"created_by": _creator(user["id"], "user")}
        return Person(user, key, None, terminals)

    def invites(self, users: list[Json]) -> list[Json]:
        """Three of each state that the list shows: accepted, pending, expired."""
        accepted = [self.invite(user["email"], 60 + 40 * n) for n, user in enumerate(users[:3])]
        for invite in accepted:
            sent = datetime.fromisoformat(invite["invited_at"])
            invite |= {"status": "accepted", "accepted_at": precise(sent + timedelta(hours=30))}
        pending = [self.invite(f"Ny.Kollega+{n}@example.com", 2 + n) for n in range(3)]
        expired = [self.invite(f"late{n}@example.com", 90 + n) for n in range(3)]
        for invite in expired:
            invite["status"] = "expired"
        pending[0]["rbac_group_ids"] = [self.id("rbacgrp"), self.id("rbacgrp")]
        return pending + accepted + expired

    def invite(self, email: str, age: float) -> Json:
        sent = self.moment(age)
        return {
            "id": self.id("invite"),
            "type": "invite",
            "email": email,
            "role": self.rng.choice(("developer", "user", "billing", "claude_code_user")),
            "status": "pending",
            "invited_at": precise(sent),
            "expires_at": precise(sent + timedelta(days=_INVITE_DAYS)),
            "accepted_at": None,
            "rbac_group_ids": [],
        }

    # --- keys

    def key(self, name: str, workspace_id: str | None, age: float) -> Json:
        """An active key of a workspace; of the organization when `workspace_id` is null."""
        scope = {"type": "organization"}
        if workspace_id is not None:
            scope = {"type": "workspace", "workspace_id": workspace_id}
        return {
            "id": self.id("apikey"),
            "type": "api_key",
            "name": name,
            "status": "active",
            "partial_key_hint": f"sk-ant-api03-{self.id('')[3:6]}...{self.id('')[3:7]}",
            "created_at": self.past(age),
            "expires_at": None,
            "created_by": None,
            "scope": scope,
            "principal": None,
            "workspace_id": workspace_id,
        }

    def application_keys(self, entities: Entities) -> list[Json]:
        """Three keys a workspace in turn of state and ownership, then one of the organization."""
        keys = [
            self.application_key(number, workspace, entities)
            for number, workspace in enumerate(w for w in entities.workspaces for _ in range(3))
            if workspace["id"] != entities.claude_code_workspace_id
        ]
        whole = self.key("Org-wide reporting", None, 40)
        whole["principal"] = _service_principal(entities.service_accounts[0])
        whole["created_by"] = _creator(entities.service_accounts[0], "service_account")
        return [*keys, whole]

    def application_key(self, number: int, workspace: Json, entities: Entities) -> Json:
        purpose = _PURPOSES[number % len(_PURPOSES)]
        key = self.key(f"{workspace['name']} / {purpose}", workspace["id"], 100 + 7 * number)
        user = entities.users[number % len(entities.users)]["id"] if entities.users else None
        if user and number % 4:
            key["created_by"] = _creator(user, "user")
            key["principal"] = [None, _user_principal(user), None, None][number % 4]
        if workspace["archived_at"]:
            key["status"] = "archived"
        elif number % 9 == 7:
            key |= {"status": "expired", "expires_at": self.past(12)}
        elif number % 9 == 5:
            key["status"] = "inactive"
        if workspace["id"] == entities.default_workspace_id:
            key["workspace_id"] = None
        return self.aged(number, key, user) if self.drift else key

    def aged(self, number: int, key: Json, user: str | None) -> Json:
        """Shapes of other months: the August principal, and bodies with fewer fields."""
        if number % 8 == 6 and user:
            key["principal"] = {"id": user, "type": "user"}
        if number % 8 == 3:
            del key["workspace_id"]
        if number % 8 == 4:
            del key["scope"], key["principal"], key["expires_at"]
        return key

    def scale_keys(self, entities: Entities, count: int) -> list[Json]:
        homes = [w for w in entities.workspaces if w["archived_at"] is None]
        keys = []
        for number in range(count):
            home = homes[number % len(homes)]
            key = self.key(f"service-{number:05d}", home["id"], 50)
            if home["id"] == entities.default_workspace_id:
                key["workspace_id"] = None
            keys.append(key)
        return keys


def precise(moment: datetime) -> str:
    """RFC 3339 to the microsecond, as in entities."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def home_of(key: Json, entities: Entities) -> str:
    """The workspace in which a key works; that of an organization's key is the default one."""
    scope = key.get("scope", {})
    home = scope.get("workspace_id") or key.get("workspace_id")
    return str(home or entities.default_workspace_id)


def _team_name(number: int) -> str:
    return _TEAMS[number] if number < len(_TEAMS) else f"Team {number + 1}"


def _creator(identifier: str, kind: str) -> Json:
    return {"id": identifier, "type": kind}


def _user_principal(user_id: str) -> Json:
    return {"type": "user_actor", "user_id": user_id}


def _service_principal(service_account_id: str) -> Json:
    return {"type": "service_account_actor", "service_account_id": service_account_id}
