"""One follower of the ledger for all clients: it tells each of them what came of the messages that they wait for.

The ledger's lines say when; the records say what. The records are also asked without a line, every few seconds and after
each time that Redis was away: a server that was killed may have lost lines, or a message with them.
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
from shared.mailbox.records import Message, MessageState, Reply
from shared.mailbox.wait_for_reply import ENDS
from shared.observability import logs as telemetry
from shared.observability.outage import Outage

LOG: Final = telemetry.logger(__name__)
BLOCK_MS: Final = 500
AGAIN_SECONDS: Final = 0.2
LOOK_SECONDS: Final = 2.0
AT_ONCE: Final = 200
OPEN: Final = frozenset({MessageState.PENDING.value, MessageState.IN_TURN.value})


class Listener(Protocol):
    """Somebody who waits for messages' ends."""

    def ended(self, message: str, outcome: MessageOutcome) -> None:
        """A message has come to its end; called once or more."""


class Following:
    """Follows the ledger from its start on."""

    def __init__(self, mailbox: AsyncMailbox) -> None:
        """Nothing is followed before `start`."""
        self.mailbox = mailbox
        self.news = asyncio.Event()
        self._listeners: dict[str, list[Listener]] = {}
        self._stored: dict[str, None] = {}
        self._since = "0-0"
        self._look_at = 0.0
        self._outage = Outage()

    async def start(self) -> None:
        """Note where the ledger ends: to be called before the first message is accepted. Raises RedisError."""
        self._since = await ledger.newest_seq(self.mailbox.redis)

    def listen(self, message: str, listener: Listener) -> None:
        """Tell `listener` of the message's end; to be called before the message is accepted."""
        listeners = self._listeners.setdefault(message, [])
        if listener not in listeners:
            listeners.append(listener)

    def stored(self, message: str) -> None:
        """The message is stored, so its record has to be there from now on."""
        if message in self._listeners:
            self._stored[message] = None

    def forget(self, message: str, listener: Listener) -> None:
        """`listener` does not wait for this message any more."""
        listeners = self._listeners.get(message, [])
        if listener in listeners:
            listeners.remove(listener)
        if not listeners:
            self._listeners.pop(message, None)
            self._stored.pop(message, None)

    async def run(self) -> None:
        """Follow for ever, through every absence of Redis."""
        while True:
            try:
                if self._outage:
                    await self._come_back()
                await self._step()
            except (RedisError, OSError) as error:
                if self._outage.begins():
                    LOG.warning("Redis does not answer the bridge.", action="storage_unavailable", reason=type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS)

    async def outcomes(self, messages: list[str]) -> dict[str, MessageOutcome | None]:
        """What came of messages; None for one that is still to be answered. Raises RedisError."""
        try:
            records = await self.mailbox.messages(messages)
            replies = await self.mailbox.replies([_reply_id(record) for record in records])
        except (BosslineError, LookupError, ValueError):
            return await self._one_by_one(messages)
        return {name: outcome_of(record, reply) for name, record, reply in zip(messages, records, replies, strict=True)}

    async def _one_by_one(self, messages: list[str]) -> dict[str, MessageOutcome | None]:
        """One record that cannot be read must not keep the others back."""
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
            await self._tell([name for name in map(_ended_message, lines) if name in self._listeners])
        if self._stored and time.monotonic() >= self._look_at:
            await self._look()

    async def _look(self) -> None:
        """Ask the records of all messages that are waited for."""
        for names in _batches(list(self._stored)):
            states = dict(zip(names, await self.mailbox.states(names), strict=True))
            for lost in (name for name, state in states.items() if not state):
                self._tell_one(lost, MessageOutcome(code=ErrorCode.STORAGE_UNAVAILABLE))
            await self._tell([name for name, state in states.items() if state and state not in OPEN])
        self._look_at = time.monotonic() + LOOK_SECONDS

    async def _tell(self, messages: Iterable[str]) -> None:
        for names in _batches(list(dict.fromkeys(messages))):
            for name, outcome in (await self.outcomes(names)).items():
                if outcome is not None:
                    self._tell_one(name, outcome)

    def _tell_one(self, message: str, outcome: MessageOutcome) -> None:
        for listener in tuple(self._listeners.get(message, ())):
            listener.ended(message, outcome)

    async def _come_back(self) -> None:
        """Redis may have lost its last lines, so that the newest is older than the one that was read."""
        newest = await ledger.newest_seq(self.mailbox.redis)
        if ledger.position(newest) < ledger.position(self._since):
            self._since = newest
        self._look_at = 0.0
        self._announce()  # a subscriber whose line is gone hears so now, not with the next line
        if self._outage.ends():
            LOG.info("Redis answers the bridge again.", action="storage_back")

    def _announce(self) -> None:
        """Wake everybody who waits for new lines."""
        heard, self.news = self.news, asyncio.Event()
        heard.set()


def outcome_of(record: Message | None, reply: Reply | None) -> MessageOutcome | None:
    """What a message's records say; None while it is still to be answered."""
    if record is None:
        return MessageOutcome(code="expired")
    if record.state in (MessageState.PENDING, MessageState.IN_TURN):
        return None
    if record.state is MessageState.ANSWERED:
        return (
            MessageOutcome(reply.command) if reply else MessageOutcome(code=record.reason or "expired")
        )  # nothing to say, or nothing kept of it
    if record.state is MessageState.IGNORED:
        return MessageOutcome(code=record.reason or ErrorCode.IGNORED)
    return MessageOutcome(code=record.state.value)


def _ended_message(line: Line) -> str:
    return line.fields.get("msg", "") if line.type in ENDS else ""


def _reply_id(record: Message | None) -> str:
    return "r-" + record.turn.removeprefix("t-") if record and record.turn else "r-"


def _batches(names: list[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch
