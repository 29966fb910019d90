"""The driver: one state machine that runs workflows. Each execution drives one run.

```
Begin ─► Look ─► Take ─► Read definition ─► Load ──► Next? ◄────────────────────────────────┐
  └────► Find ─► Read definition ─► Create ───┘        ├─► Decide ──────────────────────────┤
                                                       ├─► Write ───────────────────────────┤
                                                       ├─► Start ─► Claim ─► Submit or Start run
                                                       ├─► Wait ─► Poll run ─► Jobs, Runs ──┘
                                                       ├─► Hand over
                                                       └─► Record end ─► Tell ─► Succeeded, Failed
```

All state is in the rows of the run and of its steps. An execution takes the run by writing its ARN there, and
checks that in every further write; so it can be stopped, repeated and replaced at any instant, and no step is
started twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stepsched.asl.budget import MAX_EVENTS
from stepsched.asl.machine import StateMachine
from stepsched.asl.rules import condition
from stepsched.asl.states import Catcher, Choice, Pass, Retrier, State, Task, Wait
from stepsched.machines.literals import quoted
from stepsched.machines.renewal import MAX_AGE, START
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.expressions import ME, RETRIED, RETRY_TRANSIENT
from stepsched.workflows.machine.decide import decision, resets
from stepsched.workflows.machine.ending import end_states, following_states
from stepsched.workflows.machine.instructions import MAX_INPUT
from stepsched.workflows.machine.polling import PollTasks
from stepsched.workflows.machine.starting import start_states
from stepsched.workflows.machine.tables import (
    DOWN,
    IS_UNTOLD,
    JSON,
    NAMES,
    PLACES,
    WORDS,
    first_of,
    nothing_known,
    rest_of,
)
from stepsched.workflows.model import MAX_OUTPUT

TITLE = "stepsched: runs workflows; each execution drives one run"
LIMIT = MAX_EVENTS - 1_000
"""The number of events after which an execution hands over; the rest is for the retries of the last
states."""
SUBMITTING = 15
"""Seconds in which a driver that has claimed a step has submitted its job, and AWS Batch lists it."""
_WRITES = 20
"""The number of outcomes of hidden runs that are written together: their outputs fit into one variable."""


def workflow_machine(
    table_name: str, *, runner_arn: str, partition: str = "aws", limit: int = LIMIT
) -> StateMachine:
    """The machine that drives runs of workflows.

    An execution is started with ``{"workflow": ..., "run": ...}``. Without ``run`` it makes a run; then
    ``input``, ``trigger`` and ``scheduled_for`` may be given. With ``"restart": true`` an ended run runs
    again where it failed; a cancelled one does not if ``attempt`` says that this is a further attempt of a
    job. A ``token`` such as ``#a1`` is appended to the ID of the run, as ``.a1``. The start messages of the
    AWS Batch scheduler are understood too. Its output is ``{"workflow", "run", "status"}``; an execution
    whose run has failed fails. Whoever may start executions may take a run over: the latest one drives it.
    One that has handed over, or was replaced, ends when the run does, and like it, so that whoever waits for
    an execution gets the end of its run.

    Args:
        table_name: The table, in the account and Region of the machine.
        runner_arn: The ARN of the machine that runs the steps that are not on AWS Batch.
        partition: The partition of the machine.
        limit: The number of events after which an execution hands over.
    """
    tasks = PollTasks(table_name, runner_arn, partition)
    states = counted(states_of(tasks, limit=limit))
    return StateMachine(comment=TITLE, query_language="JSONata", start_at="Begin", states=states)


def begin(runner_arn: str, name: str = "") -> Pass:
    """The state that reads the start message.

    Args:
        runner_arn: The machine that runs steps.
        name: The workflow of a message that names none.
    """
    given = "$states.input"
    read = (
        f"$m := $exists({given}.workflow) or $exists({given}.scheduleId) ? {given}"
        f" : $type({given}.input) = 'string' ? $parse({given}.input) : {given};"
        " $ours := $exists($m.workflow)" + (" or $not($exists($m.scheduleId));" if name else ";")
    )

    def of(expression: str) -> str:
        return f"{{% ( {read} {expression} ) %}}"

    return Pass(
        comment="Reads the start message: ours, or that of the AWS Batch scheduler, plain or escaped",
        assign={
            "wf": of(
                "$exists($m.workflow) ? $m.workflow : $exists($m.scheduleId) ? $m.scheduleId"
                f" : {quoted(name)}"
            ),
            "known": of("$ours ? $exists($m.known) and $m.known : $exists($m.scheduleId)"),
            "restart": of(
                "$ours ? $exists($m.restart) and $m.restart : $exists($m.scheduleStatus) and"
                " $m.scheduleStatus = 'RESTART'"
            ),
            "run": of(
                "$t := $exists($m.token) and $contains($m.token, /^#/) ? '.' & $substring($m.token, 1) : '';"
                " $ours ? ($exists($m.run) ? $m.run & $t : '') : $exists($m.scheduleStatus) and"
                " $m.scheduleStatus = 'RESTART' ? $m.startDateTime : ''"
            ),
            "given": of("$ours and $exists($m.input) ? {'v': $m.input} : {}"),
            # Other characters have at most three bytes in each of their parts.
            "size": of(
                f"$ours and $exists($m.input) ? ( {JSON}"
                " $length($replace($json($m.input), /[^ -~]/, '...')) ) : 0"
            ),
            "trigger": of("$ours and $exists($m.trigger) ? $m.trigger : 'manual'"),
            "due": of("$ours and $exists($m.scheduled_for) ? $m.scheduled_for : ''"),
            "repeated": of("$ours and $exists($m.attempt) and $m.attempt != '1'"),
            "handed_over": of("$exists($m.handed_over)"),
            "runner": runner_arn,
            "row": {},
            "taken": False,
            "version": 0,
            "ended_at": "",
            "chunk": 100,
            "turn": 0,
            "spent": 0,
            "untold": False,
            "successor": "",
            "renewals": 0,
            "waited": 0,
            **nothing_known(),
        },
        output={},
        next="Which run?",
    )


def _read_condition(tasks: PollTasks) -> Task:
    output = "$states.result.Item.output.S"
    met = f"""(
      $c := $asks[0].c;
      {DOWN}
      $long := $exists({output}) and $length({output}) >= {MAX_OUTPUT};
      $box := $reduce([$c.p], $down, {{'v': $exists({output}) and $not($long) ? $parse({output}) : null}});
      $same := $exists($box.v) and $type($box.v) = $type($c.v) and $box.v = $c.v;
      $is := $not($exists($box.v)) ? false
        : $c.o = '==' ? $same
        : $c.o = '!=' ? $not($same)
        : $type($box.v) != 'number' ? false
        : $c.o = '<' ? $box.v < $c.v
        : $c.o = '<=' ? $box.v <= $c.v
        : $c.o = '>' ? $box.v > $c.v : $box.v >= $c.v;
      $merge([$met, {{$asks[0].i: $long ? 'long' : $is}}])
    )"""
    return Task(
        comment="Reads the output that a condition is about",
        resource=tasks.resource("getItem"),
        arguments={
            **tasks.step_key("$asks[0].c.s"),
            "ConsistentRead": True,
            **schema.projection(schema.OUTPUT),
        },
        assign={"met": f"{{% {met} %}}", "asks": rest_of("asks", "1"), "settled": False},
        output={},
        retry=(Retrier(error_equals=("States.QueryEvaluationError",), max_attempts=0), RETRY_TRANSIENT),
        catch=(
            Catcher(
                error_equals=("States.QueryEvaluationError",),
                next="Next?",
                assign={
                    "met": "{% $merge([$met, {$asks[0].i: false}]) %}",
                    "asks": rest_of("asks", "1"),
                    "settled": False,
                },
                output={},
            ),
        ),
        next="Next?",
    )


def _full(limit: int) -> str:
    """The expression of whether an execution must hand over."""
    return f"$spent > {limit} or $millis() - $toMillis({START}) > {1000 * MAX_AGE}"


def _next(limit: int) -> Choice:
    return Choice(
        choices=(
            condition("$untold").then(
                "Is anybody told?",
                assign={"outcome": "{% $was %}"},
                comment="an execution was stopped before it told the end",
            ),
            condition(_full(limit)).then("Hand over", comment="history nearly full, or old"),
            condition(f"$count($changes) >= {_WRITES}").then("Write"),
            condition("$count($ended_runs) > 0").then("Read outcome"),
            condition("$count($changes) > 0").then("Write"),
            condition("$restart and $not($planned)").then("Plan restart"),
            condition("$count($resets) > 0").then("Reset"),
            condition("$count($marks) > 0").then("Keep steps"),
            condition("$restart").then("Revive"),
            condition("$count($todo) > 0").then("Jobs"),
            condition("$count($runs_todo) > 0").then("Runs"),
            condition("$count($unstarted) > 0").then("Start again"),
            condition("$count($looks) > 0 and $exists($lookup($runs, $looks[0].i))").then("Execution"),
            condition("$count($lost) > 0").then("Resume"),
            condition("$count($asks) > 0").then("Read condition"),
            condition("$count($queue) > 0").then("Start"),
            condition("$settled and $ended != ''").then("Mark steps"),
            condition("$settled").then("Wait"),
        ),
        default="Decide",
    )


def states_of(tasks: PollTasks, *, limit: int = LIMIT) -> dict[str, State]:
    """The states of the driver, which do not count their events yet."""
    decided = decision()[2:-2].strip()

    def part(name: str) -> str:
        return f"{{% $decided.{name} %}}"

    reset = f"""(
      [$map({first_of("resets", "90")}, function($i) {{ {{
        'i': $i, 'n': $lookup($names, $i), 'f': $lookup({WORDS}, $lookup($state, $i)), 'c': 'p',
        'l': {{'f': 0, 'l': 0}}, 'S': {{'state': 'pending'}}, 'N': {{'failures': '0', 'losses': '0'}},
        'x': ['ended_at', 'error', 'failure', 'caused_by', 'reason', 'retry_at', 'output', 'job_id', 'detail',
          'expires_at']
      }} }})]
    )"""
    again = {"step": "{% $unstarted[0] %}", "attempt": "{% $unstarted[0].a %}"}
    pause = (
        "{% $max([1, $min([$graph.wait, $wake = '' ? $graph.wait :"
        " $ceil(($toMillis($wake) - $millis()) / 1000)])]) %}"
    )
    return {
        "Begin": begin(tasks.runner_arn),
        "Which run?": Choice(
            choices=(
                condition(
                    "$wf = '' or ($run != '' and $not($contains($run, /^[A-Za-z0-9_.:-]{1,64}$/)))"
                ).then("Not found"),
                condition(f"$size > {MAX_INPUT}").then("Too large"),
                condition("$run != ''").then("Look"),
            ),
            default="Find",
        ),
        "Look": tasks.look(),
        "Is there a run?": Choice(
            choices=(
                # Otherwise two executions would take it from one another for ever.
                condition(
                    "$taken and $exists($row.state) and $row.state.S = $was"
                    f" and $not($exists($row.token) and $row.token.S = {ME})"
                ).then("Await", comment="another execution has taken it"),
                condition(
                    "$exists($row.state) and ($row.state.S = 'running'"
                    " or ($restart and $row.state.S != 'succeeded'"
                    f" and $not($repeated and $row.state.S = 'cancelled')) or ({IS_UNTOLD}))"
                ).then("Take"),
                condition("$exists($row.state)").then(
                    "Did it succeed?", assign={"outcome": "{% $row.state.S %}"}, comment="it has ended"
                ),
                condition("($restart and $known) or $handed_over").then("Not found"),
            ),
            default="Find",
        ),
        "Find": tasks.find(),
        "Is there a definition?": Choice(
            choices=(condition("$version > 0").then("Read definition"),), default="Not found"
        ),
        "Take": tasks.take(),
        "Read definition": tasks.read_definition(),
        **names_states(),
        "Is it a new run?": Choice(
            choices=(condition("$exists($row.state)").then("Forget"),), default="Create"
        ),
        "Create": tasks.create(),
        "Forget": Pass(
            comment="What was known of the steps may be wrong", assign=nothing_known(), output={}, next="Load"
        ),
        "Load": tasks.load(),
        "Are there more steps?": Choice(choices=(condition("$low != ''").then("Load"),), default="Next?"),
        "Next?": _next(limit),
        "Decide": Pass(
            comment="What happens next: stepsched.workflows.decisions",
            assign={"decided": f"{{% {decided} %}}"},
            output={},
            next="Decided",
        ),
        "Decided": Pass(
            assign={
                "changes": part("out"),
                "queue": part("go"),
                "asks": part("asks"),
                "wake": part("wake"),
                "ended": part("ended"),
                "settled": "{% $count($decided.out) + $count($decided.go) + $count($decided.asks) = 0 %}",
                "decided": {},
            },
            output={},
            next="Next?",
        ),
        "Write": tasks.write_changes(),
        "Plan restart": Pass(
            comment="Which steps run again: stepsched.workflows.restarts",
            assign={"resets": f"{{% {resets()} %}}", "planned": True},
            output={},
            next="Next?",
        ),
        "Reset": Pass(
            comment="They are pending again",
            assign={"changes": f"{{% {reset} %}}", "resets": rest_of("resets", "90")},
            output={},
            next="Next?",
        ),
        "Revive": tasks.revive(),
        "Keep steps": tasks.mark(expires=False),
        "Resume": Wait(
            comment="A driver has claimed these steps, and may just be submitting their jobs",
            seconds=SUBMITTING,
            assign={
                "queue": "{% $append($queue, [$map([$filter($graph.steps, function($s) { $s.i in $lost })],"
                " function($s) { $merge([$s, {'again': true}]) })]) %}",
                "lost": [],
            },
            next="Next?",
        ),
        "Read condition": _read_condition(tasks),
        **start_states(tasks),
        "Wait": Wait(seconds=pause, next="Poll run"),
        "Poll run": tasks.poll_run(),
        "Is it as it was?": Choice(
            choices=(
                condition("$current").then("Next?"),
                condition("$mine").then("Look", comment="an operator has changed the run"),
            ),
            default="Taken",
        ),
        **following_states(tasks, full=_full(limit)),
        "Jobs": tasks.describe_jobs(),
        "Runs": tasks.read_runs(),
        "Read outcome": tasks.read_run(),
        "Start again": Pass(
            comment="The runner has not begun this run: its start may have been lost",
            assign={**again, "unstarted": rest_of("unstarted", "1")},
            output={},
            next="Start run",
        ),
        "Execution": tasks.look_at_execution(),
        "Mark steps": Pass(
            assign={"marks": "{% [$each($state, function($c, $i) { $lookup($names, $i) })] %}"},
            output={},
            next="Are all marked?",
        ),
        "Are all marked?": Choice(
            choices=(condition("$count($marks) > 0").then("Mark"),), default="Record end"
        ),
        "Mark": tasks.mark(expires=True),
        **end_states(tasks),
    }


def names_states() -> dict[str, State]:
    """The states that index the graph: one variable each, because all that a state assigns is bounded at 256
    KiB together."""
    return {
        "Read names": Pass(assign=dict(NAMES), output={}, next="Read places"),
        "Read places": Pass(assign=dict(PLACES), output={}, next="Is it a new run?"),
    }


def counted(states: Mapping[str, State]) -> dict[str, State]:
    """The states, which count their events: those of the worst visit, and of two choices after it."""
    counted = dict[str, State]()
    for name, state in states.items():
        counted[name] = state
        if not isinstance(state, (Task, Pass, Wait)) or name == "Begin":
            continue
        events, retried = (5, f" + {RETRIED}") if isinstance(state, Task) else (2, "")
        spent: dict[str, Any] = {"spent": f"{{% $spent + {events + 4}{retried} %}}"}
        changes: dict[str, Any] = {"assign": {**(state.assign or {}), **spent}}
        if isinstance(state, Task) and state.catch:
            changes["catch"] = tuple(
                each.replace(assign={**(each.assign or {}), **spent}) for each in state.catch
            )
        counted[name] = state.replace(**changes)
    return counted


__all__ = ["LIMIT", "TITLE", "workflow_machine"]
