"""Notebooks elsewhere: pages made of them, and marimo."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from playwright.sync_api import Page

from tests.notebooks import shown
from tests.notebooks.contrast import measured, too_faint
from tests.notebooks.test_contrast import picture

MARIMO_OPTIONS = ("--headless", "--no-token", "--host", "127.0.0.1", "--port")
MARIMO = """import marimo

app = marimo.App(width="full")

@app.cell
def _():
{first}
    return backend, client, clock, estimates, jobs, morning, now, report, ss, timedelta, workflows

{cells}
"""
CELL = """
@app.cell
def _(backend, client, clock, estimates, jobs, morning, now, report, ss, timedelta, workflows):
    {source}
    return
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_made_of_notebooks_can_be_read(
    notebook: nbformat.NotebookNode, tmp_path: Path, visit: Callable[[str], Page], theme: str
) -> None:
    exporter = HTMLExporter(theme=theme, mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="")
    text, _ = exporter.from_notebook_node(notebook)
    file = tmp_path / "page.html"
    file.write_text(re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL), "utf-8")  # those of the page
    page = visit(file.as_uri())
    results = page.locator(".jp-OutputArea-executeResult .jp-OutputArea-output")
    assert results.count() == len(shown.CELLS)
    picture(page, f"nbconvert-{theme}")
    faint = [line for at in range(results.count()) for line in too_faint(measured(results.nth(at)))]
    assert faint == []


def test_what_sites_leave_of_it_is_still_the_table(notebook: nbformat.NotebookNode) -> None:
    text = shown.outputs(notebook)["jobs"]["text/html"]
    left = re.sub(
        r"<style>.*?</style>|<svg.*?</svg>|</?(form|input)[^>]*>| (class|style)=\"[^\"]*\"", "", text
    )
    rows = re.findall(r"<tr>(.*?)</tr>", left)
    cells = [[unescape(cell) for cell in re.findall(r"<t[hd]>(.*?)</t[hd]>", row)] for row in rows]
    assert cells[0][:3] == ["name", "status", "schedule"]
    assert [row[:2] for row in cells[1:3]] == [["<script>", "active"], ["pulse", "active"]]
    assert {len(row) for row in cells} == {len(cells[0])}


@pytest.mark.proof
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marimo(tmp_path: Path, visit: Callable[[str], Page], theme: str) -> None:
    first = "".join(f"    {line}\n" for line in shown.FIRST.strip().splitlines())
    cells = "".join(CELL.format(source=source) for source in shown.CELLS.values())
    file = tmp_path / "app.py"
    header = f'# /// script\n# [tool.marimo.display]\n# theme = "{theme}"\n# ///\n'
    file.write_text(header + MARIMO.format(first=first, cells=cells), "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "marimo", "run", str(file), *MARIMO_OPTIONS, str(port)],
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
            stdout=log,
            stderr=log,
        )
    try:
        url = f"http://127.0.0.1:{port}/"
        wait_for(url)
        page = visit(url)
        results = page.locator(".output form.stepsched")
        results.nth(5).wait_for()
        picture(page, f"marimo-{theme}")
        faint = [line for at in range(results.count()) for line in too_faint(measured(results.nth(at)))]
        assert faint == []
    finally:
        server.terminate()
        server.wait(20)


def wait_for(url: str) -> None:
    wait = threading.Event().wait
    for _ in range(600):
        if is_answered(url):
            return
        wait(0.1)
    raise AssertionError(url)


def is_answered(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):
            return True
    except URLError:
        return False
