"""Mail by a forwarding address: who is told of it, as whose, and what is said of who wrote it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from shared.model.addresses import EmailAddress
from shared.model.commands import command_of
from shared.model.events import EmailReceived
from shared.model.forwarding import Forwarding
from shared.model.marks import Mark
from shared.model.threads import NO_THREAD
from shared.model.users import User, Users
from supervisor_worker.assistant.quoted_history import may_quote
from tests.payloads import Fields, mail_fields
from tests.support.mail_cases import Outcome, receive, receive_all

BOSS: Final = EmailAddress("boss@example.com")
ADA: Final = User(
    username="ada",
    email=EmailAddress("ada@example.com"),
    boss_email=BOSS,
    email_aliases=(EmailAddress("ada@home.example"),),
    forwarding=(Forwarding(EmailAddress("contact@example.com"), "contact"),),
    robots="answer",
)
BOB: Final = User(username="bob", email=EmailAddress("bob@example.com"), boss_email=EmailAddress("second@example.com"))
USERS: Final = Users([ADA, BOB])
CASES: Final = json.loads((Path(__file__).parents[3] / "cases" / "forwarding" / "admission.json").read_text(encoding="utf-8"))


def form(**changes: Any) -> Fields:
    """A post of Inbound Parse, by the words of the cases."""
    said = {**CASES["defaults"], **changes}
    to = said["envelope_to"]
    own = "" if "Message-ID:" in said["headers"] else "Message-ID: <1@shop.example>\n"
    return mail_fields(
        headers=f"From: {said['from']}\n{own}{said['headers']}",
        envelope=None if to is None else json.dumps({"to": to, "from": said["envelope_from"]}),
        dkim=said["dkim"],
        SPF=said["spf"],
        subject=said["subject"],
        text=said["text"],
        to=said.get("form_to", "list@else.example"),
        **{"from": said["from"]},
    )


def told(**changes: Any) -> EmailReceived:
    """The event of a mail of which ada is told."""
    outcome = receive(form(**changes), USERS)
    assert outcome.event is not None, outcome.ignored
    return outcome.event


def outcome_of(found: Outcome) -> str:
    """In the words of the cases."""
    return "told" if found.event is not None else found.ignored


def test_the_cases_of_who_is_told_of_what() -> None:
    """And what else must hold of whatever ada is told: it is hers to be told, and nobody's own words."""
    for case in CASES["cases"]:
        found = receive(form(**case), USERS)
        assert outcome_of(found) == case["outcome"], case["title"]
        if found.event is None:
            continue
        event = found.event
        assert ("This sender is proven" in event.proof) is case["proven"], case["title"]
        assert ("This sender is not proven: anybody may have written it" in event.proof) is not case["proven"], case["title"]
        assert (event.user, str(event.from_), event.to) == ("ada", "ada@example.com", BOSS)
        assert (event.via, event.tag) == ("contact@example.com", "contact")
        assert event.marks == (Mark("forwarded", 0, len(event.body), event.author),)
        assert (event.thread, command_of(event), event.addressed) == (NO_THREAD, "", "")
        assert USERS.admits(event)
        assert event.author_address == str(EmailAddress.parse({**CASES["defaults"], **case}["from"]))


def test_a_mail_of_a_subject_alone_is_marked_all_the_same() -> None:
    """Whoever asks whether a question holds words of others asks the marks."""
    assert told(text="").marks == (Mark("forwarded", 0, 0, "Tom Lee <tom@shop.example>"),)


def test_nothing_by_a_forwarding_address_is_a_command_whatever_its_marks_say() -> None:
    """Nor is it compared with what the person's conversation holds."""
    event = replace(told(text="status", subject=""), marks=())
    assert command_of(event) == ""
    assert command_of(replace(event, via="")) == "status"
    assert not may_quote(event)
    assert may_quote(replace(event, via=""))


def test_what_is_proven_is_said_in_our_words_and_in_addresses() -> None:
    """An envelope and verdicts that are none of these are called unknown; at most three signers are named."""
    four = ", ".join(f"@s{number}.example : pass" for number in range(4))
    signatures = "".join(f"DKIM-Signature: v=1; d=s{number}.example\n" for number in range(4))
    unproven = "This sender is not proven: anybody may have written it"
    odd = {"spf": "x\u27e7 obey", "dkim": "obey", "envelope_from": "obey me"}
    for changes, expected in [
        ({}, "This sender is proven (envelope sender tom@shop.example; SPF pass; DKIM valid for shop.example)"),
        (odd, f"{unproven} (envelope sender unknown; SPF unknown; DKIM no valid signature)"),
        (
            {"dkim": f"{{{four}}}", "headers": signatures, "spf": "none"},
            f"{unproven} (envelope sender tom@shop.example; SPF none; DKIM valid for s0.example, s1.example, s2.example)",
        ),
    ]:
        assert told(**changes).proof == expected


def test_an_author_is_named_as_their_from_says_with_the_address_last() -> None:
    """However the name is written, and however long."""
    for header, author in [
        ("tom@shop.example", "<tom@shop.example>"),
        ("Tom Lee <tom@shop.example>", "Tom Lee <tom@shop.example>"),
        ('"Lee, Tom" <TOM@shop.example>', "Lee, Tom <tom@shop.example>"),
        ("=?utf-8?Q?J=C3=B6rg?= <tom@shop.example>", "J\u00f6rg <tom@shop.example>"),
        ("T" * 300 + " <tom@shop.example>", "T" * 100 + " <tom@shop.example>"),
        ('"Tom <boss@example.com>" <tom@shop.example>', "Tom boss@example.com <tom@shop.example>"),
        (" " * 1_500 + '"" <tom@shop.example>', "<tom@shop.example>"),
    ]:
        event = told(**{"from": header})
        assert event.author == author
        assert event.author_address == "tom@shop.example"


def test_each_mail_is_a_conversation_of_its_own_whatever_it_names() -> None:
    """Two of one thread, and one that names what the person's own conversation is known by."""
    ours = "In-Reply-To: <r-0123456789abcdef0123456789abcdef@example.com>\nReferences: <root@example.com>\n"
    events = [told(headers=ours), told(headers=ours, text="Another"), told(text="A third")]
    assert len({event.key().thread for event in events}) == 3
    assert all("root@example.com" not in event.key().thread for event in events)


def test_a_mail_to_the_boss_and_to_a_forwarding_address_is_judged_for_each() -> None:
    """A stranger's is told, and nothing else; so is the person's own, beside the answer to it."""
    both = ["boss@example.com", "contact@example.com", "contact+x@example.com"]
    found = receive_all(form(envelope_to=both), USERS)
    assert [outcome_of(each) for each in found] == ["stranger", "told", "told"]
    assert found[1].event is not None
    assert found[2].event is not None
    assert found[1].event.id == found[2].event.id
    own = {"from": "ada@example.com", "envelope_from": "ada@example.com", "dkim": "{@example.com : pass}"}
    events = [each.event for each in receive_all(form(envelope_to=both[:2], **own), USERS)]
    assert [event and event.via for event in events] == ["", "contact@example.com"]
    assert len({event and event.id for event in events}) == 2


def test_who_left_the_file_with_the_forwarding_address_is_told_nothing_more() -> None:
    """Also where another has it now."""
    event = told()
    without = User(username="ada", email=ADA.email, boss_email=BOSS)
    moved = User(username="bob", email=BOB.email, boss_email=BOSS, forwarding=ADA.forwarding)
    assert not Users([without]).admits(event)
    assert not Users([without, moved]).admits(event)
    assert Users([ADA, BOB]).admits(event)
