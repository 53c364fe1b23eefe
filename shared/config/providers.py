"""Which of Twilio, SendGrid and Claude the sandbox plays, each decided by itself, and the sentences about it. Pure.

In `ENVIRONMENT=local` with `SANDBOX=auto` a provider with credentials, or with a base URL of its own, is real, and one without is
played. `SANDBOX=on` plays each whose base URL is not set to another place, `SANDBOX=off` none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.net import is_loopback

if TYPE_CHECKING:
    from shared.config.settings import Settings

Provider = Literal["twilio", "sendgrid", "anthropic"]
NAMES: Final[dict[Provider, str]] = {"twilio": "Twilio", "sendgrid": "SendGrid", "anthropic": "Claude"}
CREDENTIALS: Final[dict[Provider, tuple[str, ...]]] = {
    "twilio": ("twilio_account_sid", "twilio_auth_token", "twilio_api_key_sid", "twilio_api_key_secret"),
    "sendgrid": ("sendgrid_api_key",),
    "anthropic": ("anthropic_api_key",),
}
"""The settings that make a provider real. Required are the first two of Twilio's, and the one of each other provider."""
KEYS: Final[dict[Provider, str]] = {"twilio": "twilio_auth_token", "sendgrid": "sendgrid_api_key", "anthropic": "anthropic_api_key"}
BASE_URL: Final[dict[Provider, str]] = {
    "twilio": "twilio_api_base_url",
    "sendgrid": "sendgrid_api_base_url",
    "anthropic": "anthropic_base_url",
}
FILLED: Final[dict[Provider, tuple[str, ...]]] = {
    "twilio": ("twilio_account_sid", "twilio_auth_token"),
    "sendgrid": ("sendgrid_api_key", "email_webhook_secret"),
    "anthropic": ("anthropic_api_key",),
}
"""The settings that get the sandbox's own values for a provider that it plays."""
PLAYED: Final = "played by the sandbox"
NOTHING_LEAVES: Final = "Nothing leaves this machine."
COSTS: Final = "Claude is real: what is written to the Boss goes there, and costs money up to DAILY_TOKENS and DAILY_TURNS a day."
SIMULATED: Final = "Claude is played, and not everything else: whoever writes by a real provider gets simulated answers."


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Raw settings, with the sandbox's credentials and address added for each provider that it plays, where none are set."""
    port = values.get("sandbox_port") or 8790
    found: dict[str, Any] = {}
    for provider in NAMES:
        if _wanted(provider, values, port):
            ours = {BASE_URL[provider]: f"http://127.0.0.1:{port}", **{name: SANDBOX_CREDENTIALS[name] for name in FILLED[provider]}}
            found |= {name: value for name, value in ours.items() if not values.get(name)}
    return {**values, **found}


def has_credentials(settings: Settings, provider: str) -> bool:
    """Whether what a provider requires is set; the sandbox's own values are for one that it plays."""
    required = {"twilio": ("twilio_account_sid", "twilio_auth_token"), "sendgrid": ("sendgrid_api_key",)}.get(provider, ())
    return bool(required) and all(_text(getattr(settings, name)) for name in required)


def _wanted(provider: Provider, values: Mapping[str, Any], port: Any) -> bool:
    mode, place = values.get("sandbox") or "auto", str(values.get(BASE_URL[provider]) or "")
    if mode == "off" or (values.get("environment") or "local") != "local" or (place and not is_sandbox(place, port)):
        return False
    return mode == "on" or not any(_text(values.get(name)) for name in CREDENTIALS[provider])


def _text(value: Any) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value or "")


def is_sandbox(url: str, port: Any) -> bool:
    """Whether an address is that of this machine's sandbox."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and is_loopback(parts.hostname or "") and str(parts.port) == str(port)
    except ValueError:
        return False


def played(settings: Settings) -> frozenset[Provider]:
    """The providers whose requests go to the sandbox; none in production, and none with SANDBOX=off."""
    if settings.environment != "local" or settings.sandbox == "off":
        return frozenset()
    return frozenset(each for each in NAMES if is_sandbox(settings.provider_urls[each], settings.sandbox_port))


def half_set(settings: Settings) -> list[str]:
    """What is missing beside a credential that makes Twilio real: with half a login nothing can be sent or verified."""
    if settings.environment != "local" or settings.sandbox != "auto":
        return []
    given = [name for name in CREDENTIALS["twilio"] if _text(getattr(settings, name))]
    missing = [name.upper() for name in CREDENTIALS["twilio"][:2] if name not in given]
    if not given or not missing:
        return []
    return [f"{name}: is missing; {given[0].upper()} is set, so Twilio is real. Set both, or neither" for name in missing]


def follows(settings: Settings) -> list[str]:
    """Sentences about what follows from the providers that are played; none in production, where none is."""
    if settings.all_played:
        return [NOTHING_LEAVES]
    if not settings.played:
        return []
    return [SIMULATED if "anthropic" in settings.played else COSTS]


def in_use(settings: Settings, env_file: Mapping[str, str]) -> dict[Provider, str]:
    """For each provider whether it is played or real, and where its key comes from; `env_file` has the contents of `.env`.

    honcho copies `.env` into the environment, so a value that is in both counts as from `.env`.
    """
    return {provider: PLAYED if provider in settings.played else _real(provider, settings, env_file) for provider in NAMES}


def _real(provider: Provider, settings: Settings, env_file: Mapping[str, str]) -> str:
    name = KEYS[provider]
    key = _text(getattr(settings, name))
    place = urlsplit(_text(getattr(settings, BASE_URL[provider]))).netloc.rpartition("@")[2]
    at = f", at {place}" if place else ""
    if not key:
        return f"real, and {name.upper()} is not set{at}"
    return f"real (key from {'.env' if env_file.get(name.upper()) == key else 'the environment'}){at}"
