"""The API of messaging.twilio.com, played on the same address: Messaging Services, and what is registered with the carriers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from sandbox.engine.provider_request import ProviderResponse
from sandbox.engine.state import STATE
from sandbox.engine.twilio_account import sid_of
from sandbox.twilio import errors, requests
from sandbox.twilio.numbers import is_web_address

if TYPE_CHECKING:
    from sandbox.engine.json_types import JsonObject
    from sandbox.engine.twilio_account import MessagingService

MADE: Final = "2026-11-22T10:00:00Z"
_URLS: Final = {"InboundRequestUrl": "inbound_request_url", "FallbackUrl": "fallback_url"}
_METHODS: Final = {"InboundMethod": "inbound_method", "FallbackMethod": "fallback_method"}
_USE_NUMBER: Final = "UseInboundWebhookOnNumber"


def routes() -> list[web.RouteDef]:
    """The routes."""
    return [
        web.get("/v1/Services", services),
        web.get("/v1/Services/{service}", service),
        web.post("/v1/Services/{service}", update_service),
        web.get("/v1/Services/{service}/PhoneNumbers", service_numbers),
        web.get("/v1/Services/{service}/Compliance/Usa2p", campaigns),
        web.get("/v1/a2p/BrandRegistrations", brands),
        web.get("/v1/Tollfree/Verifications", verifications),
    ]


async def services(http: web.Request) -> web.StreamResponse:
    """List the Messaging Services."""
    found = [_resource(http, each) for each in http.app[STATE].twilio.services]
    return await requests.describe(http, "twilio.services", lambda: requests.listed_with_meta(http, "services", found))


async def service(http: web.Request) -> web.StreamResponse:
    """Describe one."""
    found = _service(http)

    def perform() -> ProviderResponse:
        return requests.not_found(http) if found is None else ProviderResponse(status=200, body=_resource(http, found))

    return await requests.describe(http, "twilio.service", perform)


async def update_service(http: web.Request) -> web.StreamResponse:
    """Change one; what the form does not name stays, and an empty address is none."""
    found = _service(http)

    def perform(params: dict[str, str]) -> ProviderResponse:
        if found is None:
            return requests.not_found(http)
        for name in _URLS:
            if params.get(name) and not is_web_address(params[name]):
                return errors.error_response(400, 20001, f"{name} is not a valid URL")
        for name, field in _URLS.items():
            if name in params:
                setattr(found, field, params[name] or None)
        for name, field in _METHODS.items():
            if name in params:
                setattr(found, field, params[name])
        if _USE_NUMBER in params:
            found.use_inbound_webhook_on_number = params[_USE_NUMBER].lower() == "true"
        return ProviderResponse(status=200, body=_resource(http, found), sid=found.sid)

    return await requests.change(http, "twilio.service_update", perform)


async def service_numbers(http: web.Request) -> web.StreamResponse:
    """List the numbers in a Messaging Service."""
    account, found = http.app[STATE].twilio, _service(http)
    inside = [each for each in account.numbers if found is not None and each.phone_number in found.numbers]
    documents: list[JsonObject] = [
        {
            "sid": each.sid,
            "account_sid": _account(http),
            "service_sid": http.match_info["service"],
            "phone_number": each.phone_number,
            "country_code": "US",
            "capabilities": ["SMS", "MMS"] if each.sms else [],
            "date_created": MADE,
            "date_updated": MADE,
            "url": f"{http.url.origin()}{http.path}/{each.sid}",
        }
        for each in inside
    ]

    def perform() -> ProviderResponse:
        return requests.not_found(http) if found is None else requests.listed_with_meta(http, "phone_numbers", documents)

    return await requests.describe(http, "twilio.service_numbers", perform)


async def campaigns(http: web.Request) -> web.StreamResponse:
    """List the A2P campaigns of a Messaging Service: one at most."""
    found = _service(http)
    documents: list[JsonObject] = []
    if found is not None and found.campaign is not None:
        sid = sid_of("QE", found.friendly_name)
        documents = [
            {
                "sid": sid,
                "account_sid": _account(http),
                "brand_registration_sid": sid_of("BN", "brand"),
                "messaging_service_sid": found.sid,
                "campaign_status": found.campaign,
                "campaign_id": "CSANDBOX",
                "us_app_to_person_usecase": "LOW_VOLUME",
                "is_externally_registered": False,
                "mock": False,
                "errors": [],
                "date_created": MADE,
                "date_updated": MADE,
                "url": f"{http.url.origin()}{http.path}/{sid}",
            }
        ]

    def perform() -> ProviderResponse:
        return requests.not_found(http) if found is None else requests.listed_with_meta(http, "compliance", documents)

    return await requests.describe(http, "twilio.campaigns", perform)


async def brands(http: web.Request) -> web.StreamResponse:
    """List the A2P brands of the account: one at most."""
    status = http.app[STATE].twilio.brand
    sid = sid_of("BN", "brand")
    document: JsonObject = {
        "sid": sid,
        "account_sid": _account(http),
        "brand_type": "SOLE_PROPRIETOR",
        "status": status,
        "identity_status": "VERIFIED" if status == "APPROVED" else "UNVERIFIED",
        "failure_reason": None,
        "mock": False,
        "date_created": MADE,
        "date_updated": MADE,
        "url": f"{http.url.origin()}{http.path}/{sid}",
    }
    found = [document] if status is not None else []
    return await requests.describe(http, "twilio.brands", lambda: requests.listed_with_meta(http, "data", found))


async def verifications(http: web.Request) -> web.StreamResponse:
    """List the verifications of toll-free numbers."""
    wanted = http.query.get("TollfreePhoneNumberSid")
    found: list[JsonObject] = [
        {
            "sid": sid_of("HH", each.phone_number),
            "account_sid": _account(http),
            "tollfree_phone_number_sid": each.sid,
            "tollfree_phone_number": each.phone_number,
            "status": each.verification,
            "rejection_reason": None,
            "date_created": MADE,
            "date_updated": MADE,
            "url": f"{http.url.origin()}{http.path}/{sid_of('HH', each.phone_number)}",
        }
        for each in http.app[STATE].twilio.numbers
        if each.verification is not None and wanted in {None, each.sid}
    ]
    return await requests.describe(http, "twilio.verifications", lambda: requests.listed_with_meta(http, "verifications", found))


def _service(http: web.Request) -> MessagingService | None:
    return http.app[STATE].twilio.service(http.match_info["service"])


def _account(http: web.Request) -> str:
    return http.app[STATE].settings.account_sid


def _resource(http: web.Request, found: MessagingService) -> JsonObject:
    url = f"{http.url.origin()}/v1/Services/{found.sid}"
    return {
        "sid": found.sid,
        "account_sid": _account(http),
        "friendly_name": found.friendly_name,
        "inbound_request_url": found.inbound_request_url,
        "inbound_method": found.inbound_method,
        "fallback_url": found.fallback_url,
        "fallback_method": found.fallback_method,
        "status_callback": None,
        "use_inbound_webhook_on_number": found.use_inbound_webhook_on_number,
        "us_app_to_person_registered": found.campaign == "VERIFIED",
        "usecase": "undeclared",
        "sticky_sender": True,
        "smart_encoding": True,
        "mms_converter": True,
        "area_code_geomatch": True,
        "synchronous_validation": False,
        "validity_period": 36_000,
        "date_created": MADE,
        "date_updated": MADE,
        "url": url,
        "links": {"phone_numbers": f"{url}/PhoneNumbers", "us_app_to_person": f"{url}/Compliance/Usa2p"},
    }
