"""The properties of ``AWS::Scheduler::Schedule``. Pure.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-scheduler-schedule.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stepsched.core.errors import RenderError
from stepsched.deploy.exports.schedules import refused_block, texts_of
from stepsched.jobs import Job
from stepsched.schedules.zones import UTC

TOOL = "CloudFormation"
_REFERENCE = re.compile(r"\{\{\s*resolve\s*:")
"""How text begins that CloudFormation replaces by a secret or parameter. There is no escape for it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html"""


def properties_of(job: Job, request: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that create the schedule of a request to EventBridge Scheduler.

    Args:
        job: The job, for errors.
        request: The parameters of CreateSchedule.

    Raises:
        RenderError: CloudFormation cannot create it.
    """
    refused_block(job, request, TOOL)
    if request.get("ActionAfterCompletion", "NONE") != "NONE":
        raise RenderError(
            job.name,
            "CloudFormation cannot delete a one-time schedule after its run; use Completion.KEEP, "
            "jobs_to_terraform or client.apply",
        )
    refuse_references(job, request)
    properties = {
        key: _timestamp(value) if isinstance(value, datetime) else value
        for key, value in request.items()
        if key != "ActionAfterCompletion"
    }
    target = {key: _in_pascal_case(value) for key, value in request["Target"].items()}
    return properties | {"Target": target}


def refuse_references(job: Job, document: Any) -> None:
    """Refuses text that CloudFormation would replace when it creates a stack.

    Raises:
        RenderError: The document, or the text, contains such text.
    """
    found = next((match for text in texts_of(document) if (match := _REFERENCE.search(text))), None)
    if found is not None:
        raise RenderError(
            job.name,
            f"it has text with {found[0]!r}, which CloudFormation would replace; use other text, or "
            "client.apply",
        )


def _in_pascal_case(value: Any) -> Any:
    """Returns a part of a target with keys in upper case, as CloudFormation spells those that the API spells
    like Amazon ECS. The tags of a task are maps, whose keys are data."""
    match value:
        case dict():
            return {
                key[:1].upper() + key[1:]: item if key == "Tags" else _in_pascal_case(item)
                for key, item in value.items()
            }
        case list():
            return [_in_pascal_case(item) for item in value]
    return value


def _timestamp(moment: datetime) -> str:
    """Returns an instant with milliseconds, without which CloudFormation refuses it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
