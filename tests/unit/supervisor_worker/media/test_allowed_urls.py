"""Where a file may be fetched from: an address made of ids, and a short list of hosts behind its redirects."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from shared.config.loading import load_settings
from shared.model.media import Media
from supervisor_worker.media.allowed_urls import TWILIO_HOSTS, AllowedUrls, NotAllowed

SID, MEDIA = "MM" + "2" * 32, Media("ME" + "0" * 32)
ACCOUNT = "AC" + "0" * 32
CREDENTIALS = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": "a-token"}


def allowed(**changes: object) -> AllowedUrls:
    return AllowedUrls.of(load_settings(_env_file=None, **{"sandbox": "off", **CREDENTIALS, **changes}))


START = f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}/Media/{MEDIA.id}"


def test_the_address_is_made_of_ids_on_the_configured_host() -> None:
    """Twilio's, or another that speaks its API."""
    assert str(allowed().start(SID, MEDIA)) == START
    other = allowed(twilio_api_base_url="https://gateway.example.com/twilio/")
    assert str(other.start(SID, MEDIA)) == START.replace("api.twilio.com", "gateway.example.com/twilio")


@pytest.mark.parametrize(("sid", "account"), [("../x", ACCOUNT), (SID + "/..", ACCOUNT), ("", ACCOUNT), (SID, "AC1"), (SID, "../..")])
def test_ids_that_are_none_are_not_asked_for(sid: str, account: str) -> None:
    """A record is not believed either, nor settings that were not checked."""
    with pytest.raises(NotAllowed):
        dataclasses.replace(allowed(), account=account).start(sid, MEDIA)


@pytest.mark.parametrize("host", TWILIO_HOSTS)
def test_twilios_own_hosts_are_gone_on_to_without_the_login(host: str) -> None:
    """The signed query stays as it is, letter for letter."""
    location = f"https://{host}/AC/x?X-Sig=a%2Bb%2Fc+d&e=%7e"
    url = allowed().next(URL(START), location)
    assert str(url) == location
    assert "Authorization" not in allowed().headers(url)
    assert allowed().headers(URL(START))["Authorization"].startswith("Basic ")


ELSEWHERE = [
    "https://evil.example/x", "//evil.example/x", "http://mms.twiliocdn.com/x", "http://api.twilio.com/x", "file:///etc/passwd",
    "ftp://mms.twiliocdn.com/", "gopher://127.0.0.1:6379/_x", "data:image/png;base64,eA==", "https://mms.twiliocdn.com:8443/x",
    "https://mms.twiliocdn.com@evil.example/", "https://user:pass@mms.twiliocdn.com/", "https://user@api.twilio.com/",
    "https://mms.twiliocdn.com.evil.example/", "https://xmms.twiliocdn.com/", "https://mms.twiliocdn.com./", "https://twiliocdn.com/",
    "https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest",
    "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/", "https://0/", "https://mms.twiliocdn.com%2eevil.example/",
    "https://mms.twiliocdn.com\\@evil.example/", "https://mms.twiliocdn.com\n.evil.example/",
    "https://mms.twiliocdn.com/ x\r\nHost: evil.example",
    "", " ",  "https://[", "https://mms.twiliocdn.com/" + "x" * 4_096, "https://\uff4dms.twiliocdn.com/",
]  # fmt: skip


@pytest.mark.parametrize("location", ELSEWHERE)
def test_a_redirect_to_anywhere_else_is_not_followed(location: str) -> None:
    """Other hosts, other schemes, other ports, numbers for hosts, names before an at sign, and what two readers read differently."""
    with pytest.raises(NotAllowed):
        allowed().next(URL(START), location)


@given(st.text(max_size=60))
def test_whatever_a_redirect_says_we_stay_in_the_list(text: str) -> None:
    """Any text, as a whole or as the host."""
    ours = allowed()
    for location in (text, f"https://{text}/", f"https://mms.twiliocdn.com{text}"):
        try:
            url = ours.next(URL(START), location)
        except NotAllowed:
            continue
        assert url.scheme == "https"
        assert url.host in {"api.twilio.com", *TWILIO_HOSTS}
        assert (url.port, url.user, url.password) == (443, None, None)


def test_plain_http_is_for_the_sandbox_on_this_machine_alone() -> None:
    """And in sandbox mode there is nothing else."""
    sandbox = AllowedUrls.of(load_settings(_env_file=None, sandbox="on", sandbox_port=8790))
    start = sandbox.start(SID, MEDIA)
    assert start.origin() == URL("http://127.0.0.1:8790")
    assert sandbox.next(start, "/media/x").origin() == start.origin()
    for location in ("http://127.0.0.1:6379/", "https://mms.twiliocdn.com/x", "http://localhost:8790/"):
        with pytest.raises(NotAllowed):
            sandbox.next(start, location)
    with pytest.raises(NotAllowed):
        allowed(twilio_api_base_url="http://127.0.0.1:8790").start(SID, MEDIA)
    for mode, base in (("off", "http://api.example.com"), ("on", "http://10.0.0.5:8790")):
        settings = load_settings(_env_file=None, sandbox=mode, **CREDENTIALS).model_copy(update={"twilio_api_base_url": base})
        with pytest.raises(NotAllowed):
            AllowedUrls.of(settings).start(SID, MEDIA)


def test_an_api_key_signs_in_where_there_is_one() -> None:
    """Its SID is the user; the address is the account's all the same."""
    key = {"twilio_api_key_sid": "SK" + "7" * 32, "twilio_api_key_secret": "a-secret"}
    ours = allowed(**key)
    assert str(ours.start(SID, MEDIA)) == START
    login = base64.b64decode(ours.headers(URL(START))["Authorization"].removeprefix("Basic ")).decode()
    assert login == f"SK{'7' * 32}:a-secret"


def test_the_login_is_not_shown() -> None:
    """Neither by repr nor in an error."""
    assert allowed().login not in repr(allowed())
