"""The settings of the web tools that Anthropic runs: whether the model may search the web and read pages, and within which bounds."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic_settings import BaseSettings

from shared.config.field import setting

_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}(?:/[!-+\--~]*)?")
MAX_DOMAINS: Final = 100


class WebSettings(BaseSettings):
    """Whether, how often, where, and how much of a page."""

    web_search: Literal["on", "off"] = setting(
        "off", "on: the model may search the web; each search is paid for beside its tokens (docs/howto/web.md).", "Claude"
    )
    web_fetch: Literal["on", "off"] = setting("off", "on: the model may read the pages whose addresses the person wrote.", "Claude")
    web_uses: int = setting(3, "Searches that one turn may make, and pages that it may read.", "Claude", ge=1, le=20)
    web_page_tokens: int = setting(8_000, "The most that is read of one page, in tokens.", "Claude", ge=500, le=100_000)
    web_allowed_domains: str = setting(
        "", "Only these domains are searched and read, apart by commas, with what is below them (example.com, example.org/news).", "Claude"
    )
    web_blocked_domains: str = setting("", "All but these; not together with WEB_ALLOWED_DOMAINS.", "Claude")

    @property
    def web_allowed(self) -> tuple[str, ...]:
        """WEB_ALLOWED_DOMAINS, one by one."""
        return _listed(self.web_allowed_domains)

    @property
    def web_blocked(self) -> tuple[str, ...]:
        """WEB_BLOCKED_DOMAINS, one by one."""
        return _listed(self.web_blocked_domains)

    def web_faults(self) -> list[str]:
        """What is wrong with them together."""
        faults = ["WEB_ALLOWED_DOMAINS: not together with WEB_BLOCKED_DOMAINS"] if self.web_allowed and self.web_blocked else []
        for name, domains in (("WEB_ALLOWED_DOMAINS", self.web_allowed), ("WEB_BLOCKED_DOMAINS", self.web_blocked)):
            if len(domains) > MAX_DOMAINS or not all(_DOMAIN.fullmatch(domain) for domain in domains):
                faults.append(f"{name}: must be at most {MAX_DOMAINS} domains such as example.com, without https:// and apart by commas")
        return faults


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())
