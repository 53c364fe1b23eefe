"""Accounts at Twilio and SendGrid in memory, with the interface of `boss.setup`'s clients, so that plans can be tried by the thousand.

They refuse what the providers refuse, and fail where a test says so: before a change, after it, or by the death of the process.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from boss.setup.api import ApiAway, ApiRefused
from boss.setup.apply import Doer, Providers, SetupOutcome, SetupRun, SetupView
from boss.setup.machine import Machine
from boss.setup.record import SetupRecord
from boss.setup.sendgrid import EVENT_FLAGS
from boss.setup.standing import (
    SetupStanding,
    StandingDomain,
    StandingEvents,
    StandingKey,
    StandingParse,
    StandingPolicy,
    StandingSendGrid,
    StandingTwilio,
)
from boss.setup.steps import Plan


class Killed(BaseException):
    """The process has died here."""


@dataclass
class Faults:
    """What happens at the nth change: `before`, `after` (performed, and no answer), or the death of the process."""

    at: int = 0
    kind: str = ""
    seen: int = 0

    def around(self, perform: Callable[[], Any]) -> Any:
        """Carry out a change, or not."""
        self.seen += 1
        if self.seen != self.at:
            return perform()
        if self.kind == "kill before":
            raise Killed
        if self.kind == "before":
            raise ApiAway("Provider", "no answer in time")
        found = perform()
        if self.kind == "kill after":
            raise Killed
        if self.kind == "after":
            raise ApiAway("Provider", "no answer in time")
        return found


@dataclass
class TwilioWorld:
    """Twilio's side."""

    standing: StandingTwilio
    faults: Faults

    def look(self) -> StandingTwilio:
        """What stands."""
        return self.standing

    def set_number(self, sid: str, form: Mapping[str, str]) -> None:
        """Change a number."""
        names = {
            "SmsUrl": "url",
            "SmsMethod": "method",
            "SmsFallbackUrl": "fallback",
            "SmsFallbackMethod": "fallback_method",
            "SmsApplicationSid": "application",
        }
        change: dict[str, Any] = {names[name]: value for name, value in form.items()}

        def perform() -> None:
            numbers = tuple(replace(each, **change) if each.sid == sid else each for each in self.standing.numbers)
            self.standing = replace(self.standing, numbers=numbers)

        self.faults.around(perform)

    def set_service(self, sid: str, form: Mapping[str, str]) -> None:
        """Change a Messaging Service."""
        use = form["UseInboundWebhookOnNumber"] == "true"

        def perform() -> None:
            services = tuple(replace(each, uses_number=use) if each.sid == sid else each for each in self.standing.services)
            self.standing = replace(self.standing, services=services)

        self.faults.around(perform)


