"""The people of the users file and of the registry together: the file wins, address by address, and a clash is told."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.user_entries import clashes, user_of
from shared.model.users import LOCAL_USER, User
from shared.registry import COPY, Registry, known_people, read_copy, write_copy

BOSS: Final = "+15559876543"
ADA: Final = {"username": "ada", "phone": "+15550000001", "boss_phone": BOSS, "email": "ada@example.com", "boss_email": "boss@example.com"}


def entry(username: str, *phones: str, **fields: Any) -> dict[str, Any]:
    return {"username": username, **({"phones": [*phones], "boss_phone": BOSS} if phones else {}), **fields}


def known(
    entries: Mapping[str, Mapping[str, Any]], ids: Mapping[str, str] | None = None, file: Mapping[str, Any] = ADA
) -> tuple[dict[str, User], tuple[str, ...]]:
    faults: list[str] = []
    declared = user_of(file, "user 1", faults)
    assert declared
    assert not faults
    found = known_people([declared], [file], Registry(1, entries, ids or {}))
    assert clashes(found.users) == []
    return {user.username: user for user in found.users}, found.faults


def phones(user: User) -> list[str]:
    return [own.value for _, own in user.all_ends("sms")]


def test_who_is_in_the_registry_is_known_beside_the_file() -> None:
    """With an id that stays."""
    users, faults = known({"bob": entry("bob", "+15550000002"), "carol": entry("caroline", "+15550000003")})
    assert [(name, user.id) for name, user in users.items()] == [("ada", "ada"), ("bob", "bob"), ("caroline", "carol")]
    assert faults == ()


def test_an_entry_of_the_same_id_adds_to_the_file_what_that_does_not_say() -> None:
    """A further phone and a wish; never another first address or another name."""
    users, faults = known({"ada": entry("ada", "+15550000009", about="Be brief.", email="other@example.com", boss_phone="+15559999999")})
    assert phones(users["ada"]) == ["+15550000001", "+15550000009"]
    assert (users["ada"].about, users["ada"].email) == ("Be brief.", EmailAddress("ada@example.com"))
    assert faults == ()


@pytest.mark.parametrize(
    ("added", "left", "said"),
    [
        (entry("bob", "+15550000001"), None, "no address is left"),
        (entry("bob", "+15550000001", "+15550000002"), ["+15550000002"], "1 of phone are somebody else's"),
        (entry("bob", BOSS, "+15550000002", boss_phone="+15558888888"), ["+15550000002"], "1 of phone"),
        (entry("bob", "+15550000002", boss_phone="+15550000001"), None, "no address is left"),
        (entry("ada", "+15550000002"), None, "somebody else has this username"),
        (entry("bob", emails=["ada@example.com"], boss_email="boss@example.com"), None, "no address is left"),
        (entry("bob", "x"), None, "phones has what is not"),
        (entry("bob", "+15550000002", colour="red"), None, "unknown field colour"),
    ],
)
def test_what_clashes_disables_only_what_the_registry_says_and_is_told(added: dict[str, Any], left: list[str] | None, said: str) -> None:
    """The file's people stay as they are, whatever the registry holds."""
    users, faults = known({"b": added})
    others = [user for user in users.values() if user.id == "b"]
    assert [phones(user) for user in others] == ([left] if left else [])
    assert phones(users["ada"]) == ["+15550000001"]
    assert said in " ".join(faults)
    assert "+1555000" not in " ".join(faults)
    assert "@" not in " ".join(faults)


def test_a_renamed_entry_of_the_file_keeps_its_id_and_its_old_name_is_another_person() -> None:
    """What is kept hangs on the id."""
    users, faults = known({"b": entry("ada", "+15550000002")}, {"ada-l": "ada"}, {**ADA, "username": "ada-l"})
    assert {name: user.id for name, user in users.items()} == {"ada-l": "ada", "ada": "b"}
    assert faults == ()


def test_several_addresses_of_one_person_are_one_user() -> None:
    """The first is where the Boss begins."""
    faults: list[str] = []
    found = user_of(
        entry(
            "bob",
            "+15550000002",
            "+15550000003",
            phone="+15550000003",
            emails=["b@example.com", "c@example.com"],
            boss_email="boss@example.com",
        ),
        "user 1",
        faults,
    )
    assert found
    assert not faults
    assert (found.phone, found.phone_aliases) == (PhoneNumber("+15550000003"), (PhoneNumber("+15550000002"),))
    assert [own.value for _, own in found.all_ends("email")] == ["b@example.com", "c@example.com"]


@pytest.mark.parametrize("quiet", ["", "22:00-07:00", "00:00-23:59"])
def test_quiet_hours_are_two_times_of_a_day(quiet: str) -> None:
    """In minutes."""
    faults: list[str] = []
    found = user_of({**ADA, "quiet_hours": quiet}, "user 1", faults)
    assert found
    assert found.quiet_hours == {"": None, "22:00-07:00": (1320, 420), "00:00-23:59": (0, 1439)}[quiet]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"quiet_hours": "22-7"}, "quiet_hours"),
        ({"quiet_hours": "07:00-07:00"}, "quiet_hours"),
        ({"quiet_hours": "24:00-07:00"}, "quiet_hours"),
        ({"quiet_hours": 22}, "quiet_hours must be text"),
        ({"about": "x" * 2001}, "about"),
        ({"boss_name": "Max\nSubject: x"}, "boss_name"),
        ({"boss_name": "x" * 61}, "boss_name"),
        ({"phones": "+15550000001"}, "phones must be a list"),
        ({"phones": ["+15550000001"] * 21}, "at most 20"),
    ],
)
def test_a_fault_in_a_new_field_is_told_without_its_value(fields: dict[str, Any], said: str) -> None:
    """As for every field."""
    faults: list[str] = []
    assert user_of({**ADA, **fields}, "user 1", faults) is None
    assert said in faults[0]
    assert "Subject" not in faults[0]


def test_the_copy_on_disk_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    """It holds addresses."""
    registry = Registry(3, {"bob": entry("bob", "+15550000002")}, {"x": "ada"})
    write_copy(tmp_path, registry)
    assert read_copy(tmp_path) == registry
    assert stat.S_IMODE((tmp_path / COPY).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [COPY]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 1}', json.dumps({"version": "x", "entries": {}, "ids": {}}).encode(), b"[" * 100_000]
)
def test_a_copy_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    """The start goes on without it."""
    (tmp_path / COPY).write_bytes(content)
    assert read_copy(tmp_path) == Registry()


def test_without_a_registry_the_file_stands_as_it_is() -> None:
    """An installation of before goes on without a change."""
    assert known_people([LOCAL_USER], [], Registry()).users == (LOCAL_USER,)
    assert LOCAL_USER.id == LOCAL_USER.username
