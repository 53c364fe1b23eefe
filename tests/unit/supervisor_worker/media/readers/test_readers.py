"""What is read of a file: the words and figures that a person would look for in it."""

from __future__ import annotations

import json
import time
import zipfile
from typing import Final

import pytest

from supervisor_worker.media.readers import kinds
from supervisor_worker.media.readers.child import read_as
from supervisor_worker.media.readers.extract import MAX_TEXT_BYTES, BoundedText, Fault, TextFull, frame, unframe
from supervisor_worker.media.readers.packages import MAX_ENTRIES
from supervisor_worker.media.readers.sheet_dates import day_of
from supervisor_worker.media.readers.sheets import MAX_CELLS
from tests.payloads import files
from tests.support.processes import ROOT

CASES: Final = ROOT / "tests" / "cases" / "mail"


def read(content: bytes, kind: str, charset: str = "") -> tuple[str, Fault]:
    """The text, and why there is no more of it."""
    text = BoundedText()
    _, fault = read_as(kind, content, charset, text)
    return text.text, fault


def test_an_invitation_says_what_when_where_and_who() -> None:
    """With the zone by its name, the rule as it stands, folds between the bytes of a letter, and no alarm."""
    shown = (
        "Invitation\n"
        "Event: Dentist, Dr. Gräy\n"
        "When: 2027-05-04 10:00 (Europe/Berlin) to 2027-05-04 10:30 (Europe/Berlin)\n"
        "Repeats: weekly (FREQ=WEEKLY;BYDAY=TU;COUNT=3)\n"
        "Where: Hill Road 7\n"
        "Organizer: Practice: Gray <desk@example.com>\n"
        "Attendees: Ada <ada@example.com> (accepted)\n"
        "Description: Bring\nthe card.\n\n"
        "Event: Holiday\n"
        "When: 2027-08-01 (all day) to 2027-08-14 (all day)"
    )
    assert read(files.CALENDAR, kinds.CALENDAR) == (shown, "")


def test_an_invitation_in_a_mail_is_read_with_it() -> None:
    """What stands in the calendar part alone is there."""
    case = CASES / "invite_ics.eml"
    text, fault = read(case.read_bytes(), kinds.MAIL)
    seen = json.loads(case.with_suffix(".json").read_text(encoding="utf-8"))["expect"]["model_sees"]
    assert (len(seen), [words for words in seen if words not in text], fault) == (3, [], "")


def test_a_calendar_files_times_are_read_in_every_form() -> None:
    """UTC, no zone at all, a day, a duration, nonsense; and of each way in which a file may break off."""
    for lines, shown in (
        (b"DTSTART:20270504T080000Z\nDTEND:20270504T083000Z", "When: 2027-05-04 08:00 UTC to 2027-05-04 08:30 UTC"),
        (b"DTSTART:20270504T080000", "When: 2027-05-04 08:00 (local time)"),
        (b"DTSTART;VALUE=DATE:20270504\nDTEND;VALUE=DATE:20270505", "When: 2027-05-04 (all day)"),
        (b"DTSTART:20270504T080000Z\nDURATION:P1DT1H30M", "When: 2027-05-04 08:00 UTC, lasting 1 day 1 hour 30 minutes"),
        (b"DTSTART;VALUE=DATE:00010101\nDTEND;VALUE=DATE:00010101", "When: 0001-01-01 (all day) to 00010101"),
        (b"DTSTART:soon", "When: soon"),
        (b"DUE;TZID=/Asia/Tokyo:20270504T080000", "Due: 2027-05-04 08:00 (Asia/Tokyo)"),
        (
            b"EXDATE;TZID=Asia/Tokyo:20270504T080000,20270511T080000",
            "Not on: 2027-05-04 08:00 (Asia/Tokyo), 2027-05-11 08:00 (Asia/Tokyo)",
        ),
        (b"RDATE;VALUE=PERIOD:20270504T080000Z/PT1H", "Also on: 2027-05-04 08:00 UTC"),
        (b"LOCATION;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:Gr=C3=BCner=\n Weg", "Where: Gr\u00fcner Weg"),
        (b"RECURRENCE-ID:20270504T080000Z\nEXDATE:20270601\nSTATUS:CANCELLED", "Not on: 2027-06-01 (all day)"),
    ):
        head = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\n" + lines
        for tail in (b"\nEND:VEVENT\nEND:VCALENDAR\n", b""):
            text, fault = read(head + tail, kinds.CALENDAR)
            assert (shown in text.split("\n"), fault) == (True, ""), lines


