"""`python -m bench.quotes`: what is folded of 2,160 simulated replies, and what is lost of 10,000 words typed into quotes.

    python -m bench.quotes [--insertions N] [--bodies FILE]

`--bodies` writes the plain texts as JSON lines (`said`, `quoted`, `body`), for other libraries to be measured on
the same; behind them as many with a line typed into the quote, which is `said` then.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.quotes.clients import CLIENTS, Answer, Reply, quoted
from bench.quotes.texts import LANGUAGES, answers_of_ours
from shared.model.text import seen
from supervisor_worker.assistant.folding import HeldText, fold
from supervisor_worker.assistant.folding.letters import letters
from supervisor_worker.assistant.quoted_history import words_of
from webhook_api.email import mime, others_words

NAMES = ("Boss", "boss@example.com", "user@example.com", "Ada Lovelace")
MAX_WORD = 16
"""Longer ones are no words: a language without blanks, or an address."""
LEFT = 20
"""Letters in a row of a quote that count as left of it."""


@dataclass(frozen=True, slots=True)
class Thread:
    """One simulated thread: who sent it, what they said, what of ours they quoted, and the text that reached the product."""

    client: str
    said: str
    answer: Answer
    body: str

    @property
    def held(self) -> list[HeldText]:
        """Our answer, as it was sent."""
        return [HeldText((self.answer.plain, words_of(self.answer.markup)), "your answer", ours=True)]


def threads() -> Iterator[Thread]:
    """40 answers of ours in eight languages, 27 clients, two answers of theirs."""
    for language in LANGUAGES.values():
        for plain in answers_of_ours(language):
            answer = Answer(plain, language.wrote)
            for client, reply in CLIENTS.items():
                for said in language.answers:
                    yield Thread(client, said, answer, received(reply(said, answer)))


def received(reply: Reply) -> str:
    """The text that the webhook keeps of a mail."""
    texts = mime.MailTexts([reply.text] if reply.text else [], [reply.html] if reply.html else [])
    return others_words.shown(mime.Bodies([texts])).text.strip()


def shown(body: str, held: list[HeldText]) -> str:
    """What of a mail is not folded."""
    left, position = [], 0
    for each in fold(body, held, NAMES):
        left.append(body[position : each.start])
        position = each.end
    return "\n".join([*left, body[position:]])


def verdict(thread: Thread) -> str:
    """`folded`, `attribution` where that is left, `quote` where some of it is, `lost` where the person's words are."""
    left = shown(thread.body, thread.held)
    rest = letters(left)
    if any(letters(line) not in rest for line in thread.said.split("\n")):
        return "lost"
    quote = letters(thread.answer.plain)
    size = min(LEFT, len(quote))
    if any(quote[start : start + size] in rest for start in range(0, len(quote) - size + 1, 4)):
        return "quote"
    return "attribution" if "boss" in left.casefold() or "2027" in left else "folded"


def typed_into(thread: Thread, chance: random.Random) -> tuple[str, str]:
    """A mail with words that somebody typed into its quote, in a line of their own, quoted or not, or within one; and that line."""
    body = quoted(thread.answer.plain) if chance.random() < 0.5 else thread.answer.plain
    head = f"{thread.answer.wrote}\n" if body.startswith(">") else "From: Boss <boss@example.com>\nSent: 3 May 2027 09:00\nTo: Ada\n\n"
    lines = body.split("\n")
    number = chance.randrange(len(lines))
    source = (
        thread.answer.plain if chance.random() < 0.2 else " ".join(each for language in LANGUAGES.values() for each in language.answers)
    )
    words = source.split() if " " in source.strip() and max(map(len, source.split())) < MAX_WORD else re.findall(r"\S{1,6}", source)
    words = [word for word in words if letters(word)]
    at = chance.randrange(len(words))
    typed = " ".join(words[at : at + chance.randint(1, 4)])
    place, line = chance.choice(("own", "quoted", "start", "middle", "end")), lines[number]
    if place in ("own", "quoted"):
        lines.insert(number, f"> {typed}" if place == "quoted" else typed)
    else:
        prefix = "> " if line.startswith(">") else ""
        rest = line.removeprefix("> ").removeprefix(">")
        cut = {"start": 0, "end": len(rest)}.get(place, chance.randint(0, len(rest)))
        lines[number] = f"{prefix}{rest[:cut]} {typed} {rest[cut:]}"
    return head + "\n".join(lines), lines[number]


def insertion(thread: Thread, chance: random.Random) -> bool:
    """Whether words that are typed into a quote are lost."""
    mail, line = typed_into(thread, chance)
    return letters(line) not in letters(shown(mail, thread.held))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.quotes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--insertions", type=int, default=10_000)
    parser.add_argument("--bodies", type=Path)
    given = parser.parse_args()
    all_threads = list(threads())
    found: dict[str, Counter[str]] = {client: Counter() for client in CLIENTS}
    for thread in all_threads:
        found[thread.client][verdict(thread)] += 1
    for client, counts in found.items():
        print(f"{client:30} {dict(counts)}")
    total = sum(found.values(), Counter())
    print(f"{total.total()} threads: {(total['folded'] + total['attribution']) / total.total():.1%} folded, {total['lost']} answers lost, "
          f"attribution left in {total['attribution'] / total.total():.1%}")  # fmt: skip
    chance = random.Random(14)  # noqa: S311 - the same every time
    lost = sum(insertion(chance.choice(all_threads), chance) for _ in range(given.insertions))
    print(f"{given.insertions} insertions: {lost} lost")
    if given.bodies:
        rows = [{"said": each.said, "quoted": each.answer.plain, "body": seen(each.body).text} for each in all_threads]
        for thread in all_threads:
            mail, line = typed_into(thread, chance)
            rows.append({"said": line, "quoted": "", "body": mail})
        given.bodies.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
