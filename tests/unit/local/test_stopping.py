"""Ending takes as long as one says, from wherever one says it, and hands back what is left."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.core.clock import SystemClock
from tests.unit.local.test_engine import NEVER, PATIENCE, Blocked, Firing, job

SHORT = 0.05
"""Seconds that nobody would wait for a handler that hangs."""


@pytest.fixture
def firing() -> Iterator[Firing]:
    firing = Firing(SystemClock())
    yield firing
    firing.backend.close(timeout=0)


@pytest.mark.parametrize("timeout", [-1, -0.5, timedelta(seconds=-1), float("nan"), "5", True, [5]], ids=repr)
def test_a_timeout_that_is_no_length_of_time_is_refused(firing: Firing, timeout: object) -> None:
    for verb in (firing.backend.stop, firing.backend.close):
        with pytest.raises((ValueError, TypeError), match="timeout"):
            verb(timeout=timeout)  # type: ignore[arg-type]
    assert firing.backend._engine.is_firing


@pytest.mark.parametrize("timeout", [0, SHORT, timedelta(seconds=SHORT)], ids=repr)
def test_what_does_not_end_in_time_waits_to_be_started_again_and_says_so(
    firing: Firing, timeout: float | timedelta
) -> None:
    blocked = Blocked()
    firing.client.create(job(blocked, schedule=NEVER))
    firing.client.run_now("job")
    assert blocked.entered.wait(PATIENCE)
    firing.backend.stop(timeout=timeout)
    (run,) = firing.client.runs("job")
    assert (run.status, run.restarted, run.pending_reason) == (
        ss.RunStatus.PENDING,
        True,
        "an attempt that was given up may still run",
    )
    blocked.release.set()


def test_it_is_not_started_again_beside_a_call_that_still_goes_on_and_that_ends_it_if_it_succeeds(
    firing: Firing,
) -> None:
    blocked = Blocked()
    firing.client.create(job(blocked, schedule=NEVER))
    firing.client.run_now("job")
    assert blocked.entered.wait(PATIENCE)
    firing.backend.stop(timeout=0)
    firing.backend.start()
    firing.let_turns_pass()
    assert firing.client.runs("job")[0].status is ss.RunStatus.PENDING
    blocked.release.set()
    (run,) = firing.wait_for_ended(1)
    assert (run.output, run.attempt, run.restarted, len(blocked.threads)) == ('"late"', 1, False, 1)


def test_it_is_started_again_by_another_process_once_this_one_has_ended(tmp_path: Path) -> None:
    program = tmp_path / "leaves_a_run.py"
    program.write_text(
        "import sys, threading, stepsched as ss\n"
        "def handler(payload, run):\n"
        "    print('begun', run.attempt, flush=True)\n"
        "    if run.attempt == 1:\n"
        "        threading.Event().wait()\n"
        "    return 'done'\n"
        "if __name__ == '__main__':\n"
        "    with ss.LocalBackend(sys.argv[1]) as backend:\n"
        "        client = ss.SchedulerClient(backend)\n"
        "        if not client.list():\n"
        "            never = ss.Cron('0 0 1 1 ? *')\n"
        "            client.create(ss.Job(name='job', schedule=never, target=ss.HandlerTarget(handler)))\n"
        "            client.run_now('job')\n"
        "        sys.stdin.readline()\n"
        "        backend.stop(timeout=float(sys.argv[2]))\n"
    )
    command = [sys.executable, str(program), str(tmp_path / "jobs.db")]
    for attempt, patience in ((1, "0"), (2, "60")):
        child = subprocess.Popen(
            [*command, patience], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == f"begun {attempt}\n"
        child.communicate("end\n", timeout=60)
        assert child.returncode == 0
    backend = ss.LocalBackend(tmp_path / "jobs.db")
    (run,) = ss.SchedulerClient(backend).runs("job")
    backend.close()
    assert (run.status, run.output, run.attempt, run.restarted) == (
        ss.RunStatus.SUCCEEDED,
        '"done"',
        2,
        True,
    )


@pytest.mark.parametrize("verb", ["stop", "close"])
def test_a_handler_that_ends_its_backend_does_not_wait_for_itself(verb: str, tmp_path: Path) -> None:
    backend = ss.LocalBackend(tmp_path / "jobs.db")
    client = ss.SchedulerClient(backend)
    ended = threading.Event()

    def handler() -> str:
        getattr(backend, verb)()
        ended.set()
        return "done"

    backend._invoker.register(ss.LambdaTarget, handler)
    target = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
    client.create(ss.Job(name="job", schedule=NEVER, target=target))
    client.run_now("job")
    backend.start()
    assert ended.wait(PATIENCE)
    again = ss.LocalBackend(tmp_path / "jobs.db")
    reader = ss.SchedulerClient(again)
    deadline = threading.Event()
    for _ in range(500):
        if reader.runs("job")[0].ended_at is not None:
            break
        deadline.wait(0.01)
    (run,) = reader.runs("job")
    assert (run.status, run.output, run.restarted) == (ss.RunStatus.SUCCEEDED, '"done"', False)
    again.close()
    backend.close()


def test_two_handlers_that_both_stop_the_backend_wait_for_neither(firing: Firing) -> None:
    both, ended = threading.Barrier(2), list[str]()

    def handler(_input: object, run: ss.Run) -> None:
        both.wait(PATIENCE)
        firing.backend.stop()
        ended.append(run.job)

    for name in ("a", "b"):
        firing.client.create(job(handler, name, schedule=NEVER))
        firing.client.run_now(name)
    for _ in range(1000):
        if len(ended) == 2:
            break
        threading.Event().wait(0.01)
    assert sorted(ended) == ["a", "b"]


def test_a_listener_that_stops_the_backend_does_not_wait_for_itself(firing: Firing) -> None:
    stopped = threading.Event()

    def listener(_event: ss.jobs.Event) -> None:
        firing.backend.stop()
        stopped.set()

    firing.backend.listen(listener, ["succeeded"])
    firing.client.create(job(lambda: None, schedule=NEVER))
    firing.client.run_now("job")
    assert stopped.wait(PATIENCE)


def test_the_thread_of_listeners_ends_with_every_stop_and_is_there_after_every_start(firing: Firing) -> None:
    heard = list[tuple[str, threading.Thread]]()
    firing.backend.listen(lambda event: heard.append((event.job, threading.current_thread())))
    for name in ("first", "second"):
        firing.backend.start()
        firing.client.create(job(lambda: None, name=name, schedule=NEVER))
        firing.backend.stop()
        told, thread = heard[-1]
        assert (told, thread.name) == (name, "stepsched-listeners")
        thread.join(PATIENCE)
        assert not thread.is_alive()
    firing.client.create(job(lambda: None, name="third", schedule=NEVER))
    assert heard[-1] == ("third", threading.current_thread())


@pytest.mark.parametrize("starts_again", [False, True])
def test_a_listener_that_is_late_when_the_backend_stops_hears_the_rest_in_order(
    firing: Firing, starts_again: bool
) -> None:
    heard, release, thread = list[str](), threading.Event(), queue.SimpleQueue[threading.Thread]()

    def listener(event: ss.jobs.Event) -> None:
        thread.put(threading.current_thread())
        release.wait(PATIENCE)
        heard.append(event.job)

    firing.backend.listen(listener, ["created"])
    for name in ("a", "b"):
        firing.client.create(job(lambda: None, name=name, schedule=NEVER))
    firing.backend.stop(timeout=SHORT)
    if starts_again:
        firing.backend.start()
        firing.client.create(job(lambda: None, name="c", schedule=NEVER))
    release.set()
    firing.backend.stop()
    thread.get(timeout=PATIENCE).join(PATIENCE)
    assert heard == ["a", "b", "c"][: 2 + starts_again]


def test_stops_of_a_backend_that_nobody_listens_to_leave_nothing(firing: Firing) -> None:
    for _ in range(3):
        firing.backend.start()
        firing.backend.stop()
    assert firing.backend._engine._listeners._waiting.empty()


def test_every_stop_waits_for_the_runs_in_flight(firing: Firing) -> None:
    blocked = Blocked()
    firing.client.create(job(blocked, schedule=NEVER))
    firing.client.run_now("job")
    assert blocked.entered.wait(PATIENCE)
    stoppers = [threading.Thread(target=firing.backend.stop) for _ in range(3)]
    for stopper in stoppers:
        stopper.start()
    stoppers[0].join(SHORT)
    assert all(stopper.is_alive() for stopper in stoppers)
    blocked.release.set()
    for stopper in stoppers:
        stopper.join(PATIENCE)
    assert not any(stopper.is_alive() for stopper in stoppers)
    assert firing.client.runs("job")[0].status is ss.RunStatus.SUCCEEDED


def test_start_takes_a_stop_back_that_still_waits(firing: Firing) -> None:
    blocked = Blocked()
    firing.client.create(job(blocked, schedule=NEVER))
    firing.client.run_now("job")
    assert blocked.entered.wait(PATIENCE)
    stopper = threading.Thread(target=firing.backend.stop)
    stopper.start()
    firing.wait_for(lambda: firing.backend._engine._request is not None)
    firing.backend.start()
    stopper.join(PATIENCE)
    assert not stopper.is_alive()
    firing.let_turns_pass()  # it fires
    blocked.release.set()
    (run,) = firing.wait_for_ended(1)
    assert (run.attempt, run.output) == (1, '"late"')


def test_a_dispatcher_that_ended_by_a_fault_is_noticed_by_the_next_verb_and_replaced(
    firing: Firing, caplog: pytest.LogCaptureFixture
) -> None:
    engine = firing.backend._engine
    fault = threading.Thread(target=lambda: None)
    fault.start()
    fault.join()
    true, engine._thread = engine._thread, fault
    ran = threading.Event()
    firing.client.create(job(ran.set, schedule=NEVER))
    assert engine._thread is not fault
    firing.client.run_now("job")
    assert ran.wait(PATIENCE)
    assert "the dispatcher thread ended unexpectedly" in caplog.text
    assert true is not None


SERVE = """
import sys, threading, stepsched as ss
def handler():
    print("running", flush=True)
    threading.Event().wait()
