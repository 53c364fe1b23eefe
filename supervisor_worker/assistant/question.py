"""A question as its turn's first step stores it: whoever resumes the turn asks with the same bytes.

Its pictures and documents are not stored: they are read anew from where they are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from supervisor_worker.assistant import model_choice
from supervisor_worker.assistant.addresses import written_in
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.assistant.prompt_message import PromptMessage


def stored(prompt: Prompt) -> dict[str, Any]:
    """What a resume needs of a turn's first question, as JSON can hold it."""
    return {
        "stable": prompt.stable,
        "tools": [dict(tool) for tool in prompt.tools],
        "messages": [[message.role, message.text, message.ends] for message in prompt.messages],
        "mixed": prompt.mixed,
        "source": prompt.source,
        "choice": prompt.choice.stored() if prompt.choice else None,
        "wrote": written_in(prompt.own),
        "cached": prompt.cached,
        "shown": [len(prompt.messages[-1].pictures), len(prompt.messages[-1].documents)],
    }


def restored(value: Mapping[str, Any], current: Prompt) -> Prompt | None:
    """The question again, with the pictures and documents of `current`; None where these are not the same any more."""
    newest = current.messages[-1]
    if value["shown"] != [len(newest.pictures), len(newest.documents)]:
        return None
    # An older version has written no ends of blocks.
    messages = [PromptMessage(role, text, ends=tuple(ends[0]) if ends else ()) for role, text, *ends in value["messages"]]
    messages[-1] = replace(messages[-1], pictures=newest.pictures, documents=newest.documents)
    again = replace(current, stable=value["stable"], messages=tuple(messages), tools=tuple(value["tools"]), mixed=value["mixed"])
    return replace(again, choice=model_choice.restored(value.get("choice"), current.choice), cached=value.get("cached", ""))
