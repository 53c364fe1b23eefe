"""How automatic answers begin their subjects, in the languages of the common mail systems."""
# ruff: noqa: RUF001 - the words of many languages hold letters that look alike

from __future__ import annotations

import re
from typing import Final

_PHRASES: Final = (
    # Exchange and Outlook, in the languages of their packs; older programs; Lotus Notes; webmail services
    "automatic reply", "automatic response", "automated reply", "automated response", "auto-reply", "auto reply", "autoreply",
    "auto-response", "auto response", "autoresponse", "auto-responder", "autoresponder", "autoreply message", "out of office",
    "out-of-office", "out-of-office reply",
    "out of the office", "out of office autoreply", "out of office reply", "vacation reply", "vacation message",
    "vacation auto-reply", "away message", "automatische antwort", "automatische antwort per e-mail", "abwesenheitsnotiz",
    "abwesenheitsmeldung", "abwesenheitsnachricht", "automatische abwesenheitsnotiz", "automatische abwesenheitsmeldung",
    "abwesenheitsbenachrichtigung", "automatische rückantwort", "automatische eingangsbestätigung", "nicht im büro", "außer haus",
    "réponse automatique", "réponse automatisée", "absence du bureau", "absent du bureau", "absente du bureau", "message d'absence",
    "message d’absence", "notification d'absence", "réponse automatique d'absence", "respuesta automática", "respuesta automatica",
    "fuera de la oficina", "fuera de oficina", "mensaje de ausencia", "ausente de la oficina", "risposta automatica", "fuori sede",
    "fuori ufficio", "assenza dall'ufficio", "messaggio di assenza", "risponditore automatico", "resposta automática",
    "resposta automatica", "resposta automàtica", "fora do escritório", "ausência temporária", "ausente do escritório",
    "mensagem de ausência", "fora de l'oficina", "erantzun automatikoa", "automatisch antwoord", "automatische antwoord",
    "automatische reactie", "afwezigheidsbericht", "afwezigheidsmelding", "niet op kantoor", "automatiskt svar", "autosvar",
    "frånvaromeddelande", "inte på kontoret", "frånvarande från kontoret", "automatisk svar", "automatisk besvarelse",
    "automatisk svarmelding", "fraværsmelding", "fraværsbesked", "ikke på kontoret", "sjálfvirkt svar", "automaattinen vastaus",
    "poissaoloviesti", "poissa toimistosta", "poissaoloilmoitus", "automatyczna odpowiedź", "odpowiedź automatyczna", "poza biurem",
    "nieobecność w biurze", "autoodpowiedź", "autoresponder", "automatická odpověď", "mimo kancelář", "automatická odpoveď",
    "mimo kancelárie", "samodejni odgovor", "automatski odgovor", "аутоматски одговор", "automatikus válasz", "házon kívül",
    "irodán kívül", "răspuns automat", "în afara biroului", "автоматичен отговор", "извън офиса", "автоматический ответ",
    "автоматическое уведомление", "автоответ", "автоответчик", "вне офиса", "уведомление об отсутствии", "автоматична відповідь",
    "автовідповідь", "поза офісом", "автоматты жауап", "аўтаматычны адказ", "αυτόματη απάντηση", "εκτός γραφείου", "otomatik yanıt",
    "otomatik cevap", "ofis dışında", "ofis dışı", "automatinis atsakymas", "automātiska atbilde", "automātiskā atbilde",
    "automaatvastus", "automaatne vastus", "תגובה אוטומטית", "מענה אוטומטי", "תשובה אוטומטית", "מחוץ למשרד", "رد تلقائي",
    "الرد التلقائي", "خارج المكتب", "پاسخ خودکار", "स्वचालित उत्तर", "स्वचालित जवाब", "ตอบกลับอัตโนมัติ", "การตอบกลับอัตโนมัติ",
    "trả lời tự động", "thư trả lời tự động", "balasan otomatis", "balas otomatis", "balasan automatik", "自動応答", "自動返信",
    "自動回答", "不在通知", "不在応答", "不在のお知らせ", "自动答复", "自动回复", "外出自动回复", "不在办公室", "自動回覆",
    "自動答覆", "自動回復", "不在辦公室", "외출 자동 회신", "자동 회신", "자동 응답", "자동회신", "자동응답", "부재중",
    "부재중 자동 응답", "부재 중",
)  # fmt: skip
_TAGS: Final = r"(?:\[[^\[\]]{1,40}\]\s*|\*{2,}[^*]{1,40}\*{2,}\s*)*"
_PHRASE: Final = "|".join(map(re.escape, sorted(set(_PHRASES), key=len, reverse=True)))
# What follows is nothing, a mark, or the subject that is answered: "Out of office next week" is somebody's own words.
_SUBJECT: Final = re.compile(rf"{_TAGS}(?:{_PHRASE})\s*(?:$|[:：;|(\[【（–—-]|re\b)", re.IGNORECASE)
# "[Auto-Reply] Bikes", "【自動返信】…", "Auto-reply from ada@example.com: Bikes".
_MARKED: Final = re.compile(
    rf"{_TAGS}(?:[\[(（【*]{{1,3}}\s?(?:{_PHRASE})\s?[\])）】*]{{1,3}}|auto-?(?:matic )?reply from \S{{1,80}}(?:$|\s?:))", re.IGNORECASE
)
# Lotus Notes: "AUTO: Ada Lee is out of the office (returning 05/07/2027)"; by itself the sentence may be a person's.
_NOTES: Final = re.compile(
    rf"{_TAGS}auto:\s*.{{1,60}} (?:is|ist|est|está|è) |{_TAGS}.{{1,60}} is (?:currently )?out of (?:the )?office ?\(returning",
    re.IGNORECASE,
)


def is_automatic(subject: str) -> bool:
    """Whether a subject is one that programs give to automatic answers."""
    text = " ".join(subject.split())[:300]
    return bool(_SUBJECT.match(text) or _MARKED.match(text) or _NOTES.match(text))
