"""Determines the API calls that a target makes and the resources that they act on. Pure.

The permissions of schedules, of rendered machines and of the runner are derived from it.
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
    HttpTarget,
    ParallelTarget,
    Target,
    TemplateTarget,
    WorkflowTarget,
)
from stepsched.targets.base import ApiCall, ServiceTarget, arn_field, arn_of
from stepsched.targets.endpoints import endpoint_of

WIDENING = re.compile(r"[*?]|\$\{")
"""The characters that IAM interprets as a pattern or a variable."""
_UNIVERSAL = re.compile(r"arn:[a-z-]+:scheduler:::aws-sdk:([a-z][a-z0-9-]*):([a-z][A-Za-z0-9]*)")
_JOB_DEFINITION = Arn("batch", "job-definition/", r"[\w-]{1,128}(:\d+)?")
_JOB_QUEUE = Arn("batch", "job-queue/", r"[\w-]{1,128}")


@dataclass(frozen=True, slots=True)
class Invocation:
    """An AWS API call, with the properties that determine its permissions."""

    service: str
    """The name of the service in the SDK, such as ``sfn``."""
    action: str
    """The action in lower camel case, such as ``startExecution``."""
    resources: tuple[str, ...] = ()
    """The ARNs of the resources that the call acts on; ``*`` if the action has no resource in IAM. A name
    without ARN, such as ``job-queue/nightly``, is a resource in the account and Region of the call. Empty:
    the resources are not known."""
    cluster: str | None = None
    """The ECS cluster to which the call is restricted."""
    is_tagged: bool = False
    """Whether the call applies tags to the ECS tasks that it starts."""
    pass_roles: tuple[str, ...] = ()
    """The roles that the call passes to ECS tasks."""
    waits: bool = False
    """Whether Step Functions waits for the end of the started job (``.sync``)."""
    endpoint: tuple[str, str] | None = None
    """The method and the URL to which the call of a URL is restricted. Its resource is the connection."""

    @property
    def name(self) -> str:
        """Service and action, such as ``sfn:startExecution``."""
        return f"{self.service}:{self.action}"


def invocations(target: Target) -> tuple[Invocation, ...]:
    """Returns the API calls that invoke a target.

    A :class:`ParallelTarget` makes the calls of its parts; a handler or a command makes no call, and so a
    URL that is called without a connection.

    Raises:
        ValueError: The calls cannot be determined from the target.

    >>> from stepsched.targets import QueueTarget
    >>> invocations(QueueTarget("arn:aws:sqs:eu-west-1:123456789012:orders"))[0].name
    'sqs:sendMessage'
    """
    match target:
        case ParallelTarget(targets=parts):
            return tuple(each for part in parts for each in invocations(part))
        case HandlerTarget() | CommandTarget() | WorkflowTarget():
            return ()
        case HttpTarget(url=url, method=method, connection_arn=connection):
            return () if connection is None else (http_call(method, endpoint_of(url).url, connection),)
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
    """Returns the ARNs by which IAM policies name the resource of a target's ARN."""
    match arn.split(":")[2]:
        case "inspector":
            return ("*",)
        case "sagemaker":  # SageMaker writes its ARNs in lower case, whatever the case of the name.
            stem, _, name = arn.partition("/")
            return tuple(dict.fromkeys((arn, f"{stem}/{name.lower()}")))
        case "states":  # Step Functions authorises on the machine, without the qualifier.
            return (":".join(arn.split(":")[:7]),)
    return (arn,)


def http_call(method: str, url: str, connection_arn: str) -> Invocation:
    """Returns the call of a URL without query."""
    return Invocation("http", "invoke", (connection_arn,), endpoint=(method, url))


def ecs_task(
    cluster: str, definition: str, *, is_tagged: bool, pass_roles: Iterable[str] = (), waits: bool = False
) -> Invocation:
    """Returns the call that runs an ECS task definition."""
    # AWS resolves the revision before it authorises, so the family without revision never matches.
    resources = (with_revision(definition),)
    return Invocation("ecs", "runTask", resources, cluster, is_tagged, tuple(pass_roles), waits)


def batch_job(definition: str, queue: str, *, waits: bool = False) -> Invocation:
    """Returns the call that submits an AWS Batch job.

    Raises:
        ValueError: ``definition`` or ``queue`` is neither a name nor an ARN.
    """
    definition = _named(_JOB_DEFINITION, definition)
    # AWS's pages differ on how a name without revision is authorised, so both forms are named.
    resources = tuple(dict.fromkeys((definition, with_revision(definition), _named(_JOB_QUEUE, queue))))
    return Invocation("batch", "submitJob", resources, waits=waits)


def _named(form: Arn, text: str) -> str:
    """Returns an ARN unchanged, and a name with the prefix of its resource type."""
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
    """Returns the definition; without a revision, a pattern for all revisions."""
    return definition if re.search(r":\d+\Z", definition.partition("/")[2]) else f"{definition}:*"


def _of_template(arn: str) -> Invocation:
    universal = _UNIVERSAL.fullmatch(arn)
    if universal is not None:
        return Invocation(universal[1], universal[2])
    match = ARN.fullmatch(arn)
    call = _calls_by_arn().get(match["service"]) if match is not None else None
    if call is None:
        raise ValueError(
            f"the permissions for {arn!r} cannot be determined from the ARN; use a specific target class "
            "(such as EcsTaskTarget, ApiTarget), or leave the job out and write its statement by hand"
        )
    if WIDENING.search(arn):
        raise ValueError(f"expected the ARN of one resource, got the pattern {arn!r}")
    return Invocation(call.service, call.action, acted_on(arn))


@cache
def _calls_by_arn() -> dict[str, ApiCall]:
    """Returns the calls of the targets that are determined by their ARN, by the service in the ARN."""
    calls = {"inspector": ApiCall("inspector", "startAssessmentRun")}  # there is no target class for it
    for kind in SERVICE_TARGETS:
        if kind.follows_from_arn and kind is not EcsTaskTarget:
            calls[arn_field(kind)[1].service] = kind.api_call
    return calls
