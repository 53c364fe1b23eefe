"""The texts of whole mails whose parts are built in odd ways, or wrongly: none of the author's words is lost."""

from __future__ import annotations

import base64
import time
from typing import Final

from tests.payloads import MULTIPART, mail_fields, multipart_body
from webhook_api.email import text_parts
from webhook_api.email.parsing import InboundMail, parse_email

HEAD: Final = b"From: Ada <user@example.com>\nTo: boss@example.com\nSubject: Bicycles\nMIME-Version: 1.0\n"


def read(rest: str | bytes) -> InboundMail:
    """The mail of raw mode with these headers and body behind its own."""
    raw = HEAD + (rest if isinstance(rest, bytes) else rest.encode())
    return parse_email(multipart_body(mail_fields(headers=None, text=None, charsets=None, subject=None, email=raw)), MULTIPART)


def parts(kind: str, *found: str, boundary: str = "b") -> str:
    """A multipart of these parts, each with its headers."""
    body = "".join(f"--{boundary}\n{part}\n" for part in found)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n{body}--{boundary}--\n'


def text(words: str, kind: str = "text/plain", more: str = "") -> str:
    """A part with a text."""
    return f"Content-Type: {kind}; charset=utf-8\n{more}\n{words}"


WORDS: Final = "Please order ten bicycles for Monday."
CODED: Final = base64.encodebytes(WORDS.encode()).decode()

ENCODINGS: Final = {
    f"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n{WORDS}\n": WORDS,
    "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nThanks\n": "Thanks",
    f"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n{CODED}\n-- \na list's footer\n": f"{WORDS}\n-- \na list's footer",
    f"Content-Type: text/plain\nContent-Transfer-Encoding: base64;\n\n{CODED}": WORDS,
    f"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n{CODED.strip()} ignored\n": f"{WORDS}\n ignored",
    f'Content-Type: text/plain\nContent-Transfer-Encoding: "base64"\n\n{CODED}': WORDS,
    f"Content-Type: text/plain\nContent-Transfer-Encoding: BASE64 (see RFC 2045)\n\n{CODED}": WORDS,
    f"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n{CODED.strip().rstrip('=')}": WORDS,
    "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable;\n\nten=20bi=\ncycles=3D10": "ten bicycles=10",
    "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\nten bi= \t \ncycles": "ten bicycles",
    "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n100 % = all, =ZZ, =c3=a4": "100 % = all, =ZZ, ä",
    "Content-Type: text/plain\nContent-Transfer-Encoding: 8-bit\n\nten bicycles": "ten bicycles",
}


def test_a_text_is_read_whatever_its_encoding_is_called_and_where_it_is_none() -> None:
    """A wrong label, one with more behind it, a footer behind base64, a soft line break with blanks behind it."""
    assert {source: read(source).body for source in ENCODINGS} == ENCODINGS


TYPES: Final = [
    f"Content-Type: multipart/mixed\n\n{WORDS}",
    f'Content-Type: multipart/mixed; boundary="x"\n\n{WORDS}',
    f"Content-Type: multipart/mixed\n boundary=x\n\n--x\n{text(WORDS)}\n--x--\n",
    f'Content-Type: multipart/alternative; boundary="y"\n\n--=_x\n{text(WORDS)}\n--=_x\n{text(f"<p>{WORDS}</p>", "text/html")}\n--=_x--\n',
    f"Content-Type: text/plain>\n\n{WORDS}",
    f"Content-Type: text\n\n{WORDS}",
    f"Content-Type: plain\n\n{WORDS}",
    f"Content-Type: ; charset=utf-8\n\n{WORDS}",
    f"Content-Type: text/markdown\n\n{WORDS}",
    f"Content-Type: text/x-web-markdown; variant=a\n\n{WORDS}",
    "Content-Type: text/enriched\n\n<bold>Please order</bold> ten\nbicycles <color><param>red</param>for</color> Monday.",
    parts("mixed", text(WORDS, "text/markdown")),
    parts("alternative", text(WORDS), text(f"<p>{WORDS}</p>", "text/x-amp-html"), text(f"<p>{WORDS}</p>", "text/html")),
    parts("alternative", text(WORDS), text(f"<p>{WORDS}</p>", "text/html"), text(WORDS, "text/watch-html")),
    parts("related", text(f"<p>{WORDS}</p>", "text/html")),
    parts("mixed", parts("related", parts("alternative", text(WORDS), text(f"<p>{WORDS}</p>", "text/html"), boundary="c"), boundary="d")),
    parts("mixed", text(WORDS), text("")),
    parts("alternative", text(""), text(f"<p>{WORDS}</p>", "text/html")),
    parts("alternative", text("\n \n"), text(f"<p>{WORDS}</p>", "text/html")),
    parts("alternative", text(f"<p>{WORDS}</p>", "text/html"), text(WORDS)),
]


