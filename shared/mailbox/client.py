"""The mailbox's two clients, which differ in nothing but waiting: `Mailbox` blocks, `AsyncMailbox` is awaited.

Scripts are sent by EVALSHA and, when the server does not know them (SCRIPT FLUSH, a restart), by EVAL. `queue_call`
puts one into a MULTI as plain EVAL: short, one send, and its own answer says what was stored.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.client import Pipeline
from redis.exceptions import NoScriptError

from shared.mailbox import keys
from shared.mailbox.call import Call
from shared.mailbox.calls.retry_requests import RetryResult, result_from
from shared.mailbox.records import Message, Pause, Reply, message_from, pause_from, reply_from, reply_id_of
from shared.mailbox.scripts import arguments, script
from shared.model import codec
from shared.storage.replication import StorageResult

T = TypeVar("T")
MAX_IDS_A_TRIP: Final = 1000
"""Ids that one round trip asks about: Redis serves nobody else meanwhile."""
MAX_RECORDS_A_TRIP: Final = 500
"""Records, texts included, that one round trip reads: it bounds what is in memory at once."""


def queue_call(pipeline: Pipeline, call: Call[Any]) -> None:
    """Add a call to a MULTI; its answer is parsed with `answer`."""
    pipeline.eval(script(call.name)[0], 0, *arguments(call))


def answer(call: Call[T], raw: Any) -> T:
    """The result of a call from the server's raw answer."""
    return call.parse(_text(raw))


class BlockingCommands(Protocol):
    """Sends one command and waits for its answer, as `shared.storage.group_commit.GroupCommit` does."""

    def execute_confirmed(self, *args: Any) -> StorageResult[Any]:
        """The answer, and whether a replica of the server has what the command wrote. Raises RedisError."""
        ...


