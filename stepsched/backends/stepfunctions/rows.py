"""Jobs and runs as rows of the table, and back.

| ``name`` | ``version`` | holds |
|---|---|---|
| the job's | ``v0`` | what is current: the job, its status, its plan, and where its execution has got to |
| the job's | ``v1`` … ``vN`` | every version as it was written; never changed |
| the job's | ``run#<scheduled>`` | a run of the schedule, or of ``backfill`` |
| the job's | ``run#<scheduled>#<token>`` | a run of ``run_now`` |

The keys, ``latest`` and the versions are those of the AWS Solutions scheduler, whose rows are read too.
``status`` and ``due`` of rows v0 and of runs are the index by which both are listed. Instants are texts of
UTC, so that they stand in the order of time.
"""

from __future__ import annotations

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
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.table_schema import NO_MORE, RUN, write
from stepsched.schedules.cron import Cron
from stepsched.schedules.onetime import reading_stored
from stepsched.targets import StateMachineTarget

Item = Mapping[str, Any]
_UTC = timezone.utc
_FORM = "%Y-%m-%dT%H:%M:%S.%fZ"
_SECONDS = "%Y-%m-%dT%H:%M:%SZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=_UTC)


class Claim(NamedTuple):
    """A run that an execution has taken up and whose end it has not told yet."""

    key: str
    """Of its row."""
    execution: str
    started_at: datetime


class Row(NamedTuple):
    """The current row of a job."""

    job: Job
    status: JobStatus
    version: int
    created_at: datetime
    updated_at: datetime
    anchor: datetime
    """Where the grid of a rate without start begins (P-12), in whole seconds."""
    cursor: datetime
    """The last run that was claimed, or the instant from which on runs are wanted."""
    token: str | None = None
    """Whose execution may run the job. None: nobody's."""
    plan: str = "{}"
    """What the machine has to know, as JSON."""
    execution: str | None = None
    """The execution that runs the job, as it said itself. None: none has begun yet."""
    claim: Claim | None = None
    last: str | None = None
    """The key of the run that ended last."""
    owned: bool = True
    """Whether stepsched wrote it, and not the AWS Solutions scheduler."""

    @property
    def next_run(self) -> datetime | None:
        """The next scheduled instant; None while paused or when none is left."""
        if self.status is not JobStatus.ACTIVE:
            return None
        return self.job.anchored(self.anchor).next_run(after=self.cursor)


def key(name: str, version: int | str = 0) -> dict[str, Any]:
    """The key of a row; version 0 is the current one, and a text is a run's."""
    text = f"v{version}" if isinstance(version, int) else version
    return {schema.NAME: {"S": name}, schema.VERSION: {"S": text}}


