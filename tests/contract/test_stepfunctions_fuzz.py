"""Tests random verbs, crashes and killed executions, from two clients: in the end the records are correct.

Every instant at which a job came due has a run. Each recorded run has called its target as often as it says,
no run is still running, no runs overlap where they must not, each instant has one run, and one repair is
enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import RunQuery
from stepsched.jobs.records import STILL_RAN
from stepsched.machines.shared import runner
from stepsched.testing import FakeClock
from stepsched.testing.contract.fixtures import MONDAY
from tests.contract.due_instants import DueInstants
from tests.contract.stepfunctions import Stack
from tests.contract.test_stepfunctions_crashes import Faulty, StoppedError
from tests.parts.ministack import Ministack

SECOND = timedelta(seconds=1)
POLL = timedelta(seconds=runner.POLL_SECONDS + 1)
"""After this an execution has seen that the run which was in its way has ended."""
MINUTE = timedelta(minutes=1)
END = MONDAY + 70 * MINUTE
LATER = END + timedelta(hours=8)
SCHEDULES: list[ss.Schedule] = [
    ss.Cron("0/7 * * * ? *", end=END),
    ss.Cron("3/7 * * * ? *", end=END),
    ss.Rate(5 * MINUTE, end=END),
    ss.Rate(6 * MINUTE, start=MONDAY + 2 * MINUTE, end=END),
    ss.Windowed(MONDAY, end=END, every=ss.Frequency(minutes=8)),
    ss.OneTime(MONDAY + 40 * MINUTE),
]
CALM = ("update", "describe", "pause", "resume", "run_now", "backfill", "repair")
ROUGH = ("kill", "crash", "redrive", "cancel", "create", "break")


class Fuzz:
    """Two jobs, and a random generator."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.chance = Random(seed)
        self.stack = stack
        self.clients = [ss.SchedulerClient(stack.backend()) for _ in range(2)]
        self.faults = Faulty(stack.session())
        self.slow = stack.slow(self.chance.choice([2, 6, 11]) * MINUTE)
        self.overlaps = {name: self.chance.choice(list(ss.Overlap)) for name in ("x", "y")}
        self.replaced = set[str]()
        self.due = {name: DueInstants() for name in self.overlaps}
        self.log = list[str]()
        for name in self.overlaps:
            self.clients[0].create(self.job(name))
            self.due[name].note_verb(None, self.stored(name), stack.clock.now(), ())
        stack.server.settled(stack.account)

    def job(self, name: str, schedule: ss.Schedule | None = None, **changes: Any) -> ss.Job:
        job = ss.Job(
            name=name,
            schedule=schedule or self.chance.choice(SCHEDULES),
            target=self.stack.inbox if self.overlaps[name] is ss.Overlap.ALLOW else self.slow,
            overlap=self.overlaps[name],
            input={"job": name, "due": ss.context.SCHEDULED_TIME},
            completion=self.chance.choice(list(ss.Completion)),
        )
        return job.replace(**changes)

    def broken(self, name: str) -> ss.Job:
        """A job with a target that does not exist."""
        queue = ss.QueueTarget(self.stack.inbox.queue_arn.replace("inbox", "nowhere"))
        machine = ss.StateMachineTarget(self.slow.state_machine_arn + "x")
        target = queue if self.overlaps[name] is ss.Overlap.ALLOW else machine
        retry = ss.Retry(max_attempts=self.chance.choice([0, 2]), interval=2 * MINUTE)
        return self.job(name, self.chance.choice(SCHEDULES[:5]), target=target, retry=retry)

    def do(self, client: ss.SchedulerClient, verb: str, name: str) -> None:
        now, words = self.stack.clock.now(), str(self.chance.random())
        verbs: dict[str, Callable[[], object]] = {
            "update": lambda: client.update(self.job(name, description=words)),
            "describe": lambda: client.update(client.get(name).job.replace(description=words)),
            "pause": lambda: client.pause(name),
            "resume": lambda: client.resume(name),
            "run_now": lambda: client.run_now(name),
            "backfill": lambda: client.backfill(name, since=now - 20 * MINUTE, until=now),
            "repair": client.repair,
            "cancel": lambda: client.cancel(name),
            "create": lambda: client.create(self.job(name)),
            "break": lambda: client.update(self.broken(name)),
            "redrive": lambda: [client.redrive(run) for run in client.dead_letters(name)[:1]],
        }
        if verb in ("cancel", "create"):
            self.replaced.add(name)
        verbs[verb]()

    def act(self) -> None:
        """Performs a random action."""
        name, verb = self.chance.choice(["x", "y"]), self.chance.choice([*CALM, *ROUGH, "kill", "crash"])
        self.log.append(f"{self.stack.clock.now():%H:%M:%S} {verb} {name}")
        before = self.stored(name)
        try:
            if verb == "kill":
                self.kill()
            elif verb == "crash":
                self.crash(name)
            else:
                self.do(self.chance.choice(self.clients), verb, name)
        except StoppedError:
            self.log.append("  the client stopped")
        except ss.StepschedError as error:  # such as a job that does not exist, or would never run
            self.log.append(f"  {type(error).__name__}")
        self.due[name].note_verb(before, self.stored(name), self.stack.clock.now(), self.begun(name))
        if self.chance.random() < 0.5:
            self.stack.server.settled(self.stack.account)

    def kill(self) -> None:
        running = self.stack.executions()
        if running:
            name = self.chance.choice(running)
            arn = f"{self.stack.machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
            with suppress(self.stack.states.exceptions.ValidationException):  # it has just ended
                self.stack.states.stop_execution(executionArn=arn)

    def crash(self, name: str) -> None:
        self.faults.stop_at(None)
        client = ss.SchedulerClient(self.stack.backend(session=self.faults))
        client.list(name_prefix="nothing")  # the client has checked the table and the machine
        self.faults.stop_at(self.chance.randrange(1, 14), sends=self.chance.random() < 0.5)
        self.do(client, self.chance.choice([*CALM, "cancel", "create"]), name)

    def live(self) -> None:
        """Performs random actions until the schedules of the jobs have ended."""
        while self.stack.clock.now() < END:
            step = self.chance.choice([SECOND, 30 * SECOND, MINUTE, 4 * MINUTE, 9 * MINUTE])
            self.play(self.stack.clock.now() + step)
            for _ in range(self.chance.randrange(3)):
                self.act()

    def play(self, until: datetime) -> None:
        """Lets time pass, and looks whether what has come due meanwhile has begun."""
        self.stack.play(until)
        for name, due in self.due.items():
            due.pass_time(until)
            late = due.owed - self.begun(name)
            if late and self.is_idle(name):
                raise AssertionError(f"{name} was not begun at {sorted(late)}, and nothing is in the way")

    def stored(self, name: str) -> ss.jobs.JobRecord | None:
        with suppress(ss.JobNotFoundError):
            return self.clients[0].get(name)
        return None

    def begun(self, name: str) -> set[datetime]:
        """The instants that the schedule of the job has begun, or has let pass and says so."""
        runs = self.clients[0].backend.runs(RunQuery(job=name))
        return {run.scheduled_for for run in runs if run.trigger is ss.jobs.Trigger.SCHEDULE}

    def is_idle(self, name: str) -> bool:
        """Whether the execution of a job sleeps until its next instant, as far as the table tells: it is
        there, and no run goes on or has just ended."""
        item = self.stack.item(name)
        if item is None or "execution" not in item or "claimed_by" in item:
            return False
        execution = item["execution"]["S"].rpartition(":")[2]
        if execution not in self.stack.executions() or item.get("token", {}).get("S", "-") not in execution:
            return False
        recently = self.stack.clock.now() - POLL
        runs = self.clients[0].backend.runs(RunQuery(job=name))
        return all(run.ended_at is not None and run.ended_at < recently for run in runs)

    def check(self) -> None:
        client, other = self.clients
        client.repair()
        self.stack.server.settled(self.stack.account)
        assert other.repair() == [], "once is enough"
        self.play(LATER)
        assert other.repair() == []
        assert self.stack.executions() == []
        assert self.stack.executions("FAILED") == []
        called = Counter((name, call["due"]) for name, call in self.stack.calls())
        of_all = client.runs()
        for name, overlap in self.overlaps.items():
            runs = list(client.backend.runs(RunQuery(job=name)))
            assert [run.id for run in of_all if run.job == name] == [run.id for run in runs]
            assert {run.status.value for run in runs} <= {"succeeded", "failed", "skipped"}
            instants = Counter(run.scheduled_for for run in runs if run.trigger is not ss.jobs.Trigger.MANUAL)
            assert max(instants.values(), default=1) == 1, "an instant has one run"
            done = [run for run in runs if run.status is ss.RunStatus.SUCCEEDED]
            if overlap is not ss.Overlap.ALLOW and name not in self.replaced:
                assert not overlapping(done)
            self.check_calls(name, runs, called)
            self.check_instants(name, runs)

    def check_instants(self, name: str, runs: list[ss.Run]) -> None:
        begun = {run.scheduled_for for run in runs if run.trigger is ss.jobs.Trigger.SCHEDULE}
        due = self.due[name]
        assert begun <= due.ever, "the schedule has begun at no other instants"
        lost = due.owed - begun
        assert lost == set(), "every instant has a run"
        for run in runs:
            if run.status is ss.RunStatus.SKIPPED and run.trigger is ss.jobs.Trigger.SCHEDULE:
                assert self.was_in_the_way(run, runs), (name, run, "has no reason to be skipped")

    def was_in_the_way(self, skipped: ss.Run, runs: list[ss.Run]) -> bool:
        """Whether another run went on at the moment at which a run was skipped, or its job is gone."""
        if skipped.error != STILL_RAN:
            return skipped.job in self.replaced
        return self.overlaps[skipped.job] is ss.Overlap.SKIP and any(
            min(run.scheduled_for, run.started_at) <= skipped.ended_at <= run.ended_at
            for run in runs
            if run.id != skipped.id and run.started_at and run.ended_at and skipped.ended_at
        )

    def check_calls(self, name: str, runs: list[ss.Run], called: Counter[tuple[str, str]]) -> None:
        dues: dict[str, list[ss.Run]] = {}
        for run in runs:
            dues.setdefault(f"{run.scheduled_for:%Y-%m-%dT%H:%M:%SZ}", []).append(run)
        assert {due for job, due in called if job == name} <= dues.keys(), (
            "every call belongs to a recorded run"
        )
        for due, of_due in dues.items():
            sure = sum(run.status is ss.RunStatus.SUCCEEDED for run in of_due)
            unsure = any(run.restarted or run.status is ss.RunStatus.FAILED for run in of_due)
            assert called[name, due] >= sure or unsure, (name, due)
            assert called[name, due] == sure or unsure, (name, due)


def overlapping(runs: list[ss.Run]) -> list[tuple[ss.Run, ss.Run]]:
    ordered = sorted(runs, key=lambda run: run.started_at or MONDAY)
    return [
        (one, two)
        for one, two in pairwise(ordered)
        if one.ended_at is not None and two.started_at is not None and two.started_at < one.ended_at
    ]


def play(ministack: Ministack, account: str, aws: Callable[[str], Any], seed: int) -> None:
    fuzz = Fuzz(Stack(ministack, account, aws, FakeClock(MONDAY)), seed)
    try:
        fuzz.live()
        fuzz.check()
    except AssertionError:
        print(f"seed {seed}", fuzz.overlaps, *fuzz.log, sep="\n")
        raise


@pytest.mark.parametrize("seed", range(4))
def test_the_books_are_right(
    ministack: Ministack, account: str, aws: Callable[[str], Any], seed: int
) -> None:
    play(ministack, account, aws, seed)


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(1_000, 1_100))
def test_the_books_are_right_a_hundred_times(
    ministack: Ministack, account: str, aws: Callable[[str], Any], seed: int
) -> None:
    play(ministack, account, aws, seed)
