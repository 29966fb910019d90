"""Nothing lost, nothing doubled: whatever goes wrong on the way, repeating a verb leads to what is wanted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

import stepsched as ss
from stepsched.backends.eventbridge import EventBridgeBackend
from stepsched.testing import FakeClock
from tests.parts.scheduler_stub import ACCOUNT, Fault, Request, SchedulerStub
from tests.sessions import new_session_of
from tests.unit.eventbridge.test_backend import ROLE, Impatient, job, session

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
WHOLE = ("throttle", "internal", "unavailable", "reset")
"""Faults after which a repeated verb must converge, be it that the server has acted or not."""


class Place(NamedTuple):
    """A server, a client of it, and the clock of both."""

    stub: SchedulerStub
    client: ss.SchedulerClient
    clock: FakeClock

    def states(self) -> dict[str, tuple[str, bool]]:
        """What is stored: description and whether it fires, by name."""
        return {
            name: (document["Description"].partition(" ")[0], document["State"] == "ENABLED")
            for (_, name), document in self.stub.schedules.items()
        }

    def insist(self, verb: Callable[[ss.SchedulerClient], object], turns: int = 5) -> int:
        """Repeats a verb until it succeeds; how often it was called."""
        for turn in range(1, turns):
            self.clock.advance(timedelta(seconds=3))
            with suppress(ss.StepschedError):
                verb(self.client)
                return turn
        verb(self.client)
        return turns


def opened(
    stub: SchedulerStub, clock: FakeClock, session: boto3.Session, **changes: Any
) -> EventBridgeBackend:
    return EventBridgeBackend(
        ROLE,
        session=session,
        endpoint_url=stub.endpoint_url,
        clock=clock,
        role_wait=timedelta(0),
        **changes,
    )


@pytest.fixture
def place() -> Iterator[Place]:
    clock = FakeClock(T0)
    with SchedulerStub(clock=clock.now) as stub, closing(opened(stub, clock, session())) as backend:
        place = Place(stub, ss.SchedulerClient(backend), clock)
        place.client.create_many([job("a", description="old"), job("b", description="old")])
        clock.advance(timedelta(seconds=3))
        place.client.pause("b")
        clock.advance(timedelta(seconds=3))
        yield place


def gone(client: ss.SchedulerClient) -> None:
    """Cancels, where to find nothing is success: an earlier attempt got through."""
    with suppress(ss.JobNotFoundError):
        client.cancel("a")


class Case(NamedTuple):
    """A verb, and what is stored when it has succeeded."""

    verb: Callable[[ss.SchedulerClient], object]
    operations: tuple[str, ...]
    wanted: dict[str, tuple[str, bool]]


OLD = {"a": ("old", True), "b": ("old", False)}
NEW = job("c", description="new")
CASES = {
    "create": Case(lambda client: client.create(NEW), ("CreateSchedule",), OLD | {"c": ("new", True)}),
    "create in a group": Case(
        lambda client: client.create(NEW.replace(group="fresh")),
        ("CreateSchedule", "GetScheduleGroup", "CreateScheduleGroup"),
        OLD | {"c": ("new", True)},
    ),
    "create_many": Case(
        lambda client: client.create_many([NEW, job("d", description="new")]),
        ("CreateSchedule",),
        OLD | {"c": ("new", True), "d": ("new", True)},
    ),
    "update": Case(
        lambda client: client.update(job("a", description="new")),
        ("GetSchedule", "UpdateSchedule"),
        OLD | {"a": ("new", True)},
    ),
    "pause": Case(
        lambda client: client.pause("a"),
        ("GetSchedule", "UpdateSchedule", "ListScheduleGroups"),
        OLD | {"a": ("old", False)},
    ),
    "resume": Case(
        lambda client: client.resume("b"), ("GetSchedule", "UpdateSchedule"), OLD | {"b": ("old", True)}
    ),
    "cancel": Case(gone, ("GetSchedule", "DeleteSchedule"), {"b": ("old", False)}),
    "apply": Case(
        lambda client: client.apply([job("a", description="new"), NEW], prune=True),
        ("ListSchedules", "GetSchedule", "CreateSchedule", "UpdateSchedule", "DeleteSchedule"),
        {"a": ("new", True), "c": ("new", True)},
    ),
}
BOUNDARIES = [
    pytest.param(name, operation, id=f"{name}-{operation}")
    for name, case in CASES.items()
    for operation in case.operations
]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize(("name", "operation"), BOUNDARIES)
def test_a_verb_that_failed_is_repeated(
    place: Place, name: str, operation: str, kind: str, after: bool
) -> None:
    case = CASES[name]
    place.stub.order(operation, kind, after=after)
    turns = place.insist(case.verb)
    assert place.states() == case.wanted
    assert turns <= 2
    writes = len(place.stub.log)
    case.verb(place.client)
    assert place.states() == case.wanted
    assert not [each for each in place.stub.log[writes:] if each.operation == "UpdateSchedule"]
    assert {record.version for record in place.client.list() if record.job.description == "old"} <= {1}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "operation"), BOUNDARIES)
def test_the_client_of_the_service_repeats_by_itself(name: str, operation: str, after: bool) -> None:
    """As shipped: one lost answer is not even seen, and is not taken for somebody else's work."""
    clock = FakeClock(T0)
    with (
        SchedulerStub(clock=clock.now) as stub,
        closing(opened(stub, clock, session(kind=boto3.Session))) as backend,
    ):
        client = ss.SchedulerClient(backend)
        client.create_many([job("a", description="old"), job("b", description="old")])
        clock.advance(timedelta(seconds=3))
        client.pause("b")
        clock.advance(timedelta(seconds=3))
        stub.order(operation, "reset" if after else "internal", after=after)
        CASES[name].verb(client)
        assert Place(stub, client, clock).states() == CASES[name].wanted


