"""Commands of many callers in one send, and the asynchronous client that is made like the blocking one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Self, cast

import pytest
from redis import Connection as BlockingConnection
from redis import ConnectionPool, Redis, Sentinel
from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import ConstantBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from rq_async.command_batching import CommandBatcher, async_client


def options(client: AsyncRedis) -> dict[str, Any]:
    return dict(client.connection_pool.connection_kwargs)


@pytest.mark.parametrize(
    ("url", "kind", "place"),
    [
        ("redis://user:word@example.com:7000/3", Connection, {"host": "example.com", "port": 7000, "db": 3, "username": "user"}),
        ("rediss://:word@example.com:7001", SSLConnection, {"host": "example.com", "port": 7001, "password": "word"}),
        ("unix:///tmp/redis.sock?db=2", UnixDomainSocketConnection, {"path": "/tmp/redis.sock", "db": 2}),  # noqa: S108 - no file
    ],
)
def test_the_client_for_the_loop_is_like_the_blocking_one(url: str, kind: type, place: dict[str, Any]) -> None:
    """TCP, TLS and unix sockets: the same server, database and credentials; it repeats nothing by itself."""
    blocking = Redis.from_url(url, protocol=2, retry=Retry(ConstantBackoff(1), 9), socket_timeout=400, socket_connect_timeout=3)
    client = async_client(blocking, 11.0)
    assert client.connection_pool.connection_class is kind
    assert options(client) | place | {"socket_timeout": 11.0, "socket_connect_timeout": 3, "protocol": 2} == options(client)
    assert options(client)["retry"].get_retries() == 0
    client.connection_pool.make_connection()  # type: ignore[no-untyped-call] # takes all of the options


def test_tls_options_come_along() -> None:
    """A client without them would not trust the server, or would trust any."""
    blocking = Redis(host="example.com", ssl=True, ssl_ca_certs="ca.pem", ssl_check_hostname=False, ssl_cert_reqs="required")
    known = options(async_client(blocking, 5.0))
    assert [known["ssl_ca_certs"], known["ssl_check_hostname"], known["ssl_cert_reqs"]] == ["ca.pem", False, "required"]


def test_a_pool_of_an_unknown_kind_is_refused_with_a_way_out() -> None:
    """Sentinel's pool finds its server anew each time; the sentence says which attribute to set instead."""
    with pytest.raises(ValueError, match=r"SentinelManagedConnection.*async_connection"):
        async_client(Sentinel([("example.com", 26379)]).master_for("main"), 5.0)  # type: ignore[no-untyped-call]

    class OwnConnection(BlockingConnection):
        """Somebody's."""

    with pytest.raises(ValueError, match=r"OwnConnection.*async_connection"):
        async_client(Redis(connection_pool=ConnectionPool(connection_class=OwnConnection)), 5.0)


def test_an_option_that_the_loops_client_has_not_is_refused() -> None:
    """Leaving it out in silence could mean another trust or another server."""
    blocking = Redis(host="example.com", ssl=True, ssl_validate_ocsp=True)
    with pytest.raises(ValueError, match=r"ssl_validate_ocsp.*async_connection"):
        async_client(blocking, 5.0)


class Pipe:
    """A pipeline that holds until it is let go; it answers a command's second word, and an error for `bad`."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._commands: list[tuple[Any, ...]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def execute_command(self, *args: Any) -> None:
        """Keep it for the send."""
        self._commands.append(args)

    async def execute(self, *, raise_on_error: bool) -> list[Any]:
        """Send, and wait for the answers."""
        assert not raise_on_error
        self._server.sends.append([str(args[1]) for args in self._commands])
        await self._server.open.wait()
        if self._server.away:
            raise OSError("away")
        return [ResponseError("bad") if args[1] == "bad" else args[1] for args in self._commands]


class FakeServer:
    """What `CommandBatcher` needs of a client."""

    def __init__(self) -> None:
        self.sends: list[list[str]] = []
        self.open = asyncio.Event()
        self.away = False
        self.connection_pool = self
        self.dropped = 0

    async def disconnect(self, *, inuse_connections: bool) -> None:
        """The pool's."""
        assert not inuse_connections
        self.dropped += 1

    def pipeline(self, *, transaction: bool) -> Pipe:
        """A new one."""
        assert not transaction
        return Pipe(self)

    async def execute_command(self, *args: Any) -> Any:
        """Send one alone."""
        pipe = Pipe(self)
        pipe.execute_command(*args)
        (answer,) = await pipe.execute(raise_on_error=False)
        return answer


