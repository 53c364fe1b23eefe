"""An API key of Twilio's instead of the Auth Token: everything that asks Twilio signs in with it, against the sandbox."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boss.checks import providers
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.errors import CredentialsRefused
from shared.mailbox.records import Attempt
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse
from supervisor_worker.channels.twilio.message_list import TwilioMessageList
from supervisor_worker.channels.twilio.sms import TwilioSms
from tests.support.sandbox import SandboxProcess

ACCOUNT, KEY, SECRET = "AC" + "4" * 32, "SK" + "6" * 32, secrets.token_hex(16)
USER, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
TEXT = SendSmsResponse(to=USER, from_=BOSS, message="by key", user="user")
PAIR = {"twilio_api_key_sid": KEY, "twilio_api_key_secret": SECRET}


@pytest.fixture(scope="module")
def played() -> Iterator[SandboxProcess]:
    """Twilio, whose Auth Token is another than ours."""
    pair = {"TWILIO_API_KEY_SID": KEY, "TWILIO_API_KEY_SECRET": SECRET}
    with SandboxProcess(TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=secrets.token_hex(16), **pair) as running:
        yield running


def settings(played: SandboxProcess, directory: Path, **more: Any) -> Settings:
    token = secrets.token_hex(16)
    given = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": token, "boss_data_dir": directory, **more}
    return load_settings(_env_file=None, sandbox="on", sandbox_port=played.port, **given)


def test_a_key_sends_looks_up_and_reads_the_list(played: SandboxProcess, tmp_path: Path) -> None:
    """None of them shows the token, which Twilio would refuse here."""

    async def play(ours: Settings) -> tuple[str, list[str], int]:
        channel, lists = TwilioSms(ours), TwilioMessageList(ours, pause=0)
        try:
            sid = await channel.send(TEXT, "r-1", "a-1", "p-1")
            found = await channel.find(TEXT, Attempt("a-1", int(time.time() * 1000)))
            went_out = await lists.sent(BOSS.value, time.time() - 60)
            return sid, [each.id for each in found or []], len(went_out.messages)
        finally:
            await channel.aclose()
            await lists.aclose()

    sid, found, listed = asyncio.run(play(settings(played, tmp_path, **PAIR)))
    assert found == [sid]
    assert listed == 1
    with pytest.raises(CredentialsRefused):
        asyncio.run(play(settings(played, tmp_path)))
    with pytest.raises(CredentialsRefused):
        asyncio.run(play(settings(played, tmp_path, **PAIR | {"twilio_api_key_secret": secrets.token_hex(16)})))


def test_the_doctor_tells_the_key_from_the_token(played: SandboxProcess, tmp_path: Path) -> None:
    """A wrong token means that every webhook is refused, though the key sends; and the other way round."""
    found = {each.name: each.status for each in providers.twilio(settings(played, tmp_path, **PAIR))}
    assert found == {"twilio": "fail", "twilio key": "ok"}
    token = played.env["TWILIO_AUTH_TOKEN"]
    found = {each.name: each.status for each in providers.twilio(settings(played, tmp_path, twilio_auth_token=token, **PAIR))}
    assert list(found.values()) == ["ok", "ok", "ok"]
    wrong = PAIR | {"twilio_api_key_secret": secrets.token_hex(16)}
    found = {each.name: each.status for each in providers.twilio(settings(played, tmp_path, twilio_auth_token=token, **wrong))}
    assert found == {"twilio": "ok", "twilio key": "fail"}
