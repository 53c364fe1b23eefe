"""Who may talk to which Boss: every fault of the file is named at once, and nobody reaches another's Boss."""

from __future__ import annotations

import io
from pathlib import Path
from typing import cast

import pytest

from shared.errors import ConfigurationError
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.users import LOCAL_USER, Users
from shared.model.users_file import load_users

ADA = """
[[users]]
username = "ada"
phone = "+15551234567"
boss_phone = "+15559876543"
email = "Ada@Example.com"
boss_email = "boss@example.com"
timezone = "Europe/Berlin"
role = "admin"
"""
BOB = """
[[users]]
username = "bob"
phone = "+15551234568"
boss_phone = "+15559876543"
"""
LOOP = BOB.replace("+15551234568", "+15559876543").replace('boss_phone = "+15559876543"', 'boss_phone = "+15551234567"')


class Page:
    """A file's content where a path is expected: these tests read no disk."""

    def __init__(self, content: str) -> None:
        self.content = content

    def open(self, mode: str) -> io.BytesIO:
        """The content."""
        assert mode == "rb"
        return io.BytesIO(self.content.encode())


def users(content: str) -> Users:
    """The table of a file's content."""
    return load_users(cast("Path", Page(content)))


def faults(content: str) -> str:
    """What the error says."""
    with pytest.raises(ConfigurationError) as caught:
        users(content)
    return str(caught.value)


def test_no_file_is_the_local_user() -> None:
    """`make run` needs no file."""
    table = load_users(None)
    assert table.all == (LOCAL_USER,)
    assert table.find("sms", PhoneNumber("+15559876543"), PhoneNumber("+15551234567")) is LOCAL_USER
    assert table.find("email", EmailAddress("boss@example.com"), EmailAddress("user@example.com")) is LOCAL_USER


def test_a_user_is_found_by_both_ends_only() -> None:
    """A stranger, and a user who writes to somebody else's Boss, are nobody."""
    other_boss = BOB.replace("+15559876543", "+15559876544")
    table = users(ADA + other_boss)
    ada, bob, boss, second = (PhoneNumber("+1555" + end) for end in ("1234567", "1234568", "9876543", "9876544"))
    assert (found := table.find("sms", boss, ada))
    assert found.username == "ada"
    assert (found := table.find("sms", second, bob))
    assert found.username == "bob"
    assert table.find("sms", second, ada) is table.find("sms", boss, bob) is table.find("sms", ada, boss) is None
    assert table.bosses("sms") == {boss, second}


def test_two_users_may_share_a_boss() -> None:
    """A family with one number."""
    table = users(ADA + BOB)
    assert [user.username for user in table.all] == ["ada", "bob"]
    assert table.named("bob")
    assert table.named("eve") is None


def test_addresses_are_stored_in_their_one_form() -> None:
    """The file may write them as it likes."""
    assert users(ADA).find("email", EmailAddress("boss@example.com"), EmailAddress("ada@example.com"))


def test_all_faults_are_listed_at_once_and_no_value_is_shown() -> None:
    """One run of the command shows everything that is to be mended; addresses stay out of logs."""
    text = faults(
        ADA.replace("Europe/Berlin", "Mars/Base") + '[[users]]\nusername = "eve"\nphone = "+1555canary"\nboss_phone = "+15559876543"\n'
        '[[users]]\nusername = "joe"\nphon = "x"\n[[users]]\nphone = 5\n[[users]]\nusername = "m"\nrole = "king"\nemail = "a@example.com"\n'
    )
    for part in ("user 1: timezone", "user 2: phone is not", "user 3: unknown field phon", "user 4: phone must be text", "user 4: username",
                 "user 5: role", "user 5: email and boss_email go together"):  # fmt: skip
        assert part in text, part
    assert "canary" not in text
    assert "a@example.com" not in text


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("users = [", "not TOML"), ("", "no [[users]] table"), ("users = 5", "[[users]] tables"), ('users = ["x"]', "[[users]] tables"),
        (ADA + ADA, "same username"), (ADA + BOB.replace("+15551234568", "+15551234567"), "same phone and boss_phone"),
        ('[[users]]\nusername = "x"\n', "neither phone nor email"), (BOB.replace("+15559876543", "+15551234568"), "must differ"),
        (ADA + LOOP, "each other"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_work_is_refused(content: str, part: str) -> None:
    """Before anything starts."""
    assert part in faults(content)


def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    """Missing, a directory, or not UTF-8."""
    (tmp_path / "latin").write_bytes(b"\xff")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "latin"):
        with pytest.raises(ConfigurationError, match="BOSS_USERS_FILE"):
            load_users(path)


