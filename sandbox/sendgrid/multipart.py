"""Writes multipart/form-data as SendGrid does: fields have no content type, and each has the charset of the mail."""

from __future__ import annotations

import secrets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPart:
    """One field or file."""

    name: str
    value: bytes
    filename: str | None = None
    content_type: str | None = None

    def encode(self) -> bytes:
        """Return the part's headers and body."""
        head = f'Content-Disposition: form-data; name="{_quoted(self.name)}"'
        if self.filename is not None:
            head += f'; filename="{_quoted(self.filename)}"'
        if self.content_type is not None:
            head += f"\r\nContent-Type: {self.content_type}"
        return head.encode() + b"\r\n\r\n" + self.value + b"\r\n"


def encode(parts: list[FormPart]) -> tuple[bytes, str]:
    """Return a body and its content type."""
    boundary = "xYzZY" + secrets.token_hex(8)
    mark = b"--" + boundary.encode()
    body = b"".join(mark + b"\r\n" + part.encode() for part in parts)
    return body + mark + b"--\r\n", f"multipart/form-data; boundary={boundary}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
