"""The most tokens that a request to the model may use: computed before it is made, so that its answer cannot exceed a bound. Pure.

Two bytes of text count as a token (English has four), a picture as the largest that a model looks at, and an answer as the longest that
it may become, with the thinking before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final

from shared.config.settings import Settings
from shared.mailbox.calls import DayBounds, Dearest
from shared.model import codec
from shared.model.media import MAX_MEDIA
from shared.model.prices import MICROS_PER_DOLLAR, PriceTable, dearest_of
from shared.model.users import Users
from supervisor_worker.assistant import other_chats, web_tools
from supervisor_worker.assistant.file_notes import LONGEST_NOTES
from supervisor_worker.assistant.history import BYTES_A_TOKEN, MAX_SUMMARY_BYTES, MESSAGE_OVERHEAD, MOST, SUMMARY_NOTES
from supervisor_worker.assistant.model_choice import ModelChoice, all_chosen, usual
from supervisor_worker.assistant.prompt import Prompt, longest_instructions
from supervisor_worker.assistant.time_notes import LONGEST
from supervisor_worker.assistant.tools.catalog import definitions
from supervisor_worker.assistant.tools.memory import NOTES_BYTES
from supervisor_worker.channels.formats import configured
from supervisor_worker.channels.notes import MAX_TEXT
from supervisor_worker.media.turn_files import MAX_TURN_TEXT

BYTES_COUNTED: Final = 2
MIN_CALLS_OF_A_SHARE: Final = 2
TOOLS_OVERHEAD: Final = 1_600
"""Bytes for the 346 to 530 tokens that a request with tools has beside their definitions (platform.claude.com/docs, tool-use/overview)."""
PICTURE_TOKENS: Final = 4_784
"""A picture at its largest: newer models look at up to 3.75 megapixels, older ones at a third of that."""
PAGE_TOKENS: Final = PICTURE_TOKENS + 3_000
"""A page of a document, of which the model is shown the text, with 3,000 tokens at most by Anthropic's own figure, and a picture."""
_MESSAGE: Final = 6 * MAX_TEXT + 8_000
"""Bytes of a message's record that can matter: the text that is shown, as JSON in ASCII spells it, subject and names of files."""
_NOTES: Final = 1_200 + 2 * LONGEST
"""Bytes of our own notes and of the lines' number, beside those that a record makes up for by its ids and names."""


def choice_of(prompt: Prompt, settings: Settings) -> ModelChoice:
    """Who is asked with a prompt; the usual model where it does not say."""
    return prompt.choice or usual(settings)


def most_of(prompt: Prompt, settings: Settings, more: int = 0) -> int:
    """The most tokens that a request with this prompt may use, and `more` of input beside it."""
    texts = [prompt.stable, *(message.text for message in (*prompt.messages, *prompt.after))]
    size = sum(len(text.encode("utf-8", "replace")) + MESSAGE_OVERHEAD for text in texts)
    size += sum(len(codec.dumps([*content])) for content in prompt.partial_answers)
    size += sum(len(codec.dumps([*content, *results])) for content, results in prompt.exchanges) + tools_size(prompt.tools)
    pictures = sum(len(message.pictures) for message in prompt.messages)
    pages = sum(document.pages for message in prompt.messages for document in message.documents)
    own = _tokens(size) + PICTURE_TOKENS * pictures + PAGE_TOKENS * pages + more
    return choice_of(prompt, settings).longest + web_tools.most_of_input(own, () if prompt.final else prompt.tools)


def most_searches(prompt: Prompt) -> int:
    """How often the web may be searched for a question; the last one of a turn may call nothing."""
    return 0 if prompt.final else web_tools.searches(prompt.tools)


def tools_size(tools: Sequence[Mapping[str, Any]]) -> int:
    """Bytes of the tools' definitions; what the model's host says about tools in general is a few hundred tokens beside them."""
    if tools is definitions():  # those of ours alone, as in most requests
        return _size_of_ours()
    return len(codec.dumps([*tools])) + TOOLS_OVERHEAD if tools else 0


