"""The knobs: how each provider misbehaves. One JSON document, `GET/POST/DELETE /sandbox/knobs`.

POST merges: a section's given fields replace the old ones, everything else stays. Unknown names are refused.

    {"twilio":    {"latency_seconds": 0, "delay_before_seconds": 0, "hold": false, "fail": [],
                   "list_lag_seconds": 0, "status_callbacks": true, "callback_order": "in_order",
                   "callback_copies": 1, "callback_delay_seconds": 0.05, "final_status": "delivered", "error_code": null,
                   "media_location": null, "media_answer": null, "media_after_seconds": 0, "opt_out_words": ["STOP", ...]},
     "sendgrid":  {"latency_seconds": 0, "delay_before_seconds": 0, "hold": false, "fail": [],
                   "events": true, "event_types": ["processed", "delivered"], "event_delay_seconds": 0.05,
                   "event_copies": 1, "event_reason": null, "event_status": null, "event_type": "bounce"},
     "anthropic": {"latency_seconds": 0, "delay_before_seconds": 0, "hold": false, "fail": [],
                   "text": null, "content": null, "obey": false, "length": null, "thinking": null, "thinking_tokens": null,
                   "match": null, "stop_reason": null, "usage": {}, "stream_seconds": 0},
     "inbound":   {"copies": 1, "bad_signature": false, "scheme": null, "retries": 0, "retry_wait_seconds": 0.2}}

`latency_seconds`: the request acts (and is in the journal) at once, its answer comes that much later. `delay_before_seconds`:
nothing happens before. Either is a number, or `[least, most]` for a random wait. `hold`: messages act at once, and their answers
wait until it is turned off.

`media_after_seconds`: so long after a text came its files are answered with 404, as when Twilio has announced what it does not have yet.
`opt_out_words`: those that Advanced Opt-Out has left in force.

`event_types` may name any of SendGrid's events; `event_reason`, `event_status` and `event_type` (`bounce`, `blocked`) are what a
`bounce` or `dropped` says, `event_copies` how often the same events are posted.

A fault in `fail` is a word or an object; the first one that fits a request is used:

    "429"
    {"fault": "503", "times": 3, "rate": 1.0, "on": "create", "match": "text", "accept": false,
     "retry_after": 2, "code": 20503, "body": {...}}

- `fault`: a status "400" to "599" ("529" is Anthropic's overload), or `reset_before` (connection reset, nothing happened),
  `reset_after_accept` (it did happen, then reset), `hang` (never answers), `broken_json` (acts, then answers half a
  document), `reset_midway` (acts, then cuts the answer in the middle), `trickle` (acts, then answers one byte a second),
  `stream_error` (Anthropic, streaming: an error event).
- `times`: how many requests it hits. Default 1; without end when null, or when a `rate` below 1 is given without `times`.
- `rate`: the share of fitting requests it hits. `on`: one operation only (`create`, `list`, `fetch`, `send`, `messages`,
  `count_tokens`, `media`, `media_file`). By default the sending ones: `create`, `send`, `messages`; "*" is any.
- `match`: only requests that contain this text, so that one conversation fails while others go on.
- `accept`: whether the request acts although its answer fails. Defaults: true for `reset_after_accept`, `broken_json`,
  `reset_midway`, `trickle` and `stream_error`, else false; so {"fault": "hang", "accept": true} is a sent message nobody heard about.
- `retry_after` (seconds, on any status), `code` (Twilio's error code), `body` (the whole answer: an object, or text as it is).
"""

from __future__ import annotations

import json
import random
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sandbox.engine.twilio_message_log import STOP_WORDS

ACTING: Final = frozenset({"create", "send", "messages"})
ACCEPTING: Final = frozenset({"reset_after_accept", "broken_json", "reset_midway", "trickle", "stream_error"})
TRANSPORT_FAULTS: Final = ACCEPTING | {"reset_before", "hang"}

Share = Annotated[float, Field(ge=0, le=1)]
Wait = Annotated[float, Field(ge=0, le=3600)]
Latency = Wait | tuple[Wait, Wait]


def seconds(latency: float | tuple[float, float]) -> float:
    """Turn a latency knob into this request's wait."""
    return random.uniform(*latency) if isinstance(latency, tuple) else latency  # noqa: S311 - no secret


class _Knobs(BaseModel):
    """Refuses misspelt names; a knob that is silently ignored makes a test pass for nothing."""

    model_config = ConfigDict(extra="forbid")


