"""Verifies the providers' signatures: pure functions over strings and bytes.

Twilio's SDK is not imported: its `RequestValidator` costs ten times the HMAC (0.3 to 0.5 ms against 0.03) and the
import costs much more. The tests compare these functions with the SDKs' own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key

from shared.errors import ConfigurationError

_DEFAULT_PORTS: Final = {"https": "443", "http": "80"}

Form = Mapping[str, Sequence[str]]


def requested_url(base_url: str, environ: Mapping[str, Any]) -> str:
    """The URL that the provider called: our configured public address, then path and query exactly as received.

    Scheme and host are never taken from the request: behind a proxy they are wrong, and a caller may choose them. The query is not decoded
    and encoded again, which would change it. `base_url` has no slash at its end.
    """
    raw = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
    if raw.startswith("/"):
        return base_url + raw
    query = str(environ.get("QUERY_STRING") or "")
    return base_url + str(environ.get("PATH_INFO", "")) + (f"?{query}" if query else "")


def twilio_signature(auth_token: str, url: str, form: Form) -> str:
    """Twilio's signature: HMAC-SHA1 over the URL and each name with its values, names and values sorted, repeats dropped."""
    return _signature(auth_token, url, _fields(form)).decode()


def twilio_signed(auth_token: str, url: str, form: Form, signature: str) -> bool:
    """Whether `signature` is Twilio's for this request, with or without the port in its URL (Twilio does either)."""
    given = signature.encode("utf-8", "replace")
    scheme, _, rest = url.partition("://")
    host, slash, tail = rest.partition("/")
    signed = slash + tail + _fields(form)
    return any(hmac.compare_digest(_signature(auth_token, origin, signed), given) for origin in _origins(scheme, host))


def _fields(form: Form) -> str:
    """The form's part of the signed text."""
    pieces: list[str] = []
    for name in sorted(form):
        values = form[name]
        for value in values if len(values) == 1 else sorted(set(values)):
            pieces += (name, value)
    return "".join(pieces)


def _signature(auth_token: str, url: str, fields: str) -> bytes:
    state = _keyed(auth_token).copy()
    state.update((url + fields).encode("utf-8", "surrogateescape"))
    return base64.b64encode(state.digest())


@lru_cache(maxsize=4)
def _keyed(auth_token: str) -> hmac.HMAC:
    """The HMAC's state after the key, which takes half of a signature's time to compute; it is copied and never changed."""
    return hmac.new(auth_token.encode(), digestmod=hashlib.sha1)


@lru_cache(maxsize=16)
def _origins(scheme: str, host: str) -> tuple[str, str]:
    """Scheme and host of our address without the port and with it."""
    name, colon, port = host.rpartition(":")
    if not (colon and port.isdigit()):
        name, port = host, _DEFAULT_PORTS.get(scheme, "")
    return f"{scheme}://{name}", f"{scheme}://{name}:{port}"


def load_public_key(name: str, text: str) -> ec.EllipticCurvePublicKey:
    """A verification key as SendGrid shows it (base64 of DER). Raises ConfigurationError, which names the setting `name`."""
    try:
        key = load_der_public_key(base64.b64decode(text.strip(), validate=True))
    except (ValueError, binascii.Error):
        raise ConfigurationError(f"{name}: is not a public key in base64 DER") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ConfigurationError(f"{name}: is not an elliptic-curve key")
    return key


def sendgrid_hash(timestamp: str) -> hashes.Hash:
    """The hash that SendGrid signs, begun with the timestamp. The raw body is added in chunks: to join them would copy a 30 MB mail."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(timestamp.encode("utf-8", "replace"))
    return digest


def sendgrid_signed(key: ec.EllipticCurvePublicKey, digest: hashes.Hash, signature: str) -> bool:
    """Whether `signature` (base64 of DER) is SendGrid's over `digest`, which is finalized.

    The age is not checked: SendGrid retries for three days and does not document whether it signs again. Repetitions are recognised by the
    mail's own id.
    """
    try:
        raw = base64.b64decode(signature, validate=True)
        if base64.b64encode(raw).decode() != signature:  # base64's last digit has spare bits: only one encoding is accepted
            return False
        key.verify(raw, digest.finalize(), ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True
