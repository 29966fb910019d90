"""The SQLite file: whose it is, how it is opened, migrated, shared by processes, and how it fails."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.base import JobQuery, RunQuery
from stepsched.backends.local import database
from stepsched.backends.local.rows import QUEUED, DamagedRow, RunRow, micros
from stepsched.backends.local.schema import APPLICATION_ID, MIGRATIONS, VERSION, migrate
from stepsched.backends.local.store import Store
from stepsched.testing import FakeClock

PATIENCE = 20
ROOT = Path(__file__).parents[3]
T0 = datetime(2030, 1, 7, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ELSEWHERE = "-/1/-/elsewhere"

posix = pytest.mark.skipif(os.name != "posix", reason="only there are modes and forks")


class EndlessError(BaseException):
    """A handler is called without end."""


_calls = list[object]()


def answer(payload: object) -> str:
    """What the jobs of these files call; beyond any number that there is a reason for it ends the play."""
    _calls.append(payload)
    if len(_calls) > 500:
        raise EndlessError
    return "answer"


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    _calls.clear()


TARGET = ss.HandlerTarget("tests.unit.local.test_database:answer")


def job(name: str = "job", **changes: object) -> ss.Job:
    schedule = ss.Rate(HOUR, start=T0)
    return ss.Job(name=name, schedule=schedule, target=TARGET).replace(**changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder / "jobs.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def insert(store: Store, name: str = "job", **changes: object) -> None:
    wanted = job(name, **changes)
    with store.transaction("insert job"):
        assert store.insert_job(wanted, wanted.model_dump_json(exclude_unset=True), T0, T0) is not None


def names(store: Store) -> list[str]:
    return [row.name for row in store.jobs(JobQuery())]


def names_in(path: Path) -> list[str]:
    store = Store(path)
    try:
        return names(store)
    finally:
        store.close()


def refusal(path: Path | str) -> ss.BackendError:
    with pytest.raises(ss.BackendError) as caught:
        Store(path)
    return caught.value


# -- errors --------------------------------------------------------------------------------------------


class TestErrors:
    def test_a_folder_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ss.errors.AccessDeniedError, match="its folder may be missing") as caught:
            Store(tmp_path / "nowhere" / "jobs.db")
        assert (caught.value.code, caught.value.operation, caught.value.retryable) == (
            "CANTOPEN",
            "open",
            False,
        )
        assert str(tmp_path / "nowhere" / "jobs.db") in str(caught.value)
        assert not (tmp_path / "nowhere").exists()

    def test_a_folder_in_the_place_of_the_file(self, tmp_path: Path) -> None:
        error = refusal(tmp_path)
        assert (error.code, str(tmp_path) in str(error)) == ("CANTOPEN", True)
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_another_program_holds_for_long(self, store: Store, path: Path) -> None:
        insert(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            with pytest.raises(
                ss.errors.BackendUnavailableError, match="another process has locked the file"
            ) as caught:
                insert(store, "second")
            assert (caught.value.code, caught.value.operation, caught.value.retryable) == (
                "BUSY",
                "insert job",
                True,
            )
            assert str(path) in str(caught.value)
            holder.execute("ROLLBACK")
        insert(store, "second")
        assert names(store) == ["job", "second"]

    def test_a_damaged_file(self, path: Path) -> None:
        whole = Store(path)
        insert(whole)
        ((number, size),) = whole._rows(
            "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = 'jobs'"
        )
        whole.close()
        content = bytearray(path.read_bytes())
        content[(number - 1) * size : number * size] = b"\x5a" * size
        path.write_bytes(content)
        damaged = Store(path)
        with pytest.raises(ss.BackendError, match="the file is damaged; restore a copy") as caught:
            damaged.jobs(JobQuery())
        assert (caught.value.code, caught.value.retryable) == ("CORRUPT", False)
        assert str(path) in str(caught.value)
        damaged.close()

    def test_text_that_is_none_is_a_damaged_file(self, store: Store, path: Path) -> None:
        insert(store)
        store._db.execute("UPDATE jobs SET document = CAST(x'ff41' AS TEXT)")
        with pytest.raises(ss.BackendError, match="the file is damaged; restore a copy") as caught:
            store.job("job")
        assert (caught.value.code, str(path) in str(caught.value)) == ("CORRUPT", True)

    def test_a_file_that_cannot_be_written_can_be_read(self, store: Store) -> None:
        insert(store)
        store._db.execute("PRAGMA query_only = ON")
        with pytest.raises(ss.errors.AccessDeniedError, match="the file cannot be written") as caught:
            insert(store, "second")
        assert (caught.value.code, caught.value.retryable) == ("READONLY", False)
        assert names(store) == ["job"]
        store._db.execute("PRAGMA query_only = OFF")
        insert(store, "second")

    def test_a_full_disk_loses_nothing_that_is_recorded(self, store: Store) -> None:
        insert(store)
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(ss.errors.BackendUnavailableError, match="the disk is full"):
            insert(store, "large", input="x" * 100_000)
        assert names(store) == ["job"]
        store._db.execute("PRAGMA max_page_count = 100000")  # there is space again
        insert(store, "large", input="x" * 100_000)
        assert names(store) == ["job", "large"]

    @pytest.mark.parametrize("in_memory", [True, False], ids=["memory", "file"])
    def test_a_store_that_was_closed(self, path: Path, in_memory: bool) -> None:
        backend = ss.LocalBackend(None if in_memory else path, clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        client.create(job())
        backend.close()
        backend.close()
        verbs: list[Callable[[], object]] = [
            lambda: client.create(job("second")),
            lambda: client.get("job"),
            lambda: client.list(),
            lambda: client.runs(),
            lambda: client.run_now("job"),
            lambda: client.pause("job"),
            lambda: client.cancel("job"),
            lambda: backend.run_until(T0 + HOUR),
        ]
        for verb in verbs:
            with pytest.raises(ss.BackendError, match="closed; create another one") as caught:
                verb()
            assert caught.value.code == "CLOSED"

    @pytest.mark.parametrize("in_memory", [True, False], ids=["memory", "file"])
    def test_the_connection_of_a_backend_that_nobody_closes_is_closed_with_it(
        self, path: Path, in_memory: bool
    ) -> None:
        backend = ss.LocalBackend(None if in_memory else path, clock=FakeClock(T0))
        connection = backend._store._db
        del backend
        gc.collect()
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            connection.execute("SELECT 1")

    def test_what_nobody_foresaw_is_still_ours_and_names_the_file(self, store: Store, path: Path) -> None:
        store._db.execute("DROP TABLE workers")
        no_table = pytest.raises(ss.BackendError, match="no such table: workers")
        with no_table as caught, store.transaction("end lease"):
            store.bury(ELSEWHERE)
        assert (caught.value.service, caught.value.operation) == ("sqlite", "end lease")
        assert str(path) in str(caught.value)

    def test_the_path_is_named_as_it_was_given(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(path.parent)
        path.write_bytes(b"no database" * 100)
        assert "sqlite open failed with NOTADB: jobs.db: " in str(refusal("jobs.db"))

    def test_a_file_stays_the_same_when_the_program_goes_to_another_folder(
        self, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(path.parent)
        store = Store("jobs.db")
        monkeypatch.chdir(tmp_path)
        insert(store)
        store.close()
        assert names_in(path) == ["job"]
        assert not (tmp_path / "jobs.db").exists()


# -- files of others -------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


def foreign(path: Path, *, mode: str, application_id: int = 0) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")
        db.execute("CREATE TABLE jobs (id)")
        db.execute("INSERT INTO jobs VALUES (1)")
        db.execute(f"PRAGMA application_id = {application_id}")


def with_log(path: Path) -> None:
    """A file as a killed program leaves it: what it wrote last stands in its log."""
    made = path.parent.parent / "made.db"
    db = sqlite3.connect(made, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE mine (id)")
    for suffix in ("", "-wal"):
        shutil.copy(f"{made}{suffix}", f"{path}{suffix}")
    db.close()


def newer(path: Path) -> None:
    Store(path).close()
    with closing(sqlite3.connect(path)) as later:
        later.execute("PRAGMA user_version = 99")


class TestForeignFiles:
    @pytest.mark.parametrize(
        ("make", "code", "says"),
        [
            pytest.param(
                lambda path: foreign(path, mode="delete"),
                "FOREIGN",
                "belongs to another program; choose another file",
                id="rollback journal",
            ),
            pytest.param(
                lambda path: foreign(path, mode="delete", application_id=1234),
                "FOREIGN",
                "belongs to another program",
                id="marked as another's",
            ),
            pytest.param(
                lambda path: foreign(path, mode="wal"), "FOREIGN", "belongs to another program", id="wal"
            ),
            pytest.param(with_log, "FOREIGN", "belongs to another program", id="with a log beside it"),
            pytest.param(
                lambda path: path.write_bytes(b"a letter to my grandmother, and no database\n" * 100),
                "NOTADB",
                "not an SQLite database; choose another",
                id="text",
            ),
            pytest.param(
                lambda path: path.write_bytes(b"hello"),
                "NOTADB",
                "not an SQLite database; choose another",
                id="short text",
            ),
            pytest.param(
                newer, "VERSION", f"has schema 99, and this stepsched supports {VERSION}", id="a later schema"
            ),
        ],
    )
    def test_are_refused_and_left_byte_for_byte_as_they_are(
        self, path: Path, make: Callable[[Path], object], code: str, says: str
    ) -> None:
        make(path)
        before = contents(path.parent)
        error = refusal(path)
        assert contents(path.parent) == before
        assert (error.code, says in str(error), str(path) in str(error)) == (code, True, True)

    def test_one_that_is_open_in_its_program_is_left_as_it_is(self, path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE mine (id)")
            before = {name: content for name, content in contents(path.parent).items() if "shm" not in name}
            assert refusal(path).code == "FOREIGN"
            after = {name: content for name, content in contents(path.parent).items() if "shm" not in name}
            assert after == before
            db.execute("INSERT INTO mine VALUES (1)")  # and its program goes on

    def test_an_empty_file_is_taken(self, path: Path) -> None:
        path.touch()
        store = Store(path)
        insert(store)
        store.close()
        assert names_in(path) == ["job"]


@posix
class TestModes:
    @pytest.mark.parametrize("mask", [0o022, 0], ids=oct)
    def test_a_new_file_and_what_stands_beside_it_is_for_its_owner_alone(self, path: Path, mask: int) -> None:
        before = os.umask(mask)
        try:
            store = Store(path)
            insert(store)
            modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
            store.close()
        finally:
            os.umask(before)
        assert modes == {"jobs.db": 0o600, "jobs.db-wal": 0o600, "jobs.db-shm": 0o600}

    def test_the_mode_of_a_file_that_is_there_stays(self, path: Path) -> None:
        Store(path).close()
        path.chmod(0o640)
        Store(path).close()
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


WRITES = [
    pytest.param(lambda client: client.create(job("second")), id="create"),
    pytest.param(lambda client: client.run_now("job"), id="run now"),
    pytest.param(lambda client: client.pause("job"), id="pause"),
    pytest.param(lambda client: client.cancel("job"), id="cancel"),
    pytest.param(lambda client: client.backend.run_until(T0 + HOUR), id="a turn"),
]


class TestAFileThatIsGone:
    @pytest.mark.parametrize("verb", WRITES)
    @pytest.mark.parametrize("becomes", ["deleted", "replaced"])
    def test_is_noticed_by_the_next_verb_that_writes(
        self, path: Path, becomes: str, verb: Callable[[ss.SchedulerClient], object]
    ) -> None:
        backend = ss.LocalBackend(path, clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        client.create(job())
        if becomes == "deleted":
            path.unlink()
        else:
            other = path.with_name("other.db")
            Store(other).close()
            other.replace(path)
        with pytest.raises(ss.BackendError, match="was deleted or replaced while it was open") as caught:
            verb(client)
        assert (caught.value.code, str(path) in str(caught.value)) == ("REPLACED", True)
        assert path.exists() is (becomes == "replaced")
        backend.close()

    def test_is_used_again_when_it_is_put_back(self, store: Store, path: Path) -> None:
        away = path.with_name("away.db")
        path.rename(away)
        with pytest.raises(ss.BackendError, match="put the file back"):
            insert(store)
        away.rename(path)
        insert(store)
        assert names(store) == ["job"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with jobs and runs of every kind."""
    path = tmp_path_factory.mktemp("whole") / "jobs.db"
    backend = ss.LocalBackend(path, clock=FakeClock(T0))
    client = ss.SchedulerClient(backend)
    for number in range(12):
        overlap = list(ss.Overlap)[number % 3]
        client.create(job(f"job-{number}", overlap=overlap, input={"n": number}))
    client.create(job("paris", schedule=ss.Cron("0 9 * * ? *", timezone="Europe/Paris")))
    client.create(job("once", schedule=ss.OneTime(T0 + 3 * HOUR)))
    backend.run_until(T0 + 2 * HOUR)
    client.pause("job-1")
    client.run_now("job-2")
    client.update(job("job-3", input="changed"))
    backend.close()
    return path.read_bytes()


