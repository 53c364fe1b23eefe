"""What a program asks for: its body, read strictly, and what is wrong with it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.model import codec
from webhook_api.api.answers import Problem

MAX_BODY_BYTES = 65_536
LAST_YEAR = 9000


class RequestedMessage(BaseModel):
    """The body of `POST /api/messages`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    user: Annotated[str, Field(min_length=1, max_length=200, description="The person's username.")]
    channel: Annotated[Literal["sms", "email"], Field(description="By which channel.")]
    text: Annotated[str, Field(min_length=1, max_length=20_000, description="What is said, as it stands.")]
    subject: Annotated[str, Field(max_length=200, description="Of a mail, on one line; a text message has none.")] = ""
    urgent: Annotated[bool, Field(description="Also in quiet hours, and beyond twenty messages a day.")] = False
    expires_at: Annotated[AwareDatetime | None, Field(description="When it is not to be sent any more; a day ahead by default.")] = None

    def spelled(self) -> str:
        """The same for a request that is repeated, however it is laid out."""
        at = self.expires_at.timestamp() if self.expires_at else 0
        return codec.dumps([self.user, self.channel, self.text, self.subject, self.urgent, at])


def read(body: bytes) -> RequestedMessage:
    """Read a body. Raises Problem 422, which repeats nothing of it."""
    try:
        request = RequestedMessage.model_validate_json(body, strict=True)
        if request.expires_at and not 1970 < request.expires_at.year < LAST_YEAR:  # noqa: PLR2004 - what has a time in ms
            raise Problem(422, "expired", "expires_at is not a time ahead")
        request.spelled()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        known = place if place in RequestedMessage.model_fields or place == "the body" else "an unknown field"
        raise Problem(422, "not_valid", f"{known}: {first['type']}") from None
    return request


def expires_ms(at: datetime | None, now: float) -> int:
    """In ms of UTC; a day from now where nothing is said."""
    return int(at.timestamp() * 1000) if at else int((now + 86_400) * 1000)
