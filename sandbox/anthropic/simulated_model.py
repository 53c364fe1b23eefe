"""Writes the simulated model's answers: those of the script, those of the fault settings, or its own, which say that they are simulated."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sandbox.anthropic import assistant_answers, model_rules, server_tools, thinking_blocks, tokens
from sandbox.anthropic.assistant_answers import AssistantAnswer
from sandbox.anthropic.moments import newest_words
from sandbox.anthropic.prompt_caching import CacheUsage
from sandbox.anthropic.told_calls import calls_told
from sandbox.anthropic.transcript import last_user_text, newest_outcomes, results_since_user, user_turns
from sandbox.engine.faults import AnthropicFaults
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.anthropic.transcript import Call
    from sandbox.engine.answer_script import ScriptedAnswer

NOTES: Final = re.compile(r"⟦[^⟦⟧]*⟧\s*")
"""What the product puts around the user's text."""
MARK: Final = "[simulated]"
MAX_NOTES: Final = 3_000
MAX_ECHO: Final = 200
SHORT_LENGTH: Final = 160
"""Characters of an answer that the user wants shorter without naming a limit."""
THINKING_SHARES: Final = {"low": 0.1, "medium": 0.5, "high": 1.0, "xhigh": 1.5, "max": 2.0}
"""How much the model thinks at each effort, as a share of what it thinks at `high`."""
WANTS_SHORTER: Final = re.compile(r"\bshort(?:er|en)?\b|\bbrief(?:er|ly)?\b|\btoo long\b", re.IGNORECASE)
LENGTH_LIMIT: Final = re.compile(r"(\d[\d,]*)[ -]?(?:characters?|chars?)\b", re.IGNORECASE)
CALL_TYPES: Final = frozenset({"tool_use", "server_tool_use"})
REFUSAL: Final = {"type": "refusal", "category": "general_harms", "explanation": "A simulated refusal."}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """The model's answer: content blocks, stop reason and usage as the API has them."""

    content: list[JsonObject]
    stop_reason: str
    usage: JsonObject
    stop_details: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAnswer:
    """What the model means to answer, before its room is looked at."""

    text: str = ""
    calls: list[Call] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)
    """The ids of the calls; new ones where there are none."""
    content: list[JsonObject] | None = None
    """The exact content, in place of the above."""
    thinking: str | None = None
    thinking_tokens: int = 0
    stop_reason: str | None = None
    stop_details: JsonObject | None = None
    usage: JsonObject = field(default_factory=dict)


def answer(
    request: JsonObject,
    faults: AnthropicFaults,
    scripted: ScriptedAnswer | None = None,
    *,
    cached: CacheUsage | None = None,
    window: int | None = None,
    clock: datetime | None = None,
) -> ModelReply:
    """Write a reply within the request's max_tokens, thinking first.

    `cached` is what became of the input's tokens, `window` the model's context in tokens. `clock` is the time where the request tells none.
    """
    if faults.match is not None and faults.match not in json.dumps(request["messages"], ensure_ascii=False):
        faults = AnthropicFaults()
    used = cached or CacheUsage(tokens.of_request(request))
    planned = _of_script(scripted, request, faults) if scripted is not None else _of_settings(request, faults, clock or datetime.now(UTC))
    most = int(request["max_tokens"])
    budget = most if window is None else min(most, max(window - used.total, 0))
    thought = min(budget, _thinking_tokens(request, planned))
    content, cut = (planned.content, False) if planned.content is not None else _within(_blocks(request, planned), budget - thought)
    if thought:
        shown = (planned.thinking or "") if model_rules.shows_thinking(request) else ""
        content = [{"type": "thinking", "thinking": shown}, *content]
    content = thinking_blocks.signed(content, request)
    stop_reason = planned.stop_reason or _stop_reason(content)
    if cut:
        stop_reason = "max_tokens" if budget == most else "model_context_window_exceeded"
    details = (planned.stop_details or REFUSAL) if stop_reason == "refusal" else None
    used = replace(used, uncached=used.uncached + server_tools.read_again(request, content))
    usage = _usage(used, content, planned, thought)
    return ModelReply(content=content, stop_reason=stop_reason, usage=usage, stop_details=details)


