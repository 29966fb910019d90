"""The expression that decides what happens next in a run: :func:`stepsched.workflows.decisions.advance` in
JSONata.

It goes once through the pending steps in topological order. Each step is judged by the codes of its needs,
joined to one text. The variables that it reads:

- ``$graph``: the graph (:func:`stepsched.workflows.machine.instructions.graph_of`)
- ``$state``: the code of each step that is not pending, by its number as text: ``s`` succeeded, ``f`` failed,
  ``k`` skipped, ``u`` upstream_failed, ``x`` unmet, ``c`` cancelled, ``r`` running, ``b`` running on AWS
  Batch with a known job
- ``$causes``: the step that caused it, of each step that was left out
- ``$retry``: the instants of awaited attempts
- ``$met``: whether the conditions that were looked at are met; ``long`` if the output may have been truncated
- ``$stopped``: the step that stops the run: ``{"name": ...}``, or ``{}``

Steps on AWS Batch whose needs are done, or run on AWS Batch, or are about to, start too: AWS Batch holds them
back (``dependsOn``).
"""

from __future__ import annotations

AT_ONCE = 90
"""The maximum number of steps that one evaluation moves: the changes fit into one transaction of 100 rows."""

# The first broken need, in the order of the definition, names the cause.
_BROKEN = """
$broken := function($codes, $moved, $s) {(
  $need := $filter($s.d, function($d) { $contains('fuc', $lookup($codes, $d)) })[0];
  $own := $lookup($moved, $need);
  $known := $exists($own) ? $own.b : $lookup($codes, $need) = 'u' ? $lookup($causes, $need);
  $cause := $exists($known) and $known != '' ? $known : $lookup($names, $need);
  $cancelled := $count($filter($cancelled, function($n) { $n = $cause })) > 0;
  {'s': 'u', 'b': $cause,
    'why': 'step \\u0027' & $cause & '\\u0027 ' & ($cancelled ? 'was cancelled' : 'failed')}
)};
$unmet := function($codes, $moved, $s) {(
  $need := $filter($s.d, function($d) { $lookup($codes, $d) = 'x' })[0];
  $own := $lookup($moved, $need);
  $known := $exists($own) ? $own.b : $lookup($causes, $need);
  $cause := $exists($known) and $known != '' ? $known : $lookup($names, $need);
  {'s': 'x', 'b': $cause, 'why': 'step \\u0027' & $cause & '\\u0027 was left out by its condition'}
)};
$condition := function($s) {(
  $seen := $lookup($met, $s.i);
  $skipped := $lookup($state, $lookup($at, $s.c.s).i) = 'k';
  $seen = 'long' ? {'s': 'u', 'b': '', 'why': 'step \\u0027' & $s.c.s & '\\u0027: its output is longer than '
      & '4,000 characters; write it elsewhere and pass its location'}
    : $skipped or ($exists($seen) and $seen = false) ? {'s': 'x', 'b': $s.n, 'why': $s.c.t}
    : $exists($seen) ? {'s': 'go'} : {'s': 'a'}
)};
"""
_JUDGE = """
$judge := function($known, $moved, $s) {(
  $codes := $join([$map($s.d, $lookup($known, ?))]);
  $not($exists($stopped.name)) and $contains($codes, /^[^fuc]*[prqaw][^fuc]*$/) ? {'s': ''}
    : $s.w = 'd' or $s.w = 'f' ? (
      $contains($codes, /[^skuxfc]/) ? {'s': ''}
        : $s.w = 'd' or $contains($codes, /[fuc]/) ? {'s': 'go'}
        : {'s': 'x', 'b': '', 'why': 'no step that it needs has failed'})
    : $contains($codes, /[fuc]/) ? $broken($known, $moved, $s)
    : $exists($stopped.name) ? {'s': 'u', 'b': $stopped.name,
        'why': 'the run stops: step \\u0027' & $stopped.name & '\\u0027 failed'}
    : $contains($codes, 'x') ? ($contains($codes, /[^skuxfc]/) ? {'s': ''} : $unmet($known, $moved, $s))
    : $not($contains($codes, /[^sk]/)) ? ($s.w = 'c' ? $condition($s) : {'s': 'go'})
    : $s.k = 'b' and $not($contains($codes, /[^skbg]/)) ? {'s': 'go'} : {'s': ''}
)};
$start := function($s) {(
  $due := $lookup($retry, $s.i);
  $exists($due) and $toMillis($due) > $now ? {'s': 'w', 'at': $due}
    : {'s': $s.k = 'r' ? 'q' : 'g', 'step': $s}
)};
"""
_NEXT = """
$next := function($a, $s) {
  $a.n >= %(at_once)d ? $a : (
    $found := $judge($a.codes, $a.moved, $s);
    $own := $found.s = 'go' ? $start($s) : $found;
    $own.s = '' ? $a
      : $own.s = 'w' ? $merge([$a, {'wake': $a.wake = '' or $own.at < $a.wake ? $own.at : $a.wake}])
      : {'n': $a.n + 1, 'wake': $a.wake, 'codes': $merge([$a.codes, {$s.i: $own.s}]),
         'moved': $merge([$a.moved, {$s.i: $merge([$own, {'n': $s.n, 'i': $s.i, 'c': $s.c}])}])}
  )
};
"""


