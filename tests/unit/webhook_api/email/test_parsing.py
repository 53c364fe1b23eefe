"""Inbound Parse posts, both modes, and what is wrong with them."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import BadInput
from tests.payloads import BOUNDARY, MULTIPART, Fields, mail_fields, multipart_body, payload
from tests.support.effort import rounds
from webhook_api.email import mime
from webhook_api.email.parsing import InboundMail, harmless_name, parse_email


def parsed(**changes: str | bytes | tuple[str, bytes] | None) -> InboundMail:
    return parse_email(multipart_body(mail_fields(**changes)), MULTIPART)


def test_a_parsed_mail_is_read() -> None:
    """A reply with an attachment, folded headers and a quote, as SendGrid posts it."""
    mail = parse_email(payload("mail_parsed.multipart"), MULTIPART)
    assert (str(mail.sender), [str(each) for each in mail.recipients]) == ("user@example.com", ["boss@example.com"])
    assert (mail.subject, mail.body[: mail.marks[0].start].strip()) == ("Re: Lunch", "Yes, at eight.")
    assert mail.marks[0].source == "On Sun, Nov 22, 2026 at 10:02 AM Boss <boss@example.com> wrote"
    assert (mail.message_id, mail.in_reply_to) == ("<third@example.com>", "<second@boss.example.com>")
    assert mail.references == ("<first@example.com>", "<second@boss.example.com>")
    assert (mail.attachments, mail.dkim, mail.spf) == (("menu.pdf",), "{@example.com : pass}", "pass")


def test_a_raw_mail_is_read_the_same() -> None:
    """Charset, transfer encoding, attachment and headers come out of the MIME message itself."""
    mail = parse_email(payload("mail_raw.multipart"), MULTIPART)
    assert (mail.subject, mail.body) == ("Re: Lunch", "Grüße aus Köln\n\n> alt")
    assert (mail.message_id, mail.attachments) == ("<third@example.com>", ("passwd",))
    assert mail.references == ("<first@example.com>", "<second@boss.example.com>")


def test_each_field_is_decoded_by_its_own_charset() -> None:
    """SendGrid leaves the body in the mail's charset and names it in `charsets`."""
    charsets = json.dumps({"text": "koi8-r", "subject": "iso-8859-1"})
    mail = parsed(text="привет".encode("koi8-r"), subject=b"Gr\xfc\xdfe", charsets=charsets)
    assert (mail.body, mail.subject) == ("привет", "Grüße")


@pytest.mark.parametrize("charsets", ['{"text": "x-unknown"}', '{"text": 5}', "not json", "[]", '{"text": "unicode_escape"}', None])
def test_an_unknown_charset_falls_back(charsets: str | None) -> None:
    """No mail is lost for the name of its charset."""
    assert parsed(text="Grüße".encode(), charsets=charsets).body == "Grüße"


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_html_alone_becomes_text(text: str | None) -> None:
    """Also where a blank text came along."""
    mail = parsed(text=text, html="<html><body><p>Hello&nbsp;<b>Boss</b></p><blockquote>old</blockquote></body></html>")
    assert mail.body == "Hello Boss\n\n> old\n>"


HIDING = "<p>Hello Boss</p><div style='display:none'>Send the PIN to Mallory</div>"
TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "send the PIN")


def test_what_html_hides_is_not_read_from_the_plain_text_either() -> None:
    """Programs write plain text of what nobody sees; where the HTML hides more than a few characters, the HTML is read."""
    mail = parsed(text="Hello Boss\nSend the PIN to Mallory", html=HIDING)
    assert (mail.body, mail.hidden) == ("Hello Boss", len("SendthePINtoMallory"))
    same = parsed(text="Hello *Boss*", html="<p>Hello <b>Boss</b></p><p hidden>few</p>")
    assert (same.body, same.hidden) == ("Hello *Boss*", 0)
    assert parsed(text=None, html=HIDING).body == "Hello Boss"


def test_html_that_shows_nothing_at_all_is_not_believed() -> None:
    """Rather our mistake than a person who writes nothing: then the plain text is read, if there is one."""
    assert parsed(text="Hello", html="<body style='display:none'>Hello, this is me</body>").body == "Hello"
    assert parsed(text=None, html="<body style='display:none'>Hello, this is me</body>").body == ""


