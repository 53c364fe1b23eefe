"""Words by which a user opts out, opts in or asks for help: from the webhook to what the phone gets, and no user is left in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.installation import Installation, Person
from tests.support.users_file import BOSS_PHONE

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else
CASES = json.loads((Path(__file__).parents[2] / "payloads" / "keywords.json").read_text())["cases"]
LEFT = ["STOP", "STOPALL", "UNSUBSCRIBE", "REVOKE", "OPTOUT", "QUIT"]
"""What the operator has left in force at Twilio: CANCEL and END are words like any other there."""


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with Installation(OPT_OUT_WORDS="QUIT") as running:
        running.sandbox.faults(twilio={"opt_out_words": LEFT})
        running.fork()
        yield running


def says(installation: Installation, person: Person, body: str, **fields: object) -> None:
    """A text of these words and nothing else arrives, and all that comes of it has come."""
    answer = installation.sandbox.send_sms(body, from_=person.phone, to=BOSS_PHONE, **fields)
    assert answer["status"] == 200
    installation.quiet()


def texts_back(installation: Installation, person: Person) -> int:
    return len(installation.replies(person))


def confirmed(installation: Installation, person: Person) -> int:
    """How many sentences Twilio itself sent this person."""
    return sum(entry["request"]["to"] == person.phone for entry in installation.sandbox.journal("twilio.confirmation", accepted=None))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_nobody_is_left_in_silence_by_a_word(installation: Installation, case: dict[str, Any]) -> None:
    """What Twilio confirms is answered by Twilio, everything else by the Boss."""
    person = installation.person()
    if case.get("opted_out"):
        says(installation, person, "STOP")
    before = texts_back(installation, person)
    says(installation, person, case["text"])
    assert texts_back(installation, person) - before == case["texts_back"]
    if "then" in case:
        says(installation, person, case["then"])
        assert texts_back(installation, person) - before == case["texts_back"] + case["then_texts_back"]
    if "opted_out_after" in case:
        before = texts_back(installation, person)
        says(installation, person, "and now?")
        assert texts_back(installation, person) - before == (0 if case["opted_out_after"] else 1)


@pytest.mark.parametrize(
    ("text", "fields", "ours", "twilios"),
    [
        ("HELP", {}, 0, 1),
        ("info", {"opt_out_type": "HELP"}, 0, 1),
        ("help me", {}, 1, 0),
        ("yes", {}, 1, 0),
        ("quit", {}, 0, 1),
        ("END", {}, 1, 0),
        ("stop please", {}, 1, 0),
    ],
)
def test_every_word_gets_one_answer_from_one_of_both(
    installation: Installation, text: str, fields: dict[str, str], ours: int, twilios: int
) -> None:
    """HELP is Twilio's, and not answered twice; words that no longer opt out are the Boss's."""
    person = installation.person()
    says(installation, person, text, **fields)
    assert (texts_back(installation, person), confirmed(installation, person)) == (ours, twilios)