class Act(Exception):  # noqa: N818 -- not an error of ours
    """Stands for a crash in the middle."""


class TestBulk:
    JOBS = tuple(job(f"job-{number:03}", description="new") for number in range(300))
    WANTED = {each.name: ("new", True) for each in JOBS}  # noqa: RUF012 -- a constant

    def test_a_look_that_failed_is_one_failure_of_many(self, place: Place) -> None:
        place.client.create_many(self.JOBS[:5])
        place.clock.advance(timedelta(seconds=3))
        broken = self.JOBS[0].name

        def inject(request: Request) -> Fault | None:
            is_looked_for = (request.operation, request.name) == ("GetSchedule", broken)
            return Fault("internal") if is_looked_for else None

        place.stub.inject = inject
        with pytest.raises(ss.errors.BulkError) as caught:
            place.client.create_many(self.JOBS[:9])
        assert (len(caught.value.failures), caught.value.done) == (1, 8)

    def test_what_failed_is_named(self, place: Place) -> None:
        def inject(request: Request) -> Fault | None:
            return Fault("quota") if request.name.endswith("7") else None

        place.stub.inject = inject
        with pytest.raises(ss.errors.BulkError) as caught:
            place.client.create_many(self.JOBS)
        names = {each.name for each in self.JOBS if each.name.endswith("7")}
        assert caught.value.failures.keys() == names
        assert {
            error.code for error in caught.value.failures.values() if isinstance(error, ss.BackendError)
        } == {"ServiceQuotaExceededException"}
        assert caught.value.done == 270
        assert place.stub.schedules.keys() >= {("default", name) for name in self.WANTED.keys() - names}

    def test_a_crash_in_the_middle_is_resumed(self, place: Place) -> None:
        many = [job(f"many-{number:04}") for number in range(1_200)]

        def crash(done: int, total: int) -> NoReturn:
            raise Act

        with pytest.raises(Act):
            place.client.create_many(many, progress=crash)
        assert 0 < len(place.stub.schedules) < 1_200
        place.clock.advance(timedelta(hours=1))
        told = list[tuple[int, int]]()
        records = place.client.create_many(many, progress=lambda done, total: told.append((done, total)))
        assert [record.job for record in records] == many
        assert len(place.stub.schedules) == 1_202
        assert told == [(1_000, 1_200), (1_200, 1_200)]

    def test_a_stranger_in_between_is_named_and_left_alone(self, place: Place) -> None:
        stranger = dict(place.stub.put("job-010"))
        with pytest.raises(ss.errors.BulkError) as caught:
            place.client.create_many(self.JOBS)
        assert {name: type(error) for name, error in caught.value.failures.items()} == {
            "job-010": ss.JobExistsError
        }
        assert place.stub.schedules["default", "job-010"] == stranger

    @pytest.mark.parametrize(
        "verb",
        [
            pytest.param(lambda client: client.create_many(TestBulk.JOBS), id="create_many"),
            pytest.param(lambda client: client.list(), id="list"),
            pytest.param(
                lambda client: client.apply([each.replace(description="x") for each in TestBulk.JOBS[:60]]),
                id="apply",
            ),
            pytest.param(lambda client: client.apply([job("a")], prune=True), id="prune"),
        ],
    )
    def test_no_more_at_once_than_workers(self, verb: Callable[[ss.SchedulerClient], object]) -> None:
        clock = FakeClock(T0)
        with (
            SchedulerStub(clock=clock.now) as stub,
            closing(opened(stub, clock, session(), workers=4)) as backend,
        ):
            client = ss.SchedulerClient(backend)
            client.create_many(self.JOBS[:60])
            clock.advance(timedelta(seconds=3))
            stub.latency, stub.busiest, threads = 0.002, 0, threading.active_count()
            verb(client)
            assert 2 <= stub.busiest <= 4
            assert threading.active_count() == threads

    def test_nor_where_each_of_many_searches_all_groups(self) -> None:
        clock = FakeClock(T0)
        with (
            SchedulerStub(clock=clock.now) as stub,
            closing(opened(stub, clock, session(), workers=4)) as backend,
        ):
            stub.groups |= {f"group-{number}" for number in range(6)}
            client = ss.SchedulerClient(backend)
            client.create_many(self.JOBS[:20])
            clock.advance(timedelta(seconds=3))
            stub.latency, stub.busiest = 0.01, 0
            backend.each(backend.pause, [each.name for each in self.JOBS[:20]])
            assert stub.busiest <= 4


