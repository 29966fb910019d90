"""Writes a job as a literal for the machine *register*, which makes jobs of it with other names, schedules
and inputs.

The literal holds the JSON of the job and of its instructions in pieces: text, the name of a hole, text, and
so on. To find the holes, the instructions are built for names and inputs that occur nowhere else. What
depends on the name or the input in another way than a hole says is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any, NamedTuple

from stepsched.core.errors import UnsupportedError
from stepsched.core.payloads import to_json
from stepsched.core.quoting import quoted
from stepsched.jobs import Job
from stepsched.machines.calls import has_attributes
from stepsched.machines.notifications import subject
from stepsched.machines.shared.instructions import DEFAULT_RETENTION, KEEP, build_instructions
from stepsched.machines.zones import FIRST_YEAR, zone_table
from stepsched.schedules import Cron, OneTime
from stepsched.schedules.zone_databases import timezone_database
from stepsched.schedules.zones import UTC

BACKEND = "stepfunctions"
"""The name of the backend in errors."""
RECURRING = Cron("* * * * ? *")
ONCE = OneTime(datetime(2199, 1, 1, tzinfo=timezone.utc))
_ANCHOR = datetime(2000, 1, 1, tzinfo=UTC)
_MARK = "\u0001stepsched hole 6f1c0b5e9a7d:"
_MARKED = r"\\u0001stepsched hole 6f1c0b5e9a7d:([a-z-]+)\\u0001"
_HOLE = re.compile(f'"{_MARKED}"|{_MARKED}')
_NAMES = ("stepsched-name-4be1f2a09c", "stepsched-name-77d3a0e51b")
"""Names of which every service accepts the whole."""
_INPUT = "stepsched-input-c90a51e7"
_WRITTEN = {"version": "version", "kind": "kind", "plan": "plan", KEEP: "keep"}
"""The members of the instructions that register writes, and their holes. That of the plan includes the
version of the database of its zone."""
_OF_NAME = {"MessageGroupId": "group", "JobName": "job-name", "stepsched-job": "encoded-name"}
"""The arguments that are derived from the name of the job, and their holes."""
DATA, DOCUMENT, TEXT, MESSAGE, JSON_TEXT = "data", "document", "text", "message", "json-text"
"""The holes of the input: as data; as data, but a text as JSON; as text, which must not be empty; as text
that Amazon SQS accepts; as JSON text."""
_INPUT_HOLES = (DATA, DOCUMENT, TEXT, MESSAGE, JSON_TEXT)


def registration(job: Job) -> dict[str, Any]:
    """The literal of a job for the input of the machine *register*: its member ``registration``.

    Register gives the job another name, schedule and input, and writes it as this client would. Policies,
    target, dead letters, notifications and tags are those of the job; its own input is used where the call
    has none. The literal also holds the rules of the zone of the schedule.

    Args:
        job: A job as register shall make them. Its name is of no importance.

    Raises:
        TypeError: ``job`` is not a job.
        UnsupportedError: The runner cannot run the job exactly, or the job depends on its name in a way that
            register cannot follow. The error names the reason.

    >>> from stepsched import Cron, Job, LambdaTarget
    >>> target = LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
    >>> literal = registration(Job(name="report", schedule=Cron("0 9 * * ? *"), target=target))
    >>> literal["accepts"], literal["zone"]["name"]
    (['object', 'text', 'other'], 'UTC')
    """
    return with_holes(job, {})


def with_holes(job: Job, holes: Mapping[str, str]) -> dict[str, Any]:
    """The literal of a job in which further texts are holes.

    Args:
        job: The job.
        holes: The names of the holes by their text, which must be the whole of a text.
    """
    if not isinstance(job, Job):
        raise TypeError(f"expected a Job, got {quoted(job)}; use Job(name=..., schedule=..., target=...)")
    instructions, once = (_of_kind(job.replace(schedule=each), holes) for each in (RECURRING, ONCE))
    own = once if job.is_one_time else instructions
    if isinstance(own, str):
        raise UnsupportedError(job.name, BACKEND, own, ())
    fixed = {"name", "schedule", "input", "enabled"}
    stored = json.loads(job.model_dump_json(exclude_unset=True))
    rest = {key: value for key, value in stored.items() if key not in fixed}
    plain = json.loads(job.model_dump_json(exclude={"name", "schedule", "target", "input"}))
    bare = json.loads(Job(name="job", schedule=RECURRING, target=job.target).model_dump_json())
    zone = getattr(job.schedule, "timezone", None) or "UTC"
    return {
        "job": _pieces(rest, _Probe.none(holes).mark),
        "defaults": {key: bare[key] for key in (*plain, "input")},
        "input": {
            "json": to_json(job.input),
            "fills": has_attributes(job.input),
            **({"stored": to_json(stored["input"])} if "input" in stored else {}),
        },
        **({"enabled": job.enabled} if "enabled" in stored else {}),
        "instructions": instructions if isinstance(instructions, str) else instructions.pieces,
        "once": once if isinstance(once, str) else once.pieces,
        "calls": [each if isinstance(each, str) else each.call for each in (instructions, once)],
        "accepts": list(own.accepts),
        "holes": sorted({hole for hole in own.pieces[1::2] if hole in _INPUT_HOLES}),
        "zone": {"name": zone, "table": zone_table(zone, FIRST_YEAR), "version": timezone_database().version},
    }


class _Found(NamedTuple):
    """The instructions for one kind of schedule."""

    pieces: list[str]
    accepts: tuple[str, ...]
    """The kinds of inputs that the target accepts: ``object``, ``text`` and ``other``. Empty: the input of
    the job cannot be replaced."""
    call: str
    """The call of the target."""


class _Probe(NamedTuple):
    """A name and an input that occur nowhere else, so that they can be found."""

    name: str
    digest: str
    subject: str
    input: Any
    holes: Mapping[str, str]

    @classmethod
    def none(cls, holes: Mapping[str, str]) -> _Probe:
        """The probe that finds only the given holes."""
        return cls(_MARK, _MARK, _MARK, _MARK, holes)

    @classmethod
    def of(cls, job: Job, holes: Mapping[str, str]) -> _Probe:
        digest = sha256(f"{job.group}/{job.name}".encode()).hexdigest()[:32]
        return cls(job.name, digest, subject(job), job.input, holes)

    def mark(self, key: str, value: Any) -> Any:
        """The mark of the hole that a value is; the value itself if it is none."""
        if value == self.input and type(value) is type(self.input):
            return _mark("data")
        if not isinstance(value, str):
            return value
        if value in self.holes:
            return _mark(self.holes[value])
        if not isinstance(self.input, str) and value == to_json(self.input):
            return _mark("text")
        if isinstance(self.input, str) and value == to_json(self.input):
            return _mark("json")
        if value == self.name and key in _OF_NAME:
            return _mark(_OF_NAME[key])
        if value == self.subject and key == "Subject":
            return _mark("subject")
        return value.replace(self.digest, _mark("digest"))


def _mark(hole: str) -> str:
    return f"{_MARK}{hole}\u0001"


def _of_kind(job: Job, holes: Mapping[str, str]) -> _Found | str:
    """The instructions of a job in pieces; or why the runner cannot run it."""
    try:
        own, call = _stable(lambda name: job.replace(name=name), holes, keeps_input=True)
    except ValueError as error:
        return str(error)
    found = _try({_INPUT: True}, job, holes)
    if found is None or not set(found[1::2]) & {"data", "text"}:
        return _Found(own, (), call)
    as_text, as_other = _try(_INPUT, job, holes), _try([_INPUT], job, holes)
    accepts = ["object"]
    pairs = None if as_text is None else _paired(found, as_text)
    if pairs is not None:
        accepts.append("text")
        if "text" in pairs and _try(f"{_INPUT}\u0001", job, holes) is None:
            pairs = [MESSAGE if hole == "text" else hole for hole in pairs]
        found[1::2] = pairs
    if as_other is not None and len(as_other) == len(found):
        accepts.append("other")
    return _Found(found, tuple(accepts), call)


_KINDS = {
    ("data", "data"): DATA,
    ("data", "json"): DOCUMENT,
    ("text", "data"): TEXT,
    ("text", "json"): JSON_TEXT,
}
"""The hole of an input by how an object and how a text stand in it."""


def _paired(objects: list[str], texts: list[str]) -> list[str] | None:
    """The holes by how an object and a text stand in them. None: a text stands elsewhere."""
    if objects[::2] != texts[::2]:
        return None
    pairs = list(zip(objects[1::2], texts[1::2], strict=True))
    if any(one != other and (one, other) not in _KINDS for one, other in pairs):
        return None
    return [_KINDS.get(pair, pair[0]) for pair in pairs]


def _try(value: Any, job: Job, holes: Mapping[str, str]) -> list[str] | None:
    """The pieces for an input. None: the target does not accept it, or changes it."""
    try:
        return _stable(lambda name: job.replace(name=name, input=value), holes, keeps_input=False)[0]
    except ValueError:
        return None


def _stable(
    probe: Callable[[str], Job], holes: Mapping[str, str], *, keeps_input: bool
) -> tuple[list[str], str]:
    """The pieces of the instructions, which must not depend on the name otherwise than by holes; and the
    call.

    Raises:
        ValueError: The runner cannot run the job, or they depend on it.
    """
    found, call = [], ""
    for name in _NAMES:
        job = probe(name)
        instructions = build_instructions(
            job, anchor=_ANCHOR, version=1, retention=DEFAULT_RETENTION, calls=None
        )
        instructions.pop("zones", None)
        instructions |= {key: _mark(hole) for key, hole in _WRITTEN.items()}
        probed, call = _Probe.of(job, holes), instructions["call"]
        if keeps_input:
            probed = probed._replace(input=_MARK)
        elif not instructions["fills"]:
            instructions["fills"] = _mark("fills")
        found.append(_pieces(instructions, probed.mark))
    one, other = found
    if one != other:
        raise ValueError("its call depends on the name of the job, which register cannot follow")
    return one, call


def _pieces(value: Any, mark: Callable[[str, Any], Any]) -> list[str]:
    """The JSON of a value as text, hole, text, and so on."""
    text = to_json(_marked("", value, mark))
    pieces, end = list[str](), 0
    for match in _HOLE.finditer(text):
        pieces += [text[end : match.start()], match[1] or match[2]]
        end = match.end()
    return [*pieces, text[end:]]


def _marked(key: str, value: Any, mark: Callable[[str, Any], Any]) -> Any:
    found = mark(key, value)
    match found:
        case dict():
            return {name: _marked(name, item, mark) for name, item in found.items()}
        case list():
            return [_marked(key, item, mark) for item in found]
    return found
