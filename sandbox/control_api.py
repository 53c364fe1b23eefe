"""The sandbox's own API under /sandbox: faults, answers, journal, inbound messages. Described in docs/reference/sandbox.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final, NotRequired, TypedDict, TypeVar

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from sandbox.engine.answer_script import AnswerScriptDocument
from sandbox.engine.faults import FaultSettings, StrictModel
from sandbox.engine.journal import JournalEntryDocument, JournalQuery
from sandbox.engine.json_types import JsonObject
from sandbox.engine.state import STATE
from sandbox.sendgrid import inbound_email
from sandbox.sendgrid.inbound_email import SimulatedEmail
from sandbox.twilio import inbound_sms
from sandbox.twilio.inbound_sms import SimulatedSms

if TYPE_CHECKING:
    from sandbox.engine.webhook_sender import WebhookResponse

Model = TypeVar("Model", bound=BaseModel)
MAX_WAIT_SECONDS: Final = 120.0
DEFAULT_LIMIT: Final = 1000
"""Entries in one answer."""
BAD_GATEWAY: Final = 502


class ConfigDocument(TypedDict):
    """The answer of GET /sandbox/config."""

    instance: str
    real: list[str]
    """The providers that are not played here, a sentence each."""
    webhook_url: str
    public_url: str
    user_phone: str
    boss_phone: str
    user_email: str
    boss_email: str


class ClockChange(StrictModel):
    """What POST /sandbox/clock takes."""

    advance_seconds: Annotated[float, Field(ge=0, le=366 * 24 * 3600)]


class ClockDocument(TypedDict):
    """The answer of GET and POST /sandbox/clock."""

    now: float
    """Seconds of the epoch."""
    advanced_seconds: float
    """How far it is ahead of the machine's clock."""


class LastNumber(TypedDict):
    """The answer of DELETE /sandbox/journal and of POST /sandbox/reset: the newest entry's number."""

    last: int


class JournalPage(TypedDict):
    """The answer of GET /sandbox/journal."""

    instance: str
    last: int
    """The newest number in the journal, also when its entry is not among these."""
    entries: list[JournalEntryDocument]


class JournalCount(TypedDict):
    """The answer of GET /sandbox/journal/count."""

    count: int


class JournalWait(JournalPage, JournalCount):
    """The answer of GET /sandbox/journal/wait."""

    reached: bool
    """Whether there were enough entries before the time was over."""


class WebhookOutcome(TypedDict):
    """The answer of POST /sandbox/sms and POST /sandbox/email: how the product answered the webhook, the first copy first."""

    message_sid: NotRequired[str]
    message_id: NotRequired[str]
    status: int | None
    statuses: list[int | None]
    body: str
    error: str | None


def routes() -> list[web.RouteDef]:
    """The control API's routes. Faults have an old path besides."""
    faults = [
        route
        for path in ("/sandbox/faults", "/sandbox/knobs")
        for route in (web.get(path, show_faults), web.post(path, change_faults), web.delete(path, reset_faults))
    ]
    return [
        *faults,
        web.get("/sandbox/config", config),
        web.get("/sandbox/journal", journal),
        web.delete("/sandbox/journal", clear_journal),
        web.get("/sandbox/journal/count", count),
        web.get("/sandbox/journal/wait", wait),
        web.get("/sandbox/script", show_script),
        web.post("/sandbox/script", extend_script),
        web.delete("/sandbox/script", clear_script),
        web.get("/sandbox/clock", show_clock),
        web.post("/sandbox/clock", advance_clock),
        web.post("/sandbox/reset", reset),
        web.post("/sandbox/sms", sms),
        web.post("/sandbox/email", email),
    ]


async def config(http: web.Request) -> web.Response:
    """Show who talks to whom; no secrets."""
    settings, state = http.app[STATE].settings, http.app[STATE]
    document: ConfigDocument = {
        "instance": state.journal.instance,
        "real": settings.real.splitlines(),
        "webhook_url": settings.webhook_url,
        "public_url": settings.public_url,
        "user_phone": settings.user_phone,
        "boss_phone": settings.boss_phone,
        "user_email": settings.user_email,
        "boss_email": settings.boss_email,
    }
    return web.json_response(document)


async def show_faults(http: web.Request) -> web.Response:
    """Show the fault settings, with the faults that have not been used up."""
    return web.json_response(http.app[STATE].faults.model_dump())


async def change_faults(http: web.Request) -> web.Response:
    """Change some of the fault settings."""
    state = http.app[STATE]
    change = await read_document(http)
    try:
        state.faults = state.faults.merged(change)
    except ValidationError as error:
        raise bad_request(all_errors(error)) from None
    return web.json_response(state.faults.model_dump())


async def reset_faults(http: web.Request) -> web.Response:
    """Set all faults back to their defaults, and end the requests that hang."""
    state = http.app[STATE]
    state.faults = FaultSettings()
    state.release_requests()
    return web.json_response(state.faults.model_dump())


async def show_script(http: web.Request) -> web.Response:
    """Show the answers of the model that wait, the next one first."""
    return _script(http)


async def extend_script(http: web.Request) -> web.Response:
    """Let more answers wait, behind those that do."""
    document = _parse(AnswerScriptDocument, await read_document(http))
    try:
        http.app[STATE].script.add(document.answers)
    except ValueError as error:
        raise bad_request(str(error)) from None
    return _script(http)


