"""An embedded backend on a fake clock, with a recorder of its calls."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from threading import Lock
from types import TracebackType
from typing import NamedTuple, get_args

from pydantic import JsonValue
from typing_extensions import Self

from stepsched.backends.local import LocalBackend
from stepsched.backends.local.invoke import Replaceable
from stepsched.client import SchedulerClient
from stepsched.core.quoting import quoted
from stepsched.jobs import Run, RunStatus
from stepsched.schedules.moments import read_instant
from stepsched.testing.clock import FakeClock

_START = datetime(2030, 1, 1, tzinfo=timezone.utc)
_SHOWN = 5
"""Failed runs that one error lists."""


class Call(NamedTuple):
    """One call of a target."""

    job: str
    """The name of the job."""
    scheduled_for: datetime
    """The scheduled instant, in the zone of the schedule."""
    input: JsonValue
    """The input of the job."""
    run: Run
    """The run."""
    target: Replaceable | None
    """The target in AWS, or the URL, that the recorder replaces. None: the recorder is the target."""


class Recorder:
    """A handler that records its calls, and returns or fails as configured. Thread-safe.

    Use it as a target, ``HandlerTarget(recorder)``, or in place of targets in AWS and URLs,
    ``LocalBackend(handlers={LambdaTarget: recorder, HttpTarget: recorder})``.

    Example:
        >>> recorder = Recorder(answer="done", failures=1)
        >>> recorder.calls
        []
    """

    def __init__(self, *, answer: object = None, failures: int = 0) -> None:
        """A recorder.

        Args:
            answer: The return value. A function is called with the :class:`Call`, and its result is returned.
            failures: The number of calls that fail first, with a ``RuntimeError``.
        """
        self.calls: list[Call] = []
        self.failures = failures
        self._answer = answer
        self._lock = Lock()

    def __call__(self, *received: object, run: Run) -> object:
        """Records a call.

        Args:
            received: The input of the job, or the replaced target and the input.
            run: The run.

        Raises:
            RuntimeError: The call is one of the configured failures.
        """
        target, payload = received if len(received) > 1 else (None, *received)
        call = Call(run.job, run.scheduled_for, payload, run, target)  # type: ignore[arg-type] # as the backend calls
        with self._lock:  # calls may come from several threads
            self.calls.append(call)
            fails = self.failures > 0
            self.failures -= fails
        if fails:
            raise RuntimeError("a configured failure of the recorder")
        return self._answer(call) if callable(self._answer) else self._answer

    def of(self, job: str) -> list[datetime]:
        """The scheduled instants of the calls of a job, in the order of the calls."""
        return [call.scheduled_for for call in self.calls if call.job == job]


class TimeTravel:
    """A client and an embedded backend on a fake clock.

    ``recorder`` replaces every target in AWS and every URL, so that jobs run unchanged, whatever they invoke.

    Example:
        >>> import stepsched as ss
        >>> job = ss.Job(
        ...     name="report",
        ...     schedule=ss.Cron("0 9 ? * MON-FRI *", timezone="Europe/Paris"),
        ...     target=ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report"),
        ... )
        >>> with TimeTravel() as travel:
        ...     record = travel.client.create(job)
        ...     attempts = travel.advance(timedelta(days=7))
        >>> len(travel.recorder.of("report"))
        5
    """

    def __init__(
        self, start: datetime | str = _START, *, recorder: Recorder | None = None, strict: bool = False
    ) -> None:
        """A client and a backend on a new fake clock.

        Args:
            start: The instant that the clock shows first: an aware datetime, or an ISO 8601 string with an
                offset. The default is 1 January 2030, 00:00 UTC.
            recorder: The recorder that replaces targets in AWS and URLs. None: a new :class:`Recorder`.
            strict: Whether the end of ``with`` checks that no run has failed, as
                :meth:`assert_no_failures` does.

        Raises:
            TypeError: An argument has another type.
            ValueError: ``start`` is naive, or is no instant.
        """
        if recorder is not None and not isinstance(recorder, Recorder):
            raise TypeError(f"expected a Recorder for recorder, got {quoted(recorder)}")
        self.clock = FakeClock(start if isinstance(start, datetime) else read_instant(start) or _START)
        self.strict = strict
        self.recorder = Recorder() if recorder is None else recorder
        self.backend = LocalBackend(
            clock=self.clock, handlers=dict.fromkeys(get_args(Replaceable), self.recorder)
        )
        self.client = SchedulerClient(self.backend)

    def run_until(self, until: datetime) -> int:
        """Plays time up to an instant, inclusive, and returns the number of attempts."""
        return self.backend.run_until(until)

    def advance(self, step: timedelta) -> int:
        """Plays a duration, inclusive of its end, and returns the number of attempts."""
        return self.backend.advance(step)

    @property
    def now(self) -> datetime:
        """The instant that the clock shows, in UTC."""
        return self.clock.now()

    def assert_no_failures(self) -> None:
        """Checks that no run has failed for good.

        Raises:
            AssertionError: Runs have failed. The error lists them, and has the traceback of the first one.
        """
        failed = list(self.client.runs(status=RunStatus.FAILED))
        if failed:
            shown = [f"{run.job}, {run.scheduled_for.isoformat()}: {run.error}" for run in failed[:_SHOWN]]
            more = [f"and {len(failed) - _SHOWN} more"] if len(failed) > _SHOWN else []
            runs = "1 run has" if len(failed) == 1 else f"{len(failed)} runs have"
            lines = [f"{runs} failed for good:", *shown, *more, failed[0].traceback or ""]
            raise AssertionError("\n".join(lines).rstrip())

    def close(self) -> None:
        """Closes the backend."""
        self.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self.strict and kind is None:
                self.assert_no_failures()
        finally:
            self.close()
