"""Approvals against their law: random schedules of who asks, answers and stops, of dying workers, and of a clock that steps.

The model keeps its own books, with an order of events of its own, and judges each answer of the real scripts by them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from redis import Redis

from shared.mailbox import Mailbox, calls
from shared.mailbox.calls import NO_MODEL_CALL, AnswerReplies, Question, QuestionMessage, TurnHolder
from shared.mailbox.records import Kind, Message, Turn
from shared.model.addresses import PhoneNumber
from shared.model.approvals import VERDICTS, ApprovalCall
from shared.model.events import SendSmsResponse
from shared.operations.person_records import EVER
from tests.support.mailbox_state import CLOCK, LEASE, RETENTION, SEND_LIMITS, START, Mutation, Scripts, must
from tests.support.mailbox_workers import received

PEOPLE: Final = 2
TOOLS: Final = ("mail__send", "bank__pay")
CODES: Final = tuple(str(code) for code in range(1000, 1400))
WINDOW: Final = 900_000
JUMPS: Final = (100, 5_000, 70_000, 400_000, 950_000)
STEPS_BACK: Final = (2_000, 300_000, 4_000_000)
STEPS: Final = 160
_COMMAND: Final = SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message="said", user="user")
_REPLIES: Final = AnswerReplies({verdict: (_COMMAND, {}) for verdict in VERDICTS})


@dataclass
class Asked:
    """A question as the model knows it. `first` and `last` are when it was sent, by the model's order of events; `until` by the clock."""

    id: str
    code: str
    tool: str
    user: int
    approver: int
    conv: str
    asked_conv: str
    named: bool
    epoch: int
    state: str = "pending"
    first: int = 0
    last: int = 0
    until: int = 0
    made: int = 0
    begun: bool = False
    dropped: bool = False


@dataclass
class Said:
    """An answer that was accepted: to which question, when, and with or without its code."""

    question: Asked
    word: str
    coded: bool
    order: int
    at: int
    late: bool


