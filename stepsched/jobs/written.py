"""Schedules as people write them in files of jobs. Pure.

A schedule is a text (``cron(...)``, ``rate(...)``, ``at(...)``) or a mapping, whose ``kind`` may be
left out: its fields tell it. ``every``, ``timezone``, ``start`` and ``end`` may also stand beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeAlias

from stepsched.core.amounts import read_amounts
from stepsched.core.errors import InvalidScheduleError
from stepsched.core.quoting import shortened
from stepsched.schedules import AnySchedule, Cron, Frequency, OneTime, Rate, Windowed
from stepsched.schedules.expressions import parse_schedule
from stepsched.schedules.moments import read_moment
from stepsched.schedules.zones import UTC, load_zone

Place: TypeAlias = tuple[str | int, ...]
BESIDE = ("every", "timezone", "start", "end")
"""The fields of a schedule that may stand beside ``schedule``, in the job itself."""
SCHEDULE_FIELDS = {
    "cron": ("expression", "crontab", "timezone", "start", "end"),
    "rate": ("every", "timezone", "start", "end"),
    "windowed": ("every", "timezone", "start", "end"),
    "one_time": ("at", "timezone", "exact"),
}
"""The fields of each kind of schedule in a file."""
_FIELDS = {"kind", *(name for names in SCHEDULE_FIELDS.values() for name in names)}
_KIND_OF = {"expression": "cron", "crontab": "cron", "at": "one_time", "every": ""}
"""The kinds that a field tells; ``every`` tells a rate or a calendar step, by its unit and its start."""
_WRAPPED = re.compile(r"\s*(at|rate|cron)\s*\(.*", re.IGNORECASE | re.DOTALL)
_MINUTE = timedelta(minutes=1)
_FORMS = "cron(0 9 ? * MON-FRI *), rate(5 minutes) or at(2030-01-01T09:00:00)"


class Problem(NamedTuple):
    """A mistake in a file."""

    place: Place
    """The keys and numbers that lead to the value in the file."""
    text: str


class Mistakes(ValueError):  # noqa: N818 -- it never leaves this package
    """Raised where mistakes keep a value from being read."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


def mistake(text: str, *place: str | int) -> Mistakes:
    """Returns the error of a single mistake at a place."""
    return Mistakes(Problem(place, in_a_file(text)))


def shown(value: object) -> str:
    """Returns a value as a file shows it, shortened."""
    if value is None:
        return "nothing"
    try:
        text = repr(str(value)) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    return shortened(text, 80)


def unknown(key: object, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    """Returns the refusal of an unknown key, with the most similar one, or with all."""
    return f"unknown field{near(key, known) or '; the fields are ' + ', '.join(known)}"


def near(word: object, known: Iterable[str]) -> str:
    """Returns the hint at the most similar word; empty if none is similar."""
    found = get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def read_schedule(document: Mapping[str, Any]) -> AnySchedule:
    """Reads the schedule of a job's document.

    Raises:
        Mistakes: The schedule cannot be read; its place begins at the job.
    """
    given, places = _gathered(document)
    try:
        return _read(given, places)
    except InvalidScheduleError as error:
        text = error.reason if error.field in places else str(error)
        where = (error.field, *_KIND_OF)
        place = next((places[name] for name in where if name in places), ("schedule",))
        raise mistake(text, *place) from error


def _gathered(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Place]]:
    """Returns the fields of the schedule, and where each of them stands."""
    written, beside = document.get("schedule"), [name for name in BESIDE if name in document]
    for name in beside:
        if document[name] is None:
            raise mistake("expected a value, got nothing; leave the field out", name)
    match written:
        case None if "every" in beside:
            given, places = dict[str, Any](), dict[str, Place]()
        case None:
            forms = "schedule: cron(0 9 ? * MON-FRI *) or every: 5 minutes"
            raise mistake(f"it is missing; write for example {forms}", "schedule")
        case str():
            given, places = {"expression": str(written)}, {"expression": ("schedule",)}
            if "every" in beside:
                raise mistake("expected either schedule or every, got both", "every")
        case Mapping():
            given = {
                name: value for name, value in written.items() if value is not None or name not in _FIELDS
            }
            places = {str(name): ("schedule", str(name)) for name in given}
        case _:
            raise mistake(f"expected {_FORMS}, or a mapping, got {shown(written)}", "schedule")
    for name in beside:
        if name in given:
            raise mistake(f"{name} also stands in schedule; leave one of them out", name)
        given[name], places[name] = document[name], (name,)
    return given, places


