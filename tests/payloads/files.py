"""Files as people send them, made here: PDFs, Office files, calendars, cards, mails and pictures of cameras."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

import pillow_heif
from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher
from PIL import Image

WORD_SPACE: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET_SPACE: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
CALENDAR: Final = b"""BEGIN:VCALENDAR\r
METHOD:REQUEST\r
BEGIN:VTIMEZONE\r
TZID:Europe/Berlin\r
BEGIN:STANDARD\r
DTSTART:19701025T030000\r
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r
END:STANDARD\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
SUMMARY:Dentist\\, Dr. Gr\xc3\r
 \xa4y\r
DTSTART;TZID=Europe/Berlin:20270504T100000\r
DTEND;TZID=Europe/Berlin:20270504T103000\r
RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=3\r
LOCATION:Hill Road 7\r
ORGANIZER;CN="Practice: Gray":mailto:desk@example.com\r
ATTENDEE;CN=Ada;PARTSTAT=ACCEPTED:mailto:ada@example.com\r
DESCRIPTION:Bring\\nthe card.\r
BEGIN:VALARM\r
DESCRIPTION:Reminder\r
END:VALARM\r
END:VEVENT\r
BEGIN:VEVENT\r
SUMMARY:Holiday\r
DTSTART;VALUE=DATE:20270801\r
DTEND;VALUE=DATE:20270815\r
END:VEVENT\r
END:VCALENDAR\r
"""
CARD: Final = (
    b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\nORG:Engines;Analytical\r\n"
    b"item1.TEL;type=CELL;type=pref:+1 555 010 0001\r\n"
    b"EMAIL;TYPE=WORK:ada@example.com\r\nADR;TYPE=HOME:;;1 Hill Road;London;;N1;UK\r\nPHOTO;ENCODING=b:AAAA\r\n AAAA\r\nEND:VCARD\r\n"
    b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=\r\n=B6rg\r\nTEL;HOME:+15550100002\r\nEND:VCARD\r\n"
)
MAIL: Final = (
    b"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>\r\nTo: ada@example.com\r\nDate: Mon, 3 May 2027 10:37:00 +0200\r\nSubject: Offer\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b'<style>p{}</style><p>Ten bicycles at <a href="https://example.com/o">this price</a></p>\r\n'
    b"--b1\r\nContent-Type: message/rfc822\r\n\r\n"
    b"From: eve@example.com\r\nSubject: Inner\r\n\r\nInner words\r\n--b1\r\nContent-Type: application/pdf\r\n"
    b'Content-Disposition: attachment; filename="list.pdf"\r\n\r\nx\r\n--b1--\r\n'
)


def archive(entries: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return out.getvalue()


def word_of(body: str, before: str = "", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A Word document of XML: what stands in its body, and before its root."""
    xml = f'<?xml version="1.0"?>{before}<w:document xmlns:w="{WORD_SPACE}"><w:body>{body}</w:body></w:document>'
    return archive({"[Content_Types].xml": b"<Types/>", "word/document.xml": xml.encode()}, method)


def word(paragraphs: Sequence[str]) -> bytes:
    """A Word document of paragraphs."""
    return word_of("".join(f"<w:p><w:r><w:t>{escape(each)}</w:t></w:r></w:p>" for each in paragraphs))


def sheet_of(rows: str, strings: Iterable[str] = (), formats: str = "") -> bytes:
    """A spreadsheet of XML rows, with its strings and its cell styles."""
    items = "".join(f"<si><t>{escape(each)}</t></si>" for each in strings)
    return archive(
        {
            "[Content_Types].xml": b"<Types/>",
            "xl/workbook.xml": f'<workbook xmlns="{SHEET_SPACE}"><sheets><sheet name="Costs"/></sheets></workbook>'.encode(),
            "xl/styles.xml": f'<styleSheet xmlns="{SHEET_SPACE}">{formats}</styleSheet>'.encode(),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET_SPACE}"><sheetData>{rows}</sheetData></worksheet>'.encode(),
            "xl/sharedStrings.xml": f'<sst xmlns="{SHEET_SPACE}">{items}</sst>'.encode(),
        }
    )


def sheet() -> bytes:
    """A small spreadsheet with strings, numbers, a date, a formula's value and a gap."""
    rows = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
        '<row r="2"><c r="A2" s="1"><v>46511</v></c><c r="B2"><v>12.5</v></c><c r="D2" t="str"><f>B2</f><v>yes</v></c></row>'
        '<row r="9"><c r="A9" t="inlineStr"><is><t>end</t></is></c></row>'
    )
    formats = (
        '<numFmts><numFmt numFmtId="164" formatCode="dd\\.mm\\.yyyy"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs>'
    )
    return sheet_of(rows, ("Day", "Sum"), formats)


def pdf(pages: Sequence[bytes], *, trailer: bytes = b"") -> bytes:
    """A PDF of pages, each given by its content stream."""
    return pdf_of([b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page) for page in pages], trailer)


def pdf_of(streams: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of pages, each given by its stream object."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(streams)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, stream in enumerate(streams):
        page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>"
        objects += [page % (5 + 2 * number), stream]
    out, places = io.BytesIO(b"%PDF-1.7\n"), []
    out.seek(0, io.SEEK_END)
    for number, each in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, each))
    table = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, table))
    return out.getvalue()


def guarded_pdf(pages: Sequence[bytes]) -> bytes:
    """A PDF that opens without a password and is encrypted all the same (ISO 32000-1, 7.6.3: revision 2, an empty user's password)."""
    pad = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
    owner = b"O" * 32
    key = hashlib.md5(pad + owner + struct.pack("<i", -4) + b"\0\0").digest()[:5]  # noqa: S324 - the format's own
    user = Cipher(ARC4(key), None).encryptor().update(pad)
    words = b"/ID [<0000><0000>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>"
    return pdf(pages, trailer=words % (owner.hex().encode(), user.hex().encode()))


def pdf_page(text: str) -> bytes:
    """A page's content stream with one line."""
    return b"BT /F1 12 Tf 72 720 Td (%s) Tj ET" % text.encode("latin-1")


def photo(kind: str, width: int = 64, height: int = 48, colour: str = "red") -> bytes:
    """A picture in one colour: JPEG, PNG, AVIF, HEIF, BMP or TIFF."""
    pillow_heif.register_heif_opener()
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, kind)
    return out.getvalue()


def turned_photo(width: int, height: int) -> bytes:
    """A JPEG that a telephone held upright: the pixels lie, and a tag says so."""
    out = io.BytesIO()
    picture = Image.new("RGB", (width, height), "red")
    tags = picture.getexif()
    tags[0x0112] = 6
    picture.save(out, "JPEG", exif=tags)
    return out.getvalue()
