"""The states that end a run: the record, the notification, and the hand-over to a successor."""

from __future__ import annotations

from stepsched.asl.resources import Pattern, integration
from stepsched.asl.rules import condition
from stepsched.asl.states import Catcher, Choice, Fail, Pass, State, Task, Wait
from stepsched.machines.notifications import notice
from stepsched.machines.shared import table_schema as schema
from stepsched.machines.shared.expressions import (
    CONDITION_FAILED,
    DO_NOT_RETRY_FAILED_CONDITION,
    ME,
    RETRY_TRANSIENT,
)
from stepsched.machines.shared.table_schema import write
from stepsched.workflows.machine.instructions import MAX_INPUT
from stepsched.workflows.machine.tables import DRIVEN, ENTERED, JSON, RunTasks, driven_values, number, text

HELP = "Instructions here: https://github.com/rjgleave/aws-batch-universal-scheduler"
_FAILED = "[$each($state, function($c, $i) { $c = 'f' ? $lookup($names, $i) })]"
_LONGEST_PAUSE = 3_600
"""The longest time in seconds after which an execution that waits for another looks whether the
run has ended."""
_MOST_RENEWALS = 8
"""How often an execution tries to hand over."""
RESULT = {"workflow": "{% $wf %}", "run": "{% $run %}", "status": "{% $outcome %}"}


def end_run(tasks: RunTasks) -> Task:
    """The task that writes the end of the run."""
    return Task(
        comment="Writes the end of the run",
        resource=tasks.resource("updateItem"),
        arguments=tasks.run_key
        | write(
            *DRIVEN,
            values=driven_values(),
            sets={
                schema.STATE: text("$ended"),
                schema.ENDED_AT: text(ENTERED),
                schema.NOTICE: text("$graph.topic = '' ? 'none' : 'due'"),
                schema.TTL: number("$string($floor($millis() / 1000) + $graph.keep)"),
            },
        ),
        assign={"outcome": "{% $ended %}", "was": "{% $ended %}", "ended_at": f"{{% {ENTERED} %}}"},
        output={},
        retry=(DO_NOT_RETRY_FAILED_CONDITION, RETRY_TRANSIENT),
        catch=(Catcher(error_equals=(CONDITION_FAILED,), next="Look", output={}),),
        next="Is anybody told?",
    )


def message() -> str:
    """The expression of the notification of an ended run: its body and subject."""
    scheduler = f"""
      $run_text := '[ Schedule ID: ' & $wf & '  Name: ' & $graph.title & ' which started: ' & $run;
      $word := $outcome = 'succeeded' ? 'SUCCEEDED' : 'FAILED';
      $long := $outcome = 'succeeded'
        ? 'Hey, your batch schedule: ' & $run_text & '  just finished.  Status: SUCCEEDED'
        : 'So sorry, your batch schedule: ' & $run_text & '  just finished.  Status: FAILED.  If you want'
          & ' to restart this failed job, you will need to copy the Schedule ID and Start Date/Time.  {HELP}';
      {{
        'MessageStructure': 'json',
        'Subject': $substring($replace('Batch schedule: ' & $wf & ' ' & $word, /[^ -~]/, '?'), 0, 99),
        'Message': $json({{
          'default': $json($long),
          'sms': $json('Job: ' & $run_text & '  complete. Status: ' & $word),
          'email': $json($long)
        }})
      }}
    """
    plain = f"""
      {{
        'Subject': $substring($replace('Workflow ' & $wf & ' ' & $outcome, /[^ -~]/, '?'), 0, 99),
        'Message': $json({{
          'workflow': $wf, 'run': $run, 'status': $outcome, 'started_at': $started, 'ended_at': $ended_at,
          'failed': {_FAILED}
        }})
      }}
    """
    fifo = (
        "{'MessageGroupId': $hash($wf, 'MD5'),"
        " 'MessageDeduplicationId': $hash($wf & '/' & $run & '/' & $string($restarts), 'SHA-256')}"
    )
    return (
        f"( {JSON} $fifo := $contains($graph.topic, '.fifo') ? {fifo} : {{}};"
        f" $merge([{{'TopicArn': $graph.topic}}, $fifo, $graph.form = 'json' ? ({plain}) : ({scheduler})]) )"
    )


def told(tasks: RunTasks) -> Task:
    """The task that writes that the end of the run was told."""
    return Task(
        comment="Writes that the end was told",
        resource=tasks.resource("updateItem"),
        arguments=tasks.run_key | write(*DRIVEN, values=driven_values(), sets={schema.NOTICE: {"S": "sent"}}),
        assign={"untold": False},
        output={},
        retry=(DO_NOT_RETRY_FAILED_CONDITION, RETRY_TRANSIENT),
        catch=(
            Catcher(
                error_equals=(CONDITION_FAILED,),
                next="Does it run again?",
                assign={"untold": False},
                output={},
            ),
        ),
        next="Does it run again?",
    )


