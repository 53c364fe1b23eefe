"""Clients of the sandbox: the providers' own SDKs, and a product that records the webhooks it gets."""

from __future__ import annotations

import io
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
from sendgrid import SendGridAPIClient
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from werkzeug.datastructures import MultiDict
from werkzeug.formparser import parse_form_data

from tests.support.sandbox import SandboxProcess

ACCOUNT = "AC" + "a" * 32
TOKEN = "twilio-token"
USER, BOSS = "+15551234567", "+15559876543"


class WebhookReceiver(ThreadingHTTPServer):
    """A product that takes every webhook and remembers it, raw."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        super().__init__(("127.0.0.1", 0), _ReceiverHandler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _ReceiverHandler(BaseHTTPRequestHandler):
    """Answers 200, or what the test has put into `statuses`."""

    def do_POST(self) -> None:
        """Take a webhook."""
        assert isinstance(self.server, WebhookReceiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers.items()), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Rewriting(TwilioHttpClient):
    """The real client, with api.twilio.com taken to the sandbox."""

    def __init__(self, base: str, **options: Any) -> None:
        super().__init__(**options)
        self.base = base

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """Go to the sandbox instead."""
        return super().request(method, url.replace("https://api.twilio.com", self.base), *args, **kwargs)


def twilio(sandbox: SandboxProcess, token: str = TOKEN, timeout: float = 5) -> Client:
    return Client(ACCOUNT, token, http_client=Rewriting(sandbox.url, timeout=timeout))


def sendgrid(sandbox: SandboxProcess, key: str = "SG.key") -> SendGridAPIClient:
    client = SendGridAPIClient(key, host=sandbox.url)
    client.client.timeout = 5
    return client


def claude(sandbox: SandboxProcess, key: str = "sk-ant") -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=key, base_url=sandbox.url, max_retries=0, timeout=5)


def mail(**changes: Any) -> dict[str, Any]:
    document = {
        "personalizations": [{"to": [{"email": "user@example.com"}], "custom_args": {"reply_id": "r1"}}],
        "from": {"email": "boss@example.com", "name": "Boss"},
        "subject": "Re: hello",
        "content": [{"type": "text/plain", "value": "hi"}],
    }
    return document | changes


def ask(client: anthropic.Anthropic, text: str = "hello there", **options: Any) -> anthropic.types.Message:
    message: anthropic.types.Message = client.messages.create(
        model="claude-haiku-5-5", max_tokens=1000, messages=[{"role": "user", "content": text}], **options
    )
    return message


def posted(receiver: WebhookReceiver, path: str) -> tuple[str, dict[str, str], bytes]:
    """Return the newest webhook to a path."""
    return next(each for each in reversed(receiver.seen) if each[0].partition("?")[0] == path)


def form_of(seen: tuple[str, dict[str, str], bytes]) -> MultiDict[str, str]:
    """Parse a webhook as the product's framework would."""
    path, headers, body = seen
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": headers["Content-Type"],
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "PATH_INFO": path,
    }
    return parse_form_data(environ)[1]
