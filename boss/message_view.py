"""A message as the operator sees it: record, reply, attempts and timeline, with texts and addresses covered.

One dictionary is built and shown in two ways, as JSON and as lines, so that both say the same.
"""

from __future__ import annotations

from typing import Any, Final

from redis import Redis

from boss.explanations import explained
from boss.terminal.output import Ending
from shared.mailbox import Mailbox, keys, ledger
from shared.mailbox.ledger import Line
from shared.mailbox.records import Message, Reply
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.delivery_errors import sentence
from shared.model.events import EmailReceived, Received, SendEmailResponse, SmsReceived

KEPT: Final = 10_000  # the newest messages that the mailbox lists, and as many ledger lines as a timeline reads
SHORTEST: Final = 3
UNKNOWN: Final = 2


def resolve(mailbox: Mailbox, given: str) -> str:
    """The one message whose id is `given` or begins so; an `Ending` for none and for several."""
    if mailbox.message(given):
        return given
    beginnings = (given,) if given[:2] in ("m-", "n-") else (f"m-{given}", f"n-{given}")
    if len(given.partition("-")[2] or given) < SHORTEST:
        raise Ending(f"an id's beginning has at least {SHORTEST} digits", UNKNOWN)
    listed = dict.fromkeys([*mailbox.recent(KEPT), *mailbox.recent(KEPT, parked=True)])
    found = [name for name in listed if name.startswith(beginnings) and mailbox.message(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Ending("several messages begin so: " + ", ".join(found[:10]), UNKNOWN)
    raise Ending("there is no such message: it may have expired (RETENTION_DAYS), or `boss messages list` knows it", UNKNOWN)


def channel_of(redis: Redis, message: str) -> str:
    """`sms` or `email`, also for a message whose text has gone."""
    raw: Any = redis.hget(keys.message(message), "channel")
    return raw.decode() if raw else ""


def timeline(lines: list[Line], message: str, turn: str = "") -> list[Line]:
    """The lines about a message, its turns (also those that were dissolved) and their replies."""
    turns = {line.fields["turn"] for line in lines if line.fields.get("msg") == message and line.fields.get("turn")} | ({turn} - {""})
    replies = {"r-" + name.removeprefix("t-") for name in turns}
    return [
        line
        for line in lines
        if line.fields.get("msg") == message
        or ("msg" not in line.fields and (line.fields.get("turn") in turns or line.fields.get("reply") in replies))
    ]


def view(mailbox: Mailbox, message: str, *, body: bool) -> dict[str, Any]:
    """All that is known of a message; texts and addresses only with `body`."""
    record = mailbox.message(message)
    if record is None:
        raise Ending("there is no such message any more", UNKNOWN)
    reply = mailbox.reply_of(record)
    lines = timeline(ledger.latest(mailbox.redis, KEPT), message, record.turn)
    return {
        **summary(record, channel_of(mailbox.redis, message)),
        "why": explained(record.state, record.reason).sentence,
        "turn": record.turn,
        "errors": record.errors,
        "lost_leases": record.lost,
        "maybe_duplicate": record.maybe_duplicate,
        "content": _received(record.event, body=body) if record.event else None,
        "reply": _reply(reply, body=body) if reply else None,
        "timeline": [{"seq": line.seq, "type": line.type, **line.fields} for line in lines],
    }


def summary(record: Message, channel: str) -> dict[str, Any]:
    """What a list shows."""
    return {
        "id": record.id,
        "state": record.state.value,
        "reason": record.reason,
        "channel": channel,
        "kind": record.kind,
        "notice": record.notice,
        "conversation": record.conversation,
        "accepted_at_ms": record.accepted_at,
    }


def _received(event: Received, *, body: bool) -> dict[str, Any]:
    ends = {"from": _address(event.from_, body=body), "to": _address(event.to, body=body)}
    facts: dict[str, Any] = {"user": event.user, "signed": event.signed, **ends}
    if isinstance(event, SmsReceived):
        return {**facts, "provider_id": event.provider_id, "media": event.media_count, "text": _text(event.message, body=body)}
    if isinstance(event, EmailReceived):
        return {**facts, **_mail(event, body=body), "attachments": len(event.attachments), "text": _text(event.text, body=body)}
    return {**facts, "text": _text(event.text, body=body)}


def _mail(mail: EmailReceived | SendEmailResponse, *, body: bool) -> dict[str, Any]:
    headers = {"message_id": mail.message_id, "in_reply_to": mail.in_reply_to} if body else {}
    return {"subject": _text(mail.subject, body=body), **headers}


def _reply(reply: Reply, *, body: bool) -> dict[str, Any]:
    command = reply.command
    return {
        "id": reply.id,
        "state": reply.state.value,
        "maybe_sent": reply.maybe_sent,
        "maybe_duplicate": reply.maybe_duplicate,
        **({"code": reply.code, "why": sentence(reply.code)} if reply.code else {}),
        "from": _address(command.from_, body=body),
        "to": _address(command.to, body=body),
        **(_mail(command, body=body) if isinstance(command, SendEmailResponse) else {}),
        "text": _text(command.text, body=body),
        "attempts": [
            {
                "id": each.id,
                "at_ms": each.at,
                "outcome": each.outcome or "unresolved",
                "provider_id": each.provider_id,
                "code": each.code,
                "why": sentence(each.code),
            }
            for each in reply.attempts
        ],
    }


def _address(address: PhoneNumber | EmailAddress, *, body: bool) -> str:
    return address.value if body else address.masked()


def _text(text: str, *, body: bool) -> str:
    return text if body else f"({len(text)} characters, hidden)"
