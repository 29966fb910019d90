"""Commands about workflows: ``workflow put``, ``list``, ``start``, ``status``, ``runs``, ``wait``,
``restart``, ``skip``, ``cancel`` and ``draw``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

import stepsched as ss
from stepsched.cli.commands.workflow_pictures import draw
from stepsched.cli.declaring import Group, command
from stepsched.cli.input.job_files import FILE
from stepsched.cli.input.parameters import INSTANT, LENGTH, NUMBER
from stepsched.cli.input.workflow_files import (
    DOCUMENT,
    file_option,
    read_input,
    read_marks,
    workflow_named,
    workflows_in,
)
from stepsched.cli.output.workflow_views import plan_view, run_view, runs_view, versions_view
from stepsched.cli.session import Session, pass_session
from stepsched.cli.watching.waiting import warn_if_unserved
from stepsched.cli.watching.workflow_waiting import refuse_failure, wait_for
from stepsched.display.table import visible

if TYPE_CHECKING:
    from stepsched.workflows import WorkflowRun

_LATEST = 50
"""The number of runs that ``runs`` shows on a terminal."""
Function = TypeVar("Function", bound=Callable[..., Any])


def _waiting(function: Function) -> Function:
    """Adds the options of commands that may wait for the end of a run."""
    for option in (
        click.option(
            "--timeout",
            type=LENGTH,
            help="Wait no longer than this, such as 10m; the run goes on. No limit, if not given.",
        ),
        click.option(
            "--wait", "waits", is_flag=True, help="Wait until the run has ended; exit code 8 if it fails."
        ),
    ):
        function = option(function)
    return function


_input = click.option(
    "--input", "given", metavar="JSON", help="The input as JSON, or @FILE, or @- for the standard input."
)
_run = click.argument("run", metavar="RUN")


@command("put", examples=("stepsched workflow put flows.yaml", "stepsched workflow put flows.yaml -o name"))
@click.argument("files", metavar="FILE...", type=FILE, nargs=-1, required=True)
@DOCUMENT
@pass_session
def put(session: Session, files: Sequence[str], *, is_document: bool) -> None:
    """Store the workflows of files.

    Each is stored as its next version, unless it equals the latest one. A file is JSON or YAML, with targets
    as in files of jobs, or Python: flows.py, flows.py:nightly, package.module or package.module:nightly. - is
    the standard input.
    """
    found = [flow for file in files for flow in workflows_in(file, is_schedule=is_document)]
    names = [flow.name for flow in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise click.UsageError(f"expected distinct names of workflows, got {twice!r} twice")
    flows = session.workflows(creates=True)
    session.show(versions_view([flows.put(flow) for flow in found], session.now()))


@command("list", examples=("stepsched workflow list", "stepsched workflow list -o name"))
@pass_session
def list_(session: Session) -> None:
    """Show the stored workflows."""
    session.show(versions_view(session.workflows().list(), session.now()))


@command(
    "start",
    examples=(
        "stepsched workflow start billing --run-id thursday",
        """stepsched workflow start billing --input '{"day": "monday"}' --run-id wednesday -o name""",
    ),
)
@click.argument("name", metavar="[NAME]", required=False)
@file_option("Store the workflow of this file, and start it. NAME may be left out if the file has one.")
@_input
@click.option(
    "--run-id",
    metavar="ID",
    help="The ID of the run, which makes the command repeatable: a run that exists is not started again.",
)
@_waiting
@pass_session
def start(
    session: Session,
    name: str | None,
    file: str | None,
    given: str | None,
    run_id: str | None,
    *,
    is_document: bool,
    waits: bool,
    timeout: timedelta | None,
) -> None:
    """Start a run of a workflow.

    With --wait the exit code is 0 if the run succeeds, 8 if it fails or is cancelled, and 124 if it has not
    ended within --timeout.
    """
    _check_waiting(waits=waits, timeout=timeout)
    if file is None and name is None:
        raise click.UsageError("expected the name of a workflow, or --file FILE")
    wanted: Any = name if file is None else workflow_named(file, name, is_schedule=is_document)
    flows = session.workflows(creates=file is not None)
    run = flows.start(wanted, input=read_input(given), run_id=run_id)
    _went_on(session, flows, run, waits=waits, timeout=timeout)


@command(
    "status",
    examples=("stepsched workflow status billing", "stepsched workflow status billing/monday -o json"),
)
@_run
@pass_session
def status(session: Session, run: str) -> None:
    """Show the steps of a run.

    RUN is the key of a run, such as nightly/20300107T020000Z-k3f9, or the name of a workflow for its latest
    run, which is NAME/@latest too.
    """
    _show(session, session.workflows().status(run))


@command(
    "runs",
    examples=(
        "stepsched workflow runs billing",
        "stepsched workflow runs --status failed --since now-7d -o name",
    ),
)
@click.argument("name", required=False)
@click.option(
    "--status", metavar="STATUS", help="Only runs with this status: running, succeeded, failed or cancelled."
)
@click.option("--since", type=INSTANT, help="Only runs that started at or after this instant.")
@click.option("--until", type=INSTANT, help="Only runs that started at or before this instant.")
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
    """Show the runs of a workflow or of all, the latest last."""
    most = _LATEST + 1 if limit is None and session.is_terminal and session.format == "table" else limit
    found = session.workflows().runs(name, status=status, since=since, until=until, limit=most)
    if most != limit and len(found) > _LATEST:
        found = found[-_LATEST:]
        session.tell(f"these are the latest {_LATEST} runs; use --limit or --since to see more")
    session.show(runs_view(found, session.now()))


@command(
    "wait",
    examples=(
        "stepsched workflow wait billing/sunday --timeout 10s",
        "stepsched workflow wait billing/sunday -o name",
    ),
)
@_run
@click.option(
    "--timeout",
    type=LENGTH,
    help="Wait no longer than this, such as 10m; the run goes on. No limit, if not given.",
)
@pass_session
def wait(session: Session, run: str, timeout: timedelta | None) -> None:
    """Wait until a run has ended.

    The exit code is 0 if the run has succeeded, 8 if it has failed or was cancelled, and 124 if it has not
    ended within --timeout.
    """
    flows = session.workflows()
    present = flows.status(run)
    if not present.status.has_ended:
        warn_if_unserved(session, flows)
        present = wait_for(session, flows, present, timeout=timeout)
    _show(session, present)
    refuse_failure(present)


@command(
    "restart",
    examples=(
        "stepsched workflow restart billing/monday --dry-run",
        "stepsched workflow restart billing/monday --skip load",
    ),
)
@_run
@click.option(
    "--from", "from_", metavar="STEP", multiple=True,
    help="Run this step again, and all that need it. May be repeated.",
)  # fmt: skip
@click.option(
    "--only", metavar="STEP", multiple=True,
    help="Run this step again, and no others but those of further --only.",
)  # fmt: skip
@click.option(
    "--skip", metavar="STEP", multiple=True, help="Skip this step; it counts as done. May be repeated."
)
@click.option(
    "--mark-succeeded", "marks", metavar="STEP[=JSON]", multiple=True,
    help="Count this step as succeeded, with this output. May be repeated.",
)  # fmt: skip
@_input
@file_option("Follow the changed definition of this file from now on.")
@click.option(
    "--dry-run", is_flag=True, help="Show what would be done with every step, and why; change nothing."
)
@_waiting
@pass_session
def restart(
    session: Session,
    run: str,
    from_: tuple[str, ...],
    only: tuple[str, ...],
    skip: tuple[str, ...],
    marks: tuple[str, ...],
    given: str | None,
    file: str | None,
    *,
    is_document: bool,
    dry_run: bool,
    waits: bool,
    timeout: timedelta | None,
) -> None:
    """Restart a run where it failed.

    What has succeeded is not run again, and what still runs is awaited. The run keeps its key.
    """
    _check_waiting(waits=waits, timeout=timeout)
    flows = session.workflows()
    present = flows.status(run)
    changed = None if file is None else workflow_named(file, present.workflow, is_schedule=is_document)
    given_arguments: dict[str, Any] = {
        "from_": from_,
        "only": only,
        "skip": skip,
        "mark_succeeded": read_marks(marks),
        "input": read_input(given),
        "workflow": changed,
    }
    if dry_run:
        session.show(plan_view(flows.plan_restart(present, **given_arguments)))
        return
    _went_on(session, flows, flows.restart(present, **given_arguments), waits=waits, timeout=timeout)


@command(
    "skip",
    examples=(
        "stepsched workflow skip billing load --reason 'the file is there already'",
        "stepsched workflow skip billing/@latest load -o name",
    ),
)
@_run
@click.argument("step")
@click.option("--reason", metavar="TEXT", help="Why, for people.")
@pass_session
def skip(session: Session, run: str, step: str, reason: str | None) -> None:
    """Skip a step of a run: it counts as done.

    A running step is ended where the backend can. A run that has ended keeps its status until it is
    restarted.
    """
    _show(session, session.workflows().skip(run, step, reason=reason))


@command(
    "cancel",
    examples=("stepsched workflow cancel billing", "stepsched workflow cancel billing/tuesday --yes -o name"),
)
@_run
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def cancel(session: Session, run: str, *, yes: bool) -> None:
    """Cancel a run: no further step starts.

    Running steps are ended where the backend can. A run that has ended stays as it is.
    """
    flows = session.workflows()
    present = flows.status(run)
    if not present.status.has_ended:
        session.confirm(f"Cancel run {visible(present.key)}?", yes=yes)
    _show(session, flows.cancel(present))


def _check_waiting(*, waits: bool, timeout: timedelta | None) -> None:
    if timeout is not None and not waits:
        raise click.UsageError("expected --wait with --timeout; without it the command does not wait")


def _went_on(
    session: Session, flows: ss.WorkflowClient, run: WorkflowRun, *, waits: bool, timeout: timedelta | None
) -> None:
    """Shows a run that was started or restarted, at its end if the command waits."""
    if not run.status.has_ended:
        warn_if_unserved(session, flows)
    if waits:
        session.tell(f"run {visible(run.key)} goes on; waiting for its end")
        run = wait_for(session, flows, run, timeout=timeout)
    _show(session, run)
    if waits:
        refuse_failure(run)


def _show(session: Session, run: WorkflowRun) -> None:
    """Prints a run: as a table, with a line about the run before it."""
    from stepsched.workflows.run_texts import run_line

    if session.format == "table":
        session.write(f"{visible(run_line(run, session.now()))}\n\n")
    session.show(run_view(run, session.now()))


workflow = Group(
    "workflow",
    sections={
        "Definitions": (put, list_, draw),
        "Runs": (start, status, runs, wait, restart, skip, cancel),
    },
    help="Store, start, watch and restart workflows (job graphs).",
)
COMMANDS = (workflow,)
