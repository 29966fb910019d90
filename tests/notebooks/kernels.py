"""A kernel for the cells of a notebook, in which they show the same on slow machines and on fast ones."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NO_BARS = "import stepsched.display.live; stepsched.display.live.PATIENCE = float('inf'); del stepsched"
"""What a kernel runs first, so that it shows no bar of progress: a fast machine would not show one."""


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Runs the cells in that folder, and puts into the notebook what they show."""
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", record_timing=False)
    client.extra_arguments = [f"--IPKernelApp.exec_lines={NO_BARS}"]
    client.execute(cwd=str(folder))