@cache
def _size_of_ours() -> int:
    return len(codec.dumps([*definitions()])) + TOOLS_OVERHEAD


def dearest(settings: Settings, users: Users | None = None) -> Dearest:
    """By what the claim computes the same before it has read the messages: never less than `most_of` a turn's first request.

    What the files of a mail are as pictures and documents is known only when they have been read, and is reserved then. Whose turn it is
    is known no earlier: the longest answer of all `users` is taken.
    """
    answer = max(choice.longest for choice in all_chosen(settings, users))
    always = (
        longest_instructions(configured(settings), users.all if users else ())
        + tools_size(definitions())
        + NOTES_BYTES
        + other_chats.NOTES_BYTES
        + _NOTES
    )
    return Dearest(
        fixed=answer + _tokens(always),
        history=int(MOST * settings.history_tokens) * BYTES_A_TOKEN + MAX_SUMMARY_BYTES + SUMMARY_NOTES,
        text=_MESSAGE,
        files=MAX_TURN_TEXT + LONGEST_NOTES,
        picture=PICTURE_TOKENS,
        pictures=MAX_MEDIA,
        answer=answer,
        model=settings.boss_model,
    )


def day_bounds(settings: Settings, users: Users) -> DayBounds:
    """The day's bounds. A sender's share is at least an equal part: a smaller one would leave tokens that nobody may use.

    It is also at least two plain requests, so that every sender can get an answer. All forwarding addresses together have
    SENDER_DAILY_SHARE, however few users there are: what strangers cost leaves the users the rest.
    """
    tokens, turns = settings.spending_bounds
    share, least = max(settings.sender_daily_share, 1 / max(1, len(users.all))), MIN_CALLS_OF_A_SHARE * dearest(settings, users).fixed
    own, forwarded = (max(int(tokens * part), least) for part in (share, settings.sender_daily_share))
    return DayBounds(tokens, turns, own if own < tokens else 0, forwarded if forwarded < tokens else 0, *settings.dollar_bounds)


def least_of_web(settings: Settings, prices: PriceTable) -> tuple[int, int]:
    """The least tokens and microdollars that a question is reserved which may search the web; 0 where none may."""
    choice = usual(settings)
    tools = (*definitions(), *web_tools.offered(settings, choice, ()))
    if not web_tools.searches(tools):
        return 0, 0
    stable = "-" * longest_instructions(configured(settings))
    prompt = Prompt(stable, (), tools=tools, choice=choice)
    tokens = most_of(prompt, settings)
    return tokens, prices.price(choice.model, today()).most(tokens - choice.longest, choice.longest, most_searches(prompt))


def too_small(settings: Settings, prices: PriceTable, users: Users | None = None) -> str:
    """A sentence for the operator when a bound is smaller than one plain request, so that nothing is ever answered; else ""."""
    figures = dearest(settings, users)
    least, tokens = figures.fixed, settings.spending_bounds[0]
    if 0 < tokens < least:
        return f"DAILY_TOKENS is {tokens:,}, but one question is reserved at least {least:,} tokens: nothing can be answered"
    if "anthropic" in settings.played:
        return ""
    models = [prices.price(choice.model, today()) for choice in all_chosen(settings, users)]
    dollars = dearest_of(models).most(least - figures.answer, figures.answer)
    for name, bound in zip(settings.dollar_settings, settings.dollar_bounds, strict=True):
        if 0 < bound < dollars:
            shown = f"{bound / MICROS_PER_DOLLAR:g}, but one question is reserved at least {dollars / MICROS_PER_DOLLAR:.4f} dollars"
            return f"{name.upper()} is {shown}: nothing can be answered"
    return ""


def today() -> date:
    """The day (UTC) whose prices hold."""
    return datetime.now(UTC).date()


def _tokens(size: int) -> int:
    return -(-size // BYTES_COUNTED)
