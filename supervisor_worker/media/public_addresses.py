"""Which addresses a download may connect to: only public ones, checked after the name is resolved and again at the socket.

A name is resolved once for a connection, every address in the answer must be public, and the connection goes to one of them. An
answer that changes between check and use (DNS rebinding) therefore reaches nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Awaitable[list[str]]]
"""From a name and a port to the name's addresses. Raises OSError."""

_GLOBAL_UNICAST: Final = ip_network("2000::/3")
# Beyond what Python's `is_global` knows, which differs from version to version. The IPv6 ones hold an IPv4 address that some gateway
# on the way may connect to: Teredo and other protocol assignments, 6to4; NAT64 (64:ff9b::/96), mapped and compatible addresses
# stand outside of 2000::/3.
_CLOSED: Final = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")))


class NotPublic(OSError):
    """A name or an address that is not one of the open internet."""


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet: no loopback, link-local, private, shared (CGNAT), multicast or reserved one."""
    if not address.is_global or address.is_multicast or address.is_reserved or any(address in network for network in _CLOSED):
        return False
    return isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST


class AddressPolicy:
    """Which address and port may be connected to."""

    def __init__(self, *, local_port: int | None = None, public: Callable[[Address], bool] = is_public) -> None:
        """`local_port` is the sandbox's: that one port of this machine is allowed as well."""
        self._local_port = local_port
        self._public = public

    def check(self, address: str, port: int) -> None:
        """Raises NotPublic unless this may be connected to."""
        try:
            found = ip_address(address)
        except ValueError:
            raise NotPublic("not an address") from None
        if not (self._public(found) or (found.is_loopback and port == self._local_port)):
            raise NotPublic("not a public address")

    def open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The socket for one of getaddrinfo's answers, for aiohttp: every connection passes here."""
        family, kind, protocol, _, address = info
        self.check(address[0], address[1])
        opened = socket.socket(family, kind, protocol)
        opened.setblocking(False)
        return opened


class PublicResolver(AbstractResolver):
    """A resolver for aiohttp: all addresses of a name are allowed, or none is returned."""

    def __init__(self, policy: AddressPolicy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Raises NotPublic, or the look-up's OSError."""
        del family  # the addresses say it themselves
        addresses = await self._lookup(host, port)
        for address in addresses:
            self._policy.check(address, port)
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Nothing is open."""


async def look_up(host: str, port: int) -> list[str]:
    """The system's own look-up."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)
