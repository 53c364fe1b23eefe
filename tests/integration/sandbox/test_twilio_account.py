"""The Twilio account: what stands in it, how it is changed, and where a text goes then. By Twilio's own SDK where it has a method."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import validate
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.request_validator import RequestValidator

from sandbox.engine.twilio_account import sid_of
from tests.integration.sandbox import provider_schemas as schemas
from tests.integration.sandbox.clients import ACCOUNT, BOSS, TOKEN, WebhookReceiver, form_of, posted, request, twilio
from tests.support.sandbox import SandboxProcess

OURS = "https://boss.example.com/sms/inbound"
OTHER = "https://other.example.com/sms"
LOGIN = (ACCOUNT, TOKEN)


def account(*numbers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"twilio": {"numbers": list(numbers), **more}}


def test_every_answer_is_as_twilio_publishes_it(sandbox: SandboxProcess) -> None:
    """The fields that are read here, with their types."""
    number = {"phone_number": BOSS, "sms_url": OURS, "type": "tollfree", "verification": "IN_REVIEW"}
    service = {"friendly_name": "family", "numbers": [BOSS], "campaign": "VERIFIED"}
    sandbox.call("POST", "/sandbox/account", account(number, services=[service], applications=[{"friendly_name": "old"}], brand="APPROVED"))
    base = f"/2010-04-01/Accounts/{ACCOUNT}"
    [found] = request(sandbox, "GET", f"{base}/IncomingPhoneNumbers.json", login=LOGIN).json["incoming_phone_numbers"]
    [service] = request(sandbox, "GET", "/v1/Services", login=LOGIN).json["services"]
    application = "AP" + "0" * 32
    expected = {
        f"{base}.json": schemas.ACCOUNT,
        f"{base}/IncomingPhoneNumbers.json": schemas.NUMBERS,
        f"{base}/IncomingPhoneNumbers.json?PageSize=1&Page=1": schemas.NUMBERS,
        f"{base}/IncomingPhoneNumbers/{found['sid']}.json": schemas.NUMBER,
        "/v1/Services": schemas.SERVICES,
        f"/v1/Services/{service['sid']}": schemas.SERVICE,
        f"/v1/Services/{service['sid']}/PhoneNumbers": schemas.SERVICE_NUMBERS,
        f"/v1/Services/{service['sid']}/Compliance/Usa2p": schemas.CAMPAIGNS,
        "/v1/a2p/BrandRegistrations": schemas.BRANDS,
        "/v1/Tollfree/Verifications": schemas.VERIFICATIONS,
    }
    for path, schema in expected.items():
        answer = request(sandbox, "GET", path, login=LOGIN)
        assert answer.status == 200, path
        validate(answer.json, schema)
    for path in (f"{base}/Applications/{application}.json", f"{base}/IncomingPhoneNumbers/PN{'0' * 32}.json", "/v1/Services/MG0"):
        answer = request(sandbox, "GET", path, login=LOGIN)
        assert answer.status == 404
        validate(answer.json, schemas.TWILIO_ERROR)


def test_a_number_is_found_and_its_webhook_changed(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
    """By Twilio's SDK; and from then on its texts go there, signed over that address without its fragment."""
    sandbox.call("POST", "/sandbox/account", account({"phone_number": BOSS, "sms_url": OTHER}))
    client = twilio(sandbox)
    [number] = client.incoming_phone_numbers.list()
    assert (number.phone_number, number.sms_url, number.capabilities["sms"]) == (BOSS, OTHER, True)
    assert sandbox.send_sms("lost")["status"] is None  # another host's webhook is not posted from here
    changed = client.incoming_phone_numbers(number.sid).update(sms_url=OURS + "#rc=3&rp=all", sms_fallback_url=OURS + "?b=1")
    assert (changed.sms_url, changed.sms_fallback_url) == (OURS + "#rc=3&rp=all", OURS + "?b=1")
    assert sandbox.send_sms("hello")["status"] == 200
    seen = posted(receiver, "/sms/inbound")
    assert RequestValidator(TOKEN).validate(OURS, form_of(seen), seen[1]["X-Twilio-Signature"])


@pytest.mark.parametrize(
    ("change", "code"),
    [({"sms_url": "boss.example.com"}, 21402), ({"sms_fallback_url": "ftp://x"}, 21402), ({"sms_application_sid": "AP" + "1" * 32}, 20001)],
)
def test_twilio_refuses_what_it_cannot_call(sandbox: SandboxProcess, change: dict[str, str], code: int) -> None:
    """And the number stays as it was."""
    client = twilio(sandbox)
    [number] = client.incoming_phone_numbers.list()
    with pytest.raises(TwilioRestException) as caught:
        client.incoming_phone_numbers(number.sid).update(**change)
    assert caught.value.code == code
    assert client.incoming_phone_numbers(number.sid).fetch().sms_url == number.sms_url


