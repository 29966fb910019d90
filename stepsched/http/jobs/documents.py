"""The documents of answers: records, runs, plans and pages, without secrets. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import zip_longest
from typing import Any

from stepsched.core.masking import MASK, text_without_secrets, without_secrets
from stepsched.core.plain import Datetime
from stepsched.core.values import Value
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Run, RunStatus
from stepsched.jobs.documents import Document, write_job
from stepsched.jobs.plans import Change, Plan
from stepsched.jobs.records import Trigger
from stepsched.jobs.upcoming import UpcomingRun
from stepsched.targets import HttpTarget, ParallelTarget, SingleTarget, Target, parts_of


class RunDocument(Value, frozen=True):
    """A run."""

    id: str
    """The ID of the run. It is text, since it may have more digits than a number of JavaScript can hold."""
    job: str
    """The name of the job."""
    scheduled_for: Datetime
    """The scheduled instant, with the offset of the schedule's zone."""
    status: RunStatus
    """The status of the run."""
    trigger: Trigger
    """What created the run."""
    attempt: int
    """The number of attempts started so far."""
    started_at: Datetime | None
    """The instant at which the latest attempt started. Null: none has started."""
    ended_at: Datetime | None
    """The instant at which the run ended. Null: it has not ended."""
    restarted: bool
    """Whether an attempt was interrupted and started again."""
    error: str | None
    """The error of the latest attempt, or why the run was left out."""
    traceback: str | None
    """The traceback of the latest attempt, truncated."""
    output: str | None
    """The result of the target as text, truncated."""
    pending_reason: str | None
    """Why a pending run does not start although it is due."""
    link: str | None
    """The URL of the run in the provider's console."""


class JobDocument(Value, frozen=True):
    """A stored job with its status."""

    job: dict[str, Any]
    """The definition, in the form of files of jobs. Secrets are ``***``."""
    status: JobStatus
    """The status of the job."""
    version: int
    """The number of the definition: 1 at creation, incremented by each change."""
    created_at: Datetime
    """The instant at which the job was created."""
    updated_at: Datetime
    """The instant at which the definition, the status or the reason of a pause last changed."""
    next_run: Datetime | None
    """The next scheduled instant. Null: the job is paused or has no run left."""
    pause_reason: str | None
    """Why the job is paused."""
    last_run: RunDocument | None
    """The run that started last. Null: none has, or the backend does not keep runs."""
    owned: bool
    """Whether stepsched created the job."""


class VersionDocument(Value, frozen=True):
    """An earlier definition of a job."""

    version: int
    """The number of the definition."""
    job: dict[str, Any]
    """The definition. Secrets are ``***``."""
    replaced_at: Datetime
    """The instant at which the next version replaced it."""


class UpcomingDocument(Value, frozen=True):
    """An upcoming run."""

    at: Datetime
    """The scheduled instant, with the offset of the schedule's zone."""
    job: str
    """The name of the job."""
    group: str
    """The group of the job."""


class JobPage(Value, frozen=True):
    """A page of jobs, sorted by name."""

    items: list[JobDocument]
    """The jobs."""
    next: str | None
    """The link to the next page. Null: this is the last one."""


class RunPage(Value, frozen=True):
    """A page of runs, the latest first."""

    items: list[RunDocument]
    """The runs."""
    next: str | None
    """The link to the next page. Null: this is the last one."""


class VersionList(Value, frozen=True):
    """The earlier definitions of a job, oldest first."""

    items: list[VersionDocument]
    """The definitions."""


class RunList(Value, frozen=True):
    """Runs that a request has recorded, oldest first."""

    items: list[RunDocument]
    """The runs."""


class UpcomingList(Value, frozen=True):
    """Upcoming runs, the earliest first."""

    items: list[UpcomingDocument]
    """The runs."""


class ChangeDocument(Value, frozen=True):
    """A job whose definition differs from the stored one."""

    name: str
    """The name of the job."""
    group: str
    """The group of the new definition."""
    version: int
    """The stored version on which the change is based."""
    fields: list[str]
    """The names of the fields that differ."""
    changes: str
    """The old and new values in words."""


class NamedDocument(Value, frozen=True):
    """The name of a job and its group."""

    name: str
    """The name of the job."""
    group: str
    """The group of the job."""


class PlanDocument(Value, frozen=True):
    """The changes that turn the stored jobs into the given ones."""

    is_empty: bool
    """Whether there is no change."""
    create: list[NamedDocument]
    """Jobs that are not stored yet."""
    update: list[ChangeDocument]
    """Jobs whose stored definition differs."""
    cancel: list[NamedDocument]
    """Stored jobs that are not among the given ones; only with ``prune``."""
    unchanged: list[str]
    """Jobs whose stored definition is equal."""
    paused: list[str]
    """Jobs that are paused, and that stay paused."""
    namesakes: list[NamedDocument]
    """Jobs in other groups with a name of ``create``, which are left alone."""
    unsearched: list[str]
    """Groups in which ``prune`` has not looked."""
    empty_groups: list[str]
    """Groups named in ``prune`` that have no job."""
    text: str
    """The plan in words, a line for each change."""


class Health(Value, frozen=True):
    """The state of the server."""

    status: str
    """``ok``."""


# -- writing -------------------------------------------------------------------------------------------


