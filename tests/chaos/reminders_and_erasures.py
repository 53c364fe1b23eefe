"""Beside a turn's own steps: a reminder whose worker is killed as it rings, and a person who is erased while a worker holds their turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from redis import Redis

from shared.model.recurrence import MINUTE
from tests.chaos.tool_turns import PATIENCE, Row, Struck, nth
from tests.support.effects import ServerTime, run_effect
from tests.support.erasure import erase_person
from tests.support.fault_plan import FaultPlan
from tests.support.installation import Installation, Person
from tests.support.wait import wait_for

IN_TIME_MS: Final = 5_000
AHEAD_MS: Final = 500
REQUEST_MS: Final = 6_000
RINGS: Final = {"alarm read, before its script": "before:fire", "occurrence put": "after:fire"}
ERASED_AT: Final = {
    "erased, first answer not stored": ("SIGSTOP before:step",),
    "erased, an effect not stored": (*nth(2, "before:step")[:-1], "SIGSTOP before:step"),
    "erased, call outside not begun": ("SIGSTOP before:calling",),
    "erased, its result not stored": ("SIGSTOP before:called",),
    "erased, reply not stored": ("SIGSTOP before:store_reply",),
}


@dataclass(frozen=True)
class Beside:
    """Strikes of both kinds, each at a person of its own; each answer is a fault, with its row."""

    installation: Installation
    plans: FaultPlan

    def rings(self, *, times: int) -> list[str]:
        """Reminders, killed as they ring; one after the other, for whoever dies with several in hand delays each of them."""
        mine = [(name, self.installation.person()) for name in RINGS for _ in range(times)]
        broken = [fault for name, person in mine for fault in self._ring(name, person)]
        self.installation.quiet(PATIENCE)
        for name, person in mine:  # only now: what would be sent twice has been sent
            texts = [entry["request"]["body"] for entry in self.installation.replies(person)]
            if [word for text in texts for word in person.words(text)] != ["ring"]:
                broken.append(f"{name}, {person.tag}: it rang as {texts}")
        return broken

    def _ring(self, name: str, person: Person) -> Iterator[str]:
        conversation, redis = self.installation.conversation(person), self.installation.redis
        self.plans.set(conversation, f"SIGKILL {RINGS[name]}")
        reminder = self._set(person)
        try:
            self.plans.wait_for_hits(conversation, seconds=PATIENCE)
            self.installation.wait_for_replies(person, seconds=PATIENCE)
        except AssertionError as error:
            yield f"{name}, {person.tag}: {error}"
            return
        late = [int(line.fields["ms"]) for line in self.installation.lines(conversation, "reminder_due")]
        if len(late) != 1 or late[0] > IN_TIME_MS or redis.hget(f"boss:reminder:{reminder}", "fired") != b"1":
            yield f"{name}, {person.tag}: it stood in its inbox after {late} ms"

    def _set(self, person: Person) -> str:
        """A reminder of theirs that is due in a moment; its id."""
        redis, user = self.installation.redis, self.installation.user(person)
        redis.hset("boss:people", user, whose := f"per-{person.tag}")
        redis.hset(f"boss:person:{whose}", mapping={"v": 1, "user": user, "epoch": 0})
        due = self.installation.now_ms() + AHEAD_MS
        local = datetime.fromtimestamp(due / 1000, UTC).strftime(MINUTE)
        args = {"text": person.says("ring"), "kind": "reminder", "channel": "sms", "source": "", "recurrence": "", "zone": "UTC"}
        args |= {"due": str(due), "local": local}
        result = run_effect(ServerTime(redis), "remind", args, call=person.tag, user=user, person=whose)
        return str(result["reminder"]["id"])

    def erasures(self, *, times: int, at_once: int) -> list[str]:
        """People who are erased while the worker that holds their turn is frozen; it goes on afterwards."""
        rows = [Row(name, plan) for name, plan in ERASED_AT.items() for _ in range(times)]
        mine = [Struck(row, self.installation.person()) for row in rows]
        self.installation.sandbox.script(*(answer for struck in mine for answer in struck.answers))
        with ThreadPoolExecutor(at_once) as pool:
            broken = [fault for faults in pool.map(lambda struck: list(self._erase(struck)), mine) for fault in faults]
        self.installation.quiet(PATIENCE)
        return broken + list(self._left(mine))

    def _erase(self, struck: Struck) -> Iterator[str]:
        person, plan = struck.person, struck.row.plan
        conversation = self.installation.conversation(person)
        self.plans.set(conversation, *plan)
        try:
            self.installation.text(person, "go")
            self.plans.wait_for_hits(conversation, len(plan), PATIENCE)
            user = self.installation.user(person)
            erased = erase_person(self.installation.redis, person.tag, user, request_ms=REQUEST_MS)
            self.plans.thaw(conversation)
            wait_for(lambda: self.installation.redis.zscore("boss:due", conversation) is None, PATIENCE, "its end", every=0.1)
        except AssertionError as error:
            yield f"{struck.row.name}, {person.tag}: {error}"
            return
        if not erased.messages or erased.left:
            yield f"{struck.row.name}, {person.tag}: {erased}"

    def _left(self, mine: Sequence[Struck]) -> Iterator[str]:
        """What is kept of the erased all the same, and what they were sent."""
        kept = {key: _all_of(self.installation.redis, key) for key in self.installation.redis.scan_iter("boss:*")}
        for struck in mine:
            found = [key for key, text in kept.items() if f"{struck.person.tag} ".encode() in text]
            sent = self.installation.replies(struck.person)
            if found or sent:
                yield f"{struck.row.name}, {struck.person.tag}: {found} are kept, {len(sent)} replies were sent"


def _all_of(redis: Redis, key: bytes) -> bytes:
    """All that stands under a key."""
    kind = cast("bytes", redis.type(key))
    if kind == b"string":
        return cast("bytes | None", redis.get(key)) or b""
    if kind == b"hash":
        return b"\n".join(cast("list[bytes]", redis.hvals(key)))
    return b"\n".join(cast("list[bytes]", redis.lrange(key, 0, -1))) if kind == b"list" else b""
