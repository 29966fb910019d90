"""The embedded backend: the shell that performs what :mod:`policy` decides and :mod:`store` keeps.

While it is started, one dispatcher thread records what is due, claims it and hands it to a bounded
pool of threads; it sleeps until the next instant, a change of the store, or the next look at a file
that other processes share. On a clock that is played there is no thread: :meth:`run_until` does
the same work in the caller's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from stepsched.backends.base import Backend, JobQuery, RunQuery
from stepsched.backends.local import policy
from stepsched.backends.local.invoke import Handler, Handlers, Invoker
from stepsched.backends.local.process import worker_name
from stepsched.backends.local.store import Claim, JobRow, Store
from stepsched.clock import Clock, PlayableClock, SystemClock
from stepsched.errors import (
    BackendError,
    ConflictError,
    HandlerError,
    JobExistsError,
    JobNotFoundError,
)
from stepsched.jobs import (
    Completion,
    Job,
    JobRecord,
    JobStatus,
    Run,
    RunStatus,
    status_after,
)
from stepsched.schedules import Rate
from stepsched.targets import AwsTarget, HandlerTarget

_log = logging.getLogger("stepsched.local")
_LEASE = timedelta(seconds=20)
_RENEW = timedelta(seconds=5)
_LOOK = timedelta(seconds=1)
"""How often a shared file is looked at for what other processes changed."""
_PORTION = 200
"""Jobs recorded, and runs claimed, in one transaction."""


class LocalBackend(Backend):
    """Jobs embedded in this process: in memory, or durable in an SQLite file.

    Example:
        >>> from stepsched import Cron, HandlerTarget, Job
        >>> from stepsched.testing import FakeClock
        >>> from datetime import datetime, timedelta, timezone
        >>> monday = datetime(2030, 1, 7, tzinfo=timezone.utc)
        >>> backend = LocalBackend(clock=FakeClock(monday))
        >>> greet = HandlerTarget(lambda: "good morning")
        >>> record = backend.create(Job(name="greet", schedule=Cron("0 9 ? * MON-FRI *"), target=greet))
        >>> backend.run_until(monday + timedelta(days=7))
        5
    """

    name = "local"

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        clock: Clock | None = None,
        workers: int = 8,
        handlers: Handlers | None = None,
    ) -> None:
        """An embedded backend; nothing fires before :meth:`start` or :meth:`run_until`.

        Args:
            path: The SQLite file, made when it does not exist. Several processes may share one.
                None keeps everything in memory, as long as this object lives.
            clock: Whose time it is. None: the machine's. A :class:`FakeClock` is played.
            workers: How many runs may go on at once in this process; at least 1.
            handlers: Functions that stand for AWS targets: see :meth:`register`.

        Raises:
            BackendError: The file cannot be opened or is another program's.
            ValueError: ``workers`` is below 1.
        """
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self._clock: Clock = SystemClock() if clock is None else clock
        self._shared = path is not None
        self._store = Store(path)
        self._invoker = Invoker(handlers or {})
        # Jobs whose function no name leads to, by the id of their row.
        self._live: dict[int, Job] = {}
        self._workers = workers
        self._worker = worker_name()
        self._watched_since = self._clock.now()
        self._wake = threading.Event()
        self._state = threading.Lock()
        self._in_flight = 0
        self._thread: threading.Thread | None = None
        self._stopping = False

    def register(self, target: type[AwsTarget] | AwsTarget, handler: Handler) -> None:
        """Lets a function stand for AWS targets in this process.

        Args:
            target: A target class, such as ``LambdaTarget``, for all of its kind; or one target.
            handler: Called with as many of ``(target, input, run)`` as it takes.

        Raises:
            TypeError: ``target`` is no AWS target.
            ValueError: ``handler`` takes other arguments.
        """
        self._invoker.register(target, handler)

    def close(self) -> None:
        """Stops and closes the file. The object is of no use afterwards."""
        self.stop()
        self._store.close()

    # -- the port: jobs ----------------------------------------------------------------------------

    def now(self) -> datetime:
        return self._clock.now()

    def check(self, job: Job) -> None:
        self._invoker.check(job, shared=self._shared)

    def create(self, job: Job) -> JobRecord:
        self.check(job)
        now = self.now()
        with self._store.transaction("create"):
            if not self._store.insert_job(job, _encode(job), now, policy.first_run(job, now)):
                raise JobExistsError(job.name)
            record = self._record(self._keep_alive(job))
        self._wake.set()
        return record

    def get(self, name: str) -> JobRecord:
        return self._record(self._row(name))

    def list(self, query: JobQuery) -> Iterator[JobRecord]:
        for row in self._store.jobs(query):
            record = self._record(row)
            if query.tags.items() <= record.job.tags.items():
                yield record

    def update(self, job: Job, *, expected_version: int) -> JobRecord:
        self.check(job)
        now = self.now()
        with self._store.transaction("update"):
            row = self._row(job.name)
            if row.version != expected_version:
                raise ConflictError(job.name, expected_version)
            self._record_due(row, now)
            if _has_anchor(job) and _has_anchor(self._decode(row)):  # the grid stays (P-13)
                anchor = row.anchor
                following = job.anchored(anchor).next_run(after=now)
            else:
                anchor = now
                following = policy.first_run(job, now)
            paused = row.status is JobStatus.PAUSED
            self._store.replace_job(
                row,
                job,
                _encode(job),
                status=JobStatus.PAUSED if paused else JobStatus.ACTIVE,
                anchor=anchor,
                next_run=None if paused else following,
                now=now,
            )
            record = self._record(self._keep_alive(job))
        self._wake.set()
        return record

    def pause(self, name: str) -> JobRecord:
        now = self.now()
        with self._store.transaction("pause"):
            row = self._row(name)
            status = status_after(name, row.status, "pause")
            if row.status is not status:
                self._record_due(row, now)
                self._store.set_status(row, status, None, now)
            return self._record(self._row(name))

    def resume(self, name: str) -> JobRecord:
        now = self.now()
        with self._store.transaction("resume"):
            row = self._row(name)
            status = status_after(name, row.status, "resume")
            if row.status is not status:
                following = self._decode(row).anchored(row.anchor).next_run(after=now)
                ended = following is None and not self._store.is_open(row)
                self._store.set_status(row, JobStatus.ENDED if ended else status, following, now)
            record = self._record(self._row(name))
        self._wake.set()
        return record

    def cancel(self, name: str) -> JobRecord:
        now = self.now()
        with self._store.transaction("cancel"):
            row = self._row(name)
            record = self._record(row)
            self._store.delete_job(row, now, "the job was cancelled")
            self._live.pop(row.id, None)
        return record.replace(status=JobStatus.CANCELLED, next_run=None)

    # -- the port: runs ----------------------------------------------------------------------------

    def run_now(self, name: str) -> Run:
        run = self._store.record_manual(self._row(name), self.now())
        self._wake.set()
        return run

    def runs(self, query: RunQuery) -> Iterator[Run]:
        return iter(self._store.runs(query))

    # -- firing in the background --------------------------------------------------------------------

    def start(self) -> None:
        """Begins to fire what is due. Harmless twice; on a played clock there is nothing to start."""
        with self._state:
            if self._thread is not None or isinstance(self._clock, PlayableClock):
                return
            self._stopping = False
            self._watched_since = self.now()
            self._thread = threading.Thread(target=self._dispatch, name="stepsched-dispatcher", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends firing: nothing new is claimed, and runs in flight are awaited. Harmless twice."""
        with self._state:
            thread, self._thread = self._thread, None
            self._stopping = True
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _dispatch(self) -> None:
        renewed = None
        with ThreadPoolExecutor(self._workers, thread_name_prefix="stepsched-run") as pool:
            while not self._stopping:
                self._wake.clear()
                now = self.now()
                try:
                    if renewed is None or now - renewed >= _RENEW or now < renewed:
                        self._renew(now)
                        renewed = now
                    busy = self._record_all_due(now)
                    for claim, job in self._claim(now, self._workers - self._in_flight):
                        self._begin()
                        pool.submit(self._run_in_pool, claim, job)
                    pause = timedelta(0) if busy else self._pause()
                except BackendError as error:
                    _log.exception("the store failed; trying again in a second", extra={"code": error.code})
                    pause = _LOOK
                self._wake.wait(max(pause.total_seconds(), 0))
        self._store.leave(self._worker, self.now())

    def _pause(self) -> timedelta:
        """How long nothing is to be done, as far as this process knows."""
        now = self.now()
        longest = _LOOK if self._shared else _RENEW
        event = self._store.next_event(now)
        return longest if event is None else min(event - now, longest)

    def _renew(self, now: datetime) -> None:
        freed = self._store.stay_alive(self._worker, now + _LEASE, now)
        if freed:
            _log.warning("%d runs were cut off with their process and start again", freed)

    def _begin(self) -> None:
        with self._state:
            self._in_flight += 1

    def _run_in_pool(self, claim: Claim, job: Job) -> None:
        try:
            self._execute(claim, job)
        except BackendError:
            # The run stays claimed: when the lease ends, it is started again.
            _log.exception("the outcome of a run could not be recorded", extra={"job": claim.run.job})
        finally:
            with self._state:
                self._in_flight -= 1
            self._wake.set()

    # -- playing time --------------------------------------------------------------------------------

    def run_until(self, until: datetime) -> int:
        """Plays time up to an instant on a clock that can be set, and runs what comes due.

        Runs go one after another in the caller's thread, by scheduled instant, then name: the
        same play gives the same order.

        Args:
            until: Aware; inclusive. The clock shows it afterwards.

        Returns:
            How many attempts were made.

        Raises:
            TypeError: The clock is not one that can be set.
            ValueError: ``until`` lies before its present, or is naive.
        """
        clock = self._clock
        if not isinstance(clock, PlayableClock):
            raise TypeError("only a clock that can be set is played: LocalBackend(clock=FakeClock(...))")
        if until < clock.now():
            raise ValueError(f"{until.isoformat()} lies before the clock's {clock.now().isoformat()}")
        attempts = 0
        self._renew(clock.now())
        try:
            while True:
                attempts += self._run_all_due(clock)
                event = self._store.next_event(clock.now())
                if event is None or event > until:
                    break
                clock.move_to(max(event, clock.now()))
        finally:  # whatever interrupts a play leaves no run held
            self._store.leave(self._worker, clock.now())
        clock.move_to(max(until, clock.now()))
        return attempts

    def _run_all_due(self, clock: Clock) -> int:
        attempts = 0
        while self._record_all_due(clock.now()):
            pass
        while claims := self._claim(clock.now(), 1):
            self._execute(*claims[0])
            attempts += 1
        return attempts

    # -- the work itself -----------------------------------------------------------------------------

    def _record_all_due(self, now: datetime) -> bool:
        """Records what is due; True when there may be more."""
        with self._store.transaction("record due"):
            rows = self._store.due_jobs(now, _PORTION)
            for row in rows:
                self._record_due(row, now)
        return len(rows) == _PORTION or any(
            row.next_run is not None and row.next_run <= now for row in self._store.due_jobs(now, 1)
        )

    def _record_due(self, row: JobRow, now: datetime) -> None:
        if row.next_run is None or row.next_run > now:
            return
        plan = policy.due_runs(self._decode(row), row.anchor, row.next_run, now, self._watched_since)
        self._store.record(row, plan, now)
        if plan.next_run is None:
            self._complete(row, now)

    def _claim(self, now: datetime, limit: int) -> Sequence[tuple[Claim, Job]]:
        """Runs to start, each with its job as it is now: later changes do not reach it."""
        if limit < 1:
            return ()
        with self._store.transaction("claim runs"):
            claims = self._store.claim(self._worker, now, min(limit, _PORTION))
            return [(claim, self._decode(claim.row)) for claim in claims]

    def _execute(self, claim: Claim, job: Job) -> None:
        """One attempt, from the call to the record of its outcome."""
        run = claim.run
        output, failure = None, None
        try:
            output = self._invoker.call(job, run)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever user code raises is the outcome
            failure = HandlerError(job.name, run.scheduled_for)
            failure.__cause__ = error
        now = self.now()
        with self._store.transaction("finish run"):
            if failure is None:
                self._store.finish(claim, self._worker, RunStatus.SUCCEEDED, now, output=output)
            else:
                self._fail(claim, job, failure, now)
            self._complete(claim.row, now)

    def _fail(self, claim: Claim, job: Job, failure: HandlerError, now: datetime) -> None:
        cause = failure.__cause__
        words = f"{type(cause).__name__}: {cause}"
        present = self._store.job(job.name)
        again = None
        if present is not None and present.id == claim.row.id:
            again = policy.next_attempt(job.retry, claim.run.attempt, claim.recorded_at, now)
        extra = {"job": job.name, "scheduled_for": claim.run.scheduled_for, "attempt": claim.run.attempt}
        if again is not None:
            self._store.finish(claim, self._worker, RunStatus.PENDING, now, error=words, again_at=again)
            _log.warning("%s (%s); again at %s", failure, words, again.isoformat(), extra=extra)
        else:
            self._store.finish(claim, self._worker, RunStatus.FAILED, now, error=words)
            _log.error("%s for good", failure, exc_info=failure, extra=extra)

    def _complete(self, row: JobRow, now: datetime) -> None:
        """Ends a job that has run out, once none of its runs is open."""
        present = self._store.job(row.name)
        if present is None or present.id != row.id or present.status is not JobStatus.ACTIVE:
            return
        if present.next_run is not None or self._store.is_open(present):
            return
        job = self._decode(present)
        if job.is_one_time and job.completion is Completion.DELETE:
            self._store.delete_job(present, now)
            self._live.pop(row.id, None)
        else:
            self._store.set_status(present, JobStatus.ENDED, None, now)

    # -- values --------------------------------------------------------------------------------------

    def _row(self, name: str) -> JobRow:
        row = self._store.job(name)
        if row is None:
            raise JobNotFoundError(name)
        return row

    def _record(self, row: JobRow) -> JobRecord:
        return JobRecord(
            job=self._decode(row),
            status=row.status,
            version=row.version,
            created_at=row.created_at,
            updated_at=row.updated_at,
            next_run=row.next_run,
            last_run=self._store.last_run(row),
        )

    def _keep_alive(self, job: Job) -> JobRow:
        """Holds the job itself where its function has no name to find it by."""
        row = self._row(job.name)
        self._live.pop(row.id, None)
        if isinstance(job.target, HandlerTarget) and job.target.function is not None:
            self._live[row.id] = job
        return row

    def _decode(self, row: JobRow) -> Job:
        return self._live.get(row.id) or _decode(row.document)


def _has_anchor(job: Job) -> bool:
    """Whether the job's grid hangs on its creation."""
    return isinstance(job.schedule, Rate) and job.schedule.start is None


def _encode(job: Job) -> str:
    return job.model_dump_json()


@lru_cache(maxsize=1024)
def _decode(document: str) -> Job:
    return Job.model_validate_json(document)
