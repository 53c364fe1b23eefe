"""Commands of many threads in one send: each gets its own answer, and an absent server keeps nobody waiting twice."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import pytest
from hiredis import Reader
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import DataError, ResponseError
from redis.retry import Retry

from shared.process import blocking
from shared.storage.group_commit import MAX_BATCH, GroupCommit
from shared.storage.replication import ReplicationBarrier
from tests.support.wait import wait_for

MASTER_ALONE = [b"master", 7, []]
FOLLOWED = [b"master", 7, [[b"127.0.0.1", b"1", b"7"]]]


def replicas(role: list[Any]) -> ReplicationBarrier:
    """What is known of a server that has just answered so."""
    known = ReplicationBarrier("barrier", clock=lambda: 0.0)
    known.confirm([role])
    return known


class Server:
    """A client with one connection that answers a command with itself; its first send waits until it is let go.

    "wrong" is answered with an error of its own, "break" with the loss of the connection, "garble" with what nobody understands.
    """

    def __init__(self, *, fails: Exception | None = None) -> None:
        self.go, self.began = threading.Event(), threading.Event()
        self.fails = fails
        self.sends: list[list[Any]] = []
        self.unread: list[Any] = []
        self.connection_pool = self
        self.retry = Retry(NoBackoff(), 0)
        self.is_connected = True
        self.role = MASTER_ALONE
        self.reached = 1

    def get_connection(self) -> Server:
        """The pool's."""
        return self

    def send_packed_command(self, pieces: list[bytes]) -> None:
        """All at once."""
        assert not self.unread
        reader = Reader()
        reader.feed(b"".join(pieces))
        names = [_name(command[0]) for command in iter(reader.gets, False)]
        first = not self.sends
        self.sends.append(names)
        self.unread = list(names)
        if first:
            self.began.set()
            assert self.go.wait(10)
            if self.fails:
                raise self.fails

    def read_response(self) -> Any:
        """The next one's."""
        name = self.unread.pop(0)
        known = {"ROLE": self.role, "WAIT": self.reached}
        if name in known:
            return known[name]
        if name == "wrong":
            raise ResponseError("wrong")
        if name == "break":
            raise RedisAway("gone")
        if name == "garble":
            raise ValueError("no answer of Redis's")
        return name

    def disconnect(self) -> None:
        """Whatever was not read is gone."""
        self.unread = []
        self.is_connected = False

    def connect_check_health(self, *, check_health: bool) -> None:
        """Again."""
        assert not check_health
        self.is_connected = True


def _name(text: bytes) -> Any:
    return int(text) if text.isdigit() else text.decode()


def behind_one(server: Server, commands: list[Any]) -> tuple[Future[Any], list[Future[Any]]]:
    """The answers to one command and to those that came while it was under way."""
    sender = GroupCommit(cast("Any", server), replicas(MASTER_ALONE))
    with ThreadPoolExecutor(len(commands) + 1) as threads:
        first = threads.submit(sender.execute_command, "first")
        assert server.began.wait(10)
        rest = [threads.submit(sender.execute_command, command) for command in commands]
        wait_for(lambda: len(sender._waiting) == len(commands), 10, "all to wait")
        server.go.set()
    assert sender._waiting == []
    assert sender._busy is False
    return first, rest


def test_what_is_asked_for_meanwhile_goes_as_one_send() -> None:
    """And each thread gets the answer to its own command."""
    server = Server()
    first, rest = behind_one(server, list(range(10)))
    assert first.result() == "first"
    assert [answer.result() for answer in rest] == list(range(10))
    assert [len(send) for send in server.sends] == [1, 10]


def test_callers_on_a_loop_wait_without_holding_it() -> None:
    """Their commands go in one send, with a thread's, while the loop goes on; each hears its own answer, and whether a replica has it."""
    server = Server()
    server.role, server.reached = FOLLOWED, 0
    known = replicas(FOLLOWED)
    sender = GroupCommit(cast("Any", server), known)

    def ask(command: Any) -> tuple[Any, bool | None]:
        try:
            return sender.execute_confirmed(command)
        except ResponseError as error:
            return str(error), None

    async def story() -> list[tuple[Any, bool | None]]:
        loop = asyncio.get_running_loop()
        running: list[asyncio.Future[tuple[Any, bool | None]]] = [asyncio.ensure_future(blocking.run(ask, "first"))]
        await loop.run_in_executor(None, server.began.wait, 10)
        running += [asyncio.ensure_future(blocking.run(ask, command)) for command in (1, "wrong", 2, 3)]
        running.append(loop.run_in_executor(None, ask, 4))
        await asyncio.sleep(0)
        running[3].cancel()  # nobody waits for it any more; its command may have left
        await loop.run_in_executor(None, wait_for, lambda: len(sender._waiting) == 5, 10, "all to wait")
        server.go.set()
        found = await asyncio.gather(*running, return_exceptions=True)
        assert isinstance(found.pop(3), asyncio.CancelledError)
        return cast("list[tuple[Any, bool | None]]", found)

    assert asyncio.run(story()) == [("first", False), (1, False), ("wrong", None), (3, False), (4, False)]
    assert set(server.sends[1]) == {1, "wrong", 2, 3, 4, "ROLE"}


