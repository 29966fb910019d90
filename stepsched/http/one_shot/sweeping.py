"""Removes tasks some time after their delivery, in small portions."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from itertools import cycle, islice
from secrets import randbelow

from stepsched.core.errors import StepschedError
from stepsched.http.one_shot.tasks import Tasks

_log = logging.getLogger("stepsched.http")
PARTS = tuple(f"{number:02x}" for number in range(256))
"""The first digits of the names of tasks, each of which stands for a 256th of them."""
_PAUSE = timedelta(seconds=10)
_TASKS = 100
"""The number of new tasks after which the next portion follows without a pause."""
_MOST = 500
"""The maximum number of tasks that a portion removes. It is more than come meanwhile, so no backlog stays."""


class Sweeper:
    """Removes the tasks that ended longer ago than ``keep``. Each portion looks at a 256th of the tasks, and
    the first is chosen at random, so that all have their turn although processes come and go."""

    def __init__(self, tasks: Tasks, keep: timedelta) -> None:
        self._tasks = tasks
        self._keep = keep
        self._parts = islice(cycle(PARTS), randbelow(len(PARTS)), None)
        self._part = next(self._parts)
        self._busy = threading.Lock()
        self._looked_at: datetime | None = None
        self._new = 0

    def is_due(self) -> bool:
        """Returns whether it is time for a portion; call it once for each new task."""
        now = self._tasks.now()
        self._new += 1
        if self._looked_at is not None and now - self._looked_at < _PAUSE and self._new < _TASKS:
            return False
        self._looked_at, self._new = now, 0
        return self._tasks.keeps

    def sweep(self) -> None:
        """Removes a portion, unless another thread is about it. Errors are logged."""
        if not self._busy.acquire(blocking=False):
            return
        try:
            if not self._tasks.forget(self._part, self._tasks.now() - self._keep, _MOST):
                self._part = next(self._parts)
        except StepschedError:
            _log.exception("old tasks could not be removed")
        finally:
            self._busy.release()
