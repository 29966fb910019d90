"""Random histories of jobs against a model of a few lines: statuses, versions, next runs, and every run.

The model knows nothing of stores and turns. A job is a grid of instants and a status; what has run is a
set that grows by arithmetic whenever time passes while the job is active.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

import stepsched as ss
from stepsched.testing import FakeClock

MONDAY = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
NAMES = ("ada", "bob", "cyd")
names = st.sampled_from(NAMES)


@dataclass(frozen=True)
class Grid:
    """A rate with a start: ``start + k × every``, up to ``end``; minutes since the beginning."""

    start: int
    every: int
    end: int | None

    def instants(self, first: int, last: int) -> list[int]:
        """Those from ``first`` to ``last``, both inclusive."""
        last = last if self.end is None else min(last, self.end)
        return [at for at in range(self.start, last + 1, self.every) if at >= first]

    def following(self, now: int) -> int | None:
        """The first one after ``now``."""
        at = self.start
        while at <= now:
            at += self.every
        return at if self.end is None or at <= self.end else None

    def schedule(self) -> ss.Rate:
        end = None if self.end is None else moment(self.end)
        return ss.Rate(self.every * MINUTE, start=moment(self.start), end=end)


@dataclass
class Model:
    """A job as it should be."""

    grid: Grid
    status: ss.JobStatus = ss.JobStatus.ACTIVE
    version: int = 1
    next_run: int | None = None
    reason: str | None = None
    scheduled: set[int] = field(default_factory=set)
    """Instants with a run of the schedule."""
    backfilled: set[int] = field(default_factory=set)
    waiting: list[tuple[int, str]] = field(default_factory=list)
    """Runs that are recorded and have not been played yet: instant and trigger."""
    held: list[tuple[int, str]] = field(default_factory=list)
    """Those of them that the pause of the job keeps from starting."""

    def end_if_run_out(self) -> None:
        if (
            self.status is ss.JobStatus.ACTIVE
            and self.next_run is None
            and not self.waiting
            and not self.held
        ):
            self.status = ss.JobStatus.ENDED


def moment(minutes: int) -> datetime:
    return MONDAY + minutes * MINUTE


class StatusMachine(RuleBasedStateMachine):
    """One backend in memory, three names, one clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.calls = Counter[tuple[str, int, str]]()
        self.expected = Counter[tuple[str, int, str]]()
        self.jobs: dict[str, Model] = {}
        self.backend = ss.LocalBackend(clock=FakeClock(MONDAY))
        self.client = ss.SchedulerClient(self.backend)

    def teardown(self) -> None:
        self.backend.close()

    def note(self, _: object, run: ss.Run) -> None:
        minutes = (run.scheduled_for - MONDAY) // MINUTE
        self.calls[run.job, minutes, run.trigger.value] += 1

    def job(self, name: str, grid: Grid) -> ss.Job:
        return ss.Job(name=name, schedule=grid.schedule(), target=ss.HandlerTarget(self.note))

    def draw_grid(self, data: st.DataObject) -> Grid:
        """One that has a run to come, as the client demands."""
        start = self.now + data.draw(st.integers(-30, 30), label="start")
        every = data.draw(st.integers(1, 20), label="every")
        coming = Grid(start, every, None).following(self.now)
        assert coming is not None
        span = data.draw(st.none() | st.integers(1, 60), label="end")
        return Grid(start, every, None if span is None else coming + span)

    # -- what can be done ----------------------------------------------------------------------------

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self.create(NAMES[0], data)

    @rule(name=names, data=st.data())
    def create(self, name: str, data: st.DataObject) -> None:
        grid = self.draw_grid(data)
        if name in self.jobs:
            if grid == self.jobs[name].grid:
                return
            with pytest.raises(ss.JobExistsError):
                self.client.create(self.job(name, grid))
            return
        record = self.client.create(self.job(name, grid))
        assert record.version == 1
        self.jobs[name] = Model(grid, next_run=grid.following(self.now))

    @rule(name=names, data=st.data())
    def update(self, name: str, data: st.DataObject) -> None:
        grid = self.draw_grid(data)
        if name not in self.jobs:
            with pytest.raises(ss.JobNotFoundError):
                self.client.update(self.job(name, grid))
            return
        model = self.jobs[name]
        stale = model.version + 1
        if grid == model.grid:  # somebody wrote the very same: no conflict
            self.client.update(self.job(name, grid), expected_version=stale)
        else:
            with pytest.raises(ss.ConflictError):
                self.client.update(self.job(name, grid), expected_version=stale)
        self.client.update(self.job(name, grid))
        if grid == model.grid:
            return
        model.grid, model.version = grid, model.version + 1
        if model.status is ss.JobStatus.PAUSED:
            return
        model.status, model.next_run = ss.JobStatus.ACTIVE, grid.following(self.now)

    @rule(name=names, reason=st.sampled_from([None, "closing", "moving"]))
    def pause(self, name: str, reason: str | None) -> None:
        model = self.jobs.get(name)
        if model is None or model.status is ss.JobStatus.ENDED:
            error = ss.JobNotFoundError if model is None else ss.InvalidTransitionError
            with pytest.raises(error):
                self.client.pause(name, reason=reason)
            return
        self.client.pause(name, reason=reason)
        model.reason = reason or model.reason
        if model.status is ss.JobStatus.ACTIVE:  # what is asked for while it is paused starts
            model.held, model.waiting = model.waiting, []
        model.status, model.next_run = ss.JobStatus.PAUSED, None

    @rule(name=names)
    def resume(self, name: str) -> None:
        model = self.jobs.get(name)
        if model is None or model.status is ss.JobStatus.ENDED:
            error = ss.JobNotFoundError if model is None else ss.InvalidTransitionError
            with pytest.raises(error):
                self.client.resume(name)
            return
        self.client.resume(name)
        model.reason = None
        if model.status is ss.JobStatus.PAUSED:
            model.status, model.next_run = ss.JobStatus.ACTIVE, model.grid.following(self.now)
            model.waiting, model.held = [*model.held, *model.waiting], []
            model.end_if_run_out()

    @rule(name=names)
    def cancel(self, name: str) -> None:
        if name not in self.jobs:
            with pytest.raises(ss.JobNotFoundError):
                self.client.cancel(name)
            return
        record = self.client.cancel(name)
        assert (record.status, record.next_run) == (ss.JobStatus.CANCELLED, None)
        del self.jobs[name]  # and what waited never starts

    @rule(name=names)
    def run_now(self, name: str) -> None:
        if name not in self.jobs:
            with pytest.raises(ss.JobNotFoundError):
                self.client.run_now(name)
            return
        model = self.jobs[name]
        run = self.client.run_now(name)
        assert (run.status, run.trigger) == (ss.RunStatus.PENDING, ss.jobs.Trigger.MANUAL)
        model.waiting.append((self.now, "manual"))

    @rule(name=names, back=st.integers(0, 90), length=st.integers(0, 120))
    def backfill(self, name: str, back: int, length: int) -> None:
        since = self.now - back
        until = since + length
        if name not in self.jobs:
            with pytest.raises(ss.JobNotFoundError):
                self.client.backfill(name, since=moment(since), until=moment(until))
            return
        model = self.jobs[name]
        present = model.scheduled | model.backfilled
        wanted = [at for at in model.grid.instants(since, min(until, self.now)) if at not in present]
        runs = self.client.backfill(name, since=moment(since), until=moment(until))
        assert [(run.scheduled_for - MONDAY) // MINUTE for run in runs] == wanted
        for at in wanted:
            model.backfilled.add(at)
            model.waiting.append((at, "backfill"))

    @rule(minutes=st.integers(0, 60))
    def advance(self, minutes: int) -> None:
        """Time passes: what waits runs, and so does every instant of the active jobs."""
        self.now += minutes
        made = 0
        for name, model in self.jobs.items():
            if model.next_run is not None:
                due = model.grid.instants(model.next_run, self.now)
                model.scheduled.update(due)
                model.waiting += [(at, "schedule") for at in due]
                model.next_run = model.grid.following(self.now)
            self.expected.update((name, at, trigger) for at, trigger in model.waiting)
            made += len(model.waiting)
            model.waiting.clear()
            model.end_if_run_out()
        assert self.backend.advance(minutes * MINUTE) == made

    # -- what must hold after every step ---------------------------------------------------------------

    @invariant()
    def jobs_stand_as_they_should(self) -> None:
        records = {record.name: record for record in self.client.list()}
        assert set(records) == set(self.jobs)
        for name, model in self.jobs.items():
            record = records[name]
            next_run = None if model.next_run is None else moment(model.next_run)
            assert (record.status, record.version, record.next_run, record.pause_reason) == (
                model.status,
                model.version,
                next_run,
                model.reason,
            )
            assert record.job.schedule == model.grid.schedule()
            versions = [known.version for known in self.client.versions(name)]
            assert versions == list(range(1, model.version))

    @invariant()
    def exactly_the_right_runs_have_been(self) -> None:
        assert self.calls == self.expected
        recorded, waiting = Counter[tuple[str, int, str]](), Counter[tuple[str, int, str]]()
        for run in self.client.runs():
            key = (run.job, (run.scheduled_for - MONDAY) // MINUTE, run.trigger.value)
            if run.status is ss.RunStatus.SUCCEEDED:
                recorded[key] += 1
            elif run.status is ss.RunStatus.PENDING:
                waiting[key] += 1
            else:
                assert run.status is ss.RunStatus.SKIPPED, "only a cancelled job's run does not succeed"
        assert recorded == self.expected
        assert waiting == Counter(
            (name, at, trigger)
            for name, model in self.jobs.items()
            for at, trigger in (*model.waiting, *model.held)
        )


def test_every_history_keeps_the_promises_of_the_model() -> None:
    run_state_machine_as_test(StatusMachine, settings=settings(max_examples=50, stateful_step_count=30))


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_many_long_histories_keep_the_promises_of_the_model() -> None:
    run_state_machine_as_test(StatusMachine, settings=settings(max_examples=1_500, stateful_step_count=80))
