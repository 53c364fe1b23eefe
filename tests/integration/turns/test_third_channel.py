"""A channel is a row and its two ends: one that only this file knows takes messages in and answers them, end to end."""

# ruff: noqa: D102, ARG002 - the promises are those of the classes that are implemented here
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final, cast

import pytest
from flask import Flask, request
from redis import Redis

from shared.config.settings import Settings
from shared.mailbox import keys
from shared.mailbox.records import Attempt
from shared.model.addresses import Address, Channel, ConversationKey, EmailAddress
from shared.model.channels import CHANNELS, ChannelKind
from shared.model.events import Received, Response
from shared.model.folds import Fold
from shared.operations.messages import view
from shared.operations.people import People
from supervisor_worker.channels.formats import FORMATS
from supervisor_worker.channels.notes import capped
from supervisor_worker.channels.port import ListedMessage
from supervisor_worker.channels.ports import PORTS
from tests.support.forked_worker import ForkedWorker, boss_worker
from tests.support.sandbox import SandboxProcess
from tests.support.wait import wait_for
from tests.support.webhook_client import Web, opened

NAME: Final = "chat"
SENT: Final = "test:sent"
BOSS, USER = "boss@example.com", "user@example.com"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatReceived(Received):
    """A line in a chat; its ends are mail addresses."""

    type: ClassVar[str] = "chat_received"
    channel: ClassVar[Channel] = NAME
    from_: EmailAddress
    to: EmailAddress
    line: str

    @property
    def text(self) -> str:
        return self.line

    def key(self) -> ConversationKey:
        return ConversationKey(NAME, self.to.value, self.from_.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class SendChatResponse(Response):
    """A line to say."""

    type: ClassVar[str] = "send_chat_response"
    channel: ClassVar[Channel] = NAME
    to: EmailAddress
    from_: EmailAddress
    line: str

    @property
    def text(self) -> str:
        return self.line

    def content(self) -> dict[str, str]:
        return {"line": self.line}


class ChatFormat:
    """See `supervisor_worker.channels.formats.MessageFormat`."""

    rules = "Your answer is one line of a chat."

    def shown(self, event: Received, pictures: Mapping[tuple[str, str], int] | None, folds: Sequence[Fold] = ()) -> list[str]:
        return [capped(event.text)]

    def reply(self, event: Received, text: str, reply_id: str) -> Response:
        assert isinstance(event, ChatReceived)
        return SendChatResponse(to=event.from_, from_=event.to, user=event.user, line=text)

    def continued(self, event: Received, text: str, reply_id: str) -> Response:
        return self.reply(event, text, reply_id)

    def opening(self, event: Received, text: str, reply_id: str) -> Response:
        return self.reply(event, text, reply_id)

    def ask_shorter(self, command: Response) -> str:
        return ""

    def figures(self, command: Response) -> dict[str, int | str]:
        return {}

    def notice_event(self, ends: tuple[Address, Address], notice_id: str, user: str, subject: str, at: float) -> Received:
        boss, own = cast("tuple[EmailAddress, EmailAddress]", ends)
        return ChatReceived(id=notice_id, from_=own, to=boss, user=user, line="", received_at=at)


class ChatPort:
    """A provider that writes what it was asked to send into Redis."""

    def __init__(self, settings: Settings) -> None:
        self._redis = Redis.from_url(settings.redis_url.get_secret_value())

    async def send(self, command: Response, reply_id: str, attempt_id: str, pair: str) -> str:
        self._redis.rpush(SENT, json.dumps([str(command.to), str(command.from_), command.text, reply_id]))
        return f"provider-{attempt_id}"

    async def find(self, command: Response, attempt: Attempt) -> list[ListedMessage] | None:
        return None

    async def ready(self, command: Response) -> None:
        return None

    async def newest(self) -> list[ListedMessage] | None:
        return None

    async def aclose(self) -> None:
        self._redis.close()


@pytest.fixture(autouse=True)
def _chat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registered: a row and its ends, and nothing else of the product is told."""
    row = ChannelKind(
        provider="chatter", received=ChatReceived, response=SendChatResponse, kind="text", own_address="email", boss_address="boss_email",
        further_addresses="email_aliases", kept_days=7, known_days=30,
    )  # fmt: skip
    monkeypatch.setitem(CHANNELS, NAME, row)
    monkeypatch.setitem(cast("Any", FORMATS), NAME, ChatFormat())
    monkeypatch.setitem(cast("Any", PORTS), NAME, ChatPort)


@contextmanager
def _chatting(redis_url: str, **changes: Any) -> Iterator[Web]:
    """The web application with a webhook of the channel's own."""
    with opened(redis_url, **changes) as web:
        _add_webhook(web.app, web)
        yield web


def _add_webhook(app: Flask, web: Web) -> None:
    def inbound() -> str:
        line, number = request.form["line"], request.form["id"]
        name = "m-" + hashlib.sha256(f"{NAME}\x1f{number}".encode()).hexdigest()[:24]
        web.intake.accept(ChatReceived(id=name, from_=EmailAddress(USER), to=EmailAddress(BOSS), user="user", line=line))
        return "ok"

    app.add_url_rule("/chat/inbound", "chat", inbound, methods=["POST"])


def _say(web: Web, line: str, number: str) -> None:
    assert web.client().post("/chat/inbound", data={"line": line, "id": number}).status_code == 200


def _sent(redis: Redis) -> list[Any]:
    return [json.loads(row) for row in cast("list[bytes]", redis.lrange(SENT, 0, -1))]


def _answered(redis: Redis, number: int) -> bool:
    """Sent so often, and nothing left to be answered."""
    return len(_sent(redis)) == number and not redis.zcard(keys.OPEN)


def test_a_channel_that_a_test_registers_is_answered_end_to_end(redis_url: str, redis: Redis) -> None:
    """Through the web process, Redis, a real worker and the model; once each, in one conversation."""
    settings = {"REDIS_URL": redis_url, "SANDBOX": "on"}
    with SandboxProcess() as sandbox, _chatting(redis_url) as web:
        settings["SANDBOX_PORT"] = str(sandbox.port)
        with ForkedWorker(settings, redis, boss_worker):
            for line, number in (("hello", "1"), ("hello", "1"), ("and again", "2")):
                _say(web, line, number)
                wait_for(partial(_answered, redis, int(number)), 20, "the answer")
        questions = sandbox.wait("anthropic.messages", 2, 5)
    (first, second) = _sent(redis)
    assert [first[:2], second[:2]] == [[USER, BOSS]] * 2
    assert ["hello" in first[2], "and again" in second[2]] == [True, True]
    assert "one line of a chat" in json.dumps(questions[0]["request"])
    records = web.stored()
    assert [(record["channel"], record["state"]) for record in records] == [(NAME, "answered")] * 2
    assert len({record["conv"] for record in records}) == 1


def test_what_waits_on_disk_of_such_a_channel_comes_back(redis_url: str, redis: Redis) -> None:
    """The spool's files hold it like any other message."""
    with _chatting(redis_url) as web:
        redis.config_set("maxmemory", 1)
        try:
            _say(web, "hello", "1")
        finally:
            redis.config_set("maxmemory", 0)
        web.emptied()
        (record,) = web.stored()
        assert (record["channel"], record["kind"], record["state"]) == (NAME, "text", "pending")
        message = web.runtime.mailbox.message(record["id"])
        assert message is not None
        assert message.event == ChatReceived(id=message.id, from_=EmailAddress(USER), to=EmailAddress(BOSS), user="user", line="hello")
        assert "hello" in json.dumps(view(web.runtime.mailbox, People((), web.runtime.identities), message.id, body=True), default=str)
