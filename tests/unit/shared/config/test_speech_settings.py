"""Where recordings may be sent, and what they count as."""

from __future__ import annotations

from typing import Any

import pytest

from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.errors import ConfigurationError

PATH = "/v1/audio/transcriptions"


def loaded(**values: Any) -> Settings:
    return load_settings(_env_file=None, **values)


def test_recordings_go_by_tls_or_stay_on_this_machine() -> None:
    """Any service's address with its path, and nothing else; the error does not repeat it."""
    for good in ("https://api.openai.com" + PATH, f"http://127.0.0.1:8790{PATH}", f"http://[::1]:9{PATH}", f"http://localhost{PATH}"):
        assert loaded(stt_url=good).stt_url == good
    for bad in (
        "http://stt.example" + PATH, "http://10.0.0.5" + PATH, "https://", "https://stt.example", "https://stt.example/", "stt.example",
        "https://user:password@stt.example" + PATH, "https://stt.example:0" + PATH, "ftp://127.0.0.1" + PATH, "https://[::1" + PATH,
        "https://stt.example/a b", "https://stt.example/a\n", "https://stt.example/" + "a" * 2_000, "https://stt.example/a#b",
    ):  # fmt: skip
        with pytest.raises(ConfigurationError, match="STT_URL: must be an https:// address") as refused:
            loaded(stt_url=bad)
        assert "stt.example" not in str(refused.value)


def test_the_bounds_of_a_day_hold_where_anything_costs() -> None:
    """A played Claude costs nothing; a service elsewhere does, unless the operator says otherwise."""
    elsewhere = "https://stt.example" + PATH
    assert loaded().spending_bounds == (0, 0)
    assert loaded(stt_url=f"http://127.0.0.1:8790{PATH}").spending_bounds == (0, 0)
    assert loaded(stt_url=elsewhere).spending_bounds == (2_000_000, 5_000)
    assert loaded(stt_url=elsewhere, stt_tokens_per_minute=0).spending_bounds == (0, 0)
