"""What becomes of a request when the connection misbehaves, on both event loops: "not sent" is said only when it is certain."""

from __future__ import annotations

import asyncio
import gc
import gzip
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from shared.errors import OutcomeUnknown, ProviderError, ProviderUnavailable
from supervisor_worker.providers.exchange import ProviderHttp
from supervisor_worker.providers.http_pool import MAX_RESPONSE_BYTES, ResponseTooLarge
from tests.support.certificates import self_signed
from tests.support.processes import free_port
from tests.support.scripted_provider import (
    Act,
    ScriptedProvider,
    answer,
    close,
    flood,
    hang,
    reset,
    then_close,
    trickle,
)

Run = Callable[[Coroutine[Any, Any, None]], None]
pytestmark = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])

OK = answer(b"ok")
PACKED = answer(gzip.compress(bytes(2 * MAX_RESPONSE_BYTES)), headers="Content-Encoding: gzip\r\n")


async def failure(http: ProviderHttp, method: str = "POST") -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await http.exchange(method, "https://api.example.com/x", {}, b"body" if method == "POST" else b"")
    return caught.value


def http(url: str, *, timeout: float = 5, connections: int = 4) -> ProviderHttp:
    return ProviderHttp("twilio", url, timeout=timeout, connections=connections)


@pytest.mark.parametrize("act", [reset, close, then_close(answer(b"half", claimed=100)), then_close(answer(b"x", "?"))])
def test_a_post_whose_answer_is_broken_may_have_been_taken_and_a_get_has_only_asked(run: Run, act: Act) -> None:
    """Reset, closed, cut in the middle, no HTTP: sent once, and unknown."""

    async def scenario() -> None:
        async with ScriptedProvider(act).open() as provider:
            ours = http(provider.url)
            error = await failure(ours)
            assert (type(error), error.code) == (OutcomeUnknown, "no_answer")
            assert len(provider.requests) == 1
            error = await failure(ours, "GET")
            assert (type(error), error.code) == (ProviderUnavailable, "no_answer")
            await ours.aclose()

    run(scenario())


@pytest.mark.parametrize("act", [flood, PACKED])
def test_an_answer_is_read_up_to_a_bound(run: Run, act: Act) -> None:
    """Without an end, or small until it is unpacked; the connection is not used again."""

    async def scenario() -> None:
        async with ScriptedProvider(act, OK).open() as provider:
            ours = http(provider.url)
            error = await failure(ours)
            assert type(error) is OutcomeUnknown
            assert type(error.__cause__) is ResponseTooLarge
            assert (await ours.exchange("POST", "/x", {}, b"body")).body == b"ok"
            assert provider.connections == 2
            await ours.aclose()

    run(scenario())


@pytest.mark.parametrize("act", [hang, trickle])
def test_no_answer_takes_longer_than_its_timeout(run: Run, act: Act) -> None:
    """Silence, and a body that comes byte by byte."""

    async def scenario() -> None:
        async with ScriptedProvider(act).open() as provider:
            ours = http(provider.url, timeout=0.3)
            error = await failure(ours)
            assert (type(error), error.code) == (OutcomeUnknown, "no_answer")
            await ours.aclose()

    run(scenario())


def test_a_request_that_found_no_connection_was_not_sent(run: Run) -> None:
    """Refused, a plain server where TLS is expected, and a pool whose connections are all taken."""

    async def scenario() -> None:
        async with ScriptedProvider(hang).open() as provider:
            for url in (f"http://127.0.0.1:{free_port()}", provider.url.replace("http:", "https:")):
                ours = http(url, timeout=3)
                error = await failure(ours)
                assert (type(error), error.code) == (ProviderUnavailable, "not_reached")
                await ours.aclose()
            assert provider.requests == []
            full = http(provider.url, timeout=3, connections=1)
            first = asyncio.create_task(failure(full))
            await provider.asked(1)
            error = await failure(full)
            assert (type(error), error.code) == (ProviderUnavailable, "not_reached")
            assert type(await first) is OutcomeUnknown
            await full.aclose()

    run(scenario())


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(run: Run, tmp_path: Path) -> None:
    """The key and the texts go to the provider or to nobody."""

    async def scenario() -> None:
        async with ScriptedProvider(OK).open(self_signed(tmp_path)) as provider:
            ours = http(f"https://localhost:{provider.port}")
            error = await failure(ours)
            assert (type(error), error.code) == (ProviderUnavailable, "not_reached")
            assert provider.requests == []
            await ours.aclose()

    run(scenario())


def test_a_kept_connection_that_closes_under_a_post_leaves_its_outcome_unknown(run: Run) -> None:
    """The provider may have read it before it closed: it is not sent again."""

    async def scenario() -> None:
        async with ScriptedProvider(OK, close, OK).open() as provider:
            ours = http(provider.url)
            assert (await ours.exchange("POST", "/x", {}, b"first")).body == b"ok"
            assert type(await failure(ours)) is OutcomeUnknown
            assert (provider.connections, len(provider.requests)) == (1, 2)
            assert (await ours.exchange("POST", "/x", {}, b"third")).body == b"ok"
            assert provider.connections == 2
            await ours.aclose()

    run(scenario())


