"""What is kept in the prompt cache, and whether that is cheaper: by the sandbox's model of the cache, in dollars."""

from __future__ import annotations

import itertools
import json
import os
import random
import statistics
import subprocess
import sys
from typing import Any, Final

import pytest

from sandbox.anthropic import cache_controls
from supervisor_worker.assistant.claude.request import SpelledTools, request_body
from supervisor_worker.assistant.prompt_cache import ttl_for
from tests.support.cached_conversation import MODEL, cost_of, questions

DAY: Final = 24 * 60
TEN_MINUTES: Final = [float(minute) for minute in range(10)]
EVEN_DAY: Final = [86.0 * place for place in range(10)]
REAL_DAY: Final = [0.0, 2, 270, 271, 275, 600, 603, 604, 810, 811]
TWO_WEEKS: Final = [0.0, 600, 1_500, 4_000, 5_200, 5_260, 9_000, 12_000, 15_000, 20_000]


@pytest.mark.parametrize("before", [0, 30])
def test_ten_questions_in_ten_minutes_cost_less_than_two_fifths_and_no_trace_costs_more_by_a_fiftieth(before: int) -> None:
    """In a new conversation, and in one with a long history. The answers are paid for with and without."""
    assert cost_of(TEN_MINUTES, before=before).ratio <= 0.4
    for trace in (EVEN_DAY, REAL_DAY, TWO_WEEKS):
        assert cost_of(trace, before=before).ratio <= 1.02


def test_a_day_of_chance_costs_hardly_more_on_average_and_a_steady_one_much_less() -> None:
    """Where the gaps say nothing of the next one a breakpoint is a bet; where they are steady it is none."""
    dice = random.Random(1)  # noqa: S311 - dice, no secret
    days = [sorted(dice.uniform(0, 14 * 60) for _ in range(10)) for _ in range(20)]
    assert statistics.mean(cost_of(day).ratio for day in days) <= 1.04
    assert cost_of([20.0 * place for place in range(12)]).ratio <= 0.6
    assert cost_of([2.0 * place for place in range(40)]).ratio <= 0.25


def test_the_end_of_the_history_is_found_again_however_the_next_question_begins() -> None:
    """Each question reads what the one before has written, and writes what came since."""
    cost = cost_of(TEN_MINUTES, before=30)
    assert cost.read / cost.prompt > 0.7
    without = cost_of(TEN_MINUTES, before=30, use=_without_history)
    assert cost.cached < 0.8 * without.cached


def _without_history(request: Any) -> Any:
    """The request with no breakpoint in its messages."""
    for message in request["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            block.pop("cache_control", None)
    return request


@pytest.mark.parametrize(
    ("gaps", "ttl"),
    [
        ([], ""), ([60], "5m"), ([60, 60, 60], "5m"), ([1_200], ""), ([1_200, 1_200, 1_200], "1h"), ([60, 6_000], ""), ([6_000] * 10, ""),
        ([60, 60, 60, 6_000], "5m"), ([60, 6_000, 6_000], ""), ([6_000] * 10 + [60], ""), ([6_000] * 10 + [60, 60], "5m"),
    ],
)  # fmt: skip
def test_a_breakpoint_stands_where_the_gaps_before_say_that_it_pays(gaps: list[float], ttl: str) -> None:
    """The newest counts most; without any gap nothing is known."""
    assert ttl_for(gaps) == ttl


def test_the_breakpoints_are_such_as_the_api_accepts_and_change_no_byte() -> None:
    """Four at most, an hour's before those of five minutes, and none of them in the newest message's own words."""
    for gap in (1.0, 20.0, 100.0):
        spelled, before = SpelledTools(itertools.count(0.0, 60 * gap).__next__), ""
        for _, prompt in questions([gap * place for place in range(12)], before=3):
            body = request_body(prompt, MODEL, spelled).decode()
            request = json.loads(body)
            assert cache_controls.problem_of(request) is None
            last = request["messages"][-1]["content"]
            assert isinstance(last, str) or "cache_control" not in last[-1]
            plain = _plain(request)
            assert plain["tools"] == [*prompt.tools]
            assert json.dumps(plain["messages"][:-1])[:-1].startswith(before)
            before = json.dumps(plain["messages"][:-1])[:-1]


def _plain(value: Any) -> Any:
    """A request without breakpoints, each message's text as one."""
    if isinstance(value, list):
        blocks = [_plain(each) for each in value]
        texts = [block.get("type") == "text" and set(block) == {"type", "text"} if isinstance(block, dict) else False for block in blocks]
        return "".join(block["text"] for block in blocks) if blocks and all(texts) else blocks
    return {name: _plain(each) for name, each in value.items() if name != "cache_control"} if isinstance(value, dict) else value


MAKE: Final = """
import hashlib
from supervisor_worker.assistant.claude.request import SpelledTools, request_body
from tests.support.cached_conversation import MODEL, questions
for _, prompt in questions([0, 1, 2, 90, 91], before=20):
    print(hashlib.sha256(request_body(prompt, MODEL, SpelledTools())).hexdigest())
"""


def test_every_process_makes_the_same_bytes_whatever_its_hashes() -> None:
    """Two processes, as after a restart or on another host; sets and dicts are hashed differently in each."""
    made = [
        subprocess.run(
            [sys.executable, "-c", MAKE], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, timeout=60, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert len(made[0].splitlines()) == 5
    assert made[0] == made[1]
