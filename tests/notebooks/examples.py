"""Runs the notebooks for readers. ``python -m tests.notebooks.examples`` stores what their cells show."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""What is stored of the kernel: nothing of the machine that ran the cells."""
NO_BARS = "import stepsched.display.live; stepsched.display.live.PATIENCE = float('inf'); del stepsched"
"""What a kernel does first: only slow machines show bars of progress."""


def executed(path: Path) -> nbformat.NotebookNode:
    """Returns a notebook with what its cells show now."""
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate(notebook.cells, 1):
        cell.id, cell.metadata = f"cell-{number:02}", {}
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", record_timing=False)
    client.extra_arguments = [f"--IPKernelApp.exec_lines={NO_BARS}"]
    client.execute(cwd=str(path.parent))
    notebook.metadata = METADATA
    return notebook


if __name__ == "__main__":
    for file in [FOLDER / f"{name}.ipynb" for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(executed(file), file)
