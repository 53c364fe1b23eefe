"""What waits on disk can be read again, and nothing else is taken for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import DataError, OutOfMemoryError, ReadOnlyError, ResponseError

from shared.errors import BadInput, SchemaTooNew, StorageFault
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.codec import SCHEMA_VERSION
from shared.model.events import EmailReceived, SmsReceived
from shared.spool_layout import BLOCK, MAX_TICKET, SpoolFile
from shared.submit import storage_error
from webhook_api.intake.records import IgnoredMessage, ReceivedMessage, Report, SpoolRecord, decode, encode

TEXT = SmsReceived(
    id="m-1", from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), message="Grüße\0\n“😀”", user="user", provider_id="SM1"
)
MAIL = EmailReceived(
    id="m-2", from_=EmailAddress("user@example.com"), to=EmailAddress("boss@example.com"), subject="s", body="b", user="user",
    message_id="<a@b>", references=("<r@b>",), attachments=("x.pdf",), signed=False, received_at=1.5,
)  # fmt: skip
ENTRIES: list[SpoolRecord] = [
    ReceivedMessage(TEXT, "stop"),
    ReceivedMessage(MAIL),
    IgnoredMessage("m-3", "email", "stranger", "a@example.com", "b@example.com", "", "<x@y>", "a…@example.com to b…@example.com"),
    (Report("X", "delivered", "r-1", "a-1", "30003"), Report("Y", "failed")),
    (Report("X", "failed", "r-1", "a-1", "21610", "out", "o-1"), Report("Y", "", opt="in", id="o-2")),
    (Report("X", "delivered", "r-1", "a-1", header="<a@b>"), Report("Y", "sent")),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=["text", "mail", "ignored", "reports", "words", "headers"])
def test_an_entry_is_read_as_it_was_written(entry: SpoolRecord) -> None:
    """Bytes of ASCII, and the same again."""
    content = encode(entry)
    assert content.isascii()
    assert decode(content) == entry


@pytest.mark.parametrize("entry", ENTRIES, ids=["text", "mail", "ignored", "reports", "words", "headers"])
def test_an_entry_of_a_newer_version_is_not_guessed_at(entry: SpoolRecord) -> None:
    """It waits for the newer process."""
    newer = {**json.loads(encode(entry)), "v": SCHEMA_VERSION + 1}
    with pytest.raises(SchemaTooNew):
        decode(json.dumps(newer).encode())


@pytest.mark.parametrize("entry", ENTRIES, ids=["text", "mail", "ignored", "reports", "words", "headers"])
def test_half_an_entry_is_none(entry: SpoolRecord) -> None:
    """Cut at any place, or with any field missing or of another kind."""
    content = encode(entry)
    broken = [content[:end] for end in range(len(content))]
    fields = json.loads(content)
    wrong: tuple[object, ...] = (None, "5", [], [[]], ["x"], {"a": 1})
    broken += [json.dumps({other: value for other, value in fields.items() if other != name}).encode() for name in fields]
    broken += [json.dumps({**fields, name: value}).encode() for name in fields for value in wrong]
    whose = ("sender", "recipient", "provider_id", "header", "who")
    free = {json.dumps({**fields, name: value}).encode() for name, value in (("reports", []), ("id", "5"), ("reason", "5"))}
    free |= {json.dumps({**fields, name: "5"}).encode() for name in whose}
    free |= {json.dumps({other: value for other, value in fields.items() if other != name}).encode() for name in whose}
    for one in set(broken) - free:  # an id may be any text, a batch may be empty, and an older process says nothing of who it was
        with pytest.raises(BadInput):
            decode(one)


@given(st.binary(max_size=200))
def test_garbage_is_refused(content: bytes) -> None:
    """Nothing but our two errors, whatever lies there."""
    with pytest.raises((BadInput, SchemaTooNew)):
        decode(content)


@given(st.integers(0, MAX_TICKET), st.integers(0, 10**12 - 1), st.booleans(), st.just("") | st.integers(0, 2**64 - 1).map("{:016x}".format))
def test_names_tell_ticket_writer_and_size_and_sort_by_ticket(ticket: int, size: int, draft: bool, writer: str) -> None:
    """A name is read as it was made, one of before too; its room is whole blocks."""
    name = SpoolFile(ticket, size, draft, writer)
    assert SpoolFile.parse(name.name) == name
    assert SpoolFile.parse(name.name).name == name.name  # type: ignore[union-attr]
    assert 0 <= name.disk_bytes - size < BLOCK
    assert (name.name < SpoolFile(10**19, 0).name) == (ticket < 10**19) or ticket == 10**19


def test_a_ticket_behind_which_there_is_no_room_is_none_of_ours() -> None:
    """Whoever comes next must have one above it, in as many digits."""
    assert SpoolFile.parse(SpoolFile(MAX_TICKET, 1).name)
    assert SpoolFile.parse(SpoolFile(MAX_TICKET + 1, 1).name) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".json",
        "1-1.json",
        "0" * 20 + "-1.tmp",
        "0" * 20 + "-1.json.part",
        "x" * 20 + "-1.json",
        "0" * 20 + "-abc-1.json",
        "\u0660" * 20 + "-1.json",
    ],
)
def test_other_files_are_none_of_ours(text: str) -> None:
    """Whatever an editor or a backup leaves."""
    assert SpoolFile.parse(text) is None


@pytest.mark.parametrize(
    ("error", "own"),
    [
        (RedisAway("x"), False),
        (ConnectionRefusedError(), False),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), False),
        (ReadOnlyError("You can't write against a read only replica."), False),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), False),
        (ResponseError("Error running script (call to f_0): @user_script:9: @user_script: 9: -OOM command not allowed"), False),
        (ResponseError("Command # 2 (HSET a b) of pipeline caused error: MISCONF Redis is configured"), False),
        (ResponseError("BUSY Redis is busy running a script."), False),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), False),
        (ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"), True),
        (ResponseError("Command # 1 (EVAL ...) of pipeline caused error: WRONGTYPE Operation against a key"), True),
        (ResponseError("user_script:12: attempt to index a nil value"), True),
        (DataError("Invalid input of type"), True),
    ],
)
def test_what_is_redis_being_away_and_what_is_the_calls_own(error: Exception, own: bool) -> None:
    """A message waits for the former and is set aside for the latter."""
    assert isinstance(storage_error(error), StorageFault) is own


def test_a_record_of_an_older_version_names_its_sender_by_a_mask_alone() -> None:
    """What it had is kept."""
    older = {"v": SCHEMA_VERSION, "kind": "ignore", "id": "m-3", "channel": "sms", "reason": "stranger", "who": "+1…67 to +1…43"}
    found = decode(json.dumps(older).encode())
    assert found == IgnoredMessage("m-3", "sms", "stranger", who="+1…67 to +1…43")
    assert json.loads(encode(found))["who"] == "+1…67 to +1…43"
