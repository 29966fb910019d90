"""A bounded set of threads that work through one queue."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from stepsched.backends.local.pool import Pool

PATIENCE = 10
SIZE = 2


class Bench:
    """Work that begins, says so, and ends when it is told to."""

    def __init__(self) -> None:
        self.begun: SimpleQueue[tuple[int, threading.Thread]] = SimpleQueue()
        self.ended: SimpleQueue[int] = SimpleQueue()
        self.release = [threading.Event() for _ in range(10)]
        self.pool = Pool[int](SIZE, self.work, "bench")

    def work(self, item: int) -> None:
        self.begun.put((item, threading.current_thread()))
        assert self.release[item].wait(PATIENCE)
        self.ended.put(item)

    def next_begun(self) -> tuple[int, threading.Thread]:
        return self.begun.get(timeout=PATIENCE)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    for event in bench.release:
        event.set()
    bench.pool.close()


def test_no_more_items_are_worked_on_at_once_than_there_are_places(bench: Bench) -> None:
    for item in range(5):
        bench.pool.submit(item)
    first = {bench.next_begun()[0] for _ in range(SIZE)}
    assert first == {0, 1}
    assert bench.pool.take_back() == [2, 3, 4]  # so nobody has begun them
    assert bench.begun.empty()


def test_a_free_thread_takes_the_oldest_item(bench: Bench) -> None:
    for item in range(4):
        bench.pool.submit(item)
    first = {bench.next_begun()[0] for _ in range(SIZE)}
    bench.release[0].set()
    bench.release[2].set()
    assert first == {0, 1}
    assert [bench.next_begun()[0] for _ in range(2)] == [2, 3]


def test_threads_are_used_again(bench: Bench) -> None:
    for event in bench.release:
        event.set()
    for item in range(10):
        bench.pool.submit(item)
    threads = {bench.next_begun()[1] for _ in range(10)}
    assert 1 <= len(threads) <= SIZE


def test_what_is_taken_back_is_never_worked_on(bench: Bench) -> None:
    for item in range(4):
        bench.pool.submit(item)
    for _ in range(SIZE):
        bench.next_begun()
    assert bench.pool.take_back() == [2, 3]
    assert bench.pool.take_back() == []
    for event in bench.release:
        event.set()
    bench.pool.close()
    assert sorted([bench.ended.get(timeout=PATIENCE) for _ in range(SIZE)]) == [0, 1]
    assert bench.ended.empty()


def test_a_thread_that_is_given_up_makes_place_for_another(bench: Bench) -> None:
    for item in range(3):
        bench.pool.submit(item)
    threads = dict(bench.next_begun() for _ in range(SIZE))
    bench.pool.give_up(threads[0])
    item, thread = bench.next_begun()
    assert item == 2
    assert thread not in threads.values()


def test_a_thread_that_was_given_up_takes_nothing_more_when_it_is_done(bench: Bench) -> None:
    bench.pool.submit(0)
    _, lost = bench.next_begun()
    bench.pool.give_up(lost)
    bench.release[0].set()
    lost.join(PATIENCE)
    assert not lost.is_alive()
    bench.pool.submit(1)
    assert bench.next_begun()[0] == 1


def test_close_awaits_every_item_that_was_submitted(bench: Bench) -> None:
    for item in range(4):
        bench.pool.submit(item)
    begun = [bench.next_begun() for _ in range(SIZE)]
    closer = threading.Thread(target=bench.pool.close)
    closer.start()
    assert closer.is_alive()
    for event in bench.release[1:]:
        event.set()
    assert {bench.ended.get(timeout=PATIENCE) for _ in range(3)} == {1, 2, 3}
    assert closer.is_alive()  # item 0 goes on
    bench.release[0].set()
    closer.join(PATIENCE)
    assert not closer.is_alive()
    assert not any(thread.is_alive() for _, thread in begun)


def test_close_does_not_await_a_thread_that_was_given_up(bench: Bench) -> None:
    bench.pool.submit(0)
    _, lost = bench.next_begun()
    bench.pool.give_up(lost)
    closer = threading.Thread(target=bench.pool.close)
    closer.start()
    closer.join(PATIENCE)
    assert not closer.is_alive()
    assert lost.is_alive()
    bench.release[0].set()
    lost.join(PATIENCE)


def test_a_pool_works_again_after_close(bench: Bench) -> None:
    bench.pool.close()
    bench.pool.close()
    bench.pool.submit(3)
    assert bench.next_begun()[0] == 3


def test_threads_bear_the_name_of_the_pool_and_do_not_hold_up_the_end_of_the_program(bench: Bench) -> None:
    bench.pool.submit(0)
    _, thread = bench.next_begun()
    assert (thread.name, thread.daemon) == ("bench", True)
