"""Twilio's messages: create, list and fetch them, and their media."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlencode

from aiohttp import web

from sandbox.engine import provider_request, twilio_media
from sandbox.engine.provider_request import ProviderRequest, ProviderResponse
from sandbox.engine.state import STATE, SandboxState
from sandbox.engine.twilio_message_log import API_VERSION, MessageFilter, MessageResource, TwilioMessage, date_range, new_sid
from sandbox.twilio import errors, requests
from sandbox.twilio.errors import Draft
from sandbox.twilio.status_callbacks import send_status_callbacks

if TYPE_CHECKING:
    from collections.abc import Callable

    from multidict import MultiMapping


class MessagePage(TypedDict):
    """One page of the message list, https://www.twilio.com/docs/usage/twilios-response#response-formats-list-paging-information."""

    first_page_uri: str
    next_page_uri: str | None
    previous_page_uri: None
    uri: str
    page: int
    page_size: int
    start: int
    end: int
    messages: list[MessageResource]


def routes() -> list[web.RouteDef]:
    """Twilio's routes."""
    account = f"/{API_VERSION}/Accounts/{{account}}"
    return [
        web.post(account + "/Messages.json", create),
        web.get(account + "/Messages.json", list_messages),
        web.get(account + "/Messages/{sid}.json", fetch),
        web.get(account + "/Messages/{sid}/Media/{media}", media_resource),
        web.get(twilio_media.FILE_PATH + "{token}", media_file),
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
    fields = {"to": draft.to, "from": draft.sender, "body": draft.body, "params": params}
    request = ProviderRequest(kind="twilio.create", operation="create", fields=fields, perform=lambda: _accept(state, http, draft))
    return await requests.handle(http, request)


async def list_messages(http: web.Request) -> web.StreamResponse:
    """List messages, newest first."""
    state, query = http.app[STATE], http.query
    fields = {"to": query.get("To"), "from": query.get("From"), "params": dict(query)}

    def perform() -> ProviderResponse:
        try:
            return ProviderResponse(status=200, body=_page(http.path, query, state))
        except ValueError:
            return errors.error_response(400, 20001, "A date or a number in the query could not be read")

    return await requests.handle(
        http, ProviderRequest(kind="twilio.list", operation="list", fields=fields, perform=perform, is_message=False)
    )


async def fetch(http: web.Request) -> web.StreamResponse:
    """Fetch one message."""
    state, sid = http.app[STATE], http.match_info["sid"]

    def perform() -> ProviderResponse:
        message = state.messages.get(sid)
        return requests.not_found(http) if message is None else ProviderResponse(status=200, body=message.to_json(), sid=sid)

    return await requests.handle(
        http, ProviderRequest(kind="twilio.fetch", operation="fetch", fields={"sid": sid}, perform=perform, is_message=False)
    )


async def media_resource(http: web.Request) -> web.StreamResponse:
    """Redirect to a file of a text."""
    state, sid = http.app[STATE], http.match_info["media"]
    fields = {"message": http.match_info["sid"], "sid": sid, "authorization": "Authorization" in http.headers}

    def perform() -> ProviderResponse:
        file = state.media.get(http.match_info["sid"], sid, state.faults.twilio.media_after_seconds)
        if file is None:
            return requests.not_found(http)
        return ProviderResponse(status=307, headers={"Location": twilio_media.redirect_target(file, state.faults.twilio)}, sid=sid)

    return await requests.handle(
        http, ProviderRequest(kind="twilio.media", operation="media", fields=fields, perform=perform, is_message=False)
    )


async def media_file(http: web.Request) -> web.StreamResponse:
    """Serve a file. Its address is the only credential."""
    state = http.app[STATE]
    file = state.media.by_token(http.match_info["token"])
    if file is not None and state.faults.twilio.media_answer is not None:
        return await twilio_media.harmful_answer(http, state.faults.twilio.media_answer)

    def perform() -> ProviderResponse:
        if file is None:
            return requests.not_found(http)
        return ProviderResponse(status=200, body=file.data, headers={"Content-Type": file.content_type}, sid=file.sid)

    request = ProviderRequest(kind="twilio.media_file", operation="media_file", fields={}, perform=perform, is_message=False)
    return await provider_request.handle(http, state, request, faults=state.faults.twilio, errors=requests.ERRORS)


def _accept(state: SandboxState, http: web.Request, draft: Draft) -> ProviderResponse:
    """Accept a draft and begin its status callbacks, or reject it."""
    code = errors.rejection_code(draft, opted_out=state.messages.opted_out(draft.to, draft.sender))
    if code is not None:
        return errors.rejection(code, draft)
    message = TwilioMessage(
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
    state.start_task(send_status_callbacks(state, message, draft.callback))
    return ProviderResponse(status=201, body=message.to_json(), sid=message.sid, accepted=True)


def _page(path: str, query: MultiMapping[str], state: SandboxState) -> MessagePage:
    """Return one page of the list. Its token names the last message of the page before, so new messages do not shift it."""
    size = min(max(int(query.get("PageSize", requests.DEFAULT_PAGE_SIZE)), 1), requests.MAX_PAGE_SIZE)
    page = int(query.get("Page", 0))
    found = state.messages.newest_first(_filter(query, state.faults.twilio.list_lag_seconds))
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


def _filter(query: MultiMapping[str], lag: float) -> MessageFilter:
    """Read the filters. Raises ValueError.

    `DateSent>=2026-11-22` is parsed as a field `DateSent>` with a value, which is also what the SDK's date_sent_after sends.
    """
    after, before = float("-inf"), float("inf")
    if "DateSent" in query:
        after, before = date_range(query["DateSent"])
    if "DateSent>" in query:
        after = max(after, date_range(query["DateSent>"])[0])
    if "DateSent<" in query:
        before = min(before, date_range(query["DateSent<"])[1])
    to, sender = query.get("To"), query.get("From")
    return MessageFilter(to=to and _address(to), sender=sender and _address(sender), after=after, before=before, lag=lag)


def _other_than(sid: str) -> Callable[[TwilioMessage], bool]:
    return lambda message: message.sid != sid


def _address(text: str) -> str:
    """Put back the plus that a form has made a space, if it was not escaped."""
    return "+" + text[1:].strip() if text.startswith(" ") else text.strip()
