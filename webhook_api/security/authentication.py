"""Authenticates webhooks: each is verified before anything in it is parsed or believed.

Twilio signs its requests. SendGrid signs them when a security policy is attached to the parse setting; otherwise it is asked for a shared
secret. Where the sandbox plays a provider, a webhook of that provider without any credential is accepted from this machine, and marked
unsigned, so that a plain `curl` works; a wrong credential is rejected even then.
"""

from __future__ import annotations

import ipaddress
import re
import time
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import Hash
from flask import Request

from shared.config.providers import Provider
from shared.config.settings import Settings
from shared.config.web_address import webhook_base_url
from shared.errors import BadInput
from shared.model.addresses import Channel
from shared.net import is_loopback, is_loopback_address
from shared.observability import logs
from shared.security.password import DelaySlots, PasswordVerifier, Verdict
from webhook_api.security import signatures
from webhook_api.security.signatures import Form

TWILIO_SIGNATURE: Final = "X-Twilio-Signature"
_TWILIO_SIGNATURE: Final = "HTTP_" + TWILIO_SIGNATURE.upper().replace("-", "_")
_HMAC_SHA1: Final = re.compile(r"[A-Za-z0-9+/]{27}=")
SENDGRID_SIGNATURE: Final = "X-Twilio-Email-Event-Webhook-Signature"
SENDGRID_TIMESTAMP: Final = "X-Twilio-Email-Event-Webhook-Timestamp"
_TIMESTAMP: Final = re.compile(r"[0-9]{1,20}")
_CREDENTIAL_HEADERS: Final = (_TWILIO_SIGNATURE, "HTTP_" + SENDGRID_SIGNATURE.upper().replace("-", "_"), "HTTP_AUTHORIZATION")
"""Every header by which any provider proves itself. A further channel's belongs here: without one of them no body is read (`may_read`)."""
OLD_SECONDS: Final = 600.0
"""A signature whose timestamp is further away than this is logged."""
log = logs.logger(__name__)