def test_a_text_is_read_whatever_its_part_is_called() -> None:
    """No boundary, a wrong one, no type at all, a text for people of any other kind; and the letter once, without further files."""
    found = {source: (read(source).body, read(source).attachments) for source in TYPES}
    assert found == dict.fromkeys(TYPES, (WORDS, ()))


def test_only_alternatives_are_the_same_text_twice() -> None:
    """What stands beside them is read as well, in its place: a list's footer, a letter that goes on behind a picture."""
    html = text('<p>Please order <a href="https://shop.example/10">these</a> now.</p>', "text/html")
    two = parts("alternative", text("Please order these now."), html, boundary="c")
    stand_in = parts("alternative", text("Your program shows no HTML."), html, boundary="c")
    shown = "Please order these (https://shop.example/10) now."
    cases = {
        parts("mixed", two, text("You are on the list.")): [shown, "You are on the list."],
        parts("mixed", stand_in, text("You are on the list.")): [shown, "You are on the list."],
        parts("mixed", text("Above all:"), two, "Content-Type: image/png\n\nPNG", text("And by train.")): [
            "Above all:",
            shown,
            "And by train.",
        ],
        parts("mixed", html, text("And by train.")): [shown, "And by train."],
        parts("mixed", text("Please order these now."), html): [shown],
    }
    assert {source: [each for each in read(source).body.split("\n") if each] for source in cases} == cases


def test_a_plain_text_that_lacks_a_part_of_the_letter_gives_way() -> None:
    """Some programs cut it short."""
    words = [f"word{number}" for number in range(100)]
    html = text(f"<p>{' '.join(words)}</p>", "text/html")
    for kept in (30, 60, 75):
        assert "word99" in read(parts("alternative", text(" ".join(words[:kept])), html)).body


def test_mails_within_attached_mails_are_read_and_each_is_marked() -> None:
    """Three deep; the next one is named."""
    inner = "From: Eve <eve@shop.example>\nSubject: last\n\ndeepest words"
    for name in ("Dan", "Cem", "Ben"):
        inner = f"From: {name} <{name.lower()}@shop.example>\nDate: Mon, 3 May 2027 08:00:00 +0200\nSubject: {name}\n" + parts(
            "mixed", text(f"words of {name}"), f"Content-Type: message/rfc822\n\n{inner}", boundary=name
        )
    mail = read(parts("mixed", text("See below."), f"Content-Type: message/rfc822\n\n{inner}"))
    assert [mark.source.partition(" ")[0] for mark in mail.marks] == ["Ben", "Cem", "Dan"]
    for mark, name in zip(mail.marks, ("Ben", "Cem", "Dan"), strict=True):
        assert f"words of {name}" in mail.body[mark.start : mark.end]
    assert "Files: a mail.eml" in mail.body
    assert mail.body.startswith("See below.")


def test_of_many_mails_within_mails_a_few_are_read() -> None:
    """However they are nested: each text may need its charset guessed, which takes time."""
    words = "Gr\u00fc\u00dfe und \u4e00"
    inner = f"From: a@shop.example\nSubject: x\n\n{words}"
    inner = "From: a@shop.example\nSubject: y\n" + parts("mixed", *[f"Content-Type: message/rfc822\n\n{inner}"] * 6, boundary="c")
    start = time.thread_time()
    mail = read(parts("mixed", *[f"Content-Type: message/rfc822\n\n{inner}"] * 6, boundary="top"))
    assert len(mail.marks) == 5
    assert time.thread_time() - start < 1.5
    start = time.thread_time()
    read(parts("mixed", *["Content-Type: text/plain\n\n\xe4\xf6 \xa4"] * 900).encode("latin-1"))
    assert time.thread_time() - start < 3


FLOWED: Final = "Ten bicycles \nfor Monday.\n\n> What do \n> you need?\n>> older \n>> words\n > no quote\n  indented\n-- \nAda \nLee"


