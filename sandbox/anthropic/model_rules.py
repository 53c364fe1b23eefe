"""What each model of the Messages API accepts for thinking, effort, sampling and forced tools, and how it rejects the rest.

A model that is not in the table accepts everything: a gateway's name may stand for any model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from sandbox.engine.json_types import JsonObject

EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
THINKING_TYPES: Final = ("adaptive", "enabled", "disabled", "between_tools")
SAMPLING_PARAMETERS: Final = ("temperature", "top_p", "top_k")
MIN_THINKING_BUDGET: Final = 1024
LEAST_CACHED: Final = 512
_HIGHEST_EFFORTS: Final = ("xhigh", "max")
_WITHOUT_XHIGH: Final = ("low", "medium", "high", "max")
_NAME: Final = re.compile(r"claude-([a-z]+-\d{1,2}(?:-\d{1,2})?)(?!\d)(?!-\d{1,2}(?!\d))")


@dataclass(frozen=True, slots=True)
class ModelRules:
    """What one model accepts."""

    thinking_types: tuple[str, ...]
    thinks: bool = True
    """Whether it thinks when a request says nothing of it."""
    efforts: tuple[str, ...] = EFFORTS
    forced_tools: bool = True
    sampling: bool = False
    not_at_highest_efforts: tuple[str, ...] = ()
    """Types of thinking that are rejected at the two highest efforts."""
    hides_text_between_calls: bool = False
    """Whether text that it writes between two calls of tools comes back as thinking."""
    max_output: int | None = None
    """The most that `max_tokens` may be; None where it is not known."""
    least_cached: int = LEAST_CACHED
    """Tokens of the shortest beginning of a prompt that is cached."""
    context: int | None = None
    """Tokens of input and output together; None where it is not known."""


_ALWAYS_THINKS: Final = ModelRules(("adaptive",), forced_tools=False, max_output=128_000, context=1_000_000)
_BEFORE_ADAPTIVE: Final = ModelRules(("enabled", "disabled"), thinks=False, efforts=(), sampling=True, least_cached=1024)
RULES: Final[dict[str, ModelRules]] = {
    "fable-5-2": _ALWAYS_THINKS,
    "fable-5-1": _ALWAYS_THINKS,
    "fable-5": ModelRules(("adaptive",)),
    "mythos-5-2": _ALWAYS_THINKS,
    "mythos-5-1": _ALWAYS_THINKS,
    "mythos-5": ModelRules(("adaptive",)),
    "opus-5-5": _ALWAYS_THINKS,
    "sonnet-5-5": ModelRules(
        ("adaptive", "between_tools"),
        forced_tools=False,
        hides_text_between_calls=True,
        not_at_highest_efforts=("between_tools",),
        max_output=128_000,
        context=1_000_000,
    ),
    "haiku-5-5": ModelRules(("adaptive", "disabled"), not_at_highest_efforts=("disabled",), max_output=128_000, context=1_000_000),
    "opus-5": ModelRules(("adaptive", "disabled"), not_at_highest_efforts=("disabled",)),
    "sonnet-5": ModelRules(("adaptive", "disabled")),
    "opus-4-8": ModelRules(("adaptive", "disabled"), thinks=False, least_cached=1024),
    "opus-4-7": ModelRules(("adaptive", "disabled"), thinks=False, least_cached=1024),
    "opus-4-6": ModelRules(("adaptive", "enabled", "disabled"), thinks=False, efforts=_WITHOUT_XHIGH, sampling=True, least_cached=1024),
    "sonnet-4-6": ModelRules(("adaptive", "enabled", "disabled"), thinks=False, efforts=_WITHOUT_XHIGH, sampling=True, least_cached=1024),
    "opus-4-5": ModelRules(("enabled", "disabled"), thinks=False, efforts=("low", "medium", "high"), sampling=True, least_cached=4096),
    "sonnet-4-5": _BEFORE_ADAPTIVE,
    "haiku-4-5": replace(_BEFORE_ADAPTIVE, max_output=64_000, context=200_000, least_cached=4096),
}
"""By the part of the name after `claude-`, without a date."""


def rules_of(model: object) -> ModelRules | None:
    """A model's rules; None for one that is not in the table."""
    found = _NAME.search(str(model))
    return RULES.get(found.group(1)) if found else None


