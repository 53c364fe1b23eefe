"""Text, Markdown, CSV and JSON: as they are, in whatever charset they came."""

from __future__ import annotations

from typing import Final

from shared.model.text import clean, decode
from supervisor_worker.media.readers.charsets import likely_charset
from supervisor_worker.media.readers.extract import MAX_TEXT_BYTES, BoundedText
from supervisor_worker.media.readers.kinds import utf_16

_READ: Final = 4 * MAX_TEXT_BYTES
"""Bytes of a file that are looked at: more than fill the text in any encoding."""


def read(content: bytes, charset: str, text: BoundedText) -> None:
    """Add the text."""
    text.add(clean(decoded(content[:_READ], charset)).lstrip("\n"))
    text.cut = len(content) > _READ


def decoded(content: bytes, charset: str = "") -> str:
    """Bytes as text: as UTF-16 or UTF-8 if that is what they look like, else as declared, or as is likely."""
    form = utf_16(content)
    if form:
        return content.decode(form, "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return decode(content, charset or likely_charset(content))
