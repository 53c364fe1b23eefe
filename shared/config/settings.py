"""All settings, in one class, and what follows from them. A value: it reads no file by itself; `loading` reads the operator's.

`.env.example` is generated from this class (`boss config example`) and tested equal to it.
"""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.config import providers, secret_rules
from shared.config.bridge_settings import BridgeSettings
from shared.config.claude_settings import ClaudeSettings
from shared.config.cross_checks import BASE_URLS, production_faults, twilio_faults, url_faults
from shared.config.field import setting
from shared.config.keyword_settings import WordSettings
from shared.config.money_settings import MoneySettings, micros
from shared.config.providers import Provider
from shared.config.sendgrid_settings import SendGridSettings
from shared.config.speech_settings import SpeechSettings
from shared.config.twilio_settings import TwilioSettings
from shared.config.web_settings import WebSettings
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS
from shared.net import is_loopback_url, without_login
from shared.storage.url import url_passwords

MAX_SEND_SECONDS: Final = 15.0
DAY_MS: Final = 86_400_000
_PROVIDER_URLS: Final = {
    "twilio_api_base_url": "https://api.twilio.com",
    "sendgrid_api_base_url": "https://api.sendgrid.com",
    "anthropic_base_url": "https://api.anthropic.com",
}


class Settings(BridgeSettings, MoneySettings, SpeechSettings, WebSettings, ClaudeSettings, SendGridSettings, TwilioSettings, WordSettings):
    """All settings. Times are in the unit that the name says; empty values count as unset."""

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8-sig", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    environment: Literal["local", "production"] = setting(
        "local", "local or production. Production refuses to start with missing or example credentials.", "Place"
    )
    public_url: str = setting(
        "", "The https:// address under which Twilio and SendGrid reach the web process; Twilio's signature is computed over it.", "Place"
    )
    port: int = setting(8787, "The web process's port.", "Place", ge=0, le=65535)
    web_host: str = setting("127.0.0.1", "The address that the web process binds; keep it on loopback behind a proxy.", "Place")
    redis_url: SecretStr = setting(
        SecretStr(""),
        "A Redis or Valkey: redis://, rediss:// (TLS), unix://, redis+sentinel://host,host,host/service (docs/reference/data.md). Empty: an embedded Valkey under BOSS_DATA_DIR.",
        "Place",
    )
    boss_data_dir: Path = setting(
        Path(".boss"), "Where this machine keeps its files: the embedded server's data, and the web process's address.", "Place"
    )
    boss_users_file: Path | None = setting(
        None,
        "The TOML file of who may talk to which Boss (docs/reference/users.md). Local only: empty means the one example user.",
        "Place",
    )
    boss_mcp_file: Path | None = setting(
        None, "The TOML file of the MCP servers whose tools the Boss may use (docs/reference/mcp.md). Empty: none.", "Place"
    )
    boss_mcp_key: SecretStr = setting(
        SecretStr(""),
        "Encrypts what `boss mcp login` stores in Redis; at least 32 characters of your own (openssl rand -hex 32), the same on all hosts.",
        "Place",
    )

    sender_turns_per_hour: int = setting(
        60, "Turns that one sender may start in any hour; then one plain sentence, then silence.", "Limits", ge=1, le=10_000
    )
    sender_turns_at_once: int = setting(
        8, "Turns of one sender under way at once, of half a worker's at most; further ones wait for one to end.", "Limits", ge=1, le=5000
    )
    max_open_messages: int = setting(
        50_000, "Messages that may wait for an answer; beyond them mail gets 503 and texts wait on disk.", "Limits", ge=1, le=10_000_000
    )
    files_max_mb: int = setting(
        200,
        "What the files of mails may take in Redis together, in MiB; of a mail that comes then, they are named only.",
        "Limits",
        ge=0,
        le=1_048_576,
    )
    answer_within_minutes: float = setting(
        60.0, "How long an outage may delay an answer before the message is parked and its sender told.", "Limits", gt=0
    )
    retention_days: float = setting(90.0, "How long texts are kept after they were answered.", "Limits", gt=0, le=3650)
    sms_max_segments: int = setting(
        6,
        "Segments that one answer by text may take (153 characters each, 67 with an emoji); what is longer is cut, and MORE brings the rest.",
        "Limits",
        ge=1,
        le=10,
    )
    sms_settle_seconds: float = setting(0.5, "How long a first text waits for others to join its turn.", "Limits", ge=0, le=60)
    thread_turns_per_hour: int = setting(
        12, "Turns that one mail thread may start in an hour, against robots that hide that they are robots.", "Limits", ge=1, le=10_000
    )
    mail_turns_per_hour: int = setting(
        30,
        "Turns that one user's mails to one Boss may start in an hour, over all threads, against robots that begin one with each mail.",
        "Limits",
        ge=1,
        le=10_000,
    )
    pair_turns_per_day: int = setting(
        200,
        "Turns that one user and one Boss number or address may start in a day (UTC); then one plain sentence, then silence.",
        "Limits",
        ge=1,
        le=1_000_000,
    )
    forwarded_mails_per_day: int = setting(
        20,
        "Mails to one forwarding address that are answered in a day (UTC), a quarter of them of one author; the others are named in one digest.",
        "Limits",
        ge=0,
        le=1_000,
    )
    daily_tokens: int = setting(
        2_000_000,
        "Tokens (in and out) that all may use in a day (UTC); then nothing more is thought about until the next, with an alarm. 0: no bound.",
        "Limits",
        ge=0,
    )
    sender_daily_share: float = setting(
        0.25,
        "Of DAILY_TOKENS, how much one sender may use in a day: beyond it that sender alone waits for the next. At least an equal part of all users'; 1: no bound.",
        "Limits",
        gt=0,
        le=1,
    )
    daily_turns: int = setting(
        5_000, "The same in turns. Both bounds hold whenever Claude is real; a played one costs nothing.", "Limits", ge=0
    )
    answer_at_most_hours: float = setting(
        24.0,
        "How old a message may be, pauses left out, and still be answered; an older one is parked and its sender told.",
        "Limits",
        gt=0,
        le=8760,
    )
    unknown_outcome: Literal["send", "park"] = setting(
        "send",
        "A reply of which neither callback nor list tells whether the provider accepted it: send it again, marked, or park its message.",
        "Limits",
    )

    local_fallback: Literal["on", "off"] = setting(
        "on", "on: the standby process works while no regular worker lives. off: it only stands aside.", "Workers"
    )
    standby_after_seconds: float = setting(
        15.0,
        "How long no worker heartbeat may arrive before the standby works. Workers send one every 5 s, or three times within this period if it is shorter.",
        "Workers",
        ge=0.3,
        le=3600,
    )
    worker_concurrency: int = setting(200, "Turns that one worker process holds at once.", "Workers", ge=1, le=5000)
    lease_seconds: float = setting(
        60.0,
        "How long a worker that hangs keeps its conversation; one that died keeps it for seconds. Renewed at a quarter of it.",
        "Workers",
        ge=1,
        le=3600,
    )
    sweep_seconds: float = setting(0.25, "How often a worker looks for conversations whose time has come.", "Workers", gt=0, le=10)
    send_timeout_seconds: float = setting(
        MAX_SEND_SECONDS,
        "The longest that one request to Twilio or SendGrid may take; well under LEASE_SECONDS. Unset: a quarter of that, 15 at most.",
        "Workers",
        gt=0,
        le=120,
    )
    email_event_wait_seconds: float = setting(
        120.0,
        "How long a mail of unknown outcome waits for SendGrid's event before it is sent again under the same Message-ID.",
        "Workers",
        ge=0,
    )
    shutdown_grace_seconds: float = setting(
        4.0,
        "How long a worker told to end waits for requests to Twilio and SendGrid in flight (honcho kills after 5; 30 in systemd units).",
        "Workers",
        ge=0,
        le=600,
    )
    embedded_maxmemory_mb: int = setting(
        1024, "What the embedded server may hold, in MiB; then it refuses writes, and evicts nothing.", "Workers", ge=16, le=1_048_576
    )
    startup_wait_seconds: float = setting(
        30.0,
        "How long a process waits at its start for Redis to come up; under honcho as long as it takes, because its end would end all.",
        "Workers",
        ge=0,
    )
    spool_max_mb: int = setting(
        1024, "What the web process may keep on disk while Redis is away, in MiB; beyond it, webhooks get 503.", "Place", ge=1, le=1_048_576
    )
    spool_min_free_mb: int = setting(100, "What must stay free on the disk of BOSS_DATA_DIR, in MiB; else webhooks get 503.", "Place", ge=0)
    insurance_seconds: float = setting(
        60.0,
        "How long a message that no replica of Redis had in time lies on the web process's disk before it is handed over once more: longer than a failover takes.",
        "Place",
        gt=0,
        le=3600,
    )

    sandbox: Literal["auto", "on", "off"] = setting(
        "auto",
        "auto: in ENVIRONMENT=local each provider without credentials is played by the sandbox, each with them is real. on: all are played. off: none.",
        "Development",
    )
    sandbox_port: int = setting(8790, "The port of the sandbox and of its page.", "Development", ge=0, le=65535)
    dashboard_port: int = setting(9181, "The port of `boss dashboard`.", "Development", ge=0, le=65535)
    log_format: Literal["auto", "console", "json"] = setting("auto", "auto: console on a terminal, json elsewhere.", "Development")

    console_password: SecretStr = setting(
        SecretStr(""),
        "Opens `boss dashboard`, and /metrics to other machines (HTTP basic auth, any user name); in production at least 12 characters of your own.",
        "Console",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Derive settings from others: the sandbox's credentials and address for what it plays, and the send timeout of a short lease."""
        return _following_lease(providers.filled(values))

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """What a repr shows: no secret, and no login of an address."""
        return [(name, without_login(value) if isinstance(value, str) else value) for name, value in super().__repr_args__()]

    @model_validator(mode="after")
    def _together(self) -> Settings:
        """Faults that concern several settings together."""
        faults = [*url_faults(self), *twilio_faults(self), *providers.half_set(self), *self._time_faults(), *self.word_faults()]
        faults += [*self.bridge_faults(), *self.mail_faults(), *self.speech_faults(), *self.web_faults()]
        if self.environment == "production":
            faults += production_faults(self)
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _time_faults(self) -> list[str]:
        faults = []
        if self.reconcile_window_minutes <= self.reconcile_minutes:
            faults.append("RECONCILE_WINDOW_MINUTES: must be longer than RECONCILE_MINUTES, or texts fall between two looks")
        if self.send_timeout_seconds + self.send_margin_seconds >= self.lease_seconds:
            least = math.floor(10 * min(self.send_timeout_seconds * 12 / 11, self.send_timeout_seconds + 5) + 1) / 10
            faults.append(
                f"LEASE_SECONDS: {self.lease_seconds:g} is too short for SEND_TIMEOUT_SECONDS={self.send_timeout_seconds:g} with its margin, "
                f"which need at least {least:g}; unset, SEND_TIMEOUT_SECONDS follows the lease"
            )
        return faults

    @cached_property
    def played(self) -> frozenset[Provider]:
        """The providers that the sandbox plays."""
        return providers.played(self)

    @property
    def usable_channels(self) -> frozenset[Channel]:
        """The channels whose provider has credentials, or is played: somebody may be added there while the processes run."""
        return frozenset(name for name, kind in CHANNELS.items() if providers.has_credentials(self, kind.provider))

    @property
    def sandbox_on(self) -> bool:
        """Whether the sandbox plays anything."""
        return bool(self.played)

    @property
    def all_played(self) -> bool:
        """Whether the sandbox plays all providers, so that nothing leaves this machine."""
        return len(self.played) == len(providers.NAMES)

    @property
    def spending_bounds(self) -> tuple[int, int]:
        """Tokens and turns that all conversations together may use in a day; 0 for no bound. A played Claude costs nothing.

        Where recordings are heard elsewhere and that costs something, the bounds hold for both, whoever plays Claude.
        """
        return (self.daily_tokens, self.daily_turns) if self._costs else (0, 0)

    @property
    def dollar_bounds(self) -> tuple[int, int, int, int]:
        """In microdollars, what may be spent: by all in a day and in a month, and by one person; 0 for no bound. As `spending_bounds`."""
        day, month, own_day, own_month = (micros(dollars) if self._costs else 0 for dollars in self.dollar_settings.values())
        return day, month, own_day, own_month

    @property
    def _costs(self) -> bool:
        return "anthropic" not in self.played or (self.stt_costs and not is_loopback_url(self.stt_url))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret's text, so that logs can mask it; also the whole REDIS_URL."""
        return tuple(secret for secret in (self.redis_url.get_secret_value(), *(text for _, text in self.named_secrets)) if secret)

    @property
    def named_secrets(self) -> tuple[tuple[str, str], ...]:
        """Every secret that is set, with its setting's name; for REDIS_URL each password within it."""
        found: list[tuple[str, str]] = []
        for name in secret_rules.MIN_LENGTHS:
            text = getattr(self, name).get_secret_value()
            found += [(name, each) for each in (url_passwords(text) if name == "redis_url" else (text,)) if each]
        return tuple(found)

    @property
    def sandbox_url(self) -> str:
        """Where this machine reaches the sandbox."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def heartbeat_seconds(self) -> float:
        """How often a worker sends a heartbeat: every 5 s, or three times within STANDBY_AFTER_SECONDS if that is shorter."""
        return min(5.0, self.standby_after_seconds / 3)

    @property
    def retention_ms(self) -> int:
        """RETENTION_DAYS in milliseconds."""
        return int(self.retention_days * DAY_MS)

    @property
    def spool_dir(self) -> Path:
        """Where the web process keeps what it accepted while Redis was away."""
        return self.boss_data_dir / "spool"

    @property
    def send_margin_seconds(self) -> float:
        """The time that a lease must have left beyond the send timeout: 5 s at the default lease, less at a shorter one."""
        return min(5.0, self.lease_seconds / 12)

    @property
    def process_life_seconds(self) -> float:
        """How long a worker process's sign of life counts; then others take over what it held. Less with a short lease."""
        return min(4.0, self.lease_seconds / 2)

    @property
    def sweep_recheck_seconds(self) -> float:
        """How long after a wake-up the sweep checks a conversation again."""
        return min(10.0, self.lease_seconds)

    @cached_property
    def provider_urls(self) -> dict[str, str]:
        """The base URL of each provider, without a slash at the end: `twilio`, `sendgrid`, `anthropic`."""
        return {name.split("_")[0]: (getattr(self, name) or _PROVIDER_URLS[name]).rstrip("/") for name in BASE_URLS}


def _following_lease(values: dict[str, Any]) -> dict[str, Any]:
    """Where no send timeout is set, derive it from a lease that is shorter than the default: a request with its margin must fit into it."""
    try:
        lease = float(values.get("lease_seconds") or 0)
    except (TypeError, ValueError):
        return values
    if not lease or values.get("send_timeout_seconds"):
        return values
    return {**values, "send_timeout_seconds": min(MAX_SEND_SECONDS, lease / 4)}
