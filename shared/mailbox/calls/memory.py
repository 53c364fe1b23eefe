"""What a person asked us to remember, for a question. No I/O. `facts.lua` has the rules; the tools change it by `step`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from shared.mailbox.call import Call


@dataclass(frozen=True, slots=True)
class RememberedFact:
    """A fact: its id, what it says, when it was said (ms of Redis TIME) and on which channel.

    `marked`: it is, or was made under the eyes of, words that the person did not write.
    """

    id: str
    text: str
    at: int
    channel: str
    marked: bool = False
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class RememberedFacts:
    """Those that a question shows, pinned ones first and then the newest; `count` is how many there are."""

    shown: tuple[RememberedFact, ...] = ()
    count: int = 0


NO_FACTS: Final = RememberedFacts()


def facts_of(person: str, most_bytes: int) -> Call[RememberedFacts]:
    """A person's facts, as far as `most_bytes` of their texts have room."""
    return Call("facts_of", {"person": person, "most": most_bytes}, _facts)


def fact_from(value: dict[str, Any]) -> RememberedFact:
    """A fact as the scripts write it."""
    return RememberedFact(
        value["id"], value["text"], int(value["at"]), value["channel"], bool(value.get("marked")), bool(value.get("pinned"))
    )  # fmt: skip


def _facts(raw: Any) -> RememberedFacts:
    count, *shown = raw
    return RememberedFacts(tuple(fact_from(json.loads(text)) for text in shown), int(count))
