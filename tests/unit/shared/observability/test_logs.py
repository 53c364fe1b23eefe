"""The last guard of the logs: numbers, addresses, secrets and other people's words are masked wherever they slip in."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.tracebacks import ExceptionDictTransformer

from shared.errors import BadInput
from shared.observability import logs
from shared.observability.redaction import (
    KNOWN_SECRETS,
    MAX_CAUSES,
    MAX_DEPTH,
    MAX_ITEMS,
    MAX_VALUE,
    SafeError,
    mask,
    mask_value,
    summarize,
)

WORDS = "+15551234567 canary@example.com canarywords canary-secret-of-ours"
FULL_WIDTH = "+" + "".join(chr(0xFF10 + int(digit)) for digit in "15551234567")
numbers = st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True)
mails = st.from_regex(r"[a-z0-9.+_-]{1,20}@[a-z0-9]{1,10}\.[a-z]{2,5}", fullmatch=True)
around = st.text(alphabet=" .,;:!?<>()[]\"'\n=/", max_size=5)


@given(around, numbers, around)
def test_a_number_is_masked_anywhere(before: str, number: str, after: str) -> None:
    """In a sentence, a tuple, a URL's query."""
    assert number[1:] not in mask(before + number + after)


@given(around, mails, around)
def test_an_address_is_masked_anywhere(before: str, address: str, after: str) -> None:
    """Neither its name nor its domain stays."""
    masked = mask(before + address + after)
    assert address not in masked
    assert "@" + address.partition("@")[2] not in masked


@pytest.mark.parametrize(
    "text",
    [
        "Max retries exceeded with url: /Messages.json?To=%2B15551234567&PageSize=5",
        "GET /v3/messages?query=to_email%3D%22canary%40example.com%22",
        "redis://:canary15551234567@host:6379/0",
        "rediss://boss:canary@host/0 is away",
        "POST /email/inbound?token=canary15551234567 403",
        "key sk-ant-canary15551234567 refused", "SG.canary.15551234567 refused",
        "Authorization: Bearer canary15551234567", "authorization: Basic Y2FuYXJ5OjE1NTUxMjM0NTY3",
        "password=canary15551234567&x=1", "RuntimeError('+15551234567')", "mailto:canary@example.com",
    ],
)  # fmt: skip
def test_what_libraries_put_into_errors_is_masked(text: str) -> None:
    """Connection errors quote whole URLs, and URLs quote numbers, addresses and logins."""
    masked = mask(text)
    for part in ("canary", "15551234567", "Y2FuYXJ5"):
        assert part not in masked


@pytest.mark.parametrize(
    "text", ["c-0123456789abcdef01234567", "m-00112233445566778899aabb", "turn finished, 15 messages in 1234567 ms", "2026-11-22T20:54:00"]
)
def test_ids_and_figures_stay_readable(text: str) -> None:
    """What the log is for."""
    assert mask(text) == text


@given(st.integers(MAX_VALUE - 40, MAX_VALUE + 5))
def test_cutting_long_values_leaves_no_half_address(position: int) -> None:
    """A value that is cut in the middle of an address shows no half of it."""
    for canary in ("+15551234567", "canarycanary@example.com"):
        masked = mask("." * (position - 1) + " " + canary + " and more")
        assert "canary" not in masked
        assert "555" not in masked
        assert len(masked) <= MAX_VALUE + 40


@given(st.text(max_size=200))
def test_masking_twice_changes_nothing(text: str) -> None:
    """A line may pass two handlers."""
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    "number",
    [
        "15551234567", "5551234567", "0015551234567", "1 555 123 4567", "1-555-123-4567", "555-123-4567", "(555) 123-4567",
        "+1 (555) 123-4567", "+1 555 1234567", "+1-555-123-4567", "%2B15551234567", "%2b1%20555%20123%204567", "%252B15551234567",
        "1%20555%20123%204567", "1%2D555%2D123%2D4567", "1\u00a0555\u00a0123\u00a04567", FULL_WIDTH,
    ],
)  # fmt: skip
def test_a_number_is_masked_however_it_is_written(number: str) -> None:
    """With and without a plus, with blanks, dashes and brackets, and as a URL spells it."""
    for around in ("{}", "To={}&x=1", "To%3D{}", '{{"to": "{}"}}', "tel:{}", "to {}.", "({})", "['{}']", "number\n{}\n"):
        text = normalize("NFKC", mask(around.format(number)))
        assert [part for part in (number, "4567", "555") if part in text] == [], around


