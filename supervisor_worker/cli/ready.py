"""`boss ready`: what `make run` says before and after everything is up.

It checks settings and ports in the foreground, so that a mistake is one message and not four, then goes on in the
background beside honcho and prints the addresses and a line to paste once the processes really answer.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Final
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import click
from redis.exceptions import RedisError

from shared import codec, users
from shared import redis as connections
from shared import settings as knobs
from shared.errors import BadInput
from shared.ports import require_free_port
from shared.runtime import redis_url
from shared.settings import Settings
from supervisor_worker.cli.processes import sandbox_user

PATIENCE_SECONDS: Final = 60.0
MAX_BODY: Final = 65_536
RULE: Final = "-" * 100


@click.command()
@click.option("--beside", type=int, metavar="PID", help="Go to the background and end with this process.")
def ready(beside: int | None) -> None:
    """Check settings and ports, then print the addresses once everything runs."""
    settings = knobs.load()
    users.load(settings.boss_users_file)
    if beside is None:
        click.echo(_when_ready(settings, lambda: True))
        return
    require_free_port(settings.web_host, settings.port, "PORT")
    if settings.sandbox_on:
        require_free_port("127.0.0.1", settings.sandbox_port, "SANDBOX_PORT")
    require_free_port(settings.supervisor_host, settings.supervisor_port, "SUPERVISOR_PORT")
    click.echo("Bossline starts; the addresses follow in a few seconds. Ctrl-C ends everything.")
    sys.stdout.flush()
    if os.fork():
        os._exit(0)  # the caller becomes honcho now
    try:
        text = _when_ready(settings, lambda: _alive(beside))
        os.write(1, text.encode() + b"\n")  # one write: honcho's processes print at the same time
    except KeyboardInterrupt:
        os._exit(0)
    os._exit(0)


def _when_ready(settings: Settings, wanted: Callable[[], bool]) -> str:
    """Wait for the processes and return the banner, or what is missing after a minute; '' when nobody wants it."""
    end = time.monotonic() + PATIENCE_SECONDS
    missing = _missing(settings)
    while missing and wanted():
        if time.monotonic() > end:
            names = ", ".join(missing)
            return f"{RULE}\nAfter {PATIENCE_SECONDS:g} s there is no answer from: {names}. `boss doctor` looks for the reason.\n{RULE}"
        time.sleep(0.1)
        missing = _missing(settings)
    return "" if missing else banner(settings)


def _missing(settings: Settings) -> list[str]:
    """The processes that do not answer yet."""
    found = [] if _ready(f"{settings.local_web_url}/readyz") else ["web"]
    if settings.sandbox_on and not _answers(settings.sandbox_url):
        found.append("sandbox")
    if not _listens(settings.supervisor_host, settings.supervisor_port):
        found.append("bridge")
    if not found and not _workers(redis_url(settings)):
        found.append("worker")
    return found


def banner(settings: Settings) -> str:
    """The addresses, and a line to paste in sandbox mode."""
    lines = [
        RULE,
        "Bossline is ready.",
        f"  SMS webhook    {settings.webhook_base_url}/sms/inbound",
        f"  mail webhook   {settings.webhook_base_url}/email/inbound",
        f"  bridge         {settings.bridge_url}   (`boss chat` talks to the Boss here)",
    ]
    if settings.sandbox_on:
        user = sandbox_user(settings)
        lines += [
            f"  sandbox page   {settings.sandbox_url}/   (a phone and a mailbox: text it, mail it)",
            "",
            "Try it, and see the reply arrive on the sandbox page:",
            f"  {curl_line(settings.local_web_url, str(user.phone), str(user.boss_phone))}",
            "",
            "Twilio, SendGrid and Claude are played by the sandbox. docs/going-live.md leads to the real ones.",
        ]
    return "\n".join([*lines, RULE])


def curl_line(base: str, phone: str, boss: str) -> str:
    """The line to paste: an SMS as Twilio would deliver it, unsigned."""
    return f"curl {base}/sms/inbound --data-urlencode From={phone} --data-urlencode To={boss} -d 'Body=Test message'"


def _answers(url: str) -> bool:
    return _fetched(url) is not None


def _ready(url: str) -> bool:
    """Whether the web process answers and has Redis: without it, it takes messages all the same, for later."""
    try:
        answer = codec.loads(_fetched(url) or b"")
    except BadInput:
        return False
    return isinstance(answer, dict) and answer.get("redis") == "ok"


def _fetched(url: str) -> bytes | None:
    """The body of a 200; None for anything else."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=2) as response:
            body: bytes = response.read(MAX_BODY)
            return body if response.status == 200 else None  # noqa: PLR2004 - HTTP's own number
    except (URLError, OSError):
        return None


def _listens(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    try:
        socket.create_connection((everywhere.get(host, host), port), timeout=1).close()
    except OSError:
        return False
    return True


def _workers(url: str) -> int:
    try:
        with connections.probe(url, 1.0) as client:
            return int(client.scard("rq:workers"))
    except (RedisError, OSError):
        return 0


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
