"""Commands that run jobs in this process: ``serve``, and ``play`` on a fake clock."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import click

import stepsched as ss
from stepsched.cli import places
from stepsched.cli.declaring import command
from stepsched.cli.failures import INTERRUPTED, Failure
from stepsched.cli.input.addresses import SECRET, TOKEN, Address, AddressType
from stepsched.cli.input.job_files import files_argument, is_document, jobs_of, read_text, refuse_repeats
from stepsched.cli.input.parameters import INSTANT, LENGTH, NumberType
from stepsched.cli.output.streams import Item, Stream
from stepsched.cli.output.tables import Column
from stepsched.cli.output.times import instant_text, scheduled_text
from stepsched.cli.session import Session, pass_session
from stepsched.cli.watching import serving, web
from stepsched.display.table import visible

if TYPE_CHECKING:
    from stepsched.jobs import Event, Job
    from stepsched.testing import PlayedRun

_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
_FILES_OF_JOBS = (".json", ".yaml", ".yml", ".py")
_COLUMNS = (Column("WHEN", is_whole=True), Column("JOB", is_whole=True), Column("TARGET"), Column("INPUT"))


# -- serve ---------------------------------------------------------------------------------------------


@command(
    "serve",
    has_form=False,
    examples=(
        "stepsched serve jobs.db",
        "stepsched serve jobs.db --workers 2 --grace 30s",
        "stepsched serve jobs.db --http 127.0.0.1:8080",
    ),
)
@click.argument("file", metavar="[FILE.db]", type=click.Path(), required=False)
@click.option(
    "--handlers-from",
    "modules",
    metavar="MODULE",
    multiple=True,
    help="A module whose functions jobs may call, with the modules below it. May be repeated.",
)
@click.option(
    "--private-host",
    "private_hosts",
    metavar="HOST",
    multiple=True,
    help="A name, IP address or network that is not public and that jobs may call. May be repeated.",
)
@click.option(
    "--workers", type=NumberType(1), default=8, show_default=True, help="The most runs at the same time."
)
@click.option("--grace", type=LENGTH, help="The longest wait for runs at the end; no limit, if not given.")
@click.option(
    "--http",
    "address",
    type=AddressType(),
    metavar="HOST:PORT",
    help="Serve a page, the jobs as REST and one-shot tasks there too; :PORT is on this machine alone.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(),
    help=f"Its first line is the token that --http asks for; if not given, {TOKEN}.",
)
@click.option(
    "--secret-file",
    metavar="FILE",
    type=click.Path(),
    help=f"Its first line is the secret of one-shot tasks; if not given, {SECRET}.",
)
@click.option(
    "--allow-target",
    "targets",
    metavar="KIND",
    multiple=True,
    help="A kind of target that callers of --http may use, such as command. May be repeated.",
)
@click.option(
    "--allow-host",
    "hosts",
    metavar="NAME",
    multiple=True,
    help="A name by which browsers reach --http, such as that of a proxy. May be repeated.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing about jobs and runs.")
@pass_session
def serve(
    session: Session,
    *,
    file: str | None,
    modules: Sequence[str],
    private_hosts: Sequence[str],
    workers: int,
    grace: timedelta | None,
    address: Address | None,
    token_file: str | None,
    secret_file: str | None,
    targets: Sequence[str],
    hosts: Sequence[str],
    quiet: bool,
) -> None:
    """Run what is due, in this process, until SIGTERM or Ctrl-C.

    Whoever may write the file decides what is called: commands, and functions of the modules that
    --handlers-from names. Functions of other modules are never imported: their runs wait. Several processes
    may serve one file; each run is of one of them.

    After the first signal no run starts, and runs in progress are awaited for --grace. A second signal ends
    the wait: what still runs is started again by the next process that serves the file.

    With --http, the file is served to browsers and programs too. Without a token this is only on an address
    of this machine for itself, where everyone who has an account on it may use it.
    """
    path = _file_of_jobs(session, file)
    options = web.checked(
        address, token_file=token_file, secret_file=secret_file, targets=targets, hosts=hosts
    )
    serving.import_modules(modules)
    opened = session.cleanup.enter_context(web.listening(options))
    modules = [*modules, *web.handlers_of(options)]

    def say(line: str) -> None:
        session.tell(visible(line))

    def say_event(event: Event) -> None:
        line = serving.event_text(event)
        if line is not None:
            say(line)

    def end(end_requests: Callable[[], object]) -> None:
        end_requests()
        with suppress(ss.StepschedError):  # runs are awaited all the same
            running = len(ss.SchedulerClient(backend).runs(status=ss.RunStatus.RUNNING))
            if running and not quiet:
                say(serving.waiting_text(running, grace))

    with serving.log_lines(session.tell):
        backend = _opened(session, path, modules, workers, private_hosts)
        greeting = [] if quiet else _greeting(session, path, backend, modules)
        with web.serving_beside(options, opened, backend, say) as end_requests:
            for line in greeting:
                say(line)
            if not quiet:
                backend.listen(say_event)
            ended_by = backend.serve(grace=grace, on_stop=partial(end, end_requests))
    if ended_by is signal.SIGINT:
        raise Failure("", INTERRUPTED)


def _greeting(session: Session, path: str, backend: ss.LocalBackend, modules: Sequence[str]) -> list[str]:
    """Returns what is said of the jobs at the start."""
    records = ss.SchedulerClient(backend).list()
    flows = len(ss.WorkflowClient(backend).runs(status="running"))
    warnings = serving.what_waits(backend, records, modules)
    return [
        serving.greeting(path, records, session.now(), flows),
        *(f"warning: {warning}" for warning in warnings),
    ]


def _file_of_jobs(session: Session, file: str | None) -> str:
    """Returns the path of the database.

    Raises:
        UsageError: The jobs are not in a local file, or the file is another one.
    """
    if file is None:
        place = places.find_place(session.backend)
        if place.kind != "local":
            raise click.UsageError(
                f"expected a file of stored jobs, got the backend {place.kind}:{place.name}, which runs its "
                "jobs itself; use `stepsched serve FILE.db`"
            )
        file = place.name
    elif session.backend is not None:
        raise click.UsageError(f"expected FILE.db or --backend, got both: {file} and {session.backend}")
    elif file.startswith("local:"):
        file = file.removeprefix("local:")
    if file.lower().endswith(_FILES_OF_JOBS):
        raise click.UsageError(
            f"expected the file of a backend, got {file}, a file of jobs; use `stepsched apply {file} "
            "--backend local:jobs.db`, then `stepsched serve jobs.db`"
        )
    return file


def _opened(
    session: Session, path: str, modules: Sequence[str], workers: int, private_hosts: Sequence[str]
) -> ss.LocalBackend:
    places.refuse_missing_folder(path)
    try:
        backend = ss.LocalBackend(
            path,
            workers=workers,
            handlers_from=modules,
            private_hosts=private_hosts,
            clock=session.clock,
        )
    except ValueError as error:
        raise click.UsageError(f"cannot serve {path}: {error}") from error
    session.cleanup.callback(backend.close)
    return backend


# -- play ----------------------------------------------------------------------------------------------


@command(
    "play",
    is_offline=True,
    examples=(
        "stepsched play jobs.yaml",
        "stepsched play jobs.yaml --from 2030-03-30T00:00+01:00 --until 2030-04-01T00:00+02:00",
        "stepsched play job.json",
    ),
)
@files_argument
@click.option("--from", "since", type=INSTANT, help="The beginning, inclusive; now, if not given.")
@click.option("--until", type=INSTANT, help="The end, inclusive; 7 days after the beginning, if not given.")
@pass_session
def play(session: Session, files: Sequence[str], since: datetime | None, until: datetime | None) -> None:
    """Play time: show what would run, in order, and run nothing.

    The jobs of the files run on a clock that jumps from run to run, with every target replaced: no function
    is imported, no command is started, nothing in AWS is called, and nothing is stored. A file may also be
    the document of an interval job; if nothing else is said, the play begins at its start then, if that is
    later than now.
    """
    from stepsched.core.instants import later_by

    jobs, intervals = _jobs_to_play(files)
    begin = since or _beginning(session.now().replace(microsecond=0), jobs, intervals)
    end = until or later_by(begin, _WEEK)
    if end < begin:
        raise click.UsageError(
            f"expected --until at or after {begin.isoformat()}, the beginning, got {end.isoformat()}"
        )
    found = ss.testing.play(jobs, since=begin, until=end)
    Stream(
        items=_items(_watched(session, found, begin, end), intervals),
        columns=_COLUMNS,
        widths=_widths(jobs, intervals),
        empty=f"no run from {instant_text(begin)} until {instant_text(end)}",
    ).show(session)


def _jobs_to_play(files: Sequence[str]) -> tuple[list[Job], set[str]]:
    """Returns the jobs, and the names of those that are interval jobs, whose documents name no target."""
    refuse_repeats(files)
    texts = {file: read_text(file) for file in files if is_document(file)}
    documents = {file: _interval_document(texts.get(file, "")) for file in files}
    jobs = jobs_of([file for file, document in documents.items() if document is None], texts)
    placeholder = ss.HandlerTarget("task:run")  # never called
    intervals = [
        ss.Job.from_document(document, target=placeholder)
        for document in documents.values()
        if document is not None
    ]
    names = [job.name for job in (*jobs, *intervals)]
    twice = next((name for name in names if names.count(name) > 1), None) if intervals else None
    if twice is not None:
        raise click.UsageError(f"expected distinct job names, got {twice!r} twice")
    return [*jobs, *intervals], {job.name for job in intervals}


def _interval_document(text: str) -> Mapping[str, Any] | None:
    """Returns the document of an interval job that a text holds; None if it holds something else."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None  # whoever reads jobs from it says what is wrong
    return document if isinstance(document, dict) and "startDateTime" in document else None


