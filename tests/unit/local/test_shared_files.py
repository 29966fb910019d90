"""The connection to the file beside others of the same process, of other processes and of forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.local.process import worker_name
from stepsched.testing import FakeClock

NEVER = ss.Cron("0 0 1 1 ? *")
COUNTS = """
import sys, stepsched as ss
with ss.LocalBackend(sys.argv[1]) as backend:
    print(len(ss.SchedulerClient(backend).list()))
"""


def create(backend: ss.LocalBackend, name: str) -> None:
    target = ss.HandlerTarget("os:getcwd")
    ss.SchedulerClient(backend).create(ss.Job(name=name, schedule=NEVER, target=target))


def count_elsewhere(path: Path) -> int:
    """How many jobs another process finds, which opens the file and closes it."""
    done = subprocess.run([sys.executable, "-c", COUNTS, path], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(os.name != "posix", reason="the locks of Unix")
def test_a_second_backend_of_a_process_does_not_unlock_the_file_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    first = ss.LocalBackend(path)
    create(first, "one")
    second = ss.LocalBackend(path)
    assert count_elsewhere(path) == 1  # its close must not take itself for the last
    create(first, "two")
    assert count_elsewhere(path) == 2
    second.close()
    assert count_elsewhere(path) == 2
    create(first, "three")
    first.close()
    assert count_elsewhere(path) == 3


FORKS = """
import os, signal, sys, threading, warnings
import stepsched as ss
warnings.simplefilter("ignore")
signal.alarm(60)
backends = [ss.LocalBackend(sys.argv[1]), ss.LocalBackend(sys.argv[1]), ss.LocalBackend()]

def forks():
    for _ in range(25):
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)

threads = [threading.Thread(target=forks) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
target = ss.HandlerTarget("os:getcwd")
for number, backend in enumerate(backends):
    job = ss.Job(name=f"job-{number}", schedule=ss.Cron("0 0 1 1 ? *"), target=target)
    worker = threading.Thread(target=ss.SchedulerClient(backend).create, args=(job,))
    worker.start()  # another thread gets the lock
    worker.join()
print(len(ss.SchedulerClient(backends[0]).list()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_threads_that_fork_at_the_same_time_leave_no_lock_held(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS, tmp_path / "jobs.db"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr


PAUSES = """
import sys, stepsched as ss
with ss.LocalBackend(sys.argv[1]) as backend:
    client = ss.SchedulerClient(backend)
    print(client.get("one").pause_reason)
    client.pause("one", reason="theirs")
    client.resume("two")
"""


def test_the_reason_of_a_pause_is_the_same_in_every_process(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with ss.LocalBackend(path) as backend:
        client = ss.SchedulerClient(backend)
        for name in ("one", "two"):
            create(backend, name)
            client.pause(name, reason="ours")
        done = subprocess.run(
            [sys.executable, "-c", PAUSES, path], capture_output=True, text=True, check=True
        )
        assert done.stdout == "ours\n"
        assert [(record.name, record.pause_reason) for record in client.list()] == [
            ("one", "theirs"),
            ("two", None),
        ]


def test_of_callers_that_pause_all_jobs_at_once_one_gets_each_job(tmp_path: Path) -> None:
    backends = [ss.LocalBackend(tmp_path / "jobs.db") for _ in range(4)]
    clients = [ss.SchedulerClient(backend) for backend in backends]
    for number in range(40):
        create(backends[0], str(number))
    gate = threading.Barrier(len(clients))

    def pause(number: int) -> list[str]:
        gate.wait(20)
        return [record.name for record in clients[number].pause_many(reason=str(number))]

    with ThreadPoolExecutor(len(clients)) as pool:
        paused = list(pool.map(pause, range(len(clients))))
    reasons = {name: str(number) for number, names in enumerate(paused) for name in names}
    assert sum(map(len, paused)) == 40
    assert {record.name: record.pause_reason for record in clients[0].list()} == reasons
    for backend in backends:
        backend.close()


def test_a_file_is_served_while_a_worker_of_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with closing(ss.LocalBackend(path)) as observer:
        assert observer.path == path
        assert not observer.is_served()
        with ss.SchedulerClient(ss.LocalBackend(path)) as client:
            client.create(ss.Job(name="job", schedule=ss.Cron("0 9 * * ? *"), target=ss.HandlerTarget(print)))
            client.wait(client.run_now("job"), timeout=20)  # the worker has begun
            assert client.backend.is_served()
            assert observer.is_served()
            observer.close()
        with closing(ss.LocalBackend(path)) as later:
            assert not later.is_served()


def test_a_worker_that_cannot_be_observed_serves_until_the_end_of_its_lease(tmp_path: Path) -> None:
    clock = FakeClock(datetime(2030, 1, 7, tzinfo=timezone.utc))
    with closing(ss.LocalBackend(tmp_path / "jobs.db", clock=clock)) as backend:
        backend._store.enter("another-boot/1/1/abc", clock.now() + timedelta(seconds=20))
        assert backend.is_served()
        clock.advance(timedelta(seconds=20))
        assert not backend.is_served()


def test_a_worker_whose_process_has_ended_serves_nothing(tmp_path: Path) -> None:
    name, far = worker_name(), datetime(2999, 1, 1, tzinfo=timezone.utc)
    home, _, start, rest = name.split("/")
    with closing(ss.LocalBackend(tmp_path / "jobs.db")) as backend:
        backend._store.enter(f"{home}/{2**22 + 1}/{start}/{rest}", far)  # more than the system gives
        assert not backend.is_served()


def test_jobs_in_memory_have_no_path() -> None:
    with closing(ss.LocalBackend()) as backend:
        assert (backend.path, backend.is_served()) == (None, False)
        backend.start()
        assert backend.is_served()
