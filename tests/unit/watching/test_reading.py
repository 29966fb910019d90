"""A watch sees what the backend has, and reads no more than it must."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.backends.base import JobQuery, RunQuery
from stepsched.backends.capabilities import BUILT_IN, Capabilities
from stepsched.core.clock import SystemClock
from stepsched.jobs import JobRecord, Run
from stepsched.testing import FakeClock
from stepsched.watching.reading import MOST, Reader
from tests.unit.watching.conftest import NOW, fail, job

DAY = timedelta(days=1)


class Counting(ss.LocalBackend):
    """Counts how often jobs and runs are read."""

    lists = gets = queries = 0

    def list(self, query: JobQuery) -> Iterator[JobRecord]:
        self.lists += 1
        return super().list(query)

    def get(self, name: str, *, group: str | None = None) -> JobRecord:
        self.gets += 1
        return super().get(name, group=group)

    def runs(self, query: RunQuery) -> Iterator[Run]:
        self.queries += 1
        assert query.limit is not None
        return super().runs(query)


def reader_of(backend: ss.backends.Backend, query: JobQuery = JobQuery()) -> Reader:  # noqa: B008 -- a value
    is_all = query == JobQuery()
    return Reader(backend, lambda: backend.list(query), None if is_all else query.matches)


def test_while_nothing_happens_neither_jobs_nor_runs_are_read_again() -> None:
    with closing(Counting(clock=FakeClock(NOW))) as backend:
        client = ss.SchedulerClient(backend)
        client.create_many(job(f"job-{number:05}") for number in range(300))
        reader = reader_of(backend)
        first = reader.read()
        before = (backend.lists, backend.gets, backend.queries)
        assert before[:2] == (1, 0)
        for _ in range(5):
            assert reader.read()._replace(age=first.age) == first
        assert (backend.lists, backend.gets, backend.queries) == before
        client.pause("job-00007")
        assert reader.read().counts == {"active": 299, "paused": 1, "failing": 0}
        assert (backend.lists, backend.gets) == (1, 1)


def test_it_sees_what_a_person_wants_to_know(client: ss.SchedulerClient, backend: ss.LocalBackend) -> None:
    reader = reader_of(backend)
    client.create_many([job("good"), job("bad", target=ss.HandlerTarget(fail)), job("paused", enabled=False)])
    seen = reader.read()
    assert [record.name for record in seen.upcoming] == ["bad", "good"]
    assert seen.counts == {"active": 2, "paused": 1, "failing": 0}
    waiting = client.run_now("good")
    assert reader.read().waiting == [waiting]
    assert reader.read().is_served is False
    backend.advance(DAY)
    seen = reader.read()
    assert [(run.job, run.error) for run in seen.troubled] == [("bad", "ValueError: the disk is full")]
    assert seen.counts["failing"] == 1
    assert (list(seen.running), list(seen.waiting)) == ([], [])
    assert {run.job for run in seen.latest.values()} == {"good", "bad"}


def test_a_run_in_progress_is_seen_by_its_own_handler(backend: ss.LocalBackend) -> None:
    client, reader, heard = ss.SchedulerClient(backend), reader_of(backend), list[Run]()
    client.create(job("self", target=ss.HandlerTarget(lambda: heard.extend(reader.read().running))))
    backend.advance(DAY)
    assert [(run.job, run.status.value) for run in heard] == [("self", "running")]


def test_a_failure_stays_when_many_runs_have_followed(
    client: ss.SchedulerClient, backend: ss.LocalBackend
) -> None:
    once = job("once", schedule=ss.OneTime(NOW + timedelta(minutes=1)), target=ss.HandlerTarget(fail))
    client.create_many([once, once.replace(name="deleted", completion=ss.Completion.DELETE)])
    client.create(job("often", schedule=ss.Rate(timedelta(minutes=1))))
    client.create(job("skipped"))
    client.run_now("skipped")
    client.cancel("skipped")  # with the run that has not started
    reader = reader_of(backend)
    reader.read()
    for _ in range(2):
        backend.advance(timedelta(hours=2))
        assert [run.job for run in reader.read().troubled] == ["deleted", "once", "skipped"]


def test_no_job_hides_the_failures_of_the_others(
    client: ss.SchedulerClient, backend: ss.LocalBackend
) -> None:
    failing = ss.HandlerTarget(fail)
    client.create(job("seldom", target=failing))
    client.create(job("often", schedule=ss.Rate(timedelta(minutes=1)), target=failing))
    backend.advance(timedelta(hours=6))  # the other fails more often than runs are read
    assert [run.job for run in reader_of(backend).read().troubled] == ["often", "seldom"]
    client.create_many(job(f"more-{number:02}", target=failing) for number in range(3 * MOST))
    backend.advance(DAY)
    assert len(reader_of(backend).read().troubled) == MOST


def test_of_some_jobs_only_their_runs_are_seen(client: ss.SchedulerClient, backend: ss.LocalBackend) -> None:
    client.create_many([job("a", tags={"team": "x"}), job("b", target=ss.HandlerTarget(fail))])
    backend.advance(DAY)
    seen = reader_of(backend, JobQuery(tags={"team": "x"})).read()
    assert [record.name for record in seen.upcoming] == ["a"]
    assert {run.job for run in seen.latest.values()} == {"a"}
    assert seen.troubled == []


def test_a_redriven_run_is_no_failure_any_more(client: ss.SchedulerClient, backend: ss.LocalBackend) -> None:
    client.create(job("bad", target=ss.HandlerTarget(fail)))
    backend.advance(DAY)
    reader = reader_of(backend)
    (failed,) = reader.read().troubled
    client.redrive(failed)
    seen = reader.read()
    assert [run.id for run in seen.waiting] == [failed.id]
    assert seen.troubled == []


def test_a_backend_that_records_no_events_is_not_asked_in_whole_each_second() -> None:
    with closing(Counting(clock=FakeClock(NOW))) as backend:
        backend.capabilities = Capabilities(keeps_events=False)
        ss.SchedulerClient(backend).create(job("a"))
        reader = reader_of(backend)
        reader.read()
        queries = backend.queries
        for _ in range(20):
            reader.read()
        assert backend.lists == 1
        assert backend.queries < 20 * queries


def test_a_backend_that_keeps_no_runs_is_asked_for_none() -> None:
    with closing(Counting(clock=FakeClock(NOW))) as backend:
        backend.capabilities = BUILT_IN["EventBridgeBackend"]
        ss.SchedulerClient(backend).create(job("a"))
        seen = reader_of(backend).read()
    assert backend.queries == 0
    assert seen.without_runs == "this backend keeps no record of runs"
    assert [record.name for record in seen.upcoming] == ["a"]


class Failing(ss.LocalBackend):
    """Cannot read runs while it is told so."""

    is_failing = False

    def runs(self, query: RunQuery) -> Iterator[Run]:
        if self.is_failing:
            raise ss.BackendError("dynamodb", "Query", "Busy", retryable=True)
        return super().runs(query)


def test_what_happens_in_an_outage_is_seen_after_it() -> None:
    with closing(Failing(clock=FakeClock(NOW))) as backend:
        client, reader = ss.SchedulerClient(backend), reader_of(backend)
        client.create(job("a"))
        reader.read()
        client.run_now("a")
        backend.is_failing = True
        with pytest.raises(ss.BackendError):
            reader.read()
        backend.is_failing = False
        assert [run.job for run in reader.read().waiting] == ["a"]


@pytest.mark.parametrize("keeps_runs", [True, False])
def test_it_says_how_old_the_jobs_of_a_service_are(keeps_runs: bool) -> None:
    with closing(Counting(clock=FakeClock(NOW))) as backend:
        backend.capabilities = Capabilities(keeps_events=False, keeps_runs=keeps_runs)
        ss.SchedulerClient(backend).create(job("a"))
        clock, reader = SystemClock(), reader_of(backend)
        begun = clock.monotonic()
        first = reader.read()
        last = reader.read()
        elapsed = timedelta(seconds=clock.monotonic() - begun)
    assert backend.lists == 1
    assert timedelta(0) < first.age < last.age < elapsed


class Unindexed(ss.LocalBackend):
    """Does not list the runs of all jobs, like a table without its index."""

    def runs(self, query: RunQuery) -> Iterator[Run]:
        raise ss.UnsupportedError("*", self.name, "it has no index")


def test_a_backend_that_cannot_list_runs_says_why() -> None:
    with closing(Unindexed(clock=FakeClock(NOW))) as backend:
        assert reader_of(backend).read().without_runs == "it has no index"
