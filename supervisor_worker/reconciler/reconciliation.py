"""One run: texts in Twilio's list that the mailbox has never seen are accepted.

Twilio posts a text to the webhook, tries once more within 15 s, and gives up; the text stays in its list. So a text whose webhook failed
is accepted here, by the same admission, the same script and the same id as the webhook's: a webhook that arrives before, after or at the
same time is a duplicate.

A text may be unknown because a failover of Redis lost it after it was answered. Then the answer in Twilio's list of sent texts is unknown
too, and the text is accepted with the mark `maybe_duplicate`, which its reply will bear.

A number's first run only notes the time. Earlier texts are not accepted: somebody else may have had the number, and answered them.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, cast

from redis.exceptions import RedisError

from shared import submit
from shared.errors import ProviderError, ProviderRefused, StorageFault
from shared.mailbox import AsyncMailbox, calls, keys
from shared.mailbox.call import Call
from shared.mailbox.calls import Accepted
from shared.model import sms_admission
from shared.model.addresses import Address
from shared.model.sms_admission import Ignored
from shared.model.users import Users
from shared.observability import logs
from shared.runtime import Runtime
from supervisor_worker.channels.twilio.message_list import ListedSms, SmsList
from supervisor_worker.reconciler.result import Bounds, ReconcileResult

LOG: Final = logs.logger(__name__)
VIA: Final = "reconciler"
MAX_JUDGEMENTS: Final = 5
"""How often a text is judged in a row because people were added, changed or removed; then it waits for the next run."""


class MessageLists(Protocol):
    """Twilio's list of a number's messages since an epoch time. Both raise ProviderErrors."""

    async def received(self, number: str, since: float) -> SmsList:
        """What came in."""
        ...

    async def sent(self, number: str, since: float) -> SmsList:
        """What went out."""
        ...


@dataclass(frozen=True, slots=True)
class MissedSms:
    """A text that the mailbox does not know.

    `overtaken`: its sender has sent another opt-out keyword since. `after_stop`: the last keyword before it was a STOP.
    """

    id: str
    listed: ListedSms = field(repr=False)
    overtaken: bool
    after_stop: bool
    maybe_duplicate: bool = False


class Reconciliation:
    """One run."""

    def __init__(self, runtime: Runtime, mailbox: AsyncMailbox, lists: MessageLists, bounds: Bounds) -> None:
        """`runtime` has the settings, the users and the keys of our ids; what it does in Redis goes by the `mailbox`."""
        self._runtime = runtime
        self._mailbox = mailbox
        self._lists = lists
        self._bounds = bounds
        self._keywords = runtime.settings.keywords
        self._found = ReconcileResult()
        self._ends_at = 0.0
        self._now = 0.0
        self._resumed = False

    async def run(self) -> ReconcileResult:
        """Read the lists and accept the missed texts, oldest first. Raises RedisError; a list that fails is noted in the result."""
        self._ends_at = asyncio.get_running_loop().time() + self._bounds.total
        listings = await self._listings(await self._numbers())
        missed = [found for number, texts in (await self._missed(listings)).items() for found in await self._marked(number, texts)]
        for each in sorted(missed, key=lambda each: each.listed.created):
            if self._over() or not await self._accept(each):
                break
        await self._report()
        return self._found

    def _over(self) -> bool:
        return asyncio.get_running_loop().time() >= self._ends_at

    async def _numbers(self) -> list[tuple[Address, float]]:
        """Our numbers, each with the time from which its texts are read; first the one at which the last run stopped.

        A number's first run only notes the time, in whole seconds as Twilio tells them.
        """
        redis = self._mailbox.redis
        numbers = {self._runtime.identities.sender(number): number for number in self._runtime.users.reached.bosses("sms")}
        order = sorted(numbers)
        if not order:
            return []
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            pipeline.get(keys.RECONCILE_NEXT)
            pipeline.hmget(keys.RECONCILE_SINCE, order)
            time, first, since = cast("Any", await pipeline.execute())
        self._now = time[0] + time[1] / 1_000_000
        begin = {name: int(at) for name, at in zip(order, since, strict=True) if at}
        async with redis.pipeline(transaction=False) as pipeline:
            for name in order:
                if name not in begin:
                    pipeline.hsetnx(keys.RECONCILE_SINCE, name, int(self._now))
            await pipeline.execute()
        self._found.begun = len(order) - len(begin)
        self._resumed = bool(first)
        start = order.index(first.decode()) if first and first.decode() in numbers else 0
        ready = [name for name in order[start:] + order[:start] if name in begin]
        return [(numbers[name], max(self._now - self._bounds.window, begin[name])) for name in ready]

    async def _listings(self, numbers: list[tuple[Address, float]]) -> dict[Address, SmsList]:
        """The texts received by our numbers, as far as time and Twilio allow. The next run begins where this one stopped."""
        found, listings, left = self._found, {}, numbers
        for place, (number, since) in enumerate(numbers):
            left = numbers[place + 1 :]
            if self._over():
                left = numbers[place:]
                break
            try:
                listing = await self._lists.received(number.value, since)
            except ProviderRefused as error:  # of this number alone
                found.failed(error)
                continue
            except ProviderError as error:
                found.failed(error)
                break
            found.unread += not listing.complete
            found.numbers, found.listed = found.numbers + 1, found.listed + len(listing.messages)
            listings[number] = listing
        found.unread += len(left)
        await self._begin_next_with(left)
        return listings

    async def _begin_next_with(self, left: list[tuple[Address, float]]) -> None:
        if left:
            await self._mailbox.redis.set(keys.RECONCILE_NEXT, self._runtime.identities.sender(left[0][0]))
        elif self._resumed:
            await self._mailbox.redis.delete(keys.RECONCILE_NEXT)

    async def _missed(self, listings: dict[Address, SmsList]) -> dict[Address, list[MissedSms]]:
        """The unknown texts by number, oldest first. One round trip for all ids."""
        account = self._runtime.settings.twilio_account_sid
        ids = {
            listed.text.sid: sms_admission.sms_id(account, listed.text.sid) for listing in listings.values() for listed in listing.messages
        }
        known = await self._mailbox.known(list(ids.values()))
        return {number: texts for number, listing in listings.items() if (texts := self._unknown(listing, ids, known))}

    def _unknown(self, listing: SmsList, ids: dict[str, str], known: set[str]) -> list[MissedSms]:
        """The unknown texts that are old enough; a keyword counts only if its sender sent no later one."""
        missed: list[MissedSms] = []
        decided: set[str] = set()
        stopped = self._after_stop(listing)
        for listed in reversed(listing.messages):
            text, name = listed.text, ids[listed.text.sid]
            if name not in known and listed.created <= self._now - self._bounds.young:
                missed.append(MissedSms(name, listed, text.sender in decided, text.sid in stopped))
            if sms_admission.keyword(text, self._keywords):
                decided.add(text.sender)
        return missed[::-1]

    def _after_stop(self, listing: SmsList) -> set[str]:
        """The texts whose sender's last keyword before them was a STOP."""
        last: dict[str, str] = {}
        found: set[str] = set()
        for listed in listing.messages:
            if last.get(listed.text.sender) == "stop":
                found.add(listed.text.sid)
            last[listed.text.sender] = sms_admission.keyword(listed.text, self._keywords) or last.get(listed.text.sender, "")
        return found

    async def _marked(self, number: Address, missed: list[MissedSms]) -> list[MissedSms]:
        """The same texts, marked where their sender may have an answer already. None when Twilio fails: they wait for the next run."""
        if self._over():
            self._found.unread += 1
            return []
        try:
            sent = await self._lists.sent(number.value, missed[0].listed.created)
        except ProviderError as error:
            self._found.failed(error)
            return []
        ours = await self._mailbox.known_replies([listed.text.sid for listed in sent.messages])
        strange = [listed for listed in sent.messages if listed.text.sid not in ours]
        return [replace(each, maybe_duplicate=not sent.complete or _answered(each.listed, strange)) for each in missed]

    async def _accept(self, missed: MissedSms) -> bool:
        """Accept one text; False when the mailbox accepts no more now."""
        try:
            answer = await self._stored(missed)
        except (RedisError, OSError) as error:
            if not isinstance(submit.storage_error(error), StorageFault):
                raise
            LOG.error("A text cannot be stored", action="reconcile_fault", message=missed.id, error=type(error).__name__)  # noqa: TRY400 - its words quote the text
            self._found.failure = StorageFault.code
            return True
        if answer.outcome in ("full", "stale"):
            self._found.failure = "mailbox_full" if answer.outcome == "full" else "users_change"
            return False
        self._found.accepted += answer.outcome == "accepted"
        self._found.marked += answer.outcome == "accepted" and missed.maybe_duplicate
        self._found.ignored += answer.outcome == "ignored"
        return True

    async def _stored(self, missed: MissedSms) -> Accepted:
        """The mailbox's verdict on a text, judged anew where somebody was added, changed or removed meanwhile. Raises RedisError."""
        for _ in range(MAX_JUDGEMENTS):
            users = self._runtime.users.reached
            answer = await self._mailbox.run(self._call(missed, users))
            if answer.outcome != "stale":
                break
            await asyncio.to_thread(self._runtime.people.refresh)
        return answer

    def _call(self, missed: MissedSms, users: Users) -> Call[Accepted]:
        text = missed.listed.text
        verdict = sms_admission.sms(text, users, self._keywords)
        if isinstance(verdict, Ignored):
            return self._ignored(missed, verdict.reason, users)
        started = verdict.keyword == "start" or sms_admission.says_start(text)
        if missed.overtaken and (verdict.keyword == "stop" or started):
            return self._ignored(missed, "overtaken", users)
        event = sms_admission.received(missed.id, text, verdict, at=missed.listed.created)
        # An overtaken YES is an ordinary text. A START after a STOP counts even if that STOP was never accepted: its sender wants answers.
        keyword = "" if missed.overtaken else "start" if started and missed.after_stop else verdict.keyword
        return submit.call_for(
            self._runtime, event, kind="text", keyword=keyword, via=VIA, maybe_duplicate=missed.maybe_duplicate, waited=True,
            users=users.version,
        )  # fmt: skip

    def _ignored(self, missed: MissedSms, reason: str, users: Users) -> Call[Accepted]:
        text = missed.listed.text
        return submit.ignored(
            self._runtime, missed.id, "sms", reason, sender=text.sender, recipient=text.recipient, provider_id=text.sid, via=VIA,
            users=users.version,
        )  # fmt: skip

    async def _report(self) -> None:
        found = self._found
        found.before = await self._mailbox.run(
            calls.reconciled(
                uuid.uuid4().hex,
                found.failure,
                numbers=found.numbers,
                listed=found.listed,
                accepted=found.accepted,
                ignored=found.ignored,
                marked=found.marked,
                unread=found.unread,
            )
        )


def _answered(missed: ListedSms, strange: Iterable[ListedSms]) -> bool:
    """Whether a text unknown to us was sent to the sender of a text after it."""
    return any(sent.text.recipient == missed.text.sender and sent.created >= missed.created for sent in strange)
