"""The machine of one job: plan, sleep, run, again; and a new execution before this one grows too old.

```
Init ─► Plan ─► More? ─┬─ never ─────────────────────► Done
          ▲            ├─ history nearly full, or old ► Renew ─► Renewed
          │            ├─ due in 300 days or later ──► Rest ──► Renew
          │            └─► Sleep ─► Run ─┐
          ├──────────────── done ────────┤ failed
          │                         Try again? ─► Pause ─► Run
          └── Notify ◄─ Dead letter ◄────┘ given up      (or ─► Stopped)
```

A plan follows from the last scheduled instant and not from the clock: waits can be skipped in a test, and a
late wake-up shifts nothing. Only ``Overlap.SKIP`` looks at the clock, to pass over what was due meanwhile.
The variables:

* ``plan`` the schedule, ``after`` what the next run lies after, ``due`` that run;
* ``attempt`` the failed attempts of this run, ``failure`` the last of them;
* ``spent`` events used up, ``since`` when this execution was planned to begin (seconds since 1970);
* ``generation`` the execution's number, ``begun`` when the first one began, ``series`` what all their names
  begin with, ``runs`` how many runs there have been.
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
from stepsched.machines.calls import Message, call_of, check_call, check_input, check_policies, places_of
from stepsched.machines.next_run import LATEST_RUN, NEVER, NEXT_RUN
from stepsched.machines.notifications import notices
from stepsched.machines.plan import timing_of
from stepsched.machines.renewal import START, renew_rule, renewal_events, renewal_states, rest_rule
from stepsched.machines.retries import Work, whole_seconds
from stepsched.machines.single.runs import Cost, Run, Ways, cost_of, parallel, single
from stepsched.targets import (
    QueueTarget,
    SingleTarget,
    Target,
    TopicTarget,
    parts_of,
    takes_input,
)

LONGEST_RUN = timedelta(days=60)


def machine_of(job: Job, *, max_events: int = MAX_EVENTS) -> StateMachine:
    """The machine of a job.

    Args:
        job: Any job that AWS can run without a process of ours.
        max_events: How long an execution's history may grow.

    Raises:
        RenderError: The job asks for what Step Functions cannot do.
    """
    try:
        return _Loop(job, max_events).machine()
    except ValueError as error:
        if isinstance(error, RenderError):
            raise
        raise RenderError(job.name, str(error)) from error


class JobMachine(StateMachine, frozen=True):
    """The machine of a job, which knows what its turns take."""

    _budget: Budget | None = PrivateAttr(default=None)

    @classmethod
    def with_budget(cls, budget: Budget, **fields: Any) -> Self:
        """A machine with these fields."""
        machine = cls(**fields)
        machine._budget = budget
        return machine

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed; with other states it has the budget of any definition."""
        copy = super().replace(**changes)
        if "states" not in changes:
            copy._budget = self._budget  # noqa: SLF001 -- its own
        return copy

    def budget(self) -> Budget:
        """Events and transitions of a turn, and how many turns one execution holds. A machine that was read
        from its text does not know the job, and counts a run's retries once."""
        return super().budget() if self._budget is None else self._budget


