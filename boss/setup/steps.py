"""The steps of a set-up: each says in a line what it does, what stands there now, and how it is done. Values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class SetEnv:
    """Set names in `.env`; None takes one out."""

    values: Mapping[str, str | None] = field(repr=False)
    undo: bool = False
    """Whether this puts back what stood before, which the record is not to keep."""


@dataclass(frozen=True, slots=True)
class AddPerson:
    """Write the first person."""

    entry: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Write a file for another program: a proxy's, systemd's."""

    path: Path
    text: str = field(repr=False)
    private: bool = False


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Take a file of ours away."""

    path: Path


@dataclass(frozen=True, slots=True)
class SetNumber:
    """Change what a number of Twilio's calls."""

    sid: str
    form: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SetService:
    """Change a Messaging Service."""

    sid: str
    form: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MakeDomain:
    """Authenticate a domain at SendGrid."""

    domain: str


@dataclass(frozen=True, slots=True)
class ValidateDomain:
    """Have SendGrid look for its records."""

    id: str


@dataclass(frozen=True, slots=True)
class MakePolicy:
    """Make a security policy that signs."""

    name: str


@dataclass(frozen=True, slots=True)
class SetParse:
    """Add or change a parse host."""

    host: str
    document: Mapping[str, Any] = field(repr=False)
    new: bool = False


@dataclass(frozen=True, slots=True)
class MakeEvents:
    """Make an event webhook."""

    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetEvents:
    """Change one."""

    id: str
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignEvents:
    """Turn its signature on or off."""

    id: str
    on: bool = True


@dataclass(frozen=True, slots=True)
class MakeKey:
    """Make a key that may send mail, and put it into `.env`."""

    name: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete something at SendGrid: a key, policy, domain, parse host, or event webhook."""

    kind: str
    id: str


Change = (
    SetEnv
    | AddPerson
    | WriteFile
    | RemoveFile
    | SetNumber
    | SetService
    | MakeDomain
    | ValidateDomain
    | MakePolicy
    | SetParse
    | MakeEvents
    | SetEvents
    | SignEvents
    | MakeKey
    | Delete
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupStep:
    """One step; `key` is the same in each plan."""

    key: str
    says: str
    """One line for the person."""
    change: Change
    elsewhere: tuple[str, ...] = ()
    """The hosts of somebody else's webhooks that stand there: they are replaced only after each of these was typed."""
    stood: Any = None
    """What stands there now, for the record; None for nothing."""
    kept: bool = True
    """Whether the record keeps it."""
    after: str = ""
    """The key of a step that must be through first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps in their order, and what the person should know or do."""

    steps: tuple[SetupStep, ...] = ()
    notes: tuple[str, ...] = ()
