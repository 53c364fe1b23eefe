"""What answers HTTP: the web process, its public address, Twilio, SendGrid and Claude. Each request has its timeout."""

from __future__ import annotations

import base64
from typing import Any, Final

from boss.checks.machine import channels_of
from boss.checks.result import Finding, fail, not_checked, not_running, ok, warn, worst
from boss.http import Answer, Unreachable, ask
from boss.provider_requests import SMS_PATH, signature_of
from shared.config.settings import Settings
from shared.config.web_address import local_web_url, webhook_base_url
from shared.errors import ConfigurationError
from shared.model.addresses import Address
from shared.model.codec import dumps
from shared.net import is_loopback_url
from shared.registry import users_on_disk
from supervisor_worker.assistant.model_hosts import is_plain

LOCAL_SECONDS: Final = 3.0
REMOTE_SECONDS: Final = 5.0
ANTHROPIC_VERSION: Final = "2026-10-21"
MAX_NUMBERS: Final = 5
OK, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, NOT_ALLOWED, TOO_MANY, UNAVAILABLE = 200, 401, 403, 404, 405, 429, 503


def web(settings: Settings) -> list[Finding]:
    """The web process: whether it lives, is ready, and takes what Twilio signs."""
    base = local_web_url(settings)
    try:
        alive = ask(f"{base}/livez", timeout=LOCAL_SECONDS)
    except Unreachable as error:
        return [not_running(fail("web", f"{base} does not answer: {error.detail}", "Start it: `boss web`."))]
    if alive.status != OK:
        return [fail("web", f"{base}/livez answers {alive.status}", "Another program may use that port; set PORT.")]
    ready = ask(f"{base}/readyz", timeout=LOCAL_SECONDS)
    if ready.status != OK:
        todo = "It reaches neither Redis nor room on disk: see the lines `redis` and `spool`."
        return [fail("web", f"it lives and is not ready ({ready.status})", todo)]
    return [ok("web", f"{base} is ready"), *([_webhook(settings)] if "sms" in channels_of(settings) else [])]


def public_reach(settings: Settings) -> list[Finding]:
    """The public address, as seen from here: some networks cannot call themselves, so silence is a warning only."""
    if not settings.public_url:
        return []
    name, todo = "public reach", "Check DNS, proxy and tunnel; from outside: curl PUBLIC_URL/livez"
    try:
        answer = ask(f"{webhook_base_url(settings)}/livez", timeout=REMOTE_SECONDS)
    except Unreachable as error:
        return [warn(name, f"PUBLIC_URL does not answer from here: {error.detail}", todo)]
    if answer.status != OK or (answer.json() or {}) != {"status": "ok"}:
        return [warn(name, f"PUBLIC_URL/livez answers {answer.status}, and not as our web process does", todo)]
    return [ok(name, "PUBLIC_URL leads to the web process")]


def twilio(settings: Settings) -> list[Finding]:
    """The account's credentials, and where its numbers send their texts. Nothing is asked where no user has a phone."""
    if "sms" not in channels_of(settings):
        return [ok("twilio", "not used: the users file has no phone that texts reach")]
    sid, token = settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value()
    if not (sid and all(settings.twilio_login)):
        return [warn("twilio", "no credentials: no text can be sent", "Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.")]
    account = f"{settings.provider_urls['twilio']}/2010-04-01/Accounts/{sid}"
    findings = [_account(account, _basic(sid, token))] if token else []
    if settings.twilio_api_key_sid:
        findings.append(_api_key(account, _basic(*settings.twilio_login)))
    if worst(findings) != "ok":
        return findings
    return [*findings, *_numbers(settings, account, _basic(*settings.twilio_login))]


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _account(account: str, headers: dict[str, str]) -> Finding:
    """Whether the Auth Token, which signs the webhooks, is the account's."""
    answer = ask(f"{account}.json", timeout=REMOTE_SECONDS, headers=headers)
    if answer.status in (UNAUTHORIZED, FORBIDDEN, NOT_FOUND):
        todo = "Copy Account SID and primary Auth Token from the Twilio console."
        return fail("twilio", f"the credentials are refused ({answer.status})", todo)
    if answer.status != OK:
        return _odd("twilio", answer)
    status = (answer.json() or {}).get("status")
    if status not in (None, "active"):
        return fail("twilio", f"the account is {status}", "See the Twilio console.")
    return ok("twilio", "the credentials are good")


def _api_key(account: str, headers: dict[str, str]) -> Finding:
    """Whether the API key may read the messages. A standard key may not see the account itself."""
    name = "twilio key"
    answer = ask(f"{account}/Messages.json?PageSize=1", timeout=REMOTE_SECONDS, headers=headers)
    if answer.status in (UNAUTHORIZED, FORBIDDEN, NOT_FOUND):
        todo = "Make one in the Twilio console, Account, API keys, in this account, of type Standard (or Restricted: all of Messages)."
        return fail(name, f"the API key is refused ({answer.status})", todo)
    return ok(name, "the API key may read messages; it sends instead of the Auth Token") if answer.status == OK else _odd(name, answer)


def sendgrid(settings: Settings) -> list[Finding]:
    """What the API key may do. Nothing is asked where no user has a mail address."""
    if "email" not in channels_of(settings):
        return [ok("sendgrid", "not used: the users file has no address that mails reach")]
    key = settings.sendgrid_api_key.get_secret_value()
    if not key:
        return [warn("sendgrid", "no API key: no mail can be sent", "Set SENDGRID_API_KEY.")]
    return _scopes(settings, key)


