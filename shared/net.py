"""Hosts, addresses and the headers of an HTTP answer. Pure."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

ANSWER_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer of a server of ours that shows no page; one that does names its own Content-Security-Policy."""


def without_login(value: str) -> str:
    """An address without its user and password; any other text as it is."""
    scheme, mark, rest = value.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{mark}***@{place.rpartition('@')[2]}{slash}{path}" if mark and "@" in place else value


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's loopback, and nothing wider."""
    return host.lower() == "localhost" or is_loopback_address(host.strip("[]"))


def is_loopback_address(text: str) -> bool:
    """Whether a text is an address of this machine's loopback, also as IPv4 in IPv6; a name is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return bool((getattr(address, "ipv4_mapped", None) or address).is_loopback)


def is_loopback_url(url: str) -> bool:
    """Whether an address can only be this machine's."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
