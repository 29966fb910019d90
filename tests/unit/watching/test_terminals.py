"""A watch in a process of its own, on a terminal that becomes narrow and is interrupted at any instant."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import stepsched as ss
from tests.unit.watching.conftest import job

PROGRAM = """\
import sys
import stepsched as ss
{more}
def quick():
    raise ValueError("the disk is full")

with ss.SchedulerClient() as client:
    every = ss.Cron("0 9 * * ? *", timezone="Europe/Paris")
    client.create(ss.Job(name="nightly-report", schedule=every, target=ss.HandlerTarget(quick),
                         retry=ss.Retry(max_attempts=0)))
    client.wait(client.run_now("nightly-report"))
    {watch}
print("it goes on")
"""
MANY = """\
import os, random, signal, threading, time

class Interrupting(ss.LocalBackend):
    after, thread = (), None
    def last_event(self):  # the first thing that is read about runs
        if self.thread is None:
            self.thread = threading.Thread(target=self.interrupt)
            self.thread.start()
        return super().last_event()
    def interrupt(self):
        for seconds in self.after:
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGINT)
"""
INTERRUPTED_OFTEN = """\
for number in range(60):
        backend = Interrupting()
        backend.after = [random.Random(number).random() * 0.01]
        assert ss.SchedulerClient(backend).watch(interval=0.1) is None
        backend.close()
    os._exit(7)
"""
INTERRUPTED_TWICE = """\
for number in range(60):
        backend = Interrupting()
        backend.after = [random.Random(number).random() * 0.01, random.Random(-number).random() * 0.002]
        try:
            ss.SchedulerClient(backend).watch(interval=0.1)
            backend.thread.join()  # the second Ctrl-C may come only now
            for _ in range(1_000):
                pass
        except KeyboardInterrupt:
            pass
        backend.close()
    os._exit(7)
"""
LEFT_ALONE = """\
import asyncio

    class Counting(ss.LocalBackend):
        readings = 0
        def last_event(self):
            self.readings += 1
            return super().last_event()

    async def wait():
        while backend.readings < 5:  # the first picture is shown: for each one this is asked twice
            await asyncio.sleep(0.01)

    loop, backend = asyncio.new_event_loop(), Counting()
    watched = loop.create_task(ss.AsyncSchedulerClient(backend).watch(interval=0.1))
    loop.run_until_complete(wait())
"""
FORKED = f"""{LEFT_ALONE}
    import os
    if not (child := os.fork()):
        sys.exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
