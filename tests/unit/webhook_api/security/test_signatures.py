"""The signatures, held against the providers' own SDKs, and against a thousand wrong bytes."""
# ruff: noqa: S311 - the mutations are to be the same in every run

from __future__ import annotations

import base64
import hmac
import random
from io import BytesIO
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Request
from sendgrid.helpers.eventwebhook import EventWebhook
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from shared.config.loading import load_settings
from shared.errors import ConfigurationError
from tests.payloads import FORM, form_body, payload, sms_fields
from webhook_api.security import signatures
from webhook_api.security.authentication import Refusal, WebhookAuthenticator
from webhook_api.sms import routes
from webhook_api.sms.parsing import read_form

TOKEN = "auth token of the tests"
URL = "https://boss.example.com/sms/inbound"
KEY = ec.generate_private_key(ec.SECP256R1())
AUTHENTICATOR = WebhookAuthenticator.of(
    load_settings(_env_file=None, sandbox="on", public_url="https://boss.example.com", twilio_auth_token=TOKEN)
)
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def mail_signed(key: ec.EllipticCurvePublicKey, timestamp: str, body: bytes, signature: str) -> bool:
    """Our check, of a body that comes in two pieces."""
    said = signatures.sendgrid_hash(timestamp)
    for piece in (body[:1000], body[1000:]):
        said.update(piece)
    return signatures.sendgrid_signed(key, said, signature)


def sign_mail(timestamp: str, body: bytes) -> str:
    return base64.b64encode(KEY.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://boss.example.com:443/sms/inbound",
        "https://boss.example.com:8443/sms/inbound",
        "http://127.0.0.1:8787/sms/inbound",
        "http://[::1]:8787/sms/inbound",
        f"{URL}?reply=r-1&attempt=a%2F1&x=%c3%a9+b",
        "https://boss.example.com",
    ],
)
@pytest.mark.parametrize("body", [payload("sms_plain.form"), payload("sms_mms.form"), b"b=2&a=&b=1&b=2&B=0&=x"])
def test_our_signature_is_the_one_of_twilios_sdk(url: str, body: bytes) -> None:
    """Whatever the SDK signs we accept, and whatever we sign it accepts."""
    sdk, form = RequestValidator(TOKEN), read_form(body)
    theirs = MultiDict(parse_qsl(body.decode(), keep_blank_values=True))
    assert signatures.twilio_signature(TOKEN, url, form) == sdk.compute_signature(url, theirs)
    assert signatures.twilio_signed(TOKEN, url, form, sdk.compute_signature(url, theirs))
    assert sdk.validate(url, theirs, signatures.twilio_signature(TOKEN, url, form))


@pytest.mark.parametrize(
    ("ours", "signed", "fits"),
    [
        ("https://h.example/p", "https://h.example:443/p", True),
        ("https://h.example:443/p", "https://h.example/p", True),
        ("http://h.example:80/p?a=1", "http://h.example/p?a=1", True),
        ("https://h.example/p", "http://h.example/p", False),
        ("https://h.example/p", "https://h.example:8443/p", False),
        ("https://h.example/p", "https://h.example/p?", False),
    ],
)
def test_a_signature_fits_with_and_without_the_port_and_for_no_other_scheme(ours: str, signed: str, fits: bool) -> None:
    """Twilio leaves the port out or names it; the scheme is the configured one."""
    form = read_form(b"Body=x")
    assert signatures.twilio_signed(TOKEN, ours, form, signatures.twilio_signature(TOKEN, signed, form)) is fits
    assert RequestValidator(TOKEN).validate(ours, {"Body": "x"}, signatures.twilio_signature(TOKEN, signed, form)) is fits


