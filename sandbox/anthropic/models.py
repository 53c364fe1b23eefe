"""How the models of the Messages API want to be told how much to think: what each takes, and the words in which it refuses the rest.

A model that is not in the table takes every form, as a name that some gateway made up may stand for any of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

JsonObject = dict[str, Any]
EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
FORMS: Final = ("adaptive", "enabled", "disabled", "between_tools")
SAMPLING: Final = ("temperature", "top_p", "top_k")
LEAST_BUDGET: Final = 1024
_DEEP: Final = ("xhigh", "max")
_UP_TO_MAX: Final = ("low", "medium", "high", "max")
_NAME: Final = re.compile(r"claude-([a-z]+-\d{1,2}(?:-\d{1,2})?)(?!\d)(?!-\d{1,2}(?!\d))")


@dataclass(frozen=True, slots=True)
class Rules:
    """One model's: the forms of `thinking` that it takes, whether it thinks unasked, its efforts, and what it refuses besides."""

    forms: tuple[str, ...]
    thinks: bool = True
    efforts: tuple[str, ...] = EFFORTS
    forced_tools: bool = True
    sampling: bool = False
    shallow: tuple[str, ...] = ()
    """Forms that are refused at the two highest efforts."""


_ALWAYS: Final = Rules(("adaptive",), forced_tools=False)
_OLDER: Final = Rules(("enabled", "disabled"), thinks=False, efforts=(), sampling=True)
RULES: Final = {
    "fable-5-2": _ALWAYS,
    "fable-5-1": _ALWAYS,
    "fable-5": Rules(("adaptive",)),
    "mythos-5-2": _ALWAYS,
    "mythos-5-1": _ALWAYS,
    "mythos-5": Rules(("adaptive",)),
    "opus-5-5": _ALWAYS,
    "sonnet-5-5": Rules(("adaptive", "between_tools"), forced_tools=False, shallow=("between_tools",)),
    "haiku-5-5": Rules(("adaptive", "disabled"), shallow=("disabled",)),
    "opus-5": Rules(("adaptive", "disabled"), shallow=("disabled",)),
    "sonnet-5": Rules(("adaptive", "disabled")),
    "opus-4-8": Rules(("adaptive", "disabled"), thinks=False),
    "opus-4-7": Rules(("adaptive", "disabled"), thinks=False),
    "opus-4-6": Rules(("adaptive", "enabled", "disabled"), thinks=False, efforts=_UP_TO_MAX, sampling=True),
    "sonnet-4-6": Rules(("adaptive", "enabled", "disabled"), thinks=False, efforts=_UP_TO_MAX, sampling=True),
    "opus-4-5": Rules(("enabled", "disabled"), thinks=False, efforts=("low", "medium", "high"), sampling=True),
    "sonnet-4-5": _OLDER,
    "haiku-4-5": _OLDER,
}
"""By the name behind `claude-`, without a date."""


def rules_of(model: object) -> Rules | None:
    """Return a model's rules; None for one that is not known."""
    found = _NAME.search(str(model))
    return RULES.get(found.group(1)) if found else None


def thinks(request: JsonObject) -> bool:
    """Say whether this request's answer begins with thinking. A model that is not known thinks unless it is told not to."""
    rules, form = rules_of(request.get("model")), _form(request)
    return form in {"adaptive", "enabled"} or (form is None and (rules is None or rules.thinks))


def judge(request: JsonObject) -> str | None:
    """Return why the model would refuse what a request says of thinking, effort, sampling and tools; None when it would not."""
    rules = rules_of(request.get("model"))
    return _judge_form(request, rules) or _judge_effort(request, rules) or _judge_sampling(request, rules) or _judge_tools(request, rules)


def _form(request: JsonObject) -> object:
    given = request.get("thinking")
    return given.get("type") if isinstance(given, dict) else None


def _judge_form(request: JsonObject, rules: Rules | None) -> str | None:
    thinking, form = request.get("thinking"), _form(request)
    if thinking is None:
        return None
    if form not in FORMS:
        return f"thinking: Input tag found using 'type' does not match any of the expected tags: {', '.join(FORMS)}"
    if rules is not None and form not in rules.forms:
        instead = "between_tools" if "between_tools" in rules.forms else rules.forms[0]
        return f'"thinking.type.{form}" is not supported for this model. Use "thinking.type.{instead}".'
    if form == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < LEAST_BUDGET:
            return f"thinking.enabled.budget_tokens: Input should be greater than or equal to {LEAST_BUDGET}"
        if budget >= request["max_tokens"]:
            return "`max_tokens` must be greater than `thinking.budget_tokens`."
    return None


def _judge_effort(request: JsonObject, rules: Rules | None) -> str | None:
    config = request.get("output_config")
    effort = config.get("effort") if isinstance(config, dict) else None
    if effort is None:
        return None
    if effort not in EFFORTS:
        return "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"
    if rules is not None and effort not in rules.efforts:
        return f"output_config.effort: '{effort}' is not supported for this model."
    form = _form(request)
    if rules is not None and effort in _DEEP and form in rules.shallow:
        return f'"thinking.type.{form}" is not supported at effort {effort} on this model.'
    return None


def _judge_sampling(request: JsonObject, rules: Rules | None) -> str | None:
    if rules is None or rules.sampling:
        return None
    given = next((name for name in SAMPLING if request.get(name) is not None and request.get(name) != 1), None)
    return None if given is None else f"`{given}` is not supported for this model."


def _judge_tools(request: JsonObject, rules: Rules | None) -> str | None:
    choice = request.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in {"any", "tool"}:
        return None
    if rules is not None and not rules.forced_tools:
        return f"tool_choice: '{kind}' is not supported for this model; use 'auto' or 'none'."
    return "Thinking may not be enabled when tool_choice forces tool use." if thinks(request) else None
