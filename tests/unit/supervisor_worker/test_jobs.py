"""The jobs: one turn each, the next one woken, and no words of an error left behind."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rq.utils import import_attribute

from shared.errors import BadInput
from shared.model.channels import CHANNELS
from shared.observability.redaction import summarize
from supervisor_worker import jobs
from supervisor_worker.process.resources import CURRENT

SECRET = "my cat is called Mimi, call +15551234567"


def run(monkeypatch: pytest.MonkeyPatch, turn: Callable[[Any], Awaitable[bool]], *, stopping: bool = False) -> None:
    """Run two jobs with `turn` in place of a turn."""
    tokens: list[str] = []

    async def run_turn(conversation: str, token: str, context: Any) -> bool:
        assert conversation == "c-1"
        tokens.append(token)
        return await turn(context)

    async def both() -> None:
        resources = SimpleNamespace(context=SimpleNamespace(stopping=asyncio.Event()))
        if stopping:
            resources.context.stopping.set()
        CURRENT.set(resources)  # type: ignore[arg-type]
        await jobs.email_received("c-1")
        await jobs.sms_received("c-1")

    monkeypatch.setattr(jobs, "run_turn", run_turn)
    asyncio.run(both())
    assert len(set(tokens)) == 2
    assert all(token.startswith("k-") for token in tokens)


def raising(error: BaseException) -> Callable[[Any], Awaitable[bool]]:
    async def turn(_context: Any) -> bool:
        raise error

    return turn


def test_each_job_runs_one_turn_with_a_token_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next job, if there must be one, was enqueued by the script that ended the turn."""

    async def turn(_context: Any) -> bool:
        return True

    run(monkeypatch, turn)


def test_an_errors_words_do_not_leave_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """RQ keeps a failed job for a week: it is told where and what kind, never what the error says."""
    error = ValueError(SECRET)
    error.__cause__ = KeyError(SECRET)
    with pytest.raises(jobs.JobFailed) as caught:
        run(monkeypatch, raising(error))
    text = str(caught.value)
    assert "builtins.ValueError" in text
    assert "builtins.KeyError" in text
    assert Path(__file__).name in text
    assert "Mimi" not in text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_error_of_ours_says_its_code_and_a_masked_detail() -> None:
    """Our own errors hold ids and figures; what looks like a number is masked all the same."""
    text = summarize(BadInput("job 17 of +15551234567", code="foreign_job"))
    assert "BadInput: foreign_job: job 17 of +***" in text


def test_a_turn_that_was_released_at_shutdown_is_no_failed_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to end, the worker cancels its turns; their jobs end without an error."""
    run(monkeypatch, raising(asyncio.CancelledError()), stopping=True)


def test_a_job_that_was_stopped_on_request_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """`stop-job` must be seen by the worker as what it is."""
    with pytest.raises(asyncio.CancelledError):
        run(monkeypatch, raising(asyncio.CancelledError()))


def test_every_function_that_may_be_enqueued_is_a_coroutine_of_this_module() -> None:
    """The web process names them by strings only."""
    for name in (channel.job for channel in CHANNELS.values()):
        assert inspect.iscoroutinefunction(import_attribute(name))
        assert name.startswith(jobs.__name__)