class TestThroughTheSdk:
    """Faults that the SDK's own events play: what a socket does, and the stub cannot."""

    @pytest.mark.one_in(3)
    @pytest.mark.parametrize("shipped", [True, False], ids=["retries", "no-retries"])
    @pytest.mark.parametrize("error", [ReadTimeoutError, ConnectionClosedError])
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("name", CASES)
    def test_an_answer_that_never_came(
        self, name: str, after: bool, error: type[ReadTimeoutError | ConnectionClosedError], shipped: bool
    ) -> None:
        clock, case, broken = FakeClock(T0), CASES[name], list[str]()
        kind = boto3.Session if shipped else Impatient
        own = new_session_of(
            kind, region_name="eu-west-1", aws_access_key_id=ACCOUNT, aws_secret_access_key="none"
        )

        def before_send(request: Any, event_name: str, **_: Any) -> None:
            if broken and broken[0] == event_name.rpartition(".")[2]:
                broken.clear()
                if after:
                    perform(request)
                raise error(endpoint_url=request.url)

        own.events.register("before-send.scheduler.*", before_send)
        with SchedulerStub(clock=clock.now) as stub, closing(opened(stub, clock, own)) as backend:
            place = Place(stub, ss.SchedulerClient(backend), clock)
            place.client.create_many([job("a", description="old"), job("b", description="old")])
            clock.advance(timedelta(seconds=3))
            place.client.pause("b")
            for operation in case.operations:
                broken[:] = [operation]
                turns = place.insist(case.verb)
                assert turns == 1 if shipped else turns <= 2
                assert place.states() == case.wanted


def perform(request: Any) -> None:
    """Sends a prepared request and throws the answer away."""
    place = urlsplit(request.url)
    path = place.path + (f"?{place.query}" if place.query else "")
    body = request.body or b""
    head = f"{request.method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((str(place.hostname), place.port or 0), timeout=5) as connection:
        connection.sendall(head.encode() + body)
        assert connection.recv(12).startswith(b"HTTP/1.1")


def test_a_few_throttles_are_not_even_seen() -> None:
    """As shipped; how a whole storm goes is proved elsewhere, for the client slows down on purpose."""
    clock = FakeClock(T0)
    with (
        SchedulerStub(clock=clock.now) as stub,
        closing(opened(stub, clock, session(kind=boto3.Session), workers=8)) as backend,
    ):
        stub.order("CreateSchedule", "throttle", times=2)
        jobs = [job(f"job-{number:02}") for number in range(6)]
        records = ss.SchedulerClient(backend).create_many(jobs)
        assert [record.job for record in records] == jobs
        assert (len(stub.schedules), stub.count("CreateSchedule")) == (6, 8)
