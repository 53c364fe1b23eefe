"""Whole mails, as people's programs write them and as Inbound Parse posts them, with what must come of each."""

from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any, Final

import pytest

from shared.model.addresses import EmailAddress
from shared.model.sms_admission import Ignored
from shared.model.users import LOCAL_USER, Users
from tests.payloads import HERE, MULTIPART, Fields, mail_fields, multipart_body
from webhook_api.email import admission
from webhook_api.email.parsing import InboundMail, parse_email

CASES: Final = HERE / "mail"
NAMES: Final = sorted(path.stem for path in CASES.glob("*.eml"))
USERS: Final = Users([LOCAL_USER])


def posted(raw: bytes, *, whole: bool) -> Fields:
    """The form that SendGrid makes of a mail: decoded fields, names without their quotes, and the headers as they stand."""
    message = message_from_bytes(raw)
    shown = {name: str(make_header(decode_header(message[name] or ""))).replace('"', "") for name in ("from", "to", "subject")}
    if whole:
        return mail_fields(headers=None, text=None, email=raw, **shown)
    head, _, body = raw.partition(b"\r\n\r\n" if b"\r\n\r\n" in raw else b"\n\n")
    return mail_fields(headers=head + b"\n", text=body, **shown)


def read(name: str, mode: str) -> InboundMail:
    return parse_email(multipart_body(posted((CASES / f"{name}.eml").read_bytes(), whole=mode == "raw")), MULTIPART)


def expected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(CASES / f"{name}.json").read_text(encoding="utf-8"))["expect"]
    return found


@pytest.mark.parametrize("mode", ["parsed", "raw"])
@pytest.mark.parametrize("name", NAMES)
def test_a_mail_is_admitted_or_not_as_its_reader_would_expect(name: str, mode: str) -> None:
    """In both modes of Inbound Parse; and its words are what is handed on."""
    mail = read(name, mode)
    verdict = admission.email(mail, EmailAddress("boss@example.com"), USERS)
    assert (not isinstance(verdict, Ignored)) is expected(name)["admitted"], verdict
    assert all(words in " ".join(mail.body.split()) for words in expected(name)["model_sees"])


def sender(header: str, shown: str | None = None) -> str:
    """Whom a mail is from: by its From header and by the form's print of it."""
    mail = parse_email(multipart_body(mail_fields(headers=f"From: {header}\nMessage-ID: <a@b>\n", **{"from": shown or header})), MULTIPART)
    return mail.sender_fault or str(mail.sender)


PEOPLE: Final = [
    ('"Müller, Ada" <user@example.com>', "Müller, Ada <user@example.com>"),
    ("=?utf-8?Q?M=C3=BCller=2C_Ada?= <user@example.com>", "Müller, Ada <user@example.com>"),
    ("=?utf-8?Q?M=C3=BCller?=, Ada <user@example.com>", "Müller, Ada <user@example.com>"),
    ("Müller, Ada <user@example.com>", None),
    ("Doe, John, Jr. <user@example.com>", None),
    ('"Ada [Work]" <user@example.com>', "Ada [Work] <user@example.com>"),
    ("Ada [Work] <user@example.com>", None),
    ('"Ada @ Work" <user@example.com>', "Ada @ Work <user@example.com>"),
    ("Ada@Work <user@example.com>", None),
    ("@ada <user@example.com>", None),
    ('"Ada; Bee" <user@example.com>', "Ada; Bee <user@example.com>"),
    ("Ada; Bee <user@example.com>", None),
    ("Team: Ada <user@example.com>", None),
    ("Ada (home) <user@example.com>", None),
    ("Ada :-) <user@example.com>", None),
    ('"Ada <3" <user@example.com>', "Ada <3 <user@example.com>"),
    ('"Ada \\"Bee\\" C" <user@example.com>', 'Ada "Bee" C <user@example.com>'),
    ("Ada \\ Bee <user@example.com>", None),
    ("user@example.com <user@example.com>", None),
    ("User@Example.com <user@example.com>", None),
    ("'user@example.com' <user@example.com>", None),
    ('"user@example.com" <user@example.com>', "user@example.com <user@example.com>"),
    ('"ada@home.example" <user@example.com>', "ada@home.example <user@example.com>"),
    ('"ada@home.example, Ada" <user@example.com>', "ada@home.example, Ada <user@example.com>"),
    ("=?utf-8?Q?ada=40home.example?= <user@example.com>", "ada@home.example <user@example.com>"),
    ("user@example.com (Müller, Ada [x])", None),
    ("Ada <user@example.com>", "user@example.com"),
    ("<USER@EXAMPLE.COM>", None),
]


