"""Matching attempts to the messages of a provider's list: an attempt gets a message only if it certainly made it.

A list shows recipient, text and time, but none of our ids. An earlier reply with the same text may have attempts of unknown outcome, whose
message appears late; matched to this attempt, it would let this reply be lost. Therefore:

- a message that is recorded for another reply is that reply's, and messages created before (after) it are of no attempt after (before) it;
- a message is created at its attempt's time, within the length of a request and the difference of the clocks;
- of `n` messages that are left, and `k` other attempts that may have made one each, this attempt certainly made one if n > k: the
  oldest messages are the oldest attempts'.

An attempt without a match counts as not found: its reply may then be sent twice, marked, but is never lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.mailbox import AsyncMailbox
from shared.mailbox.records import Attempt, Reply
from shared.model.events import Response
from supervisor_worker.channels.port import CLOCK_SLACK_MS, ListedMessage


@dataclass(frozen=True, slots=True)
class OtherReplies:
    """What is known of the other replies, in ms.

    `owned`: by the provider's id of a message, the time of the attempt that made it, 0 when that is not known. `uncertain`: the times of
    attempts with the same text whose outcome is not known.
    """

    owned: Mapping[str, int]
    uncertain: Sequence[int] = ()


def choose(at: int, listed: Sequence[ListedMessage], others: OtherReplies, *, request_ms: int) -> str:
    """The id of the message that the attempt at `at` made; "" when none is certain. All times in ms.

    `listed` is oldest first; `request_ms` is the longest time from an attempt's time to the end of its request.
    """
    anchors = [(others.owned[each.id], each.at_ms) for each in listed if others.owned.get(each.id)]
    before = max((anchor for anchor in anchors if anchor[0] < at), default=(0, 0))
    after = min((anchor for anchor in anchors if anchor[0] > at), default=(1 << 62, 1 << 62))
    first, last = max(at - CLOCK_SLACK_MS, before[1]), min(at + request_ms + CLOCK_SLACK_MS, after[1])
    free = [each.id for each in listed if each.id not in others.owned and first <= each.at_ms <= last]
    reach = request_ms + 2 * CLOCK_SLACK_MS
    rivals = [other for other in others.uncertain if before[0] < other < after[0] and abs(other - at) <= reach]
    return free[sum(other < at for other in rivals)] if len(free) > len(rivals) else ""


async def match(
    mailbox: AsyncMailbox,
    attempt: Attempt,
    listed: Sequence[ListedMessage],
    *,
    conversation: str,
    reply: str,
    command: Response,
    request_ms: int,
) -> str:
    """The id of the message in a provider's list that this attempt of `reply` made; "" when none is certain."""
    if not listed:
        return ""
    owners = {name: owner for name, owner in (await mailbox.owners([each.id for each in listed])).items() if owner != reply}
    unsure = [other for other in await mailbox.uncertain_replies(conversation) if other.id != reply and _same_text(other, command)]
    rivals = [each.at for other in unsure for each in other.uncertain]
    known = await mailbox.replies(sorted(set(owners.values()))) if rivals else []
    times = {each.provider_id: each.at for other in known if other for each in other.attempts if each.provider_id}
    others = OtherReplies({name: times.get(name, 0) for name in owners}, rivals)
    return choose(attempt.at, listed, others, request_ms=request_ms)


async def shown_until(mailbox: AsyncMailbox, newest: Sequence[ListedMessage]) -> int:
    """The time, in ms of Redis TIME, up to which a list that shows these messages is complete; 0 where they prove nothing.

    A message of ours was created after its attempt's time. Of any other only the provider's time is known, less what the clocks may differ.
    """
    owners = await mailbox.owners([each.id for each in newest])
    known = await mailbox.replies(sorted(set(owners.values())))
    asked = [each.at for reply in known if reply for each in reply.attempts if each.provider_id in owners]
    return max([*asked, *(each.at_ms - CLOCK_SLACK_MS for each in newest)], default=0)


def _same_text(reply: Reply, command: Response) -> bool:
    return reply.command.text.split() == command.text.split()
