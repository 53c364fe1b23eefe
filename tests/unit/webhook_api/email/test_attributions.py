"""The lines above a quoted mail, as programs write them in many languages: with ">" below them and without, whole and broken."""

# ruff: noqa: RUF001 - the colon of East Asia is one of the points

from __future__ import annotations

from typing import Final

from webhook_api.email.quoting import marks_of

WHO: Final = "Ben Lee <ben@shop.example>"
LINES: Final = [
    f"On Mon, May 3, 2027 at 10:00 AM {WHO} wrote:",
    f"On Monday, May 3, 2027, 10:00:36 AM GMT+1, {WHO} wrote:",
    f"Am Mo., 3. Mai 2027 um 10:00 Uhr schrieb {WHO}:",
    f"{WHO} schrieb am Mo., 3. Mai 2027, 10:00:",
    f"Le lun. 3 mai 2027 à 10:00, {WHO} a écrit :",
    f"El lun, 3 may 2027 a las 10:00, {WHO} escribió:",
    f"Il giorno lun 3 mag 2027 alle ore 10:00 {WHO} ha scritto:",
    f"Em seg., 3 de mai. de 2027 às 10:00, {WHO} escreveu:",
    f"Op ma 3 mei 2027 om 10:00 schreef {WHO}:",
    f"Op 3-5-2027 10:00 heeft {WHO} geschreven:",
    f"Den mån 3 maj 2027 kl 10:00 skrev {WHO}:",
    f"D. 3/5/2027 10.00 skrev {WHO}:",
    f"man. 3. mai 2027 kl. 10:00 skrev {WHO}:",
    f"{WHO} skrev følgende den 3.5.2027, 10:00:",
    f"ma 3. toukok. 2027 klo 10.00 {WHO} kirjoitti:",
    f"pon., 3 maj 2027 o 10:00 {WHO} napisał(a):",
    f"po 3. 5. 2027 v 10:00 odesílatel {WHO} napsal:",
    "3/5/2027 10:00 používateľ Ben Lee (<ben@shop.example>) napísal:",
    f"{WHO} ezt írta (időpont: 2027. máj. 3., H, 10:00):",
    f"În lun., 3 mai 2027 la 10:00, {WHO} a scris:",
    f"{WHO}, 3 May 2027 Pzt, 10:00 tarihinde şunu yazdı:",
    f"пн, 3 мая 2027 г. в 10:00, {WHO}:",
    f"3.5.2027, 10:00 пользователь {WHO} написал:",
    f"пн, 3 трав. 2027 р. о 10:00 {WHO} пише:",
    f"На пн, 3.05.2027 г. в 10:00 {WHO} написа:",
    f"pon, 3. svi 2027. u 10:00 {WHO} napisao je:",
    f"Στις Δευ 3 Μαΐ 2027 στις 10:00 π.μ., ο χρήστης {WHO} έγραψε:",
    f"2027-05-03, pr, 10:00 {WHO} rašė:",
    f"2027-05-03 10:00 GMT+02:00 {WHO}:",
    f'03.05.2027, 10:00, "Ben Lee" <{"ben@shop.example"}>:',
    f"10:00 AM, May 3, 2027, {WHO}:",
    f"Monday, 3 May 2027, 10:00 AM +0300 from {WHO}:",
    f"2027年5月3日(月) 10:00 {WHO}:",
    f"2027년 5월 3일 (월) 오전 10:00, {WHO}님이 작성:",
    f"{WHO} 于2027年5月3日周一 10:00写道：",
    f"Vào Th 2, 3 thg 5, 2027 vào lúc 10:00 {WHO} đã viết:",
    f"ในวันที่ จ. 3 พ.ค. 2027 เวลา 10:00 {WHO} เขียนว่า:",
    f"Pada Sen, 3 Mei 2027 pukul 10.00 {WHO} menulis:",
    f"सोम, 3 मई 2027 को 10:00 बजे को {WHO} ने लिखा:",
    f"בתאריך יום ב׳, 3 במאי 2027 ב-10:00 מאת {WHO}:",
    f"في الاثنين، 3 مايو 2027 في 10:00 ص تمت كتابة ما يلي بواسطة {WHO}:",
    f"---- On Mon, 3 May 2027 10:00:43 +0200 {WHO} wrote ----",
    f"On Mon, 3 May 2027 10:00:43 -0200 {WHO} wrote",
]
FORMS: Final = {
    "quoted": "{line}\n\n> Ten bicycles.\n> Forty each.",
    "unmarked": "{line}\n\nTen bicycles.\nForty each.",
    "indented": "{line}\n\n    Ten bicycles.\n    Forty each.",
    "broken": "{broken}\n\n> Ten bicycles.\n> Forty each.",
    "broken and unmarked": "{broken}\nTen bicycles.\nForty each.",
}
"""How programs quote below the line."""


