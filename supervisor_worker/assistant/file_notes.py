"""The files of a message in the words in which the model, and the person, are told of them. Pure.

What a file says stands between two notes of ours that name it, so that it is known as a file's words wherever it stands; no file can forge
such a note (`supervisor_worker.channels.notes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from shared.model.events import Received
from shared.model.extracts import Extracts
from shared.model.files import MAX_FILES, File
from shared.model.words import counted, said
from supervisor_worker.assistant import notices
from supervisor_worker.channels.notes import document_mark, note, picture_mark, theirs
from supervisor_worker.channels.sendgrid.forwarded import literal
from supervisor_worker.media.turn_files import Fault, LoadedFiles, TurnFile, media_file
from supervisor_worker.media.turn_media import FileKey

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
    "not_heard": "recordings cannot be heard here, which the person is told",
    "hearing_failed": "it could not be heard now, which the person is told",
    "not_understood": "no words could be made out, which the person is told",
    "too_long": "it is longer than what can be heard here, which the person is told",
    "not_paid": "the day has no room for hearing it, which the person is told",
}
_NOT_KEPT: Final = ("no_room", "slow", "too_many", "too_large")
LONGEST_NOTES: Final = MAX_NAMED_APART * (2 * 4 * MAX_NAME + 400) + 200
"""Bytes of UTF-8 that the notes on a mail's files take at most, without what the files say."""


def told(message: str, files: Sequence[TurnFile], numbers: Mapping[FileKey, int], *, forwarded: bool = False) -> list[str]:
    """Each file of a message of the turn. `numbers` are those of the pictures and documents that are shown, by message and file.

    Files of a mail by a forwarding address are told of by their numbers: their names, which a stranger chose, stand in the mail's head.
    """
    named = [replace(each, file=unnamed(each.file, number)) for number, each in enumerate(files, 1)] if forwarded else files
    parts = [_told(each, numbers.get((message, each.file.key), 0)) for each in named[:MAX_NAMED_APART]]
    return [*parts, note(f"and {len(files) - MAX_NAMED_APART} more files, which were not kept")] if len(files) > MAX_NAMED_APART else parts


def _told(each: TurnFile, number: int) -> str:
    what = _called(each.file, each.kind)
    if each.picture:
        return note(f"{what} is {picture_mark(number)[1:-1]}")
    if each.document:
        return note(f"{what} is {document_mark(number)[1:-1]}")
    why = f" ({REASONS[each.fault]})" if each.fault else ""
    if not theirs(each.text):
        nothing = "holds no words" if each.is_recording else "is empty"
        empty = "could not be shown: there was no room for it" if each.text_only else nothing
        return note(f"{what} cannot be read: {REASONS[each.fault]}" if each.fault else f"{what} {empty}")
    only = " This is its text alone." if each.text_only else ""
    return _said(each.file.name, f"{what}{why}.{only}", each.text, cut=each.cut, heard=each.is_recording)


def unnamed(file: File, number: int) -> File:
    """A file with a name of ours in place of its own."""
    return replace(file, name=f"attachment {number}")


def told_apart(event: Received, extracts: Extracts) -> set[str]:
    """The ids of the files of a text of the history that `said_before` tells of."""
    names = {name for name, _ in extracts}
    return {media.id for number, media in enumerate(event.media, 1) if media_file(number, media).name in names}


def said_before(event: Received, extracts: Extracts) -> list[str]:
    """The files of a message of the history, with what was read and heard in them; those of a text that are `told_apart`."""
    left, parts, apart = [*zip(extracts, extracts.marks, strict=True)], list[str](), told_apart(event, extracts)
    of_text = [media_file(number, media) for number, media in enumerate(event.media, 1)]
    files = [*event.files[:MAX_NAMED_APART], *(file for file in of_text if file.key in apart)]
    for number, file in enumerate(files, 1):
        shown = unnamed(file, number) if event.forwarding else file
        # In the order of the message: two files may have one name.
        if left and left[0][0][0] == file.name:
            (_, text), mark = left.pop(0)
            parts.append(_said(shown.name, f"{_called(shown)}.", text, cut=False, heard=mark.kind == "heard"))
        else:
            parts.append(note(f"{_called(shown)}, which is not shown again"))
    more = len(event.files) - MAX_NAMED_APART
    return [*parts, note(f"and {more} more files")] if more > 0 else parts


def not_kept(events: Sequence[Received], language: str) -> str:
    """A sentence to the person on the files that were not kept, in Markdown; '' where all were."""
    names = [_name(file.name) for event in events for file in event.files if file.fault in _NOT_KEPT]
    if not names:
        return ""
    shown = ", ".join(f'"{literal(name)}"' for name in names[:MAX_TOLD])
    if len(names) > MAX_TOLD:
        shown = counted("not_kept_more", len(names) - MAX_TOLD, language, names=shown)
    sentence = counted("not_kept", len(names), language, names=shown)
    if events[-1].forwarding:  # who is told did not send them
        return sentence
    return f"{sentence} {said('not_kept_again', language)}"


def unheard(files: LoadedFiles, language: str, *, forwarded: bool = False) -> str:
    """A sentence to the person on the recordings that could not be heard; '' where all were. `forwarded`: they are somebody else's."""
    return notices.unheard({each.fault for each in files.unheard}, language, forwarded=forwarded)


def _called(file: File, kind: str = "") -> str:
    return f'The file "{_name(file.name)}"' + (f" ({kind})" if kind else "")


def _name(name: str) -> str:
    return " ".join(theirs(name).split())[:MAX_NAME]


def _said(name: str, head: str, text: str, *, cut: bool, heard: bool = False) -> str:
    rest = note("the rest of the file is left out") if cut else ""
    how = "what a program heard in it, not what anybody typed" if heard else "what it says"
    parts = [note(f"{head} What follows is {how}, up to its end"), theirs(text), rest, note(f'End of the file "{_name(name)}"')]
    return "\n".join(part for part in parts if part)
