"""The client's own part: what it refuses, and what it does not let through to a backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.backends.base import Prepared
from stepsched.testing import FakeClock

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
Verb = Callable[[ss.SchedulerClient], object]


def job(name: str = "job", **changes: object) -> ss.Job:
    schedule = ss.Rate(HOUR, start=T0)
    target = ss.HandlerTarget("builtins:print")
    return ss.Job(name=name, schedule=schedule, target=target).replace(**changes)


@pytest.fixture(params=["memory", "file"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ss.SchedulerClient]:
    path = tmp_path / "jobs.db" if request.param == "file" else None
    backend = ss.LocalBackend(path, clock=FakeClock(T0))
    yield ss.SchedulerClient(backend)
    backend.close()


def wrong(value: object) -> Any:
    """A value of a kind that the signature does not take."""
    return value


class TestAliasing:
    """What a caller does to a record stays with the caller."""

    @pytest.mark.parametrize("target", ["builtins:print", lambda: None], ids=["named", "nameless"])
    def test_a_changed_record_changes_nothing_stored(self, target: str | Callable[[], None]) -> None:
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        mine = job(input={"deep": [1]}, tags={"team": "a"}, target=ss.HandlerTarget(target))
        given = client.create(mine)
        for record in (given, client.get("job"), client.list()[0], client.create(mine)):
            assert isinstance(record.job.input, dict)
            record.job.input["deep"] = "changed"
            record.job.tags["team"] = "changed"
        stored = client.get("job").job
        assert (stored.input, stored.tags) == ({"deep": [1]}, {"team": "a"})
        backend.close()

    @pytest.mark.parametrize("target", ["builtins:print", lambda: None], ids=["named", "nameless"])
    def test_a_change_made_in_place_is_no_lost_update(self, target: str | Callable[[], None]) -> None:
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        client.create(job(input={"n": 1}, target=ss.HandlerTarget(target)))
        found = client.get("job").job
        assert isinstance(found.input, dict)
        found.input["n"] = 2
        record = client.update(found)
        assert (record.version, client.get("job").job.input) == (2, {"n": 2})
        backend.close()


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), (1, 1.0), ([{"a": 1}], [{"a": True}])],
    ids=["one and true", "zero and false", "whole and fraction", "deep inside"],
)
def test_values_that_python_takes_for_equal_and_json_does_not_are_a_change(
    client: ss.SchedulerClient, one: object, other: object
) -> None:
    client.create(job(input=one))
    with pytest.raises(ss.JobExistsError):
        client.create(job(input=other))
    assert len(client.plan([job(input=other)]).update) == 1
    assert client.update(job(input=other)).version == 2
    assert repr(client.get("job").job.input) == repr(other)


class Special(ss.Job, frozen=True):
    """A job of somebody's own."""

    owner: str = "me"


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(lambda client, job: client.create(job), id="create"),
        pytest.param(lambda client, job: client.create_many([job]), id="create_many"),
        pytest.param(lambda client, job: client.update(job), id="update"),
        pytest.param(lambda client, job: client.plan([job]), id="plan"),
        pytest.param(lambda client, job: client.apply([job]), id="apply"),
        pytest.param(lambda client, job: client.apply(ss.jobs.Plan(create=(job,))), id="apply a plan"),
    ],
)
def test_a_subclass_of_job_is_refused_since_it_would_not_come_back_as_itself(
    client: ss.SchedulerClient, verb: Callable[[ss.SchedulerClient, ss.Job], object]
) -> None:
    plain = job()
    special = Special(name="job", schedule=plain.schedule, target=plain.target)
    with pytest.raises(TypeError, match="expected a Job, got Special"):
        verb(client, special)
    assert client.list() == []


NAMED: dict[str, Callable[[ss.SchedulerClient, Any], object]] = {
    "get": lambda client, name: client.get(name),
    "versions": lambda client, name: client.versions(name),
    "pause": lambda client, name: client.pause(name),
    "resume": lambda client, name: client.resume(name),
    "cancel": lambda client, name: client.cancel(name),
    "run_now": lambda client, name: client.run_now(name),
    "backfill": lambda client, name: client.backfill(name, since=T0, until=T0),
}


