"""Creates the execution role. This is the only function of the package that calls AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stepsched.aws.sdk import mapped
from stepsched.iam.documents import SERVICE, policy_for, trust_policy, validate_group, validate_jobs
from stepsched.jobs import Job

if TYPE_CHECKING:
    from boto3.session import Session

MAX_INLINE_CHARACTERS = 10_240
"""The maximum size of all inline policies of a role, in characters without white space."""
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

    The role is created if it does not exist. Its trust policy and its inline policy ``stepsched`` are set to
    :func:`trust_policy` and :func:`policy_for`; its other policies are kept. The call is idempotent. AWS may
    refuse a new role for some seconds, until it has been propagated.

    Requires sts:GetCallerIdentity, iam:GetRole, iam:CreateRole, iam:UpdateAssumeRolePolicy and
    iam:PutRolePolicy.

    Args:
        name: The name of the role: 1 to 64 characters of ``A-Z a-z 0-9 _ + = , . @ -``.
        jobs: All jobs that will use the role. Permissions of an earlier call for other jobs are removed.
        group: The schedule group with the jobs that may use the role. ``*`` matches any characters.
        session: The session with credentials and Region. None: the default session of boto3.
        endpoint_url: The endpoint of IAM and STS. None: AWS.
        dead_letter_arn: The standard queue for jobs without ``dead_letter``. None: there is none.
        kms_key_arn: The key that encrypts the schedules. None: a key of AWS.
        task_roles: The roles of the ECS task definitions; see :func:`policy_for`.
        resources: The resources of :class:`ApiTarget` calls; see :func:`policy_for`.

    Returns:
        The ARN of the role.

    Raises:
        TypeError: ``jobs`` holds another type than Job, or an argument that should be a list is text.
        ValueError: An argument is malformed, the session has no Region, the policy is too long for IAM, or a
            role of this name has other trusted principals. Nothing has been changed.
        AccessDeniedError: The credentials do not allow the calls.
        ThrottledError: AWS throttled the calls.
        BackendUnavailableError: AWS cannot be reached, or no credentials were found.
        BackendError: AWS returned another error.
    """
    if not re.fullmatch(r"[\w+=,.@-]{1,64}", name, re.ASCII):
        raise ValueError(
            "expected the name of a role, 1 to 64 characters of A-Z a-z 0-9 _ + = , . @ - without path, "
            f"got {name!r}"
        )
    validate_group(group)
    listed = validate_jobs(jobs)
    import boto3

    with mapped("sts", "GetCallerIdentity"):
        session = boto3.session.Session() if session is None else session
        region = session.region_name
        if region is None:
            raise ValueError("the session has no Region; use session=boto3.Session(region_name=...)")
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
            f"expected a policy of at most {MAX_INLINE_CHARACTERS:,} characters for role {name!r}, "
            f"got {len(policy):,}; use one role for the jobs of each group"
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
        except iam.exceptions.EntityAlreadyExistsException:  # created concurrently
            role = iam.get_role(RoleName=name)["Role"]
    if not _trusts_scheduler_alone(role["AssumeRolePolicyDocument"]):
        raise ValueError(
            f"a role {name!r} exists and has other trusted principals than {SERVICE}, which would lose it; "
            "use another name"
        )
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    return str(role["Arn"])


def _trusts_scheduler_alone(document: Mapping[str, Any]) -> bool:
    statements = document.get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return all(entry.get("Principal") in ({"Service": SERVICE}, {"Service": [SERVICE]}) for entry in listed)


def _compact(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))
