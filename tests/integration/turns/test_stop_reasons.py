"""Each way in which the model stops, before the first tool and behind one: what the person reads, and that no half call is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.model.words import said
from tests.integration.turns.test_tools import calling, notes, questions, sent, tools
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

__all__ = ["tools"]
JsonObject = dict[str, Any]
HALF: JsonObject = {"type": "tool_use", "id": "toolu_half", "name": "note", "input": {}}
SOME: JsonObject = {"type": "text", "text": "Let me note that. It will"}
WORDS: JsonObject = {"type": "text", "text": "It is done. Good"}
DONE: JsonObject = {"text": "In words, then."}


def stopped(stop: str | None, *content: JsonObject) -> JsonObject:
    """An answer that stops so."""
    return {"content": [*content], "stop_reason": stop}


@dataclass(frozen=True)
class Row:
    """The model's answers, what is sent of them, and how many of them were asked for. `behind` is what is sent where a tool ran before."""

    answers: list[JsonObject]
    sent: str
    asked: int = 1
    behind: str = ""
    parked: bool = field(default=False)


APOLOGY = said("error", "en")
UNFINISHED = said("unfinished", "en")
ROWS: dict[str, Row] = {
    "end_turn": Row([stopped("end_turn", WORDS)], "It is done. Good"),
    "stop_sequence": Row([stopped("stop_sequence", WORDS)], "It is done. Good"),
    "max_tokens in its words": Row([stopped("max_tokens", WORDS)], "It is done. [...]"),
    "max_tokens in a call": Row([stopped("max_tokens", SOME, HALF), DONE], "In words, then.", 2),
    "max_tokens in a call, twice": Row([stopped("max_tokens", SOME, HALF)] * 2, APOLOGY, 2, UNFINISHED, parked=True),
    "the window is full in its words": Row([stopped("model_context_window_exceeded", WORDS)], "It is done. [...]"),
    "the window is full in a call": Row([stopped("model_context_window_exceeded", HALF), DONE], "In words, then.", 2),
    "end_turn with a call": Row([stopped("end_turn", SOME, HALF), DONE], "In words, then.", 2),
    "a refusal": Row([stopped("refusal", SOME)], said("refused", "en")),
    "a refusal in a call": Row([stopped("refusal", SOME, HALF)], said("refused", "en")),
    "a pause": Row([stopped("pause_turn", SOME), DONE], "Let me note that. It willIn words, then.", 2),
    "a pause, and a cut": Row([stopped("pause_turn", SOME), stopped("max_tokens", HALF), DONE], "In words, then.", 3),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("behind", [False, True], ids=["first", "behind a tool"])
def test_what_is_made_of_an_answer_by_the_reason_for_which_it_stopped(
    environment: TurnEnvironment, sandbox: SandboxProcess, name: str, *, behind: bool
) -> None:
    """What a tool has done is told in any case; nothing is asked more often than it says, and each answer was settled."""
    row = ROWS[name]
    sandbox.script(*([calling("milk")] if behind else []), *row.answers)
    event = environment.text("Note milk")
    environment.drive(lambda: bool(sent(sandbox)) and environment.state(event).partition(":")[0] in ("answered", "parked"))
    assert len(questions(sandbox)) == row.asked + behind
    assert notes(environment.redis) == ["milk"] * behind
    texts = [text.replace("\n", "") for text in sent(sandbox)]
    assert texts == ([f"Noted: milk{row.behind or row.sent}"] if behind else [row.sent])
    assert environment.state(event).partition(":")[0] == ("parked" if row.parked and not behind else "answered")
    assert int(environment.redis.hget(next(iter(environment.redis.keys("boss:spent:[0-9]*"))), "reserved") or 0) == 0
