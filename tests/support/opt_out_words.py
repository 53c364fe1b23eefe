"""Words by which a carrier, or an account of Twilio's with Advanced Opt-Out, may opt a person out, in the languages of our sentences."""

from __future__ import annotations

from typing import Final

OPT_OUT_WORDS: Final = frozenset(
    (
        # Twilio's own, and the French ones of Canada's carriers.
        "stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "arret", "arrete", "arrett", "remove", "td",
        # What companies have set besides, as far as one meets it.
        "stopp", "ende", "beenden", "abmelden", "abbestellen", "austragen", "widerruf", "alto", "baja", "basta", "parar", "cancelar",
        "finalizar", "salir", "detener", "eliminar", "desuscribir", "fin", "annuler", "quitter", "desabonner", "desinscrire", "resilier",
        "sair", "pare", "cancele", "descadastrar", "remover", "fim", "encerrar", "ferma", "fermare", "esci", "annulla", "cancella",
        "disiscrivi", "disiscrivimi", "fine", "revoca", "stoppen", "afmelden", "uitschrijven", "opzeggen", "einde", "annuleren",
    )
)  # fmt: skip
"""In small letters without accents."""
