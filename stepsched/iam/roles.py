"""Creates the execution role. This is the only function of the package that calls AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stepsched.aws.sdk import mapped
from stepsched.iam.documents import SERVICE, checked_group, checked_jobs, policy_for, trust_policy
from stepsched.jobs import Job

if TYPE_CHECKING:
    from boto3.session import Session

MAX_INLINE_CHARACTERS = 10_240
"""The maximum size of all inline policies of one role together, without white space."""
_POLICY_NAME = "stepsched"


def ensure_role(
    name: str,
    *,
    jobs: Iterable[Job],
    group: str = "*",
    session: Session | None = None,
    endpoint_url: str | None = None,
    dead_letter_arn: str | None = None,
    kms_key_arn: str | None = None,
    task_roles: Sequence[str] = (),
    resources: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Creates or updates the execution role of these jobs. It calls AWS.

    The role is created if it does not exist. Then its trust policy and its inline policy ``stepsched`` are
    set to :func:`trust_policy` and :func:`policy_for`; its other policies are kept. Repeating the call
    changes nothing. AWS may refuse a new role for some seconds until it is propagated.

    The caller needs sts:GetCallerIdentity, iam:GetRole, iam:CreateRole, iam:UpdateAssumeRolePolicy and
    iam:PutRolePolicy.

    Args:
        name: The name of the role: 1 to 64 of ``A-Z a-z 0-9 _ + = , . @ -``.
        jobs: All jobs that will use the role. Permissions of an earlier call for other jobs are removed.
        group: The schedule group whose jobs may use the role; ``*`` matches any characters.
        session: The ``boto3.Session`` with credentials and Region. None: boto3's default session.
        endpoint_url: The endpoint of IAM and STS. None: that of AWS.
        dead_letter_arn: As in :func:`policy_for`.
        kms_key_arn: As in :func:`policy_for`.
        task_roles: As in :func:`policy_for`.
        resources: As in :func:`policy_for`.

    Returns:
        The ARN of the role.

    Raises:
        TypeError: As in :func:`policy_for`.
        ValueError: An argument is malformed, the session has no Region, the policy is too large for IAM, or a
            role of that name is trusted by other principals, which would be locked out. Nothing has been
            changed.
        AccessDeniedError: The caller lacks a permission.
        ThrottledError: Too many requests.
        BackendUnavailableError: AWS cannot be reached, or no credentials were found.
        BackendError: AWS returned another error.
    """
    if not re.fullmatch(r"[\w+=,.@-]{1,64}", name, re.ASCII):
        raise ValueError(
            "expected the name of a role, 1 to 64 of the characters A-Z a-z 0-9 _ + = , . @ - "
            f"(no path and no ARN), got {name!r}"
        )
    checked_group(group)
    listed = checked_jobs(jobs)
    import boto3

    with mapped("sts", "GetCallerIdentity"):
        session = boto3.session.Session() if session is None else session
        region = session.region_name
        if region is None:
            raise ValueError("expected a session with a Region; use session=boto3.Session(region_name=...)")
        partition = session.get_partition_for_region(region)
        account = str(session.client("sts", endpoint_url=endpoint_url).get_caller_identity()["Account"])
    trust = _compact(trust_policy(account=account, region=region, group=group, partition=partition))
    policy = _compact(
        policy_for(
            listed,
            dead_letter_arn=dead_letter_arn,
            kms_key_arn=kms_key_arn,
            task_roles=task_roles,
            resources=resources,
            account=account,
            region=region,
            partition=partition,
        )
    )
    if len(policy) > MAX_INLINE_CHARACTERS:
        raise ValueError(
            f"the policy of role {name!r} has {len(policy):,} characters, and IAM allows "
            f"{MAX_INLINE_CHARACTERS:,}; use one role for the jobs of each group"
        )
    with mapped("iam", "GetRole"):
        iam = session.client("iam", endpoint_url=endpoint_url)
        arn = _role_with_trust(iam, name, trust)
        iam.put_role_policy(RoleName=name, PolicyName=_POLICY_NAME, PolicyDocument=policy)
    return arn


def _role_with_trust(iam: Any, name: str, trust: str) -> str:
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except iam.exceptions.NoSuchEntityException:
        try:
            created = iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=trust,
                Description="Lets EventBridge Scheduler run the jobs of stepsched",
            )
            return str(created["Role"]["Arn"])
        except iam.exceptions.EntityAlreadyExistsException:  # another caller was faster
            role = iam.get_role(RoleName=name)["Role"]
    if not _trusts_scheduler_alone(role["AssumeRolePolicyDocument"]):
        raise ValueError(
            f"a role {name!r} exists and is trusted by principals other than {SERVICE}, which would be "
            "locked out; choose another name"
        )
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    return str(role["Arn"])


def _trusts_scheduler_alone(document: Mapping[str, Any]) -> bool:
    statements = document.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return all(entry.get("Principal") in ({"Service": SERVICE}, {"Service": [SERVICE]}) for entry in listed)


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
