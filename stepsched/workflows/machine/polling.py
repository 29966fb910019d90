"""The states that look at running steps.

Jobs of AWS Batch are polled: one call says the status of 100 jobs, and AWS Batch itself starts a job when
those that it depends on have ended. All other targets are run by the runner, which waits for them by
``.sync`` where the service has it; the driver reads the rows of these runs, 100 in one call. So one execution
drives any number of steps, and none of its states waits for a single one.
"""

from __future__ import annotations

from stepsched.asl.resources import sdk_integration
from stepsched.asl.states import Catcher, Retrier, Task
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.expressions import RETRY_TRANSIENT, expression_of
from stepsched.machines.shared.register_tasks import GONE
from stepsched.workflows.machine.failing import AFTER_FAILURE, BATCH_KIND, NODES, RUN_KIND
from stepsched.workflows.machine.names import execution_of
from stepsched.workflows.machine.starting import StartTasks, hidden_name, run_key
from stepsched.workflows.machine.tables import STEPS_NAME, first_of, rest_of

AT_ONCE = 100
"""The maximum number of jobs, or rows, of one call."""
_TOO_LARGE = ("States.DataLimitExceeded",)


def _named(entries: str) -> str:
    """The expression of entries of running steps, with the names of the steps."""
    return f"[$map({entries}, function($e) {{ $merge([$e, {{'n': $lookup($names, $e.i)}}]) }})]"


