"""A job that cannot be read says why, and is not to be deleted if another version can read it."""

from __future__ import annotations

import gc
import json
import sqlite3
import weakref
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss
from stepsched.testing import FakeClock

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
UPGRADE = "a later version of stepsched has probably written it; upgrade stepsched"
OTHER = "another version of stepsched has probably written it; use that version"
DAMAGED = "it is damaged; restore the file from a copy; cancel('job') removes it"


def job(name: str = "job", **changes: Any) -> ss.Job:
    given: dict[str, Any] = {"schedule": ss.Cron("0 9 * * ? *"), "target": ss.HandlerTarget("builtins:print")}
    return ss.Job(name=name, **(given | changes))


def written(changes: dict[str, object]) -> str:
    return json.dumps(json.loads(job(group="g").model_dump_json(exclude_unset=True)) | changes)


def stored(path: Path, document: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        assert db.execute("UPDATE jobs SET document = ? WHERE name = 'job'", (document,)).rowcount == 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    backend = ss.LocalBackend(path, clock=FakeClock(T0))
    client = ss.SchedulerClient(backend)
    client.create(job(group="g"))
    client.create(job("other"))
    backend.close()
    return path


@pytest.fixture
def client(path: Path) -> Any:
    backend = ss.LocalBackend(path, clock=FakeClock(T0))
    yield ss.SchedulerClient(backend)
    backend.close()


NEWER = [
    pytest.param(written({"priority": 3}), "Job has no field priority", UPGRADE, id="field"),
    pytest.param(
        written({"retry": {"max_attempts": 1, "x": 2}}), "has no field x", UPGRADE, id="inner field"
    ),
    pytest.param(written({"target": {"kind": "carrier_pigeon"}}), "'carrier_pigeon'", UPGRADE, id="target"),
    pytest.param(written({"schedule": {"kind": "solar"}}), "'solar'", UPGRADE, id="schedule"),
    pytest.param(written({"overlap": "replace"}), "'allow', 'skip' or 'queue'", UPGRADE, id="word"),
    pytest.param(written({"description": "x" * 600}), "at most 512", OTHER, id="limit"),
    pytest.param(
        written({"target": {"kind": "handler", "handler": "m:<lambda>"}}), "'m:<lambda>'", OTHER, id="handler"
    ),
    pytest.param(
        written(
            {"schedule": {"kind": "cron", "expression": "cron(0 9 * * ? *)", "timezone": "Mars/Olympus"}}
        ),
        "'Mars/Olympus' is not an IANA time zone",
        "use a newer time zone database, such as that of pip install -U tzdata",
        id="zone",
    ),
]
BROKEN = [
    pytest.param("{", "Invalid JSON", DAMAGED, id="half"),
    pytest.param("", "Invalid JSON", DAMAGED, id="empty"),
    pytest.param("17", "should be an object", DAMAGED, id="number"),
    pytest.param("{}", "schedule: Field required", DAMAGED, id="nothing"),
]


class TestDefinition:
    @pytest.mark.parametrize(("document", "reason", "remedy"), NEWER + BROKEN)
    def test_the_error_says_why_and_what_to_do(
        self, path: Path, client: ss.SchedulerClient, document: str, reason: str, remedy: str
    ) -> None:
        stored(path, document)
        with pytest.raises(ss.BackendError, match="the definition of job 'job' cannot be read") as caught:
            client.get("job")
        assert caught.value.code == ss.errors.ErrorCode.UNREADABLE
        assert reason in str(caught.value)
        assert remedy in str(caught.value)
        assert ("cancel" in str(caught.value)) is (remedy == DAMAGED)

    @pytest.mark.parametrize("group", [None, "g"])
    @pytest.mark.parametrize(("document", "reason", "remedy"), NEWER + BROKEN)
    def test_it_can_be_cancelled_with_and_without_its_group(
        self,
        path: Path,
        client: ss.SchedulerClient,
        document: str,
        reason: str,
        remedy: str,
        group: str | None,
    ) -> None:
        stored(path, document)
        with pytest.raises(ss.BackendError, match="was cancelled and removed, although it cannot be read"):
            client.cancel("job", group=group)
        with pytest.raises(ss.JobNotFoundError):
            client.get("job")
        assert client.get("other").name == "other"

    def test_it_is_not_cancelled_in_a_group_that_it_does_not_have(
        self, path: Path, client: ss.SchedulerClient
    ) -> None:
        stored(path, written({"priority": 3}))
        with pytest.raises(ss.JobNotFoundError):
            client.cancel("job", group="other")
        with pytest.raises(ss.BackendError, match="cannot be read"):
            client.get("job", group="g")

    def test_an_earlier_definition_that_cannot_be_read_does_not_condemn_the_job(
        self, path: Path, client: ss.SchedulerClient
    ) -> None:
        client.update(job(group="g", input=1))
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE job_versions SET document = '{'")
        with pytest.raises(ss.BackendError, match="the definition of version 1 of job 'job'") as caught:
            client.versions("job")
        assert "cancel" not in str(caught.value)
        assert client.get("job").job.input == 1


class TestFunctionsInMemory:
    """Functions without a name live in memory only, where every verb has them."""

    def test_versions_have_the_functions_of_their_time(self) -> None:
        client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(T0)))
        first, second = job(target=ss.HandlerTarget(lambda: 1)), job(target=ss.HandlerTarget(lambda: 2))
        client.create(first)
        client.update(second)
        client.update(job())
        client.update(first.replace(description="again"))
        assert [(each.version, each.job) for each in client.versions("job")] == [
            (1, first),
            (2, second),
            (3, job()),
        ]
        assert client.get("job").job == first.replace(description="again")

    def test_several_functions_in_one_target_are_kept(self) -> None:
        client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(T0)))
        both = job(target=ss.ParallelTarget([ss.HandlerTarget(lambda: 1), ss.HandlerTarget(lambda: 2)]))
        client.create(both)
        client.update(job())
        assert [each.job for each in client.versions("job")] == [both]

    def test_a_job_of_the_same_name_has_none_of_them(self) -> None:
        client = ss.SchedulerClient(ss.LocalBackend(clock=FakeClock(T0)))
        client.create(job(target=ss.HandlerTarget(lambda: 1)))
        client.update(job(target=ss.HandlerTarget(lambda: 2)))
        client.cancel("job")
        client.create(job())
        assert client.versions("job") == []
        client.update(job(input=1))
        assert [each.job for each in client.versions("job")] == [job()]

    def test_those_of_one_time_jobs_that_are_over_are_given_up(self) -> None:
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        calls, alive = list[int](), list[weakref.ref[Any]]()
        client.create(job(target=ss.HandlerTarget(lambda: calls.append(-1))))

        def run_once(number: int) -> None:
            def once() -> None:
                calls.append(number)

            alive.append(weakref.ref(once))
            at = ss.OneTime(backend.now() + timedelta(seconds=1))
            client.create(job(f"job-{number}", schedule=at, target=ss.HandlerTarget(once)))
            backend.advance(timedelta(seconds=1))

        for number in range(2_500):
            run_once(number)
        gc.collect()
        assert calls == list(range(2_500))
        assert sum(each() is not None for each in alive) <= 1_100
        backend.advance(timedelta(days=1))
        assert calls[-1] == -1

    def test_verbs_find_them_by_group_too(self) -> None:
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        calls = list[int]()
        client.create(job(target=ss.HandlerTarget(lambda: calls.append(1)), group="g"))
        assert client.get("job", group="g").name == "job"
        assert [record.status for record in client.pause_many(group="g")] == [ss.JobStatus.PAUSED]
        assert [record.status for record in client.resume_many(group="g")] == [ss.JobStatus.ACTIVE]
        client.update(job(target=ss.HandlerTarget(lambda: calls.append(2)), group="g"))
        backend.advance(timedelta(days=1))
        assert calls == [2]
        assert [record.name for record in client.cancel_many(group="g")] == ["job"]
