"""The runner: one machine for all jobs. A job is an execution of it.

```
Load ─► Mine? ─► Take ─► Plan ─► More? ─┬─ never ─────────► Ended, Delete
          │               ▲             ├─ stops ─────────► Paused
          │               │             ├─ full, or old ──► Renew ─► Renewed
          │               │             ├─ far ahead ─► Rest ─► Renew
          │               │             └─► Sleep ─► Fence ──────┐
          ├─ runs apart ──┼─────────────────────────► Claim ─────┤
          ▼               │                                      ▼
       Stopped            │          Pause ◄── Try again? ◄── Route ─► (one of the calls)
                          │                        │ given up         │ done
                          └── Record ◄── tell ◄────┘◄─────────────────┘
```

What differs from job to job is data in the job's row: the schedule, the call, the policy. ``Fence`` is one
conditional write: the row's token is still this execution's, and the run has not been claimed by another. A
job that was paused, cancelled or replaced stops there, and so does a second execution of the same plan.
``Record`` writes the run's row and the job's in one transaction; where the job has changed meanwhile, the
run's alone, and the execution looks whether it is still wanted.

Runs of ``run_now``, ``backfill`` and ``redrive`` are rows that wait. An execution that is started with their
keys as ``left`` takes them one after another, beside the schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stepsched.asl.budget import MAX_EVENTS
from stepsched.asl.machine import StateMachine
from stepsched.asl.render.attempts import ERRORS
from stepsched.asl.render.literals import quoted
from stepsched.asl.render.next_run import NEVER, next_run_of
from stepsched.asl.render.notices import LETTER_ATTRIBUTES, NOTICE_EVENTS, notice, told
from stepsched.asl.render.renewal import RENEWAL_EVENTS, START, renew_rule, renewal_states, rest_rule
from stepsched.asl.resources import integration, sdk_integration
from stepsched.asl.rules import condition
from stepsched.asl.states import Catcher, Choice, Pass, Retrier, State, Succeed, Task, Wait
from stepsched.backends.stepfunctions.rows import CURRENT, NO_MORE, RUN
from stepsched.context import ATTEMPT_NUMBER, EXECUTION_ID, SCHEDULE_ARN, SCHEDULED_TIME
from stepsched.jobs import STILL_RAN

TITLE = "stepsched: runs the jobs of a table; each execution is one job"
LONGEST_TIMEOUT = 99_999_999
"""Seconds that a task may take where nothing bounds it: AWS's own default."""
_CONDITION_FAILED = "DynamoDB.ConditionalCheckFailedException"
_CANCELLED = "DynamoDb.TransactionCanceledException"
CALLS = (
    "lambda:invoke",
    "states:startExecution",
    "states:startExecution.sync:2",
    "sqs:sendMessage",
    "sns:publish",
    "events:putEvents",
    "ecs:runTask",
    "ecs:runTask.sync",
    "codebuild:startBuild",
    "codebuild:startBuild.sync",
    "batch:submitJob",
    "batch:submitJob.sync",
    "aws-sdk:kinesis:putRecord",
    "aws-sdk:firehose:putRecord",
    "aws-sdk:codepipeline:startPipelineExecution",
    "aws-sdk:sagemaker:startPipelineExecution",
    "aws-sdk:ecs:runTask",
)
"""The calls that a runner has a state for, which is called like it: a state's resource is a constant."""
_PATIENT = Retrier(
    error_equals=("States.ALL",), interval_seconds=2, max_attempts=8, backoff_rate=2, max_delay_seconds=300
)
_REFUSED = Retrier(error_equals=(_CONDITION_FAILED,), max_attempts=0)
_TURN = 2 + 2 + 2 + 5 + 2 + 6 + 5
"""Plan, More?, Sleep, Fence, Route, the call, Record."""
_AGAIN = 2 + 2 + 2 + 6
"""Try again?, Pause, Route, the call."""
_TOLD = 2 * (2 + NOTICE_EVENTS)
"""The questions whether to tell a topic and a queue, and both tellings."""
_ASTRAY = 5 + 5 + 5 + 2
"""Keep, Release, Look, Whose?"""
_BUSY = 5 + 5 + 2 + 2 + 2 + 2
"""Fence, Look, Whose?, Busy, More?, Sleep."""
_PASSED_OVER = 2 + 3 * 3 + 5 + 2 + 2
"""Claim with its retries, Seek, Pass over, Plan."""
_BEGINNING = 1 + 5 + 2 + 5
"""The start, Load, Mine?, Take."""
MOST_VERSIONS = 98
"""Versions whose rows are deleted in one transaction with the job's."""
_POLL = 60
"""Seconds between two looks whether the run that is in the way has ended."""


