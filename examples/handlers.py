"""The handlers of the example jobs."""

from __future__ import annotations

from stepsched import Run


def report(order: dict[str, str], run: Run) -> str:
    """A handler gets the job's input and the run, and may return a result."""
    text = f"{order['format']} report for {run.scheduled_for:%a %d %b %H:%M}"
    print(f"    {run.job}: {text}", flush=True)
    return text


def tidy() -> None:
    """A handler without parameters."""
