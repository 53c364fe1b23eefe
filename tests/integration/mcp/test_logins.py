"""Logins with servers: made once by an operator, kept encrypted, renewed by one process, and never removed by a failure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from shared.config.mcp_servers import McpServer
from shared.mailbox import keys
from supervisor_worker.mcp import logins as module
from supervisor_worker.mcp.login_flow import log_in
from supervisor_worker.mcp.logins import Login, Logins, renewal, renewed, sealed, unsealed
from supervisor_worker.mcp.results import Fate
from supervisor_worker.mcp.sessions import SessionEnded
from supervisor_worker.mcp.tools import opener_of
from tests.support.loop import in_loop
from tests.support.mcp_oauth import LoginServer, login_server
from tests.support.mcp_owners import Caller, calling

KEY = "0123456789abcdef" * 4


def browser() -> tuple[Callable[[str], None], list[asyncio.Task[None]]]:
    """A person who opens the address that is shown."""
    opened: list[asyncio.Task[None]] = []

    async def go(url: str) -> None:
        async with aiohttp.ClientSession() as session, session.get(url):
            pass

    return lambda url: opened.append(asyncio.create_task(go(url))), opened


@asynccontextmanager
async def logged_in(redis_url: str) -> AsyncIterator[tuple[LoginServer, McpServer, Logins]]:
    """A server, and a login with it that is stored."""
    async with login_server() as server, AsyncRedis.from_url(redis_url, protocol=2) as redis:
        configured = McpServer(name="http", url=server.url, login=True)
        logins, (show, opened) = Logins(redis, KEY), browser()
        await logins.write("http", await log_in(configured, 0, show))
        await asyncio.gather(*opened)
        yield server, configured, logins


def caller(configured: McpServer, logins: Logins) -> Caller:
    return Caller(configured, opener_of(logins, None))


async def age(logins: Logins, seconds: float) -> None:
    """Have the stored token end."""
    login = await logins.read("http")
    assert login is not None
    await logins.write("http", replace(login, expires_at=time.time() + seconds))


@in_loop
async def test_a_login_is_made_once_in_the_browser_and_no_token_is_readable_in_redis(redis: Redis, redis_url: str) -> None:
    """By another key it is none."""
    async with logged_in(redis_url) as (_, configured, logins):
        stored: Any = redis.hget(keys.MCP_LOGINS, "http")
        assert b"access-1" not in stored
        assert b"client-secret" not in stored
        assert unsealed("another key", stored) is None
        login = unsealed(KEY, stored)
        assert login is not None
        assert (login.access_token, login.refresh_token, login.client_id) == ("access-1", "refresh-1", "client-1")
        assert "access-1" not in repr(login)
        async with calling(configured, opener_of(logins, None)) as one:
            assert (await one.call("echo", text="hello")).text == '{"text": "hello"}'


@in_loop
async def test_a_token_that_ends_is_renewed_by_one_process_alone(redis_url: str) -> None:
    """A refresh token is good once: four processes at the same moment use it once, and all go on with what it gave."""
    async with logged_in(redis_url) as (server, configured, logins):
        await age(logins, 30)
        callers = [caller(configured, logins) for _ in range(4)]
        answers = await asyncio.gather(*(each.call("echo", text="on") for each in callers))
        assert {answer.text for answer in answers} == {'{"text": "on"}'}
        assert (server.renewals, server.reused) == (1, 0)
        await asyncio.gather(*(each.owner.aclose() for each in callers))


@in_loop
async def test_who_may_renew_late_finds_what_another_has_renewed(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other's right has ended, and its token is there: its refresh token is not used again."""
    async with logged_in(redis_url) as (server, configured, logins):
        await age(logins, 30)

        async def renewed_meanwhile(_logins: Logins, _server: str) -> bool:
            await age(logins, 3600)
            return True

        monkeypatch.setattr(Logins, "may_renew", renewed_meanwhile)
        one = caller(configured, logins)
        assert (await one.call("echo", text="on")).text == '{"text": "on"}'
        assert (server.renewals, server.reused) == (0, 0)
        await one.owner.aclose()


