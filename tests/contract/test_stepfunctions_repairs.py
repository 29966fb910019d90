"""Tests the problems that ``repair`` finds and repairs, and that it changes nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.stepfunctions import backend as stepfunctions_backend
from stepsched.backends.stepfunctions.service import Executions
from stepsched.display import live
from stepsched.machines.shared.runner import runner
from stepsched.testing import FakeClock
from stepsched.testing.contract.fixtures import MONDAY
from tests.contract.stepfunctions import TABLE, Stack
from tests.parts.ministack import Ministack
from tests.parts.state_machines import ROLE

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
END = MONDAY + 6 * HOUR


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Stack:
    return Stack(ministack, account, aws, FakeClock(MONDAY))


@pytest.fixture
def client(stack: Stack) -> ss.SchedulerClient:
    return ss.SchedulerClient(stack.backend())


def hourly(stack: Stack, target: ss.Target | None = None, name: str = "job", **changes: Any) -> ss.Job:
    job = ss.Job(
        name=name,
        schedule=ss.Cron("0 * * * ? *", end=END),
        target=stack.inbox if target is None else target,
        input={"job": name, "due": ss.context.SCHEDULED_TIME},
    )
    return job.replace(**changes)


def arn(stack: Stack, name: str) -> str:
    return f"{stack.machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def kill(stack: Stack, name: str | None = None) -> str:
    """Stops an execution from outside. Without a name: the only running one."""
    if name is None:
        (name,) = stack.executions()
    stack.states.stop_execution(executionArn=arn(stack, name), error="Outage", cause="a plug was pulled")
    stack.server.settled(stack.account)
    return name


def hours(stack: Stack) -> list[int]:
    """The hours of the runs that have called their target."""
    return sorted(int(call["due"][11:13]) for _, call in stack.calls())


def test_where_all_is_well_nothing_is_done(stack: Stack, client: ss.SchedulerClient) -> None:
    slow = stack.slow(25 * MINUTE)
    client.create(hourly(stack))
    client.create(hourly(stack, slow, "slow", overlap=ss.Overlap.QUEUE))
    client.create(hourly(stack, name="paused"))
    client.create(hourly(stack, name="over", schedule=ss.Rate(HOUR, start=MONDAY, end=MONDAY + 90 * MINUTE)))
    client.create(hourly(stack, name="once", schedule=ss.OneTime(END)))
    client.pause("paused")
    assert client.repair() == []
    stack.play(MONDAY + 2 * HOUR + 5 * MINUTE)
    client.run_now("job")
    client.backfill("job", since=MONDAY - 3 * HOUR, until=MONDAY)
    assert client.repair() == []
    stack.server.settled(stack.account)
    before = stack.dynamodb.scan(TableName="jobs")["Items"], stack.executions()
    assert client.repair() == []
    assert (stack.dynamodb.scan(TableName="jobs")["Items"], stack.executions()) == before


def test_a_dead_execution_is_replaced_and_what_came_due_runs(
    stack: Stack, client: ss.SchedulerClient
) -> None:
    client.create(hourly(stack))
    stack.play(MONDAY + HOUR)
    dead = kill(stack)
    stack.play(MONDAY + 3 * HOUR + 5 * MINUTE)
    assert hours(stack) == [1]
    (repair,) = client.repair()
    assert (repair.job, repair.problem) == ("job", ss.jobs.Problem.DEAD)
    assert repair.detail == f"{arn(stack, dead)} has ended as ABORTED (Outage: a plug was pulled)"
    assert repair.remedy.startswith("started job-")
    assert client.repair() == []
    stack.play(END)
    assert hours(stack) == [2, 3, 4, 5, 6]
    assert client.get("job").status is ss.JobStatus.ENDED


@pytest.mark.parametrize(
    ("catch_up", "ran", "missed"),
    [
        (ss.CatchUp.ALL, [2, 3, 4, 5, 6], []),
        (ss.CatchUp.ONE, [3, 4, 5, 6], [2]),
        (ss.CatchUp.SKIP, [4, 5, 6], [2, 3]),
    ],
)
def test_catch_up_decides_what_runs_after_an_outage(
    stack: Stack, client: ss.SchedulerClient, catch_up: ss.CatchUp, ran: list[int], missed: list[int]
) -> None:
    client.create(hourly(stack, catch_up=catch_up))
    stack.play(MONDAY + HOUR)
    kill(stack)
    stack.play(MONDAY + 3 * HOUR + 5 * MINUTE)
    (repair,) = client.repair()
    assert (f"recorded {len(missed)} run" in repair.remedy) == bool(missed)
    stack.play(END)
    assert hours(stack) == [1, *ran]
    assert [run.scheduled_for.hour for run in client.runs("job", status="missed")] == missed
    assert [run.scheduled_for.hour for run in client.runs("job", status="succeeded")] == [1, *ran]


def test_a_job_whose_execution_never_began_is_started(stack: Stack, client: ss.SchedulerClient) -> None:
    client.create(hourly(stack))
    (name,) = stack.executions()
    stack.states.delete_state_machine(stateMachineArn=stack.machine_arn)  # this deletes its executions too
    stack.states.create_state_machine(name="runner", definition=runner("jobs").to_json(), roleArn=ROLE)
    stack.dynamodb.update_item(
        TableName="jobs",
        Key={"name": {"S": "job"}, "version": {"S": "v0"}},
        UpdateExpression="REMOVE execution",
    )
    found = client.repair()
    assert [repair.problem for repair in found] in ([ss.jobs.Problem.MISSING], [ss.jobs.Problem.DEAD])
    assert name.rsplit("-", 1)[0] == "job"
    stack.play(END)
    assert hours(stack) == [1, 2, 3, 4, 5, 6]


def claim(stack: Stack, execution: str, key: str) -> None:
    """Writes into the job's row that an execution has claimed a run."""
    stack.dynamodb.update_item(
        TableName="jobs",
        Key={"name": {"S": "job"}, "version": {"S": "v0"}},
        UpdateExpression="SET claimed_by = :by, claimed = :key, started_at = :at",
        ExpressionAttributeValues={
            ":by": {"S": arn(stack, execution)},
            ":key": {"S": key},
            ":at": {"S": f"{key[4:23]}.000Z"},
        },
    )


