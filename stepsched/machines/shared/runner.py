"""The runner: one state machine for all jobs of a table. Each active job is one execution.

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

The job's row holds its schedule, call and policies as data. ``Fence`` is one conditional write: the row still
holds the token of this execution, and no other execution has claimed the run. The execution of a job that was
paused, cancelled or replaced stops there, and so does a second execution with the same token. ``Record``
writes the row of the run and the row of the job in one transaction. If the job has changed in the meantime,
only the run is written, and the execution reads whether it is still current.

Unscheduled runs (``run_now``, ``backfill``, ``redrive``) are recorded as pending rows. An execution that is
started with their keys as ``left`` runs them one after another, independently of the schedule.
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
    REMAINING,
    RETRY_TRANSIENT,
)
from stepsched.machines.shared.history import (
    EVENTS_OF_A_RETRY,
    Events,
    Transitions,
    count,
    count_transitions,
)
from stepsched.machines.shared.table_schema import RUN
from stepsched.machines.shared.writes import TableTasks
from stepsched.targets.endpoints import GONE, HTTP_INVOKE

TITLE = "stepsched: runs the jobs of a table; each execution is one job"
CALLS = all_calls()
"""The calls for which a runner has a state of the same name by default: the resource of a state is
constant."""
_RETRY_RESERVE = 2 * EVENTS_OF_A_RETRY * int(RETRY_TRANSIENT.max_attempts or 0)
"""Events that are reserved for the retries of two writes, which are counted only when they happen."""
POLL_SECONDS = 60
"""Seconds between two reads of whether the other run of the job has ended."""


def event_limit(max_attempts: int, batches: int = 0) -> int:
    """The number of events after which an execution begins no further run.

    Args:
        max_attempts: The maximum number of retries of a run.
        batches: The number of batches of messages that a run sends, if it sends several messages.

    Raises:
        ValueError: A single run could write more events than an execution holds.
    """
    of = events(metrics=True)  # the machine may be given metrics later
    worst = of.run + max_attempts * of.retry + of.notification + of.lost_claim + _RETRY_RESERVE + of.renewal
    # Each failed attempt may have sent a part of a batch.
    left = MAX_EVENTS - worst - (batches + max_attempts + 1 if batches else 0) * of.batch
    if left < of.start + of.run + batches * of.batch:
        what = f"a run of {batches:,} batches" if batches else "a run"
        remedy = " or one job for each of target.batches()" if batches else ""
        raise ValueError(
            f"{what} with {max_attempts} retries may write more events than an execution holds; "
            f"use fewer retries{remedy}"
        )
    return left


def runner(
    table_name: str, *, partition: str = "aws", calls: Iterable[str] = CALLS, metrics: bool = False
) -> StateMachine:
    """The machine that runs the jobs of a table.

    An execution is started with ``{"name": ..., "token": ...}``: the name of the job and the token of its
    row. For unscheduled runs, ``left`` holds their keys. The other members of the input are variables that an
    execution hands over to its successor.

    Args:
        table_name: The table, in the account and Region of the machine.
        partition: The partition of the machine.
        calls: The calls that the machine can make: members of :data:`CALLS`, and
            ``aws-sdk:<service>:<action>`` for the ApiTargets of the jobs.
        metrics: Whether the machine writes the metric ``RunsFailed``.
    """
    machine = TableTasks(table_name, partition, events(metrics=metrics))
    states = _states(machine, tuple(calls), metrics=metrics)
    return StateMachine(comment=TITLE, query_language="JSONata", start_at="Load", states=states)


@cache
def events(*, metrics: bool = False) -> Events:
    """The events of a runner. They do not depend on its table or on further calls.

    Args:
        metrics: Whether it writes the metric ``RunsFailed``.
    """
    return count(_states(TableTasks("any", "aws"), CALLS, metrics=metrics), CALLS)


@cache
def transitions() -> Transitions:
    """The state transitions of a runner. They do not depend on its table or on further calls."""
    return count_transitions(_states(TableTasks("any", "aws"), CALLS), CALLS)


def runs_per_execution(max_attempts: int, *, batches: int = 0, failed: bool = False) -> int:
    """The number of runs after which an execution hands over.

    Args:
        max_attempts: The maximum number of retries of a run.
        batches: As for :func:`event_limit`.
        failed: Whether all runs fail for good, after all their retries.

    Raises:
        ValueError: As for :func:`event_limit`.
    """
    of = events()
    left = event_limit(max_attempts, batches) - of.start
    run = of.run + batches * of.batch
    if failed:
        run = of.run + (max_attempts + 1) * of.retry + of.notification
    # It hands over when the planning of one more run would exceed the limit.
    return (left - of.run) // run + 1


def _states(machine: TableTasks, calls: Sequence[str], *, metrics: bool = False) -> dict[str, State]:
    partition, events = machine.partition, machine.events
    stops = f"($job.stops or $failure.error = '{GONE}')" if HTTP_INVOKE in calls else "$job.stops"
    return {
        "Load": machine.load(),
        "Mine?": Choice(
            choices=(
                condition("$there and $manual").then("Claim", comment="unscheduled runs"),
                condition("$mine").then("Take", comment="this execution has the token of the job"),
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
                condition("$manual and $count($left) > 0").then("Claim", comment="an unscheduled run"),
                condition("$manual and $not($mine)").then("Done", comment="no unscheduled run is left"),
                condition(f"$due = '{NEVER}' and $job.gone and $outcome = 'succeeded'").then(
                    "Delete", comment="a one-time job has run"
                ),
                condition(f"$due = '{NEVER}'").then("Ended", comment="no run is left"),
                condition(f"{stops} and $outcome = 'failed'").then("Paused", comment="the job stops"),
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
        **giving_up(calls, partition, events, metrics=metrics),
        "Record": machine.record(),
        "Record run only": machine.record_run_only(),
        "Release": machine.release(),
        "Read job": machine.read_job(),
        "Claim lost?": Choice(
            choices=(
                condition("$recorded and ($mine or ($manual and $there and $count($left) > 0))").then(
                    "Plan", comment="the write met another one, and the job is unchanged"
                ),
                condition("$recorded").then("Stopped"),
                condition("$manual and $claimed = $left[0]").then(
                    "Busy", comment="another execution has claimed this run"
                ),
                condition("$manual and $taken").then(
                    "Skip taken run", comment="another execution has taken the run"
                ),
                condition(f"$wanted and $busy and $job.overlap = 'skip' and {MAY_SKIP}").then("Skip"),
                condition("$wanted and $busy and $job.overlap != 'allow'").then(
                    "Busy", comment="another run of the job is running"
                ),
                condition("$manual and $there").then("Busy", comment="the write met another one: try again"),
                condition("$mine").then("Renew", comment="the write met another one: try again"),
            ),
            default="Stopped",
        ),
        "Busy": Wait(seconds=POLL_SECONDS, assign={"spent": f"{{% $spent + {events.busy} %}}"}, next="More?"),
        "Skip taken run": Pass(assign={"left": REMAINING}, next="Plan"),
        "Skip": Pass(
            comment="Another run of the job is running, so this one is skipped",
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
