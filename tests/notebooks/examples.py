"""Runs the notebooks for readers. ``python -m tests.notebooks.examples`` stores what their cells show."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

from tests.notebooks.kernels import execute

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""What is stored of the kernel: nothing of the machine that ran the cells."""


def executed(path: Path) -> nbformat.NotebookNode:
    """Returns a notebook with what its cells show now."""
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate(notebook.cells, 1):
        cell.id, cell.metadata = f"cell-{number:02}", {}
    execute(notebook, path.parent)
    notebook.metadata = METADATA
    return notebook


if __name__ == "__main__":
    for file in [FOLDER / f"{name}.ipynb" for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(executed(file), file)
