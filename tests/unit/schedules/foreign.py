"""Datetimes, timedeltas and zones that behave as those of pendulum, pandas, freezegun, pytz and dateutil."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo


class Span(timedelta):
    """As pendulum's: it cannot be divided by a timedelta."""

    def _refuse(self, other: object) -> Any:
        raise AttributeError("'datetime.timedelta' object has no attribute '_to_microseconds'")

    __floordiv__ = __mod__ = __divmod__ = __truediv__ = _refuse


class Calendar(Span):
    """As pendulum's duration: months count as 30 days."""

    months = 1
    years = 0


class Moment(datetime):
    """As pendulum's: the difference of two is a :class:`Span`."""

    def __sub__(self, other: Any) -> Any:
        found = super().__sub__(other)
        return Span(0, found.total_seconds()) if isinstance(found, timedelta) else found

    def __rsub__(self, other: Any) -> Any:
        return Span(0, datetime.__sub__(other, self).total_seconds())


class Stamp(datetime):
    """As pandas': it has nanoseconds, and fails after 2262."""

    nanosecond = 0

    def __add__(self, other: Any) -> Any:
        found = super().__add__(other)
        if found.year > 2262:
            raise ValueError("out of bounds nanosecond timestamp")
        return found

    __radd__ = __add__


class Fine(Stamp):
    """A moment 500 nanoseconds later than its parts."""

    nanosecond = 500


class FineSpan(timedelta):
    """A duration one nanosecond longer than its parts."""

    nanoseconds = 1


class NoTime(datetime):
    """As pandas' ``NaT``: a datetime without a date."""

    year = property(lambda self: float("nan"))

    def __repr__(self) -> str:
        return "NaT"


class _AnyDatetime(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class Frozen(datetime, metaclass=_AnyDatetime):
    """As freezegun's: every datetime is an instance."""


class Zone(tzinfo):
    """A zone without names and without summer time."""

    def tzname(self, moment: datetime | None) -> str | None:
        return None

    def dst(self, moment: datetime | None) -> timedelta | None:
        return timedelta(0)


class Fixed(Zone):
    """As pytz': one zone at one offset, with its name."""

    def __init__(self, zone: str | None, offset: timedelta | None) -> None:
        self.zone = zone
        self._offset = offset

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return self._offset


class Filed(Zone):
    """As dateutil's: it keeps the path of its file."""

    def __init__(self, path: str, rules: str) -> None:
        self._filename = path
        self._rules = ZoneInfo(rules)

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else moment.replace(tzinfo=self._rules).utcoffset()


class Wandering(Zone):
    """A zone with another offset each time that it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        self.asked += 1
        return timedelta(hours=self.asked)


class Failing(Zone):
    """A zone that fails when it is asked."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        raise RuntimeError("no offset today")


class Key(ZoneInfo):
    """As pendulum's zone: a ZoneInfo of another class."""


class Word(str):
    """A text of another class."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"


def like(kind: type[datetime], moment: datetime) -> datetime:
    """The same moment as a value of that class."""
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return kind(*parts, moment.microsecond, moment.tzinfo, fold=moment.fold)


def is_plain(value: object) -> bool:
    """Whether it is a datetime or a timedelta of the standard library, with such a zone."""
    if isinstance(value, timedelta):
        return type(value) is timedelta
    assert isinstance(value, datetime)
    return type(value) is datetime and type(value.tzinfo) in (type(None), timezone, ZoneInfo)
