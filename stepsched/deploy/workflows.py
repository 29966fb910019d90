"""The policy of the machine that runs workflows. The functions are pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from stepsched.asl.machine import StateMachine, parse
from stepsched.deploy.listed import NamedTarget
from stepsched.deploy.policies import Permissions, document, own_grants
from stepsched.iam.grants import Grant, Place, grants_of
from stepsched.targets.invocations import invocations


def workflows_policy(
    machine: StateMachine,
    *,
    machine_arn: str,
    table_name: str,
    runner_arn: str,
    submitted: Sequence[NamedTarget],
    topics: Sequence[NamedTarget],
) -> dict[str, Any]:
    """The minimal policy of the role of the machine that runs workflows.

    The calls of Batch and of SNS read their arguments from the definitions of workflows, so their permissions
    follow from the Batch targets and the topics; without any, there are none. All others follow from the
    definition of the machine.

    Args:
        machine: The definition.
        machine_arn: The ARN of the machine.
        table_name: The name of the table, in the account and Region of the machine.
        runner_arn: The ARN of the runner.
        submitted: The Batch targets of steps.
        topics: The topics of workflows.

    Raises:
        ValueError: The policy is too long for IAM.
    """
    calls = _calls_of(machine.to_dict())
    own = own_grants(
        parse(_without(machine.to_dict(), _OF_WORKFLOWS)),
        machine_arn=machine_arn,
        table_name=table_name,
        runner_arn=runner_arn,
    )
    _, partition, _, region, account, _ = machine_arn.split(":", 5)
    place = Place(account, region, partition)
    if submitted:
        own += _batch_grants(calls, submitted, place)
    if topics and "sns:publish" in calls:
        own += [grant for each in topics for grant in grants_of(invocations(each.target)[0], place)]
    return Permissions([*submitted, *topics]).checked(document(own))


_OF_WORKFLOWS = ("batch", "sns")
"""The services whose calls read their arguments from the definitions of workflows."""
_CALL = re.compile(r"arn:[^:]+:states:::(?:aws-sdk:)?(\w+):(\w+)(?:\.\w+(?::2)?)?")


def _calls_of(value: Any) -> set[str]:
    """The calls of all tasks of a definition, such as ``batch:submitJob``."""
    match value:
        case {"Type": "Task", "Resource": str(resource)} if call := _CALL.fullmatch(resource):
            return {f"{call[1]}:{call[2]}"}
        case dict():
            return {call for item in value.values() for call in _calls_of(item)}
        case list():
            return {call for item in value for call in _calls_of(item)}
    return set()


def _without(value: Any, services: Collection[str]) -> Any:
    """A copy of a definition without the tasks that call some services."""
    match value:
        case dict():
            return {
                key: _without(item, services)
                for key, item in value.items()
                if not any(call.split(":")[0] in services for call in _own_calls_of(item))
            }
        case list():
            return [_without(item, services) for item in value]
    return value


def _own_calls_of(value: Any) -> set[str]:
    return _calls_of(value) if isinstance(value, dict) and value.get("Type") == "Task" else set()


def _batch_grants(calls: Collection[str], submitted: Sequence[NamedTarget], place: Place) -> list[Grant]:
    """The grants of Batch. Listing and describing jobs supports no resource, and the ID of a job is known
    only when it runs.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbatch.html
    """
    grants = [grant for each in submitted for grant in grants_of(invocations(each.target)[0], place)]
    jobs = place.arn("batch", "job/*")
    on = {"DescribeJobs": "*", "ListJobs": "*", "TerminateJob": jobs, "CancelJob": jobs}
    return grants + [
        Grant(f"batch:{action}", resource)
        for action, resource in on.items()
        if f"batch:{action[0].lower()}{action[1:]}" in calls
    ]
