"""Everything that reads what somebody else wrote, each as one function of bytes.

A target returns, or raises BadInput or SchemaTooNew, whatever it is given; and what it returns keeps the promises that the code
behind it builds on: one line where a line is expected, no header within a header, nobody admitted who is not a user.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Final, get_args

from cryptography.hazmat.primitives.asymmetric import ec
from yarl import URL

from bridge.protocol.server_session import ServerSession, SessionLimits
from shared.config.loading import load_settings
from shared.errors import BadInput, SchemaTooNew
from shared.model import codec, sms_admission, users_file
from shared.model.addresses import EmailAddress, PhoneNumber, parse_address_list
from shared.model.events import EmailReceived, SendSmsResponse, SmsReceived
from shared.model.media import MAX_MEDIA, Media
from shared.model.sms_segments import size
from shared.model.text import clean, decode, one_line
from shared.observability.redaction import mask
from supervisor_worker.assistant.history import render
from supervisor_worker.channels import formats
from supervisor_worker.channels.sendgrid import parts
from supervisor_worker.channels.sendgrid.email import body_of
from supervisor_worker.channels.sendgrid.format import MAX_MAIL_BYTES
from supervisor_worker.channels.twilio.fitting import fit, in_small_alphabet
from supervisor_worker.channels.twilio.format import SMS_LIMIT, sms_length
from supervisor_worker.media.allowed_urls import TWILIO_HOSTS, AllowedUrls, NotAllowed
from supervisor_worker.media.image_header import MAX_PIXELS, NotAPicture, read_picture
from supervisor_worker.media.readers import kinds
from supervisor_worker.media.readers.child import read_as
from supervisor_worker.media.readers.extract import MAX_TEXT_BYTES, BoundedText, Fault
from tests import payloads
from tests.payloads import files, pictures
from tests.support.mail_html import MAX_LINE, MailHtml
from webhook_api.email import admission, arrived, event_routes, html_text, mime
from webhook_api.email.headers import Headers, decoded
from webhook_api.email.multipart import boundary_of
from webhook_api.email.parsing import MAX_BLOCK_BYTES, InboundMail, parse_email
from webhook_api.email.quoting import marks_of
from webhook_api.intake import records
from webhook_api.security import signatures, signed_form
from webhook_api.sms.arrived import ArrivedText
from webhook_api.sms.media import media_of
from webhook_api.sms.parsing import parse_sms, parse_status, read_form

Target = Callable[[bytes], None]
USERS: Final = users_file.load_users(None)
EVES: Final = '{"to":["boss@example.com"],"from":"eve@evil.example"}'
FORGED_BLOCK: Final = (
    b"Received: by mx.example.net;\n id 1\nDKIM-Signature: v=1; d=example.com : pass, @evil.example; s=x\n"
    b"From: User <user@example.com>\nTo: boss@example.com\nSubject: x\nMessage-ID: <a@evil.example>\n"
)
GENUINE_FORM: Final = payloads.sms_fields(ToState="CA", FromZip="94105")
GENUINE_CUT: Final = b"".join(
    end.to_bytes(2) for end in itertools.accumulate(len(piece) for field in sorted(GENUINE_FORM.items()) for piece in field)
)[:-2]
USER_MAIL: Final = "user@example.com"
END: Final = f"\r\n--{payloads.BOUNDARY}--\r\n".encode()
SECRET: Final = "sandbox-token"
SETTINGS: Final = load_settings(_env_file=None, sandbox="off")
ALLOWED: Final = AllowedUrls.of(SETTINGS)
KEYWORDS: Final = SETTINGS.keywords
STRANGERS: Final = sms_admission.InboundSms("SM1", "AC1", "+15557654321", "+15559876543", "Hello", media=(Media("ME" + "0" * 32),))


def sms_inbound(data: bytes) -> None:
    """A text's form up to the verdict: only the user's own number is let in."""
    form = parse_sms(read_form(data))
    verdict = sms_admission.sms(form, USERS, KEYWORDS)
    if isinstance(verdict, sms_admission.AdmittedSms):
        assert (verdict.sender.value, verdict.boss.value) == (payloads.USER_PHONE, payloads.BOSS_PHONE)
        event = sms_admission.received("m-1", form, verdict, at=0.0)
        assert event.automatic.reason in {"", "reaction", "auto_reply"}
        answer(event)


def sms_answer(data: bytes) -> None:
    """What a model may write, in any number of segments: each part fits, and there is an end."""
    most, rest = data[:1][0] % 10 + 1 if data else 6, in_small_alphabet(decode(data[1:]))
    for _ in range(200):
        part = fit(rest, most)
        assert size(part.message).segments <= most
        assert len(part.rest) < len(rest) or not rest
        rest = part.rest


def media(data: bytes) -> None:
    """The files of a text: ids that an address can be made of, and no others."""
    form = read_form(data)
    sid = (form.get("MessageSid") or [""])[0]
    found = media_of(form, count=len(form), account=payloads.ACCOUNT, sid=sid, base_url="http://127.0.0.1:8790")
    assert len({each.id for each in found}) == len(found) <= MAX_MEDIA
    assert all(Media.parse(str(each)) == each for each in found)


def picture_file(data: bytes) -> None:
    """A file that says it is a picture: one of a size that is shown, or none."""
    try:
        found = read_picture(data)
    except NotAPicture:
        return
    assert 0 < found.width * found.height <= MAX_PIXELS


def attached_file(data: bytes) -> None:
    """A file that is read by code of ours; what libraries read is thrown at them in a child (`test_file_children`)."""
    kind = kinds.kind_of(data, "", "")
    assert kind in kinds.KINDS
    if kind in {kinds.PDF, kinds.PICTURE}:
        return
    text = BoundedText()
    _, fault = read_as(kind, data, "", text)
    assert fault in get_args(Fault)
    assert len(text.text.encode()) <= MAX_TEXT_BYTES


def redirect(data: bytes) -> None:
    """Where an answer sends us on to: to one of Twilio's hosts over TLS, or nowhere."""
    try:
        url = ALLOWED.next(URL("https://api.twilio.com/x"), data.decode("latin-1"))
    except NotAllowed:
        return
    assert (url.scheme, url.port, url.user, url.password) == ("https", 443, None, None)
    assert url.host in {"api.twilio.com", *TWILIO_HOSTS}


