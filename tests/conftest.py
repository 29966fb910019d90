"""What all tests may use. The plugin is loaded here and not by its entry point, so that coverage sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parts.jsonata_engine import JsonataEngine

pytest_plugins = ["stepsched.pytest_plugin", "pytester"]


@pytest.fixture(scope="session")
def jsonata_engine() -> Iterator[JsonataEngine]:
    """The reference engine; an error, with the command that installs it, where it is missing."""
    with JsonataEngine() as engine:
        yield engine
