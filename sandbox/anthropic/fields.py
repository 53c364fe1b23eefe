"""The fields of an object in a request: the Messages API rejects those that it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def problem_of_unknown(given: Iterable[str], known: Collection[str], place: str) -> str | None:
    """Name the first field that is not known; None if all are. `place` is empty for the request itself."""
    found = next((name for name in given if name not in known), None)
    return None if found is None else f"{place}.{found}: Extra inputs are not permitted".lstrip(".")
