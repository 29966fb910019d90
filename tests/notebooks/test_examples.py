"""The notebooks for readers: what is stored of them is what their cells show, on every machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest

from tests.docs.test_snippets import WITH_PANDAS, run
from tests.notebooks.examples import FOLDER, METADATA, executed

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 300_000
"""The maximum size of a file in bytes, which GitHub still shows."""
PRESENT = re.compile(r"/tmp/|/home/|/root/|/Users/|ipykernel_\\d|0x[0-9a-f]{8}")
"""What only one machine, or one run, has."""


def test_there_is_one_for_each_reader() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["aws", "data", "operations", "testing"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_show_what_is_stored(path: Path) -> None:
    stored = nbformat.read(path, as_version=4)
    present = executed(path)
    for one, other in zip(stored.cells, present.cells, strict=True):
        assert outputs(one) == outputs(other), one.source


def outputs(cell: nbformat.NotebookNode) -> list[object]:
    """Returns what a cell shows. Of a picture in pixels only that there is one: its bytes depend on fonts."""
    return [
        {kind: "a picture" if kind == "image/png" else text for kind, text in output.data.items()}
        if "data" in output
        else dict(output)
        for output in cell.get("outputs", [])
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_stored_is_of_no_machine(path: Path) -> None:
    text = path.read_text("utf-8")
    notebook = json.loads(text)
    assert len(text) <= LARGEST
    assert notebook["metadata"] == METADATA
    assert [cell["metadata"] for cell in notebook["cells"]] == [{}] * len(notebook["cells"])
    assert PRESENT.findall(text) == []


@pytest.mark.parametrize("path", WITH_PANDAS, ids=lambda path: path.name)
def test_every_snippet_of_a_page_with_data_frames_runs(path: Path, tmp_path: Path) -> None:
    done = run(path, tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
