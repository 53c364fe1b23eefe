"""Which mail is answered, and why not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from shared.model.addresses import EmailAddress
from shared.model.sms_admission import Ignored
from shared.model.users import LOCAL_USER, Users
from tests.payloads import MULTIPART, mail_fields, multipart_body
from webhook_api.email import admission
from webhook_api.email.alignment import aligned
from webhook_api.email.headers import Headers
from webhook_api.email.parsing import InboundMail, parse_email

USERS = Users([LOCAL_USER])
BOSS = EmailAddress("boss@example.com")


def mail(header: str = "", **changes: str | None) -> InboundMail:
    fields = mail_fields(**changes)
    fields["headers"] = str(fields["headers"]) + header
    return parse_email(multipart_body(fields), MULTIPART)


def judged(header: str = "", **changes: str | None) -> str:
    verdict = admission.email(mail(header, **changes), BOSS, USERS)
    return verdict.reason if isinstance(verdict, Ignored) else "admitted"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "admitted"),
        ("Auto-Submitted: no\n", "admitted"),
        ("Auto-Submitted: NO (really)\n", "admitted"),
        ("Auto-Submitted: auto-replied; x=y\n", "auto_submitted"),
        ("Auto-Submitted: no\nAuto-Submitted: auto-generated\n", "auto_submitted"),
        ("List-Id: <l.example.com>\n", "admitted"),
        ("List-Id: <l.example.com>\nPrecedence: list\n", "list"),
        ("Precedence: Bulk\n", "admitted"),
        ("Precedence: Bulk\nX-Loop: me\n", "bulk"),
        ("Precedence: auto_reply\n", "auto_response"),
        ("Precedence: first-class\n", "admitted"),
        ("X-Auto-Response-Suppress: DR, OOF\n", "admitted"),
        ("X-Auto-Response-Suppress: All\n", "admitted"),
        ("X-Auto-Response-Suppress: DR\n", "admitted"),
        ("X-Autoreply: yes\n", "auto_response"),
        ("X-Autorespond: yes\n", "auto_response"),
        ("X-Loop: me\n", "admitted"),
        ("Return-Path: <>\n", "return_path"),
    ],
)
def test_automatic_mail_is_not_answered(header: str, reason: str) -> None:
    """Two robots that answer each other never stop."""
    assert judged(header) == reason


def from_(address: str) -> dict[str, str]:
    return {"from": address, "headers": f"From: {address}\nMessage-ID: <a@b>\n"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"envelope": json.dumps({"to": ["boss@example.com"], "from": ""})}, "return_path"),
        ({"envelope": json.dumps({"to": ["boss@example.com"], "from": "<>"})}, "return_path"),
        ({"headers": "From: user@example.com\nContent-Type: multipart/report; report-type=delivery-status\n"}, "report"),
        (from_("MAILER-DAEMON@example.com"), "robot"),
        (from_("postmaster@example.com"), "robot"),
        (from_("no-reply@example.com"), "robot"),
        (from_("bounces+12@example.com"), "robot"),
        (from_("boss@example.com"), "own_address"),
        (from_("other@example.com"), "stranger"),
        (from_("a@example.com, b@example.com"), "two_addresses"),
        (from_("nonsense"), "bad_from"),
        ({"text": "", "subject": "", "headers": "From: user@example.com\n"}, "empty"),
        ({"text": "", "headers": "From: user@example.com\n"}, "admitted"),
    ],
)
def test_a_mail_that_is_not_answered_has_its_reason(changes: dict[str, str], reason: str) -> None:
    """Each its own, so that an operator can tell."""
    assert judged(**changes) == reason


def test_a_tag_and_a_further_address_are_their_persons() -> None:
    """The answer goes to the address that wrote, from the Boss's own; the domain of that address must be proven, as of any other."""
    table = Users([replace(LOCAL_USER, email_aliases=(EmailAddress("ada@home.example"),))])
    for own, dkim in (("user+x@example.com", "example.com"), ("ada@home.example", "home.example"), ("ada+y@home.example", "home.example")):
        for to in (BOSS, EmailAddress("boss+shop@example.com")):
            said = mail(dkim=f"{{@{dkim} : pass}}", **from_(own))
            assert admission.email(said, to, table) == admission.AdmittedMail(table.all[0], EmailAddress(own), BOSS)
            forged = mail(dkim="{@evil.example : pass}", envelope=json.dumps({"to": [str(to)], "from": "eve@evil.example"}), **from_(own))
            assert admission.email(forged, to, table) == Ignored("unauthenticated")
    assert admission.email(mail(**from_("boss+x@example.com")), BOSS, table) == Ignored("own_address")