def test_no_changed_byte_of_url_body_or_signature_passes() -> None:
    """A thousand mutations of what Twilio signs, none accepted."""
    body, chance = form_body(sms_fields(Body="Hi there")), random.Random(1)
    right = signatures.twilio_signature(TOKEN, URL, read_form(body))
    assert signatures.twilio_signed(TOKEN, URL, read_form(body), right)
    for number in range(1000):
        parts = [URL.encode(), body, right.encode()]
        which = number % 3
        original = parts[which]
        place, bit = chance.randrange(len(original)), 1 << chance.randrange(7)
        parts[which] = original[:place] + bytes([original[place] ^ bit]) + original[place + 1 :]
        changed = read_form(parts[1])
        if which == 1 and changed == read_form(body):
            continue  # another spelling of the same form: %2b and %2B
        assert not signatures.twilio_signed(TOKEN, parts[0].decode(), changed, parts[2].decode("latin-1")), parts


def called(query: bytes, body: bytes, signature: bytes) -> Request:
    """A request as the server hands it over."""
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/sms/status", "QUERY_STRING": query.decode("latin-1"),
        "CONTENT_TYPE": FORM, "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body), "wsgi.input_terminated": True,
        "HTTP_X_TWILIO_SIGNATURE": signature.decode("latin-1"), "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1",
    }  # fmt: skip
    return Request(environ)


@pytest.mark.many_inputs
def test_no_changed_byte_of_a_request_passes_the_gate() -> None:
    """The same through all that a request meets, from this very machine in sandbox mode: a wrong signature is no missing one."""
    query, body, chance = b"reply=r-1&attempt=a%2D1", payload("sms_plain.form"), random.Random(3)
    right = signatures.twilio_signature(TOKEN, f"https://boss.example.com/sms/status?{query.decode()}", read_form(body)).encode()
    assert routes._verified_form(AUTHENTICATOR, called(query, body, right)) == (read_form(body), True)
    refused = 0
    for number in range(1000):
        parts = [query, body, right]
        original = parts[number % 3]
        place, bit = chance.randrange(len(original)), 1 << chance.randrange(8)
        parts[number % 3] = original[:place] + bytes([original[place] ^ bit]) + original[place + 1 :]
        if number % 3 == 1 and read_form(parts[1]) == read_form(body):
            continue  # another spelling of the same form
        with pytest.raises(Refusal) as caught:
            routes._verified_form(AUTHENTICATOR, called(parts[0], parts[1], parts[2]))
        assert (caught.value.code, caught.value.status) == ("bad_signature", 403)
        refused += 1
    assert refused > 900


@pytest.mark.parametrize("signature", [b"", b" ", b"\xff", b"x" * 5000])
def test_a_signature_of_nothing_is_a_wrong_one(signature: bytes) -> None:
    """The header is there: whoever sends it does not come as a local call without one."""
    with pytest.raises(Refusal, match="bad_signature"):
        routes._verified_form(AUTHENTICATOR, called(b"", payload("sms_plain.form"), signature))


def test_a_body_in_chunks_is_read_to_its_end_whatever_length_is_said() -> None:
    """Its length is the chunks' own; a part of it would be another text."""
    request = called(b"", b"Body=whole", b"x")
    request.environ |= {"CONTENT_LENGTH": "6", "HTTP_TRANSFER_ENCODING": "chunked"}
    assert routes._body(request) == b"Body=whole"


