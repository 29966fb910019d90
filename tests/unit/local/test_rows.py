"""Rows as values, and rows that are damaged: whatever a column holds, other jobs go on."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.local.rows import (
    GIVEN_UP,
    JOB_COLUMNS,
    PAUSED,
    QUEUED,
    RUN_COLUMNS,
    DamagedRow,
    JobRow,
    RunRow,
    in_zone,
    instant,
    micros,
    micros_or_none,
    read_job,
    read_run,
)
from stepsched.backends.local.schema import migrate
from stepsched.testing import FakeClock

T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

JOB = {
    "id": 7,
    "name": "job",
    "status": "active",
    "version": 3,
    "document": "{}",
    "created_at": micros(T0),
    "updated_at": micros(T0 + HOUR),
    "anchor": micros(T0),
    "next_run": micros(T0 + 2 * HOUR),
    "timezone": "Europe/Paris",
    "pause_reason": None,
    "overlap": "allow",
}
RUN = {
    "id": 9,
    "job_id": 7,
    "job": "job",
    "scheduled_for": micros(T0),
    "trigger": "schedule",
    "status": "pending",
    "recorded_at": micros(T0 + MINUTE),
    "start_after": micros(T0 + 2 * MINUTE),
    "attempt": 2,
    "restarted": 1,
    "started_at": None,
    "ended_at": None,
    "worker": None,
    "error": "no",
    "output": None,
    "timezone": None,
    "failures": 1,
    "crashes": 1,
    "held": None,
    "lingering": None,
    "reason": None,
    "traceback": "where",
    "follows": None,
}


def job_row(**changes: object) -> JobRow | DamagedRow:
    return read_job([{**JOB, **changes}[column] for column in JOB_COLUMNS])


def run_row(**changes: object) -> RunRow | DamagedRow:
    return read_run([{**RUN, **changes}[column] for column in RUN_COLUMNS])


class TestInstants:
    @pytest.mark.parametrize(
        "moment",
        [
            T0,
            datetime(1901, 2, 3, 4, 5, 6, 7, tzinfo=timezone.utc),
            datetime(1, 1, 1, tzinfo=timezone.utc),
            datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc),
        ],
        ids=str,
    )
    def test_come_back_to_the_microsecond(self, moment: datetime) -> None:
        assert instant(micros(moment)) == moment
        assert instant(micros_or_none(moment) or 0) == moment

    def test_of_other_zones_are_the_same_instant(self) -> None:
        assert micros(T0.astimezone(timezone(5 * HOUR))) == micros(T0)
        assert micros_or_none(None) is None

    @pytest.mark.parametrize(
        ("moment", "zone", "shown"),
        [
            pytest.param("2030-01-07T08:00", "Europe/Paris", "2030-01-07 09:00:00+01:00", id="winter"),
            pytest.param("2030-07-07T08:00", "Europe/Paris", "2030-07-07 10:00:00+02:00", id="summer"),
            pytest.param("2030-10-27T00:30", "Europe/Paris", "2030-10-27 02:30:00+02:00", id="first pass"),
            pytest.param("2030-10-27T01:30", "Europe/Paris", "2030-10-27 02:30:00+01:00", id="second pass"),
            pytest.param("2030-01-07T08:00", None, "2030-01-07 08:00:00+00:00", id="no zone"),
            pytest.param("2030-01-07T08:00", "UTC", "2030-01-07 08:00:00+00:00", id="utc"),
            pytest.param("2030-01-07T08:00", "Mars/Olympus", "2030-01-07 08:00:00+00:00", id="unknown zone"),
            pytest.param("9999-12-31T23:00", "Asia/Tokyo", "9999-12-31 23:00:00+00:00", id="end of time"),
            pytest.param("0001-01-01T01:00", "America/Lima", "0001-01-01 01:00:00+00:00", id="beginning"),
        ],
    )
    def test_are_shown_in_a_zone_with_its_offset_then(
        self, moment: str, zone: str | None, shown: str
    ) -> None:
        utc = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)
        assert str(in_zone(utc, zone)) == shown
        assert in_zone(utc, zone) == utc


class TestReading:
    def test_a_job(self) -> None:
        row = job_row()
        assert row == JobRow(
            7, "job", ss.JobStatus.ACTIVE, 3, "{}", T0, T0 + HOUR, T0, T0 + 2 * HOUR, "Europe/Paris"
        )
        assert job_row(next_run=None, timezone=None) == row._replace(next_run=None, timezone=None)
        assert job_row(pause_reason="why") == row._replace(pause_reason="why")

    def test_a_job_that_stands_behind_other_columns(self) -> None:
        columns = [0] * 5 + [JOB[column] for column in JOB_COLUMNS]
        assert read_job(columns, 5) == job_row()

    def test_a_job_whose_reason_is_no_text_is_damaged(self) -> None:
        assert isinstance(job_row(pause_reason=b"why"), DamagedRow)

    def test_a_run(self) -> None:
        row = run_row()
        assert isinstance(row, RunRow)
        assert row.run == ss.Run(
            id=9,
            job="job",
            scheduled_for=T0,
            status=ss.RunStatus.PENDING,
            attempt=2,
            restarted=True,
            error="no",
            traceback="where",
        )
        assert row[1:] == (7, T0 + MINUTE, T0 + 2 * MINUTE, 1, 1, None, None)

    def test_a_run_shows_its_instant_in_the_zone_of_its_job_and_the_others_in_utc(self) -> None:
        row = run_row(timezone="Europe/Paris", status="succeeded", started_at=micros(T0), ended_at=micros(T0))
        assert isinstance(row, RunRow)
        assert row.run.scheduled_for.utcoffset() == HOUR
        for moment in (row.run.started_at, row.run.ended_at, row.recorded_at, row.start_after):
            assert moment is not None
            assert moment.utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({}, None),
            ({"held": QUEUED}, "an earlier run of the job still ran"),
            ({"held": PAUSED}, "its job is paused"),
            ({"held": GIVEN_UP}, "an attempt that was given up may still run"),
            ({"reason": "no module named m"}, "no module named m"),
            ({"held": PAUSED, "reason": "no module named m"}, "its job is paused"),
            ({"held": PAUSED, "status": "running"}, None),
            ({"reason": "no module named m", "status": "succeeded"}, None),
        ],
        ids=str,
    )
    def test_only_a_run_that_waits_says_why(self, changes: dict[str, object], reason: str | None) -> None:
        row = run_row(**changes)
        assert isinstance(row, RunRow)
        assert row.run.pending_reason == reason

    @pytest.mark.parametrize(
        ("column", "value", "says"),
        [
            ("status", "nonsense", "'nonsense' is not a valid JobStatus"),
            ("status", b"\xff", "is not a valid JobStatus"),
            ("version", "three", "a column has a value of another type"),
            ("document", b"{}", "a column has a value of another type"),
            ("name", b"job", "a column has a value of another type"),
            ("created_at", "then", ""),
            ("anchor", 2**62, ""),
            ("next_run", -(2**63), ""),
        ],
    )
    def test_a_job_that_is_damaged_says_which_and_why(self, column: str, value: object, says: str) -> None:
        row = job_row(**{column: value})
        assert isinstance(row, DamagedRow)
        assert (row.id, says in row.reason, bool(row.reason)) == (7, True, True)
        error = row.error()
        assert (error.code, error.retryable) == ("UNREADABLE", False)
        name = str(value) if column == "name" else "job"
        if value == "nonsense":
            assert (
                f"the row of job {name!r} cannot be read by this version ({row.reason}): a later version of "
                "stepsched has probably written it; upgrade stepsched"
            ) in str(error)
            assert "cancel" not in str(error)
        else:
            assert (
                f"the row of job {name!r} is damaged ({row.reason}); restore the file from a copy; "
                f"cancel({name!r}) removes it"
            ) in str(error)

    @pytest.mark.parametrize(
        ("column", "value", "says"),
        [
            ("status", "nonsense", "nonsense"),
            ("trigger", None, "None"),
            ("scheduled_for", "then", "TypeError"),
            ("start_after", 2**62, "OverflowError"),
            ("ended_at", "x", "TypeError"),
        ],
    )
    def test_a_run_that_is_damaged_says_which_and_why(self, column: str, value: object, says: str) -> None:
        row = run_row(**{column: value})
        assert isinstance(row, DamagedRow)
        assert (row.id, row.name, says in row.reason) == (9, "job", True)


# -- damaged rows in a file ---------------------------------------------------------------------------------


def answer(payload: object) -> str:
    return "answer"


_failed = list[object]()


def fail(payload: object) -> None:
    _failed.append(payload)
    raise RuntimeError("no luck")


TARGET = ss.HandlerTarget("tests.unit.local.test_rows:answer")
FAILING = ss.HandlerTarget("tests.unit.local.test_rows:fail")
VALUES = [
    pytest.param("nonsense", id="text"),
    pytest.param(b"\xff\xfe", id="bytes"),
    pytest.param(2**63 - 1, id="huge"),
    pytest.param(-(2**63), id="below everything"),
    pytest.param(1.5, id="fraction"),
]


def job(name: str) -> ss.Job:
    return ss.Job(name=name, schedule=ss.Rate(HOUR, start=T0), target=TARGET)


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with two jobs, of which each has a run that is over and one that waits."""
    path = tmp_path_factory.mktemp("whole") / "jobs.db"
    backend = ss.LocalBackend(path, clock=FakeClock(T0))
    client = ss.SchedulerClient(backend)
    for name in ("bad", "good"):
        client.create(job(name))
    backend.run_until(T0 + HOUR)
    for name in ("bad", "good"):
        client.run_now(name)
    backend.close()
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, whole_file: bytes) -> Path:
    path = tmp_path / "jobs.db"
    path.write_bytes(whole_file)
    return path


