"""What code says of calls that wait for a yes: the question, made from the stored arguments and whole, and what is said to an answer. Pure.

Every value stands as JSON spells it: in quotation marks, which nothing within can end, and with signs of its own for what cannot be seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from shared.mailbox.calls.memory import WaitingQuestion
from shared.model.approvals import ApprovalCall
from shared.model.text import one_line
from shared.model.words import said
from supervisor_worker.channels.notes import note, theirs

REMEMBER: Final = "remember"
MAX_NAME: Final = 60
MAX_SHOWN: Final = 400
"""Characters of one question's calls that the model is shown."""
_TICKS: Final = re.compile("`+")


def question(calls: Sequence[ApprovalCall], code: str, language: str, *, asker: str = "") -> str:
    """The question about calls, as Markdown. `asker` is who asks for them, "" for whoever reads it."""
    each = [what(call, language) for call in calls]
    shown = each[0] if len(each) == 1 else " ".join(f"({number}) {one}" for number, one in enumerate(each, 1))
    name = as_it_stands(one_line(theirs(asker), MAX_NAME)) if asker else ""
    return said("ask_for_another" if asker else "ask", language, what=shown, code=code, who=name)


def what(call: ApprovalCall, language: str) -> str:
    """One call, as Markdown: what it does, and with what."""
    if call.tool == REMEMBER:
        return said("ask_remember", language, text=as_it_stands(spelled(call.arguments.get("text", ""))))
    server, _, tool = call.tool.partition("__")
    return as_it_stands(", ".join([f"{tool} ({server})", *(f"{name}: {spelled(value)}" for name, value in call.arguments.items())]))


def as_it_stands(text: str) -> str:
    """A line as Markdown that shows each of its characters: as code, between more ticks than stand in a row within."""
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"{fence}{text}{fence}"


def spelled(value: Any) -> str:
    """A value as JSON, readable where it can be read."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)


def notes_of(waiting: Sequence[WaitingQuestion], at: tzinfo) -> list[str]:
    """Notes for the model on what waits for a yes. Of what was asked for under words of others only the tool is named.

    They name no code: it would come out of the model in a sentence that asks for a yes to something else.
    """
    notes = []
    for question in waiting:
        calls = "; ".join(call.tool if call.marked else of_model(call) for call in question.calls)
        until = f" until {datetime.fromtimestamp(question.until_ms / 1000, at):%H:%M}" if question.until_ms else ""
        notes.append(note(f"This program has asked for a yes, and nothing of it is done before{until}: {theirs(calls)[:MAX_SHOWN]}"))
    return notes


def of_model(call: ApprovalCall) -> str:
    """One call, for the model."""
    arguments: Mapping[str, Any] = call.arguments
    return f"{call.tool} {theirs(spelled(dict(arguments)))}"
