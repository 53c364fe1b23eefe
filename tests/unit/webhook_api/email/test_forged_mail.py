"""A forged From: padded, folded, split or cut anywhere, it stays a stranger's; and what people's programs write is let in."""

from __future__ import annotations

import json
import os
import random
import re
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.addresses import EmailAddress
from shared.model.sms_admission import Ignored
from shared.model.users import LOCAL_USER, Users
from tests.payloads import BOUNDARY, MULTIPART, Fields, mail_fields, multipart_body
from tests.support.effort import rounds
from webhook_api.email import admission
from webhook_api.email.alignment import aligned
from webhook_api.email.headers import MAX_BLOCK, Headers
from webhook_api.email.parsing import parse_email

USERS: Final = Users([LOCAL_USER])
BOSS: Final = EmailAddress("boss@example.com")
MUTATIONS: Final = int(os.environ.get("FORGERIES", rounds(300)))
HOSTILE: Final = "example.com : pass, @evil.example"
ENVELOPE: Final = json.dumps({"to": ["boss@example.com"], "from": "eve@evil.example"})
SIGNATURE: Final = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n d={}; s=k1; h=from:to:subject;\n bh=x; b=y\n"
HEAD: Final = (
    "Received: from mx.example.net by mx.sendgrid.net with ESMTP id 1\n for <boss@example.com>; Sun, 22 Nov 2026 10:00:00 +0000 (UTC)\n"
    "{}From: Example User <user@example.com>\nTo: boss@example.com\nSubject: Lunch\nDate: Sun, 22 Nov 2026 10:00:00 +0000\n"
    "Message-ID: <first@example.com>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
)
HOSTILE_HEAD: Final = re.compile(
    r"(?:^|\n)" + r"\n*".join(re.escape(letter) for letter in re.sub(r"\s", "", SIGNATURE.format(HOSTILE)).lower().partition("s=k1")[0])
)
"""The hostile signature up to its domain: it begins a line, and may be folded anywhere."""
FORGED: Final = HEAD.format(SIGNATURE.format(HOSTILE))
GENUINE: Final = HEAD.format(SIGNATURE.format("example.com"))
Dice = random.Random


def fields(headers: str, *, raw: bool = False, **changes: str) -> Fields:
    """A mail that no SPF speaks for: what its signatures are worth is all that it has."""
    said: dict[str, str | None] = {"headers": headers, "SPF": "pass", "envelope": ENVELOPE, "dkim": "{@example.com : pass}", **changes}
    if raw:
        email = headers.replace("\n", "\r\n") if "\r" not in headers else headers
        said |= {"email": email + "\r\nLunch?\r\n", "headers": None, "text": None}
    return mail_fields(**said)


def judged(found: Fields) -> str:
    mail = parse_email(multipart_body(found), MULTIPART)
    verdict = admission.email(mail, BOSS, USERS)
    return verdict.reason if isinstance(verdict, Ignored) else "admitted"


def mutated(block: str, dice: Dice) -> str:
    """The block with something put in, taken out, moved or doubled, up to four times."""
    for _ in range(dice.randrange(1, 5)):
        place, other = sorted((dice.randrange(len(block) + 1), dice.randrange(len(block) + 1)))
        lines = block.split("\n")
        how = dice.randrange(8)
        if how == 0:
            block = block[:place] + dice.choice(PIECES) * dice.choice((1, 1, 2, 9)) + block[place:]
        elif how == 1:  # at a line's end or beginning, or around a colon
            place = dice.choice([spot for spot, letter in enumerate(block) if letter in ":\n"] or [0]) + dice.randrange(2)
            block = block[:place] + dice.choice(PIECES) + block[place:]
        elif how == 2:
            block = block[:place] + block[min(other, place + dice.randrange(40)) :]
        elif how == 3:
            block = block[:place]
        elif how == 4:
            dice.shuffle(lines)
            block = "\n".join(lines)
        elif how == 5:
            block = "\n".join([*lines[: dice.randrange(len(lines))], dice.choice(WHOLE_LINES), *lines])
        elif how == 6:
            block = "\n".join([dice.choice((each, "\n ".join(each.split(" ")))) for each in lines])
        else:
            block = dice.choice(
                (block.replace("\n", "\r\n"), block.swapcase(), block.replace(": ", ":\n ", 1), block.replace(":", " :", 1))
            )
    return block


