"""Messages as lines for the eye: a row of a list, and all that is known of one. What they say is `shared.operations.messages`'."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import click

from boss.terminal.ledger_line import describe
from boss.terminal.output import age, local_time, printable
from shared.mailbox.ledger import Line
from shared.model.codec import dumps
from shared.operations.messages import MessageSummary, MessageView

WIDTH: Final = 14
WHO_WIDTH: Final = 12
SHOWN_APART: Final = ("id", "state", "attempts", "maybe_sent", "maybe_duplicate")
STATE_COLOURS: Final = {"answered": "green", "parked": "red", "ignored": "yellow"}
REPLY_COLOURS: Final = {"undelivered": "red", "failed": "red"}


def row(summary: MessageSummary) -> str:
    """One line: when, state, kind, who, id, the state of its reply, and why."""
    state = click.style(f"{summary['state']:<11}", fg=STATE_COLOURS.get(summary["state"]))
    own = summary["kind"] in ("notice", "bridge", "reminder", "copy", "question", "approved", "outgoing")
    kind = summary["kind"] if own else summary["channel"]
    who = printable(summary["who"] or "-")
    shown = f"{local_time(summary['accepted_at_ms'], day=True)}  {state} {kind:<6} {who:<{WHO_WIDTH}}  {summary['id']}"
    return "  ".join([shown, *_causes(summary)]).rstrip()


def _causes(summary: MessageSummary) -> list[str]:
    why = printable(summary["reason"] or summary["notice"])
    meaning = f"({printable(summary['why'])})" if summary["why"] else ""
    reply = f"reply {summary['reply_state']}" if summary["reply_state"] else ""
    coloured = click.style(reply, fg=REPLY_COLOURS.get(summary["reply_state"])) if reply else ""
    command = f"command {summary['command']}" if summary["command"] else "approval" if summary["approval"] else ""
    return [part for part in (command, coloured, printable(summary["reply_code"]), why, meaning) if part]


def lines(view: MessageView) -> list[str]:
    """All that is known of one message."""
    why = f" ({view['reason'] or view['notice']})" if view["reason"] or view["notice"] else ""
    received = view["accepted_at_ms"]
    shown = [
        _fact("message", view["id"]),
        _fact("state", view["state"] + why),
        *([_fact("why", view["why"])] if view["why"] else []),
        *([_fact("what helps", view["helps"])] if view["helps"] else []),
        _fact("channel", f"{view['channel']}, {view['kind']}"),
        *([_fact("command", view["command"])] if view["command"] else []),
        *([_fact("approval", view["approval"])] if view["approval"] else []),
        _fact("conversation", view["conversation"] or "none"),
        _fact("received", f"{local_time(received, day=True)} ({age(max(0.0, time.time() - received / 1000))} ago)"),
        _fact("trouble", f"{view['errors']} errors, {view['lost_leases']} lost leases" + _marks(view)),
    ]
    shown += _facts_of(view["content"]) if view["content"] else _ends(view)
    if reply := view["reply"]:
        shown += ["", _fact("reply", f"{reply['id']}, {reply['state']}{_marks(reply)}")]
        shown += _facts_of({name: value for name, value in reply.items() if name not in SHOWN_APART})
        shown += [_fact("attempt", _attempt(each)) for each in reply["attempts"]]
    shown += ["", "timeline", *(f"  {describe(_line(each), day=True)}" for each in view["timeline"])]
    return shown if view["timeline"] else [*shown, "  no line is kept any more"]


def _ends(view: MessageView) -> list[str]:
    """Of a message whose text is not kept: who wrote to whom, as far as that is known."""
    known = {"user": view["who"], "from": view["sender"], "to": view["recipient"], "provider id": view["provider_id"], "text": "not kept"}
    if known["user"] == known["from"]:
        del known["user"]
    return [_fact(name, value) for name, value in known.items() if value]


def _fact(name: str, value: str) -> str:
    return f"{name:<{WIDTH - 1}} " + printable(value, lines=True).replace("\n", "\n" + " " * WIDTH)


def _facts_of(facts: Mapping[str, Any]) -> list[str]:
    return [_fact(name.replace("_", " "), value if isinstance(value, str) else dumps(value)) for name, value in facts.items()]


def _marks(facts: Mapping[str, Any]) -> str:
    return "".join(f", {name.replace('_', ' ')}" for name in ("maybe_sent", "maybe_duplicate") if facts.get(name))


def _attempt(attempt: Mapping[str, Any]) -> str:
    more = " ".join(value for value in (attempt["provider_id"], attempt["code"], attempt["why"]) if value)
    return f"{attempt['id']}  {local_time(attempt['at_ms'], day=True)}  {attempt['outcome']} {more}".rstrip()


def _line(fields: dict[str, str]) -> Line:
    return Line(fields["seq"], fields["type"], {name: value for name, value in fields.items() if name not in ("seq", "type")})
