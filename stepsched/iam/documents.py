"""Who may take a role, what it may do, and what its user may do. Pure."""

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
    """Who may take the execution role: EventBridge Scheduler, for the account's schedules alone.

    The conditions keep other accounts from using the role through the service:
    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html

    Args:
        account: 12 digits.
        region: Such as ``eu-west-1``.
        group: The schedule group whose jobs may use the role; ``*`` stands for any characters. A
            single schedule cannot be named, as the service does not support it.
        partition: ``aws``, ``aws-cn``, ``aws-us-gov`` and so on.

    Raises:
        ValueError: An argument is not of its form.
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
    """The least that an execution role must be allowed in order to run exactly these jobs.

    The same jobs give the same document, in whatever order they come: statements are sorted by
    action, their resources sorted and named once.

    - A function is named as its target names it. A permission on the plain name does not reach an
      alias or version, nor the other way round.
    - A state machine is named without its alias or version, which IAM does not take; the role may
      thus start any of that machine's versions.
    - A task or job definition without revision stands for all of its revisions.
    - A SageMaker pipeline is named as written and in lower case, as AWS writes it.
    - Inspector's templates cannot be named in a policy; their resource is ``*``.

    - ``notify`` adds nothing: EventBridge Scheduler tells no topic. The state machine of ``render_asl``
      does, with a role of its own.

    What the resource itself asks for besides, such as the key of an encrypted queue, is not known
    here and stays to be added.

    Args:
        jobs: At least one. All of them must be invoked by AWS.
        dead_letter_arn: The standard queue of the jobs that name none themselves.
        kms_key_arn: The key with which the schedules are encrypted. None: AWS's own.
        task_roles: The task and execution roles of the task definitions, and those that a job's
            input puts in their place. The jobs do not tell them, so without them a task whose
            definition has roles is refused by AWS. Left out where no job runs an ECS task.
        resources: What the calls of :class:`ApiTarget` act on, by ``"service:action"`` as the target
            writes it, such as ``{"dynamodb:putItem": ["arn:aws:dynamodb:…:table/orders"]}``. A call
            that is not named here is allowed on ``*``. IAM may ask for more than the call's own
            action, as for handing over a role; that too stays to be added.
        account: Where Batch's bare names live; needed only for those.
        region: As ``account``.
        partition: As ``account``.

    Raises:
        TypeError: ``jobs`` holds something that is no job, or a list is text.
        ValueError: No jobs; a job that EventBridge Scheduler does not invoke, or whose permissions cannot be
            told from its target; or an argument that is not of its form. The job is named.

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
    """What whoever creates, lists, changes and cancels jobs through the client must be allowed.

    AWS does not narrow it further than to groups, and lists schedules only for those who may list
    them all.

    Args:
        account: 12 digits.
        region: Such as ``eu-west-1``.
        role_arns: The execution roles that jobs may be given; at least one.
        groups: The schedule groups; ``*`` stands for any characters. At least one.
        partition: ``aws``, ``aws-cn``, ``aws-us-gov`` and so on.
        dead_letter_arn: The queue whose failed runs are read and redriven. None: none is.
        kms_key_arn: The key with which the schedules are encrypted. None: AWS's own.

    Raises:
        TypeError: A list is text.
        ValueError: An argument is not of its form, or a list is empty.
    """
    check_given(account=account, region=region)
    check_place(account, region, partition)
    _check_list("groups", groups)
    roles = checked_roles("role_arns", role_arns)
    if not groups or not roles:
        raise ValueError(f"{'role_arns' if groups else 'groups'} is empty; give at least one")
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
        # ListSchedules is authorised on every schedule even where a group is asked for.
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
    """What EventBridge Scheduler calls for a job.

    Raises:
        ValueError: Nothing, or what IAM asks for it is not known; the job is named.
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
            f"its {type(job.target).__name__} runs where the embedded backend runs, and nothing in AWS is "
            "invoked; leave it out",
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
            raise ValueError(f"{word} is None; the policy has to name it")


def checked_group(group: str) -> str:
    if not is_name(group) and not ("*" in group and re.fullmatch(r"[0-9a-zA-Z_.*-]{1,64}", group)):
        raise ValueError(
            f"group {group!r} is not a schedule group: give its name, 1 to 64 of the characters "
            "A-Z a-z 0-9 - _ . with '*' for any others"
        )
    return group


def _checked_queue(arn: str) -> str:
    if arn.endswith(".fifo"):
        raise ValueError(f"dead_letter_arn {arn!r} is a FIFO queue; dead letters need a standard one")
    return checked_arn(arn, "sqs", r"[\w-]{1,80}", "<queue name>")


def _checked_key(arn: str) -> str:
    if ":alias/" in arn:
        raise ValueError(f"kms_key_arn {arn!r} is an alias, which IAM does not take; give the key's own ARN")
    return checked_arn(arn, "kms", r"key/[\w-]{1,256}", "key/<id>")


def _check_list(argument: str, values: Sequence[str]) -> None:
    if isinstance(values, str):
        raise TypeError(f"{argument} is text; give a list, such as [{values!r}]")


def checked_roles(argument: str, arns: Sequence[str]) -> list[str]:
    _check_list(argument, arns)
    for arn in arns:
        if not re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]+:role/[\w+=,.@/-]{1,576}", arn, re.ASCII):
            raise ValueError(
                f"{argument}: {arn!r} is not the ARN of one role; "
                "the form is arn:aws:iam::<account>:role/<name>"
            )
    return sorted(set(arns))


def checked_jobs(jobs: Iterable[Job]) -> list[Job]:
    if isinstance(jobs, Job):
        raise TypeError("jobs is one job; give a list, such as [job]")
    listed = list(jobs)
    for job in listed:
        if not isinstance(job, Job):
            raise TypeError(f"jobs holds a {type(job).__name__}; give Job values")
    if not listed:
        raise ValueError("jobs is empty; a role for nothing needs no policy")
    return listed


def checked_resources(
    resources: Mapping[str, Sequence[str]], called: Iterable[Invocation]
) -> dict[str, list[str]]:
    """A name that nobody calls is refused: misspelt, it would leave its call allowed on ``*``."""
    names = {each.name for each in called if not each.resources}
    for name, arns in resources.items():
        _check_list(f"resources[{name!r}]", arns)
        if name not in names:
            known = ", ".join(sorted(names)) or "none at all"
            raise ValueError(f"resources names {name!r}, which no job calls; the jobs call {known}")
        if not arns:
            raise ValueError(f"resources[{name!r}] is empty; name what the call acts on, or leave it out")
        for arn in arns:
            if arn != "*" and not re.fullmatch(r"arn:[^:\s]+:[^:\s]+:[^:\s]*:[^:\s]*:\S+", arn):
                raise ValueError(f"resources[{name!r}]: {arn!r} is neither an ARN nor '*'")
    return {name: list(arns) for name, arns in resources.items()}
