"""What is said to the mailbox of money: bounds, prices before a question, use after it; and the call that reserves for one more. No I/O.

What the first question of a turn may use is reserved by its claim, and what the last one used is told by the script that ends the
turn or stores its reply, so that a turn with one question costs no round trip more. `spending.lua` has the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from shared.mailbox.call import Arguments, Call

Reserved = Literal["ok", "lost", "opted_out", "paused", "spent", "share", "reserved", "dear"]
"""The verdict on a question before it is asked. Only `ok` allows it. `dear`: no day has room for it; `spent`, `share` and `reserved` are a
`Claim`'s."""


@dataclass(frozen=True, slots=True)
class DayBounds:
    """What a day (UTC, by the server's clock) has room for: tokens and turns of all, tokens of one sender; 0 for no bound.

    `forwarded`: tokens of all that comes by forwarding addresses, together.
    """

    tokens: int = 0
    turns: int = 0
    sender: int = 0
    forwarded: int = 0

    def arguments(self) -> dict[str, int]:
        """As the scripts read them: the table `bounds`."""
        return {
            "bounds.tokens": self.tokens,
            "bounds.turns": self.turns,
            "bounds.sender": self.sender,
            "bounds.forwarded": self.forwarded,
        }


@dataclass(frozen=True, slots=True)
class Dearest:
    """By what a claim reckons the most that its turn's first question may use, before anybody has read its messages.

    `fixed` tokens whatever is asked, the longest answer among them; at most `history` bytes of what was said before, `text` bytes of
    one message, `files` bytes of what is read in its files, and `pictures` pictures of `picture` tokens each. Two bytes of text are a
    token.
    """

    fixed: int = 0
    history: int = 0
    text: int = 0
    files: int = 0
    picture: int = 0
    pictures: int = 0

    def arguments(self) -> dict[str, int]:
        """As the scripts read them: the table `question`."""
        return {
            "question.fixed": self.fixed,
            "question.history": self.history,
            "question.text": self.text,
            "question.files": self.files,
            "question.picture": self.picture,
            "question.pictures": self.pictures,
        }


@dataclass(frozen=True, slots=True)
class Settled:
    """What a turn's last call to the model has used, in tokens, for the script that follows it; `used` is None where nobody knows.

    `answer` is `bad` for one that could not be used, and "" for a call that was not made.
    """

    model_call: str = ""
    used: int | None = 0
    answer: Literal["", "good", "bad"] = ""

    def arguments(self) -> dict[str, str | int]:
        """As the scripts read them: the table `settled`."""
        used = -1 if self.used is None else self.used
        return {"settled.model_call": self.model_call, "settled.used": used, "settled.answer": self.answer}


NO_MODEL_CALL: Final = Settled()


def reserve(
    conversation: str, token: str, model_call: str, amount: int, *, bounds: DayBounds, settled: Settled = NO_MODEL_CALL
) -> Call[Reserved]:  # fmt: skip
    """Reserve `amount` tokens for one more question of the turn, whose id `model_call` is new; `settled` is what the one before it used."""
    arguments: Arguments = {
        "conv": conversation, "token": token, "model_call": model_call, "amount": amount, **bounds.arguments(), **settled.arguments(),
    }  # fmt: skip
    return Call("reserve", arguments, _reserved)


def _reserved(raw: Any) -> Reserved:
    """The answer to `reserve`."""
    return cast("Reserved", raw)
