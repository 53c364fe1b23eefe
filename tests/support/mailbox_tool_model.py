"""The law of a turn that calls tools: what each of its scripts may answer, and what is stored, done and called, by books of its own."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, cast

from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.mailbox.calls import Calling, Claim, Step
from shared.mailbox.records import Turn
from tests.support.mailbox_model import MailboxModel
from tests.support.mailbox_state import LEASE, Talk, must

CALL: Final = 90_000
"""The longest that a call outside takes, in ms: longer than a lease."""
WAIT: Final = CALL + 5_000
REPEATABLE: Final = "c-0"
"""The conversation whose tool outside may be called once more."""


@dataclass
class Outside:
    """A call outside: who may make it, since when, and what came of it."""

    token: str
    at: int
    result: str = ""


class ToolModel(MailboxModel):
    """Steps, effects, calls outside and erasures beside the rest of the law."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.epochs: Counter[str] = Counter()
        self.facts: dict[str, set[str]] = {talk.person: set() for talk in self.talks.values()}
        self.outside: dict[tuple[str, str], Outside] = {}
        self.made: Counter[tuple[str, str]] = Counter()
        self.turns_of: dict[str, set[str]] = {}

    def claim(self, conv: str, token: str, call: Call[Claim]) -> Claim:
        """Also: a person keeps their epoch until they are erased, and what is in a turn with a step is in no other."""
        found = super().claim(conv, token, call)
        if found.turn and found.turn.person:
            must(found.turn.epoch == str(self.epochs[self.talks[conv].person]), "an epoch is raised by an erasure alone")
        return found

    # -- steps --------------------------------------------------------------------------------------------------

    def _refused(self, talk: Talk, token: str, turn: str) -> str:
        if talk.holder != token or talk.turn_id != turn or f"r-{turn[2:]}" in self.replies:
            return "lost"
        return "handed_over" if any(self.said[name].state == "handed_over" for name in talk.turn) else ""

    def outlived(self, talk: Talk, turn: Turn) -> bool:
        """Its epoch is of its claim."""
        return bool(turn.person) and turn.epoch != str(self.epochs[talk.person])

    def _stopped(self, talk: Talk, token: str, epoch: str) -> str:
        if epoch != str(self.epochs[talk.person]):
            return "erased"
        if talk.pair in self.opted_out and self.said[talk.turn[0]].kind != "bridge":
            return "opted_out"
        probes = self.alarm is not None and self.alarm.probe == token and talk.pair not in self.held
        return "paused" if (self.paused or talk.pair in self.held) and not probes else ""

    def _extended(self, talk: Talk) -> None:
        talk.lease_end, talk.let_go = self.now + LEASE, False
        must(self._times(talk.id)[0] == talk.lease_end, "the agenda looks again at the lease's end")

    def _bind(self, talk: Talk, turn: str) -> dict[str, str]:
        talk.bound = turn
        self.bound[turn] = list(talk.turn)
        for name in talk.turn:
            self.said[name].of = turn
        return self.steps.setdefault(turn, {})

    def step(self, conv: str, call: Call[Step]) -> Step:
        """An answer of the model's, or an effect with its result."""
        talk, args = self.talks[conv], {name: str(value) for name, value in call.args.items()}
        token, turn, name, effect = args["token"], args["turn"], args["name"], args["effect"]
        self.money.settled_by(call)
        refused = self._refused(talk, token, turn)
        stop = "" if refused else self._stopped(talk, token, args["epoch"])
        before = self.steps.get(turn, {}).get(name, "")
        found = self.scripts.run(call)
        must(found.outcome == (refused or stop or "ok"), f"a step is {refused or stop or 'ok'}, not {found.outcome}")
        if refused or (not before and (stop == "erased" or (effect and stop))):
            must(not found.entry and not found.reserved, "what is refused is not stored, and nothing follows it")
            return found
        steps = self._bind(talk, turn)
        must(not before or found.entry == before, "a name is written once")
        steps[name] = found.entry
        if effect and not before:
            self.facts[talk.person].add(json.loads(args["arguments"])["text"])
        self._extended(talk)
        ready = bool(talk.priority) and self._not_before(conv, urgent=True) <= self.now
        must(found.priority_waits == ready, "a step says what is served before its turn")
        if args["upcoming.model_call"] and not stop and not ready:
            self.reserved_next(talk, token, call, found.reserved, "upcoming.")
        else:
            must(not found.reserved, "a step reserves only for what may begin")
        return found

    # -- calls outside ------------------------------------------------------------------------------------------

    def calling(self, conv: str, call: Call[Calling]) -> Calling:
        """The permit for a call. Only `call` allows it."""
        talk, args = self.talks[conv], {name: str(value) for name, value in call.args.items()}
        token, turn, name = args["token"], args["turn"], args["call"]
        refused = self._refused(talk, token, turn)
        stop = "" if refused else self._stopped(talk, token, args["epoch"])
        known, done = self.outside.get((turn, name)), self.steps.get(turn, {}).get(f"result:{name}", "")
        found = self.scripts.run(call)
        wanted = refused or ("done" if done else "") or stop or self._permit(known, token, repeatable=args["repeatable"] == "1")
        must(found.outcome == wanted, f"a call is {wanted}, not {found.outcome}")
        must(found.outcome != "done" or found.entry == done, "what came of a call decides")
        if found.outcome == "call":
            if known is None or known.token != token:
                self.outside[turn, name] = Outside(token, self.now)
                self._bind(talk, turn)[f"calling:{name}"] = cast("bytes", self.redis.hget(f"boss:steps:{turn}", f"calling:{name}")).decode()
            self._extended(talk)
        elif known and found.outcome in ("wait", "unknown"):
            if known.at > self.now:
                known.at = self.now
                self.steps[turn][f"calling:{name}"] = cast("bytes", self.redis.hget(f"boss:steps:{turn}", f"calling:{name}")).decode()
            must(found.outcome != "wait" or found.wait_ms == known.at + WAIT - self.now, "a call is waited for as long as it may take")
        return found

    def _permit(self, known: Outside | None, token: str, *, repeatable: bool) -> str:
        if known is None or known.token == token:
            return "call"
        if min(known.at, self.now) + WAIT > self.now:
            return "wait"
        return "call" if repeatable else "unknown"

    def leaves(self, turn: str, name: str, conv: str) -> None:
        """A call reaches its server."""
        self.made[turn, name] += 1
        must(self.made[turn, name] == 1 or conv == REPEATABLE, "a call is made once, unless it may be repeated")
        result = self.steps.get(turn, {}).get(f"result:{name}", "")
        must("unknown" not in result, "nothing leaves once its fate is told as unknown")

    def called(self, turn: str, name: str, call: Call[str]) -> str:
        """What came of it, whoever holds the lease."""
        known = turn in self.steps and (turn, name) in self.outside
        before = self.steps.get(turn, {}).get(f"result:{name}", "")
        found = self.scripts.run(call)
        must(found == ((before or str(call.args["entry"])) if known else ""), "the first word about a call counts, while its turn is there")
        if known:
            self.steps[turn][f"result:{name}"] = found
        return found

    # -- erasures -----------------------------------------------------------------------------------------------

    def erase(self, person: str) -> None:
        """An erasure begins: what is remembered goes, and whoever works on what was said before stores nothing more."""
        known = bool(self.redis.hexists("boss:people", person))
        found = self.scripts.run(calls.erase_begin(person, most=0)).forgotten
        must(found == len(self.facts[person]), "all that is remembered goes")
        self.facts[person] = set()
        self.epochs[person] += known

    def check_steps(self) -> None:
        """What holds after each move."""
        for turn, steps in self.steps.items():
            stored = {key.decode(): value.decode() for key, value in cast("Any", self.redis.hgetall(f"boss:steps:{turn}")).items()}
            must(stored == steps, f"the steps of {turn} stay as they were stored")
        kept = {key.decode().removeprefix("boss:steps:") for key in cast("Any", self.redis.keys("boss:steps:*"))}
        must(kept == set(self.steps), "the steps of a turn that is over go")
        for talk in self.talks.values():
            whose = cast("bytes", self.redis.hget("boss:people", talk.person) or b"").decode()
            fields = cast("dict[bytes, bytes]", self.redis.hgetall(f"boss:facts:{whose}"))
            facts = [json.loads(value)["text"] for field, value in fields.items() if field != b"next"]
            must(sorted(facts) == sorted(self.facts[talk.person]), "an effect happens once, and with its result")