class TestInTheMiddleOfARun:
    """The execution ends during the call of its target."""

    def test_a_run_that_may_have_begun_is_run_again_and_says_so(
        self, stack: Stack, client: ss.SchedulerClient
    ) -> None:
        client.create(hourly(stack, stack.slow(25 * MINUTE), overlap=ss.Overlap.QUEUE))
        stack.play(MONDAY + HOUR + 5 * MINUTE)
        kill(stack)
        found = client.repair()
        assert {repair.problem for repair in found} == {ss.jobs.Problem.UNFINISHED, ss.jobs.Problem.DEAD}
        assert any("may have been invoked: started again" in repair.remedy for repair in found)
        assert client.repair() == []
        stack.play(END + HOUR)
        assert hours(stack) == [1, 1, 2, 3, 4, 5, 6]
        runs = client.runs("job")
        assert [run.scheduled_for.hour for run in runs] == [1, 2, 3, 4, 5, 6]
        assert [run.restarted for run in runs] == [True, *[False] * 5]
        assert {run.status for run in runs} == {ss.RunStatus.SUCCEEDED}

    def test_a_run_that_its_history_knows_to_have_ended_is_not_run_again(
        self, stack: Stack, client: ss.SchedulerClient
    ) -> None:
        """The execution ends after the target's result, and before it is recorded."""
        client.create(hourly(stack))
        stack.play(MONDAY + HOUR)
        name = kill(stack)
        stack.dynamodb.delete_item(
            TableName="jobs", Key={"name": {"S": "job"}, "version": {"S": "run#2030-01-07T01:00:00Z"}}
        )
        claim(stack, name, "run#2030-01-07T01:00:00Z")
        found = client.repair()
        assert any("recorded as succeeded" in repair.remedy for repair in found)
        stack.play(END)
        assert hours(stack) == [1, 2, 3, 4, 5, 6]
        assert [run.scheduled_for.hour for run in client.runs("job", status="succeeded")] == [
            1,
            2,
            3,
            4,
            5,
            6,
        ]

    def test_a_one_time_job_is_run_again_and_then_gone(
        self, stack: Stack, client: ss.SchedulerClient
    ) -> None:
        client.create(hourly(stack, stack.slow(25 * MINUTE), schedule=ss.OneTime(MONDAY + HOUR)))
        stack.play(MONDAY + HOUR + 5 * MINUTE)
        kill(stack)
        assert [repair.problem for repair in client.repair()] == [ss.jobs.Problem.UNFINISHED]
        assert client.repair() == []
        stack.play(END)
        assert hours(stack) == [1, 1]
        assert client.list() == []
        assert [(run.status.value, run.restarted) for run in client.runs("job")] == [("succeeded", True)]

    def test_a_run_beside_the_schedule_is_run_again(self, stack: Stack, client: ss.SchedulerClient) -> None:
        client.create(hourly(stack, stack.slow(25 * MINUTE), overlap=ss.Overlap.QUEUE))
        client.run_now("job")
        stack.server.settled(stack.account)
        (apart,) = (name for name in stack.executions() if "left" in described(stack, name))
        kill(stack, apart)
        (repair,) = client.repair()
        assert repair.problem is ss.jobs.Problem.UNFINISHED
        assert client.repair() == []
        stack.play(MONDAY + 30 * MINUTE)
        assert hours(stack) == [0, 0]
        (run,) = client.runs("job")
        assert (run.status, run.restarted, run.trigger) == (
            ss.RunStatus.SUCCEEDED,
            True,
            ss.jobs.Trigger.MANUAL,
        )

    def test_a_run_of_a_job_that_is_gone_is_noted_as_failed(
        self, stack: Stack, client: ss.SchedulerClient
    ) -> None:
        client.create(hourly(stack, stack.slow(25 * MINUTE), overlap=ss.Overlap.QUEUE))
        stack.play(MONDAY + HOUR + 5 * MINUTE)
        client.cancel("job")
        assert [run.status.value for run in client.runs("job")] == ["running"]
        assert client.repair() == []
        kill(stack)
        assert [repair.remedy for repair in client.repair()] == ["recorded as failed: the job is gone"]
        (run,) = client.runs("job")
        assert run.status is ss.RunStatus.FAILED
        assert "cancelled" in (run.error or "")


