"""The states that start a step: its instructions, the outputs that it uses, the claim, and the call.

A claim is one transaction: the run is still driven by this execution, and the step is pending. It writes the
number of the attempt, from which the names of all that is started follow. So whoever drives the run later
finds what an interrupted driver has started.
"""

from __future__ import annotations

from typing import Any

from stepsched.asl.resources import integration, sdk_integration
from stepsched.asl.rules import condition
from stepsched.asl.states import Catcher, Choice, Pass, Retrier, State, Task, Wait
from stepsched.machines.renewal import ALREADY_EXISTS
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.expressions import ME, NOW, RETRY_TRANSIENT, expression_of
from stepsched.machines.shared.table_schema import write
from stepsched.workflows.machine.failing import AFTER_FAILURE, NODES
from stepsched.workflows.machine.names import batch_name, execution_of, token_of
from stepsched.workflows.machine.tables import (
    DOWN,
    FLOW_NAME,
    JSON,
    STEPS_NAME,
    RunTasks,
    number,
    rest_of,
    text,
)
from stepsched.workflows.model import MAX_OUTPUT

KEPT = 400 * 86_400
"""How long the row of a hidden job is kept after its claim, in seconds: longer than any execution lasts."""
_BAD_DATA = ("States.QueryEvaluationError",)
_MOST_DOUBTS = 5
"""How often a job is looked for and submitted again after errors that do not say whether it was submitted."""
DUE = "$substring($due = '' ? $started : $due, 0, 19) & 'Z'"
"""The scheduled instant of the hidden runs."""


def run_key(step: str = "$step.n", attempt: str = "$attempt") -> str:
    """The expression of the sort key of the hidden run of an attempt."""
    return f"'{schema.RUN}' & {DUE} & '#' & {token_of(step, attempt)}"


def hidden_name(step: str = "$step.n") -> str:
    """The expression of the name of the hidden job of a step."""
    return f"{STEPS_NAME} & '#' & {step}"


