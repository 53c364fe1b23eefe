"""Flask without what no webhook needs: what is left out, and that it comes back for who asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Response, session

from webhook_api.http.flask_app import SECURITY_HEADERS, CompleteResponse, MinimalFlask


def named(name: str) -> Response:
    return Response(name)


def app() -> MinimalFlask:
    made = MinimalFlask("tests")
    made.add_url_rule(
        "/taken", "taken", lambda: CompleteResponse(b"<x/>", 200, [("Content-Type", "text/xml"), ("X-Id", "m-1")]), methods=["POST"]
    )
    made.add_url_rule("/nothing", "nothing", lambda: CompleteResponse(status=204), methods=["POST"])
    made.add_url_rule("/named/<name>", "named", named)
    return made


def test_an_answer_is_handed_over_as_one_list() -> None:
    """A server that gets an iterator streams it, piece by piece."""
    said: list[Any] = []
    with app().test_request_context("/taken", method="POST") as context:
        content = context.app.full_dispatch_request()(context.request.environ, lambda *given: said.extend(given))  # type: ignore[arg-type]
    assert content == [b"<x/>"]
    assert said == ["200 OK", [("Content-Type", "text/xml"), ("X-Id", "m-1"), *SECURITY_HEADERS]]


@pytest.mark.parametrize(
    ("method", "path", "status", "content"),
    [
        ("POST", "/taken", 200, b"<x/>"),
        ("POST", "/nothing", 204, b""),
        ("GET", "/named/ada", 200, b"ada"),
        ("HEAD", "/named/ada", 200, b""),
        ("OPTIONS", "/taken", 200, b""),
    ],
)
def test_routes_are_flasks(method: str, path: str, status: int, content: bytes) -> None:
    """Methods, arguments and the answer to OPTIONS."""
    answer = app().test_client().open(path, method=method)
    assert (answer.status_code, answer.data) == (status, content)
    if method == "OPTIONS":
        assert sorted(answer.headers["Allow"].split(", ")) == ["OPTIONS", "POST"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/taken", 405), ("POST", "/other", 404), ("POST", "/taken/", 404)])
def test_what_is_not_there_is_said_so(method: str, path: str, status: int) -> None:
    """Another path, another method."""
    assert app().test_client().open(path, method=method).status_code == status


@pytest.mark.parametrize("host", ["", "evil.example", "bad host!", "[::1", "x" * 300, "\xff"])
def test_the_host_of_a_request_decides_nothing(host: str) -> None:
    """No route, no answer and no error depends on what a caller calls us."""
    assert app().test_client().post("/taken", environ_overrides={"HTTP_HOST": host}).status_code == 200


def test_a_session_is_never_kept() -> None:
    """It reads as empty, cannot be written, and no cookie is set."""
    made = app()
    made.add_url_rule("/read", "read", lambda: Response(str(dict(session))))
    read = made.test_client().get("/read")
    assert (read.data, "Set-Cookie" in read.headers) == (b"{}", False)
    with made.test_request_context("/read"), pytest.raises(RuntimeError, match="session is unavailable"):
        session["a"] = 1


def test_who_registers_a_hook_gets_it_called() -> None:
    """What is skipped is skipped because nobody asked for it."""
    made, heard = app(), list[str]()

    def hear(word: str) -> Callable[..., Any]:
        def hook(*given: Any) -> Any:
            heard.append(word)
            return given[0] if word == "after" else None

        return hook

    made.before_request(hear("before"))
    made.after_request(hear("after"))
    made.teardown_request(hear("teardown"))
    made.url_value_preprocessor(hear("values"))
    assert made.test_client().post("/taken").status_code == 200
    assert heard == ["values", "before", "after", "teardown"]