@pytest.mark.parametrize(("header", "shown"), PEOPLE)
def test_nobody_is_ignored_for_a_name(header: str, shown: str | None) -> None:
    """Commas, brackets, semicolons, the address itself: with quotes, encoded, decoded by SendGrid, or never quoted at all."""
    assert sender(header, shown) == "user@example.com"


@pytest.mark.parametrize(
    ("header", "shown", "fault"),
    [
        ("eve@evil.example <user@example.com>", None, "bad_from"),
        ("user@example.com, Ada <eve@evil.example>", None, "two_addresses"),
        ("Müller, Ada <user@example.com>, <eve@evil.example>", None, "bad_from"),
        ("Ada, eve@evil.example <user@example.com>", None, "bad_from"),
        ("=?utf-8?Q?Ada_=3Cuser=40example=2Ecom=3E?=", None, "bad_from"),
        ("=?utf-8?Q?Ada=2C?=, =?utf-8?Q?=3Cuser=40example=2Ecom=3E?=", None, "bad_from"),
        ("=?utf-8?Q?eve=40evil.example?=, <user@example.com>", None, "bad_from"),
        ("Ada <user@example.com>", "Eve <eve@evil.example>", "two_addresses"),
        ("Ada <user@example.com>", "Eve, Ada <eve@evil.example>", "two_addresses"),
        ("Ada <user@example.com>", "Ada <user@example.com>, Eve <eve@evil.example>", "two_addresses"),
        ("Ada <user@example.com>", "user@example.com, Ada [x] <eve@evil.example>", "two_addresses"),
        ("Ada <user@example.com>", "Ada, Bee", "bad_from"),
        ("Ada <user@example.com>", "<user@example.com> Ada, Bee", "bad_from"),
        (f"Ada <user@example.com>, {'Bee <b@example.net>, ' * 100}eve@evil.example", "Ada <user@example.com>", "bad_from"),
        (f"{'Ada ' * 600}<user@example.com>, eve@evil.example", "Ada <user@example.com>", "bad_from"),
        ("Ada", None, "bad_from"),
    ],
)
def test_who_may_be_another_is_nobody(header: str, shown: str | None, fault: str) -> None:
    """A second address that is not plainly a part of the name; header and form that disagree; what is too long to be read."""
    assert sender(header, shown) == fault


def test_without_an_envelope_the_to_header_is_read_where_the_forms_print_is_no_list() -> None:
    """The Boss's own name may have a comma, too."""
    for header, shown in (('"Boss, The" <boss@example.com>', "Boss, The <boss@example.com>"), ("x", "Boss [AI] <boss@example.com>")):
        fields = mail_fields(headers=f"From: user@example.com\nTo: {header}\n", to=shown, envelope=None)
        assert [str(each) for each in parse_email(multipart_body(fields), MULTIPART).recipients] == ["boss@example.com"]


@pytest.mark.parametrize("local", ["postmaster", "noreply", "bounce-house", "bounces+x"])
def test_a_user_is_no_robot_for_their_address(local: str) -> None:
    """Who stands in the users file has been chosen by the operator; a stranger of that name is a robot."""
    address = f"{local}@example.com"
    fields = mail_fields(**{"from": address, "headers": f"From: {address}\nMessage-ID: <a@b>\n"})
    mail = parse_email(multipart_body(fields), MULTIPART)
    known = Users([replace(LOCAL_USER, email=EmailAddress(address))])
    boss = EmailAddress("boss@example.com")
    assert admission.email(mail, boss, USERS) == Ignored("robot")
    assert isinstance(admission.email(mail, boss, known), admission.AdmittedMail)


@pytest.mark.parametrize(
    "subject", ["Automatic reply: Bikes", "AUTOMATIC REPLY: x", "Automatische Antwort: Räder", "Réponse automatique : x"]
)
def test_a_suppressed_answer_with_an_automatic_subject_is_a_robots(subject: str) -> None:
    """Neither of the two signs alone is one; a person's answer to such a mail has another subject."""
    header = "From: user@example.com\nMessage-ID: <a@b>\nSubject: x\n"
    for said, suppress, reason in ((subject, True, "auto_response"), (subject, False, ""), (f"Re: {subject}", True, ""), ("Hi", True, "")):
        block = header + ("X-Auto-Response-Suppress: All\n" if suppress else "")
        mail = parse_email(multipart_body(mail_fields(headers=block, subject=said)), MULTIPART)
        assert admission.automatic(mail) == reason
