"""Commands that store the definition of a job: ``create`` and ``update``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

import stepsched as ss
from stepsched.cli.declaring import command
from stepsched.cli.input.job_options import (
    Given,
    ProgramCommand,
    changed_job,
    definition_options,
    job_of_file,
    new_job,
    with_program,
)
from stepsched.cli.input.parameters import JOB_NAME
from stepsched.cli.session import Session, pass_session


@command(
    "create",
    cls=ProgramCommand,
    examples=(
        "stepsched create tidy --schedule 'rate(1 hour)' -- rm -rf /tmp/reports",
        "stepsched create hourly --schedule '0 * * * *' --timezone Europe/Paris --dry-run -- true",
    ),
)
@click.argument("name", required=False)
@click.option("--group", metavar="NAME", help="The group of the job.")
@definition_options
@click.option("--dry-run", is_flag=True, help="Check the job and show it, and store nothing.")
@click.pass_context
@pass_session
def create(
    session: Session,
    ctx: click.Context,
    *,
    name: str | None,
    group: str | None,
    file: str | None,
    dry_run: bool,
) -> None:
    """Store a new job, from options or from a file.

    Creating an equal job again changes nothing, and is no error.
    """
    from stepsched.cli.output.job_text import job_view, record_view

    job = _new(name, with_program(ctx), group, file)
    client = session.client(is_dry_run=True)  # so that no file is made for a job that is refused
    job.refuse_if_over(client.backend.now())
    client.backend.check(job)
    if dry_run:
        _refuse_another(client, job)
        session.show(job_view(job, session.now()))
        session.tell(f"job {job.name!r} can be created; nothing was stored")
        return
    if isinstance(client.backend, ss.LocalBackend):
        client = session.client(creates=True)
    try:
        record, words = client.backend.create(client.backend.prepare(job)), "created"
    except ss.JobExistsError:
        record, words = client.create(job), "nothing to do: it exists already, with the same definition"
    session.show(record_view(record, session.now()))
    session.tell(f"job {job.name!r}: {words}")
    _tell_who_runs_it(session, client, job)


@command(
    "update",
    cls=ProgramCommand,
    examples=(
        "stepsched update nightly-report --schedule 'cron(30 2 * * ? *)'",
        "stepsched update nightly-report --description 'The report of the night' --tag team=finance",
    ),
)
@click.argument("name", required=False, type=JOB_NAME)
@click.option("--group", metavar="NAME", help="The group of the job, if several have one of this name.")
@click.option("--new-group", metavar="NAME", help="Move the job to this group.")
@click.option("--untag", metavar="KEY", multiple=True, help="Remove a tag. May be repeated.")
@definition_options
@click.option("--dry-run", is_flag=True, help="Check the change and show it, and store nothing.")
@click.pass_context
@pass_session
def update(
    session: Session,
    ctx: click.Context,
    *,
    name: str | None,
    group: str | None,
    new_group: str | None,
    untag: Sequence[str],
    file: str | None,
    dry_run: bool,
) -> None:
    """Change a stored job: only what is named, or all by a file.

    A paused job stays paused. The word none removes an optional value, such as --end none.
    """
    from stepsched.cli.output.job_text import job_view, record_view

    given = with_program(ctx)
    if untag:
        given = {**given, ("tags",): {**dict.fromkeys(untag), **given.get(("tags",), {})}}
    wanted = None if file is None else _of_file(file, name, given, new_group)
    if wanted is None and name is None:
        raise click.UsageError("expected the NAME of a job, or --file FILE")
    if wanted is None and not given and new_group is None:
        raise click.UsageError("expected at least one change, such as --schedule EXPRESSION; --help has all")
    client = session.client()
    record = client.get(name or (wanted.name if wanted else ""), group=group)
    job = changed_job(record.job, given, new_group) if wanted is None else wanted
    if record.is_as_in(job):
        session.show(record_view(record, session.now()))
        session.tell(f"job {job.name!r}: nothing to change{_stays(record, record.job)}")
        return
    change = ss.jobs.Change(before=record.job, after=job, version=record.version)
    job.refuse_if_over(client.backend.now())
    client.backend.prepare(job)
    if dry_run:
        session.show(replace(job_view(job, session.now()), text=f"{change}\n"))
        session.tell(f"job {job.name!r} can be updated; nothing was stored")
        return
    updated = _changed(client, change)
    session.show(record_view(updated, session.now()))
    session.tell(
        f"job {job.name!r} updated to version {updated.version}: {change}{_stays(updated, record.job)}"
    )
    _tell_who_runs_it(session, client, job)


def _new(name: str | None, given: Given, group: str | None, file: str | None) -> ss.Job:
    if file is not None:
        return _of_file(file, name, given, group)
    if name is None:
        raise click.UsageError("expected the NAME of the job, or --file FILE")
    return new_job(name, given, group)


def _of_file(file: str, name: str | None, given: Given, group: str | None) -> ss.Job:
    """Returns the job of a file, which must have the name if one is given.

    Raises:
        UsageError: There are options beside the file, or the name differs.
    """
    if given or group is not None:
        raise click.UsageError("expected either --file or options that define the job, got both")
    job = job_of_file(file)
    if name is not None and name != job.name:
        raise click.UsageError(f"--file {file}: its job is named {job.name!r}, not {name!r}")
    return job


def _refuse_another(client: ss.SchedulerClient, job: ss.Job) -> None:
    """Refuses a job whose name another one has.

    Raises:
        JobExistsError: A different job of this name is stored.
    """
    (present,) = client.backend.find([job])
    if present is not None and present.job != job:
        raise ss.JobExistsError(job.name)


def _changed(client: ss.SchedulerClient, change: ss.jobs.Change) -> ss.JobRecord:
    """Stores a change, which may move the job to another group."""
    if not change.is_move:
        return client.update(change.after, expected_version=change.version)
    try:
        client.apply(ss.jobs.Plan(update=(change,)))
    except ss.errors.BulkError as error:
        raise error.failures[change.name] from error
    return client.get(change.name, group=change.after.group)


def _stays(record: ss.JobRecord, before: ss.Job) -> str:
    """Returns what is to be said of a job that stays paused."""
    if record.status is not ss.JobStatus.PAUSED or not record.job.enabled or not before.enabled:
        return ""
    return f"; it stays paused, `stepsched resume {record.name}` resumes it"


def _tell_who_runs_it(session: Session, client: ss.SchedulerClient, job: ss.Job) -> None:
    """Tells what must run, so that the jobs of a file run."""
    if not isinstance(client.backend, ss.LocalBackend):
        return
    here = ("handler", "command", "http")
    kinds = sorted({type(each).__name__ for each in _parts(job) if each.kind not in here})
    if kinds:
        session.tell(
            f"it calls AWS: a program that registers a handler for {', '.join(kinds)} must run the jobs of "
            "this file"
        )
    elif session.is_terminal:
        session.tell("it runs while `stepsched serve`, or a program of yours, runs the jobs of this file")


def _parts(job: ss.Job) -> list[Any]:
    targets = list(job.target.targets) if job.target.kind == "parallel" else [job.target]
    return [*targets, *(each for each in (job.dead_letter, job.notify) if each is not None)]
