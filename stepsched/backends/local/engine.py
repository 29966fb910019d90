"""The engine of the embedded backend: records what is due, claims it, calls it, records how it went.

Its step is the *turn*: one transaction that records the outcomes since the last turn, what has come
due, and the claims for free places. Outcomes that could not be recorded wait for the next turn. In the
background a dispatcher thread takes turns and a pool calls; when time is played the same turns are taken
in the caller's thread.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from stepsched.backends.local import policy
from stepsched.backends.local.invoke import Invoker
from stepsched.backends.local.outcomes import GRACE, too_long, words
from stepsched.backends.local.pool import Pool
from stepsched.backends.local.process import worker_name
from stepsched.backends.local.store import Claim, JobRow, Store
from stepsched.clock import Clock, PlayableClock
from stepsched.errors import BackendError, HandlerError
from stepsched.events import Event, EventKind, Listener
from stepsched.jobs import Completion, Job, JobStatus, Run, RunStatus
from stepsched.targets import ParallelTarget, QueueTarget, TopicTarget

_log = logging.getLogger("stepsched.local")
_LEASE = timedelta(seconds=20)
_RENEW = timedelta(seconds=5)
_TIDY = timedelta(minutes=1)
_LOOK = timedelta(seconds=1)
"""How often the clock and a shared file are looked at for what nobody announces."""
_JUMP = timedelta(seconds=30)
"""A clock that gains more than this on the monotonic one was set, or the machine has slept."""
_SOON = timedelta(milliseconds=1)
_PORTION = 64
"""Jobs whose due runs are recorded in one turn: no more than are claimed, so that none is read twice."""
_QUICK = 0.002
"""Seconds: where calls are quicker than this on average, more runs are claimed than there are threads."""
_BACKLOG = 64
"""How many more."""
_GATHER = timedelta(milliseconds=2)
"""How long outcomes are gathered while every thread has work."""
_FORGOTTEN = 5_000
"""Runs of the history deleted in one transaction."""


class Retention(NamedTuple):
    """How much history stays."""

    age: timedelta
    most: int
    """Ended runs."""


class Attempt(NamedTuple):
    """A claimed run with its job as it was then: later changes do not reach it."""

    claim: Claim
    job: Job
    claimed_at: datetime
    due_by: datetime | None
    """When it has taken too long. None: never, or its parts are watched one by one."""

    @property
    def key(self) -> tuple[int, int]:
        return self.claim.run.id, self.claim.run.attempt


class Letter(NamedTuple):
    """A run that failed for good, on its way to its job's dead-letter queue or to the topic that is told."""

    job: Job
    run: Run
    to: QueueTarget | TopicTarget


class Outcome(NamedTuple):
    """How an attempt went."""

    attempt: Attempt
    ended_at: datetime
    output: str | None
    error: BaseException | None


Pause = TypeVar("Pause")