def events_left(max_attempts: int) -> int:
    """The events after which an execution of such a job begins no further run.

    Args:
        max_attempts: Retries of a run.

    Raises:
        ValueError: Not even one run would fit.
    """
    worst = _TURN + max_attempts * _AGAIN + _TOLD + _ASTRAY + 2 * 3 * 8 + RENEWAL_EVENTS
    left = MAX_EVENTS - worst
    if left < _BEGINNING + _TURN:
        raise ValueError(f"a run with {max_attempts} retries may write more events than an execution holds")
    return left


def runner(table_name: str, *, partition: str = "aws", calls: Iterable[str] = ()) -> StateMachine:
    """The machine that runs the jobs of a table.

    It is started with ``{"name": ..., "token": ...}``: the job's name, and the token of its row; for runs
    beside the schedule, their keys are ``left``. The rest of the input is what an execution hands to its
    successor.

    Args:
        table_name: The table, in the machine's own account and Region.
        partition: The machine's.
        calls: Further calls, as ``aws-sdk:<service>:<action>``: those of the jobs' ApiTargets.
    """
    known = tuple(dict.fromkeys((*CALLS, *calls)))
    machine = _Machine(table_name, partition)
    states: dict[str, State] = {
        "Load": machine.load(),
        "Mine?": Choice(
            choices=(
                condition("$there and $apart").then("Claim", comment="runs beside the schedule"),
                condition("$mine").then("Take", comment="the job still wants this execution"),
            ),
            default="Stopped",
        ),
        "Take": machine.take(),
        "Plan": Pass(
            assign={
                "due": next_run_of("$job.kind", "$after"),
                "attempt": 0,
                "recorded": False,
                "spent": f"{{% $spent + {_TURN} %}}",
            },
            next="More?",
        ),
        "More?": Choice(
            choices=(
                condition("$apart and $count($left) > 0 and $spent > $job.limit").then("Renew"),
                condition("$apart and $count($left) > 0").then("Claim", comment="a run beside the schedule"),
                condition("$apart and $not($mine)").then("Done", comment="none of these is left"),
                condition(f"$due = '{NEVER}' and $job.gone and $outcome = 'succeeded'").then(
                    "Delete", comment="a one-time job has run"
                ),
                condition(f"$due = '{NEVER}'").then("Ended", comment="no run is left"),
                condition("$job.stops and $outcome = 'failed'").then("Paused", comment="the job stops"),
                renew_rule("$job.limit"),
                rest_rule(),
            ),
            default="Sleep",
        ),
        "Sleep": Wait(
            timestamp="{% $fromMillis($toMillis($due) + 1000 * $floor($random() * ($job.jitter + 1))) %}",
            next="Fence",
        ),
        "Fence": machine.fence(),
        "Claim": machine.claim(),
        "Seek": machine.seek(),
        **_call_states(known, partition),
        **_giving_up(partition),
        "Record": machine.record(),
        "Keep": machine.keep(),
        "Release": machine.release(),
        "Look": machine.look(),
        "Whose?": Choice(
            choices=(
                condition("$recorded and ($mine or ($apart and $there and $count($left) > 0))").then(
                    "Plan", comment="two writes met, and the job is as it was"
                ),
                condition("$recorded").then("Stopped"),
                condition("$apart and $claimed = $left[0]").then(
                    "Busy", comment="another execution has the same runs"
                ),
                condition("$apart and $taken").then("Pass over", comment="somebody else has taken it"),
                condition(f"$wanted and $busy and $job.overlap = 'skip' and {_MAY_SKIP}").then("Skip"),
                condition("$wanted and $busy and $job.overlap != 'allow'").then(
                    "Busy", comment="another run of the job goes on"
                ),
                condition("$apart and $there").then("Busy", comment="two writes met: once more"),
                condition("$mine").then("Renew", comment="two writes met: once more"),
            ),
            default="Stopped",
        ),
        "Busy": Wait(seconds=_POLL, assign={"spent": f"{{% $spent + {_BUSY} %}}"}, next="More?"),
        "Pass over": Pass(assign={"left": _REST}, next="Plan"),
        "Skip": Pass(
            comment="Another run of the job goes on, and this one is left out",
            assign={
                "key": f"{{% $apart ? $left[0] : '{RUN}' & $due %}}",
                "due": f"{{% $apart ? {_DUE} : $due %}}",
                "outcome": "skipped",
                "failure": {**_NO_FAILURE, "error": STILL_RAN},
                "output": "",
                "started_at": "",
                "ended": "{% $millis() %}",
            },
            next="Leave out",
        ),
        "Leave out": machine.leave_out(),
        "Paused": machine.status("paused"),
        "Ended": machine.status("ended"),
        "Delete": machine.delete(),
        "Done": Succeed(),
        "Stopped": Succeed(comment="The job was paused, cancelled or replaced, or another execution runs it"),
        **renewal_states(partition, ("name", "token", "left")),
    }
    return StateMachine(comment=TITLE, query_language="JSONata", start_at="Load", states=states)


