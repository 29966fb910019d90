"""Commands about files of jobs: ``check``, ``plan``, ``apply``, ``export``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

import stepsched as ss
from stepsched.cli.declaring import CHANGES, DETAILED, PlanCommand, command, selection_options
from stepsched.cli.failures import NOT_FOUND, USAGE, Failure
from stepsched.cli.input import job_files
from stepsched.cli.input.checks import FileCheck, check_file, checks_view
from stepsched.cli.output.plan_views import applied_view, plan_text, plan_view
from stepsched.cli.output.views import jobs_file_view
from stepsched.cli.session import Session, pass_session
from stepsched.cli.watching.waiting import warn_if_unserved

if TYPE_CHECKING:
    from stepsched.jobs import Plan

Function = TypeVar("Function", bound=Callable[..., Any])


@command("check", examples=("stepsched check jobs.yaml", "stepsched check jobs.yaml --backend local:jobs.db"))
@job_files.files_argument
@pass_session
def check(session: Session, files: tuple[str, ...]) -> None:
    """Look for all mistakes in files of jobs.

    FILE is a JSON or YAML file, a Python file or module, or - for the standard input. No backend is asked,
    unless --backend is given here: then each job is checked with it too. The exit code is 2 if there is a
    mistake.
    """
    job_files.refuse_repeats(files)
    backend = None if session.backend is None else session.client(is_dry_run=True).backend
    found = list[FileCheck]()
    for file in files:
        found.append(check_file(file, earlier=found, now=session.now(), backend=backend))
    session.show(checks_view(found))
    if any(each.problems for each in found):
        raise Failure("", USAGE)


def _prune_options(function: Function) -> Function:
    for option in (
        click.option(
            "--prune-group",
            "groups",
            metavar="NAME",
            multiple=True,
            help="Cancel stored jobs that are not in the files, only in this group. May be repeated.",
        ),
        click.option("--prune", is_flag=True, help="Cancel stored jobs that are not in the files."),
    ):
        function = option(function)
    return function


def _prune_of(groups: Sequence[str], *, prune: bool) -> bool | Collection[str]:
    return list(groups) or prune


@command(
    "plan",
    cls=PlanCommand,
    examples=("stepsched plan jobs.yaml", "stepsched plan jobs.yaml --prune --stored jobs.yaml"),
)
@job_files.files_argument
@_prune_options
@click.option("--offline", is_flag=True, help="Ask no backend: compare with nothing, or with --stored.")
@click.option(
    "--stored",
    metavar="FILE",
    help="Compare with what `stepsched list -o json` or `export` printed, or with a file of jobs; ask no "
    "backend.",
)
@click.option(DETAILED, "is_detailed", is_flag=True, help="Exit with 0: no change, 1: error, 2: changes.")
@pass_session
def plan(
    session: Session,
    *,
    files: tuple[str, ...],
    prune: bool,
    groups: tuple[str, ...],
    offline: bool,
    stored: str | None,
    is_detailed: bool,
) -> None:
    """Show what `stepsched apply` would change; change nothing.

    + is created, ~ updated, > moved to another group, - cancelled, = left as it is. Jobs that were paused
    stay paused.
    """
    if stored == "-" and "-" in files:
        raise click.UsageError("expected one use of the standard input, got - as FILE and for --stored")
    jobs = job_files.jobs_of(files)
    chosen = _prune_of(groups, prune=prune)
    if offline or stored is not None:
        present = [] if stored is None else job_files.stored_in(stored)
        made = _offline_plan(session, jobs, present, prune=chosen)
    else:
        made = session.client(is_dry_run=True).plan(jobs, prune=chosen)
    session.show(plan_view(made))
    if is_detailed and not made.is_empty:
        raise Failure("", CHANGES)


def _offline_plan(
    session: Session, jobs: Sequence[ss.Job], stored: Sequence[Any], *, prune: bool | Collection[str]
) -> Plan:
    made = ss.jobs.Plan.between(stored, jobs, prune=prune)
    for job in (*made.create, *(change.after for change in made.update)):
        job.refuse_if_over(session.now())
    return made


@command(
    "apply",
    examples=(
        "stepsched apply jobs.yaml",
        "stepsched apply jobs.yaml --prune --yes",
        "stepsched list -o json | stepsched apply -",
    ),
)
@job_files.files_argument
@_prune_options
@click.option("--dry-run", is_flag=True, help="Show the plan, as `stepsched plan` does, and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before jobs are cancelled.")
@pass_session
def apply(
    session: Session,
    *,
    files: tuple[str, ...],
    prune: bool,
    groups: tuple[str, ...],
    dry_run: bool,
    yes: bool,
) -> None:
    """Store jobs of files: create, update and, with --prune, cancel.

    FILE may also be what `stepsched list -o json` or `export` printed, a plan of `stepsched plan -o json`,
    which is then applied as it is, or - for the standard input. Paused jobs stay paused.
    """
    chosen = _prune_of(groups, prune=prune)
    job_files.refuse_repeats(files)
    texts = {file: job_files.read_text(file) for file in files if job_files.is_document(file)}
    made = _given_plan(files, texts)
    if made is not None and chosen:
        raise click.UsageError("expected no --prune with a plan, which has what is cancelled already")
    jobs = job_files.jobs_of(files, texts) if made is None else []
    client = session.client(is_dry_run=True)  # so that no file is made before all is checked
    if made is None:
        made = client.plan(jobs, prune=chosen)
    else:
        for job in (*made.create, *(change.after for change in made.update)):
            job.refuse_if_over(session.now())
            client.backend.check(job)
    if dry_run:
        session.show(plan_view(made))
        return
    session.tell(plan_text(made))
    if made.cancel:
        count = len(made.cancel)
        session.confirm(f"Cancel {count} job{'s' if count > 1 else ''}?", yes=yes)
    if not made.is_empty and isinstance(client.backend, ss.LocalBackend):
        client = session.client(creates=True)
    session.show(applied_view(client.apply(made)))
    if session.is_terminal and (made.create or made.update):
        warn_if_unserved(session, client)


def _given_plan(files: Sequence[str], texts: Mapping[str, str]) -> Plan | None:
    """Returns the plan that the only file holds; None if the files hold jobs."""
    for file, text in texts.items():
        made = job_files.plan_in(text)
        if made is not None and len(files) > 1:
            raise click.UsageError(f"expected a plan alone, got {job_files.source_of(file)} and other files")
        if made is not None:
            return made
    return None


@command(
    "export",
    examples=("stepsched export", "stepsched export stored.yaml --tag team=finance"),
)
@click.argument("file", metavar="[FILE]", required=False)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before a file is replaced.")
@selection_options
@pass_session
def export(
    session: Session,
    *,
    file: str | None,
    yes: bool,
    prefix: str | None,
    group: str | None,
    tags: dict[str, str],
) -> None:
    """Write the stored jobs as a file of jobs.

    FILE ends in .json, .yaml or .yml; without it, the jobs are printed. `stepsched apply` takes it. Whether a
    job is paused is not part of it.
    """
    records = session.client().list(name_prefix=prefix, group=group, tags=tags)
    if not records:
        raise Failure("no job is stored that matches; a file of jobs has at least one", NOT_FOUND)
    _refuse_namesakes(records)
    jobs = [record.job for record in records]
    if file is None or file == "-":
        session.show(jobs_file_view(jobs, is_table=session.format == "table"))
        return
    if Path(file).exists():
        session.confirm(f"Replace {file}?", yes=yes)
    ss.dump_jobs(jobs, file)
    session.tell(f"{len(jobs)} job{'' if len(jobs) == 1 else 's'} written to {file}")


def _refuse_namesakes(records: Sequence[ss.JobRecord]) -> None:
    groups: dict[str, list[str]] = {}
    for record in records:
        groups.setdefault(record.name, []).append(record.job.group)
    for name, homes in groups.items():
        if len(homes) > 1:
            raise click.UsageError(
                f"job {name!r} is stored in the groups {' and '.join(homes)}, and a file has each name once; "
                "use --group"
            )


COMMANDS = (check, plan, apply, export)
