"""Who answers whom: the person's entry, then the channel's settings, then the usual; and what a model cannot do is said in a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from shared.config.loading import load_settings
from shared.config.prices import shipped
from shared.model.users import LOCAL_USER, User, Users
from supervisor_worker.assistant import price
from supervisor_worker.assistant.costs import Costs
from supervisor_worker.assistant.history import MESSAGE_OVERHEAD
from supervisor_worker.assistant.model_checks import described, doubts
from supervisor_worker.assistant.model_choice import ModelChoice, all_chosen, chosen, restored, usual
from supervisor_worker.assistant.prompt import Prompt
from supervisor_worker.assistant.prompt_message import PromptMessage

TODAY = date(2026, 12, 1)


def settings(**changes: Any) -> Any:
    return load_settings(_env_file=None, **{"sandbox": "off", **changes})


def someone(**fields: Any) -> User:
    return replace(LOCAL_USER, **fields)


def test_the_persons_own_comes_before_the_channels_field_by_field() -> None:
    """And what neither says is as usual; a channel without settings of its own is as usual, too."""
    given = settings(boss_model="claude-opus-5-5", sms_model="claude-haiku-5-5", sms_effort="low", email_max_tokens=2048)
    assert chosen(given, "sms", None) == ModelChoice("claude-haiku-5-5", "low", 1024, 3072)
    assert chosen(given, "email", None) == ModelChoice("claude-opus-5-5", "medium", 2048, 3072)
    assert chosen(given, "post", None) == usual(given)
    ada = someone(model="claude-sonnet-5-5", max_tokens=512)
    assert chosen(given, "sms", ada) == ModelChoice("claude-sonnet-5-5", "low", 512, 3072)
    assert chosen(given, "email", ada) == ModelChoice("claude-sonnet-5-5", "medium", 512, 3072)


def test_a_choice_comes_back_from_its_step_and_yesterdays_step_has_none() -> None:
    """Whatever is set by then."""
    then, now = chosen(settings(), "sms", someone(model="claude-opus-5-5", effort="high")), usual(settings())
    assert restored(then.stored(), now) == then
    assert restored(None, now) == now


def test_what_a_claim_reserves_is_never_less_than_anybodys_question() -> None:
    """In tokens and in dollars, whoever's turn it turns out to be."""
    given = settings(sms_model="claude-haiku-5-5")
    users = Users([someone(username="a"), someone(username="b", model="claude-opus-5-5", max_tokens=9000)])
    table = Costs(given, users, shipped())
    claim = table.dearest(price.dearest(given, users))
    choices = all_chosen(given, users)
    assert {choice.model for choice in choices} == {"claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"}
    assert claim.fixed > claim.answer == 9000 + 3072
    for choice in choices:
        asked = price.most_of(Prompt("x" * 900, (PromptMessage("user", "y" * 4000),), choice=choice), given)
        for prompt in (10, 99_999, 100_001, 400_000):
            most = table.most(choice.model, prompt + choice.longest, choice.longest).micros
            assert most <= _most(claim.tiers, prompt, claim.answer)
        assert asked == choice.longest + (900 + 4000 + 2 * MESSAGE_OVERHEAD) // 2


def _most(tiers: str, prompt: int, output: int) -> int:
    """As the script reckons it."""
    words = [int(word) for word in tiers.split()]
    rows = zip(words[::3], words[1::3], words[2::3], strict=True)
    return max(-(-(prompt * into + output * out) // 1000) for above, into, out in rows if above == 0 or above < prompt)


@pytest.mark.parametrize(
    ("changes", "user", "sentence"),
    [
        ({}, {}, ""),
        ({"boss_model": "claude-haiku-4-5"}, {}, ""),  # which knows no effort, and nobody has said one
        (
            {"boss_model": "claude-haiku-4-5", "boss_effort": "high"},
            {},
            "BOSS_EFFORT=high: claude-haiku-4-5 knows no effort, and",
        ),
        (
            {"sms_model": "claude-opus-4-6", "sms_effort": "xhigh"},
            {},
            "SMS_EFFORT=xhigh: claude-opus-4-6 knows only low, medium, high, max",
        ),
        (
            {"boss_model": "qwen3", "boss_effort": "low"},
            {},
            "BOSS_EFFORT=low: nothing is known of qwen3, and it is asked without",
        ),
        ({"boss_model": "qwen3", "boss_effort": "default"}, {}, ""),
        ({"email_model": "claude-sonnet-4-5"}, {}, "EMAIL_MODEL: claude-sonnet-4-5 is served no more since 2026-11-30; ch"),
        ({}, {"model": "claude-opus-4-5"}, "the users file, user: model: claude-opus-4-5 is served until 2027-01-22; choose another by"),
        ({}, {"model": "claude-haiku-4-5", "effort": "low"}, "the users file, user: effort = low: claude-haiku-4-5 knows no effort, and"),
        ({"claude_thinking_tokens": 0}, {}, "CLAUDE_THINKING_TOKENS: claude-sonnet-5-5 cannot be told not to think: give it 1,024 or"),
        ({"boss_model": "claude-haiku-5-5", "claude_thinking_tokens": 0}, {}, ""),
        ({"boss_model": "qwen3", "web_search": "on"}, {}, "WEB_SEARCH and WEB_FETCH: qwen3 has no tools of the web"),
    ],
)
def test_what_a_model_cannot_do_is_said_once_and_where_it_is_set(changes: dict[str, Any], user: dict[str, Any], sentence: str) -> None:
    """What is only the shipped default is no fault of anybody's."""
    found = doubts(settings(**changes), Users([someone(**user), someone(username="other")]), TODAY)
    assert len(found) == bool(sentence), found
    assert not sentence or found[0].startswith(sentence)


def test_more_room_than_a_model_has_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the answer, and of question and answer together."""
    given = settings(boss_model="claude-haiku-4-5", claude_max_tokens=16_000, history_tokens=150_000)
    assert doubts(given, None, TODAY) == []
    monkeypatch.setattr(ModelChoice, "longest", property(lambda _: 70_000))
    assert [sentence.split(":")[0] for sentence in doubts(given, None, TODAY)] == [
        "CLAUDE_MAX_TOKENS and CLAUDE_THINKING_TOKENS are 70,000 tokens together, and claude-haiku-4-5 writes 64,000 at most",
        "HISTORY_TOKENS",
    ]


def test_who_answers_is_shown_in_one_line() -> None:
    """By channel where they differ."""
    assert described(settings(), None) == "claude-sonnet-5-5 (medium)"
    given = settings(sms_model="claude-haiku-5-5", sms_effort="low")
    users = Users([someone(), someone(username="b", effort="high")])
    assert described(given, users) == "sms: claude-haiku-5-5 (low); email: claude-sonnet-5-5 (medium); 1 of the users file have their own"
