"""Runs inside the emulator's own environment: starts it with clocks that whoever started it moves.

Scheduler's clock is the machine's, moved by what a file says. While waits are held there is one clock for
Scheduler and Step Functions, which stands still: commands that come in as lines on the standard input set
it, and their answers go out on the standard output. DynamoDB does one thing at a time, and what a busy
machine takes away from an evaluation does not count for its limit. Each expression is read once. A schedule
also calls APIs, which the emulator alone does not: as Step Functions calls them. State machines send batches
of messages. Summaries of templates tell their metadata. Where another server has AWS Batch, clients and state
machines call that.

Needs the standard library and the pinned emulator only. What it replaces are private names of some modules
of that version; if one of them is gone, it does not start.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import functools
import heapq
import importlib
import importlib.util
import itertools
import json
import math
import os
import queue
import sys
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, final

TICK = 0.2
"""Seconds between two sweeps over the schedules, besides those that are asked for."""
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
"""Instants are whole microseconds since `EPOCH` here."""
STATES = tuple(f"_execute_{kind}" for kind in ("choice", "map", "parallel", "pass", "task", "wait"))
ITEMS = (
    *("_get_item", "_put_item", "_update_item", "_delete_item", "_query", "_scan"),
    *("_batch_get_item", "_batch_write_item", "_transact_get_items", "_transact_write_items"),
)
"""What DynamoDB does with items: each as if it were alone."""
LOOKS = 256
"""Steps of an evaluation from one look at the clock to the next."""
TREES = 2_000
"""Expressions that are kept as they were read."""
SUBJECT = 100
"""Characters that the subject of a notification may have."""
NAP = 0.02
"""Seconds between two looks at what another server does."""
ENDLESS = 99_999
"""Seconds for which the emulator waits for a callback if the state has no timeout."""


class Unwind(BaseException):
    """Ends a frame and all that it waits for; the emulator catches no such thing."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame


class Frame:
    """An execution, or a task with a timeout. It knows those that wait for it."""

    def __init__(self, account: str, outer: Frame | None, deadline: int | None) -> None:
        self.account, self.outer, self.deadline = account, outer, deadline
        self.over = False
        self.late = False
        """Whether it is over because its deadline has come."""
        self.resting = set[Rest]()

    def chain(self) -> Iterator[Frame]:
        """Itself and those that wait for it, inside out."""
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.outer

    def check(self) -> None:
        """Raises `Unwind` for the outermost frame that is over."""
        ended = [frame for frame in self.chain() if frame.over]
        if ended:
            raise Unwind(ended[-1])


class Rest:
    """A thread that sleeps until an instant, or until somebody wakes it."""

    def __init__(self, frames: list[Frame], at: int | None) -> None:
        self.frames, self.at = frames, at
        self.account = frames[0].account
        self.asleep = False
        self.due = False
        """Whether it woke because its instant had come."""
        self.woken = threading.Event()


INSIDE: contextvars.ContextVar[Frame | None] = contextvars.ContextVar("INSIDE", default=None)


