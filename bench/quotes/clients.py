"""How 27 mail programs quote an answer of ours in the mail that they send."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False})
_BLOCK: Final = re.compile(r"<(p|li|pre|h\d)[^>]*>(.*?)</\1>", re.DOTALL)
ADDRESSED: Final = "To: Ada Lovelace <user@example.com>\nSubject: Re: A journey"
SIGNATURE: Final = "-- \nAda Lovelace\nLovelace & Sons, Leeds"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of ours as it was sent: plain text and HTML; `wrote` is how an attribution says whose it is, in the person's language."""

    plain: str
    wrote: str

    @property
    def markup(self) -> str:
        """Its HTML."""
        return str(_MARKDOWN.render(self.plain))


@dataclass(frozen=True, slots=True)
class Reply:
    """The person's mail: a plain text, or HTML."""

    text: str = ""
    html: str = ""


def quoted(text: str, mark: str = "> ") -> str:
    """Each line behind a mark."""
    return "\n".join(f"{mark}{line}".rstrip() for line in text.split("\n"))


def wrapped(text: str, width: int = 70) -> str:
    """Long lines broken, also those without a blank."""
    return "\n".join("\n".join(textwrap.wrap(line, width)) or line for line in text.split("\n"))


def _lines(said: str) -> str:
    return "".join(f"<div>{html.escape(line) or '<br>'}</div>" for line in said.split("\n"))


def _blocks(markup: str, form: str) -> str:
    """Our HTML taken apart and built anew, as Word does; `form` holds {} for a paragraph's words."""
    return "".join(form.format(inner) for _, inner in _BLOCK.findall(markup))


def _gmail_html(said: str, answer: Answer, *, below: bool = False) -> Reply:
    quote = (
        f'<div class="gmail_quote"><div dir="ltr" class="gmail_attr">{html.escape(answer.wrote)}<br></div>'
        '<blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px #ccc solid;padding-left:1ex">'
        f"{answer.markup}</blockquote></div>"
    )
    own = f'<div dir="ltr">{_lines(said)}</div>'
    return Reply(html=quote + own if below else f"{own}<br>{quote}")


def _outlook_head(sent: str = "Monday, 3 May 2027 09:00") -> str:
    return f"From: Boss <boss@example.com>\nSent: {sent}\n{ADDRESSED}"


def _outlook_head_html() -> str:
    fields = (html.escape(line).partition(":") for line in _outlook_head().split("\n"))
    return "<br>".join(f"<b>{name}:</b>{value}" for name, _, value in fields)


def _outlook_word(said: str, answer: Answer) -> Reply:
    own = "".join(f'<p class="MsoNormal">{html.escape(line)}<o:p></o:p></p>' for line in said.split("\n"))
    border = '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
    form = '<p class="MsoNormal">{}<o:p></o:p></p>'
    return Reply(html=f'{own}<div>{border}<p class="MsoNormal">{_outlook_head_html()}</p></div></div>{_blocks(answer.markup, form)}')


def _outlook_web(said: str, answer: Answer) -> Reply:
    head = f'<hr style="width:98%"><div id="divRplyFwdMsg"><font>{_outlook_head_html()}</font><div>&nbsp;</div></div>'
    return Reply(html=f"{_lines(said)}{head}<div>{answer.markup}</div>")


def _yahoo_html(said: str, answer: Answer) -> Reply:
    on = html.escape("On Monday, May 3, 2027 at 09:00:00 AM GMT+2, Boss <boss@example.com> wrote:")
    return Reply(html=f'<div>{_lines(said)}</div><div class="yahoo_quoted"><div>{on}</div><div><br></div><div>{answer.markup}</div></div>')


def _cite_html(said: str, answer: Answer) -> Reply:
    attribution = f'<div class="moz-cite-prefix">{html.escape("On 5/3/27 09:00, Boss wrote:")}<br></div>'
    return Reply(
        html=f'<p>{html.escape(said).replace(chr(10), "<br>")}</p>{attribution}<blockquote type="cite">{answer.markup}</blockquote>'
    )


def _apple_html(said: str, answer: Answer) -> Reply:
    inner = f"<div>{html.escape('On 3 May 2027, at 09:00, Boss <boss@example.com> wrote:')}</div><br><div>{answer.markup}</div>"
    return Reply(html=f'{_lines(said)}<div><br><blockquote type="cite">{inner}</blockquote></div>')