def described(stack: Stack, name: str) -> dict[str, Any]:
    found = stack.states.describe_execution(executionArn=arn(stack, name))
    return dict(json.loads(found["input"]))


def test_a_run_that_waits_for_nobody_is_started(stack: Stack, client: ss.SchedulerClient) -> None:
    client.create(hourly(stack))
    item = {
        "name": {"S": "job"},
        "version": {"S": "run#2030-01-06T23:00:00Z"},
        "status": {"S": "pending"},
        "due": {"S": "2030-01-06T23:00:00.000000Z"},
        "trigger": {"S": "backfill"},
        "recorded_at": {"S": "2030-01-07T00:00:00.000000Z"},
        "token": {"S": "0123456789ab"},
    }
    stack.dynamodb.put_item(TableName="jobs", Item=item)
    stack.dynamodb.put_item(TableName="jobs", Item=item | {"name": {"S": "gone"}})
    found = {repair.job: repair.remedy for repair in client.repair()}
    assert found == {"job": "started again", "gone": "recorded as skipped: the job is gone"}
    stack.server.settled(stack.account)
    assert hours(stack) == [23]
    assert [run.status.value for run in client.runs("gone")] == ["skipped"]


def test_an_execution_that_nobody_wants_is_stopped(stack: Stack, client: ss.SchedulerClient) -> None:
    client.create(hourly(stack))
    client.create(hourly(stack, name="other"))
    stack.server.settled(stack.account)
    (mine,) = (name for name in stack.executions() if name.startswith("job-"))
    token = mine.rsplit("-", 1)[1]
    starts = {
        "job-000000000001": {"name": "job", "token": "000000000001"},
        f"job-{token}-9": {"name": "job", "token": token},
        "nobody-000000000002": {"name": "nobody", "token": "000000000002"},
        "by-hand": {"name": "job", "token": token},
    }
    for name, given in starts.items():
        # The executions are held before they read the row, as happens when many start at once.
        stack.states.start_execution(stateMachineArn=stack.machine_arn, name=name, input=json.dumps(given))
    stack.server.settled(stack.account)
    found = client.repair()
    assert {repair.problem for repair in found} <= {ss.jobs.Problem.DUPLICATE, ss.jobs.Problem.ORPHANED}
    assert client.repair() == []
    stack.play(END)
    told = Counter((name, call["due"]) for name, call in stack.calls())
    assert len(told) == 12
    assert set(told.values()) == {1}


