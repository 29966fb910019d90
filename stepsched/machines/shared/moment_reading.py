"""The states that read ``at( )`` and ``rate( )``, as ``stepsched.schedules`` does, without Lambda."""

from __future__ import annotations

from datetime import timedelta

from stepsched.asl.states import Pass, State
from stepsched.machines.next_run import CALENDAR_DAYS
from stepsched.machines.plan import LAST_SECOND
from stepsched.machines.shared.reading_words import DAY, DIGITS, ISO, SHOWN, new_year, stage
from stepsched.machines.zones import FIRST_YEAR

_LONGEST_RATE = timedelta.max // timedelta(seconds=1)

WALL = f"""
$number_at := function($t, $from, $size) {{(
  $part := $substring($t, $from, $size);
  $digits($part) and $length($part) = $size ? $number($part)
)}};
$wall := function($t) {{(
  $size := $length($t);
  $y := $number_at($t, 0, 4);
  $m := $number_at($t, 5, 2);
  $d := $number_at($t, 8, 2);
  $hour := $number_at($t, 11, 2);
  $minute := $number_at($t, 14, 2);
  $second := $size = 16 ? 0 : $number_at($t, 17, 2);
  $marks := $substring($t, 4, 1) & $substring($t, 7, 1) & $substring($t, 10, 1) & $substring($t, 13, 1)
    & ($size = 16 ? ':' : $substring($t, 16, 1));
  $marks = '--T::' and $size in [16, 19] and $exists($y) and $exists($m) and $exists($d) and $exists($hour)
    and $exists($minute) and $exists($second) ? (
    $y > 0 and $m > 0 and $m < 13 and $d > 0 and $d <= $civil($y, $m + 1, 1) - $civil($y, $m, 1)
      and $hour < 24 and $minute < 60 and $second < 60
      ? {DAY} * $civil($y, $m, $d) + 3600 * $hour + 60 * $minute + $second
  )
)}};
"""
"""``$wall``: the seconds of a wall time; no value if the text is not a date and a time that exist. It needs
``$civil`` and ``$digits``."""

# $instant: of a wall time; in a gap it is moved by the length of the gap. $covers: whether the offsets of the
# zone are known at a wall time.
_TIMES = f"""
$plan := {{'zone': $zone}};
$instant := function($w) {{(
  $t := $pass($w);
  $exists($t) ? $t : $w - $offset($w - 93600)
)}};
$covers := function($w) {{
  $w >= ($timezone = 'UTC' ? {new_year(1)} : {new_year(FIRST_YEAR)})
    and $w <= ($timezone = 'UTC' ? {LAST_SECOND} : {new_year(9999) - 1})
}};
$outside := function($name, $value) {{
  $name & ': expected a time in the years ' & (
    $timezone = 'UTC' ? '1 to 9999, got ' & $shown($value) & '; use a time in these years'
    : '{FIRST_YEAR} to 9998, for which the machine has the offsets of ' & $timezone & ', got '
      & $shown($value) & '; use a time in these years, or the zone UTC'
  )
}};
"""
TIMES = CALENDAR_DAYS + ISO + WALL + _TIMES
"""``$number_at``, ``$wall``, ``$instant``, ``$covers`` and ``$outside``, for the zone ``$zone`` with the name
``$timezone``."""

AT = """
$text := $substring($schedule, 3, $length($schedule) - 4);
$at := $wall($text);
$not($exists($at)) ? {'problem': 'at: expected a date and a time that exist, got ' & $shown($text)
  & '; use the form at(yyyy-mm-ddThh:mm:ss), and timezone for the zone'}
: $not($covers($at)) ? {'problem': $outside('at', $text)}
: (
  $t := $instant($at);
  {
    'kind': 'grid', 'plan': {'origin': $t, 'every': 60, 'end': $t}, 'once': true, 'anchored': false,
    'canonical': {'kind': 'one_time', 'at': $iso($at), 'timezone': $timezone}
  }
)
"""
"""Reads ``at( )``, after :data:`TIMES`."""

_RATE = f"""
$text := $lowercase($substring($schedule, 5, $length($schedule) - 6));
$without := function($t, $end) {{(
  $cut := $length($t) - $length($end);
  $cut >= 0 and $substring($t, $cut) = $end ? $substring($t, 0, $cut) : $t
)}};
$bare := $without($text, 's');
$unit := $filter(['minute', 'hour', 'day'], function($u) {{ $without($bare, $u) != $bare }})[0];
$amount := $exists($unit) ? $without($without($bare, $unit), ' ') : '';
$unit_length := $unit = 'minute' ? 60 : $unit = 'hour' ? 3600 : {DAY};
$every := $digits($amount) ? $number($amount) * $unit_length : 0;
$every = 0 ? {{'problem': 'rate: expected a whole number of at least 1 and minutes, hours or days, got '
  & $shown($text) & '; use for example rate(5 minutes), or for other units an object with start and every'}}
: $every > {_LONGEST_RATE} ? {{'problem': 'rate: expected at most {timedelta.max.days:,} days, got '
  & $shown($text) & '; use a shorter interval'}}
: (
  $days := $floor($every / {DAY});
  $hours := $floor(($every - {DAY} * $days) / 3600);
  $minutes := ($every - {DAY} * $days - 3600 * $hours) / 60;
  {{
    'kind': 'grid', 'plan': {{'every': $every, 'end': {LAST_SECOND}}}, 'once': false, 'anchored': true,
    'canonical': {{'kind': 'rate', 'start': null, 'end': null, 'every': 'P' & ($days > 0 ? $days & 'D' : '')
      & ($hours + $minutes > 0 ? 'T' : '') & ($hours > 0 ? $hours & 'H' : '')
      & ($minutes > 0 ? $minutes & 'M' : '')}}
  }}
)
"""


def moment_states(*, read: str) -> dict[str, State]:
    """The state "Read rate" for ``rate( )``.

    ``$schedule`` is text of printable ASCII. It sets ``$reading``: either ``problem``, a sentence, or
    ``kind``, ``plan``, ``once``, ``anchored`` and ``canonical``, as
    :func:`stepsched.machines.shared.schedule_reading.reading_states` says.

    Args:
        read: The name of the following state.
    """
    return {
        "Read rate": Pass(assign={"reading": stage(DIGITS, SHOWN, _RATE)}, next=read),
    }
