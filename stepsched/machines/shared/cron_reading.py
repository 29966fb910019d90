"""The states that read an AWS cron, as ``stepsched.schedules.cron_fields`` does, without Lambda.

Each of the three states has an expression that is cheap on its own, because the time of an evaluation is
bounded. The rules are those of Python: the fields are generated from its own, and the tests compare every
plan with that of Python, by the reference implementation of JSONata 2.0.6.
"""

from __future__ import annotations

from calendar import isleap, monthrange
from datetime import date
from itertools import accumulate
from typing import Any

from stepsched.asl.states import Pass, State
from stepsched.machines.plan import LAST_SECOND
from stepsched.machines.shared.reading_words import DIGITS, SHOWN, fixed, new_year, stage
from stepsched.machines.zones import FIRST_YEAR
from stepsched.schedules.cron_fields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    HOURS,
    LAST_YEAR,
    MINUTES,
    MONTH,
    YEAR,
)
from stepsched.schedules.cron_fields import FIRST_YEAR as FIRST_CRON_YEAR
from stepsched.schedules.cron_items import Field

_CURES = {
    MINUTES: "numbers from 0 to 59, ranges such as 0-30, steps such as */5 or 0/15, a list of these, or *",
    HOURS: "numbers from 0 to 23, ranges such as 9-17, steps such as */6, a list of these, or *",
    DAY_OF_MONTH: "numbers from 1 to 31, ranges such as 1-15, steps such as 1/7, a list of these, or *; "
    "L, LW, L-3 and 15W stand alone",
    MONTH: "numbers from 1 to 12 or JAN to DEC, ranges such as 3-5, steps such as */3, a list of these, or *",
    DAY_OF_WEEK: "numbers from 1 to 7 (Sunday is 1) or SUN to SAT, ranges such as MON-FRI, a list of these, "
    "or *; L, 6L and 6#3 stand alone",
    YEAR: f"numbers from {FIRST_CRON_YEAR} to {LAST_YEAR}, ranges that do not run backwards, steps such as "
    "2030/2, a list of these, or *",
}
_KINDS = "ABCDEFGHIJKLMN"
"""The kinds of years: twice the weekday of the first day (0 is Sunday), plus 1 in a leap year."""
_NEW_YEARS = {year: date(year, 1, 1).isoweekday() % 7 for year in range(FIRST_CRON_YEAR, LAST_YEAR + 1)}
_KIND_OF_YEARS = "".join(_KINDS[2 * weekday + isleap(year)] for year, weekday in _NEW_YEARS.items())
_LENGTHS = [monthrange(2023, month)[1] for month in range(1, 13)]
_MONTHS = [
    {"month": month, "start": start, "length": length, "leap": int(month == 2), "moved": int(month > 2)}
    for month, (start, length) in enumerate(zip(accumulate([0, *_LENGTHS]), _LENGTHS, strict=False), start=1)
]
"""The months of a year that is no leap year: the number of the days before it and in it, and by how many
days either is more in a leap year."""


def _of(field: Field) -> dict[str, Any]:
    """What the expressions need to know of a field."""
    return {
        "name": field.name,
        "low": field.low,
        "high": field.high,
        "width": field.width,
        "names": {text: field.known[text] for text in field.names},
        "spelled": field.names,
        "step": field.largest_step,
        "wraps": field.wraps,
        "cure": _CURES[field],
    }


_FIELDS = [_of(each) for each in (MINUTES, HOURS, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR)]

# $numeral: the number of digits that a field may hold, with a leading zero or without; $value: also that of a
# name in upper case. $between: the number of a few digits. $spans: a range or a step; ``values`` ascend.
# $item: one of these or a value. $list: a whole field. None of them has a value if the text cannot be read.
_ITEMS = """
$between := function($low, $high, $width, $t) {
  $length($t) <= $width ? ( $digits($t) ? ( $n := $number($t); $n >= $low and $n <= $high ? $n ) )
};
$numeral := function($f, $t) { $between($f.low, $f.high, $f.width, $t) };
$value := function($f, $t) {(
  $n := $numeral($f, $t);
  $exists($n) ? $n : $lookup($f.names, $t)
)};
$spans := function($f, $s) {(
  $halves := $split($s, '/');
  $stepped := $count($halves) = 2;
  $by := $stepped
    ? ( $digits($halves[1]) and $length($halves[1]) <= 3 ? ( $n := $number($halves[1]); $n <= $f.step ? $n ) )
    : $count($halves) = 1 ? 1;
  $star := $halves[0] = '*';
  $ends := $split($halves[0], '-');
  $ranged := $count($ends) = 2;
  $first := $star ? $f.low : $value($f, $ends[0]);
  $last := $star or ($stepped and $not($ranged)) ? $f.high : $value($f, $ends[-1]);
  $numbered := $exists($numeral($f, $ends[0])) and $exists($numeral($f, $ends[-1]));
  $name := function($n) { $numbered ? $string($n) : $f.spelled[$n - $f.low] };
  $size := $f.high - $f.low + 1;
  $exists($by) and $by > 0 and $exists($first) and $exists($last) and $count($ends) <= 2
    and ($stepped or $not($star)) and ($f.wraps or $first <= $last) ? (
    $next := $first + $by * ($floor(($f.high - $first) / $by) + 1) - $size;
    {
      'values': $first <= $last ? [$range($first, $last, $by)]
        : $next <= $last ? [$range($next, $last, $by), $range($first, $f.high, $by)]
        : [$range($first, $f.high, $by)],
      'text': ($star ? '*' : $ranged ? $name($first) & '-' & $name($last) : $name($first))
        & ($stepped ? '/' & $by : '')
    }
  )
)};
$item := function($f, $s) {
  $contains($s, '/') or $contains($s, '-') ? $spans($f, $s) : (
    $n := $value($f, $s);
    $exists($n) ? {'values': [$n], 'text': $exists($numeral($f, $s)) ? $string($n) : $s}
  )
};
$list := function($f, $s) {(
  $given := $split($s, ',');
  $items := $map($given, function($each) { $item($f, $each) });
  $s = '*' ? {'values': [$f.low..$f.high], 'text': '*'} : $count($items) = $count($given) ? (
    $values := $items.values;
    {
      'values': $count($given) = 1 ? [$values] : [$filter([$f.low..$f.high], function($n) { $n in $values })],
      'text': $join($items.text, ',')
    }
  )
)};
"""

