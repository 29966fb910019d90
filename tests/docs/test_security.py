"""What docs/security.md says, where its own snippets do not show it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import stepsched as ss

NEVER = ss.Cron("0 0 1 1 ? 2199")
PATIENCE = 30
NEEDS_POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and commands of Unix")


def job(target: ss.Target, **changes: object) -> ss.Job:
    job = ss.Job(name="job", schedule=NEVER, target=target, retry=ss.Retry(max_attempts=0))
    return job.replace(**changes)


def ran(target: ss.Target, path: Path | None = None, **changes: object) -> ss.Run:
    """The run of a job, once it has ended."""
    ended = threading.Event()
    with closing(ss.LocalBackend(path)) as backend:
        backend.listen(lambda _event: ended.set(), ["succeeded", "failed"])
        client = ss.SchedulerClient(backend)
        client.create(job(target, **changes))
        client.run_now("job")
        backend.start()
        assert ended.wait(PATIENCE)
        (run,) = client.runs("job")
        return run


@NEEDS_POSIX
def test_a_new_file_and_what_stands_beside_it_are_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with closing(ss.LocalBackend(tmp_path / "jobs.db")) as backend:
            backend.create(backend.prepare(job(ss.CommandTarget(["true"]))))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"jobs.db": 0o600, "jobs.db-wal": 0o600, "jobs.db-shm": 0o600}


def test_whoever_writes_the_file_names_the_function_that_is_called(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    assert written_by_hand(path, "os:getcwd").output == f'"{Path.cwd()}"'


def test_handlers_from_holds_for_what_stands_in_the_file_already(tmp_path: Path) -> None:
    run = written_by_hand(tmp_path / "jobs.db", "os:getcwd", handlers_from=["platform"])
    assert run.status is ss.RunStatus.PENDING
    assert "os:getcwd is not among the modules of handlers_from" in str(run.pending_reason)


def written_by_hand(path: Path, handler: str, **options: Any) -> ss.Run:
    """A run of a job of which somebody has changed the function in the file."""
    with closing(ss.LocalBackend(path)) as backend:
        backend.create(backend.prepare(job(ss.HandlerTarget("platform:node"))))
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE jobs SET document = replace(document, 'platform:node', ?)", (handler,))
    settled = threading.Event()
    with closing(ss.LocalBackend(path, **options)) as backend:
        backend.listen(lambda _event: settled.set(), ["succeeded", "failed"])
        client = ss.SchedulerClient(backend)
        client.run_now("job")
        backend.start()
        while True:
            (run,) = client.runs("job")
            if settled.wait(0.02) or run.pending_reason:
                return client.runs("job")[0]


@pytest.mark.parametrize("handler", ["xml.sax:make_parser", "xml.sax.saxutils:escape"])
def test_handlers_from_allows_the_modules_and_those_below_them(handler: str) -> None:
    with closing(ss.LocalBackend(handlers_from=["xml.sax"])) as backend:
        backend.check(job(ss.HandlerTarget(handler)))


@pytest.mark.parametrize("handler", ["xml.dom:getDOMImplementation", "xml:sax", "xml.saxes:parse"])
def test_handlers_from_refuses_modules_beside_above_and_named_alike(handler: str) -> None:
    refused = pytest.raises(ss.UnsupportedError, match=r"not among the modules of handlers_from, xml\.sax")
    with closing(ss.LocalBackend(handlers_from=["xml.sax"])) as backend, refused:
        backend.check(job(ss.HandlerTarget(handler)))


def test_handlers_from_does_not_bound_commands() -> None:
    with closing(ss.LocalBackend(handlers_from=["xml"])) as backend:
        backend.check(job(ss.CommandTarget(["true"])))


@NEEDS_POSIX
def test_no_shell_reads_a_command() -> None:
    assert ran(ss.CommandTarget(["echo", "$(id) `id` ; id"])).output == "$(id) `id` ; id\n"


@NEEDS_POSIX
def test_a_command_gets_the_whole_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "hunter2")
    assert ran(ss.CommandTarget(["sh", "-c", "echo $API_KEY"])).output == "hunter2\n"


@NEEDS_POSIX
def test_the_end_of_what_a_command_prints_is_kept() -> None:
    run = ran(ss.CommandTarget(["sh", "-c", "seq 5000; echo secret >&2"]))
    assert run.output is not None
    assert len(run.output) == 4_096
    assert run.output.endswith("5000\nsecret\n")


def test_the_beginning_of_what_a_function_returns_is_kept() -> None:
    run = ran(ss.HandlerTarget(lambda: "a" + "b" * 5_000))
    assert run.output is not None
    assert (len(run.output), run.output[:3]) == (4_096, '"ab')


def test_the_text_of_an_error_and_its_traceback_are_kept_without_values_of_variables() -> None:
    def fail() -> None:
        password = "-".join(("hunter", "2"))
        raise ValueError("no entry" if password else "")

    run = ran(ss.HandlerTarget(fail))
    assert run.error == "ValueError: no entry"
    assert run.traceback is not None
    assert "raise ValueError" in run.traceback
    assert "hunter-2" not in run.traceback


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text("- !!python/object/apply:os.mkdir [pwned]\n")
    with pytest.raises(ss.errors.JobFileError, match="could not determine a constructor"):
        ss.load_jobs(path)
    assert not Path("pwned").exists()
