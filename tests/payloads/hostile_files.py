"""Files made to take memory or time from whoever reads them; each is small, and made here in a moment.

`full` is their size as found in the wild; else those whose making or reading takes seconds are a tenth of it.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Final

from supervisor_worker.media.readers import kinds
from supervisor_worker.media.readers.extract import Fault
from tests.payloads import files, pictures

MEGABYTE: Final = 1_000_000
HALF_A_GIGABYTE: Final = 500
Made = tuple[bytes, str, str, frozenset[Fault]]
"""A file, its name, its kind, and what may be said of it; '' where it may be read."""


def deflated(piece: bytes, times: int, *, head: bytes = b"", tail: bytes = b"") -> bytes:
    """A raw deflate stream of a piece so many times, without ever holding what it unpacks to."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * times + packer.compress(tail) + packer.flush()


def pdf_bomb(megabytes: int) -> bytes:
    """A page whose content unpacks to so many megabytes."""
    stream = b"\x78\xda" + deflated(b"BT /F1 9 Tf (x) Tj ET\n" * (MEGABYTE // 22), megabytes)
    return files.pdf_of([b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream)])


def zip_with(name: str, packed: bytes, size: int) -> bytes:
    """An archive with one entry of a deflate stream, which is said to unpack to `size` bytes."""
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), size, len(name), 0) + name.encode() + packed
    central = (
        struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(packed), size, len(name), 0, 0, 0, 0, 0, 0) + name.encode()
    )
    return local + central + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0)


def word_bomb(megabytes: int, *, said: int | None = None) -> bytes:
    """A Word document of one paragraph of so many megabytes; `said` is what it declares."""
    head = f'<w:document xmlns:w="{files.WORD_SPACE}"><w:body><w:p><w:r><w:t>'.encode()
    packed = deflated(b" " * MEGABYTE, megabytes, head=head, tail=b"</w:t></w:r></w:p></w:body></w:document>")
    return zip_with("word/document.xml", packed, len(head) + megabytes * MEGABYTE + 40 if said is None else said)


