"""The bridge's process, and a client that says what it is told to, one frame at a time."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from redis import Redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from shared.config.secret_rules import EXAMPLE_TOKEN
from shared.mailbox import Mailbox, calls
from shared.mailbox.records import Turn
from supervisor_worker.channels import formats
from tests.support.processes import START_SECONDS, BossProcess, free_port
from tests.support.wait import wait_for

START_LINE: Final = "Supervisor WebSocket server listening on 127.0.0.1:"

RETENTION_MS: Final = 60_000

JsonObject = dict[str, Any]


class BridgeProcess(BossProcess):
    """`boss bridge` on a free port; `start` returns when it listens."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """The port stays the same when it is started again."""
        self.port = int(settings.get("SUPERVISOR_PORT") or free_port())
        super().__init__("bridge", settings={**settings, "SUPERVISOR_PORT": str(self.port)})
        self.url = f"ws://127.0.0.1:{self.port}"

    def start(self, **more: str) -> Self:
        """Start and wait for its line."""
        lives = self.output.count(START_LINE)
        super().start(**more)
        wait_for(lambda: self.output.count(START_LINE) > lives or self.returncode is not None, START_SECONDS, "the bridge's line")
        if self.returncode is not None:
            raise AssertionError(f"bridge ended with {self.returncode}:\n{self.output[-4000:]}")
        return self


def answer(redis: Redis, message: str, text: str = "Hi") -> str:
    """Play the worker for the conversation of a message: the verdict on the reply to whatever comes first there."""
    mailbox = Mailbox(redis)
    turn, token, conversation = _claimed(mailbox, message)
    event = turn.messages[0].event
    if event is None:
        raise AssertionError(f"{message} has no event")
    command = formats.reply(event, text, turn.reply_id)
    return mailbox.run(calls.store_reply(conversation, token, turn, command, limits=calls.SendLimits(1, 1, RETENTION_MS))).outcome


def park(redis: Redis, message: str) -> None:
    """Play the worker that cannot answer."""
    mailbox = Mailbox(redis)
    _, token, conversation = _claimed(mailbox, message)
    mailbox.run(calls.park(conversation, token, "attempts", looked_up=True, retention_ms=RETENTION_MS))


def newest(redis: Redis) -> str:
    """The id of the message that was accepted last, waited for."""
    return wait_for(lambda: next(iter(Mailbox(redis).recent(1)), None), 5, "a message")


def _claimed(mailbox: Mailbox, message: str) -> tuple[Turn, str, str]:
    record = mailbox.message(message)
    if record is None:
        raise AssertionError(f"{message} is not known")
    token = uuid.uuid4().hex
    turn = mailbox.run(calls.claim(record.conversation, token, f"t-{token[:24]}", lease_ms=60_000)).turn
    if turn is None:
        raise AssertionError(f"the conversation of {message} cannot be claimed")
    return turn, token, record.conversation


class Talker:
    """A client that has no opinions: it sends what the test writes and returns what comes."""

    def __init__(self, url: str, **options: Any) -> None:
        """Connects; `options` are those of websockets' client."""
        # Its own `close` waits for the other side only as long as it can read, and tests leave frames unread.
        self._opened = connect(url, proxy=None, **{"close_timeout": 0.2} | options)
        self.connection: ClientConnection = self._opened.__enter__()

    def say(self, **frame: object) -> Self:
        """Send one object; `from_` is `from`."""
        self.connection.send(json.dumps({name.rstrip("_"): value for name, value in frame.items()}))
        return self

    def hear(self, timeout: float = 10) -> JsonObject:
        """The next object. Raises TimeoutError when none comes in time."""
        frame: JsonObject = json.loads(self.connection.recv(timeout))
        return frame

    def ask(self, **frame: object) -> JsonObject:
        """Send one object and return the next that comes."""
        return self.say(**frame).hear()

    def log_in(self, token: str = EXAMPLE_TOKEN, **more: object) -> Self:
        """Authenticate, successfully."""
        answer = self.ask(type="auth", token=token, **more)
        if answer["type"] != "auth_result" or not answer["success"]:
            raise AssertionError(answer)
        return self

    def text(self, message: str = "Hello", **more: object) -> Self:
        """Send a text from the example user."""
        frame = {"type": "sms_received", "from_": "+15551234567", "to": "+15559876543", "message": message, "user": "user"}
        return self.say(**frame | more)

    def mail(self, body: str = "Hello", **more: object) -> Self:
        """Send a mail from the example user."""
        frame = {
            "type": "email_received",
            "from_": "user@example.com",
            "to": "boss@example.com",
            "subject": "Hi",
            "body": body,
            "user": "user",
        }
        return self.say(**frame | more)

    def closed(self, timeout: float = 10) -> int:
        """Wait for the connection's end and return its close code; frames that come before it are dropped."""
        try:
            while True:
                self.connection.recv(timeout)
        except ConnectionClosed:
            return self.connection.close_code or 0

    def close(self) -> None:
        """Say goodbye."""
        self.connection.close()

    def __enter__(self) -> Self:
        """Connected already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Say goodbye."""
        self.close()
