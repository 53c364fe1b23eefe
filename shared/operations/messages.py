"""Messages as an operator sees them: what was received, what became of it and of its reply, with texts and addresses covered.

A summary is what a list shows, a view is all that is known of one message. Both are plain dictionaries, shown as lines by the command and
as a page by a console, so that both say the same. Times are in ms of Redis TIME.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypedDict

from redis import Redis

from shared.mailbox import Mailbox, keys, ledger
from shared.mailbox.forwarding import who
from shared.mailbox.ledger import Line
from shared.mailbox.records import Message, Reply, reply_id_of
from shared.model.addresses import Address, masked
from shared.model.delivery_errors import sentence
from shared.model.events import EmailReceived, Received, SendEmailResponse, SendSmsResponse, SmsReceived
from shared.operations.errors import NotPossible
from shared.operations.explanations import explained
from shared.operations.people import People

KEPT: Final = 10_000
"""How many of the newest messages the mailbox lists, and how many lines of the ledger a timeline reads from either end."""
GONE: Final = "there is no such message any more"


class MessageSummary(TypedDict):
    """What a list shows of a message."""

    id: str
    state: str
    reason: str
    """Why it is parked or ignored, or answered without a reply; "" otherwise."""
    why: str
    """What that means, in a sentence; of a reply that did not arrive what its code means."""
    helps: str
    """The command that helps, "" where none does."""
    channel: str
    kind: str
    """`text`, `mail`, `bridge`, or `notice` for a sentence of ours."""
    notice: str
    """Which sentence a notice is."""
    command: str
    """Which command it is, that code answers; "" for what the model answers."""
    approval: str
    """The question that it answers, or asks, and that waits for a yes; "" for none."""
    conversation: str
    accepted_at_ms: int
    who: str
    """The username, or the sender, masked, of somebody who is not in the users file; "" when nothing is known."""
    sender: str
    """Masked; "" when it is not known any more."""
    recipient: str
    """Likewise."""
    provider_id: str
    """The provider's id of a text that came in."""
    reply_state: str
    """The state of its reply, "" without one."""
    reply_code: str
    """Why its reply did not arrive, in the provider's words."""


class AttemptView(TypedDict):
    """One request to a provider."""

    id: str
    at_ms: int
    outcome: str
    """`accepted`, `refused`, `absent` (looked up and not found) or `unresolved`."""
    provider_id: str
    code: str
    why: str


class MessageView(MessageSummary):
    """All that is known of a message."""

    turn: str
    errors: int
    lost_leases: int
    maybe_duplicate: bool
    content: dict[str, Any] | None
    """What was received: `user`, `signed`, `from`, `to` and the channel's own; texts and addresses only if they were asked for."""
    reply: dict[str, Any] | None
    """`id`, `state`, the marks, `from`, `to`, the channel's own, and `attempts` (`AttemptView`)."""
    timeline: list[dict[str, str]]
    """The ledger's lines about the message, oldest first: `seq`, `type` and their fields."""


class ParkedMessage(MessageSummary):
    """A message that waits for an operator."""

    age_seconds: int


class Stranger(TypedDict):
    """Somebody who was not admitted."""

    at_ms: int
    channel: str
    reason: str
    who: str
    """Sender and recipient, masked."""


def summaries(mailbox: Mailbox, people: People, messages: Sequence[str]) -> list[MessageSummary]:
    """Of those of these messages that are kept, in this order."""
    records = [record for record in mailbox.messages(messages) if record]
    states = mailbox.reply_states([reply_id_of(record.turn) for record in records if record.turn])
    return [_summary(record, people, *states.get(reply_id_of(record.turn), ("", ""))) for record in records]


