"""The machine *register*: makes, changes and deletes jobs from inside AWS, without Lambda.

```
Read call ─► Is call valid? ─┬─ read, delete ──────────────► Look
                             └─► Which zone? ─► Read schedule ─► Is job valid? ─► Write job ─► Look
Look ─► Find ─► What to do? ─┬─ read ─► Done
  ▲                          ├─ delete ─► Delete ─► Close runs ──────────┐
  │                          ├─ equal ─► Is one running? ─► Start ───────┤
  │                          └─► Decide ─► Next run ─► Write ─► Start ───┤
  └───── Try again? ◄── (cancelled transaction) ─────┘                   ▼
                                                     Done ◄── End former executions
```

It writes the same rows as the client in Python, in the same transactions and on the same conditions: a row is
changed only if it is still as it was read. A crash between the write and the start of the execution is
repaired by the next equal call, or by ``client.repair()``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stepsched.asl.machine import StateMachine
from stepsched.asl.rules import Rule, condition
from stepsched.asl.states import Catcher, Choice, Fail, Flow, Parallel, Pass, State, Wait
from stepsched.jobs import Job, Overlap
from stepsched.machines.next_run import NEVER, next_run_of
from stepsched.machines.shared import register_values as values
from stepsched.machines.shared.register_tasks import RegisterTasks
from stepsched.machines.shared.registration import RECURRING, with_holes
from stepsched.machines.shared.runner import CALLS
from stepsched.machines.shared.schedule_reading import NEEDS_ZONE, READ_SCHEDULE, reading_states
from stepsched.schedules.zone_databases import timezone_database
from stepsched.targets import StateMachineTarget

TITLE = "stepsched: makes, changes and deletes the jobs of a table"
MEMBERS = (
    *("name", "schedule", "timezone", "input", "enabled", "registration", "state_machine", "action"),
    "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID",
)
"""The members of a call. Step Functions Local and the console add the last one."""
_ATTEMPTS = 20
"""The maximum number of attempts of a change that conflicts with another one."""
_ANY_ARN = "arn:aws:states:us-east-1:000000000000:stateMachine:stepsched-any"
_ARN = "/^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[^:*?$]{1,80}$/"
_SAMPLE = Job(name="job", schedule=RECURRING, target=StateMachineTarget(_ANY_ARN), overlap=Overlap.SKIP)


def register(
    table_name: str,
    runner_arn: str,
    *,
    partition: str = "aws",
    calls: Iterable[str] = CALLS,
    metrics: bool = False,
) -> StateMachine:
    """The machine that writes the jobs of a table for other machines, as Standard or as Express.

    An execution has one call as its input, and its answer as its output::

        {"name": "report-7", "schedule": "cron(0 9 ? * MON-FRI *)", "timezone": "Europe/Paris",
         "input": {"any": "JSON"}, "registration": {...}}
        {"name": "report-7", "status": "active", "schedule": "cron(0 9 ? * MON-FRI *)",
         "input": {"any": "JSON"}, "version": 1, "next_run": "2030-01-07T08:00:00Z"}

    The job is created, or changed if it differs, or left as it is, like by ``client.apply([job])``. The
    schedule ``"delete"`` cancels it. ``{"name": ..., "action": "read"}`` reads it; the answer is null if
    there is none. Instead of ``registration``, ``state_machine`` with ``arn`` and ``input`` starts a state
    machine without overlapping runs.

    An execution fails with one of the errors ``Stepsched.InvalidName``, ``InvalidSchedule``, ``UnknownZone``,
    ``InvalidInput``, ``NoRunLeft``, ``Unsupported`` and ``Conflict``, and with a sentence as its cause.

    Args:
        table_name: The table, in the account and Region of the machine.
        runner_arn: The ARN of the runner of the table. It may be a reference that CloudFormation replaces.
        partition: The partition of the machine.
        calls: The calls that the runner can make.
        metrics: Whether it counts the created and the deleted jobs in CloudWatch.
    """
    tasks = RegisterTasks(table_name, partition, runner_arn)
    states = {
        **_reading_the_call(runner_arn),
        **_choosing_the_zone(tasks),
        **reading_states(next="Choose call", refused="Refused"),
        **_writing_the_job(tuple(calls)),
        **_deciding(tasks),
        **_deleting(tasks),
        **_ensuring(tasks),
        **_ending(tasks, metrics=metrics),
    }
    return StateMachine(comment=TITLE, query_language="JSONata", states=_guarded(states))


def _guarded(states: Mapping[str, State]) -> dict[str, State]:
    """The states as the only branch of a state that names the error of an expression, which only such a
    state can catch: one fails if a literal or a stored job has been damaged."""
    cause = values.sentence(
        "'registration: it, or the stored job ' & $shown($states.input.name) & ', cannot be read, and the"
        " execution has failed: ' & $shown($states.errorOutput.Cause) & '; use what"
        " stepsched.deploy.registration(job) of the version of this stack returns; cancel a job that is"
        " damaged with the client in Python'"
    )
    return {
        "Call": Parallel(
            comment="One branch, whose errors are named",
            branches=(Flow(start_at="Read call", states=dict(states)),),
            catch=(
                Catcher(
                    error_equals=("States.QueryEvaluationError",),
                    assign={"cause": cause},
                    next="Unreadable",
                ),
            ),
            next="Answer",
        ),
        "Answer": Pass(output="{% $states.input[0] %}", end=True),
        "Unreadable": Fail(error="Stepsched.Unsupported", cause="{% $cause %}"),
    }


def _refuse(when: str, error: str, cause: str, got: str = "", cure: str = "") -> Rule:
    """The rule that fails the execution. The sentence is put together in the last state.

    Args:
        when: The condition.
        error: The name of the error, without ``Stepsched.``.
        cause: The sentence, or its beginning; text, or an expression in ``{% %}``.
        got: The expression of a value that follows. Empty: none.
        cure: The end of the sentence, after the value.
    """
    value = {"got": f"{{% {got} %}}", "cure": cure} if got else {}
    problem = {"error": f"Stepsched.{error}", "cause": cause, **value}
    return condition(when).then("Refused", assign={"problem": problem})


def _given(member: str, otherwise: str = "''") -> str:
    """The expression of a member of the call; null counts as absent."""
    path = f"$states.input.{member}"
    return f"{{% $exists({path}) ? ({path} = null ? {otherwise} : {path}) : {otherwise} %}}"


def _wrapped(*members: str) -> str:
    """The expression of the first of the members that the call has, as ``{"value": ...}``."""
    text = "{}"
    for member in reversed(members):
        path = f"$states.input.{member}"
        text = f"$exists({path}) ? {{'value': {path}}} : {text}"
    return f"{{% {text} %}}"


def _reading_the_call(runner_arn: str) -> dict[str, State]:
    known = ", ".join(f"'{member}'" for member in MEMBERS)
    schedule = "$states.input.schedule"
    action = f"($exists({schedule}) ? ({schedule} = 'delete' ? 'delete' : 'put') : 'put')"
    zone = "$exists($states.input.registration.zone) ? $states.input.registration.zone.name : 'UTC'"
    named = f"$type({schedule}.timezone) = 'string'"
    given_zone = _given("timezone", f"({zone})")[2:-2].strip()
    return {
        "Read call": Pass(
            assign={
                "name": _given("name"),
                "schedule": _given("schedule"),
                "action": _given("action", action),
                "timezone": f"{{% {named} ? {schedule}.timezone : {given_zone} %}}",
                "given": _wrapped("input", "state_machine.input"),
                "wish": _wrapped("enabled"),
                "arn": _given("state_machine.arn"),
                "literal": _given("registration", "{}"),
                "unknown": values.expression(
                    f"[$filter($keys($states.input), function($key) {{ $not($key in [{known}]) }})]"
                ),
                "runner": runner_arn,
                "tries": 0,
                "outrun": True,
                "counted": "",
                "fresh": False,
                "found": False,
                "told": {"job": "{}", "status": "cancelled", "version": 0, "due": NEVER},
                "ending": {"known": [], "first": []},
            },
            output={},
            next="Is call valid?",
        ),
        "Is call valid?": Choice(
            choices=(
                _refuse(
                    "$count($unknown) > 0",
                    "InvalidInput",
                    f"expected the members {', '.join(MEMBERS[:-1])}, got ",
                    "$unknown[0]",
                    "; remove it",
                ),
                _refuse(values.bad_name(), "InvalidName", values.BAD_NAME, "$name", "; use another name"),
                _refuse(
                    "$not($action in ['put', 'delete', 'read'])",
                    "Unsupported",
                    "action: expected put, delete or read, got ",
                    "$action",
                    "; use one of these",
                ),
                condition("$action != 'put'").then("Look"),
                _refuse(
                    "$exists($wish.value) ? $type($wish.value) != 'boolean' : false",
                    "InvalidInput",
                    "enabled: expected true or false, got ",
                    "$wish.value",
                    "; use one of these",
                ),
                condition(
                    "$type($literal.job) = 'array' and $exists($literal.instructions)"
                    " and $exists($literal.defaults)"
                ).then("Which zone?"),
                _refuse(
                    "$literal != {} or $arn = ''",
                    "Unsupported",
                    "registration: expected the literal of stepsched.deploy.registration(job), or"
                    " state_machine with arn and input; use one of these",
                ),
                _refuse(
                    f"$type($arn) = 'string' ? $not($contains($arn, {_ARN})) : true",
                    "InvalidInput",
                    "state_machine.arn: expected the ARN of a state machine, got ",
                    "$arn",
                    "; use arn:aws:states:<region>:<account>:stateMachine:<name>",
                ),
            ),
            default="Start a machine",
        ),
        "Start a machine": Pass(
            comment="The job of a call that names only a state machine",
            assign={"literal": with_holes(_SAMPLE, {_ANY_ARN: "arn"})},
            next="Which zone?",
        ),
        "Refused": Fail(
            error="{% $problem.error %}",
            cause=values.sentence(
                "$problem.cause & ($exists($problem.got) ? $shown($problem.got) & $problem.cure : '')"
            ),
        ),
    }


def _choosing_the_zone(tasks: RegisterTasks) -> dict[str, State]:
    written = "write the rows of the zones when the stack is deployed"
    unknown = (
        "UnknownZone",
        "timezone: ",
        "$timezone",
        f" is not among the zones of this table; use the IANA name of a zone, and {written}",
    )
    version = timezone_database().version
    return {
        "Which zone?": Choice(
            choices=(
                condition(f"$not({NEEDS_ZONE})").then(
                    READ_SCHEDULE, assign={"zone": {"offset": 0}, "zones": version}
                ),
                _refuse("$type($timezone) = 'string' ? $timezone = '' : true", *unknown),
                condition("$timezone = $literal.zone.name").then(
                    READ_SCHEDULE,
                    assign={"zone": "{% $literal.zone.table %}", "zones": "{% $literal.zone.version %}"},
                ),
                condition("$timezone = 'UTC'").then(
                    READ_SCHEDULE, assign={"zone": {"offset": 0}, "zones": version}
                ),
            ),
            default="Read zone",
        ),
        "Read zone": tasks.read_zone(),
        "Is zone known?": Choice(choices=(_refuse("$zone = {}", *unknown),), default=READ_SCHEDULE),
    }


def _writing_the_job(calls: tuple[str, ...]) -> dict[str, State]:
    known = ", ".join(f"'{call}'" for call in calls)
    call = "$literal.calls[$once ? 1 : 0]"
    return {
        "Choose call": Pass(
            assign={"pieces": values.PIECES, "enabled": values.IS_ENABLED}, next="Is job valid?"
        ),
        "Is job valid?": Choice(
            choices=(
                _refuse(
                    "$type($pieces) = 'string'",
                    "Unsupported",
                    "{% 'schedule: the job cannot have ' & ($once ? 'a single run' : 'recurring runs') & ': '"
                    " & $pieces %}",
                ),
                _refuse(
                    f"$not({call} in [{known}])",
                    "Unsupported",
                    f"{{% 'registration: the runner of this stack cannot call ' & {call} & '; update the"
                    " stack with the template for this target too' %}",
                ),
                _refuse(
                    values.BAD_JOB_NAME,
                    "InvalidName",
                    "name: expected the name of a Batch job (up to 128 letters, digits, - and _, the first a"
                    " letter or digit), got ",
                    "$name",
                    "; use job_name of the target",
                ),
                *_input_rules(),
            ),
            default="Write input",
        ),
        "Write input": Pass(assign={"text": values.TEXT_OF_INPUT}, next="Write job"),
        "Write job": Pass(assign={"job": values.JOB}, next="Look"),
    }


def _input_rules() -> list[Rule]:
    kind = f"({values.INPUT_KIND})"
    has = "$exists($given.value)"
    return [
        _refuse(
            f"{has} and $count($literal.accepts) = 0"
            f" ? $string($given) != '{{\"value\":' & $literal.input.json & '}}' : false",
            "InvalidInput",
            "input: the target takes no input of the call, got ",
            "$given.value",
            "; leave it out, or register the job with this input",
        ),
        _refuse(
            f"{has} and $count($literal.accepts) > 0 ? $not({kind} in $literal.accepts) : false",
            "InvalidInput",
            "input: expected a JSON object, got ",
            "$given.value",
            "; use an object",
        ),
        _refuse(
            f"$exists({values.LOST_NUMBER})",
            "InvalidInput",
            "input: the number ",
            values.LOST_NUMBER,
            " may have lost digits; use text",
        ),
        _refuse(
            f"$exists({values.CONTEXT})",
            "InvalidInput",
            "input: the key $context means a context attribute in the JSON of a job; rename it",
        ),
        _refuse(
            f"{has} and {values.FILLED} ? {values.LOOK_ALIKE} : false",
            "InvalidInput",
            "input: text that looks like a context attribute stands beside real ones; change it",
        ),
        _refuse(
            values.BAD_TEXT,
            "InvalidInput",
            "input: expected text that Amazon SQS accepts as a message, got ",
            "$given.value",
            "; use a JSON object or list, in which it is escaped",
        ),
    ]


def _deciding(tasks: RegisterTasks) -> dict[str, State]:
    second = "$substring($fromMillis($ms), 0, 19) & 'Z'"
    exact = "$substring($fromMillis($ms), 0, 23) & '000Z'"
    return {
        "Look": Pass(
            assign={
                "tries": "{% $tries + 1 %}",
                "at": f"{{% ( $ms := $millis(); {{'second': {second}, 'exact': {exact}}} ) %}}",
                "token": "{% $substring($hash($uuid(), 'SHA-256'), 0, 12) %}",
                "narrowed": values.NARROWED,
                "executions": "{% $replace($runner, ':stateMachine:', ':execution:') %}",
            },
            next="Find",
        ),
        "Find": tasks.find(),
        "What to do?": Choice(
            choices=(
                condition("$action = 'read' and $not($exists($row.latest))").then("Nothing"),
                condition("$action = 'read'").then("Done", assign={"told": _as_stored()}),
                condition("$action = 'delete' and $not($exists($row.latest))").then("Done"),
                condition("$action = 'delete'").then("Delete"),
                condition(values.IS_EQUAL).then(
                    "Is one expected?", assign={"told": _as_stored()}, comment="nothing has changed"
                ),
            ),
            default="Decide",
        ),
        "Decide": Pass(assign={"next": values.NEXT}, next="Anchor"),
        "Anchor": Pass(assign={"plan": values.ANCHORED_PLAN, "after": "{% $at.second %}"}, next="Next run"),
        "Next run": Pass(
            comment="The first run after the present, then that after the last one that has been",
            assign={"due": next_run_of("$kind", "$after")},
            next="Is it over?",
        ),
        "Is it over?": Choice(
            choices=(
                _refuse(
                    f"$due = '{NEVER}' and $after = $at.second",
                    "NoRunLeft",
                    "schedule: ",
                    "$schedule",
                    "{% ' has no run after ' & $at.second & '; use a schedule with a run in the future' %}",
                ),
                condition("$next.status = 'paused'").then("Instruct", assign={"due": NEVER}),
                condition("$after != $next.cursor").then("Next run", assign={"after": "{% $next.cursor %}"}),
            ),
            default="Instruct",
        ),
        "Instruct": Pass(assign={"instructions": values.INSTRUCTIONS}, next="Does it fit?"),
        "Does it fit?": Choice(
            choices=(
                _refuse(
                    f"$length($job) + $length($instructions) > {values.MAX_TEXTS}",
                    "InvalidInput",
                    "input: the job is too large with it; keep large data elsewhere, such as in S3, and pass"
                    " its location",
                ),
            ),
            default="Write",
        ),
        "Write": tasks.write(),
        "Is it active?": Choice(
            choices=(condition("$next.status = 'active'").then("Start"),), default="Was one replaced?"
        ),
        "Try again?": Choice(
            comment="Another caller has changed the job, or the database was busy",
            choices=(
                _refuse(
                    f"$tries >= {_ATTEMPTS}",
                    "Conflict",
                    "name: the job ",
                    "$name",
                    " is being changed by other callers; call again",
                ),
                condition("$outrun").then("Look"),
            ),
            default="Wait a moment",
        ),
        "Wait a moment": Wait(seconds="{% 1 + $floor($random() * 3) %}", next="Look"),
    }


def _as_stored() -> Mapping[str, Any]:
    status, due = "$row.status.S", "$row.due.S"
    return {
        "job": "{% $exists($row.job) ? $row.job.S : '{}' %}",
        "status": f"{{% $exists({status}) ? {status} : 'paused' %}}",
        "version": "{% $number($row.latest.N) %}",
        "due": f"{{% $exists({due}) ? {due} : '{NEVER}' %}}",
    }


def _deleting(tasks: RegisterTasks) -> dict[str, State]:
    return {
        "Delete": tasks.delete(),
        "Are versions left?": Choice(
            choices=(condition("$undeleted <= $latest").then("Delete versions"),), default="Waiting runs"
        ),
        "Delete versions": tasks.delete_versions(),
        "Waiting runs": tasks.waiting_runs(),
        "Do runs wait?": Choice(
            choices=(
                condition("$count($waiting) > 0").then("Close runs"),
                condition("$following != ''").then("Waiting runs", assign={"low": "{% $following %}"}),
            ),
            default="Was one replaced?",
        ),
        "Close runs": tasks.close_runs(),
        "Has one started?": Choice(
            choices=(
                condition(f"$closings < {_ATTEMPTS}").then(
                    "Waiting runs", assign={"closings": "{% $closings + 1 %}"}
                ),
            ),
            default="Was one replaced?",
        ),
    }


def _ensuring(tasks: RegisterTasks) -> dict[str, State]:
    generation = "($g := $substringAfter($latest_arn, $token & '-'); $g = $latest_arn ? 1 : $number($g))"
    following = values.expression(
        f"$executions & ':' & $substring($narrowed, 0, 55) & '-' & $token & '-' & $string({generation} + 1)"
    )
    first = f"{{% $executions & ':' & {values.EXECUTION[2:-2].strip()} %}}"
    revivable = (
        "$exists($row.claimed_by) or $was_one_time"
        " ? false : $not($exists($parse($row.job.S).catch_up)) or $parse($row.job.S).catch_up = 'all'"
    )
    return {
        "Is one expected?": Choice(
            choices=(
                condition("$row.status.S = 'active' and $exists($row.token)").then(
                    "Is one running?", assign={"token": "{% $row.token.S %}"}
                ),
            ),
            default="Done",
        ),
        "Is one running?": Choice(
            choices=(
                condition(values.IS_SEEN).then("Describe", assign={"latest_arn": "{% $row.execution.S %}"}),
            ),
            default="Start",
        ),
        "Start": tasks.start(),
        "Was it started before?": Choice(
            choices=(condition("$fresh").then("Was one replaced?"),),
            default="Describe",
            assign={"latest_arn": first},
        ),
        "Describe": tasks.describe(
            "{% $latest_arn %}",
            assign={"found": "{% $states.result.Status = 'RUNNING' ? 'running' : 'ended' %}"},
            gone={"found": "gone"},
            comment="Reads whether the execution of the job runs",
            next="Does it run?",
        ),
        "Does it run?": Choice(
            choices=(
                condition("$found = 'running'").then("Done"),
                condition("$found = 'ended'").then("Describe", assign={"latest_arn": following}),
                condition(revivable).then(
                    "Revive", assign={"token": "{% $substring($hash($uuid(), 'SHA-256'), 0, 12) %}"}
                ),
            ),
            default="Done",
        ),
        "Revive": tasks.revive(),
    }


def _ending(tasks: RegisterTasks, *, metrics: bool) -> dict[str, State]:
    merged = "{% {'known': $append($ending.known, $ending.first), 'first': []} %}"
    dropped = {"ending": "{% {'known': $ending.known, 'first': []} %}"}
    left = "$parse($states.result.Input).left"
    manual = f"($exists({left}) ? $count({left}) > 0 : false)"
    counting: dict[str, State] = {}
    last = "Done"
    if metrics:
        last = "Is it counted?"
        counting = {
            last: Choice(choices=(condition("$counted != ''").then("Count"),), default="Done"),
            "Count": tasks.count(),
        }
    return {
        "Was one replaced?": Choice(
            choices=(
                condition("$count($ending.first) > 0 and $was_one_time").then("Describe former"),
                condition("$count($ending.first) > 0").then("Is one left?", assign={"ending": merged}),
            ),
            default="Is one left?",
        ),
        "Describe former": tasks.describe(
            "{% $ending.first[0] %}",
            assign={
                "ending": f"{{% {manual} ? {{'known': $ending.known, 'first': []}}"
                " : {'known': $append($ending.known, $ending.first), 'first': []} %}"
            },
            gone=dropped,
            comment="Reads whether it was started for unscheduled runs, which go on",
            next="Is one left?",
        ),
        "Is one left?": Choice(
            choices=(condition("$count($ending.known) > 0").then("End former"),), default=last
        ),
        "End former": tasks.end(),
        **counting,
        "Nothing": Pass(output="{% null %}", end=True),
        "Done": Pass(output=values.ANSWER, end=True),
    }
