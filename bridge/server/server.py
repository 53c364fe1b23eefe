"""The WebSocket server: its limits, which handshakes it accepts, and how it ends."""

from __future__ import annotations

import asyncio
import resource
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import MultipleValuesError
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Origin

from bridge.protocol.codes import Close
from bridge.protocol.server_session import SessionLimits
from bridge.server.connection import BridgeConnection
from bridge.server.connection_limits import ConnectionLimiter, hosts, origins
from bridge.server.handler import Bridge, ClientHandler
from bridge.server.handover import HandoverQueue
from bridge.server.ledger_follower import LedgerFollower
from bridge.server.submit import MAX_CONCURRENT_STORES, Submitter
from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.mailbox import AsyncMailbox
from shared.net import ANSWER_HEADERS
from shared.observability import logs
from shared.process.tasks import cancel_and_wait
from shared.runtime import Runtime, redis_url
from shared.security.password import ThrottledSecret
from shared.storage.clients import for_bridge

LOG: Final = logs.logger(__name__)
BACKLOG: Final = 1024
OPEN_SECONDS: Final = 5.0
PING_SECONDS: Final = 20.0
CLOSE_SECONDS: Final = 1.0
SHUTDOWN_SECONDS: Final = 1.5
"""How long the end waits for clients to close."""
RESTART_SECONDS: Final = 1.0
MAX_UNREAD_FRAMES: Final = 4
WRITE_BUFFER_BYTES: Final = 32_768


async def run(runtime: Runtime) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError when the port or the certificate cannot be used."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    raise_open_files()
    runtime.people.start()
    async with open_bridge(runtime) as bridge:
        server = await listen(bridge)
        announce(runtime.settings, port_of(server))
        await stop.wait()
        LOG.info("bridge ends", action="bridge_ends", connections=len(server.connections))
        await close(bridge, server)


@asynccontextmanager
async def open_bridge(runtime: Runtime) -> AsyncIterator[Bridge]:
    """What the clients share, with its two loops running. The ledger is followed before the first client is served."""
    settings = runtime.settings
    # Two pools: a hundred subscribers that all read at once, or hang at a frozen Redis, must not keep a message from being stored.
    redis = for_bridge(redis_url(settings))
    storing = for_bridge(redis_url(settings), connections=MAX_CONCURRENT_STORES)
    mailbox = AsyncMailbox(redis)
    follower = LedgerFollower(mailbox)
    bridge = Bridge(
        runtime=runtime,
        limits=session_limits(settings),
        limiter=ConnectionLimiter(
            max_unauthenticated=settings.bridge_max_unauthenticated, max_authenticated=settings.bridge_max_connections
        ),
        token=ThrottledSecret(settings.supervisor_token.get_secret_value(), time.monotonic()),
        submitter=Submitter(runtime, AsyncMailbox(storing)),
        follower=follower,
        handovers=HandoverQueue(mailbox, settings.retention_ms),
    )
    await follower.start()
    tasks = [asyncio.create_task(for_ever(loop)) for loop in (follower.run, bridge.handovers.run)]
    try:
        yield bridge
    finally:
        await cancel_and_wait(tasks)
        for client in (redis, storing):
            with suppress(OSError):
                await client.aclose()