def parked(mailbox: Mailbox, people: People, limit: int) -> list[ParkedMessage]:
    """The messages that wait for an operator, those that were parked last first."""
    seconds, _ = mailbox.redis.time()
    found = summaries(mailbox, people, mailbox.recent(limit, parked=True))
    return [{**each, "age_seconds": max(0, int(seconds) - each["accepted_at_ms"] // 1000)} for each in found]


def view(mailbox: Mailbox, people: People, message: str, *, body: bool) -> MessageView:
    """All that is known of a message; texts and addresses only with `body`. Raises NotPossible `unknown_message`."""
    record = mailbox.message(message)
    if record is None:
        raise NotPossible(GONE, "unknown_message")
    reply = mailbox.reply_of(record)
    lines = timeline(_lines(mailbox.redis, record), message, record.turn)
    return {
        **_summary(record, people, *((reply.state.value, reply.code) if reply else ("", ""))),
        "turn": record.turn,
        "errors": record.errors,
        "lost_leases": record.lost,
        "maybe_duplicate": record.maybe_duplicate,
        "content": _received(record.event, body=body) if record.event else None,
        "reply": _reply(reply, body=body) if reply else None,
        "timeline": [{"seq": line.seq, "type": line.type, **line.fields} for line in lines],
    }


def timeline(lines: Sequence[Line], message: str, turn: str = "") -> list[Line]:
    """The lines about a message, its turns (also those that were dissolved) and their replies."""
    turns = {line.fields["turn"] for line in lines if line.fields.get("msg") == message and line.fields.get("turn")} | ({turn} - {""})
    replies = {reply_id_of(name) for name in turns}
    return [
        line
        for line in lines
        if line.fields.get("msg") == message
        or ("msg" not in line.fields and (line.fields.get("turn") in turns or line.fields.get("reply") in replies))
    ]


def recent_strangers(redis: Redis) -> list[Stranger]:
    """The last senders who were not admitted, newest first; `accept.lua` keeps 200 of them."""
    found: Any = redis.zrevrange(keys.STRANGERS, 0, -1, withscores=True)
    return [_stranger(member.decode(), int(at)) for member, at in found]


def _stranger(member: str, at_ms: int) -> Stranger:
    """`channel reason sender to recipient`, as `accept.lua` writes it."""
    channel, reason, who = (*member.split(" ", 2), "", "")[:3]
    return {"at_ms": at_ms, "channel": channel, "reason": reason, "who": who}


def _lines(redis: Redis, record: Message) -> list[Line]:
    """Those since the message came, and the newest: an old message may have been retried lately."""
    first = ledger.earliest(redis, record.accepted_at, KEPT)
    last = [line for line in ledger.latest(redis, KEPT) if line.at_ms >= record.accepted_at] if len(first) == KEPT else []
    return list({line.seq: line for line in [*first, *last]}.values())


def _summary(record: Message, people: People, reply_state: str, reply_code: str) -> MessageSummary:
    found = explained(record.state, record.reason)
    event = record.event
    sender, recipient = (who(event) if event else record.who).partition(" to ")[::2]
    name = event.user if event else people.name_of(record.user)
    return {
        "id": record.id,
        "state": record.state.value,
        "reason": record.reason,
        "why": found.sentence or sentence(reply_code),
        "helps": found.command.replace("ID", record.id),
        "channel": record.channel,
        "kind": record.kind,
        "notice": record.notice,
        "command": record.command,
        "approval": record.approval,
        "conversation": record.conversation,
        "accepted_at_ms": record.accepted_at,
        "who": name or sender,
        "sender": sender,
        "recipient": recipient,
        "provider_id": event.provider_name if event else record.provider_id,
        "reply_state": reply_state,
        "reply_code": reply_code,
    }


def _received(event: Received, *, body: bool) -> dict[str, Any]:
    ends = {"from": _address(event.from_, body=body), "to": _address(event.to, body=body)}
    facts: dict[str, Any] = {"user": event.user, "signed": event.signed, **ends}
    if isinstance(event, SmsReceived):
        return {**facts, "provider_id": event.provider_id, "media": event.media_count, "text": _text(event.message, body=body)}
    if isinstance(event, EmailReceived):
        files = {"attachments": len(event.attachments), "files_not_kept": sum(bool(file.fault) for file in event.files)}
        return {**facts, **_mail(event, body=body), **files, "text": _text(event.text, body=body)}
    return {**facts, "text": _text(event.text, body=body)}


def _mail(mail: EmailReceived | SendEmailResponse, *, body: bool) -> dict[str, Any]:
    headers = {"message_id": mail.message_id, "in_reply_to": mail.in_reply_to} if body else {}
    via, author = (mail.via, mail.author_address) if isinstance(mail, EmailReceived) else ("", "")
    others = {"author": author if body else masked(author), "forwarding_address": via if body else masked(via)} if via else {}
    return {"subject": _text(mail.subject, body=body), **others, **headers}


def _reply(reply: Reply, *, body: bool) -> dict[str, Any]:
    command = reply.command
    attempts: list[AttemptView] = [
        {
            "id": each.id,
            "at_ms": each.at,
            "outcome": each.outcome or "unresolved",
            "provider_id": each.provider_id,
            "code": each.code,
            "why": sentence(each.code),
        }
        for each in reply.attempts
    ]
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
        **_billed(reply),
        "attempts": attempts,
    }


def _billed(reply: Reply) -> dict[str, Any]:
    """What Twilio bills for a text, and how much of the answer waits for MORE."""
    if not reply.segments:
        return {}
    rest = reply.command.rest if isinstance(reply.command, SendSmsResponse) else ""
    figures: dict[str, Any] = {"segments": reply.segments, "encoding": reply.encoding, "price_class": reply.price_class}
    return {**figures, **({"rest": f"{len(rest)} characters"} if rest else {})}


def _address(address: Address, *, body: bool) -> str:
    return address.value if body else address.masked()


def _text(text: str, *, body: bool) -> str:
    return text if body else f"({len(text)} characters, hidden)"
