"""What the API's own web search brings into an answer: the call, what was found, and a sentence on it."""

from __future__ import annotations

import base64
import secrets
from typing import Final

from sandbox.engine.json_types import JsonObject

URL: Final = "https://www.example.com/simulated"


def is_offered(tools: list[JsonObject]) -> bool:
    """Whether the model may search."""
    return any(str(tool.get("type", "")).startswith("web_search_") for tool in tools)


def content_of(query: str, sentence: str) -> list[JsonObject]:
    """The content of an answer that searched for something once."""
    name = f"srvtoolu_{secrets.token_hex(12)}"
    page = {"type": "web_search_result", "url": URL, "title": "A simulated page", "page_age": None}
    found = {**page, "encrypted_content": base64.b64encode(query.encode()).decode()}
    return [
        {"type": "server_tool_use", "id": name, "name": "web_search", "input": {"query": query}},
        {"type": "web_search_tool_result", "tool_use_id": name, "content": [found]},
        {"type": "text", "text": sentence},
    ]
