"""How much a model may be told to think: the words of the Messages API, from the least to the most."""

from __future__ import annotations

from typing import Final, Literal, get_args

Effort = Literal["low", "medium", "high", "xhigh", "max"]
EFFORTS: Final[tuple[Effort, ...]] = get_args(Effort)
EffortSetting = Literal["default", "low", "medium", "high", "xhigh", "max"]
"""What a setting may say; `default` is to say nothing about it."""
EFFORT_SETTINGS: Final[tuple[EffortSetting, ...]] = get_args(EffortSetting)
