"""The tools that the API runs itself, within an answer: a search of the web, and the reading of a page, each with its bounds and errors."""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sandbox.anthropic import tokens
from sandbox.anthropic.told_calls import calls_in
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.anthropic.transcript import Call

HOST: Final = "www.example.com"
PATH: Final = "/simulated"
TITLE: Final = "A simulated page"
MAX_CALLS: Final = 20
"""Of one answer, those among them that the results have told."""
MAX_URL: Final = 250
MAX_QUERY: Final = 1_000
_URL: Final = re.compile(r"https?://[^\s<>\"'\]})\\]+")


def offered(request: JsonObject) -> dict[str, JsonObject]:
    """The web tools of a request, by name."""
    tools = request.get("tools") or []
    return {str(tool["name"]): tool for tool in tools if str(tool.get("type", "")).startswith(("web_search_", "web_fetch_"))}


def content_of(request: JsonObject, calls: Sequence[Call], text: str, page: str | None, *, obeys: bool = False) -> list[JsonObject]:
    """The content of an answer that makes these calls of web tools, says something, and then calls the client's tools.

    `page` is what each page says. A model that `obeys` makes the calls that it is told there, too.
    """
    waiting, blocks = list(calls), list[JsonObject]()
    client: list[Call] = []
    made: list[Call] = []
    while waiting and len(made) < MAX_CALLS:
        call = waiting.pop(0)
        made.append(call)
        if call[0] not in offered(request):
            client.append(call)
            continue
        run = _run(request, blocks, call, page)
        blocks += run
        told = calls_in(json.dumps(run[1], ensure_ascii=False)) if obeys else ()
        waiting += [each for each in told if each not in made and each not in waiting]
    if text:
        blocks.append(_said(text, blocks))
    return blocks + [{"type": "tool_use", "id": f"toolu_{secrets.token_hex(12)}", "name": name, "input": given} for name, given in client]


def read_again(request: JsonObject, content: Sequence[JsonObject]) -> int:
    """Tokens of input that an answer counts beside its question's: after each use the model reads all that is there once more.

    Whether the API counts a call beyond `max_uses` as well is not known; here it does not.
    """
    total, brought, again = tokens.of_request(request), 0, 0
    for block in content:
        result = block.get("content")
        if str(block.get("type", "")).endswith("_tool_result") and not (isinstance(result, dict) and "error_code" in result):
            brought += tokens.of_block(block)
            again += total + brought
    return again


def _run(request: JsonObject, before: Sequence[JsonObject], call: Call, page: str | None) -> list[JsonObject]:
    """A call, and what came of it."""
    name, given = call
    tool, number = offered(request)[name], f"srvtoolu_{secrets.token_hex(12)}"
    used = sum(1 for block in before if block.get("type") == "server_tool_use" and block.get("name") == name)
    if tool.get("max_uses") is not None and used >= tool["max_uses"]:
        content: Any = _error(name, "max_uses_exceeded")
    else:
        content = _search(tool, given, page) if name == "web_search" else _fetch(request, before, tool, given, page)
    return [
        {"type": "server_tool_use", "id": number, "name": name, "input": given},
        {"type": f"{name}_tool_result", "tool_use_id": number, "content": content},
    ]


def _error(name: str, code: str) -> JsonObject:
    return {"type": f"{name}_tool_result_error", "error_code": code}


def _search(tool: JsonObject, given: JsonObject, page: str | None) -> JsonObject | list[JsonObject]:
    query = given.get("query")
    if not isinstance(query, str) or not query or len(query) > MAX_QUERY:
        return _error("web_search", "query_too_long" if query and isinstance(query, str) else "invalid_tool_input")
    domain = (tool.get("allowed_domains") or [HOST])[0]
    host, _, path = domain.partition("/")
    if any(_within(HOST + PATH, each) for each in tool.get("blocked_domains") or []):
        return []
    found = {"type": "web_search_result", "url": f"https://{host}{'/' + path if path else PATH}", "title": page or TITLE, "page_age": None}
    return [{**found, "encrypted_content": base64.b64encode(query.encode()).decode()}]


def _fetch(request: JsonObject, before: Sequence[JsonObject], tool: JsonObject, given: JsonObject, page: str | None) -> JsonObject:
    url = given.get("url")
    if not isinstance(url, str) or not _URL.fullmatch(url):
        return _error("web_fetch", "invalid_tool_input")
    if len(url) > MAX_URL:
        return _error("web_fetch", "url_too_long")
    place = (urlsplit(url).hostname or "") + urlsplit(url).path.rstrip("/")
    allowed, blocked = tool.get("allowed_domains"), tool.get("blocked_domains") or []
    if (allowed and not any(_within(place, each) for each in allowed)) or any(_within(place, each) for each in blocked):
        return _error("web_fetch", "url_not_allowed")
    if url not in _known_urls(request, before, tool.get("url_sources") or {}):
        return _error("web_fetch", "url_not_in_prior_context")
    text = (page or f"{TITLE}. It says nothing else.")[: tokens.CHARACTERS_PER_TOKEN * int(tool.get("max_content_tokens") or 100_000)]
    source = {"type": "text", "media_type": "text/plain", "data": text}
    document = {"type": "document", "source": source, "title": TITLE}
    return {"type": "web_fetch_result", "url": url, "content": document, "retrieved_at": "2026-01-01T00:00:00Z"}


def _known_urls(request: JsonObject, before: Sequence[JsonObject], sources: JsonObject) -> set[str]:
    """The addresses that may be read: those in the user's messages, and in the results of tools, as far as the request says so."""
    messages = request["messages"]
    user = [block for message in messages if message["role"] == "user" for block in tokens.blocks_of(message["content"])]
    assistant = [block for message in messages if message["role"] == "assistant" for block in tokens.blocks_of(message["content"])]
    found: list[object] = []
    if _contributes(sources, "user_input"):
        found += [block for block in user if block["type"] != "tool_result"]
    if _contributes(sources, "client_tool_results"):
        found += [block for block in user if block["type"] == "tool_result"]
    if _contributes(sources, "server_tool_results"):
        found += [block for block in (*assistant, *before) if str(block["type"]).endswith("_tool_result")]
    return {match.rstrip(".,;:!?") for match in _URL.findall(json.dumps(found, ensure_ascii=False).replace("\\n", " "))}


def _contributes(sources: JsonObject, name: str) -> bool:
    return str((sources.get(name) or {}).get("type", "all")) != "none"


def _within(place: str, domain: str) -> bool:
    """Whether host and path are within a domain of a list: it, what is below it, and the paths that begin as it says."""
    host, _, path = place.partition("/")
    wanted, _, below = str(domain).partition("/")
    return (host == wanted or host.endswith(f".{wanted}")) and path.startswith(below)


def _said(text: str, blocks: Sequence[JsonObject]) -> JsonObject:
    """The model's sentence, which cites what was found."""
    pages = [page for block in blocks if isinstance(block.get("content"), list) for page in block["content"]]
    cited = [
        {
            "type": "web_search_result_location",
            "url": page["url"],
            "title": page["title"],
            "encrypted_index": page["encrypted_content"],
            "cited_text": TITLE,
        }
        for page in pages
    ]
    return {"type": "text", "text": text, **({"citations": cited} if cited else {})}
