"""Every text that stepsched shows in a notebook can be read, in every theme, as a browser paints it."""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page

from tests.notebooks.conftest import Lab
from tests.notebooks.contrast import measured, too_faint
from tests.notebooks.shown import CELLS, outputs

LAB_THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")
VS_CODE_THEMES = {
    "Light Modern": ("#3B3B3B", "#FFFFFF"),
    "Dark Modern": ("#CCCCCC", "#1F1F1F"),
    "Light+": ("#000000", "#FFFFFF"),
    "Dark+": ("#D4D4D4", "#1E1E1E"),
    "Light High Contrast": ("#292929", "#FFFFFF"),
    "Dark High Contrast": ("#FFFFFF", "#000000"),
    "Solarized Dark": ("#839496", "#002B36"),
}
"""The colors of text and ground in the themes of VS Code: ``editor.foreground``, ``editor.background``."""
VS_CODE = """
body { background: GROUND; color: INK; font: 13px sans-serif; margin: 0; padding: 0 20px }
pre { white-space: pre-wrap; overflow-wrap: anywhere }
.output { overflow-x: auto; padding: 8px 0 }
table, thead, tr, th, td, tbody {
  border: none !important; border-color: transparent; border-spacing: 0; border-collapse: collapse;
}
table, th, tr { vertical-align: middle; text-align: right }
thead { font-weight: bold; background-color: rgba(130, 130, 130, 0.16) }
th, td { padding: 4px 8px }
tr:nth-child(even) { background-color: rgba(130, 130, 130, 0.08) }
tbody th { font-weight: normal }
"""
"""The style that VS Code gives to results of cells; older versions of it are the stricter ones."""
PICTURES = os.environ.get("STEPSCHED_PICTURES")
"""A folder for screenshots, for people who want to look at them."""


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("theme", LAB_THEMES)
def test_jupyterlab(lab: Lab, visit: Callable[[str], Page], theme: str) -> None:
    lab.use_theme(theme)
    page = visit(lab.url_of("shown.ipynb"))
    results = page.locator(".jp-OutputArea-executeResult .jp-OutputArea-output")
    results.nth(len(CELLS) - 1).wait_for(state="attached")
    check(page, results, theme)


def test_a_notebook_that_is_not_trusted_shows_the_same_rows(lab: Lab, visit: Callable[[str], Page]) -> None:
    lab.use_theme("JupyterLab Dark")
    rows, are_sorted = [], []
    for name in ("shown.ipynb", "foreign.ipynb"):
        page = visit(lab.url_of(name))
        results = page.locator(".jp-OutputArea-executeResult .jp-OutputArea-output")
        results.nth(len(CELLS) - 1).wait_for(state="attached")
        rows.append(results.nth(0).locator("tr").all_inner_texts())
        are_sorted.append({each.is_visible() for each in results.nth(0).locator("input").all()})
        if name == "foreign.ipynb":
            assert results.locator("style, svg").count() == 0  # which JupyterLab has removed
    assert len(rows[0]) > 5
    assert rows[0] == rows[1]
    assert are_sorted == [{True}, {False}]


@pytest.mark.parametrize("theme", VS_CODE_THEMES)
def test_vs_code(
    notebook: nbformat.NotebookNode, tmp_path: Path, visit: Callable[[str], Page], theme: str
) -> None:
    ink, ground = VS_CODE_THEMES[theme]
    style = VS_CODE.replace("INK", ink).replace("GROUND", ground)
    shown = (
        result.get("image/svg+xml") or result.get("text/html") or f"<pre>{escape(result['text/plain'])}</pre>"
        for result in outputs(notebook).values()
    )
    divs = "".join(f'<div class="output">{text}</div>' for text in shown)
    file = tmp_path / "page.html"
    file.write_text(f'<!DOCTYPE html><meta charset="utf-8"><style>{style}</style>{divs}', "utf-8")
    page = visit(file.as_uri())
    check(page, page.locator(".output"), f"VS Code {theme}")


def check(page: Page, results: Locator, host: str) -> None:
    """Measures what the cells show, in the order of `CELLS`."""
    assert results.count() == len(CELLS)
    faint = dict[str, list[str]]()
    for at, name in enumerate(CELLS):
        result = results.nth(at)
        result.scroll_into_view_if_needed()
        picture(page, f"{host}-{name}")
        texts = measured(result)
        assert texts or result.locator("img").count(), name
        faint[name] = too_faint(texts)
    assert {name: found for name, found in faint.items() if found} == {}
