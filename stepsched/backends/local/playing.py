"""Plays time: takes the turns of the engine one after another in the caller's thread, on a fake clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from stepsched.backends.local.attempts import Attempt, Outcome, elapsed
from stepsched.backends.local.invoke import Invoker
from stepsched.backends.local.leases import LEASE, Leases
from stepsched.backends.local.letters import Letters
from stepsched.backends.local.process import end_commands
from stepsched.backends.local.store import Retention, Store
from stepsched.backends.local.turns import Turns
from stepsched.core.clock import PlayableClock
from stepsched.core.instants import later_by
from stepsched.core.outcomes import too_long, words
from stepsched.jobs.events import Event

_CAUGHT = (Exception, SystemExit)
"""The exceptions of a handler that are its outcome; others, such as KeyboardInterrupt, end the play."""


class Player:
    """The player of an engine."""

    def __init__(
        self,
        store: Store,
        turns: Turns,
        letters: Letters,
        leases: Leases,
        invoker: Invoker,
        clock: PlayableClock,
        tell: Callable[[list[Event]], object],
        call: Callable[[Attempt, tuple[type[BaseException], ...]], Outcome],
    ) -> None:
        self._store = store
        self._turns = turns
        self._letters = letters
        self._leases = leases
        self._invoker = invoker
        self._clock = clock
        self._tell = tell
        self._call = call
        self._outcomes = list[Outcome]()
        self._attempts = 0

    def play(
        self, until: datetime, worker: str, retention: Retention, tell: Callable[[datetime], object]
    ) -> int:
        """Plays from event to event up to an instant; returns the number of attempts.

        Args:
            until: The end, inclusive.
            worker: The name of this worker.
            retention: Which runs are kept.
            tell: Is called with each instant that is reached.
        """
        clock = self._clock
        self._recover(worker)
        try:
            while True:
                self._play_present(until)
                event = self._store.next_event(clock.now())
                if event is None or event > until:
                    break
                clock.move_to(max(event, clock.now()))
                tell(clock.now())
        finally:  # an interrupted play leaves no run claimed
            self._leave(worker)
        self._tidy(retention)
        self._look_anew(worker)
        clock.move_to(max(until, clock.now()))
        return self._attempts

    def _recover(self, worker: str) -> None:
        dead = self._leases.dead(worker)
        if dead:
            end_commands(lambda mark: mark.rpartition("#")[0] in dead)
        with self._store.transaction("begin to play"):
            now = self._clock.now()
            self._store.enter(worker, later_by(now, LEASE))
            for other in dead:
                self._store.bury(other)
            events, letters = self._turns.recover(now)
        self._tell(events)
        self._letters.add(letters)

    def _leave(self, worker: str) -> None:
        outcomes, self._outcomes = self._outcomes, []
        self._take(outcomes, 0, None)
        with self._store.transaction("end of a play"):
            self._store.bury(worker)
            events, letters = self._turns.recover(self._clock.now())
        self._tell(events)
        self._letters.add(letters)

    def _take(
        self, outcomes: list[Outcome], places: int, due_by: datetime | None
    ) -> tuple[list[Attempt], bool]:
        turn = self._turns.turn(outcomes, places, due_by=due_by)
        self._tell(turn.events)
        self._letters.add(turn.letters)
        return turn.attempts, turn.more

    def _play_present(self, until: datetime) -> None:
        """Executes one run after another, until nothing is left to do at this instant. A handler may advance
        the clock; runs that come due after the end of the play are left to the next one, so that a play
        ends."""
        while True:
            outcomes, self._outcomes = self._outcomes, []
            attempts, more = self._take(outcomes, 1, min(self._clock.now(), until))
            for attempt in attempts:
                self._outcomes.append(self._made(attempt))
            self._letters.deliver_all()
            imports = list(self._turns.imports)
            self._turns.imports.clear()
            for handler in imports:
                self._invoker.examine(handler)
                self._turns.importing.pop(handler, None)
            if not attempts and not more and not imports:
                break
        if self._turns.refuses:
            with self._store.transaction("waiting runs"):
                events = self._turns.waiting_runs(self._clock.now())
            self._tell(events)

    def _made(self, attempt: Attempt) -> Outcome:
        outcome = self._call(attempt, _CAUGHT)
        self._attempts += 1
        took = elapsed(attempt.began, self._clock.monotonic())
        if attempt.limit is not None and took > attempt.limit and outcome.error is None:
            return outcome._replace(output=None, error=words(too_long(attempt.limit)))
        return outcome

    def _tidy(self, retention: Retention) -> None:
        more = True
        while more:
            with self._store.transaction("forget runs"):
                more = self._turns.tidy(self._clock.now(), retention)

    def _look_anew(self, worker: str) -> None:
        if self._turns.refuses:
            self._invoker.look_anew()
            with self._store.transaction("look anew"):
                self._store.forget_refusals(worker)
            self._turns.refuses = False
