"""One signature, one reading: whatever else the signed line can be cut into is refused."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import BadInput
from shared.model.sms_admission import InboundSms
from tests.payloads import ACCOUNT, form_body, payload, sid, sms_fields
from tests.support.effort import rounds
from webhook_api.security import signed_form
from webhook_api.security.signatures import twilio_signature
from webhook_api.sms.media import media_of
from webhook_api.sms.parsing import parse_sms, parse_status, read_form

QUERY: Final = "reply=r-4b4f4e1c9a0d4b6c8f1e2d3c&attempt=a-0123456789abcdef0123456789abcdef"
MINE, THEIRS = "+15551234567", "+15557654321"

Fields = dict[str, str]
Dice = random.Random
Reading = tuple[str, Fields]
"""The URL's query, and the form."""


def fields_of(name: str) -> Fields:
    return {field: values[0] for field, values in read_form(payload(name)).items()}


PLAIN: Final = fields_of("sms_plain.form") | {"Body": "Hello There, Dear Carla. Call Eve", "MessagingServiceSid": "MG" + "b" * 32}
MEDIA: Final = fields_of("sms_mms.form") | {"OptOutType": "STOP"}
STATUS: Final = fields_of("status_undelivered.form")
SHORT: Final = {"From": MINE, "To": "+15559876543", "Body": "Dinner At Eight", "MessageSid": sid("short")}
REPORT: Final = {"AccountSid": ACCOUNT, "MessageSid": sid("report"), "MessageStatus": "delivered"}
FALLBACK: Final = sms_fields(ErrorCode="11200", ErrorUrl="https://boss.example.com/sms/inbound", Body="Hi")
FORMS: Final = {"plain": PLAIN, "media": MEDIA, "short": SHORT, "fallback": FALLBACK, "status": STATUS, "report": REPORT}


def line_of(reading: Reading) -> str:
    """What Twilio signs, from the query on."""
    query, fields = reading
    return query + "".join(name + fields[name] for name in sorted(fields))


def accepted(reading: Reading) -> bool:
    query, fields = reading
    try:
        signed_form.check({name: [value] for name, value in fields.items()}, query)
    except BadInput:
        return False
    return True


def meaning(reading: Reading) -> tuple[object, ...]:
    """All that we read of a form."""
    query, fields = reading
    form = {name: [value] for name, value in fields.items()}
    ids = [parse_qs(query).get(name, [""])[0] for name in ("reply", "attempt")]
    try:
        text = parse_sms(form)
        media: object = media_of(form, count=text.media_count, account=ACCOUNT, sid=text.sid, base_url="https://api.twilio.com")
    except BadInput as error:
        text, media = error.code, ()  # type: ignore[assignment]
    if isinstance(text, InboundSms) and not text.sender.startswith("+"):
        text = replace(text, text="")  # who is no phone is not answered, whatever was said
    return text, media, parse_status(form), *ids


def cut(line: str, marks: list[int]) -> Reading | None:
    """The reading that a line has when it is cut there, if it would be signed with that line: names in order, none twice."""
    if any(later < earlier for earlier, later in itertools.pairwise(marks)) or not 0 <= marks[0] <= len(line) >= marks[-1]:
        return None
    pieces = [line[start:end] for start, end in itertools.pairwise([*marks, len(line)])]
    names = pieces[::2]
    if len(pieces) % 2 or "" in names or any(later <= earlier for earlier, later in itertools.pairwise(names)):
        return None
    return line[: marks[0]], dict(zip(names, pieces[1::2], strict=True))


def marks_of(reading: Reading) -> list[int]:
    """Where the query ends, and each name."""
    query, fields = reading
    marks = [len(query)]
    for name in sorted(fields):
        marks += [marks[-1] + len(name), marks[-1] + len(name) + len(fields[name])]
    return marks[:-1]


def every_small_cut(reading: Reading) -> Iterator[Reading]:
    """One mark put elsewhere; a name taken into the value before it; a name made out of a piece of a value or of the query."""
    line, marks = line_of(reading), marks_of(reading)
    moved = ([*marks[:place], position, *marks[place + 1 :]] for place in range(len(marks)) for position in range(len(line) + 1))
    merged = (marks[:place] + marks[place + 2 :] for place in range(len(marks) - 1))
    split = (sorted([*marks, start, start + length]) for start in range(len(line)) for length in range(1, 24))
    for others in itertools.chain(moved, merged, split):
        found = cut(line, others)
        if found is not None and found != reading:
            assert line_of(found) == line
            yield found


