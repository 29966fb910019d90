"""The cron, a schedule of wall times in a zone: ``cron(...)``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal

from typing_extensions import Self

from stepsched.core.errors import InvalidScheduleError, ScheduleWarning
from stepsched.core.quoting import given_text, quoted
from stepsched.schedules.base import LONGEST_EXPRESSION, BoundedSchedule
from stepsched.schedules.cron_fields import LAST_YEAR, CronFields, parse_cron
from stepsched.schedules.cron_runs import CronRuns
from stepsched.schedules.day_rules import Weekdays
from stepsched.schedules.moments import aware
from stepsched.schedules.stored import is_reading_stored
from stepsched.schedules.zones import UTC, known_zone, load_zone

_TICK = timedelta(microseconds=1)
_END = datetime.max.replace(tzinfo=UTC)
_SUNDAY_TO_THURSDAY = Weekdays(0b0011111)


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
        expression = _read_text(expression, "expression")
        crontab = _read_text(crontab, "crontab")
        timezone = load_zone(timezone).key
        text = _text(expression) if expression is not None else _crontab_text(crontab or "")
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
        hash_id: str | None = None,
    ) -> Self:
        """Reads five fields of the Unix dialect, or a shortcut such as ``@daily``.

        Sunday is 0 or 7. If both day fields are set, a day that matches either of them has a run. What tools
        read in two ways is refused (P-38 to P-40). A line that is exactly equivalent to an AWS expression
        becomes that expression. Any other line is kept in ``crontab``, has ``expression`` None, and is
        refused by EventBridge Scheduler.

        Args:
            crontab: A line such as ``*/5 9-17 * * 1-5``; names are accepted. ``H`` and ``R`` are replaced by
                values at once.
            timezone: The IANA name of the zone of the wall times, or a ``ZoneInfo``.
            start: As for :class:`Cron`.
            end: As for :class:`Cron`.
            hash_id: The text from which ``H`` is computed, such as the name of the job: the same text gives
                the same times. None: the line has no ``H``.

        Raises:
            InvalidScheduleError: A field is not valid, the line has another number of fields, or tools read
                it in two ways; the error names the correction.
        """
        if isinstance(crontab, str):
            crontab = _without_hashes(crontab, hash_id)
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


def _read_text(text: object, field: str) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        reason = f"expected a string, got {type(text).__name__}"
        raise InvalidScheduleError(quoted(text), field, reason)
    if field == "expression" and len(text) > LONGEST_EXPRESSION:
        reason = f"expected at most {LONGEST_EXPRESSION} characters, as on AWS, got {len(text):,}"
        raise InvalidScheduleError(str.__str__(text), field, reason)
    return str.__str__(text)


@lru_cache(maxsize=4096)
def _compile(expression: str | None, crontab: str | None) -> CronRuns:
    return CronRuns(parse_cron(expression) if expression else _read_crontab(crontab or ""))


def _text(expression: str) -> str:
    """Returns the fields of an expression in canonical form, and warns of weekdays that are likely meant as
    in a crontab (P-41)."""
    fields = parse_cron(expression)
    weekdays = fields.text.split(" ")[4]
    if fields.rules == (_SUNDAY_TO_THURSDAY,) and weekdays[0].isdigit() and not is_reading_stored():
        warnings.warn(
            f"day-of-week {weekdays!r} is Sunday to Thursday on AWS, where Sunday is 1; write MON-FRI for "
            "Monday to Friday, or SUN-THU for Sunday to Thursday",
            ScheduleWarning,
            stacklevel=4,
        )
    return fields.text


def _crontab_text(line: str) -> str:
    from stepsched.schedules.crontab import parse_crontab, parse_stored_crontab

    return (parse_stored_crontab(line) if is_reading_stored() else parse_crontab(line)).text


def _read_crontab(line: str) -> CronFields:
    from stepsched.schedules.crontab import parse_stored_crontab

    return parse_stored_crontab(line)


def _without_hashes(line: str, hash_id: str | None) -> str:
    from stepsched.schedules.crontab_hashes import frozen

    return frozen(line, hash_id)