def test_a_card_says_names_numbers_and_addresses() -> None:
    """Of vCard 2.1 and 3, without the picture."""
    shown = (
        "Contact: Ada Lovelace\nOrganization: Engines, Analytical\nPhone (mobile): +1 555 010 0001\nE-mail (work): ada@example.com\n"
        "Address (home): 1 Hill Road, London, N1, UK\n\n"
        "Contact: Jörg Müller\nPhone (home): +15550100002"
    )
    assert read(files.CARD, kinds.CONTACT) == (shown, "")


def test_a_mail_says_who_wrote_it_and_what_came_with_it() -> None:
    """HTML as text, a mail within it (as base64 too), an invitation, and files by name."""
    text, fault = read(files.MAIL, kinds.MAIL)
    assert fault == ""
    assert text == (
        "From: Jörg <joerg@example.com>\nTo: ada@example.com\nDate: Mon, 3 May 2027 10:37:00 +0200\nSubject: Offer\n\n"
        "Ten bicycles at this price (https://example.com/o)\n\n\n"
        "Attached mail:\nFrom: eve@example.com\nSubject: Inner\n\nInner words\nAttached: list.pdf"
    )
    inner = b"RnJvbTogZXZlQGV4YW1wbGUuY29tDQpTdWJqZWN0OiBJbm5lcg0KDQpJbm5lciB3b3Jkcw=="
    packed = files.MAIL.replace(b"message/rfc822\r\n", b"message/rfc822\r\nContent-Transfer-Encoding: base64\r\n")
    packed = packed.replace(b"From: eve@example.com\r\nSubject: Inner\r\n\r\nInner words", inner)
    assert "Subject: Inner\n\nInner words" in read(packed, kinds.MAIL)[0]
    invited = files.MAIL.replace(b"application/pdf\r\n", b"text/calendar\r\n").replace(b"\r\n\r\nx\r\n", b"\r\n\r\n" + files.CALENDAR)
    assert "Event: Holiday" in read(invited, kinds.MAIL)[0]
    deep = b"From: a@example.com\nSubject: x\nContent-Type: message/rfc822\n\n"
    assert read(deep * 3_000, kinds.MAIL) == ("From: a@example.com\nSubject: x", "damaged")
    assert read(deep * 9 + b"Subject: y\n\nburied", kinds.MAIL)[0].count("Attached mail:") == 3


