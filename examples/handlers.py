"""The functions that the example jobs call."""

from __future__ import annotations

from stepsched import Run


def report(order: dict[str, str], run: Run) -> str:
    """A handler takes the job's input and the run, and may answer."""
    text = f"{order['format']} report for {run.scheduled_for:%a %d %b %H:%M}"
    print(f"    {run.job}: {text}", flush=True)
    return text


def tidy() -> None:
    """Or it takes nothing at all."""
