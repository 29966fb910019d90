"""The engine of the embedded backend: records due runs, claims them, calls their targets, records outcomes.

It works in *turns*. A turn is one transaction that records outcomes, due runs, and the claims for free
threads. The claim is the beginning of the call: a run is claimed only when a thread is free for it, and a
thread that has finished a call records its outcome and claims its next run in one transaction. In the
background a dispatcher thread takes turns when something comes due; when time is played, the same turns are
taken in the caller's thread.

User code (handlers, listeners, dead-letter functions, imports of modules, the texts of exceptions) runs in
separate threads and never inside a transaction.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import TypeVar
from weakref import WeakSet

from stepsched.backends.local.attempts import (
    Attempt,
    Letter,
    Outcome,
    Running,
    elapsed,
    part_of,
    present_calls,
)
from stepsched.backends.local.commands import end_in_flight
from stepsched.backends.local.flows.progress import FlowEnd, Flows
from stepsched.backends.local.flows.tables import Tables
from stepsched.backends.local.invoke import Invoker
from stepsched.backends.local.leases import LEASE, Leases
from stepsched.backends.local.letters import Letters
from stepsched.backends.local.listeners import Listeners
from stepsched.backends.local.parts import PartsFailedError
from stepsched.backends.local.playing import Player
from stepsched.backends.local.pool import Pool
from stepsched.backends.local.process import end_commands, worker_name
from stepsched.backends.local.rows import JobRow
from stepsched.backends.local.store import Retention, Store
from stepsched.backends.local.turns import GONE, Turns
from stepsched.backends.local.waking import Latch, Wake
from stepsched.core.clock import Clock, PlayableClock, SystemClock
from stepsched.core.errors import BackendError, ErrorCode
from stepsched.core.outcomes import GRACE, too_long, trace, words
from stepsched.jobs import Job, RunStatus
from stepsched.jobs.events import Event, EventKind, Listener
from stepsched.webhooks.sending import DeliveryError

_log = logging.getLogger("stepsched.local")
_real = SystemClock()
_RENEW = 5.0
"""The time in seconds between two renewals of the lease."""
_AHEAD = timedelta(milliseconds=3)
"""The time before its instant at which a run is recorded, so that only its claim remains at the instant."""
_SHARP = 0.0004
"""The time in seconds before an instant during which the dispatcher waits actively: no sleep ends on time."""
_TURN = 0.0001
"""The approximate time in seconds for which a run locks the file."""
_HELD_UP = timedelta(milliseconds=2)
"""The duration from which a call is not counted as a short one."""
_TIDY = 60.0
"""The time in seconds between two deletions of old history, and between two retries of failed imports."""
_HANDING_BACK = 5.0
"""The longest time in seconds that ``stop`` waits after its timeout for the runs to be handed back."""
_LOOK = timedelta(seconds=1)
"""How often the clock and a shared file are polled for changes that are not announced."""
_JUMP = timedelta(seconds=30)
"""If the clock gains more than this on the monotonic clock, it was set, or the machine was suspended."""


class _Stop:
    """A request to stop running jobs."""

    def __init__(self) -> None:
        self.ends_at: float | None = None
        self.but_for = set[object]()
        """The calls that requested it, which are not awaited: attempts, deliveries, the listeners."""
        self.done = Latch()

    def hurry(self, timeout: float | None) -> None:
        """Sets a timeout; of several timeouts the earliest applies."""
        if timeout is not None:
            at = _real.monotonic() + timeout
            self.ends_at = at if self.ends_at is None else min(self.ends_at, at)

    def left(self) -> float:
        """Returns the remaining time in seconds; infinite without a timeout."""
        return float("inf") if self.ends_at is None else max(self.ends_at - _real.monotonic(), 0)


Answer = TypeVar("Answer")


class Engine:
    """The engine. ``decode`` returns the job of a row."""

    def __init__(
        self,
        store: Store,
        invoker: Invoker,
        clock: Clock,
        decode: Callable[[JobRow], Job],
        flows: Flows | None = None,
        *,
        workers: int,
        retention: Retention,
        max_restarts: int = 3,
    ) -> None:
        self._store = store
        self._invoker = invoker
        self._clock = clock
        self._decode = decode
        self._flows = flows or Flows(Tables(store.database))
        self._retention = retention
        self._max_restarts = max_restarts
        self._size = workers
        self._listeners = Listeners()
        self._be_new()
        _ENGINES.add(self)

    def _be_new(self) -> None:
        """Initialises everything that belongs to one process."""
        self._letters = Letters(self._store, self._invoker, self._clock, self.tell, self._after_a_call)
        self._pool = Pool[Attempt](self._size, self._work, "stepsched-run", self._serve_free)
        self._import_pool = Pool[str](2, self._examine, "stepsched-import")
        self._wake = Wake()
        self._state = threading.RLock()
        self._thread: threading.Thread | None = None
        self._request: _Stop | None = None
        self._outcomes: deque[Outcome] = deque()
        """Outcomes that could not be recorded; the next turn records them."""
        self._running: dict[tuple[int, int], Running] = {}
        """The running attempts by run and attempt number: a run whose attempt timed out may run again."""
        self._recording: dict[tuple[int, int], str] = {}
        """The attempts that have ended and whose outcomes are being recorded, with their workers."""
        self._left_behind: dict[tuple[int, int], Running] = {}
        """The calls that still run after their timeout."""
        self._unserved = True
        """Whether there may be due runs for which no thread was free."""
        self._mean_time = 1.0
        """The recent mean duration of a call, in seconds."""
        self._next: datetime | None = None
        """The instant of the next event to wait for."""
        self._unreachable: str | None = None
        """The last failure of the store. None: it works."""
        self._but_for: set[object] = set()
        """The calls that requested the latest stop."""
        self._close: Callable[[], object] | None = None
        """Closes the store after the last call, if that was requested during it."""
        self._be_somebody()

    def _be_somebody(self) -> None:
        """Initialises a worker with a new name."""
        self._worker = self._invoker.worker = worker_name()
        self.turns = Turns(
            self._store,
            self._invoker,
            self._clock,
            self._decode,
            self._listeners,
            self._flows,
            worker=self._worker,
            max_restarts=self._max_restarts,
        )
        self._leases = Leases(self._store, self._clock)
        self._seen = (self._clock.now(), self._clock.monotonic())
        self._renewed = self._tidied = -float("inf")

    def reset_after_fork(self) -> None:
        """Resets the engine in a child process: it has no threads, and runs in progress belong to the
        parent."""
        self._listeners.reset()
        self._flows.graphs.reset_after_fork()
        self._invoker.reset_after_fork()
        self._be_new()

    # -- telling -----------------------------------------------------------------------------------

    def listen(self, listener: Listener, kinds: Iterable[EventKind] | None) -> None:
        self._listeners.add(listener, kinds)

    def tell(self, events: Iterable[Event]) -> None:
        """Passes events to listeners and the log, after the transaction that recorded them."""
        self._listeners.tell(list(events))

    def transaction(self, operation: str) -> AbstractContextManager[None]:
        """Runs the block as one transaction of the store."""
        return self._store.transaction(operation)

    @contextmanager
    def flow_change(self, operation: str) -> Iterator[list[FlowEnd]]:
        """Runs the block as a transaction that changes runs of workflows; what follows from the ends that it
        adds to the list is recorded with it."""
        ends, events, letters = list[FlowEnd](), list[Event](), list[Letter]()
        with self._store.transaction(operation):
            yield ends
            self.turns.end_flows(ends, events, letters)
        self._letters.add(letters)
        self.wake()
        self.tell(events)

    def wake(self) -> None:
        """Wakes the dispatcher after a change."""
        self._wake.set()
        thread = self._thread
        if thread is not None and not thread.is_alive() and self._request is None:
            self._replace_dispatcher(thread)

    def _replace_dispatcher(self, ended: threading.Thread) -> None:
        """Starts another dispatcher thread; only a fault can end it."""
        with self._state:
            if self._thread is not ended or self._request is not None:
                return
            _log.critical("the dispatcher thread ended unexpectedly; another one was started")
            self._start_dispatcher()

    def _start_dispatcher(self) -> None:
        thread = threading.Thread(target=self._dispatch, name="stepsched-dispatcher", daemon=True)
        thread.start()
        self._thread = thread

    # -- beginning and ending --------------------------------------------------------------------------

    @property
    def is_firing(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        with self._state:
            if isinstance(self._clock, PlayableClock):
                return
            if self._thread is not None and self._thread.is_alive():
                if self._request is not None:  # a start during a stop cancels it
                    self._request.done.set()
                    self._request = None
                return
            self._request = None
            self._letters.leave_waiting()
            self._be_somebody()
            self._listeners.begin()
            self._start_dispatcher()

    def stop(self, timeout: float | None = None) -> None:
        """Stops running jobs.

        Args:
            timeout: The longest time in seconds to wait for runs in progress; then they are handed back.
                None: no limit.
        """
        self._store.end_interrupted()  # otherwise it would never end
        me = threading.current_thread()
        with self._state:
            thread = self._thread
            if thread is None:
                return
            request = self._request = self._request or _Stop()
            request.hurry(timeout)
            request.but_for.update(present_calls())
            if not thread.is_alive() and not request.done.is_set:  # it ended because of a fault
                self._start_dispatcher()
        self._wake.set()
        if self._store.is_locked_here:  # a signal handler in the middle of a verb
            _log.warning("stop was called in the middle of a verb; the backend stops after it")
        elif me is not thread:
            self._await(request, timeout)

    def _await(self, request: _Stop, timeout: float | None) -> None:
        """Waits for the end of a stop, after its timeout only as long as handing back usually takes: another
        process may have locked the file."""
        ends_at = float("inf") if timeout is None else _real.monotonic() + timeout + _HANDING_BACK
        while not request.done.wait(0.5):  # so that a signal that arrived just before is handled
            if _real.monotonic() >= ends_at:
                _log.warning("runs could not be handed back in time; the backend stops when it is possible")
                return

    def hurry(self, timeout: float = 0) -> None:
        """Limits the wait of a running :meth:`stop` to this many seconds."""
        with self._state:
            if self._request is not None:
                self._request.hurry(timeout)
        self._wake.set()

    def closes_later(self, close: Callable[[], object]) -> bool:
        """Postpones closing the store if calls go on after :meth:`stop`: those that requested it. Returns
        False if none does."""
        self._close = close
        return self._goes_on()

    def _goes_on(self) -> bool:
        """Returns whether the store is still needed: by the dispatcher, by calls that requested the stop, or
        by the letters after them."""
        if self._thread is not None or self._recording or self._letters.in_hand:
            return True
        return any(running in self._but_for for running in list(self._running.values()))

    def abandon(self) -> None:
        """Hands back all runs at the end of the interpreter, when no thread survives."""
        self.stop(timeout=0)
        _end_commands_of([*self._running.values(), *self._left_behind.values()])
        names = {running.attempt.worker for running in self._left_behind.values()}
        if names and not self._store.is_closed:
            with self._store.transaction("end leases"):
                for name in names:
                    self._store.bury(name)

    # -- the background --------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        while True:
            while self._request is None:
                self._wake.clear()
                pause = self._guarded(self._take_turn)
                if self._request is not None:
                    break
                self._sleep(_LOOK.total_seconds() if pause is None else pause.total_seconds())
                self._await_exactly()
            request = self._request
            if request is not None and self._wind_down(request):
                return

    def _wind_down(self, request: _Stop) -> bool:
        """Awaits runs in progress and letters until the timeout, hands back the rest, and ends the lease.

        Returns:
            False if the request was withdrawn.
        """
        while self._request is request:
            self._wake.clear()
            self._guarded(self._wind)
            waits = [running for running in list(self._running.values()) if running not in request.but_for]
            waits_for_letters = self._letters.goes_on_without(request.but_for)
            # If the store fails, the outcomes are recorded after the next start.
            unrecorded = self._outcomes and self._unreachable is None
            is_done = not (waits or unrecorded or waits_for_letters)
            if (is_done or not request.left()) and not self._recording:
                break
            self._wake.wait(min(0.5, request.left()) or 0.01)
        with self._state:
            if self._request is not request:
                return False
        self._guarded(lambda: self._hand_back(request))
        if self._listeners not in request.but_for:
            self._listeners.drain(min(request.left(), 5.0))
        worker = self._worker
        self._guarded(lambda: self._leave(worker))
        for pool in (self._pool, self._letters.pool, self._import_pool):
            pool.close()
        with self._state:
            self._listeners.end()
            self._but_for = request.but_for
            self._letters.in_hand &= request.but_for  # the others may be repeated by another worker
            self._thread = None
            self._request = None
        self._after_a_call(worker)  # which may have ended just before
        request.done.set()
        return True

    def _wind(self) -> None:
        """Takes one step while runs in progress are awaited: renews the lease, records outcomes, checks
        timeouts."""
        self._housekeeping(self._clock.now())
        self._time_out_attempts()
        self._turn(list(self._outcomes), 0, due_by=None)
        self._send()

    def _hand_back(self, request: _Stop) -> None:
        """Hands back runs that have not ended in time, so that they are started again, unless they end
        first."""
        now = self._clock.now()
        left = [each for each in list(self._running.values()) if each not in request.but_for]
        events = list[Event]()
        with self._store.transaction("hand back"):
            for running in left:
                claim = running.attempt.claim
                if not self._store.hand_back(claim, running.attempt.worker, now):
                    continue
                if claim.row.flow is not None:
                    continue
                if self._store.job_by_id(claim.row.id) is None:
                    self._store.close_run(claim.run.id, RunStatus.FAILED, GONE, now)
                again = {"status": RunStatus.PENDING, "restarted": True}
                events.append(
                    Event(EventKind.RESTARTED, now, claim.run.job, claim.run.model_copy(update=again))
                )
        for running in left:
            running.handed_back = True
            if self._running.pop(running.attempt.key, None) is not None:
                self._left_behind[running.attempt.key] = running
        if self._store.path is None:  # another process cannot end them before it starts the runs again
            _end_commands_of(left)
        self.tell(events)

    def _guarded(self, step: Callable[[], Answer]) -> Answer | None:
        """Performs a step of an engine thread, which must survive every failure; returns None if it
        failed."""
        try:
            answer = step()
        except BackendError as error:
            if error.code not in (self._unreachable, ErrorCode.CLOSED):  # closed by the program
                self._unreachable = error.code
                _log.exception("the store failed; nothing is lost, retrying", extra={"code": error.code})
            return None
        except BaseException:  # noqa: BLE001 -- a fault of ours must not end all firing
            _log.critical("a step of the engine failed; retrying", exc_info=True)
            return None
        self._unreachable = None
        return answer

    def _take_turn(self) -> timedelta:
        """Takes a turn; returns how long there is nothing to do afterwards, as far as this process knows."""
        now = self._look_at_clocks()
        self._housekeeping(now)
        self._time_out_attempts()
        self._unserved = True  # a thread that becomes free from here on reports it
        places = min(self._pool.places(), self._useful_threads() - self._pool.busy)
        attempts, more = self._turn(list(self._outcomes), places, due_by=now + _AHEAD)
        for attempt in attempts:
            self._pool.submit(attempt)
        self._send()
        self._unserved = len(attempts) >= places
        if more or (places > 0 and self._unserved and self._pool.can_grow):
            return timedelta(0)
        return self._until_next_event()

    def _sleep(self, pause: float) -> None:
        """Waits until something happens, for at most this many seconds, or until another thread is useful
        because a long call delays short ones."""
        ends_at = _real.monotonic() + pause
        while not self._wake.wait(max(min(ends_at - _real.monotonic(), self._patience()), 0)):
            if _real.monotonic() >= ends_at or self._useful_threads() > self._pool.busy:
                return

    def _patience(self) -> float:
        return _HELD_UP.total_seconds() if self._unserved and self._calls_are_quick else _LOOK.total_seconds()

    @property
    def _calls_are_quick(self) -> bool:
        """Returns whether calls are so short that the file is the bottleneck."""
        return self._mean_time < self._size * _TURN

    def _enough(self) -> int:
        """Returns the number of threads that keep the file busy. With short calls, more threads would only
        wait for one another."""
        return min(1 + int(self._mean_time / _TURN), self._size)

    def _useful_threads(self) -> int:
        """Returns the number of useful threads: for each thread in a long call one more is useful."""
        enough = self._enough()
        if enough == self._size:
            return enough
        since = _real.monotonic() - _HELD_UP.total_seconds()
        held_up = sum(1 for running in list(self._running.values()) if running.since < since)
        return min(enough + held_up, self._size)

    def _send(self) -> None:
        """Passes letters and imports to their threads."""
        imports = self.turns.imports
        while imports and self._import_pool.places():
            self._import_pool.submit(imports.popleft())
        self._letters.send()

    def _serve_free(self) -> None:
        """Is called when a thread becomes free."""
        if self._unserved:
            self._wake.set()

    def _until_next_event(self) -> timedelta:
        ticks = self._clock.monotonic()
        limits = [
            each.attempt.began + (each.attempt.limit + GRACE).total_seconds() - ticks + 0.001
            for each in list(self._running.values())
            if each.attempt.limit is not None
        ]
        pause = min([_LOOK.total_seconds(), *limits])
        event = self._store.next_event(self._clock.now(), _AHEAD)
        self._next = event
        if event is not None:
            return min(event - self._clock.now() - timedelta(seconds=_SHARP), timedelta(seconds=pause))
        return timedelta(seconds=pause)

    def _await_exactly(self) -> None:
        """Waits actively, without sleep, for the last moment before the next event."""
        event, self._next = self._next, None
        if event is None or not isinstance(self._clock, SystemClock):
            return
        left = (event - self._clock.now()).total_seconds()
        if 0 < left <= 2 * _SHARP:
            ends_at = _real.monotonic() + left
            while _real.monotonic() < ends_at:
                continue

    def _look_at_clocks(self) -> datetime:
        """Returns the present. If the clock was set, or the machine was suspended, no worker was running in
        the meantime, and pauses before attempts are moved accordingly."""
        now, ticks = self._clock.now(), self._clock.monotonic()
        was, ticked = self._seen
        gained = (now - was) - timedelta(seconds=ticks - ticked)
        if abs(gained) > _JUMP:
            _log.warning("the clock jumped by %s", gained, extra={"gained": gained.total_seconds()})
            if gained > timedelta(0):
                self.turns.watched_since = now
            with self._store.transaction("shift pauses"):
                self._store.shift_pauses(self._worker, gained)
        self._seen = now, ticks
        return now

    def _housekeeping(self, now: datetime) -> None:
        ticks = self._clock.monotonic()
        if self._pool.replace_ended() + self._letters.pool.replace_ended():
            _log.critical("a thread of the pool ended unexpectedly; another one was started")
        if ticks - self._renewed >= _RENEW or self.turns.has_refused:
            self.turns.has_refused = False  # and other workers are considered
            self._renew(now)
            self._renewed = ticks
            self._end_withdrawn()
        if ticks - self._tidied >= _TIDY and not self._tidy(now):
            self._look_anew()
            self._tidied = ticks

    def _tidy(self, now: datetime) -> bool:
        """Deletes a batch of old history; returns True if there may be more."""
        with self._store.transaction("forget runs"):
            return self.turns.tidy(now, self._retention)

    def _look_anew(self) -> None:
        """Retries targets that could not be called: they may have been installed or registered in the
        meantime."""
        if self.turns.refuses:
            self._invoker.look_anew()
            self._forget_refusals()

    def _forget_refusals(self) -> None:
        with self._store.transaction("look anew"):
            self._store.forget_refusals(self._worker)
        self.turns.refuses = False

    def look_anew(self) -> None:
        """Is called when refused targets may be callable from now on."""
        if self.turns.refuses:
            self._tidied = -float("inf")
            self._wake.set()

    # -- workers that have died ------------------------------------------------------------------------

    def _renew(self, now: datetime) -> None:
        """Renews the lease of this worker, and takes over the runs of dead workers."""
        dead = self._leases.dead(self._worker)
        if dead:
            end_commands(lambda mark: mark.rpartition("#")[0] in dead)
        with self._store.lock:
            with self._store.transaction("renew lease"):
                self._store.enter(self._worker, now + LEASE)
                for worker in dead:
                    self._store.bury(worker)
                events, letters = self.turns.recover(now)
            self.tell(events)
        self._letters.add(letters)

    def _end_withdrawn(self) -> None:
        """Ends the commands of steps that another process has taken back, such as by cancelling their run: it
        may have ended before it could end them."""
        steps = [each for each in list(self._running.values()) if each.attempt.claim.row.flow is not None]
        end_in_flight(
            {
                each.attempt.marker
                for each in steps
                if each.attempt.has_commands and self._store.run(each.attempt.claim.run.id) is None
            }
        )

    def _leave(self, worker: str) -> None:
        """Ends the lease, unless calls still run: their runs must not be started at the same time."""
        if self._outcomes:
            self._turn(list(self._outcomes), 0, due_by=None)
        if not self._has_calls(worker):
            with self._store.transaction("end lease"):
                self._store.bury(worker)

    def _has_calls(self, worker: str) -> bool:
        """Returns whether calls of a worker go on, or their outcomes are being recorded."""
        left = (*list(self._running.values()), *list(self._left_behind.values()))
        workers = [each.attempt.worker for each in left]
        return worker in (*workers, *list(self._recording.values()), *self._letters.workers())

    # -- attempts --------------------------------------------------------------------------------------

    def _time_out_attempts(self) -> None:
        """Times out attempts that exceed ``max_run_time``."""
        ticks = self._clock.monotonic()
        for running in list(self._running.values()):
            attempt, thread = running.attempt, running.thread
            if attempt.limit is not None and elapsed(attempt.began, ticks) > attempt.limit + GRACE:
                if self._running.pop(attempt.key, None) is None:
                    continue  # it has just ended
                self._left_behind[attempt.key] = running
                if thread is not None:
                    self._pool.give_up(thread)
                error = words(too_long(attempt.job.max_run_time))
                self._outcomes.append(Outcome(attempt, self._clock.now(), error=error, lingering=True))
            elif thread is not None and not thread.is_alive():
                self._running.pop(attempt.key, None)
                error = "RuntimeError: the thread of the call has ended before it"
                self._outcomes.append(Outcome(attempt, self._clock.now(), error=error))

    def _work(self, attempt: Attempt) -> Attempt | None:
        """Makes a call in a thread of the pool; returns the next attempt for this thread."""
        running = self._running.get(attempt.key)
        if running is None:  # withdrawn before it began
            return None
        running.thread = threading.current_thread()
        with part_of(running):
            outcome = self._call(attempt, BaseException)  # nothing else in this thread could handle it
        self._mean_time += (_real.monotonic() - running.since - self._mean_time) / 8
        self._recording[attempt.key] = attempt.worker
        try:
            if self._running.pop(attempt.key, None) is None or running.is_cut_off:
                self._after_all(running, outcome)
                return None
            following = self._record_and_claim(outcome)
            if outcome.late:  # and recorded as such
                self._await_parts(running, outcome)
            return following
        finally:
            del self._recording[attempt.key]
            self._after_a_call(attempt.worker)

    def _record_and_claim(self, outcome: Outcome) -> Attempt | None:
        """Records an outcome and claims the next run, if there is one, in one transaction."""
        goes_on = self._request is None and self._thread is not None and not self._outcomes
        if goes_on and self._pool.busy > self._enough():
            goes_on, self._unserved = False, True
        if goes_on and self._calls_are_quick and self._unserved:
            self._guarded(self.turns.make_ready)
        try:
            attempts, more = self._turn([outcome], 1 if goes_on else 0, due_by=None)
        except BackendError:  # the dispatcher logs it when it occurs there too
            self._outcomes.append(outcome)
            attempts, more = [], False
        except BaseException:  # noqa: BLE001 -- nor lose an outcome
            self._outcomes.append(outcome)
            _log.critical("an outcome could not be recorded; retrying", exc_info=True)
            attempts, more = [], False
        if (
            more
            or outcome.error is not None
            or self._letters
            or self.turns.imports
            or self._request is not None
        ):
            self.wake()
        return attempts[0] if attempts else None

    def _await_parts(self, running: Running, outcome: Outcome) -> None:
        """Waits for parts that still run although the run has failed: the call ends with them."""
        self._left_behind[running.attempt.key] = running

        def ended(_part: object) -> None:
            if all(part.done() for part in outcome.late) and running.attempt.key in self._left_behind:
                self._after_all(running, outcome)
                self._after_a_call(running.attempt.worker)

        for part in outcome.late:
            part.add_done_callback(ended)

    def _after_a_call(self, worker: str) -> None:
        """Is called after the end of a run or letter. After the last one of a worker that was stopped during
        it, the lease is ended, and the store is closed if that was requested."""
        if worker == self._worker and self._thread is not None:
            if self._request is not None:
                self._wake.set()
            return
        if not self._store.is_closed and not self._has_calls(worker):
            self._guarded(lambda: self._leave(worker))
        if self._close is not None and not self._goes_on():
            self._close()

    def _after_all(self, running: Running, outcome: Outcome) -> None:
        """Is called when a call ends after its timeout: runs that waited for its end may start."""
        attempt = running.attempt
        self._left_behind.pop(attempt.key, None)
        if self._store.is_closed:
            return

        def record() -> None:
            if running.handed_back and not running.is_cut_off:
                self._turn([outcome], 0, due_by=None)
            with self._store.transaction("end of a call"):
                self._store.end_lingering(attempt.worker, attempt.claim.run.id)

        self._guarded(record)
        self.wake()

    def _call(
        self, attempt: Attempt, caught: type[BaseException] | tuple[type[BaseException], ...]
    ) -> Outcome:
        output = error = where = None
        late: tuple[Future[str | None], ...] = ()
        pause, is_gone = None, False
        try:
            output = self._invoker.call(attempt.job, attempt.claim.run)
        except caught as failure:  # every exception of user code is an outcome
            error, where = words(failure), trace(failure)
            if type(failure) is PartsFailedError:  # not isinstance, since the class of an exception may lie
                where, late = failure.trace(), failure.late
                pause, is_gone = failure.retry_after, failure.is_gone
            elif type(failure) is DeliveryError:
                pause, is_gone = failure.retry_after, failure.is_gone
        return Outcome(attempt, self._clock.now(), output, error, where, bool(late), late, pause, is_gone)

    def _examine(self, handler: str) -> None:
        """Imports the module of a handler, which is user code, in a separate thread."""
        self._invoker.examine(handler)
        self.turns.importing.pop(handler, None)
        if self.turns.refuses:
            self._guarded(self._forget_refusals)
        self.wake()

    # -- the turn and played time ----------------------------------------------------------------------

    def _turn(
        self, outcomes: list[Outcome], places: int, *, due_by: datetime | None
    ) -> tuple[list[Attempt], bool]:
        """Takes a turn and emits its events; returns the attempts to call, and whether more is due."""
        with self._store.lock:  # so that events are emitted in the order of the transactions
            known = [self._as_it_is(outcome) for outcome in outcomes]
            turn = self.turns.turn(known, places, due_by=due_by)
            for attempt in turn.attempts:
                self._running[attempt.key] = Running(attempt)
            if turn.events:
                self.tell(turn.events)
        for outcome in outcomes:
            if self._outcomes and self._outcomes[0] is outcome:
                self._outcomes.popleft()
        self._letters.add(turn.letters)
        return turn.attempts, turn.more

    def _as_it_is(self, outcome: Outcome) -> Outcome:
        """Returns the outcome of an attempt that timed out, adjusted if its call has ended since."""
        if not outcome.lingering or outcome.late or outcome.attempt.key in self._left_behind:
            return outcome
        return outcome._replace(lingering=False)

    def play(self, clock: PlayableClock, until: datetime, tell: Callable[[datetime], object]) -> int:
        """Plays from event to event up to an instant; returns the number of attempts. ``tell`` is called with
        each instant that is reached."""
        player = Player(
            self._store, self.turns, self._letters, self._leases, self._invoker, clock, self.tell, self._call
        )
        return player.play(until, self._worker, self._retention, tell)


def _end_commands_of(runs: list[Running]) -> None:
    """Ends the commands of runs that are started again; the other calls of these runs go on."""
    cut_off = [running for running in runs if running.attempt.has_commands]
    for running in cut_off:
        running.is_cut_off = True
    end_in_flight({running.attempt.marker for running in cut_off})


_ENGINES: WeakSet[Engine] = WeakSet()


def _abandon_all() -> None:
    """Hands back the runs of all engines at the end of the interpreter, before the files are closed."""
    for engine in list(_ENGINES):
        try:
            engine.abandon()
        except BackendError:
            _log.exception("runs in progress could not be handed back; another worker will take them over")


def _reset_all() -> None:
    for engine in list(_ENGINES):
        engine.reset_after_fork()


atexit.register(_abandon_all)  # registered after that of the database, so that it runs before it
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
