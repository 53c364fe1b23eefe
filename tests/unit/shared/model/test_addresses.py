"""Addresses are parsed once, strictly: whoever gets past here is who they seem."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from shared.errors import BadInput
from shared.model import addresses
from shared.model.addresses import ConversationKey, EmailAddress, Identities, PhoneNumber, parse_address_list

numbers = st.from_regex(r"\+1[2-9][0-9]{2}[2-9][0-9]{6}", fullmatch=True)
names = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9+_-]{0,20}", fullmatch=True)
domains = st.from_regex(r"[a-zA-Z][a-zA-Z0-9]{0,10}\.[a-zA-Z]{2,5}", fullmatch=True)
SALT = b"salt of this installation"


def refusal(text: str) -> str:
    """The code with which a mail address is refused."""
    with pytest.raises(BadInput) as caught:
        EmailAddress.parse(text)
    assert text.strip() not in str(caught.value) or not text.strip()
    return caught.value.code


@given(numbers)
def test_a_number_reads_back_as_itself(text: str) -> None:
    """Parsing what was parsed changes nothing, however it was spaced."""
    number = PhoneNumber.parse(text)
    assert number.value == text
    assert PhoneNumber.parse(f" {text[:2]} ({text[2:5]}) {text[5:8]}-{text[8:]} ") == number


@pytest.mark.parametrize(
    "text",
    ["", "+", "5551234567", "0015551234567", "72345", "whatsapp:+15551234567", "+1555", "+0", "+999123456789", "+" + "1" * 50,
     "+1800FLOWERS", "+15551234567 ext 5", "+15551234567;ext=5", "+15551234567x9", "+15551234567\x00", "Acme", "+1555123456\u0667"],
)  # fmt: skip
def test_what_is_no_international_number_is_refused(text: str) -> None:
    """Short codes, letters, extensions and national forms are no address that a text could be sent to."""
    with pytest.raises(BadInput) as caught:
        PhoneNumber.parse(text)
    assert caught.value.code == "bad_phone"


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_a_bad_phone(text: str) -> None:
    """Hostile text raises the one error that callers expect."""
    try:
        value = PhoneNumber.parse(text).value
    except BadInput as error:
        assert error.code == "bad_phone"  # noqa: PT017 - both ways are right
    else:
        assert value.startswith("+")
        assert value[1:].isdecimal()
        assert value.isascii()


@given(names, domains)
def test_case_never_makes_two_people_of_one(name: str, domain: str) -> None:
    """Upper and lower case are the same address; the plus tag stays."""
    address = EmailAddress.parse(f"{name}@{domain}")
    assert address.value == f"{name}@{domain}".lower()
    assert EmailAddress.parse(f"Some One <{name.upper()}@{domain.upper()}>") == address
    assert EmailAddress.parse(address.value) == address


@given(names, names)
def test_two_people_never_become_one(one: str, other: str) -> None:
    """Only case is folded."""
    assume(one.lower() != other.lower())
    assert EmailAddress.parse(f"{one}@example.com") != EmailAddress.parse(f"{other}@example.com")


def test_a_letter_that_only_looks_like_another_stays_another() -> None:
    """The Kelvin sign lower-cases to k, and its owner is somebody else."""
    assert EmailAddress.parse("\u212aate@example.com") != EmailAddress.parse("kate@example.com")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_email"), ("<>", "bad_email"), ("nobody", "bad_email"), ("undisclosed-recipients:;", "bad_email"), ("a@b", "bad_email"),
        ("a@b..c", "bad_email"), ("a@example.com\r\nBcc: x@y.example.com", "bad_email"),
        ("a\x00@b.example.com", "bad_email"), ('"a b"@c.example.com', "bad_email"),
        ("a@" + "x" * 70 + ".example.com", "bad_email"), ("a" * 330 + "@b.example.com", "bad_email"), ("\udcff@b.example.com", "bad_email"),
        ("a@b.example.com, c@d.example.com", "two_addresses"), ("a@b.example.com, a@b.example.com", "two_addresses"),
    ],
)  # fmt: skip
def test_what_is_not_one_address_is_refused(text: str, code: str) -> None:
    """None, two, or something that cannot be written to."""
    assert refusal(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "boss@bank.example.com <eve@evil.example.com>",
        "boss@bank.example.com eve@evil.example.com",
        "<boss@bank.example.com> eve@evil.example.com",
        "boss@bank.example.com;eve@evil.example.com",
    ],
)
def test_an_author_that_cannot_be_told_is_refused(text: str) -> None:
    """Mail programs disagree on which of the two wrote it; guessing would let one pose as the other."""
    refusal(text)


@pytest.mark.parametrize("text", ["=?utf-8?q?boss?=@bank.example.com", "=?utf-8?b?Ym9zcw==?=@bank.example.com"])
def test_an_encoded_word_never_becomes_an_address(text: str) -> None:
    """RFC 2047 has no encoded words inside an address; decoding one would name another mailbox."""
    refusal(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"boss@bank.example.com" <eve@evil.example.com>', "eve@evil.example.com"),
        ("=?utf-8?q?boss=40bank.example.com?= <eve@evil.example.com>", "eve@evil.example.com"),
        ("eve@evil.example.com (boss@bank.example.com)", "eve@evil.example.com"),
        ("Dr. Ü. Example <a+tag@Example.COM>", "a+tag@example.com"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("user@localhost", "user@localhost"),
    ],
)
def test_a_display_name_is_never_the_address(text: str, value: str) -> None:
    """Only the addr-spec counts, whatever the name beside it says."""
    assert EmailAddress.parse(text).value == value


@given(st.text(max_size=80))
@example("=?utf-8?q?=0d=0aBcc:?=x@y.example.com")
@example("@x,@y:a@b.c")
@example("a@[")
def test_any_header_is_addresses_or_a_bad_input(text: str) -> None:
    """Python's mail parser has crashed on hostile text before; callers see BadInput only, and never a line break."""
    try:
        found = parse_address_list(text)
    except BadInput:
        return
    for address in found:
        assert not any(character.isspace() for character in address.value)
        address.value.encode("utf-8")


