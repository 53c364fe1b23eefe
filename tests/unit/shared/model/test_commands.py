"""Which messages are commands."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.config.keyword_settings import STOP_ALWAYS, WordSettings
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.commands import SLASHED, WORDS, CommandName, command_of, named_in_questions
from shared.model.events import EmailReceived, SmsReceived
from shared.model.marks import Mark
from shared.model.media import Media
from shared.model.sentences.languages import each_language
from shared.model.sms_admission import START_WORDS
from shared.model.text import without_accents
from shared.model.words import WORDS as SENTENCES
from tests.support.opt_out_words import OPT_OUT_WORDS

SMS = SmsReceived(id="m-1", from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), message="", user="user", provider_id="SM1")
MAIL = EmailReceived(
    id="m-2", from_=EmailAddress("a@example.com"), to=EmailAddress("b@example.com"), subject="Hi", body="", user="user", message_id="<1@x>"
)


def spellings(name: CommandName) -> list[str]:
    """The words of a command, in all languages and with a slash."""
    spelt = [word for words in each_language(WORDS[name]).values() for word in words]
    return [*spelt, *(word for word, slashed in SLASHED.items() if slashed == name)]


def test_a_word_means_one_command_whoever_writes_it() -> None:
    """All languages count for everybody."""
    found = [(without_accents(word), name) for name in WORDS for word in spellings(name)]
    assert len({word for word, _ in found}) == len(set(found))


def test_a_command_is_the_whole_text_whatever_its_case_and_punctuation() -> None:
    """Every word of the table, in any of these forms; and no longer text that begins or ends with it."""
    for name in WORDS:
        for word in spellings(name):
            for body in (
                word,
                without_accents(word),
                unicodedata.normalize("NFD", word),
                word.upper(),
                f" {word}! ",
                f"{word}.\n",
                word.replace(" ", "  "),
                f"\u00bf{word}?",
                f'"{word}"',
                f"\u201c{word}\u201d,",
                f"**{word}**",
            ):
                assert command_of(replace(SMS, message=body)) == name, body
                assert command_of(replace(MAIL, body=body)) == name, body
            for body in (f"{word} please", f"my {word}", f"{word}\nand more of it", f"{word}1", f"{word} \U0001f44d", f'say "{word}"'):
                assert command_of(replace(SMS, message=body)) == "", body


def test_a_message_with_a_file_is_no_command() -> None:
    """The file says something else."""
    assert command_of(replace(SMS, message="more", media_count=1)) == ""
    assert command_of(replace(SMS, message="more", media_count=1, media=(Media("ME" + 32 * "0"),))) == ""
    assert command_of(replace(MAIL, body="more", attachments=("a.pdf",))) == ""


def test_a_mail_s_command_is_what_its_sender_wrote() -> None:
    """Without what is marked as others' words, and without the signature; one word of their own more, and it is none."""
    quote = "On Monday the Boss wrote:\n> It is done.\n"
    for body, spans in (
        (f"Status\n\n{quote}", [(8, 8 + len(quote))]),
        (f"{quote}\nStatus\n", [(0, len(quote))]),
        ("Status\n-- \nAda Example\nLondon", []),
        (f"{quote}status\n{quote}", [(0, len(quote)), (len(quote) + 7, 2 * len(quote) + 7)]),
    ):
        marks = tuple(Mark("quoted", start, end) for start, end in spans)
        assert command_of(replace(MAIL, body=body, marks=marks)) == "status", body
        assert command_of(replace(MAIL, body="Hello\n" + body)) == ""
    assert command_of(replace(MAIL, body="status", marks=(Mark("forwarded", 0, 6),))) == ""


def test_a_line_that_a_phone_s_program_writes_below_a_mail_changes_nothing() -> None:
    """In the languages of phones; a line of the person's own does. A mail without a body says its subject."""
    for below in (
        "Sent from my iPhone",
        "Get Outlook for iOS (https://aka.ms/o0ukef)",
        "Von meinem iPhone gesendet",
        "Gesendet von Mail f\u00fcr Windows",
        "Envoy\u00e9 de mon iPhone",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Verzonden vanaf mijn iPhone",
        "\u041e\u0442\u043f\u0440\u0430\u0432\u043b\u0435\u043d\u043e \u0441 iPhone",
        "\u53d1\u81ea\u6211\u7684 iPhone",
    ):
        assert command_of(replace(MAIL, body=f"Status\n\n{below}")) == "status", below
        assert command_of(replace(MAIL, subject="Status", body=below)) == "status", below
        assert command_of(replace(MAIL, body=f"Status of the plan\n\n{below}")) == "", below
    for body in ("Status\n\nSent from Paris: did it arrive?", "Status\n\nI sent it from my iPhone", "Status\n\nBest regards,\nAda"):
        assert command_of(replace(MAIL, body=body)) == "", body
    assert command_of(replace(MAIL, subject="status", body="")) == "status"
    assert command_of(replace(MAIL, subject="Re: status", body="")) == ""
    assert command_of(replace(MAIL, subject="status", body="> x", marks=(Mark("quoted", 0, 3),))) == ""


def test_no_word_of_a_command_opts_out_or_in() -> None:
    """A carrier may act on one; and what code says offers none."""
    settings = WordSettings()
    taken = settings.opt_out_set | STOP_ALWAYS | START_WORDS | {"yes", "info"}
    words = [without_accents(word.strip("/")) for name in WORDS for word in spellings(name)]
    assert not {part for word in words for part in (word, *word.split())} & (taken | OPT_OUT_WORDS)
    for text in (text for row in SENTENCES.values() for text in each_language(row).values()):
        offered = set(text.casefold().split('"')[1::2])
        assert not offered & (settings.opt_out_set | STOP_ALWAYS), text


def test_a_question_of_ours_names_the_commands_whose_words_it_has() -> None:
    """Only its own sentence counts, and only whole words."""
    for text, names in (
        ("Do you want the status?", {"status"}),
        ("It is done. Shall I tell you more, or start a new chat? Just say so.", {"more", "new"}),
        ("Soll ich mehr erzählen\uff1f", {"more"}),
        ("¿Quieres más?", {"more"}),
        ("There is more. Is that all?", set()),
        ("Was it furthermore statuses?", set()),
        ("More.", set()),
        ("Is that the status, e.g. of today, or of the U.S. order?", {"status"}),
        *((text, set[CommandName]()) for text in each_language(SENTENCES["help"]).values()),
    ):
        assert named_in_questions(text) == names, text


@given(st.text(max_size=200))
def test_any_text_can_be_asked_about(text: str) -> None:
    """Whatever it is, it is at most one command."""
    assert command_of(replace(SMS, message=text)) in {"", *WORDS}
    assert named_in_questions(text) <= set(WORDS)
