"""Jobs that change their group: which stored schedules are moved, and which an interrupted move has left.

A schedule cannot change its group. A move creates the schedule in the new group first, with the old group in
its metadata suffix, and then deletes the old one. If it is interrupted in between, both exist; a later plan
with ``prune`` recognises the old one by the suffix of the new one, and deletes it. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from stepsched.backends.surveys import Survey
from stepsched.jobs import Job, JobRecord


class Found(NamedTuple):
    """The stored schedule of a wanted job, in the job's own group."""

    record: JobRecord
    origin: str | None
    """The group from which the job was moved. None: it was not."""


def searched_groups(jobs: Iterable[Job], *, prune: bool | Collection[str]) -> list[str]:
    """Returns the groups in which all owned jobs are in question, sorted. ``True`` does not mean all groups
    of the account, which other programs share."""
    if isinstance(prune, bool):
        return sorted({job.group for job in jobs}) if prune else []
    return sorted(set(prune))


def is_left_by_move(old: JobRecord, found: Found) -> bool:
    """Whether a schedule in the group from which a job was moved is the one that the move has not deleted: it
    is not if it was created afterwards."""
    return old.owned and old.created_at <= found.record.created_at


def choose_moves(
    jobs: Sequence[Job],
    found: Sequence[Found | None],
    elsewhere: Iterable[JobRecord],
    others: Sequence[JobRecord],
    *,
    prune: bool | Collection[str],
) -> Survey:
    """Decides which schedules of the same names in other groups are moved.

    One in a searched group is moved. Of the other groups, ``prune=True`` moves a schedule only if no third
    group has the name: with several, the name evidently means different jobs in different groups.

    Args:
        jobs: The wanted jobs.
        found: The stored schedule for each wanted job in its own group.
        elsewhere: Schedules of the same names as the missing ones, in other groups.
        others: All jobs in the searched groups, and those that moves have left.
        prune: As in the port.
    """
    named = defaultdict[str, list[JobRecord]](list)
    for record in elsewhere:
        if record.owned:
            named[record.name].append(record)
    searched = searched_groups(jobs, prune=prune)
    stored, namesakes = list[JobRecord | None](), list[JobRecord]()
    for job, there in zip(jobs, found, strict=True):
        if there is not None:
            stored.append(there.record)
            continue
        candidates = sorted(named[job.name], key=lambda record: record.job.group)
        near = [record for record in candidates if record.job.group in searched]
        movable = near or (candidates if prune is True and len(candidates) == 1 else [])
        stored.append(movable[0] if movable else None)
        namesakes += [record for record in candidates if record not in near and record not in movable]
    return Survey(stored=stored, others=others, namesakes=namesakes)
