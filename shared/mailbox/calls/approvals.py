"""Approvals: questions that wait for a yes. No I/O. The rules are in `approvals.lua`; `store_reply` makes a record, and takes an answer.

Times are integer milliseconds. A script that is sent twice changes nothing the second time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.mailbox.call import Call
from shared.model import approvals, codec
from shared.model.approvals import ApprovalCall, Verdict
from shared.model.events import Received, Response


@dataclass(frozen=True, slots=True)
class QuestionMessage:
    """Where a question goes that its turn's own reply does not carry: to another person, or to the same one by mail.

    `event` names both ends; its id is the message's.
    """

    conversation: str
    sender: str
    pair: str
    event: Received = field(repr=False)

    def item(self) -> dict[str, str]:
        """As the script reads it."""
        return {
            "id": self.event.id, "conv": self.conversation, "channel": self.event.channel, "sender": self.sender, "pair": self.pair,
            "event": codec.encode(self.event),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """A question that waits for a yes, with all calls that it is about.

    `user` and `approver` are the ids of the entries of who asks and of who is asked, `person` and `epoch` whose the calls are. `event`
    names both ends of the asking conversation: what is done is answered there. `named`: the approver is one by the operator's rule, who
    must name the code. `mixed`: it was asked under the eyes of words of others. `message` is None where the turn's own reply asks it.
    """

    id: str
    code: str
    calls: tuple[ApprovalCall, ...] = field(repr=False)
    user: str
    approver: str
    person: str
    epoch: str
    event: Received = field(repr=False)
    named: bool = False
    mixed: bool = False
    message: QuestionMessage | None = field(repr=False, default=None)

    @property
    def kind(self) -> str:
        """The tools that it is about: a newer question about the same ends the older one."""
        return " ".join(sorted({call.tool for call in self.calls}))

    def argument(self) -> str:
        """As the script reads it."""
        fields = {
            "id": self.id, "code": self.code, "kind": self.kind, "calls": approvals.write(self.calls), "user": self.user,
            "approver": self.approver, "person": self.person, "epoch": self.epoch, "event": codec.encode(self.event),
            "named": int(self.named), "mixed": int(self.mixed),
        }  # fmt: skip
        return codec.dumps({**fields, **({"message": self.message.item()} if self.message else {})})


@dataclass(frozen=True, slots=True)
class Approval:
    """A question's record. `state` is `pending`, `approved`, `declined` or `withdrawn`; `calls` are there while it is pending.

    `user` and `approver` are the ids of the entries of who asked for it and of who is asked. `until_ms` is when it expires, 0 before it was
    sent.
    """

    id: str
    state: str
    code: str
    user: str
    approver: str
    calls: tuple[ApprovalCall, ...] = field(repr=False, default=())
    until_ms: int = 0
    named: bool = False


@dataclass(frozen=True, slots=True)
class AnswerReplies:
    """What is said to an answer, by what it comes to, with the figures of each reply."""

    by_verdict: Mapping[Verdict, tuple[Response, Mapping[str, int | str]]] = field(repr=False)

    def argument(self) -> str:
        """As `store_reply` reads them."""
        return codec.dumps({verdict: _stored(command, figures) for verdict, (command, figures) in self.by_verdict.items()})


def approval_id(turn: str) -> str:
    """The id of the one question that a turn may ask."""
    return "ap-" + turn.removeprefix("t-")


def approval_code(user: str, approval: str, codes: Sequence[str]) -> Call[str]:
    """Take the first of `codes` that is free for whoever has the entry `user`; the answer is "" where none is."""
    return Call("approval_code", {"user": user, "approval": approval}, str, tuple(codes))


def approval_of(approval: str) -> Call[Approval | None]:
    """A question's record; None where there is none any more."""
    return Call("approval_of", {"id": approval}, _approval)


def withdraw_approval(approval: str) -> Call[bool]:
    """End a question that waits for a yes; whether it waited."""
    return Call("withdraw_approval", {"id": approval}, bool)


def revoke_always(person: str, user: str, what: str) -> Call[bool]:
    """Ask again about what a person has said "always" to; whether they had. `user` is the id of their entry."""
    return Call("revoke_always", {"person": person, "user": user, "what": what}, bool)


def _stored(command: Response, figures: Mapping[str, int | str]) -> dict[str, str]:
    flat = [str(part) for item in sorted(figures.items()) for part in item]
    return {"command": codec.encode(command), "digest": command.fingerprint(), "figures": json.dumps(flat)}


def _approval(raw: Any) -> Approval | None:
    record = dict(zip(raw[::2], raw[1::2], strict=True))
    if not record.get("state"):
        return None
    return Approval(
        record["id"], record["state"], record["code"], record["user"], record["approver"], approvals.read(record.get("calls") or "[]"),
        int(record.get("until") or 0), record.get("named") == "1",
    )  # fmt: skip
