"""Reads the credentials of a request and compares them. The callers check only those that are configured."""

from __future__ import annotations

import base64
import binascii
import hmac


def same(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def basic(header: str | None) -> tuple[str, str]:
    """Return user and password of a Basic authorization header, empty when there is none."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def bearer(header: str | None) -> str:
    """Return the token of a Bearer authorization header, empty when there is none."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
