"""What a call of a tool came to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from shared.model.mcp_tools import cut
from supervisor_worker.channels.notes import note, theirs

MAX_RESULT_BYTES: Final = 20_000
MAX_READ_CHARACTERS: Final = 200_000
"""So many characters of a result are looked at; cleaning 5 MB to keep 20 kB would hold up the loop."""


class Fate(StrEnum):
    """What is known of a call."""

    ANSWERED = "answered"
    """The server has answered, with a result or with an error of its own."""
    NOT_MADE = "not_made"
    """It has not reached the server: nothing has happened."""
    UNKNOWN = "unknown"
    """It may have happened: the time ran out, or the server went away."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """A result for the model: at most MAX_RESULT_BYTES of text, cleaned. It is words of others, whatever it says."""

    text: str
    fate: Fate
    is_error: bool = False
    truncated: bool = False


def not_made(reason: str) -> CallResult:
    """Nothing has happened; the reason is a clause of ours."""
    return CallResult(f"Not done: {reason}.", Fate.NOT_MADE, is_error=True)


def unknown(reason: str) -> CallResult:
    """It may have happened; the reason is a clause of ours."""
    return CallResult(f"It is not known whether this happened: {reason}.", Fate.UNKNOWN, is_error=True)


def refused(text: str) -> CallResult:
    """The server has answered with an error instead of a result."""
    shown = cut(theirs(text[:MAX_READ_CHARACTERS]), MAX_RESULT_BYTES)
    return CallResult(shown or "The server refused this and did not say why.", Fate.ANSWERED, is_error=True)


def answered(contents: Iterable[Any], *, is_error: bool) -> CallResult:
    """The text of a result's blocks; a note names each that is no text. Blocks are those of the SDK."""
    pieces, left, cut_off = [], MAX_READ_CHARACTERS, False
    for block in contents:
        text = getattr(block, "text", None)
        if text is None:
            piece = note(f"{_kind(block)}, which is not shown")
        else:
            cut_off = cut_off or len(text) > left
            piece = theirs(text[:left])
        left = max(0, left - len(piece))
        pieces.append(piece)
        if left == 0:
            cut_off = cut_off or block is not contents
            break
    whole = "\n".join(piece for piece in pieces if piece)
    shown = cut(whole, MAX_RESULT_BYTES)
    truncated = cut_off or len(shown) < len(whole)
    if truncated:
        shown = cut(shown, MAX_RESULT_BYTES - 100) + "\n" + note("the rest is left out")
    return CallResult(shown or note("an empty result"), Fate.ANSWERED, is_error=is_error, truncated=truncated)


def _kind(block: Any) -> str:
    """What a block is, in words of ours: its type is the server's word."""
    kinds = {"image": "a picture", "audio": "a recording", "resource_link": "a link to a file", "resource": "a file"}
    return kinds.get(str(getattr(block, "type", "")), "something else")
