"""Fetching a file of a text from somebody who means harm (T10, T11): where it may lead, how much is read, and how long it takes.

Real sockets throughout: what must not be reached is a listener that counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from yarl import URL

from shared.config.loading import load_settings
from shared.model.media import Media
from supervisor_worker.media import download
from supervisor_worker.media.allowed_urls import AllowedUrls, Origin
from supervisor_worker.media.download import Downloads, MediaUnavailable
from supervisor_worker.media.public_addresses import AddressPolicy
from tests.support.certificates import self_signed
from tests.support.scripted_provider import Act, ScriptedProvider, answer, close, flood, hang, reset, then_close, trickle

Run = Callable[[Coroutine[Any, Any, None]], None]
pytestmark = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])

SID, MEDIA = "MM" + "2" * 32, Media("ME" + "0" * 32)
ACCOUNT = "AC" + "0" * 32
LIMIT = 100_000
FILE = answer(b"a file")


def redirect(location: str, more: str = "") -> Act:
    return answer(b"", "307 Temporary Redirect", f"Location: {location}\r\n{more}")


def claiming(length: int, act: Act | None = None) -> Act:
    """Begin an answer that says a length of its own, and go on otherwise."""

    async def begin(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + b"x")
        if act is not None:
            await act(writer)

    return begin


async def endless(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(0x10000))
        await writer.drain()


def sandboxed(url: str, seconds: float = 10) -> Downloads:
    """What a worker in sandbox mode has, with Twilio at `url`."""
    settings = load_settings(_env_file=None, sandbox="on", sandbox_port=URL(url).port, media_timeout_seconds=seconds)
    return Downloads.of(settings)


def outside(base: str, *others: str, **more: Any) -> Downloads:
    """What a worker in production has, but that 127.0.0.1 stands for the open internet: 127.0.0.2 stands for what is within."""
    allowed = frozenset(Origin.of(URL(url)) for url in (base, *others))
    policy = AddressPolicy(public=lambda address: str(address) == "127.0.0.1")
    return Downloads(AllowedUrls(URL(base), allowed, ACCOUNT, "Basic x"), policy, **{"seconds": 10, **more})


async def fetch(downloads: Downloads) -> bytes:
    try:
        return await downloads.fetch(SID, MEDIA, LIMIT)
    finally:
        await downloads.aclose()


async def failure(downloads: Downloads) -> MediaUnavailable:
    with pytest.raises(MediaUnavailable) as caught:
        await fetch(downloads)
    assert caught.value.__cause__ is None
    return caught.value


async def refused(downloads: Downloads) -> str:
    return (await failure(downloads)).reason


@contextlib.asynccontextmanager
async def forbidden(port: int = 0) -> AsyncIterator[list[int]]:
    """A listener that nobody may reach, on all that is loopback, or on 127.0.0.2 at a port: the port, then one item a connection."""
    seen: list[int] = []

    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(1)
        writer.close()

    hosts = ["127.0.0.2"] if port else ["127.0.0.1"]
    async with await asyncio.start_server(connected, hosts, port) as server:
        bound = server.sockets[0].getsockname()[1]
        more = [] if port else [await asyncio.start_server(connected, "::1", bound)]
        seen.append(bound)
        yield seen
        for each in more:
            each.close()


def test_a_file_is_asked_for_by_its_ids_with_our_login_and_unpacked(run: Run) -> None:
    """One request, no proxy's form of it, and no wish for a packed answer."""

    async def scenario() -> None:
        async with ScriptedProvider(FILE).open() as provider:
            assert await fetch(sandboxed(provider.url)) == b"a file"
            head = provider.requests[0].decode().lower()
            assert head.startswith(f"get /2010-04-01/accounts/{ACCOUNT}/messages/{SID}/media/{MEDIA.id} http/1.1".lower())
            assert "authorization: basic " in head
            assert "accept-encoding: identity" in head
            assert "cookie" not in head

    run(scenario())


WITHIN = [
    "http://127.0.0.1:{}/", "http://localhost:{}/", "http://[::1]:{}/", "http://2130706433:{}/", "http://0x7f000001:{}/", "http://017700000001:{}/",
    "http://127.1:{}/", "http://[::ffff:127.0.0.1]:{}/", "http://0.0.0.0:{}/", "https://127.0.0.1:{}/", "//127.0.0.1:{}/", "http://@127.0.0.1:{}/",
    "file:///proc/self/environ", "ftp://127.0.0.1:{}/", "gopher://127.0.0.1:{}/_INFO", "unix:///run/redis.sock",
]  # fmt: skip