class StartTasks(RunTasks):
    """The tasks that start steps."""

    def __init__(self, table_name: str, runner_arn: str, partition: str) -> None:
        super().__init__(table_name, partition)
        self.runner_arn = runner_arn

    def read_plan(self) -> Task:
        plan = (
            f"$exists($states.result.Item.{schema.PLAN}) ? $parse($states.result.Item.{schema.PLAN}.S) : {{}}"
        )
        return Task(
            comment="Reads the instructions of the step",
            resource=self.resource("getItem"),
            arguments={
                **self.row(f"{{% {FLOW_NAME} & '#=' & $digest %}}", f"{{% '{schema.STEP}' & $queue[0].n %}}"),
                **schema.projection(schema.PLAN),
            },
            assign=plan_variables(plan),
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Can it start?",
        )

    def read_outputs(self) -> Task:
        keys = expression_of(self.step_key("$n")["Key"])
        rows = "$rows := [$each($states.result.Responses, function($rows) { $rows })];"
        value = (
            "function($r) {( $text := $r.output.S; {$substring($r.version.S, 5):"
            f" $exists($text) and $text != '' ? ($length($text) >= {MAX_OUTPUT}"
            " ? {'long': true} : {'v': $parse($text)}) : {}} )}"
        )
        names = {f"#{each}": each for each in (schema.VERSION, schema.OUTPUT)}
        return Task(
            comment="Reads the outputs that the step uses",
            resource=sdk_integration("dynamodb", "batchGetItem", partition=self.partition),
            arguments={
                "RequestItems": {
                    self.table_name: {
                        "Keys": f"{{% [$map($plan.reads, function($n) {{ {keys} }})] %}}",
                        "ConsistentRead": True,
                        "ProjectionExpression": ", ".join(names),
                        "ExpressionAttributeNames": names,
                    }
                }
            },
            assign={
                "outputs": f"{{% ( {rows} $merge([$map($rows, {value})]) ) %}}",
                "refusal": f"{{% ( {rows} $count($keys($states.result.UnprocessedKeys)) > 0 ? '?' : '' ) %}}",
            },
            output={},
            retry=(Retrier(error_equals=_BAD_DATA, max_attempts=0), RETRY_TRANSIENT),
            catch=(
                Catcher(
                    error_equals=(*_BAD_DATA, "States.DataLimitExceeded"),
                    next="Refuse",
                    assign={"refusal": "an output that it uses is not JSON, or all of them are too long"},
                    output={},
                ),
            ),
            next="Are they read?",
        )

    def fill(self) -> Pass:
        """The state that puts the values of references between the parts of the instructions."""
        walk = f"""
        {DOWN}
        $root := function($r) {{ $exists($r.s) ? ( $o := $lookup($outputs, $r.s); $exists($o) ? $o : {{}} )
          : {{'v': $input}} }};
        $boxes := [$map($plan.refs, function($r) {{ $reduce([$r.p], $down, $root($r)) }})];
        """
        render = f"""
        {JSON}
        $render := function($part) {{
          $type($part) = 'string' ? $part : (
            $v := $boxes[$part.r].v; $t := $json($v);
            $part.m = 1 ? $t
              : $part.m = 3 ? ($type($v) = 'string' ? $t : $json($t))
              : ( $twice := $json($t); $substring($twice, 1, $length($twice) - 2) )
          )
        }};
        """
        long = "[$filter($plan.reads, function($n) { $lookup($outputs, $n).long = true })]"
        lacks = "[$filter($plan.refs, function($r, $k) { $not($exists($boxes[$k].v)) })]"
        too_long = (
            "'step \\u0027' & $long[0] & '\\u0027: its output is longer than 4,000 characters; "
            "write it elsewhere and pass its location'"
        )
        return Pass(
            comment="Fills in the outputs and the input of the run",
            assign={
                "filled": f"{{% ( {walk} {render} $count({lacks}) > 0 ? ''"
                " : $join([$map($plan.parts, $render)]) ) %}",
                "refusal": f"{{% ( {walk} $long := {long}; $lacks := {lacks}; $count($long) > 0 ? {too_long}"
                " : $count($lacks) > 0 ? $lacks[0].t : '' ) %}",
            },
            output={},
            next="Is it filled?",
        )

    def _claim(self, more: dict[str, Any], removes: tuple[str, ...]) -> str:
        """The expression of the update of a claimed step."""
        update = self.step_key("$step.n") | write(
            schema.IS_CLAIMABLE,
            values={
                "pending": {"S": "pending"},
                "running": {"S": "running"},
                "former": number("$string($attempt - 1)"),
                "mine": number("$string($attempt)"),
                "me": text(ME),
            },
            sets={
                schema.STATE: {"S": "running"},
                schema.ATTEMPTS: number("$string($attempt)"),
                schema.TOKEN: text(ME),
                schema.STARTED_AT: text(NOW),
                **more,
            },
            removes=(
                *(schema.ENDED_AT, schema.ERROR, schema.FAILURE, schema.OUTPUT, schema.RETRY_AT),
                *(schema.CAUSED_BY, schema.REASON, schema.DETAIL, schema.TTL, *removes),
            ),
        )
        return expression_of({"Update": update})

    def claim_job(self) -> Task:
        return self.transaction(
            f"[{self.check()}, {self._claim({}, (schema.JOB_ID,))}]",
            comment="Claims the step: one attempt of one driver",
            assign=_claimed(),
            next="Submit",
        )

    def claim_run(self) -> Task:
        arn = f"$replace($runner, ':stateMachine:', ':execution:') & ':' & {execution_of()}"
        job = {
            "Put": {
                "TableName": self.table_name,
                "Item": {
                    **self.row(f"{{% {hidden_name()} %}}", schema.CURRENT)["Key"],
                    schema.PLAN: text("$filled"),
                    schema.LATEST: {"N": "1"},
                    schema.CURSOR: text(DUE),
                    schema.TTL: number(f"$string($floor($millis() / 1000) + {KEPT})"),
                },
            }
        }
        run = {
            "Put": {
                "TableName": self.table_name,
                "Item": {
                    **self.row(f"{{% {hidden_name()} %}}", f"{{% {run_key()} %}}")["Key"],
                    schema.STATUS: {"S": "pending"},
                    schema.DUE: text(DUE),
                    schema.TRIGGER: {"S": "manual"},
                    schema.RECORDED_AT: text(NOW),
                    schema.TOKEN: text(token_of()),
                    schema.TTL: number(f"$string($floor($millis() / 1000) + {KEPT})"),
                },
            }
        }
        claim = self._claim({schema.JOB_ID: text(arn)}, ())
        return self.transaction(
            f"[{self.check()}, {claim}, {expression_of(job)}, {expression_of(run)}]",
            comment="Claims the step, and writes the hidden job that the runner runs",
            assign={
                **_claimed(),
                "runs": "{% $merge([$runs, {$step.i: {'a': $attempt}}]) %}",
            },
            next="Start run",
        )

    def start_run(self, step: str, attempt: str, **fields: Any) -> Task:
        """The task that starts the runner for a claimed step; a repeated start changes nothing."""
        return Task(
            resource=integration("states", "startExecution", partition=self.partition),
            arguments={
                "StateMachineArn": self.runner_arn,
                "Name": f"{{% {execution_of(step, attempt)} %}}",
                "Input": {
                    "name": f"{{% {hidden_name(step)} %}}",
                    "left": f"{{% [{run_key(step, attempt)}] %}}",
                    "token": f"{{% {token_of(step, attempt)} %}}",
                    "series": f"{{% {execution_of(step, attempt)} %}}",
                },
            },
            output={},
            retry=(Retrier(error_equals=ALREADY_EXISTS, max_attempts=0), RETRY_TRANSIENT),
            catch=(Catcher(error_equals=ALREADY_EXISTS, next="Next?", output={}),),
            next="Next?",
            **fields,
        )

    def submit(self) -> Task:
        depends = (
            "[$map([$filter($step.d, function($d) { $exists($lookup($jobs, $d)) })], function($d) {"
            " {'JobId': $lookup($jobs, $d).j, 'Type': 'SEQUENTIAL'} })]"
        )
        arguments = (
            f"( $depends := {depends}; $merge([$parse($filled), {{'JobName': {batch_name()}}},"
            " $count($depends) = 0 ? {} : {'DependsOn': $depends}]) )"
        )
        job = "{'a': $attempt, 'j': $states.result.JobId}"
        cause = "($exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '')"
        busy = f"$contains({cause}, /[Tt]oo [Mm]any|[Tt]hrottl/)"
        live = "$count($filter($step.d, function($d) { $exists($lookup($jobs, $d)) })) > 0"
        entry = "{'i': $step.i, 'n': $step.n, 'a': $attempt}"
        refused = f"""(
          {NODES} {AFTER_FAILURE}
          {busy} ? [] : [$after({entry}, {live} ? 'none' : 'job', 'AWS Batch refuses the job: ' & {cause},
            $millis() + ({live} ? 1000 * $graph.wait : 0), $lookup($nodes([$step.i]), $step.i))]
        )"""
        return Task(
            comment="Submits the job; AWS Batch holds it back until the jobs that it depends on have ended",
            resource=sdk_integration("batch", "submitJob", partition=self.partition),
            arguments=f"{{% {arguments} %}}",
            assign={"jobs": f"{{% $merge([$jobs, {{$step.i: {job}}}]) %}}"},
            output={},
            catch=(
                Catcher(
                    error_equals=("Batch.ClientException",),
                    next="Is it refused?",
                    assign={"changes": f"{{% {refused} %}}"},
                    output={},
                ),
                # It is unknown whether the job was submitted.
                Catcher(error_equals=("States.ALL",), next="In doubt", output={}),
            ),
            next="Record job",
        )

    def find_job(self) -> Task:
        job = "$states.result.JobSummaryList"
        found = f"$exists({job}) and $count({job}) > 0"
        return Task(
            comment="Looks for the job of the attempt, whose name no other has",
            resource=sdk_integration("batch", "listJobs", partition=self.partition),
            arguments={
                "JobQueue": "{% $plan.queue %}",
                "Filters": [{"Name": "JOB_NAME", "Values": f"{{% [{batch_name()}] %}}"}],
            },
            assign={
                "there": f"{{% {found} %}}",
                "jobs": f"{{% {found} ? $merge([$jobs, {{$step.i: {{'a': $attempt,"
                f" 'j': {job}[0].JobId}}}}]) : $jobs %}}",
            },
            output={},
            retry=(RETRY_TRANSIENT,),
            next="Was it submitted?",
        )

    def record_job(self) -> Task:
        update = self.step_key("$step.n") | write(
            schema.HAS_STATE,
            schema.HAS_ATTEMPTS,
            values={"old_state": {"S": "running"}, "old_attempts": number("$string($attempt)")},
            sets={schema.JOB_ID: text("$lookup($jobs, $step.i).j")},
        )
        return self.transaction(
            f"[{self.check()}, {expression_of({'Update': update})}]",
            comment="Writes which job runs the step",
            assign={"state": "{% $merge([$state, {$step.i: 'b'}]) %}"},
            next="Next?",
        )