class TestNames:
    @pytest.mark.parametrize("verb", NAMED.values(), ids=NAMED)
    @pytest.mark.parametrize("name", [None, 5, b"job", ["job"], {}, object], ids=repr)
    def test_what_is_no_text_is_a_type_error(
        self, client: ss.SchedulerClient, verb: Callable[[ss.SchedulerClient, Any], object], name: object
    ) -> None:
        with pytest.raises(TypeError, match="expected the name of a job, got"):
            verb(client, name)

    @pytest.mark.parametrize("verb", [*NAMED.values(), lambda c, n: c.runs(n)], ids=[*NAMED, "runs"])
    @pytest.mark.parametrize(
        "name", ["", "nobody", "a b", "\ud800", "\0", "x" * 65, "jоb", "'; --"], ids=ascii
    )
    def test_what_no_job_is_called_is_not_found(
        self, client: ss.SchedulerClient, verb: Callable[[ss.SchedulerClient, Any], object], name: str
    ) -> None:
        client.create(job())
        with pytest.raises(ss.JobNotFoundError, match="returns the existing jobs"):
            verb(client, name)

    def test_a_job_is_no_name(self, client: ss.SchedulerClient) -> None:
        with pytest.raises(TypeError, match="expected the name of a job"):
            client.runs(wrong(job()))


@pytest.mark.parametrize(
    ("verb", "kind", "cure"),
    [
        pytest.param(lambda c: c.create(wrong("job")), TypeError, "expected a Job, got str", id="create"),
        pytest.param(lambda c: c.create(wrong(None)), TypeError, "got NoneType", id="create none"),
        pytest.param(lambda c: c.create_many(wrong(["a"])), TypeError, "expected a Job", id="create_many"),
        pytest.param(lambda c: c.create_many(wrong(5)), TypeError, "int", id="create_many of a number"),
        pytest.param(lambda c: c.update(wrong({"name": "a"})), TypeError, "expected a Job", id="update"),
        pytest.param(lambda c: c.plan(wrong([None])), TypeError, "expected a Job", id="plan"),
        pytest.param(lambda c: c.apply(wrong(["a"])), TypeError, "expected a Job", id="apply"),
        pytest.param(lambda c: c.list(status="asleep"), ValueError, "asleep", id="list"),
        pytest.param(lambda c: c.list(status=wrong(5)), ValueError, "5", id="list of a number"),
        pytest.param(lambda c: c.runs(status="asleep"), ValueError, "asleep", id="runs"),
        pytest.param(
            lambda c: c.runs(limit=-1),
            ValueError,
            "expected a whole number of at least 0 for limit",
            id="limit",
        ),
        pytest.param(
            lambda c: c.runs(limit=2**63),
            ValueError,
            "expected a whole number .* for limit",
            id="limit beyond 64 bits",
        ),
        pytest.param(
            lambda c: c.runs(limit=wrong("5")),
            ValueError,
            "expected a whole number .* for limit",
            id="limit as text",
        ),
        pytest.param(
            lambda c: c.runs(since=wrong("2030-01-01")), TypeError, "aware datetime", id="since text"
        ),
        pytest.param(
            lambda c: c.runs(until=datetime(2030, 1, 1)), ValueError, "add a zone", id="until naive"
        ),
        pytest.param(lambda c: c.redrive(wrong(5)), TypeError, "one of dead_letters", id="redrive"),
        pytest.param(
            lambda c: c.backfill("job", since=wrong(5), until=T0),
            TypeError,
            "datetime for since",
            id="backfill",
        ),
        pytest.param(
            lambda c: c.backfill("job", since=T0, until=T0 - HOUR),
            ValueError,
            "expected until at or after since",
            id="turned",
        ),
    ],
)
def test_a_wrong_argument_is_refused_with_the_cure(
    client: ss.SchedulerClient, verb: Verb, kind: type[Exception], cure: str
) -> None:
    with pytest.raises(kind, match=cure) as caught:
        verb(client)
    assert type(caught.value).__module__ in ("builtins", "stepsched.core.errors")


@pytest.mark.parametrize(
    ("backend", "cure"),
    [
        pytest.param("jobs.db", r"LocalBackend\('jobs.db'\)", id="path"),
        pytest.param("arn:aws:iam::123456789012:role/r", r"EventBridgeBackend\('arn:", id="role"),
        pytest.param(5, r"LocalBackend\(\), got 5", id="number"),
        pytest.param(ss.LocalBackend, r"LocalBackend\(\), got", id="class"),
    ],
)
def test_what_is_no_backend_is_refused(backend: object, cure: str) -> None:
    with pytest.raises(TypeError, match=f"expected a backend, such as {cure}"):
        ss.SchedulerClient(wrong(backend))


