"""Processes that fire one file are killed at random instants: every run happens, and is recorded once.

A worker is killed with SIGKILL, which no program can catch, and started again; jobs that are due come in
all the while. At the end the file must tell of every scheduled instant exactly once, and the log, which
the jobs write themselves, must know no attempt that the file keeps quiet about.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import stepsched as ss
from stepsched.testing import FakeClock
from tests.proof import attempts

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
PAST = datetime(2020, 1, 1, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
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
    """A process that fires the file."""

    def __init__(self, path: Path, errors: Path) -> None:
        with errors.open("a") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.proof.worker", str(path)],
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
        self._process.kill()
        assert self._end() == -signal.SIGKILL, "the worker had ended by itself"

    def finish(self) -> None:
        """Tells it to end, which it must do in order."""
        self.await_ready()
        self._process.terminate()
        assert self._end() == 0

    def abandon(self) -> None:
        """Whatever became of it, it runs no longer."""
        if self._process.poll() is None:
            self._process.kill()
        self._end()

    def _end(self) -> int:
        code = self._process.wait(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code


class Jobs:
    """Creates jobs that are due, and knows by plain arithmetic when they should have run."""

    def __init__(self, path: Path, log: Path, rng: random.Random) -> None:
        self.expected = set[tuple[str, int]]()
        self._log = str(log)
        self._rng = rng
        self._backend = ss.LocalBackend(path, clock=FakeClock(PAST))
        self._client = ss.SchedulerClient(self._backend)
        self._number = 0

    def create(self, count: int) -> None:
        """Jobs with about ``count`` runs, all due already."""
        most, jobs = len(self.expected) + count, list[ss.Job]()
        while len(self.expected) < most:
            jobs.append(self._make())
        self._client.create_many(jobs)

    def close(self) -> None:
        self._backend.close()

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


def play(folder: Path, *, seed: int, kills: int, workers: int, first_jobs: int) -> Report:
    """Kills random workers at random instants, lets the last ones finish, and checks what stands."""
    path, log, errors = folder / "jobs.db", folder / "attempts.log", folder / "errors.log"
    rng = random.Random(seed)
    jobs = Jobs(path, log, rng)
    jobs.create(first_jobs)
    alive = [Worker(path, errors) for _ in range(workers)]
    try:
        for _ in range(kills):
            place = rng.randrange(workers)
            if rng.random() < 0.85:  # otherwise while it starts
                alive[place].await_ready()
            threading.Event().wait(rng.uniform(0, 0.12))
            alive[place].kill()
            if len(jobs.expected) - ended(path) < LOW:
                jobs.create(first_jobs)
            alive[place] = Worker(path, errors)
        deadline = time.monotonic() + PATIENCE
        while ended(path) < len(jobs.expected):
            assert time.monotonic() < deadline, f"{ended(path)} of {len(jobs.expected)} runs have ended"
            threading.Event().wait(0.05)
        for worker in alive:
            worker.finish()
    finally:
        for worker in alive:
            worker.abandon()
        jobs.close()
    trouble = errors.read_text()
    assert "Traceback" not in trouble, trouble
    assert "no longer held by this worker" not in trouble, "the living were taken for dead"
    restarted, repeated = check(path, log, jobs.expected)
    return Report(kills, len(jobs.expected), restarted, repeated)


def ended(path: Path) -> int:
    return sum(count for status, count in statuses(path) if status not in ("pending", "running"))


def statuses(path: Path) -> list[tuple[str, int]]:
    return read(path, "SELECT status, count(*) FROM runs GROUP BY status")


def read(path: Path, statement: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(path, timeout=PATIENCE)
    try:
        return db.execute(statement).fetchall()
    finally:
        db.close()


def check(path: Path, log: Path, expected: set[tuple[str, int]]) -> tuple[int, int]:
    """What must hold of the file and of the log; how many runs were started again, and begun twice."""
    assert read(path, "PRAGMA integrity_check") == [("ok",)], "the file is damaged"
    assert read(path, "SELECT job, scheduled_for FROM runs WHERE trigger <> 'schedule'") == []
    recorded = Counter(read(path, "SELECT job, scheduled_for FROM runs"))
    assert set(recorded) == expected
    assert max(recorded.values()) == 1, "a scheduled instant has two runs"
    assert statuses(path) == [("succeeded", len(expected))]
    assert read(path, "SELECT name, 1 FROM jobs WHERE status <> 'ended' OR next_run IS NOT NULL") == []

    logged = attempts.read(log)
    begun = Counter((job, instant) for job, instant, _ in logged)
    assert set(begun) == expected, "a run is recorded as succeeded and was never begun, or the reverse"
    restarted = set(read(path, "SELECT job, scheduled_for FROM runs WHERE restarted = 1"))
    again = set(read(path, "SELECT job, scheduled_for FROM runs WHERE attempt > 1"))
    assert again <= restarted, "no run failed here: only the end of a process makes another attempt"
    repeated = {run for run, times in begun.items() if times > 1}
    assert repeated <= restarted, "a run was begun twice and does not say so"
    counted = Counter(line for line in logged if line[2])
    assert max(counted.values()) == 1, "two attempts of one run bear the same number"
    return len(restarted), len(repeated)


needs_kill = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of Unix")


@needs_kill
@pytest.mark.parametrize(
    ("workers", "kills"), [pytest.param(1, 8, id="one"), pytest.param(3, 12, id="three")]
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
    report = play(tmp_path, seed=100 + seed, kills=50, workers=workers, first_jobs=1_500)
    with capsys.disabled():
        print(f"\n{workers} workers: {report}")
    assert report.restarted > 0, "no kill has hit a run: the proof proves nothing"
