"""The machine *http*: takes one-shot tasks over HTTP, without Lambda.

```
Read request ─► Read body ─► Check ─► What to do? ─┬─ refused ──────────────────► Answer
                                                   ├─ cancel, key ─► Look up ─┬─► Answer
                                                   └─► Plan ─► Create ◄───────┼─► Plan
                                                                 │            └─► Delete
                                                                 └──────► Answer ◄───┘
```

It is an Express workflow that API Gateway starts for each request, and waits for. It validates the request,
and has *register* make the task: a one-time job of the table, which the runner delivers to a topic.

Its input is what the mapping template of the API writes: ``path``, ``body`` and ``key`` encoded as in a form,
and ``large`` if the body is too large. Its output is the response: its ``status``, and the text of its
``body``. The secret of a request is compared by its hash, and no call contains it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from stepsched.asl.machine import StateMachine
from stepsched.asl.resources import sdk_integration
from stepsched.asl.rules import Rule, condition
from stepsched.asl.states import Catcher, Choice, Fail, Flow, Parallel, Pass, Retrier, State, Task
from stepsched.jobs import Job
from stepsched.machines.literals import quoted
from stepsched.machines.next_run import CIVIL
from stepsched.machines.shared import one_shot_words as words
from stepsched.machines.shared import register_values as values
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.moment_reading import WALL
from stepsched.machines.shared.reading_words import DIGITS, SHOWN
from stepsched.machines.shared.registration import ONCE, registration
from stepsched.targets import TopicTarget

TITLE = "stepsched: takes one-shot tasks over HTTP"
MOST_ENCODED = 240_000
"""The maximum length of an encoded body. The input of an execution has at most 262,144 bytes."""
_OWN_ARN = f"^{words.ARN}{words.TASK_NAME}$"
_RETRY = Retrier(error_equals=("States.ALL",), interval_seconds=1, max_attempts=3, backoff_rate=2)
"""Retries errors that pass, such as throttling. API Gateway waits for 29 seconds."""
_MOST_TRIES = 5
"""The maximum number of attempts to create a task whose instant passes meanwhile."""

NO_OBJECT = "expected a JSON object as the body"
LARGE_BODY = "expected a body of at most 64 KB"
"""What always fits. A body of other characters than quotes and braces may be longer."""
_NO_INSTANT = "expected a date, a time and an offset, such as '2030-01-01T09:00:00Z', got {given}"


def one_shot(
    table_name: str,
    register_arn: str,
    topic_arn: str,
    *,
    secret_sha256: str | None = None,
    horizon: timedelta = words.HORIZON,
    partition: str = "aws",
) -> StateMachine:
    """The machine that takes one-shot tasks, as an Express workflow.

    Args:
        table_name: The table of jobs, in the account and Region of the machine.
        register_arn: The ARN of the Express register of the table.
        topic_arn: The ARN of the topic to which tasks are delivered.
        secret_sha256: The SHA-256 of the secret that requests must have, as hexadecimal digits. None: none is
            asked for.
        horizon: How far ahead a timestamp may be; inclusive.
        partition: The partition of the machine.
    """
    literal = registration(Job(name="task", schedule=ONCE, target=TopicTarget(topic_arn)))
    states = {
        **_reading(literal),
        **_checking(secret_sha256, horizon),
        **_looking_up(table_name, partition),
        **_scheduling(register_arn, partition),
        **_cancelling(register_arn, partition),
        "Failed": Fail(error="{% $called.error %}", cause="{% $called.cause %}"),
        "Answer": Pass(output="{% $answer %}", end=True),
    }
    return StateMachine(comment=TITLE, query_language="JSONata", states=states)


def _answer(when: str, status: int, body: str) -> Rule:
    """The rule that ends with a response.

    Args:
        when: The condition.
        status: The status of the response.
        body: The expression of its body.
    """
    text = values.expression(f"$string({body})")
    return condition(when).then("Answer", assign={"answer": {"status": status, "body": text}})


def _refuse(when: str, status: int, error: str) -> Rule:
    """The rule that ends with one error, an expression."""
    text = values.expression(f"{SHOWN} $string({{'errors': [{error}]}})")
    return condition(when).then("Answer", assign={"answer": {"status": status, "body": text}})


def _sentence(text: str, **parts: str) -> str:
    """The expression of a sentence.

    Args:
        text: The sentence, with ``{name}`` where a value stands.
        parts: The expressions of the values.
    """
    pieces = re.split(r"{(\w+)}", text)
    found = [parts[each] if number % 2 else quoted(each) for number, each in enumerate(pieces) if each]
    return " & ".join(found)


# -- the request ----------------------------------------------------------------------------------------


def _reading(literal: Mapping[str, Any]) -> dict[str, State]:
    decoded = "$decodeUrlComponent($replace({0}, '+', '%20'))"
    parsed = f"$encoded = '' ? {{}} : $parse({decoded.format('$encoded')})"
    return {
        "Read request": Pass(
            assign={
                "path": "{% $states.input.path %}",
                "key": f"{{% {decoded.format('$states.input.key')} %}}",
                "encoded": "{% $states.input.body %}",
                "is_large": "{% $states.input.large %}",
                "literal": literal,
                "tries": 0,
            },
            output={},
            next="Read body",
        ),
        "Read body": Parallel(
            comment="One branch, which fails if the body is not JSON",
            branches=(Flow(states={"Parse": Pass(output=f"{{% {parsed} %}}", end=True)}),),
            catch=(
                Catcher(error_equals=("States.QueryEvaluationError",), output=["not JSON"], next="Check"),
            ),
            next="Check",
        ),
    }


# $second_of: the first whole second that is not before a timestamp; no value if it is not an instant.
_READ_TIMESTAMP = (
    CIVIL
    + DIGITS
    + WALL
    + """