class TestStopRun:
    """Pause and cancel with ``stop_run`` stop the running run, with the execution that it has started."""

    @pytest.mark.parametrize("verb", ["pause", "cancel"])
    def test_the_run_and_its_child_are_stopped(
        self, stack: Stack, client: ss.SchedulerClient, verb: str
    ) -> None:
        slow = stack.slow(25 * MINUTE)
        client.create(hourly(stack, slow, overlap=ss.Overlap.QUEUE))
        stack.play(MONDAY + HOUR + 5 * MINUTE)
        getattr(client, verb)("job", stop_run=True)
        children = stack.states.list_executions(stateMachineArn=slow.state_machine_arn)["executions"]
        assert [child["status"] for child in children] == ["ABORTED"]
        assert stack.executions() == []
        (run,) = client.runs("job")
        assert run.status is ss.RunStatus.FAILED
        assert run.error == "410: execution disabled for job"
        assert client.repair() == []

    def test_without_it_the_run_goes_on_to_its_end(self, stack: Stack, client: ss.SchedulerClient) -> None:
        client.create(hourly(stack, stack.slow(25 * MINUTE), overlap=ss.Overlap.QUEUE))
        stack.play(MONDAY + HOUR + 5 * MINUTE)
        client.pause("job")
        assert len(stack.executions()) == 1
        stack.play(END)
        assert stack.executions() == []
        assert [run.status.value for run in client.runs("job")] == ["succeeded"]
        assert client.get("job").status is ss.JobStatus.PAUSED

    def test_where_none_goes_on_it_is_as_without(self, stack: Stack, client: ss.SchedulerClient) -> None:
        client.create(hourly(stack))
        stack.server.settled(stack.account)
        assert client.pause("job", stop_run=True).status is ss.JobStatus.PAUSED
        assert stack.executions() == []
        assert client.runs() == []


def test_a_job_that_is_resumed_in_the_middle_of_a_run_waits_for_its_end(
    stack: Stack, client: ss.SchedulerClient
) -> None:
    slow = stack.slow(90 * MINUTE)
    client.create(hourly(stack, slow, overlap=ss.Overlap.QUEUE))
    stack.play(MONDAY + HOUR + 5 * MINUTE)
    client.pause("job")
    client.resume("job")
    assert len(stack.executions()) == 2, "one ends its run, one waits"
    assert client.repair() == []
    stack.play(END + 12 * HOUR)
    runs = client.runs("job")
    assert [run.scheduled_for.hour for run in runs] == [1, 2, 3, 4, 5, 6]
    for before, after in pairwise(runs):
        assert before.ended_at is not None
        assert after.started_at is not None
        assert after.started_at >= before.ended_at


