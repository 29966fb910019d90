"""Jobs as they stand in the file, and back."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any

from stepsched.backends.local.rows import made
from stepsched.core.context import revive
from stepsched.jobs import Job
from stepsched.schedules import AnySchedule, OneTime
from stepsched.schedules.onetime import reading_stored
from stepsched.schedules.zones import known_zone

_ABSENT: Any = object()
_WALL_TIME = len("2030-01-01T09:00:00")


def encode(job: Job) -> str:
    """The document of a job: the fields that were given."""
    return job.model_dump_json(exclude_unset=True)


def read(document: str) -> Job:
    """The job of a document.

    Raises:
        ValidationError: It is none that this version knows.
    """
    with reading_stored():
        return Job.model_validate_json(document)


@lru_cache(maxsize=1024)
def decode(document: str) -> Job:
    """The same for the engine's own use, which hands payloads out as copies: one-time jobs that differ in
    name, moment and input share the rest, which is read once.

    Raises:
        ValidationError: As :func:`read`.
    """
    try:
        given = json.loads(document)
        name, schedule, payload = given.pop("name"), given.pop("schedule"), given.pop("input", _ABSENT)
        rest = _rest(json.dumps(given))
        own: dict[str, Any] = {"name": name, "schedule": _schedule(schedule)}
        if type(name) is not str or not own["schedule"]:
            return read(document)
        if payload is not _ABSENT:
            own["input"] = revive(payload)
    except (ValueError, LookupError, TypeError, AttributeError):  # it is said as every mistake is
        return read(document)
    return made(Job, {**rest.__dict__, **own}, rest.model_fields_set - {"input"} | own.keys())


@lru_cache(maxsize=256)
def _rest(document: str) -> Job:
    """A job of the fields that many jobs have in common."""
    with reading_stored():
        common = {"name": "x", "schedule": {"kind": "one_time", "at": "2000-01-01T00:00:00"}}
        return Job.model_validate_json(json.dumps({**json.loads(document), **common}))


def _schedule(document: dict[str, Any]) -> AnySchedule | None:
    """A one-time schedule; None for all others, of which a job has many runs."""
    if document["kind"] != "one_time" or not document.keys() <= {"kind", "at", "timezone"}:
        return None
    at, timezone = document["at"], document.get("timezone", "UTC")
    moment = datetime.fromisoformat(at) if len(at) == _WALL_TIME else None
    if moment is None or moment.tzinfo is not None:  # the second pass of a repeated hour
        with reading_stored():
            return OneTime(at, timezone=timezone)
    known_zone(timezone)
    fields = {"kind": "one_time", "at": moment, "timezone": timezone}
    return made(OneTime, fields, document.keys() & fields.keys())
