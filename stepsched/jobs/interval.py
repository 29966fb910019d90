"""The document of an interval job: ``id``, ``startDateTime``, ``endDateTime``, ``frequency``, ``context``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stepsched.core.context import write
from stepsched.core.errors import InvalidScheduleError
from stepsched.core.quoting import given_text, quoted, shortened
from stepsched.schedules import AnySchedule, Windowed
from stepsched.schedules.moments import read_moment
from stepsched.schedules.zones import UTC

_KEYS = ("id", "startDateTime", "endDateTime", "frequency", "context")
_DOCUMENT = "the document of an interval job"


def fields_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the name, the schedule and the input of a job from its document.

    Raises:
        InvalidScheduleError: A key is missing or unknown, or its value is not valid.
    """
    if not isinstance(document, Mapping):
        raise InvalidScheduleError(given_text(document), "document", f"expected {_DOCUMENT}, a mapping")
    unknown = shortened(", ".join(given_text(key) for key in document if key not in _KEYS))
    if unknown:
        reason = f"unknown keys: {unknown}; {_DOCUMENT} has {', '.join(_KEYS)}"
        raise InvalidScheduleError(quoted(dict(document)), "document", reason)
    schedule = Windowed.from_document(document)
    _check_id(document)
    payload = {"context": document["context"]} if "context" in document else {}
    return {"name": document["id"], "schedule": schedule, "input": payload}


def document_of(name: str, schedule: AnySchedule, payload: Any) -> dict[str, Any]:
    """Returns the document of a job with that name, schedule and input.

    Raises:
        ValueError: A document cannot hold the schedule or the input.
    """
    if not isinstance(schedule, Windowed) or schedule.timezone != "UTC" or schedule.end is None:
        raise ValueError(
            f"{_DOCUMENT} holds a calendar step in UTC with an end; use Windowed(start, every=..., end=..., "
            f"timezone='UTC'), got {schedule!r}"
        )
    if not isinstance(payload, dict) or payload.keys() - {"context"}:
        raise ValueError(f"{_DOCUMENT} holds an input of the form {{'context': ...}}, or {{}}")
    return {
        "id": name,
        "startDateTime": _written(schedule.start, "Z"),
        "endDateTime": _written(schedule.end, "Z"),
        "frequency": schedule.every.model_dump(mode="json"),
        **write(payload),
    }


def next_interval_run(event: Mapping[str, Any]) -> dict[str, Any]:
    """Computes the next run of an interval job, as the calculator function of such a job does.

    Args:
        event: ``{"execution": {"name", "taskStartDateTime", "executionStartDateTime"}, "job": {"id",
            "startDateTime", "endDateTime", "frequency"}}``. Times without an offset are in UTC. Other keys
            are ignored; ``executionStartDateTime`` and ``startDateTime`` may be absent.

    Returns:
        ``{"name", "taskStartDateTime", "continue"}`` of the first run after the later of both execution
        times (exclusive). Runs keep the grid from ``startDateTime``, or from ``taskStartDateTime`` if there
        is none: a late execution does not move it, and the 31st stays the last day of shorter months.
        ``continue`` is whether the run is at or before ``endDateTime`` (inclusive); it is False if
        ``endDateTime`` is null or absent.

    Raises:
        InvalidScheduleError: A key is missing, or its value is not valid.

    Example:
        >>> job = {"id": "job_1", "endDateTime": "2030-01-01T00:00Z", "frequency": {"minutes": 15}}
        >>> execution = {"taskStartDateTime": "2021-02-18T00:00:00.000Z"}
        >>> next_interval_run({"execution": execution, "job": job})["name"]
        'job_1_20210218T001500'
    """
    job, execution = (_part(event, name) for name in ("job", "execution"))
    begun = [_moment(execution, "taskStartDateTime")]
    if execution.get("executionStartDateTime") is not None:
        begun.append(_moment(execution, "executionStartDateTime"))
    origin = _moment(job, "startDateTime") if job.get("startDateTime") is not None else begun[0]
    end = None if job.get("endDateTime") is None else _moment(job, "endDateTime")
    for key in ("id", "frequency"):
        if key not in job:
            raise InvalidScheduleError(quoted(dict(job)), "document", f"the job lacks {key}")
    _check_id(job)
    endless = {"startDateTime": origin, "endDateTime": _LAST, "frequency": job["frequency"]}
    run = Windowed.from_document(endless).next_run(after=max(begun))
    if run is None:
        raise InvalidScheduleError(quoted(dict(job)), "frequency", "there is no run before the year 10000")
    run = run.astimezone(UTC)
    return {
        "name": f"{job['id']}_{run:%Y%m%dT%H%M%S}",
        "taskStartDateTime": _written(run.replace(tzinfo=None), "+00:00"),
        "continue": end is not None and run <= end,
    }


_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def _check_id(document: Mapping[str, Any]) -> None:
    name = document.get("id")
    if not isinstance(name, str):
        raise InvalidScheduleError(quoted(dict(document)), "id", f"expected a text, got {quoted(name)}")


def _part(event: object, name: str) -> Mapping[str, Any]:
    part = event.get(name) if isinstance(event, Mapping) else None
    if not isinstance(part, Mapping):
        reason = f"expected a mapping with the mappings execution and job, got {quoted(part)} for {name}"
        raise InvalidScheduleError(given_text(event), name, reason)
    return part


def _moment(part: Mapping[str, Any], name: str) -> datetime:
    """Returns an instant of a document; a time without an offset is in UTC."""
    try:
        moment = read_moment(part.get(name))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidScheduleError(quoted(dict(part)), name, str(error)) from error


def _written(wall: datetime, offset: str) -> str:
    """Returns a wall time in UTC as such documents write it: with milliseconds."""
    return wall.isoformat(timespec="microseconds" if wall.microsecond % 1_000 else "milliseconds") + offset
