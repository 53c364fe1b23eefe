"""What stands in the SendGrid account: authenticated domains, parse hosts, security policies, event webhooks, API keys.

A test replaces it as a whole by `POST /sandbox/account`; the product changes it by SendGrid's own API. By default mail to the Boss's host
and all events go to the product already.
"""

from __future__ import annotations

import secrets
import uuid
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlencode

from pydantic import Field

from sandbox.engine.faults import StrictModel

if TYPE_CHECKING:
    from sandbox.engine.settings import SandboxSettings

MAX_KEYS: Final = 100
MAX_EVENT_WEBHOOKS: Final = 5
DEFAULT_POLICY: Final = "sandbox-policy"
DEFAULT_EVENTS: Final = "sandbox-events"
"""The ids of what signs with SANDBOX_SENDGRID_PRIVATE_KEY."""
EVENT_FLAGS: Final = (
    *("processed", "deferred", "delivered", "bounce", "dropped", "open", "click"),
    *("spam_report", "unsubscribe", "group_unsubscribe", "group_resubscribe"),
)
"""The switches of an event webhook."""
FLAG_OF_EVENT: Final = {"blocked": "bounce", "spamreport": "spam_report"}
"""The switch of an event whose name is another."""


def webhook_url(settings: SandboxSettings, path: str) -> str:
    """The URL of a mail webhook that is set by default, with a token if a secret is configured."""
    secret = settings.email_webhook_secret
    return settings.public_url + path + (f"?{urlencode({'token': secret})}" if secret else "")


class AuthenticatedDomain(StrictModel):
    """A domain whose DNS records sign its mail."""

    domain: str
    id: int = Field(default_factory=lambda: 1_000 + secrets.randbelow(9_000_000))
    subdomain: str = "em1"
    valid: bool = False
    """Whether SendGrid has seen the DNS records."""


class ParseSetting(StrictModel):
    """Where mail to a host is posted."""

    hostname: str
    url: str
    spam_check: bool = False
    send_raw: bool = False
    security_policy: str | None = None


class SecurityPolicy(StrictModel):
    """How posted mail proves that it is SendGrid's."""

    name: str
    id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    signature: bool = True


class EventWebhook(StrictModel):
    """Where events are posted, and which."""

    url: str
    id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    enabled: bool = True
    signed: bool = False
    friendly_name: str | None = None
    events: list[str] = Field(default_factory=lambda: list(EVENT_FLAGS))
    """Those of EVENT_FLAGS that are on."""

    def posts(self, event: str) -> bool:
        """Whether it is told of an event."""
        return self.enabled and FLAG_OF_EVENT.get(event, event) in self.events


class IssuedKey(StrictModel):
    """An API key that was made by the API. Its text is shown once, to whoever made it."""

    name: str
    scopes: list[str] | None = None
    """Null: full access."""
    id: str = Field(default_factory=lambda: secrets.token_urlsafe(16))
    secret: str = Field(default="", exclude=True)


class SendGridAccount(StrictModel):
    """All of it."""

    domains: list[AuthenticatedDomain] = Field(default_factory=list)
    dns: Literal["found", "missing"] = "found"
    """Whether the domains' DNS records are there when SendGrid looks."""
    parse: list[ParseSetting] = Field(default_factory=list)
    policies: list[SecurityPolicy] = Field(default_factory=list)
    has_policies: bool = True
    """Whether the account may have security policies at all."""
    event_webhooks: list[EventWebhook] = Field(default_factory=list)
    max_event_webhooks: int = MAX_EVENT_WEBHOOKS
    api_keys: list[IssuedKey] = Field(default_factory=list)
    assumed: bool = False
    """Whether mail to a host without a parse setting goes to the product, too."""

    @classmethod
    def default(cls, settings: SandboxSettings) -> SendGridAccount:
        """Mail to the Boss's host, and all events, go to the product; signed if there is a key to sign with."""
        host, signed = settings.boss_email.rpartition("@")[2], bool(settings.sendgrid_private_key)
        inbound = ParseSetting(
            hostname=host, url=webhook_url(settings, "/email/inbound"), security_policy=DEFAULT_POLICY if signed else None
        )
        return cls(
            domains=[AuthenticatedDomain(domain=host, id=1, valid=True)],
            parse=[inbound],
            policies=[SecurityPolicy(name="sandbox", id=DEFAULT_POLICY)] if signed else [],
            event_webhooks=[EventWebhook(url=webhook_url(settings, "/email/events"), id=DEFAULT_EVENTS, signed=signed)],
            assumed=True,
        )

    def parse_setting(self, host: str) -> ParseSetting | None:
        """The parse setting of a host."""
        return next((each for each in self.parse if each.hostname == host.lower()), None)

    def policy(self, identity: str) -> SecurityPolicy | None:
        """The policy of an id."""
        return next((each for each in self.policies if each.id == identity), None)

    def event_webhook(self, identity: str) -> EventWebhook | None:
        """The event webhook of an id; the oldest one for none."""
        found = self.event_webhooks if not identity else [each for each in self.event_webhooks if each.id == identity]
        return found[0] if found else None

    def domain(self, identity: str) -> AuthenticatedDomain | None:
        """The domain of an id."""
        return next((each for each in self.domains if str(each.id) == identity), None)

    def authenticated(self, host: str) -> bool:
        """Whether a host is, or is under, a domain whose records SendGrid has seen."""
        return any(each.valid and (host == each.domain or host.endswith("." + each.domain)) for each in self.domains)

    def key(self, secret: str) -> IssuedKey | None:
        """The key that was made with this text."""
        return next((each for each in self.api_keys if each.secret and secrets.compare_digest(each.secret.encode(), secret.encode())), None)
