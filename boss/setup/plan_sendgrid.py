"""What is to be done at SendGrid: domain, policy, parse hosts, event webhook, and the key that sends. Pure.

All hosts share one policy, because the web process checks by one key. What was made already is known by its name, its host or its address,
so that a run that was interrupted goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from boss.setup.sendgrid import EVENT_FLAGS
from boss.setup.standing import StandingEvents, StandingPolicy, StandingSendGrid
from boss.setup.steps import (
    Delete,
    MakeDomain,
    MakeEvents,
    MakeKey,
    MakePolicy,
    SetEnv,
    SetEvents,
    SetParse,
    SetupStep,
    SignEvents,
    ValidateDomain,
)
from boss.setup.wanted import SetupGoal, host_of, without_extras

INBOUND_KEY: Final = "SENDGRID_INBOUND_PUBLIC_KEY"
EVENTS_KEY: Final = "SENDGRID_EVENTS_PUBLIC_KEY"
SECRET: Final = "EMAIL_WEBHOOK_SECRET"  # noqa: S105 - a name
SEND_KEY: Final = "SENDGRID_API_KEY"
TOLD: Final = frozenset(
    {"processed", "delivered", "bounce", "dropped", "spam_report", "unsubscribe", "group_unsubscribe", "group_resubscribe"}
)
"""The events that settle a mail of unknown outcome, and those that say who wants no more."""

Env = Mapping[str, str]


def sendgrid_steps(wanted: SetupGoal, standing: StandingSendGrid, env: Env) -> Iterator[SetupStep]:
    """The changes that are left."""
    if not wanted.hosts:
        return
    for host in wanted.hosts:
        yield from _domain(host, standing)
    policy = _policy(wanted, standing, env)
    yield from _proof(wanted, standing, env, policy)
    for host in wanted.hosts:
        yield from _parse(wanted, standing, env, policy, host)
    yield from _events(wanted, standing, env)
    yield from _key(wanted, standing, env)


def sendgrid_notes(wanted: SetupGoal, standing: StandingSendGrid) -> Iterator[str]:
    """What the person should know."""
    if not wanted.hosts:
        return
    if standing.policies is None:
        yield "This SendGrid account has no security policies: mail proves itself by a secret in the webhook's address."
    if _own_events(wanted, standing) is None and len(standing.events) >= standing.max_events and len(standing.events) > 1:
        yield f"SendGrid allows {standing.max_events} event webhooks, and all are in use: delete one there, and run this again."


def _domain(host: str, standing: StandingSendGrid) -> Iterator[SetupStep]:
    found = standing.domain(host)
    if found is None:
        yield SetupStep(key=f"domain:{host}", says=f"SendGrid: authenticate {host}, so that its mail is signed", change=MakeDomain(host))
    elif not found.valid:
        says = f"SendGrid: look for the DNS records of {host}"
        yield SetupStep(key=f"records:{host}", says=says, change=ValidateDomain(found.id), kept=False)


def _policy(wanted: SetupGoal, standing: StandingSendGrid, env: Env) -> StandingPolicy | None:
    """The policy that all hosts are to have: the one whose key we have, else ours, else one that a host of ours has."""
    signing = [each for each in standing.policies or () if each.public_key]
    attached = {setting.policy for host in wanted.hosts if (setting := standing.parse_of(host)) and wanted.is_ours(setting.url)}
    known = [each for each in signing if each.public_key == env.get(INBOUND_KEY)]
    ours = [each for each in signing if each.name == wanted.name]
    return next(iter([*known, *ours, *(each for each in signing if each.id in attached)]), None)


def _proof(wanted: SetupGoal, standing: StandingSendGrid, env: Env, policy: StandingPolicy | None) -> Iterator[SetupStep]:
    """How inbound mail proves itself: by a key, which `.env` has before anything is signed with it; else by a secret."""
    if standing.policies is None:
        if not env.get(SECRET):
            yield _line(SECRET, wanted.secret, "a secret for the addresses of the mail webhooks")
        return
    if policy is None:
        says = f"SendGrid: make a security policy that signs inbound mail; its public key goes into .env as {INBOUND_KEY}"
        yield SetupStep(key="policy", says=says, change=MakePolicy(wanted.name))
    elif env.get(INBOUND_KEY) != policy.public_key:
        yield _line(INBOUND_KEY, policy.public_key, "the public key of inbound mail")


def _line(name: str, value: str, what: str) -> SetupStep:
    return SetupStep(key=f"env:{name}", says=f".env: {name}, {what}", change=SetEnv({name: value}), kept=False)


def _parse(wanted: SetupGoal, standing: StandingSendGrid, env: Env, policy: StandingPolicy | None, host: str) -> Iterator[SetupStep]:
    found, url = standing.parse_of(host), wanted.email_url(env)
    attached = {"security_policy": policy.id} if policy else {}
    proven = standing.policies is None or (policy is not None and found is not None and found.policy == policy.id)
    if found is not None and found.url == url and proven:
        return
    document: dict[str, Any] = {"hostname": host, "url": url, "spam_check": False, "send_raw": False, **attached}
    if found is not None:
        document = {"url": url, "spam_check": found.spam_check, "send_raw": found.send_raw, **attached}
    yield SetupStep(
        key=f"parse:{host}",
        says=f"SendGrid: mail to {host} goes to {without_extras(url)} ({f'now {host_of(found.url)}' if found else 'now nowhere'})",
        change=SetParse(host, document, new=found is None),
        elsewhere=wanted.elsewhere(found.url) if found else (),
        stood={"url": found.url, "spam_check": found.spam_check, "send_raw": found.send_raw, "policy": found.policy} if found else None,
        after=_waits_for(standing, policy, host, new=found is None),
    )


def _waits_for(standing: StandingSendGrid, policy: StandingPolicy | None, host: str, *, new: bool) -> str:
    """The step before which a parse host cannot be set: a new one needs a domain that was found, and each the policy."""
    if new and not standing.authenticated(host):
        return f"records:{host}" if standing.domain(host) else f"domain:{host}"
    return "policy" if policy is None and standing.policies is not None else ""


def _own_events(wanted: SetupGoal, standing: StandingSendGrid) -> StandingEvents | None:
    """The event webhook that is ours, by its address or its name: first the one at today's address, which no other may have."""
    ours = [each for each in standing.events if wanted.is_ours(each.url) or each.name == wanted.name]
    today = without_extras(wanted.events_url({}))
    return next((each for each in ours if without_extras(each.url) == today), ours[0] if ours else None)


