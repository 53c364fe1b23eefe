"""The answers to commands (`shared.model.commands`). Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
    "help": {
        "en": 'Write to me in your own words. By themselves, as a whole message, these are commands: "status" (what waits for '
        'an answer), "more" (the rest of a long answer), "new chat" (starts afresh; "back" within an hour returns), "help".',
        "de": 'Schreib mir in deinen eigenen Worten. Allein, als ganze Nachricht, sind das Befehle: "status" (was auf Antwort '
        'wartet), "mehr" (der Rest einer langen Antwort), "neuer chat" (fängt neu an; "zurück" führt binnen einer Stunde zurück), '
        '"hilfe".',
        "es": 'Habla conmigo con tus propias palabras. Enviados solos, como mensaje entero, estos son comandos: "estado" (qué '
        'espera respuesta), "el resto" (de una respuesta larga), "nuevo chat" (empieza de cero; con "volver", antes de una hora, '
        'regresas al anterior), "ayuda".',
        "fr": 'Écris-moi avec tes propres mots. Envoyés seuls, voici des commandes : "statut" (ce qui attend une réponse), "la '
        'suite" (le reste d\'une longue réponse), "nouvelle discussion" (repart de zéro ; "retour", dans l\'heure, ramène à la '
        'précédente), "aide".',
        "pt": 'Escreva com suas próprias palavras. Enviados sozinhos, como mensagem inteira, estes são comandos: "status" (o '
        'que espera resposta), "ver mais" (o resto de uma resposta longa), "nova conversa" (começa do zero; "voltar" em até uma '
        'hora retorna à anterior), "ajuda".',
        "it": 'Scrivimi con parole tue. Da soli, come messaggio intero, questi sono comandi: "stato" (che cosa aspetta '
        'risposta), "seguito" (il resto di una risposta lunga), "nuova chat" (ricomincia da capo; "indietro" entro un\'ora torna '
        'alla precedente), "aiuto".',
        "nl": 'Schrijf me in je eigen woorden. Los gestuurd, als heel bericht, zijn dit opdrachten: "status" (wat op antwoord '
        'wacht), "meer" (de rest van een lang antwoord), "nieuwe chat" (begint opnieuw; "terug" binnen een uur brengt je terug in '
        'de vorige), "hulp".',
    },
    "no_more": {
        "en": "There is no more: that was all of my last answer.",
        "de": "Mehr gibt es nicht: Das war meine ganze letzte Antwort.",
        "es": "No falta nada: mi respuesta anterior estaba completa.",
        "fr": "Il n'y a rien de plus : c'était toute ma dernière réponse.",
        "pt": "Não há mais nada: essa foi toda a minha última resposta.",
        "it": "Non c'è altro: la mia ultima risposta finiva lì.",
        "nl": "Er is niet meer: dat was mijn hele laatste antwoord.",
    },
    "new_chat": {
        "en": 'A new chat begins here. Nothing is deleted: "back" within an hour returns to the one before.',
        "de": 'Hier beginnt ein neuer Chat. Nichts wird gelöscht: "zurück" führt binnen einer Stunde in den vorigen.',
        "es": 'Empieza un chat nuevo. No se borra nada: con "volver", antes de una hora, regresas al anterior.',
        "fr": "Une nouvelle discussion commence ici. Rien n'est supprimé : \"retour\", dans l'heure, ramène à la précédente.",
        "pt": 'Uma nova conversa começa aqui. Nada é apagado: "voltar" em até uma hora retorna à anterior.',
        "it": 'Qui comincia una nuova chat. Non si elimina niente: "indietro" entro un\'ora torna alla precedente.',
        "nl": 'Hier begint een nieuwe chat. Er wordt niets gewist: "terug" binnen een uur brengt je terug in de vorige.',
    },
    "back": {
        "en": "We are back in the chat before.",
        "de": "Wir sind wieder im vorigen Chat.",
        "es": "Hemos vuelto al chat anterior.",
        "fr": "Nous voilà de retour dans la discussion précédente.",
        "pt": "Voltamos à conversa anterior.",
        "it": "Siamo di nuovo nella chat precedente.",
        "nl": "We zijn terug in de vorige chat.",
    },
    # The answer to status.
    "status_none": {
        "en": "None of your messages waits for an answer.",
        "de": "Keine deiner Nachrichten wartet auf Antwort.",
        "es": "Ninguno de tus mensajes espera respuesta.",
        "fr": "Aucun de tes messages n'attend de réponse.",
        "pt": "Nenhuma das suas mensagens espera resposta.",
        "it": "Nessuno dei tuoi messaggi aspetta risposta.",
        "nl": "Geen van je berichten wacht op antwoord.",
    },
    "status_one": {
        "en": "1 of your messages waits for an answer, since {since}.",
        "de": "1 deiner Nachrichten wartet auf Antwort, seit {since}.",
        "es": "1 de tus mensajes espera respuesta (recibido: {since}).",
        "fr": "1 de tes messages attend une réponse (arrivé : {since}).",
        "pt": "1 das suas mensagens espera resposta (recebida: {since}).",
        "it": "1 dei tuoi messaggi aspetta risposta (ricevuto: {since}).",
        "nl": "1 van je berichten wacht op antwoord, sinds {since}.",
    },
    "status_many": {
        "en": "{count} of your messages wait for an answer, the first since {since}.",
        "de": "{count} deiner Nachrichten warten auf Antwort, die erste seit {since}.",
        "es": "{count} de tus mensajes esperan respuesta (el primero: {since}).",
        "fr": "{count} de tes messages attendent une réponse (le premier : {since}).",
        "pt": "{count} das suas mensagens esperam resposta (a primeira: {since}).",
        "it": "{count} dei tuoi messaggi aspettano risposta (il primo: {since}).",
        "nl": "{count} van je berichten wachten op antwoord, het eerste sinds {since}.",
    },
    "status_last": {
        "en": "Your last: {each}.",
        "de": "Deine letzten: {each}.",
        "es": "Tus mensajes recientes: {each}.",
        "fr": "Tes derniers messages : {each}.",
        "pt": "Suas últimas mensagens: {each}.",
        "it": "I tuoi ultimi messaggi: {each}.",
        "nl": "Je laatste berichten: {each}.",
    },
    "status_each": {
        "en": "{when} {kind}, {state}",
        "de": "{when} {kind}, {state}",
        "es": "{when} {kind}, {state}",
        "fr": "{when} {kind}, {state}",
        "pt": "{when} {kind}, {state}",
        "it": "{when} {kind}, {state}",
        "nl": "{when} {kind}, {state}",
    },
    "kind_text": {
        "en": "text",
        "de": "SMS",
        "es": "SMS",
        "fr": "SMS",
        "pt": "SMS",
        "it": "SMS",
        "nl": "sms",
    },
    "kind_mail": {
        "en": "mail",
        "de": "Mail",
        "es": "correo",
        "fr": "mail",
        "pt": "e-mail",
        "it": "email",
        "nl": "mail",
    },
    "state_waits": {
        "en": "waits",
        "de": "wartet",
        "es": "en espera",
        "fr": "en attente",
        "pt": "em espera",
        "it": "in attesa",
        "nl": "wacht",
    },
    "state_answered": {
        "en": "answered",
        "de": "beantwortet",
        "es": "respondido",
        "fr": "répondu",
        "pt": "respondido",
        "it": "risposto",
        "nl": "beantwoord",
    },
    "state_elsewhere": {
        "en": "answered elsewhere",
        "de": "anderswo beantwortet",
        "es": "respondido en otro sitio",
        "fr": "répondu ailleurs",
        "pt": "respondido em outro lugar",
        "it": "risposto altrove",
        "nl": "elders beantwoord",
    },
    "state_not_answered": {
        "en": "not answered",
        "de": "nicht beantwortet",
        "es": "sin respuesta",
        "fr": "sans réponse",
        "pt": "sem resposta",
        "it": "senza risposta",
        "nl": "niet beantwoord",
    },
    "status_held": {
        "en": "I have used up what I may think about today, and answer when the next day (UTC) begins.",
        "de": "Für heute darf ich nicht mehr nachdenken und antworte, wenn der nächste Tag (UTC) beginnt.",
        "es": "He llegado a mi tope de hoy y respondo al cambiar de fecha (UTC).",
        "fr": "J'ai atteint ma limite pour aujourd'hui et je réponds au début du jour suivant (UTC).",
        "pt": "Cheguei ao meu limite de hoje e respondo quando começar o próximo dia (UTC).",
        "it": "Per oggi ho raggiunto il mio limite: rispondo quando comincia il nuovo giorno (UTC).",
        "nl": "Ik zit aan mijn limiet voor vandaag en antwoord als de volgende dag (UTC) begint.",
    },
    "status_paused": {
        "en": "Sending is paused.",
        "de": "Gerade wird nichts gesendet.",
        "es": "Ahora mismo no se manda nada.",
        "fr": "L'envoi est en pause.",
        "pt": "O envio está em pausa.",
        "it": "L'invio è in pausa.",
        "nl": "Er wordt nu niets verstuurd.",
    },
    "status_not_paused": {
        "en": "Nothing is paused.",
        "de": "Nichts ist angehalten.",
        "es": "No hay nada en pausa.",
        "fr": "Rien n'est en pause.",
        "pt": "Nada está em pausa.",
        "it": "Niente è in pausa.",
        "nl": "Er is niets gepauzeerd.",
    },
    "opted_out_text": {
        "en": "I send you no texts, since you asked me not to.",
        "de": "Ich schicke dir keine SMS, weil du das so wolltest.",
        "es": "No te mando SMS, porque me lo pediste.",
        "fr": "Je ne t'envoie pas de SMS, comme tu me l'as demandé.",
        "pt": "Não envio SMS a você, como você pediu.",
        "it": "Non ti mando SMS, come mi hai chiesto.",
        "nl": "Ik stuur je geen sms'jes, omdat je dat niet wilde.",
    },
    "opted_out_mail": {
        "en": "I send you no mails, since you asked me not to.",
        "de": "Ich schicke dir keine Mails, weil du das so wolltest.",
        "es": "No te mando correos, porque me lo pediste.",
        "fr": "Je ne t'envoie pas de mails, comme tu me l'as demandé.",
        "pt": "Não envio e-mails a você, como você pediu.",
        "it": "Non ti mando email, come mi hai chiesto.",
        "nl": "Ik stuur je geen mails, omdat je dat niet wilde.",
    },
}
