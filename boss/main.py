"""`boss`: one command for the processes and for the operator.

Each subcommand's module is imported when it is called, so that `boss --help` is quick and `boss web` never loads the
SDKs of the worker.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module, metadata
from typing import Any, Final

import click

from shared.errors import BosslineError, ConfigurationError
from shared.process.lifecycle import CANNOT_START, hide_error_messages, message

SECTIONS: Final = {
    "Set it up": {
        "setup": ("setup:setup", "Ask for keys, write .env, and set up Twilio and SendGrid; or undo that."),
    },
    "Try it": {
        "simulate": ("simulate:simulate", "Text or mail the Boss as the provider would, and print the reply."),
        "chat": ("chat:chat", "Talk to the Boss in the terminal, over the bridge."),
        "check": ("check:check", "Try the bridge from end to end, one line a check."),
    },
    "See what is wrong and what happened": {
        "doctor": ("doctor:doctor", "Look for what is wrong, and say what to do about it."),
        "messages": ("messages:messages", "List, find and show messages; retry or discard parked ones."),
        "spending": ("spending:spending", "Show what answering has cost, by person, model, day and month."),
        "tail": ("tail:tail", "Show what happens to messages, live: the lines of the ledger."),
        "config": ("processes:config", "Show the settings, or an example file of them."),
        "dashboard": ("dashboard:dashboard", "RQ's queues, workers and jobs in the browser."),
    },
    "Operate": {
        "pause": ("pause:pause", "Stop all sending, or one user's; or show what is paused."),
        "resume": ("pause:resume", "End a pause: answer and send again."),
        "opt-in": ("pause:opt_in", "Send mail again to a user who had opted out of it."),
        "api": ("api:api", "The tokens by which programs may have the Boss write."),
        "send": ("send:send", "Have the Boss write to a person: a text or a mail."),
        "users": ("people:users", "The people: add, edit, list, remove; export or erase what is kept of one."),
        "approvals": ("approvals:approvals", "What waits for a yes, and what was said always to: list, show, withdraw, revoke."),
        "mcp": ("mcp:mcp", "The MCP servers: list, try and accept their tools; log in."),
    },
    "Processes (`make run` starts them all)": {
        "web": ("processes:web", "Take the webhooks of Twilio and SendGrid."),
        "worker": ("processes:worker", "Have Claude answer the messages, and send the replies."),
        "bridge": ("processes:bridge", "Serve local programs over WebSocket, in real time."),
        "standby": ("processes:standby", "Work while no regular worker lives; stand aside otherwise."),
        "redis": ("redis:redis", "Run the embedded server, or repair its files; stands aside when REDIS_URL is set."),
        "sandbox": ("processes:sandbox", "Play Twilio, SendGrid and Claude, with a page to text from."),
        "ready": ("ready:ready", "Check settings and ports, then print the addresses once everything runs."),
    },
}
"""The sections of `boss --help`: name to (module and attribute under boss.commands, one line for the list)."""
COMMANDS: Final = {name: command for section in SECTIONS.values() for name, command in section.items()}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All commands, in the order of `boss --help`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import one command; None for a name that is not ours."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"boss.commands.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands without importing them."""
        width = max(map(len, COMMANDS))
        for heading, commands in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<{width}}", line) for name, (_, line) in commands.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and warn of names that set nothing: once for all processes that honcho starts, by `boss ready`."""
        found = super().resolve_command(ctx, args)
        if found[0] != "doctor" and "HONCHO_PROCESS_NAME" not in os.environ:
            _warn_of_names()
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run; an error that we raise on purpose becomes one message and exit status 2."""
        hide_error_messages()
        try:
            return super().invoke(ctx)
        except BosslineError as error:
            click.echo(message(error), err=True)
            ctx.exit(CANNOT_START)


def _warn_of_names() -> None:
    from shared.config.loading import unknown_settings  # noqa: PLC0415 - not for `boss --help`

    with suppress(ConfigurationError):  # the command itself tells of a file that cannot be read
        for sentence in unknown_settings():
            click.echo(f"boss: {sentence}", err=True)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metadata.version("bossline"), prog_name="boss")
def main() -> None:
    """An assistant with a phone number and a mail address: text it or mail it, and it answers."""


if __name__ == "__main__":
    main()
