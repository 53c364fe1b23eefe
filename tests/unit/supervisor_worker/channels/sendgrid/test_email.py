"""The requests that a mail becomes: their bodies, and what is made of SendGrid's answers, over real connections to a scripted server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.config.loading import load_settings
from shared.errors import CredentialsRefused, OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from shared.model.addresses import EmailAddress
from shared.model.events import SendEmailResponse
from supervisor_worker.channels.sendgrid.email import SendGridEmail, body_of, validation_body
from supervisor_worker.providers.http_pool import PermitExpired, send_check
from tests.support.scripted_provider import Act, ScriptedProvider, answer, hang, reset

ACCEPTED = answer(b"", "202 Accepted", "X-Message-Id: abc\r\n")
IDS = ("r-1", "a-1", "p-1")


def mail(body: str = "Hello.", recipient: str = "user@example.com", **fields: Any) -> SendEmailResponse:
    return SendEmailResponse(
        to=EmailAddress(recipient),
        from_=EmailAddress("boss@example.com"),
        subject="Re: A question",
        body=body,
        user="user",
        message_id="<r-1@example.com>",
        **fields,
    )


def over(*script: Act, path: str = "", timeout: float = 5, concurrency: int = 50) -> Callable[..., Any]:
    """Run a scenario with the channel and a server that answers as scripted."""

    def run(scenario: Callable[[SendGridEmail, ScriptedProvider], Awaitable[Any]]) -> Any:
        async def opened() -> Any:
            async with ScriptedProvider(*script).open() as provider:
                channel = SendGridEmail(
                    load_settings(
                        sendgrid_api_key="SG.test.key",
                        sendgrid_api_base_url=provider.url + path,
                        send_timeout_seconds=timeout,
                        worker_concurrency=concurrency,
                    )
                )
                try:
                    return await scenario(channel, provider)
                finally:
                    await channel.aclose()

        return asyncio.run(opened())

    return run


def test_a_body_holds_what_sendgrids_contract_asks_for() -> None:
    """Whole, as it is sent; the ids are in the personalization, and nothing is tracked."""
    command = mail(
        in_reply_to="<q@example.com>", references=("<root@example.com>", "<q@example.com>"), html="<p>Hello.</p>", from_name="Boss"
    )
    assert body_of(command, {"reply": "r-1", "attempt": "a-1"}) == {
        "from": {"email": "boss@example.com", "name": "Boss"},
        "subject": "Re: A question",
        "personalizations": [{"to": [{"email": "user@example.com"}], "custom_args": {"reply": "r-1", "attempt": "a-1"}}],
        "content": [{"type": "text/plain", "value": "Hello."}, {"type": "text/html", "value": "<p>Hello.</p>"}],
        "headers": {
            "Message-ID": "<r-1@example.com>",
            "Auto-Submitted": "auto-replied",
            "X-Auto-Response-Suppress": "All",
            "In-Reply-To": "<q@example.com>",
            "References": "<root@example.com> <q@example.com>",
        },
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    }


def test_a_mail_of_an_older_version_goes_out_as_it_was_stored() -> None:
    """Without HTML and without a name: neither is made when it is sent."""
    body = body_of(mail("*Hello*"), {})
    assert body["from"] == {"email": "boss@example.com"}
    assert body["content"] == [{"type": "text/plain", "value": "*Hello*"}]


@pytest.mark.parametrize("text", ["SG.words.more and so on", "SG.Aa0.Bb1"])
def test_a_text_that_looks_like_an_api_key_is_sent_like_any_other(text: str) -> None:
    """The SDK's own class for a text raises for it: the reply would never go out."""
    parts = [{"type": "text/plain", "value": text}, {"type": "text/html", "value": f"<p>{text}</p>"}]
    assert body_of(mail(text, html=f"<p>{text}</p>"), {})["content"] == parts


@pytest.mark.parametrize(
    "address",
    ["a+b@example.com", '"a@b"@example.com', r'"a\"b"@example.com', '"<x>"@example.com', '"a;b"@example.com', ".a..b@example.com"],
)
def test_an_address_goes_out_as_it_is(address: str) -> None:
    """The SDK looks for a display name in it; for no address that is accepted may it find one, or another recipient."""
    assert EmailAddress.parse(address).value == address
    assert body_of(mail(recipient=address), {})["personalizations"] == [{"to": [{"email": address}]}]


def test_a_validation_sends_nothing_and_says_nothing_of_the_mail() -> None:
    """To the sender itself, in SendGrid's sandbox mode."""
    body = validation_body(mail("a secret"))
    assert body["mail_settings"] == {"sandbox_mode": {"enable": True}}
    assert "secret" not in json.dumps(body)
    assert "user@example.com" not in json.dumps(body)


def test_a_mail_is_one_post_with_the_sdks_headers() -> None:
    """The key and the type of the body among them; the answer is the id that SendGrid gives."""

    async def scenario(channel: SendGridEmail, provider: ScriptedProvider) -> None:
        assert await channel.send(mail(), *IDS) == "abc"
        head, _, body = provider.requests[0].partition(b"\r\n\r\n")
        lines = {line.lower() for line in head.split(b"\r\n")}
        assert head.startswith(b"POST /gateway/v3/mail/send HTTP/1.1\r\n")
        assert {b"authorization: bearer sg.test.key", b"content-type: application/json", b"accept: application/json"} <= lines
        assert json.loads(body) == body_of(mail(), {"reply": "r-1", "attempt": "a-1", "pair": "p-1"})

    over(ACCEPTED, path="/gateway")(scenario)


@pytest.mark.parametrize(
    ("act", "kind", "code"),
    [
        (answer(b"", "302 Found", "Location: /elsewhere\r\n"), ProviderRefused, "http_302"),
        (answer(b"{}", "401 Unauthorized"), CredentialsRefused, "http_401"),
        (answer(b"{}", "429 Too Many Requests"), ProviderUnavailable, "http_429"),
        (answer(b"<html>", "503 Service Unavailable"), OutcomeUnknown, "http_503"),
        (reset, OutcomeUnknown, "no_answer"),
        (hang, OutcomeUnknown, "no_answer"),
    ],
)
def test_what_sendgrid_answers_decides_what_may_be_done(act: Act, kind: type[ProviderError], code: str) -> None:
    """Each asked once: no redirect is followed, nothing is repeated."""

    async def scenario(channel: SendGridEmail, provider: ScriptedProvider) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            await channel.send(mail(), *IDS)
        assert len(provider.requests) == 1
        return caught.value

    error = over(act, timeout=0.5)(scenario)
    assert (type(error), error.code) == (kind, code)
    assert not error.final


def test_a_mail_that_may_not_leave_any_more_is_not_sent() -> None:
    """Asked with the connection at hand: then nothing was sent, and that is known."""

    async def never() -> bool:
        return False

    async def scenario(channel: SendGridEmail, provider: ScriptedProvider) -> None:
        with pytest.raises(PermitExpired), send_check(never):
            await channel.send(mail(), *IDS)
        assert provider.requests == []

    over(ACCEPTED)(scenario)


def test_as_many_mails_are_under_way_as_there_are_turns() -> None:
    """No mail waits for another one's answer."""

    async def scenario(channel: SendGridEmail, provider: ScriptedProvider) -> None:
        mails = [asyncio.create_task(channel.send(mail(), *IDS)) for _ in range(100)]
        async with asyncio.timeout(4):
            await provider.asked(100)
        assert not any(task.done() for task in mails)
        for task in mails:
            task.cancel()
        await asyncio.gather(*mails, return_exceptions=True)

    over(hang, concurrency=100)(scenario)
