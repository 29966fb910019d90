"""``stepsched serve``: jobs of a file run in a process until a signal."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

import stepsched as ss
from tests.unit.cli.conftest import CommandLine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30.0
NEVER = ss.Cron("0 0 1 1 ? 2199", timezone="Europe/Paris")
UNTIL_TOLD = ss.CommandTarget(
    ["sh", "-c", "echo begun >> log; until [ -e go ]; do sleep 0.02; done; echo ended >> log"]
)


class Served:
    """A process that serves."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stepsched", "serve", "jobs.db", *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines = list[str]()
        self._next: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            self._next.put(line)

    def until(self, words: str) -> None:
        """Waits for a line with these words."""
        while words not in self._next.get(timeout=PATIENCE):
            pass

    def end(self, *signals: int) -> int:
        for number in signals:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    started = list[Served]()

    def start(*options: str) -> Served:
        started.append(Served(tmp_path, *options))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        for stream in (each.process.stdout, each.process.stderr):
            assert stream is not None
            stream.close()


@contextmanager
def stored(folder: Path) -> Iterator[ss.SchedulerClient]:
    with closing(ss.LocalBackend(folder / "jobs.db")) as backend:
        yield ss.SchedulerClient(backend)


def echo(name: str, **changes: object) -> ss.Job:
    command = ss.CommandTarget(["sh", "-c", f"echo {name} >> log"])
    return ss.Job(name=name, schedule=NEVER, target=command).replace(**changes)


def log(folder: Path) -> list[str]:
    return (folder / "log").read_text().split()


def statuses(folder: Path) -> list[tuple[str, str, int]]:
    with stored(folder) as client:
        return sorted((run.job, run.status.value, run.attempt) for run in client.runs())


def test_it_runs_what_is_due_says_so_and_ends_with_0_on_sigterm(serve: Serve, tmp_path: Path) -> None:
    with stored(tmp_path) as client:
        client.create(echo("due", schedule=ss.Rate(timedelta(hours=1))))  # due at its creation
        fails = ss.CommandTarget(["sh", "-c", "printf 'two\\nlines'; exit 3"])
        client.create(echo("fails", target=fails, retry=ss.Retry(max_attempts=0)))
    served = serve()
    served.until("run 1 succeeded")
    with stored(tmp_path) as client:
        client.run_now("fails")
    served.until("two lines")
    assert served.end(signal.SIGTERM) == 0
    assert served.lines[0].startswith("serving jobs.db: 2 jobs, the next run is due at ")
    said = [line.split("  ", 2)[1:] for line in served.lines[1:]]
    assert [(job, text.partition(" (")[0]) for job, text in said] == [
        ("due", "run 1 started"),
        ("due", "run 1 succeeded"),
        ("fails", "run 2 started"),
        ("fails", "run 2 failed: CommandFailedError: exit code 3: two lines"),
    ]
    assert log(tmp_path) == ["due"]


def test_a_signal_lets_the_run_in_progress_end(serve: Serve, tmp_path: Path) -> None:
    with stored(tmp_path) as client:
        client.create(echo("long", target=UNTIL_TOLD))
        client.run_now("long")
    served = serve()
    served.until("run 1 started")
    served.process.send_signal(signal.SIGINT)
    (tmp_path / "go").touch()
    assert served.end() == 130
    assert statuses(tmp_path) == [("long", "succeeded", 1)]
    assert not [line for line in served.lines if "Traceback" in line or "Error" in line]


def test_a_second_signal_ends_the_wait_and_the_next_process_starts_the_run_again(
    serve: Serve, tmp_path: Path
) -> None:
    with stored(tmp_path) as client:
        client.create(echo("long", target=UNTIL_TOLD))
        client.run_now("long")
    served = serve()
    served.until("run 1 started")
    served.process.send_signal(signal.SIGINT)
    served.until("stopping: waiting for a run in progress; a second signal or Ctrl-C ends the wait")
    with pytest.raises(subprocess.TimeoutExpired):
        served.process.wait(0.2)
    assert served.end(signal.SIGINT) == 130
    assert served.lines[-1].endswith("run 1 was interrupted; it starts again")
    assert statuses(tmp_path) == [("long", "pending", 1)]
    (tmp_path / "go").touch()
    again = serve("--quiet")
    with stored(tmp_path) as client:
        assert client.wait(client.runs()[0], timeout=PATIENCE).restarted
    assert (again.end(signal.SIGTERM), again.lines) == (0, [])


