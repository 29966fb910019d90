"""The page of a job: its state, definition, versions and history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from stepsched.client import SchedulerClient
from stepsched.core.errors import UnsupportedError
from stepsched.core.masking import text_without_secrets, without_secrets
from stepsched.core.quoting import shortened
from stepsched.http.jobs.documents import masked_change, masked_document
from stepsched.http.page.markup import Child, Markup, element
from stepsched.http.page.parts import (
    RUN_COLUMNS,
    absolute,
    button,
    buttons,
    relative,
    run_row,
    status,
    table,
    when,
    why,
    zone_of,
)
from stepsched.jobs import Change, JobRecord, JobStatus, JobVersion, Run, Upcoming
from stepsched.targets.summaries import target_summary

_NEXT = 5
"""The number of coming runs that are shown."""
_HISTORY = 50
"""The number of runs that are shown of those that were recorded last."""
_VERSIONS = 20
"""The number of versions that are shown."""
_LONGEST = 4_000
"""The maximum number of characters of an output, of a traceback and of a definition."""


class Detail(NamedTuple):
    """What the page of a job shows."""

    now: datetime
    record: JobRecord
    runs: Sequence[Run] | None
    """The runs, the latest first. None: the backend does not keep runs."""
    versions: Sequence[JobVersion] | None
    """The earlier definitions, oldest first. None: the backend does not keep them."""


def read_detail(client: SchedulerClient, name: str, group: str | None) -> Detail:
    """Returns the present state of a job.

    Raises:
        JobNotFoundError: There is no such job.
        BackendError: The backend returned an error.
    """
    record = client.get(name, group=group)
    runs: list[Run] | None = None
    versions: list[JobVersion] | None = None
    try:
        runs = client.runs(name, limit=_HISTORY)[::-1]
        versions = client.versions(name, group=group)
    except UnsupportedError:
        pass
    return Detail(client.backend.now(), record, runs, versions)


def content(seen: Detail, root: str) -> Markup:
    """Returns the content of the page.

    Args:
        seen: What it shows.
        root: The path of the application.
    """
    record = seen.record
    back = element("a", "All jobs", href=f"{root}/")
    head = element("div", element("h2", record.name), status(record.status.value), class_="head")
    reason = element("p", f"Paused: {record.pause_reason}", class_="warning") if record.pause_reason else None
    return element(
        "main",
        element("nav", back, aria_label="Back"),
        element("section", head, reason, element("div", buttons(record), class_="buttons"), _facts(seen)),
        _history(seen, root),
        _definition(record),
        _versions(seen),
        _deletion(record),
        id="main",
        data_now=seen.now.isoformat(timespec="milliseconds"),
        tabindex="-1",
    )


def _facts(seen: Detail) -> Markup:
    def facts() -> Iterable[tuple[str, Child]]:
        yield "Schedule", (job.schedule.describe(), " ", element("code", str(job.schedule)))
        yield "Target", element("code", target_summary(job.target))
        yield "Next", element("ol", coming, class_="plain") if coming else nothing
        yield "Group", job.group
        if job.tags:
            yield "Tags", ", ".join(f"{key}={value}" for key, value in without_secrets(job.tags).items())
        if job.description:
            yield "Description", job.description
        yield "Version", f"{record.version}"
        for words, instant in (("Created", record.created_at), ("Changed", record.updated_at)):
            yield words, (relative(instant, seen.now), " ", absolute(instant, zone))

    record, job, zone = seen.record, seen.record.job, zone_of(seen.record)
    nothing = "none while the job is paused" if record.status is JobStatus.PAUSED else "no run is left"
    runs = Upcoming([record], after=seen.now, until=None, limit=_NEXT)
    coming = [element("li", when(run.at, zone, seen.now)) for run in runs]
    rows = ((element("dt", title), element("dd", value)) for title, value in facts())
    return element("dl", rows, class_="facts")


def _history(seen: Detail, root: str) -> Markup:
    if not seen.runs:
        words = "This backend does not keep runs." if seen.runs is None else "It has not run yet."
        body = element("p", words, class_="empty")
    else:
        rows = (
            (run_row(run, seen.record, seen.now, root, has_job=False), _told_row(run)) for run in seen.runs
        )
        body = table(RUN_COLUMNS[False], rows, caption="Runs of this job", class_="runs")
    return element("section", element("h2", "Runs", id="runs-title"), body, aria_labelledby="runs-title")


def _told_row(run: Run) -> Markup | None:
    """Returns a row with the traceback, the output, and the whole error if it was cut; None if there is
    nothing of that."""
    is_cut = run.error is not None and why(run) != text_without_secrets(run.error)
    error = run.error if is_cut else None
    texts = [("Error", error), ("Traceback", run.traceback), ("Output", run.output)]
    given = [(title, text_without_secrets(text)) for title, text in texts if text]
    if not given:
        return None
    parts = ((element("h4", title), _text(text)) for title, text in given)
    words = " and ".join(title.lower() for title, _ in given)
    told = element("details", element("summary", f"Run {run.id}: {words}"), parts, id=f"told-{run.id}")
    return element("tr", element("td", told, colspan=len(RUN_COLUMNS[False])), class_="told")


def _definition(record: JobRecord) -> Markup:
    given = record.job.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps(masked_document(given), indent=2, ensure_ascii=False)
    summary = element("summary", "Definition, as JSON without default values and secrets")
    return element("section", element("details", summary, _text(text), id="definition"))


def _versions(seen: Detail) -> Markup | None:
    if not seen.versions:
        return None
    jobs = [*(version.job for version in seen.versions), seen.record.job]
    changes = [
        (version, Change(before=before, after=after, version=version.version))
        for version, (before, after) in zip(seen.versions, pairwise(jobs), strict=True)
    ]
    rows = [
        element(
            "tr",
            element("td", f"{version.version} → {version.version + 1}"),
            element("td", when(version.replaced_at, zone_of(seen.record), seen.now)),
            element("td", str(masked_change(change)), class_="said"),
        )
        for version, change in changes[: -_VERSIONS - 1 : -1]
    ]
    more = len(changes) - len(rows)
    return element(
        "section",
        element("h2", "Versions", id="versions-title"),
        table(("Version", "When", "Change"), rows, caption="Changes of the definition"),
        element("p", f"... {more:,} earlier ones", class_="quiet") if more else None,
        aria_labelledby="versions-title",
    )


def _deletion(record: JobRecord) -> Markup:
    words = f"This deletes the job {record.name} and its runs that have not started. Its history is kept."
    summary = element("summary", "Cancel this job")
    really = element("details", summary, element("p", words), button("cancel", record), id="deletion")
    return element("section", really, class_="danger")


def _text(text: str) -> Markup:
    return element("pre", shortened(text, _LONGEST), tabindex="0")
