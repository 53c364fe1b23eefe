"""Authenticated domains: made with their DNS records, looked at, validated, deleted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiohttp import web

from sandbox.engine.provider_request import ProviderResponse
from sandbox.engine.sendgrid_account import AuthenticatedDomain
from sandbox.engine.state import STATE
from sandbox.sendgrid import errors, requests

if TYPE_CHECKING:
    from sandbox.engine.json_types import JsonObject

_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_PATH: Final = "/v3/whitelabel/domains"
USER: Final = 1
PAGE: Final = 50


def routes() -> list[web.RouteDef]:
    """The routes."""
    return [
        web.get(_PATH, list_domains),
        web.post(_PATH, make_domain),
        web.get(_PATH + "/{domain}", domain),
        web.delete(_PATH + "/{domain}", delete_domain),
        web.post(_PATH + "/{domain}/validate", validate),
    ]


async def list_domains(http: web.Request) -> web.StreamResponse:
    """List the domains, a page by `limit` and `offset`; `domain` chooses those of one name."""
    limit, offset = _number(http, "limit", PAGE), _number(http, "offset", 0)
    wanted = http.query.get("domain")
    found = [_resource(each) for each in http.app[STATE].sendgrid.domains if wanted in {None, each.domain}]
    return await requests.describe(http, "sendgrid.domains", lambda: requests.ok(found[offset : offset + limit]))


async def domain(http: web.Request) -> web.StreamResponse:
    """Describe one."""
    found = http.app[STATE].sendgrid.domain(http.match_info["domain"])
    return await requests.describe(
        http, "sendgrid.domain", lambda: requests.not_found() if found is None else requests.ok(_resource(found))
    )


async def make_domain(http: web.Request) -> web.StreamResponse:
    """Make one; its records are then to be put into the DNS."""
    account = http.app[STATE].sendgrid

    def perform(document: JsonObject) -> ProviderResponse:
        name, subdomain = document.get("domain"), document.get("subdomain") or f"em{100 + len(account.domains)}"
        if not isinstance(name, str) or not _DOMAIN.fullmatch(name.lower()):
            return errors.rejection(400, [("domain must be a valid domain name", "domain")])
        if any((each.domain, each.subdomain) == (name.lower(), subdomain) for each in account.domains):
            return errors.error_response(400, "An authenticated domain already exists for this URL.")
        made = AuthenticatedDomain(domain=name.lower(), subdomain=str(subdomain))
        account.domains.append(made)
        return ProviderResponse(status=201, body=_resource(made), sid=str(made.id))

    return await requests.change(http, "sendgrid.domain_make", perform)


async def delete_domain(http: web.Request) -> web.StreamResponse:
    """Delete one."""
    account, identity = http.app[STATE].sendgrid, http.match_info["domain"]

    def perform(_: JsonObject) -> ProviderResponse:
        found = account.domain(identity)
        if found is None:
            return requests.not_found()
        account.domains.remove(found)
        return requests.gone()

    return await requests.change(http, "sendgrid.domain_delete", perform)


async def validate(http: web.Request) -> web.StreamResponse:
    """Look for the records in the DNS, and say of each whether it is there."""
    account, identity = http.app[STATE].sendgrid, http.match_info["domain"]

    def perform(_: JsonObject) -> ProviderResponse:
        found = account.domain(identity)
        if found is None:
            return requests.not_found()
        found.valid = account.dns == "found"
        results = {
            name: {
                "valid": found.valid,
                "reason": None if found.valid else f'Expected CNAME for "{record["host"]}" to match "{record["data"]}".',
            }
            for name, record in _records(found).items()
        }
        return requests.ok({"id": found.id, "valid": found.valid, "validation_results": results})

    return await requests.change(http, "sendgrid.domain_validate", perform)


def _records(found: AuthenticatedDomain) -> dict[str, JsonObject]:
    target = f"u{USER}.wl.sendgrid.net"
    wanted = {
        "mail_cname": (f"{found.subdomain}.{found.domain}", target),
        "dkim1": (f"s1._domainkey.{found.domain}", f"s1.domainkey.{target}"),
        "dkim2": (f"s2._domainkey.{found.domain}", f"s2.domainkey.{target}"),
    }
    return {name: {"valid": found.valid, "type": "cname", "host": host, "data": data} for name, (host, data) in wanted.items()}


def _resource(found: AuthenticatedDomain) -> JsonObject:
    return {
        "id": found.id,
        "user_id": USER,
        "subdomain": found.subdomain,
        "domain": found.domain,
        "username": "sandbox",
        "ips": [],
        "custom_spf": False,
        "default": False,
        "legacy": False,
        "automatic_security": True,
        "valid": found.valid,
        "dns": _records(found),
    }


def _number(http: web.Request, name: str, default: int) -> int:
    given = http.query.get(name, "")
    return int(given) if given.isascii() and given.isdigit() else default
