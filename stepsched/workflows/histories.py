"""The records of runs of the AWS Batch scheduler, as runs of a workflow and back, and its notifications.
Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from pydantic import JsonValue

from stepsched.core.instants import utc_text
from stepsched.core.quoting import quoted
from stepsched.workflows.documents import BLANK, Document, document_of, job_id, jobs_of, schedule_of, text_of
from stepsched.workflows.model import Workflow
from stepsched.workflows.records import FailureKind, StepRun, StepStatus, WorkflowRun, WorkflowRunStatus

BATCH_RUNNING = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
"""The statuses of AWS Batch of a job that has not ended."""
NOT_FOUND = "NOTFOUND"
"""The status of a job that AWS Batch no longer knew."""
PASS = "PASS"  # noqa: S105 -- a status
"""The status of a skipped job; ``SKIP`` in some old documents."""
_STEPS = {
    **dict.fromkeys(BATCH_RUNNING, StepStatus.RUNNING),
    "SUCCEEDED": StepStatus.SUCCEEDED,
    "FAILED": StepStatus.FAILED,
    NOT_FOUND: StepStatus.FAILED,
    PASS: StepStatus.SKIPPED,
    "SKIP": StepStatus.SKIPPED,
}
_RUNS = {
    "RUNNING": WorkflowRunStatus.RUNNING,
    "SUCCEEDED": WorkflowRunStatus.SUCCEEDED,
    "FAILED": WorkflowRunStatus.FAILED,
}
_WORDS = {
    StepStatus.PENDING: BLANK,
    StepStatus.RUNNING: "SUBMITTED",
    StepStatus.SUCCEEDED: "SUCCEEDED",
    StepStatus.SKIPPED: PASS,
    StepStatus.UNMET: PASS,
}
"""The words for the statuses of steps; all others are ``FAILED``."""
_TIME = "%Y-%m-%dT%H:%M:%S.%f"

RUN_TEXT = "[ Schedule ID: {workflow}  Name: {title} which started: {start}"
SUCCEEDED_TEXT = "Hey, your batch schedule: {run}  just finished.  Status: {status}"
FAILED_TEXT = (
    "So sorry, your batch schedule: {run}  just finished.  Status: {status}.  If you want to restart this "
    "failed job, you will need to copy the Schedule ID and Start Date/Time.  Instructions here: "
    "https://github.com/rjgleave/aws-batch-universal-scheduler"
)
SMS_TEXT = "Job: {run}  complete. Status: {status}"
SUBJECT = "Batch schedule: {workflow} {status}"
MAX_SUBJECT = 99
"""The maximum length of the subject of an SNS message, which is ASCII text.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""


def run_from_document(document: Document, *, workflow: str | None = None, version: int = 1) -> WorkflowRun:
    """Returns the run that a record of the AWS Batch scheduler describes.

    Its jobs that have not ended by the record are ``running``: what they are now, AWS Batch knows.

    Args:
        document: The record, plain or wrapped.
        workflow: The name of the workflow. None: ``scheduleId``.
        version: The version of the stored definition that the run follows.

    Raises:
        ValueError: The document is none, or is a definition.
    """
    schedule = schedule_of(document)
    status = schedule.get("scheduleStatus")
    if not isinstance(status, str) or status not in _RUNS:
        raise ValueError(
            f"expected one of {', '.join(_RUNS)} as scheduleStatus of a run, got {quoted(status)}; "
            "use Workflow.from_document for a definition"
        )
    started, ended = _instant(schedule, "startDateTime"), status != "RUNNING"
    message = schedule.get("scheduleMessage")
    return WorkflowRun(
        workflow=workflow or text_of(schedule, "scheduleId", "the run"),
        id=str(schedule["startDateTime"]),
        status=_RUNS[status],
        version=version,
        started_at=started,
        ended_at=_instant(schedule, "lastDateTime") if ended and "lastDateTime" in schedule else None,
        steps=tuple(map(_step_run, jobs_of(schedule))),
        error=message if isinstance(message, str) and message.strip() else None,
    )


def written_at(document: Document) -> datetime:
    """Returns when the record of a run was last written; its start if it does not say.

    Raises:
        ValueError: The document is none, or has no such time.
    """
    schedule = schedule_of(document)
    return _instant(schedule, "lastDateTime" if "lastDateTime" in schedule else "startDateTime")


def _instant(schedule: Document, key: str) -> datetime:
    text = schedule.get(key)
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise ValueError(
            f"expected a time such as 2021-03-22T19:55:26.244831 for {key} of the run, got {quoted(text)}"
        ) from error


def _step_run(job: Document) -> StepRun:
    word, found = job.get("jobStatus"), job_id(job)
    blank = isinstance(word, str) and not word.strip()
    if not blank and (not isinstance(word, str) or word not in _STEPS):
        raise ValueError(
            f"expected a blank or one of {', '.join(_STEPS)} as jobStatus of job "
            f"{quoted(job.get('jobName'))}, got {quoted(word)}"
        )
    status = StepStatus.PENDING if blank else _STEPS[str(word)]
    failed = status is StepStatus.FAILED
    gone = "AWS Batch no longer knew the job" if word == NOT_FOUND else "the job failed"
    return StepRun(
        name=text_of(job, "jobName", "a job of jobList"),
        status=status,
        attempt=int(found is not None),
        failures=int(failed),
        job_id=found,
        detail=str(word) if status is StepStatus.RUNNING or word == NOT_FOUND else None,
        error=gone if failed else None,
        failure=FailureKind.JOB if failed else None,
        reason="skipped by an operator" if status is StepStatus.SKIPPED else None,
    )