_SPLIT = """
$upper := $uppercase($schedule);
$given := $split($substring($upper, 5, $length($upper) - 6), ' ');
$parts := $count($given) = 5 ? $append($given, '*') : $given;
$day := $parts[2];
$weekday := $parts[4];
$last := function($s) { $substring($s, $length($s) - 1) };
$rest := function($s) { $substring($s, 0, $length($s) - 1) };
"""

# $days: the rule for the days and its canonical text. Numbers of weekdays begin with 0 for Sunday.
_DAYS = """
$in_month := function() {
  $day = 'L' ? {'rule': 'back', 'n': 0, 'text': $day}
  : $day = 'LW' ? {'rule': 'lw', 'text': $day}
  : $substring($day, 0, 2) = 'L-' ? (
    $n := $between(1, 30, 2, $substring($day, 2));
    $exists($n) ? {'rule': 'back', 'n': $n, 'text': 'L-' & $n} )
  : $last($day) = 'W' ? (
    $n := $value($fields[2], $rest($day));
    $exists($n) ? {'rule': 'near', 'n': $n, 'text': $n & 'W'} )
  : (
    $read := $list($fields[2], $day);
    $exists($read) ? {'rule': 'days', 'days': $read.values, 'text': $read.text} )
};
$in_week := function() {(
  $hash := $split($weekday, '#');
  $weekday = 'L' ? {'rule': 'week', 'weekdays': [6], 'text': $weekday}
  : $count($hash) = 2 ? (
    $d := $value($fields[4], $hash[0]);
    $n := $between(1, 5, 2, $hash[1]);
    $exists($d) and $exists($n) ? {'rule': 'nth', 'weekday': $d - 1, 'n': $n, 'text': $d & '#' & $n} )
  : $last($weekday) = 'L' ? (
    $d := $value($fields[4], $rest($weekday));
    $exists($d) ? {'rule': 'last', 'weekday': $d - 1, 'text': $d & 'L'} )
  : (
    $read := $list($fields[4], $weekday);
    $exists($read) ? {
      'rule': 'week', 'weekdays': [$map($read.values, function($d) { $d - 1 })], 'text': $read.text} )
)};
"""

_FIELDS_READ = """
$whole := $count($parts) = 6 and $not('' in $parts);
$named := $whole and ($day = '?') != ($weekday = '?');
$minutes := $named ? $list($fields[0], $parts[0]);
$hours := $named ? $list($fields[1], $parts[1]);
$months := $named ? $list($fields[3], $parts[3]);
$years := $named ? $list($fields[5], $parts[5]);
$days := $named ? ( $weekday = '?' ? $in_month() : $in_week() );
$bad := $not($exists($minutes)) ? 0 : $not($exists($hours)) ? 1
  : $not($exists($days)) ? ($weekday = '?' ? 2 : 4) : $not($exists($months)) ? 3 : $not($exists($years)) ? 5;
$not($whole) ? {'problem': 'schedule: expected five or six fields with one blank between them, got '
    & $shown($schedule) & '; use cron(minutes hours day-of-month month day-of-week year), such as '
    & 'cron(0 9 ? * MON-FRI *)'}
: $not($named) ? {'problem': ($day = '?'
    ? 'day-of-month: both day fields of ' & $shown($schedule) & ' are ?, so no day is named; '
      & 'use * in day-of-month for every day'
    : 'day-of-week: ' & $shown($weekday) & ' stands beside the day-of-month ' & $shown($day)
      & ', and exactly one of the two must be ?; use ? in the other field')}
: $exists($bad) ? {'problem': $fields[$bad].name & ': ' & $shown($parts[$bad]) & ' cannot be read in '
    & $shown($schedule) & '; use ' & $fields[$bad].cure}
: {
  'minutes': $minutes.values, 'hours': $hours.values, 'months': $months.values, 'years': $years.values,
  'days': $days,
  'text': 'cron(' & $join([$minutes.text, $hours.text, $weekday = '?' ? $days.text : '?',
    $months.text, $weekday = '?' ? '?' : $days.text, $years.text], ' ') & ')'
}
"""

