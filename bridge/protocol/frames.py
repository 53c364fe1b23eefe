"""The frames of the bridge: a client's are checked and read, the supervisor's are written as JSON text.

They are checked by hand and not with pydantic, so that a `ping` costs one `json.loads` and a string. An error's sentence repeats
nothing of the frame's content.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from bridge.protocol.codes import ClientFrame, ErrorCode, ServerFrame
from shared.model.channels import of_type
from shared.model.codec import dumps
from shared.model.events import Response

MAX_ID: Final = 128
MAX_CLIENT: Final = 128
MAX_USER: Final = 256
MAX_REFERENCES: Final = 20
PONG: Final = dumps({"type": ServerFrame.PONG})
RETRYABLE: Final = frozenset({ErrorCode.STORAGE_UNAVAILABLE, ErrorCode.TOO_MANY_REQUESTS, ErrorCode.TOO_MANY_PENDING})
"""After these codes the same request, under the same id, may succeed."""
SENTENCES: Final[dict[str, str]] = {
    ErrorCode.NOT_AUTHENTICATED: "Not authenticated",
    ErrorCode.BAD_JSON: "A frame must be one JSON object.",
    ErrorCode.NOT_TEXT: "A frame must be text, not binary.",
    ErrorCode.UNKNOWN_TYPE: "The frame's type is not known here.",
    ErrorCode.STRANGER: "This sender is not a user of that Boss.",
    ErrorCode.UNKNOWN_RECIPIENT: "There is no Boss at that address.",
    ErrorCode.ID_REUSED: "This id was used for a request with other content.",
    ErrorCode.TOO_MANY_REQUESTS: "Too many requests: wait a little, then send it again.",
    ErrorCode.TOO_MANY_PENDING: "Too many requests wait for their answers.",
    ErrorCode.RESYNC_REQUIRED: "Some lines of the ledger are not kept any more; it goes on with the oldest that is.",
    ErrorCode.STORAGE_UNAVAILABLE: "The message could not be stored; send it again.",
    ErrorCode.PARKED: "The message could not be answered and was set aside for the operator.",
    ErrorCode.NOTHING_TO_SAY: "The message was read, and there is nothing to say to it.",
    ErrorCode.IGNORED: "The message is not answered.",
    "expired": "This message ended long ago, and its answer is not kept any more.",
    "rate_limited": "You have sent more messages than can be answered within an hour. Please try again later.",
}

MessageType = Literal[ClientFrame.SMS, ClientFrame.EMAIL]
_SEQ: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")
_CONVERSATION: Final = re.compile(r"c-[0-9a-f]{24}")
_THREAD_ID: Final = re.compile(r"<[!-;=?-~]{1,400}>")
_BARE_ID: Final = re.compile(r"[!-;=?-~]{1,400}")


class Malformed(Exception):
    """A field that cannot be used; `sentence` names it without its content."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Auth:
    """An `auth` frame. `protocol` is None for a client of the first dialect."""

    token: str = field(repr=False)
    protocol: int | None
    client: str
    id: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A `subscribe` frame. An empty `conversation` is all of them; with an empty `since` the subscription begins now."""

    conversation: str
    since: str
    id: str


@dataclass(frozen=True, slots=True)
class MessageContent:
    """A message's content, normalised: a request that repeats an id must have an equal one."""

    sender: str
    recipient: str
    text: str
    subject: str = ""
    message_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()


def id_of(frame: Mapping[str, Any]) -> str:
    """The frame's id, '' without one. Raises Malformed."""
    return _text(frame, "id", MAX_ID, required=False)


def auth_of(frame: Mapping[str, Any]) -> Auth:
    """Read an `auth`. Raises Malformed."""
    protocol = frame.get("protocol")
    if protocol is not None and (type(protocol) is not int or protocol < 1):
        raise Malformed("The field protocol must be a whole number from 1.")
    return Auth(_required(frame, "token"), protocol, _text(frame, "client", MAX_CLIENT, required=False), id_of(frame))


def subscribe_of(frame: Mapping[str, Any]) -> Subscribe:
    """Read a `subscribe`. Raises Malformed."""
    since, conversation = (_text(frame, name, 64, required=False) for name in ("since", "conversation"))
    if since and not _SEQ.fullmatch(since):
        raise Malformed("The field since must be the seq of an event.")
    if conversation and not _CONVERSATION.fullmatch(conversation):
        raise Malformed("The field conversation must be the id of a conversation.")
    return Subscribe(conversation, since, id_of(frame))


def user_of(frame: Mapping[str, Any]) -> str:
    """The request's `user`, which is only repeated in answers. Raises Malformed."""
    user = frame.get("user")
    if not isinstance(user, str) or len(user) > MAX_USER:
        raise Malformed(f"The field user must be text of at most {MAX_USER} characters.")
    return _whole(user)


