"""The turns of the embedded backend: recording, claiming, settling and recovering runs, each in one
transaction.

Nothing here runs user code, starts a thread or waits.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from stepsched.backends.local import policy
from stepsched.backends.local.attempts import Attempt, Letter, Outcome, letters_of, undelivered
from stepsched.backends.local.invoke import Invoker
from stepsched.backends.local.listeners import Listeners
from stepsched.backends.local.rows import GIVEN_UP, PAUSED, Claim, DamagedRow, JobRow, RunRow
from stepsched.backends.local.store import Candidate, Store
from stepsched.core.clock import Clock
from stepsched.core.errors import BackendError
from stepsched.core.outcomes import one_line, words
from stepsched.jobs import Completion, Job, JobStatus, Overlap, Run, RunStatus, Trigger
from stepsched.jobs.events import Event, EventKind
from stepsched.jobs.records import STILL_RAN
from stepsched.targets import ParallelTarget

_log = logging.getLogger("stepsched.local")
GONE = "its job was cancelled"
_PORTION = 64
"""The maximum number of jobs whose due runs are recorded in one turn."""
_IMPORT = 10.0
"""The time in seconds after which a module that is still being imported counts as not importable."""
_LATE = timedelta(minutes=1)
"""If a further attempt starts later than planned by this, its age is checked again."""
_MOST_UNSEEN = 100
"""The maximum number of jobs with pending imports that are examined in one turn."""
_READY_PORTION = 128
"""The number of runs that are prepared at once."""
_READY_FEW = 4
"""When only this many prepared runs are left, further ones are prepared."""
_READY_TIME = 0.2
"""The time in seconds after which prepared runs are read again, since earlier ones may exist."""


class Turn(NamedTuple):
    """The result of a turn."""

    attempts: list[Attempt]
    """The attempts to call."""
    letters: list[Letter]
    """The letters to deliver."""
    events: list[Event]
    """The events to emit."""
    more: bool
    """Whether more is due than one turn handles."""


class Ready(NamedTuple):
    """A prepared run: it could begin when it was read, outside a transaction."""

    row: RunRow
    job_row: JobRow
    job: Job


class Turns:
    """The turns of one engine. ``decode`` returns the job of a row."""

    def __init__(
        self,
        store: Store,
        invoker: Invoker,
        clock: Clock,
        decode: Callable[[JobRow], Job],
        listeners: Listeners,
        *,
        worker: str,
        max_restarts: int,
    ) -> None:
        self._store = store
        self._invoker = invoker
        self._clock = clock
        self._decode = decode
        self._listeners = listeners
        self._worker = worker
        self._max_restarts = max_restarts
        self.watched_since = clock.now()
        """The instant since which some worker has been running."""
        self.imports: deque[str] = deque()
        """The functions whose modules must be imported before their runs can be claimed."""
        self.importing: dict[str, float] = {}
        """The time at which each import was requested, on the monotonic clock."""
        self.refuses = False
        """Whether this worker has refused jobs."""
        self.has_refused = False
        """Whether it has refused jobs since the last check."""
        self._ready: deque[Ready] = deque()
        """The prepared runs, the earliest first; other workers may have claimed them since."""
        self._ready_until = 0.0
        """The time until which they are valid, on the monotonic clock."""
        self._makes_ready = threading.Lock()

    def turn(self, outcomes: list[Outcome], places: int, *, due_by: datetime | None) -> Turn:
        """Records outcomes and what is due, and claims runs for free threads, in one transaction.

        Args:
            outcomes: The outcomes of attempts.
            places: The maximum number of runs to claim.
            due_by: What has come due by then is recorded, inclusive: the instant at which the clocks were
            looked at. None: nothing is.
        """
        events, attempts, letters, more = list[Event](), list[Attempt](), list[Letter](), False
        with self._store.transaction("turn"):
            now = self._clock.now()
            for outcome in outcomes:
                self._settle(outcome, events, letters)
            if due_by is not None:
                more = self._record_portion(due_by, events)
            if places > 0:
                attempts = self._claim(now, places, events, letters)
        return Turn(attempts, letters, events, more)

    def recover(self, now: datetime) -> tuple[list[Event], list[Letter]]:
        """Recovers the runs of dead workers, takes over their letters, and finds runs that no worker can
        call; inside a transaction of the caller."""
        events, letters = list[Event](), list[Letter]()
        self._recover_runs(now, events, letters)
        letters += self._left_letters()
        return events + self.waiting_runs(now), letters

    def waiting_runs(self, now: datetime) -> list[Event]:
        """Returns the events of runs that turned out not to be callable by any worker; inside a transaction
        of the caller."""
        return [Event(EventKind.WAITING, now, run.job, run) for run in self._store.unclaimable(now)]

    # -- recording -------------------------------------------------------------------------------------

    def _record_portion(self, now: datetime, events: list[Event]) -> bool:
        if not self._listeners.wants(EventKind.DUE):
            more = self._store.record_plain(now, _PORTION) == _PORTION
            if more:
                return True
        rows = self._store.due_jobs(now, _PORTION)
        left = [self.record_due(row, now, events) for row in rows]
        return len(rows) == _PORTION or any(left)

    def record_due(self, row: JobRow | DamagedRow, now: datetime, events: list[Event]) -> bool:
        """Records a batch of a job's due runs; returns True if more are due."""
        if isinstance(row, DamagedRow):
            self._set_aside(row, row.error(), now, events)
            return False
        if row.next_run is None or row.next_run > now:
            return False
        try:
            job = self._decode(row)
        except ValidationError as error:
            self._set_aside(row, error, now, events)
            return False
        plan = policy.due_runs(job, row.anchor, row.next_run, now, self.watched_since)
        for run in self._store.record(row, job.overlap, plan, now):
            kind = EventKind.MISSED if run.status is RunStatus.MISSED else EventKind.DUE
            self._event(events, kind, now, run)
        if plan.next_run is None:
            self.end_if_run_out(row, now, events, job)
        return plan.next_run is not None and plan.next_run <= now

    def record_all_due(self, row: JobRow, now: datetime, events: list[Event]) -> None:
        """Records all due runs of a job, so that a change of its status cannot lose them."""
        present: JobRow | DamagedRow | None = row
        while present is not None and self.record_due(present, now, events):
            present = self._store.job_by_id(row.id)

    def pause(self, row: JobRow, now: datetime, events: list[Event], reason: str | None) -> None:
        """Pauses a job, and holds back its due runs that have not begun."""
        self.record_all_due(row, now, events)
        self._set_paused(row, now, events, reason)
        self._store.hold_runs(row.id)

    def _stop_job(self, key: int, now: datetime, events: list[Event]) -> None:
        """Pauses a job with a failed run, if it has future runs. Runs that are already due still start."""
        row = self._store.job_by_id(key)
        if isinstance(row, JobRow):
            self.record_all_due(row, now, events)
            row = self._store.job_by_id(key)
            if isinstance(row, JobRow) and row.next_run is not None:
                self._set_paused(row, now, events)

    def _set_paused(self, row: JobRow, now: datetime, events: list[Event], reason: str | None = None) -> None:
        self._store.set_status(row, JobStatus.PAUSED, None, now, reason)
        events.append(Event(EventKind.PAUSED, now, row.name))

    def _set_aside(
        self, row: JobRow | DamagedRow, error: Exception, now: datetime, events: list[Event]
    ) -> None:
        """Pauses a job that cannot be read, for example of a later stepsched, so that other jobs continue."""
        name, why = one_line(row.name), one_line(words(error))
        _log.error("job %s cannot be read and is paused: %s", name, why, extra={"job": row.name})
        if isinstance(row, DamagedRow):
            self._store.set_aside(row, now)
        else:
            self._store.set_status(row, JobStatus.PAUSED, None, now)
        events.append(Event(EventKind.PAUSED, now, row.name))

    # -- claims ----------------------------------------------------------------------------------------

    def make_ready(self) -> None:
        """Reads plain runs that may begin ahead, outside a transaction, so that threads with short calls only
        need to claim them."""
        if len(self._ready) > _READY_FEW or not self._makes_ready.acquire(blocking=False):
            return
        try:
            now = self._clock.now()
            known = {ready.row.run.id for ready in list(self._ready)}
            found = self._store.candidates(
                self._worker, now, _READY_PORTION, refused=self.refuses, without=()
            )
            if not known:
                self._ready_until = self._clock.monotonic() + _READY_TIME
            for candidate in found:
                ready = self._look_at(candidate)
                if ready is None:  # later runs must not overtake it
                    break
                if ready.row.run.id not in known:
                    self._ready.append(ready)
        finally:
            self._makes_ready.release()

    def _look_at(self, candidate: Candidate) -> Ready | None:
        """Returns a run that can begin without a decision, if it is still pending; otherwise None."""
        row, job_row = candidate.run, candidate.job
        if isinstance(row, DamagedRow) or isinstance(job_row, DamagedRow) or candidate.overlap == "skip":
            return None
        if row.run.attempt > 0 or row.run.status is not RunStatus.PENDING:
            return None
        try:
            job = self._decode(job_row)
        except (BackendError, ValidationError):
            return None
        if job.catch_up_within is not None or self._invoker.unseen(job) or self._invoker.why_not(job):
            return None
        return Ready(row, job_row, job)

    def _claim_ready(self, now: datetime, places: int, events: list[Event]) -> list[Attempt]:
        """Claims prepared runs, unless they have changed since."""
        attempts, ready = list[Attempt](), self._ready
        if ready and self._clock.monotonic() > self._ready_until:
            ready.clear()
        while ready and len(attempts) < places:
            row, job_row, job = ready.popleft()
            claim = self._store.begin_unchanged(row, job_row, self._worker, now)
            if claim is not None:
                attempts.append(self._attempt(claim, job, now, events))
        return attempts

    def _claim(self, now: datetime, places: int, events: list[Event], letters: list[Letter]) -> list[Attempt]:
        """Claims up to this many runs that may start, the earliest first."""
        attempts, without = self._claim_ready(now, places, events), set[int]()
        while len(attempts) < places and len(without) < _MOST_UNSEEN:
            wanted = places - len(attempts)
            found = list(
                self._store.candidates(self._worker, now, wanted, refused=self.refuses, without=without)
            )
            for candidate in found:
                attempt = self._begin(candidate, now, events, letters, without)
                if attempt is not None:
                    attempts.append(attempt)
            if len(found) < wanted:
                break
        return attempts

    def _begin(
        self,
        candidate: Candidate,
        now: datetime,
        events: list[Event],
        letters: list[Letter],
        without: set[int],
    ) -> Attempt | None:
        """Claims a run, or skips, misses or fails it.

        Args:
            candidate: The run and its job.
            now: The present.
            events: The list to which events are added.
            letters: The list to which letters are added.
            without: The set to which the ID of a job is added that cannot be claimed yet.
        """
        row, job_row, key = candidate.run, candidate.job, candidate.run_id
        if isinstance(row, DamagedRow):
            _log.error("run %d of job %s cannot be read: %s", key, one_line(row.name), one_line(row.reason))
            self._store.close_run(key, RunStatus.FAILED, f"its row is damaged: {row.reason}", now)
            self._store.write_indexes_anew()
            return None
        if row.run.status is not RunStatus.PENDING:
            _log.error("an index differs from run %d of job %s; it is rewritten", key, row.run.job)
            self._store.write_indexes_anew()
            without.add(row.job_id)
            return None
        try:
            if isinstance(job_row, DamagedRow):
                raise job_row.error()
            job = self._decode(job_row)
        except (BackendError, ValidationError) as error:
            self._set_aside(job_row, error, now, events)
            self._fail(row, job_row, None, words(error), now, events, letters)
            return None
        if not self._can_call(job, job_row, without):
            return None
        run = row.run
        if run.attempt == 0 and run.trigger is Trigger.SCHEDULE:
            late = policy.too_late(job, row.start_after, now)
            if late is not None:
                self._leave_out(row, EventKind.MISSED, RunStatus.MISSED, late, now, events)
                self.end_if_run_out(job_row, now, events, job)
                return None
        if (
            run.attempt > 0
            and now - row.start_after > _LATE
            and policy.too_old(job.retry, row.recorded_at, now)
        ):
            reason = run.error or policy.cut_off(max(row.crashes, 1))
            self._fail(row, job_row, job, reason, now, events, letters)
            return None
        if candidate.overlap == "skip" and run.attempt == 0 and self._store.is_overlapping(job_row.id, key):
            self._leave_out(row, EventKind.SKIPPED, RunStatus.SKIPPED, STILL_RAN, now, events)
            self.end_if_run_out(job_row, now, events, job)
            return None
        return self._attempt(self._store.begin(row, job_row, self._worker, now), job, now, events)

    def _attempt(self, claim: Claim, job: Job, now: datetime, events: list[Event]) -> Attempt:
        limit = None if isinstance(job.target, ParallelTarget) else job.max_run_time
        self._event(events, EventKind.STARTED, now, claim.run)
        return Attempt(claim, job, self._worker, self._clock.monotonic(), limit)

    def _can_call(self, job: Job, row: JobRow, without: set[int]) -> bool:
        """Returns whether this process can call a job's target, and requests the imports that this needs."""
        unseen = self._invoker.unseen(job)
        if unseen:
            ticks = self._clock.monotonic()
            for handler in unseen:
                if handler not in self.importing:
                    self.importing[handler] = ticks
                    self.imports.append(handler)
            since = min(self.importing.get(handler, ticks) for handler in unseen)
            if ticks - since < _IMPORT:
                without.add(row.id)
                return False
            reason: str | None = f"the import of {unseen[0]} has not ended"
        else:
            reason = self._invoker.why_not(job)
        if reason is None:
            return True
        self._store.refuse(self._worker, row, reason)
        self.refuses = True
        self.has_refused = True
        return False

    def _leave_out(
        self, row: RunRow, kind: EventKind, status: RunStatus, reason: str, now: datetime, events: list[Event]
    ) -> None:
        """Ends a run that does not start."""
        self._store.close_run(row.run.id, status, reason, now)
        self._store.let_next_go(row.job_id)
        ended = row.run.model_copy(update={"status": status, "ended_at": now, "error": reason})
        events.append(Event(kind, now, ended.job, ended))

    # -- outcomes --------------------------------------------------------------------------------------

    def _settle(self, outcome: Outcome, events: list[Event], letters: list[Letter]) -> None:
        """Records the outcome of an attempt and its consequences."""
        attempt, at, output, error, where, lingering, _ = outcome
        claim, job = attempt.claim, attempt.job
        again, kind, status = None, EventKind.SUCCEEDED, RunStatus.SUCCEEDED
        held: str | None = None
        bits = 0
        if error is not None:
            if self._store.job_by_id(claim.row.id) is not None:  # a run of a cancelled job is not retried
                again = policy.next_attempt(job.retry, claim.failures + 1, claim.recorded_at, at)
            kind = EventKind.FAILED if again is None else EventKind.RETRIED
            status = RunStatus.FAILED if again is None else RunStatus.PENDING
            bits = undelivered(job) if again is None else 0
            held = GIVEN_UP if lingering and again is not None and job.overlap is not Overlap.ALLOW else None
        is_held = self._store.finish(
            claim,
            attempt.worker,
            status,
            at,
            error=error,
            traceback=where,
            output=output,
            again_at=again,
            lingering=lingering,
            held=held,
            undelivered=bits,
        )
        if not is_held:
            _log.warning("run %d of job %s was no longer held by this worker", claim.run.id, job.name)
            return
        if bits or self._listeners.wants(kind):
            changed = {"status": status, "error": error, "traceback": where, "output": output}
            ended = claim.run.model_copy(update={**changed, "ended_at": at if again is None else None})
            events.append(Event(kind, at, job.name, ended))
            letters += letters_of(job, ended, bits)
        if kind is EventKind.FAILED and policy.stops(job, claim.run.trigger):
            self._stop_job(claim.row.id, at, events)
        if again is None:
            self._invoker.forget(claim.run)
            self.end_if_run_out(claim.row, at, events, job)

    def end_if_run_out(self, row: JobRow, now: datetime, events: list[Event], job: Job) -> None:
        """Releases the next queued run after a run, or ends a job without future and open runs."""
        deletes = job.is_one_time and job.completion is Completion.DELETE
        if deletes and not self._listeners.wants(EventKind.ENDED) and self._store.delete_succeeded(row):
            return
        queues, has_run_out = self._store.state_after_run(row.id)
        if queues:
            self._store.let_next_go(row.id)
        if not has_run_out:
            return
        if deletes and self._store.has_succeeded(row.id, row.name):
            self._store.delete_job(row, now)
        else:
            self._store.set_status(row, JobStatus.ENDED, None, now)
        if self._listeners.wants(EventKind.ENDED):
            events.append(Event(EventKind.ENDED, now, row.name))

    # -- runs of dead workers --------------------------------------------------------------------------

    def _recover_runs(self, now: datetime, events: list[Event], letters: list[Letter]) -> None:
        """Restarts or fails the runs of dead workers."""
        for key, row, job_row in self._store.abandoned():
            if isinstance(row, DamagedRow):
                self._store.close_run(key, RunStatus.FAILED, f"its row is damaged: {row.reason}", now)
                continue
            crashes = row.crashes + 1
            job = self._job_of(job_row)
            if job_row is None:
                reason: str | None = f"{policy.cut_off(crashes)}, and {GONE}"
            elif crashes > self._max_restarts:
                reason = policy.cut_off(crashes)
            elif job is not None and policy.too_old(job.retry, row.recorded_at, now):
                reason = f"{policy.cut_off(crashes)}, and Retry.max_age, {job.retry.max_age}, has passed"
            else:
                reason = None
            if reason is not None:
                self._fail(row, job_row, job, reason, now, events, letters)
                continue
            paused = isinstance(job_row, JobRow) and job_row.status is JobStatus.PAUSED
            self._store.restart(key, now, crashed=True, held=PAUSED if paused else None)
            again = row.run.model_copy(update={"status": RunStatus.PENDING, "restarted": True})
            events.append(Event(EventKind.RESTARTED, now, again.job, again))

    def _fail(
        self,
        row: RunRow,
        job_row: JobRow | DamagedRow | None,
        job: Job | None,
        reason: str,
        now: datetime,
        events: list[Event],
        letters: list[Letter],
    ) -> None:
        """Fails a run for good outside an attempt of this process."""
        letters_due = undelivered(job)
        self._store.close_run(
            row.run.id, RunStatus.FAILED, reason, now, worker=self._worker, undelivered=letters_due
        )
        self._store.let_next_go(row.job_id)
        failed = row.run.model_copy(update={"status": RunStatus.FAILED, "ended_at": now, "error": reason})
        events.append(Event(EventKind.FAILED, now, failed.job, failed))
        if job is not None and isinstance(job_row, JobRow):
            letters += letters_of(job, failed, letters_due)
            if policy.stops(job, failed.trigger):
                self._stop_job(job_row.id, now, events)
            self.end_if_run_out(job_row, now, events, job)

    def _left_letters(self) -> list[Letter]:
        """Returns the undelivered letters of dead workers."""
        letters = list[Letter]()
        for row, bits in self._store.undelivered(self._worker):
            job = self._job_of(self._store.job_by_id(row.job_id))
            if job is None:
                self._store.delivered(row.run.id, bits)
                continue
            letters += letters_of(job, row.run, bits)
        return letters

    def _job_of(self, row: JobRow | DamagedRow | None) -> Job | None:
        try:
            return self._decode(row) if isinstance(row, JobRow) else None
        except ValidationError:
            return None

    def _event(self, events: list[Event], kind: EventKind, at: datetime, run: Run) -> None:
        if self._listeners.wants(kind):
            events.append(Event(kind, at, run.job, run))
