"""What would have to change so that a backend holds exactly a set of jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stepsched.jobs import Job, JobRecord
from stepsched.values import Value


class Change(Value, frozen=True):
    """A job whose definition differs from the stored one."""

    before: Job
    after: Job
    version: int
    """The stored version that the change was made from."""

    def fields(self) -> tuple[str, ...]:
        """The names of the fields that differ."""
        names = type(self.after).model_fields
        return tuple(name for name in names if getattr(self.before, name) != getattr(self.after, name))


class Plan(Value, frozen=True):
    """The verbs that lead from what is stored to what is wanted. ``client.apply(plan)`` performs it."""

    create: tuple[Job, ...] = ()
    update: tuple[Change, ...] = ()
    cancel: tuple[str, ...] = ()
    """Names of stored jobs that are not wanted; only with ``prune``."""
    unchanged: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.create or self.update or self.cancel)

    def __str__(self) -> str:
        """A line a job, such as ``+ nightly-report  At 02:00, UTC``."""
        lines = [f"+ {job.name}  {job.schedule.describe()}" for job in self.create]
        lines += [f"~ {change.after.name}  {', '.join(change.fields())}" for change in self.update]
        lines += [f"- {name}" for name in self.cancel]
        lines.append(
            f"{len(self.create)} to create, {len(self.update)} to update, {len(self.cancel)} to cancel, "
            f"{len(self.unchanged)} unchanged"
        )
        return "\n".join(lines)


def make_plan(wanted: Iterable[Job], stored: Mapping[str, JobRecord], *, prune: bool) -> Plan:
    """Compares jobs with what is stored.

    Args:
        wanted: Jobs of different names.
        stored: What the backend holds, by name.
        prune: Whether stored jobs that are not wanted are cancelled, in the groups of the wanted ones.

    Raises:
        ValueError: A name stands twice.
    """
    jobs = list(wanted)
    names = {job.name for job in jobs}
    if len(names) < len(jobs):
        twice = sorted(name for name in names if sum(job.name == name for job in jobs) > 1)
        raise ValueError(f"these names stand twice: {', '.join(twice)}")
    groups = {job.group for job in jobs}
    return Plan(
        create=tuple(job for job in jobs if job.name not in stored),
        update=tuple(
            Change(before=stored[job.name].job, after=job, version=stored[job.name].version)
            for job in jobs
            if job.name in stored and stored[job.name].job != job
        ),
        cancel=tuple(
            name
            for name, record in stored.items()
            if prune and name not in names and record.job.group in groups
        ),
        unchanged=tuple(job.name for job in jobs if job.name in stored and stored[job.name].job == job),
    )