def _text(form: str) -> Callable[[str, Answer], Reply]:
    """A plain text by a form with {said}, {wrote}, {quote} and {plain}."""

    def reply(said: str, answer: Answer) -> Reply:
        return Reply(text=form.format(said=said, wrote=answer.wrote, quote=quoted(answer.plain), plain=answer.plain))

    return reply


def _cut(said: str, answer: Answer) -> Reply:
    lines = answer.plain.split("\n")
    return Reply(text=f"{said}\n\n{answer.wrote}\n{quoted(chr(10).join(lines[: max(1, len(lines) * 6 // 10)]))}")


CLIENTS: Final[dict[str, Callable[[str, Answer], Reply]]] = {
    "Gmail": _text("{said}\n\n{wrote}\n\n{quote}\n"),
    "Gmail, wrapped": lambda said, answer: Reply(text=f"{said}\n\n{wrapped(answer.wrote, 50)}\n\n{quoted(wrapped(answer.plain))}\n"),
    "Gmail, below": _text("{wrote}\n\n{quote}\n\n{said}\n"),
    "Apple Mail": _text("{said}\n\n> On 3 May 2027, at 09:00, Boss <boss@example.com> wrote:\n> \n{quote}\n"),
    "iPhone": _text("{said}\n\nSent from my iPhone\n\n> On 3 May 2027, at 09:00, Boss <boss@example.com> wrote:\n> \n> \ufeff\n{quote}\n"),
    "Thunderbird": _text("{said}\n\nOn 5/3/27 09:00, Boss wrote:\n{quote}\n"),
    "Thunderbird, below": _text("On 5/3/27 09:00, Boss wrote:\n{quote}\n\n{said}\n"),
    "Outlook": _text(f"{{said}}\n\n-----Original Message-----\n{_outlook_head()}\n\n{{plain}}\n"),
    "Outlook, rule": _text(f"{{said}}\n\n________________________________\n{_outlook_head()}\n\n{{plain}}\n"),
    "Outlook, German": _text(
        "{said}\n\nVon: Boss <boss@example.com>\nGesendet: Montag, 3. Mai 2027 09:00\nAn: Ada\nBetreff: Re: Reise\n\n{plain}\n"
    ),
    "Outlook for Mac": _text(f"{{said}}\n\nFrom: Boss <boss@example.com>\nDate: Monday, 3 May 2027 at 09:00\n{ADDRESSED}\n{{plain}}\n"),
    "Yahoo": _text("{said}\n\n   On Monday, May 3, 2027 at 09:00:00 AM GMT+2, Boss <boss@example.com> wrote:  \n \n {plain}  \n"),
    "Proton": _text("{said}\n\nOn Monday, May 3rd, 2027 at 9:00 AM, Boss <boss@example.com> wrote:\n\n{quote}\n"),
    "Samsung": _text(
        "{said}\n\n-------- Original message --------\nFrom: Boss <boss@example.com>\nDate: 03/05/2027 09:00 (GMT+01:00)\n"
        "To: Ada <user@example.com>\nSubject: Re: A journey\n\n{plain}\n"
    ),
    "mutt": _text("On Mon, May 03, 2027 at 09:00:00AM +0200, Boss wrote:\n{quote}\n\n{said}\n"),
    "signature between": _text(f"{{said}}\n\n{SIGNATURE}\n\n{{wrote}}\n{{quote}}\n"),
    "quote cut short": _cut,
    "attribution in three lines": _text("{said}\n\nMan. 3. mai 2027\nkl. 09:00, Boss\n<boss@example.com> sier:\n{quote}\n"),
    "attribution without date": _text("{said}\n\nBoss sagte:\n\n{quote}\n"),
    "no attribution": _text("{said}\n\n{quote}\n"),
    "marks without blanks": lambda said, answer: Reply(text=f"{said}\n\n{answer.wrote}\n{quoted(answer.plain, '>')}\n"),
    "Gmail, HTML": _gmail_html,
    "Gmail, HTML, below": lambda said, answer: _gmail_html(said, answer, below=True),
    "Apple Mail, HTML": _apple_html,
    "Outlook, HTML by Word": _outlook_word,
    "Outlook on the web, HTML": _outlook_web,
    "Thunderbird or Yahoo, HTML": lambda said, answer: (_yahoo_html if len(said) % 2 else _cite_html)(said, answer),
}
