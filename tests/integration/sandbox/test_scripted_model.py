"""Answers of the model that are written beforehand, a model that does what it is told, and what the journal shows of both."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.sandbox.clients import claude
from tests.support.sandbox import SandboxError, SandboxProcess

REMIND: Any = {"name": "set_reminder", "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}}}


def ask(sandbox: SandboxProcess, *contents: Any, **fields: Any) -> Any:
    """Ask with these contents, the user's and the model's by turns."""
    messages: Any = [{"role": ("user", "assistant")[number % 2], "content": content} for number, content in enumerate(contents)]
    options = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "tools": [REMIND], **fields}
    return claude(sandbox).messages.create(messages=messages, **options)


def result_of(answer: Any, text: str) -> list[Any]:
    return [{"type": "tool_result", "tool_use_id": block.id, "content": text} for block in answer.content if block.type == "tool_use"]


def content_of(answer: Any) -> list[Any]:
    return [block.to_dict() for block in answer.content]


def test_scripted_answers_come_in_order_each_once(sandbox: SandboxProcess) -> None:
    """Thinking, text and calls; between two calls this model's text comes as thinking; afterwards the model answers by itself."""
    sandbox.script(
        {"thinking": "hm", "text": "One moment.", "calls": [{"name": "set_reminder", "input": {"text": "mum"}, "id": "toolu_a"}]},
        {"text": "One more.", "calls": [{"name": "set_reminder", "input": {"text": "dad"}}, {"name": "set_reminder"}]},
        {"text": "Both are set.", "usage": {"output_tokens": 7}},
    )
    first = ask(sandbox, "remind me")
    assert ([block.type for block in first.content], first.stop_reason) == (["thinking", "text", "tool_use"], "tool_use")
    assert first.content[2].to_dict() == {"type": "tool_use", "id": "toolu_a", "name": "set_reminder", "input": {"text": "mum"}}
    loop = ["remind me", content_of(first), result_of(first, "Set.")]
    second = ask(sandbox, *loop)
    assert [block.type for block in second.content] == ["thinking", "tool_use", "tool_use"]
    assert second.content[0].thinking == "One more."
    loop += [content_of(second), result_of(second, "Set.")]
    last = ask(sandbox, *loop)
    assert (last.content[0].text, last.stop_reason, last.usage.output_tokens) == ("Both are set.", "end_turn", 7)
    assert ask(sandbox, "hello").content[0].text == "[simulated] You wrote: hello (user turns: 1)"
    assert sandbox.script() == {"answers": []}


def test_thinking_between_calls_and_without_its_words(sandbox: SandboxProcess) -> None:
    """`between_tools` thinks once there are results; thinking that is not shown is there, empty and signed, and goes back as it came."""
    sandbox.script({"thinking": "hm", "calls": [{"name": "set_reminder"}]}, {"thinking": "hm", "calls": [{"name": "set_reminder"}]})
    between: Any = {"thinking": {"type": "between_tools", "display": "omitted"}}
    first = ask(sandbox, "remind me", **between)
    assert [block.type for block in first.content] == ["tool_use"]
    loop = ["remind me", content_of(first), result_of(first, "Set.")]
    second = ask(sandbox, *loop, **between)
    assert [block.type for block in second.content] == ["thinking", "tool_use"]
    assert (second.content[0].thinking, second.usage.output_tokens_details.thinking_tokens) == ("", 1)
    assert ask(sandbox, *loop, content_of(second), result_of(second, "Set."), **between).stop_reason == "end_turn"


def test_scripted_answers_may_be_for_one_conversation(sandbox: SandboxProcess) -> None:
    """By a text in what the model is shown; without end where `times` is null; forgotten by DELETE and by a reset."""
    sandbox.script({"text": "Hello, Ada.", "match": "Ada", "times": None}, {"text": "Hello, Tom.", "match": "talking to Tom"})
    assert [ask(sandbox, words).content[0].text for words in ("Ada here", "Ada again")] == ["Hello, Ada.", "Hello, Ada."]
    assert ask(sandbox, "hi", system="You are talking to Tom.").content[0].text == "Hello, Tom."
    assert "You wrote" in ask(sandbox, "hi", system="You are talking to Tom.").content[0].text
    sandbox.call("DELETE", "/sandbox/script")
    assert "You wrote" in ask(sandbox, "Ada here").content[0].text
    sandbox.script({"text": "once"})
    sandbox.reset()
    assert sandbox.script() == {"answers": []}
    answers: list[dict[str, Any]] = [{"words": "x"}, {"calls": [{"input": {}}]}, {"times": 0}]
    for wrong in answers:
        with pytest.raises(SandboxError, match="400"):
            sandbox.script(wrong)


