"""What `boss messages show` prints of one message."""

from __future__ import annotations

from typing import Any, cast

from boss.message_view import lines
from shared.operations.messages import MessageView


def test_each_fact_stands_apart_from_its_name() -> None:
    """However long the name is; the values of the shorter ones stand below one another."""
    facts = {"subject": "x", "files_not_kept": 0, "forwarding_address": "c\u2026@example.com"}
    names = ("reason", "notice", "why", "helps", "command", "approval", "conversation", "reply")
    view: dict[str, Any] = dict.fromkeys(names, "")
    view |= {"id": "m-1", "state": "answered", "channel": "email", "kind": "mail", "accepted_at_ms": 0, "errors": 0, "lost_leases": 0}
    shown = lines(cast("MessageView", {**view, "content": facts, "timeline": []}))
    assert "subject       x" in shown
    assert "files not kept 0" in shown
    assert "forwarding address c\u2026@example.com" in shown
