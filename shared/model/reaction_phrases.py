"""How phones word a reaction, and its removal, in the text that they send in its place: `_` stands for the quoted text.

iPhones write these words in the language of the phone; they and Google's Messages write an emoji and a word or two beside it. Sources, read
in November 2026: the tables of quik-sms/quik (confirmed on phones), forms seen in public test data and reports, and for the rest the words
in which these systems name the same six reactions. A phrase that no phone writes does no harm: a reaction is only what quotes a text that
was sent in the conversation.
"""

from __future__ import annotations

from typing import Final

REACTIONS: Final = {
    "en": "loved _; liked _; disliked _; laughed at _; emphasized _; emphasised _; questioned _; reacted to _; "
    "reacted with a sticker to _; reacted with a photomoji to _; removed a heart from _; removed a like from _; "
    "removed a dislike from _; removed a laugh from _; removed an exclamation from _; removed an exclamation mark from _; "
    "removed a question mark from _; removed an emphasis from _; removed a reaction from _; removed a sticker from _",
    "es": "le gustó _; le gusta _; le encantó _; le encanta _; le dio risa _; le hace gracia _; le sorprende _; no le gustó _; "
    "no le gusta _; ya no le gusta _; ya no le hace gracia _; ya no le encanta _; ya no le sorprende _; dejó de gustarle _; "
    "dejó de darle risa _; dejó de encantarle _; dejó de no gustarle _; dudó sobre _; duda sobre _; dejó de dudar sobre _; "
    "ya no duda sobre _; exclamó por _; dejó de exclamar por _; reaccionó con un sticker a _; enfatizó _; cuestionó _; "
    "se rió de _; ha eliminado un corazón de _; ha eliminado un me gusta de _; ha eliminado una risa de _; "
    "eliminó un corazón de _; eliminó un me gusta de _; quitó un corazón de _",
    "pt": "curtiu _; não curtiu _; gostou de _; não gostou de _; adorou _; amou _; riu de _; enfatizou _; destacou _; "
    "questionou _; reagiu com gosto a _; reagiu com não gosto a _; reagiu com adoro a _; removeu uma risada de _; "
    "removeu uma exclamação de _; removeu um coração de _; removeu uma curtida de _; removeu um ponto de interrogação de _; "
    "removeu um gosto de _",
    "fr": "a aimé _; a adoré _; n'a pas aimé _; a ri de _; a souligné _; a insisté sur _; a remis en question _; "
    "a ajouté un rire à _; a ajouté un point d'interrogation à _; a ajouté des points d'exclamation à _; "
    "a ajouté un j'aime à _; a ajouté un je n'aime pas à _; a ajouté un cœur à _; a attribué la mention j'aime à _; "
    "a attribué la mention je n'aime pas à _; a attribué la mention j'adore à _; a retiré son j'aime de _; "
    "a retiré son je n'aime pas de _; a retiré son rire de _; a retiré son cœur de _; a retiré un cœur de _; "
    "a retiré son point d'interrogation de _; a retiré ses points d'exclamation de _",
    "de": "gefällt _; gefällt _ nicht; _ gefällt; _ gefällt nicht; liebt _; mag _; mag _ nicht; lacht über _; hat gelacht über _; "
    "hat über _ gelacht; betont _; hat _ betont; hebt _ hervor; hat _ hervorgehoben; hinterfragt _; hat _ hinterfragt; "
    "stellt _ infrage; hat _ infrage gestellt; hat _ geliked; hat _ mit einem herz markiert; hat _ mit gefällt mir markiert; "
    "hat ein herz zu _ hinzugefügt; hat gefällt mir zu _ hinzugefügt; hat ein herz von _ entfernt; "
    "hat gefällt mir von _ entfernt; hat gefällt mir nicht von _ entfernt; hat ein lachen von _ entfernt; "
    "hat ein ausrufezeichen von _ entfernt; hat ein fragezeichen von _ entfernt",
    "it": "ha aggiunto un cuoricino a _; ha aggiunto un cuore a _; ha aggiunto il punto interrogativo a _; "
    "ha aggiunto un punto interrogativo a _; ha aggiunto i punti esclamativi a _; ha aggiunto mi piace a _; "
    "ha aggiunto non mi piace a _; ha messo mi piace a _; trova divertente _; ha riso di _; ha riso per _; ha enfatizzato _; "
    "ha evidenziato _; ha messo in dubbio _; ha amato _; ha apprezzato _; non ha apprezzato _; ha rimosso un cuoricino da _; "
    "ha rimosso un cuore da _; ha rimosso mi piace da _; ha rimosso non mi piace da _; ha rimosso una risata da _; "
    "ha rimosso un punto esclamativo da _; ha rimosso un punto interrogativo da _",
    "nl": "vond _ leuk; vond _ niet leuk; vond _ geweldig; vindt _ leuk; vindt _ niet leuk; gaf een hartje aan _; "
    "gaf een duim omhoog aan _; gaf een duim omlaag aan _; lachte om _; moest lachen om _; benadrukte _; "
    "plaatste een uitroepteken bij _; plaatste een vraagteken bij _; zette vraagtekens bij _; verwijderde een hartje van _; "
    "verwijderde een duim omhoog van _; verwijderde een duim omlaag van _; verwijderde een lach van _; "
    "verwijderde een uitroepteken van _; verwijderde een vraagteken van _",
    "da": "føjede et hjerte til _; kunne lide _; kunne ikke lide _; synes godt om _; syntes godt om _; syntes ikke om _; "
    "elskede _; lo ad _; grinede ad _; fremhævede _; understregede _; satte spørgsmålstegn ved _; fjernede et hjerte fra _; "
    "fjernede synes godt om fra _; fjernede et grin fra _; fjernede et udråbstegn fra _; fjernede et spørgsmålstegn fra _",
    "sv": "gillade _; gillar _; älskade _; älskar _; gillade inte _; ogillade _; skrattade åt _; betonade _; framhävde _; "
    "ifrågasatte _; tog bort ett hjärta från _; tog bort en gillning från _; tog bort gilla från _; "
    "tog bort ett skratt från _; tog bort ett utropstecken från _; tog bort ett frågetecken från _",
    "no": "satte et hjerte ved _; elsket _; likte _; liker _; liker ikke lenger _; mislikte _; misliker ikke lenger _; lo av _; "
    "satte utropstegn ved _; fremhevet _; satte spørsmålstegn ved _; fjernet et hjerte fra _; fjernet latter fra _; "
    "fjernet et utropstegn fra _; fjernet et spørsmålstegn fra _",
    "fi": "tykkäsi _; tykkäsi viestistä _; rakasti _; rakasti viestiä _; ei tykännyt _; ei tykännyt viestistä _; nauroi _; "
    "nauroi viestille _; korosti _; korosti viestiä _; kyseenalaisti _; kyseenalaisti viestin _; poisti sydämen viestistä _; "
    "poisti tykkäyksen viestistä _",
    "pl": "lubi _; polubił(a) _; polubił _; polubiła _; uwielbia _; pokochał(a) _; nie lubi _; nie polubił(a) _; śmieje się z _; "
    "roześmiał(a) się z _; podkreśla _; podkreślił(a) _; kwestionuje _; zakwestionował(a) _; usunął serce z _; "
    "usunęła serce z _; usunięto serce z _; usunięto polubienie z _",
    "cs": "líbí se _; nelíbí se _; líbilo se _; miluje _; zasmál se _; zasmál(a) se _; směje se _; zdůraznil(a) _; "
    "zpochybnil(a) _; odebral(a) srdce z _; odebral(a) líbí se z _",
    "sk": "páči sa _; nepáči sa _; páčilo sa _; miluje _; smeje sa na _; zasmial(a) sa na _; zdôraznil(a) _; spochybnil(a) _; "
    "odstránil(a) srdce z _",
    "hu": "tetszik _; tetszett _; nem tetszik _; nem tetszett _; kedvelte _; imádja _; imádta _; nevetett ezen _; nevet ezen _; "
    "kiemelte _; megkérdőjelezte _",
    "ro": "i-a plăcut _; a apreciat _; nu i-a plăcut _; a adorat _; a iubit _; a râs la _; a râs de _; a accentuat _; "
    "a evidențiat _; a pus la îndoială _; a eliminat o inimă de la _",
    "hr": "sviđa se _; svidjelo se _; sviđa mi se _; ne sviđa se _; obožava _; nasmijao se na _; naglasio je _; istaknuto _; upitno _",
    "ca": "li agrada _; li ha agradat _; li encanta _; no li agrada _; l'ha sorprès _; li fa gràcia _; ha rigut amb _; "
    "ha emfatitzat _; ha qüestionat _",
    "tr": "beğenildi _; beğenilmedi _; beğendi _; _ beğendi; _ beğenildi; çok sevildi _; kalp eklendi _; gülme işareti eklendi _; "
    "ünlem işareti eklendi _; soru işareti eklendi _; kalp silindi _; beğeni silindi _; gülme işareti silindi _; "
    "ünlem işareti silindi _; soru işareti silindi _; vurgulandı _; güldü _",  # noqa: RUF001 - letters of that language
    "ru": "понравилось _; не понравилось _; очень понравилось _; посмеялись над _; посмеялся над _; посмеялась над _; "
    "рассмешило _; отмечено _; подчеркнуто _; выделено _; под вопросом _; вызвало вопрос _; удалено понравилось _; "
    "удален смех _; удалено сердечко _",
    "uk": "подобається _; не подобається _; сподобалося _; не сподобалося _; обожнює _; піддає сумніву _; сміється з _; "
    "посміялися з _; наголошено _; наголошує на _; видалено реакцію на _",
    "bg": "харесано _; харесва _; не харесва _; обича _; смее се на _; подчертава _; поставя под въпрос _",  # noqa: RUF001 - letters of that language
    "el": "άρεσε _; του άρεσε _; δεν άρεσε _; αγάπησε _; λάτρεψε _; γέλασε με _; τόνισε _; αμφισβήτησε _; αφαίρεσε μια καρδιά από _",
    "ar": "أحب _; أحب(ت) _; وضع(ت) إعجابًا على _; وضع(ت) عدم إعجاب على _; أعجبه _; لم يعجبه _; ضحك على _; ضحك(ت) على _; "
    "أكّد على _; أكّد(ت) على _; تساءل عن _; تساءل(ت) عن _; أزال قلبًا من _; أزال(ت) قلبًا من _",
    "he": "אהב את _; אהבה את _; אהב/ה את _; לא אהב את _; לא אהב/ה את _; צחק על _; צחק/ה על _; הדגיש את _; הדגיש/ה את _; "
    "הטיל ספק ב _; הטיל/ה ספק ב _; הסיר/ה לב מ _",
    "fa": "پسندید _; _ را پسندید; _ را دوست داشت; به _ خندید; بر _ تأکید کرد",
    "hi": "_ पसंद आया; _ पसंद किया; _ को पसंद किया; _ बहुत पसंद आया; _ पसंद नहीं आया; _ पर हँसे; _ पर ज़ोर दिया; _ पर सवाल किया",
    "id": "menyukai _; menyukai pesan _; tidak menyukai _; mencintai _; menertawakan _; tertawa pada _; menekankan _; "
    "mempertanyakan _; menghapus hati dari _; menghapus suka dari _",
    "ms": "menyukai _; suka _; tidak suka _; menyayangi _; ketawa pada _; menekankan _; mempersoalkan _",
    "vi": "đã thích _; đã yêu thích _; đã không thích _; đã cười _; đã cười với _; đã nhấn mạnh _; đã nghi vấn _; đã thả tim _; "
    "đã thả tim cho _; đã xóa trái tim khỏi _; đã xóa lượt thích khỏi _; đã xóa tiếng cười khỏi _; "
    "đã xóa dấu chấm than khỏi _; đã xóa dấu hỏi khỏi _",
    "th": "ชอบ _; ถูกใจ _; รัก _; ไม่ชอบ _; ไม่ถูกใจ _; หัวเราะ _; หัวเราะกับ _; เน้น _; เน้นย้ำ _; ตั้งคำถาม _; ตั้งคำถามกับ _; สงสัย _",
    "ja": "_ にいいねしました; _ にいいね！しました; _ にいいねと言っています; _ を気に入りました; _ が気に入りました; "  # noqa: RUF001 - letters of that language
    "_ にハートを付けました; _ を大好きと言っています; _ によくないねしました; _ をよくないと言っています; _ に笑いました; "
    "_ を笑いました; _ を強調しました; _ に疑問を持ちました; _ に疑問を呈しました; _ へのいいねを取り消しました; "
    "_ からハートを削除しました",
    "ko": "_ 좋아함; _ 을(를) 좋아함; _ 을(를) 좋아합니다; _ 에 좋아요를 표시함; _ 에 좋아요를 표시했습니다; _ 에 하트를 표시함; "
    "_ 에 하트를 표시했습니다; _ 을(를) 싫어함; _ 에 싫어요를 표시함; _ 에 웃음을 표시함; _ 에 웃음을 표시했습니다; "
    "_ 을(를) 강조함; _ 을(를) 강조했습니다; _ 에 물음표를 표시함; _ 에 의문을 표시함; _ 에서 하트를 제거함",
    "zh": "喜欢 _; 喜歡 _; 赞了 _; 讚了 _; 不喜欢 _; 不喜歡 _; 踩了 _; 爱 _; 很喜欢 _; 很喜歡 _; 笑了 _; 大笑 _; 对 _ 大笑; "
    "對 _ 大笑; 惊叹 _; 驚嘆 _; 强调 _; 強調 _; 强调了 _; 強調了 _; 质疑 _; 質疑 _; 对 _ 表示赞; 对 _ 表示了赞; "
    "对 _ 表示喜爱; 对 _ 表示了喜爱; 对 _ 表示了质疑; 對 _ 表示喜愛; 对 _ 表示疑问; 觉得 _ 很好笑; 覺得 _ 很好笑; "
    "移除了对 _ 的喜爱; 从 _ 移除了红心; 從 _ 移除了愛心",
}
"""By language; the phrases of each separated by semicolons."""

