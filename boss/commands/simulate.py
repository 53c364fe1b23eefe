"""`boss simulate`: a text or a mail as the provider would deliver it, and the reply as the user would get it.

It posts to the web process as the provider does, and reads from the ledger what became of the message.

Exit status: 0 answered; 1 not answered in time; 2 refused, or nobody there; 3 ignored or parked.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from boss.http import Answer, Unreachable, ask
from boss.provider_requests import Mail, Post, Signature, Text, attach, compose, email_post, first_address, read_mail, sms_post
from boss.terminal.output import Command, Ending, Group, emit_json, printable, remark
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.mailbox import Mailbox, ledger
from shared.mailbox.wait_for_reply import Waited, wait_for_reply
from shared.model.events import SendEmailResponse
from shared.model.users import LOCAL_USER, User
from shared.operations.explanations import explained
from shared.registry import users_on_disk
from shared.runtime import redis_url
from shared.storage import clients
from shared.storage.clients import AWAY

POST_SECONDS: Final = 15.0
COPIES: Final = click.IntRange(1, 200)
MAX_PARALLEL_POSTS: Final = 20
PATIENCE: Final = click.FloatRange(0, 86_400)
IDS: Final = "X-Bossline-Message"
SUCCESS: Final = range(200, 300)
MAIL_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
SILENT, REFUSED, ENDED = 1, 2, 3
F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=Group)
def simulate() -> None:
    """Text or mail the Boss as the provider would, and print the reply.

    The webhook is signed as Twilio or SendGrid would sign it and posted to the
    web process on this machine. The reply is printed to stdout, everything
    else to stderr.

    Exit status: 0 answered, 1 not answered in time, 2 refused or nobody
    there, 3 ignored or parked.
    """


def _shared_options(function: F) -> F:
    """The options of both channels."""
    options: tuple[Callable[[F], F], ...] = (
        click.option("--from", "sender", metavar="ADDRESS", default="", help="Who writes; else the first user."),
        click.option("--to", metavar="ADDRESS", default="", help="Which Boss; by default that user's."),
        click.option("--duplicate", "copies", type=COPIES, default=1, metavar="N", help="Deliver it N times at once."),
        click.option("--bad-signature", is_flag=True, help="Sign with a wrong key."),
        click.option("--unsigned", is_flag=True, help="Do not sign; sandbox mode takes that from this machine."),
        click.option("--wait", type=PATIENCE, default=60.0, metavar="SECONDS", show_default=True, help="0: only post."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@simulate.command(cls=Command)
@click.argument("text")
@click.option("--sid", metavar="SID", default="", help="The MessageSid, or a word to make one of; the same again is a duplicate.")
@_shared_options
def sms(text: str, sender: str, to: str, sid: str, **options: Any) -> None:
    r"""Send TEXT as a text message.

    \b
      boss simulate sms "What can you do?"
      boss simulate sms hello --duplicate 20
      boss simulate sms hello --from +15550001111     (a stranger)
    """
    settings = load_settings()
    user = _user(settings, "phone", sender)
    message = Text(sender=sender or str(user.phone), to=to or str(user.boss_phone), body=text, sid=sid, signature=_signature(options))
    _deliver(settings, sms_post(settings, message), options)


@simulate.command(cls=Command)
@click.option("--subject", default="Hello", show_default=True)
@click.option("--body", default=None, help="The text; `-` reads it from stdin.")
@click.option("--html", default=None, help="An HTML part; alone, or beside the text.")
@click.option("--in-reply-to", metavar="ID", default="", help="The Message-ID that this mail answers, with brackets.")
@click.option("--references", metavar="IDS", default="", help="The thread's ids, oldest first; by default --in-reply-to.")
@click.option("--message-id", metavar="ID", default="", help="This mail's own; the whole mail again is a duplicate.")
@click.option("--file", "path", type=MAIL_FILE, metavar="MAIL.eml", help="Send this mail instead; --from and --to are its envelope.")
@click.option("--attach", "attached", type=MAIL_FILE, multiple=True, metavar="FILE", help="A file that comes with it; may be repeated.")
@click.option("--raw", is_flag=True, help="Post it in SendGrid's raw mode, as one MIME message.")
@click.option("--forged", is_flag=True, help="Let SPF and DKIM fail.")
@_shared_options
def email(path: Path | None, *, attached: tuple[Path, ...], raw: bool, forged: bool, sender: str, to: str, **options: Any) -> None:
    r"""Send a mail.

    \b
      boss simulate email --body "What can you do?"
      boss simulate email --body "And then?" --in-reply-to "<id>"
      boss simulate email --body "What is this?" --attach offer.pdf
      boss simulate email --file saved.eml --raw
    """
    settings = load_settings()
    user = _user(settings, "email", sender)
    if path is not None:
        message = read_mail(path)
        ends = (sender or first_address(message, "From"), to or first_address(message, "To"))
    else:
        ends = (sender or str(user.email), to or str(user.boss_email))
        message = _compose(ends, options)
    attach(message, attached)
    mail = Mail(message=message, sender=ends[0], to=ends[1], raw=raw, forged=forged, signature=_signature(options))
    _deliver(settings, email_post(settings, mail), options)


def _compose(ends: tuple[str, str], options: dict[str, Any]) -> EmailMessage:
    body = options["body"]
    if body == "-":
        body = sys.stdin.read()
    if body is None and options["html"] is None:
        raise click.UsageError("a mail needs --body, --html or --file")
    parent = options["in_reply_to"]
    headers = {"In-Reply-To": parent, "References": options["references"] or parent, "Message-ID": options["message_id"]}
    try:
        return compose(
            sender=ends[0], to=ends[1], subject=options["subject"], text=body, html=options["html"],
            headers={name: value for name, value in headers.items() if value},
        )  # fmt: skip
    except ValueError as error:
        raise click.UsageError(f"no mail can be made of this: {error}") from None


def _user(settings: Settings, field: str, address: str) -> User:
    """The user with that address; without one, the first user who has an address of that kind."""
    users = [user for user in users_on_disk(settings).all if getattr(user, field)]
    return next((user for user in users if str(getattr(user, field)) == address), users[0] if users else LOCAL_USER)


def _signature(options: dict[str, Any]) -> Signature:
    if options["bad_signature"] and options["unsigned"]:
        raise click.UsageError("--bad-signature and --unsigned exclude each other")
    return "bad" if options["bad_signature"] else "none" if options["unsigned"] else "good"


def _deliver(settings: Settings, post: Post, options: dict[str, Any]) -> None:
    """Post, wait, print, and end with the exit status."""
    with clients.for_web(redis_url(settings)) as redis:
        mailbox = Mailbox(redis)
        since = _since(mailbox)
        answer = _post(post, options["copies"])
        message = _message_of(answer)
        remark(f"posted {options['copies']} x {post.id or 'a mail'}: HTTP {answer.status}, message {message or 'without an id'}")
        if options["wait"] == 0:
            _print_posted(post, answer, message, options)
            return
        waited = wait_for_reply(mailbox, message, since=since, patience=options["wait"])
    _print_waited(post, waited, options)


def _since(mailbox: Mailbox) -> str:
    """Where the ledger ends before the post. While Redis is away, an earlier place by the clock: the web process may spool the message."""
    try:
        return ledger.last_seq(mailbox.redis)
    except AWAY:
        remark("Redis does not answer; posting all the same")
        return f"{int(time.time() * 1000) - 60_000}-0"


def _post(post: Post, copies: int) -> Answer:
    """Post all copies at once; the answer is the worst one. Ends the command when that is a refusal."""

    def once(_number: int) -> Answer:
        return ask(post.url, timeout=POST_SECONDS, method="POST", headers=post.headers, body=post.body)

    with ThreadPoolExecutor(MAX_PARALLEL_POSTS) as pool:
        try:
            answers = list(pool.map(once, range(copies)))
        except Unreachable as error:
            where = post.url.partition("?")[0]
            raise Ending(f"no answer from the web process at {where}: {error.detail}. Is `boss web` running?", REFUSED) from None
    worst = max(answers, key=lambda answer: answer.status)
    if worst.status not in SUCCESS:
        raise Ending(f"refused with HTTP {worst.status}: {_hint(worst.status)}", REFUSED)
    return worst


def _hint(status: int) -> str:
    return {
        403: "the signature or secret is wrong or missing; are these the web process's settings? "
        "(With SENDGRID_INBOUND_PUBLIC_KEY set, only SendGrid can sign a mail.)",
        400: "something that belongs to such a webhook is missing",
        413: "it is too large",
        503: "Redis is away and there is no room on disk, or Redis refused this very message; a provider would try again",
    }.get(status, "see the web process's log")


def _message_of(answer: Answer) -> str:
    """Our id of the message; the first id of a mail to several of our addresses."""
    message = (answer.headers.get(IDS) or "").partition(",")[0].strip()
    if not message:
        raise Ending(f"the web process at that port does not say which message it made (no {IDS}): is it Bossline's?", REFUSED)
    return message


def _print_posted(post: Post, answer: Answer, message: str, options: dict[str, Any]) -> None:
    if options["as_json"]:
        emit_json({"outcome": "posted", "message": message, "provider_id": post.id, "status": answer.status})


def _print_waited(post: Post, waited: Waited, options: dict[str, Any]) -> None:
    """Print the reply to stdout and the rest to stderr; end with the exit status of the outcome."""
    command = waited.reply.command if waited.reply else None
    text = command.text if command else ""
    subject = {"subject": command.subject, "message_id": command.message_id} if isinstance(command, SendEmailResponse) else {}
    facts = {"outcome": waited.outcome, "reason": waited.reason, "message": waited.message, "provider_id": post.id}
    answered = waited.outcome == "answered"
    if options["as_json"]:
        reply = waited.reply.id if waited.reply else ""
        emit_json({**facts, "seconds": round(waited.seconds, 3), **subject, "reply": reply, "text": text if answered else ""})
    elif answered and command is None:
        why = explained("answered", waited.reason).sentence or "nothing is kept of it"
        remark(f"answered after {waited.seconds:.1f} s without a reply: {why}")
    elif answered:
        remark(f"answered after {waited.seconds:.1f} s" + "".join(f"\n{name}: {printable(value)}" for name, value in subject.items()))
        click.echo(printable(text, lines=True))
    else:
        remark(_told(waited))
    sys.exit(0 if answered else SILENT if waited.outcome == "silence" else ENDED)


def _told(waited: Waited) -> str:
    if waited.outcome == "silence":
        return f"no reply within {waited.seconds:.0f} s; is `boss worker` running? See: boss messages show {waited.message}"
    why = f" ({printable(waited.reason)})" if waited.reason else ""
    return f"{waited.outcome}{why}: see boss messages show {waited.message}"