def thinks(request: JsonObject, *, after_tools: bool = False) -> bool:
    """Whether the answer to this request begins with thinking. An unknown model thinks unless the request turns it off."""
    rules, kind = rules_of(request.get("model")), _thinking_type(request)
    if kind == "between_tools":
        return after_tools
    return kind in {"adaptive", "enabled"} or (kind is None and (rules is None or rules.thinks))


def context(request: JsonObject) -> int | None:
    """The model's context window in tokens; None where it is not known."""
    rules = rules_of(request.get("model"))
    return None if rules is None else rules.context


def least_cached(request: JsonObject) -> int:
    """Tokens of the shortest beginning of a prompt that is cached; an unknown model is taken for a new one."""
    rules = rules_of(request.get("model"))
    return LEAST_CACHED if rules is None else rules.least_cached


def shows_thinking(request: JsonObject) -> bool:
    """Whether the answer holds the words of its thinking; without them it still holds the signature."""
    thinking = request.get("thinking")
    return not isinstance(thinking, dict) or thinking.get("display") != "omitted"


def hides_text_between_calls(request: JsonObject) -> bool:
    """Whether text between two calls comes back as thinking."""
    rules = rules_of(request.get("model"))
    return rules is not None and rules.hides_text_between_calls


def problem_of(request: JsonObject) -> str | None:
    """Why the model rejects a request's thinking, effort, sampling or tools; None if it accepts them."""
    rules = rules_of(request.get("model"))
    checks = (_problem_of_thinking, _problem_of_effort, _problem_of_sampling, _problem_of_tools)
    return next((problem for check in checks if (problem := check(request, rules)) is not None), None)


def _thinking_type(request: JsonObject) -> object:
    given = request.get("thinking")
    return given.get("type") if isinstance(given, dict) else None


def _problem_of_thinking(request: JsonObject, rules: ModelRules | None) -> str | None:
    thinking, kind = request.get("thinking"), _thinking_type(request)
    if thinking is None:
        return None
    if kind not in THINKING_TYPES:
        return f"thinking: Input tag found using 'type' does not match any of the expected tags: {', '.join(THINKING_TYPES)}"
    if rules is not None and kind not in rules.thinking_types:
        instead = "between_tools" if "between_tools" in rules.thinking_types else rules.thinking_types[0]
        return f'"thinking.type.{kind}" is not supported for this model. Use "thinking.type.{instead}".'
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < MIN_THINKING_BUDGET:
            return f"thinking.enabled.budget_tokens: Input should be greater than or equal to {MIN_THINKING_BUDGET}"
        if budget >= request.get("max_tokens", budget + 1):
            return "`max_tokens` must be greater than `thinking.budget_tokens`."
    return None


def _problem_of_effort(request: JsonObject, rules: ModelRules | None) -> str | None:
    config = request.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    if effort is None:
        return None
    if effort not in EFFORTS:
        return "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"
    if rules is not None and effort not in rules.efforts:
        return f"output_config.effort: '{effort}' is not supported for this model."
    kind = _thinking_type(request)
    if rules is not None and effort in _HIGHEST_EFFORTS and kind in rules.not_at_highest_efforts:
        return f'"thinking.type.{kind}" is not supported at effort {effort} on this model.'
    return None


def _problem_of_sampling(request: JsonObject, rules: ModelRules | None) -> str | None:
    if rules is None or rules.sampling:
        return None
    given = next((name for name in SAMPLING_PARAMETERS if request.get(name) is not None and request.get(name) != 1), None)
    return None if given is None else f"`{given}` is not supported for this model."


def _problem_of_tools(request: JsonObject, rules: ModelRules | None) -> str | None:
    choice = request.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in ("any", "tool"):
        return None
    if rules is not None and not rules.forced_tools:
        return f"tool_choice: '{kind}' is not supported for this model; use 'auto' or 'none'."
    return "Thinking may not be enabled when tool_choice forces tool use." if thinks(request) else None