@pytest.mark.parametrize(
    "text",
    [
        "since 1795393341291-0", "2026-11-22 20:54:00", "2026-11-22T20:54:00.123456Z", "550e8400-e29b-41d4-a716-446655440000",
        "0123456789abcdef" * 2, "worker vm-27276-760d2c", "127.0.0.1:6379", "process 27276, 12 of 200, 3.1415926535 s",
        "line 12, in 0x7f10f4d00580", "AC00000000000000000000000000000000", "SM11111111111111111111111111111111", "took 123456789 us",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_number_a_little_stays(text: str) -> None:
    """Times, ids, addresses of machines: what the log is for."""
    assert mask(text) == text


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_000, "1 " * 500_000, "+1" * 500_000, "a@" * 500_000, "%2B" * 333_333, '"token": "' + "x" * 1_000_000, "://" * 333_333,
     "Bearer " * 142_857, "(" * 1_000_000, "1-" * 500_000, "\n" * 1_000_000, "key=" * 250_000],
)  # fmt: skip
def test_no_text_is_looked_at_beyond_a_bound(text: str) -> None:
    """What a megabyte costs is what its first 4,400 characters cost."""
    assert mask(text) == mask(text[: MAX_VALUE + 400])
    assert len(mask(text)) <= MAX_VALUE


# Secrets that are known


@pytest.fixture
def _knows() -> Iterator[None]:
    KNOWN_SECRETS.replace(['canary word/é"x', "0123456789abcdef" * 2, "short"])
    yield
    KNOWN_SECRETS.replace([])


@pytest.mark.usefixtures("_knows")
@pytest.mark.parametrize("spelled", [str, quote, lambda text: quote(text, safe=""), json.dumps, repr], ids=lambda how: how.__name__)
def test_a_secret_of_ours_is_hidden_without_looking_like_one(spelled: Any) -> None:
    """A Twilio token is 32 digits and letters, like an id; in a URL, in JSON and in a repr it is spelled otherwise."""
    for secret in ('canary word/é"x', "0123456789abcdef" * 2):
        text = mask(f"sent {spelled(secret)} to it")
        assert text.startswith("sent ")
        assert text.endswith(" to it")
        assert not [part for part in ("canary", "abcdef") if part in text]
    assert mask("short") == "short"


# Values


@dataclass
class Thing:
    """Something with a text in its repr."""

    text: str


def test_what_is_nested_is_masked() -> None:
    """Mappings, lists, keys; other objects are named by their kind, since a repr says what it likes."""
    given = {
        "to": ["+15551234567", {"mail": ("canary@example.com", 17, 1.5, None, True)}],
        "canary@example.com": {"canary@example.com"},
        "object": Thing("canary"), "bytes": b"canary", "error": ValueError("canary"), "ours": BadInput("job 1", code="foreign_job"),
        "path": Path("/x/canary@example.com"), "day": datetime(2026, 11, 22, tzinfo=UTC), 5: "+15551234567",
    }  # fmt: skip
    assert mask_value(given) == {
        "to": ["+***", {"mail": ["***@***", 17, 1.5, None, True]}],
        "***@***": ["***@***"],
        "object": "<Thing>", "bytes": "<bytes>", "error": "builtins.ValueError", "ours": "BadInput: foreign_job: job 1",
        "path": "***@***", "day": "2026-11-22 00:00:00+00:00", 5: "+***",
    }  # fmt: skip


def test_a_value_costs_no_more_than_its_bound() -> None:
    """As wide and as deep as it likes, also when it holds itself."""
    circle: list[Any] = []
    circle.append(circle)
    text = str(mask_value(circle))
    assert text == "[" * MAX_DEPTH + "'<list>'" + "]" * MAX_DEPTH
    assert len(mask_value(list(range(10_000)))) == MAX_ITEMS
    assert len(mask_value(dict.fromkeys(range(10000), "x"))) == MAX_ITEMS


# Exceptions


def failing(words: str) -> None:
    """Raise with a cause, a context and locals."""
    local = words
    try:
        try:
            dict[str, str]()[words]
        except KeyError as error:
            raise ValueError(f"could not send {local}") from error
    except ValueError as error:
        raise ExceptionGroup(words, [error, RuntimeError(words)]) from None


def test_an_error_is_told_in_outline() -> None:
    """Kinds and places, down the chain and into groups; no word and no local. Our own errors say what they say, masked."""
    with pytest.raises(ExceptionGroup) as caught:
        failing(WORDS[13:19])
    text = summarize(caught.value)
    for kind in ("builtins.ExceptionGroup", "builtins.ValueError", "builtins.KeyError", Path(__file__).name):
        assert kind in text
    assert "canary" not in text
    assert "BadInput: foreign_job: job +***" in summarize(BadInput("job +15551234567", code="foreign_job"))
    assert "SafeError: words" in summarize(SafeError("words"))


