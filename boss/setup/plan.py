"""The plan: the difference between what is wanted and what stands, as steps in the order in which they are done. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from boss.setup.plan_sendgrid import sendgrid_notes, sendgrid_steps
from boss.setup.plan_twilio import twilio_notes, twilio_steps
from boss.setup.standing import SetupStanding
from boss.setup.steps import AddPerson, Plan, SetEnv, SetupStep, WriteFile
from boss.setup.wanted import SetupGoal


def plan(wanted: SetupGoal, standing: SetupStanding) -> Plan:
    """What is left to do. First this machine, so that it knows a key before a provider signs with it."""
    notes: list[str] = []
    steps = [*_env(wanted, standing), *_person(wanted, standing)]
    if standing.twilio is not None:
        steps += twilio_steps(wanted, standing.twilio)
        notes += twilio_notes(wanted, standing.twilio)
    if standing.sendgrid is not None:
        steps += sendgrid_steps(wanted, standing.sendgrid, standing.env)
        notes += sendgrid_notes(wanted, standing.sendgrid)
    steps += _files(wanted, standing)
    return Plan(steps=tuple(steps), notes=tuple(notes))


def _env(wanted: SetupGoal, standing: SetupStanding) -> Iterator[SetupStep]:
    changes = {name: value for name, value in wanted.env.items() if standing.env.get(name) != value}
    if changes:
        yield SetupStep(key="env", says=f".env: set {', '.join(changes)}", change=SetEnv(changes), kept=False)


def _person(wanted: SetupGoal, standing: SetupStanding) -> Iterator[SetupStep]:
    if wanted.person is not None and wanted.person["username"] not in standing.usernames:
        yield SetupStep(
            key="person",
            says=f"{standing.users_file}: add {wanted.person['username']}",
            change=AddPerson(wanted.person),
            stood=standing.users_text,
        )


def _files(wanted: SetupGoal, standing: SetupStanding) -> Iterator[SetupStep]:
    for path, text in wanted.files.items():
        if standing.files.get(path) != text:
            yield SetupStep(key=f"file:{path}", says=f"write {path}", change=WriteFile(path, text), kept=False)
