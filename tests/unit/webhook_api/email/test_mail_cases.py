"""Whole mails, as people's programs write them and as Inbound Parse posts them, with what must come of each."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Final

import pytest

from shared.model.addresses import EmailAddress
from shared.model.sms_admission import Ignored
from shared.model.users import LOCAL_USER, Users
from tests.payloads import MULTIPART, mail_fields, multipart_body
from tests.support.mail_cases import NAMES, SEQUENCES, Outcome, case, posted, receive, receive_all, sequence, source
from webhook_api.email import admission
from webhook_api.email.parsing import parse_email

USERS: Final = Users([LOCAL_USER])
FROM_OTHERS: Final = re.compile("\u27e6[^\u27e7]*others[^\u27e7]*\u27e7")
"""The note of ours before what somebody else wrote."""
END_OF_OTHERS: Final = re.compile("\u27e6[^\u27e7]*(?:end|End) of [^\u27e7]*\u27e7")


def faults(expect: dict[str, Any], outcome: Outcome) -> list[str]:
    """What is wrong with the outcome of a case."""
    if (outcome.event is not None) is not expect["admitted"]:
        return [outcome.ignored or "admitted"]
    own, others = parted(outcome.shown)
    found = [f"missing: {words}" for words in expect["model_sees"] if words not in outcome.shown]
    found += [f"seen: {words}" for words in expect["model_does_not_see"] if words in outcome.shown]
    found += [f"not marked: {words}" for words in expect["only_behind_the_note_that_it_comes_from_others"] if words in own]
    found += [f"marked: {words}" for words in expect["never_behind_that_note"] if words in others and words not in own]
    return found


def parted(shown: str) -> tuple[str, str]:
    """What stands outside of the notes that it comes from others, and what stands behind them, up to the next note of an end."""
    own, others, at = "", "", 0
    while begin := FROM_OTHERS.search(shown, at):
        end = END_OF_OTHERS.search(shown, begin.end())
        own, others = own + shown[at : begin.start()] + "\n", others + shown[begin.end() : end.start() if end else len(shown)] + "\n"
        at = end.end() if end else len(shown)
    return own + shown[at:], others


def test_whole_mails_become_what_their_reader_would_expect() -> None:
    """In each mode of Inbound Parse: admitted or not, with the author's words, and those of others behind the note.

    Of mails in a row it is the second one by itself; what its conversation shows beside it is for the tests of threads.
    """
    failing = {
        name: found
        for name in NAMES
        for mode in case(name)["modes"]
        if (found := faults(case(name)["expect"], receive(posted(source(name), mode))))
    }
    for name in SEQUENCES:
        expect, outcome = case(name)["expect"], receive(sequence(name, "kiwi", "<r-0123456789abcdef01234567@example.com>")[1])
        if outcome.event is None or any(words not in outcome.shown for words in expect["second_mail_sees"]):
            failing[name] = [outcome.ignored or outcome.shown]
    assert failing == {}


def test_a_mail_to_a_boss_and_to_a_tag_of_it_is_one_message() -> None:
    """It is answered once, to the address that wrote."""
    to = ["boss@example.com", "boss+shop@example.com"]
    fields = mail_fields(
        headers="From: user+news@example.com\nMessage-ID: <a@b>\n",
        envelope=json.dumps({"to": to, "from": "user+news@example.com"}),
        **{"from": "user+news@example.com"},
    )
    events = [outcome.event for outcome in receive_all(fields)]
    assert [event and (event.id, str(event.from_), str(event.to)) for event in events] == [
        (events[0] and events[0].id, "user+news@example.com", "boss@example.com")
    ] * 2


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
    ('"Ada" user@example.com', None),
    ("Ada Lee user@example.com", "Ada Lee user@example.com"),
    ("Ada <user@example.com>;", None),
    ("<user@example.com> Ada", None),
    ("Ada <3 <user@example.com>", None),
    ("Ada > Bee <user@example.com>", None),
    ("user@example.com <user@example.com> (user@example.com)", None),
    ("user@example.com, User@Example.com", None),
    ("Ada <user@example.com> via Lists", None),
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
        ('user@example.com "eve"@evil.example', None, "bad_from"),
        ("user@example.com@evil.example", None, "bad_from"),
        ("Ada user@example.com eve@evil.example", None, "bad_from"),
        ("Ada user@example.com @evil.example", None, "bad_from"),
        ("Ada user@example.com", "Ada eve@evil.example", "two_addresses"),
        ("=?utf-8?Q?user=40example=2Ecom?=", None, "bad_from"),
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
    assert admission.email(mail, boss, USERS) == Ignored("robot", unknown=True)
    assert isinstance(admission.email(mail, boss, known), admission.AdmittedMail)
