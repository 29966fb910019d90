"""Every link in the Markdown files leads to a file, and to a heading in it, that exists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OURS = "https://github.com/stepsched/stepsched/"


def prose(path: Path) -> str:
    """The text of a page without its blocks of code, which hold no links and no headings."""
    return re.sub(
        r"^( *)(```+|~~~+).*?^\1\2\s*$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )


@cache
def anchors(path: Path) -> set[str]:
    """The names by which GitHub reaches the headings of a page."""
    found = set[str]()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(path), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        repeated = sum(
            name == slug or re.fullmatch(f"{re.escape(slug)}-\\d+", name) is not None for name in found
        )
        found.add(f"{slug}-{repeated}" if repeated else slug)
    return found


def links(path: Path) -> list[str]:
    return [to for to in re.findall(r"\]\(([^)\s]+)\)", prose(path)) if not re.match(r"[a-z]+:", to)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        to = (page.parent / name).resolve() if name else page
        assert to.exists(), f"{link}: no such file"
        if anchor:
            assert anchor in anchors(to), f"{link}: no such heading"


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    reached = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert {*(ROOT / "docs").rglob("*.md")} - reached == {index}


def test_the_links_to_our_own_repository_lead_to_files_of_it() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    for path in re.findall(rf"{re.escape(OURS)}(?:blob|tree)/main/([^\"]+)", text):
        assert (ROOT / path).exists()
    assert text.count(OURS.rstrip("/")) == 4
