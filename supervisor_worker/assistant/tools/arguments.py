"""What the tools of ours have in common: reading the model's arguments, and the words of people in what is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from supervisor_worker.assistant.tools.tool import Arguments, BadArguments
from supervisor_worker.channels.notes import theirs

MAX_RECEIPT: Final = 120
"""Characters of what a person wrote that stand in one receipt."""
MARKED: Final = ", with words of others before you"
"""What the model is told of an entry that was made while words were shown that the person did not write."""


def object_schema(required: Sequence[str], **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool's schema: an object with these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def one_line(value: object) -> str:
    """What the model gives as a text, in one line and without brackets like ours; '' for what is no text."""
    return " ".join(theirs(value).split()) if isinstance(value, str) else ""


def ids_of(value: object, most: int) -> list[str]:
    """Ids that the model names, each once. Raises BadArguments."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given or not all(isinstance(each, str) for each in given):
        raise BadArguments("Not done: name what you mean by its ids, as they are shown.")
    ids = list(dict.fromkeys(each.strip() for each in given))
    if len(ids) > most:
        raise BadArguments(f"Not done: at most {most} at once.")
    return ids


def offset_of(given: Arguments) -> int:
    """Where a list is to be shown from."""
    offset = given.get("offset", 0)
    return offset if isinstance(offset, int) and not isinstance(offset, bool) and offset > 0 else 0


def short(text: str) -> str:
    """What a person wrote, as it stands in a receipt."""
    return text if len(text) <= MAX_RECEIPT else text[: MAX_RECEIPT - 3].rstrip() + "..."