@pytest.mark.many_inputs
@pytest.mark.parametrize(("name", "query"), [*((name, "") for name in FORMS), ("short", QUERY), ("status", QUERY)])
def test_no_other_cut_of_a_genuine_form_is_taken(name: str, query: str) -> None:
    """Each mark at each place, each name swallowed, each piece made a name: thousands of readings under one signature."""
    genuine, tried = (query, FORMS[name]), 0
    assert accepted(genuine)
    for reading in every_small_cut(genuine):
        tried += 1
        assert not accepted(reading), reading
    assert tried > len(FORMS[name])


WORDS: Final = st.sampled_from(
    [
        "From", "+15557654321", "To", "Body", "MessageSid", sid("crafted"), "NumMedia", "0", "Z", "FromA", "Hi", " ", "é", "AccountSid",
        ACCOUNT, "OptOutType", "STOP", "MediaUrl0", "ErrorCode", "30003", "ErrorUrl", "https://boss.example.com", "SmsSid", "Charlie",
        "Dinner At", "\n", "?", "attempt=a-2", "whatsapp:", "MessageStatus", "delivered",
        f"From+15557654321MessageSid{sid('whole')}NumMedia0To+15559876543Z",
    ]
)  # fmt: skip
BODIES: Final = st.lists(WORDS | st.text(max_size=5), max_size=8).map("".join)
VALUES: Final = {
    "FromCity": st.sampled_from(["", "SAN FRANCISCO", "Sankt Gallen"]), "ToZip": st.sampled_from(["", "94105", "K1A 0B1"]),
    "NumMedia": st.sampled_from(["0", "10"]), "MediaContentType0": st.sampled_from(["image/jpeg", "text/x-vCard"]),
    "WaId": st.just("15551234567"),
    "MediaUrl0": st.just("https://api.twilio.com/2010-04-01/Accounts/x/Media/ME1"), "OptOutType": st.sampled_from(["STOP", "HELP"]),
    "SmsStatus": st.just("received"), "NumSegments": st.just("1"), "Zebra1": st.sampled_from(["", "New Value"]), "PlainNew": st.just("x"),
    "SmsMessageSid": st.just(sid("x")), "ProfileName": BODIES, "AccountSid": st.just(ACCOUNT), "ApiVersion": st.just("2010-04-01"),
}  # fmt: skip
GENUINE: Final = st.fixed_dictionaries(
    {
        "From": st.sampled_from([MINE, "72345", "whatsapp:+15551234567"]),
        "To": st.just("+15559876543"),
        "Body": BODIES,
        "MessageSid": st.integers(0, 9).map(sid),
    },
    optional=VALUES,
)


@settings(max_examples=rounds(100), deadline=None, derandomize=True)
@given(GENUINE, st.sampled_from(["", QUERY]), st.integers(0, 2**32))
def test_two_readings_that_are_taken_mean_the_same(fields: Fields, query: str, seed: int) -> None:
    """Random forms, ids and texts that hold whole fields, cut anew in several places at once; who is believed is the same in each."""
    genuine = (query, fields)
    line, marks, dice = line_of(genuine), marks_of(genuine), Dice(seed)
    names = [found for word in (*fields, "From", "To", "MessageSid", "Body", "Z", "FromA") for found in places(line, word)]
    taken = {meaning(genuine)} if accepted(genuine) else set()
    for _ in range(12):
        some = [mark for mark in marks if dice.random() < 0.8]
        some += [dice.randrange(len(line)) for _ in range(dice.randrange(3))]
        some += [each for start, end in dice.sample(names, min(len(names), dice.randrange(5))) for each in (start, end)]
        reading = cut(line, sorted(set(some))) if some else None
        if reading is not None and accepted(reading):
            taken.add(meaning(reading))
    assert len(taken) <= 1


def places(line: str, word: str) -> list[tuple[int, int]]:
    """Where a word stands in a line."""
    starts = [start for start in range(len(line)) if line.startswith(word, start)]
    return [(start, start + len(word)) for start in starts]


CRAFTED: Final = f"HiFrom{THEIRS}MessageSid{sid('new')}NumMedia0To+15559876543Z"


