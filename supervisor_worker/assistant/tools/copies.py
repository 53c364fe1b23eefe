"""The tool that sends a copy to the person's own other channel (`copies.lua`). Pure. It has no address among its arguments."""

from __future__ import annotations

from typing import Final

from shared.model.channels import CHANNELS
from shared.model.words import said
from supervisor_worker.assistant.tools.arguments import object_schema
from supervisor_worker.assistant.tools.tool import Arguments, BadArguments, Result, Tool, ToolContext
from supervisor_worker.channels.notes import theirs

MAX_TEXT: Final = 8_000
MAX_ID: Final = 60
_REFUSED: Final = {
    "no_channel": "Not sent: the person has no other channel with you. Tell them so.",
    "opted_out": "Not sent: the person asked to be sent nothing there. Tell them so; they can undo it there.",
    "nothing": "Not sent: there is no such answer of yours. Give the text.",
}


def _copied(given: Arguments, _context: ToolContext) -> Arguments:
    text, of = given.get("text"), given.get("answer_to")
    text = theirs(text) if isinstance(text, str) else ""
    if len(text) > MAX_TEXT:
        raise BadArguments(f"Not sent: a copy has {MAX_TEXT:,} characters at most; this has {len(text):,}.")
    return {"text": text, "of": of.strip()[:MAX_ID] if isinstance(of, str) else ""}


def _told(result: Result, _context: ToolContext) -> str:
    if result["ok"]:
        return f"The copy goes out by {_kind(result)}."
    if result["reason"] == "too_many":
        return f"Not sent: the person had {result['most']} copies within a day, which is the most. Tell them so."
    return _REFUSED[str(result["reason"])]


def _receipt(result: Result, context: ToolContext) -> str:
    if result["ok"]:
        return said(f"copy_sent_{_kind(result)}", context.language)
    reason = str(result["reason"])
    return said(f"copy_opted_out_{_kind(result)}" if reason == "opted_out" else f"copy_{reason}", context.language, most=result["most"])


def _kind(result: Result) -> str:
    return CHANNELS[result["channel"]].kind


COPY_TOOLS: Final = (
    Tool(
        "send_copy",
        "Sends the person a copy on their own other channel: by mail where they write by text, by text where they write by mail. It goes "
        "nowhere else. Without arguments it is your last answer; only when they ask for it.",
        "send_copy", _copied, _told, _receipt,
        object_schema(
            [],
            text={"type": "string", "description": "What to send, if not an answer that was sent before; may be Markdown."},
            answer_to={"type": "string", "description": "The id of a message, as search_history shows it: your answer to it is sent."},
        ),
        changes_kept=True,
    ),
)  # fmt: skip
