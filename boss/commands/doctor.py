"""`boss doctor`: looks for what is wrong, and says what to do about it. It changes nothing and prints no secret.

Exit status: 0 when nothing fails (warnings included), 1 otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Final

import click
from redis import Redis

from boss.checks import dispatch, machine, providers, server
from boss.checks.bridge import bridge
from boss.checks.email_events import email_events, events_heard
from boss.checks.mcp import mcp
from boss.checks.models import models, second_model, web_tools
from boss.checks.reconciler import reconciler
from boss.checks.replication import clocks, sentinels
from boss.checks.result import Check, Finding, fail, not_checked, not_running, ok, run_all, worst
from boss.checks.speech import speech
from boss.checks.spending import persons, prices, spending
from boss.checks.spool import spool
from boss.checks.standby import standby
from boss.terminal.output import Command, emit_json, mark, printable
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.mailbox import statistics
from shared.mailbox.statistics import Figures
from shared.observability.redaction import KNOWN_SECRETS
from shared.runtime import redis_url
from shared.storage import clients
from shared.storage.clients import AWAY


def _counted(check: Callable[[Figures], list[Finding]]) -> Callable[[Redis], list[Finding]]:
    """A check of the mailbox's figures, for whoever has a connection."""
    return lambda redis: check(statistics.look(redis))


STORED: Final[dict[str, Callable[[Redis], list[Finding]]]] = {
    "clock": server.clock,
    "workers": server.workers,
    "foreign workers": dispatch.foreign_workers,
    "queue": _counted(server.queue),
    "failed jobs": dispatch.failed_jobs,
    "conversations": _counted(server.due),
    "parked": _counted(server.parked),
    "reminders": _counted(server.reminders),
}
LASTING: Final = ("redis",)
"""What is another machine's where REDIS_URL names it: that it does not answer has a line of its own."""
NAME_WIDTH: Final = 16


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the status, and each check with what to do.")
def doctor(*, as_json: bool) -> None:
    """Look for what is wrong, and say what to do about it.

    Checks this machine, the settings, Redis and what waits in it, the web
    process, and the accounts at Twilio, SendGrid and Claude. Every check runs,
    whatever the others find. Nothing is changed, and no secret is shown.

    Exit status: 0 when nothing fails, 1 otherwise.
    """
    findings = examine()
    status = worst(findings)
    if as_json:
        checks = [{"check": each.name, "status": each.status, "detail": each.detail, "todo": each.todo} for each in findings]
        emit_json({"status": status, "checks": checks})
    else:
        for finding in findings:
            click.echo(line(finding))
        click.echo(summary(findings))
    sys.exit(status == "fail")


def examine() -> list[Finding]:
    """All findings, in the order of a first installation."""
    try:
        settings = load_settings()
    except ConfigurationError as error:
        faults = "\n".join(each.strip() for each in error.detail.strip().splitlines())
        fault = fail("settings", faults, "Correct these in the environment or .env; `boss config example` explains each.")
        return [
            *run_all({"python": machine.python, ".env": machine.env_file}),
            fault,
            not_checked("the rest", "the settings cannot be used"),
        ]
    KNOWN_SECRETS.replace(settings.secrets)
    with clients.for_web(redis_url(settings)) as redis:
        processes = frozenset(("web", "bridge") if settings.redis_url else ("redis", "web", "bridge"))
        return told_once(run_all(checks_for(settings, redis)), processes)


def checks_for(settings: Settings, redis: Redis) -> dict[str, Check]:
    """The checks by name, in the order in which they are shown."""
    here = (machine.mode, machine.weak_secrets, machine.users, machine.data_dir, machine.signature, spool)
    there = (
        providers.web,
        email_events,
        bridge,
        machine.public_url,
        providers.public_reach,
        providers.twilio,
        providers.sendgrid,
        providers.claude,
        speech,
        machine.exposed,
    )
    return {
        "python": machine.python,
        "settings": lambda: [ok("settings", "all can be used")],
        ".env": machine.env_file,
        **{check.__name__: partial(check, settings) for check in here},
        "redis": lambda: server.server(redis),
        "sentinels": partial(sentinels, settings),
        "replicas' clock": partial(_stored, "replicas' clock", clocks, redis),
        **{name: partial(_stored, name, check, redis) for name, check in STORED.items()},
        "sending": partial(_stored, "sending", partial(server.paused, settings), redis),
        "waiting": partial(_stored, "waiting", _counted(partial(server.waiting, settings)), redis),
        "models": partial(models, settings),
        "web tools": partial(web_tools, settings),
        "second model": partial(_stored, "second model", _counted(partial(second_model, settings)), redis),
        "prices": partial(prices, settings),
        "spending": partial(_stored, "spending", _counted(partial(spending, settings)), redis),
        "mcp": partial(_stored, "mcp", partial(mcp, settings), redis),
        "persons' bounds": partial(_stored, "persons' bounds", partial(persons, settings), redis),
        "standby": partial(_stored, "standby", partial(standby, settings), redis),
        "reconciler": partial(_stored, "reconciler", partial(reconciler, settings), redis),
        "events heard": partial(_stored, "events heard", partial(events_heard, settings), redis),
        **{check.__name__: partial(check, settings) for check in there},
    }


def _stored(name: str, check: Callable[[Redis], list[Finding]], redis: Redis) -> list[Finding]:
    """A check of what is in Redis; while that is away, its own line says so and these are only not checked."""
    try:
        return check(redis)
    except AWAY:
        return [not_running(not_checked(name, "Redis does not answer"))]


def told_once(findings: list[Finding], processes: frozenset[str]) -> list[Finding]:
    """The findings; where none of this machine's `processes` runs, one line instead of all that follow from it."""
    if not processes <= {each.name for each in findings if each.down}:
        return findings
    todo = "Start them: `make run`, or the units of docs/howto/going-live.md; then ask again."
    nothing = fail("processes", f"nothing runs here yet: no answer from {', '.join(sorted(processes))}", todo)
    return [*(each for each in findings if not each.down or (each.name in LASTING and each.name not in processes)), nothing]


def line(finding: Finding) -> str:
    """One finding for the eye; what to do stands below it."""
    indent = "\n" + " " * (NAME_WIDTH + 6)
    text = f"{mark(finding.status)}  {finding.name:<{NAME_WIDTH}}" + printable(finding.detail, lines=True).replace("\n", indent)
    return f"{text}{indent}-> {finding.todo}" if finding.todo else text


def summary(findings: list[Finding]) -> str:
    """The last line."""
    counts = {status: sum(1 for each in findings if each.status == status) for status in ("ok", "warn", "fail")}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)
