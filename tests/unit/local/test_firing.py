"""The embedded backend on the machine's clock: threads, overlap, the end of a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.core.clock import utc_now

PATIENCE = 10
MINUTE = timedelta(minutes=1)


def job(function: Callable[..., object], name: str = "job", **changes: object) -> ss.Job:
    """A job that fires at once, when it is created, and not again for an hour."""
    schedule = ss.Rate(timedelta(hours=1))
    return ss.Job(name=name, schedule=schedule, target=ss.HandlerTarget(function)).replace(**changes)


@pytest.fixture
def client() -> Iterator[ss.SchedulerClient]:
    backend = ss.LocalBackend()
    with ss.SchedulerClient(backend) as client:
        yield client
    backend.close()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.005)


def ended(client: ss.SchedulerClient, count: int) -> Callable[[], bool]:
    return lambda: sum(run.ended_at is not None for run in client.runs()) == count


def test_a_run_comes_after_its_instant_and_never_before(client: ss.SchedulerClient) -> None:
    started = list[datetime]()
    at = utc_now() + timedelta(seconds=1)
    client.create(job(lambda: started.append(utc_now()), schedule=ss.OneTime(at)))
    instant = client.get("job").next_run
    assert instant is not None
    assert at <= instant < at + timedelta(seconds=1)
    wait_for(lambda: bool(started))
    assert started[0] >= instant
    wait_for(lambda: client.list() == [])


def test_run_now_runs_at_once(client: ss.SchedulerClient) -> None:
    ran = threading.Event()
    client.create(job(ran.set, schedule=ss.Cron("0 0 1 1 ? *")))
    client.run_now("job")
    assert ran.wait(PATIENCE)


def test_nothing_fires_before_start_or_after_stop() -> None:
    ran = threading.Event()
    backend = ss.LocalBackend()
    client = ss.SchedulerClient(backend)
    client.create(job(ran.set))
    client.run_now("job")
    assert {run.status for run in client.runs()} == {ss.RunStatus.PENDING}
    backend.start()
    backend.start()
    assert ran.wait(PATIENCE)
    backend.stop()
    backend.stop()
    ran.clear()
    client.run_now("job")
    assert client.runs()[-1].status is ss.RunStatus.PENDING
    assert not ran.is_set()
    backend.close()


def test_stop_awaits_runs_in_flight() -> None:
    entered, release = threading.Event(), threading.Event()

    def handler() -> str:
        entered.set()
        assert release.wait(PATIENCE)
        return "done"

    backend = ss.LocalBackend()
    client = ss.SchedulerClient(backend)
    with client:
        client.create(job(handler))
        assert entered.wait(PATIENCE)
        stopper = threading.Thread(target=backend.stop)
        stopper.start()
        release.set()
        stopper.join(PATIENCE)
        assert not stopper.is_alive()
    assert [run.output for run in client.runs()] == ['"done"']
    backend.close()


def test_runs_go_on_side_by_side_up_to_the_number_of_workers() -> None:
    together = threading.Barrier(3)
    backend = ss.LocalBackend(workers=3)
    with ss.SchedulerClient(backend) as client:
        for number in range(6):
            client.create(job(lambda: together.wait(PATIENCE) and None, name=f"job-{number}"))
        wait_for(ended(client, 6))
        assert {run.status for run in client.runs()} == {ss.RunStatus.SUCCEEDED}
    backend.close()


class TestOverlap:
    """Three runs of one job that are due while the first still runs."""

    def play(self, client: ss.SchedulerClient, overlap: ss.Overlap) -> tuple[list[str], int]:
        lock, release, entered = threading.Lock(), threading.Event(), threading.Event()
        inside, most = 0, 0

        def handler() -> None:
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            entered.set()
            assert release.wait(PATIENCE)
            with lock:
                inside -= 1

        client.create(job(handler, overlap=overlap))
        assert entered.wait(PATIENCE)
        client.run_now("job")
        client.run_now("job")
        if overlap is ss.Overlap.SKIP:
            wait_for(ended(client, 2))
        elif overlap is ss.Overlap.ALLOW:
            wait_for(lambda: most == 3)
        release.set()
        wait_for(ended(client, 3))
        return [run.status.value for run in client.runs()], most

    def test_allow_runs_them_side_by_side(self, client: ss.SchedulerClient) -> None:
        assert self.play(client, ss.Overlap.ALLOW) == (["succeeded"] * 3, 3)

    def test_queue_runs_them_one_after_another(self, client: ss.SchedulerClient) -> None:
        assert self.play(client, ss.Overlap.QUEUE) == (["succeeded"] * 3, 1)

    def test_skip_closes_the_later_ones(self, client: ss.SchedulerClient) -> None:
        assert self.play(client, ss.Overlap.SKIP) == (["succeeded", "skipped", "skipped"], 1)
        assert client.runs("job")[1].error == "an earlier run of the job still ran"


def test_a_run_keeps_the_job_that_it_started_with(client: ss.SchedulerClient) -> None:
    entered, release = threading.Event(), threading.Event()
    seen = list[object]()

    def handler(payload: object) -> None:
        entered.set()
        assert release.wait(PATIENCE)
        seen.append(payload)

    first = job(handler, input="first")
    client.create(first)
    assert entered.wait(PATIENCE)
    client.cancel("job")
    release.set()
    wait_for(ended(client, 1))
    assert seen == ["first"]
    assert client.runs("job")[0].status is ss.RunStatus.SUCCEEDED


def test_what_a_handler_does_to_its_input_stays_with_it(client: ss.SchedulerClient) -> None:
    seen = list[object]()

    def handler(payload: dict[str, int]) -> None:
        seen.append(dict(payload))
        payload["n"] += 1

    client.create(job(handler, input={"n": 1}))
    client.run_now("job")
    wait_for(ended(client, 2))
    assert seen == [{"n": 1}, {"n": 1}]


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(3)], ids=["exception", "exit"])
def test_a_handler_that_fails_does_not_stop_the_backend(
    client: ss.SchedulerClient, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def handler() -> None:
        raise error

    client.create(job(handler, "bad", retry=ss.Retry(max_attempts=0)))
    client.create(job(lambda: None, "good"))
    wait_for(ended(client, 2))
    statuses = {run.job: (run.status.value, run.error) for run in client.runs()}
    assert statuses == {"bad": ("failed", f"{type(error).__name__}: {error}"), "good": ("succeeded", None)}
    assert f"failed: {type(error).__name__}" in caplog.text


def test_an_interrupted_play_leaves_its_run_to_be_started_again() -> None:
    start = datetime(2030, 1, 1, tzinfo=utc_now().tzinfo)
    backend = ss.LocalBackend(clock=ss.testing.FakeClock(start))
    client = ss.SchedulerClient(backend)
    interrupts = [KeyboardInterrupt()]

    def handler() -> None:
        if interrupts:
            raise interrupts.pop()

    client.create(job(handler))
    with pytest.raises(KeyboardInterrupt):
        backend.run_until(start + MINUTE)
    backend.run_until(start + MINUTE)
    (run,) = client.runs("job")
    assert (run.status, run.attempt, run.restarted) == (ss.RunStatus.SUCCEEDED, 2, True)
    backend.close()


PROGRAM = """
import sys, threading
import stepsched as ss
from datetime import timedelta

