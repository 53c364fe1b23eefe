"""Facts and lists: each is one person's own, bounded, changed by its id, and what cannot be done changes nothing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any, Final, cast

from shared.mailbox import calls
from shared.mailbox.calls import Effect, RememberedFacts, TurnHolder
from tests.support.mailbox_driver import C, MailboxDriver
from tests.support.mailbox_state import LEASE

Result = dict[str, Any]
ADA, EVE = "per-ada", "per-eve"
NUMBERS: Final = itertools.count(1)


def began(driver: MailboxDriver) -> TurnHolder:
    """Who works on a turn of m-1."""
    driver.accept("m-1")
    turn = driver.claim("k1").turn
    assert turn is not None
    for person in (ADA, EVE):
        driver.redis.hset(f"boss:person:{person}", "epoch", 0)
    return TurnHolder(C, "k1", turn.id, ADA, "0", LEASE)


def done(
    driver: MailboxDriver, holder: TurnHolder, name: str, arguments: Mapping[str, Any], *, person: str = ADA, marked: bool = False
) -> Result:
    """What an effect says, in a call of its own."""
    call = f"tu_{next(NUMBERS)}"
    who = TurnHolder(holder.conversation, holder.token, holder.turn, person, "0", LEASE)
    step = driver.run(calls.step(who, call, {}, effect=Effect(name, call, arguments, marked, "sms"), figures={}))
    assert step.outcome == "ok"
    found: Result = json.loads(step.entry)["result"]
    return found


def kept(driver: MailboxDriver) -> dict[str, Any]:
    """All that is kept of facts and lists."""
    names = cast("list[bytes]", [*driver.redis.keys("boss:facts:*"), *driver.redis.keys("boss:list*")])
    return {name.decode(): driver.redis.hgetall(name) for name in sorted(names)}


def remember(driver: MailboxDriver, holder: TurnHolder, text: str, **more: Any) -> Result:
    return done(driver, holder, "remember", {"text": text}, **more)


def shown(driver: MailboxDriver, person: str = ADA, most: int = 8_000) -> RememberedFacts:
    return driver.run(calls.memory_of(person, C, facts_bytes=most, said_bytes=0)).facts


def test_a_fact_is_kept_with_when_and_where_it_was_said_and_forgotten_by_its_id(driver: MailboxDriver) -> None:
    """What is forgotten is nowhere any more, and its id leads to nothing."""
    holder = began(driver)
    first = remember(driver, holder, "likes tea")["fact"]
    second = remember(driver, holder, "Tom\u2019s is at 9 Elm St", marked=True)["fact"]
    assert (first["id"], second["id"], second["channel"], second["marked"]) == ("f1", "f2", "sms", True)
    accepted = driver.box.message("m-1")
    assert accepted is not None
    assert 0 <= first["at"] - accepted.accepted_at < 60_000
    assert [(fact.id, fact.text, fact.at, fact.marked) for fact in shown(driver).shown] == [
        ("f2", second["text"], second["at"], True), ("f1", "likes tea", first["at"], False),
    ]  # fmt: skip
    assert done(driver, holder, "forget", {"ids": ["f1"]})["forgotten"] == [first]
    assert "likes tea" not in str(driver.redis.hgetall(f"boss:facts:{ADA}"))
    assert done(driver, holder, "forget", {"ids": ["f1"]}) == {"ok": False, "reason": "unknown_id", "id": "f1"}
    assert remember(driver, holder, "likes tea")["fact"]["id"] == "f3"


def test_what_is_remembered_already_is_kept_once(driver: MailboxDriver) -> None:
    """And is no second fact that may stay when the first is forgotten."""
    holder = began(driver)
    first = remember(driver, holder, "likes tea")
    assert remember(driver, holder, "likes tea") == {"ok": True, "already": True, "fact": first["fact"], "count": 1}


def test_a_fact_beyond_its_bounds_changes_nothing(driver: MailboxDriver) -> None:
    """Five hundred characters, of any width; two hundred facts; one that is forgotten makes room."""
    holder = began(driver)
    assert remember(driver, holder, "\u00e4" * 500)["ok"]
    before = kept(driver)
    assert remember(driver, holder, "x" * 501) == {"ok": False, "reason": "too_long", "most": 500, "length": 501}
    assert remember(driver, holder, "x" * 5_000)["reason"] == "too_long"
    assert kept(driver) == before
    for number in range(199):
        driver.redis.hset(f"boss:facts:{ADA}", f"f{number + 900}", json.dumps({"id": f"f{number + 900}", "text": str(number), "at": 1}))
    before = kept(driver)
    assert remember(driver, holder, "one more") == {"ok": False, "reason": "too_many", "most": 200}
    assert kept(driver) == before
    assert done(driver, holder, "forget", {"ids": ["f900", "f901"]})["count"] == 198
    assert remember(driver, holder, "one more")["ok"]


def test_an_id_of_another_person_leads_to_nothing(driver: MailboxDriver) -> None:
    """Ids are looked up under the person of the turn: facts, items, and the names of lists."""
    holder = began(driver)
    remember(driver, holder, "eve's own", person=EVE)
    added = done(driver, holder, "list_add", {"list": "Plan", "key": "plan", "items": [item("hide")]}, person=EVE)["added"]
    before = kept(driver)
    wanted = [{"id": added[0]["id"]}]
    for name, arguments in (
        ("forget", {"ids": ["f1"]}), ("pin", {"id": "f1", "pinned": True}), ("list_check", {"items": wanted, "done": True}),
        ("list_remove", {"items": wanted}), ("list_show", {"list": "plan", "key": "plan", "offset": 0}), ("forget", {"ids": ["next"]}),
    ):  # fmt: skip
        assert not done(driver, holder, name, arguments)["ok"], name
    assert kept(driver) == before
    assert done(driver, holder, "list_memory", {"offset": 0})["count"] == shown(driver).count == 0


def test_a_call_that_names_one_unknown_id_forgets_nothing(driver: MailboxDriver) -> None:
    """All or none."""
    holder = began(driver)
    remember(driver, holder, "one")
    before = kept(driver)
    assert done(driver, holder, "forget", {"ids": ["f1", "f9"]})["id"] == "f9"
    assert kept(driver) == before


def test_a_question_is_shown_pinned_facts_first_then_the_newest_as_far_as_there_is_room(driver: MailboxDriver) -> None:
    """And how many there are in all."""
    holder = began(driver)
    for number in range(1, 8):
        remember(driver, holder, f"fact {number}")
    assert done(driver, holder, "pin", {"id": "f2", "pinned": True})["fact"]["pinned"]
    assert done(driver, holder, "pin", {"id": "f2", "pinned": True})["already"]
    found = shown(driver, most=4 * len("fact 1"))
    assert ([fact.id for fact in found.shown], found.count) == (["f2", "f7", "f6", "f5"], 7)
    done(driver, holder, "pin", {"id": "f2", "pinned": False})
    assert [fact.id for fact in shown(driver, most=12).shown] == ["f7", "f6"]


def test_a_long_memory_is_listed_in_parts_and_each_fact_once(driver: MailboxDriver) -> None:
    """One result holds no more than a step may."""
    holder = began(driver)
    for number in range(120):
        remember(driver, holder, f"{number} " + "x" * 480)
    seen, offset, parts = list[str](), 0, 0
    while True:
        part = done(driver, holder, "list_memory", {"offset": offset})
        assert len(json.dumps(part)) < 20_000
        seen += [fact["id"] for fact in part["facts"]]
        parts += 1
        if "next" not in part:
            break
        offset = part["next"]
    assert seen == [f"f{number}" for number in range(120, 0, -1)]
    assert parts > 3


def test_facts_are_found_by_their_words_those_that_say_most_of_them_first(driver: MailboxDriver) -> None:
    """Also those for which a question has no room; of equals the newest first."""
    holder = began(driver)
    for text in ("Mum likes green tea", "Likes TEA", "allergic to nuts", "Übt Geige"):
        remember(driver, holder, text)
    found = done(driver, holder, "list_memory", {"offset": 0, "words": [["tea"], ["green"]]})
    assert ([fact["id"] for fact in found["facts"]], found["count"]) == (["f1", "f2"], 2)
    assert [fact["id"] for fact in done(driver, holder, "list_memory", {"offset": 0, "words": [["likes"]]})["facts"]] == ["f2", "f1"]
    assert [fact["id"] for fact in done(driver, holder, "list_memory", {"offset": 0, "words": [["übt", "Übt"]]})["facts"]] == ["f4"]
    assert done(driver, holder, "list_memory", {"offset": 0, "words": [["zoo"]]})["count"] == 0
    assert done(driver, holder, "list_memory", {"offset": 0, "words": []})["count"] == 4


def item(text: str) -> dict[str, str]:
    return {"text": text, "key": text.casefold()}


def add(driver: MailboxDriver, holder: TurnHolder, name: str, *texts: str) -> Result:
    return done(driver, holder, "list_add", {"list": name, "key": name.casefold(), "items": [item(text) for text in texts]})


def on(driver: MailboxDriver, holder: TurnHolder, name: str) -> list[tuple[str, str, bool]]:
    """The items of a list."""
    found = done(driver, holder, "list_show", {"list": name, "key": name.casefold(), "offset": 0})
    return [(each["id"], each["text"], each["done"]) for each in found.get("items") or []]


def test_several_items_are_added_at_once_and_a_name_is_one_list(driver: MailboxDriver) -> None:
    """In whatever case; what stands there is not added twice, and what was checked off is open again."""
    holder = began(driver)
    assert [each["id"] for each in add(driver, holder, "Shopping", "milk", "eggs", "Milk")["added"]] == ["1.1", "1.2"]
    done(driver, holder, "list_check", {"items": [{"id": "1.2", "version": 1}], "done": True})
    again = add(driver, holder, "shopping", "MILK", "eggs", "bread")
    assert ([each["text"] for each in again["added"]], [each["text"] for each in again["already"]]) == (["eggs", "bread"], ["milk"])
    assert on(driver, holder, "SHOPPING") == [("1.1", "milk", False), ("1.2", "eggs", False), ("1.3", "bread", False)]
    assert add(driver, holder, "to do", "call")["added"][0]["id"] == "2.1"
    heads = done(driver, holder, "list_show", {"list": "", "key": "", "offset": 0})["lists"]
    assert [(head["list"], head["open"], head["count"]) for head in heads] == [("Shopping", 3, 3), ("to do", 1, 1)]


def test_of_two_who_change_one_item_the_second_is_told_what_stands_now(driver: MailboxDriver) -> None:
    """By the version that they saw; and nothing changes, not even the other items of the call."""
    holder = began(driver)
    add(driver, holder, "shopping", "milk", "eggs")
    seen = [{"id": "1.1", "version": 1}, {"id": "1.2", "version": 1}]
    assert [each["version"] for each in done(driver, holder, "list_check", {"items": seen[:1], "done": True})["changed"]] == [2]
    before = kept(driver)
    for name, arguments in (("list_remove", {"items": seen[::-1]}), ("list_check", {"items": seen[::-1], "done": True})):
        lost = done(driver, holder, name, arguments)
        assert (lost["ok"], lost.get("reason")) == (False, "changed")
        assert (lost["stands"]["text"], lost["stands"]["done"], lost["stands"]["version"]) == ("milk", True, 2)
        assert kept(driver) == before
    removed = done(driver, holder, "list_remove", {"items": [{"id": "1.1", "version": 2}, seen[1]]})["removed"]
    assert [each["text"] for each in removed] == ["milk", "eggs"]
    assert done(driver, holder, "list_check", {"items": seen[:1], "done": True}) == {"ok": False, "reason": "unknown_id", "id": "1.1"}
    assert driver.redis.keys(f"boss:list:{ADA}*") == []
    assert add(driver, holder, "shopping", "milk")["added"][0]["id"] == "2.1"


def test_a_list_beyond_its_bounds_changes_nothing(driver: MailboxDriver) -> None:
    """Twenty lists of two hundred items of two hundred characters, and what does not fit whole is not added in part."""
    holder = began(driver)
    for number in range(20):
        add(driver, holder, f"list {number}", "x" * 200)
    add(driver, holder, "list 0", *(f"item {number}" for number in range(198)))
    before = kept(driver)
    for name, texts, reason in (
        ("list 0", ("one", "two"), "too_many_items"), ("one more", ("one",), "too_many_lists"),
        ("list 1", ("one", "y" * 201), "item_too_long"), ("n" * 41, ("one",), "name_too_long"),
    ):  # fmt: skip
        result = add(driver, holder, name, *texts)
        assert (result["ok"], result.get("reason")) == (False, reason)
    assert kept(driver) == before
    assert add(driver, holder, "list 0", "one")["count"] == 200


def test_a_repeated_step_changes_nothing_twice(driver: MailboxDriver) -> None:
    """Its first result is what counts."""
    holder = began(driver)
    effect = Effect("list_add", "tu_0", {"list": "a", "key": "a", "items": [item("x")]}, channel="sms")
    first, second = (driver.run(calls.step(holder, "result:1:tu_0", {}, effect=effect, figures={})) for _ in range(2))
    assert first == second
    assert on(driver, holder, "a") == [("1.1", "x", False)]


def test_an_erased_person_is_forgotten_and_what_is_made_of_what_they_said_is_stored_no_more(driver: MailboxDriver) -> None:
    """All facts and lists of that person, nobody else's; the turn that is under way is of the epoch before."""
    holder = began(driver)
    driver.redis.hset("boss:people", "u-ada", ADA)
    remember(driver, holder, "one")
    add(driver, holder, "a", "x", "y")
    add(driver, holder, "b", "z")
    remember(driver, holder, "eve's own", person=EVE)
    assert driver.run(calls.erase_begin("u-ada")).forgotten == 4
    assert list(kept(driver)) == [f"boss:facts:{EVE}"]
    effect = Effect("remember", "tu_9", {"text": "two"}, channel="sms")
    assert driver.run(calls.step(holder, "result:1:tu_9", {}, effect=effect, figures={})).outcome == "erased"
    assert list(kept(driver)) == [f"boss:facts:{EVE}"]
    assert driver.run(calls.erase_begin("u-nobody")).forgotten == 0


def test_a_claim_says_whether_anything_is_remembered_of_the_person(driver: MailboxDriver) -> None:
    """So that a question to a person without facts costs no round trip more."""
    for number, remembers in ((1, False), (2, True)):
        driver.accept(f"m-{number}")
        turn = driver.claim(f"k{number}").turn
        assert turn is not None
        assert turn.remembers is remembers
        driver.run(calls.backoff(C, f"k{number}", 0, "test", counted=False))
        driver.redis.hset(f"boss:facts:{turn.person}", "f1", json.dumps({"id": "f1", "text": "x", "at": 1}))
