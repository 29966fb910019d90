"""Commands about what has failed: ``dead-letters``, ``redrive`` and ``repair``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

import stepsched as ss
from stepsched.cli.declaring import command
from stepsched.cli.input.parameters import JOB_NAME, NUMBER
from stepsched.cli.output.run_views import dead_letters_view, repairs_view, runs_view
from stepsched.cli.output.zones import Zones
from stepsched.cli.session import Session, pass_session
from stepsched.cli.watching.waiting import warn_if_unserved

if TYPE_CHECKING:
    from stepsched.jobs import Run


@command("dead-letters", examples=("stepsched dead-letters", "stepsched dead-letters nightly-report -o name"))
@click.argument("name", type=JOB_NAME, required=False)
@pass_session
def dead_letters(session: Session, name: str | None) -> None:
    """Show the runs that have failed for good.

    On EventBridge Scheduler they are read from a queue, which the backend names:
    eventbridge:ROLE?dead_letter=QUEUE_ARN. No message is deleted.
    """
    client = session.client()
    found = _dead_letters(client, name)
    session.show(dead_letters_view(found, session.now(), Zones(session, client).of(found)))


@command(
    "redrive", examples=("stepsched redrive nightly-report --all", "stepsched redrive cleanup --all -o name")
)
@click.argument("name", type=JOB_NAME)
@click.option(
    "--run",
    "numbers",
    type=NUMBER,
    multiple=True,
    metavar="ID",
    help="A failed run, as `stepsched dead-letters` shows it. May be repeated.",
)
@click.option("--all", "takes_all", is_flag=True, help="All failed runs of the job.")
@pass_session
def redrive(session: Session, name: str, numbers: tuple[int, ...], *, takes_all: bool) -> None:
    """Run failed runs again, with all their attempts."""
    if takes_all == bool(numbers):
        raise click.UsageError(f"expected either --run ID or --all, got {'both' if numbers else 'neither'}")
    client = session.client()
    letters = {run.id: run for run in _dead_letters(client, name)}
    for number in numbers:
        if number not in letters:
            _refuse_run(client, name, number)
    chosen = [letters[number] for number in dict.fromkeys(numbers or letters)]
    done, failures = list[ss.Run](), dict[str, ss.StepschedError]()
    for run in chosen:
        try:
            done.append(client.redrive(run))
        except ss.StepschedError as error:  # noqa: PERF203 -- each run may fail for itself
            failures[f"run {run.id}"] = error
    if len(chosen) == len(failures) == 1:
        raise next(iter(failures.values()))
    if done:
        warn_if_unserved(session, client)
    session.show(
        runs_view(
            done,
            session.now(),
            Zones(session, client).of(done),
            empty=f"no run of job {name} has failed for good",
        )
    )
    if failures:
        raise ss.errors.BulkError(failures, len(done))


def _dead_letters(client: ss.SchedulerClient, name: str | None) -> Sequence[Run]:
    """Returns the runs that have failed for good.

    Raises:
        JobNotFoundError: There is neither a job of this name nor a run of one.
    """
    backend = client.backend
    if (
        not backend.capabilities.keeps_runs
        and isinstance(backend, ss.EventBridgeBackend)
        and backend.dead_letter_arn is None
    ):
        raise click.UsageError(
            "no dead-letter queue is named; use --backend 'eventbridge:ROLE?dead_letter=QUEUE_ARN'"
        )
    found = client.dead_letters(name)
    if not found and name is not None and client.backend.capabilities.keeps_runs:
        client.runs(name, limit=1)
    return found


def _refuse_run(client: ss.SchedulerClient, name: str, number: int) -> None:
    """Refuses a run that is not among the dead letters.

    Raises:
        InvalidTransitionError: The run has not failed.
        RunNotFoundError: There is no such run.
    """
    if client.backend.capabilities.keeps_runs:
        for run in client.runs(name):
            if run.id == number:
                words = f"a run that is {run.status.value}"
                raise ss.InvalidTransitionError(name, words, "redrive a run of")
    raise ss.errors.RunNotFoundError(name, number)


@command("repair", examples=("stepsched repair", "stepsched repair -o json"))
@pass_session
def repair(session: Session) -> None:
    """Repair jobs that do not come due, and runs that never end, also of workflows."""
    client = session.client()
    found = client.repair()
    with suppress(ss.UnsupportedError):  # the backend runs no workflows
        found += ss.WorkflowClient(client.backend).repair()
    session.show(repairs_view(found))


COMMANDS = (dead_letters, redrive, repair)
