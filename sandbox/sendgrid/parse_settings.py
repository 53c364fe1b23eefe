"""Inbound Parse: the hosts whose mail is posted, and the security policies by which it is signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.engine.provider_request import ProviderResponse
from sandbox.engine.sendgrid_account import ParseSetting, SecurityPolicy, SendGridAccount
from sandbox.engine.state import STATE, SandboxState
from sandbox.sendgrid import errors, requests

if TYPE_CHECKING:
    from sandbox.engine.json_types import JsonObject

_HOSTS: Final = "/v3/user/webhooks/parse/settings"
_POLICIES: Final = "/v3/user/webhooks/security/policies"


def routes() -> list[web.RouteDef]:
    """The routes."""
    return [
        web.get(_HOSTS, list_settings),
        web.post(_HOSTS, make_setting),
        web.get(_HOSTS + "/{host}", setting),
        web.patch(_HOSTS + "/{host}", update_setting),
        web.delete(_HOSTS + "/{host}", delete_setting),
        web.get(_POLICIES, list_policies),
        web.post(_POLICIES, make_policy),
        web.get(_POLICIES + "/{policy}", policy),
        web.delete(_POLICIES + "/{policy}", delete_policy),
    ]


async def list_settings(http: web.Request) -> web.StreamResponse:
    """List the Inbound Parse hosts."""
    found = [_resource(each) for each in http.app[STATE].sendgrid.parse]
    return await requests.describe(http, "sendgrid.parse_settings", lambda: requests.ok({"result": found}))


async def setting(http: web.Request) -> web.StreamResponse:
    """Describe one host."""
    found = http.app[STATE].sendgrid.parse_setting(http.match_info["host"])
    return await requests.describe(
        http, "sendgrid.parse_setting", lambda: requests.not_found() if found is None else requests.ok(_resource(found))
    )


async def make_setting(http: web.Request) -> web.StreamResponse:
    """Add a host. It must be of a domain whose DNS records SendGrid has seen."""
    account = http.app[STATE].sendgrid

    def perform(document: JsonObject) -> ProviderResponse:
        host = str(document.get("hostname") or "").lower()
        if not account.authenticated(host):
            return errors.rejection(400, [("hostname must belong to an authenticated domain", "hostname")])
        if account.parse_setting(host) is not None:
            return errors.rejection(400, [("hostname is in use already", "hostname")])
        made = ParseSetting(hostname=host, url="")
        if rejected := _changed(made, document, account):
            return rejected
        if not made.url:
            return errors.rejection(400, [("url is required", "url")])
        account.parse.append(made)
        return ProviderResponse(status=201, body=_resource(made), sid=host)

    return await requests.change(http, "sendgrid.parse_make", perform)


async def update_setting(http: web.Request) -> web.StreamResponse:
    """Change a host's address or policy; what the document does not name stays."""
    account = http.app[STATE].sendgrid
    found = account.parse_setting(http.match_info["host"])

    def perform(document: JsonObject) -> ProviderResponse:
        if found is None:
            return requests.not_found()
        return _changed(found, document, account) or requests.ok(_resource(found))

    return await requests.change(http, "sendgrid.parse_update", perform)


async def delete_setting(http: web.Request) -> web.StreamResponse:
    """Take a host out."""
    account, host = http.app[STATE].sendgrid, http.match_info["host"]

    def perform(_: JsonObject) -> ProviderResponse:
        found = account.parse_setting(host)
        if found is None:
            return requests.not_found()
        account.parse.remove(found)
        return requests.gone()

    return await requests.change(http, "sendgrid.parse_delete", perform)


def _changed(found: ParseSetting, document: JsonObject, account: SendGridAccount) -> ProviderResponse | None:
    """Carry out a change; the answer to one that is refused."""
    url, attached = document.get("url", found.url), document.get("security_policy", found.security_policy)
    if urlsplit(str(url)).scheme not in {"http", "https"}:
        return errors.rejection(400, [("url must be a valid url", "url")])
    if attached and account.policy(str(attached)) is None:
        return errors.rejection(400, [("security policy not found", "security_policy")])
    for name in ("spam_check", "send_raw"):
        if not isinstance(document.get(name, False), bool):
            return errors.rejection(400, [(f"{name} must be a boolean", name)])
    found.url, found.security_policy = str(url), str(attached) if attached else None
    found.spam_check = document.get("spam_check", found.spam_check)
    found.send_raw = document.get("send_raw", found.send_raw)
    return None


def _resource(found: ParseSetting) -> JsonObject:
    """The setting; a policy is named only where one is attached."""
    return found.model_dump(exclude_none=True)


async def list_policies(http: web.Request) -> web.StreamResponse:
    """List the policies, with the public keys of those that sign."""
    state = http.app[STATE]
    found = [_policy(state, each) for each in state.sendgrid.policies]
    return await requests.describe(http, "sendgrid.policies", lambda: _forbidden(state) or requests.ok({"policies": found}))


async def policy(http: web.Request) -> web.StreamResponse:
    """Describe one."""
    state = http.app[STATE]
    found = state.sendgrid.policy(http.match_info["policy"])

    def perform() -> ProviderResponse:
        if found is None:
            return _forbidden(state) or requests.not_found()
        return _forbidden(state) or requests.ok({"policy": _policy(state, found)})

    return await requests.describe(http, "sendgrid.policy", perform)


async def make_policy(http: web.Request) -> web.StreamResponse:
    """Make one that signs. OAuth, the other kind, is not played."""
    state = http.app[STATE]

    def perform(document: JsonObject) -> ProviderResponse:
        signature = document.get("signature")
        if not isinstance(signature, dict) or signature.get("enabled") is not True:
            return errors.error_response(400, "one of signature or oauth must be given")
        made = SecurityPolicy(name=str(document.get("name") or ""))
        state.sendgrid.policies.append(made)
        return ProviderResponse(status=201, body={"policy": _policy(state, made)}, sid=made.id)

    return await requests.change(http, "sendgrid.policy_make", lambda document: _forbidden(state) or perform(document))


async def delete_policy(http: web.Request) -> web.StreamResponse:
    """Delete one; one that is attached only by `force`."""
    account, identity = http.app[STATE].sendgrid, http.match_info["policy"]

    def perform(_: JsonObject) -> ProviderResponse:
        found = account.policy(identity)
        if found is None:
            return requests.not_found()
        users = [each for each in account.parse if each.security_policy == identity]
        if users and http.query.get("force") != "true":
            return errors.error_response(400, "the policy is attached to a parse setting")
        for each in users:
            each.security_policy = None
        account.policies.remove(found)
        return requests.ok({"policy": None})

    return await requests.change(http, "sendgrid.policy_delete", perform)


def _forbidden(state: SandboxState) -> ProviderResponse | None:
    return None if state.sendgrid.has_policies else errors.fault_response(403)


def _policy(state: SandboxState, found: SecurityPolicy) -> JsonObject:
    signature = {"signature": {"public_key": state.signers.of(found.id).public_key}} if found.signature else {}
    return {"id": found.id, "name": found.name, **signature}
