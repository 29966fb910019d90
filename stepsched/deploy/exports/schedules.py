"""The schedules of jobs as requests to EventBridge Scheduler, before they are written in the form of a tool.

The requests are those of the backend, with two exceptions. A rate without start has no ``StartDate``: it
begins when the tool creates it. And the metadata suffix of the description also has the schedule in words.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from stepsched.backends.eventbridge.checks import check_job, check_key, check_queue, check_role
from stepsched.backends.eventbridge.documents import Settings, place_of, write_job
from stepsched.backends.eventbridge.timing import translate
from stepsched.core.clock import utc_now
from stepsched.core.errors import InvalidScheduleError, RenderError
from stepsched.core.quoting import quoted
from stepsched.core.values import items_of
from stepsched.deploy.exports.roles import Role, role_of
from stepsched.iam.documents import validate_jobs
from stepsched.jobs import Job
from stepsched.jobs.names import checked_group
from stepsched.jobs.plans import refuse_repeats
from stepsched.jobs.records import first_status
from stepsched.machines.calls import places_of
from stepsched.schedules import OneTime
from stepsched.schedules.moments import aware, just_after

Passed = Literal["refuse", "omit"]
"""What is done about a start, or a last run, that has passed."""
BLOCKS = (
    "EcsParameters",
    "EventBridgeParameters",
    "KinesisParameters",
    "SageMakerPipelineParameters",
    "SqsParameters",
)
"""The parameter blocks of targets that CloudFormation and Terraform have."""
_KNOWN = {"Arn", "RoleArn", "Input", "RetryPolicy", "DeadLetterConfig", *BLOCKS}
_WORDS = "when"
"""The name of the schedule in words in the metadata suffix."""
_MOST_RUNS = 100
_ANY_REGION = "us-east-1"
"""Stands for the Region of jobs whose targets are in none."""


class Schedule(NamedTuple):
    """A job, and what creates its schedule."""

    job: Job
    group: str
    """The group in which the schedule is."""
    request: dict[str, Any]
    """The parameters of CreateSchedule. Without role, ``RoleArn`` is None."""


class Options(NamedTuple):
    """The arguments of an export, which both forms have; see :func:`jobs_to_cloudformation`."""

    role_arn: str | None
    group: str | None
    dead_letter_arn: str | None
    kms_key_arn: str | None
    existing_groups: Collection[str]
    names: bool
    passed: Passed
    next_runs: int
    now: datetime | None
    task_roles: Sequence[str]
    resources: Mapping[str, Sequence[str]] | None
    permissions_boundary: str | None


class Export(NamedTuple):
    """What a template holds."""

    schedules: tuple[Schedule, ...]
    """Sorted by group and name."""
    groups: tuple[str, ...]
    """The groups that the template makes, sorted."""
    role: Role | None
    """The role that the template makes. None: the role is given."""
    notes: dict[str, Any]
    """The next runs, by the name of the job, and when they were computed. Empty: they are not wanted."""


def export_of(jobs: Iterable[Job], options: Options) -> Export:
    """Checks jobs, and returns what a template for them holds.

    Raises:
        TypeError: ``jobs`` is not a list of jobs, or an argument has another type.
        ValueError: An argument is malformed, names are repeated, or the targets are in several Regions.
        InvalidScheduleError: A start or a last run has passed.
        UnsupportedError: EventBridge Scheduler cannot run a job.
    """
    listed = validate_jobs(jobs)
    refuse_repeats(listed)
    settings = _settings_of(options)
    now = utc_now() if options.now is None else aware(options.now, "now")
    partition, region = _place_of(listed, settings)
    left = [job for job in listed if not _is_omitted(job, now, options.passed)]
    if not left:
        raise ValueError(f"the last run of all {len(listed)} jobs has passed; expected a job with a run left")
    found = [
        _schedule_of(job, settings, now, options, region=region, partition=partition)
        for job in sorted(left, key=lambda job: (place_of(job, settings), job.name))
    ]
    groups = sorted({each.group for each in found})
    role = None
    if settings.role_arn is None:
        role = role_of(
            [each.job for each in found],
            groups=groups,
            partition=partition,
            dead_letter_arn=settings.dead_letter_arn,
            kms_key_arn=settings.kms_key_arn,
            task_roles=options.task_roles,
            resources=options.resources,
            permissions_boundary=options.permissions_boundary,
        )
    existing = {"default", *_existing(options.existing_groups, groups)}
    made = tuple(group for group in groups if group not in existing)
    return Export(tuple(found), made, role, _notes(found, now, options.next_runs))


def refused_block(job: Job, request: Mapping[str, Any], tool: str) -> None:
    """Refuses a target with a parameter block that a tool does not have.

    Raises:
        RenderError: The target has such a block.
    """
    unknown = sorted(request["Target"].keys() - _KNOWN)
    if unknown:
        raise RenderError(job.name, f"{tool} has no {unknown[0]} of a schedule; use client.apply")


def texts_of(value: Any) -> Iterator[str]:
    """Yields all texts in a document, the keys among them."""
    match value:
        case str():
            yield value
        case Mapping():
            for key, item in value.items():
                yield from texts_of(key)
                yield from texts_of(item)
        case list() | tuple():
            for item in value:
                yield from texts_of(item)


def refuse_passed_start(job: Job, now: datetime, cure: str) -> None:
    """Refuses a start that has passed: AWS accepts none, also in a change long after.

    Args:
        job: A job that EventBridge Scheduler can run.
        now: The present.
        cure: What to do instead.

    Raises:
        InvalidScheduleError: The start has passed.
    """
    timing = translate(job.schedule)
    start = None if isinstance(timing, OneTime) else timing.start
    if start is not None and start <= now:
        raise InvalidScheduleError(
            str(job.schedule),
            "start",
            f"the start of job {job.name!r}, {start.isoformat()}, has passed, and AWS accepts none that has; "
            f"{cure}",
        )


# -- Arguments ------------------------------------------------------------------------------------------


def _settings_of(options: Options) -> Settings:
    if options.passed not in get_args(Passed):
        raise ValueError(f"expected 'refuse' or 'omit' for passed, got {quoted(options.passed)}")
    if not isinstance(options.names, bool):
        raise TypeError(f"expected True or False for names, got {quoted(options.names)}")
    if type(options.next_runs) is not int or not 0 <= options.next_runs <= _MOST_RUNS:
        raise ValueError(
            f"expected an integer from 0 to {_MOST_RUNS} for next_runs, got {quoted(options.next_runs)}"
        )
    of_role = ("task_roles", "resources", "permissions_boundary")
    for name in of_role if options.role_arn is not None else ():
        if getattr(options, name):
            raise ValueError(f"{name} is for the role that a template makes; leave it or role_arn out")
    return Settings(
        role_arn=check_role(options.role_arn),
        group=None if options.group is None else checked_group(options.group),
        dead_letter_arn=check_queue(options.dead_letter_arn),
        kms_key_arn=check_key(options.kms_key_arn),
    )


def _existing(given: Collection[str], groups: Sequence[str]) -> Collection[str]:
    """Validates the groups that exist already. One that no job is in is refused: if it is misspelt, the
    intended group would be made."""
    existing = items_of(given, "existing_groups", "['reports']")
    for group in existing:
        if group not in groups and group != "default":
            raise ValueError(
                f"expected groups of the jobs ({', '.join(groups)}) in existing_groups, got {quoted(group)}"
            )
    return existing


def _place_of(jobs: Sequence[Job], settings: Settings) -> tuple[str, str]:
    """Returns the partition and the Region of the targets.

    Raises:
        ValueError: They are in several.
    """
    places = {place: job.name for job in reversed(jobs) for place in places_of(job.target) if all(place)}
    if len(places) > 1:
        shown = " and ".join(f"{places[each]!r} in {each[1]} of {each[0]}" for each in sorted(places)[:2])
        raise ValueError(f"expected jobs in one Region, got {shown}; use one template for each Region")
    given = (arn for arn in settings if arn is not None and arn.startswith("arn:"))
    partition = next((arn.split(":")[1] for arn in given), "aws")
    return next(iter(places), (partition, _ANY_REGION))


# -- Schedules ------------------------------------------------------------------------------------------


def _is_omitted(job: Job, now: datetime, passed: Passed) -> bool:
    """Whether a job is left out, since its last run has passed.

    Raises:
        InvalidScheduleError: It is not to be left out; or it never runs at all.
    """
    reason = job.why_never_runs(now)
    if reason is None:
        return False
    had_run = job.schedule.previous_run(before=just_after(now)) is not None
    if had_run and passed == "omit":
        return True
    cure = "; take the job out, or use passed='omit'" if had_run else ""
    raise InvalidScheduleError(
        str(job.schedule), "schedule", f"job {job.name!r} would never run: {reason}{cure}"
    )


def _schedule_of(
    job: Job, settings: Settings, now: datetime, options: Options, *, region: str, partition: str
) -> Schedule:
    translation = check_job(job, settings, region=region, partition=partition)
    if options.passed == "refuse":
        refuse_passed_start(
            job,
            now,
            "use passed='omit', with which a rate begins at the next run of its grid, and any other schedule "
            "has no start",
        )
    request = write_job(
        translation,
        settings,
        version=1,
        now=now,
        anchor=None,  # the creation, which a template does not know
        status=first_status(job),
        theirs=not options.names,
        notes={_WORDS: job.schedule.describe()},
    )
    return Schedule(job, place_of(job, settings), request)


def _notes(found: Sequence[Schedule], now: datetime, count: int) -> dict[str, Any]:
    if not count:
        return {}
    runs = {
        each.job.name: [
            run.isoformat(timespec="seconds") for run in each.job.anchored(now).upcoming(count, after=now)
        ]
        for each in found
    }
    return {"computed_at": now.isoformat(timespec="seconds"), "next_runs": runs}