class HeldClock:
    """A clock that stands still, and who sleeps until which of its instants.

    It counts the threads that are busy, by account. Who falls asleep is no longer counted, and who is woken
    is counted before it runs: so nobody who has something to do is ever left out.
    """

    def __init__(self) -> None:
        self.held: int | None = None
        """The present, while waits are held."""
        self._changed = threading.Condition()
        self._busy = Counter[str]()
        self._sleepers = defaultdict[str, list[tuple[int, int, Rest]]](list)
        self._order = itertools.count()
        self._executions = dict[str, Frame]()

    def hold(self, at: int) -> None:
        """Makes ``at`` the present and wakes whose instant has come."""
        with self._changed:
            self.held = at
            for heap in self._sleepers.values():
                while heap and heap[0][0] <= at:
                    rest = heapq.heappop(heap)[2]
                    rest.due = rest.asleep
                    self._wake(rest)

    def release(self, patience: float) -> None:
        """Ends all executions; then the present is the machine's again."""
        with self._changed:
            for frame in self._executions.values():
                self._end(frame)
            try:
                self._await_rest(None, patience)
            finally:
                self.held = None
                self._sleepers.clear()

    def settle(self, account: str | None, patience: float) -> None:
        """Returns when nothing of the account, or of any, is busy."""
        with self._changed:
            self._await_rest(account, patience)

    def wakes(self, account: str | None) -> list[int]:
        """The instants at which those that sleep wake up."""
        with self._changed:
            return sorted(at for heap in self._heaps(account) for at, _, rest in heap if rest.asleep)

    def next_wake(self, account: str | None) -> int | None:
        with self._changed:
            heaps = self._heaps(account)
            for heap in heaps:
                while heap and not heap[0][2].asleep:
                    heapq.heappop(heap)
            return min((heap[0][0] for heap in heaps if heap), default=None)

    def take(self, account: str) -> None:
        """One more thread is busy."""
        with self._changed:
            self._busy[account] += 1

    def give(self, account: str) -> None:
        """One thread less is busy."""
        with self._changed:
            self._give(account)

    def wake(self, done: Callable[[], Rest | None]) -> None:
        """Wakes whom ``done`` names, if anybody; nobody falls asleep while it is asked."""
        with self._changed:
            rest = done()
            if rest is not None:
                self._wake(rest)

    def rest(self, frame: Frame, at: int | None, wanted: Callable[[Rest], bool] = lambda _: True) -> None:
        """Sleeps until ``at``, or until woken; not at all if that is not ``wanted`` any more.

        Raises `Unwind` if the frame or one around it is over, or ends before ``at``.
        """
        frames = list(frame.chain())
        until, bound = at, None
        for each in frames:
            if each.deadline is not None and (until is None or each.deadline < until):
                until, bound = each.deadline, each
        rest = Rest(frames, until)
        with self._changed:
            frame.check()
            if not wanted(rest):
                return
            rest.due = self.held is not None and until is not None and until <= self.held
            if not rest.due:
                rest.asleep = True
                for each in frames:
                    each.resting.add(rest)
                if until is not None:
                    heapq.heappush(self._sleepers[rest.account], (until, next(self._order), rest))
                self._give(rest.account)
        if not rest.due:
            rest.woken.wait()
        if rest.due and bound is not None:
            bound.over = bound.late = True
        frame.check()

    def enter(self, execution: str, frame: Frame) -> None:
        with self._changed:
            self._executions[execution] = frame

    def leave(self, execution: str, frame: Frame) -> None:
        with self._changed:
            if self._executions.get(execution) is frame:
                del self._executions[execution]

    def end(self, execution: str) -> None:
        """Whatever sleeps in the execution wakes up, and all of it unwinds."""
        with self._changed:
            if execution in self._executions:
                self._end(self._executions[execution])

    def _end(self, frame: Frame) -> None:
        frame.over = True
        for rest in list(frame.resting):
            self._wake(rest)

    def _wake(self, rest: Rest) -> None:
        if rest.asleep:
            rest.asleep = False
            for frame in rest.frames:
                frame.resting.discard(rest)
            self._busy[rest.account] += 1
            rest.woken.set()

    def _give(self, account: str) -> None:
        self._busy[account] -= 1
        if not self._busy[account]:
            self._changed.notify_all()

    def _heaps(self, account: str | None) -> list[list[tuple[int, int, Rest]]]:
        return list(self._sleepers.values()) if account is None else [self._sleepers[account]]

    def _await_rest(self, account: str | None, patience: float) -> None:
        def at_rest() -> bool:
            return not (any(self._busy.values()) if account is None else self._busy[account])

        if not self._changed.wait_for(at_rest, patience):
            running = [name for name, frame in self._executions.items() if not frame.resting]
            raise TimeoutError(f"still busy after {patience} s: {', '.join(running) or 'no execution'}")


