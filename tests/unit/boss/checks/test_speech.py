"""The doctor looks whether anybody hears recordings, without having one heard."""

from __future__ import annotations

from email.message import Message
from typing import Any

import pytest

from boss.checks import speech
from boss.http import Answer
from shared.config.loading import load_settings

URL = "https://stt.example/v1/audio/transcriptions"


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (400, "ok"), (415, "ok"), (422, "ok"), (401, "fail"), (403, "fail"), (404, "fail"), (405, "fail"), (301, "fail"), (307, "fail"),
        (429, "fail"), (503, "fail"), (200, "warn"), (418, "warn"),
    ],
)  # fmt: skip
def test_a_form_without_a_recording_is_refused_for_that(monkeypatch: pytest.MonkeyPatch, status: int, found: str) -> None:
    """With the key, without a proxy; the key is in no line."""
    asked: list[Any] = []

    def ask(url: str, **options: Any) -> Answer:
        asked.append((url, options["method"], options["headers"].get("Authorization"), options["proxied"]))
        return Answer(status, Message(), b"")

    monkeypatch.setattr(speech, "ask", ask)
    (finding,) = speech.speech(load_settings(_env_file=None, stt_url=URL, stt_api_key="sk-1234567890123456"))
    assert finding.status == found
    assert bool(finding.todo) == (found != "ok")
    assert "sk-1234567890123456" not in str(finding)
    assert asked == [(URL, "POST", "Bearer sk-1234567890123456", False)]


def test_nobody_is_asked_where_nobody_hears() -> None:
    """And it is said that voice notes are not heard."""
    (finding,) = speech.speech(load_settings(_env_file=None))
    assert (finding.status, "not heard" in finding.detail) == ("ok", True)
