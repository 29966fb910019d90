"""What all tests may use. The plugin is loaded here and not by its entry point, so that coverage sees it."""

from __future__ import annotations

import os
import re
import signal
import zoneinfo
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.parts.jsonata_engine import JsonataEngine

pytest_plugins = ["stepsched.pytest_plugin", "pytester"]

# The answers that are stored were made with the zones of tzdata 2025.2, which the environment of the tests
# has: with those of the machine, which may be older or newer, some would be others.
os.environ["PYTHONTZPATH"] = ""
zoneinfo.reset_tzpath(to=())

# A shell that starts something in the background has it ignore Ctrl-C, and its children inherit that: tests
# that send one to a program of theirs would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def jsonata_engine() -> Iterator[JsonataEngine]:
    """The reference engine; an error, with the command that installs it, where it is missing."""
    with JsonataEngine() as engine:
        yield engine


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Marks every test of a file that imports a part: an emulator, an engine, a linter or a server."""
    for item in items:
        if _imports_a_part(item.path):
            item.add_marker("part")


@cache
def _imports_a_part(path: Path) -> bool:
    return re.search(r"^(from|import) tests\.parts\b", path.read_text("utf-8"), re.MULTILINE) is not None