def sms_status(data: bytes) -> None:
    """A delivery report."""
    report = parse_status(read_form(data))
    assert one_line(report.sid, 100) == report.sid


def mail_parsed(data: bytes) -> None:
    """A mail as SendGrid posts it by default, up to the verdict."""
    take(parse_email(data, payloads.MULTIPART))


def mail_raw(data: bytes) -> None:
    """A mail in raw mode: the whole of it in one field."""
    fields = {name: value for name, value in payloads.mail_fields().items() if name not in ("text", "headers")}
    take(parse_email(payloads.multipart_body({**fields, "email": data}), payloads.MULTIPART))


def take(mail: InboundMail) -> None:
    """Judge a mail, and answer one that is let in."""
    assert all("/" not in name and name.isprintable() for name in mail.attachments)
    for recipient in mail.recipients:
        verdict = admission.email(mail, recipient, USERS)
        arrived.mail_id(mail, recipient.value)
        kept = arrived.ArrivedMail(replace(mail, contents=()), recipient, signed=True, received_at=1.0, files=())
        again = arrived.ArrivedMail.read(codec.loads(codec.dumps(kept.fields())))
        assert admission.email(again.mail, recipient, USERS) == verdict  # also by who reads it from disk
        if isinstance(verdict, admission.AdmittedMail):
            assert verdict.sender.value == USER_MAIL
            answer(event_of(mail, verdict))


def forged_headers(data: bytes) -> None:
    """A header block of a stranger's making, of whose signature SendGrid prints a pass of the user's domain: nobody is let in by it."""
    fields = payloads.mail_fields(headers=data, dkim="{@example.com : pass, @evil.example : fail}", SPF="pass", envelope=EVES)
    mail_form(payloads.multipart_body(fields))


