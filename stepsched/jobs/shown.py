"""Jobs and what backends tell of them as rows of tables: for notebooks, ``print`` and the command line.

The titles and words are the same everywhere. What shows the rows masks secrets in them. A function that takes
``now`` tells distances in time from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from stepsched.core.masking import text_without_secrets, without_secrets
from stepsched.core.quoting import shortened
from stepsched.display.table import Cell, Tone
from stepsched.display.times import distance_text, instant_text, length_text, took_text

if TYPE_CHECKING:  # the modules above this one
    from stepsched.jobs.job import Job
    from stepsched.jobs.policies import Retry
    from stepsched.jobs.records import JobRecord, Repair, Run
    from stepsched.schedules import AnySchedule

NEXT_RUNS = 3
"""The number of next runs that are shown of one job."""
_LONGEST_ERROR = 120
"""The maximum number of characters of an error in a list; the value itself has the whole text."""
TONES: dict[str, Tone] = {
    "active": "good",
    "paused": "warn",
    "running": "busy",
    "succeeded": "good",
    "failed": "bad",
    "skipped": "warn",
    "missed": "warn",
}
"""What a status says, by its value; any other says nothing."""
_POLICIES = (
    *("retry", "dead_letter", "notify", "on_failure", "overlap", "catch_up", "catch_up_within"),
    *("jitter", "max_run_time", "completion"),
)
"""The fields that are shown if they do not have their default."""


# -- cells of lists ------------------------------------------------------------------------------------


def record_cells(record: JobRecord, now: datetime) -> dict[str, Cell]:
    """Returns the cells of a stored job by their titles."""
    schedule, last = record.job.schedule, record.last_run
    began = None if last is None else last.scheduled_for
    return {
        "name": Cell(record.name),
        "group": Cell(record.job.group),
        "status": status_cell(record.status.value),
        "schedule": Cell(schedule.describe()),
        "next": scheduled_cell(record.next_run, schedule),
        "in": distance_cell(record.next_run, now),
        "last": distance_cell(began, now),
        "outcome": Cell("-") if last is None else status_cell(last.status.value),
        "reason": Cell(record.pause_reason or ""),
    }


def run_cells(run: Run, now: datetime | None, zone: str | None = None) -> dict[str, Cell]:
    """Returns the cells of a run by their titles.

    Args:
        run: The run.
        now: The present, for how long a run in progress has taken so far. None: unknown.
        zone: The name of the zone of the job's schedule. None: the run has only its offset.
    """
    return {
        "id": Cell(str(run.id), run.id),
        "job": Cell(run.job),
        "status": status_cell(run.status.value),
        "scheduled": Cell(_zoned_text(run.scheduled_for, zone), run.scheduled_for.timestamp()),
        "started": Cell(delay_text(run), _seconds(run.started_at)),
        "took": took_cell(run, now),
        "attempt": Cell(str(run.attempt), run.attempt),
        "trigger": Cell(run.trigger.value),
        "failed": Cell("-") if now is None else distance_cell(run.ended_at, now),
        "error": Cell(error_text(run.error or run.pending_reason)),
    }


def error_text(error: str | None) -> str:
    """Returns what a cell among many others shows of an error: enough to tell one from another."""
    return shortened(" ".join(text_without_secrets(error or "-").split()), _LONGEST_ERROR)


def upcoming_cells(at: datetime, job: Job, now: datetime | None) -> dict[str, Cell]:
    """Returns the cells of an upcoming run by their titles."""
    return {
        "when": when_cell(at, getattr(job.schedule, "timezone", None)),
        "in": Cell("-") if now is None else distance_cell(at, now),
        "job": Cell(job.name),
        "group": Cell(job.group),
    }


def repair_cells(repair: Repair) -> dict[str, Cell]:
    """Returns the cells of a problem that was repaired, by their titles."""
    return {
        "job": Cell(repair.job),
        "problem": Cell(repair.problem.value, tone="warn"),
        "detail": Cell(repair.detail),
        "remedy": Cell(repair.remedy),
    }


def status_cell(status: str) -> Cell:
    """Returns a status with its sign."""
    return Cell(status, tone=TONES.get(status, ""))


def scheduled_cell(instant: datetime | None, schedule: AnySchedule) -> Cell:
    """Returns an instant in the zone of a schedule, with its offset and name; ``-`` for None."""
    return Cell(scheduled_text(instant, schedule), _seconds(instant))


def when_cell(instant: datetime, zone: str | None) -> Cell:
    """Returns an instant with its weekday, in the zone of that name if one is given."""
    return Cell(f"{instant:%a} {_zoned_text(instant, zone)}", instant.timestamp())


def distance_cell(instant: datetime | None, now: datetime) -> Cell:
    """Returns how far an instant is from the present; ``-`` for None."""
    return Cell(distance_text(instant, now), _seconds(instant))


def took_cell(run: Run, now: datetime | None) -> Cell:
    """Returns how long the latest attempt of a run took, or has taken so far; ``-`` if it has not started, or
    the present is not known."""
    ended = run.ended_at or (now if run.status.value == "running" else None)
    if run.started_at is None or ended is None:
        return Cell("-", -1.0)
    took = max(ended - run.started_at, timedelta(0))  # the clocks of two machines may differ
    return Cell(took_text(took), took.total_seconds())


def _seconds(instant: datetime | None) -> float:
    """Returns what sorts instants; those that are missing come last."""
    return float("inf") if instant is None else instant.timestamp()


# -- texts ---------------------------------------------------------------------------------------------


def scheduled_text(instant: datetime | None, schedule: AnySchedule) -> str:
    """Returns an instant in the zone of a schedule, with the name of the zone, or ``-`` for None."""
    if instant is None:
        return "-"
    return instant_text(schedule.localise(instant), getattr(schedule, "timezone", None))


def _zoned_text(instant: datetime, zone: str | None) -> str:
    if zone is None:
        return instant_text(instant)
    from stepsched.schedules.zones import known_zone

    return instant_text(known_zone(zone).localise(instant), zone)


def delay_text(run: Run) -> str:
    """Returns how long after its scheduled instant the latest attempt of a run started; ``-`` if none has."""
    if run.started_at is None:
        return "-"
    delay = run.started_at - run.scheduled_for
    return f"after {length_text(delay)}" if delay.total_seconds() >= 1 else "on time"


def _with_distance(text: str, instant: datetime, now: datetime | None) -> str:
    return text if now is None else f"{text}  ({distance_text(instant, now)})"


# -- rows of one job or run ----------------------------------------------------------------------------


def record_rows(
    record: JobRecord, runs: Sequence[datetime], now: datetime | None
) -> Iterator[tuple[str, str | Cell]]:
    """Yields the titles and texts of a stored job.

    Args:
        record: The job.
        runs: Its next runs.
        now: The present. None: unknown, and no distances are told.
    """
    yield "name", record.name
    reason, status = record.pause_reason, status_cell(record.status.value)
    yield "status", status._replace(text=status.text + (f": {reason}" if reason else ""))
    if not record.owned:
        yield "", "not created by stepsched"
    if not record.current:
        yield "", "stored with other settings of the backend; apply or update renews it"
    yield from _schedule_rows(record.job)
    if record.next_run is None:
        yield "next run", "none"
    else:
        yield from _next_rows(runs or [record.next_run], now, record.job)
    if record.last_run is not None:
        yield "last run", _last_run(record.last_run, record.job, now)
        if record.last_run.error:
            yield "", record.last_run.error
    yield from _definition_rows(record.job)
    yield "version", str(record.version)
    for name, moment in (("created", record.created_at), ("updated", record.updated_at)):
        yield name, _with_distance(instant_text(moment), moment, now)


def job_rows(
    job: Job, runs: Sequence[datetime] = (), now: datetime | None = None
) -> Iterator[tuple[str, str | Cell]]:
    """Yields the titles and texts of a job that is not stored, as :func:`record_rows` does."""
    yield "name", job.name
    yield from _schedule_rows(job)
    yield from _next_rows(runs, now, job)
    yield from _definition_rows(job)


def run_rows(run: Run) -> Iterator[tuple[str, str | Cell]]:
    """Yields the titles and texts of a run."""
    cells = run_cells(run, None)
    yield "job", cells["job"]
    yield "status", cells["status"]
    yield "scheduled", cells["scheduled"].text
    if run.started_at is not None:
        yield "started", f"{instant_text(run.started_at)}  ({delay_text(run)})"
    if run.ended_at is not None:
        yield "ended", instant_text(run.ended_at)
        yield "took", cells["took"].text
    yield "attempt", str(run.attempt) + (", started again after an interruption" if run.restarted else "")
    yield "trigger", run.trigger.value
    for name in ("error", "pending_reason", "output", "link"):
        text = getattr(run, name)
        if text is not None:
            yield name.replace("_", " "), text
    yield "id", str(run.id)


def policy_text(value: Any) -> str:
    """Returns the value of a policy in words."""
    if isinstance(value, timedelta):
        return length_text(value)
    if isinstance(value, Enum):
        return str(value.value)
    if hasattr(value, "backoff_rate"):
        return ", ".join(f"{name} {text}" for name, text in retry_rows(value, only_changed=True))
    if not hasattr(value, "kind"):
        return str(value)
    from stepsched.targets.words import target_text

    return target_text(value)


def retry_rows(retry: Retry, *, only_changed: bool = False) -> Iterator[tuple[str, str]]:
    """Yields the titles and texts of a retry policy, perhaps only of what differs from the default."""
    changed = retry.model_dump(mode="json", exclude_defaults=True)
    for name in changed if only_changed else type(retry).model_fields:
        value = getattr(retry, name)
        text = ", ".join(map(length_text, value)) if isinstance(value, tuple) else policy_text(value)
        yield name.replace("_", " "), "-" if value is None else text


def _schedule_rows(job: Job) -> Iterator[tuple[str, str]]:
    words, expression = job.schedule.describe(), str(job.schedule)
    yield "schedule", words
    crontab = getattr(job.schedule, "crontab", None)
    if expression != words or crontab:
        yield "", crontab or expression
    zone = getattr(job.schedule, "timezone", "UTC")
    yield "zone", zone
    for name in ("start", "end"):
        moment = getattr(job.schedule, name, None)
        if isinstance(moment, datetime):
            is_wall_time = moment.tzinfo is None
            yield name, f"{moment} {zone}" if is_wall_time else scheduled_text(moment, job.schedule)


def _next_rows(instants: Iterable[datetime], now: datetime | None, job: Job) -> Iterator[tuple[str, str]]:
    title = "next runs"
    for each in instants:
        yield title, _with_distance(scheduled_text(each, job.schedule), each, now)
        title = ""


def _last_run(run: Run, job: Job, now: datetime | None) -> Cell:
    text = _with_distance(scheduled_text(run.scheduled_for, job.schedule), run.scheduled_for, now)
    status = status_cell(run.status.value)
    return status._replace(text=f"{status.text}  {text}")


def _definition_rows(job: Job) -> Iterator[tuple[str, str]]:
    from stepsched.targets.words import json_text, target_text  # the package of targets is not light

    yield "target", target_text(job.target)
    if job.input != {}:
        yield "input", json_text(without_secrets(job.input))
    if not job.enabled:
        yield "enabled", "no"
    for name in _POLICIES:
        value, field = getattr(job, name), type(job).model_fields[name]
        if value != field.get_default(call_default_factory=True):
            yield name.replace("_", " "), policy_text(value)
    if job.description:
        yield "description", job.description
    yield "group", job.group
    if job.tags:
        yield "tags", ", ".join(f"{key}={value}" for key, value in without_secrets(job.tags).items())
