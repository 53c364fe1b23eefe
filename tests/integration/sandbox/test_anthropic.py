"""The Messages API as its SDK meets it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any

import anthropic
import pytest

from tests.integration.sandbox.clients import ask, claude
from tests.support.sandbox import SandboxProcess


def test_claude_answers_and_says_that_it_is_simulated(sandbox: SandboxProcess) -> None:
    """The echo, and the number of the user's turns."""
    message = claude(sandbox).messages.create(
        model="claude-haiku-5-5",
        max_tokens=1000,
        system=[{"type": "text", "text": "You are Boss.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "1"},
            {"role": "user", "content": [{"type": "text", "text": "two"}]},
        ],
    )
    block = message.content[0]
    assert isinstance(block, anthropic.types.TextBlock)
    assert block.text == "[simulated] You wrote: two (user turns: 2)"
    assert (message.stop_reason, message.usage.output_tokens > 0) == ("end_turn", True)
    [entry] = sandbox.journal("anthropic.messages", accepted=True)
    assert (entry["request"]["text"], entry["request"]["user_turns"]) == ("two", 2)
    assert entry["request"]["system"] == "You are Boss."


def test_claude_streams(sandbox: SandboxProcess) -> None:
    """The SDK's stream helper puts the same message together."""
    sandbox.faults(anthropic={"thinking": "hm", "length": 300})
    options: dict[str, Any] = {"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "go"}]}
    with claude(sandbox).messages.stream(**options) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert len(text) == 300
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert final.stop_reason == "end_turn"
    names = [event.type for event in claude(sandbox).messages.create(stream=True, **options)]
    assert names[0] == "message_start"
    assert names[-2:] == ["message_delta", "message_stop"]


def test_a_call_of_a_tool_comes_whole_and_in_pieces_and_goes_back(sandbox: SandboxProcess) -> None:
    """Thinking, text and call, as one document and as events; their content is taken back with the result, and not without it."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "set_reminder", "input": {"text": "call mum", "in_minutes": 20}}
    sandbox.faults(anthropic={"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "One moment."}, call]})
    tool = {"name": "set_reminder", "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}}}
    messages: list[Any] = [{"role": "user", "content": "remind me"}]
    options: dict[str, Any] = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "tools": [tool]}
    whole = claude(sandbox).messages.create(messages=messages, **options)
    with claude(sandbox).messages.stream(messages=messages, **options) as stream:
        final = stream.get_final_message()
    assert [block.to_dict() for block in final.content] == [block.to_dict() for block in whole.content]
    assert final.content[2].to_dict() == call
    sandbox.faults(anthropic={"content": None})
    content = [block.to_dict() for block in final.content]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Set."}
    messages += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    assert claude(sandbox).messages.create(messages=messages, **options).stop_reason == "end_turn"
    messages[2] = {"role": "user", "content": "and?"}
    with pytest.raises(anthropic.BadRequestError, match="without `tool_result` blocks"):
        claude(sandbox).messages.create(messages=messages, **options)


def test_after_a_pause_the_same_content_goes_back(sandbox: SandboxProcess) -> None:
    """The one place where a conversation may end with the assistant's words; changed words are a prefill."""
    sandbox.faults(anthropic={"text": "Part one.", "stop_reason": "pause_turn"})
    messages: list[Any] = [{"role": "user", "content": "go"}]
    paused = claude(sandbox).messages.create(model="m", max_tokens=100, messages=messages)
    sandbox.faults(anthropic={"text": "Part two.", "stop_reason": None})
    messages.append({"role": "assistant", "content": [block.to_dict() for block in paused.content]})
    assert claude(sandbox).messages.create(model="m", max_tokens=100, messages=messages).stop_reason == "end_turn"
    messages[1] = {"role": "assistant", "content": "Part"}
    with pytest.raises(anthropic.BadRequestError, match="prefill"):
        claude(sandbox).messages.create(model="m", max_tokens=100, messages=messages)


def test_claude_async_and_count_tokens(sandbox: SandboxProcess) -> None:
    """The async SDK, and the tokens of a request."""

    async def talk() -> tuple[str, int]:
        async with anthropic.AsyncAnthropic(api_key="sk-ant", base_url=sandbox.url, max_retries=0) as client:
            messages: Any = [{"role": "user", "content": "hello " * 100}]
            counted = await client.messages.count_tokens(model="m", messages=messages)
            async with client.messages.stream(model="m", max_tokens=500, messages=messages) as stream:
                return await stream.get_final_text(), counted.input_tokens

    text, tokens = asyncio.run(talk())
    assert text.startswith("[simulated] You wrote: hello hello")
    assert 100 < tokens < 200


def test_claude_knobs(sandbox: SandboxProcess) -> None:
    """Text, stop reason, refusal, emptiness, usage, length and shortening."""
    client = claude(sandbox)
    sandbox.faults(anthropic={"text": "words", "stop_reason": "max_tokens", "usage": {"input_tokens": 9}})
    message = ask(client)
    assert (message.content[0].text, message.stop_reason, message.usage.input_tokens) == ("words", "max_tokens", 9)  # type: ignore[union-attr]
    sandbox.faults(anthropic={"text": None, "stop_reason": "refusal"})
    refused = ask(client)
    assert refused.content == []
    assert refused.stop_details is not None
    sandbox.faults(anthropic={"stop_reason": None, "content": []})
    assert ask(client).content == []
    sandbox.faults(anthropic={"content": None, "length": 2000})
    texts = [ask(client, words).content[0].text for words in ("tell me", "shorter, please", "at most 1,500 characters")]  # type: ignore[union-attr]
    assert [len(text) for text in texts] == [2000, 160, 1500]


def test_claude_refuses_as_the_api_does(sandbox: SandboxProcess) -> None:
    """What the API would refuse is a 400 here too."""
    client = claude(sandbox)
    for messages in (
        [],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": "x"}, {"role": "assistant", "content": "prefill"}],
        [{"role": "assistant", "content": "x"}, {"role": "user", "content": "x"}],
    ):
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(model="m", max_tokens=10, messages=messages)  # type: ignore[arg-type]
    assert sandbox.count("anthropic.messages") == 0


@pytest.mark.parametrize(
    ("model", "fields", "refused"),
    [
        ("claude-sonnet-5-5", {"thinking": {"type": "disabled"}}, True),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}, "output_config": {"effort": "high"}}, False),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}, "output_config": {"effort": "max"}}, True),
        ("claude-sonnet-5-5", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, True),
        ("claude-sonnet-5-5", {"tool_choice": {"type": "any"}, "tools": []}, True),
        ("claude-sonnet-5-5", {"output_config": {"effort": "extreme"}}, True),
        ("claude-sonnet-5-5", {"extra_body": {"temperature": 0.5}}, True),
        ("claude-opus-5-5", {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, True),
        ("claude-haiku-5-5", {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, False),
        ("claude-haiku-5-5", {"thinking": {"type": "disabled"}, "output_config": {"effort": "xhigh"}}, True),
        ("claude-haiku-4-5", {"thinking": {"type": "adaptive"}}, True),
        ("claude-haiku-4-5", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, False),
        ("claude-haiku-4-5", {"thinking": {"type": "enabled", "budget_tokens": 4096}}, True),
        ("claude-haiku-4-5", {"thinking": {"type": "enabled", "budget_tokens": 100}}, True),
        ("claude-haiku-4-5", {"output_config": {"effort": "low"}}, True),
        ("claude-sonnet-4-6", {"output_config": {"effort": "xhigh"}}, True),
        ("m", {"thinking": {"type": "disabled"}, "extra_body": {"temperature": 0.5}}, False),
        ("m", {"thinking": {"type": "sometimes"}}, True),
    ],
)
def test_claude_takes_of_each_model_what_that_takes(sandbox: SandboxProcess, model: str, fields: dict[str, Any], refused: bool) -> None:
    """Forms of thinking, efforts, sampling and forced tools."""
    options: Any = {"model": model, "max_tokens": 4096, "messages": [{"role": "user", "content": "go"}], **fields}
    if not refused:
        assert claude(sandbox).messages.create(**options).stop_reason == "end_turn"
        return
    with pytest.raises(anthropic.BadRequestError):
        claude(sandbox).messages.create(**options)


