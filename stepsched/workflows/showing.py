"""Shows a run while it is awaited."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from stepsched.display.live import Picture, screen
from stepsched.workflows.records import WorkflowRun
from stepsched.workflows.run_texts import changes_between

_LOG = logging.getLogger("stepsched.workflow_client")


class Shown:
    """Where a run is shown: in place on a terminal or in a notebook, otherwise as log lines of its
    changes."""

    def __init__(self, now: Callable[[], datetime], progress: Callable[[WorkflowRun], object] | None) -> None:
        """Creates it.

        Args:
            now: Returns the present, for how long running steps have taken.
            progress: A function to be called instead. None: there is none.
        """
        self._now = now
        self._progress = progress
        self._screen = screen() if progress is None else None
        self._before: WorkflowRun | None = None

    def show(self, run: WorkflowRun) -> None:
        """Shows the run as it is now."""
        if self._progress is not None:
            self._progress(run)
        elif self._screen is not None:
            from stepsched.workflows.displayed import live_text

            now = self._now()
            self._screen.show(Picture(lambda rows, _: live_text(run, now, rows)))
        elif run != self._before:
            for line in changes_between(self._before, run):
                _LOG.info("%s", line)
        self._before = run

    def close(self) -> None:
        """Leaves what is shown."""
        if self._screen is not None:
            self._screen.close()
