"""A backend on played time that notes down every call."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from threading import Lock
from types import TracebackType
from typing import NamedTuple, get_args

from pydantic import JsonValue
from typing_extensions import Self

from stepsched.backends.local import LocalBackend
from stepsched.client import SchedulerClient
from stepsched.jobs import Run
from stepsched.targets import AwsTarget
from stepsched.testing.clock import FakeClock

_START = datetime(2030, 1, 1, tzinfo=timezone.utc)


class Call(NamedTuple):
    """One call of a target."""

    job: str
    """The job's name."""
    scheduled_for: datetime
    """In the schedule's zone."""
    input: JsonValue
    run: Run
    target: AwsTarget | None
    """The target in AWS that the call stands for; None for a handler."""


class Recorder:
    """A handler that notes its calls down, and fails or answers as it is told.

    It serves as a target, ``HandlerTarget(recorder)``, and in the place of AWS targets,
    ``LocalBackend(handlers={LambdaTarget: recorder})``.

    Example:
        >>> recorder = Recorder(answer="done", failures=1)
        >>> recorder.calls
        []
    """

    def __init__(self, *, answer: object = None, failures: int = 0) -> None:
        """A recorder.

        Args:
            answer: What it returns; a function is called with the :class:`Call`.
            failures: How many calls fail first, with a ``RuntimeError``.
        """
        self.calls: list[Call] = []
        self.failures = failures
        self._answer = answer
        self._lock = Lock()

    def __call__(self, *received: object, run: Run) -> object:
        """Notes a call down.

        Args:
            received: The job's input, or the target in AWS that it stands for and the input.
            run: The run.
        """
        target, payload = received if len(received) > 1 else (None, *received)
        call = Call(run.job, run.scheduled_for, payload, run, target)  # type: ignore[arg-type] # as the backend calls
        with self._lock:  # calls may come from several threads
            self.calls.append(call)
            fails = self.failures > 0
            self.failures -= fails
        if fails:
            raise RuntimeError("the recorder was told to fail")
        return self._answer(call) if callable(self._answer) else self._answer

    def of(self, job: str) -> list[datetime]:
        """The scheduled instants for which a job was called, in the order of the calls."""
        return [call.scheduled_for for call in self.calls if call.job == job]


class TimeTravel:
    """A client and an embedded backend on a clock that you move.

    Every target in AWS is stood for by ``recorder``, so that jobs run as they are written, whatever
    they invoke.

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

    def __init__(self, start: datetime = _START, *, recorder: Recorder | None = None) -> None:
        """A new world.

        Args:
            start: What the clock shows; aware. 1 January 2030, 00:00 UTC, unless told otherwise.
            recorder: What stands for targets in AWS. None: a new :class:`Recorder`.
        """
        self.clock = FakeClock(start)
        self.recorder = Recorder() if recorder is None else recorder
        self.backend = LocalBackend(
            clock=self.clock, handlers=dict.fromkeys(get_args(AwsTarget), self.recorder)
        )
        self.client = SchedulerClient(self.backend)

    def run_until(self, until: datetime) -> int:
        """Plays time up to an instant, inclusive; how many attempts were made."""
        return self.backend.run_until(until)

    def advance(self, step: timedelta) -> int:
        """Plays ``step`` of time; how many attempts were made."""
        return self.backend.advance(step)

    def close(self) -> None:
        """Ends this world."""
        self.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