class PollTasks(StartTasks):
    """The tasks that look at running steps."""

    def describe_jobs(self) -> Task:
        some = _named(first_of("todo", "$chunk"))
        changes = f"""(
          {NODES} {AFTER_FAILURE} {BATCH_KIND}
          $some := {some};
          $by := $merge([$map($some, function($e) {{ {{$e.j: $e}} }})]);
          $jobs := [$states.result.Jobs];
          $failed := [$filter($jobs, function($j) {{ $j.Status = 'FAILED' }})];
          $found := [$jobs.JobId];
          $lost := [$filter($some, function($e) {{ $not($e.j in $found) and $e.j in $missing }})];
          $node := $nodes($append([$map($failed, function($j) {{ $lookup($by, $j.JobId).i }})], [$lost.i]));
          $change := function($j) {{(
            $e := $lookup($by, $j.JobId);
            $ms := $exists($j.StoppedAt) and $type($j.StoppedAt) = 'number' and $j.StoppedAt > 0
              ? $floor($j.StoppedAt) : $millis();
            $j.Status = 'SUCCEEDED' ? {{'i': $e.i, 'n': $e.n, 'a': $e.a, 'f': 'running', 'c': 's',
                'S': {{'state': 'succeeded', 'ended_at': $fromMillis($ms),
                  'output': $string({{'job_id': $j.JobId}})}}, 'N': {{}}, 'x': ['detail', 'retry_at']}}
              : $j.Status = 'FAILED' ? ( $k := $kind_of($j);
                  $after($e, $k.kind, $k.error, $ms, $lookup($node, $e.i)) )
              : $exists($lookup($details, $e.i)) and $lookup($details, $e.i) = $j.Status ? {{'c': '-'}}
              : {{'i': $e.i, 'n': $e.n, 'a': $e.a, 'f': 'running', 'c': '', 'S': {{'detail': $j.Status}},
                  'N': {{}}, 'x': []}}
          )}};
          $all := $append([$map($jobs, $change)], [$map($lost, function($e) {{
            $after($e, 'platform', 'AWS Batch does not know the job any more', $millis(), {{}}) }})]);
          [$filter($all, function($c) {{ $c.c != '-' }})]
        )"""
        missing = (
            f"( $found := [$states.result.Jobs.JobId]; $some := {some};"
            " $append([$filter($missing, function($id) { $not($id in [$some.j]) })],"
            " [$filter([$some.j], function($id) { $not($id in $found) })]) )"
        )
        smaller = {
            "todo": f"{{% $chunk = 1 ? {rest_of('todo', '1')[2:-2].strip()} : $todo %}}",
            "chunk": "{% $max([1, $floor($chunk / 2)]) %}",
        }
        return Task(
            comment="Reads the status of up to 100 jobs; fewer where the answer is too large",
            resource=sdk_integration("batch", "describeJobs", partition=self.partition),
            arguments={"Jobs": f"{{% [$map({some}, function($e) {{ $e.j }})] %}}"},
            assign={
                "changes": f"{{% {changes} %}}",
                "missing": f"{{% {missing} %}}",
                "todo": rest_of("todo", "$chunk"),
            },
            output={},
            retry=(Retrier(error_equals=_TOO_LARGE, max_attempts=0), RETRY_TRANSIENT),
            catch=(Catcher(error_equals=_TOO_LARGE, next="Next?", assign=smaller, output={}),),
            next="Next?",
        )

    def read_runs(self) -> Task:
        some = _named(first_of("runs_todo", str(AT_ONCE)))
        key = expression_of(
            self.row(f"{{% {hidden_name('$e.n')} %}}", f"{{% {run_key('$e.n', '$e.a')} %}}")["Key"]
        )
        names = {f"#{each}": each for each in (schema.NAME, schema.STATUS)}
        found = (
            f"$some := {some}; $start := $length({STEPS_NAME}) + 1;"
            " $rows := [$each($states.result.Responses, function($rows) { $rows })];"
            " $by := $merge([$map($rows, function($r) { {$substring($r.name.S, $start): $r.status.S} })]);"
        )
        with_dead = "$merge([$e, $exists($lookup($dead, $e.i)) ? {'dead': $lookup($dead, $e.i)} : {}])"
        ended = (
            "[$map([$filter($some, function($e) {( $s := $lookup($by, $e.n); $exists($s) and"
            " ($not($s in ['pending', 'running']) or $exists($lookup($dead, $e.i))) )})],"
            f" function($e) {{ {with_dead} }})]"
        )
        unstarted = (
            "[$filter($some, function($e) {( $s := $lookup($by, $e.n); $exists($s) and $s = 'pending'"
            " and $not($exists($lookup($dead, $e.i))) )})]"
        )
        return Task(
            comment="Reads whether up to 100 hidden runs have ended",
            resource=sdk_integration("dynamodb", "batchGetItem", partition=self.partition),
            arguments={
                "RequestItems": {
                    self.table_name: {
                        "Keys": f"{{% [$map({some}, function($e) {{ {key} }})] %}}",
                        "ConsistentRead": True,
                        "ProjectionExpression": ", ".join(names),
                        "ExpressionAttributeNames": names,
                    }
                }
            },
            assign={
                "ended_runs": f"{{% ( {found} $append($ended_runs, {ended}) ) %}}",
                "unstarted": f"{{% ( {found} $append($unstarted, {unstarted}) ) %}}",
                "runs_todo": rest_of("runs_todo", str(AT_ONCE)),
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Next?",
        )

    def read_run(self) -> Task:
        """The task that reads a hidden run that has ended: alone, because its output may be long."""
        row = "$row := $exists($states.result.Item) ? $states.result.Item : {}; $e := $ended_runs[0];"
        change = f"""(
          {NODES} {AFTER_FAILURE} {RUN_KIND} {row}
          $status := $exists($row.status) ? $row.status.S : '';
          $ms := $exists($row.ended_at) ? $toMillis($row.ended_at.S) : $millis();
          $node := $lookup($nodes([$e.i]), $e.i);
          $output := $exists($row.output) ? $row.output.S : '';
          $cause := $exists($row.cause) ? $row.cause.S : '';
          $error := $exists($row.error) ? $row.error.S : '';
          $k := $kind_of($error, $cause, $node);
          $status = 'succeeded' ? {{'i': $e.i, 'n': $e.n, 'a': $e.a, 'f': 'running', 'c': 's',
              'S': $merge([{{'state': 'succeeded', 'ended_at': $fromMillis($ms)}},
                $output = '' ? {{}} : {{'output': $output}}]),
              'N': {{}}, 'x': $append($output = '' ? ['output'] : [], ['detail', 'retry_at'])}}
            : $status = 'failed' ? $after($e, $k.kind, $k.error, $ms, $node)
            : $status = 'skipped' ? $after($e, 'stopped',
                $error = '' ? 'its run was skipped' : $error, $ms, {{}})
            : $exists($e.dead) ? $after($e, $e.dead = 'ABORTED' ? 'stopped' : 'platform',
                'the execution that ran it has ended: ' & $e.dead, $millis(), {{}})
            : {{'c': '-'}}
        )"""
        return Task(
            comment="Reads the outcome of a hidden run",
            resource=self.resource("getItem"),
            arguments={
                **self.row(
                    f"{{% {hidden_name('$ended_runs[0].n')} %}}",
                    f"{{% {run_key('$ended_runs[0].n', '$ended_runs[0].a')} %}}",
                ),
                "ConsistentRead": True,
                **schema.projection(
                    schema.STATUS, schema.ERROR, schema.CAUSE, schema.OUTPUT, schema.ENDED_AT
                ),
            },
            assign={
                "changes": f"{{% ( $new := {change}; $append($changes, $new.c = '-' ? [] : [$new]) ) %}}",
                "dead": "{% $merge([$sift($dead, function($value, $key) { $key != $ended_runs[0].i })]) %}",
                "ended_runs": rest_of("ended_runs", "1"),
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Next?",
        )

    def look_at_execution(self) -> Task:
        """The task that looks whether an execution of the runner has died; one at each look, in rotation. Its
        hidden run is read once more before the step fails: it may just have ended."""
        name = execution_of("$looks[0].n", "$looks[0].a")
        arn = f"$replace($runner, ':stateMachine:', ':execution:') & ':' & {name}"
        over = "$merge([$dead, {$looks[0].i: %s}])"
        status = "$states.result.Status"
        return Task(
            comment="Reads whether the runner still runs a step",
            resource=sdk_integration("sfn", "describeExecution", partition=self.partition),
            arguments={"ExecutionArn": f"{{% {arn} %}}"},
            assign={
                "dead": f"{{% {status} = 'RUNNING' ? $dead : {over % status} %}}",
                "looks": [],
            },
            output={},
            retry=(Retrier(error_equals=GONE, max_attempts=0), RETRY_TRANSIENT),
            # An execution that was never started is started when its run is found pending.
            catch=(Catcher(error_equals=GONE, next="Next?", assign={"looks": []}, output={}),),
            next="Next?",
        )
