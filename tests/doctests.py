"""A plugin of pytest that the gate loads: only files that have examples are searched for them.

Otherwise every process of the tests would look through all objects of all files.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from _pytest.doctest import DoctestModule

Found = list[pytest.Collector]


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, Found, Found]:
    found = yield
    searched = [each for each in found if isinstance(each, DoctestModule)]
    if not searched or ">>>" in file_path.read_text("utf-8"):
        return found
    return [each for each in found if each not in searched]
