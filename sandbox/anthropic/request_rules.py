"""Which requests the Messages API rejects with 400: https://docs.anthropic.com/en/api/messages. The first problem is the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sandbox.anthropic import cache_controls, content_blocks, conversation, model_rules, thinking_blocks, tool_definitions
from sandbox.anthropic.fields import problem_of_unknown
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.engine.paused_answers import PausedAnswers

COUNTED: Final = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "user_profile_id", "workspace_id"}
)
"""The fields of a request that counts tokens."""
FIELDS: Final = COUNTED | {
    *("max_tokens", "stream", "stop_sequences", "metadata", "container", "diagnostics", "inference_geo", "service_tier", "speed"),
    *model_rules.SAMPLING_PARAMETERS,
}
"""The fields of a request for a message."""
CHOICES: Final = {"service_tier": ("auto", "standard_only"), "speed": ("standard", "fast")}
OUTPUT_FIELDS: Final = frozenset({"effort", "format"})
THINKING_FIELDS: Final = {"enabled": frozenset({"type", "budget_tokens", "display"})}
OTHER_THINKING_FIELDS: Final = frozenset({"type", "display"})
FORMAT_FIELDS: Final = frozenset({"type", "schema"})


def problem_of(request: JsonObject, paused: PausedAnswers) -> str | None:
    """Why the API rejects a request for a message; None if it accepts it."""
    return _problem_of_fields(request, FIELDS) or _problem_of_max_tokens(request) or _first(request, paused, (_problem_of_options,))


def problem_of_count(request: JsonObject, paused: PausedAnswers) -> str | None:
    """Why the API rejects a request that counts tokens; None if it accepts it."""
    return _problem_of_fields(request, COUNTED) or _first(request, paused, ())


def _first(request: JsonObject, paused: PausedAnswers, more: tuple[Callable[[JsonObject], str | None], ...]) -> str | None:
    """The first problem of what both requests have. Each check relies on those before it."""
    checks = (_problem_of_output, model_rules.problem_of, *more, _problem_of_messages, tool_definitions.problem_of)
    for check in checks:
        if (problem := check(request)) is not None:
            return problem
    may_end = paused.includes(request["messages"][-1]["content"])
    return (
        cache_controls.problem_of_one(request.get("cache_control"), "cache_control")
        or cache_controls.problem_of(request)
        or conversation.problem_of(request, may_end_with_assistant=may_end)
        or thinking_blocks.problem_of(request)
    )


def _problem_of_fields(request: JsonObject, known: frozenset[str]) -> str | None:
    if not isinstance(request.get("model"), str) or not request["model"]:
        return "model: Field required"
    return problem_of_unknown(request, known, "")


def _problem_of_max_tokens(request: JsonObject) -> str | None:
    most = request.get("max_tokens")
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        return "max_tokens: Field required" if most is None else "max_tokens: Input should be greater than or equal to 0"
    rules = model_rules.rules_of(request["model"])
    if rules is not None and rules.max_output is not None and most > rules.max_output:
        return f"max_tokens: {most} > {rules.max_output}, which is the maximum allowed number of output tokens for {request['model']}"
    return None


def _problem_of_options(request: JsonObject) -> str | None:
    for name, known in CHOICES.items():
        if request.get(name) is not None and request[name] not in known:
            return f"{name}: Input should be {' or '.join(repr(each) for each in known)}"
    if not isinstance(request.get("stream", False), bool):
        return "stream: Input should be a valid boolean"
    given = request.get("stop_sequences") or []
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        return "stop_sequences: Input should be a valid list"
    if not all(each.strip() for each in given):
        return "stop_sequences: each stop sequence must contain non-whitespace"
    metadata = request.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        return "metadata: Input should be a valid dictionary"
    return problem_of_unknown(metadata or {}, {"user_id"}, "metadata")


def _problem_of_output(request: JsonObject) -> str | None:
    """The fields of `output_config` and of `thinking`; their values are the model's to judge."""
    config = request.get("output_config")
    if config is not None and not isinstance(config, dict):
        return "output_config: Input should be a valid dictionary"
    if (problem := problem_of_unknown(config or {}, OUTPUT_FIELDS, "output_config")) is not None:
        return problem
    form = (config or {}).get("format")
    if form is not None and (not isinstance(form, dict) or form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict)):
        return "output_config.format: Input should be a JSON schema"
    thinking = request.get("thinking")
    if not isinstance(thinking, dict):
        return None if thinking is None else "thinking: Input should be a valid dictionary"
    known = THINKING_FIELDS.get(str(thinking.get("type")), OTHER_THINKING_FIELDS)
    return problem_of_unknown(form or {}, FORMAT_FIELDS, "output_config.format") or problem_of_unknown(
        thinking, known, f"thinking.{thinking.get('type')}"
    )


def _problem_of_messages(request: JsonObject) -> str | None:
    """Each message and the system prompt by itself."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    for number, message in enumerate(messages):
        if (problem := content_blocks.problem_of_message(message, f"messages.{number}")) is not None:
            return problem
    return content_blocks.problem_of_system(request["system"]) if request.get("system") else None
