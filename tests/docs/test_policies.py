"""docs/policies.md defines each policy once, and names tests that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "policies.md"
TEXT = PAGE.read_text("utf-8")
DEFINED = re.findall(r"^### (P-\d+)$", TEXT, re.MULTILINE)
NAME = re.compile(r"(?<!\w)P-\d{2}(?!\w)")
TESTED = re.findall(r"`((?:docs|stepsched|tests)/[\w./]+)(?:::(\w+))?`", TEXT)


def quoted() -> Iterator[tuple[str, Path]]:
    """Every policy that is quoted, and where; not by the page itself nor by this test."""
    for folder, kinds in (("stepsched", ["*.py"]), ("tests", ["*.py"]), ("docs", ["*.md"])):
        for kind in kinds:
            for path in (ROOT / folder).rglob(kind):
                if path not in (PAGE, Path(__file__)):
                    for name in NAME.findall(path.read_text("utf-8")):
                        yield name, path


def test_each_policy_is_defined_once() -> None:
    assert len(DEFINED) == len(set(DEFINED)) > 30


def test_what_is_quoted_is_defined() -> None:
    unknown = {name: str(path.relative_to(ROOT)) for name, path in quoted() if name not in DEFINED}
    assert unknown == {}


def test_what_is_defined_is_quoted() -> None:
    assert sorted(set(DEFINED) - {name for name, _ in quoted()}) == []


@pytest.mark.parametrize("name", DEFINED)
def test_each_policy_has_a_reason_and_a_test(name: str) -> None:
    section = TEXT.partition(f"### {name}\n")[2].partition("\n#")[0]
    assert re.search(r"^\*Why:\* \w", section, re.MULTILINE)
    assert re.search(r"^\*Test:\* `", section, re.MULTILINE)


@pytest.mark.parametrize(("path", "test"), sorted(set(TESTED)))
def test_each_test_that_it_names_exists(path: str, test: str) -> None:
    assert test or path.startswith("docs/")
    assert re.search(rf"^ *def {test}\(" if test else ">>> ", (ROOT / path).read_text("utf-8"), re.MULTILINE)
