"""Threads from the webhook to the answer: what a person's mail program names decides which conversation the model is shown."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis

from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment
from tests.support.webhook_client import ELSEWHERE, SECRET, Web, opened

CASES: Final = sorted((Path(__file__).parents[2] / "cases" / "mail").glob("*thread_*.seq.json"))
OUTLOOK: Final = "AdcA1234567890abcdefghijklmnopqrstuv"
"""22 bytes and five of an answer."""


class Correspondence:
    """The web application and a worker's inside, on one server."""

    def __init__(self, web: Web, environment: TurnEnvironment) -> None:
        self.web = web
        self.environment = environment
        self.sandbox = environment.sandbox

    def write(self, text: str, **headers: str) -> dict[str, Any]:
        """Post a mail and wait for the answer: the request by which it was sent."""
        names = {"subject": "Subject", "message_id": "Message-ID", "in_reply_to": "In-Reply-To", "references": "References"}
        block = {"From": "user@example.com", "To": "boss@example.com", **{names.get(name, name): value for name, value in headers.items()}}
        lines = "".join(f"{name}: {value}\n" for name, value in block.items() if value)
        before = self.sandbox.count("sendgrid.send")
        assert self.web.mail(text=text, subject=headers.get("subject", ""), headers=lines).status_code == 200
        self.environment.drive(lambda: self.sandbox.count("sendgrid.send") > before)
        sent: dict[str, Any] = self.sandbox.journal("sendgrid.send")[-1]["request"]
        return sent

    def is_shown(self, word: str) -> bool:
        """Whether the history of the last question to the model holds a word; notes on other chats stand in its newest message."""
        return word in json.dumps(self.sandbox.journal("anthropic.messages")[-1]["request"]["messages"][:-1])


@pytest.fixture
def talk(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[Correspondence]:
    """An empty installation, with a model that remembers nothing beyond its conversation: it calls no tool."""
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False}, anthropic={"text": "Noted."})
    with opened(redis_url, thread_turns_per_hour=1_000, mail_turns_per_hour=1_000, sender_turns_per_hour=1_000) as web:
        environment = TurnEnvironment(redis, redis_url, sandbox)
        yield Correspondence(web, environment)
        environment.close()


def own_id(sent: dict[str, Any]) -> str:
    """The Message-ID of our answer."""
    return next(str(value) for name, value in sent["headers"].items() if name.lower() == "message-id")


def fresh() -> str:
    """A word that nothing else holds."""
    return f"w{uuid.uuid4().hex[:12]}"


def test_the_cases_of_what_mail_programs_name(talk: Correspondence) -> None:
    """Each pair of mails is one conversation, or two, as its case says."""
    assert len(CASES) >= 5
    for path in CASES:
        case = json.loads(path.read_text(encoding="utf-8"))
        word, answer = fresh(), ""
        for step in case["steps"]:
            fields = {name: value.replace("{t}", word).replace("{b1}", answer) for name, value in step.items()}
            answer = own_id(talk.write(fields.pop("text"), **fields))
        assert talk.is_shown(word) == case["expect"]["the_second_question_shows_the_first_mail"], path.name


def test_an_answer_finds_its_conversation_however_it_names_it(talk: Correspondence) -> None:
    """Words around the id, capitals in its host, Outlook's index alone, its subject alone; and what names nothing of it does not."""
    for title, joins, first, second in [
        ("words", True, {}, {"in_reply_to": 'Your message of "Mon, 3 May 2027" {b1}'}),
        ("words with the author", True, {}, {"in_reply_to": "Message from Boss <boss@example.com> of Monday {b1}"}),
        ("capitals", True, {}, {"in_reply_to": "{B1}"}),
        ("no brackets", True, {}, {"references": "{bare}"}),
        ("an id of the person's own", True, {}, {"in_reply_to": "<{t}.1@EXAMPLE.com>"}),
        ("Outlook's index", True, {"Thread-Index": OUTLOOK[:30]}, {"Thread-Index": OUTLOOK, "subject": "Other"}),
        ("another index", False, {"Thread-Index": OUTLOOK[:30]}, {"Thread-Index": "AAAA" + OUTLOOK[4:], "subject": "Other"}),
        ("its subject", True, {"subject": "About {t}"}, {"subject": "AW:  about {t}"}),
        ("its subject without a mark", False, {"subject": "About {t}"}, {"subject": "About {t}"}),
        ("its subject beside an unknown id", False, {"subject": "About {t}"}, {"subject": "Re: About {t}", "in_reply_to": "<x@y.example>"}),
    ]:
        word, secret = fresh(), fresh()
        answer = own_id(talk.write(f"Remember {secret}.", **filled({"message_id": "<{t}.1@example.com>", **first}, word)))
        talk.write("Which?", **filled({"message_id": "<{t}.2@example.com>", "subject": "RE: Trip", **second}, word, answer))
        assert talk.is_shown(secret) == joins, title
        if title.endswith("index"):
            talk.web.redis.delete(*talk.web.redis.keys("boss:thread:*:x-*"))


def filled(headers: dict[str, str], word: str, answer: str = "") -> dict[str, str]:
    """Headers with the word and our answer's id in their places."""
    local, _, host = answer.rpartition("@")
    places = {"{t}": word, "{b1}": answer, "{B1}": f"{local}@{host.upper()}", "{bare}": answer.strip("<>")}
    for name, value in places.items():
        headers = {header: text.replace(name, value) for header, text in headers.items()}
    return headers


def test_a_long_exchange_of_single_parents_is_one_conversation_and_our_answers_name_all_they_know(talk: Correspondence) -> None:
    """Each mail names the one before it alone; ours keep subject and references as the mail that they answer has them."""
    word, parent = fresh(), ""
    for number in range(4):
        sent = talk.write(
            f"Remember {word}." if not number else "And?", subject="Re: Trip" if number else "Trip",
            message_id=f"<{word}.{number}@example.com>", in_reply_to=parent,
        )  # fmt: skip
        assert talk.is_shown(word) == (number > 0)
        headers = {name.lower(): value for name, value in sent["headers"].items()}
        assert sent["subject"] == "Re: Trip"
        assert headers["in-reply-to"] == f"<{word}.{number}@example.com>"
        assert headers["references"] == f"{parent} <{word}.{number}@example.com>".strip()
        parent = headers["message-id"]
    assert len({record["conv"] for record in talk.web.stored()}) == 1


def test_an_answer_to_the_id_that_sendgrid_gave_our_mail_finds_its_conversation(talk: Correspondence) -> None:
    """Its events report it, once or again, in any order; an id of nothing of ours leads nowhere."""
    word = fresh()
    sent = talk.write(f"Remember {word}.", subject="Trip", message_id=f"<{word}.1@example.com>")
    event = {"sg_message_id": "X.y", "timestamp": 1, "smtp-id": f"<{word}@Geopod-ISMTPD-0>", **sent["custom_args"]}
    for kind in ("delivered", "processed", "delivered"):
        batch = json.dumps(
            [{**event, "event": kind}, {**event, "event": kind, "reply": "r-9", "smtp-id": "<no@x>", "sg_message_id": "Z.y"}]
        )
        assert talk.web.client().post(f"/email/events?token={SECRET}", data=batch, environ_overrides=ELSEWHERE).status_code == 204
    talk.write("Which?", subject="RE: Trip", message_id=f"<{word}.2@example.com>", in_reply_to=f"<{word}@geopod-ismtpd-0>")
    assert talk.is_shown(word)
    keys = [key.decode() for key in talk.web.redis.scan_iter("boss:thread:*")]
    assert not [key for key in keys if word in key or "@" in key]
