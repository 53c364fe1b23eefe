"""The processes of the Procfile, and the settings that they run with."""

from __future__ import annotations

import os
import sys
import time
from typing import Final, NoReturn
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import click
from pydantic import SecretStr

from shared.config.cross_checks import secret_text
from shared.config.env_example import example_file
from shared.config.loading import load_settings, providers_in_use
from shared.config.providers import CREDENTIALS, FILLED, NAMES
from shared.config.settings import Settings
from shared.config.web_address import local_web_url, webhook_base_url
from shared.model.users import LOCAL_USER, User
from shared.net import without_login
from shared.process.honcho import end_with_honcho, under_honcho
from shared.process.lifecycle import StopSignal, exit_now
from shared.process.ports import require_free_port
from shared.registry import users_on_disk

SANDBOX_PATIENCE_SECONDS: Final = 20.0


@click.command()
def web() -> None:
    """Take the webhooks of Twilio and SendGrid."""
    os.execv(sys.executable, [sys.executable, "-m", "webhook_api"])  # noqa: S606 - its modules stay out of this process


@click.command()
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes, for more cores than one.")
def worker(processes: int) -> None:
    """Have Claude answer the messages, and send the replies: WORKER_CONCURRENCY turns at once in each process."""
    end_with_honcho()
    settings = load_settings()
    from supervisor_worker.process.pool import main as work  # noqa: PLC0415 - it loads the SDKs, which takes two seconds

    exit_now(work(settings, processes))


@click.command()
def bridge() -> None:
    """Serve local programs over WebSocket, in real time (docs/reference/bridge.md)."""
    end_with_honcho()
    settings = load_settings()
    require_free_port(settings.supervisor_host, settings.supervisor_port, "SUPERVISOR_PORT")
    from bridge.server.process import main as serve_bridge  # noqa: PLC0415 - only this process needs it

    exit_now(serve_bridge(settings))


@click.command()
def standby() -> None:
    """Work while no regular worker lives; stand aside otherwise, and always with LOCAL_FALLBACK=off."""
    end_with_honcho()
    from supervisor_worker.standby import main as stand_by  # noqa: PLC0415 - only this process needs it

    exit_now(stand_by(load_settings()))


@click.command()
def sandbox() -> None:
    """Play Twilio, SendGrid and Claude on loopback, with a page that is a phone and a mailbox."""
    end_with_honcho()
    stop = StopSignal()
    settings = load_settings()
    if not settings.sandbox_on:
        stand_aside(stop, "sandbox stands aside: it plays nobody (SANDBOX=on overrides)")
    require_free_port("127.0.0.1", settings.sandbox_port, "SANDBOX_PORT")
    if under_honcho():
        _wait_for_web(settings, stop)
    os.execve(sys.executable, [sys.executable, "-m", "shared.process.honcho", "sandbox"], sandbox_environment(settings))  # noqa: S606 - it imports none of us


def sandbox_environment(settings: Settings) -> dict[str, str]:
    """What the sandbox is told: where the webhooks go, whose they are, who is real, and the credentials of those that it plays."""
    user = sandbox_user(settings)
    names = {name: each for each in NAMES for name in (*CREDENTIALS[each], *FILLED[each])}
    credentials = {name.upper(): secret_text(getattr(settings, name)) if each in settings.played else "" for name, each in names.items()}
    return {
        **os.environ,
        **credentials,
        "SANDBOX_PORT": str(settings.sandbox_port),
        "SANDBOX_WEBHOOK_URL": local_web_url(settings),
        "SANDBOX_PUBLIC_URL": webhook_base_url(settings),
        "SANDBOX_REAL": "\n".join(
            f"{NAMES[each]} is {said}" for each, said in providers_in_use(settings).items() if each not in settings.played
        ),
        "SANDBOX_USER_PHONE": str(user.phone),
        "SANDBOX_BOSS_PHONE": str(user.boss_phone),
        "SANDBOX_USER_EMAIL": str(user.email),
        "SANDBOX_BOSS_EMAIL": str(user.boss_email),
    }


def sandbox_user(settings: Settings) -> User:
    """Whose phone and mailbox the sandbox plays: the first user who has both."""
    return next((user for user in users_on_disk(settings).all if user.phone and user.email), LOCAL_USER)


def _wait_for_web(settings: Settings, stop: StopSignal) -> None:
    """Wait for the web process: honcho starts us together and only that one knows its port."""
    opener = build_opener(ProxyHandler({}))
    end = time.monotonic() + SANDBOX_PATIENCE_SECONDS
    while not stop() and time.monotonic() < end:
        try:
            opener.open(f"{local_web_url(settings)}/livez", timeout=1).close()
        except (URLError, OSError):
            time.sleep(0.1)
        else:
            return
    if stop():
        sys.exit(0)


def stand_aside(stop: StopSignal, line: str) -> NoReturn:
    """Print one line and wait for the end: honcho ends everything when one process exits."""
    click.echo(line)
    stop.wait()
    sys.exit(0)


@click.group()
def config() -> None:
    """Show the settings, or an example file of them."""


@config.command()
def example() -> None:
    """Print `.env.example`: every setting with its default."""
    click.echo(example_file(), nl=False)


@config.command()
def show() -> None:
    """Print the settings in force; secrets are only said to be set."""
    settings = load_settings()
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = "(set)" if value.get_secret_value() else ""
        click.echo(f"{name.upper()}={'' if value is None else without_login(str(value))}")
