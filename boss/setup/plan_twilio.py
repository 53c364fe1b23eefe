"""What is to be done at Twilio: the webhooks of the Boss's numbers, and the Messaging Service that may come before them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from boss.setup.standing import StandingNumber, StandingService, StandingTwilio
from boss.setup.steps import SetNumber, SetService, SetupStep
from boss.setup.wanted import SetupGoal, host_of, without_extras

APPROVED: Final = frozenset({"VERIFIED", "APPROVED", "TWILIO_APPROVED"})
CONSOLE: Final = "Twilio console, Messaging, Regulatory Compliance"
NORTH_AMERICA: Final = "+1"


def twilio_steps(wanted: SetupGoal, standing: StandingTwilio) -> Iterator[SetupStep]:
    """The changes that are left."""
    for phone in wanted.phones:
        number = standing.number(phone)
        if number is None:
            continue
        yield from _webhook(wanted, number)
        yield from _fallback(wanted, number)
    for service in standing.services:
        yield from _service(wanted, service)


def twilio_notes(wanted: SetupGoal, standing: StandingTwilio) -> Iterator[str]:
    """What the person should know: numbers that are missing, who decides for them, and what the carriers want."""
    for phone in wanted.phones:
        number, service = standing.number(phone), standing.service_of(phone)
        if number is None:
            yield f"{phone} is not a number of this Twilio account: buy it there, or correct boss_phone."
            continue
        if not number.can_text:
            yield f"{phone} cannot send or receive texts: choose another number."
        if service is not None:
            yield _explained(wanted, phone, service)
        if phone.startswith(NORTH_AMERICA):
            yield _registered(number, service, standing)
    if standing.trial:
        yield "The Twilio account is a trial: it texts only to numbers that were verified there."


def _webhook(wanted: SetupGoal, number: StandingNumber) -> Iterator[SetupStep]:
    if number.url == wanted.sms_url and number.method == "POST" and not number.application:
        return
    now = number.application_url if number.application else number.url
    elsewhere = wanted.elsewhere(now, number.url)
    if number.application and not now:
        elsewhere = (number.application, *elsewhere)  # its address is not known: its id is typed
    form = {"SmsUrl": wanted.sms_url, "SmsMethod": "POST"} | ({"SmsApplicationSid": ""} if number.application else {})
    yield SetupStep(
        key=f"number:{number.phone}",
        says=f"Twilio {number.phone}: texts go to {without_extras(wanted.sms_url)} ({_standing_words(now)})",
        change=SetNumber(number.sid, form),
        elsewhere=elsewhere,
        stood={name: as_it_stands(number)[name] for name in ("SmsUrl", "SmsMethod", "SmsApplicationSid")},
    )


def _fallback(wanted: SetupGoal, number: StandingNumber) -> Iterator[SetupStep]:
    """The same address once more: what failed for 15 s is tried for another 15, and is known by its MessageSid."""
    if number.fallback == wanted.sms_url and number.fallback_method == "POST":
        return
    yield SetupStep(
        key=f"fallback:{number.phone}",
        says=f"Twilio {number.phone}: the same address when that fails ({_standing_words(number.fallback)})",
        change=SetNumber(number.sid, {"SmsFallbackUrl": wanted.sms_url, "SmsFallbackMethod": "POST"}),
        elsewhere=wanted.elsewhere(number.fallback),
        stood={name: as_it_stands(number)[name] for name in ("SmsFallbackUrl", "SmsFallbackMethod")},
    )


def as_it_stands(number: StandingNumber) -> dict[str, str]:
    """What a number calls, under the names by which it is changed."""
    return {
        "SmsUrl": number.url,
        "SmsMethod": number.method,
        "SmsApplicationSid": number.application,
        "SmsFallbackUrl": number.fallback,
        "SmsFallbackMethod": number.fallback_method,
    }


def _service(wanted: SetupGoal, service: StandingService) -> Iterator[SetupStep]:
    """Let the number's own address count, where the service has no other number than ours."""
    if not service.phones or not set(service.phones) <= set(wanted.phones) or service.uses_number or _calls_us(wanted, service):
        return
    yield SetupStep(
        key=f"service:{service.sid}",
        says=f"Twilio Messaging Service {service.name}: its numbers' own addresses count ({_standing_words(service.url)})",
        change=SetService(service.sid, {"UseInboundWebhookOnNumber": "true"}),
        elsewhere=wanted.elsewhere(service.url),
        stood={"UseInboundWebhookOnNumber": "false"},
    )


def _calls_us(wanted: SetupGoal, service: StandingService) -> bool:
    return without_extras(service.url) == without_extras(wanted.sms_url)


def _explained(wanted: SetupGoal, phone: str, service: StandingService) -> str:
    others = sorted(set(service.phones) - set(wanted.phones))
    head = f"{phone} is in the Messaging Service {service.name}"
    if service.uses_number:
        return f"{head}, which leaves it to the number where its texts go."
    if _calls_us(wanted, service):
        return f"{head}, which sends the texts of its numbers to us."
    if others:
        where = host_of(service.url) or "nowhere"
        return (
            f"{head}, which sends the texts of all its numbers to {where}. It has {len(others)} that are not the Boss's, so it is left as "
            f"it is: take {phone} out of it, or set it to `Defer to sender's webhook` (Twilio console, Messaging, Services)."
        )
    return f"{head}, which decides where its texts go; it is set to leave that to the number."


def _registered(number: StandingNumber, service: StandingService | None, standing: StandingTwilio) -> str:
    """What the carriers of the United States say. Error 30034, or 30032, tells of a number that is not registered."""
    if number.kind == "tollfree":
        state = number.verification
        if state in APPROVED:
            return f"{number.phone} is a verified toll-free number."
        return f"{number.phone} is toll-free and {_state(state)}: carriers block its texts until it is verified ({CONSOLE})."
    campaign = service.campaign if service else ""
    if campaign in APPROVED:
        return f"{number.phone} is registered for A2P 10DLC."
    if service is None:
        more = "it is in no Messaging Service, which a campaign needs"
    else:
        more = f"its Messaging Service has {_state(campaign, 'campaign')}"
    return f"{number.phone}: the A2P brand is {_state(standing.brand)}, and {more}. To the United States it must be registered ({CONSOLE})."


def _state(state: str, what: str = "") -> str:
    named = state.lower().replace("_", " ")
    if what:
        return f"a {what} that is {named}" if named else f"no {what}"
    return named or "not registered"


def _standing_words(url: str) -> str:
    return f"now {host_of(url) or url}" if url else "now nowhere"
