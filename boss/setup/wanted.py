"""What is wanted: the public address with the webhooks that follow from it, the numbers and hosts, the lines of `.env`, the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

SMS_PATH: Final = "/sms/inbound"
EMAIL_PATH: Final = "/email/inbound"
EVENTS_PATH: Final = "/email/events"
OVERRIDES: Final = "#rc=3&rp=all&ct=2000&rt=4000&tt=15000"
"""Twilio's connection overrides: three tries more, whatever went wrong, within 15 s in all.

https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""
PLACEHOLDERS: Final = frozenset({"demo.twilio.com"})
"""Hosts that stand in a number which Twilio has just sold: nobody's webhook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupGoal:
    """The goal of a set-up. `former` are public addresses that were this installation's own before."""

    public_url: str
    name: str
    """What our things are called at the providers."""
    former: frozenset[str] = frozenset()
    phones: tuple[str, ...] = ()
    """The Boss's numbers."""
    hosts: tuple[str, ...] = ()
    """The hosts of the Boss's mail addresses."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What `.env` is to say, beside the keys that SendGrid makes."""
    secret: str = field(default="", repr=False)
    """For the addresses of the mail webhooks, where an account cannot sign them."""
    spent_key: str = field(default="", repr=False)
    """A key that must not stay in `.env`: the one with full access."""
    person: Mapping[str, str] | None = field(default=None, repr=False)
    files: Mapping[Path, str] = field(default_factory=dict, repr=False)

    @property
    def sms_url(self) -> str:
        """What a number calls, and calls again when that fails."""
        return self.public_url + SMS_PATH + OVERRIDES

    def email_url(self, env: Mapping[str, str]) -> str:
        """Where the mail of a host is posted."""
        return self._mail_url(EMAIL_PATH, env)

    def events_url(self, env: Mapping[str, str]) -> str:
        """Where events are posted."""
        return self._mail_url(EVENTS_PATH, env)

    def _mail_url(self, path: str, env: Mapping[str, str]) -> str:
        """With the secret as long as there is one: a web process that does not know the key yet lets the mail in by it."""
        secret = env.get("EMAIL_WEBHOOK_SECRET", "")
        return self.public_url + path + ("?" + urlencode({"token": secret}) if secret else "")

    def is_ours(self, url: str) -> bool:
        """Whether an address is one of this installation, now or formerly."""
        bare = without_extras(url)
        return any(bare == base or bare.startswith(base + "/") for base in {self.public_url, *self.former})

    def elsewhere(self, *urls: str) -> tuple[str, ...]:
        """The hosts of the addresses that are somebody else's: neither ours, nor none, nor a placeholder."""
        others = (url for url in urls if url and not self.is_ours(url) and host_of(url) not in PLACEHOLDERS)
        return tuple(dict.fromkeys(host_of(url) or url for url in others))


def without_extras(url: str) -> str:
    """An address without login, query and fragment."""
    try:
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2].lower()
    except ValueError:
        return url
    return f"{parts.scheme}://{place}{parts.path}"


def host_of(url: str) -> str:
    """The host of an address, "" where it has none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
