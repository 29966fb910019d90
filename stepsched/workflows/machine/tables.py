"""The tasks with which the driver of a run reads and writes its rows, and those of its steps.

Every write of a step is part of a transaction that checks the row of the run: this execution still drives it,
and no operator has changed it since it was read. If the check fails, the driver reads everything again.
"""

from __future__ import annotations

from typing import Any

from stepsched.asl.resources import sdk_integration
from stepsched.asl.states import Catcher, Retrier, Task
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.expressions import (
    CANCELLED,
    CONDITION_FAILED,
    DO_NOT_RETRY_FAILED_CONDITION,
    ME,
    RETRY_TRANSIENT,
    expression_of,
)
from stepsched.machines.shared.table_schema import write
from stepsched.machines.shared.writes import TableTasks

AT_ONCE = 90
"""The maximum number of steps of one transaction, beside the row of the run: AWS allows 100 rows."""
_PAGE = 300
"""The maximum number of steps that one read returns: its answer is bounded at 256 KiB."""
_ROW = "$states.result.Item"
_STEP = (
    *(schema.VERSION, schema.STATE, schema.ATTEMPTS, schema.FAILURES, schema.LOSSES, schema.RETRY_AT),
    *(schema.JOB_ID, schema.CAUSED_BY, schema.ENDED_AT, schema.TTL),
)
"""What is read of the row of a step."""
FLOW_NAME = f"'{schema.WORKFLOW_ROWS}' & $wf"
"""The expression of the name of the rows of a workflow and its runs."""
STEPS_NAME = f"{FLOW_NAME} & '#' & $run"
"""The expression of the name of the rows of the steps of a run."""
DRIVEN = (schema.HAS_TOKEN, schema.HAS_STATE, schema.HAS_REVISION)
"""The conditions of the row of the run."""
ENDED = ("succeeded", "failed", "cancelled")
CODES = (
    "{'succeeded': 's', 'failed': 'f', 'skipped': 'k', 'upstream_failed': 'u', 'unmet': 'x',"
    " 'cancelled': 'c'}"
)
"""The codes of the statuses of ended steps."""
WORDS = "{'s': 'succeeded', 'f': 'failed', 'u': 'upstream_failed', 'x': 'unmet', 'c': 'cancelled'}"
JSON = "$json := function($v) {( $t := $string({'a': $v}); $substring($t, 5, $length($t) - 6) )};"
"""Defines a function of the JSON text of a value: ``$string`` leaves texts as they are."""

DOWN = """
$down := function($box, $key) {(
  $value := $box.v;
  $kind := $exists($value) ? $type($value) : '';
  $kind = 'object' and $type($key) = 'string' and $key in $keys($value) ? {'v': $lookup($value, $key)}
    : $kind = 'array' and $type($key) = 'number' and $key < $count($value) ? {'v': $value[$key]} : {}
)};
"""
"""Defines a function that goes one key or position down into ``{"v": value}``; ``{}`` where there is none."""


def text(expression: str) -> dict[str, str]:
    return {"S": f"{{% {expression} %}}"}


def number(expression: str) -> dict[str, str]:
    return {"N": f"{{% {expression} %}}"}


def driven_values() -> dict[str, Any]:
    """The values of :data:`DRIVEN`."""
    return {"old_token": text(ME), "old_state": text("$was"), "old_revision": number("$string($revision)")}


def rest_of(name: str, count: str) -> str:
    """The expression of a list without its first members."""
    return f"{{% [$filter(${name}, function($each, $place) {{ $place >= {count} }})] %}}"


def first_of(name: str, count: str) -> str:
    """The expression of the first members of a list, without the braces."""
    return f"[$filter(${name}, function($each, $place) {{ $place < {count} }})]"


def without(name: str, keys: str) -> str:
    """The expression of a mapping without some keys, without the braces."""
    # $sift gives nothing, and not an empty object, where nothing is left.
    return f"$merge([$sift(${name}, function($value, $key) {{ $not($key in {keys}) }})])"