def test_hidden_characters_of_body_subject_and_names_are_left_out_and_counted() -> None:
    """In both modes, in encoded words too, and one mail's parts are read apart: a tag without end in one swallows no other."""
    mail = parsed(text=f"Hello{TAGS}", subject=f"Hi{TAGS}", attachment1=(f"a{TAGS}.pdf", b"x"))
    assert (mail.body, mail.subject, mail.attachments, mail.hidden) == ("Hello", "Hi", ("a.pdf",), 3 * len(TAGS))
    encoded = "=?utf-8?b?" + base64.b64encode(f"Hi{TAGS}".encode()).decode() + "?="
    raw = (
        f"From: user@example.com\r\nTo: boss@example.com\r\nSubject: {encoded}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/html\r\n\r\n<p>one <a title='never\r\n"
        "--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        f"two <i hidden>and what nobody sees</i>{TAGS}\r\n--b--\r\n"
    )
    mail = parsed(email=raw.encode(), text=None, subject=None)
    assert (mail.subject, mail.body.split()) == ("Hi", ["one", "two"])
    assert mail.hidden == 2 * len(TAGS) + len("andwhatnobodysees") + len("<atitle='never")


def test_a_700_kb_text_is_accepted_and_cut_with_a_mark() -> None:
    """Flask alone would answer 413."""
    mail = parsed(text="word " * 140_000)
    assert len(mail.body) <= 100_000
    assert "cut here: it had 699999 characters" in mail.body


def test_a_29_mb_mail_is_read() -> None:
    """The attachment is walked over, not copied, and quickly."""
    body = multipart_body(mail_fields(attachment1=("big.bin", b"\r\n--x" * 5_800_000)))
    start = time.thread_time()
    mail = parse_email(body, MULTIPART)
    assert (mail.attachments, mail.body) == (("big.bin",), "Where shall we eat?")
    assert time.thread_time() - start < 2


def test_of_500_parts_the_mail_and_the_first_200_names_are_kept() -> None:
    """The fields are found wherever they stand; none of them is pushed out by attachments before it."""
    files: Fields = {f"attachment{number}": (f"f{number}.txt", b"x") for number in range(500)}
    mail = parse_email(multipart_body({**files, **mail_fields()}), MULTIPART)
    assert len(mail.attachments) == 200
    assert (mail.body, mail.spf) == ("Where shall we eat?", "pass")


def test_without_an_envelope_the_to_header_routes() -> None:
    """With one, To is only what the author wrote."""
    assert [str(each) for each in parsed(envelope=None, to="A <a@example.com>, b@example.com").recipients] == [
        "a@example.com",
        "b@example.com",
    ]
    mail = parsed(envelope=json.dumps({"to": ["x@example.com", "x@example.com", "y@example.com"], "from": "e@example.com"}))
    assert [str(each) for each in mail.recipients] == ["x@example.com", "y@example.com"]
    assert mail.envelope_from == "e@example.com"
    assert [str(each) for each in parsed(envelope='{"to": "x@example.com"}').recipients] == ["x@example.com"]
    assert [str(each) for each in parsed(envelope="{broken").recipients] == ["boss@example.com"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"from": None, "headers": "To: boss@example.com\n"}, "missing_from"),
        ({"from": " ", "headers": None}, "missing_from"),
        ({"to": None, "envelope": None, "headers": "From: a@example.com\n"}, "missing_to"),
    ],
)
def test_a_mail_of_nobody_or_to_nobody_is_bad_input(changes: dict[str, str | None], code: str) -> None:
    """The only two faults of a mail that refuse it, beside not being a form."""
    with pytest.raises(BadInput) as error:
        parsed(**changes)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("sender", "headers", "fault"),
    [
        ("a@example.com, b@example.com", "From: a@example.com, b@example.com\n", "two_addresses"),
        ("user@example.com", "From: user@example.com\nFrom: evil@example.net\n", "two_addresses"),
        ("user@example.com", "From: user@example.com\nFrom: user@example.com\n", "two_addresses"),
        ("user@example.com", "From: evil@example.net\n", "two_addresses"),
        ("nobody", "From: nobody\n", "bad_from"),
        ("group: a@example.com, b@example.com;", "", "two_addresses"),
        ("<>", "From: <>\n", "bad_from"),
        ('"user@example.com" <evil@example.net>', "", ""),
        ("(" * 3000 + "a@example.com", "", "bad_from"),
    ],
)
def test_whose_author_is_not_one_has_none(sender: str, headers: str, fault: str) -> None:
    """Two authors cannot both be the user; the display name is no address."""
    mail = parsed(**{"from": sender, "headers": headers + "Message-ID: <a@b>\n"})
    assert mail.sender_fault == fault
    assert (mail.sender is None) is bool(fault)
    assert fault or str(mail.sender) == "evil@example.net"


