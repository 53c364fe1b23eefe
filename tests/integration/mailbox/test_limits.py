"""No loop and no bill: echoes, the bounds of one conversation, and what all of them may cost in a day."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import pytest

from shared.mailbox import calls
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse, SmsReceived
from shared.model.media import Media
from tests.support.mailbox_driver import MailboxDriver
from tests.support.mailbox_state import START

HOUR = 3_600_000
THEIR, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
OURS = SendSmsResponse(to=THEIR, from_=BOSS, message="hello", user="user").fingerprint()


def answer(driver: MailboxDriver, turn: str, text: str = "hello", tokens: int = 0) -> None:
    """Take the waiting turn and answer it."""
    driver.taken(turn)
    driver.store(turn, text, tokens=tokens)
    driver.finish(turn)
    driver.advance(10)


def seconds(driver: MailboxDriver, count: float) -> None:
    """Let them pass."""
    driver.advance(int(count * 1000))


def talk(driver: MailboxDriver, said: list[str], *, gap: float, answers: str = "answer {}") -> list[str]:
    """Each message so many seconds after our answer to the one before; what became of each. A notice of ours goes out at once."""
    found = []
    for number, words in enumerate(said):
        taken = driver.accept(f"m-{number}", says=words)
        found.append(taken.reason or taken.outcome)
        while driver.inbox():
            answer(driver, f"k{number}-{len(driver.inbox())}", answers.format(number))
        seconds(driver, gap)
    return found


CASES: Final = json.loads((Path(__file__).parents[2] / "cases" / "sms" / "repeated-words.json").read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("answers", ["answer {}", "the same answer"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_who_repeats_a_word_is_answered_and_a_robot_is_not(driver: MailboxDriver, case: dict[str, Any], answers: str) -> None:
    """The cases that were found outside, whether our answers repeat themselves or not."""
    said = [sms(text, number if "media" in case else None).fingerprint() for number, text in enumerate(case["texts"])]
    found = talk(driver, said, gap=case["gap_seconds"], answers=answers)
    answered = found.count("accepted")
    assert answered == case.get("answered", answered)
    assert answered <= case.get("answered_at_most", answered)
    assert set(found) <= {"accepted", "echo"}
    assert len(driver.lines("notice")) == (1 if "echo" in found else 0)


def test_who_repeats_our_own_words_is_answered_twice_then_told_and_then_no_more(driver: MailboxDriver) -> None:
    """However slowly the echo comes, and although it says our sentence about it too."""
    driver.accept("m-0", says="theirs")
    answer(driver, "k0")
    for number in (1, 2):
        assert driver.accept(f"m-{number}", says=OURS).outcome == "accepted"
        answer(driver, f"k{number}")
        seconds(driver, 60)
    assert driver.accept("m-3", says=OURS).reason == "echo"
    assert [line["code"] for line in driver.lines("notice")] == ["echo"]
    answer(driver, "k3", "you repeat yourself")
    sentence = SendSmsResponse(to=THEIR, from_=BOSS, message="you repeat yourself", user="user").fingerprint()
    for number, words in enumerate((OURS, sentence, sentence), 4):
        assert driver.accept(f"m-{number}", says=words).reason == "echo"
    assert driver.inbox() == []
    assert len(driver.lines("notice")) == 1


def test_other_words_end_the_silence(driver: MailboxDriver) -> None:
    """And a row that has not ended yet."""
    assert talk(driver, ["ok"] * 4 + ["what?", "ok", "ok"], gap=1) == ["accepted"] * 3 + ["echo"] + ["accepted"] * 3


def test_ten_minutes_end_the_silence_however_often_it_was_tried(driver: MailboxDriver) -> None:
    """They are counted from its beginning."""
    talk(driver, ["ok"] * 4, gap=1)
    for number in range(9):
        seconds(driver, 60)
        assert driver.accept(f"t-{number}", says="ok").reason == "echo"
    seconds(driver, 61)
    assert driver.accept("m-9", says="ok").outcome == "accepted"


def test_what_is_not_answered_for_its_repetition_is_kept_and_shown(driver: MailboxDriver) -> None:
    """When the conversation goes on, in its place."""
    talk(driver, ["ok"] * 5, gap=1)
    driver.accept("m-9", says="what was that?")
    turn = driver.claim("k9").turn
    assert turn is not None
    shown = [said.id for said in turn.history if said.id.startswith("m-")]
    assert {"m-3", "m-4"} <= set(shown)
    kept = driver.box.message("m-4")
    assert kept is not None
    assert kept.event is not None


def test_a_row_is_ended_by_other_words(driver: MailboxDriver) -> None:
    """Two that came back, one that did not, two that came back."""
    assert talk(driver, ["ok", "ok", "ok", "hm", "ok", "ok", "ok"], gap=1) == ["accepted"] * 7


def test_other_words_in_between_are_a_person_s(driver: MailboxDriver) -> None:
    """Who may say yes as often as they are asked."""
    assert talk(driver, ["yes" if number % 3 else "no" for number in range(12)], gap=1, answers="and?") == ["accepted"] * 12


def test_who_asks_again_before_we_answered_is_no_robot(driver: MailboxDriver) -> None:
    """Ten times the same, and a network that repeats itself: one turn, and all of it is read."""
    for number in range(10):
        assert driver.accept(f"m-{number}", says="hello?").outcome == "accepted"
    assert len(driver.taken("k1")) == 10


def test_our_own_words_much_later_are_no_echo(driver: MailboxDriver) -> None:
    """Ten minutes after we said them."""
    for number in range(6):
        assert driver.accept(f"m-{number}", says=OURS).outcome == "accepted"
        answer(driver, f"k{number}")
        driver.advance(600_001)


def test_messages_that_say_nothing_are_no_echo(driver: MailboxDriver) -> None:
    """Whatever comes over the bridge."""
    for number in range(3):
        driver.accept(f"w-{number}", says="look")
        answer(driver, f"k{number}", "")
    assert [driver.accept(f"m-{number}", says="").outcome for number in range(3)] == ["accepted"] * 3


def test_a_caption_is_known_with_its_files() -> None:
    """And a file that nobody can ask for is like no other."""
    assert len({sms("receipt", number).fingerprint() for number in range(5)}) == 5
    assert sms("Receipt ").fingerprint() == sms("receipt").fingerprint()
    unknown = [dataclasses.replace(sms("receipt"), media_count=1, provider_id=f"SM{number}") for number in range(2)]
    assert unknown[0].fingerprint() != unknown[1].fingerprint()


def sms(text: str, picture: int | None = None) -> SmsReceived:
    """A text, with a picture or without."""
    media = () if picture is None else (Media(f"ME{picture:032x}", "image/jpeg"),)
    return SmsReceived(id="m-1", from_=THEIR, to=BOSS, message=text, user="user", provider_id="SM1", media_count=len(media), media=media)


def test_robots_that_begin_a_thread_with_each_mail_have_a_bound_for_the_hour(driver: MailboxDriver) -> None:
    """Over all threads of the pair; told once; another pair goes on."""
    for number in range(3):
        assert driver.accept(f"m-{number}", kind="mail", conv=f"c-{number}", pair_hourly=3).outcome == "accepted"
    assert [driver.accept(f"m-{number}", kind="mail", conv=f"c-{number}", pair_hourly=3).reason for number in (3, 4)] == [
        "rate_limited"
    ] * 2
    assert len(driver.lines("notice")) == 1
    assert driver.accept("m-5", kind="mail", conv="c-5", pair_hourly=3, pair="p-2").outcome == "accepted"
    driver.advance(HOUR)
    assert driver.accept("m-6", kind="mail", conv="c-6", pair_hourly=3).outcome == "accepted"


def test_a_pair_has_a_bound_for_the_day_and_is_told_of_it_once(driver: MailboxDriver) -> None:
    """Over all of its conversations; not again in the next hours, and not for the hour's bound alone."""
    driver.redis.set("test:clock", START - START % (24 * HOUR))
    for number in range(2):
        assert driver.accept(f"m-{number}", kind="mail", conv=f"c-{number}", daily=2).outcome == "accepted"
    for number in range(2, 8):
        assert driver.accept(f"m-{number}", kind="mail", conv=f"c-{number}", daily=2).reason == "day_limited"
        driver.advance(3 * HOUR)
    assert [line["code"] for line in driver.lines("notice")] == ["day_limited"]
    assert driver.redis.pttl("boss:told:day_limited:s-1") > 23 * HOUR
    driver.advance(6 * HOUR)
    assert driver.accept("m-9", kind="mail", daily=2).outcome == "accepted"


