"""The expressions of the machine *register*: what it refuses, and the rows that it writes.

They read the variables of its states:

* ``$name``, ``$schedule``, ``$timezone``: of the call.
* ``$given``, ``$wish``: the members ``input`` and ``enabled`` of the call as ``{"value": ...}``; empty
  without them.
* ``$literal``: the literal of :func:`stepsched.machines.shared.registration.registration`.
* ``$kind``, ``$plan``, ``$once``, ``$anchored``, ``$canonical``: the schedule, as it was read.
* ``$zones``: the version of the database with the rules of the zone.
* ``$text``: the input as JSON, ``$job``: the definition of the job as JSON.
* ``$row``: the current row of the job; empty if there is none.
* ``$narrowed``: the first 128 characters of the name, with ``-`` for those that services do not allow.
* ``$at``: the present as ``second`` and ``exact``. ``$token``: a new token.
* ``$next``: what the new row says of the job.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from urllib.parse import quote

from stepsched.jobs.names import INVISIBLE, MAX_NAME
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.instructions import DEFAULT_RETENTION, KEEP
from stepsched.machines.shared.reading_words import SHOWN
from stepsched.machines.shared.registration import MESSAGE, TEXT
from stepsched.machines.shared.table_schema import NO_MORE

_ALLOWED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
"""The characters that services allow in their names."""
_SAFE = 2**53
MAX_TEXTS = 200_000
"""The maximum length of the JSON of a job and of its instructions together: a state reads both at once, and
Step Functions passes 262,144 bytes."""


def expression(text: str) -> str:
    """An expression in one line, as the value of a field."""
    return f"{{% {line(text)} %}}"


def line(text: str) -> str:
    """The text of an expression in one line, in parentheses."""
    return "( " + " ".join(each.strip() for each in text.splitlines() if each.strip()) + " )"


def sentence(text: str) -> str:
    """The expression of a sentence that quotes given values with ``$shown``."""
    return expression(SHOWN + text)


# -- What is refused ------------------------------------------------------------------------------------


@cache
def invisible_characters() -> str:
    """The characters that a name cannot have; surrogates do not occur in JSON."""
    kinds = INVISIBLE - {"Cs"} | {"Zs"}
    return "".join(
        character
        for character in map(chr, range(0x110000))
        if unicodedata.category(character) in kinds and character != " "
    )


def _escaped(text: str) -> str:
    """The expression of a text, in ASCII. Characters beyond the basic plane are encoded as in a URL: their
    escapes in JSON are surrogates, which linters of templates cannot read."""
    basic = "".join(f"\\u{ord(each):04x}" for each in text if ord(each) < 0x10000)
    others = quote("".join(each for each in text if ord(each) >= 0x10000), safe="")
    return f"('{basic}' & $decodeUrlComponent('{others}'))" if others else f"'{basic}'"


def bad_name() -> str:
    """The condition that the name is not valid (:func:`stepsched.jobs.names.is_name`)."""
    return line(
        f"""
        $type($name) != 'string' ? true : $length($name) < 1 or $length($name) > {MAX_NAME}
        or $name in ['.', '..']
        or $substring($name, 0, 1) = ' ' or $substring($name, $length($name) - 1) = ' '
        or $exists($filter([0..$length($name) - 1], function($i) {{
          $contains({_escaped(invisible_characters())}, $substring($name, $i, 1)) }})[0])
        """
    )


BAD_NAME = f"name: expected 1 to {MAX_NAME} visible characters, with spaces only between them, got "
BAD_JOB_NAME = line(
    f"""
    'job-name' in $pieces ? $length($name) > 128 or $contains('-_.', $substring($name, 0, 1))
      or $exists($filter([0..$length($name) - 1], function($i) {{
        $not($contains('{_ALLOWED[:-1]}', $substring($name, $i, 1))) }})[0]) : false
    """
)
"""The condition that a job of Batch cannot have the name."""

_PARTS = "$filter($given.**, function($part) {{ $type($part) = '{0}' ? {1} : false }})[0]"
LOST_NUMBER = _PARTS.format("number", f"($abs($part) >= {_SAFE} or $number($string($part)) != $part)")
"""The first number of the input that would lose digits. JSON has them as 64-bit floats, and text with 15
digits."""
CONTEXT = _PARTS.format("object", "$exists($lookup($part, '$context'))")
"""The first part of the input that the JSON of a job reads as a context attribute."""
LOOK_ALIKE = "$contains($lowercase($string($given)), '<aws.scheduler.')"
FILLED = "$not('fills' in $pieces)"
"""Whether the runner fills in context attributes in any case."""
INPUT_KIND = "$type($given.value) = 'object' ? 'object' : $type($given.value) = 'string' ? 'text' : 'other'"
_CONTROLS = "".join(map(chr, (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)))
BAD_TEXT = line(
    f"""
    $type($given.value) = 'string' and '{TEXT}' in $pieces and $given.value = ''
    or $type($given.value) = 'string' and '{MESSAGE}' in $pieces and ($given.value = '' or $exists(
      $filter($split({_escaped(_CONTROLS)}, ''), function($c) {{ $contains($given.value, $c) }})[0]))
    """
)
"""The condition that a message is empty, or has characters that Amazon SQS does not allow."""


# -- The job --------------------------------------------------------------------------------------------

_JSON = """
$json := function($value) {( $t := $string({'a': $value}); $substring($t, 5, $length($t) - 6) )};
$joined := function($parts, $fills) {
  $join($map($parts, function($part, $i) { $i % 2 = 0 ? $part : $lookup($fills, $part) }), '') };
