"""`boss users add, edit, rename, list, show, pause, remove`: what an operator changes, every process knows without a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss.main import main
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.mailbox import Mailbox, calls, keys
from shared.model.addresses import Identities, PhoneNumber
from shared.operations.errors import NotPossible
from shared.operations.registry import RegistryEditor
from shared.registry import PeopleDirectory, read_copy, read_registry
from shared.runtime import identity_salt
from tests.support.wait import wait_for

BOSS = "+15559876543"
FILE = f'[[users]]\nusername = "ada"\nphone = "+15550000001"\nboss_phone = "{BOSS}"\ntimezone = "Europe/Berlin"\n'
Boss = Callable[..., Result]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "users.toml").write_text(FILE)
    return tmp_path / "data"


@pytest.fixture
def env(redis_url: str, data_dir: Path) -> dict[str, str]:
    return {
        "REDIS_URL": redis_url, "SANDBOX": "on", "BOSS_DATA_DIR": str(data_dir), "BOSS_USERS_FILE": str(data_dir.parent / "users.toml"),
    }  # fmt: skip


@pytest.fixture
def boss(redis: Redis, env: dict[str, str]) -> Boss:
    """The command, on this server."""
    assert redis.ping()

    def run(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["users", *words], env=env)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def settings(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.fixture
def directory(redis: Redis, settings: Settings) -> Iterator[PeopleDirectory]:
    """A process that looks for changes."""
    found = PeopleDirectory(settings, redis)
    found.start()
    yield found
    found.close()


def knows(directory: PeopleDirectory, phone: str) -> str:
    """The username to whom a number belongs."""
    user = directory.users.find("sms", PhoneNumber(BOSS), PhoneNumber(phone))
    return user.username if user else ""


def add_bob(boss: Boss, *more: str) -> Result:
    return boss("add", "bob", "--phone", "+15550000002", "--boss-phone", BOSS, *more)


def test_who_is_added_edited_and_removed_is_known_to_a_running_process_within_seconds(boss: Boss, directory: PeopleDirectory) -> None:
    """Without a restart, and beside those of the file."""
    assert (knows(directory, "+15550000002"), knows(directory, "+15550000001")) == ("", "ada")
    add_bob(boss, "--timezone", "Europe/Berlin", "--about", "Bob is brief.")
    wait_for(lambda: knows(directory, "+15550000002") == "bob", 5, "bob")
    boss("edit", "bob", "--add-phone", "+1 555 000 0003", "--remove-phone", "+15550000002", "--about", "")
    wait_for(lambda: knows(directory, "+15550000003") == "bob", 5, "bob's new number")
    assert knows(directory, "+15550000002") == ""
    assert [(user.about, user.timezone) for user in directory.users.all if user.username == "bob"] == [("", "Europe/Berlin")]
    boss("remove", "bob", "--yes")
    wait_for(lambda: knows(directory, "+15550000003") == "", 5, "bob's removal")
    assert knows(directory, "+15550000001") == "ada"


def test_a_changed_file_is_taken_in_and_a_fault_in_it_keeps_what_it_said(directory: PeopleDirectory, data_dir: Path) -> None:
    """A running process never loses everybody for a slip of the pen."""
    file = data_dir.parent / "users.toml"
    file.write_text(FILE + f'[[users]]\nusername = "carol"\nphone = "+15550000007"\nboss_phone = "{BOSS}"\n')
    wait_for(lambda: knows(directory, "+15550000007") == "carol", 5, "carol")
    file.write_text("[[users]]\nusername = 1")
    add_bob_direct(directory)
    wait_for(lambda: knows(directory, "+15550000002") == "bob", 5, "bob, who came after the fault")
    assert knows(directory, "+15550000007") == "carol"


def add_bob_direct(directory: PeopleDirectory) -> None:
    """Written by another host, whose file is in order."""
    redis: Any = directory._redis
    entry = '{"username":"bob","phones":["+15550000002"],"boss_phone":"' + BOSS + '"}'
    assert Mailbox(redis).run(calls.change_registry(0, "bob", "u-x", entry, operation="op")) == "ok"


def test_a_process_that_starts_without_redis_knows_the_copy_on_its_disk(boss: Boss, settings: Settings, data_dir: Path) -> None:
    """What was known last."""
    add_bob(boss)
    away = Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.1)
    assert knows(PeopleDirectory(settings, away), "+15550000002") == "bob"
    assert read_copy(data_dir).version == 1


def test_two_changes_at_once_are_both_kept_and_no_address_is_given_twice(redis: Redis, settings: Settings) -> None:
    """Twenty operators: ten add somebody of their own, ten fight for one number."""
    refused: list[str] = []

    def one(number: int) -> None:
        phone = f"+155500001{number:02}" if number < 10 else "+15550000999"
        try:
            RegistryEditor(settings, redis).add(f"p{number}", {"phone": phone, "boss_phone": BOSS})
        except NotPossible as error:
            refused.append(error.code)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    views, faults = RegistryEditor(settings, redis).views()
    kept = {view["username"] for view in views} - {"ada"}
    assert len(kept & {f"p{number}" for number in range(10)}) + refused.count("busy") >= 10
    assert len(kept & {f"p{number}" for number in range(10, 20)}) == 1
    assert faults == ()
    assert read_registry(redis).version == len(kept)


def test_a_change_that_is_repeated_after_a_time_out_is_made_once(redis: Redis) -> None:
    """Also when somebody else has changed the registry between."""
    run = Mailbox(redis).run
    first = calls.change_registry(0, "bob", "u-b", '{"username":"bob"}', operation="one")
    assert run(first) == "ok"
    assert run(calls.change_registry(1, "bob", "u-b", "", operation="two")) == "ok"
    assert run(first) == "ok"
    assert read_registry(redis).entries == {}
    assert run(calls.change_registry(0, "bob", "u-b", '{"username":"bob"}', operation="three")) == "stale"


def test_a_removal_raises_the_epoch_of_the_person_and_a_rename_does_not(boss: Boss, redis: Redis) -> None:
    """What is made of what they said is not stored any more."""
    add_bob(boss)
    user = Identities(identity_salt(redis)).user("bob")
    redis.hset(keys.PEOPLE, user, "per-1")
    redis.hset(keys.person("per-1"), mapping={"v": 1, "user": user, "epoch": 0})
    boss("rename", "bob", "robert")
    assert redis.hget(keys.person("per-1"), "epoch") == b"0"
    boss("remove", "robert", "--yes")
    assert redis.hget(keys.person("per-1"), "epoch") == b"1"


def test_a_rename_keeps_the_id_and_the_old_name_goes_to_another_person(boss: Boss, redis: Redis, settings: Settings) -> None:
    """Facts and conversations hang on the id."""
    add_bob(boss)
    boss("rename", "bob", "robert")
    boss("add", "bob", "--phone", "+15550000004", "--boss-phone", BOSS)
    ids = {user.username: user.id for user in RegistryEditor(settings, redis).state().users}
    assert ids["robert"] == "bob"
    assert ids["bob"] not in {"bob", "robert"}


def test_who_is_renamed_in_the_file_keeps_their_id_whichever_is_done_first(
    boss: Boss, redis: Redis, settings: Settings, data_dir: Path
) -> None:
    """The command says what is left to do."""
    file = data_dir.parent / "users.toml"
    assert "Now write lovelace for ada" in boss("rename", "ada", "lovelace").output
    file.write_text(FILE.replace("ada", "lovelace"))
    assert [user.id for user in RegistryEditor(settings, redis).state().users] == ["ada"]
    file.write_text(FILE.replace("ada", "countess"))
    boss("rename", "lovelace", "countess")
    assert [(user.id, user.username) for user in RegistryEditor(settings, redis).state().users] == [("ada", "countess")]


def test_somebody_who_returns_is_the_same_person_or_another_as_the_operator_says(boss: Boss, redis: Redis, settings: Settings) -> None:
    """Never by guess."""
    add_bob(boss)
    boss("remove", "bob", "--yes")
    assert "--same-person" in add_bob(lambda *words: boss(*words, code=2)).output
    add_bob(boss, "--same-person")
    assert [user.id for user in RegistryEditor(settings, redis).state().users if user.username == "bob"] == ["bob"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "bob"), "has neither phone nor email"),
        (("add", "Bob", "--phone", "+15550000002", "--boss-phone", BOSS), "small letters"),
        (("add", "bob", "--phone", "+15550000001", "--boss-phone", BOSS), "somebody else's already"),
        (("add", "bob", "--phone", BOSS, "--boss-phone", "+15559999999"), "somebody else's already"),
        (("add", "bob", "--phone", "canary", "--boss-phone", BOSS), "E.164"),
        (("add", "bob", "--phone", "+15550000002"), "go together"),
        (("add", "bob", "--phone", "+15550000002", "--boss-phone", BOSS, "--timezone", "Mars/Base"), "IANA"),
        (("add", "bob", "--phone", "+15550000002", "--boss-phone", BOSS, "--role", "king"), "admin or member"),
        (("add", "ada", "--phone", "+15550000002", "--boss-phone", BOSS), "boss users edit ada"),
        (("edit", "ada", "--timezone", "UTC"), "the users file says it"),
        (("edit", "ada", "--remove-phone", "+15550000009"), "not there"),
        (("edit", "ada"), "say what is to change"),
        (("edit", "nobody", "--about", "x"), "nobody has this name"),
        (("remove", "ada", "--yes"), "users file"),
        (("rename", "nobody", "x"), "nobody has this name"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_and_changes_nothing(boss: Boss, redis: Redis, words: tuple[str, ...], said: str) -> None:
    """And shows no value."""
    result = boss(*words, code=2)
    assert said in result.output
    assert "canary" not in result.output
    assert read_registry(redis).version == 0


def test_a_channel_without_credentials_is_refused(boss: Boss, env: dict[str, str]) -> None:
    """Nothing would reach it."""
    env |= {"SANDBOX": "off"}
    assert "twilio has no credentials here" in add_bob(lambda *words: boss(*words, code=2)).output


def test_somebody_of_the_file_gets_a_further_phone_and_a_wish(boss: Boss, directory: PeopleDirectory) -> None:
    """What the file leaves open."""
    boss("edit", "ada", "--add-phone", "+15550000008", "--boss-name", "Max")
    wait_for(lambda: knows(directory, "+15550000008") == "ada", 5, "ada's further number")
    assert [user.boss_name for user in directory.users.all] == ["Max"]


def test_the_list_and_an_entry_are_shown_masked(boss: Boss) -> None:
    """Whole only when asked for."""
    add_bob(boss, "--name", "Bob\x1b[0m", "--quiet-hours", "22:00-07:00")
    listed = boss("list").output
    assert [line.split()[:4] for line in listed.splitlines()] == [["ada", "member", "sms", "file"], ["bob", "member", "sms", "registry"]]
    shown = boss("show", "bob").output
    assert ("+15550000002" in shown, "22:00-07:00" in shown, "\x1b" in shown) == (False, True, False)
    assert "+15550000002" in boss("show", "bob", "--addresses").output
