"""`boss approvals`: what waits for a yes, and what people have said "always" to."""

from __future__ import annotations

import click

from boss.session import open_session
from boss.terminal.output import Group, emit_json, local_time, printable
from shared.model import codec
from shared.operations import approval_requests


@click.group(cls=Group)
def approvals() -> None:
    """What waits for a yes, and what people have said "always" to."""


@approvals.command("list", short_help="Show what waits, and what was said always to.")
@click.argument("username", metavar="[NAME]", default="")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(username: str, *, as_json: bool) -> None:
    """Show what waits for a yes, and what was said "always" to: of everybody, or of NAME."""
    with open_session() as session:
        waiting = approval_requests.waiting(session.mailbox, session.people, username)
        always = approval_requests.always(session.redis, session.people, username)
    if as_json:
        emit_json({"waiting": waiting, "always": always})
        return
    for question in waiting:
        until = f"until {local_time(question['until_ms'])}" if question["until_ms"] else "not sent yet"
        asked = f", asked of {question['approver']}" if question["approver"] != question["username"] else ""
        click.echo(printable(f"{question['id']}  {question['username']}{asked}  {', '.join(question['tools'])}  {until}"))
    for each in always:
        click.echo(printable(f"always  {each['username']}  {each['what']}  since {local_time(each['at_ms'], day=True)}"))
    if not waiting and not always:
        click.echo("Nothing waits for a yes, and nobody has said always.")


@approvals.command(short_help="Show what one question is about.")
@click.argument("approval", metavar="ID")
def show(approval: str) -> None:
    """Show the calls that a question is about, with all that they say."""
    with open_session() as session:
        view, calls = approval_requests.shown(session.mailbox, session.people, approval)
    click.echo(printable(f"asked for by {view['username']}, answered by {view['approver']}"))
    for tool, arguments in calls:
        click.echo(printable(f"{tool} {codec.dumps(arguments)}"))


@approvals.command(short_help="End a question: nothing of it is done.")
@click.argument("approval", metavar="ID")
def withdraw(approval: str) -> None:
    """End a question that waits. Who answers it afterwards is told that it is not open any more."""
    with open_session() as session:
        approval_requests.withdraw(session.mailbox, approval)
    click.echo("Withdrawn.")


@approvals.command(short_help="Ask again about what somebody said always to.")
@click.argument("username", metavar="NAME")
@click.argument("what")
def revoke(username: str, what: str) -> None:
    r"""Ask NAME again about WHAT, as `boss approvals list` shows it.

    \b
    boss approvals revoke ada 'mail__send "tom@example.com"'
    """
    with open_session() as session:
        approval_requests.revoke(session.mailbox, session.people, username, what)
    click.echo(f"{username} is asked again.")
