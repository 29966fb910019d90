"""The site, built once from the checkout, and its pages as a browser would read them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs/site"))
_LOADING = {"src", "srcset", "data", "poster", "background"}
_URL = re.compile(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""")


class Reader(HTMLParser):
    """What a page defines, leads to and loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = list[str]()
        self.links = list[str]()
        self.navigation = set[str]()
        """Those of the links that stand in the navigation."""
        self.loads = list[str]()
        """What a browser asks for without being asked."""
        self.classes = set[str]()
        self._styled = False
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.classes.update(given.get("class", "").split())
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
            if "md-nav__link" in given.get("class", "").split():
                self.navigation.add(given["href"])
        elif tag in ("link", "use", "image") and given.get("rel") not in ("prev", "next", "canonical"):
            self.loads += [given[name] for name in ("href", "xlink:href") if name in given]
        self.loads += [given[name] for name in _LOADING & given.keys()]
        self.loads += urls_of(given.get("style", ""))
        self._styled = tag == "style"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._styled:
            self.loads += urls_of(data)
            self._styled = False


def urls_of(style: str) -> list[str]:
    """The URLs that a style sheet loads."""
    return [one or other for one, other in _URL.findall(style)]


class Site(NamedTuple):
    """The built site."""

    folder: Path
    said: str
    """What mkdocs has said."""
    pages: dict[str, Reader]
    """The pages by their paths, such as ``guide/index.html``."""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Builds the site; any warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = dict[str, Reader]()
    for path in sorted(folder.rglob("*.html")):
        pages[path.relative_to(folder).as_posix()] = reader = Reader()
        reader.feed(path.read_text("utf-8"))
    return Site(folder, done.stdout + done.stderr, pages)