if __name__ == "__main__":
    backend = ss.LocalBackend(sys.argv[1])
    client = ss.SchedulerClient(backend)
    never = ss.Cron("0 0 1 1 ? *")
    client.create(ss.Job(name="job", schedule=never, target=ss.HandlerTarget(handler)))
    client.run_now("job")
    awaited = lambda: print("awaited", client.runs("job")[0].status, flush=True)
    backend.serve(grace=eval(sys.argv[2]), on_stop=awaited)
    (run,) = client.runs("job")
    print("served", run.status, run.restarted, flush=True)
    backend.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize(
    ("grace", "signals"),
    [pytest.param("0.1", 1, id="when the grace is over"), pytest.param("None", 2, id="at the second signal")],
)
def test_serve_ends_although_a_handler_never_does(grace: str, signals: int, tmp_path: Path) -> None:
    program = tmp_path / "serves_for_ever.py"
    program.write_text(SERVE)
    child = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path / "jobs.db"), grace], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "running\n"
    for number in (signal.SIGTERM, signal.SIGINT)[:signals]:  # two of one kind may become one on the way
        child.send_signal(number)
        threading.Event().wait(0.2)
    output, _ = child.communicate(timeout=60)
    awaited, served = output.splitlines()
    assert awaited == "awaited running"  # told after the first signal, while the run is in progress
    assert (served.split()[0], served.split()[2], child.returncode) == ("served", "True", 0)


def test_with_closes_what_it_opened(tmp_path: Path) -> None:
    with ss.LocalBackend(tmp_path / "jobs.db") as backend:
        ss.SchedulerClient(backend).list()
    with pytest.raises(ss.BackendError, match="closed") as caught:
        ss.SchedulerClient(backend).list()
    assert caught.value.code == "CLOSED"
    backend.close()


def test_stop_ends_although_the_file_is_gone_and_an_outcome_cannot_be_recorded(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    backend = ss.LocalBackend(path, handlers={ss.LambdaTarget: lambda: path.unlink()})
    client = ss.SchedulerClient(backend)
    target = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:report")
    client.create(ss.Job(name="job", schedule=NEVER, target=target))
    client.run_now("job")
    backend.start()
    for _ in range(1000):
        if not path.exists():
            break
        threading.Event().wait(0.01)
    stopper = threading.Thread(target=backend.close)
    stopper.start()
    stopper.join(PATIENCE)
    assert not stopper.is_alive()
