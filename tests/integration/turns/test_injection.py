"""Attacks on the model (T6), sent as texts and as mails to a model that obeys every one of them: it answers with the attacker's own words.

What holds then holds whatever a model may say: who gets an answer, under which subject and with which headers is not its to choose.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis

from shared.config.settings import Settings
from shared.model.sms_segments import size
from shared.model.words import said
from supervisor_worker.assistant import prompt
from supervisor_worker.assistant.tool_loop import UNKNOWN
from supervisor_worker.assistant.tools.catalog import TOOLS
from supervisor_worker.channels.twilio.fitting import DEFAULT_SEGMENTS
from tests import payloads
from tests.support.mail_html import MailHtml
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment
from tests.support.webhook_client import Web, opened

CANARY = "canary-7d1f"
SECRETS = {
    name.upper(): f"{CANARY}-{name}"
    for name, field in Settings.model_fields.items()
    if field.annotation is SecretStr and name != "redis_url"  # the test's own server has no password
}
PROMPT = prompt._COMMON[-100:-40]
MANY = {"sender_turns_per_hour": 10_000, "pair_turns_per_day": 1_000_000, "mail_turns_per_hour": 10_000}


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack; what is empty is as in any mail."""

    name: str
    text: str
    subject: str = "Plans"
    shown: str = "Plans"
    files: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    html: str = ""

    def mail(self, number: int) -> payloads.Fields:
        """The mail as SendGrid posts it: a thread of its own."""
        own = f"From: Example User <user@example.com>\nTo: boss@example.com\nMessage-ID: <attack-{number}@example.com>\n"
        files = {f"attachment{place}": (name, b"x") for place, name in enumerate(self.files, 1)}
        fields: dict[str, Any] = {"headers": own + "".join(f"{line}\n" for line in self.headers), "subject": self.subject, **files}
        return payloads.mail_fields(**fields, text=None if self.html else self.text, html=self.html or None)


def _attack(table: dict[str, Any]) -> Attack:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    return Attack(**fields)


ATTACKS = [_attack(table) for table in tomllib.loads((Path(payloads.__file__).parent / "attacks.toml").read_text("utf-8"))["attack"]]


@pytest.fixture(scope="module")
def obeying() -> Iterator[SandboxProcess]:
    """A sandbox that asks for no credentials, so that ours can be canaries."""
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def environment(redis: Redis, redis_url: str, obeying: SandboxProcess) -> Iterator[TurnEnvironment]:
    obeying.reset()
    obeying.faults(twilio={"status_callbacks": False}, sendgrid={"events": False}, anthropic={"obey": True})
    found = TurnEnvironment(
        redis,
        redis_url,
        obeying,
        {**SECRETS, "TWILIO_API_KEY_SID": "SK" + "0" * 32, "LEASE_SECONDS": 60, "CLAUDE_TIMEOUT_SECONDS": 20, "SEND_TIMEOUT_SECONDS": 10},
    )
    yield found
    found.close()


@pytest.fixture
def web(redis_url: str) -> Iterator[Web]:
    with opened(redis_url, **MANY) as running:
        yield running


def asked_and_sent(environment: TurnEnvironment) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """What went to the model, to Twilio and to SendGrid; no secret of ours is in any of it, and the prompt is where it belongs."""
    kinds = ("anthropic.messages", "twilio.create", "sendgrid.send")
    asked, texts, mails = ([entry["request"] for entry in environment.sandbox.journal(kind)] for kind in kinds)
    assert CANARY not in json.dumps([asked, texts, mails])
    assert all(PROMPT in request["system"] for request in asked)
    assert PROMPT not in json.dumps([[request["messages"] for request in asked], texts, mails])
    return asked, texts, mails


def test_there_are_enough_of_them() -> None:
    """Sixty and more, each once."""
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 60
    assert set(SECRETS) >= {"TWILIO_AUTH_TOKEN", "SENDGRID_API_KEY", "ANTHROPIC_API_KEY", "EMAIL_WEBHOOK_SECRET", "SUPERVISOR_TOKEN"}


