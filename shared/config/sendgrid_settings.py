"""The settings of SendGrid, and which of its webhooks could not be authenticated."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from shared.config.field import setting
from shared.model.sender_names import RULE, is_sender_name

_DOMAIN: Final = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z0-9-]+")


class SendGridSettings(BaseSettings):
    """Sending by SendGrid, and how its webhooks prove that they are its own."""

    sendgrid_api_key: SecretStr = setting(SecretStr(""), "SendGrid, Settings, API Keys: one with Mail Send access.", "SendGrid")
    sendgrid_api_base_url: str = setting(
        "", "Another host that speaks SendGrid's v3 API, such as https://api.eu.sendgrid.com. Empty: SendGrid.", "SendGrid"
    )
    sendgrid_inbound_public_key: str = setting(
        "", "The public key of the Inbound Parse security policy (base64 DER). Set: unsigned mail is refused.", "SendGrid"
    )
    sendgrid_events_public_key: str = setting(
        "", "The verification key of the signed Event Webhook (base64 DER). Empty: EMAIL_WEBHOOK_SECRET is asked for.", "SendGrid"
    )
    email_webhook_secret: SecretStr = setting(
        SecretStr(""), "Without a signing policy: POST /email/inbound?token=... or HTTP basic auth with this password.", "SendGrid"
    )

    boss_name: str = setting(
        "Boss",
        "The Boss's name, where `boss_name` says no other: letters, digits, spaces and - ' . &, 60 at most; mail is from it.",
        "SendGrid",
    )
    email_exact_domains: str = setting(
        "",
        "Domains that hand out subdomains to customers, with commas between: for an address there only the very same domain may sign.",
        "SendGrid",
    )

    @cached_property
    def exact_mail_domains(self) -> frozenset[str]:
        """The domains of `EMAIL_EXACT_DOMAINS`, in lower case."""
        return frozenset(name.strip().strip(".@").lower() for name in self.email_exact_domains.split(",")) - {""}

    def mail_faults(self) -> list[str]:
        """What is wrong with EMAIL_EXACT_DOMAINS and BOSS_NAME."""
        faults = []
        if not all(_DOMAIN.fullmatch(name) for name in self.exact_mail_domains):
            faults.append("EMAIL_EXACT_DOMAINS: must be domains such as example.com, with commas between")
        if not is_sender_name(self.boss_name):
            faults.append(f"BOSS_NAME: must be {RULE}")
        return faults

    def unproven_webhooks(self) -> list[str]:
        """Each webhook with neither its key nor the secret: the missing key, and the consequence."""
        if self.email_webhook_secret.get_secret_value():
            return []
        else_set = "is missing; without it, set EMAIL_WEBHOOK_SECRET"
        found = []
        if not self.sendgrid_inbound_public_key:
            found.append(f"SENDGRID_INBOUND_PUBLIC_KEY: {else_set}: else every mail is refused")
        if not self.sendgrid_events_public_key:
            lost = "else /email/events refuses every event, and a mail of unknown outcome goes out twice"
            found.append(f"SENDGRID_EVENTS_PUBLIC_KEY: {else_set}: {lost}")
        return found
