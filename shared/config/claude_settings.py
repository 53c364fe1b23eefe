"""The settings of Claude: its address, the model, and how much it may think, write and be shown."""

from __future__ import annotations

from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from shared.config.field import setting
from shared.model.efforts import EffortSetting


class ClaudeSettings(BaseSettings):
    """The model and its bounds for one question."""

    anthropic_api_key: SecretStr = setting(SecretStr(""), "Claude Console, API keys.", "Claude")
    anthropic_base_url: str = setting("", "Another host that speaks the Messages API (a gateway). Empty: Anthropic.", "Claude")
    model_host: Literal["auto", "claude", "plain"] = setting(
        "auto",
        "What ANTHROPIC_BASE_URL can do. claude: all that Anthropic does. plain: the messages and nothing of Anthropic's own "
        "(docs/howto/local-model.md). auto: plain where the model is none of Claude's.",
        "Claude",
    )
    model_pictures: Literal["auto", "on", "off"] = setting(
        "auto", "Whether the model is shown pictures and PDFs as they are. auto: all but on a plain host.", "Claude"
    )
    boss_model: str = setting("claude-sonnet-5-5", "The Claude model that answers.", "Claude")
    claude_timeout_seconds: float = setting(90.0, "The longest that one question to Claude may take.", "Claude", gt=0, le=600)
    boss_effort: EffortSetting = setting(
        "medium",
        "How much the model thinks and writes. default: nothing is said about it, for a gateway that knows no such field.",
        "Claude",
    )
    claude_max_tokens: int = setting(1024, "The longest answer, in tokens.", "Claude", ge=64, le=16000)
    sms_model: str = setting("", "Another model for what is answered by text (docs/howto/models.md). Empty: BOSS_MODEL.", "Claude")
    sms_effort: Literal["", EffortSetting] = setting("", "The same for its effort. Empty: BOSS_EFFORT.", "Claude")
    sms_max_tokens: int = setting(0, "The longest answer by text, in tokens. 0: CLAUDE_MAX_TOKENS.", "Claude", ge=0, le=16000)
    email_model: str = setting("", "Another model for what is answered by mail. Empty: BOSS_MODEL.", "Claude")
    email_effort: Literal["", EffortSetting] = setting("", "The same for its effort. Empty: BOSS_EFFORT.", "Claude")
    email_max_tokens: int = setting(0, "The longest answer by mail, in tokens. 0: CLAUDE_MAX_TOKENS.", "Claude", ge=0, le=16000)
    second_model: str = setting(
        "", "Who answers while the model that should is overloaded, or does not serve for long. Empty: nobody, messages wait.", "Claude"
    )
    second_model_after_seconds: float = setting(
        120.0,
        "How long a model must have failed in another way than by overload (529) before SECOND_MODEL is asked.",
        "Claude",
        ge=0,
        le=3600,
    )
    claude_thinking_tokens: int = setting(
        3072,
        "Room for thinking beside the answer, in tokens: a model's thinking counts toward what it may write.",
        "Claude",
        ge=0,
        le=64_000,
    )
    history_tokens: int = setting(
        8000,
        "How much of a conversation Claude is shown, in tokens (estimated at 4 bytes each, a line at 50 tokens at least).",
        "Claude",
        ge=0,
        le=150_000,
    )
    history_summaries: bool = setting(
        True, "Beyond HISTORY_TOKENS a summary stands for the beginning of a conversation; off: it is shown no more.", "Claude"
    )
