"""The executors of daemon threads."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, ThreadPoolExecutor

import pytest

from stepsched.core.threads import DaemonExecutor, LoopExecutor

PATIENCE = 20.0


@pytest.fixture(params=[DaemonExecutor, LoopExecutor])
def make(request: pytest.FixtureRequest) -> Callable[[int], Executor]:
    return lambda size: request.param(size, name="test-crew")


def crew() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("test-crew")}


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    for thread in crew():
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_call_is_answered_by_a_daemon_thread_of_the_name(make: Callable[[int], Executor]) -> None:
    with make(2) as executor:
        thread = executor.submit(threading.current_thread).result(PATIENCE)
        assert thread.daemon
        assert thread.name.startswith("test-crew")
        assert executor.submit(pow, 7, -1, mod=10).result(PATIENCE) == 3
        assert list(executor.map(abs, [-1, -2, -3])) == [1, 2, 3]


def test_threads_start_with_the_calls_that_need_them_and_no_more_than_allowed(
    make: Callable[[int], Executor],
) -> None:
    with make(3) as executor:
        assert crew() == set()
        for _ in range(5):
            executor.submit(int).result(PATIENCE)
        assert len(crew()) <= 2  # the first may not have come to rest when the second call came
        barrier = threading.Barrier(4)
        waiting = [executor.submit(barrier.wait, PATIENCE) for _ in range(3)]
        more = [executor.submit(int) for _ in range(10)]
        assert len(crew()) == 3
        barrier.wait(PATIENCE)
        for future in waiting + more:
            future.result(PATIENCE)


def test_a_call_that_waits_can_be_cancelled_and_never_happens(make: Callable[[int], Executor]) -> None:
    release, calls = threading.Event(), list[int]()
    with make(1) as executor:
        executor.submit(release.wait, PATIENCE)
        waits = executor.submit(calls.append, 1)
        after = executor.submit(calls.append, 2)
        assert waits.cancel()
        release.set()
        after.result(PATIENCE)
        with pytest.raises(CancelledError):
            waits.result(PATIENCE)
    assert calls == [2]


@pytest.mark.parametrize(
    "error", [ValueError("a"), SystemExit(3), KeyboardInterrupt(), StopIteration(1)], ids=repr
)
def test_whatever_a_call_raises_is_in_its_future_and_ends_no_thread(
    make: Callable[[int], Executor], error: BaseException
) -> None:
    def fail() -> None:
        raise error

    with make(1) as executor:
        failed = executor.submit(fail)
        assert failed.exception(PATIENCE) is error
        first = executor.submit(threading.get_ident).result(PATIENCE)
        assert executor.submit(threading.get_ident).result(PATIENCE) == first


def test_a_listener_that_raises_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    def exit_process(_: object) -> None:
        raise SystemExit

    release = threading.Event()
    with DaemonExecutor(1, name="test-crew") as executor:
        future = executor.submit(release.wait, PATIENCE)
        future.add_done_callback(exit_process)
        release.set()
        assert executor.submit(int).result(PATIENCE) == 0
    assert [record.getMessage() for record in caplog.records] == ["a callback of a finished call failed"]


def test_after_the_shutdown_waiting_calls_are_performed_and_new_ones_refused(
    make: Callable[[int], Executor],
) -> None:
    executor, calls = make(1), list[int]()
    futures = [executor.submit(calls.append, number) for number in range(20)]
    executor.shutdown(wait=True)
    assert calls == list(range(20))
    assert all(future.done() for future in futures)
    assert crew() == set()
    with pytest.raises(RuntimeError, match="the executor has been shut down"):
        executor.submit(int)


def test_a_shutdown_may_cancel_what_waits_and_need_not_be_awaited(make: Callable[[int], Executor]) -> None:
    executor, begun, release = make(1), threading.Event(), threading.Event()

    def hold() -> bool:
        begun.set()
        return release.wait(PATIENCE)

    held, waits = executor.submit(hold), executor.submit(int)
    assert begun.wait(PATIENCE)
    executor.shutdown(wait=False, cancel_futures=True)
    assert waits.cancelled()
    assert not held.done()
    release.set()
    assert held.result(PATIENCE)


def test_a_call_may_shut_its_own_executor_down(make: Callable[[int], Executor]) -> None:
    executor = make(1)
    executor.submit(executor.shutdown).result(PATIENCE)


def test_the_threads_of_a_forgotten_executor_end(make: Callable[[int], Executor]) -> None:
    executor = make(2)
    future = executor.submit(threading.current_thread)
    thread = future.result(PATIENCE)
    del executor, future
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()


class NoRoom(threading.Thread):
    """What the system says when it has no room for another thread."""

    refuses = True

    def start(self) -> None:
        if NoRoom.refuses:
            raise RuntimeError("can't start new thread")
        super().start()


class TestNoRoom:
    @pytest.fixture(autouse=True)
    def no_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threading, "Thread", NoRoom)

    def test_the_call_fails_where_there_is_no_thread_at_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(NoRoom, "refuses", True)
        with DaemonExecutor(2, name="test-crew") as executor:
            with pytest.raises(RuntimeError, match="can't start new thread"):
                executor.submit(int).result(PATIENCE)
            monkeypatch.setattr(NoRoom, "refuses", False)
            assert executor.submit(int).result(PATIENCE) == 0
            assert executor.thread_count == 1

    def test_else_it_waits_for_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(NoRoom, "refuses", False)
        release = threading.Event()
        with DaemonExecutor(2, name="test-crew") as executor:
            held = executor.submit(release.wait, PATIENCE)
            monkeypatch.setattr(NoRoom, "refuses", True)
            waits = executor.submit(int)
            assert not waits.done()
            release.set()
            assert (held.result(PATIENCE), waits.result(PATIENCE)) == (True, 0)


def test_an_executor_without_threads_is_refused() -> None:
    with pytest.raises(ValueError, match="expected max_workers of at least 1, got 0"):
        DaemonExecutor(0, name="test-crew")


def test_the_loops_executor_is_of_the_class_that_loops_take() -> None:
    with LoopExecutor(1, name="test-crew") as executor:
        assert isinstance(executor, ThreadPoolExecutor)


def ended(program: str) -> subprocess.CompletedProcess[str]:
    """A program that has ended by itself."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


