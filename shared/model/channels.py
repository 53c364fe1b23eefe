"""What a channel is: one row of facts that everybody else looks up, so that a further channel is a row and its two ends.

Its ends are `webhook_api/<name>/` (in) and `supervisor_worker/channels/<provider>/` (out: `formats.FORMATS`, `ports.PORTS`). The web
process also lists the paths of its webhooks (`webhook_api/app.py`), and how its provider proves itself (`_CREDENTIAL_HEADERS` and
`has_credentials` in `webhook_api/security/authentication.py`). CONTRIBUTING.md has all steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from shared.model.addresses import Address, Channel, EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, Event, Received, Response, SendEmailResponse, SendSmsResponse, SmsReceived


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelKind:
    """One channel.

    `kind` is what a record calls its messages. `own_address` and `boss_address` are the fields of a user that hold both ends,
    `further_addresses` the field with the others that the person writes from.
    `job` is the dotted name that RQ calls to wake a conversation. `kept_days` is how long the record of an unanswered message is kept,
    and its id known; `known_days` how long an answered one's id is known.
    """

    provider: str
    received: type[Received]
    response: type[Response]
    kind: Literal["text", "mail"]
    own_address: str
    boss_address: str
    further_addresses: str
    kept_days: int
    known_days: int
    job: str = "supervisor_worker.jobs.message_received"
    redelivers: bool = False
    """Whether the provider delivers a message again, for days, after a 5xx."""
    settles: bool = False
    """Whether a message waits SMS_SETTLE_SECONDS for others that belong to it."""
    has_threads: bool = False
    """Whether one person has many conversations, which are bounded each and all together."""
    reports_late: bool = False
    """Whether the provider is asked about messages of which no final report has come."""


CHANNELS: Final[dict[Channel, ChannelKind]] = {
    "sms": ChannelKind(
        provider="twilio",
        received=SmsReceived,
        response=SendSmsResponse,
        kind="text",
        own_address="phone",
        boss_address="boss_phone",
        further_addresses="phone_aliases",
        kept_days=30,
        # Twilio's signature has no time in it: a captured text can be posted again for as long as the Auth Token lives, which is to be
        # changed once a year. 100 bytes each (docs/reference/data.md).
        known_days=400,
        job="supervisor_worker.jobs.sms_received",
        settles=True,
        reports_late=True,
    ),
    "email": ChannelKind(
        provider="sendgrid",
        received=EmailReceived,
        response=SendEmailResponse,
        kind="mail",
        own_address="email",
        boss_address="boss_email",
        further_addresses="email_aliases",
        kept_days=7,  # beyond SendGrid's 3 days of retries
        known_days=7,
        job="supervisor_worker.jobs.email_received",
        redelivers=True,
        has_threads=True,
    ),
}


def opening_event(ends: tuple[Address, Address], name: str, user: str, subject: str, at: float) -> Received:
    """The event that a message answers which the Boss begins; a mail's begins a thread, whose id is the message's own.

    `ends` are the Boss's address and the person's, both of one channel; `at` is in epoch seconds. Raises TypeError for other ends.
    """
    boss, own = ends
    if isinstance(boss, PhoneNumber) and isinstance(own, PhoneNumber):
        return SmsReceived(id=name, from_=own, to=boss, message="", user=user, provider_id="", received_at=at)
    if isinstance(boss, EmailAddress) and isinstance(own, EmailAddress):
        header = f"<{name}@{boss.domain}>"
        return EmailReceived(id=name, from_=own, to=boss, subject=subject, body="", user=user, message_id=header, received_at=at)
    raise TypeError("not two addresses of one channel")


def of_provider(provider: str) -> Channel:
    """The channel of a provider; '' for one that carries no messages."""
    return next((name for name, channel in CHANNELS.items() if channel.provider == provider), "")


def of_type(received: str) -> Channel:
    """The channel of an event by its wire name, such as `sms_received`. Raises StopIteration for a name of none."""
    return next(name for name, channel in CHANNELS.items() if channel.received.type == received)


def event_classes() -> Iterator[type[Event]]:
    """Every class of messages, in and out."""
    for channel in CHANNELS.values():
        yield channel.received
        yield channel.response