def test_both_forms_of_the_url_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer's time tells how much of a signature was right."""
    compared: list[tuple[bytes, bytes]] = []

    def unequal(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr(hmac, "compare_digest", unequal)
    assert not signatures.twilio_signed(TOKEN, URL, {}, "guess")
    with_port = "https://boss.example.com:443/sms/inbound"
    assert compared == [(signatures.twilio_signature(TOKEN, each, {}).encode(), b"guess") for each in (URL, with_port)]


def test_a_form_that_is_not_utf8_is_signed_by_its_bytes() -> None:
    """Two different wrong bytes are two different forms."""
    assert signatures.twilio_signature(TOKEN, URL, read_form(b"Body=%ff")) != signatures.twilio_signature(
        TOKEN, URL, read_form(b"Body=%fe")
    )


def test_our_check_of_a_mail_is_the_one_of_sendgrids_sdk() -> None:
    """The same key, timestamp and body pass both."""
    body, timestamp = payload("events.json"), "1795000000"
    signature = sign_mail(timestamp, body)
    helper = EventWebhook()
    assert helper.verify_signature(body.decode(), signature, timestamp, helper.convert_public_key_to_ecdsa(PUBLIC))
    assert mail_signed(signatures.load_public_key("K", PUBLIC), timestamp, body, signature)


@pytest.mark.many_inputs
def test_no_changed_byte_of_a_signed_mail_passes() -> None:
    """A thousand mutations of timestamp, body and signature, none accepted."""
    key, chance = signatures.load_public_key("K", PUBLIC), random.Random(2)
    parts = [b"1795000000", payload("mail_parsed.multipart"), b""]
    parts[2] = sign_mail(parts[0].decode(), parts[1]).encode()
    assert mail_signed(key, parts[0].decode(), parts[1], parts[2].decode())
    for number in range(1000):
        changed = list(parts)
        original = parts[number % 3]
        place, bit = chance.randrange(len(original)), 1 << chance.randrange(7)
        changed[number % 3] = original[:place] + bytes([original[place] ^ bit]) + original[place + 1 :]
        assert not mail_signed(key, changed[0].decode("latin-1"), changed[1], changed[2].decode("latin-1")), number


def test_a_signature_has_one_spelling_only() -> None:
    """The last digit of base64 has spare bits: another one that means the same bytes is refused."""
    key, digits = signatures.load_public_key("K", PUBLIC), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    padded = (sign_mail("1", b"x") for _ in range(200))
    right = next(signature for signature in padded if signature.endswith("="))
    last = right.rstrip("=")[-1]
    other = right.rstrip("=")[:-1] + digits[digits.index(last) + 1] + "=" * right.count("=")
    assert base64.b64decode(other) == base64.b64decode(right)
    assert mail_signed(key, "1", b"x", right)
    assert not mail_signed(key, "1", b"x", other)


@pytest.mark.parametrize("signature", ["", "x", "é", "AAAA", "====", "MEUCIQ" * 20, "\x00"])
def test_a_signature_that_is_none_is_refused_without_an_error(signature: str) -> None:
    """Nonsense is false, never an exception."""
    assert not mail_signed(signatures.load_public_key("K", PUBLIC), "1", b"x", signature)
    assert not signatures.twilio_signed(TOKEN, URL, {}, signature)


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(b"no key").decode()])
def test_a_public_key_that_is_none_is_named_at_the_start(text: str) -> None:
    """The setting is named, the value is not shown."""
    with pytest.raises(ConfigurationError, match="SENDGRID_INBOUND_PUBLIC_KEY: is not"):
        signatures.load_public_key("SENDGRID_INBOUND_PUBLIC_KEY", text)


@pytest.mark.parametrize(
    ("environ", "tail"),
    [
        ({"PATH_INFO": "/sms/status", "QUERY_STRING": "a=%2f+b&c=%C3%A9"}, "/sms/status?a=%2f+b&c=%C3%A9"),
        ({"PATH_INFO": "/sms/status", "QUERY_STRING": "x=1", "RAW_URI": "/sms/status?x=1&"}, "/sms/status?x=1&"),
        ({"PATH_INFO": "/sms/status", "QUERY_STRING": "", "REQUEST_URI": "/sms/status?"}, "/sms/status?"),
        ({"PATH_INFO": "/sms/status", "QUERY_STRING": "", "RAW_URI": "http://evil.example/sms/status"}, "/sms/status"),
    ],
)
def test_the_signed_url_is_our_own_with_path_and_query_as_they_came(environ: dict[str, str], tail: str) -> None:
    """Host and scheme are never the caller's, the query is never written anew."""
    environ = {**environ, "HTTP_HOST": "evil.example", "wsgi.url_scheme": "http", "HTTP_X_FORWARDED_PROTO": "http"}
    assert signatures.requested_url("https://boss.example.com", environ) == "https://boss.example.com" + tail
