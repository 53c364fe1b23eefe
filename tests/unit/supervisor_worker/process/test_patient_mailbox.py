"""What a turn writes is repeated through an outage, and what no repetition mends is not."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from redis import exceptions
from redis.asyncio import Redis as AsyncRedis

from shared.mailbox import calls
from shared.storage.clients import is_transient
from supervisor_worker.process import patient_mailbox
from supervisor_worker.process.patient_mailbox import PatientMailbox

FULL = "command not allowed when used memory > 'maxmemory'."
PASSING = (
    exceptions.ConnectionError("gone"),
    exceptions.TimeoutError("silent"),
    exceptions.BusyLoadingError("LOADING"),
    ConnectionRefusedError(),
    exceptions.OutOfMemoryError(FULL),
    exceptions.ResponseError(f"OOM {FULL}"),
    exceptions.ResponseError(f"Error running script (call to f_0): @user_script:7: -OOM {FULL}"),
    exceptions.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
)
LASTING = (
    exceptions.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    exceptions.ResponseError("ERR Error running script: @user_script:7: somebody wrote OOM and MISCONF "),
    exceptions.NoPermissionError("this user has no permissions"),
    exceptions.DataError("bad"),
    ValueError("bad"),
)


class Server:
    """Answers each command with the next of what it was given, and for ever with the last."""

    def __init__(self, *answers: Exception | bytes) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def execute_command(self, *_: Any) -> bytes:
        """One answer."""
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return found


async def warned(server: Server, stopping: asyncio.Event) -> bool:
    """One call of a mailbox that this server answers."""
    mailbox = PatientMailbox(cast("AsyncRedis", server), None, stopping)
    return await mailbox.run(calls.warn("reason"))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits in these tests."""
    monkeypatch.setattr(patient_mailbox, "FIRST_WAIT_SECONDS", 0.0001)
    monkeypatch.setattr(patient_mailbox, "MAX_WAIT_SECONDS", 0.0001)


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_a_call_outlasts_what_passes(error: Exception) -> None:
    """However often it comes."""
    server = Server(*[error] * 5, b"1")
    assert is_transient(error)
    asyncio.run(warned(server, asyncio.Event()))
    assert server.asked == 6


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_no_repetition_mends_is_raised_at_once(error: Exception) -> None:
    """A fault of ours, or of the server's settings."""
    server = Server(error, b"1")
    assert not is_transient(error)
    with pytest.raises(type(error)):
        asyncio.run(warned(server, asyncio.Event()))
    assert server.asked == 1


def test_a_process_that_is_to_end_does_not_wait() -> None:
    """Nor one that is told so while it waits."""

    async def told_meanwhile() -> int:
        stopping, server = asyncio.Event(), Server(PASSING[0])
        call = asyncio.create_task(warned(server, stopping))
        while server.asked < 3:  # noqa: ASYNC110 - a count, no event
            await asyncio.sleep(0)
        stopping.set()
        with pytest.raises(exceptions.ConnectionError):
            await asyncio.wait_for(call, 10)
        before = server.asked
        with pytest.raises(exceptions.ConnectionError):
            await warned(server, stopping)
        return server.asked - before

    assert asyncio.run(told_meanwhile()) == 1


def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the error is raised."""
    monkeypatch.setattr(patient_mailbox, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(exceptions.ConnectionError):
        asyncio.run(warned(Server(PASSING[0]), asyncio.Event()))
