"""What the Messages API rejects is rejected here, with its words; what it accepts is accepted."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from sandbox.anthropic import request_rules, request_view, simulated_model
from sandbox.engine.faults import AnthropicFaults
from sandbox.engine.paused_answers import PausedAnswers

SCHEMA: Any = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOL: Any = {"name": "set_reminder", "description": "Sets a reminder.", "input_schema": SCHEMA}
SEARCH: Any = {"type": "web_search_20260318", "name": "web_search", "max_uses": 2}
CALL: Any = {"type": "tool_use", "id": "toolu_1", "name": "set_reminder", "input": {"text": "call mum"}}
RESULT: Any = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Set."}
TEXT: Any = {"type": "text", "text": "hello"}


def request(*messages: Any, **fields: Any) -> Any:
    """A request with tools. Its messages alternate, the user's first; those that are given as a dictionary stand as they are."""
    roles = [{"role": ("user", "assistant")[number % 2], "content": content} for number, content in enumerate(messages)]
    whole = [each["content"] if isinstance(each["content"], dict) else each for each in roles]
    asked = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": whole or [{"role": "user", "content": "hi"}], "tools": [TOOL]}
    return {name: value for name, value in {**asked, **fields}.items() if value is not None}


def problem(asked: Any) -> str | None:
    return request_rules.problem_of(copy.deepcopy(asked), PausedAnswers())