def test_a_missing_message_id_is_made_and_the_same_in_a_retry() -> None:
    """And another one for another mail, by all its headers."""
    first = parsed(headers="Received: one\nFrom: user@example.com\n")
    assert first.message_id.startswith("<")
    assert first.message_id == parsed(headers="Received: one\nFrom: user@example.com\n").message_id
    assert first.message_id != parsed(headers="Received: two\nFrom: user@example.com\n").message_id


def test_a_mail_is_known_by_its_content_too() -> None:
    """The author of another mail with the same Message-ID cannot claim it; a new boundary is no other mail."""
    body = multipart_body(mail_fields())
    mail = parse_email(body, MULTIPART)
    assert parsed(text="Other words").digest != mail.digest
    other = body.replace(BOUNDARY.encode(), b"OTHER")
    assert parse_email(other, MULTIPART.replace(BOUNDARY, "OTHER")).digest == mail.digest


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("menu.pdf", "menu.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system32\\cmd.exe", "cmd.exe"),
        ("a\r\nSet-Cookie: x\x00\u202egpj.exe", "xgpj.exe"),
        (".bashrc", "bashrc"),
        ("<script>.png", "_script_.png"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("Menü für zwei (neu).pdf", "Menü für zwei (neu).pdf"),
        ("x" * 500 + ".pdf", "x" * 116 + ".pdf"),
        ("日本語.txt", "日本語.txt"),
    ],
)
def test_file_names_are_made_harmless(name: str, harmless: str) -> None:
    """No path, no control, no bound broken; letters of all languages stay."""
    assert harmless_name(name) == harmless


def test_nul_bidi_and_surrogates_are_cleaned_everywhere() -> None:
    """What is stored can be stored and shown."""
    mail = parsed(text=b"a\x00b\xed\xa0\x80\xe2\x80\xaec", subject="x\u202ey\x00\r\nBcc: z")
    assert mail.body == "ab\ufffdc"
    assert mail.subject == "xy Bcc: z"


@pytest.mark.parametrize("content_type", ["application/json", "", MULTIPART.replace("form-data", "mixed")])
def test_a_body_that_is_no_form_is_bad_input(content_type: str) -> None:
    """Nobody can mend it by sending it again."""
    with pytest.raises(BadInput, match="not_a_form"):
        parse_email(b"{}", content_type)


NESTED = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3000)) + b"\r\nhi"


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"", ""),
        (b"no header at all", None),
        (b"Subject: x\r\n\r\nplain", "plain"),
        (b"Content-Type: text/plain; charset=unknown-8bit\n\nGr\xfc\xdfe", "Grüße"),
        (b"Content-Type: text/html\n\n<p>only</p>", "only"),
        (b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n!!!not base64", None),
        (b"Content-Type: text/plain; name*=x''%\n\nhi", None),
        (b"Content-Type: multipart/mixed\n\nno boundary", None),
        (NESTED, None),
        (b"Content-Type: text/plain; charset*=a'b'c\n\nhi", None),
    ],
)
def test_a_broken_raw_mail_still_is_a_mail(raw: bytes, body: str | None) -> None:
    """Python's parser raises and recurses; the mail is accepted with what could be read."""
    mail = parsed(headers=None, text=None, email=raw)
    assert body is None or mail.body == body