class _Loop:
    """One job's machine being built."""

    def __init__(self, job: Job, max_events: int) -> None:
        self.job = job
        self.max_events = max_events
        self.timing = timing_of(job.schedule)
        self.once = job.is_one_time
        self.begins_now = job.starts_at_creation
        # A single run overlaps nothing, so it is waited for where that is possible.
        self.wait = job.overlap is not Overlap.ALLOW or self.once
        self.stops = self.once or job.on_failure is OnFailure.STOP
        if job.max_run_time is not None and job.max_run_time > LONGEST_RUN:
            raise ValueError(
                f"max_run_time {job.max_run_time} is longer than {LONGEST_RUN.days} days, which is what an "
                "execution has left for a run before it ends after a year"
            )
        self.timeout = None if job.max_run_time is None else whole_seconds("max_run_time", job.max_run_time)
        check_policies(job)
        check_input(job)
        self.parts = parts_of(job.target)
        self.partition = self.one_partition()
        self.works = self.calls()

    def one_partition(self) -> str:
        """Where the targets are, the machine is."""
        told = [part for part in (self.job.dead_letter, self.job.notify) if part is not None]
        places = {place for part in (*self.parts, *told) for place in places_of(part)}
        for word, found in (
            ("partitions", sorted({partition for partition, _ in places})),
            ("Regions", sorted({region for _, region in places if region})),
        ):
            if len(found) > 1:
                raise ValueError(
                    f"its targets lie in the {word} {' and '.join(found)}, and a machine reaches its own; "
                    "make a job for each"
                )
        return next((partition for partition, _ in places), "aws")

    def machine(self) -> StateMachine:
        told = notices(self.job, self.message(None, "$string($failure.attempts)"), self.partition, self.last)
        ways = Ways(
            self.again,
            next(iter(told), self.last),
            self.after(),
            on_failure=cost_of(told, *told, retries=True),
            counts=not self.once,
        )
        run = single(self.works[0], ways) if len(self.works) == 1 else parallel(self.works, ways)
        counted = {"Init": self.init(0), **self.plan(0, 0)}
        beginning = 1 + cost_of(counted, "Init").events  # the start of the execution with it
        planning = cost_of(counted, *self.planning)
        limit = self.max_events - run.worst.events - planning.events - renewal_events()
        self.check_limit(run, limit, beginning + planning.events + run.usual.events)
        states: dict[str, State] = {
            "Init": self.init(beginning),
            **self.plan(limit, planning.events + run.usual.events),
            **run.states,
            **told,
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
        """Refuses an input that fits nowhere. What is small is not weighed."""
        text = to_json(self.job.input)
        if self.job.dead_letter is not None or any(map(_is_message, self.parts)):
            text = to_json(text)
        size = len(text.encode())
        size = max(size, *(weight for weight in map(_own_weight, self.parts)))
        if size > MAX_PAYLOAD_BYTES - 2_000:
            raise RenderError(
                self.job.name,
                f"the input takes {size:,} bytes on its way; Step Functions hands over {MAX_PAYLOAD_BYTES:,} "
                "with all that belongs to it: keep large data elsewhere and pass where it is",
            )
        if (size + 1) * (len(self.works) + 1) > LARGEST // 8:  # escapes may take six times the room
            size = len(machine.to_json(indent=None).encode())
            if size > LARGEST:
                raise RenderError(
                    self.job.name,
                    f"its definition takes {size:,} bytes, and Step Functions allows {LARGEST:,}; "
                    "give less input or fewer targets",
                )

    @property
    def planning(self) -> tuple[str, ...]:
        """The states before a run."""
        return ("More?", "Sleep") if self.once else ("Plan", "More?", "Sleep")

    def check_limit(self, run: Run, limit: int, least: int) -> None:
        """Refuses a job of which not even one run fits into an execution."""
        if limit < least:
            raise RenderError(
                self.job.name,
                f"a single run may write {run.worst.events:,} events, and an execution holds "
                f"{self.max_events:,}; give fewer retries or fewer targets",
            )

    def budget(self, run: Run, planning: Cost, fixed_events: int) -> Budget:
        """What a turn takes; the retries in it are a loop of which only the job knows the turns."""
        usual, worst = planning.and_then(run.usual), planning.and_then(run.worst)
        on_the_way = run.states if "All done?" in run.states else ("Run",)
        return Budget(
            usual=Turn(states=(*self.planning, *on_the_way), **usual._asdict()),
            worst=Turn(states=(*self.planning, *run.states), **worst._asdict()),
            fixed_events=fixed_events,
            loops=not self.once,
        )

    # -- when -------------------------------------------------------------------------------------------

    def init(self, spent: int) -> Pass:
        """Everything that the execution knows: from the definition, or from the one before it.

        Args:
            spent: The events that are written when it is left.
        """
        begun = _given("begun", START)
        plan = dict(self.timing.plan)
        if self.begins_now:  # the grid of a rate without start is laid here (P-12)
            plan = {"origin": f"{{% $floor($toMillis({begun}) / 1000) %}}", **plan}
        assign: dict[str, Any] = {"due": _text(plan["origin"])} if self.once else {"plan": plan}
        assign |= {
            "after": f"{{% {self.cursor()} %}}",
            "begun": f"{{% {begun} %}}",
            "since": f"{{% {_given('since', f'$floor($toMillis({START}) / 1000)')} %}}",
            "generation": f"{{% {_given('generation', '1')} %}}",
            "series": "{% "
            + _given(
                "series",
                "$substring($states.context.Execution.Name, 0, 50) & '-' & $string($toMillis(" + START + "))",
            )
            + " %}",
            "runs": f"{{% {_given('runs', '0')} %}}",
            "spent": spent,
            "attempt": 0,
        }
        comment = "The job, and where the execution before this one has left off"
        return Pass(comment=comment, assign=assign, output={}, next="More?" if self.once else "Plan")

    def cursor(self) -> str:
        """The instant after which runs are planned, when the execution begins."""
        first = f"$fromMillis($toMillis({START}) - 1000)" if self.begins_now else START
        if self.job.catch_up is CatchUp.SKIP:  # what came due before the first execution is not made up for
            ahead = (
                f"$exists($states.input.generation) or $toMillis($states.input.after) > $toMillis({START})"
            )
            return f"$exists($states.input.after) and ({ahead}) ? $states.input.after : {first}"
        return _given("after", first)

    def plan(self, limit: int, turn: int) -> dict[str, State]:
        """The states up to the run.

        Args:
            limit: The events after which no further run is begun: the worst run fits in, and handing over.
            turn: The events of planning and of a run in which all goes well.
        """
        text = (LATEST_RUN if self.job.catch_up is CatchUp.ONE else NEXT_RUN)[self.timing.kind]
        never = "$toMillis($due) <= $toMillis($after)" if self.once else f"$due = '{NEVER}'"
        rules = [condition(never).then("Done", comment="no run is left"), renew_rule(limit), rest_rule()]
        if self.once:
            del rules[1]
        planned = {"due": text, "attempt": 0, "spent": f"{{% $spent + {turn} %}}"}
        states: dict[str, State] = (
            {} if self.once else {"Plan": Pass(comment=_PLAN, assign=planned, next="More?")}
        )
        return states | {
            "More?": Choice(choices=tuple(rules), default="Sleep"),
            "Sleep": Wait(timestamp=self.moment(), next="Run"),
        }

    def moment(self) -> str:
        """When the run starts: at the scheduled instant, or within the jitter after it."""
        jitter = whole_seconds("jitter", self.job.jitter)
        if not jitter:
            return "{% $due %}"
        return f"{{% $fromMillis($toMillis($due) + 1000 * $floor($random() * {jitter + 1})) %}}"

    # -- what -------------------------------------------------------------------------------------------

    def calls(self) -> list[Work]:
        """What a run attempts: one call, or as many as a parallel target has parts."""
        works = []
        for number, part in enumerate(self.parts, 1):
            message = self.message(number if len(self.parts) > 1 else None)
            call = call_of(part, message, wait=self.wait, partition=self.partition)
            check_call(call)
            if not call.waits_for_completion:
                self.check_started(f"{type(part).__name__}{call.because}")
            works.append(Work(call, self.job.retry, self.timeout))
        return works

    def check_started(self, name: str) -> None:
        """Refuses what would have to know the end of something that is only started."""
        if self.job.overlap is not Overlap.ALLOW:
            raise RenderError(
                self.job.name,
                f"overlap {self.job.overlap.value!r}: Step Functions cannot wait for what a {name} starts; "
                "use Overlap.ALLOW, or a StateMachineTarget that waits for it",
            )
        if self.timeout is not None:
            mend = "leave max_run_time out" if self.once else "use Overlap.SKIP or QUEUE, or leave it out"
            raise RenderError(
                self.job.name,
                f"max_run_time {self.job.max_run_time}: the machine does not wait for what a {name} "
                f"starts; {mend}",
            )

    def message(self, part: int | None, number: str = "$string($attempt + 1)") -> Message:
        """What a part of the run hands over; None: the whole."""
        if part:
            number = f"$string($tries_{part} + 1)"
        of_part = f" & '/{part}'" if part else ""
        attributes = {
            SCHEDULE_ARN: "$states.context.StateMachine.Id",
            SCHEDULED_TIME: "$due",
            EXECUTION_ID: f"$states.context.Execution.Name & '/' & $due{of_part} & '/' & {number}",
            ATTEMPT_NUMBER: number,
        }
        key = f"{self.job.group}/{self.job.name}/{part}"
        return Message(self.job.input, key, self.job.name, "$due", attributes)

    def after(self) -> dict[str, str]:
        """What a finished run sets: the cursor and the count."""
        passed = "$millis() > $toMillis($due) ? $fromMillis($millis() - 1) : $due"
        skips = self.job.overlap is Overlap.SKIP
        return {"after": f"{{% {passed if skips else '$due'} %}}", "runs": "{% $runs + 1 %}"}

    @property
    def again(self) -> str:
        """The state after a run."""
        return "Done" if self.once else "Plan"

    # -- giving up --------------------------------------------------------------------------------------

    @property
    def last(self) -> str:
        """Where a failed run leads in the end."""
        return "Stopped" if self.stops else self.again


def _is_message(target: Target) -> bool:
    """Whether the input travels as text inside of JSON."""
    return isinstance(target, (QueueTarget, TopicTarget))


def _own_weight(target: SingleTarget) -> int:
    """The bytes of what a target brings in place of the input."""
    brought = () if takes_input(target) else [value for _, value in target if isinstance(value, dict)]
    return sum(len(to_json(value).encode()) for value in brought)


def _given(name: str, otherwise: str) -> str:
    return f"$exists($states.input.{name}) ? $states.input.{name} : {otherwise}"


def _text(seconds: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat() + "Z"


_PLAN = "The first run after $after"