def test_a_text_that_holds_fields_makes_no_other_senders_text() -> None:
    """The signature of one's own text is none for a text of somebody else's, nor for a new one of one's own."""
    genuine = ("", PLAIN | {"Body": CRAFTED})
    line = line_of(genuine)
    start = line.index("From" + THEIRS)
    marks = marks_of(genuine)[:6]
    for name in ("From", "MessageSid", "NumMedia", "To", "Z"):
        start = line.index(name, start)
        marks += [start, start + len(name)]
    forged = cut(line, marks)
    assert forged is not None
    assert parse_sms({name: [value] for name, value in forged[1].items()}).sender == THEIRS
    same = [twilio_signature("token", "https://x", {name: [value] for name, value in fields.items()}) for _, fields in (genuine, forged)]
    assert same[0] == same[1]
    assert not accepted(forged)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MessageSid": "SM1"}, "bad_sid"),
        ({"MessageSid": ""}, "bad_sid"),
        ({"MessageSid": "SM" + "a" * 33}, "bad_sid"),
        ({"MessageSid": "sm" + "a" * 32}, "bad_sid"),
        ({"SmsSid": "SM" + "g" * 32}, "bad_sid"),
        ({"AccountSid": "AC1"}, "bad_sid"),
        ({"f0NumMedia": "0", "NumMedia": None}, "ambiguous_form"),
        (
            {
                "MessageStatus": "sen",
                "t": "",
                "SmsStatus": None,
                "NumSegments": None,
                "SmsMessageSid": None,
                "To": None,
                "ToCountry": None,
                "ToState": None,
                "NumMedia": None,
            },
            "ambiguous_form",
        ),
        ({"Media Url": "x"}, "ambiguous_form"),
        ({"0": "x"}, "ambiguous_form"),
        ({"": "x"}, "ambiguous_form"),
        ({"MediaUrl": "0https://x"}, "ambiguous_form"),
        ({"Campaign": "x"}, "ambiguous_form"),
        ({"ErrorCode": "30003"}, "ambiguous_form"),
        ({"ButtonText": "x"}, "ambiguous_form"),
        ({"FromDistrict": "x"}, "ambiguous_form"),
        ({"OptOutType": ""}, "ambiguous_form"),
        ({"NumMedia": "0x"}, "ambiguous_form"),
        ({"Zebra": "xMessageSid"}, "ambiguous_form"),
    ],
)
def test_a_form_without_twilios_shape_is_refused(changes: dict[str, str | None], code: str) -> None:
    """Names, ids and the values that end where the next name begins."""
    with pytest.raises(BadInput) as error:
        signed_form.check({name: [value] for name, value in sms_fields(**changes).items()}, "")
    assert error.value.code == code


def test_no_name_occurs_twice() -> None:
    """Twilio's signature drops the repeats, and does not say which came first."""
    form = {name: [value] for name, value in sms_fields().items()}
    for values in (["Hello", "Hello"], ["Hello", "Bye"]):
        with pytest.raises(BadInput, match="ambiguous_form"):
            signed_form.check(form | {"Body": values}, "")


@pytest.mark.parametrize(
    "fields",
    [
        sms_fields(),
        sms_fields(Body="My Body hurts. From now on call Eve, To be sure! MessageSid: " + sid("x")),
        sms_fields(Body="FromCity NumMedia2 SmsSid ErrorCode30003 OptOutType ToCity ApiVersion"),
        sms_fields(Body="", NumMedia="1", MediaUrl0="https://api.twilio.com/x", MediaContentType0="image/jpeg"),
        sms_fields(SomethingNew="Fine", Zebra9="x", Latest="", x1="1", newest=""),
        sms_fields(From="whatsapp:+15551234567", ButtonText="Buy", ProfileName="Ada", WaId="15551234567", Forwarded="true"),
        sms_fields(From="72345"),
        sms_fields(MessagingServiceSid="", FromCity="", Body="é\n😀"),
        FALLBACK,
        {"AccountSid": ACCOUNT, "MessageSid": sid(1), "MessageStatus": "sent"},
        STATUS,
    ],
)
def test_a_genuine_form_is_taken(fields: Fields) -> None:
    """Also with names that Twilio adds, and with texts about its fields."""
    assert accepted((QUERY, fields))
    assert list(read_form(form_body(fields))) == list(fields)
