"""The jobs whose target is a workflow: the runner starts an execution of the machine for them, and waits for
it."""

from __future__ import annotations

from stepsched.backends.stepfunctions.rows import due_of
from stepsched.core.context import ATTEMPT_NUMBER, SCHEDULED_TIME
from stepsched.jobs import Job, Trigger
from stepsched.jobs.names import distinct
from stepsched.machines.data import RUN_TOKEN
from stepsched.targets import StateMachineTarget

_MAX_NAME = 30
"""The maximum length of the part of a run's ID that names the job: the ID has at most 64 characters."""


def run_id_of(job: str, key: str) -> str:
    """The ID of the workflow's run for a run of a job, as the machine forms it from the message.

    Args:
        job: The name of the job.
        key: The key of the row of the job's run.
    """
    due = due_of(key)
    _, _, token = key.partition(due)[2].partition("#")
    return f"{due}-{distinct(job, _MAX_NAME)}" + (f".{token}" if token else "")


def starting(job: Job, workflow: str, machine_arn: str) -> Job:
    """The job as the runner runs it.

    The ID of the workflow's run follows from the scheduled instant and the name of the job, and from what
    distinguishes unscheduled runs of one second. So every further attempt finds the same run, and restarts it
    where it failed.

    Args:
        job: The job with a :class:`WorkflowTarget`.
        workflow: The name of the workflow.
        machine_arn: The ARN of the machine that runs workflows.
    """
    message = {
        "workflow": workflow,
        "run": SCHEDULED_TIME + f"-{distinct(job.name, _MAX_NAME)}",
        **({} if job.input == {} else {"input": job.input}),
        "trigger": Trigger.SCHEDULE.value,
        "scheduled_for": SCHEDULED_TIME,
        "restart": True,
        "token": RUN_TOKEN,
        "attempt": ATTEMPT_NUMBER,
    }
    return job.replace(target=StateMachineTarget(machine_arn), input=message)
