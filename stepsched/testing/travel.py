"""An embedded backend on a fake clock, with recorders of its calls."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from pydantic import JsonValue
from typing_extensions import Self

from stepsched.backends.local import LocalBackend
from stepsched.backends.local.invoke import Replaceable, filled
from stepsched.client import SchedulerClient
from stepsched.core.masking import without_secrets
from stepsched.core.outcomes import storable
from stepsched.core.quoting import closest, quoted
from stepsched.core.values import whole_number
from stepsched.display.results import Displayed, DisplayedFields
from stepsched.jobs import Event, EventKind, Job, Run, RunStatus
from stepsched.schedules.moments import plain_moment, read_moment
from stepsched.targets import Target
from stepsched.testing.clock import FakeClock

if TYPE_CHECKING:  # loaded when something is shown
    from stepsched.display.table import Table

_START = datetime(2030, 1, 1, tzinfo=timezone.utc)
_SHOWN = 5
"""Failed runs that one error lists, and jobs whose calls are counted."""


class _Call(NamedTuple):
    job: str
    """The name of the job."""
    scheduled_for: datetime
    """The scheduled instant, in the zone of the schedule."""
    input: JsonValue
    """The input of the job."""
    run: Run
    """The run."""
    target: Target | None
    """The target that the recorder replaces, or wraps. None: the recorder is the target."""


class Call(DisplayedFields, _Call):
    """One call of a target."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Call({quoted(self.job)} at {self.scheduled_for.isoformat()})"


