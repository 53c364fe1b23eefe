"""The first person. They are written into the users file, which needs no running server; `boss users` then adds the others.

This is the one place that knows where that is.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from shared.errors import ConfigurationError
from shared.model.user_entries import clashes, user_of
from shared.model.users import User
from shared.model.users_file import read_users


def usernames(path: Path) -> frozenset[str]:
    """Who stands in the file; nobody while there is none. Raises ConfigurationError for a file with a fault."""
    return frozenset(user.username for user in people(path))


def people(path: Path) -> list[User]:
    """The users of the file; nobody while there is none, or none in it. Raises ConfigurationError for a file with a fault."""
    if not path.exists() or not path.read_text(encoding="utf-8").strip():
        return []
    return read_users(path)


def faults_of(entry: Mapping[str, str]) -> list[str]:
    """What is wrong with an entry, each in a sentence."""
    faults: list[str] = []
    user_of(entry, entry.get("username") or "the first person", faults)
    return faults


def with_person(path: Path, text: str, entry: Mapping[str, str]) -> str:
    """The file's text with somebody added behind what stands there. Raises ConfigurationError."""
    faults = faults_of(entry)
    if not faults:
        person = user_of(entry, entry["username"], faults)
        faults += clashes([*people(path), *([person] if person else [])])
    if faults:
        raise ConfigurationError("the first person:\n" + "\n".join(f"  {fault}" for fault in faults))
    table = "[[users]]\n" + "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in entry.items())
    new = text + ("" if not text or text.endswith("\n") else "\n") + ("\n" if text else "") + table
    try:
        tomllib.loads(new)
    except tomllib.TOMLDecodeError:
        raise ConfigurationError("the first person: a value holds a character that the users file cannot") from None
    return new
