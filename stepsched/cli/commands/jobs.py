"""Commands about stored jobs: ``list``, ``get``, ``create``, ``update``, ``pause``, ``resume`` and
``cancel``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import click

import stepsched as ss
from stepsched.cli.commands.definitions import create, update
from stepsched.cli.declaring import command, selection_options
from stepsched.cli.input.documents import read_document, read_file
from stepsched.cli.input.parameters import JOB_NAME
from stepsched.cli.input.selections import Key, Outcome, Selection, Skipped, many_options, perform, question
from stepsched.cli.output.views import jobs_view
from stepsched.cli.session import Session, pass_session
from stepsched.cli.watching.waiting import warn_if_unserved


@command("list", examples=("stepsched list", "stepsched list --status paused -o name"))
@click.option(
    "--status", type=click.Choice(("active", "paused", "ended")), help="Only jobs with this status."
)
@selection_options
@pass_session
def list_jobs(
    session: Session, status: str | None, prefix: str | None, group: str | None, tags: dict[str, str]
) -> None:
    """Show the stored jobs, with their next and last run."""
    client = session.client()
    found = client.list(status=status, name_prefix=prefix, group=group, tags=tags)
    view = jobs_view(found, session.now())
    if status or prefix or group or tags:
        view = replace(view, empty="no job matches")
    session.show(view)
    if session.is_terminal and any(each.next_run and each.next_run < session.now() for each in found):
        warn_if_unserved(session, client)


@command("get", examples=("stepsched get nightly-report", "stepsched get nightly-report -o json > job.json"))
@click.argument("name", type=JOB_NAME)
@click.option("--group", metavar="NAME", help="The group of the job, if several have one of this name.")
@pass_session
def get(session: Session, name: str, group: str | None) -> None:
    """Show when a job runs, what it does, how its last run ended."""
    from stepsched.cli.output.job_text import record_view

    session.show(record_view(session.client().get(name, group=group), session.now()))


@command(
    "pause",
    examples=(
        "stepsched pause nightly-report --reason 'the database moves'",
        "stepsched pause --all --reason maintenance > window.json",
    ),
)
@many_options
@click.option("--reason", metavar="TEXT", help="Why, for people; kept until the job is resumed.")
@click.option("--stop-run", is_flag=True, help="Stop a run in progress too; it then fails.")
@pass_session
def pause(
    session: Session,
    *,
    selection: Selection,
    reason: str | None,
    stop_run: bool,
) -> None:
    """Pause jobs: no further run comes due.

    The jobs that it has paused are printed: `stepsched resume --from FILE` resumes exactly these. Jobs that
    were paused before are not among them.
    """
    selection.check("pause")
    client = session.client()
    if selection.names or stop_run:
        keys = selection.find(client, session, status="active")
        verb = _pausing(client, reason, stop_run=stop_run)
        outcome = perform(client, keys, verb, is_selected=not selection.names)
    else:
        outcome = _pause_selected(client, selection, reason)
    _finish(session, outcome, "no active job matches")


def _pausing(
    client: ss.SchedulerClient, reason: str | None, *, stop_run: bool
) -> Callable[[Key], ss.JobRecord]:
    """Returns the verb that pauses a job, and leaves one that is paused already out."""

    def pause_one(key: Key) -> ss.JobRecord:
        before = client.get(key.name, group=key.group)
        record = client.pause(key.name, group=key.group, stop_run=stop_run, reason=reason)
        if before.status is not ss.JobStatus.PAUSED:
            return record
        is_replaced = reason is not None and before.pause_reason != reason
        raise Skipped(
            f"job {key.name!r} was paused already" + ("; its reason is replaced" if is_replaced else "")
        )

    return pause_one


def _pause_selected(client: ss.SchedulerClient, selection: Selection, reason: str | None) -> Outcome:
    """Pauses the active jobs of a selection: those and no others, whoever else pauses jobs just now."""
    _, _, prefix, group, tags = selection
    try:
        records = client.pause_many(name_prefix=prefix, group=group, tags=tags, reason=reason)
    except ss.errors.BulkError as error:
        return Outcome(list(error.records), error.failures, [])
    return Outcome(records, {}, [])


@command(
    "resume",
    examples=("stepsched resume nightly-report", "stepsched resume --tag team=finance"),
)
@many_options
@click.option(
    "--from", "source", metavar="FILE", help="The jobs that `stepsched pause` has printed; - is stdin."
)
@pass_session
def resume(
    session: Session,
    *,
    selection: Selection,
    source: str | None,
) -> None:
    """Resume paused jobs: their runs come due again from now on."""
    if source is None:
        selection.check("resume")
    elif not selection.is_empty:
        raise click.UsageError("expected either --from or names and selections, got both")
    paused = {} if source is None else _paused_in(source)
    client = session.client()

    def attempt(key: Key) -> ss.JobRecord:
        before = client.get(key.name, group=key.group)
        if before.status is ss.JobStatus.ACTIVE:
            raise Skipped(f"job {key.name!r} is active already")
        return client.resume(key.name, group=key.group)

    def attempt_again(key: Key) -> ss.JobRecord:
        try:
            before = client.get(key.name, group=key.group)
        except ss.JobNotFoundError as error:
            raise Skipped(f"job {key.name!r} was cancelled in the meantime") from error
        if before.status is not ss.JobStatus.PAUSED:
            raise Skipped(f"job {key.name!r} is {before.status.value} already; somebody has resumed it")
        if before.pause_reason != paused[key]:
            raise Skipped(f"job {key.name!r} stays paused: its pause has another reason now")
        return client.resume(key.name, group=key.group)

    verb = attempt if source is None else attempt_again
    keys = selection.find(client, session, status="paused") if source is None else list(paused)
    is_selected = source is None and not selection.names
    _finish(session, perform(client, keys, verb, is_selected=is_selected), "no paused job matches")


@command(
    "cancel",
    examples=("stepsched cancel cleanup --yes", "stepsched cancel --prefix test- --yes"),
)
@many_options
@click.option("--stop-run", is_flag=True, help="Stop a run in progress too; it then fails.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def cancel(
    session: Session,
    *,
    selection: Selection,
    stop_run: bool,
    yes: bool,
) -> None:
    """Delete jobs and their runs that have not started. Their history is kept.

    What it has deleted is printed: `stepsched create --file` makes such a job again.
    """
    selection.check("cancel")
    client = session.client()
    keys = selection.find(client, session)
    if keys and not yes:
        session.confirm(question("Cancel", _known(client, keys, session)), yes=yes)

    def cancel_one(key: Key) -> ss.JobRecord:
        return client.cancel(key.name, group=key.group, stop_run=stop_run)

    is_selected = not selection.names
    _finish(session, perform(client, keys, cancel_one, is_selected=is_selected), "no job matches")


def _known(client: ss.SchedulerClient, keys: Sequence[Key], session: Session) -> Sequence[Key]:
    """Returns the jobs that are there. Ends the command if none is, before it asks anything."""
    found = perform(client, keys, lambda key: client.get(key.name, group=key.group))
    if not found.records:
        found.end(session)
    return [Key(record.name, record.job.group) for record in found.records]


def _finish(session: Session, outcome: Outcome, empty: str) -> None:
    """Shows what a verb has changed, and ends the command if something failed."""
    if outcome.records or not outcome.failures:
        view = jobs_view(outcome.records, session.now())
        session.show(replace(view, empty="nothing has changed" if outcome.skipped else empty))
    outcome.end(session)


def _paused_in(path: str) -> dict[Key, str | None]:
    """Returns the jobs of a file that ``stepsched pause`` has printed, with the reasons of their pauses.

    Raises:
        UsageError: The file is no such list.
    """
    source = f"--from {path}"
    records = read_document(read_file(path, option="--from"), source=source)
    found = dict[Key, str | None]()
    for record in records if isinstance(records, list) else [None]:
        job = record.get("job") if isinstance(record, dict) else None
        name, group = (job.get("name"), job.get("group")) if isinstance(job, dict) else (None, None)
        if not (isinstance(record, dict) and isinstance(name, str) and isinstance(group, str)):
            raise click.UsageError(
                f"{source}: expected the list that `stepsched pause -o json` prints, got something else"
            )
        found[Key(name, group)] = record.get("pause_reason")
    return found


COMMANDS = (list_jobs, get, create, update, pause, resume, cancel)
