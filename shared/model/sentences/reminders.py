"""What code says of reminders. Pure."""

from __future__ import annotations

from typing import Final

from shared.model.sentences.languages import Sentence

SENTENCES: Final[dict[str, Sentence]] = {
    # Of reminders that are due.
    "reminder": {
        "en": "Reminder: {text}",
        "de": "Erinnerung: {text}",
        "es": "Recordatorio: {text}",
        "fr": "Rappel : {text}",
        "pt": "Lembrete: {text}",
        "it": "Promemoria: {text}",
        "nl": "Herinnering: {text}",
    },
    "reminder_late": {
        "en": "Reminder, late (it was due on {when}): {text}",
        "de": "Erinnerung, verspätet (fällig am {when}): {text}",
        "es": "Recordatorio, con retraso (era para el {when}): {text}",
        "fr": "Rappel en retard (prévu le {when}) : {text}",
        "pt": "Lembrete atrasado (era para {when}): {text}",
        "it": "Promemoria in ritardo (era per {when}): {text}",
        "nl": "Late herinnering (bedoeld voor {when}): {text}",
    },
    "reminder_of_mail": {
        "en": "From the mail of {source}: {text}",
        "de": "Aus der Mail von {source}: {text}",
        "es": "Del correo de {source}: {text}",
        "fr": "Du mail de {source} : {text}",
        "pt": "Do e-mail de {source}: {text}",
        "it": "Dall'email di {source}: {text}",
        "nl": "Uit de mail van {source}: {text}",
    },
    "reminder_of_others": {
        "en": "From what others wrote: {text}",
        "de": "Aus Worten anderer: {text}",
        "es": "De lo que han escrito otros: {text}",
        "fr": "De ce que d'autres ont écrit : {text}",
        "pt": "Do que outros escreveram: {text}",
        "it": "Da parole di altri: {text}",
        "nl": "Uit woorden van anderen: {text}",
    },
    "reminders_missed_one": {
        "en": "I could not reach you when this reminder was due:",
        "de": "Als diese Erinnerung fällig war, konnte ich dich nicht erreichen:",
        "es": "No he podido avisarte de este recordatorio a su hora:",
        "fr": "Je n'ai pas pu te joindre quand ce rappel était prévu :",
        "pt": "Não consegui avisar você deste lembrete na hora certa:",
        "it": "Non ho potuto avvisarti all'ora di questo promemoria:",
        "nl": "Ik kon je niet bereiken toen het tijd was voor deze herinnering:",
    },
    "reminders_missed_many": {
        "en": "I could not reach you when these reminders were due:",
        "de": "Als diese Erinnerungen fällig waren, konnte ich dich nicht erreichen:",
        "es": "No he podido avisarte de estos recordatorios a su hora:",
        "fr": "Je n'ai pas pu te joindre quand ces rappels étaient prévus :",
        "pt": "Não consegui avisar você destes lembretes na hora certa:",
        "it": "Non ho potuto avvisarti all'ora di questi promemoria:",
        "nl": "Ik kon je niet bereiken toen het tijd was voor deze herinneringen:",
    },
    "briefing_subject": {
        "en": "Briefing: {text}",
        "de": "Überblick: {text}",
        "es": "Resumen: {text}",
        "fr": "Récap : {text}",
        "pt": "Resumo: {text}",
        "it": "Riepilogo: {text}",
        "nl": "Overzicht: {text}",
    },
    "reminder_subject": {
        "en": "A reminder",
        "de": "Eine Erinnerung",
        "es": "Un recordatorio",
        "fr": "Un rappel",
        "pt": "Um lembrete",
        "it": "Un promemoria",
        "nl": "Een herinnering",
    },
    "reminders_missed_subject": {
        "en": "Reminders that you missed",
        "de": "Verpasste Erinnerungen",
        "es": "Recordatorios que no te llegaron",
        "fr": "Rappels manqués",
        "pt": "Lembretes que não chegaram a você",
        "it": "Promemoria che non ti sono arrivati",
        "nl": "Gemiste herinneringen",
    },
    # Where a person's time zone has changed.
    "zone_asked": {
        "en": "Your time zone is now {new}; reminders that go by {old}: {count}. Reply MOVE REMINDERS for the new clock or KEEP REMINDERS.",
        "de": "Deine Zeitzone ist jetzt {new}; Erinnerungen nach {old}: {count}. Antworte ERINNERUNGEN UMSTELLEN oder ERINNERUNGEN LASSEN.",
        "es": "Tu zona horaria es ahora {new}; recordatorios con hora de {old}: {count}. Responde MOVER RECORDATORIOS para cambiarlos, o "
        "DEJAR RECORDATORIOS.",
        "fr": "Ton fuseau horaire est {new} ; rappels à l'heure de {old} : {count}. Réponds DÉPLACER LES RAPPELS pour les changer ou "
        "GARDER LES RAPPELS.",
        "pt": "Seu fuso agora é {new}; lembretes na hora de {old}: {count}. Responda MUDAR LEMBRETES para a nova hora ou MANTER LEMBRETES.",
        "it": "Il tuo fuso orario ora è {new}; promemoria con l'ora di {old}: {count}. Rispondi SPOSTA PROMEMORIA per la nuova ora o "
        "LASCIA PROMEMORIA.",
        "nl": "Je tijdzone is nu {new}; herinneringen volgens {old}: {count}. Antwoord HERINNERINGEN OMZETTEN voor de nieuwe tijd of "
        "HERINNERINGEN LATEN.",
    },
    "zone_subject": {
        "en": "Your reminders and your new time zone",
        "de": "Deine Erinnerungen und deine neue Zeitzone",
        "es": "Tus recordatorios y tu nueva zona horaria",
        "fr": "Tes rappels et ton nouveau fuseau horaire",
        "pt": "Seus lembretes e seu novo fuso horário",
        "it": "I tuoi promemoria e il tuo nuovo fuso orario",
        "nl": "Je herinneringen en je nieuwe tijdzone",
    },
    "zone_moved": {
        "en": "All your reminders go by the clock of {new} now.",
        "de": "Alle deine Erinnerungen gehen jetzt nach der Uhr von {new}.",
        "es": "Todos tus recordatorios van ahora con la hora de {new}.",
        "fr": "Tous tes rappels suivent maintenant l'heure de {new}.",
        "pt": "Todos os seus lembretes agora seguem a hora de {new}.",
        "it": "Tutti i tuoi promemoria ora seguono l'ora di {new}.",
        "nl": "Al je herinneringen volgen nu de tijd van {new}.",
    },
    "zone_kept": {
        "en": "Your reminders stay, each by the clock by which it was set.",
        "de": "Deine Erinnerungen bleiben, jede nach der Uhr, nach der sie gestellt wurde.",
        "es": "Tus recordatorios se quedan como estaban, cada uno con la hora de su zona.",
        "fr": "Tes rappels restent tels quels, chacun à l'heure de son fuseau.",
        "pt": "Seus lembretes ficam como estavam, cada um na hora do seu fuso.",
        "it": "I tuoi promemoria restano com'erano, ognuno con l'ora del suo fuso.",
        "nl": "Je herinneringen blijven zoals ze waren, elk in de eigen tijdzone.",
    },
    # What was done with reminders.
    "reminder_set": {
        "en": "Reminder, {when}: {text}",
        "de": "Erinnerung, {when}: {text}",
        "es": "Recordatorio, {when}: {text}",
        "fr": "Rappel, {when} : {text}",
        "pt": "Lembrete, {when}: {text}",
        "it": "Promemoria, {when}: {text}",
        "nl": "Herinnering, {when}: {text}",
    },
    "briefing_set": {
        "en": "Briefing, {when}: {text}",
        "de": "Überblick, {when}: {text}",
        "es": "Resumen, {when}: {text}",
        "fr": "Récap, {when} : {text}",
        "pt": "Resumo, {when}: {text}",
        "it": "Riepilogo, {when}: {text}",
        "nl": "Overzicht, {when}: {text}",
    },
    "reminder_moved": {
        "en": "Reminder moved to {when}: {text}",
        "de": "Erinnerung verschoben auf {when}: {text}",
        "es": "Recordatorio cambiado, ahora {when}: {text}",
        "fr": "Rappel déplacé, maintenant {when} : {text}",
        "pt": "Lembrete alterado, agora {when}: {text}",
        "it": "Promemoria spostato, ora {when}: {text}",
        "nl": "Herinnering verzet, nu {when}: {text}",
    },
    "reminder_moved_once": {
        "en": "Reminder moved, this once, to {when}: {text}",
        "de": "Erinnerung nur dieses Mal verschoben auf {when}: {text}",
        "es": "Recordatorio cambiado solo esta vez, {when}: {text}",
        "fr": "Rappel déplacé cette fois seulement, {when} : {text}",
        "pt": "Lembrete alterado apenas desta vez, {when}: {text}",
        "it": "Promemoria spostato solo questa volta, {when}: {text}",
        "nl": "Herinnering alleen deze keer verzet, {when}: {text}",
    },
    "reminder_dropped": {
        "en": "Reminder dropped, {when}: {text}",
        "de": "Erinnerung gestrichen, {when}: {text}",
        "es": "Recordatorio quitado, {when}: {text}",
        "fr": "Rappel supprimé, {when} : {text}",
        "pt": "Lembrete removido, {when}: {text}",
        "it": "Promemoria tolto, {when}: {text}",
        "nl": "Herinnering geschrapt, {when}: {text}",
    },
    "reminder_not_done": {
        "en": "Not done: no reminder was changed.",
        "de": "Nicht erledigt: Es wurde keine Erinnerung geändert.",
        "es": "No se ha hecho: los recordatorios siguen igual.",
        "fr": "Pas fait : aucun rappel n'a changé.",
        "pt": "Não foi feito: nenhum lembrete mudou.",
        "it": "Non fatto: nessun promemoria è cambiato.",
        "nl": "Niet gedaan: er is geen herinnering veranderd.",
    },
    "reminder_once_only": {
        "en": 'Not done: this chat shows words of others, and what is made of them rings once only. Send "new chat", then ask again.',
        "de": 'Nicht erledigt: Hier stehen Worte anderer, und was daraus wird, erinnert nur einmal. Schreib "neuer chat", dann nochmal.',
        "es": 'No se ha hecho: este chat tiene palabras de otros, y con ellas solo hay avisos de una vez. Manda "nuevo chat" y vuelve a '
        "pedirlo.",
        "fr": "Pas fait : il y a ici des mots d'autres personnes, et avec eux un rappel ne sonne qu'une fois. Envoie \"nouvelle "
        'discussion", puis redemande.',
        "pt": 'Não foi feito: há palavras de outros aqui, e com elas só há lembretes de uma vez. Envie "nova conversa" e peça de novo.',
        "it": 'Non fatto: in questa chat ci sono parole di altri, e con quelle un promemoria suona una volta sola. Manda "nuova chat" e '
        "chiedilo di nuovo.",
        "nl": 'Niet gedaan: in deze chat staan woorden van anderen, en daarmee herinner ik maar één keer. Stuur "nieuwe chat" en vraag '
        "het opnieuw.",
    },
    "reminders_full": {
        "en": "Not done: you have 200 reminders, and no more fit. Drop one first.",
        "de": "Nicht erledigt: Du hast 200 Erinnerungen, mehr passen nicht. Streich erst eine.",
        "es": "No se ha hecho: ya tienes 200 recordatorios, que es el tope. Quita uno antes.",
        "fr": "Pas fait : tu as déjà 200 rappels, c'est le maximum. Supprimes-en un d'abord.",
        "pt": "Não foi feito: você tem 200 lembretes e não cabem mais. Remova um primeiro.",
        "it": "Non fatto: hai 200 promemoria e non ce ne stanno altri. Prima togline uno.",
        "nl": "Niet gedaan: je hebt 200 herinneringen, meer passen er niet. Schrap er eerst één.",
    },
}
