"""The web tools that Anthropic runs: which a question offers, how often, and where they may go; and what an answer has brought of the web.

What the web says is words of others: an answer that shows any makes its turn mixed. So a page is read only where the person wrote its
address, in every question and not only in a mixed turn: an answer may search, read, and search again before code sees any of it. The
address is allowed by its host and path, and the API takes no address from what tools have answered.

The versions are the first ones, which every model and host knows; later ones let the model run code over what is found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from shared.config.settings import Settings
from shared.model.addresses import Channel
from shared.model.words import said
from supervisor_worker.assistant.model_choice import ModelChoice
from supervisor_worker.assistant.model_hosts import is_plain
from supervisor_worker.assistant.models import family_of
from supervisor_worker.channels.notes import theirs

SEARCH: Final = "web_search"
FETCH: Final = "web_fetch"
VERSIONS: Final = {SEARCH: "web_search_20250305", FETCH: "web_fetch_20250910"}
RESULTS: Final = ("web_search_tool_result", "web_fetch_tool_result")
SEARCH_TOKENS: Final = 16_000
"""What one search brings into the context at most, beside what is asked: ten pages' worth, of some 10,000 tokens in the examples known."""
PAGE_MARGIN: Final = 2
"""A page may have more tokens than it is cut at, which the API calls approximate."""
MAX_ADDRESSES: Final = 5
MAX_SOURCES: Final = 5
MAX_URL: Final = 300
_ADDRESS: Final = re.compile(r"""https?://[^\s<>()\[\]{}"'\u27e6\u27e7]{4,300}""", re.IGNORECASE)
_ENDS: Final = ".,;:!?*_"


def offered(settings: Settings, choice: ModelChoice, written: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    """The web tools of a question; `written` are the addresses that the person wrote. None for a model that is not Claude's."""
    if family_of(choice.model) is None or is_plain(settings, choice.model):
        return ()
    found: list[Mapping[str, Any]] = []
    if settings.web_search == "on":
        bounds = {"allowed_domains": list(settings.web_allowed)} if settings.web_allowed else {}
        bounds |= {"blocked_domains": list(settings.web_blocked)} if settings.web_blocked else {}
        found.append({"type": VERSIONS[SEARCH], "name": SEARCH, "max_uses": settings.web_uses, **bounds})
    places = [place for address in written if (place := _place(address)) and _may_read(place, settings)]
    if settings.web_fetch == "on" and places:
        nothing = {"type": "none"}
        found.append(
            {
                "type": VERSIONS[FETCH],
                "name": FETCH,
                "max_uses": min(settings.web_uses, len(set(places))),
                "max_content_tokens": settings.web_page_tokens,
                "allowed_domains": sorted(set(places)),
                "url_sources": {"user_input": {"type": "all"}, "client_tool_results": nothing, "server_tool_results": nothing},
            }
        )
    return tuple(found)


def left(tools: Sequence[Mapping[str, Any]], contents: Iterable[Sequence[Mapping[str, Any]]]) -> tuple[Mapping[str, Any], ...]:
    """The tools of a turn's next question, after these answers: of a web tool what is left of its uses, and nothing where none is."""
    uses = Counter(block.get("name") for content in contents for block in content if block.get("type") == "server_tool_use")
    if not uses:
        return tuple(tools)
    return tuple(
        {**tool, "max_uses": tool["max_uses"] - uses[tool["name"]]} if is_web(tool) else tool
        for tool in tools
        if not (is_web(tool) and tool["max_uses"] <= uses[tool["name"]])
    )


def without(tools: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The tools that are not the web's."""
    return tuple(tool for tool in tools if not is_web(tool))


def is_web(tool: Mapping[str, Any]) -> bool:
    """Whether Anthropic runs this tool."""
    return tool.get("type") in VERSIONS.values()


def searches(tools: Sequence[Mapping[str, Any]]) -> int:
    """How often a question may search at most."""
    return sum(int(tool["max_uses"]) for tool in tools if tool.get("type") == VERSIONS[SEARCH])


def most_of_input(prompt: int, tools: Sequence[Mapping[str, Any]]) -> int:
    """The most tokens of input that a question may count, of which `prompt` are its own: each use reads all that was there before anew."""
    web = [tool for tool in tools if is_web(tool)]
    uses = sum(int(tool["max_uses"]) for tool in web)
    brought: int = max((SEARCH_TOKENS if tool["name"] == SEARCH else PAGE_MARGIN * tool["max_content_tokens"] for tool in web), default=0)
    return (uses + 1) * prompt + brought * uses * (uses + 1) // 2


def shows_others(content: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an answer holds what the web says; an error of a search, or of a page, is nobody's words."""
    return any(block.get("type") in RESULTS and not _is_error(block.get("content")) for block in content)


def addresses_in(own: Iterable[str]) -> list[str]:
    """The addresses of pages in texts of the person's own, the newest first."""
    found = (match.group().rstrip(_ENDS) for text in own for match in _ADDRESS.finditer(text))
    return list(dict.fromkeys(found))[:MAX_ADDRESSES]


def sources(contents: Iterable[Sequence[Mapping[str, Any]]]) -> list[str]:
    """The addresses that answers name as their sources, each once, in their order; and those of the pages that were read."""
    found = (address for content in contents for block in content for address in _sources_of(block))
    return list(dict.fromkeys(clean for address in found if (clean := _shown(address))))[:MAX_SOURCES]


def source_lines(addresses: Sequence[str], channel: Channel, language: str) -> str:
    """What code says of the sources: whole addresses in a mail, only whose pages they are in a text; "" for none."""
    if not addresses:
        return ""
    heading = said("sources", language)
    if channel == "sms":
        hosts = dict.fromkeys(host.removeprefix("www.") for address in addresses if (host := urlsplit(address).hostname))
        return f"{heading} {', '.join(hosts)}"
    return "\n".join([heading, *addresses])


def _place(address: str) -> str:
    """Host and path of an address, as the API's lists of domains have them; "" for what is none."""
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError:
        return ""
    if parts.username or parts.port or "." not in host or host.replace(".", "").isdigit():
        return ""
    return host + parts.path.rstrip("/")


def _may_read(place: str, settings: Settings) -> bool:
    """Whether the operator's lists allow a page."""
    if settings.web_allowed:
        return any(_is_within(place, domain) for domain in settings.web_allowed)
    return not any(_is_within(place, domain) for domain in settings.web_blocked)


def _is_within(place: str, domain: str) -> bool:
    host, _, path = place.partition("/")
    wanted, _, below = domain.partition("/")
    return (host == wanted or host.endswith(f".{wanted}")) and path.startswith(below)


def _is_error(content: object) -> bool:
    return isinstance(content, dict) and "error_code" in content


def _sources_of(block: Mapping[str, Any]) -> Iterator[str]:
    for citation in block.get("citations") or ():
        if isinstance(citation, dict) and citation.get("type") == "web_search_result_location":
            yield str(citation.get("url") or "")
    content = block.get("content")
    if block.get("type") == "web_fetch_tool_result" and isinstance(content, dict) and content.get("type") == "web_fetch_result":
        yield str(content.get("url") or "")


def _shown(address: str) -> str:
    """An address as a person may be shown it; "" for what is none, or too long."""
    clean = theirs(address)
    return clean if len(clean) <= MAX_URL and _ADDRESS.fullmatch(clean) else ""
