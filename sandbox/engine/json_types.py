"""Types for JSON."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]
"""A JSON object whose shape a provider, or the caller, decides."""
