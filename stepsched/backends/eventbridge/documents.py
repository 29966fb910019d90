"""Converts jobs to requests of the service, and stored documents to records. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from stepsched.backends.eventbridge.mark import (
    LIMIT,
    REASON,
    Mark,
    digest,
    read_description,
    with_reason,
    without_reason,
    write_description,
)
from stepsched.backends.eventbridge.targets import (
    Wire,
    aws_target,
    kept_of_target,
    read_target,
    write_target,
)
from stepsched.backends.eventbridge.timing import (
    read_timing,
    reads_back,
    second_after,
    translate,
    write_timing,
)
from stepsched.backends.eventbridge.universal import is_fifo, is_universal
from stepsched.jobs import Completion, Job, JobRecord, JobStatus, Retry
from stepsched.jobs.records import status_after_update
from stepsched.schedules import AnySchedule, OneTime, Rate
from stepsched.schedules.equivalents import NoEquivalentError
from stepsched.schedules.stored import reading_stored
from stepsched.schedules.zones import UTC
from stepsched.targets import AwsTarget, QueueTarget

_SCHEDULES: TypeAdapter[AnySchedule] = TypeAdapter(AnySchedule)
_LATE = datetime(9999, 12, 29, tzinfo=UTC)
"""An instant after every possible start."""
ORIGIN = "moved_from"
"""The name of the group from which a job was moved, in the metadata."""
_OF_THE_ANSWER = ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata")


class Settings(NamedTuple):
    """The settings that the backend adds to every job."""

    role_arn: str | None
    group: str | None = None
    """The group of all jobs. None: each job has its own group."""
    dead_letter_arn: str | None = None
    kms_key_arn: str | None = None


class Stored(NamedTuple):
    """A schedule as read from the service."""

    document: dict[str, Any]
    job: Job
    version: int
    owned: bool
    """Whether stepsched created it."""
    marked: bool
    """Whether it has a metadata suffix: it is owned, or was changed through stepsched."""
    enabled: bool
    anchor: datetime | None
    """The anchor of its rate. None: unknown, or not a rate."""
    pause_reason: str | None = None
    """Why it is disabled, as given to ``pause``. None: no reason was given, or it is enabled."""

    @property
    def status(self) -> JobStatus:
        """The status by the schedule's State, whether or not a run is left."""
        return JobStatus.ACTIVE if self.enabled else JobStatus.PAUSED


class Translation(NamedTuple):
    """The parts of a job in the service's form that do not depend on the instant of storing."""

    job: Job
    target: AwsTarget
    wire: Wire
    digest: str


def translation_of(job: Job, *, partition: str = "aws") -> Translation:
    """Translates a job, whose target must be one in AWS, to the service's form in a partition.

    Raises:
        ValueError: The target cannot be written in that form.
    """
    target = aws_target(job.target)
    wire = write_target(target, job.input, job.name, partition=partition)
    return Translation(job, target, wire, digest(job))


def place_of(job: Job, settings: Settings) -> str:
    """Returns the schedule group of a job."""
    return settings.group or job.group


def kept_of(job: Job, target: AwsTarget, settings: Settings, now: datetime | None) -> dict[str, Any]:
    """Returns the data for which the service has no field, for the metadata suffix.

    Args:
        job: The job.
        target: The target of the job.
        settings: The settings of the backend.
        now: The present. None: the largest data that is possible at any time.
    """
    kept = kept_of_target(target, job.input, job.name)
    if job.tags:
        kept["tags"] = job.tags
    if not job.is_one_time and job.completion is Completion.KEEP:
        kept["completion"] = "keep"
    if not job.enabled:
        kept["enabled"] = False  # the service's State is the job's status
    if settings.group is not None and job.group == settings.group != "default":
        kept["group"] = "named"
    if job.dead_letter is None and settings.dead_letter_arn is not None:
        kept["queue"] = "default"
    schedule, moment = job.schedule, now or _LATE
    if not reads_back(schedule, write_timing(schedule, now=moment, anchor=moment)):
        kept["schedule"] = schedule.model_dump(mode="json", exclude_defaults=True) | {"kind": schedule.kind}
    return kept


