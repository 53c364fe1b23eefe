"""The files that came with mails: room for them, how long they are kept, and that nothing lies where nobody counts it."""

from __future__ import annotations

from typing import cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from redis import Redis

from shared.mailbox import Mailbox, calls
from shared.mailbox.calls import Settled
from shared.mailbox.calls.files import LEAST_ROOM, WAITING_MS
from shared.model.addresses import EmailAddress
from shared.model.events import EmailReceived
from shared.model.extracts import Extracts
from shared.model.files import File
from shared.model.heard import Heard
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import RETENTION
from tests.support.server import EmbeddedServer

DAY, WEEK = 86_400_000, 7 * 86_400_000
MOST = 20 * LEAST_ROOM
SECOND = 1_000
READ = Extracts.of([("a.txt", "abc")])
HEARD = Heard("call Tom")


def key(number: int) -> str:
    """The key of a file."""
    return f"{number:032x}"


def mail(name: str, *files: str) -> EmailReceived:
    """A mail with these files."""
    return EmailReceived(
        id=name, from_=EmailAddress("ada@example.com"), to=EmailAddress("boss@example.com"), subject="s", body="b", user="ada",
        message_id=f"<{name}@example.com>", files=tuple(File(each, "a.txt", "text/plain", 3) for each in files),
    )  # fmt: skip


def accepted(driver: MailboxDriver, name: str, *files: str, limit: int = 60, user: str = "u-1") -> str:
    """Accept such a mail; the outcome."""
    call = calls.accept(
        mail(name, *files), kind="mail", conversation=C, sender="s-1", pair=PAIR, user=user, turns_per_hour=limit, digest=name
    )  # fmt: skip
    return driver.run(call).outcome


def stored(driver: MailboxDriver, name: str, *files: str, size: int = 3, most: int = MOST, user: str = "u-1") -> list[bool] | None:
    """Ask for room for a mail's files, and write one piece of each that has it."""
    rooms = driver.run(calls.file_room(name, user, [(each, size) for each in files], most=most))
    for each, fits in zip(files, rooms or [False] * len(files), strict=True):
        if fits:
            assert driver.run(calls.file_piece(each, 0, b"abc")) == "ok"
    return rooms


def held(redis: Redis) -> dict[str, tuple[int, int, str]]:
    """Each held file: until when, its room, and whose it is."""
    found = cast("dict[bytes, bytes]", redis.hgetall("boss:files"))
    rows = {name.decode(): value.decode().split() for name, value in found.items()}
    return {name: (int(at), int(room), user) for name, (at, room, user) in rows.items()}


def contents(redis: Redis) -> set[str]:
    """The files that have pieces."""
    return {name.decode().removeprefix("boss:file:") for name in cast("list[bytes]", redis.keys("boss:file:*"))}


def left(driver: MailboxDriver, name: str) -> int:
    """How long a file is kept yet, by its entry and by its content, which must say the same."""
    at = held(driver.redis)[name][0] - driver.now
    assert abs(driver.ttl(f"boss:file:{name}") - at) < 30 * SECOND
    return at


