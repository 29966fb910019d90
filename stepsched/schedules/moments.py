"""Reads datetimes: whatever subclass, zone or text comes in, a plain ``datetime`` goes on.

Subclasses compare equal to a plain datetime and may calculate differently: the difference of two datetimes of
pendulum cannot be divided by a timedelta, and pandas has nanoseconds and another range. So their parts are
copied, and a cache that is keyed by equality holds plain values only. The zone of the result is a
``datetime.timezone`` or a ``ZoneInfo`` with a key: no tzinfo of other authors is asked twice.
"""

from __future__ import annotations

import re
import warnings
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

from stepsched.core.durations import plain_duration
from stepsched.core.errors import ScheduleWarning
from stepsched.core.plain import Datetime, is_plain_datetime, plain_datetime
from stepsched.core.quoting import quoted
from stepsched.schedules.zones import FOREIGN_ERRORS, UTC, Zone, known_zone, load_zone, name_of_zone

_TICK = timedelta(microseconds=1)
_SECONDS = len("2030-01-01T09:00:00")
"""The length of a stored wall time, which every Python version parses without help."""
_LONGEST_TEXT = 200
_DATE_AND_TIME = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"
_SUFFIXED = re.compile(r"([^\[\]]*)((?:\[[^\[\]]*\])*)")
_OFFSET = re.compile(r"[+-]\d{2}:\d{2}")
_CALENDARS = ("u-ca=gregory", "u-ca=iso8601")
"""The suffixes of RFC 9557, beside a zone, that may be marked as critical: they name Python's calendar."""


def zone_of(moment: datetime) -> Zone:
    """Returns the zone of a plain moment that has a name; otherwise UTC."""
    return load_zone(moment.tzinfo.key if isinstance(moment.tzinfo, ZoneInfo) else "UTC")


def warn_if_moved(settled: datetime, zone: Zone) -> None:
    """Warns of a wall time that does not exist, so that its run moves forward (P-03)."""
    run = zone.moment(settled)
    if settled.tzinfo is None and run.replace(tzinfo=None) != settled:
        warnings.warn(
            f"{settled.isoformat()} does not exist in {zone.key}, where the clocks skip it; "
            f"the run moves to {run.isoformat()}",
            ScheduleWarning,
            stacklevel=4,
        )


def warn_if_zone_is_lost(read: datetime, given: datetime | str) -> None:
    """Warns of a calendar step whose start has an offset, and no zone that moves with the clocks (P-36)."""
    zone = given.tzinfo if isinstance(given, datetime) else None
    name = None if zone is None else name_of_zone(zone)
    if type(read.tzinfo) is not timezone or (not read.utcoffset() and name is None):
        return
    cure = f"timezone={name or 'Europe/Paris'!r}"
    if name is None:
        reason = f"an offset and no zone; name the zone, such as {cure}"
    else:  # such as the local mean time that pytz gives to datetime(..., tzinfo=zone)
        reason = f"an offset that {name} has not at that time; use a start without tzinfo, and {cure}"
    warnings.warn(
        f"start {read.isoformat()} has {reason}. Without it the schedule is in UTC, and its wall time moves "
        "when the clocks change",
        ScheduleWarning,
        stacklevel=4,
    )


# -- datetimes ------------------------------------------------------------------------------------------


def aware(moment: object, name: str) -> datetime:
    """Returns the datetime as an instant; instants near the ends of the supported years are clamped.

    Raises:
        TypeError: ``moment`` is not a datetime.
        ValueError: The datetime is naive, so it names no instant.
    """
    if not isinstance(moment, datetime):
        raise TypeError(
            f"expected an aware datetime for {name}, got {type(moment).__name__}{_cure(moment, name)}"
        )
    if is_plain_datetime(moment) and type(moment.tzinfo) is timezone and 1 < moment.year < 9999:
        return moment  # a fixed offset needs no resolution
    try:
        moment = plain_moment(moment)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if moment.tzinfo is None:
        raise ValueError(
            f"{name} is naive ({moment.isoformat()}), so it names no instant; "
            "add a zone, such as tzinfo=timezone.utc or ZoneInfo('Europe/Paris')"
        )
    try:
        # Not only for the type: this is the one place that resolves a wall time that does not exist.
        return moment.astimezone(UTC)
    except OverflowError:
        ends = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        return ends[moment.year != 1]


def just_before(instant: datetime) -> datetime:
    """Returns the exclusive lower bound that includes an instant; the first datetime is not moved."""
    try:
        return instant - _TICK
    except OverflowError:
        return instant


def just_after(instant: datetime) -> datetime:
    """Returns the exclusive upper bound that includes an instant; the last datetime is not moved."""
    try:
        return instant + _TICK
    except OverflowError:
        return instant


