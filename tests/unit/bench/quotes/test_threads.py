"""Simulated replies, a sample of those of `python -m bench.quotes`: quotes are folded, and nothing that a person wrote is lost."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import pytest

from bench.quotes.__main__ import insertion, threads, verdict
from bench.quotes.clients import CLIENTS


@pytest.mark.many_inputs
def test_of_simulated_replies_the_quotes_are_folded_and_no_answer_is_lost() -> None:
    """Each client with each language, HTML and text, answers above and below; the share is that of the whole."""
    sample = list(islice(threads(), 0, None, 7))
    assert {thread.client for thread in sample} == set(CLIENTS)
    found = Counter(verdict(thread) for thread in sample)
    assert found["lost"] == 0
    assert found["quote"] <= len(sample) * 0.02


@pytest.mark.many_inputs
def test_hardly_any_words_that_are_typed_into_a_quote_are_lost() -> None:
    """Only those that the quote says in the same place: 14 of 10,000 are, 20 may be."""
    chosen, chance = list(islice(threads(), 0, None, 11)), random.Random(14)  # noqa: S311 - the same every time
    assert sum(insertion(chance.choice(chosen), chance) for _ in range(1_000)) <= 3
