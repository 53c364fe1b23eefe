"""The keywords of texts: those by which a person opts out, and those that Twilio answers itself."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

from pydantic_settings import BaseSettings

from shared.config.field import setting
from shared.model.sms_admission import Keywords

STOP_ALWAYS: Final = frozenset({"stop", "stopall", "unsubscribe", "revoke", "optout"})
"""Keywords that always opt out, whatever is set."""
_NONE: Final = "none"
_KEYWORD: Final = re.compile(r"\w{1,40}")
_OPTING_IN: Final = frozenset({"start", "unstop", "yes"})


class WordSettings(BaseSettings):
    """The keywords in force at the operator's Twilio account."""

    opt_out_words: str = setting(
        "CANCEL,END,QUIT",
        "The words by which a person opts out of texts at your Twilio account, besides STOP, STOPALL, UNSUBSCRIBE, REVOKE and OPTOUT, "
        "which always do: what Advanced Opt-Out took away must not stand here. none: no other.",
        "Twilio",
    )
    help_words: str = setting(
        "HELP,INFO",
        "The words that Twilio answers by itself, and the Boss therefore does not. none: Twilio answers none, the Boss does.",
        "Twilio",
    )

    def word_faults(self) -> list[str]:
        """What is wrong, each in a line that begins with the setting's name."""
        faults = []
        for name in ("opt_out_words", "help_words"):
            words = _words(getattr(self, name))
            if not all(_KEYWORD.fullmatch(word) for word in words):
                faults.append(f"{name.upper()}: must be single words of letters and digits with commas between, or none")
            elif words & _OPTING_IN:
                faults.append(f"{name.upper()}: START, UNSTOP and YES end an opt-out, and mean nothing else")
        if self.help_set & self.opt_out_set:
            faults.append("HELP_WORDS: has a word that opts out")
        return faults

    @cached_property
    def keywords(self) -> Keywords:
        """The keywords in force."""
        return Keywords(self.opt_out_set, self.help_set)

    @cached_property
    def opt_out_set(self) -> frozenset[str]:
        """The words that opt out of texts, in lower case."""
        return _words(self.opt_out_words) | STOP_ALWAYS

    @cached_property
    def help_set(self) -> frozenset[str]:
        """The words that Twilio answers itself, in lower case."""
        return _words(self.help_words)


def _words(value: str) -> frozenset[str]:
    """A list of words in lower case; `none` is no word."""
    return frozenset(value.lower().replace(",", " ").split()) - {_NONE}
