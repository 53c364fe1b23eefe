"""The form in which a recording is sent, and what an answer is taken for."""

from __future__ import annotations

import json
from email import message_from_bytes
from typing import Any

import pytest

from shared.model.heard import MAX_BYTES
from supervisor_worker.media.transcription import NotTranscribed, Transcript, _ending, _form, _transcript
from supervisor_worker.providers.http_pool import HttpResponse
from tests.payloads import sounds


def answer(status: int = 200, body: Any = None, **headers: str) -> HttpResponse:
    return HttpResponse(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_form_holds_the_fields_and_the_file() -> None:
    """As any reader of MIME finds them."""
    data = b"#!AMR\n\r\n--limit\r\n\0\xff"
    form = _form("b" * 32, {"model": "whisper-1"}, "voice.amr", data)
    mail = message_from_bytes(b"Content-Type: multipart/form-data; boundary=" + b"b" * 32 + b"\r\n\r\n" + form)
    found = [(part.get_param("name", header="content-disposition"), part.get_filename()) for part in mail.walk()][1:]
    assert found == [("model", None), ("file", "voice.amr")]
    assert b"\r\n\r\nwhisper-1\r\n--" in form
    assert b"\r\n\r\n" + data + b"\r\n--" in form


def test_a_recording_is_named_by_its_bytes() -> None:
    """A service chooses by the name how to read it."""
    made = (sounds.amr(1), sounds.opus(1), sounds.wav(1), sounds.flac(1), sounds.m4a(1), sounds.m4a(1, brand=b"3gp4"), sounds.mp3(1), b"")
    assert [_ending(each) for each in made] == ["amr", "ogg", "wav", "flac", "m4a", "mp4", "mp3", "mp3"]


def test_words_are_cleaned_and_bounded() -> None:
    """What the service says is text from outside."""
    assert _transcript(answer(body={"text": " call\u202e Tom\u200b \ud800"})).text == "call Tom \ufffd"
    assert len(_transcript(answer(body={"text": "\u0416" * 50_000})).text.encode()) == MAX_BYTES
    assert _transcript(answer(body={"text": ""})) == Transcript("")


def test_the_length_is_the_service_s_where_it_says_one() -> None:
    """By either of the two forms; nonsense is none."""
    for said, seconds in (
        ({"usage": {"type": "duration", "seconds": 9}}, 9), ({"duration": 2.1}, 3), ({"usage": {"total_tokens": 5}}, None),
        ({"duration": -1}, None), ({"duration": True}, None), ({"duration": 1e300}, None), ({"usage": []}, None), ({}, None),
    ):  # fmt: skip
        assert _transcript(answer(body={"text": "a", **said})).seconds == seconds, said
    assert _transcript(answer(body=b'{"text": "a", "duration": NaN}')).seconds is None


def test_each_other_answer_says_what_may_follow() -> None:
    """Another try, none with this recording, or none at all; and whether it may be billed."""

    def became(**given: Any) -> tuple[bool, bool, bool, float]:
        with pytest.raises(NotTranscribed) as found:
            _transcript(answer(**given))
        return found.value.transient, found.value.ours, found.value.paid, found.value.wait

    for status in (408, 425, 429):
        assert became(status=status, **{"Retry-After": "7"}) == (True, False, False, 7.0)
    for status in (500, 503, 529):
        assert became(status=status) == (True, False, True, 0.0)
    for status in (301, 307, 308, 401, 402, 403, 404, 405):
        assert became(status=status) == (False, True, False, 0.0)
    for status in (400, 413, 415, 422, 204):
        assert became(status=status) == (False, False, False, 0.0)
    for body in (b"", b"<html>", b"[" * 100_000, b"[]", b'"text"', b"{}", {"text": 3}, {"text": None}):
        assert became(body=body) == (False, False, True, 0.0), body
