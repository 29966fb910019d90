"""Ctrl-C at random instants of command lines: exit code 130, no traceback, and nothing half done.

python -m pytest -m proof tests/proof/test_interrupts.py
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import stepsched as ss

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.name != "posix", reason="signals of POSIX"),
]
ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 30
MANY = 2_000
START = """
import sys
from stepsched.cli import main
print("ready", file=sys.stderr, flush=True)
main()
"""
"""Begins a command line, and says when the interpreter is ready: what happens before is none of ours."""


def job(number: int) -> ss.Job:
    target = ss.CommandTarget([sys.executable, "-c", "pass"])
    return ss.Job(name=f"job-{number}", schedule=ss.Rate(timedelta(days=1)), target=target)


def folder_with(path: Path, count: int) -> Path:
    """Makes ``jobs.db`` with some jobs, of which the first has a run that nothing starts."""
    with ss.SchedulerClient(ss.LocalBackend(path / "jobs.db")) as client:
        client.create_many([job(number).replace(enabled=False) for number in range(count)])
        client.run_now("job-0")
    return path


def interrupted(folder: Path, arguments: list[str], longest: float, chance: random.Random) -> tuple[int, str]:
    """Runs a command line and interrupts it at a random instant.

    Returns:
        The exit code, and what it has written to the standard error stream.
    """
    with subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "STEPSCHED_BACKEND": "local:jobs.db"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stderr is not None
        assert child.stderr.readline() == b"ready\n"
        threading.Event().wait(chance.uniform(0, longest))
        child.send_signal(signal.SIGINT)
        if not select.select([child.stderr], [], [], 60)[0]:
            child.kill()
            raise AssertionError("it goes on")
        err = child.stderr.read().decode()
    return child.returncode, err


def check(
    folder: Path,
    arguments: list[str],
    longest: float,
    after: Callable[[], object] = lambda: None,
    *,
    ends: tuple[int, ...] = (130,),
) -> None:
    """Interrupts a command line many times.

    Args:
        folder: Where it runs.
        arguments: The command line.
        longest: The longest time in seconds before it is interrupted.
        after: Called after each round.
        ends: The exit codes that tell of the interruption. Besides there is that of a process which has done
            everything and ends by the signal itself, and 0 if it was too late.
    """
    chance = random.Random(15)
    codes = Counter[int]()
    for _ in range(ROUNDS):
        code, err = interrupted(folder, arguments, longest, chance)
        codes[code] += 1
        assert "Traceback" not in err, err
        assert "Exception ignored" not in err, err
        assert code in (*ends, -signal.SIGINT, 0), (code, err)
        after()
    print(f"{' '.join(arguments)}: {dict(codes)}")
    assert set(codes) & {*ends}


def test_list_can_be_interrupted(tmp_path: Path) -> None:
    check(folder_with(tmp_path, 300), ["list", "-o", "table"], 0.8)


def test_apply_can_be_interrupted_and_completes_when_it_is_repeated(tmp_path: Path) -> None:
    wanted = [job(number) for number in range(MANY)]
    folder_with(tmp_path, 1)
    ss.dump_jobs(wanted, tmp_path / "jobs.json")
    counts = list[int]()

    def after() -> None:
        with ss.SchedulerClient(ss.LocalBackend(tmp_path / "jobs.db")) as client:
            stored = {record.name: record.job for record in client.list()}
            counts.append(len(stored))
            assert all(stored[each.name].schedule == each.schedule for each in wanted if each.name in stored)

    check(tmp_path, ["apply", "jobs.json"], 2.5, after)
    print(f"jobs after each interruption: {counts}")
    done = subprocess.run(
        [sys.executable, "-m", "stepsched", "apply", "jobs.json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "STEPSCHED_BACKEND": "local:jobs.db"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in done.stderr
    with ss.SchedulerClient(ss.LocalBackend(tmp_path / "jobs.db")) as client:
        assert client.plan(wanted).is_empty
        assert len(client.list()) == MANY


def test_logs_that_follow_can_be_interrupted(tmp_path: Path) -> None:
    check(folder_with(tmp_path, 10), ["logs", "--follow", "-o", "json"], 1.2)


def test_wait_can_be_interrupted(tmp_path: Path) -> None:
    check(folder_with(tmp_path, 10), ["wait", "job-0"], 1.2)


def test_serve_can_be_interrupted_and_leaves_no_run_half_done(tmp_path: Path) -> None:
    with ss.SchedulerClient(ss.LocalBackend(tmp_path / "jobs.db")) as client:
        client.create_many(job(number) for number in range(20))

    def after() -> None:
        with ss.SchedulerClient(ss.LocalBackend(tmp_path / "jobs.db")) as client:
            assert client.runs(status=ss.RunStatus.RUNNING) == []
            for number in range(20):
                client.run_now(f"job-{number}")

    check(tmp_path, ["serve", "jobs.db"], 1.5, after)
