"""Recordings and their words, as OpenAI's API answers."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from tests.payloads.sounds import amr
from tests.support.sandbox import OPENER, SandboxProcess

BOUNDARY = "limit"


def posted(
    sandbox: SandboxProcess, data: bytes = amr(1), name: str = "voice.amr", model: str = "whisper-1", key: str = ""
) -> tuple[int, Any]:
    """The status and the answer of one recording."""
    parts = [f'Content-Disposition: form-data; name="model"\r\n\r\n{model}'.encode()] if model else []
    if name:
        parts.append(f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: audio/amr\r\n\r\n'.encode() + data)
    body = b"".join(b"--limit\r\n" + part + b"\r\n" for part in parts) + b"--limit--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        request = Request(f"{sandbox.url}/v1/audio/transcriptions", body, headers)  # noqa: S310 - our own
        with OPENER.open(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def test_a_recording_has_words_that_say_that_they_are_simulated(sandbox: SandboxProcess) -> None:
    """The journal has the file by its size and digest."""
    assert posted(sandbox) == (200, {"text": "[simulated] the words of voice.amr, 1606 bytes"})
    sandbox.faults(speech={"text": "call Tom", "seconds": 7})
    assert posted(sandbox) == (200, {"text": "call Tom", "usage": {"type": "duration", "seconds": 7}})
    (first, _) = sandbox.journal("speech.transcriptions", accepted=True)
    assert first["request"]["model"] == "whisper-1"
    assert first["request"]["bytes"] == 1606
    assert set(first["request"]) == {"model", "file", "content_type", "bytes", "sha256"}


@pytest.mark.parametrize(
    ("changes", "status"), [({"model": ""}, 400), ({"name": ""}, 400), ({"name": "a.xyz"}, 400), ({"data": bytes(26_300_000)}, 413)]
)
def test_what_the_api_refuses_is_refused(sandbox: SandboxProcess, changes: dict[str, Any], status: int) -> None:
    """With an error in its form."""
    found, answer = posted(sandbox, **changes)
    assert (found, set(answer["error"])) == (status, {"message", "type", "param", "code"})


def test_faults_take_the_place_of_the_words(sandbox: SandboxProcess) -> None:
    """Statuses, a redirect, a page, and a body that does not end."""
    sandbox.faults(speech={"fail": ["429", {"fault": "503", "retry_after": 2}]})
    assert [posted(sandbox)[0] for _ in range(3)] == [429, 503, 200]
    sandbox.faults(speech={"answer": "page"})
    with pytest.raises(ValueError, match="Expecting value"):
        posted(sandbox)


def test_a_key_is_checked_where_one_is_set() -> None:
    """As the other providers' are."""
    with SandboxProcess(STT_API_KEY="sk-right") as guarded:
        assert [posted(guarded, key=key)[0] for key in ("", "sk-wrong", "sk-right")] == [401, 401, 200]
