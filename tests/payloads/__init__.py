"""Posts as Twilio and SendGrid make them: files as captured (+1555 numbers, example.com), and builders for variants."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

HERE: Final = Path(__file__).parent
BOUNDARY: Final = "xYzZY"
MULTIPART: Final = f"multipart/form-data; boundary={BOUNDARY}"
FORM: Final = "application/x-www-form-urlencoded"
ACCOUNT: Final = "AC00000000000000000000000000000000"
USER_PHONE: Final = "+15551234567"
BOSS_PHONE: Final = "+15559876543"

Fields = dict[str, str | bytes | tuple[str, bytes]]


def payload(name: str) -> bytes:
    """A captured post; line ends of multipart files are CRLF, as they came."""
    return (HERE / name).read_bytes()


def hostile_answers() -> dict[str, str]:
    """What a model answers that obeys who wants to be told of what is read: the Markdown, by what it tries."""
    found: dict[str, str] = tomllib.loads((HERE / "hostile_answers.toml").read_text("utf-8"))["answers"]
    return found


def sms_fields(**changes: str | None) -> dict[str, str]:
    """The fields of a plain text; a change to None leaves the field out."""
    fields: dict[str, str | None] = {
        "ToCountry": "US",
        "ToState": "",
        "SmsMessageSid": "SM" + "a" * 32,
        "NumMedia": "0",
        "FromZip": "",
        "SmsStatus": "received",
        "Body": "Hello",
        "To": BOSS_PHONE,
        "NumSegments": "1",
        "MessageSid": "SM" + "a" * 32,
        "AccountSid": ACCOUNT,
        "From": USER_PHONE,
        "ApiVersion": "2010-04-01",
    }
    fields |= changes
    return {name: value for name, value in fields.items() if value is not None}


def sid(word: object) -> str:
    """An id as Twilio makes them, the same for the same word."""
    return "SM" + hashlib.sha256(str(word).encode()).hexdigest()[:32]


def form_body(fields: dict[str, str]) -> bytes:
    """The fields as a form."""
    return urlencode(fields).encode()


def mail_fields(**changes: str | bytes | tuple[str, bytes] | None) -> Fields:
    """The fields of a plain mail from the local user to the local Boss; `_` in names stands for `-` in none of them."""
    fields: dict[str, str | bytes | tuple[str, bytes] | None] = {
        "headers": (
            "Received: by mx.example.net with ESMTP id 1; Sun, 22 Nov 2026 10:00:00 +0000 (UTC)\n"
            "From: Example User <user@example.com>\nTo: boss@example.com\nSubject: Lunch\n"
            "Date: Sun, 22 Nov 2026 10:00:00 +0000\nMessage-ID: <first@example.com>\n"
            'Content-Type: text/plain; charset="utf-8"\n'
        ),
        "dkim": "{@example.com : pass}",
        "to": "boss@example.com",
        "from": "Example User <user@example.com>",
        "text": "Where shall we eat?\n",
        "sender_ip": "192.0.2.7",
        "envelope": json.dumps({"to": ["boss@example.com"], "from": "user@example.com"}),
        "attachments": "0",
        "subject": "Lunch",
        "charsets": json.dumps({"to": "UTF-8", "from": "UTF-8", "subject": "UTF-8", "text": "utf-8"}),
        "SPF": "pass",
    }
    fields |= changes
    return {name: value for name, value in fields.items() if value is not None}


def multipart_body(fields: Fields) -> bytes:
    """The fields as SendGrid posts them; a pair is a file's name and its content."""
    parts = [f"--{BOUNDARY}\r\n".encode() + _part(name, value) + b"\r\n" for name, value in fields.items()]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def _part(name: str, value: str | bytes | tuple[str, bytes]) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"'
    if isinstance(value, tuple):
        return f'{head}; filename="{value[0]}"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode() + value[1]
    return head.encode() + b"\r\n\r\n" + (value.encode() if isinstance(value, str) else value)
