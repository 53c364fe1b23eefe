"""Fault injection: how each provider misbehaves, and what it answers. One JSON document, `GET/POST/DELETE /sandbox/faults`.

POST merges: the given fields of a section replace the old ones, everything else stays. An unknown name is an error. See
docs/reference/sandbox.md, which shows the whole document with its defaults. The fields are described here.
"""

from __future__ import annotations

import json
import random
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sandbox.engine.json_types import JsonObject
from sandbox.engine.twilio_message_log import STOP_WORDS

MESSAGE_OPERATIONS: Final = frozenset({"create", "send", "messages", "transcriptions"})
"""The operations that produce a message, or the words of one: a fault without `on` applies to these."""
ACCEPTING_FAULTS: Final = frozenset({"reset_after_accept", "broken_json", "reset_midway", "trickle", "stream_error"})
"""Faults of the answer alone: by default the request is performed."""
TRANSPORT_FAULTS: Final = ACCEPTING_FAULTS | {"reset_before", "hang"}

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Positive = Annotated[int, Field(ge=1)]
Latency = Seconds | tuple[Seconds, Seconds]
"""A number of seconds, or `[least, most]` for a random wait."""


def draw_latency(latency: float | tuple[float, float]) -> float:
    """The wait of one request, in seconds."""
    return random.uniform(*latency) if isinstance(latency, tuple) else latency  # noqa: S311 - no secret


class StrictModel(BaseModel):
    """Rejects unknown names: a misspelt field that is silently ignored would let a test pass for the wrong reason."""

    model_config = ConfigDict(extra="forbid")


class InjectedFault(StrictModel):
    """One fault that waits for the requests it applies to. In JSON an object, or the bare word of `fault`."""

    fault: str
    """An HTTP status "400" to "599" ("529" is Anthropic's overload), or one of:

    `reset_before` (the connection is reset, nothing is performed), `reset_after_accept` (performed, then reset), `hang` (no answer),
    `broken_json` (performed, half a document), `reset_midway` (performed, reset within the answer), `trickle` (performed, one byte a
    second), `stream_error` (Anthropic, streaming: an error event).
    """
    times: Annotated[int, Field(ge=1)] | None = 1
    """How many requests it applies to; null is without end. Null by default when `rate` is below 1."""
    rate: Share = 1.0
    """The share of matching requests it applies to."""
    on: str | None = None
    """One operation: `create`, `list`, `fetch`, `media`, `media_file`, `send`, `messages`, `count_tokens`, `transcriptions`, `delete`, a
    look at what stands in an account (`describe`), a change of it (`change`); `*` is any. By default those that produce a message:
    `create`, `send`, `messages`, `transcriptions`."""
    match: str | None = None
    """Only requests that contain this text, so that one conversation fails while others go on."""
    accept: bool = False
    """Whether the request is performed although its answer fails; true by default for `ACCEPTING_FAULTS`.
    `{"fault": "hang", "accept": true}` is a message that was sent although its sender never learns it."""
    retry_after: float | None = None
    """Seconds, for the header Retry-After of any status."""
    code: int | None = None
    """Twilio's error code."""
    body: JsonObject | str | None = None
    """The whole body of the answer: an object, or text as it is."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, value: object) -> object:
        """Accept the bare word, and choose the defaults that depend on other fields."""
        if isinstance(value, (str, int)):
            value = {"fault": str(value)}
        if isinstance(value, dict):
            value = {**value, "fault": str(value.get("fault", ""))}
            value.setdefault("accept", value["fault"] in ACCEPTING_FAULTS)
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

    def applies_to(self, operation: str, request: JsonObject) -> bool:
        """Whether this fault applies to a request; with a `rate` below 1 the answer is random."""
        meant = operation in MESSAGE_OPERATIONS if self.on is None else self.on in {"*", operation}
        if not meant or (self.match is not None and self.match not in json.dumps(request, ensure_ascii=False)):
            return False
        return self.rate >= 1 or random.random() < self.rate  # noqa: S311 - no secret


class ProviderFaults(StrictModel):
    """What each provider can do wrong."""

    latency_seconds: Latency = 0.0
    """The request is performed, and is in the journal, at once; its answer comes this much later."""
    delay_before_seconds: Latency = 0.0
    """Nothing is performed before this time."""
    hold: bool = False
    """Requests that produce a message are performed at once, and their answers wait until this is false again."""
    fail: list[InjectedFault] = []
    """The first fault that applies to a request is used."""

    def pop_matching(self, operation: str, request: JsonObject) -> InjectedFault | None:
        """Return the first fault that applies to a request, and count it as used once."""
        for fault in self.fail:
            if fault.applies_to(operation, request):
                self._count(fault)
                return fault
        return None

    def _count(self, fault: InjectedFault) -> None:
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times == 0:
            self.fail = [other for other in self.fail if other is not fault]


class TwilioFaults(ProviderFaults):
    """Twilio's status callbacks, message list, media and opt-out."""

    list_lag_seconds: Seconds = 0.0
    """How long a message is missing in the list."""
    status_callbacks: bool = True
    callback_order: Literal["in_order", "shuffled", "reversed"] = "in_order"
    callback_copies: Annotated[int, Field(ge=1, le=100)] = 1
    callback_delay_seconds: Seconds = 0.05
    final_status: Literal["sent", "delivered", "undelivered", "failed"] = "delivered"
    error_code: int | None = None
    """The ErrorCode of a message that is undelivered or failed; 30008 by default."""
    media_location: str | None = None
    """Where the media resource redirects a client, in place of the file."""
    media_answer: Literal["endless", "packed", "loop"] | None = None
    """The file's answer: a body without end, gzip that unpacks to 50 MB, or a redirect to itself."""
    media_after_seconds: Seconds = 0.0
    """How long after a text its files are answered with 404, as when Twilio announces a file that it does not have yet."""
    opt_out_words: list[str] = sorted(STOP_WORDS)
    """The words that opt out: those that Advanced Opt-Out has left in force."""


