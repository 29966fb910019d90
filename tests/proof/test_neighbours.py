"""Workers of one file that see little of each other, and what they leave running."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import stepsched as ss
from tests.proof import attempts, ender
from tests.proof.test_kills import ROOT, read

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is of Linux")
PATIENCE = 60


def await_true(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not seen within {PATIENCE} s: {what}"
        threading.Event().wait(0.01)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def end_of(path: Path) -> tuple[str, int, int] | None:
    """Status, attempt and restarts of the one run, once it has ended."""
    rows = read(path, "SELECT status, attempt, restarted FROM runs WHERE ended_at IS NOT NULL")
    return rows[0] if rows else None


# -- /proc is hidden -----------------------------------------------------------------------------------

HIDDEN = """
mount -t proc -o hidepid=2 proc /proc || exit 77
for uid in 1001 1002; do
    setpriv --reuid $uid --regid 1000 --clear-groups -- "$1" -m tests.proof.worker "$2" > "$3.$uid" 2>&1 &
done
wait
"""


@linux
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.skipif(
    not (shutil.which("unshare") and shutil.which("setpriv")), reason="util-linux is not here"
)
@pytest.mark.parametrize("seconds", [6.5, pytest.param(26, marks=pytest.mark.proof)])
def test_a_worker_that_the_system_hides_is_not_taken_for_dead(seconds: float, tmp_path: Path) -> None:
    """Leases are looked at every 5 seconds, so that a shorter run would show nothing; the longer one goes on
    for longer than a lease lasts."""
    folder = tmp_path / "shared"
    folder.mkdir()
    path, log = folder / "jobs.db", folder / "attempts"
    log.touch()
    backend = ss.LocalBackend(path)
    client = ss.SchedulerClient(backend)
    payload = {"log": str(log), "seconds": str(seconds)}
    target = ss.HandlerTarget(attempts.note)
    client.create(
        ss.Job(name="job", schedule=ender.NEVER, target=target, input=payload, overlap=ss.Overlap.QUEUE)
    )
    client.run_now("job")
    backend.close()
    for parent in reversed([folder, *folder.parents]):  # so that other users come here
        if str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o755)
    for each in folder.iterdir():
        os.chown(each, 1001, 1000)
        each.chmod(0o660)
    os.chown(folder, 1001, 1000)
    folder.chmod(0o770)
    said = tmp_path / "said"
    command = ["unshare", "-m", "-p", "--fork", "sh", "-c", HIDDEN, "sh", sys.executable, path, said]
    workers = subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    )

    def is_over() -> bool:
        if workers.poll() == 77:
            pytest.skip("/proc cannot be mounted here")
        assert workers.poll() is None, [lines(Path(f"{said}.{uid}")) for uid in (1001, 1002)]
        return end_of(path) is not None

    try:
        await_true(
            lambda: all(lines(Path(f"{said}.{uid}"))[:1] == ["ready"] for uid in (1001, 1002)) or is_over(),
            "both",
        )
        await_true(is_over, "the end of the run")
    finally:
        os.killpg(workers.pid, signal.SIGKILL)
        workers.wait()
    assert end_of(path) == ("succeeded", 1, 0)
    assert len(lines(log)) == 1, "it was begun more than once"
    for uid in (1001, 1002):
        assert lines(Path(f"{said}.{uid}")) == ["ready"], (
            "a worker was refused, or has taken the other for dead"
        )


# -- commands ------------------------------------------------------------------------------------------

COPY = """
copy=$$
echo "begin $copy" >> "$1"
setsid sh -c 'echo "child $$" >> "$1"; exec sleep 600' sh "$1" &
exec sleep 600
"""
LATER = """
before=$(sed -n 's/^\\(begin\\|child\\) //p' "$1")
for pid in $before; do
    if [ -d /proc/$pid ] && ! grep -q '^State:.[ZX]' /proc/$pid/status; then echo "beside $pid" >> "$1"; fi
done
"""


@linux
@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.proof)])
def test_a_command_is_started_again_only_when_its_first_copy_is_dead(times: int, tmp_path: Path) -> None:
    for number in range(times):
        folder = tmp_path / str(number)
        folder.mkdir()
        _kill_the_holder_of_a_command(folder)


def _kill_the_holder_of_a_command(folder: Path) -> None:
    path, log = folder / "jobs.db", folder / "log"
    script = f'if [ -e "$1" ]; then {LATER} echo "again" >> "$1"; else {COPY} fi'
    backend = ss.LocalBackend(path)
    client = ss.SchedulerClient(backend)
    target = ss.CommandTarget(["sh", "-c", script, "sh", str(log)])
    client.create(ss.Job(name="job", schedule=ender.NEVER, target=target, max_run_time=timedelta(hours=1)))
    client.run_now("job")
    backend.close()
    workers = [_worker(path), _worker(path)]
    try:
        await_true(lambda: len(lines(log)) >= 2, "the command and its child")
        ((holder,),) = read(path, "SELECT worker FROM runs")
        for worker in workers:
            if f"/{worker.pid}/" in holder:
                worker.kill()
        await_true(lambda: end_of(path) is not None, "the end of the second copy")
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()
            worker.wait(PATIENCE)
    assert end_of(path) == ("succeeded", 2, 1)
    assert [line.split()[0] for line in lines(log)] == ["begin", "child", "again"], lines(log)
    assert sorted(worker.returncode for worker in workers) == [-int(signal.SIGKILL), 0]


def _worker(path: Path) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.proof.worker", str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    worker.stdout.close()
    return worker
