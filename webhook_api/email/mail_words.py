"""The words that mail programs put around other people's mails, in the languages that they speak. They mark; they cut nothing."""
# ruff: noqa: RUF001 - the words of many languages hold letters that look alike

from __future__ import annotations

from typing import Final

# "On Mon, 1 Jan 2024 at 10:00, Ada <ada@example.com> wrote:" in the languages of common clients.
WROTE: Final = (
    "wrote", "schrieb", "schrieb folgendes", "geschrieben", "a écrit", "escribió", "ha scritto", "escreveu", "schreef", "geschreven",
    "skrev", "skrev följande", "skrev følgende", "kirjoitti", "napsal", "napsal(a)", "napsala", "napísal", "napísal(a)", "napísala",
    "napisał", "napisał(a)", "napisała", "pisze", "пишет", "написал", "написала", "написал(а)", "написав", "пише", "написа", "напісаў",
    "је написао", "је написао/ла", "yazdı", "şunu yazdı", "írta", "ezt írta", "a scris", "έγραψε", "napisao je", "je napisao",
    "je napisao/la", "napisao/la je", "je napisala", "rakstīja", "rašė", "parašė", "kirjutas", "va escriure", "escribiu", "đã viết",
    "viết", "menulis", "เขียน", "เขียนว่า", "写道", "寫道", "写到", "のメール", "님이 작성", "님이 씀", "כתב", "כתבה", "מאת", "كتب",
    "كتبت", "تمت كتابة ما يلي بواسطة", "نوشت", "ने लिखा", "skrifaði", "shkroi",
)  # fmt: skip
"""The words for "wrote" that stand in such a line."""
OPENERS: Final = (
    "on ", "am ", "le ", "el ", "il ", "em ", "op ", "den ", "d. ", "dne ", "dnia ", "w dniu ", "on\u00a0", "в ", "на ", "στις ", "în ",
    "vào ", "pada ", "2",
)  # fmt: skip

