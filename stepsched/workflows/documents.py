"""The schedule documents of the AWS Batch scheduler: definitions, records of runs and start messages. Pure.

A document is read as a whole: keys that are not of this form are refused by name, because they would be lost
when it is written again. Written definitions equal the ones that were read, with three exceptions: a wrapped
document is written without its wrapper; missing ``jobId``, ``jobStatus``, ``scheduleStatus`` and
``wait_time`` are written as the scheduler expects them; and empty ``parameters``, ``scheduleSnsTopic`` and
``containerOverrides`` are left out, which means the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from pydantic import JsonValue

from stepsched.core.quoting import closest, quoted
from stepsched.jobs.policies import OnFailure
from stepsched.targets import BatchTarget, TopicTarget
from stepsched.workflows.conditions import When
from stepsched.workflows.model import Step, Workflow

Document: TypeAlias = Mapping[str, Any]
BLANK = " "
"""What the documents have in place of an empty text, which their table once did not take."""
RESTART = "RESTART"
_DAY = 86_400
_SCHEDULE = (
    "scheduleId",
    "scheduleName",
    "category",
    "scheduleSnsTopic",
    "scheduleStatus",
    "wait_time",
    "jobList",
)
_RUN = ("startDateTime", "lastDateTime", "scheduleMessage")
_JOB = (
    "jobName",
    "jobDefinition",
    "jobQueue",
    "jobDependencies",
    "jobStatus",
    "jobId",
    "containerOverrides",
    "parameters",
)
_START = ("scheduleId", "startDateTime", "scheduleStatus")
_API = ("input", "name", "stateMachineArn")


class StartMessage(NamedTuple):
    """What a start message of the AWS Batch scheduler asks for."""

    workflow: str
    """The name of the workflow: ``scheduleId``."""
    run_id: str | None
    """The ID of the run to restart: its ``startDateTime``. None: a new run."""
    restart: bool
    """Whether the run is restarted where it failed."""


def schedule_of(document: Document) -> dict[str, Any]:
    """Returns the schedule in a document, out of its wrapper ``{"output": ...}`` or ``{"name": ..., "output":
    ...}``.

    Raises:
        ValueError: It is no document of a schedule, or has keys that no such document has.
    """
    if not isinstance(document, Mapping):
        raise ValueError(  # noqa: TRY004 -- one class of errors for a wrong document
            f"expected a schedule document, got {quoted(document)}; use the mapping that its JSON holds"
        )
    inner = document.get("output")
    if isinstance(inner, Mapping) and document.keys() <= {"output", "name"}:
        document = inner
    if "jobList" not in document:
        raise ValueError(
            f"expected a schedule document with jobList, got {quoted(dict(document))}; "
            "its jobs are listed under jobList; a start message has none, it starts the stored workflow"
        )
    _check_keys(document, (*_SCHEDULE, *_RUN), "the schedule")
    return dict(document)


def workflow_of(document: Document, name: str | None = None) -> dict[str, Any]:
    """Returns the arguments of the :class:`Workflow` of a document.

    Raises:
        ValueError: As :meth:`Workflow.from_document`.
    """
    schedule = schedule_of(document)
    if name is None:
        name = text_of(schedule, "scheduleId", "the schedule", cure="; or pass name=")
    topic = schedule.get("scheduleSnsTopic")
    return {
        "name": name,
        "steps": [_step(job) for job in jobs_of(schedule)],
        "title": _optional(schedule, "scheduleName"),
        "category": _optional(schedule, "category"),
        "wait_time": _wait_time(schedule.get("wait_time", 60)),
        "notify": None
        if _is_blank(topic)
        else TopicTarget(text_of(schedule, "scheduleSnsTopic", "the schedule")),
        "notification": "batch-scheduler",
    }


def jobs_of(schedule: Document) -> list[Document]:
    """Returns the jobs of a schedule.

    Raises:
        ValueError: There is none, or one is no mapping.
    """
    jobs = schedule["jobList"]
    if not isinstance(jobs, Sequence) or isinstance(jobs, (str, bytes)) or not jobs:
        raise ValueError(f"expected a list of jobs for jobList, got {quoted(jobs)}; list at least one")
    for number, job in enumerate(jobs, 1):
        if not isinstance(job, Mapping):
            got = quoted(job)
            raise ValueError(f"expected a mapping as job {number} of jobList, got {got}")  # noqa: TRY004 -- as above
    return list(jobs)


def _step(job: Document) -> Step:
    name = text_of(job, "jobName", "a job of jobList")
    place = f"job {name!r}"
    _check_keys(job, _JOB, place)
    needs = job.get("jobDependencies")
    if not isinstance(needs, Sequence) or isinstance(needs, (str, bytes)):
        got = quoted(needs)
        raise ValueError(  # noqa: TRY004 -- as above
            f"expected a list of names for jobDependencies of {place}, got {got}; use [] for none"
        )
    job_id(job)
    parameters, overrides = (job.get(key) or {} for key in ("parameters", "containerOverrides"))
    target = BatchTarget(
        text_of(job, "jobDefinition", place),
        job_queue=text_of(job, "jobQueue", place),
        parameters=_plain(parameters, f"parameters of {place}"),
        container_overrides=_plain(overrides, f"containerOverrides of {place}"),
    )
    return Step(name, target=target, needs=list(needs))


def job_id(job: Document) -> str | None:
    """Returns the ID of a job in a document, which is ``{"jobId": "<id>"}`` once it was submitted; None: it
    was not.

    Raises:
        ValueError: It has neither of the two forms.
    """
    value = job.get("jobId", BLANK)
    if isinstance(value, Mapping) and value.keys() == {"jobId"}:
        value = value["jobId"]
        if isinstance(value, str) and not _is_blank(value):
            return value
    elif _is_blank(value):
        return None
    raise ValueError(
        f'expected {{"jobId": "<id>"}} or a blank as jobId of job {quoted(job.get("jobName"))}, '
        f"got {quoted(value)}"
    )


def document_of(workflow: Workflow) -> dict[str, JsonValue]:
    """Returns the definition document of a workflow.

    Raises:
        ValueError: The workflow has something that a document cannot say. The error names it.
    """
    _check_plain(workflow)
    document: dict[str, JsonValue] = {"scheduleId": workflow.name}
    if workflow.category:
        document["category"] = workflow.category
    if workflow.title:
        document["scheduleName"] = workflow.title
    if workflow.notify is not None:
        document["scheduleSnsTopic"] = workflow.notify.topic_arn
    document["jobList"] = [_job(step) for step in workflow.steps]
    return {**document, "scheduleStatus": BLANK, "wait_time": int(workflow.wait_time.total_seconds())}


def _job(step: Step) -> dict[str, JsonValue]:
    target = step.target
    assert isinstance(target, BatchTarget)  # _check_plain
    job: dict[str, JsonValue] = {
        "jobName": step.name,
        "jobDefinition": target.job_definition,
        "jobQueue": target.job_queue,
        "jobDependencies": list(step.needs),
        "jobStatus": BLANK,
        "jobId": BLANK,
    }
    if target.container_overrides:
        job["containerOverrides"] = target.container_overrides
    if target.parameters:
        job["parameters"] = target.parameters
    return job


def _check_plain(workflow: Workflow) -> None:
    """Refuses what a document cannot say, rather than leave it out."""
    problem = None
    if workflow.input != {} or workflow.description:
        problem = "an input or a description"
    elif workflow.on_failure is not OnFailure.CONTINUE:
        problem = f"on_failure={workflow.on_failure!s}"
    elif workflow.notify is not None and workflow.notification != "batch-scheduler":
        problem = "a notification in JSON; use notification='batch-scheduler'"
    for step in workflow.steps:
        if not isinstance(step.target, BatchTarget):
            problem = problem or f"a {type(step.target).__name__} in step {step.name!r}"
        elif step.input != {} or step.timeout is not None or step.retry.max_attempts:
            problem = problem or f"an input, a retry or a timeout in step {step.name!r}"
        elif step.when is not When.SUCCEEDED or step.target.job_name not in (None, step.name):
            problem = problem or f"when or job_name in step {step.name!r}"
    if problem is not None:
        raise ValueError(
            f"expected a workflow that a document of the AWS Batch scheduler can say, got {problem}"
        )


def read_start(message: Document | str) -> StartMessage:
    """Reads a start message: ``{"scheduleId", "startDateTime", "scheduleStatus"}``, the same as JSON text, or
    within ``{"input": "<the JSON text>"}``, also with the ``name`` and ``stateMachineArn`` that API Gateway
    passes on.

    Raises:
        ValueError: It is none of these.
    """
    if isinstance(message, str):
        message = _decoded(message, "the message")
    if isinstance(message, Mapping) and "input" in message:
        _check_keys(message, _API, "the start message")
        inner = message["input"]
        message = _decoded(inner, "input") if isinstance(inner, str) else inner
    if not isinstance(message, Mapping) or "scheduleId" not in message:
        got = quoted(message)
        raise ValueError(f"expected a start message with {', '.join(_START)}, got {got}")
    _check_keys(message, _START, "the start message")
    name = text_of(message, "scheduleId", "the start message")
    start, status = (message.get(key, BLANK) for key in ("startDateTime", "scheduleStatus"))
    if _is_blank(status):
        return StartMessage(name, None, restart=False)
    if status != RESTART:
        raise ValueError(
            f"expected a blank or {RESTART} as scheduleStatus of the start message, got {quoted(status)}"
        )
    if not isinstance(start, str) or _is_blank(start):
        raise ValueError(
            f"expected the start of the run as startDateTime of a {RESTART}, got {quoted(start)}; "
            "the notification of its failure has it"
        )
    return StartMessage(name, start, restart=True)


def _decoded(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected JSON as {place}, got {quoted(text)}") from error


def _check_keys(document: Document, known: Sequence[str], place: str) -> None:
    for key in document:
        if key not in known:
            raise ValueError(
                f"expected keys of {place} in a document, got {quoted(key)}; {closest(key, known)}"
            )


def text_of(document: Document, key: str, place: str, cure: str = "") -> str:
    """Returns a text of a document that must not be blank.

    Raises:
        ValueError: It is missing, blank or no text.
    """
    value = document.get(key)
    if not isinstance(value, str) or _is_blank(value):
        found = f"got {quoted(value)}" if key in document else "it is missing"
        raise ValueError(f"expected a text for {key} of {place}, {found}{cure}")
    return value


def _optional(document: Document, key: str) -> str:
    return (
        text_of(document, key, "the schedule")
        if not _is_blank(document.get(key))
        else document.get(key) or ""
    )


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _wait_time(value: Any) -> timedelta:
    """Reads the seconds of a definition, 60, or of the record of a run, "60"."""
    match value:
        case bool():
            pass
        case int() | Decimal() if 0 < value <= _DAY and value % 1 == 0:
            return timedelta(seconds=int(value))
        case str() if re.fullmatch(r" *[0-9]{1,5} *", value) and 0 < int(value) <= _DAY:
            return timedelta(seconds=int(value))
    raise ValueError(f"expected 1 to {_DAY} whole seconds for wait_time, got {quoted(value)}; use 60")


def _plain(value: Any, place: str) -> Any:
    """Returns a part of a document as JSON: whole numbers of DynamoDB become those of Python, others are
    refused."""
    match value:
        case Mapping():
            return {key: _plain(item, f"{key} in {place}") for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, place) for item in value]
        case Decimal() if value == value.to_integral_value():
            return int(value)
        case float() | Decimal():
            raise ValueError(f"expected whole numbers as {place}, got {value}; AWS Batch takes no others")
    return value
