"""Deleting what Twilio keeps of a message: its media, one by one, and the message itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from sandbox.engine.provider_request import ProviderRequest, ProviderResponse
from sandbox.engine.state import STATE
from sandbox.engine.twilio_message_log import API_VERSION
from sandbox.twilio import errors, requests

if TYPE_CHECKING:
    from collections.abc import Callable

IN_PROGRESS: Final = frozenset({"accepted", "queued", "scheduled", "sending", "receiving"})
"""A message that is still on its way cannot be deleted (error 20009)."""


def routes() -> list[web.RouteDef]:
    """Twilio's routes."""
    message = f"/{API_VERSION}/Accounts/{{account}}/Messages/{{sid}}"
    return [
        web.delete(message + ".json", delete_message),
        web.get(message + "/Media.json", list_media),
        web.delete(message + "/Media/{media}.json", delete_media),
    ]


async def delete_message(http: web.Request) -> web.StreamResponse:
    """Delete one message, and with it what is left of its files."""
    state, sid = http.app[STATE], http.match_info["sid"]

    def perform() -> ProviderResponse:
        message = state.messages.get(sid)
        if message is None:
            return requests.not_found(http)
        if message.status in IN_PROGRESS:
            return errors.error_response(409, 20009, "Cannot delete message because delivery has not been completed.")
        state.messages.delete(sid)
        state.media.delete_of(sid)
        return ProviderResponse(status=204, sid=sid)

    return await _handle(http, "twilio.delete", {"sid": sid}, perform)


async def list_media(http: web.Request) -> web.StreamResponse:
    """List the files of a message."""
    state, sid = http.app[STATE], http.match_info["sid"]
    found = [{"sid": file.sid, "parent_sid": sid, "content_type": file.content_type} for file in state.media.of_message(sid)]
    fields = {"sid": sid, "params": dict(http.query)}

    def perform() -> ProviderResponse:
        return requests.listed(http, "media_list", found)

    request = ProviderRequest(kind="twilio.media_list", operation="list", fields=fields, perform=perform, is_message=False)
    return await requests.handle(http, request)


async def delete_media(http: web.Request) -> web.StreamResponse:
    """Delete one file."""
    state, message, sid = http.app[STATE], http.match_info["sid"], http.match_info["media"]

    def perform() -> ProviderResponse:
        return ProviderResponse(status=204, sid=sid) if state.media.delete(message, sid) else requests.not_found(http)

    return await _handle(http, "twilio.media_delete", {"message": message, "sid": sid}, perform)


async def _handle(http: web.Request, kind: str, fields: dict[str, str], perform: Callable[[], ProviderResponse]) -> web.StreamResponse:
    request = ProviderRequest(kind=kind, operation="delete", fields={**fields}, perform=perform, is_message=False)
    return await requests.handle(http, request)
