"""Puts back what stood before `boss setup`, by its record. Pure.

Only what is still ours is touched: a webhook that somebody has pointed elsewhere since, a line of `.env` that was edited, a file that was
changed stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boss.setup.plan_twilio import as_it_stands
from boss.setup.record import SetupRecord
from boss.setup.sendgrid import EVENT_FLAGS
from boss.setup.standing import SetupStanding, StandingSendGrid, StandingTwilio
from boss.setup.steps import (
    Change,
    Delete,
    Plan,
    RemoveFile,
    SetEnv,
    SetEvents,
    SetNumber,
    SetParse,
    SetService,
    SetupStep,
    SignEvents,
    WriteFile,
)
from boss.setup.wanted import SetupGoal

AT_TWILIO = ("number", "fallback", "service")
AT_SENDGRID = ("domain", "policy", "parse", "events", "signature", "key")


@dataclass(frozen=True, slots=True)
class Undo:
    """How to get from what stands to what stood. Of `wanted` the addresses and the name of our things are read."""

    wanted: SetupGoal
    record: SetupRecord

    def plan(self, standing: SetupStanding) -> Plan:
        """What is left to put back: at the providers first, newest first, and `.env` last."""
        steps: list[SetupStep] = []
        for key in reversed([*self.record.stood]):
            change = self._change(standing, key)
            if change is not None:
                steps.append(SetupStep(key=key, says=self._says(key), change=change, kept=False))
        steps += self._person(standing)
        steps += self._files(standing)
        steps += self._env(standing)
        return Plan(steps=tuple(steps))

    def _says(self, key: str) -> str:
        what, _, name = key.partition(":")
        stood = self.record.stood[key]
        at = "Twilio" if what in AT_TWILIO else "SendGrid"
        of = f" {name}" if name else ""
        words = {
            "number": "webhook of", "fallback": "fallback of", "service": "Messaging Service", "key": "key that sends",
            "events": "event webhook", "signature": "event webhook's signature", "parse": "parse host",
        }  # fmt: skip
        return f"{at}: {'put back' if stood is not None else 'delete'} the {words.get(what, what)}{of}"

    def _change(self, standing: SetupStanding, key: str) -> Change | None:
        what, _, name = key.partition(":")
        stood = self.record.stood[key]
        if what in AT_TWILIO and standing.twilio is not None:
            return self._at_twilio(standing.twilio, what, name, stood)
        if what in AT_SENDGRID and standing.sendgrid is not None:
            made: dict[str, Callable[[StandingSendGrid, str, Any], Change | None]] = {
                "domain": self._domain, "policy": self._policy, "parse": self._parse, "events": self._events, "signature": self._signature,
                "key": self._key,
            }  # fmt: skip
            return made[what](standing.sendgrid, name, stood)
        return None

    def _at_twilio(self, standing: StandingTwilio, what: str, name: str, stood: dict[str, str]) -> Change | None:
        if what == "service":
            found = next((each for each in standing.services if each.sid == name), None)
            return SetService(name, stood) if found is not None and found.uses_number else None
        number = standing.number(name)
        if number is None or not self.wanted.is_ours(number.url if what == "number" else number.fallback):
            return None
        now = as_it_stands(number)
        return None if all(now[field] == value for field, value in stood.items()) else SetNumber(number.sid, stood)

    def _domain(self, standing: StandingSendGrid, name: str, stood: Any) -> Change | None:
        found = standing.domain(name)
        return Delete("domain", found.id) if found is not None and stood is None else None

    def _policy(self, standing: StandingSendGrid, _: str, __: Any) -> Change | None:
        found = next((each for each in standing.policies or () if each.name == self.wanted.name), None)
        return Delete("policy", found.id) if found is not None else None

    def _parse(self, standing: StandingSendGrid, host: str, stood: dict[str, Any] | None) -> Change | None:
        found = standing.parse_of(host)
        if found is None or not self.wanted.is_ours(found.url):
            return None
        if stood is None:
            return Delete("parse", host)
        document = {name: stood[name] for name in ("url", "spam_check", "send_raw")} | {"security_policy": stood["policy"] or None}
        same = (found.url, found.policy) == (stood["url"], stood["policy"])
        return None if same else SetParse(host, document)

    def _events(self, standing: StandingSendGrid, _: str, stood: dict[str, Any] | None) -> Change | None:
        identity = stood["id"] if stood else ""
        ours = (each for each in standing.events if each.name == self.wanted.name and self.wanted.is_ours(each.url))
        found = next((each for each in ours if not identity or each.id == identity), None)
        if found is None:
            return None
        if stood is None:
            return Delete("events", found.id)
        names = ("url", "enabled", "friendly_name", *EVENT_FLAGS)
        return SetEvents(found.id, {name: stood[name] for name in names})

    def _signature(self, standing: StandingSendGrid, _: str, stood: dict[str, Any]) -> Change | None:
        found = next((each for each in standing.events if each.id == stood["id"]), None)
        return SignEvents(found.id, on=False) if found is not None and found.public_key else None

    def _key(self, standing: StandingSendGrid, _: str, __: Any) -> Change | None:
        found = next((each for each in standing.keys if each.name == self.wanted.name), None)
        return Delete("key", found.id) if found is not None else None

    def _person(self, standing: SetupStanding) -> Iterator[SetupStep]:
        """The users file as it was, unless it was edited since."""
        if "person" not in self.record.stood or standing.users_text is None:
            return
        path, before = Path(standing.users_file), self.record.stood["person"]
        if before != standing.users_text and self.record.files.get(str(path)) == self.record.digest(standing.users_text):
            change = RemoveFile(path) if before is None else WriteFile(path, before, private=True)
            yield SetupStep(key="person", says=f"{path}: as it was", change=change, kept=False)

    def _files(self, standing: SetupStanding) -> Iterator[SetupStep]:
        for path, text in standing.files.items():
            if self.record.files.get(str(path)) == self.record.digest(text):
                yield SetupStep(key=f"file:{path}", says=f"remove {path}", change=RemoveFile(path), kept=False)

    def _env(self, standing: SetupStanding) -> Iterator[SetupStep]:
        found = {
            name: kept["before"]
            for name, kept in self.record.env.items()
            if name in standing.env and standing.env[name] != kept["before"] and self.record.digest(standing.env[name]) in kept["ours"]
        }
        if found:
            yield SetupStep(key="env", says=f".env: put back {', '.join(found)}", change=SetEnv(found, undo=True), kept=False)
