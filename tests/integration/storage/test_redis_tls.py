"""Redis over TLS: the server's certificate is checked, by every kind of client, and nothing is said to a server that has a wrong one."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.storage import clients, sentinel
from shared.storage.clients import AWAY
from tests.support.server import EmbeddedServer

CHUNK = 65_536


@dataclass(frozen=True)
class Front:
    """A port that speaks TLS in front of a server, with a certificate that names `localhost` and no address."""

    port: int
    certificate: Path


@pytest.fixture(scope="module")
def front(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """The front of the run's own server."""
    certificate, key = _certificate(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), list[int]()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_unix_connection(server.url.removeprefix("unix://"))
        await asyncio.gather(copy(reader, behind[1]), copy(behind[0], writer), return_exceptions=True)

    async def serve() -> None:
        listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
        ports.append(listening.sockets[0].getsockname()[1])
        ready.set()

    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield Front(ports[0], certificate)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    words = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(*words))
    return folder / "cert.pem", folder / "key.pem"


def asked(url: str) -> list[Any]:
    """What a blocking client and one of a loop are answered, or the kind of their error."""

    async def loops() -> Any:
        client = clients.for_bridge(url)
        try:
            return await client.ping()
        finally:
            await client.aclose()

    answers: list[Any] = []
    for ask in (_ping, lambda _url: asyncio.run(loops())):
        try:
            answers.append(ask(url))
        except AWAY:
            answers.append("away")
    return answers


def _ping(url: str) -> Any:
    with clients.for_web(url) as client:
        return client.ping()


def test_a_certificate_of_a_known_authority_for_this_host_is_taken(front: Front) -> None:
    """`ssl_ca_certs` names the authority."""
    assert asked(f"rediss://localhost:{front.port}?ssl_ca_certs={front.certificate}") == [True, True]


@pytest.mark.parametrize("place", ["localhost:{port}", "127.0.0.1:{port}?ssl_ca_certs={ca}"])
def test_an_unknown_authority_or_another_name_is_refused(front: Front, place: str) -> None:
    """As if nobody were there."""
    assert asked("rediss://" + place.format(port=front.port, ca=front.certificate)) == ["away", "away"]


def test_the_name_alone_may_be_left_unchecked(front: Front) -> None:
    """Sentinels name servers by their addresses, which few certificates hold; the authority is checked all the same."""
    where = f"rediss://127.0.0.1:{front.port}?ssl_check_hostname=false"
    assert asked(f"{where}&ssl_ca_certs={front.certificate}") == [True, True]
    assert asked(where) == ["away", "away"]


def test_the_master_that_sentinels_name_is_checked_too(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name or address that they give."""
    host = ["localhost"]

    async def address(_self: Any) -> tuple[str, int]:
        return host[0], front.port

    monkeypatch.setattr(sentinel.Master, "address", lambda _self: (host[0], front.port))
    monkeypatch.setattr(sentinel.AsyncMaster, "address", address)
    url = f"rediss+sentinel://127.0.0.1:1/bossline?ssl_ca_certs={front.certificate}"
    assert asked(url) == [True, True]
    host[0] = "127.0.0.1"
    assert asked(url) == ["away", "away"]
    assert asked(f"{url}&ssl_check_hostname=false") == [True, True]
