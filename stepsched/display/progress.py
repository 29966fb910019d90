"""Progress bars of long calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stepsched.core.clock import SystemClock

_PATIENCE = 0.5
"""The time in seconds after which the bar is shown."""
_WIDTH = 30


@contextmanager
def reporting(progress: Callable[[int, int], object] | None, total: int) -> Iterator[Callable[[int], None]]:
    """Yields a function to be called with the number of items that are done.

    Args:
        progress: The function to report to. None: a bar on the standard error stream, if that is a terminal
            or a notebook.
        total: The total number of items.
    """
    if progress is not None:
        yield lambda done: ignore(progress(done, total))
        return
    bar = Bar(total) if _is_watched() else None
    try:
        yield ignore if bar is None else bar.show
    finally:
        if bar is not None:
            bar.close()


def ignore(_: object) -> None:
    """Ignores its argument."""


def _is_watched() -> bool:
    """Returns whether the standard error stream is a terminal or a notebook."""
    if sys.stderr is None:
        return False
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return sys.stderr.isatty() or type(shell).__name__ == "ZMQInteractiveShell"


class Bar:
    """A progress bar in one line, which is overwritten."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._clock = SystemClock()
        self._started = self._clock.monotonic()
        self._is_shown = False

    def show(self, done: int) -> None:
        """Draws the bar, if the work has taken longer than a moment."""
        if self._clock.monotonic() - self._started < _PATIENCE:
            return
        full = _WIDTH * done // max(self._total, 1)
        bar = "#" * full + "." * (_WIDTH - full)
        sys.stderr.write(f"\r[{bar}] {done:,} of {self._total:,}")
        sys.stderr.flush()
        self._is_shown = True

    def close(self) -> None:
        """Ends the line."""
        if self._is_shown:
            sys.stderr.write("\n")


def telling(progress: bool | Callable[[str], object]) -> Callable[[str], object]:  # noqa: FBT001 -- a choice
    """Returns a function to be called with each line about what happens.

    Args:
        progress: The function to report to. True: the standard error stream, if that is a terminal or a
            notebook. False: nothing is told.

    Raises:
        TypeError: ``progress`` is something else.
    """
    if callable(progress):
        return progress
    if not isinstance(progress, bool):
        raise TypeError(f"expected True, False or a function for progress, got {progress!r}")
    return _write_line if progress and _is_watched() else ignore


def _write_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