def test_claude_s_thinking_counts_toward_what_it_may_say(sandbox: SandboxProcess) -> None:
    """As much of it as the effort says; an answer may be thinking alone, cut, or whole; what is turned off is not there."""
    sandbox.faults(anthropic={"thinking_tokens": 1_000, "text": "word " * 400})
    messages: Any = [{"role": "user", "content": "go"}]

    def said(most: int, **fields: Any) -> tuple[list[str], str, int]:
        answer = claude(sandbox).messages.create(model="claude-sonnet-5-5", max_tokens=most, messages=messages, **fields)
        return [block.type for block in answer.content], str(answer.stop_reason), answer.usage.output_tokens

    assert said(1_000) == (["thinking"], "max_tokens", 1_000)
    assert said(1_100) == (["thinking", "text"], "max_tokens", 1_100)
    assert said(4_000) == (["thinking", "text"], "end_turn", 1_500)
    assert said(4_000, output_config={"effort": "low"}) == (["thinking", "text"], "end_turn", 600)
    assert said(1_000, thinking={"type": "between_tools"}) == (["text"], "end_turn", 500)
    sandbox.faults(anthropic={"match": "somebody else"})
    assert said(1_000)[0] == ["text"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"fault": "429", "retry_after": 7}, anthropic.RateLimitError),
        ("500", anthropic.InternalServerError),
        ("529", anthropic.OverloadedError),
        ("401", anthropic.AuthenticationError),
        ("reset_before", anthropic.APIConnectionError),
        ("reset_midway", anthropic.APIConnectionError),
    ],
)
def test_claude_faults(sandbox: SandboxProcess, fault: Any, expected: type[Exception]) -> None:
    """The SDK sees the error the API would give."""
    sandbox.faults(anthropic={"fail": [fault]})
    with pytest.raises(expected) as caught:
        ask(claude(sandbox))
    if isinstance(caught.value, anthropic.RateLimitError):
        assert caught.value.response.headers["retry-after"] == "7"


