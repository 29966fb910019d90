"""What a job needs of a backend, so that a refusal names the backends that accept the same job."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from stepsched.backends.capabilities import backends_with
from stepsched.core.errors import RenderError
from stepsched.jobs import CatchUp, Job, OnFailure, Overlap, Retry
from stepsched.jobs.names import is_narrow
from stepsched.schedules import AnySchedule, Cron, OneTime, Rate, Windowed
from stepsched.schedules.equivalents import NoEquivalentError, aws_equivalent
from stepsched.targets import (
    CommandTarget,
    FanOutTarget,
    HandlerTarget,
    HttpTarget,
    ParallelTarget,
    TemplateTarget,
    parts_of,
)
from stepsched.targets.messages import MAX_BATCH

_MACHINE = "render_asl(job) gives a state machine that does that"
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
MAX_AGE = timedelta(hours=24)
"""The longest ``max_age`` of EventBridge Scheduler."""


def needs_of(job: Job) -> tuple[str, ...]:
    """The names of the capabilities that a backend must have to run a job, those of the target first.

    ``aws_targets`` is not among them: a registered function can stand for a target in AWS.
    """
    found = (*_needs_of_target(job), *_needs_of_policies(job), *_needs_of_schedule(job.schedule))
    found = found if is_narrow(job.name) else (*found, "any_name")
    return tuple(dict.fromkeys(found))


def others_for(job: Job, backend: str, *further: str) -> tuple[str, ...]:
    """The other backends of this package that can do what a backend refuses.

    Args:
        job: The job.
        backend: The name of the class of the backend.
        further: Capabilities that are needed besides those of :func:`needs_of`.
    """
    able = [name for name in backends_with(*needs_of(job), *further) if name != backend]
    if "StepFunctionsBackend" in able and not _is_callable(job):
        able.remove("StepFunctionsBackend")
    return tuple(able)


def alternatives_for(job: Job, backend: str) -> tuple[str, ...]:
    """What runs a job that a backend refuses: ``render_asl`` if it renders the job, and the other backends
    that have all that the job needs."""
    return (*([_MACHINE] if _is_rendered(job) else []), *others_for(job, backend))


def _is_rendered(job: Job) -> bool:
    from stepsched.machines.single import render_asl  # only a refusal needs it

    try:
        render_asl(job)
    except RenderError:
        return False
    return True


def _is_callable(job: Job) -> bool:
    """Whether the runner of Step Functions can pass the data of a job to its target."""
    from stepsched.machines.data import call_data  # only a refusal needs it

    try:
        call_data(job)
    except ValueError:
        return False
    return True


def _needs_of_target(job: Job) -> Iterator[str]:
    if isinstance(job.target, ParallelTarget):
        yield "parallel"
    for part in parts_of(job.target):
        if isinstance(part, (HandlerTarget, CommandTarget)):
            yield "functions"
        if isinstance(part, HttpTarget):
            yield "urls"
        if isinstance(part, TemplateTarget):
            yield "templates"
        if isinstance(part, FanOutTarget) and len(part.messages) > MAX_BATCH:
            yield "many_messages"


def _needs_of_policies(job: Job) -> Iterator[str]:
    if job.overlap is not Overlap.ALLOW:
        yield "overlap"
    if job.catch_up is not CatchUp.ALL:
        yield "catch_up"
    if job.catch_up_within is not None:
        yield "catch_up_within"
    if job.notify is not None:
        yield "notify"
    if job.on_failure is not OnFailure.CONTINUE and not job.is_one_time:
        yield "on_failure"
    if job.max_run_time is not None:
        yield "max_run_time"
    if _needs_every_end(job):
        yield "every_end"
    of_every_backend = {"max_attempts", "max_age"}
    if job.retry.max_age > MAX_AGE or (
        not job.retry.model_fields_set <= of_every_backend
        and job.retry != Retry(max_attempts=job.retry.max_attempts, max_age=job.retry.max_age)
    ):
        yield "pauses"
    if job.jitter % _MINUTE:
        yield "short_jitter"
    if any(length is not None and length % _SECOND for length in lengths_of(job).values()):
        yield "fractions"


def _needs_every_end(job: Job) -> bool:
    """Whether a policy needs the end of what a call of Step Functions only starts."""
    if job.overlap is Overlap.ALLOW and job.max_run_time is None:
        return False
    from stepsched.machines.calls import waits_for_end, waits_for_runs  # only such a policy needs them

    wait = waits_for_runs(job)
    return not all(waits_for_end(part, wait=wait) for part in parts_of(job.target))


def lengths_of(job: Job) -> dict[str, timedelta | None]:
    """The durations of a job that may have to be of whole seconds, by the names of their fields."""
    return {"max_age": job.retry.max_age, "jitter": job.jitter, "max_run_time": job.max_run_time}


def _needs_of_schedule(schedule: AnySchedule) -> Iterator[str]:
    match schedule:
        case Cron(expression=None):
            yield "crontab"
        case OneTime(exact=True):
            yield "fractions"
        case Rate(start=start) if start is not None and start.microsecond:
            yield "fractions"
        case Windowed(start=start, every=every):
            try:
                aws_equivalent(schedule)
            except NoEquivalentError:
                yield "seconds" if every.total_seconds % 60 else "calendar"
            if start.microsecond:
                yield "fractions"