PIECES: Final = (
    "\n", "\n ", " ", "\t", "\r", "\r\n", "\n\n", "\0", "\x0b", "\x0c", "\x85", "\u2028", "é", "\u200b", ":", "x", "X-Pad: y\n",
    "\r\r\n", "\n\r\n", " \n", "\n \n", "\n\t\n", "=?utf-8?q?=0A?=", "From: eve@evil.example\n", "Reply-To: eve@evil.example\n",
    "DKIM-Signature: v=1; d=example.com\n", "DKIM-Signature: v=1; d=evil.example\n", ";", "d=example.com;", ";;", "D=", "(", '"',
    "{", "@", ",",
)  # fmt: skip
WHOLE_LINES: Final = (
    "X:y\n" * 4_001, "X: y" + "\n y" * 4_001, "X: " + "y" * 300_000, "DKIM-Signature: d=example.com\nDKIM-Signature: d=evil.example", "",
    " ", "DKIM-Signature", "DKIM-Signature: d=evil.example", "From: user@example.com", "Resent-From: user@example.com",
)  # fmt: skip


def another_mail(block: str) -> bool:
    """Whether the mutation has taken the hostile signature apart and put one of the user's domain in: this mail prints as nothing else.

    Blanks, controls and what is not ASCII count for nothing: a lenient reader may overlook them.
    """
    letters = re.sub(r"[^!-~\n]", "", block.replace("\r", "\n")).lower()
    of_the_user = re.search(r"dkim-signature:(v=1;)?d=example\.com(?!\s*:\s*pass)", letters)
    return bool(of_the_user) and not HOSTILE_HEAD.search(letters)


@pytest.mark.many_inputs
@pytest.mark.parametrize("raw", [False, True], ids=["parsed", "raw"])
def test_no_padding_folding_splitting_or_cutting_lets_a_forged_mail_in(raw: bool) -> None:
    """The signature's d= prints as a pass of the user's domain; wherever the header is hidden, nothing is believed."""
    printed, dice = f"{{@{HOSTILE} : fail}}", Dice(31)
    for _ in range(MUTATIONS):
        block = mutated(FORGED, dice)
        if another_mail(block):
            continue
        try:
            verdict = judged(fields(block, raw=raw, dkim=printed))
        except ValueError:  # BadInput: neither is that let in
            continue
        assert verdict != "admitted", block[:2_000]
    assert judged(fields(GENUINE, raw=raw)) == "admitted"


