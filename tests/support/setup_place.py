"""`boss setup` in an empty folder against a sandbox whose accounts are empty, with a DNS of the test's own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from types import MappingProxyType
from typing import Any

from click.testing import CliRunner, Result
from dotenv import dotenv_values

from boss.main import main
from tests.support.dns_server import DnsServer
from tests.support.processes import ROOT, clean_environment
from tests.support.sandbox import SandboxProcess

ACCOUNT = "AC" + "b" * 32
PUBLIC = "https://boss.example.com"
NUMBER = "+15559876543"
HOST = "mail.boss.example.com"


def key_like(name: str) -> str:
    """A text that has the length of a key, and is none."""
    return hashlib.sha256(name.encode()).hexdigest()


TOKEN, CLAUDE, FULL = key_like("twilio")[:32], key_like("claude"), "SG." + key_like("sendgrid")
KEYS = (TOKEN, CLAUDE, FULL)
PERSON = {
    "USERNAME": "ada",
    "NAME": "Ada Lovelace",
    "PHONE": "+15551234567",
    "EMAIL": "ada@example.com",
    "BOSS_EMAIL": f"boss@{HOST}",
    "TIMEZONE": "Europe/Berlin",
}
ANSWERS = {
    "ANTHROPIC_API_KEY": CLAUDE,
    "PUBLIC_URL": PUBLIC,
    "TWILIO_ACCOUNT_SID": ACCOUNT,
    "TWILIO_AUTH_TOKEN": TOKEN,
    "SENDGRID_API_KEY": FULL,
    **PERSON,
}
NEW_ACCOUNTS: dict[str, Any] = {
    "twilio": {"numbers": [{"phone_number": NUMBER, "sms_url": "https://demo.twilio.com/welcome/sms/reply"}]},
    "sendgrid": {},
}
"""A number as Twilio sells it, and nothing at SendGrid."""


def accounts_sandbox(webhook_url: str, public_url: str = PUBLIC) -> SandboxProcess:
    """A sandbox that checks the keys of `ANSWERS`."""
    return SandboxProcess(
        SANDBOX_WEBHOOK_URL=webhook_url,
        SANDBOX_PUBLIC_URL=public_url,
        TWILIO_ACCOUNT_SID=ACCOUNT,
        TWILIO_AUTH_TOKEN=TOKEN,
        SENDGRID_API_KEY=FULL,
        ANTHROPIC_API_KEY=CLAUDE,
    )


def text_of(changed: Mapping[str, str] = MappingProxyType({}), without: tuple[str, ...] = ()) -> str:
    """The answers as lines of stdin."""
    given = {name: value for name, value in {**ANSWERS, **changed}.items() if name not in without}
    return "".join(f"{name}={value!r}\n" if " " in value else f"{name}={value}\n" for name, value in given.items())


class SetupPlace:
    """A folder, the sandbox's address in the environment, and what stands there afterwards."""

    def __init__(self, folder: Path, sandbox: SandboxProcess, dns: DnsServer) -> None:
        self.folder, self.sandbox, self.dns = folder, sandbox, dns
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """What the shell of the operator has: where the providers are played."""
        names = ("TWILIO_API_BASE_URL", "SENDGRID_API_BASE_URL", "ANTHROPIC_BASE_URL")
        return clean_environment(PYTHONPATH=str(ROOT), **dict.fromkeys(names, self.sandbox.url))

    def command(self, *options: str) -> list[str]:
        """The command line."""
        host, port = self.dns.address
        return [sys.executable, "-m", "boss.main", "setup", "--dns-server", f"{host}:{port}", *options]

    def run(
        self,
        *options: str,
        yes: bool = True,
        without: tuple[str, ...] = (),
        code: int = 0,
        changed: Mapping[str, str] | None = None,
        **answers: str,
    ) -> Result:
        """Run it to its end with the answers on stdin, `without` some of them, others changed; it must end with `code`."""
        words = [*self.command(*(["--yes"] if yes else []), *options)[3:]]
        before = dict(os.environ)
        try:
            os.environ.clear()
            os.environ.update(self.environment)
            with chdir(self.folder):
                result = CliRunner().invoke(main, words, input=text_of({**answers, **(changed or {})}, without))
        finally:
            os.environ.clear()
            os.environ.update(before)
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    def start(self, *options: str, **answers: str) -> subprocess.Popen[str]:
        """Begin it as a process of its own, with the answers on stdin."""
        process = subprocess.Popen(
            self.command("--yes", *options),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(text_of(answers))
        process.stdin.close()
        return process

    def publish(self) -> None:
        """Put into the DNS what the set-up asks for."""
        target = "u1.wl.sendgrid.net"
        self.dns.records |= {
            (f"em100.{HOST}", "CNAME"): [target],
            (f"s1._domainkey.{HOST}", "CNAME"): [f"s1.domainkey.{target}"],
            (f"s2._domainkey.{HOST}", "CNAME"): [f"s2.domainkey.{target}"],
            (HOST, "MX"): ["10 mx.sendgrid.net"],
        }

    @property
    def account(self) -> dict[str, Any]:
        """What stands at the providers."""
        found: dict[str, Any] = self.sandbox.call("GET", "/sandbox/account")
        return found

    @property
    def env(self) -> dict[str, str]:
        """What `.env` says."""
        return {name: value or "" for name, value in dotenv_values(self.folder / ".env").items()}

    def files(self) -> dict[str, int]:
        """Every file below the folder, with its mode."""
        found = (Path(root) / name for root, _, names in os.walk(self.folder) for name in names)
        return {str(path.relative_to(self.folder)): path.stat().st_mode & 0o777 for path in found}
