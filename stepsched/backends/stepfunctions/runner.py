"""The runner: one machine for all jobs. A job is an execution of it.

```
Load ─► Mine? ─► Plan ─► More? ─┬─ never ─────────► Ended
          │      ▲              ├─ full, or old ──► Renew ─► Renewed
          │      │              ├─ far ahead ─► Rest ─► Renew
          ▼      │              └─► Sleep ─► Fence ─► Route ─► (one of the calls) ─┐
       Stopped   │                            │                   ▲                │ failed
          ▲      ├── Record ◄── done ─────────┼───────────────────┼──── Try again? ┘
          └──────┼────────────────────────────┘                 Pause ◄──┘
```

What differs from job to job is data in the job's row: the schedule, the call, the policy. ``Fence`` is one
conditional write: the row's token is still this execution's, and the run has not been claimed by another. A
job that was paused, cancelled or replaced stops there, and so does a second execution of the same plan.
"""

from __future__ import annotations

from typing import Any

from stepsched.asl.budget import MAX_EVENTS
from stepsched.asl.machine import StateMachine
from stepsched.asl.render.attempts import ERRORS
from stepsched.asl.render.literals import quoted
from stepsched.asl.render.next_run import NEVER, NEXT_RUN
from stepsched.asl.render.renewal import RENEWAL_EVENTS, START, renew_rule, renewal_states, rest_rule
from stepsched.asl.resources import integration
from stepsched.asl.rules import condition
from stepsched.asl.states import Catcher, Choice, Pass, Retrier, State, Succeed, Task, Wait
from stepsched.backends.stepfunctions.rows import CURRENT
from stepsched.context import ATTEMPT_NUMBER, EXECUTION_ID, SCHEDULE_ARN, SCHEDULED_TIME

