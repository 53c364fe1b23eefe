"""What is made of an answer by the reason for which it stopped; `tests/integration/turns/test_stop_reasons.py` has the table."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.generated import GeneratedText, ReplyTarget
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.channels.sendgrid.format import EmailFormat
from tests.unit.supervisor_worker.assistant.test_reply import MAIL

CALL: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "note", "input": {}}


def made(answer: ModelAnswer) -> tuple[bool, str]:
    """Whether it broke off within a call, and its text."""
    found = asyncio.run(GeneratedText.of([answer], ReplyTarget(MAIL, EmailFormat(), "r-1"), Prompt("", ())))
    return found.half_call, found.text


@pytest.mark.parametrize("stop", ["", "end_turn", "new_reason", "tool_use"])
def test_a_call_counts_only_where_the_answer_stopped_for_it(stop: str) -> None:
    """Also where no reason is given, as by a stream without its end, or one that nobody knows."""
    assert made(ModelAnswer("Well", stop=stop, content=(CALL,))) == ((False, "Well") if stop == "tool_use" else (True, ""))
    assert made(ModelAnswer("Well", stop=stop)) == (False, "Well")
