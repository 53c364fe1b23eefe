"""Reading the model's answers and errors, with the real SDK over a transport of our own."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from shared.config.loading import load_settings
from shared.errors import AccessDenied, CredentialsRefused, ProviderError, ProviderRefused, ProviderUnavailable
from shared.model.prices import TokenUsage
from supervisor_worker.assistant.claude.client import Claude, ModelAnswer
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.assistant.prompt_message import PromptMessage
from supervisor_worker.media.image_header import Picture
from supervisor_worker.media.turn_files import Document

PROMPT = Prompt("stable", (PromptMessage("user", "hi"),))


def message(text: str = "Yes.", stop: str = "end_turn", **usage: Any) -> dict[str, Any]:
    content = [{"type": "thinking", "thinking": "hm", "signature": "x"}, *([{"type": "text", "text": text}] if text else [])]
    figures = {"input_tokens": 10, "output_tokens": 2, **usage}
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": content,
        "stop_reason": stop,
        "usage": figures,
    }


def ask(handler: Callable[[httpx2.Request], httpx2.Response], prompt: Prompt = PROMPT, **settings: Any) -> ModelAnswer:
    return ask_all(handler, [prompt], **settings)[0]


def ask_all(handler: Callable[[httpx2.Request], httpx2.Response], prompts: Sequence[Prompt], **settings: Any) -> list[ModelAnswer]:
    async def scenario() -> list[ModelAnswer]:
        claude = Claude(load_settings(sandbox="on", **settings))
        await claude._client._client.aclose()
        claude._client._client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler), base_url=claude._client.base_url)
        return [await claude.think(prompt) for prompt in prompts]

    return asyncio.run(scenario())


def test_the_stable_part_is_cached_and_nothing_unknown_is_asked_for() -> None:
    """The system prompt carries the mark; temperature and its kin are gone from the API."""
    seen: list[dict[str, Any]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        return httpx2.Response(200, json=message(cache_creation_input_tokens=5, cache_read_input_tokens=7))

    answer = ask(handler, replace(PROMPT, cached="5m"))
    assert [block.get("cache_control") for block in seen[0]["system"]] == [{"type": "ephemeral"}]
    assert set(seen[0]) == {"model", "max_tokens", "system", "messages", "thinking", "output_config"}
    assert (answer.text, answer.model, answer.input_tokens, answer.output_tokens, answer.cache_read_tokens) == (
        "Yes.",
        "claude-x",
        22,
        2,
        7,
    )


def _without_breakpoint(tool: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tool.items() if name != "cache_control"}


def test_each_question_goes_out_with_its_own_tools() -> None:
    """They are spelled once for all questions that have the same, and anew for one that has others."""
    seen: list[dict[str, Any]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        return httpx2.Response(200, json=message())

    first, second = (({"name": name, "description": "\u00fc\u20ac", "input_schema": {"type": "object"}},) for name in ("one", "two"))
    sets: list[tuple[dict[str, Any], ...]] = [first, first, (), second, first]
    ask_all(handler, [replace(PROMPT, tools=tools, final=number == 1) for number, tools in enumerate(sets)])
    assert [tuple(_without_breakpoint(tool) for tool in body.get("tools", ())) for body in seen] == sets
    assert [body.get("tool_choice") for body in seen] == [None, {"type": "none"}, None, None, None]


def test_what_was_said_before_a_pause_goes_back_as_it_came() -> None:
    """Behind the conversation, block by block, thinking too; and the answer brings its own blocks for the next time."""
    seen: list[list[dict[str, Any]]] = []
    before = message("Part 1. ", "pause_turn")["content"]

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content)["messages"])
        return httpx2.Response(200, json=message("Part 2.", "pause_turn"))

    answer = ask(handler, prompt=PROMPT.continued(before))
    assert [(line["role"], line["content"]) for line in seen[0]] == [("user", "hi"), ("assistant", before)]
    assert (answer.stop, list(answer.content)) == ("pause_turn", message("Part 2.")["content"])


@pytest.mark.parametrize("stop", ["end_turn", "tool_use", "max_tokens"])
def test_an_answer_without_text_is_an_answer_and_costs_what_it_costs(stop: str) -> None:
    """What follows from it is not decided here."""
    answer = ask(lambda _: httpx2.Response(200, json=message("", stop)))
    assert (answer.text, answer.stop, answer.used) == ("", stop, 12)


@pytest.mark.parametrize(
    ("least", "fields"),
    [
        (False, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}, "max_tokens": 1024 + 3072}),
        (True, {"thinking": {"type": "between_tools"}, "output_config": {"effort": "low"}, "max_tokens": 1024 + 3072}),
    ],
)
def test_how_much_to_think_is_said_and_has_room_beside_the_answer(least: bool, fields: dict[str, Any]) -> None:
    """In the model's own words."""
    seen: list[dict[str, Any]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        return httpx2.Response(200, json=message())

    ask(handler, prompt=PROMPT.nudged(least=least))
    assert {name: seen[0][name] for name in fields} == fields


def test_an_answer_may_be_longer_than_the_sdk_would_wait_for_unasked() -> None:
    """Above 21,333 tokens the SDK refuses a request that names no time of its own; ours does."""
    answer = ask(lambda _: httpx2.Response(200, json=message()), claude_thinking_tokens=64_000, claude_timeout_seconds=600)
    assert answer.text == "Yes."


@pytest.mark.parametrize(
    ("response", "used"),
    [
        (httpx2.Response(400, json={"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}), 0),
        (httpx2.Response(529, json={"type": "error", "error": {"type": "overloaded_error", "message": "no"}}), 0),
        (httpx2.Response(504), None),
        (httpx2.Response(200, json={**message("secret"), "content": "secret"}), 12),
        (httpx2.Response(200, json={"model": "x"}), None),
        (httpx2.Response(200, json={**message(), "content": "x", "usage": {"input_tokens": -5, "output_tokens": 1}}), None),
        (httpx2.Response(200, content=b"no JSON"), None),
    ],
)
def test_a_failed_call_says_what_it_used_as_far_as_that_is_known(response: httpx2.Response, used: int | None) -> None:
    """An error in the place of an answer costs nothing; a time-out may have cost anything."""
    with pytest.raises(ProviderError) as caught:
        ask(lambda _: response)
    assert caught.value.used == used


@pytest.mark.parametrize(
    ("status", "code", "kind", "final"),
    [
        (400, "", ProviderRefused, True),
        (401, "", CredentialsRefused, False),
        (402, "", CredentialsRefused, False),
        (403, "", AccessDenied, False),
        (404, "", ProviderRefused, False),
        (408, "", ProviderUnavailable, False),
        (409, "", ProviderRefused, False),
        (413, "", ProviderRefused, True),
        (422, "", ProviderRefused, True),
        (429, "", ProviderUnavailable, False),
        (429, "ramp_limit_exceeded", ProviderUnavailable, False),
        (429, "enforced_spend_limit_reached", CredentialsRefused, False),
        (400, "organization_on_hold", CredentialsRefused, False),
        (500, "", ProviderUnavailable, False),
        (529, "", ProviderUnavailable, False),
    ],
)
def test_claudes_errors_are_sorted(status: int, code: str, kind: type[ProviderError], final: bool) -> None:
    """One question each: the SDK does not retry."""
    asked = 0

    def handler(_: httpx2.Request) -> httpx2.Response:
        nonlocal asked
        asked += 1
        error = {"type": "x_error", "message": "secret words", "details": {"error_code": code} if code else None}
        return httpx2.Response(status, headers={"retry-after": "7"}, json={"type": "error", "error": error})

    with pytest.raises(ProviderError) as caught:
        ask(handler)
    assert type(caught.value) is kind
    assert asked == 1
    assert "secret words" not in str(caught.value)
    known = next((each for each in ("spend_limit_reached", "organization_on_hold") if each in code), f"http_{status}")
    assert caught.value.code == known, "nobody else's word stands in the ledger"
    assert caught.value.final is final
    assert caught.value.retry_after == (7.0 if kind is ProviderUnavailable else None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b'{"model": "x"}',
        b'{"model":' + b"[" * 100_000,
        json.dumps({**message("secret words"), "usage": None}).encode(),
        json.dumps({**message(), "content": "secret words"}).encode(),
    ],
)
def test_an_answer_of_another_shape_is_counted_and_never_quoted(body: bytes) -> None:
    """Not final: the next answer may be a good one."""
    with pytest.raises(ProviderRefused) as caught:
        ask(lambda _: httpx2.Response(200, headers={"content-type": "application/json"}, content=body))
    assert (caught.value.code, caught.value.final) == ("unreadable_answer", False)
    assert "secret words" not in "".join(traceback.format_exception(caught.value))


def test_a_text_with_half_a_character_is_read() -> None:
    """A lone surrogate is JSON all the same; what is sent is cleaned of it."""
    answer = ask(lambda _: httpx2.Response(200, content=json.dumps(message("Half \ud83d"))))
    assert answer.text == "Half \ud83d"


def test_documents_stand_before_the_pictures_and_the_text_each_behind_its_mark() -> None:
    """As Anthropic advises."""
    sent: list[Any] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content)["messages"])
        return httpx2.Response(200, json=message())

    shown = PromptMessage("user", "hi", (Picture("image/png", 1, 1, "UElD"),), (Document(1, "UERG"), Document(2, "UERH")))
    ask(handler, Prompt("stable", (shown,)))
    (content,) = (each["content"] for each in sent[0])
    assert [block.get("text") or block["source"] for block in content] == [
        "\u27e6document 1\u27e7",
        {"type": "base64", "media_type": "application/pdf", "data": "UERG"},
        "\u27e6document 2\u27e7",
        {"type": "base64", "media_type": "application/pdf", "data": "UERH"},
        "\u27e6picture 1\u27e7",
        {"type": "base64", "media_type": "image/png", "data": "UElD"},
        "hi",
    ]
    assert [block["type"] for block in content] == ["text", "document"] * 2 + ["text", "image", "text"]


def test_what_an_answer_used_is_split_by_what_it_costs() -> None:
    """Written to the cache for five minutes or an hour, read from it, searched; a host that says it otherwise costs the plain rates."""

    def used(**figures: Any) -> TokenUsage:
        return ask(lambda _request: httpx2.Response(200, json=message(**figures))).usage

    cached = {"cache_creation_input_tokens": 9, "cache_read_input_tokens": 7}
    creation = {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 4}
    assert used(**cached, cache_creation=creation, server_tool_use={"web_search_requests": 3}) == TokenUsage(10, 2, 5, 4, 7, 3)
    assert used(**cached) == TokenUsage(10, 2, 9, 0, 7, 0)
    odd: Any
    for odd in ("x", [], {"ephemeral_1h_input_tokens": "4"}, {"ephemeral_1h_input_tokens": -4}, None):
        assert used(**cached, cache_creation=odd, server_tool_use=odd) == TokenUsage(10, 2, 9, 0, 7, 0), odd
    assert used(**cached, cache_creation={"ephemeral_1h_input_tokens": 99}) == TokenUsage(10, 2, 0, 9, 7, 0)
