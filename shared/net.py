"""Hosts and addresses as the settings hold them. Pure."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def without_login(value: str) -> str:
    """An address without its user and password; any other text as it is."""
    scheme, mark, rest = value.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{mark}***@{place.rpartition('@')[2]}{slash}{path}" if mark and "@" in place else value


def is_loopback(host: str) -> bool:
    """Whether a host to bind is this machine's loopback, and nothing wider."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_loopback_url(url: str) -> bool:
    """Whether an address can only be this machine's."""
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