class TestFlippedBytes:
    """Whatever stands in the file, the answer is an answer or an error of ours."""

    def damage(self, whole: bytes, chance: random.Random) -> bytes:
        content = bytearray(whole)
        if chance.random() < 0.5:
            for _ in range(chance.choice([1, 3, 20, 200])):
                content[chance.randrange(100, len(content))] = chance.randrange(256)
        else:
            begin = chance.randrange(100, len(content))
            end = min(begin + chance.choice([2, 8, 64, 1000]), len(content))
            content[begin:end] = chance.randbytes(end - begin)
        return bytes(content)

    def ask(self, path: Path) -> list[str]:
        """Asks everything; what was answered with an error of ours."""
        refused = list[str]()

        def ask(question: Callable[[], object]) -> None:
            try:
                question()
            except ss.StepschedError as error:
                refused.append(getattr(error, "code", type(error).__name__))

        try:
            backend = ss.LocalBackend(path, clock=FakeClock(T0 + 2 * HOUR), handlers_from=["tests"])
        except ss.StepschedError:
            return ["open"]
        client = ss.SchedulerClient(backend)
        try:
            ask(client.list)
            ask(client.runs)
            for name in ("job-0", "job-1", "job-3", "paris", "once"):
                ask(lambda name=name: client.get(name))  # type: ignore[misc] # mypy infers no default of a lambda
                ask(lambda name=name: client.runs(name))  # type: ignore[misc]
            ask(lambda: backend.run_until(T0 + 3 * HOUR))
            ask(client.list)
            ask(lambda: client.cancel("job-0"))
        finally:
            backend.close()
        return refused

    @pytest.mark.parametrize("seed", range(100))
    def test_give_an_answer_or_an_error_of_ours(self, path: Path, whole: bytes, seed: int) -> None:
        path.write_bytes(self.damage(whole, random.Random(seed)))
        self.ask(path)

    @pytest.mark.parametrize("name", ["job-0", "once"])
    def test_a_job_whose_changes_are_lost_is_not_recorded_for_ever(
        self, path: Path, whole: bytes, name: str
    ) -> None:
        path.write_bytes(whole)
        with closing(sqlite3.connect(path)) as db:  # as in a file in which two rows share some bytes
            db.execute(
                f"CREATE TRIGGER lost AFTER UPDATE OF next_run ON jobs WHEN NEW.name = '{name}'"
                " BEGIN UPDATE jobs SET next_run = OLD.next_run WHERE id = NEW.id; END"
            )
        assert self.ask(path) == ["CORRUPT"]

    def test_a_run_that_an_index_tells_otherwise_of_is_not_called_for_ever(
        self, path: Path, whole: bytes
    ) -> None:
        assert whole.count(b"manualpending") == 1
        path.write_bytes(whole.replace(b"manualpending", b"manualpendjng"))
        self.ask(path)
        assert len(_calls) < 50

    def test_and_the_whole_file_gives_answers(self, path: Path, whole: bytes) -> None:
        path.write_bytes(whole)
        assert self.ask(path) == []


