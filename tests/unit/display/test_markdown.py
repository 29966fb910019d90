"""Markdown shows the texts of a table as they are: none becomes a link, a list, a picture or a formula."""

from __future__ import annotations

import html
import re

import pytest
from markdown_it import MarkdownIt

from stepsched.display.plain_text import to_markdown
from stepsched.display.table import Table, record_table, table_of

READER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
TEXTS = [
    *(
        "1. one",
        "12) two",
        "- a",
        "+ a",
        "* a",
        "# t",
        "> q",
        "===",
        "---",
        "[ ] x",
        "1.",
        "-",
        "~~~",
        "    x",
    ),
    *("`c`", "``c``", "a\\", "\\", "a|b", "a\\|b", "``", "`$`", "https://e.example/`|`x`"),
    *("[a](https://e.example)", "![a](//e.example/i.png)", "[a]: https://e.example", "<https://e.example>"),
    *("<b>x</b>", "<img src=x>", "&amp; &#x41;", "~~s~~", "__b__", "_i_", "*i*", "**b**", "a_b_c", "a  b"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_reader_shows_the_text_itself(text: str) -> None:
    row = table_of([(text, "x")], [text, "b"], lambda row: row, caption=text, total=1, notes=[text])
    for table in (row, record_table([(text, text)]), Table((), [], "", 0, row.notes)):
        page = READER.render(to_markdown(table))
        tags = {*re.findall(r"<([a-z0-9]+)", page)}
        assert tags <= {"table", "thead", "tbody", "tr", "th", "td", "p", "strong", "code"}
        shown = [html.unescape(re.sub("<[^>]*>", "", line)) for line in page.split("\n")]
        assert " ".join(text.split()) in shown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        pytest.param("see https://e.example/a now", "see `https://e.example/a` now", id="an address"),
        pytest.param("//e.example", "`//e.example`", id="without its scheme"),
        pytest.param("WWW.e.example", "`WWW.e.example`", id="of the web"),
        pytest.param("by me@e.example.", "by `me@e.example.`", id="a mailbox"),
        pytest.param("@user", "`@user`", id="somebody on GitHub"),
        pytest.param("costs $1 or $2", "costs `$`1 or `$`2", id="not a formula"),
        pytest.param(r"\(x\) \\[y\\]", r"`\`(x`\`) `\\`\[y`\\`\]", id="nor these"),
        pytest.param("https://e/`x", "``https://e/`x``", id="a backtick in an address"),
        pytest.param("1.5 s", "1.5 s", id="a number"),
    ],
)
def test_what_readers_find_even_where_it_is_escaped_is_code(text: str, markdown: str) -> None:
    """Autolinks of GitHub, and formulas of JupyterLab."""
    assert to_markdown(Table((), [], "", 0, [text])) == f"{markdown}\n"


def test_a_code_in_a_cell_does_not_end_the_cell() -> None:
    assert "| `https://e/\\|x` |" in to_markdown(record_table([("a", "https://e/|x")]))