def test_lines_that_are_broken_for_the_way_are_made_whole() -> None:
    """By depth of quotation, but never into or out of a signature; a blank at their end is a blank unless the text says otherwise."""
    for parameters in ("format=flowed", 'FORMAT="Flowed"; delsp=no'):
        assert read(f"Content-Type: text/plain; {parameters}\n\n{FLOWED}").body == (
            "Ten bicycles for Monday.\n\n> What do you need?\n>> older words\n > no quote\n indented\n-- \nAda Lee"
        )
    whole = "Content-Type: text/plain; format=flowed; delsp=yes\n\nSee https://shop.example/ \nbicycles/10  \nand  \nmore."
    assert read(whole).body == "See https://shop.example/bicycles/10 and more."
    careless = "Content-Type: text/plain; format=flowed; delsp=yes\n\nWe need what \nis left: https://shop.example/ \nbicycles/10 \nnow."
    assert read(careless).body == "We need what is left: https://shop.example/bicycles/10now."
    assert read("Content-Type: text/plain; format=flowed; delsp=yes; charset=utf-8\n\n十台の自 \n転車".encode()).body == "十台の自転車"
    assert read("Content-Type: text/plain\n\nTen bicycles \nfor Monday.").body == "Ten bicycles \nfor Monday."
    assert read("Content-Type: text/plain; format=flowed\n\nYes:\n > my own line").marks == ()


def test_no_shape_of_a_part_takes_long() -> None:
    """Each a megabyte, in half a second of CPU; three times that on a busy machine."""
    shapes = {
        "base64": b"Content-Transfer-Encoding: base64\n\n" + b"QUJD\n" * 200_000,
        "half base64": b"Content-Transfer-Encoding: base64\n\n" + b"QUJD= \n!\n" * 120_000,
        "one line": b"Content-Transfer-Encoding: base64\n\n" + b"A" * 1_000_000,
        "soft ends": b"Content-Transfer-Encoding: quoted-printable\n\n" + b"= " * 500_000,
        "flowed": b"Content-Type: text/plain; format=flowed\n\n" + b"a \n" * 330_000,
        "flowed quotes": b"Content-Type: text/plain; format=flowed\n\n" + b">" * 1_000_000,
        "enriched": b"Content-Type: text/enriched\n\n" + b"<param><a>" * 100_000,
        "boundaries": b"Content-Type: multipart/mixed\n\n" + b"--a\n" * 4_900 + b"x" * 900_000,
        "guesses": b"Content-Type: multipart/mixed\n\n" + b"--a\nContent-Type: multipart/mixed\n\n" * 90,
    }
    for name, shape in shapes.items():
        start = time.thread_time()
        read(shape)
        assert time.thread_time() - start < 1.5, name


def test_enriched_text_is_its_words() -> None:
    """RFC 1896: "<<" is one, a single line end a blank."""
    said = "<bold>Ten</bold> <<b>\nbicycles\n\nfor <param>x</param><italic>Monday</italic>"
    assert text_parts.without_formatting(said) == "Ten <b> bicycles\nfor Monday"


def test_html_without_a_label_says_itself_what_it_is_in() -> None:
    """As browsers read it; a label of the mail is stronger, and what claims UTF-8 is believed where it is."""
    words = "Příliš žluťoučký kůň úpěl ďábelské ódy"
    for head in ('<meta charset="iso-8859-2">', '<META http-equiv=Content-Type content="text/html; charset=iso-8859-2">'):
        page = f"<html><head>{head}</head><p>{words}</p>".encode("iso-8859-2")
        for label in (b"", b"; charset=us-ascii", b"; charset=nobody-knows"):
            assert read(b"Content-Type: text/html" + label + b"\n\n" + page).body == words
        form = multipart_body(mail_fields(text=None, html=page, charsets='{"html":"us-ascii"}'))
        assert parse_email(form, MULTIPART).body == words
    lying = f'<meta charset="iso-8859-2"><p>{words}</p>'.encode()
    assert read(b"Content-Type: text/html; charset=utf-8\n\n" + lying).body == words
    assert read(b"Content-Type: text/html\n\n" + '<meta charset="utf-8"><p>Grüße</p>'.encode("cp1252")).body == "Grüße"


def test_a_mail_with_many_files_or_a_long_name_is_read_in_parts() -> None:
    """A thousand files, and the longest name of a file, of letters that take nine characters each."""
    name = "\u8a08" * 255
    coded = "".join(f"%{byte:02X}" for byte in name.encode())
    named = f"Content-Type: text/plain\nContent-Disposition: attachment;\n filename*=utf-8''{coded}\n\nx"
    many = "Content-Type: text/plain; name=a.txt\nContent-Transfer-Encoding: 7bit\nContent-Disposition: attachment; filename=a.txt\n\nx"
    assert read(parts("mixed", text(WORDS), named)).body == WORDS
    assert read(parts("mixed", text(WORDS), named)).attachments[0].startswith(name[:100])
    mail = read(parts("mixed", text(WORDS), *[many] * 1_000))
    assert mail.body == WORDS
