"""Limits of all connections together, and which `Host` and `Origin` headers are accepted. No I/O but closing a connection."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from bridge.protocol.codes import Close
from shared.config.settings import Settings

DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}


class LimitedConnection(Hashable, Protocol):
    """What the limiter needs of a connection."""

    def close_nowait(self, code: Close, reason: str) -> None:
        """Close it without waiting for the other side."""


V = TypeVar("V", bound=LimitedConnection)


class ConnectionLimiter(Generic[V]):
    """Counts connections from TCP on, so that one that never sends a frame counts too."""

    def __init__(self, *, max_unauthenticated: int, max_authenticated: int) -> None:
        """The oldest is closed when more than `max_unauthenticated` wait; more than `max_authenticated` are rejected."""
        self._max_unauthenticated = max_unauthenticated
        self._max_authenticated = max_authenticated
        self._unauthenticated: dict[V, None] = {}
        self._authenticated: set[V] = set()

    def add(self, connection: V) -> None:
        """Count a new connection. With one too many the oldest unauthenticated one is closed with 1013."""
        self._unauthenticated[connection] = None
        if len(self._unauthenticated) > self._max_unauthenticated:
            oldest = next(iter(self._unauthenticated))
            del self._unauthenticated[oldest]
            oldest.close_nowait(Close.OVERLOADED, "too many connections")

    def add_authenticated(self, connection: V) -> bool:
        """Count a connection as authenticated; False when there are too many of those."""
        if connection in self._authenticated:  # it sent `auth` again
            return True
        if len(self._authenticated) >= self._max_authenticated:
            return False
        self._unauthenticated.pop(connection, None)
        self._authenticated.add(connection)
        return True

    def remove(self, connection: V) -> None:
        """Stop counting a connection."""
        self._unauthenticated.pop(connection, None)
        self._authenticated.discard(connection)

    def unauthenticated(self) -> tuple[V, ...]:
        """The connections that have not authenticated, the oldest first."""
        return tuple(self._unauthenticated)


def hosts(settings: Settings, port: int) -> frozenset[str]:
    """Every `Host` that names the bridge on `port`, in lower case.

    A web page that makes its own name point to 127.0.0.1 reaches the port, but cannot choose another `Host`.
    """
    scheme = "wss" if settings.bridge_tls_cert else "ws"
    own = {"127.0.0.1", "localhost", "[::1]", _bracketed(settings.supervisor_host)}
    names = {f"{name}:{port}" for name in own}
    if port == DEFAULT_PORTS[scheme]:
        names |= own
    if settings.supervisor_url:
        url = urlsplit(settings.supervisor_url)
        name, named_port = _bracketed(url.hostname or ""), url.port or DEFAULT_PORTS[url.scheme]
        names |= {f"{name}:{named_port}", f"{name}:{port}"}
        if named_port == DEFAULT_PORTS[url.scheme]:
            names.add(name)
    return frozenset(name.lower() for name in names)


def origins(settings: Settings) -> tuple[str, ...]:
    """The origins of the web pages that may connect. `null` cannot be allowed: any sandboxed page sends it."""
    named = (origin.strip().rstrip("/").lower() for origin in settings.bridge_origins.split(","))
    return tuple(origin for origin in named if origin not in ("", "null"))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
