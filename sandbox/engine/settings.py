"""The sandbox's settings, read from the environment. One error names everything that is wrong."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ACCOUNT_SID = "AC" + "0" * 31 + "1"
DEFAULT_AUTH_TOKEN = "sandbox-auth-token"  # noqa: S105 - signs webhooks when nothing else is configured
MAX_PORT = 65_535

FIELD_OF_VARIABLE: Final = {
    "SANDBOX_HOST": "host",
    "SANDBOX_WEBHOOK_URL": "webhook_url",
    "SANDBOX_PUBLIC_URL": "public_url",
    "TWILIO_ACCOUNT_SID": "twilio_account_sid",
    "TWILIO_AUTH_TOKEN": "twilio_auth_token",
    "TWILIO_API_KEY_SID": "twilio_api_key_sid",
    "TWILIO_API_KEY_SECRET": "twilio_api_key_secret",
    "SENDGRID_API_KEY": "sendgrid_api_key",
    "SANDBOX_SENDGRID_PRIVATE_KEY": "sendgrid_private_key",
    "EMAIL_WEBHOOK_SECRET": "email_webhook_secret",
    "ANTHROPIC_API_KEY": "anthropic_api_key",
    "STT_API_KEY": "stt_api_key",
    "SANDBOX_USER_PHONE": "user_phone",
    "SANDBOX_BOSS_PHONE": "boss_phone",
    "SANDBOX_USER_EMAIL": "user_email",
    "SANDBOX_BOSS_EMAIL": "boss_email",
    "SANDBOX_KNOBS": "faults",  # the old name
    "SANDBOX_FAULTS": "faults",
    "SANDBOX_REAL": "real",
}
"""The field of each variable that is text. Of two variables for one field the later one counts."""


class SandboxSettingsError(ValueError):
    """Settings with which the sandbox must not, or cannot, run."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """Whether an http(s) URL can only reach this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and is_loopback(parts.hostname or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """All settings. A credential that is unset is not checked."""

    host: str = "127.0.0.1"
    port: int = 8790
    webhook_url: str = "http://127.0.0.1:8787"
    public_url: str = "http://127.0.0.1:8787"
    twilio_account_sid: str | None = None
    twilio_auth_token: str | None = field(default=None, repr=False)
    twilio_api_key_sid: str | None = None
    twilio_api_key_secret: str | None = field(default=None, repr=False)
    sendgrid_api_key: str | None = field(default=None, repr=False)
    sendgrid_private_key: str | None = field(default=None, repr=False)
    email_webhook_secret: str | None = field(default=None, repr=False)
    anthropic_api_key: str | None = field(default=None, repr=False)
    stt_api_key: str | None = field(default=None, repr=False)
    user_phone: str = "+15551234567"
    boss_phone: str = "+15559876543"
    user_email: str = "user@example.com"
    boss_email: str = "boss@example.com"
    faults: str = "{}"
    """The fault settings to start with, JSON."""
    real: str = ""
    """The providers that are not played here, one sentence a line, for the page."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment; an empty value counts as unset. Raises SandboxSettingsError."""
        given = {name: value.strip() for name, value in environ.items() if value.strip()}
        fields: dict[str, Any] = {field: given[name] for name, field in FIELD_OF_VARIABLE.items() if name in given}
        if "SANDBOX_PORT" in given:
            fields["port"] = _port(given["SANDBOX_PORT"])
        if "webhook_url" in fields:
            fields["webhook_url"] = fields["webhook_url"].rstrip("/")
            fields.setdefault("public_url", fields["webhook_url"])
        if "public_url" in fields:
            fields["public_url"] = fields["public_url"].rstrip("/")
        settings = cls(**fields)
        settings.check()
        return settings

    def check(self) -> None:
        """Raise SandboxSettingsError for whatever would leave this machine or cannot work."""
        problems: list[str] = []
        if not is_loopback(self.host):
            problems.append(f"SANDBOX_HOST={self.host}: the sandbox binds loopback addresses only")
        if not 0 <= self.port <= MAX_PORT:
            problems.append("SANDBOX_PORT: not a port number (0 to 65535)")
        if not is_loopback_url(self.webhook_url):
            problems.append(f"SANDBOX_WEBHOOK_URL={self.webhook_url}: webhooks go to this machine only")
        if urlsplit(self.public_url).scheme not in {"http", "https"}:
            problems.append(f"SANDBOX_PUBLIC_URL={self.public_url}: not an http(s) URL")
        if problems:
            raise SandboxSettingsError("; ".join(problems))

    @property
    def account_sid(self) -> str:
        """The Twilio account of inbound texts."""
        return self.twilio_account_sid or DEFAULT_ACCOUNT_SID

    @property
    def auth_token(self) -> str:
        """The key of X-Twilio-Signature."""
        return self.twilio_auth_token or DEFAULT_AUTH_TOKEN


def _port(text: str) -> int:
    """Read a port number; -1 for a wrong one, which `check` reports together with the rest."""
    return int(text) if text.isascii() and text.isdigit() else -1
