"""Twilio's list of messages: the texts that reached a number of ours, and those that went out from it; and its record of one of them.

Asked in pages, newest first, with a pause between any two requests. Twilio documents its filter by date for whole days, and a text
that is still queued has no date of sending; so the filter only keeps the answer short, is not used for what went out, and the times
are judged here, by when a message was made.
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
"""Of one list: 5,000 texts of one number."""
SLACK_SECONDS: Final = 60
"""What may lie between a message's being made and its date of sending, by which the filter goes."""
_NOT_FOUND: Final = 404
_UNFINISHED: Final = "receiving"
_NOT_SENT: Final = frozenset({"failed", "canceled"})


@dataclass(frozen=True, slots=True)
class Listed:
    """One message. `created` is in epoch seconds by Twilio's clock, which tells whole seconds."""

    created: float
    text: InboundSms = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """Twilio's word for a message's status, and the number of the error for which it did not arrive ("" for none)."""

    status: str
    code: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The messages made since a time, oldest first; not `complete` when there are more pages than are read."""

    messages: tuple[Listed, ...]
    complete: bool = True


class TwilioInbound:
    """The list. Every call raises ProviderUnavailable, CredentialsRefused or ProviderRefused."""

    def __init__(self, settings: Settings, *, pause: float) -> None:
        """`pause` is how many seconds lie between two requests."""
        self._http = ProviderHttp(PROVIDER, settings.provider_urls["twilio"], timeout=settings.send_timeout_seconds, connections=1)
        self._messages = client_of(settings, self._http).messages
        self._pause = pause
        self._next_at = 0.0

    async def received(self, number: str, since: float) -> Listing:
        """What reached `number` since an epoch time."""
        after = datetime.fromtimestamp(since - SLACK_SECONDS, UTC)
        return await self._listing({"to": number, "date_sent_after": after}, since, _came_in)

    async def sent(self, number: str, since: float) -> Listing:
        """What went out from `number` since an epoch time, or is on its way."""
        return await self._listing({"from_": number}, since, _went_out)

    async def record(self, sid: str) -> Record | None:
        """What Twilio says has become of one message; None for one that it does not have (any more)."""
        await self._pause_between()
        try:
            instance = await self._messages(sid).fetch_async()
            return Record(str(instance.status or ""), str(instance.error_code or ""))
        except ProviderError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        except Exception as error:
            raise ProviderUnavailable(PROVIDER, "unreadable_record") from error

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def _listing(self, query: dict[str, Any], since: float, wanted: Callable[[MessageInstance], bool]) -> Listing:
        found: list[Listed] = []
        following = ""
        for _ in range(MAX_PAGES):
            instances, following = await self._page(query, following)
            young = [instance for instance in instances if _made(instance) >= since]
            found += [_listed(instance) for instance in young if wanted(instance)]
            if not following or not young:
                return Listing(tuple(reversed(found)))
        return Listing(tuple(reversed(found)), complete=False)

    async def _page(self, query: dict[str, Any], url: str) -> tuple[list[MessageInstance], str]:
        """One page, and where the next one is ('' for none)."""
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


def _came_in(instance: MessageInstance) -> bool:
    return bool(instance.direction == "inbound" and instance.status != _UNFINISHED)


def _went_out(instance: MessageInstance) -> bool:
    return str(instance.direction).startswith("outbound") and instance.status not in _NOT_SENT


def _made(instance: MessageInstance) -> float:
    """When it was made; ProviderUnavailable for a record that does not say: such a list cannot be judged."""
    made = instance.date_created or instance.date_sent
    if not isinstance(made, datetime) or not instance.sid:
        raise ProviderUnavailable(PROVIDER, "unreadable_list")
    return made.timestamp()


def _listed(instance: MessageInstance) -> Listed:
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
    return Listed(_made(instance), text)
