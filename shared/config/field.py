"""How a setting is declared: its default, what it is for, and its group in `.env.example`."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def setting(default: Any, help_text: str, group: str, **limits: Any) -> Any:
    """A field of the settings; `limits` are pydantic's."""
    return Field(default, description=help_text, json_schema_extra={"group": group}, **limits)
