"""Webhooks are signed as the providers' own validators expect."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twilio.request_validator import RequestValidator

from sandbox.engine.signing import SENDGRID_SIGNATURE, SENDGRID_TIMESTAMP, SendGridSigner, twilio_signature


@pytest.mark.parametrize("url", ["https://h/sms", "https://h/sms?a=1&b=%20x", "http://127.0.0.1:8787/sms/inbound"])
def test_twilio_signatures_satisfy_twilios_own_validator(url: str) -> None:
    """Empty values, other alphabets and capital names included."""
    params = {"Body": "Grüße +1 & 🎉", "ToCity": "", "From": "+15551234567", "body": "x", "NumMedia": "0"}
    assert RequestValidator("token").validate(url, params, twilio_signature("token", url, params))
    assert not RequestValidator("other").validate(url, params, twilio_signature("token", url, params))


def test_sendgrid_signatures_verify_over_timestamp_and_body() -> None:
    """A spoilt one is well formed and wrong."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    signer = SendGridSigner.load(pem.replace("\n", "\\n"))
    for spoil in (False, True):
        headers = signer.headers(b"body", spoil=spoil)
        signature = base64.b64decode(headers[SENDGRID_SIGNATURE])
        signed = headers[SENDGRID_TIMESTAMP].encode() + b"body" + (b"?" if spoil else b"")
        key.public_key().verify(signature, signed, ec.ECDSA(hashes.SHA256()))
