"""The files that a command line names: jobs, records of stored jobs, plans and other documents; ``-`` is the
standard input."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

import stepsched as ss
from stepsched.cli.failures import mistake_of
from stepsched.cli.places import import_from_here

if TYPE_CHECKING:
    from stepsched.jobs import Job, JobRecord, Plan

Function = TypeVar("Function", bound=Callable[..., Any])
FILE = click.Path(allow_dash=True)
"""The type of an argument for a file, which a shell completes."""
STANDARD_INPUT = "standard input"
_SUFFIXES = (".json", ".yaml", ".yml", ".py")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def files_argument(function: Function) -> Function:
    """Adds the argument for files of jobs, at least one."""
    return click.argument("files", metavar="FILE...", type=FILE, nargs=-1, required=True)(function)


def source_of(file: str) -> str:
    """Returns the name of a file in messages."""
    return STANDARD_INPUT if file == "-" else file


def read_text(file: str) -> str:
    """Returns the text of a file or of the standard input.

    Raises:
        JobFileError: It cannot be read, or is not UTF-8.
    """
    from stepsched.core import text_files

    if file != "-":
        return text_files.read_text(text_files.path_of(file, "the path of a file"))
    try:
        return text_files.text_of(sys.stdin, STANDARD_INPUT).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ss.errors.JobFileError(STANDARD_INPUT, f"it is not UTF-8: {error}") from error


def is_document(file: str) -> bool:
    """Returns whether a file is a text in JSON or YAML, by its name."""
    return file == "-" or file.lower().endswith(_SUFFIXES[:3])


def jobs_in(file: str, text: str | None = None) -> list[Job]:
    """Returns the jobs of a file, of the standard input, or of a module that can be imported from the working
    folder.

    Args:
        file: The file.
        text: Its text, if it has been read.

    Raises:
        JobFileError: It cannot be read, or a job is refused.
    """
    if is_document(file) and (text is not None or file == "-"):
        return _jobs_in_text(read_text(file) if text is None else text, file)
    path, is_known = Path(file), file.lower().endswith(_SUFFIXES)
    if path.is_dir():
        raise ss.errors.JobFileError(file, "it is a folder; name its files")
    if not is_known and path.exists():
        cure = "use a path ending in .json, .yaml, .yml or .py; `stepsched crontab` reads a crontab"
        raise ss.errors.JobFileError(file, f"its name does not tell its format; {cure}")
    if not is_known and _MODULE.fullmatch(file) is None:
        raise ss.errors.JobFileError(file, "no such file")
    if not is_known or file.lower().endswith(".py"):
        import_from_here()
    return ss.load_jobs(file)


def lines_in(file: str, text: str) -> list[int | None]:
    """Returns the line of each job of a text that has been read."""
    from stepsched.jobs.files import lines_of_jobs

    return lines_of_jobs(text, _form(text, file), source_of(file))


def jobs_of(files: Sequence[str], texts: Mapping[str, str] | None = None) -> list[Job]:
    """Returns the jobs of all files, in order.

    Args:
        files: The files.
        texts: The texts of the files that have been read.

    Raises:
        JobFileError: A file cannot be read, or a job is refused.
        UsageError: A name occurs in two files, or a file is named twice.
    """
    refuse_repeats(files)
    jobs, homes = list["Job"](), dict[str, str]()
    for file in files:
        for job in jobs_in(file, (texts or {}).get(file)):
            home = homes.setdefault(job.name, file)
            if home != file:
                homes_said = f"{source_of(home)} and {source_of(file)}"
                raise click.UsageError(f"expected distinct job names, got {job.name!r} in {homes_said}")
            jobs.append(job)
    return jobs


def refuse_repeats(files: Sequence[str]) -> None:
    """Refuses a file that is named twice.

    Raises:
        UsageError: One is.
    """
    for number, file in enumerate(files):
        if file in files[:number]:
            raise click.UsageError(f"expected distinct files, got {file} twice")


def job_named(file: str, name: str | None) -> Job:
    """Returns one job of a file.

    Args:
        file: The file.
        name: The name of the job. None: the only job of the file.

    Raises:
        JobFileError: The file cannot be read, or a job is refused.
        UsageError: The file has no such job, or several, and none is named.
    """
    return _named(jobs_in(file), source_of(file), name)


def _named(jobs: Sequence[Job], source: str, name: str | None) -> Job:
    names = [job.name for job in jobs]
    listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    if name is None and len(jobs) == 1:
        return jobs[0]
    if name is None:
        raise click.UsageError(f"expected the name of one of the jobs in {source}: {listed}")
    if name not in names:
        raise click.UsageError(f"expected the name of a job in {source}, got {name!r}; it has {listed}")
    return jobs[names.index(name)]


class Content(NamedTuple):
    """What a document holds."""

    document: Any
    """Plain data; None for a Python module."""
    job: Callable[[str | None], Job]
    """Returns the job of a name, or the only one."""


def content_of(file: str) -> Content:
    """Returns what a file holds that may be something else than jobs.

    Raises:
        JobFileError: It cannot be read.
    """
    if not is_document(file):
        return Content(None, lambda name: job_named(file, name))
    text = read_text(file)
    return Content(
        _plain(text, file),
        lambda name: _named(_jobs_in_text(text, file), source_of(file), name),
    )


def _jobs_in_text(text: str, file: str) -> list[Job]:
    return ss.jobs.read_jobs(text, form=_form(text, file), source=source_of(file))


def _form(text: str, file: str) -> Any:
    from stepsched.jobs.files import format_of

    if file == "-":
        return format_of(text)
    return "json" if file.lower().endswith(".json") else "yaml"


def _plain(text: str, file: str) -> Any:
    """Returns the data of a JSON or YAML text."""
    from stepsched.jobs.files import read_document

    return read_document(text, _form(text, file), source_of(file))


def plan_in(text: str) -> Plan | None:
    """Returns the plan that ``stepsched plan -o json`` has printed; None if the text is something else.

    Raises:
        UsageError: It is a plan, but another version of stepsched has made it, or it was changed.
    """
    import json

    if not text.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None  # whoever reads jobs from it says what is wrong
    if not {"create", "update", "cancel", "unchanged"} <= document.keys():
        return None
    try:
        made = ss.jobs.Plan.model_validate_json(text)
    except ValueError as error:
        raise click.UsageError(f"the plan cannot be read: {mistake_of(error)}") from error
    _refuse_contradictions(made)
    return made


def _refuse_contradictions(plan: Plan) -> None:
    """Refuses a plan that was changed so that a part of it could only fail after the rest was done.

    Raises:
        UsageError: It changes a job twice, or renames one.
    """
    wanted = [*plan.create, *(change.after for change in plan.update), *(each.job for each in plan.cancel)]
    keys = [(job.group, job.name) for job in wanted]
    twice = next((name for (_, name), count in Counter(keys).items() if count > 1), None)
    if twice is not None:
        raise click.UsageError(f"the plan cannot be applied: it changes job {twice!r} twice")
    for change in plan.update:
        if change.before.name != change.after.name:
            raise click.UsageError(f"the plan cannot be applied: it renames job {change.before.name!r}")


def stored_in(file: str) -> Sequence[JobRecord | Job]:
    """Returns what was stored, from a file that ``stepsched list`` or ``stepsched export`` has printed, or
    another file of jobs.

    Raises:
        JobFileError: The file cannot be read.
        UsageError: A record cannot be read.
    """
    if not is_document(file):
        return jobs_in(file)
    text = read_text(file)
    document = _plain(text, file)
    items = document if isinstance(document, list) else [document]
    if document == []:  # of a place without jobs
        return []
    if not all(isinstance(item, dict) and {"job", "status", "version"} <= item.keys() for item in items):
        return _jobs_in_text(text, file)
    records = list["JobRecord"]()
    for number, item in enumerate(items, 1):
        try:
            records.append(ss.JobRecord.model_validate(item))
        except ValueError as error:  # noqa: PERF203 -- the number of the record
            raise click.UsageError(
                f"record {number} of {source_of(file)} cannot be read: {mistake_of(error)}"
            ) from error
    return records