def test_a_client_without_backend_keeps_its_jobs_in_memory() -> None:
    client = ss.SchedulerClient()
    assert isinstance(client.backend, ss.LocalBackend)
    client.create(job(schedule=ss.Cron("0 9 * * ? *")))
    assert ss.SchedulerClient().list() == []
    client.backend.close()


class TestBackfill:
    def test_more_than_ten_thousand_runs_are_refused_and_none_recorded(
        self, client: ss.SchedulerClient
    ) -> None:
        client.create(job(schedule=ss.Rate(timedelta(minutes=1), start=T0 - timedelta(days=30))))
        last = T0 - timedelta(minutes=1)
        with pytest.raises(ValueError, match=r"more than 10,000 runs; backfill a shorter range"):
            client.backfill("job", since=last - 10_000 * timedelta(minutes=1), until=last)
        assert client.runs() == []


def test_a_plan_knows_already_what_it_prunes(client: ss.SchedulerClient) -> None:
    client.create(job("stored"))
    plan = client.plan([job()])
    with pytest.raises(ValueError, match="expected no prune with a plan"):
        client.apply(plan, prune=True)
    assert [record.name for record in client.list()] == ["stored"]


def test_an_empty_plan_changes_nothing_and_says_so(client: ss.SchedulerClient) -> None:
    client.create(job())
    told = list[tuple[int, int]]()
    assert client.apply([job()], progress=lambda done, of: told.append((done, of))).is_empty
    assert told == []
    assert client.get("job").version == 1


def test_a_plan_with_a_job_that_is_refused_changes_nothing(client: ss.SchedulerClient) -> None:
    """It may have been made elsewhere, or long ago."""
    elsewhere = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(T0 - 2 * HOUR)))
    for each in (client, elsewhere):
        each.create(job("b"))
    over = job("b", schedule=ss.OneTime(T0 - HOUR))
    plan = elsewhere.plan([job("a"), over])
    assert ([each.name for each in plan.create], [each.name for each in plan.update]) == (["a"], ["b"])
    with pytest.raises(ss.InvalidScheduleError, match="would never run"):
        client.apply(plan)
    assert client.list() == [client.get("b")]


class Meddled(ss.LocalBackend):
    """Somebody else always writes first, and what is stored differs in the backend's own settings."""

    current = True
    ensured = 0

    def update(self, prepared: Prepared, *, expected_version: int) -> ss.JobRecord:
        super().update(prepared, expected_version=expected_version)
        raise ss.ConflictError(prepared.job.name, expected_version)

    def find(self, jobs: Sequence[ss.Job]) -> list[ss.JobRecord | None]:
        found = super().find(jobs)
        return [each and each.replace(current=self.current) for each in found]

    def ensure(self, record: ss.JobRecord) -> ss.JobRecord:
        self.ensured += 1
        return super().ensure(record)


def test_a_conflict_with_a_writer_who_wanted_the_same_is_none_where_nothing_else_is_left_to_do() -> None:
    backend = Meddled(clock=FakeClock(T0))
    client = ss.SchedulerClient(backend)
    client.create(job())
    assert client.update(job(input=1)).job.input == 1
    assert backend.ensured == 1
    backend.current = False
    with pytest.raises(ss.ConflictError):
        client.update(job(input=2))


def test_a_repeated_call_asks_the_backend_to_make_good_what_an_earlier_one_has_left() -> None:
    backend = Meddled(clock=FakeClock(T0))
    client = ss.SchedulerClient(backend)
    client.create(job())
    verbs: list[Callable[[], object]] = [
        lambda: client.create(job()),
        lambda: client.update(job()),
        lambda: client.create_many([job()]),
    ]
    for number, verb in enumerate(verbs, 1):
        verb()
        assert backend.ensured == number


def test_a_job_that_has_ended_and_is_wanted_as_it_is_changes_nothing() -> None:
    """What has been applied can be applied again, however long ago its end is."""
    clock = FakeClock(T0)
    client = ss.SchedulerClient(ss.LocalBackend(clock=clock))
    short = job(schedule=ss.Rate(HOUR, start=T0, end=T0 + HOUR))
    client.create(short)
    clock.advance(timedelta(days=1))
    assert client.plan([short], prune=True).unchanged == ("job",)
    assert client.apply([short]).is_empty
    for wanted in (short.replace(description="new"), short.replace(name="other")):
        with pytest.raises(ss.InvalidScheduleError, match="would never run"):
            client.plan([wanted])
    client.backend.close()
