"""Which files of a text are taken note of: ids of our own account and of this very text, and nothing else of what a form says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.media import Media
from tests.payloads import ACCOUNT, form_body, payload, sms_fields
from webhook_api.sms.media import media_of
from webhook_api.sms.parsing import parse_sms, read_form

SID = "MM" + "2" * 32
ME = "ME" + "0" * 31
BASE = "https://api.twilio.com"
HOME = f"{BASE}/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}/Media/"


def found(
    *urls: str, count: int | None = None, sid: str = SID, account: str = ACCOUNT, base_url: str = BASE, kind: str = "image/png"
) -> list[Media]:
    fields = {f"MediaUrl{number}": url for number, url in enumerate(urls)} | {f"MediaContentType{n}": kind for n in range(len(urls))}
    form = read_form(form_body(sms_fields(**fields)))
    return list(media_of(form, count=len(urls) if count is None else count, account=account, sid=sid, base_url=base_url))


def test_ids_and_types_are_taken_in_their_order_and_each_once() -> None:
    """The type without its parameters; one that is no type is none."""
    assert found(HOME + ME + "b", HOME + ME + "a", HOME + ME + "b") == [Media(ME + "b", "image/png"), Media(ME + "a", "image/png")]
    assert found(HOME + ME + "b", kind="Image/JPEG; name=x") == [Media(ME + "b", "image/jpeg")]
    assert found(HOME + ME + "b", kind="<script> image") == [Media(ME + "b", "")]


def test_the_form_as_twilio_posts_it_names_its_files() -> None:
    """Two pictures without a word."""
    form = read_form(payload("sms_mms.form"))
    taken = media_of(form, count=2, account=ACCOUNT, sid=SID, base_url=BASE)
    assert taken == (Media("ME" + "1" * 32, "image/jpeg"), Media("ME" + "2" * 32, "image/png"))


@pytest.mark.parametrize("host", ["https://api.twilio.com", "https://api.dublin.ie1.twilio.com", "http://127.0.0.1:8790"])
def test_the_host_is_twilios_or_the_configured_one(host: str) -> None:
    """The id is taken, the host is not: the worker asks the configured one."""
    assert found(HOME.replace(BASE, host) + ME + "b", base_url="http://127.0.0.1:8790") == [Media(ME + "b", "image/png")]


HOSTILE = {
    "another host": HOME.replace("api.twilio.com", "api.twilio.com.evil.example"),
    "a host before an at sign": HOME.replace("https://", "https://x@"),
    "a host behind an at sign": HOME.replace("api.twilio.com", "api.twilio.com@127.0.0.1"),
    "this machine": HOME.replace("https://api.twilio.com", "http://127.0.0.1"),
    "the cloud's own address": HOME.replace("api.twilio.com", "169.254.169.254"),
    "no TLS": HOME.replace("https", "http"),
    "a port": HOME.replace("api.twilio.com", "api.twilio.com:22"),
    "another account": HOME.replace(ACCOUNT, "AC" + "1" * 32),
    "another text": HOME.replace(SID, "MM" + "3" * 32),
    "a way up": HOME + "../" + SID + "/Media/",
    "a file": "file:///etc/passwd#",
    "no address": "https://[",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_address_that_is_not_of_this_text_is_dropped(name: str) -> None:
    """Whatever else stands in it."""
    assert found(HOSTILE[name] + ME + "b") == []


@pytest.mark.parametrize("tail", ["", "g", "0" * 2, "b/x", "b?x=1", "b#x", "b.json", "b\n", "B"])
def test_an_id_is_an_id_and_nothing_more(tail: str) -> None:
    """32 hexadecimal digits, and the end."""
    assert found(HOME + ME + tail) == []


@pytest.mark.parametrize(("sid", "account"), [("SMin", ACCOUNT), ("", ACCOUNT), (SID + "0", ACCOUNT), (SID, "")])
def test_a_text_without_ids_of_twilios_has_no_files(sid: str, account: str) -> None:
    """What a plain curl sends, or a sandbox without an account."""
    url = f"{BASE}/2010-04-01/Accounts/{account}/Messages/{sid}/Media/{ME}b"
    assert found(url, sid=sid, account=account) == []


def test_of_many_files_ten_are_taken_and_a_hundred_counted() -> None:
    """A form may hold them; what Twilio sends never does."""
    urls = [f"{HOME}ME{number:032x}" for number in range(90)]
    assert [media.id for media in found(*urls)] == [f"ME{number:032x}" for number in range(10)]
    assert found(*urls, count=2) == [Media(f"ME{number:032x}", "image/png") for number in range(2)]
    fields = {f"MediaUrl{number}": url for number, url in enumerate(urls)}
    assert parse_sms(read_form(form_body(sms_fields(NumMedia="180", **fields)))).media_count == 100


@given(st.text(max_size=80), st.text(max_size=80), st.integers(0, 1_000_000))
def test_whatever_the_fields_say_ids_are_ids(url: str, kind: str, count: int) -> None:
    """No exception; and what is taken reads back from the wire as itself."""
    form = {"MediaUrl0": [url, "x"], "MediaUrl1": [HOME + ME + "b" + url], "MediaUrl2": [HOME + ME + "c"], "MediaContentType2": [kind]}
    for media in media_of(form, count=count, account=ACCOUNT, sid=SID, base_url=BASE):
        assert Media.parse(str(media)) == media
