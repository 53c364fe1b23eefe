"""Which URLs a file may be downloaded from: one made from ids, and the few hosts to which Twilio redirects from there."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from yarl import URL

from shared.config.settings import Settings
from shared.model.media import MESSAGE_SID, Media
from shared.net import is_loopback

TWILIO_HOSTS: Final = ("mms.twiliocdn.com", "media.twiliocdn.com", "s3-external-1.amazonaws.com")
"""Where Twilio keeps media: its own two hosts, and S3 for files from before it required a login (support article 223183748)."""

_LOCATION: Final = re.compile(r"[!-~]{1,4096}")
_ACCOUNT: Final = re.compile(r"AC[0-9a-fA-F]{32}")


class NotAllowed(Exception):
    """A URL that nothing is downloaded from."""


class Origin(NamedTuple):
    """Scheme, host and port: two URLs of one origin lead to the same server."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: URL) -> Self:
        """A URL's origin; raises NotAllowed when it has none, or is not http."""
        if url.scheme not in ("http", "https") or not url.host or url.port is None:
            raise NotAllowed("not http")
        return cls(url.scheme, url.host.lower(), url.port)


@dataclass(frozen=True)
class AllowedUrls:
    """The origins that may be asked. `base` is the configured API's, and the only one that is sent our login."""

    base: URL
    origins: frozenset[Origin]
    account: str
    login: str = field(repr=False)

    @classmethod
    def of(cls, settings: Settings, hosts: Iterable[str] = TWILIO_HOSTS) -> AllowedUrls:
        """As the settings say: only https, or only the sandbox where that plays Twilio on this machine."""
        base = URL(settings.provider_urls["twilio"])
        if local_port(settings) is not None:
            origins = {Origin.of(base)}
        else:
            origins = {Origin.of(url) for url in (base, *(URL(f"https://{host}") for host in hosts)) if url.scheme == "https"}
        login = base64.b64encode(":".join(settings.twilio_login).encode()).decode()
        return cls(base, frozenset(origins), settings.twilio_account_sid, f"Basic {login}")

    @property
    def encrypted(self) -> bool:
        """Whether any of the origins is asked over TLS."""
        return any(origin.scheme == "https" for origin in self.origins)

    def start(self, message_sid: str, media: Media) -> URL:
        """A file's URL, made from ids alone; raises NotAllowed for ids that are not Twilio's."""
        if not (_ACCOUNT.fullmatch(self.account) and MESSAGE_SID.fullmatch(message_sid)):
            raise NotAllowed("no such id")
        return self.checked(self.base / f"2010-04-01/Accounts/{self.account}/Messages/{message_sid}/Media/{media.id}")

    def next(self, url: URL, location: str) -> URL:
        """The target of a redirect; raises NotAllowed for one that is not followed.

        The object that was checked is the one that is requested: no second parser can find another host in the same text.
        """
        if not _LOCATION.fullmatch(location):
            raise NotAllowed("no location")
        try:
            return self.checked(url.join(URL(location, encoded=True)))
        except ValueError:
            raise NotAllowed("not a URL") from None

    def checked(self, url: URL) -> URL:
        """The URL, if it is of one of the origins; raises NotAllowed."""
        if Origin.of(url) not in self.origins or url.user is not None or url.password is not None:
            raise NotAllowed("another host")
        return url

    def headers(self, url: URL) -> dict[str, str]:
        """The request's headers: the login goes to the API's own origin alone. Compressed bodies are not asked for."""
        own = Origin.of(url) == Origin.of(self.base)
        return {"Accept-Encoding": "identity", "Accept": "*/*", **({"Authorization": self.login} if own else {})}


def local_port(settings: Settings) -> int | None:
    """The port of this machine that the sandbox plays Twilio at; None when it does not."""
    base = URL(settings.provider_urls["twilio"])
    return base.port if "twilio" in settings.played and is_loopback(base.host or "") else None
