"""A verb that is interrupted by Ctrl-C, at whatever moment, leaves nothing locked and nothing half done."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

import stepsched as ss
from stepsched.backends import local

MOMENTS = ("call", "c_return")
"""Where Python looks whether a signal has come: as a function begins, and as a call of C has returned."""
OURS = str(Path(local.__file__).parent)
"""Elsewhere it would also come where errors are swallowed, as while something is collected."""
PATIENCE = 20


def create(backend: ss.LocalBackend, name: str) -> None:
    target = ss.HandlerTarget("os:getcwd")
    ss.SchedulerClient(backend).create(ss.Job(name=name, schedule=ss.Cron("0 0 1 1 ? *"), target=target))


def interrupted(verb: Callable[[], object], moment: int) -> BaseException | None:
    """Calls a verb that gets a Ctrl-C at its nth moment.

    Returns:
        What it has raised, with its traceback, as an interactive session keeps it; None if it was over
        before.
    """
    left = [moment]

    def interrupt(frame: FrameType, event: str, _: object) -> None:
        if event in MOMENTS and frame.f_code.co_filename.startswith(OURS):
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        verb()
    except KeyboardInterrupt as error:
        return error
    finally:
        sys.setprofile(None)
    return None


@pytest.mark.parametrize("stored", [True, False], ids=["file", "memory"])
def test_other_threads_go_on_after_an_interrupt_at_any_moment(stored: bool, tmp_path: Path) -> None:
    backend = ss.LocalBackend(tmp_path / "jobs.db" if stored else None)
    errors, names, moment = list[BaseException](), set[str](), 0
    create(backend, "warm")
    while True:
        moment += 1
        error = interrupted(lambda: create(backend, f"interrupted-{moment}"), moment)  # noqa: B023
        if error is None:
            break
        errors.append(error)
        backend.stop()  # as at the end of a with
        name = f"after-{moment}"
        thread = threading.Thread(target=create, args=(backend, name), daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"interrupted at moment {moment}, it holds the lock"
        names.add(name)
    assert len(errors) > 30, "the verb was hardly interrupted"
    assert names <= {record.name for record in ss.SchedulerClient(backend).list()}
    backend.close()


@pytest.mark.parametrize("verb", ["transaction", "read", "stop", "close"])
def test_what_was_interrupted_before_its_end_is_undone_by_the_next_verb(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    backend = ss.LocalBackend(path)
    create(backend, "before")
    transaction = backend._store.transaction("interrupted")

    def interrupt() -> None:
        transaction.__enter__()  # and never its end
        backend._store._db.execute("DELETE FROM jobs")

    interrupt()
    match verb:
        case "transaction":
            create(backend, "after")
        case "read":
            assert len(ss.SchedulerClient(backend).list()) == 1
        case "stop":
            backend.stop()
        case _:
            backend.close()
    other = sqlite3.connect(path, timeout=PATIENCE)
    names = {name for (name,) in other.execute("SELECT name FROM jobs")}
    other.execute("BEGIN IMMEDIATE")  # nobody holds the file
    other.close()
    assert names == ({"before", "after"} if verb == "transaction" else {"before"})
    backend.close()


def test_a_transaction_inside_a_context_manager_of_another_goes_on_after_it_has_yielded(
    tmp_path: Path,
) -> None:
    backend = ss.LocalBackend(tmp_path / "jobs.db")
    create(backend, "job")

    @contextmanager
    def wrapped() -> Iterator[None]:
        with backend._store.transaction("wrapped"):
            yield

    with wrapped():
        backend._store._db.execute("DELETE FROM jobs")
        assert not ss.SchedulerClient(backend).list()
    assert not ss.SchedulerClient(backend).list()
    backend.close()


def test_a_transaction_inside_another_one_joins_it(tmp_path: Path) -> None:
    backend = ss.LocalBackend(tmp_path / "jobs.db")
    store = backend._store
    create(backend, "job")
    with store.transaction("outer"):
        store._db.execute("DELETE FROM jobs")
        with store.transaction("inner"):
            assert not ss.SchedulerClient(backend).list()
        assert not ss.SchedulerClient(backend).list()
    assert not ss.SchedulerClient(backend).list()
    backend.close()