def renew(partition: str) -> Task:
    """The task that hands over to a successor, which reads everything from the table, and waits until that
    has ended: waiting has no events."""
    # Each start has its own name: an execution cannot wait for one that an earlier attempt has started.
    number = "$string($renewals) & '/' & $string($states.context.Execution.RedriveCount)"
    chosen = f"$hash({ME} & '/' & {number}, 'SHA-256')"
    return Task(
        comment="The next execution drives the run, with an empty history; this one ends when that has",
        resource=integration("states", "startExecution", Pattern.RUN_JOB_JSON, partition=partition),
        arguments={
            "StateMachineArn": "{% $states.context.StateMachine.Id %}",
            "Name": f"{{% 'next-' & $substring({chosen}, 0, 40) %}}",
            "Input": {
                "workflow": "{% $wf %}",
                "run": "{% $run %}",
                "restart": "{% $restart %}",
                "known": "{% $known %}",
                "handed_over": True,
            },
        },
        assign={"successor": "ended", "renewals": "{% $renewals + 1 %}"},
        output={},
        catch=(
            Catcher(
                error_equals=("States.ALL",),
                next="Taken",
                assign={
                    "successor": "{% $states.errorOutput.Error = 'States.TaskFailed' ? 'ended'"
                    " : 'refused' %}",
                    "renewals": "{% $renewals + 1 %}",
                },
                output={},
            ),
        ),
        next="Taken",
    )


def following_states(tasks: RunTasks, *, full: str) -> dict[str, State]:
    """The states of an execution that no longer drives the run: it ends when the run does, and like it, for
    whoever waits for it.

    Args:
        tasks: The tasks.
        full: The expression of whether the execution must hand over.
    """
    pause = f"$max([$graph.wait, $min([{_LONGEST_PAUSE}, $floor($waited / 10)])])"
    taken = tasks.look().replace(
        comment="Another execution drives the run, or it has ended", next="Is it ended?"
    )
    return {
        "Hand over": renew(tasks.partition),
        "Taken": taken,
        "Is it ended?": Choice(
            choices=(
                condition("$not($exists($row.state))").then("Not found"),
                condition("$row.state.S != 'running'").then(
                    "Did it succeed?", assign={"outcome": "{% $row.state.S %}", "state": {}}
                ),
                condition(f"$successor = 'ended' or $renewals > {_MOST_RENEWALS}").then(
                    "Stopped", comment="the next execution was stopped"
                ),
                condition("$successor = 'refused'").then("Hand over later"),
                condition(full).then("Hand over"),
            ),
            default="Await",
        ),
        "Await": Wait(
            comment="Another execution drives the run: this one ends when the run does",
            seconds=f"{{% {pause} %}}",
            assign={"waited": f"{{% $waited + {pause} %}}"},
            next="Taken",
        ),
        "Hand over later": Wait(
            comment="The next execution could not be started",
            seconds="{% $min([900, 15 * $power(2, $renewals)]) %}",
            next="Hand over",
        ),
        "Stopped": Fail(
            error="{% $known ? 'Batch Schedule FAILED' : 'Workflow STOPPED' %}",
            cause=(
                "{% 'the execution that drove ' & $wf & '/' & $run & ' has ended, and the run has not, or was"
                " restarted' %}"
            ),
        ),
    }


def end_states(tasks: RunTasks) -> dict[str, State]:
    """The states from the end of the run on."""
    return {
        "Record end": end_run(tasks),
        "Is anybody told?": Choice(
            choices=(condition("$graph.topic != ''").then("Tell"),), default="Did it succeed?"
        ),
        "Tell": notice(
            integration("sns", "publish", partition=tasks.partition),
            f"{{% {message()} %}}",
            "Told",
        ),
        "Told": told(tasks),
        "Does it run again?": Choice(
            choices=(condition("$restart and $was != 'succeeded'").then("Next?"),), default="Did it succeed?"
        ),
        "Did it succeed?": Choice(
            choices=(condition("$outcome = 'succeeded'").then("Succeeded"),), default="Failed"
        ),
        "Succeeded": Pass(output=dict(RESULT), end=True),
        "Failed": Fail(
            error="{% $known ? 'Batch Schedule FAILED' : 'Workflow ' & $uppercase($outcome) %}",
            cause=(
                f"{{% ( $failed := {_FAILED}; $known ? 'AWS Batch Schedule Failed' : $wf & '/' & $run"
                " & ($count($failed) = 0 ? '' : ': ' & $substring($join($failed, ', '), 0, 4000)) ) %}"
            ),
        ),
        "Too large": Fail(
            error="Workflow.InputTooLarge",
            cause=f"expected an input of at most {MAX_INPUT:,} bytes as JSON; pass its location",
        ),
        "Not found": Fail(
            error="{% $known ? 'Batch Schedule FAILED' : 'Workflow.NotFound' %}",
            cause=(
                "{% $known ? 'Error: schedule record not found' : 'there is no workflow '"
                " & $wf & ($run = '' ? '' : ' with a run ' & $run) %}"
            ),
        ),
    }
