"""How a request is run: what is quick on the loop, everything else in a thread, and no body holds more than its connection."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined] # its documented name

from shared.process import blocking
from webhook_api.http import body_deadline, rsgi
from webhook_api.http.rsgi import MAX_LARGE_BODIES, SMALL_BODY_BYTES, Application

Headers = list[tuple[str, str]]


class Said:
    """RSGI's headers."""

    def __init__(self, headers: Headers, unreadable: list[str]) -> None:
        self._headers, self._unreadable = headers, unreadable

    def items(self) -> Headers:
        """Those whose values are ASCII."""
        return self._headers

    def keys(self) -> list[str]:
        """All names, each once."""
        return [*dict.fromkeys([*(name for name, _ in self._headers), *self._unreadable])]

    def __len__(self) -> int:
        """How many names there are."""
        return len(self.keys())


def scope(headers: Headers | None = None, path: str = "/read", *, unreadable: Iterable[str] = (), **changes: Any) -> Any:
    """What the server knows of a request."""
    known = {
        "method": "POST", "path": path, "query_string": "a=%20b", "http_version": "1.1", "scheme": "http",
        "client": "198.51.100.7:4711", "server": "127.0.0.1:8787", "authority": None,
        "headers": Said(headers or [], list(unreadable)),
    }  # fmt: skip
    return SimpleNamespace(**known | changes)