def test_programs_in_a_persons_name_are_answered_where_their_entry_says_so() -> None:
    """What answers by itself is not: it would never end."""
    table = Users([replace(LOCAL_USER, robots="answer")])
    for header, admitted in (("Auto-Submitted: auto-generated\n", True), ("Auto-Submitted: auto-replied\n", False)):
        assert admission.email(mail(header), BOSS, USERS) == Ignored("auto_submitted")
        assert isinstance(admission.email(mail(header), BOSS, table), admission.AdmittedMail) is admitted


def test_an_address_that_is_no_boss_answers_nobody() -> None:
    """The recipient is unknown, whoever writes."""
    assert admission.email(mail(), EmailAddress("sales@example.com"), USERS) == Ignored("unknown_recipient", unknown=True)


@pytest.mark.parametrize(
    ("dkim", "spf", "envelope_from", "proven"),
    [
        ("{@example.com : pass}", "fail", "x@example.net", True),
        ("{@mail.example.com : pass}", "none", "x@example.net", True),
        ("{@EXAMPLE.com : Pass}", "none", "x@example.net", True),
        ("{@example.net : pass, @example.com : pass}", "none", "x@example.net", False),
        ("{@example.com : fail}", "none", "x@example.net", False),
        ("{@example.net : pass}", "none", "x@example.net", False),
        ("{@example.net : pass}", "pass", "x@example.net", False),
        ("{@notexample.com : pass}", "none", "", False),
        ("{@example.com.evil.net : pass}", "none", "", False),
        ("{@com : pass}", "none", "", False),
        ("{@ : pass}", "none", "", False),
        ("{@example.com : pass", "none", "", False),
        ("@example.com : pass", "none", "", False),
        ("{@x : fail} {@example.com : pass}", "none", "", False),
        ("{@example.com : passed}", "none", "", False),
        ("{@example.com :\u00a0pass}", "none", "x@example.net", False),
        ("none", "pass", "x@example.com", True),
        ("none", "pass", "x@bounce.example.com", True),
        ("none", "softfail", "x@example.com", False),
        ("none", "pass ", "x@example.com", True),
        ("none", "bypass", "x@example.com", False),
        ("none", "pass", "x@com", False),
        ("none", "pass", "x@example.com@evil.net", False),
        ("", "", "x@example.com", False),
    ],
)
def test_only_an_aligned_pass_proves_the_author(dkim: str, spf: str, envelope_from: str, proven: bool) -> None:
    """From alone proves nothing, and somebody's own pass proves nothing about From."""
    checked = replace(mail(), dkim=dkim, spf=spf.strip(), envelope_from=envelope_from)
    assert admission.authenticated(checked) is proven
    if envelope_from:
        envelope = json.dumps({"to": ["boss@example.com"], "from": envelope_from})
        assert judged(dkim=dkim, SPF=spf, envelope=envelope) == ("admitted" if proven else "unauthenticated")


@pytest.mark.parametrize(
    ("signatures", "dkim", "passes"),
    [
        (["d=evil.net"], "{@evil.net : pass}", ["evil.net"]),
        (["a=rsa; d=example.com; s=x"], "{@example.com : pass}", ["example.com"]),
        (["d=example.com : pass, @evil.net"], "{@example.com : pass, @evil.net : fail}", []),
        (["d=example.com:pass,@evil.net", "d=evil.net"], "{@example.com : pass, @evil.net : fail}", []),
        (["d=evil.net"], "{@evil.net : pass, @example.com : pass}", []),
        (["d=evil.net; d=example.com"], "{@example.com : pass}", []),
        (["d=exam\n ple.com"], "{@example.com : pass}", ["example.com"]),
    ],
)
def test_a_signature_cannot_print_another_domains_pass(signatures: list[str], dkim: str, passes: list[str]) -> None:
    """The field repeats the sender's own words; they must be domains, and as many as signatures."""
    headers = Headers.parse("".join(f"DKIM-Signature: {each}\n" for each in signatures))
    assert admission.dkim_passes(dkim, headers) == passes


def test_siblings_and_suffixes_do_not_align() -> None:
    """Equal, or one below the other, and never less than two labels."""
    assert aligned("example.com", "example.com")
    assert aligned("example.com", "mail.example.com")
    assert aligned("mail.example.com", "example.com")
    assert aligned("Example.COM.", "example.com")
    assert not aligned("a.example.com", "b.example.com")
    assert not aligned("com", "example.com")
    assert not aligned("", "example.com")
    assert not aligned("ample.com", "example.com")
    assert not aligned("..example.com", "example.com")
