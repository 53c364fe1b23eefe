"""SendGrid for `boss setup`: reads and changes domains, parse hosts, policies, event webhooks and keys. The login is a full-access key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import quote

from boss.setup.api import FORBIDDEN, NOT_FOUND, ApiRefused, ProviderApi
from boss.setup.standing import (
    DnsRecord,
    StandingDomain,
    StandingEvents,
    StandingKey,
    StandingParse,
    StandingPolicy,
    StandingSendGrid,
)

NAME: Final = "SendGrid"
PAGES: Final = 20
PAGE: Final = 50
MAIL_SEND: Final = "mail.send"
EVENT_FLAGS: Final = (
    *("processed", "deferred", "delivered", "bounce", "dropped", "open", "click"),
    *("spam_report", "unsubscribe", "group_unsubscribe", "group_resubscribe"),
)
"""The switches of an event webhook."""
_DOMAINS: Final = "/v3/whitelabel/domains"
_PARSE: Final = "/v3/user/webhooks/parse/settings"
_POLICIES: Final = "/v3/user/webhooks/security/policies"
_EVENTS: Final = "/v3/user/webhooks/event/settings"
_KEYS: Final = "/v3/api_keys"
_PATHS: Final = {"domain": _DOMAINS, "policy": _POLICIES, "parse": _PARSE, "events": _EVENTS, "key": _KEYS}

Document = Mapping[str, Any]


class SendGridSetup:
    """The account, read and changed."""

    def __init__(self, base: str, key: str) -> None:
        self._api = ProviderApi(NAME, base, {"Authorization": f"Bearer {key}"})

    def check(self) -> bool:
        """Whether the key may do what is needed here, make keys among it; raises ApiRefused for one that is not SendGrid's."""
        self._api.get("/v3/scopes")
        try:
            for path in (_KEYS, _PARSE, f"{_EVENTS}/all", _DOMAINS):
                self._api.get(path)
        except ApiRefused as error:
            if error.status == FORBIDDEN:
                return False
            raise
        return True

    def look(self) -> StandingSendGrid:
        """What stands. Raises ApiRefused, ApiAway."""
        events = self._api.get(f"{_EVENTS}/all")
        return StandingSendGrid(
            domains=self._domains(),
            parse=tuple(_parse(each) for each in self._api.get(_PARSE).get("result") or ()),
            policies=self._policies(),
            events=tuple(_events(each) for each in events.get("webhooks") or () if each.get("id")),
            max_events=int(events.get("max_allowed") or 1),
            keys=tuple(
                StandingKey(id=str(each["api_key_id"]), name=str(each["name"])) for each in self._api.get(_KEYS).get("result") or ()
            ),
        )

    def make_domain(self, domain: str) -> None:
        """Authenticate a domain, with keys that SendGrid changes by itself."""
        self._api.send("POST", _DOMAINS, document={"domain": domain, "automatic_security": True})

    def validate_domain(self, identity: str) -> None:
        """Have SendGrid look for its DNS records."""
        self._api.send("POST", f"{_DOMAINS}/{quote(identity)}/validate")

    def make_policy(self, name: str) -> None:
        """Make a policy that signs."""
        self._api.send("POST", _POLICIES, document={"name": name, "signature": {"enabled": True}})

    def make_parse(self, document: Document) -> None:
        """Add a host."""
        self._api.send("POST", _PARSE, document=document)

    def set_parse(self, host: str, document: Document) -> None:
        """Change a host."""
        self._api.send("PATCH", f"{_PARSE}/{quote(host)}", document=document)

    def make_events(self, document: Document) -> None:
        """Make an event webhook."""
        self._api.send("POST", _EVENTS, document=document)

    def set_events(self, identity: str, document: Document) -> None:
        """Change an event webhook."""
        self._api.send("PATCH", f"{_EVENTS}/{quote(identity)}", document=document)

    def sign_events(self, identity: str, *, on: bool) -> None:
        """Turn its signature on or off."""
        self._api.send("PATCH", f"{_EVENTS}/signed/{quote(identity)}", document={"enabled": on})

    def make_key(self, name: str) -> str:
        """Make a key that may send mail and nothing else; its text, which is shown this once."""
        return str(self._api.send("POST", _KEYS, document={"name": name, "scopes": [MAIL_SEND]})["api_key"])

    def delete(self, kind: str, identity: str) -> None:
        """Delete a `domain`, `policy` (also one in use), `events`, `key` by its id, or a `parse` host; what is gone already is gone."""
        force = "?force=true" if kind == "policy" else ""
        try:
            self._api.send("DELETE", f"{_PATHS[kind]}/{quote(identity)}{force}")
        except ApiRefused as error:
            if error.status != NOT_FOUND:
                raise

    def _domains(self) -> tuple[StandingDomain, ...]:
        found: list[StandingDomain] = []
        for number in range(PAGES):
            page = cast("list[dict[str, Any]]", self._api.get(_DOMAINS, {"limit": str(PAGE), "offset": str(number * PAGE)}))
            found += [_domain(each) for each in page]
            if len(page) < PAGE:
                break
        return tuple(found)

    def _policies(self) -> tuple[StandingPolicy, ...] | None:
        """None where the account has no policies: then mail proves itself by a secret in the address."""
        try:
            listed = self._api.get(_POLICIES).get("policies") or ()
        except ApiRefused as error:
            if error.status in (FORBIDDEN, NOT_FOUND):
                return None
            raise
        return tuple(
            StandingPolicy(
                id=str(each["id"]), name=str(each.get("name") or ""), public_key=str((each.get("signature") or {}).get("public_key") or "")
            )
            for each in listed
        )


def _domain(found: dict[str, Any]) -> StandingDomain:
    records = tuple(
        DnsRecord(kind=str(each.get("type") or "").upper(), host=str(each.get("host") or ""), data=str(each.get("data") or ""))
        for each in (found.get("dns") or {}).values()
        if isinstance(each, dict)
    )
    return StandingDomain(id=str(found["id"]), domain=str(found["domain"]).lower(), valid=bool(found.get("valid")), records=records)


def _parse(found: dict[str, Any]) -> StandingParse:
    return StandingParse(
        host=str(found.get("hostname") or "").lower(),
        url=str(found.get("url") or ""),
        spam_check=bool(found.get("spam_check")),
        send_raw=bool(found.get("send_raw")),
        policy=str(found.get("security_policy") or ""),
    )


def _events(found: dict[str, Any]) -> StandingEvents:
    return StandingEvents(
        id=str(found["id"]),
        url=str(found.get("url") or ""),
        name=str(found.get("friendly_name") or ""),
        enabled=bool(found.get("enabled")),
        events=frozenset(name for name in EVENT_FLAGS if found.get(name)),
        public_key=str(found.get("public_key") or ""),
    )