def _read(given: dict[str, Any], places: dict[str, Place]) -> AnySchedule:
    kind = _kind(given)
    expression, is_text = given.get("expression"), places.get("expression") == ("schedule",)
    if is_text or (isinstance(expression, str) and _WRAPPED.fullmatch(expression)):
        return _from_text(given, places)
    fields = SCHEDULE_FIELDS[kind or "rate"]
    for name in given:
        if name not in fields and name != "kind":
            raise mistake(unknown(name, fields), *places.get(str(name), ("schedule", str(name))))
    timezone = _timezone(given, places)
    if kind == "one_time":
        if "at" not in given:
            raise mistake("at is missing; write for example at: 2030-01-01T09:00", "schedule")
        at = _moment_text(given["at"], places["at"])
        return OneTime(at, timezone=timezone, exact=given.get("exact", False))
    if kind == "cron":
        return Cron(
            given.get("expression"),
            crontab=given.get("crontab"),
            timezone=timezone or "UTC",
            start=_instant(given, "start", places),
            end=_instant(given, "end", places),
        )
    return _step(kind, given, places, timezone)


def _kind(given: Mapping[str, Any]) -> str:
    """Returns the kind of the schedule; an empty text for a step whose kind follows from its unit."""
    told = [name for name in _KIND_OF if name in given]
    kind = given.get("kind")
    if kind is not None:
        if not isinstance(kind, str) or kind not in SCHEDULE_FIELDS:
            words = f"expected one of {', '.join(SCHEDULE_FIELDS)}, got {shown(kind)}"
            raise mistake(words + near(kind, SCHEDULE_FIELDS), "schedule", "kind")
        return str(kind)
    if len(told) != 1:
        got = " and ".join(told) or ", ".join(map(str, given)) or "none of them"
        raise mistake(f"expected one of {', '.join(_KIND_OF)}, got {got}", "schedule")
    return _KIND_OF[told[0]]


def _from_text(given: dict[str, Any], places: dict[str, Place]) -> AnySchedule:
    """Reads ``cron(...)``, ``rate(...)`` or ``at(...)`` with what stands beside it."""
    text, fields = str(given["expression"]), ("expression", "timezone", "start", "end")
    is_once = text.lower().startswith("at(")
    step = re.sub(r"^every +", "", text, flags=re.IGNORECASE)
    if read_amounts(step):
        raise mistake(f"expected {_FORMS}, got {shown(text)}; write every: {step}", *places["expression"])
    for name in given:
        if name not in fields and name != "kind":
            raise mistake(unknown(name, fields), *places.get(str(name), ("schedule", str(name))))
        if is_once and name in ("start", "end"):
            raise mistake("a one-time schedule has neither start nor end; leave it out", *places[name])
    timezone = _timezone(given, places)
    start, end = (_instant(given, name, places) for name in ("start", "end"))
    return parse_schedule(text, timezone=timezone or "UTC", start=start, end=end)


def _timezone(given: Mapping[str, Any], places: Mapping[str, Place]) -> str | None:
    timezone = given.get("timezone")
    if timezone is None:
        return None
    if not isinstance(timezone, str):
        words = f"expected the name of a zone, such as Europe/Paris, got {shown(timezone)}"
        raise mistake(words, *places["timezone"])
    load_zone(str(timezone))
    return str(timezone)


def _moment_text(value: object, place: Place) -> str:
    if not isinstance(value, str):
        raise mistake(f"expected a date and a time, such as 2030-01-01T09:00, got {shown(value)}", *place)
    return str(value)


def _instant(given: Mapping[str, Any], name: str, places: Mapping[str, Place]) -> datetime | str | None:
    """Returns an end of the window: with an offset, or a wall time in the zone that is written with it."""
    value = given.get(name)
    if value is None:
        return None
    text, timezone = _moment_text(value, places[name]), given.get("timezone")
    try:
        moment = read_moment(text)
        if moment.tzinfo is None and timezone is not None:
            zone = load_zone(str(timezone))
            return zone.moment(zone.settle(moment)).astimezone(UTC)
    except OverflowError as error:
        raise mistake(f"expected a year from 1 to 9999, got {text!r}", *places[name]) from error
    except ValueError as error:
        raise mistake(str(error), *places[name]) from error
    if moment.tzinfo is None:
        words = f"{text!r} has no offset; add one, such as {text}Z, or write timezone: Europe/Paris"
        raise mistake(words, *places[name])
    return text


def _step(
    kind: str, given: dict[str, Any], places: dict[str, Place], timezone: str | None
) -> Rate | Windowed:
    if "every" not in given:
        raise mistake("every is missing; write for example every: 5 minutes", "schedule")
    every, place, start = read_step(given["every"], places["every"]), places["every"], given.get("start")
    length = every if isinstance(every, timedelta) else _length(every)
    if kind == "rate" or (not kind and _is_rate(every, length, start, timezone)):
        if length is None:
            words = f"{shown(given['every'])} is no fixed length of time, which a rate needs"
            raise mistake(f"{words}; leave kind out, and write start", *place)
        if length < _MINUTE or length % _MINUTE:
            words = f"expected whole minutes, got {shown(given['every'])}"
            raise mistake(f"{words}; a step of seconds needs start, the first run", *place)
        ends = {name: _instant(given, name, places) for name in ("start", "end")}
        return Rate(length, start=ends["start"], end=ends["end"])
    if isinstance(every, timedelta):
        words = f"expected a step such as 1 month or 30 seconds, got {shown(given['every'])}"
        raise mistake(words, *place)
    if start is None:
        raise mistake(_start_is_missing(every, given["every"]), *place)
    end = given.get("end")
    return Windowed(
        _moment_text(start, places["start"]),
        every=every,
        end=None if end is None else _moment_text(end, places["end"]),
        timezone=timezone,
    )


