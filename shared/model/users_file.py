"""The users file: TOML, one `[[users]]` table for each person.

    [[users]]
    username   = "ada"
    phone      = "+15551234567"      # with boss_phone; E.164. Several: phones = ["+15551234567", "+15551234568"]
    boss_phone = "+15559876543"
    email      = "ada@example.com"   # with boss_email. Several: emails = ["ada@example.com", "ada@home.example"]
    boss_email = "boss@example.com"
    robots     = "answer"            # optional: mail that programs send in the person's name is answered, too
    timezone   = "Europe/Berlin"     # optional, default UTC
    role       = "admin"             # or "member", the default
    model      = "claude-opus-5-5"   # optional: another model for this person, and with it or alone `effort` and `max_tokens`
    about      = "Ada is vegetarian. Be brief."   # optional: what the Boss is to know and how it is to be
    boss_name  = "Max"               # optional: what the person calls the Boss
    quiet_hours = "22:00-07:00"      # optional: when nothing rings that the Boss begins by itself
    bridge_only = true               # optional: comes over the bridge alone, and no provider is asked for on its account
    shared     = true                # optional: several people use it, such as a family's phone
    forwarding = [{ address = "contact@example.com", tag = "contact" }]   # optional: addresses to which anybody may write

What an entry may say is judged in `shared.model.user_entries`.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from shared import operator_files
from shared.errors import ConfigurationError
from shared.model.user_entries import clashes, user_of
from shared.model.users import LOCAL_USER, User, Users

MAX_USERS: Final = 10_000


def load_users(path: Path | None) -> Users:
    """Read the users file; None gives the local user. Raises ConfigurationError with every fault."""
    return Users([LOCAL_USER] if path is None else read_users(path))


def read_users(path: Path) -> list[User]:
    """The users of a file. Raises ConfigurationError with every fault."""
    entries = read_entries(path)
    faults: list[str] = []
    users = [user for number, entry in enumerate(entries, 1) if (user := user_of(entry, f"user {number}", faults))]
    faults += clashes(users)
    if not entries:
        faults.append("there is no [[users]] table")
    if faults:
        raise ConfigurationError("BOSS_USERS_FILE:\n" + "\n".join(f"  {fault}" for fault in faults))
    return users


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The tables of a file, unjudged. Raises ConfigurationError for a file that has none."""
    text = operator_files.read("BOSS_USERS_FILE", path)
    try:
        entries = tomllib.loads(text).get("users", [])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = f" at {place[0]}" if (place := re.search(r"line \d+, column \d+", str(error))) else ""
        raise ConfigurationError(f"BOSS_USERS_FILE: {path} is not TOML{where}; correct it (docs/reference/users.md)") from None
    if not isinstance(entries, list) or len(entries) > MAX_USERS or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError("BOSS_USERS_FILE: must hold [[users]] tables")
    return entries