@dataclass
class SendGridWorld:
    """SendGrid's side. `dns`: whether the records of the domains are there."""

    standing: StandingSendGrid
    faults: Faults
    dns: bool = True
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1000))

    def look(self) -> StandingSendGrid:
        """What stands."""
        return self.standing

    def make_domain(self, domain: str) -> None:
        """Add a domain, not yet found."""
        self._do(domains=lambda: (*self.standing.domains, StandingDomain(id=self._id(), domain=domain)))

    def validate_domain(self, identity: str) -> None:
        """Look for its records."""
        self._do(domains=lambda: tuple(replace(each, valid=self.dns) if each.id == identity else each for each in self.standing.domains))

    def make_policy(self, name: str) -> None:
        """Add a policy; refused where there are none."""
        if self.standing.policies is None:
            raise ApiRefused("SendGrid", 403, "access forbidden")
        policies, identity = self.standing.policies, self._id()
        self._do(policies=lambda: (*policies, StandingPolicy(id=identity, name=name, public_key=f"public-{identity}")))

    def make_parse(self, document: Mapping[str, Any]) -> None:
        """Add a host; refused without a domain that was found."""
        host = str(document["hostname"])
        if not self.standing.authenticated(host) or self.standing.parse_of(host):
            raise ApiRefused("SendGrid", 400, "hostname must belong to an authenticated domain")
        self._do(parse=lambda: (*self.standing.parse, self._parse(StandingParse(host=host, url=""), document)))

    def set_parse(self, host: str, document: Mapping[str, Any]) -> None:
        """Change a host."""
        self._do(parse=lambda: tuple(self._parse(each, document) if each.host == host else each for each in self.standing.parse))

    def _parse(self, found: StandingParse, document: Mapping[str, Any]) -> StandingParse:
        policy = str(document.get("security_policy", found.policy) or "")
        if policy and self.standing.policy(policy) is None:
            raise ApiRefused("SendGrid", 400, "security policy not found")
        return replace(found, url=str(document["url"]), spam_check=document["spam_check"], send_raw=document["send_raw"], policy=policy)

    def make_events(self, document: Mapping[str, Any]) -> None:
        """Add an event webhook; refused beyond the plan's number."""
        if len(self.standing.events) >= self.standing.max_events:
            raise ApiRefused("SendGrid", 400, "You have reached the maximum number of webhooks.")
        self._do(events=lambda: (*self.standing.events, self._events(StandingEvents(id=self._id(), url=""), document)))

    def set_events(self, identity: str, document: Mapping[str, Any]) -> None:
        """Change an event webhook; refused at an address that another has."""
        self._do(events=lambda: tuple(self._events(each, document) if each.id == identity else each for each in self.standing.events))

    def _events(self, found: StandingEvents, document: Mapping[str, Any]) -> StandingEvents:
        if any(each.url == document["url"] and each.id != found.id for each in self.standing.events):
            raise ApiRefused("SendGrid", 400, "already exists")
        flags = frozenset(name for name in EVENT_FLAGS if document.get(name, name in found.events))
        return replace(found, url=document["url"], enabled=document["enabled"], name=document["friendly_name"], events=flags)

    def sign_events(self, identity: str, *, on: bool) -> None:
        """Turn its signature on or off."""
        key = f"events-{identity}" if on else ""
        self._do(events=lambda: tuple(replace(each, public_key=key) if each.id == identity else each for each in self.standing.events))

    def make_key(self, name: str) -> str:
        """Add a key."""
        identity = self._id()
        self._do(keys=lambda: (*self.standing.keys, StandingKey(id=identity, name=name)))
        return f"SG.{identity}.a-text-that-is-shown-once"

    def delete(self, kind: str, identity: str) -> None:
        """Delete something; a policy is taken from the hosts that have it."""
        if kind == "parse":
            self._do(parse=lambda: tuple(each for each in self.standing.parse if each.host != identity))
            return
        if kind == "policy":
            self.standing = replace(
                self.standing, parse=tuple(replace(each, policy="") if each.policy == identity else each for each in self.standing.parse)
            )
        name = {"domain": "domains", "policy": "policies", "events": "events", "key": "keys"}[kind]
        self._do(**{name: lambda: tuple(each for each in getattr(self.standing, name) if each.id != identity)})

    def _id(self) -> str:
        return str(next(self.ids))

    def _do(self, **change: Callable[[], Any]) -> None:
        def perform() -> None:
            self.standing = replace(self.standing, **{name: value() for name, value in change.items()})

        self.faults.around(perform)


class SetupWorld:
    """A folder, two accounts, and runs over them."""

    def __init__(
        self, folder: Path, twilio: StandingTwilio, sendgrid: StandingSendGrid, env: Mapping[str, str], *, dns: bool = True
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.faults = folder, Faults()
        self.twilio, self.sendgrid = TwilioWorld(twilio, self.faults), SendGridWorld(sendgrid, self.faults, dns)
        if env:
            (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in env.items()))

    @property
    def record(self) -> SetupRecord:
        """As the next run reads it."""
        return SetupRecord(self.folder / "data" / "record.json")

    def providers(self) -> Providers:
        """Both accounts, as clients."""
        return Providers(cast("Any", self.twilio), cast("Any", self.sendgrid))

    def machine(self, record: SetupRecord) -> Machine:
        """The folder."""
        return Machine(self.folder / ".env", self.folder / "users.toml", record)

    def standing(self) -> SetupStanding:
        """What stands now."""
        return SetupView(self.machine(self.record), self.providers()).standing()

    def run(self, planned: Callable[[SetupRecord], Callable[[SetupStanding], Plan]], agreed: frozenset[str] = frozenset()) -> SetupOutcome:
        """One run; raises Killed where the faults say so."""
        record = self.record
        machine = self.machine(record)
        view = SetupView(machine, self.providers())
        return SetupRun(planned(record), view, Doer(machine, self.providers(), record), agreed, lambda *_: None, sleep=lambda _: None).go()