# -- transactions ------------------------------------------------------------------------------------------


class TestTransactions:
    def test_all_of_it_happens_or_nothing(self, store: Store) -> None:
        insert(store)

        def half() -> None:
            with store.transaction("test"):
                insert(store, "second")
                raise RuntimeError("half-way")

        with pytest.raises(RuntimeError, match="half-way"):
            half()
        assert names(store) == ["job"]
        insert(store, "third")  # the store is of use afterwards
        assert names(store) == ["job", "third"]

    def test_a_fault_inside_a_nested_one_undoes_the_outer_one(self, store: Store) -> None:
        def nested() -> None:
            with store.transaction("outer"):
                insert(store)
                with store.transaction("inner"):
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            nested()
        assert names(store) == []

    def test_what_is_not_committed_is_not_seen_by_others(self, store: Store, path: Path) -> None:
        second = Store(path)
        with store.transaction("test"):
            insert(store)
            assert names(second) == []
        assert names(second) == ["job"]
        second.close()

    def test_what_is_committed_survives_a_killed_process(self, path: Path) -> None:
        program = (
            "import os, sys; from tests.unit.local.test_database import *\n"
            "store = Store(sys.argv[1]); insert(store)\n"
            "half = store.transaction('test'); half.__enter__(); insert(store, 'half'); os._exit(3)"
        )
        done = subprocess.run([sys.executable, "-c", program, path], cwd=ROOT, check=False, timeout=60)
        assert done.returncode == 3
        assert names_in(path) == ["job"]

    def test_threads_wait_for_each_other(self, store: Store) -> None:
        def work(thread: int) -> None:
            for number in range(20):
                insert(store, f"job-{thread}-{number}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(names(store)) == 100


# -- files of an earlier version -------------------------------------------------------------------------

VERSION_1 = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    job_group TEXT NOT NULL,
    status TEXT NOT NULL,
    overlap TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    anchor INTEGER NOT NULL,
    next_run INTEGER
);
CREATE INDEX jobs_due ON jobs (next_run) WHERE next_run IS NOT NULL;
CREATE TABLE job_versions (
    job_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (job_id, version)
) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER NOT NULL,
    job TEXT NOT NULL,
    scheduled_for INTEGER NOT NULL,
    trigger TEXT NOT NULL,
    status TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    start_after INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    restarted INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER,
    ended_at INTEGER,
    worker TEXT,
    error TEXT,
    output TEXT
);
CREATE UNIQUE INDEX runs_once ON runs (job_id, scheduled_for) WHERE trigger = 'schedule';
CREATE INDEX runs_waiting ON runs (start_after, id) WHERE status = 'pending';
CREATE INDEX runs_open ON runs (job_id, id) WHERE status IN ('pending', 'running');
CREATE INDEX runs_by_job ON runs (job, id);
CREATE INDEX runs_failed ON runs (job, id) WHERE status = 'failed';
CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_running ON runs (worker) WHERE status = 'running';
CREATE TABLE workers (id TEXT PRIMARY KEY, alive_until INTEGER NOT NULL);
"""
"""The tables as version 1 made them."""

_JOBS_1 = [
    # name, status, overlap, schedule, next run in hours
    ("plain", "active", "allow", '{"kind":"rate","every":"PT1H","start":"2030-01-07T00:00:00Z"}', 5),
    (
        "paris",
        "active",
        "allow",
        '{"kind":"cron","expression":"cron(0 9 * * ? *)","timezone":"Europe/Paris"}',
        8,
    ),
    ("queue", "active", "queue", '{"kind":"rate","every":"PT1H","start":"2030-01-07T00:00:00Z"}', 5),
    ("paused", "paused", "skip", '{"kind":"one_time","at":"2031-01-01T10:00:00","timezone":"UTC"}', None),
    ("unreadable", "active", "allow", None, 999),
]
_RUNS_1 = [
    # job id, hour, status, attempt, restarted, worker, error
    (1, 0, "succeeded", 1, 0, None, None),
    (1, 1, "failed", 3, 0, None, "RuntimeError: no"),
    (1, 2, "running", 2, 0, ELSEWHERE, "RuntimeError: no"),
    (1, 3, "pending", 2, 0, None, "RuntimeError: no"),
    (1, 4, "pending", 1, 1, None, None),
    (2, 0, "succeeded", 1, 0, None, None),
    (3, 0, "succeeded", 1, 0, None, None),
    (3, 1, "pending", 0, 0, None, None),
    (3, 2, "pending", 0, 0, None, None),
    (3, 3, "pending", 0, 0, None, None),
]


def make_version_1(path: Path, more: str = "") -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(VERSION_1)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        at = micros(T0)
        for name, status, overlap, schedule, hours in _JOBS_1:
            target = '{"kind":"handler","handler":"tests.unit.local.test_database:answer"}'
            document = f'{{"name":"{name}","schedule":{schedule},"target":{target},"overlap":"{overlap}"}}'
            if schedule is None:
                document = "no json"
            following = None if hours is None else micros(T0 + hours * HOUR)
            db.execute(
                "INSERT INTO jobs (name, job_group, status, overlap, version, document, created_at,"
                " updated_at, anchor, next_run) VALUES (?, 'default', ?, ?, 2, ?, ?, ?, ?, ?)",
                (name, status, overlap, document, at, at, at, following),
            )
        db.execute("INSERT INTO job_versions SELECT id, 1, document, created_at FROM jobs WHERE id < 3")
        for job_id, hour, status, attempt, restarted, worker, error in _RUNS_1:
            moment = micros(T0 + hour * HOUR)
            db.execute(
                "INSERT INTO runs (job_id, job, scheduled_for, trigger, status, recorded_at, start_after,"
                " attempt, restarted, started_at, ended_at, worker, error)"
                " VALUES (?, ?, ?, 'schedule', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job_id,
                    _JOBS_1[job_id - 1][0],
                    moment,
                    status,
                    moment,
                    moment,
                    attempt,
                    restarted,
                    moment if attempt else None,
                    moment if status in ("succeeded", "failed") else None,
                    worker,
                    error,
                ),
            )
        db.execute("INSERT INTO workers VALUES (?, ?)", (ELSEWHERE, at))
        db.executescript(more)


def structure(path: Path) -> tuple[dict[str, frozenset[tuple[object, ...]]], dict[str, str]]:
    """The columns of each table, with what holds of them, and the text of each index and trigger."""
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        columns = {
            name: frozenset(row[1:] for row in db.execute(f"PRAGMA table_info({name})"))
            for kind, name, _ in found
            if kind == "table"
        }
    return columns, {name: sql for kind, name, sql in found if kind in ("index", "trigger") and sql}


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        return [str(version), *db.iterdump()]


class TestMigration:
    def test_an_old_file_gets_the_tables_of_a_new_one(self, path: Path) -> None:
        make_version_1(path)
        Store(path).close()
        new = path.with_name("new.db")
        Store(new).close()
        assert structure(path) == structure(new)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_all_its_jobs_versions_and_runs_are_there(self, path: Path) -> None:
        make_version_1(path)
        backend = ss.LocalBackend(path, clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        assert [record.name for record in client.list()] == ["paris", "paused", "plain", "queue"]
        assert client.get("plain").version == 2
        assert [version.version for version in client.versions("plain")] == [1]
        assert client.get("paused").status is ss.JobStatus.PAUSED
        assert [run.status.value for run in client.runs("plain")] == [
            "succeeded",
            "failed",
            "running",
            "pending",
            "pending",
        ]
        assert client.runs("plain")[1].error == "RuntimeError: no"
        with pytest.raises(ss.BackendError, match="'unreadable' cannot be read"):
            client.get("unreadable")
        backend.close()

    def test_its_queues_are_held_but_for_the_first(self, path: Path) -> None:
        make_version_1(path)
        store = Store(path)
        found = store._rows("SELECT job, held FROM runs WHERE status = 'pending' ORDER BY id")
        assert found == [
            ("plain", None),
            ("plain", None),
            ("queue", None),
            ("queue", QUEUED),
            ("queue", QUEUED),
        ]
        store.close()

    def test_its_zones_are_read_from_the_definitions(self, path: Path) -> None:
        make_version_1(path)
        backend = ss.LocalBackend(path, clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        assert client.get("paris").next_run is not None
        assert str(client.get("paris").next_run) == "2030-01-07 09:00:00+01:00"
        assert str(client.runs("paris")[0].scheduled_for) == "2030-01-07 01:00:00+01:00"
        assert str(client.runs("plain")[0].scheduled_for) == "2030-01-07 00:00:00+00:00"
        backend.close()

    def test_what_failed_is_told_from_what_was_only_begun(self, path: Path) -> None:
        make_version_1(path)
        store = Store(path)
        rows = [row for row in store.runs(RunQuery(job="plain")) if isinstance(row, RunRow)]
        # The one that runs has failed once before; the one whose process ended has never failed.
        assert [(row.failures, row.crashes) for row in rows[2:]] == [(1, 0), (2, 0), (0, 0)]
        store.close()

    def test_what_waits_in_it_runs(self, path: Path) -> None:
        make_version_1(path)
        backend = ss.LocalBackend(path, clock=FakeClock(T0 + 4 * HOUR))
        client = ss.SchedulerClient(backend)
        backend.run_until(T0 + 4 * HOUR + MINUTE)
        queued = client.runs("queue")
        assert [run.status.value for run in queued] == ["succeeded"] * 4
        assert [run.attempt for run in queued] == [1] * 4
        assert [run.status.value for run in client.runs("plain")[3:]] == ["succeeded"] * 2
        backend.close()

    def test_a_process_of_an_earlier_version_goes_on_and_ends_a_pause_with_its_reason(
        self, path: Path
    ) -> None:
        make_version_1(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as earlier:
            earlier.execute("SELECT * FROM jobs").fetchall()
            backend = ss.LocalBackend(path, clock=FakeClock(T0))
            client = ss.SchedulerClient(backend)
            reasons = [client.pause("plain", reason="closing").pause_reason]
            earlier.execute("UPDATE jobs SET updated_at = updated_at + 1, status = 'paused'")
            reasons.append(client.get("plain").pause_reason)
            for status in ("active", "paused"):
                earlier.execute("UPDATE jobs SET status = ? WHERE name = 'plain'", (status,))
                reasons.append(client.get("plain").pause_reason)
            assert reasons == ["closing", "closing", None, None]
            backend.close()

    def test_a_second_opening_changes_nothing(self, path: Path) -> None:
        make_version_1(path)
        Store(path).close()
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("UPDATE runs SET held = NULL, failures = 7")
        before = dump(path)
        Store(path).close()
        assert dump(path) == before

    @pytest.mark.parametrize(
        "trigger",
        [
            pytest.param("UPDATE ON runs", id="while runs are changed"),
            pytest.param("UPDATE ON jobs", id="while zones are named"),
        ],
    )
    def test_one_that_fails_in_the_middle_has_changed_nothing(self, path: Path, trigger: str) -> None:
        make_version_1(path, f"CREATE TRIGGER no BEFORE {trigger} BEGIN SELECT RAISE(ABORT, 'no'); END;")
        before = dump(path)
        error = refusal(path)
        assert (error.operation, str(path) in str(error)) == ("open", True)
        assert dump(path) == before
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("DROP TRIGGER no")
        assert names_in(path)[0] == "paris"

    @posix
    def test_one_whose_process_is_killed_has_changed_nothing(self, path: Path) -> None:
        make_version_1(path)
        before = dump(path)
        program = (
            "import os, signal, sqlite3, sys; from stepsched.backends.local.schema import migrate\n"
            "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "db.execute('PRAGMA cache_size = 1'); db.execute('BEGIN IMMEDIATE'); migrate(db, 1)\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        done = subprocess.run([sys.executable, "-c", program, path], cwd=ROOT, check=False, timeout=60)
        assert done.returncode == -signal.SIGKILL
        assert dump(path) == before
        assert names_in(path)[0] == "paris"

    def test_several_that_open_it_at_once_migrate_it_once(self, path: Path) -> None:
        make_version_1(path)
        failures, ready = list[BaseException](), threading.Barrier(5)

        def open_it() -> None:
            ready.wait(PATIENCE)
            try:
                Store(path).close()
            except BaseException as error:  # noqa: BLE001 -- shown below
                failures.append(error)

        threads = [threading.Thread(target=open_it) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert failures == []
        store = Store(path)
        assert store._rows("SELECT count(*) FROM runs WHERE held = 'queue'") == [(2,)]
        store.close()

    def test_every_migration_leads_to_the_same_tables_from_nothing(self) -> None:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            migrate(db, 0)
            assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
            assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


# -- forks ---------------------------------------------------------------------------------------------


def fork(child: Callable[[], object]) -> int:
    """Forks; the child does its work and ends at once, whatever becomes of it."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        child()
        code = 0
    except BaseException:  # noqa: BLE001 -- shown, and told by the code
        traceback.print_exc()
    finally:
        os._exit(code)


