"""Jobs that are kept in memory are those of the backend, and only what has changed is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

import stepsched as ss
from stepsched.backends.base import JobQuery
from stepsched.backends.capabilities import Capabilities
from stepsched.jobs import JobRecord
from stepsched.jobs.events import RecordedEvent
from stepsched.testing import FakeClock
from stepsched.watching.stored import StoredJobs
from tests.unit.watching.conftest import NOW, fail, job


class Counting(ss.LocalBackend):
    """Counts how often jobs are read."""

    lists = gets = 0

    def list(self, query: JobQuery) -> Iterator[JobRecord]:
        self.lists += 1
        return super().list(query)

    def get(self, name: str, *, group: str | None = None) -> JobRecord:
        self.gets += 1
        return super().get(name, group=group)


def test_only_jobs_that_have_changed_are_read_again() -> None:
    backend = Counting(clock=FakeClock(NOW))
    client = ss.SchedulerClient(backend)
    client.create_many([job(f"job-{number:03}") for number in range(300)])
    stored = StoredJobs(client.backend, client.iterate)
    assert len(stored.all()) == 300
    stored.all()
    assert (backend.lists, backend.gets) == (1, 0)
    client.pause("job-007")
    assert [each.name for each in stored.all() if each.record.status is ss.JobStatus.PAUSED] == ["job-007"]
    assert (backend.lists, backend.gets) == (1, 1)
    client.pause_many()
    stored.all()
    assert backend.gets == 1


def test_they_are_as_in_a_list_after_every_change(
    client: ss.SchedulerClient, backend: ss.LocalBackend
) -> None:
    stored = StoredJobs(client.backend, client.iterate)
    steps: list[Callable[[], object]] = [
        lambda: client.create(job("b")),
        lambda: client.create(job("a", target=ss.HandlerTarget(fail), retry=ss.Retry(max_attempts=0))),
        lambda: client.create(job("once", schedule=ss.OneTime(NOW + timedelta(hours=1)))),
        lambda: client.update(client.get("b").job.replace(description="new")),
        lambda: client.pause("b", reason="why"),
        lambda: backend.advance(timedelta(days=1)),
        lambda: client.resume("b"),
        lambda: client.run_now("b"),
        lambda: backend.advance(timedelta(hours=1)),
        lambda: client.cancel("a"),
        lambda: client.apply([job("c")], prune=True),
    ]
    for step in steps:
        step()
        assert [each.record for each in stored.all()] == client.list()


def test_a_backend_that_records_no_events_is_read_from_time_to_time() -> None:
    backend = Counting(clock=FakeClock(NOW))
    backend.capabilities = Capabilities(keeps_events=False)
    stored = StoredJobs(backend, ss.SchedulerClient(backend).iterate)
    stored.all()
    stored.all()
    assert backend.lists == 1


class Failing(ss.LocalBackend):
    """Raises an error where it is told to."""

    error: ss.BackendError | None = None

    def get(self, name: str, *, group: str | None = None) -> JobRecord:
        if self.error is not None:
            raise self.error
        return super().get(name, group=group)

    def list(self, query: JobQuery) -> Iterator[JobRecord]:
        if self.error is not None:
            raise self.error
        return super().list(query)


@pytest.mark.parametrize("number", [1, 250], ids=["one job", "all jobs"])
@pytest.mark.parametrize("is_retryable", [True, False])
def test_a_job_that_cannot_be_read_for_a_while_is_not_lost(number: int, is_retryable: bool) -> None:
    backend = Failing(clock=FakeClock(NOW))
    client = ss.SchedulerClient(backend)
    client.create_many([job(f"job-{each}") for each in range(number)])
    stored = StoredJobs(backend, client.iterate)
    stored.all()
    client.pause_many()
    backend.error = ss.BackendError("dynamodb", "GetItem", "Busy", retryable=is_retryable)
    with pytest.raises(ss.BackendError):
        stored.all()
    backend.error = None
    assert {each.record.status for each in stored.all()} == {ss.JobStatus.PAUSED}
    assert len(stored.all()) == number


def test_a_damaged_job_is_left_out_as_in_a_list() -> None:
    backend = Failing(clock=FakeClock(NOW))
    client = ss.SchedulerClient(backend)
    client.create(job("a"))
    stored = StoredJobs(backend, client.iterate)
    stored.all()
    client.pause("a")
    backend.error = ss.BackendError("sqlite", "read job", ss.errors.ErrorCode.UNREADABLE)
    assert stored.all() == []


class Silent(ss.LocalBackend):
    """Records no event, as while a run that is due waits for its turn."""

    def events(self, *, after: int, limit: int = 1_000) -> list[RecordedEvent]:
        return []


def test_a_job_whose_next_run_has_passed_is_read_again_without_an_event() -> None:
    backend = Silent(clock=FakeClock(NOW))
    client = ss.SchedulerClient(backend)
    client.create(job("nightly"))
    stored = StoredJobs(client.backend, client.iterate)
    (before,) = stored.all()
    backend.advance(timedelta(days=1))
    (after,) = stored.all()
    assert after.record.next_run == client.get("nightly").next_run != before.record.next_run


def test_of_some_jobs_only_those_are_kept_whatever_happens_to_others(
    client: ss.SchedulerClient, backend: ss.LocalBackend
) -> None:
    query = JobQuery(name_prefix="a", tags={"team": "x"})
    stored = StoredJobs(backend, lambda: backend.list(query), is_wanted=query.matches)
    client.create_many([job("a1", tags={"team": "x"}), job("a2"), job("b", tags={"team": "x"})])
    assert [each.name for each in stored.all()] == ["a1"]
    client.create(job("a3", tags={"team": "x"}))
    client.update(job("a1"))
    client.pause("b")
    assert [each.name for each in stored.all()] == ["a3"]