EMOJI_WORDS: Final = {
    "en": "reacted with to removed from a an reaction",
    "es": "reaccionó ha reaccionado se con a para quitó eliminó la una reacción de",
    "pt": "reagiu com a à ao para removeu uma reação de em",
    "fr": "a réagi avec par à au supprimé retiré la une réaction de sur",
    "de": "hat mit auf reagiert reagierte zu an entfernt eine reaktion von",
    "it": "ha reagito con a per rimosso la una reazione da su",
    "nl": "heeft met gereageerd reageerde op aan naar verwijderde verwijderd een reactie van",
    "da": "reagerede med på til fjernede en reaktion fra",
    "sv": "reagerade med på till tog bort en reaktion från",
    "no": "reagerte med på til fjernet en reaksjon fra",
    "fi": "reagoi viestiin käyttämällä poisti reaktion viestistä",
    "pl": "zareagował(a) zareagował zareagowała na do z usunął usunęła usunięto reakcję",
    "cs": "reagoval(a) reagoval reagovala na pomocí k do s odebral(a) reakci z",
    "sk": "zareagoval(a) reagoval(a) na pomocou k s reakciu",
    "hu": "reagált erre ezzel a az következőre reakció",
    "ro": "a reacționat cu la pentru eliminat o reacție de",
    "hr": "reagirao reagirala je na s uklonjena reakcija",
    "ca": "ha reaccionat amb a al reacció",
    "tr": "tepkisi verdi ile mesajına ifadesiyle tepki gösterdi kaldırıldı",  # noqa: RUF001 - letters of that language
    "ru": "реакция на отреагировал(а) отреагировал отреагировала реакцию к с помощью удалена",  # noqa: RUF001 - letters of that language
    "uk": "реакція на до відреагувал(ла) з за допомогою",
    "bg": "реагира реагираха с на към",  # noqa: RUF001 - letters of that language
    "el": "αντέδρασε με σε στο",
    "ar": "تفاعل تفاعل(ت) بـ ب مع على إلى",
    "he": "הגיב הגיבה הגיב/ה עם על ל אל ב",
    "fa": "به با واکنش نشان داد",
    "hi": "ने पर को के साथ से प्रतिक्रिया दी",
    "id": "bereaksi dengan terhadap pada ke untuk menghapus reaksi dari memberi",
    "vi": "đã bày tỏ cảm xúc với về cho phản ứng đến bằng xóa khỏi",
    "th": "แสดงความรู้สึก ตอบสนอง ด้วย ต่อ กับ ถึง",
    "ja": "に で を へ から でリアクションしました のリアクションをしました を付けました で反応しました を削除しました への",
    "ko": "에 에게 로 으로 반응을 보임 보였습니다 반응함 반응했습니다 대한 반응 공감함",
    "zh": "对 對 用 以 给 給 从 從 回应了 回應了 回应 回應 做出了 做出了回应 做出 作出了 的回应 的反应 的反應 表示 移除了",
}
"""The words that stand beside an emoji and the quoted text, by language. Any other word there is a person's."""

FILES: Final = {
    "en": "an image; a contact; an attachment; an audio message; a sticker",
    "es": "una imagen; un contacto",
    "fr": "une image; un contact",
    "it": "un'immagine; un contatto",
    "pt": "uma imagem; um contato",
}
"""What stands in the place of the quoted text where a file is reacted to. No film, and no photo: who loved one says so in these words."""
