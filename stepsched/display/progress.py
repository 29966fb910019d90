"""Progress of long calls: a bar, or a count where the total is not known, in place on a terminal and in a
notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from stepsched.core.clock import SystemClock

_WIDTH = 30
_PAUSE = 0.1
"""The shortest time in seconds between two pictures of the bar."""
_PORTION = 10
"""The number of items after which a count is reported."""
Total = TypeVar("Total", int, None)
Item = TypeVar("Item")


@contextmanager
def reporting(
    progress: Callable[[int, Total], object] | None, total: Total
) -> Iterator[Callable[[int], object]]:
    """Yields a function to be called with the number of items that are done.

    Args:
        progress: The function to report to. None: a bar on the standard error stream if that is a terminal,
            or in a notebook, once the call takes longer than a moment.
        total: The total number of items. None: it is not known.
    """
    if progress is not None:
        yield lambda done: progress(done, total)
        return
    bar = Bar(total) if _is_watched() else None
    try:
        yield ignore if bar is None else bar.show
    finally:
        if bar is not None:
            bar.close()


def reported(items: Iterable[Item], report: Callable[[int], object]) -> Iterator[Item]:
    """Yields the items, and reports now and then how many there were."""
    number = 0
    for item in items:
        yield item
        number += 1
        if number % _PORTION == 0:
            report(number)
    if number % _PORTION:
        report(number)


def ignore(_: object) -> None:
    """Ignores its argument."""


def _is_watched() -> bool:
    """Returns whether the standard error stream is a terminal, or this is a notebook."""
    if sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty():
        return True
    if "IPython" not in sys.modules:
        return False
    from stepsched.display.live import is_notebook

    return is_notebook()


class Bar:
    """A progress bar: one line of a terminal, which is overwritten, or one output of a notebook.

    Unlike a picture of several lines it does not move the cursor up, so that nothing is lost of what the work
    itself writes.
    """

    def __init__(self, total: int | None) -> None:
        """Creates a bar. It is shown once the work has taken longer than a moment.

        Args:
            total: The total number of items. None: it is not known, and only a count is shown.
        """
        from stepsched.display import live  # loaded only where somebody watches

        self._total = total
        self._notebook = live.Notebook(patience=0) if live.is_notebook() else None
        self._clock = SystemClock()
        self._next = self._clock.monotonic() + live.PATIENCE
        self._is_shown = False

    def show(self, done: int) -> None:
        """Draws the bar, if the work has taken longer than a moment, and not more often than need be."""
        now = self._clock.monotonic()
        if now < self._next and not (self._is_shown and done == self._total):
            return
        self._next, self._is_shown = now + _PAUSE, True
        from stepsched.display.live import Picture, terminal_size

        if self._notebook is None:
            sys.stderr.write(f"\r{self._text(done, terminal_size().columns - 1)}")
            sys.stderr.flush()
        else:
            self._notebook.show(
                Picture(lambda _, columns: self._text(done, columns), lambda: self._html(done))
            )

    def _text(self, done: int, columns: int) -> str:
        words = self._words(done)
        width = min(_WIDTH, columns - len(words) - 3)
        if self._total is None or width < _WIDTH // 3:
            return words[: max(columns, 1)]
        full = width * done // max(self._total, 1)
        return f"[{'#' * full}{'.' * (width - full)}] {words}"

    def _words(self, done: int) -> str:
        return f"{done:,} so far" if self._total is None else f"{done:,} of {self._total:,}"

    def _html(self, done: int) -> str:
        if self._total is None:
            return f"<div>{self._words(done)}</div>"
        bar = f'<progress value="{done}" max="{max(self._total, 1)}"></progress>'
        return f"<div>{bar} {self._words(done)}</div>"

    def close(self) -> None:
        """Ends the line."""
        if self._is_shown and self._notebook is None:
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
