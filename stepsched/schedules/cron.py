"""``cron(...)``: wall-clock fields in a zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from typing_extensions import Self

from stepsched.core.errors import InvalidScheduleError
from stepsched.schedules.base import BoundedSchedule, aware
from stepsched.schedules.cron_fields import LAST_YEAR, CronFields, parse_cron
from stepsched.schedules.cron_runs import CronRuns
from stepsched.schedules.zones import UTC, known_zone, load_zone

_TICK = timedelta(microseconds=1)
_END = datetime.max.replace(tzinfo=UTC)


class Cron(BoundedSchedule, frozen=True):
    """Runs on wall-clock times of a zone, in the dialect of EventBridge Scheduler.

    A wall time that does not exist is skipped (P-02, documented by AWS); one that occurs twice runs
    on the first pass only (P-01).

    Example:
        >>> Cron("0 9 ? * mon-fri", timezone="Europe/Paris").expression
        'cron(0 9 ? * MON-FRI *)'
    """

    kind: Literal["cron"] = "cron"
    expression: str | None = None
    """``cron(...)`` in canonical form; None where only ``crontab`` can say it."""
    timezone: str = "UTC"
    """An IANA name."""
    crontab: str | None = None
    """The Unix line, kept only where no single AWS expression means the same."""

    def __init__(
        self,
        expression: str | None = None,
        *,
        timezone: str = "UTC",
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        crontab: str | None = None,
        kind: Literal["cron"] = "cron",
    ) -> None:
        """A cron.

        Args:
            expression: Five or six fields of the AWS dialect, with or without ``cron( )``:
                minutes, hours, day-of-month, month, day-of-week and, optional, year.
            timezone: The IANA name of the zone whose clocks are meant.
            start: No run before this instant; aware, or ISO 8601 text with an offset; inclusive.
            end: No run after this instant; inclusive.
            crontab: A line of the Unix dialect instead of ``expression``: see
                :meth:`from_crontab`.

        Raises:
            InvalidScheduleError: Names the field, the value and the cure.
        """
        if (expression is None) == (crontab is None):
            reason = "give either an AWS expression or a crontab line"
            raise InvalidScheduleError(str(expression), "expression", reason)
        if expression is not None and not isinstance(expression, str):
            reason = f"expected a string, got {type(expression).__name__}"
            raise InvalidScheduleError(str(expression), "expression", reason)
        if crontab is not None and not isinstance(crontab, str):
            reason = f"expected a string, got {type(crontab).__name__}"
            raise InvalidScheduleError(str(crontab), "crontab", reason)
        load_zone(timezone)
        text = parse_cron(expression).text if expression is not None else ""
        if crontab is not None:
            text = _read_crontab(crontab).text
        fields: dict[str, object] = {"kind": kind, "timezone": timezone}
        given = {"start": start, "end": end, "crontab": None if text else crontab}
        fields |= {name: value for name, value in given.items() if value is not None}
        if text:
            fields["expression"] = f"cron({text})"
        self._fill(expression or crontab, **fields)

    @classmethod
    def from_crontab(
        cls,
        crontab: str,
        *,
        timezone: str = "UTC",
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> Self:
        """Reads five fields of the Unix dialect, or a shortcut such as ``@daily``.

        Sunday is 0 or 7, and when both day fields are set, either suffices. What one AWS
        expression says exactly becomes that expression; the rest keeps its line, runs on the
        embedded backend, and has ``expression`` None.

        Args:
            crontab: Such as ``*/5 9-17 * * 1-5``; names are taken. Read by croniter.
            timezone: The IANA name of the zone whose clocks are meant.
            start: As for :class:`Cron`.
            end: As for :class:`Cron`.

        Raises:
            InvalidScheduleError: croniter refuses it, or it has seconds, a year, ``H`` or ``R``.
        """
        return cls(crontab=crontab, timezone=timezone, start=start, end=end)

    def describe(self) -> str:
        """Such as "At 09:00, Monday to Friday, Europe/Paris"."""
        from stepsched.schedules import words

        return f"{words.cron(self._fields())}, {self.timezone}" + words.window(self.start, self.end)

    def skipped(self, after: datetime | None = None, until: datetime | None = None) -> Iterator[datetime]:
        """The wall times between two instants at which the cron would run, had the clocks not
        skipped them (P-02): naive, in ``timezone``, oldest first.

        Args:
            after: Aware; exclusive. None means now.
            until: Aware; inclusive. None means the last year of the dialect, 2199.
        """
        from stepsched.core.clock import utc_now

        begin = utc_now() if after is None else aware(after, "after")
        end = self._until(None if until is None else aware(until, "until")) or _END
        return self._compiled().skipped(load_zone(self.timezone), self._after(begin), end)

    def _fields(self) -> CronFields:
        if self.expression is not None:
            return parse_cron(self.expression)
        assert self.crontab is not None
        return _read_crontab(self.crontab)

    def _compiled(self) -> CronRuns:
        return _compile(self.expression, self.crontab)

    def _last(self, runs: CronRuns, until: datetime | None) -> tuple[int, int, int] | None:
        until = self._until(until)
        if until is None or until.year > LAST_YEAR + 1:
            return runs.before(LAST_YEAR + 1, 0, 0)
        return runs.position_before(known_zone(self.timezone), until + _TICK)

    def _next(self, after: datetime) -> datetime | None:
        run = self._compiled().next_run(known_zone(self.timezone), self._after(after))
        return run if self.end is None or run is None or run <= self.end else None

    def _previous(self, before: datetime) -> datetime | None:
        run = self._compiled().previous_run(known_zone(self.timezone), self._before(before))
        return run if self.start is None or run is None or run >= self.start else None

    def _runs(self, after: datetime, until: datetime | None) -> Iterator[datetime]:
        zone, runs = known_zone(self.timezone), self._compiled()
        first = runs.position_after(zone, self._after(after))
        return runs.between(zone, first, self._last(runs, until))


@lru_cache(maxsize=4096)
def _compile(expression: str | None, crontab: str | None) -> CronRuns:
    return CronRuns(parse_cron(expression) if expression else _read_crontab(crontab or ""))


def _read_crontab(line: str) -> CronFields:
    from stepsched.schedules.crontab import parse_crontab  # loads croniter

    return parse_crontab(line)
