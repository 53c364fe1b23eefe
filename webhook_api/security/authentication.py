"""Who may call: each webhook is verified before anything in it is parsed or believed.

Twilio signs; SendGrid signs when a security policy is attached to the parse setting, and is asked for a shared secret
otherwise. Of a provider that the sandbox plays, and only from this very machine, a webhook without any credential is let in and marked
unsigned, so that a plain `curl` works; a wrong credential is refused even then.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from flask import Request

from shared.config.providers import Provider
from shared.config.settings import Settings
from shared.errors import BadInput
from shared.model.addresses import Channel
from shared.net import is_loopback, is_loopback_address
from shared.observability import logs as telemetry
from shared.security.password import DelaySlots, PasswordVerifier, Verdict
from webhook_api.security import signatures
from webhook_api.security.signatures import Form

TWILIO_SIGNATURE: Final = "X-Twilio-Signature"
_TWILIO_SIGNATURE: Final = "HTTP_" + TWILIO_SIGNATURE.upper().replace("-", "_")
_HMAC_SHA1: Final = re.compile(r"[A-Za-z0-9+/]{27}=")
SENDGRID_SIGNATURE: Final = "X-Twilio-Email-Event-Webhook-Signature"
SENDGRID_TIMESTAMP: Final = "X-Twilio-Email-Event-Webhook-Timestamp"
_TIMESTAMP: Final = re.compile(r"[0-9]{1,20}")
_PROOFS: Final = (_TWILIO_SIGNATURE, "HTTP_" + SENDGRID_SIGNATURE.upper().replace("-", "_"), "HTTP_AUTHORIZATION")
MESSAGE_HEADER: Final = "X-Bossline-Message"
"""On a 2xx: our id of the message, by which `boss simulate` waits for its reply. A mail to several of ours has several."""

Seen = Callable[[bytes], object]
"""Takes each piece of a body on its way."""
T = TypeVar("T")


OLD_SECONDS: Final = 600.0
log = telemetry.logger(__name__)


class Refusal(BadInput):
    """A request that is answered with `status` and nothing more; `code` is the reason in the ledger."""

    def __init__(self, reason: str, status: int = 403) -> None:
        super().__init__(code=reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Gate:
    """What callers are measured by; the keys are None where SendGrid signs nothing."""

    settings: Settings
    base_url: str
    auth_token: str = field(repr=False)
    mail_key: EllipticCurvePublicKey | None
    events_key: EllipticCurvePublicKey | None
    mail_secret: PasswordVerifier

    @classmethod
    def of(cls, settings: Settings, slots: DelaySlots | None = None) -> Gate:
        """Read the keys; ConfigurationError for one that is none. Who guesses a secret is held in one of `slots`."""
        mail, events = settings.sendgrid_inbound_public_key, settings.sendgrid_events_public_key
        return cls(
            settings,
            settings.webhook_base_url,
            settings.twilio_auth_token.get_secret_value(),
            signatures.load_public_key("SENDGRID_INBOUND_PUBLIC_KEY", mail) if mail else None,
            signatures.load_public_key("SENDGRID_EVENTS_PUBLIC_KEY", events) if events else None,
            PasswordVerifier(settings.email_webhook_secret.get_secret_value(), slots),
        )

    def may_read(self, environ: dict[str, Any]) -> bool:
        """Whether a request carries anything by which its sender could be proven; elsewhere than in sandbox mode nothing else is read."""
        return self.settings.sandbox_on or any(name in environ for name in _PROOFS) or "token=" in environ.get("QUERY_STRING", "")

    def may_be_twilio(self, request: Request) -> None:
        """Before the body is read: refuse what carries no signature, or something that is none. Raises Refusal."""
        signature = request.environ.get(_TWILIO_SIGNATURE)
        if signature is None:
            self._unsigned(request, "twilio")
        elif not _HMAC_SHA1.fullmatch(signature):
            raise Refusal("bad_signature")

    def twilio(self, request: Request, form: Form) -> bool:
        """Whether a form is signed by Twilio; False for one without a signature that may come so. Raises Refusal."""
        signature = request.environ.get(_TWILIO_SIGNATURE)
        if signature is None:
            return self._unsigned(request, "twilio")
        url = signatures.requested_url(self.base_url, request.environ)
        if not (self.auth_token and signatures.twilio_signed(self.auth_token, url, form, signature)):
            raise Refusal("bad_signature")
        return True

    def sendgrid(self, request: Request, key: EllipticCurvePublicKey | None, read: Callable[[Seen], T]) -> tuple[T, bool]:
        """What `read` gives, and whether its sender proved to be SendGrid. Raises Refusal.

        The secret is compared before the body is read: a stranger cannot make us take 30 MB. `read` shows us each piece.
        """
        if key is None:
            signed = self._knows_secret(request)
            return read(_ignore), signed
        signature = request.headers.get(SENDGRID_SIGNATURE)
        if signature is None:
            signed = self._unsigned(request, "sendgrid")
            return read(_ignore), signed
        timestamp = request.headers.get(SENDGRID_TIMESTAMP, "")
        if not _TIMESTAMP.fullmatch(timestamp):  # signed without a mark between the two: it could swallow the body's first line
            raise Refusal("bad_signature")
        said = signatures.sendgrid_hash(timestamp)
        body = read(said.update)
        if not signatures.sendgrid_signed(key, said, signature):
            raise Refusal("bad_signature")
        _say_if_old(timestamp)
        return body, True

    def _knows_secret(self, request: Request) -> bool:
        token, login = request.args.get("token"), request.authorization
        given = token if token is not None else (login.password if login is not None else None)
        if given is None and "Authorization" not in request.headers:
            return self._unsigned(request, "sendgrid")
        verdict = self.mail_secret.verify(given, caller_of(request.environ))
        if verdict is Verdict.BUSY:  # not judged, and it may be a genuine one: SendGrid sends again after a 5xx, and after nothing else
            raise Refusal("too_many_guesses", 503)
        if verdict is Verdict.WRONG:
            raise Refusal("bad_secret")
        return True

    def _unsigned(self, request: Request, provider: Provider) -> bool:
        """False, for "not signed, and that is right": from this machine, of a provider that is played; Refusal everywhere else."""
        if provider in self.settings.played and from_this_machine(request.environ):
            return False
        raise Refusal("unsigned")

    def used(self, channel: Channel) -> bool:
        """Whether anything could prove that a webhook of the channel is its provider's."""
        proofs = {"sms": bool(self.auth_token), "email": self.mail_secret.is_set or bool(self.mail_key or self.events_key)}
        return proofs.get(channel, False)

    def account(self, account: str) -> None:
        """Refuse a form of another Twilio account; one that names none is ours by its signature."""
        if account and account != self.settings.twilio_account_sid:
            raise Refusal("wrong_account")


