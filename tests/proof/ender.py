"""A program that ends in one of many ways: ``ender.py WAY FOLDER STORE LOAD SECONDS``.

It makes a backend, starts it, and makes jobs until so many seconds have passed; then it ends, or is ended.
What its verbs have acknowledged it writes down, and its handlers write down what they begin.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import stepsched as ss
from stepsched.core.clock import SystemClock
from tests.proof.attempts import append

Answer = TypeVar("Answer")
NEVER = ss.Cron("0 0 1 1 ? *")
WORKERS = 4
SILENT = "silent-"
"""The prefix of jobs that run a program, which writes nothing down."""
FUNCTION = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:registered")
QUEUE = ss.QueueTarget("arn:aws:sqs:eu-west-1:123456789012:letters")
_CLOCK = SystemClock()
_WAIT = threading.Event()
"""Never set: to wait for a time."""


# -- handlers ------------------------------------------------------------------------------------------


def note(folder: str, run: ss.Run) -> None:
    """Writes down that it has begun."""
    append(f"{folder}/attempts", f"{run.id} {run.attempt}")


def short(folder: str, run: ss.Run) -> None:
    note(folder, run)
    _WAIT.wait(0.02)


async def awaited(folder: str, run: ss.Run) -> None:
    note(folder, run)
    await asyncio.sleep(0.01)
    await asyncio.to_thread(os.getpid)


def endless(folder: str, run: ss.Run) -> None:
    """Ends when the folder says so, which it does after the program's end."""
    note(folder, run)
    while not Path(folder, "released").exists():
        _WAIT.wait(0.01)


async def deaf(folder: str, run: ss.Run) -> None:
    """The same, and cannot be cancelled."""
    note(folder, run)
    while not Path(folder, "released").exists():
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)


def exits(folder: str, run: ss.Run) -> None:
    note(folder, run)
    sys.exit(9)


async def exits_awaited(folder: str, run: ss.Run) -> None:
    note(folder, run)
    sys.exit(9)


# -- the program ---------------------------------------------------------------------------------------


def in_time(create: Callable[[ss.OneTime], Answer], ahead: timedelta) -> Answer:
    """Creates a job for so much ahead; anew where it has taken longer than that, as it may under load."""
    while True:
        try:
            return create(ss.OneTime(_CLOCK.now() + ahead))
        except ss.InvalidScheduleError:  # noqa: PERF203
            continue


class Program:
    """The backend, and what this program does with it."""

    def __init__(self, folder: str, store: str, load: str, seconds: float) -> None:
        self.folder = folder
        self.load = load
        self.seconds = seconds
        self.backend = make(Path(folder, "jobs.db") if store == "file" else None)
        self.client = ss.SchedulerClient(self.backend)
        self._number = 0

    def acknowledge(self, text: str) -> None:
        append(f"{self.folder}/acknowledged", text)

    def create(self, target: ss.Target, schedule: ss.Schedule = NEVER, **options: Any) -> str:
        self._number += 1
        silent = isinstance(target, ss.CommandTarget)
        name = f"{SILENT if silent else 'job-'}{os.getpid()}-{self._number}"
        job = ss.Job(name=name, schedule=schedule, target=target, input=self.folder, **options)
        self.client.create(job)
        if schedule is not NEVER:
            self.acknowledge(f"job {name}")
        return name

    def run(self, name: str) -> ss.Run:
        run = self.client.run_now(name)
        self.acknowledge(f"run {run.id}")
        return run

    def begin(self) -> None:
        """Starts, with what the load asks for."""
        idle = ss.HandlerTarget(note)
        names = [self.create(idle)]
        if self.load != "idle":
            names += [
                self.create(ss.HandlerTarget(short)),
                self.create(ss.HandlerTarget(awaited)),
                self.create(idle, overlap=ss.Overlap.QUEUE),
            ]
        self.names = names
        if self.load == "busy":
            for name in names * 4:
                self.run(name)
        self.backend.start()
        print("ready", flush=True)

    def go_on(self) -> None:
        """Makes jobs and runs until it is time to end."""
        until = time.monotonic() + self.seconds
        rng = random.Random(self.seconds)
        while (left := until - time.monotonic()) > 0:
            if self.load == "idle":
                _WAIT.wait(min(left, 0.5))  # a signal that comes just before a wait does not end it
            elif rng.random() < 0.5:
                self.run(rng.choice(self.names))
            else:
                function = ss.HandlerTarget(rng.choice([note, short, awaited]))
                in_time(
                    lambda soon, target=function: self.create(target, soon, completion=ss.Completion.KEEP),  # type: ignore[misc]
                    timedelta(seconds=rng.uniform(0.002, 0.1)),
                )
            if self.load == "due":
                _WAIT.wait(0.003)

    def begin_one(self, target: ss.Target, **options: Any) -> None:
        """Runs a job, and waits until its handler has begun."""
        run = self.run(self.create(target, **options))
        log = Path(self.folder, "attempts")
        while not (log.exists() and f"{run.id} 1" in log.read_text().splitlines()):
            _WAIT.wait(0.002)


