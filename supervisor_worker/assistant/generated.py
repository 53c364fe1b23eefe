"""What a reply is made of: the model's text, formatted for its channel, and the answers that it took."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.model.events import Received, Response
from shared.model.words import DEFAULT, said
from supervisor_worker.assistant import notices
from supervisor_worker.assistant.asking import NOTHING_ASKED, Asked
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.assistant.turn_steps import has_calls
from supervisor_worker.channels.formats import MessageFormat
from supervisor_worker.channels.notes import without_notes
from supervisor_worker.channels.truncation import cut_short

MAX_ON_LOOP: Final = 1_000
"""Characters of an answer that is formatted on the event loop, beside everything else: it takes milliseconds."""
TOOL_USE: Final = "tool_use"
CUT: Final = ("max_tokens", "model_context_window_exceeded")
"""Stop reasons of a model that had more to say, or had not begun to."""
COMPLETE: Final = ("end_turn", "stop_sequence")
"""Stop reasons of a model that has said what it had to say."""


@dataclass(frozen=True, slots=True)
class GeneratedReply:
    """A reply before it is stored, with the figures that go to its record and to the ledger.

    `asked` is what its turn asks for a yes to.
    """

    command: Response
    figures: dict[str, int | str]
    asked: Asked = NOTHING_ASKED


@dataclass(frozen=True, slots=True)
class ReplyTarget:
    """What a reply answers, in which format, and the id that it will have."""

    event: Received
    form: MessageFormat
    reply_id: str
    language: str = DEFAULT

    @property
    def refused(self) -> str:
        """What code says where the model refuses."""
        return said(notices.REFUSED, self.language)

    async def command(self, text: str) -> Response:
        """The reply as it will be stored. A long text is formatted in a thread: it can take some tenths of a second."""
        if len(text) <= MAX_ON_LOOP:
            return self.form.reply(self.event, text, self.reply_id)
        return await asyncio.to_thread(self.form.reply, self.event, text, self.reply_id)


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """The model's text, the command made of it, the answers that it took, and the prompt to which the last of them was the answer."""

    text: str
    stop: str
    command: Response
    answers: tuple[ModelAnswer, ...]
    prompt: Prompt
    half_call: bool = False
    """Whether it broke off within a call: nothing of it is said, and the call is not made."""

    @property
    def empty(self) -> bool:
        """Whether nothing of it would be sent."""
        return not self.command.text

    @property
    def by_code(self) -> bool:
        """Whether it is a sentence of ours in place of the model's words."""
        return self.stop == "refusal"

    @classmethod
    async def of(
        cls, parts: Sequence[ModelAnswer], target: ReplyTarget, prompt: Prompt, before: Sequence[ModelAnswer] = ()
    ) -> GeneratedText:  # fmt: skip
        """From the parts of one answer; `before` are those that only called tools."""
        text, stop = without_notes("".join(part.text for part in parts)).strip("\n").rstrip(), parts[-1].stop
        half_call = has_calls(parts) and stop not in (TOOL_USE, "refusal")
        if stop == "refusal":
            text = target.refused  # the text before a refusal is not meant to be read
        elif half_call:
            text = ""  # what stands before a call that was cut off is no answer
        elif stop in CUT:
            text = cut_short(text)
        return cls(text, stop, await target.command(text), (*before, *parts), prompt, half_call)