@dataclass
class Consent:
    """Everything that can happen to the questions of two people, each with a phone and a mailbox."""

    redis: Redis
    mutation: Mutation | None = None
    serial: int = 0
    now: int = START
    order: int = 0
    questions: dict[str, Asked] = field(default_factory=dict)
    answers: dict[str, Said] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    epochs: list[int] = field(default_factory=lambda: [0] * PEOPLE)
    out: set[str] = field(default_factory=set)
    replies: dict[str, str] = field(default_factory=dict)
    last: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        self.redis.flushdb()
        self.redis.set(CLOCK, self.now)
        self.scripts = Scripts(self.redis, self.mutation)
        for person in range(PEOPLE):
            self.redis.hset("boss:people", f"u-{person}", f"per-{person}")
            self.redis.hset(f"boss:person:per-{person}", "epoch", 0)

    def name(self, prefix: str) -> str:
        """A new id."""
        self.serial += 1
        return f"{prefix}-{self.serial:04d}"

    def tick(self) -> int:
        """The next place in the order of events."""
        self.order += 1
        return self.order

    def move_clock(self, ms: int) -> None:
        """Time passes, or steps. What a question has left of its minutes is no more than they are."""
        self.now += ms
        self.redis.set(CLOCK, self.now)

    def again(self) -> None:
        """redis-py asks once more."""
        if self.last:
            self.last()

    @staticmethod
    def conv(person: int, channel: str) -> str:
        """A person's conversation; mail has one as well."""
        return f"c-{channel}-{person}"

    @staticmethod
    def pair(conv: str) -> str:
        """Its pair."""
        return f"p-{conv}"

    # -- what people do ------------------------------------------------------------------------------------------

    def write(self, person: int, channel: str, *, command: str = "") -> None:
        """An ordinary message, or a command."""
        conv, message = self.conv(person, channel), self.name("m")
        self._accept(message, person, channel, command=command)
        if self.pair(conv) not in self.out:
            self.newest[conv] = ""

    def _accept(self, message: str, person: int, channel: str, **more: Any) -> str:
        conv = self.conv(person, channel)
        kind: Kind = "text" if channel == "sms" else "mail"
        call = calls.accept(
            received(message, kind), kind=kind, conversation=conv, sender=f"s-{conv}", pair=self.pair(conv), user=f"u-{person}",
            turns_per_hour=10_000, **more,
        )  # fmt: skip
        self.last = lambda: self.scripts.run(call)
        return self.scripts.run(call).outcome

    def answer(self, person: int, channel: str, word: str, which: int, *, coded: bool) -> None:
        """A word, with the code of one of the questions (of anybody's), or without."""
        some = list(self.questions.values())
        if not some:
            return
        named, conv, message = some[-1 - which % min(4, len(some))], self.conv(person, channel), self.name("m")
        said = f"{word} {named.code}" if coded else word
        outcome = self._accept(message, person, channel, answer=said)
        record = self._record(message)
        if self.pair(conv) in self.out:
            must(outcome == "ignored", "who has opted out answers nothing")
            return
        question = self._meant(person, channel, named.code if coded else "")
        must(bool(record and record.answer) == (question is not None), f"{said!r} is an answer, or an ordinary message")
        if question is None:
            self.newest[conv] = ""
            return
        if self.newest.get(conv) != question.id:
            self.newest[conv] = ""
        until = min(question.until, self.now + WINDOW)
        self.answers[message] = Said(question, word, coded, self.tick(), self.now, self.now > until)

    def _meant(self, person: int, channel: str, code: str) -> Asked | None:
        if code:
            found = [each for each in self.questions.values() if each.code == code and each.approver == person]
        else:
            newest = self.newest.get(self.conv(person, channel), "") if channel == "sms" else ""
            found = [each for name, each in self.questions.items() if name == newest and not each.named and each.approver == person]
        return next((each for each in found if each.first and not each.dropped), None)

    def opt(self, person: int, channel: str, *, out: bool) -> None:
        """STOP, or START."""
        pair = self.pair(self.conv(person, channel))
        self.scripts.run(calls.opt_out(pair, out=out))
        if out and pair not in self.out:
            self._withdraw(lambda each: pair in (self.pair(each.conv), self.pair(each.asked_conv)))
        self.out = self.out | {pair} if out else self.out - {pair}

    def erase(self, person: int) -> None:
        """All that was theirs is gone; their messages wait where they were."""
        self.epochs[person] += 1
        self.redis.hset(f"boss:person:per-{person}", "epoch", self.epochs[person])
        self.scripts.run(calls.erase_approvals(f"u-{person}", EVER))
        for each in self.questions.values():
            if person in (each.user, each.approver):
                each.dropped = True
                each.state = "withdrawn" if each.state == "pending" else each.state

    def _withdraw(self, which: Callable[[Asked], bool]) -> None:
        for each in self.questions.values():
            if each.state == "pending" and which(each):
                each.state = "withdrawn"

    def take_over(self, person: int) -> None:
        """An operator pauses one person, and lets them go again."""
        pairs = [self.pair(self.conv(person, channel)) for channel in ("sms", "email")]
        self.scripts.run(calls.pause("test", user=f"u-{person}", pairs=pairs))
        self.scripts.run(calls.resume(user=f"u-{person}"))
        self._withdraw(lambda each: bool({self.pair(each.conv), self.pair(each.asked_conv)} & set(pairs)))

    # -- what workers do -----------------------------------------------------------------------------------------

    def _record(self, message: str) -> Message | None:
        return Mailbox(self.redis).message(message)

    def serve(self, person: int, channel: str, dice: random.Random, *, asks: bool = False) -> None:
        """A worker runs one turn, and may die before each of its steps."""
        conv, token = self.conv(person, channel), self.name("k")
        found = self.scripts.run(calls.claim(conv, token, token.replace("k-", "t-"), lease_ms=LEASE, jitter=0.5))
        if found.turn is None or dice.random() < 0.1:
            return
        turn, carried = found.turn, ""
        first = turn.messages[0]
        if turn.reply is None:
            if first.kind == "approved" and not self._make(conv, token, turn, first, dice):
                return
            stored = self._store(conv, token, turn, first, dice, asks=asks and first.kind in ("text", "mail"))
            if stored is None or dice.random() < 0.15:
                return
        carried = self.replies.get(turn.reply_id, "")
        self._send(conv, token, turn, carried, dice)

    def _store(self, conv: str, token: str, turn: Turn, first: Message, dice: random.Random, *, asks: bool) -> str | None:
        """The reply is stored: to an answer, with a question, or an ordinary one. None where there is nothing to send."""
        more: dict[str, Any] = {}
        if first.answer:
            more = {"answers": "approval", "answer": _REPLIES}
        elif first.command:
            more = {"answers": first.command}
        elif first.kind == "question":
            more = {"answers": "question", "approval": first.approval}
            self.replies[turn.reply_id] = first.approval
        elif asks and turn.messages[0].user:
            more = self._question(conv, turn, dice)
        call = calls.store_reply(conv, token, turn, _COMMAND, limits=SEND_LIMITS, settled=NO_MODEL_CALL, **more)
        self.last = lambda: self.scripts.run(call)
        expected = self._verdict(first, conv) if first.answer else ""
        stored = self.scripts.run(call)
        if dice.random() < 0.2:
            again = self.scripts.run(call)
            must(stored.outcome == "text" or again.verdict == stored.verdict, "a repeat gets the first answer")
        if not first.answer:
            if first.command == "new":
                self._withdraw(lambda each: each.conv == conv)
            return stored.outcome
        came = stored.verdict or stored.outcome
        must(came == expected, f"{first.answer} comes to {came}, and should to {expected}")
        self._taken(first.id, came)
        return stored.outcome if came != "text" else None

    def _taken(self, message: str, came: str) -> None:
        said = self.answers.pop(message)
        if came in ("yes", "no", "always"):
            must(said.question.id not in self.taken, "a question is answered once")
            self.taken[said.question.id] = came
            said.question.state = "declined" if came == "no" else "approved"

    def _verdict(self, message: Message, conv: str) -> str:
        said = self.answers[message.id]
        question = said.question
        stamp = question.first if said.coded else question.last
        if question.dropped or said.order < stamp or self.epochs[question.user] != question.epoch:
            return "text"
        if question.state == "withdrawn":
            return "withdrawn" if said.coded else "text"
        if not said.coded:
            here = [
                each for each in self.questions.values()
                if each.state == "pending" and each.asked_conv == conv and each.approver == question.approver and each.first
                and said.at <= min(each.until, self.now + WINDOW) and not each.dropped
            ]  # fmt: skip
            if len(here) > 1:
                return "which"
        if question.state != "pending":
            return "already"
        return "expired" if said.late else said.word

    def _question(self, conv: str, turn: Turn, dice: random.Random) -> dict[str, Any]:
        person = int(conv[-1])
        approver = person if dice.random() < 0.7 else 1 - person
        tool, name = dice.choice(TOOLS), calls.approval_id(turn.id)
        code = self.scripts.run(calls.approval_code(f"u-{approver}", name, dice.sample(CODES, 5)))
        must(code != "", "there are codes enough")
        must(
            not any(each.code == code and each.approver == approver and each.state == "pending" for each in self.questions.values()),
            "a code that waits is not given again",
        )
        message, asked_conv = None, conv
        if approver != person:
            asked_conv = self.conv(approver, "sms")
            message = QuestionMessage(asked_conv, f"s-{asked_conv}", self.pair(asked_conv), received(f"n-{name}", "text"))
        question = Question(
            name, code, (ApprovalCall(tool, {}, "d", tool),), f"u-{person}", f"u-{approver}", f"per-{person}", turn.epoch,
            received(f"m-{name}", "text"), approver != person, message=message,
        )  # fmt: skip
        if str(self.epochs[person]) == turn.epoch:
            self._withdraw(lambda each: each.user == person and each.tool == tool)
            for each in self.questions.values():  # an ended question's code may be another's by now
                if each.code == code and each.approver == approver:
                    each.dropped = True
            self.questions[name] = Asked(
                name, code, tool, person, approver, conv, asked_conv, approver != person, self.epochs[person]
            )  # fmt: skip
        if message is None:
            self.replies[turn.reply_id] = name
        return {"question": question, "approval": "" if message else name}

    def _send(self, conv: str, token: str, turn: Turn, carried: str, dice: random.Random) -> None:
        for _ in range(2 if dice.random() < 0.2 else 1):
            call = calls.sending(conv, token, turn.reply_id, f"a-{token}", limits=SEND_LIMITS)
            permit = self.scripts.run(call)
            if permit.outcome == "look_up":
                must(permit.attempt is not None, "what is looked up has a name")
                self.scripts.run(
                    calls.outcome(
                        turn.reply_id, permit.attempt.id if permit.attempt else "", "accepted", provider_id=token, retention_ms=RETENTION,
                        conversation=conv, token=token,
                    )
                )  # fmt: skip
                return
            if permit.outcome == "too_old":
                self.scripts.run(calls.park(conv, token, "too_old", looked_up=True, retention_ms=RETENTION))
                self._withdraw(lambda each: each.id == carried and not each.first)
            if permit.outcome != "ok":
                return
            self._sent(conv, carried)
            if carried and dice.random() < 0.3:  # it is answered before it is sent once more
                self.answer(int(conv[-1]), "sms", "yes", 0, coded=dice.random() < 0.5)
        if dice.random() < 0.1:
            return
        self.scripts.run(
            calls.outcome(
                turn.reply_id, f"a-{token}", "accepted", provider_id=token, retention_ms=RETENTION, conversation=conv, token=token
            )
        )

    def _sent(self, conv: str, carried: str) -> None:
        question = self.questions.get(carried)
        asks = question is not None and question.state == "pending"
        self.newest[conv] = carried if asks else ""
        if question and asks:
            question.last, question.until = self.tick(), self.now + WINDOW
            question.first = question.first or question.last

    def _make(self, conv: str, token: str, turn: Turn, first: Message, dice: random.Random) -> bool:
        """The approved call is made; False for a worker that dies on the way."""
        name = first.id.removeprefix("m-")
        who = TurnHolder(conv, token, turn.id, turn.person, turn.epoch, LEASE)
        call = calls.calling(who, "0:1", wait_ms=1_000, repeatable=False)
        found = self.scripts.run(call)
        if dice.random() < 0.2:
            found = self.scripts.run(call)
        if found.outcome == "call":
            question = self.questions[name]
            must(self.taken.get(name) in ("yes", "always"), "nothing is called without a yes")
            question.begun = True
            if dice.random() < 0.2:  # killed before the call
                return False
            question.made += 1
            must(question.made == 1, "a call is made once for a yes")
            if dice.random() < 0.3:  # killed after it, or it answers late
                return False
            self.scripts.run(calls.called(turn.id, "0:1", {"text": "done"}))
        return found.outcome in ("call", "done", "unknown")

    def settle(self) -> None:
        """A quiet time: every answer that was accepted has come to something, and every call that was approved was begun."""
        dice = random.Random(0)  # noqa: S311 - a schedule, not a secret
        quiet = _Quiet(dice)
        for person in range(PEOPLE):
            for channel in ("sms", "email"):
                self.opt(person, channel, out=False)
        for _ in range(120):
            self.move_clock(LEASE * 3)
            for person in range(PEOPLE):
                for channel in ("sms", "email"):
                    self.serve(person, channel, quiet)
            if not self.redis.exists("boss:due", "boss:priority_due"):
                break
        must(not self.answers, "every answer comes to something")
        for name, word in self.taken.items():
            must(self.questions[name].begun == (word != "no"), "what was approved is called, and nothing else")
        must(not self.redis.exists("boss:due", "boss:priority_due"), "nothing waits for ever")


