"""The cron, a schedule of wall times in a zone: ``cron(...)``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal

from typing_extensions import Self

from stepsched.core.errors import InvalidScheduleError
from stepsched.core.quoting import given_text, quoted
from stepsched.schedules.base import LONGEST_EXPRESSION, BoundedSchedule
from stepsched.schedules.cron_fields import LAST_YEAR, CronFields, parse_cron
from stepsched.schedules.cron_runs import CronRuns
from stepsched.schedules.moments import aware
from stepsched.schedules.zones import UTC, known_zone, load_zone

_TICK = timedelta(microseconds=1)
_LONGEST_CRONTAB = 1_000
"""The maximum length of a crontab line, as in most daemons."""
_END = datetime.max.replace(tzinfo=UTC)


class Cron(BoundedSchedule, frozen=True):
    """Runs at wall times of a zone, in the cron dialect of EventBridge Scheduler.

    A wall time that does not exist is skipped (P-02, documented by AWS); one that occurs twice has a run
    on the first pass only (P-01).

    Example:
        >>> Cron("0 9 ? * mon-fri", timezone="Europe/Paris").expression
        'cron(0 9 ? * MON-FRI *)'
    """

    kind: Literal["cron"] = "cron"
    expression: str | None = None
    """The expression ``cron(...)`` in canonical form. None: there is none, and ``crontab`` is set."""
    timezone: str = "UTC"
    """The IANA name of the zone."""
    crontab: str | None = None
    """The Unix crontab line. None: an AWS expression is equivalent."""

    def __init__(
        self,
        expression: str | None = None,
        *,
        timezone: str | tzinfo = "UTC",
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        crontab: str | None = None,
        kind: Literal["cron"] = "cron",
    ) -> None:
        """Creates a cron.

        Args:
            expression: Five or six fields of the AWS dialect, with or without ``cron( )``:
                minutes, hours, day-of-month, month, day-of-week and optionally year.
            timezone: The IANA name of the zone of the wall times, or a ``ZoneInfo``.
            start: The start of the window, inclusive; an aware datetime, or an ISO 8601 string with an
                offset. None: no start.
            end: The end of the window, inclusive; forms as for ``start``. None: no end.
            crontab: A line of the Unix dialect instead of ``expression``; see :meth:`from_crontab`.

        Raises:
            InvalidScheduleError: A field is not valid; the error names the field, the value and the
                correction.
        """
        if (expression is None) == (crontab is None):
            reason = "expected either an AWS expression or a crontab line"
            raise InvalidScheduleError(given_text(expression), "expression", reason)
        expression = _read_text(expression, "expression", LONGEST_EXPRESSION)
        crontab = _read_text(crontab, "crontab", _LONGEST_CRONTAB)
        timezone = load_zone(timezone).key
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
        timezone: str | tzinfo = "UTC",
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> Self:
        """Reads five fields of the Unix dialect, or a shortcut such as ``@daily``.

        Sunday is 0 or 7. If both day fields are set, a day that matches either of them has a run. A line that
        is exactly equivalent to an AWS expression becomes that expression. Any other line is kept in
        ``crontab``, has ``expression`` None, and is refused by EventBridge Scheduler.

        Args:
            crontab: A line such as ``*/5 9-17 * * 1-5``; names are accepted. It is parsed by croniter.
            timezone: The IANA name of the zone of the wall times, or a ``ZoneInfo``.
            start: As for :class:`Cron`.
            end: As for :class:`Cron`.

        Raises:
            InvalidScheduleError: croniter refuses the line, or it has seconds, a year, ``H`` or ``R``.
        """
        return cls(crontab=crontab, timezone=timezone, start=start, end=end)

    def describe(self) -> str:
        """Returns a text such as "At 09:00, Monday to Friday, Europe/Paris"."""
        from stepsched.schedules import words

        return f"{words.cron(self._fields())}, {self.timezone}" + words.window(self.start, self.end)

    def skipped(self, after: datetime | None = None, until: datetime | None = None) -> Iterator[datetime]:
        """Yields the wall times between two instants that match the cron but do not exist, because the clocks
        were put forward (P-02): naive, in ``timezone``, oldest first.

        Args:
            after: The start of the range; aware, exclusive. None: now.
            until: The end of the range; aware, inclusive. None: the end of 2199, the last year of the
                dialect.
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


def _read_text(text: object, field: str, longest: int) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        reason = f"expected a string, got {type(text).__name__}"
        raise InvalidScheduleError(quoted(text), field, reason)
    if len(text) > longest:
        on_aws = ", as on AWS" if longest == LONGEST_EXPRESSION else ""
        reason = f"expected at most {longest:,} characters{on_aws}, got {len(text):,}"
        raise InvalidScheduleError(str.__str__(text), field, reason)
    return str.__str__(text)


@lru_cache(maxsize=4096)
def _compile(expression: str | None, crontab: str | None) -> CronRuns:
    return CronRuns(parse_cron(expression) if expression else _read_crontab(crontab or ""))


def _read_crontab(line: str) -> CronFields:
    from stepsched.schedules.crontab import parse_crontab  # loads croniter

    return parse_crontab(line)
