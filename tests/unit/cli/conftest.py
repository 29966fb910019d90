"""A command line for tests: one call in this process, with a fake clock."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from stepsched.cli.app import run
from stepsched.core.clock import Clock
from stepsched.display import live
from stepsched.testing import FakeClock

NOW = datetime(2030, 1, 7, 6, tzinfo=timezone.utc)
"""A Monday; the present of every command line in these tests."""


@dataclass(frozen=True)
class Done:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The output as JSON."""
        return json.loads(self.out)


class Stream(StringIO):
    """A stream in memory, which may say that it is a terminal."""

    def __init__(self, text: str = "", *, is_terminal: bool = False) -> None:
        super().__init__(text)
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


CommandLine = Callable[..., Done]


@pytest.fixture
def stepsched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    """Runs a command line in an empty folder: ``stepsched("next", "rate(5 minutes)")``. ``terminal=True``: as
    on a terminal of 100 columns, without bars of progress; ``stdin``: the text of the standard input;
    ``clock``: another clock; ``pause``: what happens in a pause."""
    monkeypatch.chdir(tmp_path)
    for name in ("STEPSCHED_BACKEND", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(live, "PATIENCE", math.inf)

    def call(
        *arguments: str,
        terminal: bool = False,
        stdin: str = "",
        clock: Clock | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> Done:
        out, err = Stream(is_terminal=terminal), Stream(is_terminal=terminal)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", Stream(stdin, is_terminal=terminal))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = run(arguments, clock=clock or FakeClock(NOW), pause=pause)
        return Done(code, out.getvalue(), err.getvalue())

    return call
