"""JSONata expressions with which Step Functions computes the next run, without Lambda or a zone database.

Each expression is a constant, the same in every machine. The data of a job is in the variable ``$plan``; see
:mod:`stepsched.machines.plan`. The expressions compute with integer seconds since 1970 and read a date from
the first ten characters of an ISO text, without picture strings. Functions call themselves in tail position
only, so the depth does not grow with the distance to the run.

The rules are those of ``stepsched.schedules``. The tests compare every expression with that engine, by the
reference implementation of JSONata 2.0.6.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["grid", "calendar", "cron"]
"""The kind of a plan: ``grid`` steps by elapsed time, ``calendar`` by months and days, ``cron`` by cron
fields."""

NEVER = "never"
"""The value of an expression when no run is left. An expression without a value would fail the state."""

_SECONDS = "$seconds := function($text) { $floor($toMillis($text) / 1000) };"
_TEXT = "$text := function($t) { $substring($fromMillis($t * 1000), 0, 19) & 'Z' };"

_GRID = """
$run := function($c) {(
  $k := $floor(($c - $plan.origin) / $plan.every) + 1;
  $plan.origin + ($k < 0 ? 0 : $k) * $plan.every
)};
"""

# $civil: days since 1970-01-01. Years are counted from March in eras of 400, so that a leap day ends a
# year; a month 13 is the next January.
# $offset: the UTC offset of a zone at an instant. A plan holds the changes of a year by its number, or else
# by its kind: twice the weekday of its first day (0 = Sunday), plus 1 in a leap year.
# $pass: the first instant with a wall time; no value in a gap. Of the offsets 26 hours before and after, the
# one that the zone has at the resulting instant is correct.
CIVIL = """
$civil := function($y, $m, $d) {(
  $a := $m > 2 ? $y : $y - 1;
  $era := $floor($a / 400);
  $r := $a - 400 * $era;
  146097 * $era + 365 * $r + $floor($r / 4) - $floor($r / 100)
    + $floor((153 * ($m > 2 ? $m - 3 : $m + 9) + 2) / 5) + $d - 719469
)};
"""
"""``$civil``: the number of days from 1970 to a date."""

CALENDAR_DAYS = (
    CIVIL
    + """$offset := function($t) { $exists($plan.zone.offset) ? $plan.zone.offset : (
  $y := $number($substring($fromMillis($t * 1000), 0, 4));
  $first := $civil($y, 1, 1);
  $own := $lookup($plan.zone.years, $string($y));
  $kind := 2 * (($first + 4) % 7) + $civil($y + 1, 1, 1) - $first - 365;
  $year := $exists($own) ? $own : $lookup($plan.zone.kinds, $string($kind));
  $year.offset[$count($filter($year.at, function($at) { 86400 * $first + $at <= $t }))]
)};
$pass := function($w) {(
  $former := $offset($w - 93600);
  $latter := $offset($w + 93600);
  $former = $latter or $offset($w - $former) = $former ? $w - $former
    : $offset($w - $latter) = $latter ? $w - $latter
)};
"""
)
"""``$civil``, ``$offset`` and ``$pass``, for the zone of ``$plan``."""

_CALENDAR = """
$at := function($k) { $k = 0 ? $plan.origin : (
  $index := $plan.month + $k * $plan.months;
  $y := $floor($index / 12);
  $m := $index - 12 * $y + 1;
  $first := $civil($y, $m, 1);
  $length := $civil($y, $m + 1, 1) - $first;
  $day := $first + ($plan.day > $length ? $length : $plan.day) - 1 + $k * $plan.days;
  $w := 86400 * $day + $plan.time;
  $w > $plan.end + 100000 ? $w : (
    $t := $pass($w);
    ($exists($t) ? $t : $w - $offset($w - 93600)) + $k * $plan.elapsed
  )
)};
$walk := function($k, $c) {(
  $t := $at($k);
  $t > $c ? $t : $walk($k + 1, $c)
)};
$run := function($c) {(
  $k := $floor(($c - $plan.origin) / $plan.mean) - 2;
  $walk($k < 0 ? 0 : $k, $c)
)};
"""

# $day: the first matching day at or after a date; no value when there is none up to 2199.
# $wall: the first matching wall time strictly after another one.
_CRON = """
$fits := function($y, $m, $from) {(
  $first := $civil($y, $m, 1);
  $length := $civil($y, $m + 1, 1) - $first;
  $weekday := ($first + 4) % 7;
  $exists($plan.shapes)
    ? $filter($lookup($plan.shapes, $weekday & '/' & $length), function($d) { $d >= $from })[0]
    : $filter([$from..$length], function($d) {
        $d in $plan.days and ($weekday + $d - 1) % 7 in $plan.weekdays })[0]
)};
$day := function($y, $m, $from) {
  $m > 12 or $y > 2199 or ($exists($plan.years) and $not($y in $plan.years)) ? (
    $later := $exists($plan.years) ? $filter($plan.years, function($x) { $x > $y })[0] : $y + 1;
    $exists($later) and $later <= 2199 ? $day($later, 1, 1)
  ) : (
    $d := $m in $plan.months ? $fits($y, $m, $from);
    $exists($d) ? $civil($y, $m, $d) : $day($y, $m + 1, 1)
  )
};
$wall := function($w) {(
  $iso := $fromMillis($w * 1000);
  $y := $number($substring($iso, 0, 4));
  $m := $number($substring($iso, 5, 2));
  $d := $number($substring($iso, 8, 2));
  $hour := $number($substring($iso, 11, 2));
  $minute := $number($substring($iso, 14, 2));
  $morning := 3600 * $plan.hours[0] + 60 * $plan.minutes[0];
  $today := $civil($y, $m, $d);
  $found := $day($y, $m, $d);
  $found = $today ? (
    $next := $hour in $plan.hours ? $filter($plan.minutes, function($x) { $x > $minute })[0];
    $later := $filter($plan.hours, function($x) { $x > $hour })[0];
    $exists($next) ? 86400 * $today + 3600 * $hour + 60 * $next
      : $exists($later) ? 86400 * $today + 3600 * $later + 60 * $plan.minutes[0]
      : ( $other := $day($y, $m, $d + 1); $exists($other) ? 86400 * $other + $morning )
  ) : $exists($found) ? 86400 * $found + $morning
)};
$walk := function($w, $c) {(
  $next := $wall($w);
  $exists($next) ? (
    $t := $pass($next);
    $exists($t) and $t > $c ? $t : $walk($next, $c)
  )
)};
$run := function($c) {(
  $from := $max([$c, $plan.from]);
  $walk($from + $offset($from), $from)
)};
"""

_FUNCTIONS: dict[Kind, str] = {
    "grid": _GRID,
    "calendar": CALENDAR_DAYS + _CALENDAR,
    "cron": CALENDAR_DAYS + _CRON,
}

_FIRST = """
$t := $run($seconds($after));
$exists($t) and $t <= $plan.end ? $text($t) : 'never'
"""

# Finds the latest of the late runs by bisection, between an instant that is followed by a late run and one
# that is not.
_LATEST = """
$late := function($c) {( $t := $run($c); $exists($t) and $t <= $plan.end and $t <= $now )};
$halve := function($low, $high) {(
  $middle := $floor(($low + $high) / 2);
  $high - $low < 2 ? $low : $late($middle) ? $halve($middle, $high) : $halve($low, $middle)
)};
$c := $seconds($after);
$now := $seconds($begun);
$t := $run($c < $now and $late($c) ? $halve($c, $now) : $c);
$exists($t) and $t <= $plan.end ? $text($t) : 'never'
"""


def _expression(*parts: str) -> str:
    lines = [line.strip() for part in parts for line in part.splitlines() if line.strip()]
    return "{% ( " + " ".join(lines) + " ) %}"


NEXT_RUN: dict[Kind, str] = {
    kind: _expression(_SECONDS, _TEXT, functions, _FIRST) for kind, functions in _FUNCTIONS.items()
}
"""The first run strictly after ``$after`` (ISO text in UTC), as ISO text of whole seconds; or ``NEVER``."""

LATEST_RUN: dict[Kind, str] = {
    kind: _expression(_SECONDS, _TEXT, functions, _LATEST) for kind, functions in _FUNCTIONS.items()
}
"""The first run strictly after ``$after``, or the latest of several runs that were late at ``$begun``."""


def next_run_of(kind: str, after: str) -> str:
    """The expression ``NEXT_RUN`` for a machine that reads the kind of the plan from its data.

    Args:
        kind: The expression that gives the kind.
        after: The expression that replaces ``$after``.
    """
    grid, calendar, cron = (f"( {part} $run )" for part in (_GRID, _CALENDAR, _CRON))
    run = f"$run := {kind} = 'grid' ? {grid} : {kind} = 'calendar' ? {calendar} : {cron};"
    return _expression(_SECONDS, _TEXT, CALENDAR_DAYS, run, _FIRST.replace("$after", after))
