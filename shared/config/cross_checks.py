"""Faults that concern several settings together, each in a line that begins with a setting's name and shows no value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from shared.config import secret_rules
from shared.config.providers import CREDENTIALS
from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.errors import ConfigurationError
from shared.model.addresses import Channel
from shared.model.channels import CHANNELS, ChannelKind
from shared.model.users_file import load_users
from shared.net import is_loopback_url
from shared.storage.url import url_fault

if TYPE_CHECKING:
    from shared.config.settings import Settings

BASE_URLS: Final = ("twilio_api_base_url", "sendgrid_api_base_url", "anthropic_base_url")
_TWILIO_IDS: Final = {"twilio_account_sid": "AC", "twilio_api_key_sid": "SK"}
_PAIR: Final = ("twilio_api_key_sid", "twilio_api_key_secret")


def url_faults(settings: Settings) -> list[str]:
    """Invalid addresses, and addresses to which a credential would travel unencrypted."""
    faults = []
    for name in (*BASE_URLS, "public_url"):
        value = getattr(settings, name)
        if not value:
            continue
        if not _is_web_address(value):
            faults.append(f"{name.upper()}: must be an http:// or https:// address")
        elif name in BASE_URLS and urlsplit(value).scheme != "https" and not is_loopback_url(value):
            faults.append(
                f"{name.upper()}: must be https://, but for an address of this machine: a credential goes there with each request"
            )
    if settings.redis_url and (fault := url_fault(settings.redis_url.get_secret_value())):
        faults.append(f"REDIS_URL: {fault}")
    return faults


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def twilio_faults(settings: Settings) -> list[str]:
    """Ids of the wrong kind, and an API key's SID without its secret or the reverse."""
    faults = []
    for name, kind in _TWILIO_IDS.items():
        value = getattr(settings, name)
        if value and not re.fullmatch(kind + "[0-9a-fA-F]{32}", value):
            what = "an Account SID" if kind == "AC" else "an API key's SID"
            faults.append(f"{name.upper()}: {what} begins with {kind} and has 32 hexadecimal digits after it")
    given = [name for name in _PAIR if secret_text(getattr(settings, name))]
    if len(given) == 1:
        missing = next(name for name in _PAIR if name not in given)
        faults.append(f"{missing.upper()}: is missing; it goes together with {given[0].upper()}")
    return faults


def production_faults(settings: Settings) -> list[str]:
    """What production lacks, or must not have. Only the providers that the users file needs are required."""
    faults = secret_rules.faults(settings.named_secrets)
    if settings.twilio_account_sid == SANDBOX_CREDENTIALS["twilio_account_sid"]:
        faults.append("TWILIO_ACCOUNT_SID: is the sandbox's example value")
    if settings.sandbox == "on":
        faults.append("SANDBOX: cannot be on in production")
    if not settings.supervisor_token.get_secret_value():
        faults.append("SUPERVISOR_TOKEN: is missing")
    if not (settings.anthropic_api_key.get_secret_value() or is_loopback_url(settings.anthropic_base_url)):
        faults.append("ANTHROPIC_API_KEY: is missing")
    channels, users_faults = _channels_of(settings)
    return faults + users_faults + _provider_faults(settings, channels)


def _channels_of(settings: Settings) -> tuple[frozenset[Channel], list[str]]:
    """The channels that are needed, and what is wrong with the users file: those of its users, all while it cannot be read.

    Without a file those for which credentials are set, or all.
    """
    if settings.boss_users_file is None:
        used = {name: kind for name, kind in CHANNELS.items() if any(secret_text(getattr(settings, each)) for each in _credentials(kind))}
        return frozenset(used or CHANNELS), []  # the registry may have everybody: what is begun is to be whole
    try:
        return load_users(settings.boss_users_file).channels, []
    except ConfigurationError as error:
        return frozenset(CHANNELS), [error.detail]


def _credentials(kind: ChannelKind) -> tuple[str, ...]:
    """The settings of a channel's provider; none of one that is not ours."""
    return CREDENTIALS.get(cast("Any", kind.provider), ())


def _provider_faults(settings: Settings, channels: frozenset[Channel]) -> list[str]:
    wanted: list[tuple[str, str]] = []
    if "sms" in channels:
        wanted += [("twilio_account_sid", ""), ("twilio_auth_token", _signs_anyway(settings))]
    if "email" in channels:
        wanted.append(("sendgrid_api_key", ""))
    faults = [f"{name.upper()}: is missing{more}" for name, more in wanted if not secret_text(getattr(settings, name))]
    if "email" in channels:
        faults += settings.unproven_webhooks()
    if channels and not settings.public_url.startswith("https://"):
        faults.append("PUBLIC_URL: must be the https:// address that the providers call")
    return faults


def _signs_anyway(settings: Settings) -> str:
    """Why the token is required beside an API key."""
    return ": the API key sends, but Twilio signs its webhooks with the token" if settings.twilio_api_key_sid else ""


def faults_beside(kind: type[Settings], broken: set[str], overrides: dict[str, Any]) -> list[str]:
    """The faults across settings beside invalid single ones: pydantic checks them only once each is valid, so those get their defaults."""
    defaults = {name: kind.model_fields[name].get_default() for name in broken & set(kind.model_fields)}
    try:
        kind(**{**overrides, **defaults})
    except ValidationError as error:
        return faults_of(error)
    return []


def faults_of(error: ValidationError) -> list[str]:
    """The lines for every fault that pydantic found."""
    lines = []
    for fault in error.errors():
        name = "_".join(str(part) for part in fault["loc"]).upper()
        text = fault["msg"].removeprefix("Value error, ")
        lines += [f"  {name}: {text}"] if name else [f"  {line}" for line in text.splitlines()]
    return lines


def secret_text(value: str | SecretStr) -> str:
    """A setting's text, whether it is a secret or not."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value
