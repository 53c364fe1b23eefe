"""The real SDK over real connections to a scripted Claude, on both event loops: what each failure of the connection becomes."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from shared.config.loading import load_settings
from shared.errors import ProviderError, ProviderRefused, ProviderUnavailable
from supervisor_worker.assistant.claude.client import Claude
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.assistant.prompt_message import PromptMessage
from tests.support.processes import free_port
from tests.support.scripted_provider import Act, ScriptedProvider, answer, close, flood, hang, reset, then_close, trickle

Run = Callable[[Coroutine[Any, Any, None]], None]
pytestmark = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])

QUESTION = Prompt("stable", (PromptMessage("user", "hi"),))
SAID = json.dumps(
    {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "Yes."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
).encode()
JSON = "Content-Type: application/json\r\n"
OK = answer(SAID, headers=JSON)


def claude(url: str, seconds: float = 5) -> Claude:
    return Claude(load_settings(sandbox="on", anthropic_base_url=url, claude_timeout_seconds=seconds))


@pytest.mark.parametrize(
    ("act", "kind", "code"),
    [
        (reset, ProviderUnavailable, "no_answer"),
        (close, ProviderUnavailable, "no_answer"),
        (then_close(answer(SAID[:20], headers=JSON, claimed=len(SAID))), ProviderUnavailable, "no_answer"),
        (hang, ProviderUnavailable, "timeout"),
        (trickle, ProviderUnavailable, "timeout"),
        (flood, ProviderRefused, "unreadable_answer"),
    ],
)
def test_a_broken_connection_is_an_outage_and_an_answer_without_end_is_counted(
    run: Run, act: Act, kind: type[ProviderError], code: str
) -> None:
    """Each is asked once; what is too large would be too large again, so it may not go on for an hour."""

    async def scenario() -> None:
        async with ScriptedProvider(act).open() as provider:
            ours = claude(provider.url, 0.5 if code == "timeout" else 5)
            with pytest.raises(ProviderError) as caught:
                await ours.think(QUESTION)
            assert (type(caught.value), caught.value.code) == (kind, code)
            assert len(provider.requests) == 1
            await ours.aclose()

    run(scenario())


def test_a_claude_that_nobody_reaches_is_an_outage(run: Run) -> None:
    """As long as one that does not answer."""

    async def scenario() -> None:
        ours = claude(f"http://127.0.0.1:{free_port()}")
        with pytest.raises(ProviderUnavailable) as caught:
            await ours.think(QUESTION)
        assert caught.value.code == "no_answer"
        await ours.aclose()

    run(scenario())


def test_connections_are_kept_and_each_answer_is_its_own_questions(run: Run) -> None:
    """Packed or not; a question that was given up takes its connection with it."""

    async def scenario() -> None:
        packed = answer(gzip.compress(SAID), headers=f"{JSON}Content-Encoding: gzip\r\n")
        async with ScriptedProvider(OK, packed, hang, OK).open() as provider:
            ours = claude(provider.url)
            for _ in range(2):
                assert (await ours.think(QUESTION)).text == "Yes."
            assert provider.connections == 1
            given_up = asyncio.create_task(ours.think(QUESTION))
            await provider.asked(3)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
            assert (await ours.think(QUESTION)).text == "Yes."
            assert provider.connections == 2
            await ours.aclose()

    run(scenario())


def test_a_question_goes_on_where_it_is_redirected_to(run: Run) -> None:
    """A gateway may have moved: a question may be asked twice, unlike a message."""

    async def scenario() -> None:
        moved = answer(b"", "307 Temporary Redirect", "Location: /elsewhere\r\n")
        async with ScriptedProvider(moved, OK).open() as provider:
            ours = claude(provider.url)
            assert (await ours.think(QUESTION)).text == "Yes."
            first, second = (request.split(b"\r\n\r\n", 1)[1] for request in provider.requests)
            assert first == second
            assert provider.requests[1].startswith(b"POST /elsewhere HTTP/1.1\r\n")
            await ours.aclose()

    run(scenario())


def test_closing_leaves_nothing_open(run: Run) -> None:
    """No warning of a session, connector or transport that was forgotten."""
    complaints: list[dict[str, Any]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with ScriptedProvider(OK).open() as provider:
            ours = claude(provider.url)
            await ours.think(QUESTION)
            await ours.aclose()

    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(scenario())
        gc.collect()
    assert complaints == []
    assert [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)] == []
