"""The CloudFormation template of the Step Functions backend. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stepsched.deploy.policies import (
    Told,
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

# Where a policy has to name what only the stack will know, this stands until it is replaced by references:
# names as long as they can get, so that a policy that fits here fits everywhere.
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
    """All that jobs on Step Functions need in AWS, as a CloudFormation template. No Lambda is in it.

    | resource | what it is |
    |---|---|
    | ``Table`` | the table of jobs: paid by request, recovery to a point in time; it outlives the stack |
    | ``Runner`` | the state machine that runs the jobs of the table, named like the stack |
    | ``RunnerRole`` | the least that the machine must be allowed to run jobs with these targets |

    The outputs are ``TableName``, ``TableArn`` and ``StateMachineArn``. The same arguments give the same
    template. A stack can be updated with further targets: nothing is replaced, and running jobs go on.

    - The table has no name of its own, so that a new stack never meets the table that a deleted one left.
      It is encrypted with the key that AWS owns, which costs nothing and which no role must be allowed.
      https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
    - The machine's ARN is built from the stack's name, for its role lets it start itself and is trusted for
      no other machine. A machine's name has 80 characters at most, and so has the stack's.
    - Nothing is allowed on ``*`` but ``batch:DescribeJobs``, for which AWS knows no resource, and what
      ``resources`` says.
    - The machine has a state for each call that the targets need, whichever of them a job then names. No text
      of the caller stands in the definition.

    What a resource itself asks for besides stays to be added, such as the key of an encrypted queue, or the
    policy of a queue in another account. CloudFormation wants the capability ``CAPABILITY_IAM``, and takes
    51,200 bytes in a request: write the template without white space, or to S3 where it is longer.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html

    Args:
        targets: All that jobs may invoke; at least one. Of a :class:`ParallelTarget` its parts count.
        task_roles: As in :func:`stepsched.iam.machine_policy`: the roles of ECS task definitions.
        dead_letters: The queues that jobs name as ``dead_letter``.
        topics: The topics that jobs name as ``notify``.
        resources: What calls of :class:`ApiTarget` act on, by ``"service:action"``, as in
            :func:`stepsched.iam.policy_for`; needed where the request does not tell.
        table_name: A table that is there, in the stack's own account and Region, such as that of an AWS
            Solutions scheduler; the stack then makes none. It must have the keys of one.

    Raises:
        TypeError: What should be a list is text or a single value, or holds something else; or
            ``resources`` is no dict.
        ValueError: No targets, or one that AWS cannot invoke; a call that does not tell what it acts on;
            targets of several Regions; or more of them than one role's policy can name. It is named.

    >>> from stepsched import QueueTarget
    >>> made = template([QueueTarget("arn:aws:sqs:eu-west-1:123456789012:orders")])
    >>> sorted(made["Resources"])
    ['Runner', 'RunnerRole', 'Table']
    """
    if resources is not None and not isinstance(resources, Mapping):
        raise TypeError(
            f"resources is {resources!r:.80}; give a dict, such as {{'s3:putObject': ['arn:...']}}"
        )
    if table_name is not None and not (isinstance(table_name, str) and _TABLE_NAME.fullmatch(table_name)):
        raise ValueError(f"table_name {table_name!r} is not a table's: 3 to 255 of A-Z a-z 0-9 _ . -")
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
    """The same with a table that is there in place of the stack's own."""
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
    del properties["TableName"]  # CloudFormation gives one that nobody has
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


def _machine(called: list[Told], partition: str) -> dict[str, Any]:
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


def _definition(called: list[Told], partition: str) -> dict[str, Any]:
    """The runner with the calls that are wanted; with all of them it would be too long for a request."""
    wanted = {call.name: None for told in called for call in told.calls(partition)}
    # Through JSON, for the name stands inside of expressions too, where braces would be escaped.
    text = json.dumps(runner(_TABLE, partition=partition, calls=sorted(wanted)).to_dict())
    assert "${" not in text, "AWS would take it for a reference"
    definition: dict[str, Any] = json.loads(text.replace(_TABLE, "${TableName}"))
    return definition


def _role(
    listed: list[Told], task_roles: Sequence[str], resources: Mapping[str, Sequence[str]], partition: str
) -> dict[str, Any]:
    arn = f"arn:{partition}:states:{_REGION}:{_ACCOUNT}:stateMachine:{_NAME}"
    policy = runner_policy(
        listed, task_roles=task_roles, resources=resources, machine_arn=arn, table_name=_TABLE
    )
    length = len(json.dumps(policy, separators=(",", ":")))
    if length > MAX_INLINE_CHARACTERS:
        raise ValueError(
            f"the policy for {len(listed)} targets takes {length:,} characters, and IAM takes "
            f"{MAX_INLINE_CHARACTERS:,}: give parts of the targets a stack of their own"
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
    """The same with references to what only the stack knows."""
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
