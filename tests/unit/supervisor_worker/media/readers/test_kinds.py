"""What a file is: by its content, then by what it claims, then by its name."""

from __future__ import annotations

from typing import Final

import pytest

from supervisor_worker.media.readers import kinds
from tests.payloads import pictures

HEIC: Final = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
FILES: Final = (
    (b"%PDF-1.7\n", "a.txt", "text/plain", kinds.PDF),
    (b"\n\n%PDF-1.7\n", "", "", kinds.PDF),
    (pictures.png(9, 9), "a.pdf", "application/pdf", kinds.PICTURE),
    (HEIC, "IMG_0001", "", kinds.PICTURE),
    (b"\0\0\0\x1cftypM4A \0\0\0\0", "", "", kinds.VOICE),
    (b"\0\0\0\x14ftypqt  \0\0\0\0qt  moov vide soun", "", "", kinds.VIDEO),
    (b"PK\x03\x04....word/document.xml", "a.zip", "application/zip", kinds.WORD),
    (b"PK\x03\x04....xl/workbook.xml", "", "", kinds.SPREADSHEET),
    (b"PK\x03\x04....anything", "a.docx", "", kinds.ARCHIVE),
    (b"PK\x03\x04" + b"." * 26 + b"mimetypeapplication/vnd.oasis.opendocument.text", "", "", kinds.OPEN_DOCUMENT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.doc", "", kinds.OLD_OFFICE),
    (b"\x78\x9f\x3e\x22\0\0", "winmail.dat", "application/ms-tnef", kinds.WINMAIL),
    (b"0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\xa0", "smime.p7m", "application/pkcs7-mime", kinds.ENCRYPTED_MAIL),
    (b"0\x82\x01\x01\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0", "smime.p7m", "application/pkcs7-mime", kinds.SIGNED_MAIL),
    (b"0\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07", "", "", kinds.ENCRYPTED_MAIL),
    (b"0\x80\0\0\x01\x02\0", "smime.p7m", "application/pkcs7-mime", kinds.ENCRYPTED_MAIL),
    (b"-----BEGIN PGP MESSAGE-----\n", "msg.asc", "", kinds.PGP),
    (b"BEGIN:VCALENDAR\r\n", "a", "application/octet-stream", kinds.CALENDAR),
    (b"\xef\xbb\xbf\r\nbegin:vcard\r\n", "", "", kinds.CONTACT),
    (b"X", "a.vcf", "", kinds.CONTACT),
    (b"From: a@example.com\nTo: b@example.com\nSubject: x\n\nHi", "noname", "", kinds.MAIL),
    (b"Hi", "a.eml", "", kinds.MAIL),
    (b"From: me\nThis is a letter.\n", "a.txt", "text/plain", kinds.TEXT),
    (b"<!DOCTYPE html><p>", "", "text/plain", kinds.WEB_PAGE),
    (b"a;b\n", "a.csv", "application/octet-stream", kinds.CSV),
    (b"{}", "a", "application/json", kinds.JSON),
    (b"# x", "README.md", "", kinds.MARKDOWN),
    ("Größe".encode("utf-16"), "", "", kinds.TEXT),
    ("Größe".encode("utf-16-le"), "", "", kinds.TEXT),
    ("Größe".encode("cp1252"), "", "", kinds.TEXT),
    (b"", "", "", kinds.TEXT),
    (b"#!AMR\n", "voice.amr", "audio/amr", kinds.VOICE),
    (b"\0\1\2", "", "audio/x-new", kinds.VOICE),
    (b"\0\1\2", "a.csv", "text/csv", kinds.UNKNOWN),
    (b"MZ\x90\0\3", "a.exe", "", kinds.PROGRAM),
    (b"\x1f\x8b\x08", "a.tgz", "", kinds.ARCHIVE),
    (b"\0\1\2\3", "a.bin", "", kinds.UNKNOWN),
    (b"\0\1\2\3", "a.txt", "", kinds.UNKNOWN),
    (b"\0\1\2\3", "", "image/x-new", kinds.PICTURE),
    (b"<svg/>", "a.svg", "image/svg+xml", kinds.TEXT),
)


def test_a_file_is_what_it_contains_before_what_it_claims() -> None:
    """Each row a file, its name, its declared type and what it is."""
    found = [kinds.kind_of(content, name, content_type) for content, name, content_type, _ in FILES]
    assert found == [kind for *_, kind in FILES]
    assert set(found) <= kinds.KINDS


@pytest.mark.parametrize("size", range(12))
def test_a_file_of_a_few_bytes_is_of_some_kind(size: int) -> None:
    """Every beginning of every file above."""
    assert {kinds.kind_of(content[:size], name, claimed) for content, name, claimed, _ in FILES} <= kinds.KINDS