def test_who_comes_over_the_bridge_alone_needs_no_provider() -> None:
    """Their addresses are names at the bridge, and nothing is reached or asked for on their account."""
    found = users(ADA + BOB.replace("+15559876543", "+15559876544") + "bridge_only = true\n")
    bob = found.named("bob")
    assert bob
    assert bob.phone
    assert bob.boss_phone
    assert found.find("sms", bob.boss_phone, bob.phone) is bob
    assert found.reached.find("sms", bob.boss_phone, bob.phone) is None
    assert bob.boss_phone not in found.reached.bosses("sms")
    assert found.channels == {"sms", "email"}
    assert users(BOB).channels == {"sms"}
    assert users(BOB + "bridge_only = true\n").channels == frozenset()
    assert users(BOB + "bridge_only = false\n").channels == {"sms"}


def test_a_person_writes_from_further_addresses_and_under_tags() -> None:
    """All of them are the same person; the Boss's own address may have a tag, too. Exactly what the file has comes first."""
    table = users(
        ADA
        + 'email_aliases = ["ada@home.example", "Ada@Work.example"]\n'
        + BOB
        + 'email = "ada+bob@example.com"\nboss_email = "boss@example.com"\n'
    )
    boss, tagged = EmailAddress("boss@example.com"), EmailAddress("boss+shop@example.com")
    for own in ("ada@example.com", "ada+news@example.com", "ada@home.example", "ada+x+y@work.example"):
        for end in (boss, tagged):
            assert (found := table.find("email", end, EmailAddress(own))), own
            assert found.username == "ada"
    assert (found := table.find("email", boss, EmailAddress("ada+bob@example.com")))
    assert found.username == "bob"
    for other in ("adam@example.com", "+ada@example.com", "ada@other.example", "ada-x@example.com"):
        assert table.find("email", boss, EmailAddress(other)) is None, other
    assert table.is_boss("email", tagged)
    assert not table.is_boss("email", EmailAddress("bossy@example.com"))
    ada = table.named("ada")
    assert ada
    assert [str(own) for _, own in ada.all_ends("email")] == ["ada@example.com", "ada@home.example", "ada@work.example"]
    assert ada.all_ends("sms") == [ada.ends("sms")]
    assert table.reached.find("email", boss, EmailAddress("ada@home.example")) is ada


@pytest.mark.parametrize(
    ("addition", "part"),
    [
        ('email_aliases = "ada@home.example"\n', "user 1: email_aliases must be a list"),
        ("email_aliases = [1]\n", "user 1: email_aliases must be a list"),
        (f"email_aliases = {[f'a{number}@home.example' for number in range(21)]}\n", "at most 20"),
        ('email_aliases = ["canary"]\n', "email_aliases has what is not a mail address"),
        ('email_aliases = ["boss@example.com"]\n', "each other"),
        ('robots = "ignore"\n', 'robots must be "answer"'),
        ("robots = true\n", "robots must be text"),
        ('email_alias = ["x"]\n', "did you mean email_aliases?"),
    ],
)
def test_a_fault_in_what_an_entry_says_of_its_mail_is_told(addition: str, part: str) -> None:
    """Before anything starts, without the value."""
    assert part in faults(ADA + addition)
    assert "canary" not in faults(ADA + addition)
    assert "email is missing" in faults(BOB + 'email_aliases = ["bob@home.example"]\n')


def test_an_entry_may_want_the_mail_of_programs() -> None:
    """It is nobody's default."""
    assert users(ADA + 'robots = "answer"\n').all[0].robots == "answer"
    assert users(ADA).all[0].robots == ""


def test_a_flag_is_no_text_and_a_slip_in_a_field_is_told() -> None:
    """With the field that was meant."""
    assert "bridge_only must be true or false" in faults(BOB + 'bridge_only = "yes"\n')
    assert "unknown field bridge-only (did you mean bridge_only?)" in faults(BOB + "bridge-only = true\n")
    assert "shared must be true or false" in faults(BOB + 'shared = "family"\n')
    assert [users(BOB + line).all[0].shared for line in ("", "shared = false\n", "shared = true\n")] == [False, False, True]


