"""The axis of time of a Gantt chart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import NamedTuple

_TICKS = 7
"""The maximum number of marks on the axis."""
_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        *(0.001 * factor * 10**power for power in range(3) for factor in (1, 2, 5)),
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
    )
)  # fmt: skip
_GAP = 0.1
"""The part of the axis that a pause has in which nothing ran."""
_MOST_GAPS = 4
Span = tuple[datetime, datetime]


class Axis(NamedTuple):
    """Where instants are: in pieces, between which nothing ran for long, such as until a restart."""

    pieces: tuple[Span, ...]
    """The pieces in order, at least one; the whole axis is longer than zero."""

    @classmethod
    def of(cls, start: datetime, end: datetime, spans: Iterable[Span]) -> Axis:
        """Returns the axis of a chart.

        Args:
            start: Its first instant.
            end: Its last instant.
            spans: When something ran. The longest pauses, up to four, become gaps, if they are longer than a
                quarter of the time in which something ran.
        """
        end = max(end, start + timedelta(milliseconds=1))
        pieces = _joined(sorted([(start, start), *spans, (end, end)]), timedelta(0))
        busy = sum((last - first for first, last in pieces), timedelta(0))
        if not busy:
            return cls(((start, end),))
        pauses = sorted((after[0] - before[1] for before, after in pairwise(pieces)), reverse=True)
        least = max(busy / 4, *pauses[_MOST_GAPS : _MOST_GAPS + 1], timedelta(milliseconds=1))
        return cls(tuple(_joined(pieces, least)))

    @property
    def start(self) -> datetime:
        """The first instant."""
        return self.pieces[0][0]

    @property
    def end(self) -> datetime:
        """The last instant."""
        return self.pieces[-1][1]

    @property
    def busy(self) -> timedelta:
        """The length of all pieces."""
        return sum((last - first for first, last in self.pieces), timedelta(0))

    def place(self, instant: datetime) -> float:
        """Returns where an instant is: 0 at the start, 1 at the end."""
        at, scale = 0.0, (1 - _GAP * (len(self.pieces) - 1)) / self.busy.total_seconds()
        before: datetime | None = None
        for first, last in self.pieces:
            if before is not None:
                if instant <= first:
                    return at + _GAP * max((instant - before) / (first - before), 0)
                at += _GAP
            if instant <= last:
                return at + max((instant - first).total_seconds(), 0) * scale
            at, before = at + (last - first).total_seconds() * scale, last
        return 1.0

    def gaps(self) -> Iterator[tuple[Span, timedelta]]:
        """Yields the gaps, and how long nothing ran."""
        for before, after in pairwise(self.pieces):
            yield (before[1], after[0]), after[0] - before[1]

    def ticks(self, zone: tzinfo) -> Iterator[tuple[datetime, str]]:
        """Yields the marks of all pieces, as :func:`ticks`; the first ones of later pieces have the date."""
        for number, (first, last) in enumerate(self.pieces):
            for place, (instant, text) in enumerate(ticks(first, last, zone, self.busy)):
                here = instant.astimezone(zone)
                date = f"{here.day} {here:%b}"
                yield instant, f"{date} {text}" if number and not place and date not in text else text


def _joined(spans: Iterable[Span], least: timedelta) -> list[Span]:
    """Returns sorted spans without pauses shorter than ``least``, or of zero."""
    found = list[Span]()
    for first, last in spans:
        if found and first - found[-1][1] <= least:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def ticks(
    start: datetime, end: datetime, zone: tzinfo, length: timedelta | None = None
) -> list[tuple[datetime, str]]:
    """Returns the marks of a piece of an axis and their texts: round wall times, with a date that changes.

    Args:
        start: The first instant, inclusive.
        end: The last instant, inclusive.
        zone: The zone of the texts.
        length: The length of the whole axis, on which there are at most 7 marks, or 8. None: of the piece.

    >>> from datetime import timezone
    >>> begin = datetime(2030, 1, 7, 23, 50, tzinfo=timezone.utc)
    >>> [text for _, text in ticks(begin, begin + timedelta(minutes=30), timezone.utc)]
    ['23:50', '23:55', '8 Jan 00:00', '00:05', '00:10', '00:15', '00:20']
    """
    length = end - start if length is None else length
    step = next(
        (step for step in _STEPS if length <= step * _TICKS), timedelta(days=length.days // _TICKS + 1)
    )
    local = start.astimezone(zone)
    offset = local.utcoffset() or timedelta(0)
    wall = local.replace(tzinfo=None)
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + -(-(wall - midnight) // step) * step
    marks, day = list[tuple[datetime, str]](), wall.date()
    while (instant := (at - offset).replace(tzinfo=timezone.utc)) <= end:
        here = instant.astimezone(zone)
        date = f"{here.day} {here:%b}"
        text = date if step >= timedelta(days=1) else time_text(here, step)
        marks.append((instant, text if here.date() == day or text == date else f"{date} {text}"))
        day, at = here.date(), at + step
    return marks


def time_text(instant: datetime, step: timedelta) -> str:
    """Returns the time of day, as exactly as marks at this distance need it."""
    if step >= timedelta(minutes=1):
        return f"{instant:%H:%M}"
    return f"{instant:%H:%M:%S}" + (
        f".{instant.microsecond // 1000:03}" if step < timedelta(seconds=1) else ""
    )


def axis_text(start: datetime, end: datetime, zone: tzinfo) -> str:
    """Returns the date, zone and offset of an axis, such as ``2030-01-07, Europe/Paris (+01:00)``."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    offsets = " to ".join(dict.fromkeys(each.isoformat()[-6:] for each in (first, last)))
    dates = " to ".join(dict.fromkeys(each.date().isoformat() for each in (first, last)))
    return f"{dates}, {getattr(zone, 'key', None) or 'UTC'} ({offsets})"
