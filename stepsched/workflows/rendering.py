"""Jobs and workflows as stand-alone state machines."""

from __future__ import annotations

from stepsched.asl.machine import StateMachine
from stepsched.core.errors import RenderError
from stepsched.jobs import Job
from stepsched.jobs.job import no_job
from stepsched.machines import single
from stepsched.targets import BatchTarget
from stepsched.workflows.model import Workflow

DEFAULT_TABLE = "stepsched"


def render_asl(
    job: Job | Workflow, *, table_name: str = DEFAULT_TABLE, runner_arn: str | None = None
) -> StateMachine:
    """Renders a job or a workflow as the definition of a state machine that you deploy yourself.

    For a job see :func:`stepsched.machines.single.render_asl`; it takes no further arguments.

    The machine of a workflow holds its definition as data, and records runs in a table with the keys of a
    table of jobs: :meth:`WorkflowClient.put` is not needed. Start it with ``{}``, or with ``{"run": ...,
    "input": ..., "restart": true}``; the start messages of the AWS Batch scheduler are understood too.

    Args:
        job: The job or the workflow. Its targets must be in AWS.
        table_name: The table of a workflow's runs, in the account and Region of the machine.
        runner_arn: The machine that runs the steps of a workflow that are not on AWS Batch, such as that of a
            stack. None: all steps are on AWS Batch.

    Raises:
        TypeError: ``job`` is neither a :class:`Job` nor a :class:`Workflow`.
        RenderError: Step Functions cannot run it. The error names the reason and an alternative.
    """
    if isinstance(job, Job):
        return single.render_asl(job)
    if not isinstance(job, Workflow):
        raise no_job(job)
    from stepsched.workflows.machine.embedded import embedded_machine

    others = [step.name for step in job.steps if not isinstance(step.target, BatchTarget)]
    if others and runner_arn is None:
        raise RenderError(
            job.name,
            f"step {others[0]!r} is not on AWS Batch, and is run by the machine that runs jobs; pass its "
            "ARN: runner_arn=...",
            "workflow",
        )
    try:
        return embedded_machine(job, table_name=table_name, runner_arn=runner_arn)
    except ValueError as error:
        raise RenderError(job.name, str(error), "workflow") from error