def _beginning(now: datetime, jobs: Sequence[Job], intervals: set[str]) -> datetime:
    """Returns now, or the start of an interval job, if nothing else is played and it is later."""
    schedules = [job.schedule for job in jobs if job.name in intervals]
    starts = [each.start.replace(tzinfo=timezone.utc) for each in schedules if isinstance(each, ss.Windowed)]
    return max(now, min(starts)) if len(starts) == len(jobs) else now


def _watched(
    session: Session, found: Iterator[PlayedRun], begin: datetime, end: datetime
) -> Iterator[PlayedRun]:
    """Yields the runs, with a progress bar if somebody waits who does not see the runs themselves."""
    from stepsched.display.progress import ignore, reporting

    silent = (lambda *_: ignore(None)) if session.is_terminal else None
    with reporting(silent, math.ceil((end - begin) / _DAY)) as show:
        for played in found:
            show((played.at - begin) // _DAY)
            yield played


def _widths(jobs: Sequence[Job], intervals: set[str]) -> list[int]:
    """Returns the widths of the columns, which are not known before the last run."""
    from rich.cells import cell_len

    from stepsched.targets.summaries import input_summary, target_summary

    zones = max((len(getattr(job.schedule, "timezone", "UTC")) for job in jobs), default=0)
    targets = [0, *(cell_len(target_summary(job.target)) for job in jobs if job.name not in intervals)]
    names = [0, *(cell_len(job.name) for job in jobs)]
    inputs = [0, *(cell_len(input_summary(job.input)) for job in jobs)]
    return [len("2030-01-07 09:00 +01:00 ") + zones, max(names), max(targets), max(inputs)]


def _items(found: Iterable[PlayedRun], intervals: set[str]) -> Iterator[Item]:
    from stepsched.core.masking import without_secrets
    from stepsched.targets.summaries import input_summary, target_summary

    targets = dict[str, tuple[str, Any]]()  # of each job, as text and as JSON
    for played in found:
        job = played.job
        if job.name not in targets:
            shown = target_summary(job.target), without_secrets(job.target.model_dump(mode="json"))
            targets[job.name] = ("-", None) if job.name in intervals else shown
        text, target = targets[job.name]
        when = scheduled_text(played.at.replace(microsecond=0), job.schedule)
        document = {
            "at": played.at.isoformat(),
            "scheduled_for": played.run.scheduled_for.isoformat(),
            "job": job.name,
            "group": job.group,
            "target": target,
            "input": without_secrets(played.input),
            "attempt": played.run.attempt,
        }
        yield Item(job.name, (when, job.name, text, input_summary(played.input)), document)


COMMANDS = (serve, play)