def test_a_bridge_client_is_told_by_its_answer(driver: MailboxDriver) -> None:
    """In the word that it knows."""
    driver.accept("m-1", kind="bridge", daily=1)
    assert driver.accept("m-2", kind="bridge", daily=1).reason == "rate_limited"
    assert driver.lines("notice") == []


def strange(driver: MailboxDriver, number: int, who: str = "+1…67 to +1…43") -> None:
    """A message of a stranger."""
    driver.run(calls.ignore(f"x-{number}", "sms", "stranger", who=who))


def test_strangers_cost_nothing_that_lasts(driver: MailboxDriver) -> None:
    """A hundred an hour get a record and a line; beyond that they are counted, and every thousandth is a line."""
    before = None
    for number in range(1_100):
        strange(driver, number)
        if number == calls.NOT_ADMITTED_AN_HOUR:
            before = driver.redis.dbsize()
    assert driver.redis.dbsize() == before
    assert len(driver.redis.keys("boss:msg:x-*")) == calls.NOT_ADMITTED_AN_HOUR
    assert [line.get("n") for line in driver.lines("ignored")] == [None] * calls.NOT_ADMITTED_AN_HOUR + ["1000"]
    assert driver.redis.hget("boss:counts", "ignored:stranger") == b"1100"
    driver.advance(HOUR)
    strange(driver, 2_000)
    assert driver.redis.exists("boss:msg:x-2000")


