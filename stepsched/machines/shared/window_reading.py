"""The states that read calendar windows, as ``stepsched.schedules.windowed`` does, without Lambda.

Times are read in the form that Python writes, ``2030-01-31T09:00:00``: a blank may stand for ``T``, seconds
may be left out, a fraction may be zero, and ``Z`` or an offset such as ``+05:30`` may follow. Other forms of
ISO 8601 that Python reads are refused: ``24:00``, an offset without minutes or colon, a zone in brackets.
"""

from __future__ import annotations

from stepsched.asl.states import Pass, State
from stepsched.machines.literals import quoted
from stepsched.machines.plan import LAST_SECOND, MEAN_MONTH
from stepsched.machines.shared.moment_reading import AT, TIMES
from stepsched.machines.shared.reading_words import (
    DAY,
    DIGITS,
    ISO,
    LONGEST_QUOTE,
    SHOWN,
    fixed,
    new_year,
    stage,
)
from stepsched.schedules.frequency import LONGEST, UNITS

# $moment: the wall time of a text, its offset if it has one, and whether it has a fraction of a second.
# $settled: the instant of a moment, the wall time from which calendar steps count, and the text of both: a
# wall time, or the instant of the second pass of a repeated hour, which no wall time can name. No value where
# the offsets of the zone are not known. $read: either of them for a field, or the problem.
_MOMENTS = f"""
$cut := function($t, $count) {{ $substring($t, 0, $length($t) - $count) }};
$moment := function($t) {{(
  $utc := $substring($t, $length($t) - 1) = 'Z';
  $tail := $length($t) > 6 ? $substring($t, $length($t) - 6) : '';
  $sign := $substring($tail, 0, 1);
  $hours := $number_at($tail, 1, 2);
  $minutes := $number_at($tail, 4, 2);
  $shift := $utc ? 0
    : $sign in ['+', '-'] and $substring($tail, 3, 1) = ':' and $exists($hours) and $exists($minutes) ? (
      $hours < 24 and $minutes < 60 ? ($sign = '-' ? -60 : 60) * (60 * $hours + $minutes) );
  $bare := $utc ? $cut($t, 1) : $exists($shift) ? $cut($t, 6) : $t;
  $parts := $split($bare, '.');
  $first := $parts[0];
  $blank := $substring($first, 10, 1) = ' ';
  $w := $wall($blank ? $substring($first, 0, 10) & 'T' & $substring($first, 11) : $first);
  $whole := $count($parts) = 1;
  $exists($w) and ($whole or $count($parts) = 2 and $length($first) = 19 and $digits($parts[1])) ? {{
    'wall': $exists($shift) ? $w - $shift : $w,
    'named': $exists($shift),
    'fraction': $whole ? false : $number($parts[1]) > 0
  }}
)}};
$settled := function($moment) {{(
  $t := $moment.wall;
  $w := $moment.named ? ( $t >= {new_year(1)} and $t <= {LAST_SECOND} ? $t + $offset($t) ) : $t;
  $exists($w) ? ( $covers($w) ? (
    $first := $instant($w);
    $again := $moment.named and $first != $t;
    {{'instant': $again ? $t : $first, 'wall': $w, 'text': $again ? $iso($t) & 'Z' : $iso($w)}}
  ) )
)}};
$read := function($name, $value) {{(
  $moment := $type($value) = 'string' ? ( $length($value) <= {LONGEST_QUOTE} ? $moment($value) );
  $found := $exists($moment) ? $settled($moment);
  $not($exists($moment)) ? {{'problem': $name & ': expected a date and a time, got ' & $shown($value)
    & '; use a form such as 2030-01-31T09:00:00, or 2030-01-31T09:00:00Z for an instant'}}
  : $moment.fraction ? {{'problem': $name & ': ' & $shown($value)
    & ' has a fraction of a second, which Step Functions cuts off; use whole seconds'}}
  : $not($exists($found)) ? {{'problem': $outside($name, $value)}}
  : $found
)}};
"""

_WINDOW_TIMES = """
$given := function($name) {(
  $value := $lookup($schedule, $name);
  $exists($value) ? ( $value != null ? $value )
)};
$fields := ['start', 'end', 'every', 'timezone', 'kind'];
$unknown := $filter($keys($schedule), function($field) { $not($field in $fields) })[0];
$kind := $given('kind');
$name := $given('timezone');
$first := $given('start');
$last := $given('end');
$start := $exists($first) ? $read('start', $first);
$end := $exists($last) ? $read('end', $last);
$exists($unknown) ? {'problem': 'schedule: the field ' & $shown($unknown)
  & ' is unknown; use start, end, every and timezone'}
: $exists($kind) and $kind != 'windowed' ? {'problem': 'kind: expected windowed, got ' & $shown($kind)
  & '; use text for another schedule, such as cron(0 9 ? * MON-FRI *)'}
: $exists($name) and $type($name) != 'string' ? {'problem': 'timezone: expected the name of a zone, got '
  & $shown($name) & '; use a name such as Europe/Paris'}
: $not($exists($start)) ? {'problem': 'start: it is missing in ' & $shown($schedule)
  & '; use a date and a time such as 2030-01-31T09:00:00'}
: $exists($start.problem) ? $start
: $exists($end.problem) ? $end
: $exists($end) ? ( $end.instant < $start.instant
  ? {'problem': 'end: expected a time at or after the start ' & $start.text & ', got ' & $shown($last)
    & '; use a later end, or none'}
  : {'start': $start, 'end': $end} )
: {'start': $start}
"""

