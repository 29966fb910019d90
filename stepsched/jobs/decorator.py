"""The decorator that defines a job at its function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta, tzinfo
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from stepsched.core.quoting import quoted
from stepsched.jobs.job import Job
from stepsched.jobs.names import is_name
from stepsched.jobs.policies import CatchUp, Completion, OnFailure, Overlap, Retry
from stepsched.schedules import Schedule
from stepsched.schedules.base import ScheduleBase
from stepsched.schedules.expressions import parse_schedule
from stepsched.targets import HandlerTarget, QueueTarget, TopicTarget

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class JobFunction(Protocol[P, R_co]):
    """A function with a job as its attribute."""

    job: Job
    """The job that calls the function."""
    __name__: str
    __qualname__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Calls the function."""


class _AsInJob:
    """The value of an argument that is not given, so that the default of :class:`Job` applies."""

    def __repr__(self) -> str:
        return "<as in Job>"


_AS_IN_JOB: Any = _AsInJob()


def job(
    schedule: str | Schedule,
    *,
    timezone: str | tzinfo | None = None,
    name: str | None = None,
    input: Any = _AS_IN_JOB,  # noqa: A002 -- as the field of Job
    description: str = _AS_IN_JOB,
    group: str = _AS_IN_JOB,
    tags: Mapping[str, str] = _AS_IN_JOB,
    enabled: bool = _AS_IN_JOB,
    retry: Retry = _AS_IN_JOB,
    dead_letter: QueueTarget | None = _AS_IN_JOB,
    notify: TopicTarget | None = _AS_IN_JOB,
    on_failure: OnFailure = _AS_IN_JOB,
    overlap: Overlap = _AS_IN_JOB,
    catch_up: CatchUp = _AS_IN_JOB,
    catch_up_within: timedelta | None = _AS_IN_JOB,
    jitter: timedelta = _AS_IN_JOB,
    max_run_time: timedelta | None = _AS_IN_JOB,
    completion: Completion = _AS_IN_JOB,
) -> Callable[[Callable[P, R_co]], JobFunction[P, R_co]]:
    """Defines a job that calls the decorated function.

    The function itself is not changed; it gets the job as its attribute ``job``. Nothing is stored before
    ``client.create(report.job)`` or ``client.apply([report.job])``. The target of the job is the function's
    name, ``package.module:function``. For a lambda, or a function defined inside another one, it is the
    function object itself, which only backends in memory accept.

    Args:
        schedule: A schedule, or ``at(...)``, ``rate(...)`` or ``cron(...)`` as a string.
        timezone: The IANA name of the zone of a schedule given as a string, or a ``ZoneInfo``. None: UTC. It
            has no effect on a rate.
        name: The name of the job. None: the name of the function.
        input: As in :class:`Job`, with the same default, like all following arguments.
        description: As in :class:`Job`.
        group: As in :class:`Job`.
        tags: As in :class:`Job`.
        enabled: As in :class:`Job`.
        retry: As in :class:`Job`.
        dead_letter: As in :class:`Job`.
        notify: As in :class:`Job`.
        on_failure: As in :class:`Job`.
        overlap: As in :class:`Job`.
        catch_up: As in :class:`Job`.
        catch_up_within: As in :class:`Job`.
        jitter: As in :class:`Job`.
        max_run_time: As in :class:`Job`.
        completion: As in :class:`Job`.

    Raises:
        InvalidScheduleError: The string is not a valid schedule.
        TypeError: ``schedule`` has another type, such as that of the function itself, or the decorated object
            is not a function.
        ValueError: ``timezone`` is given with a schedule object, which has its own zone; the function's name
            is not a valid name of a job; the function already has a job; or a field is refused.

    Example:
        >>> @job("cron(0 9 ? * MON-FRI *)", timezone="Europe/Paris", retry=Retry(max_attempts=3))
        ... def report() -> str:
        ...     return "done"
        >>> report.job.name, str(report.job.schedule)
        ('report', 'cron(0 9 ? * MON-FRI *)')
        >>> report()
        'done'
    """
    when = _read_schedule(schedule, timezone)
    given = {
        "input": input,
        "description": description,
        "group": group,
        "tags": tags,
        "enabled": enabled,
        "retry": retry,
        "dead_letter": dead_letter,
        "notify": notify,
        "on_failure": on_failure,
        "overlap": overlap,
        "catch_up": catch_up,
        "catch_up_within": catch_up_within,
        "jitter": jitter,
        "max_run_time": max_run_time,
        "completion": completion,
    }
    policies = {field: value for field, value in given.items() if value is not _AS_IN_JOB}

    def decorate(function: Callable[P, R_co]) -> JobFunction[P, R_co]:
        _check_function(function)
        target = HandlerTarget.of_definition(function)
        decorated = cast("JobFunction[P, R_co]", function)
        own_name = _name_of(function) if name is None else name
        made = Job(name=own_name, schedule=when, target=target, **policies)
        try:
            decorated.job = made
        except (AttributeError, TypeError) as error:  # a bound method, a builtin
            raise _no_function(function) from error
        return decorated

    return decorate


def job_of(value: object) -> Job | None:
    """Returns the job of a decorated function; None for any other value."""
    found = getattr(value, "job", None) if callable(value) and not inspect.isclass(value) else None
    return found if isinstance(found, Job) else None


def _read_schedule(schedule: str | Schedule, timezone: str | tzinfo | None) -> Schedule:
    if isinstance(schedule, str):
        return parse_schedule(schedule) if timezone is None else parse_schedule(schedule, timezone=timezone)
    if not isinstance(schedule, ScheduleBase):
        if callable(schedule):
            words = f"expected a schedule, got the function {_shown(schedule)}"
        else:
            words = f"expected a schedule or its text, got {quoted(schedule)}"
        raise TypeError(f"{words}; write @job('cron(0 9 ? * MON-FRI *)', timezone='Europe/Paris')")
    if timezone is not None:
        kind = type(schedule).__name__
        cure = "leave it out" if not hasattr(schedule, "timezone") else f"write {kind}(..., {timezone=})"
        words = f"expected timezone only with a schedule as text, got {timezone=} and a {kind}"
        raise ValueError(f"{words}; {cure}")
    return schedule


def _check_function(function: object) -> None:
    if isinstance(function, (staticmethod, classmethod)):
        kind = type(function).__name__
        raise TypeError(f"expected a function, got a {kind}; put @job below @{kind}, next to the function")
    if inspect.isclass(function) or not callable(function):
        raise _no_function(function)
    earlier = job_of(function)
    if earlier is not None:
        raise ValueError(
            f"{_shown(function)} already has a job, {earlier.name!r}; "
            "for another one use Job(name=..., schedule=..., target=HandlerTarget(function))"
        )


def _no_function(value: object) -> TypeError:
    return TypeError(f"expected a function below @job, got {quoted(value)}")


def _name_of(function: object) -> str:
    name = getattr(function, "__name__", "")
    if not name.isidentifier() or not is_name(name):  # that of a lambda is '<lambda>'
        words = f"expected a function whose name can be that of a job, got {_shown(function)}"
        raise ValueError(f"{words}; use @job(..., name='report')")
    return str(name)


def _shown(function: object) -> str:
    return str(getattr(function, "__qualname__", None) or repr(function))
