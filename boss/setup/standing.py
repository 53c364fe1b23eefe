"""What stands at the providers, as far as it concerns us: values alone, read by `boss.setup.twilio` and `boss.setup.sendgrid`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingNumber:
    """A number of the Twilio account with its webhooks; "" for what is not set."""

    sid: str
    phone: str
    kind: str = ""
    """local, mobile, tollfree, national, or "" where Twilio does not say."""
    can_text: bool = True
    url: str = ""
    method: str = "POST"
    fallback: str = ""
    fallback_method: str = "POST"
    application: str = ""
    """If set, Twilio ignores the two addresses and calls the application's."""
    application_url: str = ""
    verification: str = ""
    """Of a toll-free number: the state of its verification, "" for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingService:
    """A Messaging Service. Unless `uses_number`, its own addresses count for all of its numbers."""

    sid: str
    name: str
    phones: tuple[str, ...] = ()
    uses_number: bool = False
    url: str = ""
    fallback: str = ""
    campaign: str = ""
    """The state of its A2P campaign, "" for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingTwilio:
    """The account."""

    numbers: tuple[StandingNumber, ...] = ()
    services: tuple[StandingService, ...] = ()
    brand: str = ""
    """The state of its A2P brand, "" for none."""
    trial: bool = False

    def number(self, phone: str) -> StandingNumber | None:
        """One of its numbers."""
        return next((each for each in self.numbers if each.phone == phone), None)

    def service_of(self, phone: str) -> StandingService | None:
        """The Messaging Service that a number is in."""
        return next((each for each in self.services if phone in each.phones), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsRecord:
    """A record that must be in the DNS."""

    kind: str
    """CNAME, MX or TXT."""
    host: str
    data: str
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingDomain:
    """An authenticated domain with the records that SendGrid asks for."""

    id: str
    domain: str
    valid: bool = False
    """Whether SendGrid has seen them."""
    records: tuple[DnsRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingParse:
    """Where the mail of a host is posted."""

    host: str
    url: str
    spam_check: bool = False
    send_raw: bool = False
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingPolicy:
    """A security policy; `public_key` is "" for one that does not sign."""

    id: str
    name: str
    public_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingEvents:
    """An event webhook; `public_key` is "" for one that does not sign."""

    id: str
    url: str
    name: str = ""
    enabled: bool = True
    events: frozenset[str] = frozenset()
    public_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingKey:
    """An API key, without its text."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingSendGrid:
    """The account."""

    domains: tuple[StandingDomain, ...] = ()
    parse: tuple[StandingParse, ...] = ()
    policies: tuple[StandingPolicy, ...] | None = ()
    """None where the account has none at all (403 or 404)."""
    events: tuple[StandingEvents, ...] = ()
    max_events: int = 1
    keys: tuple[StandingKey, ...] = ()

    def domain(self, name: str) -> StandingDomain | None:
        """The domain of that very name; one that was found comes first."""
        found = [each for each in self.domains if each.domain == name]
        return next((each for each in found if each.valid), found[0] if found else None)

    def authenticated(self, host: str) -> bool:
        """Whether SendGrid takes mail for a host: a domain at or above it was found."""
        return any(each.valid and (host == each.domain or host.endswith("." + each.domain)) for each in self.domains)

    def parse_of(self, host: str) -> StandingParse | None:
        """The parse setting of a host."""
        return next((each for each in self.parse if each.host == host), None)

    def policy(self, identity: str) -> StandingPolicy | None:
        """The policy of an id."""
        return next((each for each in self.policies or () if each.id == identity), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupStanding:
    """All of it. A provider that was not asked is None: nothing is planned there."""

    env: dict[str, str] = field(default_factory=dict, repr=False)
    """The names and values of `.env`."""
    usernames: frozenset[str] = frozenset()
    """Those of the users file."""
    users_file: str = ""
    users_text: str | None = field(default=None, repr=False)
    """The users file as it is; None where there is none."""
    files: dict[Path, str] = field(default_factory=dict, repr=False)
    """The texts of other programs' files, where they are."""
    twilio: StandingTwilio | None = None
    sendgrid: StandingSendGrid | None = None