def _scopes(settings: Settings, key: str) -> list[Finding]:
    answer = ask(f"{settings.provider_urls['sendgrid']}/v3/scopes", timeout=REMOTE_SECONDS, headers={"Authorization": f"Bearer {key}"})
    if answer.status in (UNAUTHORIZED, FORBIDDEN):
        todo = "Make one with Mail Send access: SendGrid, Settings, API Keys."
        return [fail("sendgrid", f"the API key is refused ({answer.status})", todo)]
    if answer.status == NOT_FOUND:
        return [not_checked("sendgrid", "the server at SENDGRID_API_BASE_URL does not list scopes")]
    if answer.status != OK:
        return [_odd("sendgrid", answer)]
    if "mail.send" not in ((answer.json() or {}).get("scopes") or []):
        return [fail("sendgrid", "the API key may not send mail", "Give it Mail Send access: SendGrid, Settings, API Keys.")]
    return [ok("sendgrid", "the API key may send mail"), _inbound(settings)]


def claude(settings: Settings) -> list[Finding]:
    """The key and the model; a gateway that lists no models is asked to count tokens instead, which costs nothing."""
    key = settings.anthropic_api_key.get_secret_value()
    if not (key or is_loopback_url(settings.provider_urls["anthropic"])):
        return [fail("claude", "no API key: nothing can be answered", "Set ANTHROPIC_API_KEY.")]
    base, model = settings.provider_urls["anthropic"], settings.boss_model
    headers = {"x-api-key": key or "unset", "anthropic-version": ANTHROPIC_VERSION, "content-type": "application/json"}
    answer = ask(f"{base}/v1/models/{model}", timeout=REMOTE_SECONDS, headers=headers)
    if answer.status in (NOT_FOUND, NOT_ALLOWED):
        question = dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]}).encode()
        answer = ask(f"{base}/v1/messages/count_tokens", timeout=REMOTE_SECONDS, method="POST", headers=headers, body=question)
    if answer.status in (UNAUTHORIZED, FORBIDDEN):
        return [fail("claude", f"the API key is refused ({answer.status})", "Copy one from the Claude Console, API keys.")]
    if answer.status == NOT_FOUND and is_plain(settings, model):
        return [ok("claude", f"the host answers, and says nothing of {model}: a plain one, which is asked for messages alone")]
    if answer.status == NOT_FOUND:
        return [fail("claude", f"there is no model {model}", "Set BOSS_MODEL to one that your key may use.")]
    if answer.status != OK:
        return [_odd("claude", answer)]
    return [ok("claude", f"the key is good for {model}")]


def _webhook(settings: Settings) -> Finding:
    """Post a signed status report about a text that does not exist: it changes nothing, and needs the right token and URL."""
    form = {"AccountSid": settings.twilio_account_sid, "MessageSid": "SM" + "0" * 32, "MessageStatus": "sent"}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature_of(settings, "/sms/status", form)}
    body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
    answer = ask(f"{local_web_url(settings)}/sms/status", timeout=LOCAL_SECONDS, method="POST", headers=headers, body=body)
    if answer.status == FORBIDDEN:
        todo = "Start the web process again with these settings: its PUBLIC_URL or TWILIO_AUTH_TOKEN is another."
        return fail("webhook", "the web process refuses what is signed with these settings", todo)
    if answer.status >= 300:  # noqa: PLR2004 - HTTP's border of success
        return _odd("webhook", answer)
    return ok("webhook", "a signed webhook is accepted")


def _numbers(settings: Settings, account: str, headers: dict[str, str]) -> list[Finding]:
    """For the first few Boss numbers: whether they are the account's, and call us."""
    try:
        phones = sorted(users_on_disk(settings).reached.bosses("sms"), key=str)
    except ConfigurationError:
        return []
    wanted = webhook_base_url(settings) + SMS_PATH
    return [_number(phone, wanted, account, headers) for phone in phones[:MAX_NUMBERS]]


def _number(phone: Address, wanted: str, account: str, headers: dict[str, str]) -> Finding:
    name = f"number {phone.masked()}"
    url = f"{account}/IncomingPhoneNumbers.json?PhoneNumber=%2B{phone.value[1:]}"
    answer = ask(url, timeout=REMOTE_SECONDS, headers=headers)
    if answer.status != OK:
        return not_checked(name, f"Twilio answers {answer.status}")
    found: list[dict[str, Any]] = (answer.json() or {}).get("incoming_phone_numbers") or []
    if not found:
        return fail(name, "is not a number of this Twilio account", "Correct boss_phone in the users file, or the account.")
    set_to = str(found[0].get("sms_url") or "").partition("#")[0]
    if set_to != wanted or found[0].get("sms_method", "POST") != "POST":
        todo = f"In the Twilio console set `A message comes in` to POST {wanted} (unless a Messaging Service does it)."
        return warn(name, "sends its texts elsewhere", todo)
    return ok(name, "sends its texts to our webhook")


def _inbound(settings: Settings) -> Finding:
    """How inbound mail proves itself."""
    if settings.sendgrid_inbound_public_key:
        return ok("inbound mail", "signed: SENDGRID_INBOUND_PUBLIC_KEY is set")
    if settings.email_webhook_secret.get_secret_value():
        return ok("inbound mail", "by the shared secret in the webhook's URL")
    todo = "Set SENDGRID_INBOUND_PUBLIC_KEY or EMAIL_WEBHOOK_SECRET."
    return warn("inbound mail", "neither a public key nor a secret: every mail is refused", todo)


def _odd(name: str, answer: Answer) -> Finding:
    """An answer that says nothing about our settings."""
    if answer.status == TOO_MANY or answer.status >= 500:  # noqa: PLR2004 - HTTP's server errors
        return fail(name, f"it answers {answer.status}", "It has trouble of its own: try again later.")
    return warn(name, f"it answers {answer.status}", "Not what was expected; see its console.")
