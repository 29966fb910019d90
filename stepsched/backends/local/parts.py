"""Calls the parts of a :class:`ParallelTarget`, and remembers which of them have succeeded.

The memory is this process's own: after its end, all parts of a run are called again.
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

from stepsched.backends.local.outcomes import GRACE, storable, too_long, words
from stepsched.backends.local.process import only_here
from stepsched.core.clock import PlayableClock
from stepsched.jobs import Run
from stepsched.targets import ApiTarget, CommandTarget, ParallelTarget, SingleTarget

REMEMBERED = 10_000
"""Runs whose succeeded parts are known at most; the oldest go first, and theirs are called again."""
_NAMES = 3_000
"""Characters for the failures of all parts together, so that the last one is named too."""

Call = Callable[[SingleTarget], "str | None"]
"""Runs a part to its end; answers as text, and raises what the part raises."""


class _Done(NamedTuple):
    """What has succeeded of a run."""

    target: ParallelTarget
    answers: dict[int, str | None]
    """By the part's place."""


class Parts:
    """See the module."""

    def __init__(self, clock: PlayableClock | None) -> None:
        """Parts that are called side by side; on a played clock in order, in the caller's thread."""
        self._clock = clock
        self._lock = threading.Lock()
        self._done: dict[int, _Done] = {}
        """By the run's id, those called latest at the end."""

    def call(self, target: ParallelTarget, run: Run, limit: timedelta | None, call: Call) -> str | None:
        """Calls the parts of a run that have not succeeded yet, and awaits them all.

        Args:
            target: The parts. Where it is not what an earlier attempt had, all of them are called.
            run: Whose attempt it is. The first one calls all parts.
            limit: How long each part may take, from the beginning of its call. None: as long as it takes.
            call: What calls a part.

        Returns:
            The parts' answers as a JSON list in their order, bounded; None where no part gave any.

        Raises:
            PartsFailedError: At least one part failed.
        """
        answers = self._begin(target, run)
        left = {place: part for place, part in enumerate(target.targets) if place not in answers}
        late: tuple[Future[str | None], ...] = ()
        if self._clock is None:
            failures, late = _side_by_side(left, answers, limit, call)
        else:
            failures = _in_order(left, answers, limit, call, self._clock)
        if failures:
            raise PartsFailedError(target, failures, late) from next(iter(failures.values()))
        return _joined(answers[place] for place in range(len(target.targets)))

    def reset(self) -> None:
        """In a child process: a lock may have been held by a thread of the parent."""
        self._lock = threading.Lock()
        self._done = {}

    def forget(self, run: Run) -> None:
        """Forgets what has succeeded of a run."""
        with self._lock:
            self._done.pop(run.id, None)

    def _begin(self, target: ParallelTarget, run: Run) -> dict[int, str | None]:
        with self._lock:
            known = self._done.pop(run.id, None)
            if known is None or run.attempt <= 1 or known.target != target:
                known = _Done(target, {})
            self._done[run.id] = known
            if len(self._done) > REMEMBERED:
                del self._done[next(iter(self._done))]
            return known.answers


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
        """By the part's place."""
        self.late = tuple(late)
        """Parts whose calls go on, although nobody awaits them any longer."""

    def __str__(self) -> str:
        parts, room = self.target.targets, _NAMES // len(self.failures)
        told = (f"part {place + 1} ({_name(parts[place])}): {words(e)}" for place, e in self.failures.items())
        return f"{len(self.failures)} of {len(parts)} parts failed: {'; '.join(each[:room] for each in told)}"


def _name(part: SingleTarget) -> str:
    """The class of a part and what it invokes, such as ``LambdaTarget arn:aws:lambda:…``."""
    match part:
        case ApiTarget(service=service, action=action):
            what = f"{service}:{action}"
        case CommandTarget(command=(program, *_)):
            what = program
        case _:
            fields = type(part).model_fields.items()
            what = next(getattr(part, name) for name, field in fields if field.is_required())
    return f"{type(part).__name__} {what}"


def _side_by_side(
    left: Mapping[int, SingleTarget], answers: dict[int, str | None], limit: timedelta | None, call: Call
) -> tuple[dict[int, BaseException], tuple[Future[str | None], ...]]:
    """Each part in a thread of its own, that nobody awaits any longer once it has taken too long.

    Returns:
        The failures by place, and the parts that go on.
    """
    futures = {place: Future[str | None]() for place in left}
    for place, future in futures.items():
        threading.Thread(
            target=copy_context().run,  # so that a span around the run is theirs as well
            args=(_work, future, call, left[place]),
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


def _work(future: Future[str | None], call: Call, part: SingleTarget) -> None:
    try:
        answer = only_here(lambda: call(part))
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
            answer = call(part)
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
    """What an answer says where it is JSON, else its text."""
    try:
        value: JsonValue = json.loads(answer)
    except (ValueError, RecursionError):
        return answer
    return value
