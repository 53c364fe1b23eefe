"""Why a worker or the bridge does not start: one line for the operator, and which of two kinds it was."""

from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.errors import ConfigurationError, SchemaTooNew, StorageUnavailable
from shared.process import start_errors
from shared.process.lifecycle import CANNOT_START, NO_STORAGE


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigurationError("PORT: is missing"), CANNOT_START),
        (SchemaTooNew("the data has schema 9"), CANNOT_START),
        (StorageUnavailable("no answer"), NO_STORAGE),
        (RedisConnectionError("refused"), NO_STORAGE),
    ],
)
def test_the_exit_status_tells_what_another_start_may_mend(error: Exception, status: int) -> None:
    """A supervisor restarts a process after status 1; after status 2 somebody has to change something first."""
    said: list[str] = []
    assert isinstance(error, start_errors.START_ERRORS)
    assert (start_errors.report(error, said.append), said) == (status, [str(error)])


def test_a_sentence_says_which_process_it_is_from(capsys: pytest.CaptureFixture[str]) -> None:
    """Under honcho the lines of all processes stand in one terminal."""
    start_errors.stderr_writer("bridge")("waiting for Redis")
    assert capsys.readouterr().err == "boss bridge: waiting for Redis\n"


def test_a_reader_that_has_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`boss worker 2>&1 | head` must not end the worker with an error of its own."""

    class Gone:
        """A pipe without a reader."""

        def write(self, _text: str) -> None:
            """Fail as the kernel does."""
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    start_errors.stderr_writer("worker")("hello")
