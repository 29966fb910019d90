"""Converts schedules to the form of EventBridge Scheduler (expression, zone, start and end) and back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from typing_extensions import assert_never

from stepsched.core.errors import InvalidScheduleError
from stepsched.schedules import AnySchedule, Cron, OneTime, Rate, Windowed
from stepsched.schedules.equivalents import NoEquivalentError, aws_equivalent
from stepsched.schedules.expressions import parse_schedule
from stepsched.schedules.zones import UTC, load_zone

_SECOND = timedelta(seconds=1)


class Timing(NamedTuple):
    """The four parts of a request that define the schedule."""

    expression: str
    timezone: str = "UTC"
    start: datetime | None = None
    """The start, in whole seconds, never in the past."""
    end: datetime | None = None


def translate(schedule: AnySchedule) -> OneTime | Rate | Cron:
    """Returns a schedule with exactly the same runs for which AWS has an expression.

    Raises:
        NoEquivalentError: There is none; the message says why.
    """
    match schedule:
        case Windowed():
            return _whole(aws_equivalent(schedule))
        case Cron(expression=None):
            raise NoEquivalentError(
                f"no AWS expression is equivalent to the crontab line {schedule.crontab!r}, in which either "
                "of the two day fields may match"
            )
    return _whole(schedule)


def _whole(schedule: OneTime | Rate | Cron) -> OneTime | Rate | Cron:
    if isinstance(schedule, Rate) and schedule.start is not None and schedule.start.microsecond:
        raise NoEquivalentError("its start has a fraction of a second, and the service accepts whole seconds")
    if isinstance(schedule, OneTime) and schedule.exact:
        raise NoEquivalentError("its time has a fraction of a second, and the service accepts whole seconds")
    return schedule


def write_timing(schedule: AnySchedule, *, now: datetime, anchor: datetime | None) -> Timing:
    """Returns the parts of the request.

    A rate is always sent with the next instant of its grid as the start (P-12, P-13), since the service
    refuses a start that is older than five minutes, and begins a new grid if there is none. For a cron a
    start that has passed has no effect.

    Args:
        schedule: A schedule that :func:`translate` accepts.
        now: The present.
        anchor: The anchor of a rate without start. None: unknown, and no start is sent.
    """
    match translate(schedule):
        case OneTime() as once:
            if _is_plain(once):
                return Timing(once.expression or "", once.timezone)
            utc = once.instant.astimezone(UTC).replace(tzinfo=None)
            return Timing(f"at({utc.isoformat(timespec='seconds')})")
        case Rate(start=start, end=end) as rate:
            anchor = start or anchor
            if anchor is None:
                return _ordered(Timing(rate.expression, "UTC", None, end))
            first = anchor if anchor >= now else _grid(rate, anchor, now)
            return _ordered(Timing(rate.expression, "UTC", first, end))
        case Cron(start=start, end=end) as cron:
            first = _ceiling(start) if start is not None and start > now else None
            return _ordered(Timing(cron.expression or "", cron.timezone, first, end))
        case other:
            assert_never(other)


def read_timing(document: dict[str, Any], kept: AnySchedule | None) -> AnySchedule:
    """Reads the schedule of a stored document.

    Args:
        document: The response of GetSchedule.
        kept: The original schedule, if the service's form does not determine it; it is used as long as the
            document is still equivalent.

    Raises:
        InvalidScheduleError: This version cannot read the expression.
    """
    plain = parse_schedule(
        document["ScheduleExpression"],
        timezone=document.get("ScheduleExpressionTimezone") or "UTC",
        start=document.get("StartDate"),
        end=document.get("EndDate"),
    )
    return kept if kept is not None and _says_the_same(kept, plain) else plain


def reads_back(schedule: AnySchedule, timing: Timing) -> bool:
    """Returns whether the parts of the request are read back as an equal schedule."""
    try:
        read = parse_schedule(timing.expression, timezone=timing.timezone, start=timing.start, end=timing.end)
    except InvalidScheduleError:  # a start that has been moved beyond the end
        return False
    return read == schedule


def _says_the_same(kept: AnySchedule, plain: AnySchedule) -> bool:
    """Returns whether the document is unchanged, except for a start that was moved or left out."""
    try:
        wire = write_timing(kept, now=datetime.min.replace(tzinfo=UTC), anchor=None)
    except NoEquivalentError:
        return False
    end = {wire.end, None if wire.end is None else second_after(wire.end)}
    match plain:
        case OneTime():
            return isinstance(kept, OneTime) and kept.instant == plain.instant
        case Rate(start=start):
            on_grid = wire.start is None or (start is not None and not (start - wire.start) % plain.every)
            return plain.expression == wire.expression and plain.end in end and on_grid
        case Cron(start=start):
            same = plain.expression == wire.expression and plain.timezone == wire.timezone
            return same and plain.end in end and start in (None, wire.start)
    return False


def _is_plain(once: OneTime) -> bool:
    """Returns whether its wall time occurs exactly once. If not, the service's rule is unknown, and the
    instant itself is sent (P-03, P-04)."""
    if once.at.tzinfo is not None:
        return False
    zone = load_zone(once.timezone).info
    first, second = (once.at.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return first == second


def _grid(rate: Rate, anchor: datetime, now: datetime) -> datetime | None:
    """Returns the next instant of the grid, regardless of the rate's end."""
    return rate.replace(start=anchor, end=None).next_run(after=now)


def _ordered(timing: Timing) -> Timing:
    """Makes the end later than the start by a second if they are equal, as the service requires; no further
    run fits in."""
    end = None if timing.end is None else timing.end.replace(microsecond=0)
    if end is not None and timing.start is not None and timing.start == end:
        end = second_after(end)
    return timing._replace(end=end)


def second_after(moment: datetime) -> datetime:
    """Returns the datetime a second later, limited to the last datetime."""
    try:
        return moment + _SECOND
    except OverflowError:
        return moment


def _ceiling(moment: datetime) -> datetime:
    return moment.replace(microsecond=0) + (_SECOND if moment.microsecond else timedelta(0))
