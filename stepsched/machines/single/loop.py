"""The state machine of one job: it plans a run, sleeps, runs, and repeats, in successive executions.

```
Init ─► Plan ─► More? ─┬─ never ─────────────────────► Done
          ▲            ├─ history nearly full, or old ► Renew ─► Renewed
          │            ├─ due in 300 days or later ──► Rest ──► Renew
          │            └─► Sleep ─► Run ─┐
          ├──────────────── done ────────┤ failed
          │                         Try again? ─► Pause ─► Run
          └── Notify ◄─ Dead letter ◄────┘ given up      (or ─► Stopped)
```

The next run is planned from the last scheduled instant and not from the clock: waits can be skipped in a
test, and a late wake-up does not shift later runs. Only ``Overlap.SKIP`` reads the clock, to skip the runs
that came due in the meantime. The variables:

* ``plan``: the schedule; ``after``: the instant after which the next run lies; ``due``: the next run;
* ``attempt``: the number of failed attempts of this run; ``failure``: the last of them;
* ``spent``: the number of events written so far; ``since``: the planned start of this execution, in seconds
  since 1970;
* ``generation``: the number of this execution; ``begun``: the start of the first one; ``series``: the prefix
  of their names; ``runs``: the number of runs so far.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import PrivateAttr
from typing_extensions import Self

from stepsched.asl.budget import MAX_EVENTS, Budget, Turn
from stepsched.asl.checks.documents import LARGEST
from stepsched.asl.machine import StateMachine
from stepsched.asl.rules import condition
from stepsched.asl.states import Choice, Fail, Pass, State, Succeed, Wait
from stepsched.core.context import ATTEMPT_NUMBER, EXECUTION_ID, SCHEDULE_ARN, SCHEDULED_TIME
from stepsched.core.errors import RenderError
from stepsched.core.payloads import MAX_PAYLOAD_BYTES, to_json
from stepsched.jobs import CatchUp, Job, OnFailure, Overlap
from stepsched.machines.calls import (
    Message,
    call_of,
    check_call,
    check_input,
    check_policies,
    places_of,
    waits_for_end,
    waits_for_runs,
)
from stepsched.machines.literals import attempt_id
from stepsched.machines.next_run import LATEST_RUN, NEVER, NEXT_RUN
from stepsched.machines.notifications import notices
from stepsched.machines.plan import timing_of
from stepsched.machines.renewal import START, renew_rule, renewal_events, renewal_states, rest_rule
from stepsched.machines.retries import Names, Work, whole_seconds
from stepsched.machines.single.runs import Cost, Exits, Run, cost_of, parallel, single
from stepsched.targets import (
    FanOutTarget,
    QueueTarget,
    SingleTarget,
    Target,
    TopicTarget,
    parts_of,
    takes_input,
)
from stepsched.targets.messages import MAX_BATCH

MAX_RUN_TIME = timedelta(days=60)
_MAX_IDS = 400
"""The maximum number of bytes that a message of a batch has besides its text."""


def machine_of(job: Job, *, max_events: int = MAX_EVENTS) -> StateMachine:
    """The state machine of a job.

    Args:
        job: The job. Its targets must be in AWS.
        max_events: The maximum number of events in the history of an execution.

    Raises:
        RenderError: Step Functions cannot run the job.
    """
    if not job.enabled:
        reason = "enabled=False: an execution of the machine always runs; use job.replace(enabled=True)"
        raise RenderError(job.name, reason)
    try:
        return _Loop(job, max_events).machine()
    except ValueError as error:
        if isinstance(error, RenderError):
            raise
        raise RenderError(job.name, str(error)) from error


class JobMachine(StateMachine, frozen=True):
    """The state machine of a job, with the budget of its turns."""

    _budget: Budget | None = PrivateAttr(default=None)

    @classmethod
    def with_budget(cls, budget: Budget, **fields: Any) -> Self:
        """A machine with these fields and this budget."""
        machine = cls(**fields)
        machine._budget = budget
        return machine

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed. If the states change, the budget is computed from the
        definition."""
        copy = super().replace(**changes)
        if "states" not in changes:
            copy._budget = self._budget  # noqa: SLF001 -- its own
        return copy

    def budget(self) -> Budget:
        """The events and transitions of a turn, and the number of turns in one execution. For a machine that
        was read from text the job is not known, and the retries of a run count once."""
        return super().budget() if self._budget is None else self._budget


