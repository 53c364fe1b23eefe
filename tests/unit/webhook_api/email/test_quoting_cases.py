"""Whole mails that quote, pass on, or look as if they did: what the model is shown of each, and what of it is noted as from others."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any, Final

from shared.model.addresses import EmailAddress
from shared.model.events import EmailReceived
from supervisor_worker.assistant.history import render
from supervisor_worker.channels.marked_text import END
from tests.payloads import MULTIPART, Fields, mail_fields, multipart_body
from webhook_api.email import recipients
from webhook_api.email.parsing import parse_email

CASES: Final = Path(__file__).parents[3] / "cases" / "mail"
NAMES: Final = sorted(path.stem for path in CASES.glob("*.eml") if path.stem.startswith(("fwd_", "own_", "reply_", "ok_reply_")))
BOSS: Final = EmailAddress("boss@example.com")
USER: Final = EmailAddress("user@example.com")
OTHERS: Final = re.compile(rf"\u27e6What follows comes from others[^\u27e7]*\u27e7(.*?)\u27e6{END}\u27e7", re.DOTALL)


def event_of(fields: Fields) -> EmailReceived:
    """The mail of a form, as it is stored."""
    return event_from(multipart_body(fields))


def event_from(body: bytes) -> EmailReceived:
    mail = parse_email(body, MULTIPART)
    return EmailReceived(
        id="m-1", from_=USER, to=BOSS, subject=mail.subject, body=mail.body, user="user", message_id=mail.message_id, marks=mail.marks,
        attachments=mail.attachments, addressed=recipients.addressed(mail.headers, BOSS),
        others=recipients.others(mail.headers, BOSS, USER),
    )  # fmt: skip


def posted(raw: bytes, mode: str) -> Fields:
    """The form that SendGrid makes of a mail of one part."""
    message = message_from_bytes(raw)
    shown = {name: str(make_header(decode_header(message[name] or ""))).replace('"', "") for name in ("from", "to", "subject")}
    if mode == "raw":
        return mail_fields(headers=None, text=None, email=raw, **shown)
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    kind = "html" if message.get_content_type() == "text/html" else "text"
    return mail_fields(headers=head + b"\n", **{"text": None, kind: body}, **shown)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_each_case_shows_what_it_must_in_its_place() -> None:
    """What came from others stands between our notes, and the author's own words do not."""
    assert len(NAMES) > 20
    for name in NAMES:
        case: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
        for mode in case["modes"]:
            shown = render(event_of(posted((CASES / f"{name}.eml").read_bytes(), mode)))
            others = flat(" ".join(OTHERS.findall(shown)))
            own = flat(OTHERS.sub(" ", shown))
            expect = case["expect"]
            assert all(words in flat(shown) for words in expect["model_sees"]), (name, mode, shown)
            behind = expect["only_behind_the_note_that_it_comes_from_others"]
            assert all(words in others and words not in own for words in behind), (name, mode, shown)
            assert not any(words in others for words in expect["never_behind_that_note"]), (name, mode, shown)


def test_what_authors_write_themselves_bears_no_mark() -> None:
    """Indented paragraphs of HTML too; but lines behind `>` are from somewhere else."""
    own = [name for name in NAMES if name.startswith("own_") and name != "own_excerpt_at_end"]
    assert len(own) > 6
    for name in own:
        for mode in ("parsed", "raw"):
            assert event_of(posted((CASES / f"{name}.eml").read_bytes(), mode)).marks == (), (name, mode)


INNER: Final = "From: Ben <ben@shop.example>\r\nTo: user@example.com\r\nSubject: Offer\r\nDate: Mon, 3 May 2027 08:00:00 +0200\r\n"
WORDS: Final = "Content-Type: text/plain; charset=utf-8\r\n\r\nWe can deliver ten bicycles."


def attached(inner: str, encoding: str = "") -> bytes:
    """A mail with a mail as its file."""
    return (
        "From: Ada <user@example.com>\r\nTo: boss@example.com\r\nSubject: Offer\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nIs this good?\r\n'
        f'--b\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename="O.eml"\r\n{encoding}\r\n{inner}\r\n--b--\r\n'
    ).encode()


def test_a_mail_that_is_attached_is_read_marked_and_named_in_every_form() -> None:
    """As it stands, as base64, and as a file that SendGrid has taken out; one within it is named alone."""
    coded = base64.encodebytes((INNER + WORDS).encode()).decode()
    forms = [
        mail_fields(headers=None, text=None, email=attached(INNER + WORDS)),
        mail_fields(headers=None, text=None, email=attached(coded, "Content-Transfer-Encoding: base64\r\n")),
    ]
    file = multipart_body(mail_fields(text="Is this good?", attachment1=("Offer.eml", (INNER + WORDS).encode())))
    file = file.replace(b"application/octet-stream", b"message/rfc822")
    for event in [*(event_of(form) for form in forms), event_from(file)]:
        (mark,) = event.marks
        assert (mark.kind, mark.source) == ("attached", "Ben <ben@shop.example>, Mon, 3 May 2027 08:00:00 +0200")
        assert event.body[: mark.start].strip() == "Is this good?"
        assert event.body[mark.start : mark.end].endswith("Subject: Offer\n\nWe can deliver ten bicycles.")
        assert event.attachments == ()


def test_the_model_is_told_who_else_was_addressed_and_how_the_boss_was() -> None:
    """To, Cc, Bcc; a mail to the Boss alone needs no note."""

    def told(headers: str) -> list[str]:
        shown = render(event_of(mail_fields(headers=f"From: Ada <user@example.com>\n{headers}Message-ID: <a@b>\n")))
        return [line for line in shown.split("\n") if "sent to" in line or "you are" in line or "You are" in line]

    assert told("To: boss@example.com\n") == []
    assert told("To: boss@example.com, Ben <ben@shop.example>\n") == ["⟦It was also sent to Ben <ben@shop.example>⟧"]
    assert told("To: Ben <ben@shop.example>\nCc: boss@example.com\n") == ["⟦It was sent to Ben <ben@shop.example>; you are in Cc⟧"]
    assert told("To: ben@shop.example\n") == ["⟦It was sent to ben@shop.example; you are in Bcc⟧"]
    assert told("Cc: boss@example.com\n") == ["⟦You are in Cc⟧"]
    many = ", ".join(f"p{number}@shop.example" for number in range(9))
    assert told(f"To: boss@example.com, {many}\n")[0].endswith("p4@shop.example, 4 more⟧")


def test_an_echo_is_known_by_the_author_s_own_words_alone() -> None:
    """A robot whose quotes differ repeats itself all the same; of a mail passed on without a word, all of it counts."""

    def said(text: str) -> str:
        return event_of(mail_fields(text=text)).fingerprint()

    on = "On Mon, 3 May 2027 at {}, Boss <boss@example.com> wrote:\n> {}"
    assert said(f"I am away.\n\n{on.format('08:00', 'one')}") == said(f"I am away.\n\n{on.format('09:30', 'two')}") == said("I am away.")
    assert said("> one") != said("> two")
    event = event_of(mail_fields(text="I am away."))
    assert replace(event, body="").fingerprint() == ""
