"""The SendGrid account: what stands in it, how it is changed, and where mail and events go then."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jsonschema import validate

from tests.integration.sandbox import provider_schemas as schemas
from tests.integration.sandbox.clients import Answer, WebhookReceiver, mail, posted, request, sendgrid
from tests.support.sandbox import SandboxProcess

KEY = "SG.key"
HOST = "boss.example.com"
INBOUND = "https://boss.example.com/email/inbound"
EVENTS = "https://boss.example.com/email/events"
DOMAINS = "/v3/whitelabel/domains"
PARSE = "/v3/user/webhooks/parse/settings"
POLICIES = "/v3/user/webhooks/security/policies"
WEBHOOKS = "/v3/user/webhooks/event/settings"
EMPTY: dict[str, Any] = {"sendgrid": {}}


def ask(sandbox: SandboxProcess, method: str, path: str, document: object = None, key: str = KEY) -> Answer:
    return request(sandbox, method, path, document=document, bearer=key)


@pytest.fixture
def empty(sandbox: SandboxProcess) -> SandboxProcess:
    """An account in which nothing stands."""
    sandbox.call("POST", "/sandbox/account", EMPTY)
    return sandbox


def signed(seen: tuple[str, dict[str, str], bytes], public_key: str) -> bool:
    """Whether a webhook is signed by the key, as SendGrid documents it."""
    _, headers, body = seen
    key = load_der_public_key(base64.b64decode(public_key))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signature = base64.b64decode(headers["X-Twilio-Email-Event-Webhook-Signature"])
    try:
        key.verify(signature, headers["X-Twilio-Email-Event-Webhook-Timestamp"].encode() + body, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def test_every_answer_is_as_sendgrid_publishes_it(empty: SandboxProcess) -> None:
    """Each endpoint in the order of a first set-up: the fields that are read here, with their types, and the status."""
    steps: list[tuple[str, str, object, int, schemas.Schema]] = [
        ("GET", "/v3/scopes", None, 200, schemas.SCOPES),
        ("GET", DOMAINS, None, 200, schemas.listing(schemas.DOMAIN)),
        ("POST", DOMAINS, {"domain": HOST, "automatic_security": True}, 201, schemas.DOMAIN),
        ("GET", DOMAINS, None, 200, schemas.listing(schemas.DOMAIN)),
        ("POST", f"{DOMAINS}/{{id}}/validate", {}, 200, schemas.VALIDATION),
        ("GET", f"{DOMAINS}/{{id}}", None, 200, schemas.DOMAIN),
        ("POST", POLICIES, {"name": "ours", "signature": {"enabled": True}}, 201, schemas.record(policy=schemas.POLICY)),
        ("GET", POLICIES, None, 200, schemas.record(policies=schemas.listing(schemas.POLICY))),
        ("POST", PARSE, {"hostname": HOST, "url": INBOUND, "spam_check": False, "send_raw": False}, 201, schemas.PARSE),
        ("GET", PARSE, None, 200, schemas.record(result=schemas.listing(schemas.PARSE))),
        ("PATCH", f"{PARSE}/{HOST}", {"url": INBOUND}, 200, schemas.PARSE),
        ("GET", f"{PARSE}/{HOST}", None, 200, schemas.PARSE),
        ("POST", WEBHOOKS, {"url": EVENTS, "enabled": True, "delivered": True}, 201, schemas.EVENT_WEBHOOK),
        ("GET", f"{WEBHOOKS}/all", None, 200, schemas.EVENT_WEBHOOKS),
        ("POST", "/v3/api_keys", {"name": "sending", "scopes": ["mail.send"]}, 201, schemas.API_KEY),
        ("GET", "/v3/api_keys", None, 200, schemas.API_KEYS),
    ]
    identity = ""
    for method, path, document, status, schema in steps:
        answer = ask(empty, method, path.format(id=identity), document)
        assert answer.status == status, (method, path, answer.json)
        validate(answer.json, schema)
        identity = str(answer.json.get("id", "")) or identity if isinstance(answer.json, dict) else identity
    [webhook] = ask(empty, "GET", f"{WEBHOOKS}/all").json["webhooks"]
    for path in (f"{WEBHOOKS}/{webhook['id']}", f"{WEBHOOKS}/signed/{webhook['id']}"):
        answer = ask(empty, "GET", path)
        validate(answer.json, schemas.SIGNING_KEY if "signed" in path else schemas.EVENT_WEBHOOK)


@pytest.mark.parametrize(
    ("method", "path", "document", "status"),
    [
        ("POST", DOMAINS, {"domain": "no domain"}, 400),
        ("POST", DOMAINS, {}, 400),
        ("POST", PARSE, {"hostname": "other.example.net", "url": INBOUND}, 400),
        ("PATCH", f"{PARSE}/other.example.net", {"url": INBOUND}, 404),
        ("POST", POLICIES, {"name": "ours"}, 400),
        ("GET", f"{POLICIES}/nothing", None, 404),
        ("DELETE", f"{POLICIES}/nothing", None, 404),
        ("POST", WEBHOOKS, {"url": "nonsense"}, 400),
        ("PATCH", f"{WEBHOOKS}/nothing", {"url": EVENTS}, 404),
        ("PATCH", f"{WEBHOOKS}/signed/nothing", {"enabled": True}, 404),
        ("DELETE", f"{WEBHOOKS}/nothing", None, 404),
        ("POST", "/v3/api_keys", {}, 400),
        ("POST", "/v3/api_keys", {"name": "x", "scopes": ["nonsense"]}, 400),
        ("DELETE", "/v3/api_keys/nothing", None, 404),
    ],
)
def test_sendgrid_refuses_what_cannot_be(empty: SandboxProcess, method: str, path: str, document: object, status: int) -> None:
    """With errors in its form, and nothing changes."""
    before = empty.call("GET", "/sandbox/account")
    answer = ask(empty, method, path, document)
    assert answer.status == status
    validate(answer.json, schemas.SENDGRID_ERROR)
    assert empty.call("GET", "/sandbox/account") == before


def test_a_host_needs_a_domain_whose_records_were_seen(empty: SandboxProcess) -> None:
    """Until then the parse setting is refused, and the validation says what was expected."""
    empty.call("POST", "/sandbox/account", {"sendgrid": {"dns": "missing"}})
    domain = ask(empty, "POST", DOMAINS, {"domain": HOST}).json
    found = ask(empty, "POST", f"{DOMAINS}/{domain['id']}/validate").json
    assert (found["valid"], found["validation_results"]["dkim1"]["valid"]) == (False, False)
    assert domain["dns"]["dkim1"]["data"] in found["validation_results"]["dkim1"]["reason"]
    setting = {"hostname": HOST, "url": INBOUND}
    assert ask(empty, "POST", PARSE, setting).status == 400
    empty.call("POST", "/sandbox/account", {"sendgrid": {"domains": [{"domain": "example.com", "valid": True}]}})
    assert ask(empty, "POST", PARSE, setting).status == 201  # a host below an authenticated domain
    assert ask(empty, "POST", PARSE, setting).status == 400  # once only


def test_mail_goes_where_its_hosts_setting_says_and_is_signed_by_its_policy(empty: SandboxProcess, receiver: WebhookReceiver) -> None:
    """Nowhere without a setting."""
    to = f"boss@{HOST}"
    assert empty.send_email("lost", to=to)["status"] is None
    policy = ask(empty, "POST", POLICIES, {"name": "ours", "signature": {"enabled": True}}).json["policy"]
    empty.call("POST", "/sandbox/account", {"sendgrid": {**account(empty), "domains": [{"domain": HOST, "valid": True}]}})
    setting = {"hostname": HOST, "url": INBOUND, "security_policy": policy["id"]}
    assert ask(empty, "POST", PARSE, setting).json == {**setting, "spam_check": False, "send_raw": False}
    assert empty.send_email("hello", to=to)["status"] == 200
    assert signed(posted(receiver, "/email/inbound"), policy["signature"]["public_key"])
    assert ask(empty, "DELETE", f"{POLICIES}/{policy['id']}").status == 400  # it is attached
    assert ask(empty, "DELETE", f"{PARSE}/{HOST}").status == 204
    assert ask(empty, "DELETE", f"{POLICIES}/{policy['id']}").json == {"policy": None}
    assert empty.send_email("lost", to=to)["status"] is None


def account(sandbox: SandboxProcess) -> dict[str, Any]:
    found: dict[str, Any] = sandbox.call("GET", "/sandbox/account")["sendgrid"]
    return {name: value for name, value in found.items() if name != "api_keys"}


def test_events_go_to_each_webhook_that_wants_them_signed_where_it_says_so(empty: SandboxProcess, receiver: WebhookReceiver) -> None:
    """A second one at the same address, or one too many, is refused."""
    made = ask(empty, "POST", WEBHOOKS, {"url": EVENTS, "enabled": True, "delivered": True}).json
    twin = ask(empty, "POST", WEBHOOKS, {"url": EVENTS})
    assert (twin.status, twin.json["errors"][0]["id"]) == (400, made["id"])
    key = ask(empty, "PATCH", f"{WEBHOOKS}/signed/{made['id']}", {"enabled": True}).json["public_key"]
    assert ask(empty, "GET", f"{WEBHOOKS}/{made['id']}").json["public_key"] == key
    sendgrid(empty).send(mail())
    [entry] = empty.wait("webhook.events", 1, timeout=5, accepted=True)
    assert [event["event"] for event in entry["request"]["events"]] == ["delivered"]
    assert signed(posted(receiver, "/email/events"), key)
    assert ask(empty, "PATCH", f"{WEBHOOKS}/signed/{made['id']}", {"enabled": False}).json["public_key"] == ""
    assert ask(empty, "DELETE", f"{WEBHOOKS}/{made['id']}").status == 204
    empty.call("POST", "/sandbox/account", {"sendgrid": {"max_event_webhooks": 0}})
    assert "maximum number of webhooks" in ask(empty, "POST", WEBHOOKS, {"url": EVENTS}).json["errors"][0]["message"]


def test_a_made_key_may_do_what_its_scopes_say_and_nothing_once_it_is_deleted(empty: SandboxProcess) -> None:
    """Its text is shown once, when it is made."""
    made = ask(empty, "POST", "/v3/api_keys", {"name": "sending", "scopes": ["mail.send"]}).json
    key = made["api_key"]
    assert sendgrid(empty, key).send(mail()).status_code == 202
    assert ask(empty, "GET", "/v3/scopes", key=key).json == {"scopes": ["mail.send"]}
    for path in (PARSE, DOMAINS, POLICIES, f"{WEBHOOKS}/all", "/v3/api_keys"):
        answer = ask(empty, "GET", path, key=key)
        assert (answer.status, answer.json["errors"][0]["message"]) == (403, "access forbidden")
    assert key not in str(ask(empty, "GET", "/v3/api_keys").json) + str(empty.call("GET", "/sandbox/account"))
    assert ask(empty, "DELETE", f"/v3/api_keys/{made['api_key_id']}").status == 204
    assert ask(empty, "GET", "/v3/scopes", key=key).status == 401


def test_an_account_without_policies_says_so(empty: SandboxProcess) -> None:
    """Where a plan has none."""
    empty.call("POST", "/sandbox/account", {"sendgrid": {"has_policies": False}})
    assert ask(empty, "GET", POLICIES).status == 403
    assert ask(empty, "POST", POLICIES, {"name": "ours", "signature": {"enabled": True}}).status == 403


def test_by_default_mail_and_events_go_to_the_product(sandbox: SandboxProcess) -> None:
    """What is set there can be read."""
    [setting] = ask(sandbox, "GET", PARSE).json["result"]
    [webhook] = ask(sandbox, "GET", f"{WEBHOOKS}/all").json["webhooks"]
    assert (setting["hostname"], setting["url"]) == ("example.com", INBOUND + "?token=mail+secret")
    assert (webhook["url"], webhook["enabled"]) == (EVENTS + "?token=mail+secret", True)
    assert ask(sandbox, "GET", PARSE, key="SG.wrong").status == 401