def test_after_kill_9_nothing_is_lost_and_nothing_that_ended_runs_twice(serve: Serve, tmp_path: Path) -> None:
    with stored(tmp_path) as client:
        client.create_many([echo("first"), echo("long", target=UNTIL_TOLD), echo("last")])
        client.run_now("first")
        client.run_now("long")
        client.run_now("last")
    killed = serve("--workers", "1")
    killed.until("run 1 succeeded")
    killed.until("run 2 started")
    killed.end(signal.SIGKILL)
    (tmp_path / "go").touch()
    served = serve("--workers", "1")
    served.until("run 3 succeeded")
    assert served.end(signal.SIGTERM) == 0
    assert statuses(tmp_path) == [
        ("first", "succeeded", 1),
        ("last", "succeeded", 1),
        ("long", "succeeded", 2),
    ]
    assert sorted(word for word in log(tmp_path) if word not in ("begun", "ended")) == ["first", "last"]


def test_two_processes_share_the_runs_of_one_file(serve: Serve, tmp_path: Path) -> None:
    both = [serve("--workers", "1"), serve("--workers", "1")]
    for each in both:
        each.until("no run is left")
    with stored(tmp_path) as client:
        client.create(echo("job"))
        runs = [client.run_now("job") for _ in range(20)]
        for run in runs:
            client.wait(run, timeout=PATIENCE)
    assert [each.end(signal.SIGTERM) for each in both] == [0, 0]
    assert log(tmp_path) == ["job"] * 20


def test_only_functions_of_named_modules_are_called(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched = tmp_path / "touched"
    (tmp_path / "served_app.py").write_text("def report():\n    return 'done'\n")
    other = f"from pathlib import Path\nPath({str(touched)!r}).touch()\ndef report(): pass\n"
    (tmp_path / "served_other.py").write_text(other)
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    monkeypatch.syspath_prepend(str(tmp_path))
    with closing(ss.LocalBackend(tmp_path / "jobs.db", handlers={ss.LambdaTarget: lambda: 1})) as backend:
        client = ss.SchedulerClient(backend)
        for name in ("app", "other"):
            client.create(echo(name, target=ss.HandlerTarget(f"served_{name}:report")))
            monkeypatch.delitem(sys.modules, f"served_{name}")
        client.create(echo("remote", target=ss.LambdaTarget(arn)))
        touched.unlink()
        for name in ("other", "app"):
            client.run_now(name)
    served = serve("--handlers-from", "served_app")
    served.until("run 2 succeeded")
    assert served.end(signal.SIGTERM) == 0
    assert statuses(tmp_path) == [("app", "succeeded", 1), ("other", "pending", 0)]
    assert not touched.exists()
    unnamed, remote = served.lines[1:3]
    assert unnamed.startswith("warning: jobs that wait")
    assert unnamed.endswith("other; use --handlers-from served_other")
    assert "something in AWS: remote;" in remote
    assert any(
        "served_other:report is not among the modules of --handlers-from" in line for line in served.lines
    )


# -- refused before anything runs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["jobs.yaml"], 2, "got jobs.yaml, a file of jobs; use `stepsched apply", id="jobs"),
        pytest.param([], 2, "no backend is named", id="none"),
        pytest.param(["--backend", "stack:jobs"], 2, "got the backend stack:jobs", id="aws"),
        pytest.param(["a.db", "--backend", "local:b.db"], 2, "got both: a.db and local:b.db", id="both"),
        pytest.param(["a.db", "--workers", "0"], 2, "--workers", id="workers"),
        pytest.param(["a.db", "--grace", "soon"], 2, "expected a length of time", id="grace"),
        pytest.param(["."], 2, "expected the path of a file", id="folder"),
        pytest.param(
            ["a.db", "--handlers-from", "gone_away"], 2, "there is no module gone_away", id="module"
        ),
        pytest.param(["a.db", "--handlers-from", "app.py"], 2, "got 'app.py'; use app", id="file"),
        pytest.param(["a.db", "--handlers-from", "app:f"], 2, "got 'app:f'; use app", id="function"),
        pytest.param(
            ["a.db", "--handlers-from", "cli_broken"],
            1,
            "cannot import cli_broken: ZeroDivision",
            id="broken",
        ),
    ],
)
def test_a_wrong_use_is_refused_in_one_line(
    arguments: list[str], code: int, words: str, stepsched: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    Path("cli_broken.py").write_text("1 / 0\n")
    done = stepsched("serve", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not list(Path().glob("*.db*"))
