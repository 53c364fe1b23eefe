"""What stands in the Twilio account: its numbers with their webhooks, Messaging Services, applications, and what is registered.

A test replaces it as a whole by `POST /sandbox/account`; the product changes it by Twilio's own API. By default the account has one
number, the Boss's, which calls the product already.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from sandbox.engine.faults import StrictModel

if TYPE_CHECKING:
    from sandbox.engine.settings import SandboxSettings

SMS_PATH: Final = "/sms/inbound"
Method = Literal["GET", "POST"]
Approval = Literal["PENDING", "APPROVED", "FAILED", "IN_REVIEW", "DELETION_PENDING", "DELETION_FAILED", "SUSPENDED"]
Campaign = Literal["PENDING", "IN_PROGRESS", "VERIFIED", "FAILED", "SUSPENDED"]
TollFree = Literal["PENDING_REVIEW", "IN_REVIEW", "TWILIO_APPROVED", "TWILIO_REJECTED"]


def sid_of(prefix: str, name: str) -> str:
    """The id that belongs to a name: the same at each start, so that a test can name it."""
    return prefix + hashlib.sha256(name.encode()).hexdigest()[:32]


class OwnedNumber(StrictModel):
    """A number of the account, https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource."""

    phone_number: Annotated[str, Field(pattern=r"^\+[1-9]\d{6,14}$")]
    sms: bool = True
    """Whether it can send and receive texts."""
    type: Literal["local", "mobile", "tollfree", "national"] = "local"
    sms_url: str = ""
    sms_method: Method = "POST"
    sms_fallback_url: str = ""
    sms_fallback_method: Method = "POST"
    sms_application_sid: str = ""
    """If set, the application's address counts, and the number's own do not."""
    status_callback: str = ""
    verification: TollFree | None = None
    """Of a toll-free number."""

    @property
    def sid(self) -> str:
        """Its id."""
        return sid_of("PN", self.phone_number)


class MessagingService(StrictModel):
    """A Messaging Service with numbers in it, https://www.twilio.com/docs/messaging/api/service-resource."""

    friendly_name: str
    numbers: list[str] = Field(default_factory=list)
    inbound_request_url: str | None = None
    """Null: no text of its numbers is passed on."""
    inbound_method: Method = "POST"
    fallback_url: str | None = None
    fallback_method: Method = "POST"
    use_inbound_webhook_on_number: bool = False
    """True: what is set on the number counts, and not the two addresses here."""
    campaign: Campaign | None = None
    """The state of its A2P campaign."""

    @property
    def sid(self) -> str:
        """Its id."""
        return sid_of("MG", self.friendly_name)


class TwimlApplication(StrictModel):
    """A TwiML application."""

    friendly_name: str
    sms_url: str = ""
    sms_method: Method = "POST"

    @property
    def sid(self) -> str:
        """Its id."""
        return sid_of("AP", self.friendly_name)


class TwilioAccount(StrictModel):
    """All of it."""

    status: Literal["active", "suspended", "closed"] = "active"
    type: Literal["Trial", "Full"] = "Full"
    numbers: list[OwnedNumber] = Field(default_factory=list)
    services: list[MessagingService] = Field(default_factory=list)
    applications: list[TwimlApplication] = Field(default_factory=list)
    brand: Approval | None = None
    """The state of the account's A2P brand."""
    assumed: bool = False
    """Whether a text to a number that the account does not have goes to the product, too."""

    @classmethod
    def default(cls, settings: SandboxSettings) -> TwilioAccount:
        """The Boss's number, which calls the product."""
        return cls(numbers=[OwnedNumber(phone_number=settings.boss_phone, sms_url=settings.public_url + SMS_PATH)], assumed=True)

    def number(self, sid: str) -> OwnedNumber | None:
        """The number of an id."""
        return next((each for each in self.numbers if each.sid == sid), None)

    def service(self, sid: str) -> MessagingService | None:
        """The Messaging Service of an id."""
        return next((each for each in self.services if each.sid == sid), None)

    def application(self, sid: str) -> TwimlApplication | None:
        """The application of an id."""
        return next((each for each in self.applications if each.sid == sid), None)

    def service_of(self, phone: str) -> str | None:
        """The id of the Messaging Service that a number is in."""
        return next((each.sid for each in self.services if phone in each.numbers), None)

    def inbound_urls(self, phone: str) -> tuple[str, str] | None:
        """Where a text to a number is posted, and where when that fails, "" for nowhere; None for a number that is not the account's."""
        number = next((each for each in self.numbers if each.phone_number == phone), None)
        if number is None:
            return None
        service = next((each for each in self.services if phone in each.numbers), None)
        if service is not None and not service.use_inbound_webhook_on_number:
            return service.inbound_request_url or "", service.fallback_url or ""
        if number.sms_application_sid:
            application = self.application(number.sms_application_sid)
            return (application.sms_url if application else ""), ""
        return number.sms_url, number.sms_fallback_url