def entity_bomb() -> bytes:
    """A thousand million laughs."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return files.word_of("<w:p><w:r><w:t>&l9;</w:t></w:r></w:p>", f'<!DOCTYPE x [<!ENTITY l0 "ha">{entities}]>')


def many_rows(rows: int) -> bytes:
    """A spreadsheet of many rows and strings."""
    xml = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>{n - 1}</v></c><c r="B{n}"><v>{n}</v></c></row>' for n in range(1, rows))
    return files.sheet_of(xml, (f"text {n * 104_729 % 99_991}" for n in range(rows)))


def nested_mail(depth: int) -> bytes:
    """Mails within mails."""
    return b"From: a@example.com\r\nSubject: x\r\nContent-Type: message/rfc822\r\n\r\n" * depth + b"Subject: y\r\n\r\nHi"


def nested_parts(depth: int) -> bytes:
    """Parts within parts."""
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return b"From: a@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n" + opened + b"\r\nHi"


def claims_size(photo: bytes, width: int, height: int) -> bytes:
    """A HEIC or AVIF that says in its header that it is larger than it is."""
    at = photo.index(b"ispe") + 8
    return photo[:at] + struct.pack(">II", width, height) + photo[at + 8 :]


def nested_archive(depth: int) -> bytes:
    """Archives within archives, each by the name of what is read in it."""
    content = b"x"
    for _ in range(depth):
        content = files.archive({"word/document.xml": content}, zipfile.ZIP_STORED)
    return content


def made(name: str, *, full: bool) -> Made:
    """The file of that name (see `NAMES`)."""
    return _FILES[name](10 if full else 1)


def _text(*faults: Fault) -> frozenset[Fault]:
    return frozenset[Fault](faults or ("",))


_KILLED: Final = frozenset[Fault]({"damaged", "too_large", "too_slow"})
_REFUSED: Final = frozenset[Fault]({"too_large", "damaged"})
_FILES: Final[dict[str, Callable[[int], Made]]] = {
    "PDF, 0.5 MB that unpack to 500 MB": lambda _: (
        pdf_bomb(HALF_A_GIGABYTE),
        "a.pdf",
        kinds.PDF,
        _KILLED,
    ),
    "PDF, 300,000 operators": lambda n: (files.pdf([b"BT /F1 9 Tf (x) Tj ET\n" * 30_000 * n]), "a.pdf", kinds.PDF, _text()),
    "PDF, 20,000 pages": lambda n: (files.pdf([b"q Q"] * 2_000 * n), "a.pdf", kinds.PDF, _text()),
    "DOCX, 0.5 MB that unpack to 500 MB": lambda _: (word_bomb(HALF_A_GIGABYTE), "a.docx", kinds.WORD, _text("too_large")),
    "DOCX, 500,000 paragraphs": lambda n: (files.word([str(i * 7919) for i in range(50_000 * n)]), "a.docx", kinds.WORD, _text()),
    "DOCX, entity bomb": lambda _: (entity_bomb(), "a.docx", kinds.WORD, _text("damaged")),
    "DOCX, sizes that lie": lambda _: (word_bomb(HALF_A_GIGABYTE, said=900), "a.docx", kinds.WORD, _text("damaged")),
    "DOCX, 300,000 elements deep": lambda n: (files.word_of("<a>" * 30_000 * n), "a.docx", kinds.WORD, _text("damaged")),
    "XLSX, 600,000 rows": lambda n: (many_rows(60_000 * n), "a.xlsx", kinds.SPREADSHEET, _text()),
    "XLSX, a cell at XFD1048576": lambda _: (
        files.sheet_of('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'),
        "a.xlsx",
        kinds.SPREADSHEET,
        _text(),
    ),
    "archive within archive": lambda _: (nested_archive(100), "a.zip", kinds.WORD, _text("damaged", "too_large")),
    "calendar, 20,000 events": lambda _: (b"BEGIN:VCALENDAR\n" + files.CALENDAR[18:] * 10_000, "a.ics", kinds.CALENDAR, _text()),
    "calendar, a line of 5 MB": lambda _: (
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:" + b"x" * 5 * MEGABYTE + b"\nEND:VEVENT\n",
        "a.ics",
        kinds.CALENDAR,
        _text(),
    ),
    "contact card, 1.2 MB of folds": lambda _: (
        b"BEGIN:VCARD\nFN:A" + b"\n x" * 400_000 + b"\nEND:VCARD",
        "a.vcf",
        kinds.CONTACT,
        _text(),
    ),
    "HEIC, 121 megapixels": lambda _: (
        claims_size(files.photo("HEIF"), 11_000, 11_000),
        "a.heic",
        kinds.PICTURE,
        _REFUSED,
    ),
    "PNG, 3.6 gigapixels": lambda _: (pictures.png(60_000, 60_000), "a.png", kinds.PICTURE, _REFUSED),
    "PNG, 361 megapixels in 44 kB": lambda _: (pictures.bomb(), "a.png", kinds.PICTURE, _text("too_large")),
    "CSV, a field of 9 MB": lambda _: (b'a,"' + b"x" * 9 * MEGABYTE + b'"\n', "a.csv", kinds.CSV, _text()),
    "mail, 3,000 within each other": lambda _: (nested_mail(3_000), "a.eml", kinds.MAIL, _text("damaged")),
    "mail, 2,000 parts within each other": lambda _: (nested_parts(2_000), "a.eml", kinds.MAIL, _text("damaged")),
    "winmail.dat, cut off": lambda _: (b"\x78\x9f\x3e\x22\x01\x00\x01\x06", "winmail.dat", kinds.WINMAIL, _text("unknown")),
    "recording, frames of a byte each": lambda n: (b"#!AMR\n" + b"\x7c" * 3 * MEGABYTE * n, "a.amr", kinds.VOICE, _text()),
    "web page, 200,000 elements deep": lambda n: (b"<html>" + b"<div>" * 20_000 * n + b"Hi", "a.html", kinds.WEB_PAGE, _text()),
}
NAMES: Final = tuple(_FILES)
