"""Programs that answer texts: each takes one that a Boss sent, and its so many-th number, and makes what the program would text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

TextAnswer = Callable[[str, int], Sequence[str]]


def carrier(body: str, number: int) -> list[str]:
    """A carrier that blocks the number, in its own words."""
    del body, number
    return ["FREE MSG: Unable to send message - Message Blocking is active."]


def fixed_words(body: str, number: int) -> list[str]:
    """A phone that answers in its owner's words, always the same."""
    del body, number
    return ["Cannot talk right now, will call you back!"]


def changing_words(body: str, number: int) -> list[str]:
    """A service that writes a number into each answer."""
    del body
    return [f"Thanks, your message has number {number}."]


def commands(body: str, number: int) -> list[str]:
    """One that tries the words it knows, in turn."""
    del body
    return [("status", "more", "help", "new chat")[number % 4]]


def more(body: str, number: int) -> list[str]:
    """One that wants the rest of everything."""
    del body, number
    return ["More"]


def reactions(body: str, number: int) -> list[str]:
    """A phone that likes whatever it gets."""
    del number
    return [f"Liked “{body}”"]


def foreign_reactions(body: str, number: int) -> list[str]:
    """One whose words no table has."""
    return [f"Bijzonder gewaardeerd is door mij deze mededeling met nummer {number}: {body[:40]}"]
