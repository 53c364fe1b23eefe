"""Fills Redis with conversations, a hundred thousand in seconds: copies of one that the product itself has held.

One text is accepted, answered and finished by the product. All its records are read back from the server and become one block of
raw commands. A copy is that block with other ids of the same length, so it has exactly the records that the mailbox writes. The end
of the ledger is copied too.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

from bench.harness.backlog import BacklogWriter
from bench.harness.installation import USERS, BenchInstallation, phone
from bench.harness.provider_server import ANSWER
from shared.mailbox import keys, ledger
from tests.support.wait import wait_for

MAX_BATCH: Final = 200
"""Blocks that are sent before their answers are read."""
LEDGER_LINES: Final = 100_000
FIRST_NUMBER: Final = 3_000_000
"""The last seven digits of the first copy's phone number; users of the installation have lower ones."""
COPIES_PER_HISTORY: Final = 20
"""Of a history of 40 entries: a message and its reply each."""
TEMPLATE_USER: Final = USERS - 1
TEMPLATE_TAG: Final = "ba11"
TEXT: Final = "What is on my list today?"
_NUMBERS: Final = itertools.count(1)


def pack(*words: bytes | str | float) -> bytes:
    """One command in Redis' protocol (RESP)."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


class Prefill:
    """The template conversation of one installation, and its copies."""

    def __init__(self, installation: BenchInstallation, backlog: BacklogWriter) -> None:
        """Hold the template conversation; the installation must not have answered anything before."""
        self._redis, self._backlog = installation.redis, backlog
        (self._conversation,) = backlog.write([TEMPLATE_USER], TEMPLATE_TAG)
        (self._sent, *_) = installation.providers.wait_for_sends(1, 30)
        self._message = backlog.event(TEMPLATE_USER, f"m-{TEMPLATE_TAG}{TEMPLATE_USER:020d}")
        wait_for(lambda: backlog.runtime.mailbox.message(self._message.id).state == "answered", 30, "the template's end")  # type: ignore[union-attr]
        self._ids = self._all_ids()
        self._commands = list(self._records())

    def _all_ids(self) -> tuple[bytes, ...]:
        """All ids in a conversation's records: conversation, message, turn, sender, pair, Twilio's id, phone number."""
        record = self._backlog.runtime.mailbox.message(self._message.id)
        assert record is not None
        identities, event = self._backlog.runtime.identities, self._message
        names = (self._conversation, event.id, record.turn, identities.sender(event.from_), identities.pair(event.to, event.from_))
        return (*(name.partition("-")[2].encode() for name in names), b"SM" + b"0" * 32, phone(TEMPLATE_USER).encode())

    def _records(self) -> Iterator[tuple[bytes | str | float, ...]]:
        for key in cast("list[bytes]", self._redis.keys("boss:*")):
            named = any(name in key for name in self._ids)
            yield from self._writes(key, named=named)

    def _writes(self, key: bytes, *, named: bool) -> Iterator[tuple[bytes | str | float, ...]]:
        """The commands that write one record; of a sorted set of all conversations only this one's entry."""
        redis: Any = self._redis
        kind, lasts = redis.type(key), redis.pttl(key)
        if kind == b"zset":
            yield from (("ZADD", key, score, name) for name, score in redis.zrange(key, 0, -1, withscores=True))
        if not named:
            return
        if kind == b"hash":
            yield ("HSET", key, *itertools.chain.from_iterable(redis.hgetall(key).items()))
        elif kind == b"list":
            yield ("RPUSH", key, *redis.lrange(key, 0, -1))
        elif kind == b"string":
            yield ("SET", key, redis.get(key))
        if lasts > 0:
            yield ("PEXPIRE", key, lasts)

    def _block(self, *, text: str = TEXT, answer: str = ANSWER) -> bytes:
        """The template's commands as one block, with other texts."""
        new = ((TEXT.encode(), text.encode()), (ANSWER.encode(), answer.encode()))
        block = b""
        for command in self._commands:
            words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
            for old, fresh in new:
                words = [word.replace(old, fresh) for word in words]
            block += pack(*words)
        return block

    def _copy(self, block: bytes, ids: Iterable[bytes]) -> bytes:
        for old, new in zip(self._ids, ids, strict=True):
            assert len(old) == len(new)
            block = block.replace(old, new)
        return block

    def _new_id(self, old: bytes, number: int) -> bytes:
        return b"SM" + b"%032x" % (1 << 64 | number) if old.startswith(b"SM") else b"%0*x" % (len(old), 1 << 80 | number)

    def write_conversations(self, count: int) -> float:
        """Write `count` conversations of people who write nothing more; return the seconds that it took."""
        began, block = time.monotonic(), self._block()
        lines = ledger.latest(self._redis, 100)
        copies = (self._copy(block, self._new_ids()) for _ in range(count))
        self._send(copies, len(self._commands))
        ledger_commands = [
            pack("XADD", keys.LEDGER, "*", "type", line.type, *itertools.chain.from_iterable(line.fields.items())) for line in lines
        ]
        times = min(count, LEDGER_LINES // len(ledger_commands))
        self._send(itertools.repeat(b"".join(ledger_commands), times), len(ledger_commands))
        return time.monotonic() - began

    def _new_ids(self) -> Iterator[bytes]:
        number = next(_NUMBERS)
        yield from (self._new_id(old, number) for old in self._ids[:-1])
        yield f"+1555{FIRST_NUMBER + number:07d}".encode()

    def write_histories(self, users: Iterable[int], size: int) -> None:
        """Give each user's conversation a full history of 40 entries of `size` bytes, in place of its own."""
        block = self._block(text="q" * size, answer="a" * size)
        for user in users:
            conversation, event = self._backlog.conversation(user), self._backlog.event(user)
            self._redis.delete(f"boss:history:{conversation}")
            identities = self._backlog.runtime.identities
            own = (identities.sender(event.from_), identities.pair(event.to, event.from_))
            copies = []
            for _ in range(COPIES_PER_HISTORY):
                number = next(_NUMBERS)
                ids = [conversation.partition("-")[2].encode(), *(self._new_id(old, number) for old in self._ids[1:3])]
                ids += [name.partition("-")[2].encode() for name in own]
                copies.append(self._copy(block, [*ids, self._new_id(self._ids[5], number), phone(user).encode()]))
            self._send(copies, len(self._commands))
            assert self._redis.llen(f"boss:history:{conversation}") == 2 * COPIES_PER_HISTORY

    def _send(self, blocks: Iterable[bytes], commands: int) -> None:
        """Send blocks of `commands` commands each, in batches. Raises redis-py's error for a command that failed."""
        connection: Any = self._redis.connection_pool.get_connection()
        try:
            rest = iter(blocks)
            while batch := list(itertools.islice(rest, MAX_BATCH)):
                connection.send_packed_command(batch)
                for _ in range(commands * len(batch)):
                    answer = connection.read_response()
                    if isinstance(answer, Exception):
                        raise answer
        finally:
            self._redis.connection_pool.release(connection)