class TestSeveralHands:
    """A repair is correct, whatever other clients do concurrently."""

    def test_to_redrive_a_run_leaves_the_one_that_goes_on_alone(
        self, stack: Stack, client: ss.SchedulerClient
    ) -> None:
        nowhere = ss.QueueTarget(stack.inbox.queue_arn.replace("inbox", "nowhere"))
        once = ss.Retry(max_attempts=0)
        client.create(hourly(stack, nowhere, retry=once, overlap=ss.Overlap.QUEUE))
        stack.play(MONDAY + HOUR)
        (failed,) = client.dead_letters("job")
        slow = stack.slow(25 * MINUTE)
        client.update(hourly(stack, slow, retry=once, overlap=ss.Overlap.QUEUE))
        stack.play(MONDAY + 2 * HOUR + 5 * MINUTE)
        client.redrive(failed)
        stack.server.settled(stack.account)
        assert {run.scheduled_for.hour: run.status.value for run in client.runs("job")} == {
            1: "pending",
            2: "running",
        }
        assert hours(stack) == [2], "the other one waits for its turn"
        stack.play(END + HOUR)
        runs = sorted(client.runs("job"), key=lambda run: run.started_at or MONDAY)
        assert [run.scheduled_for.hour for run in runs][:2] == [2, 1]
        for before, after in pairwise(runs):
            assert before.ended_at is not None
            assert after.started_at is not None
            assert after.started_at >= before.ended_at

    def test_a_claim_of_a_run_that_has_ended_is_taken_away(
        self, stack: Stack, client: ss.SchedulerClient
    ) -> None:
        """A client recorded the end of the run and stopped before it removed the claim."""
        client.create(hourly(stack, stack.slow(25 * MINUTE), overlap=ss.Overlap.QUEUE))
        stack.play(MONDAY + HOUR + 30 * MINUTE)
        name = kill(stack)
        claim(stack, name, "run#2030-01-07T01:00:00Z")
        found = [repair.remedy for repair in client.repair()]
        assert any("removed its claim" in remedy for remedy in found)
        assert client.repair() == []
        stack.play(END + HOUR)
        assert hours(stack) == [1, 2, 3, 4, 5, 6]

    def test_a_run_that_failed_for_good_is_noted_as_failed(
        self, stack: Stack, client: ss.SchedulerClient
    ) -> None:
        """The execution has sent the dead letter, and ended before it recorded the failure."""
        nowhere = ss.QueueTarget(stack.inbox.queue_arn.replace("inbox", "nowhere"))
        dead = stack.queue("dead")
        job = hourly(stack, nowhere, retry=ss.Retry(max_attempts=0), dead_letter=dead)
        client.create(job)
        stack.play(MONDAY + HOUR)
        name = kill(stack)
        key = {"name": {"S": "job"}, "version": {"S": "run#2030-01-07T01:00:00Z"}}
        stack.dynamodb.delete_item(TableName="jobs", Key=key)
        claim(stack, name, key["version"]["S"])
        assert any("recorded as failed" in repair.remedy for repair in client.repair())
        (run,) = client.runs("job")
        assert run.status is ss.RunStatus.FAILED
        assert run.error
        assert client.get("job").last_run == run
        assert len(stack.messages("dead")) == 1

    def test_an_execution_whose_history_is_gone_keeps_nobody_from_being_mended(
        self, stack: Stack, client: ss.SchedulerClient
    ) -> None:
        client.create(hourly(stack))
        client.create(hourly(stack, name="other"))
        stack.play(MONDAY + HOUR)
        stack.calls()
        for name in stack.executions():
            kill(stack, name)
        claim(stack, "job-0123456789ab-7", "run#2030-01-07T00:30:00Z")
        found = client.repair()
        assert {repair.job for repair in found} == {"job", "other"}
        assert any("no longer exists" in repair.detail for repair in found)
        assert any("may have been invoked: started again" in repair.remedy for repair in found)
        stack.play(MONDAY + 2 * HOUR)
        assert sorted((name, call["due"][11:16]) for name, call in stack.calls()) == [
            ("job", "00:30"),
            ("job", "02:00"),
            ("other", "02:00"),
        ]

    def test_an_execution_that_is_not_seen_yet_is_not_taken_for_gone(
        self, stack: Stack, client: ss.SchedulerClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Reads of executions are eventually consistent: a run that has just started counts as running."""
        client.create(hourly(stack, stack.slow(25 * MINUTE), overlap=ss.Overlap.QUEUE))
        stack.play(MONDAY + HOUR)
        assert hours(stack) == [1]
        (name,) = stack.executions()
        unseen = arn(stack, name)
        find, history, running = Executions.find, Executions.history, Executions.running
        monkeypatch.setattr(Executions, "find", lambda self, arn: None if arn == unseen else find(self, arn))
        monkeypatch.setattr(Executions, "history", lambda self, arn: iter(()))
        monkeypatch.setattr(Executions, "running", lambda self: iter(()))
        stack.move(MONDAY + HOUR + MINUTE)
        assert all("invoked" not in repair.remedy for repair in client.repair())
        monkeypatch.setattr(Executions, "find", find)
        monkeypatch.setattr(Executions, "history", history)
        monkeypatch.setattr(Executions, "running", running)
        stack.play(MONDAY + 2 * HOUR)
        assert hours(stack) == [2]
        assert [run.status.value for run in client.runs("job")] == ["succeeded", "running"]

    def test_a_call_that_aws_refuses_has_failed(self, stack: Stack, client: ss.SchedulerClient) -> None:
        """An invalid call fails the execution with an error that no state can catch, and is not retried."""
        client.create(hourly(stack))
        stack.play(MONDAY + HOUR / 2)
        (name,) = stack.executions()
        kill(stack, name)
        claim(stack, name, "run#2030-01-07T00:30:00Z")
        refused = {"error": "States.Runtime", "cause": "there is no field QueueUrl"}
        history = [
            {"type": "ExecutionFailed", "executionFailedEventDetails": refused},
            {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "sqs:sendMessage"}},
            {"type": "TaskStateExited", "stateExitedEventDetails": {"name": "Fence"}},
        ]
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Executions, "history", lambda self, arn: iter(history))
            assert any("recorded as failed" in repair.remedy for repair in client.repair())
        (run,) = client.runs("job")
        assert (run.status.value, run.error) == ("failed", "States.Runtime: there is no field QueueUrl")
        stack.play(MONDAY + 2 * HOUR)
        assert hours(stack) == [1, 2]

    def test_stopping_one_of_many_runs_beside_the_schedule_lets_the_others_run(
        self, stack: Stack, client: ss.SchedulerClient
    ) -> None:
        client.create(hourly(stack, stack.slow(25 * MINUTE), overlap=ss.Overlap.QUEUE))
        client.backfill("job", since=MONDAY - 3 * HOUR, until=MONDAY - MINUTE)
        stack.server.settled(stack.account)
        client.pause("job", stop_run=True)
        stack.play(MONDAY + 3 * HOUR)
        runs = client.runs("job")
        assert [run.scheduled_for.hour for run in runs] == [21, 22, 23]
        assert [run.status.value for run in runs] == ["failed", "succeeded", "succeeded"]
        assert client.repair() == []


def test_whoever_watches_sees_how_far_a_backfill_and_a_repair_are(
    stack: Stack, client: ss.SchedulerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(live, "PATIENCE", 0)
    client.create(hourly(stack))
    client.pause("job")
    client.create_many([hourly(stack, name=f"job-{number}") for number in range(2)])
    with redirect_stderr(Terminal()) as backfilled:
        client.backfill("job", since=MONDAY - 12 * HOUR, until=MONDAY - MINUTE)
    assert backfilled.getvalue().endswith(f"\r[{'#' * 30}] 12 of 12\n")
    stack.server.settled(stack.account)
    for name in stack.executions():
        kill(stack, name)
    with redirect_stderr(Terminal()) as repaired:
        assert len(client.repair()) > 1
    assert repaired.getvalue().startswith("\r3 so far\n\r[")
    assert repaired.getvalue().endswith(f"\r[{'#' * 30}] 2 of 2\n")


def test_a_backfill_of_several_executions_runs_each_once_and_never_two_at_once(
    stack: Stack, client: ss.SchedulerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepfunctions_backend, "_MAX_KEYS", 2)
    client.create(hourly(stack, stack.slow(MINUTE / 2), overlap=ss.Overlap.QUEUE))
    client.pause("job")
    made = client.backfill("job", since=MONDAY - 5 * HOUR, until=MONDAY - MINUTE)
    stack.server.settled(stack.account)
    assert len(stack.executions()) == 3
    stack.play(MONDAY + HOUR)
    assert hours(stack) == [run.scheduled_for.hour for run in made] == [19, 20, 21, 22, 23]
    assert stack.executions() == []
    runs = sorted(client.runs("job"), key=lambda run: run.started_at or END)
    assert {run.status.value for run in runs} == {"succeeded"}
    for earlier, later in pairwise(runs):
        assert earlier.ended_at
        assert later.started_at
        assert earlier.ended_at <= later.started_at


def test_runs_are_found_by_fractions_of_a_second(stack: Stack, client: ss.SchedulerClient) -> None:
    client.create(hourly(stack))
    stack.clock.move_to(MONDAY + timedelta(milliseconds=500))
    run = client.run_now("job")
    stack.server.settled(stack.account)
    for name in ("job", None):
        for since, count in (
            (MONDAY, 1),
            (run.scheduled_for, 1),
            (run.scheduled_for + timedelta.resolution, 0),
        ):
            assert len(client.runs(name, since=since)) == count
        for until, count in ((MONDAY, 0), (run.scheduled_for, 1), (MONDAY + MINUTE, 1)):
            assert len(client.runs(name, until=until)) == count


class TestWhileARunGoesOn:
    """Its execution may no longer belong to the job, but the run is still running."""

    def test_a_new_job_of_the_name_does_not_end_the_old_one_s_run(
        self, stack: Stack, client: ss.SchedulerClient
    ) -> None:
        job = hourly(stack, stack.slow(25 * MINUTE), overlap=ss.Overlap.QUEUE)
        client.create(job)
        stack.play(MONDAY + HOUR + 5 * MINUTE)
        client.cancel("job")
        client.create(job)
        assert client.repair() == []
        stack.play(END + HOUR)
        assert hours(stack) == [1, 2, 3, 4, 5, 6]
        assert {run.status.value for run in client.runs("job")} == {"succeeded"}

    @pytest.mark.parametrize("verb", ["update", "pause", "cancel"])
    def test_a_verb_between_the_end_of_a_run_and_the_end_of_its_claim_begins_nothing_anew(
        self, stack: Stack, client: ss.SchedulerClient, verb: str
    ) -> None:
        """The machine records the run, and then removes the claim, in two writes."""
        job = hourly(stack)
        client.create(job)
        stack.play(MONDAY + HOUR)
        (name,) = stack.executions()
        claim(stack, name, "run#2030-01-07T01:00:00Z")
        if verb == "update":
            client.update(job.replace(description="changed"))
        else:
            getattr(client, verb)("job")
        assert [run.status.value for run in client.runs("job")][:1] == ["succeeded"]
        kill(stack, name)
        client.repair()
        assert client.repair() == []
        stack.play(END)
        assert hours(stack) == ([1, 2, 3, 4, 5, 6] if verb == "update" else [1])

    @pytest.mark.parametrize("dies", [False, True])
    def test_a_run_between_its_attempts_survives_an_update(
        self, stack: Stack, client: ss.SchedulerClient, dies: bool
    ) -> None:
        """Runs may overlap, so that the next one claims the job while the first still waits."""
        retry = ss.Retry(
            max_attempts=5,
            interval=45 * MINUTE,
            max_delay=45 * MINUTE,
            backoff_rate=1,
            max_age=timedelta(hours=24),
        )
        nowhere = ss.QueueTarget(stack.inbox.queue_arn.replace("inbox", "nowhere"))
        client.create(hourly(stack, nowhere, retry=retry))
        stack.play(MONDAY + HOUR + 5 * MINUTE)
        if dies:
            kill(stack)
        client.update(hourly(stack, retry=retry))
        assert {run.scheduled_for.hour: run.status.value for run in client.runs("job")} == {1: "running"}
        stack.play(MONDAY + 2 * HOUR + 5 * MINUTE)
        assert [run.scheduled_for.hour for run in client.runs("job")] == [1, 2]
        assert len(client.repair()) == int(dies)
        at_one = MONDAY + HOUR
        assert client.backfill("job", since=at_one, until=at_one) == [], "it has a run"
        stack.play(END + timedelta(hours=12))
        assert hours(stack) == ([1] if dies else []) + [2, 3, 4, 5, 6]
        runs = client.runs("job")
        assert [run.scheduled_for.hour for run in runs] == [1, 2, 3, 4, 5, 6]
        assert runs[0].status.value == ("succeeded" if dies else "failed")
        assert client.repair() == []

    def test_a_run_beside_the_schedule_is_listed_once(self, stack: Stack, client: ss.SchedulerClient) -> None:
        client.create(hourly(stack, stack.slow(25 * MINUTE), overlap=ss.Overlap.QUEUE))
        made = client.run_now("job")
        stack.server.settled(stack.account)
        for found in (client.runs("job"), client.runs(), [client.get("job").last_run]):
            assert [(run.id, run.trigger, run.status.value) for run in found if run] == [
                (made.id, ss.jobs.Trigger.MANUAL, "running")
            ]


def test_runs_that_were_passed_over_are_those_of_their_own_job(
    stack: Stack, client: ss.SchedulerClient
) -> None:
    slow = stack.slow(90 * MINUTE)
    client.create(hourly(stack, slow, overlap=ss.Overlap.SKIP))
    stack.play(MONDAY + 2 * HOUR + 40 * MINUTE)
    skipped = client.runs("job", status="skipped")
    assert [run.scheduled_for.hour for run in skipped] == [2]
    assert client.wait(skipped[0], timeout=0) == skipped[0]
    assert client.backfill("job", since=MONDAY + HOUR, until=MONDAY + 2 * HOUR) == [], "each has its answer"
    client.cancel("job")
    client.create(hourly(stack, slow, schedule=ss.Cron("0/10 * * * ? *", end=END)))
    assert client.runs("job", status="skipped") == []


def test_damaged_rows_of_runs_keep_nobody_from_anything(stack: Stack, client: ss.SchedulerClient) -> None:
    client.create(hourly(stack))
    stack.play(MONDAY + HOUR)
    good = {
        "name": {"S": "job"},
        "status": {"S": "running"},
        "due": {"S": "2030-01-06T23:00:00Z"},
        "trigger": {"S": "schedule"},
    }
    for number, damage in enumerate(
        (
            {"status": {"S": "dreaming"}},
            {"trigger": {"S": "chance"}},
            {"due": {"S": "yesterday"}},
            {"status": {"S": "running"}},  # and no execution
        )
    ):
        version = {"version": {"S": f"run#2030-01-06T2{number}:00:00Z"}}
        stack.dynamodb.put_item(TableName="jobs", Item=good | version | damage)
    with pytest.warns(ss.ScheduleWarning, match="left out: row 'run#2030"):
        assert [run.scheduled_for.hour for run in client.runs("job")] == [1]
    with pytest.warns(ss.ScheduleWarning, match="cannot be read"):
        assert client.repair() == []


# -- zone rules ----------------------------------------------------------------------------------------


def use_older_rules(stack: Stack, client: ss.SchedulerClient, name: str) -> None:
    """Writes the rules of an older database, in which the zone is on UTC, and lets an execution read them."""
    where = {"name": {"S": name}, "version": {"S": "v0"}}
    item = stack.dynamodb.get_item(TableName=TABLE, Key=where)["Item"]
    old = json.loads(item["plan"]["S"])
    old["zones"] = "2001a"
    if "zone" in old["plan"]:
        old["plan"]["zone"] = {"offset": 0}
    else:  # a one-time job in Tokyo
        old["plan"] |= {key: old["plan"][key] + 9 * 3600 for key in ("origin", "end")}
    stack.dynamodb.update_item(
        TableName=TABLE,
        Key=where,
        UpdateExpression="SET #plan = :plan",
        ExpressionAttributeNames={"#plan": "plan"},
        ExpressionAttributeValues={":plan": {"S": json.dumps(old)}},
    )
    kill(stack)
    client.resume(name)  # starts an execution again


def test_older_zone_rules_are_found_and_replaced(stack: Stack, client: ss.SchedulerClient) -> None:
    """The rules are of an older time zone database than this machine's. Monday is a day in winter."""
    daily = ss.Cron("0 9 * * ? *", timezone="Asia/Tokyo", end=MONDAY + timedelta(days=4))
    client.create(hourly(stack).replace(schedule=daily))
    use_older_rules(stack, client, "job")
    stack.play(MONDAY + timedelta(hours=23))
    by_older_rules = [json.loads(each)["due"] for each in stack.messages()]
    (repair,) = client.repair()
    stack.play(MONDAY + timedelta(days=4))
    by_present_rules = [json.loads(each)["due"] for each in stack.messages()]

    assert by_older_rules == ["2030-01-07T09:00:00Z"]
    assert by_present_rules == [f"2030-01-{day:02d}T00:00:00Z" for day in (8, 9, 10, 11)]
    assert (repair.job, repair.problem) == ("job", ss.jobs.Problem.OUTDATED)
    assert f"older than the time zone database {ss.timezone_database().version}" in repair.detail
    assert client.get("job").version == 1
    assert client.repair() == []


def test_a_one_time_job_gets_the_new_instant_of_its_wall_time(
    stack: Stack, client: ss.SchedulerClient
) -> None:
    once = ss.OneTime("2030-01-08T09:00", timezone="Asia/Tokyo")
    client.create(hourly(stack).replace(schedule=once))
    use_older_rules(stack, client, "job")
    stack.play(MONDAY + 2 * HOUR)
    (repair,) = client.repair()
    assert (repair.job, repair.problem) == ("job", ss.jobs.Problem.OUTDATED)
    assert client.repair() == []
    assert client.get("job").next_run == once.instant
    stack.play(MONDAY + timedelta(days=1, minutes=1))
    assert [json.loads(each)["due"] for each in stack.messages()] == ["2030-01-08T00:00:00Z"]
    stack.play(MONDAY + timedelta(days=3))
    assert (stack.messages(), client.repair()) == ([], [])


def test_a_one_time_job_whose_new_instant_has_passed_since_its_creation_runs_at_once(
    stack: Stack, client: ss.SchedulerClient
) -> None:
    once = ss.OneTime("2030-01-07T10:00", timezone="Asia/Tokyo")  # an hour after the creation
    client.create(hourly(stack).replace(schedule=once))
    use_older_rules(stack, client, "job")
    stack.play(MONDAY + 2 * HOUR)
    (repair,) = client.repair()
    assert repair.problem is ss.jobs.Problem.OUTDATED
    stack.play(MONDAY + 3 * HOUR)
    assert [json.loads(each)["due"] for each in stack.messages()] == ["2030-01-07T01:00:00Z"]


def test_zone_rules_are_replaced_once_and_only_those_of_active_jobs(
    stack: Stack, client: ss.SchedulerClient
) -> None:
    schedule = ss.Cron("0 9 * * ? *", timezone="Asia/Tokyo")
    client.create(hourly(stack, name="active").replace(schedule=schedule))
    use_older_rules(stack, client, "active")
    client.create(hourly(stack, name="other").replace(schedule=schedule))
    assert [each.job for each in client.repair()] == ["active"]
    assert client.repair() == []
    assert len(stack.executions()) == 2

    client.pause("active")
    where = {"name": {"S": "active"}, "version": {"S": "v0"}}
    before = stack.dynamodb.get_item(TableName=TABLE, Key=where)["Item"]
    assert client.repair() == []
    assert stack.dynamodb.get_item(TableName=TABLE, Key=where)["Item"] == before
