"""The table of the guide says of each backend what it declares."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from stepsched.backends.capabilities import BUILT_IN, Capabilities
from stepsched.core.descriptions import field_texts

GUIDE = Path(__file__).parents[2] / "docs/guide.md"


def table() -> list[str]:
    """The lines of the table: a row for each capability, with the docstring of its field."""
    texts = field_texts(Capabilities)
    heads = ["capability", "what the backend does", *(f"`{name}`" for name in BUILT_IN)]
    rows = [
        [
            f"`{field.name}`",
            texts[field.name].text.replace("``", "`").rstrip("."),
            *("yes" if getattr(can, field.name) else "no" for can in BUILT_IN.values()),
        ]
        for field in fields(Capabilities)
    ]
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def test_each_capability_has_a_docstring_of_one_line() -> None:
    texts = field_texts(Capabilities)
    assert all(
        texts[field.name].text and "\n" not in texts[field.name].text for field in fields(Capabilities)
    )


def test_the_table_of_the_guide_is_what_the_backends_declare() -> None:
    wanted = table()
    found = [line for line in GUIDE.read_text("utf-8").splitlines() if line.startswith("|")]
    start = next(number for number, line in enumerate(found) if line.startswith("| capability |"))
    assert found[start : start + len(wanted)] == wanted
