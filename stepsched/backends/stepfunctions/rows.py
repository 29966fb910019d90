"""Converts jobs and runs to rows of the table, and back.

| ``name`` | ``version`` | holds |
|---|---|---|
| the job's | ``v0`` | the current row: the job, its status and instructions, and the progress of its runs |
| the job's | ``v1`` … ``vN`` | each version as it was written; never changed |
| the job's | ``run#<scheduled>`` | a scheduled run, or a run of ``backfill`` |
| the job's | ``run#<scheduled>#<token>`` | a run of ``run_now`` |

The keys, ``latest`` and the versions are the same as in tables of the AWS Solutions scheduler, which can be
read too. ``status`` and ``due`` of current rows and of runs are the keys of the index. Instants are texts in
UTC, so that their order is that of time.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import ValidationError

from stepsched.core.errors import ScheduleWarning
from stepsched.jobs import Job, JobStatus, JobVersion, Run, RunStatus, Trigger
from stepsched.jobs.unreadable import why_unreadable
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import NO_MORE, RUN, write
from stepsched.schedules.cron import Cron
from stepsched.schedules.stored import reading_stored
from stepsched.targets import StateMachineTarget

Item = Mapping[str, Any]
_UTC = timezone.utc
_WITH_MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%fZ"
_WITH_SECONDS = "%Y-%m-%dT%H:%M:%SZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=_UTC)


class Claim(NamedTuple):
    """The claim of a run by an execution, which has not recorded the end of the run."""

    key: str
    """The key of the run's row."""
    execution: str
    """The ARN of the execution."""
    started_at: datetime


class Row(NamedTuple):
    """The current row of a job."""

    job: Job
    status: JobStatus
    version: int
    created_at: datetime
    updated_at: datetime
    anchor: datetime
    """The anchor of a rate without start (P-12), in whole seconds."""
    cursor: datetime
    """The scheduled instant of the last claimed run, or the instant after which runs are planned."""
    token: str | None = None
    """The token of the execution that may run the job. None: no execution may."""
    plan: str = "{}"
    """The instructions for the runner, as JSON."""
    execution: str | None = None
    """The ARN of the execution that runs the job, written by itself. None: none has started yet."""
    claim: Claim | None = None
    """The claim of the run that is running. None: no run is."""
    last: str | None = None
    """The key of the run that ended last."""
    owned: bool = True
    """Whether the row was written by stepsched. False: by the AWS Solutions scheduler."""
    pause_reason: str | None = None
    """Why the job is paused. None: no reason was given, or it is not paused."""

    @property
    def next_run(self) -> datetime | None:
        """The next scheduled instant; None while paused or when none is left."""
        if self.status is not JobStatus.ACTIVE:
            return None
        return self.job.anchored(self.anchor).next_run(after=self.cursor)


def key(name: str, version: int | str = 0) -> dict[str, Any]:
    """The key of a row. Version 0 is the current row; text is the key of a run."""
    text = f"v{version}" if isinstance(version, int) else version
    return {schema.NAME: {"S": name}, schema.VERSION: {"S": text}}