def plan_variables(plan: str) -> dict[str, Any]:
    """The variables of the first step of ``$queue``.

    Args:
        plan: The expression of its instructions.
    """
    tried = "( $tried := $lookup($tries, $queue[0].i); $exists($tried) ? $tried : 0 )"
    return {
        "step": "{% $queue[0] %}",
        "plan": f"{{% {plan} %}}",
        "attempt": f"{{% {tried} + ($exists($queue[0].again) ? 0 : 1) %}}",
        "outputs": {},
        "refusal": "",
        "doubts": 0,
        "settled": False,
        "queue": rest_of("queue", "1"),
    }


def _claimed() -> dict[str, str]:
    return {
        "tries": "{% $merge([$tries, {$step.i: $attempt}]) %}",
        "state": "{% $merge([$state, {$step.i: 'r'}]) %}",
        "retry": "{% $merge([$sift($retry, function($value, $key) { $key != $step.i })]) %}",
    }


def start_states(tasks: StartTasks) -> dict[str, State]:
    """The states that start the first step of ``$queue``."""
    done = (
        "$filter($step.d, function($d) {( $c := $lookup($state, $d); $not($exists($lookup($jobs, $d))"
        " or ($exists($c) and $contains('sk', $c))) )})"
    )
    entry = "{'i': $step.i, 'n': $step.n, 'a': $attempt}"
    doubtful = f"""[(
      {AFTER_FAILURE}
      $after({entry}, 'platform', 'AWS Batch does not answer whether it has the job', $millis(), {{}})
    )]"""
    refused = """[{
      'i': $step.i, 'n': $step.n, 'a': $attempt, 'f': $exists($step.again) ? 'running' : 'pending', 'c': 'f',
      'S': {'state': 'failed', 'ended_at': $fromMillis($millis()), 'failure': 'job', 'error': $refusal},
      'N': {}, 'x': ['retry_at', 'detail']
    }]"""
    return {
        "Start": tasks.read_plan(),
        "Can it start?": Choice(
            choices=(
                condition("$not($exists($plan.parts))").then(
                    "Refuse", assign={"refusal": "its instructions are gone; store the workflow again"}
                ),
                condition(f"$step.k = 'b' and $count({done}) > 0").then(
                    "Next?", comment="a job that it depends on was not submitted"
                ),
                condition("$count($plan.reads) > 0").then("Read outputs"),
            ),
            default="Fill",
        ),
        "Read outputs": tasks.read_outputs(),
        "Are they read?": Choice(
            choices=(condition("$refusal = '?'").then("Read outputs", comment="the table was busy"),),
            default="Fill",
        ),
        "Fill": tasks.fill(),
        "Is it filled?": Choice(
            choices=(
                condition("$refusal != ''").then("Refuse"),
                condition("$exists($step.again)").then("Find job", comment="a driver was interrupted"),
                condition("$step.k = 'r'").then("Claim run"),
            ),
            default="Claim job",
        ),
        "Refuse": Pass(
            comment="The step cannot start, and fails",
            assign={"changes": f"{{% {refused} %}}"},
            output={},
            next="Next?",
        ),
        "Claim run": tasks.claim_run(),
        "Start run": tasks.start_run(
            "$step.n", "$attempt", comment="The runner runs the step, and waits for it"
        ),
        "Claim job": tasks.claim_job(),
        "Find job": tasks.find_job(),
        "Was it submitted?": Choice(
            choices=(
                condition("$there").then("Record job"),
                condition(f"$doubts > {_MOST_DOUBTS}").then(
                    "Next?",
                    assign={"changes": f"{{% {doubtful} %}}"},
                    comment="the platform does not take it",
                ),
            ),
            default="Submit",
        ),
        "Submit": tasks.submit(),
        "Is it refused?": Choice(
            choices=(condition("$count($changes) > 0").then("Next?"),), default="In doubt"
        ),
        "In doubt": Wait(
            seconds="{% $min([60, 5 * $power(2, $doubts)]) %}",
            assign={"doubts": "{% $doubts + 1 %}"},
            next="Find job",
        ),
        "Record job": tasks.record_job(),
    }