def handler():
    print("running", flush=True)
    if sys.argv[2] == "hang":
        threading.Event().wait()

backend = ss.LocalBackend(sys.argv[1])
with ss.SchedulerClient(backend) as client:
    job = ss.Job(name="job", schedule=ss.Rate(timedelta(hours=1)), target=ss.HandlerTarget(handler))
    client.create(job)
    if sys.argv[2] == "hang":
        threading.Event().wait()
    while not any(run.ended_at for run in client.runs("job")):
        threading.Event().wait(0.01)
"""


def test_a_killed_process_loses_no_run_and_the_next_one_starts_it_again(tmp_path: Path) -> None:
    program, path = tmp_path / "program.py", tmp_path / "jobs.db"
    program.write_text(PROGRAM)
    victim = subprocess.Popen([sys.executable, program, path, "hang"], stdout=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    assert victim.stdout.readline() == "running\n"
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait(PATIENCE)
    victim.stdout.close()

    before = ss.LocalBackend(path)
    (run,) = ss.SchedulerClient(before).runs("job")
    assert run.status is ss.RunStatus.RUNNING
    before.close()

    done = subprocess.run(
        [sys.executable, program, path, "end"], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "running\n"
    after = ss.LocalBackend(path)
    (run,) = ss.SchedulerClient(after).runs("job")
    assert (run.status, run.attempt, run.restarted) == (ss.RunStatus.SUCCEEDED, 2, True)
    after.close()
