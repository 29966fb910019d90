"""The present is read when it is used: a request that waits is built anew before it is sent."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from moto import mock_aws

import stepsched as ss
from stepsched.backends.eventbridge import EventBridgeBackend
from stepsched.testing import FakeClock
from tests.parts.scheduler_stub import Fault, Request, SchedulerStub
from tests.sessions import new_session
from tests.unit.eventbridge.test_backend import ROLE, job, session

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
REFUSED = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."


class Slow:
    """A service whose requests take time on a fake clock, and that refuses some of them.

    Args:
        stub: The server.
        clock: The clock of server and backend.
    """

    def __init__(self, stub: SchedulerStub, clock: FakeClock) -> None:
        self.stub, self.clock = stub, clock
        self.faults: list[tuple[str, timedelta]] = []
        """What goes wrong with the next writes, and how long each of them takes."""
        self.takes = timedelta()
        """How long every other write takes."""
        stub.inject = self._inject

    def _inject(self, request: Request) -> Fault | None:
        if request.operation not in ("CreateSchedule", "UpdateSchedule"):
            return None
        if not self.faults:
            self.clock.advance(self.takes)
            return None
        kind, takes = self.faults.pop(0)
        self.clock.advance(takes)
        return Fault(kind)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0)


@pytest.fixture
def slow(clock: FakeClock) -> Iterator[Slow]:
    with SchedulerStub(clock=clock.now) as stub:
        yield Slow(stub, clock)


@pytest.fixture
def client(slow: Slow, clock: FakeClock) -> Iterator[ss.SchedulerClient]:
    # The first pause is a second, so that one refusal is waited for, and the wait of many ends soon.
    backend = EventBridgeBackend(
        ROLE,
        session=session(),
        endpoint_url=slow.stub.endpoint_url,
        clock=clock,
        role_wait=timedelta(seconds=1.2),
    )
    with ExitStack() as stack:
        stack.callback(backend.close)
        yield ss.SchedulerClient(backend)


def stored(slow: Slow, name: str = "job") -> dict[str, Any]:
    return slow.stub.schedules["default", name]


def test_a_rate_starts_when_it_is_accepted(slow: Slow, client: ss.SchedulerClient) -> None:
    slow.faults = [("role", 10 * SECOND)]
    record = client.create(job(schedule=ss.Rate(DAY)))
    assert stored(slow)["StartDate"] == (T0 + 10 * SECOND).timestamp()
    assert record.next_run == T0 + 10 * SECOND + DAY
    assert record.next_run > client.backend.now()
    assert client.get("job").next_run == record.next_run


def test_each_try_has_a_token_of_its_own(slow: Slow, client: ss.SchedulerClient) -> None:
    slow.faults = [("role", SECOND)]
    client.create(job())
    tokens = [each.body["ClientToken"] for each in slow.stub.log if each.operation == "CreateSchedule"]
    assert len(tokens) == len(set(tokens)) == 2


def test_a_one_time_job_that_passes_during_the_wait_is_refused(
    slow: Slow, client: ss.SchedulerClient
) -> None:
    slow.faults = [("role", 10 * SECOND)]
    with pytest.raises(ss.InvalidScheduleError, match="job 'job' would never run"):
        client.create(job(schedule=ss.OneTime(T0 + 4 * SECOND)))
    assert slow.stub.schedules == {}


def test_a_one_time_job_that_passes_during_the_call_is_told_of(
    slow: Slow, client: ss.SchedulerClient
) -> None:
    slow.takes = 10 * SECOND
    with pytest.warns(ss.ScheduleWarning, match="the run of job 'job' came due while its schedule was being"):
        record = client.create(job(schedule=ss.OneTime(T0 + 4 * SECOND)))
    assert (record.status, record.next_run) == (ss.JobStatus.ENDED, None)


def test_the_record_counts_from_the_end_of_the_call(slow: Slow, client: ss.SchedulerClient) -> None:
    slow.takes = 10 * SECOND
    record = client.create(job(schedule=ss.Cron("1 0 * * ? *")))
    assert record.next_run == T0 + MINUTE
    slow.takes = 2 * MINUTE
    record = client.update(record.job.replace(description="new"))
    assert record.next_run == T0 + DAY + MINUTE


def test_an_update_is_built_anew(slow: Slow, client: ss.SchedulerClient) -> None:
    client.create(job(schedule=ss.Rate(MINUTE)))
    slow.faults = [("role", 10 * MINUTE)]
    record = client.update(job(schedule=ss.Rate(2 * MINUTE, start=T0 + 5 * MINUTE)))
    assert stored(slow)["StartDate"] == (T0 + 11 * MINUTE).timestamp()
    assert record.next_run == T0 + 11 * MINUTE


def test_an_update_to_a_time_that_passes_during_the_wait_is_refused(
    slow: Slow, client: ss.SchedulerClient
) -> None:
    client.create(job())
    slow.faults = [("role", 10 * SECOND)]
    with pytest.raises(ss.InvalidScheduleError, match="would never run"):
        client.update(job(schedule=ss.OneTime(T0 + 4 * SECOND)))
    assert client.get("job").job == job()


def test_a_job_that_passes_while_it_is_resumed_is_refused(slow: Slow, client: ss.SchedulerClient) -> None:
    client.create(job(schedule=ss.OneTime(T0 + MINUTE)))
    client.pause("job")
    slow.faults = [("role", MINUTE)]
    with pytest.raises(ss.InvalidScheduleError, match="would never run"):
        client.resume("job")
    assert stored(slow)["State"] == "DISABLED"


def test_a_paused_rate_is_resumed_on_its_grid_as_of_the_accepted_try(
    slow: Slow, client: ss.SchedulerClient
) -> None:
    client.create(job(schedule=ss.Rate(MINUTE)))
    client.pause("job")
    slow.faults = [("role", 10 * MINUTE)]
    client.resume("job")
    assert stored(slow)["StartDate"] == (T0 + 11 * MINUTE).timestamp()


def test_a_single_run_lies_after_the_try_that_was_accepted(slow: Slow, client: ss.SchedulerClient) -> None:
    client.create(job())
    slow.faults = [("role", 10 * MINUTE)]
    client.run_now("job")
    (name,) = (name for _, name in slow.stub.schedules if name != "job")
    assert stored(slow, name)["ScheduleExpression"] == "at(2030-01-07T00:11:00)"


class Refusing:
    """Stands in front of moto, and refuses a new role three times; each refusal takes 20 seconds."""

    def __init__(self, clock: FakeClock, session: boto3.Session) -> None:
        self.clock, self.left = clock, 3
        session.events.register("before-send.scheduler.CreateSchedule", self.answer)

    def answer(self, **_: Any) -> Any:
        if not self.left:
            return None
        self.left -= 1
        self.clock.advance(20 * SECOND)
        from botocore.awsrequest import AWSResponse

        headers = {"x-amzn-errortype": "ValidationException", "content-type": "application/json"}
        response: Any = AWSResponse("", 400, headers, None)  # type: ignore[arg-type]
        response._content = f'{{"Message": "{REFUSED}"}}'.encode()
        return response


@pytest.mark.parametrize(
    ("schedule", "is_refused"),
    [
        pytest.param(ss.Rate(DAY), False, id="rate"),
        pytest.param(ss.OneTime(T0 + 2 * MINUTE), False, id="still ahead"),
        pytest.param(ss.OneTime(T0 + 56 * SECOND), True, id="passed meanwhile"),
    ],
)
def test_three_refusals_of_a_new_role(
    monkeypatch: pytest.MonkeyPatch, schedule: ss.schedules.Schedule, is_refused: bool
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    clock, given = FakeClock(T0), new_session(region_name="eu-west-1")
    with mock_aws(), ExitStack() as stack:
        refusing = Refusing(clock, given)
        backend = EventBridgeBackend(ROLE, session=given, clock=clock, role_wait=timedelta(seconds=3.1))
        stack.callback(backend.close)
        client = ss.SchedulerClient(backend)
        if is_refused:
            with pytest.raises(ss.InvalidScheduleError, match="would never run"):
                client.create(job(schedule=schedule))
            assert client.list() == []
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                record = client.create(job(schedule=schedule))
            assert record.next_run is not None
            assert record.next_run > clock.now() == T0 + MINUTE
            if isinstance(schedule, ss.Rate):
                assert record.next_run == T0 + MINUTE + DAY
        assert refusing.left == 0


class TestAConflictAtCreation:
    def test_with_a_schedule_of_that_name_is_one_of_jobs(
        self, slow: Slow, client: ss.SchedulerClient
    ) -> None:
        client.create(job())
        with pytest.raises(ss.JobExistsError):
            client.create(job(description="another"))

    def test_with_nothing_of_that_name_keeps_the_words_of_the_service(
        self, slow: Slow, client: ss.SchedulerClient
    ) -> None:
        """Such as a group that is being deleted."""
        slow.faults = [("conflict", SECOND)]
        with pytest.raises(ss.BackendError, match="The resource is being changed") as caught:
            client.create(job())
        assert (caught.value.code, caught.value.retryable) == ("ConflictException", True)
        assert client.create(job()).status is ss.JobStatus.ACTIVE

    def test_in_bulk_too(self, slow: Slow, client: ss.SchedulerClient) -> None:
        slow.faults = [("conflict", SECOND)]
        with pytest.raises(ss.errors.BulkError) as caught:
            client.create_many([job("a"), job("b")])
        (error,) = caught.value.failures.values()
        assert isinstance(error, ss.BackendError)
        assert error.retryable
