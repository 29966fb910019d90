"""A picture that is shown again whenever it changes: in place on a terminal and in a notebook."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from stepsched.core.clock import SystemClock
from stepsched.display.plain_text import cut_to

PATIENCE = 0.5
"""The time in seconds after which something is shown first, so that short waits show nothing."""
_SIZE = os.terminal_size((100, 30))
"""The size of a terminal that does not tell its own."""


_HOME, _ERASE = "\x1b[H", "\x1b[J"
"""Moves to the upper left corner; erases all from there on."""
_OPEN, _CLOSE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""Opens a screen beside the usual one, without a cursor, and closes it."""


class Picture(NamedTuple):
    """What a screen shows."""

    text: Callable[[int, int], str]
    """Returns the picture as text of at most that many lines and columns."""
    html: Callable[[], str] | None = None
    """Returns it as HTML for a notebook. None: the text is shown there too."""


class Screen(Protocol):
    """Where a picture is shown."""

    def show(self, picture: Picture) -> None:
        """Shows a picture in place of the one before."""
        ...

    def close(self) -> None:
        """Leaves what is shown."""
        ...


def screen(*, patience: float = PATIENCE, is_full: bool = False) -> Screen | None:
    """Returns where a picture can be shown in place: a notebook, or the standard error stream if that is a
    terminal; None if there is neither.

    Args:
        patience: The time in seconds after which a picture is shown first.
        is_full: As for :class:`Terminal`.
    """
    if is_notebook():
        return Notebook(patience=patience)
    if is_terminal():
        return Terminal(patience=patience, is_full=is_full)
    return None


def is_notebook() -> bool:
    """Returns whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def is_terminal() -> bool:
    """Returns whether the standard error stream is a terminal on which the cursor can be moved; not if there
    is none, or it is closed."""
    is_open = sys.stderr is not None and not sys.stderr.closed
    return is_open and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class Terminal:
    """The standard error stream, on which lines are overwritten."""

    def __init__(self, *, patience: float = PATIENCE, is_full: bool = False) -> None:
        """Creates the screen.

        Args:
            patience: The seconds after which a picture is shown first.
            is_full: Whether pictures fill a screen of their own, as those of an editor do, on which nothing
                that others write, such as log records, displaces them. The last picture is left in the usual
                place.
        """
        self._clock = SystemClock()
        self._begins = self._clock.monotonic() + patience
        self._is_full = is_full
        self._height = 0
        self._size: os.terminal_size | None = None
        self._lines = list[str]()

    def show(self, picture: Picture) -> None:
        if self._clock.monotonic() < self._begins:
            return
        size = terminal_size()
        columns = max(size.columns - 1, 1)
        text = picture.text(max(size.lines - 2, 3), columns)
        self._lines = [cut_to(line, columns) for line in text.splitlines()]
        if self._is_full:
            _write((_HOME if self._height else _OPEN + _HOME) + _redrawn(self._lines))
        elif not self._height:
            _write(_drawn(self._lines))
        elif size != self._size:  # what stands there may have been wrapped into more lines
            _write(_HOME + _ERASE + _drawn(self._lines))
        else:
            _write(f"\x1b[{self._height}A{_redrawn(self._lines)}")
        self._height, self._size = len(self._lines), size

    def close(self) -> None:
        if self._height and self._is_full:
            _write(_CLOSE + _drawn(self._lines))
        self._height = 0

    def clear(self) -> None:
        """Removes what is shown."""
        if self._height:
            _write(f"\x1b[{self._height}A\r{_ERASE}")
        self._height = 0


class Notebook:
    """The output of a cell, which is replaced."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        """Creates the screen.

        Args:
            patience: The seconds after which a picture is shown first.
        """
        self._clock = SystemClock()
        self._begins = self._clock.monotonic() + patience
        self._handle: Any = None

    def show(self, picture: Picture) -> None:
        if self._clock.monotonic() < self._begins:
            return
        import html
        from importlib import import_module

        # IPython is there in a notebook, and is no dependency.
        display = import_module("IPython.display")
        text = f'<pre style="line-height:1.3">{html.escape(picture.text(60, _SIZE.columns))}</pre>'
        shown = display.HTML(text if picture.html is None else picture.html())
        if self._handle is None:
            self._handle = display.display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def close(self) -> None:
        pass


def _drawn(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _redrawn(lines: Iterable[str]) -> str:
    """Returns what draws lines over others. Each line is cleared as it is written, and what the picture
    before had below them: no flicker."""
    return "".join(f"\r\x1b[2K{line}\n" for line in lines) + _ERASE


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def terminal_size() -> os.terminal_size:
    """Returns the size of the terminal of the standard error stream."""
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):  # such as of a stream in memory
        return _SIZE
    return size if size.columns and size.lines else _SIZE
