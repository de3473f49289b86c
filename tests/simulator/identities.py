"""Who the analytics attribute usage to: people, machines, strangers and nobody."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import cycle
from typing import Any

from tests.simulator.invention import ALPHABET, Entities, home_of
from tests.simulator.usage import UsageEvent

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """An identity, equal to itself only: two that are rendered alike stay two rows.

    Args:
        type: Null for who the server cannot render, and for nobody.
        id: The tagged identifier; a federated identity has none.
        body: What `actor` says beside the type; of a user who is not (or no more) in the
            organization's list of users, which otherwise knows better.
    """

    type: str | None = None
    id: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)

    def json(self, users: Mapping[str, Json]) -> Json | None:
        """The union as the API renders it, given the organization's users by their ids."""
        if self.type is None:
            return None
        known = users.get(self.id or "")
        if self.type != "user_actor" or known is None:
            return {"type": self.type, **self.body}
        return _user_body(str(self.id), known["email"], known["name"], deleted=False)


NOBODY = Actor()


def _user_body(user_id: str, email: str | None, name: str | None, *, deleted: bool) -> Json:
    return {
        "type": "user_actor",
        "user_id": user_id,
        "email_address": email,
        "name": name,
        "deleted": deleted,
    }


def _user(user_id: str, email: str | None, name: str | None, *, deleted: bool = True) -> Actor:
    return Actor("user_actor", user_id, _user_body(user_id, email, name, deleted=deleted))


def _federated(subject: str | None, **provider: str | None) -> Actor:
    return Actor("federated_actor", None, {"provider": provider, "subject": subject})


@dataclass(frozen=True, slots=True)
class AgentSession:
    """Where Claude Managed Agents ran."""

    agent_id: str
    environment_id: str
    deployment_id: str | None


class Directory:
    """All identities of one organization, and which of them is behind an event.

    What is drawn here comes from a source of its own: the entities stay what they were.
    """

    def __init__(self, seed: int, entities: Entities) -> None:
        self._rng = random.Random(f"{seed}/identities")
        self._users = {
            user["id"]: _user(user["id"], user["email"], user["name"]) for user in entities.users
        }
        self._addresses = {user["email"]: self._users[user["id"]] for user in entities.users}
        self._services = {
            identifier: _service(identifier) for identifier in (entities.service_accounts)
        }
        self.security = _user(self.id("user"), None, "Claude Security", deleted=False)
        self._strangers = self._invent_strangers()
        self._keys = self._key_owners(entities)
        self.rbac_groups = [self.id("rbac_group") for _ in range(3)]
        self.slack_channels = [f"C0{self.id('')[3:12].upper()}" for _ in range(2)]
        self.agent_sessions = self._invent_agent_sessions()
        self.profiles = {
            key["id"]: self.id("uprof")
            for key in entities.api_keys[:60]
            if self._rng.random() < 0.2
        }
        self._anonymous = self._invent_anonymous()

    def id(self, prefix: str) -> str:
        return f"{prefix}_01" + "".join(self._rng.choices(ALPHABET, k=22))

    # --- who is behind what

    def actor(self, event: UsageEvent) -> Actor | None:
        """The user, else the service account, else who is behind the key; null without any."""
        if event.session is not None and event.session.actor_type == "user_actor":
            return self.user(event.session.actor)
        if event.account_id is not None:
            return self.user(event.account_id)
        if event.service_account_id is not None:
            return _known(self._services, event.service_account_id, _service)
        if event.api_key_id is not None:
            return _known(self._keys, event.api_key_id, _key)
        return None

    def user(self, name: str) -> Actor:
        """A user by id or e-mail address; one whom nobody ever knew has deleted the account."""
        known = self._addresses.get(name) or self._users.get(name)
        return known or self._users.setdefault(name, _user(name, None, "Deleted User"))

    def anonymous(self, day: date, number: int) -> tuple[Actor, ...]:
        """Who share a day's event without user, service account and key: over a week, all."""
        return self._anonymous[(2 * day.toordinal() + number) % len(self._anonymous)]

    def memberships(self, actor: Actor) -> list[str | None]:
        """The RBAC groups of a user: none, one or two."""
        if actor.type != "user_actor":
            return [None]
        number = sum(map(ord, str(actor.id)))
        held = [group for n, group in enumerate(self.rbac_groups) if number % (n + 2) == 0]
        return list(held[:2]) or [None]

    # --- inventions

    def _invent_strangers(self) -> list[Actor]:
        """Users whom no list shows: gone, hidden, deleted, without a name, and the vendor's own."""
        return [
            _user(self.id("user"), "left@example.com", "Maja Lindqvist"),
            _user(self.id("user"), "hidden@example.com", "Deleted User"),
            _user(self.id("user"), None, "Deleted User"),
            _user(self.id("user"), "unnamed@example.com", None, deleted=False),
            self.security,
        ]

    def _key_owners(self, entities: Entities) -> dict[str, Actor]:
        """Who is behind each key: its principal, else for most application keys somebody gone."""
        strangers = cycle(self._strangers)
        owners: dict[str, Actor] = {}
        closed = {w["id"] for w in entities.workspaces if w["archived_at"] is not None}
        unowned = 0
        for key in entities.api_keys:
            owner = self._principal(key)
            if owner is None and _is_application(key) and home_of(key, entities) not in closed:
                unowned += 1
                owner = next(strangers) if unowned % 3 else None
            owners[key["id"]] = owner or _key(key["id"])
        return owners

    def _principal(self, key: Json) -> Actor | None:
        principal = key.get("principal") or {}
        identifier = str(
            principal.get("user_id")
            or principal.get("service_account_id")
            or principal.get("id")
            or ""
        )
        return self._users.get(identifier) or self._services.get(identifier)

    def _invent_anonymous(self) -> list[tuple[Actor, ...]]:
        """Federated callers of every provider, two whom nobody can render, and nobody."""
        role = "arn:aws:iam::111122223333:role/ci"
        signed = "arn:aws:sts::111122223333:assumed-role/ci/run-7"
        robot = "serviceAccount:robot@example.iam.gserviceaccount.com"
        return [
            (_federated(role, type="aws", account_id="111122223333", signed_principal=signed),),
            (Actor(), Actor()),
            (
                _federated(
                    None, type="azure", subscription_id="0f8fad5b-d9cb-469f-a165-70867728950e"
                ),
            ),
            (NOBODY,),
            (_federated(robot, type="gcp", project_number="123456789012"),),
            (_federated("repo:acme/app", type="oidc", issuer="https://token.example.com"),),
            (_federated(None, type="oidc", issuer=None),),
        ]

    def _invent_agent_sessions(self) -> list[AgentSession]:
        agents = [self.id("agent") for _ in range(2)]
        return [
            AgentSession(agents[0], self.id("env"), self.id("depl")),
            AgentSession(agents[1], self.id("env"), None),
        ]


def _known(actors: dict[str, Actor], identifier: str, invent: Callable[[str], Actor]) -> Actor:
    """The identity behind an id: always the same, also where a test made up the id."""
    return actors.get(identifier) or actors.setdefault(identifier, invent(identifier))


def _service(identifier: str) -> Actor:
    body = {"service_account_id": identifier}
    return Actor("service_account_actor", identifier, body)


def _key(identifier: str) -> Actor:
    return Actor("api_actor", identifier, {"api_key_id": identifier})


def _is_application(key: Json) -> bool:
    return not str(key["name"]).startswith(("service-", "claude_code_key_"))
