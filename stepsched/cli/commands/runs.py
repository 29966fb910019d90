"""Commands about runs: ``run-now``, ``wait``, ``runs``, ``upcoming``, ``versions`` and ``backfill``, and with
them those of :mod:`~stepsched.cli.commands.recovery`, :mod:`~stepsched.cli.commands.logs` and
:mod:`~stepsched.cli.commands.watch`."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import click

import stepsched as ss
from stepsched.cli.commands import logs, recovery, watch
from stepsched.cli.declaring import command, selection_options
from stepsched.cli.failures import NOT_FOUND, Failure
from stepsched.cli.input.parameters import INSTANT, JOB_NAME, LENGTH, MOST_RUNS, NUMBER, NUMBER_OF_RUNS
from stepsched.cli.output.run_views import run_view, runs_view, upcoming_view, versions_view
from stepsched.cli.output.zones import Zones
from stepsched.cli.session import Session, pass_session
from stepsched.cli.watching.waiting import (
    refuse_endless_wait,
    refuse_failure,
    wait_for,
    warn_if_unserved,
)
from stepsched.display.table import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stepsched.jobs import Run, UpcomingRun

_LATEST = 50
"""The number of runs that ``runs`` shows on a terminal."""
_NEXT = 20
"""The number of runs that ``upcoming`` shows if it is not told an end."""

_timeout = click.option(
    "--timeout",
    type=LENGTH,
    help="Wait no longer than this, such as 10m; the run goes on. No limit, if not given.",
)
_group = click.option("--group", metavar="NAME", help="The group of the job, where several have the name.")


@command("run-now", examples=("stepsched run-now nightly-report", "stepsched run-now cleanup -o name"))
@click.argument("name", type=JOB_NAME)
@_group
@click.option("--wait", "waits", is_flag=True, help="Wait until the run has ended; exit code 8 if it fails.")
@_timeout
@pass_session
def run_now(
    session: Session, name: str, group: str | None, *, waits: bool, timeout: timedelta | None
) -> None:
    """Run a job once, now.

    With --wait the exit code is 0 if the run succeeds, 8 if it fails or is skipped or missed, and 124 if it
    has not ended within --timeout.
    """
    if timeout is not None and not waits:
        raise click.UsageError("expected --wait with --timeout; `stepsched run-now` alone does not wait")
    client = session.client()
    if waits:
        refuse_endless_wait(client, name)
    run = client.run_now(name, group=group)
    warn_if_unserved(session, client)
    if waits:
        session.tell(f"run {run.id} of job {visible(run.job)} is recorded; waiting for its end")
        run = wait_for(session, client, run, timeout=timeout)
    session.show(run_view(run, session.now(), Zones(session, client).of([run])))
    if waits:
        refuse_failure(run)


@command("wait", examples=("stepsched wait nightly-report --timeout 10s", "stepsched wait cleanup --run 3"))
@click.argument("name", type=JOB_NAME)
@click.option("--run", "number", type=NUMBER, metavar="ID", help="The run; the latest, if not given.")
@_timeout
@pass_session
def wait(session: Session, name: str, number: int | None, timeout: timedelta | None) -> None:
    """Wait until a run has ended.

    The exit code is 0 if the run has succeeded, 8 if it has failed or was skipped or missed, and 124 if it
    has not ended within --timeout.
    """
    client = session.client()
    run = _run_of(client, name, number)
    if not run.status.has_ended:
        warn_if_unserved(session, client)
        run = wait_for(session, client, run, timeout=timeout)
    session.show(run_view(run, session.now(), Zones(session, client).of([run])))
    refuse_failure(run)


def _run_of(client: ss.SchedulerClient, name: str, number: int | None) -> Run:
    """Returns the run of that ID, or the latest run of the job.

    Raises:
        RunNotFoundError: There is no such run.
        Failure: The job has no run.
    """
    if number is not None:
        found = next((run for run in client.runs(name) if run.id == number), None)
        if found is None:
            raise ss.errors.RunNotFoundError(name, number)
        return found
    latest = client.runs(name, limit=1)
    if not latest:
        raise Failure(f"job {name!r} has no run yet; `stepsched run-now` starts one", NOT_FOUND)
    return latest[0]


@command(
    "runs",
    examples=("stepsched runs nightly-report", "stepsched runs --status failed --since now-7d -o json"),
)
@click.argument("name", type=JOB_NAME, required=False)
@click.option(
    "--status",
    metavar="STATUS",
    help="Only runs with this status: pending, running, succeeded, failed, skipped or missed.",
)
@click.option("--since", type=INSTANT, help="Only runs that were due at or after this instant.")
@click.option("--until", type=INSTANT, help="Only runs that were due at or before this instant.")
@click.option(
    "--limit",
    type=NUMBER,
    metavar="N",
    help=f"Only the latest N runs; {_LATEST} on a terminal and all on a pipe, if not given.",
)
@pass_session
def runs(
    session: Session,
    name: str | None,
    status: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
) -> None:
    """Show the recorded runs of a job or of all, the latest last."""
    most = _LATEST + 1 if limit is None and session.is_terminal and session.format == "table" else limit
    client = session.client()
    found = client.runs(name, status=status, since=since, until=until, limit=most)
    if most != limit and len(found) > _LATEST:
        found = found[-_LATEST:]
        session.tell(f"these are the latest {_LATEST} runs; use --limit or --since to see more")
    session.show(
        runs_view(
            found, session.now(), Zones(session, client).of(found), empty="no run is recorded that matches"
        )
    )


@command("upcoming", examples=("stepsched upcoming", "stepsched upcoming nightly-report --until now+7d"))
@click.argument("name", type=JOB_NAME, required=False)
@click.option("--until", type=INSTANT, help="The runs up to this instant, inclusive.")
@click.option(
    "--limit",
    type=NUMBER_OF_RUNS,
    metavar="N",
    help=f"The next N runs; {_NEXT}, if neither this nor --until is given.",
)
@selection_options
@pass_session
def upcoming(
    session: Session,
    name: str | None,
    until: datetime | None,
    limit: int | None,
    prefix: str | None,
    group: str | None,
    tags: dict[str, str],
) -> None:
    """Show the next runs of a job, or of all active jobs, in order."""
    if name is not None and (prefix is not None or tags):
        raise click.UsageError("expected either the name of a job or --prefix and --tag, got both")
    if until is None and limit is None:
        limit = _NEXT
    client = session.client()
    if name is None:
        found: Iterable[UpcomingRun] = client.upcoming(
            until=until, limit=limit, name_prefix=prefix, group=group, tags=tags
        )
        session.show(upcoming_view(_some(found), session.now()))
        return
    record = client.get(name, group=group)
    is_active = record.status is ss.JobStatus.ACTIVE
    found = ss.jobs.Upcoming([record], after=client.backend.now(), until=until, limit=limit)
    empty = "no run is left" if is_active else f"job {name} is {record.status.value}"
    session.show(upcoming_view(_some(found) if is_active else [], session.now(), empty=empty))


def _some(found: Iterable[UpcomingRun]) -> list[UpcomingRun]:
    """Returns the runs.

    Raises:
        UsageError: There are too many to be printed.
    """
    runs = list(islice(found, MOST_RUNS + 1))
    if len(runs) > MOST_RUNS:
        raise click.UsageError(
            f"there are more than {MOST_RUNS:,} runs; use an earlier --until, or --limit N"
        )
    return runs


@command("versions", examples=("stepsched versions nightly-report", "stepsched versions cleanup -o json"))
@click.argument("name", type=JOB_NAME)
@_group
@pass_session
def versions(session: Session, name: str, group: str | None) -> None:
    """Show the earlier definitions of a job, and what was changed."""
    client = session.client()
    found = client.versions(name, group=group)
    session.show(versions_view(found, client.get(name, group=group)))


@command(
    "backfill",
    examples=(
        "stepsched backfill nightly-report --since now-3d --until now",
        "stepsched backfill cleanup --since 2024-01-01T00:00Z --until 2024-01-03T00:00Z",
    ),
)
@click.argument("name", type=JOB_NAME)
@click.option("--since", type=INSTANT, required=True, help="The first instant of the range, inclusive.")
@click.option("--until", type=INSTANT, required=True, help="The last instant of the range, inclusive.")
@_group
@pass_session
def backfill(session: Session, name: str, since: datetime, until: datetime, group: str | None) -> None:
    """Run a job for scheduled instants that have passed.

    Instants that already have a run are left out, so that the command can be repeated.
    """
    client = session.client()
    found = client.backfill(name, since=since, until=until, group=group)
    if found:
        warn_if_unserved(session, client)
    session.show(
        runs_view(
            found,
            session.now(),
            Zones(session, client).of(found),
            empty="no instant of the range is without a run",
        )
    )


COMMANDS = (
    run_now,
    wait,
    runs,
    upcoming,
    versions,
    backfill,
    *recovery.COMMANDS,
    *logs.COMMANDS,
    *watch.COMMANDS,
)
