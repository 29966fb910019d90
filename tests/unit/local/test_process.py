"""Whether the process of a worker still runs, and the end of the commands that it left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stepsched.backends.local.process import MARKER, end_commands, is_alive, worker_name

PATIENCE = 10
ROOT = Path(__file__).parents[3]
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows processes in /proc")
NAME = "from stepsched.backends.local.process import worker_name as w; print(w(), flush=True)"


@contextmanager
def child(program: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def new_mark() -> str:
    """A mark that no command of another test has, which may run beside this one."""
    return f"{worker_name()}#1.1"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.01)


class TestAlive:
    def test_names_differ(self) -> None:
        assert worker_name() != worker_name()

    def test_this_process_lives(self) -> None:
        assert is_alive(worker_name()) is not False

    @linux
    def test_on_linux_that_is_seen(self) -> None:
        assert is_alive(worker_name()) is True

    @linux
    def test_an_ended_process_has_died_and_a_running_one_has_not(self) -> None:
        with child(f"{NAME}; input()") as process:
            name = line(process)
            assert is_alive(name) is True
            process.kill()
            process.wait()
            assert is_alive(name) is False

    @linux
    def test_a_zombie_has_died(self) -> None:
        with child(NAME) as process:
            name = line(process)
            pid = int(name.split("/")[1])
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has collected it
            assert is_alive(name) is False

    @linux
    def test_a_later_process_of_the_same_number_is_another_one(self) -> None:
        home, pid, start, rest = worker_name().split("/")
        assert is_alive(f"{home}/{pid}/{int(start) - 1}/{rest}") is False

    @linux
    def test_a_process_whose_name_looks_like_a_state_is_seen_all_the_same(self) -> None:
        program = f"open('/proc/self/comm', 'w').write('x) Z 1 (y'); {NAME}; input()"
        with child(program) as process:
            name = line(process)
            assert is_alive(name) is True
            process.kill()
            process.wait()
            assert is_alive(name) is False

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("-/1/-/x", id="elsewhere"),
            pytest.param("another-boot.1/999999/5/x", id="other machine"),
            pytest.param("", id="empty"),
            pytest.param("garbage", id="no parts"),
            pytest.param("a/b/c", id="three parts"),
            pytest.param("a/b/c/d/e", id="five parts"),
            pytest.param("a/not-a-number/5/x", id="no number"),
            pytest.param("////", id="empty parts"),
            pytest.param("a/\x00/5/x", id="nul"),
        ],
    )
    def test_of_another_machine_or_of_garbage_nothing_is_known(self, name: str) -> None:
        assert is_alive(name) is None

    @linux
    @pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "999999999"])
    def test_a_number_that_no_process_of_ours_can_have_is_not_alive(self, number: str) -> None:
        home, _, start, rest = worker_name().split("/")
        assert is_alive(f"{home}/{number}/{start}/{rest}") is not True

    @pytest.mark.proof  # needs root, and a system that lets it mount
    @linux
    @pytest.mark.parametrize("hidden", ["2", "4"])
    def test_a_process_that_is_hidden_is_not_taken_for_dead(self, hidden: str) -> None:
        """In a mount namespace of its own, so that the real ``/proc`` stays as it is."""
        program = (
            "import os, sys; from stepsched.backends.local.process import is_alive, worker_name\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "mine, theirs = os.pipe(); end, wait = os.pipe()\n"
            "if not os.fork():\n"  # of this user, and not to be traced since it has changed it
            "    os.close(wait); os.write(theirs, worker_name().encode()); os.read(end, 1); os._exit(0)\n"
            "own = os.read(mine, 999).decode()\n"
            "hidden = not os.path.exists(f'/proc/{sys.argv[1].split(\"/\")[1]}/stat')\n"
            "print(hidden, is_alive(sys.argv[1]), is_alive(sys.argv[2]), is_alive(own))"
        )
        home, _, start, rest = worker_name().split("/")
        dead = f"{home}/{_unused_number()}/{start}/{rest}"
        command = f'mount -t proc -o hidepid={hidden} proc /proc && exec "$@"'
        arguments = [sys.executable, "-c", program, worker_name(), dead]
        try:
            done = subprocess.run(
                ["unshare", "-m", "--propagation", "private", "sh", "-c", command, "sh", *arguments],
                cwd=ROOT,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except FileNotFoundError:
            pytest.skip("no unshare here")
        if done.returncode or not done.stdout.startswith("True"):
            pytest.skip(f"a private /proc cannot be mounted here: {done.stderr.strip()[-200:]}")
        _, of_another_user, of_nobody, of_this_user = done.stdout.split()
        assert (of_another_user, of_this_user, of_nobody) == ("None", "None", "False")


def _unused_number() -> int:
    """The number of a process that has ended and was collected."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


SLEEPER = "import sys, threading; print('here', flush=True); threading.Event().wait()"


@linux
class TestEndCommands:
    def test_kills_what_is_marked_and_what_that_has_started_wherever_it_went(self) -> None:
        program = (
            "import subprocess, sys, threading\n"
            f"child = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True,"
            " stdout=subprocess.PIPE)\n"
            "child.stdout.readline(); print(child.pid, flush=True); threading.Event().wait()"
        )
        mark = new_mark()
        with child(program, **{MARKER: mark}) as process, child(SLEEPER) as bystander:
            grandchild = int(line(process))
            line(bystander)
            assert sorted(end_commands(lambda each: each == mark)) == sorted([process.pid, grandchild])
            assert process.wait(PATIENCE) == -signal.SIGKILL
            wait_for(lambda: not _lives(grandchild))
            assert bystander.poll() is None
            assert end_commands(lambda each: each == mark) == []

    def test_spares_other_marks_and_this_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = list[str]()
        theirs, ours = new_mark(), new_mark()
        with child(SLEEPER, **{MARKER: theirs}) as other, child(SLEEPER, **{MARKER: ours}) as mine:
            line(other)
            line(mine)

            def is_wanted(mark: str) -> bool:
                asked.append(mark)
                return mark == ours

            assert end_commands(is_wanted) == [mine.pid]
            assert {theirs, ours} <= set(asked)
            assert other.poll() is None

    def test_the_process_that_asks_is_spared_though_it_is_marked(self) -> None:
        own = new_mark()
        program = (
            "from stepsched.backends.local.process import end_commands\n"
            f"print(end_commands(lambda mark: mark == {own!r}), flush=True)"
        )
        with child(program, **{MARKER: own}) as process:
            assert line(process) == "[]"
            assert process.wait(PATIENCE) == 0

    def test_a_mark_that_is_no_text_is_nobodys(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, env={os.fsencode(MARKER): b"\xff#1.1"}
        )
        try:
            assert process.stdout is not None
            process.stdout.readline()
            assert process.pid not in end_commands(lambda mark: "#1.1" in mark and "\xff" in mark)
            assert process.poll() is None
        finally:
            process.kill()
            process.communicate()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


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
from stepsched.core.forks import only_here
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