_UNITS = ", ".join(UNITS)
_WINDOW_STEP = f"""
$every := $lookup($schedule, 'every');
$given := $type($every) = 'object' ? $keys($every);
$unknown := $filter($given, function($unit) {{ $not($unit in $units) }})[0];
$wrong := $filter($given, function($unit) {{(
  $n := $lookup($every, $unit);
  $type($n) = 'number' ? $n < 0 or $n != $floor($n) : true
)}})[0];
$fits := $type($every) = 'object' and $not($exists($unknown)) and $not($exists($wrong));
$n := function($unit) {{ $exists($lookup($every, $unit)) ? $floor($lookup($every, $unit)) : 0 }};
$months := $fits ? 12 * $n('years') + 3 * $n('quarters') + $n('months');
$days := $fits ? 7 * $n('weeks') + $n('days');
$elapsed := $fits ? 3600 * $n('hours') + 60 * $n('minutes') + $n('seconds');
$mean := $fits ? {MEAN_MONTH} * $months + {DAY} * $days + $elapsed;
$not($type($every) = 'object') ? {{'problem': 'every: expected an object such as {{"months": 1}}, got '
  & ($exists($every) ? $shown($every) : 'none') & {quoted(f"; the units are {_UNITS}")}}}
: $exists($unknown) ? {{'problem': 'every: the unit ' & $shown($unknown) & ' is unknown; use '
  & {quoted(_UNITS)}}}
: $exists($wrong) ? {{'problem': 'every: expected a whole number of at least 0 for ' & $wrong & ', got '
  & $shown($lookup($every, $wrong)) & '; use a number such as 1'}}
: $mean = 0 ? {{'problem': 'every: expected a step, got ' & $shown($every)
  & '; use a number of at least 1 for one of ' & {quoted(_UNITS)}}}
: $mean > {LONGEST} ? {{'problem': 'every: expected at most 10,000 years, got ' & $shown($every)
  & '; use a shorter step'}}
: (
  $start := $reading.start;
  $wall := $iso($start.wall);
  $plan := {{'origin': $start.instant, 'end': $exists($reading.end) ? $reading.end.instant : {LAST_SECOND}}};
  $whole := $months + $days > 0;
  {{
    'kind': $whole ? 'calendar' : 'grid',
    'plan': $merge([$plan, $whole ? {{
      'month': 12 * $number($substring($wall, 0, 4)) + $number($substring($wall, 5, 2)) - 1,
      'day': $number($substring($wall, 8, 2)),
      'time': $start.wall - {DAY} * $floor($start.wall / {DAY}),
      'months': $months, 'days': $days, 'elapsed': $elapsed, 'mean': $mean, 'zone': $zone
    }} : {{'every': $elapsed}}]),
    'once': false,
    'anchored': false,
    'canonical': {{
      'kind': 'windowed', 'start': $start.text, 'end': $exists($reading.end) ? $reading.end.text : null,
      'every': $merge($map($units, function($unit) {{ $n($unit) > 0 ? {{$unit: $n($unit)}} }})),
      'timezone': $timezone
    }}
  }}
)
"""


def window_states(*, read: str) -> dict[str, State]:
    """The states for ``at( )`` or an object with ``start``, ``end`` and ``every``: "Read times", "Read step".

    They set ``$reading``: either ``problem``, a sentence, or ``kind``, ``plan``, ``once``, ``anchored`` and
    ``canonical``, as :func:`stepsched.machines.shared.schedule_reading.reading_states` says.

    Args:
        read: The name of the following state.
    """
    units = fixed("units", UNITS)
    return {
        "Read times": Pass(
            assign={
                "reading": stage(
                    *(DIGITS, SHOWN, TIMES, _MOMENTS, "$type($schedule) = 'string' ? (", AT, ") : ("),
                    *(_WINDOW_TIMES, ")"),
                )
            },
            next="Read step",
        ),
        "Read step": Pass(assign={"reading": stage(SHOWN, ISO, units, _WINDOW_STEP, then=True)}, next=read),
    }
