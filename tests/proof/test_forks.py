"""A backend that lives through forks: no acknowledged verb is lost, no run is doubled, no child hangs.

The programs are ``forker.py``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.test_ends import End, check_file
from tests.proof.test_kills import ROOT, read

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")

DEADLINE = 100
KILLED = -int(signal.SIGKILL)


def play(scene: str, folder: Path, children: int, *, seed: int = 1, cut_off: int = 0) -> tuple[str, End]:
    """Plays a scene to its end, and checks the file.

    Args:
        scene: Of ``forker.py``.
        folder: For its files.
        children: How many.
        seed: Of what is drawn.
        cut_off: How many attempts may have been ended before their first line.

    Returns:
        What the program says, and what was found.
    """
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.proof.forker", scene, str(folder), str(children), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"}
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        output, _ = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        process.wait(10)
        pytest.fail(f"{scene} hangs:\n{(folder / 'errors').read_text()}")
    finally:
        _end_group(process.pid)
        process.communicate()
    said = (folder / "errors").read_text()
    report = f"{scene}\n{output}\n{said}"
    assert process.returncode == 0, report
    for fault in ("CRITICAL", "Fatal", "no longer held by this worker", "a child failed"):
        assert fault not in said, report
    if not (folder / "jobs.db").exists():
        return output, End(0, 0, 0)
    end = check_file(folder, report, cut_off=cut_off)
    created = folder / "created"
    wanted = set(created.read_text().splitlines()) if created.exists() else set()
    assert wanted <= {name for (name,) in read(folder / "jobs.db", "SELECT name FROM jobs")}, report
    return output, end


def _end_group(leader: int) -> None:
    """Children of a program that has failed."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.mark.parametrize(
    "state",
    [
        "unstarted:closes",
        pytest.param("idle", marks=pytest.mark.proof),
        "firing",
        "writing:closes",
        pytest.param("unstarted", marks=pytest.mark.proof),
        pytest.param("firing:closes", marks=pytest.mark.proof),
        pytest.param("writing", marks=pytest.mark.proof),
    ],
)
def test_children_of_a_master_lose_no_verb_and_do_not_hang(state: str, tmp_path: Path) -> None:
    output, end = play(f"prefork:{state}", tmp_path, 12)
    assert output == "children 0\n"
    assert end.restarted == 0


def test_processes_of_multiprocessing_get_a_backend_as_an_argument(tmp_path: Path) -> None:
    output, end = play("processes", tmp_path, 1)
    assert output == "children 0\n"
    assert end.restarted == 0


def test_siblings_take_over_from_one_that_is_killed(tmp_path: Path) -> None:
    output, end = play("siblings:1:0", tmp_path, 3, cut_off=4)
    assert output == f"children {KILLED} 0\n"
    assert end.restarted > 0


def test_a_child_that_stops_in_order_frees_no_run_of_its_siblings(tmp_path: Path) -> None:
    output, end = play("siblings:0:1", tmp_path, 3)
    assert output == "children 0\n"
    assert end.restarted == 0


def test_jobs_in_memory_are_refused_in_a_child_and_go_on_in_the_parent(tmp_path: Path) -> None:
    assert play("memory", tmp_path, 8)[0] == "children 0\n8 runs\n"


@pytest.mark.parametrize("store", ["file", "memory"])
def test_the_child_of_a_call_that_forks_ends_with_the_call(store: str, tmp_path: Path) -> None:
    output, end = play(f"calls:{store}", tmp_path, 2)
    assert output == "children 6\n"
    assert end.restarted == 0


def test_threads_may_fork_at_the_same_time(tmp_path: Path) -> None:
    assert play("together", tmp_path, 15)[0] == "children 0\n"


def test_the_child_of_a_handler_can_be_told_to_end_while_its_parent_serves(tmp_path: Path) -> None:
    assert play("served", tmp_path, 1)[0] == f'"{-int(signal.SIGTERM)}"\n'


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("state", ["unstarted", "idle", "firing", "writing"])
@pytest.mark.parametrize("closes", ["closes", ""])
def test_thirty_children_of_a_master(
    state: str, closes: str, seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, end = play(f"prefork:{state}:{closes}", tmp_path, 30, seed=seed)
    assert output == "children 0\n"
    assert end.restarted == 0
    with capsys.disabled():
        print(f"\nmaster {state} {closes}: 30 children, {end.begun} attempts, none twice")


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", range(10))
def test_siblings_that_are_killed_and_that_stop(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, end = play("siblings:2:2", tmp_path, 6, seed=seed, cut_off=8)
    assert output == f"children {KILLED} 0\n"
    with capsys.disabled():
        print(
            f"\n2 killed, 2 stopped of 6: {end.begun} attempts, {end.restarted} started again, "
            f"{end.unlogged} cut off before their first line"
        )


@pytest.mark.proof
@pytest.mark.parametrize("store", ["file", "memory"])
def test_hundreds_of_calls_that_fork(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, end = play(f"calls:{store}", tmp_path, 40)
    assert output == "children 6\n"
    with capsys.disabled():
        print(f"\n{store}: 240 forks in handlers, {end.begun} attempts, {end.restarted} started again")