def forged_raw(data: bytes) -> None:
    """The same in raw mode."""
    changes = {"headers": None, "text": None, "dkim": "{@example.com : pass, @evil.example : fail}", "envelope": EVES}
    mail_form(payloads.multipart_body(payloads.mail_fields(email=data, **changes)))


def mail_form(body: bytes) -> None:
    """Nobody is let in, and nothing is proved."""
    mail = parse_email(body, payloads.MULTIPART)
    assert not isinstance(admission.email(mail, EmailAddress("boss@example.com"), USERS), admission.AdmittedMail)


def signed_form_cut(data: bytes) -> None:
    """Marks put anywhere into the signed line of a genuine form: what is taken is that text, of that sender."""
    line, known = "".join(name + value for name, value in sorted(GENUINE_FORM.items())), parse_sms(genuine_form())
    places = [*sorted({0, *(int.from_bytes(data[at : at + 2]) % len(line) for at in range(0, len(data[:80]), 2))}), len(line)]
    pieces = [line[start:end] for start, end in itertools.pairwise(places)]
    names, values = pieces[::2], pieces[1::2]
    if len(pieces) % 2 or any(second <= first for first, second in itertools.pairwise(names)):
        raise BadInput(code="ambiguous_form")
    form = {name: [value] for name, value in zip(names, values, strict=True)}
    signed_form.check(form, "")
    assert parse_sms(form) == known


def genuine_form() -> dict[str, list[str]]:
    """A form of Twilio's."""
    return {name: [value] for name, value in GENUINE_FORM.items()}


def event_of(mail: InboundMail, verdict: admission.AdmittedMail) -> EmailReceived:
    """What is stored of a mail."""
    return EmailReceived(
        id="m-1", from_=verdict.sender, to=verdict.boss, subject=mail.subject, body=mail.body, user="user",
        message_id=mail.message_id, in_reply_to=mail.in_reply_to, references=mail.references, attachments=mail.attachments,
    )  # fmt: skip


def answer(event: SmsReceived | EmailReceived) -> None:
    """What a model that repeats everything would send: to the author, whatever stands in the message, with no header of its making."""
    assert codec.decode(codec.encode(event)) == event
    command = formats.reply(event, render(event), "r-1")
    assert (command.to, command.from_) == (event.from_, event.to)
    if isinstance(command, SendSmsResponse):
        assert sms_length(command.message) <= SMS_LIMIT
        return
    body = body_of(command, {"reply": "r-1", "attempt": "a-1"})
    lines = [body["subject"], *body["headers"].values()]
    assert not any(character in line for line in lines for character in "\r\n\0")
    json.dumps(body).encode("utf-8")


def mail_answer(data: bytes) -> None:
    """A model's answer by mail: two parts within their bytes and lines, and no HTML but text, links and a few tags."""
    words, page = parts.of(clean(decode(data)).strip(), MAX_MAIL_BYTES)
    assert max(len(words.encode()), len(page.encode())) <= MAX_MAIL_BYTES
    assert all(len(line.encode()) <= MAX_LINE for line in words.split("\n"))
    assert bool(words) == bool(page)
    MailHtml(page)


def header_block(data: bytes) -> None:
    """A mail's headers, and every reading of them."""
    headers = Headers.parse(decode(data))
    ids = [headers.message_id("message-id"), *headers.references(), *(one_line(decoded(value), 1_000) for _, value in headers.items)]
    assert not any(character in text for text in ids for character in "\r\n\0")
    admission.dkim_passes(decode(data[:4_000]), headers)


def html(data: bytes) -> None:
    """A mail that is only HTML."""
    html_text.to_text(decode(data))


def quotes(data: bytes) -> None:
    """Marks stand in their order, within the text, and none is empty."""
    text = clean(decode(data))
    marks = marks_of(text, author=USER_MAIL)
    edges = [edge for mark in marks for edge in (mark.start, mark.end)]
    assert edges == sorted(edges)
    assert all(0 <= mark.start < mark.end <= len(text) for mark in marks)


