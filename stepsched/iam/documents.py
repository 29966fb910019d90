"""Who may take a role, what it may do, and what its user may do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from typing_extensions import assert_never

from stepsched.aws.arns import ARN, checked_arn
from stepsched.iam.actions import BY_PATH, TARGET_ACTIONS, iam_actions
from stepsched.jobs import Job
from stepsched.jobs.job import is_name
from stepsched.targets import (
    ApiTarget,
    BatchTarget,
    CodeBuildTarget,
    CodePipelineTarget,
    CommandTarget,
    EcsTaskTarget,
    EventBusTarget,
    FirehoseTarget,
    HandlerTarget,
    KinesisTarget,
    LambdaTarget,
    ParallelTarget,
    QueueTarget,
    SageMakerPipelineTarget,
    StateMachineTarget,
    TemplateTarget,
    TopicTarget,
)

SERVICE = "scheduler.amazonaws.com"
WIDENING = re.compile(r"[*?]|\$\{")  # what IAM reads as a pattern or a variable


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
    named = _checked_resources(resources or {}, listed)
    roles = checked_roles("task_roles", task_roles)
    default_queue = None if dead_letter_arn is None else _checked_queue(dead_letter_arn)
    grants: list[Grant] = []
    for job in listed:
        grants += _target_grants(job, place, named)
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
        _allow(
            "Schedules", [f"scheduler:{v}Schedule" for v in verbs], [f"{root}:schedule/{n}/*" for n in names]
        ),
        _allow(
            "ScheduleGroups",
            [*group_actions, "scheduler:ListTagsForResource", "scheduler:TagResource"],
            [f"{root}:schedule-group/{name}" for name in names],
        ),
        # ListSchedules is authorised on every schedule even where a group is asked for.
        _allow("ListSchedules", ["scheduler:ListScheduleGroups", "scheduler:ListSchedules"], ["*"]),
        _allow("PassRole", ["iam:PassRole"], roles, ("StringEquals", "iam:PassedToService", SERVICE)),
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
        statements.append(_allow("DeadLetters", [f"sqs:{action}" for action in actions], [queue]))
    if kms_key_arn is not None:
        keys = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        statements.append(_allow("EncryptedPayloads", keys, [_checked_key(kms_key_arn)]))
    return {"Version": "2012-10-17", "Statement": statements}


# -- What a job needs ---------------------------------------------------------------------------------

Condition = tuple[str, str, str]
"""Operator, key and value."""


class Grant(NamedTuple):
    action: str
    resource: str
    condition: Condition | None = None


class Place(NamedTuple):
    """Where bare names live."""

    account: str | None
    region: str | None
    partition: str

    def check(self) -> None:
        check_place(self.account, self.region, self.partition)

    def arn(self, service: str, resource: str) -> str:
        if self.account is None or self.region is None:
            raise ValueError(f"{resource!r} has no account and Region; give account= and region=, or an ARN")
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


def _target_grants(job: Job, place: Place, named: Mapping[str, list[str]]) -> list[Grant]:
    target = job.target
    match target:
        case LambdaTarget():
            return [_arn_grant(target.function_arn)]
        case StateMachineTarget():
            return [_arn_grant(target.state_machine_arn)]
        case QueueTarget():
            return [_arn_grant(target.queue_arn)]
        case TopicTarget():
            return [_arn_grant(target.topic_arn)]
        case EventBusTarget():
            return [_arn_grant(target.bus_arn)]
        case KinesisTarget():
            return [_arn_grant(target.stream_arn)]
        case FirehoseTarget():
            return [_arn_grant(target.delivery_stream_arn)]
        case CodeBuildTarget():
            return [_arn_grant(target.project_arn)]
        case CodePipelineTarget() | SageMakerPipelineTarget():
            return [_arn_grant(target.pipeline_arn)]
        case EcsTaskTarget(cluster_arn=cluster, task_definition_arn=definition):
            is_tagged = bool(target.tags or target.propagate_tags or target.ecs_managed_tags)
            return task_grants(cluster, definition, is_tagged=is_tagged)
        case BatchTarget():
            return _batch_grants(job, target, place)
        case ApiTarget():
            return _call_grants(job, target.service, target.action, named)
        case TemplateTarget():
            return _template_grants(job, target, named)
        case HandlerTarget() | CommandTarget():
            raise _refusal(
                job,
                f"its {type(target).__name__} runs where the embedded backend runs, and nothing in AWS is "
                "invoked; leave it out",
            )
        case ParallelTarget():
            raise _refusal(
                job,
                "EventBridge Scheduler has no ParallelTarget; give one job for each target, or the job that "
                "starts the state machine of render_asl(job), whose own role invokes the targets",
            )
        case _:  # pragma: no cover
            assert_never(target)


def _arn_grant(arn: str) -> Grant:
    match = ARN.fullmatch(arn)
    assert match is not None
    service = match["service"]
    if service == "inspector":
        arn = "*"
    elif service == "states":  # Step Functions authorises on the machine, whatever the qualifier.
        arn = ":".join(arn.split(":")[:7])
    return Grant(TARGET_ACTIONS[service], arn)


def task_grants(cluster: str, definition: str, *, is_tagged: bool) -> list[Grant]:
    # AWS resolves the revision before it authorises, so the plain family never matches.
    grants = [Grant("ecs:RunTask", with_revision(definition), ("ArnEquals", "ecs:cluster", cluster))]
    if is_tagged:
        grants.append(
            Grant("ecs:TagResource", tasks_of(cluster), ("StringEquals", "ecs:CreateAction", "RunTask"))
        )
    return grants


def role_grants(roles: Iterable[str]) -> list[Grant]:
    """What ECS asks for the roles that its tasks take."""
    passed = ("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com")
    return [Grant("iam:PassRole", role, passed) for role in roles]


def tasks_of(cluster: str) -> str:
    """The tasks of a cluster, whose numbers nobody knows beforehand."""
    return f"{cluster.replace(':cluster/', ':task/', 1)}/*"


def with_revision(arn: str) -> str:
    return arn if re.search(r":\d+\Z", arn.partition("/")[2]) else f"{arn}:*"


def _batch_grants(job: Job, target: BatchTarget, place: Place) -> list[Grant]:
    try:
        return submission_grants(target.job_definition, target.job_queue, place)
    except ValueError as error:
        raise _refusal(job, str(error)) from error


def submission_grants(definition: str, queue: str, place: Place) -> list[Grant]:
    definition = _batch_arn("job-definition", definition, r"[\w-]{1,128}(:\d+)?", place)
    queue = _batch_arn("job-queue", queue, r"[\w-]{1,128}", place)
    # AWS's pages differ on what a name without revision is authorised as; both forms mean the same jobs.
    arns = dict.fromkeys([definition, with_revision(definition), queue])
    return [Grant("batch:SubmitJob", arn) for arn in arns]


def _batch_arn(resource: str, text: str, form: str, place: Place) -> str:
    arn = text if text.startswith("arn:") else place.arn("batch", f"{resource}/{text}")
    return checked_arn(arn, "batch", f"{resource}/{form}", f"{resource}/<name>")


def _call_grants(job: Job, service: str, action: str, named: Mapping[str, list[str]]) -> list[Grant]:
    if service in BY_PATH:
        raise _refusal(
            job,
            f"what IAM asks for {service}:{action} hangs on a path that the call does not tell; "
            "leave the job out and write its statement by hand",
        )
    arns = named.get(f"{service}:{action}", ["*"])
    return [Grant(name, arn) for name in iam_actions(service, action) for arn in arns]


def _template_grants(job: Job, target: TemplateTarget, named: Mapping[str, list[str]]) -> list[Grant]:
    arn = target.target_arn
    call = _universal_call(arn)
    if call is not None:
        return _call_grants(job, *call, named)
    match = ARN.fullmatch(arn)
    assert match is not None
    if match["service"] not in TARGET_ACTIONS:
        raise _refusal(
            job,
            f"the permissions of {arn!r} cannot be told from its ARN; use the target's own class where there "
            "is one (EcsTaskTarget, ApiTarget), or leave the job out and write its statement by hand",
        )
    if WIDENING.search(arn):
        raise _refusal(job, f"{arn!r} would allow more than one resource; name the one that is meant")
    return [_arn_grant(arn)]


def _universal_call(arn: str) -> tuple[str, str] | None:
    match = re.fullmatch(r"arn:[a-z-]+:scheduler:::aws-sdk:([a-z][a-z0-9-]*):([a-z][A-Za-z0-9]*)", arn)
    return None if match is None else (match[1], match[2])


def _refusal(job: Job, reason: str) -> ValueError:
    return ValueError(f"no policy for job {job.name!r}: {reason}")


def merged(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """One statement for each action under each condition."""
    resources: dict[tuple[str, Condition | None], set[str]] = {}
    for grant in grants:
        resources.setdefault((grant.action, grant.condition), set()).add(grant.resource)
    statements: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for action, condition in sorted(resources, key=lambda key: (key[0], key[1] or ())):
        arns = resources[action, condition]
        seen[action] = seen.get(action, 0) + 1
        sid = _sid(action) + (str(seen[action]) if seen[action] > 1 else "")
        statements.append(_allow(sid, [action], ["*"] if "*" in arns else sorted(arns), condition))
    return statements


def _sid(action: str) -> str:
    """``cognito-idp:AdminCreateUser`` as ``CognitoIdpAdminCreateUser``."""
    prefix, _, name = action.partition(":")
    return "".join(part[:1].upper() + part[1:] for part in prefix.split("-")) + name


def _allow(
    sid: str, actions: list[str], resources: list[str], condition: Condition | None = None
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    if condition is not None:
        operator, key, value = condition
        statement["Condition"] = {operator: {key: value}}
    return statement


# -- What is given ------------------------------------------------------------------------------------


def check_given(**arguments: object) -> None:
    for word, value in arguments.items():
        if value is None:
            raise ValueError(f"{word} is None; the policy has to name it")


def check_place(account: str | None, region: str | None, partition: str) -> None:
    if account is not None and not (isinstance(account, str) and re.fullmatch(r"[0-9]{12}", account)):
        raise ValueError(f"account {account!r} is not an account's number: text of 12 digits")
    form = r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}"
    if region is not None and not (isinstance(region, str) and re.fullmatch(form, region)):
        raise ValueError(f"region {region!r} is not a Region's name; write it such as 'eu-west-1'")
    if not re.fullmatch(r"aws[a-z-]*", partition):
        raise ValueError(f"partition {partition!r} is none; write it such as 'aws', 'aws-cn' or 'aws-us-gov'")


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


def _checked_resources(resources: Mapping[str, Sequence[str]], jobs: list[Job]) -> dict[str, list[str]]:
    """A name that no job calls is refused: misspelt, it would leave its call allowed on ``*``."""
    called = {call for job in jobs if (call := _call_name(job)) is not None}
    for name, arns in resources.items():
        _check_list(f"resources[{name!r}]", arns)
        if name not in called:
            known = ", ".join(sorted(called)) or "none at all"
            raise ValueError(f"resources names {name!r}, which no job calls; the jobs call {known}")
        if not arns:
            raise ValueError(f"resources[{name!r}] is empty; name what the call acts on, or leave it out")
        for arn in arns:
            if arn != "*" and not re.fullmatch(r"arn:[^:\s]+:[^:\s]+:[^:\s]*:[^:\s]*:\S+", arn):
                raise ValueError(f"resources[{name!r}]: {arn!r} is neither an ARN nor '*'")
    return {name: list(arns) for name, arns in resources.items()}


def _call_name(job: Job) -> str | None:
    match job.target:
        case ApiTarget(service=service, action=action):
            return f"{service}:{action}"
        case TemplateTarget(target_arn=arn):
            call = _universal_call(arn)
            return None if call is None else ":".join(call)
        case _:
            return None
