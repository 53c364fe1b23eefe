"""What the web tools may do, by code: where, how often, and whose words come back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.anthropic import server_tools, tokens, tool_definitions
from shared.config.loading import load_settings
from shared.errors import ConfigurationError
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, SmsReceived
from shared.model.marks import Mark
from supervisor_worker.assistant import price, web_tools
from supervisor_worker.assistant.history import NOTHING_SAID
from supervisor_worker.assistant.model_choice import ModelChoice
from supervisor_worker.assistant.prompt import Prompt, build_prompt
from supervisor_worker.assistant.prompt_message import PromptMessage

CHOICE = ModelChoice("claude-sonnet-5-5", "medium", 1024, 3072)
WRITTEN = ["https://example.com/news/today?id=4", "http://www.example.org/"]


def settings(**changes: Any) -> Any:
    return load_settings(_env_file=None, **{"web_search": "on", "web_fetch": "on", **changes})


def text(body: str) -> SmsReceived:
    return SmsReceived(
        id="m-1", from_=PhoneNumber("+15551234567"), to=PhoneNumber("+15559876543"), user="ada", message=body, provider_id="SM1"
    )


def mail(body: str, **fields: Any) -> EmailReceived:
    return EmailReceived(
        id="m-1", from_=EmailAddress("a@example.com"), to=EmailAddress("boss@example.com"), user="ada", subject="Hi", body=body,
        message_id="<m@x>", **fields,
    )  # fmt: skip


def test_what_is_offered_is_what_the_api_takes() -> None:
    """In the versions that every model knows; pages only where the person wrote an address, and nothing that a tool's answer names."""
    search, fetch = web_tools.offered(settings(web_blocked_domains="bad.example.com"), CHOICE, WRITTEN)
    assert tool_definitions.problem_of({"tools": [search, fetch]}) is None
    assert search == {"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "blocked_domains": ["bad.example.com"]}
    assert fetch["allowed_domains"] == ["example.com/news/today", "www.example.org"]
    assert {name: source["type"] for name, source in fetch["url_sources"].items()} == {
        "user_input": "all", "client_tool_results": "none", "server_tool_results": "none",
    }  # fmt: skip
    assert web_tools.offered(settings(web_search="off"), CHOICE, []) == ()
    assert web_tools.offered(load_settings(_env_file=None), CHOICE, WRITTEN) == ()
    assert web_tools.offered(settings(), ModelChoice("qwen3", "default", 1, 1), WRITTEN) == ()


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"web_allowed_domains": "example.org"}, ["www.example.org"]),
        ({"web_allowed_domains": "example.com/news"}, ["example.com/news/today"]),
        ({"web_allowed_domains": "example.com/sport"}, []),
        ({"web_blocked_domains": "example.com"}, ["www.example.org"]),
        ({"web_allowed_domains": "ample.com, EXAMPLE.org "}, ["www.example.org"]),
    ],
)
def test_the_operators_domains_hold_for_pages_too(changes: dict[str, Any], places: list[str]) -> None:
    """A part of a name is another domain."""
    found = [tool["allowed_domains"] for tool in web_tools.offered(settings(**changes), CHOICE, WRITTEN) if tool["name"] == "web_fetch"]
    assert found == ([places] if places else [])


@pytest.mark.parametrize(
    "changes",
    [
        {"web_allowed_domains": "example.com", "web_blocked_domains": "example.org"},
        {"web_allowed_domains": "https://example.com"},
        {"web_blocked_domains": "*.example.com"},
        {"web_blocked_domains": "localhost"},
    ],
)
def test_domains_that_the_api_refuses_are_a_fault_of_the_settings(changes: dict[str, Any]) -> None:
    """Both lists together too."""
    with pytest.raises(ConfigurationError, match="DOMAINS: "):
        settings(**changes)


def test_only_addresses_that_the_person_wrote_count() -> None:
    """Not those of quoted and forwarded mail, of a mail by a forwarding address, or of what others sent; the newest come first."""
    own, quoted = "See https://example.com/a. ", "> https://evil.example.com/?q=secret"
    mine = mail(own + quoted + " https://example.com/b", marks=(Mark("quoted", len(own), len(own) + len(quoted)),))
    events = [text("first http://old.example.com/x, please"), mine, mail("https://evil.example.com/x", via="c@example.com")]
    prompt = build_prompt("email", events, NOTHING_SAID, {}, user=None, now=datetime(2026, 12, 1, tzinfo=UTC))
    assert web_tools.addresses_in(prompt.own) == ["https://example.com/a", "https://example.com/b", "http://old.example.com/x"]
    many = " ".join(f"https://example.com/{number}" for number in range(9))
    assert len(web_tools.addresses_in([many])) == web_tools.MAX_ADDRESSES


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1/admin", "http://localhost/", "http://ada:pw@example.com/", "http://example.com:81/", "http://[::1]/"]
)
def test_an_address_that_is_no_public_page_is_not_offered(address: str) -> None:
    """Numbers, ports, names without a dot, logins."""
    assert [tool["name"] for tool in web_tools.offered(settings(), CHOICE, [address])] == ["web_search"]