class SendGridFaults(ProviderFaults):
    """SendGrid's event webhook."""

    events: bool = True
    event_types: list[str] = ["processed", "delivered"]
    """Any of SendGrid's events."""
    event_delay_seconds: Seconds = 0.05
    event_copies: Annotated[int, Field(ge=1, le=100)] = 1
    """How many times the same events are posted."""
    event_reason: str | None = None
    event_status: str | None = None
    event_type: Literal["bounce", "blocked"] = "bounce"
    """`event_reason`, `event_status` and `event_type` are the reason, status and type of a `bounce` or a `dropped`."""


class AnthropicFaults(ProviderFaults):
    """The model's answer; what is null is simulated."""

    text: str | None = None
    """The exact text; "" is an answer without text."""
    content: list[JsonObject] | None = None
    """The exact content blocks; `[]` is an empty answer."""
    obey: bool = False
    """A model that does whatever it is told: it makes each call written as `CALL name {"field": "value"}` anywhere in the question, once
    a turn, and then answers with the user's last text and what the tools have answered since, word for word."""
    plain_host: bool = False
    """A host that speaks the Messages API and nothing of Anthropic's own: no other address, and none of the newer fields, is known."""
    web_page: str | None = None
    """What each page of the web says that the model reads, and the title of each that it finds."""
    length: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """The answer's length in characters, unless the user asks for a shorter one."""
    thinking: str | None = None
    """What the model writes before its answer."""
    thinking_tokens: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """The tokens of thinking that is not shown, at effort `high`."""
    match: str | None = None
    """If set, the fields above, `stop_reason` and `usage` apply only to conversations that contain this text."""
    stop_reason: str | None = None
    stop_details: JsonObject | None = None
    """Of a refusal."""
    usage: JsonObject = {}
    """Replaces single figures of the usage."""
    stream_seconds: Seconds = 0.0
    """The time over which a stream's events are spread."""
    context_tokens: Positive | None = None
    """The model's context window, where it is to be another than its own."""
    requests_per_minute: Positive | None = None
    input_tokens_per_minute: Positive | None = None
    output_tokens_per_minute: Positive | None = None
    token_counts_per_minute: Positive | None = None
    """Rate limits; null limits nothing. `token_counts` are the requests that count tokens."""


class SpeechFaults(ProviderFaults):
    """What is heard in a recording; what is null is simulated."""

    text: str | None = None
    """The exact words; "" is a recording without any."""
    seconds: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """How long the recording was, as the service counts it; null says nothing of it."""
    answer: Literal["redirect", "page", "endless"] | None = None
    """In place of the answer: a redirect to another place, a page, or a body without end."""


class InboundFaults(StrictModel):
    """How inbound webhooks are posted; the copies, signature and scheme of one message are set with that message."""

    copies: Annotated[int, Field(ge=1, le=1000)] = 1
    bad_signature: bool = False
    scheme: Literal["http", "https"] | None = None
    """The scheme of the signed URL, for a product that mistakes http for https."""
    retries: Annotated[int, Field(ge=0, le=1000)] = 0
    """How often a webhook that got a 5xx, or no answer, is posted again."""
    retry_wait_seconds: Seconds = 0.2


class FaultSettings(StrictModel):
    """The whole document."""

    twilio: TwilioFaults = Field(default_factory=TwilioFaults)
    sendgrid: SendGridFaults = Field(default_factory=SendGridFaults)
    anthropic: AnthropicFaults = Field(default_factory=AnthropicFaults)
    speech: SpeechFaults = Field(default_factory=SpeechFaults)
    inbound: InboundFaults = Field(default_factory=InboundFaults)

    def section_of(self, kind: str) -> ProviderFaults:
        """The section of the provider that a journal entry's kind (`twilio.create`) begins with."""
        found: ProviderFaults = getattr(self, kind.partition(".")[0])
        return found

    def merged(self, change: dict[str, Any]) -> Self:
        """Return the settings after a change, merged field by field. Raises ValidationError for unknown names and wrong values."""
        document = self.model_dump()
        for section, fields in change.items():
            known = document.get(section)
            if isinstance(known, dict) and isinstance(fields, dict):
                document[section] = known | fields
            else:
                document[section] = fields
        return type(self).model_validate(document)
