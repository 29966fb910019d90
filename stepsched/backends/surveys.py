"""What a backend finds for a plan: the stored jobs of the wanted names, and those that may be pruned."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from stepsched.jobs import JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The stored jobs that matter for a plan."""

    stored: Sequence[JobRecord | None]
    """The stored job for each wanted one, or None. One in another group is to be moved."""
    others: Sequence[JobRecord] = ()
    """All jobs in the searched groups, and copies that an interrupted move has left in other groups."""
    namesakes: Sequence[JobRecord] = ()
    """Owned jobs in other groups that have the name of a wanted job without stored one, and stay there."""
    unsearched: Sequence[str] = ()
    """The other groups of the backend, which were not searched for jobs to cancel."""
    empty_groups: Sequence[str] = ()
    """The groups that were named to be searched and have no stored job."""


def survey_of_store(
    stored: Sequence[JobRecord | None], present: Iterable[JobRecord], *, prune: bool | Collection[str]
) -> Survey:
    """Returns the survey of a backend on which groups are labels, and all jobs belong to the backend.

    Args:
        stored: The stored job for each wanted one, or None.
        present: All stored jobs; not iterated without ``prune``.
        prune: Whether to search all groups, or the groups to search.
    """
    if prune is False:
        return Survey(stored=stored)
    found = list(present)
    others = [record for record in found if prune is True or record.job.group in prune]
    groups = {record.job.group for record in found} - {record.job.group for record in others}
    return Survey(
        stored=stored,
        others=others,
        unsearched=sorted(groups),
        empty_groups=empty_groups(others, prune=prune),
    )


def empty_groups(others: Iterable[JobRecord], *, prune: bool | Collection[str]) -> list[str]:
    """Returns the named groups that have none of the jobs in the searched groups, sorted."""
    named = set[str]() if isinstance(prune, bool) else set(prune)
    return sorted(named - {record.job.group for record in others})
