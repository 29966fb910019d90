"""The CloudFormation template of the Step Functions backend. The functions are pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stepsched.core.quoting import quoted
from stepsched.deploy.listed import partition_of, validate_queues, validate_targets, validate_topics
from stepsched.deploy.parts import HttpPart, Part, Wanted, parts_of
from stepsched.deploy.parts.names import Names, validate_prefix
from stepsched.deploy.parts.part import QUEUES, validate_parts
from stepsched.iam.documents import validate_boundary, validate_roles
from stepsched.targets import QueueTarget, Target, TopicTarget
from stepsched.workflows import Workflow

_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")


def template(
    targets: Iterable[Target | Workflow],
    *,
    task_roles: Sequence[str] = (),
    dead_letters: Iterable[QueueTarget] = (),
    topics: Iterable[TopicTarget] = (),
    resources: Mapping[str, Sequence[str]] | None = None,
    table_name: str | None = None,
    parts: Iterable[Part | str] = (),
    prefix: str | None = None,
    permissions_boundary: str | None = None,
    role_arn: str | None = None,
    http: HttpPart | bool = False,
) -> dict[str, Any]:
    """The CloudFormation template with all resources of the Step Functions backend.

    | resource | description |
    |---|---|
    | ``Table`` | the table of jobs: billed on demand, point-in-time recovery; retained after the stack |
    | ``Runner`` | the state machine that runs the jobs of the table; its name is that of the stack |
    | ``RunnerRole`` | the role of the machine, with the minimal policy for these targets |

    The outputs are ``TableName``, ``TableArn`` and ``StateMachineArn``. The same arguments give the same
    template. A stack can be updated with further targets and parts: no resource is replaced, and jobs keep
    running.

    | part | resources | outputs |
    |---|---|---|
    | ``register``, ``express-register`` | ``Register``, ``RegisterRole`` | ``RegisterArn`` |
    | ``http`` | ``HttpApi`` and its stage, ``Http``, ``HttpTopic``, roles | ``HttpUrl``, ``HttpTopicArn`` |
    | ``workflows`` | ``Workflows``, ``WorkflowsRole`` | ``WorkflowsArn`` |
    | ``group`` | ``Group``, ``SchedulerRole`` | ``GroupName``, ``SchedulerRoleArn`` |
    | ``dead-letters`` | ``DeadLetters`` | ``DeadLetterQueueArn`` |
    | ``topic`` | ``Topic`` | ``TopicArn`` |
    | ``queue``, ``fifo-queue`` | ``Queue``, ``QueueDeadLetters`` | ``QueueUrl``, ``QueueArn`` |
    | ``alarms`` | three alarms (four with workflows), and the watch | ``MetricNamespace`` |
    | ``dashboard`` | ``Dashboard``, and the watch | ``DashboardName``, ``MetricNamespace`` |

    The watch is a state machine without a function that counts late jobs every five minutes. With alarms or
    a dashboard, the runner, the register and clients that are made by ``from_stack`` write metrics too.

    - CloudFormation chooses the name of the table, so that a new stack does not conflict with the table of a
      deleted one. The table is encrypted with an AWS owned key, which is free and needs no permission.
      https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
    - The ARN of the machine is built from the name of the stack, because its role allows it to start itself
      and trusts no other machine. The name of a machine, and so that of the stack, has at most 80 characters;
      that of a stack with workflows has at most 70, with a register 71, and with a watch 74.
    - No action is allowed on ``*`` except ``batch:DescribeJobs`` and ``batch:ListJobs``, which have no
      resource, writing metrics, which is restricted to the namespace ``stepsched``, and what ``resources``
      names.
    - The role that a request of Amazon Personalize names may be passed to that service.
    - The machine has one state for each call that the targets need. The definition contains no text of the
      caller.

    Permissions that a resource itself requires are not included, such as the key of an encrypted queue, or
    the policy of a queue in another account. CloudFormation requires the capability ``CAPABILITY_IAM``, and
    limits a template in a request to 51,200 bytes: write it without white space, or upload a longer one to
    S3. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html

    Args:
        targets: The targets that jobs and steps of workflows may invoke; at least one, unless the stack has a
            queue, workflows or the API of one-shot tasks. A :class:`ParallelTarget` counts as its parts, and
            a :class:`Workflow` as the targets of its steps and its ``notify``; only the machine of the
            workflows may submit its Batch jobs.
        task_roles: The roles of ECS task definitions; see :func:`stepsched.iam.machine_policy`.
        dead_letters: The queues that jobs name as ``dead_letter``.
        topics: The topics that jobs and workflows name as ``notify``.
        resources: The resources of :class:`ApiTarget` calls, by ``"service:action"``; see
            :func:`stepsched.iam.policy_for`. Required if the request does not name them.
        table_name: The name of an existing table in the account and Region of the stack, such as that of an
            AWS Solutions scheduler. It must have the keys of a table of jobs. None: the stack creates a
            table.
        parts: The optional parts, as :class:`Part` or as text.
        prefix: The beginning of the names of all resources: ``blue`` names the machine ``blue-runner`` and
            the table ``blue-jobs``. Logical IDs and outputs begin with it too, such as ``BlueTableName``, so
            that several templates can be merged into one stack. None: the name of the stack is used where a
            name is needed, and CloudFormation chooses the others. The names of roles are always chosen by
            CloudFormation.
        permissions_boundary: The ARN of a managed policy that limits all roles of the stack. None: there is
            none.
        role_arn: The ARN of an existing role for the machine. It must trust ``states.amazonaws.com``, and
            allow what :func:`runner_policy` returns. None: the stack creates a role.
        http: How the API of one-shot tasks is made; it adds the part ``http``. True: as ``HttpPart()``.

    Raises:
        TypeError: An argument that should be a list is text or a single value, or holds another type; or
            ``resources`` is not a dict.
        ValueError: There are no targets, AWS cannot invoke one, the resources of a call are not known, the
            targets are in several Regions, their policy is too long, or a workflow is among them and no
            machine for it. The error names the target. Or a part is unknown, the prefix is too long for a
            name, or another argument is malformed.

    >>> from stepsched import QueueTarget
    >>> made = template([QueueTarget("arn:aws:sqs:eu-west-1:123456789012:orders")])
    >>> sorted(made["Resources"])
    ['Runner', 'RunnerRole', 'Table']
    """
    if resources is not None and not isinstance(resources, Mapping):
        raise TypeError(
            f"expected resources to be a dict, got {quoted(resources)}; use {{'s3:putObject': ['arn:...']}}"
        )
    if table_name is not None and not (isinstance(table_name, str) and _TABLE_NAME.fullmatch(table_name)):
        raise ValueError(
            f"expected table_name to be 3 to 255 characters of A-Z a-z 0-9 _ . -, got {quoted(table_name)}"
        )
    options = _http_of(http)
    chosen = validate_parts(parts, http=options is not None)
    validate_prefix(prefix, chosen, existing_table=table_name is not None)
    validate_boundary(permissions_boundary)
    if role_arn is not None:
        validate_roles("role_arn", [role_arn])
    own = chosen & {*QUEUES, Part.WORKFLOWS, Part.HTTP}  # what jobs of the stack may use anyway
    cure = None if Part.WORKFLOWS in chosen else f"parts=[{Part.WORKFLOWS.value!r}]"
    called, submitted, told = validate_targets(targets, cure=cure, may_be_empty=bool(own))
    queues, news = validate_queues(dead_letters), validate_topics(topics)
    partition = partition_of(called + queues + news + submitted + told)
    for argument, arn in (("permissions_boundary", permissions_boundary), ("role_arn", role_arn)):
        if arn is not None and arn.split(":")[1] != partition:
            raise ValueError(f"expected {argument} to be in the partition {partition!r}, got {arn!r}")
    made = parts_of(
        Wanted(
            Names(prefix, partition, table_name),
            chosen,
            called,
            queues,
            news,
            submitted,
            told,
            validate_roles("task_roles", task_roles),
            resources or {},
            boundary=permissions_boundary,
            role_arn=role_arn,
            http=options or HttpPart(),
        )
    )
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "stepsched: a table of jobs, and the state machine that runs them",
        "Resources": made.resources,
        "Outputs": made.outputs,
    }


def _http_of(http: object) -> HttpPart | None:
    """How the API is made. None: it is not asked for by ``http``.

    Raises:
        TypeError: ``http`` is neither a HttpPart nor a bool.
    """
    match http:
        case HttpPart():
            return http
        case bool():
            return HttpPart() if http else None
    raise TypeError(f"expected http to be a HttpPart, True or False, got {quoted(http)}; use HttpPart(...)")
