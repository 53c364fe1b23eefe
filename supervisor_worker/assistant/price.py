"""What a question to the model may use at most, in tokens: reckoned before it is asked, so that no bound is passed by its answer. Pure.

Two bytes of text count as a token (English has four to one), a picture as the largest that a model looks at, and an answer as long as
it may become, thinking included.
"""

from __future__ import annotations

from typing import Final

from shared.config.settings import Settings
from shared.mailbox.calls import Budget, Dearest
from shared.model import codec
from shared.model.events import MAX_MEDIA
from shared.model.users import Users
from supervisor_worker.assistant.models import thinks
from supervisor_worker.assistant.prompt import BYTES_A_TOKEN, Question, longest_instructions
from supervisor_worker.channels.notes import MAX_TEXT

BYTES_COUNTED: Final = 2
QUESTIONS_OF_A_SHARE: Final = 2
A_LINE: Final = 16
"""Bytes that one more line of the conversation counts for, beside its text."""
PICTURE_TOKENS: Final = 4_784
"""A picture at its largest: newer models look at up to 3.75 megapixels, older ones at a third of that."""
_MESSAGE: Final = 6 * MAX_TEXT + 8_000
"""Bytes of a message's record that can matter: the text that is shown, as JSON in ASCII spells it, subject and names of files."""
_NOTES: Final = 1_200
"""Bytes of our own notes and of the lines' number, beside those that a record makes up for by its ids and names."""


def longest_answer(settings: Settings) -> int:
    """`max_tokens` of every request: the answer, and the thinking before it."""
    return settings.claude_max_tokens + (settings.claude_thinking_tokens if thinks(settings.boss_model) else 0)


def most_of(question: Question, settings: Settings) -> int:
    """What this question may use at most."""
    texts = [question.stable, question.today, *(line.text for line in question.lines)]
    size = sum(len(text.encode("utf-8", "replace")) + A_LINE for text in texts)
    size += sum(len(codec.dumps([*content])) for content in question.said)
    pictures = sum(len(line.pictures) for line in question.lines)
    return longest_answer(settings) + _tokens(size) + PICTURE_TOKENS * pictures


def dearest(settings: Settings) -> Dearest:
    """By what the claim reckons the same before the messages are read: never less than `most_of` a turn's first question."""
    return Dearest(
        fixed=longest_answer(settings) + _tokens(longest_instructions() + _NOTES),
        history=settings.history_tokens * BYTES_A_TOKEN,
        text=_MESSAGE,
        picture=PICTURE_TOKENS,
        pictures=MAX_MEDIA,
    )


def budget(settings: Settings, users: Users) -> Budget:
    """The day's bounds. A sender's share is never less than an equal part: what nobody else may use is of no use to anybody.

    Nor is it less than two plain questions: a share that has room for none would be no share.
    """
    tokens, turns = settings.spending_bounds
    share = max(settings.sender_daily_share, 1 / max(1, len(users.all)))
    own = max(int(tokens * share), QUESTIONS_OF_A_SHARE * dearest(settings).fixed)
    return Budget(tokens, turns, own if own < tokens else 0)


def too_small(settings: Settings) -> str:
    """That the day's bound is smaller than what one plain question is reserved, or "": nothing would ever be answered within it."""
    least, tokens = dearest(settings).fixed, settings.spending_bounds[0]
    if not 0 < tokens < least:
        return ""
    return f"DAILY_TOKENS is {tokens:,}, but one question is reserved at least {least:,} tokens: nothing can be answered"


def _tokens(size: int) -> int:
    return -(-size // BYTES_COUNTED)
