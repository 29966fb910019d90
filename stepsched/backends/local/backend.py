"""The embedded backend: the verbs of the port, and the lifecycle of the engine."""

from __future__ import annotations

import asyncio
import builtins
import logging
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextvars import copy_context
from copy import deepcopy
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import ValidationError
from typing_extensions import Self

from stepsched.backends.base import Backend, JobQuery, Prepared, RunQuery, checked_job, checked_prepared
from stepsched.backends.capabilities import BUILT_IN
from stepsched.backends.local import policy
from stepsched.backends.local.documents import decode, encode, read
from stepsched.backends.local.engine import Engine
from stepsched.backends.local.flows.progress import Flows
from stepsched.backends.local.flows.tables import Tables
from stepsched.backends.local.invoke import NAME, Handler, Handlers, Invoker, Replaceable, Wrapper
from stepsched.backends.local.leases import Leases
from stepsched.backends.local.rows import DamagedRow, JobRow, in_zone
from stepsched.backends.local.store import Retention, Store
from stepsched.backends.local.workflows import LocalWorkflows
from stepsched.core.clock import Clock, PlayableClock, checked_clock
from stepsched.core.durations import seconds_of, step_of
from stepsched.core.errors import (
    BackendError,
    ConflictError,
    ErrorCode,
    InvalidScheduleError,
    InvalidTransitionError,
    JobExistsError,
    JobNotFoundError,
    StepschedError,
)
from stepsched.core.outcomes import one_line
from stepsched.core.quoting import quoted
from stepsched.core.signals import Signals
from stepsched.display.progress import reporting
from stepsched.jobs import Job, JobRecord, JobStatus, JobVersion, Run
from stepsched.jobs.events import Event, EventKind, Listener, RecordedEvent
from stepsched.jobs.records import first_status, status_after, status_after_update
from stepsched.jobs.unreadable import why_unreadable
from stepsched.schedules.moments import aware, just_before
from stepsched.targets import HandlerTarget, ParallelTarget, Target, WorkflowTarget, parts_of
from stepsched.webhooks.addresses import PrivateHosts
from stepsched.webhooks.sending import Sender

_log = logging.getLogger("stepsched.local")
_IN_A_LOOP = 5.0
"""The longest time in seconds that ``stop`` waits in the thread of an event loop, which it blocks."""
_FEW = 1_000
"""The number of jobs with functions in memory up to which those of deleted jobs are kept."""
_FARTHEST = 2**63 - 1
"""The largest position of an event that the file can have."""
_DAY = timedelta(days=1)
_BACKFILLED_AT_ONCE = 10_000
"""The maximum number of runs that one call of ``backfill`` records."""


