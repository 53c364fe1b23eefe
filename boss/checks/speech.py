"""Who hears recordings: whether it answers where STT_URL says, and takes the key. Nothing is transcribed, so nothing is paid."""

from __future__ import annotations

from typing import Final

from boss.checks.result import Finding, fail, ok, warn
from boss.http import ask
from shared.config.settings import Settings

SECONDS: Final = 5.0
OK, FORBIDDEN, TOO_MANY, SERVER_ERROR = 200, (401, 403), 429, 500
_NOT_THERE: Final = (404, 405, 410)
_NO_FILE: Final = (400, 415, 422)
"""What a service answers to a request without a recording."""


def speech(settings: Settings) -> list[Finding]:
    """Post a form without a recording: it is refused for that, and for nothing else."""
    if not settings.stt_url:
        return [ok("speech", "recordings are not heard, and whoever sends one is told so: STT_URL is not set")]
    key = settings.stt_api_key.get_secret_value()
    headers = {"Content-Type": "multipart/form-data; boundary=none", **({"Authorization": f"Bearer {key}"} if key else {})}
    answer = ask(settings.stt_url, timeout=SECONDS, method="POST", headers=headers, body=b"--none--\r\n", proxied=False)
    if answer.status in FORBIDDEN:
        return [fail("speech", f"the key is refused ({answer.status})", "Set STT_API_KEY to one of the service at STT_URL.")]
    if answer.status in _NOT_THERE or OK < answer.status < _NO_FILE[0]:
        todo = "Set STT_URL to the whole address, such as https://api.openai.com/v1/audio/transcriptions; no redirect is followed."
        return [fail("speech", f"nothing transcribes at STT_URL ({answer.status})", todo)]
    if answer.status == TOO_MANY or answer.status >= SERVER_ERROR:
        return [fail("speech", f"it answers {answer.status}", "It has trouble of its own: try again later.")]
    if answer.status not in _NO_FILE:
        return [warn("speech", f"it answers {answer.status} to a form without a recording", "Not what was expected; see its logs.")]
    return [ok("speech", f"recordings are heard by {settings.stt_model}")]
