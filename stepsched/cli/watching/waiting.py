"""Waits for a run, and shows the progress on a terminal."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import stepsched as ss
from stepsched.cli.failures import RUN_FAILED, Failure
from stepsched.cli.output.times import length_text
from stepsched.cli.wording import on_a_command_line
from stepsched.core.clock import SystemClock
from stepsched.display.table import visible

if TYPE_CHECKING:
    from stepsched.cli.session import Session
    from stepsched.jobs import Run

_FIRST_STEP = 0.3
"""How long a wait shows no progress, and gives no reason why the run does not start, in seconds."""
_STEP_ON_A_PIPE = 60.0
"""How often a wait that shows no progress looks why the run does not start, in seconds."""


def warn_if_unserved(session: Session, client: ss.SchedulerClient | ss.WorkflowClient) -> None:
    """Says that runs do not begin, because no process runs the jobs of the file."""
    if not client.backend.is_served():
        path = client.backend.path if isinstance(client.backend, ss.LocalBackend) else None
        here = path.relative_to(Path.cwd()) if path and path.is_relative_to(Path.cwd()) else path
        session.tell(
            "warning: no process runs the jobs of this file at present; "
            f"start one with `stepsched serve {visible(str(here))}`"
        )


def refuse_endless_wait(client: ss.SchedulerClient, name: str) -> None:
    """Refuses to wait for a run of the job before anything is done, if that cannot succeed on the backend.

    Raises:
        UnsupportedError: The backend keeps no runs, or none can end during a wait.
    """
    backend = client.backend
    reason = backend.why_wait_is_endless()
    if not backend.capabilities.keeps_runs:
        reason = "it keeps no record of runs, so that no run can be awaited"
    if reason is not None:
        raise ss.UnsupportedError(name, backend.name, reason)


def wait_for(session: Session, client: ss.SchedulerClient, run: Run, *, timeout: timedelta | None) -> Run:
    """Waits until a run has ended.

    Args:
        session: The session, whose standard error stream shows the progress if it is a terminal.
        client: The client.
        run: The run.
        timeout: The longest time to wait. None: no limit.

    Returns:
        The ended run.

    Raises:
        WaitTimeoutError: The run has not ended in time.
        RunNotFoundError: The run is no longer recorded.
        UnsupportedError: The run cannot end during the wait.
    """
    clock = SystemClock()
    begun, limit = clock.monotonic(), None if timeout is None else timeout.total_seconds()
    step = max(1.0, 5 * client.backend.first_pause) if session.is_error_terminal else _STEP_ON_A_PIPE
    length, told = min(_FIRST_STEP, step), None
    try:
        while True:
            left = math.inf if limit is None else max(0.0, begun + limit - clock.monotonic())
            try:
                return client.wait(run, timeout=min(length, left))
            except ss.errors.WaitTimeoutError as error:
                told = _tell_reason(session, client, run, told)
                if limit is not None and left <= length:
                    raise ss.errors.WaitTimeoutError(run.job, run.id, error.status, limit) from error
                elapsed = length_text(timedelta(seconds=clock.monotonic() - begun))
                session.show_progress(f"run {run.id} of {visible(run.job)} is {error.status}, {elapsed}")
            length = step
    finally:
        session.show_progress("")


def _tell_reason(session: Session, client: ss.SchedulerClient, run: Run, told: str | None) -> str | None:
    """Says why a run that is due does not start, unless that has been said, and returns the reason."""
    present = client.backend.run(run)
    reason = present.pending_reason if present is not None else None
    if reason is not None and reason != told:
        session.show_progress("")
        session.tell(
            f"warning: run {run.id} of job {visible(run.job)} does not start: "
            f"{visible(on_a_command_line(reason))}"
        )
    return reason or told


def refuse_failure(run: Run) -> None:
    """Ends the command if an ended run has not succeeded.

    Raises:
        Failure: The run has failed, was skipped or was missed.
    """
    if run.status is ss.RunStatus.SUCCEEDED:
        return
    verb = "failed" if run.status is ss.RunStatus.FAILED else f"was {run.status.value}"
    reason = f": {run.error}" if run.error else ""
    raise Failure(f"run {run.id} of job {run.job!r} {verb}{reason}", RUN_FAILED)