class Engine:
    """See the module. ``decode`` gives the job of a row."""

    def __init__(
        self,
        store: Store,
        invoker: Invoker,
        clock: Clock,
        decode: Callable[[JobRow], Job],
        *,
        workers: int,
        retention: Retention,
    ) -> None:
        self._store = store
        self._invoker = invoker
        self._clock = clock
        self._decode = decode
        self._retention = retention
        self._worker = worker_name()
        self._pool = Pool[Attempt | Letter](workers, self._work, "stepsched-run")
        self._listeners: list[tuple[Listener, frozenset[EventKind] | None]] = []
        self._wake = threading.Event()
        self._state = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._outcomes: deque[Outcome] = deque()
        self._letters: deque[Letter] = deque()
        self._running: dict[tuple[int, int], tuple[Attempt, threading.Thread]] = {}
        """By run and attempt: a run that was given up may be running again."""
        self._in_flight = 0
        """Runs that are claimed here and have no outcome yet."""
        self._mean_time = 0.0
        """Seconds that a call has taken of late."""
        self._never = threading.Event()
        self._seen = (clock.now(), clock.monotonic())
        self._watched_since = clock.now()
        self._renewed = self._tidied = -float("inf")

    # -- telling -----------------------------------------------------------------------------------

    def listen(self, listener: Listener, kinds: Iterable[EventKind] | None) -> None:
        self._listeners.append((listener, None if kinds is None else frozenset(kinds)))

    def wake(self) -> None:
        """Something has changed: look again now."""
        self._wake.set()

    def tell(self, events: Iterable[Event]) -> None:
        """Hands events to listeners and the log, after the transaction that made them."""
        for event in events:
            level = _LEVELS.get(event.kind, logging.INFO)
            if _log.isEnabledFor(level):
                _log.log(level, "%s", _sentence(event), extra=_fields(event))
            for listener, kinds in self._listeners:
                if kinds is None or event.kind in kinds:
                    try:
                        listener(event)
                    except Exception:  # noqa: BLE001 -- one listener's mistake is not the others'
                        _log.exception("a listener failed on %s of job %s", event.kind.value, event.job)

    # -- the background --------------------------------------------------------------------------------

    def start(self) -> None:
        with self._state:
            if self._thread is not None or isinstance(self._clock, PlayableClock):
                return
            self._stopping = False
            self._watched_since = self._clock.now()
            self._seen = (self._clock.now(), self._clock.monotonic())
            self._renewed = self._tidied = -float("inf")
            self._thread = threading.Thread(target=self._dispatch, name="stepsched-dispatcher", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        with self._state:
            thread, self._thread = self._thread, None
            self._stopping = True
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _dispatch(self) -> None:
        while not self._stopping:
            self._wake.clear()
            pause = self._guarded(self._take_turn)
            self._wake.wait(_LOOK.total_seconds() if pause is None else max(pause.total_seconds(), 0))
            if self._in_flight > self._pool.size and not self._stopping:
                # Every thread has work and more waits: outcomes are gathered for one transaction.
                self._never.wait(_GATHER.total_seconds())
        self._guarded(lambda: self._hand_back(timedelta(0)))
        self._pool.close(meanwhile=lambda: self._guarded(self._wind_down))
        self._guarded(self._leave)

    def _wind_down(self) -> None:
        """While runs in flight are awaited: the lease is kept, outcomes are recorded, time is watched."""
        now = self._clock.now()
        self._keep_house(now)
        self._give_up_late_ones(now)
        self._turn(now, 0)

    def _guarded(self, step: Callable[[], Pause]) -> Pause | None:
        """A step of the dispatcher, which must outlive every failure; None when it failed."""
        try:
            return step()
        except BackendError as error:
            _log.exception("the store failed; nothing is lost, trying again", extra={"code": error.code})
        except Exception:  # noqa: BLE001 -- a mistake of ours must not end all firing
            _log.critical("the dispatcher failed; trying again", exc_info=True)
        return None

    def _take_turn(self) -> timedelta:
        """One turn; how long nothing is to be done afterwards, as far as this process knows."""
        now = self._look_at_clocks()
        self._keep_house(now)
        self._give_up_late_ones(now)
        self._hand_back(_LOOK)
        backlog = _BACKLOG if self._mean_time < _QUICK else 0
        attempts, more = self._turn(now, self._pool.size + backlog - self._in_flight)
        for attempt in attempts:
            self._count(1)
            self._pool.submit(attempt)
        while self._letters:
            self._pool.submit(self._letters.popleft())
        if more or self._outcomes:
            return timedelta(0)
        event = self._next_event()
        return _LOOK if event is None else min(event - self._clock.now(), _LOOK)

    def _hand_back(self, waited: timedelta) -> None:
        """Lets other processes have claimed runs that no thread here has begun for so long."""
        now = self._clock.now()
        items = self._pool.take_back() if self._in_flight > self._pool.size else []
        kept = list[Attempt | Letter]()
        try:
            while items:
                item = items[0]
                if isinstance(item, Attempt) and now - item.claimed_at >= waited:
                    self._store.release(item.claim, self._worker)
                    self._count(-1)
                    self._mean_time = 1.0  # calls are not quick: claim no more than there are threads
                else:
                    kept.append(item)
                del items[0]
        finally:
            for item in (*kept, *items):
                self._pool.submit(item)

    def _look_at_clocks(self) -> datetime:
        """The present. When the clock has been set forward, or the machine has slept, nobody has watched."""
        now, ticks = self._clock.now(), self._clock.monotonic()
        was, ticked = self._seen
        gained = (now - was) - timedelta(seconds=ticks - ticked)
        if abs(gained) > _JUMP:
            _log.warning("the clock has jumped by %s", gained, extra={"gained": gained.total_seconds()})
            if gained > timedelta(0):
                self._watched_since = now
        self._seen = now, ticks
        return now

    def _keep_house(self, now: datetime) -> None:
        ticks = self._clock.monotonic()
        if ticks - self._renewed >= _RENEW.total_seconds():
            self._renew(now)
            self._renewed = ticks
        if ticks - self._tidied >= _TIDY.total_seconds() and not self._tidy(now):
            self._tidied = ticks

    def _renew(self, now: datetime) -> None:
        freed = self._store.stay_alive(self._worker, now + _LEASE, now)
        self.tell(Event(EventKind.RESTARTED, now, run.job, run) for run in freed)

    def _tidy(self, now: datetime) -> bool:
        """Forgets a portion of old history; True when there may be more."""
        gone = self._store.forget(now - self._retention.age, self._retention.most, _FORGOTTEN)
        return gone >= _FORGOTTEN

    def _leave(self) -> None:
        now = self._clock.now()
        self._turn(now, 0)
        while self._letters:
            self._deliver(self._letters.popleft())
        freed = self._store.leave(self._worker, now)
        self.tell(Event(EventKind.RESTARTED, now, run.job, run) for run in freed)

    def _give_up_late_ones(self, now: datetime) -> None:
        """Attempts beyond ``max_run_time``: their answer is no longer awaited."""
        for attempt, thread in list(self._running.values()):
            if attempt.due_by is not None and now > attempt.due_by + GRACE:
                if self._running.pop(attempt.key, None) is None:
                    continue  # it has ended this moment
                self._pool.give_up(thread)
                self._count(-1)
                self._outcomes.append(Outcome(attempt, now, None, too_long(attempt.job.max_run_time)))

    def _next_event(self) -> datetime | None:
        limits = [attempt.due_by for attempt, _ in list(self._running.values()) if attempt.due_by is not None]
        moments = [limit + GRACE + _SOON for limit in limits]
        event = self._store.next_event(self._clock.now())
        return min([*moments, event] if event is not None else moments, default=None)

    def _work(self, item: Attempt | Letter) -> None:
        """In a thread of the pool."""
        if isinstance(item, Letter):
            self._deliver(item)
            return
        key, began = item.key, self._clock.monotonic()
        self._running[key] = (item, threading.current_thread())
        outcome = self._call(item, BaseException)  # nobody else could act on it in this thread
        if self._running.pop(key, None) is None:  # given up
            return
        took = self._clock.monotonic() - began
        self._mean_time += (took - self._mean_time) / 8
        self._outcomes.append(outcome)
        self._count(-1)
        self._wake.set()

    def _count(self, change: int) -> None:
        with self._state:
            self._in_flight += change

    # -- played time -------------------------------------------------------------------------------------

    def play(self, clock: PlayableClock, until: datetime) -> int:
        """Moves from event to event up to an instant; how many attempts were made."""
        attempts = 0
        self._renew(clock.now())
        try:
            while True:
                attempts += self._play_present(clock)
                event = self._store.next_event(clock.now())
                if event is None or event > until:
                    break
                clock.move_to(max(event, clock.now()))
        finally:  # whatever interrupts a play leaves no run held
            self._leave()
        while self._tidy(clock.now()):
            pass
        clock.move_to(max(until, clock.now()))
        return attempts

    def _play_present(self, clock: PlayableClock) -> int:
        """One run after another, until nothing is left to do at this instant."""
        count = 0
        while True:
            attempts, more = self._turn(clock.now(), 1)
            for attempt in attempts:
                outcome = self._call(attempt, (Exception, SystemExit))
                if attempt.due_by is not None and outcome.ended_at > attempt.due_by and outcome.error is None:
                    outcome = outcome._replace(output=None, error=too_long(attempt.job.max_run_time))
                self._outcomes.append(outcome)
                count += 1
            while self._letters:
                self._deliver(self._letters.popleft())
            if not attempts and not more:
                return count

    # -- the turn ----------------------------------------------------------------------------------------

    def _turn(self, now: datetime, places: int) -> tuple[list[Attempt], bool]:
        """Records outcomes and what is due, and claims runs for free places.

        Returns:
            What to call, and whether more is due than one turn takes.
        """
        outcomes, events, attempts = list(self._outcomes), list[Event](), list[Attempt]()
        letters = list[Letter]()
        with self._store.transaction("turn"):
            for outcome in outcomes:
                self._settle(outcome, events, letters)
            more = self._record_portion(now, events)
            if places > 0:
                attempts = self._claim(now, places, events)
        for _ in outcomes:
            self._outcomes.popleft()
        self._letters.extend(letters)
        self.tell(events)
        return attempts, more

    def _record_portion(self, now: datetime, events: list[Event]) -> bool:
        rows = self._store.due_jobs(now, _PORTION)
        left = [self.record_due(row, now, events) for row in rows]
        return len(rows) == _PORTION or any(left)

    def record_due(self, row: JobRow, now: datetime, events: list[Event]) -> bool:
        """Records a portion of a job's due runs; True when more are due."""
        if row.next_run is None or row.next_run > now:
            return False
        try:
            job = self._decode(row)
        except ValidationError as error:
            self._set_aside(row, error, now, events)
            return False
        plan = policy.due_runs(job, row.anchor, row.next_run, now, self._watched_since)
        for run in self._store.record(row, plan, now):
            kind = EventKind.MISSED if run.status is RunStatus.MISSED else EventKind.DUE
            events.append(Event(kind, now, row.name, run))
        if plan.next_run is None:
            self.end_if_run_out(row, now, events, job)
        return plan.next_run is not None and plan.next_run <= now

    def record_all_due(self, row: JobRow, now: datetime, events: list[Event]) -> None:
        """Records everything of a job that is due, so that a change of its status cannot lose it."""
        present: JobRow | None = row
        while present is not None and self.record_due(present, now, events):
            present = self._store.job_by_id(row.id)

    def pause(self, row: JobRow, now: datetime, events: list[Event]) -> None:
        """Lets nothing more of a job come due. What has come due is recorded, and still runs."""
        self.record_all_due(row, now, events)
        self._set_paused(row, now, events)

    def _stop(self, key: int, now: datetime, events: list[Event]) -> None:
        """Pauses a job of which a run has failed, where something is left to come."""
        row = self._store.job_by_id(key)
        if row is not None:
            self.record_all_due(row, now, events)
            row = self._store.job_by_id(key)
            if row is not None and row.next_run is not None:
                self._set_paused(row, now, events)

    def _set_paused(self, row: JobRow, now: datetime, events: list[Event]) -> None:
        self._store.set_status(row, JobStatus.PAUSED, None, now)
        events.append(Event(EventKind.PAUSED, now, row.name))

    def _set_aside(self, row: JobRow, error: Exception, now: datetime, events: list[Event]) -> None:
        """Pauses a job that cannot be read here, such as one of a later stepsched: others must go on."""
        _log.error("job %s cannot be read and is paused", row.name, exc_info=error, extra={"job": row.name})
        self._set_paused(row, now, events)

    def _claim(self, now: datetime, places: int, events: list[Event]) -> list[Attempt]:
        claims, skipped = self._store.claim(self._worker, now, places)
        events.extend(Event(EventKind.SKIPPED, now, run.job, run) for run in skipped)
        attempts = []
        for claim in claims:
            try:
                job = self._decode(claim.row)
            except ValidationError as error:
                self._store.finish(claim, self._worker, RunStatus.FAILED, now, error=words(error))
                self._set_aside(claim.row, error, now, events)
                continue
            limit = None if isinstance(job.target, ParallelTarget) else job.max_run_time
            due_by = None if limit is None else now + limit
            attempts.append(Attempt(claim, job, now, due_by))
            events.append(Event(EventKind.STARTED, now, claim.run.job, claim.run))
        return attempts

    def _call(
        self, attempt: Attempt, caught: type[BaseException] | tuple[type[BaseException], ...]
    ) -> Outcome:
        output: str | None = None
        failure: BaseException | None = None
        try:
            output = self._invoker.call(attempt.job, attempt.claim.run)
        except caught as error:  # whatever user code raises is the outcome
            failure = error
        return Outcome(attempt, self._clock.now(), output, failure)

    def _settle(self, outcome: Outcome, events: list[Event], letters: list[Letter]) -> None:
        """Records how an attempt went, and what follows from it."""
        (claim, job, _, _), at, output, error = outcome
        ended = claim.run.model_copy(
            update={"status": RunStatus.SUCCEEDED, "ended_at": at, "error": None, "output": output}
        )
        again, kind = None, EventKind.SUCCEEDED
        if error is not None:
            if self._store.job_by_id(claim.row.id) is not None:  # a cancelled job is not tried again
                again = policy.next_attempt(job.retry, claim.run.attempt, claim.recorded_at, at)
            kind = EventKind.FAILED if again is None else EventKind.RETRIED
            status = RunStatus.FAILED if again is None else RunStatus.PENDING
            ended_at = at if again is None else None
            ended = ended.model_copy(update={"status": status, "ended_at": ended_at, "error": words(error)})
        held = self._store.finish(
            claim, self._worker, ended.status, at, error=ended.error, output=output, again_at=again
        )
        if not held:
            _log.warning("run %d of job %s was no longer this worker's", claim.run.id, job.name)
            return
        events.append(Event(kind, at, job.name, ended))
        if error is not None:
            failure = HandlerError(job.name, claim.run.scheduled_for)
            failure.__cause__ = error
            _log.debug("%s", failure, exc_info=failure)
        if kind is EventKind.FAILED:
            letters.extend(Letter(job, ended, to) for to in (job.dead_letter, job.notify) if to is not None)
            if policy.stops(job, claim.run.trigger):
                self._stop(claim.row.id, at, events)
        if again is None:
            self._invoker.forget(claim.run)
            self.end_if_run_out(claim.row, at, events, job)

    def _deliver(self, letter: Letter) -> None:
        """Hands a letter to the function that stands for its queue or topic."""
        job, run, to = letter
        is_notice = isinstance(to, TopicTarget)
        what = "notification" if is_notice else "dead letter"
        payload = policy.notice(run) if is_notice else job.input
        try:
            self._invoker.call(job.replace(target=to, input=payload), run)
        except Exception:  # noqa: BLE001 -- user code; the run itself stays listed as failed
            _log.exception("the %s of job %s could not be delivered", what, job.name)
        else:
            kind = EventKind.NOTIFIED if is_notice else EventKind.DEAD_LETTERED
            self.tell([Event(kind, self._clock.now(), job.name, run)])

    def end_if_run_out(self, row: JobRow, now: datetime, events: list[Event], job: Job) -> None:
        """Ends a job with nothing to come, once none of its runs is open."""
        if not self._store.has_run_out(row.id):
            return
        failed = self._store.has_failed(row.id, row.name)
        if job.is_one_time and job.completion is Completion.DELETE and not failed:
            self._store.delete_job(row, now)
        else:
            self._store.set_status(row, JobStatus.ENDED, None, now)
        events.append(Event(EventKind.ENDED, now, row.name))


_LEVELS = {
    EventKind.DUE: logging.DEBUG,
    EventKind.STARTED: logging.DEBUG,
    EventKind.SUCCEEDED: logging.DEBUG,
    EventKind.RETRIED: logging.WARNING,
    EventKind.MISSED: logging.WARNING,
    EventKind.RESTARTED: logging.WARNING,
    EventKind.FAILED: logging.ERROR,
}


def _sentence(event: Event) -> str:
    if event.run is None:
        return f"job {event.job} {event.kind.value}"
    error = f": {event.run.error}" if event.run.error else ""
    when = event.run.scheduled_for.isoformat()
    return f"run {event.run.id} of job {event.job} for {when} {event.kind.value}{error}"


def _fields(event: Event) -> dict[str, object]:
    """What structured logs carry besides the sentence."""
    fields: dict[str, object] = {"event": event.kind.value, "job": event.job}
    if event.run is not None:
        fields |= {
            "run_id": event.run.id,
            "scheduled_for": event.run.scheduled_for.isoformat(),
            "attempt": event.run.attempt,
            "trigger": event.run.trigger.value,
        }
    return fields