def test_the_line_above_a_quote_is_known_in_each_language_and_form() -> None:
    """The mark begins with that line, goes to the end, and names who wrote and when; the author's own words above have none."""
    failing = []
    for line in LINES:
        broken = line.replace(" <ben@", "\n<ben@") if line[-1] in ":：" else line
        for form, text in FORMS.items():
            for own in ("Yes, please.\n\n", "I can come on Monday at 5.\n", "Yes please\n\n", ""):
                body = own + text.format(line=line, broken=broken)
                (mark, *more) = marks_of(body) or [None]
                if mark is None or more or (mark.start, mark.end) != (len(own), len(body)) or "ben@shop.example" not in mark.source:
                    failing.append((form, line, own, mark))
    assert failing == []


def test_an_address_that_is_broken_within_its_brackets_leaves_no_part_of_the_line() -> None:
    """`> wrote:` is no quote, and the line above it is not the author's."""
    for below in ("> Ten.\n> Forty.", "Ten.\nForty."):
        for end in (">:", "> wrote:"):
            verb = "" if "wrote" in end else " skrev"
            text = f"Yes.\n\nOn Mon, May 3, 2027 at 10:00 AM{verb} Ben Lee <ben@shop.example\n{end}\n\n{below}"
            (mark,) = marks_of(text)
            assert (mark.start, mark.end) == (6, len(text)), text
            assert mark.source.startswith("On Mon, May 3, 2027")


def test_a_quote_that_holds_its_own_attribution_names_its_source() -> None:
    """Phones quote that line with the mail."""
    for line in LINES[:3]:
        (mark,) = marks_of(f"Yes.\n\n> {line}\n> \n> Ten bicycles.")
        assert "ben@shop.example" in mark.source


OWN: Final = [
    "Please call Ben Lee <ben@shop.example> on 3 May 2027 at 10:00.\nThen book it.",
    "Agenda for 3 May 2027, 10:00:\n- bread\n- cheese",
    "To do:\n3 May 2027 10:00: call ben@shop.example\n4 May 2027 11:00: pay",
    "On 3 May 2027 at 10:00 I met Ben, and this is what he told me:\nTen bicycles.",
    "Ben (ben@shop.example) and I spoke at 10:00:\nTen bicycles.",
    "The log says:\n2027-05-03 10:00:01 login ada@example.com from 10.0.0.1:\n2027-05-03 10:00:02 bye",
    "-- \nAda Lee <user@example.com>\n+1 555 0100 0200",
    "---- 3 May 2027 10:00, ben@shop.example ----\nmy own notes",
    "I wrote",
    "On Monday I wrote",
]


def test_what_an_author_writes_about_times_and_addresses_bears_no_mark() -> None:
    """Agendas, logs, sentences that mention somebody."""
    assert [marks_of(text, passed_on=True) for text in OWN] == [()] * len(OWN)


