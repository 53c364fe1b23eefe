"""One conversation in each language: everything that code says in it is in that language, and the person answers in its words."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from string import Formatter
from typing import Any, Final

import pytest
from redis import Redis

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox import calls
from shared.model.addresses import PhoneNumber
from shared.model.approvals import WORDS as ANSWERS
from shared.model.commands import WORDS as COMMANDS
from shared.model.events import Keyword, Received, SmsReceived
from shared.model.files import File
from shared.model.sentences.languages import LANGUAGES, in_language
from shared.model.users import LOCAL_USER, Users
from shared.model.words import WORDS
from supervisor_worker.assistant import reminder_texts
from tests.integration.turns.test_outside_calls import Server, calls_for, tool
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import BOSS, TurnEnvironment, calling

PHONE: Final = PhoneNumber("+15551234567")


class Conversation:
    """What a person of one language writes, and what comes back."""

    def __init__(self, environment: TurnEnvironment, language: str) -> None:
        self.environment, self.language = environment, language
        environment.users = Users([replace(LOCAL_USER, language=language, timezone="Europe/Lisbon")])

    def answer(self, event: Received, *script: dict[str, Any]) -> str:
        """All that is said to a message."""
        return self.environment.answer_to(event, *script)

    def command(self, name: str, *, mail: bool = False) -> str:
        """The answer to a command, given by its word in the language."""
        word = in_language(COMMANDS[name], self.language)[0]  # type: ignore[index]
        return self.answer(self.environment.mail(word) if mail else self.environment.text(word.upper()))

    def keyword(self, keyword: Keyword) -> None:
        """The person texts STOP or START, as every carrier knows it."""
        name = uuid.uuid4().hex
        event = SmsReceived(id=f"m-{name[:24]}", from_=PHONE, to=BOSS, message=keyword, user="user", provider_id=f"SM{name}")
        ids = self.environment.identities
        call = calls.accept(
            event,
            kind="text",
            conversation=self.environment.conversation(event),
            sender=ids.sender(event.from_),
            pair=ids.pair(event.to, event.from_),
            turns_per_hour=1000,
            user=ids.user("user"),
            thread=ids.thread(event.thread),
            keyword=keyword,
        )
        assert self.environment.mailbox.run(call).reason == {"stop": "opt_out", "start": "opt_in"}[keyword]

    def languages_of(self, name: str, text: str) -> list[str]:
        """The languages in which a text has a sentence of ours."""
        plain = " ".join(text.split())
        return [language for language in LANGUAGES if pattern(name, language).search(plain)]

    def says(self, name: str, text: str) -> bool:
        """Whether a text has a sentence of ours in the person's language, and in no other."""
        return self.languages_of(name, text) == [self.language]


def pattern(name: str, language: str) -> re.Pattern[str]:
    """A sentence, whatever is filled in."""
    parts = Formatter().parse(" ".join(in_language(WORDS[name], language).split()))
    return re.compile(r"(?<!\w)" + "".join(re.escape(text) + (".+" if field else "") for text, field, _, _ in parts))


@pytest.fixture(params=LANGUAGES)
def talk(request: pytest.FixtureRequest, redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[Conversation]:
    """With a server whose tools ask, and bounds that hold."""
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    hosts = dict.fromkeys(("TWILIO_API_BASE_URL", "SENDGRID_API_BASE_URL", "ANTHROPIC_BASE_URL"), sandbox.url)
    keys = {name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}
    slow = {"LEASE_SECONDS": 60, "CLAUDE_TIMEOUT_SECONDS": 20, "SEND_TIMEOUT_SECONDS": 10}
    environment = TurnEnvironment(redis, redis_url, sandbox, {"SANDBOX": "off", **hosts, **keys, **slow})
    environment.mcp = Server((tool("send", recipient="to"),))
    yield Conversation(environment, request.param)
    environment.close()


def test_all_that_code_says_in_a_conversation_is_in_the_person_s_language(talk: Conversation) -> None:
    """A reminder and a list, a question and its answer, commands, a file that was not kept, STOP and START, and the day's bound."""
    environment, language = talk.environment, talk.language
    at = (datetime.now(UTC) + timedelta(days=40)).replace(hour=9, minute=5)
    told = talk.answer(environment.text(), calling("set_reminder", text="dentist", at=f"{at:%Y-%m-%dT%H:%M}"), {"text": "A."})
    assert talk.says("reminder_set", told)
    assert reminder_texts.when(at.replace(tzinfo=None), language, datetime.now(UTC).year) in told
    assert talk.says("list_added", talk.answer(environment.text(), calling("add_to_list", list="food", items=["milk"]), {"text": "A."}))

    asked = talk.answer(environment.text(), calls_for("send"), {"text": "A."})
    assert talk.says("ask", asked)
    (code,) = set(re.findall(r"\b\d{4}\b", asked))
    assert talk.says("approval_yes", talk.answer(environment.text(f"{in_language(ANSWERS['yes'], language)} {code}")))
    environment.drive(lambda: not environment.redis.exists("boss:due", "boss:priority_due"))
    assert talk.says("outside_done", environment.sandbox.journal("twilio.create", accepted=True)[-1]["request"]["body"])

    assert talk.says("help", talk.command("help"))
    assert talk.says("status_none", talk.command("status"))
    long = {"text": "word " * 300}
    assert talk.says("more_hint", talk.answer(environment.text(), long, long))
    assert talk.command("more").startswith("word ")
    assert talk.says("no_more", talk.command("more"))
    assert talk.says("new_chat", talk.command("new"))
    assert talk.says("back", talk.command("back"))
    assert talk.says("zone_kept", talk.command("keep"))

    file = File("", "photo.heic", "image/heic", 9_000_000, "too_large")
    assert talk.says("not_kept_one", talk.answer(environment.mail("Look", files=(file,), attachments=("photo.heic",)), {"text": "A."}))

    talk.keyword("stop")
    assert talk.says("opted_out_text", talk.command("status", mail=True))
    talk.keyword("start")
    assert not talk.languages_of("opted_out_text", talk.command("status"))

    environment.environment = {**environment.environment, "DAILY_TURNS": 1}
    held = environment.text("And now?")
    environment.once(held)  # finds the day used up
    environment.once(held)  # tells its sender
    assert talk.says("waits_day", environment.sandbox.journal("twilio.create", accepted=True)[-1]["request"]["body"])
    assert talk.says("status_one", talk.command("status"))