class Recorder(Displayed):
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
            failures: The number of calls that fail first, with a ``RuntimeError``; at least 0.

        Raises:
            ValueError: ``failures`` is not a whole number of at least 0.
        """
        self.calls: list[Call] = []
        self.failures = whole_number(failures, "failures")
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
        self._add(call)
        return self._outcome(call)

    def _add(self, call: Call) -> None:
        with self._lock:  # calls may come from several threads
            self.calls.append(call)

    def _outcome(self, call: Call) -> object:
        """Returns the answer to a call, or raises the next configured failure."""
        with self._lock:
            fails = self.failures > 0
            self.failures -= fails
        if fails:
            raise RuntimeError("a configured failure of the recorder")
        return self._answer(call) if callable(self._answer) else self._answer

    def of(self, job: str) -> list[datetime]:
        """The scheduled instants of the calls of a job, in the order of the calls. Empty for a name that no
        call has: a recorder does not know which jobs there are."""
        return [call.scheduled_for for call in self.calls if call.job == job]

    def __repr__(self) -> str:
        return f"<{self._caption()}>"

    def _caption(self) -> str:
        return f"recorder of {len(self.calls):,} call{'s' * (len(self.calls) != 1)}"

    def _shown_table(self) -> Table:
        from stepsched.display.table import Cell, table_of
        from stepsched.display.times import instant_text
        from stepsched.targets.words import json_text, target_text

        return table_of(
            self.calls,
            ("job", "scheduled", "attempt", "input", "target"),
            lambda call: (
                call.job,
                Cell(instant_text(call.scheduled_for), call.scheduled_for.timestamp()),
                Cell(str(call.run.attempt), call.run.attempt),
                json_text(without_secrets(call.input)),
                "the recorder" if call.target is None else target_text(call.target),
            ),
            caption=self._caption(),
            total=len(self.calls),
        )


class TimeTravel(Displayed):
    """A client and an embedded backend on a fake clock.

    ``recorder`` replaces every target in AWS and every URL, so that jobs run unchanged, whatever they invoke.
    Functions and commands run, unless they are recorded too: all with ``record="all"``, or those of single
    jobs with ``record=["report"]`` or :meth:`record`.

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
        self,
        start: datetime | str = _START,
        *,
        recorder: Recorder | None = None,
        record: Collection[str] | Literal["all"] = (),
        strict: bool = False,
    ) -> None:
        """A client and a backend on a new fake clock.

        Args:
            start: The instant that the clock shows first: an aware datetime, or an ISO 8601 string with an
                offset or a zone, such as ``2030-03-30T09:00Z`` or ``2030-03-30T09:00[Europe/Paris]``. The
                default is 1 January 2030, 00:00 UTC.
            recorder: The recorder that replaces targets in AWS and URLs. None: a new :class:`Recorder`.
            record: The names of the jobs, and of the steps of workflows, whose functions and commands
                ``recorder`` replaces too, so that they do not run. ``"all"``: of all.
            strict: Whether :meth:`check`, and so the end of ``with``, finds failed runs too, as
                :meth:`assert_no_failures` does.

        Raises:
            TypeError: An argument has another type.
            ValueError: ``start`` is naive, or is no instant.
        """
        if recorder is not None and not isinstance(recorder, Recorder):
            raise TypeError(f"expected a Recorder for recorder, got {quoted(recorder)}")
        if record != "all" and (isinstance(record, (str, Mapping)) or not isinstance(record, Collection)):
            own = getattr(record, "name", record)
            cure = f"; use [{own!r}]" if isinstance(own, str) else ""
            raise TypeError(f"expected 'all' or a list of names for record, got {quoted(record)}{cure}")
        if not isinstance(strict, bool):
            raise TypeError(f"expected True or False for strict, got {quoted(strict)}")
        begin = plain_moment(start) if isinstance(start, datetime) else _read(start, "start")
        self.clock = FakeClock(begin)
        self._zone: tzinfo = begin.tzinfo or timezone.utc
        self.strict = strict
        self.recorder = Recorder() if recorder is None else recorder
        self._records_all = record == "all"
        self._recorders = dict[str, tuple[Recorder, bool]]()
        """The recorders of single jobs by name, and whether they call the targets."""
        if not self._records_all:
            self._recorders = {_job_name(name): (self.recorder, False) for name in record}
        self.backend = LocalBackend(
            clock=self.clock, handlers=dict.fromkeys(get_args(Replaceable), self.recorder)
        )
        self.backend.wrap_calls(self._around)
        self._jobs = set[str]()
        """The names of all jobs that were ever created, and of the steps that were called."""
        self.backend.listen(self._note, [EventKind.CREATED])
        self.client = SchedulerClient(self.backend)

    def record(
        self, name: str, *, answer: object = None, failures: int = 0, calls_target: bool = False
    ) -> Recorder:
        """Records the calls of one job, or of one step of workflows, instead of making them. ``recorder`` has
        these calls too, in one order with all others.

        Args:
            name: The name of the job, which may be created later, or of the step. A name that no job and no
                step ever has is an error at the end, see :meth:`check`.
            answer: As for :class:`Recorder`.
            failures: As for :class:`Recorder`.
            calls_target: Whether the target is called all the same, after the configured failures, and its
                result is that of the run.

        Returns:
            The recorder of these calls.

        Raises:
            TypeError: ``name`` is not a string.
        """
        if calls_target and answer is not None:
            raise ValueError("expected no answer with calls_target=True; the target answers")
        recorder = Recorder(answer=answer, failures=failures)
        self._recorders[_job_name(name)] = (recorder, calls_target)
        return recorder

    def _around(self, job: Job, run: Run, call: Callable[[], str | None]) -> str | None:
        """Makes a call, or records it instead."""
        self._jobs.add(job.name)
        given = self._recorders.get(job.name) or ((self.recorder, False) if self._records_all else None)
        if given is None or job.target in (job.dead_letter, job.notify):  # what is told of a failed run
            return call()
        recorder, calls_target = given
        seen = Call(job.name, run.scheduled_for, filled(job, run), run, job.target)
        recorder._add(seen)  # noqa: SLF001 -- of this module
        is_own = calls_target and isinstance(job.target, get_args(Replaceable))  # which adds the call itself
        if recorder is not self.recorder and not is_own:
            self.recorder._add(seen)  # noqa: SLF001
        answer = recorder._outcome(seen)  # noqa: SLF001
        if calls_target:
            return call()
        return None if answer is None else storable(json.dumps(answer, ensure_ascii=False, default=repr))

    def _note(self, event: Event) -> None:
        self._jobs.add(event.job)

    def run_until(self, until: datetime | str) -> int:
        """Plays time up to an instant, inclusive, and returns the number of attempts.

        Args:
            until: The instant: an aware datetime, or a string as for ``start``.

        Raises:
            TypeError: ``until`` is neither.
            ValueError: ``until`` is naive, is no instant, or is before the clock's present.
        """
        return self.backend.run_until(_read(until, "until") if isinstance(until, str) else until)

    def advance(self, step: timedelta) -> int:
        """Plays a duration, inclusive of its end, and returns the number of attempts."""
        return self.backend.advance(step)

    @property
    def now(self) -> datetime:
        """The instant that the clock shows, in UTC."""
        return self.clock.now()

    def __repr__(self) -> str:
        return f"TimeTravel({self._shown_now.isoformat()}, {self.recorder!r})"

    @property
    def _shown_now(self) -> datetime:
        """The instant that the clock shows, in the zone of the start."""
        return self.now.astimezone(self._zone)

    def _shown_table(self) -> Table:
        from stepsched.display.table import record_table
        from stepsched.display.times import instant_text

        return record_table([("the clock shows", instant_text(self._shown_now)), ("calls", self._called())])

    def _called(self) -> str:
        counts = Counter(call.job for call in self.recorder.calls)
        shown = [f"{name} {count:,}" for name, count in counts.most_common(_SHOWN)]
        more = f" and {len(counts) - _SHOWN} more jobs" if len(counts) > _SHOWN else ""
        return ", ".join(shown) + more or "none"

    def assert_no_failures(self) -> None:
        """Checks that no run has failed for good, and that no run waits for a retry: its last attempt has
        failed, and time was not played up to the next one. A run that has succeeded at last counts as good.

        Raises:
            AssertionError: There are such runs. The error lists them, and has the traceback of the first one.
        """
        failed = list(self.client.runs(status=RunStatus.FAILED))
        pending = [run for run in self.client.runs(status=RunStatus.PENDING) if run.attempt and run.error]
        lines = [*_listed(failed, "failed for good"), *_listed(pending, "failed, with a retry to come")]
        if lines:
            raise AssertionError("\n".join([*lines, (failed or pending)[0].traceback or ""]).rstrip())

    def check(self) -> None:
        """Checks what the end of ``with``, and of a test with the fixture, checks: that a job or a step had
        each name to record and, if ``strict``, that no run has failed.

        Raises:
            AssertionError: A name is that of no job; or as for :meth:`assert_no_failures`.
        """
        missing = self._recorders.keys() - self._jobs
        if missing:
            flows = self.backend.workflows().definitions()
            known = self._jobs.union(step.name for each in flows for step in each.definition.steps)
            for name in sorted(missing - known):
                cure = closest(name, sorted(known)) if known else "create it, or do not record it"
                raise AssertionError(f"expected the name of a job to record, got {name!r}; {cure}")
        if self.strict:
            self.assert_no_failures()

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
            if kind is None:
                self.check()
        finally:
            self.close()


