"""The wire: what is written reads back as itself, and what is not ours is refused with the expected error."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadInput, SchemaTooNew
from shared.model import codec
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, Event, SendEmailResponse, SendSmsResponse, SmsReceived
from shared.model.files import File, FileFault
from shared.model.marks import MAX_SOURCE, Mark, MarkKind
from shared.model.media import MAX_MEDIA, Media

texts = st.text(max_size=50)
phones = st.from_regex(r"\+1[2-9][0-9]{2}[2-9][0-9]{6}", fullmatch=True).map(PhoneNumber)
mails = st.from_regex(r"[a-z0-9]{1,9}@[a-z]{1,9}\.[a-z]{2,4}", fullmatch=True).map(EmailAddress)
lists = st.lists(texts, max_size=4).map(tuple)
types = st.sampled_from(["", "image/png", "text/x-vcard"])
media = st.builds(Media, st.from_regex(r"ME[0-9a-f]{32}", fullmatch=True), types)
kinds: st.SearchStrategy[MarkKind] = st.sampled_from(["quoted", "forwarded", "attached", "heard"])
sources = st.text(max_size=MAX_SOURCE).map(str.strip)
marks = st.lists(
    st.builds(lambda kind, at, more, source: Mark(kind, at, at + more, source), kinds, st.integers(0, 10**6), st.integers(0, 99), sources),
    max_size=3,
)
faults: st.SearchStrategy[FileFault] = st.sampled_from(["", "no_room", "slow", "too_large", "too_many"])
files = st.lists(
    st.builds(
        File, st.from_regex(r"[0-9a-f]{32}|", fullmatch=True), st.text(min_size=1, max_size=200), types, st.integers(0, 10**9), faults
    ),
    max_size=3,
)
times = st.floats(min_value=0, max_value=1e11)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        SmsReceived, id=texts, from_=phones, to=phones, message=texts, user=texts, provider_id=texts,
        media_count=st.integers(0, 10), media=st.lists(media, max_size=3).map(tuple), signed=st.booleans(), received_at=times,
    ),
    st.builds(
        EmailReceived, id=texts, from_=mails, to=mails, subject=texts, body=texts, user=texts, message_id=texts,
        in_reply_to=texts, references=lists, attachments=lists, signed=st.booleans(), received_at=times, marks=marks.map(tuple),
        files=files.map(tuple), addressed=texts, others=lists, thread_index=texts, via=texts, author=texts, proof=texts,
    ),
    st.builds(SendSmsResponse, to=phones, from_=phones, message=texts, user=texts, rest=texts),
    st.builds(
        SendEmailResponse, to=mails, from_=mails, subject=texts, body=texts, user=texts, message_id=texts,
        in_reply_to=texts, references=lists, html=texts, from_name=texts,
    ),
)  # fmt: skip
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def fields_of(event: Event) -> dict[str, Any]:
    """The JSON object of an event."""
    return dict(json.loads(codec.encode(event)))


@given(events)
def test_an_event_reads_back_as_itself(event: Event) -> None:
    """Every event, with whatever text, is the same after the wire."""
    text = codec.encode(event)
    assert codec.decode(text) == event
    assert codec.decode(text.encode()) == event
    assert codec.encode(codec.decode(text)) == text


@given(events)
def test_the_wire_is_one_flat_ascii_line(event: Event) -> None:
    """A record, a ledger line and a frame need no escaping of their own."""
    text = codec.encode(event)
    assert text.isascii()
    assert "\n" not in text
    assert "\r" not in text
    assert fields_of(event)["type"] == event.type
    assert fields_of(event)["v"] == codec.SCHEMA_VERSION
    assert "from_" not in fields_of(event)


@given(events, st.data())
def test_a_broken_field_is_a_bad_input(event: Event, data: st.DataObject) -> None:
    """Whatever stands in a field, callers see BadInput, or an event that can be written again."""
    broken = fields_of(event)
    broken[data.draw(st.sampled_from(sorted(broken)))] = data.draw(plain)
    try:
        found = codec.decode(json.dumps(broken))
    except (BadInput, SchemaTooNew):
        return
    codec.encode(found)


@given(events, st.data())
def test_a_missing_field_is_its_default_or_a_bad_input(event: Event, data: st.DataObject) -> None:
    """Only fields with a default may be missing."""
    optional = {field.name.rstrip("_") for field in dataclasses.fields(event) if field.default is not dataclasses.MISSING}
    record = fields_of(event)
    name = data.draw(st.sampled_from(sorted(set(record) - {"v", "type"})))
    del record[name]
    if name in optional:
        assert type(codec.decode(json.dumps(record))) is type(event)
    else:
        with pytest.raises(BadInput) as caught:
            codec.decode(json.dumps(record))
        assert caught.value.code == "bad_field"


@given(events, st.dictionaries(st.text(min_size=1, max_size=5).map("x_".__add__), plain, max_size=3))
def test_unknown_fields_of_a_known_version_are_ignored(event: Event, more: dict[str, Any]) -> None:
    """A field that a later minor change adds does not stop an older reader."""
    assert codec.decode(json.dumps({**fields_of(event), **more})) == event


@given(plain)
def test_foreign_json_is_refused(value: Any) -> None:
    """JSON that is no event raises what callers expect."""
    with pytest.raises((BadInput, SchemaTooNew)):
        codec.decode(json.dumps(value))


@given(st.binary(max_size=40) | st.text(max_size=40))
def test_what_is_not_json_is_refused(text: str | bytes) -> None:
    """Bytes from anywhere."""
    with pytest.raises((BadInput, SchemaTooNew)):
        codec.decode(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[" * 100_000, "bad_json"), ("", "bad_json"), (b"\xff\xfe", "bad_json"), ("[]", "bad_json"), ("null", "bad_json"),
        ('{"type":"sms_received"}', "bad_version"), ('{"v":true,"type":"sms_received"}', "bad_version"), ('{"v":"1"}', "bad_version"),
        ('{"v":1}', "unknown_type"), ('{"v":1,"type":"os.system"}', "unknown_type"), ('{"v":1,"type":["sms_received"]}', "unknown_type"),
        ('{"v":1,"type":"sms_received"}', "bad_field"),
    ],
)  # fmt: skip
def test_each_fault_has_its_code(text: str | bytes, code: str) -> None:
    """The code says what is wrong, for the log."""
    with pytest.raises(BadInput) as caught:
        codec.decode(text)
    assert caught.value.code == code


@pytest.mark.parametrize("received_at", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_a_time_that_is_no_number_is_refused(received_at: str) -> None:
    """JSON from elsewhere may hold numbers that we could never write again."""
    event = SmsReceived(id="m", from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), message="", user="", provider_id="")
    text = codec.encode(event).replace('"received_at":0.0', f'"received_at":{received_at}')
    assert received_at in text
    with pytest.raises(BadInput) as caught:
        codec.decode(text)
    assert caught.value.code == "bad_field"


TEXT = SmsReceived(id="m", from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), message="", user="", provider_id="")


def test_a_record_of_before_there_were_media_is_read() -> None:
    """It counts files and names none."""
    record = {name: value for name, value in fields_of(dataclasses.replace(TEXT, media_count=2)).items() if name != "media"}
    assert codec.decode(json.dumps(record)) == dataclasses.replace(TEXT, media_count=2)


@pytest.mark.parametrize(
    "media", ["ME1 image/png", "ME" + "0" * 32, "ME" + "0" * 32 + "/../x image/png", "https://x.example/ ", "ME" + "0" * 32 + " a b"]
)
def test_a_file_of_a_record_is_an_id_and_a_type_or_the_record_is_bad(media: str) -> None:
    """An address is made of it."""
    with pytest.raises(BadInput):
        codec.decode(json.dumps({**fields_of(TEXT), "media": [media]}))


def test_no_record_brings_more_files_than_a_text_can_have() -> None:
    """Whoever wrote it."""
    found = codec.decode(json.dumps({**fields_of(TEXT), "media": [f"ME{number:032x} " for number in range(500)]}))
    assert isinstance(found, SmsReceived)
    assert len(found.media) == MAX_MEDIA


def test_a_newer_schema_is_never_read() -> None:
    """An older process leaves a newer record alone instead of guessing."""
    event = SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message="", user="")
    with pytest.raises(SchemaTooNew):
        codec.decode(json.dumps({**fields_of(event), "v": codec.SCHEMA_VERSION + 1}))


def test_refusals_hold_no_text() -> None:
    """An error may be logged: what it was about may not."""
    event = SendSmsResponse(from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), message="secret", user="")
    record = {**fields_of(event), "from": "+1555canary", "message": ["secret"]}
    for name in ("from", "message"):
        with pytest.raises(BadInput) as caught:
            codec.decode(json.dumps({**fields_of(event), name: record[name]}))
        assert "canary" not in str(caught.value)
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None
