"""Commands of many threads in one send: each gets its own answer, and an absent server keeps nobody waiting twice."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, cast

import pytest
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from shared.grouped import MOST, Grouped
from tests.support.wait import wait_for


class Server:
    """Answers a command with itself; the first lone one only when it is let go."""

    def __init__(self, *, fails: Exception | None = None) -> None:
        self.go, self.began = threading.Event(), threading.Event()
        self.fails = fails
        self.sends: list[list[Any]] = []

    def execute_command(self, *args: Any) -> Any:
        """A lone command."""
        self.sends.append([args[0]])
        self.began.set()
        assert self.go.wait(10)
        if self.fails:
            raise self.fails
        return args[0]

    def pipeline(self, transaction: bool) -> Pipeline:
        """A group."""
        assert not transaction
        return Pipeline(self)


class Pipeline:
    """Collects commands; "wrong" is answered with an error of its own, "break" with the loss of the connection."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.commands: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is open."""

    def execute_command(self, *args: Any) -> None:
        """Not sent yet."""
        self.commands.append(args[0])

    def execute(self, raise_on_error: bool) -> list[Any]:
        """Every command's answer."""
        assert not raise_on_error
        self.server.sends.append(self.commands)
        if "break" in self.commands:
            raise RedisAway("gone")
        return [ResponseError("wrong") if command == "wrong" else command for command in self.commands]


def behind_one(server: Server, commands: list[Any]) -> tuple[Future[Any], list[Future[Any]]]:
    """The answers to one command and to those that came while it was under way."""
    grouped = Grouped(cast("Any", server))
    with ThreadPoolExecutor(len(commands) + 1) as threads:
        first = threads.submit(grouped.execute_command, "first")
        assert server.began.wait(10)
        rest = [threads.submit(grouped.execute_command, command) for command in commands]
        wait_for(lambda: len(grouped._waiting) == len(commands), 10, "all to wait")
        server.go.set()
    assert grouped._waiting == []
    assert grouped._busy is False
    return first, rest


def test_what_is_asked_for_meanwhile_goes_as_one_send() -> None:
    """And each thread gets the answer to its own command."""
    server = Server()
    first, rest = behind_one(server, list(range(10)))
    assert first.result() == "first"
    assert [answer.result() for answer in rest] == list(range(10))
    assert [len(send) for send in server.sends] == [1, 10]


def test_a_group_has_a_bound_and_leaves_nobody_behind() -> None:
    """More than one pipeline's worth goes in several."""
    server = Server()
    _, rest = behind_one(server, list(range(MOST + 20)))
    assert sorted(answer.result() for answer in rest) == list(range(MOST + 20))
    assert [len(send) for send in server.sends] == [1, MOST, 20]


def test_one_command_s_own_error_is_its_own() -> None:
    """The others of its group are answered."""
    _, rest = behind_one(Server(), [1, "wrong", 2])
    assert (rest[0].result(), rest[2].result()) == (1, 2)
    with pytest.raises(ResponseError):
        rest[1].result()


def test_when_the_server_is_away_for_one_it_is_for_all_who_wait() -> None:
    """Nobody sits out a second timeout; and the next one tries again."""
    server = Server(fails=RedisAway("gone"))
    first, rest = behind_one(server, [1, 2, 3])
    for answer in (first, *rest):
        with pytest.raises(RedisAway):
            answer.result()
    assert len(server.sends) == 1


def test_a_broken_group_fails_as_one() -> None:
    """Nothing is known of any of its commands, so every thread hears that."""
    _, rest = behind_one(Server(), [1, "break", 2])
    for answer in rest:
        with pytest.raises(RedisAway):
            answer.result()