class Refusal(BadInput):
    """A request that is answered with `status` and no content; `code` is the reason in the ledger."""

    def __init__(self, reason: str, status: int = 403) -> None:
        super().__init__(code=reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class _BodySignature:
    """SendGrid's signature over a body that is not read yet; `hash` has begun with the timestamp."""

    key: EllipticCurvePublicKey
    hash: Hash
    signature: str
    timestamp: str


@dataclass(frozen=True, slots=True)
class SendGridCheck:
    """What is left to do to authenticate a request of SendGrid's: hash its body while it is read, then `finish`.

    Without `_signature` there is nothing to do: `_proven` says whether the secret was shown (False: unsigned, and accepted so).
    """

    _proven: bool
    _signature: _BodySignature | None = None

    def on_chunk(self, chunk: bytes) -> None:
        """Take the next chunk of the body."""
        if self._signature is not None:
            self._signature.hash.update(chunk)

    def finish(self) -> bool:
        """Whether the sender proved to be SendGrid, once the whole body was read. Raises Refusal `bad_signature`."""
        if self._signature is None:
            return self._proven
        if not signatures.sendgrid_signed(self._signature.key, self._signature.hash, self._signature.signature):
            raise Refusal("bad_signature")
        _log_if_old(self._signature.timestamp)
        return True


@dataclass(frozen=True, slots=True)
class WebhookAuthenticator:
    """The credentials that callers are checked against. A key is None where SendGrid does not sign."""

    settings: Settings
    base_url: str
    auth_token: str = field(repr=False)
    mail_key: EllipticCurvePublicKey | None
    events_key: EllipticCurvePublicKey | None
    mail_secret: PasswordVerifier

    @classmethod
    def of(cls, settings: Settings, slots: DelaySlots | None = None) -> WebhookAuthenticator:
        """Read the keys; raises ConfigurationError for an invalid one. `slots` bound the threads that guesses at the secret may hold."""
        mail, events = settings.sendgrid_inbound_public_key, settings.sendgrid_events_public_key
        return cls(
            settings,
            webhook_base_url(settings),
            settings.twilio_auth_token.get_secret_value(),
            signatures.load_public_key("SENDGRID_INBOUND_PUBLIC_KEY", mail) if mail else None,
            signatures.load_public_key("SENDGRID_EVENTS_PUBLIC_KEY", events) if events else None,
            PasswordVerifier(settings.email_webhook_secret.get_secret_value(), slots),
        )

    def may_read(self, environ: dict[str, Any]) -> bool:
        """Whether a request has any credential; outside of sandbox mode the body of one that has none is not read."""
        has_token = "token=" in environ.get("QUERY_STRING", "")
        return self.settings.sandbox_on or any(name in environ for name in _CREDENTIAL_HEADERS) or has_token

    def check_twilio_header(self, request: Request) -> None:
        """Before the body is read: raises Refusal for a request whose signature is missing or malformed."""
        signature = request.environ.get(_TWILIO_SIGNATURE)
        if signature is None:
            self._accept_unsigned(request, "twilio")
        elif not _HMAC_SHA1.fullmatch(signature):
            raise Refusal("bad_signature")

    def verify_twilio(self, request: Request, form: Form) -> bool:
        """Whether Twilio signed a form; False for one without a signature that is accepted so. Raises Refusal."""
        signature = request.environ.get(_TWILIO_SIGNATURE)
        if signature is None:
            return self._accept_unsigned(request, "twilio")
        url = signatures.requested_url(self.base_url, request.environ)
        if not (self.auth_token and signatures.twilio_signed(self.auth_token, url, form, signature)):
            raise Refusal("bad_signature")
        return True

    def begin_sendgrid(self, request: Request, key: EllipticCurvePublicKey | None) -> SendGridCheck:
        """Check what can be checked before the body is read, so that a stranger cannot make us read 30 MB. Raises Refusal."""
        if key is None:
            return SendGridCheck(self._knows_secret(request))
        signature = request.headers.get(SENDGRID_SIGNATURE)
        if signature is None:
            return SendGridCheck(self._accept_unsigned(request, "sendgrid"))
        timestamp = request.headers.get(SENDGRID_TIMESTAMP, "")
        # SendGrid signs timestamp and body without a separator: a longer "timestamp" could contain the body's first line.
        if not _TIMESTAMP.fullmatch(timestamp):
            raise Refusal("bad_signature")
        return SendGridCheck(False, _BodySignature(key, signatures.sendgrid_hash(timestamp), signature, timestamp))

    def _knows_secret(self, request: Request) -> bool:
        token, login = request.args.get("token"), request.authorization
        given = token if token is not None else (login.password if login is not None else None)
        if given is None and "Authorization" not in request.headers:
            return self._accept_unsigned(request, "sendgrid")
        verdict = self.mail_secret.verify(given, caller_of(request.environ))
        if verdict is Verdict.BUSY:  # it was not compared, and may be genuine: SendGrid repeats a request after a 5xx only
            raise Refusal("too_many_guesses", 503)
        if verdict is Verdict.WRONG:
            raise Refusal("bad_secret")
        return True

    def _accept_unsigned(self, request: Request, provider: Provider) -> bool:
        """False ("not signed") for a request from this machine where the sandbox plays the provider. Raises Refusal for any other."""
        if provider in self.settings.played and from_this_machine(request.environ):
            return False
        raise Refusal("unsigned")

    def has_credentials(self, channel: Channel) -> bool:
        """Whether anything is configured by which a webhook of the channel could prove that it is its provider's; a row a channel."""
        proofs = {"sms": bool(self.auth_token), "email": self.mail_secret.is_set or bool(self.mail_key or self.events_key)}
        return proofs.get(channel, False)

    def check_account(self, account: str) -> None:
        """Raises Refusal for a form of another Twilio account; a form that names none is ours by its signature."""
        if account and account != self.settings.twilio_account_sid:
            raise Refusal("wrong_account")


def _log_if_old(timestamp: str) -> None:
    """Log a signature that is not of now.

    It is accepted: whether SendGrid signs its retries of three days anew is not documented. A replayed mail is recognised by its own id.
    """
    age = time.time() - int(timestamp)
    if abs(age) > OLD_SECONDS:
        log.warning("A signed request of SendGrid's is not of now.", action="old_signature", seconds=round(age))


def caller_of(environ: dict[str, Any]) -> str:
    """The address that a request comes from: its connection's, or behind a proxy of ours the one that the proxy added last.

    A proxy appends the address that it sees, so only the last one is its own. A caller who is no proxy, on this machine or in a private
    network, may write any address there: that makes more sources and no more guesses, which are counted together as well.
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