def run_to_document(workflow: Workflow, run: WorkflowRun) -> dict[str, JsonValue]:
    """Returns the record of a run as the AWS Batch scheduler stores it.

    Raises:
        ValueError: The workflow has something that a document cannot say.
    """
    document = document_of(workflow)
    steps = run.by_name
    jobs = document["jobList"]
    assert isinstance(jobs, list)  # document_of
    document["jobList"] = [_with_status(job, steps) for job in jobs]
    document["scheduleStatus"] = status_word(run.status)
    document["wait_time"] = str(document["wait_time"])
    document["startDateTime"] = start_text(run)
    document["lastDateTime"] = _last(run)
    if run.error is not None:
        document["scheduleMessage"] = run.error
    return document


def _with_status(job: Any, steps: dict[str, StepRun]) -> dict[str, JsonValue]:
    step = steps.get(job["jobName"])
    if step is None:
        return {**job}
    word = _WORDS.get(step.status, "FAILED")
    if step.detail in (*BATCH_RUNNING, NOT_FOUND) and _STEPS[step.detail] is step.status:
        word = step.detail
    return {**job, "jobStatus": word, "jobId": {"jobId": step.job_id} if step.job_id else BLANK}


def status_word(status: WorkflowRunStatus) -> str:
    """Returns the word of the AWS Batch scheduler for the status of a run: a cancelled one is ``FAILED``."""
    words = {WorkflowRunStatus.RUNNING: "RUNNING", WorkflowRunStatus.SUCCEEDED: "SUCCEEDED"}
    return words.get(status, "FAILED")


def start_text(run: WorkflowRun) -> str:
    """Returns the ``startDateTime`` of a run: its ID if that is a time, as of a run of the AWS Batch
    scheduler."""
    try:
        datetime.strptime(run.id, _TIME)  # noqa: DTZ007 -- only its form matters
    except ValueError:
        return run.started_at.strftime(_TIME)
    return run.id


def _last(run: WorkflowRun) -> str:
    times = [time for step in run.steps for time in (step.started_at, step.ended_at) if time is not None]
    last = run.ended_at or max(times, default=None)
    return start_text(run) if last is None else last.strftime(_TIME)


def notification(workflow: Workflow, run: WorkflowRun) -> dict[str, str]:
    """Returns the request to Amazon SNS that tells the end of a run, without the topic, in the form that the
    workflow asks for.

    In the form ``batch-scheduler`` each protocol has its own text, as a JSON string in a JSON object. A
    subject is cut to what Amazon SNS takes, and ``?`` is put in place of characters that are not ASCII.

    Raises:
        ValueError: The run has not ended.
    """
    if not run.status.has_ended:
        raise ValueError(f"expected a run that has ended, got {run.key!r}, which is {run.status}")
    if workflow.notification == "json":
        return _json_notification(run)
    email, sms = known_texts(workflow, run)
    message = {"default": json.dumps(email), "sms": json.dumps(sms), "email": json.dumps(email)}
    subject = SUBJECT.format(workflow=workflow.name, status=status_word(run.status))
    return {
        "Subject": _subject(subject),
        "Message": json.dumps(message),
        "MessageStructure": "json",
    }


def known_texts(workflow: Workflow, run: WorkflowRun) -> tuple[str, str]:
    """Returns the texts of the AWS Batch scheduler about an ended run: that for e-mails, which says how to
    restart it by its ID, and that for text messages."""
    status = status_word(run.status)
    which = RUN_TEXT.format(workflow=workflow.name, title=workflow.title or workflow.name, start=run.id)
    text = SUCCEEDED_TEXT if run.status is WorkflowRunStatus.SUCCEEDED else FAILED_TEXT
    return text.format(run=which, status=status), SMS_TEXT.format(run=which, status=status)


def facts(run: WorkflowRun, failed: Sequence[str]) -> dict[str, JsonValue]:
    """Returns the message about an ended run in the form ``json``. ``failed``: the names of the failed
    steps."""
    return {
        "workflow": run.workflow,
        "run": run.id,
        "status": run.status.value,
        "started_at": utc_text(run.started_at),
        "ended_at": None if run.ended_at is None else utc_text(run.ended_at),
        "failed": list(failed),
    }


def _json_notification(run: WorkflowRun) -> dict[str, str]:
    failed = [step.name for step in run.steps if step.status is StepStatus.FAILED]
    subject = _subject(f"Workflow {run.workflow} {run.status}")
    return {"Subject": subject, "Message": json.dumps(facts(run, failed))}


def _subject(text: str) -> str:
    return text.encode("ascii", "replace").decode()[:MAX_SUBJECT]
