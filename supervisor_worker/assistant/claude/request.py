"""A request to the Messages API, as JSON, with the breakpoints of the prompt cache. Pure, but for the clock that a process's tools have.

What stands before a breakpoint is kept for the next question: the tools, the fixed text, and the history up to the newest message, whose
notes change with every question. The same bytes come from every process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from supervisor_worker.assistant.model_choice import ModelChoice
from supervisor_worker.assistant.model_hosts import plain_tools
from supervisor_worker.assistant.models import thinking_fields
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.assistant.prompt_cache import QuestionTimes, Ttl
from supervisor_worker.assistant.prompt_message import PromptMessage
from supervisor_worker.channels.notes import document_mark, picture_mark

Json = dict[str, Any]
MOST_SETS: Final = 16
"""Sets of tools whose questions a process remembers: those of persons with MCP servers of their own differ."""
MANY_EXCHANGES: Final = 2
"""Behind so many answers that called tools the next question is likely to be followed by another one, within seconds."""


class SpelledTools:
    """The tools of a process's questions as JSON: those of most of them are spelled once. And when each set of tools was asked with."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds, from any origin."""
        self._clock = clock
        self._given: Sequence[Mapping[str, Any]] = ()
        self._spelled: dict[Ttl, str] = {}
        self._times: dict[tuple[str, ...], QuestionTimes] = {}
        self._asked = QuestionTimes(clock)

    def json(self, tools: Sequence[Mapping[str, Any]], least: Ttl) -> str:
        """The tools of a question, with a breakpoint where one pays; it is kept as long as what stands behind it (`least`)."""
        if tools is not self._given:
            self._given, self._spelled = tools, {}
            names = tuple(str(tool["name"]) for tool in tools if _has_schema(tool))
            if names not in self._times and len(self._times) >= MOST_SETS:
                self._times.clear()
            self._asked = self._times.setdefault(names, QuestionTimes(self._clock))
        ttl = self._asked.ttl()
        if ttl and least == "1h":  # no entry may be kept shorter than one behind it
            ttl = least
        if ttl not in self._spelled:
            self._spelled[ttl] = _json(_with_breakpoint(tools, ttl))
        return self._spelled[ttl]


def _with_breakpoint(tools: Sequence[Mapping[str, Any]], ttl: Ttl) -> Sequence[Mapping[str, Any]]:
    """At the last tool that has a schema: web tools name what may be read in this question, and change with it."""
    place = max((number for number, tool in enumerate(tools) if _has_schema(tool)), default=-1)
    return [_kept(tool, ttl) if number == place and ttl else tool for number, tool in enumerate(tools)]


def _has_schema(tool: Mapping[str, Any]) -> bool:
    return "input_schema" in tool


def request_body(prompt: Prompt, choice: ModelChoice, tools: SpelledTools) -> bytes:
    """A request as JSON; `tools` spells those of the prompt."""
    fields = {
        **_fields(prompt, choice),
        "system": [_kept({"type": "text", "text": prompt.stable}, prompt.cached)],
        "messages": _messages(prompt),
        **thinking_fields(choice.model, choice.effort, least=prompt.least),
    }
    text = _json(fields)
    return (f'{text[:-1]},"tools":{tools.json(prompt.tools, prompt.cached)}}}' if prompt.tools else text).encode()


def plain_body(prompt: Prompt, choice: ModelChoice) -> bytes:
    """A request as JSON for a host that knows little of what is Anthropic's own."""
    tools = {"tools": plain_tools(prompt.tools)} if prompt.tools else {}
    return _json({**_fields(prompt, choice), "system": prompt.stable, "messages": _messages(prompt, kept=False), **tools}).encode()


def _fields(prompt: Prompt, choice: ModelChoice) -> Json:
    no_tools = {"tool_choice": {"type": "none"}} if prompt.tools and prompt.final else {}
    return {"model": choice.model, "max_tokens": choice.longest, **no_tools}


def _messages(prompt: Prompt, *, kept: bool = True) -> list[Json]:
    """The conversation, what was done with tools, and the parts of an answer; breakpoints at the end of the history and of many exchanges.

    A last question, which allows no tools, and one that is to think less, are others to the cache from the first message on.
    """
    found: list[Json] = [{"role": message.role, "content": _content(message)} for message in prompt.messages]
    another = prompt.final or prompt.least or not kept
    if prompt.cached and not another:
        _keep_history(found, prompt.messages[-1], prompt.cached)
    for content, results in prompt.exchanges:
        found += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
    if len(prompt.exchanges) >= MANY_EXCHANGES and not another:
        *before, last = prompt.exchanges[-1][1]
        found[-1] = {"role": "user", "content": [*before, _kept(last, "5m")]}
    found += [{"role": "assistant", "content": content} for content in prompt.partial_answers]
    return found + [{"role": message.role, "content": _content(message)} for message in prompt.after]


def _keep_history(found: list[Json], newest: PromptMessage, ttl: Ttl) -> None:
    """Set a breakpoint at the last block before the newest message's own, which may stand in one message with it."""
    if newest.ends:
        blocks, place = found[-1]["content"], len(newest.ends) - 1
        blocks[place] = _kept(blocks[place], ttl)
    elif len(found) > 1:
        content = found[-2]["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        found[-2]["content"] = [*blocks[:-1], _kept(blocks[-1], ttl)]


def _kept(block: Mapping[str, Any], ttl: Ttl) -> Json:
    """A block with a breakpoint behind it; five minutes are what the API takes without a word."""
    control = {"type": "ephemeral", **({"ttl": ttl} if ttl == "1h" else {})}
    return {**block, "cache_control": control} if ttl else {**block}


def _content(message: PromptMessage) -> str | list[Json]:
    """A message's text, which may have several blocks.

    Documents and pictures come before the last, as Anthropic advises, each behind a mark that the text refers to.
    """
    if not (message.pictures or message.documents or message.ends):
        return message.text
    *before, text = message.blocks
    return [*({"type": "text", "text": block} for block in before), *_files(message), {"type": "text", "text": text}]


def _files(message: PromptMessage) -> Iterator[Json]:
    for number, document in enumerate(message.documents, 1):
        yield {"type": "text", "text": document_mark(number)}
        yield {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": document.data}}
    for number, picture in enumerate(message.pictures, 1):
        yield {"type": "text", "text": picture_mark(number)}
        yield {"type": "image", "source": {"type": "base64", "media_type": picture.media_type, "data": picture.data}}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
