"""A job as a state machine that stands alone: no Lambda, no table, no schedule beside it."""

from __future__ import annotations

from stepsched.asl.machine import StateMachine
from stepsched.jobs import Job
from stepsched.machines.single.loop import machine_of


def render_asl(job: Job) -> StateMachine:
    """A job as a state machine for people who deploy it themselves.

    Create it as a Standard workflow and start one execution with the input ``{}``: it waits for the next
    run, invokes the target by an integration of Step Functions, and goes on so, in execution after
    execution, until no run is left. With ``{"after": "2030-01-01T00:00:00Z"}`` runs are planned from that
    instant on (exclusive) rather than from the start of the execution; what is late then follows the job's
    ``catch_up`` (with ``SKIP`` nothing is). To stop it, stop its execution.

    The job's policies hold as in the embedded backend, with these differences: with ``Overlap.ALLOW`` the
    target is only started, so that ``retry`` is about its start, as on EventBridge Scheduler (a one-time
    job's target is waited for where Step Functions can); pauses are raised to whole seconds, and the next run
    waits for them; all targets lie in one Region; ``OnFailure.STOP`` ends the execution as failed, and at
    once; another one can be started. ``completion``, ``group`` and ``tags`` say nothing here.

    Args:
        job: Any that AWS can run without a process of ours.

    Raises:
        RenderError: The job asks for what Step Functions cannot do; says what, and what would do.
    """
    if not isinstance(job, Job):
        raise TypeError(f"expected a Job, got {type(job).__name__}")
    return machine_of(job)
