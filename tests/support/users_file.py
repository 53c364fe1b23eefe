"""The users file of a `Whole`: so many people that no test runs out of them."""

from __future__ import annotations

from typing import Final

from shared.model.addresses import EmailAddress, PhoneNumber

USERS: Final = 2_000
BOSS_PHONE: Final = "+15559876543"
OTHER_BOSS_PHONE: Final = "+15559876544"
BOSS_EMAIL: Final = "boss@example.com"


def phone(number: int) -> str:
    """Of the person with this number."""
    return f"+1555200{number:04}"


def email(number: int) -> str:
    """Of the person with this number."""
    return f"u{number:04}@example.com"


def text() -> str:
    """All of it; the last one writes to another number of ours."""
    return "".join(_user(number) for number in range(1, USERS + 1))


def _user(number: int) -> str:
    boss = OTHER_BOSS_PHONE if number == USERS else BOSS_PHONE
    fields = {"username": f"u{number:04}", "phone": phone(number), "boss_phone": boss, "email": email(number), "boss_email": BOSS_EMAIL}
    return "[[users]]\n" + "".join(f'{name} = "{value}"\n' for name, value in fields.items())


def remember() -> None:
    """Read all addresses once: a process that is forked after this knows them, and starts twice as fast."""
    for number in range(1, USERS + 1):
        PhoneNumber.parse(phone(number))
        EmailAddress.parse(email(number))
