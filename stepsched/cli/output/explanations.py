"""What an expression means: in words, in other dialects, and in runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any

from stepsched.cli.output.times import distance_text, instant_text
from stepsched.cli.output.views import View
from stepsched.display.table import visible

if TYPE_CHECKING:
    from stepsched.schedules import AnySchedule

_RUNS = 5
_YEARS_OF_GAPS = 5
_MOST_GAPS = 3


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What an expression means."""

    given: str
    schedule: AnySchedule
    runs: list[datetime]
    """The next runs."""
    previous: datetime | None
    """The run before now."""
    aws: str | None
    """The equivalent AWS expression. None: there is none."""
    why_not_aws: str | None
    """Why there is none. None: the schedule is no calendar window."""
    gaps: list[datetime]
    """The next wall times that match and do not exist."""

    @property
    def zone(self) -> str | None:
        """The name of the zone; None for a rate."""
        return getattr(self.schedule, "timezone", None)

    def bound(self, name: str) -> datetime | None:
        """Returns the start or the end of the schedule, as an instant."""
        from stepsched.schedules.zones import load_zone

        value = getattr(self.schedule, name, None)
        if not isinstance(value, datetime):
            return None
        try:
            return load_zone(self.zone or "UTC").moment(value)
        except OverflowError:  # at the ends of the calendar, where the zone has another year
            return value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)


def explanation_of(given: str, schedule: AnySchedule, now: datetime) -> Explanation:
    """Returns what an expression means.

    Args:
        given: The expression as it was given.
        schedule: The schedule.
        now: The present instant.
    """
    from stepsched.schedules import Cron, Windowed
    from stepsched.schedules.equivalents import NoEquivalentError, aws_equivalent

    aws, why_not, gaps = schedule.expression, None, list[datetime]()
    if isinstance(schedule, Windowed):
        try:
            aws = aws_equivalent(schedule).expression
        except NoEquivalentError as error:
            why_not = str(error)
    elif isinstance(schedule, Cron):
        until = now + timedelta(days=366 * _YEARS_OF_GAPS)
        gaps = list(islice(schedule.skipped(after=now, until=until), _MOST_GAPS))
        if aws is None:
            why_not = "the fields of AWS cannot say it"
    return Explanation(
        given=given,
        schedule=schedule,
        runs=schedule.upcoming(_RUNS, after=now),
        previous=schedule.previous_run(before=now),
        aws=aws,
        why_not_aws=why_not,
        gaps=gaps,
    )


def explanation_view(found: Explanation, now: datetime) -> View:
    """Returns the view of an explanation."""
    return View(
        document=lambda: _document(found),
        names=[run.isoformat() for run in found.runs],
        text=_text(found, now),
    )


def _document(found: Explanation) -> dict[str, Any]:
    return {
        "expression": found.given,
        "kind": found.schedule.kind,
        "words": found.schedule.describe(),
        "aws": found.aws,
        "why_not_aws": found.why_not_aws,
        "schedule": found.schedule.model_dump(mode="json", exclude_none=True),
        "timezone": found.zone,
        "next": [run.isoformat() for run in found.runs],
        "previous": found.previous and found.previous.isoformat(),
        "skipped": [gap.isoformat() for gap in found.gaps],
    }


def _text(found: Explanation, now: datetime) -> str:
    zone = found.zone
    lines = [
        ("meaning", found.schedule.describe()),
        ("kind", _KINDS[found.schedule.kind]),
        ("on AWS", found.aws or f"no equivalent: {found.why_not_aws}"),
        ("zone", zone or "none: a rate counts elapsed time"),
    ]
    for name in ("start", "end"):
        bound = found.bound(name)
        if bound is not None:
            lines.append((name, instant_text(bound, zone)))
    previous = found.previous
    if previous is not None:
        lines.append(("previous", _run_text(previous, zone, now)))
    if zone is None and found.bound("start") is None:
        lines.append(("counted", "from now here; from the creation of a job"))
    lines += [
        ("next" if not number else "", _run_text(run, zone, now)) for number, run in enumerate(found.runs)
    ]
    if not found.runs:
        lines.append(("next", "no run is left"))
    for number, gap in enumerate(found.gaps):
        words = f"{gap.isoformat(' ', 'minutes')}, which does not exist in {zone}"
        lines.append(("skipped" if not number else "", words))
    width = max(len(title) for title, _ in lines)
    return "\n".join(visible(f"{title:{width}}  {words}") for title, words in lines)


_KINDS = {
    "one_time": "one-time: at( )",
    "rate": "rate: a fixed length of time",
    "cron": "cron: wall times of a zone",
    "windowed": "calendar step: wall times of a zone, counted from its start",
}


def _run_text(run: datetime, zone: str | None, now: datetime) -> str:
    return f"{run:%a} {instant_text(run, zone)}  {distance_text(run, now)}"
