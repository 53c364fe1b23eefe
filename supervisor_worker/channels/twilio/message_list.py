"""Twilio's message list: the texts that a number of ours received or sent, and Twilio's record of one message.

It is read in pages, newest first, with a pause between any two requests. Twilio documents its filter by date for whole days, and a text
that is still queued has no date of sending. So the filter only keeps the answer short and is not used for sent texts; times are compared
here, by the date of creation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from twilio.rest.api.v2010.account.message import MessageInstance

from shared.config.settings import Settings
from shared.errors import ProviderError, ProviderUnavailable
from shared.model.sms_admission import InboundSms, media_count, words
from supervisor_worker.channels.twilio.errors import PROVIDER
from supervisor_worker.channels.twilio.sms import PAGE, client_of
from supervisor_worker.providers.exchange import ProviderHttp

MAX_PAGES: Final = 50
"""Of one number, of 100 texts each."""
SLACK_SECONDS: Final = 60
"""The longest time between a message's creation and its date of sending, by which the filter goes."""
_NOT_FOUND: Final = 404
_UNFINISHED: Final = "receiving"
_NOT_SENT: Final = frozenset({"failed", "canceled"})


@dataclass(frozen=True, slots=True)
class ListedSms:
    """One text. `created` is in epoch seconds by Twilio's clock, which tells whole seconds."""

    created: float
    text: InboundSms = field(repr=False)


@dataclass(frozen=True, slots=True)
class SmsRecord:
    """A message's status in Twilio's word, and the number of the error by which it failed ("" for none)."""

    status: str
    code: str


@dataclass(frozen=True, slots=True)
class SmsList:
    """The texts created since a time, oldest first; not `complete` when there are more pages than MAX_PAGES."""

    messages: tuple[ListedSms, ...]
    complete: bool = True


class TwilioMessageList:
    """The list. Every method raises ProviderUnavailable, CredentialsRefused or ProviderRefused."""

    def __init__(self, settings: Settings, *, pause: float) -> None:
        """`pause` is how many seconds lie between two requests."""
        self._http = ProviderHttp(PROVIDER, settings.provider_urls["twilio"], timeout=settings.send_timeout_seconds, connections=1)
        self._messages = client_of(settings, self._http).messages
        self._pause = pause
        self._next_at = 0.0

    async def received(self, number: str, since: float) -> SmsList:
        """The texts that `number` received since an epoch time."""
        after = datetime.fromtimestamp(since - SLACK_SECONDS, UTC)
        return await self._listing({"to": number, "date_sent_after": after}, since, _received)

    async def sent(self, number: str, since: float) -> SmsList:
        """The texts that `number` sent since an epoch time, also those that are on their way."""
        return await self._listing({"from_": number}, since, _sent)

    async def record(self, sid: str) -> SmsRecord | None:
        """Twilio's record of one message; None for one that it does not have (any more)."""
        await self._pause_between()
        try:
            instance = await self._messages(sid).fetch_async()
            return SmsRecord(str(instance.status or ""), str(instance.error_code or ""))
        except ProviderError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        except Exception as error:
            raise ProviderUnavailable(PROVIDER, "unreadable_record") from error

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def _listing(self, query: dict[str, Any], since: float, wanted: Callable[[MessageInstance], bool]) -> SmsList:
        found: list[ListedSms] = []
        following = ""
        for _ in range(MAX_PAGES):
            instances, following = await self._page(query, following)
            young = [instance for instance in instances if _created(instance) >= since]
            found += [_listed(instance) for instance in young if wanted(instance)]
            if not following or not young:
                return SmsList(tuple(reversed(found)))
        return SmsList(tuple(reversed(found)), complete=False)

    async def _page(self, query: dict[str, Any], url: str) -> tuple[list[MessageInstance], str]:
        """One page, and the URL of the next one ('' for none)."""
        await self._pause_between()
        try:
            page = await (self._messages.get_page_async(url) if url else self._messages.page_async(**query, page_size=PAGE))
            return list(page), page.next_page_url or ""
        except ProviderError:
            raise
        except Exception as error:
            raise ProviderUnavailable(PROVIDER, "unreadable_list") from error

    async def _pause_between(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._next_at - loop.time())
        self._next_at = loop.time() + self._pause


def _received(instance: MessageInstance) -> bool:
    return bool(instance.direction == "inbound" and instance.status != _UNFINISHED)


def _sent(instance: MessageInstance) -> bool:
    return str(instance.direction).startswith("outbound") and instance.status not in _NOT_SENT


def _created(instance: MessageInstance) -> float:
    """When it was created. Raises ProviderUnavailable for a record that does not say: such a list cannot be used."""
    made = instance.date_created or instance.date_sent
    if not isinstance(made, datetime) or not instance.sid:
        raise ProviderUnavailable(PROVIDER, "unreadable_list")
    return made.timestamp()


def _listed(instance: MessageInstance) -> ListedSms:
    said = words(instance.body or "")
    text = InboundSms(
        sid=str(instance.sid),
        account=str(instance.account_sid or ""),
        sender=str(instance.from_ or "").strip(),
        recipient=str(instance.to or "").strip(),
        text=said.text,
        hidden=said.hidden,
        media_count=media_count(str(instance.num_media or "")),
    )
    return ListedSms(_created(instance), text)
