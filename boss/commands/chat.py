"""`boss chat`: a conversation with the Boss in the terminal, over the bridge.

Replies go to stdout, everything else to stderr, so that `echo hello | boss chat` prints the reply alone.

Exit status: 0 all answered, or ended on a terminal; 1 something was not answered in time; 2 no bridge, or it refuses us;
3 something was ignored, parked or refused; 130 Ctrl-C elsewhere than on a terminal.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Callable
from typing import Final, Protocol

import click

from boss.bridge_identity import Ends, client_of, ends_of, unreachable
from boss.terminal.output import Command, printable, remark
from boss.terminal.stdin_lines import Lines
from bridge.client.client import State, SupervisorClient
from bridge.client.errors import BridgeClosed, BridgeError, BridgeRefused, BridgeUnavailable, RequestTimeout
from bridge.client.requests import Frame
from bridge.protocol.codes import ErrorCode, ServerFrame
from shared.config.loading import load_settings

SILENT, ENDED, INTERRUPTED = 1, 3, 130
CONNECT_SECONDS: Final = 5.0
PATIENCE: Final = click.FloatRange(0.1, 86_400)
PROMPT: Final = "> "


class Conversation(Protocol):
    """How one channel sends a message, and where its reply has the text."""

    async def say(self, client: SupervisorClient, text: str, wait: float, told: Callable[[Frame], None]) -> Frame:
        """Send one message; raises as the client's send methods do."""

    def read(self, reply: Frame) -> str:
        """The reply's text."""


class ChatTexts:
    """By SMS."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    async def say(self, client: SupervisorClient, text: str, wait: float, told: Callable[[Frame], None]) -> Frame:
        """One text."""
        ends = self._ends
        return await client.send_sms_event(ends.sender, ends.boss, text, ends.user, timeout=wait, on_acknowledged=told)

    def read(self, reply: Frame) -> str:
        """The text of the reply."""
        return str(reply.get("message", ""))


class ChatMails:
    """By e-mail, all in the thread that the first one starts."""

    def __init__(self, ends: Ends, subject: str) -> None:
        self._ends = ends
        self._subject = subject
        self._root = ""

    async def say(self, client: SupervisorClient, text: str, wait: float, told: Callable[[Frame], None]) -> Frame:
        """One mail."""
        ends, root = self._ends, self._root
        own = f"<chat-{uuid.uuid4()}@{ends.sender.rpartition('@')[2]}>"
        self._root = root or own
        return await client.send_email_event(
            ends.sender, ends.boss, f"Re: {self._subject}" if root else self._subject, text, ends.user,
            message_id=own, in_reply_to=root, references=[root] if root else [], timeout=wait, on_acknowledged=told,
        )  # fmt: skip

    def read(self, reply: Frame) -> str:
        """The body of the reply; its subject is a remark."""
        remark(f"subject: {printable(str(reply.get('subject', '')))}")
        return str(reply.get("body", ""))


@click.command(cls=Command)
@click.option("--email", is_flag=True, help="By e-mail, in one thread, instead of by SMS.")
@click.option("--subject", default="Chat", show_default=True, help="The thread's subject, with --email.")
@click.option("--as", "who", metavar="WHO", default="", help="Which user: an address or a name of the users file; else the first.")
@click.option("--wait", type=PATIENCE, default=120.0, metavar="SECONDS", show_default=True, help="For each reply.")
def chat(*, email: bool, subject: str, who: str, wait: float) -> None:
    r"""Talk to the Boss in the terminal, over the bridge.

    Each line is a message of its own; the next one is read when the reply is
    there. Nothing goes out by a provider. Ctrl-D or Ctrl-C ends it.

    \b
      boss chat
      boss chat --email --subject Plans --as ada@example.com
      echo "What can you do?" | boss chat

    Exit status: 0 all answered, 1 something not answered in time, 2 no bridge
    or refused by it, 3 something ignored, parked or refused. On a terminal
    the end is always 0 once the bridge was reached.
    """
    settings = load_settings()
    ends = ends_of(settings, "email" if email else "sms", who)
    if ends is None:
        raise click.BadParameter(f"this user has no {'mail address' if email else 'phone'}", param_hint="--as")
    lines = Lines()
    client = client_of(settings)
    talk = Talk(client, ChatMails(ends, subject) if email else ChatTexts(ends), lines, wait)
    try:
        status = asyncio.run(talk.run())
    except (BridgeUnavailable, BridgeRefused) as error:
        raise unreachable(settings, error) from None
    except KeyboardInterrupt:
        click.echo(err=True)
        status = INTERRUPTED
    sys.exit(0 if lines.typed else status)


class Talk:
    """The conversation, line by line."""

    def __init__(self, client: SupervisorClient, conversation: Conversation, lines: Lines, wait: float) -> None:
        """Nothing is read or sent until `run`."""
        self._client = client
        self._conversation = conversation
        self._lines = lines
        self._wait = wait
        self._prompting = False
        self._lost = False
        client.on_state = self._changed

    async def run(self) -> int:
        """Send every line of the input; the answer is the worst exit status. Raises BridgeUnavailable and BridgeRefused."""
        worst = 0
        try:
            await self._client.connect(CONNECT_SECONDS)
            while (line := await self._next()) is not None:
                if line.strip():
                    worst = max(worst, await self._say(line))
        finally:
            await self._client.disconnect()
        return worst

    async def _next(self) -> str | None:
        self._prompting = self._lines.typed
        self._prompt()
        line = await self._lines.next()
        self._prompting = False
        if line is None and self._lines.typed:
            click.echo(err=True)
        return line

    async def _say(self, line: str) -> int:
        try:
            reply = await self._conversation.say(self._client, line, self._wait, lambda _frame: remark("..."))
        except (BridgeRefused, BridgeClosed):
            raise
        except RequestTimeout:
            remark(f"the bridge did not take it within {self._wait:g} s")
            return SILENT
        except BridgeError as error:
            if error.code == ErrorCode.NOTHING_TO_SAY:
                remark("nothing to say to that")
                return 0
            remark(f"not answered: {printable(error.code)}")
            return SILENT if error.retryable else ENDED
        if reply.get("type") == ServerFrame.ACKNOWLEDGED:
            remark(f"taken, but not answered within {self._wait:g} s; is `boss worker` running?")
            return SILENT
        click.echo(printable(self._conversation.read(reply), lines=True))
        return 0

    def _changed(self, state: State) -> None:
        """Print the changes of the connection that a person should know of."""
        if state == State.CONNECTED and self._lost:
            self._note("connected again")
        elif state == State.LOST:
            self._note("connection lost; reconnecting")
        elif state == State.REFUSED:
            self._note("the bridge refuses this client")
        self._lost = state == State.LOST

    def _note(self, text: str) -> None:
        if self._prompting:
            click.echo(err=True)
        remark(text)
        self._prompt()

    def _prompt(self) -> None:
        if self._prompting:
            click.echo(PROMPT, nl=False, err=True)
