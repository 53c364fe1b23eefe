"""Whose a message in a provider's list is, when several of ours say the same: an attempt is bound to a message only if that is certain.

A list shows recipient, text and time, and none of our ids. An earlier reply with the same words may have attempts of unknown fate,
whose message turns up late; taken for this attempt's, it would let this reply be lost. So:

- what is recorded for another reply is that reply's, and what was created before (after) it belongs to nothing sent after (before) it;
- a message is created at its attempt's time, give or take a request and the clocks' difference;
- of `n` messages that are left, and `k` other attempts that may own one each, this attempt owns one for certain if n > k: the
  oldest are the oldest attempts'.

What cannot be bound counts as not found: it may then be sent twice, marked, but it is never lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.mailbox import AsyncMailbox
from shared.mailbox.records import Attempt, Reply
from shared.model.events import Response
from supervisor_worker.channels.port import CLOCK_SLACK_MS, Listed


@dataclass(frozen=True, slots=True)
class Others:
    """What is known of the other replies. `taken`: the time of the attempt to which a provider's id belongs, 0 when that is not known.

    `unsure`: the times of attempts with the same words whose fate is not known.
    """

    taken: Mapping[str, int]
    unsure: Sequence[int] = ()


def choose(at: int, listed: Sequence[Listed], others: Others, *, request_ms: int) -> str:
    """The id of the message that the attempt at `at` made; "" when none is for certain. All times in ms.

    `listed` is oldest first; `request_ms` is the longest from an attempt's time to the end of its request.
    """
    anchors = [(others.taken[each.id], each.at_ms) for each in listed if others.taken.get(each.id)]
    before = max((anchor for anchor in anchors if anchor[0] < at), default=(0, 0))
    after = min((anchor for anchor in anchors if anchor[0] > at), default=(1 << 62, 1 << 62))
    first, last = max(at - CLOCK_SLACK_MS, before[1]), min(at + request_ms + CLOCK_SLACK_MS, after[1])
    free = [each.id for each in listed if each.id not in others.taken and first <= each.at_ms <= last]
    reach = request_ms + 2 * CLOCK_SLACK_MS
    rivals = [other for other in others.unsure if before[0] < other < after[0] and abs(other - at) <= reach]
    return free[sum(other < at for other in rivals)] if len(free) > len(rivals) else ""


async def bind(
    mailbox: AsyncMailbox, attempt: Attempt, listed: Sequence[Listed], *, conversation: str, reply: str, command: Response, request_ms: int
) -> str:
    """The id of the message in a provider's list that this attempt of `reply` made; "" when none is for certain."""
    if not listed:
        return ""
    owners = {name: owner for name, owner in (await mailbox.owners([each.id for each in listed])).items() if owner != reply}
    unsure = [other for other in await mailbox.unsure(conversation) if other.id != reply and _same_words(other, command)]
    rivals = [each.at for other in unsure for each in other.unsure]
    known = await mailbox.replies(sorted(set(owners.values()))) if rivals else []
    times = {each.provider_id: each.at for other in known if other for each in other.attempts if each.provider_id}
    others = Others({name: times.get(name, 0) for name in owners}, rivals)
    return choose(attempt.at, listed, others, request_ms=request_ms)


async def shown_until(mailbox: AsyncMailbox, newest: Sequence[Listed]) -> int:
    """Up to which time, in ms of Redis TIME, a list that shows these messages shows everything that was made; 0 where they tell nothing.

    A message of ours was made after its attempt's time; any other as much later than that as the two clocks may differ.
    """
    owners = await mailbox.owners([each.id for each in newest])
    known = await mailbox.replies(sorted(set(owners.values())))
    asked = [each.at for reply in known if reply for each in reply.attempts if each.provider_id in owners]
    return max([*asked, *(each.at_ms - CLOCK_SLACK_MS for each in newest)], default=0)


def _same_words(reply: Reply, command: Response) -> bool:
    return reply.command.text.split() == command.text.split()