def write_expiry(instant: datetime) -> dict[str, str]:
    """When DynamoDB may delete a row, as the attribute."""
    return {"N": str((instant - _EPOCH) // timedelta(seconds=1))}


def write_instant(instant: datetime) -> str:
    """An instant as text of fixed width."""
    return instant.astimezone(_UTC).strftime(_FORM)


def write_second(instant: datetime) -> str:
    """An instant of whole seconds, as the machine writes it."""
    return instant.astimezone(_UTC).strftime(_SECONDS)


def read_instant(text: str) -> datetime:
    """The mirror of both."""
    if not text.endswith("Z"):
        raise ValueError(f"{text!r} is no instant")
    return datetime.fromisoformat(f"{text[:-1]}+00:00")


def floor_second(instant: datetime) -> datetime:
    """The instant without its fraction."""
    return instant.replace(microsecond=0)


# -- Jobs -----------------------------------------------------------------------------------------------


def write_row(row: Row) -> dict[str, Any]:
    """What a verb writes of a current row: all but its key and what only executions write."""
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
    return item if row.token is None else {**item, schema.TOKEN: {"S": row.token}}


def read_row(item: Item) -> Row:
    """A current row.

    Raises:
        ValueError: It is neither ours nor one of the AWS Solutions scheduler; says which row, and why.
    """
    name = item[schema.NAME]["S"]
    try:
        version = int(item[schema.LATEST]["N"])
        if schema.JOB not in item:
            return _read_solutions_row(name, item, version)
        return Row(
            job=read_job(item),
            status=JobStatus(item[schema.STATUS]["S"]),
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
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"row {name!r} of the table cannot be read as a job: {_words(error)}") from error


def read_job(item: Item) -> Job:
    """The definition in a row."""
    with reading_stored():
        return Job.model_validate_json(item[schema.JOB]["S"])


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
    """The earlier definitions, oldest first. Each was replaced when the next one was written."""
    numbered = sorted((int(item[schema.VERSION]["S"][1:]), item) for item in items)
    found = []
    for (number, item), (_, following) in pairwise(numbered):
        if schema.JOB not in item or schema.WRITTEN_AT not in following:
            continue  # of the AWS Solutions scheduler, which notes no time
        replaced_at = read_instant(following[schema.WRITTEN_AT]["S"])
        found.append(JobVersion(version=number, job=read_job(item), replaced_at=replaced_at))
    return [each for each in found if each.version < current.version]


def _read_solutions_row(name: str, item: Item, version: int) -> Row:
    """A task of the AWS Solutions scheduler: a cron in UTC that starts a state machine. It keeps no time of
    creation and no status: whether it is active, its executions say."""
    job = Job(
        name=name,
        schedule=Cron(item["schedule"]["S"]),
        target=StateMachineTarget(item["state_machine_arn"]["S"]),
        input=_plain(item["state_machine_input"]),
    )
    return Row(job, JobStatus.PAUSED, version, _EPOCH, _EPOCH, _EPOCH, _EPOCH, owned=False)


def _plain(value: Item) -> Any:
    """An attribute as JSON; numbers come back as they were written."""
    ((kind, content),) = value.items()
    match kind:
        case "M":
            return {key: _plain(item) for key, item in content.items()}
        case "L":
            return [_plain(item) for item in content]
        case "N":
            number = Decimal(content)
            return int(number) if number == number.to_integral_value() else float(number)
        case "NULL":
            return None
        case "S" | "BOOL":
            return content
    raise ValueError(f"an attribute of type {kind} is no JSON")


# -- Runs -----------------------------------------------------------------------------------------------


def run_key(scheduled_for: datetime, token: str = "") -> str:
    """The key of a run's row.

    Args:
        scheduled_for: Its instant.
        token: Tells runs of one instant apart, where there may be several.
    """
    text = write_second(floor_second(scheduled_for))
    return f"{RUN}{text}#{token}" if token else f"{RUN}{text}"


def due_of(key: str) -> str:
    """The scheduled instant in the key of a run, as text."""
    return key[len(RUN) : len(RUN) + 20]


def run_id(name: str, version: str, recorded_at: datetime) -> int:
    """The number of a run: by the millisecond at which it was recorded, and then as chance will have it."""
    chance = int.from_bytes(sha256(f"{name}/{version}".encode()).digest()[:8], "big")
    return ((recorded_at - _EPOCH) // timedelta(milliseconds=1) << 64) + chance


def write_run(run: Run, *, token: str, recorded_at: datetime, version: str) -> dict[str, Any]:
    """The row of a run that waits for its execution."""
    return {
        **key(run.job, version),
        schema.STATUS: {"S": run.status.value},
        schema.DUE: {"S": write_instant(run.scheduled_for)},
        schema.TRIGGER: {"S": run.trigger.value},
        schema.RECORDED_AT: {"S": write_instant(recorded_at)},
        schema.TOKEN: {"S": token},
    }


def write_missed(name: str, instant: datetime, now: datetime, keep: timedelta) -> dict[str, Any]:
    """The row of a scheduled run that was left out because nobody was there to start it.

    Args:
        name: The job's.
        instant: The run's.
        now: The present.
        keep: How long the row is kept.
    """
    version = run_key(instant)
    return {
        **key(name, version),
        schema.STATUS: {"S": RunStatus.MISSED.value},
        schema.DUE: {"S": due_of(version)},
        schema.RECORDED_AT: {"S": write_instant(now)},
        schema.ENDED_AT: {"S": write_instant(now)},
        schema.TTL: write_expiry(now + keep),
    }


def write_claimed(row: Row) -> dict[str, Any]:
    """The update that writes the run that goes on into a row of its own. What the row says already stays,
    such as that the run has ended."""
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
    """The token of the execution that takes an unscheduled run. None: a scheduled run."""
    execution: str | None = None
    """The ARN of the execution that has started the run. None: none has."""
    passed: datetime | None = None
    """The instant up to which the run has passed over later ones. None: it has not ended."""
    job_version: int | None = None
    """The version of the job that it has run. None: it has not ended."""

    @property
    def claim(self) -> Claim:
        """The claim of a run that goes on.

        Raises:
            ValueError: It has not started.
        """
        if self.execution is None or self.run.started_at is None:
            raise ValueError("its execution or its start is missing")
        return Claim(self.key, self.execution, self.run.started_at)


def readable(items: Iterable[Item]) -> Iterator[RunRow]:
    """The rows of runs among items; with a :class:`ScheduleWarning`, without those that cannot be read."""
    for item in items:
        try:
            yield read_run_row(item)
        except ValueError as error:  # noqa: PERF203 -- each row may fail for itself
            warnings.warn(f"left out: {error}", ScheduleWarning, stacklevel=2)


def read_run_row(item: Item) -> RunRow:
    """The row of a run.

    Raises:
        ValueError: It cannot be read; says which row, and why.
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
            found.claim  # noqa: B018 -- which a run that goes on has
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"row {version!r} of job {name!r} cannot be read: {_words(error)}") from error
    return found


def read_run(item: Item, link: str | None = None) -> Run:
    """A run's row.

    Args:
        item: The row.
        link: Where to look at its execution.
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


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(str(each["msg"]) for each in error.errors(include_url=False))
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)
