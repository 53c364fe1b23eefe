"""The beginning of a conversation's history, and the summary of what stands before. No I/O. `history.lua` has the rules."""

from __future__ import annotations

from typing import Any, Final

from shared.mailbox.call import Call
from shared.mailbox.records import Message, Reply

QUIET_MS: Final = 300_000
"""So long nothing is said before a summary is made: a question that comes sooner would be asked from another beginning, and no cache
would hold that yet."""


def entry_of(record: Message | Reply) -> str:
    """A record's entry in its conversation's history."""
    return f"{'m' if isinstance(record, Message) else 'r'}:{record.id}"


def outgrown(
    conversation: str, token: str, version: int, *, begins_with: str = "", wanted: bool = True, quiet_ms: int = QUIET_MS, retention_ms: int
) -> Call[int | None]:  # fmt: skip
    """Say that a history has outgrown its bound, and, in a holder's turn, with which entry it begins from now on ("" where that stays).

    `version` is the record's that the question is made of. `wanted`: a summary is to be made when nothing was said for `quiet_ms`. The
    answer is the record's version, None where the lease is lost or a summary was stored meanwhile.
    """
    arguments: dict[str, str | int] = {
        "conv": conversation, "token": token, "version": version, "from": begins_with, "wanted": int(wanted), "quiet": quiet_ms,
        "retention": retention_ms,
    }  # fmt: skip
    return Call("outgrown", arguments, _version)


def _version(raw: Any) -> int | None:
    return None if raw in ("lost", "stale") else int(raw)