def damage(path: Path, table: str, column: str, value: object, *, status: str = "pending") -> None:
    """Writes a value into the row of the job, or of its waiting run, which may be made one that runs."""
    which = "name = 'bad'" if table == "jobs" else "job = 'bad' AND id = 3"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        if status == "running":
            db.execute(f"UPDATE runs SET status = 'running', attempt = 1, worker = 'gone' WHERE {which}")
        done = db.execute(f"UPDATE {table} SET {column} = ? WHERE {which}", (value,))
        assert done.rowcount == 1


@pytest.fixture
def opened(path: Path) -> Iterator[ss.SchedulerClient]:
    backend = ss.LocalBackend(path, clock=FakeClock(T0 + HOUR))
    yield ss.SchedulerClient(backend)
    backend.close()


def columns(table: str) -> list[str]:
    """All columns of a table but for the keys."""
    with closing(sqlite3.connect(":memory:")) as db:
        migrate(db, 0)
        return [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})") if name != "id"]


def fits(column: str, value: object) -> bool:
    """Whether a job can be read all the same."""
    if column in ("job_group", "overlap", "plain"):  # not read
        return True
    if column == "timezone":  # none that is installed here: instants are shown in UTC
        return True
    if column == "pause_reason":
        return not isinstance(value, bytes)  # SQLite turns a number into text
    if column == "version":
        return isinstance(value, int)
    return isinstance(value, float) and column != "status" and column != "document"  # a part of a microsecond


