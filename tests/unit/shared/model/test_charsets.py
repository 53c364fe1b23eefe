"""Bytes become the text that their author wrote, under right labels, wrong ones, and none."""
# ruff: noqa: RUF001 - letters of other scripts are the point

from __future__ import annotations

import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.charsets import codec_of, decode

RIGHT: Final = [
    ("Is €20 – “cheap” for a hat?", "cp1252", "iso-8859-1 latin1 ISO_8859-1:1987 windows-1252 cp1252 x-cp1252 us-ascii"),
    ("Zażółć gęślą jaźń", "cp1250", "windows-1250 x-cp1250"),
    ("Příliš žluťoučký kůň", "iso8859-2", "iso-8859-2 latin2 l2"),
    ("Günaydın, İyi akşamlar “ğüşıöç”", "cp1254", "iso-8859-9 latin5 windows-1254"),
    ("Ačiū, labas rytas", "cp1257", "windows-1257"),
    ("Très déçu, créée à l'été", "mac-roman", "macintosh x-mac-roman"),
    ("Très déçu, créée à l'été", "cp850", "cp850 IBM850"),
    ("Καλημέρα, τι κάνεις;", "iso8859-7", "iso-8859-7 greek ELOT_928"),
    ("שלום, מה שלומך?", "iso8859-8", "iso-8859-8 iso-8859-8-i iso-8859-8-e visual logical"),
    ("مرحبا، كيف حالك؟", "cp1256", "windows-1256"),
    ("ราคา “100” เขต", "cp874", "tis-620 TIS620 iso-8859-11 windows-874"),
    ("Сколько будет 17 на 23?", "koi8-r", "koi8-r KOI8 koi"),
    ("Привіт, їжак ґанок", "koi8-u", "koi8-u koi8-ru"),
    ("Добро јутро, како сте?", "iso8859-5", "iso-8859-5 cyrillic"),
    ("朱镕基的书，10–20元", "gb18030", "gb2312 GB_2312-80 gbk x-gbk cp936 gb18030 csGB2312 chinese"),
    ("碁 裏 恒，謝謝", "cp950", "big5 big5-hkscs x-x-big5 cn-big5 cp950 big5-tw"),
    ("佢哋嘅嘢好靚呀", "big5hkscs", "big5 big5-hkscs"),
    ("①髙橋さんどうぞ", "cp932", "shift_jis x-sjis windows-31j ms_kanji ms932 cp932 SJIS shift-jis"),
    ("똠방각하 펲시콜라", "cp949", "euc-kr ks_c_5601-1987 ks_c_5601-1989 windows-949 cp949 ms949 uhc KSC_5601"),
    ("こんにちは", "euc_jp", "euc-jp x-euc-jp eucjp"),
    ("こんにちは", "iso2022_jp", "iso-2022-jp ISO-2022-JP csISO2022JP iso-2022-jp-1 us-ascii utf-8 x-unknown"),
    ("안녕하세요", "iso2022_kr", "iso-2022-kr"),
    ("你好，世界", "hz", "hz-gb-2312 hz"),
    ("Grüße €", "utf-7", "utf-7 UTF-7"),
    ("Grüße", "utf-16", "utf-16 utf-8 x-unknown"),
    ("Grüße", "utf-16-le", "utf-16le utf-16"),
    ("Grüße", "utf-16-be", "utf-16be"),
    ("Grüße", "utf-32-le", "utf-32le"),
    ("Grüße", "utf-8-sig", "utf-8 iso-8859-1 gb2312 utf-16"),
    (
        "Привет",
        "utf-8",
        "utf-8 UTF8 utf_8 'utf-8' \"utf-8\" utf-8; utf-8*en unicode-1-1-utf-8 us-ascii ascii default x-unknown unknown-8bit",
    ),
]
"""A text, what it is written in, and the labels under which mail programs read it."""


