"""Policies for EventBridge Scheduler: trust policy and permissions of a role, and of the client. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stepsched.aws.arns import checked_arn
from stepsched.iam.grants import (
    Grant,
    Place,
    allow,
    check_place,
    grants_of,
    merged,
    role_grants,
    with_resources,
)
from stepsched.jobs import Job
from stepsched.jobs.job import is_name
from stepsched.targets import ParallelTarget
from stepsched.targets.invocations import Invocation, invocations

SERVICE = "scheduler.amazonaws.com"


def trust_policy(*, account: str, region: str, group: str = "*", partition: str = "aws") -> dict[str, Any]:
    """Returns the trust policy of the execution role: EventBridge Scheduler may assume it, for the account's
    schedules only.

    The conditions keep other accounts from using the role through the service:
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html

    Args:
        account: The account ID: 12 digits.
        region: The Region, such as ``eu-west-1``.
        group: The schedule group whose jobs may use the role; ``*`` matches any characters. The service does
            not support naming a single schedule.
        partition: The partition: ``aws``, ``aws-cn``, ``aws-us-gov`` and so on.

    Raises:
        ValueError: An argument is malformed.
    """
    check_given(account=account, region=region)
    check_place(account, region, partition)
    source = f"arn:{partition}:scheduler:{region}:{account}:schedule-group/{checked_group(group)}"
    condition: dict[str, dict[str, str]] = {"StringEquals": {"aws:SourceAccount": account}}
    condition.setdefault("ArnLike" if "*" in group else "StringEquals", {})["aws:SourceArn"] = source
    statement = {
        "Sid": "SchedulerAssumesRole",
        "Effect": "Allow",
        "Principal": {"Service": SERVICE},
        "Action": ["sts:AssumeRole"],
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy_for(
    jobs: Iterable[Job],
    *,
    dead_letter_arn: str | None = None,
    kms_key_arn: str | None = None,
    task_roles: Sequence[str] = (),
    resources: Mapping[str, Sequence[str]] | None = None,
    account: str | None = None,
    region: str | None = None,
    partition: str = "aws",
) -> dict[str, Any]:
    """Returns the minimal permissions of an execution role to run exactly these jobs.

    The same jobs in any order result in the same document: statements are sorted by action, their resources
    are sorted and without duplicates.

    - A function is named as in its target. A permission for the unqualified name does not include an alias or
      version, nor the other way round.
    - A state machine is named without its alias or version, which IAM does not accept; the role may therefore
      start all versions of the machine.
    - A task or job definition without revision includes all of its revisions.
    - A SageMaker pipeline is named both as written and in lower case, as AWS writes it.
    - Inspector's templates cannot be named in a policy; their resource is ``*``.
    - ``notify`` adds nothing, since EventBridge Scheduler sends no notifications. The state machine of
      ``render_asl`` does, with its own role.

    Permissions that depend on the resource itself, such as those for the key of an encrypted queue, are not
    included; add them yourself.

    Args:
        jobs: The jobs; at least one, all with targets in AWS.
        dead_letter_arn: The ARN of the standard queue for jobs without ``dead_letter``.
        kms_key_arn: The ARN of the key that encrypts the schedules. None: a key owned by AWS.
        task_roles: The task and execution roles of the ECS task definitions, and the roles that override them
            in a job's input. They cannot be determined from the jobs; without them AWS refuses a task whose
            definition has roles. Ignored if no job runs an ECS task.
        resources: The resources of the calls of :class:`ApiTarget`, by ``"service:action"`` as in the target,
            such as ``{"dynamodb:putItem": ["arn:aws:dynamodb:…:table/orders"]}``. A call without an entry is
            allowed on ``*``. IAM may require further actions, for example to pass a role; add them yourself.
        account: The account of Batch resources that are given by name; needed only for those.
        region: The Region of such resources.
        partition: The partition of such resources.

    Raises:
        TypeError: An item of ``jobs`` is not a job, or a list is a string.
        ValueError: There are no jobs; EventBridge Scheduler cannot invoke a job, or the permissions cannot be
            determined from its target; or an argument is malformed. The error names the job.

    >>> from datetime import timedelta
    >>> from stepsched import Job, LambdaTarget, Rate
    >>> report = LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
    >>> job = Job(name="report", schedule=Rate(timedelta(hours=1)), target=report)
    >>> policy_for([job])["Statement"][0]["Action"]
    ['lambda:InvokeFunction']
    """
    listed = checked_jobs(jobs)
    place = Place(account, region, partition)
    place.check()
    called = [(job, each) for job in listed for each in _invocations(job)]
    named = checked_resources(resources or {}, (each for _, each in called))
    roles = checked_roles("task_roles", task_roles)
    default_queue = None if dead_letter_arn is None else _checked_queue(dead_letter_arn)
    grants: list[Grant] = []
    for job, invocation in called:
        grants += _grants(job, with_resources(invocation, named), place)
    for job in listed:
        queue = default_queue if job.dead_letter is None else job.dead_letter.queue_arn
        if queue is not None:
            grants.append(Grant("sqs:SendMessage", queue))
    if kms_key_arn is not None:
        grants.append(Grant("kms:Decrypt", _checked_key(kms_key_arn)))
    if any(grant.action == "ecs:RunTask" for grant in grants):
        grants += role_grants(roles)
    return {"Version": "2012-10-17", "Statement": merged(grants)}


def client_policy(
    *,
    account: str,
    region: str,
    role_arns: Sequence[str],
    groups: Sequence[str] = ("*",),
    partition: str = "aws",
    dead_letter_arn: str | None = None,
    kms_key_arn: str | None = None,
) -> dict[str, Any]:
    """Returns the permissions of an application that creates, lists, changes and cancels jobs with the
    client.

    AWS does not support narrower permissions than by group, and requires the permission to list all
    schedules.

    Args:
        account: The account ID: 12 digits.
        region: The Region, such as ``eu-west-1``.
        role_arns: The ARNs of the execution roles that jobs may have; at least one.
        groups: The schedule groups; ``*`` matches any characters. At least one.
        partition: The partition: ``aws``, ``aws-cn``, ``aws-us-gov`` and so on.
        dead_letter_arn: The ARN of the queue whose dead letters are read and redriven. None: no queue.
        kms_key_arn: The ARN of the key that encrypts the schedules. None: a key owned by AWS.

    Raises:
        TypeError: A list is a string.
        ValueError: An argument is malformed, or a list is empty.
    """
    check_given(account=account, region=region)
    check_place(account, region, partition)
    _check_list("groups", groups)
    roles = checked_roles("role_arns", role_arns)
    if not groups or not roles:
        raise ValueError(f"expected at least one item in {'role_arns' if groups else 'groups'}, got none")
    names = sorted({checked_group(group) for group in groups})
    root = f"arn:{partition}:scheduler:{region}:{account}"
    verbs = ("Create", "Delete", "Get", "Update")
    group_actions = [f"scheduler:{verb}ScheduleGroup" for verb in ("Create", "Delete", "Get")]
    statements = [
        allow(
            "Schedules", [f"scheduler:{v}Schedule" for v in verbs], [f"{root}:schedule/{n}/*" for n in names]
        ),
        allow(
            "ScheduleGroups",
            [*group_actions, "scheduler:ListTagsForResource", "scheduler:TagResource"],
            [f"{root}:schedule-group/{name}" for name in names],
        ),
        # ListSchedules is authorised on every schedule, even if a group is given.
        allow("ListSchedules", ["scheduler:ListScheduleGroups", "scheduler:ListSchedules"], ["*"]),
        allow("PassRole", ["iam:PassRole"], roles, ("StringEquals", "iam:PassedToService", SERVICE)),
    ]
    if dead_letter_arn is not None:
        actions = [
            "ChangeMessageVisibility",
            "DeleteMessage",
            "GetQueueAttributes",
            "GetQueueUrl",
            "ReceiveMessage",
        ]
        queue = _checked_queue(dead_letter_arn)
        statements.append(allow("DeadLetters", [f"sqs:{action}" for action in actions], [queue]))
    if kms_key_arn is not None:
        keys = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        statements.append(allow("EncryptedPayloads", keys, [_checked_key(kms_key_arn)]))
    return {"Version": "2012-10-17", "Statement": statements}


# -- What a job needs ---------------------------------------------------------------------------------


def _invocations(job: Job) -> tuple[Invocation, ...]:
    """Returns the calls that EventBridge Scheduler makes for a job.

    Raises:
        ValueError: It makes none, or the IAM permissions are not known; the error names the job.
    """
    if isinstance(job.target, ParallelTarget):
        raise _refusal(
            job,
            "EventBridge Scheduler has no ParallelTarget; give one job for each target, or the job that "
            "starts the state machine of render_asl(job), whose own role invokes the targets",
        )
    try:
        found = invocations(job.target)
    except ValueError as error:
        raise _refusal(job, str(error)) from error
    if not found:
        raise _refusal(
            job,
            f"its {type(job.target).__name__} runs on the embedded backend and invokes nothing in AWS; "
            "leave it out",
        )
    return found


def _grants(job: Job, invocation: Invocation, place: Place) -> list[Grant]:
    try:
        return grants_of(invocation, place)
    except ValueError as error:
        raise _refusal(job, str(error)) from error


def _refusal(job: Job, reason: str) -> ValueError:
    return ValueError(f"no policy for job {job.name!r}: {reason}")


# -- What is given ------------------------------------------------------------------------------------


def check_given(**arguments: object) -> None:
    for word, value in arguments.items():
        if value is None:
            raise ValueError(f"expected {word}, got None; the policy must name it")


def checked_group(group: str) -> str:
    if not is_name(group) and not ("*" in group and re.fullmatch(r"[0-9a-zA-Z_.*-]{1,64}", group)):
        raise ValueError(
            "expected the name of a schedule group, 1 to 64 of the characters A-Z a-z 0-9 - _ . with '*' for "
            f"any others, got {group!r}"
        )
    return group


def _checked_queue(arn: str) -> str:
    if arn.endswith(".fifo"):
        raise ValueError(f"expected a standard queue for dead_letter_arn, got the FIFO queue {arn!r}")
    return checked_arn(arn, "sqs", r"[\w-]{1,80}", "<queue name>")


def _checked_key(arn: str) -> str:
    if ":alias/" in arn:
        raise ValueError(f"expected the ARN of a key for kms_key_arn, got the alias {arn!r}")
    return checked_arn(arn, "kms", r"key/[\w-]{1,256}", "key/<id>")


def _check_list(argument: str, values: Sequence[str]) -> None:
    if isinstance(values, str):
        raise TypeError(f"expected a list for {argument}, got a string; use [{values!r}]")


def checked_roles(argument: str, arns: Sequence[str]) -> list[str]:
    _check_list(argument, arns)
    for arn in arns:
        if not re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]+:role/[\w+=,.@/-]{1,576}", arn, re.ASCII):
            raise ValueError(
                f"expected the ARN of one role in {argument}, arn:aws:iam::<account>:role/<name>, got {arn!r}"
            )
    return sorted(set(arns))


def checked_jobs(jobs: Iterable[Job]) -> list[Job]:
    if isinstance(jobs, Job):
        raise TypeError("expected a list of jobs, got one job; use [job]")
    listed = list(jobs)
    for job in listed:
        if not isinstance(job, Job):
            raise TypeError(f"expected Job values in jobs, got a {type(job).__name__}")
    if not listed:
        raise ValueError("expected at least one job, got none")
    return listed


def checked_resources(
    resources: Mapping[str, Sequence[str]], called: Iterable[Invocation]
) -> dict[str, list[str]]:
    """Returns the resources; refuses a name that no job calls, since with a misspelt name the call would be
    allowed on ``*``."""
    names = {each.name for each in called if not each.resources}
    for name, arns in resources.items():
        _check_list(f"resources[{name!r}]", arns)
        if name not in names:
            known = ", ".join(sorted(names)) or "no API"
            raise ValueError(f"expected calls of the jobs in resources, got {name!r}; the jobs call {known}")
        if not arns:
            raise ValueError(f"expected at least one ARN in resources[{name!r}], got none; or leave it out")
        for arn in arns:
            if arn != "*" and not re.fullmatch(r"arn:[^:\s]+:[^:\s]+:[^:\s]*:[^:\s]*:\S+", arn):
                raise ValueError(f"expected an ARN or '*' in resources[{name!r}], got {arn!r}")
    return {name: list(arns) for name, arns in resources.items()}