class _Unconfirmed:
    """Commands by redis-py's own client, which knows nothing of replicas: every write counts as safe."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def execute_confirmed(self, *args: Any) -> StorageResult[Any]:
        return StorageResult(self._redis.execute_command(*args), replicated=True)  # type: ignore[no-untyped-call]


class Mailbox:
    """The blocking client, for the web process and the command."""

    def __init__(self, redis: Redis, commands: BlockingCommands | None = None) -> None:
        """`commands` sends the calls, `redis` by default."""
        self.redis = redis
        self._commands: BlockingCommands = commands or _Unconfirmed(redis)

    def run(self, call: Call[T]) -> T:
        """Send one call and parse its answer. Every call can be repeated."""
        return self.run_confirmed(call).answer

    def run_confirmed(self, call: Call[T]) -> StorageResult[T]:
        """As `run`, and whether a replica has what the call wrote."""
        text, sha = script(call.name)
        sent = arguments(call)
        try:
            raw, replicated = self._commands.execute_confirmed("EVALSHA", sha, 0, *sent)
        except NoScriptError:
            raw, replicated = self._commands.execute_confirmed("EVAL", text, 0, *sent)
        return StorageResult(answer(call, raw), replicated)

    def load(self, *names: str) -> None:
        """Make scripts known to the server, so that not even the first call has to send one. Raises RedisError."""
        for name in names:
            self.redis.script_load(script(name)[0])

    def message(self, message_id: str) -> Message | None:
        """A message's record, or None once it expired."""
        record = _text(self.redis.hgetall(keys.message(message_id)))
        return message_from(record) if record.get("id") else None

    def reply(self, reply_id: str) -> Reply | None:
        """A reply's record, or None once it expired."""
        record = _text(self.redis.hgetall(keys.reply(reply_id)))
        return reply_from(record) if record.get("id") else None

    def reply_of(self, message: Message) -> Reply | None:
        """The reply of the turn that a message is, or was last, in."""
        return self.reply(reply_id_of(message.turn)) if message.turn else None

    def recent(self, limit: int, *, parked: bool = False, since_ms: int = 0, until_ms: int | None = None) -> list[str]:
        """The ids of the newest messages, or of all parked ones, newest first; of those that came (were parked) in that time, in ms."""
        return self._newest(keys.PARKED if parked else keys.RECENT, limit, since_ms, until_ms)

    def listed(self, name: str, limit: int, *, since_ms: int = 0, until_ms: int | None = None) -> list[str]:
        """The ids of the newest messages of an index (`calls/indexes.py`), newest first; of those that came in that time, in ms."""
        return self._newest(keys.index(name), limit, since_ms, until_ms)

    def conversations(self, limit: int) -> list[tuple[str, int]]:
        """The conversations that were active last, newest first, each with when that was, in ms."""
        found: Any = self.redis.zrevrange(keys.CONVERSATIONS, 0, limit - 1, withscores=True)
        return [(name.decode(), int(at)) for name, at in found]

    def _newest(self, key: str, limit: int, since_ms: int, until_ms: int | None) -> list[str]:
        latest = "+inf" if until_ms is None else until_ms
        found: Any = self.redis.zrange(key, cast("Any", latest), since_ms, desc=True, byscore=True, offset=0, num=limit)
        return list(_text(found))

    def messages(self, message_ids: Sequence[str]) -> list[Message | None]:
        """The records of messages, in one round trip for each five hundred; None for one that expired."""
        found: list[Message | None] = []
        for start in range(0, len(message_ids), MAX_RECORDS_A_TRIP):
            with self.redis.pipeline(transaction=False) as pipeline:
                for name in message_ids[start : start + MAX_RECORDS_A_TRIP]:
                    pipeline.hgetall(keys.message(name))
                records = _text(pipeline.execute())
            found += [message_from(record) if record.get("id") else None for record in records]
        return found

    def reply_states(self, reply_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Each reply's state and why it did not arrive, of those that there are; in one round trip for each five hundred."""
        found: dict[str, tuple[str, str]] = {}
        for start in range(0, len(reply_ids), MAX_RECORDS_A_TRIP):
            names = reply_ids[start : start + MAX_RECORDS_A_TRIP]
            with self.redis.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.hmget(keys.reply(name), ["state", "code"])
                rows = _text(pipeline.execute())
            found.update({name: (row[0], row[1] or "") for name, row in zip(names, rows, strict=True) if row[0]})
        return found

    def owner(self, provider_id: str) -> str:
        """The reply for which a provider's id is recorded; "" for none."""
        return str(_text(self.redis.get(keys.provider(provider_id))) or "")

    def turn_messages(self, turn: str) -> list[str]:
        """The messages of a turn; none when its record has gone."""
        found: Any = codec.loads(_text(self.redis.hget(keys.record("turn", turn), "messages")) or "[]")
        return list(found)

    def retry_result(self, operation: str) -> RetryResult:
        """What is known of a request for a retry."""
        return result_from(_text(self.redis.hgetall(keys.retry_request(operation))))

    def paused(self) -> str:
        """The reason for which all sending is paused, or ''."""
        return str(_text(self.redis.hget(keys.PAUSE, "reason")) or "")

    def pauses(self) -> list[Pause]:
        """What is paused now: all sending first, then users, each once."""
        pairs = sorted(_text(self.redis.smembers(keys.PAUSED)))
        with self.redis.pipeline(transaction=False) as pipeline:
            for key in (keys.PAUSE, *map(keys.pause, pairs)):
                pipeline.hgetall(key)
            found = [pause_from(record) for record in _text(pipeline.execute())]
        return list({pause.user: pause for pause in found if pause}.values())


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds a person's messages up. `opted_out` are those of their pairs; `held`: what waits for room in a day's bounds."""

    paused: bool
    held: bool
    opted_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonFigures:
    """How much is kept of a person; `today` and `month` are what they have spent, in microdollars."""

    reminders: int
    facts: int
    lists: int
    today: int
    month: int


class Commands(Protocol):
    """Whoever sends one command and answers with its result: a client of `redis.asyncio`, or what sends many callers' together."""

    async def execute_command(self, *args: Any) -> Any:
        """Raises RedisError."""
        ...


class ConfirmingCommands(Commands, Protocol):
    """Whoever also knows whether a replica of the server has what a command wrote."""

    async def execute_confirmed(self, *args: Any) -> tuple[Any, bool]:
        """The answer, and that. Raises RedisError."""
        ...


class AsyncMailbox:
    """The client for an event loop: the worker's and the bridge's."""

    def __init__(self, redis: AsyncRedis, commands: ConfirmingCommands | None = None) -> None:
        """`commands` sends the calls, `redis` by default; then nothing is known of replicas."""
        self.redis = redis
        self._commands: Commands = commands or redis
        self._confirming = commands

    async def run(self, call: Call[T]) -> T:
        """Send one call and parse its answer. Every call can be repeated."""
        raw, confirmed = await self._with_retries(lambda: self._run(call))
        result = answer(call, raw)
        return result if confirmed or call.unreplicated is None else call.unreplicated(result)

    async def _with_retries(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Everything that is asked of the server passes here. Nothing is repeated; a subclass that repeats it overrides this."""
        return await ask()

    async def _run(self, call: Call[Any]) -> tuple[Any, bool]:
        text, sha = script(call.name)
        sent = arguments(call)
        try:
            return await self._send(call, "EVALSHA", sha, 0, *sent)
        except NoScriptError:
            return await self._send(call, "EVAL", text, 0, *sent)

    async def _send(self, call: Call[Any], *args: Any) -> tuple[Any, bool]:
        if call.unreplicated is None or self._confirming is None:
            return await self._commands.execute_command(*args), True
        return await self._confirming.execute_confirmed(*args)

    async def reply(self, reply_id: str) -> Reply | None:
        """A reply's record, or None once it expired."""
        (found,) = await self.replies([reply_id])
        return found

    async def messages(self, message_ids: list[str]) -> list[Message | None]:
        """The records of messages, in one round trip; None for one that expired."""
        records = await self._records("msg", message_ids)
        return [message_from(record) if record.get("id") else None for record in records]

    async def replies(self, reply_ids: list[str]) -> list[Reply | None]:
        """The records of replies, in one round trip; None for one that expired."""
        records = await self._records("reply", reply_ids)
        return [reply_from(record) if record.get("id") else None for record in records]

    async def first_message(self, turn: str) -> Message | None:
        """The first message of a turn; None once either expired."""
        (names,) = await self._together([("HGET", keys.record("turn", turn), "messages")])
        first = codec.loads(names)[:1] if names else []
        return (await self.messages(first))[0] if first else None

    async def listed(self, name: str, limit: int, skip: int = 0) -> list[str]:
        """The ids of the newest messages of an index (`calls/indexes.py`), newest first, without the `skip` newest."""
        (found,) = await self._together([("ZREVRANGE", keys.index(name), skip, skip + limit - 1)])
        return list(found)

    async def standing(self, pairs: Sequence[str], conversations: Sequence[str]) -> Standing:
        """What holds up the messages of a person with these pairs, which wait in these conversations; in one round trip."""
        pauses = [("HGET", key, "since") for key in (keys.PAUSE, *map(keys.pause, pairs))]
        holds = [("HGET", keys.conversation(name), "held_at") for name in dict.fromkeys(conversations)]
        found = await self._together([*pauses, *holds, *(("EXISTS", keys.opt_out(pair)) for pair in pairs)])
        n = len(pauses)
        out = found[n + len(holds) :]
        return Standing(
            any(found[:n]), any(found[n : n + len(holds)]), tuple(pair for pair, known in zip(pairs, out, strict=True) if known)
        )

    async def kept_of(self, person: str, now: datetime) -> PersonFigures:
        """How much is kept of a person, and what they have spent by the day and month of `now`, which is in their zone; one round trip."""
        seconds = int(now.replace(tzinfo=UTC).timestamp())
        spent = [keys.spent_by(person, seconds), keys.spent_month(f"{now:%Y-%m}", person)]
        reminders, facts, lists, today, month = await self._together(
            [
                ("ZCARD", keys.reminders_of(person)),
                ("HLEN", keys.facts_of(person)),
                ("HLEN", keys.lists_of(person)),
                *(("HGET", key, "money") for key in spent),
            ]
        )
        # A hash of facts, or of lists, has one field more: the number of the newest.
        return PersonFigures(int(reminders), max(0, int(facts) - 1), max(0, int(lists) - 1), int(today or 0), int(month or 0))

    async def states(self, message_ids: list[str]) -> list[str]:
        """The states of messages, in one round trip; '' for one that is not there."""
        found = await self._together(("HGET", keys.message(message_id), "state") for message_id in message_ids)
        return [str(state or "") for state in found]

    async def _records(self, kind: keys.Record, ids: list[str]) -> list[dict[str, Any]]:
        return await self._together(("HGETALL", keys.record(kind, record_id)) for record_id in ids)

    async def _together(self, commands: Iterable[tuple[str | int, ...]]) -> list[Any]:
        """The answers to commands that are sent in one round trip; none for none."""
        sent = list(commands)

        async def ask() -> list[Any]:
            async with self.redis.pipeline(transaction=False) as pipeline:
                for command in sent:
                    pipeline.execute_command(*command)
                return list(await pipeline.execute())

        return list(_text(await self._with_retries(ask))) if sent else []

    async def known(self, message_ids: list[str]) -> set[str]:
        """Those of `message_ids` that were accepted or ignored before, as `accept` judges it; in one round trip for each thousand."""
        found: set[str] = set()
        for start in range(0, len(message_ids), MAX_IDS_A_TRIP):
            names = message_ids[start : start + MAX_IDS_A_TRIP]
            counts = await self._together(("EXISTS", keys.seen(name), keys.message(name)) for name in names)
            found.update(name for name, count in zip(names, counts, strict=True) if count)
        return found

    async def known_replies(self, provider_ids: list[str]) -> set[str]:
        """Those of `provider_ids` that are recorded for a reply of ours."""
        found: set[str] = set()
        for start in range(0, len(provider_ids), MAX_IDS_A_TRIP):
            found.update(await self.owners(provider_ids[start : start + MAX_IDS_A_TRIP]))
        return found

    async def owners(self, provider_ids: list[str]) -> dict[str, str]:
        """The replies for which these of a provider's ids are recorded; an id that is not recorded is left out."""
        if not provider_ids:
            return {}
        (owners,) = await self._together([("MGET", *(keys.provider(name) for name in provider_ids))])
        return {name: owner for name, owner in zip(provider_ids, owners, strict=True) if owner}

    async def uncertain_replies(self, conversation: str) -> list[Reply]:
        """The conversation's replies that a provider may have accepted without our knowing it, the one under way with them."""
        names, turn = await self._together(
            [("ZRANGE", keys.unsure(conversation), 0, -1), ("HGET", keys.conversation(conversation), "turn")]
        )
        under_way = [reply_id_of(turn)] if turn else []
        found = await self.replies(list(dict.fromkeys([*names, *under_way])))
        return [reply for reply in found if reply and reply.uncertain]


def _text(raw: Any) -> Any:
    """Bytes to text, throughout: RQ's connection must not decode, and may be this one."""
    if isinstance(raw, bytes):
        return raw.decode("utf-8", "replace")
    if isinstance(raw, list | tuple | set):
        return [_text(item) for item in raw]
    if isinstance(raw, dict):
        return {_text(name): _text(value) for name, value in raw.items()}
    return raw
