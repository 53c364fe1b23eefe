"""Follows the ledger for all clients and tells each the outcome of the messages that it waits for.

A line of the ledger says that a message has ended, its records say how. The records are also read without a line, every POLL_SECONDS
and after each outage of Redis: a server that was killed may have lost lines, or a message with them.

A yes to a question has its outcome when the call that it allows has one: nothing else tells a client of the bridge what came of that call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, Protocol

from redis.exceptions import RedisError

from bridge.protocol.codes import ErrorCode
from bridge.protocol.server_session import MessageOutcome
from shared.errors import BosslineError
from shared.mailbox import AsyncMailbox, ledger
from shared.mailbox.ledger import Line
from shared.mailbox.records import Message, MessageState, Reply, reply_id_of
from shared.mailbox.wait_for_reply import ENDS
from shared.observability import logs
from shared.observability.outage import Outage

LOG: Final = logs.logger(__name__)
BLOCK_MS: Final = 500
"""How long one read waits for new lines. The records are polled between two reads, so it is well below POLL_SECONDS."""
RETRY_SECONDS: Final = 0.2
"""The wait after a failed read: one reader a bridge, so a Redis that comes back is noticed soon and not burdened."""
POLL_SECONDS: Final = 2.0
MAX_BATCH: Final = 200
"""Messages whose records are read in one round trip: their texts are all in memory at once."""
OPEN: Final = frozenset({MessageState.PENDING.value, MessageState.IN_TURN.value})


class Listener(Protocol):
    """Waits for the outcome of messages."""

    def ended(self, message: str, outcome: MessageOutcome) -> None:
        """A message has its outcome; called once or more."""


class LedgerFollower:
    """Follows the ledger from where it ends at `start`."""

    def __init__(self, mailbox: AsyncMailbox) -> None:
        """Nothing is followed before `start`."""
        self.mailbox = mailbox
        self.news = asyncio.Event()
        """Set when the ledger has new lines; then another event takes its place."""
        self._listeners: dict[str, list[Listener]] = {}
        self._stored: dict[str, None] = {}
        self._calls: dict[str, str] = {}
        """The yes that each approved call was allowed by, while somebody waits for it."""
        self._since = "0-0"
        self._poll_at = 0.0
        self._outage = Outage()

    async def start(self) -> None:
        """Note where the ledger ends. Call it before the first message is stored. Raises RedisError."""
        self._since = await ledger.newest_seq(self.mailbox.redis)

    def add_listener(self, message: str, listener: Listener) -> None:
        """Tell `listener` the message's outcome. Call it before the message is stored, or the outcome may be missed."""
        listeners = self._listeners.setdefault(message, [])
        if listener not in listeners:
            listeners.append(listener)

    def stored(self, message: str) -> None:
        """The message is stored: from now on its record is polled, and a record that is missing is a lost message."""
        if message in self._listeners:
            self._stored[message] = None

    def remove_listener(self, message: str, listener: Listener) -> None:
        """`listener` no longer waits for this message."""
        listeners = self._listeners.get(message, [])
        if listener in listeners:
            listeners.remove(listener)
        if not listeners:
            self._listeners.pop(message, None)
            self._stored.pop(message, None)
            self._calls = {call: answer for call, answer in self._calls.items() if answer != message}

    async def run(self) -> None:
        """Follow for ever, through every outage of Redis."""
        while True:
            try:
                if self._outage:
                    await self._resume()
                await self._step()
            except (RedisError, OSError) as error:
                if self._outage.begins():
                    LOG.warning("Redis does not answer the bridge.", action="storage_unavailable", reason=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def outcomes(self, messages: list[str]) -> dict[str, MessageOutcome | None]:
        """The outcome of each message; None for one that is still to be answered. Raises RedisError."""
        try:
            records = await self.mailbox.messages(messages)
            replies = await self.mailbox.replies([_reply_id(record) for record in records])
        except (BosslineError, LookupError, ValueError):
            return await self._one_by_one(messages)
        found = {name: outcome_of(record, reply) for name, record, reply in zip(messages, records, replies, strict=True)}
        allowed = {call: record for record, reply in zip(records, replies, strict=True) if record and (call := allowed_by(record, reply))}
        return found | (await self._outcomes_of_calls(allowed) if allowed else {})

    async def _outcomes_of_calls(self, allowed: dict[str, Message]) -> dict[str, MessageOutcome | None]:
        """The outcome of each yes, by its message: that of the call which it allowed, where that stands in the same conversation."""
        records = await self.mailbox.messages(list(allowed))
        calls = [each.id for each in records if each and each.conversation == allowed[each.id].conversation]
        outcomes = await self.outcomes(calls)
        self._calls |= {call: allowed[call].id for call in calls if outcomes[call] is None and allowed[call].id in self._listeners}
        return {allowed[call].id: outcomes[call] for call in calls}

    async def _one_by_one(self, messages: list[str]) -> dict[str, MessageOutcome | None]:
        """A record that cannot be read (a newer version's) must not keep the others' outcomes back."""
        if len(messages) == 1:
            return {messages[0]: MessageOutcome(code="unreadable")}
        found: dict[str, MessageOutcome | None] = {}
        for message in messages:
            found |= await self.outcomes([message])
        return found

    async def _step(self) -> None:
        lines = await ledger.news(self.mailbox.redis, self._since, block_ms=BLOCK_MS)
        if lines:
            self._since = lines[-1].seq
            self._announce()
            ended = [self._calls.get(name, name) for name in map(_ended_message, lines)]
            await self._notify([name for name in ended if name in self._listeners])
        if self._stored and time.monotonic() >= self._poll_at:
            await self._poll()

    async def _poll(self) -> None:
        """Read the states of all stored messages that somebody waits for."""
        for names in _batches(list(self._stored)):
            states = dict(zip(names, await self.mailbox.states(names), strict=True))
            # The server has lost what it acknowledged: its client sends it again.
            for lost in (name for name, state in states.items() if not state):
                self._notify_one(lost, MessageOutcome(code=ErrorCode.STORAGE_UNAVAILABLE))
            await self._notify([name for name, state in states.items() if state and state not in OPEN])
        self._poll_at = time.monotonic() + POLL_SECONDS

    async def _notify(self, messages: Iterable[str]) -> None:
        for names in _batches(list(dict.fromkeys(messages))):
            for name, outcome in (await self.outcomes(names)).items():
                if outcome is not None:
                    self._notify_one(name, outcome)

    def _notify_one(self, message: str, outcome: MessageOutcome) -> None:
        for listener in tuple(self._listeners.get(message, ())):
            listener.ended(message, outcome)

    async def _resume(self) -> None:
        """Redis is back. It may have lost its last lines, so that its newest line is older than the one that was read last."""
        newest = await ledger.newest_seq(self.mailbox.redis)
        if ledger.position(newest) < ledger.position(self._since):
            self._since = newest
        self._poll_at = 0.0
        self._announce()  # a subscriber whose line is lost hears so now, not with the next line
        if self._outage.ends():
            LOG.info("Redis answers the bridge again.", action="storage_back")

    def _announce(self) -> None:
        """Wake every subscription that waits for new lines."""
        announced, self.news = self.news, asyncio.Event()
        announced.set()


def outcome_of(record: Message | None, reply: Reply | None) -> MessageOutcome | None:
    """The outcome by a message's records; None while it is still to be answered."""
    if record is None:
        return MessageOutcome(code="expired")
    if record.state in (MessageState.PENDING, MessageState.IN_TURN):
        return None
    if record.state is MessageState.ANSWERED:
        # Without a reply there was nothing to say, or its record has expired.
        return MessageOutcome(reply.command) if reply else MessageOutcome(code=record.reason or "expired")
    if record.state is MessageState.IGNORED:
        return MessageOutcome(code=record.reason or ErrorCode.IGNORED)
    return MessageOutcome(code=record.state.value)


def allowed_by(record: Message, reply: Reply | None) -> str:
    """The message of the call that a yes has allowed; "" for any other message."""
    return f"m-{record.approval}" if reply is not None and reply.verdict in ("yes", "always") and record.approval else ""


def _ended_message(line: Line) -> str:
    return line.fields.get("msg", "") if line.type in ENDS else ""


def _reply_id(record: Message | None) -> str:
    return reply_id_of(record.turn if record else "")


def _batches(names: list[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while batch := list(islice(rest, MAX_BATCH)):
        yield batch