AFTER_MAIN = """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
from stepsched.core.threads import DaemonExecutor, LoopExecutor

def later():
    threading.main_thread().join()
    with DaemonExecutor(2, name="crew") as executor:
        print("daemon", executor.submit(pow, 2, 3).result(10))
    async def main():
        asyncio.get_running_loop().set_default_executor({executor})
        try:
            print("loop", await asyncio.to_thread(pow, 2, 4))
        except RuntimeError as error:
            print(error)
    asyncio.run(main())

threading.Thread(target=later).start()
"""


STARTS_LATE = pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 12, 2),
    reason="no thread starts then (https://github.com/python/cpython/issues/113964)",
)


@STARTS_LATE
def test_calls_are_answered_after_the_main_thread_has_ended() -> None:
    done = ended(AFTER_MAIN.format(executor="LoopExecutor(2, name='crew')"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "daemon 8\nloop 16\n", "")


@STARTS_LATE
def test_the_standard_librarys_executor_does_not() -> None:
    """Else the test above would prove nothing."""
    done = ended(AFTER_MAIN.format(executor="ThreadPoolExecutor(2)"))
    assert "cannot schedule new futures after" in done.stdout


def test_a_call_that_never_ends_does_not_keep_the_process_alive() -> None:
    done = ended(
        "import threading\n"
        "from stepsched.core.threads import DaemonExecutor\n"
        "executor = DaemonExecutor(1, name='crew')\n"
        "executor.submit(threading.Event().wait)\n"
        "print('ended')\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


FORK = """
import os, signal, sys, threading, warnings
from stepsched.core.threads import DaemonExecutor
warnings.simplefilter("ignore")  # of a fork with threads
executor, release, begun = DaemonExecutor(1, name="crew"), threading.Event(), threading.Event()

def hold():
    begun.set()
    release.wait(20)

held = executor.submit(hold)
begun.wait(20)
waits = executor.submit(print, "of the parent", flush=True)
child = os.fork()
if not child:
    print("child", executor.submit(pow, 2, 3).result(10), executor.thread_count, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
release.set()
waits.result(20)

def fork_in_call():
    child = os.fork()
    return child

child = executor.submit(fork_in_call).result(20)
print("ended", os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_the_child_of_a_fork_starts_anew_and_a_thread_that_forked_ends_with_its_call() -> None:
    done = ended(FORK)
    assert (done.returncode, done.stdout, done.stderr) == (0, "child 8 1\nof the parent\nended 0\n", "")
