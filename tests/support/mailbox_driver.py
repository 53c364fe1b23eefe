"""One conversation on a desk: short calls, the clock in the hand, and a look at what the scripts left behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Literal, cast

from redis import Redis

from shared.mailbox import Mailbox, calls, keys
from shared.mailbox.call import Wake
from shared.mailbox.calls import (
    NO_MODEL_CALL,
    Accepted,
    Alarmed,
    Claim,
    Closed,
    Cost,
    DayBounds,
    Dearest,
    DenialPolicy,
    NotFound,
    Outcome,
    Provider,
    Sending,
    SendLimits,
    Settled,
    Stored,
    Unsettled,
    reserve,
)
from shared.mailbox.ledger import latest
from shared.mailbox.records import Kind, Reply, Turn
from shared.model.addresses import PhoneNumber
from shared.model.commands import CommandName
from shared.model.events import Keyword, SendSmsResponse, SmsReceived
from tests.support.mailbox_state import CLOCK, LEASE, LIFE, RETENTION, SEND_LIMITS, START, Mutation, Scripts
from tests.support.mailbox_workers import received

C: Final = "c-1"
PAIR: Final = "p-1"
Result = Literal["accepted", "refused", "unknown"]
AGAIN: Final = 10_000
AFTER: Final = 300_000
WATCH: Final = DenialPolicy()


class MailboxDriver:
    """The real scripts, if asked with one rule broken, against an empty server."""

    def __init__(self, redis: Redis, mutation: Mutation | None = None) -> None:
        redis.flushdb()
        redis.set(CLOCK, START)
        self.redis = redis
        self.scripts = Scripts(redis, mutation)
        self.run = self.scripts.run
        self.box = Mailbox(redis)

    # -- the clock and the agenda

    @property
    def now(self) -> int:
        """The clock, in ms."""
        return int(cast("Any", self.redis.get(CLOCK)))

    def advance(self, ms: int) -> None:
        """Let time pass."""
        self.redis.incrby(CLOCK, ms)

    def due(self, conv: str = C) -> int | None:
        """When somebody looks again, from now; None for a conversation that is not on the agenda."""
        score = self.redis.zscore("boss:due", conv)
        return None if score is None else int(score) - self.now

    def not_before(self) -> int:
        """How long nobody may claim."""
        return int(cast("Any", self.redis.hget(f"boss:conv:{C}", "not_before")) or 0) - self.now

    def inbox(self) -> list[str]:
        """The open messages."""
        return [raw.decode() for raw in cast("list[bytes]", self.redis.lrange(f"boss:inbox:{C}", 0, -1))]

    def priority(self) -> list[str]:
        """The commands that wait."""
        return [raw.decode() for raw in cast("list[bytes]", self.redis.lrange(f"boss:priority:{C}", 0, -1))]

    def priority_due(self, conv: str = C) -> int | None:
        """When somebody looks for commands again, from now."""
        score = self.redis.zscore("boss:priority_due", conv)
        return None if score is None else int(score) - self.now

    def lines(self, kind: str) -> list[dict[str, str]]:
        """The ledger's lines of one type, oldest first."""
        return [line.fields for line in latest(self.redis, 1000) if line.type == kind]

    # -- the calls

    def ttl(self, key: str) -> int:
        """How long a key lives yet, in ms."""
        return int(cast("Any", self.redis.pttl(key)))

    def sweep(self) -> None:
        """One tick of somebody's."""
        self.run(calls.sweep(recheck_ms=10_000, lease_ms=LEASE))

    def run_opt_out(self, pair: str) -> None:
        """The user's word."""
        self.run(calls.opt_out(pair, out=True))

    def taken_notice(self, token: str, **more: Any) -> str:
        """The code of the sentence of ours that a claim must be of."""
        found = self.claim(token, **more)
        assert found.turn is not None, found.outcome
        (message,) = found.turn.messages
        assert message.kind == "notice"
        return message.notice

    def accept(
        self, message: str, *, kind: str = "text", settle: int = 0, limit: int = 60, keyword: Keyword = "", conv: str = C,
        pair: str = PAIR, most: int = calls.MAX_OPEN, says: str = "", hourly: int = 1_000, daily: int = 1_000, pair_hourly: int = 1_000,
        via: str = "", maybe_duplicate: bool = False, user: str = "u-1", wake: Wake = (), sender: str = "s-1", command: CommandName = "",
        body: str = "", answer: str = "", users: int = calls.ANY_VERSION,
    ) -> Accepted:  # fmt: skip
        """A message from outside; `body` are its words."""
        event = received(message, cast("Kind", kind))
        if body and isinstance(event, SmsReceived):
            event = replace(event, message=body)
        return self.run(
            calls.accept(
                event,
                kind=cast("Kind", kind),
                conversation=conv,
                sender=sender,
                pair=pair,
                settle_ms=settle,
                turns_per_hour=limit,
                keyword=keyword,
                max_open=most,
                digest=says,
                hourly=hourly,
                daily=daily,
                pair_hourly=pair_hourly,
                via=via,
                maybe_duplicate=maybe_duplicate,
                user=user,
                users=users,
                command=command,
                answer=answer,
                wake=wake,
            )
        )

    def claim(
        self, token: str, *, turn: str = "", jitter: float = 0.5, conv: str = C, share: int = 1_000, history_bytes: int = 1_000_000,
        day_tokens: int = 0, day_turns: int = 0, sender_tokens: int = 0, amount: int = 1, dearest: Dearest | None = None,
        oldest: int = calls.DAY_MS, process: str = "", life: int = 0, bounds: DayBounds | None = None, zones: str = "",
    ) -> Claim:  # fmt: skip
        """Its turn is named like the token, and so is its call, which reserves `amount` whatever it asks, at a microdollar a token.

        With a `life` the claim is a look at who lives.
        """
        figures = dearest or Dearest(fixed=amount, tiers="0 1000 1000", model="m", zones=zones)
        call = calls.claim(
            conv, token, turn or f"t-{token}", lease_ms=LEASE, jitter=jitter, share=share, history_bytes=history_bytes,
            bounds=bounds or DayBounds(day_tokens, day_turns, sender_tokens), dearest=figures, oldest_ms=oldest,
            process=process, life_ms=life,
        )  # fmt: skip
        return self.run(call)

    def held_by(self, process: str, token: str = "k1", conv: str = C) -> None:  # noqa: S107 - a lease's token
        """A message, m-1 (m-2 and so on in further conversations), that a living process has in hand."""
        if not self.redis.llen(f"boss:inbox:{conv}"):
            self.accept(f"m-{conv.removeprefix('c-')}", conv=conv)
        found = self.claim(token, conv=conv, process=process, life=LIFE)
        assert found.outcome == "taken", found.outcome

    def beat(self, process: str, place: str = "") -> list[str]:
        """A process's sign of life."""
        return self.run(calls.heartbeat(process, life_ms=LIFE, place=place))

    def look(self) -> list[str]:
        """A sweep, with its look at who lives: the conversations that it wakes. The marks of earlier wake-ups are gone."""
        for conv in (C, "c-2", "c-3"):
            self.redis.delete(f"boss:wake:{conv}")
        return [due.conversation for due in self.run(calls.sweep(recheck_ms=AGAIN, life_ms=LIFE, lease_ms=LEASE)).due]

    def watch(self, ms: int, *living: str) -> None:
        """Let time pass with Redis there and somebody looking all the while; the `living` processes give their signs."""
        while ms > 0:
            self.advance(min(ms, LIFE // 4))
            ms -= LIFE // 4
            for process in living:
                self.beat(process)
            self.look()

    def taken(self, token: str) -> list[str]:
        """The messages of a claim that must succeed."""
        found = self.claim(token)
        assert found.outcome == "taken", found.outcome
        assert found.turn is not None
        return [message.id for message in found.turn.messages]

    def renew(self, token: str) -> int:
        """The holder's heartbeat."""
        return self.run(calls.renew(C, token, lease_ms=LEASE))

    def store(
        self, token: str, text: str = "hello", *, turn: str = "", attempt: str = "", tokens: int = 0, settled: Settled | None = None,
        figures: dict[str, int | str] | None = None, answers: CommandName = "", rest: str = "", person: str = "", epoch: str = "",
        users: int = calls.ANY_VERSION,
    ) -> Stored:  # fmt: skip
        """The turn's reply, with an attempt to send it if one is named; its call used `tokens`, if `settled` does not say otherwise."""
        if figures is None:
            figures = {"input_tokens": tokens // 3, "output_tokens": tokens - tokens // 3, "ms": 7, "model": "m"}
        to, from_ = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
        command = SendSmsResponse(to=to, from_=from_, message=text, user="user", rest=rest)
        return self.run(
            calls.store_reply(
                C, token, Turn(turn or f"t-{token}", (), person=person, epoch=epoch), command, limits=SEND_LIMITS, attempt=attempt,
                users=users, figures={} if answers else figures,
                settled=settled or Settled(f"q-{token}", tokens, "good"), answers=answers,
            )
        )  # fmt: skip

    def reserve(
        self, token: str, call: str, amount: int, *, settled: Settled = NO_MODEL_CALL, day_tokens: int = 0, day_turns: int = 0,
        sender_tokens: int = 0, bounds: DayBounds | None = None, zones: str = "",
    ) -> str:  # fmt: skip
        """One more question of the turn, at a microdollar a token."""
        bounds = bounds or DayBounds(day_tokens, day_turns, sender_tokens)
        return self.run(reserve(C, token, call, amount, lease_ms=LEASE, bounds=bounds, cost=Cost(amount, "m", zones), settled=settled))

    def spent(self, day: int = 0) -> dict[str, int]:
        """What stands in the books of a day, counted from this one; without what is 0, and without its money."""
        found = self.book(str(self.now // calls.DAY_MS + day))
        return {name: value for name, value in found.items() if not name.startswith(("stopped_at", "money", "model:", "near:"))}

    def book(self, name: str) -> dict[str, int]:
        """What stands in a book of money: a day's or a month's, a person's with their id before it; without what is 0."""
        found = cast("dict[bytes, bytes]", self.redis.hgetall(f"boss:spent:{name}"))
        return {field.decode(): int(value) for field, value in found.items() if int(value)}

    def sending(
        self, token: str, attempt: str, *, turn: str = "", limits: SendLimits = SEND_LIMITS, users: int = calls.ANY_VERSION
    ) -> Sending:
        """A permit for a request."""
        reply = "r-" + (turn or token)
        return self.run(calls.sending(C, token, reply, attempt, limits=limits, users=users))

    def change_people(self) -> None:
        """Somebody is added, changed or removed."""
        self.redis.hincrby(keys.REGISTRY_STATE, "version", 1)

    def outcome(self, turn: str, attempt: str, result: str, pid: str = "", *, token: str = "", code: str = "") -> Outcome:
        """The provider's answer; `turn` names the reply. A holder gives its token, to finish with it."""
        own = C if token else ""
        call = calls.outcome(
            "r-" + turn, attempt, cast("Result", result), provider_id=pid, code=code, retention_ms=RETENTION, conversation=own, token=token,
        )  # fmt: skip
        return self.run(call)

    def unseen(self, turn: str, attempt: str, *, again: int = AGAIN, asked: int | None = None) -> NotFound:
        """A look-up, asked now, that did not show the attempt."""
        asked_ms = self.now if asked is None else asked
        return self.run(calls.not_found("r-" + turn, attempt, asked_ms=asked_ms, again_ms=again, retention_ms=RETENTION))

    def absent(self, turn: str, attempt: str) -> None:
        """Waited for in vain: not found."""
        assert self.unseen(turn, attempt, again=0).outcome == "absent"

    def status(
        self, pid: str, state: str, turn: str = "", attempt: str = "", *, opt: str = "", report: str = "", pair: str = ""
    ) -> Outcome:
        """The provider's report."""
        reply = f"r-{turn}" if turn else ""
        word = cast("Any", opt)
        call = calls.status(
            pid, cast("Any", state), reply=reply, attempt=attempt, retention_ms=RETENTION, opt=word, report=report, pair=pair
        )
        return self.run(call)

    def pause(self, *pairs: str) -> bool:
        """Of all sending, or of the user with these pairs, who is called by the first."""
        return self.run(calls.pause("test", by="ada", user=f"u-{pairs[0]}" if pairs else "", pairs=pairs))

    def resume(self, pair: str = "") -> bool:
        """The end of all's pause, or of the user's who is called by that pair."""
        return self.run(calls.resume(by="ada", user=f"u-{pair}" if pair else ""))

    def alarm(self, *, conv: str = C, provider: Provider = "twilio", sure: bool = False) -> Alarmed:
        """A provider refused what was asked for a conversation: with a 403, or for certain."""
        return self.run(calls.alarm(conv, provider, f"{provider}_refused", sure=sure, watch=WATCH))

    def unsettled(self, *, after: int = AFTER, most: int = calls.DAY_MS, limit: int = 100) -> tuple[Unsettled, ...]:
        """Texts without a final report that are to be asked about now."""
        return self.run(calls.unsettled(after_ms=after, most_ms=most, limit=limit))

    def elsewhere(self, turn: str, conv: str = "c-2", *, pair: str = "p-2", wake: Wake = ()) -> str:
        """Tell the user in another conversation that a reply did not reach them; `turn` names the reply."""
        event = received(f"n-{turn}", "mail")
        return self.run(calls.cross_channel_notice(f"r-{turn}", conv, event, sender="s-2", pair=pair, code="text_lost", wake=wake))

    def untold(self) -> list[str]:
        """The replies whose users are to be told elsewhere."""
        return [raw.decode() for raw in cast("list[bytes]", self.redis.zrange("boss:untold", 0, -1))]

    def finish(
        self, token: str, *, conv: str = C, wake: Wake = (), reason: str = "", settled: Settled = NO_MODEL_CALL
    ) -> Closed:  # fmt: skip
        """The end of a turn."""
        return self.run(calls.finish(conv, token, retention_ms=RETENTION, reason=reason, settled=settled, wake=wake))

    def backoff(
        self, token: str, delay: int = 5_000, *, counted: bool = False, asked: bool = False, settled: Settled = NO_MODEL_CALL
    ) -> Closed:  # fmt: skip
        """Later."""
        return self.run(calls.backoff(C, token, delay, "test", counted=counted, asked=asked, settled=settled))

    def park(
        self, token: str, *, looked_up: bool = False, notice: str = "", wake: Wake = (), settled: Settled = NO_MODEL_CALL
    ) -> Closed:  # fmt: skip
        """Aside."""
        call = calls.park(C, token, "test", looked_up=looked_up, notice=notice, retention_ms=RETENTION, settled=settled, wake=wake)
        return self.run(call)

    # -- what became of it

    def state(self, message: str) -> str:
        """A message's state, with its reason."""
        record = self.box.message(message)
        return "" if record is None else f"{record.state}({record.reason})" if record.reason else str(record.state)

    def counts(self, message: str) -> tuple[int, int]:
        """A message's errors and lost leases."""
        record = self.box.message(message)
        assert record is not None
        return record.errors, record.lost

    def reply(self, turn: str) -> Reply:
        """A turn's reply."""
        record = self.box.reply(f"r-{turn}")
        assert record is not None
        return record

    def to_sending(self) -> None:
        """A message, m-1, whose reply is about to be requested: k1 has a permit for a1."""
        self.accept("m-1")
        self.taken("k1")
        assert self.store("k1").outcome == "stored"
        assert self.sending("k1", "a1").outcome == "ok"

    def to_parked(self) -> None:
        """A parked message, m-1, without a reply."""
        self.accept("m-1")
        self.taken("k1")
        self.park("k1")
