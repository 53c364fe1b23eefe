"""Which mails SendGrid rejects, and how its errors look."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from sandbox.engine.json_types import JsonObject
from sandbox.engine.provider_request import ProviderResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.engine.faults import InjectedFault

Problem = tuple[str, str | None]
"""A sentence, and the path of the field that it is about."""
TOO_MANY_REQUESTS: Final = 429
MAX_PERSONALIZATIONS: Final = 1000
MAX_CUSTOM_ARGS: Final = 10_000
"""Characters of JSON."""
RESERVED: Final = "x-sg-id x-sg-eid received dkim-signature content-type content-transfer-encoding"
FORBIDDEN_HEADERS: Final = frozenset([*RESERVED.split(), "to", "from", "subject", "reply-to", "cc", "bcc"])
SENTENCES: Final = {
    401: "The provided authorization grant is invalid, expired, or revoked",
    403: "access forbidden",
    413: "The JSON payload you have included in your request is too large.",
    429: "too many requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
NO_PERSONALIZATION: Final = "The personalizations field is required and must have at least one personalization."
NO_RECIPIENT: Final = (
    "The to array is required for all personalization objects, and must have at least one email object with a valid email address."
)
NO_SENDER: Final = (
    "The from object must be provided for every email send. It is an object that requires the email parameter, "
    'but may also contain a name parameter.  e.g. {"email" : "example@example.com"}  or '
    '{"email" : "example@example.com", "name" : "Example Recipient"}.'
)
NO_SUBJECT: Final = (
    "The subject is required. You can get around this requirement if you use a template with a subject defined or if every "
    "personalization has a subject defined."
)
NO_CONTENT: Final = (
    "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content "
    "block. We typically suggest both text/plain and text/html blocks are included, but only one block is required."
)
NO_TYPE: Final = "The content type must be a string at least one character in length."
WRONG_TYPE: Final = "The content type cannot contain ';', or CRLF characters."
NOT_A_NAME: Final = "The from name, if used, must be a string."
NOT_A_SWITCH: Final = "The enable parameter, if used, must be a boolean."
NOT_TEXT: Final = "Header names and values must be strings on one line."
EMPTY_CONTENT: Final = "The content value must be a string at least one character in length."
HTML_FIRST: Final = "If present, text/plain and text/html must be the first and second content blocks, in that order."


def error_response(status: int, sentence: str, headers: dict[str, str] | None = None) -> ProviderResponse:
    """An error as SendGrid answers it."""
    return rejection(status, [(sentence, None)], headers)


def rejection(status: int, problems: list[Problem], headers: dict[str, str] | None = None) -> ProviderResponse:
    """An answer with several errors."""
    errors = [{"message": sentence, "field": field, "help": None} for sentence, field in problems]
    return ProviderResponse(status=status, body={"errors": errors}, headers=headers or {}, accepted=False)


def fault_response(status: int, fault: InjectedFault | None = None) -> ProviderResponse:
    """The answer of an injected fault; that of a 429 says in X-RateLimit-Reset (epoch seconds) when to come back."""
    headers: dict[str, str] = {}
    if fault is not None and fault.retry_after is not None:
        headers["Retry-After"] = f"{fault.retry_after:g}"
    if status == TOO_MANY_REQUESTS:
        wait = fault.retry_after if fault is not None and fault.retry_after is not None else 1
        reset = str(int(time.time() + wait))
        headers |= {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    return error_response(status, SENTENCES.get(status, "simulated fault"), headers)


def problems_of(mail: JsonObject) -> list[Problem]:
    """Everything for which SendGrid rejects a mail; empty if it accepts it."""
    return [*_recipients(mail), *_head(mail), *_content(mail), *_extras(mail)]


def _recipients(mail: JsonObject) -> Iterator[Problem]:
    personalizations = mail.get("personalizations")
    if not isinstance(personalizations, list) or not 0 < len(personalizations) <= MAX_PERSONALIZATIONS:
        yield NO_PERSONALIZATION, "personalizations"
        return
    for number, person in enumerate(personalizations):
        place = f"personalizations.{number}"
        if not isinstance(person, dict) or not addresses(person.get("to")):
            yield NO_RECIPIENT, f"{place}.to"
            continue
        seen: set[str] = set()
        for kind in ("to", "cc", "bcc"):
            for address in addresses(person.get(kind)):
                if address.lower() in seen:
                    yield _duplicate(address, f"{place}.{kind}"), place
                seen.add(address.lower())


def _duplicate(address: str, place: str) -> str:
    return (
        "Each email address in the personalization block should be unique between to, cc, and bcc. "
        f"We found the first duplicate instance of [{address}] in the {place} field."
    )


def _head(mail: JsonObject) -> Iterator[Problem]:
    if not addresses([mail.get("from")]):
        yield NO_SENDER, "from.email"
    elif not isinstance(mail["from"].get("name", ""), str):
        yield NOT_A_NAME, "from.name"
    people = mail.get("personalizations")
    everywhere = isinstance(people, list) and people and all(isinstance(each, dict) and each.get("subject") for each in people)
    if not (mail.get("subject") or everywhere or mail.get("template_id")):
        yield NO_SUBJECT, "subject"


def _content(mail: JsonObject) -> Iterator[Problem]:
    blocks = mail.get("content")
    if not isinstance(blocks, list) or not blocks:
        if not mail.get("template_id"):
            yield NO_CONTENT, "content"
        return
    for number, block in enumerate(blocks):
        kind, value = (block.get("type"), block.get("value")) if isinstance(block, dict) else (None, None)
        if not isinstance(kind, str) or not kind:
            yield NO_TYPE, f"content.{number}.type"
        elif any(char in kind for char in ";\r\n"):
            yield WRONG_TYPE, f"content.{number}.type"
        if not isinstance(value, str) or not value:
            yield EMPTY_CONTENT, f"content.{number}.value"
    types = [block.get("type") for block in blocks if isinstance(block, dict)]
    known = [kind for kind in ("text/plain", "text/html") if kind in types]
    if types[: len(known)] != known:
        yield HTML_FIRST, "content"


def _extras(mail: JsonObject) -> Iterator[Problem]:
    for name, tracking in (mail.get("tracking_settings") or {}).items():
        if not isinstance(tracking, dict) or not isinstance(tracking.get("enable", False), bool):
            yield NOT_A_SWITCH, f"tracking_settings.{name}.enable"
    for owner, place in _owners(mail):
        for name, value in (owner.get("headers") or {}).items():
            if str(name).lower() in FORBIDDEN_HEADERS:
                yield f"The header {name} is reserved and may not be set.", f"{place}headers"
            if not isinstance(value, str) or any(char in name + value for char in "\r\n"):
                yield NOT_TEXT, f"{place}headers"
        given = owner.get("custom_args")
        if given is not None and not isinstance(given, dict if place else str):
            yield f"The custom_args must be {'an object' if place else 'a string'}.", f"{place}custom_args"
        if len(json.dumps(given or {})) > MAX_CUSTOM_ARGS:
            yield "The custom_args must be less than 10000 bytes.", f"{place}custom_args"


def _owners(mail: JsonObject) -> Iterator[tuple[JsonObject, str]]:
    """The objects that may have headers and custom arguments, with their paths: the mail, and each personalization."""
    yield mail, ""
    for number, person in enumerate(mail.get("personalizations") or ()):
        if isinstance(person, dict):
            yield person, f"personalizations.{number}."


def addresses(value: object) -> list[str]:
    """Return the well-formed addresses of a list of {"email": ...} objects."""
    found = [item.get("email") for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return [email for email in found if isinstance(email, str) and _plausible(email)]


def _plausible(email: str) -> bool:
    local, _, domain = email.rpartition("@")
    return bool(local) and bool(domain) and not any(char.isspace() for char in email)
