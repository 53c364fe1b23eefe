"""MCP servers behind an address: the server's death is an error of a call, and never the caller's end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import pytest
from aiohttp import web

from shared.config.mcp_servers import McpServer
from supervisor_worker.mcp import owner
from supervisor_worker.mcp.results import Fate
from tests.support.loop import in_loop
from tests.support.mcp_http import http_server, result
from tests.support.mcp_owners import LIBRARY_SERVER, calling
from tests.support.processes import free_port
from tests.support.wait import wait_for


def listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def at(url: str, **fields: Any) -> McpServer:
    return McpServer(name="http", url=url, **fields)


@in_loop
async def test_a_bearer_token_goes_to_its_server_and_a_refused_one_is_an_error_of_the_call() -> None:
    """With every request; nothing of it is in the result."""
    async with http_server() as server:
        server.token = "token-of-the-operator"
        async with calling(at(server.url, token=server.token)) as caller:
            assert (await caller.call("echo", text="hello")).text == '{"text": "hello"}'
        assert set(server.authorizations) == {"Bearer token-of-the-operator"}
        async with calling(at(server.url, token="an-old-token")) as caller:
            refused = await caller.call("echo", 5)
            assert (refused.fate, refused.is_error) == (Fate.NOT_MADE, True)
            assert "it refuses our token (401)" in (await caller.call("echo", 5)).text
            assert "an-old-token" not in refused.text


@in_loop
async def test_what_an_address_answers_costs_one_call_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood, a packed one, an error page, a redirect elsewhere, a broken connection, no JSON: the session goes on or is reopened."""
    monkeypatch.setattr(owner, "FIRST_SECONDS", 0.01)
    answers: dict[str, Any] = {}

    async def called(request: web.Request, number: str, arguments: dict[str, Any]) -> web.StreamResponse:
        kind = arguments.get("text", "")
        if kind == "flood":
            return result(number, "x" * 5_000_000)
        if kind == "packed":
            return web.Response(body=b"\x1f\x8b" + b"\0" * 100, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})
        if kind == "page":
            return web.Response(status=502, text="<html>")
        if kind == "elsewhere":
            return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/mcp"})
        if kind == "text":
            return web.Response(text="hello")
        if kind == "broken" and request.transport:
            request.transport.abort()
        if kind == "hangs":
            await asyncio.sleep(30)
        return result(number, "ok")

    async with http_server(called) as server, calling(at(server.url)) as caller:
        await caller.call("echo")
        for kind in ("flood", "packed", "page", "elsewhere", "text", "broken", "hangs"):
            answers[kind] = await caller.call("echo", 1, text=kind)
            assert (await caller.soon("echo", text="ok")).text == "ok", kind
        assert {kind: answer.fate for kind, answer in answers.items()} == dict.fromkeys(answers, Fate.UNKNOWN)


@in_loop
async def test_a_flood_does_not_end_the_calls_beside_it() -> None:
    """Only the call that it answers."""

    async def called(_request: web.Request, number: str, arguments: dict[str, Any]) -> web.StreamResponse:
        if arguments.get("text") == "flood":
            return result(number, "x" * 5_000_000)
        await asyncio.sleep(1)
        return result(number, "beside it")

    async with http_server(called) as server, calling(at(server.url)) as caller:
        await caller.call("echo", text="flood")
        beside = asyncio.create_task(caller.call("echo"))
        await asyncio.sleep(0.2)
        assert "too large" in (await caller.call("echo", text="flood")).text
        assert (await beside).text == "beside it"
        assert server.opened == 1


@in_loop
async def test_a_server_that_was_started_anew_has_not_made_the_call() -> None:
    """It knows nothing of the session: the call may be made once more."""
    gone = True

    async def called(_request: web.Request, number: str, _arguments: dict[str, Any]) -> web.StreamResponse:
        return web.Response(status=404) if gone else result(number, "ok")

    async with http_server(called) as server, calling(at(server.url)) as caller:
        await caller.call("echo")
        answer = await caller.call("echo")
        assert answer.fate in (Fate.NOT_MADE, Fate.ANSWERED)
        gone = False
        assert (await caller.soon("echo")).text == "ok"


@in_loop
async def test_what_a_server_refuses_before_it_looks_at_the_call_has_not_happened() -> None:
    """In the midst of a session, which goes on; an error of the server's own may have come after it."""

    async def called(_request: web.Request, number: str, arguments: dict[str, Any]) -> web.StreamResponse:
        text = arguments.get("text", "")
        if text == "beside":
            await asyncio.sleep(0.5)
        return web.Response(status=int(text)) if text.isdigit() else result(number, "ok")

    async with http_server(called) as server, calling(at(server.url)) as caller:
        await caller.call("echo")
        beside = asyncio.create_task(caller.call("echo", text="beside"))
        await asyncio.sleep(0.1)
        for status in (401, 403, 404):
            answer = await caller.call("echo", text=str(status))
            assert (answer.fate, f"({status})" in answer.text) == (Fate.NOT_MADE, True)
        assert ((await beside).fate, server.opened) == (Fate.ANSWERED, 1)
        assert (await caller.call("echo", text="500")).fate is Fate.UNKNOWN


@in_loop
async def test_the_death_of_a_server_in_a_call_never_cancels_the_caller() -> None:
    """A server of the package itself, killed in the midst of twenty calls: each is an ordinary result, and the caller's task goes on."""
    port = free_port()
    command = [sys.executable, str(LIBRARY_SERVER), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220 - killed, not waited for
    try:
        async with calling(at(f"http://127.0.0.1:{port}/mcp", at_once=50)) as caller:
            await asyncio.to_thread(wait_for, lambda: listens(port), 20, "the server")
            assert (await caller.call("add", a=1, b=2)).text == "3"
            began = time.monotonic()
            waited = await asyncio.gather(*(caller.call("wait", seconds=0.3) for _ in range(50)))
            assert {each.text for each in waited} == {"waited"}
            assert time.monotonic() - began < 10
            waiting = [asyncio.create_task(caller.call("wait", seconds=20)) for _ in range(20)]
            await asyncio.sleep(0.5)
            os.kill(process.pid, signal.SIGKILL)
            assert {each.fate for each in await asyncio.gather(*waiting)} == {Fate.UNKNOWN}
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            await asyncio.sleep(0)
            assert (await caller.call("add", a=1, b=2)).fate is Fate.NOT_MADE
    finally:
        process.kill()
        process.wait()


@in_loop
async def test_an_address_where_nobody_answers_costs_a_call_and_then_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, or silent: within the time for opening, then at once until it is tried again."""
    monkeypatch.setattr(owner, "OPEN_SECONDS", 1.0)

    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    silent_port = listening.sockets[0].getsockname()[1]
    for port in (free_port(), silent_port):
        async with calling(at(f"http://127.0.0.1:{port}/mcp")) as caller:
            began = time.monotonic()
            assert (await caller.call("echo", 8)).fate is Fate.NOT_MADE
            assert time.monotonic() - began < 5
            began = time.monotonic()
            assert "tried again in" in (await caller.call("echo", 8)).text
            assert time.monotonic() - began < 0.1
    listening.close()