class _Loop:
    """Builds the machine of one job."""

    def __init__(self, job: Job, max_events: int) -> None:
        self.job = job
        self.max_events = max_events
        self.timing = timing_of(job.schedule)
        self.is_one_time = job.is_one_time
        self.starts_at_creation = job.starts_at_creation
        self.wait = waits_for_runs(job)
        self.stops = self.is_one_time or job.on_failure is OnFailure.STOP
        if job.max_run_time is not None and job.max_run_time > MAX_RUN_TIME:
            raise ValueError(
                f"expected max_run_time up to {MAX_RUN_TIME.days} days, which an execution leaves for a run "
                f"before it ends after a year, got {job.max_run_time}"
            )
        self.timeout = None if job.max_run_time is None else whole_seconds("max_run_time", job.max_run_time)
        check_policies(job)
        check_input(job)
        self.parts = parts_of(job.target)
        self.partition = self.shared_partition()
        self.works = self.calls()

    def shared_partition(self) -> str:
        """The partition of all targets, which is the partition of the machine.

        Raises:
            ValueError: The targets are in several partitions or Regions.
        """
        notified = [part for part in (self.job.dead_letter, self.job.notify) if part is not None]
        places = {place for part in (*self.parts, *notified) for place in places_of(part)}
        for word, found in (
            ("partitions", sorted({partition for partition, _ in places})),
            ("Regions", sorted({region for _, region in places if region})),
        ):
            if len(found) > 1:
                raise ValueError(
                    f"expected targets in one Region, got targets in the {word} {' and '.join(found)}; "
                    "use one job for each"
                )
        return next((partition for partition, _ in places), "aws")

    def machine(self) -> StateMachine:
        whole_run = self.message(None, "$string($failure.attempts)")
        notifications = notices(self.job, whole_run, self.partition, self.after_failure)
        exits = Exits(
            self.after_run,
            next(iter(notifications), self.after_failure),
            self.variables_after_run(),
            on_failure=cost_of(notifications, *notifications, retries=True),
            counts=not self.is_one_time,
        )
        run = single(self.works[0], exits) if len(self.works) == 1 else parallel(self.works, exits)
        counted = {"Init": self.init(0), **self.plan(0, 0)}
        beginning = 1 + cost_of(counted, "Init").events  # including the start of the execution
        planning = cost_of(counted, *self.planning)
        limit = self.max_events - run.worst.events - planning.events - renewal_events()
        self.check_limit(run, limit, beginning + planning.events + run.usual.events)
        states: dict[str, State] = {
            "Init": self.init(beginning),
            **self.plan(limit, planning.events + run.usual.events),
            **run.states,
            **notifications,
        }
        if self.stops:
            states["Stopped"] = Fail(error="{% $failure.error %}", cause="{% $failure.cause %}")
        states["Done"] = Succeed(output={"runs": "{% $runs %}", "after": "{% $after %}"})
        states |= renewal_states(self.partition)
        described = f"{self.job.name}: {self.job.schedule.describe()}"
        if self.job.description:
            described += f". {self.job.description}"
        machine = JobMachine.with_budget(
            self.budget(run, planning, MAX_EVENTS - limit + beginning),
            comment=described,
            query_language="JSONata",
            start_at="Init",
            states=states,
        )
        self.check_size(machine)
        return machine

    def check_size(self, machine: StateMachine) -> None:
        """Refuses an input or a definition that is too large. The definition of a small job is not measured.

        Raises:
            RenderError: The input or the definition is too large.
        """
        text = to_json(self.job.input)
        if self.job.dead_letter is not None or any(map(_is_message, self.parts)):
            text = to_json(text)
        size = len(text.encode())
        size = max(size, *map(_own_size, self.parts))
        if size > MAX_PAYLOAD_BYTES - 2_000:
            raise RenderError(
                self.job.name,
                f"expected an input of at most {MAX_PAYLOAD_BYTES - 2_000:,} bytes as JSON, got {size:,}; "
                "keep large data elsewhere, such as in S3, and pass its location"
                + ("; or use one job for each of target.batches()" if self.has_messages else ""),
            )
        if (size + 1) * (len(self.works) + 1) > LARGEST // 8:  # escapes may need six times the space
            size = len(machine.to_json(indent=None).encode())
            if size > LARGEST:
                raise RenderError(
                    self.job.name,
                    f"expected a definition of at most {LARGEST:,} bytes, got {size:,}; "
                    "use a smaller input or fewer targets",
                )

    @property
    def has_messages(self) -> bool:
        """Whether a target sends several messages."""
        return any(work.batches for work in self.works)

    @property
    def planning(self) -> tuple[str, ...]:
        """The states before a run."""
        return ("More?", "Sleep") if self.is_one_time else ("Plan", "More?", "Sleep")

    def check_limit(self, run: Run, limit: int, required: int) -> None:
        """Refuses a job with runs that do not fit into an execution.

        Raises:
            RenderError: A single run could write more events than an execution holds.
        """
        if limit < required:
            raise RenderError(
                self.job.name,
                f"a single run may write {run.worst.events:,} events, and an execution holds "
                f"{self.max_events:,}; use fewer retries or fewer targets"
                + (", or one job for each of target.batches()" if self.has_messages else ""),
            )

    def budget(self, run: Run, planning: Cost, fixed_events: int) -> Budget:
        """The budget of a turn. The number of retries in it is known from the job, and not from the
        states."""
        usual, worst = planning.plus(run.usual), planning.plus(run.worst)
        run_states = run.states if "All done?" in run.states else ("Run",)
        return Budget(
            usual=Turn(states=(*self.planning, *run_states), **usual._asdict()),
            worst=Turn(states=(*self.planning, *run.states), **worst._asdict()),
            fixed_events=fixed_events,
            loops=not self.is_one_time,
        )

    # -- when -------------------------------------------------------------------------------------------

    def init(self, spent: int) -> Pass:
        """The first state. It sets all variables, from the definition or from the preceding execution.

        Args:
            spent: The number of events that have been written when the state exits.
        """
        begun = _input_or("begun", START)
        plan = dict(self.timing.plan)
        if self.starts_at_creation:  # the anchor of a rate without start (P-12)
            plan = {"origin": f"{{% $floor($toMillis({begun}) / 1000) %}}", **plan}
        assign: dict[str, Any] = {"due": _text(plan["origin"])} if self.is_one_time else {"plan": plan}
        assign |= {
            "after": f"{{% {self.cursor()} %}}",
            "begun": f"{{% {begun} %}}",
            "since": f"{{% {_input_or('since', f'$floor($toMillis({START}) / 1000)')} %}}",
            "generation": f"{{% {_input_or('generation', '1')} %}}",
            "series": "{% "
            + _input_or(
                "series",
                "$substring($states.context.Execution.Name, 0, 50) & '-' & $string($toMillis(" + START + "))",
            )
            + " %}",
            "runs": f"{{% {_input_or('runs', '0')} %}}",
            "spent": spent,
            "attempt": 0,
        }
        comment = "The job, and where the execution before this one has left off"
        return Pass(comment=comment, assign=assign, output={}, next="More?" if self.is_one_time else "Plan")

    def cursor(self) -> str:
        """The instant after which runs are planned, when the execution begins."""
        first = f"$fromMillis($toMillis({START}) - 1000)" if self.starts_at_creation else START
        if self.job.catch_up is CatchUp.SKIP:  # runs that came due before the first execution are skipped
            ahead = (
                f"$exists($states.input.generation) or $toMillis($states.input.after) > $toMillis({START})"
            )
            return f"$exists($states.input.after) and ({ahead}) ? $states.input.after : {first}"
        return _input_or("after", first)

    def plan(self, limit: int, turn: int) -> dict[str, State]:
        """The states up to the run.

        Args:
            limit: The number of events after which no further run begins, so that the longest run and the
                renewal still fit.
            turn: The number of events of planning and of a successful run.
        """
        text = (LATEST_RUN if self.job.catch_up is CatchUp.ONE else NEXT_RUN)[self.timing.kind]
        never = "$toMillis($due) <= $toMillis($after)" if self.is_one_time else f"$due = '{NEVER}'"
        rules = [condition(never).then("Done", comment="no run is left"), renew_rule(limit), rest_rule()]
        if self.is_one_time:
            del rules[1]
        variables = self.works[0].beginning(Names()) if len(self.works) == 1 else {}
        beginning: dict[str, Any] = {"assign": variables} if variables else {}
        planned = {"due": text, "attempt": 0, "spent": f"{{% $spent + {turn} %}}"}
        states: dict[str, State] = (
            {} if self.is_one_time else {"Plan": Pass(comment=_PLAN, assign=planned, next="More?")}
        )
        return states | {
            "More?": Choice(choices=tuple(rules), default="Sleep"),
            "Sleep": Wait(timestamp=self.wake_up_time(), next="Run", **beginning),
        }

    def wake_up_time(self) -> str:
        """The expression of the instant at which the run starts: the scheduled instant plus a random part of
        the jitter."""
        jitter = whole_seconds("jitter", self.job.jitter)
        if not jitter:
            return "{% $due %}"
        return f"{{% $fromMillis($toMillis($due) + 1000 * $floor($random() * {jitter + 1})) %}}"

    # -- what -------------------------------------------------------------------------------------------

    def calls(self) -> list[Work]:
        """The calls of a run: one, or one for each part of a parallel target."""
        works = []
        for number, part in enumerate(self.parts, 1):
            message = self.message(number if len(self.parts) > 1 else None)
            call = call_of(part, message, wait=self.wait, partition=self.partition)
            check_call(call)
            if not call.waits_for_completion:
                self.check_started(part, f"{type(part).__name__}{call.why_not}")
            works.append(Work(call, self.job.retry, self.timeout))
        return works

    def check_started(self, part: SingleTarget, name: str) -> None:
        """Refuses the policies that need to know when the target ends, for a target that is only started.

        Raises:
            RenderError: The job has such a policy.
        """
        if self.job.overlap is not Overlap.ALLOW:
            raise RenderError(
                self.job.name,
                f"overlap {self.job.overlap.value!r}: Step Functions cannot wait for what a {name} starts; "
                "use Overlap.ALLOW, or a StateMachineTarget that waits for it",
            )
        if self.timeout is not None:
            remedy = "leave max_run_time out"
            if waits_for_end(part, wait=True) and not self.is_one_time:
                remedy = "use Overlap.SKIP or QUEUE, or leave it out"
            raise RenderError(
                self.job.name,
                f"max_run_time {self.job.max_run_time}: the machine does not wait for what a {name} "
                f"starts; {remedy}",
            )

    def message(self, part: int | None, number: str = "$string($attempt + 1)") -> Message:
        """The message of a part of a parallel target, by its number. None: the message of the whole run."""
        if part:
            number = f"$string($tries_{part} + 1)"
        due = f"$due & '/{part}'" if part else "$due"
        attributes = {
            SCHEDULE_ARN: "$states.context.StateMachine.Id",
            SCHEDULED_TIME: "$due",
            EXECUTION_ID: attempt_id(due, number),
            ATTEMPT_NUMBER: number,
        }
        key = f"{self.job.group}/{self.job.name}/{part}"
        return Message(self.job.input, key, self.job.name, "$due", attributes)

    def variables_after_run(self) -> dict[str, str]:
        """The variables that a finished run sets: the cursor and the number of runs."""
        passed = "$millis() > $toMillis($due) ? $fromMillis($millis() - 1) : $due"
        skips = self.job.overlap is Overlap.SKIP
        return {"after": f"{{% {passed if skips else '$due'} %}}", "runs": "{% $runs + 1 %}"}

    @property
    def after_run(self) -> str:
        """The state after a run."""
        return "Done" if self.is_one_time else "Plan"

    # -- giving up --------------------------------------------------------------------------------------

    @property
    def after_failure(self) -> str:
        """The state after a run that failed for good."""
        return "Stopped" if self.stops else self.after_run


def _is_message(target: Target) -> bool:
    """Whether the input is passed as text inside of JSON."""
    return isinstance(target, (QueueTarget, TopicTarget))


def _own_size(target: SingleTarget) -> int:
    """The size in bytes of the data that a target has instead of the input."""
    if isinstance(target, FanOutTarget):
        return len(to_json(list(target.messages)).encode()) + MAX_BATCH * _MAX_IDS
    brought = () if takes_input(target) else [value for _, value in target if isinstance(value, dict)]
    return sum(len(to_json(value).encode()) for value in brought)


def _input_or(name: str, otherwise: str) -> str:
    """The expression of a member of the input, or of another value where the input lacks it."""
    return f"$exists($states.input.{name}) ? $states.input.{name} : {otherwise}"


def _text(seconds: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat() + "Z"


_PLAN = "The first run after $after"
