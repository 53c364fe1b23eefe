"""The settings of hearing: who turns recordings into words, how long they may be, and what a minute of them counts as."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from shared.config.field import setting
from shared.net import is_loopback_url

_CHARACTERS: Final = re.compile(r"[!-~]{1,2000}")


class SpeechSettings(BaseSettings):
    """A service that speaks OpenAI's `/v1/audio/transcriptions`."""

    stt_url: str = setting(
        "",
        "Who turns recordings into words: the https address of a service that is compatible with OpenAI's, or one of this machine "
        "(https://api.openai.com/v1/audio/transcriptions). Empty: recordings are not heard, and the person is told so.",
        "Speech",
    )
    stt_api_key: SecretStr = setting(SecretStr(""), "The service's key; one on this machine may need none.", "Speech")
    stt_model: str = setting("whisper-1", "The service's model.", "Speech", min_length=1, max_length=200)
    stt_max_mb: int = setting(25, "The largest recording that the service takes, in MiB.", "Speech", ge=1, le=30)
    stt_max_minutes: float = setting(10.0, "The longest recording that is heard.", "Speech", gt=0, le=240)
    stt_tokens_per_minute: int = setting(
        3_000,
        "What a minute of a recording counts as in DAILY_TOKENS: $0.006 are as much as 3,000 tokens at $2 a million. "
        "0: nothing, for a service of your own.",
        "Speech",
        ge=0,
        le=1_000_000,
    )

    def speech_faults(self) -> list[str]:
        """An address to which recordings, or a key, would travel unencrypted, or that is none."""
        if not self.stt_url or _is_address(self.stt_url):
            return []
        return ["STT_URL: must be an https:// address, or an http:// one of this machine, with a path and without a login"]

    @property
    def stt_costs(self) -> bool:
        """Whether hearing a recording counts as money."""
        return bool(self.stt_url) and self.stt_tokens_per_minute > 0


def _is_address(url: str) -> bool:
    """Whether recordings may be sent there."""
    if not _CHARACTERS.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        ends = bool(parts.hostname) and (parts.port is None or parts.port > 0) and parts.username is None and not parts.fragment
    except ValueError:
        return False
    return ends and parts.path not in ("", "/") and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback_url(url)))
