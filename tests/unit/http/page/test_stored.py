"""Jobs that are kept in memory are those of the backend, and only what has changed is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import stepsched as ss
from stepsched.backends.base import JobQuery
from stepsched.backends.capabilities import Capabilities
from stepsched.http.page.stored import StoredJobs
from stepsched.jobs import JobRecord
from stepsched.jobs.events import RecordedEvent
from stepsched.testing import FakeClock
from tests.unit.http.page.conftest import NOW, fail, job


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
    stored = StoredJobs(client)
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
    stored = StoredJobs(client)
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
    stored = StoredJobs(ss.SchedulerClient(backend))
    stored.all()
    stored.all()
    assert backend.lists == 1


class Silent(ss.LocalBackend):
    """Records no event, as while a run that is due waits for its turn."""

    def events(self, *, after: int, limit: int = 1_000) -> list[RecordedEvent]:
        return []


def test_a_job_whose_next_run_has_passed_is_read_again_without_an_event() -> None:
    backend = Silent(clock=FakeClock(NOW))
    client = ss.SchedulerClient(backend)
    client.create(job("nightly"))
    stored = StoredJobs(client)
    (before,) = stored.all()
    backend.advance(timedelta(days=1))
    (after,) = stored.all()
    assert after.record.next_run == client.get("nightly").next_run != before.record.next_run