@pytest.mark.many_inputs
@pytest.mark.parametrize("raw", [False, True], ids=["parsed", "raw"])
def test_no_padding_folding_splitting_or_cutting_hides_a_second_author(raw: bool) -> None:
    """Eve signs for herself, and writes the user's From beside her own."""
    own = SIGNATURE.format("evil.example")
    block, dice = HEAD.format(own).replace("From: ", "From: eve@evil.example\nFrom: "), Dice(37)
    for _ in range(MUTATIONS // 4):
        changed = mutated(block, dice)
        try:
            verdict = judged(fields(changed, raw=raw, dkim="{@evil.example : pass}"))
        except ValueError:
            continue
        assert verdict != "admitted", changed[:2_000]


HIDING: Final = {
    "4,001 short lines": "X:y\n" * 4_001,
    "one header folded 4,001 times": "X: y\n" + " y\n" * 4_001,
    "one of 300 kB": f"X: {'y' * 300_000}\n",
    "a bare CR": "X: y\rz\n",
    "a line of blanks": "X: y\n \t\n",
    "an empty line": "X: y\n\n",
    "a name folded before its colon": "X-Long\n : y\n",
    "a name that is not ASCII": "X-Grüße: y\n",
    "a blank before the colon": "X : y\n",
    "a line without a colon": "X\n",
    "a first line that is folded": "",
    "a NUL": "X: \0\n",
    "two ways to end a line": "X: y\r\n",
    "a second Subject": "Subject: other\n",
    "a second Message-ID": "Message-Id: <other@example.com>\n",
}


@pytest.mark.parametrize("raw", [False, True], ids=["parsed", "raw"])
@pytest.mark.parametrize("name", HIDING)
def test_what_hides_a_header_proves_nothing(name: str, raw: bool) -> None:
    """Neither does it make a personal mail: whoever reads it otherwise sees another one."""
    front = HIDING[name] or " folded\n"
    for forged in (True, False):
        block, printed = (FORGED, f"{{@{HOSTILE} : fail}}") if forged else (GENUINE, "{@example.com : pass}")
        block = (front + block).replace("\n", "\r\n") if raw and name != "two ways to end a line" else front + block
        verdict = judged(fields(block, raw=raw, dkim=printed))
        read = name in ("4,001 short lines", "one header folded 4,001 times")  # long, and read to its end
        expected = ("unauthenticated" if forged else "admitted") if read else "bad_headers"
        assert verdict == ("bad_from" if not forged and "\0" in front and verdict == "bad_from" else expected)


@pytest.mark.parametrize("changes", [{"headers": None}, {"headers": ""}, {"headers": "To: boss@example.com\n"}])
def test_a_mail_without_its_headers_proves_nothing(changes: dict[str, str | None]) -> None:
    """Nor does an SPF pass for the right domain."""
    envelope = json.dumps({"to": ["boss@example.com"], "from": "user@example.com"})
    assert judged(mail_fields(envelope=envelope, **changes)) == "bad_headers"


DOMAINS: Final = st.sampled_from(
    ["example.com", "evil.example", " ", ":", "pass", "fail", ",", "@", "{", "}", " : pass, @", "x.evil.example", "\t"]
)
NAMED: Final = st.lists(DOMAINS, min_size=1, max_size=6).map("".join)


@settings(max_examples=rounds(100), deadline=None)
@given(
    st.lists(NAMED, min_size=1, max_size=3), st.lists(st.booleans(), min_size=3, max_size=3), st.sampled_from(["fail", "pass", "temperror"])
)
def test_no_choice_of_signing_domains_prints_anothers_pass(named: list[str], hidden: list[bool], verdict: str) -> None:
    """Whatever stands in d=, of signatures that are seen and of some that are not; one that passes may have labels with blanks in them."""
    printed = "{" + ", ".join(f"@{name} : {verdict if name.strip() != 'example.com' else 'fail'}" for name in named) + "}"
    shown = [SIGNATURE.format(name) for name, away in zip(named, hidden, strict=False) if not away]
    fakes = [SIGNATURE.format("example.com")] if hidden[0] and not shown else []
    assert "example.com" not in admission.dkim_passes(printed, Headers.parse(HEAD.format("".join(shown + fakes))))


@pytest.mark.parametrize(
    "field",
    [
        "{@example.com : fail, @example.com : pass : fail}", "{@example.com : pass : fail}", "{@example.com : pass,}",
        "{, @example.com : pass}",
        "{@example.com : pass}}", "{{@example.com : pass}", "{@example.com : pass} : fail}", "@example.com : pass", "{@example.com}", "{}",
        "{@example.com : pass; @x : fail}", "{@example.com : pass @x : fail}", "{@example.com pass}", "{@exa mple.com : pass}",
        "{@@example.com : pass}", "{example.com : pass}", "{@example.com\n: pass}", "{@example.com : pass\0}",
        "{@" + "a" * 3_960 + " : fail, @example.com : pass}" + "x" * 99, " " * 4_000 + "{@example.com : pass}",
    ],
)  # fmt: skip
def test_a_field_that_is_not_wholly_entries_is_void(field: str) -> None:
    """SendGrid writes `{@domain : verdict, @domain : verdict}`; what is left over was the sender's."""
    assert admission.dkim_passes(field, Headers.parse(GENUINE)) == []


def test_the_genuine_print_is_believed() -> None:
    """Controls: with one signature and with several, of which some failed."""
    two = Headers.parse(HEAD.format(SIGNATURE.format("example.com") + SIGNATURE.format("List.Example")))
    assert admission.dkim_passes("{@example.com : pass}", Headers.parse(GENUINE)) == ["example.com"]
    assert admission.dkim_passes("{@example.com : pass, @list.example : fail}", two) == ["example.com"]
    assert admission.dkim_passes("{@list.example : temperror,@Example.com : PASS}\n", two) == ["example.com"]
    assert admission.dkim_passes("{@list.example : pass, @list.example : pass}", two) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"text": f'Hi\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="SPF"\r\n\r\npass'},
        {"text": f'Hi\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="dkim"\r\n\r\n{{@example.com : pass}}'},
        {"text": f'Hi\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="email"\r\n\r\n{GENUINE}\r\n'},
        {"text": "Hi" + f"\r\n--{BOUNDARY}\r\nx" * 5_001},
        {"text": f"Hi\r\n--{BOUNDARY}--"},
    ],
)
def test_a_mail_that_holds_the_forms_boundary_adds_no_field(changes: dict[str, str]) -> None:
    """What its author writes before SendGrid's own fields would be read instead of them."""
    envelope = json.dumps({"to": ["boss@example.com"], "from": "user@example.com"})
    fields = mail_fields(dkim=None, SPF=None, envelope=None, **changes)
    end = {"envelope": envelope, "dkim": "none", "SPF": "fail"}
    for proof in ({}, {"dkim": "{@example.com : pass}"}, {"SPF": "pass"}):
        body = multipart_body({**fields, **end, **proof})
        mail = parse_email(body, MULTIPART)
        assert mail.unread == "bad_form"
        assert not admission.authenticated(mail)


