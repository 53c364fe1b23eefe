"""The journal of a sandbox that a test did not start itself, by its URL."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import ProxyHandler, build_opener

from tests.support.wait import wait_for


def entries(url: str, kind: str) -> list[dict[str, Any]]:
    """All entries of one kind, oldest first."""
    with build_opener(ProxyHandler({})).open(f"{url}/sandbox/journal?kind={kind}&limit=1000", timeout=10) as response:
        found: list[dict[str, Any]] = json.load(response)["entries"]
        return found


def texts(url: str) -> list[str]:
    """The bodies of the texts that the product sent, as Twilio took them."""
    return [entry["request"]["body"] for entry in entries(url, "twilio.create") if entry["accepted"]]


def reply_to(url: str, words: str, seconds: float = 20) -> str:
    """Wait for the text that answers `words`."""
    return wait_for(lambda: next((text for text in texts(url) if words in text), None), seconds, f"a reply to {words!r}")


def delivered(url: str, count: int, seconds: float = 20) -> None:
    """Wait until the web process has taken so many reports of a delivery: the worker told Twilio the right address."""

    def reports() -> list[dict[str, Any]]:
        found = entries(url, "webhook.status")
        return [one for one in found if one["request"]["message_status"] == "delivered" and one["status"] == 204]

    wait_for(lambda: len(reports()) >= count, seconds, f"{count} reports of delivery")
