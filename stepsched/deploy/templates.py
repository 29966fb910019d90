"""The CloudFormation template of the Step Functions backend. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stepsched.deploy.policies import (
    NamedTarget,
    checked_queues,
    checked_targets,
    checked_topics,
    partition_of,
    runner_policy,
)
from stepsched.iam import machine_trust_policy
from stepsched.iam.roles import MAX_INLINE_CHARACTERS
from stepsched.machines.shared.runner import runner
from stepsched.machines.shared.table_schema import creation, time_to_live
from stepsched.targets import QueueTarget, Target, TopicTarget

# Placeholders for values that only the stack knows, which are replaced by references. They are as long as
# such values can be, so that a policy whose size fits here fits everywhere.
_REGION = "the-region-of-stack-1"
_ACCOUNT = "000000000000"
_NAME = "s" * 80
_TABLE = f"{_NAME}-Table-{'x' * 13}"
_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")


def template(
    targets: Iterable[Target],
    *,
    task_roles: Sequence[str] = (),
    dead_letters: Iterable[QueueTarget] = (),
    topics: Iterable[TopicTarget] = (),
    resources: Mapping[str, Sequence[str]] | None = None,
    table_name: str | None = None,
) -> dict[str, Any]:
    """Returns a CloudFormation template with all resources for jobs on Step Functions. It has no Lambda
    function.

    | resource | what it is | |---|---| | ``Table`` | the table of jobs: billed by request, with point-in-time
    recovery; retained after the stack | | ``Runner`` | the state machine that runs the jobs of the table,
    with the name of the stack | | ``RunnerRole`` | the role of the machine, with the minimal permissions for
    these targets |

    The outputs are ``TableName``, ``TableArn`` and ``StateMachineArn``. The same arguments result in the same
    template. A stack can be updated with further targets: nothing is replaced, and jobs continue.

    - The table's name is generated, so that a new stack never conflicts with the table of a deleted one. The
      table is encrypted with a key owned by AWS, which is free and needs no permissions.
      https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
    - The machine's ARN is built from the stack's name, since its role lets it start itself and is trusted for
      no other machine. The name of a machine, and so of the stack, has at most 80 characters.
    - Nothing is allowed on ``*``, except ``batch:DescribeJobs``, which has no resource, and the entries of
      ``resources``.
    - The machine has one state for each kind of call that the targets need. No text of the caller is part of
      the definition.

    Permissions that depend on a resource itself are not included, such as those for the key of an encrypted
    queue, or the policy of a queue in another account; add them yourself. CloudFormation requires the
    capability ``CAPABILITY_IAM``, and accepts 51,200 bytes in a request: write the template without white
    space, or put a longer one into S3.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html

    Args:
        targets: The targets that jobs may invoke; at least one. For a :class:`ParallelTarget` its parts
            count.
        task_roles: As in :func:`stepsched.iam.machine_policy`: the roles of ECS task definitions.
        dead_letters: The queues that jobs use as ``dead_letter``.
        topics: The topics that jobs use as ``notify``.
        resources: The resources of the calls of :class:`ApiTarget`, by ``"service:action"``, as in
            :func:`stepsched.iam.policy_for`; needed if the request does not determine them.
        table_name: The name of an existing table in the stack's account and Region, such as that of an AWS
            Solutions scheduler, with the same keys; the stack then creates no table. None: a new table.

    Raises:
        TypeError: A list is a string or a single value, or has an item of another type; or ``resources`` is
            not a dict.
        ValueError: There are no targets; AWS cannot invoke a target; the resources of a call are not known;
            the targets are in several Regions; or the policy of one role is too small for them. The error
            names it.

    >>> from stepsched import QueueTarget
    >>> made = template([QueueTarget("arn:aws:sqs:eu-west-1:123456789012:orders")])
    >>> sorted(made["Resources"])
    ['Runner', 'RunnerRole', 'Table']
    """
    if resources is not None and not isinstance(resources, Mapping):
        raise TypeError(
            f"expected a dict such as {{'s3:putObject': ['arn:...']}} for resources, got {resources!r:.80}"
        )
    if table_name is not None and not (isinstance(table_name, str) and _TABLE_NAME.fullmatch(table_name)):
        raise ValueError(
            f"expected the name of a table for table_name (3 to 255 of A-Z a-z 0-9 _ . -), got {table_name!r}"
        )
    called = checked_targets(targets)
    listed = called + checked_queues(dead_letters) + checked_topics(topics)
    partition = partition_of(listed)
    made: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "stepsched: a table of jobs, and the state machine that runs them",
        "Resources": {
            "Table": _table(),
            "RunnerRole": _role(listed, task_roles, resources or {}, partition),
            "Runner": _machine(called, partition),
        },
        "Outputs": {
            "TableName": {"Description": "The table of jobs", "Value": {"Ref": "Table"}},
            "TableArn": {"Description": "The same", "Value": {"Fn::GetAtt": ["Table", "Arn"]}},
            "StateMachineArn": {"Description": "The machine that runs them", "Value": {"Ref": "Runner"}},
        },
    }
    if table_name is None:
        return made
    del made["Resources"]["Table"]
    on_theirs: dict[str, Any] = _on_table(made, table_name)
    return on_theirs


def _on_table(value: Any, name: str) -> Any:
    """Replaces the stack's table by an existing one."""
    match value:
        case {"Ref": "Table"}:
            return name
        case {"Fn::GetAtt": ["Table", "Arn"]}:
            arn = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/"
            return {"Fn::Sub": arn + name}
        case dict():
            return {key: _on_table(item, name) for key, item in value.items()}
        case list():
            return [_on_table(item, name) for item in value]
    return value


