"""Processes that fire one file are killed at random instants: every run happens, and is recorded once.

A worker is killed with SIGKILL, which no program can catch, and started again; jobs that are due come in
all the while, and such that come due within seconds: with jitter, with a first attempt that fails, with runs
that must not overlap, and some that are cancelled meanwhile. At the end the file must tell of every scheduled
instant exactly once, and the log, which the jobs write themselves, must know no attempt that the file keeps
quiet about.

Where workers are of several hosts, which namespaces of processes stand for, none sees that another has ended:
leases alone tell.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import stepsched as ss
from stepsched.backends.local import policy
from stepsched.backends.local.leases import LEASE
from stepsched.backends.local.turns import GONE
from stepsched.jobs.records import STILL_RAN
from stepsched.testing import FakeClock
from tests.proof import attempts

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
PAST = datetime(2020, 1, 1, tzinfo=timezone.utc)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
ELSEWHERE = ("unshare", "--map-root-user", "--pid", "--mount-proc", "--fork", "--kill-child")
"""Begins a command that shall run as if on another host: in a namespace of processes of its own."""
LOW = 300
"""Where fewer runs than this are left, more jobs are created before the next kill."""


class Report(NamedTuple):
    """What came of it."""

    kills: int
    runs: int
    restarted: int
    """Runs whose attempt was cut off and started again."""
    repeated: int
    """Runs of which the log tells more than one attempt."""

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.runs} runs, {self.restarted} started again, "
            f"{self.repeated} of them begun more than once"
        )


class Worker:
    """A process that fires the file.

    Args:
        path: The file.
        errors: Where its standard error goes.
        elsewhere: Whether it runs as if on another host.
    """

    def __init__(self, path: Path, errors: Path, *, elsewhere: bool = False) -> None:
        self._elsewhere = elsewhere
        command = [sys.executable, "-m", "tests.proof.worker", str(path)]
        with errors.open("a") as file:
            self._process = subprocess.Popen(
                [*ELSEWHERE, *command] if elsewhere else command,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        self._is_ready = False

    def await_ready(self) -> None:
        assert self._process.stdout is not None
        if not self._is_ready:
            assert self._process.stdout.readline() == "ready\n", "a worker did not start"
            self._is_ready = True

    def kill(self) -> None:
        self._process.kill()  # where it is elsewhere, it takes the worker with it
        assert self._end() == -signal.SIGKILL, "the worker had ended by itself"

    def finish(self) -> None:
        """Tells it to end, which it must do in order."""
        self.await_ready()
        os.kill(self._pid(), signal.SIGTERM)
        assert self._end() == 0

    def abandon(self) -> None:
        """Whatever became of it, it runs no longer."""
        if self._process.poll() is None:
            self._process.kill()
        self._end()

    def _pid(self) -> int:
        """The number of the worker's own process, here."""
        pid = self._process.pid
        if self._elsewhere:
            pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
        return pid

    def _end(self) -> int:
        code = self._process.wait(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code


class Jobs:
    """Creates jobs that are due or soon will be, and knows by plain arithmetic when they should run."""

    def __init__(self, path: Path, log: Path, rng: random.Random) -> None:
        self.expected = set[tuple[str, int]]()
        """Job and instant of all runs that must be."""
        self.cancelled = set[tuple[str, int]]()
        """Of those that may be: their job was cancelled at about the time."""
        self._log = str(log)
        self._rng = rng
        self._backends = [ss.LocalBackend(path, clock=FakeClock(PAST)), ss.LocalBackend(path)]
        self._past, self._present = map(ss.SchedulerClient, self._backends)
        self._doomed = list[str]()
        self._number = 0

    def create(self, count: int) -> None:
        """Jobs with about ``count`` runs, all due already."""
        most, jobs = len(self.expected) + count, list[ss.Job]()
        while len(self.expected) < most:
            jobs.append(self._make())
        self._past.create_many(jobs)

    def create_soon(self, count: int) -> None:
        """Jobs that come due within the next seconds; some of the last call are cancelled."""
        while self._doomed:
            with suppress(ss.JobNotFoundError):  # it has run
                self._present.cancel(self._doomed.pop())
        now = self._present.backend.now().replace(microsecond=0) + SECOND
        self._present.create_many([self._make_soon(now) for _ in range(count)])

    def close(self) -> None:
        for backend in self._backends:
            backend.close()

    def create_long(self, seconds: float) -> str:
        """A job whose run, due already, takes its time."""
        self.expected.add(("long", attempts.micros(PAST + MINUTE)))
        payload = {"log": self._log, "seconds": str(seconds)}
        target = ss.HandlerTarget(attempts.note)
        self._past.create(
            ss.Job(name="long", schedule=ss.OneTime(PAST + MINUTE), target=target, input=payload)
        )
        return "long"

    def _make_soon(self, now: datetime) -> ss.Job:
        self._number += 1
        kind = self._rng.choice(["plain", "jitter", "falter", "skip", "cancel"])
        name = f"{kind}-{self._number}"
        first = now + self._rng.randrange(1, 4) * SECOND
        job = ss.Job(
            name=name,
            schedule=ss.OneTime(first),
            target=ss.HandlerTarget(attempts.note),
            input={"log": self._log},
        )
        if kind == "skip":
            instants = [first + number * SECOND for number in range(3)]
            self.expected.update((name, attempts.micros(instant)) for instant in instants)
            schedule = ss.Windowed(first, every=ss.Frequency(seconds=1), end=instants[-1])
            payload = {"log": self._log, "seconds": self._rng.choice(["0.1", "1.2"])}
            return job.replace(schedule=schedule, overlap=ss.Overlap.SKIP, input=payload)
        (self.cancelled if kind == "cancel" else self.expected).add((name, attempts.micros(first)))
        match kind:
            case "cancel":
                self._doomed.append(name)
            case "jitter":
                return job.replace(jitter=SECOND)
            case "falter":
                retry = ss.Retry(interval=timedelta(milliseconds=200))
                return job.replace(target=ss.HandlerTarget(attempts.falter), retry=retry)
        return job

    def _make(self) -> ss.Job:
        self._number += 1
        name = f"job-{self._number}"
        first = PAST + self._rng.randrange(1, 1_000) * MINUTE
        repeats = self._rng.choice([1, 1, 1, 1, 10, 40])
        instants = [first + number * MINUTE for number in range(repeats)]
        self.expected.update((name, attempts.micros(instant)) for instant in instants)
        schedule: ss.Schedule = ss.OneTime(first)
        if repeats > 1:
            kind = self._rng.choice(["rate", "cron", "windowed"])
            if kind == "rate":
                schedule = ss.Rate(MINUTE, start=first, end=instants[-1])
            elif kind == "cron":
                schedule = ss.Cron("* * * * ? *", start=first, end=instants[-1])
            else:
                schedule = ss.Windowed(first, every=ss.Frequency(minutes=1), end=instants[-1])
        overlap = self._rng.choice([ss.Overlap.ALLOW, ss.Overlap.ALLOW, ss.Overlap.QUEUE])
        payload = {"log": self._log}
        target: ss.Target = ss.HandlerTarget(attempts.note)
        draw = self._rng.random()
        if repeats == 1 and draw < 0.05:
            text = attempts.line(name, first, 0)
            target = ss.CommandTarget(["/bin/sh", "-c", 'echo "$1" >> "$2"', "sh", text, self._log])
        elif draw < 0.1:
            payload["seconds"] = "0.005"
        return ss.Job(name=name, schedule=schedule, target=target, input=payload, overlap=overlap)


def play(
    folder: Path,
    *,
    seed: int,
    kills: int,
    workers: int,
    first_jobs: int,
    elsewhere: bool = False,
    pause: float = 0.12,
) -> Report:
    """Kills random workers at random instants, lets the last ones finish, and checks what stands.

    Args:
        folder: For the file and the logs.
        seed: Of chance.
        kills: How many.
        workers: How many are alive at a time.
        first_jobs: With about so many runs it begins.
        elsewhere: Whether each worker is of a host of its own. The first of them is never killed then, and
            has a run that takes longer than leases last.
        pause: The longest pause between two kills, in seconds.
    """
    path, log, errors = folder / "jobs.db", folder / "attempts.log", folder / "errors.log"
    rng = random.Random(seed)
    jobs = Jobs(path, log, rng)
    alive = list[Worker]()
    try:
        if elsewhere:
            long = jobs.create_long(2.5 * LEASE.total_seconds())
            alive.append(Worker(path, errors, elsewhere=True))
            await_that(lambda: log.exists() and long in log.read_text())
        jobs.create(first_jobs)
        alive += [Worker(path, errors, elsewhere=elsewhere) for _ in range(workers - len(alive))]
        for _ in range(kills):
            place = rng.randrange(int(elsewhere), workers)
            if rng.random() < 0.85:  # otherwise while it starts
                alive[place].await_ready()
            threading.Event().wait(rng.uniform(0, pause))
            alive[place].kill()
            if len(jobs.expected) - ended(path) < LOW:
                jobs.create(first_jobs)
            jobs.create_soon(5)
            alive[place] = Worker(path, errors, elsewhere=elsewhere)
        jobs.create_soon(0)
        await_that(lambda: not going_on(path, jobs.expected))
        for worker in alive:
            worker.finish()
    finally:
        for worker in alive:
            worker.abandon()
        jobs.close()
    trouble = errors.read_text()
    own = [line for line in trouble.splitlines() if "Traceback" in line and not line.startswith("  | ")]
    assert own == [], trouble  # those of handlers are indented
    assert "no longer held by this worker" not in trouble, "the living were taken for dead"
    restarted, repeated = check(path, log, jobs.expected, jobs.cancelled)
    if elsewhere:
        runs = read(path, "SELECT attempt, restarted FROM runs WHERE job = 'long'")
        assert runs == [(1, 0)], "the living were taken for dead"
    return Report(kills, len(jobs.expected), restarted, repeated)


def await_that(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it takes too long"
        threading.Event().wait(0.05)


def ended(path: Path) -> int:
    return sum(count for status, count in statuses(path) if status not in ("pending", "running"))


def going_on(path: Path, expected: AbstractSet[tuple[str, int]]) -> bool:
    """Whether a run has still to end, or to be recorded."""
    (open_runs, all_runs), *_ = read(
        path, "SELECT count(CASE WHEN status IN ('pending', 'running') THEN 1 END), count(*) FROM runs"
    )
    return open_runs > 0 or all_runs < len(expected) or not expected <= recorded_in(path).keys()


def statuses(path: Path) -> list[tuple[str, int]]:
    return read(path, "SELECT status, count(*) FROM runs GROUP BY status")


def recorded_in(path: Path) -> Counter[tuple[str, int]]:
    return Counter(read(path, "SELECT job, scheduled_for FROM runs"))


def read(path: Path, statement: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(path, timeout=PATIENCE)
    try:
        return db.execute(statement).fetchall()
    finally:
        db.close()


def check(
    path: Path, log: Path, expected: set[tuple[str, int]], cancelled: set[tuple[str, int]]
) -> tuple[int, int]:
    """What must hold of the file and of the log; how many runs were started again, and begun twice."""
    assert read(path, "PRAGMA integrity_check") == [("ok",)], "the file is damaged"
    assert read(path, "SELECT job, scheduled_for FROM runs WHERE trigger <> 'schedule'") == []
    recorded = recorded_in(path)
    assert expected <= recorded.keys() <= expected | cancelled
    assert max(recorded.values()) == 1, "a scheduled instant has two runs"
    others = read(path, "SELECT job, scheduled_for, status, error FROM runs WHERE status <> 'succeeded'")
    assert [run for run in others if not has_reason(run[0].partition("-")[0], *run[2:])] == []
    passed_over = {(job, instant) for job, instant, status, _ in others if status == "skipped"}
    assert read(path, "SELECT name, 1 FROM jobs WHERE status <> 'ended' OR next_run IS NOT NULL") == []

    logged = attempts.read(log)
    begun = Counter((job, instant) for job, instant, _ in logged)
    assert begun.keys() == recorded.keys() - passed_over, (
        "a run is recorded as ended and was never begun, or the reverse"
    )
    restarted = set(read(path, "SELECT job, scheduled_for FROM runs WHERE restarted = 1"))
    again = set(read(path, "SELECT job, scheduled_for FROM runs WHERE attempt > 1"))
    faltering = {(job, instant) for job, instant in expected if job.startswith("falter")}
    assert faltering <= again, "its first attempt has failed"
    assert again - faltering <= restarted, "only the end of a process makes another attempt of the others"
    repeated = {run for run, times in begun.items() if times > 1} - faltering
    assert repeated <= restarted, "a run was begun twice and does not say so"
    counted = Counter(line for line in logged if line[2])
    assert max(counted.values()) == 1, "two attempts of one run bear the same number"
    return len(restarted), len(repeated)


def has_reason(kind: str, status: str, error: str) -> bool:
    """Whether a run of a kind of job may end like that."""
    if status == "skipped":
        return error == {"skip": STILL_RAN, "cancel": "the job was cancelled"}.get(kind)
    may_end = error == policy.cut_off(4)  # three restarts are allowed
    return status == "failed" and (may_end or (kind == "cancel" and error.endswith(GONE)))


needs_kill = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of Unix")


@needs_kill
@pytest.mark.parametrize(
    ("workers", "kills"),
    [pytest.param(1, 8, id="one", marks=pytest.mark.proof), pytest.param(3, 12, id="three")],
)
def test_killed_workers_lose_no_run_and_record_none_twice(tmp_path: Path, workers: int, kills: int) -> None:
    report = play(tmp_path, seed=workers, kills=kills, workers=workers, first_jobs=800)
    print(report)
    assert report.kills == kills


@needs_kill
@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("workers", [pytest.param(1, id="one"), pytest.param(3, id="three")])
@pytest.mark.parametrize("seed", range(5))
def test_hundreds_of_kills_lose_no_run_and_record_none_twice(
    tmp_path: Path, workers: int, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report = play(tmp_path, seed=100 + seed, kills=50, workers=workers, first_jobs=1_500, pause=0.3)
    with capsys.disabled():
        print(f"\n{workers} workers: {report}")
    assert report.restarted > 0, "no kill has hit a run: the proof proves nothing"


@needs_kill
@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is of Linux")
@pytest.mark.parametrize("seed", range(2))
def test_where_nobody_sees_that_a_worker_has_ended_its_lease_does(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each worker is of a host of its own: the runs of the killed go on once their lease has stood still, and
    a run of the living that takes longer is left to it."""
    report = play(tmp_path, seed=200 + seed, kills=25, workers=3, first_jobs=1_500, elsewhere=True, pause=3)
    with capsys.disabled():
        print(f"\nhosts: {report}")
    assert report.restarted > 0, "no kill has hit a run: the proof proves nothing"
