"""What a file is, in plain words: by its content first, then by the type it claims, then by its name. Pure.

A wrong answer is harmless: the reader that is chosen finds nothing it can read, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from supervisor_worker.media.readers.extract import Fault

PDF: Final = "PDF document"
WORD: Final = "Word document"
SPREADSHEET: Final = "spreadsheet"
PRESENTATION: Final = "presentation"
OPEN_DOCUMENT: Final = "OpenDocument file"
OLD_OFFICE: Final = "old Office or Outlook file"
LOCKED_OFFICE: Final = "Office file with a password"
CALENDAR: Final = "calendar file"
CONTACT: Final = "contact card"
MAIL: Final = "e-mail"
PICTURE: Final = "picture"
WINMAIL: Final = "Outlook attachment container (winmail.dat)"
ENCRYPTED_MAIL: Final = "encrypted mail (S/MIME)"
SIGNED_MAIL: Final = "signed mail (S/MIME)"
PGP: Final = "encrypted mail (PGP)"
SIGNATURE: Final = "mail signature"
VOICE: Final = "voice recording"
VIDEO: Final = "video"
ARCHIVE: Final = "archive"
PROGRAM: Final = "program"
RICH_TEXT: Final = "RTF document"
WEB_PAGE: Final = "web page"
TEXT: Final = "text file"
CSV: Final = "CSV table"
JSON: Final = "JSON file"
MARKDOWN: Final = "Markdown file"
UNKNOWN: Final = "unknown file"
KINDS: Final = frozenset(
    {PDF, WORD, SPREADSHEET, PRESENTATION, OPEN_DOCUMENT, OLD_OFFICE, LOCKED_OFFICE, CALENDAR, CONTACT, MAIL, PICTURE, WINMAIL}
    | {ENCRYPTED_MAIL, SIGNED_MAIL, PGP, SIGNATURE, VOICE, VIDEO, ARCHIVE, PROGRAM, RICH_TEXT, WEB_PAGE, TEXT, CSV, JSON, MARKDOWN, UNKNOWN}
)

READERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        TEXT: "text_files",
        CSV: "text_files",
        JSON: "text_files",
        MARKDOWN: "text_files",
        CALENDAR: "calendars",
        CONTACT: "contacts",
        MAIL: "mails",
        WEB_PAGE: "web_pages",
        WORD: "word",
        SPREADSHEET: "sheets",
        PDF: "pdfs",
        PICTURE: "pictures",
        VOICE: "sounds",
    }
)
"""The module that reads a kind."""
THREADED: Final = frozenset({PICTURE})
"""Kinds whose decoders start threads."""
FAULTS: Final[Mapping[str, Fault]] = MappingProxyType({LOCKED_OFFICE: "encrypted", ENCRYPTED_MAIL: "encrypted", PGP: "encrypted"})
"""Kinds that nobody but the person can open; all others without a reader are `unknown`."""

_HEAD: Final = 4_096
_SNIFFED: Final = 65_536
_BEGINNINGS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n\x1a\n", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"GIF87a", PICTURE),
    (b"GIF89a", PICTURE),
    (b"BM", ""),  # two letters prove nothing: the type or the name must say it too
    (b"II*\0", PICTURE),
    (b"MM\0*", PICTURE),
    (b"\x78\x9f\x3e\x22", WINMAIL),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLD_OFFICE),
    (b"\x1f\x8b", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"Rar!\x1a\x07", ARCHIVE),
    (b"BZh", ARCHIVE),
    (b"\xfd7zXZ\0", ARCHIVE),
    (b"OggS", VOICE),
    (b"#!AMR", VOICE),
    (b"ID3", VOICE),
    (b"fLaC", VOICE),
    (b"caff", VOICE),
    (b"\x1aE\xdf\xa3", VIDEO),
    (b"\x7fELF", PROGRAM),
    (b"MZ", ""),
    (b"{\\rtf", RICH_TEXT),
    (b"-----BEGIN PGP MESSAGE", PGP),
    (b"-----BEGIN PGP SIGNATURE", SIGNATURE),
)
_THREE_HEADERS: Final = (
    r"(?:(?:from|to|date|received|return-path|message-id|subject|delivered-to|mime-version|dkim-signature|x-[a-z-]+|reply-to"
    r"|content-type):[^\n]*\n(?:[ \t][^\n]*\n)*){3}"
)
_WORDS: Final[tuple[tuple[str, str], ...]] = (
    (r"begin:vcalendar", CALENDAR),
    (r"begin:vcard", CONTACT),
    (r"<!doctype html|<html[\s>]", WEB_PAGE),
    (_THREE_HEADERS, MAIL),
)
_BRANDS: Final = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}
_SOUND_BRANDS: Final = {b"M4A ", b"M4B ", b"3gp4", b"3gp5", b"3gp6", b"3ga "}
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/pdf": PDF,
        "text/calendar": CALENDAR,
        "text/x-vcalendar": CALENDAR,
        "text/vcard": CONTACT,
        "text/x-vcard": CONTACT,
        "text/directory": CONTACT,
        "text/csv": CSV,
        "text/html": WEB_PAGE,
        "text/markdown": MARKDOWN,
        "message/rfc822": MAIL,
        "application/json": JSON,
        "application/ogg": VOICE,
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": WORD,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": SPREADSHEET,
        "application/ms-tnef": WINMAIL,
        "application/vnd.ms-tnef": WINMAIL,
        "application/pkcs7-mime": ENCRYPTED_MAIL,
        "application/x-pkcs7-mime": ENCRYPTED_MAIL,
        "application/pkcs7-signature": SIGNATURE,
        "application/x-pkcs7-signature": SIGNATURE,
        "application/pgp-signature": SIGNATURE,
        "application/pgp-encrypted": PGP,
    }
)
_ENDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "txt": TEXT, "ics": CALENDAR, "ical": CALENDAR, "vcs": CALENDAR, "vcf": CONTACT, "vcard": CONTACT, "csv": CSV, "tsv": CSV,
        "json": JSON, "md": MARKDOWN, "markdown": MARKDOWN, "eml": MAIL, "htm": WEB_PAGE, "html": WEB_PAGE, "docx": WORD, "docm": WORD,
        "xlsx": SPREADSHEET, "xlsm": SPREADSHEET, "pptx": PRESENTATION, "p7m": ENCRYPTED_MAIL, "p7s": SIGNATURE, "doc": OLD_OFFICE,
        "xls": OLD_OFFICE, "ppt": OLD_OFFICE, "msg": OLD_OFFICE, "amr": VOICE, "mp3": VOICE, "m4a": VOICE, "wav": VOICE, "opus": VOICE,
        "mp4": VIDEO, "mov": VIDEO, "zip": ARCHIVE, "tar": ARCHIVE, "tgz": ARCHIVE, "exe": PROGRAM, "bmp": PICTURE, "pdf": PDF,
    }
)  # fmt: skip
_READ_AS_TEXT: Final = frozenset({CALENDAR, CONTACT, MAIL, WEB_PAGE, TEXT, CSV, JSON, MARKDOWN})
_CMS: Final = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
_CMS_SIGNED: Final = b"\x02"
_CONTROLS: Final = frozenset(range(32)) - {9, 10, 12, 13, 27}
_FEW_CONTROLS: Final = 0.02
_UTF_16_ZEROS: Final = 0.3


def kind_of(content: bytes, name: str, content_type: str) -> str:
    """The kind of a file. `content_type` is what it claims, without parameters; both may be anything."""
    claimed = claimed_kind(name, content_type)
    for recognise in (_by_beginning, _by_container, _by_words):
        found = recognise(content)
        if found:
            return VOICE if found == VIDEO and claimed == VOICE and b"vide" not in content else found
    if claimed in {VOICE, VIDEO}:
        return claimed
    if is_text(content[:_SNIFFED]):
        return claimed if claimed in _READ_AS_TEXT else TEXT
    return UNKNOWN if claimed in _READ_AS_TEXT else claimed


def claimed_kind(name: str, content_type: str) -> str:
    """What a file says it is, by its type or else its name: for one whose content nobody has looked at."""
    content_type = content_type.partition(";")[0].strip().lower()
    for family, kind in (("audio/", VOICE), ("video/", VIDEO), ("image/", PICTURE)):
        if content_type.startswith(family):
            return kind
    found = _TYPES.get(content_type) or _ENDINGS.get(name.rpartition(".")[2].strip().lower(), UNKNOWN)
    return TEXT if found == UNKNOWN and content_type.startswith("text/") else found


def is_text(content: bytes) -> bool:
    """Whether bytes look like text of any encoding: hardly a control character, or the zeros of UTF-16."""
    charset = utf_16(content)
    if charset:
        content = content.decode(charset, "ignore").encode("utf-8", "ignore")
    return sum(map(content.count, _CONTROLS)) <= len(content) * _FEW_CONTROLS and b"\0" not in content


def utf_16(content: bytes) -> str:
    """The form of UTF-16 that bytes are in, by their mark or because every other one is zero; '' for none."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for charset, high in (("utf-16-le", content[1::2]), ("utf-16-be", content[0::2])):
        if high.count(0) > len(content) * _UTF_16_ZEROS:
            return charset
    return ""


