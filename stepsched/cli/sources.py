"""The files of jobs that a command line names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import stepsched as ss
from stepsched.cli.failures import NOT_FOUND, Failure

if TYPE_CHECKING:
    from stepsched.jobs import Job

Function = TypeVar("Function", bound=Callable[..., Any])
FILE = click.Path(allow_dash=True)


def files_argument(function: Function) -> Function:
    """Adds the argument ``FILE...``: files of jobs."""
    return click.argument("files", metavar="FILE...", type=FILE, nargs=-1, required=True)(function)


def read_jobs(files: Sequence[str]) -> list[Job]:
    """Returns the jobs of all files, in order.

    Raises:
        JobFileError: A file is refused.
        UsageError: Two files have a job of the same name.
    """
    homes, jobs = dict[str, str](), list["Job"]()
    for file in files:
        for job in ss.load_jobs(file):
            if job.name in homes:
                raise click.UsageError(
                    f"expected distinct job names, got {job.name!r} in {homes[job.name]} and in {file}"
                )
            homes[job.name] = file
            jobs.append(job)
    return jobs


def read_job(file: str, name: str | None) -> Job:
    """Returns one job of a file.

    Args:
        file: The file.
        name: The name of the job. None: the only job of the file.

    Raises:
        JobFileError: The file is refused.
        UsageError: The file has several jobs, and none is named.
        Failure: The file has no such job.
    """
    jobs = {job.name: job for job in ss.load_jobs(file)}
    names = ", ".join(list(jobs)[:10]) + (f" and {len(jobs) - 10} more" if len(jobs) > 10 else "")
    if name is None:
        if len(jobs) > 1:
            raise click.UsageError(f"expected the name of one job, for {file} has {len(jobs)}: {names}")
        return next(iter(jobs.values()))
    if name not in jobs:
        raise Failure(f"there is no job {name!r} in {file}; it has {names}", NOT_FOUND)
    return jobs[name]


def interval_document(file: str) -> Mapping[str, Any] | None:
    """Returns the document of an interval job that a file holds; None if it holds something else."""
    if not file.lower().endswith(".json"):
        return None
    try:
        document = json.loads(Path(file).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None  # whoever reads jobs from it says what is wrong
    return document if isinstance(document, dict) and "startDateTime" in document else None
