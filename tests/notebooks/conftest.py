"""A real JupyterLab, and a browser that visits it. Whatever another host hears of is an error."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from playwright.sync_api import Browser, Page, Request, sync_playwright
from typing_extensions import Self

from tests.browser.conftest import CHROMIUM
from tests.browser.conftest import OPTIONS as OF_CHROMIUM
from tests.notebooks import shown

PATIENCE = 60_000
"""The longest time in milliseconds until something is seen."""
OPTIONS = {
    "ServerApp.ip": "127.0.0.1",
    "ServerApp.port": 0,
    "ServerApp.open_browser": False,
    "ServerApp.allow_root": True,
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.news_url": None,
}


class Lab:
    """A JupyterLab with a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "notebooks"
        self._home, self._token = home, secrets.token_hex(16)
        self._url = ""
        for name in ("notebooks", "config", "data", "runtime", "settings"):
            (home / name).mkdir()

    def __enter__(self) -> Self:
        places = {
            "JUPYTER_CONFIG_DIR": self._home / "config",
            "JUPYTER_DATA_DIR": self._home / "data",
            "JUPYTER_RUNTIME_DIR": self._home / "runtime",
            "JUPYTERLAB_SETTINGS_DIR": self._home / "settings",
            "JUPYTERLAB_WORKSPACES_DIR": self._home / "workspaces",
        }
        options = {**OPTIONS, "IdentityProvider.token": self._token, "ServerApp.root_dir": str(self.folder)}
        with (self._home / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "jupyterlab",
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                env={**os.environ, **{name: str(place) for name, place in places.items()}},
                stdout=log,
                stderr=log,
            )
        self._url = self._find_url()
        return self

    def _find_url(self) -> str:
        """Returns the URL that the server writes to a file once it listens."""
        wait = threading.Event().wait
        for _ in range(PATIENCE // 50):
            for file in (self._home / "runtime").glob("jpserver-*.json"):
                text = file.read_text("utf-8")
                if text.endswith("}"):
                    return str(json.loads(text)["url"])
            assert self._server.poll() is None, (self._home / "server.log").read_text("utf-8")
            wait(0.05)
        raise AssertionError((self._home / "server.log").read_text("utf-8"))

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait(20)

    def keep(self, notebook: nbformat.NotebookNode, name: str, *, trusted: bool) -> None:
        """Stores a notebook; a trusted one is shown as if the reader had run its cells."""
        nbformat.write(notebook, self.folder / name)
        if trusted:
            notary = NotebookNotary(data_dir=str(self._home / "data"))
            try:
                notary.sign(nbformat.read(self.folder / name, as_version=4))
            finally:
                notary.store.close()

    def use_theme(self, theme: str) -> None:
        """Chooses the theme of all pages that are opened from now on."""
        folder = self._home / "settings" / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"themes": {"theme": theme}, "notification": {"fetchNews": "false"}}
        for name, chosen in settings.items():
            (folder / f"{name}.jupyterlab-settings").write_text(json.dumps(chosen), "utf-8")

    def url_of(self, name: str) -> str:
        return f"{self._url}lab/tree/{name}?token={self._token}&reset"


@pytest.fixture(scope="session")
def notebook() -> nbformat.NotebookNode:
    """What is shown, as the cells of a notebook that has been run."""
    return shown.executed()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, notebook: nbformat.NotebookNode) -> Iterator[Lab]:
    """A JupyterLab with `notebook`, which is trusted in one file and not in the other."""
    with Lab(tmp_path_factory.mktemp("lab")) as started:
        started.keep(notebook, "shown.ipynb", trusted=True)
        foreign = deepcopy(notebook)  # trust is given to contents, wherever they are
        foreign.cells.append(nbformat.v4.new_markdown_cell("Of somebody else"))
        started.keep(foreign, "foreign.ipynb", trusted=False)
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser. It ends with the module, for no other event loop can run in this thread meanwhile."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OF_CHROMIUM))
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens a page in a new profile. In the end nothing must have been asked of another host, and no script
    of the page may have failed."""
    wrong = list[str]()
    with ExitStack() as stack:

        def opened(url: str) -> Page:
            context = browser.new_context(viewport={"width": 1280, "height": 1000})
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            host = urlsplit(url).netloc

            def hear_request(request: Request) -> None:
                asked = urlsplit(request.url)
                if asked.netloc != host and asked.scheme not in ("data", "blob"):
                    wrong.append(f"asked {request.url}")

            page.on("request", hear_request)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(url)
            return page

        yield opened
    assert wrong == []
