"""The log of attempts: one line each, appended whole, so that a killed process leaves no half of one."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

from stepsched import Run

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def note(payload: dict[str, str], run: Run) -> None:
    """A handler: writes a line to the log that the job's input names, and takes its time if told to."""
    append(payload["log"], line(run.job, run.scheduled_for, run.attempt))
    if "seconds" in payload:
        threading.Event().wait(float(payload["seconds"]))


def falter(payload: dict[str, str], run: Run) -> None:
    """The same, and the first attempt fails."""
    note(payload, run)
    if run.attempt == 1:
        raise RuntimeError("the first attempt fails")


def line(job: str, scheduled_for: datetime, attempt: int) -> str:
    """An attempt as it stands in the log."""
    return f"{job} {micros(scheduled_for)} {attempt}"


def micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def append(path: str, text: str) -> None:
    """Writes one line in one call."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, f"{text}\n".encode())
    finally:
        os.close(file)


def read(path: Path) -> list[tuple[str, int, int]]:
    """All attempts: job, scheduled instant, number of the attempt (0 where a command cannot know it)."""
    attempts = []
    for text in path.read_text().splitlines():
        job, scheduled_for, attempt = text.split(" ")
        attempts.append((job, int(scheduled_for), int(attempt)))
    return attempts
