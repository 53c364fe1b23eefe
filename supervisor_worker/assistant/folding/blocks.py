"""Decides which held lines of a mail are folded into one note, and says of what. Pure.

Neighbouring held lines with the blank lines between them and the attribution above form a block. What stands below decides: with nothing of
the author's below, a quote is there by habit; a short one above their words is what they answer, and stays.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice
from typing import Final

from shared.model.folds import MAX_NOTE, Fold
from supervisor_worker.assistant.folding import attributions
from supervisor_worker.assistant.folding.held import Held, HeldText
from supervisor_worker.assistant.folding.runs import MIN_RUN, LetterLines, SharedRun

WHOLE: Final = 0.85
"""The share of a text from which on it counts as quoted whole."""
ANSWERED: Final = 120
"""Letters that stay of a quote that its author answers below it."""
MIN_UNMARKED: Final = 80
"""Letters of an unmarked quote: fewer may be the author's own words again."""
HALF: Final = 0.5
MAX_BLOCKS: Final = 1_000
"""As many blocks of a mail are judged; what is left stays."""


@dataclass(frozen=True, slots=True)
class Block:
    """The lines from `first` to `last`; the held ones begin at `body`, what is above them says whose they are."""

    first: int
    body: int
    last: int

    @property
    def attributed(self) -> bool:
        """Whether lines above say whose it is."""
        return self.body > self.first


@dataclass(frozen=True, slots=True)
class Cover:
    """The text that a block quotes most of, and the largest share of any text that it holds."""

    text: HeldText
    share: float


