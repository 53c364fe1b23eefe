"""A worker's inside for tests of turns: real Valkey, the real SDKs, the sandbox over HTTP, and a loop that wakes what is due."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import re
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from redis import Redis

from shared import runtime
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.mailbox import Mailbox, calls
from shared.mailbox.ledger import Line, latest
from shared.mailbox.records import Kind, Message, Reply
from shared.model import users
from shared.model.addresses import EmailAddress, Identities, PhoneNumber
from shared.model.approvals import answer_of
from shared.model.commands import command_of
from shared.model.events import EmailReceived, Received, SmsReceived
from shared.storage.clients import for_loop
from supervisor_worker.assistant.claude.client import Claude
from supervisor_worker.assistant.reservations import ModelPort
from supervisor_worker.channels.port import ChannelPort
from supervisor_worker.channels.sendgrid.email import SendGridEmail
from supervisor_worker.channels.twilio.sms import TwilioSms
from supervisor_worker.mcp.tools import ToolSource
from supervisor_worker.media.transcription import Transcriber
from supervisor_worker.media.turn_media import MediaLoader
from supervisor_worker.process.patient_mailbox import PatientMailbox
from supervisor_worker.turns.alarms import AlarmRinger
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.cross_channel_notice import send_notices
from supervisor_worker.turns.turn import run_turn
from tests.support.sandbox import SandboxProcess

T = TypeVar("T")
BOSS = PhoneNumber("+15559876543")
BOSS_MAIL = EmailAddress("boss@example.com")
FAST = {
    "LEASE_SECONDS": 3,
    "SEND_TIMEOUT_SECONDS": 0.8,
    "CLAUDE_TIMEOUT_SECONDS": 1.5,
    "EMAIL_EVENT_WAIT_SECONDS": 1.6,
    "SHUTDOWN_GRACE_SECONDS": 2,
    "SWEEP_SECONDS": 0.02,
}


TIMES: Final = re.compile("\u27e6(?:(?:Received on|It is now) |[A-Z][a-z]+day, )[^\u27e7]*\u27e7(?:\n\n)?")
"""Our notes on times in a question."""


@dataclass
class TurnEnvironment:
    """One installation: its truth, its providers, and ways to look at both."""

    redis: Redis
    redis_url: str
    sandbox: SandboxProcess
    environment: dict[str, Any] = field(default_factory=dict)
    model: ModelPort | None = None
    channels: dict[str, ChannelPort] = field(default_factory=dict)
    mcp: ToolSource | None = None
    turns_per_hour: int = 1000
    forgiven: tuple[type[Exception], ...] = ()
    """What a job may fail with; RQ would write it down and go on."""

    def __post_init__(self) -> None:
        self._runner = asyncio.Runner()
        self._opened: tuple[dict[str, Any], contextlib.AsyncExitStack, TurnContext] | None = None
        runtime.check_schema(self.redis)
        self.identities = Identities(runtime.identity_salt(self.redis))
        self.mailbox = Mailbox(self.redis)
        self.users = users.Users([users.LOCAL_USER])

    @property
    def settings(self) -> Settings:
        """Short times, and the sandbox for all three providers."""
        base = {"redis_url": self.redis_url, "sandbox": "on", "sandbox_port": self.sandbox.port, "port": 9}
        short = {name.lower(): value for name, value in {**FAST, **self.environment}.items()}
        return load_settings(**{**base, **short})

    def text(self, body: str = "Hello", phone: str = "+15551234567", *, kind: Kind = "text", user: str = "", **fields: Any) -> SmsReceived:
        """A text that was accepted."""
        event = SmsReceived(
            id=f"m-{uuid.uuid4().hex[:24]}",
            from_=PhoneNumber(phone),
            to=BOSS,
            message=body,
            user=user or username_of(phone),
            provider_id=f"SM{uuid.uuid4().hex}",
            **fields,
        )
        return cast("SmsReceived", self._accept(event, kind))

    def mail(self, body: str = "Hello", address: str = "user@example.com", *, user: str = "", **fields: Any) -> EmailReceived:
        """A mail that was accepted."""
        defaults = {"subject": "A question", "message_id": f"<{uuid.uuid4().hex}@user.example>"}
        event = EmailReceived(
            id=f"m-{uuid.uuid4().hex[:24]}",
            from_=EmailAddress(address),
            to=BOSS_MAIL,
            body=body,
            user=user or username_of(address),
            **cast("Any", {**defaults, **fields}),
        )
        return cast("EmailReceived", self._accept(event, "mail"))

    def _accept(self, event: Received, kind: Kind) -> Received:
        call = calls.accept(
            event,
            kind=kind,
            conversation=self.conversation(event),
            sender=self.identities.sender(event.from_),
            pair=self.identities.pair(event.to, event.from_),
            turns_per_hour=self.turns_per_hour,
            user=self.identities.user(event.user),
            thread=self.identities.thread(event.thread),
            command=command_of(event),
            answer=answer_of(event),
        )
        assert self.mailbox.run(call).outcome in ("accepted", *(["ignored"] if self.turns_per_hour < 1000 else []))
        if not self.users.admits(event):
            self.give(event, event.user)
        return event

    def give(self, event: Received, username: str) -> None:
        """The users file says that the address of a message is this user's, and nobody else's. "" is nobody."""
        own = (
            {"phone": event.from_, "boss_phone": event.to}
            if isinstance(event, SmsReceived)
            else {"email": event.from_, "boss_email": event.to}
        )
        others = [user for user in self.users.all if any(getattr(user, name) != value for name, value in own.items())]
        self.users.replace([*others, *([users.User(username=username, **cast("Any", own))] if username else [])])

    def conversation(self, event: Received) -> str:
        """The id of an event's conversation: where it is, or the one that it would begin."""
        record = self.mailbox.message(event.id)
        return record.conversation if record and record.conversation else self.identities.conversation(event.key())

    def message(self, event: Received) -> Message:
        """The record of an event's message."""
        found = self.mailbox.message(event.id)
        assert found is not None
        return found

    def reply(self, event: Received) -> Reply:
        """The reply of the turn that an event's message is in."""
        found = self.mailbox.reply_of(self.message(event))
        assert found is not None
        return found

    def state(self, event: Received) -> str:
        """A message's state, with its reason."""
        message = self.message(event)
        return f"{message.state}:{message.reason}" if message.reason else str(message.state)

    def questions(self) -> list[dict[str, Any]]:
        """What the model was asked, oldest first, without our notes on times, and a message's texts as one: tests are about neither."""
        return [_without_times(entry["request"]) for entry in self.sandbox.journal("anthropic.messages")]

    def ledger(self, kind: str, **fields: str) -> list[Line]:
        """The ledger's lines of one type."""
        lines = [line for line in latest(self.redis, 5000) if line.type == kind]
        return [line for line in lines if all(line.fields.get(name) == value for name, value in fields.items())]

    def due_now(self) -> None:
        """Bring every waiting conversation's time to now."""
        for conversation in cast("list[bytes]", self.redis.zrange("boss:due", 0, -1)):
            name = conversation.decode()
            if not self.redis.hget(f"boss:conv:{name}", "token"):
                self.redis.hset(f"boss:conv:{name}", "not_before", 0)
                self.redis.zadd("boss:due", {name: 0})
                self.redis.delete(f"boss:wake:{name}")

    @contextlib.asynccontextmanager
    async def context(self) -> AsyncIterator[TurnContext]:
        """What `bootstrap` opens, closed at the end."""
        settings = self.settings
        redis = for_loop(self.redis_url)
        model, media_loader = self.model or Claude(settings), MediaLoader.of(settings)
        transcriber = Transcriber(settings) if settings.stt_url else None
        channels: dict[Any, ChannelPort] = {"sms": TwilioSms(settings), "email": SendGridEmail(settings), **self.channels}
        try:
            stopping = asyncio.Event()
            mailbox = PatientMailbox(redis, None, stopping)
            yield TurnContext(
                settings, self.users, self.identities, mailbox, model, channels, stopping, media_loader, transcriber, self.mcp
            )
        finally:
            if transcriber:
                await transcriber.aclose()
            await model.aclose()
            await media_loader.aclose()
            for channel in channels.values():
                await channel.aclose()
            await redis.aclose()

    def run(self, scenario: Callable[[TurnContext], Coroutine[Any, Any, T]]) -> T:
        """Run a scenario with a worker's inside, which stays open for the next one while the environment is the same."""
        return self._runner.run(self._with_supervisor(scenario))

    async def _with_supervisor(self, scenario: Callable[[TurnContext], Coroutine[Any, Any, T]]) -> T:
        if self._opened is None or self._opened[0] != self.environment or self._opened[2].stopping.is_set():
            await self._close()
            stack = contextlib.AsyncExitStack()
            self._opened = (dict(self.environment), stack, await stack.enter_async_context(self.context()))
        return await scenario(self._opened[2])

    async def _close(self) -> None:
        if self._opened is not None:
            await self._opened[1].aclose()

    def close(self) -> None:
        """Close the worker's inside. Whatever the test was about, no call to the model has used more than was reserved for it."""
        self._runner.run(self._close())
        self._runner.close()
        exceeded = [line.fields for line in self.ledger("reservation_exceeded")]
        assert not exceeded, exceeded

    def once(self, event: Received) -> bool:
        """One job for an event's conversation."""
        return self.run(lambda context: run_turn(self.conversation(event), token(), context))

    def answer_to(self, event: Received, *script: dict[str, Any]) -> str:
        """The reply to a message, of a model that says these."""
        self.sandbox.script(*script)
        self.once(event)
        assert self.state(event) == "answered", self.story()
        return self.reply(event).command.text

    def newest_message(self) -> str:
        """The newest message of the newest question."""
        content: str = self.questions()[-1]["messages"][-1]["content"]
        return content

    def tool_results(self) -> list[str]:
        """What the model was told of its calls last."""
        return [result["text"] for result in self.sandbox.journal("anthropic.messages")[-1]["request"]["tool_results"]]

    def drive(self, until: Callable[[], bool], seconds: float = 10) -> None:
        """Work off what becomes due until the condition holds; a message that just came in is due at once."""
        self.due_now()
        self.run(lambda context: self._drive(context, until, seconds))

    async def _drive(self, context: TurnContext, until: Callable[[], bool], seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        jobs: set[asyncio.Task[None]] = set()
        while not until():
            assert asyncio.get_running_loop().time() < end, f"not within {seconds} s; ledger:\n{self.story()}"
            swept = await context.mailbox.run(calls.sweep(recheck_ms=1000))
            await send_notices(swept.untold, context)
            if swept.alarms:
                await AlarmRinger(context).ring_due()
                self._wake_reminded()
            for due in swept.due:
                jobs.add(asyncio.create_task(self._job(due.conversation, context)))
            for done in [task for task in jobs if task.done()]:
                jobs.discard(done)
                done.result()
            await asyncio.sleep(0.02)
        await asyncio.gather(*jobs)

    def _wake_reminded(self) -> None:
        """What was put into priority inboxes is looked at now; elsewhere its job is in the queue."""
        for conversation in cast("list[bytes]", self.redis.zrange("boss:priority_due", 0, -1)):
            self.redis.zadd("boss:priority_due", {conversation: 0})
            self.redis.delete(f"boss:wake:{conversation.decode()}")

    async def _job(self, conversation: str, context: TurnContext) -> None:
        with contextlib.suppress(*self.forgiven):
            while await run_turn(conversation, token(), context):
                pass

    def story(self) -> str:
        """The ledger, for a failed test."""
        return "\n".join(f"{line.type} {line.fields}" for line in latest(self.redis, 200))


def username_of(address: str) -> str:
    """The entry of the users file whose number or address this is."""
    return "user" if address in ("+15551234567", "user@example.com") else f"user {address}"


@functools.cache
def users_file() -> str:
    """The path of a users file with the numbers and addresses that tests write from, for processes of their own."""
    phones = ["+15551234567", *(f"+1555123{number:04}" for number in (*range(200), *range(4000, 4100)))]
    tables = [f'[[users]]\nusername = "{username_of(phone)}"\nphone = "{phone}"\nboss_phone = "{BOSS}"\n' for phone in phones]
    mail = f'email = "user@example.com"\nboss_email = "{BOSS_MAIL}"\n'
    others = ("flood@example.com", "patient@example.com")
    tables += [f'[[users]]\nusername = "{username_of(address)}"\nemail = "{address}"\nboss_email = "{BOSS_MAIL}"\n' for address in others]
    with tempfile.NamedTemporaryFile("w", prefix="boss-users-", suffix=".toml", delete=False) as file:
        file.write(tables[0] + mail + "".join(tables[1:]))
    atexit.register(Path(file.name).unlink)
    return file.name


def token() -> str:
    """A new token."""
    return f"k-{uuid.uuid4().hex}"


def text_of(content: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """A message's content as one text where it holds nothing else, in however many blocks."""
    if isinstance(content, str) or any(block.get("type") != "text" for block in content):
        return content
    return "".join(block["text"] for block in content)


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        shown = {name: _without_times(each) for name, each in value.items()}
        return {**shown, "content": text_of(shown["content"])} if "role" in shown and "content" in shown else shown
    if isinstance(value, list):
        return [_without_times(each) for each in value]
    return TIMES.sub("", value) if isinstance(value, str) else value


def calling(tool: str, /, **given: Any) -> dict[str, Any]:
    """An answer of the model's that calls a tool."""
    return {"calls": [{"name": tool, "input": given}]}