def content_of(frame: Mapping[str, Any], kind: MessageType) -> MessageContent:
    """Read an `sms_received` or an `email_received`. Raises Malformed."""
    sender, recipient = _required(frame, "from"), _required(frame, "to")
    if kind == ClientFrame.SMS:
        return MessageContent(sender, recipient, _required(frame, "message"))
    subject, body = " ".join(_any_text(frame, "subject").split()), _any_text(frame, "body")
    if not subject and not body.strip():
        raise Malformed("One of the fields subject and body must hold text.")
    return MessageContent(
        sender, recipient, body, subject, _thread_id(frame, "message_id"), _thread_id(frame, "in_reply_to"), _references(frame)
    )


def message_id(client: str, request_id: str, nonce: str) -> str:
    """Our id of a message: made from the client's name and its id, or from `nonce` (24 hexadecimal digits) without one."""
    if not request_id:
        return "m-" + nonce
    return "m-" + hashlib.sha256(f"bridge\x1f{client}\x1f{request_id}".encode()).hexdigest()[:24]


def acknowledged(kind: MessageType, user: str, request_id: str, at: float) -> str:
    """`message_acknowledged`; `at` is in epoch seconds."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return _frame(ServerFrame.ACKNOWLEDGED, request_id, message_type=of_type(kind), user=user, timestamp=moment)


def reply(command: Response, user: str, request_id: str) -> str:
    """`send_sms_response` or `send_email_response`."""
    return _frame(command.type, request_id, to=command.to.value, **command.content(), user=user)


def error(code: str, request_id: str = "", sentence: str = "") -> str:
    """`error`; without a `sentence`, the one of the code."""
    sentence = sentence or SENTENCES.get(code) or SENTENCES[ErrorCode.IGNORED]
    return _frame(ServerFrame.ERROR, request_id, message=sentence, code=code, retryable=code in RETRYABLE)


def pong(request_id: str) -> str:
    """`pong` for a ping with an id."""
    return _frame(ServerFrame.PONG, request_id)


def subscribed(request_id: str, seq: str) -> str:
    """`subscribed`; the events after `seq` follow."""
    return _frame(ServerFrame.SUBSCRIBED, request_id, seq=seq)


def event(seq: str, kind: str, fields: Mapping[str, str]) -> str:
    """`event`: one line of the ledger."""
    return dumps({"type": ServerFrame.EVENT, "seq": seq, "event": {"type": kind, **fields}})


def auth_result(*, success: bool, message: str, request_id: str = "", **more: object) -> str:
    """`auth_result`; `more` is for a client that sent `protocol`."""
    return _frame(ServerFrame.AUTH_RESULT, request_id, success=success, message=message, **more)


def _frame(kind: str, request_id: str, **fields: object) -> str:
    frame = {"type": kind, **fields}
    if request_id:
        frame["in_reply_to"] = request_id
    return dumps(frame)


def _text(frame: Mapping[str, Any], name: str, limit: int, *, required: bool) -> str:
    value = frame.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        raise Malformed(f"The field {name} must be text of 1 to {limit} characters.")
    return _whole(value)


def _any_text(frame: Mapping[str, Any], name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str):
        raise Malformed(f"The field {name} must be text.")
    return _whole(value)


def _required(frame: Mapping[str, Any], name: str) -> str:
    value = _any_text(frame, name)
    if not value.strip():
        raise Malformed(f"The field {name} must not be empty.")
    return value


def _whole(text: str) -> str:
    """Text without unpaired surrogates, which JSON can express and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _thread_id(frame: Mapping[str, Any], name: str) -> str:
    """A message id of RFC 5322, its brackets added when they are missing; '' without one."""
    value = frame.get(name)
    return "" if value is None or value == "" else _bracketed(value, name)


def _bracketed(value: object, name: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if _THREAD_ID.fullmatch(text):
        return text
    if _BARE_ID.fullmatch(text):
        return f"<{text}>"
    raise Malformed(f"The field {name} must hold message ids such as <1@example.com>.")


def _references(frame: Mapping[str, Any]) -> tuple[str, ...]:
    """A list of ids, or a text with blanks between them: the thread's root and the last twenty."""
    value = frame.get("references")
    items = value.split() if isinstance(value, str) else value
    if items is not None and not isinstance(items, list):
        raise Malformed("The field references must hold message ids such as <1@example.com>.")
    ids = list(dict.fromkeys(_bracketed(item, "references") for item in items or ()))
    return tuple(ids if len(ids) <= MAX_REFERENCES else [ids[0], *ids[-MAX_REFERENCES:]])
