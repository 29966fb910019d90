"""The watch: a state machine that counts late jobs. An alarm on its metric tells of jobs that do not run.

```
Begin ─► Find ─► Any? ─┬─► Read ─► Any?
           ▲           └─► More? ─┬─ a further page ─► Find
           └──────────────────────┘                  └► Count
```

A job is late when it is active, its next run has been due for ten minutes and its jitter, and no run of it is
running. The index lists the candidates, and their rows say which of them are running. An execution that finds
no candidate makes two calls.
"""

from __future__ import annotations

from datetime import timedelta

from stepsched.asl.machine import StateMachine
from stepsched.asl.resources import sdk_integration
from stepsched.asl.rules import condition
from stepsched.asl.states import Catcher, Choice, Pass, Retrier, State, Task
from stepsched.jobs.records import JobStatus
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.expressions import NOW
from stepsched.machines.shared.metrics import JOBS_LATE, metric_data, put_metric_data

TITLE = "stepsched: counts the jobs of a table that are late"
LATE_AFTER = timedelta(minutes=10)
"""The time after which a run that is due is late."""
_TIMEOUT = 270
"""The maximum duration of an execution in seconds. An Express execution may last five minutes."""
_PAGE = 100
"""The number of jobs in one page, and the maximum number of rows in one read."""
_RETRY = Retrier(error_equals=("States.ALL",), interval_seconds=1, max_attempts=4, backoff_rate=2)
_TOO_LARGE = "States.DataLimitExceeded"
_ACTIVE = JobStatus.ACTIVE.value


def watch(table_name: str, machine_name: str, *, partition: str = "aws") -> StateMachine:
    """The machine that counts the late jobs of a table. It ignores its input.

    Args:
        table_name: The table, in the account and Region of the machine.
        machine_name: The name of the state machine that runs the jobs: the dimension of the metric.
        partition: The partition of the machine.
    """
    states: dict[str, State] = {
        "Begin": Pass(
            assign={
                "now": f"{{% {NOW} %}}",
                "until": f"{{% {_seconds_before(LATE_AFTER)} %}}",
                "late": 0,
                "size": _PAGE,
                "start": {},
            },
            output={},
            next="Find",
        ),
        "Find": _find(table_name, partition),
        "Any?": Choice(choices=(condition("$count($keys) > 0").then("Read"),), default="More?"),
        "Read": _read(table_name, partition),
        "More?": Choice(
            choices=(condition("$exists($start.ExclusiveStartKey)").then("Find", comment="a further page"),),
            default="Count",
        ),
        "Count": Task(
            comment="Zero too: a missing value tells that the watch itself does not work",
            resource=put_metric_data(partition),
            arguments=metric_data({JOBS_LATE: "{% $late %}"}, machine_name),
            output={"late": "{% $late %}"},
            retry=(_RETRY,),
            end=True,
        ),
    }
    return StateMachine(
        comment=TITLE, query_language="JSONata", timeout_seconds=_TIMEOUT, start_at="Begin", states=states
    )


def _seconds_before(length: timedelta) -> str:
    """The expression of an instant before the present, as ``due`` is written."""
    return f"$substring($fromMillis($millis() - {int(length.total_seconds() * 1000)}), 0, 19) & 'Z'"


def _find(table_name: str, partition: str) -> Task:
    names = {f"#{name}": name for name in (schema.STATUS, schema.DUE)}
    request = (
        f"{{'TableName': '{table_name}', 'IndexName': '{schema.INDEX}', 'Limit': {_PAGE}"
        f", 'KeyConditionExpression': '#{schema.STATUS} = :status AND #{schema.DUE} <= :until'"
        f", 'ExpressionAttributeNames': {names}"
        f", 'ExpressionAttributeValues': {{':status': {{'S': '{_ACTIVE}'}}, ':until': {{'S': $until}}}}}}"
    )
    key = ", ".join(f"'{name}': {name}" for name in (schema.NAME, schema.VERSION))
    last = "$states.result.LastEvaluatedKey"
    return Task(
        comment="Lists a page of the active jobs that are due",
        resource=sdk_integration("dynamodb", "query", partition=partition),
        arguments=f"{{% $merge([{request}, $start]) %}}",
        assign={
            "keys": f"{{% [$states.result.Items.{{{key}}}] %}}",
            "start": f"{{% $exists({last}) ? {{'ExclusiveStartKey': {last}}} : {{}} %}}",
        },
        output={},
        retry=(_RETRY,),
        next="Any?",
    )


def _read(table_name: str, partition: str) -> Task:
    attributes = (schema.STATUS, schema.DUE, schema.CLAIMED_BY, schema.PLAN)
    request = (
        f"{{'{table_name}': {{'ConsistentRead': true, 'Keys': [{_portion('<')}]"
        f", 'ProjectionExpression': '{', '.join(f'#{name}' for name in attributes)}'"
        f", 'ExpressionAttributeNames': { ({f'#{name}': name for name in attributes}) }}}}}"
    )
    rows = f"$lookup($states.result.Responses, '{table_name}')"
    ended = f"$toMillis({schema.DUE}.S) + 1000 * ({LATE_AFTER.seconds} + $parse({schema.PLAN}.S).jitter)"
    late = (
        f"$exists({schema.CLAIMED_BY}) or $not($exists({schema.PLAN})) or {schema.STATUS}.S != '{_ACTIVE}'"
        f" or {schema.DUE}.S > $until ? false : {ended} <= $toMillis($now)"
    )
    unread = f"$lookup($states.result.UnprocessedKeys, '{table_name}').Keys"
    return Task(
        comment="Counts those whose run is not running, and whose jitter is over",
        resource=sdk_integration("dynamodb", "batchGetItem", partition=partition),
        arguments={"RequestItems": f"{{% {request} %}}"},
        assign={
            "late": f"{{% $late + $count({rows}[{late}]) %}}",
            "keys": f"{{% [$append({_portion('>=')}, {unread})] %}}",
        },
        output={},
        retry=(_RETRY,),  # States.ALL does not match this error
        # A state holds at most 256 KiB: larger rows are read in smaller portions.
        catch=(
            Catcher(
                error_equals=(_TOO_LARGE,),
                next="Read",
                assign={"size": "{% $ceil($size / 2) %}"},
                output={},
            ),
        ),
        next="Any?",
    )


def _portion(comparison: str) -> str:
    """The expression of the keys before (``<``) or after (``>=``) the end of the next portion."""
    return f"$filter($keys, function($key, $index) {{ $index {comparison} $size }})"
