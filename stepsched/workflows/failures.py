"""Why an attempt failed: the texts of AWS by which its kind is known, as data for Python and for state
machines. Pure.

All texts are compared in lower case, and the first rule that applies decides. What no rule knows is a failure
of the job itself, which is repeated by ``retry`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stepsched.workflows.records import FailureKind

BATCH_RETRIES = "https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html"
BATCH_TIMEOUTS = "https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html"
BATCH_JOB = "https://docs.aws.amazon.com/batch/latest/APIReference/API_JobDetail.html"
BATCH_SPOT = "https://aws.amazon.com/blogs/compute/introducing-retry-strategies-for-aws-batch/"
ECS_ERRORS = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html"
ECS_TASK = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html"
STATES_ERRORS = "https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"
EXECUTION = "https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html"
CODEBUILD = "https://docs.aws.amazon.com/codebuild/latest/APIReference/API_Build.html"
GLUE = "https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-jobs-runs.html"

DEPENDENCY = "dependent job failed"
"""The reason, in lower case, of a Batch job that did not start because one in its ``dependsOn`` failed (not
documented by AWS). It is no attempt: the rules of the workflow decide about the step."""


class Rule(NamedTuple):
    """A text that tells the kind of a failure."""

    text: str
    """The part of the error or its cause, in lower case."""
    kind: FailureKind
    source: str
    """The page of AWS that has the text. That it means this kind is a policy of ours."""


_JOB, _PLATFORM, _STOPPED = FailureKind.JOB, FailureKind.PLATFORM, FailureKind.STOPPED

TIMEOUTS: tuple[Rule, ...] = (
    Rule("job attempt duration exceeded timeout", _JOB, BATCH_TIMEOUTS),
    Rule("states.timeout", _JOB, STATES_ERRORS),
    Rule("states.heartbeattimeout", _JOB, STATES_ERRORS),
    Rule('"status":"timed_out"', _JOB, EXECUTION),
)
"""Attempts that took too long. They count as failures of the job, although AWS Batch itself does not repeat
them."""

STOPS: tuple[Rule, ...] = (
    Rule('"isterminated":true', _STOPPED, BATCH_JOB),
    Rule('"iscancelled":true', _STOPPED, BATCH_JOB),
    Rule('"stopcode":"userinitiated"', _STOPPED, ECS_TASK),
    Rule("task stopped by user", _STOPPED, ECS_ERRORS),
    Rule('"status":"aborted"', _STOPPED, EXECUTION),
    Rule('"buildstatus":"stopped"', _STOPPED, CODEBUILD),
    Rule('"jobrunstate":"stopped"', _STOPPED, GLUE),
)
"""Attempts that somebody stopped. AWS Batch puts the reason that an operator gives in place of a text of its
own, so its flags tell it: :func:`batch_failure`."""

PLATFORM: tuple[Rule, ...] = (
    Rule("host ec2 (instance", _PLATFORM, BATCH_SPOT),
    Rule("your spot task was interrupted", _PLATFORM, ECS_ERRORS),
    Rule("spotinterruption", _PLATFORM, ECS_TASK),
    Rule("terminationnotice", _PLATFORM, ECS_TASK),
    Rule("infrastructurehealth", _PLATFORM, ECS_TASK),
    Rule("taskfailedtostart", _PLATFORM, ECS_TASK),
    Rule("task failed to start", _PLATFORM, BATCH_RETRIES),
    Rule("cannotpullcontainererror", _PLATFORM, ECS_ERRORS),
    Rule("cannotpullecrcontainererror", _PLATFORM, ECS_ERRORS),
    Rule("cannotpullimagemanifesterror", _PLATFORM, ECS_ERRORS),
    Rule("cannotstartcontainererror", _PLATFORM, ECS_ERRORS),
    Rule("cannotcreatecontainererror", _PLATFORM, ECS_ERRORS),
    Rule("cannotcreatevolumeerror", _PLATFORM, ECS_ERRORS),
    Rule("cannotinspectcontainererror", _PLATFORM, ECS_ERRORS),
    Rule("resourceinitializationerror", _PLATFORM, ECS_ERRORS),
    Rule("dockertimeouterror", _PLATFORM, ECS_ERRORS),
    Rule("containerruntimetimeouterror", _PLATFORM, ECS_ERRORS),
)
"""Attempts that the platform took away: a reclaimed instance, an image or a disk that could not be fetched, a
container that did not start. An image that does not exist is among them, so it is asked for a few times
more."""

RULES: tuple[Rule, ...] = (*TIMEOUTS, *STOPS, *PLATFORM)
"""All rules, in the order in which they are tried."""
SERVICES = ("batch", "ecs", "states", "codebuild", "glue")
"""The services to whose errors the rules apply. The errors of other targets are texts of users, which say
nothing."""


def failure_of(error: str, cause: str = "", *, rules: Iterable[Rule] = RULES) -> FailureKind:
    """Returns the kind of a failed attempt.

    Args:
        error: The error, such as ``States.TaskFailed``, or the status reason of AWS Batch.
        cause: What the service says besides: a text, or the JSON of the ended job, task, build or execution.
        rules: The rules to try.
    """
    text = _compact(f"{error}\n{cause}")
    return next((rule.kind for rule in rules if rule.text in text), FailureKind.JOB)


def batch_failure(
    status_reason: str | None, container_reason: str | None = None, *, ended_by_operator: bool = False
) -> FailureKind | None:
    """Returns the kind of a failed job of AWS Batch; None if it did not start because a job that it depends
    on failed.

    Args:
        status_reason: ``statusReason`` of the job.
        container_reason: ``reason`` of its container.
        ended_by_operator: ``isTerminated`` or ``isCancelled`` of the job.
    """
    text = f"{status_reason or ''}\n{container_reason or ''}"
    if DEPENDENCY in text.lower():
        return None
    if ended_by_operator and not any(rule.text in text.lower() for rule in TIMEOUTS):
        return FailureKind.STOPPED
    return failure_of(text)


def _compact(text: str) -> str:
    """The text in lower case, without the blanks that some writers of JSON put after colons."""
    return text.lower().replace('": ', '":')
