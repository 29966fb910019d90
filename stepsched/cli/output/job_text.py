"""One job as a person reads it on a terminal."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any

import stepsched as ss
from stepsched.cli.output.times import distance_text, instant_text, length_text, scheduled_text
from stepsched.cli.output.views import View
from stepsched.cli.wording import visible
from stepsched.core.masking import without_secrets

if TYPE_CHECKING:
    from stepsched.jobs import Run

_RUNS = 3
"""The number of next runs that are shown."""
_TITLE = len("description")
_POLICIES = (
    *("retry", "dead_letter", "notify", "on_failure", "overlap", "catch_up", "catch_up_within"),
    *("jitter", "max_run_time", "completion"),
)
"""The fields that are shown if they do not have their default."""


def record_view(record: ss.JobRecord, now: datetime) -> View:
    """Returns the view of a stored job: a block of text, or the record as JSON, from which the job can be
    created again."""
    runs = [run.at for run in ss.jobs.Upcoming([record], after=now, until=None, limit=_RUNS)]
    return View(
        document=lambda: record.model_dump(mode="json"),
        names=[record.name],
        text=_block([*_head(record), *_schedule(record.job), *_runs(record, runs, now), *_rest(record, now)]),
    )


def job_view(job: ss.Job, now: datetime) -> View:
    """Returns the view of a job that is not stored."""
    before = now - timedelta(microseconds=1)  # the first run of a rate is at its creation
    runs = list(islice(job.anchored(now).runs(after=before), _RUNS)) if job.enabled else []
    rows = [("name", job.name), *_schedule(job), *_instants("next runs", runs, now, job), *_definition(job)]
    return View(document=lambda: job.model_dump(mode="json"), names=[job.name], text=_block(rows))


def target_text(target: Any) -> str:
    """Returns a target on one line: an ARN, a function or a command as it is; others with their fields.
    Values whose name suggests a secret are masked."""
    fields = target.model_dump(mode="json", exclude_defaults=True)
    fields.pop("kind", None)
    if target.kind == "parallel":
        return " + ".join(map(target_text, target.targets))
    shown = without_secrets(fields)
    if fields.keys() == {"command"}:
        return f"command  {shlex.join(shown['command'])}"
    values = list(shown.values())
    if len(values) == 1 and isinstance(values[0], str):
        return f"{target.kind}  {values[0]}"
    return f"{target.kind}  {_json(shown)}"


def _head(record: ss.JobRecord) -> Iterator[tuple[str, str]]:
    yield "name", record.name
    reason = record.pause_reason
    yield "status", record.status.value + (f": {reason}" if reason else "")
    if not record.owned:
        yield "", "not created by stepsched"
    if not record.current:
        yield "", "stored with other settings of the backend; `stepsched apply` or `update` renews it"


def _schedule(job: ss.Job) -> Iterator[tuple[str, str]]:
    words, expression = job.schedule.describe(), str(job.schedule)
    yield "schedule", words
    crontab = getattr(job.schedule, "crontab", None)
    if expression != words or crontab:
        yield "", crontab or expression
    zone = getattr(job.schedule, "timezone", "UTC")
    yield "zone", zone
    for name in ("start", "end"):
        moment = getattr(job.schedule, name, None)
        if isinstance(moment, datetime):
            is_wall_time = moment.tzinfo is None
            yield name, f"{moment} {zone}" if is_wall_time else scheduled_text(moment, job.schedule)


def _runs(record: ss.JobRecord, runs: list[datetime], now: datetime) -> Iterator[tuple[str, str]]:
    if record.next_run is None:
        yield "next run", "none"
    else:
        yield from _instants("next runs", runs or [record.next_run], now, record.job)
    if record.last_run is not None:
        yield "last run", _run(record.last_run, record.job, now)
        if record.last_run.error:
            yield "", record.last_run.error


def _instants(title: str, instants: list[datetime], now: datetime, job: ss.Job) -> Iterator[tuple[str, str]]:
    for each in instants:
        yield title, f"{scheduled_text(each, job.schedule)}  ({distance_text(each, now)})"
        title = ""


def _run(run: Run, job: ss.Job, now: datetime) -> str:
    at = f"{scheduled_text(run.scheduled_for, job.schedule)}  ({distance_text(run.scheduled_for, now)})"
    return f"{run.status.value}  {at}"


def _rest(record: ss.JobRecord, now: datetime) -> Iterator[tuple[str, str]]:
    yield from _definition(record.job)
    yield "version", str(record.version)
    for name in ("created", "updated"):
        moment = getattr(record, f"{name}_at")
        yield name, f"{instant_text(moment)}  ({distance_text(moment, now)})"


def _definition(job: ss.Job) -> Iterator[tuple[str, str]]:
    yield "target", target_text(job.target)
    if job.input != {}:
        yield "input", _json(without_secrets(job.input))
    if not job.enabled:
        yield "enabled", "no"
    for name in _POLICIES:
        value, field = getattr(job, name), type(job).model_fields[name]
        if value != field.get_default(call_default_factory=True):
            yield name.replace("_", " "), _policy(value)
    if job.description:
        yield "description", job.description
    yield "group", job.group
    if job.tags:
        yield "tags", ", ".join(f"{key}={value}" for key, value in without_secrets(job.tags).items())


def _policy(value: Any) -> str:
    if isinstance(value, timedelta):
        return length_text(value)
    if isinstance(value, Enum):
        return str(value.value)
    if not isinstance(value, ss.Retry):
        return target_text(value) if hasattr(value, "kind") else str(value)
    given = value.model_dump(mode="json", exclude_defaults=True)
    return ", ".join(f"{name.replace('_', ' ')} {_policy(getattr(value, name))}" for name in given)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _block(rows: list[tuple[str, str]]) -> str:
    width = max(_TITLE, *(len(title) for title, _ in rows)) + 2
    return "".join(f"{title:{width}}{visible(text)}\n" for title, text in rows)
