"""The operator's own prices: what the file may say, and what each fault of it is called."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from shared.config.prices import load_prices, shipped
from shared.errors import ConfigurationError
from shared.model.prices import TokenUsage

ROW = """
[[prices]]
model = "qwen3:32b"
from = 2026-01-01
input = 0
output = 0
cache_write_5m = 0
cache_write_1h = 0
cache_read = 0
source = "a machine of our own"
"""
DAY = date(2026, 11, 30)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prices.toml"


def test_a_file_s_prices_take_the_place_of_those_of_its_models(path: Path) -> None:
    """All others stay; a model that costs nothing is one that is listed with zeros, and its searches are nobody's."""
    own = ROW.replace("qwen3:32b", "claude-opus-5").replace("input = 0", "input = 7.125")
    path.write_text(ROW + own + '[[web_searches]]\nfrom = 2026-01-01\nper_thousand = 12.5\nsource = "a contract"\n')
    table = load_prices(path)
    assert table.price("qwen3:32b", DAY).cost(TokenUsage(10**6, 10**6, 10**6, 10**6, 10**6, 9)) == 0
    assert table.price("claude-opus-5", DAY).cost(TokenUsage(input=1_000_000)) == 7_125_000
    assert table.price("claude-sonnet-5-5", DAY).cost(TokenUsage(input=1_000_000, searches=1)) == 2_012_500
    assert load_prices(None) is shipped()


def test_every_fault_of_a_file_is_named_at_once(path: Path) -> None:
    """By the table and the field."""
    above = ROW.replace('"qwen3:32b"', '"only-above"') + "above = 5\n"
    path.write_text(
        ROW + ROW + ROW.replace("input = 0", "input = 0.0001").replace('"qwen3:32b"', '"a b"') + above
        + ROW.replace('"qwen3:32b"', '"c"').replace("output = 0", "output = -1").replace("2026-01-01", '"today"') + "colour = 1\n"
        + ROW.replace('"qwen3:32b"', '"d"').replace("input = 0", "input = inf").replace('"a machine of our own"', '" "')
        + "[[price]]\nmodel = 1\n"
    )  # fmt: skip
    with pytest.raises(ConfigurationError) as caught:
        load_prices(path)
    assert caught.value.detail.splitlines() == [
        "PRICES_FILE:",
        "  unknown table price",
        "  [[prices]] 2: the same model, day and tier stand twice",
        "  [[prices]] 3: model must be its name, without blanks",
        "  [[prices]] 3: input has more than three decimals",
        "  [[prices]] 5: unknown field colour",
        "  [[prices]] 5: from must be a day, such as 2026-11-29",
        "  [[prices]] 5: output must be dollars, 0 or more",
        "  [[prices]] 6: source must say where the price was read",
        "  [[prices]] 6: input must be dollars, 0 or more",
        "  only-above from 2026-01-01: has only prices `above` so many tokens; add those below",
    ]


@pytest.mark.parametrize(("text", "fault"), [("a = [", "is not TOML"), ("", "there is no"), ("prices = 3", "must be at most")])
def test_a_file_that_is_none_is_said_to_be_none(path: Path, text: str, fault: str) -> None:
    """In one line."""
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=fault):
        load_prices(path)
