"""The environments of parts that the gate installs, and how their absence is told."""

from __future__ import annotations

import os
from pathlib import Path

from tests.gate import VENVS


class PartMissingError(Exception):
    """The environment of a part is not there."""

    def __init__(self, environment: str, packages: str) -> None:
        super().__init__(
            f"no environment .venvs/{environment} with {packages}: python3 tests/gate.py tests makes it"
        )


class PartFailedError(Exception):
    """A part did not do what it should; the message holds what it wrote."""


def python_of(environment: str) -> Path:
    """The Python of an environment, whether it is there or not."""
    return VENVS / environment / ("Scripts" if os.name == "nt" else "bin") / "python"
