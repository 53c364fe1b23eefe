"""How long the keeper of the embedded server rests between two of its lives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from boss.commands import redis as command
from boss.commands.redis import keep
from shared.errors import StorageUnavailable
from shared.storage.embedded import CannotLoad


def test_a_server_that_is_killed_after_a_repair_is_not_waited_for_as_for_damaged_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage is waited for long, once; what ends then is started again as soon as ever, and later later."""
    ends = iter([CannotLoad("damaged"), StorageUnavailable("killed"), StorageUnavailable("killed"), None])
    rests: list[float] = []

    def run(*_args: Any) -> None:
        if (error := next(ends)) is not None:
            raise error

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command, "_rest", lambda _directory, seconds, _stop: rests.append(seconds))
    keep(cast("Any", SimpleNamespace(directory=None)), lambda: False, 0.1, lambda _line: None)
    assert rests == [command.MAX_PAUSE_SECONDS, command.FIRST_PAUSE_SECONDS, 2 * command.FIRST_PAUSE_SECONDS]
