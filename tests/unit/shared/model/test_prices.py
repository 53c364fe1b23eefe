"""What calls cost: no call costs more than what it was reserved for, and what is not listed counts at the dearest."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.config.prices import shipped
from shared.model.prices import FREE, Price, Rates, Tier, TokenUsage

COUNTS = st.integers(0, 3_000_000)
USAGES = st.builds(TokenUsage, *[COUNTS] * 5, st.integers(0, 50))
RATES = st.builds(Rates, *[st.integers(0, 60_000)] * 5)
PRICES = st.builds(
    lambda rates, above, search: Price(tuple(Tier(at, rate) for at, rate in zip([0, *sorted(above)], rates, strict=False)), search),
    st.lists(RATES, min_size=1, max_size=4),
    st.sets(st.integers(1, 5_000_000), min_size=3, max_size=3),
    st.integers(0, 100_000),
)
DAY = date(2026, 11, 30)


@given(PRICES, USAGES, st.tuples(COUNTS, COUNTS, st.integers(0, 9)))
def test_no_call_costs_more_than_what_its_bounds_allow(price: Price, usage: TokenUsage, more: tuple[int, int, int]) -> None:
    """However its prompt is split between the cache's rates, and in whichever tier it ends."""
    prompt, output, searches = usage.prompt + more[0], usage.output + more[1], usage.searches + more[2]
    assert 0 <= price.cost(usage) <= price.most(prompt, output, searches)


@given(PRICES, USAGES, st.sampled_from(fields(TokenUsage)))
def test_what_used_more_in_one_tier_costs_no_less(price: Price, usage: TokenUsage, field: Any) -> None:
    """Amounts are rounded up, never to less than what was used."""
    flat = Price(price.tiers[:1], price.search)
    more = TokenUsage(**{each.name: getattr(usage, each.name) + (each.name == field.name) for each in fields(TokenUsage)})
    assert flat.cost(more) >= flat.cost(usage)
    assert flat.cost(usage) * 1_000 >= price.tiers[0].rates.nanos(usage)


def test_the_shipped_prices_are_those_of_the_models_pages() -> None:
    """Dollars of whole requests, by hand; the tier is the whole request's; a search is a cent."""
    table = shipped()
    million = TokenUsage(1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000)
    for model, dollars in (
        ("claude-haiku-5-5", 5 * 0.935),
        ("claude-sonnet-5-5", 18.60),
        ("claude-opus-5-5", 37.40),
        ("claude-opus-5", 46.75),
        ("claude-fable-5-1", 93.50),
        ("claude-haiku-4-5", 9.35),
    ):
        assert table.price(model, DAY).cost(million) == round(dollars * 1_000_000), model
    haiku = table.price("claude-haiku-5-5", DAY)
    assert haiku.cost(TokenUsage(100_000, 1_000)) == 10_500
    assert haiku.cost(TokenUsage(1, 1_000, 0, 0, 100_000)) == 7_501, "one token more, and the whole request is dearer"
    assert table.price("claude-sonnet-5-5", date(2026, 10, 6)).cost(TokenUsage(read=1_000_000)) == 200_000
    assert table.price("claude-sonnet-5-5", date(2026, 10, 7)).cost(TokenUsage(read=1_000_000)) == 100_000
    assert table.price("claude-sonnet-5-5", date(2020, 1, 1)).cost(TokenUsage(read=1_000_000)) == 200_000, "before the first, the first"
    assert table.price("claude-sonnet-5-5", DAY).cost(TokenUsage(searches=3)) == 30_000
    assert FREE.cost(million) == FREE.most(10**6, 10**6) == 0


def test_a_model_is_found_by_its_name_in_a_gateway_s_words() -> None:
    """A date or a version may follow; another number is another model."""
    table = shipped()
    for model, name in (
        ("claude-opus-5", "claude-opus-5"),
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("claude-opus-5-20260101", "claude-opus-5"),
        ("eu.anthropic.claude-opus-5-5-20261101-v1:0", "claude-opus-5-5"),
        ("anthropic/claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("claude-opus-5-6", ""),
        ("claude-opus-55", ""),
        ("myclaude-opus-5", ""),
        ("claude-opus-5.5", ""),
        ("qwen3:32b", ""),
        ("", ""),
    ):
        assert table.listed(model) == name, model


@given(USAGES, st.sampled_from(["mythos", "claude-fable-5-2", ""]))
def test_a_model_that_is_not_listed_counts_at_the_dearest(usage: TokenUsage, model: str) -> None:
    """No model that is listed would have cost more."""
    table = shipped()
    unknown = table.price(model, DAY)
    assert all(unknown.cost(usage) >= table.price(row.model, DAY).cost(usage) for row in table.rows)
