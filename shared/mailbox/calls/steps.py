"""What a turn does between its claim and its reply: each step is stored before the next one begins. No I/O.

`step.lua`, `calling.lua` and `called.lua` have the rules. Times are integer milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.mailbox.call import Call
from shared.mailbox.calls.spending import NO_MODEL_CALL, NO_NEXT_CALL, NextCall, Reserved, Settled

Figures = Mapping[str, int | str]
Stop = Literal["erased", "opted_out", "paused"]


@dataclass(frozen=True, slots=True)
class TurnHolder:
    """Who works on which turn, and for whom: what every step names. `epoch` is the person's, as the claim gave it."""

    conversation: str
    token: str
    turn: str
    person: str
    epoch: str
    lease_ms: int

    def arguments(self) -> dict[str, str | int]:
        """As the scripts read them."""
        return {
            "conv": self.conversation,
            "token": self.token,
            "turn": self.turn,
            "person": self.person,
            "epoch": self.epoch,
            "lease": self.lease_ms,
        }


@dataclass(frozen=True, slots=True)
class Effect:
    """What a tool of ours changes: the effect's name in `effects.lua`, the call's id, and its arguments.

    `marked`: made under the eyes of words that the person did not write. `channel` and `zone` are where and by which clock it was asked.
    """

    name: str
    call: str
    arguments: Mapping[str, Any]
    marked: bool = False
    channel: str = ""
    zone: str = "UTC"


NO_EFFECT = Effect("", "", {})


@dataclass(frozen=True, slots=True)
class Step:
    """The answer to `step`: what stands under the name, as JSON. Only `ok` allows another question or another tool.

    `priority_waits`: something waits that is served before this turn; its holder gives up the lease before its next question. `reserved`
    is the verdict on the next question, "" where none was asked for, or none may begin.
    """

    outcome: Literal["ok", "lost", "handed_over", "erased", "opted_out", "paused"]
    entry: str = ""
    priority_waits: bool = False
    reserved: Reserved | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Calling:
    """The answer to `calling`. Only `call` allows the call.

    `done`: `entry` is its result. `wait`: an earlier holder may still be waiting for it, for `wait_ms`. `unknown`: nobody knows whether it
    happened. `not_replicated`: `call`, but no replica of the server knows of it. `ask`: it waits for a yes, and the person has not said
    "always".
    """

    outcome: Literal["call", "ask", "not_replicated", "done", "wait", "unknown", "lost", "handed_over", "erased", "opted_out", "paused"]
    entry: str = ""
    wait_ms: int = 0


def step(
    holder: TurnHolder, name: str, entry: Mapping[str, Any] | None = None, *, effect: Effect = NO_EFFECT, figures: Figures | None = None,
    settled: Settled = NO_MODEL_CALL, upcoming: NextCall = NO_NEXT_CALL,
) -> Call[Step]:  # fmt: skip
    """Store an entry under a new name, or run an effect and store its result there; and reserve for the `upcoming` question."""
    arguments = {
        **holder.arguments(), "name": name, "entry": _json(entry or {}), "figures": _json(figures or {}), "effect": effect.name,
        "call": effect.call, "arguments": _json(effect.arguments), "marked": "1" if effect.marked else "", "channel": effect.channel,
        "zone": effect.zone, **settled.arguments(), **upcoming.arguments(),
    }  # fmt: skip
    return Call("step", arguments, _step)


def calling(
    holder: TurnHolder, call: str, *, wait_ms: int, repeatable: bool, figures: Figures | None = None, needs: str = ""
) -> Call[Calling]:  # fmt: skip
    """Ask whether a tool outside may be called. `wait_ms`: how long after its beginning nobody can be waiting for its answer any more.

    `needs` is what the person must have said "always" to (`shared.model.approvals.always_key`), "" for what needs no yes.
    """
    arguments = {
        **holder.arguments(), "call": call, "figures": _json(figures or {}), "wait": wait_ms, "repeatable": "1" if repeatable else "",
        "needs": needs,
    }  # fmt: skip
    return Call("calling", arguments, _calling, (), _not_replicated)


def called(turn: str, call: str, entry: Mapping[str, Any], figures: Figures | None = None) -> Call[str]:
    """Record what came of a call; the answer is what counts, as JSON, or "" for a turn that is over."""
    return Call("called", {"turn": turn, "call": call, "entry": _json(entry), "figures": _json(figures or {})}, str)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _step(raw: Any) -> Step:
    outcome, entry, waits, reserved = raw
    return Step(outcome, entry, waits == "1", reserved)


def _calling(raw: Any) -> Calling:
    outcome, value = raw
    return Calling(outcome, wait_ms=int(value)) if outcome == "wait" else Calling(outcome, value)


def _not_replicated(answer: Calling) -> Calling:
    return Calling("not_replicated") if answer.outcome == "call" else answer