def test_the_charset_of_a_proof_is_not_the_mails_to_choose() -> None:
    """`charsets` names what the mail said of itself: by UTF-16 no header would be left."""
    charsets = json.dumps(dict.fromkeys(("headers", "dkim", "SPF", "envelope"), "utf-16"))
    assert judged(fields(GENUINE, charsets=charsets)) == "admitted"
    assert judged(fields(FORGED, charsets=charsets, dkim=f"{{@{HOSTILE} : fail}}")) == "unauthenticated"


REFERENCES: Final = "References:" + "".join(f"\n <{number:040}@mail.example.com>" for number in range(2_000)) + "\n"
CONTROLS: Final = {
    "as it is": GENUINE,
    "folded anew": GENUINE.replace("; ", ";\n\t"),
    "unfolded, as SendGrid prints it": GENUINE.replace("\n ", "        "),
    "sorted, as SendGrid prints it": "".join(sorted(GENUINE.replace("\n ", "        ").splitlines(keepends=True))),
    "in CR LF": GENUINE.replace("\n", "\r\n"),
    "in CR LF, its end and its folds in LF": GENUINE.rstrip().replace("\n", "\r\n").replace("\r\n ", "\n ") + "\n",
    "with an empty line at its end": GENUINE + "\n",
    "without a line end": GENUINE.rstrip(),
    "2,000 references": GENUINE + REFERENCES,
    "an unfolded line of 100 kB": GENUINE + f"X-Gm-Message-State: {'AbC/' * 25_000}\n",
    "200 servers": "Received: by mx.example.net;\n\tSun, 22 Nov 2026 10:00:00 +0000\n" * 200 + GENUINE,
    "letters of all languages": GENUINE.replace("Lunch", "Grüße, 昼食, обед 😀").replace("Example User", "Müller 昼食"),
    "an empty value": GENUINE + "X-Spam-Report:\nX-Empty: \n",
    "odd names": GENUINE + "X!#$%&'*+-.^_`|~/()<>@,;\\\"[]?={}: y\n" + "X-" + "a" * 200 + ": y\n",
    "no blank behind the colon": GENUINE.replace(": ", ":"),
    "a subject in escapes": GENUINE.replace("Lunch", "\x1b$B$3$s\x1b(B"),
    "almost as long as is read": GENUINE + f"X-Pad: {'y' * (MAX_BLOCK - len(GENUINE) - 100)}\n",
}


@pytest.mark.parametrize("raw", [False, True], ids=["parsed", "raw"])
@pytest.mark.parametrize("name", CONTROLS)
def test_what_peoples_programs_write_is_let_in(name: str, raw: bool) -> None:
    """A header block is void for its structure, not for its length or its letters."""
    if raw and name in ("in CR LF, its end and its folds in LF", "with an empty line at its end", "without a line end"):
        pytest.skip("a block in a whole mail ends with its empty line")
    assert judged(fields(CONTROLS[name], raw=raw)) == "admitted"


@pytest.mark.parametrize(
    ("exact", "signer", "author", "speaks"),
    [
        ((), "mail.example.com", "example.com", True),
        (("example.com",), "mail.example.com", "example.com", False),
        (("example.com",), "example.com", "mail.example.com", False),
        (("example.com",), "example.com", "example.com", True),
        (("example.com",), "a.example.com", "a.example.com", True),
        (("example.com",), "b.a.example.com", "a.example.com", False),
        (("example.com",), "mail.notexample.com", "notexample.com", True),
        (("mail.example.com",), "mail.example.com", "example.com", True),
    ],
)
def test_where_subdomains_are_handed_out_only_the_same_domain_speaks(
    exact: tuple[str, ...], signer: str, author: str, speaks: bool
) -> None:
    """The operator lists such hosts in EMAIL_EXACT_DOMAINS; for all others DMARC's relaxed alignment holds."""
    assert aligned(signer, author, exact) is speaks
