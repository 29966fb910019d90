"""The columns of data frames of jobs and runs. Their names are those of fields."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from stepsched.display.frames import Column, between, choices, flags, instants, lengths, texts, whole_numbers
from stepsched.jobs.job import Job
from stepsched.jobs.records import JobRecord, JobStatus, JobVersion, Problem, Repair, Run, RunStatus, Trigger
from stepsched.schedules.zones import shared_zone
from stepsched.targets.summaries import target_summary


def job_columns(records: Sequence[JobRecord], timezone: str | tzinfo | None) -> list[Column]:
    """Returns the columns of stored jobs."""
    jobs, lasts = [record.job for record in records], [record.last_run for record in records]
    zone = shared_zone(map(zone_name, jobs), timezone)
    return [
        *_definitions(jobs),
        choices("status", (record.status for record in records), JobStatus),
        instants("next_run", (record.next_run for record in records), zone),
        instants("last_run", (last.scheduled_for if last else None for last in lasts), zone),
        choices("last_status", (last.status if last else None for last in lasts), RunStatus),
        texts("pause_reason", (record.pause_reason for record in records)),
        whole_numbers("version", (record.version for record in records)),
        instants("created_at", (record.created_at for record in records), zone),
        instants("updated_at", (record.updated_at for record in records), zone),
        flags("owned", (record.owned for record in records)),
        flags("current", (record.current for record in records)),
    ]


def version_columns(versions: Sequence[JobVersion], timezone: str | tzinfo | None) -> list[Column]:
    """Returns the columns of earlier definitions of a job."""
    jobs = [each.job for each in versions]
    zone = shared_zone(map(zone_name, jobs), timezone)
    return [
        whole_numbers("version", (each.version for each in versions)),
        instants("replaced_at", (each.replaced_at for each in versions), zone),
        *_definitions(jobs),
    ]


def run_columns(runs: Sequence[Run], timezone: str | tzinfo | None) -> list[Column]:
    """Returns the columns of runs. ``delay`` is the time from the scheduled instant to the start of the
    latest attempt, ``duration`` the time from there to the end."""
    zone = shared_zone((), timezone)
    return [
        whole_numbers("id", (run.id for run in runs)),
        texts("job", (run.job for run in runs)),
        instants("scheduled_for", (run.scheduled_for for run in runs), zone),
        choices("status", (run.status for run in runs), RunStatus),
        choices("trigger", (run.trigger for run in runs), Trigger),
        whole_numbers("attempt", (run.attempt for run in runs)),
        instants("started_at", (run.started_at for run in runs), zone),
        instants("ended_at", (run.ended_at for run in runs), zone),
        lengths("delay", (between(run.scheduled_for, run.started_at) for run in runs)),
        lengths("duration", (between(run.started_at, run.ended_at) for run in runs)),
        flags("restarted", (run.restarted for run in runs)),
        texts("error", (run.error for run in runs)),
        texts("traceback", (run.traceback for run in runs)),
        texts("output", (run.output for run in runs)),
        texts("pending_reason", (run.pending_reason for run in runs)),
        texts("link", (run.link for run in runs)),
    ]


def repair_columns(repairs: Sequence[Repair], timezone: str | tzinfo | None) -> list[Column]:
    """Returns the columns of repairs, which hold no instants."""
    shared_zone((), timezone)  # a zone that does not exist is refused all the same
    return [
        texts("job", (each.job for each in repairs)),
        choices("problem", (each.problem for each in repairs), Problem),
        texts("detail", (each.detail for each in repairs)),
        texts("remedy", (each.remedy for each in repairs)),
    ]


def zone_name(job: Job) -> str | None:
    """Returns the name of the time zone of a job's schedule; None if it has none, such as a rate."""
    return getattr(job.schedule, "timezone", None)


def _definitions(jobs: Sequence[Job]) -> list[Column]:
    return [
        texts("name", (job.name for job in jobs)),
        texts("group", (job.group for job in jobs)),
        texts("schedule", (str(job.schedule) for job in jobs)),
        texts("timezone", (zone_name(job) or "UTC" for job in jobs)),
        texts("target", (target_summary(job.target) for job in jobs)),
    ]