def end_of(pid: int) -> int:
    """How the child ended; one that hangs is killed and fails the test."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            pytest.fail("the child hangs")
        threading.Event().wait(0.005)


def fork_and_write(path: str, forkers: str) -> None:
    """Several threads fork while others write; prints how many jobs there are, children's too."""
    store, second = Store(path), Store(path)  # two that are open at once
    ended, failures, is_over = list[int](), list[BaseException](), threading.Event()
    written = list[int]()
    insert(store, "first-of-all")  # pydantic builds what it needs with a lock of its own held

    def write(name: str, into: Store) -> None:
        number = 0
        while not is_over.is_set():
            insert(into, f"{name}-{number}")
            number += 1
            is_over.wait(0.001)  # SQLite's lock is not fair: others are to come in
        written.append(number)

    def forks(name: str) -> None:
        try:
            for number in range(8):
                child = f"{name}-{number}"
                ended.append(end_of(fork(lambda child=child: insert(store, child))))  # type: ignore[misc]
        except BaseException as error:  # noqa: BLE001 -- shown below
            failures.append(error)

    writers = [
        threading.Thread(target=write, args=("first", store)),
        threading.Thread(target=write, args=("second", second)),
    ]
    forking = [threading.Thread(target=forks, args=(f"child-{number}",)) for number in range(int(forkers))]
    for thread in (*writers, *forking):
        thread.start()
    for thread in forking:
        thread.join()
    is_over.set()
    for thread in writers:
        thread.join()
    assert (failures, ended) == ([], [0] * 8 * int(forkers)), (failures, ended)
    assert len(written) == 2
    print(1 + sum(written) + len(ended))
    store.close()
    second.close()


