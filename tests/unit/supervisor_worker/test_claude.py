"""Reading the model's answers and errors, with the real SDK over a transport of our own."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from shared import settings as settings_module
from shared.errors import AccessDenied, CredentialsRefused, ProviderError, ProviderRefused, ProviderUnavailable
from supervisor_worker.claude import Answer, Claude
from supervisor_worker.conversation import Line, Question

QUESTION = Question("stable", "today", (Line("user", "hi"),))


def message(text: str = "Yes.", stop: str = "end_turn", **usage: int) -> dict[str, Any]:
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


def ask(handler: Callable[[httpx2.Request], httpx2.Response]) -> Answer:
    async def scenario() -> Answer:
        claude = Claude(settings_module.load(sandbox="on"))
        await claude._client._client.aclose()
        claude._client._client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler), base_url=claude._client.base_url)
        return await claude.think(QUESTION)

    return asyncio.run(scenario())


def test_the_stable_part_is_cached_and_nothing_unknown_is_asked_for() -> None:
    """The system prompt's first block carries the mark; temperature and its kin are gone from the API."""
    seen: list[dict[str, Any]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content))
        return httpx2.Response(200, json=message(cache_creation_input_tokens=5, cache_read_input_tokens=7))

    answer = ask(handler)
    assert [block.get("cache_control") for block in seen[0]["system"]] == [{"type": "ephemeral"}, None]
    assert set(seen[0]) == {"model", "max_tokens", "system", "messages"}
    assert (answer.text, answer.model, answer.input_tokens, answer.output_tokens, answer.cache_read_tokens) == (
        "Yes.",
        "claude-x",
        22,
        2,
        7,
    )


def test_a_pause_is_answered_with_what_was_said_unchanged() -> None:
    """Three times at most; the texts are joined and the figures added up."""
    seen: list[list[dict[str, Any]]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(json.loads(request.content)["messages"])
        return httpx2.Response(200, json=message(f"Part {len(seen)}. ", "pause_turn"))

    answer = ask(handler)
    assert answer.text == "Part 1. Part 2. Part 3. Part 4."
    assert answer.input_tokens == 40
    assert [len(lines) for lines in seen] == [1, 2, 3, 4]
    assert seen[1][1]["content"] == message("Part 1. ")["content"]


@pytest.mark.parametrize("stop", ["end_turn", "tool_use", "max_tokens"])
def test_an_answer_without_text_is_an_error_of_the_message(stop: str) -> None:
    """Counted, not final: the next try may say something."""
    with pytest.raises(ProviderRefused) as caught:
        ask(lambda _: httpx2.Response(200, json=message("", stop)))
    assert (caught.value.code, caught.value.final) == (f"empty_{stop}", False)


@pytest.mark.parametrize(
    ("status", "code", "kind", "final"),
    [
        (400, "", ProviderRefused, True),
        (401, "", CredentialsRefused, None),
        (402, "", CredentialsRefused, None),
        (403, "", AccessDenied, False),
        (404, "", ProviderRefused, False),
        (408, "", ProviderUnavailable, None),
        (409, "", ProviderRefused, False),
        (413, "", ProviderRefused, True),
        (422, "", ProviderRefused, True),
        (429, "", ProviderUnavailable, None),
        (429, "ramp_limit_exceeded", ProviderUnavailable, None),
        (429, "enforced_spend_limit_reached", CredentialsRefused, None),
        (400, "organization_on_hold", CredentialsRefused, None),
        (500, "", ProviderUnavailable, None),
        (529, "", ProviderUnavailable, None),
    ],
)
def test_claudes_errors_are_sorted(status: int, code: str, kind: type[ProviderError], final: bool | None) -> None:
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
    assert getattr(caught.value, "final", None) is final
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
