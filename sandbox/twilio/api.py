"""Twilio's REST API, as far as a messaging product uses it: create, list and fetch messages; the account; its numbers."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from aiohttp import web

from sandbox.engine import credentials
from sandbox.engine import provider_request as exchange
from sandbox.engine import twilio_media as media
from sandbox.engine.provider_request import Answer, Call, Dialect
from sandbox.engine.state import STATE, Sandbox
from sandbox.engine.twilio_message_log import API_VERSION, Filter, Message, date_range, new_sid
from sandbox.twilio import errors as twilio_errors
from sandbox.twilio.errors import Draft
from sandbox.twilio.status_callbacks import play

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from multidict import MultiMapping

ACCOUNT = "twilio.account"
DIALECT: Final = Dialect(refuse=twilio_errors.fault)
LARGEST_PAGE: Final = 1000
DEFAULT_PAGE: Final = 50


def routes() -> list[web.RouteDef]:
    """Return the provider's routes."""
    account = f"/{API_VERSION}/Accounts/{{account}}"
    return [
        web.post(account + "/Messages.json", create),
        web.get(account + "/Messages.json", listing),
        web.get(account + "/Messages/{sid}.json", fetch),
        web.get(account + "/Messages/{sid}/Media/{media}", media_resource),
        web.get(media.PATH + "{token}", media_file),
        web.get(account + ".json", account_resource),
        web.get(account + "/IncomingPhoneNumbers.json", numbers),
    ]


async def create(http: web.Request) -> web.StreamResponse:
    """Send a message."""
    state, form = http.app[STATE], await http.post()
    params = {name: value for name, value in form.items() if isinstance(value, str)}
    draft = Draft(
        to=_address(params.get("To", "")),
        sender=_address(params.get("From", "")),
        body=params.get("Body", ""),
        callback=params.get("StatusCallback", ""),
        service=params.get("MessagingServiceSid", ""),
        media=tuple(str(url) for url in form.getall("MediaUrl", [])),
    )
    seen = {"to": draft.to, "from": draft.sender, "body": draft.body, "params": params}
    call = Call(kind="twilio.create", operation="create", request=seen, act=lambda: _accept(state, http, draft))
    return await _run(http, call)


async def listing(http: web.Request) -> web.StreamResponse:
    """List messages, newest first."""
    state, query = http.app[STATE], http.query
    seen = {"to": query.get("To"), "from": query.get("From"), "params": dict(query)}

    def act() -> Answer:
        try:
            return Answer(status=200, body=_page(http.path, query, state))
        except ValueError:
            return twilio_errors.body(400, 20001, "A date or a number in the query could not be read")

    return await _run(http, Call(kind="twilio.list", operation="list", request=seen, act=act, message=False))


async def fetch(http: web.Request) -> web.StreamResponse:
    """Fetch one message."""
    state, sid = http.app[STATE], http.match_info["sid"]

    def act() -> Answer:
        message = state.messages.get(sid)
        return _not_found(http) if message is None else Answer(status=200, body=message.to_json(), sid=sid)

    return await _run(http, Call(kind="twilio.fetch", operation="fetch", request={"sid": sid}, act=act, message=False))


async def media_resource(http: web.Request) -> web.StreamResponse:
    """Say where a file of a text is."""
    state, sid = http.app[STATE], http.match_info["media"]
    seen = {"message": http.match_info["sid"], "sid": sid, "authorization": "Authorization" in http.headers}

    def act() -> Answer:
        file = state.media.get(http.match_info["sid"], sid, state.knobs.twilio.media_after_seconds)
        if file is None:
            return _not_found(http)
        return Answer(status=307, headers={"Location": media.location(file, state.knobs.twilio)}, sid=sid)

    return await _run(http, Call(kind="twilio.media", operation="media", request=seen, act=act, message=False))


async def media_file(http: web.Request) -> web.StreamResponse:
    """Give a file to whoever knows its address."""
    state = http.app[STATE]
    file = state.media.by_token(http.match_info["token"])
    if file is not None and state.knobs.twilio.media_answer is not None:
        return await media.hostile(http, state.knobs.twilio.media_answer)

    def act() -> Answer:
        found = None if file is None else Answer(status=200, body=file.data, headers={"Content-Type": file.content_type}, sid=file.sid)
        return _not_found(http) if found is None else found

    call = Call(kind="twilio.media_file", operation="media_file", request={}, act=act, message=False)
    return await exchange.run(http, state, call, knobs=state.knobs.twilio, dialect=DIALECT)


async def account_resource(http: web.Request) -> web.StreamResponse:
    """Describe the account (a doctor's check of the credentials)."""
    sid = http.match_info["account"]
    document = {"sid": sid, "friendly_name": "Bossline sandbox", "status": "active", "type": "Full"}
    return await _describe(http, ACCOUNT, document)


