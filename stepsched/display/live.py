"""A text that is shown again whenever it changes: in place on a terminal and in a notebook."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Protocol

from stepsched.core.clock import SystemClock

_PATIENCE = 0.5
"""The time in seconds after which a text is shown first, so that short waits show nothing."""
_SIZE = os.terminal_size((100, 30))
"""The size of a terminal that does not tell its own."""


class Screen(Protocol):
    """Where a text is shown."""

    def show(self, text: Callable[[int], str]) -> None:
        """Shows a text in place of the one before.

        Args:
            text: Returns the text, of at most that many lines.
        """
        ...

    def close(self) -> None:
        """Leaves what is shown."""
        ...


def screen() -> Screen | None:
    """Returns where a text can be shown in place: a notebook, or the standard error stream if that is a
    terminal; None if there is neither."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if type(shell).__name__ == "ZMQInteractiveShell":
        return Notebook()
    if sys.stderr is not None and sys.stderr.isatty():
        return Terminal()
    return None


class Terminal:
    """The standard error stream, on which lines are overwritten."""

    def __init__(self, *, patience: float = _PATIENCE) -> None:
        """Creates the screen.

        Args:
            patience: The seconds after which a text is shown first.
        """
        self._clock = SystemClock()
        self._begins = self._clock.monotonic() + patience
        self._height = 0

    def show(self, text: Callable[[int], str]) -> None:
        if self._clock.monotonic() < self._begins:
            return
        columns, rows = _terminal_size()
        lines = [line[: columns - 1] for line in text(max(rows - 2, 3)).splitlines()]
        up = f"\x1b[{self._height}A" if self._height else ""
        # Each line is cleared as it is written, and what the text before had below it: no flicker.
        sys.stderr.write(up + "".join(f"\r\x1b[2K{line}\n" for line in lines) + "\x1b[J")
        sys.stderr.flush()
        self._height = len(lines)

    def close(self) -> None:
        self._height = 0

    def clear(self) -> None:
        """Removes what is shown."""
        if self._height:
            sys.stderr.write(f"\x1b[{self._height}A\r\x1b[J")
            sys.stderr.flush()
        self._height = 0


class Notebook:
    """The output of a cell, which is replaced."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: Callable[[int], str]) -> None:
        import html
        from importlib import import_module

        # IPython is there in a notebook, and is no dependency.
        display = import_module("IPython.display")
        shown = display.HTML(f'<pre style="line-height:1.3">{html.escape(text(60))}</pre>')
        if self._handle is None:
            self._handle = display.display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def close(self) -> None:
        pass


def _terminal_size() -> os.terminal_size:
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):  # such as of a stream in memory
        return _SIZE
    return size if size.columns and size.lines else _SIZE
