"""Delivers dead letters and notifications: calls the functions registered for the queues and topics of jobs,
in separate threads."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from stepsched.backends.local import policy
from stepsched.backends.local.attempts import DEAD_LETTER, NOTIFICATION, Letter, part_of
from stepsched.backends.local.invoke import Invoker
from stepsched.backends.local.pool import Pool
from stepsched.backends.local.store import Store
from stepsched.core.clock import Clock
from stepsched.core.errors import BackendError
from stepsched.core.outcomes import told
from stepsched.jobs.events import Event, EventKind
from stepsched.targets import TopicTarget

_log = logging.getLogger("stepsched.local")
_THREADS = 2


class Delivery:
    """A letter that a thread delivers."""

    def __init__(self, letter: Letter, worker: str) -> None:
        self.letter = letter
        self.worker = worker
        """The worker whose lease keeps other workers from delivering it."""


class Letters:
    """The letters to deliver. Each delivery is recorded in the store, so that another worker delivers the
    rest after the end of this one."""

    def __init__(
        self,
        store: Store,
        invoker: Invoker,
        clock: Clock,
        tell: Callable[[list[Event]], object],
        ended: Callable[[str], object],
    ) -> None:
        """Creates the object. ``ended`` is called with the worker of a delivery after its end."""
        self._store = store
        self._invoker = invoker
        self._clock = clock
        self._tell = tell
        self._ended = ended
        self._waiting: deque[Letter] = deque()
        self.in_hand = set[Delivery]()
        """The letters in the threads."""
        self.pool = Pool[Delivery](_THREADS, self._deliver_on, "stepsched-letter")

    def add(self, letters: Iterable[Letter]) -> None:
        self._waiting.extend(letters)

    def __bool__(self) -> bool:
        """Returns whether there are letters to deliver."""
        return bool(self._waiting or self.in_hand)

    def goes_on_without(self, calls: AbstractSet[object]) -> bool:
        """Returns whether letters are being delivered, or can be, although these calls do not end."""
        stuck = len(self.in_hand & calls)
        return len(self.in_hand) > stuck or (bool(self._waiting) and stuck < _THREADS)

    def workers(self) -> set[str]:
        """Returns the workers of the letters in the threads."""
        return {delivery.worker for delivery in self.in_hand.copy()}

    def leave_waiting(self) -> None:
        """Leaves the letters that wait to the next worker, which finds them in the store."""
        self._waiting.clear()

    def send(self) -> None:
        """Passes waiting letters to free threads."""
        while self._waiting and self.pool.places():
            delivery = self._take()
            if delivery is None:  # another thread has taken it
                return
            self.pool.submit(delivery)

    def _take(self) -> Delivery | None:
        try:
            delivery = Delivery(self._waiting.popleft(), self._invoker.worker)
        except IndexError:
            return None
        self.in_hand.add(delivery)
        return delivery

    def deliver_all(self) -> None:
        """Delivers all letters in the caller's thread, when time is played."""
        while self._waiting:
            self._deliver(self._waiting.popleft(), (Exception, SystemExit))

    def _deliver_on(self, delivery: Delivery) -> Delivery | None:
        """Delivers a letter in a thread for letters; returns the next one."""
        following: Delivery | None = None
        try:
            with part_of(delivery):
                self._deliver(delivery.letter, BaseException)
            following = self._take()
        finally:
            self.in_hand.discard(delivery)
            self._ended(delivery.worker)
        return following

    def _deliver(self, letter: Letter, caught: type[BaseException] | tuple[type[BaseException], ...]) -> None:
        """Calls the function registered for the queue or topic of a letter."""
        job, run, to = letter
        is_notice = isinstance(to, TopicTarget)
        payload = policy.notification_body(run) if is_notice else job.input
        failure: str | None = None
        try:
            self._invoker.call(job.replace(target=to, input=payload), run)
        except caught as error:  # user code; the run stays listed as failed
            failure = told(error)
        if not self._store.is_closed:
            self._note(run.id, NOTIFICATION if is_notice else DEAD_LETTER)
        if failure is not None:
            what = "notification" if is_notice else "dead letter"
            _log.error("the %s of job %s could not be delivered: %s", what, job.name, failure)
            return
        kind = EventKind.NOTIFIED if is_notice else EventKind.DEAD_LETTERED
        self._tell([Event(kind, self._clock.now(), job.name, run)])

    def _note(self, run_id: int, what: int) -> None:
        try:
            with self._store.transaction("deliver"):
                self._store.delivered(run_id, what)
        except BackendError:
            _log.exception(
                "the delivery of a letter of run %d could not be recorded; it may be repeated", run_id
            )
