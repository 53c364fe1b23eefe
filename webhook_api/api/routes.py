"""`POST /api/messages`, `GET /api/messages/ID`, `GET /api/users`: programs have the Boss write. Off until there is a token."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from flask import Request, request
from redis.exceptions import RedisError
from werkzeug.exceptions import RequestEntityTooLarge

from shared.errors import StorageFault, StorageUnavailable
from shared.mailbox.records import Message, MessageState
from shared.model.channels import CHANNELS
from shared.model.outgoing import PREFIX, OutgoingMessage, fault_of
from shared.model.text import clean
from shared.model.users import User
from shared.operations.api_tokens import ApiToken, TokenTable
from shared.security.password import DelaySlots, PasswordVerifier, Verdict
from webhook_api.api import requests
from webhook_api.api.answers import Problem, json
from webhook_api.api.openapi import document
from webhook_api.http.flask_app import CompleteResponse
from webhook_api.intake.intake import Intake
from webhook_api.security.authentication import caller_of

_KEY: Final = re.compile(r"[!-~]{1,255}")
_ID: Final = re.compile(r"m-api-[0-9a-f]{24}")
REPLAYED: Final = "Idempotency-Replayed"
_REFUSED: Final = {
    "opted_out": "the person wants nothing more on this channel",
    "expired": "expires_at is past, or more than 31 days ahead",
    "address_removed": "the person is not reached by this channel",
}
_AWAY: Final = ("unavailable", "nothing can be looked up or stored now", 5)


class Api:
    """The API of one process."""

    def __init__(self, intake: Intake, slots: DelaySlots) -> None:
        self._intake = intake
        self._tokens = TokenTable(intake.runtime.redis)
        self._verifier = PasswordVerifier("", slots, throttled=self._tokens)
        self._running: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def view(self, handler: Callable[..., CompleteResponse], limit: int = 0) -> Callable[..., CompleteResponse]:
        """A handler as Flask calls it: its problems become answers."""

        def call(**values: str) -> CompleteResponse:
            called: Request = request._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001 - the request itself
            called.max_content_length = limit
            try:
                return handler(called, self._token(called), **values)
            except Problem as problem:
                return problem.response()
            except RequestEntityTooLarge:
                return Problem(413, "too_large", f"a body has at most {requests.MAX_BODY_BYTES} bytes").response()
            except (StorageFault, StorageUnavailable, RedisError, OSError):
                return Problem(503, *_AWAY).response()

        return call

    def openapi(self, _request: Request, _token: ApiToken) -> CompleteResponse:
        """The description of all this."""
        return json(200, document())

    def users(self, _request: Request, token: ApiToken) -> CompleteResponse:
        """Whom the token may write to."""
        found = [user for user in self._intake.runtime.users.all if token.may_write_to(user.id)]
        told = [{"username": each.username, "name": each.name, "channels": _channels(each)} for each in found]
        return json(200, {"users": sorted(told, key=lambda each: str(each["username"]))})

    def message(self, _request: Request, token: ApiToken, message_id: str) -> CompleteResponse:
        """What became of a message of the token's own."""
        found = self._intake.runtime.mailbox.message(message_id) if _ID.fullmatch(message_id) else None
        if found is None or found.token != token.id:
            raise Problem(404, "unknown_message", "this token has no such message, or it has not left the spool yet")
        reply = self._intake.runtime.mailbox.reply_of(found)
        state, reason = _state(found, str(reply.state) if reply else "", reply.code if reply else "")
        user = self._intake.runtime.identities
        name = next((each.username for each in self._intake.runtime.users.all if user.user(each.id) == found.user), "")
        told = {"id": found.id, "user": name, "channel": found.channel, "state": state, "reason": reason}
        return json(200, {**told, **({"first": found.first} if found.first else {})})

    def write(self, called: Request, token: ApiToken) -> CompleteResponse:
        """Have a message written: 202 with its id, for what is stored."""
        if called.mimetype != "application/json":
            raise Problem(415, "not_json", "the body is application/json")
        key = called.headers.get("Idempotency-Key", "")
        if not _KEY.fullmatch(key):
            raise Problem(400, "no_key", "an Idempotency-Key of 1 to 255 visible ASCII characters is required")
        body = called.get_data(cache=False)
        if called.content_length is not None and len(body) < called.content_length:
            raise Problem(400, "truncated", "the body is not complete")
        wanted = requests.read(body)
        message = self._message(wanted, token, key)
        with self._lock:
            if (token.id, key) in self._running:
                raise Problem(409, "still_running", "a request with this Idempotency-Key is still running", 1)
            self._running.add((token.id, key))
        try:
            return self._written(message)
        finally:
            with self._lock:
                self._running.discard((token.id, key))

    def _written(self, message: OutgoingMessage) -> CompleteResponse:
        answer = self._intake.write(message)
        if answer is None or answer.outcome in ("accepted", "duplicate"):
            return _taken(message.id)
        if answer.outcome == "replayed":
            return _taken(answer.id, ((REPLAYED, "true"),))
        if answer.outcome == "key_reused":
            raise Problem(422, "key_reused", "this Idempotency-Key led to a message with another body")
        if answer.reason == "token_limited":
            raise Problem(
                429, "token_limited", "this token had 20 messages written to this person within a day", max(1, answer.wait_ms // 1000)
            )
        raise Problem(422, answer.reason, _REFUSED.get(answer.reason, answer.reason))

    def _message(self, wanted: requests.RequestedMessage, token: ApiToken, key: str) -> OutgoingMessage:
        user = self._user(wanted.user, token)
        if wanted.channel not in _channels(user):
            raise Problem(422, "no_channel", "the person is not reached by this channel")
        text, now = clean(wanted.text).strip(), time.time()
        segments = self._intake.runtime.settings.sms_max_segments
        if fault := fault_of(wanted.channel, text, wanted.subject, segments, token.source):
            raise Problem(422, "not_valid", fault)
        return OutgoingMessage(
            id=PREFIX + secrets.token_hex(12), user=user.id, channel=wanted.channel, text=text, subject=wanted.subject,
            urgent=wanted.urgent, expires_ms=requests.expires_ms(wanted.expires_at, now), token=token.id, source=token.source, key=key,
            body=wanted.spelled(), received_at=now,
        )  # fmt: skip

    def _user(self, username: str, token: ApiToken) -> User:
        """The person of that name. Who is not known is asked for in the registry first: 503 where that cannot be."""
        runtime = self._intake.runtime
        user = runtime.users.named(username)
        if user is None:
            runtime.people.refresh()
            user = runtime.users.named(username)
        if user is None or not token.may_write_to(user.id):
            raise Problem(422, "unknown_user", "nobody of this name, or not for this token")
        return user

    def _token(self, called: Request) -> ApiToken:
        """The caller's token. Raises Problem: 404 where there is none at all, 401 for another one, 429 for too many guesses."""
        try:
            if not self._intake.away or not self._tokens.known:
                self._tokens.refresh()
        except (RedisError, OSError):
            if not self._tokens.known:
                raise Problem(503, *_AWAY) from None
        if not self._tokens.is_set:
            raise Problem(404, "off", "there is no token: boss api token add")
        scheme, _, given = called.headers.get("Authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        verdict = self._verifier.verify(given, caller_of(called.environ)) if given else Verdict.WRONG
        if verdict is Verdict.BUSY:
            raise Problem(429, "too_many_guesses", "too many wrong tokens came from here", 5)
        found = self._tokens.find(given)
        if verdict is Verdict.WRONG or found is None:
            raise Problem(401, "no_token", "Authorization: Bearer, and a token of `boss api token add`")
        return found


def _taken(message_id: str, headers: tuple[tuple[str, str], ...] = ()) -> CompleteResponse:
    return json(202, {"id": message_id, "state": "pending"}, (("Location", f"/api/messages/{message_id}"), *headers))


def _channels(user: User) -> list[str]:
    return [] if user.bridge_only else [channel for channel in CHANNELS if user.ends(channel)]


def _state(message: Message, reply: str, code: str) -> tuple[str, str]:
    """What became of a message, and why: its own state until it was sent, then its reply's."""
    if message.state in (MessageState.IGNORED, MessageState.PARKED):
        return str(message.state), message.reason
    if message.state == MessageState.ANSWERED:
        return reply or "sent", code
    return "pending", ""


def routes(api: Api) -> dict[str, tuple[str, Callable[..., Any]]]:
    """The paths, each with its method and its view."""
    return {
        "/api/messages": ("POST", api.view(api.write, requests.MAX_BODY_BYTES)),
        "/api/messages/<message_id>": ("GET", api.view(api.message)),
        "/api/users": ("GET", api.view(api.users)),
        "/api/openapi.json": ("GET", api.view(api.openapi)),
    }
