"""Prompt caching, rate limits and the context window, as the SDK meets them, with time that passes at once."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from tests.integration.sandbox.clients import ask, claude
from tests.support.sandbox import SandboxError, SandboxProcess

PROMPT: Any = [{"type": "text", "text": "You are Boss. " * 400, "cache_control": {"type": "ephemeral"}}]


def test_the_cache_is_in_the_usage_and_forgets_when_time_passes(sandbox: SandboxProcess) -> None:
    """Written, read, and written again after five minutes; a request that is rejected or fails writes nothing."""
    sandbox.faults(anthropic={"fail": ["529"]})
    with pytest.raises(anthropic.OverloadedError):
        ask(claude(sandbox), system=PROMPT)
    found = []
    for _ in range(3):
        usage = ask(claude(sandbox), system=PROMPT).usage
        assert usage.cache_creation is not None
        assert usage.cache_creation.ephemeral_5m_input_tokens == usage.cache_creation_input_tokens
        found.append((usage.cache_creation_input_tokens, usage.cache_read_input_tokens, usage.input_tokens))
        sandbox.advance_clock(200 if len(found) == 1 else 301)
    assert found == [(1_400, 0, 5), (0, 1_400, 5), (1_400, 0, 5)]
    assert (
        claude(sandbox).messages.count_tokens(model="m", system=PROMPT, messages=[{"role": "user", "content": "hello there"}]).input_tokens
        == 1_405
    )
    assert sandbox.call("GET", "/sandbox/clock")["advanced_seconds"] == 802
    with pytest.raises(SandboxError, match="400"):
        sandbox.advance_clock(-1)
    sandbox.reset()
    assert sandbox.call("GET", "/sandbox/clock")["advanced_seconds"] == 0
    assert ask(claude(sandbox), system=PROMPT).usage.cache_read_input_tokens == 0


def test_every_answer_shows_the_rate_limits(sandbox: SandboxProcess) -> None:
    """Answers, rejections and faults: what is left, and when it is whole again."""
    client = claude(sandbox).messages.with_raw_response
    options: Any = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "go"}]}
    headers = client.create(**options).headers
    assert headers["anthropic-ratelimit-requests-limit"] == "4000"
    assert headers["anthropic-ratelimit-requests-remaining"] == "3999"
    assert headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    tokens = {name: int(headers[f"anthropic-ratelimit-{name}-limit"]) for name in ("tokens", "input-tokens", "output-tokens")}
    assert tokens == {"tokens": 2_400_000, "input-tokens": 2_000_000, "output-tokens": 400_000}
    assert headers["request-id"].startswith("req_")
    sandbox.faults(anthropic={"fail": ["529"]})
    for wrong in (options, {**options, "messages": []}):
        with pytest.raises(anthropic.APIStatusError) as caught:
            client.create(**wrong)
        assert int(caught.value.response.headers["anthropic-ratelimit-requests-remaining"]) >= 3999


def test_a_rate_limit_that_is_used_up_is_a_429_until_time_passes(sandbox: SandboxProcess) -> None:
    """Requests, tokens, and the counting of tokens by itself; what is read from the cache does not count."""
    sandbox.faults(anthropic={"requests_per_minute": 2, "token_counts_per_minute": 1})
    client = claude(sandbox)
    for _ in range(2):
        ask(client)
    with pytest.raises(anthropic.RateLimitError, match="rate limit of 2 requests per minute") as caught:
        ask(client)
    assert caught.value.response.headers["retry-after"] == "30"
    assert caught.value.response.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert sandbox.count("anthropic.messages") == 2
    messages: Any = [{"role": "user", "content": "go"}]
    client.messages.count_tokens(model="m", messages=messages)
    with pytest.raises(anthropic.RateLimitError):
        client.messages.count_tokens(model="m", messages=messages)
    sandbox.advance_clock(30)
    ask(client)
    sandbox.reset()
    sandbox.faults(anthropic={"input_tokens_per_minute": 1_500})
    ask(client, system=PROMPT)
    for _ in range(5):
        ask(client, system=PROMPT)
    ask(client, "another " * 300)
    with pytest.raises(anthropic.RateLimitError, match="1500 input tokens"):
        ask(client, system=PROMPT)


def test_the_context_window_bounds_input_and_output(sandbox: SandboxProcess) -> None:
    """A prompt that is too long is a 400; an answer that does not fit any more is cut, and says why."""
    sandbox.faults(anthropic={"context_tokens": 600, "length": 3_000})
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long: 1405 tokens > 600 maximum"):
        ask(claude(sandbox), system=PROMPT)
    answer = ask(claude(sandbox))
    assert (answer.stop_reason, answer.usage.output_tokens) == ("model_context_window_exceeded", 595)


def test_a_search_of_the_web_is_counted(sandbox: SandboxProcess) -> None:
    """The API runs it: the answer holds the call and what was found; it may go back, and nothing is searched that is not asked for."""
    tools: Any = [{"type": "web_search_20260318", "name": "web_search"}]
    found = ask(claude(sandbox), "search the web for tide tables", tools=tools)
    assert [block.type for block in found.content] == ["server_tool_use", "web_search_tool_result", "text"]
    assert found.stop_reason == "end_turn"
    assert found.usage.server_tool_use is not None
    assert found.usage.server_tool_use.web_search_requests == 1
    messages: Any = [{"role": "user", "content": "search"}, {"role": "assistant", "content": [block.to_dict() for block in found.content]}]
    messages.append({"role": "user", "content": "thanks"})
    assert claude(sandbox).messages.create(model="m", max_tokens=100, messages=messages).stop_reason == "end_turn"
    assert ask(claude(sandbox), "search the web for tide tables").usage.server_tool_use is None
    assert ask(claude(sandbox), "search the web for tides", tools=tools, tool_choice={"type": "none"}).usage.server_tool_use is None
