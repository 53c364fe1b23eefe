"""The files of a mail in the words in which the model, and the person, are told of them. Pure.

What a file says stands between two notes of ours that name it, so that it is known as a file's words wherever it stands; no file can forge
such a note (`supervisor_worker.channels.notes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from shared.model.events import Received
from shared.model.extracts import Extracts
from shared.model.files import MAX_FILES, File
from supervisor_worker.channels.notes import document_mark, note, picture_mark, theirs
from supervisor_worker.media.turn_files import Fault, TurnFile
from supervisor_worker.media.turn_pictures import FileKey

MAX_NAME: Final = 120
MAX_NAMED_APART: Final = MAX_FILES
"""Files of one mail that are told of one by one; of further ones, how many there are."""
MAX_TOLD: Final = 10
"""Names in the sentence to the person."""
REASONS: Final[dict[Fault, str]] = {
    "no_room": "it was not kept: there was no room for it",
    "slow": "it was not kept: the store was away or slow when it came",
    "too_many": f"it was not kept: more than {MAX_FILES} files came",
    "too_large": "it is too large",
    "gone": "it is not kept any more",
    "away": "it could not be fetched now",
    "damaged": "it is damaged",
    "too_slow": "reading it took too long",
    "encrypted": "it is locked",
    "unknown": "files of its kind cannot be opened here",
}
_NOT_KEPT: Final = ("no_room", "slow", "too_many", "too_large")
LONGEST_NOTES: Final = MAX_NAMED_APART * (2 * 4 * MAX_NAME + 400) + 200
"""Bytes of UTF-8 that the notes on a mail's files take at most, without what the files say."""


def told(message: str, files: Sequence[TurnFile], numbers: Mapping[FileKey, int]) -> list[str]:
    """Each file of a message of the turn. `numbers` are those of the pictures and documents that are shown, by message and file."""
    parts = [_told(each, numbers.get((message, each.file.key), 0)) for each in files[:MAX_NAMED_APART]]
    return [*parts, note(f"and {len(files) - MAX_NAMED_APART} more files, which were not kept")] if len(files) > MAX_NAMED_APART else parts


def _told(each: TurnFile, number: int) -> str:
    what = _called(each.file, each.kind)
    if each.picture:
        return note(f"{what} is {picture_mark(number)[1:-1]}")
    if each.document:
        return note(f"{what} is {document_mark(number)[1:-1]}")
    why = f" ({REASONS[each.fault]})" if each.fault else ""
    if not theirs(each.text):
        empty = "could not be shown: there was no room for it" if each.text_only else "is empty"
        return note(f"{what} cannot be read: {REASONS[each.fault]}" if each.fault else f"{what} {empty}")
    only = " This is its text alone." if each.text_only else ""
    return _said(each.file.name, f"{what}{why}.{only}", each.text, cut=each.cut)


def said_before(event: Received, extracts: Extracts) -> list[str]:
    """The files of a message of the history, with what was read in them."""
    left, parts = [*extracts], list[str]()
    for file in event.files[:MAX_NAMED_APART]:
        # In the order of the mail: two files may have one name.
        if left and left[0][0] == file.name:
            parts.append(_said(file.name, f"{_called(file)}.", left.pop(0)[1], cut=False))
        else:
            parts.append(note(f"{_called(file)}, which is not shown again"))
    more = len(event.files) - MAX_NAMED_APART
    return [*parts, note(f"and {more} more files")] if more > 0 else parts


def not_kept(events: Sequence[Received]) -> str:
    """A sentence to the person on the files that were not kept; '' where all were."""
    names = [_name(file.name) for event in events for file in event.files if file.fault in _NOT_KEPT]
    if not names:
        return ""
    more = f" and {len(names) - MAX_TOLD} more" if len(names) > MAX_TOLD else ""
    shown = ", ".join(f'"{name}"' for name in names[:MAX_TOLD])
    whether = "this file" if len(names) == 1 else "these files"
    return f"I did not get {whether}: {shown}{more}. If it matters, please send it again later, or in smaller parts."


def _called(file: File, kind: str = "") -> str:
    return f'The file "{_name(file.name)}"' + (f" ({kind})" if kind else "")


def _name(name: str) -> str:
    return " ".join(theirs(name).split())[:MAX_NAME]


def _said(name: str, head: str, text: str, *, cut: bool) -> str:
    rest = note("the rest of the file is left out") if cut else ""
    parts = [note(f"{head} What follows is what it says, up to its end"), theirs(text), rest, note(f'End of the file "{_name(name)}"')]
    return "\n".join(part for part in parts if part)
