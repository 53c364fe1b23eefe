"""What the simulated model writes."""

from __future__ import annotations

import pytest

from sandbox.anthropic import simulated_model
from sandbox.engine.faults import AnthropicFaults


@pytest.mark.parametrize("length", [1, 11, 12, 50, 1601, 5000])
def test_essays_are_exactly_as_long_as_asked_for(length: int) -> None:
    """To the character, and marked as simulated when there is room for it."""
    text = simulated_model.essay(length)
    assert len(text) == length
    assert text == text.strip()
    assert text.startswith(simulated_model.MARK[:length])


def test_a_small_budget_cuts_the_answer() -> None:
    """max_tokens means something."""
    request = {"max_tokens": 5, "messages": [{"role": "user", "content": "tell me everything"}]}
    reply = simulated_model.answer(request, AnthropicFaults())
    assert reply.stop_reason == "max_tokens"
    assert len(reply.content[0]["text"]) == 20


def test_an_echo_is_of_the_user_s_words_alone() -> None:
    """What the asking program puts around them is not read out on the page."""
    asked = {"messages": [{"role": "user", "content": "⟦A mail. Subject: Hello⟧\n\nhello there\n\n⟦End of the mail⟧"}], "max_tokens": 100}
    assert simulated_model.answer(asked, AnthropicFaults()).content[0]["text"] == "[simulated] You wrote: hello there (user turns: 1)"