def _listed(runs: list[Run], what: str) -> list[str]:
    """Returns lines that list the first of some runs; none if there are none."""
    if not runs:
        return []
    shown = [f"{run.job}, {run.scheduled_for.isoformat()}: {run.error}" for run in runs[:_SHOWN]]
    more = [f"and {len(runs) - _SHOWN} more"] if len(runs) > _SHOWN else []
    return [f"{'1 run has' if len(runs) == 1 else f'{len(runs)} runs have'} {what}:", *shown, *more]


def _read(moment: object, argument: str) -> datetime:
    """Returns the instant of a text, in the zone that it names."""
    try:
        read = read_moment(moment)
    except ValueError as error:
        raise ValueError(_expected(moment, argument)) from error
    if read.tzinfo is None:
        raise ValueError(_expected(moment, argument))
    return read


def _expected(moment: object, argument: str) -> str:
    wanted = "a date and a time with an offset or a zone"
    cure = "'2030-03-30T09:00Z' or '2030-03-30T09:00[Europe/Paris]'"
    return f"expected {wanted} for {argument}, got {quoted(moment)}; use {cure}"


def _job_name(name: object) -> str:
    if not isinstance(name, str):
        own = getattr(name, "name", None)
        cure = f"; use {own!r}" if isinstance(own, str) else ""
        raise TypeError(f"expected the name of a job for record, got {quoted(name)}{cure}")
    return name
