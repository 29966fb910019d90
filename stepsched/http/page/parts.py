"""The parts of which the page is made: times, words for a status, links and buttons."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from stepsched.core.masking import text_without_secrets
from stepsched.core.quoting import shortened
from stepsched.display.times import distance_text, instant_text, length_text, took_text, zoned
from stepsched.http.page.markup import Child, Markup, element
from stepsched.jobs import JobRecord, JobStatus, Run, RunStatus, Trigger
from stepsched.schedules.zones import UTC

LATE = timedelta(seconds=5)
"""The delay from which a run is late, on top of its jitter."""
_ERROR = 300
"""The maximum number of characters of an error in a list."""
_SIGNS = {
    "active": "▶",
    "paused": "❚❚",
    "ended": "■",
    "succeeded": "✓",
    "failed": "✗",
    "running": "●",
    "pending": "○",
    "skipped": "»",
    "missed": "!",
}
"""The signs beside the words, so that a status is found without colors."""
VERBS = {"pause": "Pause", "resume": "Resume", "run": "Run now", "cancel": "Cancel"}
"""What the buttons do, with their words."""


def zone_of(record: JobRecord | None) -> str | None:
    """Returns the name of the zone of the job's schedule; None if it has none or is not known."""
    return None if record is None else getattr(record.job.schedule, "timezone", "UTC")


def absolute(instant: datetime, zone: str | None = None) -> Markup:
    """Returns an instant in a zone, with its offset and the name of the zone."""
    there = zoned(instant, zone).replace(microsecond=0)
    return element("time", f"{there:%a} {instant_text(there, zone)}", datetime=there.isoformat())


def relative(instant: datetime, now: datetime) -> Markup:
    """Returns how far an instant is from now. The script of the page keeps it true."""
    at = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return element("span", distance_text(instant, now), class_="relative", data_at=at)


def when(instant: datetime, zone: str | None, now: datetime) -> Markup:
    """Returns how far an instant is from now, and the instant itself below."""
    return element(
        "div", element("strong", relative(instant, now)), " ", absolute(instant, zone), class_="when"
    )


def status(word: str) -> Markup:
    """Returns the word for a status, with its sign."""
    sign = element("span", _SIGNS.get(word, "·"), aria_hidden="true", class_="sign")
    return element("span", sign, " ", word, class_=f"status {word}")


def job_link(name: str, group: str | None, root: str) -> Markup:
    """Returns a link to the page of a job."""
    return element("a", name, href=job_address(name, group, root), class_="job")


def job_address(name: str, group: str | None, root: str) -> str:
    """Returns the address of the page of a job.

    Args:
        name: The name of the job.
        group: The group of the job. None: any group.
        root: The path of the application.
    """
    query = {"name": name, **({} if group is None else {"group": group})}
    return f"{root}/page/job?{urlencode(query)}"


def button(verb: str, record: JobRecord, *, kind: str = "") -> Markup:
    """Returns a button that belongs to the form ``actions`` of the page."""
    return element(
        "button",
        VERBS[verb],
        type="submit",
        form="actions",
        name=verb,
        value=f"{record.job.group}/{record.name}",
        id=f"{verb} {record.job.group}/{record.name}",
        aria_label=f"{VERBS[verb]}: {record.name}",
        class_=f"{verb} {kind}".strip(),
    )


def buttons(record: JobRecord) -> list[Markup]:
    """Returns the buttons that apply to a job, but for its deletion."""
    runs = button("run", record)
    match record.status:
        case JobStatus.ACTIVE:
            return [button("pause", record), runs]
        case JobStatus.PAUSED:
            return [button("resume", record), runs]
        case _:
            return [runs]


# -- runs ----------------------------------------------------------------------------------------------


def delay_of(run: Run, record: JobRecord | None) -> timedelta | None:
    """Returns how late the latest attempt began; None if it was not late. Later attempts are late by the
    pauses before them, which is not said."""
    if run.started_at is None or run.attempt > 1 or run.trigger is not Trigger.SCHEDULE:
        return None
    delay = run.started_at - run.scheduled_for
    allowed = LATE + (record.job.jitter if record is not None else timedelta(0))
    return delay if delay >= allowed else None


def notes_on(run: Run, record: JobRecord | None) -> list[Markup]:
    """Returns what is special about a run: that it was late, retried, restarted, or not of the schedule."""
    notes = list[Markup]()
    delay = delay_of(run, record)
    if delay is not None:
        notes.append(element("span", f"{length_text(delay)} late", class_="note late"))
    if run.attempt > 1:
        most = f" of {record.job.retry.max_attempts + 1}" if record is not None else ""
        notes.append(element("span", f"attempt {run.attempt}{most}", class_="note retried"))
    if run.restarted:
        notes.append(element("span", "interrupted, started again", class_="note"))
    if run.trigger is not Trigger.SCHEDULE:
        words = {Trigger.MANUAL: "started by hand", Trigger.BACKFILL: "backfilled"}
        notes.append(element("span", words[run.trigger], class_="note"))
    return notes


def took(run: Run, now: datetime) -> Markup | None:
    """Returns how long the latest attempt took, or has taken so far."""
    if run.started_at is None or (run.ended_at is None and run.status is not RunStatus.RUNNING):
        return None
    text = took_text(max((run.ended_at or now) - run.started_at, timedelta(0)))
    return element("span", text if run.ended_at else f"{text} so far", class_="took")


def why(run: Run) -> str | None:
    """Returns the error of a run, or why it waits, without secrets; None if there is neither."""
    text = run.error or run.pending_reason
    return None if text is None else shortened(text_without_secrets(text), _ERROR)


def run_row(run: Run, record: JobRecord | None, now: datetime, root: str, *, has_job: bool) -> Markup:
    """Returns a row of the table of runs.

    Args:
        run: The run.
        record: Its job; None if it is gone.
        now: The present.
        root: The path of the application.
        has_job: Whether the job is named.
    """
    text, zone = why(run), zone_of(record)
    name = run.job if record is None else job_link(run.job, record.job.group, root)
    named = element("div", name) if has_job else None
    return element(
        "tr",
        element("td", status(run.status.value)),
        element("td", named, when(run.scheduled_for, zone, now)),
        element("td", took(run, now), class_="number"),
        element(
            "td",
            element("div", notes_on(run, record), class_="notes"),
            element("div", text, class_="error") if text else None,
            class_="said",
        ),
        id=f"run-{run.id}",
        class_=run.status.value,
    )


RUN_COLUMNS: Mapping[bool, tuple[str, ...]] = {
    True: ("Status", "Job and its scheduled instant", "Took", "Notes"),
    False: ("Status", "Scheduled", "Took", "Notes"),
}
"""The titles of the table of runs, with and without the names of jobs."""


def table(titles: tuple[str, ...], rows: Child, *, caption: str, class_: str = "") -> Markup:
    """Returns a table with a caption for those who do not see it."""
    head = element("tr", (element("th", title, scope="col") for title in titles))
    return element(
        "table",
        element("caption", caption, class_="unseen"),
        element("thead", head),
        element("tbody", rows),
        class_=class_ or None,
    )
