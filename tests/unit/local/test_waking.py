"""A thread that waits goes on at once when it is told, and none is ever stuck."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

import pytest

from stepsched.backends.local.waking import Wake

PATIENCE = 20


def test_what_was_set_is_not_waited_for_and_counts_once() -> None:
    wake = Wake()
    wake.set()
    wake.set()
    wake.wait(PATIENCE)
    wake.wait(0)  # it was set twice, which is once
    assert wake._told.empty()


def test_clear_forgets() -> None:
    wake = Wake()
    wake.set()
    wake.clear()
    assert wake._told.empty()
    wake.clear()


def test_a_thread_that_waits_goes_on() -> None:
    wake, gone_on = Wake(), threading.Event()

    def wait() -> None:
        wake.wait(PATIENCE)
        gone_on.set()

    threading.Thread(target=wait, daemon=True).start()
    wake.set()
    assert gone_on.wait(PATIENCE)


@pytest.mark.parametrize("moment", range(12))
def test_an_interrupt_in_the_middle_leaves_nothing_locked(moment: int) -> None:
    wake = Wake()
    left = [moment]

    def interrupt(frame: FrameType, event: str, _: object) -> Any:
        if left[0] == 0:
            left[0] = -1
            raise KeyboardInterrupt
        left[0] -= 1
        return interrupt

    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        wake.set()
        wake.clear()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)

    def use() -> None:
        wake.set()
        wake.wait(PATIENCE)

    done = threading.Thread(target=use, daemon=True)
    done.start()
    done.join(PATIENCE)
    assert not done.is_alive()