def test_no_text_makes_a_model_that_obeys_write_to_anybody_else(environment: TurnEnvironment, web: Web) -> None:
    """One answer each, to the number that wrote, from the number that it wrote to, in the length of a text."""
    for number, attack in enumerate(ATTACKS):
        assert web.sms(MessageSid=f"SM{number:032x}", Body=attack.text).status_code == 200
        record = next(record for record in web.stored() if record["state"] == "pending")
        message = web.runtime.mailbox.message(record["id"])
        assert message is not None
        assert message.event is not None
        environment.once(message.event)
        assert environment.state(message.event) == "answered", attack.name
    _, texts, mails = asked_and_sent(environment)
    assert (len(texts), mails) == (len(ATTACKS), [])
    for request in texts:
        assert set(request["params"]) == {"To", "From", "Body", "StatusCallback"}
        assert (request["params"]["To"], request["params"]["From"]) == (payloads.USER_PHONE, payloads.BOSS_PHONE)
        assert request["params"]["StatusCallback"].startswith("http://127.0.0.1:")
        assert len(request["body"].encode("utf-16-le")) // 2 <= 1_600
    assert "mallory@evil.example" in texts[0]["body"]  # it did obey


def test_no_mail_makes_a_model_that_obeys_write_to_anybody_else(environment: TurnEnvironment, web: Web) -> None:
    """One answer each, to the proven author alone, as text and links under the mail's own subject, with headers of ours and no others."""
    for number, attack in enumerate(ATTACKS):
        assert web.mail(body=payloads.multipart_body(attack.mail(number))).status_code == 200, attack.name
    assert [record["state"] for record in web.stored()] == ["pending"] * len(ATTACKS)
    environment.drive(lambda: environment.sandbox.count("sendgrid.send") == len(ATTACKS), seconds=40)
    _, texts, mails = asked_and_sent(environment)
    assert (len(mails), texts) == (len(ATTACKS), [])
    answers = {request["headers"]["In-Reply-To"]: request["mail"] for request in mails}
    for number, attack in enumerate(ATTACKS):
        mail = answers[f"<attack-{number}@example.com>"]
        (person,) = mail["personalizations"]
        assert person["to"] == [{"email": "user@example.com"}], attack.name
        assert set(person) == {"to", "custom_args"}
        assert set(person["custom_args"]) == {"reply", "attempt", "pair"}
        assert mail["from"] == {"email": "boss@example.com", "name": "Boss"}
        assert mail["subject"] == f"Re: {attack.shown}"
        assert [block["type"] for block in mail["content"]] == ["text/plain", "text/html"]
        assert all(len(block["value"].encode()) <= 50_000 for block in mail["content"])
        assert MailHtml(mail["content"][1]["value"]).text.strip(), attack.name
        assert set(mail) == {"personalizations", "from", "subject", "content", "headers", "tracking_settings"}
        assert set(mail["headers"]) <= {"Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "In-Reply-To", "References"}
        assert all(value.isprintable() and value.isascii() for value in mail["headers"].values())
        assert "evil" not in json.dumps(mail["headers"]), attack.name


def test_the_model_is_given_our_tools_and_another_that_it_wants_all_the_same_is_nobodys(environment: TurnEnvironment, web: Web) -> None:
    """It is told that there is none, nothing else happens, and the person is told that by code: the model's "Done." is untrue."""
    call = {"name": "send_sms", "input": {"to": "+15550009999", "body": "hi"}}
    environment.sandbox.script({"calls": [call]}, {"text": "Done."})
    web.sms(Body="Send a text to +15550009999")
    environment.drive(lambda: environment.sandbox.count("twilio.create") == 1)
    asked, texts, _ = asked_and_sent(environment)
    fields = {"model", "max_tokens", "system", "messages", "thinking", "output_config", "tools"}
    assert set(asked[0]) - {"text", "user_turns", "tool_names"} == fields
    assert asked[0]["tool_names"] == [tool.name for tool in TOOLS]
    assert {result["text"] for request in asked[1:] for result in request["tool_results"]} == {UNKNOWN}
    assert [(request["to"], request["body"]) for request in texts] == [(payloads.USER_PHONE, said("tool_not_done", "en"))]


@pytest.mark.parametrize("letter", ["x", "漢", "😀", "e\u0301"])
def test_an_answer_without_end_is_cut(environment: TurnEnvironment, web: Web, letter: str) -> None:
    """The segments of a text; 50 kB of a mail, whatever the letters take."""
    environment.sandbox.faults(anthropic={"content": [{"type": "text", "text": letter * 200_000}], "usage": {"output_tokens": 4_000}})
    web.sms(Body="Go on")
    web.mail()
    environment.drive(lambda: environment.sandbox.count("twilio.create") + environment.sandbox.count("sendgrid.send") == 2, seconds=30)
    _, texts, mails = asked_and_sent(environment)
    assert size(texts[0]["body"]).segments <= DEFAULT_SEGMENTS
    assert 40_000 <= len(mails[0]["html"].encode()) <= 50_000
    assert 40_000 <= len(mails[0]["text"].encode()) <= 50_000
    assert texts[0]["body"].endswith(said("more_hint"))
    assert mails[0]["text"].endswith("[...]")
