"""API keys: made, listed, deleted; and the scopes of the one that asks."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.engine.provider_request import ProviderResponse
from sandbox.engine.sendgrid_account import MAX_KEYS, IssuedKey
from sandbox.engine.state import STATE
from sandbox.sendgrid import errors, requests

if TYPE_CHECKING:
    from sandbox.engine.json_types import JsonObject


def routes() -> list[web.RouteDef]:
    """The routes."""
    return [
        web.get("/v3/scopes", scopes),
        web.get("/v3/api_keys", list_keys),
        web.post("/v3/api_keys", make_key),
        web.delete("/v3/api_keys/{key}", delete_key),
    ]


async def scopes(http: web.Request) -> web.StreamResponse:
    """List what the API key may do."""
    found = requests.scopes_of(http, http.app[STATE]) or ()
    return await requests.describe(http, "sendgrid.scopes", lambda: requests.ok({"scopes": list(found)}))


async def list_keys(http: web.Request) -> web.StreamResponse:
    """List names and ids; the keys themselves are shown when they are made, and never again."""
    found = [{"name": each.name, "api_key_id": each.id} for each in http.app[STATE].sendgrid.api_keys]
    return await requests.describe(http, "sendgrid.api_keys", lambda: requests.ok({"result": found}))


async def make_key(http: web.Request) -> web.StreamResponse:
    """Make a key with some scopes; without `scopes` it may do everything."""
    state = http.app[STATE]
    own = requests.scopes_of(http, state) or ()

    def perform(document: JsonObject) -> ProviderResponse:
        name, wanted = document.get("name"), document.get("scopes")
        if not isinstance(name, str) or not name:
            return errors.rejection(400, [("missing required argument", "name")])
        if wanted is not None and not (isinstance(wanted, list) and wanted and all(each in own for each in wanted)):
            return errors.rejection(400, [("one or more of given scopes are invalid", "scopes")])
        if len(state.sendgrid.api_keys) >= MAX_KEYS:
            return errors.error_response(403, "maximum number of API keys reached")
        made = IssuedKey(name=name, scopes=wanted)
        made.secret = f"SG.{made.id}.{secrets.token_urlsafe(32)}"
        state.sendgrid.api_keys.append(made)
        shown = {"api_key": made.secret, "api_key_id": made.id, "name": name, "scopes": wanted or list(requests.FULL_ACCESS)}
        return ProviderResponse(status=201, body=shown, sid=made.id)

    return await requests.change(http, "sendgrid.api_key_make", perform)


async def delete_key(http: web.Request) -> web.StreamResponse:
    """Revoke a key."""
    account, identity = http.app[STATE].sendgrid, http.match_info["key"]

    def perform(_: JsonObject) -> ProviderResponse:
        kept = [each for each in account.api_keys if each.id != identity]
        if len(kept) == len(account.api_keys):
            return requests.not_found("unable to find API Key")
        account.api_keys = kept
        return requests.gone()

    return await requests.change(http, "sendgrid.api_key_delete", perform)
