"""docs/not-verified.md has what was not verified, once: other pages link to its areas."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.test_links import anchors, links

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "not-verified.md"
TITLE = "Not verified on AWS"


def test_a_section_of_another_page_is_one_line_with_a_link() -> None:
    found = 0
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text("utf-8")
        for section in re.findall(rf"^##+ {TITLE}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL):
            (line,) = section.strip().splitlines()
            assert "(not-verified.md#" in line, page
            found += 1
    assert found >= 10


def test_every_area_is_linked_by_its_page() -> None:
    areas = {anchor for anchor in anchors(PAGE) if anchor != "not-verified-on-aws"}
    reached = {
        link.partition("#")[2]
        for page in DOCS.rglob("*.md")
        for link in links(page)
        if (page.parent / link.partition("#")[0]).resolve() == PAGE
    }
    assert areas <= reached
