"""A job as rows of the table, and back.

| ``name`` | ``version`` | holds |
|---|---|---|
| the job's | ``v0`` | what is current: ``latest`` (the number of the newest version), the job, its status |
| the job's | ``v1`` … ``vN`` | every version as it was written; never changed |

The keys, ``latest`` and the versions are those of the AWS Solutions scheduler, whose rows are read too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import ValidationError

from stepsched.jobs import Job, JobStatus, JobVersion
from stepsched.schedules.cron import Cron
from stepsched.schedules.onetime import reading_stored
from stepsched.targets import StateMachineTarget

CURRENT = "v0"
_UTC = timezone.utc
_FORM = "%Y-%m-%dT%H:%M:%S.%fZ"
"""Of fixed width, so that texts stand in the order of time."""


class Row(NamedTuple):
    """The current row of a job."""

    job: Job
    status: JobStatus
    version: int
    created_at: datetime
    updated_at: datetime
    owned: bool
    """Whether stepsched wrote it, and not the AWS Solutions scheduler."""


def key(name: str, version: int = 0) -> dict[str, Any]:
    """The key of a row; version 0 is the current one."""
    return {"name": {"S": name}, "version": {"S": f"v{version}"}}


def write_instant(instant: datetime) -> str:
    """An instant as text of fixed width, in UTC."""
    return instant.astimezone(_UTC).strftime(_FORM)


def read_instant(text: str) -> datetime:
    """The mirror of :func:`write_instant`."""
    return datetime.strptime(text, _FORM).replace(tzinfo=_UTC)


def write_row(row: Row) -> dict[str, Any]:
    """The attributes of a current row, without its key."""
    return {
        "latest": {"N": str(row.version)},
        "job": {"S": row.job.model_dump_json()},
        "job_status": {"S": row.status.value},
        "created_at": {"S": write_instant(row.created_at)},
        "updated_at": {"S": write_instant(row.updated_at)},
    }


def read_row(item: Mapping[str, Any]) -> Row:
    """A current row.

    Raises:
        ValueError: It is neither ours nor one of the AWS Solutions scheduler; says which row, and why.
    """
    name = item["name"]["S"]
    try:
        version = int(item["latest"]["N"])
        if "job" not in item:
            return _read_solutions_row(name, item, version)
        with reading_stored():
            job = Job.model_validate_json(item["job"]["S"])
        return Row(
            job,
            JobStatus(item["job_status"]["S"]),
            version,
            read_instant(item["created_at"]["S"]),
            read_instant(item["updated_at"]["S"]),
            owned=True,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"row {name!r} of the table cannot be read as a job: {_words(error)}") from error


def write_version(job: Job, at: datetime) -> dict[str, Any]:
    """The attributes of a version's row, without its key."""
    return {"job": {"S": job.model_dump_json()}, "written_at": {"S": write_instant(at)}}


def read_versions(items: list[Mapping[str, Any]], current: Row) -> list[JobVersion]:
    """The earlier definitions, oldest first. Each was replaced when the next one was written."""
    numbered = sorted((int(item["version"]["S"][1:]), item) for item in items)
    found = []
    for (number, item), (_, following) in pairwise(numbered):
        if "job" not in item or "written_at" not in following:
            continue  # of the AWS Solutions scheduler, which notes no time
        with reading_stored():
            job = Job.model_validate_json(item["job"]["S"])
        replaced_at = read_instant(following["written_at"]["S"])
        found.append(JobVersion(version=number, job=job, replaced_at=replaced_at))
    return [each for each in found if each.version < current.version]


def _read_solutions_row(name: str, item: Mapping[str, Any], version: int) -> Row:
    """A task of the AWS Solutions scheduler: a cron in UTC that starts a state machine. It keeps no time of
    creation and no status: whether it is active, its executions say."""
    job = Job(
        name=name,
        schedule=Cron(item["schedule"]["S"]),
        target=StateMachineTarget(item["state_machine_arn"]["S"]),
        input=_plain(item["state_machine_input"]),
    )
    unknown = datetime(1970, 1, 1, tzinfo=_UTC)
    return Row(job, JobStatus.PAUSED, version, unknown, unknown, owned=False)


def _plain(value: Mapping[str, Any]) -> Any:
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


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(str(each["msg"]) for each in error.errors(include_url=False))
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)