def test_what_cannot_be_packed_is_its_caller_s_fault_alone() -> None:
    """It joins no group: those who ask at the same time hear nothing of it."""
    server = Server()
    sender = GroupCommit(cast("Any", server), replicas(MASTER_ALONE))
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(sender.execute_command, "first")
        assert server.began.wait(10)
        wrong, right = (
            threads.submit(sender.execute_command, "second", object()),
            threads.submit(sender.execute_command, "third"),
        )
        assert isinstance(wrong.exception(10), DataError)
        server.go.set()
        assert [first.result(10), right.result(10)] == ["first", "third"]


def test_a_loop_that_has_ended_takes_nobody_s_answer_away() -> None:
    """Neither does a caller who was cancelled with it."""
    server = Server()
    sender = GroupCommit(cast("Any", server), replicas(MASTER_ALONE))

    async def gives_up() -> None:
        waiting = asyncio.ensure_future(blocking.run(sender.execute_command, "first"))
        await asyncio.get_running_loop().run_in_executor(None, server.began.wait, 10)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(gives_up())
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(sender.execute_command, "second")
        server.go.set()
        assert answer.result(10) == "second"


def test_a_group_has_a_bound_and_leaves_nobody_behind() -> None:
    """More than one pipeline's worth goes in several."""
    server = Server()
    _, rest = behind_one(server, list(range(MAX_BATCH + 20)))
    assert sorted(answer.result() for answer in rest) == list(range(MAX_BATCH + 20))
    assert [len(send) for send in server.sends] == [1, MAX_BATCH, 20]


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
    """Nothing is known of any of its commands, so every thread hears that; and no answer is left for the next one to read."""
    server = Server()
    _, rest = behind_one(server, [1, "break", 2])
    for answer in rest:
        with pytest.raises(RedisAway):
            answer.result()
    assert server.unread == []


def test_an_answer_that_cannot_be_read_ends_the_connection() -> None:
    """Whatever the client's own retry does not know: the next command must not be given the rest of these answers."""
    server = Server()
    _, rest = behind_one(server, [1, "garble", 2])
    for answer in rest:
        with pytest.raises(ValueError, match="no answer"):
            answer.result()
    assert server.unread == []


def test_a_connection_that_broke_is_tried_again_as_often_as_its_client_says() -> None:
    """The commands can be repeated, so a server that came back costs nobody an error."""
    server = Server(fails=RedisAway("once"))
    server.retry = Retry(NoBackoff(), 1)
    server.go.set()
    assert GroupCommit(cast("Any", server), replicas(MASTER_ALONE)).execute_command("again") == "again"
    assert server.sends == [["again"], ["again", "ROLE"]]


def sent(server: Server, known: ReplicationBarrier, *commands: str) -> list[bool]:
    """Send one after the other; whether each was confirmed."""
    server.go.set()
    sender = GroupCommit(cast("Any", server), known)
    found = []
    for command in commands:
        answer, replicated = sender.execute_confirmed(command)
        assert answer == command
        found.append(replicated)
    return found


def test_a_server_without_replicas_is_asked_once_and_pays_nothing() -> None:
    """One question, in the same send as the first command, and then only the commands."""
    server = Server()
    assert sent(server, ReplicationBarrier("barrier", clock=lambda: 0.0), "a", "b", "c") == [True, True, True]
    assert server.sends == [["a", "ROLE"], ["b"], ["c"]]


def test_with_replicas_every_send_asks_for_one_of_them() -> None:
    """In the same send, behind the commands; only a server that is not known yet is asked right after the first ones."""
    server = Server()
    server.role = FOLLOWED
    confirm = [command[0] for command in ReplicationBarrier("barrier").confirming]
    assert sent(server, ReplicationBarrier("barrier", clock=lambda: 0.0), "a", "b") == [True, True]
    assert server.sends == [["a", "ROLE"], confirm, ["b", *confirm]]


def test_what_no_replica_has_is_told_and_ends_the_connection() -> None:
    """The next command goes to whoever is the master then, and asks for its replicas anew."""
    server = Server()
    server.role, server.reached = FOLLOWED, 0
    confirm = [command[0] for command in ReplicationBarrier("barrier").confirming]
    assert sent(server, ReplicationBarrier("barrier", clock=lambda: 0.0), "a", "b") == [False, False]
    assert server.sends == [["a", "ROLE"], confirm, ["b", "ROLE"], confirm]


def test_every_thread_of_a_group_hears_that_no_replica_has_it() -> None:
    """And not only the one that led it."""
    server = Server()
    server.role, server.reached = FOLLOWED, 0
    known = replicas(FOLLOWED)
    sender = GroupCommit(cast("Any", server), known)

    def ask(command: int | str) -> bool:
        return sender.execute_confirmed(command).replicated

    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(ask, "first")
        assert server.began.wait(10)
        rest = [threads.submit(ask, number) for number in range(4)]
        wait_for(lambda: len(sender._waiting) == 4, 10, "all to wait")
        server.go.set()
    assert [answer.result() for answer in (first, *rest)] == [False] * 5
