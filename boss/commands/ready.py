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
from datetime import UTC, datetime
from typing import Any, Final, cast
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import click
from redis.exceptions import RedisError

from boss.commands.processes import sandbox_user
from shared.config.loading import load_settings, providers_in_use
from shared.config.providers import NAMES, follows
from shared.config.settings import Settings
from shared.config.web_address import local_web_url, webhook_base_url
from shared.errors import BadInput
from shared.mailbox.calls import STANDBY
from shared.mailbox.statistics import QUEUE_WORKERS_KEY
from shared.model import codec
from shared.process.ports import require_free_port
from shared.registry import people_on_disk
from shared.runtime import redis_url
from shared.storage import clients

PATIENCE_SECONDS: Final = 60.0
MAX_BODY: Final = 65_536
OK, UNAVAILABLE = 200, 503
HEARD_OF_SECONDS: Final = 30.0
RULE: Final = "-" * 100


@click.command()
@click.option("--beside", type=int, metavar="PID", help="Go to the background and end with this process.")
@click.option("--within", default=PATIENCE_SECONDS, show_default=True, type=click.FloatRange(0, 3600), help="Seconds to wait.")
def ready(beside: int | None, within: float) -> None:
    """Wait until everything runs, and print the addresses. Otherwise name what does not answer, with exit status 1."""
    settings = load_settings()
    people_on_disk(settings)
    if beside is None:
        missing = _wait(settings, within, lambda: True)
        click.echo(_unready(missing, within) if missing else banner(settings), err=bool(missing))
        sys.exit(bool(missing))
    require_free_port(settings.web_host, settings.port, "PORT")
    if settings.sandbox_on:
        require_free_port("127.0.0.1", settings.sandbox_port, "SANDBOX_PORT")
    require_free_port(settings.supervisor_host, settings.supervisor_port, "SUPERVISOR_PORT")
    click.echo("Bossline starts; the addresses follow in a few seconds. Ctrl-C ends everything.")
    sys.stdout.flush()
    if os.fork():
        os._exit(0)  # the caller becomes honcho now
    os._exit(_tell(settings, within, lambda: _alive(beside)))


def _tell(settings: Settings, within: float, wanted: Callable[[], bool]) -> int:
    """In the background: one line of print for what was found, beside what honcho's processes print; nothing once nobody wants it."""
    try:
        missing = _wait(settings, within, wanted)
        if wanted():
            os.write(1, (f"{RULE}\n{_unready(missing, within)}\n{RULE}\n" if missing else f"{banner(settings)}\n").encode())
    except (KeyboardInterrupt, BrokenPipeError):  # Ctrl-C, or nobody reads it any more
        return 0
    return int(bool(missing))


def _wait(settings: Settings, within: float, wanted: Callable[[], bool]) -> list[str]:
    """Wait for the processes; the names of those that do not answer at the end."""
    end = time.monotonic() + within
    while (missing := _missing(settings)) and wanted() and time.monotonic() < end:
        time.sleep(0.1)
    return missing


def _unready(missing: list[str], within: float) -> str:
    return f"Not ready: after {within:g} s there is no answer from {', '.join(missing)}. `boss doctor` looks for the reason."


def _missing(settings: Settings) -> list[str]:
    """The processes that do not answer yet. The web process takes messages without Redis all the same; that is not ready."""
    health = _health(f"{local_web_url(settings)}/readyz")
    found = ["web"] if health is None else [] if health.get("redis") == "ok" else ["redis"]
    if settings.sandbox_on and not _answers(settings.sandbox_url):
        found.append("sandbox")
    if not _listens(settings.supervisor_host, settings.supervisor_port):
        found.append("bridge")
    if not found and not live_workers(redis_url(settings)):
        found.append("worker")
    return found


def banner(settings: Settings) -> str:
    """The addresses, which providers are played, and, while Twilio is played, a line to paste."""
    lines = [
        RULE,
        "Bossline is ready.",
        f"  SMS webhook    {webhook_base_url(settings)}/sms/inbound",
        f"  mail webhook   {webhook_base_url(settings)}/email/inbound",
        f"  bridge         {settings.bridge_url}   (`boss chat` talks to the Boss here)",
    ]
    if settings.sandbox_on:
        lines.append(f"  sandbox page   {settings.sandbox_url}/   (a phone and a mailbox: text it, mail it)")
    lines += [f"  {NAMES[each]:<14} {said}" for each, said in providers_in_use(settings).items()]
    if "twilio" in settings.played:
        user = sandbox_user(settings)
        lines += ["", "Try it, and see the reply arrive on the sandbox page:"]
        lines.append(f"  {curl_line(local_web_url(settings), str(user.phone), str(user.boss_phone))}")
    elif not settings.public_url:
        lines += ["", "Twilio is real and PUBLIC_URL is not set: no text can arrive. docs/howto/going-live.md says what to set."]
    if told := follows(settings):
        lines += ["", *told, "docs/howto/real-providers.md says how a real one takes its place, one after the other."]
    return "\n".join([*lines, RULE])


def curl_line(base: str, phone: str, boss: str) -> str:
    """The line to paste: an SMS as Twilio would deliver it, unsigned."""
    return f"curl {base}/sms/inbound --data-urlencode From={phone} --data-urlencode To={boss} -d 'Body=Test message'"


def _answers(url: str) -> bool:
    return _fetched(url) is not None


def _health(url: str) -> dict[str, Any] | None:
    """The web process's report on its health, also when it is not well; None without an answer."""
    try:
        answer = codec.loads(_fetched(url, also=(UNAVAILABLE,)) or b"")
    except BadInput:
        return None
    return answer if isinstance(answer, dict) else None


def _fetched(url: str, also: tuple[int, ...] = ()) -> bytes | None:
    """The body of a 200, or of the status `also`; None for any other."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=2) as response:
            body: bytes = response.read(MAX_BODY)
            return body if response.status == OK else None
    except HTTPError as error:
        return error.read(MAX_BODY) if error.code in also else None
    except (URLError, OSError):
        return None


def _listens(host: str, port: int) -> bool:
    """Whether a process accepts connections there."""
    everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    try:
        socket.create_connection((everywhere.get(host, host), port), timeout=1).close()
    except OSError:
        return False
    return True


def live_workers(url: str) -> int:
    """Regular workers that live, as far as RQ's records tell: on this host those whose process is there, elsewhere those just heard of.

    A worker that was killed stays in RQ's list for a while.
    """
    try:
        with clients.short_lived_client(url, 1.0) as client:
            keys: Any = client.smembers(QUEUE_WORKERS_KEY)
            return sum(_lives(key, cast("Any", client.hmget(key, "hostname", "pid", "last_heartbeat", "death"))) for key in keys)
    except (RedisError, OSError, ValueError):
        return 0


def _lives(key: bytes, record: list[bytes | None]) -> bool:
    host, pid, beat, death = record
    if death or not (host and pid and beat) or key.decode().rpartition(":")[2].startswith(STANDBY):
        return False
    if host.decode() == socket.gethostname():
        return _alive(int(pid))
    return (datetime.now(UTC) - datetime.fromisoformat(beat.decode())).total_seconds() < HEARD_OF_SECONDS


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
