"""The words that mail programs put around other people's mails, in the languages that they speak. They mark; they cut nothing."""
# ruff: noqa: RUF001 - the words of many languages hold letters that look alike

from __future__ import annotations

from typing import Final

# "On Mon, 1 Jan 2024 at 10:00, Ada <ada@example.com> wrote:" in the languages of common clients: how such lines end.
WROTE: Final = (
    "wrote:", "schrieb:", "geschrieben:", "a écrit :", "a écrit:", "escribió:", "ha scritto:", "escreveu:", "schreef:", "skrev:",
    "kirjoitti:", "napsal:", "napsal(a):", "napsala:", "napisał:", "napisał(a):", "napisała:", "пишет:", "написал:", "написала:",
    "написав:", "yazdı:", "írta:", "a scris:", "έγραψε:", "写道：", "写道:", "のメール:", "님이 작성:", "כתב:", "كتب:",
)  # fmt: skip
WROTE_WHO: Final = (" wrote ", " schrieb ", " skrev ", " schreef ", " escribió ", " napsal ")
"""... and the name behind it."""
OPENERS: Final = ("on ", "am ", "le ", "el ", "il ", "em ", "op ", "den ", "dne ", "dnia ", "w dniu ", "on\u00a0", "в ", "2")

FROM: Final = frozenset(
    {"from", "von", "de", "da", "van", "från", "fra", "od", "от", "від", "发件人", "寄件者", "差出人", "送信者", "보낸 사람", "보낸사람",
     "lähettäjä", "kimden", "feladó", "από", "מאת", "من", "expéditeur", "remitente", "mittente", "afzender", "avsändare", "de la",
     "від кого",
     "dari", "từ", "จาก"}
)  # fmt: skip
"""Labels of the line that says who wrote a mail."""
SENT: Final = frozenset(
    {"sent", "gesendet", "envoyé", "enviado", "enviado el", "enviada em", "inviato", "verzonden", "skickat",
     "sendt", "wysłano", "odesláno",
     "lähetetty", "gönderilme tarihi", "gönderildi", "отправлено", "надіслано", "发送时间", "寄件日期", "送信日時", "보낸 날짜",
     "elküldve",
     "trimis", "στάλθηκε", "נשלח", "تاريخ الإرسال", "дата отправки", "odoslané", "poslano", "dikirim"}
)  # fmt: skip
"""Labels of the line with the time, as only mail programs write it."""
OTHERS: Final = frozenset(
    {"date", "datum", "fecha", "data", "päiväys", "päivämäärä", "дата", "日期", "日付", "날짜", "tarih", "dato",
     "dátum", "ημερομηνία", "תאריך",
     "التاريخ", "to", "an", "à", "para", "a", "aan", "naar", "till", "til", "do", "komu", "кому", "收件人", "宛先",
     "받는 사람", "받는사람",
     "vastaanottaja", "kime", "címzett", "către", "προς", "אל", "إلى", "cc", "kopie", "copie", "kopia", "kopi", "копия", "копія", "抄送",
     "bilgi", "subject", "betreff", "objet", "asunto", "oggetto", "assunto", "onderwerp", "ämne", "emne", "temat", "předmět", "predmet",
     "aihe", "konu", "тема", "主题", "主旨", "件名", "제목", "tárgy", "subiect", "θέμα", "נושא", "الموضوع", "reply-to", "antwort an"}
)  # fmt: skip
"""Labels of the other lines."""
PASSED_ON: Final = frozenset(
    {"begin forwarded message:", "anfang der weitergeleiteten nachricht:", "début du message transféré :", "début du message réexpédié :",
     "début du message transféré:", "inizio messaggio inoltrato:", "inicio del mensaje reenviado:", "início da mensagem reencaminhada:",
     "início da mensagem encaminhada:", "begin doorgestuurd bericht:", "vidarebefordrat brev:", "videresendt melding:",
     "videresendt besked:",
     "początek przekazywanej wiadomości:", "začátek přeposílané zprávy:", "начало переадресованного сообщения:",
     "välitetty viesti alkaa:",
     "iletilen ileti başlangıcı:", "továbbított levél kezdete:", "下面是被转发的邮件：", "转发的邮件：", "転送されたメール：",
     "전달된 메시지:"}
)  # fmt: skip
"""Lines that say that a mail is passed on, whole and in lower case."""
PASSED_ON_TITLES: Final = frozenset(
    {"forwarded message", "weitergeleitete nachricht", "message transféré", "mensaje reenviado", "messaggio inoltrato",
     "mensagem encaminhada", "doorgestuurd bericht", "vidarebefordrat meddelande", "videresendt melding", "videresendt meddelelse",
     "przekazana wiadomość", "wiadomość przekazana dalej", "treść przekazanej wiadomości", "přeposlaná zpráva", "forwarded mail",
     "перенаправленное сообщение", "пересылаемое сообщение", "переслане повідомлення", "välitetty viesti", "iletilen mesaj",
     "yönlendirilmiş ileti", "továbbított üzenet", "mesaj redirecționat", "προωθημένο μήνυμα", "转发的邮件", "转发邮件信息", "轉寄郵件",
     "転送メッセージ", "전달된 메시지", "הודעה מועברת", "رسالة معاد توجيهها"}
)  # fmt: skip
"""What mail programs write between dashes above a mail that is passed on."""
ORIGINAL_TITLES: Final = frozenset(
    {"original message", "ursprüngliche nachricht", "originalnachricht", "message d'origine", "message original", "mensaje original",
     "messaggio originale", "mensagem original", "oorspronkelijk bericht", "originalmeddelande", "original melding",
     "oprindelig meddelelse",
     "wiadomość oryginalna", "původní zpráva", "исходное сообщение", "alkuperäinen viesti", "orijinal mesaj", "eredeti üzenet",
     "mesaj original", "原始邮件", "原始郵件", "元のメッセージ", "원본 메시지"}
)  # fmt: skip
"""... and above one that is answered."""
FORWARD_PREFIXES: Final = (
    "fwd:", "fw:", "wg:", "tr:", "rv:", "i:", "enc:", "vs:", "pd:", "doorst:", "vb:", "vl:", "转发:", "转发：", "轉寄:", "転送:", "전달:",
    "fwd：", "fw：", "ynt:", "továbbítás:", "σχετ:", "[fwd:",
)  # fmt: skip
"""How the subject of a mail begins that is passed on, in lower case."""
