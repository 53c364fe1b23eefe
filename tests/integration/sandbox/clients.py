"""Clients of the sandbox: the providers' own SDKs, and a product that records the webhooks it gets."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import anthropic
from sendgrid import SendGridAPIClient
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from werkzeug.datastructures import MultiDict
from werkzeug.formparser import parse_form_data

from tests.support.sandbox import OPENER, SandboxProcess

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
    """The real client, with Twilio's hosts taken to the sandbox."""

    def __init__(self, base: str, **options: Any) -> None:
        super().__init__(**options)
        self.base = base

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """Go to the sandbox instead."""
        for host in ("https://api.twilio.com", "https://messaging.twilio.com"):
            url = url.replace(host, self.base)
        return super().request(method, url, *args, **kwargs)


def twilio(sandbox: SandboxProcess, token: str = TOKEN, timeout: float = 5) -> Client:
    return Client(ACCOUNT, token, http_client=Rewriting(sandbox.url, timeout=timeout))


def sendgrid(sandbox: SandboxProcess, key: str = "SG.key") -> SendGridAPIClient:
    client = SendGridAPIClient(key, host=sandbox.url)
    client.client.timeout = 5
    return client


def claude(sandbox: SandboxProcess, key: str = "sk-ant") -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=key, base_url=sandbox.url, max_retries=0, timeout=5)


@dataclass(frozen=True)
class Answer:
    """A status, and the JSON behind it; None for an empty body."""

    status: int
    json: Any


def request(
    sandbox: SandboxProcess, method: str, path: str, *, document: object = None, login: tuple[str, str] | None = None, bearer: str = ""
) -> Answer:
    """One request with a JSON body, as any client makes it."""
    headers = {"Content-Type": "application/json"} if document is not None else {}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    if login is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
    body = None if document is None else json.dumps(document).encode()
    try:
        with OPENER.open(Request(sandbox.url + path, body, headers, method=method), timeout=5) as response:  # noqa: S310
            status, raw = response.status, response.read()
    except HTTPError as error:
        status, raw = error.code, error.read()
    return Answer(status, json.loads(raw) if raw else None)


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