def definition(job: Job) -> Document:
    """Returns the document of a job with its secrets, in the form of files of jobs; in the complete form if
    a file cannot hold it, for example because its function has no name."""
    try:
        return write_job(job)
    except ValueError:
        return job.model_dump(mode="json")


def masked_document(document: Mapping[str, Any]) -> Document:
    """Returns the document of a job in which secrets are ``***``: values whose names suggest a secret, and
    all headers of the calls of URLs."""
    masked: Document = without_secrets(document)
    return {key: _target(each) if key == "target" else each for key, each in masked.items()}


def _target(target: Any) -> Any:
    match target:
        case {"headers": Mapping() as headers}:
            return {**target, "headers": dict.fromkeys(headers, MASK)}
        case {"targets": list() as parts}:
            return {**target, "targets": [_target(part) for part in parts]}
        case _:
            return target


def masked_change(change: Change) -> Change:
    """Returns a change whose text has no header of a call of a URL: those that differ are ``*** (other)``."""
    before, after = change.before.target, change.after.target
    if not any(isinstance(part, HttpTarget) for part in (*parts_of(before), *parts_of(after))):
        return change
    return change.replace(
        before=change.before.replace(target=_masked_target(before, before)),
        after=change.after.replace(target=_masked_target(after, before)),
    )


def _masked_target(target: Target, known: Target) -> Target:
    if not isinstance(target, ParallelTarget):
        return _masked_part(target, known)
    pairs = zip_longest(target.targets, parts_of(known)[: len(target.targets)])
    return target.replace(targets=[_masked_part(part, other) for part, other in pairs])


def _masked_part(part: SingleTarget, known: Target | None) -> SingleTarget:
    if not isinstance(part, HttpTarget):
        return part
    before = known.headers if isinstance(known, HttpTarget) else part.headers
    headers = {
        name: MASK if before.get(name, value) == value else f"{MASK} (other)"
        for name, value in part.headers.items()
    }
    return part.model_copy(update={"headers": headers})  # unchecked: a mask may be longer than a value


def run_document(run: Run) -> RunDocument:
    """Returns the document of a run."""
    fields = {name: getattr(run, name) for name in RunDocument.model_fields}
    for name in ("error", "traceback", "pending_reason"):
        if fields[name] is not None:
            fields[name] = text_without_secrets(fields[name])
    fields["output"] = None if run.output is None else _output(run)
    return RunDocument(**{**fields, "id": str(run.id)})


def _output(run: Run) -> str:
    """Returns the output of a run without secrets; unchanged, if it has none."""
    result = run.result
    masked = text_without_secrets(result) if isinstance(result, str) else without_secrets(result)
    if masked == result:
        return str(run.output)
    return masked if result == run.output else json.dumps(masked, ensure_ascii=False)


def job_document(record: JobRecord) -> JobDocument:
    """Returns the document of a stored job."""
    fields = {name: getattr(record, name) for name in JobDocument.model_fields}
    last = record.last_run
    job = masked_document(definition(record.job))
    return JobDocument(**{**fields, "job": job, "last_run": None if last is None else run_document(last)})


def version_document(version: JobVersion) -> VersionDocument:
    """Returns the document of an earlier definition."""
    job = masked_document(definition(version.job))
    return VersionDocument(version=version.version, job=job, replaced_at=version.replaced_at)


def upcoming_document(run: UpcomingRun) -> UpcomingDocument:
    """Returns the document of an upcoming run."""
    return UpcomingDocument(at=run.at, job=run.job.name, group=run.job.group)


def plan_document(plan: Plan) -> PlanDocument:
    """Returns the document of a plan."""
    changes = tuple(map(masked_change, plan.update))
    return PlanDocument(
        is_empty=plan.is_empty,
        create=_named(plan.create),
        update=[
            ChangeDocument(
                name=change.name,
                group=change.after.group,
                version=change.version,
                fields=list(change.fields()),
                changes=text_without_secrets(str(change)),
            )
            for change in changes
        ],
        cancel=_named(record.job for record in plan.cancel),
        unchanged=list(plan.unchanged),
        paused=list(plan.paused),
        namesakes=_named(record.job for record in plan.namesakes),
        unsearched=list(plan.unsearched),
        empty_groups=list(plan.empty_groups),
        text=text_without_secrets(str(plan.replace(update=changes))),
    )


def _named(jobs: Iterable[Job]) -> list[NamedDocument]:
    return [NamedDocument(name=job.name, group=job.group) for job in jobs]


# -- entity tags ---------------------------------------------------------------------------------------


def etag_of(record: JobRecord) -> str:
    """Returns the entity tag of a job: it names the version of the definition and what the definition is, so
    that a job that was deleted and created anew has another. Runs, pauses and the next run do not change
    it."""
    return f'"{record.version}-{_digest(masked_document(definition(record.job)))}"'


def etag_of_plan(plan: Plan) -> str:
    """Returns the entity tag of a plan: an equal plan, based on the same stored versions, has the same."""
    changes = (
        [definition(job) for job in plan.create],
        [(definition(each.before), definition(each.after), each.version) for each in plan.update],
        [(definition(record.job), record.version) for record in plan.cancel],
        sorted(plan.unchanged),
    )
    return f'"{_digest(changes)}"'


def _digest(document: object) -> str:
    return sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
