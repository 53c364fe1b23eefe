"""What the host of a model can do beside the model: a plain one speaks the Messages API, and little that is Anthropic's own.

A plain host is asked without breakpoints of the cache, thinking, effort, the web's tools and strict schemas, and shown no pictures unless
it is said that its model sees them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.config.settings import Settings
from supervisor_worker.assistant.models import family_of

_ANTHROPICS_OWN: Final = ("strict", "cache_control", "input_examples", "defer_loading", "eager_input_streaming", "allowed_callers")


def is_plain(settings: Settings, model: str) -> bool:
    """Whether a model's host is one: as MODEL_HOST says, else another address than Anthropic's with a model that nobody knows."""
    if settings.model_host != "auto":
        return settings.model_host == "plain"
    return bool(settings.anthropic_base_url) and family_of(model) is None


def sees(settings: Settings, model: str) -> bool:
    """Whether a model is shown pictures and documents as they are; else it is told what was read in them."""
    return settings.model_pictures == "on" or (settings.model_pictures == "auto" and not is_plain(settings, model))


def plain_tools(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Definitions of tools as any host knows them."""
    return [{name: value for name, value in tool.items() if name not in _ANTHROPICS_OWN} for tool in tools]
