"""No command outlives the program that waits for it, unless another worker can still take its run over."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import stepsched as ss
from stepsched.backends.local.commands import CommandFailedError, end_in_flight, run_command
from stepsched.backends.local.process import end_commands, worker_name
from tests.unit.local.test_engine import NEVER

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no process groups")

LONG = (
    "import pathlib, sys, threading; pathlib.Path(sys.argv[1]).open('a').write('x'); threading.Event().wait()"
)
"""A program that says that it has begun, and never ends."""
PROGRAM = """
import sys, stepsched as ss
path, ending, *command = sys.argv[1:]
if __name__ == "__main__":
    backend = ss.LocalBackend(path or None)
    client = ss.SchedulerClient(backend)
    never = ss.Cron("0 0 1 1 ? *")
    client.create(ss.Job(name="job", schedule=never, target=ss.CommandTarget(command)))
    client.run_now("job")
    if ending == "end":
        backend.start()
        sys.stdin.readline()
    else:
        backend.serve(grace=eval(ending))
"""


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not happen in time")


def begun(mark: Path) -> int:
    """Returns how often the command has begun."""
    return len(mark.read_text()) if mark.exists() else 0


@pytest.mark.skipif(not Path("/proc").exists(), reason="the command is found there")
@pytest.mark.parametrize("stored", [False, True], ids=["memory", "file"])
@pytest.mark.parametrize(
    ("ending", "signals"),
    [
        pytest.param("end", (), id="the program reaches its end"),
        pytest.param("0.1", (signal.SIGTERM,), id="the grace is over"),
        pytest.param("None", (signal.SIGTERM, signal.SIGINT), id="a second signal"),
    ],
)
def test_it_is_ended_with_the_program_and_its_run_waits_to_be_started_again(
    ending: str, signals: tuple[signal.Signals, ...], stored: bool, tmp_path: Path
) -> None:
    mark, path = tmp_path / "mark", tmp_path / "jobs.db"
    own = [sys.executable, "-c", LONG, str(mark)]
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path) if stored else "", ending, *own],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: begun(mark) == 1)
    for number in signals:
        child.send_signal(number)
        threading.Event().wait(0.2)
    child.communicate("end\n", timeout=60)
    assert child.returncode == 0
    assert end_commands(lambda each: f"/{child.pid}/" in each) == []
    if stored:
        with sqlite3.connect(path) as file:
            assert file.execute("SELECT status, restarted, error FROM runs").fetchall() == [
                ("pending", 1, None)
            ]
        file.close()


def test_one_that_was_handed_back_in_memory_is_started_again_by_the_next_start(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    backend = ss.LocalBackend()
    client = ss.SchedulerClient(backend)
    client.create(
        ss.Job(name="job", schedule=NEVER, target=ss.CommandTarget([sys.executable, "-c", LONG, str(mark)]))
    )
    client.run_now("job")
    for count in (1, 2):
        backend.start()
        wait_for(lambda: begun(mark) == count)  # noqa: B023
        backend.stop(timeout=0)
    (run,) = client.runs("job")
    assert (run.status, run.restarted, run.error) == (ss.RunStatus.PENDING, True, None)
    backend.close(timeout=0)


def test_one_that_is_just_being_started_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"{worker_name()}#1.1"

    def start(*arguments: object, **options: object) -> object:
        process = popen(*arguments, **options)  # type: ignore[call-overload]
        end_in_flight({mark})
        return process

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(CommandFailedError) as caught:
        run_command(
            ss.CommandTarget([sys.executable, "-c", "import threading; threading.Event().wait()"]),
            "",
            None,
            marker=mark,
        )
    assert caught.value.code == -signal.SIGKILL
    end_in_flight({mark})  # of which nothing is left