def test_a_list_keeps_its_order() -> None:
    """All of To and Cc, groups included."""
    found = parse_address_list('"One" <a@b.example.com>, team: c@d.example.com, e@f.example.com;')
    assert [address.value for address in found] == ["a@b.example.com", "c@d.example.com", "e@f.example.com"]


@given(numbers, names, domains)
def test_repr_shows_no_address(number: str, name: str, domain: str) -> None:
    """What lands in a traceback by accident names nobody."""
    assume(len(name) > 1)
    phone, mail = PhoneNumber.parse(number), EmailAddress.parse(f"{name}@{domain}")
    key = ConversationKey("email", "boss@example.com", mail.value, "<thread@example.com>")
    assert phone.value[2:-2] not in repr(phone)
    assert mail.value.split("@")[0] not in repr(mail).split("@")[0].removeprefix("EmailAddress(")
    assert mail.value not in repr(key)
    assert "thread" not in repr(key)


parts = st.text(max_size=8).filter(lambda text: "\x1f" not in text)


@given(st.tuples(parts, parts, parts), st.tuples(parts, parts, parts))
def test_two_conversations_never_share_an_id(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Moving a character from one part to the next is another conversation."""
    ids = Identities(SALT)
    first, second = ConversationKey("email", *one), ConversationKey("email", *other)
    assert (ids.conversation(first) == ids.conversation(second)) == (one == other)


def test_ids_tell_nothing_without_the_salt() -> None:
    """The same number has another id in another installation, and another as a sender than in a pair."""
    boss, user = PhoneNumber("+15559876543"), PhoneNumber("+15551234567")
    here, there = Identities(SALT), Identities(b"another")
    found = {here.sender(user), there.sender(user), here.pair(boss, user), here.pair(user, boss), there.pair(boss, user)}
    found.add(here.conversation(ConversationKey("sms", boss.value, user.value)))
    assert len({name[2:] for name in found}) == 6
    assert all(len(name) == 26 and name[:2] in ("s-", "p-", "c-") for name in found)


def test_the_tags_of_a_mail_address_share_its_bounds_and_not_its_conversations() -> None:
    """Opt-outs, pauses and rates hold for the person; a conversation is kept as its addresses are written."""
    ids = Identities(SALT)
    boss, user = EmailAddress("boss@example.com"), EmailAddress("ada@example.com")
    for tagged in ("ada+x@example.com", "ada+x+y@example.com", "ada+@example.com"):
        other = EmailAddress(tagged)
        same = other.value != "ada+@example.com"
        assert (other.untagged == user) is same
        assert (ids.sender(other) == ids.sender(user)) is same
        assert (ids.pair(EmailAddress("boss+shop@example.com"), other) == ids.pair(boss, user)) is same
        assert ids.conversation(ConversationKey("email", boss.value, tagged)) != ids.conversation(
            ConversationKey("email", boss.value, user.value)
        )
    for own in ("+x@example.com", '"a+b"@example.com', "ada@example.com"):
        assert EmailAddress(own).untagged == EmailAddress(own)


@given(st.binary(min_size=1, max_size=40), st.text(max_size=40).filter(lambda text: not {"\x1f", "+"} & {*text}), st.sampled_from([1, 2]))
def test_an_id_is_the_keyed_hash_of_its_parts_however_often_it_is_asked_for(salt: bytes, name: str, times: int) -> None:
    """Ids are kept in Redis for months: remembering them, and the state after the salt, may not change one bit."""
    plain = hmac.new(salt, f"sender\x1f{name}".encode(), hashlib.sha256).hexdigest()[:24]
    for _ in range(times):
        assert Identities(salt).sender(EmailAddress(name)) == f"s-{plain}"


def test_what_a_process_remembers_of_addresses_is_bounded() -> None:
    """A flood of senders costs time, not memory, and what is refused is not remembered at all."""
    for remembering in (addresses._e164, addresses._digest, addresses._remembered_list):
        assert 0 < (remembering.cache_info().maxsize or 0) <= 4 * 4096
    PhoneNumber.parse("+15551234567")
    before = addresses._e164.cache_info().currsize
    for number in range(100):
        with pytest.raises(BadInput):
            PhoneNumber.parse(f"+1555{number}")
    assert addresses._e164.cache_info().currsize == before


def test_a_long_header_is_not_remembered_and_what_is_remembered_is_each_callers_own() -> None:
    """4,096 long headers would be much memory; and a list that a caller changes is not the next one's."""
    many = ", ".join(f"user{number}@example.com" for number in range(20))
    assert len(many) > addresses.MAX_ADDRESS
    before = addresses._remembered_list.cache_info().currsize
    assert len(parse_address_list(many)) == 20
    assert addresses._remembered_list.cache_info().currsize == before
    parse_address_list("ada@example.com").clear()
    assert parse_address_list("ada@example.com") == [EmailAddress("ada@example.com")]


@pytest.mark.parametrize(
    "text",
    [
        '"a+b@exampl.>\u00bdc\u00bd\u00bd\ufffd',
        '"a@example.com',
        'a"b@example.com',
        "a@exam>ple.com",
        "a@-example.com",
        "a@example-.com",
        "a@example..com",
    ],
)
def test_what_the_parser_only_guesses_is_no_address(text: str) -> None:
    """Half a quoted string, or a domain that no name could be, was taken before, and read differently the second time."""
    assert refusal(text) == "bad_email"


@pytest.mark.parametrize(
    "text", ['"a.b"@example.com', "o'neil+x=y@sub-1.example.com", "\u00fc@m\u00fcnchen.example", "a@localhost", "_a@_dmarc.example.com"]
)
def test_unusual_addresses_are_addresses(text: str) -> None:
    """And read the same again."""
    address = EmailAddress.parse(text)
    assert EmailAddress.parse(address.value) == address
