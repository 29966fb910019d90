"""Jobs as a CloudFormation template. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from stepsched.aws.stacks import MAX_TEMPLATE_BYTES
from stepsched.deploy.exports.labels import logical_id
from stepsched.deploy.exports.properties import properties_of
from stepsched.deploy.exports.roles import DESCRIPTION, POLICY_NAME, Role, with_references
from stepsched.deploy.exports.schedules import (
    Export,
    Options,
    Passed,
    Schedule,
    export_of,
    texts_of,
)
from stepsched.jobs import Job

ROLE = "SchedulerRole"
"""The identifier of the role."""
MAX_RESOURCES = 500


def jobs_to_cloudformation(
    jobs: Iterable[Job],
    *,
    role_arn: str | None = None,
    group: str | None = None,
    dead_letter_arn: str | None = None,
    kms_key_arn: str | None = None,
    existing_groups: Collection[str] = (),
    names: bool = False,
    passed: Passed = "refuse",
    next_runs: int = 0,
    now: datetime | None = None,
    task_roles: Sequence[str] = (),
    resources: Mapping[str, Sequence[str]] | None = None,
    permissions_boundary: str | None = None,
) -> dict[str, Any]:
    """The CloudFormation template that creates the schedules of jobs on EventBridge Scheduler.

    Each job is an ``AWS::Scheduler::Schedule`` with the parameters that ``client.apply`` sends with an
    :class:`EventBridgeBackend` of the same arguments; each group other than ``default`` is an
    ``AWS::Scheduler::ScheduleGroup``. Without ``role_arn`` the template also has the role that invokes the
    targets, with the minimal policy of :func:`stepsched.iam.policy_for`; only schedules of the template's
    groups can use it. The stack then requires the capability ``CAPABILITY_IAM``.

    The same jobs in any order give the same template on any day, and a changed job changes its own resource,
    besides the role if the permissions change. A job that moves to another group is another resource.

    - A rate without start begins when CloudFormation creates or changes its schedule.
    - A description ends in the metadata of stepsched, with the schedule in words as ``when``.
    - A job that is not enabled is ``DISABLED``.

    Args:
        jobs: The jobs, with distinct names; at least one.
        role_arn: The ARN of the role that invokes the targets. None: the template makes one.
        group: As for the backend: the schedule group of all jobs. None: each job has its own group.
        dead_letter_arn: The ARN of a standard queue for jobs without ``dead_letter``. None: there is none.
        kms_key_arn: The ARN of a key that encrypts the inputs. None: a key of AWS.
        existing_groups: The groups that exist already, so that the template does not make them.
        names: Whether schedules and groups have the names of the jobs and their groups. The client then
            finds the jobs as if it had created them. False: CloudFormation chooses the names, so that two
            stacks of the same jobs can stand in one account, and the client lists the schedules as foreign
            ones.
        passed: What happens if the start or the last run of a job has passed. ``"refuse"``: an error, since
            AWS accepts no such start. ``"omit"``: the job is left out if its last run has passed; otherwise
            the start is, and a rate begins at the next run of its grid. The template then depends on ``now``.
        next_runs: The number of next runs of each job that the metadata of the template lists, 0 to 100, with
            the instant at which they were computed. With more than 0 the template depends on ``now``.
        now: The present, aware. None: the machine's clock.
        task_roles: For the role of the template: see :func:`stepsched.iam.policy_for`.
        resources: For the role of the template: see :func:`stepsched.iam.policy_for`.
        permissions_boundary: For the role of the template: the ARN of its permissions boundary.

    Raises:
        TypeError: ``jobs`` is not a list of jobs, or an argument has another type.
        ValueError: An argument is malformed, two jobs have one name, the targets are in several Regions, or
            the template is too large: more than 500 resources or 1,000,000 bytes.
        InvalidScheduleError: A start or a last run has passed.
        UnsupportedError: EventBridge Scheduler cannot run a job as defined.
        RenderError: CloudFormation cannot express a job: it has no ``ActionAfterCompletion``, so that a
            one-time job needs ``Completion.KEEP``; and it would replace text with ``{{resolve:``.

    Properties: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-scheduler-schedule.html

    >>> from stepsched import Cron, Job, QueueTarget
    >>> queue = QueueTarget("arn:aws:sqs:eu-west-1:123456789012:orders")
    >>> made = jobs_to_cloudformation([Job(name="open-shop", schedule=Cron("0 9 * * ? *"), target=queue)])
    >>> sorted(made["Resources"])
    ['OpenShopSchedule', 'SchedulerRole']
    """
    options = Options(
        role_arn=role_arn,
        group=group,
        dead_letter_arn=dead_letter_arn,
        kms_key_arn=kms_key_arn,
        existing_groups=existing_groups,
        names=names,
        passed=passed,
        next_runs=next_runs,
        now=now,
        task_roles=task_roles,
        resources=resources,
        permissions_boundary=permissions_boundary,
    )
    return _checked(_template(export_of(jobs, options), names=names))


def _template(export: Export, *, names: bool) -> dict[str, Any]:
    groups = {group: logical_id(group, "Group") for group in export.groups}
    made: dict[str, Any] = {id_: _group(name, names=names) for name, id_ in groups.items()}
    if export.role is not None:
        made[ROLE] = _role(export.role, groups)
    for each in export.schedules:
        id_ = logical_id(each.job.name, "Schedule", group=each.group)
        made[id_] = _schedule(each, groups, names=names)
    template: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Jobs of stepsched on EventBridge Scheduler",
    }
    if export.notes:
        template["Metadata"] = {"stepsched": export.notes}
    template["Resources"] = made
    if export.role is not None:
        template["Outputs"] = {
            "SchedulerRoleArn": {
                "Description": "The role that invokes the targets of the jobs",
                "Value": {"Fn::GetAtt": [ROLE, "Arn"]},
            }
        }
    return template


def _group(name: str, *, names: bool) -> dict[str, Any]:
    """A group. One with a name of its own may hold schedules of others, and AWS deletes them with the group,
    so it is retained."""
    kind = {"Type": "AWS::Scheduler::ScheduleGroup"}
    if not names:
        return kind
    return kind | {
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {"Name": name},
    }


def _role(role: Role, groups: Mapping[str, str]) -> dict[str, Any]:
    def arn(service: str, rest: str) -> dict[str, str]:
        place = f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:"
        return {"Fn::Sub": place + rest.replace("${", "${!")}

    def group(name: str) -> dict[str, Any]:
        if name in groups:
            return {"Fn::GetAtt": [groups[name], "Arn"]}
        return arn("scheduler", f"schedule-group/{name}")

    trust, policy = (
        with_references(document, account={"Ref": "AWS::AccountId"}, arn=arn, group=group)
        for document in (role.trust, role.policy)
    )
    properties: dict[str, Any] = {
        "Description": DESCRIPTION,
        "AssumeRolePolicyDocument": trust,
        "Policies": [{"PolicyName": POLICY_NAME, "PolicyDocument": policy}],
    }
    if role.permissions_boundary is not None:
        properties["PermissionsBoundary"] = role.permissions_boundary
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def _schedule(schedule: Schedule, groups: Mapping[str, str], *, names: bool) -> dict[str, Any]:
    job, place, request = schedule
    properties = properties_of(job, request)
    properties["GroupName"] = {"Ref": groups[place]} if place in groups else place
    properties["Target"]["RoleArn"] = request["Target"]["RoleArn"] or {"Fn::GetAtt": [ROLE, "Arn"]}
    if not names:
        del properties["Name"]
    metadata: dict[str, Any] = {"stepsched": {"job": job.name}}
    if any("${" in text for text in texts_of(request)):
        # cfn-lint takes it for a forgotten Fn::Sub. Outside of one it is plain text.
        metadata["cfn-lint"] = {"config": {"ignore_checks": ["E1029"]}}
    return {
        "Type": "AWS::Scheduler::Schedule",
        "Metadata": metadata,
        "Properties": properties,
    }


def _checked(template: dict[str, Any]) -> dict[str, Any]:
    """Returns the template unchanged.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html

    Raises:
        ValueError: It is too large.
    """
    count, size = len(template["Resources"]), len(json.dumps(template, separators=(",", ":")))
    instead = "use several templates, such as one for each group, or client.apply"
    if count > MAX_RESOURCES:
        raise ValueError(
            f"expected at most {MAX_RESOURCES} resources in a template, got {count:,}; {instead}"
        )
    if size > MAX_TEMPLATE_BYTES:
        raise ValueError(
            f"expected a template of at most {MAX_TEMPLATE_BYTES:,} bytes, got {size:,}; {instead}"
        )
    return template
