"""Converts between wall times and instants. Only this module resolves gaps and repeated hours.

The rules, with their names in ``docs/time.md``:

* **P-01** a cron has a run at a wall time that occurs twice on the first pass only
  (AWS documents "runs only once"; it does not speak of wildcards).
* **P-02** a cron run on a wall time that does not exist is skipped (documented by AWS).
* **P-03** a one-time or calendar run on a wall time that does not exist moves forward by the
  length of the gap, so that it is never lost (RFC 5545, section 3.3.5).
* **P-04** a one-time or calendar run on a wall time that occurs twice means the first pass.

The returned instants have a fixed offset rather than a ``ZoneInfo``: two datetimes of one ``ZoneInfo`` are
compared and subtracted by their wall time, and one inside a repeated hour is not equal to any datetime of
another zone (PEP 495). With a fixed offset ``==``, ``<`` and ``-`` compare instants.
"""

from __future__ import annotations

import re
import warnings
from calendar import isleap
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from stepsched.core.clock import utc_now
from stepsched.core.errors import InvalidScheduleError, ScheduleWarning
from stepsched.core.plain import plain_datetime
from stepsched.core.quoting import quoted
from stepsched.schedules.zone_databases import read_zone, timezone_database

UTC = timezone.utc
FOREIGN_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What a datetime or a tzinfo of another library may raise."""
_SECOND = timedelta(seconds=1)
# Changes of offset are found by probing every third day and bisecting. No zone of the database
# changes twice within that time: the smallest distance since 1970 is 6.96 days (Boa Vista, 2000),
# and a test compares the result with the transitions listed in the database itself.
_PROBE = timedelta(days=3)
_EARLIEST = plain_datetime(1, 1, 3, tzinfo=UTC)
_LATEST = plain_datetime(9999, 12, 29, tzinfo=UTC)
# Entries of a zoneinfo folder that are not IANA zones: the machine's local setting and copies with
# leap seconds.
_NOT_ZONES = ("localtime", "posixrules", "Factory", "posix/", "right/")
LONGEST_NAME = 50
"""The maximum length of the name of a zone that EventBridge Scheduler allows (P-19)."""


class Change(NamedTuple):
    """One change of a zone's offset from UTC."""

    wall_before: datetime
    """The wall time before the change, naive."""
    wall_after: datetime
    """The wall time after the change, naive. It is later than ``wall_before`` for a gap, earlier for a
    repeated hour."""
    before: timezone
    after: timezone


class Span(NamedTuple):
    """Consecutive days of a year that share an offset, or that contain a change."""

    end: int
    """The day of the year after the last one; 0 is 1 January."""
    base: datetime | None
    """1 January 00:00 with the span's offset; None if the days contain a change."""


class Year(NamedTuple):
    """A zone in one calendar year: its spans in order, and its changes."""

    spans: tuple[Span, ...]
    changes: tuple[Change, ...]
    last: timezone
    """The offset after the last change."""