@posix
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
class TestForks:
    def test_a_child_writes_to_the_file_while_its_parent_closes_it(self, path: Path) -> None:
        store = Store(path)
        insert(store)
        mine, theirs = os.pipe()

        def child() -> None:
            os.read(mine, 1)  # until the parent has closed
            insert(store, "child")
            assert names(store) == ["child", "job"]
            store.close()

        pid = fork(child)
        insert(store, "parent")
        store.close()
        assert names_in(path) == ["job", "parent"]
        # Its own connection: it sees what was there at the fork, and what came afterwards.
        os.write(theirs, b"x")
        os.close(theirs)
        os.close(mine)
        assert end_of(pid) == 1  # "parent" stands there besides
        assert names_in(path) == ["child", "job", "parent"]

    def test_a_parent_writes_to_the_file_when_its_child_has_ended(self, store: Store, path: Path) -> None:
        insert(store)
        assert end_of(fork(lambda: insert(store, "child"))) == 0
        insert(store, "parent")
        assert names(store) == ["child", "job", "parent"]
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_children_of_children_write_too(self, store: Store) -> None:
        def child() -> None:
            insert(store, "child")
            assert end_of(fork(lambda: insert(store, "grandchild"))) == 0
            insert(store, "child-again")

        assert end_of(fork(child)) == 0
        assert names(store) == ["child", "child-again", "grandchild"]

    def test_jobs_in_memory_stay_those_of_their_process_and_the_cure_is_named(self) -> None:
        backend = ss.LocalBackend(clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        client.create(job())

        def child() -> None:
            for verb in (client.list, lambda: client.create(job("child")), lambda: client.get("job")):
                with pytest.raises(ss.BackendError, match="create a LocalBackend after the fork") as caught:
                    verb()
                assert caught.value.code == "FORKED"
                assert "or use a file" in str(caught.value)
            own = ss.SchedulerClient(ss.LocalBackend())
            own.create(job("own"))
            assert [record.name for record in own.list()] == ["own"]
            backend.close()

        assert end_of(fork(child)) == 0
        client.create(job("parent"))
        assert [record.name for record in client.list()] == ["job", "parent"]
        backend.close()

    def test_what_is_closed_stays_closed_in_a_child(self, path: Path) -> None:
        store = Store(path)
        store.close()

        def child() -> None:
            with pytest.raises(ss.BackendError) as caught:
                names(store)
            assert caught.value.code == "CLOSED"

        assert end_of(fork(child)) == 0

    def test_a_child_makes_no_new_file_where_it_is_gone(self, store: Store, path: Path) -> None:
        insert(store)

        def child() -> None:
            path.unlink()
            with pytest.raises(ss.BackendError) as caught:
                names(store)
            assert caught.value.code == "REPLACED"
            assert not path.exists()

        assert end_of(fork(child)) == 0

    def test_a_fork_inside_a_transaction_leaves_it_to_the_parent(self, store: Store) -> None:
        def child() -> None:
            with pytest.raises(ss.BackendError, match="create a LocalBackend after the fork") as caught:
                names(store)
            assert caught.value.code == "FORKED"

        with store.transaction("test"):
            insert(store, "first")
            pid = fork(child)
            insert(store, "second")
        assert end_of(pid) == 0
        assert names(store) == ["first", "second"]

    @pytest.mark.skipif(sys.platform != "linux", reason="needs the C library's own fork")
    def test_a_fork_that_python_did_not_announce_is_noticed(self, store: Store) -> None:
        insert(store)
        libc = ctypes.PyDLL(None)
        pid = libc.fork()
        if not pid:
            code = 1
            try:
                with pytest.raises(ss.BackendError, match="a fork that Python did not announce") as caught:
                    names(store)
                code = 0 if caught.value.code == "FORKED" else 2
            finally:
                os._exit(code)
        assert end_of(pid) == 0
        insert(store, "parent")
        assert names(store) == ["job", "parent"]

    @pytest.mark.skipif(sys.platform != "linux", reason="needs the C library's own fork")
    @pytest.mark.parametrize(
        ("in_memory", "announced"),
        [(True, True), (True, False), (False, False)],  # a file is closed before a fork that is announced
        ids=["memory", "memory, not announced", "file, not announced"],
    )
    def test_a_child_that_drops_a_backend_leaves_the_connection_of_its_parent_open(
        self, path: Path, in_memory: bool, announced: bool
    ) -> None:
        backend = [ss.LocalBackend(None if in_memory else path, clock=FakeClock(T0))]
        ss.SchedulerClient(backend[0]).create(job())
        connection = backend[0]._store._db
        pid = os.fork() if announced else ctypes.PyDLL(None).fork()
        if not pid:
            code = 1
            try:
                backend.clear()
                gc.collect()
                connection.execute("PRAGMA user_version")  # without reading the file: whether it is open
                code = 0
            finally:
                os._exit(code)
        assert end_of(pid) == 0
        assert [record.name for record in ss.SchedulerClient(backend[0]).list()] == ["job"]
        backend[0].close()

    @pytest.mark.parametrize("forkers", [1, 2], ids=["one that forks", "two that fork"])
    def test_forks_while_other_threads_write_hang_nobody_and_lose_nothing(
        self, path: Path, forkers: int
    ) -> None:
        program = "import sys; from tests.unit.local.test_database import *; fork_and_write(*sys.argv[1:])"
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program, path, str(forkers)],
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            told, errors = process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"it hangs: {process.communicate()[1]}")
        assert (process.returncode, errors) == (0, "")
        assert len(names_in(path)) == int(told)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_a_child_may_fire_what_its_parent_stored(self, path: Path) -> None:
        backend = ss.LocalBackend(path, clock=FakeClock(T0))
        client = ss.SchedulerClient(backend)
        client.create(job())

        def child() -> None:
            assert backend.run_until(T0 + 2 * HOUR) == 2
            backend.close()

        assert end_of(fork(child)) == 0
        assert [run.status.value for run in client.runs()] == ["succeeded"] * 2
        backend.close()