def test_what_is_left_of_a_turns_uses_is_offered_and_then_nothing() -> None:
    """Each of the two has its own; the other tools stay as they are."""
    ours: dict[str, Any] = {"name": "note"}
    offered = (ours, *web_tools.offered(settings(), CHOICE, WRITTEN))
    search = {"type": "server_tool_use", "name": "web_search"}
    assert web_tools.left(offered, [[{"type": "text"}]]) == offered
    answers = [[search], [search, {"type": "tool_use", "name": "web_fetch"}]]
    assert [tool.get("max_uses") for tool in web_tools.left(offered, answers)] == [None, 1, 2]
    assert [tool["name"] for tool in web_tools.left(offered, [[search] * 4])] == ["note", "web_fetch"]
    assert web_tools.without(offered) == (ours,)


def test_what_a_question_with_searches_counts_is_never_more_than_was_reserved() -> None:
    """The sandbox counts as the API does: after each call the model reads all that is there once more."""
    offered = web_tools.offered(settings(web_uses=5), CHOICE, WRITTEN)
    body = "y" * 4_000 + " " + " ".join(WRITTEN)
    prompt = Prompt("x" * 900, (PromptMessage("user", body),), tools=offered, choice=CHOICE)
    request = {"system": prompt.stable, "messages": [{"role": "user", "content": body}], "tools": [*offered]}
    calls: list[Any] = [("web_search", {"query": f"tides {number}"}) for number in range(9)]
    calls += [("web_fetch", {"url": WRITTEN[0]}) for _ in range(9)]
    content = server_tools.content_of(request, calls, "Done.", "z" * 30_000)
    results = [block["content"] for block in content if block["type"] in web_tools.RESULTS]
    assert sum("error_code" in result for result in results) == 4 + 7  # beyond five searches, and two pages
    used = tokens.of_request(request) + server_tools.read_again(request, content)
    assert 100_000 < used <= price.most_of(prompt, settings())
    assert price.most_searches(prompt) == 5
    last = Prompt(prompt.stable, prompt.messages, tools=offered, choice=CHOICE, final=True)
    assert price.most_of(last, settings()) < 20_000
    assert price.most_searches(last) == 0


def test_what_the_web_says_is_words_of_others_and_an_error_is_not() -> None:
    """Of a search and of a page."""
    request = {"messages": [{"role": "user", "content": WRITTEN[0]}], "tools": [*web_tools.offered(settings(), CHOICE, WRITTEN)]}
    found = server_tools.content_of(request, [("web_search", {"query": "tides"})], "Yes.", None)
    assert web_tools.shows_others(found)
    assert web_tools.shows_others(server_tools.content_of(request, [("web_fetch", {"url": WRITTEN[0]})], "Yes.", None))
    assert not web_tools.shows_others(server_tools.content_of(request, [("web_fetch", {"url": "https://evil.example.com"})], "No.", None))
    assert not web_tools.shows_others([{"type": "text", "text": "Yes."}, {"type": "tool_use", "name": "web_search"}])


def test_sources_are_whole_addresses_in_a_mail_and_names_of_sites_in_a_text() -> None:
    """Each once; what is no plain address is left out."""
    urls = ["https://www.example.com/a", "javascript:alert(1)", "https://example.com/\u27e6note\u27e7", "https://example.org/" + "x" * 400]
    cited = [{"type": "web_search_result_location", "url": url} for url in (*urls, urls[0])]
    page = {"type": "web_fetch_tool_result", "content": {"type": "web_fetch_result", "url": "https://example.net/b"}}
    found = web_tools.sources([[{"type": "text", "citations": cited}], [page]])
    assert found == ["https://www.example.com/a", "https://example.net/b"]
    assert web_tools.source_lines(found, "email", "en") == "Sources:\nhttps://www.example.com/a\nhttps://example.net/b"
    assert web_tools.source_lines(found, "sms", "de") == "Quellen: example.com, example.net"
    assert web_tools.source_lines([], "sms", "de") == ""
