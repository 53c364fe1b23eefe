"""Whether what stands before a question is worth keeping in the model's prompt cache, and for how long. Pure.

What is written to the cache costs more than what is merely read by the model: a quarter more where it lives for five minutes, twice as
much where it lives for an hour. What is read from it costs a twentieth. So a breakpoint pays where the next question comes soon enough,
and how soon that is, the gaps between the last questions say. Rates relative to input, Sonnet 5.5, November 2026: platform.claude.com/docs,
build-with-claude/prompt-caching. The three traces that this was chosen by are in docs/explanation/performance.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final, Literal

from shared.mailbox.records import Message, Reply

Ttl = Literal["", "5m", "1h"]
"""How long an entry lives after its last use; "" for no breakpoint."""
SECONDS: Final[dict[Ttl, int]] = {"5m": 300, "1h": 3_600}
WRITE: Final[dict[Ttl, float]] = {"5m": 1.25, "1h": 2.0}
READ: Final = 0.05
GAPS: Final = 10
"""Of the newest gaps the newest counts most; each before it counts for less."""
FADING: Final = 0.7
UNSEEN: Final = 1.0
"""A gap too long for any entry is always counted beside those that were seen: few gaps prove little."""
LEAST_SAVING: Final[dict[Ttl, float]] = {"5m": 0.1, "1h": 0.3}
"""The part that must be saved by expectation: an hour's entry that nobody reads costs four times as much as one of five minutes."""


def ttl_for(gaps: Sequence[float]) -> Ttl:
    """For how long to keep what stands before a question, by the seconds between the questions before it, oldest first."""
    costs = {ttl: _cost(ttl, gaps) for ttl in SECONDS}
    worth: list[Ttl] = [ttl for ttl, cost in costs.items() if cost < 1 - LEAST_SAVING[ttl]]
    return min(worth, key=lambda ttl: costs[ttl], default="")


def _cost(ttl: Ttl, gaps: Sequence[float]) -> float:
    """What the input of a question costs by expectation, where 1 is without a cache."""
    weight, soon, seen = 1.0, 0.0, UNSEEN
    for gap in reversed(gaps[-GAPS:]):
        seen += weight
        soon += weight if gap <= SECONDS[ttl] else 0
        weight *= FADING
    read = soon / seen
    return read * READ + (1 - read) * WRITE[ttl]


def ttl_of(history: Iterable[Message | Reply], now_ms: int) -> Ttl:
    """For how long to keep what stands before a conversation's question at `now_ms`: by when the model answered in it before."""
    answers = [record.stored_at for record in history if isinstance(record, Reply) and not (record.by_code or record.answers)]
    return ttl_for([(after - before) / 1000 for before, after in pairwise([*answers, now_ms])])


class QuestionTimes:
    """When the questions of one process with the same tools were asked: the tools stand first, the same for every conversation."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is in seconds, from any origin."""
        self._clock = clock
        self._times: deque[float] = deque(maxlen=GAPS + 1)

    def ttl(self) -> Ttl:
        """For how long to keep the tools with the question that is asked now."""
        self._times.append(self._clock())
        return ttl_for([after - before for before, after in pairwise(self._times)])