@pytest.mark.parametrize("location", WITHIN)
def test_a_redirect_to_this_machine_reaches_nothing(run: Run, location: str) -> None:
    """In every way to write it; the listener counts no connection."""

    async def scenario() -> None:
        async with forbidden() as seen, ScriptedProvider(redirect(location.format(seen[0]))).open() as provider:
            assert await refused(sandboxed(provider.url)) == "not_allowed"
            assert len(provider.requests) == 1
            assert len(seen) == 1

    run(scenario())


class Anywhere(AllowedUrls):
    """A list of hosts that holds them all: what is left then are the checks of addresses."""

    def checked(self, url: URL) -> URL:
        """Any URL at all."""
        return url


HOSTS = ["127.0.0.1", "localhost", "[::1]", "2130706433", "127.1", "0x7f000001", "0177.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"]  # noqa: S104


@pytest.mark.parametrize("host", HOSTS)
def test_without_any_list_of_hosts_no_address_within_is_connected_to(run: Run, host: str) -> None:
    """Numbers are judged at the socket, names after they were resolved."""

    async def scenario() -> None:
        async with forbidden() as seen:
            allowed = Anywhere(URL(f"http://{host}:{seen[0]}"), frozenset(), ACCOUNT, "Basic x")
            assert await refused(Downloads(allowed, AddressPolicy(), seconds=10)) in {"not_public", "not_allowed"}
            assert len(seen) == 1

    run(scenario())