def test_a_flood_of_strangers_hides_no_user_s_message(driver: MailboxDriver) -> None:
    """The bound is that of what is not admitted."""
    for number in range(150):
        strange(driver, number)
    assert driver.accept("m-1").outcome == "accepted"
    assert driver.accept("m-2", keyword="stop").reason == "opt_out"
    assert driver.state("m-2") == "ignored(opt_out)"


def test_the_last_strangers_are_listed_masked(driver: MailboxDriver) -> None:
    """One line a sender and reason, the newest two hundred."""
    for number in range(250):
        strange(driver, number, f"who-{number % 99} to us")
        driver.advance(HOUR)
    listed = driver.redis.zrevrange("boss:strangers", 0, -1)
    assert len(listed) == 99
    assert listed[0] == b"sms stranger who-51 to us"


def test_a_thread_that_never_ends_is_told_once_and_then_ignored(driver: MailboxDriver) -> None:
    """Its own bound holds, however much its sender may have; other threads go on."""
    for number in range(3):
        assert driver.accept(f"m-{number}", kind="mail", hourly=3).outcome == "accepted"
    assert driver.accept("m-3", kind="mail", hourly=3).reason == "rate_limited"
    assert driver.accept("m-4", kind="mail", hourly=3).reason == "rate_limited"
    assert driver.inbox() == ["m-0", "m-1", "m-2", "n-3"]
    assert driver.accept("m-5", kind="mail", hourly=3, conv="c-2").outcome == "accepted"
    driver.advance(HOUR)
    assert driver.accept("m-6", kind="mail", hourly=3).outcome == "accepted"
