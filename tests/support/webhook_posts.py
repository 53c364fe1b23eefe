"""Webhooks posted by the test itself, signed as their senders do: to any of several web processes behind one public address."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from sandbox.engine.signing import twilio_signature
from sandbox.sendgrid import multipart
from sandbox.sendgrid.multipart import FormPart
from shared.config.secret_rules import SANDBOX_CREDENTIALS
from tests.support.installation import Person, root_id
from tests.support.processes import WebProcess
from tests.support.users_file import BOSS_EMAIL, BOSS_PHONE

PUBLIC_URL: Final = "https://boss.example.com"
DATE: Final = "Wed, 25 Nov 2026 10:00:00 +0000"
TIMEOUT: Final = 30


@dataclass(frozen=True, slots=True)
class Post:
    """A webhook as its sender makes it."""

    path: str
    body: bytes
    headers: dict[str, str]

    def to(self, web: WebProcess) -> int:
        """Send it on a connection of its own; the status of the answer."""
        parts = urlsplit(web.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
        try:
            connection.request("POST", self.path, self.body, self.headers)
            return connection.getresponse().status
        finally:
            connection.close()


def text(person: Person, sid: str, word: object) -> Post:
    """A text, signed by Twilio over the public address."""
    fields = {
        "MessageSid": sid, "AccountSid": SANDBOX_CREDENTIALS["twilio_account_sid"], "From": person.phone, "To": BOSS_PHONE,
        "Body": person.says(word), "NumMedia": "0", "NumSegments": "1", "ApiVersion": "2010-04-01",
    }  # fmt: skip
    signature = twilio_signature(SANDBOX_CREDENTIALS["twilio_auth_token"], PUBLIC_URL + "/sms/inbound", fields)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
    return Post("/sms/inbound", urlencode(fields).encode(), headers)


def mail(person: Person, word: object) -> Post:
    """The first mail of somebody's thread; each time it is made it has another boundary."""
    lines = {"From": person.email, "To": BOSS_EMAIL, "Subject": "A question", "Date": DATE, "Message-ID": root_id(person)}
    fields = {
        "headers": "".join(f"{name}: {value}\n" for name, value in lines.items()), "dkim": "{@example.com : pass}", "to": BOSS_EMAIL,
        "from": person.email, "subject": "A question", "text": person.says(word), "sender_ip": "192.0.2.25", "attachments": "0",
        "envelope": json.dumps({"to": [BOSS_EMAIL], "from": person.email}), "charsets": json.dumps({"text": "utf-8"}), "SPF": "pass",
    }  # fmt: skip
    body, content_type = multipart.encode([FormPart(name=name, value=value.encode()) for name, value in fields.items()])
    query = urlencode({"token": SANDBOX_CREDENTIALS["email_webhook_secret"]})
    return Post(f"/email/inbound?{query}", body, {"Content-Type": content_type})


def many(webhook_posts: Iterable[Post], webs: Sequence[WebProcess], pool: ThreadPoolExecutor) -> list[int]:
    """All of them at once, each to the next of the processes."""
    return list(pool.map(lambda item: item[1].to(webs[item[0] % len(webs)]), enumerate(webhook_posts)))