def test_a_name_that_has_one_address_within_is_not_connected_to_at_all(run: Run) -> None:
    """The public one stands first, and answers."""

    async def lookup(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1", "127.0.0.2"]

    async def scenario() -> None:
        async with ScriptedProvider(FILE).open() as provider, forbidden(provider.port) as seen:
            assert await refused(outside(f"http://media.example.com:{provider.port}", lookup=lookup)) == "not_public"
            assert (len(provider.requests), len(seen)) == (0, 1)

    run(scenario())


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(run: Run) -> None:
    """The second answer leads within: it is not asked for; and where a new connection asks again, it is judged again."""
    answers: list[list[str]] = []

    async def lookup(_host: str, _port: int) -> list[str]:
        answers.append(["127.0.0.1"] if not answers else ["127.0.0.2"])
        return answers[-1]

    async def scenario() -> None:
        async with ScriptedProvider(redirect("/again"), FILE).open() as provider, forbidden(provider.port) as seen:
            assert await fetch(outside(f"http://media.example.com:{provider.port}", lookup=lookup)) == b"a file"
            assert (len(answers), len(seen)) == (1, 1)
        answers.clear()
        parting = redirect("/again", "Connection: close\r\n")
        async with ScriptedProvider(parting).open() as provider, forbidden(provider.port) as seen:
            assert await refused(outside(f"http://media.example.com:{provider.port}", lookup=lookup)) == "not_public"
            assert (len(provider.requests), len(answers), len(seen)) == (1, 2, 1)

    run(scenario())


def test_the_login_is_not_taken_along_to_another_host(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS to the checked address, under the name's own certificate; the first host's login stays there."""
    server = self_signed(tmp_path, "api.example.com", "mms.example.com")
    monkeypatch.setattr(download, "tls", lambda: ssl.create_default_context(cafile=str(tmp_path / "cert.pem")))

    async def lookup(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async def scenario() -> None:
        async with ScriptedProvider(FILE).open(server) as media, ScriptedProvider(FILE).open(server) as api:
            there = f"https://mms.example.com:{media.port}"
            api._script[:] = [redirect(there + "/signed?X-Signature=a%2Bb")]
            assert await fetch(outside(f"https://api.example.com:{api.port}", there, lookup=lookup)) == b"a file"
            assert b"Authorization: Basic x" in api.requests[0]
            assert b"authorization" not in media.requests[0].lower()
            assert media.requests[0].startswith(b"GET /signed?X-Signature=a%2Bb HTTP/1.1")
            wrong = f"https://other.example.com:{media.port}"
            api._script[:] = [redirect(wrong)]
            assert await refused(outside(f"https://api.example.com:{api.port}", wrong, lookup=lookup)) == "no_answer"
            assert len(media.requests) == 1

    run(scenario())


def test_no_proxy_of_the_environment_is_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would resolve names itself, where we cannot see it."""

    async def scenario() -> None:
        async with forbidden() as seen, ScriptedProvider(FILE).open() as provider:
            for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{seen[0]}")
            assert await fetch(sandboxed(provider.url)) == b"a file"
            assert len(seen) == 1

    run(scenario())


def test_three_redirects_are_followed_and_no_fourth(run: Run) -> None:
    """One that leads to itself ends as well."""

    async def scenario() -> None:
        async with ScriptedProvider(redirect("/1"), redirect("2"), redirect("/3"), FILE).open() as provider:
            assert await fetch(sandboxed(provider.url)) == b"a file"
        async with ScriptedProvider(redirect("/again")).open() as provider:
            assert await refused(sandboxed(provider.url)) == "too_many_redirects"
            assert len(provider.requests) == 4

    run(scenario())


PACKED = gzip.compress(bytes(50_000_000), 1)
TOO_MUCH: dict[str, tuple[Act, str]] = {
    "without an end": (flood, "too_large"),
    "longer than allowed": (answer(bytes(LIMIT + 1)), "too_large"),
    "longer than it says": (claiming(4_000_000_000, endless), "too_large"),
    "a gigabyte announced and one byte": (claiming(1_000_000_000, close), "no_answer"),
    "packed": (answer(PACKED, headers="Content-Encoding: gzip\r\n"), "packed"),
    "packed in a way of its own": (answer(b"x", headers="Content-Encoding: zstd, gzip\r\n"), "packed"),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_body_is_counted_as_it_comes_and_never_unpacked(run: Run, name: str) -> None:
    """What it says of its length is not believed; one byte too much ends it."""
    act, reason = TOO_MUCH[name]

    async def scenario() -> None:
        async with ScriptedProvider(act).open() as provider:
            assert await refused(sandboxed(provider.url)) == reason
        async with ScriptedProvider(answer(bytes(LIMIT))).open() as provider:
            ours = sandboxed(provider.url)
            assert len(await fetch(ours)) == LIMIT
            assert ours._session is not None
            assert ours._session.auto_decompress is False  # else a piece is unpacked before the answer's headers are seen

    run(scenario())


def test_a_body_is_read_no_further_than_it_says(run: Run) -> None:
    """What follows is nobody's: it makes the answer no HTTP, if it comes in time to be seen."""

    async def scenario() -> None:
        async with ScriptedProvider(answer(b"a file" + bytes(1_000), claimed=6)).open() as provider:
            found = b"a file"
            with contextlib.suppress(MediaUnavailable):
                found = await fetch(sandboxed(provider.url))
            assert found == b"a file"

    run(scenario())


@pytest.mark.parametrize("act", [hang, trickle, claiming(100_000, hang)])
def test_a_file_has_so_long_and_no_longer(run: Run, act: Act) -> None:
    """Silent from the start, a byte at a time, or silent in the middle."""

    async def scenario() -> None:
        async with ScriptedProvider(act).open() as provider:
            assert await refused(sandboxed(provider.url, seconds=0.2)) == "timeout"

    run(scenario())


PASSING: dict[str, tuple[Act, str]] = {
    "not there yet": (answer(b"", "404 Not Found"), "http_404"),
    "too many": (answer(b"", "429 Too Many Requests"), "http_429"),
    "an outage": (answer(b"", "503 Service Unavailable"), "http_503"),
    "a broken connection": (reset, "no_answer"),
    "half a body": (then_close(answer(b"half", claimed=100)), "no_answer"),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_told_from_what_will_not(run: Run, name: str) -> None:
    """Twilio may announce a file a moment before it has it: whoever asks is told that it may be there later."""
    act, reason = PASSING[name]

    async def scenario() -> None:
        async with ScriptedProvider(act).open() as provider:
            error = await failure(sandboxed(provider.url))
            assert (error.reason, error.transient) == (reason, True)
        async with ScriptedProvider(answer(b"", "403 Forbidden")).open() as provider:
            assert not (await failure(sandboxed(provider.url))).transient

    run(scenario())


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "403 Forbidden", "410 Gone", "204 No Content", "206 Partial Content", "304 Not Modified"]
)
def test_what_is_no_file_is_asked_for_once(run: Run, status: str) -> None:
    """Neither a refusal nor a success that is none."""

    async def scenario() -> None:
        async with ScriptedProvider(then_close(answer(b"", status))).open() as provider:
            assert await refused(sandboxed(provider.url)) == f"http_{status[:3]}"
            assert len(provider.requests) == 1

    run(scenario())


@pytest.mark.parametrize("act", [answer(b"x", "?"), answer(b"x", headers="X: " + "x" * 100_000 + "\r\n"), close])
def test_what_is_no_http_is_no_file(run: Run, act: Act) -> None:
    """A status that is none, a header without an end, and silence."""

    async def scenario() -> None:
        async with ScriptedProvider(then_close(act)).open() as provider:
            assert await refused(sandboxed(provider.url)) == "no_answer"

    run(scenario())


def test_after_closing_nothing_is_fetched(run: Run) -> None:
    """Neither by one that has fetched before nor by one that has not."""

    async def scenario() -> None:
        async with ScriptedProvider(FILE).open() as provider:
            fresh, used = sandboxed(provider.url), sandboxed(provider.url)
            await fetch(used)
            await fresh.aclose()
            for ours in (fresh, used):
                assert await refused(ours) == "closed"
            assert len(provider.requests) == 1

    run(scenario())
