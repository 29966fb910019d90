"""Makes the several calls of a run, and keeps in memory which of them have succeeded: the parts of a
:class:`ParallelTarget`, and the messages of a :class:`FanOutTarget`.

After the end of the process all calls of a run are made again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextvars import copy_context
from datetime import timedelta
from typing import NamedTuple

from pydantic import JsonValue

from stepsched.core.clock import PlayableClock
from stepsched.core.forks import only_here
from stepsched.core.outcomes import GRACE, storable, too_long, trace, words
from stepsched.jobs import Run
from stepsched.targets import (
    ApiTarget,
    CommandTarget,
    FanOutTarget,
    HttpTarget,
    ParallelTarget,
    SingleTarget,
)
from stepsched.webhooks.sending import DeliveryError

REMEMBERED = 10_000
"""The maximum number of runs whose succeeded calls are kept; the oldest are dropped, and all their calls are
made again."""
_NAMES = 3_000
"""The maximum number of characters for the failures of all parts together, so that all are named."""

Call = Callable[[int, SingleTarget], "str | None"]
"""A function that calls a part, by its index: it returns the result as text, or raises the exception of the
part."""


class _Done(NamedTuple):
    """The calls of a run that have succeeded."""

    target: ParallelTarget | FanOutTarget
    answers: dict[int, str | None]
    """The results by the index of the part or message."""


class Parts:
    """The memory of succeeded parts and messages, and their calls."""

    def __init__(self, clock: PlayableClock | None) -> None:
        """Creates the object. Parts are called in parallel; with a fake clock in order, in the caller's
        thread."""
        self._clock = clock
        self._lock = threading.Lock()
        self._done: dict[int, dict[int | None, _Done]] = {}
        """The succeeded calls by the ID of the run, in the order of the latest calls: those of each part that
        has several by its index, and the parts themselves by None."""

    def call(self, target: ParallelTarget, run: Run, limit: timedelta | None, call: Call) -> str | None:
        """Calls the parts of a run that have not succeeded yet, and waits for all of them.

        Args:
            target: The parts. If it differs from that of an earlier attempt, all of them are called.
            run: The run. Its first attempt calls all parts.
            limit: The timeout of each part, from the beginning of its call. None: no timeout.
            call: The function that calls a part.

        Returns:
            The results as a JSON list in the order of the parts, truncated; None if no part has a result.

        Raises:
            PartsFailedError: At least one part failed.
        """
        answers = self._begin(target, run, None).answers
        left = {place: part for place, part in enumerate(target.targets) if place not in answers}
        late: tuple[Future[str | None], ...] = ()
        if self._clock is None:
            failures, late = _side_by_side(left, answers, limit, call)
        else:
            failures = _in_order(left, answers, limit, call, self._clock)
        if failures:
            raise PartsFailedError(target, failures, late) from next(iter(failures.values()))
        return _joined(answers[place] for place in range(len(target.targets)))

    def send(
        self, target: FanOutTarget, run: Run, place: int, call: Callable[[str], str | None]
    ) -> str | None:
        """Handles the messages of a target in order, from the first that has not been handled yet.

        Args:
            target: The messages. If they differ from those of an earlier attempt, all of them are handled.
            run: The run. Its first attempt handles all messages.
            place: The index of the target in a :class:`ParallelTarget`; 0 if it is not in one.
            call: The function that handles a message: it returns the result as text, or raises an exception,
                which ends the attempt.

        Returns:
            The results as a JSON list in the order of the messages, truncated; None if there is none.
        """
        done = self._begin(target, run, place)
        for number, text in enumerate(target.messages):
            if number in done.answers:
                continue
            if not self._is_current(done, run, place):
                raise TimeoutError("the attempt has ended; another one handles the messages that are left")
            done.answers[number] = call(text)
        return _joined(done.answers[number] for number in range(len(target.messages)))

    def reset(self) -> None:
        """Resets the state in a child process: the lock may have been held by a thread of the parent."""
        self._lock = threading.Lock()
        self._done = {}

    def forget(self, run: Run) -> None:
        """Forgets which calls of a run have succeeded."""
        with self._lock:
            self._done.pop(run.id, None)

    def _begin(self, target: ParallelTarget | FanOutTarget, run: Run, place: int | None) -> _Done:
        """Begins an attempt. An earlier one that still goes on is no longer the current one."""
        with self._lock:
            of_run = self._done.pop(run.id, {})
            known = of_run.get(place)
            is_known = known is not None and run.attempt > 1 and known.target == target
            done = of_run[place] = _Done(
                target, dict(known.answers) if known is not None and is_known else {}
            )
            self._done[run.id] = of_run
            if len(self._done) > REMEMBERED:
                del self._done[next(iter(self._done))]
            return done

    def _is_current(self, done: _Done, run: Run, place: int) -> bool:
        with self._lock:
            return self._done.get(run.id, {}).get(place) is done


class PartsFailedError(Exception):
    """Some parts of a target failed."""

    def __init__(
        self,
        target: ParallelTarget,
        failures: Mapping[int, BaseException],
        late: Sequence[Future[str | None]] = (),
    ) -> None:
        super().__init__(target, failures)
        self.target = target
        self.failures = failures
        """The failures by the index of the part."""
        self.late = tuple(late)
        """The parts whose calls still run after their timeout."""
        calls = [error for error in failures.values() if type(error) is DeliveryError]
        pauses = [error.retry_after for error in calls if error.retry_after is not None]
        self.retry_after = max(pauses, default=None)
        """The longest pause that a receiver asked for."""
        self.is_gone = all(error.is_gone for error in calls) and len(calls) == len(failures)
        """Whether no failed part is to be called again."""

    def trace(self) -> str | None:
        """Returns the traceback of the first failed part that has one."""
        return next(filter(None, map(trace, self.failures.values())), None)

    def __str__(self) -> str:
        parts, room = self.target.targets, _NAMES // len(self.failures)
        told = (f"part {place + 1} ({_name(parts[place])}): {words(e)}" for place, e in self.failures.items())
        return f"{len(self.failures)} of {len(parts)} parts failed: {'; '.join(each[:room] for each in told)}"


def _name(part: SingleTarget) -> str:
    """Returns the class of a part and its resource, such as ``LambdaTarget arn:aws:lambda:…``."""
    match part:
        case ApiTarget(service=service, action=action):
            what = f"{service}:{action}"
        case CommandTarget(command=(program, *_)):
            what = program
        case HttpTarget(host=host):
            what = host
        case _:
            fields = type(part).model_fields.items()
            what = next(getattr(part, name) for name, field in fields if field.is_required())
    return f"{type(part).__name__} {what}"


def _side_by_side(
    left: Mapping[int, SingleTarget], answers: dict[int, str | None], limit: timedelta | None, call: Call
) -> tuple[dict[int, BaseException], tuple[Future[str | None], ...]]:
    """Calls each part in a separate thread, and stops waiting for a part after its timeout.

    Returns:
        The failures by index, and the parts that still run.
    """
    futures = {place: Future[str | None]() for place in left}
    for place, future in futures.items():
        threading.Thread(
            target=copy_context().run,  # so that they have the same current span as the run
            args=(_work, future, call, place, left[place]),
            name="stepsched-part",
            daemon=True,
        ).start()
    wait(futures.values(), None if limit is None else (limit + GRACE).total_seconds())
    failures, late = dict[int, BaseException](), list[Future[str | None]]()
    for place, future in futures.items():
        if not future.done():
            late.append(future)
            failures[place] = too_long(limit)
            continue
        error = future.exception()
        if error is None:
            answers[place] = future.result()
        else:
            failures[place] = error
    return failures, tuple(late)


def _work(future: Future[str | None], call: Call, place: int, part: SingleTarget) -> None:
    try:
        answer = only_here(lambda: call(place, part))
    except BaseException as error:  # noqa: BLE001 -- whatever user code raises is the outcome
        future.set_exception(error)
    else:
        future.set_result(answer)


def _in_order(
    left: Mapping[int, SingleTarget],
    answers: dict[int, str | None],
    limit: timedelta | None,
    call: Call,
    clock: PlayableClock,
) -> dict[int, BaseException]:
    failures = dict[int, BaseException]()
    for place, part in left.items():
        began = clock.now()
        try:
            answer = call(place, part)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- as above; what interrupts a play goes on
            failures[place] = error
            continue
        if limit is not None and clock.now() - began > limit:
            failures[place] = too_long(limit)
        else:
            answers[place] = answer
    return failures


def _joined(answers: Iterable[str | None]) -> str | None:
    listed = [None if answer is None else _value(answer) for answer in answers]
    if all(value is None for value in listed):
        return None
    return storable(json.dumps(listed, ensure_ascii=False))


def _value(answer: str) -> JsonValue:
    """Returns the decoded result if it is JSON, otherwise its text."""
    try:
        value: JsonValue = json.loads(answer)
    except (ValueError, RecursionError):
        return answer
    return value