def test_a_label_means_what_mail_programs_take_it_for() -> None:
    """The whole text and each of its words, cut by a limit or not: by WHATWG's table, its supersets, and the names beyond it."""
    for text, codec, labels in RIGHT:
        for label in labels.split():
            assert decode(text.encode(codec), label) == text, (text, label)
            assert decode(b"Hi, you.", label) == "Hi, you.", label
            for word in text.split() if codec not in ("utf-16", "utf-8-sig", "utf-7") else ():
                assert decode(word.encode(codec), label) == word, (word, label)


def test_japanese_has_the_characters_of_nec_and_ibm_in_all_its_charsets() -> None:
    """Python's own codecs lack them, and take the wave dash for another one than Windows does."""
    for text, sjis in (("①㈱髙～－", "cp932"), ("ﾊﾝｶｸ 123 \\", "cp932")):
        raw = text.encode(sjis)
        assert decode(raw, "shift_jis") == text
    assert decode(b"\x1b$B-!!1\x1b(B 12 \x1b(I1\x1b(J~\n\x1b$B$3", "iso-2022-jp") == "①￣ 12 ｱ~\nこ"
    assert decode(b"\xad\xa1\xfc\xe2 \x8e\xb1 \xa1\xc1 \x8f\xb0\xa1", "euc-jp") == "①髙 ｱ ～ 丂"
    assert decode(b"\x1b$B\x2f\x21$3\x1b$(D\x30\x21\x1b(B", "iso-2022-jp") == "\ufffdこ丂"


TEXTS: Final = [
    ("Wie heißt die Straße? Schöne Grüße, Jürgen", "cp1252"),
    ("Übergröße für Müller", "cp1252"),
    ("Ça va très bien, à bientôt, élève", "cp1252"),
    ("¿Qué tal? ¡Mañana el niño!", "cp1252"),
    ("Is €20 – “cheap” for a hat?", "cp1252"),
    ("Сколько будет 17 на 23? Привет из Москвы", "cp1251"),
    ("Сколько будет 17 на 23? Привет из Москвы", "koi8-r"),
    ("ПРИВЕТ ВСЕМ", "cp1251"),
    ("привет всем", "koi8-r"),
    ("Привіт, як справи? Дякую", "cp1251"),
    ("Привіт, як справи? Дякую", "koi8-u"),
    ("朱镕基的书，10–20元", "gb18030"),
    ("请告诉我明天的天气怎么样", "gb18030"),
    ("你好", "gb18030"),
    ("請告訴我明天的天氣怎麼樣？謝謝", "cp950"),
    ("17かける23は？", "cp932"),
    ("こんにちは", "cp932"),
    ("①髙橋さん、明日の会議は何時ですか", "cp932"),
    ("東京都渋谷区の天気", "euc_jp"),
    ("こんにちは", "euc_jp"),
    ("株式会社テスト", "euc_jp"),
    ("안녕하세요. 내일 날씨가 어때요?", "cp949"),
    ("안녕", "cp949"),
]
WRONG: Final = [
    "",
    "us-ascii",
    "utf-8",
    "x-unknown",
    "iso-8859-1",
    "windows-1252",
    "utf-16",
    "iso-2022-jp",
    "a" * 10_000,
    "../../etc",
    "\0" * 50,
]
CUTS: Final = st.integers(0, 1_000)


@given(st.sampled_from(TEXTS), st.sampled_from(WRONG), st.booleans(), CUTS, st.text("abc XYZ.,\n", max_size=60))
def test_a_wrong_label_is_noticed_by_what_comes_out(written: tuple[str, str], label: str, utf8: bool, cut: int, plain: str) -> None:
    """A text in its language's charset or in UTF-8, beside plain ASCII, cut between two letters; the label says something else."""
    text, codec = written
    text = f"{plain}\n{text} {text[: cut % len(text)]}"
    assert decode(text.encode("utf-8" if utf8 else codec), label) == text