class _Quiet(random.Random):
    """Dice of a quiet time: nobody dies."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(dice.random())

    def random(self) -> float:
        """Never less than any chance."""
        return 0.999


def walk(redis: Redis, seed: int, mutation: Mutation | None = None, steps: int = STEPS) -> Consent:
    """Make random moves, then a quiet time."""
    world, dice = Consent(redis, mutation), random.Random(seed)  # noqa: S311 - a schedule, not a secret
    roll = dice.randrange

    def channel() -> str:
        return "sms" if dice.random() < 0.75 else "email"

    def answers() -> None:
        person, by, word = roll(PEOPLE), channel(), dice.choice(("yes", "yes", "no", "always"))
        world.answer(person, by, word, roll(9), coded=dice.random() < 0.6)

    moves: list[tuple[float, Callable[[], object]]] = [
        (10, lambda: world.write(roll(PEOPLE), channel())),
        (22, answers),
        (45, lambda: world.serve(roll(PEOPLE), channel(), dice, asks=dice.random() < 0.8)),
        (4, world.again),
        (10, lambda: world.move_clock(dice.choice(JUMPS))),
        (1, lambda: world.move_clock(-dice.choice(STEPS_BACK))),
        (3, lambda: world.opt(roll(PEOPLE), channel(), out=dice.random() < 0.3)),
        (1, lambda: world.write(roll(PEOPLE), channel(), command="new")),
        (0.5, lambda: world.take_over(roll(PEOPLE))),
        (0.5, lambda: world.erase(roll(PEOPLE))),
    ]
    for move in dice.choices([move for _, move in moves], [weight for weight, _ in moves], k=steps):
        move()
    world.settle()
    return world