ENTERED = "$fromMillis($toMillis($states.context.State.EnteredTime))"
"""The expression of the time at which the state began: the same in what a task writes and what it assigns."""
IS_UNTOLD = "$row.state.S != 'running' and $exists($row.notice) and $row.notice.S = 'due'"
"""The expression of whether a run has ended, and its end may not have been told."""
CANCELLED_ONCE = Retrier(error_equals=(CANCELLED,), interval_seconds=1, max_attempts=2)


class RunTasks(TableTasks):
    """The tasks on the rows of a run and of its steps."""

    @property
    def run_key(self) -> dict[str, Any]:
        return self.row(f"{{% {FLOW_NAME} %}}", f"{{% '{schema.FLOW}' & $run %}}")

    def step_key(self, name: str) -> dict[str, Any]:
        """The key of the row of a step; ``name`` is the expression of its name."""
        return self.row(f"{{% {STEPS_NAME} %}}", f"{{% '{schema.STEP}' & {name} %}}")

    def check(self) -> str:
        """The expression of the check of the run's row in a transaction."""
        check = self.run_key | write(*DRIVEN, values=driven_values())
        return expression_of({"ConditionCheck": check})

    def transaction(self, items: str, **fields: Any) -> Task:
        """A transaction. If a condition does not hold, everything is read again."""
        return Task(
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": f"{{% {items} %}}"},
            output={},
            retry=(CANCELLED_ONCE, RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CANCELLED,), next="Look", output={}),),
            **fields,
        )

    # -- the run -------------------------------------------------------------------------------------------

    def look(self) -> Task:
        return Task(
            comment="Reads the row of the run",
            resource=self.resource("getItem"),
            arguments={
                **self.run_key,
                "ConsistentRead": True,
                **schema.projection(
                    schema.STATE,
                    schema.DIGEST,
                    schema.LATEST,
                    schema.TOKEN,
                    schema.REVISION,
                    schema.RESTARTS,
                    schema.STARTED_AT,
                    schema.SCHEDULED_FOR,
                    schema.INPUT,
                    schema.ENDED_AT,
                    schema.NOTICE,
                ),
            },
            assign={"row": f"{{% $exists({_ROW}) ? {_ROW} : {{}} %}}"},
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Is there a run?",
        )

    def take(self) -> Task:
        values = {"old_state": text("$row.state.S"), "old_revision": number("$row.revision.N")}
        return Task(
            comment="Writes that this execution drives the run; another one stops",
            resource=self.resource("updateItem"),
            arguments=self.run_key
            | write(
                schema.HAS_STATE,
                schema.HAS_REVISION,
                values=values,
                sets={schema.TOKEN: text(ME), schema.EXECUTION: text(ME)},
            ),
            assign={
                "taken": True,
                "was": "{% $row.state.S %}",
                "untold": f"{{% {IS_UNTOLD} %}}",
                "ended_at": "{% $exists($row.ended_at) ? $row.ended_at.S : '' %}",
                "revision": "{% $number($row.revision.N) %}",
                "restarts": "{% $exists($row.restarts) ? $number($row.restarts.N) : 0 %}",
                "version": "{% $number($row.latest.N) %}",
                "started": "{% $row.started_at.S %}",
                "due": "{% $exists($row.scheduled_for) ? $row.scheduled_for.S : '' %}",
                "input": "{% $exists($row.input) ? $parse($row.input.S) : {} %}",
            },
            output={},
            retry=(DO_NOT_RETRY_FAILED_CONDITION, RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CONDITION_FAILED,), next="Look", output={}),),
            next="Read definition",
        )

    def find(self) -> Task:
        return Task(
            comment="Finds the latest definition of the workflow",
            resource=self.resource("getItem"),
            arguments={
                **self.row(f"{{% {FLOW_NAME} %}}", schema.DEFINITION),
                "ConsistentRead": True,
                **schema.projection(schema.LATEST),
            },
            assign={
                "version": f"{{% $exists({_ROW}.latest) ? $number({_ROW}.latest.N) : 0 %}}",
                "run": f"{{% {run_id()} %}}",
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Is there a definition?",
        )

    def read_definition(self) -> Task:
        padded = "( $digits := '00000' & $string($version); $substring($digits, $length($digits) - 6) )"
        return Task(
            comment="Reads the graph of the definition that the run follows",
            resource=self.resource("getItem"),
            arguments={
                **self.row(f"{{% {FLOW_NAME} %}}", f"{{% '{schema.DEFINITION}#' & {padded} %}}"),
                "ConsistentRead": True,
                **schema.projection(schema.DIGEST, schema.GRAPH),
            },
            assign={
                "graph": f"{{% $parse({_ROW}.graph.S) %}}",
                "digest": f"{{% {_ROW}.digest.S %}}",
            },
            output={},
            retry=(Retrier(error_equals=("States.QueryEvaluationError",), max_attempts=0), RETRY_TRANSIENT),
            catch=(Catcher(error_equals=("States.QueryEvaluationError",), next="Not found", output={}),),
            next="Read names",
        )

    def create(self) -> Task:
        sets = {
            schema.STATE: {"S": "running"},
            schema.DIGEST: text("$digest"),
            schema.LATEST: number("$string($version)"),
            schema.TOKEN: text(ME),
            schema.EXECUTION: text(ME),
            schema.STARTED_AT: text(ENTERED),
            schema.TRIGGER: text("$trigger"),
            schema.RESTARTS: {"N": "0"},
            schema.REVISION: {"N": "0"},
            schema.INPUT: text(f"( {JSON} $json($exists($given.v) ? $given.v : $graph.input) )"),
        }
        more = expression_of({schema.SCHEDULED_FOR: text("$due")})
        item = f"$merge([{expression_of({**self.run_key['Key'], **sets})}, $due = '' ? {{}} : {more}])"
        new = write(schema.IS_NEW)
        return Task(
            comment="Writes the row of a new run",
            resource=self.resource("putItem"),
            arguments={"TableName": self.table_name, "Item": f"{{% {item} %}}", **new},
            assign={
                "taken": True,
                "was": "running",
                "restart": False,
                "revision": 0,
                "restarts": 0,
                "started": f"{{% {ENTERED} %}}",
                "input": "{% $exists($given.v) ? $given.v : $graph.input %}",
            },
            output={},
            retry=(DO_NOT_RETRY_FAILED_CONDITION, RETRY_TRANSIENT),
            # Another execution, or an attempt whose answer was lost, has written it.
            catch=(Catcher(error_equals=(CONDITION_FAILED,), next="Look", output={}),),
            next="Forget",
        )

    def poll_run(self) -> Task:
        current = (
            f"$exists({_ROW}.token) and {_ROW}.token.S = {ME} and {_ROW}.state.S = $was"
            f" and {_ROW}.revision.N = $string($revision)"
        )
        return Task(
            comment="Reads whether this execution still drives the run, as it was",
            resource=self.resource("getItem"),
            arguments={
                **self.run_key,
                "ConsistentRead": True,
                **schema.projection(schema.STATE, schema.TOKEN, schema.REVISION),
            },
            assign={
                "current": f"{{% {current} %}}",
                "mine": f"{{% $exists({_ROW}.token) and {_ROW}.token.S = {ME} %}}",
                **polling_begins(),
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Is it as it was?",
        )

    def revive(self) -> Task:
        """The task that makes an ended run running again, when its steps are pending again."""
        return Task(
            comment="Writes that the run runs again",
            resource=self.resource("updateItem"),
            arguments=self.run_key
            | write(
                *DRIVEN,
                values=driven_values(),
                sets={
                    schema.STATE: {"S": "running"},
                    schema.RESTARTS: number("$string($restarts + 1)"),
                    schema.REVISION: number("$string($revision + 1)"),
                    schema.EXECUTION: text(ME),
                },
                removes=(schema.ENDED_AT, schema.ERROR, schema.TTL, schema.DETAIL, schema.NOTICE),
            ),
            assign={
                "was": "running",
                "revision": "{% $revision + 1 %}",
                "restarts": "{% $restarts + 1 %}",
                "restart": False,
            },
            output={},
            retry=(DO_NOT_RETRY_FAILED_CONDITION, RETRY_TRANSIENT),
            catch=(Catcher(error_equals=(CONDITION_FAILED,), next="Look", output={}),),
            next="Next?",
        )

    # -- the steps -----------------------------------------------------------------------------------------

    def load(self) -> Task:
        last = f"$states.result.LastEvaluatedKey.{schema.VERSION}"
        return Task(
            comment="Reads the steps of the run",
            resource=sdk_integration("dynamodb", "query", partition=self.partition),
            arguments={
                "TableName": self.table_name,
                "ConsistentRead": True,
                "Limit": _PAGE,
                "KeyConditionExpression": (
                    f"#{schema.NAME} = :name AND #{schema.VERSION} BETWEEN :low AND :high"
                ),
                "ProjectionExpression": ", ".join(f"#{each}" for each in _STEP),
                "ExpressionAttributeNames": {f"#{each}": each for each in (schema.NAME, *_STEP)},
                "ExpressionAttributeValues": {
                    ":name": text(STEPS_NAME),
                    ":low": text("$low"),
                    ":high": {"S": schema.STEP[:-1] + "$"},
                },
            },
            assign={
                **_loaded(),
                "low": f"{{% $exists({last}) ? {last}.S & ' ' : '' %}}",
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Are there more steps?",
        )

    def write_changes(self) -> Task:
        some = f"$some := {first_of('changes', str(AT_ONCE))};"
        gone = f"{some} $ids := [$filter($some, function($c) {{ $c.c != '' }}).i];"
        key = expression_of(self.step_key("$c.n"))
        items = f"""(
            {some}
            $change := function($c) {{(
              $sets := $append([$each($c.S, function($v, $k) {{ {{'k': $k, 'v': {{'S': $v}}}} }})],
                [$each($c.N, function($v, $k) {{ {{'k': $k, 'v': {{'N': $v}}}} }})]);
              $seen := $c.f = 'running';
              {{'Update': $merge([{key}, {{
                'ConditionExpression': $seen ? '#state = :was AND #attempts = :seen'
                  : $c.f = 'pending' ? '(attribute_not_exists(#state) OR #state = :was)' : '#state = :was',
                'UpdateExpression':
                  'SET ' & $join([$map($sets, function($s) {{ '#' & $s.k & ' = :' & $s.k }})], ', ')
                  & ($count($c.x) > 0
                    ? ' REMOVE ' & $join([$map($c.x, function($k) {{ '#' & $k }})], ', ') : ''),
                'ExpressionAttributeNames': $merge($append(
                  [$map($append([$sets.k], $c.x), function($k) {{ {{'#' & $k: $k}} }})],
                  [{{'#state': 'state'}}, $seen ? {{'#attempts': 'attempts'}} : {{}}])),
                'ExpressionAttributeValues': $merge($append(
                  [$map($sets, function($s) {{ {{':' & $s.k: $s.v}} }})],
                  [{{':was': {{'S': $c.f}}}}, $seen ? {{':seen': {{'N': $string($c.a)}}}} : {{}}]))
              }}])}}
            )}};
            $append([{self.check()}], [$map($some, $change)])
        )"""
        first_failed = (
            f"( {some} $failed := [$filter($some, function($c) {{ $c.c = 'f' }})];"
            " $graph.stop ? $reduce($failed, function($first, $c) {("
            " $exists($first.name) and $first.at & $first.name <= $c.S.ended_at & $c.n ? $first"
            " : {'name': $c.n, 'at': $c.S.ended_at} )}, $stopped) : $stopped )"
        )

        def merged(name: str, what: str, condition: str) -> str:
            chosen = f"[$filter($some, function($c) {{ {condition} }})]"
            new = f"[$map({chosen}, function($c) {{ {{$c.i: {what}}} }})]"
            return f"{{% ( {gone} $merge($append([{without(name, '$ids')}], {new})) ) %}}"

        return self.transaction(
            items,
            comment="Writes changes of steps",
            assign={
                "state": merged("state", "$c.c", "$c.c != '' and $c.c != 'p'"),
                "jobs": f"{{% ( {gone} {without('jobs', '$ids')} ) %}}",
                "runs": f"{{% ( {gone} {without('runs', '$ids')} ) %}}",
                "details": merged("details", "$c.S.detail", "$exists($c.S.detail)"),
                "causes": merged("causes", "$c.b", "$exists($c.b) and $c.b != ''"),
                "retry": merged("retry", "$c.S.retry_at", "$exists($c.S.retry_at)"),
                "fails": f"{{% ( {some} $merge($append([$fails], [$map([$filter($some, function($c) "
                "{ $exists($c.l) })], function($c) { {$c.i: $c.l} })])) ) %}",
                "stopped": f"{{% {first_failed} %}}",
                "settled": False,
                "changes": rest_of("changes", str(AT_ONCE)),
            },
            next="Next?",
        )

    def mark(self, *, expires: bool) -> Task:
        """The task that writes when steps of an ended run may be deleted, or removes that from those of a
        running one. A step whose row is deleted would be pending again."""
        some = first_of("marks", str(AT_ONCE))
        when = number("$string($floor($millis() / 1000) + $graph.keep)")
        update = write(sets={schema.TTL: when}) if expires else write(removes=(schema.TTL,))
        item = expression_of({"Update": self.step_key("$name") | update})
        items = f"$append([{self.check()}], [$map({some}, function($name) {{ {item} }})])"
        return self.transaction(
            items,
            comment="Writes when the steps may be deleted"
            if expires
            else "Keeps the steps of a run that goes on",
            assign={"marks": rest_of("marks", str(AT_ONCE))},
            next="Are all marked?" if expires else "Next?",
        )


def run_id() -> str:
    """The expression of the ID of the run: the one that the message gives, or that of a new run."""
    return f"$run != '' ? $run : $known ? {known_run_id()} : {new_run_id()}"


def new_run_id() -> str:
    """The expression of the ID of a new run: the start of the execution, and a token that follows from its
    ARN, so that a repeated attempt makes the same."""
    start = "$replace($replace($states.context.Execution.StartTime, '-', ''), ':', '')"
    return f"$substring({start}, 0, 15) & 'Z-' & $substring($hash({ME}, 'SHA-256'), 0, 4)"


def known_run_id() -> str:
    """The expression of the ID of a new run that a message of the AWS Batch scheduler starts: a time with
    microseconds, as its records have it, by which a message restarts the run. The last three digits follow
    from the ARN of the execution."""
    start = "$fromMillis($toMillis($states.context.Execution.StartTime))"
    digits = f"$replace($hash({ME}, 'SHA-256'), /[^0-9]/, '')"
    return f"$substring({start}, 0, 23) & $substring({digits}, 0, 3)"


NAMES = {"names": "{% $merge([$map($graph.steps, function($s) { {$s.i: $s.n} })]) %}"}
"""The variable of the names of the steps by number."""
PLACES = {"at": "{% $merge([$map($graph.steps, function($s) { {$s.n: {'i': $s.i, 'k': $s.k}} })]) %}"}
"""The variable of the numbers and kinds of the steps by name."""


def polling_begins() -> dict[str, Any]:
    """The variables with which a look at the running steps begins."""
    entries = "[$each(${name}, function($e, $i) {{ $merge([$e, {{'i': $i}}]) }})]"
    runs = entries.format(name="runs")
    one = "( $e := $all[$turn % $count($all)]; [$merge([$e, {'n': $lookup($names, $e.i)}])] )"
    return {
        "todo": f"{{% {entries.format(name='jobs')} %}}",
        "runs_todo": f"{{% {runs} %}}",
        "looks": f"{{% ( $all := {runs}; $count($all) = 0 ? [] : {one} ) %}}",
        "turn": "{% $turn + 1 %}",
        "settled": "{% $settled and $wake = '' %}",
    }


def nothing_known() -> dict[str, Any]:
    """The variables of the steps, before they are read."""
    mappings = (
        "state",
        "causes",
        "tries",
        "fails",
        "retry",
        "jobs",
        "runs",
        "details",
        "met",
        "stopped",
        "dead",
    )
    lists = (
        "changes",
        "queue",
        "asks",
        "todo",
        "runs_todo",
        "looks",
        "ended_runs",
        "unstarted",
        "lost",
        "marks",
        "resets",
    )
    return {
        **{name: {} for name in mappings},
        **{name: [] for name in (*lists, "missing")},
        "low": schema.STEP,
        "wake": "",
        "outcome": "",
        "settled": False,
        "planned": False,
        "doubts": 0,
    }


def _loaded() -> dict[str, str]:
    name = f"$substring($r.version.S, {len(schema.STEP)})"
    rows = (
        "$rows := [$map([$filter([$states.result.Items], function($r) {"
        f" $exists($lookup($at, {name})) and $exists($r.state) }})], function($r) {{("
        f" $n := {name}; $p := $lookup($at, $n); $merge([$r, {{'n': $n, 'i': $p.i, 'k': $p.k}}]) )}})];"
    )
    running = "$r.state.S = 'running'"
    code = (
        f"( $code := $lookup({CODES}, $r.state.S); $exists($code) ? $code"
        " : $r.k != 'r' and $exists($r.job_id) ? 'b' : 'r' )"
    )
    attempts = "($exists($r.attempts) ? $number($r.attempts.N) : 0)"

    def merged(name: str, what: str, condition: str) -> str:
        new = f"[$map([$filter($rows, function($r) {{ {condition} }})], function($r) {{ {{$r.i: {what}}} }})]"
        return f"{{% ( {rows} $merge($append([${name}], {new})) ) %}}"

    unknown = f"$filter($rows, function($r) {{ {running} and $r.k != 'r' and $not($exists($r.job_id)) }})"
    aging = "$filter($rows, function($r) { $exists($r.expires_at) })"
    first = (
        "$reduce([$filter($rows, function($r) { $r.state.S = 'failed' })], function($first, $r) {("
        " $ended := $exists($r.ended_at) ? $r.ended_at.S : '~';"
        " $exists($first.name) and $first.at & $first.name <= $ended & $r.n ? $first"
        " : {'name': $r.n, 'at': $ended} )}, $stopped)"
    )
    return {
        "state": merged("state", code, "$r.state.S != 'pending'"),
        "causes": merged("causes", "$r.caused_by.S", "$exists($r.caused_by)"),
        "tries": merged("tries", attempts, "$exists($r.attempts)"),
        "fails": merged(
            "fails",
            "{'f': $exists($r.failures) ? $number($r.failures.N) : 0,"
            " 'l': $exists($r.losses) ? $number($r.losses.N) : 0}",
            "$exists($r.failures) or $exists($r.losses)",
        ),
        "retry": merged("retry", "$r.retry_at.S", "$r.state.S = 'pending' and $exists($r.retry_at)"),
        "jobs": merged(
            "jobs",
            f"{{'a': {attempts}, 'j': $r.job_id.S}}",
            f"{running} and $r.k != 'r' and $exists($r.job_id)",
        ),
        "runs": merged("runs", f"{{'a': {attempts}}}", f"{running} and $r.k = 'r'"),
        "lost": f"{{% ( {rows} $append($lost, [{unknown}.i]) ) %}}",
        "marks": f"{{% ( {rows} $append($marks, [{aging}.n]) ) %}}",
        "stopped": f"{{% ( {rows} $graph.stop ? {first} : $stopped ) %}}",
    }
