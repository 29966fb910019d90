"""Tests a client that stops at any call, before its request or its response: a repetition or a repair
recovers.

The emulator executes the machine, in virtual time. In the end, every run of the stored definition is invoked
exactly once, and no run of a paused or deleted job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import RunQuery
from stepsched.testing import FakeClock
from stepsched.testing.contract.fixtures import MONDAY
from tests.contract.stepfunctions import Stack
from tests.parts.ministack import Ministack

HOUR = timedelta(hours=1)
END = MONDAY + 5 * HOUR


class StoppedError(BaseException):
    """The process ends: no handler catches this."""


class Faulty:
    """A session with clients that stop at a call."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.calls = list[str]()
        self.at: int | None = None
        self.sends = False

    def client(self, *names: Any, **options: Any) -> Any:
        return FaultyClient(self, self._session.client(*names, **options))

    def stop_at(self, number: int | None, *, sends: bool = False) -> None:
        """Stops at the call with this number from now on, before its request or, with ``sends``, after it."""
        self.calls.clear()
        self.at, self.sends = number, sends


class FaultyClient:
    def __init__(self, faults: Faulty, client: Any) -> None:
        self._faults, self._client = faults, client

    def __getattr__(self, name: str) -> Any:
        method, faults = getattr(self._client, name), self._faults
        if name == "close":
            return method

        def call(**arguments: Any) -> Any:
            faults.calls.append(name)
            if faults.at == len(faults.calls) and not faults.sends:
                raise StoppedError
            answer = method(**arguments)
            if faults.at == len(faults.calls):
                raise StoppedError
            return answer

        return call


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Stack:
    return Stack(ministack, account, aws, FakeClock(MONDAY))


def make(stack: Stack, name: str, **changes: Any) -> ss.Job:
    job = ss.Job(
        name=name,
        schedule=ss.Cron("0 * * * ? *", end=END),
        target=stack.inbox,
        input={"job": name, "due": ss.context.SCHEDULED_TIME},
    )
    return job.replace(**changes)


def change(job: ss.Job) -> ss.Job:
    return job.replace(schedule=ss.Cron("30 * * * ? *", end=END))


Verb = Callable[[ss.SchedulerClient, ss.Job], object]
VERBS: dict[str, Verb] = {
    "create": lambda client, job: client.create(job),
    "update": lambda client, job: client.update(change(job)),
    "pause": lambda client, job: client.pause(job.name),
    "resume": lambda client, job: client.resume(job.name),
    "cancel": lambda client, job: client.cancel(job.name),
}


IN_THE_GATE = [("create", "repeated"), ("update", "repaired"), ("resume", "repeated"), ("cancel", "repaired")]
"""The pairs that the gate runs; the others are proofs."""


def begin(client: ss.SchedulerClient, verb: str, job: ss.Job) -> None:
    """Brings a job into a state in which the verb has an effect."""
    if verb != "create":
        client.create(job)
    if verb == "resume":
        client.pause(job.name)


def expected(client: ss.SchedulerClient, job: ss.Job, after: datetime = MONDAY) -> list[str]:
    """The future runs, according to the stored job."""
    try:
        record = client.get(job.name)
    except ss.JobNotFoundError:
        return []
    if record.status is not ss.JobStatus.ACTIVE:
        return []
    return [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in record.job.schedule.runs(after=after, until=END)]


@pytest.mark.parametrize(
    ("verb", "remedy"),
    [
        pytest.param(verb, remedy, marks=[pytest.mark.proof] * ((verb, remedy) not in IN_THE_GATE))
        for verb in VERBS
        for remedy in ("repeated", "repaired")
    ],
)
def test_a_client_that_stops_at_any_call_leaves_nothing_that_is_not_mended(
    stack: Stack, verb: str, remedy: str
) -> None:
    steady = ss.SchedulerClient(stack.backend())
    faults = Faulty(stack.session())
    jobs = dict[str, ss.Job]()
    for sends in (False, True):
        for number in count(1):
            job = make(stack, f"{verb}-{number}-{'after' if sends else 'before'}")
            begin(steady, verb, job)
            stack.server.settled(stack.account)
            faulty = ss.SchedulerClient(stack.backend(session=faults))
            faults.stop_at(number, sends=sends)
            try:
                VERBS[verb](faulty, job)
            except StoppedError:
                jobs[job.name] = job
            else:
                steady.cancel(job.name) if verb != "cancel" else None
                break
            if remedy == "repeated":
                repeat(steady, verb, job)
    if remedy == "repaired":
        steady.repair()
    assert len(jobs) >= 8, "every call was met"
    if remedy == "repaired":  # a repair would hide what a repetition has not recovered
        assert steady.repair() == []
    stack.server.settled(stack.account)
    wanted = {name: expected(steady, job) for name, job in jobs.items()}
    check_state(steady, verb, remedy, jobs)
    stack.play(END + HOUR)
    called = stack.calls()
    assert Counter((name, call["due"]) for name, call in called) == Counter(
        (name, due) for name, dues in wanted.items() for due in dues
    )
    assert stack.executions() == []
    assert steady.repair() == []
    for name, dues in wanted.items():
        runs = list(steady.backend.runs(RunQuery(job=name)))
        assert [f"{run.scheduled_for:%Y-%m-%dT%H:%M:%SZ}" for run in runs] == dues
        assert {run.status for run in runs} <= {ss.RunStatus.SUCCEEDED}


