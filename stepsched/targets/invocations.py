"""What a target does in AWS: the calls that it stands for, and what they act on. Pure.

Permissions follow from it, of schedules, of rendered machines and of the runner alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from typing_extensions import assert_never

from stepsched.aws.arns import ARN, Arn
from stepsched.targets import (
    SERVICE_TARGETS,
    ApiTarget,
    BatchTarget,
    CommandTarget,
    EcsTaskTarget,
    HandlerTarget,
    ParallelTarget,
    Target,
    TemplateTarget,
)
from stepsched.targets.base import ApiCall, ServiceTarget, arn_field, arn_of

WIDENING = re.compile(r"[*?]|\$\{")
"""What IAM reads as a pattern or a variable."""
_UNIVERSAL = re.compile(r"arn:[a-z-]+:scheduler:::aws-sdk:([a-z][a-z0-9-]*):([a-z][A-Za-z0-9]*)")
_JOB_DEFINITION = Arn("batch", "job-definition/", r"[\w-]{1,128}(:\d+)?")
_JOB_QUEUE = Arn("batch", "job-queue/", r"[\w-]{1,128}")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of an API of AWS, as far as its permissions are concerned."""

    service: str
    """The service's name in the SDK, such as ``sfn``."""
    action: str
    """In lower camel case, such as ``startExecution``."""
    resources: tuple[str, ...] = ()
    """What the call acts on, by ARN; ``*`` where IAM can name nothing. A bare name stands for the ARN of that
    resource in the place where the call is made, such as ``job-queue/nightly``. Empty: nothing tells."""
    cluster: str | None = None
    """The ECS cluster that the call is bound to."""
    is_tagged: bool = False
    """Whether the ECS tasks that the call starts get tags."""
    pass_roles: tuple[str, ...] = ()
    """The roles that the call hands to ECS tasks."""
    waits: bool = False
    """Whether Step Functions follows what the call has started, to its end."""

    @property
    def name(self) -> str:
        """Service and action, such as ``sfn:startExecution``."""
        return f"{self.service}:{self.action}"


def invocations(target: Target) -> tuple[Invocation, ...]:
    """What invoking a target calls.

    A :class:`ParallelTarget` calls what its parts call; what runs in this process calls nothing in AWS.

    Raises:
        ValueError: The target's data does not tell.

    >>> from stepsched.targets import QueueTarget
    >>> invocations(QueueTarget("arn:aws:sqs:eu-west-1:123456789012:orders"))[0].name
    'sqs:sendMessage'
    """
    match target:
        case ParallelTarget(targets=parts):
            return tuple(each for part in parts for each in invocations(part))
        case HandlerTarget() | CommandTarget():
            return ()
        case ApiTarget(service=service, action=action):
            return (Invocation(service, action),)
        case TemplateTarget(target_arn=arn):
            return (_of_template(arn),)
        case BatchTarget():
            return (batch_job(target.job_definition, target.job_queue),)
        case EcsTaskTarget(cluster_arn=cluster, task_definition_arn=definition):
            is_tagged = bool(target.tags or target.propagate_tags or target.ecs_managed_tags)
            return (ecs_task(cluster, definition, is_tagged=is_tagged),)
        case ServiceTarget():
            service, action, _ = target.api_call
            return (Invocation(service, action, acted_on(arn_of(target))),)
        case other:
            assert_never(other)


def acted_on(arn: str) -> tuple[str, ...]:
    """The resources by which IAM names what an ARN of a target names."""
    match arn.split(":")[2]:
        case "inspector":
            return ("*",)
        case "sagemaker":  # SageMaker writes its ARNs in lower case, whatever the name; both mean the same.
            stem, _, name = arn.partition("/")
            return tuple(dict.fromkeys((arn, f"{stem}/{name.lower()}")))
        case "states":  # Step Functions authorises on the machine, whatever the qualifier.
            return (":".join(arn.split(":")[:7]),)
    return (arn,)


def ecs_task(
    cluster: str, definition: str, *, is_tagged: bool, pass_roles: Iterable[str] = (), waits: bool = False
) -> Invocation:
    """A run of an ECS task definition."""
    # AWS resolves the revision before it authorises, so the plain family never matches.
    resources = (with_revision(definition),)
    return Invocation("ecs", "runTask", resources, cluster, is_tagged, tuple(pass_roles), waits)


def batch_job(definition: str, queue: str, *, waits: bool = False) -> Invocation:
    """A job that is submitted to AWS Batch.

    Raises:
        ValueError: One of the two is neither a name nor an ARN.
    """
    definition = _named(_JOB_DEFINITION, definition)
    # AWS's pages differ on what a name without revision is authorised as; both forms mean the same jobs.
    resources = tuple(dict.fromkeys((definition, with_revision(definition), _named(_JOB_QUEUE, queue))))
    return Invocation("batch", "submitJob", resources, waits=waits)


def _named(form: Arn, text: str) -> str:
    """An ARN, or a name with the prefix of its kind."""
    if text.startswith("arn:"):
        return form.check(text)
    if not re.fullmatch(form.name, text, re.ASCII):
        kind = form.prefix[:-1]
        raise ValueError(
            f"expected the name or the ARN of a Batch {kind.replace('-', ' ')}, got {text!r}; use <name> or "
            f"arn:aws:batch:<region>:<account>:{form.prefix}<name>"
        )
    return form.prefix + text


def with_revision(definition: str) -> str:
    """A definition; one without revision stands for all of them."""
    return definition if re.search(r":\d+\Z", definition.partition("/")[2]) else f"{definition}:*"


def _of_template(arn: str) -> Invocation:
    universal = _UNIVERSAL.fullmatch(arn)
    if universal is not None:
        return Invocation(universal[1], universal[2])
    match = ARN.fullmatch(arn)
    call = _calls_by_arn().get(match["service"]) if match is not None else None
    if call is None:
        raise ValueError(
            f"the permissions of {arn!r} cannot be told from its ARN; use the target's own class where there "
            "is one (EcsTaskTarget, ApiTarget), or leave the job out and write its statement by hand"
        )
    if WIDENING.search(arn):
        raise ValueError(f"{arn!r} would allow more than one resource; name the one that is meant")
    return Invocation(call.service, call.action, acted_on(arn))


@cache
def _calls_by_arn() -> dict[str, ApiCall]:
    """The calls of the targets that their ARN tells whole, by the service in the ARN."""
    calls = {"inspector": ApiCall("inspector", "startAssessmentRun")}  # has no class of its own
    for kind in SERVICE_TARGETS:
        if kind not in (BatchTarget, EcsTaskTarget):
            calls[arn_field(kind)[1].service] = kind.api_call
    return calls
