"""The account itself, its numbers and its applications; a number's webhooks can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.engine.provider_request import ProviderResponse
from sandbox.engine.state import STATE
from sandbox.engine.twilio_message_log import API_VERSION
from sandbox.twilio import errors, requests

if TYPE_CHECKING:
    from sandbox.engine.json_types import JsonObject
    from sandbox.engine.twilio_account import OwnedNumber, TwilioAccount

MADE: Final = "Sun, 22 Nov 2026 10:00:00 +0000"
_URLS: Final = {"SmsUrl": "sms_url", "SmsFallbackUrl": "sms_fallback_url", "StatusCallback": "status_callback"}
_METHODS: Final = {"SmsMethod": "sms_method", "SmsFallbackMethod": "sms_fallback_method"}
_APPLICATION: Final = "SmsApplicationSid"


def routes() -> list[web.RouteDef]:
    """The routes."""
    account = f"/{API_VERSION}/Accounts/{{account}}"
    return [
        web.get(account + ".json", account_resource),
        web.get(account + "/IncomingPhoneNumbers.json", numbers),
        web.get(account + "/IncomingPhoneNumbers/{sid}.json", number),
        web.post(account + "/IncomingPhoneNumbers/{sid}.json", update_number),
        web.get(account + "/Applications/{sid}.json", application),
    ]


async def account_resource(http: web.Request) -> web.StreamResponse:
    """Describe the account: a check of the credentials."""
    account, sid = http.app[STATE].twilio, http.match_info["account"]
    document = {
        "sid": sid,
        "friendly_name": "Bossline sandbox",
        "status": account.status,
        "type": account.type,
        "owner_account_sid": sid,
        "date_created": MADE,
        "date_updated": MADE,
        "subresource_uris": {},
        "uri": http.path,
    }
    return await requests.describe(http, requests.ACCOUNT, lambda: ProviderResponse(status=200, body=document))


async def numbers(http: web.Request) -> web.StreamResponse:
    """List the account's numbers. `PhoneNumber` is a whole number here, though Twilio takes a part of one as well."""
    account, wanted = http.app[STATE].twilio, http.query.get("PhoneNumber")
    found = [_resource(http, each) for each in account.numbers if wanted in {None, each.phone_number}]
    return await requests.describe(http, "twilio.numbers", lambda: requests.listed(http, "incoming_phone_numbers", found))


async def number(http: web.Request) -> web.StreamResponse:
    """Describe one number."""
    found = http.app[STATE].twilio.number(http.match_info["sid"])

    def perform() -> ProviderResponse:
        return requests.not_found(http) if found is None else ProviderResponse(status=200, body=_resource(http, found))

    return await requests.describe(http, "twilio.number", perform)


async def update_number(http: web.Request) -> web.StreamResponse:
    """Change a number's webhooks; what the form does not name stays."""
    account = http.app[STATE].twilio
    found = account.number(http.match_info["sid"])

    def perform(params: dict[str, str]) -> ProviderResponse:
        if found is None:
            return requests.not_found(http)
        if rejected := _rejected(params, account):
            return rejected
        for name, field in {**_URLS, **_METHODS, _APPLICATION: "sms_application_sid"}.items():
            if name in params:
                setattr(found, field, params[name])
        return ProviderResponse(status=200, body=_resource(http, found), sid=found.sid)

    return await requests.change(http, "twilio.number_update", perform)


async def application(http: web.Request) -> web.StreamResponse:
    """Describe one application."""
    found = http.app[STATE].twilio.application(http.match_info["sid"])

    def perform() -> ProviderResponse:
        if found is None:
            return requests.not_found(http)
        document = {
            "sid": found.sid,
            "account_sid": http.match_info["account"],
            "friendly_name": found.friendly_name,
            "sms_url": found.sms_url,
            "sms_method": found.sms_method,
            "uri": http.path,
        }
        return ProviderResponse(status=200, body=document)

    return await requests.describe(http, "twilio.application", perform)


def _rejected(params: dict[str, str], account: TwilioAccount) -> ProviderResponse | None:
    """The answer to a change that Twilio refuses: 21402 for an address, 21403 for a method."""
    for name in _URLS:
        if params.get(name) and not is_web_address(params[name]):
            return errors.error_response(400, 21402, f"{name} is not valid")
    for name in _METHODS:
        if params.get(name, "POST") not in {"GET", "POST"}:
            return errors.error_response(400, 21403, f"{name} is not valid")
    if params.get(_APPLICATION) and account.application(params[_APPLICATION]) is None:
        return errors.error_response(400, 20001, f"{_APPLICATION} is not valid")
    return None


def is_web_address(url: str) -> bool:
    """Whether Twilio could call an address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not any(char.isspace() for char in url)


def _resource(http: web.Request, found: OwnedNumber) -> JsonObject:
    account = http.match_info["account"]
    return {
        "sid": found.sid,
        "account_sid": account,
        "phone_number": found.phone_number,
        "friendly_name": found.phone_number,
        "capabilities": {"voice": False, "sms": found.sms, "mms": found.sms, "fax": False},
        "sms_url": found.sms_url,
        "sms_method": found.sms_method,
        "sms_fallback_url": found.sms_fallback_url,
        "sms_fallback_method": found.sms_fallback_method,
        "sms_application_sid": found.sms_application_sid,
        "status_callback": found.status_callback,
        "status_callback_method": "POST",
        "voice_url": None,
        "voice_method": "POST",
        "status": "in-use",
        "type": found.type,
        "origin": "twilio",
        "beta": False,
        "address_requirements": "none",
        "api_version": API_VERSION,
        "date_created": MADE,
        "date_updated": MADE,
        "uri": f"/{API_VERSION}/Accounts/{account}/IncomingPhoneNumbers/{found.sid}.json",
    }
