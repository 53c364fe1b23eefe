"""What the prompt cache reads and writes: floor, lifetimes, looking back, and what makes it miss."""

from __future__ import annotations

from typing import Any

from sandbox.anthropic import prompt_caching, tokens
from sandbox.anthropic.prompt_caching import CacheUsage
from sandbox.engine.prompt_cache import PromptCache

SHORT: Any = {"cache_control": {"type": "ephemeral"}}
LONG: Any = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
SYSTEM = 1_000
TOOL: Any = {"name": "remember", "input_schema": {"type": "object"}}


def text(size: int, **fields: Any) -> Any:
    """A block of so many tokens."""
    return {"type": "text", "text": "word" * size, **fields}


def request(*blocks: Any, system: Any = SHORT, model: str = "claude-sonnet-5-5", **fields: Any) -> Any:
    """A system prompt of 1,000 tokens, and one message a block, the user's first."""
    messages = [{"role": ("user", "assistant")[number % 2], "content": [block]} for number, block in enumerate(blocks)]
    return {"model": model, "messages": messages, "system": [text(SYSTEM, **system)], **fields}


class Asked:
    """A cache, and a clock of its own."""

    def __init__(self) -> None:
        self.cache, self.now = PromptCache(), 1_000.0

    def __call__(self, asked: Any, *, after: float = 0.0) -> CacheUsage:
        """Ask so many seconds later."""
        self.now += after
        found = prompt_caching.use(asked, tokens.of_request(asked), self.cache, self.now)
        assert found.total == tokens.of_request(asked)
        return found


def test_a_beginning_is_written_once_and_read_while_it_lives() -> None:
    """Five minutes from its last use; a reading lets it live on."""
    ask = Asked()
    assert ask(request(text(10))) == CacheUsage(uncached=13, written_5m=SYSTEM)
    for after in (299, 299, 299):
        assert ask(request(text(10)), after=after) == CacheUsage(uncached=13, read=SYSTEM)
    assert ask(request(text(10)), after=300) == CacheUsage(uncached=13, written_5m=SYSTEM)


def test_an_hour_and_five_minutes_may_stand_in_one_prompt() -> None:
    """What stands before the last breakpoint of an hour lives an hour, the rest five minutes."""
    ask = Asked()
    asked = request(text(600, **SHORT), system=LONG)
    assert ask(asked) == CacheUsage(uncached=0, written_1h=SYSTEM, written_5m=603)
    assert ask(asked, after=60) == CacheUsage(uncached=0, read=SYSTEM + 603)
    assert ask(asked, after=600) == CacheUsage(uncached=0, read=SYSTEM, written_5m=603)
    assert ask(asked, after=3_600) == CacheUsage(uncached=0, written_1h=SYSTEM, written_5m=603)


def test_a_growing_conversation_reads_what_it_wrote_before() -> None:
    """With the request's own breakpoint, which stands on the last block, and with one moved by hand."""
    ask = Asked()
    blocks = [text(100)]
    moving = {"system": {}, **SHORT}
    assert ask(request(*blocks, **moving)).written_5m == SYSTEM + 103
    blocks += [text(50), text(100)]
    assert ask(request(*blocks, **moving)) == CacheUsage(uncached=0, read=SYSTEM + 103, written_5m=156)
    assert ask(request(*blocks[:2], text(100, **SHORT), system={})) == CacheUsage(uncached=0, read=SYSTEM + 259)


def test_a_breakpoint_behind_too_few_tokens_does_nothing() -> None:
    """512 for the newer models, 4,096 for Haiku 4.5; instructions for tools and their definitions count."""
    ask = Asked()
    small = {"system": [text(300, **SHORT)], "messages": [{"role": "user", "content": "hi"}]}
    assert ask({"model": "claude-sonnet-5-5", **small}) == CacheUsage(uncached=304)
    assert ask({"model": "claude-sonnet-5-5", "tools": [TOOL], **small}).written_5m >= 512
    assert ask(request(text(10), model="claude-haiku-4-5")).written_5m == 0
    assert ask(request(text(10), system={}, **SHORT, model="claude-haiku-4-5")).written_5m == 0
    assert ask(request(text(3_100, **SHORT), model="claude-haiku-4-5")).written_5m == SYSTEM + 3_103


def test_a_breakpoint_looks_back_at_twenty_blocks() -> None:
    """Its own among them: what was written twenty blocks before is not found."""
    for more, read in ((19, SYSTEM + 13), (20, 0)):
        ask = Asked()
        ask(request(text(10, **SHORT), system={}))
        blocks = [text(10), *(text(10) for _ in range(more - 1)), text(10, **SHORT)]
        assert ask(request(*blocks, system={})).read == read, more


def test_what_stands_before_a_breakpoint_must_be_the_same() -> None:
    """Model, effort, tools and system break everything, choice of tools and thinking what is behind the system prompt; places do not."""
    both = {"system": LONG, "tools": [TOOL]}
    for change, read_of_system in (
        ({"model": "claude-opus-5-5"}, False),
        ({"output_config": {"effort": "low"}}, False),
        ({"tools": [{**TOOL, "description": "x"}]}, False),
        ({"tools": [TOOL, {**TOOL, "name": "forget"}]}, False),
        ({"tool_choice": {"type": "none"}}, True),
        ({"thinking": {"type": "between_tools"}}, True),
    ):
        ask = Asked()
        start = ask(request(text(100, **SHORT), **both)).written_1h
        found = ask(request(text(100, **SHORT), **{**both, **change}))
        assert found.read == (start if read_of_system else 0), change
    ask = Asked()
    whole = ask(request(text(100, **SHORT), **both)).total
    moved = request(text(100), text(5), text(5, **SHORT), **{**both, "system": {}, "tools": [{**TOOL, **LONG}]})
    assert ask(moved).read == whole
