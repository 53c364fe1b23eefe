"""Which mails SendGrid refuses, and in which words."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from sandbox.engine.provider_request import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.engine.faults import Fault

JsonObject = dict[str, Any]
TOO_MANY_REQUESTS: Final = 429
MOST_PERSONALIZATIONS: Final = 1000
LONGEST_CUSTOM_ARGS: Final = 10_000
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
EMPTY_CONTENT: Final = "The content value must be a string at least one character in length."
HTML_FIRST: Final = "If present, text/plain and text/html must be the first and second content blocks, in that order."


def error(status: int, message: str, field: str | None = None, headers: dict[str, str] | None = None) -> Answer:
    """Word an error as SendGrid does."""
    return refused(status, [(message, field)], headers)


def refused(status: int, faults: list[tuple[str, str | None]], headers: dict[str, str] | None = None) -> Answer:
    """Word several errors at once."""
    errors = [{"message": message, "field": field, "help": None} for message, field in faults]
    return Answer(status=status, body={"errors": errors}, headers=headers or {}, accepted=False)


def fault(status: int, given: Fault | None = None) -> Answer:
    """Word a fault; 429 tells by X-RateLimit-Reset when to come back."""
    headers: dict[str, str] = {}
    if given is not None and given.retry_after is not None:
        headers["Retry-After"] = f"{given.retry_after:g}"
    if status == TOO_MANY_REQUESTS:
        wait = given.retry_after if given is not None and given.retry_after is not None else 1
        reset = str(int(time.time() + wait))
        headers |= {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    return error(status, SENTENCES.get(status, "simulated fault"), headers=headers)


def judge(mail: JsonObject) -> list[tuple[str, str | None]]:
    """Return everything for which SendGrid would refuse a mail."""
    return [*_recipients(mail), *_head(mail), *_content(mail), *_extras(mail)]


def _recipients(mail: JsonObject) -> Iterator[tuple[str, str | None]]:
    personalizations = mail.get("personalizations")
    if not isinstance(personalizations, list) or not 0 < len(personalizations) <= MOST_PERSONALIZATIONS:
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


def _head(mail: JsonObject) -> Iterator[tuple[str, str | None]]:
    if not addresses([mail.get("from")]):
        yield NO_SENDER, "from.email"
    people = mail.get("personalizations")
    everywhere = isinstance(people, list) and people and all(isinstance(each, dict) and each.get("subject") for each in people)
    if not (mail.get("subject") or everywhere or mail.get("template_id")):
        yield NO_SUBJECT, "subject"


def _content(mail: JsonObject) -> Iterator[tuple[str, str | None]]:
    blocks = mail.get("content")
    if not isinstance(blocks, list) or not blocks:
        if not mail.get("template_id"):
            yield NO_CONTENT, "content"
        return
    for number, block in enumerate(blocks):
        value = block.get("value") if isinstance(block, dict) else None
        if not isinstance(value, str) or not value:
            yield EMPTY_CONTENT, f"content.{number}.value"
    types = [block.get("type") for block in blocks if isinstance(block, dict)]
    if "text/plain" in types and types[0] != "text/plain":
        yield HTML_FIRST, "content"


def _extras(mail: JsonObject) -> Iterator[tuple[str, str | None]]:
    for owner, place in _owners(mail):
        for name in owner.get("headers") or {}:
            if str(name).lower() in FORBIDDEN_HEADERS:
                yield f"The header {name} is reserved and may not be set.", f"{place}headers"
        given = owner.get("custom_args")
        if given is not None and not isinstance(given, dict if place else str):
            yield f"The custom_args must be {'an object' if place else 'a string'}.", f"{place}custom_args"
        if len(json.dumps(given or {})) > LONGEST_CUSTOM_ARGS:
            yield "The custom_args must be less than 10000 bytes.", f"{place}custom_args"


def _owners(mail: JsonObject) -> Iterator[tuple[JsonObject, str]]:
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
