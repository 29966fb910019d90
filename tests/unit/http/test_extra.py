"""The package without its extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = "import sys; sys.modules['starlette'] = None; from stepsched.http import {}"


@pytest.mark.parametrize("name", ["jobs_app", "one_shot_app", "site_app", "serve"])
def test_without_the_extra_the_error_names_it(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(name)], capture_output=True, text=True, check=False
    )
    words = "ModuleNotFoundError: starlette is not installed; use: pip install 'stepsched[http]'"
    assert done.stderr.splitlines()[-1] == words