def plain_moment(value: datetime) -> datetime:
    """Returns a datetime of any subclass as a plain one; nanoseconds are rounded up to a microsecond (P-35).

    A ``ZoneInfo`` keeps its name and the wall time, whatever database it was read from. Another zone with an
    IANA name becomes the ``ZoneInfo`` of that name, if it has the same offset at that moment; any other zone
    becomes a fixed offset.

    Raises:
        ValueError: The value has no date, such as ``NaT``, or its zone has no offset.
    """
    zone = value.tzinfo
    if is_plain_datetime(value) and (zone is None or _is_plain(zone)):
        return value if type(zone) is not ZoneInfo else value.replace(tzinfo=_present(zone))
    try:
        parts = (value.year, value.month, value.day, value.hour, value.minute, value.second)
        wall = plain_datetime(*parts, value.microsecond, fold=value.fold)
        offset = None if zone is None else value.utcoffset()
        fixed = None if offset is None else timezone(plain_duration(offset))
    except FOREIGN_ERRORS as error:
        raise ValueError(f"expected a datetime with a date, got {quoted(value)}") from error
    nanoseconds = getattr(value, "nanosecond", 0)
    tick = _TICK if isinstance(nanoseconds, int) and nanoseconds > 0 else timedelta(0)
    try:
        if zone is None:
            return wall + tick if tick else wall
        if fixed is None:
            raise ValueError(f"expected a tzinfo with an offset, got {quoted(value)}, which is naive")
        info = _present(zone) if _is_plain(zone) else _same_zone(zone, wall, fixed)
        if info is None:
            return wall.replace(tzinfo=fixed, fold=0) + tick
        if tick:
            return (wall.replace(tzinfo=fixed) + tick).astimezone(info)
        return wall.replace(tzinfo=info, fold=_fold(wall, info, fixed))
    except OverflowError as error:
        raise ValueError(f"expected a moment in the years 1 to 9999, got {quoted(value)}") from error


def _is_plain(zone: tzinfo) -> bool:
    return type(zone) is timezone or (type(zone) is ZoneInfo and isinstance(zone.key, str))


def _present(zone: tzinfo) -> tzinfo:
    """Returns the zone of the same name with the rules of the database that answers: Python reads a
    ``ZoneInfo`` from the system's one, which may be older (P-42)."""
    if type(zone) is timezone:
        return zone
    name = name_of_zone(zone)
    return zone if name is None else known_zone(name).info


def _same_zone(zone: tzinfo, wall: datetime, fixed: timezone) -> ZoneInfo | None:
    """Returns the zone of the same name, if it has the same offset at that wall time; otherwise None."""
    name = name_of_zone(zone)
    if name is None:
        return None
    for info in (known_zone(name).info, ZoneInfo(name)):
        if any(wall.replace(tzinfo=info, fold=fold).utcoffset() == fixed.utcoffset(None) for fold in (0, 1)):
            return info
    return None


def _fold(wall: datetime, info: tzinfo, fixed: timezone) -> int:
    """Returns the fold of a wall time that has this offset: of other libraries not all set it."""
    other = wall.replace(tzinfo=info, fold=1 - wall.fold)
    is_other = other.utcoffset() == fixed.utcoffset(None) != wall.replace(tzinfo=info).utcoffset()
    return other.fold if is_other else wall.fold


def _cure(value: object, name: str) -> str:
    """Returns how to convert a value of another type; empty if that is not known."""
    kind = type(value)
    if kind.__module__.partition(".")[0] == "numpy" and kind.__name__ == "datetime64":
        return f"; use {name}.astype('datetime64[us]').item(), and add its zone"
    if isinstance(value, date):
        return f"; add a time, such as datetime.combine({name}, time(9))"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"; for seconds since 1970 use datetime.fromtimestamp({name}, tz=timezone.utc)"
    if isinstance(value, timedelta):
        return f"; use datetime.now(timezone.utc) + {name}"
    if isinstance(value, str):
        return f"; use datetime.fromisoformat({name}), with a zone"
    for attribute in ("to_pydatetime()", "datetime", "py_datetime()", "to_stdlib()"):
        if hasattr(kind, attribute.removesuffix("()")):
            return f"; use {name}.{attribute}"
    return ""


def read_moment(value: object) -> datetime:
    """Reads a datetime, naive or aware, from a datetime or an ISO 8601 string with date and time.

    The string may have suffixes as in RFC 9557, such as ``2030-01-01T09:00+01:00[Europe/Paris]``.

    Raises:
        ValueError: The value is no such datetime, or the offset is not that of the named zone.
    """
    if isinstance(value, str):
        return _read_text(str.__str__(value))
    if not isinstance(value, datetime):
        raise ValueError(  # noqa: TRY004 -- pydantic collects ValueError
            "expected a datetime or an ISO 8601 string such as '2030-01-01T09:00', got "
            f"{type(value).__name__}{_cure(value, 'value')}"
        )
    return plain_moment(value)