# -- Expressions ----------------------------------------------------------------------------------------

_NO_FAILURE = {"error": "", "cause": "", "attempts": 0}
_DUE = "$substring($left[0], 4, 19) & 'Z'"
_MAY_SKIP = f"($not($apart) or $length($left[0]) > {len(RUN) + 20})"
"""Those of ``backfill``, whose keys hold nothing but the instant, wait for their turn."""
_REST = "{% [$filter($left, function($key, $index) { $index > 0 })] %}"
_DELAY = (
    "$ceil($round($min([$job.retry.bound, $job.retry.first * $power($job.retry.rate, $attempt - 1)]), 6))"
)
_NOW = "$fromMillis($millis())"
_PASSED = (
    "($job.overlap = 'skip' and $not($apart) and $outcome != 'skipped' and $ended > $toMillis($due)"
    " ? $substring($fromMillis($ended - 1), 0, 19) & 'Z' : $due)"
)
"""The instant up to which runs are done with: those that a longer run has passed over are left out."""
_CLAIM = {"#by": "claimed_by", "#claimed": "claimed", "#started": "started_at"}
_ME = "$states.context.Execution.Id"
_RETRIED = "3 * ($exists($states.context.State.RetryCount) ? $states.context.State.RetryCount : 0)"
"""Events of a task's retries, which nobody has foreseen."""


def _filled(text: str) -> str:
    """The text of the call with the context attributes in their places."""
    values = {
        SCHEDULE_ARN: "$states.context.StateMachine.Id",
        SCHEDULED_TIME: "$due",
        EXECUTION_ID: "$states.context.Execution.Name & '/' & $due & '/' & $string($attempt + 1)",
        ATTEMPT_NUMBER: "$string($attempt + 1)",
    }
    for attribute, value in values.items():
        text = f"$replace({text}, {quoted(attribute)}, {value})"
    return text


def _data(name: str) -> str:
    """What the order holds under a name, with the context attributes in their places."""
    return f"($job.fills ? $parse({_filled(f'$string($job.{name})')}) : $job.{name})"


def _given(name: str, otherwise: str) -> str:
    return f"{{% $exists($states.input.{name}) ? $states.input.{name} : {otherwise} %}}"


def _written(value: Any) -> str:
    """A value with expressions in it, as one expression."""
    match value:
        case str():
            return f"({value[2:-2].strip()})" if value.startswith("{%") else quoted(value)
        case Mapping():
            return "{" + ", ".join(f"{quoted(key)}: {_written(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{value!r} has no place in a transaction")


# -- What the machine does with the table ---------------------------------------------------------------


