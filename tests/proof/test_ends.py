"""A program may end at any instant and in any way: nothing crashes, hangs, is lost or happens unsaid.

Programs of ``ender.py`` end by themselves, or are ended by signals, at random instants with runs in flight,
due, or with nothing to do. Afterwards an orderly worker brings to an end what they have left in the file.
"""

from __future__ import annotations

import os
import queue
import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

import stepsched as ss
from tests.parts import pythons
from tests.proof import ender
from tests.proof.test_kills import ROOT, read

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the signals of Unix")

DEADLINE = 20.0
"""Seconds after which a program hangs. Handlers without end are among those that some must not wait for."""
INT, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL


class Way(NamedTuple):
    """A way to end, and what is right then."""

    name: str
    program: str
    """The function of ``ender.py``."""
    code: int
    signals: Sequence[int] = ()
    """What it gets."""
    after: str = "ready"
    """What it says before that."""
    says: str = ""
    """What stands in its standard error: the end of the program's own traceback, or a message."""
    tracebacks: int = 0
    """How many tracebacks that may be, at most."""
    output: str = ""
    """What it says at the end."""
    loads: Sequence[str] = ("busy", "due", "idle")
    or_code: Sequence[int] = ()
    """What is right too: the further signals may come when ``serve`` has put the default handlers back."""
    aborts: bool = False
    """Whether an abort for "exception not rethrown" is the interpreter's own."""
    logs: str = ""
    """What of the log is right although it is an error."""


WAYS = [
    Way("end of the script", "end_of_script", 0),
    Way("sys.exit", "sys_exit", 3),
    Way("exception", "exception", 1, says="LookupError: the program's own", tracebacks=1),
    Way("SystemExit with a text", "system_exit_with_text", 1, says="config missing"),
    Way("end of with", "end_of_with", 0),
    Way("exception in with", "exception_in_with", 1, says="the program's own", tracebacks=1),
    Way("sys.exit in with", "exit_in_with", 3),
    Way("end of async with", "end_of_async_with", 0),
    Way("stop(timeout=0)", "stop_at_once", 0),
    Way("os._exit", "os_exit", 5),
    Way("SIGINT", "told", -INT, [INT], says="KeyboardInterrupt", tracebacks=1),
    Way("SIGINT twice", "told", -INT, [INT, INT], says="KeyboardInterrupt", tracebacks=3),
    Way("SIGINT in asyncio", "told_async", -INT, [INT], says="KeyboardInterrupt", tracebacks=2),
    Way(
        "SIGINT twice beside an endless handler",
        "told_while_endless",
        -INT,
        [INT, INT],
        after="endless",
        says="KeyboardInterrupt",
        tracebacks=4,  # one more where the second arrives while the first is still being handled
    ),
    Way("SIGTERM", "told", -TERM, [TERM]),
    Way("SIGKILL", "told", -KILL, [KILL]),
    Way("SIGKILL at any time", "told", -KILL, [KILL], after=""),
    Way("serve, SIGTERM", "serve", 0, [TERM], after="serving"),
    Way("serve, SIGINT", "serve", 0, [INT], after="serving"),
    Way("serve with grace", "serve_with_grace", 0, [TERM], after="serving"),
    Way("serve, second signal", "serve_for_ever", 0, [TERM, TERM], after="serving", or_code=[-TERM]),
    Way(
        "serve, signal after signal",
        "serve_for_ever",
        0,
        [INT, TERM, TERM, TERM, TERM],
        after="serving",
        or_code=[-TERM],
    ),
    Way("the main thread ends", "main_thread_ends", 0, output="succeeded " * 10),
    Way("endless handler", "endless_handler", 0),
    Way("coroutine that cannot be cancelled", "deaf_coroutine", 0, logs="TimeoutError"),
    Way("stop() in a handler", "stop_in_handler", 0),
    Way("close() in a handler", "close_in_handler", 0),
    Way("sys.exit in a handler", "exit_in_handler", 0, logs="SystemExit"),
    Way("sys.exit in a listener", "exit_in_listener", 0, logs="a listener failed", tracebacks=1_000_000),
    Way("sys.exit in a letter", "exit_in_letter", 0, logs="SystemExit"),
    Way("verbs in atexit", "verbs_at_exit", 0),
    # Up to Python 3.13 the interpreter ends a daemon thread by unwinding it, which the Rust of pydantic does
    # not survive where the thread happens to be in it. Nothing is lost by that.
    Way("verbs in daemon threads", "verbs_in_daemon_threads", 0, aborts=True),
    Way("backends come and go", "backends_come_and_go", 0),
]
ON_ANOTHER_PYTHON = {
    "end of the script",
    "SIGINT twice",
    "the main thread ends",
    "coroutine that cannot be cancelled",
    "verbs in daemon threads",
}
"""Where the end of the interpreter differs between versions, so that the gate looks at two of them."""