@dataclass(frozen=True)
class QuotingMail:
    """A mail's lines, which of them are held, by which runs; `names` are those of both sides, in lower case."""

    lines: LetterLines
    held_lines: list[bool]
    runs: list[SharedRun]
    held: Held
    names: Collection[str]

    def folds(self) -> Iterator[Fold]:
        """The folds, in their order."""
        blocks = list(islice(self._blocks(), MAX_BLOCKS))
        inside = {number for block in blocks for number in range(block.first, block.last + 1)}
        free = [number for number, said in enumerate(self.lines.letters) if said and number not in inside]
        own = [number for number in free if not self.lines.quoted[number]]
        for block in blocks:
            last = self._last_folded(block, below=bool(own) and own[-1] > block.last, end=not free or free[-1] < block.first, alone=not own)
            found = None if last is None else self._fold(block, last)
            if found is not None:
                yield found

    def _blocks(self) -> Iterator[Block]:
        number = 0
        while number < len(self.lines.texts):
            if self.held_lines[number]:
                block = self._block(number)
                yield block
                number = block.last
            number += 1

    def _block(self, body: int) -> Block:
        """The block that begins with a held line. A further attribution within it, of an older mail in the quote, belongs to it."""
        quoted, last, number = self.lines.quoted[body], body, body + 1
        while number < len(self.lines.texts):
            if self.held_lines[number] and self.lines.quoted[number] == quoted:
                last = number
            elif not self._passes(number, quoted=quoted):
                ahead = self._next_held(number, quoted=quoted)
                if ahead is None or attributions.above(self.lines.texts, ahead, self.names) > number:
                    break
                last = number = ahead
            elif quoted and self.lines.quoted[number]:
                last = number
            number += 1
        return Block(attributions.above(self.lines.texts, body, self.names), body, last)

    def _passes(self, number: int, *, quoted: bool) -> bool:
        """Whether a line without letters may go with the held ones around it."""
        text = self.lines.texts[number].strip()
        if self.lines.letters[number]:
            return False
        return not text or (quoted and self.lines.quoted[number]) or text in self.held.bare_lines

    def _next_held(self, number: int, *, quoted: bool) -> int | None:
        """The next held line of the same kind, as near as below an attribution."""
        for ahead in range(number + 1, min(len(self.lines.texts), number + attributions.MAX_HEADER_LINES + attributions.MAX_BLANKS)):
            if self.held_lines[ahead]:
                return ahead if self.lines.quoted[ahead] == quoted else None
        return None

    def _last_folded(self, block: Block, *, below: bool, end: bool, alone: bool) -> int | None:
        """The last line of a block that is folded; None where it stays. `below`: words of the author's follow; `end`: nothing does."""
        size, cover = self._size(block), self._cover(block)
        if not (self.lines.quoted[block.body] or block.attributed):
            return block.last if end and not alone and size >= MIN_UNMARKED and cover.text.ours and cover.share >= WHOLE else None
        if self.lines.quoted[block.body] and not block.attributed and size < ANSWERED and self._share_of_quote(block) < HALF:
            return None
        if not below or cover.share >= WHOLE:
            return block.last
        return self._before_the_answered(block) if size > ANSWERED else None

    def _before_the_answered(self, block: Block) -> int | None:
        """The last line before the last 120 letters of the last paragraph."""
        kept, number = 0, block.last
        while number > block.body:
            said = self.lines.letters[number]
            kept += len(said)
            if kept > ANSWERED or (not said and kept):
                break
            number -= 1
        if kept == len(self.lines.letters[block.last]) > ANSWERED:  # one long line
            number = block.last - 1
        size = self.lines.starts[number + 1] - self.lines.starts[block.body]
        return number if number >= block.body and size >= MIN_RUN else None

    def _size(self, block: Block) -> int:
        return self._letters_held[block.last + 1] - self._letters_held[block.body]

    @cached_property
    def _letters_held(self) -> list[int]:
        return [0, *accumulate(len(said) * held for said, held in zip(self.lines.letters, self.held_lines, strict=True))]

    def _share_of_quote(self, block: Block) -> float:
        """The share of held letters in the quoted lines around a block."""
        number = bisect_right(self._unquoted, block.body)
        first = self._unquoted[number - 1] + 1 if number else 0
        behind = self._unquoted[number] if number < len(self._unquoted) else len(self.lines.texts)
        held = self._letters_held[behind] - self._letters_held[first]
        return held / max(1, self.lines.starts[behind] - self.lines.starts[first])

    @cached_property
    def _unquoted(self) -> list[int]:
        """The lines between quotes."""
        return [number for number, text in enumerate(self.lines.texts) if text.strip() and not self.lines.quoted[number]]

    def _cover(self, block: Block) -> Cover:
        """Which text a block quotes most of, and how much of that text it holds."""
        start, end = self.lines.starts[block.body], self.lines.starts[block.last + 1]
        covered: Counter[int] = Counter()
        number = bisect_right(self.runs, start, key=lambda run: run.end)
        while number < len(self.runs) and self.runs[number].start < end:
            run = self.runs[number]
            covered[self._form(run.place)] += min(run.end, end) - max(run.start, start)
            number += 1
        if not covered:  # a short text, or short lines, each the whole of a held one
            covered[self.held.lines.get(self.lines.letters[block.body], 0)] = end - start
        form = max(covered, key=covered.__getitem__)
        share = max(letters / (self.held.forms[each].end - self.held.forms[each].start) for each, letters in covered.items())
        return Cover(self.held.texts[self.held.forms[form].text], share)

    def _form(self, place: int) -> int:
        return bisect_right(self.held.forms, place, key=lambda form: form.start) - 1

    def _fold(self, block: Block, last: int) -> Fold | None:
        cover = self._cover(Block(block.first, block.body, last))
        words = " ".join(" ".join(self._attributions(block.first, last)).split())
        part = "" if cover.share >= WHOLE else ", in part"
        note = f"Left out here: a quote of {cover.text.name}{part}{f'. Above it stands: {words}' if words else ''}"
        return None if len(note) > MAX_NOTE else Fold(self._offsets[block.first], self._offsets[last + 1] - 1, note)

    def _attributions(self, first: int, last: int) -> list[str]:
        """What of these lines is not held and not quoted: it goes into the note word for word, since it may be the author's."""
        numbers = range(first, last + 1)
        return [self.lines.texts[number] for number in numbers if not (self.held_lines[number] or self.lines.quoted[number])]

    @cached_property
    def _offsets(self) -> list[int]:
        return list(accumulate((len(text) + 1 for text in self.lines.texts), initial=0))
