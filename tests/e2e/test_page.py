"""The sandbox page in a real browser: type a text, see the reply arrive; the same with a mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import QUIET
from tests.support.fresh_checkout import READY, FreshCheckout, fresh_copy
from tests.support.processes import ROOT, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Page
pytestmark = pytest.mark.timeout(150)
PATIENCE_MS = 20_000
ARTIFACTS = ROOT / "tests" / "e2e" / "artifacts"


@pytest.fixture(scope="module")
def checkout(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreshCheckout]:
    """`make run`, up and ready."""
    assert browser_path
    tree = fresh_copy(tmp_path_factory.mktemp("clone") / "bossline")
    with FreshCheckout(tree, "make", "-o", "install", "run", PORT=str(free_port())) as running:
        running.wait_for_output(re.escape(READY))
        yield running


@pytest.fixture
def page(checkout: FreshCheckout, browser_path: str, tmp_path: Path) -> Iterator[Page]:
    """The sandbox page in a browser with a profile of its own; a picture of its last state is kept."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - `make e2e` alone installs it

    with sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=browser_path, headless=True, args=list(QUIET), viewport={"width": 1400, "height": 900}
        )
        context.set_default_timeout(PATIENCE_MS)
        opened = context.pages[0]
        complaints: list[str] = []
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.goto(f"http://127.0.0.1:{checkout.sandbox_port}/")
        yield opened
        ARTIFACTS.mkdir(exist_ok=True)
        opened.screenshot(path=ARTIFACTS / "page.png")
        context.close()
    assert complaints == []


def test_a_text_typed_into_the_phone_is_answered(page: Page) -> None:
    """The reply of the Boss appears in the talk, below the text."""
    page.get_by_label("Text the Boss").fill("Hello from a browser")
    page.get_by_label("Send text").click()
    page.get_by_role("log", name="Texts").get_by_text("You wrote: Hello from a browser").wait_for()


def test_a_mail_written_on_the_page_is_answered(page: Page) -> None:
    """The answer appears in the thread, under the same subject."""
    page.get_by_label("Subject").fill("A question")
    page.get_by_label("Mail text").fill("Can you read mail as well?")
    page.get_by_role("button", name="Send mail").click()
    thread = page.get_by_role("log", name="Mails of this thread")
    thread.get_by_text("[simulated] You wrote").filter(has_text="Can you read mail as well?").wait_for()
    thread.get_by_text("HTML part").click()
    page.frame_locator("iframe[title='HTML part']").get_by_text("[simulated] You wrote").wait_for()