def write_expiry(instant: datetime) -> dict[str, str]:
    """The time after which DynamoDB may delete a row, as an attribute."""
    return {"N": str((instant - _EPOCH) // timedelta(seconds=1))}


def write_instant(instant: datetime) -> str:
    """An instant as text of fixed width, with microseconds."""
    return instant.astimezone(_UTC).strftime(_WITH_MICROSECONDS)


def write_second(instant: datetime) -> str:
    """An instant as text in whole seconds, as the machine writes it."""
    return instant.astimezone(_UTC).strftime(_WITH_SECONDS)


def read_instant(text: str) -> datetime:
    """The instant that :func:`write_instant` or :func:`write_second` has written.

    Raises:
        ValueError: The text is not an instant in UTC.
    """
    if not text.endswith("Z"):
        raise ValueError(f"expected an instant in UTC that ends in 'Z', got {text!r}")
    return datetime.fromisoformat(f"{text[:-1]}+00:00")


def floor_second(instant: datetime) -> datetime:
    """The instant, rounded down to a whole second."""
    return instant.replace(microsecond=0)


# -- Jobs -----------------------------------------------------------------------------------------------


def write_row(row: Row) -> dict[str, Any]:
    """The attributes of a current row, without its key and those that only executions write."""
    due = row.next_run
    item = {
        schema.LATEST: {"N": str(row.version)},
        schema.JOB: {"S": row.job.model_dump_json(exclude_unset=True)},
        schema.STATUS: {"S": row.status.value},
        schema.DUE: {"S": NO_MORE if due is None else write_second(due)},
        schema.CREATED_AT: {"S": write_instant(row.created_at)},
        schema.UPDATED_AT: {"S": write_instant(row.updated_at)},
        schema.ANCHOR: {"S": write_second(row.anchor)},
        schema.CURSOR: {"S": write_second(row.cursor)},
        schema.PLAN: {"S": row.plan},
    }
    texts = {schema.TOKEN: row.token, schema.PAUSE_REASON: row.pause_reason}
    return item | {name: {"S": text} for name, text in texts.items() if text is not None}


def read_row(item: Item) -> Row:
    """Reads a current row, of stepsched or of the AWS Solutions scheduler.

    Raises:
        ValueError: The row cannot be read. The error names it and the reason.
    """
    name = item[schema.NAME]["S"]
    try:
        version = int(item[schema.LATEST]["N"])
        if schema.JOB not in item:
            return _read_solutions_row(name, item, version)
        status = JobStatus(item[schema.STATUS]["S"])
        return Row(
            job=read_job(item),
            status=status,
            version=version,
            created_at=read_instant(item[schema.CREATED_AT]["S"]),
            updated_at=read_instant(item[schema.UPDATED_AT]["S"]),
            anchor=read_instant(item[schema.ANCHOR]["S"]),
            cursor=read_instant(item[schema.CURSOR]["S"]),
            token=_text(item, schema.TOKEN),
            plan=item[schema.PLAN]["S"],
            execution=_text(item, schema.EXECUTION),
            claim=_read_claim(item),
            last=_text(item, schema.LAST),
            pause_reason=_text(item, schema.PAUSE_REASON) if status is JobStatus.PAUSED else None,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"row {name!r} of the table cannot be read as a job: {_describe(error)}") from error


def read_job(item: Item) -> Job:
    """The job in a row.

    Raises:
        ValueError: This version cannot read it. The error says why, and what to do.
    """
    try:
        with reading_stored():
            return Job.model_validate_json(item[schema.JOB]["S"])
    except ValidationError as error:
        reason, remedy = why_unreadable(error)
        raise ValueError(f"{reason}; {remedy or 'it is damaged, restore it from a backup'}") from error


def group_in(item: Item) -> str | None:
    """The group of the job in a row that cannot be read. None: it is not known."""
    try:
        return str(json.loads(item[schema.JOB]["S"]).get("group", "default"))
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _read_claim(item: Item) -> Claim | None:
    if schema.CLAIMED_BY not in item:
        return None
    run, execution = item[schema.CLAIMED]["S"], item[schema.CLAIMED_BY]["S"]
    return Claim(run, execution, read_instant(item[schema.STARTED_AT]["S"]))


def write_version(job: Job, at: datetime) -> dict[str, Any]:
    """The attributes of a version's row, without its key."""
    return {
        schema.JOB: {"S": job.model_dump_json(exclude_unset=True)},
        schema.WRITTEN_AT: {"S": write_instant(at)},
    }


def read_versions(items: list[Item], current: Row) -> list[JobVersion]:
    """The earlier versions of a job, oldest first. Each was replaced when the next one was written.

    Raises:
        ValueError: A version cannot be read.
    """
    numbered = sorted((int(item[schema.VERSION]["S"][1:]), item) for item in items)
    found = []
    for (number, item), (_, following) in pairwise(numbered):
        if schema.JOB not in item or schema.WRITTEN_AT not in following:
            continue  # a version of the AWS Solutions scheduler, which records no time
        replaced_at = read_instant(following[schema.WRITTEN_AT]["S"])
        try:
            job = read_job(item)
        except ValueError as error:
            name = item[schema.NAME]["S"]
            raise ValueError(f"version {number} of job {name!r} cannot be read: {error}") from error
        found.append(JobVersion(version=number, job=job, replaced_at=replaced_at))
    return [each for each in found if each.version < current.version]


def _read_solutions_row(name: str, item: Item, version: int) -> Row:
    """The row of a task of the AWS Solutions scheduler: a cron in UTC that starts a state machine. It holds
    no time of creation and no status, so the job is read as paused."""
    with reading_stored():
        schedule = Cron(item["schedule"]["S"])
    job = Job(
        name=name,
        schedule=schedule,
        target=StateMachineTarget(item["state_machine_arn"]["S"]),
        input=plain(item["state_machine_input"]),
    )
    return Row(job, JobStatus.PAUSED, version, _EPOCH, _EPOCH, _EPOCH, _EPOCH, owned=False)


def plain(value: Item) -> Any:
    """The value of an attribute as JSON.

    Raises:
        ValueError: The type of the attribute has no JSON form.
    """
    ((kind, content),) = value.items()
    match kind:
        case "M":
            return {key: plain(item) for key, item in content.items()}
        case "L":
            return [plain(item) for item in content]
        case "N":
            number = Decimal(content)
            return int(number) if number == number.to_integral_value() else float(number)
        case "NULL":
            return None
        case "S" | "BOOL":
            return content
    raise ValueError(f"expected an attribute of type M, L, N, S, BOOL or NULL, got {kind}")


# -- Runs -----------------------------------------------------------------------------------------------


def run_key(scheduled_for: datetime, token: str = "") -> str:
    """The key of a run's row.

    Args:
        scheduled_for: The scheduled instant.
        token: A token that distinguishes several runs of one instant. Empty: there is only one.
    """
    text = write_second(floor_second(scheduled_for))
    return f"{RUN}{text}#{token}" if token else f"{RUN}{text}"


def due_of(key: str) -> str:
    """The scheduled instant in the key of a run, as text in whole seconds."""
    return key[len(RUN) : len(RUN) + 20]


def run_id(name: str, version: str, recorded_at: datetime) -> int:
    """The ID of a run: the millisecond at which it was recorded, followed by 64 bits of a hash of its key."""
    digest = int.from_bytes(sha256(f"{name}/{version}".encode()).digest()[:8], "big")
    return ((recorded_at - _EPOCH) // timedelta(milliseconds=1) << 64) + digest


def write_run(run: Run, *, token: str, recorded_at: datetime, version: str) -> dict[str, Any]:
    """The row of a pending run."""
    return {
        **key(run.job, version),
        schema.STATUS: {"S": run.status.value},
        schema.DUE: {"S": write_instant(run.scheduled_for)},
        schema.TRIGGER: {"S": run.trigger.value},
        schema.RECORDED_AT: {"S": write_instant(recorded_at)},
        schema.TOKEN: {"S": token},
    }


def write_missed(name: str, instant: datetime, now: datetime, retention: timedelta) -> dict[str, Any]:
    """The row of a missed run: no execution was there to start it.

    Args:
        name: The name of the job.
        instant: The scheduled instant of the run.
        now: The present.
        retention: How long the row is kept.
    """
    version = run_key(instant)
    return {
        **key(name, version),
        schema.STATUS: {"S": RunStatus.MISSED.value},
        schema.DUE: {"S": due_of(version)},
        schema.RECORDED_AT: {"S": write_instant(now)},
        schema.ENDED_AT: {"S": write_instant(now)},
        schema.TTL: write_expiry(now + retention),
    }


def write_claimed(row: Row) -> dict[str, Any]:
    """The update that records the claimed run of a job in a row of its own. Attributes that the row already
    has, such as the end of the run, are kept."""
    assert row.claim is not None
    keeps = {
        schema.STATUS: {"S": RunStatus.RUNNING.value},
        schema.DUE: {"S": due_of(row.claim.key)},
        schema.EXECUTION: {"S": row.claim.execution},
        schema.STARTED_AT: {"S": write_instant(row.claim.started_at)},
    }
    return {"Key": key(row.job.name, row.claim.key), **write(keeps=keeps)}


class RunRow(NamedTuple):
    """The row of a run."""

    run: Run
    """The run, without its link."""
    key: str
    """The key of the row."""
    token: str | None = None
    """The token of the execution that takes an unscheduled run. None: the run is scheduled."""
    execution: str | None = None
    """The ARN of the execution that has started the run. None: the run has not started."""
    passed: datetime | None = None
    """The instant up to which later runs were skipped because of this run. None: it has not ended."""
    job_version: int | None = None
    """The version of the job with which the run was executed. None: it has not ended."""

    @property
    def claim(self) -> Claim:
        """The claim of a running run.

        Raises:
            ValueError: The run has not started.
        """
        if self.execution is None or self.run.started_at is None:
            raise ValueError("the row lacks the execution or the start of the run")
        return Claim(self.key, self.execution, self.run.started_at)


def read_run_rows(items: Iterable[Item]) -> Iterator[RunRow]:
    """Reads the rows of runs. Rows that cannot be read are skipped with a :class:`ScheduleWarning`."""
    for item in items:
        try:
            yield read_run_row(item)
        except ValueError as error:  # noqa: PERF203 -- each row may fail on its own
            warnings.warn(f"left out: {error}", ScheduleWarning, stacklevel=2)


def read_run_row(item: Item) -> RunRow:
    """Reads the row of a run.

    Raises:
        ValueError: The row cannot be read. The error names it and the reason.
    """
    name, version = item[schema.NAME]["S"], item[schema.VERSION]["S"]
    try:
        found = RunRow(
            run=read_run(item),
            key=version,
            token=_text(item, schema.TOKEN),
            execution=_text(item, schema.EXECUTION),
            passed=_instant(item, schema.PASSED),
            job_version=int(item[schema.JOB_VERSION]["N"]) if schema.JOB_VERSION in item else None,
        )
        if found.run.status is RunStatus.RUNNING:
            found.claim  # noqa: B018 -- raises if a running run has none
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"row {version!r} of job {name!r} cannot be read: {_describe(error)}") from error
    return found


def read_run(item: Item, link: str | None = None) -> Run:
    """Reads the run in a row.

    Args:
        item: The row.
        link: The URL of the console page that shows its execution. None: unknown.
    """
    name, version = item[schema.NAME]["S"], item[schema.VERSION]["S"]
    due = read_instant(item[schema.DUE]["S"])
    recorded_at = read_instant(item[schema.RECORDED_AT]["S"]) if schema.RECORDED_AT in item else due
    error, cause = _text(item, schema.ERROR) or "", _text(item, schema.CAUSE) or ""
    status = RunStatus(item[schema.STATUS]["S"])
    attempts = item.get(schema.ATTEMPTS, {"N": int(status is RunStatus.RUNNING)})
    return Run(
        id=run_id(name, version, recorded_at),
        job=name,
        scheduled_for=due,
        status=status,
        trigger=Trigger(_text(item, schema.TRIGGER) or "schedule"),
        attempt=int(attempts["N"]),
        started_at=_instant(item, schema.STARTED_AT),
        ended_at=_instant(item, schema.ENDED_AT),
        restarted=schema.RESTARTED in item,
        error=(f"{error}: {cause}" if cause else error) or None,
        output=_text(item, schema.OUTPUT) or None,
        link=link,
    )


def _instant(item: Item, name: str) -> datetime | None:
    text = _text(item, name)
    return None if not text else read_instant(text)


def _text(item: Item, name: str) -> str | None:
    return item[name]["S"] if name in item else None


def _describe(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(str(each["msg"]) for each in error.errors(include_url=False))
    return f"attribute {error} is missing" if isinstance(error, KeyError) else str(error)
