"""A job as a stand-alone state machine, without a Lambda function, a table or a schedule."""

from __future__ import annotations

from stepsched.asl.machine import StateMachine
from stepsched.jobs import Job
from stepsched.jobs.job import no_job
from stepsched.machines.single.loop import machine_of


def render_asl(job: Job) -> StateMachine:
    """Renders a job as the definition of a state machine that you deploy yourself.

    Create it as a Standard workflow and start one execution with the input ``{}``. It waits for the next run,
    invokes the target by an integration of Step Functions, and repeats this, in one execution after another,
    until no run is left. With the input ``{"after": "2030-01-01T00:00:00Z"}`` runs are planned after that
    instant (exclusive) and not after the start of the execution; late runs follow the job's ``catch_up``
    (``SKIP`` runs none of them). To stop the job, stop its execution.

    The policies of the job apply as on the embedded backend, with these differences:

    - With ``Overlap.ALLOW`` the machine only starts the target, so that ``retry`` applies to its start, as on
      EventBridge Scheduler. For the target of a one-time job it waits where Step Functions can.
    - Pauses between attempts are rounded up to whole seconds, and the next run waits for them.
    - All targets must be in one Region.
    - ``OnFailure.STOP`` ends the execution as failed at once; a new one can be started.
    - ``completion``, ``group`` and ``tags`` have no effect.

    Args:
        job: The job. Its targets must be in AWS.

    Raises:
        TypeError: ``job`` is not a :class:`Job`.
        RenderError: Step Functions cannot run the job. The error names the reason and an alternative.
    """
    if not isinstance(job, Job):
        raise no_job(job)
    return machine_of(job)