_CONDITION_FAILED = "DynamoDB.ConditionalCheckFailedException"
_CALLS = (
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
"""The calls that the runner has a state for, which is called like it: a state's resource is a constant."""
_PATIENT = Retrier(
    error_equals=("States.ALL",), interval_seconds=2, max_attempts=8, backoff_rate=2, max_delay_seconds=300
)
_REFUSED = Retrier(error_equals=(_CONDITION_FAILED,), max_attempts=0)
_TURN = 2 + 2 + 2 + 5 + 2 + 6 + 5 + 2
"""Plan, More?, Sleep, Fence, Route, the call, Record, Stop?."""
_AGAIN = 2 + 2 + 2 + 6
"""Try again?, Pause, Route, the call."""
_BEGINNING = 1 + 5 + 2
"""The start, Load, Mine?"""


def events_left(max_attempts: int) -> int:
    """The events after which an execution of such a job begins no further run.

    Args:
        max_attempts: Retries of a run.

    Raises:
        ValueError: Not even one run would fit.
    """
    worst = _TURN + max_attempts * _AGAIN + 2 * 3 * 8 + RENEWAL_EVENTS
    left = MAX_EVENTS - worst
    if left < _BEGINNING + _TURN:
        raise ValueError(f"a run with {max_attempts} retries may write more events than an execution holds")
    return left


def runner(table_name: str, *, partition: str = "aws") -> StateMachine:
    """The machine that runs the jobs of a table.

    It is started with ``{"name": ..., "token": ...}``: the job's name, and the token of its row. The rest of
    the input is what an execution hands to its successor.

    Args:
        table_name: The table, in the machine's own account and Region.
        partition: The machine's.
    """
    states: dict[str, State] = {
        "Load": _load(table_name, partition),
        "Mine?": Choice(
            choices=(condition("$mine").then("Plan", comment="the job still wants this execution"),),
            default="Stopped",
        ),
        "Plan": Pass(
            assign={"due": _next_run(), "attempt": 0, "spent": f"{{% $spent + {_TURN} %}}"}, next="More?"
        ),
        "More?": Choice(
            choices=(
                condition(f"$due = '{NEVER}'").then("Ended", comment="no run is left"),
                renew_rule("$job.limit"),
                rest_rule(),
            ),
            default="Sleep",
        ),
        "Sleep": Wait(
            timestamp="{% $fromMillis($toMillis($due) + 1000 * $floor($random() * ($job.jitter + 1))) %}",
            next="Fence",
        ),
        "Fence": _fence(table_name, partition),
    }
    states |= _call_states(partition)
    states |= {
        "Try again?": Choice(
            choices=(
                condition(
                    f"$attempt <= $job.retry.attempts and $millis() + 1000 * {_DELAY}"
                    " <= $toMillis($due) + 1000 * $job.retry.age"
                ).then("Pause", comment="a try is left, in time"),
            ),
            default="Record",
            assign={"outcome": "failed"},
        ),
        "Pause": Wait(seconds=f"{{% {_DELAY} %}}", next="Route"),
        "Record": _record(table_name, partition),
        "Stop?": Choice(
            choices=(
                condition("$outcome = 'failed' and $job.stops").then("Paused", comment="the job stops"),
            ),
            default="Plan",
        ),
        "Paused": _status(table_name, partition, "paused"),
        "Ended": _status(table_name, partition, "ended"),
        "Done": Succeed(),
        "Stopped": Succeed(comment="The job was paused, cancelled or replaced, or another execution runs it"),
    }
    states |= renewal_states(partition, ("name", "token"))
    return StateMachine(
        comment="stepsched: runs the jobs of a table; each execution is one job",
        query_language="JSONata",
        start_at="Load",
        states=states,
    )


_DELAY = (
    "$ceil($round($min([$job.retry.bound, $job.retry.first * $power($job.retry.rate, $attempt - 1)]), 6))"
)


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


_ARGUMENTS = "{% $job.fills ? $parse(" + _filled("$string($job.arguments)") + ") : $job.arguments %}"


def _given(name: str, otherwise: str) -> str:
    return f"{{% $exists($states.input.{name}) ? $states.input.{name} : {otherwise} %}}"


def _key(table_name: str) -> dict[str, Any]:
    return {"TableName": table_name, "Key": {"name": {"S": "{% $name %}"}, "version": {"S": CURRENT}}}


_CURSOR = "$states.result.Item.cursor.S"
_LATER = f"$exists($states.input.after) and $states.input.after > {_CURSOR} ? $states.input.after : {_CURSOR}"


def _load(table_name: str, partition: str) -> Task:
    row = "$states.result.Item"
    return Task(
        comment="The job's row: its plan, and whether it still wants this execution",
        resource=integration("dynamodb", "getItem", partition=partition),
        arguments={
            "TableName": table_name,
            "Key": {"name": {"S": "{% $states.input.name %}"}, "version": {"S": CURRENT}},
            "ConsistentRead": True,
        },
        assign={
            "name": "{% $states.input.name %}",
            "token": "{% $states.input.token %}",
            "mine": f"{{% $exists({row}.token.S) and {row}.token.S = $states.input.token %}}",
            "job": f"{{% $exists({row}.plan.S) ? $parse({row}.plan.S) : {{}} %}}",
            "plan": f"{{% $exists({row}.plan.S) ? $parse({row}.plan.S).plan : {{}} %}}",
            # The row knows the last run that was claimed; a run that passed others over ended later.
            "after": f"{{% $exists({row}.cursor.S) ? ({_LATER}) : '' %}}",
            "begun": _given("begun", START),
            "since": _given("since", f"$floor($toMillis({START}) / 1000)"),
            "generation": _given("generation", "1"),
            "series": _given("series", "$substring($states.context.Execution.Name, 0, 60)"),
            "runs": _given("runs", "0"),
            "spent": _BEGINNING,
            "attempt": 0,
        },
        output={},
        retry=(_PATIENT,),
        next="Mine?",
    )


def _next_run() -> str:
    """One expression for all kinds of schedules; the job says which it is."""
    grid, calendar, cron = (NEXT_RUN[kind][2:-2].strip() for kind in ("grid", "calendar", "cron"))
    return f"{{% $job.kind = 'grid' ? {grid} : $job.kind = 'calendar' ? {calendar} : {cron} %}}"


def _fence(table_name: str, partition: str) -> Task:
    return Task(
        comment="Claims the run; a write whose answer was lost is known by its execution",
        resource=integration("dynamodb", "updateItem", partition=partition),
        arguments={
            **_key(table_name),
            "ConditionExpression": "#token = :token AND (#cursor < :due OR (#cursor = :due AND #by = :me))",
            "UpdateExpression": "SET #cursor = :due, #by = :me",
            "ExpressionAttributeNames": {"#token": "token", "#cursor": "cursor", "#by": "claimed_by"},
            "ExpressionAttributeValues": {
                ":token": {"S": "{% $token %}"},
                ":due": {"S": "{% $due %}"},
                ":me": {"S": "{% $states.context.Execution.Id %}"},
            },
        },
        output={},
        retry=(_REFUSED, _PATIENT),
        catch=(Catcher(error_equals=(_CONDITION_FAILED,), next="Stopped", output={}),),
        assign={"started_at": "{% $fromMillis($millis()) %}"},
        next="Route",
    )


def calls() -> tuple[str, ...]:
    """What the runner can call."""
    return _CALLS


def _call_states(partition: str) -> dict[str, State]:
    resources = {name: f"arn:{partition}:states:::{name}" for name in _CALLS}
    caught = {
        "failure": {
            "error": "{% $states.errorOutput.Error %}",
            "cause": "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}",
        },
        "attempt": "{% $attempt + 1 %}",
        "spent": f"{{% $spent + {_AGAIN} %}}",
    }
    rules = [condition(f"$job.call = '{name}'").then(name) for name in resources]
    states: dict[str, State] = {"Route": Choice(choices=tuple(rules), default="Unknown call")}
    for name, resource in resources.items():
        states[name] = Task(
            resource=resource,
            arguments=_ARGUMENTS,
            assign={"outcome": "succeeded", "failure": {"error": "", "cause": ""}},
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
            "outcome": "failed",
            "failure": {
                "error": "Stepsched.UnknownCall",
                "cause": "{% 'the runner has no state for ' & $job.call %}",
            },
        },
        next="Record",
    )
    return states


