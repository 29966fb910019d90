"""A bounded set of threads, each of which works through a chain of items."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

import pytest

from stepsched.backends.local.pool import Pool

PATIENCE = 10
SIZE = 2


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.005)


class Bench:
    """Work that begins, says so, and ends when it is told to."""

    def __init__(self) -> None:
        self.begun: SimpleQueue[tuple[int, threading.Thread]] = SimpleQueue()
        self.ended: SimpleQueue[int] = SimpleQueue()
        self.freed: SimpleQueue[threading.Thread] = SimpleQueue()
        self.release = [threading.Event() for _ in range(10)]
        self.following: dict[int, int] = {}
        self.raises: dict[int, BaseException] = {}
        self.pool = Pool[int](SIZE, self.work, "bench", lambda: self.freed.put(threading.current_thread()))

    def work(self, item: int) -> int | None:
        self.begun.put((item, threading.current_thread()))
        assert self.release[item].wait(PATIENCE)
        if item in self.raises:
            raise self.raises[item]
        self.ended.put(item)
        return self.following.get(item)

    def submit(self, item: int) -> None:
        assert self.pool.places() > 0
        self.pool.submit(item)

    def next_begun(self) -> tuple[int, threading.Thread]:
        return self.begun.get(timeout=PATIENCE)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    for event in bench.release:
        event.set()
    bench.pool.close()


def no_item_is_begun(bench: Bench) -> bool:
    try:
        bench.begun.get(timeout=0.05)
    except Empty:
        return True
    return False


class TestPlaces:
    def test_a_new_pool_has_no_threads_and_may_have_some(self, bench: Bench) -> None:
        assert (bench.pool.busy, bench.pool.can_grow) == (0, True)

    def test_there_is_one_for_each_free_thread_and_one_thread_is_started_at_a_time(
        self, bench: Bench
    ) -> None:
        before = threading.active_count()
        assert bench.pool.places() == 1
        assert bench.pool.places() == 1  # the same one
        assert threading.active_count() == before + 1
        bench.pool.submit(0)
        assert bench.pool.places() == 1
        assert threading.active_count() == before + 2
        assert not bench.pool.can_grow
        bench.pool.submit(1)
        assert bench.pool.places() == 0
        assert threading.active_count() == before + 2
        assert bench.pool.busy == SIZE

    def test_threads_that_have_become_free_are_places_again(self, bench: Bench) -> None:
        for item in range(SIZE):
            bench.submit(item)
        first = dict(bench.next_begun() for _ in range(SIZE))
        bench.release[1].set()
        assert bench.freed.get(timeout=PATIENCE) is first[1]
        assert (bench.pool.places(), bench.pool.busy) == (1, 1)
        bench.pool.submit(2)
        assert bench.next_begun() == (2, first[1])

    def test_several_that_are_free_are_told_at_once(self, bench: Bench) -> None:
        for item in range(SIZE):
            bench.submit(item)
            bench.release[item].set()
        for _ in range(SIZE):
            bench.freed.get(timeout=PATIENCE)
        assert bench.pool.places() >= 1
        bench.release[2].set()
        for _ in range(20):  # never more threads than places
            bench.submit(2)
            bench.freed.get(timeout=PATIENCE)
        assert len(bench.pool._threads) <= SIZE

    def test_a_thread_that_cannot_be_started_is_no_place_and_loses_nothing(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as limit:
            limit.setattr(threading.Thread, "start", refuse)
            assert bench.pool.places() == 0
            assert bench.pool.places() == 0
            assert (bench.pool.busy, bench.pool.can_grow) == (0, True)
        assert "a thread could not be started; 0 run" in caplog.text
        bench.submit(0)
        assert bench.next_begun()[0] == 0

    def test_a_thread_that_cannot_be_started_leaves_the_others_at_work(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        bench.submit(0)
        with monkeypatch.context() as limit:
            limit.setattr(threading.Thread, "start", refuse)
            assert bench.pool.places() == 0
            bench.release[0].set()
            bench.freed.get(timeout=PATIENCE)
            assert bench.pool.places() == 1
            bench.pool.submit(1)
            bench.next_begun()
            assert bench.next_begun()[0] == 1


class TestWork:
    def test_no_more_items_are_worked_on_at_once_than_there_are_threads(self, bench: Bench) -> None:
        for item in range(SIZE):
            bench.submit(item)
        assert {bench.next_begun()[0] for _ in range(SIZE)} == {0, 1}
        assert bench.pool.places() == 0
        assert no_item_is_begun(bench)

    def test_what_an_item_answers_is_worked_on_next_by_the_same_thread(self, bench: Bench) -> None:
        bench.following = {0: 5, 5: 7}
        for item in (0, 5, 7):
            bench.release[item].set()
        bench.submit(0)
        begun = [bench.next_begun() for _ in range(3)]
        assert [item for item, _ in begun] == [0, 5, 7]
        assert len({thread for _, thread in begun}) == 1
        bench.freed.get(timeout=PATIENCE)
        with pytest.raises(Empty):  # it was free once, at the end of the chain
            bench.freed.get(timeout=0.05)

    @pytest.mark.parametrize(
        "failure",
        [RuntimeError("no"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()],
        ids=lambda failure: type(failure).__name__,
    )
    def test_whatever_it_raises_is_logged_and_ends_no_thread(
        self, bench: Bench, caplog: pytest.LogCaptureFixture, failure: BaseException
    ) -> None:
        bench.raises = {0: failure}
        bench.release[0].set()
        bench.submit(0)
        _, thread = bench.next_begun()
        assert bench.freed.get(timeout=PATIENCE) is thread
        (record,) = (record for record in caplog.records if record.name == "stepsched.local")
        assert (record.levelno, record.getMessage()) == (
            logging.CRITICAL,
            "a thread failed to process an item; it continues",
        )
        assert record.exc_info is not None
        assert record.exc_info[1] is failure
        assert bench.pool.replace_ended() == 0
        bench.submit(1)
        assert bench.next_begun() == (1, thread)

    def test_an_item_that_fails_ends_its_chain(self, bench: Bench) -> None:
        bench.following, bench.raises = {0: 1, 1: 2}, {1: RuntimeError("no")}
        for event in bench.release:
            event.set()
        bench.submit(0)
        bench.freed.get(timeout=PATIENCE)
        assert [bench.next_begun()[0] for _ in range(2)] == [0, 1]
        assert no_item_is_begun(bench)

    def test_threads_bear_the_name_of_the_pool_and_do_not_hold_up_the_end_of_the_program(
        self, bench: Bench
    ) -> None:
        bench.submit(0)
        _, thread = bench.next_begun()
        assert (thread.name, thread.daemon) == ("bench", True)


class TestGiveUp:
    def test_a_thread_that_is_given_up_makes_place_for_another(self, bench: Bench) -> None:
        for item in range(SIZE):
            bench.submit(item)
        threads = dict(bench.next_begun() for _ in range(SIZE))
        assert bench.pool.places() == 0
        bench.pool.give_up(threads[0])
        assert bench.pool.busy == 1
        bench.submit(2)
        item, thread = bench.next_begun()
        assert item == 2
        assert thread not in threads.values()

    def test_a_thread_that_was_given_up_ends_after_its_item_and_is_free_for_nothing(
        self, bench: Bench
    ) -> None:
        bench.submit(0)
        _, lost = bench.next_begun()
        bench.pool.give_up(lost)
        bench.release[0].set()
        lost.join(PATIENCE)
        assert not lost.is_alive()
        assert bench.freed.empty()
        bench.submit(1)
        item, thread = bench.next_begun()
        assert (item, thread is lost, bench.pool.busy) == (1, False, 1)

    def test_one_that_is_given_up_twice_counts_once(self, bench: Bench) -> None:
        for item in range(SIZE):
            bench.submit(item)
        threads = dict(bench.next_begun() for _ in range(SIZE))
        bench.pool.give_up(threads[0])
        bench.pool.give_up(threads[0])
        assert bench.pool.busy == 1
        bench.submit(2)
        assert bench.pool.places() == 0


class TestEnd:
    def test_close_ends_the_threads_that_wait_and_the_others_after_their_item(self, bench: Bench) -> None:
        bench.release[0].set()
        bench.submit(0)
        idle = bench.next_begun()[1]
        bench.freed.get(timeout=PATIENCE)
        bench.submit(1)
        bench.next_begun()
        bench.submit(2)
        _, busy = bench.next_begun()
        bench.release[1].set()
        bench.freed.get(timeout=PATIENCE)
        bench.pool.close()
        idle.join(PATIENCE)
        assert (idle.is_alive(), busy.is_alive()) == (False, True)
        bench.release[2].set()
        busy.join(PATIENCE)
        assert not busy.is_alive()
        assert sorted(bench.ended.get(timeout=PATIENCE) for _ in range(3)) == [0, 1, 2]

    def test_an_item_that_was_handed_over_is_still_worked_on(self, bench: Bench) -> None:
        bench.release[0].set()
        bench.submit(0)
        bench.pool.close()
        assert bench.ended.get(timeout=PATIENCE) == 0

    def test_a_pool_works_again_after_close(self, bench: Bench) -> None:
        bench.submit(0)
        _, busy = bench.next_begun()
        bench.pool.close()
        bench.pool.close()
        bench.submit(3)
        item, thread = bench.next_begun()
        assert (item, thread is busy, bench.pool.busy) == (3, False, 1)
        bench.release[0].set()
        busy.join(PATIENCE)
        assert bench.pool.busy == 1  # the old one does not count as free

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_thread_that_a_fault_has_ended_is_replaced(self) -> None:
        done: SimpleQueue[int] = SimpleQueue()

        def fault() -> None:
            if done.qsize() == 1:
                raise RuntimeError("a fault in the pool itself")

        pool = Pool[int](1, done.put, "faulty", fault)
        assert pool.replace_ended() == 0
        assert pool.places() == 1
        pool.submit(1)
        wait_for(lambda: not any(thread.is_alive() for thread in pool._threads))
        assert pool.replace_ended() == 1
        assert pool.replace_ended() == 0
        assert pool.places() == 1
        pool.submit(2)
        wait_for(lambda: done.qsize() == 2)
        pool.close()
