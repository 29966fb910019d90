"""Converts jobs to their documents in the file and back."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Any

from stepsched.backends.local.rows import made
from stepsched.core.context import revive
from stepsched.jobs import Job
from stepsched.schedules import AnySchedule, OneTime
from stepsched.schedules.moments import plain_moment
from stepsched.schedules.stored import reading_stored
from stepsched.schedules.zones import known_zone

_ABSENT: Any = object()
_WALL_TIME = len("2030-01-01T09:00:00")


def encode(job: Job) -> str:
    """Returns the document of a job: its explicit fields."""
    return job.model_dump_json(exclude_unset=True)


def read(document: str) -> Job:
    """Returns the job of a document.

    Raises:
        ValidationError: This version cannot read the document.
    """
    with reading_stored():
        return Job.model_validate_json(document)


@lru_cache(maxsize=1024)
def decode(document: str) -> Job:
    """Returns the job of a document for the engine, which passes on only copies of payloads: one-time jobs
    that differ in name, instant and input share the other fields, which are read once.

    Raises:
        ValidationError: As for :func:`read`.
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
    except (ValueError, LookupError, TypeError, AttributeError):  # read() raises the usual error
        return read(document)
    return made(Job, {**rest.__dict__, **own}, rest.model_fields_set - {"input"} | own.keys())


@lru_cache(maxsize=256)
def _rest(document: str) -> Job:
    """Returns a job with the fields that many jobs have in common."""
    with reading_stored():
        common = {"name": "x", "schedule": {"kind": "one_time", "at": "2000-01-01T00:00:00"}}
        return Job.model_validate_json(json.dumps({**json.loads(document), **common}))


def _schedule(document: dict[str, Any]) -> AnySchedule | None:
    """Returns a one-time schedule; None for other kinds."""
    if document["kind"] != "one_time" or not document.keys() <= {"kind", "at", "timezone", "exact"}:
        return None
    at, timezone, exact = document["at"], document.get("timezone", "UTC"), document.get("exact", False)
    moment = plain_moment(datetime.fromisoformat(at)) if len(at) == _WALL_TIME else None
    if moment is None or moment.tzinfo is not None:  # the second pass of a repeated hour
        with reading_stored():
            return OneTime(at, timezone=timezone, exact=exact)
    known_zone(timezone)
    fields = {"kind": "one_time", "at": moment, "timezone": timezone, "exact": False}
    return made(OneTime, fields, document.keys() & fields.keys())