def test_the_files_of_a_mail_that_is_never_accepted_end_by_themselves(driver: MailboxDriver) -> None:
    """Their webhook was killed between the last piece and the accept; their room is free when the hour is over."""
    assert stored(driver, "m-1", key(1), key(2), size=MOST // 2) == [True, True]
    assert {left(driver, key(1)), left(driver, key(2))} == {WAITING_MS}
    assert stored(driver, "m-2", key(3)) == [False]
    driver.advance(WAITING_MS)
    assert stored(driver, "m-2", key(3)) == [True]
    assert set(held(driver.redis)) == contents(driver.redis) == {key(3)}


def test_files_of_an_accepted_mail_are_kept_until_a_day_after_the_answer_and_a_week_at_most(driver: MailboxDriver) -> None:
    """Lengthened by accept itself, and shortened by whatever ends the turn."""
    stored(driver, "m-1", key(1))
    assert accepted(driver, "m-1", key(1)) == "accepted"
    assert left(driver, key(1)) == WEEK
    driver.taken("k1")
    driver.finish("k1")
    assert left(driver, key(1)) == min(DAY, RETENTION)
    stored(driver, "m-2", key(2))
    accepted(driver, "m-2", key(2))
    driver.advance(WEEK - 1_000)
    driver.taken("k2")
    driver.finish("k2")
    assert held(driver.redis)[key(2)][0] == driver.now + 1_000  # no longer than before


def test_the_files_of_a_parked_mail_wait_for_the_operator_for_the_week(driver: MailboxDriver) -> None:
    """A retry shows them again."""
    stored(driver, "m-1", key(1))
    accepted(driver, "m-1", key(1))
    driver.taken("k1")
    driver.park("k1")
    assert left(driver, key(1)) == WEEK


def test_a_mail_that_is_not_answered_keeps_no_file(driver: MailboxDriver) -> None:
    """Its sender has had their turns of the hour."""
    assert accepted(driver, "m-1", limit=1) == "accepted"
    stored(driver, "m-2", key(2))
    assert accepted(driver, "m-2", key(2), limit=1) == "ignored"
    assert held(driver.redis) == {}
    assert contents(driver.redis) == set()


def test_a_second_delivery_stores_nothing_and_takes_nothing_away(driver: MailboxDriver) -> None:
    """Beside the first one, and long after it."""
    stored(driver, "m-1", key(1), size=MOST)
    assert stored(driver, "m-1", key(1), size=MOST) == [True]
    assert accepted(driver, "m-1", key(1)) == "accepted"
    assert accepted(driver, "m-1", key(1)) == "duplicate"
    assert stored(driver, "m-1", key(1)) is None
    assert left(driver, key(1)) == WEEK


def test_a_piece_that_comes_after_its_file_has_gone_is_not_written(driver: MailboxDriver) -> None:
    """Erased while it was being stored, or stored for longer than an hour; one that is sent twice stands there once."""
    stored(driver, "m-1", key(1))
    assert driver.run(calls.file_piece(key(1), 0, b"abc")) == "ok"
    assert driver.redis.hgetall(f"boss:file:{key(1)}") == {b"0": b"abc"}
    driver.advance(WAITING_MS)
    assert driver.run(calls.file_piece(key(1), 1, b"def")) == "gone"
    assert driver.run(calls.erase_begin("u-1", most=0)).files == 1
    assert driver.run(calls.file_piece(key(1), 0, b"abc")) == "gone"
    assert contents(driver.redis) == set()


def test_an_erased_person_s_files_go_with_their_messages_and_others_stay(driver: MailboxDriver) -> None:
    """Those of a mail, and those of none."""
    stored(driver, "m-1", key(1))
    accepted(driver, "m-1", key(1))
    stored(driver, "m-2", key(2))
    stored(driver, "m-3", key(3), user="u-2")
    driver.run(calls.erase(C, ["m-1"]))
    assert set(held(driver.redis)) == contents(driver.redis) == {key(2), key(3)}
    assert driver.run(calls.erase_begin("u-1", most=0)).files == 1
    assert set(held(driver.redis)) == contents(driver.redis) == {key(3)}


def test_a_file_that_would_fill_the_server_is_not_stored(driver: MailboxDriver) -> None:
    """Not above 60 % of what it may hold: by its size, and by what else has come in until its pieces do."""
    driver.redis.setrange("ballast", 20_000_000, b"x")  # made by the server: what a client sends counts as used memory for a while
    used = int(driver.redis.info("memory")["used_memory"])
    try:
        driver.redis.config_set("maxmemory", (used + 2_000_000) * 10 // 6)
        assert stored(driver, "m-1", key(1), size=4_000_000, most=10**9) == [False]
        assert stored(driver, "m-2", key(2), size=1_000_000, most=10**9) == [True]
        driver.redis.config_set("maxmemory", used * 10 // 7)
        assert driver.run(calls.file_piece(key(2), 1, bytes(calls.PIECE_BYTES))) == "no_room"
        assert held(driver.redis) == {}
        assert contents(driver.redis) == set()
    finally:
        driver.redis.config_set("maxmemory", 0)


def test_a_file_from_the_future_is_kept_for_a_week_at_most(driver: MailboxDriver) -> None:
    """TIME has stepped back since."""
    stored(driver, "m-1", key(1))
    accepted(driver, "m-1", key(1))
    driver.advance(-DAY)
    stored(driver, "m-2", key(2))
    assert driver.lines("clock_stepped")
    assert left(driver, key(1)) == WEEK


def test_what_was_read_is_kept_by_the_holder_alone_and_only_with_its_message(driver: MailboxDriver) -> None:
    """Not by one who lost the lease, and not for a message that was erased."""
    accepted(driver, "m-1")
    driver.taken("k1")
    assert driver.run(calls.keep_read(C, "k0", "m-1", READ)) == "lost"
    assert driver.run(calls.keep_read(C, "k1", "m-9", READ)) == "gone"
    assert driver.run(calls.keep_read(C, "k1", "m-1", READ)) == "kept"
    assert driver.redis.hget("boss:msg:m-1", "read") == str(READ).encode()
    assert not driver.redis.exists("boss:msg:m-9")


def test_what_was_heard_is_kept_once_with_its_message_and_settled_by_whoever_tells_it(driver: MailboxDriver) -> None:
    """The first words stay, whoever repeats; what they cost is settled also where the lease is lost, and once."""
    accepted(driver, "m-1")
    driver.taken("k1")
    assert driver.run(calls.reserve(C, "k1", "q-1", 100, lease_ms=1_000, bounds=calls.DayBounds(), settled=Settled("q-k1"))) == "ok"
    used = Settled("q-1", 40)
    assert driver.run(calls.keep_heard(C, "k0", "m-1", key(1), HEARD, settled=used)) == "lost"
    assert driver.spent() == {"tokens": 40, "tokens:s-1": 40}
    assert driver.run(calls.keep_heard(C, "k1", "m-9", key(1), HEARD)) == "gone"
    assert not driver.redis.hexists("boss:msg:m-1", f"heard:{key(1)}")
    for words in (HEARD, Heard("other words")):
        assert driver.run(calls.keep_heard(C, "k1", "m-1", key(1), words, settled=used)) == "kept"
    assert driver.run(calls.keep_heard(C, "k1", "m-1", "ME1", Heard(fault="not_understood"))) == "kept"
    message = Mailbox(driver.redis).message("m-1")
    assert message is not None
    assert message.heard == {key(1): HEARD, "ME1": Heard(fault="not_understood")}
    assert driver.spent() == {"tokens": 40, "tokens:s-1": 40}
    assert not driver.redis.exists("boss:msg:m-9")


class Files(RuleBasedStateMachine):
    """Any stores, accepts, ends, erases and waits: room is what the entries say, and every content has its entry."""

    server: EmbeddedServer

    @initialize()
    def begin(self) -> None:
        """An empty server."""
        self.redis = Redis.from_url(self.server.url, protocol=2)
        self.driver = MailboxDriver(self.redis)
        self.mails: dict[str, list[str]] = {}
        self.number = 0

    def teardown(self) -> None:
        """Close the connection; when every file's time is over, the next who asks finds all room free."""
        if hasattr(self, "driver"):
            self.driver.advance(WEEK + 1)
            assert self.driver.run(calls.file_room("m-last", "u-1", [(key(10**6), MOST)], most=MOST)) == [True]
            assert set(held(self.redis)) == {key(10**6)}
            assert contents(self.redis) == set()
            self.redis.close()

    @rule(sizes=st.lists(st.integers(0, MOST), min_size=1, max_size=4), user=st.sampled_from(["u-1", "u-2"]), named=st.booleans())
    def arrives(self, sizes: list[int], user: str, named: bool) -> None:
        """A mail with files, accepted or not: its process may have died in between."""
        self.number += 1
        name, files = f"m-{self.number}", [key(10 * self.number + place) for place in range(len(sizes))]
        before = held(self.redis)
        now = self.driver.now
        rooms = self.driver.run(calls.file_room(name, user, list(zip(files, sizes, strict=True)), most=MOST))
        taken = sum(room for at, room, _ in before.values() if at > now)
        for each, size, fits in zip(files, sizes, rooms or [], strict=True):
            room = max(size, LEAST_ROOM)
            assert fits == (taken + room <= MOST)
            taken += room if fits else 0
            if fits:
                assert self.driver.run(calls.file_piece(each, 0, b"abc")) == "ok"
        if named:
            kept = [each for each, fits in zip(files, rooms or [], strict=True) if fits]
            assert accepted(self.driver, name, *kept, limit=10_000, user=user) == "accepted"
            self.mails[name] = kept

    @rule(seconds=st.sampled_from([60, 3_599, 3_600, 86_400, 3 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        """Up to some days."""
        self.driver.advance(seconds * SECOND)

    @precondition(lambda self: self.mails)
    @rule()
    def is_answered(self) -> None:
        """The oldest mail that waits."""
        self.number += 1
        token = f"k{self.number}"
        (name,) = self.driver.taken(token)
        self.driver.finish(token)
        now = self.driver.now
        assert all(held(self.redis)[each][0] <= now + DAY for each in self.mails.pop(name) if each in held(self.redis))

    @precondition(lambda self: self.mails)
    @rule(data=st.data())
    def is_erased(self, data: st.DataObject) -> None:
        """Any mail."""
        name = data.draw(st.sampled_from(sorted(self.mails)))
        self.driver.run(calls.erase(C, [name]))
        assert not set(self.mails.pop(name)) & (set(held(self.redis)) | contents(self.redis))

    @rule(user=st.sampled_from(["u-1", "u-2"]))
    def person_is_erased(self, user: str) -> None:
        """All files of theirs."""
        self.driver.run(calls.erase_begin(user, most=0))
        assert user not in {whose for _, _, whose in held(self.redis).values()}

    @invariant()
    def nothing_lies_uncounted(self) -> None:
        """A content has an entry and an end, and the room that is taken is within the bound."""
        if not hasattr(self, "driver"):
            return
        entries = held(self.redis)
        assert contents(self.redis) <= set(entries)
        assert all(self.driver.ttl(f"boss:file:{name}") > 0 for name in contents(self.redis))
        assert sum(room for _, room, _ in entries.values()) <= MOST


def test_room_is_freed_by_any_end_of_a_file(server: EmbeddedServer) -> None:
    """See the machine."""
    Files.server = server
    machine = Files.TestCase
    machine.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
    machine("runTest").runTest()