def test_a_word_document_is_read_as_it_is_shown() -> None:
    """Headings, lists, tables, tabs, breaks, notes; nothing that was deleted, and nothing twice."""
    body = (
        '<w:p><w:pPr><w:pStyle w:val="Heading2"/></w:pPr><w:r><w:t>Plan</w:t></w:r></w:p>'
        "<w:p/><w:p><w:pPr><w:numPr/><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr><w:r><w:t>one</w:t><w:tab/><w:t>two</w:t></w:r></w:p>"
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>new</w:t><w:br/><w:t>line</w:t></w:r></w:ins></w:p>"
        "<w:p><w:r><AlternateContent><Choice><w:t>box</w:t></Choice><Fallback><w:t>box</w:t></Fallback></AlternateContent></w:r></w:p>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
        "<w:p><w:r><w:t>end &amp; out</w:t><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    assert read(files.word_of(body), kinds.WORD) == ("## Plan\n- one\ttwo\nnew\nline\nbox\na | b | \nend & out", "")


def test_a_sheet_is_read_by_rows_with_its_dates() -> None:
    """Strings, numbers, dates, what a formula came to, gaps, and a cell far away by its name."""
    assert read(files.sheet(), kinds.SPREADSHEET) == ("Sheet: Costs\nDay\tSum\n2027-05-04\t12.5\t\tyes\n[row 9] end", "")
    far = files.sheet_of('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>')
    assert read(far, kinds.SPREADSHEET) == ("Sheet: Costs\n1\n[row 1048576] \t[XFD1048576] 2", "")
    long = files.sheet_of("".join(f"<row><c><v>{n % 10}</v></c></row>" for n in range(MAX_CELLS + 90)))
    assert read(long, kinds.SPREADSHEET)[0].count("\n") == MAX_CELLS
    unnamed = files.sheet_of('<row><c t="b"><v>1</v></c><c t="s"><v>9</v></c><c t="s"><v>x</v></c><c><v>3</v></c></row>')
    assert read(unnamed, kinds.SPREADSHEET) == ("Sheet: Costs\nTRUE\t\t\t3", "")


@pytest.mark.parametrize(
    ("number", "day", "day_1904"),
    [
        ("46511", "2027-05-04", "2031-05-05"),
        ("46511.4375", "2027-05-04 10:30", "2031-05-05 10:30"),
        ("0.75", "18:00", "18:00"),
        ("-1", "-1", "-1"),
        ("nan", "nan", "nan"),
        ("x", "x", "x"),
    ],
)
def test_a_number_of_days_is_the_day_that_excel_shows(number: str, day: str, day_1904: str) -> None:
    """Counted from 1900, or from 1904 where the workbook says so."""
    assert (day_of(number, from_1904=False), day_of(number, from_1904=True)) == (day, day_1904)


def test_a_web_page_is_read_as_it_is_seen() -> None:
    """Links with their target, pictures by their words, no script, no style, no link that is none."""
    page = (
        "<html><head><title>t</title><style>p{}</style></head><body><h1>Größe</h1><p>See <a href='https://example.com/x'>this</a>"
        "<a href='javascript:x'>!</a><ul><li>one<li>two</ul><img alt='A cat' src='https://example.com/c'><script>x</script>"
        "<table><tr><td>a</td><td>b</td></tr></table>"
    )
    assert read(page.encode(), kinds.WEB_PAGE) == ("Größe\nSee this (https://example.com/x)!\n- one\n- two\n[A cat]\na | b |", "")


def test_an_archive_that_is_not_what_it_says_is_not_unpacked() -> None:
    """Each check of the archive: entries, sizes, ratio, entries of the same bytes, a password, a document type, an end that is missing."""
    good = files.word(["kept"])
    bad: tuple[tuple[bytes, Fault], ...] = (
        (good[:-30], "damaged"),
        (b"PK\x03\x04word/document.xml", "damaged"),
        (files.archive({"word/document.xml": b""} | {str(n): b"" for n in range(MAX_ENTRIES)}, zipfile.ZIP_STORED), "too_large"),
        (files.word(["x" * 2_000_000]), "too_large"),
        (good.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"), "encrypted"),
        (files.word_of("", "<!DOCTYPE w>"), "damaged"),
        (files.word_of("<w:p>"), "damaged"),
        (_same_bytes(files.word_of("<w:p/>" * 400, method=zipfile.ZIP_STORED), 3), "damaged"),
        (_same_bytes(files.word(["x" * 900_000]), 400), "too_large"),
    )
    assert read(good, kinds.WORD) == ("kept", "")
    for content, fault in bad:
        assert read(content, kinds.WORD)[1] == fault


def _same_bytes(good: bytes, times: int) -> bytes:
    """An archive whose directory names its entries so many times."""
    start = int.from_bytes(good[-6:-2], "little")
    entries, end = good[start:-22], good[-22:]
    count = (times * int.from_bytes(end[8:10], "little")).to_bytes(2, "little")
    return good[:start] + entries * times + end[:8] + count * 2 + (times * len(entries)).to_bytes(4, "little") + end[16:]


def test_text_is_kept_up_to_its_bound_and_cut_between_letters() -> None:
    """In bytes of UTF-8."""
    text = BoundedText()
    with pytest.raises(TextFull):
        text.add("ä" * MAX_TEXT_BYTES)
    assert (text.cut, text.text) == (True, "ä" * (MAX_TEXT_BYTES // 2))
    with pytest.raises(TextFull):
        text.add("x")


BROKEN: Final = (b"", b"\0\0", frame({})[:-1], b"\0\0\0\x02[]", b"\0\0\0\x01{", b"\xff\xff\xff\xff{}", b"\0\0\0\x02\xff\xff")


def test_a_message_is_whole_or_refused() -> None:
    """What stands behind it is left as it is."""
    assert unframe(frame({"a": "ä"}) + b"rest") == ({"a": "ä"}, b"rest")
    for data in BROKEN:
        with pytest.raises(ValueError, match=r".*"):
            unframe(data)


SPACE: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(sheets: str, relations: str) -> bytes:
    """Two sheets with a word each, in the files 1 and 2."""
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>{}</t></is></c></row>'
    entries = {
        "xl/workbook.xml": f'<workbook xmlns="{SPACE}" xmlns:r="{RELATIONS}"><sheets>{sheets}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships>{relations}</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SPACE}"><sheetData>{cell.format("one")}</sheetData></worksheet>',
        "xl/worksheets/sheet2.xml": f'<worksheet xmlns="{SPACE}"><sheetData>{cell.format("two")}</sheetData></worksheet>',
    }
    return files.archive({name: entry.encode() for name, entry in entries.items()})


def test_sheets_have_the_names_and_the_order_that_the_workbook_gives_them() -> None:
    """Whatever their files are called; a hidden one is said to be that, and one without a file is left out."""
    sheets = '<sheet name="B" r:id="r2"/><sheet name="A" r:id="r1" state="hidden"/><sheet name="C" r:id="r3"/>'
    for first in ("worksheets/sheet1.xml", "/xl/worksheets/sheet1.xml"):
        relations = f'<Relationship Id="r1" Target="{first}"/><Relationship Id="r2" Target="worksheets/sheet2.xml"/>'
        text, fault = read(workbook(sheets, relations), kinds.SPREADSHEET)
        assert (text.split(), fault) == (["Sheet:", "B", "two", "Sheet:", "A", "(hidden)", "one"], "")
    text, _ = read(workbook('<sheet name="A"/><sheet name="B"/>', ""), kinds.SPREADSHEET)
    assert " ".join(text.split()) == "Sheet: A one Sheet: B two"


def test_what_a_reader_does_not_see_is_left_out() -> None:
    """Words that Word does not print, and what a page's own attributes hide; what stands behind them is there."""
    hidden = "<w:p><w:r><w:t>a</w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>x</w:t></w:r><w:r><w:t>b</w:t></w:r></w:p>"
    assert read(files.word_of(hidden), kinds.WORD) == ("ab", "")
    assert read(files.word_of(hidden.replace("<w:vanish/>", '<w:vanish w:val="0"/>')), kinds.WORD) == ("axb", "")
    for page in (
        '<div style="color:red; display: none"><div>x</div>x</div>a b',
        "a<p hidden>x<p>b",
        '<span style="font-size:0">x</span>a<i style="visibility:hidden">x</i> b',
        '<body style="visibility:hidden">a b',
        '<br hidden>a <b style="font-size:0.9em">b</b>',
        "a b<!-- x",
        "a b<a href=x",
    ):
        text, fault = read(b"<html>" + page.encode(), kinds.WEB_PAGE)
        assert (text.split(), fault) == (["a", "b"], ""), page


def test_a_page_of_tags_without_an_end_takes_no_time() -> None:
    """The parser looks for the end of each anew."""
    for piece in (b"<!--", b"</a", b"<a ", b"<![CDATA[", b"<?"):
        began = time.process_time()
        read(b"<html>" + piece * (800_000 // len(piece)), kinds.WEB_PAGE)
        assert time.process_time() - began < 2, piece


def test_a_mail_s_headers_may_have_bytes_that_no_standard_allows() -> None:
    """As programs write them."""
    mail = "From: J\u00f6rg <j@example.com>\nTo: b@example.com\nSubject: Gr\u00fc\u00dfe\n\nHi"
    for charset in ("utf-8", "cp1252"):
        assert read(mail.encode(charset), kinds.MAIL) == (mail, ""), charset


def test_a_semicolon_within_a_part_of_a_card_is_none_of_its_borders() -> None:
    """It stands behind a backslash."""
    card = b"BEGIN:VCARD\nN:Doe\\; Jr.;Jane\nORG:A\\;B\\, Inc.;Sales\nEND:VCARD"
    assert read(card, kinds.CONTACT)[0] == "Contact: Jane Doe; Jr.\nOrganization: A;B, Inc., Sales"
