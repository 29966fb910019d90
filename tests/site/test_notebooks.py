"""A notebook becomes a page as it is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping

from notebooks import page_of, with_outputs


def notebook(*cells: Mapping[str, object]) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)})


def code(source: str, *outputs: Mapping[str, object]) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def result(**data: object) -> dict[str, object]:
    return {"output_type": "execute_result", "data": data}


def test_text_stays_markdown_and_code_becomes_a_block() -> None:
    text = {"cell_type": "markdown", "source": ["# Jobs\n", "\n", "A [guide](../../docs/guide.md)."]}
    assert page_of(notebook(text, code("import stepsched as ss"))).markdown == (
        "# Jobs\n\nA [guide](../../docs/guide.md).\n\n```python\nimport stepsched as ss\n```\n"
    )


def test_an_output_is_shown_in_its_richest_form_and_untouched_by_markdown() -> None:
    table = "<table class='jobs'>\n\n<tr><td>*a* _b_</td></tr>\n</table>"
    page = page_of(notebook(code("jobs", result(**{"text/html": table, "text/plain": "a table"}))))
    shown = with_outputs(page.markdown, page.outputs)
    assert table in shown
    assert "a table" not in shown


def test_text_that_a_cell_prints_is_escaped() -> None:
    printed = {"output_type": "stream", "name": "stdout", "text": ["<b>\n", "\x1b[31mred\x1b[0m"]}
    page = page_of(notebook(code("print()", printed, result(**{"text/plain": "'<i>'"}))))
    assert page.outputs == [
        "<pre><code>&lt;b&gt;\nred</code></pre>",
        "<pre><code>&#x27;&lt;i&gt;&#x27;</code></pre>",
    ]


def test_a_table_is_not_styled_as_those_of_the_page_are() -> None:
    tables = {"text/html": "<table><tr></table><table border='1' class='frame'></table>"}
    (shown,) = page_of(notebook(code("jobs", result(**tables)))).outputs
    assert shown == """<table class="stored"><tr></table><table border='1' class='frame'></table>"""


def test_what_a_cell_prints_one_after_the_other_is_one_output() -> None:
    lines = [{"output_type": "stream", "name": "stderr", "text": f"{n}\n"} for n in range(3)]
    page = page_of(notebook(code("run()", *lines, result(**{"text/plain": "done"}))))
    assert page.outputs == ["<pre><code>0\n1\n2\n</code></pre>", "<pre><code>done</code></pre>"]


def test_pictures_are_part_of_the_page() -> None:
    outputs = [result(**{"image/svg+xml": "<svg/>"}), result(**{"image/png": "iVBORw==\n"})]
    page = page_of(notebook(code("plot()", *outputs)))
    assert page.outputs == ["<svg/>", '<img alt="" src="data:image/png;base64,iVBORw==">']


def test_an_error_that_a_notebook_shows_is_shown() -> None:
    failed = {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["one", "two"]}
    assert page_of(notebook(code("fail()", failed))).outputs == ["<pre><code>one\ntwo</code></pre>"]


def test_the_outputs_keep_their_order_and_no_page_has_one_twice() -> None:
    cells = [code(f"cell({n})", result(**{"text/html": f"<b>{n}</b>"})) for n in range(12)]
    page = page_of(notebook(*cells))
    shown = with_outputs(page.markdown, page.outputs)
    places = [shown.index(f"<b>{n}</b>") for n in range(12)]
    assert places == sorted(places)


def test_an_empty_cell_is_left_out() -> None:
    assert page_of(notebook(code(""))).markdown == "\n"
