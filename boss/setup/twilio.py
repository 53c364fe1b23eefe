"""Twilio for `boss setup`: reads numbers, Messaging Services and what is registered; changes webhooks. The Auth Token is the login."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from boss.setup.api import FORBIDDEN, NOT_FOUND, ApiAway, ApiRefused, ProviderApi
from boss.setup.standing import StandingNumber, StandingService, StandingTwilio

NAME: Final = "Twilio"
PAGES: Final = 20
PAGE: Final = "100"
_API: Final = "/2010-04-01/Accounts"


def messaging_base(base: str) -> str:
    """Where the API of Messaging Services is: a host of Twilio's beside the other, also of a region; the same address for any other host.

    https://www.twilio.com/docs/global-infrastructure/using-the-twilio-rest-api-in-a-non-us-region
    """
    parts = urlsplit(base)
    host = parts.netloc
    if host.startswith("api.") and host.endswith(".twilio.com"):
        return f"{parts.scheme}://messaging.{host.removeprefix('api.')}"
    return base


class TwilioSetup:
    """The account, read and changed."""

    def __init__(self, base: str, sid: str, token: str) -> None:
        login = {"Authorization": "Basic " + base64.b64encode(f"{sid}:{token}".encode()).decode()}
        self._account = f"{_API}/{sid}"
        self._api = ProviderApi(NAME, base, login)
        self._messaging = ProviderApi(NAME, messaging_base(base), login)

    def check(self) -> str:
        """The account's state ("active"); raises ApiRefused for a wrong login."""
        return str(self._api.get(f"{self._account}.json").get("status") or "active")

    def look(self) -> StandingTwilio:
        """What stands. Raises ApiRefused, ApiAway."""
        account = self._api.get(f"{self._account}.json")
        services = tuple(self._service(each) for each in self._listed("/v1/Services", "services"))
        numbers = tuple(self._number(each) for each in self._numbers())
        brands = self._registered("/v1/a2p/BrandRegistrations", "data", "status")
        return StandingTwilio(numbers=numbers, services=services, brand=brands, trial=account.get("type") == "Trial")

    def set_number(self, sid: str, form: Mapping[str, str]) -> None:
        """Change what a number calls."""
        self._api.send("POST", f"{self._account}/IncomingPhoneNumbers/{sid}.json", form=form)

    def set_service(self, sid: str, form: Mapping[str, str]) -> None:
        """Change a Messaging Service."""
        self._messaging.send("POST", f"/v1/Services/{sid}", form=form)

    def _numbers(self) -> Iterator[dict[str, Any]]:
        document = self._api.get(f"{self._account}/IncomingPhoneNumbers.json", {"PageSize": PAGE})
        for _ in range(PAGES):
            yield from document.get("incoming_phone_numbers") or ()
            if not (path := document.get("next_page_uri")):
                return
            document = self._api.get(str(path))

    def _number(self, found: dict[str, Any]) -> StandingNumber:
        application, sid, phone = str(found.get("sms_application_sid") or ""), str(found["sid"]), str(found.get("phone_number") or "")
        kind = str(found.get("type") or "")
        return StandingNumber(
            sid=sid,
            phone=phone,
            kind=kind,
            can_text=bool((found.get("capabilities") or {}).get("sms")),
            url=str(found.get("sms_url") or ""),
            method=str(found.get("sms_method") or "POST"),
            fallback=str(found.get("sms_fallback_url") or ""),
            fallback_method=str(found.get("sms_fallback_method") or "POST"),
            application=application,
            application_url=self._application_url(application) if application else "",
            verification=self._verification(sid) if kind == "tollfree" else "",
        )

    def _application_url(self, sid: str) -> str:
        try:
            return str(self._api.get(f"{self._account}/Applications/{sid}.json").get("sms_url") or "")
        except ApiRefused:  # one that was deleted: the number calls nobody
            return ""

    def _verification(self, sid: str) -> str:
        return self._registered("/v1/Tollfree/Verifications", "verifications", "status", {"TollfreePhoneNumberSid": sid})

    def _service(self, found: dict[str, Any]) -> StandingService:
        sid = str(found["sid"])
        phones = tuple(str(each.get("phone_number") or "") for each in self._listed(f"/v1/Services/{sid}/PhoneNumbers", "phone_numbers"))
        return StandingService(
            sid=sid,
            name=str(found.get("friendly_name") or ""),
            phones=phones,
            uses_number=bool(found.get("use_inbound_webhook_on_number")),
            url=str(found.get("inbound_request_url") or ""),
            fallback=str(found.get("fallback_url") or ""),
            campaign=self._registered(f"/v1/Services/{sid}/Compliance/Usa2p", "compliance", "campaign_status"),
        )

    def _listed(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        document = self._messaging.get(path, {"PageSize": PAGE})
        for _ in range(PAGES):
            yield from document.get(key) or ()
            following = str((document.get("meta") or {}).get("next_page_url") or "")
            if not following:
                return
            parts = urlsplit(following)  # its host is Twilio's own word; ours is where the login goes
            document = self._messaging.get(f"{parts.path}?{parts.query}" if parts.query else parts.path)

    def _registered(self, path: str, key: str, field: str, query: Mapping[str, str] | None = None) -> str:
        """The state of the newest registration; "" for none, and where the account may not see them."""
        try:
            listed = self._messaging.get(path, query).get(key) or []
        except ApiRefused as error:
            if error.status in (FORBIDDEN, NOT_FOUND):
                return ""
            raise
        except AttributeError:
            raise ApiAway(NAME, "its answer cannot be read") from None
        states = [str(each.get(field) or "") for each in listed]
        good = next((each for each in states if each in {"APPROVED", "VERIFIED", "TWILIO_APPROVED"}), "")
        return good or (states[0] if states else "")