class End(NamedTuple):
    """How a program has ended, and what was found afterwards."""

    begun: int
    """Attempts that are recorded."""
    restarted: int
    """Runs that were started again."""
    unlogged: int
    """Attempts that a kill cut off between the claim and the first line of the handler."""


# -- a program -----------------------------------------------------------------------------------------


def end(way: Way, folder: Path, *, store: str, seed: int, python: str = pythons.OWN) -> End:
    """Lets a program end, and checks how it has, and what it leaves."""
    rng = random.Random(f"{way.name}/{store}/{seed}")
    folder.mkdir()
    load = rng.choice(way.loads)
    seconds = rng.choice([0.0, rng.uniform(0, 0.02), rng.uniform(0, 0.15), rng.uniform(0, 0.3)])
    command = [str(pythons.environment(python)), "-m", "tests.proof.ender", way.program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"}
    errors = folder / "errors"
    where = f"{way.name}, {store}, seed {seed}, load {load}, {seconds * 1000:.1f} ms, Python {python}"
    with errors.open("w") as file:
        process = subprocess.Popen(
            [*command, str(folder), store, load, repr(seconds)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
        output = _play(process, way, seconds, rng)
    said = errors.read_text()
    report = f"{where}\n{output}\n{said}"
    assert output is not None, f"it hangs: {report}"
    if way.aborts and process.returncode == -signal.SIGABRT and _UNWOUND in said:
        said = said.partition(_UNWOUND)[0]
        process.returncode = way.code
    assert process.returncode in (way.code, *way.or_code), f"it ended with {process.returncode}: {report}"
    starts_threads = pythons.starts_threads_at_its_end(python)
    _check_errors(way, said, report, faults=FAULTS if starts_threads else FAULTS - OF_NO_THREADS)
    _check_output(way, output, report)
    (folder / "released").touch()
    if store == "memory":
        _check_log(folder, report)
        return End(0, 0, 0)
    if not (folder / "jobs.db").exists():
        assert not way.after, report
        return End(0, 0, 0)
    return check_file(
        folder, report, may_fail=bool(way.logs), cut_off=ender.WORKERS, may_retry=not starts_threads
    )


def _play(process: subprocess.Popen[str], way: Way, seconds: float, rng: random.Random) -> str | None:
    """What a program says, which gets its signals; None where it has to be killed."""
    assert process.stdout is not None
    lines: queue.Queue[str] = queue.Queue()
    heard = list[str]()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        if way.signals:
            while way.after and (not heard or heard[-1] not in ("", f"{way.after}\n")):
                heard.append(lines.get(timeout=60))
            _wait(seconds if way.after else rng.uniform(0, 1.2))
            for number in way.signals:
                process.send_signal(number)
                _wait(rng.choice([0, rng.uniform(0, 0.005), rng.uniform(0, 0.1)]))
        else:
            heard.append(lines.get(timeout=60))
        _await(process, way, DEADLINE)
    except (subprocess.TimeoutExpired, queue.Empty):
        process.send_signal(signal.SIGABRT)  # it says where its threads are
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        return None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        listener.join()
        process.stdout.close()
        while not lines.empty():
            heard.append(lines.get())
    return "".join(heard)


def _await(process: subprocess.Popen[str], way: Way, seconds: float) -> None:
    """Waits for the end. Two signals of one kind that come together are one to a process, and a Ctrl-C that
    pydantic swallows is none: then it gets the last one again, as whoever presses Ctrl-C would."""
    deadline = time.monotonic() + seconds
    again = 0.3 if len(way.signals) > 1 else 5
    while (len(way.signals) > 1 or way.code == -INT) and time.monotonic() < deadline:
        try:
            process.wait(again)
        except subprocess.TimeoutExpired:  # noqa: PERF203
            process.send_signal(way.signals[-1])
        else:
            return
    process.wait(max(deadline - time.monotonic(), 0))


def _wait(seconds: float) -> None:
    if seconds > 0:
        threading.Event().wait(seconds)


# -- what is right -------------------------------------------------------------------------------------

_UNWOUND = "FATAL: exception not rethrown"
_SWALLOWED = re.compile(
    r'^Exception ignored in: .*\nTraceback .*\n(  File "<frozen abc>".*\n)+KeyboardInterrupt: *\n',
    re.MULTILINE,
)
"""A Ctrl-C in the middle of a dump: pydantic asks for the class of a value and drops what that raises."""
_TRACEBACK = re.compile(r"^Traceback \(most recent call last\)", re.MULTILINE)
FAULTS = {
    "Fatal Python error",
    "Segmentation fault",
    "Exception ignored",
    "CRITICAL",
    "after interpreter shutdown",
    "at interpreter shutdown",
    "was never awaited",
    "was destroyed but it is pending",
    "the store failed",
}
OF_NO_THREADS = {"at interpreter shutdown"}
"""Where threads start none once the main thread has ended: some attempts fail of that, and are retried."""


def _check_errors(way: Way, said: str, report: str, *, faults: set[str]) -> None:
    said = _SWALLOWED.sub("", said)
    for fault in faults:
        assert fault not in said, report
    assert way.says in said, report
    assert len(_TRACEBACK.findall(said)) <= way.tracebacks, report
    for line in said.splitlines():
        if line.startswith("ERROR"):
            assert way.logs, report
            assert way.logs in line, report


def _check_output(way: Way, output: str, report: str) -> None:
    words = [
        line.strip() for line in output.splitlines() if line.strip() not in ("ready", "endless", "serving")
    ]
    assert words == way.output.split(), report


def _check_log(folder: Path, report: str) -> Counter[tuple[int, int]]:
    """The attempts in the log; each is there once."""
    log = folder / "attempts"
    lines = log.read_text().splitlines() if log.exists() else []
    attempts = Counter((int(run), int(attempt)) for run, attempt in map(str.split, lines))
    assert max(attempts.values(), default=1) == 1, f"an attempt was begun twice: {report}"
    return attempts


def check_file(
    folder: Path, report: str, *, may_fail: bool = False, cut_off: int = 0, may_retry: bool = False
) -> End:
    """Brings all to an end, and compares the file with what was acknowledged and begun.

    Args:
        folder: Where all of that lies.
        report: What is said where something is wrong.
        may_fail: Whether a run may have failed.
        cut_off: How many attempts may have been ended before their first line.
        may_retry: Whether an attempt may have failed and been tried again.
    """
    path = folder / "jobs.db"
    bring_to_end(path, report)
    assert read(path, "PRAGMA integrity_check") == [("ok",)], report
    acknowledged = folder / "acknowledged"
    lines = acknowledged.read_text().splitlines() if acknowledged.exists() else []
    rows = read(path, "SELECT id, job, status, attempt, restarted, trigger FROM runs")
    runs = {row[0]: row for row in rows}
    recorded = Counter(row[1] for row in rows if row[5] == "schedule")
    assert max(recorded.values(), default=1) == 1, report
    for line in lines:
        kind, what = line.split()
        if kind == "run":
            assert int(what) in runs, f"an acknowledged run is lost: {report}"
        else:
            assert recorded[what] == 1, f"the run of job {what} is recorded {recorded[what]} times: {report}"
    right = {"succeeded", "failed"} if may_fail else {"succeeded"}
    assert {row[2] for row in rows} <= right, f"{rows}: {report}"
    attempts = _check_log(folder, report)
    unlogged = 0
    for run, job, _, attempt, restarted, _ in rows:
        begun = sum(1 for each in range(1, attempt + 1) if attempts.pop((run, each), 0))
        if not job.startswith(ender.SILENT):
            unlogged += attempt - begun
        assert attempt == 1 or restarted or may_retry, (
            f"run {run} was begun {attempt} times, not restarted: {report}"
        )
        assert not restarted or attempt > 1, f"run {run} is marked as restarted, begun once: {report}"
    assert not attempts, f"begun, and not recorded: {attempts}: {report}"
    assert unlogged <= cut_off, f"{unlogged} attempts were recorded and never made: {report}"
    return End(sum(row[3] for row in rows), sum(row[4] for row in rows), unlogged)


def bring_to_end(path: Path, report: str) -> None:
    """An orderly worker."""
    deadline = time.monotonic() + DEADLINE
    with ender.make(path) as backend:
        client = ss.SchedulerClient(backend)
        while not _is_done(path):
            assert time.monotonic() < deadline, f"does not end: {list(client.runs())}: {report}"
            threading.Event().wait(0.01)


def _is_done(path: Path) -> bool:
    left = "SELECT 1 FROM runs WHERE status IN ('pending', 'running') LIMIT 1"
    due = "SELECT 1 FROM jobs WHERE plain = 1 AND next_run IS NOT NULL LIMIT 1"
    return not read(path, due) and not read(path, left)


def _is_possible(way: Way, version: str) -> bool:
    return way.program != "main_thread_ends" or pythons.starts_threads_at_its_end(version)


# -- the tests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_program_may_end_in_any_way(way: Way, tmp_path: Path) -> None:
    end(way, tmp_path / "file", store="file", seed=1)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_program_without_a_file_may_end_in_any_way(way: Way, tmp_path: Path) -> None:
    end(way, tmp_path / "memory", store="memory", seed=2)


@pytest.mark.timeout(600)  # the first of them makes an environment of the other Python
@pytest.mark.parametrize(
    "way", [way for way in WAYS if way.name in ON_ANOTHER_PYTHON], ids=lambda way: way.name
)
def test_a_program_may_end_in_these_ways_on_another_python(way: Way, tmp_path: Path) -> None:
    another = pythons.another()
    if another is not None and _is_possible(way, another):
        end(way, tmp_path / "another", store="file", seed=3, python=another)


@pytest.mark.proof
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("version", pythons.VERSIONS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_programs_may_end_at_any_instant_on_every_python(
    way: Way, version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if pythons.interpreter(version) is None:
        pytest.skip(f"no Python {version} here")
    if not _is_possible(way, version):
        pytest.skip(f"this Python {version} starts no threads once its main thread has ended")
    ends = [
        end(way, tmp_path / f"{store}-{seed}", store=store, seed=seed, python=version)
        for seed in range(3)
        for store in ("file", "memory")
        if store == "file" or seed
    ]
    with capsys.disabled():
        sums = [sum(column) for column in zip(*ends, strict=True)]
        print(
            f"\n{way.name}, Python {version}: {len(ends)} ends, {sums[0]} attempts, {sums[1]} started again,"
            f" {sums[2]} of them cut off before their first line"
        )