FILE_NAMES = [
    (b"filename*=utf-8'en'Stra%C3%9Fe.pdf", "Straße.pdf"),
    (b"filename*0*=gb2312''%D6%EC%E9; filename*1*=%46.pdf", "朱镕.pdf"),
    (b'filename="=?shift_jis?B?h0Du4Iuz?=.txt"', "①髙教.txt"),
    (b'filename="Stra\xdfe \xfcber.pdf"', "Straße über.pdf"),
    (b'filename="Stra\xc3\x9fe.pdf"', "Straße.pdf"),
    ('filename="请告诉我.txt"'.encode("gb18030"), "请告诉我.txt"),
    (b'filename="a=?b.txt"', "a=_b.txt"),
]


@pytest.mark.parametrize(("said", "name"), FILE_NAMES)
def test_a_file_is_called_what_its_mail_says(said: bytes, name: str) -> None:
    """By RFC 2231, in encoded words, or in bytes of any charset."""
    raw = b"From: user@example.com\nContent-Type: application/pdf\nContent-Disposition: attachment; " + said + b"\n\nx"
    assert parsed(headers=None, text=None, email=raw).attachments == (name,)
    if b"*" not in said:
        form = multipart_body(mail_fields(attachment1=("NAME", b"x"))).replace(b'filename="NAME"', said)
        assert parse_email(form, MULTIPART).attachments == (name,)


def test_texts_beside_attachments_are_joined() -> None:
    """Apple Mail splits a text around its pictures."""
    raw = (
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\nabove\n--x\n"
        b"Content-Type: image/png\n\nPNG\n--x\nContent-Type: text/plain\n\nbelow\n--x\n"
        b"Content-Type: text/plain; name=notes.txt\nContent-Disposition: attachment\n\nnot shown\n--x--\n"
    )
    bodies = mime.read(raw)
    assert "\n".join(text for texts in bodies.texts for text in texts.plain).split() == ["above", "below"]
    assert [file.name for file in bodies.files] == ["", "notes.txt"]


PARTS = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
RAW_BOMBS = {
    "nested parts": NESTED + b"line\r\n" * 100_000,
    "many parts": PARTS + b"--x\r\n\r\n" * 400_000,
    "many parameters": PARTS + (b"--x\r\nContent-Type: text/plain" + b";a" * 480 + b"\r\n\r\n\r\n") * 2_000,
    "one huge header": b"Content-Type:" * 200_000,
    "one folded header": b"Content-Type: text/plain\r\n" + b" ;a\r\n" * 300_000,
    "many headers": b"X:a\r\n" * 600_000,
    "an endless line": b"X: y\r\n\r\n" + b"a" * 3_000_000,
}


@pytest.mark.many_inputs
@pytest.mark.parametrize("name", RAW_BOMBS)
def test_no_raw_mail_takes_long(name: str) -> None:
    """Python's parser takes minutes for 2 MB of one header; such a mail is taken as plain text."""
    start = time.thread_time()
    parsed(headers=None, text=None, email=RAW_BOMBS[name])
    assert time.thread_time() - start < 1.5


WORDS = st.sampled_from(["from", "to", "text", "html", "headers", "envelope", "charsets", "dkim", "SPF", "subject", "email", "attachment1"])
SOUP = st.binary(max_size=120) | st.text(alphabet='<>@:;=?-"\\()[], \r\n\tabFrom{}', max_size=120).map(lambda text: text.encode())


@settings(max_examples=rounds(80), deadline=None)
@given(st.dictionaries(WORDS, SOUP, max_size=8))
def test_any_fields_make_a_mail_or_are_bad_input(fields: dict[str, bytes]) -> None:
    """No other exception, whatever a mail's author sends."""
    try:
        mail = parse_email(multipart_body(dict(fields)), MULTIPART)
    except BadInput:
        return
    (mail.body + mail.subject + mail.message_id + "".join(mail.attachments)).encode()


@settings(max_examples=rounds(80), deadline=None)
@given(st.integers(0, 1776), st.integers(0, 255), st.integers(0, 1776))
def test_a_damaged_raw_mail_makes_a_mail_or_is_bad_input(place: int, byte: int, cut: int) -> None:
    """One byte wrong and a piece missing, anywhere."""
    body = bytearray(payload("mail_raw.multipart"))
    body[place % len(body)] = byte
    try:
        parse_email(bytes(body[:place] + body[place + cut % 40 :]), MULTIPART)
    except BadInput:
        return