def test_a_loop_of_calls_and_results_is_accepted() -> None:
    """Text before a call, results first and then text, two calls at once, an error, and an own message for the text behind them."""
    second = {**CALL, "id": "toolu_2"}
    failed = {"type": "tool_result", "tool_use_id": "toolu_2", "content": [TEXT], "is_error": True}
    for asked in (
        request(tools=[TOOL, SEARCH], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
        request("hi", [TEXT, CALL], [RESULT]),
        request("hi", [CALL, second], [failed, RESULT, TEXT], "done", "thanks"),
        request("hi", [CALL], {"role": "user", "content": [RESULT]}, {"role": "user", "content": "and more"}),
        request("hi", [CALL], [{"type": "tool_result", "tool_use_id": "toolu_1"}], tool_choice={"type": "none"}),
        request(tools=[{**TOOL, "strict": True, "input_schema": {**SCHEMA, "additionalProperties": False}}]),
        request(max_tokens=128_000, stop_sequences=["x"], metadata={"user_id": "p-1"}, service_tier="auto"),
        request("hi", [{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}, TEXT], "go on"),
    ):
        assert problem(asked) is None


def test_calls_and_results_must_match() -> None:
    """Each call has one result, first in the next message; each result has its call; and the tools are named."""
    other = {**RESULT, "tool_use_id": "toolu_9"}
    for asked, words in (
        (request("hi", [CALL], [TEXT]), "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1."),
        (request("hi", [CALL], [TEXT, RESULT]), "ids were found without `tool_result` blocks immediately after"),
        (request("hi", [CALL, {**CALL, "id": "toolu_2"}], [RESULT]), "immediately after: toolu_2."),
        (request("hi", [CALL], [RESULT, other]), "messages.2.content.1: unexpected `tool_use_id` found in `tool_result` blocks: toolu_9."),
        (request([RESULT]), "messages.0.content.0: unexpected `tool_use_id`"),
        (request("hi", "yes", [RESULT]), "unexpected `tool_use_id`"),
        (request("hi", [CALL], [RESULT, RESULT]), "Found multiple `tool_result` blocks with id: toolu_1"),
        (request("hi", [CALL, CALL], [RESULT]), "`tool_use` ids must be unique"),
        (request("hi", [CALL], [RESULT], [CALL], [RESULT]), "`tool_use` ids must be unique"),
        (request("hi", [CALL], [RESULT], tools=None), "must define tools"),
        (request("hi", [{"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}], "so?"), "`server_tool_use` block"),
        (request("hi", [CALL]), "does not support assistant message prefill"),
    ):
        assert words in str(problem(asked)), words


def test_blocks_must_be_well_formed_and_in_their_role() -> None:
    """Types, fields and values; nothing unknown is passed over."""
    for asked, words in (
        (request([CALL]), "Input tag 'tool_use' found"),
        (request("hi", [RESULT], "x"), "Input tag 'tool_result' found"),
        (request([{"type": "audio"}]), "Input tag 'audio' found"),
        (request([{"text": "x"}]), "messages.0.content.0.type: Field required"),
        (request([{**TEXT, "language": "de"}]), "messages.0.content.0.text.language: Extra inputs are not permitted"),
        (request({"role": "user", "content": "x", "name": "Ada"}), "messages.0.name: Extra inputs are not permitted"),
        (request([{"type": "text", "text": " "}]), "non-whitespace text"),
        (request("hi", [{**CALL, "id": "a b"}], [RESULT]), "tool_use.id: String should match pattern"),
        (request("hi", [{**CALL, "name": "a b"}], [RESULT]), "tool_use.name: String should match pattern"),
        (request("hi", [{**CALL, "input": "{}"}], [RESULT]), "tool_use.input: Input should be a valid dictionary"),
        (request("hi", [{**CALL, "input": None}], [RESULT]), "tool_use.input: Field required"),
        (request("hi", [CALL], [{**RESULT, "is_error": "yes"}]), "is_error: Input should be a valid boolean"),
        (request("hi", [CALL], [{**RESULT, "content": [CALL]}]), "Input tag 'tool_use' found"),
        (request("hi", [CALL], [{**RESULT, "content": [{"type": "text", "text": ""}]}]), "non-whitespace text"),
        (request("hi", [CALL], [{**RESULT, "text": "x"}]), "tool_result.text: Extra inputs are not permitted"),
        (request("hi", [{"type": "thinking", "thinking": "hm"}], "x"), "thinking.signature: Field required"),
        (request(system=[{"type": "image"}]), "system.0: Input tag 'image' found"),
    ):
        assert words in str(problem(asked)), words


def test_tools_must_be_well_formed_and_named_once() -> None:
    """Names, schemas, versions of the API's own tools, and the choice among them."""
    for fields, words in (
        ({"tools": [TOOL, TOOL]}, "Tool names must be unique"),
        ({"tools": [{**TOOL, "name": "set reminder"}]}, "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
        ({"tools": [{**TOOL, "name": "x" * 129}]}, "name: String should match pattern"),
        ({"tools": [{"name": "x"}]}, "tools.0.custom.input_schema: Field required"),
        ({"tools": [{**TOOL, "parameters": {}}]}, "tools.0.custom.parameters: Extra inputs are not permitted"),
        ({"tools": [{**TOOL, "input_schema": {}}]}, "input_schema: type: Field required"),
        ({"tools": [{**TOOL, "input_schema": {"type": "string"}}]}, "Input should be 'object'"),
        ({"tools": [{**TOOL, "input_schema": {**SCHEMA, "anyOf": [SCHEMA]}}]}, "does not support oneOf, allOf, or anyOf at the top level"),
        ({"tools": [{**TOOL, "input_schema": {**SCHEMA, "required": "text"}}]}, "JSON schema is invalid"),
        ({"tools": [{**TOOL, "input_schema": {"type": "object", "properties": {"a": {"type": "date"}}}}]}, "JSON schema is invalid"),
        ({"tools": [{**TOOL, "strict": True}]}, "'additionalProperties' must be explicitly set to false"),
        (
            {
                "tools": [
                    {
                        **TOOL,
                        "strict": True,
                        "input_schema": {**SCHEMA, "additionalProperties": False, "properties": {"a": {"maxLength": 5}}},
                    }
                ]
            },
            "properties maxLength are not supported",
        ),
        ({"tools": [{**SEARCH, "type": "web_search_20240101"}]}, "Input tag 'web_search_20240101' found"),
        ({"tools": [{**SEARCH, "name": "search"}]}, "name: Input should be 'web_search'"),
        ({"tools": [{**SEARCH, "allowed_domains": ["a.example"], "blocked_domains": ["b.example"]}]}, "Cannot specify both"),
        ({"tools": [{**SEARCH, "max_uses": 0}]}, "max_uses: Input should be greater than 0"),
        ({"tools": [{**SEARCH, "user_location": {"type": "exact"}}]}, "user_location.type: Input should be 'approximate'"),
        ({"tool_choice": {"type": "any"}}, "tool_choice: 'any' is not supported for this model"),
        ({"tool_choice": {"type": "tool", "name": "x"}, "model": "claude-haiku-4-5"}, "Tool 'x' not found in provided tools"),
        ({"tool_choice": {"type": "none", "disable_parallel_tool_use": True}}, "Extra inputs are not permitted"),
        ({"tool_choice": {"type": "auto"}, "tools": None}, "tool_choice may only be specified while providing tools"),
        ({"tool_choice": "auto"}, "tool_choice: Input tag found"),
    ):
        assert words in str(problem(request(**fields))), words


def test_fields_of_the_request_must_be_known_and_in_bounds() -> None:
    """Whatever is misspelt, belongs to a beta, or is more than the model can write."""
    for fields, words in (
        ({"mcp_servers": []}, "mcp_servers: Extra inputs are not permitted"),
        ({"max_tokens": 128_001}, "128001 > 128000, which is the maximum allowed number of output tokens for claude-sonnet-5-5"),
        ({"max_tokens": 64_001, "model": "claude-haiku-4-5-20251001"}, "64001 > 64000"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"stop_sequences": [" "]}, "non-whitespace"),
        ({"metadata": {"phone": "x"}}, "metadata.phone: Extra inputs are not permitted"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
        ({"service_tier": "priority"}, "service_tier: Input should be"),
        ({"output_config": {"efforts": "low"}}, "output_config.efforts: Extra inputs are not permitted"),
        ({"output_config": {"format": {"type": "json"}}}, "Input should be a JSON schema"),
        ({"thinking": {"type": "adaptive", "budget_tokens": 2000}}, "thinking.adaptive.budget_tokens: Extra inputs are not permitted"),
    ):
        assert words in str(problem(request(**fields))), words
    counted = request_rules.problem_of_count(request(), PausedAnswers())
    assert counted == "max_tokens: Extra inputs are not permitted"


def test_breakpoints_of_the_cache_are_at_most_four_and_the_longest_lived_first() -> None:
    """In the order in which a prompt is read: tools, system, messages. One on the request stands on its last block."""
    short, long = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}

    def asked(tool: Any, system: Any, first: Any, last: Any, **fields: Any) -> Any:
        marked = [{**TEXT, "cache_control": each} if each else TEXT for each in (system, first, last)]
        tools = [{**TOOL, "cache_control": tool} if tool else TOOL]
        return request([marked[1]], "yes", [marked[2]], tools=tools, system=[marked[0]], **fields)

    assert problem(asked(long, long, short, short)) is None
    assert problem(asked(long, None, None, short, cache_control=short)) is None
    for wrong, words in (
        (asked(short, short, short, short, cache_control=long), "A maximum of 4 blocks with cache_control may be provided. Found 5."),
        (asked(short, long, None, None), "system.0: a ttl='1h' cache_control block must not come after a ttl='5m'"),
        (asked(None, None, short, None, cache_control=long), "must not come after"),
        (asked({"type": "ephemeral", "ttl": "2h"}, None, None, None), "ttl: Input should be '5m' or '1h'"),
        (asked({"type": "lasting"}, None, None, None), "type: Input should be 'ephemeral'"),
        (request("hi", [{"type": "thinking", "thinking": "", "signature": "x", "cache_control": short}], "x"), "Extra inputs"),
    ):
        assert words in str(problem(wrong)), words


def test_thinking_goes_back_as_it_came_to_the_model_that_thought_it() -> None:
    """Where the cache has its breakpoints does not matter, nor how messages are split; anything else does."""
    asked = request("hi", tools=[TOOL])
    faults = AnthropicFaults(content=[{"type": "thinking", "thinking": "hm"}, CALL], stop_reason="tool_use")
    thought, call = simulated_model.answer(asked, faults).content
    marked = {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}
    assert problem(request("hi", [thought, call], [RESULT])) is None
    assert problem(request(marked, [thought, call], [RESULT])) is None
    split = request("hi", tools=[TOOL])
    split["messages"] += [{"role": "assistant", "content": [thought]}, {"role": "assistant", "content": [call]}]
    split["messages"] += [{"role": "user", "content": [RESULT]}]
    assert problem(split) is None
    for wrong in (
        request("hi", [{**thought, "thinking": "hm!"}, call], [RESULT]),
        request("hi", [{**thought, "signature": "c2ltdWxhdGVk"}, call], [RESULT]),
        request("hi", [thought, call], [RESULT], model="claude-opus-5-5"),
        request("another conversation", [thought, call], [RESULT]),
    ):
        assert problem(wrong) == "messages.1.content.0: Invalid `signature` in `thinking` block"


def test_no_value_in_any_place_is_more_than_rejected() -> None:
    """Whatever stands where: a request is accepted and answered, or there are words for it; the journal shows it in either case."""
    marked = {**TEXT, "cache_control": {"type": "ephemeral"}}
    fields: Any = {"system": [TEXT], "tool_choice": {"type": "auto"}, "thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
    thought = {"type": "thinking", "thinking": "hm", "signature": "x"}
    whole = request("hi", [thought, CALL], [{**RESULT, "content": [TEXT]}, marked], tools=[TOOL, SEARCH], **fields)
    values: list[Any] = [None, 0, -1, 1.5, True, "", "x", [], {}, [None], [{}], [[]], {"type": []}, {"type": "tool_use"}]
    accepted = 0
    for path in _paths(whole):
        for value in values:
            asked = copy.deepcopy(whole)
            inner = asked
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = value
            assert request_view.describe(asked)
            if problem(asked) is None:
                accepted += 1
                assert simulated_model.answer(asked, AnthropicFaults(obey=True)).content
    assert accepted < len(values) * len(list(_paths(whole))) / 5


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each part of a document."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inner:
        yield from _paths(each, (*path, step))
