"""A browser, and a site that it visits. Whatever the console or another host hears of is an error."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, sync_playwright

import stepsched as ss
from stepsched.http import serving
from stepsched.http.site import site_app

CHROMIUM = shutil.which("chromium")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 15_000
"""The longest time in milliseconds until something is seen."""
Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser. Each test has a new profile in it."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield started
        started.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ss.SchedulerClient]:
    """The client of a file whose jobs run."""
    with ss.LocalBackend(tmp_path / "jobs.db") as backend:
        yield ss.SchedulerClient(backend)


@pytest.fixture
def serve(client: ss.SchedulerClient) -> Iterator[Callable[..., str]]:
    """Serves the site; returns its URL."""
    with ExitStack() as stack:

        def start(**options: Any) -> str:
            opened = stack.enter_context(serving.listening("127.0.0.1", 0))
            app = site_app(client, title="jobs.db", **options)
            stack.enter_context(serving.serving(app, opened))
            return serving.url_of(opened)

        yield start


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens a page in a new profile. In the end nothing must have gone wrong in it, but for messages of the
    console that are allowed by their words."""
    wrong = list[str]()
    with ExitStack() as stack:

        def opened(url: str, *, waits: bool = True, allows: str = "no such words", **options: Any) -> Page:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            host = urlsplit(url).netloc

            def hear_request(request: Request) -> None:
                if urlsplit(request.url).netloc != host:
                    wrong.append(f"asked {request.url}")

            def hear_console(said: ConsoleMessage) -> None:
                if allows not in said.text:
                    wrong.append(f"{said.type}: {said.text}")

            def hear_dialog(dialog: Dialog) -> None:
                wrong.append(f"asked {dialog.message}")
                dialog.dismiss()

            page.on("request", hear_request)
            page.on("console", hear_console)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("dialog", hear_dialog)
            page.goto(url)
            if waits:
                page.locator("#live.on").wait_for()
            return page

        yield opened
    assert wrong == []


def job(name: str, *words: str, **changes: object) -> ss.Job:
    """A job that runs a command every day."""
    schedule = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
    target = ss.CommandTarget(list(words or ("true",)))
    return ss.Job(name=name, schedule=schedule, target=target, retry=ss.Retry(max_attempts=0)).replace(
        **changes
    )