async def for_ever(loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop for ever, also after a fault of ours: without its loops the bridge would accept messages and answer none."""
    while True:
        try:
            await loop()
        except Exception:
            LOG.exception("A loop of the bridge failed; it begins again.", action="loop_failed")
        await asyncio.sleep(RESTART_SECONDS)


def session_limits(settings: Settings) -> SessionLimits:
    """The settings that every connection's session needs."""
    return SessionLimits(
        requests_per_second=settings.bridge_requests_per_second,
        burst=settings.bridge_burst,
        max_frame=settings.bridge_max_frame,
        answer_seconds=settings.bridge_answer_seconds,
        server=f"bossline/{version('bossline')}",
    )


async def listen(bridge: Bridge) -> Server:
    """Bind the port and accept connections. Raises ConfigurationError."""
    settings = bridge.runtime.settings
    host_check = HostCheck()

    async def handle(connection: ServerConnection) -> None:
        if isinstance(connection, BridgeConnection):
            await ClientHandler(bridge, connection).run()

    def connect(protocol: ServerProtocol, server: Server, **limits: Any) -> BridgeConnection:
        return BridgeConnection(bridge.limiter, protocol, server, **limits)

    serving = serve(
        handle,
        settings.supervisor_host.strip("[]"),
        settings.supervisor_port,
        origins=[None, *(Origin(name) for name in origins(settings))],
        compression=None,
        process_request=host_check,
        process_response=add_answer_headers,
        server_header=None,
        open_timeout=OPEN_SECONDS,
        ping_interval=PING_SECONDS,
        ping_timeout=PING_SECONDS,
        close_timeout=CLOSE_SECONDS,
        max_size=settings.bridge_max_frame,
        max_queue=MAX_UNREAD_FRAMES,
        write_limit=WRITE_BUFFER_BYTES,
        create_connection=cast("type[ServerConnection]", connect),  # websockets only calls it
        backlog=BACKLOG,
        ssl=tls(settings),
        start_serving=False,
    )
    try:
        server = await serving
    except OSError as error:
        raise ConfigurationError(f"SUPERVISOR_PORT: the port cannot be bound ({error.strerror})") from None
    host_check.names = hosts(settings, port_of(server))
    await server.start_serving()
    return server


class HostCheck:
    """Rejects a handshake whose `Host` does not name the bridge. `Origin` is checked by websockets."""

    def __init__(self) -> None:
        """The names are set once the port is known."""
        self.names: frozenset[str] = frozenset()

    def __call__(self, connection: ServerConnection, request: Request) -> Response | None:
        """None accepts the handshake."""
        try:
            host = request.headers.get("Host", "")
        except MultipleValuesError:
            host = ""
        if host.lower() in self.names:
            return None
        LOG.warning("Refused a handshake.", action="handshake_refused", reason="host")
        return connection.respond(HTTPStatus.FORBIDDEN, "The Host header does not name this bridge (see SUPERVISOR_URL).\n")


def add_answer_headers(_connection: ServerConnection, _request: Request, response: Response) -> None:
    """Add the headers of shared.net to an answer that is no handshake: a browser may have asked for it."""
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        for name, value in ANSWER_HEADERS.items():
            response.headers[name] = value


async def close(bridge: Bridge, server: Server) -> None:
    """Accept nothing more, close every connection, and wait SHUTDOWN_SECONDS at most for clients that do not answer."""
    bridge.ending = True
    server.close(code=Close.GOING_AWAY)
    for connection in bridge.limiter.unauthenticated():
        connection.close_nowait(Close.GOING_AWAY, "")
    with suppress(TimeoutError):
        async with asyncio.timeout(SHUTDOWN_SECONDS):
            await server.wait_closed()


def tls(settings: Settings) -> ssl.SSLContext | None:
    """The certificate, when one is set. Raises ConfigurationError."""
    if settings.bridge_tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.bridge_tls_cert, settings.bridge_tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"BRIDGE_TLS_CERT: it and BRIDGE_TLS_KEY cannot be used ({type(error).__name__})") from None
    return context


def announce(settings: Settings, port: int, write: Callable[[str], object] = sys.stdout.write) -> None:
    """Print the line that says where the bridge listens."""
    host = settings.supervisor_host.strip("[]")
    write(f"Supervisor WebSocket server listening on {f'[{host}]' if ':' in host else host}:{port}\n")
    sys.stdout.flush()


def port_of(server: Server) -> int:
    """The port that was bound."""
    return int(next(iter(server.sockets)).getsockname()[1])


def raise_open_files() -> None:
    """Allow this process as many open files, and so connections, as the system lets this user have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