def _record(table_name: str, partition: str) -> Task:
    ended = "$fromMillis($millis())"
    passed = f"$job.skips and $millis() > $toMillis($due) ? {_text('$millis() - 1')} : $due"
    return Task(
        comment="The run's row; its time to live is the table's affair",
        resource=integration("dynamodb", "putItem", partition=partition),
        arguments={
            "TableName": table_name,
            "Item": {
                "name": {"S": "{% $name %}"},
                "version": {"S": "{% 'run#' & $due %}"},
                "outcome": {"S": "{% $outcome %}"},
                "attempts": {"N": "{% $string($outcome = 'failed' ? $attempt : $attempt + 1) %}"},
                "error": {"S": "{% $failure.error %}"},
                "cause": {"S": "{% $substring($failure.cause, 0, 4000) %}"},
                "started_at": {"S": "{% $started_at %}"},
                "ended_at": {"S": f"{{% {ended} %}}"},
                "execution": {"S": "{% $states.context.Execution.Id %}"},
                "expires_at": {"N": "{% $string($floor($millis() / 1000) + $job.keep) %}"},
            },
        },
        assign={"after": f"{{% {passed} %}}", "runs": "{% $runs + 1 %}"},
        output={},
        retry=(_PATIENT,),
        next="Stop?",
    )


def _text(millis: str) -> str:
    return f"$substring($fromMillis({millis}), 0, 19) & 'Z'"


def _status(table_name: str, partition: str, status: str) -> Task:
    """Notes how the job stands now, unless it has been changed meanwhile."""
    return Task(
        resource=integration("dynamodb", "updateItem", partition=partition),
        arguments={
            **_key(table_name),
            "ConditionExpression": "#token = :token",
            "UpdateExpression": "SET #status = :status REMOVE #token",
            "ExpressionAttributeNames": {"#token": "token", "#status": "job_status"},
            "ExpressionAttributeValues": {":token": {"S": "{% $token %}"}, ":status": {"S": status}},
        },
        output={},
        retry=(_REFUSED, _PATIENT),
        catch=(Catcher(error_equals=(_CONDITION_FAILED,), next="Stopped", output={}),),
        next="Done",
    )
