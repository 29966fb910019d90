"""The turns of the embedded backend: recording, claiming, settling and recovering runs, each in one
transaction.

Nothing here runs user code, starts a thread or waits.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from stepsched.backends.local import policy
from stepsched.backends.local.attempts import Attempt, Letter, Outcome, letters_of, undelivered
from stepsched.backends.local.flows.progress import FlowEnd, Flows, step_name
from stepsched.backends.local.flows.tables import StepEnd
from stepsched.backends.local.invoke import Invoker
from stepsched.backends.local.listeners import Listeners
from stepsched.backends.local.rows import (
    FOLLOWING,
    GIVEN_UP,
    PAUSED,
    Claim,
    DamagedRow,
    JobRow,
    RunRow,
    flow_of,
)
from stepsched.backends.local.store import Candidate, Retention, Store
from stepsched.core.clock import Clock
from stepsched.core.errors import BackendError, ErrorCode, WorkflowNotFoundError
from stepsched.core.outcomes import indented, one_line, words
from stepsched.core.quoting import quoted
from stepsched.jobs import Completion, Job, JobStatus, Overlap, Run, RunStatus, Trigger
from stepsched.jobs.events import Event, EventKind
from stepsched.jobs.records import STILL_RAN
from stepsched.targets import ParallelTarget, WorkflowTarget
from stepsched.workflows.records import FailureKind, StepStatus, WorkflowRunStatus

_log = logging.getLogger("stepsched.local")
GONE = "its job was cancelled"
GONE_URL = "its URL answered 410 Gone: the receiver wants no further calls"
"""The reason of a pause."""
_PORTION = 64
"""The maximum number of jobs whose due runs are recorded in one turn."""
_MOST_REPEATED = 100
"""How often in succession a job may come due at the instant that was recorded just before."""
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
        flows: Flows,
        *,
        worker: str,
        max_restarts: int,
    ) -> None:
        self._flows = flows
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
        self._portion = self._recorded = frozenset[tuple[int, datetime | None]]()
        """The jobs that were due in the present and in the last recorded portion, with their instants."""
        self._repeated = 0
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
            now, self._flows.started = self._clock.now(), 0
            for outcome in outcomes:
                self._settle(outcome, events, letters)
            if due_by is not None:
                more = self._record_portion(due_by, events)
            if places > 0:
                attempts = self._claim(now, places, events, letters)
            more |= self._flows.started > len(attempts)  # other threads may start these steps
        self._recorded = self._portion
        return Turn(attempts, letters, events, more)

    def recover(self, now: datetime) -> tuple[list[Event], list[Letter]]:
        """Recovers the runs of dead workers, takes over their letters, and finds runs that no worker can
        call; inside a transaction of the caller."""
        events, letters = list[Event](), list[Letter]()
        self._recover_runs(now, events, letters)
        self._recover_steps(now, events, letters)
        letters += self._left_letters()
        return events + self.waiting_runs(now), letters

    def waiting_runs(self, now: datetime) -> list[Event]:
        """Returns the events of runs that turned out not to be callable by any worker; inside a transaction
        of the caller."""
        waiting = self._store.unclaimable(now)
        return [Event(EventKind.WAITING, now, row.run.job, row.run) for row in waiting if row.flow is None]

    # -- recording -------------------------------------------------------------------------------------

    def _record_portion(self, now: datetime, events: list[Event]) -> bool:
        if not self._listeners.wants(EventKind.DUE):
            more = self._store.record_plain(now, _PORTION) == _PORTION
            if more:
                return True
        rows = self._store.due_jobs(now, _PORTION)
        self._refuse_repetition(rows)
        left = [self.record_due(row, now, events) for row in rows]
        return len(rows) == _PORTION or any(left)

    def _refuse_repetition(self, rows: Sequence[JobRow | DamagedRow]) -> None:
        """Ends an endless repetition: in some damaged files a row stays as it is, whatever is written to it.

        Raises:
            BackendError: A job has come due at one instant again and again, although that was recorded.
        """
        self._portion = frozenset((row.id, row.next_run if isinstance(row, JobRow) else None) for row in rows)
        self._repeated = self._repeated + 1 if self._portion & self._recorded else 0
        if self._repeated > _MOST_REPEATED:
            detail = f"changes of job {quoted(rows[0].name)} are lost: the file is damaged; restore a copy"
            raise BackendError("sqlite", "record", ErrorCode.CORRUPT, detail=detail)

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

    def _pause_gone(self, key: int, now: datetime, events: list[Event]) -> None:
        """Pauses a job whose URL is gone, if it has future runs; runs that are already due are held back."""
        row = self._store.job_by_id(key)
        if isinstance(row, JobRow) and row.next_run is not None:
            self.pause(row, now, events, GONE_URL)

    def _set_paused(self, row: JobRow, now: datetime, events: list[Event], reason: str | None = None) -> None:
        self._store.set_status(row, JobStatus.PAUSED, None, now, reason)
        events.append(Event(EventKind.PAUSED, now, row.name))

    def _set_aside(
        self, row: JobRow | DamagedRow, error: Exception, now: datetime, events: list[Event]
    ) -> None:
        """Pauses a job that cannot be read, for example of a later stepsched, so that other jobs continue.
        Listeners are not told of steps."""
        name, why = one_line(row.name), one_line(words(error))
        _log.error("job %s cannot be read and is paused: %s", name, why, extra={"job": row.name})
        if isinstance(row, DamagedRow):
            self._store.set_aside(row, now)
        else:
            self._store.set_status(row, JobStatus.PAUSED, None, now)
        if flow_of(row.name) is None:
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
        if isinstance(job.target, WorkflowTarget):
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
        if run.attempt > 0 and now - row.start_after > _LATE and self._is_too_old(row, job_row, job, now):
            reason = run.error or policy.cut_off(max(row.crashes, 1))
            self._fail(row, job_row, job, reason, now, events, letters)
            return None
        if candidate.overlap == "skip" and run.attempt == 0 and self._store.is_overlapping(job_row.id, key):
            self._leave_out(row, EventKind.SKIPPED, RunStatus.SKIPPED, STILL_RAN, now, events)
            self.end_if_run_out(job_row, now, events, job)
            return None
        if isinstance(job.target, WorkflowTarget):
            self._follow(row, job_row, job, now, events, letters)
            return None
        return self._attempt(self._store.begin(row, job_row, self._worker, now), job, now, events)

    def _is_too_old(self, row: RunRow, job_row: JobRow | DamagedRow, job: Job, now: datetime) -> bool:
        """Returns whether no further attempt of a run may start, because of its age. That of a step does not
        count."""
        return not step_name(job_row.name) and policy.too_old(job.retry, row.recorded_at, now)

    def _attempt(self, claim: Claim, job: Job, now: datetime, events: list[Event]) -> Attempt:
        limit = None if isinstance(job.target, ParallelTarget) else job.max_run_time
        if claim.row.flow is None:
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
        attempt, at, output, error, where, lingering, *_ = outcome
        claim, job = attempt.claim, attempt.job
        if claim.row.flow is not None:
            self._settle_step(outcome, claim.row.flow, events, letters)
            return
        again, kind, status = None, EventKind.SUCCEEDED, RunStatus.SUCCEEDED
        held: str | None = None
        bits = 0
        if error is not None:
            is_final = attempt.is_final or outcome.is_gone or self._store.job_by_id(claim.row.id) is None
            if not is_final:  # a run of a cancelled job is not retried
                again = policy.next_attempt(
                    job.retry, claim.failures + 1, claim.recorded_at, at, outcome.retry_after
                )
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
        if outcome.is_gone:
            self._pause_gone(claim.row.id, at, events)
        if again is None:
            self._invoker.forget(claim.run)
            self.end_if_run_out(claim.row, at, events, job)

    def end_if_run_out(self, row: JobRow, now: datetime, events: list[Event], job: Job) -> None:
        """Releases the next queued run after a run, or ends a job without future and open runs."""
        deletes = job.is_one_time and job.completion is Completion.DELETE
        if deletes and not self._listeners.wants(EventKind.ENDED) and self._store.delete_succeeded(row, now):
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
            elif self._is_stopped_step(row, job_row, now, events, letters):
                continue
            elif job is not None and self._is_too_old(row, job_row, job, now):
                reason = f"{policy.cut_off(crashes)}, and Retry.max_age, {job.retry.max_age}, has passed"
            else:
                reason = None
            if reason is not None:
                self._fail(row, job_row, job, reason, now, events, letters)
                continue
            paused = isinstance(job_row, JobRow) and job_row.status is JobStatus.PAUSED
            self._store.restart(key, now, crashed=True, held=PAUSED if paused else None)
            if isinstance(job_row, JobRow) and job_row.flow is not None:
                _log.warning("step %s was cut off by the end of its process; it starts again", row.run.job)
                continue
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
        if isinstance(job_row, JobRow) and job_row.flow is not None:
            self._fail_step(row, job_row, reason, now, events, letters)
            return
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

    # -- steps of workflows ----------------------------------------------------------------------------

    def _settle_step(self, outcome: Outcome, key: int, events: list[Event], letters: list[Letter]) -> None:
        """Records the outcome of a step, and what follows from it in its workflow. Listeners are not told."""
        attempt, at, output, error, where, lingering, *_ = outcome
        claim, job = attempt.claim, attempt.job
        again = stopped = None
        if error is not None and not outcome.is_gone:  # the age of a step does not count
            since = at if step_name(claim.row.name) else claim.recorded_at
            again = policy.next_attempt(job.retry, claim.failures + 1, since, at, outcome.retry_after)
        if again is not None:
            stopped = self._flows.stopped_by(key, step_name(claim.row.name))
        if again is not None and stopped is None:
            self._store.finish(
                claim,
                attempt.worker,
                RunStatus.PENDING,
                at,
                error=error,
                traceback=where,
                again_at=again,
                lingering=lingering,
            )
            told = "" if where is None else indented(where)
            _log.warning("step %s is tried again: %s%s", claim.run.job, one_line(error or ""), told)
            return
        if not self._flows.tables.take(claim.run.id, claim.row.id, claim.run.attempt, attempt.worker):
            return  # an operator has skipped the step, or its run was cancelled
        self._invoker.forget(claim.run)
        status = StepStatus.SUCCEEDED if error is None else StepStatus.FAILED
        end = StepEnd(
            status,
            at,
            claim.run.attempt,
            failures=claim.failures + (error is not None),
            losses=claim.crashes,
            output=output,
            error=error,
            failure=None if error is None else FailureKind.JOB,
            started_at=claim.run.started_at,
            traceback=where,
        )
        self._end_step(key, claim.row, end.stopped_by(stopped), events, letters)

    def _end_step(
        self, key: int, row: JobRow, end: StepEnd, events: list[Event], letters: list[Letter]
    ) -> None:
        self._flows.forget(row.id)
        name = step_name(row.name)
        if name:
            self.end_flows(self._flows.end_step(key, name, end), events, letters)
        elif end.status is StepStatus.FAILED:
            why = one_line(end.error or "")
            _log.error("the topic of run %d of a workflow could not be told of its end: %s", key, why)

    def _fail_step(
        self,
        row: RunRow,
        job_row: JobRow,
        reason: str,
        now: datetime,
        events: list[Event],
        letters: list[Letter],
        stopped: str | None = None,
    ) -> None:
        """Fails a step for good outside an attempt of this process."""
        assert job_row.flow is not None
        self._flows.tables.withdraw(row.run.id, job_row.id)
        end = StepEnd(
            StepStatus.FAILED,
            now,
            row.run.attempt,
            failures=row.failures,
            losses=row.crashes + (row.run.status is RunStatus.RUNNING),
            error=reason,
            failure=FailureKind.PLATFORM if row.run.status is RunStatus.RUNNING else FailureKind.JOB,
            started_at=row.run.started_at,
        )
        self._end_step(job_row.flow, job_row, end.stopped_by(stopped), events, letters)

    def _is_stopped_step(
        self,
        row: RunRow,
        job_row: JobRow | DamagedRow | None,
        now: datetime,
        events: list[Event],
        letters: list[Letter],
    ) -> bool:
        """Ends a step that was cut off and whose workflow has stopped; returns False if it is started
        again."""
        if not isinstance(job_row, JobRow) or job_row.flow is None:
            return False
        stopped = self._flows.stopped_by(job_row.flow, step_name(job_row.name))
        if stopped is not None:
            reason = policy.cut_off(row.crashes + 1)
            self._fail_step(row, job_row, reason, now, events, letters, stopped)
        return stopped is not None

    def _recover_steps(self, now: datetime, events: list[Event], letters: list[Letter]) -> None:
        """Ends steps whose runs have ended without them: an earlier stepsched does not know workflows."""
        for key, name, row in self._flows.tables.lost():
            end = StepEnd(StepStatus.FAILED, now, 1, error="its run is lost", failure=FailureKind.PLATFORM)
            if isinstance(row, RunRow):
                run = row.run
                status = StepStatus.SUCCEEDED if run.status is RunStatus.SUCCEEDED else StepStatus.FAILED
                end = StepEnd(
                    status,
                    run.ended_at or now,
                    run.attempt,
                    failures=row.failures,
                    losses=row.crashes,
                    output=run.output,
                    error=run.error,
                    failure=None if status is StepStatus.SUCCEEDED else FailureKind.JOB,
                    started_at=run.started_at,
                )
                self._flows.tables.withdraw(run.id, row.job_id)
            self.end_flows(self._flows.end_step(key, name, end), events, letters)
        for follower, flow in self._flows.tables.deserted():
            job_row = self._store.job_by_id(follower.job_id)
            found = None if flow is None else self._flows.end_again(flow)
            output, error = (
                (None, "its workflow's run is gone") if found is None else (found.run.key, found.error)
            )
            self._end_follower(follower.run, follower, job_row, output, error, now, events, letters)

    def tidy(self, now: datetime, retention: Retention) -> bool:
        """Deletes a batch of old history, inside a transaction of the caller; returns whether there may be
        more."""
        more = self._store.tidy(now, retention)
        return self._flows.tables.tidy(now, retention.age, retention.most) or more

    # -- runs of jobs that start workflows -----------------------------------------------------------------

    def _follow(
        self,
        row: RunRow,
        job_row: JobRow,
        job: Job,
        now: datetime,
        events: list[Event],
        letters: list[Letter],
    ) -> None:
        """Begins a run whose target is a workflow: it is running, in no thread, until the workflow's run
        ends."""
        claim = self._store.begin(row, job_row, FOLLOWING, now)
        self._event(events, EventKind.STARTED, now, claim.run)
        try:
            key, ends = self._flows.begin_for(job, claim.run, row.follows, now)
        except (BackendError, WorkflowNotFoundError) as error:
            self._end_follower(claim.run, row, job_row, None, words(error), now, events, letters)
            return
        self._flows.tables.follow(row.run.id, key)
        self.end_flows(ends, events, letters)

    def end_flows(self, ends: list[FlowEnd], events: list[Event], letters: list[Letter]) -> None:
        """Ends the runs of jobs that have started these runs of workflows, and notifies."""
        for end in ends:
            self._flows.notify(end)
            for row in self._flows.tables.followers(end.key):
                job_row = self._store.job_by_id(row.job_id)
                is_final = end.run.status is WorkflowRunStatus.CANCELLED
                at = end.run.ended_at or self._clock.now()
                self._end_follower(
                    row.run, row, job_row, end.run.key, end.error, at, events, letters, is_final=is_final
                )

    def _end_follower(
        self,
        run: Run,
        row: RunRow,
        job_row: JobRow | DamagedRow | None,
        output: str | None,
        error: str | None,
        now: datetime,
        events: list[Event],
        letters: list[Letter],
        *,
        is_final: bool = False,
    ) -> None:
        job = self._job_of(job_row)
        if job is None or not isinstance(job_row, JobRow):
            self._flows.tables.end_orphan(run.id, error, None if error else output, now)
            return
        self._flows.tables.adopt(run.id, self._worker)
        claim = Claim(run, job_row, row.recorded_at, row.failures, row.crashes)
        attempt = Attempt(claim, job, self._worker, self._clock.monotonic(), None, is_final)
        outcome = Outcome(attempt, now, None if error else output, error)
        self._settle(outcome, events, letters)

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
