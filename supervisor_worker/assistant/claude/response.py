"""The answer of the Messages API: the fields that we read are checked, the content is kept as it came, because it may go back.

Anthropic's SDK would build an object of every block, trying every kind of block. That costs more than all other parsing, and it would
not notice a missing field.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt


class Usage(BaseModel):
    """The cost of an answer. Tokens read from the cache or written to it are not in `input_tokens`."""

    model_config = ConfigDict(hide_input_in_errors=True)

    input_tokens: NonNegativeInt
    output_tokens: NonNegativeInt
    cache_creation_input_tokens: NonNegativeInt | None = None
    cache_read_input_tokens: NonNegativeInt | None = None
    cache_creation: Any = None
    server_tool_use: Any = None

    @property
    def written_for_an_hour(self) -> int:
        """Of the tokens that were written to the cache, those that stay for an hour, which cost more."""
        return min(_count(self.cache_creation, "ephemeral_1h_input_tokens"), self.cache_creation_input_tokens or 0)

    @property
    def searches(self) -> int:
        """Web searches, which are paid for beside the tokens."""
        return _count(self.server_tool_use, "web_search_requests")

    @property
    def all_input_tokens(self) -> int:
        """Input tokens with the cached ones."""
        return self.input_tokens + (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)


class ModelMessage(BaseModel):
    """One message of the model."""

    model_config = ConfigDict(hide_input_in_errors=True)  # it would quote the answer

    model: str
    content: list[dict[str, Any]]
    stop_reason: str | None = None
    usage: Usage

    @property
    def text(self) -> str:
        """The text blocks, joined: the first block may be something else, and there may be none."""
        return "".join(str(block.get("text") or "") for block in self.content if block.get("type") == "text")


def used_by(body: object) -> int | None:
    """The tokens that a body says were used, whatever else is wrong with it; None where it does not say."""
    try:
        usage = Usage.model_validate(body.get("usage")) if isinstance(body, dict) else None
    except ValueError:
        return None
    return usage.all_input_tokens + usage.output_tokens if usage else None


def _count(figures: object, name: str) -> int:
    """A figure that not every host sends; 0 for none."""
    value = figures.get(name) if isinstance(figures, dict) else None
    return value if type(value) is int and value > 0 else 0
