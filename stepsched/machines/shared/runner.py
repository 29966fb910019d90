"""The runner: one machine for all jobs. A job is an execution of it.

```
Load ─► Mine? ─► Take ─► Plan ─► More? ─┬─ never ─────────► Ended, Delete
          │               ▲             ├─ stops ─────────► Paused
          │               │             ├─ full, or old ──► Renew ─► Renewed
          │               │             ├─ far ahead ─► Rest ─► Renew
          │               │             └─► Sleep ─► Fence ──────┐
          ├─ unscheduled ─┼─────────────────────────► Claim ─────┤
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

from collections.abc import Iterable, Sequence
from functools import cache

from stepsched.asl.budget import MAX_EVENTS
from stepsched.asl.machine import StateMachine
from stepsched.asl.rules import condition
from stepsched.asl.states import Choice, Pass, State, Succeed, Wait
from stepsched.jobs.records import STILL_RAN
from stepsched.machines.calls import all_calls
from stepsched.machines.next_run import NEVER, next_run_of
from stepsched.machines.renewal import renew_rule, renewal_states, rest_rule
from stepsched.machines.shared.calls import call_states, giving_up
from stepsched.machines.shared.expressions import (
    DUE,
    MAY_SKIP,
    NO_FAILURE,
    REST,
    RETRY_TRANSIENT,
)
from stepsched.machines.shared.history import EVENTS_OF_A_RETRY, Events, count
from stepsched.machines.shared.table_schema import RUN
from stepsched.machines.shared.writes import TableTasks

TITLE = "stepsched: runs the jobs of a table; each execution is one job"
CALLS = all_calls()
"""The calls that a runner has a state for, which is called like it: a state's resource is a constant."""
_UNFORESEEN = 2 * EVENTS_OF_A_RETRY * int(RETRY_TRANSIENT.max_attempts or 0)
"""Events of the retries of two writes: they are counted when they are made."""
POLL = 60
"""Seconds between two looks whether the run that is in the way has ended."""


def events_left(max_attempts: int) -> int:
    """The events after which an execution of such a job begins no further run.

    Args:
        max_attempts: Retries of a run.

    Raises:
        ValueError: Not even one run would fit.
    """
    of = events()
    worst = of.run + max_attempts * of.retry + of.notification + of.lost_claim + _UNFORESEEN + of.renewal
    left = MAX_EVENTS - worst
    if left < of.start + of.run:
        raise ValueError(f"a run with {max_attempts} retries may write more events than an execution holds")
    return left


def runner(table_name: str, *, partition: str = "aws", calls: Iterable[str] = CALLS) -> StateMachine:
    """The machine that runs the jobs of a table.

    It is started with ``{"name": ..., "token": ...}``: the job's name, and the token of its row; for
    unscheduled runs, their keys are ``left``. The rest of the input is what an execution hands to its
    successor.

    Args:
        table_name: The table, in the machine's own account and Region.
        partition: The machine's.
        calls: The calls that it can make: of :data:`CALLS`, and as ``aws-sdk:<service>:<action>`` those of
            the jobs' ApiTargets.
    """
    states = _states(TableTasks(table_name, partition, events()), tuple(calls))
    return StateMachine(comment=TITLE, query_language="JSONata", start_at="Load", states=states)


@cache
def events() -> Events:
    """The events that a runner counts. Its table and further calls make no difference to them."""
    return count(_states(TableTasks("any", "aws"), CALLS), CALLS)


def _states(machine: TableTasks, calls: Sequence[str]) -> dict[str, State]:
    partition, events = machine.partition, machine.events
    return {
        "Load": machine.load(),
        "Mine?": Choice(
            choices=(
                condition("$there and $manual").then("Claim", comment="runs beside the schedule"),
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
                "spent": f"{{% $spent + {events.run} %}}",
            },
            next="More?",
        ),
        "More?": Choice(
            choices=(
                condition("$manual and $count($left) > 0 and $spent > $job.limit").then("Renew"),
                condition("$manual and $count($left) > 0").then("Claim", comment="a run beside the schedule"),
                condition("$manual and $not($mine)").then("Done", comment="none of these is left"),
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
        "Read run": machine.read_run(),
        **call_states(calls, partition, events),
        **giving_up(partition, events),
        "Record": machine.record(),
        "Record run only": machine.record_run_only(),
        "Release": machine.release(),
        "Read job": machine.read_job(),
        "Claim lost?": Choice(
            choices=(
                condition("$recorded and ($mine or ($manual and $there and $count($left) > 0))").then(
                    "Plan", comment="two writes met, and the job is as it was"
                ),
                condition("$recorded").then("Stopped"),
                condition("$manual and $claimed = $left[0]").then(
                    "Busy", comment="another execution has the same runs"
                ),
                condition("$manual and $taken").then("Skip taken run", comment="somebody else has taken it"),
                condition(f"$wanted and $busy and $job.overlap = 'skip' and {MAY_SKIP}").then("Skip"),
                condition("$wanted and $busy and $job.overlap != 'allow'").then(
                    "Busy", comment="another run of the job goes on"
                ),
                condition("$manual and $there").then("Busy", comment="two writes met: once more"),
                condition("$mine").then("Renew", comment="two writes met: once more"),
            ),
            default="Stopped",
        ),
        "Busy": Wait(seconds=POLL, assign={"spent": f"{{% $spent + {events.busy} %}}"}, next="More?"),
        "Skip taken run": Pass(assign={"left": REST}, next="Plan"),
        "Skip": Pass(
            comment="Another run of the job goes on, and this one is left out",
            assign={
                "key": f"{{% $manual ? $left[0] : '{RUN}' & $due %}}",
                "due": f"{{% $manual ? {DUE} : $due %}}",
                "outcome": "skipped",
                "failure": {**NO_FAILURE, "error": STILL_RAN},
                "output": "",
                "started_at": "",
                "ended": "{% $millis() %}",
            },
            next="Record skipped",
        ),
        "Record skipped": machine.record_skipped(),
        "Paused": machine.status("paused"),
        "Ended": machine.status("ended"),
        "Delete": machine.delete(),
        "Done": Succeed(),
        "Stopped": Succeed(comment="The job was paused, cancelled or replaced, or another execution runs it"),
        **renewal_states(partition, ("name", "token", "left")),
    }
