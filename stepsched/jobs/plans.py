"""Plans: the changes after which a backend holds exactly a given set of jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import field_validator

from stepsched.core.values import Value
from stepsched.display.results import Displayed
from stepsched.jobs.job import Job, checked_jobs, no_job
from stepsched.jobs.names import checked_prune
from stepsched.jobs.records import (
    JobRecord,
    JobStatus,
    first_status,
    read_stored_job,
    status_after_update,
)

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table

_UNKNOWN = datetime(1970, 1, 1, tzinfo=timezone.utc)
_GROUPS_SHOWN = 10
"""The maximum number of groups that the text of a plan lists."""


class Change(Displayed, Value, frozen=True):
    """A job whose definition differs from the stored one."""

    before: Job
    """The stored definition. For a disabled job that ``resume`` has made active and that stays disabled,
    ``enabled`` is True here."""
    after: Job
    """The new definition."""
    version: int
    """The stored version on which the change is based."""

    _read_job = field_validator("before", "after", mode="wrap")(read_stored_job)

    @property
    def name(self) -> str:
        """The name of the job."""
        return self.after.name

    @property
    def is_move(self) -> bool:
        """Whether the job moves to another group."""
        return self.before.group != self.after.group

    def fields(self) -> tuple[str, ...]:
        """The names of the fields that differ."""
        names = type(self.after).model_fields
        return tuple(name for name in names if getattr(self.before, name) != getattr(self.after, name))

    def __str__(self) -> str:
        """Returns the old and new values, shortened, such as ``schedule: At 00:00, UTC -> At 05:00, UTC``.
        Values whose name suggests a secret, such as ``password``, are shown as ``***``."""
        from stepsched.jobs.differences import describe_differences

        return (
            describe_differences(self.before, self.after)
            or ", ".join(self.fields())
            or "the backend's settings"
        )

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table

        return record_table([("job", self.name), ("version", str(self.version)), ("change", str(self))])


class Plan(Displayed, Value, frozen=True):
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
    namesakes: tuple[JobRecord, ...] = ()
    """Jobs that stepsched created in other groups, and that have the name of a job of ``create``. The plan
    does not change them. Empty on a backend where names are unique across groups."""
    unsearched: tuple[str, ...] = ()
    """The other groups of the backend, in which ``prune`` has not looked for jobs to cancel, sorted. Empty
    without ``prune``."""
    empty_groups: tuple[str, ...] = ()
    """Groups that are named in ``prune`` and have no job, neither a stored nor a given one, sorted. Perhaps
    their names are misspelt."""
    paused: tuple[str, ...] = ()
    """The names of jobs, unchanged or updated, that are enabled in their definition and have been paused
    since: ``apply`` leaves them paused."""

    @staticmethod
    def between(
        stored: Iterable[JobRecord | Job],
        wanted: Iterable[Job],
        *,
        prune: bool | Collection[str] = False,
    ) -> Plan:
        """Compares jobs with stored ones that were read before, without a backend.

        A job that is stored in another group is moved, as on a backend where names are unique across groups,
        unless its name is stored in several groups.

        Args:
            stored: The stored jobs: records, such as of ``client.list()``; or jobs, such as of a file, which
                count as records at version 1, not paused.
            wanted: The jobs that are to be stored, with distinct names.
            prune: Whether stored jobs that are not among ``wanted`` are to be cancelled. True: in all groups.
                A collection of groups: only in these.

        Raises:
            TypeError: ``stored`` or ``wanted`` holds something else, or ``prune`` is neither a bool nor a
                collection of groups.
            ValueError: Two jobs have the same name, or ``prune`` holds what is not the name of a group.
        """
        chosen = checked_prune(prune)
        jobs = list(checked_jobs(wanted))
        refuse_repeats(jobs)
        records = [_as_record(each) for each in stored]
        by_name: dict[str, list[JobRecord]] = {}
        for record in records:
            by_name.setdefault(record.name, []).append(record)
        found, namesakes = list[JobRecord | None](), list[JobRecord]()
        for job in jobs:
            present = by_name.get(job.name, [])
            same = [each for each in present if each.job.group == job.group]
            same = same or [each for each in present if each.owned]
            found.append(same[0] if len(same) == 1 else None)
            namesakes += same if len(same) > 1 else []
        groups = {record.job.group for record in records} if chosen else set[str]()
        searched = groups if isinstance(chosen, bool) else chosen
        return make_plan(
            jobs,
            found,
            prune=[record for record in records if chosen and record.job.group in searched],
            namesakes=namesakes,
            unsearched=groups - searched,
            empty_groups=searched - groups,
        )

    @property
    def is_empty(self) -> bool:
        """Whether the plan contains no change."""
        return not (self.create or self.update or self.cancel)

    def __str__(self) -> str:
        """Returns one line per change, such as ``+ nightly-report  At 02:00, UTC``, then what the plan leaves
        alone, and the totals."""
        lines = [f"{sign} {name}  {words}".rstrip() for sign, name, words in self._lines()]
        return "\n".join([*lines, *self._notes(), self._totals()])

    def _lines(self) -> Iterator[tuple[str, str, str]]:
        for job in self.create:
            yield "+", job.name, job.schedule.describe() + ("" if job.enabled else ", disabled")
        paused = set(self.paused)
        for change in self.update:
            words = f"{change}; paused, stays paused" if change.name in paused else str(change)
            yield ">" if change.is_move else "~", change.name, words
        for record in self.cancel:
            group = record.job.group
            yield "-", record.name, "" if group == "default" else f"group: {group}"
        for name in self.unchanged:
            if name in paused:
                yield "=", name, "paused, stays paused"

    def _notes(self) -> Iterator[str]:
        for record in self.namesakes:
            group = record.job.group
            yield f"! {record.name}  group {group} has a job of this name too; use prune to move it"
        if self.unsearched:
            yield f"! not searched for jobs to cancel: {_listed(self.unsearched)}; use prune=[...]"
        if self.empty_groups:
            yield f"! no job in {_listed(self.empty_groups)}; correct prune=[...] if a name is misspelt"

    def _totals(self) -> str:
        moves = sum(change.is_move for change in self.update)
        moved = f" ({moves} to another group)" if moves else ""
        return (
            f"{len(self.create)} to create, {len(self.update)} to update{moved}, {len(self.cancel)} to "
            f"cancel, {len(self.unchanged)} unchanged"
        )

    def _shown_table(self) -> Table:
        from stepsched.display.table import MOST, Cell, table_of

        gone = iter(self.cancel)

        def row(line: tuple[str, str, str]) -> list[str | Cell]:
            sign, name, words = line
            verb = Cell(_VERBS[sign], tone="warn" if sign == "-" else "")
            return [verb, name, next(gone).job.schedule.describe() if sign == "-" else words]

        changes = len(self.create) + len(self.update) + len(self.cancel)
        kept = len(set(self.paused).intersection(self.unchanged))
        return table_of(
            self._lines(),
            ["change", "job", "what"],
            row,
            total=changes + kept,
            notes=[*(note.removeprefix("! ") for note in islice(self._notes(), MOST)), self._totals()],
        )


_VERBS = {"+": "create", "~": "update", ">": "move", "-": "cancel", "=": "keep"}
"""What the sign of a line stands for."""


def _listed(groups: Sequence[str]) -> str:
    shown = ", ".join(groups[:_GROUPS_SHOWN])
    more = len(groups) - _GROUPS_SHOWN
    words = "group" if len(groups) == 1 else "groups"
    return f"{words} {shown}" + (f" and {more} more" if more > 0 else "")


def make_plan(
    wanted: Sequence[Job],
    stored: Sequence[JobRecord | None],
    *,
    prune: Iterable[JobRecord] = (),
    namesakes: Iterable[JobRecord] = (),
    unsearched: Iterable[str] = (),
    empty_groups: Iterable[str] = (),
) -> Plan:
    """Compares jobs with the stored ones.

    Args:
        wanted: The jobs that are to be stored, with distinct names.
        stored: The stored record for each job of ``wanted``, or None. A record in another group is moved.
        prune: All stored jobs in question. Those that stepsched created and that are not in ``wanted`` are
            cancelled.
        namesakes: As in the plan.
        unsearched: As in the plan.
        empty_groups: The groups of ``prune`` that have no stored job.
    """
    refuse_repeats(wanted)
    pairs = [(job, record) for job, record in zip(wanted, stored, strict=True) if record is not None]
    kept = {(record.job.group, record.name) for _, record in pairs}
    unwanted = {
        (record.name, record.job.group): record
        for record in prune
        if record.owned and (record.job.group, record.name) not in kept
    }
    return Plan(
        create=tuple(job for job, record in zip(wanted, stored, strict=True) if record is None),
        update=tuple(
            Change(before=_in_effect(record, job), after=job, version=record.version)
            for job, record in pairs
            if not record.is_as_in(job)
        ),
        cancel=tuple(record for _, record in sorted(unwanted.items())),
        unchanged=tuple(job.name for job, record in pairs if record.is_as_in(job)),
        paused=tuple(job.name for job, record in pairs if _stays_paused(record, job)),
        namesakes=tuple(namesakes),
        unsearched=tuple(sorted(unsearched)),
        empty_groups=tuple(sorted(set(empty_groups) - {job.group for job in wanted})),
    )


def _as_record(stored: JobRecord | Job) -> JobRecord:
    if isinstance(stored, JobRecord):
        return stored
    if type(stored) is not Job:
        raise no_job(stored)
    return JobRecord(
        job=stored,
        status=first_status(stored),
        version=1,
        created_at=_UNKNOWN,
        updated_at=_UNKNOWN,
        next_run=None,
    )


def _stays_paused(record: JobRecord, wanted: Job) -> bool:
    """Returns whether a job that its definition enables is paused, and an update leaves it so."""
    after = status_after_update(record.status, record.job, wanted)
    return wanted.enabled and record.status is JobStatus.PAUSED and after is JobStatus.PAUSED


def _in_effect(record: JobRecord, wanted: Job) -> Job:
    """Returns the stored definition; enabled, if the job is active and stays disabled in its definition."""
    is_resumed = not record.job.enabled and not wanted.enabled and record.status is JobStatus.ACTIVE
    return record.job.replace(enabled=True) if is_resumed else record.job


def refuse_repeats(jobs: Sequence[Job]) -> None:
    """Refuses jobs with duplicate names.

    Raises:
        ValueError: Two jobs have the same name; the error lists such names.
    """
    counts = Counter(job.name for job in jobs)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise ValueError(f"duplicate job names: {', '.join(twice)}")