@in_loop
async def test_a_token_that_the_server_takes_back_is_renewed(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the midst of a session, once; where that is refused, the operator is told what to run, and the login stays as it is."""
    monkeypatch.setattr(module, "RENEW_SECONDS", 2.5)
    async with logged_in(redis_url) as (server, configured, logins):
        one = caller(configured, logins)
        await one.call("echo")
        server.access.clear()
        assert (await one.call("echo", text="on")).text == '{"text": "on"}'
        assert server.renewals == 1
        await one.owner.aclose()
        server.access.clear()
        server.refresh = "taken back"
        before = await logins.read("http")
        await asyncio.sleep(2.6)
        two = caller(configured, logins)
        refused = await two.call("echo")
        assert (refused.fate, "boss mcp login http" in refused.text) == (Fate.NOT_MADE, True)
        assert await logins.read("http") == before
        await two.owner.aclose()


@in_loop
async def test_a_call_that_was_refused_for_its_token_has_not_happened_and_one_that_was_sent_again_may_have(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the midst of a session: a token that cannot be renewed, and one that is renewed before the server goes away."""
    monkeypatch.setattr(module, "RENEW_SECONDS", 2.0)
    async with logged_in(redis_url) as (server, configured, logins):
        one = caller(configured, logins)
        await one.call("echo")
        server.access.clear()
        server.dies_in_a_call = True
        assert (await one.call("echo")).fate is Fate.UNKNOWN
        server.dies_in_a_call = False
        assert (await one.soon("echo")).fate is Fate.ANSWERED
        server.access.clear()
        server.refresh = "taken back"
        await asyncio.sleep(2.1)
        refused = await one.call("echo")
        assert (refused.fate, "boss mcp login http" in refused.text) == (Fate.NOT_MADE, True)
        await one.owner.aclose()


@in_loop
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "registration_endpoint"])
async def test_nobody_is_sent_to_an_address_that_others_can_read(name: str) -> None:
    """Neither the person's browser nor the code that it brings back: the server names http:// of another machine."""
    async with login_server() as server:
        shown: list[str] = []
        go, opened = browser()

        def show(url: str) -> None:
            shown.append(url)
            go(url)

        server.elsewhere = {name: "http://login.example/here"}
        with pytest.raises(SessionEnded, match="not https"):
            await log_in(McpServer(name="http", url=server.url, login=True), 0, show)
        await asyncio.gather(*opened)
        assert bool(shown) == (name == "token_endpoint")


@in_loop
async def test_a_renewal_that_fails_for_a_while_loses_nothing(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token stays, and the next process that needs it renews it."""
    monkeypatch.setattr(module, "RENEW_SECONDS", 2.5)
    async with logged_in(redis_url) as (server, configured, logins):
        await age(logins, -10)
        server.broken_renewals = 1
        one = caller(configured, logins)
        assert (await one.call("echo")).fate is Fate.NOT_MADE
        await asyncio.sleep(2.6)
        assert (await one.soon("echo", text="on")).text == '{"text": "on"}'
        await one.owner.aclose()


@in_loop
async def test_a_worker_never_starts_a_login(redis_url: str) -> None:
    """Without one its calls fail at once; the same for a login that was made with another address."""
    async with login_server() as server, AsyncRedis.from_url(redis_url, protocol=2) as redis:
        configured = McpServer(name="http", url=server.url, login=True)
        logins = Logins(redis, KEY)
        for login in (None, Login("https://other.example/mcp", "a", 0, "r", "https://other.example/token", "c", "", "", "", "")):
            if login:
                await logins.write("http", login)
            one = caller(configured, logins)
            began = time.monotonic()
            assert "boss mcp login http" in (await one.call("echo")).text
            assert time.monotonic() - began < 5
            await one.owner.aclose()


@in_loop
async def test_a_login_that_is_not_made_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person refuses, nobody comes, the server asks for none."""
    monkeypatch.setattr("supervisor_worker.mcp.login_flow.PERSON_SECONDS", 1.0)
    async with login_server() as server:
        configured = McpServer(name="http", url=server.url, login=True)
        show, opened = browser()
        server.refuses_people = True
        with pytest.raises(SessionEnded, match="the login failed"):
            await log_in(configured, 0, show)
        await asyncio.gather(*opened)
        with pytest.raises(SessionEnded, match="nobody logged in"):
            await log_in(configured, 0, lambda _: None)
        server.access.add("")
        with pytest.raises(SessionEnded, match=r"does not ask for a login \(it answers 200\)"):
            await log_in(configured, 0, show)


LOGIN = Login("https://a.example/mcp", "access", 5.0, "refresh", "https://a.example/token", "me", "se:cret", "client_secret_basic", "", "")


def test_a_renewal_is_proven_as_the_client_was_registered() -> None:
    """By a header, in the form, or not at all for a public client."""
    headers, form = renewal(LOGIN)
    assert (headers, "client_secret" in form) == ({"Authorization": "Basic bWU6c2UlM0FjcmV0"}, False)
    assert renewal(replace(LOGIN, auth_method="client_secret_post"))[1]["client_secret"] == "se:cret"
    assert renewal(replace(LOGIN, client_secret="", auth_method="none"))[1].keys() == {"grant_type", "refresh_token", "client_id"}


def test_an_answer_that_is_no_renewal_is_none() -> None:
    """A token without an end is one; the old refresh token stays where there is no new one."""
    found = renewed(LOGIN, b'{"access_token": "new"}', 100.0)
    assert found is not None
    assert (found.access_token, found.refresh_token, found.expires_at, found.good(1e12)) == ("new", "refresh", 0.0, True)
    for content in (
        b"",
        b"[]",
        b"{}",
        b'{"access_token": 3}',
        b'{"access_token": ""}',
        b'{"access_token": "a", "expires_in": "soon"}',
        b"<html>",
    ):
        assert renewed(LOGIN, content, 100.0) is None
    assert unsealed(KEY, sealed(KEY, LOGIN)) == LOGIN
