"""Who answers a request: a worker what is small and signed, its own thread what may wait."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from tests.support.wait import wait_for
from webhook_api import threads
from webhook_api.threads import SMALL_BODY, Handler


class Proto:
    """What the server gives to answer with."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []

    def response_bytes(self, status: int, _headers: list[tuple[str, str]], body: bytes) -> None:
        """The answer."""
        self.answers.append((status, body))


class Input:
    """A body; `come` lets it come, and `asked` is how often it was asked for."""

    def __init__(self, content: bytes = b"abc", *, slow: bool = False) -> None:
        self.content, self.come, self.asked = content, threading.Event(), 0
        if not slow:
            self.come.set()

    def read(self, _size: int = -1) -> bytes:
        """Blocks until it has come."""
        self.asked += 1
        assert self.come.wait(10)
        return self.content


class App:
    """Answers with its thread's name, and the body if it is asked for."""

    def __init__(self, *, reads: bool = True, slow: bool = False) -> None:
        self.reads, self.slow = lambda _environ: reads, lambda: slow
        self.hold = threading.Event()
        self.hold.set()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """200, or what the path says."""
        assert self.hold.wait(10)
        if environ["PATH_INFO"] == "/broken":
            raise RuntimeError("canary")
        start("200 OK", [])
        body = environ["wsgi.input"].read() if environ["PATH_INFO"] == "/read" else b""
        return [threading.current_thread().name.partition("-")[0].encode(), b" ", body]


def scope(body: Input, length: int | None = 3, path: str = "/read") -> dict[str, Any]:
    """What the server knows of a request."""
    said = {} if length is None else {"CONTENT_LENGTH": str(length)}
    return {"wsgi.input": body, "SERVER_PORT": "80", "PATH_INFO": path, "REQUEST_METHOD": "POST", **said}


def asked(handler: Handler, *arguments: Any, **options: Any) -> tuple[int, bytes]:
    """One request's answer."""
    proto = Proto()
    handler(proto, scope(*arguments, **options))
    wait_for(lambda: proto.answers, 5, "an answer")
    (answer,) = proto.answers
    return answer


def test_a_small_body_is_read_before_a_worker_has_it() -> None:
    """And whatever is large, or in chunks, or may have to wait, stays in its own thread."""
    handler = Handler(App(), workers=1, many=8)
    assert asked(handler, Input()) == (200, b"worker abc")
    own = threading.current_thread().name.partition("-")[0].encode()
    assert asked(handler, Input(), length=SMALL_BODY + 1) == (200, own + b" abc")
    assert asked(handler, Input(), length=None) == (200, own + b" abc")
    assert asked(Handler(App(slow=True), workers=1, many=8), Input()) == (200, own + b" abc")


def test_what_proves_nothing_is_not_read() -> None:
    """Unless the application itself does."""
    body = Input()
    assert asked(Handler(App(reads=False), workers=1, many=8), body, path="/refused")[0] == 200
    assert body.asked == 0


def test_bodies_that_do_not_come_hold_no_worker() -> None:
    """Two workers, and twenty bodies that wait: the next one is answered."""
    handler, bodies, protos = Handler(App(), workers=2, many=100), [Input(slow=True) for _ in range(20)], [Proto() for _ in range(20)]
    waiting = [threading.Thread(target=handler, args=(proto, scope(body))) for proto, body in zip(protos, bodies, strict=True)]
    for thread in waiting:
        thread.start()
    wait_for(lambda: all(body.asked for body in bodies), 5, "all to be asked for")
    assert asked(handler, Input()) == (200, b"worker abc")
    for body in bodies:
        body.come.set()
    for thread in waiting:
        thread.join(5)
    wait_for(lambda: all(proto.answers for proto in protos), 5, "their answers")


def test_nobody_waits_for_workers_that_are_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis hangs, and each worker with it: who comes then is answered by its own thread."""
    app = App()
    handler, stuck = Handler(app, workers=1, many=8), [Proto(), Proto()]
    app.hold.clear()
    for proto in stuck:
        handler(proto, scope(Input()))
    wait_for(lambda: handler._work.qsize() == 1, 5, "the worker to be stuck")
    monkeypatch.setattr(threads, "STALL_SECONDS", 0.0)
    late = Proto()
    thread = threading.Thread(target=handler, args=(late, scope(Input())), name="own-1")
    thread.start()
    app.hold.set()
    thread.join(5)
    assert late.answers == [(200, b"own abc")]
    wait_for(lambda: all(proto.answers for proto in stuck), 5, "the others' answers")


def test_a_fault_is_a_500_and_no_worker_dies_of_it(capfd: pytest.CaptureFixture[str]) -> None:
    """Without the error's words."""
    handler = Handler(App(), workers=1, many=8)
    assert asked(handler, Input(), path="/broken") == (500, b"")
    assert asked(handler, Input()) == (200, b"worker abc")
    assert "canary" not in "".join(capfd.readouterr())
