"""Reminders against their law: random schedules of who sets, moves and cancels, of processes that look and die, and of a clock that steps.

The model keeps its own books and judges each answer of the real scripts by them. What repeats does so every so many ms: the scripts know
nothing of rules.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

from redis import Redis

from shared.mailbox import calls
from shared.mailbox.calls import Alarm, Alarms, Firing
from shared.mailbox.records import Turn
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse
from shared.model.recurrence import MINUTE, Occurrence
from tests.support.effects import run_effect
from tests.support.mailbox_state import CLOCK, LEASE, RETENTION, SEND_LIMITS, START, Mutation, Scripts, must
from tests.support.mailbox_workers import received

PEOPLE: Final = 2
WAITS: Final = (0, 1_000, 20_000, 300_000, 3_600_000)
JUMPS: Final = (500, 3_000, 11_000, 31_000, 70_000, 600_000)
STEPS_BACK: Final = (2_000, 60_000, 4_000_000)
HELD_MS: Final = 30_000
STEPS: Final = 150


@dataclass
class Known:
    """A reminder as the model knows it. `every` is its interval, 0 for one that rings once; `set_to`: when it is due."""

    person: int
    set_to: int
    every: int
    revision: int = 1
    waits: bool = True
    alive: bool = True
    ring: str = ""


@dataclass
class Ringing:
    """Everything that can happen to the reminders of two people."""

    redis: Redis
    mutation: Mutation | None = None
    serial: int = 0
    now: int = START
    epochs: list[int] = field(default_factory=lambda: [0] * PEOPLE)
    out: list[bool] = field(default_factory=lambda: [False] * PEOPLE)
    paused: bool = False
    known: dict[str, Known] = field(default_factory=dict)
    reads: list[Alarms] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    taken_back: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    last: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        self.redis.flushdb()
        self.redis.set(CLOCK, self.now)
        self.scripts = Scripts(self.redis, self.mutation)

    def name(self, prefix: str) -> str:
        """A new id."""
        self.serial += 1
        return f"{prefix}-{self.serial:04d}"

    def move_clock(self, ms: int) -> None:
        """Time passes, or steps."""
        self.now += ms
        self.redis.set(CLOCK, self.now)

    # -- what turns do -------------------------------------------------------------------------------------------

    def _effect(self, tool: str, person: int, /, **args: Any) -> dict[str, Any]:
        return run_effect(self.scripts, tool, args, call=self.name("call"), person=f"p-{person}", user=f"u-{person}")

    def _time(self, wait: int) -> dict[str, str]:
        at = self.now + wait
        return {"due": str(at), "local": datetime.fromtimestamp(at / 1000, UTC).strftime(MINUTE), "zone": "UTC"}

    def set(self, person: int, wait: int, every: int) -> None:
        """A new one."""
        rule = str(every) if every else ""
        found = self._effect("remind", person, text="tea", kind="reminder", channel="sms", source="", recurrence=rule, **self._time(wait))
        must(found["ok"], "a reminder is set")
        self.known[found["reminder"]["id"]] = Known(person, self.now + wait, every)

    def _some(self, which: int) -> tuple[str, Known] | None:
        return list(self.known.items())[which % len(self.known)] if self.known else None

    def move(self, which: int, wait: int) -> None:
        """Another time, and the rule as it was."""
        if not (some := self._some(which)):
            return
        name, each = some
        found = self._effect("move_reminder", each.person, id=name, recurrence=str(each.every) if each.every else "", **self._time(wait))
        must(found["ok"] == each.alive, "who is alive can be moved")
        if each.alive:
            self._take_back(each)
            each.set_to, each.waits, each.revision = self.now + wait, True, each.revision + 1

    def cancel(self, which: int) -> None:
        """It is to ring no more."""
        if not (some := self._some(which)):
            return
        name, each = some
        could = self.waiting.get(each.ring, "sent") != "sent"
        found = self._effect("cancel_reminder", each.person, id=name)
        must(found["ok"] == (each.alive and (each.waits or could)), "what waits can be cancelled, and nothing else")
        if found["ok"]:
            must(found["withdrawn"] == could, "a message that waits is taken back")
            self._take_back(each)
            each.alive = each.waits = False

    def _take_back(self, each: Known) -> None:
        if self.waiting.get(each.ring, "sent") != "sent":
            self.taken_back.add(each.ring)
            self.waiting[each.ring] = "sent"

    def erase(self, person: int) -> None:
        """All that was theirs is gone."""
        self.epochs[person] += 1
        self.redis.hset(f"boss:person:p-{person}", "epoch", self.epochs[person])
        for each in self.known.values():
            if each.person == person:
                each.alive = each.waits = False

    # -- what processes do ---------------------------------------------------------------------------------------

    def look(self) -> None:
        """A process reads what is due."""
        before = {name for name, each in self.known.items() if each.waits and each.set_to <= self.now}
        read = self.scripts.run(calls.alarms())
        must({alarm.id for alarm in read.due} <= before, "what is read is due")
        self.reads = [*self.reads[-4:], read]
        scores = dict(cast("list[tuple[bytes, float]]", self.redis.zrange("boss:alarms", 0, -1, withscores=True)))
        must(all(scores[alarm.id.encode()] > self.now for alarm in read.due), "what is read is not read again at once")
        waiting = {name for name, each in self.known.items() if each.waits}
        must({name for name in waiting if name.encode() not in scores} == set(), "what waits has an alarm")
        for name in waiting:
            latest = max(self.known[name].set_to, self.now + HELD_MS)
            must(scores[name.encode()] <= latest, "who is due is looked at again soon")

    def die(self) -> None:
        """A process is killed between its look and its firing."""
        if self.reads:
            self.reads.pop(0)

    def fire(self, which: int, shift: int = 0) -> None:
        """A process rings one of what it has read, at some later time; `shift`: its own next one lies so far behind."""
        read = self.reads[which % len(self.reads)] if self.reads else None
        if not read or not read.due:
            return
        alarm = read.due[which % len(read.due)]
        every = int(alarm.recurrence or 0)
        steps = (read.now_ms - alarm.due_ms) // every if every else 0
        occurrence = alarm.due_ms + steps * every
        following = Occurrence(occurrence + every - shift, alarm.local) if every else None
        firing = Firing(alarm, Occurrence(occurrence, alarm.local), following)
        self.last = lambda: self._fire(read, alarm, firing)
        self.last()

    def again(self) -> None:
        """redis-py asks once more."""
        if self.last:
            self.last()

    def _fire(self, read: Alarms, alarm: Alarm, firing: Firing) -> None:
        each = self.known[alarm.id]
        message = f"m-{alarm.id}-{alarm.revision}"
        conv, pair = f"c-{each.person}", f"pair-{each.person}"
        call = calls.fire([firing], read.now_ms, received(message, "text"), conv, sender="s", pair=pair, user=f"u-{each.person}")
        (verdict,) = self.scripts.run(call)
        must(verdict == self._expected(read, alarm, firing), f"it is {verdict}, and should be {self._expected(read, alarm, firing)}")
        if verdict != "rings":
            return
        must(message not in self.waiting, "each occurrence rings once")
        self.waiting[message], each.ring, each.revision = "put", message, each.revision + 1
        each.waits = firing.next is not None
        each.set_to = firing.next.due_ms if firing.next else each.set_to

    def _expected(self, read: Alarms, alarm: Alarm, firing: Firing) -> str:
        each = self.known[alarm.id]
        reasons = {
            "gone": not each.waits,
            "stale": alarm.revision != str(each.revision) or alarm.due_ms != each.set_to,
            "again": read.now_ms > self.now,
            "early": alarm.due_ms > self.now,
            "again ": firing.next is not None and firing.next.due_ms <= self.now,
            "opted_out": self.out[each.person],
            "paused": self.paused,
            "waits": self.waiting.get(each.ring, "sent") != "sent",
        }
        return next((why.strip() for why, holds in reasons.items() if holds), "rings")

    def serve(self, person: int, *, dies: bool) -> None:
        """A worker sends what waits; it may die after the reply is stored."""
        token, conv = self.name("k"), f"c-{person}"
        found = self.scripts.run(calls.claim(conv, token, token.replace("k-", "t-"), lease_ms=LEASE, jitter=0.5))
        if found.turn is None:
            return
        turn = found.turn
        if turn.reply is None:
            command = SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message="tea", user="user")
            self.scripts.run(calls.store_reply(conv, token, Turn(turn.id, turn.messages), command, limits=SEND_LIMITS, answers="reminder"))
        if dies:
            return
        permit = self.scripts.run(calls.sending(conv, token, turn.reply_id, "a", limits=SEND_LIMITS))
        (message,) = (each.id for each in turn.messages)
        must((permit.outcome == "cancelled") <= (message in self.taken_back), "only what was taken back is cancelled")
        if permit.outcome == "ok":
            must(message not in self.taken_back, "what was taken back is not sent")
            must(message not in self.sent, "what was sent is not sent again")
            self.sent.add(message)
            self.waiting[message] = "sent"
            self.scripts.run(
                calls.outcome(turn.reply_id, "a", "accepted", provider_id=token, retention_ms=RETENTION, conversation=conv, token=token)
            )
        elif permit.outcome == "opted_out":
            self.waiting[message] = "sent"

    def opt(self, person: int, *, out: bool) -> None:
        """The person's word."""
        self.out[person] = out
        self.scripts.run(calls.opt_out(f"pair-{person}", out=out))

    def pause(self, *, on: bool) -> None:
        """The operator's."""
        self.paused = on
        self.scripts.run(calls.pause("test") if on else calls.resume())

    def _quiet_minute(self) -> None:
        self.move_clock(LEASE + 11_000)
        for _ in range(3):
            self.look()
            self.reads = self.reads[-1:]
            for which in range(len(self.reads[0].due)):
                self.fire(which)
        for person in range(PEOPLE):
            for _ in range(4):
                self.serve(person, dies=False)

    def settle(self) -> None:
        """A quiet time: all that was due has rung, once, and been sent or taken back."""
        self.pause(on=False)
        for person in range(PEOPLE):
            self.opt(person, out=False)
        self.reads = []
        for which, each in enumerate(self.known.values()):
            if each.every and each.alive:
                self.cancel(which)
        for _ in range(400):
            self._quiet_minute()
            if not any(each.waits for each in self.known.values()) and not self.redis.exists("boss:priority_due"):
                break
        for name, each in self.known.items():
            must(not each.waits, f"{name} has rung")
        for message in self.waiting:
            must(message in self.sent or message in self.taken_back or self.waiting[message] == "sent", "what rang was sent")


