"""Conversations that are there already, a hundred thousand in seconds: copies of one that really was held.

One text is sent, answered and finished by the product; every record of it is read back from the server and made into one block of
raw commands. A copy is that block with other ids of the same length put in, so that it has all records, and only those, whatever
the mailbox keeps. The end of the ledger is copied too.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

from bench.harness.backlog import Crowd
from bench.harness.installation import USERS, Installation, phone
from bench.harness.provider_server import ANSWER
from shared.mailbox import keys, ledger
from tests.support.wait import wait_for

BATCH: Final = 200
LEDGER_LINES: Final = 100_000
STRANGERS: Final = 3_000_000
ENTRIES: Final = 20
"""Copies in a history of 40: a message and its reply each."""
TEMPLATE_USER: Final = USERS - 1
TEMPLATE_TAG: Final = "ba11"
TEXT: Final = "What is on my list today?"
_NUMBERS: Final = itertools.count(1)


def packed(*words: bytes | str | float) -> bytes:
    """One command as Redis reads it."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


class Ballast:
    """The template of one house, and its copies."""

    def __init__(self, boss: Installation, crowd: Crowd) -> None:
        """Hold the conversation that is copied; the installation has answered nothing yet."""
        self._redis, self._crowd = boss.redis, crowd
        (self._conversation,) = crowd.write([TEMPLATE_USER], TEMPLATE_TAG)
        (self._sent, *_) = boss.stub.wait_for_sends(1, 30)
        self._message = crowd.event(TEMPLATE_USER, f"m-{TEMPLATE_TAG}{TEMPLATE_USER:020d}")
        wait_for(lambda: crowd.runtime.mailbox.message(self._message.id).state == "answered", 30, "the template's end")  # type: ignore[union-attr]
        self._ids = self._all_ids()
        self._commands = list(self._records())

    def _all_ids(self) -> tuple[bytes, ...]:
        """What names a conversation's records: conversation, message, turn, sender, pair, Twilio's id, phone."""
        record = self._crowd.runtime.mailbox.message(self._message.id)
        assert record is not None
        identities, event = self._crowd.runtime.identities, self._message
        names = (self._conversation, event.id, record.turn, identities.sender(event.from_), identities.pair(event.to, event.from_))
        return (*(name.partition("-")[2].encode() for name in names), b"SM" + b"0" * 32, phone(TEMPLATE_USER).encode())

    def _records(self) -> Iterator[tuple[bytes | str | float, ...]]:
        for key in cast("list[bytes]", self._redis.keys("boss:*")):
            named = any(name in key for name in self._ids)
            yield from self._writes(key, named=named)

    def _writes(self, key: bytes, *, named: bool) -> Iterator[tuple[bytes | str | float, ...]]:
        """The commands that write one record; of a list of all conversations only this one's place in it."""
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
        """The template's commands, with other texts."""
        new = ((TEXT.encode(), text.encode()), (ANSWER.encode(), answer.encode()))
        block = b""
        for command in self._commands:
            words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
            for old, fresh in new:
                words = [word.replace(old, fresh) for word in words]
            block += packed(*words)
        return block

    def _copy(self, block: bytes, ids: Iterable[bytes]) -> bytes:
        for old, new in zip(self._ids, ids, strict=True):
            assert len(old) == len(new)
            block = block.replace(old, new)
        return block

    def _fresh(self, old: bytes, number: int) -> bytes:
        return b"SM" + b"%032x" % (1 << 64 | number) if old.startswith(b"SM") else b"%0*x" % (len(old), 1 << 80 | number)

    def strangers(self, count: int) -> float:
        """Write so many conversations of people who say nothing more; the seconds that it took."""
        began, block = time.monotonic(), self._block()
        lines = ledger.latest(self._redis, 100)
        copies = (self._copy(block, self._stranger()) for _ in range(count))
        self._send(copies, len(self._commands))
        told = [packed("XADD", keys.LEDGER, "*", "type", line.type, *itertools.chain.from_iterable(line.fields.items())) for line in lines]
        times = min(count, LEDGER_LINES // len(told))
        self._send(itertools.repeat(b"".join(told), times), len(told))
        return time.monotonic() - began

    def _stranger(self) -> Iterator[bytes]:
        number = next(_NUMBERS)
        yield from (self._fresh(old, number) for old in self._ids[:-1])
        yield f"+1555{STRANGERS + number:07d}".encode()

    def histories(self, users: Iterable[int], size: int) -> None:
        """Give each user's conversation a full history of 40 entries of `size` bytes, in place of the one that it has."""
        block = self._block(text="q" * size, answer="a" * size)
        for user in users:
            conversation, event = self._crowd.conversation(user), self._crowd.event(user)
            self._redis.delete(f"boss:history:{conversation}")
            identities = self._crowd.runtime.identities
            own = (identities.sender(event.from_), identities.pair(event.to, event.from_))
            copies = []
            for _ in range(ENTRIES):
                number = next(_NUMBERS)
                ids = [conversation.partition("-")[2].encode(), *(self._fresh(old, number) for old in self._ids[1:3])]
                ids += [name.partition("-")[2].encode() for name in own]
                copies.append(self._copy(block, [*ids, self._fresh(self._ids[5], number), phone(user).encode()]))
            self._send(copies, len(self._commands))
            assert self._redis.llen(f"boss:history:{conversation}") == 2 * ENTRIES

    def _send(self, blocks: Iterable[bytes], commands: int) -> None:
        """Send blocks of so many commands each, a batch at a time. Raises redis-py's error for one that failed."""
        connection: Any = self._redis.connection_pool.get_connection()
        try:
            rest = iter(blocks)
            while batch := list(itertools.islice(rest, BATCH)):
                connection.send_packed_command(batch)
                for _ in range(commands * len(batch)):
                    answer = connection.read_response()
                    if isinstance(answer, Exception):
                        raise answer
        finally:
            self._redis.connection_pool.release(connection)
