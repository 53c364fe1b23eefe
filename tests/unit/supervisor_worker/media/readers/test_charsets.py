"""Text files say no charset: it is known by what comes out."""

from __future__ import annotations

from typing import Final

from supervisor_worker.media.readers.charsets import likely_charset
from supervisor_worker.media.readers.text_files import decoded

TEXTS: Final = {
    "cp932": "来週の会議は火曜日の午後三時からです。資料を添付します。",
    "cp949": "다음 주 회의는 화요일 오후 세 시입니다. 자료를 첨부합니다.",
    "gb18030": "下周的会议在星期二下午三点。资料在附件里，请查看。",  # noqa: RUF001
    "big5": "下週的會議在星期二下午三點。資料在附件裡，請查看。",  # noqa: RUF001
    "cp1251": "Встреча на следующей неделе во вторник в три часа.",
    "koi8-r": "Встреча на следующей неделе во вторник в три часа.",
    "cp1253": "Η συνάντηση είναι την Τρίτη στις τρεις.",  # noqa: RUF001
    "cp1255": "הפגישה ביום שלישי בשעה שלוש במשרד הגדול",
    "cp1256": "الاجتماع يوم الثلاثاء في الساعة الثالثة",
}
SHORT: Final = {
    "cp1251": ("Привет, как дела? Это письмо из Москвы.", "Ёлки, съешь же ещё этих мягких булок", "Доброго дня! Як справи у Києві?"),  # noqa: RUF001
    "koi8-r": ("Привет, как дела? Это письмо из Москвы.",),
    "cp1253": ("Καλημέρα σας, τι κάνετε;", "Ευχαριστώ πολύ για το γράμμα"),  # noqa: RUF001
    "cp1255": ("שלום לכם, מה שלומכם היום",),
}
WESTERN: Final = ("Größe: 5 Äpfel, überall schön", "Où est passé l'élève ? créée", "Señor ñandú, ¿qué? ¡ÁÉÍ!", "“quoted” – dash…", "€5", "")  # noqa: RUF001


def test_a_text_without_a_charset_is_read_as_its_language_is_written() -> None:
    """Also with ASCII around it, as in a table; a Western one is never taken for another."""
    for charset, text in TEXTS.items():
        table = f"id;text;sum\n1;{text};25\n2;{text};30\n"
        assert decoded(table.encode(charset)) == table, charset
        assert decoded(table.encode("utf-8")) == table
    for charset, texts in SHORT.items():
        for text in texts:
            assert decoded(text.encode(charset)) == text
    for text in WESTERN:
        assert likely_charset(text.encode("cp1252")) == ""
        assert decoded(text.encode("cp1252"), "") == text


def test_a_charset_that_is_declared_is_taken_before_one_that_is_likely() -> None:
    """The sender knows better."""
    text = TEXTS["cp1251"]
    assert decoded(text.encode("koi8-r"), "koi8-r") == text
