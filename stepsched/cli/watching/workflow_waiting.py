"""Waits for a run of a workflow, and shows its steps: in place on a terminal, otherwise a line for each
change."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import stepsched as ss
from stepsched.cli.failures import RUN_FAILED, Failure
from stepsched.cli.wording import on_a_command_line
from stepsched.display.table import visible

if TYPE_CHECKING:
    from stepsched.cli.session import Session
    from stepsched.workflows import WorkflowRun


def wait_for(
    session: Session, flows: ss.WorkflowClient, run: WorkflowRun, *, timeout: timedelta | None
) -> WorkflowRun:
    """Waits until a run has ended.

    Args:
        session: The session.
        flows: The client.
        run: The run.
        timeout: The longest time to wait. None: no limit.

    Returns:
        The ended run.

    Raises:
        WaitTimeoutError: The run has not ended in time.
        UnsupportedError: The run cannot end during the wait.
    """
    if not session.is_error_terminal or session.quiet:
        return flows.wait(run, timeout=timeout, progress=_Lines(session).tell)
    from stepsched.display.live import Picture, Terminal
    from stepsched.workflows.displayed import live_text

    screen = Terminal()

    def show(present: WorkflowRun) -> None:
        screen.show(Picture(lambda rows, _: live_text(present, session.now(), rows)))

    try:
        return flows.wait(run, timeout=timeout, progress=show)
    finally:
        screen.clear()  # the run is printed as a result


class _Lines:
    """Says each change of a run in a line."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before: WorkflowRun | None = None

    def tell(self, run: WorkflowRun) -> None:
        from stepsched.workflows.run_texts import changes_between

        for line in changes_between(self._before, run):
            self._session.tell(visible(on_a_command_line(line)))
        self._before = run


def refuse_failure(run: WorkflowRun) -> None:
    """Ends the command if an ended run has not succeeded.

    Raises:
        Failure: The run has failed or was cancelled.
    """
    if run.status.value == "succeeded":
        return
    from stepsched.display.table import one_line

    failed = [step for step in run.steps if step.status.value == "failed"]
    words = "was cancelled" if run.status.value == "cancelled" else "failed"
    reason = f": {run.error}" if run.error else ""
    if failed:
        first = failed[0]
        others = len(failed) - 1
        more = f", and {others} more step{'s' * (others > 1)}" if others else ""
        reason = f": step {first.name!r}{more}: {one_line(first.error or 'it failed')}"
    raise Failure(f"run {run.key} {words}{reason}", RUN_FAILED)