def _of_script(scripted: ScriptedAnswer, request: JsonObject, faults: AnthropicFaults) -> PlannedAnswer:
    calls = [(call.name, call.input) for call in scripted.calls]
    content = scripted.content
    if content is None and any(name in server_tools.offered(request) for name, _ in calls):
        content = server_tools.content_of(request, calls, scripted.text or "", faults.web_page)
    return PlannedAnswer(
        text=scripted.text or "",
        calls=calls,
        ids=[call.id for call in scripted.calls],
        content=content,
        thinking=scripted.thinking,
        stop_reason=scripted.stop_reason,
        stop_details=scripted.stop_details,
        usage=scripted.usage,
    )


def _of_settings(request: JsonObject, faults: AnthropicFaults, clock: datetime) -> PlannedAnswer:
    """What the settings say: the content, the text, obedience, a length; or the model's own answer."""
    is_told = faults.text is not None or faults.content is not None or faults.stop_reason == "refusal"
    own = PlannedAnswer(text=faults.text or "", content=faults.content) if is_told else _own(request, faults, clock)
    return replace(
        own,
        thinking=faults.thinking,
        thinking_tokens=faults.thinking_tokens or 0,
        stop_reason=faults.stop_reason,
        stop_details=faults.stop_details,
        usage=faults.usage,
    )


def _own(request: JsonObject, faults: AnthropicFaults, clock: datetime) -> PlannedAnswer:
    """What the model is told if it obeys, what a simple request needs, or an echo."""
    calls: list[Call] = []
    if faults.obey and may_call(request):
        calls = calls_told(request)
        if any(name in server_tools.offered(request) for name, _ in calls):
            return PlannedAnswer(content=server_tools.content_of(request, calls, f"{MARK} Done.", faults.web_page, obeys=True))
    elif faults.length is None and request.get("tools"):
        known = assistant_answers.answer(request, clock) or AssistantAnswer()
        if known.web and may_call(request):
            return PlannedAnswer(content=server_tools.content_of(request, [known.web], f"{MARK} {known.sentence}", faults.web_page))
        if known.sentence and not known.web:
            return PlannedAnswer(text=f"{MARK} {known.sentence}")
        calls = list(known.calls) if may_call(request) else []
    if faults.obey and not request.get("tools"):  # asked for notes on what was said: it repeats as much as there is room for
        return PlannedAnswer(text=_text(request["messages"], faults)[:MAX_NOTES])
    return PlannedAnswer(calls=calls[: most_calls(request)]) if calls else PlannedAnswer(text=_text(request["messages"], faults))


def may_call(request: JsonObject) -> bool:
    """Whether the model may call tools in its answer."""
    return bool(request.get("tools")) and (request.get("tool_choice") or {}).get("type") != "none"


def most_calls(request: JsonObject) -> int | None:
    """How many calls an answer may hold; None is without bound."""
    return 1 if (request.get("tool_choice") or {}).get("disable_parallel_tool_use") else None


def _blocks(request: JsonObject, planned: PlannedAnswer) -> list[JsonObject]:
    """The draft as content blocks. What some models write between two calls, they write as thinking."""
    blocks: list[JsonObject] = []
    if planned.text:
        hidden = bool(planned.calls) and model_rules.hides_text_between_calls(request) and bool(newest_outcomes(request["messages"]))
        blocks = [{"type": "thinking", "thinking": planned.text} if hidden else {"type": "text", "text": planned.text}]
    ids = planned.ids or [None] * len(planned.calls)
    calls = zip(planned.calls, ids, strict=True)
    return blocks + [{"type": "tool_use", "id": known or new_id("toolu"), "name": name, "input": given} for (name, given), known in calls]


def new_id(kind: str) -> str:
    """A new id, as `toolu_…`."""
    return f"{kind}_{secrets.token_hex(12)}"


