"""A conversation as a file describes it: what the person writes, what the model answers, and what must hold then.

The files are `cases/*.toml`, one topic each, described in docs/reference/evaluation.md. `read` refuses what it does not know, so that a
misspelt check is not one that always holds.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from shared.model.sentences.languages import Language

CASES: Final = Path(__file__).parent / "cases"
START: Final = "2031-03-24 09:00"
"""A Monday. Most conversations begin then, so that all of them are moved through the same moments."""
AFTER: Final = "2m"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AFTER: Final = re.compile(r"(\d+)([smhd])")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Called(_Strict):
    """A call of a tool that must have been made: its name, what its result says, and whether it failed."""

    name: str
    says: str = ""
    failed: bool | None = None


class Stored(_Strict):
    """Something that must be in the store: each field that is given must be equal."""

    text: str
    due: str = ""
    """Of a reminder: local time, `2031-03-24T17:00`."""
    zone: str = ""
    every: str = ""
    list: str = ""
    done: bool | None = None


class Step(_Strict):
    """What the person writes at one moment, and what holds when everything that follows from it is over.

    In all texts `$name`, `$phone`, `$email` and `$boss` are the person's. A text that begins with `re:` is a regular expression.
    """

    at: str = ""
    """Local time, or a time of day of the day before this step. By default AFTER the step before; the first one is at the case's start."""
    after: str = AFTER
    text: str = ""
    texts: list[str] = []
    """Several in one go."""
    mail: dict[str, Any] | None = None
    """Fields of POST /sandbox/email. `answers = true`: to the newest mail of the Boss's."""
    media: list[dict[str, str]] = []
    run: list[str] = []
    """A `boss` command, right before this moment."""
    change: dict[str, Any] = {}
    """What changes in the person's entry of the users file; all processes are restarted."""
    faults: dict[str, Any] = {}
    """Of the sandbox, from this step on; each fault names the person, since the others go on."""
    model: list[dict[str, Any]] = []
    """What the scripted model answers, one answer a question."""
    gets: list[str] = []
    """What the person's phone and mailbox get, all of it, in order: a part of each message."""
    says: list[str] = []
    """Further parts of what they get, which stand in the scripted model's words alone."""
    never: list[str] = []
    """What no message to them holds."""
    shown: list[str] = []
    """What the model's last question shows, tool results included."""
    hidden: list[str] = []
    """What none of the step's questions shows."""
    asked: int | None = None
    """How many questions the model was asked."""
    called: list[Called] = []
    """The calls that were made, all of them, in order."""
    made: int | None = None
    """How often `house__append` was made for the person so far, with a path of `$files` that ends in their username."""
    reminders: list[Stored] | None = None
    """All that wait, in the order of their times."""
    facts: list[Stored] | None = None
    lists: list[Stored] | None = None


class Case(_Strict):
    """A conversation of one person's."""

    name: str
    kind: str
    zone: str = "Europe/Berlin"
    language: Language = "en"
    start: str = START
    channels: list[Literal["sms", "email"]] = ["sms", "email"]
    entry: dict[str, Any] = {}
    """Further fields of the person's entry in the users file."""
    house: bool = False
    """Whether the tools of the MCP server are theirs."""
    row: int | None = None
    """The complaint about other assistants that cannot be made here, by its number in docs/reference/evaluation.md."""
    real: bool = True
    """Whether it is tried with a real model: not what depends on faults or on what the script makes the model do wrong."""
    steps: Annotated[list[Step], Field(min_length=1)]

    def moments(self) -> list[float]:
        """When each step is, in seconds of the epoch."""
        zone, found = ZoneInfo(self.zone), [_moment(self.start)]
        for step in self.steps[1:]:
            found.append(_later(found[-1], step, zone))
        return [each.replace(tzinfo=zone).timestamp() for each in found]


class CaseFile(_Strict):
    """One file."""

    case: list[Case]


def read(directory: Path = CASES) -> list[Case]:
    """All cases, file by file. Raises TOMLDecodeError, and ValueError for what no case may hold, or a name that stands twice."""
    cases = [case for path in sorted(directory.glob("*.toml")) for case in CaseFile.model_validate(tomllib.loads(path.read_text())).case]
    names = [case.name for case in cases]
    if len(set(names)) != len(names):
        raise ValueError(f"stands twice: {sorted({name for name in names if names.count(name) > 1})}")
    return cases


def filled(value: Any, person: dict[str, str]) -> Any:
    """The same with the person's name, number and address in all texts."""
    if isinstance(value, str):
        for name, own in person.items():
            value = value.replace(f"${name}", own)
        return value
    if isinstance(value, dict):
        return {name: filled(each, person) for name, each in value.items()}
    return [filled(each, person) for each in value] if isinstance(value, list) else value


def holds(wanted: str, text: str) -> bool:
    """Whether a text has a part that is wanted; line breaks count as spaces."""
    plain = " ".join(text.split())
    if wanted.startswith("re:"):
        return re.search(wanted.removeprefix("re:").strip(), plain) is not None
    return " ".join(wanted.split()) in plain


def _moment(text: str, day: datetime | None = None) -> datetime:
    if day is not None and len(text) == len("09:00"):
        return datetime.combine(day.date(), datetime.strptime(text, "%H:%M").time())  # noqa: DTZ007 - by the wall's clock
    return datetime.strptime(text, "%Y-%m-%d %H:%M")  # noqa: DTZ007


def _later(before: datetime, step: Step, zone: ZoneInfo) -> datetime:
    """A step's moment by the wall's clock. What is after so long is so in truth, whatever the clocks were put to meanwhile."""
    if step.at:
        return _moment(step.at, before)
    found = _AFTER.fullmatch(step.after)
    if found is None:
        raise ValueError(f"{step.after!r} is no time such as 90s, 5m, 2h or 1d")
    wait = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    later = datetime.fromtimestamp(before.replace(tzinfo=zone).timestamp() + wait.total_seconds(), zone)
    return later.replace(tzinfo=None)


def kinds(cases: list[Case]) -> Iterator[str]:
    """Each kind once, in the order in which they stand."""
    yield from dict.fromkeys(case.kind for case in cases)
