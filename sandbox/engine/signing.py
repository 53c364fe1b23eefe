"""Signs webhooks as the providers do. The product has its own verifier; neither imports the other."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

if TYPE_CHECKING:
    from collections.abc import Mapping

SENDGRID_SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
SENDGRID_TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"


def twilio_signature(auth_token: str, url: str, params: Mapping[str, str]) -> str:
    """Sign a form POST as Twilio does: the URL, then each name and value in the names' order."""
    signed = url + "".join(name + params[name] for name in sorted(params))
    # Twilio signs with SHA-1: https://www.twilio.com/docs/usage/security
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


class SendGridSigner:
    """Signs inbound mail and events with a P-256 key, as a SendGrid security policy does."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """`load` reads a key."""
        self._key = key

    @classmethod
    @functools.cache
    def load(cls, source: str) -> SendGridSigner:
        """Read a PEM private key, given inline (newlines may be written as backslash n) or as a path.

        Raises OSError or ValueError for what cannot be read, TypeError for a key of another kind.
        """
        pem = source.replace("\\n", "\n") if "-----BEGIN" in source else Path(source).read_text("ascii")
        key = load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            message = "SANDBOX_SENDGRID_PRIVATE_KEY is not an elliptic curve key"
            raise TypeError(message)
        return cls(key)

    @classmethod
    def generate(cls) -> SendGridSigner:
        """A signer with a new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_key(self) -> str:
        """The key that verifies, as SendGrid shows it: base64 of DER."""
        return base64.b64encode(self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()

    def headers(self, body: bytes, *, spoil: bool = False) -> dict[str, str]:
        """Return the two headers for a body. With `spoil` the signature is well formed, and another body's."""
        timestamp = str(int(time.time()))
        signed = timestamp.encode() + body + (b"?" if spoil else b"")
        signature = self._key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return {SENDGRID_SIGNATURE: base64.b64encode(signature).decode(), SENDGRID_TIMESTAMP: timestamp}


@dataclass(slots=True)
class Signers:
    """The signers of security policies and event webhooks, by their ids; one is made when it is first asked for."""

    configured: str = ""
    """A private key, as `SendGridSigner.load` takes it, for the ids in `own`."""
    own: frozenset[str] = frozenset()
    _made: dict[str, SendGridSigner] = field(default_factory=dict)

    def of(self, identity: str) -> SendGridSigner:
        """The signer of an id."""
        if self.configured and identity in self.own:
            return SendGridSigner.load(self.configured)
        return self._made.setdefault(identity, SendGridSigner.generate())
