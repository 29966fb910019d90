"""The role that a template makes: who may use it, and what it may do.

The account and the Region are known to the tool alone. The documents have placeholders for them, which each
form replaces by its own references. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from stepsched.iam import policy_for, trust_policy
from stepsched.iam.documents import validate_boundary
from stepsched.iam.roles import MAX_INLINE_CHARACTERS
from stepsched.jobs import Job

_ACCOUNT, _REGION = "000000000000", "the-region-of-stack-1"
_HERE = re.compile(rf"arn:[^:]+:(?P<service>[^:]+):{_REGION}:{_ACCOUNT}:(?P<rest>.+)", re.DOTALL)
_GROUP = "schedule-group/"
DESCRIPTION = "Lets EventBridge Scheduler run the jobs of stepsched"
POLICY_NAME = "stepsched"


class Role(NamedTuple):
    """The documents of a role, with placeholders."""

    trust: dict[str, Any]
    policy: dict[str, Any]
    permissions_boundary: str | None


def role_of(
    jobs: Sequence[Job],
    *,
    groups: Sequence[str],
    partition: str,
    dead_letter_arn: str | None,
    kms_key_arn: str | None,
    task_roles: Sequence[str],
    resources: Mapping[str, Sequence[str]] | None,
    permissions_boundary: str | None,
) -> Role:
    """Returns the role of the jobs of these groups.

    Raises:
        TypeError: An argument that should be a list is text.
        ValueError: An argument is malformed, or the policy is too long for IAM.
    """
    policy = policy_for(
        jobs,
        dead_letter_arn=dead_letter_arn,
        kms_key_arn=kms_key_arn,
        task_roles=task_roles,
        resources=resources,
        account=_ACCOUNT,
        region=_REGION,
        partition=partition,
    )
    length = len(json.dumps(policy, separators=(",", ":")))
    if length > MAX_INLINE_CHARACTERS:
        raise ValueError(
            f"expected a policy of at most {MAX_INLINE_CHARACTERS:,} characters, got {length:,} for "
            f"{len(jobs)} jobs; use several templates, or role_arn= with a role of your own"
        )
    return Role(_trust(groups, partition), policy, validate_boundary(permissions_boundary))


def _trust(groups: Sequence[str], partition: str) -> dict[str, Any]:
    """The trust policy for the schedules of all groups."""
    made = [
        trust_policy(account=_ACCOUNT, region=_REGION, group=group, partition=partition) for group in groups
    ]
    sources = [each["Statement"][0]["Condition"]["StringEquals"]["aws:SourceArn"] for each in made]
    made[0]["Statement"][0]["Condition"]["StringEquals"]["aws:SourceArn"] = sources
    return made[0]


def with_references(
    value: Any,
    *,
    account: Any,
    arn: Callable[[str, str], Any],
    group: Callable[[str], Any],
    text: Callable[[str], Any] = lambda text: text,
) -> Any:
    """Returns a copy of a document in which placeholders are replaced.

    Args:
        value: The document.
        account: The reference to the account.
        arn: Returns the reference to an ARN in the account and Region, of a service and the part after the
            account.
        group: Returns the reference to the ARN of a schedule group.
        text: Returns what any other text is written as.
    """

    def replaced(item: Any) -> Any:
        match item:
            case dict():
                return {key: replaced(each) for key, each in item.items()}
            case list():
                return [replaced(each) for each in item]
        if item == _ACCOUNT:
            return account
        found = _HERE.fullmatch(item)
        if found is None:
            return text(item)
        service, rest = found["service"], found["rest"]
        if service == "scheduler" and rest.startswith(_GROUP):
            return group(rest.removeprefix(_GROUP))
        return arn(service, rest)

    return replaced(value)
