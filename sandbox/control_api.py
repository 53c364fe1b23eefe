"""The sandbox's own API under /sandbox: knobs, journal, inbound messages. Documented in docs/sandbox.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from sandbox.engine.faults import Knobs
from sandbox.engine.journal import Query
from sandbox.engine.state import STATE
from sandbox.sendgrid import inbound_email
from sandbox.sendgrid.inbound_email import InboundEmail
from sandbox.twilio import inbound_sms
from sandbox.twilio.inbound_sms import InboundSms

if TYPE_CHECKING:
    from sandbox.engine.webhook_sender import Receipt

Model = TypeVar("Model", bound=BaseModel)
LONGEST_WAIT: Final = 120.0
DEFAULT_LIMIT: Final = 1000
UNREACHABLE: Final = 502


def routes() -> list[web.RouteDef]:
    """Return the control routes."""
    return [
        web.get("/sandbox/config", config),
        web.get("/sandbox/knobs", knobs),
        web.post("/sandbox/knobs", change_knobs),
        web.delete("/sandbox/knobs", default_knobs),
        web.get("/sandbox/journal", journal),
        web.delete("/sandbox/journal", clear_journal),
        web.get("/sandbox/journal/count", count),
        web.get("/sandbox/journal/wait", wait),
        web.post("/sandbox/reset", reset),
        web.post("/sandbox/sms", sms),
        web.post("/sandbox/email", email),
    ]


async def config(http: web.Request) -> web.Response:
    """Tell who talks to whom; no secrets."""
    settings, state = http.app[STATE].settings, http.app[STATE]
    names = ("webhook_url", "public_url", "user_phone", "boss_phone", "user_email", "boss_email")
    told = {name: getattr(settings, name) for name in names}
    return web.json_response({"instance": state.journal.instance, "real": settings.real.splitlines(), **told})


async def knobs(http: web.Request) -> web.Response:
    """Show the knobs, with the faults that are still to come."""
    return web.json_response(http.app[STATE].knobs.model_dump())


async def change_knobs(http: web.Request) -> web.Response:
    """Turn some knobs."""
    state = http.app[STATE]
    change = await _json(http)
    try:
        state.knobs = state.knobs.merged(change)
    except ValidationError as error:
        raise _bad(_explain(error)) from None
    return web.json_response(state.knobs.model_dump())


async def default_knobs(http: web.Request) -> web.Response:
    """Turn all knobs back, and let hanging requests go."""
    state = http.app[STATE]
    state.knobs = Knobs()
    state.let_go()
    return web.json_response(state.knobs.model_dump())


async def journal(http: web.Request) -> web.Response:
    """Show entries, oldest first; the newest `limit` of those asked for."""
    book, query = http.app[STATE].journal, _query(http)
    limit = int(_number(http, "limit", DEFAULT_LIMIT))
    found = [entry.to_json() for entry in book.find(query)]
    shown = found[-limit:] if limit else []
    return web.json_response({"instance": book.instance, "last": book.last, "entries": shown})


async def clear_journal(http: web.Request) -> web.Response:
    """Forget all entries."""
    book = http.app[STATE].journal
    book.clear()
    return web.json_response({"last": book.last})


async def count(http: web.Request) -> web.Response:
    """Count entries; by kind and acceptance alone this costs nothing."""
    return web.json_response({"count": http.app[STATE].journal.count(_query(http))})


async def wait(http: web.Request) -> web.Response:
    """Wait until `count` entries are there, at most `timeout` seconds."""
    book, query = http.app[STATE].journal, _query(http)
    patience = min(_number(http, "timeout", 10), LONGEST_WAIT)
    reached = await book.wait(query, int(_number(http, "count", 1)), patience)
    limit = int(_number(http, "limit", DEFAULT_LIMIT))
    found = list(book.find(query))[-limit:] if limit else []
    document = {"reached": reached, "count": book.count(query), "instance": book.instance, "last": book.last}
    return web.json_response({**document, "entries": [entry.to_json() for entry in found]})


async def reset(http: web.Request) -> web.Response:
    """Forget everything."""
    state = http.app[STATE]
    state.reset()
    return web.json_response({"last": state.journal.last})


async def sms(http: web.Request) -> web.Response:
    """Let a text arrive."""
    sid, receipts = await inbound_sms.deliver(http.app[STATE], _parse(InboundSms, await _json(http)))
    return _outcome("message_sid", sid, receipts)


async def email(http: web.Request) -> web.Response:
    """Let a mail arrive."""
    mail = _parse(InboundEmail, await _json(http))
    try:
        message_id, receipts = await inbound_email.deliver(http.app[STATE], mail)
    except (UnicodeEncodeError, LookupError, ValueError) as error:
        raise _bad(f"this mail cannot be written: {error}") from None
    return _outcome("message_id", message_id, receipts)


def _outcome(name: str, identity: str, receipts: list[Receipt]) -> web.Response:
    """Tell how the webhook answered, the first copy first."""
    first = receipts[0]
    document: dict[str, Any] = {
        name: identity,
        "status": first.status,
        "statuses": [receipt.status for receipt in receipts],
        "body": first.body,
        "error": first.error,
    }
    return web.json_response(document, status=200 if first.status is not None else UNREACHABLE)


def _query(http: web.Request) -> Query:
    """Read the entries a caller means from the query string."""
    given = http.query
    accepted = {"1": True, "true": True, "0": False, "false": False}.get(given.get("accepted", "").lower())
    kinds = tuple(kind for text in given.getall("kind", []) for kind in text.split(",") if kind)
    return Query(
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
        raise _bad(f"{name} is not a number") from None


async def _json(http: web.Request) -> dict[str, Any]:
    """Read a JSON object. The content type is required: a form of another site cannot send it unasked."""
    if http.content_type != "application/json":
        raise _bad("Content-Type must be application/json")
    try:
        document = json.loads(await http.read() or b"{}")
    except ValueError:
        raise _bad("the body is not JSON") from None
    if not isinstance(document, dict):
        raise _bad("the body is not a JSON object")
    return document


def _parse(model: type[Model], document: dict[str, Any]) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _bad(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    """Name every fault of a document in one line."""
    faults = (f"{'.'.join(str(step) for step in each['loc'])}: {each['msg']}" for each in error.errors())
    return "; ".join(faults)


def _bad(sentence: str) -> web.HTTPBadRequest:
    """Word a refusal."""
    return web.HTTPBadRequest(text=json.dumps({"error": sentence}), content_type="application/json")
