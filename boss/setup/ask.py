"""How `boss setup` asks: at a terminal, keys without an echo; or from lines `NAME=value` on stdin, for a script. Never by an argument."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import click
from dotenv.parser import parse_stream

from boss.terminal.output import Ending, printable, remark
from shared.errors import BosslineError

TRIES: Final = 3
MAX_STDIN: Final = 65_536
REPLACE: Final = "REPLACE"
"""On stdin: the hosts whose webhooks may be replaced, with commas between."""
NAMES: Final = frozenset(
    {"ANTHROPIC_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "SENDGRID_API_KEY"}
    | {"PUBLIC_URL", "BOSS_PHONE", "BOSS_EMAIL", "USERNAME", "NAME", "PHONE", "EMAIL", "TIMEZONE"}
)
"""All that is ever asked for: a misspelt name would be missing elsewhere."""
Check = Callable[[str], str]
"""A value to what is used of it. Raises BosslineError with what is wrong with it."""


class Asker(Protocol):
    """Whoever answers."""

    typed: bool
    """Whether a person sits there."""

    def ask(self, name: str, question: str, check: Check, *, default: str = "", secret: bool = False) -> str:
        """One value, checked; `default` where nothing is answered. Raises Ending when there is none that is good."""

    def choose(self, name: str, question: str, options: Sequence[tuple[str, str]]) -> str:
        """One of some values, each with a line that describes it."""

    def host_typed(self, host: str, what: str) -> bool:
        """Whether the host of somebody else's webhook was typed, so that it may be replaced."""

    def agree(self, question: str, *, yes: bool) -> bool:
        """Whether to go on; `yes` answers in advance."""

    def again(self, question: str) -> bool:
        """Whether to look once more, now that something was done elsewhere."""


class Terminal:
    """A person at a terminal."""

    typed = True

    def ask(self, name: str, question: str, check: Check, *, default: str = "", secret: bool = False) -> str:
        """Ask up to three times. A secret is not echoed, and one that is there already stays when Enter is pressed."""
        for _ in range(TRIES):
            hint = " [Enter keeps the one that is there]" if secret and default else ""
            given = click.prompt(question + hint, default=default, hide_input=secret, show_default=not secret and bool(default), err=True)
            try:
                return check(str(given).strip())
            except BosslineError as error:
                remark(f"  {error.detail}")
        raise Ending(f"{name}: no good answer; nothing was changed")

    def choose(self, name: str, question: str, options: Sequence[tuple[str, str]]) -> str:  # noqa: ARG002 - the protocol's
        """Show a numbered list."""
        for number, (_, line) in enumerate(options, 1):
            click.echo(f"  {number}  {printable(line)}", err=True)
        chosen = click.prompt(question, type=click.IntRange(1, len(options)), default=1 if len(options) == 1 else None, err=True)
        return options[int(chosen) - 1][0]

    def host_typed(self, host: str, what: str) -> bool:
        """The very host, letter by letter; Enter leaves what stands there."""
        click.echo(f"{printable(what)}\nIt is in use by {printable(host)}. What stands there is kept for --undo.", err=True)
        typed = click.prompt("Type that host to replace it, or press Enter to leave it", default="", show_default=False, err=True)
        return str(typed).strip().lower() == host.lower()

    def agree(self, question: str, *, yes: bool) -> bool:
        """Ask, unless it was answered in advance."""
        return yes or click.confirm(question, default=True, err=True)

    def again(self, question: str) -> bool:
        """Wait for Enter; anything else is no."""
        return not str(click.prompt(question, default="", show_default=False, err=True)).strip()


class Given:
    """Answers that were all given in advance."""

    typed = False

    def __init__(self, text: str) -> None:
        """`text` has lines NAME=value; those that are not asked for this time do no harm. Raises Ending for a line of another form."""
        self._values: dict[str, str] = {}
        for binding in parse_stream(io.StringIO(text)):
            if binding.key is not None and binding.value is not None and not binding.error:
                self._values[binding.key.upper()] = binding.value
            elif binding.error or binding.key is not None:
                raise Ending(f"stdin: line {binding.original.line} is not of the form NAME=value")
        self._hosts = {host.strip().lower() for host in self._values.pop(REPLACE, "").split(",") if host.strip()}
        if strange := sorted(printable(name)[:40] for name in self._values.keys() - NAMES):
            raise Ending(f"stdin: nothing is asked under {', '.join(strange)}; nothing was changed")

    def ask(self, name: str, question: str, check: Check, *, default: str = "", secret: bool = False) -> str:  # noqa: ARG002 - the protocol's
        """The value that was given under the name."""
        try:
            return check(self._values.get(name, "").strip() or default)
        except BosslineError as error:
            raise Ending(f"{name}: {error.detail}; nothing was changed") from None

    def choose(self, name: str, question: str, options: Sequence[tuple[str, str]]) -> str:  # noqa: ARG002 - the protocol's
        """The one that was given, or the only one."""
        given = self._values.get(name, "")
        values = [value for value, _ in options]
        if given and given not in values:
            raise Ending(f"{name}: is none of those that there are; nothing was changed")
        if not given and len(values) != 1:
            raise Ending(f"{name}: there are {len(values)} to choose from, so give one; nothing was changed")
        return given or values[0]

    def host_typed(self, host: str, what: str) -> bool:  # noqa: ARG002 - the protocol's
        """Whether it stands in REPLACE."""
        return host.lower() in self._hosts

    def agree(self, question: str, *, yes: bool) -> bool:  # noqa: ARG002 - the protocol's
        """Only in advance."""
        return yes

    def again(self, question: str) -> bool:  # noqa: ARG002 - the protocol's
        """Nobody is there who could do something meanwhile."""
        return False


def whoever_answers() -> Terminal | Given:
    """The person, or what stdin holds."""
    return Terminal() if sys.stdin.isatty() else Given(sys.stdin.read(MAX_STDIN))