$second_of := function($given) {(
  $t := $uppercase($given);
  $date := /^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}/;
  $ending := /^(:[0-9]{2}([.,][0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$/;
  $contains($t, $date) and $contains($substring($t, 16), $ending) ? (
    $size := $substring($t, 16, 1) = ':' ? 19 : 16;
    $wall_time := $wall($substring($t, 0, 10) & 'T' & $substring($t, 11, $size - 11));
    $rest := $substring($t, $size);
    $sign := $contains($rest, '+') ? '+' : '-';
    $zone := $contains($rest, 'Z') ? '0000' : $replace($substringAfter($rest, $sign), ':', '') & '00';
    $minutes := $number($substring($zone, 2, 2));
    $offset := 3600 * $number($substring($zone, 0, 2)) + 60 * $minutes;
    $exists($wall_time) and $minutes < 60 and $offset < 86400
      ? $wall_time - ($sign = '+' ? $offset : -$offset) + ($contains($rest, /^[.,]0*[1-9]/) ? 1 : 0)
  )
)};
"""
)
_IS_ABSENT = "($not($exists({0})) or {0} = null or {0} = '' or {0} = 0 or {0} = false)"


def _checking(secret_sha256: str | None, horizon: timedelta) -> dict[str, State]:
    days = horizon // timedelta(days=1)
    task, size, shown = words.TASK, len(words.ARN), "$shown($time)"
    not_instant = _sentence(words.BAD_TIMESTAMP.format(reason=_NO_INSTANT), given=shown)
    latest = "$substring($fromMillis($latest), 0, 19) & 'Z'"
    too_far = _sentence(words.TOO_FAR, latest=latest, days=quoted(str(days)), given=shown)
    check = f"""
    {SHOWN}
    {_READ_TIMESTAMP}
    $is_object := $type($states.input[0]) = 'object';
    $body := $is_object ? $states.input[0] : {{}};
    $is_cancel := $path = '{words.CANCEL}';
    $time := $body.timestamp;
    $arn := $body.executionArn;
    $second := $type($time) = 'string' ? $second_of($time);
    $latest := $millis() + {days * 86_400_000};
    $event := {{'timestamp': $time, 'message': $body.message}};
    $given := {{'value': $event}};
    $lost := {values.LOST_NUMBER};
    $problems := [
      {_secret_error(secret_sha256)},
      $is_cancel ? '' : {_IS_ABSENT.format("$time")} ? {quoted(words.NO_TIMESTAMP)}
        : $not($exists($second)) ? {not_instant}
        : 1000 * $second > $latest ? {too_far} : '',
      $is_cancel ? '' : $not($exists($body.message)) ? {quoted(words.NO_MESSAGE)}
        : $exists($lost) ? 'message: the number ' & $string($lost) & ' may have lost digits; use text' : '',
      $not($is_cancel) ? '' : {_IS_ABSENT.format("$arn")} ? {quoted(words.NO_ARN)}
        : $type($arn) = 'string' ? '' : {_sentence(words.BAD_ARN, given="$shown($arn)")}
    ];
    {{
      'is_object': $is_object, 'errors': [$filter($problems, function($text) {{ $text != '' }})],
      'is_cancel': $is_cancel, 'second': $second, 'event': $event, 'arn': $arn,
      'name': $is_cancel
        ? ($type($arn) = 'string' ? ($contains($arn, /{_OWN_ARN}/) ? $substring($arn, {size}) : '') : '')
        : '{task}' & ($key = '' ? $replace($uuid(), '-', '') : $substring($hash($key, 'SHA-256'), 0, 32))
    }}
    """
    return {
        "Check": Pass(assign={"request": values.expression(check)}, output={}, next="What to do?"),
        "What to do?": Choice(
            choices=(
                _refuse("$is_large", 413, quoted(LARGE_BODY)),
                _refuse("$not($request.is_object)", 400, quoted(NO_OBJECT)),
                _answer("$count($request.errors) > 0", 400, "{'errors': $request.errors}"),
                _refuse(f"$key != '' and $not($contains($key, /^{words.KEY}$/))", 400, quoted(words.BAD_KEY)),
                _refuse("$request.name = ''", 404, _UNKNOWN_TASK),
                condition("$request.is_cancel or $key != ''").then("Look up"),
            ),
            default="Plan",
        ),
    }


def _secret_error(secret_sha256: str | None) -> str:
    """The expression of the error of the secret; empty if it is right."""
    if secret_sha256 is None:
        return "''"
    secret = "$body.secret"  # noqa: S105 -- an expression
    is_right = f"($type({secret}) = 'string' ? $hash({secret}, 'SHA-256') = '{secret_sha256}' : false)"
    return f"{is_right} ? '' : {quoted(words.SECRET_DIFFERS)}"


_KEY_REUSED = _sentence(words.KEY_REUSED, key="$shown($key)")
_SHOWN_ARN = "$shown($request.arn)"
_UNKNOWN_TASK = _sentence(words.UNKNOWN_TASK, arn=_SHOWN_ARN)
_RUNNING_TASK = _sentence(words.RUNNING_TASK, arn=_SHOWN_ARN)
_DELIVERED_TASK = _sentence(words.ENDED_TASK, arn=_SHOWN_ARN, end=quoted(words.DELIVERED))
_ENDED_TASK = _sentence(words.ENDED_TASK, arn=_SHOWN_ARN, end=quoted(words.ENDED))
_ATTRIBUTES = (schema.VERSION, schema.JOB, schema.STATUS, schema.CLAIMED)


def _looking_up(table_name: str, partition: str) -> dict[str, State]:
    """The states that read the first rows of a task: runs precede the current row, and that its versions."""
    items = "$states.result.Items"
    found = f"""
    $row := $filter({items}, function($row) {{ $row.{schema.VERSION}.S = '{schema.CURRENT}' }})[0];
    $input := $exists($row.{schema.JOB}) ? $parse($row.{schema.JOB}.S).input;
    {{
      'is_there': $count({items}) > 0,
      'is_current': $exists($row),
      'is_task': $exists($row) ? $exists($input.timestamp) and $exists($input.message) : true,
      'has_run': $count($filter({items}, function($row) {{
        $substring($row.{schema.VERSION}.S, 0, {len(schema.RUN)}) = '{schema.RUN}' }})) > 0,
      'is_running': $exists($row.{schema.CLAIMED}),
      'is_active': $row.{schema.STATUS}.S = 'active',
      'is_same': $exists($row) ? $input = $request.event : true
    }}
    """
    return {
        "Look up": Task(
            comment="Reads whether the task waits, and whether it has run",
            resource=sdk_integration("dynamodb", "query", partition=partition),
            arguments={
                "TableName": table_name,
                "ConsistentRead": True,
                "Limit": 2,
                "KeyConditionExpression": f"#{schema.NAME} = :name",
                "ProjectionExpression": ", ".join(f"#{each}" for each in _ATTRIBUTES),
                "ExpressionAttributeNames": {f"#{each}": each for each in (schema.NAME, *_ATTRIBUTES)},
                "ExpressionAttributeValues": {":name": {"S": "{% $request.name %}"}},
            },
            assign={"found": values.expression(found)},
            output={},
            retry=(_RETRY,),
            next="Is it there?",
        ),
        "Is it there?": Choice(
            choices=(
                condition("$not($request.is_cancel or $found.is_there)").then("Plan"),
                _answer("$not($request.is_cancel) and $found.is_same", 200, _SCHEDULED),
                _refuse("$not($request.is_cancel)", 422, _KEY_REUSED),
                _refuse("$not($found.is_there and $found.is_task)", 404, _UNKNOWN_TASK),
                _refuse("$not($found.is_current)", 410, _DELIVERED_TASK),
                _refuse("$found.is_running", 409, _RUNNING_TASK),
                _refuse("$found.has_run or $not($found.is_active)", 410, _ENDED_TASK),
            ),
            default="Delete",
        ),
    }


# -- the calls of register ------------------------------------------------------------------------------

_ARN = f"'{words.ARN}' & $request.name"
_SCHEDULED = f"{{'msg': {{'executionArn': {_ARN}, 'timestamp': $request.event.timestamp}}}}"


def _call(register_arn: str, partition: str, call: Mapping[str, str], *, following: str) -> Task:
    """A call of register. It succeeds if the execution of register ends, whatever its end."""
    members = ", ".join(f"'{name}': {value}" for name, value in call.items())
    result = "$states.result"
    return Task(
        resource=sdk_integration("sfn", "startSyncExecution", partition=partition),
        arguments={"StateMachineArn": register_arn, "Input": f"{{% $string({{{members}}}) %}}"},
        assign={
            "called": {
                "status": f"{{% {result}.Status %}}",
                "error": f"{{% $exists({result}.Error) ? {result}.Error : {result}.Status %}}",
                "cause": f"{{% $exists({result}.Cause) ? {result}.Cause : '' %}}",
            }
        },
        output={},
        retry=(_RETRY,),
        next=following,
    )


def _scheduling(register_arn: str, partition: str) -> dict[str, State]:
    second = "$max([$request.second, $ceil($millis() / 1000) + $tries + 1])"
    call = {
        "name": "$request.name",
        "schedule": "$schedule",
        "timezone": "'UTC'",
        "input": "$request.event",
        "registration": "$literal",
    }
    return {
        "Plan": Pass(
            comment="For an instant that has passed, one that will not have passed when the task is created",
            assign={
                "tries": "{% $tries + 1 %}",
                "schedule": f"{{% 'at(' & $substring($fromMillis(1000 * {second}), 0, 19) & ')' %}}",
            },
            next="Create",
        ),
        "Create": _call(register_arn, partition, call, following="Is it created?"),
        "Is it created?": Choice(
            choices=(
                _answer("$called.status = 'SUCCEEDED'", 200, _SCHEDULED),
                condition(f"$called.error = 'Stepsched.NoRunLeft' and $tries < {_MOST_TRIES}").then("Plan"),
                _answer("$called.error = 'Stepsched.InvalidInput'", 400, "{'errors': [$called.cause]}"),
            ),
            default="Failed",
        ),
    }


def _cancelling(register_arn: str, partition: str) -> dict[str, State]:
    call = {"name": "$request.name", "action": "'delete'"}
    cancelled = f"{{'msg': {_sentence(words.CANCELLED, arn=_ARN)}}}"
    return {
        "Delete": _call(register_arn, partition, call, following="Is it deleted?"),
        "Is it deleted?": Choice(
            choices=(_answer("$called.status = 'SUCCEEDED'", 200, cancelled),), default="Failed"
        ),
    }