def mime_tree(data: bytes) -> None:
    """A raw mail's parts."""
    mime.header_block(data, MAX_BLOCK_BYTES)
    mime.read(data)


def charset(data: bytes) -> None:
    """Bytes that say themselves what they are; what comes out can be written anywhere."""
    name, _, raw = data.partition(b"\n")
    clean(decode(raw, name.decode("latin-1"))).encode("utf-8")


def content_type(data: bytes) -> None:
    """The header that names the boundary."""
    assert boundary_of(data.decode("latin-1"))


def events(data: bytes) -> None:
    """SendGrid's events."""
    batch = codec.loads(data)
    for event in batch if isinstance(batch, list) else [batch]:
        found = event_routes.report(event)
        assert found is None or len(found.reply) <= 128


def record(data: bytes) -> None:
    """A record of the mailbox."""
    codec.decode(data)


def spool_entry(data: bytes) -> None:
    """A file of the spool, and a message in it that was not judged."""
    found = records.decode(data)
    if isinstance(found, records.UnjudgedMessage):
        (ArrivedText if found.channel == "sms" else arrived.ArrivedMail).read(found.fields)


def bridge_frame(data: bytes) -> None:
    """Frames of a bridge client, before and after it has authenticated; a frame a line."""
    for authenticated in (False, True):
        session = ServerSession(SessionLimits(), 0.0, lambda: "0" * 24)
        session.authenticated = authenticated
        for number, line in enumerate(data.split(b"\n")[:50]):
            session.receive(line.decode("utf-8", "surrogateescape") if number % 8 else line, number / 10)


def addresses(data: bytes) -> None:
    """Numbers and addresses: what is read is read the same again."""
    text = decode(data)
    try:
        number = PhoneNumber.parse(text)
        assert PhoneNumber.parse(number.value) == number
    except BadInput:
        pass
    for found in parse_address_list(text):
        assert EmailAddress.parse(found.value) == found
        assert "\n" not in found.value


def twilio_signature(data: bytes) -> None:
    """No guess is right: the signature is the first line, the form the rest."""
    signature, _, body = data.partition(b"\n")
    assert not signatures.twilio_signed(SECRET, "https://boss.example.com/sms/inbound", read_form(body), signature.decode("latin-1"))


def sendgrid_signature(data: bytes) -> None:
    """The same for ECDSA: time and signature are the first lines."""
    timestamp, _, rest = data.partition(b"\n")
    signature, _, body = rest.partition(b"\n")
    said = signatures.sendgrid_hash(timestamp.decode("latin-1"))
    said.update(body)
    assert not signatures.sendgrid_signed(public_key(), said, signature.decode("latin-1"))


def log_line(data: bytes) -> None:
    """Whatever stands in an error's text, it can be masked."""
    mask(decode(data))


@cache
def public_key() -> ec.EllipticCurvePublicKey:
    """A key whose private half nobody has kept."""
    return ec.generate_private_key(ec.SECP256R1()).public_key()


def raw_mail() -> bytes:
    """A mail with a quote and a file, as it travels."""
    return (
        b"From: Example User <user@example.com>\r\nTo: boss@example.com\r\nSubject: =?utf-8?q?Caf=C3=A9?=\r\n"
        b"Message-ID: <first@example.com>\r\n"
        b"References: <a@example.com> <b@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n"
        b"--b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nCaf=C3=A9?\r\n\r\n"
        b"On Monday, Boss wrote:\r\n> yes\r\n--b1\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+aGk8L2I+\r\n"
        b'--b1\r\nContent-Type: image/png; name="a.png"\r\nContent-Disposition: attachment; filename="a.png"\r\n\r\nxx\r\n--b1--\r\n'
    )


def webp(kind: str) -> bytes:
    """A picture of one of WEBP's three kinds."""
    return pictures.webp(9, 9, kind)