def _table() -> dict[str, Any]:
    properties = creation("")
    del properties["TableName"]  # CloudFormation generates a unique one
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            **properties,
            "TimeToLiveSpecification": time_to_live(),
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        },
    }


def _machine(called: list[NamedTarget], partition: str) -> dict[str, Any]:
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "StateMachineName": {"Ref": "AWS::StackName"},
            "StateMachineType": "STANDARD",
            "RoleArn": {"Fn::GetAtt": ["RunnerRole", "Arn"]},
            "Definition": _definition(called, partition),
            "DefinitionSubstitutions": {"TableName": {"Ref": "Table"}},
        },
    }


def _definition(called: list[NamedTarget], partition: str) -> dict[str, Any]:
    """Returns the runner with the required calls; with all calls it would be too long for a request."""
    wanted = {call.name: None for each in called for call in each.calls(partition)}
    # As JSON text, since the name is also inside expressions, where braces would be escaped.
    text = json.dumps(runner(_TABLE, partition=partition, calls=sorted(wanted)).to_dict())
    assert "${" not in text, "AWS would read it as a reference"
    definition: dict[str, Any] = json.loads(text.replace(_TABLE, "${TableName}"))
    return definition


def _role(
    listed: list[NamedTarget],
    task_roles: Sequence[str],
    resources: Mapping[str, Sequence[str]],
    partition: str,
) -> dict[str, Any]:
    arn = f"arn:{partition}:states:{_REGION}:{_ACCOUNT}:stateMachine:{_NAME}"
    policy = runner_policy(
        listed, task_roles=task_roles, resources=resources, machine_arn=arn, table_name=_TABLE
    )
    length = len(json.dumps(policy, separators=(",", ":")))
    if length > MAX_INLINE_CHARACTERS:
        raise ValueError(
            f"the policy for {len(listed)} targets has {length:,} characters, and IAM allows "
            f"{MAX_INLINE_CHARACTERS:,}; use several stacks, each for a part of the targets"
        )
    trust = machine_trust_policy(account=_ACCOUNT, machine_arn=arn)
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": "Lets the state machine of stepsched run the jobs of its table",
            "AssumeRolePolicyDocument": _referring(trust),
            "Policies": [{"PolicyName": "stepsched", "PolicyDocument": _referring(policy)}],
        },
    }


_OWN = re.compile(rf"arn:[^:]+:(?P<service>[^:]+):{_REGION}:{_ACCOUNT}:(?P<rest>.+)")


def _referring(value: Any) -> Any:
    """Replaces the placeholders by references."""
    match value:
        case dict():
            return {key: _referring(item) for key, item in value.items()}
        case list():
            return [_referring(item) for item in value]
    return {"Ref": "AWS::AccountId"} if value == _ACCOUNT else _referring_arn(value)


def _referring_arn(text: str) -> Any:
    match = _OWN.fullmatch(text)
    if match is None:
        return text
    service, rest = match["service"], match["rest"]
    if rest == f"table/{_TABLE}":
        return {"Fn::GetAtt": ["Table", "Arn"]}
    rest = "stateMachine:${AWS::StackName}" if rest == f"stateMachine:{_NAME}" else rest.replace("${", "${!")
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}"}
