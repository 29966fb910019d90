"""Reads documents of jobs: those of files of jobs, and the short forms ``at``, ``in`` and ``cron``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

from stepsched.core.amounts import read_length
from stepsched.core.durations import read_duration
from stepsched.core.instants import utc_text
from stepsched.core.masking import MASK
from stepsched.core.quoting import quoted
from stepsched.http.jobs.documents import definition, masked_document
from stepsched.http.jobs.problems import Fault, invalid, pointer
from stepsched.jobs import Job
from stepsched.jobs.documents import read_job
from stepsched.jobs.written import Mistakes, Place, Problem, mistake, shown
from stepsched.targets import HttpTarget, parts_of

Document = Mapping[str, Any]
SHORT = ("at", "in", "cron")
"""The short forms of a schedule, which files of jobs do not have."""
_SCHEDULE = ("schedule", "every", "start", "end")
"""The members of a job that define its schedule, without the zone."""
_COMPACT = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?")
_SECOND = timedelta(seconds=1)
_FIVE = 5
"""The number of fields of a line of a crontab."""
_PLACEHOLDER = "at(2030-01-01T00:00:00)"
"""A valid schedule in place of a refused one, so that the other members are still looked at."""
_IS_MASK = (
    f"expected the secret itself, got {MASK}, which stands in its place in answers; use PATCH without this "
    "member to keep it"
)
_PROBE = "?"
"""What stands in place of the mask, to see whether a value would be masked."""


def job_in(document: object, now: datetime, *, place: Place = (), name: str | None = None) -> Job:
    """Reads the document of a job.

    Args:
        document: The document.
        now: The instant from which ``in`` counts.
        place: Where the document stands in the body.
        name: The name that the path has; the document may leave its own out. None: the document has it.

    Raises:
        Refusal: It is not a valid job; all problems, with their places.
    """
    read = _read(document, now, name)
    if isinstance(read, Job):
        return read
    faults = [Fault(pointer((*place, *problem.place)), problem.text) for problem in read]
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    raise invalid(f"{first.place or 'the job'}: {first.reason}{more}", *faults)


def _read(document: object, now: datetime, name: str | None) -> Job | list[Problem]:
    if not isinstance(document, Mapping):
        return [Problem((), f"expected the document of a job, got {shown(document)}")]
    problems = [Problem(place, _IS_MASK) for place in masks_in(document)]
    if name is not None and document.get("name", name) != name:
        problems.append(Problem(("name",), f"expected {quoted(name)}, the name in the path"))
    plain, short = dict(document) if name is None else {**document, "name": name}, None
    try:
        plain, short = _with_schedule(plain, now)
    except Mistakes as found:  # the other members are read all the same
        problems += found.problems
        plain = {key: each for key, each in plain.items() if key not in (*SHORT, *_SCHEDULE)}
        plain["schedule"] = _PLACEHOLDER
    job = _job_or_problems(plain)
    if isinstance(job, Job):
        return problems or job
    return [*problems, *(_moved(problem, short) for problem in job)]


def _job_or_problems(document: Document) -> Job | list[Problem]:
    try:
        return read_job(document)
    except OverflowError:
        return [Problem((), "expected times in the years 1 to 9999")]


def _with_schedule(document: dict[str, Any], now: datetime) -> tuple[dict[str, Any], str | None]:
    """Returns a document with a schedule in place of a short form, and the short form. None: it has none.

    Raises:
        Mistakes: Several members say when the job runs, or ``in`` has no length of time.
    """
    given = [each for each in SHORT if each in document]
    if not given:
        return document, None
    short, *others = *given, *(each for each in _SCHEDULE[:2] if each in document)
    if others:
        raise mistake(f"{short} also says when the job runs; leave one of them out", others[0])
    rest = {key: each for key, each in document.items() if key != short}
    return {**rest, "schedule": _schedule(short, document[short], now)}, short


def _schedule(short: str, value: object, now: datetime) -> Document:
    """Returns the schedule of a short form, as files of jobs have it."""
    if short == "at":
        return {"kind": "one_time", "at": value}
    if short == "cron":
        is_line = isinstance(value, str) and len(value.split()) == _FIVE
        return {"kind": "cron", "crontab" if is_line else "expression": value}
    length = _length(value)
    if length is None:
        words = "expected a time of 1 second or more, such as 5m, 1h30m, PT5M or 5 minutes"
        raise mistake(f"{words}, got {shown(value)}", "in")
    try:
        return {"kind": "one_time", "at": _later(now, length)}
    except OverflowError as error:
        raise mistake(f"expected a time that ends before the year 9999, got {shown(value)}", "in") from error


def _moved(problem: Problem, short: str | None) -> Problem:
    """Returns a problem at the place where the body has the value."""
    if short is not None and problem.place[:1] == ("schedule",):
        return problem._replace(place=(short,))
    return problem


def _length(value: object) -> timedelta | None:
    """Returns a length of time of at least a second; None if it is none."""
    if not isinstance(value, str) or len(value) > 100:
        return None
    found = _COMPACT.fullmatch(value)
    if found is not None and value:
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        length: timedelta | None = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    elif value.startswith("P"):
        try:
            length = read_duration(value)
        except ValueError:
            return None
    else:
        length = read_length(value)
    return length if length is not None and length >= _SECOND else None


def _later(now: datetime, length: timedelta) -> str:
    """Returns the instant that lies a length after the present, in whole seconds, rounded up."""
    at = now.astimezone(timezone.utc) + length
    if at.microsecond:
        at = at.replace(microsecond=0) + _SECOND
    return utc_text(at)


def masks_in(document: Document) -> Iterator[Place]:
    """Yields the places at which the mask stands in place of a secret. A mask elsewhere is text."""
    probed = _with_probes(document)
    if probed == document:
        return
    yield from _masked_places(document, masked_document(probed), ())


def _with_probes(value: object) -> Any:
    match value:
        case str():
            return value.replace(MASK, _PROBE)
        case Mapping():
            return {key: _with_probes(each) for key, each in value.items()}
        case list():
            return [_with_probes(each) for each in value]
        case _:
            return value


def _masked_places(value: object, masked: object, place: Place) -> Iterator[Place]:
    match value, masked:
        case str(), str() if MASK in value and MASK in masked:
            yield place
        case Mapping(), Mapping():
            for key, each in value.items():
                yield from _masked_places(each, masked.get(key), (*place, str(key)))
        case Mapping() | list(), str() if MASK in masked and MASK in str(value):
            yield place  # a part of a secret that is no text
        case list(), list():
            for number, (each, shown) in enumerate(zip(value, masked, strict=False)):
                yield from _masked_places(each, shown, (*place, number))


# -- merge patches -------------------------------------------------------------------------------------


def patched(document: Document, patch: Document) -> dict[str, Any]:
    """Returns the document of a job after a merge patch (RFC 7396).

    A member that says when the job runs replaces all that said so before. The zone stays, unless the patch
    names one or gives an instant with its offset.

    Args:
        document: The stored job, with its secrets.
        patch: The patch.

    Raises:
        Refusal: The patch has the mask in place of a secret.
    """
    masks = list(masks_in(patch))
    if masks:
        reason = f"expected the secret itself, got {MASK}; leave the member out to keep the secret"
        raise invalid(reason, *(Fault(pointer(place), reason) for place in masks))
    before = dict(document)
    if any(patch.get(each) is not None for each in (*SHORT, "schedule", "every")):
        is_merged = isinstance(patch.get("schedule"), Mapping) and isinstance(before.get("schedule"), Mapping)
        for each in () if is_merged else _SCHEDULE:
            before.pop(each, None)
        if _names_its_zone(patch):
            before.pop("timezone", None)
    merged: dict[str, Any] = merge(before, patch)
    return merged


def check_moved(before: Job, after: Job, patch: Document) -> None:
    """Refuses a patch that has a URL of another host called, and keeps secrets: who may not read them could
    have them sent to a host of his own.

    Raises:
        Refusal: The patch does not name all secrets of the target and of the input.
    """
    if _origins(after) <= _origins(before):
        return
    document = {key: each for key, each in definition(before).items() if key in ("target", "input")}
    hidden = _differing(document, masked_document(document), ())
    kept = [place for place in hidden if not _has(patch, place)]
    if kept:
        reason = "a URL of another host is called, so expected this secret anew, or null to leave it out"
        detail = "secrets are not sent to another host: give those of the target and the input too, or null"
        raise invalid(detail, *(Fault(pointer(place), reason) for place in kept))


def _origins(job: Job) -> set[tuple[str, str]]:
    """Returns the schemes and hosts of the URLs that a job calls."""
    urls = [urlsplit(part.url) for part in parts_of(job.target) if isinstance(part, HttpTarget)]
    return {(url.scheme, url.netloc.lower()) for url in urls}


def _differing(value: Any, other: Any, place: Place) -> Iterator[Place]:
    """Yields the places at which two documents differ; a list is one place."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        for key, each in value.items():
            yield from _differing(each, other.get(key), (*place, str(key)))
    elif value != other:
        yield place


def _has(patch: Any, place: Place) -> bool:
    """Returns whether a merge patch replaces or removes what is at a place."""
    for part in place:
        if not isinstance(patch, Mapping):
            return True
        if part not in patch:
            return False
        patch = patch[part]
    return True


def _names_its_zone(patch: Document) -> bool:
    at = patch.get("at")
    is_instant = isinstance(at, str) and re.search(r"(Z|[+-]\d\d:?\d\d|\])$", at) is not None
    return is_instant or "in" in patch or isinstance(patch.get("schedule"), Mapping)


def merge(value: Any, patch: Any) -> Any:
    """Returns a JSON value after a merge patch (RFC 7396): null removes a member, an object is merged, and
    everything else replaces what was there."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(value) if isinstance(value, Mapping) else {}
    for key, each in patch.items():
        if each is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), each)
    return merged