def _say_if_old(timestamp: str) -> None:
    """Log a signature of long ago.

    It is let in: whether SendGrid signs its retries of three days anew is not known, and who replays one meets its mail's mark.
    """
    age = time.time() - int(timestamp)
    if abs(age) > OLD_SECONDS:
        log.warning("A signed request of SendGrid's is not of now.", action="old_signature", seconds=round(age))


def _ignore(_piece: bytes) -> None:
    """What nobody signed is hashed by nobody."""


def caller_of(environ: dict[str, Any]) -> str:
    """The address that a request comes from, as its connection shows it: behind a proxy of ours, what that says last.

    A proxy appends the address that it sees, so only the last word is its own. A caller who is no proxy, on this machine or in a private
    network, may write any: that makes more directions, and no more guesses, which are counted together as well.
    """
    peer = str(environ.get("REMOTE_ADDR") or "")
    last = str(environ.get("HTTP_X_FORWARDED_FOR") or "").rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last)) if last and not ipaddress.ip_address(peer).is_global else peer
    except ValueError:
        return peer


def from_this_machine(environ: dict[str, Any]) -> bool:
    """Whether a request began on this machine: from loopback, to a loopback name, by no proxy, tunnel or web page."""
    proxied = any(name.startswith(("HTTP_X_FORWARDED", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")) for name in environ)
    if proxied or "HTTP_ORIGIN" in environ:
        return False
    host = str(environ.get("HTTP_HOST") or "localhost")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return is_loopback_address(str(environ.get("REMOTE_ADDR") or "")) and is_loopback(name)