def test_a_forwarding_address_is_its_persons_with_or_without_a_tag() -> None:
    """It makes nobody a user, and no Boss of it."""
    table = users(
        ADA + 'forwarding = [{ address = "Contact@Example.com", tag = "contact" }, { address = "contact+x@example.com", tag = "x" }]\n'
    )
    for address, tag in (("contact@example.com", "contact"), ("contact+shop@example.com", "contact"), ("contact+x@example.com", "x")):
        found = table.forwarding(EmailAddress(address))
        assert found is not None
        assert (found[0].username, found[1].tag) == ("ada", tag)
        assert table.find("email", EmailAddress(address), EmailAddress("ada@example.com")) is None
        assert not table.is_boss("email", EmailAddress(address))
    assert table.forwarding(EmailAddress("contacts@example.com")) is None
    assert table.forwarding_addresses == 2
    assert table.reached.forwarding_addresses == 2


def test_a_fault_in_a_forwarding_address_is_told() -> None:
    """Before anything starts, without the value; each alone, and those of two entries together."""
    eve = '[[users]]\nusername = "eve"\nemail = "eve@example.com"\nboss_email = "second@example.com"\n'

    def entry(*addresses: str, tag: str = "t") -> str:
        tables = [f'{{ address = "{address}", tag = "{tag}" }}' for address in addresses]
        return f"forwarding = [{', '.join(tables)}]\n"

    fine = entry("contact@example.com")
    for content, part in [
        (ADA + 'forwarding = "contact@example.com"\n', "user 1: forwarding must be a list of at most 20 tables with address and tag"),
        (ADA + entry(*(f"c{number}@example.com" for number in range(21))), "at most 20"),
        (ADA + 'forwarding = ["contact@example.com"]\n', "must be a list"),
        (ADA + 'forwarding = [{ address = "contact@example.com" }]\n', "each must have an address and a tag"),
        (ADA + 'forwarding = [{ address = "contact@example.com", tag = 5 }]\n', "both text"),
        (ADA + 'forwarding = [{ address = "c@example.com", tag = "t", to = "x" }]\n', "and nothing else"),
        (ADA + entry("canary"), "forwarding has an address that is not a mail address"),
        (ADA + entry("a@example.com", tag="[canary]"), "a tag is letters, digits"),
        (ADA + entry("a@example.com", tag=""), "a tag is letters, digits"),
        (ADA + entry("a@example.com", tag="t" * 25), "24 at most"),
        (BOB + fine, "user 1: forwarding needs email and boss_email"),
        (ADA + "bridge_only = true\n" + fine, "and no bridge_only"),
        (ADA + entry("contact@example.com", "Contact@example.com"), "stands there twice"),
        (ADA + fine + eve + fine, "stands there twice"),
        (ADA + entry("ada@example.com"), "is a person's own address"),
        (ADA + fine + eve.replace("eve@example.com", "contact+x@example.com"), "is a person's own address"),
        (ADA + 'email_aliases = ["ada@home.example"]\n' + entry("ada+c@home.example"), "is a person's own address"),
        (ADA + entry("boss@example.com"), "is a Boss's address"),
        (ADA + entry("second+contact@example.com") + eve, "is a Boss's address"),
        (ADA + "forwardings = []\n", "did you mean forwarding?"),
    ]:  # fmt: skip
        said = faults(content)
        assert part in said, (part, said)
        assert "canary" not in said
    assert users(ADA + fine + eve + entry("c2@example.com")).forwarding_addresses == 2
    assert users(ADA + "forwarding = []\n").forwarding_addresses == 0


def test_an_entry_names_the_language_of_our_own_sentences() -> None:
    """English where it names none, and for nobody; one that the table has not is a fault."""
    found = users(ADA + 'language = "de"\n' + BOB)
    assert [found.language(name) for name in ("ada", "bob", "nobody")] == ["de", "en", "en"]
    assert "user 1: language must be one of en, de" in faults(ADA + 'language = "tlh"\n')
    assert "user 1: language must be text" in faults(ADA + "language = 3\n")
