"""What is wrong with settings that only show it together, each in a line that begins with a name and shows no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from shared import redis_url
from shared.operator_secrets import EXAMPLE_TOKEN, SANDBOX_CREDENTIALS, SHORTEST_PASSWORD, SHORTEST_TOKEN

if TYPE_CHECKING:
    from shared.settings import Settings

BASE_URLS: Final = ("twilio_api_base_url", "sendgrid_api_base_url", "anthropic_base_url")


def url_faults(settings: Settings) -> list[str]:
    """Addresses of the wrong kind."""
    faults = []
    for name in (*BASE_URLS, "public_url"):
        value = getattr(settings, name)
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            faults.append(f"{name.upper()}: must be an http:// or https:// address")
    if settings.redis_url and (fault := redis_url.fault(settings.redis_url.get_secret_value())):
        faults.append(f"REDIS_URL: {fault}")
    return faults


def production_faults(settings: Settings) -> list[str]:
    """What production lacks, or must not have."""
    faults = _own_secret_faults(settings)
    for name in SANDBOX_CREDENTIALS:
        value = secret_text(getattr(settings, name))
        if name == "email_webhook_secret" and not value and settings.sendgrid_inbound_public_key:
            continue
        if not value:
            faults.append(f"{name.upper()}: is missing")
        elif value == SANDBOX_CREDENTIALS[name]:
            faults.append(f"{name.upper()}: is the sandbox's example value")
    if settings.sandbox == "on":
        faults.append("SANDBOX: cannot be on in production")
    if not settings.public_url.startswith("https://"):
        faults.append("PUBLIC_URL: must be the https:// address that the providers call")
    if settings.boss_users_file is None:
        faults.append("BOSS_USERS_FILE: is missing")
    return faults


def _own_secret_faults(settings: Settings) -> list[str]:
    """What is wrong with the secrets that the operator thinks up. Without a console password there is no console."""
    faults = []
    chosen = {"supervisor_token": SHORTEST_TOKEN}
    if settings.console_password.get_secret_value():
        chosen["console_password"] = SHORTEST_PASSWORD
    for name, shortest in chosen.items():
        value = secret_text(getattr(settings, name))
        if value in (EXAMPLE_TOKEN, *SANDBOX_CREDENTIALS.values()):
            faults.append(f"{name.upper()}: is an example value")
        elif len(value) < shortest:
            faults.append(f"{name.upper()}: must have at least {shortest} characters")
    return faults


def faults_beside(kind: type[Settings], broken: set[str], overrides: dict[str, Any]) -> list[str]:
    """The faults of several settings together, which pydantic looks for only once each is right: the broken ones at their defaults."""
    defaults = {name: kind.model_fields[name].get_default() for name in broken & set(kind.model_fields)}
    try:
        kind(**{**overrides, **defaults})
    except ValidationError as error:
        return faults_of(error)
    return []


def faults_of(error: ValidationError) -> list[str]:
    """Every fault that pydantic found."""
    lines = []
    for fault in error.errors():
        name = "_".join(str(part) for part in fault["loc"]).upper()
        text = fault["msg"].removeprefix("Value error, ")
        lines += [f"  {name}: {text}"] if name else [f"  {line}" for line in text.splitlines()]
    return lines


def secret_text(value: str | SecretStr) -> str:
    """A setting's text, secret or not."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value
