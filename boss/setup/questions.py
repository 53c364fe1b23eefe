"""What `boss setup` asks, and checks at once: keys with their provider, addresses by their form. Nothing is changed here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from boss.http import Unreachable, ask
from boss.setup.api import ApiAway, ApiRefused
from boss.setup.apply import Providers
from boss.setup.ask import Asker, Check
from boss.setup.people import faults_of
from boss.setup.sendgrid import SendGridSetup
from boss.setup.standing import StandingNumber, StandingTwilio
from boss.setup.twilio import TwilioSetup
from boss.terminal.output import Ending
from shared.errors import BadInput
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.users import User
from shared.net import is_loopback_url

T = TypeVar("T")
SECONDS: Final = 15.0
CLAUDE_VERSION: Final = "2026-10-21"
BASES: Final = {
    "TWILIO_API_BASE_URL": "https://api.twilio.com",
    "SENDGRID_API_BASE_URL": "https://api.sendgrid.com",
    "ANTHROPIC_BASE_URL": "https://api.anthropic.com",
}
DEFAULT_MODEL: Final = "claude-sonnet-5-5"
UNAUTHORIZED, FORBIDDEN, SERVER_ERROR = 401, 403, 500
_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}")
_KEY: Final = re.compile(r"[!-~]+")
_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before anybody is asked: `.env` under the environment, and the options of the command."""

    values: Mapping[str, str] = field(repr=False)
    options: Mapping[str, str] = field(repr=False)
    people: tuple[User, ...] = field(default=(), repr=False)

    def base(self, name: str) -> str:
        """The address of a provider's API."""
        return (self.values.get(name) or BASES[name]).rstrip("/")


@dataclass(slots=True)
class Answers:
    """What was answered; "" for a channel that is not wanted."""

    claude_key: str = field(default="", repr=False)
    public_url: str = ""
    account: str = ""
    token: str = field(default="", repr=False)
    full_key: str = field(default="", repr=False)
    boss_phone: str = ""
    boss_email: str = ""
    person: dict[str, str] | None = field(default=None, repr=False)
    providers: Providers = field(default_factory=Providers)


@dataclass(frozen=True, slots=True)
class SetupQuestions:
    """Asks whoever answers."""

    asker: Asker
    known: Known

    def all(self) -> Answers:
        """Every question that is open. Raises Ending when one has no good answer, or a provider does not answer."""
        answers = Answers(claude_key=self._claude(), public_url=self._public_url())
        twilio = self._twilio(answers)
        sendgrid = self._sendgrid(answers)
        answers.providers = Providers(twilio, sendgrid)
        if not (answers.account or answers.full_key or self.known.people):
            raise Ending("neither Twilio nor SendGrid: nobody could write to the Boss; nothing was changed")
        if twilio is not None:
            answers.boss_phone = self._boss_phone(twilio)
        if sendgrid is not None:
            answers.boss_email = self._boss_email()
        if not self.known.people:
            answers.person = self._person(answers)
        return answers

    def logins(self) -> Providers:
        """Only what is needed to put things back: the accounts that were set up."""
        answers = Answers()
        return Providers(self._twilio(answers), self._sendgrid(answers))

    def _value(self, name: str, question: str, check: Check, *, secret: bool = False, default: str = "") -> str:
        """The option, if it was given; else what is answered, the value that is there being the default."""
        if given := self.known.options.get(name):
            try:
                return check(given)
            except BadInput as error:
                raise Ending(f"{name}: {error.detail}; nothing was changed") from None
        return self.asker.ask(name, question, check, default=default or self.known.values.get(name, ""), secret=secret)

    def _claude(self) -> str:
        base, model = self.known.base("ANTHROPIC_BASE_URL"), self.known.values.get("BOSS_MODEL") or DEFAULT_MODEL
        needless = is_loopback_url(base)  # a host of this machine's own

        def check(key: str) -> str:
            return "" if needless and not key else _claude_key(base, model, key)

        return self._value("ANTHROPIC_API_KEY", f"Claude API key{' (Enter: none)' if needless else ''}", check, secret=True)

    def _public_url(self) -> str:
        return self._value("PUBLIC_URL", "The https:// address of this machine, as Twilio and SendGrid reach it", _public_url)

    def _twilio(self, answers: Answers) -> TwilioSetup | None:
        answers.account = self._value("TWILIO_ACCOUNT_SID", "Twilio Account SID (Enter: no texts)", _account)
        if not answers.account:
            return None
        base = self.known.base("TWILIO_API_BASE_URL")

        def check(token: str) -> str:
            found = TwilioSetup(base, answers.account, _key(token))
            state = _asked(found.check)
            if state != "active":
                raise BadInput(f"the Twilio account is {state}")
            return token

        answers.token = self._value("TWILIO_AUTH_TOKEN", "Twilio primary Auth Token", check, secret=True)
        return TwilioSetup(base, answers.account, answers.token)

    def _sendgrid(self, answers: Answers) -> SendGridSetup | None:
        base, stored = self.known.base("SENDGRID_API_BASE_URL"), self.known.values.get("SENDGRID_API_KEY", "")

        def check(key: str) -> str:
            if key and not _asked(SendGridSetup(base, _key(key)).check):
                raise BadInput("this key may not see domains, webhooks and keys: make one with Full Access for the set-up")
            return key

        without = "leave SendGrid as it is" if stored else "no mail"
        question = f"SendGrid API key with Full Access, which is not kept (Enter: {without})"
        answers.full_key = self.asker.ask("SENDGRID_API_KEY", question, check, secret=True)
        return SendGridSetup(base, answers.full_key) if answers.full_key else None

    def _boss_phone(self, twilio: TwilioSetup) -> str:
        """One of the account's numbers; none is asked for where the users file says it."""
        if any(user.boss_phone for user in self.known.people):
            return ""
        account = _asked(twilio.look)
        numbers = [each for each in account.numbers if each.can_text]
        if not numbers:
            raise Ending("the Twilio account has no number that can text: buy one (Twilio console, Phone Numbers); nothing was changed")
        if given := self.known.options.get("BOSS_PHONE"):
            return _one_of(_phone(given), numbers)
        return self.asker.choose("BOSS_PHONE", "The Boss's number", [(each.phone, _described(each, account)) for each in numbers])

    def _boss_email(self) -> str:
        if any(user.boss_email for user in self.known.people):
            return ""
        question = "The Boss's mail address, on a host of its own such as boss@boss.example.com"
        return self._value("BOSS_EMAIL", question, _email)

    def _person(self, answers: Answers) -> dict[str, str]:
        """The first person, who may do everything."""
        entry = {"username": self._value("USERNAME", "The first person's username, such as ada", _username)}
        entry["name"] = self._value("NAME", "What the Boss calls them", _any, default=entry["username"].title())
        if answers.boss_phone:
            entry |= {"phone": self._value("PHONE", "Their own number, such as +15551234567", _phone), "boss_phone": answers.boss_phone}
        if answers.boss_email:
            entry |= {"email": self._value("EMAIL", "Their own mail address", _email), "boss_email": answers.boss_email}
        entry["timezone"] = self._value("TIMEZONE", "Their time zone, such as Europe/Berlin", _zone, default="UTC")
        entry["role"] = "admin"
        if faults := faults_of(entry):
            raise Ending("\n".join([*faults, "nothing was changed"]))
        return entry