class CountedThread(threading.Thread):
    """A thread that counts as busy from its start to its end; who joins it sleeps meanwhile."""

    def __init__(self, clock: HeldClock, account: str, options: dict[str, Any]) -> None:
        super().__init__(**options)
        self._clock, self._account = clock, account
        self._over = False
        self._joiner: Rest | None = None

    def start(self) -> None:
        self._clock.take(self._account)
        super().start()

    def run(self) -> None:
        try:
            super().run()
        except Unwind:
            pass
        finally:
            self._clock.wake(self._end)
            self._clock.give(self._account)

    def join(self, timeout: float | None = None) -> None:
        frame = INSIDE.get()
        if frame is None:
            super().join(timeout)
        else:
            self._clock.rest(frame, None, self._keep)

    def _end(self) -> Rest | None:
        self._over = True
        return self._joiner

    def _keep(self, joiner: Rest) -> bool:
        self._joiner = joiner
        return not self._over


class HeldEvent:
    """An event that somebody outside sets; who waits for it sleeps."""

    def __init__(self, clock: HeldClock) -> None:
        self._clock = clock
        self._event = threading.Event()
        self._waiter: Rest | None = None

    def set(self) -> None:
        self._clock.wake(self._end)

    def wait(self, timeout: float) -> bool:
        frame, held = INSIDE.get(), self._clock.held
        if frame is None or held is None:
            return self._event.wait(timeout)
        self._clock.rest(frame, None if timeout == ENDLESS else held + round(timeout * SECOND), self._keep)
        return self._event.is_set()

    def _end(self) -> Rest | None:
        self._event.set()
        return self._waiter

    def _keep(self, waiter: Rest) -> bool:
        self._waiter = waiter
        return not self._event.is_set()


