"""Mails as a browser shows them: those of a model that obeys whoever wants to be told of what is read, and ordinary ones.

The browser's only way out is a proxy that notes every request and leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.model.addresses import EmailAddress
from shared.model.events import EmailReceived, SendEmailResponse
from supervisor_worker.channels.formats import reply
from supervisor_worker.channels.sendgrid.email import body_of
from tests.payloads import hostile_answers
from tests.support.browser import QUIET, counting_proxy
from tests.support.processes import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page
pytestmark = pytest.mark.timeout(150)
ARTIFACTS = ROOT / "tests" / "e2e" / "artifacts"
MAIL = EmailReceived(
    id="m-1",
    from_=EmailAddress("user@example.com"),
    to=EmailAddress("boss@example.com"),
    subject="Hi",
    body="",
    message_id="<m@x>",
    user="ada",
)
LETTER = """\
## The week

Hello Ada, this is **what is open**, in the order of its dates. See [the plan](https://plan.example/week?no=42) or write to
<team@example.com>; an address without an end: https://plan.example/{long}

1. Pay the *invoice*
2. Call `0 555 0100`
   - before noon
   - not on Friday

| what | when | € |
|------|------|--:|
| Rent | 1 May | 900 |
| 电费 | 3 May | 41 |

> You wrote: is it done?

```python
def total(rows):
    return sum(row["€"] for row in rows)  # letter for letter: <b> & "quotes" {{{wide}}}
```

שלום עדה, הפגישה ביום שני (10:00), ב-Café.

- مرحبا، الموعد يوم الاثنين 10:00.

---
{word}
""".format(long="path/" * 30, wide="wide " * 30, word="Donaudampfschifffahrt" * 12)


@pytest.fixture(scope="module")
def opened(browser_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BrowserContext, list[str]]]:
    """A browser behind the proxy, this machine's own addresses included, and what was asked of the proxy."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - `make e2e` alone installs it

    with counting_proxy() as (proxy, asked), sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=browser_path,
            headless=True,
            args=[*QUIET, f"--proxy-server={proxy}", "--proxy-bypass-list=<-loopback>"],
            viewport={"width": 700, "height": 900},
        )
        yield context, asked
        context.close()


@pytest.fixture
def page(opened: tuple[BrowserContext, list[str]], tmp_path: Path) -> Iterator[Page]:
    """A page that notes what it asks for, but for the mail itself."""
    page = opened[0].new_page()
    page.on("request", lambda request: None if request.url == mail_file(tmp_path).as_uri() else opened[1].append(request.url))
    yield page
    page.close()


def mail_file(folder: Path) -> Path:
    """Where a test's mail lies."""
    return folder / "mail.html"


def show(page: Page, folder: Path, html: str) -> None:
    """Open a mail's HTML, as its Content-Type says it is written."""
    mail_file(folder).write_text('<meta charset="utf-8">' + html, encoding="utf-8")
    page.goto(mail_file(folder).as_uri())


def html_of(said: str) -> str:
    """The HTML part of the mail that an answer becomes, as SendGrid is given it."""
    command = reply(MAIL, said, "r-1")
    assert isinstance(command, SendEmailResponse)
    part: str = body_of(command, {})["content"][1]["value"]
    return part


def test_no_mail_makes_a_browser_ask_for_anything(opened: tuple[BrowserContext, list[str]], page: Page, tmp_path: Path) -> None:
    """Seventy answers that want it, each opened and pointed at, then all at once; a picture by itself shows that the proxy would know."""
    _, asked = opened
    show(page, tmp_path, '<img src="http://pixel.example/control.png"><link rel=stylesheet href="http://127.0.0.1:8099/control.css">')
    assert {"GET http://pixel.example/control.png", "GET http://127.0.0.1:8099/control.css"} <= set(asked)
    asked.clear()
    mails = {name: html_of(said) for name, said in hostile_answers().items()}
    assert len(mails) >= 60
    for name, mail in [*mails.items(), ("all", "".join(mails.values()))]:
        show(page, tmp_path, mail)
        if page.locator("a").count():
            page.locator("a").first.hover()
        assert page.evaluate("performance.getEntriesByType('resource').length") == 0, name
    page.wait_for_timeout(2_000)  # a refresh or a script may wait
    assert page.url == mail_file(tmp_path).as_uri()
    assert asked == []


def test_a_mail_is_readable_as_it_is(page: Page, tmp_path: Path) -> None:
    """Without a style of ours: nothing is wider than a telephone but code, and what is written from the right reads from there."""
    show(page, tmp_path, html_of(LETTER).replace("<body>", '<head><meta name="color-scheme" content="light dark"></head><body>'))
    page.set_viewport_size({"width": 400, "height": 1_400})
    ARTIFACTS.mkdir(exist_ok=True)
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.screenshot(path=ARTIFACTS / f"mail_{scheme}.png", full_page=True)
        grounds.append(page.evaluate("getComputedStyle(document.querySelector('p')).color"))
    assert grounds == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    widths = page.evaluate("[...document.querySelectorAll('p, li, table, h3, blockquote')].map(each => each.scrollWidth)")
    assert max(widths) <= 400
    directions = page.evaluate("[...document.querySelectorAll('bdi')].map(each => getComputedStyle(each).direction)")
    assert directions == ["rtl", "rtl"]
    assert page.evaluate("document.querySelector('pre').innerText").rstrip("\n").endswith("{" + "wide " * 30 + "}")