def _by_beginning(content: bytes) -> str:
    if b"%PDF-" in content[:1024]:
        return PDF
    return next((kind for beginning, kind in _BEGINNINGS if content.startswith(beginning)), "")


def _by_container(content: bytes) -> str:
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(content)
    if content[4:8] == b"ftyp":
        return _media_kind(content)
    if content.startswith(b"RIFF"):
        return {b"WEBP": PICTURE, b"WAVE": VOICE}.get(content[8:12], VIDEO)
    if content.startswith((b"0\x80", b"0\x82", b"0\x83")) and (at := content.find(_CMS, 0, 64)) >= 0:
        return SIGNED_MAIL if content[at + len(_CMS) :].startswith(_CMS_SIGNED) else ENCRYPTED_MAIL
    return ""


def _zip_kind(content: bytes) -> str:
    """By the names in the archive, which stand in it as they are; nothing is unpacked."""
    for inside, kind in ((b"word/document.xml", WORD), (b"xl/workbook.xml", SPREADSHEET), (b"ppt/presentation.xml", PRESENTATION)):
        if inside in content:
            return kind
    return OPEN_DOCUMENT if b"mimetypeapplication/vnd.oasis.opendocument" in content[:128] else ARCHIVE


def _media_kind(content: bytes) -> str:
    brands = {content[at : at + 4] for at in range(8, min(64, int.from_bytes(content[:4])), 4)}
    if brands & _BRANDS:
        return PICTURE
    sound = brands & _SOUND_BRANDS or b"soun" in content
    return VOICE if sound and b"vide" not in content else VIDEO


def _by_words(content: bytes) -> str:
    head = content[:_HEAD]
    marked = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16", "ignore") if marked else head.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip().lower()
    return next((kind for words, kind in _WORDS if re.match(words, text)), "")
