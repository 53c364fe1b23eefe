"""Which pictures and documents the Messages API rejects."""

from __future__ import annotations

import base64
from typing import Final

PICTURE_PREFIXES: Final = {"image/png": "iVBORw0KGgo", "image/jpeg": "/9j/", "image/gif": "R0lGOD", "image/webp": "UklGR"}
"""How a file of each type begins, in base64."""
MAX_PICTURE: Final = 5 * 1024 * 1024
"""Characters of base64."""
PDF_PREFIX: Final = "JVBERi0"


def problem_of_document(source: object, place: str) -> str | None:
    """A document must be a PDF that begins as one and has no password."""
    if not isinstance(source, dict) or source.get("type") != "base64":
        return f"{place}.type: Input should be 'base64'"
    if source.get("media_type") != "application/pdf":
        return f"{place}.base64.media_type: Input should be 'application/pdf'"
    data = str(source.get("data", ""))
    if not data:
        return f"{place}.base64.data: PDF cannot be empty"
    try:
        content = base64.b64decode(data, validate=True)
    except ValueError:
        return f"{place}.base64.data: Invalid base64 data"
    if not data.startswith(PDF_PREFIX):
        return "The PDF specified was not valid."
    return "The PDF specified is password protected." if b"/Encrypt" in content else None


def problem_of_picture(source: object, place: str) -> str | None:
    """A picture must be of a known type, not too large, and begin as a file of its type does."""
    if not isinstance(source, dict) or source.get("type") != "base64":
        return f"{place}.type: Input should be 'base64'"
    beginning, data = PICTURE_PREFIXES.get(str(source.get("media_type"))), str(source.get("data", ""))
    if beginning is None:
        return f"{place}.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
    if not data:
        return f"{place}.base64: image cannot be empty"
    if len(data) > MAX_PICTURE:
        return f"{place}.base64: image exceeds 5 MB maximum: {len(data)} bytes > {MAX_PICTURE} bytes"
    return None if data.startswith(beginning) else "Could not process image"
