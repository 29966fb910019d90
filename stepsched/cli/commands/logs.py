"""The command ``logs``: what happens to runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import click

import stepsched as ss
from stepsched.cli.declaring import command
from stepsched.cli.failures import READER_GONE, sentence_of
from stepsched.cli.input.parameters import INSTANT, JOB_NAME, NUMBER
from stepsched.cli.output.times import second_text, zoned
from stepsched.cli.output.zones import Zones
from stepsched.cli.session import Session, pass_session
from stepsched.cli.watching.histories import History, RunEvent
from stepsched.cli.watching.waiting import warn_if_unserved
from stepsched.cli.wording import visible_json
from stepsched.core.masking import text_without_secrets
from stepsched.display.table import visible
from stepsched.jobs.shown import took_cell

_PAUSE = 1.0
"""The pause between two polls of a file, in seconds."""
_PAUSE_OF_SERVICE = 5.0
"""The pause between two polls of a service, whose reads cost money."""
_COLORS = {
    "succeeded": "green",
    "failed": "red",
    "retried": "yellow",
    "missed": "yellow",
    "skipped": "yellow",
}


@command(
    "logs",
    examples=(
        "stepsched logs nightly-report",
        "stepsched logs --since now-1d -o json",
        "stepsched logs --tail 2",
    ),
)
@click.argument("name", type=JOB_NAME, required=False)
@click.option("--since", type=INSTANT, help="What happened at or after this instant.")
@click.option("-n", "--tail", type=NUMBER, help="Of what has happened, only this many of the latest events.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on, until Ctrl-C.")
@pass_session
def logs(
    session: Session, name: str | None, since: datetime | None, tail: int | None, *, follow: bool
) -> None:
    """Show what happened to runs, or follow what happens.

    The events are read from the recorded runs, so that this works from any process. A run of several attempts
    shows the start of the latest one only; --follow shows those that it sees. With --follow, and
    without --since or --tail, it begins now.

    JSON is one object a line: at, kind (started, retried, succeeded, failed, skipped or missed), job, and
    run, which is the run as it is recorded.
    """
    if session.output in ("yaml", "name"):
        raise click.UsageError(f"expected table or json for -o, got {session.output}: events have no names")
    client = session.client()
    if follow and since is None and tail is None:
        since = client.backend.now()
    history = History(client, name, since=since)
    zones = Zones(session, client)
    events = history.poll()
    _write(session, events if tail is None else events[max(0, len(events) - tail) :], zones)
    if follow:
        _tell_of_following(session, client, name)
        pause = _PAUSE if client.backend.first_pause < _PAUSE else _PAUSE_OF_SERVICE
        for events in followed(session, history, pause):
            _write(session, events, zones)
    elif not events and session.is_terminal and session.format == "table":
        session.tell("nothing has happened yet" if since is None else "nothing has happened since then")


def _tell_of_following(session: Session, client: ss.SchedulerClient, name: str | None) -> None:
    """Tells a person, who may see no line for long, what is followed."""
    if session.is_error_terminal and session.format == "table":
        warn_if_unserved(session, client)
        session.tell(f"following the runs of {f'job {name!r}' if name else 'all jobs'}; Ctrl-C ends it")


def followed(session: Session, history: History, pause: float) -> Iterator[list[RunEvent]]:
    """Yields the events of every further poll, until nobody reads the output.

    Args:
        session: The session, which pauses, and tells of outages.
        history: The history, after its first poll.
        pause: The pause before each poll, in seconds.

    Raises:
        BackendError: The history cannot be read, and could not be later either.
    """
    has_failed = False
    while True:
        session.pause(pause)
        if session.is_reader_gone:
            raise SystemExit(READER_GONE)
        try:
            events = history.poll()
        except ss.BackendError as error:
            if error.code == ss.errors.ErrorCode.REPLACED:  # such as by a copy
                history.reopen(session.client())
                continue
            if not error.retryable:
                raise
            if not has_failed:  # once an outage
                session.tell(f"warning: {visible(sentence_of(error))}; trying again")
            has_failed = True
        else:
            has_failed = False
            yield events


def _write(session: Session, events: list[RunEvent], zones: Zones) -> None:
    known = zones.of(event.run for event in events)
    for event in events:
        session.write(
            _lines(event, known.get(event.run.job), is_colored=session.is_colored)
            if session.format == "table"
            else _json_line(event)
        )


def _json_line(event: RunEvent) -> str:
    document = {
        "at": _local(event).isoformat(),
        "kind": event.kind.value,
        "job": event.run.job,
        "run": event.run.model_dump(mode="json"),
    }
    return visible_json(json.dumps(document, ensure_ascii=False, allow_nan=False)) + "\n"


def _local(event: RunEvent) -> datetime:
    """Returns the instant of an event with the offset of the run's scheduled instant."""
    return event.at.astimezone(event.run.scheduled_for.tzinfo)


def _lines(event: RunEvent, zone: str | None, *, is_colored: bool) -> str:
    """Returns the line of an event, and below that of a failure the traceback, indented."""
    run, kind, words = event.run, event.kind.value, _words(event)
    if is_colored and kind in _COLORS:
        words = click.style(words, fg=_COLORS[kind])
    at = second_text(zoned(_local(event), zone))
    text = f"{at}  {run.id}  {visible(run.job)}  {words}\n"
    if kind in ("failed", "retried") and run.traceback is not None:
        lines = text_without_secrets(run.traceback).rstrip().split("\n")
        text += "".join(f"    {visible(line)}\n" for line in lines)
    return text


def _words(event: RunEvent) -> str:
    run = event.run
    reason = f": {visible(text_without_secrets(' '.join(run.error.split())))}" if run.error else ""
    took = took_cell(run, run.ended_at or event.at).text
    match event.kind.value:
        case "started":
            return "started" if run.attempt <= 1 else f"started, attempt {run.attempt}"
        case "succeeded":
            return f"succeeded in {took}"
        case "retried":
            return f"attempt {run.attempt} failed, the next one follows{reason}"
        case "failed":
            return f"failed after {took}{reason}" if took != "-" else f"failed{reason}"
        case kind:
            return f"{kind}{reason}"


COMMANDS = (logs,)