"""
STOPPED = 'set -m; "$@"; echo "stopped with $?"; fg; echo "ended with $?"'


class Child(NamedTuple):
    process: subprocess.Popen[bytes]
    terminal: int

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, text: str) -> str:
        """Returns what is written until a text follows, at most 20 seconds long."""
        seen = ""
        while text not in seen:
            if not select.select([self.terminal], [], [], 20)[0]:
                raise AssertionError(f"no {text!r} in {seen!r}")
            try:
                part = os.read(self.terminal, 65_536)
            except OSError as error:  # Linux says the end of a terminal so
                raise AssertionError(f"no {text!r} in {seen!r}") from error
            seen += part.decode()
        return seen

    def end(self) -> tuple[int, str]:
        """Returns the exit code and the rest of what is written."""
        rest = ""
        while True:
            try:
                part = os.read(self.terminal, 65_536)
            except OSError:
                break
            if not part:
                break
            rest += part.decode()
        return self.process.wait(20), rest


@contextmanager
def started(
    watch: str, folder: Path, *, more: str = "", rows: int = 40, columns: int = 100
) -> Iterator[Child]:
    script = folder / "program.py"
    script.write_text(PROGRAM.format(watch=watch, more=more))
    with on_terminal([sys.executable, str(script)], folder, rows=rows, columns=columns) as child:
        yield child


@contextmanager
def on_terminal(command: list[str], folder: Path, *, rows: int = 40, columns: int = 100) -> Iterator[Child]:
    ours, theirs = os.openpty()
    env = {**os.environ, "TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)}

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=env,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    try:
        yield Child(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def lines_of(written: str) -> list[str]:
    """Returns the lines of the last picture."""
    picture = written.rpartition("\x1b[H")[2] or written
    return [re.sub(r"\x1b\[[0-9?]*[A-Za-z]", "", line) for line in picture.replace("\r", "").split("\n")]


@pytest.mark.parametrize("columns", [100, 40])
def test_ctrl_c_leaves_the_last_picture_and_the_program_goes_on(columns: int, tmp_path: Path) -> None:
    with started("client.watch(interval=0.1)", tmp_path, columns=columns) as child:
        seen = child.read_until("failed, skipped")
        seen += child.read_until("failed, skipped")  # the next picture
        os.write(child.terminal, b"\x03")
        code, rest = child.end()
    assert code == 0
    left = rest.rpartition("\x1b[?1049l")[2]  # on the usual screen
    assert "Traceback" not in left
    assert lines_of(left)[-2:] == ["it goes on", ""]
    assert any(line.startswith("nightly-rep") and "in " in line for line in lines_of(left))
    assert all(len(line) < columns for line in lines_of(left))
    assert seen.count("\x1b[?1049h") == 1


def test_a_terminal_that_becomes_narrow_gets_narrow_pictures(tmp_path: Path) -> None:
    with started("client.watch(interval=0.1)", tmp_path) as child:
        assert any(len(line) > 60 for line in lines_of(child.read_until("\x1b[J")))
        child.resize(12, 40)
        child.read_until("\x1b[H")
        child.read_until("\x1b[H")
        picture = lines_of(child.read_until("\x1b[J\x1b[H"))
        child.process.send_signal(signal.SIGINT)
        assert child.end()[0] == 0
    assert all(len(line) < 40 for line in picture)


def test_a_program_that_is_told_to_end_ends_when_the_terminal_is_as_it_was(tmp_path: Path) -> None:
    with started("client.watch(interval=0.1)", tmp_path) as child:
        child.read_until("failed, skipped")
        child.process.terminate()
        code, rest = child.end()
    assert code == -signal.SIGTERM
    left = rest.rpartition("\x1b[?25h\x1b[?1049l")[2]
    assert any(line.startswith("nightly-report") for line in lines_of(left))
    assert "\x1b" not in left


@pytest.mark.parametrize("program", [LEFT_ALONE, FORKED], ids=["alone", "forked"])
def test_a_coroutine_that_is_left_alone_is_closed_once_at_the_end_of_its_program(
    program: str, tmp_path: Path
) -> None:
    with started(program, tmp_path) as child:
        code, rest = child.end()
    assert code == 0
    assert rest.count("\x1b[?1049h") == rest.count("\x1b[?1049l") == 1


def test_ctrl_c_at_any_instant_of_a_reading_returns(tmp_path: Path) -> None:
    with started(INTERRUPTED_OFTEN, tmp_path, more=MANY) as child:
        code, rest = child.end()
    assert code == 7, rest[-2_000:]
    assert rest.count("\x1b[?1049h") == rest.count("\x1b[?1049l")


def test_a_second_ctrl_c_leaves_no_open_screen(tmp_path: Path) -> None:
    with started(INTERRUPTED_TWICE, tmp_path, more=MANY) as child:
        code, rest = child.end()
    assert code == 7, rest[-2_000:]
    assert rest.count("\x1b[?1049h") == rest.count("\x1b[?1049l")


# -- the command ---------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    with closing(ss.LocalBackend(tmp_path / "jobs.db")) as backend:
        ss.SchedulerClient(backend).create(job("nightly-report"))
    return [sys.executable, "-m", "stepsched", "--backend", "local:jobs.db", "watch", "--interval", "1s"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_told_to_end_leaves_the_terminal_as_it_was(
    number: signal.Signals, command: list[str], tmp_path: Path
) -> None:
    with on_terminal(command, tmp_path) as child:
        child.read_until("failed, skipped")
        child.process.send_signal(number)
        code, rest = child.end()
    assert code == 0
    left = rest.rpartition("\x1b[?25h\x1b[?1049l")[2]
    assert any(line.startswith("nightly-report") for line in lines_of(left))
    assert "\x1b" not in left


def test_ctrl_z_gives_the_terminal_back_until_the_command_goes_on(command: list[str], tmp_path: Path) -> None:
    with on_terminal(["bash", "-c", STOPPED, "bash", *command], tmp_path) as child:
        child.read_until("failed, skipped")
        os.write(child.terminal, b"\x1a")
        seen = child.read_until("stopped with")
        assert "\x1b" not in seen.rpartition("\x1b[?25h\x1b[?1049l")[2]
        assert seen.count("\x1b[?1049l") == 1
        assert "\x1b[?1049h" in child.read_until("failed, skipped")
        os.write(child.terminal, b"\x03")
        rest = child.end()[1]
    assert rest.count("\x1b[?1049l") == 1
    assert "ended with 0" in rest


def test_on_a_pipe_each_change_is_a_line(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.format(watch="client.watch(timeout=0.2, interval=0.1)", more=""))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=env, check=True)
    assert ended.stdout == "it goes on\n"
    assert re.search(r"^\d\d:\d\d:\d\d UTC 1 job: 1 active, 1 failing$", ended.stderr, re.MULTILINE)
    assert "\x1b" not in ended.stderr