@final
class CountedPool:
    """Does what was submitted when it is waited for, in counted threads."""

    def __init__(self, make_thread: Callable[..., threading.Thread], max_workers: int) -> None:
        self._make_thread, self._workers = make_thread, max_workers
        self._jobs: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    def __enter__(self) -> CountedPool:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Callable[..., object], *arguments: object) -> CountedPool:
        self._jobs.put(functools.partial(function, *arguments))
        return self

    def finish(self) -> None:
        count = min(self._workers, self._jobs.qsize())
        threads = [self._make_thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            job()


class ComputedTimeout(dict[str, Any]):
    """A Task state whose ``TimeoutSeconds`` is an expression, ``written``, which each attempt evaluates."""


class StepFunctions:
    """What stands in the emulator's Step Functions for its own: time, waits, retry delays and timeouts."""

    def __init__(self, names: dict[str, Any], clock: HeldClock) -> None:
        self._names, self._clock = names, clock
        self._emulated = dict(names)
        self._delay = threading.local()

    def install(self) -> None:
        replaced = {
            "_apply_jsonata_arguments": self._arguments,
            "_delete_state_machine": self._delete,
            **{name: self._checked(name) for name in STATES},
            "_fail_execution": self._fail,
            "_find_matching_retrier": self._retrier,
            "_invoke_resource_with_timeout": self._limited,
            "_register_sfn_jsonata_functions": self._functions,
            "_run_execution": self._run,
            "_run_parallel_branches": self._parallel,
            "_scaled_sleep": self._sleep,
            "_sleep_until": self._sleep_until,
            "_start_execution": self._start,
            "_stop_execution": self._stop,
            "ThreadPoolExecutor": lambda max_workers: CountedPool(self._thread, max_workers),
            "futures_wait": lambda pools: pools and pools[0].finish(),
            "now_iso": self._now_iso,
            "threading": SimpleNamespace(
                **{**vars(threading), "Thread": self._thread, "Event": lambda: HeldEvent(self._clock)}
            ),
            # Its one nap of fixed length is before an execution begins.
            "time": SimpleNamespace(**{**vars(time), "sleep": lambda _: None}),
        }
        used = {
            "_ExecutionError",
            "_SFN_WAIT_SCALE",
            "_add_event",
            "_apply_jsonata_output",
            "_emit_execution_status_event",
            "_executions",
            "_invoke_resource",
            "_jsonata_state_field",
            "_state_machines",
            "_state_query_language",
            "get_account_id",
        }
        refuse_if_missing("Step Functions", self._names, replaced.keys() | used)
        self._names.update(replaced)

    def _thread(self, **options: Any) -> CountedThread:
        return CountedThread(self._clock, self._names["get_account_id"](), options)

    def _now_iso(self) -> Any:
        held = self._clock.held
        if held is None:
            return self._emulated["now_iso"]()
        return (EPOCH + held * MICROSECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _functions(self, expression: Any) -> None:
        self._emulated["_register_sfn_jsonata_functions"](expression)
        held = self._clock.held
        if held is not None:
            millis = held // 1_000
            write = importlib.import_module("jsonata.functions").Functions.datetime_from_millis
            expression.register_lambda("millis", lambda: millis)
            expression.register_lambda("now", lambda picture=None, zone=None: write(millis, picture, zone))

    def _start(self, data: Any) -> Any:
        """What is started from within an execution is not part of it."""
        mark = INSIDE.set(None)
        try:
            return self._emulated["_start_execution"](data)
        finally:
            INSIDE.reset(mark)

    def _stop(self, data: Any) -> Any:
        answer = self._emulated["_stop_execution"](data)
        if answer[0] == 200:
            self._clock.end(data["executionArn"])
        return answer

    def _delete(self, data: Any) -> Any:
        """The emulator would forget the executions of a machine, but let them run on."""
        for arn, execution in list(self._names["_executions"].items()):
            if execution["stateMachineArn"] == data.get("stateMachineArn"):
                self._clock.end(arn)
        return self._emulated["_delete_state_machine"](data)

    def _run(self, arn: str) -> None:
        outer, account = INSIDE.get(), arn.split(":")[4]
        counted = outer is not None or isinstance(threading.current_thread(), CountedThread)
        frame = Frame(account, outer, self._deadline(arn))
        if not counted:
            self._clock.take(account)
        mark = INSIDE.set(frame)
        self._clock.enter(arn, frame)
        try:
            self._emulated["_run_execution"](arn)
        except Unwind as unwind:
            if frame.late and unwind.frame is frame:
                self._time_out(arn)
            else:
                self._emulated["_stop_execution"]({"executionArn": arn})
            if unwind.frame is not frame:
                raise
        finally:
            self._clock.leave(arn, frame)
            INSIDE.reset(mark)
            if not counted:
                self._clock.give(account)

    def _deadline(self, arn: str) -> int | None:
        held, execution = self._clock.held, self._names["_executions"].get(arn)
        machine = execution and self._names["_state_machines"].get(execution["stateMachineArn"])
        limit = timeout_of(machine["definition"]) if machine else None
        return None if held is None or limit is None else held + limit * SECOND

    def _time_out(self, arn: str) -> None:
        execution = self._names["_executions"].get(arn)
        if execution and execution["status"] == "RUNNING":
            execution.update(status="TIMED_OUT", stopDate=self._now_iso(), error="States.Timeout")
            self._names["_add_event"](execution, "ExecutionTimedOut")
            self._names["_emit_execution_status_event"](execution)

    def _fail(self, execution: Any, error: Any, cause: Any) -> None:
        """An execution that was stopped stays so, whatever its last task says."""
        if execution["status"] == "RUNNING":
            self._emulated["_fail_execution"](execution, error, cause)

    def _checked(self, name: str) -> Callable[..., Any]:
        """Runs states of a kind, but none in an execution that is over."""

        def execute(state: Any, *more: Any) -> Any:
            frame = INSIDE.get()
            if frame is not None:
                frame.check()
            if name == "_execute_task" and is_expression(state.get("TimeoutSeconds")):
                state = ComputedTimeout(state, written=state["TimeoutSeconds"])
            return self._emulated[name](state, *more)

        return execute

    def _parallel(self, state: Any, given: Any, execution: Any, context: Any) -> Any:
        """Runs branches, and gives their result the form that the state says, in JSONata too."""
        output, following = self._emulated["_run_parallel_branches"](state, given, execution, context)
        if self._names["_state_query_language"](state, context) == "JSONata":
            shape = self._names["_apply_jsonata_output"]
            output = shape(state, given, context, result=output, default=output)
        return output, following

    def _arguments(self, state: Any, given: Any, context: Any = None) -> Any:
        if isinstance(state, ComputedTimeout):
            field = {"TimeoutSeconds": state["written"]}
            evaluate = self._names["_jsonata_state_field"]
            state["TimeoutSeconds"] = evaluate(field, "TimeoutSeconds", "number", given, context)
        return self._emulated["_apply_jsonata_arguments"](state, given, context)

    def _limited(self, resource: str, given: Any, timeout: float) -> Any:
        """Runs a task for ``timeout`` seconds at most."""
        outer, held = INSIDE.get(), self._clock.held
        invoke, error = self._names["_invoke_resource"], self._names["_ExecutionError"]
        late = error("States.Timeout", f"Task timed out after {timeout} seconds")
        if outer is None or held is None:
            pool = concurrent.futures.ThreadPoolExecutor(max_workers=1)
            future = pool.submit(contextvars.copy_context().run, invoke, resource, given)
            pool.shutdown(wait=False)
            try:
                return future.result(timeout)
            except concurrent.futures.TimeoutError:
                raise late from None
        frame = Frame(outer.account, outer, held + round(timeout * SECOND))
        mark = INSIDE.set(frame)
        try:
            return invoke(resource, given)
        except Unwind as unwind:
            if unwind.frame is not frame:
                raise
            raise late from None
        finally:
            INSIDE.reset(mark)

    def _retrier(self, retriers: Any, error: Any, counts: Any) -> Any:
        """Notes the delay, which the emulator cuts to a minute."""
        found, index = self._emulated["_find_matching_retrier"](retriers, error, counts)
        if found is not None:
            delay = found.get("IntervalSeconds", 1) * found.get("BackoffRate", 2.0) ** counts.get(index, 0)
            self._delay.seconds = min(delay, found.get("MaxDelaySeconds", delay))
        return found, index

    def _sleep(self, seconds: float) -> None:
        frame, held = INSIDE.get(), self._clock.held
        delay = self._delay.__dict__.pop("seconds", seconds)
        if held is None:
            ends_at = time.monotonic() + seconds * self._names["_SFN_WAIT_SCALE"]
            while (left := ends_at - time.monotonic()) > 0:
                time.sleep(min(left, NAP))  # noqa: TID251 -- it is the clock here
                if frame is not None:  # what it is in may have been stopped
                    frame.check()
            if frame is not None:
                frame.check()
        elif frame is not None:
            self._clock.rest(frame, held + round(delay * SECOND))

    def _sleep_until(self, timestamp: str) -> None:
        frame = INSIDE.get()
        if self._clock.held is None:
            self._emulated["_sleep_until"](timestamp)
        elif frame is not None:
            try:
                at = (datetime.fromisoformat(timestamp.replace("Z", "+00:00")) - EPOCH) // MICROSECOND
            except (ValueError, TypeError):  # as the emulator does
                return
            self._clock.rest(frame, at)


class MovedTime:
    """The module ``time``, but what time it is differs by the seconds that a file holds, or is held."""

    def __init__(self, offset: Path, clock: HeldClock) -> None:
        self._offset, self._clock = offset, clock

    def time(self) -> float:
        held = self._clock.held
        if held is not None:
            return held / SECOND
        return time.time() + float(self._offset.read_text())  # noqa: TID251 -- it is the clock here

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class Sweep:
    """Looks at all schedules, and fires those that are due; one call at a time."""

    def __init__(self, sweep: Callable[[], object]) -> None:
        self._sweep, self._alone = sweep, threading.Lock()

    def __call__(self) -> None:
        with self._alone:
            self._sweep()


class Commands:
    """Answers the lines on the standard input, one by one, on what was the standard output.

    Whoever started this holds the other end of its input, so that it never outlives them.
    """

    def __init__(self, clock: HeldClock) -> None:
        self._clock = clock
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._input = os.fdopen(os.dup(0), encoding="utf-8")
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)  # so that no function reads commands
        os.dup2(2, 1)  # nor prints answers
        os.close(nothing)

    def start(self, sweep: Callable[[], object]) -> None:
        """Answers from now on. ``sweep`` looks at all schedules."""
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._answer, args=(sweep,), daemon=True).start()

    def _read(self) -> None:
        for line in self._input:
            self._lines.put(line)
        os._exit(0)

    def _answer(self, sweep: Callable[[], object]) -> None:
        while True:
            asked = json.loads(self._lines.get())
            try:
                answer = self._do(asked, sweep)
            except Exception as error:  # noqa: BLE001 -- told to whoever asks, who waits for an answer
                answer = {"error": repr(error)}
            self._output.write(json.dumps({"number": asked["number"], **answer}) + "\n")
            self._output.flush()

    def _do(self, asked: dict[str, Any], sweep: Callable[[], object]) -> dict[str, Any]:
        command, clock = asked["do"], self._clock
        if command == "hold":
            clock.hold(asked["at"])
            return {}
        if command == "release":
            clock.release(asked["patience"])
            return {}
        if command == "sweep":
            sweep()
            return {}
        clock.settle(asked["account"], asked["patience"])
        if command == "next_wake":
            return {"at": clock.next_wake(asked["account"])}
        return {"at": clock.wakes(asked["account"])}