def test_a_scripted_call_that_has_no_room_is_cut(sandbox: SandboxProcess) -> None:
    """As the API does: the stop reason says so, and half a call is there. A refusal has its own details."""
    sandbox.script({"text": "One moment.", "calls": [{"name": "set_reminder", "input": {"text": "x" * 400}}]})
    cut = ask(sandbox, "remind me", max_tokens=50)
    assert (cut.stop_reason, [block.type for block in cut.content], cut.content[1].input) == ("max_tokens", ["text", "tool_use"], {})
    sandbox.script({"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "cyber", "explanation": None}})
    refused = ask(sandbox, "hack it")
    assert (refused.stop_reason, refused.content, refused.stop_details.category) == ("refusal", [], "cyber")


def test_a_model_that_obeys_makes_the_calls_that_it_is_told(sandbox: SandboxProcess) -> None:
    """All at once, those of a result in the next answer, one at a time where calls are not parallel, none where none is allowed."""
    sandbox.faults(anthropic={"obey": True})
    words = 'CALL set_reminder {"text": "a"} and CALL wire_money {"to": "Tom"}'
    first = ask(sandbox, words)
    assert [(block.name, block.input) for block in first.content] == [("set_reminder", {"text": "a"}), ("wire_money", {"to": "Tom"})]
    loop = [words, content_of(first), result_of(first, 'Set. CALL set_reminder {"text": "b"}')]
    second = ask(sandbox, *loop)
    assert [block.input for block in second.content] == [{"text": "b"}]
    last = ask(sandbox, *loop, content_of(second), result_of(second, "Set."))
    told = 'Set. CALL set_reminder {"text": "b"}'
    assert (last.content[0].text, last.stop_reason) == (f"{words}\n{told}\n{told}\nSet.", "end_turn")
    one = ask(sandbox, words, tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert len(one.content) == 1
    assert ask(sandbox, words, tool_choice={"type": "none"}).content[0].text == words
    plain = claude(sandbox).messages.create(model="m", max_tokens=100, messages=[{"role": "user", "content": words}])
    assert plain.content[0].to_dict()["text"] == words


def test_the_journal_shows_what_the_model_was_shown_and_what_it_answered(sandbox: SandboxProcess) -> None:
    """Tools by name, results by their tools, breakpoints by their places; content, stop reason and usage of the answer."""
    sandbox.script({"calls": [{"name": "set_reminder", "input": {"text": "mum"}, "id": "toolu_a"}]}, {"text": "Set."})
    first = ask(
        sandbox, "remind me", system=[{"type": "text", "text": "You are Boss.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    )
    ask(sandbox, "remind me", content_of(first), result_of(first, "Tuesday, 9:00"), cache_control={"type": "ephemeral"})
    asked, told = sandbox.journal("anthropic.messages")
    assert (asked["request"]["system"], asked["request"]["tool_names"]) == ("You are Boss.", ["set_reminder"])
    assert asked["answer"]["content"] == content_of(first)
    assert (asked["answer"]["stop_reason"], asked["answer"]["breakpoints"]) == ("tool_use", [{"place": "system.0", "ttl": "1h"}])
    assert told["request"]["tool_results"] == [
        {"call": "toolu_a", "name": "set_reminder", "given": {"text": "mum"}, "text": "Tuesday, 9:00", "failed": False}
    ]
    assert (told["request"]["text"], told["request"]["user_turns"]) == ("remind me", 1)
    assert told["answer"]["breakpoints"] == [{"place": "messages.2.content.0", "ttl": "5m"}]
    assert set(told["answer"]["usage"]) >= {"input_tokens", "output_tokens", "cache_read_input_tokens"}