def seeds() -> dict[str, tuple[Target, list[bytes]]]:
    """Every target with honest input to begin from."""
    form = payloads.form_body(payloads.sms_fields())
    parsed = payloads.multipart_body(payloads.mail_fields())
    frames = [b'{"type":"auth","token":"x","protocol":2}', b'{"type":"sms","id":"1","user":"user","message":"hi"}', b'{"type":"ping"}']
    block = str(payloads.mail_fields()["headers"]).encode()
    page = b'<html><body><p>Hi&amp;hi</p><!-- x --><style>p{}</style><a href="https://example.com">a</a><br><blockquote>q</blockquote>'
    quoted = b"Yes.\n\nOn Mon, Nov 23, 2026 at 10:00 AM Boss <boss@example.com> wrote:\n> no\n> no\n"
    text = SmsReceived(
        id="m-1", from_=PhoneNumber(payloads.USER_PHONE), to=PhoneNumber(payloads.BOSS_PHONE), message="x", user="u", provider_id="SM1"
    )
    return {
        "sms_inbound": (sms_inbound, [form, payloads.payload("sms_mms.form")]),
        "sms_answer": (
            sms_answer,
            [b"\x05# T\n\n- **a** `b`\n```sh\nc\n```\n[d](https://example.com/e).\n|f|g|\n|-|-|\n|h|i|\n" + b"One two. " * 99],
        ),
        "media": (media, [payloads.payload("sms_mms.form")]),
        "picture_file": (picture_file, [pictures.png(9, 9), pictures.gif(9, 9), pictures.jpeg(9, 9), *map(webp, ("VP8 ", "VP8L", "VP8X"))]),
        "attached_file": (attached_file, [files.CALENDAR, files.CARD, files.MAIL, files.word(["a", "b"]), files.sheet(), page]),
        "redirect": (
            redirect,
            [b"https://mms.twiliocdn.com/a?b=%2F", b"/x", b"//api.twilio.com:443/", b"https://a@b.example\\@c.example/"],
        ),
        "sms_status": (sms_status, [payloads.payload("status_undelivered.form")]),
        "mail_parsed": (mail_parsed, [parsed, payloads.payload("mail_parsed.multipart")]),
        "mail_raw": (mail_raw, [raw_mail()]),
        "forged_headers": (forged_headers, [FORGED_BLOCK]),
        "forged_raw": (forged_raw, [FORGED_BLOCK + b"\nHello"]),
        "signed_form_cut": (signed_form_cut, [GENUINE_CUT]),
        "mail_answer": (mail_answer, [each.encode() for each in payloads.hostile_answers().values()]),
        "header_block": (header_block, [block, raw_mail()]),
        "html": (html, [page]),
        "quotes": (quotes, [quoted, b"From: a\nSent: b\n", b"-----Original Message-----\n"]),
        "mime_tree": (mime_tree, [raw_mail()]),
        "charset": (charset, [b"iso-2022-jp\n\x1b$B", b"utf-7\n+AGE-", b"windows-1252\n\x80"]),
        "content_type": (content_type, [payloads.MULTIPART.encode()]),
        "events": (events, [payloads.payload("events.json")]),
        "record": (record, [codec.encode(text).encode()]),
        "spool_entry": (
            spool_entry,
            [
                records.encode(records.ReceivedMessage(text)),
                records.encode((records.Report("SM1", "sent", "r-1", "a-1"),)),
                records.encode(records.UnjudgedMessage("sms", ArrivedText("m-1", STRANGERS, signed=True, received_at=1.0).fields())),
            ],
        ),
        "bridge_frame": (bridge_frame, [b"\n".join(frames), *frames]),
        "addresses": (addresses, [b'"A, B" <a+b@example.com>, c@example.com', b"+15551234567", b"a@x\xc3\xbc.example"]),
        "twilio_signature": (twilio_signature, [b"AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" + form]),
        "sendgrid_signature": (sendgrid_signature, [b"1700000000\nMEUCIQ==\n[]"]),
        "log_line": (log_line, [b"https://user:word@example.com/?token=abc +15551234567 user@example.com"]),
    }


def run(target: Target, data: bytes) -> None:
    """Run a target; BadInput is an answer, and so is that a record was written by a newer version."""
    try:
        target(data)
    except (BadInput, SchemaTooNew):
        return
