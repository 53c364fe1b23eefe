"""Workers that die and freeze, jobs that vanish, and a provider that lies low: one small step at a time.

Every move is one method with small integers as arguments, so that hypothesis and a seeded random walk can both make them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast

from redis import Redis

from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.mailbox.calls import NO_MODEL_CALL, Accepted, Cost, DayBounds, Dearest, RetryRequest, Sending, Settled, reserve
from shared.mailbox.records import Attempt, Kind, Reply, Turn, reply_from
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, Response, SendSmsResponse, SmsReceived
from supervisor_worker.channels.port import ListedMessage
from supervisor_worker.turns.attempt_matching import OtherReplies, choose
from tests.support.mailbox_model import MailboxModel
from tests.support.mailbox_money_model import PRICE, ZONED, zones
from tests.support.mailbox_state import (
    AGAIN,
    LEASE,
    LIFE,
    MARGIN,
    MAX_ERRORS,
    MAX_LOST,
    OLDEST,
    RETENTION,
    SEND,
    SEND_LIMITS,
    SHARE,
    Mutation,
    must,
)

FINE: Final = 0
BOSS, USER = PhoneNumber("+15559876543"), PhoneNumber("+15551234567")
MAX_JOBS: Final = 12
MAX_WORKERS: Final = 4


@dataclass
class Copy:
    """A message of ours that the provider took, and what only the provider and we know of it."""

    pid: str
    conv: str
    body: str
    at: int
    listed_at: int
    reply: str
    attempt: str


@dataclass
class Worker:
    """A job somewhere in its turn. `phase` is the next step; `again` a call whose answer it has not heard."""

    conv: str
    token: str
    turn_id: str
    phase: str = "claim"
    turn: Turn | None = None
    body: str = ""
    attempt: str = ""
    unresolved: tuple[Attempt, ...] = ()
    result: tuple[str, str] = ("", "")
    delay: int = 0
    counted: bool = False
    looked_up: bool = False
    renewed: bool = False
    model_call: str = ""
    stop: str = ""
    amount: int = 0
    settled: Settled = NO_MODEL_CALL
    process: str = ""
    steps: dict[str, str] = field(default_factory=dict)
    permit_at: int = 0


def received(message: str, kind: Kind) -> SmsReceived | EmailReceived:
    """An event with nothing of interest in it."""
    if kind != "mail":
        return SmsReceived(id=message, from_=USER, to=BOSS, message="hello", user="user", provider_id="SM" + message)
    user, boss = EmailAddress("user@example.com"), EmailAddress("boss@example.com")
    return EmailReceived(id=message, from_=user, to=boss, subject="", body="hello", user="user", message_id=f"<{message}@x>")


def command(body: str) -> Response:
    """A reply to send."""
    return SendSmsResponse(to=USER, from_=BOSS, message=body, user="user")


@dataclass
class Workers:
    """Everything that can happen. `same_bodies`: all replies say the same. `bounds`: what a day has room for."""

    redis: Redis
    mutation: Mutation | None = None
    same_bodies: bool = False
    bounds: DayBounds = field(default_factory=DayBounds)
    model: MailboxModel = field(init=False)
    jobs: list[str] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    log: list[Copy] = field(default_factory=list)
    done: list[Callable[[], object]] = field(default_factory=list)
    inbound: list[tuple[str, Kind, str, Call[Accepted]]] = field(default_factory=list)
    serial: int = 0
    processes: list[str] = field(default_factory=lambda: ["w-a", "w-b", "w-c"])
    dead: list[str] = field(default_factory=list)
    broken_off: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.redis.flushdb()
        self.oracle = MailboxModel(self.redis, mutation=self.mutation, bounds=self.bounds)
        self.redis.hset("boss:zones", ZONED, "Test/Zone")

    def name(self, prefix: str) -> str:
        """A new id."""
        self.serial += 1
        return f"{prefix}-{self.serial:04d}"

    def remember(self, act: Callable[[], object]) -> Any:
        """Do something that may be repeated later, as redis-py does after a timeout."""
        self.done = [*self.done[-14:], act]
        return act()

    def again(self, which: int) -> None:
        """Repeat one of the last calls, at any later time."""
        if self.done:
            self.done[which % len(self.done)]()

    # -- jobs ----------------------------------------------------------------------------------------------------

    def enqueue(self, conv: str) -> None:
        """A wake-up, if RQ has room for it."""
        if len(self.jobs) < MAX_JOBS:
            self.jobs.append(conv)

    def lose_job(self, which: int) -> None:
        """RQ loses one."""
        if self.jobs:
            self.jobs.pop(which % len(self.jobs))

    def double_job(self, which: int) -> None:
        """RQ runs one twice."""
        if self.jobs:
            self.enqueue(self.jobs[which % len(self.jobs)])

    def start_job(self, which: int) -> None:
        """A worker takes a job; the first step is its own."""
        if self.jobs and len(self.workers) < MAX_WORKERS:
            process = self.processes[which % len(self.processes)]
            self.workers.append(Worker(self.jobs.pop(which % len(self.jobs)), self.name("k"), self.name("t"), process=process))

    def sweep(self, oldest_wait: int = 0) -> None:
        """One tick of somebody's sweep."""
        swept = self.oracle.sweep(oldest_wait)
        for one in swept.due:
            self.enqueue(one.conversation)
        for reply in swept.untold:
            self.tell_elsewhere(reply)
        for request in swept.retries:
            self.serve(request)

    def serve(self, request: RetryRequest) -> None:
        """An operator's request: a worker may die in the midst of it, and then another one serves it."""
        if self.serial % 3 == 0 and request.operation not in self.broken_off:
            self.broken_off.add(request.operation)
            return
        self.remember(lambda: self.oracle.retry(request.message, request.operation))

    def tell_elsewhere(self, reply: str) -> None:
        """The next conversation is the same user's on their other channel; an hour has always passed."""
        talk = self.oracle.talks[f"c-{(int(self.oracle.replies[reply].conv[2:]) + 1) % len(self.oracle.talks)}"]
        self.redis.delete(f"boss:told:elsewhere:{talk.pair}")
        event = received("n-" + reply[2:], "text")
        call = calls.cross_channel_notice(reply, talk.id, event, sender=talk.sender, pair=talk.pair, code="mail_lost")
        self.remember(lambda: self.oracle.elsewhere(reply, call))

    def crash(self, which: int) -> None:
        """Kill -9."""
        if self.workers:
            self.workers.pop(which % len(self.workers))

    def kill(self, which: int) -> None:
        """Kill -9 of a process, and all its turns; another takes its place."""
        place = which % len(self.processes)
        gone = self.processes[place]
        self.workers = [worker for worker in self.workers if worker.process != gone]
        self.dead = [*self.dead[-3:], gone]
        self.processes[place] = self.name("w")

    def bury(self, which: int) -> None:
        """Its host has noticed that a process ended."""
        if self.dead:
            process = self.dead[which % len(self.dead)]
            self.remember(lambda: self.oracle.ended(process))

    def watch(self, ms: int, silent: int) -> None:
        """Time passes with Redis there: all processes but one, which stands still, give their signs, and somebody sweeps."""
        for _ in range(0, ms, LIFE // 2):
            self.oracle.advance(LIFE // 2)
            for place, process in enumerate(self.processes):
                if place != silent:
                    self.oracle.heartbeat(process)
            self.sweep()

    def step_back(self, ms: int) -> None:
        """The server's clock goes back, at once seen by a sweep; what the provider lists it lists as before."""
        if self.oracle.paused or self.oracle.held:
            return
        self.oracle.step_back(ms)
        for copy in self.log:
            copy.listed_at -= ms
        self.sweep()

    # -- a worker's turn -----------------------------------------------------------------------------------------

    def step(self, which: int, fate: int = FINE, *, heard: bool = True) -> None:
        """The next step of one worker; it may not hear the answer, and will then make the same call again."""
        if not self.workers:
            return
        worker = self.workers[which % len(self.workers)]
        phase, before = worker.phase, Worker(**vars(worker))
        getattr(self, "_" + phase)(worker, fate)
        if not heard and phase not in ("request", "outside") and worker in self.workers:
            vars(worker).update(vars(before))

    def _end(self, worker: Worker, *, more: bool = False, wake: bool = True) -> None:
        if worker in self.workers:
            self.workers.remove(worker)
        if more and wake:
            self.enqueue(worker.conv)

    def _claim(self, worker: Worker, _fate: int) -> None:
        worker.model_call = worker.model_call or self.name("q")
        worker.amount = worker.amount or 60 + self.serial * 37 % 100
        call = calls.claim(
            worker.conv, worker.token, worker.turn_id, lease_ms=LEASE, jitter=0.5, share=SHARE, oldest_ms=OLDEST,
            model_call=worker.model_call, bounds=self.bounds, dearest=self._figures(worker.amount), process=worker.process, life_ms=LIFE,
        )  # fmt: skip
        found = self.remember(lambda: self.oracle.claim(worker.conv, worker.token, call))
        if found.outcome != "taken":
            self._end(worker)
            return
        worker.turn = cast("Turn", found.turn)
        worker.settled = Settled(worker.model_call) if found.reserved else NO_MODEL_CALL
        worker.stop = found.stop
        worn = any(message.errors >= MAX_ERRORS or message.lost >= MAX_LOST for message in worker.turn.messages)
        if worker.turn.reply:
            worker.body = cast("SendSmsResponse", worker.turn.reply.command).message
        worker.phase = "park" if worn else "ask" if worker.turn.reply else "think"
        if worker.phase == "think" and worker.stop:
            worker.phase, worker.body = "silent" if worker.stop == "told" else "store", "the month's money is used up"

    def _figures(self, amount: int) -> Dearest:
        return Dearest(fixed=amount, answer=amount // 3, tiers=PRICE.spelled, model="m-1", zones=zones(self.oracle.now))

    def _cost(self, amount: int) -> Cost:
        return Cost(PRICE.most(amount - amount // 3, amount // 3), "m-2 of:ours", zones(self.oracle.now))

    def _think(self, worker: Worker, fate: int) -> None:
        """Claude answers, refuses this message, is away, or says something that no retry can mend."""
        worker.delay, worker.counted = 5_000, fate == 6
        if worker.settled.model_call:
            used = worker.amount * (fate + 1) // 12
            cost = None if fate in (7, 9) else self._cost(used).micros
            worker.settled = Settled(worker.settled.model_call, None if fate == 7 else used, "bad" if fate >= 6 else "good", cost)
        worker.phase = {6: "backoff", 7: "backoff", 8: "park", 10: "again", 11: "silent"}.get(fate, "store")
        if worker.phase in ("again", "silent") and not worker.settled.model_call:
            worker.phase = "store"  # nobody was asked: a sentence of ours
        worker.body = "ok" if self.same_bodies else f"reply {self.name('b')}"

    def _again(self, worker: Worker, fate: int) -> None:
        """The answer was no use: one more question."""
        name, amount = f"{worker.model_call}-2", worker.amount + fate
        call = reserve(
            worker.conv, worker.token, name, amount, lease_ms=LEASE, bounds=self.bounds, cost=self._cost(amount), settled=worker.settled
        )
        found = self.remember(lambda: self.oracle.reserve(worker.conv, worker.token, call))
        if found == "lost":
            self._end(worker)
        elif found == "ok":
            worker.settled, worker.phase = Settled(name, amount // 2, "good", self._cost(amount).micros // 2), "store"
        else:
            worker.phase, worker.counted = "backoff", False

    def _silent(self, worker: Worker, _fate: int) -> None:
        """The model has nothing to say; or nothing may be asked, and its sender knows."""
        reason = "month_spent" if worker.stop else "nothing_to_say"
        call = calls.finish(worker.conv, worker.token, retention_ms=RETENTION, reason=reason, settled=worker.settled)
        found = self.remember(lambda: self.oracle.finish(worker.conv, worker.token, call))
        self._end(worker, more=found.outcome == "more")

    def _store(self, worker: Worker, fate: int) -> None:
        """Store the reply; every other time a permit is asked for in the same step."""
        turn = cast("Turn", worker.turn)
        attempt = self.name("a") if fate % 2 else ""
        call = calls.store_reply(
            worker.conv,
            worker.token,
            turn,
            command(worker.body),
            limits=SEND_LIMITS,
            attempt=attempt,
            settled=worker.settled,
            answers=turn.messages[0].command,
        )
        found = self.remember(lambda: self.oracle.store_reply(worker.conv, worker.token, turn, call))
        if found.permit:
            worker.attempt = attempt
            self._on_permit(worker, found.permit, fate)
        elif found.outcome == "stored":
            worker.phase = "ask"
        elif found.outcome == "handed_over":
            worker.phase, worker.delay, worker.counted = "backoff", 0, False
        else:
            self._end(worker, more=found.more)

    def _ask(self, worker: Worker, fate: int) -> None:
        reply = cast("Turn", worker.turn).reply_id
        attempt = worker.attempt = worker.attempt or self.name("a")
        call = calls.sending(worker.conv, worker.token, reply, attempt, limits=SEND_LIMITS)
        found = self.remember(lambda: self.oracle.sending(worker.conv, worker.token, reply, attempt, call))
        self._on_permit(worker, found, fate)

    def _on_permit(self, worker: Worker, found: Sending, fate: int) -> None:
        if found.outcome == "ok":
            worker.phase = "request"
        elif found.outcome == "look_up":
            worker.phase, worker.looked_up = "look_up", False
        elif found.outcome == "sent":
            worker.phase = "finish"
        elif found.outcome == "short" and not worker.renewed:
            worker.phase = "renew"
        elif found.outcome in ("too_old", "unknown"):
            worker.phase, worker.looked_up = "park", True
        else:
            self._end(worker, more=found.more, wake=fate != 6)

    def _renew(self, worker: Worker, _fate: int) -> None:
        worker.renewed = True
        held = self.remember(lambda: self.oracle.renew(worker.conv, worker.token))
        worker.phase = "ask"
        if not held:
            self._end(worker)

    def _request(self, worker: Worker, fate: int) -> None:
        """The provider takes it (0 to 5), refuses it for good (6) or for now (7), is away (8), or its answer is lost (9 on)."""
        reply, attempt = cast("Turn", worker.turn).reply_id, worker.attempt
        tried = self.oracle.replies[reply]
        late = self.oracle.elapsed > tried.left_at[attempt] + MARGIN
        if self.same_bodies and late:
            self._end(worker)  # its own clock told it, see the provider's list: equal texts cannot be told apart
            return
        taken = fate <= 5 or fate in (9, 10)
        pid = self._take(worker, reply, late_by=120_000 if fate == 10 else 0) if taken else ""
        worker.phase, worker.result = "record", ("accepted" if taken else "refused", pid)
        worker.counted, worker.delay = fate == 7, 5_000
        if fate >= 9:
            worker.phase, worker.delay, worker.counted = "backoff" if fate == 9 else "record", SEND + MARGIN, False
            worker.result = ("unknown", "")
        elif not taken:
            worker.looked_up = fate == 6  # borrowed: whether the refusal is final

    def _take(self, worker: Worker, reply: str, late_by: int) -> str:
        pid = self.name("SM")
        self.log.append(Copy(pid, worker.conv, worker.body, self.oracle.now, self.oracle.now + late_by, reply, worker.attempt))
        for name in self.oracle.replies[reply].messages:
            self.oracle.said[name].copies += 1
        return pid

    def _record(self, worker: Worker, fate: int) -> None:
        """Record the provider's answer; every other time the turn is finished in the same step."""
        reply, attempt, (result, pid) = cast("Turn", worker.turn).reply_id, worker.attempt, worker.result
        own = (worker.conv, worker.token) if fate % 2 else ("", "")
        call = calls.outcome(
            reply, attempt, cast("Any", result), provider_id=pid, code="silence", retention_ms=RETENTION, conversation=own[0], token=own[1]
        )
        found = self.remember(lambda: self.oracle.outcome(reply, attempt, result, call))
        worker.attempt = ""
        if found.closed and found.closed.outcome != "lost":
            self._end(worker, more=found.closed.outcome == "more", wake=fate != 7)
        elif result == "accepted":
            worker.phase = "finish"
        elif found.decided and worker.looked_up:
            worker.phase, worker.looked_up = "park", False
        else:
            worker.phase, worker.looked_up = "backoff", False

    def _look_up(self, worker: Worker, fate: int) -> None:
        """Ask the provider's list for every unresolved attempt; its silence (9) is not "not found"."""
        worker.attempt = ""
        reply = cast("Turn", worker.turn).reply_id
        tried = self.oracle.replies[reply]
        if fate == 6:  # too old, and nobody has looked: it is told to
            worker.phase, worker.looked_up = "park", False
            return
        ready = max((tried.runs_from[name] for name in tried.pending), default=0) + SEND + MARGIN
        if fate == 9 or self.oracle.now < ready:
            worker.phase, worker.delay, worker.counted = "backoff", max(ready - self.oracle.now, 5_000), False
            return
        for attempt in tried.pending:
            self._find(reply, attempt, worker.body)
        worker.looked_up = True
        worker.phase, worker.delay, worker.counted = "backoff" if tried.pending else "ask", AGAIN, False
        if fate in (7, 8):
            worker.phase = "park"

    def _find(self, reply: str, attempt: str, body: str) -> None:
        """Ask the provider's list, and bind what it shows as the worker does."""
        tried, asked = self.oracle.replies[reply], self.oracle.now
        shown = [copy for copy in self.log if (copy.conv, copy.body) == (tried.conv, body) and copy.listed_at <= asked]
        others = OtherReplies(self._taken_by_others(reply, shown), self._unsure_of_others(reply, body))
        pid = choose(tried.at[attempt], [ListedMessage(copy.pid, copy.at) for copy in shown], others, request_ms=SEND + MARGIN)
        if pid:
            call = calls.outcome(reply, attempt, "accepted", provider_id=pid, retention_ms=RETENTION)
            self.remember(lambda: self.oracle.outcome(reply, attempt, "accepted", call))
            return
        look = calls.not_found(reply, attempt, asked_ms=asked, again_ms=AGAIN, retention_ms=RETENTION)
        self.remember(lambda: self.oracle.unseen(reply, attempt, asked, look))

    def _taken_by_others(self, reply: str, shown: list[Copy]) -> dict[str, int]:
        found = {}
        for copy in shown:
            owner = cast("bytes | None", self.redis.get(f"boss:provider:{copy.pid}"))
            record = self.record_of(owner.decode()) if owner and owner.decode() != reply else None
            if record:
                found[copy.pid] = next((each.at for each in record.attempts if each.provider_id == copy.pid), 0)
        return found

    def _unsure_of_others(self, reply: str, body: str) -> list[int]:
        """Of the replies that the conversation's index names, and of the one under way."""
        conv = self.oracle.replies[reply].conv
        named = {raw.decode() for raw in cast("list[bytes]", self.redis.zrange(f"boss:unsure:{conv}", 0, -1))}
        named.add("r-" + cast("bytes", self.redis.hget(f"boss:conv:{conv}", "turn") or b"").decode().removeprefix("t-"))
        lost_sight = [
            tried.id for tried in self.oracle.replies.values() if tried.conv == conv and tried.uncertain and tried.id not in named
        ]
        must(not lost_sight, "a reply that may have been taken is not lost sight of")
        records = [record for name in named if name != reply and (record := self.record_of(name))]
        return [each.at for record in records if record.command.text == body for each in record.uncertain]

    def record_of(self, reply: str) -> Reply | None:
        """A reply's record."""
        raw = cast("dict[bytes, bytes]", self.redis.hgetall(f"boss:reply:{reply}"))
        return reply_from({name.decode(): value.decode() for name, value in raw.items()}) if raw else None

    def _finish(self, worker: Worker, fate: int) -> None:
        call = calls.finish(worker.conv, worker.token, retention_ms=RETENTION)
        found = self.remember(lambda: self.oracle.finish(worker.conv, worker.token, call))
        self._end(worker, more=found.outcome == "more", wake=fate != 6)

    def _backoff(self, worker: Worker, _fate: int) -> None:
        delay, counted = worker.delay, worker.counted
        call = calls.backoff(worker.conv, worker.token, delay, "test", counted=counted, settled=worker.settled)
        self.remember(lambda: self.oracle.backoff(worker.conv, worker.token, delay, counted=counted, call=call))
        self._end(worker)

    def _park(self, worker: Worker, fate: int) -> None:
        looked_up = worker.looked_up
        call = calls.park(
            worker.conv, worker.token, "test", looked_up=looked_up, retention_ms=RETENTION, notice="error" if fate % 2 else "",
        )  # fmt: skip
        found = self.remember(lambda: self.oracle.park(worker.conv, worker.token, looked_up=looked_up, call=call))
        if found.outcome == "look_up":
            worker.phase = "look_up"
        else:
            self._end(worker, more=found.outcome == "more")
