"""How the scripts are sent."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
from redis.exceptions import NoScriptError, ResponseError

from rq_async.scripts import DEQUEUE, FINISH, REQUEUE, Script


class FakeServer:
    """Knows a script when it has run it once, as Redis does."""

    def __init__(self, error: Exception | None = None) -> None:
        self.commands: list[str] = []
        self._error = error
        self._known: set[str] = set()

    async def execute_command(self, command: str, script: str, *args: Any) -> Any:
        """Answer the arguments."""
        self.commands.append(command)
        if self._error:
            raise self._error
        if command == "EVAL":
            self._known.add(hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest())
        elif script not in self._known:
            raise NoScriptError("NOSCRIPT")
        return args


@pytest.mark.parametrize("script", [DEQUEUE, FINISH, REQUEUE])
def test_a_server_that_does_not_know_a_script_is_sent_its_text_once(script: Script) -> None:
    """A restarted server knows none."""

    async def send() -> FakeServer:
        server = FakeServer()
        for _ in range(2):
            assert await script.send(server, ["k"], ["a", 1]) == (1, "k", "a", 1)
        return server

    assert asyncio.run(send()).commands == ["EVALSHA", "EVAL", "EVALSHA"]


def test_any_other_error_is_the_caller_s() -> None:
    """The script may have run."""
    server = FakeServer(ResponseError("wrong"))
    with pytest.raises(ResponseError):
        asyncio.run(FINISH.send(server, [], []))
    assert server.commands == ["EVALSHA"]


@pytest.mark.parametrize("script", [DEQUEUE, FINISH, REQUEUE])
def test_the_server_is_sent_the_code_without_its_comments(script: Script) -> None:
    """They are for readers."""
    assert script.text
    assert not [line for line in script.text.splitlines() if line.startswith("--")]
