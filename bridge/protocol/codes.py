"""Frame types, close codes and error codes of the bridge's protocol. No logic."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

PROTOCOL: Final = 1
"""The newest protocol that this code supports. A client that sends none uses the first dialect."""
CLIENT_MAX_FRAME: Final = 4 * 1024 * 1024
"""The largest frame that our client accepts: a reply of 50,000 characters in ASCII JSON is far below it."""


class ClientFrame(StrEnum):
    """Types of the frames that a client sends."""

    AUTH = "auth"
    SMS = "sms_received"
    EMAIL = "email_received"
    SUBSCRIBE = "subscribe"
    PING = "ping"


class ServerFrame(StrEnum):
    """Types of the frames that the supervisor sends."""

    AUTH_RESULT = "auth_result"
    ACKNOWLEDGED = "message_acknowledged"
    SMS_RESPONSE = "send_sms_response"
    EMAIL_RESPONSE = "send_email_response"
    SUBSCRIBED = "subscribed"
    EVENT = "event"
    PONG = "pong"
    ERROR = "error"


class Close(IntEnum):
    """Close codes (RFC 6455, section 7.4, and IANA's registry), and what a client does after each."""

    GOING_AWAY = 1001
    """The bridge ends: reconnect, with growing waits."""
    POLICY = 1008
    """The token is wrong or came too late: do not reconnect with the same."""
    TOO_BIG = 1009
    """A frame over the limit: the request itself has to change."""
    RESTART = 1012
    """The bridge restarts: reconnect at once."""
    OVERLOADED = 1013
    """Too many connections or requests: back off."""


class ErrorCode(StrEnum):
    """Codes of `error` frames. A message that ended as ignored has its reason as its code, such as `rate_limited`."""

    NOT_AUTHENTICATED = "not_authenticated"
    BAD_JSON = "bad_json"
    NOT_TEXT = "not_text"
    UNKNOWN_TYPE = "unknown_type"
    BAD_FIELD = "bad_field"
    STRANGER = "stranger"
    UNKNOWN_RECIPIENT = "unknown_recipient"
    ID_REUSED = "id_reused"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_MANY_PENDING = "too_many_pending"
    RESYNC_REQUIRED = "resync_required"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    NOTHING_TO_SAY = "nothing_to_say"
    IGNORED = "ignored"
    PARKED = "parked"
