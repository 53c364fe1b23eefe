"""From what an operator has in hand to the messages that it is about.

In hand is a username, a number or an address (whole, or masked as `boss` shows it), Twilio's or SendGrid's id of a message, a mail's
Message-ID, or any id that the ledger prints, cut to a beginning perhaps. What the indexes know is read from them; an attempt's id, and an
id's beginning, are looked for in the ledger, which keeps 100,000 lines. Nothing here looks through all records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from shared.errors import BadInput
from shared.mailbox import Mailbox, ledger
from shared.mailbox.ledger import Line
from shared.mailbox.records import turn_id_of
from shared.model.addresses import PhoneNumber
from shared.model.sms_admission import sms_id
from shared.operations.errors import NotPossible
from shared.operations.messages import KEPT
from shared.operations.people import People

MIN_DIGITS: Final = 3
"""The fewest digits of an id's beginning."""
MAX_NAMED: Final = 10
_ID: Final = re.compile(r"([a-z])-([A-Za-z0-9-]+)")
_KINDS: Final = frozenset("mnrtcaus")
"""Message, notice, reply, turn, conversation, attempt, user, sender."""
_OUR_HEADER: Final = re.compile(r"<([rn]-[0-9A-Za-z-]+)@[^>]+>")
"""The Message-ID of a mail of ours names its reply, or the notice that began its thread."""
_MASK: Final = re.compile(r"…|\.\.\.")


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which messages came, in ms of Redis TIME."""

    since_ms: int = 0
    until_ms: int | None = None

    def holds(self, at_ms: int) -> bool:
        """Whether a time lies in it."""
        return self.since_ms <= at_ms and (self.until_ms is None or at_ms <= self.until_ms)


ALWAYS: Final = Window()


def resolve(mailbox: Mailbox, given: str) -> str:
    """The one message whose id is `given` or begins so. Raises NotPossible `too_short`, `ambiguous` or `unknown_message`."""
    if mailbox.message(given):
        return given
    beginnings = (given,) if given[:2] in ("m-", "n-") else (f"m-{given}", f"n-{given}")
    if len(given.partition("-")[2] or given) < MIN_DIGITS:
        raise NotPossible(f"an id's beginning has at least {MIN_DIGITS} digits", "too_short")
    listed = dict.fromkeys([*mailbox.recent(KEPT), *mailbox.recent(KEPT, parked=True)])
    found = [name for name in listed if name.startswith(beginnings) and mailbox.message(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotPossible("several messages begin so: " + ", ".join(found[:MAX_NAMED]), "ambiguous")
    raise NotPossible("there is no such message: it may have expired (RETENTION_DAYS), or `boss messages list` knows it", "unknown_message")


@dataclass(frozen=True, slots=True)
class Finder:
    """A find: where to look, whose Twilio account the texts are from, and how many messages to find at most, of which time."""

    mailbox: Mailbox
    people: People
    account: str
    limit: int
    window: Window = ALWAYS

    def find(self, what: str) -> list[str]:
        """The messages that `what` is about, newest first; none when nothing is known of it."""
        what = _MASK.sub("…", what.strip())
        found = dict.fromkeys(name for way in self._ways(what) for name in way(what)) if what else {}
        records = [record for record in self.mailbox.messages(list(found)) if record and self.window.holds(record.accepted_at)]
        records.sort(key=lambda record: record.accepted_at, reverse=True)
        return [record.id for record in records[: self.limit]]

    def _ways(self, what: str) -> Iterable[Callable[[str], Iterable[str]]]:
        """How to look for something that looks so: several, where it may be more than one thing."""
        yield self._of_user
        if "…" in what:
            yield self._of_mask
            return
        if (named := _ID.fullmatch(what)) and named[1] in _KINDS:
            yield self._of_ledger_id
        yield self._of_address
        yield self._of_provider_id
        if "@" in what:
            yield self._of_header

    def _of_user(self, what: str) -> Iterable[str]:
        return self._listed(self.people.identities.user(what))

    def _of_mask(self, what: str) -> Iterator[str]:
        for user in self.people.shown_as(what):
            yield from self._listed(self.people.identities.user(user.id))
        yield from self._listed(self.people.identities.shown(what))

    def _of_address(self, what: str) -> Iterable[str]:
        return self._listed(self.people.identities.claimed(_international(what)))

    def _of_provider_id(self, what: str) -> Iterator[str]:
        """A text that came in has an id of ours made of its provider's; what went out is recorded for its reply."""
        yield sms_id(self.account, what)
        reply = self.mailbox.owner(what) or self.mailbox.owner(what.partition(".")[0])
        yield from self.mailbox.turn_messages(turn_id_of(reply)) if reply else ()

    def _of_header(self, what: str) -> Iterator[str]:
        header = what if what.startswith("<") else f"<{what}>"
        yield from self._listed(self.people.identities.message_id(header))
        if own := _OUR_HEADER.fullmatch(header):
            yield from self._of_ledger_id(own[1])

    def _of_ledger_id(self, what: str) -> Iterator[str]:
        direct = list(self._of_record(what))
        yield from direct
        if not direct:
            yield from self._of_lines(what)

    def _of_record(self, what: str) -> Iterable[str]:
        """By a whole id, whose record or index there is."""
        kind = what[:1]
        if kind in "mn":
            return [what] if self.mailbox.message(what) else []
        if kind in "rt":
            return self.mailbox.turn_messages(turn_id_of(what))
        return self._listed(what)

    def _of_lines(self, what: str) -> Iterator[str]:
        """By what stands beside an id, or its beginning, in the ledger: the messages, or the turns and replies that they are in."""
        if len(what) < 2 + MIN_DIGITS:
            return
        if what[0] in "mn":
            yield from (name for name in self.mailbox.recent(KEPT, parked=True) if name.startswith(what))
        beginning = what.encode()
        lines = ledger.backwards(self.mailbox.redis, lambda fields: any(value.startswith(beginning) for value in fields.values()))
        seen: set[str] = set()
        for line in lines:
            for name in _beside(line, what):
                if name not in seen:
                    seen.add(name)
                    yield from self._of_record(name)

    def _listed(self, name: str) -> list[str]:
        return self.mailbox.listed(name, self.limit, since_ms=self.window.since_ms, until_ms=self.window.until_ms)


def _beside(line: Line, what: str) -> Iterator[str]:
    """The ids of a line that lead to messages. A conversation, a user or a sender is all of theirs."""
    if what[0] in "cus":
        yield from (value for value in line.fields.values() if value.startswith(what))
        return
    yield from (line.fields[name] for name in ("msg", "turn", "reply") if line.fields.get(name))


def _international(what: str) -> str:
    """A number without its plus, or with 00 in its place, is what a person has in hand, too."""
    digits = re.sub(r"[ ()./-]", "", what)
    if not digits.removeprefix("00").isdecimal() or len(digits) < MIN_DIGITS * 2:
        return what
    try:
        return PhoneNumber.parse("+" + digits.removeprefix("00")).value
    except BadInput:
        return what