class Fault(_Knobs):
    """One fault, waiting for the requests it fits."""

    fault: str
    times: Annotated[int, Field(ge=1)] | None = 1
    rate: Share = 1.0
    on: str | None = None
    match: str | None = None
    accept: bool = False
    retry_after: float | None = None
    code: int | None = None
    body: dict[str, Any] | str | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, value: object) -> object:
        """Accept the bare word, and choose the defaults that depend on other fields."""
        if isinstance(value, (str, int)):
            value = {"fault": str(value)}
        if isinstance(value, dict):
            value = {**value, "fault": str(value.get("fault", ""))}
            value.setdefault("accept", value["fault"] in ACCEPTING)
            if value.get("rate", 1) != 1:
                value.setdefault("times", None)
        return value

    @field_validator("fault")
    @classmethod
    def _known(cls, value: str) -> str:
        if value in TRANSPORT_FAULTS or (value.isascii() and value.isdigit() and value[0] in "45" and len(value) == len("500")):
            return value
        message = f"unknown fault {value!r}: a status 400 to 599, or one of {', '.join(sorted(TRANSPORT_FAULTS))}"
        raise ValueError(message)

    @property
    def status(self) -> int | None:
        """The HTTP status, for faults that are one."""
        return int(self.fault) if self.fault.isdigit() else None

    def fits(self, operation: str, request: dict[str, Any]) -> bool:
        """Say whether this fault is meant for a request."""
        meant = operation in ACTING if self.on is None else self.on in {"*", operation}
        if not meant or (self.match is not None and self.match not in json.dumps(request, ensure_ascii=False)):
            return False
        return self.rate >= 1 or random.random() < self.rate  # noqa: S311 - dice, no secret


class ProviderKnobs(_Knobs):
    """What all three providers can do wrong."""

    latency_seconds: Latency = 0.0
    delay_before_seconds: Latency = 0.0
    hold: bool = False
    fail: list[Fault] = []

    def take(self, operation: str, request: dict[str, Any]) -> Fault | None:
        """Return the first fault that fits a request, and use it up by one."""
        for fault in self.fail:
            if fault.fits(operation, request):
                self._use(fault)
                return fault
        return None

    def _use(self, fault: Fault) -> None:
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times == 0:
            self.fail = [other for other in self.fail if other is not fault]


class TwilioKnobs(ProviderKnobs):
    """Twilio's own."""

    list_lag_seconds: Wait = 0.0
    status_callbacks: bool = True
    callback_order: Literal["in_order", "shuffled", "reversed"] = "in_order"
    callback_copies: Annotated[int, Field(ge=1, le=100)] = 1
    callback_delay_seconds: Wait = 0.05
    final_status: Literal["sent", "delivered", "undelivered", "failed"] = "delivered"
    error_code: int | None = None
    media_location: str | None = None
    media_answer: Literal["endless", "packed", "loop"] | None = None
    media_after_seconds: Wait = 0.0
    opt_out_words: list[str] = sorted(STOP_WORDS)


class SendGridKnobs(ProviderKnobs):
    """SendGrid's own."""

    events: bool = True
    event_types: list[str] = ["processed", "delivered"]
    event_delay_seconds: Wait = 0.05
    event_copies: Annotated[int, Field(ge=1, le=100)] = 1
    event_reason: str | None = None
    event_status: str | None = None
    event_type: Literal["bounce", "blocked"] = "bounce"


class AnthropicKnobs(ProviderKnobs):
    """The model's own; whatever is null is simulated."""

    text: str | None = None
    content: list[dict[str, Any]] | None = None
    obey: bool = False
    length: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    thinking: str | None = None
    thinking_tokens: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    match: str | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] = {}
    stream_seconds: Wait = 0.0


class InboundKnobs(_Knobs):
    """How the webhooks come in; `/sandbox/sms` and `/sandbox/email` can say otherwise for one message."""

    copies: Annotated[int, Field(ge=1, le=1000)] = 1
    bad_signature: bool = False
    scheme: Literal["http", "https"] | None = None
    retries: Annotated[int, Field(ge=0, le=1000)] = 0
    retry_wait_seconds: Wait = 0.2


class Knobs(_Knobs):
    """The whole document."""

    twilio: TwilioKnobs = Field(default_factory=TwilioKnobs)
    sendgrid: SendGridKnobs = Field(default_factory=SendGridKnobs)
    anthropic: AnthropicKnobs = Field(default_factory=AnthropicKnobs)
    inbound: InboundKnobs = Field(default_factory=InboundKnobs)

    def of(self, kind: str) -> ProviderKnobs:
        """The section that a journal's kind (`twilio.create`) belongs to."""
        found: ProviderKnobs = getattr(self, kind.partition(".")[0])
        return found

    def merged(self, change: dict[str, Any]) -> Self:
        """Return the knobs after a change; sections merge field by field."""
        document = self.model_dump()
        for section, fields in change.items():
            known = document.get(section)
            if isinstance(known, dict) and isinstance(fields, dict):
                document[section] = known | fields
            else:
                document[section] = fields
        return type(self).model_validate(document)
