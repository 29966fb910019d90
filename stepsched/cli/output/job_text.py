"""One job as a person reads it on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

import stepsched as ss
from stepsched.cli.output.views import View
from stepsched.core.masking import text_without_secrets
from stepsched.display.table import Cell, visible
from stepsched.jobs.records import runs_of
from stepsched.jobs.shown import NEXT_RUNS, job_rows, record_rows

_TITLE = len("description")


def record_view(record: ss.JobRecord, now: datetime) -> View:
    """Returns the view of a stored job: a block of text, or the record as JSON, from which the job can be
    created again."""
    runs = list(islice(runs_of(record, after=now), NEXT_RUNS))
    return View(
        document=lambda: record.model_dump(mode="json"),
        names=[record.name],
        text=_block(record_rows(record, runs, now)),
    )


def job_view(job: ss.Job, now: datetime) -> View:
    """Returns the view of a job that is not stored."""
    before = now - timedelta(microseconds=1)  # the first run of a rate is at its creation
    runs = list(islice(job.anchored(now).runs(after=before), NEXT_RUNS)) if job.enabled else []
    return View(
        document=lambda: job.model_dump(mode="json"),
        names=[job.name],
        text=_block(job_rows(job, runs, now)),
    )


def _block(rows: Iterable[tuple[str, str | Cell]]) -> str:
    texts = [(title, each if isinstance(each, str) else each.text) for title, each in rows]
    width = max(_TITLE, *(len(title) for title, _ in texts)) + 2
    return "".join(f"{title:{width}}{visible(text_without_secrets(text))}\n" for title, text in texts)
