"""`make bench`: a quick run of Bossline alone, which needs none of the other systems, and the checks that every run makes."""

from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPConnection
from importlib import import_module
from xml.etree import ElementTree as ET

import pytest

from bench.__main__ import PARTS
from bench.harness.chart import Panel, draw
from bench.harness.load_generator import LoadResult
from bench.harness.provider_client import ProviderProcess, once_each
from tests.chaos.table import FULL
from tests.support.processes import ROOT, clean_environment
from tests.support.wait import wait_for


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("part", "shows"),
    [
        ("message", "Redis commands"),
        *([("webhook", "Webhooks"), ("concurrent_turns", "Held at once"), ("conversations", "The cost of one message")] if FULL else []),
    ],
)
def test_a_quick_run_measures_bossline_alone(part: str, shows: str) -> None:
    """Each part goes through all of its work with nothing but the product installed."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", part, "--quick", "--without-peers"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"### {shows}" in done.stdout


@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_be_asked_for_by_its_name(part: str) -> None:
    """The module of a part has a function of the same name, and needs no other system to be imported."""
    assert callable(getattr(import_module(f"bench.scenarios.{part}"), part))


@pytest.mark.parametrize("sends", [["a"], ["a", "b", "b"], ["a", "b", "c"]], ids=["missing", "twice", "foreign"])
def test_a_run_in_which_a_job_did_not_end_exactly_once_is_an_error(sends: list[str]) -> None:
    """Missing, twice or unknown: none of them is measured as work done."""
    once_each([(1.0, "a"), (2.0, "b")], ["a", "b"])
    with pytest.raises(AssertionError, match=r"missing|twice"):
        once_each([(1.0, to) for to in sends], ["a", "b"])


@pytest.mark.parametrize(
    "result",
    [LoadResult(statuses={200: 9, 503: 1}), LoadResult(statuses={200: 9, 0: 1}), LoadResult(), LoadResult(statuses={200: 9}, not_sent=1)],
    ids=["refused", "cut off", "nothing", "not sent"],
)
def test_a_round_with_anything_but_2xx_is_an_error(result: LoadResult) -> None:
    """A server is not fast because it refuses."""
    LoadResult(statuses={200: 9, 204: 1}).check()
    with pytest.raises(AssertionError):
        result.check()


def test_the_stub_of_the_providers_answers_after_its_delay_and_counts_who_waits() -> None:
    """Claude's answer is held back while the delay lasts, and the most that waited at once is remembered."""
    with ProviderProcess() as providers:
        providers.delay(0.3)
        waiting = [HTTPConnection("127.0.0.1", providers.port, timeout=10) for _ in range(3)]
        for connection in waiting:
            connection.request("POST", "/v1/messages", body=b"{}")
        wait_for(lambda: providers.counts()["max_in_flight"] == 3)
        said = [json.loads(connection.getresponse().read()) for connection in waiting]
        assert {answer["role"] for answer in said} == {"assistant"}
        assert (providers.counts()["asked"], providers.counts()["in_flight"]) == (3, 0)


def test_the_stub_of_the_providers_records_when_and_to_whom_a_text_was_sent() -> None:
    """Each text gets an id of its own, and is told to whoever asks."""
    with ProviderProcess() as providers:
        connection = HTTPConnection("127.0.0.1", providers.port, timeout=10)
        sids = set()
        for number in ("%2B15550000001", "%2B15550000002"):
            connection.request("POST", "/2010-04-01/Accounts/AC1/Messages.json", body=f"To={number}&Body=Hello")
            answer = connection.getresponse()
            assert answer.status == 201
            sids.add(json.loads(answer.read())["sid"])
        assert len(sids) == 2
        assert [to for _, to in providers.sends()] == ["+15550000001", "+15550000002"]
        providers.reset()
        assert providers.sends() == []


def test_the_chart_is_an_image_with_a_bar_for_each_figure() -> None:
    """The SVG is well-formed whatever the names hold."""
    root = ET.fromstring(draw([Panel("a < b", (("Bossline", 3.0), ("x & y", 0.0)))], "two cores"))  # noqa: S314 - our own
    assert len(root.findall("{http://www.w3.org/2000/svg}rect")) == 2
