"""What a file of a text is, in our own words: its sender chooses what its type says, so no word of the type reaches the model. Pure."""

from __future__ import annotations

from typing import Final

PICTURE_FORMATS: Final = {
    "image/heic": "HEIC",
    "image/heif": "HEIF",
    "image/heic-sequence": "HEIC",
    "image/heif-sequence": "HEIF",
    "image/avif": "AVIF",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/x-ms-bmp": "BMP",
    "image/svg+xml": "SVG",
    "image/x-icon": "ICO",
    "image/vnd.microsoft.icon": "ICO",
    "image/jp2": "JPEG 2000",
}
"""Formats of pictures that no model takes as they are."""
_KINDS: Final = {
    "text/vcard": "a contact card",
    "text/x-vcard": "a contact card",
    "text/directory": "a contact card",
    "text/calendar": "a calendar entry",
    "text/x-vcalendar": "a calendar entry",
    "text/html": "a web page",
    "text/csv": "a table (CSV)",
    "application/pdf": "a PDF",
    "application/zip": "an archive (ZIP)",
    "application/json": "a text file (JSON)",
    "application/smil": "a slide show of the message itself",
    "application/ogg": "voice or sound",
    "application/msword": "a Word document",
    "application/rtf": "a document (RTF)",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "a Word document",
    "application/vnd.ms-excel": "an Excel table",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "an Excel table",
    "application/vnd.ms-powerpoint": "a PowerPoint document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "a PowerPoint document",
    "application/vnd.apple.pkpass": "a pass for a wallet",
    "application/epub+zip": "a book (EPUB)",
}
_FAMILIES: Final = {"audio": "voice or sound", "video": "a video", "text": "a text file", "font": "a font"}


def kind_of(content_type: str) -> str:
    """The kind of a file that is no picture, such as `a contact card`; `a file of another kind` for all that is not known."""
    return _KINDS.get(content_type) or _FAMILIES.get(content_type.partition("/")[0], "a file of another kind")


def picture_format(content_type: str) -> str:
    """The name of a format that cannot be shown; '' for one that can, and for what says nothing."""
    return PICTURE_FORMATS.get(content_type, "")
