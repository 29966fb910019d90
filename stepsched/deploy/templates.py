"""The CloudFormation template of the Step Functions backend. The functions are pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stepsched.core.quoting import quoted
from stepsched.deploy.policies import (
    NamedTarget,
    partition_of,
    runner_policy,
    validate_queues,
    validate_targets,
    validate_topics,
)
from stepsched.iam import machine_trust_policy
from stepsched.iam.roles import MAX_INLINE_CHARACTERS
from stepsched.machines.shared.runner import runner
from stepsched.machines.shared.table_schema import creation, time_to_live
from stepsched.targets import QueueTarget, Target, TopicTarget

# Placeholders in policies for values that only the stack knows, which are replaced by references. They have
# the maximum length of the values, so that a policy that fits here fits in every stack.
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
    """The CloudFormation template with all resources of the Step Functions backend.

    | resource | description |
    |---|---|
    | ``Table`` | the table of jobs: billed on demand, point-in-time recovery; retained after the stack |
    | ``Runner`` | the state machine that runs the jobs of the table; its name is that of the stack |
    | ``RunnerRole`` | the role of the machine, with the minimal policy for these targets |

    The outputs are ``TableName``, ``TableArn`` and ``StateMachineArn``. The same arguments give the same
    template. A stack can be updated with further targets: no resource is replaced, and jobs keep running.

    - CloudFormation chooses the name of the table, so that a new stack does not conflict with the table of a
      deleted one. The table is encrypted with an AWS owned key, which is free and needs no permission.
      https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
    - The ARN of the machine is built from the name of the stack, because its role allows it to start itself
      and trusts no other machine. The name of a machine, and so that of the stack, has at most 80 characters.
    - No action is allowed on ``*`` except ``batch:DescribeJobs``, which has no resource, and what
      ``resources`` names.
    - The role that a request of Amazon Personalize names may be passed to that service.
    - The machine has one state for each call that the targets need. The definition contains no text of the
      caller.

    Permissions that a resource itself requires are not included, such as the key of an encrypted queue, or
    the policy of a queue in another account. CloudFormation requires the capability ``CAPABILITY_IAM``, and
    limits a template in a request to 51,200 bytes: write it without white space, or upload a longer one to
    S3. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html

    Args:
        targets: The targets that jobs may invoke; at least one. A :class:`ParallelTarget` counts as its
        parts.
        task_roles: The roles of ECS task definitions; see :func:`stepsched.iam.machine_policy`.
        dead_letters: The queues that jobs name as ``dead_letter``.
        topics: The topics that jobs name as ``notify``.
        resources: The resources of :class:`ApiTarget` calls, by ``"service:action"``; see
            :func:`stepsched.iam.policy_for`. Required if the request does not name them.
        table_name: The name of an existing table in the account and Region of the stack, such as that of an
            AWS Solutions scheduler. It must have the keys of a table of jobs. None: the stack creates a
            table.

    Raises:
        TypeError: An argument that should be a list is text or a single value, or holds another type; or
            ``resources`` is not a dict.
        ValueError: There are no targets, AWS cannot invoke one, the resources of a call are not known, the
            targets are in several Regions, or their policy is too long. The error names the target.

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
            f"expected table_name to be 3 to 255 characters of A-Z a-z 0-9 _ . -, got {table_name!r}"
        )
    called = validate_targets(targets)
    listed = called + validate_queues(dead_letters) + validate_topics(topics)
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
            "TableArn": {"Description": "The ARN of the table", "Value": {"Fn::GetAtt": ["Table", "Arn"]}},
            "StateMachineArn": {
                "Description": "The state machine that runs the jobs",
                "Value": {"Ref": "Runner"},
            },
        },
    }
    if table_name is None:
        return made
    del made["Resources"]["Table"]
    with_existing_table: dict[str, Any] = _on_table(made, table_name)
    return with_existing_table


def _on_table(value: Any, name: str) -> Any:
    """A copy of the template in which references to its table are replaced by an existing table."""
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
    del properties["TableName"]  # CloudFormation chooses a unique name
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
        # cfn-lint takes only a plain number as TimeoutSeconds, and the definition computes it.
        "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["E3601"]}}},
        "Properties": {
            "StateMachineName": {"Ref": "AWS::StackName"},
            "StateMachineType": "STANDARD",
            "RoleArn": {"Fn::GetAtt": ["RunnerRole", "Arn"]},
            "Definition": _definition(called, partition),
            "DefinitionSubstitutions": {"TableName": {"Ref": "Table"}},
        },
    }


def _definition(called: list[NamedTarget], partition: str) -> dict[str, Any]:
    """The definition of the runner with the required calls. With all calls it would be too long for a
    request."""
    calls = {call.name: None for each in called for call in each.calls(partition)}
    # The name is replaced in the JSON text, because it is also inside of expressions that escape braces.
    text = json.dumps(runner(_TABLE, partition=partition, calls=sorted(calls)).to_dict())
    assert "${" not in text, "CloudFormation would read it as a reference"
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
            f"expected a policy of at most {MAX_INLINE_CHARACTERS:,} characters, got {length:,} for "
            f"{len(listed)} targets; use several stacks"
        )
    trust = machine_trust_policy(account=_ACCOUNT, machine_arn=arn)
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": "Lets the state machine of stepsched run the jobs of its table",
            "AssumeRolePolicyDocument": _with_references(trust),
            "Policies": [{"PolicyName": "stepsched", "PolicyDocument": _with_references(policy)}],
        },
    }


_STACK_ARN = re.compile(rf"arn:[^:]+:(?P<service>[^:]+):{_REGION}:{_ACCOUNT}:(?P<rest>.+)")


def _with_references(value: Any) -> Any:
    """A copy of the document in which placeholders are replaced by references."""
    match value:
        case dict():
            return {key: _with_references(item) for key, item in value.items()}
        case list():
            return [_with_references(item) for item in value]
    return {"Ref": "AWS::AccountId"} if value == _ACCOUNT else _arn_with_references(value)


def _arn_with_references(text: str) -> Any:
    match = _STACK_ARN.fullmatch(text)
    if match is None:
        return text
    service, rest = match["service"], match["rest"]
    if rest == f"table/{_TABLE}":
        return {"Fn::GetAtt": ["Table", "Arn"]}
    rest = "stateMachine:${AWS::StackName}" if rest == f"stateMachine:{_NAME}" else rest.replace("${", "${!")
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}"}
