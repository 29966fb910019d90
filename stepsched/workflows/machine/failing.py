"""What a failed attempt of a step becomes: :func:`stepsched.workflows.decisions.after_failure` in JSONata."""

from __future__ import annotations

from stepsched.machines.literals import quoted
from stepsched.workflows.decisions import MAX_LOSSES
from stepsched.workflows.failures import DEPENDENCY, RULES, TIMEOUTS

UNCOUNTED = "none"
"""The kind of an attempt that has not failed: its job was not tried because of another one."""
MAX_ERROR = 2_000
"""The maximum number of characters of an error in the row of a step."""

NODES = """
$nodes := function($ids) { $merge([$map(
  [$filter($graph.steps, function($s) { $s.i in $ids })],
  function($s) { {$s.i: $s} })]) };
"""
"""Defines ``$nodes(numbers)``: the steps of the graph by number."""
AFTER_FAILURE = f"""
$after := function($e, $kind, $error, $ms, $node) {{(
  $policy := $exists($node.r) ? $graph.retry[$node.r] : {{'max': 0}};
  $had := $lookup($fails, $e.i);
  $failures := ($exists($had) ? $had.f : 0) + ($kind = 'job' ? 1 : 0);
  $losses := ($exists($had) ? $had.l : 0) + ($kind = 'platform' ? 1 : 0);
  $again := $kind = '{UNCOUNTED}' or ($kind = 'platform' and $losses <= {MAX_LOSSES})
    or ($kind = 'job' and $failures <= $policy.max);
  $grown := $exists($policy.pauses) ? $policy.pauses[$min([$failures, $policy.max]) - 1]
    : $min([$policy.bound, $policy.first * $power($policy.rate, $failures - 1)]);
  $pause := $again and $kind = 'job' ? $round(1000 * $grown) : 0;
  {{
    'i': $e.i, 'n': $e.n, 'a': $e.a, 'f': 'running', 'c': $again ? 'p' : 'f',
    'l': {{'f': $failures, 'l': $losses}},
    'S': $merge([
      {{'state': $again ? 'pending' : 'failed'}},
      $again ? {{'retry_at': $fromMillis($ms + $pause)}} : {{'ended_at': $fromMillis($ms)}},
      $kind = '{UNCOUNTED}' ? {{}} : {{'error': $substring($error, 0, {MAX_ERROR}), 'failure': $kind}}
    ]),
    'N': {{'failures': $string($failures), 'losses': $string($losses)}},
    'x': $again ? ['detail'] : ['detail', 'retry_at']
  }}
)}};
"""
"""Defines ``$after(entry, kind, error, instant, node)``: the change of a step whose attempt has failed."""


def _rules() -> str:
    """The rules of :mod:`stepsched.workflows.failures` as a literal."""
    parts = (f"{{'t': {quoted(rule.text)}, 'k': {quoted(rule.kind.value)}}}" for rule in RULES)
    return f"[{', '.join(parts)}]"


_COMPACT = "$compact := function($text) { $replace($lowercase($text), '\": ', '\":') };"
_OF_TEXT = f"""
$rules := {_rules()};
{_COMPACT}
$of_text := function($text) {{(
  $text := $compact($text);
  $hits := [$filter($rules, function($rule) {{ $contains($text, $rule.t) }})];
  $count($hits) = 0 ? 'job' : $hits[0].k
)}};
"""
BATCH_KIND = f"""
{_OF_TEXT}
$timeouts := [{", ".join(quoted(rule.text) for rule in TIMEOUTS)}];
$kind_of := function($j) {{(
  $says := $exists($j.StatusReason) ? $j.StatusReason : '';
  $why := $exists($j.Container.Reason) ? $j.Container.Reason : '';
  $exit := $exists($j.Container.ExitCode) ? 'exit code ' & $string($j.Container.ExitCode) : '';
  $text := $says & '\n' & $why;
  $low := $lowercase($text);
  $ended := ($exists($j.IsTerminated) and $j.IsTerminated) or ($exists($j.IsCancelled) and $j.IsCancelled);
  $kind := $contains($low, {quoted(DEPENDENCY)}) ? '{UNCOUNTED}'
    : $ended and $count($filter($timeouts, function($t) {{ $contains($low, $t) }})) = 0 ? 'stopped'
    : $of_text($text);
  $words := [$filter([$says, $why, $exit], function($w) {{ $w != '' }})];
  {{'kind': $kind, 'error': $count($words) = 0 ? 'the job failed' : $join($words, ': ')}}
)}};
"""
"""Defines ``$kind_of(job)``: the kind and text of the failure of a job of AWS Batch, as
:func:`stepsched.workflows.failures.batch_failure`."""
RUN_KIND = f"""
{_OF_TEXT}
$kind_of := function($error, $cause, $node) {{
  {{
    'kind': $exists($node.e) ? $of_text($error & '\n' & $cause) : 'job',
    'error': $cause = '' ? $error : $error & ': ' & $cause
  }}
}};
"""
"""Defines ``$kind_of(error, cause, node)``: that of a hidden run."""