async def grouped(words: list[str], *, away: bool = False, cancel: int | None = None) -> tuple[FakeServer, list[Any]]:
    """Send `words` while a first command is on its way, perhaps cancel one; the server and all outcomes."""
    server = FakeServer()
    server.away = away
    commands = CommandBatcher(cast("AsyncRedis", server))
    first = asyncio.create_task(commands.execute_command("ECHO", "first"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks = [asyncio.create_task(commands.execute_command("ECHO", word)) for word in words]
    await asyncio.sleep(0)
    if cancel is not None:
        tasks[cancel].cancel()
    server.open.set()
    return server, await asyncio.gather(first, *tasks, return_exceptions=True)


class FakeBarrier:
    """Asks for the replicas of a server that has them, or has none."""

    def __init__(self, *, followed: bool, confirms: bool = True) -> None:
        self.known, self.forgotten = True, 0
        self._followed, self._confirms = followed, confirms

    def commands(self, *, ask: bool = False) -> list[tuple[str, str]]:
        """The question."""
        return [("WAIT", "wait")] if self._followed or ask else []

    def confirm(self, answers: Sequence[Any]) -> bool:
        """The answer."""
        return not answers or self._confirms

    def reset(self) -> None:
        """Counted."""
        self.forgotten += 1


async def confirmed(barrier: FakeBarrier | None) -> tuple[FakeServer, list[Any]]:
    """Two commands behind a first one, the second of which wants to be on a replica; the server and the two outcomes."""
    server = FakeServer()
    commands = CommandBatcher(cast("AsyncRedis", server), barrier)
    first = asyncio.create_task(commands.execute_command("ECHO", "first"))
    await asyncio.sleep(0)
    tasks = [
        asyncio.create_task(commands.execute_command("ECHO", "plain")),
        asyncio.create_task(commands.execute_confirmed("ECHO", "sure")),
    ]
    await asyncio.sleep(0)
    server.open.set()
    return server, (await asyncio.gather(first, *tasks))[1:]


def test_who_wants_a_replica_to_have_it_is_told_in_the_same_send() -> None:
    """And the others of the group have their plain answers."""
    server, outcomes = asyncio.run(confirmed(FakeBarrier(followed=True)))
    assert server.sends == [["first"], ["plain", "sure", "wait"]]
    assert outcomes == ["plain", ("sure", True)]


@pytest.mark.parametrize("barrier", [None, FakeBarrier(followed=False)])
def test_without_replicas_nobody_asks(barrier: FakeBarrier | None) -> None:
    """Nor where nobody told how."""
    server, outcomes = asyncio.run(confirmed(barrier))
    assert server.sends == [["first"], ["plain", "sure"]]
    assert outcomes == ["plain", ("sure", True)]


def test_a_server_whose_replicas_do_not_confirm_is_left() -> None:
    """It may have been demoted: its idle connections end, and the next one's server is asked anew."""
    barrier = FakeBarrier(followed=True, confirms=False)
    server, outcomes = asyncio.run(confirmed(barrier))
    assert outcomes == ["plain", ("sure", False)]
    assert (server.dropped, barrier.forgotten) == (1, 1)


def test_a_lone_command_that_wants_a_replica_asks_too() -> None:
    """Whoever is alone has no group to wait for."""

    async def alone() -> tuple[FakeServer, Any]:
        server = FakeServer()
        server.open.set()
        return server, await CommandBatcher(cast("AsyncRedis", server), FakeBarrier(followed=True)).execute_confirmed("ECHO", "sure")

    server, outcome = asyncio.run(alone())
    assert (server.sends, outcome) == ([["sure", "wait"]], ("sure", True))


def test_commands_that_come_while_one_is_on_its_way_go_together() -> None:
    """The next send takes all of them, and each caller has its own answer."""
    server, outcomes = asyncio.run(grouped(["a", "b", "c"]))
    assert server.sends == [["first"], ["a", "b", "c"]]
    assert outcomes == ["first", "a", "b", "c"]


def test_an_error_of_one_command_is_its_callers_alone() -> None:
    """The server refused that one; the others have their answers."""
    _, outcomes = asyncio.run(grouped(["a", "bad", "c"]))
    assert [outcomes[1], type(outcomes[2]), outcomes[3]] == ["a", ResponseError, "c"]


def test_an_outage_is_every_callers() -> None:
    """Nobody waits for an answer that cannot come, and later commands are sent again."""
    server, outcomes = asyncio.run(grouped(["a", "b"], away=True))
    assert [type(outcome) for outcome in outcomes] == [OSError] * 3
    assert len(server.sends) == 2


def test_a_caller_that_goes_away_takes_no_other_with_it() -> None:
    """Its answer is dropped."""
    _, outcomes = asyncio.run(grouped(["a", "b", "c"], cancel=1))
    assert [outcomes[1], type(outcomes[2]), outcomes[3]] == ["a", asyncio.CancelledError, "c"]
