"""Commands about *when*, without a backend: ``next``, ``explain``, ``timeline``, ``crontab``."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import click

import stepsched as ss
from stepsched.cli.declaring import command
from stepsched.cli.input import job_files
from stepsched.cli.input.expressions import (
    expression_argument,
    expression_options,
    read_expression,
    schedule_options,
)
from stepsched.cli.input.parameters import INSTANT, MOST_RUNS, NUMBER_OF_RUNS
from stepsched.cli.output.explanations import explanation_of, explanation_view
from stepsched.cli.output.tables import Column
from stepsched.cli.output.times import distance_text, instant_text
from stepsched.cli.output.views import NAME, View, jobs_file_view, runs_of_view
from stepsched.cli.session import Session, pass_session

_NEXT = 5
"""The number of next runs, if nothing else is said."""
_SHOWN = 50
"""The number of runs that a terminal shows of a timeline."""


@command(
    "next",
    is_offline=True,
    examples=(
        "stepsched next 'cron(0 9 ? * MON-FRI *)' --timezone Europe/Paris",
        "stepsched next '*/5 9-17 * * 1-5' -n 3 --after 2030-01-31T00:00Z",
        "stepsched next 'rate(1 hour)' --until now+6h",
        "stepsched next 'every month' --start 2030-01-31T09:00 --timezone Europe/Paris",
        "stepsched next --document jobs.yaml closing-books",
        "stepsched next --document job.json",
    ),
)
@expression_argument(is_required=False)
@click.option("--document", metavar="FILE", help="A file of jobs, or the document of an interval job.")
@schedule_options
@click.option(
    "-n", "--number", type=NUMBER_OF_RUNS, help="How many runs; 5, if neither this nor --until is given."
)
@click.option("--after", type=INSTANT, help="The runs after this instant, exclusive; now, if not given.")
@click.option("--until", type=INSTANT, help="The runs up to this instant, inclusive.")
@pass_session
def next_runs(
    session: Session,
    expression: str | None,
    document: str | None,
    timezone: str | None,
    start: str | None,
    end: str | None,
    number: int | None,
    after: datetime | None,
    until: datetime | None,
) -> None:
    """Show the next runs of an expression.

    EXPRESSION is cron( ), rate( ) or at( ), a line of a crontab, or a step such as 'every month' with
    --start. With --document it is the name of a job of the file, if the file has several. A document
    {execution, job} of an interval job gives the next execution, as the calculator of such a job does.
    """
    if document is not None:
        _refuse_with_document(timezone=timezone, start=start, end=end)
        content = job_files.content_of(document)
        if isinstance(content.document, dict) and "execution" in content.document:
            _refuse_with_document(EXPRESSION=expression, after=after, until=until)
            _show_calculation(session, content.document)
            return
        schedule = _schedule_in(content, expression)
    elif expression is None:
        raise click.UsageError("expected an expression, or --document FILE")
    else:
        schedule = read_expression(expression, timezone=timezone, start=start, end=end)
    now = session.now()
    runs = _first(schedule, number, after or now, until)
    session.show(runs_of_view(runs, now, getattr(schedule, "timezone", None)))


def _first(
    schedule: ss.Schedule, number: int | None, after: datetime, until: datetime | None
) -> list[datetime]:
    if number is None and until is None:
        number = _NEXT
    runs = list(islice(schedule.runs(after=after, until=until), MOST_RUNS + 1 if number is None else number))
    if number is None and len(runs) > MOST_RUNS:
        raise click.UsageError(
            f"there are more than {MOST_RUNS:,} runs until then; use --number, or an earlier --until"
        )
    return runs


def _refuse_with_document(**options: object) -> None:
    given = [f"--{name}" if name.islower() else name for name, value in options.items() if value is not None]
    if given:
        raise click.UsageError(f"expected no {given[0]}: the document says it; leave it out")


def _show_calculation(session: Session, event: dict[str, Any]) -> None:
    run = ss.jobs.next_interval_run(event)
    view = View(document=lambda: run, names=[run["name"]])
    session.write(view.to_json()) if session.format == "table" else session.show(view)


def _schedule_in(content: job_files.Content, name: str | None) -> ss.Schedule:
    """Returns the schedule of a file: of the document of an interval job, or of a job."""
    document = content.document
    if isinstance(document, dict) and not {"job", "jobs", "target"} & document.keys():
        if name is not None and name != document.get("id"):
            raise click.UsageError(f"expected no name: the file holds one interval job, got {name!r}")
        target = ss.CommandTarget(["true"])  # the document names none
        return ss.Job.from_document(document, target=target).schedule
    return content.job(name).schedule


@command(
    "explain",
    is_offline=True,
    examples=(
        "stepsched explain 'cron(30 2 ? * SUN *)' --timezone Europe/Paris",
        "stepsched explain '0 9 * * 1-5'",
        "stepsched explain 'every 3 months' --start 2030-01-31T09:00",
    ),
)
@expression_options
@pass_session
def explain(
    session: Session, expression: str, timezone: str | None, start: str | None, end: str | None
) -> None:
    """Say what an expression means, in words, and when it runs."""
    schedule = read_expression(expression, timezone=timezone, start=start, end=end)
    now = session.now()
    session.show(explanation_view(explanation_of(expression, schedule, now), now))


@command(
    "timeline",
    is_offline=True,
    examples=(
        "stepsched timeline jobs.yaml",
        "stepsched timeline jobs.yaml --days 31 --after 2030-02-01T00:00Z -o json",
    ),
)
@job_files.files_argument
@click.option("--days", type=click.FloatRange(0, 36_525), default=7, show_default=True, help="How many days.")
@click.option("--after", type=INSTANT, help="The runs after this instant, exclusive; now, if not given.")
@pass_session
def timeline(session: Session, files: tuple[str, ...], days: float, after: datetime | None) -> None:
    """Show all runs of the jobs of files, in order.

    Disabled jobs have no runs. A rate without start is counted from the beginning.
    """
    jobs = job_files.jobs_of(files)
    disabled = [job.name for job in jobs if not job.enabled]
    jobs = [job for job in jobs if job.enabled]
    if disabled:
        session.tell(f"left out, for they are disabled: {', '.join(disabled)}")
    now = session.now()
    begin = after or now
    try:
        end = begin + timedelta(days=days)
    except OverflowError as error:
        raise click.UsageError(f"--days: expected an end before the year 10000, got {days:g}") from error
    found = ss.timeline([job.schedule for job in jobs], after=begin, until=end)
    runs = list(islice(found, MOST_RUNS + 1))
    is_table, rest = session.format == "table", len(runs) - _SHOWN
    if len(runs) > MOST_RUNS and not is_table:
        raise click.UsageError(f"there are more than {MOST_RUNS:,} runs in {days:g} days; use fewer --days")
    session.show(_timeline_view(runs[:_SHOWN] if is_table else runs, jobs, now, f"{days:g} days"))
    if is_table and rest > 0:
        count = f"{rest:,}" if len(runs) <= MOST_RUNS else f"more than {rest - 1:,}"
        session.tell(f"and {count} more runs until {instant_text(end)}; -o json prints all")


def _timeline_view(runs: list[Any], jobs: list[ss.Job], now: datetime, length: str) -> View:
    zones = [getattr(job.schedule, "timezone", None) for job in jobs]
    return View(
        document=lambda: [
            {"at": run.scheduled_for.isoformat(), "job": jobs[run.position].name} for run in runs
        ],
        names=(jobs[run.position].name for run in runs),
        columns=[Column("WHEN", is_whole=True), Column("IN", is_whole=True), NAME._replace(title="JOB")],
        rows=(
            (
                f"{run.scheduled_for:%a} {instant_text(run.scheduled_for, zones[run.position])}",
                distance_text(run.scheduled_for, now),
                jobs[run.position].name,
            )
            for run in runs
        ),
        empty=f"no run within {length}",
    )


@command(
    "crontab",
    is_offline=True,
    examples=(
        "stepsched crontab crontab.txt --timezone Europe/Paris",
        "stepsched crontab crontab.txt -o yaml > cron-jobs.yaml",
    ),
)
@click.argument("file", metavar="FILE")
@click.option("--timezone", metavar="ZONE", default="UTC", show_default=True, help="The IANA zone.")
@pass_session
def crontab(session: Session, file: str, timezone: str) -> None:
    """Turn the lines of a crontab into a file of jobs.

    FILE is in the format of `crontab -l`; - is the standard input.
    """
    if file == "-":
        text, source = job_files.read_text(file), job_files.STANDARD_INPUT
        jobs = ss.jobs.read_crontab(text, timezone=timezone, source=source)
    else:
        jobs = ss.load_crontab(file, timezone=timezone)
    session.show(jobs_file_view(jobs, is_table=session.format == "table"))


COMMANDS = (next_runs, explain, timeline, crontab)
