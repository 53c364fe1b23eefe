"""The Event Webhooks: made, changed, signed, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.engine.provider_request import ProviderResponse
from sandbox.engine.sendgrid_account import EVENT_FLAGS, EventWebhook, SendGridAccount
from sandbox.engine.state import STATE, SandboxState
from sandbox.sendgrid import requests

if TYPE_CHECKING:
    from sandbox.engine.json_types import JsonObject

_PATH: Final = "/v3/user/webhooks/event/settings"
MADE: Final = "2026-11-22T10:00:00Z"
UNKNOWN: Final = "Invalid id provided."
_TEXTS: Final = ("url", "friendly_name")


def routes() -> list[web.RouteDef]:
    """The routes; the fixed ones come before the one with an id."""
    return [
        web.post(_PATH, make_webhook),
        web.get(_PATH + "/all", list_webhooks),
        web.get(_PATH + "/signed/{id}", signing_key),
        web.patch(_PATH + "/signed/{id}", sign),
        web.get(_PATH + "/{id}", webhook),
        web.patch(_PATH + "/{id}", update_webhook),
        web.delete(_PATH + "/{id}", delete_webhook),
    ]


async def list_webhooks(http: web.Request) -> web.StreamResponse:
    """List all, and how many the plan allows."""
    state = http.app[STATE]
    found = [_resource(state, each) for each in state.sendgrid.event_webhooks]
    document = {"max_allowed": state.sendgrid.max_event_webhooks, "webhooks": found}
    return await requests.describe(http, "sendgrid.event_webhooks", lambda: requests.ok(document))


async def webhook(http: web.Request) -> web.StreamResponse:
    """Describe one."""
    state = http.app[STATE]
    found = state.sendgrid.event_webhook(http.match_info["id"])
    return await requests.describe(
        http, "sendgrid.event_webhook", lambda: requests.not_found(UNKNOWN) if found is None else requests.ok(_resource(state, found))
    )


async def make_webhook(http: web.Request) -> web.StreamResponse:
    """Make one, not signed."""
    state = http.app[STATE]

    def perform(document: JsonObject) -> ProviderResponse:
        if len(state.sendgrid.event_webhooks) >= state.sendgrid.max_event_webhooks:
            return _rejected("You have reached the maximum number of webhooks per your current billing plan.")
        made = EventWebhook(url="", enabled=False, events=[])
        if rejected := _changed(made, document, state.sendgrid):
            return rejected
        state.sendgrid.event_webhooks.append(made)
        return ProviderResponse(status=201, body=_resource(state, made), sid=made.id)

    return await requests.change(http, "sendgrid.event_webhook_make", perform)


async def update_webhook(http: web.Request) -> web.StreamResponse:
    """Change one; what the document does not name stays."""
    state = http.app[STATE]
    found = state.sendgrid.event_webhook(http.match_info["id"])

    def perform(document: JsonObject) -> ProviderResponse:
        if found is None:
            return requests.not_found(UNKNOWN)
        return _changed(found, document, state.sendgrid) or requests.ok(_resource(state, found))

    return await requests.change(http, "sendgrid.event_webhook_update", perform)


async def sign(http: web.Request) -> web.StreamResponse:
    """Turn its signature on or off, and show the public key, "" when it is off."""
    state = http.app[STATE]
    found = state.sendgrid.event_webhook(http.match_info["id"])

    def perform(document: JsonObject) -> ProviderResponse:
        if found is None:
            return requests.not_found(UNKNOWN)
        if not isinstance(document.get("enabled"), bool):
            return _rejected("enabled is required")
        found.signed = document["enabled"]
        return requests.ok(_key(state, found))

    return await requests.change(http, "sendgrid.event_webhook_sign", perform)


async def signing_key(http: web.Request) -> web.StreamResponse:
    """Show the public key."""
    state = http.app[STATE]
    found = state.sendgrid.event_webhook(http.match_info["id"])
    return await requests.describe(
        http, "sendgrid.event_webhook_key", lambda: requests.not_found(UNKNOWN) if found is None else requests.ok(_key(state, found))
    )


async def delete_webhook(http: web.Request) -> web.StreamResponse:
    """Delete one."""
    account, identity = http.app[STATE].sendgrid, http.match_info["id"]

    def perform(_: JsonObject) -> ProviderResponse:
        found = account.event_webhook(identity)
        if found is None:
            return requests.not_found(UNKNOWN)
        account.event_webhooks.remove(found)
        return requests.gone()

    return await requests.change(http, "sendgrid.event_webhook_delete", perform)


def _changed(found: EventWebhook, document: JsonObject, account: SendGridAccount) -> ProviderResponse | None:
    """Carry out a change; the answer to one that is refused."""
    url = document.get("url")
    if not isinstance(url, str) or urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        return _rejected(f"'{url}' is not a valid url")
    other = next((each for each in account.event_webhooks if each.url == url and each is not found), None)
    if other is not None:
        return _rejected(f"Webhook at '{url}' already exists. Please provide a unique URL.", id=other.id, url=url)
    if any(not isinstance(document.get(name, False), bool) for name in ("enabled", *EVENT_FLAGS)):
        return _rejected("a switch must be a boolean")
    found.url, found.enabled = url, document.get("enabled", found.enabled)
    found.friendly_name = document.get("friendly_name", found.friendly_name)
    found.events = [name for name in EVENT_FLAGS if document.get(name, name in found.events)]
    return None


def _rejected(sentence: str, **more: str) -> ProviderResponse:
    """A refusal in this endpoint's own form: it names no field."""
    return ProviderResponse(status=400, body={"errors": [{"message": sentence, **more}]}, accepted=False)


def _key(state: SandboxState, found: EventWebhook) -> JsonObject:
    return {"id": found.id, "public_key": state.signers.of(found.id).public_key if found.signed else ""}


def _resource(state: SandboxState, found: EventWebhook) -> JsonObject:
    """The webhook; its key is named only where it signs."""
    key = {"public_key": state.signers.of(found.id).public_key} if found.signed else {}
    switches = {name: name in found.events for name in EVENT_FLAGS}
    head = {"id": found.id, "url": found.url, "enabled": found.enabled, "friendly_name": found.friendly_name}
    return {**head, **switches, "created_date": MADE, "updated_date": MADE, **key}