# $shape: the day that a rule selects in a month that begins on a weekday and has a number of days, if any.
_SHAPES = """
$days := $reading.days;
$rule := $days.rule;
$special := $rule in ['back', 'lw', 'near', 'last', 'nth'];
$shape := function($first, $length) {(
  $end := ($first + $length - 1) % 7;
  $rule = 'back' ? ( $days.n < $length ? $length - $days.n )
  : $rule = 'lw' ? $length - ($end = 6 ? 1 : $end = 0 ? 2 : 0)
  : $rule = 'near' ? ( $days.n <= $length ? (
    $at := ($first + $days.n - 1) % 7;
    $at = 6 ? ($days.n > 1 ? $days.n - 1 : 3)
      : $at = 0 ? ($days.n < $length ? $days.n + 1 : $length - 2) : $days.n ) )
  : $rule = 'last' ? $length - ($end - $days.weekday + 7) % 7
  : (
    $d := ($days.weekday - $first + 7) % 7 + 7 * ($days.n - 1) + 1;
    $d <= $length ? $d )
)};
$all := $special ? $map([0..27], function($i) {(
  $first := $floor($i / 4);
  $length := 28 + $i % 4;
  {'key': $first & '/' & $length, 'days': [$shape($first, $length)]}
)});
$shapes := $special ? $merge($map($all, function($each) { {$each.key: $each.days} }));
"""

# $alive: the kinds of years in which the rule matches a day.
_ALIVE = """
$chosen := [$filter($months, function($m) { $m.month in $reading.months })];
$has_day := function($kind) {(
  $leap := $kind % 2;
  $exists($filter($chosen, function($m) {(
    $length := $m.length + $leap * $m.leap;
    $first := ($floor($kind / 2) + $m.start + $leap * $m.moved) % 7;
    $special ? $count($lookup($shapes, $first & '/' & $length)) > 0 : $min($days.days) <= $length
  )})[0])
)};
$always := $special ? $not(0 in $map($all, function($each) { $count($each.days) }))
  : $rule = 'week' or $min($days.days) <= 28;
$alive := $always ? $kinds
  : $join([$map([0..13], function($kind) { $has_day($kind) ? $substring($kinds, $kind, 1) })], '');
$merge([$reading, {'alive': $alive}, $special ? {'shapes': $shapes} : {}])
"""

_YEARS = """
$years := $reading.alive = $kinds ? $reading.years : [$filter($reading.years, function($year) {
  $contains($reading.alive, $substring($of_years, $year - $low, 1)) })];
$days := $reading.days;
$count($years) = 0 ? {'problem': 'schedule: no date fits ' & $shown($schedule)
  & '; use a day that one of its months and years has'} : {
  'kind': 'cron',
  'plan': $merge([
    {'minutes': $reading.minutes, 'hours': $reading.hours, 'months': $reading.months,
     'from': $before, 'end': $end, 'zone': $zone},
    $count($years) = $every ? {} : {'years': $years},
    $exists($reading.shapes) ? {'shapes': $reading.shapes} : {
      'days': $days.rule = 'days' ? $days.days : [1..31],
      'weekdays': $days.rule = 'days' ? [0..6] : $days.weekdays}
  ]),
  'once': false,
  'anchored': false,
  'canonical': {'kind': 'cron', 'expression': $reading.text, 'timezone': $timezone}
}
"""


def cron_states(*, read: str) -> dict[str, State]:
    """The states that read ``$schedule``, text of printable ASCII in ``cron( )``.

    They set ``$reading``: either ``problem``, a sentence, or ``kind``, ``plan``, ``once``, ``anchored`` and
    ``canonical``, as :func:`stepsched.machines.shared.schedule_reading.reading_states` says.

    Args:
        read: The name of the following state.
    """
    fields, months, kinds = fixed("fields", _FIELDS), fixed("months", _MONTHS), fixed("kinds", _KINDS)
    years = (
        fixed("of_years", _KIND_OF_YEARS) + fixed("low", FIRST_CRON_YEAR) + fixed("every", len(_NEW_YEARS))
    )
    ends = fixed("before", new_year(FIRST_YEAR) - 1) + fixed("end", LAST_SECOND)
    return {
        "Read cron fields": Pass(
            assign={"reading": stage(DIGITS, SHOWN, fields, _ITEMS, _SPLIT, _DAYS, _FIELDS_READ)},
            next="Match cron days",
        ),
        "Match cron days": Pass(
            comment="In which of the 28 shapes of a month, and of the 14 kinds of years, there are runs",
            assign={"reading": stage(kinds, months, _SHAPES, _ALIVE, then=True)},
            next="Choose cron years",
        ),
        "Choose cron years": Pass(
            assign={"reading": stage(SHOWN, kinds, years, ends, _YEARS, then=True)},
            next=read,
        ),
    }
