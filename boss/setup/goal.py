"""Makes the goal of a set-up out of the answers and of what stands; new secrets are made here."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from boss.setup.questions import BASES, Answers, Known
from boss.setup.record import SetupRecord
from boss.setup.standing import SetupStanding
from boss.setup.wanted import SetupGoal
from shared.config import secret_rules

PLACES: Final = ("BOSS_DATA_DIR", *BASES)
"""Names whose value in the environment the processes need as well, so that `.env` is to hold them."""
GENERATED: Final = {"SUPERVISOR_TOKEN": 32, "CONSOLE_PASSWORD": 12}
"""Secrets that nobody else has to know: their length in bytes, written as hexadecimal digits."""


def goal(
    known: Known, answers: Answers, record: SetupRecord, standing: SetupStanding, *, files: Mapping[Path, str], users_file: str
) -> SetupGoal:
    """What is wanted. Numbers and hosts that are ours already stay in it, whoever has them."""
    former = {each for each in (*record.addresses, known.values.get("PUBLIC_URL", "").rstrip("/")) if each}
    first = SetupGoal(public_url=answers.public_url, name=record.name, former=frozenset(former))
    phones = [user.boss_phone.value for user in known.people if user.boss_phone] + [answers.boss_phone]
    phones += [each.phone for each in standing.twilio.numbers if first.is_ours(each.url)] if standing.twilio else []
    emails = [user.boss_email.value for user in known.people if user.boss_email] + [answers.boss_email]
    hosts = [email.rpartition("@")[2] for email in emails]
    hosts += [each.host for each in standing.sendgrid.parse if first.is_ours(each.url)] if standing.sendgrid else []
    return SetupGoal(
        public_url=answers.public_url,
        name=record.name,
        former=frozenset(former),
        phones=tuple(dict.fromkeys(each for each in phones if each)),
        hosts=tuple(dict.fromkeys(each for each in hosts if each)),
        env=_env(known, answers, users_file),
        secret=secrets.token_hex(32),
        spent_key=answers.full_key,
        person=answers.person,
        files=files,
    )


def _env(known: Known, answers: Answers, users_file: str) -> dict[str, str]:
    values = known.values
    wanted = {
        "ENVIRONMENT": values.get("ENVIRONMENT") or "production",
        "PUBLIC_URL": answers.public_url,
        **{name: values.get(name, "") for name in PLACES},
        "BOSS_USERS_FILE": users_file,
        "ANTHROPIC_API_KEY": answers.claude_key,
        "TWILIO_ACCOUNT_SID": answers.account,
        "TWILIO_AUTH_TOKEN": answers.token,
        **{name: values.get(name) or _made(name) for name in GENERATED},
    }
    return {name: value for name, value in wanted.items() if value}


def _made(name: str) -> str:
    """A secret that production takes: one that happens to look guessable is made again."""
    while secret_rules.faults([(name.lower(), made := secrets.token_hex(GENERATED[name]))]):
        continue
    return made
