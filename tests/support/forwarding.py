"""An installation with one person who has a forwarding address: webhooks, a worker's inside, and a model that may hang."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from redis import Redis

from shared.model.users_file import load_users
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.prompt import Prompt
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment
from tests.support.webhook_client import Web, opened

CONTACT: Final = "contact@example.com"
FILE: Final = """
[[users]]
username = "user"
email = "user@example.com"
boss_email = "boss@example.com"
phone = "+15551234567"
boss_phone = "+15559876543"
forwarding = [{ address = "contact@example.com", tag = "contact" }]
"""


@dataclass
class Model:
    """Says what it was told to; hangs, until it may go on, over what holds the word `stuck`."""

    says: str = "Tom asks for lunch."
    prompts: list[Prompt] = field(default_factory=list)
    may_go_on: Callable[[], bool] = lambda: True
    hangs: int = 0

    async def think(self, prompt: Prompt) -> ModelAnswer:
        """The answer."""
        self.prompts.append(prompt)
        if "stuck" in prompt.messages[-1].text:
            self.hangs += 1
            while not self.may_go_on():  # noqa: ASYNC110 - it looks at what stands in Redis
                await asyncio.sleep(0.01)
        return ModelAnswer(self.says, model="m", input_tokens=1, output_tokens=1)

    async def aclose(self) -> None:
        """Nothing is open."""


@dataclass
class House:
    """The webhooks, a worker's inside and a model, with one person who has a forwarding address."""

    web: Web
    environment: TurnEnvironment
    model: Model

    def post(self, number: int = 1, *, sender: str = "tom@shop.example", to: str = CONTACT, subject: str = "Lunch", **more: Any) -> str:
        """A mail comes in from a stranger, or whoever `sender` is; the ids of what came of it."""
        head = f"From: Tom Lee <{sender}>\nTo: someone@else.example\nSubject: {subject}\nMessage-ID: <{number}@shop.example>\n"
        envelope = json.dumps({"to": [to], "from": sender})
        dkim = f"{{@{sender.partition('@')[2]} : pass}}"
        fields = {"envelope": envelope, "from": f"Tom Lee <{sender}>", "to": to, "subject": subject, "dkim": dkim, **more}
        answer = self.web.mail(**{**fields, "headers": head + more.get("headers", "")})
        assert answer.status_code == 200
        return str(answer.headers["X-Bossline-Message"])

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The mails that went out; what only asked whether SendGrid is there did not."""
        asked = [line["request"] for line in self.environment.sandbox.journal("sendgrid.send")]
        return [mail for mail in asked if "mail_settings" not in mail["mail"]]

    def work(self, mails: int) -> list[dict[str, Any]]:
        """Work until so many mails went out in all."""
        self.environment.drive(lambda: len(self.sent) >= mails)
        return self.sent

    def state(self, message: str) -> str:
        """A message's state and reason."""
        record = self.environment.mailbox.message(message)
        return f"{record.state} {record.reason}".strip() if record else ""


@contextmanager
def installation(
    redis: Redis,
    redis_url: str,
    sandbox: SandboxProcess,
    directory: Path,
    *,
    file: str = FILE,
    times: dict[str, Any] | None = None,
    **more: Any,
) -> Iterator[House]:
    """One with that users file. `more` are settings of its web process, `times` those of its worker."""
    path = directory / "users.toml"
    path.write_text(file)
    with opened(redis_url, boss_users_file=path, **more) as web:
        model = Model()
        environment = TurnEnvironment(redis, redis_url, sandbox, dict(times or {}), model=model)
        environment.users = load_users(path)
        yield House(web, environment, model)
        environment.close()
