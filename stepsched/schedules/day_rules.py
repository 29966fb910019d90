"""The rules for the days of a cron, one class for each rule.

A month has one of 28 shapes: the weekday of its first day (0 = Sunday) and its length. A rule converts a
shape to the bit set of matching days; bit 0 is the first of the month.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class DaysOfMonth(NamedTuple):
    """``1,15-20``: these days of the month. Days that the month does not have are left out."""

    days: int

    def mask(self, first: int, length: int) -> int:
        return self.days & ((1 << length) - 1)


class Weekdays(NamedTuple):
    """``MON-FRI``: weekdays, bit 0 for Sunday."""

    weekdays: int

    def mask(self, first: int, length: int) -> int:
        turned = self.weekdays >> first | self.weekdays << (7 - first)
        week = turned & 0b1111111
        return week * 0b1_0000001_0000001_0000001_0000001 & ((1 << length) - 1)


class LastDay(NamedTuple):
    """``L`` and ``L-3``: the last day, or a number of days before it (P-09)."""

    back: int

    def mask(self, first: int, length: int) -> int:
        return 1 << (length - 1 - self.back) if self.back < length else 0


class LastWeekday(NamedTuple):
    """``LW``: the last Monday to Friday of the month (P-09)."""

    def mask(self, first: int, length: int) -> int:
        weekday = (first + length - 1) % 7
        return 1 << (length - 1 - {6: 1, 0: 2}.get(weekday, 0))


class NearestWeekday(NamedTuple):
    """``15W``: the weekday nearest to the day, in the same month (P-07); none if the month does not have the
    day (P-08)."""

    day: int

    def mask(self, first: int, length: int) -> int:
        if self.day > length:
            return 0
        weekday = (first + self.day - 1) % 7
        if weekday == 6:
            day = self.day - 1 if self.day > 1 else 3
        elif weekday == 0:
            day = self.day + 1 if self.day < length else length - 2
        else:
            day = self.day
        return 1 << (day - 1)


class LastWeekdayOfMonth(NamedTuple):
    """``6L``: the last such weekday, 0 for Sunday."""

    weekday: int

    def mask(self, first: int, length: int) -> int:
        last = (first + length - 1) % 7
        return 1 << (length - 1 - (last - self.weekday) % 7)


class NthWeekday(NamedTuple):
    """``6#3``: the third such weekday, 0 for Sunday; none if the month does not have it."""

    weekday: int
    nth: int

    def mask(self, first: int, length: int) -> int:
        day = (self.weekday - first) % 7 + 7 * (self.nth - 1)
        return 1 << day if day < length else 0


DayRule: TypeAlias = (
    DaysOfMonth | Weekdays | LastDay | LastWeekday | NearestWeekday | LastWeekdayOfMonth | NthWeekday
)