def _events(wanted: SetupGoal, standing: StandingSendGrid, env: Env) -> Iterator[SetupStep]:
    found, url = _own_events(wanted, standing), wanted.events_url(env)
    head = {"url": url, "enabled": True, "friendly_name": wanted.name}
    if found is None:
        yield from _first_events(wanted, standing, head)
        return
    if found.url != url or not found.enabled or not found.events >= TOLD:
        yield SetupStep(
            key="events",
            says=f"SendGrid: what becomes of our mails goes to {without_extras(url)} (now {host_of(found.url)})",
            change=SetEvents(found.id, {**head, **{name: name in TOLD or name in found.events for name in EVENT_FLAGS}}),
            stood=_as_it_stands(found),
        )
    if not found.public_key:
        says = f"SendGrid: sign these events; the public key goes into .env as {EVENTS_KEY}"
        yield SetupStep(key="signature", says=says, change=SignEvents(found.id), stood={"id": found.id, "url": found.url})
    elif env.get(EVENTS_KEY) != found.public_key:
        yield _line(EVENTS_KEY, found.public_key, "the public key of SendGrid's events")


def _first_events(wanted: SetupGoal, standing: StandingSendGrid, head: dict[str, Any]) -> Iterator[SetupStep]:
    """An event webhook of our own; where the plan allows one alone, and that is another's, in its place."""
    flags = {name: name in TOLD for name in EVENT_FLAGS}
    what = f"SendGrid: what becomes of our mails goes to {without_extras(str(head['url']))}, signed; the public key goes into .env"
    if len(standing.events) < standing.max_events:
        yield SetupStep(key="events", says=f"{what} as {EVENTS_KEY}", change=MakeEvents({**head, **flags}))
    elif len(standing.events) == 1:
        (other,) = standing.events
        yield SetupStep(
            key="events",
            says=f"{what} (now {host_of(other.url)}; the plan allows one)",
            change=SetEvents(other.id, {**head, **flags}),
            elsewhere=wanted.elsewhere(other.url),
            stood=_as_it_stands(other),
        )


def _as_it_stands(found: StandingEvents) -> dict[str, Any]:
    flags = {name: name in found.events for name in EVENT_FLAGS}
    return {
        "id": found.id,
        "url": found.url,
        "enabled": found.enabled,
        "friendly_name": found.name,
        "signed": bool(found.public_key),
        **flags,
    }


def _key(wanted: SetupGoal, standing: StandingSendGrid, env: Env) -> Iterator[SetupStep]:
    """A key that sends and can do nothing else. One of ours whose text is not in `.env` was lost on the way: nobody will ever use it."""
    stored = env.get(SEND_KEY, "")
    stored_id = key_id(stored)
    named = [each for each in standing.keys if each.name == wanted.name]
    for each in named:
        if each.id != stored_id:
            says = "SendGrid: delete the key of a run that was interrupted"
            yield SetupStep(key=f"lost:{each.id}", says=says, change=Delete("key", each.id), kept=False)
    known = any(each.id == stored_id for each in standing.keys)
    if not stored or stored == wanted.spent_key or (stored_id and not known):
        yield SetupStep(
            key="key",
            says=f"SendGrid: make a key that may send mail and nothing else; it goes into .env as {SEND_KEY}",
            change=MakeKey(wanted.name),
        )


def key_id(key: str) -> str:
    """The id of an API key, which is its middle part; "" for a text of another form."""
    parts = key.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == "SG" and all(parts) else ""  # noqa: PLR2004 - SG.<id>.<secret>