class TestDamagedJobs:
    @pytest.mark.one_in(3)
    @pytest.mark.parametrize("value", VALUES)
    @pytest.mark.parametrize("column", [name for name in columns("jobs") if name != "name"])
    def test_others_fire_and_it_can_be_removed(
        self,
        path: Path,
        opened: ss.SchedulerClient,
        caplog: pytest.LogCaptureFixture,
        column: str,
        value: object,
    ) -> None:
        damage(path, "jobs", column, value)
        listed = [record.name for record in opened.list()]
        assert "good" in listed
        if "bad" not in listed:
            assert any(
                record.levelno == logging.ERROR and "job bad is left out of the list" in record.getMessage()
                for record in caplog.records
            )
            with pytest.raises(ss.BackendError, match="'bad'") as caught:
                opened.get("bad")
            assert caught.value.code == "UNREADABLE"
        else:
            assert fits(column, value), "a damaged row was taken for a whole one"
            assert opened.get("bad").name == "bad"
        before = len(opened.runs("good"))
        opened.backend.run_until(T0 + 3 * HOUR)  # type: ignore[attr-defined] # of this backend
        good = opened.runs("good")
        assert len(good) == before + 2
        assert {run.status for run in good} == {ss.RunStatus.SUCCEEDED}
        try:
            opened.cancel("bad")
        except ss.BackendError as error:
            assert "'bad' was cancelled and removed" in str(error)  # noqa: PT017 -- some can be read
        with pytest.raises(ss.JobNotFoundError):
            opened.cancel("bad")
        assert [record.name for record in opened.list()] == ["good"]
        opened.create(job("bad"))

    @pytest.mark.parametrize("value", VALUES)
    def test_one_whose_name_is_damaged_holds_up_nobody(
        self, path: Path, opened: ss.SchedulerClient, value: object
    ) -> None:
        damage(path, "jobs", "name", value)
        assert "good" in [record.name for record in opened.list()]
        opened.backend.run_until(T0 + 3 * HOUR)  # type: ignore[attr-defined]
        assert {run.status for run in opened.runs("good")} == {ss.RunStatus.SUCCEEDED}
        with pytest.raises(ss.JobNotFoundError):
            opened.get("bad")

    def test_it_is_paused_at_once_when_it_comes_due_and_that_is_said(
        self, path: Path, opened: ss.SchedulerClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        damage(path, "jobs", "version", "nonsense")
        opened.backend.run_until(T0 + 3 * HOUR)  # type: ignore[attr-defined]
        said = [
            record for record in caplog.records if "job bad cannot be read and is paused" in record.message
        ]
        assert len(said) == 1
        assert opened.get("good").status is ss.JobStatus.ACTIVE
        over, waited = opened.runs("bad")
        assert (over.status, waited.status) == (ss.RunStatus.SUCCEEDED, ss.RunStatus.FAILED)
        assert waited.error is not None
        assert "cancel('bad') removes it" in waited.error


@pytest.mark.timeout(20)
class TestDamagedRuns:
    @pytest.mark.one_in(3)
    @pytest.mark.parametrize("value", VALUES[:4])
    @pytest.mark.parametrize("column", columns("runs"))
    @pytest.mark.parametrize(
        ("status", "fails"),
        [
            pytest.param("pending", False, id="waits and succeeds"),
            pytest.param("pending", True, id="waits and fails"),
            pytest.param("running", True, id="is left by another and fails"),
        ],
    )
    def test_others_fire_and_a_listing_answers(
        self,
        path: Path,
        opened: ss.SchedulerClient,
        caplog: pytest.LogCaptureFixture,
        column: str,
        value: object,
        status: str,
        fails: bool,
    ) -> None:
        _failed.clear()
        if fails:
            retry = ss.Retry(max_attempts=1, interval=MINUTE)
            opened.update(job("bad").replace(target=FAILING, retry=retry))
        damage(path, "runs", column, value, status=status)
        before = len(opened.runs("good"))
        everything = opened.runs()
        assert len([run for run in everything if run.job == "good"]) == before
        if len(everything) < 2 * before:
            assert any(
                record.levelno == logging.ERROR and "is left out: its row is damaged" in record.getMessage()
                for record in caplog.records
            )
        opened.backend.run_until(T0 + 3 * HOUR)  # type: ignore[attr-defined] # of this backend
        good = opened.runs("good")
        assert len(good) == before + 2
        assert {run.status for run in good} == {ss.RunStatus.SUCCEEDED}
        assert len(_failed) <= 3 * 2  # two attempts of each of its runs
        opened.list()
        opened.cancel("bad")
        assert [record.name for record in opened.list()] == ["good"]