class _Machine:
    """The tasks on one table."""

    def __init__(self, table_name: str, partition: str) -> None:
        self.table_name = table_name
        self.partition = partition

    @property
    def job_key(self) -> dict[str, Any]:
        return self.row("{% $name %}", CURRENT)

    def row(self, name: str, version: str) -> dict[str, Any]:
        return {"TableName": self.table_name, "Key": {"name": {"S": name}, "version": {"S": version}}}

    def resource(self, action: str) -> str:
        return integration("dynamodb", action, partition=self.partition)

    def load(self) -> Task:
        item = "$states.result.Item"
        later = (
            f"$exists($states.input.after) and $states.input.after > {item}.cursor.S"
            f" ? $states.input.after : {item}.cursor.S"
        )
        plan = f"$exists({item}.plan.S) ? $parse({item}.plan.S)"
        return Task(
            comment="The job's row: its plan, and whether it still wants this execution",
            resource=self.resource("getItem"),
            arguments={
                **self.row("{% $states.input.name %}", CURRENT),
                "ConsistentRead": True,
                "ProjectionExpression": "#token, #cursor, #plan",
                "ExpressionAttributeNames": {"#token": "token", "#cursor": "cursor", "#plan": "plan"},
            },
            assign={
                "name": "{% $states.input.name %}",
                "token": "{% $states.input.token %}",
                "there": f"{{% $exists({item}.plan.S) %}}",
                "mine": f"{{% $exists({item}.token.S) and {item}.token.S = $states.input.token %}}",
                "left": _given("left", "[]"),
                "apart": "{% $exists($states.input.left) and $count($states.input.left) > 0 %}",
                "job": f"{{% {plan} : {{}} %}}",
                "plan": f"{{% {plan}.plan : {{}} %}}",
                # The row knows the last run that was claimed; a run that passed others over ended later.
                "after": f"{{% $exists({item}.cursor.S) ? ({later}) : '' %}}",
                "begun": _given("begun", START),
                "since": _given("since", f"$floor($toMillis({START}) / 1000)"),
                "generation": _given("generation", "1"),
                "series": _given(
                    "series", "$substring($states.input.name, 0, 55) & '-' & $states.input.token"
                ),
                "runs": _given("runs", "0"),
                "spent": _BEGINNING,
                "attempt": 0,
                "outcome": "",
                "recorded": False,
                "due": "",
                "taken": False,
            },
            output={},
            retry=(_PATIENT,),
            next="Mine?",
        )

    def take(self) -> Task:
        return Task(
            comment="Tells which execution runs the job; an older one of the same token stops",
            resource=self.resource("updateItem"),
            arguments={
                **self.job_key,
                "ConditionExpression": "#token = :token",
                "UpdateExpression": "SET #execution = :me",
                "ExpressionAttributeNames": {"#token": "token", "#execution": "execution"},
                "ExpressionAttributeValues": {
                    ":token": {"S": "{% $token %}"},
                    ":me": {"S": f"{{% {_ME} %}}"},
                },
            },
            output={},
            retry=(_REFUSED, _PATIENT),
            catch=(Catcher(error_equals=(_CONDITION_FAILED,), next="Stopped", output={}),),
            next="Plan",
        )

    def fence(self) -> Task:
        return Task(
            comment="Claims the run; a write whose answer was lost is known by its execution",
            resource=self.resource("updateItem"),
            arguments={
                **self.job_key,
                "ConditionExpression": "{% '#token = :token AND #execution = :me"
                " AND (#cursor < :due OR (#cursor = :due AND #by = :me))'"
                " & ($job.overlap = 'allow' ? '' : ' AND (attribute_not_exists(#by) OR #by = :me)') %}",
                "UpdateExpression": "SET #cursor = :due, #by = :me, #claimed = :key, #started = :now",
                "ExpressionAttributeNames": {
                    "#token": "token",
                    "#execution": "execution",
                    "#cursor": "cursor",
                    **_CLAIM,
                },
                "ExpressionAttributeValues": {
                    ":token": {"S": "{% $token %}"},
                    ":due": {"S": "{% $due %}"},
                    ":me": {"S": f"{{% {_ME} %}}"},
                    ":key": {"S": f"{{% '{RUN}' & $due %}}"},
                    ":now": {"S": f"{{% {_NOW} %}}"},
                },
            },
            output={},
            retry=(_REFUSED, _PATIENT),
            catch=(Catcher(error_equals=(_CONDITION_FAILED,), next="Look", output={}),),
            assign={
                "started_at": f"{{% {_NOW} %}}",
                "key": f"{{% '{RUN}' & $due %}}",
                # The age of a run that comes late, as after an outage, counts from its start.
                "aging": "{% $millis() > $toMillis($due) + 1000 * ($job.jitter + 60) ? $millis()"
                " : $toMillis($due) %}",
                "spent": f"{{% $spent + {_RETRIED} %}}",
            },
            next="Route",
        )

    def claim(self) -> Task:
        """The same for a run beside the schedule, which waits in a row of its own."""
        me, now, first = f"{{% {_ME} %}}", f"{{% {_NOW} %}}", "{% $left[0] %}"
        run = {
            "Update": {
                **self.row("{% $name %}", first),
                "ConditionExpression": "#status = :pending OR (#status = :running AND #by = :me)",
                "UpdateExpression": "SET #status = :running, #by = :me, #started = :now",
                "ExpressionAttributeNames": {
                    "#status": "status",
                    "#by": "execution",
                    "#started": "started_at",
                },
                "ExpressionAttributeValues": {
                    ":pending": {"S": "pending"},
                    ":running": {"S": "running"},
                    ":me": {"S": me},
                    ":now": {"S": now},
                },
            }
        }
        job = {
            "Update": {
                **self.job_key,
                "ConditionExpression": "attribute_exists(#plan) AND (attribute_not_exists(#by) OR #by = :me)",
                "UpdateExpression": "SET #by = :me, #claimed = :key, #started = :now",
                "ExpressionAttributeNames": {"#plan": "plan", **_CLAIM},
                "ExpressionAttributeValues": {":me": {"S": me}, ":key": {"S": first}, ":now": {"S": now}},
            }
        }
        items = f"( $run := {_written(run)}; $job.overlap = 'allow' ? [$run] : [$run, {_written(job)}] )"
        return Task(
            comment="Claims the first of the runs beside the schedule",
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={
                "TransactItems": f"{{% {items} %}}",
            },
            output={},
            retry=(Retrier(error_equals=(_CANCELLED,), max_attempts=2), _PATIENT),
            catch=(
                Catcher(
                    error_equals=(_CANCELLED,),
                    next="Seek",
                    assign={"spent": f"{{% $spent + {_PASSED_OVER} %}}"},
                    output={},
                ),
            ),
            assign={
                "due": f"{{% {_DUE} %}}",
                "key": first,
                "left": _REST,
                "started_at": now,
                "aging": "{% $millis() %}",
                "attempt": 0,
                "spent": f"{{% $spent + {_TURN} + {_RETRIED} %}}",
            },
            next="Route",
        )

    def seek(self) -> Task:
        item = "$states.result.Item"
        return Task(
            comment="Whether the first of the runs beside the schedule still waits",
            resource=self.resource("getItem"),
            arguments={
                **self.row("{% $name %}", "{% $left[0] %}"),
                "ConsistentRead": True,
                "ProjectionExpression": "#status",
                "ExpressionAttributeNames": {"#status": "status"},
            },
            assign={"taken": f"{{% $exists({item}.status.S) ? {item}.status.S != 'pending' : true %}}"},
            output={},
            retry=(_PATIENT,),
            next="Look",
        )

    def leave_out(self) -> Task:
        run = self.run_update() | {"ConditionExpression": "attribute_not_exists(#started_at)"}
        names = {f"#{name}": name for name in ("token", "execution", "cursor")}
        scheduled = {
            **self.job_key,
            "ConditionExpression": "#token = :token AND #execution = :me AND #cursor < :due",
            "UpdateExpression": "SET #cursor = :due",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {
                ":token": {"S": "{% $token %}"},
                ":me": {"S": f"{{% {_ME} %}}"},
                ":due": {"S": "{% $due %}"},
            },
        }
        job = _written({"Update": scheduled})
        items = f"( $run := {_written({'Update': run})}; $apart ? [$run] : [$run, {job}] )"
        return Task(
            comment="Notes a run as skipped, if nobody has begun it, and goes on with the next",
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": f"{{% {items} %}}"},
            output={},
            retry=(Retrier(error_equals=(_CANCELLED,), max_attempts=0), _PATIENT),
            catch=(Catcher(error_equals=(_CANCELLED,), next="Renew", output={}),),  # it reads all anew
            assign={
                "after": "{% $apart ? $after : $due %}",
                "left": f"{{% $apart ? {_REST[2:-2].strip()} : $left %}}",
            },
            next="Plan",
        )

    def run_update(self, passed: str = _PASSED) -> dict[str, Any]:
        """What writes the end of a run into its row.

        Only texts and numbers: the two integrations of DynamoDB spell the other types differently.

        Args:
            passed: The instant up to which runs are done with.
        """
        values = {
            "status": {"S": "{% $outcome %}"},
            "attempts": {"N": "{% $string($outcome = 'succeeded' ? $attempt + 1 : $attempt) %}"},
            "error": {"S": "{% $failure.error %}"},
            "cause": {"S": "{% $substring($failure.cause, 0, 4000) %}"},
            "output": {"S": "{% $output %}"},
            "started_at": {"S": "{% $started_at %}"},
            "ended_at": {"S": "{% $fromMillis($ended) %}"},
            "execution": {"S": f"{{% {_ME} %}}"},
            "passed": {"S": f"{{% {passed} %}}"},
            "job_version": {"N": "{% $string($job.version) %}"},
            "expires_at": {"N": "{% $string($floor($millis() / 1000) + $job.keep) %}"},
        }
        # What a first run has passed over stays noted when it is run again.
        once = ("passed",)
        sets = ", ".join(
            f"#{name} = if_not_exists(#{name}, :{name})" if name in once else f"#{name} = :{name}"
            for name in values
        )
        return {
            **self.row("{% $name %}", "{% $key %}"),
            "UpdateExpression": f"SET {sets}, #due = if_not_exists(#due, :due)",
            "ExpressionAttributeNames": {f"#{name}": name for name in (*values, "due")},
            "ExpressionAttributeValues": {
                **{f":{name}": value for name, value in values.items()},
                ":due": {"S": "{% $due %}"},
            },
        }

    def record(self) -> Task:
        scheduled = {
            **self.job_key,
            "ConditionExpression": "#token = :token",
            "UpdateExpression": "SET #cursor = :passed, #due = :due, #last = :key"
            " REMOVE #by, #claimed, #started",
            "ExpressionAttributeNames": {
                "#token": "token",
                "#cursor": "cursor",
                "#due": "due",
                "#last": "last",
                **_CLAIM,
            },
            "ExpressionAttributeValues": {
                ":token": {"S": "{% $token %}"},
                ":passed": {"S": f"{{% {_PASSED} %}}"},
                ":due": {"S": next_run_of("$job.kind", f"({_PASSED})")},
                ":key": {"S": "{% $key %}"},
            },
        }
        beside = {
            **self.job_key,
            "ConditionExpression": "attribute_exists(#plan)",
            "UpdateExpression": "SET #last = :key",
            "ExpressionAttributeNames": {"#plan": "plan", "#last": "last"},
            "ExpressionAttributeValues": {":key": {"S": "{% $key %}"}},
        }
        alone = {
            **self.job_key,
            "ConditionExpression": "#by = :me",
            "UpdateExpression": "SET #last = :key REMOVE #by, #claimed, #started",
            "ExpressionAttributeNames": {"#last": "last", **_CLAIM},
            "ExpressionAttributeValues": {":key": {"S": "{% $key %}"}, ":me": {"S": f"{{% {_ME} %}}"}},
        }
        done = {"after": f"{{% $apart ? $after : {_PASSED} %}}", "runs": "{% $runs + 1 %}"}
        job = (
            f"$not($apart) ? {_written({'Update': scheduled})}"
            f" : $job.overlap = 'allow' ? {_written({'Update': beside})} : {_written({'Update': alone})}"
        )
        return Task(
            comment="The run's row, and in the job's which run comes next",
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": f"{{% [{_written({'Update': self.run_update()})}, {job}] %}}"},
            output={},
            retry=(Retrier(error_equals=(_CANCELLED,), max_attempts=0), _PATIENT),
            catch=(
                Catcher(
                    error_equals=(_CANCELLED,), next="Keep", assign={**done, "recorded": True}, output={}
                ),
            ),
            assign={**done, "spent": f"{{% $spent + {_RETRIED} %}}"},
            next="Plan",
        )

    def keep(self) -> Task:
        return Task(
            comment="The run's row alone: the job has changed meanwhile",
            resource=self.resource("updateItem"),
            arguments=self.run_update("$due"),
            output={},
            retry=(_PATIENT,),
            next="Release",
        )

    def release(self) -> Task:
        return Task(
            comment="No run of this execution goes on any more",
            resource=self.resource("updateItem"),
            arguments={
                **self.job_key,
                "ConditionExpression": "#by = :me",
                "UpdateExpression": "SET #last = :key REMOVE #by, #claimed, #started",
                "ExpressionAttributeNames": {"#last": "last", **_CLAIM},
                "ExpressionAttributeValues": {":me": {"S": f"{{% {_ME} %}}"}, ":key": {"S": "{% $key %}"}},
            },
            output={},
            retry=(_REFUSED, _PATIENT),
            catch=(Catcher(error_equals=(_CONDITION_FAILED,), next="Look", output={}),),
            next="Look",
        )

    def look(self) -> Task:
        item = "$states.result.Item"
        names = {"#token": "token", "#execution": "execution", "#by": "claimed_by"}
        mine = (
            f"$exists({item}.token.S) and {item}.token.S = $token"
            f" and ($apart or ($exists({item}.execution.S) and {item}.execution.S = {_ME}))"
        )
        busy = f"$exists({item}.claimed_by.S) and {item}.claimed_by.S != {_ME}"
        return Task(
            comment="Whether the job still wants this execution, and whether another run is in the way",
            resource=self.resource("getItem"),
            arguments={
                **self.job_key,
                "ConsistentRead": True,
                "ProjectionExpression": "#token, #execution, #by, claimed, latest",
                "ExpressionAttributeNames": names,
            },
            assign={
                "there": f"{{% $exists({item}.latest.N) %}}",
                "mine": f"{{% {mine} %}}",
                "wanted": f"{{% $apart or ({mine}) %}}",
                "busy": f"{{% {busy} %}}",
                "claimed": f"{{% {busy} ? {item}.claimed.S : '' %}}",
                "spent": f"{{% $spent + {_ASTRAY} %}}",
            },
            output={},
            retry=(_PATIENT,),
            next="Whose?",
        )

    def status(self, status: str) -> Task:
        """Notes how the job stands now, unless it has been changed meanwhile."""
        return Task(
            resource=self.resource("updateItem"),
            arguments={
                **self.job_key,
                "ConditionExpression": "#token = :token",
                "UpdateExpression": "SET #status = :status, #due = :never REMOVE #token",
                "ExpressionAttributeNames": {"#token": "token", "#status": "status", "#due": "due"},
                "ExpressionAttributeValues": {
                    ":token": {"S": "{% $token %}"},
                    ":status": {"S": status},
                    ":never": {"S": NO_MORE},
                },
            },
            output={},
            retry=(_REFUSED, _PATIENT),
            catch=(Catcher(error_equals=(_CONDITION_FAILED,), next="Stopped", output={}),),
            next="Done",
        )

    def delete(self) -> Task:
        """Deletes a job with the rows of its versions, unless it has been changed meanwhile."""
        current = {
            "Delete": {
                **self.job_key,
                "ConditionExpression": "#token = :token",
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": {":token": {"S": "{% $token %}"}},
            }
        }
        version = {"Delete": self.row("{% $name %}", "{% 'v' & $string($number) %}")}
        versions = (
            f"$map([1..$min([$job.version, {MOST_VERSIONS}])], function($number) {{{_written(version)}}})"
        )
        return Task(
            resource=sdk_integration("dynamodb", "transactWriteItems", partition=self.partition),
            arguments={"TransactItems": f"{{% $append([{_written(current)}], {versions}) %}}"},
            output={},
            retry=(Retrier(error_equals=(_CANCELLED,), max_attempts=3), _PATIENT),
            catch=(Catcher(error_equals=(_CANCELLED,), next="Stopped", output={}),),
            next="Done",
        )