def test_utf_8_is_known_under_any_label() -> None:
    """By two characters or more, or where the label's own reading is none of a text's; with bytes of a footer in another charset."""
    for label in ("gb2312", "big5", "shift_jis", "euc-kr", "koi8-r", "windows-1251", "iso-8859-2", "iso-8859-7", "windows-1256"):
        for text in ("Schöne Grüße", "Привет, мир", "你好，世界", "こんにちは", "안녕하세요"):
            assert decode(text.encode(), label) == text, (text, label)
    assert decode("für".encode(), "iso-8859-1") == "für"
    assert decode("Größe für\n".encode() + "Grüße".encode("cp1252"), "utf-8") == "Größe für\nGrüße"
    assert decode(b"\xed\xa0\xbd\xed\xb8\x80 ok", "utf-8") == "😀 ok"
    assert decode("Grüße".encode()[:3], "utf-8") == "Gr\ufffd"
    assert decode("Müller grüßt".encode("cp1252"), "gb2312") == "Müller grüßt"
    assert decode(b"20 \x80, \xbd\xf1\xcc\xec", "gb2312") == "20 €, 今天"


def test_what_is_no_charset_of_mail_is_none() -> None:
    """Python has codecs that run code or take quadratic time; and a label may say nothing."""
    none = ["unicode_escape", "raw_unicode_escape", "idna", "punycode", "rot13", "base64", "zlib", "mbcs", "undefined"]
    for label in (*none, "", "us-ascii", "replacement", "x-user-defined", "utf-8\0", "ü"):
        assert codec_of(label) == "", label


@given(st.binary(max_size=200), st.sampled_from(["", *" ".join(labels for _, _, labels in RIGHT).split()]))
def test_any_bytes_under_any_label_are_a_text(raw: bytes, label: str) -> None:
    """No error, and no lone surrogate: what comes out can be stored."""
    decode(raw, label).encode("utf-8")


@pytest.mark.many_inputs
def test_no_bytes_take_long_under_any_label() -> None:
    """Only a sample is judged, and what cannot be read is replaced in one pass: a tenth of a megabyte takes a tenth of a second."""
    for raw in (b"\xff" * 100_000, bytes(range(256)) * 400, b"a" * 100_000 + b"\xe9",
                b"\x1b$B" * 33_000, b"\xa4\xb3" * 50_000, b"\x80" * 100_000):  # fmt: skip
        for label in ("", "gb2312", "euc-jp"):
            started = time.process_time()
            decode(raw, label)
            assert time.process_time() - started < 1, (raw[:4], label)


def test_letters_in_a_row_and_short_words_stay_what_they_are() -> None:
    """A list of umlauts under its right label is no Cyrillic; two letters of UTF-8 are read under a label that cannot mean them."""
    for text in ("Umlaute: äöüÄÖÜß", "äöüß", "einzufügen:\näöüÄÖÜß", "Müller äöü"):
        assert decode(text.encode("cp1252"), "iso-8859-1") == text
    assert decode("kritische Zeichen einzufügen: äöüÄÖÜß".encode("cp1252")) == "kritische Zeichen einzufügen: äöüÄÖÜß"
    for text in ("Да", "не", "e-mailом", "是", "ok é è"):
        for label in ("iso-8859-1", "windows-1251", "koi8-r", "iso-8859-15"):
            if len(text.encode()) - len(text) > 1:
                assert decode(text.encode(), label) == text, (text, label)
    for text, label in (("Ты едешь?", "windows-1251"), ("да", "koi8-r"), ("Škoda žije", "iso-8859-2"), ("รถ ลง", "tis-620")):
        assert decode(text.encode(label), label) == text


def test_a_label_is_known_whatever_a_program_writes_around_it() -> None:
    """What it quoted for the way, a comment, another parameter; and programs' own names."""
    for label in ('3D"iso-8859-2"', "3Diso-8859-2", '"ISO-8859-2', "iso-8859-2 (Latin 2)", "iso-8859-2;format=flowed", " 'iso-8859-2'"):
        assert codec_of(label) == "iso8859-2", label
    names = {
        "win-1250": "cp1250", "cp-1251": "cp1251", "dos-862": "cp862", "ibm-852": "cp852", "ANSI": "cp1252", "sjis-win": "cp932",
        "cp50220": "iso-2022-jp", "utf8mb4": "utf-8", "eucJP-ms": "euc-jp", "x": "", "": "", "3d": "", "cp99": "", "win-9999": "",
    }  # fmt: skip
    assert {name: codec_of(name) for name in names} == names