def test_the_sentence_above_an_attribution_stays_the_author_s() -> None:
    """Also where it begins like one and no blank line parts them."""
    for own in ("On Monday at 5 I can come.\n", "Yes please\n"):
        for line in ("Ben wrote 3 May:", f"{WHO} wrote on 3 May 2027 at 10:00:", LINES[0]):
            (mark,) = marks_of(f"{own}{line}\n> Ten.")
            assert mark.start >= len(own), (own, line)


def test_a_line_that_is_broken_in_three_is_one() -> None:
    """With the day, the hour and the name in a line of their own, as phones break it."""
    text = "Yes.\nOn Nov 21, 2026,\nat 10:18,\nBen Lee <ben@shop.example> wrote:\n\n> Ten."
    (mark,) = marks_of(text)
    assert (mark.start, mark.source) == (5, "On Nov 21, 2026, at 10:18, Ben Lee <ben@shop.example> wrote")


WHOLE: Final = [
    '------ Original Message ------\nFrom "Ben Lee" <ben@shop.example>\nTo "Ada" <a@b.c>\nDate 03/05/2027 10:00:00\nSubject X\n\n{}',
    f"-------- Пересылаемое сообщение--------\n03.05.2027, 10:00, {WHO}:\n\n{{}}\n-------- Конец пересылаемого сообщения --------",
    f">>> {WHO} 3/5/2027 10:00 AM >>>\n{{}}",
    f"-----{WHO} wrote: -----\nTo: Ada <ada@example.com>\nFrom: {WHO}\nDate: 03.05.2027 10:00\nSubject: X\n\n{{}}",
    f"----- Mail original -----\nDe: {WHO}\nÀ: ada@example.com\nEnvoyé: Lundi 3 Mai 2027 10:00:00\nObjet: X\n\n{{}}",
    f"-----Original-Nachricht-----\nBetreff: X\nDatum: 2027-05-03T10:00:00+0200\nVon: {WHO}\nAn: ada@example.com\n\n{{}}",
    f"Gesendet: Montag, 03. Mai 2027 um 10:00 Uhr\nVon: {WHO}\nAn: ada@example.com\nBetreff: X\n{{}}",
    f"------------------ 原始邮件 ------------------\n发件人: {WHO};\n发送时间: 2027年5月3日 10:00\n收件人: a;\n主题: X\n\n{{}}",
    f"------------------ Original ------------------\nFrom: {WHO};\nDate: Mon, May 3, 2027 10:00 AM\nTo: a;\nSubject: X\n\n{{}}",
    f"--------- 원본 메일 ---------\n보낸사람: {WHO}\n받는사람: a\n날짜: 2027년 5월 3일 월요일, 10시 00분\n제목: X\n\n{{}}",
    f"> Message du 03/05/27 10:00\n> De : {WHO}\n> A : ada@example.com\n> Copie à : \n> Objet : X\n>\n> {{}}",
    f"On 3 May 2027, 10:00 +0200, {WHO}, wrote:\n> {{}}",
    f"在 2027-05-03 10:00:00，{WHO} 写道：\n{{}}",
]
"""Above a mail, as eM Client, Yandex, GroupWise, Notes, Zimbra, T-Online, GMX, QQ, Daum, Orange, Spark and 163 write it."""


def test_what_further_programs_write_above_a_mail_is_known_with_its_author_and_time() -> None:
    """In a mail that passes it on, and in an answer."""
    failing = []
    for form in WHOLE:
        for passed_on in (True, False):
            text = "What do they want?\n\n" + form.format("Ten bicycles.")
            (mark, *more) = marks_of(text, author="ada@example.com", passed_on=passed_on) or [None]
            whole = mark is not None and not more and (text[: mark.start], mark.end) == ("What do they want?\n\n", len(text))
            if mark is None or not whole or "ben@shop.example" not in mark.source or "3" not in mark.source:
                failing.append((form, mark, more))
    assert failing == []