# -- The run --------------------------------------------------------------------------------------------


def _call_states(calls: Iterable[str], partition: str) -> dict[str, State]:
    resources = {name: f"arn:{partition}:states:::{name}" for name in calls}
    caught = {
        "failure": {
            "error": "{% $states.errorOutput.Error %}",
            "cause": "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}",
            "attempts": "{% $attempt + 1 %}",
        },
        "attempt": "{% $attempt + 1 %}",
        "spent": f"{{% $spent + {_AGAIN} %}}",
    }
    rules = [condition(f"$job.call = '{name}'").then(name) for name in resources]
    states: dict[str, State] = {"Route": Choice(choices=tuple(rules), default="Unknown call")}
    for name, resource in resources.items():
        states[name] = Task(
            resource=resource,
            arguments=f"{{% {_data('arguments')} %}}",
            timeout_seconds="{% $job.timeout %}",
            assign={
                "outcome": "succeeded",
                "failure": _NO_FAILURE,
                "output": _output(name),
                "ended": "{% $millis() %}",
            },
            output={},
            catch=tuple(
                Catcher(error_equals=(error,), next="Try again?", assign=caught, output={})
                for error in ERRORS
            ),
            next="Record",
        )
    states["Unknown call"] = Pass(
        comment="The job was written for a newer runner",
        assign={
            "failure": {
                "error": "Stepsched.UnknownCall",
                "cause": "{% 'the runner has no state for ' & $job.call %}",
                "attempts": 1,
            },
        },
        next="Given up",
    )
    return states


