"""What comes in: a message that is accepted, one that is ignored, a request that was refused, a run of the reconciler. No I/O.

Times are integer milliseconds. A script that is sent twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from shared.mailbox.call import DAY_MS, Arguments, Call, Wake, nothing
from shared.mailbox.calls.turns import MAX_TEXTS_PER_TURN
from shared.mailbox.records import Kind
from shared.model import codec
from shared.model.addresses import Channel
from shared.model.automatic_texts import NOT_AUTOMATIC
from shared.model.channels import CHANNELS
from shared.model.commands import CommandName
from shared.model.events import Keyword, Received
from shared.model.threads import NO_NAMES, ThreadNames

MAX_OPEN: Final = 50_000
"""How many messages may wait for their answer before no more are accepted."""
NOT_ADMITTED_AN_HOUR: Final = 100
"""How many messages that are not admitted get a record and a ledger line; those beyond are counted alone. 22 MB a month at most."""
NO_LIMIT: Final = 1_000_000_000
ANY_VERSION: Final = -1
"""In place of a version of the registry of people: whose a message is was judged before, and stands."""
_NOT_ADMITTED: Final[dict[str, str | int]] = {
    "kind": "text", "sender": "", "pair": "", "event": "", "settle": 0, "limit": 0, "keyword": "", "verdict": "", "most": MAX_OPEN,
    "texts": MAX_TEXTS_PER_TURN, "digest": "", "hourly": NO_LIMIT, "pair_hourly": NO_LIMIT, "daily": NO_LIMIT, "copy": 0,
    "flood": NOT_ADMITTED_AN_HOUR, "who": "", "provider_id": "", "index": "", "user": "", "users": ANY_VERSION, "thread": "", "command": "",
    "automatic": "", "quoted": "", "files": "", "forwarding": "", "answer": "", "age": 0,
}  # fmt: skip
"""What `accept.lua` reads of a message that is recorded with a reason only."""


@dataclass(frozen=True, slots=True)
class ForwardingBounds:
    """What bounds a mail that came by a forwarding address; see `forwarding.lua`.

    `most` of the address are answered in a day, `each` of the author with the id `author`. Beyond that the mail is withheld: `line` is what
    a digest says of it, `notice` the event that the digest answers, and `digest` what the conversations of the address's digests are named
    after.
    """

    most: int
    each: int
    author: str
    digest: str
    line: str
    notice: Received

    def argument(self) -> str:
        """For the script, in one text, which costs other messages nothing."""
        fields = {name: getattr(self, name) for name in ("most", "each", "author", "digest", "line")}
        return codec.dumps({**fields, "notice": codec.encode(self.notice)})


@dataclass(frozen=True, slots=True)
class Accepted:
    """The verdict on a message from outside; `duplicate` and `accepted` and `ignored` all earn a 2xx, `full` and `stale` changed nothing.

    `stale`: other people are known by now than those by whom it was judged.
    """

    outcome: Literal["accepted", "duplicate", "ignored", "full", "stale"]
    reason: str = ""


def accept(
    event: Received,
    *,
    kind: Kind,
    conversation: str,
    sender: str,
    pair: str,
    settle_ms: int = 0,
    turns_per_hour: int = 60,
    keyword: Keyword = "",
    max_open: int = MAX_OPEN,
    digest: str = "",
    hourly: int = NO_LIMIT,
    pair_hourly: int = NO_LIMIT,
    daily: int = NO_LIMIT,
    via: str = "",
    maybe_duplicate: bool = False,
    user: str = "",
    users: int = ANY_VERSION,
    who: str = "",
    index: Iterable[str] = (),
    thread: ThreadNames = NO_NAMES,
    retention_ms: int = 90 * DAY_MS,
    command: CommandName = "",
    forwarded: ForwardingBounds | None = None,
    answer: str = "",
    age_ms: int = 0,
    wake: Wake = (),
) -> Call[Accepted]:
    """Take a message into its conversation, once; see `accept.lua`.

    `turns_per_hour` is the sender's, `hourly` the conversation's; `pair_hourly` and `daily` are the pair's, over all of its
    conversations. `digest` is that of what the message says (`Event.fingerprint`), "" where nobody can echo.
    `via` is the way of one that its webhook did not bring; `maybe_duplicate`: it may have been answered before.
    `user` is the id of the person that it comes from, judged by the version `users` of the registry. `who` is its sender and recipient,
    masked: kept of one that is not answered. `index` are more ids by which it is found, besides those of its user, sender and conversation.
    With a `thread` it goes on the conversation that is known for that, if there is one, and `conversation` is the one that it begins; the
    thread is known for `retention_ms`. `command` is the command that its whole text is, if code may answer it. `forwarded` is of a mail
    that came by a forwarding address: it counts in the bound of that alone. `answer` is what it says to a question that waits for a yes
    (`shared.model.approvals`), if it may be one. `age_ms` is of what did not come straight from its webhook: how long ago it came.
    """
    automatic = event.automatic if kind == "text" else NOT_AUTOMATIC
    arguments: Arguments = {
        **_NOT_ADMITTED,
        "id": event.id,
        "channel": event.channel,
        "kind": kind,
        "conv": conversation,
        "sender": sender,
        "pair": pair,
        "event": codec.encode(event),
        "mark": CHANNELS[event.channel].known_days * DAY_MS,
        "settle": settle_ms,
        "limit": turns_per_hour,
        "keyword": keyword,
        "most": max_open,
        "digest": digest,
        "hourly": hourly,
        "pair_hourly": pair_hourly,
        "daily": daily,
        "kept": CHANNELS[event.channel].kept_days * DAY_MS,
        "via": via,
        "copy": int(maybe_duplicate),
        "user": user,
        "users": users,
        "who": who,
        "provider_id": event.provider_name,
        "index": " ".join(index),
        "thread": thread.argument(retention_ms),
        "command": command,
        "automatic": automatic.reason,
        "quoted": automatic.quoted,
        "files": " ".join(file.key for file in event.files if file.key),
        "forwarding": forwarded.argument() if forwarded else "",
        "answer": answer,
        "age": age_ms,
    }
    return Call("accept", arguments, _accepted, wake)


def ignore(
    message_id: str, channel: Channel, reason: str, *, conversation: str = "", via: str = "", who: str = "", sender: str = "",
    provider_id: str = "", index: Iterable[str] = (), users: int = ANY_VERSION,
) -> Call[Accepted]:  # fmt: skip
    """Record a message that is not answered, with its reason and without its text; deduplicated like any other.

    `who` is its sender and recipient, masked: for its record and the list of the last ones. `sender` (an id) and the ids of `index` are
    those by which it is found; `users` as above. Beyond `NOT_ADMITTED_AN_HOUR` it is counted alone.
    """
    kept = CHANNELS[channel].kept_days * DAY_MS
    arguments: Arguments = {
        **_NOT_ADMITTED,
        "id": message_id,
        "channel": channel,
        "conv": conversation,
        "users": users,
        "mark": kept,
        "verdict": reason,
        "kept": kept,
        "via": via,
        "who": who,
        "sender": sender,
        "provider_id": provider_id,
        "index": " ".join(index),
    }
    return Call("accept", arguments, _accepted)


def reconciled(
    run: str, failure: str, *, numbers: int, listed: int, accepted: int, ignored: int, marked: int, unread: int
) -> Call[str]:  # fmt: skip
    """Write down what a run of the reconciler found; the answer is the `failure` of the run before. `run` is a new id."""
    arguments: Arguments = {
        "run": run, "failure": failure, "numbers": numbers, "listed": listed, "accepted": accepted, "ignored": ignored, "marked": marked,
        "unread": unread,
    }  # fmt: skip
    return Call("reconciled", arguments, str)


def refuse(channel: str, reason: str, status: int) -> Call[None]:
    """A ledger line for a request that was answered 4xx or 5xx; a flood of them is counted, not written out."""
    return Call("refuse", {"channel": channel, "reason": reason, "status": status}, nothing)


def _accepted(raw: Any) -> Accepted:
    """The answer to `accept` and `ignore`."""
    return Accepted(raw[0], raw[1])
