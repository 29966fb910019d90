"""Jobs in the JSON syntax of Terraform. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from stepsched.core.errors import RenderError
from stepsched.core.quoting import quoted
from stepsched.deploy.exports.labels import label
from stepsched.deploy.exports.roles import DESCRIPTION, POLICY_NAME, Role, with_references
from stepsched.deploy.exports.schedules import (
    Export,
    Options,
    Passed,
    Schedule,
    export_of,
    refused_block,
    texts_of,
)
from stepsched.jobs import Job
from stepsched.jobs.names import narrowed
from stepsched.schedules.zones import UTC

TOOL = "Terraform"
PROVIDER = "~> 6.14"
"""The versions of the provider: the first with ``action_after_completion``, and later ones before 7."""
_LABEL = "stepsched"
"""The name of the resources and data sources that are not of one job."""
_MAX_PREFIX = 38
"""The maximum length of ``name_prefix``: a name of 64 characters less what Terraform appends."""
_BLOCKS = {
    "EventBridgeParameters": "eventbridge_parameters",
    "SageMakerPipelineParameters": "sagemaker_pipeline_parameters",
    "PipelineParameterList": "pipeline_parameter",
}
"""The names of the provider that are not those of the API in lower case."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def jobs_to_terraform(
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
    """The configuration of Terraform that creates the schedules of jobs on EventBridge Scheduler.

    Written as JSON to a file that ends in ``.tf.json``, it is a module: it requires the provider
    ``hashicorp/aws`` from version 6.14, and the caller configures it. Each job is an
    ``aws_scheduler_schedule`` with the parameters that ``client.apply`` sends with an
    :class:`EventBridgeBackend` of the same arguments; each group other than ``default`` is an
    ``aws_scheduler_schedule_group``. Without ``role_arn`` there is also the role that invokes the targets,
    as in :func:`jobs_to_cloudformation`, which describes the arguments.

    No text of a job is an expression: ``${`` and ``%{`` in it are escaped. With ``names=False`` the names of
    schedules begin with those of the jobs.

    Raises:
        TypeError: ``jobs`` is not a list of jobs, or an argument has another type.
        ValueError: An argument is malformed, two jobs have one name, or the targets are in several Regions.
        InvalidScheduleError: A start or a last run has passed.
        UnsupportedError: EventBridge Scheduler cannot run a job as defined.
        RenderError: Terraform cannot express a job. It normalises text to Unicode's form NFC, and it does not
            keep the order of several placement strategies of a task.

    Arguments: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/scheduler_schedule

    >>> from stepsched import Cron, Job, QueueTarget
    >>> queue = QueueTarget("arn:aws:sqs:eu-west-1:123456789012:orders")
    >>> made = jobs_to_terraform([Job(name="open-shop", schedule=Cron("0 9 * * ? *"), target=queue)])
    >>> list(made["resource"]["aws_scheduler_schedule"])
    ['open_shop']
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
    return _configuration(export_of(jobs, options), names=names)


def _configuration(export: Export, *, names: bool) -> dict[str, Any]:
    groups = {group: f"aws_scheduler_schedule_group.{label(group)}" for group in export.groups}
    made: dict[str, Any] = {"//": export.notes} if export.notes else {}  # a comment
    made["terraform"] = {"required_providers": {"aws": {"source": "hashicorp/aws", "version": PROVIDER}}}
    resources: dict[str, Any] = {}
    if export.role is not None:
        made["data"] = {kind: {_LABEL: {}} for kind in ("aws_caller_identity", "aws_partition", "aws_region")}
        resources |= _role(export.role, groups)
    if groups:
        resources["aws_scheduler_schedule_group"] = {
            label(group): _name(group, names=names) for group in groups
        }
    resources["aws_scheduler_schedule"] = {
        label(each.job.name, group=each.group): _schedule(each, groups, names=names)
        for each in export.schedules
    }
    return made | {"resource": resources}


def _name(name: str, *, names: bool) -> dict[str, str]:
    return {"name": name} if names else {"name_prefix": f"{narrowed(name, _MAX_PREFIX - 1)}-"}


def _role(role: Role, groups: Mapping[str, str]) -> dict[str, Any]:
    def arn(service: str, rest: str) -> str:
        partition, region = f"data.aws_partition.{_LABEL}.partition", f"data.aws_region.{_LABEL}.region"
        return f"arn:${{{partition}}}:{service}:${{{region}}}:{account}:{escape(rest)}"

    def group(name: str) -> str:
        if name in groups:
            return f"${{{groups[name]}.arn}}"
        return arn("scheduler", f"schedule-group/{name}")

    account = f"${{data.aws_caller_identity.{_LABEL}.account_id}}"
    trust, policy = (
        json.dumps(with_references(document, account=account, arn=arn, group=group, text=escape))
        for document in (role.trust, role.policy)
    )
    made = {"name_prefix": f"{_LABEL}-", "description": DESCRIPTION, "assume_role_policy": trust}
    if role.permissions_boundary is not None:
        made["permissions_boundary"] = role.permissions_boundary
    attached = {"name": POLICY_NAME, "role": f"${{aws_iam_role.{_LABEL}.id}}", "policy": policy}
    return {"aws_iam_role": {_LABEL: made}, "aws_iam_role_policy": {_LABEL: attached}}


def _schedule(schedule: Schedule, groups: Mapping[str, str], *, names: bool) -> dict[str, Any]:
    job, place, request = schedule
    _check(job, request)
    made: dict[str, Any] = _name(job.name, names=names)
    made |= _block({key: value for key, value in request.items() if key != "Name"})
    if place in groups:
        made["group_name"] = f"${{{groups[place]}.name}}"
    if request["Target"]["RoleArn"] is None:
        made["target"]["role_arn"] = f"${{aws_iam_role.{_LABEL}.arn}}"
        made["depends_on"] = [f"aws_iam_role_policy.{_LABEL}"]
    return made


def _check(job: Job, request: Mapping[str, Any]) -> None:
    """Refuses what Terraform cannot express.

    Raises:
        RenderError: The job has such a part.
    """
    refused_block(job, request, TOOL)
    for text in texts_of(request):
        if not unicodedata.is_normalized("NFC", text):
            raise RenderError(
                job.name,
                f"it has the text {quoted(text)}, and Terraform would write its letters with accents as "
                "single characters (Unicode's form NFC); use unicodedata.normalize('NFC', text), "
                "jobs_to_cloudformation or client.apply",
            )
    task = request["Target"].get("EcsParameters", {})
    if len(task.get("PlacementStrategy", ())) > 1:
        raise RenderError(
            job.name,
            "Terraform does not keep the order of several placement strategies; use one, "
            "jobs_to_cloudformation or client.apply",
        )
    if any(tag.keys() != {"key", "value"} for tag in task.get("Tags", ())):
        raise RenderError(job.name, "Terraform has tags of a task only as key and value; use EcsTaskTarget")


def _block(request: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a structure of the API as a block of the provider."""
    made = dict[str, Any]()
    for key, value in request.items():
        match key:
            case "NetworkConfiguration":
                network = value["awsvpcConfiguration"]
                is_public = network.get("AssignPublicIp") == "ENABLED"
                made["network_configuration"] = _block(network) | {"assign_public_ip": is_public}
            case "Tags":
                made["tags"] = {escape(tag["key"]): escape(tag["value"]) for tag in value}
            case _:
                made[_BLOCKS.get(key) or _HUMP.sub("_", key).lower()] = _value(value)
    return made


def _value(value: Any) -> Any:
    match value:
        case dict():
            return _block(value)
        case list():
            return [_value(item) for item in value]
        case str():
            return escape(value)
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    return value


def escape(text: str) -> str:
    """Returns text in which Terraform reads no expression and no directive.

    https://developer.hashicorp.com/terraform/language/expressions/strings#escape-sequences
    """
    return re.sub(r"([$%])\{", r"\1\1{", text)