class Zone:
    """An IANA zone with cached changes. Use :func:`load_zone` to get one."""

    __slots__ = ("info", "key", "year")

    def __init__(self, key: str, info: ZoneInfo) -> None:
        self.key = key
        self.info = info
        self.year = lru_cache(maxsize=512)(self._year)

    def to_wall(self, instant: datetime) -> datetime:
        """Returns the wall time of an aware instant: naive, with ``fold=1`` on the second pass."""
        return instant.astimezone(self.info).replace(tzinfo=None)

    def to_instant(self, wall: datetime) -> datetime:
        """Returns the instant of a naive wall time: moved forward in a gap (P-03), the first pass in a
        repeated hour (P-04)."""
        instant = self.first_pass(wall)
        if instant is not None:
            return instant
        gap = self.change_at(wall)
        return wall.replace(tzinfo=gap.before).astimezone(gap.after)

    def localise(self, instant: datetime) -> datetime:
        """Returns the same instant, with the zone's offset at that instant."""
        return instant.astimezone(self._offset(instant))

    def base(self, year: int, day: int) -> datetime | None:
        """Returns 1 January 00:00 with the offset of that day of the year; None if the day contains a
        change."""
        for span in self.year(year).spans:
            if day < span.end:
                return span.base
        raise AssertionError(f"{year} has no day {day}")

    def first_pass(self, wall: datetime) -> datetime | None:
        """Returns the instant of the first pass of ``wall`` (P-01); None in a gap (P-02)."""
        year = self.year(wall.year)
        for change in year.changes:
            if wall < change.wall_before:
                return wall.replace(tzinfo=change.before)
            if wall < change.wall_after:
                return None
        return wall.replace(tzinfo=year.last)

    def change_at(self, wall: datetime) -> Change:
        """Returns the change whose gap or repeated hour contains the wall time.

        Raises:
            LookupError: ``wall`` occurs exactly once.
        """
        for change in self.year(wall.year).changes:
            low, high = sorted((change.wall_before, change.wall_after))
            if low <= wall < high:
                return change
        raise LookupError(f"{wall} occurs exactly once in {self.key}")

    def _lies_in_change(self, wall: datetime) -> bool:
        """Returns whether a naive wall time lies in a gap or in a repeated hour."""
        ends = (sorted((change.wall_before, change.wall_after)) for change in self.year(wall.year).changes)
        return any(low <= wall < high for low, high in ends)

    def occurs_twice(self, wall: datetime) -> bool:
        """Returns whether a naive wall time lies in a repeated hour."""
        changes = self.year(wall.year).changes
        return any(change.wall_after <= wall < change.wall_before for change in changes)

    def settle(self, moment: datetime) -> datetime:
        """Returns the form of a datetime that is stored together with the zone: a naive wall time if
        possible.

        A naive datetime is a wall time already. An aware one becomes its wall time, unless that would mean
        another instant (the second pass of a repeated hour): then it stays aware.
        """
        if moment.tzinfo is None:
            return moment.replace(fold=0)
        if isinstance(moment.tzinfo, ZoneInfo) and moment.tzinfo.key == self.key:
            wall = moment.replace(tzinfo=None, fold=0)
            if not moment.fold or not self._lies_in_change(wall):
                return wall  # also in a gap, where its runs move (P-03), and by another zone database
        instant = moment.astimezone(UTC)
        wall = self.to_wall(instant).replace(fold=0)
        return wall if self.to_instant(wall) == instant else instant

    def moment(self, settled: datetime) -> datetime:
        """Returns the instant of a result of :meth:`settle`, with the zone's offset."""
        return self.to_instant(settled) if settled.tzinfo is None else self.localise(settled)

    def _year(self, number: int) -> Year:
        new_year = plain_datetime(number, 1, 1)
        length = 365 + isleap(number)
        changes = tuple(self._changes(number))
        spans: list[Span] = []
        if not changes:
            offset = self._offset(max(new_year.replace(tzinfo=UTC), _EARLIEST))
            return Year((Span(length, new_year.replace(tzinfo=offset)),), (), offset)
        offset = changes[0].before
        for change in changes:
            low, high = sorted((change.wall_before, change.wall_after))
            first, last = (low - new_year).days, (high - _SECOND - new_year).days
            if first > 0:
                spans.append(Span(min(first, length), new_year.replace(tzinfo=offset)))
            if first >= length:
                break
            if last >= 0:
                spans.append(Span(min(last + 1, length), None))
            offset = change.after
        else:
            spans.append(Span(length, new_year.replace(tzinfo=offset)))
        return Year(tuple(spans), changes, changes[-1].after)

    def _changes(self, number: int) -> Iterator[Change]:
        """Yields the changes in the calendar year, found by bisection."""
        if self.info.key == "UTC":
            return
        # Two more days on either side: a wall time is at most a day from its instant. UTC is represented by
        # datetimes labelled with the zone, as ``fromutc`` requires.
        low = _EARLIEST if number == 1 else plain_datetime(number - 1, 12, 30, tzinfo=UTC)
        stop = _LATEST if number == 9999 else plain_datetime(number + 1, 1, 3, tzinfo=UTC)
        low, stop = low.replace(tzinfo=self.info), stop.replace(tzinfo=self.info)
        before = self._offset_at(low)
        while low < stop:
            high = low + _PROBE
            after = self._offset_at(high)
            if after != before:
                left, right = low, high
                while right - left > _SECOND:
                    middle = (left + (right - left) // 2).replace(microsecond=0)
                    if self._offset_at(middle) == before:
                        left = middle
                    else:
                        right = middle
                at = right.replace(tzinfo=None)
                yield Change(at + before, at + after, timezone(before), timezone(after))
            low, before = high, after

    def _offset_at(self, labelled: datetime) -> timedelta:
        offset = self.info.fromutc(labelled).utcoffset()
        assert offset is not None
        return offset

    def _offset(self, instant: datetime) -> timezone:
        offset = instant.astimezone(self.info).utcoffset()
        assert offset is not None
        return timezone(offset)


def load_zone(zone: str | tzinfo) -> Zone:
    """Returns the zone with that IANA name, or of a tzinfo that has one.

    Raises:
        InvalidScheduleError: There is no such zone in this machine's database or in ``tzdata``, or the name
            is longer than the 50 characters that EventBridge Scheduler allows (P-19).

    Warns:
        ScheduleWarning: The rules of the zone may be out of date; once in a process.
    """
    return known_zone(_read_name(zone))


def _read_name(zone: object) -> str:
    """Returns the name of a zone as plain text: a key of a cache must have no type of its own."""
    if isinstance(zone, str):
        return str.__str__(zone)
    if isinstance(zone, tzinfo):
        name = name_of_zone(zone)
        if name is not None:
            return name
        if zone == UTC or type(zone).__name__ == "tzutc":  # of dateutil
            return "UTC"
    reason = f"expected the name of a zone, such as 'Europe/Paris', or a ZoneInfo, got {quoted(zone)}"
    raise InvalidScheduleError(quoted(zone), "timezone", reason)


def name_of_zone(zone: tzinfo) -> str | None:
    """Returns the IANA name of a tzinfo: a ``ZoneInfo`` or one of pendulum, pytz or dateutil.

    None: it has no name, or none that is known here.
    """
    name = zone.key if isinstance(zone, ZoneInfo) else getattr(zone, "zone", None)
    if isinstance(name, str):
        return _known_name(name)
    path = getattr(zone, "_filename", None)  # dateutil keeps the path of a file of the database
    name = _known_name(path.rpartition("zoneinfo/")[2]) if isinstance(path, str) else None
    return name if name is not None and _has_rules_of(zone, name) else None


def _known_name(name: str) -> str | None:
    try:
        return known_zone(str.__str__(name)).key
    except InvalidScheduleError:
        return None


def _has_rules_of(zone: tzinfo, name: str) -> bool:
    info = known_zone(name).info
    days = [datetime(year, month, 1) for year in (2000, 2010, 2020, 2030) for month in range(1, 13)]
    try:
        return all(zone.utcoffset(day) == info.utcoffset(day) for day in days)
    except FOREIGN_ERRORS:
        return False


@lru_cache(maxsize=128)
def known_zone(key: str) -> Zone:
    """Returns the zone of a name that has been validated before, such as that of a value."""
    if len(key) > LONGEST_NAME:
        reason = f"expected a zone name of at most {LONGEST_NAME} characters"
        raise InvalidScheduleError(key, "timezone", reason)
    if not key or key.startswith(_NOT_ZONES):
        raise _unknown_zone(key)
    try:
        zone = Zone(key, read_zone(key))
    except (LookupError, ValueError, OSError) as error:
        raise _unknown_zone(key) from error
    warn_of_old_rules(zone)
    return zone


def shared_zone(names: Iterable[str | None], wanted: str | tzinfo | None = None) -> tzinfo:
    """Returns the zone in which instants of several schedules stand in one column.

    Args:
        names: The names of the schedules' zones; None for one without a zone, such as a rate.
        wanted: Another zone. None: the only one of ``names``, or UTC if there is another number.

    Raises:
        ValueError: There is no such zone.
    """
    if wanted is None:
        several = {name for name in names if name is not None}
        wanted = several.pop() if len(several) == 1 else "UTC"
    try:
        zone = load_zone(wanted)
    except InvalidScheduleError as error:  # the zone is one to show instants in: no schedule is wrong
        raise ValueError(f"timezone: {error.reason}") from error
    return UTC if zone.key == "UTC" else zone.info


def is_zone_name(name: str) -> bool:
    """Whether a name in the database is that of a zone of schedules."""
    return len(name) <= LONGEST_NAME and not name.startswith(_NOT_ZONES)


_warned = set[str]()
"""The kinds of warnings that were issued in this process."""
_YEARS_AHEAD = 10
"""The number of years in which the rules of the two databases are compared."""


def warn_of_old_rules(zone: Zone) -> None:
    """Warns of rules that are probably out of date, once in a process for each kind.

    Governments change the rules of some zone several times a year, so a database of the year before last is
    out of date. A system database that is older than the one that answers matters where its rules for a used
    zone are others: the program's own ``ZoneInfo`` follows them.

    Warns:
        ScheduleWarning: The database that answers, or the rules of Python's ``ZoneInfo`` for the zone, are
            out of date.
    """
    if zone.info.key == "UTC":
        return
    database, year = timezone_database(), utc_now().year
    if database.version is not None and int(database.version[:4]) < year - 1:
        _warn_once(
            "stale",
            f"the time zone database in use is out of date: {database}; use pip install --upgrade tzdata, or "
            "renew the system's time zone package",
        )
    if database.source == "system" or database.system_path is None or "differs" in _warned:
        return
    system = Zone(zone.key, ZoneInfo(zone.key))
    if any(system.year(each) != zone.year(each) for each in range(year, year + _YEARS_AHEAD)):
        _warn_once(
            "differs",
            f"{zone.key} has other rules in the two time zone databases: {database}, but Python's "
            f"ZoneInfo({zone.key!r}) follows the system's; renew the system's time zone package, or make the "
            "environment variable PYTHONTZPATH empty",
        )


def _warn_once(kind: str, text: str) -> None:
    if kind not in _warned:
        _warned.add(kind)
        warnings.warn(text, ScheduleWarning, stacklevel=2)


def _unknown_zone(key: str) -> InvalidScheduleError:
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    names = {name for name in available_timezones() if not name.startswith(_NOT_ZONES)}
    same = [name for name in names if name.lower() == key.lower()]
    is_abbreviation = key.isupper() and key.isalpha() and len(key) <= 5
    near = same or ([] if is_abbreviation else get_close_matches(key[:50], names, n=1, cutoff=0.75))
    hint = f"did you mean {near[0]!r}?" if near else "use an IANA name such as 'Europe/Paris'"
    offset = re.fullmatch(r"(?:UTC|GMT)? ?([+-])(\d{1,2})(?::?00)?", key, re.ASCII | re.IGNORECASE)
    if offset is not None and not same:
        opposite = f"Etc/GMT{'-' if offset[1] == '+' else '+'}{int(offset[2])}"
        hint = "use an IANA name such as 'Europe/Paris'"
        hint += f", or {opposite!r} for this offset at all times" if opposite in names else ""
    return InvalidScheduleError(key, "timezone", f"{quoted(key)} is not an IANA time zone; {hint}")
