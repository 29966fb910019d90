"""The policies of the execution role of jobs, and of applications that use the client. The functions are
pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stepsched.aws.arns import validate_arn
from stepsched.core.quoting import quoted
from stepsched.core.values import items_of
from stepsched.iam.grants import (
    Grant,
    Place,
    allow,
    grants_of,
    merged,
    role_grants,
    validate_place,
    with_resources,
)
from stepsched.jobs import Job
from stepsched.jobs.job import checked_jobs, no_job
from stepsched.jobs.names import NARROW_RULE, is_narrow
from stepsched.targets import HttpTarget, ParallelTarget, WorkflowTarget
from stepsched.targets.invocations import Invocation, invocations

SERVICE = "scheduler.amazonaws.com"


def trust_policy(*, account: str, region: str, group: str = "*", partition: str = "aws") -> dict[str, Any]:
    """The trust policy of the execution role: only EventBridge Scheduler, for schedules of the account.

    The conditions prevent other accounts from using the role through the service:
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html

    Args:
        account: The account number, 12 digits.
        region: The Region, such as ``eu-west-1``.
        group: The schedule group with the jobs that may use the role. ``*`` matches any characters.
            EventBridge Scheduler does not support the restriction to a single schedule.
        partition: The partition: ``aws``, ``aws-cn``, ``aws-us-gov`` and so on.

    Raises:
        ValueError: An argument is malformed.
    """
    require_arguments(account=account, region=region)
    validate_place(account, region, partition)
    source = f"arn:{partition}:scheduler:{region}:{account}:schedule-group/{validate_group(group)}"
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
    """The minimal policy of an execution role that runs exactly these jobs.

    The same jobs in any order give the same document: statements are sorted by action, and their resources
    are sorted and unique.

    - A function has the ARN of its target. A permission on the unqualified ARN does not apply to an alias or
      version, nor the other way round.
    - A state machine is written without alias or version, which IAM does not support; the role may start
      every version.
    - A task or job definition without revision includes all revisions.
    - A SageMaker pipeline is written both as in the target and in lower case, as AWS writes it.
    - The resource for assessment templates of Inspector is ``*``, because IAM supports no other.
    - ``notify`` adds no permission, because EventBridge Scheduler does not publish to a topic. The state
      machine of ``render_asl`` does, with its own role.

    Permissions that a resource itself requires, such as the key of an encrypted queue, are not included.

    Args:
        jobs: The jobs; at least one. AWS must be able to invoke all of them.
        dead_letter_arn: The standard queue for jobs without ``dead_letter``. None: there is none.
        kms_key_arn: The key that encrypts the schedules. None: a key of AWS.
        task_roles: The task and execution roles of the ECS task definitions, and those in overrides of a
            job's input. Jobs do not name them, and without them AWS refuses a task that has roles. Ignored
            if no job runs an ECS task.
        resources: The resources of :class:`ApiTarget` calls, by ``"service:action"`` as in the target, such
            as ``{"dynamodb:putItem": ["arn:aws:dynamodb:…:table/orders"]}``. Any other call is allowed on
            ``*``. Further actions that a call requires, such as ``iam:PassRole``, are not included.
        account: The account of Batch queues and definitions that are given by name. None: all are ARNs.
        region: The Region of these names.
        partition: The partition of these names.

    Raises:
        TypeError: ``jobs`` holds another type than Job, or an argument that should be a list is text.
        ValueError: There are no jobs, EventBridge Scheduler cannot invoke one, its permissions do not follow
            from its target, or an argument is malformed. The error names the job.

    >>> from datetime import timedelta
    >>> from stepsched import Job, LambdaTarget, Rate
    >>> report = LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
    >>> job = Job(name="report", schedule=Rate(timedelta(hours=1)), target=report)
    >>> policy_for([job])["Statement"][0]["Action"]
    ['lambda:InvokeFunction']
    """
    listed = validate_jobs(jobs)
    place = Place(account, region, partition)
    place.validate()
    called = [(job, each) for job in listed for each in _invocations(job)]
    named = validate_resources(resources or {}, (each for _, each in called))
    roles = validate_roles("task_roles", task_roles)
    default_queue = None if dead_letter_arn is None else _validate_queue_arn(dead_letter_arn)
    grants: list[Grant] = []
    for job, invocation in called:
        grants += _grants(job, with_resources(invocation, named), place)
    for job in listed:
        queue = default_queue if job.dead_letter is None else job.dead_letter.queue_arn
        if queue is not None:
            grants.append(Grant("sqs:SendMessage", queue))
    if kms_key_arn is not None:
        grants.append(Grant("kms:Decrypt", _validate_key_arn(kms_key_arn)))
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
    """The policy of an application that creates, lists, changes and cancels jobs through the client.

    Schedules can be restricted to groups, and not further. Listing can only be allowed for all schedules.

    Args:
        account: The account number, 12 digits.
        region: The Region, such as ``eu-west-1``.
        role_arns: The execution roles that the application may give to jobs; at least one.
        groups: The schedule groups; at least one. ``*`` matches any characters.
        partition: The partition: ``aws``, ``aws-cn``, ``aws-us-gov`` and so on.
        dead_letter_arn: The queue from which failed runs are read and redriven. None: there is none.
        kms_key_arn: The key that encrypts the schedules. None: a key of AWS.

    Raises:
        TypeError: An argument that should be a list is text.
        ValueError: An argument is malformed, or a list is empty.
    """
    require_arguments(account=account, region=region)
    validate_place(account, region, partition)
    groups = _listed("groups", groups)
    roles = validate_roles("role_arns", role_arns)
    if not groups or not roles:
        raise ValueError(f"expected at least one of {'role_arns' if groups else 'groups'}, got an empty list")
    names = sorted({validate_group(group) for group in groups})
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
        # ListSchedules is authorised on all schedules, even if only one group is listed.
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
        queue = _validate_queue_arn(dead_letter_arn)
        statements.append(allow("DeadLetters", [f"sqs:{action}" for action in actions], [queue]))
    if kms_key_arn is not None:
        keys = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        statements.append(allow("EncryptedPayloads", keys, [_validate_key_arn(kms_key_arn)]))
    return {"Version": "2012-10-17", "Statement": statements}


# -- The permissions of a job ---------------------------------------------------------------------------


def _invocations(job: Job) -> tuple[Invocation, ...]:
    """The calls of EventBridge Scheduler for a job.

    Raises:
        ValueError: EventBridge Scheduler cannot invoke the target, or its permissions are not known. The
        error
            names the job.
    """
    if isinstance(job.target, ParallelTarget):
        raise _refusal(
            job,
            "EventBridge Scheduler does not support a ParallelTarget; use one job for each target, or a "
            "job that starts the state machine of render_asl(job), which has its own role",
        )
    if isinstance(job.target, HttpTarget):
        raise _refusal(
            job,
            "EventBridge Scheduler calls no URL; use an EventBusTarget whose bus has a rule with an API "
            "destination, or a job that starts the state machine of render_asl(job), which has its own role",
        )
    if isinstance(job.target, WorkflowTarget):
        raise _refusal(
            job,
            "EventBridge Scheduler does not know the state machine that runs workflows; use a "
            "StateMachineTarget with its ARN, or StepFunctionsBackend, whose stack has the permission",
        )
    try:
        found = invocations(job.target)
    except ValueError as error:
        raise _refusal(job, str(error)) from error
    if not found:
        raise _refusal(
            job,
            f"its {type(job.target).__name__} runs in the process of the embedded backend and needs no "
            "permission; leave the job out",
        )
    return found


def _grants(job: Job, invocation: Invocation, place: Place) -> list[Grant]:
    try:
        return grants_of(invocation, place)
    except ValueError as error:
        raise _refusal(job, str(error)) from error


def _refusal(job: Job, reason: str) -> ValueError:
    return ValueError(f"no policy for job {job.name!r}: {reason}")


# -- Arguments ------------------------------------------------------------------------------------------


def require_arguments(**arguments: object) -> None:
    """Refuses arguments that are None.

    Raises:
        ValueError: An argument is None.
    """
    for name, value in arguments.items():
        if value is None:
            raise ValueError(f"expected {name} to be text, got None")


def validate_group(group: str) -> str:
    """Validates the name of a schedule group, in which ``*`` matches any characters.

    Raises:
        ValueError: The name is malformed.
    """
    is_pattern = isinstance(group, str) and "*" in group and re.fullmatch(r"[0-9a-zA-Z_.*-]{1,64}", group)
    if not is_pattern and not (isinstance(group, str) and is_narrow(group)):
        raise ValueError(
            f"expected group to be the name of a schedule group, {NARROW_RULE} "
            f"and '*' for any others, got {quoted(group)}"
        )
    return group


def _validate_queue_arn(arn: str) -> str:
    if isinstance(arn, str) and arn.endswith(".fifo"):
        raise ValueError(f"dead_letter_arn {quoted(arn)} is a FIFO queue; dead letters need a standard one")
    return validate_arn(arn, "sqs", r"[\w-]{1,80}", "<queue name>")


def _validate_key_arn(arn: str) -> str:
    if isinstance(arn, str) and ":alias/" in arn:
        raise ValueError(
            f"expected kms_key_arn to be the ARN of a key, got the alias {quoted(arn)}; use the key's ARN"
        )
    return validate_arn(arn, "kms", r"key/[\w-]{1,256}", "key/<id>")


def _listed(argument: str, values: Sequence[str]) -> list[str]:
    if isinstance(values, str):
        raise TypeError(f"expected {argument} to be a list, got text; use [{quoted(values)}]")
    return items_of(values, argument, "['arn:aws:...']")


def validate_roles(argument: str, arns: Sequence[str]) -> list[str]:
    """Validates the ARNs of roles, and returns them sorted and unique.

    Raises:
        TypeError: The argument is text.
        ValueError: An item is not the ARN of one role.
    """
    listed = _listed(argument, arns)
    for arn in listed:
        form = r"arn:aws[a-z-]*:iam::[0-9]+:role/[\w+=,.@/-]{1,576}"
        if not isinstance(arn, str) or not re.fullmatch(form, arn, re.ASCII):
            raise ValueError(
                f"{argument}: expected the ARN of one role, arn:aws:iam::<account>:role/<name>, "
                f"got {quoted(arn)}"
            )
    return sorted(set(listed))


def validate_boundary(arn: str | None) -> str | None:
    """Validates the ARN of a permissions boundary; None is accepted.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_Policy.html

    Raises:
        ValueError: It is not the ARN of a managed policy.
    """
    form = r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[\w+=,.@/-]{1,640}"
    if arn is not None and not (isinstance(arn, str) and re.fullmatch(form, arn, re.ASCII)):
        raise ValueError(
            "expected permissions_boundary to be the ARN of a managed policy, "
            f"arn:aws:iam::<account>:policy/<name>, got {quoted(arn)}"
        )
    return arn


def validate_jobs(jobs: Iterable[Job]) -> list[Job]:
    """Validates a list of jobs.

    Raises:
        TypeError: The argument is one job, or holds another type.
        ValueError: The list is empty.
    """
    listed = list(checked_jobs(jobs))
    for job in listed:
        if not isinstance(job, Job):
            raise no_job(job)
    if not listed:
        raise ValueError("expected at least one job, got an empty list")
    return listed


def validate_resources(
    resources: Mapping[str, Sequence[str]], called: Iterable[Invocation]
) -> dict[str, list[str]]:
    """Validates the resources of calls. A name that no job calls is refused: if it is misspelt, the intended
    call would be allowed on ``*``.

    Raises:
        TypeError: The resources of a call are text.
        ValueError: No job makes the call, or its list is empty or holds something else than ARNs and ``*``.
    """
    if not isinstance(resources, Mapping):
        raise TypeError(f"expected a mapping of calls to ARNs for resources, got {quoted(resources)}")
    names = {each.name for each in called if not each.resources}
    listed = {name: _listed(f"resources[{quoted(name)}]", arns) for name, arns in resources.items()}
    for name, arns in listed.items():
        if name not in names:
            known = ", ".join(sorted(names)) or "there is none"
            raise ValueError(f"expected resources of calls of the jobs ({known}), got {quoted(name)}")
        if not arns:
            raise ValueError(f"expected at least one ARN in resources[{quoted(name)}], got an empty list")
        for arn in arns:
            # CloudFormation would replace {{resolve:
            form = r"(?!.*\{\{)arn:[^:\s]+:[^:\s]+:[^:\s]*:[^:\s]*:\S+"
            if arn != "*" and not (isinstance(arn, str) and re.fullmatch(form, arn)):
                raise ValueError(f"resources[{quoted(name)}]: expected an ARN or '*', got {quoted(arn)}")
    return listed