def test_of_a_file_of_ours_no_more_than_its_header_is_read_before_it_is_opened(path: Path) -> None:
    """Another process may be writing all the rest at this moment."""
    store = Store(path)
    insert(store)
    store.close()
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[:100] + bytes(len(whole) - 100))
    database._refuse_foreign(Path(path), path)
    Path(path).write_bytes(whole[:68] + b"\1\2\3\4" + whole[72:100] + bytes(len(whole) - 100))
    with pytest.raises(ss.BackendError, match="belongs to another program"):
        database._refuse_foreign(Path(path), path)


def test_a_damaged_row_is_no_job_row(store: Store) -> None:
    insert(store)
    store._db.execute("UPDATE jobs SET status = 'nonsense'")
    assert isinstance(store.job("job"), DamagedRow)


def test_a_damaged_index_of_due_jobs_is_repaired(path: Path) -> None:
    with ss.LocalBackend(path, clock=FakeClock(T0)) as backend:
        ss.SchedulerClient(backend).create(job("job"))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        (index,) = db.execute("SELECT * FROM sqlite_master WHERE name = 'jobs_due'").fetchall()
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM sqlite_master WHERE name = 'jobs_due'")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE jobs SET next_run = next_run + 7200000000")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", index)
    with closing(sqlite3.connect(path)) as db:
        assert "jobs_due" in db.execute("PRAGMA integrity_check").fetchone()[0]
    with ss.LocalBackend(path, clock=FakeClock(T0 + 4 * HOUR), handlers_from=["tests"]) as backend:
        backend.run_until(T0 + 5 * HOUR)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
