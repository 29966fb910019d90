"""The embedded backend keeps the contract, in memory and in a file, and what only a file can promise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from stepsched.testing.contract import *
from stepsched.testing.contract.fixtures import MONDAY, Calls, MakeJob

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NINE = MONDAY + 9 * HOUR


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path) -> Iterator[ss.LocalBackend]:
    path = tmp_path / "jobs.db" if request.param == "sqlite" else None
    backend = ss.LocalBackend(path, clock=clock)
    yield backend
    backend.close()


def test_a_function_that_no_name_leads_to_is_refused(client: ss.SchedulerClient, job: MakeJob) -> None:
    with pytest.raises(ss.UnsupportedError, match="nowhere"):
        client.create_many([job("a"), job("b", target=ss.HandlerTarget("nowhere:f"))])
    assert client.list() == []


def test_runs_of_an_unknown_name_are_none(client: ss.SchedulerClient) -> None:
    with pytest.raises(ss.JobNotFoundError, match="'nobody'"):
        client.runs("nobody")


def test_a_one_time_job_that_passed_while_paused_ends_on_resume(
    client: ss.SchedulerClient, backend: ss.LocalBackend, job: MakeJob, calls: Calls
) -> None:
    client.create(job(schedule=ss.OneTime(NINE)))
    client.pause("job")
    backend.run_until(MONDAY + DAY)
    record = client.resume("job")
    assert (record.status, record.next_run) == (ss.JobStatus.ENDED, None)
    assert calls == []


def test_a_verb_that_changes_nothing_gives_the_very_record(client: ss.SchedulerClient, job: MakeJob) -> None:
    first = client.create(job())
    assert client.get("job") == first == client.create(job()) == client.update(job()) == client.resume("job")
    assert client.create_many([job(), job("b")])[0] == first


def test_two_plays_are_alike(tmp_path: Path, job: MakeJob, calls: Calls) -> None:
    histories = []
    for _ in range(2):
        calls.clear()
        backend = ss.LocalBackend(clock=FakeClock(MONDAY))
        client = ss.SchedulerClient(backend)
        for number in range(5):
            spread = job(f"job-{number}", schedule=ss.Rate(HOUR), jitter=timedelta(minutes=50))
            client.create(spread)
        backend.run_until(MONDAY + DAY)
        histories.append((list(calls), [run.started_at for run in client.runs()]))
        backend.close()
    assert histories[0] == histories[1]


class TestDowntime:
    """What came due while no process was there."""

    def reopened(self, path: Path, job: ss.Job, until: datetime) -> list[ss.Run]:
        first = ss.LocalBackend(path, clock=FakeClock(MONDAY))
        ss.SchedulerClient(first).create(job)
        first.close()
        second = ss.LocalBackend(path, clock=FakeClock(until))
        second.run_until(until)
        runs = ss.SchedulerClient(second).runs(job.name)
        second.close()
        return runs

    def test_all_of_it_runs_by_default(self, tmp_path: Path, job: MakeJob, calls: Calls) -> None:
        runs = self.reopened(tmp_path / "jobs.db", job(), MONDAY + 3 * DAY)
        assert [run.status.value for run in runs] == ["succeeded"] * 3
        assert [at for _, at in calls] == [NINE, NINE + DAY, NINE + 2 * DAY]

    def test_or_only_the_latest(self, tmp_path: Path, job: MakeJob, calls: Calls) -> None:
        runs = self.reopened(tmp_path / "jobs.db", job(catch_up=ss.CatchUp.ONE), MONDAY + 3 * DAY)
        assert [run.status.value for run in runs] == ["missed", "missed", "succeeded"]
        assert [at for _, at in calls] == [NINE + 2 * DAY]

    def test_or_none(self, tmp_path: Path, job: MakeJob, calls: Calls) -> None:
        runs = self.reopened(tmp_path / "jobs.db", job(catch_up=ss.CatchUp.SKIP), MONDAY + 3 * DAY)
        assert [run.status.value for run in runs] == ["missed"] * 3
        assert calls == []

    def test_a_long_one_is_caught_up_in_portions(self, tmp_path: Path, job: MakeJob, calls: Calls) -> None:
        often = job(schedule=ss.Rate(timedelta(minutes=1)), catch_up=ss.CatchUp.ONE)
        runs = self.reopened(tmp_path / "jobs.db", often, MONDAY + 2 * DAY)
        assert len(runs) == 2 * 24 * 60 + 1
        assert [at for _, at in calls] == [MONDAY + 2 * DAY - timedelta(minutes=1), MONDAY + 2 * DAY]

    def test_a_missed_one_time_job_ends(self, tmp_path: Path, job: MakeJob, calls: Calls) -> None:
        missed = job(schedule=ss.OneTime(NINE), catch_up=ss.CatchUp.SKIP)
        (run,) = self.reopened(tmp_path / "jobs.db", missed, MONDAY + DAY)
        assert run.status is ss.RunStatus.MISSED


def test_history_survives_the_process(tmp_path: Path, job: MakeJob, calls: Calls) -> None:
    path = tmp_path / "jobs.db"
    with ss.LocalBackend(path, clock=FakeClock(MONDAY)) as backend:
        ss.SchedulerClient(backend).create(job())
        backend.run_until(NINE)
        before = ss.SchedulerClient(backend).runs("job")
    again = ss.LocalBackend(path, clock=FakeClock(NINE))
    client = ss.SchedulerClient(again)
    assert client.runs("job") == before
    assert client.get("job").last_run == before[-1]
    again.close()