def is_expression(value: object) -> bool:
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


@functools.lru_cache(maxsize=256)
def timeout_of(definition: str) -> int | None:
    """The ``TimeoutSeconds`` of a machine; None if there is none."""
    try:
        limit = json.loads(definition).get("TimeoutSeconds")
    except ValueError:
        return None
    return limit if isinstance(limit, int) else None


def refuse_if_missing(service: str, names: dict[str, Any], needed: set[str]) -> None:
    missing = needed - names.keys()
    if missing:
        sys.exit(f"the emulator's {service} has no {', '.join(sorted(missing))}: is it the pinned version?")


def move_clock(scheduler: ModuleType, folder: Path, clock: HeldClock) -> Sweep:
    """Gives the scheduler the moved time. Returns what makes it look at all schedules."""
    names = vars(scheduler)
    refuse_if_missing("scheduler", names, {"time", "_tick_schedules", "_SCHEDULE_TICK_INTERVAL"})
    names["time"] = MovedTime(folder / "offset", clock)
    names["_tick_schedules"] = sweep = Sweep(names["_tick_schedules"])
    names["_SCHEDULE_TICK_INTERVAL"] = TICK
    return sweep


def call_apis(eventbridge: ModuleType, states: ModuleType) -> None:
    """Makes the calls of universal targets, with the context attributes of each run filled in."""
    names, calls = vars(eventbridge), vars(states)
    refuse_if_missing("EventBridge", names, {"_invoke_target"})
    refuse_if_missing("Step Functions", calls, {"_SERVICE_DISPATCH", "_invoke_aws_sdk_integration"})
    invoke = names["_invoke_target"]

    def fire(target: Any, event: Any, rule: Any, view: Any = None) -> None:
        _, is_call, call = target.get("Arn", "").partition(":scheduler:::aws-sdk:")
        if not is_call:
            invoke(target, event, rule, view)
            return
        text = target["Input"]
        for name, value in _attributes(event, rule).items():
            text = text.replace(f"<aws.scheduler.{name}>", value)
        optimised = calls["_SERVICE_DISPATCH"].get(f"arn:aws:states:::{call}")
        resource = f"arn:aws:states:::{'' if optimised else 'aws-sdk:'}{call}"
        (optimised or calls["_invoke_aws_sdk_integration"])(resource, json.loads(text))

    names["_invoke_target"] = fire


