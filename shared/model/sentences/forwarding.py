"""What code says of mails by forwarding addresses: who wrote one, why nothing is said of it, the digest. All of it goes by mail. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
    "headline": {
        "en": "Mail to {via} from {address}{called}. {proof}.",
        "de": "Mail an {via} von {address}{called}. {proof}.",
        "es": "Correo a {via} de {address}{called}. {proof}.",
        "fr": "Mail à {via} de {address}{called}. {proof}.",
        "pt": "E-mail para {via} de {address}{called}. {proof}.",
        "it": "Email a {via} da {address}{called}. {proof}.",
        "nl": "Mail aan {via} van {address}{called}. {proof}.",
    },
    "proof": {
        "en": "{proven} (envelope sender {sender}; SPF {spf}; DKIM {dkim})",
        "de": "{proven} (Absender des Umschlags {sender}; SPF {spf}; DKIM {dkim})",
        "es": "{proven} (remitente del sobre {sender}; SPF {spf}; DKIM {dkim})",
        "fr": "{proven} (expéditeur de l'enveloppe {sender} ; SPF {spf} ; DKIM {dkim})",
        "pt": "{proven} (remetente do envelope {sender}; SPF {spf}; DKIM {dkim})",
        "it": "{proven} (mittente della busta {sender}; SPF {spf}; DKIM {dkim})",
        "nl": "{proven} (afzender van de envelop {sender}; SPF {spf}; DKIM {dkim})",
    },
    "proven": {
        "en": "This sender is proven",
        "de": "Dieser Absender ist belegt",
        "es": "Este remitente está verificado",
        "fr": "Cet expéditeur est vérifié",
        "pt": "Este remetente foi verificado",
        "it": "Questo mittente è verificato",
        "nl": "Deze afzender is geverifieerd",
    },
    "not_proven": {
        "en": "This sender is not proven: anybody may have written it",
        "de": "Dieser Absender ist nicht belegt: Jeder kann das geschrieben haben",
        "es": "Este remitente no está verificado: puede haberlo escrito cualquiera",
        "fr": "Cet expéditeur n'est pas vérifié : n'importe qui a pu l'écrire",
        "pt": "Este remetente não foi verificado: qualquer pessoa pode ter escrito isto",
        "it": "Questo mittente non è verificato: può averlo scritto chiunque",
        "nl": "Deze afzender is niet geverifieerd: iedereen kan dit geschreven hebben",
    },
    "dkim_valid": {
        "en": "valid for {names}",
        "de": "gültig für {names}",
        "es": "válido para {names}",
        "fr": "valide pour {names}",
        "pt": "válido para {names}",
        "it": "valido per {names}",
        "nl": "geldig voor {names}",
    },
    "dkim_none": {
        "en": "no valid signature",
        "de": "keine gültige Unterschrift",
        "es": "sin firma válida",
        "fr": "pas de signature valide",
        "pt": "sem assinatura válida",
        "it": "nessuna firma valida",
        "nl": "geen geldige handtekening",
    },
    "unknown": {
        "en": "unknown",
        "de": "unbekannt",
        "es": "desconocido",
        "fr": "inconnu",
        "pt": "desconhecido",
        "it": "sconosciuto",
        "nl": "onbekend",
    },
    "no_subject": {
        "en": "a mail without a subject",
        "de": "eine Mail ohne Betreff",
        "es": "un correo sin asunto",
        "fr": "un mail sans objet",
        "pt": "um e-mail sem assunto",
        "it": "un'email senza oggetto",
        "nl": "een mail zonder onderwerp",
    },
    "forwarded_nothing": {
        "en": "I have nothing to say about it.",
        "de": "Dazu habe ich nichts zu sagen.",
        "es": "No tengo nada que decir al respecto.",
        "fr": "Je n'ai rien à en dire.",
        "pt": "Não tenho nada a dizer sobre isso.",
        "it": "Non ho niente da dire in proposito.",
        "nl": "Ik heb er niets over te zeggen.",
    },
    "forwarded_failed": {
        "en": "I could not read it: something went wrong on my side, and whoever runs me can have me try again. Who wrote it was told "
        "nothing.",
        "de": "Ich konnte sie nicht lesen: Bei mir ist etwas schiefgegangen. Wer mich betreibt, kann mich noch einmal damit beauftragen. "
        "Wer sie geschrieben hat, hat nichts davon erfahren.",
        "es": "No he podido leerlo: algo ha fallado por mi parte, y quien me gestiona puede hacer que lo intente otra vez. A quien lo "
        "escribió no se le ha dicho nada.",
        "fr": "Je n'ai pas pu le lire : il y a eu un problème chez moi, et la personne qui me gère peut me faire réessayer. Celle qui l'a "
        "écrit n'en a rien su.",
        "pt": "Não consegui ler: algo deu errado do meu lado, e quem me administra pode me fazer tentar de novo. Quem escreveu não foi "
        "avisado de nada.",
        "it": "Non ho potuto leggerla: qualcosa è andato storto da parte mia, e chi mi gestisce può farmi riprovare. A chi l'ha scritta "
        "non è stato detto niente.",
        "nl": "Ik kon hem niet lezen: er ging iets mis aan mijn kant, en wie mij beheert kan het me opnieuw laten proberen. Wie hem "
        "schreef, heeft niets te horen gekregen.",
    },
    "forwarded_waits_day": {
        "en": "I have used up what I may think about today, and will tell you what it says {when}.",
        "de": "Für heute darf ich nicht mehr nachdenken und sage dir {when}, was darin steht.",
        "es": "He llegado a mi límite de hoy y te diré {when} lo que dice.",
        "fr": "J'ai atteint ma limite pour aujourd'hui : je te dirai {when} ce qu'il contient.",
        "pt": "Cheguei ao meu limite de hoje e {when} conto o que ele diz.",
        "it": "Per oggi ho raggiunto il mio limite: ti dirò {when} che cosa dice.",
        "nl": "Ik zit aan mijn limiet voor vandaag en vertel je {when} wat erin staat.",
    },
    "forwarded_waits_share": {
        "en": "I have used up what I may think about such mails in a day, and will tell you what it says, and others that come in, {when}.",
        "de": "Über solche Mails darf ich heute nicht mehr nachdenken. Was darin und in weiteren steht, sage ich dir {when}.",
        "es": "He llegado a mi límite de hoy para estos correos: te diré {when} lo que dicen este y los que sigan llegando.",
        "fr": "J'ai atteint ma limite du jour pour ce genre de mails : je te dirai {when} ce que contiennent celui-ci et les suivants.",
        "pt": "Cheguei ao limite de hoje para e-mails assim: {when} conto o que dizem este e os próximos que chegarem.",
        "it": "Ho raggiunto il limite di oggi per email come questa: ti dirò {when} che cosa dicono questa e le prossime.",
        "nl": "Ik zit aan mijn limiet van vandaag voor zulke mails en vertel je {when} wat er in deze en de volgende staat.",
    },
    # Of a recording that nobody heard, by the reason: who reads it did not say what was not heard.
    "forwarded_not_heard": {
        "en": "A recording came with it, which I cannot hear.",
        "de": "Dabei war eine Aufnahme, die ich nicht hören kann.",
        "es": "Venía con una grabación que no puedo escuchar.",
        "fr": "Il y avait aussi un enregistrement que je ne peux pas écouter.",
        "pt": "Veio com uma gravação que não consigo ouvir.",
        "it": "C'era anche una registrazione che non posso ascoltare.",
        "nl": "Er zat een opname bij die ik niet kan beluisteren.",
    },
    "forwarded_too_long": {
        "en": "A recording came with it that is longer than what I can hear.",
        "de": "Dabei war eine Aufnahme, die länger ist, als ich hören kann.",
        "es": "Venía con una grabación demasiado larga para que la escuche.",
        "fr": "Il y avait aussi un enregistrement trop long pour que je l'écoute.",
        "pt": "Veio com uma gravação longa demais para eu ouvir.",
        "it": "C'era anche una registrazione troppo lunga perché possa ascoltarla.",
        "nl": "Er zat een opname bij die te lang is om te beluisteren.",
    },
    "forwarded_not_understood": {
        "en": "A recording came with it whose words I could not make out.",
        "de": "Dabei war eine Aufnahme, deren Worte ich nicht verstehen konnte.",
        "es": "Venía con una grabación cuyas palabras no he entendido.",
        "fr": "Il y avait aussi un enregistrement dont je n'ai pas compris les mots.",
        "pt": "Veio com uma gravação cujas palavras não consegui entender.",
        "it": "C'era anche una registrazione di cui non ho capito le parole.",
        "nl": "Er zat een opname bij die ik niet kon verstaan.",
    },
    "forwarded_not_paid": {
        "en": "A recording came with it, and I have used up what I may listen to today.",
        "de": "Dabei war eine Aufnahme, und für heute darf ich nichts mehr anhören.",
        "es": "Venía con una grabación, y por hoy ya no puedo escuchar más.",
        "fr": "Il y avait aussi un enregistrement, et j'ai atteint ma limite d'écoute pour aujourd'hui.",
        "pt": "Veio com uma gravação, e por hoje não posso ouvir mais nada.",
        "it": "C'era anche una registrazione, e per oggi non posso ascoltare altro.",
        "nl": "Er zat een opname bij, en voor vandaag mag ik niets meer beluisteren.",
    },
    "forwarded_hearing_failed": {
        "en": "A recording came with it that I could not hear just now.",
        "de": "Dabei war eine Aufnahme, die ich gerade nicht hören konnte.",
        "es": "Venía con una grabación que ahora no he podido escuchar.",
        "fr": "Il y avait aussi un enregistrement que je n'ai pas pu écouter cette fois.",
        "pt": "Veio com uma gravação que não consegui ouvir agora.",
        "it": "C'era anche una registrazione che adesso non ho potuto ascoltare.",
        "nl": "Er zat een opname bij die ik nu niet kon beluisteren.",
    },
    # The digest.
    "digest_before": {
        "en": "More mails came in at {via} than I read in a day. These I did not read, and nobody who wrote one was told anything:",
        "de": "Unter {via} kamen mehr Mails an, als ich an einem Tag lese. Diese habe ich nicht gelesen, und wer sie geschrieben hat, hat "
        "nichts davon erfahren:",
        "es": "A {via} han llegado más correos de los que leo en un día. Estos no los he leído, y a quienes los escribieron no se les ha "
        "dicho nada:",
        "fr": "Il est arrivé à {via} plus de mails que je n'en lis en un jour. Je n'ai pas lu ceux-ci, et leurs auteurs n'en ont rien su :",
        "pt": "Chegaram em {via} mais e-mails do que leio em um dia. Estes eu não li, e quem os escreveu não foi avisado de nada:",
        "it": "A {via} sono arrivate più email di quante ne legga in un giorno. Queste non le ho lette, e a chi le ha scritte non è stato "
        "detto niente:",
        "nl": "Op {via} kwamen meer mails binnen dan ik op een dag lees. Deze heb ik niet gelezen, en wie er een schreef, heeft niets te "
        "horen gekregen:",
    },
    "digest_behind": {
        "en": "Ask me here about one of them, within a week: I have kept what they say, as far as there was room.",
        "de": "Frag mich hier binnen einer Woche nach einer davon: Was darin steht, habe ich behalten, soweit Platz war.",
        "es": "Pregúntame aquí por cualquiera de ellos, en el plazo de una semana: he guardado lo que dicen, hasta donde había sitio.",
        "fr": "Tu peux m'interroger ici sur l'un d'eux pendant une semaine : j'ai gardé leur contenu, dans la mesure de la place "
        "disponible.",
        "pt": "Pergunte aqui sobre qualquer um deles em até uma semana: guardei o que dizem, enquanto houve espaço.",
        "it": "Chiedimi qui di una qualsiasi, entro una settimana: ho conservato quello che dicono, finché c'era spazio.",
        "nl": "Vraag me hier binnen een week naar een ervan: ik heb bewaard wat erin staat, voor zover er plaats was.",
    },
    "digest_more_one": {
        "en": "and 1 more, of which I kept nothing",
        "de": "und 1 weitere, von der ich nichts behalten habe",
        "es": "y 1 más, del que no he guardado nada",
        "fr": "et 1 autre, dont je n'ai rien gardé",
        "pt": "e mais 1, do qual não guardei nada",
        "it": "e un'altra, di cui non ho conservato niente",
        "nl": "en nog 1, waarvan ik niets heb bewaard",
    },
    "digest_more_many": {
        "en": "and {count} more, of which I kept nothing",
        "de": "und {count} weitere, von denen ich nichts behalten habe",
        "es": "y {count} más, de los que no he guardado nada",
        "fr": "et {count} autres, dont je n'ai rien gardé",
        "pt": "e mais {count}, dos quais não guardei nada",
        "it": "e altre {count}, di cui non ho conservato niente",
        "nl": "en nog {count}, waarvan ik niets heb bewaard",
    },
    "digest_subject_one": {
        "en": "1 more mail",
        "de": "1 weitere Mail",
        "es": "1 correo más",
        "fr": "1 autre mail",
        "pt": "Mais 1 e-mail",
        "it": "1 altra email",
        "nl": "Nog 1 mail",
    },
    "digest_subject_many": {
        "en": "{count} more mails",
        "de": "{count} weitere Mails",
        "es": "{count} correos más",
        "fr": "{count} autres mails",
        "pt": "Mais {count} e-mails",
        "it": "Altre {count} email",
        "nl": "Nog {count} mails",
    },
    "digest_file_one": {
        "en": " (with 1 file, not kept)",
        "de": " (mit 1 Datei, nicht behalten)",
        "es": " (con 1 archivo, no guardado)",
        "fr": " (avec 1 fichier, non conservé)",
        "pt": " (com 1 arquivo, não guardado)",
        "it": " (con 1 file, non conservato)",
        "nl": " (met 1 bestand, niet bewaard)",
    },
    "digest_file_many": {
        "en": " (with {count} files, not kept)",
        "de": " (mit {count} Dateien, nicht behalten)",
        "es": " (con {count} archivos, no guardados)",
        "fr": " (avec {count} fichiers, non conservés)",
        "pt": " (com {count} arquivos, não guardados)",
        "it": " (con {count} file, non conservati)",
        "nl": " (met {count} bestanden, niet bewaard)",
    },
}
