"""Tests verbs concurrently with the machine, in real threads: no run happens twice, and none is lost."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

import stepsched as ss
from stepsched.machines.shared import instructions
from stepsched.testing import FakeClock
from stepsched.testing.contract.fixtures import MONDAY
from tests.contract.stepfunctions import Stack
from tests.parts.ministack import Ministack

MINUTE = timedelta(minutes=1)


@pytest.fixture
def stack(
    ministack: Ministack, account: str, aws: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> Stack:
    monkeypatch.setattr(instructions, "event_limit", lambda *_: 40)  # each execution hands over after one run
    return Stack(ministack, account, aws, FakeClock(MONDAY))


def at_once(*actions: Callable[[], object]) -> list[BaseException]:
    """Performs actions in threads that start together.

    Returns:
        The raised exceptions.
    """
    gate = threading.Barrier(len(actions))
    raised = list[BaseException]()

    def act(action: Callable[[], object]) -> None:
        gate.wait()
        try:
            action()
        except BaseException as error:  # noqa: BLE001 -- returned to the test
            raised.append(error)

    threads = [threading.Thread(target=act, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def note_refused_writes(client: ss.SchedulerClient, met: Counter[str]) -> None:
    """Counts the writes of a client that conflicted with another writer."""
    assert isinstance(client.backend, ss.StepFunctionsBackend)

    def note(parsed: dict[str, Any], **_: object) -> None:
        met.update([parsed["Error"]["Code"]] if "Error" in parsed else [])

    client.backend._table._client.meta.events.register("after-call.dynamodb", note)


def live(stack: Stack) -> list[str]:
    """The tokens of the running executions, without their generations."""
    return ["-".join(name.split("-")[:2]) for name in stack.executions()]


@pytest.mark.parametrize(
    "rounds", [15, pytest.param(500, marks=[pytest.mark.proof, pytest.mark.timeout(600)])]
)
def test_pause_update_and_renewal_at_the_same_instant(stack: Stack, rounds: int) -> None:
    clients = [ss.SchedulerClient(stack.backend()) for _ in range(2)]
    job = ss.Job(
        name="job",
        schedule=ss.Rate(MINUTE, start=MONDAY),
        target=stack.inbox,
        input={"job": "job", "due": ss.context.SCHEDULED_TIME},
    )
    clients[0].create(job)
    stack.server.settled(stack.account)
    seen, met = Counter[str](), Counter[str]()
    for client in clients:
        note_refused_writes(client, met)
    conflicts = 0
    for number in range(rounds):
        wake = stack.clock.now() + MINUTE

        def pause_and_resume() -> None:
            clients[0].pause("job")
            clients[0].resume("job")

        def update(number: int = number) -> None:
            clients[1].update(job.replace(description=str(number)))

        def run(wake: Any = wake) -> None:
            stack.server.move_time(wake)

        raised = at_once(pause_and_resume, update, run)
        stack.clock.move_to(wake)
        stack.server.settled(stack.account)
        conflicts += len(raised)
        assert all(isinstance(error, ss.ConflictError) for error in raised), raised
        seen.update(call["due"] for _, call in stack.calls())
        assert max(seen.values(), default=0) <= 1, "a run happened twice"
        record = clients[0].get("job")
        assert record.status is ss.JobStatus.ACTIVE, raised
        clients[0].repair()
        stack.server.settled(stack.account)
        assert len(live(stack)) == 1, "one execution has the job"
    first = ss.Rate(MINUTE, start=MONDAY).runs(after=MONDAY, until=stack.clock.now())
    every = [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in first]
    # By the clocks of the clients every resume lies before the instant of its round: it takes none away.
    assert set(seen) == set(every)
    recorded = Counter(f"{run.scheduled_for:%Y-%m-%dT%H:%M:%SZ}" for run in clients[0].runs("job"))
    assert recorded == seen
    steady = len(stack.executions("SUCCEEDED")) + len(stack.executions("ABORTED"))
    assert steady > rounds, "executions handed over"
    assert stack.executions("FAILED") == []
    assert conflicts < rounds // 4, "most updates were done"
    assert sum(met.values()) >= rounds // 2, f"the writers met: {met}"  # three times as often, as measured


def test_of_callers_that_pause_all_jobs_at_once_one_gets_each_job(stack: Stack) -> None:
    clients = [ss.SchedulerClient(stack.backend()) for _ in range(3)]
    daily = ss.Job(name="0", schedule=ss.Cron("0 9 * * ? *"), target=stack.inbox)
    clients[0].create_many([daily.replace(name=str(number)) for number in range(12)])
    paused = dict[str, list[str]]()

    def pause(number: int) -> None:
        records = clients[number].pause_many(reason=f"caller {number}")
        paused[f"caller {number}"] = [record.name for record in records]

    assert at_once(*(partial(pause, number) for number in range(3))) == []
    reasons = {name: reason for reason, names in paused.items() for name in names}
    assert sum(map(len, paused.values())) == 12
    assert {record.name: record.pause_reason for record in clients[0].list()} == reasons


@pytest.mark.parametrize(
    ("before", "seconds"),
    [
        pytest.param([ss.Cron("0 * * * ? *")], [8], id="cron"),
        pytest.param([ss.Cron("0 * * * ? *"), ss.Cron("1 * * * ? *")], [8], id="two crons"),
        pytest.param([ss.Rate(timedelta(hours=2)), ss.Cron("0 * * * ? *")], [7, 8], id="rate and cron"),
    ],
)
def test_a_rate_that_replaces_another_schedule_within_a_second_runs_at_once(
    stack: Stack, before: list[Any], seconds: list[int]
) -> None:
    client = ss.SchedulerClient(stack.backend())
    stack.play(MONDAY + timedelta(minutes=10, seconds=7))
    job = ss.Job(
        name="job",
        schedule=before[0],
        target=stack.inbox,
        input={"job": "job", "due": ss.context.SCHEDULED_TIME},
    )
    client.create(job)
    for schedule in (*before[1:], ss.Rate(timedelta(hours=1))):
        stack.server.settled(stack.account)
        client.update(job.replace(schedule=schedule))
    stack.play(MONDAY + timedelta(minutes=30))
    assert [int(call["due"][17:19]) for _, call in stack.calls()] == seconds


@pytest.mark.parametrize("rounds", [15, pytest.param(50, marks=pytest.mark.proof)])
def test_a_run_that_is_due_is_not_lost_by_an_update_of_something_else(stack: Stack, rounds: int) -> None:
    """The schedule is not changed, so every instant runs, whatever else is changed at that instant."""
    clients = [ss.SchedulerClient(stack.backend()) for _ in range(2)]
    job = ss.Job(
        name="job",
        schedule=ss.Rate(MINUTE, start=MONDAY),
        target=stack.inbox,
        input={"job": "job", "due": ss.context.SCHEDULED_TIME},
    )
    clients[0].create(job)
    stack.server.settled(stack.account)
    for number in range(rounds):
        wake = stack.clock.now() + MINUTE
        raised = at_once(
            partial(clients[0].update, job.replace(description=f"a{number}")),
            partial(clients[1].update, job.replace(description=f"b{number}")),
            clients[1].repair,
            partial(stack.server.move_time, wake),
        )
        assert all(isinstance(error, ss.ConflictError) for error in raised), raised
        stack.clock.move_to(wake)
        stack.server.settled(stack.account)
    clients[0].repair()
    stack.server.settled(stack.account)
    called = Counter(call["due"] for _, call in stack.calls())
    wanted = ss.Rate(MINUTE, start=MONDAY).runs(after=MONDAY, until=stack.clock.now())
    assert called == Counter(f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in wanted)


def test_many_repairs_at_once_start_one_execution(stack: Stack) -> None:
    clients = [ss.SchedulerClient(stack.backend()) for _ in range(4)]
    jobs = [
        ss.Job(
            name=f"job-{number}",
            schedule=ss.Rate(MINUTE, start=MONDAY, end=MONDAY + 5 * MINUTE + timedelta(seconds=1)),
            target=stack.inbox,
            input={"job": f"job-{number}", "due": ss.context.SCHEDULED_TIME},
        )
        for number in range(5)
    ]
    clients[0].create_many(jobs)
    stack.server.settled(stack.account)
    for name in stack.executions():
        arn = stack.machine_arn.replace(":stateMachine:", ":execution:") + ":" + name
        stack.states.stop_execution(executionArn=arn, error="Outage", cause="somebody pulled a plug")
    found = list[ss.jobs.Repair]()

    def recover(client: ss.SchedulerClient) -> None:
        found.extend(client.repair())

    assert at_once(*(partial(recover, client) for client in clients)) == []
    assert {repair.job for repair in found} == {job.name for job in jobs}
    assert {repair.problem for repair in found} <= {
        ss.jobs.Problem.DEAD,
        ss.jobs.Problem.MISSING,  # between the row and the start of another repair
        ss.jobs.Problem.ORPHANED,
        ss.jobs.Problem.DUPLICATE,
    }
    assert any("Outage: somebody pulled a plug" in repair.detail for repair in found)
    stack.server.settled(stack.account)
    assert clients[0].repair() == []
    stack.play(MONDAY + 10 * MINUTE)
    called = Counter((name, call["due"]) for name, call in stack.calls())
    assert len(called) == 25
    assert set(called.values()) == {1}
