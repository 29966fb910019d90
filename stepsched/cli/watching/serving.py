"""What ``serve`` prepares and says while it runs jobs."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

import stepsched as ss
from stepsched.cli.failures import Failure
from stepsched.cli.output.times import (
    distance_text,
    instant_text,
    length_text,
    scheduled_text,
    second_text,
)
from stepsched.cli.places import import_from_here
from stepsched.cli.wording import on_a_command_line
from stepsched.core.masking import text_without_secrets
from stepsched.display.table import visible

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from stepsched.jobs import Event, Job, JobRecord

Say = Callable[[str], object]
"""Prints a line."""
_FEW = 10
"""The maximum number of jobs that a warning names."""
_UNSAID = ("created", "updated", "cancelled", "resumed", "due")
"""The kinds of events that say nothing about a run, or nothing yet."""
_SAID = {"restarted": "was interrupted; it starts again"}
"""What is said of kinds of events whose names do not say it."""


# -- modules of functions ------------------------------------------------------------------------------


def import_modules(names: Iterable[str]) -> None:
    """Imports modules, also from the working folder, as ``python -m`` does.

    Raises:
        UsageError: There is no such module.
        Failure: The import of a module fails.
    """
    import_from_here()
    for name in names:
        if name.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
            module = name.partition(":")[0].removesuffix(".py").replace("/", ".").lstrip(".")
            raise click.UsageError(
                f"expected the name of a module for --handlers-from, got {name!r}; use {module or 'myapp'}"
            )
        _import(name)


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise Failure(f"cannot import {name}: {error}") from error
        raise click.UsageError(
            f"cannot import {name} for --handlers-from: there is no module {error.name}, neither in the "
            "working folder nor among the installed packages"
        ) from error
    except (Exception, SystemExit) as error:  # a module is user code
        raise Failure(f"cannot import {name}: {type(error).__name__}: {error}") from error


# -- what is said at the start -------------------------------------------------------------------------


def greeting(path: str, records: Sequence[JobRecord], now: datetime, flows: int = 0) -> str:
    """Returns the line about what is served.

    Args:
        path: The file.
        records: Its jobs.
        now: The present instant.
        flows: The number of runs of workflows that go on.
    """
    due = [record for record in records if record.next_run is not None]
    first = min(due, key=lambda record: record.next_run or now, default=None)
    count = f"{len(records)} job{'' if len(records) == 1 else 's'}"
    if first is None and flows:
        return f"serving {path}: {count}, {flows} run{'' if flows == 1 else 's'} of workflows"
    if first is None:
        return f"serving {path}: {count}, no run is left"
    when = f"{scheduled_text(first.next_run, first.job.schedule)} ({distance_text(first.next_run, now)})"
    return f"serving {path}: {count}, the next run is {first.name} at {when}"


def what_waits(
    backend: ss.LocalBackend, records: Iterable[JobRecord], modules: Sequence[str]
) -> Iterator[str]:
    """Yields a warning for each reason why stored jobs would wait, with the names of the jobs."""
    unnamed, remote, broken = dict[str, str](), list[str](), list[str]()
    for job in (record.job for record in records if record.status is not ss.JobStatus.ENDED):
        outside = [name for name in _functions_of(job) if not _is_below(name, modules)]
        if outside:
            unnamed[job.name] = outside[0].partition(":")[0]
        elif _is_remote(job):
            remote.append(job.name)
        else:
            try:
                backend.check(job)
            except ss.StepschedError as error:
                broken.append(f"{job.name}: {_why_it_waits(error)}")
    if unnamed:
        wanted = " ".join(f"--handlers-from {module}" for module in dict.fromkeys(unnamed.values()))
        yield (
            f"jobs that wait, since their functions are in modules that are not named: {_named(unnamed)}; "
            f"use {wanted}"
        )
    if remote:
        yield (
            f"jobs that wait, since they invoke something in AWS: {_named(remote)}; run them on AWS, or in a "
            "program of yours with LocalBackend(handlers=...)"
        )
    if broken:
        yield f"jobs that wait: {_named(broken)}"


def _why_it_waits(error: ss.StepschedError) -> str:
    """Returns why a job cannot be run here, and the option with which it can, if there is one."""
    options = [each for each in getattr(error, "alternatives", ()) if "private_hosts" in each]
    cure = f"; use {on_a_command_line(options[0])}" if options else ""
    return f"{getattr(error, 'reason', error)}{cure}"


def _functions_of(job: Job) -> list[str]:
    return [part.handler for part in ss.targets.parts_of(job.target) if isinstance(part, ss.HandlerTarget)]


def _is_below(handler: str, modules: Iterable[str]) -> bool:
    module = handler.partition(":")[0]
    return any(f"{module}.".startswith(f"{name}.") for name in modules)


def _is_remote(job: Job) -> bool:
    here = (ss.HandlerTarget, ss.CommandTarget, ss.HttpTarget, ss.WorkflowTarget)
    has_letters = job.dead_letter is not None or job.notify is not None
    return has_letters or not all(isinstance(part, here) for part in ss.targets.parts_of(job.target))


def _named(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _FEW} more" if len(listed) > _FEW else ""
    return ", ".join(listed[:_FEW]) + more


# -- what is said of runs ------------------------------------------------------------------------------


def waiting_text(running: int, grace: timedelta | None) -> str:
    """Returns the line about runs in progress after the first signal.

    Args:
        running: The number of runs in progress.
        grace: The longest wait for them. None: there is no limit.
    """
    runs = "a run" if running == 1 else f"{running} runs"
    limit = "" if grace is None else f", {length_text(grace)} at most"
    return f"stopping: waiting for {runs} in progress{limit}; a second signal or Ctrl-C ends the wait"


def event_text(event: Event) -> str | None:
    """Returns the line about an event; None if nothing is said about it."""
    run, at = event.run, second_text(event.at)
    if event.kind.value in _UNSAID:
        return None
    if run is None:
        return f"{at}  {event.job}  {event.kind.value}"
    text = (
        f"{at}  {event.job}  run {run.id} {_SAID.get(event.kind.value) or event.kind.value.replace('_', ' ')}"
    )
    if event.kind is ss.jobs.EventKind.STARTED:
        again = "" if run.attempt <= 1 else f", attempt {run.attempt}"
        return f"{text} (for {instant_text(run.scheduled_for)}{again})"
    why = run.error
    if event.kind is ss.jobs.EventKind.WAITING and run.pending_reason:
        why = run.pending_reason.replace("handlers_from", "--handlers-from")
    return f"{text}: {' '.join(text_without_secrets(why).split())}" if why else text


@contextmanager
def log_lines(say: Say) -> Iterator[None]:
    """Prints the log of the engine in one line each, besides the records of events."""
    handler, log = _Lines(say), logging.getLogger("stepsched")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


class _Lines(logging.Handler):
    def __init__(self, say: Say) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        if not hasattr(record, "event"):  # a listener prints those
            word = "error" if record.levelno >= logging.ERROR else "warning"
            error = record.exc_info[1] if record.exc_info else None
            text = f"{record.getMessage()}: {error}" if error else record.getMessage()
            self._say(f"{word}: {visible(' '.join(text_without_secrets(text).split()))}")
