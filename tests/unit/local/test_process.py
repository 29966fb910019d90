"""Telling the living from the dead."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stepsched.backends.local.process import is_alive, worker_name

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def test_names_differ() -> None:
    assert worker_name() != worker_name()


def test_this_process_lives() -> None:
    assert is_alive(worker_name()) is not False


@linux
def test_an_ended_process_has_died_and_a_running_one_has_not() -> None:
    program = "from stepsched.backends.local.process import worker_name as w; print(w(), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    assert is_alive(name)
    child.kill()
    child.wait()
    child.communicate()
    assert is_alive(name) is False


@linux
def test_a_zombie_has_died() -> None:
    program = "from stepsched.backends.local.process import worker_name as w; print(w())"
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    name = child.stdout.read().strip()
    pid = int(name.split("/")[1])
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has collected it
    assert is_alive(name) is False
    child.communicate()


@linux
def test_a_later_process_of_the_same_number_is_another_one() -> None:
    home, pid, start, rest = worker_name().split("/")
    assert is_alive(f"{home}/{pid}/{int(start) - 1}/{rest}") is False


@pytest.mark.parametrize("name", ["-/1/-/x", "another-boot.1/999999/5/x"], ids=["elsewhere", "other machine"])
def test_nobody_can_tell_across_machines(name: str) -> None:
    assert is_alive(name) is None


@linux
def test_a_worker_of_this_process_before_it_was_replaced_by_another_program_is_not_seen_to_live() -> None:
    """``exec`` keeps the number and the start of a process: only the lease tells of the worker before it."""
    home, pid, start, _ = worker_name().split("/")
    assert is_alive(f"{home}/{pid}/{start}/0123456789ab") is None


FORKS = """
import os, sys, signal
from stepsched.backends.local.process import only_here
signal.alarm(60)

def forks(then):
    child = os.fork()
    if not child:
        return then()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def fail():
    raise LookupError("in the child")

cases = [lambda: None, fail, lambda: sys.exit(7), sys.exit, lambda: sys.exit("a text"), lambda: os._exit(3)]
print([only_here(lambda: forks(case)) for case in cases])
try:
    only_here(fail)
except LookupError:
    print("raised")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_the_child_of_a_call_that_forks_ends_as_a_program_does() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[0, 1, 7, 0, 1, 3]\nraised\n"
    assert "LookupError: in the child" in done.stderr
    assert "a text\n" in done.stderr
