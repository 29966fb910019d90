"""Notebooks as pages: their text, code and stored outputs. Nothing is executed."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class NotebookPage(NamedTuple):
    """A notebook, version 4 of its format, as Markdown with places for its outputs."""

    markdown: str
    """The text and the code, with one :func:`place` for each output."""
    outputs: list[str]
    """The outputs as HTML, in order. They do not go through Markdown, which would change them."""


def page_of(text: str) -> NotebookPage:
    """Reads the text of a notebook."""
    notebook = json.loads(text)
    parts, outputs = list[str](), list[str]()
    for cell in notebook["cells"]:
        source = _joined(cell["source"]).strip("\n")
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code" and source:
            parts.append(f"```python\n{source}\n```")
            for output in _joined_streams(cell["outputs"]):
                parts.append(place(len(outputs)))
                outputs.append(_shown(output))
    return NotebookPage("\n\n".join(parts) + "\n", outputs)


def place(number: int) -> str:
    """The element that an output replaces."""
    return f'<div class="output" id="output-{number + 1}"></div>'


def with_outputs(page: str, outputs: list[str]) -> str:
    """Returns the HTML of a page with its outputs in their places."""
    for number, output in enumerate(outputs):
        page = page.replace(place(number), f'<div class="output" id="output-{number + 1}">{output}</div>')
    return page


def _joined_streams(outputs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The outputs of a cell; what it prints one after the other is one output."""
    for kind, group in groupby(outputs, key=lambda output: output["output_type"]):
        if kind == "stream":
            yield {"output_type": kind, "text": "".join(_joined(output["text"]) for output in group)}
        else:
            yield from group


def _shown(output: dict[str, Any]) -> str:
    """An output as HTML, in the richest form that it is stored in."""
    if output["output_type"] == "stream":
        return _preformatted(output["text"])
    if output["output_type"] == "error":
        return _preformatted("\n".join(output["traceback"]))
    data = output["data"]
    if "text/html" in data:  # a table without a class would be taken for one of the page
        return re.sub(r"<table(?![^>]* class=)", '<table class="stored"', _joined(data["text/html"]))
    if "image/svg+xml" in data:
        return _joined(data["image/svg+xml"])
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{_joined(data["image/png"]).strip()}">'
    return _preformatted(data.get("text/plain", ""))


def _preformatted(text: str | list[str]) -> str:
    return f"<pre><code>{html.escape(_ANSI.sub('', _joined(text)))}</code></pre>"


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
