"""One run of `boss setup` from its first question to its last line: what the command calls."""

from __future__ import annotations

import os
import pwd
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from boss.setup import dns_client, dns_records
from boss.setup.api import ApiAway, ApiRefused
from boss.setup.apply import Doer, Providers, SetupOutcome, SetupRun, SetupView, forwards
from boss.setup.ask import Given, Terminal
from boss.setup.dns_client import FoundRecord, Server
from boss.setup.goal import goal
from boss.setup.machine import Machine
from boss.setup.other_files import UNIT, Service, caddyfile
from boss.setup.people import people
from boss.setup.plan import plan
from boss.setup.questions import BASES, Answers, Known, SetupQuestions
from boss.setup.record import SetupRecord
from boss.setup.standing import SetupStanding
from boss.setup.steps import Plan, SetupStep, ValidateDomain
from boss.setup.undo import AT_SENDGRID, Undo
from boss.setup.wanted import SetupGoal, host_of
from boss.terminal.output import Ending, mark, printable
from shared import operator_files
from shared.config.loading import load_settings
from shared.errors import ConfigurationError

ENV_FILE: Final = ".env"
USERS_FILE: Final = "users.toml"
RECORD: Final = Path("setup") / "record.json"
"""In BOSS_DATA_DIR."""
DATA_DIR: Final = ".boss"
PORT: Final = "8787"
READ: Final = frozenset(
    {"ENVIRONMENT", "PUBLIC_URL", "PORT", "BOSS_DATA_DIR", "BOSS_USERS_FILE", "BOSS_MODEL", "SUPERVISOR_TOKEN", "CONSOLE_PASSWORD"}
    | {"ANTHROPIC_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "SENDGRID_API_KEY", "EMAIL_WEBHOOK_SECRET", *BASES}
)
"""What is read of the environment, where it comes before `.env` as it does for the processes."""
AGAIN: Final = "Add the missing records where the DNS of that host is kept, then press Enter to look again (anything else: later)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupOptions:
    """What was given on the command line; no key is among it."""

    values: Mapping[str, str] = field(default_factory=dict)
    yes: bool = False
    show: bool = False
    caddy: Path | None = None
    systemd: Path | None = None
    run_as: str = ""
    dns_servers: tuple[Server, ...] = ()


class SetupSession:
    """The directory with `.env`, what is known of it, and whoever answers."""

    def __init__(self, directory: Path, options: SetupOptions, asker: Terminal | Given) -> None:
        """Raises ConfigurationError for files that cannot be read."""
        self.options, self.asker = options, asker
        env_path = directory / ENV_FILE
        in_file = operator_files.read_env(env_path)
        values = {**in_file, **{name: value for name, value in os.environ.items() if value and name in READ}}
        owner = _owner(options.run_as)
        self.data_dir = directory / (values.get("BOSS_DATA_DIR") or DATA_DIR)
        self.users_file = values.get("BOSS_USERS_FILE") or USERS_FILE
        users_path = directory / self.users_file
        self.known = Known(values, options.values, tuple(people(users_path)))
        self.record = SetupRecord(self.data_dir / RECORD, owner)
        files = [path for path in (options.caddy, self._unit_path()) if path is not None]
        files += [Path(path) for path in self.record.files if Path(path) != users_path]
        self.machine = Machine(env_path, users_path, self.record, tuple(dict.fromkeys(files)), owner)
        self.directory = directory

    def set_up(self) -> int:
        """Ask, show, do. The exit status: 0 when nothing is left."""
        answers = SetupQuestions(self.asker, self.known).all()
        view = SetupView(self.machine, answers.providers)
        standing = _read(view)
        wanted = goal(self.known, answers, self.record, standing, files=self._files(answers), users_file=self.users_file)
        found = plan(wanted, standing)
        self._check_files(wanted, standing)
        _show(found)
        if self.options.show or not found.steps:
            return self._told(wanted, view, SetupOutcome(notes=found.notes, left={step.key: (step, "") for step in found.steps}))
        agreed = self._agreed(found)
        if not self.asker.agree("Do this?", yes=self.options.yes):
            raise Ending("nothing was changed; `--yes` agrees in advance" if not self.asker.typed else "nothing was changed")
        for address in sorted({wanted.public_url, *wanted.former}):
            self.record.keep_address(address)
        return self._done(wanted, view, answers.providers, agreed)

    def undo(self) -> int:
        """Put back what stood before. The exit status: 0 when nothing is left."""
        if not self.record.exists:
            raise Ending("`boss setup` has done nothing here that could be undone", 0)
        providers = SetupQuestions(self.asker, self.known).logins()
        view = SetupView(self.machine, providers)
        former = frozenset({*self.record.addresses, self.known.values.get("PUBLIC_URL", "").rstrip("/")} - {""})
        back = Undo(SetupGoal(public_url=next(iter(sorted(former)), ""), name=self.record.name, former=former), self.record)
        found = back.plan(_read(view))
        _show(found)
        if self.options.show:
            return 0
        if found.steps and not self.asker.agree("Put this back?", yes=self.options.yes):
            raise Ending("nothing was changed")
        outcome = SetupRun(back.plan, view, Doer(self.machine, providers, self.record), frozenset(), _say).go()
        return self._forgotten(outcome, providers)

    def _forgotten(self, outcome: SetupOutcome, providers: Providers) -> int:
        """Drop from the record what was put back; what a provider was not asked about stays in it."""
        asked = {"sendgrid": providers.sendgrid is not None, "twilio": providers.twilio is not None}
        for key in self.record.stood:
            what = key.partition(":")[0]
            there = asked["sendgrid" if what in AT_SENDGRID else "twilio"] or what == "person"
            if there and key not in outcome.left:
                self.record.forget(key)
        if "env" not in outcome.left:
            self.record.forget_env(list(self.record.env))
        for path in self.record.files:
            if f"file:{path}" not in outcome.left:
                self.record.forget_file(path)
        for step, why in outcome.left.values():
            click.echo(f"{mark('fail')}  {printable(step.says)}: {printable(why)}")
        if self.record.exists:
            click.echo("What is left stands in the record; run `boss setup --undo` again, with the keys of what is missing.")
            return 1
        self.record.remove()
        click.echo("What `boss setup` did is undone.")
        return 0

    def _agreed(self, found: Plan) -> frozenset[str]:
        """The hosts of others that were typed. Nothing answers this in advance."""
        hosts: dict[str, str] = {}
        for step in found.steps:
            for host in step.elsewhere:
                hosts.setdefault(host, step.says)
        return frozenset(host for host, says in hosts.items() if self.asker.host_typed(host, says))

    def _done(self, wanted: SetupGoal, view: SetupView, providers: Providers, agreed: frozenset[str]) -> int:
        doer = Doer(self.machine, providers, self.record)
        while True:
            outcome = SetupRun(forwards(wanted), view, doer, agreed, _say).go()
            status = self._told(wanted, view, outcome)
            waits = any(isinstance(step.change, ValidateDomain) for step, _ in outcome.left.values())
            if not waits or not self.asker.again(AGAIN):
                return status

    def _told(self, wanted: SetupGoal, view: SetupView, outcome: SetupOutcome) -> int:
        """What is left, what the person should know, and what comes next."""
        for note in outcome.notes:
            click.echo(f"      {printable(note)}")
        for step, why in outcome.left.values():
            if why:
                click.echo(f"{mark('warn')}  {printable(step.says)}: {printable(why)}")
        missing = self._records(wanted, view.standing())
        faults = _faults(self.machine.env_path) if not self.options.show else ""
        if faults:
            click.echo(f"{mark('fail')}  .env:{printable(faults, lines=True)}")
        left = bool(outcome.left or missing or faults)
        for line in _following(missing=missing, left=left, show=self.options.show, files=wanted.files):
            click.echo(line)
        return int(left)

    def _records(self, wanted: SetupGoal, standing: SetupStanding) -> bool:
        """Print the DNS records that are needed, and whether each is there; whether one is missing."""
        _address_of(host_of(wanted.public_url))
        if standing.sendgrid is None or not wanted.hosts:
            return False
        checked = dns_records.check(dns_records.needed(standing.sendgrid, wanted.hosts), self._lookup)
        click.echo("DNS records:")
        for line in dns_records.table(checked):
            click.echo(f"  {printable(line)}")
        for warning in dns_records.warnings(checked):
            click.echo(f"{mark('warn')}  {printable(warning)}")
        return any(each.state in ("missing", "other") for each in checked)

    def _lookup(self, name: str, kind: str) -> list[FoundRecord]:
        return dns_client.query(name, kind, self.options.dns_servers or dns_client.system_servers())

    def _unit_path(self) -> Path | None:
        return self.options.systemd / UNIT if self.options.systemd else None

    def _files(self, answers: Answers) -> dict[Path, str]:
        """The files that were asked for."""
        found: dict[Path, str] = {}
        if self.options.caddy is not None:
            found[self.options.caddy] = caddyfile(answers.public_url, int(self.known.values.get("PORT") or PORT))
        if (path := self._unit_path()) is not None:
            user = self.options.run_as or pwd.getpwuid(os.getuid()).pw_name
            boss = Path(sys.executable).parent / "boss"
            found[path] = Service(user, self.directory.absolute(), boss, self.data_dir.absolute()).unit()
        return found

    def _check_files(self, wanted: SetupGoal, standing: SetupStanding) -> None:
        """Raise Ending for a file that is somebody else's: it is not written over."""
        for path, text in wanted.files.items():
            there = standing.files.get(path)
            if there is not None and there != text and not self.record.wrote(path, there):
                raise Ending(f"{path}: is there, and `boss setup` did not write it as it is; name another place. Nothing was changed")


def _read(view: SetupView) -> SetupStanding:
    """What stands, before anything was changed."""
    try:
        return view.standing()
    except (ApiAway, ApiRefused) as error:
        raise Ending(f"{error.detail}; nothing was changed") from None


def _show(found: Plan) -> None:
    if not found.steps:
        click.echo("Nothing is to be done.")
        return
    click.echo("To be done:")
    for number, step in enumerate(found.steps, 1):
        click.echo(f"  {number:>2}  {printable(step.says)}")


def _say(step: SetupStep, why: str) -> None:
    click.echo(f"{mark('fail' if why else 'ok')}  {printable(step.says)}" + (f": {printable(why)}" if why else ""))


def _faults(env_path: Path) -> str:
    """What keeps the processes from starting with these settings, "" for nothing."""
    try:
        load_settings(_env_file=env_path)
    except ConfigurationError as error:
        return error.detail
    return ""


def _address_of(host: str) -> None:
    """Say whether the public host has an address at all."""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        click.echo(f"{mark('warn')}  {printable(host)} has no address yet: point it to this machine (an A record), or start the tunnel.")


def _following(*, missing: bool, left: bool, show: bool, files: Mapping[Path, str]) -> list[str]:
    """What the person does next."""
    if show:
        return []
    found = ["Next:"]
    if missing:
        found.append("  add the DNS records that are missing, and run `boss setup` again: it goes on from here")
    elif left:
        found.append("  see to what is left, and run `boss setup` again: it goes on from here")
    if any(path.name == UNIT for path in files):
        found.append("  systemctl daemon-reload && systemctl enable --now bossline@redis bossline@web bossline@worker bossline@standby")
    found.append("  start the processes, or start them again: they read .env when they start")
    return [*found, "  boss doctor"]


def _owner(name: str) -> tuple[int, int] | None:
    """The user and group of a login name. Raises Ending for one that is not there."""
    if not name:
        return None
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise Ending("--run-as: there is no such user; nothing was changed") from None
    return found.pw_uid, found.pw_gid