def send_batches(states: ModuleType) -> None:
    """Calls of Amazon SQS by state machines have lists: the emulator would write them in the form of the
    older protocol, which it does not read itself."""
    names = vars(states)
    refuse_if_missing("Step Functions", names, {"_AWS_SDK_SERVICE_MAP"})
    names["_AWS_SDK_SERVICE_MAP"]["sqs"] = {"target_prefix": "AmazonSQS", "protocol": "json"}


def _attributes(event: Any, schedule: Any) -> dict[str, str]:
    due = datetime.fromtimestamp(event["Time"], timezone.utc)
    return {
        "schedule-arn": schedule["Arn"],
        "scheduled-time": f"{due:%Y-%m-%dT%H:%M:%SZ}",
        "execution-id": uuid.uuid4().hex[:16],
        "attempt-number": "1",
    }


def one_at_a_time(service: str, names: dict[str, Any], needed: tuple[str, ...]) -> None:
    """Lets no two of these functions run at once. Calls over HTTP come from one thread, but those of tasks
    from the threads of their executions: a write between the reading and the writing of another is lost."""
    refuse_if_missing(service, names, set(needed))
    lock = threading.RLock()

    def alone(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            with lock:
                return function(*arguments)

        return call

    for name in needed:
        names[name] = alone(names[name])


def tell_metadata(cloudformation: ModuleType) -> None:
    """Summaries of templates tell the metadata, as JSON, which the emulator leaves out."""
    names = vars(cloudformation)
    needed = {"_ACTION_HANDLERS", "_resolve_stack", "_parse_template", "_p", "_esc"}
    refuse_if_missing("CloudFormation", names, needed)
    handlers = names["_ACTION_HANDLERS"]
    summarise, end = handlers["GetTemplateSummary"], "</GetTemplateSummaryResult>"

    def summary(asked: Any) -> Any:
        status, headers, body = summarise(asked)
        stack = names["_resolve_stack"](names["_p"](asked, "StackName"))
        if status == 200 and stack:
            metadata = names["_parse_template"](stack["_template_body"]).get("Metadata")
            text = names["_esc"](json.dumps(metadata))
            element = f"<Metadata>{text}</Metadata>" if metadata else ""
            body = body.decode().replace(end, element + end).encode()
        return status, headers, body

    handlers["GetTemplateSummary"] = summary


def refuse_bad_notices(sns: ModuleType) -> None:
    """Amazon SNS refuses a message for many protocols that has none for the others, and a subject that is too
    long or has line breaks: the emulator takes them."""
    names = vars(sns)
    refuse_if_missing("SNS", names, {"publish_internal", "SnsPublishError"})
    publish = names["publish_internal"]

    def checked(topic: str, message: Any, subject: str = "", **more: Any) -> Any:
        problem = ""
        if more.get("message_structure") == "json" and not has_default(message):
            problem = "Message Structure - No default entry in JSON message body"
        elif subject and (len(subject) > SUBJECT or not subject.isprintable()):
            problem = "Subject"
        if problem:
            raise names["SnsPublishError"]("InvalidParameter", f"Invalid parameter: {problem}")
        return publish(topic, message, subject, **more)

    names["publish_internal"] = checked


def has_default(message: Any) -> bool:
    try:
        told = json.loads(message) if isinstance(message, str) else message
    except ValueError:
        return False
    return isinstance(told, dict) and isinstance(told.get("default"), str)


def limit_own_time(names: dict[str, Any]) -> None:
    """Counts for the limit of an evaluation, which is a second as on AWS, only the time of its own thread: on
    a busy machine many threads take turns."""
    refuse_if_missing("engine of JSONata", names, {"Timebox"})
    timebox = names["Timebox"]
    refuse_if_missing("engine of JSONata", vars(timebox), {"__init__", "check_runaway"})
    begin, check = timebox.__init__, timebox.check_runaway

    def begun(self: Any, *arguments: Any) -> None:
        self.steps, self.own = 0, time.thread_time()
        begin(self, *arguments)

    def checked(self: Any) -> None:
        self.steps += 1
        if self.steps % LOOKS and self.max_depth is None:  # to look at a clock takes time itself
            return
        # What it compares with the present: for as long as there is time left, what never lies behind it.
        is_over = self.timeout is not None and 1_000 * (time.thread_time() - self.own) > self.timeout
        self.time = -math.inf if is_over else math.inf
        check(self)

    timebox.__init__, timebox.check_runaway = begun, checked


def parse_once(names: dict[str, Any]) -> None:
    """Reads each expression once. The emulator does so for each evaluation, which takes most of its time;
    what has been read is not changed by evaluations."""
    refuse_if_missing("parser of JSONata", names, {"Parser", "default_regex_engine"})
    parser = names["Parser"]
    refuse_if_missing("parser of JSONata", vars(parser), {"parse"})
    parse = parser.parse

    @functools.lru_cache(maxsize=TREES)
    def tree(text: str, engine: Any) -> Any:
        return parse(parser(), text, engine)

    parser.parse = lambda _, text, engine=names["default_regex_engine"]: tree(text, engine)


def join_batch(app: ModuleType, states: ModuleType, clock: HeldClock) -> None:
    """Clients and tasks call AWS Batch of the server that ``STEPSCHED_BATCH`` names, if there is one."""
    url = os.environ.get("STEPSCHED_BATCH")
    if url is None:
        return
    names = vars(states)
    used = {"_ExecutionError", "_service_model", "_sdk_json_params", "_sdk_json_value", "get_region"}
    refuse_if_missing("Step Functions", names, used)
    refuse_if_missing("server", vars(app), {"SERVICE_HANDLERS"})
    # Its folder must not be on the path: the emulator's package would be hidden.
    place = Path(__file__).with_name("ministack_batch.py")
    spec = importlib.util.spec_from_file_location("ministack_batch", place)
    assert spec is not None
    assert spec.loader is not None
    joint = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(joint)
    joint.join(names, vars(app)["SERVICE_HANDLERS"], url, functools.partial(nap, clock))


def nap(clock: HeldClock) -> None:
    """Waits a little in a task that looks again and again; raises `Unwind` when what it is in is over."""
    time.sleep(NAP)  # noqa: TID251 -- what it looks at has the machine's time
    frame = INSIDE.get()
    if frame is None:
        return
    for each in frame.chain():
        if clock.held is not None and each.deadline is not None and each.deadline <= clock.held:
            each.over = each.late = True
    frame.check()


def main() -> None:
    if os.environ.get("BIND_HOST") != "127.0.0.1":
        sys.exit("BIND_HOST must be 127.0.0.1: the emulator runs any code that it is sent")
    clock = HeldClock()
    commands = Commands(clock)  # before anything is loaded that may read or print
    app = importlib.import_module("ministack.app")
    services = "ministack.services"
    folder = Path(os.environ["STEPSCHED_CLOCK"])
    commands.start(move_clock(importlib.import_module(f"{services}.scheduler"), folder, clock))
    states = importlib.import_module(f"{services}.stepfunctions")
    call_apis(importlib.import_module(f"{services}.eventbridge"), states)
    send_batches(states)
    one_at_a_time("dynamodb", vars(importlib.import_module(f"{services}.dynamodb")), ITEMS)
    refuse_bad_notices(importlib.import_module(f"{services}.sns"))
    tell_metadata(importlib.import_module(f"{services}.cloudformation.handlers"))
    limit_own_time(vars(importlib.import_module("jsonata.timebox")))
    parse_once(vars(importlib.import_module("jsonata.parser")))
    StepFunctions(vars(states), clock).install()
    join_batch(app, states, clock)
    app.main()


if __name__ == "__main__":
    main()