"""
"""``$json``: a value as JSON. ``$joined``: pieces of a literal, with their holes filled."""
NARROWED = expression(
    f"""
    $join($map([0..$min([128, $length($name)]) - 1], function($i) {{(
      $c := $substring($name, $i, 1); $contains('{_ALLOWED}', $c) ? $c : '-' )}}), '')
    """
)
"""The beginning of the name (:func:`stepsched.jobs.names.narrowed`), for ``$narrowed``."""
PIECES = "{% $once ? $literal.once : $literal.instructions %}"
TEXT_OF_INPUT = expression(_JSON + "$exists($given.value) ? $json($given.value) : $literal.input.json")
IS_ENABLED = "{% $exists($wish.value) ? $wish.value : $exists($literal.enabled) ? $literal.enabled : true %}"
JOB = expression(
    _JSON
    + """
    $rest := $joined($literal.job, {'arn': $json($arn)});
    $input := $exists($given.value) ? $json($given.value)
      : $exists($literal.input.stored) ? $literal.input.stored : '';
    '{"name":' & $json($name) & ',"schedule":' & $string($canonical)
      & ($input = '' ? '' : ',"input":' & $input)
      & ($exists($wish.value) or $exists($literal.enabled) ? ',"enabled":' & $string($enabled) : '')
      & ',' & $substring($rest, 1)
    """
)
"""The definition of the job, as a client in Python writes it."""

_PLAIN = """
$plain := function($schedule, $anchor) {(
  $start := $schedule.kind = 'rate' and $not($exists($schedule.start)) ? {'start': $anchor} : {};
  $start := $schedule.kind = 'rate' and $schedule.start = null ? {'start': $anchor} : $start;
  $sift($merge([{'timezone': 'UTC'}, $schedule, $start]), function($v) { $v != null })
)};
"""
"""``$plain``: a schedule with the same members whoever has written it."""
IS_EQUAL = line(
    _PLAIN
    + """
    $exists($row.job) ? ($enabled or $row.status.S != 'active') and (
      $normal := function($job) { $merge([$literal.defaults, $job, {
        'retry': $merge([$literal.defaults.retry, $job.retry]), 'schedule': $plain($job.schedule, '')}]) };
      $normal($parse($row.job.S)) = $normal($parse($job)) ) : false
    """
)
"""The condition that the stored definition is equal to the new one (``JobRecord.is_as_in``)."""
NEXT = expression(
    _PLAIN
    + f"""
    $there := $exists($row.{schema.LATEST});
    $owned := $exists($row.job);
    $before := $owned ? $parse($row.job.S) : {{}};
    $status := $owned ? $row.status.S : 'paused';
    $passed := $owned ? $row.cursor.S : '1970-01-01T00:00:00Z';
    $plus := function($t, $s) {{ $substring($fromMillis($toMillis($t) + 1000 * $s), 0, 19) & 'Z' }};
    $later := function($a, $b) {{ $a > $b ? $a : $b }};
    $was_anchored := $before.schedule.kind = 'rate' and $not($type($before.schedule.start) = 'string');
    $keeps := $anchored and $was_anchored;
    $second := $there and $anchored and $not($keeps) ? $later($at.second, $plus($passed, 1)) : $at.second;
    $anchor := $keeps ? $row.anchor.S : $second;
    $first := $anchored ? $plus($second, -1) : $second;
    $same := $owned and $plain($before.schedule, $row.anchor.S) = $plain($canonical, $anchor);
    $after := $not($enabled) or ($there and $status = 'paused'
      and ($exists($before.enabled) ? $before.enabled : true)) ? 'paused' : 'active';
    $kept := $exists($row.plan) ? $parse($row.plan.S).{KEEP};
    {{
      'there': $there, 'status': $after, 'anchor': $anchor,
      'version': $there ? $number($row.{schema.LATEST}.N) + 1 : 1,
      'cursor': $not($there) ? $first : $keeps ? ($status = 'active' ? $passed : $later($passed, $second))
        : $status = 'active' and $same ? $passed : $later($passed, $first),
      'created_at': $owned ? $row.created_at.S : $at.exact,
      'keep': $type($kept) = 'number' ? $kept : {int(DEFAULT_RETENTION.total_seconds())},
      'says_why': $after = 'paused' and $status = 'paused' and $exists($row.pause_reason),
      'stops': $status = 'active' and $after = 'paused'
    }}
    """
)
"""What the new row says, as ``StepFunctionsBackend.create`` and ``update`` decide it."""
ANCHORED_PLAN = (
    "{% $anchored ? $merge([$plan, {'origin': $floor($toMillis($next.anchor) / 1000)}]) : $plan %}"
)
INSTRUCTIONS = expression(
    _JSON
    + """
    $group := $parse($job).group;
    $digest := function($value, $most) { $substring($hash($value, 'SHA-256'), 0, $most) };
    $is_text := $substring($text, 0, 1) = '"';
    $quoted := $json($text);
    $seen := $join($map([0..$length($name) - 1], function($i) {(
      $c := $substring($name, $i, 1);
      $c >= ' ' and $c <= '~' and $length($c) = 1 and $not($contains('<>', $c)) ? $c : '?' )}), '');
    $zoned := $exists($plan.zone)
      or ($once and $canonical.timezone != 'UTC' and $length($canonical.at) < 20);
    $joined($pieces, {
      'version': $string($next.version), 'kind': $json($kind), 'keep': $string($next.keep),
      'plan': $string($plan) & ($zoned ? ',"zones":' & $json($zones) : ''),
      'data': $text, 'document': $is_text ? $quoted : $text, 'text': $is_text ? $text : $quoted,
      'message': $is_text ? $text : $quoted, 'json-text': $quoted,
      'fills': $exists($given.value) ? 'false' : $string($literal.input.fills),
      'digest': $digest(($exists($group) ? $group : 'default') & '/' & $name, 32),
      'group': $json($narrowed = $name ? $name
        : $substring($narrowed, 0, 115) & '-' & $digest($name, 12)),
      'subject': $json('Job ' & ($length($seen) <= 88 ? $seen : $substring($seen, 0, 85) & '...')
        & ' failed'),
      'job-name': $json($name), 'encoded-name': $json($encodeUrlComponent($name)), 'arn': $json($arn)
    })
    """
)
"""The instructions of the job, as JSON."""

# -- Its executions -------------------------------------------------------------------------------------

EXECUTION = "{% $substring($narrowed, 0, 67) & '-' & $token %}"
"""The name of the first execution with a token."""
INPUT = expression(
    """
    $series := $substring($narrowed, 0, 55);
    $merge([{'name': $name, 'token': $token},
      $series = $substring($name, 0, 55) ? {} : {'series': $series & '-' & $token}])
    """
)
"""The input of an execution."""
IS_SEEN = "($exists($row.execution) ? $contains($row.execution.S, '-' & $row.token.S) : false)"
"""Whether the execution of the row has its token."""
FORMER = expression(
    f"""
    $busy := $exists($row.claimed_by) ? $row.claimed_by.S : '';
    $first := $exists($row.token) and $not({IS_SEEN})
      ? [$executions & ':' & $substring($narrowed, 0, 67) & '-' & $row.token.S] : [];
    {{
      'known': [$filter($exists($row.execution) ? [$row.execution.S] : [], function($a) {{ $a != $busy }})],
      'first': [$filter($first, function($a) {{ $a != $busy }})]
    }}
    """
)
"""The executions of the row as it was read that are not in a run: that which it names, and the first one with
its token, if that one has not written itself into the row."""
WRITTEN_CLAIM = (
    "($length($row.started_at.S) = 24 ? $substring($row.started_at.S, 0, 23) & '000Z' : $row.started_at.S)"
)
"""The start of the run that is running, as a client in Python writes it."""
ANSWER = expression(
    f"""
    $job := $parse($told.job);
    $schedule := $job.schedule;
    {{
      'name': $name, 'status': $told.status, 'version': $told.version,
      'schedule': $schedule.kind = 'cron' and $exists($schedule.expression)
        and $not($type($schedule.start) = 'string') and $not($type($schedule.end) = 'string')
        ? $schedule.expression : $exists($schedule) ? $schedule : null,
      'input': $exists($job.input) ? $job.input : $exists($schedule) ? {{}} : null,
      'next_run': $told.due = '{NO_MORE}' ? null : $told.due
    }}
    """
)
