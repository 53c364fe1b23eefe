"""The robots that write to two copies of the product, with what is written of each: how many answers it gets in an hour, at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.config.settings import Settings
from tests.chaos.table import FULL
from tests.support import mail_robots, text_robots
from tests.support.mail_robots import MailAnswer
from tests.support.message_router import Robot
from tests.support.text_robots import TextAnswer

BEGINNINGS: Final = 6 if FULL else 2
"""How often in the hour the person behind each robot, or its owner, begins anew."""
NAMES: Final = ("sender_turns_per_hour", "thread_turns_per_hour", "mail_turns_per_hour", "pair_turns_per_day")
DEFAULTS: Final = tuple(int(Settings.model_fields[name].default) for name in NAMES)
PER_HOUR, THREAD_HOUR, MAIL_HOUR, PER_DAY = DEFAULTS if FULL else (12, 3, 5, 200)
"""The bounds; in the short form so small that they are reached in it."""
BOUNDS: Final = dict(zip(map(str.upper, NAMES), (PER_HOUR, THREAD_HOUR, MAIL_HOUR, PER_DAY), strict=True))
COMMANDS: Final = 60

BOSSES: Final = {"a": ("+15559870001", "boss@a.example"), "b": ("+15559870002", "boss@b.example")}
GATES: Final = {"a": "gate@a.example", "b": "gate@b.example"}
"""Where a gateway takes away what says that a program wrote a mail."""


@dataclass(frozen=True, slots=True)
class Case:
    """A robot, and what is written of it: at most so many answers in an hour, after so many beginnings."""

    robot: Robot
    most: Callable[[int], int]
    wanted: bool = False
    """Its entry says `robots = "answer"`."""


def known(beginnings: int) -> int:
    """A program that is known as one: its person is answered, and it is not."""
    return beginnings


def echo(beginnings: int) -> int:
    """The beginning, the first answer to ours and two that repeat it; then one sentence, and silence."""
    return 4 * beginnings


def mail_hour(beginnings: int) -> int:
    """MAIL_TURNS_PER_HOUR."""
    del beginnings
    return MAIL_HOUR


def text_hour(beginnings: int) -> int:
    """SENDER_TURNS_PER_HOUR."""
    del beginnings
    return PER_HOUR


def command_hour(beginnings: int) -> int:
    """The same, and sixty commands."""
    return text_hour(beginnings) + COMMANDS


SHORT: Final = frozenset(
    {"mail: vacation responder, answered", "mail: ticket system", "mail: mailing list, answered, without our headers",
     "text: phone, always the same words", "text: phone, a number in each", "text: commands in turn", "text: reactions"}
)  # fmt: skip
"""The robots of the short form: one for each bound."""


def robot(name: str, address: str, answer: MailAnswer | TextAnswer) -> Robot:
    """One that answers soon enough to be seen as one that answers at once, or too late for that."""
    return Robot(name, address, answer, wait_seconds=13 if name.endswith("slow") else 0.4)


def cases() -> list[Case]:
    """The robots, at addresses of their own."""
    subscribers = [email for _, email in BOSSES.values()]
    lists = {
        "mailing list": (mail_robots.mailing_list(subscribers, marked=True, kept=False), known, False),
        "mailing list, answered": (mail_robots.mailing_list(subscribers, marked=True, kept=True), known, True),
        "mailing list, answered, without our headers": (mail_robots.mailing_list(subscribers, marked=True, kept=False), mail_hour, True),
        "alias list without any header": (mail_robots.mailing_list(subscribers, marked=False, kept=False), mail_hour, False),
    }
    mails = {
        "vacation responder": (mail_robots.vacation, known, False),
        "vacation responder, answered": (mail_robots.vacation, known, True),
        "Exchange's answer without headers": (mail_robots.exchange, known, False),
        "responder, always the same words": (mail_robots.fixed_words, echo, False),
        "responder, always the same words, slow": (mail_robots.fixed_words, mail_hour, False),
        "responder, a number in each": (mail_robots.changing_words, mail_hour, False),
        "bounces": (mail_robots.bounce, known, False),
        "bounces, answered": (mail_robots.bounce, known, True),
        "bounces in a person's name": (mail_robots.plain_bounce, mail_hour, False),
        "ticket system": (mail_robots.ticket, mail_hour, False),
        "ticket system, a new one for each mail": (mail_robots.new_ticket, mail_hour, True),
        **lists,
    }
    texts = {
        "carrier's answer": (text_robots.carrier, known, False),
        "phone, always the same words": (text_robots.fixed_words, echo, False),
        "phone, always the same words, slow": (text_robots.fixed_words, text_hour, False),
        "phone, a number in each": (text_robots.changing_words, text_hour, False),
        "commands in turn": (text_robots.commands, command_hour, False),
        "MORE": (text_robots.more, echo, False),
        "reactions": (text_robots.reactions, known, False),
        "reactions in unknown words": (text_robots.foreign_reactions, text_hour, False),
    }
    found = [
        Case(robot(f"mail: {name}", f"robot{number}@r{number}.example", answer), most, wanted)
        for number, (name, (answer, most, wanted)) in enumerate(mails.items())
    ]
    found += [
        Case(robot(f"text: {name}", f"+1555300{number:04}", answer), most, wanted)
        for number, (name, (answer, most, wanted)) in enumerate(texts.items())
    ]
    return [case for case in found if FULL or case.robot.name in SHORT]


@dataclass(frozen=True, slots=True)
class Loop:
    """One robot and one copy: who writes to which of its addresses, and the most answers of the copy there in the hour."""

    name: str
    copy: str
    address: str
    boss: str
    most: Callable[[int], int]


def sentences(beginnings: int) -> int:
    """One of the hour, and one of an echo in each conversation, or after each other message."""
    return 1 + beginnings


def loops(robots: Sequence[Case]) -> list[Loop]:
    """Each robot with each copy, and the copies with each other."""
    found = [
        Loop(case.robot.name, copy, case.robot.address, BOSSES[copy][case.robot.mails], case.most) for case in robots for copy in BOSSES
    ]
    for copy, other in (("a", "b"), ("b", "a")):
        found += [
            Loop("text: two copies", copy, BOSSES[other][0], BOSSES[copy][0], text_hour),
            Loop("mail: two copies", copy, BOSSES[other][1], BOSSES[copy][1], known),
            Loop("mail: two copies, without their headers", copy, GATES[other], GATES[copy], mail_hour),
        ]
    return found
