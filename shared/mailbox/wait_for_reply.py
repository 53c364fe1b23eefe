"""Waiting for the answer to one message: one way for all who post something and want to see what comes of it.

The caller takes `ledger.last_seq` *before* it posts, posts, and then follows the ledger until the message's reply went
out, the message ended in another way, or patience ends. `ReplyWatch` judges the lines without any I/O; the records are asked
first and whenever the ledger is quiet, so that a duplicate of an answered message, or a line lost with a crashed server,
keeps nobody waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from redis import Redis

from shared.mailbox import Mailbox, ledger
from shared.mailbox.ledger import Line
from shared.mailbox.records import Message, MessageState, Reply, ReplyState, reply_id_of
from shared.observability.outage import Outage
from shared.storage.clients import AWAY

BLOCK_MS: Final = 500
"""Under the web process's socket timeout, so that any client of ours can follow."""
RECONNECT_SECONDS: Final = 0.2

End = Literal["answered", "ignored", "parked", "handed_over"]
ENDS: Final[dict[str, End]] = {"answered": "answered", "ignored": "ignored", "parked": "parked", "handed_over": "handed_over"}
ON_ITS_WAY: Final = frozenset({ReplyState.SENT, ReplyState.DELIVERED, ReplyState.UNDELIVERED})


@dataclass(frozen=True, slots=True)
class Waited:
    """What came of a message. `silence` means that patience ended first; `reply` is set when there is one to read."""

    outcome: End | Literal["silence"]
    message: str
    reason: str = ""
    seconds: float = 0.0
    reply: Reply | None = field(default=None, repr=False)


class ReplyWatch:
    """The judge of the ledger's lines for one message."""

    def __init__(self, message: str) -> None:
        self.message = message
        self.turn = ""

    def see(self, line: Line) -> End | None:
        """The message's end, when this line tells it."""
        if line.fields.get("msg") == self.message:
            self.turn = line.fields.get("turn") or self.turn
            return ENDS.get(line.type)
        ours = self.turn and line.fields.get("reply") == reply_id_of(self.turn)
        return "answered" if ours and line.type == "sent" else None


def wait_for_reply(mailbox: Mailbox, message: str, *, since: str, patience: float) -> Waited:
    """Follow the ledger from `since` until `message` is answered or ended otherwise, at most `patience` seconds.

    A server that goes away meanwhile is waited for like everything else.
    """
    started = time.monotonic()
    watch = ReplyWatch(message)
    for line in _opening_and_lines(mailbox.redis, since):
        if line is None:
            waited = _recorded_or_away(mailbox, message)
        else:
            end = watch.see(line)
            waited = (_recorded_or_away(mailbox, message) or Waited(end, message, line.fields.get("reason", ""))) if end else None
        passed = time.monotonic() - started
        if waited:
            return replace(waited, seconds=passed)
        if passed >= patience:
            break
    return Waited("silence", message, seconds=time.monotonic() - started)


def recorded(mailbox: Mailbox, message: str) -> Waited | None:
    """What the records say of a message; None while it is still to be answered, or not known."""
    record = mailbox.message(message)
    if record is None:
        return None
    reply = mailbox.reply_of(record)
    end = _end_of(record, reply)
    return Waited(end, message, record.reason, reply=reply) if end else None


def follow_through(redis: Redis, since: str, say: Callable[[str], None] | None = None) -> Iterator[Line | None]:
    """`ledger.follow` that outlasts a restart of the server; None whenever nothing came for a moment.

    `say` hears once when the server is lost and once when it is back.
    """
    outage = Outage()
    while True:
        try:
            for line in ledger.follow(redis, since, block_ms=BLOCK_MS):
                if outage.ends() and say:
                    say("Redis is back")
                since = line.seq if line else since
                yield line
        except AWAY as error:
            if outage.begins() and say:
                say(f"Redis does not answer ({type(error).__name__}); waiting for it")
        yield None
        time.sleep(RECONNECT_SECONDS)


def _opening_and_lines(redis: Redis, since: str) -> Iterator[Line | None]:
    """A first look at the records before any line."""
    yield None
    yield from follow_through(redis, since)


def _recorded_or_away(mailbox: Mailbox, message: str) -> Waited | None:
    try:
        return recorded(mailbox, message)
    except AWAY:
        return None


def _end_of(record: Message, reply: Reply | None) -> End | None:
    if record.state in (MessageState.PENDING, MessageState.IN_TURN):
        return "answered" if reply and reply.state in ON_ITS_WAY else None
    return ENDS[record.state.value]