def decision() -> str:
    """The expression of what happens next, as an object:

    - ``out``: the changes of steps that are left out
    - ``go``: the steps to start, in topological order
    - ``asks``: the steps whose condition is to be looked at
    - ``wake``: the earliest awaited attempt, or an empty text
    - ``ended``: the status of a run that has ended, or an empty text
    - ``full``: whether there may be more than was moved
    """
    return f"""{{% (
$now := $millis();
$pending := [$filter($graph.steps, function($s) {{ $not($exists($lookup($state, $s.i))) }})];
$cancelled := [$each($state, function($c, $i) {{ $c = 'c' ? $lookup($names, $i) }})];
{_BROKEN}{_JUDGE}{_NEXT % {"at_once": AT_ONCE}}
$codes := $merge($append([$state], [$map($pending, function($s) {{ {{$s.i: 'p'}} }})]));
$nothing := {{'n': 0, 'moved': {{}}, 'wake': '', 'codes': $codes}};
$code := $lookup($codes, ?);
$first := $exists($stopped.name) ? $pending : [$filter($pending, function($s) {{(
  $own := $join([$map($s.d, $code)]);
  $contains($own, /[fucx]/) or $not($contains($own, /[pr]/))
)}})];
$a := $reduce($first, $next, $nothing);
$moves := $join([$each($a.moved, function($m) {{ $m.s }})]);
$spreads := $count($first) < $count($pending) and $contains($moves, /[uxg]/);
$a := $spreads ? $reduce($pending, $next, $nothing) : $a;
$all := [$each($a.moved, function($m) {{ $m }})];
$ended := $join([$each($state, function($c) {{ $c }})]);
{{
  'out': [$map([$filter($all, function($m) {{ $m.s = 'u' or $m.s = 'x' }})], function($m) {{
    {{'i': $m.i, 'n': $m.n, 'f': 'pending', 'c': $m.s, 'b': $m.b,
      'S': $merge([{{'state': $m.s = 'u' ? 'upstream_failed' : 'unmet', 'ended_at': $fromMillis($now),
        'reason': $m.why}}, $m.b = '' ? {{}} : {{'caused_by': $m.b}}]),
      'N': {{}}, 'x': ['retry_at']}} }})],
  'go': [$filter($all, function($m) {{ $m.s = 'q' or $m.s = 'g' }}).step],
  'asks': [$map([$filter($all, function($m) {{ $m.s = 'a' }})], function($m) {{
    {{'i': $m.i, 'c': $m.c}} }})],
  'wake': $a.wake,
  'full': $a.n >= {AT_ONCE},
  'ended': $count($pending) > 0 or $contains($ended, /[rb]/) ? ''
    : $contains($ended, 'c') ? 'cancelled' : $contains($ended, /[fu]/) ? 'failed' : 'succeeded'
}}
) %}}"""


def resets() -> str:
    """The expression of the numbers of the ended steps that a restart runs again, as
    :func:`stepsched.workflows.restarts.plan_restart` does without further arguments. The last step comes
    first, so that a restart that is interrupted finds the same steps again."""
    return """(
      $found := $reduce($graph.steps, function($a, $s) {(
        $c := $lookup($state, $s.i);
        $code := $exists($c) ? $c : 'p';
        $after := $count($filter($s.d, function($d) { $exists($lookup($a.again, $d)) })) > 0;
        $below := $count($filter($s.d, function($d) { $exists($lookup($a.runs, $d)) })) > 0;
        $waits := $contains($join([$map($s.d, function($d) { $lookup($state, $d) })]), /[rb]/);
        $more := function($again) {
          {'runs': $merge([$a.runs, {$s.i: $code}]),
           'again': $again ? $merge([$a.again, {$s.i: 1}]) : $a.again}
        };
        $code = 's' and ($after or ($below and ($s.w = 'd' or $s.w = 'f'))) ? $more(true)
          : $contains('skrb', $code) or ($code = 'x' and $not($below) and $not($waits)) ? $a
          : $more($after)
      )}, {'runs': {}, 'again': {}});
      [$reverse([$filter([$map($graph.steps, function($s) { $s.i })], function($i) {(
        $code := $lookup($found.runs, $i); $exists($code) and $code != 'p'
      )})])]
    )"""
