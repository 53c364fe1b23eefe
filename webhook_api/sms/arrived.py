"""A text as it came, judged by who is known when it is stored; on disk it waits in this form where nobody was known to have its number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from shared.model import codec, sms_admission
from shared.model.addresses import Channel
from shared.model.sms_admission import Ignored, InboundSms
from shared.runtime import Runtime
from webhook_api.intake.records import IgnoredMessage, JudgedMessage, ReceivedMessage

_TEXT: Final = ("sid", "account", "sender", "recipient", "text", "media_count", "media", "opt_out", "hidden")
_OWN: Final = ("id", "signed", "received_at")


@dataclass(frozen=True, slots=True)
class ArrivedText:
    """A text, with its id and the time at which it came, in epoch seconds."""

    channel: ClassVar[Channel] = "sms"
    id: str
    text: InboundSms = field(repr=False)
    signed: bool
    received_at: float

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> ArrivedText:
        """Read its `fields`. Raises BadInput."""
        text = InboundSms(**codec.typed_fields(InboundSms, _TEXT, fields))
        return cls(text=text, **codec.typed_fields(cls, _OWN, fields))

    def fields(self) -> dict[str, object]:
        """For a record in JSON."""
        return codec.plain_fields(self.text, _TEXT) | codec.plain_fields(self, _OWN)

    def judged(self, runtime: Runtime) -> JudgedMessage:
        """What it is by who is known now."""
        text = self.text
        verdict = sms_admission.sms(text, runtime.users, runtime.settings.keywords)
        if isinstance(verdict, Ignored):
            return IgnoredMessage(
                self.id, "sms", verdict.reason, text.sender, text.recipient, provider_id=text.sid, unknown=verdict.unknown
            )  # fmt: skip
        event = sms_admission.received(self.id, text, verdict, at=self.received_at, signed=self.signed)
        return ReceivedMessage(event, verdict.keyword)