class LocalBackend(Backend):
    """Stores and runs jobs in this process: in memory, or durably in an SQLite file.

    Example:
        >>> from stepsched import Cron, HandlerTarget, Job, SchedulerClient
        >>> from stepsched.testing import FakeClock
        >>> from datetime import datetime, timedelta, timezone
        >>> monday = datetime(2030, 1, 7, tzinfo=timezone.utc)
        >>> backend = LocalBackend(clock=FakeClock(monday))
        >>> greet = HandlerTarget(lambda: "good morning")
        >>> job = Job(name="greet", schedule=Cron("0 9 ? * MON-FRI *"), target=greet)
        >>> record = SchedulerClient(backend).create(job)
        >>> backend.run_until(monday + timedelta(days=7))
        5
    """

    name = NAME
    capabilities = BUILT_IN["LocalBackend"]

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        clock: Clock | None = None,
        workers: int = 8,
        handlers: Handlers | None = None,
        handlers_from: Collection[str] | None = None,
        private_hosts: Collection[str] = (),
        max_restarts: int = 3,
        retention: timedelta = timedelta(days=30),
        retention_limit: int = 100_000,
    ) -> None:
        """Creates an embedded backend. It runs no jobs before :meth:`start` or :meth:`run_until`.

        Args:
            path: The path of the SQLite file. A new file is readable by its owner only. Several processes of
                one machine may share a file. None: everything is kept in memory, as long as this object
                exists.
            clock: The clock. None: the machine's clock. A :class:`FakeClock` can be played.
            workers: The maximum number of concurrent runs in this process; at least 1.
            handlers: Functions that handle targets in AWS and URLs: see :meth:`register`.
            handlers_from: The modules, such as ``["myapp"]``, whose functions may be imported for stored
                jobs, including the modules below them; all others are refused. None: any module, which means
                that everyone who may write the file can run any code with the rights of this process.
            private_hosts: The hosts that an :class:`HttpTarget` may call although they are not public, such
                as ``["127.0.0.1", "10.0.0.0/8", "hooks.internal"]``: addresses, networks, and names, which
                may have any address but those of instance metadata. By default none.
            max_restarts: How often a run is started again if its process ends during the run. After that it
                has failed.
            retention: How long ended runs are kept after their end.
            retention_limit: The maximum number of ended runs that are kept; the oldest are deleted first.

        Raises:
            BackendError: The file cannot be opened or belongs to another program.
            ValueError: ``workers`` is below 1, a limit is negative, the path does not name a file, or
                ``handlers_from`` or ``private_hosts`` is not a list of such names.
        """
        _check_path(path)
        if type(max_restarts) is not int or max_restarts < 0:
            raise ValueError(
                f"expected a whole number of at least 0 for max_restarts, got {quoted(max_restarts)}"
            )
        is_list = handlers_from is None or isinstance(handlers_from, Collection)
        if (
            isinstance(handlers_from, str)
            or not is_list
            or not all(isinstance(each, str) for each in handlers_from or ())
        ):
            raise ValueError(
                f"expected a list of modules such as ['myapp'], got handlers_from={quoted(handlers_from)}"
            )
        if type(workers) is not int or workers < 1:
            raise ValueError(f"expected a whole number of at least 1 for workers, got {quoted(workers)}")
        retention = step_of(retention, "retention")
        if type(retention_limit) is not int or retention < timedelta(0) or retention_limit < 0:
            raise ValueError(
                "expected retention and retention_limit of at least 0, got "
                f"{quoted(retention)} and {quoted(retention_limit)}"
            )
        if handlers is not None and not isinstance(handlers, Mapping):
            raise TypeError(f"expected a mapping such as {{LambdaTarget: handle}}, got {quoted(handlers)}")
        self._clock: Clock = checked_clock(clock)
        self._shared = path is not None
        self._options: dict[str, Any] = {
            "clock": clock,
            "workers": workers,
            "handlers_from": handlers_from,
            "private_hosts": private_hosts,
            "max_restarts": max_restarts,
            "retention": retention,
            "retention_limit": retention_limit,
        }
        sender = Sender(PrivateHosts(private_hosts))
        self._store = Store(path)
        self._invoker = Invoker(
            handlers or {},
            clock=self._clock,
            handlers_from=handlers_from,
            sender=sender,
            identity=self._store.identity,
        )
        # Jobs whose function cannot be imported by name, by the ID of their row, then by version.
        self._live: dict[int, dict[int, Job]] = {}
        self._live_limit = _FEW
        self._flows = Flows(Tables(self._store.database), self._keep_step, self._forget_step)
        self._engine = Engine(
            self._store,
            self._invoker,
            self._clock,
            self._decode,
            self._flows,
            workers=workers,
            retention=Retention(retention, retention_limit),
            max_restarts=max_restarts,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles a backend with a file as its settings; the other process opens the file."""
        if self._store.path is None:
            raise TypeError(
                "jobs in memory belong to one process; use LocalBackend('jobs.db') to share them with others"
            )
        return _opened, (str(self._store.path), {**self._options, "handlers": self._invoker.handlers})

    def __repr__(self) -> str:
        return f"LocalBackend({'' if self._store.path is None else repr(str(self._store.path))})"

    def facts(self) -> Iterator[tuple[str, str]]:
        yield "jobs", "in memory" if self._store.path is None else f"in {self._store.path}"
        clock, workers = self._options["clock"], self._options["workers"]
        if isinstance(self._clock, PlayableClock):
            yield "runs", "when run_until plays them"
        else:
            yield "runs", f"up to {workers} at once" if self._engine.is_firing else "not started"
        if clock is not None:
            yield "clock", repr(clock)

    def register(self, target: type[Replaceable] | Replaceable, handler: Handler) -> None:
        """Registers a function that handles targets in AWS, or stands for the receiver of a URL, in this
        process.

        Args:
            target: A target class, such as ``LambdaTarget`` or ``HttpTarget``, for all targets of this class;
                or one target.
            handler: The function. It is called with as many of ``(target, input, run)`` as it accepts. For a
                :class:`FanOutTarget` it is called once for each message, in order, with the message as input;
                without such a function, that of the ``QueueTarget`` of its queue is called.

        Raises:
            TypeError: ``target`` is neither a target in AWS nor an ``HttpTarget``.
            ValueError: ``handler`` requires other arguments.
        """
        self._invoker.register(target, handler)
        self._engine.look_anew()

    def listen(self, listener: Listener, kinds: Iterable[EventKind | str] | None = None) -> None:
        """Registers a function that is called with each event, after the event has been recorded.

        It is called with one event at a time, in the order in which they were recorded: in a separate thread
        while the backend is started, otherwise in the thread of the caller. An exception of the function is
        logged and ignored; a slow function does not delay runs.

        Args:
            listener: The function; it is called with an :class:`Event`.
            kinds: The kinds of events. None: all kinds.

        Raises:
            ValueError: A kind is unknown.
        """
        self._engine.listen(listener, None if kinds is None else [EventKind(kind) for kind in kinds])

    def wrap_calls(self, wrapper: Wrapper) -> None:
        """Wraps every call of a target in a function, in the thread of the call.

        Args:
            wrapper: The function. It is called with the job, the run and a function that makes the call; it
                must return the result of that function, and must not catch its exceptions.
        """
        self._invoker.wrap(wrapper)

    def close(self, *, timeout: float | timedelta | None = None) -> None:
        """Stops the backend and closes the file. The backend cannot be used afterwards. May be called more
        than once.

        Args:
            timeout: As for :meth:`stop`.
        """
        self.stop(timeout=timeout)
        if not self._engine.closes_later(self._end):
            self._end()

    def _end(self) -> None:
        self._invoker.loops.close()
        self._store.close()

    # -- jobs --------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self._clock.now()

    def prepare(self, job: Job) -> Prepared:
        self._invoker.check(checked_job(job), shared=self._shared)
        self._invoker.check_data(job)
        if isinstance(job.target, WorkflowTarget):
            self.workflows().definition(job.target.workflow)
        return Prepared(job, encode(job), self)

    def create(self, prepared: Prepared) -> JobRecord:
        (answer,) = self.create_many([prepared])
        if isinstance(answer, StepschedError):
            raise answer
        return answer

    def create_many(self, prepared: Sequence[Prepared]) -> builtins.list[JobRecord | StepschedError]:
        with self._store.transaction("create"):
            now = self.now()  # the file may have been locked for a while
            answers = [self._create(each, now) for each in prepared]
        self._engine.wake()
        self._engine.tell(
            Event(EventKind.CREATED, now, answer.name) for answer in answers if isinstance(answer, JobRecord)
        )
        return answers

    def _create(self, prepared: Prepared, now: datetime) -> JobRecord | StepschedError:
        job, document = checked_prepared(prepared, self).job, prepared.plan
        following = policy.first_run(job, now)
        if following is None:  # its last run came due after it was prepared
            try:
                job.refuse_if_over(now)
            except InvalidScheduleError as error:
                return error
        status = first_status(job)
        if status is JobStatus.PAUSED:
            following = None
        key = self._store.insert_job(job, document, now, following, status)
        if key is None:
            return JobExistsError(job.name)
        self._keep_alive(key, 1, job)
        return JobRecord(
            job=job, status=status, version=1, created_at=now, updated_at=now, next_run=following
        )

    def get(self, name: str, *, group: str | None = None) -> JobRecord:
        return self._record(self._row(name, group))

    def versions(self, name: str, *, group: str | None = None) -> builtins.list[JobVersion]:
        row = self._row(name, group)
        return [
            JobVersion(
                version=version,
                job=self._job(row.id, version, document, f"version {version} of job {name!r}"),
                replaced_at=at,
            )
            for version, document, at in self._store.versions(row)
        ]

    def list(self, query: JobQuery) -> Iterator[JobRecord]:
        return self._matching(self._store.jobs(query), query)

    def page(self, query: JobQuery, *, after: tuple[str, str] | None, limit: int) -> builtins.list[JobRecord]:
        name, found = "" if after is None else after[0], builtins.list[JobRecord]()
        while len(found) < limit and (rows := self._store.jobs(query, after=name, limit=limit)):
            if any(isinstance(row, DamagedRow) for row in rows):  # its name may not be the stored one
                return super().page(query, after=after, limit=limit)
            name = rows[-1].name
            found += self._matching(rows, query)
        return found[:limit]

    def _matching(self, rows: Iterable[JobRow | DamagedRow], query: JobQuery) -> Iterator[JobRecord]:
        """Yields the records of rows that can be read and have the tags of the query."""
        for row in rows:
            try:
                if isinstance(row, DamagedRow):
                    raise row.error()
                record = self._record(row)
            except BackendError as error:
                if error.code != ErrorCode.UNREADABLE:
                    raise
                name, why = one_line(row.name), one_line(str(error))
                _log.error("job %s is left out of the list: %s", name, why)
                continue
            if query.tags.items() <= record.job.tags.items():
                yield record

    def update(self, prepared: Prepared, *, expected_version: int) -> JobRecord:
        job, document = checked_prepared(prepared, self).job, prepared.plan
        events = list[Event]()
        with self._store.transaction("update"):
            now = self.now()
            job.refuse_if_over(now)
            row = self._row(job.name)
            if row.version != expected_version:
                raise ConflictError(job.name, expected_version)
            self._engine.turns.record_all_due(row, now, events)
            if job.starts_at_creation and self._record(row).job.starts_at_creation:  # the grid is kept (P-13)
                anchor = row.anchor
                following = job.anchored(anchor).next_run(after=now)
            else:
                anchor = now
                following = policy.first_run(job, now)
            status = status_after_update(row.status, self._record(row).job, job)
            self._store.replace_job(
                row,
                job,
                document,
                status=status,
                anchor=anchor,
                next_run=None if status is JobStatus.PAUSED else following,
                now=now,
            )
            events.append(Event(EventKind.UPDATED, now, job.name))
            if status is not row.status and status is JobStatus.PAUSED:
                self._store.hold_runs(row.id)
                events.append(Event(EventKind.PAUSED, now, job.name))
            elif status is not row.status and row.status is JobStatus.PAUSED:
                self._store.let_runs_go(row.id)
                events.append(Event(EventKind.RESUMED, now, job.name))
            self._keep_alive(row.id, row.version + 1, job)
            record = self._record(self._row(job.name))
        self._engine.wake()
        self._engine.tell(events)
        return record

    def pause(
        self,
        name: str,
        *,
        group: str | None = None,
        stop_run: bool = False,
        reason: str | None = None,
        only_active: bool = False,
    ) -> JobRecord:
        self._refuse_stopping(name, stop_run=stop_run)
        events = list[Event]()
        with self._store.transaction("pause"):
            now = self.now()
            row = self._row(name, group)
            status = status_after(name, row.status, "pause", only_change=only_active)
            if row.status is not status:
                self._engine.turns.pause(row, now, events, reason)
            elif reason not in (None, row.pause_reason):
                self._store.set_status(row, status, None, now, reason)
            record = self._record(self._row(name, group))
        self._engine.wake()
        self._engine.tell(events)
        return record

    def resume(self, name: str, *, group: str | None = None) -> JobRecord:
        events = list[Event]()
        with self._store.transaction("resume"):
            now = self.now()
            row = self._row(name, group)
            status = status_after(name, row.status, "resume")
            if row.status is not status:
                following = self._record(row).job.anchored(row.anchor).next_run(after=now)
                self._store.set_status(row, status, following, now)
                self._store.let_runs_go(row.id)
                events.append(Event(EventKind.RESUMED, now, name))
                if following is None and self._store.state_after_run(row.id)[1]:
                    self._store.set_status(row, JobStatus.ENDED, None, now)
                    events.append(Event(EventKind.ENDED, now, name))
            record = self._record(self._row(name, group))
        self._engine.wake()
        self._engine.tell(events)
        return record

    def cancel(self, name: str, *, group: str | None = None, stop_run: bool = False) -> JobRecord:
        self._refuse_stopping(name, stop_run=stop_run)
        now = self.now()
        with self._store.transaction("cancel"):
            row = self._found(name, group)
            last = None if isinstance(row, DamagedRow) else self._store.last_run(row)
            self._store.delete_job(row, now, "the job was cancelled")
        self._engine.tell([Event(EventKind.CANCELLED, now, name)])
        try:
            if isinstance(row, DamagedRow):
                raise row.error()
            return self._record(row._replace(status=JobStatus.CANCELLED, next_run=None), last)
        except BackendError as error:
            detail = f"job {name!r} was cancelled and removed, although it cannot be read"
            raise BackendError("sqlite", "cancel", error.code, detail=detail) from error
        finally:
            self._live.pop(row.id, None)

    # -- runs --------------------------------------------------------------------------------------

    def run_now(self, name: str, *, group: str | None = None) -> Run:
        now = self.now()
        with self._store.transaction("run now"):
            run = self._store.record_manual(self._row(name, group), now)
        self._engine.wake()
        self._engine.tell([Event(EventKind.DUE, now, name, run)])
        return run

    def backfill(
        self, name: str, *, since: datetime, until: datetime, group: str | None = None
    ) -> builtins.list[Run]:
        now = self.now()
        with self._store.transaction("backfill"):
            row = self._row(name, group)
            schedule = self._record(row).job.anchored(row.anchor)
            instants = schedule.runs(after=just_before(since), until=min(until, now))
            wanted = list(islice(instants, _BACKFILLED_AT_ONCE + 1))
            if len(wanted) > _BACKFILLED_AT_ONCE:
                raise ValueError(
                    f"the range from {since.isoformat()} to {until.isoformat()} contains more than "
                    f"{_BACKFILLED_AT_ONCE:,} runs; backfill a shorter range"
                )
            runs = self._store.record_backfill(row, wanted, now)
        self._engine.wake()
        self._engine.tell(Event(EventKind.DUE, now, name, run) for run in runs)
        return runs

    def runs(self, query: RunQuery) -> Iterator[Run]:
        for row in self._store.runs(query):
            if isinstance(row, DamagedRow):
                name, why = one_line(row.name), one_line(row.reason)
                _log.error("run %d of job %s is left out: its row is damaged: %s", row.id, name, why)
            else:
                yield row.run

    def run(self, run: Run) -> Run | None:
        """Returns the present state of the run; None if the file has no such run, or no longer."""
        row = self._store.run(run.id)
        if row is None or isinstance(row, DamagedRow):
            return None
        same = (row.run.job, row.run.scheduled_for) == (run.job, run.scheduled_for)
        return row.run if same else None

    def events(self, *, after: int, limit: int = 1_000) -> builtins.list[RecordedEvent]:
        if after < 0 or limit < 1:
            raise ValueError(
                f"expected a position of at least 0 and a limit of at least 1, got {quoted(after)} and "
                f"{quoted(limit)}"
            )
        return self._store.events(min(after, _FARTHEST), limit)

    def last_event(self) -> int:
        return self._store.last_event()

    def workflows(self) -> LocalWorkflows:
        """Returns what this backend does with workflows. Their steps run while it is started, or played."""
        return LocalWorkflows(
            self._flows,
            self._engine,
            self._invoker,
            self._clock,
            shared=self._shared,
            why_wait_is_endless=self.why_wait_is_endless,
        )

    def why_wait_is_endless(self) -> str | None:
        if isinstance(self._clock, PlayableClock):
            return "the backend has a fake clock; use run_until(...) to play its runs"
        return None

    def why_nothing_fires(self) -> str | None:
        if self._engine.is_firing:
            return None
        return "the backend is not started; use start() or a with block"

    def is_served(self) -> bool:
        """Returns whether this or another process runs the jobs of the file at present. Of a process that
        cannot be observed, such as one in another container, this is known 20 seconds after its end."""
        return self._engine.is_firing or Leases(self._store, self._clock).has_living()

    @property
    def path(self) -> Path | None:
        """The path of the SQLite file. None: everything is kept in memory."""
        return self._store.path

    def redrive(self, run: Run) -> Run:
        now = self.now()
        with self._store.transaction("redrive run"):
            again = self._store.redrive(run.job, run.id, now)
        if again is None:
            raise InvalidTransitionError(run.job, self._run_status(run), "redrive a run of")
        self._engine.wake()
        self._engine.tell([Event(EventKind.DUE, now, again.job, again)])
        return again

    def _run_status(self, run: Run) -> str:
        if self._store.job(run.job) is None:
            return "gone"
        present = self.run(run)
        return f"a run that is {present.status.value}" if present else "without such a run"

    # -- firing ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts to run what is due. May be called more than once. With a fake clock it has no effect.

        After a fork the backend in the child is stopped, and can be started there.
        """
        self._engine.start()

    def stop(self, *, timeout: float | timedelta | None = None) -> None:
        """Stops running jobs: no further run is claimed, and runs in progress are awaited. May be called more
        than once.

        The call that calls it, of a handler, a letter or a listener, is not awaited itself. In the thread of
        an event loop, which it blocks, it waits for 5 seconds at most; ``async with`` has no such limit.
        In a signal handler that interrupts a verb of this backend it returns at once; the backend stops after
        the verb.

        Args:
            timeout: The longest time to wait for runs in progress, in seconds or as a timedelta. Runs that
                have not ended by then are handed back: they are started again, by this or another worker,
                when their call or process has ended, unless the call succeeds after all. If another process
                has locked the file, ``stop`` returns up to 5 seconds later, before they are. None: no limit.

        Raises:
            TypeError: ``timeout`` is neither a number nor a timedelta.
            ValueError: ``timeout`` is negative.
        """
        seconds = seconds_of(timeout, "timeout")
        if self._engine.is_firing and _is_in_a_loop() and (seconds is None or seconds > _IN_A_LOOP):
            seconds = _IN_A_LOOP
        self._engine.stop(seconds)

    def serve(
        self,
        *,
        grace: float | timedelta | None = None,
        on_stop: Callable[[], object] | None = None,
    ) -> signal.Signals:
        """Runs what is due until SIGINT or SIGTERM. It is for a program that does nothing else.

        After the signal no further run starts, runs in progress are awaited, and the previous signal handlers
        are restored. A second signal ends the wait at once. It must be called in the main thread.

        Args:
            grace: The longest time to wait for runs in progress after the first signal; see ``timeout`` of
                :meth:`stop`.
            on_stop: A function that is called in this thread after the first signal, while no further run
                starts; it may tell a person what is awaited. If it raises, the wait ends at once. None: none
                is called.

        Returns:
            The first signal, SIGINT or SIGTERM.

        Raises:
            TypeError: ``grace`` is neither a number nor a timedelta.
            ValueError: ``grace`` is negative, or this is not the main thread.
        """
        seconds = seconds_of(grace, "grace")
        with Signals() as signals:
            try:
                self.start()
                first = signal.Signals(signals.next())
                self._stop_unless_told_again(seconds, signals, on_stop)
                return first
            finally:
                self._engine.stop(0)

    def _stop_unless_told_again(
        self, seconds: float | None, signals: Signals, on_stop: Callable[[], object] | None
    ) -> None:
        def stop() -> None:
            self._engine.stop(seconds)
            signals.wake()

        threading.Thread(target=stop, name="stepsched-stop", daemon=True).start()
        if on_stop is not None:
            on_stop()
        while signals.next():
            self._engine.hurry()

    def run_coroutines_on(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Sets the event loop for coroutine handlers; ``async with`` sets the running one.

        Args:
            loop: The loop, which must run while the backend is started. None: the backend's own loop.
        """
        self._invoker.loops.enter(loop)

    async def __aenter__(self) -> Self:
        """Starts the backend. Coroutine handlers run on this event loop, so that they can use the
        application's clients, pools and locks."""
        self.run_coroutines_on(asyncio.get_running_loop())
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the backend while the event loop keeps running, since runs in progress may need it."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def close() -> None:
            failure: BaseException | None = None
            try:
                self.close()
            except BaseException as problem:  # noqa: BLE001 -- raised where it is awaited
                failure = problem
            loop.call_soon_threadsafe(_set, ended, failure)

        threading.Thread(
            target=copy_context().run,  # a run that closes the backend is not awaited
            args=(close,),
            name="stepsched-close",
            daemon=True,
        ).start()
        try:
            await ended
        finally:
            self.run_coroutines_on(None)

    def run_until(self, until: datetime, *, progress: Callable[[int, int], object] | None = None) -> int:
        """Plays time up to an instant on a clock that can be set, and executes the runs that come due.

        The runs are executed one after another in the caller's thread, ordered by the instant at which they
        may start, then by the order in which they were recorded. The order is always the same.

        Args:
            until: The instant up to which time is played; aware, inclusive. The clock shows it afterwards, or
                a later instant if a handler advanced the clock.
            progress: A function that is called repeatedly with the number of days that are played and the
                total. None: a progress bar, if the output is a terminal or a notebook and the call takes
                longer than a moment.

        Returns:
            The number of attempts.

        Raises:
            TypeError: The clock cannot be set.
            ValueError: ``until`` is before the clock's present, or is naive.
        """
        clock = self._clock
        if not isinstance(clock, PlayableClock):
            raise TypeError("expected a clock that can be set; use LocalBackend(clock=FakeClock(...))")
        until = aware(until, "until")
        if until < clock.now():
            raise ValueError(f"expected until at or after {clock.now().isoformat()}, got {until.isoformat()}")
        begin = clock.now()
        days = -((begin - until) // _DAY)
        with reporting(progress, days) as tell:
            attempts = self._engine.play(clock, until, lambda now: tell((now - begin) // _DAY))
            tell(days)
        return attempts

    def advance(self, step: timedelta, *, progress: Callable[[int, int], object] | None = None) -> int:
        """Plays time from the present for the length of ``step``; see :meth:`run_until`."""
        step = step_of(step, "step")
        try:
            until = self.now() + step
        except OverflowError as error:
            raise ValueError(f"expected an instant up to the year 9999, got {step} more") from error
        return self.run_until(until, progress=progress)

    # -- values --------------------------------------------------------------------------------------

    def _row(self, name: str, group: str | None = None) -> JobRow:
        row = self._found(name, group)
        if isinstance(row, DamagedRow):
            raise row.error()
        return row

    def _found(self, name: str, group: str | None) -> JobRow | DamagedRow:
        row = self._store.job(name)
        if row is None or (group is not None and group != self._store.group(row)):
            raise JobNotFoundError(name)
        return row

    def _record(self, row: JobRow, last_run: Run | None = None) -> JobRecord:
        return JobRecord(
            job=self._job(row.id, row.version, row.document, f"job {row.name!r}", whole=row.name),
            status=row.status,
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
            next_run=None if row.next_run is None else in_zone(row.next_run, row.timezone),
            pause_reason=row.pause_reason if row.status is JobStatus.PAUSED else None,
            last_run=last_run or self._store.last_run(row),
        )

    def _job(self, key: int, version: int, document: str, what: str, *, whole: str | None = None) -> Job:
        """Returns a stored definition, as a copy, so that changes by the caller do not affect it.

        Args:
            key: The ID of the row of the job.
            version: The number of the definition.
            document: The stored text of the definition.
            what: What the text defines, for errors.
            whole: The name of the job, if it has no other definition. None: an earlier one.

        Raises:
            BackendError: This version cannot read the definition.
        """
        live = self._live.get(key, {}).get(version)
        if live is not None:
            return _copy(live)
        try:
            return read(document)
        except ValidationError as error:
            reason, remedy = why_unreadable(error)
            if remedy is None:
                remedy = "it is damaged; restore the file from a copy"
                remedy += "" if whole is None else f"; cancel({whole!r}) removes it"
            detail = f"the definition of {what} cannot be read by this version ({reason}): {remedy}"
            raise BackendError("sqlite", "read job", ErrorCode.UNREADABLE, detail=detail) from error

    def _keep_alive(self, key: int, version: int, job: Job) -> None:
        """Keeps the job object if its function cannot be imported by name, beside those of its earlier
        versions."""
        kept = {each: old for each, old in self._live.get(key, {}).items() if each < version}
        parts = parts_of(job.target)
        if any(isinstance(part, HandlerTarget) and part.function is not None for part in parts):
            kept[version] = _copy(job)
        if kept:
            self._live[key] = kept  # at once, since other threads read it
        if len(self._live) > self._live_limit:  # one-time jobs that are over are among them
            present = self._store.job_ids()
            self._live = {each: found for each, found in self._live.copy().items() if each in present}
            self._live_limit = max(_FEW, 2 * len(self._live))

    def _keep_step(self, key: int, job: Job) -> None:
        self._keep_alive(key, 1, job)

    def _forget_step(self, key: int) -> None:
        self._live.pop(key, None)

    def _decode(self, row: JobRow) -> Job:
        return self._live.get(row.id, {}).get(row.version) or decode(row.document)


def _check_path(path: object) -> None:
    """Refuses what is not the path of a file; None is one in memory.

    Raises:
        ValueError: The value is not such a path.
    """
    if path is None:
        return
    if not isinstance(path, (str, Path)) or str(path) in ("", ".", ":memory:"):
        raise ValueError(
            f"expected the path of a file, got {quoted(path)}; leave path out for jobs in memory"
        )
    text, name = str(path), quoted(str(path))
    if isinstance(path, str) and ("://" in text or text.lower().startswith("file:")):
        raise ValueError(f"expected the path of a file, got the URL {name}; use LocalBackend('jobs.db')")
    if text.startswith("~"):
        raise ValueError(
            f"expected the path of a file, got {name}, whose '~' is not replaced; use Path(...).expanduser()"
        )
    if "\0" not in text and Path(text).is_dir():
        raise ValueError(
            f"expected the path of a file, got the folder {name}; use {quoted(str(Path(text) / 'jobs.db'))}"
        )


def _opened(path: str, options: dict[str, Any]) -> LocalBackend:
    """Creates the backend when it is unpickled."""
    return LocalBackend(path, **options)


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _set(future: asyncio.Future[None], failure: BaseException | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)


def _copy(job: Job) -> Job:
    own = {"input": deepcopy(job.input), "tags": dict(job.tags), "target": _copy_target(job.target)}
    return job.model_copy(update=own)


def _copy_target(target: Target) -> Target:
    """Returns a copy of the target with copied JSON; a function is not copied."""
    if not isinstance(target, ParallelTarget):
        return target
    parts = (part if isinstance(part, HandlerTarget) else deepcopy(part) for part in target.targets)
    return target.model_copy(update={"targets": tuple(parts)})


def _build_values() -> None:
    """Builds all value classes before a fork: pydantic builds them on first use under a lock, and a child
    that is forked while another thread holds this lock would wait forever."""
    for kind in (Job, JobRecord, Run):
        kind.model_rebuild()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_build_values)
