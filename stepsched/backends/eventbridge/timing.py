"""*When*, as EventBridge Scheduler writes it: a schedule to expression, zone, start and end, and back."""

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
    """The four parts of a request that say when."""

    expression: str
    timezone: str = "UTC"
    start: datetime | None = None
    """Whole seconds, never in the past."""
    end: datetime | None = None


def translate(schedule: AnySchedule) -> OneTime | Rate | Cron:
    """A schedule with exactly the same runs that AWS has an expression for.

    Raises:
        NoEquivalentError: There is none; the message says why.
    """
    match schedule:
        case Windowed():
            return _whole(aws_equivalent(schedule))
        case Cron(expression=None):
            raise NoEquivalentError(
                f"no single AWS expression means the crontab line {schedule.crontab!r}, whose two day "
                "fields mean either"
            )
    return _whole(schedule)


def _whole(schedule: OneTime | Rate | Cron) -> OneTime | Rate | Cron:
    if isinstance(schedule, Rate) and schedule.start is not None and schedule.start.microsecond:
        raise NoEquivalentError("its start has a fraction of a second, and the service takes whole ones")
    return schedule


def write_timing(schedule: AnySchedule, *, now: datetime, anchor: datetime | None) -> Timing:
    """The request's parts.

    A rate is always sent with the next instant of its grid (P-12, P-13), for the service refuses a start
    that is older than five minutes, and lays the grid anew where there is none. A start that has passed
    says nothing to a cron.

    Args:
        schedule: One that :func:`translate` can say.
        now: The present.
        anchor: Where the grid of a rate without start hangs. None: unknown; none is sent.
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
    """The schedule of a stored document.

    Args:
        document: What GetSchedule answers.
        kept: The schedule as it was written, where the service cannot hold it; it counts as long as
            the document still says the same.

    Raises:
        InvalidScheduleError: The expression is not one that this version reads.
    """
    plain = parse_schedule(
        document["ScheduleExpression"],
        timezone=document.get("ScheduleExpressionTimezone") or "UTC",
        start=document.get("StartDate"),
        end=document.get("EndDate"),
    )
    return kept if kept is not None and _says_the_same(kept, plain) else plain


def reads_back(schedule: AnySchedule, timing: Timing) -> bool:
    """Whether the request's parts are read as that very schedule."""
    try:
        read = parse_schedule(timing.expression, timezone=timing.timezone, start=timing.start, end=timing.end)
    except InvalidScheduleError:  # a start that has been moved beyond the end
        return False
    return read == schedule


def _says_the_same(kept: AnySchedule, plain: AnySchedule) -> bool:
    """Whether nobody has changed the document since: all but a start that was moved or left out."""
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
    """Whether the clocks show its wall time exactly once: else the service's rule is unknown, and the
    instant itself is sent (P-03, P-04)."""
    if once.at.tzinfo is not None:
        return False
    zone = load_zone(once.timezone).info
    first, second = (once.at.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return first == second


def _grid(rate: Rate, anchor: datetime, now: datetime) -> datetime | None:
    """The next instant of the grid, whatever the rate's end."""
    return rate.replace(start=anchor, end=None).next_run(after=now)


def _ordered(timing: Timing) -> Timing:
    """The service wants the start before the end; one second later no further run fits in."""
    end = None if timing.end is None else timing.end.replace(microsecond=0)
    if end is not None and timing.start is not None and timing.start == end:
        end = second_after(end)
    return timing._replace(end=end)


def second_after(moment: datetime) -> datetime:
    """A second later, but for the end of time."""
    try:
        return moment + _SECOND
    except OverflowError:
        return moment


def _ceiling(moment: datetime) -> datetime:
    return moment.replace(microsecond=0) + (_SECOND if moment.microsecond else timedelta(0))
