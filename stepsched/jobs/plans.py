"""Plans: the changes after which a backend holds exactly a given set of jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from stepsched.core.values import Value
from stepsched.display.notebook import table
from stepsched.jobs import Job, JobRecord


class Change(Value, frozen=True):
    """A job whose definition differs from the stored one."""

    before: Job
    """The stored definition."""
    after: Job
    """The new definition."""
    version: int
    """The stored version on which the change is based."""

    @property
    def name(self) -> str:
        """The name of the job."""
        return self.after.name

    def fields(self) -> tuple[str, ...]:
        """The names of the fields that differ."""
        names = type(self.after).model_fields
        return tuple(name for name in names if getattr(self.before, name) != getattr(self.after, name))

    def __str__(self) -> str:
        return ", ".join(self.fields()) or "the backend's settings"


class Plan(Value, frozen=True):
    """The changes that turn the stored jobs into the given ones. ``client.apply(plan)`` makes them."""

    create: tuple[Job, ...] = ()
    """Jobs that are not stored yet."""
    update: tuple[Change, ...] = ()
    """Jobs whose stored definition differs."""
    cancel: tuple[JobRecord, ...] = ()
    """Stored jobs that are not among the given ones. Only with ``prune``, and only jobs that stepsched
    created."""
    unchanged: tuple[str, ...] = ()
    """The names of jobs whose stored definition is equal."""

    @property
    def is_empty(self) -> bool:
        """Whether the plan contains no change."""
        return not (self.create or self.update or self.cancel)

    def __str__(self) -> str:
        """Returns one line per change, such as ``+ nightly-report  At 02:00, UTC``, and the totals."""
        lines = [f"+ {job.name}  {job.schedule.describe()}" for job in self.create]
        lines += [f"~ {change.after.name}  {change}" for change in self.update]
        lines += [f"- {record.name}" for record in self.cancel]
        lines.append(
            f"{len(self.create)} to create, {len(self.update)} to update, {len(self.cancel)} to cancel, "
            f"{len(self.unchanged)} unchanged"
        )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Returns the plan as an HTML table, for notebooks."""
        rows: list[tuple[str, ...]] = [("create", job.name, job.schedule.describe()) for job in self.create]
        rows += [("update", change.name, str(change)) for change in self.update]
        rows += [("cancel", record.name, record.job.schedule.describe()) for record in self.cancel]
        rows.append((str(self).splitlines()[-1],))
        return table(rows, head=("", "job", "what"))


def make_plan(
    wanted: Sequence[Job], stored: Sequence[JobRecord | None], *, prune: Iterable[JobRecord] = ()
) -> Plan:
    """Compares jobs with the stored ones.

    Args:
        wanted: The jobs that are to be stored, with distinct names.
        stored: The stored record for each job of ``wanted``, or None.
        prune: All stored jobs in question. Those that stepsched created and that are not in ``wanted`` are
            cancelled.
    """
    refuse_repeats(wanted)
    pairs = [(job, record) for job, record in zip(wanted, stored, strict=True) if record is not None]
    places = {(record.job.group, record.name) for _, record in pairs}
    return Plan(
        create=tuple(job for job, record in zip(wanted, stored, strict=True) if record is None),
        update=tuple(
            Change(before=record.job, after=job, version=record.version)
            for job, record in pairs
            if record.job != job or not record.current
        ),
        cancel=tuple(
            record for record in prune if record.owned and (record.job.group, record.name) not in places
        ),
        unchanged=tuple(job.name for job, record in pairs if record.job == job and record.current),
    )


def refuse_repeats(jobs: Sequence[Job]) -> None:
    """Refuses jobs with duplicate names.

    Raises:
        ValueError: Two jobs have the same name; the error lists such names.
    """
    counts = Counter(job.name for job in jobs)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ValueError(f"duplicate job names: {', '.join(twice)}")
