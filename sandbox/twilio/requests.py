"""What all of Twilio's requests have in common: credentials, the account in the path, forms and pages of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from sandbox.engine import credentials, provider_request
from sandbox.engine.provider_request import ErrorFormat, ProviderRequest, ProviderResponse
from sandbox.engine.state import STATE, SandboxState
from sandbox.twilio import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    from sandbox.engine.json_types import JsonObject

ACCOUNT: Final = "twilio.account"
ERRORS: Final = ErrorFormat(response=errors.fault_response)
MAX_PAGE_SIZE: Final = 1000
DEFAULT_PAGE_SIZE: Final = 50


async def handle(http: web.Request, request: ProviderRequest) -> web.StreamResponse:
    """Check the credentials and the account, then handle the request."""
    state = http.app[STATE]
    if not _authentic(http, state, allow_api_key=request.kind != ACCOUNT):  # a standard API key may not see the account itself
        return await provider_request.reject(http, state, request, errors.error_response(401, 20003))
    expected = state.settings.twilio_account_sid
    if expected is not None and http.match_info.get("account", expected) != expected:
        return await provider_request.reject(http, state, request, not_found(http))
    return await provider_request.handle(http, state, request, faults=state.faults.twilio, errors=ERRORS)


async def describe(http: web.Request, kind: str, perform: Callable[[], ProviderResponse]) -> web.StreamResponse:
    """Answer a look at something; of a fault's `on` this is `describe`, and `match` finds the path."""
    fields = {"path": http.path, "params": dict(http.query)}
    return await handle(http, ProviderRequest(kind=kind, operation="describe", fields=fields, perform=perform, is_message=False))


async def change(http: web.Request, kind: str, perform: Callable[[dict[str, str]], ProviderResponse]) -> web.StreamResponse:
    """Carry out a change of what stands in the account, from a form; of a fault's `on` this is `change`."""
    params = {name: value for name, value in (await http.post()).items() if isinstance(value, str)}
    fields: JsonObject = {"path": http.path, "params": params}
    request = ProviderRequest(kind=kind, operation="change", fields=fields, perform=lambda: perform(params), is_message=False)
    return await handle(http, request)


def listed(http: web.Request, key: str, items: Sequence[JsonObject]) -> ProviderResponse:
    """A page of a list of the API of 2010: addresses without the host, https://www.twilio.com/docs/usage/twilios-response."""
    size, page, shown = _cut(http, items)

    def uri(number: int) -> str:
        return f"{http.path}?{_query(http, size, number)}"

    document = {
        "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1) if (page + 1) * size < len(items) else None,
        "previous_page_uri": uri(page - 1) if page else None,
        "uri": uri(page),
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + max(len(shown) - 1, 0),
        key: list(shown),
    }
    return ProviderResponse(status=200, body=document)


def listed_with_meta(http: web.Request, key: str, items: Sequence[JsonObject]) -> ProviderResponse:
    """A page of a list of the newer API: whole addresses, under `meta`."""
    size, page, shown = _cut(http, items)

    def url(number: int) -> str:
        return f"{http.url.origin()}{http.path}?{_query(http, size, number)}"

    meta = {
        "first_page_url": url(0),
        "next_page_url": url(page + 1) if (page + 1) * size < len(items) else None,
        "previous_page_url": url(page - 1) if page else None,
        "url": url(page),
        "page": page,
        "page_size": size,
        "key": key,
    }
    return ProviderResponse(status=200, body={key: list(shown), "meta": meta})


def not_found(http: web.Request) -> ProviderResponse:
    """The answer about what is not there."""
    return errors.error_response(404, 20404, f"The requested resource {http.path} was not found")


def _cut(http: web.Request, items: Sequence[JsonObject]) -> tuple[int, int, Sequence[JsonObject]]:
    size = min(max(_number(http, "PageSize", DEFAULT_PAGE_SIZE), 1), MAX_PAGE_SIZE)
    page = _number(http, "Page", 0)
    return size, page, items[page * size : (page + 1) * size]


def _number(http: web.Request, name: str, default: int) -> int:
    given = http.query.get(name, "")
    return int(given) if given.isascii() and given.isdigit() else default


def _query(http: web.Request, size: int, page: int) -> str:
    kept = {name: value for name, value in http.query.items() if name not in {"Page", "PageToken", "PageSize"}}
    return urlencode({**kept, "PageSize": str(size), "Page": str(page)})


def _authentic(http: web.Request, state: SandboxState, *, allow_api_key: bool) -> bool:
    """Whether the login is the account's, or an API key's where one is allowed."""
    settings, (user, password) = state.settings, credentials.basic(http.headers.get("Authorization"))
    if settings.twilio_api_key_sid and credentials.same(user, settings.twilio_api_key_sid):
        return allow_api_key and credentials.same(password, settings.twilio_api_key_secret or "")
    wanted = ((user, settings.twilio_account_sid), (password, settings.twilio_auth_token))
    return all(expected is None or credentials.same(given, expected) for given, expected in wanted)
