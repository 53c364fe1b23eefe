"""Who may come in: the limits that hold for all connections together. No I/O beyond turning a connection away."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from bridge.protocol.codes import Close
from shared.config.settings import Settings

DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}


class Visitor(Hashable, Protocol):
    """A connection, as far as the door knows it."""

    def turn_away(self, code: Close, reason: str) -> None:
        """Close it without waiting for the other side."""


V = TypeVar("V", bound=Visitor)


class Door(Generic[V]):
    """Counts connections from the moment when TCP has them: one that never speaks counts too."""

    def __init__(self, *, most_waiting: int, most_inside: int) -> None:
        """Of more than `most_waiting` that have not authenticated the oldest is dropped; `most_inside` may have."""
        self._most_waiting = most_waiting
        self._most_inside = most_inside
        self._waiting: dict[V, None] = {}
        self._inside: set[V] = set()

    def came(self, visitor: V) -> None:
        """Somebody connected."""
        self._waiting[visitor] = None
        if len(self._waiting) > self._most_waiting:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.turn_away(Close.OVERLOADED, "too many connections")

    def enter(self, visitor: V) -> bool:
        """Somebody authenticated; False when the house is full."""
        if visitor in self._inside:
            return True
        if len(self._inside) >= self._most_inside:
            return False
        self._waiting.pop(visitor, None)
        self._inside.add(visitor)
        return True

    def left(self, visitor: V) -> None:
        """Somebody has gone."""
        self._waiting.pop(visitor, None)
        self._inside.discard(visitor)

    def waiting(self) -> tuple[V, ...]:
        """Those who have not authenticated, the oldest first."""
        return tuple(self._waiting)


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
    """The web pages that may connect; `null`, which any sandboxed page has, is none."""
    named = (origin.strip().rstrip("/").lower() for origin in settings.bridge_origins.split(","))
    return tuple(origin for origin in named if origin not in ("", "null"))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