class Proto:
    """What the server gives to read from and to answer with; `come` lets the pieces come, and `broken` ends them."""

    def __init__(self, *pieces: bytes, slow: bool = False, broken: bool = False) -> None:
        self.pieces, self.broken, self.asked = pieces, broken, 0
        self.come = asyncio.Event()
        if not slow:
            self.come.set()
        self.answers: list[tuple[int, Headers, bytes]] = []

    async def __call__(self) -> bytes:
        """The whole body."""
        return b"".join([piece async for piece in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Piece by piece."""
        self.asked += 1
        await self.come.wait()
        for piece in self.pieces:
            yield piece
        if self.broken:
            raise ProtocolClosed

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """The answer."""
        self.answers.append((status, headers, body))


class App:
    """Answers where it ran, and the body if it is asked for it. `quick` and `reads` as they are told."""

    def __init__(self, *, quick: bool = True, reads: bool = True) -> None:
        self.quick: Callable[[Any], bool] = lambda _environ: quick
        self.reads: Callable[[Any], bool] = lambda _environ: reads
        self.environ: dict[str, Any] = {}
        self.hold = threading.Event()
        self.hold.set()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """200, or what the path says."""
        self.environ = environ
        where = b"loop" if blocking.loop() else threading.current_thread().name.partition("_")[0].encode()
        if not blocking.loop():
            assert self.hold.wait(10)
        if environ["PATH_INFO"] == "/broken":
            raise RuntimeError("canary")
        start("200 OK", [("X-A", "1")])
        return [where, b" ", environ["wsgi.input"].read() if environ["PATH_INFO"] == "/read" else b""]


def asked(
    app: App, request: Any, *protos: Proto, before: Callable[[Application], Any] = lambda _application: None
) -> list[tuple[int, bytes]]:
    """The answers to as many equal requests at once."""

    async def story() -> list[tuple[int, bytes]]:
        application = Application(cast("Any", app), many=8)
        application.__rsgi_init__(asyncio.get_running_loop())
        running = [asyncio.create_task(application.__rsgi__(request, cast("Any", proto))) for proto in protos]
        await asyncio.sleep(0)
        before(application)
        await asyncio.gather(*running)
        application._watch.cancel()
        return [(status, body) for proto in protos for status, _, body in proto.answers]

    return asyncio.run(story())


def length(number: int) -> Headers:
    """A body's."""
    return [("content-length", str(number))]


def test_what_is_quick_runs_on_the_loop_and_everything_else_in_a_thread() -> None:
    """A large body, and one in chunks, is read where it is worked on."""
    assert asked(App(), scope(length(3)), Proto(b"a", b"bc")) == [(200, b"loop abc")]
    assert asked(App(quick=False), scope(length(3)), Proto(b"abc")) == [(200, b"request abc")]
    large = b"x" * (SMALL_BODY_BYTES + 1)
    assert asked(App(), scope(length(len(large))), Proto(large[:7], b"", large[7:])) == [(200, b"large-body " + large)]
    assert asked(App(), scope([("transfer-encoding", "chunked")]), Proto(b"a", b"b")) == [(200, b"large-body ab")]


def test_what_proves_nothing_is_not_read() -> None:
    """Whatever its body says of its length; and without a body nothing is waited for."""
    for request in (scope(length(3), "/refused"), scope(length(SMALL_BODY_BYTES + 1), "/refused")):
        proto = Proto(slow=True)
        assert asked(App(reads=False), request, proto)[0][0] == 200
        assert proto.asked == 0
    assert asked(App(), scope(), Proto(slow=True)) == [(200, b"loop ")]


def test_bodies_that_do_not_come_hold_up_nobody() -> None:
    """A hundred that wait; the one after them is answered before they are."""
    slow, quick = [Proto(b"abc", slow=True) for _ in range(100)], Proto(b"abc")

    def come() -> None:
        for proto in slow if quick.answers else ():
            proto.come.set()

    def let_come(_application: Application) -> None:
        assert not any(proto.answers for proto in slow)
        asyncio.get_running_loop().call_later(0.01, come)

    assert asked(App(), scope(length(3)), *slow, quick, before=let_come) == [(200, b"loop abc")] * 101


def test_only_so_many_large_bodies_are_read_at_a_time() -> None:
    """Each has a thread; the next one is told to come again, and others are not concerned."""
    app = App()
    app.hold.clear()
    protos = [Proto(b"abc") for _ in range(MAX_LARGE_BODIES + 1)]

    applications = []

    def let_go(application: Application) -> None:
        applications.append(application)
        assert application._large == MAX_LARGE_BODIES
        assert [proto.answers[0][0] for proto in protos if proto.answers] == [503]
        app.hold.set()

    answers = asked(app, scope(length(SMALL_BODY_BYTES + 1)), *protos, before=let_go)
    assert sorted(status for status, _ in answers) == [200] * MAX_LARGE_BODIES + [503]
    assert [application._large for application in applications] == [0]


@pytest.mark.parametrize("size", [3, SMALL_BODY_BYTES + 1])
def test_a_body_that_breaks_or_does_not_come_in_time_is_shorter_than_its_length(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever reads it has an end of it."""
    status, body = asked(App(), scope(length(size)), Proto(b"ab", broken=True))[0]
    assert (status, body.partition(b" ")[2] in (b"", b"ab")) == (200, True)
    monkeypatch.setattr(body_deadline, "CHECK_SECONDS", 0.001)
    monkeypatch.setattr(body_deadline, "BODY_SECONDS", 0.01)
    assert asked(App(), scope(length(size)), Proto(b"abc", slow=True))[0][1].endswith(b" ")


def test_a_fault_is_a_500_without_the_error_s_words(capfd: pytest.CaptureFixture[str]) -> None:
    """On the loop and in a thread."""
    for quick in (True, False):
        proto = Proto()
        assert asked(App(quick=quick), scope([], "/broken"), proto) == [(500, b"")]
    assert "canary" not in "".join(capfd.readouterr())


def test_the_environ_is_wsgi_s() -> None:
    """As PEP 3333 and CGI have it; a header that stands twice is one, and one that cannot be read is there."""
    app = App()
    headers = [("host", "boss.example.com"), ("x-a", "1"), ("x-a", "2"), ("content-type", "text/plain"), ("x_a", "3"), ("x_b", "4")]
    asked(app, scope(headers, unreadable=["x-forwarded-for"], authority="other.example.com"), Proto())
    wanted = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/read", "QUERY_STRING": "a=%20b", "SERVER_PROTOCOL": "HTTP/1.1", "SCRIPT_NAME": "",
        "REMOTE_ADDR": "198.51.100.7", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8787", "wsgi.url_scheme": "http",
        "HTTP_HOST": "boss.example.com", "HTTP_X_A": "1,2", "CONTENT_TYPE": "text/plain", "HTTP_X_FORWARDED_FOR": "",
    }  # fmt: skip
    assert {name: app.environ.get(name) for name in wanted} == wanted
    assert "HTTP_X_B" not in app.environ
    assert "" not in app.environ
    asked(app, scope(authority="other.example.com", client="[2001:db8::1]:4711"), Proto())
    assert (app.environ["HTTP_HOST"], app.environ["REMOTE_ADDR"]) == ("other.example.com", "2001:db8::1")


def test_a_stream_gives_what_was_asked_for_across_pieces() -> None:
    """However the pieces fall."""

    async def read() -> list[bytes]:
        loop = asyncio.get_running_loop()
        stream = io.BufferedReader(rsgi._Stream(loop, cast("Any", Proto(b"ab", b"", b"cdefg", b"h")), body_deadline.BodyDeadlines(1)), 4)
        return [await loop.run_in_executor(None, stream.read, size) for size in (1, 3, 2, 100, 1)]

    assert asyncio.run(read()) == [b"a", b"bcd", b"ef", b"gh", b""]