def _output(call: str) -> str:
    """What the target answered, as JSON text. An expression without a value would fail a run that is done."""
    part = {"lambda:invoke": ".Payload", "states:startExecution.sync:2": ".Output"}.get(call, "")
    answer = f"$states.result{part}"
    text = f"$string({{'a': {answer}}})"
    return f"{{% $exists({answer}) ? $substring($substring({text}, 5, $length({text}) - 6), 0, 4000) : '' %}}"


def _giving_up(partition: str) -> dict[str, State]:
    """From a failed attempt to the next one, or to telling that none is left."""
    again = (
        f"$attempt <= $job.retry.attempts and $millis() + 1000 * {_DELAY} <= $aging + 1000 * $job.retry.age"
    )
    letter = {
        "MessageAttributes": LETTER_ATTRIBUTES,
    }
    body = {"Message": told("{% $name %}")}
    return {
        "Try again?": Choice(
            choices=(condition(again).then("Pause", comment="a try is left, in time"),), default="Given up"
        ),
        "Pause": Wait(seconds=f"{{% {_DELAY} %}}", assign={"started_at": f"{{% {_NOW} %}}"}, next="Route"),
        "Given up": Pass(
            assign={
                "outcome": "failed",
                "output": "",
                "ended": "{% $millis() %}",
                "spent": f"{{% $spent + {_TOLD} %}}",
            },
            next="Letter?",
        ),
        "Letter?": Choice(
            choices=(condition("$exists($job.letter)").then("Dead letter"),), default="Notice?"
        ),
        "Dead letter": notice(
            integration("sqs", "sendMessage", partition=partition),
            f"{{% $merge([{_data('letter')}, {_written(letter)}]) %}}",
            "Notice?",
        ),
        "Notice?": Choice(choices=(condition("$exists($job.notice)").then("Notify"),), default="Record"),
        "Notify": notice(
            integration("sns", "publish", partition=partition),
            f"{{% $merge([$parse({_filled('$string($job.notice)')}), {_written(body)}]) %}}",
            "Record",
        ),
    }
