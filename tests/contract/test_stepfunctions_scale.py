"""Tests long schedules, many jobs, and the minimal calls and permissions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import stepsched as ss
from stepsched.asl.budget import MAX_EVENTS
from stepsched.deploy import client_policy
from stepsched.testing import FakeClock
from stepsched.testing.contract.fixtures import MONDAY
from tests.contract.stepfunctions import Stack
from tests.parts.ministack import Ministack

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def stack(ministack: Ministack, account: str, aws: Callable[[str], Any]) -> Stack:
    return Stack(ministack, account, aws, FakeClock(MONDAY))


def simple(stack: Stack, name: str, schedule: ss.Schedule, **changes: Any) -> ss.Job:
    given = {"job": name, "due": ss.context.SCHEDULED_TIME}
    return ss.Job(name=name, schedule=schedule, target=stack.inbox, input=given).replace(**changes)


def dues(schedule: ss.Schedule, until: Any) -> list[str]:
    return [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in schedule.runs(after=MONDAY, until=until)]


def check_endurance(stack: Stack, schedule: ss.Schedule, until: Any) -> int:
    """Plays a job. Each run has called once, and no execution has exceeded its events or its age.

    Returns:
        The number of renewals.
    """
    client = ss.SchedulerClient(stack.backend(retention=timedelta(days=3_000)))
    client.create(simple(stack, "job", schedule))
    stack.play(until)
    wanted = dues(schedule, until)
    assert sorted(call["due"] for _, call in stack.calls()) == wanted
    assert [f"{run.scheduled_for:%Y-%m-%dT%H:%M:%SZ}" for run in client.runs("job")] == wanted
    assert stack.executions("FAILED") == []
    over = stack.executions("SUCCEEDED")
    for name in over:
        arn = f"{stack.machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
        found = stack.states.describe_execution(executionArn=arn)
        assert found["stopDate"] - found["startDate"] < timedelta(days=330)
        latest = stack.states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=1)
        assert latest["events"][0]["id"] < MAX_EVENTS
    assert client.repair() == []
    return len(over)


def test_a_job_of_every_minute_goes_on_past_a_year(stack: Stack) -> None:
    """A job runs every minute of one hour in each quarter, for two years: it sleeps for months, and hands
    over."""
    schedule = ss.Cron("0-9 0 1 1,4,7,10 ? *")
    assert check_endurance(stack, schedule, MONDAY + 700 * DAY) >= 2


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_a_job_of_every_minute_goes_on_past_25_000_events(stack: Stack) -> None:
    assert check_endurance(stack, ss.Rate(MINUTE, start=MONDAY), MONDAY + 3_000 * MINUTE) >= 2


class RecordingSession:
    """A session that records its calls to AWS."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.calls = list[tuple[str, str]]()

    def client(self, service: str, **options: Any) -> Any:
        made = self._session.client(service, **options)
        made.meta.events.register("before-call", lambda model, **_: self.calls.append((service, model.name)))
        return made


def verbs(client: ss.SchedulerClient, stack: Stack, name: str) -> dict[str, Callable[[], object]]:
    at = ss.OneTime(MONDAY + 30 * DAY)
    job = simple(stack, name, at)
    return {
        "create": lambda: client.create(job),
        "create again": lambda: client.create(job),
        "get": lambda: client.get(name),
        "update": lambda: client.update(job.replace(description="changed")),
        "versions": lambda: client.versions(name),
        "pause": lambda: client.pause(name),
        "resume": lambda: client.resume(name),
        "run_now": lambda: client.run_now(name),
        "runs": lambda: client.runs(name),
        "next": lambda: next(client.iterate(status="active")),
        "dead letters": client.dead_letters,
        "cancel": lambda: client.cancel(name),
    }


def calls_of_verbs(stack: Stack, name: str) -> dict[str, Counter[tuple[str, str]]]:
    session = RecordingSession(stack.session())
    client = ss.SchedulerClient(stack.backend(session=session))
    client.list(name_prefix="nothing")
    found = {}
    for verb, action in verbs(client, stack, name).items():
        stack.server.settled(stack.account)
        session.calls.clear()
        action()
        found[verb] = Counter(session.calls)
    return found


def test_no_verb_asks_more_often_when_many_jobs_wait(stack: Stack) -> None:
    """Each one-time job in the far future is one waiting execution; nothing is scanned."""
    before = calls_of_verbs(stack, "first")
    client = ss.SchedulerClient(stack.backend(workers=8))
    many = [simple(stack, f"job-{number}", ss.OneTime(MONDAY + 400 * DAY)) for number in range(150)]
    client.create_many(many)
    stack.server.settled(stack.account)
    assert calls_of_verbs(stack, "second") == before
    assert all(name != "Scan" for asked in before.values() for _, name in asked)
    assert max(asked.total() for asked in before.values()) <= 6
    assert len(stack.executions()) == 150
    assert [record.name for record in client.list(status="active")] == sorted(job.name for job in many)


def test_the_clients_policy_allows_what_is_asked_and_nothing_else(stack: Stack) -> None:
    session = RecordingSession(stack.session())
    client = ss.SchedulerClient(stack.backend(session=session))
    slow = stack.slow(25 * MINUTE)
    client.create(simple(stack, "slow", ss.Cron("0 * * * ? *"), target=slow, overlap=ss.Overlap.QUEUE))
    for action in verbs(client, stack, "job").values():
        action()
    client.backfill("slow", since=MONDAY - 2 * HOUR, until=MONDAY)
    stack.play(MONDAY + 4 * HOUR + 5 * MINUTE)
    client.list()
    client.repair()
    client.pause("slow", stop_run=True)
    for number in range(101):
        client.update(simple(stack, "slow", ss.Rate(HOUR), description=str(number)))
    client.cancel("slow")
    old = ss.SchedulerClient(stack.backend(session=session))
    old.backend._is_indexed = False  # type: ignore[attr-defined]  # as on a table of the AWS Solutions scheduler
    old.backend._calls = frozenset()  # type: ignore[attr-defined]
    old.list()
    table = f"arn:aws:dynamodb:eu-west-1:{stack.account}:table/jobs"
    policy = client_policy(table_arn=table, state_machine_arn=stack.machine_arn)
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    written = {f"{service.replace('stepfunctions', 'states')}:{name}" for service, name in session.calls}
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
    transactions = {f"dynamodb:{name}Item" for name in ("Put", "Update", "Delete")}
    assert "dynamodb:TransactWriteItems" in written
    asked = (written - {"dynamodb:TransactWriteItems"}) | transactions
    assert asked == allowed
