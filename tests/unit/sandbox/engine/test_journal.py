"""What the journal counts, keeps and forgets."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.engine.journal import Journal, JournalQuery


def test_journal_counts_exactly_beyond_what_it_keeps() -> None:
    """Totals outlive the entries, numbers go on after a clear, and an old webhook settles nothing new."""
    journal = Journal(capacity=10)
    entries = [journal.add("twilio.create", {"n": number}, accepted=number % 2 == 0) for number in range(25)]
    assert journal.count(JournalQuery(kinds=("twilio.create",), accepted=True)) == 13
    assert len(list(journal.find(JournalQuery()))) <= 10
    assert [entry.seq for entry in journal.find(JournalQuery(since=23))] == [24, 25]
    pending = journal.add("webhook.sms", {}, accepted=False)
    journal.complete(pending, 200, accepted=True)
    assert journal.count(JournalQuery(kinds=("webhook.",), accepted=True)) == 1
    journal.clear()
    journal.complete(entries[-1], 201, accepted=False)
    assert [journal.count(JournalQuery(accepted=accepted)) for accepted in (True, False)] == [0, 0]
    assert journal.add("x", {}).seq == 27


def test_journal_waiters_wake() -> None:
    """A waiter sees what is added and what is settled; patience ends."""

    async def scene() -> tuple[bool, bool]:
        journal = Journal()
        query = JournalQuery(kinds=("webhook.sms",), accepted=True)
        waiter = asyncio.create_task(journal.wait(query, 1, 5))
        entry = journal.add("webhook.sms", {}, accepted=False)
        await asyncio.sleep(0)
        journal.complete(entry, 200, accepted=True)
        return await waiter, await journal.wait(query, 2, 0.01)

    assert asyncio.run(scene()) == (True, False)


def test_conversations_are_forgotten_before_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old requests lose their messages, not their place."""
    monkeypatch.setattr("sandbox.engine.journal.MAX_CONVERSATIONS", 2)
    journal = Journal()
    entries = [journal.add("anthropic.messages", {"messages": [1], "tools": [2], "text": "x"}, answer={}) for _ in range(3)]
    assert ["messages" in entry.request for entry in entries] == [False, True, True]
    assert ["tools" in entry.request for entry in entries] == [False, True, True]
    assert [entry.answer is not None for entry in entries] == [False, True, True]