def test_the_fallback_is_asked_where_the_webhook_fails(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
    """After the tries that the fragment asks for, with Twilio's ErrorCode and ErrorUrl, and the same MessageSid."""
    sandbox.call("POST", "/sandbox/account", account({"phone_number": BOSS, "sms_url": OURS + "#rc=2&rp=all", "sms_fallback_url": OURS}))
    sandbox.faults(inbound={"retry_wait_seconds": 0})
    receiver.statuses += [503, 503, 503]
    assert sandbox.send_sms("hello")["status"] == 200
    forms = [form_of(each) for each in receiver.seen]
    assert [form.get("ErrorCode") for form in forms] == [None, None, None, "11200"]
    assert forms[3]["ErrorUrl"] == OURS
    assert len({form["MessageSid"] for form in forms}) == 1


def test_a_messaging_service_decides_where_its_numbers_texts_go(sandbox: SandboxProcess, receiver: WebhookReceiver) -> None:
    """Unless it leaves that to the number; and an application of the number comes before its address."""
    service = {"friendly_name": "family", "numbers": [BOSS]}
    number = {"phone_number": BOSS, "sms_url": OURS}
    sandbox.call("POST", "/sandbox/account", account(number, services=[service]))
    assert sandbox.send_sms("to nobody")["status"] is None
    [found] = twilio(sandbox).messaging.v1.services.list()
    assert (found.inbound_request_url, found.use_inbound_webhook_on_number) == (None, False)
    assert twilio(sandbox).messaging.v1.services(found.sid).update(use_inbound_webhook_on_number=True).use_inbound_webhook_on_number
    assert sandbox.send_sms("to us")["status"] == 200
    assert form_of(posted(receiver, "/sms/inbound"))["MessagingServiceSid"] == found.sid
    old = sid_of("AP", "old")
    number = {"phone_number": BOSS, "sms_url": OURS, "sms_application_sid": old}
    sandbox.call("POST", "/sandbox/account", account(number, applications=[{"friendly_name": "old", "sms_url": OTHER}]))
    assert sandbox.send_sms("to the application")["status"] is None
    [found] = twilio(sandbox).incoming_phone_numbers.list()
    assert (found.sms_application_sid, twilio(sandbox).applications(old).fetch().sms_url) == (old, OTHER)
    assert twilio(sandbox).incoming_phone_numbers(found.sid).update(sms_application_sid="").sms_application_sid == ""
    assert sandbox.send_sms("to us")["status"] == 200


def test_lists_come_in_pages(sandbox: SandboxProcess) -> None:
    """Each names the next."""
    sandbox.call("POST", "/sandbox/account", account(*({"phone_number": f"+1555000{number:04}"} for number in range(7))))
    assert len(twilio(sandbox).incoming_phone_numbers.list(page_size=3)) == 7
    services = [{"friendly_name": f"service {number}"} for number in range(7)]
    sandbox.call("POST", "/sandbox/account", account(services=services))
    assert len(twilio(sandbox).messaging.v1.services.list(page_size=3)) == 7


def test_a_wrong_login_sees_and_changes_nothing(sandbox: SandboxProcess) -> None:
    """401, whatever the path."""
    client = twilio(sandbox, token="wrong")
    for call in (
        client.incoming_phone_numbers.list,
        client.messaging.v1.services.list,
        lambda: client.incoming_phone_numbers("PN" + "0" * 32).update(sms_url=OURS),
    ):
        with pytest.raises(TwilioException, match=r"\b401\b.*Authenticate"):
            call()


def test_faults_meet_looks_and_changes(sandbox: SandboxProcess) -> None:
    """`on` tells them apart, `match` finds one path."""
    client = twilio(sandbox)
    [number] = client.incoming_phone_numbers.list()
    sandbox.faults(twilio={"fail": [{"fault": "503", "on": "change", "match": number.sid}, {"fault": "429", "on": "describe"}]})
    with pytest.raises(TwilioException, match="429"):
        client.incoming_phone_numbers.list()
    with pytest.raises(TwilioRestException, match="503"):
        client.incoming_phone_numbers(number.sid).update(sms_url=OTHER)
    assert client.incoming_phone_numbers(number.sid).update(sms_url=OTHER).sms_url == OTHER
    sandbox.reset()
    assert client.incoming_phone_numbers(number.sid).fetch().sms_url == OURS


def test_an_account_that_cannot_be_is_refused(sandbox: SandboxProcess) -> None:
    """A misspelt field is not passed over."""
    answer = request(sandbox, "POST", "/sandbox/account", document={"twilio": {"nmbers": []}})
    assert (answer.status, "nmbers" in answer.json["error"]) == (400, True)
