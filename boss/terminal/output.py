"""How the command speaks: marks, colour on a terminal only, JSON, local times, and errors that end in one sentence.

Answers go to stdout, remarks to stderr. Whatever comes out of Redis passes `printable` before it reaches a terminal:
a control character in it could otherwise move the cursor or set the window's title.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final, Literal

import click
from redis.exceptions import RedisError

from shared.errors import StorageUnavailable
from shared.model import codec
from shared.operations.errors import NotPossible

Status = Literal["ok", "warn", "fail"]
NOT_DONE: Final = 1
"""Exit status: what was asked for is known, and was not done."""
UNKNOWN: Final = 2
"""Exit status: what was asked for is not known."""
NOT_FOUND: Final = 3
"""Exit status of a search that found nothing, so that a script can tell it from a wrong usage, whose status is 2."""
_NOT_DONE: Final = frozenset({"not_parked", "no_address"})
COLOURS: Final[dict[str, str]] = {"ok": "green", "warn": "yellow", "fail": "red"}
SHORT: Final = 10  # c-12345678: enough to tell ids apart, and every command takes such a beginning
_ID: Final = re.compile(r"[a-z]-[0-9a-f]{12,}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNPRINTABLE_TEXT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Ending(click.ClickException):
    """The end of a command with a sentence on stderr and an exit code of our own."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click declares it for the class

    def show(self, file: Any = None) -> None:
        """One line; no usage text, because the usage was right."""
        click.echo(click.style("error: ", fg="red") + self.format_message(), file=file, err=True)


class Command(click.Command):
    """A command for which an absent Redis is a sentence and not a traceback, and whose help keeps its examples' lines."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # click's mark for "do not rewrap" is a backspace; a raw docstring spells it as two characters.
        self.help = self.help and self.help.replace("\\b\n", "\b\n")

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; Redis's errors become one of ours, which `boss` shows as one message, and what was not possible is a sentence."""
        try:
            return super().invoke(ctx)
        except NotPossible as error:
            raise Ending(error.detail, NOT_DONE if error.code in _NOT_DONE else UNKNOWN) from None
        except RedisError as error:
            raise StorageUnavailable(f"{type(error).__name__}; `boss doctor` looks for the reason") from None


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


def emit_json(value: object) -> None:
    """One JSON document on one line of stdout."""
    click.echo(codec.dumps(value))


def remark(text: str) -> None:
    """A line for the person, on stderr: it never mixes with an answer that is piped elsewhere."""
    click.echo(click.style(text, dim=True), err=True)


def mark(status: Status) -> str:
    """The status as a coloured word of four letters."""
    return click.style(f"{status:<4}", fg=COLOURS[status], bold=status != "ok")


def printable(text: str, *, lines: bool = False) -> str:
    """`text` without what could steer a terminal; `lines` keeps newlines and tabs."""
    return (_UNPRINTABLE_TEXT if lines else _UNPRINTABLE).sub("�", text)


def short(value: str) -> str:
    """An id cut to a beginning that is long enough to find it again; anything else as it is."""
    return value[:SHORT] if _ID.fullmatch(value) else value


def local_time(at_ms: int, *, day: bool = False) -> str:
    """A time in this machine's zone, to the millisecond; `day` puts the date before it."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S" if day else "%H:%M:%S") + f".{at_ms % 1000:03d}"


def age(seconds: float) -> str:
    """A length of time in its largest fitting unit: 12 s, 5 min, 3 h, 2 d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