def make(path: Path | None) -> ss.LocalBackend:
    """A backend as all programs of the proof have it."""
    backend = ss.LocalBackend(path, max_restarts=1_000, workers=WORKERS)
    backend.register(FUNCTION, _called)
    backend.register(QUEUE, _letter)
    return backend


def _called(_target: object, folder: str, run: ss.Run) -> None:
    note(folder, run)


_letters: Callable[[], object] = lambda: None  # noqa: E731 -- replaced by a way


def _letter() -> None:
    _letters()


# -- ways ----------------------------------------------------------------------------------------------

WAYS: dict[str, Callable[[Program], object]] = {}


def way(function: Callable[[Program], object]) -> Callable[[Program], object]:
    WAYS[function.__name__] = function
    return function


def _stay() -> None:
    """Until a signal ends it."""
    while True:
        _WAIT.wait(1)


@way
def end_of_script(program: Program) -> None:
    program.begin()
    program.go_on()


@way
def sys_exit(program: Program) -> None:
    end_of_script(program)
    sys.exit(3)


@way
def exception(program: Program) -> None:
    end_of_script(program)
    raise LookupError("the program's own")


@way
def system_exit_with_text(program: Program) -> None:
    end_of_script(program)
    raise SystemExit("config missing")


@way
def end_of_with(program: Program) -> None:
    with program.backend:
        end_of_script(program)


@way
def exception_in_with(program: Program) -> None:
    with program.backend:
        exception(program)


@way
def exit_in_with(program: Program) -> None:
    with program.backend:
        sys_exit(program)


@way
def end_of_async_with(program: Program) -> None:
    async def main() -> None:
        async with program.backend:
            await asyncio.to_thread(end_of_script, program)

    asyncio.run(main())


@way
def stop_at_once(program: Program) -> None:
    end_of_script(program)
    program.backend.stop(timeout=0)


@way
def os_exit(program: Program) -> None:
    end_of_script(program)
    os._exit(5)


@way
def told(program: Program) -> None:
    """Works inside ``with`` until a signal comes."""
    with program.backend:
        program.begin()
        program.seconds = 1e6
        program.go_on()


@way
def told_async(program: Program) -> None:
    async def main() -> None:
        async with program.backend:
            program.begin()
            while True:
                program.run(program.names[0])
                await asyncio.sleep(0.005)

    asyncio.run(main())


@way
def told_while_endless(program: Program) -> None:
    """The end of ``with`` waits for a handler that does not end, until the second signal."""
    with program.backend:
        program.begin()
        program.begin_one(ss.HandlerTarget(endless))
        print("endless", flush=True)
        _stay()


def _announce_serving() -> None:
    """Says so once ``serve`` has taken the signals over."""

    def announce() -> None:
        while signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            _WAIT.wait(0.001)
        print("serving", flush=True)

    threading.Thread(target=announce, daemon=True).start()


@way
def serve(program: Program) -> None:
    _announce_serving()
    program.begin()
    program.backend.serve()


@way
def serve_with_grace(program: Program) -> None:
    program.begin()
    program.begin_one(ss.HandlerTarget(endless))
    program.begin_one(ss.HandlerTarget(deaf))
    _announce_serving()
    program.backend.serve(grace=0.05)


@way
def serve_for_ever(program: Program) -> None:
    program.begin()
    program.begin_one(ss.HandlerTarget(endless))
    program.begin_one(ss.HandlerTarget(deaf))
    _announce_serving()
    program.backend.serve()