FROM: Final = frozenset(
    {"from", "von", "de", "da", "van", "från", "fra", "od", "от", "від", "发件人", "寄件者", "差出人", "送信者", "보낸 사람", "보낸사람",
     "lähettäjä", "kimden", "feladó", "από", "מאת", "من", "expéditeur", "remitente", "mittente", "afzender", "avsändare", "de la",
     "від кого", "dari", "từ", "จาก", "nadawca", "šalje", "pošiljatelj", "отправитель", "відправник", "saatja", "gönderen", "expeditorul",
     "送信元", "avsender", "afsender", "odesílatel", "odosielateľ", "siuntėjas", "sūtītājs", "pengirim", "người gửi", "ผู้ส่ง", "المرسل"}
)  # fmt: skip
"""Labels of the line that says who wrote a mail."""
SENT: Final = frozenset(
    {"sent", "gesendet", "envoyé", "enviado", "enviado el", "enviada em", "inviato", "verzonden", "skickat", "sendt", "wysłano",
     "odesláno", "lähetetty", "gönderilme tarihi", "gönderildi", "отправлено", "надіслано", "发送时间", "寄件日期", "送信日時",
     "보낸 날짜", "elküldve", "trimis", "στάλθηκε", "נשלח", "تاريخ الإرسال", "дата отправки", "odoslané", "poslano", "dikirim",
     "gönderilen", "відправлено", "envoyé le", "verzonden op", "poslané", "išsiųsta", "nosūtīts", "saadetud", "đã gửi", "ส่ง",
     "изпратено", "послато"}
)  # fmt: skip
"""Labels of the line with the time, as only mail programs write it."""
OTHERS: Final = frozenset(
    {"date", "datum", "fecha", "data", "päiväys", "päivämäärä", "дата", "日期", "日付", "날짜", "tarih", "dato", "dátum", "ημερομηνία",
     "תאריך", "التاريخ", "to", "an", "à", "para", "a", "aan", "naar", "till", "til", "do", "komu", "кому", "收件人", "宛先", "받는 사람",
     "받는사람", "vastaanottaja", "kime", "címzett", "către", "προς", "אל", "إلى", "cc", "kopie", "copie", "kopia", "kopi", "копия",
     "копія", "抄送", "bilgi", "subject", "betreff", "objet", "asunto", "oggetto", "assunto", "onderwerp", "ämne", "emne", "temat",
     "předmět", "predmet", "aihe", "konu", "тема", "主题", "主旨", "件名", "제목", "tárgy", "subiect", "θέμα", "נושא", "الموضوع",
     "reply-to", "antwort an", "adresat", "másolatot kap", "másolat", "dw", "kópia", "naslov", "prima", "za", "primatelj", "dată", "pre",
     "kopie (cc)", "subiectul", "destinatarul", "sujet", "pour", "copie à", "kopio", "送信先", "kuupäev", "teema", "saaja", "kellele",
     "data wysłania", "wysłane", "message du"}
)  # fmt: skip
"""Labels of the other lines."""
PASSED_ON: Final = frozenset(
    {"begin forwarded message:", "anfang der weitergeleiteten nachricht:", "début du message transféré :", "début du message réexpédié :",
     "début du message transféré:", "inizio messaggio inoltrato:", "inicio del mensaje reenviado:", "início da mensagem reencaminhada:",
     "início da mensagem encaminhada:", "begin doorgestuurd bericht:", "vidarebefordrat brev:", "videresendt melding:",
     "videresendt besked:", "początek przekazywanej wiadomości:", "začátek přeposílané zprávy:", "начало переадресованного сообщения:",
     "välitetty viesti alkaa:", "iletilen ileti başlangıcı:", "továbbított levél kezdete:", "下面是被转发的邮件：", "转发的邮件：",
     "転送されたメール：", "전달된 메시지:", "start på videresendt besked:", "započni proslijeđenu poruku:",
     "začiatok preposlanej správy:", "începe mesajul redirecționat:", "ileti başlangıcı:", "початок листа, що пересилається:",
     "vidarebefordrat mejl:", "begynnelse på videresendt melding:"}
)  # fmt: skip
"""Lines that say that a mail is passed on, whole and in lower case."""
PASSED_ON_TITLES: Final = frozenset(
    {"forwarded message", "weitergeleitete nachricht", "message transféré", "mensaje reenviado", "messaggio inoltrato",
     "mensagem encaminhada", "doorgestuurd bericht", "vidarebefordrat meddelande", "videresendt melding", "videresendt meddelelse",
     "przekazana wiadomość", "wiadomość przekazana dalej", "treść przekazanej wiadomości", "přeposlaná zpráva", "forwarded mail",
     "перенаправленное сообщение", "пересылаемое сообщение", "переслане повідомлення", "välitetty viesti", "iletilen mesaj",
     "yönlendirilmiş ileti", "továbbított üzenet", "mesaj redirecționat", "προωθημένο μήνυμα", "转发的邮件", "转发邮件信息", "轉寄郵件",
     "転送メッセージ", "전달된 메시지", "הודעה מועברת", "رسالة معاد توجيهها", "mensagem reencaminhada", "wiadomość przesłana dalej",
     "proslijeđena poruka", "preposlaná správa", "メッセージを転送", "перенаправлене повідомлення", "iletilen ileti", "message transmis",
     "edelleenlähetetty viesti", "iletilmiş mesaj", "videresendt e-post", "missatge reenviat", "reenviada", "persiųstas laiškas",
     "pārsūtīts ziņojums", "edastatud kiri", "препратено съобщение", "прослеђена порука", "posredovano sporočilo", "ข้อความที่ส่งต่อ",
     "thư đã chuyển tiếp", "pesan terusan", "अग्रेषित संदेश"}
)  # fmt: skip
"""What mail programs write between dashes above a mail that is passed on."""
ORIGINAL_TITLES: Final = frozenset(
    {"original message", "ursprüngliche nachricht", "originalnachricht", "message d'origine", "message original", "mensaje original",
     "messaggio originale", "mensagem original", "oorspronkelijk bericht", "originalmeddelande", "original melding",
     "oprindelig meddelelse", "wiadomość oryginalna", "původní zpráva", "исходное сообщение", "alkuperäinen viesti", "orijinal mesaj",
     "eredeti üzenet", "mesaj original", "原始邮件", "原始郵件", "元のメッセージ", "원본 메시지", "oprindelig besked", "izvorna poruka",
     "pôvodná správa", "izvirno sporočilo", "оригинална порука", "вихідне повідомлення", "оригінальне повідомлення", "algne kiri",
     "original-nachricht", "originalt meddelande", "ursprungligt meddelande", "opprinnelig melding"}
)  # fmt: skip
"""... and above one that is answered."""


def folded(text: str) -> str:
    """A text as the words of these tables are spelled; a Turkish capital I with a dot would fold to two characters."""
    return text.replace("\u0130", "i").casefold()
