"""Runs inside the emulator's own environment: starts it with a scheduler clock that a file moves.

Needs the standard library and the pinned emulator only. What it replaces are private names of one module of
that version; if one of them is gone, it does not start.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

TICK = 0.05
"""Seconds between two sweeps over the schedules."""


class MovedTime:
    """The module ``time``, but what time it is differs by the seconds that a file holds."""

    def __init__(self, offset: Path) -> None:
        self._offset = offset

    def time(self) -> float:
        return time.time() + float(self._offset.read_text())  # noqa: TID251 -- it is the clock here

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class CountedSweep:
    """A sweep over the schedules that tells in a file how many have ended."""

    def __init__(self, sweep: Any, count: Path) -> None:
        self._sweep, self._file, self._ended = sweep, count, 0

    def __call__(self) -> None:
        self._sweep()
        self._ended += 1
        draft = self._file.with_suffix(".draft")
        draft.write_text(str(self._ended))
        draft.replace(self._file)


def move_clock(scheduler: ModuleType, folder: Path) -> None:
    names = vars(scheduler)
    missing = {"time", "_tick_schedules", "_SCHEDULE_TICK_INTERVAL"} - names.keys()
    if missing:
        sys.exit(f"the emulator's scheduler has no {', '.join(sorted(missing))}: is it the pinned version?")
    names["time"] = MovedTime(folder / "offset")
    names["_tick_schedules"] = CountedSweep(names["_tick_schedules"], folder / "sweeps")
    names["_SCHEDULE_TICK_INTERVAL"] = TICK


def end_with_parent() -> None:
    """Whoever started this holds the other end of its input, so that it never outlives them."""
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    if os.environ.get("BIND_HOST") != "127.0.0.1":
        sys.exit("BIND_HOST must be 127.0.0.1: the emulator runs any code that it is sent")
    threading.Thread(target=end_with_parent, daemon=True).start()
    app = importlib.import_module("ministack.app")
    move_clock(importlib.import_module("ministack.services.scheduler"), Path(os.environ["STEPSCHED_CLOCK"]))
    app.main()


if __name__ == "__main__":
    main()
