"""Does the steps of a plan, one at a time, and reads again what stands after each: what is left then is the truth, whatever came before."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from boss.setup.api import ApiAway, ApiRefused
from boss.setup.machine import Machine
from boss.setup.plan import plan
from boss.setup.record import SetupRecord
from boss.setup.sendgrid import SendGridSetup
from boss.setup.standing import SetupStanding
from boss.setup.steps import (
    AddPerson,
    Change,
    Delete,
    MakeDomain,
    MakeEvents,
    MakeKey,
    MakePolicy,
    Plan,
    RemoveFile,
    SetEnv,
    SetEvents,
    SetNumber,
    SetParse,
    SetService,
    SetupStep,
    SignEvents,
    ValidateDomain,
    WriteFile,
)
from boss.setup.twilio import TwilioSetup
from boss.setup.wanted import SetupGoal
from shared.backoff import delay

MAX_STEPS: Final = 200
TRIES: Final = 3
"""How often a step is begun whose outcome is not known."""


class SetupLook(Protocol):
    """What stands."""

    def standing(self) -> SetupStanding:
        """All of it; a provider is asked when it was changed since. Raises ApiAway, ApiRefused."""

    def changed(self, change: Change) -> None:
        """This was done, or may have been."""


@dataclass(frozen=True, slots=True)
class Providers:
    """The accounts, as far as there is a login for them."""

    twilio: TwilioSetup | None = None
    sendgrid: SendGridSetup | None = None


@dataclass(slots=True)
class SetupView:
    """Reads what stands, and remembers it until something is changed there."""

    machine: Machine
    providers: Providers
    _known: dict[str, object] = field(default_factory=dict)

    def standing(self) -> SetupStanding:
        """What stands here and at the providers."""
        here = self.machine.look()
        twilio, sendgrid = self.providers.twilio, self.providers.sendgrid
        if twilio is not None and "twilio" not in self._known:
            self._known["twilio"] = twilio.look()
        if sendgrid is not None and "sendgrid" not in self._known:
            self._known["sendgrid"] = sendgrid.look()
        return SetupStanding(**here, **self._known)  # type: ignore[arg-type]  # each under its own name

    def changed(self, change: Change) -> None:
        """Ask that provider again."""
        if isinstance(change, SetNumber | SetService):
            self._known.pop("twilio", None)
        elif not isinstance(change, SetEnv | AddPerson | WriteFile | RemoveFile):
            self._known.pop("sendgrid", None)


@dataclass(frozen=True, slots=True)
class Doer:
    """Carries out one change, after the record has what stands before it."""

    machine: Machine
    providers: Providers
    record: SetupRecord

    def do(self, step: SetupStep) -> None:
        """Raises ApiAway, ApiRefused, ConfigurationError."""
        if step.kept:
            self.record.keep_stood(step.key, step.stood)
        change = step.change
        match change:
            case SetEnv(values, undo):
                self.machine.set_env(values, keep=not undo)
            case AddPerson(entry):
                self.machine.add_person(entry)
            case WriteFile(path, text, private):
                self.machine.write_file(path, text, private=private)
            case RemoveFile(path):
                self.machine.remove_file(path)
            case SetNumber(sid, form):
                self._twilio.set_number(sid, form)
            case SetService(sid, form):
                self._twilio.set_service(sid, form)
            case _:
                self._at_sendgrid(change)

    def _at_sendgrid(self, change: Change) -> None:
        sendgrid = self._sendgrid
        match change:
            case MakeDomain(domain):
                sendgrid.make_domain(domain)
            case ValidateDomain(identity):
                sendgrid.validate_domain(identity)
            case MakePolicy(name):
                sendgrid.make_policy(name)
            case SetParse(host, document, new):
                sendgrid.make_parse(document) if new else sendgrid.set_parse(host, document)
            case MakeEvents(document):
                sendgrid.make_events(document)
            case SetEvents(identity, document):
                sendgrid.set_events(identity, document)
            case SignEvents(identity, on):
                sendgrid.sign_events(identity, on=on)
            case MakeKey(name):
                self.machine.set_env({"SENDGRID_API_KEY": sendgrid.make_key(name)})
            case Delete(kind, identity):
                sendgrid.delete(kind, identity)

    @property
    def _twilio(self) -> TwilioSetup:
        if self.providers.twilio is None:
            raise TypeError("a step at Twilio without its login")
        return self.providers.twilio

    @property
    def _sendgrid(self) -> SendGridSetup:
        if self.providers.sendgrid is None:
            raise TypeError("a step at SendGrid without its login")
        return self.providers.sendgrid


@dataclass(slots=True)
class SetupOutcome:
    """What became of the steps: `left` are those that were not done, each with the reason."""

    done: list[SetupStep] = field(default_factory=list)
    left: dict[str, tuple[SetupStep, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class SetupRun:
    """One pass over the steps until none is left that can be done."""

    planned: Callable[[SetupStanding], Plan]
    look: SetupLook
    doer: Doer
    agreed: frozenset[str]
    """The hosts of others that were typed: their webhooks may be replaced."""
    say: Callable[[SetupStep, str], None]
    sleep: Callable[[float], None] = time.sleep
    outcome: SetupOutcome = field(default_factory=SetupOutcome)

    def go(self) -> SetupOutcome:
        """Raises ApiAway when a provider cannot be read at all, and ConfigurationError."""
        tries: dict[str, int] = {}
        for _ in range(MAX_STEPS):
            found = self.planned(self.look.standing())
            step = self._next(found, tries)
            if step is None:
                return self._ended(found)
            tries[step.key] = tries.get(step.key, 0) + 1
            self._try(step, tries[step.key])
        return self._ended(self.planned(self.look.standing()))

    def _next(self, found: Plan, tries: dict[str, int]) -> SetupStep | None:
        """The first step that can be done now: nobody else's webhook is in its way, and what it waits for is through."""
        waiting = {step.key for step in found.steps}
        for step in found.steps:
            if step.key in self.outcome.left or (step.after and step.after in waiting):
                continue
            if others := [host for host in step.elsewhere if host not in self.agreed]:
                self.outcome.left[step.key] = (step, f"{others[0]} was not typed: it is left as it is")
            elif tries.get(step.key, 0) >= TRIES or any(step.key == done.key for done in self.outcome.done):
                self.outcome.left[step.key] = (step, _untaken(step))
            else:
                return step
        return None

    def _try(self, step: SetupStep, number: int) -> None:
        try:
            self.doer.do(step)
        except ApiRefused as error:
            self.outcome.left[step.key] = (step, error.detail)
            self.say(step, error.detail)
        except ApiAway as error:
            if number >= TRIES:
                self.outcome.left[step.key] = (step, f"{error.detail}; whether it was done is seen when this is run again")
                self.say(step, error.detail)
            else:
                self.sleep(delay(1.0, 8.0, number - 1))
        else:
            self.outcome.done.append(step)
            self.say(step, "")
        finally:
            self.look.changed(step.change)

    def _ended(self, found: Plan) -> SetupOutcome:
        for step in found.steps:
            if step.key not in self.outcome.left:
                self.outcome.left[step.key] = (step, "it waits for the step before it")
        self.outcome.notes = found.notes
        return self.outcome


def _untaken(step: SetupStep) -> str:
    if isinstance(step.change, ValidateDomain):
        return "SendGrid does not see the records yet"
    return "it was done, and what stands there says otherwise"


def forwards(wanted: SetupGoal) -> Callable[[SetupStanding], Plan]:
    """The plan of a set-up."""
    return lambda standing: plan(wanted, standing)
