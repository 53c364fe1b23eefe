"""The web application on a real server, and requests as the providers sign them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from urllib.parse import parse_qsl

from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from shared.config.loading import load_settings
from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.config.settings import Settings
from shared.mailbox import calls, ledger
from shared.mailbox.records import Message, Reply
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse
from shared.runtime import Runtime, open_runtime
from tests.payloads import FORM, MULTIPART, form_body, mail_fields, multipart_body, sid, sms_fields
from tests.support.wait import wait_for
from webhook_api.app import INTAKE, create_app
from webhook_api.intake.intake import Intake

PUBLIC_URL = "https://boss.example.com"
AUTH_TOKEN = SANDBOX_CREDENTIALS["twilio_auth_token"]
SECRET = SANDBOX_CREDENTIALS["email_webhook_secret"]
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.1"}


def load(redis_url: str, **changes: Any) -> Settings:
    """Settings in sandbox mode against a server of the test's."""
    values = {"sandbox": "on", "redis_url": redis_url, "public_url": PUBLIC_URL, "sms_settle_seconds": 0.0, **changes}
    return load_settings(_env_file=None, **values)


def twilio_signature(url: str, body: bytes) -> str:
    """What Twilio's own SDK computes."""
    form = MultiDict(parse_qsl(body.decode("utf-8", "surrogateescape"), keep_blank_values=True))
    return cast("str", RequestValidator(AUTH_TOKEN).compute_signature(url, form))


@dataclass(frozen=True)
class Web:
    """The application in this process, without a server in front."""

    runtime: Runtime
    app: Flask

    @property
    def intake(self) -> Intake:
        """Its way in."""
        return cast("Intake", self.app.extensions[INTAKE])

    @property
    def spool(self) -> Path:
        """The directory of what waits."""
        return self.runtime.settings.spool_dir

    def emptied(self, seconds: float = 10) -> None:
        """Wait until nothing waits on disk, and the process knows it."""
        wait_for(lambda: not (list(self.spool.glob("waiting/*")) or self.intake.away), seconds, "an empty spool")

    @property
    def redis(self) -> Redis:
        """Its connection."""
        return self.runtime.redis

    def client(self) -> FlaskClient:
        """A client for one thread."""
        return self.app.test_client()

    def sms(
        self, path: str = "/sms/inbound", *, body: bytes | None = None, signature: str | None = None, **changes: str | None
    ) -> TestResponse:
        """Post a text from elsewhere, signed; `signature` "" leaves the header out."""
        body = form_body(sms_fields(**changes)) if body is None else body
        signature = twilio_signature(PUBLIC_URL + path, body) if signature is None else signature
        headers = {"X-Twilio-Signature": signature} if signature else {}
        return self.client().post(path, data=body, content_type=FORM, headers=headers, environ_overrides=ELSEWHERE)

    def mail(self, *, token: str | None = SECRET, body: bytes | None = None, content_type: str = MULTIPART, **changes: Any) -> TestResponse:
        """Post a mail from elsewhere with the secret."""
        data = multipart_body(mail_fields(**changes)) if body is None else body
        path = "/email/inbound" + (f"?token={token}" if token is not None else "")
        return self.client().post(path, data=data, content_type=content_type, environ_overrides=ELSEWHERE)

    def lines(self) -> list[tuple[str, str]]:
        """Type and reason (or status word) of every ledger line, oldest first."""
        return [(line.type, line.fields.get("reason", "")) for line in ledger.latest(self.redis, 1000)]

    def stored(self) -> list[dict[str, str]]:
        """All message records."""
        keys = cast("list[bytes]", self.redis.keys("boss:msg:*"))
        records = [cast("dict[bytes, bytes]", self.redis.hgetall(key)) for key in keys]
        return [{name.decode(): value.decode() for name, value in record.items()} for record in records]


@contextmanager
def opened(redis_url: str, **changes: Any) -> Iterator[Web]:
    """The application on an open runtime, with a data directory of its own unless `changes` name one."""
    with TemporaryDirectory(prefix="boss-data-", ignore_cleanup_errors=True) as directory:
        runtime = open_runtime(load(redis_url, **{"boss_data_dir": directory, **changes}), "web")
        web = Web(runtime, create_app(runtime))
        try:
            yield web
        finally:
            web.intake.close()
            runtime.close()


def only_message(web: Web) -> Message:
    """The one message that there is."""
    (record,) = web.stored()
    message = web.runtime.mailbox.message(record["id"])
    assert message is not None
    return message


def send_a_reply(web: Web) -> Reply:
    """A text that was answered, its reply on the way."""
    web.sms(MessageSid=sid("in"))
    conversation = only_message(web).conversation
    run = web.runtime.mailbox.run
    turn = run(calls.claim(conversation, "k-1", "t-1", lease_ms=60_000)).turn
    assert turn is not None
    command = SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message="Hi", user="user")
    run(calls.store_reply(conversation, "k-1", turn, command, limits=calls.SendLimits(1000, 1000, 60_000)))
    assert run(calls.sending(conversation, "k-1", "r-1", "a-1", limits=calls.SendLimits(1000, 1000, 60_000))).outcome == "ok"
    return reply(web)


def reply(web: Web) -> Reply:
    """That reply."""
    found = web.runtime.mailbox.reply("r-1")
    assert found is not None
    return found
