"""What the sandbox is told by its environment; one error names everything that is wrong with it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_ACCOUNT_SID = "AC" + "0" * 31 + "1"
DEFAULT_AUTH_TOKEN = "sandbox-auth-token"  # noqa: S105 - signs webhooks when nothing else is configured
LARGEST_PORT = 65_535

TEXTS: Final = {
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
    "SANDBOX_USER_PHONE": "user_phone",
    "SANDBOX_BOSS_PHONE": "boss_phone",
    "SANDBOX_USER_EMAIL": "user_email",
    "SANDBOX_BOSS_EMAIL": "boss_email",
    "SANDBOX_KNOBS": "knobs",
    "SANDBOX_REAL": "real",
}


class SettingsError(ValueError):
    """The environment does not describe a sandbox that may run."""


def is_loopback(host: str) -> bool:
    """Say whether a host name or address can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """Say whether an http(s) URL can only reach this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and is_loopback(parts.hostname or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting; an unset credential is not checked."""

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
    user_phone: str = "+15551234567"
    boss_phone: str = "+15559876543"
    user_email: str = "user@example.com"
    boss_email: str = "boss@example.com"
    knobs: str = "{}"
    real: str = ""
    """The providers that are not played here, a sentence a line: shown on the page."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the environment; empty values count as unset."""
        given = {name: value.strip() for name, value in environ.items() if value.strip()}
        fields: dict[str, Any] = {field: given[name] for name, field in TEXTS.items() if name in given}
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
        """Refuse, in one error, whatever would leave this machine or cannot work."""
        faults: list[str] = []
        if not is_loopback(self.host):
            faults.append(f"SANDBOX_HOST={self.host}: the sandbox binds loopback addresses only")
        if not 0 <= self.port <= LARGEST_PORT:
            faults.append("SANDBOX_PORT: not a port number (0 to 65535)")
        if not is_loopback_url(self.webhook_url):
            faults.append(f"SANDBOX_WEBHOOK_URL={self.webhook_url}: webhooks go to this machine only")
        if urlsplit(self.public_url).scheme not in {"http", "https"}:
            faults.append(f"SANDBOX_PUBLIC_URL={self.public_url}: not an http(s) URL")
        if faults:
            raise SettingsError("; ".join(faults))

    @property
    def account_sid(self) -> str:
        """The Twilio account of inbound messages."""
        return self.twilio_account_sid or DEFAULT_ACCOUNT_SID

    @property
    def auth_token(self) -> str:
        """The secret behind X-Twilio-Signature."""
        return self.twilio_auth_token or DEFAULT_AUTH_TOKEN


def _port(text: str) -> int:
    """Read a port number; a wrong one is reported by `check` together with the rest."""
    return int(text) if text.isascii() and text.isdigit() else -1
