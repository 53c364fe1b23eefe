"""Answers of ours and of people, in eight languages: short ones, paragraphs, lists, code, addresses."""
# ruff: noqa: RUF001 - the words of many languages hold letters that look alike

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Language:
    """Six sentences that a Boss may say, two answers of a person, and how Gmail writes an attribution."""

    sentences: tuple[str, ...]
    answers: tuple[str, str]
    wrote: str


LANGUAGES: Final = {
    "en": Language(
        ("The train to Leeds leaves at nine and arrives shortly before noon.", "A seat by the window costs 12 more than one at the aisle.",
         "Shall I book two tickets, or will you decide tomorrow?", "The hotel beside the station still has three rooms for the weekend.",
         "Breakfast is included, but the parking lot has to be paid for.", "Tell me which of them you prefer."),
        ("Yes, please book them.", "I would rather go by car this time.\nCould you look for a garage near the hotel?"),
        "On Mon, 3 May 2027 at 09:00, Boss <boss@example.com> wrote:",
    ),
    "de": Language(
        ("Der Zug nach Köln fährt um neun und kommt kurz vor zwölf an.", "Ein Platz am Fenster kostet 12 Euro mehr als einer am Gang.",
         "Soll ich zwei Fahrkarten buchen, oder entscheidest du morgen?", "Das Hotel am Bahnhof hat für das Wochenende noch drei Zimmer.",
         "Das Frühstück ist dabei, der Parkplatz kostet aber extra.", "Sag mir, welches dir lieber ist."),
        ("Ja, bitte buchen.", "Ich fahre diesmal lieber mit dem Auto.\nSuchst du eine Garage in der Nähe?"),
        "Am Mo., 3. Mai 2027 um 09:00 Uhr schrieb Boss <boss@example.com>:",
    ),
    "fr": Language(
        ("Le train pour Lyon part à neuf heures et arrive un peu avant midi.", "Une place côté fenêtre coûte 12 euros de plus.",
         "Dois-je réserver deux billets, ou décides-tu demain ?", "L’hôtel près de la gare a encore trois chambres pour le week-end.",
         "Le petit déjeuner est compris, mais le parking est payant.", "Dis-moi laquelle tu préfères."),
        ("Oui, réserve-les.", "Je préfère y aller en voiture cette fois.\nPeux-tu chercher un garage à côté ?"),
        "Le lun. 3 mai 2027 à 09:00, Boss <boss@example.com> a écrit :",
    ),
    "es": Language(
        ("El tren a Sevilla sale a las nueve y llega poco antes de las doce.", "Un asiento de ventanilla cuesta 12 euros más.",
         "¿Reservo dos billetes o lo decides mañana?", "El hotel junto a la estación aún tiene tres habitaciones.",
         "El desayuno está incluido, pero el aparcamiento se paga aparte.", "Dime cuál prefieres."),
        ("Sí, resérvalos.", "Esta vez prefiero ir en coche.\n¿Buscas un garaje cerca?"),
        "El lun, 3 may 2027 a las 09:00, Boss (<boss@example.com>) escribió:",
    ),
    "ru": Language(
        ("Поезд в Тверь отправляется в девять и прибывает около полудня.", "Место у окна стоит на 12 рублей дороже.",
         "Заказать два билета или вы решите завтра?", "В гостинице у вокзала ещё есть три номера на выходные.",
         "Завтрак включён, но за стоянку нужно платить отдельно.", "Скажите, что вам больше подходит."),
        ("Да, закажите.", "В этот раз я лучше поеду на машине.\nНайдите, пожалуйста, гараж рядом."),
        "пн, 3 мая 2027 г. в 09:00, Boss <boss@example.com>:",
    ),
    "ja": Language(
        ("京都行きの電車は九時に出て、正午少し前に着きます。", "窓側の席は通路側より十二ユーロ高くなります。",
         "切符を二枚予約しましょうか、それとも明日決めますか。",
         "駅前のホテルは週末にまだ三部屋空いています。", "朝食は付いていますが、駐車場は別料金です。", "どちらがよいか教えてください。"),
        ("はい、お願いします。", "今回は車で行きたいです。\n近くの駐車場を探してください。"),
        "2027年5月3日(月) 9:00 Boss <boss@example.com>:",
    ),
    "zh": Language(
        ("去杭州的火车九点出发，中午之前到达。", "靠窗的座位比靠过道的贵十二元。", "要我订两张票，还是您明天再决定？",
         "车站旁边的酒店周末还有三个房间。",
         "早餐包含在内，但停车需要另外付费。", "请告诉我您更喜欢哪一个。"),
        ("好的，请预订。", "这次我想开车去。\n请找一个附近的车库。"),
        "Boss <boss@example.com> 于2027年5月3日周一 09:00写道：",
    ),
    "ar": Language(
        ("يغادر القطار إلى الإسكندرية في التاسعة ويصل قبل الظهر بقليل.", "المقعد بجانب النافذة أغلى باثني عشر يورو.",
         "هل أحجز تذكرتين أم تقرر غدا؟", "ما زالت في الفندق بجانب المحطة ثلاث غرف لنهاية الأسبوع.",
         "الفطور مشمول، لكن موقف السيارات مدفوع.", "أخبرني أيهما تفضل."),
        ("نعم، احجزهما من فضلك.", "أفضل الذهاب بالسيارة هذه المرة.\nهل تبحث عن مرآب قريب؟"),
        "في الاثنين، 3 مايو 2027 في 09:00 ص تمت كتابة ما يلي بواسطة Boss <boss@example.com>:",
    ),
}  # fmt: skip
CODE: Final = "```\nfor seat in range(12):\n    book(seat, price=30 + seat)\n```"
URL: Final = "https://tickets.example.com/journeys/2027/05/03/leeds?adults=2&class=second&return=2027-05-07#seats"


def answers_of_ours(language: Language) -> Iterator[str]:
    """Five answers, in Markdown."""
    said = language.sentences
    yield said[0]
    yield "\n\n".join(" ".join(pair) for pair in (said[0:2], said[2:4], said[4:6]))
    yield f"{said[0]}\n\n- {said[1]}\n- {said[3]}\n- {said[4]}\n\n{said[5]}"
    yield f"{said[3]}\n\n1. {said[0]}\n2. {said[1]}\n3. {said[4]}\n\n{CODE}\n\n{said[2]}"
    yield f"{said[2]}\n\n{URL}\n\n**{said[1]}** {said[3]} {said[4]}\n\n{said[5]}"
