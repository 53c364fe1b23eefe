"""What all of SendGrid's requests have in common: the API key with its scopes, JSON bodies, and the answers about what is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sandbox.engine import credentials, provider_request
from sandbox.engine.json_types import JsonObject
from sandbox.engine.provider_request import ErrorFormat, ProviderRequest, ProviderResponse
from sandbox.engine.state import STATE, SandboxState
from sandbox.sendgrid import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

ERRORS: Final = ErrorFormat(response=errors.fault_response)
SCOPES_OF_PATH: Final = {
    "/v3/mail/send": "mail",
    "/v3/api_keys": "api_keys",
    "/v3/whitelabel/domains": "whitelabel",
    "/v3/user/webhooks/parse/settings": "user.webhooks.parse.settings",
    "/v3/user/webhooks/event/settings": "user.webhooks.event.settings",
    "/v3/user/webhooks/security/policies": "user.webhooks.security.policies",
}
"""The group of scopes that a path belongs to; any other path needs none."""
VERB_OF_METHOD: Final = {"GET": "read", "POST": "create", "PATCH": "update", "PUT": "update", "DELETE": "delete"}
FULL_ACCESS: Final = (
    "mail.send",
    *(f"{group}.{verb}" for group in SCOPES_OF_PATH.values() if group != "mail" for verb in ("create", "read", "update", "delete")),
)


async def handle(http: web.Request, request: ProviderRequest) -> web.StreamResponse:
    """Check the API key and what it may do, then handle the request."""
    state = http.app[STATE]
    scopes = scopes_of(http, state)
    if scopes is None:
        return await provider_request.reject(http, state, request, errors.fault_response(401))
    wanted = _scope(http)
    if wanted and wanted not in scopes:
        return await provider_request.reject(http, state, request, errors.fault_response(403))
    return await provider_request.handle(http, state, request, faults=state.faults.sendgrid, errors=ERRORS)


def scopes_of(http: web.Request, state: SandboxState) -> tuple[str, ...] | None:
    """What the request's API key may do; None for a key that is not the account's. Where none is configured, any may do everything."""
    given, expected = credentials.bearer(http.headers.get("Authorization")), state.settings.sendgrid_api_key
    issued = state.sendgrid.key(given)
    if issued is not None:
        return FULL_ACCESS if issued.scopes is None else tuple(issued.scopes)
    return FULL_ACCESS if expected is None or credentials.same(given, expected) else None


def _scope(http: web.Request) -> str:
    group = next((group for path, group in SCOPES_OF_PATH.items() if http.path == path or http.path.startswith(path + "/")), "")
    if not group:
        return ""
    return "mail.send" if group == "mail" else f"{group}.{VERB_OF_METHOD.get(http.method, 'read')}"


async def describe(http: web.Request, kind: str, perform: Callable[[], ProviderResponse]) -> web.StreamResponse:
    """Answer a look at something; of a fault's `on` this is `describe`, and `match` finds the path."""
    fields: JsonObject = {"path": http.path, "params": dict(http.query)}
    return await handle(http, ProviderRequest(kind=kind, operation="describe", fields=fields, perform=perform, is_message=False))


async def change(http: web.Request, kind: str, perform: Callable[[JsonObject], ProviderResponse]) -> web.StreamResponse:
    """Carry out a change of what stands in the account, from a JSON object; of a fault's `on` this is `change`."""
    document = await provider_request.read_json(http) if http.can_read_body else {}
    fields: JsonObject = {"path": http.path, "method": http.method, "document": document}

    def performed() -> ProviderResponse:
        return errors.error_response(400, "invalid JSON") if document is None else perform(document)

    return await handle(http, ProviderRequest(kind=kind, operation="change", fields=fields, perform=performed, is_message=False))


def ok(document: object, status: int = 200) -> ProviderResponse:
    """An answer with a document."""
    return ProviderResponse(status=status, body=document)


def gone() -> ProviderResponse:
    """The answer to a deletion."""
    return ProviderResponse(status=204)


def not_found(sentence: str = "resource not found") -> ProviderResponse:
    """The answer about what is not there."""
    return errors.error_response(404, sentence)