def test_a_stream_can_fail_in_the_middle(sandbox: SandboxProcess) -> None:
    """An error event, or the end of the connection."""
    options: dict[str, Any] = {"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "go"}]}
    for fault in ("stream_error", "reset_midway"):
        sandbox.faults(anthropic={"fail": [fault], "length": 500})
        with pytest.raises(Exception) as caught, claude(sandbox).messages.stream(**options) as stream:  # noqa: PT011
            stream.get_final_message()
        assert not isinstance(caught.value, AssertionError)


def test_documents_are_refused_as_anthropic_refuses_them(sandbox: SandboxProcess) -> None:
    """One that is none, is locked, or has too many pages; one that is good is counted, and is in the journal by its digest."""

    def shown(content: bytes, **source: str) -> Any:
        source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(content).decode(), **source}
        return [{"role": "user", "content": [{"type": "document", "source": source}, {"type": "text", "text": "What is it?"}]}]

    good = b"%PDF-1.7\n" + b"<< /Type /Page >>\n<< /Type /Pages >>\n" * 3
    client = claude(sandbox)
    counted = client.messages.count_tokens(model="m", messages=shown(good)).input_tokens
    assert counted > client.messages.count_tokens(model="m", messages=shown(good[: len(good) // 2])).input_tokens
    client.messages.create(model="m", max_tokens=100, messages=shown(good))
    [entry] = sandbox.journal("anthropic.messages", accepted=True)
    block = entry["request"]["messages"][0]["content"][0]
    digest = hashlib.sha256(good).hexdigest()
    assert block == {"type": "document", "source": {"media_type": "application/pdf", "bytes": len(good), "sha256": digest}}
    refusals = (
        (shown(b"GIF89a"), "was not valid"),
        (shown(b""), "cannot be empty"),
        (shown(good, data="?"), "Invalid base64"),
        (shown(good, media_type="text/html"), "media_type"),
        (shown(good, type="path"), "Input should be 'base64'"),
        (shown(good + b"/Encrypt 5 0 R"), "password protected"),
        (shown(good * 34), "maximum of 100 PDF pages"),
    )
    for messages, words in refusals:
        with pytest.raises(anthropic.BadRequestError, match=words):
            client.messages.create(model="m", max_tokens=100, messages=messages)
    with pytest.raises(anthropic.RequestTooLargeError):
        client.messages.create(model="m", max_tokens=100, messages=shown(good + bytes(26_000_000)))