def _asked(ask_provider: Callable[[], T]) -> T:
    """What a provider answers. A refusal is a fault of the answer, which may be given again; silence ends the set-up."""
    try:
        return ask_provider()
    except ApiRefused as error:
        raise BadInput(error.detail) from None
    except ApiAway as error:
        raise Ending(f"{error.detail}; nothing was changed") from None


def _claude_key(base: str, model: str, key: str) -> str:
    """The key, if the host takes it. A gateway that lists no models says nothing about keys here; the doctor asks it further."""
    headers = {"x-api-key": _key(key), "anthropic-version": CLAUDE_VERSION}
    try:
        answer = ask(f"{base}/v1/models/{model}", timeout=SECONDS, headers=headers)
    except Unreachable as error:
        raise Ending(f"Claude does not answer: {error.detail}; nothing was changed") from None
    if answer.status in (UNAUTHORIZED, FORBIDDEN):
        raise BadInput(f"Claude refuses the key ({answer.status})")
    if answer.status >= SERVER_ERROR:
        raise Ending(f"Claude does not answer: it answers {answer.status}; nothing was changed")
    return key


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise BadInput("is missing, or has a character that no key has")
    return text


def _account(text: str) -> str:
    if text and not _ACCOUNT.fullmatch(text):
        raise BadInput("an Account SID begins with AC and has 32 hexadecimal digits after it")
    return text


def _public_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme == "https" and parts.hostname and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        good = False
    if not good:
        raise BadInput("must be https:// and the host that the providers call, without a query")
    return text.rstrip("/")


def _phone(text: str) -> str:
    try:
        return PhoneNumber.parse(text).value
    except BadInput:
        raise BadInput("must be an E.164 number such as +15551234567") from None


def _one_of(phone: str, numbers: list[StandingNumber]) -> str:
    if phone not in {each.phone for each in numbers}:
        raise Ending("BOSS_PHONE: is not a number of this Twilio account that can text; nothing was changed")
    return phone


def _email(text: str) -> str:
    try:
        return EmailAddress.parse(text).value
    except BadInput:
        raise BadInput("must be a mail address") from None


def _username(text: str) -> str:
    if not _USERNAME.fullmatch(text):
        raise BadInput("has small letters, digits, dots, dashes and underscores, at most 40")
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, OSError, ValueError):  # a name that is not there, or is none of a file
        raise BadInput("must be an IANA name such as Europe/Berlin") from None
    return text


def _any(text: str) -> str:
    return text


def _described(number: StandingNumber, account: StandingTwilio) -> str:
    """A number for the list: what it calls now, and what it is in."""
    service = account.service_of(number.phone)
    kind = f", {number.kind}" if number.kind else ""
    inside = f", in the Messaging Service {service.name}" if service else ""
    return f"{number.phone}{kind}{inside}"