def _is_rate(
    every: Frequency | timedelta, length: timedelta | None, start: object, timezone: str | None
) -> bool:
    """Returns whether a step without kind is a rate: hours and minutes, from the creation of the job or from
    an instant. Days move the wall time, and so does a start that is one."""
    if isinstance(every, timedelta):
        return True
    if length is None or every.total_days or length % _MINUTE:
        return False
    if start is None:
        return True
    return timezone is None and isinstance(start, str) and bool(re.search(r"(Z|[+-]\d\d:?\d\d)$", start))


def _length(every: Frequency) -> timedelta | None:
    """Returns the length of a step, with days of 24 hours; None if it has months."""
    if every.total_months:
        return None
    return timedelta(days=every.total_days, seconds=every.total_seconds)


def _start_is_missing(every: Frequency, written: object) -> str:
    words = f"{shown(written)} needs start: the first run, such as start: 2030-01-01T09:00"
    length = _length(every)
    if length is None or length % timedelta(days=1):
        return words
    return f"{words}; or write schedule: {Rate(length)}, which counts 24 hours a day from the job's creation"


def read_step(value: object, place: Place) -> Frequency | timedelta:
    """Reads a step: words such as ``1 month``, a mapping such as ``{months: 1}``, or an ISO 8601 duration.

    Raises:
        Mistakes: It is no step.
    """
    if isinstance(value, Mapping):
        document: Mapping[str, Any] = {str(unit): number for unit, number in value.items()}
    else:
        amounts = read_amounts(value) if isinstance(value, str) else None
        if amounts is None:
            if isinstance(value, str) and re.fullmatch(r"P[0-9WD.]*(T[0-9HMS.]+)?", value):
                return Rate(value).every
            words = f"expected a step such as 5 minutes or 1 month, got {shown(value)}"
            raise mistake(words + ("; write its unit" if isinstance(value, (int, float)) else ""), *place)
        document = {unit: number for number, unit in amounts}
        if len(document) < len(amounts):
            raise mistake(f"a unit occurs twice in {shown(value)}", *place)
    try:
        return Frequency.from_document(document)
    except InvalidScheduleError as error:
        raise mistake(error.reason, *place) from error


_IN_FILES = (
    (r"use Windowed\(start, every=Frequency\((\w+)=(\S+?)\)\)", r"write every: \2 \1, with start"),
    (r"use Rate\(timedelta\(minutes=(\d+)\)\)", r"write every: \1 minutes"),
    (r"use timedelta\(minutes=(\d+)\)", r"write \1 minutes"),
    (r"a Unix crontab is read by Cron\.from_crontab\((.*?)\)$", r"write schedule: {crontab: \1}"),
    (r"Cron\.from_crontab\(('[^']*'), timezone=('[^']*')\)", r"{crontab: \1, timezone: \2}"),
    (r"Cron\.from_crontab\(('[^']*')\)", r"{crontab: \1}"),
    (r"Cron\.from_crontab replaces it by a value", "write a value"),
    (r"write R\S*, or H for a value that stays the same", "write a value"),
    (r"Cron\('(?:cron\()?([^']*?)\)?'\)", r"cron(\1)"),
    (r"timezone=\.\.\., which is timezone='UTC' for Z", "timezone: ..., which is timezone: UTC for Z"),
    (r"expected a timedelta, such as timedelta\(minutes=5\) \(or .*?\)", "expected a time such as 5 minutes"),
    (r"Input should be a valid timedelta.*", "expected a time such as 5 minutes"),
    (r"expected 'package\.module:function' or a callable", "expected package.module:function"),
    (r"; in Python use the constants of ss\.context", ""),
    (r"add an offset such as 'Z' or a tzinfo", "add an offset such as Z"),
)  # fmt: skip
"""Words of the models' errors about Python, and what a file says instead."""


_CONSTANTS = {"None": "nothing", "True": "true", "False": "false"}


def in_a_file(text: str) -> str:
    """Returns the text of an error in the words of a file."""
    for pattern, words in _IN_FILES:
        text = re.sub(pattern, words, text)
    return re.sub(r"(?<!['\w])(None|True|False)(?!['\w])", lambda found: _CONSTANTS[found[1]], text)