def test_a_chain_without_end_is_told_to_its_bound() -> None:
    """An error may be its own context's cause."""
    first, second = ValueError("x"), KeyError("y")
    first.__cause__, second.__cause__ = second, first
    assert summarize(first).count("Traceback") == MAX_CAUSES


# Lines


@pytest.fixture
def _put_back() -> Iterator[None]:
    """The product's logging may be set up in this process, and is put back."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning
    yield
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning = hooks
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()
    KNOWN_SECRETS.replace([])


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


@pytest.mark.usefixtures("_put_back")
def test_of_a_librarys_line_only_what_stands_in_its_code_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """Its arguments and what it put together are whatever it was given; ours and RQ's speak of ids."""
    logs.configure("tests", "json")
    logging.getLogger("aiohttp.server").error("Could not send %s to %s", "canary", "+15551234567")
    logging.getLogger("somebody").warning(f"canary {1}")  # noqa: G004 - what libraries do
    logging.getLogger("rq.worker").warning("Worker %s: job %s of +15551234567", "w-1", "j-1")
    template, whole, ours = lines(capfd)
    assert (template["event"], template["logger"]) == ("Could not send %s to %s", "aiohttp.server")
    assert template["where"].startswith(f"{Path(__file__).name}:")
    assert (whole["event"], whole["logger"]) == (logs.LIBRARY_MESSAGE, "somebody")
    assert ours["event"] == "Worker w-1: job j-1 of +***"


@pytest.mark.usefixtures("_put_back")
def test_no_line_shows_an_errors_words(capfd: pytest.CaptureFixture[str]) -> None:
    """Of ours, of a library, with a stack, as structlog's dictionary of an error with its locals, and as a value."""
    logs.configure("tests", "json", ["canary-secret-of-ours"])
    log = logs.logger("shared.tests")
    try:
        failing(WORDS)
    except ExceptionGroup as error:
        log.exception("It failed.", action="failed", error=error, reply={"to": ["+15551234567"]}, secret=WORDS[-21:])
        logging.getLogger("library").exception("It failed for %s", WORDS, stack_info=True)
        log.exception("It failed.", exc_info=(type(error), error, error.__traceback__))
        log.warning("It failed.", exception=ExceptionDictTransformer(show_locals=True)((type(error), error, error.__traceback__)))
    said = lines(capfd)
    assert len(said) == 4
    assert all("ExceptionGroup" in str(line["exception"]) for line in said)
    assert not [word for word in ("5551234567", "example.com", "canary-secret") if word in str(said)]
    assert "canary" not in str(said[:3])


class Broken:
    """A value that cannot be told."""

    def __str__(self) -> str:
        raise OverflowError(WORDS)


@pytest.mark.usefixtures("_put_back")
def test_a_line_that_cannot_be_written_is_not_printed_raw(capfd: pytest.CaptureFixture[str]) -> None:
    """Logging's own way is to print the template, the arguments and the error to stderr."""
    logs.configure("tests", "json")
    record = logging.getLogger("rq").makeRecord("rq.worker", logging.ERROR, "worker.py", 7, "Job %s", (Broken(),), None)
    handler = next(each for each in logging.getLogger().handlers if isinstance(each, logs.StderrHandler))
    handler.handle(record)
    assert lines(capfd)[0]["event"] == "Job %s"
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[lambda *_: str(Broken())]))
    handler.handle(record)
    assert capfd.readouterr().err == "A line of worker.py:7 could not be written.\n"


SCRIPT = """
import asyncio, os, sys, threading, warnings
from shared.observability import logs

class Unheard:
    def __del__(self):
        raise ValueError("canary in del")

async def forgotten():
    raise ValueError("canary in task")

async def main():
    task = asyncio.create_task(forgotten())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    asyncio.get_running_loop().call_soon(int, "canary in callback")
    await asyncio.sleep(0)

logs.configure("tests", sys.argv[1])
warnings.warn("canary in warning")
thread = threading.Thread(target=lambda: int("canary in thread"))
thread.start()
thread.join()
Unheard()
asyncio.run(main())
raise ValueError("canary in main")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_what_python_prints_by_itself_goes_the_same_way(log_format: str) -> None:
    """A warning, a thread's end, an error in a destructor, a task nobody waited for, a callback, and the process's own end."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, log_format], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "canary in" not in done.stderr.replace('int("canary in thread")', "").replace('"canary in ', '"'), done.stderr
    assert done.stdout == ""
    for action in ("warned", "thread_failed", "unraisable", "process_failed"):
        assert action in done.stderr
    assert done.stderr.count("builtins.ValueError") == 5
