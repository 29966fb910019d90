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

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import ValidationError

from stepsched.jobs import Job, JobStatus, JobVersion, Run, RunStatus, Trigger
from stepsched.machines.shared.table_schema import NO_MORE, RUN
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
    return {"name": {"S": name}, "version": {"S": f"v{version}" if isinstance(version, int) else version}}


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
        "latest": {"N": str(row.version)},
        "job": {"S": row.job.model_dump_json(exclude_unset=True)},
        "status": {"S": row.status.value},
        "due": {"S": NO_MORE if due is None else write_second(due)},
        "created_at": {"S": write_instant(row.created_at)},
        "updated_at": {"S": write_instant(row.updated_at)},
        "anchor": {"S": write_second(row.anchor)},
        "cursor": {"S": write_second(row.cursor)},
        "plan": {"S": row.plan},
    }
    return item if row.token is None else {**item, "token": {"S": row.token}}


def read_row(item: Item) -> Row:
    """A current row.

    Raises:
        ValueError: It is neither ours nor one of the AWS Solutions scheduler; says which row, and why.
    """
    name = item["name"]["S"]
    try:
        version = int(item["latest"]["N"])
        if "job" not in item:
            return _read_solutions_row(name, item, version)
        return Row(
            job=read_job(item),
            status=JobStatus(item["status"]["S"]),
            version=version,
            created_at=read_instant(item["created_at"]["S"]),
            updated_at=read_instant(item["updated_at"]["S"]),
            anchor=read_instant(item["anchor"]["S"]),
            cursor=read_instant(item["cursor"]["S"]),
            token=_text(item, "token"),
            plan=item["plan"]["S"],
            execution=_text(item, "execution"),
            claim=_read_claim(item),
            last=_text(item, "last"),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"row {name!r} of the table cannot be read as a job: {_words(error)}") from error


def read_job(item: Item) -> Job:
    """The definition in a row."""
    with reading_stored():
        return Job.model_validate_json(item["job"]["S"])


def _read_claim(item: Item) -> Claim | None:
    if "claimed_by" not in item:
        return None
    return Claim(item["claimed"]["S"], item["claimed_by"]["S"], read_instant(item["started_at"]["S"]))


def write_version(job: Job, at: datetime) -> dict[str, Any]:
    """The attributes of a version's row, without its key."""
    return {
        "job": {"S": job.model_dump_json(exclude_unset=True)},
        "written_at": {"S": write_instant(at)},
    }


def read_versions(items: list[Item], current: Row) -> list[JobVersion]:
    """The earlier definitions, oldest first. Each was replaced when the next one was written."""
    numbered = sorted((int(item["version"]["S"][1:]), item) for item in items)
    found = []
    for (number, item), (_, following) in pairwise(numbered):
        if "job" not in item or "written_at" not in following:
            continue  # of the AWS Solutions scheduler, which notes no time
        replaced_at = read_instant(following["written_at"]["S"])
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


def run_id(name: str, version: str, recorded_at: datetime) -> int:
    """The number of a run: by the millisecond at which it was recorded, and then as chance will have it."""
    chance = int.from_bytes(sha256(f"{name}/{version}".encode()).digest()[:8], "big")
    return ((recorded_at - _EPOCH) // timedelta(milliseconds=1) << 64) + chance


def write_run(run: Run, *, token: str, recorded_at: datetime, version: str) -> dict[str, Any]:
    """The row of a run that waits for its execution."""
    return {
        **key(run.job, version),
        "status": {"S": run.status.value},
        "due": {"S": write_instant(run.scheduled_for)},
        "trigger": {"S": run.trigger.value},
        "recorded_at": {"S": write_instant(recorded_at)},
        "token": {"S": token},
    }


def read_claimed(item: Item) -> Claim:
    """The claim that a run's row tells, of a run that goes on."""
    return Claim(item["version"]["S"], item["execution"]["S"], read_instant(item["started_at"]["S"]))


def claim_update(row: Row) -> dict[str, Any]:
    """What writes the run that goes on into a row of its own, without the table. What the row says already
    stays, such as that the run has ended."""
    assert row.claim is not None
    names = {
        "status": {"S": RunStatus.RUNNING.value},
        "due": {"S": row.claim.key[4:24]},
        "execution": {"S": row.claim.execution},
        "started_at": {"S": write_instant(row.claim.started_at)},
    }
    return {
        "Key": key(row.job.name, row.claim.key),
        "UpdateExpression": "SET "
        + ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in names),
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
        "ExpressionAttributeValues": {f":{name}": value for name, value in names.items()},
    }


def read_run(item: Item, link: str | None = None) -> Run:
    """A run's row.

    Args:
        item: The row.
        link: Where to look at its execution.
    """
    name, version = item["name"]["S"], item["version"]["S"]
    due = read_instant(item["due"]["S"])
    recorded_at = read_instant(item["recorded_at"]["S"]) if "recorded_at" in item else due
    error, cause = _text(item, "error") or "", _text(item, "cause") or ""
    status = RunStatus(item["status"]["S"])
    return Run(
        id=run_id(name, version, recorded_at),
        job=name,
        scheduled_for=due,
        status=status,
        trigger=Trigger(_text(item, "trigger") or "schedule"),
        attempt=int(item["attempts"]["N"]) if "attempts" in item else int(status is RunStatus.RUNNING),
        started_at=_instant(item, "started_at"),
        ended_at=_instant(item, "ended_at"),
        restarted="restarted" in item,
        error=(f"{error}: {cause}" if cause else error) or None,
        output=_text(item, "output") or None,
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
