"""The world with tools: workers whose model calls them, a server outside, and erasures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.mailbox import calls
from shared.mailbox.calls import NO_NEXT_CALL, Effect, NextCall, TurnHolder, reserve
from tests.support.mailbox_environment import Environment
from tests.support.mailbox_state import LEASE
from tests.support.mailbox_tool_model import CALL, REPEATABLE, WAIT, ToolModel
from tests.support.mailbox_workers import Worker

MOST_ANSWERS: Final = 2
EFFECTS: Final = ("a", "b")
"""The two tools of ours that each answer calls, in this order; the third call is `o`, outside: of the first answer alone."""
NO_ROOM: Final = ("spent", "share", "month", "own_month", "dear")


class ToolEnvironment(Environment):
    """As the world without, and every other answer calls three tools."""

    oracle: ToolModel

    def __post_init__(self) -> None:
        super().__post_init__()
        self.oracle = ToolModel(self.redis, mutation=self.mutation, bounds=self.bounds)

    def check(self) -> None:
        """The promises, and those about steps."""
        super().check()
        self.oracle.check_steps()

    def erase(self, conv: int) -> None:
        """Somebody's memory is erased; a repeat would be another erasure."""
        self.oracle.erase(self.oracle.talks[f"c-{conv % 3}"].person)

    def end_process(self, which: int) -> None:
        """A kill that the host notices at once: whoever claims next comes while the call outside may still be under way."""
        self.kill(which)
        self.bury(-1)

    # -- a worker's turn -----------------------------------------------------------------------------------------

    def _claim(self, worker: Worker, fate: int) -> None:
        super()._claim(worker, fate)
        turn = worker.turn
        if worker in self.workers and turn is not None:
            worker.steps = dict(turn.steps)
            if worker.steps and not turn.reply:
                worker.phase = self._after(worker)

    @staticmethod
    def _after(worker: Worker) -> str:
        """The next thing to do in a turn with a step."""
        number = sum(name.startswith("answer:") for name in worker.steps)
        effects = [f"result:{number}:{name}" for name in EFFECTS]
        if any(name not in worker.steps for name in effects):
            return "effect"
        return "calling" if number == 1 and "result:1:o" not in worker.steps else "next"

    def _holder(self, worker: Worker) -> TurnHolder:
        turn = worker.turn
        assert turn is not None
        return TurnHolder(worker.conv, worker.token, turn.id, turn.person, turn.epoch, LEASE)

    def _think(self, worker: Worker, fate: int) -> None:
        """As without tools; an answer that could be stored calls some, once or twice a turn."""
        turn, asked = worker.turn, bool(worker.settled.model_call)
        assert turn is not None
        super()._think(worker, fate)
        answers = sum(name.startswith("answer:") for name in worker.steps)
        may = turn.messages[0].kind in ("text", "mail", "bridge") and not turn.messages[0].command and asked
        if worker.phase in ("store", "again") and may and answers < MOST_ANSWERS and fate % 4 < 3:
            worker.phase = "answer"
        elif worker.phase in ("park", "silent", "again") and any(name.startswith("result:") for name in worker.steps):
            worker.phase = "store"  # it has done something: code says so

    def _step(
        self, worker: Worker, name: str, entry: Mapping[str, Any], effect: Effect = calls.NO_EFFECT, upcoming: NextCall = NO_NEXT_CALL
    ) -> bool:
        """Store one; whether the turn may go on. What stands in `upcoming` may be asked at once where the step has reserved for it."""
        call = calls.step(self._holder(worker), name, entry, effect=effect, settled=worker.settled, upcoming=upcoming)
        found = self.remember(lambda: self.oracle.step(worker.conv, call))
        if found.entry:
            worker.steps = {**worker.steps, name: found.entry}
        goes_on = self._goes_on(worker, found.outcome)
        if goes_on and found.reserved:
            worker.model_call, worker.amount = upcoming.model_call, upcoming.amount
            self._on_reserved(worker, found.reserved)
        return goes_on and not found.reserved

    def _goes_on(self, worker: Worker, outcome: str) -> bool:
        if outcome in ("ok", "call", "done"):
            return True
        if outcome in ("lost", "erased"):
            self._end(worker)
        elif outcome == "opted_out":  # code says what was done, and its permit is refused
            worker.settled, worker.phase, worker.body = calls.NO_MODEL_CALL, "store", "done, and opted out"
        else:
            worker.phase, worker.delay, worker.counted = "backoff", 0 if outcome == "handed_over" else 30_000, False
        return False

    def _answer(self, worker: Worker, _fate: int) -> None:
        number = 1 + sum(name.startswith("answer:") for name in worker.steps)
        if self._step(worker, f"answer:{number}", {"says": self.name("x")}):
            worker.phase = "effect"

    def _effect(self, worker: Worker, fate: int) -> None:
        turn, number = worker.turn, sum(name.startswith("answer:") for name in worker.steps)
        assert turn is not None
        name = next(f"{number}:{each}" for each in EFFECTS if f"result:{number}:{each}" not in worker.steps)
        effect = Effect("remember", name, {"text": f"{turn.id} {name}"})
        # The last result of an answer reserves for the question behind it, every other time.
        upcoming = self._upcoming(worker, fate) if number > 1 and name.endswith(EFFECTS[-1]) and fate % 2 == 0 else NO_NEXT_CALL
        if self._step(worker, f"result:{name}", {}, effect, upcoming):
            worker.phase = self._after(worker)

    def _upcoming(self, worker: Worker, fate: int) -> NextCall:
        amount = worker.amount + fate
        return NextCall(self.name("q"), amount, self._cost(amount), self.bounds)

    def _calling(self, worker: Worker, _fate: int) -> None:
        number = sum(name.startswith("answer:") for name in worker.steps)
        name, repeatable = f"{number}:o", worker.conv == REPEATABLE
        call = calls.calling(self._holder(worker), name, wait_ms=WAIT, repeatable=repeatable)
        found = self.remember(lambda: self.oracle.calling(worker.conv, call))
        if found.outcome == "wait":
            worker.phase, worker.delay, worker.counted = "backoff", found.wait_ms, False
        elif found.outcome == "unknown":
            if self._step(worker, f"result:{name}", {"fate": "unknown"}):
                worker.phase = "next"
        elif self._goes_on(worker, found.outcome):
            if found.outcome == "done":
                worker.steps = {**worker.steps, f"result:{name}": found.entry}
            worker.phase, worker.permit_at = "next" if found.outcome == "done" else "outside", self.oracle.elapsed

    def _outside(self, worker: Worker, fate: int) -> None:
        """The call leaves, unless the worker stood still for longer than it may take; its answer comes in time, late (9 on), or never."""
        turn, number = worker.turn, sum(name.startswith("answer:") for name in worker.steps)
        assert turn is not None
        if self.oracle.elapsed < worker.permit_at + CALL:
            self.oracle.leaves(turn.id, f"{number}:o", worker.conv)
            worker.result = ("answered" if fate < 9 else "late", "")
        else:
            worker.result = ("not_made", "")
        worker.phase = "called"

    def _called(self, worker: Worker, _fate: int) -> None:
        turn, number = worker.turn, sum(name.startswith("answer:") for name in worker.steps)
        assert turn is not None
        name, id_ = f"{number}:o", turn.id
        call = calls.called(id_, name, {"fate": worker.result[0]})
        stands = self.remember(lambda: self.oracle.called(id_, name, call))
        if not stands:
            self._end(worker)
            return
        worker.steps = {**worker.steps, f"result:{name}": stands}
        worker.phase = "next"

    def _next(self, worker: Worker, fate: int) -> None:
        """One more question, unless something is served before the turn."""
        talk = self.oracle.talks[worker.conv]
        if talk.priority and self.oracle._not_before(worker.conv, urgent=True) <= self.oracle.now:
            worker.phase, worker.delay, worker.counted = "backoff", 0, False
            return
        worker.model_call, amount = self.name("q"), worker.amount + fate
        cost = self._cost(amount)
        call = reserve(
            worker.conv, worker.token, worker.model_call, amount, lease_ms=LEASE, bounds=self.bounds, cost=cost, settled=worker.settled
        )  # fmt: skip
        found = self.remember(lambda: self.oracle.reserve(worker.conv, worker.token, call))
        if found == "lost":
            self._end(worker)
        else:
            worker.amount = amount if found == "ok" else worker.amount
            self._on_reserved(worker, found)

    @staticmethod
    def _on_reserved(worker: Worker, found: str) -> None:
        """The verdict on the next question."""
        if found == "ok":
            worker.settled, worker.phase = calls.Settled(worker.model_call), "think"
        elif found in (*NO_ROOM, "opted_out"):  # code says what was done
            worker.settled, worker.phase, worker.body = calls.NO_MODEL_CALL, "store", f"done, and {found}"
        else:
            worker.settled, worker.phase, worker.delay, worker.counted = calls.NO_MODEL_CALL, "backoff", 5_000, False

    def _park(self, worker: Worker, fate: int) -> None:
        """A turn that has done something is ended by code, and never parked without its reply."""
        turn = worker.turn
        done = any(name.startswith("result:") for name in worker.steps)
        if done and turn is not None and turn.reply_id not in self.oracle.replies:
            worker.phase, worker.body = "store", "done, and it cannot go on"
            return
        super()._park(worker, fate)
