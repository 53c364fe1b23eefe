"""The calls that a model makes which does whatever it is told: `CALL name {"field": "value"}`, wherever it stands in a question.

It may stand in the user's words, in the history, in the system prompt, in the result or the description of a tool, and in the bytes of a
picture or a document.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final

from sandbox.anthropic.transcript import Call, calls_since_user
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator

CALL: Final = re.compile(r"\bCALL\s+([a-zA-Z0-9_-]{1,128})\s*(?=\{)")
MAX_CALLS: Final = 20
"""Of one answer."""
_DECODER: Final = json.JSONDecoder(strict=False)


def calls_told(request: JsonObject) -> list[Call]:
    """The calls that a question tells, each once, without those that the model has made since the user's last words."""
    made = calls_since_user(request["messages"])
    told: list[Call] = []
    for text in _texts([request.get("system"), request["messages"], request.get("tools")]):
        for call in calls_in(text):
            if call not in made and call not in told:
                told.append(call)
    return told[:MAX_CALLS]


def _texts(value: object) -> Iterator[str]:
    """Every text in a document, also that of its files."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        if value.get("type") == "base64":
            yield _text_of_file(value)
        else:
            yield from _texts(list(value.values()))


def _text_of_file(source: JsonObject) -> str:
    try:
        return base64.b64decode(str(source.get("data", ""))).decode("utf-8", "replace")
    except ValueError:
        return ""


def calls_in(text: str) -> Iterator[Call]:
    """The calls that a text tells."""
    for found in CALL.finditer(text):
        given = _object_at(text, found.end())
        if given is not None:
            yield found[1], given


def _object_at(text: str, start: int) -> dict[str, Any] | None:
    """The JSON object that begins here; its quotation marks may be escaped, as in a text that is JSON itself."""
    for written in (text[start:], text[start:].replace('\\"', '"')):
        try:
            found, _ = _DECODER.raw_decode(written)
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, dict) else None
    return None