def write_job(
    translation: Translation,
    settings: Settings,
    *,
    version: int,
    now: datetime,
    anchor: datetime | None,
    status: JobStatus = JobStatus.ACTIVE,
    reason: str | None = None,
    theirs: bool = False,
    notes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Returns the request that creates or replaces the job's schedule, without the client token.

    Args:
        translation: The translation of a checked job.
        settings: The settings of the backend.
        version: The version for the metadata suffix.
        now: The present.
        anchor: The anchor of a rate without start. None: unknown.
        status: The status of the job.
        reason: Why the job was paused before; it is kept if the job is paused. None: no reason.
        theirs: Whether the schedule is foreign.
        notes: Further data for the metadata suffix, which is left out if the description has no room for it.

    Raises:
        NoRoomError: The description has no room for the reason.
    """
    job, target, wire, job_digest = translation
    timing = write_timing(job.schedule, now=now, anchor=anchor)
    kept = kept_of(job, target, settings, now) | ({"theirs": True} if theirs else {})
    mark = Mark(version=version, digest=job_digest, kept=kept)
    if reason is not None and status is JobStatus.PAUSED:
        mark = with_reason(job.description, mark, reason)
    noted = mark._replace(kept={**mark.kept, **(notes or {})})
    if len(write_description(job.description, noted)) <= LIMIT:
        mark = noted
    minutes = job.jitter // timedelta(minutes=1)
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": minutes} if minutes else {"Mode": "OFF"}
    delete = job.is_one_time and job.completion is Completion.DELETE
    request: dict[str, Any] = {
        "Name": job.name,
        "GroupName": place_of(job, settings),
        "Description": write_description(job.description, mark),
        "ScheduleExpression": timing.expression,
        "ScheduleExpressionTimezone": timing.timezone,
        "FlexibleTimeWindow": window,
        "State": "DISABLED" if status is JobStatus.PAUSED else "ENABLED",
        "ActionAfterCompletion": "DELETE" if delete else "NONE",
        "Target": {
            "Arn": wire.arn,
            **wire.blocks,
            "RoleArn": settings.role_arn,
            "Input": wire.input,
            "RetryPolicy": {
                "MaximumRetryAttempts": job.retry.max_attempts,
                "MaximumEventAgeInSeconds": job.retry.max_age // timedelta(seconds=1),
            },
        },
    }
    queue = job.dead_letter.queue_arn if job.dead_letter is not None else settings.dead_letter_arn
    if queue is not None:
        request["Target"]["DeadLetterConfig"] = {"Arn": queue}
    if settings.kms_key_arn is not None:
        request["KmsKeyArn"] = settings.kms_key_arn
    dates = {"StartDate": timing.start, "EndDate": timing.end}
    return request | {key: value for key, value in dates.items() if value is not None}


def read_document(document: dict[str, Any], settings: Settings) -> Stored:
    """Reads a stored schedule, owned or foreign.

    Raises:
        InvalidScheduleError: This version cannot read the expression.
        ValueError: This version cannot read another part.
    """
    text, mark = read_description(document.get("Description") or "")
    kept = {} if mark is None else dict(mark.kept)
    name, target = document["Name"], document["Target"]
    what, payload = read_target(target, kept, name)
    with reading_stored():
        schedule = read_timing(document, _kept_schedule(kept))
    group = document.get("GroupName") or "default"
    job = Job.model_construct(
        name=name,
        schedule=schedule,
        target=what,
        input=payload,
        description=text,
        group="default" if group == settings.group and kept.get("group") != "named" else group,
        tags=_read_tags(kept),
        enabled=kept.get("enabled") is not False,
        retry=_read_retry(target.get("RetryPolicy") or {}),
        dead_letter=_read_queue(target, kept),
        jitter=timedelta(minutes=document["FlexibleTimeWindow"].get("MaximumWindowInMinutes") or 0),
        completion=_read_completion(document, schedule, kept),
    )
    same = mark is not None and mark.digest == digest(job)
    is_enabled, reason = document.get("State") != "DISABLED", kept.get(REASON)
    return Stored(
        document=document,
        job=job,
        version=1 if mark is None else mark.version + (not same),
        owned=mark is not None and not kept.get("theirs"),
        marked=mark is not None,
        enabled=is_enabled,
        anchor=document.get("StartDate") if as_rate(schedule) is not None else None,
        pause_reason=reason if isinstance(reason, str) and not is_enabled else None,
    )


def origin_of(document: dict[str, Any]) -> str | None:
    """Returns the group from which the schedule was moved; None if it was not, or was changed since."""
    _, mark = read_description(document.get("Description") or "")
    origin = None if mark is None else mark.kept.get(ORIGIN)
    return origin if isinstance(origin, str) else None


def _kept_schedule(kept: dict[str, Any]) -> AnySchedule | None:
    if "schedule" not in kept:
        return None
    try:
        return _SCHEDULES.validate_python(kept["schedule"])
    except ValidationError:
        return None


def _read_tags(kept: dict[str, Any]) -> dict[str, str]:
    """Returns the tags of a metadata suffix; none if they were changed to something invalid."""
    tags = kept.get("tags")
    is_sound = isinstance(tags, dict) and all(isinstance(value, str) for value in tags.values())
    return tags if is_sound and isinstance(tags, dict) else {}


def _read_retry(policy: dict[str, Any]) -> Retry:
    return Retry(
        max_attempts=policy.get("MaximumRetryAttempts", 185),
        max_age=timedelta(seconds=policy.get("MaximumEventAgeInSeconds", 86_400)),
    )


def _queue_of(target: dict[str, Any]) -> str | None:
    arn: str | None = (target.get("DeadLetterConfig") or {}).get("Arn")
    return arn


def _read_queue(target: dict[str, Any], kept: dict[str, Any]) -> QueueTarget | None:
    """Returns the job's own dead-letter queue; None if it has the backend's or none."""
    arn = _queue_of(target)
    return None if arn is None or kept.get("queue") == "default" else QueueTarget(arn)


def _read_completion(document: dict[str, Any], schedule: AnySchedule, kept: dict[str, Any]) -> Completion:
    if not isinstance(schedule, OneTime):
        return Completion.KEEP if kept.get("completion") == "keep" else Completion.DELETE
    return Completion.DELETE if document.get("ActionAfterCompletion") == "DELETE" else Completion.KEEP


def record_of(stored: Stored, settings: Settings, now: datetime) -> JobRecord:
    """Returns the record. A job with no run left has the status ended, regardless of the service's
    ``State``."""
    document, job = stored.document, stored.job
    changed = document.get("LastModificationDate") or document.get("CreationDate") or now
    # Without a start the grid begins at the last change, as users report.
    following = _next_run(job.schedule, stored.anchor or changed, now)
    status = JobStatus.ACTIVE if stored.enabled else JobStatus.PAUSED
    if following is None:
        status = JobStatus.ENDED
    return JobRecord(
        job=job,
        status=status,
        version=stored.version,
        created_at=(document.get("CreationDate") or now).astimezone(UTC),
        updated_at=changed.astimezone(UTC),
        next_run=following if status is JobStatus.ACTIVE else None,
        pause_reason=stored.pause_reason if status is JobStatus.PAUSED else None,
        owned=stored.owned,
        current=not stored.owned or _has_settings(document, job, settings),
    )


def _has_settings(document: dict[str, Any], job: Job, settings: Settings) -> bool:
    target = document["Target"]
    return (
        (settings.role_arn is None or target.get("RoleArn") == settings.role_arn)
        and document.get("KmsKeyArn") == settings.kms_key_arn
        and (job.dead_letter is not None or _queue_of(target) == settings.dead_letter_arn)
        # Earlier versions wrote a templated target, which gives a message no deduplication ID.
        and (is_universal(target["Arn"]) or not is_fifo(job.target))
    )


def _next_run(schedule: AnySchedule, anchor: datetime, now: datetime) -> datetime | None:
    """Returns the next run; for a rate without start on the grid that begins at ``anchor``."""
    if isinstance(schedule, Rate) and schedule.start is None:
        run = schedule.replace(start=anchor, end=None).next_run(after=now)
        return None if run is None or (schedule.end is not None and run > schedule.end) else run
    return schedule.next_run(after=now)


def merge(stored: Stored, wanted: Translation, settings: Settings, *, now: datetime) -> dict[str, Any]:
    """Returns the request that changes a stored schedule to the wanted job. Fields that the change does not
    concern are sent unchanged, since the service resets fields that are not sent.

    Raises:
        NoRoomError: As for :func:`write_job`.
    """
    job = wanted.job
    before = stored.status
    after = status_after_update(before, stored.job, job)
    fresh = write_job(
        wanted,
        settings,
        version=stored.version + 1,
        now=now,
        anchor=anchor_after(stored, job, now),
        status=after,
        reason=stored.pause_reason,
        theirs=not stored.owned,
    )
    request = resend(stored, now=now)
    if stored.owned:
        for key in ("StartDate", "EndDate", "KmsKeyArn"):
            request.pop(key, None)
        return request | fresh
    merged = _merge_foreign(stored.job, job, request, fresh)
    return merged if after is before else merged | {"State": fresh["State"]}


def _merge_foreign(before: Job, job: Job, request: dict[str, Any], fresh: dict[str, Any]) -> dict[str, Any]:
    """Merges the changed fields of the new request into the old one, which keeps its role, its key, and
    fields that this version does not know."""
    old, new = request["Target"], fresh["Target"]
    target = dict(old)
    is_rewritten = job.input != before.input and new["Arn"] != old["Arn"]  # the old form had other parts
    if job.target != before.target or is_rewritten:
        target = {key: old[key] for key in ("RetryPolicy", "DeadLetterConfig") if key in old}
        target |= {key: new[key] for key in new if key not in target}
    if job.input != before.input:
        target["Input"] = new["Input"]
    if job.retry != before.retry:
        target["RetryPolicy"] = new["RetryPolicy"]
    if job.dead_letter != before.dead_letter:
        target.pop("DeadLetterConfig", None)
        target |= {key: new[key] for key in ("DeadLetterConfig",) if key in new}
    merged = request | {"Target": target, "Description": fresh["Description"]}
    if job.schedule != before.schedule:
        for key in ("ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "EndDate"):
            merged.pop(key, None)
            if key in fresh:
                merged[key] = fresh[key]
        merged["State"] = fresh["State"]
    if job.is_one_time != before.is_one_time or job.completion is not before.completion:
        merged["ActionAfterCompletion"] = fresh["ActionAfterCompletion"]
    if job.jitter != before.jitter:
        merged["FlexibleTimeWindow"] = fresh["FlexibleTimeWindow"]
    return merged


def switch(
    stored: Stored, settings: Settings, *, now: datetime, enabled: bool, reason: str | None = None
) -> dict[str, Any]:
    """Returns the request that only enables or disables the schedule.

    A start that has passed cannot be sent again and is kept in the metadata suffix. The version does not
    change. A foreign schedule gets a suffix only for a reason.

    Raises:
        NoRoomError: The description has no room for the reason.
    """
    again = stored._replace(document=stored.document | {"State": "ENABLED" if enabled else "DISABLED"})
    request = resend(again, now=now)
    if not stored.owned and stored.version == 1 and reason is None:  # it was never changed, but for a reason
        request |= {"Description": stored.job.description}
    elif stored.marked or reason is not None:
        what = aws_target(stored.job.target)
        kept = kept_of(stored.job, what, settings, now) | ({} if stored.owned else {"theirs": True})
        if _read_queue(request["Target"], kept) != stored.job.dead_letter:  # the settings have changed
            kept = {key: kept[key] for key in kept if key != "queue"} | {"queue": "default"}
        mark = Mark(version=stored.version, digest=digest(stored.job), kept=kept)
        if reason is not None:
            mark = with_reason(stored.job.description, mark, reason)
        description = write_description(stored.job.description, mark)
        if len(description) > LIMIT:  # it may have been filled by other means
            description = without_reason(stored.document["Description"])
        request["Description"] = description
    return request


def resend(stored: Stored, *, now: datetime) -> dict[str, Any]:
    """Returns the stored document as a request that changes nothing.

    A start that has passed cannot be sent again: a rate gets the next instant of its grid (P-13), and for a
    cron the start has no effect any more.
    """
    request = {key: value for key, value in stored.document.items() if key not in _OF_THE_ANSWER}
    request["Target"] = dict(request["Target"])
    start = request.pop("StartDate", None)
    if start is not None and start > now:
        request["StartDate"] = start
        return request
    rate = as_rate(stored.job.schedule)
    if start is None or rate is None:
        return request
    following, end = rate.replace(start=start, end=None).next_run(after=now), request.get("EndDate")
    if following is None or (end is not None and following > end):
        return request | {"State": "DISABLED"}  # without a start the service would run it at once
    if following == end:
        request["EndDate"] = second_after(end)
    return request | {"StartDate": following}


def as_rate(schedule: AnySchedule) -> Rate | None:
    """Returns the rate by which the service runs a schedule; None if it is not a rate."""
    try:
        wire = translate(schedule)
    except NoEquivalentError:
        return None
    return wire if isinstance(wire, Rate) else None


def anchor_after(stored: Stored, job: Job, now: datetime) -> datetime | None:
    """Returns the anchor of the new definition: a rate without start keeps its grid."""
    return stored.anchor if job.starts_at_creation and stored.job.starts_at_creation else ceil_second(now)


def ceil_second(moment: datetime) -> datetime:
    """Returns the datetime rounded up to a whole second: the service accepts no fractions, and might skip a
    start that has passed."""
    return moment if not moment.microsecond else moment.replace(microsecond=0) + timedelta(seconds=1)
