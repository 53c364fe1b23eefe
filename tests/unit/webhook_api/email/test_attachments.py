"""The files of a mail: their content is what the mail's program put in, in both of SendGrid's modes, and comes in small pieces."""

from __future__ import annotations

import base64
import hashlib
import json
from email.message import EmailMessage
from email.policy import SMTP

from hypothesis import given
from hypothesis import strategies as st

from shared.model.files import File
from tests.payloads import MULTIPART, mail_fields, multipart_body, payload
from tests.payloads.pictures import gif, png
from webhook_api.email.attachments import CHUNK, TINY_BYTES, MailFile, harmless_type
from webhook_api.email.parsing import InboundMail, parse_email
from webhook_api.intake.file_store import in_pieces

PIXEL = gif(1, 1)


def raw_mail(*files: tuple[str, str, bytes], cte: str = "base64", inline: bool = False, html: bool = False) -> InboundMail:
    """A mail of SendGrid's raw mode with these files: name, type, content."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "user@example.com", "boss@example.com", "Files"
    message.set_content("See the files.")
    if html:
        message.add_alternative("<p>See the files.</p>", subtype="html")
    for name, kind, content in files:
        main, _, sub = kind.partition("/")
        message.add_attachment(
            content, maintype=main, subtype=sub, filename=name or None, cte=cte, disposition="inline" if inline else None
        )
    return parse_email(multipart_body(mail_fields(headers=None, text=None, email=message.as_bytes())), MULTIPART)


def content(file: MailFile) -> bytes:
    """All of it, in chunks that are small enough."""
    chunks = list(file.chunks())
    assert all(len(chunk) <= CHUNK for chunk in chunks)
    return b"".join(chunks)


def test_a_posted_file_is_what_was_posted() -> None:
    """Parsed mode: bytes of any kind, with the type that the mail claims; nothing is copied until it is asked for."""
    data = hashlib.shake_256(b"1").digest(3 * CHUNK + 7)
    mail = parse_email(multipart_body(mail_fields(attachment1=("a.pdf", data), attachment2=("", b""))), MULTIPART)
    assert [(file.name, file.content_type) for file in mail.contents] == [
        ("a.pdf", "application/octet-stream"),
        ("", "application/octet-stream"),
    ]
    assert [content(file) for file in mail.contents] == [data, b""]
    assert mail.attachments == ("a.pdf", "unnamed")


@given(data=st.binary(max_size=200), cte=st.sampled_from(["base64", "quoted-printable"]))
def test_a_mime_part_is_decoded_to_what_was_sent(data: bytes, cte: str) -> None:
    """Raw mode."""
    (file,) = raw_mail(("a.bin", "application/x-thing", data), cte=cte).contents
    assert content(file) == data
    assert file.content_type == "application/x-thing"


def test_a_large_mime_part_is_decoded_in_pieces() -> None:
    """Line ends fall anywhere between the pieces."""
    data = hashlib.shake_256(b"2").digest(4 * CHUNK + 5)
    (file,) = raw_mail(("a.bin", "application/octet-stream", data)).contents
    assert content(file) == data


def test_damaged_base64_gives_what_is_left() -> None:
    """Cut, with strange letters, without its end."""
    whole = base64.b64encode(b"what was sent").decode()
    for text, found in (
        (whole[:-5], b"what was se"),
        ("*" + whole, b"what was sent"),
        ("A", b""),
        ("", b""),
        (f"{whole[:4]}\n \n{whole[4:]}", b"what was sent"),
    ):
        raw = f"Content-Type: x/y; name=a\nContent-Transfer-Encoding: base64\nFrom: user@example.com\nTo: b@example.com\n\n{text}".encode()
        (file,) = parse_email(multipart_body(mail_fields(headers=None, text=None, email=raw)), MULTIPART).contents
        assert content(file).startswith(found)
        assert len(content(file)) <= len(found) + 2


def test_a_tracker_is_no_file_and_a_picture_in_the_text_is_one() -> None:
    """In both modes; a small picture that was attached on purpose stays."""
    big = png(40, 40) + bytes(TINY_BYTES)
    assert len(PIXEL) < TINY_BYTES
    cids = json.dumps({"a@x": "attachment1", "b@x": "attachment2"})
    posts = {"attachment1": ("p.gif", PIXEL), "attachment2": ("photo.png", big), "attachment3": ("icon.gif", PIXEL)}
    body = multipart_body(mail_fields(html="<p>See the files.</p>", **{"content-ids": cids}, **posts)).replace(
        b"application/octet-stream", b"Image/PNG"
    )
    mail = parse_email(body, MULTIPART)
    assert mail.attachments == ("photo.png", "icon.gif")
    assert [file.content_type for file in mail.contents] == ["image/png"] * 2
    assert raw_mail(("p.gif", "image/gif", PIXEL), ("b.png", "image/png", big), inline=True, html=True).attachments == ("b.png",)
    assert raw_mail(("p.gif", "image/gif", PIXEL), inline=True).attachments == ("p.gif",)  # no text that could show it
    assert raw_mail(("p.gif", "image/gif", PIXEL)).attachments == ("p.gif",)


def test_a_content_type_is_one_or_nothing() -> None:
    """What is stored of it can be read back, whatever a mail claims."""
    for text, kind in (
        (" Application/PDF ", "application/pdf"),
        ("pdf", ""),
        ("a/b c/d", ""),
        ("x/" + "y" * 81, ""),
        ("text/plain\n", "text/plain"),
    ):
        assert harmless_type(text) == kind
        file = File("0" * 32, "a b.txt", kind, 3)
        assert File.parse(str(file)) == file


@given(chunks=st.lists(st.binary(max_size=30), max_size=20), size=st.integers(1, 40))
def test_pieces_are_the_same_bytes(chunks: list[bytes], size: int) -> None:
    """Each of them whole but the last."""
    pieces = list(in_pieces(chunks, size))
    assert b"".join(pieces) == b"".join(chunks)
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(0 < len(piece) <= size for piece in pieces[-1:])


def test_a_captured_mail_s_names_are_as_before() -> None:
    """Both modes."""
    for name in ("mail_parsed.multipart", "mail_raw.multipart"):
        body = payload(name)
        boundary = body.partition(b"\r\n")[0][2:].decode()
        mail = parse_email(body, f"multipart/form-data; boundary={boundary}")
        assert len(mail.attachments) == len(mail.contents)