async def numbers(http: web.Request) -> web.StreamResponse:
    """List the account's one number, with the webhooks it is set to."""
    settings = http.app[STATE].settings
    number = {
        "sid": "PN" + "0" * 31 + "1",
        "account_sid": http.match_info["account"],
        "phone_number": settings.boss_phone,
        "sms_url": settings.public_url + "/sms/inbound",
        "sms_method": "POST",
        "status_callback": settings.public_url + "/sms/status",
        "capabilities": {"sms": True, "mms": True, "voice": False},
    }
    found = [number] if http.query.get("PhoneNumber") in {None, settings.boss_phone} else []
    document = {"incoming_phone_numbers": found, "page": 0, "page_size": DEFAULT_PAGE, "next_page_uri": None, "uri": http.path}
    return await _describe(http, "twilio.numbers", document)


async def _describe(http: web.Request, kind: str, document: Mapping[str, Any]) -> web.StreamResponse:
    def act() -> Answer:
        return Answer(status=200, body=dict(document))

    return await _run(http, Call(kind=kind, operation="describe", request={}, act=act, message=False))


async def _run(http: web.Request, call: Call) -> web.StreamResponse:
    """Check the credentials, then let the exchange have the call."""
    state = http.app[STATE]
    if not _authentic(http, state, key_may=call.kind != ACCOUNT):  # a standard API key may not see the account itself
        return await exchange.refuse(http, state, call, twilio_errors.error(401, 20003))
    expected = state.settings.twilio_account_sid
    if expected is not None and http.match_info["account"] != expected:
        return await exchange.refuse(http, state, call, _not_found(http))
    return await exchange.run(http, state, call, knobs=state.knobs.twilio, dialect=DIALECT)


def _authentic(http: web.Request, state: Sandbox, *, key_may: bool) -> bool:
    """Whether a login is the account's, or where it may an API key's."""
    settings, (user, password) = state.settings, credentials.basic(http.headers.get("Authorization"))
    if settings.twilio_api_key_sid and credentials.same(user, settings.twilio_api_key_sid):
        return key_may and credentials.same(password, settings.twilio_api_key_secret or "")
    wanted = ((user, settings.twilio_account_sid), (password, settings.twilio_auth_token))
    return all(expected is None or credentials.same(given, expected) for given, expected in wanted)


def _not_found(http: web.Request) -> Answer:
    return twilio_errors.body(404, 20404, f"The requested resource {http.path} was not found")


def _accept(state: Sandbox, http: web.Request, draft: Draft) -> Answer:
    """Take a draft, or say why not."""
    code = twilio_errors.judge(draft, opted_out=state.messages.opted_out(draft.to, draft.sender))
    if code is not None:
        return twilio_errors.refused(code, draft)
    message = Message(
        sid=new_sid("MM" if draft.media else "SM"),
        account_sid=http.match_info["account"],
        to=draft.to,
        sender=draft.sender,
        body=draft.body,
        direction="outbound-api",
        status="accepted" if draft.service else "queued",
        created=time.time(),
        num_media=len(draft.media),
        messaging_service_sid=draft.service or None,
    )
    state.messages.add(message)
    state.start(play(state, message, draft.callback))
    return Answer(status=201, body=message.to_json(), sid=message.sid, accepted=True)


def _page(path: str, query: MultiMapping[str], state: Sandbox) -> dict[str, Any]:
    """Cut one page out of the list; its token is the last message seen, so new arrivals do not shift it."""
    size = min(max(int(query.get("PageSize", DEFAULT_PAGE)), 1), LARGEST_PAGE)
    page = int(query.get("Page", 0))
    found = state.messages.newest_first(_wanted(query, state.knobs.twilio.list_lag_seconds))
    token = query.get("PageToken", "").removeprefix("PA")
    if token:
        found = itertools.islice(itertools.dropwhile(_other_than(token), found), 1, None)
    shown = list(itertools.islice(found, size + 1))
    kept = {name: value for name, value in query.items() if name not in {"Page", "PageToken", "PageSize"}}

    def uri(number: int, after: str | None) -> str:
        extra = {"PageSize": str(size), "Page": str(number), **({"PageToken": "PA" + after} if after else {})}
        return f"{path}?{urlencode(kept | extra)}"

    more = len(shown) > size
    shown = shown[:size]
    return {
        "first_page_uri": uri(0, None),
        "next_page_uri": uri(page + 1, shown[-1].sid) if more else None,
        "previous_page_uri": None,
        "uri": uri(page, token or None),
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + max(len(shown) - 1, 0),
        "messages": [message.to_json() for message in shown],
    }


def _wanted(query: MultiMapping[str], lag: float) -> Filter:
    """Read the filters. The SDK sends date_sent_after as `DateSent>`, and so does `DateSent>=2026-11-22` arrive."""
    after, before = float("-inf"), float("inf")
    if "DateSent" in query:
        after, before = date_range(query["DateSent"])
    if "DateSent>" in query:
        after = max(after, date_range(query["DateSent>"])[0])
    if "DateSent<" in query:
        before = min(before, date_range(query["DateSent<"])[1])
    to, sender = query.get("To"), query.get("From")
    return Filter(to=to and _address(to), sender=sender and _address(sender), after=after, before=before, lag=lag)


def _other_than(sid: str) -> Callable[[Message], bool]:
    return lambda message: message.sid != sid


def _address(text: str) -> str:
    """Undo what a form does to an unescaped plus."""
    return "+" + text[1:].strip() if text.startswith(" ") else text.strip()
