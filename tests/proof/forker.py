"""A program that forks: ``forker.py SCENE FOLDER CHILDREN SEED``. See ``test_forks.py``.

Its backend is made before the forks, as by a server that loads the application first. What its verbs have
acknowledged, in whichever process, it writes down, and so do handlers what they begin.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import multiprocessing
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import stepsched as ss
from tests.proof.attempts import append
from tests.proof.ender import NEVER, in_time, make, note, short

_LOG = logging.getLogger(__name__)
_WAIT = threading.Event()
_HANGS = 40
"""Seconds after which the system ends a child with SIGALRM."""
Answer = TypeVar("Answer")
ONCE = ss.Retry(max_attempts=0)


class Client:
    """Verbs of one process or thread, which write down what was acknowledged."""

    def __init__(self, backend: ss.LocalBackend, folder: str, name: str) -> None:
        self.client = ss.SchedulerClient(backend)
        self.folder = folder
        self._name = name
        self._number = 0

    def create(self, target: ss.Target, schedule: ss.Schedule = NEVER, **options: Any) -> str:
        self._number += 1
        name = f"{self._name}-{self._number}"
        job = ss.Job(name=name, schedule=schedule, target=target, input=self.folder, **options)
        _insist(lambda: self.client.create(job))
        append(f"{self.folder}/created", name)
        if schedule is not NEVER:
            append(f"{self.folder}/acknowledged", f"job {name}")
        return name

    def run(self, name: str) -> ss.Run:
        run = _insist(lambda: self.client.run_now(name))
        append(f"{self.folder}/acknowledged", f"run {run.id}")
        return run

    def work(self, times: int) -> list[ss.Run]:
        """Some verbs of each kind."""
        runs = list[ss.Run]()
        for _ in range(times):
            in_time(
                lambda soon: self.create(ss.HandlerTarget(short), soon, completion=ss.Completion.KEEP),
                timedelta(milliseconds=50),
            )
            name = self.create(ss.HandlerTarget(note))
            runs += [self.run(name), self.run(name)]
            assert name in [record.name for record in self.client.list()]
        return runs


def _insist(verb: Callable[[], Answer]) -> Answer:
    """Tries a verb again while other processes hold the file longer than it waits for them."""
    while True:
        try:
            return verb()
        except ss.errors.BackendUnavailableError:  # noqa: PERF203
            print("busy", file=sys.stderr, flush=True)


def fork(work: Callable[[], object]) -> int:
    """A child that does some work, and ends; its number."""
    child = os.fork()
    if not child:
        _be_child(work)
    return child


def _be_child(work: Callable[[], object]) -> NoReturn:
    code = 99
    try:
        faulthandler.register(signal.SIGALRM, chain=True)  # it says where it hangs
        signal.alarm(_HANGS)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 -- it ends in any case
        _LOG.exception("a child failed")
    finally:
        os._exit(code)


def wait_for(children: list[int]) -> None:
    """Says how they ended."""
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print("children", *sorted(set(codes)), flush=True)


def prefork(folder: str, children: int, rng: random.Random, state: str, *, closes: bool) -> None:
    """The master is in some state, children work, some fire, and the master closes before or after them."""
    backend = make(Path(folder, "jobs.db"))
    mine = Client(backend, folder, "master")
    if state != "unstarted":
        backend.start()
    if state == "firing":
        name = mine.create(ss.HandlerTarget(short))
        for _ in range(30):
            mine.run(name)
    ends = threading.Event()

    def write(number: int) -> None:
        client = Client(backend, folder, f"thread-{number}")
        while not ends.is_set():
            client.work(1)
            _WAIT.wait(0.02)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3 * (state == "writing"))]
    for thread in threads:
        thread.start()

    def work(number: int, fires: bool, delay: float) -> None:
        client = Client(backend, folder, f"child-{number}")
        _WAIT.wait(delay)
        if fires:
            backend.start()
        runs = client.work(2)
        if fires:
            for run in runs:
                client.client.wait(run, timeout=40)
            backend.stop()

    started = list[int]()
    for number in range(children):
        fires, delay = number % 4 == 0, rng.uniform(0, 0.2)
        started.append(fork(lambda n=number, f=fires, d=delay: work(n, f, d)))  # type: ignore[misc]
    if closes:
        ends.set()
        for thread in threads:
            thread.join()
        backend.close()
    wait_for(started)
    ends.set()
    if not closes:
        mine.work(2)
        backend.close()


def _work_elsewhere(backend: ss.LocalBackend, folder: str, name: str) -> None:
    signal.alarm(_HANGS)
    client = Client(backend, folder, name)
    with backend:
        for run in client.work(2):
            client.client.wait(run, timeout=40)


def processes(folder: str, children: int) -> None:
    """Processes of multiprocessing, by each of its methods, which get the backend as an argument."""
    backend = make(Path(folder, "jobs.db"))
    backend.start()
    Client(backend, folder, "master").work(1)
    started = list[Any]()
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        for number in range(children):
            arguments = (backend, folder, f"{method}-{number}")
            process = context.Process(target=_work_elsewhere, args=arguments)  # type: ignore[attr-defined]
            process.start()
            started.append(process)
    for process in started:
        process.join(_HANGS)
    print("children", *sorted({process.exitcode for process in started}), flush=True)
    Client(backend, folder, "again").work(1)
    backend.close()


def long(folder: str, run: ss.Run) -> None:
    note(folder, run)
    append(f"{folder}/begun", f"{os.getpid()} {run.id}")
    _WAIT.wait(0.4)


def siblings(folder: str, children: int, *, kills: int, orderly: int) -> None:
    """Children of one master hold runs. Some are killed, some end in order; the others go on."""
    backend = make(Path(folder, "jobs.db"))
    mine = Client(backend, folder, "master")
    runs = [mine.run(mine.create(ss.HandlerTarget(long))) for _ in range(children * 6)]

    def work() -> None:
        told = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: told.set())
        backend.start()
        while not told.wait(0.01):
            pass
        backend.stop()

    started = [fork(work) for _ in range(children)]
    begun = Path(folder, "begun")

    def holders() -> set[int]:
        lines = begun.read_text().splitlines() if begun.exists() else []
        return {int(line.split()[0]) for line in lines}

    while len(holders()) < children:
        _WAIT.wait(0.005)
    for number, child in enumerate(started[: kills + orderly]):
        os.kill(child, signal.SIGKILL if number < kills else signal.SIGTERM)
        _WAIT.wait(0.02)
    for run in runs:
        mine.client.wait(run, timeout=50)
    for child in started[kills + orderly :]:
        os.kill(child, signal.SIGTERM)
    wait_for(started)
    backend.close()


def memory(folder: str, children: int) -> None:
    """A backend in memory refuses in the child and goes on in the parent."""
    backend = make(None)
    client = ss.SchedulerClient(backend)
    client.create(ss.Job(name="job", schedule=NEVER, target=ss.HandlerTarget(note), input=folder))
    backend.start()

    def work() -> None:
        verbs: list[Callable[[], object]] = [
            lambda: client.create(ss.Job(name="x", schedule=NEVER, target=ss.HandlerTarget(note))),
            client.list,
            lambda: client.run_now("job"),
            lambda: list(client.runs("job")),
        ]
        answers = list[str]()
        for verb in verbs:
            try:
                verb()
                answers.append("answered")
            except ss.BackendError as error:  # noqa: PERF203
                answers.append(error.code)
        assert answers == ["FORKED"] * 4, answers
        assert not backend._engine.is_firing

    started = list[int]()
    for _ in range(children):
        client.run_now("job")
        started.append(fork(work))
    wait_for(started)
    for run in client.runs("job"):
        assert client.wait(run, timeout=20).status is ss.RunStatus.SUCCEEDED
    print(len(client.runs("job")), "runs", flush=True)
    backend.close()


# -- handlers that fork ---------------------------------------------------------------------------------


def returns(folder: str, run: ss.Run) -> str:
    return _forked(folder, run, lambda: None)


def raises(folder: str, run: ss.Run) -> str:
    def fail() -> None:
        raise LookupError("in the child")

    return _forked(folder, run, fail)


def exits(folder: str, run: ss.Run) -> str:
    return _forked(folder, run, lambda: sys.exit(7))


def says(folder: str, run: ss.Run) -> str:
    return _forked(folder, run, lambda: sys.exit("the child's own"))


def quits(folder: str, run: ss.Run) -> str:
    return _forked(folder, run, lambda: os._exit(3))


async def awaits(folder: str, run: ss.Run) -> str:
    await asyncio.sleep(0)
    return _forked(folder, run, lambda: sys.exit(5))


FORKING = {returns: "0", raises: "1", exits: "7", says: "1", quits: "3", awaits: "5"}


def _forked(folder: str, run: ss.Run, in_child: Callable[[], object]) -> str:
    child = os.fork()
    if not child:
        signal.alarm(_HANGS)
        in_child()
        return "the child came back"
    note(folder, run)
    return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def in_calls(folder: str, store: str, times: int) -> None:
    """Handlers, parts of a target, a listener and a letter fork, and their children come back to us."""
    backend = make(Path(folder, "jobs.db") if store == "file" else None)
    client = Client(backend, folder, "master")
    backend.start()
    busy = client.create(ss.HandlerTarget(short))
    runs = list[tuple[ss.Run, str]]()
    for _ in range(times):
        for function, code in FORKING.items():
            client.run(busy)
            runs.append((client.run(client.create(ss.HandlerTarget(function), retry=ONCE)), code))
    for run, code in runs:
        ended = client.client.wait(run, timeout=50)
        assert ended.output == f'"{code}"', ended
        assert not ended.restarted, ended
    told = list[int]()

    def listener(event: ss.jobs.Event) -> None:
        if event.kind == "succeeded" and not told:
            told.append(os.fork() or sys.exit(6))

    backend.listen(listener)
    for run in [client.run(busy) for _ in range(5)]:
        assert client.client.wait(run, timeout=50).status is ss.RunStatus.SUCCEEDED
    while not told:
        _WAIT.wait(0.01)
    codes = {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in told}
    print("children", *codes, flush=True)
    backend.close()


def together(folder: str, children: int) -> None:
    """Threads that fork at the same time."""
    backend = make(Path(folder, "jobs.db"))
    backend.start()
    client = Client(backend, folder, "master")
    name = client.create(ss.HandlerTarget(short))
    runs = [client.run(name) for _ in range(20)]
    all_codes = list[int]()

    def go_on() -> None:
        for _ in range(children):
            child = fork(lambda: None)
            all_codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    threads = [threading.Thread(target=go_on, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_HANGS)
        assert not thread.is_alive(), "a thread that forks hangs"
    for run in runs:
        assert client.client.wait(run, timeout=50).status is ss.RunStatus.SUCCEEDED
    print("children", *sorted(set(all_codes)), flush=True)
    backend.close()


def _doze(up: Connection) -> None:
    """Until it is killed. Python sees a signal of the moment before a wait after it, and forgets one that
    comes before it is done with the fork."""
    up.send("up")
    while True:
        _WAIT.wait(0.1)


def served(folder: str) -> None:
    """A handler's own child can be ended by SIGTERM while ``serve`` has the signals of the parent."""
    backend = make(Path(folder, "jobs.db"))
    client = Client(backend, folder, "master")

    def handler(_target: object, _input: object, run: ss.Run) -> str:
        note(folder, run)
        context = multiprocessing.get_context("fork")
        up, down = context.Pipe()
        child = context.Process(target=_doze, args=(down,))
        child.start()
        assert up.recv() == "up"
        child.terminate()
        child.join(_HANGS)
        code = child.exitcode
        child.kill()
        os.kill(os.getpid(), signal.SIGTERM)
        return str(code)

    function = ss.LambdaTarget("arn:aws:lambda:eu-west-1:123456789012:function:forks")
    backend.register(function, handler)
    run = client.run(client.create(function))
    backend.serve()
    print(client.client.wait(run, timeout=0).output, flush=True)
    backend.close()


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(process)d %(levelname)s %(message)s")
    warnings.filterwarnings("ignore", "This process.*is multi-threaded", DeprecationWarning)
    scene, folder, count, seed = sys.argv[1:]
    children = int(count)
    name, _, detail = scene.partition(":")
    match name:
        case "prefork":
            state, _, closes = detail.partition(":")
            prefork(folder, children, random.Random(seed), state, closes=closes == "closes")
        case "processes":
            processes(folder, children)
        case "siblings":
            kills, _, orderly = detail.partition(":")
            siblings(folder, children, kills=int(kills), orderly=int(orderly))
        case "memory":
            memory(folder, children)
        case "calls":
            in_calls(folder, detail, children)
        case "together":
            together(folder, children)
        case "served":
            served(folder)


if __name__ == "__main__":
    main()