async def clear_script(http: web.Request) -> web.Response:
    """Forget the answers that wait."""
    http.app[STATE].script.answers.clear()
    return _script(http)


async def show_clock(http: web.Request) -> web.Response:
    """Show the time by which what the model caches, and what it may use in a minute, is judged."""
    return _clock(http)


async def advance_clock(http: web.Request) -> web.Response:
    """Let time pass at once."""
    http.app[STATE].clock.advanced += _parse(ClockChange, await read_document(http)).advance_seconds
    return _clock(http)


async def journal(http: web.Request) -> web.Response:
    """Show the newest `limit` of the selected entries, oldest first."""
    return web.json_response(_page(http, _query(http)))


async def clear_journal(http: web.Request) -> web.Response:
    """Forget all entries."""
    found = http.app[STATE].journal
    found.clear()
    return web.json_response(LastNumber(last=found.last))


async def count(http: web.Request) -> web.Response:
    """Count entries; by kind and acceptance alone this costs nothing."""
    return web.json_response(JournalCount(count=http.app[STATE].journal.count(_query(http))))


async def wait(http: web.Request) -> web.Response:
    """Wait until `count` entries are there, at most `timeout` seconds."""
    found, query = http.app[STATE].journal, _query(http)
    seconds = min(_number(http, "timeout", 10), MAX_WAIT_SECONDS)
    reached = await found.wait(query, int(_number(http, "count", 1)), seconds)
    document: JournalWait = {"reached": reached, "count": found.count(query), **_page(http, query)}
    return web.json_response(document)


async def reset(http: web.Request) -> web.Response:
    """Forget everything."""
    state = http.app[STATE]
    state.reset()
    return web.json_response(LastNumber(last=state.journal.last))


async def sms(http: web.Request) -> web.Response:
    """Post a text's webhook to the product."""
    sid, responses = await inbound_sms.deliver(http.app[STATE], _parse(SimulatedSms, await read_document(http)))
    return _outcome({"message_sid": sid, **_answers(responses)})


async def email(http: web.Request) -> web.Response:
    """Post a mail's webhook to the product."""
    mail = _parse(SimulatedEmail, await read_document(http))
    try:
        message_id, responses = await inbound_email.deliver(http.app[STATE], mail)
    except (UnicodeEncodeError, LookupError, ValueError) as error:
        raise bad_request(f"this mail cannot be written: {error}") from None
    return _outcome({"message_id": message_id, **_answers(responses)})


def _script(http: web.Request) -> web.Response:
    return web.json_response(AnswerScriptDocument(answers=http.app[STATE].script.answers).model_dump())


def _clock(http: web.Request) -> web.Response:
    clock = http.app[STATE].clock
    return web.json_response(ClockDocument(now=clock.now(), advanced_seconds=clock.advanced))


def _answers(responses: list[WebhookResponse]) -> WebhookOutcome:
    first = responses[0]
    statuses = [response.status for response in responses]
    return {"status": first.status, "statuses": statuses, "body": first.body, "error": first.error}


def _outcome(document: WebhookOutcome) -> web.Response:
    return web.json_response(document, status=200 if document["status"] is not None else BAD_GATEWAY)


def _page(http: web.Request, query: JournalQuery) -> JournalPage:
    found = http.app[STATE].journal
    limit = int(_number(http, "limit", DEFAULT_LIMIT))
    entries = list(found.find(query))[-limit:] if limit else []
    return {"instance": found.instance, "last": found.last, "entries": [entry.to_json() for entry in entries]}


def _query(http: web.Request) -> JournalQuery:
    """Read which entries are selected from the query string. An `accepted` that is no boolean selects both."""
    given = http.query
    accepted = {"1": True, "true": True, "0": False, "false": False}.get(given.get("accepted", "").lower())
    kinds = tuple(kind for text in given.getall("kind", []) for kind in text.split(",") if kind)
    return JournalQuery(
        kinds=kinds,
        accepted=accepted,
        since=int(_number(http, "since", 0)),
        to=given.get("to"),
        sender=given.get("from"),
        contains=given.get("contains"),
    )


def _number(http: web.Request, name: str, default: float) -> float:
    try:
        return max(float(http.query.get(name, default)), 0)
    except ValueError:
        raise bad_request(f"{name} is not a number") from None


async def read_document(http: web.Request) -> JsonObject:
    """Read a JSON object. The content type is required: another site's form cannot send it without a preflight request."""
    if http.content_type != "application/json":
        raise bad_request("Content-Type must be application/json")
    try:
        document = json.loads(await http.read() or b"{}")
    except ValueError:
        raise bad_request("the body is not JSON") from None
    if not isinstance(document, dict):
        raise bad_request("the body is not a JSON object")
    return document


def _parse(model: type[Model], document: dict[str, Any]) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise bad_request(all_errors(error)) from None


def all_errors(error: ValidationError) -> str:
    """All that is wrong with a document, in one line."""
    return "; ".join(f"{'.'.join(str(step) for step in each['loc'])}: {each['msg']}" for each in error.errors())


def bad_request(sentence: str) -> web.HTTPBadRequest:
    """The answer to a request that cannot be carried out."""
    return web.HTTPBadRequest(text=json.dumps({"error": sentence}), content_type="application/json")