def read_instant(value: object) -> datetime | None:
    """Reads an instant, in UTC, from an aware datetime or an ISO 8601 string with an offset; None is kept."""
    if value is None:
        return None
    moment = read_moment(value)
    if moment.tzinfo is None:
        raise ValueError(
            f"{moment.isoformat()} is naive, so it names no instant; add an offset such as 'Z' or a tzinfo"
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"expected a year from 1 to 9999 in UTC, got {moment.isoformat()}") from error


def _made_plain(value: object) -> object:
    return plain_moment(value) if isinstance(value, datetime) else value


PlainDatetime = Annotated[Datetime, BeforeValidator(_made_plain)]
"""A datetime of a record."""
Moment = Annotated[Datetime, BeforeValidator(read_moment)]
"""A naive wall time or an aware instant."""
Instant = Annotated[Datetime | None, BeforeValidator(read_instant)]
"""An aware instant, stored in UTC, or None."""


# -- text -----------------------------------------------------------------------------------------------


def _read_text(text: str) -> datetime:
    match = _SUFFIXED.fullmatch(text) if len(text) <= _LONGEST_TEXT and text.isascii() else None
    if match is None or not re.match(_DATE_AND_TIME, text):
        raise ValueError(f"expected a date and a time such as '2030-01-01T09:00', got {quoted(text)}")
    moment = _read_iso(match[1])
    if not match[2]:
        return moment
    zone = _read_suffixes(text, match[2][1:-1].split("]["))
    return moment if zone is None else _in_zone(text, match[1], moment, zone)


def _read_iso(text: str) -> datetime:
    try:
        if len(text) == _SECONDS:
            return plain_moment(datetime.fromisoformat(text))
    except ValueError:  # such as 24:00:00, which it does not know
        pass
    from dateutil.parser import isoparse

    fraction = re.fullmatch(r"([^.,]*[.,]\d{6})(\d+)(.*)", text)
    finer = fraction is not None and fraction[2].strip("0") != ""
    try:
        moment: datetime = isoparse(text if fraction is None else fraction[1] + fraction[3])
        plain = plain_moment(moment)
        return plain + _TICK if finer else plain  # a datetime of isoparse has a fixed offset
    except (ValueError, OverflowError) as error:
        raise ValueError(f"expected ISO 8601, got {quoted(text)}: {error}") from error


def _read_suffixes(text: str, suffixes: list[str]) -> str | None:
    """Returns the zone among the suffixes of RFC 9557: an IANA name or an offset; None if there is none.

    Raises:
        ValueError: A suffix is malformed, or critical and unknown.
    """
    zone: str | None = None
    for position, suffix in enumerate(suffixes):
        content, is_critical = suffix.removeprefix("!"), suffix.startswith("!")
        if position == 0 and "=" not in content:
            zone = content
        elif not re.fullmatch(r"[a-z_][a-z0-9_-]*=[A-Za-z0-9]+(-[A-Za-z0-9]+)*", content):
            raise ValueError(f"expected a suffix such as [Europe/Paris], got [{suffix}] in {quoted(text)}")
        elif is_critical and content not in _CALENDARS:
            raise ValueError(
                f"[{suffix}] in {quoted(text)} is critical and unknown here; leave it out, or its '!'"
            )
    return zone


def _in_zone(text: str, iso: str, moment: datetime, zone: str) -> datetime:
    """Returns a moment in the zone that its text names.

    Raises:
        ValueError: There is no such zone, or the text has another offset than the zone.
    """
    if _OFFSET.fullmatch(zone):
        return _checked(text, moment, _read_iso(f"2000-01-01T00:00{zone}").tzinfo, zone)
    try:
        info = known_zone(zone).info
    except ValueError as error:
        reason = getattr(error, "reason", str(error))
        raise ValueError(f"the zone in {quoted(text)} is unknown: {reason}") from error
    if moment.tzinfo is None:
        return moment.replace(tzinfo=info)
    if iso[-1:] in "Zz" or iso.endswith("-00:00"):  # which say that the local offset is not known
        return moment.astimezone(info)
    return _checked(text, moment, info, zone)


def _checked(text: str, moment: datetime, info: tzinfo | None, zone: str) -> datetime:
    try:
        there = moment.astimezone(info)
    except OverflowError as error:
        raise ValueError(f"expected a year from 1 to 9999, got {quoted(text)}") from error
    if there.replace(tzinfo=None) != moment.replace(tzinfo=None):
        raise ValueError(
            f"the offset and the zone of {quoted(text)} contradict each other: at that instant it is "
            f"{there.isoformat()} in {zone}; use {moment.isoformat()!r} or '{there.isoformat()}[{zone}]'"
        )
    return there