def test_a_kept_connection_that_was_closed_before_is_not_used(run: Run) -> None:
    """The next request opens another one, and nothing is in doubt."""

    async def scenario() -> None:
        async with ScriptedProvider(then_close(OK), OK).open() as provider:
            ours = http(provider.url)
            assert (await ours.exchange("POST", "/x", {}, b"first")).body == b"ok"
            await noticed(ours)
            assert (await ours.exchange("POST", "/x", {}, b"second")).body == b"ok"
            assert (provider.connections, len(provider.requests)) == (2, 2)
            await ours.aclose()

    run(scenario())


def test_a_request_that_was_cancelled_leaves_no_answer_behind_for_the_next_one(run: Run) -> None:
    """Its connection is closed; the one after it gets its own answer on its own connection."""

    async def scenario() -> None:
        async with ScriptedProvider(hang, answer(b"mine")).open() as provider:
            ours = http(provider.url)
            task = asyncio.create_task(ours.exchange("POST", "/x", {}, b"first"))
            await provider.asked(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await ours.exchange("POST", "/x", {}, b"second")).body == b"mine"
            assert provider.connections == 2
            await ours.aclose()

    run(scenario())


def test_nothing_is_followed_and_nothing_is_kept_but_the_connection(run: Run) -> None:
    """A redirect is an answer, a cookie is forgotten, a path before ours is kept."""

    async def scenario() -> None:
        moved = answer(b"", "307 Temporary Redirect", "Location: /elsewhere\r\nSet-Cookie: a=b; Path=/\r\n")
        async with ScriptedProvider(moved, OK).open() as provider:
            ours = http(f"{provider.url}/gateway/")
            found = await ours.exchange("POST", "https://api.example.com/x?To=%2B15551234567", {"X-A": "1"}, b"body")
            assert (found.status, found.headers["location"]) == (307, "/elsewhere")
            await ours.exchange("POST", "https://api.example.com/x", {}, b"body")
            assert provider.requests[0].startswith(b"POST /gateway/x?To=%2B15551234567 HTTP/1.1\r\n")
            assert b"cookie" not in provider.requests[1].lower()
            assert provider.connections == 1
            await ours.aclose()

    run(scenario())


def test_the_environments_proxy_is_used_where_it_is_meant_to(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its password, and not for what NO_PROXY names."""

    async def scenario() -> None:
        async with ScriptedProvider(OK).open() as proxy, ScriptedProvider(OK).open() as provider:
            monkeypatch.setenv("http_proxy", f"http://user:pass@127.0.0.1:{proxy.port}")
            through = http("http://api.example.com")
            await through.exchange("POST", "/x", {}, b"body")
            assert proxy.requests[0].startswith(b"POST http://api.example.com/x HTTP/1.1\r\n")
            assert b"Proxy-Authorization: Basic dXNlcjpwYXNz\r\n" in proxy.requests[0]
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            direct = http(provider.url)
            await direct.exchange("POST", "/x", {}, b"body")
            assert (len(proxy.requests), len(provider.requests)) == (1, 1)
            await through.aclose()
            await direct.aclose()

    run(scenario())


def test_a_proxy_that_lets_nobody_through_has_sent_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses the tunnel; the request would only come after it."""

    async def scenario() -> None:
        async with ScriptedProvider(answer(b"", "407 Proxy Authentication Required")).open() as proxy:
            monkeypatch.setenv("https_proxy", proxy.url)
            ours = http("https://api.example.com")
            error = await failure(ours)
            assert (type(error), error.code) == (ProviderUnavailable, "not_reached")
            assert proxy.requests[0].startswith(b"CONNECT api.example.com:443 HTTP/1.1\r\n")
            await ours.aclose()

    run(scenario())


def test_nothing_is_opened_after_closing(run: Run) -> None:
    """A turn that outlives its process's grace sends nothing more, whether it was the first to send or not."""

    async def scenario() -> None:
        async with ScriptedProvider(OK).open() as provider:
            fresh, used = http(provider.url), http(provider.url)
            await used.exchange("POST", "/x", {}, b"body")
            for ours in (fresh, used):
                await ours.aclose()
                with pytest.raises(ProviderError):
                    await ours.exchange("POST", "/x", {}, b"body")
            assert len(provider.requests) == 1

    run(scenario())


def test_closing_leaves_nothing_open(run: Run) -> None:
    """No warning of a session, connector or transport that was forgotten, with a request under way and one kept."""
    complaints: list[dict[str, Any]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with ScriptedProvider(OK, hang).open() as provider:
            ours = http(provider.url)
            await ours.exchange("POST", "/x", {}, b"body")
            task = asyncio.create_task(ours.exchange("POST", "/x", {}, b"body"))
            await provider.asked(2)
            await ours.aclose()
            with pytest.raises(OutcomeUnknown):
                await task

    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(scenario())
        gc.collect()
    assert complaints == []
    assert [str(warning.message) for warning in caught if issubclass(warning.category, ResourceWarning)] == []


async def noticed(ours: ProviderHttp) -> None:
    """Until our side has read the end of every connection that it keeps."""
    kept = cast("Any", ours._pool._session).connector._conns
    while any(connection.is_connected() for connections in kept.values() for connection, _ in connections):  # noqa: ASYNC110 - aiohttp tells nobody
        await asyncio.sleep(0.01)
