"""Without matplotlib, a figure says what to install. What it draws is in tests/notebooks."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
sys.modules["matplotlib"] = None  # as if it was not installed
import stepsched as ss
try:
    ss.Cron("0 9 * * ? *").plot()
except ModuleNotFoundError as error:
    print(error, error.name, type(error.__cause__).__name__)
"""


def test_without_matplotlib_the_error_names_the_extra() -> None:
    found = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == (
        "matplotlib is not installed; use: pip install 'stepsched[plot]' matplotlib ModuleNotFoundError"
    )