@pytest.mark.parametrize("remedy", [pytest.param("repeated", marks=pytest.mark.proof), "repaired"])
@pytest.mark.parametrize("verb", [pytest.param("update", marks=pytest.mark.proof), "pause", "cancel"])
def test_so_it_is_in_the_middle_of_a_run(stack: Stack, verb: str, remedy: str) -> None:
    """A run of 25 minutes is not interrupted, not started again, and not overlapped."""
    steady = ss.SchedulerClient(stack.backend())
    slow = stack.slow(timedelta(minutes=25))
    names = [f"{verb}-{number}-{when}" for number in range(1, 9) for when in ("before", "after")]
    jobs = {name: make(stack, name, target=slow, overlap=ss.Overlap.QUEUE) for name in names}
    for job in jobs.values():
        steady.create(job)
    stack.play(MONDAY + HOUR + timedelta(minutes=5))
    assert sorted(name for name, _ in stack.calls()) == sorted(names)
    faults = Faulty(stack.session())
    for name, job in jobs.items():
        _, number, when = name.split("-")
        faulty = ss.SchedulerClient(stack.backend(session=faults))
        faults.stop_at(int(number), sends=when == "after")
        try:
            VERBS[verb](faulty, job)
        except StoppedError:
            if remedy == "repeated":
                repeat(steady, verb, job)
    if remedy == "repaired":
        steady.repair()
    assert {run.status for run in steady.runs(since=MONDAY)} == {ss.RunStatus.RUNNING}
    check_state(steady, verb, remedy, jobs)
    wanted = {name: expected(steady, job, stack.clock.now()) for name, job in jobs.items()}
    stack.play(END + HOUR)
    assert Counter((name, call["due"]) for name, call in stack.calls()) == Counter(
        (name, due) for name, dues in wanted.items() for due in dues
    )
    assert stack.executions() == []
    assert steady.repair() == []
    for name, dues in wanted.items():
        runs = steady.runs(name)
        assert [f"{run.scheduled_for:%Y-%m-%dT%H:%M:%SZ}" for run in runs] == ["2030-01-07T01:00:00Z", *dues]
        assert {run.status for run in runs} == {ss.RunStatus.SUCCEEDED}
        ends = [run.ended_at for run in runs]
        assert all(
            run.started_at >= end for run, end in zip(runs[1:], ends, strict=False) if run.started_at and end
        )


def test_a_recovery_that_stops_at_any_call_loses_no_record_of_a_missed_run(stack: Stack) -> None:
    """The job comes due each minute from the first hour on, and has no execution up to the fourth."""
    steady = ss.SchedulerClient(stack.backend())
    faults = Faulty(stack.session())
    minutes = ss.Cron("* * * * ? *", start=MONDAY + HOUR, end=END)
    jobs = [
        make(stack, f"job-{number}", schedule=minutes, catch_up=ss.CatchUp.ONE) for number in range(1, 20)
    ]
    steady.create_many(jobs)
    stack.server.settled(stack.account)
    for name in stack.executions():
        arn = f"{stack.machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
        stack.states.stop_execution(executionArn=arn)
    stack.server.settled(stack.account)
    stack.move(MONDAY + 4 * HOUR + timedelta(seconds=30))
    stopped = 0
    for number, job in enumerate(jobs, start=1):
        faults.stop_at(number)
        try:
            ss.SchedulerClient(stack.backend(session=faults)).create(job)
        except StoppedError:
            stopped += 1
    assert 9 <= stopped < len(jobs), "every call was met"
    steady.repair()
    missed = {job.name: [run.scheduled_for for run in steady.runs(job.name, status="missed")] for job in jobs}
    expected = [MONDAY + timedelta(minutes=minute) for minute in range(60, 240)]
    assert {name for name, found in missed.items() if sorted(found) != expected} == set()
    assert missed[jobs[-1].name] == expected, "in order, where nothing stopped it"
    assert steady.repair() == []


def repeat(client: ss.SchedulerClient, verb: str, job: ss.Job) -> None:
    try:
        VERBS[verb](client, job)
    except ss.JobNotFoundError:
        assert verb == "cancel", "only what is cancelled is gone"


def check_state(client: ss.SchedulerClient, verb: str, remedy: str, jobs: dict[str, ss.Job]) -> None:
    """The jobs are in the state after the verb. After a repair, jobs that the verb did not reach may be
    unchanged."""
    stored = {record.name: record for record in client.list()}
    for name, job in jobs.items():
        record = stored.get(name)
        reached = {
            "create": record is not None,
            "update": record is not None and record.job == change(job),
            "pause": record is not None and record.status is ss.JobStatus.PAUSED,
            "resume": record is not None and record.status is ss.JobStatus.ACTIVE,
            "cancel": record is None,
        }[verb]
        assert reached or remedy == "repaired", (name, record)