def _within(blocks: list[JsonObject], budget: int) -> tuple[list[JsonObject], bool]:
    """The blocks that fit into so many tokens, the last one cut, and whether any was: of a call that is cut the input is lost."""
    kept: list[JsonObject] = []
    for block in blocks:
        size = tokens.of_block(block)
        if size > budget and block["type"] == "text" and budget > 0:
            kept.append({**block, "text": block["text"][: budget * tokens.CHARACTERS_PER_TOKEN]})
        elif size > budget and block["type"] in CALL_TYPES and budget > 0:
            kept.append({**block, "input": {}})
        if size > budget:
            return kept, True
        kept.append(block)
        budget -= size
    return kept, budget <= 0 and not blocks


def _stop_reason(content: list[JsonObject]) -> str:
    return "tool_use" if any(block.get("type") == "tool_use" for block in content) else "end_turn"


def _thinking_tokens(request: JsonObject, planned: PlannedAnswer) -> int:
    """The tokens of thinking: what the settings say for effort `high`, or a share of it at another effort."""
    if not model_rules.thinks(request, after_tools=bool(newest_outcomes(request["messages"]))):
        return 0
    config = request.get("output_config")
    share = THINKING_SHARES.get(str(config.get("effort")) if isinstance(config, dict) else "", 1.0)
    written = tokens.of_text(planned.thinking) if planned.thinking is not None else 0
    return max(written, int(planned.thinking_tokens * share))


def _text(messages: list[JsonObject], faults: AnthropicFaults) -> str:
    """Choose the text: the user's own, an essay of a given length, or an echo."""
    asked = last_user_text(messages)
    if faults.obey:
        return "\n".join([asked, *results_since_user(messages)])
    if faults.length is not None:
        return essay(_requested_length(asked, faults.length))
    beginning = NOTES.sub("", newest_words(asked)).strip()
    beginning = beginning if len(beginning) <= MAX_ECHO else beginning[:MAX_ECHO].rstrip() + "..."
    return f"{MARK} You wrote: {beginning} (user turns: {user_turns(messages)})"


def _requested_length(asked: str, length: int) -> int:
    """The length to write: shorter if the user asks for shorter, and within a limit that the user names."""
    limits = [int(number.replace(",", "")) for number in LENGTH_LIMIT.findall(asked)]
    if limits:
        return max(1, min(length, *limits))
    return min(length, SHORT_LENGTH) if WANTS_SHORTER.search(asked) else length


def essay(length: int) -> str:
    """Write exactly `length` characters, in numbered sentences, so that a reader sees where a text was cut."""
    text, number = MARK, 0
    while len(text) < length:
        number += 1
        text += f" Sentence {number} of a long simulated answer."
    return text[: length - 1].rstrip().ljust(length - 1, ".") + "." if length > len(MARK) else text[:length]


def _usage(used: CacheUsage, content: list[JsonObject], planned: PlannedAnswer, thought: int) -> JsonObject:
    shown = "".join(str(block.get("thinking", "")) for block in content)
    thinking = max(thought, tokens.of_text(shown) if shown else 0)
    written = "".join(str(block.get("text", "")) for block in content)
    called = sum(tokens.of_block(block) for block in content if block.get("type") in CALL_TYPES)
    return {
        **used.to_json(),
        "output_tokens": (tokens.of_text(written) if written else 0) + called + thinking,
        "output_tokens_details": {"thinking_tokens": thinking},
        "server_tool_use": _server_tools_used(content),
        "service_tier": "standard",
        **planned.usage,
    }


def _server_tools_used(content: list[JsonObject]) -> JsonObject | None:
    """How often the API's own tools were used, which costs money of its own; None if they were not."""
    names = [block.get("name") for block in content if block.get("type") == "server_tool_use"]
    return {f"{name}_requests": names.count(name) for name in ("web_search", "web_fetch")} if names else None


def pieces(text: str, size: int = 24) -> Iterator[str]:
    """Split a text for the deltas of a stream."""
    return (text[start : start + size] for start in range(0, len(text), size))
