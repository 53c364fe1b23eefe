"""From the model's text to the command that is stored: formatted once, and not on the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from shared.config.loading import load_settings
from shared.mailbox.records import Message, MessageState, Turn
from shared.model import users_file
from shared.model.addresses import EmailAddress
from shared.model.events import EmailReceived, Received, Response
from supervisor_worker.assistant import reply
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.generated import MAX_ON_LOOP, ReplyTarget
from supervisor_worker.assistant.history import NOTHING_SAID
from supervisor_worker.assistant.reply import ReplyGenerator
from supervisor_worker.channels.sendgrid.format import EmailFormat
from supervisor_worker.media.turn_files import LoadedFiles
from supervisor_worker.media.turn_media import NO_MEDIA
from supervisor_worker.providers.retry_budget import RetryBudget

MAIL = EmailReceived(
    id="m-1",
    from_=EmailAddress("a@example.com"),
    to=EmailAddress("boss@example.com"),
    subject="Hi",
    body="Hello",
    message_id="<m@x>",
    user="ada",
)


@dataclass(frozen=True)
class CountedFormat(EmailFormat):
    """The format of mails, which notes what it formats and in which thread."""

    formatted: list[tuple[str, bool]] = field(default_factory=list)

    def reply(self, event: Received, text: str, reply_id: str) -> Response:
        """As it is."""
        self.formatted.append((text, threading.current_thread() is threading.main_thread()))
        return super().reply(event, text, reply_id)


@dataclass
class Model:
    """Answers with what it was given, in turn."""

    texts: list[str]

    async def ask(self, prompt: Any) -> ModelAnswer:
        """The next of them."""
        del prompt
        return ModelAnswer(self.texts.pop(0))

    def not_usable(self) -> None:
        """An empty answer."""


class Nothing:
    """Neither media nor files."""

    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded

    def media(self, events: Sequence[Received], **given: Any) -> Any:
        """None of these."""
        del events, given
        return self

    def files(self, *given: Any) -> Any:
        """Nor of these."""
        del given
        return self

    async def __aenter__(self) -> Any:
        return self._loaded

    async def __aexit__(self, *error: object) -> None:
        pass


def generated(form: CountedFormat, texts: list[str], monkeypatch: pytest.MonkeyPatch) -> Response | None:
    """The reply to a mail, of a model that says these."""
    monkeypatch.setattr(reply, "configured", lambda *_: {"email": form})
    settings = load_settings(sandbox="on")
    generator = ReplyGenerator(
        settings, users_file.load_users(None), cast("Any", Nothing(NO_MEDIA)), RetryBudget(), cast("Any", Nothing(LoadedFiles()))
    )
    message = Message("m-1", "c-1", "mail", MessageState.IN_TURN, "email", event=MAIL)
    turn = Turn("t-1", (message,))
    found = asyncio.run(generator.generate(turn, [MAIL], NOTHING_SAID, cast("Any", Model(texts))))
    return found.command if found else None


def test_an_answer_is_formatted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is stored is what was formatted; an empty one is known by the same."""
    form = CountedFormat()
    command = generated(form, ["**Yes**"], monkeypatch)
    assert [text for text, _ in form.formatted] == ["**Yes**"]
    assert command is not None
    assert command.text == "Yes"
    assert command.in_reply_to == "<m@x>"  # type: ignore[attr-defined]
    form = CountedFormat()
    assert generated(form, ["``` \n```", ""], monkeypatch) is None
    assert [text for text, _ in form.formatted] == ["``` \n```", ""]


def test_a_long_answer_does_not_hold_the_loop_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is formatted in a thread, and the loop goes on meanwhile; a short one is not worth a thread."""
    form = CountedFormat()
    generated(form, ["*a_" * 6_000], monkeypatch)
    generated(form, ["short"], monkeypatch)
    assert [on_loop for _, on_loop in form.formatted] == [False, True]

    loop_went_on = threading.Event()

    class Waiting(EmailFormat):
        def reply(self, event: Received, text: str, reply_id: str) -> Response:
            assert loop_went_on.wait(5)
            return super().reply(event, text, reply_id)

    async def scenario() -> None:
        formatting = asyncio.create_task(ReplyTarget(MAIL, Waiting(), "r-1").command("x" * (MAX_ON_LOOP + 1)))
        await asyncio.sleep(0.01)
        loop_went_on.set()
        await formatting

    asyncio.run(scenario())
