"""Plays the time of jobs without calling anything: which runs would start, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import JsonValue

from stepsched.backends.local import LocalBackend
from stepsched.client import SchedulerClient
from stepsched.core.quoting import quoted
from stepsched.display.results import DisplayedFields
from stepsched.jobs import Job, Run
from stepsched.jobs.job import checked_jobs, no_job
from stepsched.schedules import Rate
from stepsched.schedules.moments import aware, just_before
from stepsched.targets import HandlerTarget
from stepsched.testing.clock import FakeClock

_FEW, _MANY = 1_000, 4_000
"""The numbers of runs of one step of a play below which the next step is longer, and above which shorter."""
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=32)


class _PlayedRun(NamedTuple):
    at: datetime
    """The instant at which the run starts, in the zone of the job's schedule, in UTC for a rate. It is later
    than ``run.scheduled_for`` if the job has ``jitter``."""
    job: Job
    """The job as it was given."""
    input: JsonValue
    """The input of the run, with its placeholders filled in."""
    run: Run
    """The run while it is running."""


class PlayedRun(DisplayedFields, _PlayedRun):
    """A run of a play."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"PlayedRun({quoted(self.job.name)} at {self.at.isoformat()})"


def play(jobs: Iterable[Job], *, since: datetime, until: datetime) -> Iterator[PlayedRun]:
    """Plays the time of jobs on a fake clock, and yields the runs that would start, in order.

    The embedded backend plays, with every target replaced by a recorder that succeeds at once: no function is
    imported, no command is started, and nothing in AWS is called. Every job counts as created at ``since``,
    as in an estimate: a rate without ``start`` has a run at that instant. A disabled job has no run, and a
    job without a run in the span neither.

    Runs are yielded while the time is played: the memory does not grow with their number.

    Args:
        jobs: The jobs, with distinct names.
        since: The beginning of the play; aware, inclusive.
        until: The end of the play; aware, inclusive. A run whose ``jitter`` leads past it is left out.

    Raises:
        TypeError: An item of ``jobs`` is not a job, or an instant is not a datetime.
        ValueError: An instant is naive, ``until`` is before ``since``, or two jobs have the same name.

    Example:
        >>> from datetime import timezone
        >>> from stepsched import CommandTarget, Cron
        >>> report = Job(name="report", schedule=Cron("0 9 * * ? *"), target=CommandTarget(["report"]))
        >>> monday = datetime(2030, 1, 7, tzinfo=timezone.utc)
        >>> for played in play([report], since=monday, until=monday + timedelta(days=2)):
        ...     print(played.at.isoformat(), played.job.name)
        2030-01-07T09:00:00+00:00 report
        2030-01-08T09:00:00+00:00 report
    """
    since, until = aware(since, "since"), aware(until, "until")
    if until < since:
        raise ValueError(f"expected until at or after since {since.isoformat()}, got {until.isoformat()}")
    given = dict[str, Job]()
    for job in checked_jobs(jobs):
        if not isinstance(job, Job):
            raise no_job(job)
        if job.name in given:
            raise ValueError(f"duplicate job names: {job.name}")
        given[job.name] = job
    return _played(given, since, until)


def _played(jobs: dict[str, Job], since: datetime, until: datetime) -> Iterator[PlayedRun]:
    clock, found = FakeClock(just_before(since)), list[PlayedRun]()

    def record(payload: JsonValue, run: Run) -> None:
        job = jobs[run.job]
        found.append(PlayedRun(job.schedule.localise(clock.now()), job, payload, run))

    target = HandlerTarget(record)
    with LocalBackend(clock=clock, retention=timedelta(0), retention_limit=0) as backend:
        SchedulerClient(backend).create_many(
            _recorded(job, since, target) for job in jobs.values() if _may_run(job, since)
        )
        step = _SHORTEST
        while clock.now() < until:
            backend.run_until(_after(clock.now(), step, until), progress=lambda _done, _total: None)
            if len(found) < _FEW:
                step = min(2 * step, _LONGEST)
            elif len(found) > _MANY:
                step = max(step / 2, _SHORTEST)
            yield from found
            found.clear()


def _after(now: datetime, step: timedelta, until: datetime) -> datetime:
    return now + step if until - now > step else until


def _may_run(job: Job, since: datetime) -> bool:
    """Returns whether a job has a run at or after an instant, so that the backend takes it."""
    if job.starts_at_creation and isinstance(job.schedule, Rate) and job.schedule.end is not None:
        return since < job.schedule.end
    return job.enabled and job.why_never_runs(just_before(since)) is None


def _recorded(job: Job, since: datetime, target: HandlerTarget) -> Job:
    """Returns a job that runs when the given one does, and calls only the recorder."""
    return job.replace(schedule=job.anchored(since), target=target, dead_letter=None, notify=None)