@way
def main_thread_ends(program: Program) -> None:
    """Another thread goes on, and handlers of every kind still work."""

    def go_on() -> None:
        while threading.main_thread().is_alive():
            _WAIT.wait(0.001)
        targets: list[ss.Target] = [ss.HandlerTarget(function) for function in (note, short, awaited)]
        targets += [ss.CommandTarget(["true"]), ss.ParallelTarget([FUNCTION, ss.CommandTarget(["true"])])]
        runs = [program.run(program.create(target)) for target in targets * 2]
        for run in runs:
            ended = program.client.wait(run, timeout=15)
            print(ended.status.value, ended.error or "", flush=True)
        program.go_on()

    threading.Thread(target=go_on).start()
    program.begin()


@way
def endless_handler(program: Program) -> None:
    program.begin()
    program.begin_one(ss.HandlerTarget(endless))
    program.go_on()


@way
def deaf_coroutine(program: Program) -> None:
    program.begin()
    program.begin_one(ss.HandlerTarget(deaf))
    program.begin_one(
        ss.HandlerTarget(deaf), max_run_time=timedelta(seconds=1), retry=ss.Retry(max_attempts=0)
    )
    program.go_on()


@way
def stop_in_handler(program: Program) -> None:
    _in_handler(program, lambda: program.backend.stop())


@way
def close_in_handler(program: Program) -> None:
    _in_handler(program, lambda: program.backend.close())


def _in_handler(program: Program, verb: Callable[[], object]) -> None:
    ended = threading.Event()

    def handler(_target: object, folder: str, run: ss.Run) -> None:
        note(folder, run)
        verb()
        ended.set()

    program.begin()
    program.backend.register(FUNCTION, handler)
    program.begin_one(FUNCTION)
    if not ended.wait(15):
        print("the verb did not return", flush=True)
    _WAIT.wait(program.seconds)


@way
def exit_in_handler(program: Program) -> None:
    program.begin()
    program.begin_one(ss.HandlerTarget(exits), retry=ss.Retry(max_attempts=0), tags={"ends": "failed"})
    program.begin_one(
        ss.HandlerTarget(exits_awaited), retry=ss.Retry(max_attempts=0), tags={"ends": "failed"}
    )
    program.go_on()


@way
def exit_in_listener(program: Program) -> None:
    program.backend.listen(lambda _event: sys.exit(9))
    end_of_script(program)


@way
def exit_in_letter(program: Program) -> None:
    global _letters
    _letters = lambda: sys.exit(9)  # noqa: E731
    program.begin()
    for _ in range(3):
        once = ss.Retry(max_attempts=0)
        program.begin_one(ss.HandlerTarget(exits), retry=once, dead_letter=QUEUE, tags={"ends": "failed"})
    program.go_on()


@way
def verbs_at_exit(program: Program) -> None:
    """The program's own ``atexit`` still uses its backend."""

    def last() -> None:
        program.run(program.names[0])
        program.create(ss.HandlerTarget(note), ss.OneTime(_CLOCK.now() + timedelta(seconds=1)))
        program.backend.close()

    atexit.register(last)
    end_of_script(program)


@way
def verbs_in_daemon_threads(program: Program) -> None:
    """Threads that nobody awaits are in the middle of verbs when the interpreter ends."""

    def work() -> None:
        while True:
            try:
                program.run(program.names[0])
                program.client.list()
                for _ in program.client.runs(program.names[0]):
                    pass
            except ss.BackendError as error:  # noqa: PERF203
                if error.code != "CLOSED":
                    raise
                return

    program.begin()
    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    program.go_on()


@way
def backends_come_and_go(program: Program) -> None:
    """Further backends over the same file are made, used, left open, closed and collected meanwhile."""
    program.begin()
    path = program.backend._store.path
    until = time.monotonic() + program.seconds
    while time.monotonic() < until:
        other = make(path)
        other.start()
        if path is not None:
            program.run(program.names[0])
        other.close() if path is None or int(until * 1e6) % 2 else other.stop()
    program.go_on()


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    name, folder, store, load, seconds = sys.argv[1:]
    WAYS[name](Program(folder, store, load, float(seconds)))


if __name__ == "__main__":
    main()