def walk(redis: Redis, seed: int, mutation: Mutation | None = None, steps: int = STEPS) -> Ringing:
    """Make random moves, then a quiet time."""
    world, dice = Ringing(redis, mutation), random.Random(seed)  # noqa: S311 - a schedule, not a secret
    roll = dice.randrange
    moves: list[tuple[float, Callable[[], object]]] = [
        (8, lambda: world.set(roll(PEOPLE), dice.choice(WAITS), dice.choice((0, 0, 40_000, 600_000)))),
        (4, lambda: world.move(roll(99), dice.choice(WAITS))),
        (3, lambda: world.cancel(roll(99))),
        (1, lambda: world.erase(roll(PEOPLE))),
        (20, world.look),
        (30, lambda: world.fire(roll(99), dice.choice((0, 0, 0, 50_000)))),
        (4, world.again),
        (3, world.die),
        (16, lambda: world.serve(roll(PEOPLE), dies=dice.random() < 0.3)),
        (15, lambda: world.move_clock(dice.choice(JUMPS))),
        (1.5, lambda: world.move_clock(-dice.choice(STEPS_BACK))),
        (0.5, lambda: world.move_clock(5_000_000)),
        (1, lambda: world.opt(roll(PEOPLE), out=dice.random() < 0.4)),
        (1, lambda: world.pause(on=dice.random() < 0.4)),
    ]
    for move in dice.choices([move for _, move in moves], [weight for weight, _ in moves], k=steps):
        move()
    world.settle()
    return world
